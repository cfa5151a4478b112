/*-------------------------------------------------------------------------
 *
 * import.c
 *	  Stock from a file: import_csv, check_csv and the view awspool.import.
 *
 * Either way the rows of a file are gathered into batches, and stored a batch
 * at a time (batch.c), so that no more than a batch of them is in memory.
 *
 * A file that an application holds as a value is read by csv.c, and each of
 * its rows goes into a report.  Which ids came before, and on which line, is
 * remembered for the whole file, in a hash table whose function begins with a
 * secret: otherwise the ids of a file could be chosen to fall together, which
 * makes the table several times as large.  check_csv looks each batch up where
 * import_csv would store it.  The first rejected row, unless those are to be
 * skipped, decides that nothing is imported; the rest of the file, and its own
 * batch if it is rejected for itself, is only looked up from then on, for the
 * error to tell all there is to tell.
 *
 * A file of any size streams through COPY into the view awspool.import.  Its
 * triggers gather the rows, store each batch that is full, and the rest when
 * the statement ends.  The ids of the whole file are not kept in memory.  One
 * that comes twice meets itself: in the same batch; or in the table, if it was
 * added, where this transaction has stored it by a command that is not older
 * than the statement.  Those that were passed over, because they were there
 * already, are sorted, on disk if they are many, and what is twice among them
 * shows when the statement ends.  (Marks on what was passed over, by where it
 * is in the table or in its pool, would show it earlier.  But a change by
 * somebody else moves a row, and positions may be shared: rows that somebody
 * wrote by hand, or merged from two databases.)
 *
 * COPY knows only the line that it reads, so each row takes its line with it,
 * and what fails with an earlier one tells that.
 *
 * A statement may insert into awspool.import while another one is about to:
 * a row of the outer one may come from a function.  So what is being gathered
 * is a stack.  A savepoint that is rolled back takes away what it began.
 *
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "commands/copy.h"
#include "commands/copyfrom_internal.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/tuplesort.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(awspool_import_csv);
PG_FUNCTION_INFO_V1(awspool_check_csv);
PG_FUNCTION_INFO_V1(awspool_import_begin);
PG_FUNCTION_INFO_V1(awspool_import_row);
PG_FUNCTION_INFO_V1(awspool_import_end);

/* The columns of a file, in the order of the documented header. */
enum FileColumn
{
	FILE_ACCOUNT_ID,
	FILE_MARKETPLACE,
	FILE_MODEL,
	FILE_COLUMNS
};

static const CsvColumns file_columns = {
	FILE_COLUMNS, FILE_COLUMNS,
	{
		[FILE_ACCOUNT_ID] = "account_id",
		[FILE_MARKETPLACE] = "marketplace_id",
		[FILE_MODEL] = "account_model",
	}
};

/* Columns of the report, and of view awspool.import */
#define Natts_report	6
#define Natts_import	4

/*
 * An id has 40 bits.  With the others for the line, both are sorted as one
 * integer, which is cheap.  The line is told of files that have no more lines.
 */
#define LINE_BITS		24
#define MAX_LINE		((UINT64CONST(1) << LINE_BITS) - 1)

/* Rejected rows that an error shows, at most. */
#define MAX_SHOWN		10

/* Where an id came first in a file. */
typedef struct SeenId
{
	uint64		id:56;
	uint64		status:8;
	uint32		line;
	uint32		hash;
} SeenId;

static inline uint32
hash_id(uint64 id, const void *secret)
{
	return (uint32) hash_bytes_extended((unsigned char *) &id, sizeof(id),
										*(const uint64 *) secret);
}

