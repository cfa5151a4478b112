/*-------------------------------------------------------------------------
 *
 * overdue.c
 *	  Accounts that are in progress beyond the deadline of their pool.
 *
 * An order that neither completes nor fails keeps its account for ever, and
 * nobody notices.  The deadline is in the settings of the pool (pool.c), and
 * the index of accounts in progress begins with those that are longest.  So
 * what a look costs is in proportion to what is in progress for longer than
 * the shortest of the provider's deadlines.
 *
 * An account is overdue once claimed_at + deadline is past, which is what view
 * alerts shows.  That is not to say that claimed_at is before now - deadline,
 * as the months are not of one length: a month from 31 October ends on
 * 30 November, and a month before that is 30 October.  So the scan of the
 * index goes some days further than that.
 *
 * Such an account fails and never becomes ready again: its order may have
 * left anything in it.
 *
 * Whoever is changing an account at that moment is about to end it, or is the
 * order that asks for it again, or is another call of this kind.  So their
 * accounts and orders are skipped, not waited for.
 *
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(awspool_overdue_accounts);
PG_FUNCTION_INFO_V1(awspool_fail_overdue);

/*
 * How much later than now - deadline something may have been claimed and yet
 * have passed it.  Months: up to 3 days for the end of the last one, and 2 for
 * which ones they are, if there are days as well.  Days: clocks are changed by
 * an hour or two, and that may be at either end.
 */
#define MONTHS_DIFFER	(10 * USECS_PER_DAY)
#define DAYS_DIFFER		(4 * USECS_PER_HOUR)

/* The deadline of a pool. */
typedef struct Deadline
{
	char	   *marketplace;
	Datum		interval;
} Deadline;

/* The deadlines of a provider, in the order of their marketplaces. */
typedef struct Deadlines
{
	const char *provider;
	int			n;
	Deadline   *pools;
	TimestampTz now;
	TimestampTz latest;			/* what was claimed later has passed none */
} Deadlines;

static Deadlines read_deadlines(const char *provider);
static TimestampTz latest_overdue(TimestampTz now, Datum deadline);
static IndexScanDesc begin_scan(const Deadlines *deadlines, Relation rel,
								Relation index, Snapshot snapshot);
static const Deadline *deadline_passed(const Deadlines *deadlines,
									   TupleTableSlot *account);
static int	compare_marketplaces(const void *a, const void *b);
static int32 max_accounts_argument(FunctionCallInfo fcinfo, int n);
static bool try_lock(AccountTable *table);
static char *reason(TupleTableSlot *account, const Deadline *deadline);

/*
 * awspool.overdue_accounts(provider)
 *
 * The accounts of the provider that are in progress beyond the deadline of
 * their pool, the longest first.
 */
Datum
awspool_overdue_accounts(PG_FUNCTION_ARGS)
{
	static const Oid types[] = {
		TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID, INTERVALOID
	};
	char	   *provider = awspool_visible_provider_argument(fcinfo);
	ReturnSetInfo *rsinfo = awspool_begin_rows(fcinfo, lengthof(types), types);
	Relation	rel = table_open(awspool_relation("account"), AccessShareLock);
	Relation	index = awspool_open_index("account_in_progress",
										   AccessShareLock);
	Deadlines	deadlines = read_deadlines(provider);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	IndexScanDesc scan;

	awspool_check_visible_again(provider);
	scan = begin_scan(&deadlines, rel, index, GetActiveSnapshot());
	while (index_getnext_slot(scan, ForwardScanDirection, slot))
	{
		const Deadline *deadline = deadline_passed(&deadlines, slot);
		Datum		values[lengthof(types)];
		bool		isnull[lengthof(types)] = {false};

		CHECK_FOR_INTERRUPTS();
		if (deadline == NULL)
			continue;
		values[0] = slot_getattr(slot, Anum_account_marketplace, &isnull[0]);
		values[1] = slot_getattr(slot, Anum_account_account_id, &isnull[1]);
		values[2] = slot_getattr(slot, Anum_account_order_id, &isnull[2]);
		values[3] = slot_getattr(slot, Anum_account_claimed_at, &isnull[3]);
		values[4] = deadline->interval;
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values,
							 isnull);
	}
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	index_close(index, AccessShareLock);
	table_close(rel, AccessShareLock);
	return (Datum) 0;
}

/*
 * awspool.fail_overdue(provider, max_accounts)
 *
 * Such accounts fail, the longest in progress first, but no more than so many,
 * and are returned.
 */
Datum
awspool_fail_overdue(PG_FUNCTION_ARGS)
{
	char	   *provider = awspool_provider_argument(fcinfo);
	int32		left = max_accounts_argument(fcinfo, 1);
	ReturnSetInfo *rsinfo = awspool_begin_rows(fcinfo, Natts_accounts,
											   awspool_account_types);
	AccountTable *table = awspool_open_account_table(provider);
	Relation	index = awspool_open_index("account_in_progress",
										   RowExclusiveLock);
	Deadlines	deadlines = read_deadlines(provider);
	Snapshot	snapshot = RegisterSnapshot(GetTransactionSnapshot());
	IndexScanDesc scan = begin_scan(&deadlines, table->rel, index, snapshot);

	while (left > 0 &&
		   index_getnext_slot(scan, ForwardScanDirection, table->found))
	{
		const Deadline *deadline = deadline_passed(&deadlines, table->found);

		CHECK_FOR_INTERRUPTS();
		if (deadline == NULL || !try_lock(table))
			continue;
		tuplestore_puttuple(rsinfo->setResult,
							awspool_close_account(rsinfo->setDesc, table,
												  STATUS_FAILED,
												  reason(table->found,
														 deadline),
												  NULL));
		left--;
	}
	index_endscan(scan);
	UnregisterSnapshot(snapshot);
	index_close(index, NoLock);
	awspool_close_account_table(table);
	return (Datum) 0;
}

