/*-------------------------------------------------------------------------
 *
 * passed_over.c
 *	  Ready accounts that should have been sold by now: passed_over.
 *
 * Claims take the oldest account of a pool.  So an account that is ready, and
 * older than one that was claimed, was passed over: as long as claims alone
 * are at work, that does not happen.  After a restore to an earlier time it tells
 * of the accounts that were used since, but are not in the orders system's
 * list, as those whose order failed are not in many.
 *
 * It would cry wolf, though, over what was not there yet, or not free, when
 * the younger one was claimed.  So a ready account counts only if
 *
 * - it was there: added before that, or, if its marketplace was edited, edited
 *	 before.  Whoever adds many in one transaction takes their time, and they
 *	 are there when it commits, of which a row has no time.  But they have the
 *	 transaction in common.  So of those that are ready and that one
 *	 transaction stored, each counts as added when the last one was.
 *
 * - and nobody had it.  An account that a transaction held that was rolled
 *	 back, a claim, say, is passed over rightly meanwhile, and taken by the
 *	 next claim.  Its row still says that somebody had it, until it is changed or
 *	 frozen.
 *
 * If the younger one was marked by a reconciliation (reconcile.c), there is no
 * such excuse: all that had been added by then is suspicious.  One that a
 * reconciliation has added is the youngest of all, whenever it was claimed, so
 * it says nothing of what was added after that.  It can be told by when it was
 * added: when it was claimed.
 *
 * Of a pool, the youngest account of either kind is asked for alone.  It is
 * found on the way back from the provider's youngest account, in one scan for
 * all pools.  That goes on until it has come to one in each pool, or to the
 * oldest ready account of those that are left.  So it meets ready accounts,
 * and little else: where a pool sells much more slowly than another, those of the
 * other that were sold since the oldest ready one of the slow one was added.
 *
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

#include "access/htup_details.h"
#include "access/relscan.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

PG_FUNCTION_INFO_V1(awspool_passed_over);

/* The youngest account of a pool that was claimed. */
typedef struct Youngest
{
	bool		found;
	int64		position;
	TimestampTz since;			/* what was there by then, was passed over */
	bool		reconciled;
} Youngest;

/* A pool with ready accounts. */
typedef struct Pool
{
	char	   *marketplace;
	int64		oldest_ready;	/* a position */
	Youngest	claimed;
	Youngest	added;			/* by a reconciliation, as claimed */
} Pool;

/* When the last ready account was added that a transaction stored. */
typedef struct Storing
{
	TransactionId xid;
	TimestampTz last_added_at;
} Storing;

/* The provider's accounts, as the caller's statement sees them. */
typedef struct Stock
{
	const char *provider;
	Relation	rel;
	TupleTableSlot *slot;
	List	   *pools;			/* by the name of the marketplace */
	HTAB	   *storings;
	MemoryContext row_context;
} Stock;

static void scan(Stock *stock, const char *index, ScanDirection direction,
				 bool (*see) (Stock *stock, void *arg), void *arg);
static bool see_ready(Stock *stock, void *arg);
static bool see_any(Stock *stock, void *arg);
static bool put_passed_over(Stock *stock, void *arg);
static Pool *pool_of(Stock *stock);
static void see_claimed(const Stock *stock, Pool *pool);
static bool is_passed_over(const Stock *stock, const Youngest *youngest);
static bool was_there(const Stock *stock, TimestampTz at);
static TimestampTz last_time(const Stock *stock, OwnerQuery *query);
static TransactionId stored_by(TupleTableSlot *slot);
static bool was_held(TupleTableSlot *slot);
static HeapTupleHeader header_of(TupleTableSlot *slot);
static int64 number(TupleTableSlot *slot, int column);

/*
 * awspool.passed_over(provider)
 */
