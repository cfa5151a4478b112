/*-------------------------------------------------------------------------
 *
 * csv.c
 *	  Reading a CSV file that an application holds as a value.
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
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "commands/copy.h"
#include "commands/copyfrom_internal.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

/* The fields of a row, in the order of the documented header. */
enum FileField
{
	FILE_ACCOUNT_ID,
	FILE_MARKETPLACE,
	FILE_MODEL,
	FILE_FIELDS
};

static const char *const header[FILE_FIELDS] = {
	[FILE_ACCOUNT_ID] = "account_id",
	[FILE_MARKETPLACE] = "marketplace_id",
	[FILE_MODEL] = "account_model",
};

/* The bytes that COPY's reader has still to get. */
typedef struct CsvSource
{
	const char *next;
	const char *end;
	uint64		line;
	bool		line_start;
	bool		in_quotes;
} CsvSource;

/* COPY calls its source without an argument. */
static CsvSource *current_source = NULL;

/* Columns of the rows as read; "problem" is NULL if a row is well-formed. */
enum FileColumn
{
	Anum_file_line = 1,
	Anum_file_account_id,
	Anum_file_marketplace,
	Anum_file_model,
	Anum_file_problem,
};

#define Natts_file		Anum_file_problem

static TupleDesc describe_file(void);
static CopyFromState begin_reading(Relation rel);
static int	read_source(void *buffer, int minread, int maxread);
static bool end_of_data(CsvSource *source);
static bool is_blank(char **fields, int nfields);
static bool is_header(char **fields, int nfields, int *columns);
static void put_row(Tuplestorestate *file, TupleDesc desc, uint64 line,
					char **fields, int nfields, const int *columns);

/*
 * Reads a file into a tuplestore of well-formed and other rows.  Raises 22P04
 * if it cannot be read.
 */
Tuplestorestate *
awspool_read_csv(text *csv, TupleDesc *desc, int64 *rows)
{
	Tuplestorestate *file = tuplestore_begin_heap(true, false, work_mem);
	Relation	rel = table_open(awspool_relation("import"), AccessShareLock);
	MemoryContext row_context = AllocSetContextCreate(CurrentMemoryContext,
													  "awspool file row",
													  ALLOCSET_DEFAULT_SIZES);
	int			columns[FILE_FIELDS] = {
		FILE_ACCOUNT_ID, FILE_MARKETPLACE, FILE_MODEL
	};
	CsvSource	source = {
		.next = VARDATA_ANY(csv),
		.end = VARDATA_ANY(csv) + VARSIZE_ANY_EXHDR(csv),
		.line = 1,
		.line_start = true
	};
	CopyFromState reader = begin_reading(rel);
	ErrorContextCallback context = {
		error_context_stack, CopyFromErrorCallback, reader
	};
	uint64		line = 0;
	bool		first = true;
	char	  **fields;
	int			nfields;

	if (GetDatabaseEncoding() == PG_UTF8 &&
		source.end - source.next >= 3 &&
		memcmp(source.next, "\xEF\xBB\xBF", 3) == 0)
		source.next += 3;

	*desc = describe_file();
	*rows = 0;
	current_source = &source;
	error_context_stack = &context;
	while (NextCopyFromRawFields(reader, &fields, &nfields))
	{
		uint64		row_line = line + 1;
		MemoryContext caller_context;

		CHECK_FOR_INTERRUPTS();
		line = reader->cur_lineno;
		while (nfields > FILE_FIELDS && fields[nfields - 1] == NULL)
			nfields--;			/* trailing separators */
		if (is_blank(fields, nfields))
			continue;
		if (first && is_header(fields, nfields, columns))
		{
			first = false;
			continue;
		}
		first = false;

		caller_context = MemoryContextSwitchTo(row_context);
		put_row(file, *desc, row_line, fields, nfields, columns);
		MemoryContextSwitchTo(caller_context);
		MemoryContextReset(row_context);
		(*rows)++;
	}
	error_context_stack = context.previous;
	EndCopyFrom(reader);
	MemoryContextDelete(row_context);
	table_close(rel, AccessShareLock);
	return file;
}

