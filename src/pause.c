/*-------------------------------------------------------------------------
 *
 * pause.c
 *	  Closing pools for new claims and opening them again.
 *
 * Whoever pauses a pool wants to know that nothing is taken from it any more.
 * Claims that begin from now on see to that themselves (pool.c).  Those that
 * began before have changed their account before the change of the setting was
 * counted, or they look at it again.  So once that is counted, those accounts
 * are looked for that running transactions are claiming, and their ends waited
 * for.  They are the entries of the index of accounts in progress whose rows
 * are not committed: few, however large the stock is.  Only an edit of an
 * account in progress looks so, too, but the account is in progress by what is
 * committed then.  Once that is so its claim has ended, for good, as it never
 * becomes ready again.
 *
 * Waiting is for the transactions only, prepared ones included.  There is no
 * lock for others to queue behind, so claims of other pools go on.  A pause
 * that is cancelled, or rolled back, leaves the pool as it was.
 *
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(awspool_pause_pool);
PG_FUNCTION_INFO_V1(awspool_resume_pool);

/* Transactions that are claiming. */
typedef struct Claims
{
	const char *provider;
	const char *marketplace;	/* NULL: any */
	int			n;
	int			max;
	TransactionId *xids;		/* in the order of their numbers, each once */
} Claims;

static void wait_for_claims(const char *provider, const char *marketplace);
static void find_claims(Claims *claims, Relation rel);
static bool is_found(const Claims *claims, TransactionId xid);
static bool is_committed(Relation rel, TupleTableSlot *claimed);
static void add_claim(Claims *claims, TransactionId xid);
static int	compare_xids(const void *a, const void *b);
static void tell_prepared(const Claims *claims);
static void tell_waiting(void *claims);

/*
 * awspool.pause_pool(provider, marketplace, reason)
 *
 * Closes a pool or, without marketplace, all of the provider's, those to come
 * included, for new claims and replacements.  Returns when the claims that
 * began before have ended, and waits for nobody else's.
 *
 * A pool that is paused stays so since it was; another reason replaces that
 * which was given before.
 */
Datum
awspool_pause_pool(PG_FUNCTION_ARGS)
{
	static OwnerQuery pause = {
		.sql = "INSERT INTO awspool.pool_setting AS s"
		" (provider, marketplace, paused_at, paused_by, pause_reason)"
		" SELECT $1, marketplace, $3, $4, $5"
		" FROM (SELECT $2 UNION"
		"  SELECT marketplace FROM ONLY awspool.pool_setting"
		"  WHERE provider = $1 AND $2 = '*') x (marketplace)"
		" ON CONFLICT (provider, marketplace) DO UPDATE"
		" SET paused_at = coalesce(s.paused_at, $3),"
		" paused_by = CASE WHEN s.paused_at IS NULL THEN $4"
		"  ELSE s.paused_by END,"
		" pause_reason = coalesce($5, s.pause_reason)",
		.nargs = 5,
		.argtypes = {TEXTOID, TEXTOID, TIMESTAMPTZOID, TEXTOID, TEXTOID}
	};
	char	   *provider = awspool_provider_argument(fcinfo);
	char	   *marketplace = awspool_optional_field_argument(fcinfo, 1,
															  FIELD_MARKETPLACE);
	Datum		values[] = {
		CStringGetTextDatum(provider),
		CStringGetTextDatum(marketplace != NULL ? marketplace : "*"),
		TimestampTzGetDatum(GetCurrentTimestamp()),
		CStringGetTextDatum(GetUserNameFromId(GetUserId(), false)),
		PG_GETARG_DATUM(2)
	};
	char		nulls[] = {' ', ' ', ' ', ' ', PG_ARGISNULL(2) ? 'n' : ' '};
	Caller		caller;

	awspool_begin_writing();
	awspool_lock_settings(provider);
	awspool_begin_queries(&caller);
	(void) awspool_query(&pause, values, nulls);
	awspool_end_queries(&caller);

	wait_for_claims(provider, marketplace);
	awspool_check_provider_again(provider);
	PG_RETURN_VOID();
}

/*
 * awspool.resume_pool(provider, marketplace)
 *
 * Opens a pool or, without marketplace, all of the provider's.  One that is
 * open stays open.
 */
Datum
awspool_resume_pool(PG_FUNCTION_ARGS)
{
	/* A pool that shares in the pause of all gets a row of its own. */
	static OwnerQuery resume = {
		.sql = "INSERT INTO awspool.pool_setting (provider, marketplace)"
		" SELECT $1, $2 WHERE EXISTS"
		"  (SELECT FROM ONLY awspool.pool_setting"
		"   WHERE provider = $1 AND marketplace IN ($2, '*'))"
		" ON CONFLICT (provider, marketplace) DO UPDATE"
		" SET paused_at = NULL, paused_by = NULL, pause_reason = NULL",
		.nargs = 2,
		.argtypes = {TEXTOID, TEXTOID}
	};
	static OwnerQuery resume_all = {
		.sql = "WITH every_pool AS"
		" (DELETE FROM ONLY awspool.pool_setting"
		"  WHERE provider = $1 AND marketplace = '*')"
		" UPDATE ONLY awspool.pool_setting"
		" SET paused_at = NULL, paused_by = NULL, pause_reason = NULL"
		" WHERE provider = $1 AND marketplace <> '*'",
		.nargs = 1,
		.argtypes = {TEXTOID}
	};
	char	   *provider = awspool_provider_argument(fcinfo);
	char	   *marketplace = awspool_optional_field_argument(fcinfo, 1,
															  FIELD_MARKETPLACE);
	Datum		values[] = {CStringGetTextDatum(provider),
	awspool_text_datum(marketplace)};
	Caller		caller;

	awspool_begin_writing();
	awspool_lock_settings(provider);
	awspool_begin_queries(&caller);
	if (awspool_query(marketplace != NULL ? &resume : &resume_all, values,
					  NULL) == 0)
		awspool_confirm_change();
	awspool_end_queries(&caller);
	awspool_check_provider_again(provider);
	PG_RETURN_VOID();
}

