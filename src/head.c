/*-------------------------------------------------------------------------
 *
 * head.c
 *	  Where the oldest ready account of each pool is.
 *
 * A claim scans the index of ready accounts, oldest first, to the first one
 * that nobody is changing, and locks it.  The scan looks with a dirty
 * snapshot: that shows the present, and tells of each row whether a running
 * transaction has inserted, changed or deleted it, without locking anything.
 *
 * Every claim leaves a dead entry at the head of that index, and as long as
 * any old snapshot lives nobody may remove it.  What keeps a claim from
 * walking past all of them is to start further on.  So each backend remembers
 * for each pool where to start:
 *
 *	 Before the start of a pool there is no account to be claimed, now or
 *	 later, but for the doubts that are remembered with it.
 *
 * "Later" is what takes care.  A start is private to its backend, so nobody
 * can correct it from outside; it must not be learnt too far.  These are the
 * ways in which an account can be, or come to be, before a start, and what is
 * done about each:
 *
 * 1. A running transaction is inserting or changing it, and may commit or
 *	  roll back.  The start stays in front of it.  Where that makes walks
 *	  long, since the other transaction lasts, it becomes a doubt: its
 *	  position and that transaction are remembered, the start moves on, and
 *	  once the transaction has ended the position is looked at again.
 *
 * 2. This transaction changed it, which the scan takes for dead, and may roll
 *	  back, or a savepoint of it may.  What was learnt in a transaction is
 *	  forgotten if it, or any of its subtransactions, aborts.  The same goes
 *	  for PREPARE TRANSACTION: then the outcome is decided elsewhere.
 *
 * 3. It is stored by a transaction that drew its position, but had not yet
 *	  put it into the index when the scan passed there.  nextval() locks the
 *	  sequence until the end of the transaction, before it draws.  So if the
 *	  sequence can be locked against that without waiting, every position
 *	  drawn by then is in the index, if it ever will be: those are settled.  A
 *	  start never moves beyond what was settled before its scan began.
 *
 * 4. It arrives at a position that was not drawn just then, or as a new
 *	  version behind the back of a scan that has read that index page, but not
 *	  yet found the old version dead.  Whoever makes it arrive counts that
 *	  before they commit (arrival.c).  Who sees another count of a pool than
 *	  the one under which it was remembered forgets that pool.
 *
 * The scan itself is a while under way, too.  What arrives behind its back may
 * be older than what it has found, so it looks at the count once more before
 * it locks that; and before it says that there is nothing.  If the count has
 * moved, all begins anew, but only a few times: a claim ends, however much
 * arrives.  Then the last scan takes what it finds.
 *
 * A new table (CREATE EXTENSION, TRUNCATE) starts over as well.  A new
 * backend knows only what pool_start.c has kept, and a crash or a promotion
 * leaves nothing of either.
 *
 * Before a pool is called empty it is walked from the very start, at a
 * limited rate.
 *
 * test/model/claim.pml is a model of all this but that last walk, and "make
 * model" searches it.  Each safeguard is a switch there, and is found missing:
 * 1. NO_LOOK_AGAIN, DROP_RESERVED_DOUBT, NO_STAY_BEFORE_LOCKED and
 * STAY_BEHIND_RESERVED, 2. NO_UNLEARN_ABORT, _SAVEPOINT and _PREPARE, 3.
 * LEARN_UNSETTLED, SETTLE_AFTER_WALK and LOCK_AFTER_DRAWING, 4. NO_COUNT,
 * COUNT_BEFORE_ENTRY, COUNT_AFTER_COMMIT and NO_OWN_FORGET.  What is looked at
 * once more: NO_COUNT_BEFORE_LOCK, NO_RETRY.  What is kept for others: those
 * that begin with NOTE.
 *
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

#include "access/tableam.h"
#include "access/transam.h"
#include "access/xact.h"
#include "executor/instrument.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/procarray.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

/* Doubts that are remembered for a pool, at most. */
#define MAX_DOUBTS			32

/* A walk that touched more buffers than this was long. */
#define LONG_WALK			16

/* Pools that are remembered, at most; then all are forgotten. */
#define MAX_POOLS			4096

/* A pool is walked from the very start no more often than this. */
#define FULL_WALK_INTERVAL	(1 * USECS_PER_SEC)

/* And for no more than this part of the time. */
#define FULL_WALK_SHARE		100

/* Doubts are remembered for so many transactions: ids come again. */
#define MAX_DOUBT_AGE		(UINT64CONST(1) << 30)

