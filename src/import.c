/*-------------------------------------------------------------------------
 *
 * import.c
 *	  Stock from a file: import_csv, check_csv and the view awspool.import.
 *
 * A file that an application holds as a value is read by COPY's own CSV
 * reader.  COPY knows one separator and one kind of line end per file; people
 * and spreadsheets mix them.  So the reader gets the bytes through a source
 * that, outside quotes, writes every comma as a semicolon and every CRLF as
 * LF.  Outside quotes is where an even number of quotes came before: a quote
 * within quotes is written twice, so it does not change the parity.  The
 * source also decides what a line "\." is, which differs between servers: the
 * end of the data, after which nothing may follow.
 *
 * The rows are judged twice.  First each by itself, while they are read, into
 * a tuplestore; then all of them against each other and against the pool, by
 * one statement that has that tuplestore as a table, so that the executor
 * does the sorting, joining and spilling.  check_csv stops there; import_csv
 * stores what was judged "added", in file order.  If another session stores
 * one of the ids between the judgement and the storing, the import fails as a
 * whole and says so.
 *
 * A file that is too large to be a value streams through COPY into the view
 * awspool.import.  COPY knows the line, so each row is judged and stored when
 * it comes, and the first bad one ends the import.  An id that comes twice in
 * the file meets itself: in the table, if it was added, where this transaction
 * has it at a position that was drawn after the statement began; otherwise
 * among the accounts that were passed over, because they were there already.
 *
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/copy.h"
#include "commands/copyfrom_internal.h"
#include "commands/defrem.h"
#include "commands/sequence.h"
#include "executor/tstoreReceiver.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/queryenvironment.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(awspool_import_csv);
PG_FUNCTION_INFO_V1(awspool_check_csv);
PG_FUNCTION_INFO_V1(awspool_import_begin);
PG_FUNCTION_INFO_V1(awspool_import_row);

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

/* Columns of the rows as read: "problem" is NULL if a row is well-formed. */
enum FileColumn
{
	Anum_file_line = 1,
	Anum_file_account_id,
	Anum_file_marketplace,
	Anum_file_model,
	Anum_file_problem,
};

#define Natts_file		Anum_file_problem
#define Natts_report	6

/* What became of the rows. */
typedef struct Tally
{
	int64		added;
	int64		rejected;
	char	   *first_rejected; /* the first ten, a line each */
} Tally;

/*
 * The statement that is inserting into awspool.import: the position after
 * which its rows are, and the accounts that it passed over, by position, since
 * accounts that were stored together have positions close together.
 */
static int64 import_began_at;
static HTAB *import_passed_over;

/* A stretch of positions, one bit each. */
#define STRETCH		512

typedef struct Stretch
{
	int64		number;
	uint8		passed_over[STRETCH / 8];
} Stretch;

static Datum import(FunctionCallInfo fcinfo, bool store, bool skip_rejected);
static Tuplestorestate *read_file(text *csv, TupleDesc *desc, int64 *rows);
static TupleDesc describe_file(void);
static CopyFromState begin_reading(Relation rel);
static int	read_source(void *buffer, int minread, int maxread);
static bool end_of_data(CsvSource *source);
static bool is_blank(char **fields, int nfields);
static bool is_header(char **fields, int nfields, int *columns);
static void put_row(Tuplestorestate *file, TupleDesc desc, uint64 line,
					char **fields, int nfields, const int *columns);
static void judge(const char *provider, bool may_act_for_all,
				  ReturnSetInfo *rsinfo);
static void name_rows(const char *name, TupleDesc desc, Tuplestorestate *rows,
					  double count);
static Tally count_outcomes(void);
static void refuse_rejected(const Tally *tally, int64 rows);
static void store_added(const char *provider, const char *actor,
						const Tally *tally);
static void begin_import(void);
static void end_import(void *arg);
static void pass_over(StoreOutcome outcome, const NewAccount *account,
					  const Existing *existing);
static bool was_passed_over(int64 position);

/*
 * awspool.import_csv(provider, csv, skip_rejected)
 *
 * Stores the accounts of a file and reports on each row.  Raises WS006, and
 * stores nothing, if a row was rejected, unless those are to be skipped.
 */