/*
 * Waits until those transactions have ended that are claiming an account of
 * the pool, or pools.  This one does not count.
 */
static void
wait_for_claims(const char *provider, const char *marketplace)
{
	Claims		claims = {.provider = provider, .marketplace = marketplace};
	Relation	rel = table_open(awspool_relation("account"), AccessShareLock);
	ErrorContextCallback context = {
		.previous = error_context_stack,
		.callback = tell_waiting,
		.arg = &claims
	};

	find_claims(&claims, rel);
	tell_prepared(&claims);

	error_context_stack = &context;
	for (int i = 0; i < claims.n; i++)
		XactLockTableWait(claims.xids[i], NULL, NULL, XLTW_None);
	error_context_stack = context.previous;
	table_close(rel, AccessShareLock);
}

/*
 * Finds the claims: what a dirty snapshot shows as being inserted among the
 * accounts in progress, unless it is there already.
 */
static void
find_claims(Claims *claims, Relation rel)
{
	Relation	index = awspool_open_index("account_in_progress",
										   AccessShareLock);
	Datum		key = CStringGetTextDatum(claims->provider);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	SnapshotData dirty;
	IndexScanDesc scan;
	int			n = 0;

	InitDirtySnapshot(dirty);
	scan = awspool_begin_index_scan(rel, index, &dirty, 1, &key, false);
	while (index_getnext_slot(scan, ForwardScanDirection, slot))
	{
		CHECK_FOR_INTERRUPTS();
		if (TransactionIdIsValid(dirty.xmin) &&
			(claims->marketplace == NULL ||
			 awspool_column_is(slot, Anum_account_marketplace,
							   claims->marketplace)) &&
			!is_found(claims, dirty.xmin) && !is_committed(rel, slot))
			add_claim(claims, dirty.xmin);
	}
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	index_close(index, AccessShareLock);

	qsort(claims->xids, claims->n, sizeof(TransactionId), compare_xids);
	for (int i = 0; i < claims->n; i++)
	{
		if (i == 0 || claims->xids[i] != claims->xids[i - 1])
			claims->xids[n++] = claims->xids[i];
	}
	claims->n = n;
}

/* Whether a transaction was the last that was found: batches have many. */
static bool
is_found(const Claims *claims, TransactionId xid)
{
	return claims->n > 0 && claims->xids[claims->n - 1] == xid;
}

/*
 * Whether the claim of the account in the slot is committed by now.
 */
static bool
is_committed(Relation rel, TupleTableSlot *claimed)
{
	Datum		key = CStringGetTextDatum(awspool_column(claimed,
														 Anum_account_account_id));
	Relation	index = awspool_open_index("account_pkey", AccessShareLock);
	TupleTableSlot *present = table_slot_create(rel, NULL);
	bool		committed = awspool_find_present(rel, index, 1, &key, NULL,
												 present, NULL) &&
		awspool_status_of(present) == STATUS_IN_PROGRESS;

	ExecDropSingleTupleTableSlot(present);
	index_close(index, AccessShareLock);
	return committed;
}

static void
add_claim(Claims *claims, TransactionId xid)
{
	if (claims->n == claims->max)
	{
		claims->max = Max(2 * claims->max, 16);
		claims->xids = claims->xids == NULL ?
			palloc(claims->max * sizeof(TransactionId)) :
			repalloc(claims->xids, claims->max * sizeof(TransactionId));
	}
	claims->xids[claims->n++] = xid;
}

static int
compare_xids(const void *a, const void *b)
{
	TransactionId x = *(const TransactionId *) a;
	TransactionId y = *(const TransactionId *) b;

	return (x > y) - (x < y);
}

/*
 * Tells the caller if a claim is prepared: that may last, and no session shows
 * up that could be asked.
 */
static void
tell_prepared(const Claims *claims)
{
	Holder	   *holders;
	int			n;

	if (claims->n == 0)
		return;
	holders = awspool_find_holders(DT_NOBEGIN, &n);
	for (int i = 0; i < claims->n; i++)
	{
		const Holder *holder = awspool_holder_of(holders, n, claims->xids[i]);

		if (holder != NULL && holder->is_callers)
			ereport(NOTICE,
					(errmsg("waiting for prepared transaction \"%s\", which claims an account",
							holder->gid),
					 errhint("End it with COMMIT PREPARED or ROLLBACK PREPARED.")));
		else if (holder != NULL)
			ereport(NOTICE,
					(errmsg("waiting for a prepared transaction of another role, which claims an account"),
					 errhint("Ask whoever prepared it to end it.")));
	}
}

/* The context of errors while waiting, and of what log_lock_waits logs. */
static void
tell_waiting(void *arg)
{
	const Claims *claims = arg;

	if (claims->marketplace != NULL)
		errcontext("waiting for running claims of provider \"%s\" and marketplace \"%s\" to end",
				   claims->provider, claims->marketplace);
	else
		errcontext("waiting for running claims of provider \"%s\" to end",
				   claims->provider);
}
