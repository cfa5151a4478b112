/*-------------------------------------------------------------------------
 *
 * csv.c
 *	  Reading a CSV file that an application holds as a value.
 *
 * What its columns are called, and which may be left out, is for the caller to
 * say; what the rows mean, too.  A file may begin with a header, which names
 * its columns in any order.  Without one they are in the order in which they
 * were declared, and the last of those that may be left out may be missing.
 *
 * Where columns may be left out, a header with a name that nobody knows is an
 * error of the whole file: what it stands above would be ignored in silence.
 *
 * The file is read by COPY's own CSV reader.  COPY knows one separator and one
 * kind of line end per file; people and spreadsheets mix them.  So the reader
 * gets the bytes through a source that, outside quotes, writes every comma as
 * a semicolon and every CRLF as LF.  Outside quotes is where an even number of
 * quotes came before: a quote within quotes is written twice, so it does not
 * change the parity.  The source also decides what a line "\." is, which
 * differs between servers: the end of the data, after which nothing may
 * follow.
 *
 * Two things around the data are not data.  A spreadsheet may begin with a byte
 * order mark, and with a line "sep=;" that tells another one the separator; the
 * source leaves out the line, but not its end, so that the lines that follow
 * keep their numbers.  A shell that reads a file into a value takes off the last
 * LF, and of CRLF leaves CR.
 *
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

#include "access/table.h"
#include "commands/copy.h"
#include "commands/copyfrom_internal.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"

/* The reader keeps an array of the fields of a row; nobody has so many. */
#define MAX_SEPARATORS	1000000

/* The bytes that COPY's reader has still to get. */
typedef struct CsvSource
{
	CopyFromState reader;
	const char *next;
	const char *end;
	uint64		line;
	int			separators;		/* in this line */
	bool		line_start;
	bool		in_quotes;
	bool		crlf;			/* a line before ended in that */
} CsvSource;

/* COPY calls its source without an argument. */
static CsvSource *current_source = NULL;

struct CsvFile
{
	const CsvColumns *columns;
	Relation	rel;
	CsvSource	source;
	bool		begun;			/* the first row was read, or the header */
	int			least;			/* fields that a row has, at least */
	int			most;
	int			places[MAX_CSV_COLUMNS];	/* where in a row each column is, or -1 */
};

static size_t separator_line(const char *line, const char *end);
static CopyFromState begin_reading(Relation rel);
static void tell_line(void *arg);
static int	read_source(void *buffer, int minread, int maxread);
static bool end_of_data(CsvSource *source);
static void refuse_file(const CsvSource *source, const char *message,
						const char *detail);
static EolType first_line_end(const CsvSource *source);
static bool is_blank(char **fields, int nfields);
static bool is_header(CsvFile *file, char **fields, int nfields);
static int	place_of(const char *name, char **fields, int nfields);
static void refuse_header(const CsvColumns *columns, char **fields,
						  int nfields);

/*
 * Opens a file that has, or may have, these columns.
 */
CsvFile *
awspool_open_csv(const CsvColumns *columns, text *csv)
{
	CsvFile    *file = palloc0(sizeof(CsvFile));

	file->columns = columns;
	file->least = columns->needed;
	file->most = columns->n;
	file->source.next = VARDATA_ANY(csv);
	file->source.end = VARDATA_ANY(csv) + VARSIZE_ANY_EXHDR(csv);
	file->source.line = 1;
	file->source.line_start = true;
	for (int i = 0; i < columns->n; i++)
		file->places[i] = i;

	file->source.next +=
		awspool_byte_order_mark(file->source.next,
								file->source.end - file->source.next);
	file->source.next += separator_line(file->source.next, file->source.end);

	file->rel = table_open(awspool_relation("import"), AccessShareLock);
	file->source.reader = begin_reading(file->rel);
	file->source.reader->eol_type = first_line_end(&file->source);
	return file;
}

/*
 * Reads the next row of the file; its fields stay until the next is read.
 * False if there is no more; raises 22P04 if the file cannot be read.
 */