/* A walk goes at least so far in search of the next account. */
#define SHORT_REACH			8

/* So often a claim looks at a pool, if something arrives each time. */
#define MAX_TRIES			4

#define VERY_START			PG_INT64_MIN
#define VERY_END			PG_INT64_MAX

/* Accounts that a running transaction is inserting or changing. */
typedef struct Doubt
{
	int64		first;			/* positions; nothing else is between them */
	int64		last;
	TransactionId xid;
} Doubt;

/* Where to start, and what before that is still in doubt, oldest first. */
typedef struct Start
{
	int64		position;
	int			ndoubts;
	uint64		next_xid;		/* when the first doubt was noted */
	Doubt		doubts[MAX_DOUBTS];
} Start;

typedef struct PoolKey
{
	char		provider[AWSPOOL_NAME_BYTES + 1];
	char		marketplace[AWSPOOL_NAME_BYTES + 1];
} PoolKey;

/* What this backend remembers of a pool. */
typedef struct Pool
{
	PoolKey		key;
	int			count;			/* which count of arrivals is the pool's */
	int			setting_count;	/* and which of settings, its provider's */
	int64		opened;			/* the pool is open while that is this; or -1 */
	int64		arrivals;		/* the rest holds while it is this; or -1 */
	Start		start;
	Start		before;			/* before this transaction, if "learnt" */
	bool		learnt;			/* in this transaction; then in the list */
	struct Pool *next_learnt;
	int64		reach;			/* how far the last account was from there */
	TimestampTz next_full_walk;
} Pool;

/* A search for the oldest account of a pool. */
typedef struct Search
{
	AccountTable *table;
	Relation	index;
	ArrivalCounts counts;
	Pool	   *pool;
	bool		is_last;		/* takes what it finds, whatever arrives */
} Search;

/*
 * What a walk along the index found: before a position there is nothing to be
 * claimed but these doubts, oldest first.
 */
typedef struct Walk
{
	int64		clear_to;		/* VERY_END: to where the walk was to end */
	int			ndoubts;
	Doubt		doubts[MAX_DOUBTS];
	int64		reserved;		/* at which position, if one was */
	bool		is_long;
} Walk;

/* The pools that this backend remembers, of this table and its file. */
static HTAB *pools = NULL;
static Oid	pools_table = InvalidOid;
static Oid	pools_file = InvalidOid;

/* Every position up to this one is in the index, if it ever will be. */
static int64 settled = VERY_START;

/* The pools about which something was learnt in this transaction. */
static Pool *learnt_pools = NULL;

/*
 * An account that was reserved, as the pool was found open when that many
 * changes of the provider's settings were counted.
 */
typedef struct Reservation
{
	ArrivalCounts counts;
	int			setting_count;
	int64		opened;
} Reservation;

static Pool *get_pool(const Search *search, const char *provider,
					  const char *marketplace);
static Pool *find_pool(const char *provider, const char *marketplace);
static int64 check_open(const Search *search);
static void forget_pool(Pool *pool);
static void forget_pools(void);
static int64 noted_start(const Pool *pool);
static bool something_arrived(const Search *search);
static bool reserve_doubtful(const Search *search);
static bool look_again(const Search *search, Doubt *doubt, bool *reserved);
static bool reserve_from_start(const Search *search);
static uint64 next_xid(void);
static bool is_running(TransactionId xid, Snapshot snapshot);
static bool walk(const Search *search, int64 first, int64 last, Walk *walk);
static IndexScanDesc begin_walk(const Search *search, Snapshot snapshot,
								int64 first, int64 last);
static void add_doubt(Walk *walk, int64 position, TransactionId xid);
static void stay_before(Walk *walk, int64 position);
static bool may_learn(const Pool *pool);
static void learn(Pool *pool, const Walk *walk);
static void keep(const Pool *pool, const Walk *walk);
static void begin_learning(Pool *pool);
static void settle(void);
static bool walk_fully(const Search *search);
static void end_transaction(XactEvent event, void *arg);
static void end_subtransaction(SubXactEvent event, SubTransactionId subid,
							   SubTransactionId parent, void *arg);
static void unlearn(void);

void
awspool_init_head(void)
{
	RegisterXactCallback(end_transaction, NULL);
	RegisterSubXactCallback(end_subtransaction, NULL);
}

/*
 * Finds the oldest account of the pool that is ready and not being changed,
 * locks it until the end of the transaction and leaves it in "found".  False
 * if there is none.  Raises WS007 if the pool is paused.
 *
 * Once the account has been changed, awspool_confirm_reserved() is due.
 */
