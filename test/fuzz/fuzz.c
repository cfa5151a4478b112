/*-------------------------------------------------------------------------
 *
 * fuzz.c
 *	  Is there a file that import does not bear?
 *
 * fuzz() hands the session to libFuzzer, which makes up files and keeps those
 * that reach code no other one reached.  Each of them is checked, imported in
 * every way, and rolled back.  A finding is a crash, a failed assertion, what
 * the sanitizers complain of, and what this file does not expect: an error
 * that is not documented, a warning (the server warns of what was left open),
 * memory that is not given back, two ways that disagree about a file.
 *
 * What a file's rows are is decided here a second time, by find_records(), in
 * another way than csv.c and COPY's reader do it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "storage/fd.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(fuzz);

/* After so many files the pool is made anew, without the dead rows. */
#define FILES_PER_POOL	500

/* Memory may grow so long, and then by so much: the caches fill up. */
#define FILES_TO_WARM_UP	2000
#define MAX_GROWTH		(8 * 1024 * 1024)

#define MAX_ARGUMENTS	50

typedef enum Statement
{
	CHECK,
	IMPORT,
	IMPORT_SKIPPING,
	COPY_IN,
	COUNT,
	RENEW_POOL,
	STATEMENTS
} Statement;

#define REPORT \
	"SELECT line, account_id, marketplace, model, outcome, detail FROM "
#define COLUMN_LIST	"(account_id, marketplace_id, account_model)"

static const char *const sql[STATEMENTS] = {
	[CHECK] = REPORT "awspool.check_csv('acme', $1)",
	[IMPORT] = REPORT "awspool.import_csv('acme', $1)",
	[IMPORT_SKIPPING] = REPORT "awspool.import_csv('acme', $1, true)",
	[COPY_IN] = "COPY awspool.import " COLUMN_LIST
	" FROM 'fuzz.csv' (FORMAT csv, DELIMITER ';')",
	[COUNT] = "SELECT count(*) FROM awspool.accounts",
	[RENEW_POOL] = "SELECT renew_pool()",
};

static SPIPlanPtr plans[STATEMENTS];

enum Column
{
	LINE, ACCOUNT_ID, MARKETPLACE, MODEL, OUTCOME, DETAIL, COLUMNS
};

typedef char *Row[COLUMNS];

/* What a statement answers: rows, or an error. */
typedef struct Answer
{
	ErrorData  *error;			/* NULL if there was none */
	int			n;
	Row		   *rows;
} Answer;

/* A row of a file, as it stands there. */
typedef struct Record
{
	const char *start;
	int64		line;
	char	   *text;			/* without quotes */
	bool		is_blank;		/* nothing but spaces and separators ... */
	bool		has_quotes;		/* ... and these */
} Record;

typedef struct Expected
{
	Record	   *records;
	int			n;
	bool		has_end_mark;	/* a line "\." */
	const char *fault;			/* why it cannot be read; NULL if it can */
} Expected;

/* The compiler has no header for this one. */
typedef int (*Callback) (const uint8_t *data, size_t size);
extern int	LLVMFuzzerRunDriver(int *argc, char ***argv, Callback callback);

static int	try_file(const uint8_t *data, size_t size);
static void renew_pool(void);
static void try_check(Datum csv, const Expected *expected, Answer *check);
static void try_import(Datum csv, const Answer *check);
static void try_copy(const uint8_t *data, size_t size,
					 const Expected *expected, const Answer *check);
static void execute(Statement statement, Datum csv, Answer *answer);
static void keep_rows(Answer *answer);
static int64 count_accounts(void);
static void write_file(const uint8_t *data, size_t size);
static Expected find_records(const char *p, const char *end);
static const char *skip_preamble(const char *p, const char *end);
static bool is_end_mark(const char *p, const char *end);
static const char *find_end(Record *record, const char *end);
static char *without_quotes(const char *p, const char *end);
static void expect_error(const Answer *answer, const char *const *sqlstates);
static void expect_records(const Answer *check, const Expected *expected);
static void expect_row(const Row row, const Record *record);
static bool is_header(const Record *record);
static void expect_same(const Answer *check, const Answer *other, bool again);
static int	count_outcome(const Answer *answer, const char *outcome);
static void watch_memory(void);
static void heed_warning(ErrorData *error);
static void finding(const char *format,...) pg_attribute_noreturn();