static TupleDesc
describe_file(void)
{
	TupleDesc	desc = CreateTemplateTupleDesc(Natts_file);

	TupleDescInitEntry(desc, Anum_file_line, "line", INT8OID, -1, 0);
	TupleDescInitEntry(desc, Anum_file_account_id, "account_id",
					   TEXTOID, -1, 0);
	TupleDescInitEntry(desc, Anum_file_marketplace, "marketplace",
					   TEXTOID, -1, 0);
	TupleDescInitEntry(desc, Anum_file_model, "model", TEXTOID, -1, 0);
	TupleDescInitEntry(desc, Anum_file_problem, "problem", TEXTOID, -1, 0);
	return desc;
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
 * Gives COPY's reader some more bytes; none at the end.
 */
static int
read_source(void *buffer, int minread, int maxread)
{
	CsvSource  *source = current_source;
	char	   *out = buffer;
	int			n = 0;

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
			bool		crlf = c == '\r' && source->next < source->end &&
				*source->next == '\n';

			if (crlf && !source->in_quotes)
				continue;
			source->line_start = true;
			if (!crlf)
				source->line++;
		}
		else if (c == ',' && !source->in_quotes)
			c = ';';
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
		ereport(ERROR,
				(errcode(ERRCODE_BAD_COPY_FILE_FORMAT),
				 errmsg("line " UINT64_FORMAT " ends the data, but more follows",
						source->line),
				 errdetail("A line \"\\.\" marks the end of the data.")));
	source->next = source->end;
	return true;
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
 * Whether these are the names of the columns, each once, in any order and
 * letter case.  If so, columns[i] becomes the place of field i.
 */
static bool
is_header(char **fields, int nfields, int *columns)
{
	int			places[FILE_FIELDS];

	if (nfields != FILE_FIELDS)
		return false;
	for (int i = 0; i < FILE_FIELDS; i++)
	{
		places[i] = -1;
		for (int j = 0; j < nfields; j++)
		{
			if (fields[j] != NULL && pg_strcasecmp(fields[j], header[i]) == 0)
				places[i] = j;
		}
		if (places[i] < 0)
			return false;
	}
	memcpy(columns, places, sizeof(places));
	return true;
}

/*
 * Stores one row of the file, and what is wrong with it by itself.
 */
static void
put_row(Tuplestorestate *file, TupleDesc desc, uint64 line,
		char **fields, int nfields, const int *columns)
{
	char	   *row[FILE_FIELDS];
	Datum		values[Natts_file];
	bool		isnull[Natts_file];
	char	   *problem;

	for (int i = 0; i < FILE_FIELDS; i++)
		row[i] = columns[i] < nfields ? fields[columns[i]] : NULL;

	if (nfields == FILE_FIELDS)
	{
		NewAccount	account = {
			row[FILE_ACCOUNT_ID], row[FILE_MARKETPLACE], row[FILE_MODEL]
		};

		problem = awspool_problems(&account);
	}
	else
		problem = psprintf("wrong number of fields: %d instead of %d",
						   nfields, FILE_FIELDS);

	values[Anum_file_line - 1] = Int64GetDatum(line);
	isnull[Anum_file_line - 1] = false;
	for (int i = 0; i < FILE_FIELDS; i++)
	{
		values[Anum_file_account_id - 1 + i] = awspool_text_datum(row[i]);
		isnull[Anum_file_account_id - 1 + i] = (row[i] == NULL);
	}
	values[Anum_file_problem - 1] = awspool_text_datum(problem);
	isnull[Anum_file_problem - 1] = (problem == NULL);
	tuplestore_putvalues(file, desc, values, isnull);
}