Datum
awspool_import_csv(PG_FUNCTION_ARGS)
{
	return import(fcinfo, true, !PG_ARGISNULL(2) && PG_GETARG_BOOL(2));
}

/*
 * awspool.check_csv(provider, csv)
 *
 * The report that import_csv would give now.
 */
Datum
awspool_check_csv(PG_FUNCTION_ARGS)
{
	return import(fcinfo, false, true);
}

/*
 * Trigger of awspool.import: before a statement that inserts.
 */
Datum
awspool_import_begin(PG_FUNCTION_ARGS)
{
	(void) awspool_trigger_data(fcinfo, "import", TRIGGER_EVENT_BEFORE,
								1 << TRIGGER_EVENT_INSERT);
	begin_import();
	return PointerGetDatum(NULL);
}

/*
 * Trigger of awspool.import: instead of inserting a row.  A row that is there
 * already with the same values is passed over.
 */
Datum
awspool_import_row(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = awspool_trigger_data(fcinfo, "import",
												 TRIGGER_EVENT_INSTEAD | TRIGGER_EVENT_ROW,
												 1 << TRIGGER_EVENT_INSERT);
	HeapTuple	tuple = trigdata->tg_trigtuple;
	TupleDesc	desc = RelationGetDescr(trigdata->tg_relation);
	char	   *fields[FILE_FIELDS + 1];
	NewAccount	account;
	StoreOutcome outcome;
	HeapTuple	row;
	Existing	existing;

	for (int i = 0; i <= FILE_FIELDS; i++)
	{
		bool		isnull;
		Datum		value = heap_getattr(tuple, i + 1, desc, &isnull);

		fields[i] = isnull ? NULL : TextDatumGetCString(value);
	}
	if (import_passed_over == NULL)
		begin_import();			/* somebody took import_begin away */
	if (fields[0] == NULL)
		fields[0] = awspool_default_provider();
	awspool_check_field(FIELD_PROVIDER, fields[0]);
	awspool_check_provider(fields[0]);

	account.account_id = fields[1 + FILE_ACCOUNT_ID];
	account.marketplace = fields[1 + FILE_MARKETPLACE];
	account.model = fields[1 + FILE_MODEL];
	awspool_check_new_account(&account);

	outcome = awspool_store(fields[0], &account, &row, &existing);
	if (outcome == STORE_ADDED)
		return PointerGetDatum(tuple);
	pass_over(outcome, &account, &existing);
	return PointerGetDatum(NULL);
}

/*
 * The body of import_csv and check_csv.
 */
static Datum
import(FunctionCallInfo fcinfo, bool store, bool skip_rejected)
{
	char	   *provider = awspool_provider_argument(fcinfo);
	bool		may_act_for_all = awspool_acts_for_all();
	char	   *actor = GetUserNameFromId(GetUserId(), false);
	ReturnSetInfo *rsinfo;
	TupleDesc	desc;
	Tuplestorestate *file;
	int64		rows;
	Tally		tally;
	Caller		caller;

	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("csv must not be null")));
	rsinfo = awspool_begin_rows(fcinfo, Natts_report);
	if (store)
		awspool_begin_writing();

	file = read_file(PG_GETARG_TEXT_PP(1), &desc, &rows);

	awspool_begin_queries(&caller);
	name_rows("awspool_file", desc, file, rows);
	name_rows("awspool_report", rsinfo->setDesc, rsinfo->setResult, rows);
	judge(provider, may_act_for_all, rsinfo);
	if (store)
	{
		tally = count_outcomes();
		if (tally.rejected > 0 && !skip_rejected)
			refuse_rejected(&tally, rows);
		store_added(provider, actor, &tally);
	}
	awspool_end_queries(&caller);
	tuplestore_end(file);
	return (Datum) 0;
}

/*
 * Reads a file into a tuplestore of well-formed and other rows.  Raises 22P04
 * if it cannot be read.
 */
static Tuplestorestate *
read_file(text *csv, TupleDesc *desc, int64 *rows)
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

/*
 * Makes rows known to the statements that follow under a name.
 */