#define SH_PREFIX seen
#define SH_ELEMENT_TYPE SeenId
#define SH_KEY_TYPE uint64
#define SH_KEY id
#define SH_HASH_KEY(table, key) hash_id((key), (table)->private_data)
#define SH_STORE_HASH
#define SH_GET_HASH(table, seen_id) ((seen_id)->hash)
#define SH_EQUAL(table, a, b) ((a) == (b))
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* What became of the rows of a file. */
typedef struct Tally
{
	int64		rows;
	int64		rejected;
	StringInfoData shown;		/* the first rejected ones, a line each */
	int64		taken;			/* of those: the id is another provider's */
	char		first_taken[AWSPOOL_NAME_LENGTH + 1];
} Tally;

/* A statement that is inserting into awspool.import. */
typedef struct Import
{
	struct Import *outer;
	MemoryContext context;
	SubTransactionId subid;
	Oid			view;
	Batch	   *batch;
	Oid			userid;
	const char *provider;		/* of the last row in the batch; or NULL */
	bool		is_default;		/* no row, and no setting, named it */
	CommandId	began_with;		/* no command that stores its rows is older */
	Tuplesortstate *passed_over;	/* ids with their lines; NULL: none yet */
	uint64		last_line;		/* of those */
} Import;

static Import *current_import = NULL;

static Datum import(FunctionCallInfo fcinfo, bool store, bool skip_rejected);
static bool has_rejected(const Batch *batch);
static void store_csv(Batch *batch);
static bool read_row(CsvFile *file, const char *provider, Batch *batch);
static void report_row(ReturnSetInfo *rsinfo, const NewAccount *account,
					   Tally *tally);
static const char *rejection(const NewAccount *account);
static void refuse_rejected(const Tally *tally);
static HeapTuple with_provider(const TriggerData *trigdata,
							   const char *provider);
static Import *find_import(void);
static void end_import(void);
static const char *provider_of(Import *import, const char *provider);
static ErrorContextCallback *find_copy(const Import *import);
static void store_import(Import *import, bool last);
static void judge_stored(Import *import);
static void pass_over(Import *import, const NewAccount *account);
static void refuse_passed_over_twice(Import *import);
static void end_transaction(XactEvent event, void *arg);
static void end_subtransaction(SubXactEvent event, SubTransactionId subid,
							   SubTransactionId parent, void *arg);

void
awspool_init_import(void)
{
	RegisterXactCallback(end_transaction, NULL);
	RegisterSubXactCallback(end_subtransaction, NULL);
}

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
 * The body of import_csv and check_csv.
 */
static Datum
import(FunctionCallInfo fcinfo, bool store, bool skip_rejected)
{
	static const Oid types[Natts_report] = {
		INT8OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID
	};
	char	   *provider = store ? awspool_provider_argument(fcinfo) :
		awspool_visible_provider_argument(fcinfo);
	ReturnSetInfo *rsinfo;
	CsvFile    *file;
	Batch	   *batch;
	seen_hash  *seen_ids;
	Tally		tally = {0};
	MemoryContext caller_context;
	bool		more = true;

	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("csv must not be null")));
	rsinfo = awspool_begin_rows(fcinfo, Natts_report, types);
	if (store)
		awspool_begin_writing();

	initStringInfo(&tally.shown);
	batch = awspool_make_batch("argument csv");
	seen_ids = awspool_make_seen_ids(batch->max);
	file = awspool_open_csv(&file_columns, PG_GETARG_TEXT_PP(1));
	while (more)
	{
		while (batch->n < batch->max && more)
			more = read_row(file, provider, batch);

		awspool_find_repeated(batch, seen_ids);
		if (store && (skip_rejected ||
					  (tally.rejected == 0 && !has_rejected(batch))))
			store_csv(batch);
		else
			awspool_look_up_batch(batch);
		caller_context = MemoryContextSwitchTo(batch->context);
		for (int i = 0; i < batch->n; i++)
			report_row(rsinfo, &batch->accounts[i], &tally);
		MemoryContextSwitchTo(caller_context);
		awspool_empty_batch(batch);
	}
	awspool_close_csv(file);
	seen_destroy(seen_ids);

	/* We may have waited in a batch without a row to ask for. */
	if (store)
		awspool_check_provider_again(provider);
	else
		awspool_check_visible_again(provider);
	if (tally.taken > 0)
		awspool_log_taken(provider, tally.first_taken, tally.taken);
	if (!skip_rejected && tally.rejected > 0)
		refuse_rejected(&tally);
	return (Datum) 0;
}