bool
awspool_reserve_oldest(AccountTable *table, const char *provider,
					   const char *marketplace)
{
	Search		search = {.table = table};
	int64		opened = -1;
	bool		reserved = false;

	search.index = awspool_open_index("account_ready", RowExclusiveLock);
	awspool_open_arrivals(&search.counts);
	for (int tries = 1; tries <= MAX_TRIES; tries++)
	{
		CHECK_FOR_INTERRUPTS();
		search.pool = get_pool(&search, provider, marketplace);
		opened = check_open(&search);
		search.is_last = (tries == MAX_TRIES);
		reserved = reserve_doubtful(&search) || reserve_from_start(&search);
		if (reserved || !something_arrived(&search))
			break;
	}
	if (reserved)
	{
		table->reserved = palloc(sizeof(Reservation));
		table->reserved->counts = search.counts;
		table->reserved->setting_count = search.pool->setting_count;
		table->reserved->opened = opened;
	}
	else
		awspool_close_arrivals(&search.counts);
	index_close(search.index, NoLock);

	/* An older row of the account, which the snapshot shows, would stay. */
	if (reserved)
		awspool_check_shown_once(table->rel, table->found);
	return reserved;
}

/*
 * To be called when the account that was reserved is in progress.  Raises
 * WS007 if its pool was paused since it was reserved: pool.c says why that has
 * to be asked again.
 */
void
awspool_confirm_reserved(AccountTable *table)
{
	Reservation *reserved = table->reserved;
	int64		changes;

	if (reserved == NULL)		/* it was not taken from its pool's head */
		return;
	changes = awspool_setting_changes(&reserved->counts,
									  reserved->setting_count);
	if (changes != reserved->opened || changes < 0)
		(void) awspool_check_open(table->provider,
								  awspool_column(table->changed,
												 Anum_account_marketplace));
	awspool_close_arrivals(&reserved->counts);
	pfree(reserved);
	table->reserved = NULL;
}

/*
 * Raises WS007 if the pool is paused; returns the count of changes of settings
 * with which it is open.
 */
static int64
check_open(const Search *search)
{
	Pool	   *pool = search->pool;
	int64		changes = awspool_setting_changes(&search->counts,
												  pool->setting_count);

	if (changes != pool->opened || changes < 0)
		pool->opened = awspool_check_open(pool->key.provider,
										  pool->key.marketplace) ?
			changes : -1;
	return changes;
}

/*
 * What this backend remembers of a pool, as far as it still holds.  Of a pool
 * in which an account arrived in this transaction nothing does: that may yet
 * be rolled back.
 */
static Pool *
get_pool(const Search *search, const char *provider, const char *marketplace)
{
	Relation	rel = search->table->rel;
	bool		arrived;
	int64		arrivals;
	Pool	   *pool;

	if (pools == NULL ||
		pools_table != RelationGetRelid(rel) ||
		pools_file != rel->rd_rel->relfilenode ||
		hash_get_num_entries(pools) >= MAX_POOLS)
	{
		forget_pools();
		pools_table = RelationGetRelid(rel);
		pools_file = rel->rd_rel->relfilenode;
	}

	pool = find_pool(provider, marketplace);
	arrived = awspool_has_arrived(pool->count);
	arrivals = awspool_arrivals(&search->counts, pool->count);
	if (pool->arrivals != arrivals || arrivals < 0 || arrived)
	{
		forget_pool(pool);
		pool->arrivals = arrivals;
		if (arrivals >= 0 && !arrived)
			pool->start.position = pool->before.position = noted_start(pool);
	}
	return pool;
}

/*
 * The entry of a pool; a new one knows nothing.
 */
static Pool *
find_pool(const char *provider, const char *marketplace)
{
	PoolKey		key;
	Pool	   *pool;
	bool		known;

	memset(&key, 0, sizeof(key));
	strlcpy(key.provider, provider, sizeof(key.provider));
	strlcpy(key.marketplace, marketplace, sizeof(key.marketplace));
	pool = hash_search(pools, &key, HASH_ENTER, &known);
	if (!known)
	{
		/* Complete before anything that may fail: the entry stays. */
		forget_pool(pool);
		pool->learnt = false;
		pool->arrivals = -1;
		pool->count = awspool_pool_count(provider, marketplace);
		pool->setting_count = awspool_setting_count(provider);
		pool->opened = -1;
		pool->reach = 0;
		pool->next_full_walk = GetCurrentTimestamp() + FULL_WALK_INTERVAL;
	}
	return pool;
}