/* The codes that doc/awspool.md has for a file. */
static const char *const unreadable[] = {"22P04", NULL};
static const char *const rejected[] = {"WS006", NULL};
static const char *const not_copied[] = {
	"22P04", "22023", "23505", "WS005", NULL
};

static MemoryContext file_context;
static int64 pool_size;
static int64 files_tried = 0;

/*
 * fuzz(arguments)
 *
 * Runs libFuzzer with these arguments, separated by spaces.  Does not return
 * if it is told to make up files; the session ends when its time is over.
 */
Datum
fuzz(PG_FUNCTION_ARGS)
{
	char	   *arguments = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *argv_array[MAX_ARGUMENTS + 1] = {"fuzz"};
	char	  **argv = argv_array;
	int			argc = 1;
	Oid			type = TEXTOID;

	for (char *word = strtok(arguments, " ");
		 word != NULL && argc < MAX_ARGUMENTS; word = strtok(NULL, " "))
		argv[argc++] = word;

	file_context = AllocSetContextCreate(TopMemoryContext, "fuzz",
										 ALLOCSET_DEFAULT_SIZES);
	SPI_connect_ext(SPI_OPT_NONATOMIC);
	for (int i = 0; i < STATEMENTS; i++)
	{
		plans[i] = SPI_prepare(sql[i], strstr(sql[i], "$1") != NULL, &type);
		SPI_keepplan(plans[i]);
	}
	emit_log_hook = heed_warning;

	LLVMFuzzerRunDriver(&argc, &argv, try_file);

	emit_log_hook = NULL;
	SPI_finish();
	PG_RETURN_VOID();
}

/*
 * libFuzzer's callback: one file.  Each way of using it has a transaction of
 * its own.  Bytes that no text can hold are refused before awspool sees them.
 */
static int
try_file(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *) data;
	Expected	expected;
	Answer		check;
	Datum		csv;

	if (!pg_verify_mbstr(GetDatabaseEncoding(), bytes, size, true))
		return 0;

	MemoryContextSwitchTo(file_context);
	if (files_tried++ % FILES_PER_POOL == 0)
		renew_pool();
	csv = PointerGetDatum(cstring_to_text_with_len(bytes, size));
	expected = find_records(bytes, bytes + size);

	try_check(csv, &expected, &check);
	try_import(csv, &check);
	try_copy(data, size, &expected, &check);

	MemoryContextReset(file_context);
	watch_memory();
	return 0;
}

static void
renew_pool(void)
{
	Answer		answer;

	execute(RENEW_POOL, (Datum) 0, &answer);
	if (answer.error != NULL)
		finding("cannot renew the pool: %s", answer.error->message);
	pool_size = count_accounts();
	SPI_commit();
}

/* Leaves in "check" what all other ways are measured by. */
static void
try_check(Datum csv, const Expected *expected, Answer *check)
{
	execute(CHECK, csv, check);
	if (TransactionIdIsValid(GetTopTransactionIdIfAny()))
		finding("check_csv has written something");
	SPI_commit();

	if (expected->fault == NULL)
		expect_records(check, expected);
	else if (check->error == NULL)
		finding("read, but %s", expected->fault);
	else
		expect_error(check, unreadable);
}

static void
try_import(Datum csv, const Answer *check)
{
	Answer		answer;

	execute(IMPORT, csv, &answer);
	if (check->error != NULL)
		expect_error(&answer, unreadable);
	else if (count_outcome(check, "rejected") > 0)
		expect_error(&answer, rejected);
	else
		expect_same(check, &answer, false);
	SPI_rollback();

	execute(IMPORT_SKIPPING, csv, &answer);
	if (check->error != NULL)
		expect_error(&answer, unreadable);
	else
	{
		expect_same(check, &answer, false);
		execute(IMPORT_SKIPPING, csv, &answer);
		expect_same(check, &answer, true);
		if (count_accounts() != pool_size + count_outcome(check, "added"))
			finding("not as many stored as added");
	}
	SPI_rollback();
}