bool
awspool_read_csv(CsvFile *file, CsvRow *row)
{
	CopyFromState reader = file->source.reader;
	ErrorContextCallback context = {
		error_context_stack, tell_line, reader
	};
	char	  **fields;
	int			nfields;
	bool		found = false;

	current_source = &file->source;
	error_context_stack = &context;
	while (!found)
	{
		row->line = reader->cur_lineno + 1;
		if (!NextCopyFromRawFields(reader, &fields, &nfields))
			break;
		CHECK_FOR_INTERRUPTS();
		while (nfields > file->most && fields[nfields - 1] == NULL)
			nfields--;			/* trailing separators */
		if (is_blank(fields, nfields))
			continue;
		found = file->begun || !is_header(file, fields, nfields);
		file->begun = true;
	}
	error_context_stack = context.previous;

	if (!found)
		return false;
	row->nfields = nfields;
	for (int i = 0; i < file->columns->n; i++)
	{
		int			place = file->places[i];

		row->fields[i] = place >= 0 && place < nfields ? fields[place] : NULL;
	}
	return true;
}

/*
 * What is wrong with the number of fields of a row; NULL if nothing is.
 */
char *
awspool_csv_problem(const CsvFile *file, const CsvRow *row)
{
	if (row->nfields >= file->least && row->nfields <= file->most)
		return NULL;
	if (file->least == file->most)
		return psprintf("wrong number of fields: %d instead of %d",
						row->nfields, file->most);
	return psprintf("wrong number of fields: %d instead of %d to %d",
					row->nfields, file->least, file->most);
}

void
awspool_close_csv(CsvFile *file)
{
	EndCopyFrom(file->source.reader);
	table_close(file->rel, AccessShareLock);
	pfree(file);
}

/*
 * How long the line is that a spreadsheet writes to tell another one what
 * separates the fields, without its end; 0 if it is another line.
 */
static size_t
separator_line(const char *line, const char *end)
{
	const char *p = line;
	bool		quoted = p < end && *p == '"';

	p += quoted;
	if (end - p < 5 || pg_strncasecmp(p, "sep=", 4) != 0 ||
		(p[4] != ';' && p[4] != ','))
		return 0;
	p += 5;
	if (quoted && (p == end || *p++ != '"'))
		return 0;
	return p == end || *p == '\n' || *p == '\r' ? p - line : 0;
}

/*
 * COPY's own context would speak of a COPY that nobody ran.
 */
static void
tell_line(void *arg)
{
	CopyFromState reader = arg;

	if (reader->cur_lineno > 0)
		errcontext("argument csv, line " UINT64_FORMAT, reader->cur_lineno);
}

/* The value is in the encoding of the database, whatever the client's is. */
static CopyFromState
begin_reading(Relation rel)
{
	List	   *options = list_make3(
		makeDefElem("format", (Node *) makeString("csv"), -1),
		makeDefElem("delimiter", (Node *) makeString(";"), -1),
		makeDefElem("encoding",
					(Node *) makeString(pstrdup(GetDatabaseEncodingName())),
					-1));

	return BeginCopyFrom(NULL, rel, NULL, NULL, false, read_source, NIL,
						 options);
}

/*
 * What ends the lines, as far as COPY's reader has to know, before it has read
 * one: it counts the lines within quotes by that.
 */
static EolType
first_line_end(const CsvSource *source)
{
	bool		in_quotes = false;

	for (const char *p = source->next; p < source->end; p++)
	{
		if (*p == '"')
			in_quotes = !in_quotes;
		else if (in_quotes)
			continue;
		else if (*p == '\r' && (p + 1 == source->end || p[1] != '\n'))
			return EOL_CR;
		else if (*p == '\n' || *p == '\r')
			return EOL_NL;
	}
	return EOL_NL;
}

/*
 * Gives COPY's reader some more bytes; none at the end.
 */
static int
read_source(void *buffer, int minread, int maxread)
{
	CsvSource  *source = current_source;
	char	   *out = buffer;
	int			n = 0;

	CHECK_FOR_INTERRUPTS();
	while (n < maxread && source->next < source->end)
	{
		char		c = *source->next;

		if (source->line_start && !source->in_quotes && end_of_data(source))
			break;
		source->next++;
		source->line_start = false;

		if (c == '"')
			source->in_quotes = !source->in_quotes;
		else if (c == '\n' || c == '\r')
		{
			bool		last = source->next == source->end;
			bool		crlf = c == '\r' && !last && *source->next == '\n';

			if (crlf && !source->in_quotes)
			{
				source->crlf = true;
				continue;
			}
			if (last && source->crlf && !source->in_quotes)
				c = '\n';
			source->line_start = true;
			source->separators = 0;
			if (!crlf)
				source->line++;
		}
		else if ((c == ',' || c == ';') && !source->in_quotes)
		{
			c = ';';
			if (++source->separators > MAX_SEPARATORS)
				refuse_file(source, "too many fields in a line", NULL);
		}
		out[n++] = c;
	}
	return n;
}