Datum
awspool_passed_over(PG_FUNCTION_ARGS)
{
	HASHCTL		control = {
		.keysize = sizeof(TransactionId),
		.entrysize = sizeof(Storing),
		.hcxt = CurrentMemoryContext
	};
	Stock		stock = {.provider = awspool_visible_provider_argument(fcinfo)};
	ReturnSetInfo *rsinfo = awspool_begin_rows(fcinfo, Natts_accounts,
											   awspool_account_types);

	stock.rel = table_open(awspool_relation("account"), AccessShareLock);
	stock.slot = table_slot_create(stock.rel, NULL);
	stock.storings = hash_create("awspool storings", 64, &control,
								 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	stock.row_context = AllocSetContextCreate(CurrentMemoryContext,
											  "awspool passed over",
											  ALLOCSET_DEFAULT_SIZES);

	scan(&stock, "account_ready", ForwardScanDirection, see_ready,
		 CurrentMemoryContext);
	scan(&stock, "account_provider", BackwardScanDirection, see_any, NULL);
	scan(&stock, "account_ready", ForwardScanDirection, put_passed_over,
		 rsinfo);

	ExecDropSingleTupleTableSlot(stock.slot);
	table_close(stock.rel, AccessShareLock);

	/* We may have waited for the table. */
	awspool_check_visible_again(stock.provider);
	return (Datum) 0;
}

/*
 * Calls "see" for each account of the provider that an index has, in its slot,
 * until that is false.
 */
static void
scan(Stock *stock, const char *index, ScanDirection direction,
	 bool (*see) (Stock *stock, void *arg), void *arg)
{
	Datum		key = CStringGetTextDatum(stock->provider);
	Relation	index_rel = awspool_open_index(index, AccessShareLock);
	IndexScanDesc scan = awspool_begin_index_scan(stock->rel, index_rel,
												  GetActiveSnapshot(), 1,
												  &key, false);
	bool		more = true;

	while (more && index_getnext_slot(scan, direction, stock->slot))
	{
		MemoryContext caller_context =
			MemoryContextSwitchTo(stock->row_context);

		CHECK_FOR_INTERRUPTS();
		more = see(stock, arg);
		MemoryContextSwitchTo(caller_context);
		MemoryContextReset(stock->row_context);
	}
	index_endscan(scan);
	index_close(index_rel, AccessShareLock);
}

/*
 * Notes a ready account's pool, in the memory context "arg", and when it was
 * added by whom.  The oldest account of a pool comes first.
 */
static bool
see_ready(Stock *stock, void *arg)
{
	TimestampTz added_at = number(stock->slot, Anum_account_added_at);
	TransactionId xid = stored_by(stock->slot);
	Storing    *storing;
	bool		found;

	if (pool_of(stock) == NULL)
	{
		MemoryContext row_context = MemoryContextSwitchTo(arg);
		Pool	   *pool = palloc0(sizeof(Pool));

		pool->marketplace = awspool_column(stock->slot,
										   Anum_account_marketplace);
		pool->oldest_ready = number(stock->slot, Anum_account_position);
		stock->pools = lappend(stock->pools, pool);
		MemoryContextSwitchTo(row_context);
	}

	storing = hash_search(stock->storings, &xid, HASH_ENTER, &found);
	if (!found || storing->last_added_at < added_at)
		storing->last_added_at = added_at;
	return true;
}

/*
 * Sees whether an account is the youngest of its pool that was claimed; they
 * come youngest first.  False if no pool is left to ask for.
 */
static bool
see_any(Stock *stock, void *arg)
{
	int64		position = number(stock->slot, Anum_account_position);
	Pool	   *pool = pool_of(stock);
	bool		left = false;
	ListCell   *cell;

	if (pool != NULL && !pool->claimed.found &&
		!slot_attisnull(stock->slot, Anum_account_claimed_at))
		see_claimed(stock, pool);
	foreach(cell, stock->pools)
	{
		Pool	   *other = lfirst(cell);

		left |= !other->claimed.found && other->oldest_ready < position;
	}
	return left;
}

/* Notes that the account in the slot is the youngest that was claimed. */
static void
see_claimed(const Stock *stock, Pool *pool)
{
	static OwnerQuery last_reconciled = {
		.sql = "SELECT max(l.at) FROM ONLY awspool.account_log l"
		" WHERE l.provider = $1 AND l.account_id = $2"
		"  AND l.event = 'reconciled'",
		.reads_only = true,
		.nargs = 2,
		.argtypes = {TEXTOID, TEXTOID}
	};
	TimestampTz claimed_at = number(stock->slot, Anum_account_claimed_at);
	TimestampTz reconciled_at;
	bool		added = claimed_at == number(stock->slot,
											 Anum_account_added_at);
	Youngest   *youngest = added ? &pool->added : &pool->claimed;

	if (youngest->found)
		return;
	reconciled_at = last_time(stock, &last_reconciled);
	youngest->found = true;
	youngest->position = number(stock->slot, Anum_account_position);
	youngest->reconciled = !TIMESTAMP_IS_NOBEGIN(reconciled_at);
	youngest->since = added ? claimed_at : Max(claimed_at, reconciled_at);
}

/* Returns a ready account, if it was passed over. */
static bool
put_passed_over(Stock *stock, void *arg)
{
	ReturnSetInfo *rsinfo = arg;
	Pool	   *pool = pool_of(stock);

	if (pool != NULL && (is_passed_over(stock, &pool->claimed) ||
						 is_passed_over(stock, &pool->added)))
		tuplestore_puttuple(rsinfo->setResult,
							awspool_public_row(rsinfo->setDesc, stock->slot));
	return true;
}

/* Whether the ready account in the slot should have been claimed before. */
static bool
is_passed_over(const Stock *stock, const Youngest *youngest)
{
	return youngest->found &&
		number(stock->slot, Anum_account_position) < youngest->position &&
		(youngest->reconciled || !was_held(stock->slot)) &&
		was_there(stock, youngest->since);
}

/* The pool of the account in the slot, if it is known. */
static Pool *
pool_of(Stock *stock)
{
	ListCell   *cell;

	foreach(cell, stock->pools)
	{
		Pool	   *pool = lfirst(cell);

		if (awspool_column_is(stock->slot, Anum_account_marketplace,
							  pool->marketplace))
			return pool;
	}
	return NULL;
}

/* Whether the account in the slot was in its pool already. */
static bool
was_there(const Stock *stock, TimestampTz at)
{
	static OwnerQuery last_moved = {
		.sql = "SELECT max(l.at) FROM ONLY awspool.account_log l"
		" WHERE l.provider = $1 AND l.account_id = $2"
		"  AND l.event = 'edited' AND l.detail LIKE 'marketplace %'",
		.reads_only = true,
		.nargs = 2,
		.argtypes = {TEXTOID, TEXTOID}
	};
	TransactionId xid = stored_by(stock->slot);
	Storing    *storing = hash_search(stock->storings, &xid, HASH_FIND, NULL);

	if (number(stock->slot, Anum_account_added_at) >= at)
		return false;
	/* Whoever stored it did not have to commit to see it. */
	if (storing != NULL && storing->last_added_at >= at &&
		!TransactionIdIsCurrentTransactionId(xid))
		return false;
	return last_time(stock, &last_moved) < at;
}

/*
 * When the account in the slot was last edited, say, as a query tells from the
 * log; "-infinity" if never.
 */
static TimestampTz
last_time(const Stock *stock, OwnerQuery *query)
{
	Datum		keys[2];
	Caller		caller;
	bool		isnull;
	TimestampTz at;

	keys[0] = CStringGetTextDatum(stock->provider);
	keys[1] = slot_getattr(stock->slot, Anum_account_account_id, &isnull);
	awspool_begin_queries(&caller);
	(void) awspool_query(query, keys, NULL);
	at = DatumGetTimestampTz(SPI_getbinval(SPI_tuptable->vals[0],
										   SPI_tuptable->tupdesc, 1,
										   &isnull));
	if (isnull)
		TIMESTAMP_NOBEGIN(at);
	awspool_end_queries(&caller);
	return at;
}

/* The transaction that stored this version; also of one that is frozen. */
static TransactionId
stored_by(TupleTableSlot *slot)
{
	return HeapTupleHeaderGetRawXmin(header_of(slot));
}

/*
 * Whether somebody has, or had, this version locked or changed.  Who edited
 * the account left their lock on what they made.
 */
static bool
was_held(TupleTableSlot *slot)
{
	TransactionId xmax = HeapTupleHeaderGetRawXmax(header_of(slot));

	return TransactionIdIsValid(xmax) && xmax != stored_by(slot);
}

static HeapTupleHeader
header_of(TupleTableSlot *slot)
{
	return ((BufferHeapTupleTableSlot *) slot)->base.tuple->t_data;
}

/* A column of 64 bits. */
static int64
number(TupleTableSlot *slot, int column)
{
	bool		isnull;

	return DatumGetInt64(slot_getattr(slot, column, &isnull));
}