/*
 * Adds the next row of a file to the batch, pending or malformed.  False if
 * there is no more.
 */
static bool
read_row(CsvFile *file, const char *provider, Batch *batch)
{
	CsvRow		row;
	NewAccount *account;
	MemoryContext caller_context;

	if (!awspool_read_csv(file, &row))
		return false;
	account = awspool_extend_batch(batch);
	caller_context = MemoryContextSwitchTo(batch->context);
	for (int i = 0; i < FILE_COLUMNS; i++)
		row.fields[i] = row.fields[i] == NULL ? NULL : pstrdup(row.fields[i]);
	account->line = row.line;
	account->provider = provider;
	account->account_id = row.fields[FILE_ACCOUNT_ID];
	account->marketplace = row.fields[FILE_MARKETPLACE];
	account->model = row.fields[FILE_MODEL];
	account->problem = awspool_csv_problem(file, &row);
	if (account->problem == NULL)
		account->problem = awspool_problems(account, false);
	if (account->problem != NULL)
		account->outcome = STORE_MALFORMED;
	MemoryContextSwitchTo(caller_context);
	return true;
}

/*
 * Whether a row is rejected whatever is there already.  Then no id of the
 * batch needs to be reserved for nothing (registry.c).
 */
static bool
has_rejected(const Batch *batch)
{
	for (int i = 0; i < batch->n; i++)
	{
		if (batch->accounts[i].outcome != STORE_PENDING)
			return true;
	}
	return false;
}

/*
 * Stores a batch of a file; what fails tells the line.
 */
static void
store_csv(Batch *batch)
{
	ErrorContextCallback context = {
		error_context_stack, awspool_tell_lines, batch
	};

	error_context_stack = &context;
	awspool_store_batch(batch);
	error_context_stack = context.previous;
}

/*
 * Remembers, in the current memory context, which ids came before in a file;
 * of n of them, to begin with.
 */
seen_hash *
awspool_make_seen_ids(int n)
{
	uint64	   *secret = palloc(sizeof(uint64));

	if (!pg_strong_random(secret, sizeof(*secret)))
		elog(ERROR, "could not generate a random number");
	return seen_create(CurrentMemoryContext, n, secret);
}

/*
 * Finds the well-formed rows whose id came before in the file.
 */
void
awspool_find_repeated(Batch *batch, seen_hash *seen_ids)
{
	for (int i = 0; i < batch->n; i++)
	{
		NewAccount *account = &batch->accounts[i];
		SeenId	   *seen_id;
		bool		repeated;

		if (account->outcome != STORE_PENDING)
			continue;
		seen_id = seen_insert(seen_ids,
							  pg_strtoint64(account->account_id),
							  &repeated);
		if (repeated)
		{
			account->outcome = STORE_TWICE;
			account->first_line = seen_id->line;
		}
		else
			seen_id->line = account->line;
	}
}

/*
 * Writes a row of the report.  What is still pending could be added.
 */
static void
report_row(ReturnSetInfo *rsinfo, const NewAccount *account, Tally *tally)
{
	const char *problem = rejection(account);
	const char *outcome = "added";
	const char *detail = NULL;

	tally->rows++;
	if (problem != NULL)
	{
		outcome = "rejected";
		detail = problem;
		if (tally->rejected++ < MAX_SHOWN)
			appendStringInfo(&tally->shown, "%sline " UINT64_FORMAT ": %s",
							 tally->rejected > 1 ? "\n" : "", account->line,
							 problem);
	}
	else if (account->outcome == STORE_PRESENT)
	{
		outcome = "present";
		if (account->existing.status != STATUS_READY)
			detail = psprintf("it is %s",
							  awspool_status_name(account->existing.status));
	}

	if (account->outcome == STORE_TAKEN && tally->taken++ == 0)
		strlcpy(tally->first_taken, account->account_id,
				sizeof(tally->first_taken));

	awspool_report(rsinfo, account->line,
				   (const char *const[]) {
					   account->account_id, account->marketplace,
					   account->model, outcome, detail
				   }, Natts_report - 1);
}