/*
 * Whether the line that begins here is "\.".  If so, nothing may follow it,
 * and the source is exhausted.
 */
static bool
end_of_data(CsvSource *source)
{
	const char *p = source->next;

	if (source->end - p < 2 || p[0] != '\\' || p[1] != '.')
		return false;
	p += 2;
	if (p < source->end && *p != '\n' && *p != '\r')
		return false;			/* it only begins like that */

	while (p < source->end && (*p == '\n' || *p == '\r'))
		p++;
	if (p < source->end)
		refuse_file(source, "the data ends here, but more follows",
					"A line \"\\.\" marks the end of the data.");
	source->next = source->end;
	return true;
}

/*
 * Raises 22P04.  The source is ahead of the reader, which tells the line.
 */
static void
refuse_file(const CsvSource *source, const char *message, const char *detail)
{
	source->reader->cur_lineno = source->line;
	source->reader->line_buf_valid = false;
	ereport(ERROR,
			(errcode(ERRCODE_BAD_COPY_FILE_FORMAT),
			 errmsg("%s", message), detail != NULL ? errdetail("%s", detail) : 0));
}

/* Only spaces, or nothing, in any field */
static bool
is_blank(char **fields, int nfields)
{
	for (int i = 0; i < nfields; i++)
	{
		if (fields[i] != NULL &&
			(fields[i][0] == '\0' || strspn(fields[i], " \t") < strlen(fields[i])))
			return false;
	}
	return true;
}

/*
 * Whether these are names of the columns, each once, in any order and letter
 * case, and none of those missing that are needed.  If so, that is how the
 * rows of the file are from now on.
 */
static bool
is_header(CsvFile *file, char **fields, int nfields)
{
	const CsvColumns *columns = file->columns;
	int			places[MAX_CSV_COLUMNS];
	int			known = 0;
	int			needed = 0;

	while (nfields > 0 && fields[nfields - 1] == NULL)
		nfields--;
	for (int i = 0; i < columns->n; i++)
	{
		places[i] = place_of(columns->names[i], fields, nfields);
		known += places[i] >= 0;
		needed += places[i] >= 0 && i < columns->needed;
	}
	if (known < nfields || needed < columns->needed)
	{
		if (columns->needed < columns->n && needed > 0)
			refuse_header(columns, fields, nfields);
		return false;
	}
	memcpy(file->places, places, sizeof(places));
	file->least = file->most = nfields;
	return true;
}

/* At which place a name is, the last one if it is there twice; or -1. */
static int
place_of(const char *name, char **fields, int nfields)
{
	int			place = -1;

	for (int i = 0; i < nfields; i++)
	{
		if (fields[i] != NULL && pg_strcasecmp(fields[i], name) == 0)
			place = i;
	}
	return place;
}

/*
 * Raises 22P04 for a header that has a name that is not known, or one twice,
 * or that lacks one.
 */
static void
refuse_header(const CsvColumns *columns, char **fields, int nfields)
{
	StringInfoData names;
	const char *problem = NULL;

	initStringInfo(&names);
	for (int i = 0; i < columns->n; i++)
	{
		int			place = place_of(columns->names[i], fields, nfields);

		appendStringInfo(&names, "%s%s", i > 0 ? ", " : "",
						 columns->names[i]);
		if (place < 0 && i < columns->needed)
			problem = psprintf("it lacks column \"%s\"", columns->names[i]);
		if (place >= 0 &&
			place_of(columns->names[i], fields, place) >= 0)
			problem = psprintf("it has column \"%s\" twice",
							   columns->names[i]);
	}
	for (int i = 0; i < nfields && problem == NULL; i++)
	{
		bool		known = false;

		for (int j = 0; j < columns->n; j++)
			known |= place_of(columns->names[j], fields + i, 1) == 0;
		if (!known)
			problem = psprintf("column \"%s\" is not known",
							   awspool_printable(fields[i] != NULL ?
												 fields[i] : ""));
	}
	ereport(ERROR,
			(errcode(ERRCODE_BAD_COPY_FILE_FORMAT),
			 errmsg("invalid header: %s", problem),
			 errhint("The columns are %s; the first %d are needed.",
					 names.data, columns->needed)));
}