static void
name_rows(const char *name, TupleDesc desc, Tuplestorestate *rows,
		  double count)
{
	EphemeralNamedRelation enr = palloc0(sizeof(EphemeralNamedRelationData));

	enr->md.name = pstrdup(name);
	enr->md.reliddesc = InvalidOid;
	enr->md.tupdesc = desc;
	enr->md.enrtype = ENR_NAMED_TUPLESTORE;
	enr->md.enrtuples = count;
	enr->reldata = rows;
	if (SPI_register_relation(enr) != SPI_OK_REL_REGISTER)
		elog(ERROR, "could not register %s", name);
}

/*
 * Writes the report: what the pool, and the rest of the file, say to each row.
 */
static void
judge(const char *provider, bool may_act_for_all, ReturnSetInfo *rsinfo)
{
	static const char *const statement =
		"SELECT f.line, f.account_id, f.marketplace, f.model, v.outcome, v.detail"
		" FROM (SELECT *, pg_catalog.min(line) FILTER (WHERE problem IS NULL)"
		"         OVER (PARTITION BY account_id COLLATE \"C\") AS first_line"
		"       FROM awspool_file) f"
		" LEFT JOIN awspool.account a"
		"   ON a.account_id = f.account_id AND f.problem IS NULL"
		" LEFT JOIN awspool.account_log l"
		"   ON l.account_id = f.account_id AND l.used AND f.problem IS NULL"
		" CROSS JOIN LATERAL (SELECT"
		"   CASE WHEN f.problem IS NOT NULL"
		"        THEN f.problem"
		"        WHEN f.line > f.first_line"
		"        THEN pg_catalog.format('account id \"%s\" is on line %s already', f.account_id, f.first_line)"
		"        WHEN a.provider <> $1 OR (l.provider <> $1 AND NOT $2)"
		"        THEN pg_catalog.format('account id \"%s\" is taken', f.account_id)"
		"        WHEN l.used"
		"        THEN pg_catalog.format('account \"%s\" was used before and cannot be added again', f.account_id)"
		"        WHEN a.marketplace <> f.marketplace OR a.model <> f.model"
		"        THEN pg_catalog.format('account \"%s\" is in the pool already, as %s, %s', f.account_id, a.marketplace, a.model)"
		"   END AS problem) p"
		" CROSS JOIN LATERAL (SELECT"
		"   CASE WHEN p.problem IS NOT NULL THEN 'rejected'"
		"        WHEN a.account_id IS NOT NULL THEN 'present'"
		"        ELSE 'added' END AS outcome,"
		"   CASE WHEN p.problem IS NOT NULL THEN p.problem"
		"        WHEN a.status <> 'ready' THEN pg_catalog.format('it is %s', a.status)"
		"   END AS detail) v"
		" ORDER BY f.line";
	SPIExecuteOptions options = {0};
	ParamListInfo params = makeParamList(2);

	params->params[0].value = CStringGetTextDatum(provider);
	params->params[0].isnull = false;
	params->params[0].ptype = TEXTOID;
	params->params[0].pflags = PARAM_FLAG_CONST;
	params->params[1].value = BoolGetDatum(may_act_for_all);
	params->params[1].isnull = false;
	params->params[1].ptype = BOOLOID;
	params->params[1].pflags = PARAM_FLAG_CONST;

	options.params = params;
	options.dest = CreateDestReceiver(DestTuplestore);
	SetTuplestoreDestReceiverParams(options.dest, rsinfo->setResult,
									rsinfo->econtext->ecxt_per_query_memory,
									false, NULL, NULL);
	SPI_execute_extended(statement, &options);
}

static Tally
count_outcomes(void)
{
	Tally		tally = {0};
	bool		isnull;

	SPI_execute("SELECT pg_catalog.count(*) FILTER (WHERE outcome = 'added'),"
				" pg_catalog.count(*) FILTER (WHERE outcome = 'rejected'),"
				" pg_catalog.string_agg("
				"  pg_catalog.format('line %s: %s', line, detail), E'\\n'"
				"  ORDER BY line) FILTER (WHERE rejection <= 10)"
				" FROM (SELECT *, CASE WHEN outcome = 'rejected' THEN"
				"  pg_catalog.count(*) FILTER (WHERE outcome = 'rejected')"
				"  OVER (ORDER BY line) END AS rejection"
				"  FROM awspool_report) r", true, 0);
	tally.added = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0],
											  SPI_tuptable->tupdesc, 1,
											  &isnull));
	tally.rejected = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0],
												 SPI_tuptable->tupdesc, 2,
												 &isnull));
	tally.first_rejected = SPI_getvalue(SPI_tuptable->vals[0],
										SPI_tuptable->tupdesc, 3);
	return tally;
}