/*
 * Writes a row of a report: the line, and n columns of text.
 */
void
awspool_report(ReturnSetInfo *rsinfo, uint64 line, const char *const *columns,
			   int n)
{
	Datum		values[Natts_report];
	bool		isnull[Natts_report];

	Assert(n < Natts_report);
	values[0] = Int64GetDatum(line);
	isnull[0] = false;
	for (int i = 0; i < n; i++)
	{
		values[i + 1] = awspool_text_datum(columns[i]);
		isnull[i + 1] = columns[i] == NULL;
	}
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, isnull);
}

/*
 * Why a row is refused whose id came before in the file.
 */
char *
awspool_repeated_id(const NewAccount *account)
{
	return psprintf("account id \"%s\" is on line " UINT64_FORMAT " already",
					account->account_id, account->first_line);
}

/*
 * Why a row is rejected; NULL if it is not.
 */
static const char *
rejection(const NewAccount *account)
{
	switch (account->outcome)
	{
		case STORE_PENDING:
		case STORE_ADDED:
		case STORE_PRESENT:
			return NULL;
		case STORE_MALFORMED:
			return account->problem;
		case STORE_TWICE:
			return awspool_repeated_id(account);
		case STORE_DIFFERENT:
			return psprintf("account \"%s\" is in the pool already, as %s, %s",
							account->account_id,
							account->existing.marketplace,
							account->existing.model);
		case STORE_USED:
			return psprintf("account \"%s\" was used before and cannot be added again",
							account->account_id);
		case STORE_TAKEN:
			return psprintf("account id \"%s\" is taken", account->account_id);
	}
	pg_unreachable();
}

static void
refuse_rejected(const Tally *tally)
{
	ereport(ERROR,
			(errcode(ERRCODE_AWSPOOL_REJECTED_ROWS),
			 errmsg("%lld of %lld rows rejected, nothing imported",
					(long long) tally->rejected, (long long) tally->rows),
			 errdetail("%s", tally->shown.data),
			 errhint("Correct the file, or import the other rows with skip_rejected => true. awspool.check_csv() shows all rejected rows.")));
}

/*
 * Trigger of awspool.import: before a statement that inserts.
 */