/* COPY knows less, and servers before 18 stop at an end mark. */
static void
try_copy(const uint8_t *data, size_t size, const Expected *expected,
		 const Answer *check)
{
	Answer		answer;

	write_file(data, size);
	execute(COPY_IN, (Datum) 0, &answer);
	if (answer.error != NULL)
		expect_error(&answer, not_copied);
	else if (!expected->has_end_mark)
	{
		if (check->error != NULL || count_outcome(check, "rejected") > 0)
			finding("COPY has taken a file that import_csv refuses");
		if (count_accounts() != pool_size + count_outcome(check, "added"))
			finding("COPY has not stored what import_csv adds");
	}
	SPI_rollback();
}

/*
 * Runs a statement in a subtransaction.  The answer is in file_context.
 */
static void
execute(Statement statement, Datum csv, Answer *answer)
{
	ResourceOwner caller_owner = CurrentResourceOwner;

	memset(answer, 0, sizeof(Answer));
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(file_context);
	PG_TRY();
	{
		int			code = SPI_execute_plan(plans[statement], &csv, NULL,
											false, 0);

		MemoryContextSwitchTo(file_context);	/* SPI has changed it */
		if (code < 0)
			finding("SPI_execute_plan: %s", SPI_result_code_string(code));
		if (SPI_tuptable != NULL)
			keep_rows(answer);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(file_context);
		answer->error = CopyErrorData();
		answer->n = 0;
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(file_context);
	CurrentResourceOwner = caller_owner;
}

static void
keep_rows(Answer *answer)
{
	TupleDesc	desc = SPI_tuptable->tupdesc;

	answer->n = SPI_processed;
	answer->rows = palloc0(answer->n * sizeof(Row));
	for (int i = 0; i < answer->n; i++)
	{
		for (int j = 0; j < desc->natts; j++)
			answer->rows[i][j] = SPI_getvalue(SPI_tuptable->vals[i], desc,
											  j + 1);
	}
	SPI_freetuptable(SPI_tuptable);
}

static int64
count_accounts(void)
{
	Answer		answer;

	execute(COUNT, (Datum) 0, &answer);
	if (answer.error != NULL)
		finding("cannot count: %s", answer.error->message);
	return strtoll(answer.rows[0][0], NULL, 10);
}

/* Where COPY_IN finds it: a server works in its data directory. */
static void
write_file(const uint8_t *data, size_t size)
{
	FILE	   *file = AllocateFile("fuzz.csv", PG_BINARY_W);

	if (file == NULL || fwrite(data, 1, size, file) != size ||
		FreeFile(file) != 0)
		finding("cannot write fuzz.csv: %m");
}

/*
 * The rows of a file, as doc/awspool.md has them: a row ends with the first
 * line end that is not in quotes.  Lines are counted by LF, or by CR if that
 * is how the rows of the file end.
 */
static Expected
find_records(const char *p, const char *end)
{
	Expected	expected = {.records = palloc((end - p + 1) * sizeof(Record))};
	const char *start;
	bool		ends_in_cr = false;
	bool		ends_in_lf = false;
	bool		ends_in_crlf = false;

	p = skip_preamble(p, end);
	start = p;
	while (p < end)
	{
		if (is_end_mark(p, end))
		{
			expected.has_end_mark = true;
			for (p += 2; p < end && (*p == '\n' || *p == '\r');)
				p++;
			if (p < end)
				expected.fault = "more follows the end mark";
			break;
		}

		expected.records[expected.n].start = p;
		p = find_end(&expected.records[expected.n++], end);
		if (p == NULL)
		{
			expected.fault = "a quote does not end";
			break;
		}
		if (p == end)
			break;
		if (end - p > 1 && p[0] == '\r' && p[1] == '\n')
		{
			p++;
			ends_in_crlf = true;
		}
		ends_in_lf |= *p == '\n';

		/* At the very end it may be what a shell has left of CRLF. */
		ends_in_cr |= *p == '\r' && !(ends_in_crlf && p + 1 == end);
		p++;
	}

	if (ends_in_cr && ends_in_lf)
		expected.fault = "line ends are mixed";
	for (int i = 0; i < expected.n; i++)
	{
		Record	   *record = &expected.records[i];

		record->line = 1;
		for (p = start; p < record->start; p++)
			record->line += *p == (ends_in_cr ? '\r' : '\n');
	}
	return expected;
}

/*
 * Where the rows begin: after a byte order mark, perhaps one that was read as
 * LATIN1, and a line that names the separator, but for its end.
 */
static const char *
skip_preamble(const char *p, const char *end)
{
	static const char *const lines[] = {
		"sep=;", "sep=,", "\"sep=;\"", "\"sep=,\""
	};

	if (end - p >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0)
		p += 3;
	else if (GetDatabaseEncoding() == PG_UTF8 && end - p >= 6 &&
			 memcmp(p, "\xC3\xAF\xC2\xBB\xC2\xBF", 6) == 0)
		p += 6;

	for (int i = 0; i < lengthof(lines); i++)
	{
		int			len = strlen(lines[i]);

		if (end - p >= len && pg_strncasecmp(p, lines[i], len) == 0 &&
			(end - p == len || p[len] == '\n' || p[len] == '\r'))
			return p + len;
	}
	return p;
}

static bool
is_end_mark(const char *p, const char *end)
{
	return end - p >= 2 && p[0] == '\\' && p[1] == '.' &&
		(end - p == 2 || p[2] == '\n' || p[2] == '\r');
}

/* Where a row ends; NULL if that is in quotes. */
static const char *
find_end(Record *record, const char *end)
{
	const char *p = record->start;
	bool		in_quotes = false;

	record->is_blank = true;
	record->has_quotes = false;
	for (; p < end && (in_quotes || (*p != '\n' && *p != '\r')); p++)
	{
		if (*p == '"')
		{
			in_quotes = !in_quotes;
			record->has_quotes = true;
		}
		else if (strchr(in_quotes ? " \t" : " \t;,", *p) == NULL)
			record->is_blank = false;
	}
	record->text = without_quotes(record->start, p);
	return in_quotes ? NULL : p;
}

static char *
without_quotes(const char *p, const char *end)
{
	char	   *text = palloc(end - p + 1);
	char	   *out = text;

	for (; p < end; p++)
	{
		if (*p != '"')
			*out++ = *p;
	}
	*out = '\0';
	return text;
}

static void
expect_error(const Answer *answer, const char *const *sqlstates)
{
	const char *sqlstate;

	if (answer->error == NULL)
		finding("no error, but %s was expected", sqlstates[0]);
	sqlstate = unpack_sql_state(answer->error->sqlerrcode);
	for (; *sqlstates != NULL; sqlstates++)
	{
		if (strcmp(sqlstate, *sqlstates) == 0)
			return;
	}
	finding("error %s: %s", sqlstate, answer->error->message);
}

/*
 * Each row of the file is in the report, with its line, and nothing else.  A
 * blank one is not; one that has quotes but nothing in them may be.
 */
static void
expect_records(const Answer *check, const Expected *expected)
{
	bool		may_be_header = true;
	int			n = 0;

	if (check->error != NULL)
		finding("error %s: %s", unpack_sql_state(check->error->sqlerrcode),
				check->error->message);

	for (int i = 0; i < expected->n; i++)
	{
		const Record *record = &expected->records[i];
		bool		reported = n < check->n &&
			strtoll(check->rows[n][LINE], NULL, 10) == record->line;

		if (reported && record->is_blank && !record->has_quotes)
			finding("blank line " INT64_FORMAT " reported", record->line);
		if (reported)
			expect_row(check->rows[n++], record);
		else if (!record->is_blank && !(may_be_header && is_header(record)))
			finding("line " INT64_FORMAT " not reported", record->line);
		if (reported || !record->is_blank)
			may_be_header = false;
	}
	if (n < check->n)
		finding("line %s reported, which is no row", check->rows[n][LINE]);
}

/*
 * A row that is not rejected has values of the right form, and has them from
 * its own line.
 */
static void
expect_row(const Row row, const Record *record)
{
	const char *id = row[ACCOUNT_ID];
	const char *marketplace = row[MARKETPLACE];
	const char *model = row[MODEL];

	if (strcmp(row[OUTCOME], "rejected") == 0)
	{
		if (row[DETAIL] == NULL)
			finding("line %s rejected without a reason", row[LINE]);
		return;
	}
	if (strcmp(row[OUTCOME], "added") != 0 &&
		strcmp(row[OUTCOME], "present") != 0)
		finding("outcome %s", row[OUTCOME]);
	if (id == NULL || strlen(id) != 12 || strspn(id, "0123456789") != 12)
		finding("line %s has a bad account id", row[LINE]);
	if (marketplace == NULL || strlen(marketplace) < 7 ||
		strlen(marketplace) > 64 || strncmp(marketplace, "MP-", 3) != 0 ||
		strspn(marketplace + 3, "0123456789") != strlen(marketplace + 3))
		finding("line %s has a bad marketplace", row[LINE]);
	if (model == NULL ||
		(strcmp(model, "SPAM") != 0 && strcmp(model, "ECAM") != 0))
		finding("line %s has a bad model", row[LINE]);
	if (strstr(record->text, id) == NULL ||
		strstr(record->text, marketplace) == NULL ||
		strstr(record->text, model) == NULL)
		finding("line %s has values of another one", row[LINE]);
}

/* Whether a row has all three names, so that it may be left out. */
static bool
is_header(const Record *record)
{
	char	   *text = pstrdup(record->text);

	for (char *p = text; *p != '\0'; p++)
		*p = pg_ascii_tolower(*p);
	return strstr(text, "account_id") != NULL &&
		strstr(text, "marketplace_id") != NULL &&
		strstr(text, "account_model") != NULL;
}

/*
 * The two reports are the same.  When a file is imported again, what was added
 * is present.
 */
static void
expect_same(const Answer *check, const Answer *other, bool again)
{
	if (other->error != NULL)
		finding("error %s: %s", unpack_sql_state(other->error->sqlerrcode),
				other->error->message);
	if (check->n != other->n)
		finding("%d rows, but %d checked", other->n, check->n);
	for (int i = 0; i < check->n; i++)
	{
		for (int j = 0; j < COLUMNS; j++)
		{
			const char *expected = check->rows[i][j];
			const char *actual = other->rows[i][j];

			if (again && j == OUTCOME && strcmp(expected, "added") == 0)
				expected = "present";
			if (expected == NULL ? actual != NULL :
				actual == NULL || strcmp(expected, actual) != 0)
				finding("line %s: \"%s\" instead of \"%s\"",
						check->rows[i][LINE], actual ? actual : "NULL",
						expected ? expected : "NULL");
		}
	}
}

static int
count_outcome(const Answer *answer, const char *outcome)
{
	int			n = 0;

	for (int i = 0; i < answer->n; i++)
		n += strcmp(answer->rows[i][OUTCOME], outcome) == 0;
	return n;
}

/* The file that is named when memory has grown is one of many that did it. */
static void
watch_memory(void)
{
	static Size limit = 0;
	Size		allocated;

	if (files_tried < FILES_TO_WARM_UP)
		return;
	allocated = MemoryContextMemAllocated(TopMemoryContext, true);
	if (limit == 0)
		limit = allocated + MAX_GROWTH;
	if (allocated > limit)
	{
		MemoryContextStats(TopMemoryContext);
		finding("memory is not given back");
	}
}

static void
heed_warning(ErrorData *error)
{
	if (error->elevel == WARNING)
		finding("warning: %s", error->message);
}

/* Ends the session; libFuzzer writes the file down. */
static void
finding(const char *format,...)
{
	va_list		args;

	fputs("FINDING: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	abort();
}
