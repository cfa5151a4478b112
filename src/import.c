/*-------------------------------------------------------------------------
 *
 * import.c
 *	  Stock from a file: import_csv, check_csv and the view awspool.import.
 *
 * A file that an application holds as a value is read by csv.c.  Its rows are
 * judged twice.  First each by itself, while they are read, into a
 * tuplestore; then all of them against each other and against the pool, by one
 * statement that has that tuplestore as a table, so that the executor does the
 * sorting, joining and spilling.  check_csv stops there; import_csv stores
 * what was judged "added", in file order.  If another session stores one of
 * the ids between the judgement and the storing, the import fails as a whole
 * and says so.
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

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "executor/tstoreReceiver.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/queryenvironment.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(awspool_import_csv);
PG_FUNCTION_INFO_V1(awspool_check_csv);
PG_FUNCTION_INFO_V1(awspool_import_begin);
PG_FUNCTION_INFO_V1(awspool_import_row);

/* Columns of the report, and of view awspool.import */
#define Natts_report	6
#define Natts_import	4

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
	(void) awspool_trigger_data(fcinfo, "import", BEFORE_STATEMENT, ON_INSERT);
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
												 INSTEAD_OF_ROW,
												 ON_INSERT);
	HeapTuple	tuple = trigdata->tg_trigtuple;
	TupleDesc	desc = RelationGetDescr(trigdata->tg_relation);
	char	   *fields[Natts_import];
	char	   *provider;
	NewAccount	account;
	StoreOutcome outcome;
	HeapTuple	row;
	Existing	existing;

	for (int i = 0; i < Natts_import; i++)
	{
		bool		isnull;
		Datum		value = heap_getattr(tuple, i + 1, desc, &isnull);

		fields[i] = isnull ? NULL : TextDatumGetCString(value);
	}
	if (import_passed_over == NULL)
		begin_import();			/* somebody took import_begin away */
	provider = fields[0] != NULL ? fields[0] : awspool_default_provider();
	awspool_check_field(FIELD_PROVIDER, provider);
	awspool_check_provider(provider);

	account.account_id = fields[1];
	account.marketplace = fields[2];
	account.model = fields[3];
	awspool_check_new_account(&account);

	outcome = awspool_store(provider, &account, &row, &existing);
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

	file = awspool_read_csv(PG_GETARG_TEXT_PP(1), &desc, &rows);

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

	/* The queries have read the report; now the caller will. */
	tuplestore_select_read_pointer(rsinfo->setResult, 0);
	return (Datum) 0;
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