Datum
awspool_import_begin(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = awspool_trigger_data(fcinfo, "import",
												 BEFORE_STATEMENT, ON_INSERT);
	MemoryContext context = AllocSetContextCreate(TopTransactionContext,
												  "awspool import",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller_context = MemoryContextSwitchTo(context);
	Import	   *import = palloc0(sizeof(Import));

	import->context = context;
	import->subid = GetCurrentSubTransactionId();
	import->view = RelationGetRelid(trigdata->tg_relation);
	import->userid = GetUserId();
	import->batch = awspool_make_batch("COPY import");
	import->began_with = GetCurrentCommandId(false);
	MemoryContextSwitchTo(caller_context);

	import->outer = current_import;
	current_import = import;
	return PointerGetDatum(NULL);
}

/*
 * Trigger of awspool.import: instead of inserting a row.
 */
Datum
awspool_import_row(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = awspool_trigger_data(fcinfo, "import",
												 INSTEAD_OF_ROW, ON_INSERT);
	Import	   *import = find_import();
	ErrorContextCallback *copy = find_copy(import);
	Batch	   *batch = import->batch;
	Datum		values[Natts_import];
	bool		isnull[Natts_import];
	char	   *fields[Natts_import] = {NULL};
	NewAccount	account = {0};
	MemoryContext caller_context;

	if (batch->n == batch->max)
		store_import(import, false);

	caller_context = MemoryContextSwitchTo(batch->context);
	awspool_first_columns(trigdata->tg_trigtuple,
						  RelationGetDescr(trigdata->tg_relation),
						  Natts_import, values, isnull);
	for (int i = 0; i < Natts_import; i++)
		fields[i] = isnull[i] ? NULL : TextDatumGetCString(values[i]);
	if (copy != NULL)
		account.line = ((CopyFromState) copy->arg)->cur_lineno;
	account.provider = provider_of(import, fields[0]);
	account.account_id = fields[1];
	account.marketplace = fields[2];
	account.model = fields[3];
	MemoryContextSwitchTo(caller_context);

	account.problem = awspool_problems(&account, false);
	if (account.problem != NULL)
	{
		store_import(import, true);	/* an earlier row may be wrong, too */
		awspool_refuse_malformed(account.problem);
	}
	*awspool_extend_batch(batch) = account;

	/* The server frees its own tuple only if it gets another one. */
	if (copy == NULL && fields[0] == NULL)
		return PointerGetDatum(with_provider(trigdata, account.provider));
	return PointerGetDatum(heap_copytuple(trigdata->tg_trigtuple));
}

/* The row for RETURNING, where it did not name its provider. */
static HeapTuple
with_provider(const TriggerData *trigdata, const char *provider)
{
	int			column = 1;
	Datum		value = CStringGetTextDatum(provider);
	bool		isnull = false;

	return heap_modify_tuple_by_cols(trigdata->tg_trigtuple,
									 RelationGetDescr(trigdata->tg_relation),
									 1, &column, &value, &isnull);
}

/*
 * Trigger of awspool.import: after a statement that inserted.
 */
Datum
awspool_import_end(PG_FUNCTION_ARGS)
{
	(void) awspool_trigger_data(fcinfo, "import", AFTER_STATEMENT, ON_INSERT);
	store_import(find_import(), true);
	end_import();
	return PointerGetDatum(NULL);
}

/*
 * The statement that is inserting.  All that it inserts is stored in the name
 * of one role.
 */
static Import *
find_import(void)
{
	if (current_import == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("awspool.import lacks its trigger import_begin")));
	if (current_import->userid != GetUserId())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the role changed in the middle of an import")));
	return current_import;
}

static void
end_import(void)
{
	Import	   *import = current_import;

	current_import = import->outer;
	MemoryContextDelete(import->context);
}

/*
 * The provider of a row: the one given or, if that is NULL, the one meant then.
 * Raises 42501 if the caller may not act for it.  Asked once for each batch, as
 * long as it stays the same.  To be called in the batch's memory context.
 */
static const char *
provider_of(Import *import, const char *given)
{
	given = awspool_named_provider(given);
	if (import->provider == NULL ||
		(given == NULL ? !import->is_default :
		 strcmp(given, import->provider) != 0))
	{
		import->is_default = given == NULL;
		import->provider = given == NULL ? awspool_default_provider() :
			pstrdup(given);
		awspool_check_provider_name(import->provider);
		awspool_check_provider(import->provider);
	}
	return import->provider;
}

/*
 * What tells of the COPY that is inserting; NULL if it is another statement,
 * or has read all its lines.
 */
static ErrorContextCallback *
find_copy(const Import *import)
{
	for (ErrorContextCallback *context = error_context_stack; context != NULL;
		 context = context->previous)
	{
		if (context->callback == CopyFromErrorCallback &&
			RelationGetRelid(((CopyFromState) context->arg)->rel) == import->view)
			return context;
	}
	return NULL;
}

/*
 * Stores what was gathered; "last" if nothing more will come.  What goes wrong
 * meanwhile has nothing to do with the line that COPY has come to, so its
 * context gives way to ours.
 */