static void
refuse_rejected(const Tally *tally, int64 rows)
{
	ereport(ERROR,
			(errcode(ERRCODE_AWSPOOL_REJECTED_ROWS),
			 errmsg("%lld of %lld rows rejected, nothing imported",
					(long long) tally->rejected, (long long) rows),
			 errdetail("%s", tally->first_rejected),
			 errhint("Correct the file, or import the other rows with skip_rejected => true. awspool.check_csv() shows all rejected rows.")));
}

/*
 * Stores the rows that were judged "added", in the order of the file.
 */
static void
store_added(const char *provider, const char *actor, const Tally *tally)
{
	Oid			argtypes[] = {TEXTOID, TEXTOID};
	Datum		values[] = {CStringGetTextDatum(provider),
	CStringGetTextDatum(actor)};

	awspool_begin_storing();
	SPI_execute_with_args("INSERT INTO awspool.account"
						  " (provider, account_id, marketplace, model, added_by)"
						  " SELECT $1, r.account_id, r.marketplace, r.model, $2"
						  " FROM awspool_report r WHERE r.outcome = 'added'"
						  " ORDER BY r.line"
						  " ON CONFLICT (account_id) DO NOTHING",
						  2, argtypes, values, NULL, false, 0);
	awspool_end_storing();
	if (SPI_processed != (uint64) tally->added)
		ereport(ERROR,
				(errcode(ERRCODE_UNIQUE_VIOLATION),
				 errmsg("another session has just stored accounts of this file"),
				 errdetail("Nothing was imported."),
				 errhint("Import the file again.")));
}

/*
 * Remembers where a statement that inserts into awspool.import begins.
 */
static void
begin_import(void)
{
	HASHCTL		info = {
		.keysize = sizeof(int64),
		.entrysize = sizeof(Stretch),
		.hcxt = TopTransactionContext
	};

	MemoryContextCallback *callback =
		MemoryContextAllocZero(TopTransactionContext, sizeof(*callback));

	import_began_at = nextval_internal(awspool_relation("account_position"),
									   false);
	import_passed_over = hash_create("awspool accounts passed over", 256,
									 &info,
									 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	callback->func = end_import;
	MemoryContextRegisterResetCallback(TopTransactionContext, callback);
}

/* With the transaction the memory is gone. */
static void
end_import(void *arg)
{
	import_passed_over = NULL;
}

/*
 * Passes over a row of COPY that was there before the statement with the same
 * values; raises the error for any other that could not be stored.
 */
static void
pass_over(StoreOutcome outcome, const NewAccount *account,
		  const Existing *existing)
{
	if (outcome != STORE_PRESENT && outcome != STORE_DIFFERENT)
		awspool_refuse_stored(outcome, account);

	if ((existing->is_ours && existing->position > import_began_at) ||
		was_passed_over(existing->position))
		ereport(ERROR,
				(errcode(ERRCODE_UNIQUE_VIOLATION),
				 errmsg("account id \"%s\" is in the file twice",
						account->account_id)));
	if (outcome == STORE_DIFFERENT)
		awspool_refuse_stored(outcome, account);
}

/*
 * Whether the account at a position was passed over before; notes that it is
 * now.
 */
static bool
was_passed_over(int64 position)
{
	int			place = position & (STRETCH - 1);
	int64		number = position - place;
	bool		found;
	bool		before;
	Stretch    *stretch = hash_search(import_passed_over, &number, HASH_ENTER,
									  &found);

	if (!found)
		memset(stretch->passed_over, 0, sizeof(stretch->passed_over));
	before = stretch->passed_over[place / 8] & (1 << place % 8);
	stretch->passed_over[place / 8] |= 1 << place % 8;
	return before;
}