/*
 * Forgets what was learnt of a pool, for good: also if this transaction, which
 * may have learnt it, aborts.
 */
static void
forget_pool(Pool *pool)
{
	pool->start.position = pool->before.position = VERY_START;
	pool->start.ndoubts = pool->before.ndoubts = 0;
}

static void
forget_pools(void)
{
	HASHCTL		info = {
		.keysize = sizeof(PoolKey),
		.entrysize = sizeof(Pool),
		.hcxt = TopMemoryContext
	};
	HTAB	   *old = pools;

	learnt_pools = NULL;
	pools = NULL;
	if (old != NULL)
		hash_destroy(old);
	pools = hash_create("awspool starts", 64, &info,
						HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	settled = VERY_START;
}

/*
 * What is noted of the start of a pool.  A note from before the sequence was
 * set back, which nobody should do, is of no use.
 */
static int64
noted_start(const Pool *pool)
{
	int64		position = awspool_read_start(pool->key.provider,
											  pool->key.marketplace,
											  pool->arrivals);
	Oid			sequence = awspool_relation("account_position");

	return position <= awspool_last_drawn(sequence) + 1 ? position :
		VERY_START;
}

/*
 * Whether an account has arrived in the pool since the search began.
 */
static bool
something_arrived(const Search *search)
{
	return awspool_arrivals(&search->counts, search->pool->count) !=
		search->pool->arrivals;
}

/*
 * Looks again at the doubts whose transaction has ended, and reserves the
 * oldest account among them that can be claimed.
 *
 * A doubt of many accounts is an import, say.  Once it has ended, they are the
 * pool's head, and the start moves back to them; the later doubts are behind
 * it then.
 */
static bool
reserve_doubtful(const Search *search)
{
	Pool	   *pool = search->pool;
	Start	   *start = &pool->start;
	Snapshot	snapshot;
	bool		reserved = false;
	int			kept = 0;

	if (start->ndoubts == 0)
		return false;

	begin_learning(pool);
	if (next_xid() - start->next_xid > MAX_DOUBT_AGE)
	{
		start->position = start->doubts[0].first;
		start->ndoubts = 0;
		return false;
	}

	snapshot = RegisterSnapshot(GetLatestSnapshot());
	for (int i = 0; i < start->ndoubts; i++)
	{
		Doubt		doubt = start->doubts[i];

		if (reserved || is_running(doubt.xid, snapshot))
			start->doubts[kept++] = doubt;
		else if (doubt.first != doubt.last)
		{
			start->position = doubt.first;
			break;
		}
		else if (look_again(search, &doubt, &reserved))
			start->doubts[kept++] = doubt;
	}
	start->ndoubts = kept;
	UnregisterSnapshot(snapshot);
	return reserved;
}

/*
 * Looks at the one position of a doubt whose transaction has ended, and
 * reserves an account there if it can.  Returns whether anything is left
 * there, so that the doubt has to be kept.  It is looked at each time then,
 * unless all that is left is what another transaction is doing: that one
 * becomes its own.
 */
static bool
look_again(const Search *search, Doubt *doubt, bool *reserved)
{
	Walk		found;

	*reserved = walk(search, doubt->first, doubt->last, &found);
	if (found.clear_to == VERY_END && found.ndoubts == 1)
		*doubt = found.doubts[0];
	return found.clear_to < VERY_END || found.ndoubts > 0;
}

/*
 * Reserves the oldest account from the start of the pool on, and learns from
 * the walk.
 *
 * To begin with the walk goes only twice as far as the last ones had to: the
 * index reads, and checks, all entries of a page that are within its bounds.
 */
static bool
reserve_from_start(const Search *search)
{
	Pool	   *pool = search->pool;
	int64		first = pool->start.position;
	bool		wrote = TransactionIdIsValid(GetTopTransactionIdIfAny());
	bool		reserved = false;
	Walk		found;

	if (first >= settled)
		settle();

	if (first > VERY_START)
		reserved = walk(search, first,
						first + Max(2 * pool->reach, SHORT_REACH), &found);
	if (!reserved)
		reserved = walk(search, first, VERY_END, &found);
	if (reserved)
		pool->reach = first > VERY_START ?
			Max(found.reserved - first, pool->reach / 2) : 0;

	if (may_learn(pool))
	{
		learn(pool, &found);

		/* What this transaction changed before, the walk took for dead. */
		if (found.is_long && !wrote)
			keep(pool, &found);
	}

	if (!reserved && first > VERY_START)
		reserved = walk_fully(search);
	return reserved;
}

/* How many transactions there have been. */
static uint64
next_xid(void)
{
	return U64FromFullTransactionId(ReadNextFullTransactionId());
}

/*
 * Whether a transaction, which was running once, is running still.
 */
static bool
is_running(TransactionId xid, Snapshot snapshot)
{
	/* Younger than any that has ended. */
	if (TransactionIdFollowsOrEquals(xid, snapshot->xmax))
		return TransactionIdIsInProgress(xid);
	if (!XidInMVCCSnapshot(xid, snapshot))
		return false;
	/* Then a subtransaction that has aborted goes by its parent. */
	return !(snapshot->suboverflowed && TransactionIdDidAbort(xid));
}

/*
 * Walks along the ready accounts of a pool between two positions until one
 * can be reserved, and tells what was seen on the way.
 */
static bool
walk(const Search *search, int64 first, int64 last, Walk *walk)
{
	AccountTable *table = search->table;
	int64		buffers = pgBufferUsage.shared_blks_hit +
		pgBufferUsage.shared_blks_read;
	SnapshotData dirty;
	IndexScanDesc scan;
	bool		reserved = false;
	bool		gave_up = false;

	walk->clear_to = VERY_END;
	walk->ndoubts = 0;

	InitDirtySnapshot(dirty);
	scan = begin_walk(search, &dirty, first, last);
	while (!reserved && !gave_up &&
		   index_getnext_slot(scan, ForwardScanDirection, table->found))
	{
		bool		isnull;
		Datum		value = slot_getattr(table->found, Anum_account_position,
										 &isnull);
		int64		position = DatumGetInt64(value);

		CHECK_FOR_INTERRUPTS();

		/* Being inserted, or being changed, by somebody else? */
		if (TransactionIdIsValid(dirty.xmin))
			add_doubt(walk, position, dirty.xmin);
		else if (TransactionIdIsValid(dirty.xmax))
			add_doubt(walk, position, dirty.xmax);
		else
		{
			/* Others may have this position, too, and may be free again. */
			stay_before(walk, position);
			gave_up = !search->is_last && something_arrived(search);
			reserved = !gave_up && awspool_try_lock_found(table);
			walk->reserved = position;
		}
	}
	index_endscan(scan);

	walk->is_long = pgBufferUsage.shared_blks_hit +
		pgBufferUsage.shared_blks_read - buffers > LONG_WALK;
	return reserved;
}

static IndexScanDesc
begin_walk(const Search *search, Snapshot snapshot, int64 first, int64 last)
{
	Relation	index = search->index;
	const PoolKey *pool = &search->pool->key;
	ScanKeyData keys[4];
	IndexScanDesc scan;

	ScanKeyEntryInitialize(&keys[0], 0, 1, BTEqualStrategyNumber, InvalidOid,
						   index->rd_indcollation[0], F_TEXTEQ,
						   CStringGetTextDatum(pool->provider));
	ScanKeyEntryInitialize(&keys[1], 0, 2, BTEqualStrategyNumber, InvalidOid,
						   index->rd_indcollation[1], F_TEXTEQ,
						   CStringGetTextDatum(pool->marketplace));
	ScanKeyEntryInitialize(&keys[2], 0, 3, BTGreaterEqualStrategyNumber,
						   InvalidOid, InvalidOid, F_INT8GE,
						   Int64GetDatum(first));
	ScanKeyEntryInitialize(&keys[3], 0, 3, BTLessEqualStrategyNumber,
						   InvalidOid, InvalidOid, F_INT8LE,
						   Int64GetDatum(last));

	scan = awspool_index_beginscan(search->table->rel, index, snapshot,
								   lengthof(keys));
	index_rescan(scan, keys, lengthof(keys), NULL, 0);
	return scan;
}

/* Neighbours that wait for the same transaction are one doubt. */
static void
add_doubt(Walk *walk, int64 position, TransactionId xid)
{
	int			n = walk->ndoubts;

	if (position >= walk->clear_to)
		return;
	if (n > 0 && walk->doubts[n - 1].xid == xid)
		walk->doubts[n - 1].last = position;
	else if (n < MAX_DOUBTS)
		walk->doubts[walk->ndoubts++] = (Doubt) {position, position, xid};
	else
		stay_before(walk, position);
}

/* What is at this position, or behind it, has still to be looked at. */
static void
stay_before(Walk *walk, int64 position)
{
	walk->clear_to = Min(walk->clear_to, position);
}

/*
 * Whether anything can be learnt of a pool, and kept for others, at all.
 */
static bool
may_learn(const Pool *pool)
{
	return pool->arrivals >= 0 && !awspool_has_arrived(pool->count) &&
		settled > VERY_START;
}

/*
 * Moves the start of a pool to where a walk from there has shown that nothing
 * can be claimed before, but no further than what was settled before it.
 *
 * After a short walk the start rather stays in front of the doubts: to look at
 * a few entries again is cheaper than to look each of them up.
 */
static void
learn(Pool *pool, const Walk *walk)
{
	Start	   *start = &pool->start;
	int64		position = Min(walk->clear_to, settled + 1);
	int			room = walk->is_long ? MAX_DOUBTS - start->ndoubts : 0;

	begin_learning(pool);
	if (room < walk->ndoubts)
		position = Min(position, walk->doubts[room].first);

	for (int i = 0; i < walk->ndoubts && walk->doubts[i].first < position; i++)
	{
		Doubt		doubt = walk->doubts[i];

		doubt.last = Min(doubt.last, position - 1);
		if (start->ndoubts == 0)
			start->next_xid = next_xid();
		start->doubts[start->ndoubts++] = doubt;
	}
	start->position = Max(start->position, position);
}

/*
 * Keeps what was learnt from a long walk for backends to come: nothing can be
 * claimed before the oldest doubt, what was reserved, and what is not settled.
 */
static void
keep(const Pool *pool, const Walk *walk)
{
	const Start *start = &pool->start;
	int64		position = Min(walk->clear_to, settled + 1);

	/* All doubts of the walk are there, or those that there was room for. */
	if (start->ndoubts > 0)
		position = Min(position, start->doubts[0].first);
	awspool_keep_start(pool->key.provider, pool->key.marketplace, position,
					   pool->arrivals);
}

/*
 * Keeps what was known of a pool before this transaction, which may abort.
 */
static void
begin_learning(Pool *pool)
{
	if (pool->learnt)
		return;
	pool->before.position = pool->start.position;
	pool->before.ndoubts = pool->start.ndoubts;
	pool->before.next_xid = pool->start.next_xid;
	memcpy(pool->before.doubts, pool->start.doubts,
		   pool->start.ndoubts * sizeof(Doubt));
	pool->learnt = true;
	pool->next_learnt = learnt_pools;
	learnt_pools = pool;
}

/*
 * Tries to find more positions settled (3. above).
 */
static void
settle(void)
{
	Oid			sequence = awspool_relation("account_position");

	/* Our own lock does not conflict with that which nextval() took for us. */
	if (awspool_is_storing() || awspool_last_drawn(sequence) == settled)
		return;
	if (!ConditionalLockRelationOid(sequence, ShareLock))
		return;
	settled = awspool_last_drawn(sequence);
	UnlockRelationOid(sequence, ShareLock);
}

/*
 * Walks a pool from the very start before it is called empty, if that was not
 * done lately.  If there is an account after all, what we know is worth
 * nothing, and was not before this transaction either.
 */
static bool
walk_fully(const Search *search)
{
	Pool	   *pool = search->pool;
	TimestampTz began = GetCurrentTimestamp();
	TimestampTz ended;
	Walk		found;
	bool		reserved;

	if (began < pool->next_full_walk)
		return false;

	reserved = walk(search, VERY_START, VERY_END, &found);
	ended = GetCurrentTimestamp();
	pool->next_full_walk = ended + Max(FULL_WALK_INTERVAL,
									   FULL_WALK_SHARE * (ended - began));
	if (reserved)
	{
		forget_pool(pool);
		settled = VERY_START;
	}
	return reserved;
}

static void
end_transaction(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			unlearn();
			break;
		case XACT_EVENT_COMMIT:
			break;
		default:
			return;
	}

	for (Pool *pool = learnt_pools; pool != NULL; pool = pool->next_learnt)
		pool->learnt = false;
	learnt_pools = NULL;
}

static void
end_subtransaction(SubXactEvent event, SubTransactionId subid,
				   SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		unlearn();
}

/*
 * Forgets what was learnt in this transaction (2. above).
 */
static void
unlearn(void)
{
	for (Pool *pool = learnt_pools; pool != NULL; pool = pool->next_learnt)
		pool->start = pool->before;
}