static void
store_import(Import *import, bool last)
{
	ErrorContextCallback *copy = find_copy(import);
	ErrorContextCallback context = {
		.previous = copy != NULL ? copy->previous : error_context_stack,
		.callback = awspool_tell_lines,
		.arg = import->batch
	};
	ErrorContextCallback *caller_context = error_context_stack;

	error_context_stack = &context;
	awspool_store_batch(import->batch);
	judge_stored(import);
	if (last && import->passed_over != NULL)
		refuse_passed_over_twice(import);
	error_context_stack = caller_context;

	awspool_empty_batch(import->batch);
	import->provider = NULL;
}

/*
 * Raises the error for the first account that could not be stored.  Those that
 * were there before the statement with the same values are passed over.
 */
static void
judge_stored(Import *import)
{
	Batch	   *batch = import->batch;

	for (int i = 0; i < batch->n; i++)
	{
		NewAccount *account = &batch->accounts[i];

		batch->storing = account;
		if (account->outcome == STORE_ADDED)
			continue;
		if ((account->outcome == STORE_PRESENT ||
			 account->outcome == STORE_DIFFERENT) &&
			account->existing.made_by >= (int64) import->began_with)
			account->outcome = STORE_TWICE;
		if (account->outcome != STORE_PRESENT)
			awspool_refuse_stored(account);
		pass_over(import, account);
	}
	batch->storing = NULL;
}

/* Remembers an account that was there already. */
static void
pass_over(Import *import, const NewAccount *account)
{
	uint64		id = pg_strtoint64(account->account_id);

	if (import->passed_over == NULL)
	{
		MemoryContext caller_context = MemoryContextSwitchTo(import->context);

		import->passed_over = tuplesort_begin_datum(INT8OID, Int8LessOperator,
													InvalidOid, false,
													work_mem, NULL, 0);
		MemoryContextSwitchTo(caller_context);
	}
	tuplesort_putdatum(import->passed_over,
					   UInt64GetDatum(id << LINE_BITS |
									  (account->line & MAX_LINE)),
					   false);
	import->last_line = account->line;
}

/*
 * Raises 23505 if an account was passed over twice.
 */
static void
refuse_passed_over_twice(Import *import)
{
	uint64		before = PG_UINT64_MAX;
	Datum		value;
	bool		isnull;

	tuplesort_performsort(import->passed_over);
	while (awspool_next_sorted(import->passed_over, &value, &isnull))
	{
		uint64		id = DatumGetUInt64(value) >> LINE_BITS;

		CHECK_FOR_INTERRUPTS();
		if (id == before)
		{
			NewAccount	account = {
				.account_id = psprintf("%012llu", (unsigned long long) id),
				.line = import->last_line > MAX_LINE ? 0 :
				DatumGetUInt64(value) & MAX_LINE,
				.outcome = STORE_TWICE
			};

			import->batch->storing = &account;
			awspool_refuse_stored(&account);
		}
		before = id;
	}
	tuplesort_end(import->passed_over);
	import->passed_over = NULL;
}

/*
 * What was gathered must not be forgotten, should the last trigger be missing.
 */
static void
end_transaction(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
		case XACT_EVENT_PRE_PREPARE:
			if (current_import != NULL)
				ereport(ERROR,
						(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						 errmsg("awspool.import lacks its trigger import_end"),
						 errdetail("What was inserted was not stored.")));
			break;
		case XACT_EVENT_ABORT:
			current_import = NULL;	/* its memory goes with the transaction */
			break;
		default:
			break;
	}
}

static void
end_subtransaction(SubXactEvent event, SubTransactionId subid,
				   SubTransactionId parent, void *arg)
{
	if (event != SUBXACT_EVENT_ABORT_SUB)
		return;
	while (current_import != NULL && current_import->subid >= subid)
		end_import();
}