static Deadlines
read_deadlines(const char *provider)
{
	static OwnerQuery query = {
		.sql = "SELECT marketplace, deadline FROM ONLY awspool.pool_setting"
		" WHERE provider = $1 AND deadline IS NOT NULL"
		" ORDER BY marketplace",
		.reads_only = true,
		.nargs = 1,
		.argtypes = {TEXTOID}
	};
	MemoryContext context = CurrentMemoryContext;
	Datum		key = CStringGetTextDatum(provider);
	Deadlines	deadlines = {
		.provider = provider,
		.now = GetCurrentTimestamp(),
		.latest = DT_NOBEGIN
	};
	Caller		caller;

	awspool_begin_queries(&caller);
	deadlines.n = awspool_query(&query, &key, NULL);
	MemoryContextSwitchTo(context);
	deadlines.pools = palloc(Max(deadlines.n, 1) * sizeof(Deadline));
	for (int i = 0; i < deadlines.n; i++)
	{
		Deadline   *pool = &deadlines.pools[i];
		Datum		values[2];
		bool		isnull[2];

		heap_deform_tuple(SPI_tuptable->vals[i], SPI_tuptable->tupdesc,
						  values, isnull);
		pool->marketplace = TextDatumGetCString(values[0]);
		pool->interval = datumCopy(values[1], false, sizeof(Interval));
		deadlines.latest = Max(deadlines.latest,
							   latest_overdue(deadlines.now, pool->interval));
	}
	awspool_end_queries(&caller);
	return deadlines;
}

/*
 * A time such that nothing claimed then, or later, has passed the deadline.
 */
static TimestampTz
latest_overdue(TimestampTz now, Datum deadline)
{
	const Interval *interval = DatumGetIntervalP(deadline);
	TimestampTz before =
		DatumGetTimestampTz(DirectFunctionCall2(timestamptz_mi_interval,
												TimestampTzGetDatum(now),
												deadline));

	if (interval->month != 0)
		return before + MONTHS_DIFFER;
	return interval->day != 0 ? before + DAYS_DIFFER : before;
}

/*
 * Begins to scan the accounts of the provider that may have passed one of the
 * deadlines, the longest in progress first.
 */
static IndexScanDesc
begin_scan(const Deadlines *deadlines, Relation rel, Relation index,
		   Snapshot snapshot)
{
	ScanKeyData keys[2];
	IndexScanDesc scan;

	ScanKeyEntryInitialize(&keys[0], 0, 1, BTEqualStrategyNumber, InvalidOid,
						   index->rd_indcollation[0], F_TEXTEQ,
						   CStringGetTextDatum(deadlines->provider));
	ScanKeyEntryInitialize(&keys[1], 0, 2, BTLessStrategyNumber, InvalidOid,
						   InvalidOid, F_TIMESTAMPTZ_LT,
						   TimestampTzGetDatum(deadlines->latest));

	scan = awspool_index_beginscan(rel, index, snapshot, lengthof(keys));
	index_rescan(scan, keys, lengthof(keys), NULL, 0);
	return scan;
}

/*
 * The deadline that an account in progress has passed; NULL if it has none, or
 * has not passed it yet.
 */
static const Deadline *
deadline_passed(const Deadlines *deadlines, TupleTableSlot *account)
{
	Deadline	key = {
		.marketplace = awspool_column(account, Anum_account_marketplace)
	};
	const Deadline *deadline = bsearch(&key, deadlines->pools, deadlines->n,
									   sizeof(Deadline),
									   compare_marketplaces);
	bool		isnull;
	Datum		claimed_at = slot_getattr(account, Anum_account_claimed_at,
										  &isnull);
	Datum		over;

	pfree(key.marketplace);
	if (deadline == NULL)
		return NULL;
	over = DirectFunctionCall2(timestamptz_pl_interval, claimed_at,
							   deadline->interval);
	return DatumGetTimestampTz(over) < deadlines->now ? deadline : NULL;
}

static int
compare_marketplaces(const void *a, const void *b)
{
	return strcmp(((const Deadline *) a)->marketplace,
				  ((const Deadline *) b)->marketplace);
}

static int32
max_accounts_argument(FunctionCallInfo fcinfo, int n)
{
	if (PG_ARGISNULL(n) || PG_GETARG_INT32(n) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid number of accounts"),
				 errdetail("It must be 0 or more.")));
	return PG_GETARG_INT32(n);
}

/*
 * Locks the account in "found" as it was found, its order first as all do who
 * close accounts (row.c), but without waiting.  False if somebody else has
 * either.
 */
static bool
try_lock(AccountTable *table)
{
	char	   *order_id = awspool_column(table->found,
										  Anum_account_order_id);

	return (order_id == NULL ||
			awspool_lock_names(AWSPOOL_LOCK_ORDER, table->provider, order_id,
							   false)) &&
		awspool_try_lock_found(table);
}

static char *
reason(TupleTableSlot *account, const Deadline *deadline)
{
	bool		isnull;
	Datum		claimed_at = slot_getattr(account, Anum_account_claimed_at,
										  &isnull);
	Datum		interval = DirectFunctionCall1(interval_out,
											   deadline->interval);

	return psprintf("overdue: in progress since %s, deadline %s",
					timestamptz_to_str(DatumGetTimestampTz(claimed_at)),
					DatumGetCString(interval));
}
