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
 * 4. It arrives at a position that was not drawn just then: it is moved to
 *	  another marketplace, or its row comes from a restore, a replica's
 *	  publisher or somebody's hand.  An update may also put a new version of a
 *	  ready row into the index behind the back of a scan that has read that
 *	  index page, but not yet found the old version dead.  Each transaction
 *	  with such an arrival counts it when all its index entries exist and it
 *	  has not committed yet, for everybody to see at once; who sees another
 *	  count starts over everywhere.
 *
 * A new table (CREATE EXTENSION, TRUNCATE) starts over as well.  A new
 * backend knows only what pool_start.c has kept, and a crash or a promotion
 * leaves nothing of either.
 *
 * Before a pool is called empty it is walked from the very start, at a
 * limited rate.
 *
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

#include "access/htup_details.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/xact.h"
#include "commands/sequence.h"
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
#define SHORT_REACH			32

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
	char		provider[AWSPOOL_NAME_LENGTH + 1];
	char		marketplace[AWSPOOL_NAME_LENGTH + 1];
} PoolKey;

typedef struct Pool
{
	PoolKey		key;
	Start		start;
	Start		before;			/* before this transaction, if "learnt" */
	bool		learnt;			/* in this transaction; then in the list */
	struct Pool *next_learnt;
	int64		reach;			/* how far the last account was from there */
	TimestampTz next_full_walk;
} Pool;

/* What a walk along the index found. */
typedef struct Walk
{
	Start		seen;			/* nothing to be claimed before it */
	int64		reserved;		/* the position that was, or VERY_END */
	bool		pinned;			/* seen.position does not move any more */
	bool		blocked;		/* somebody else was about to take a row */
	bool		is_long;
} Walk;

/*
 * All that this backend remembers.  It holds for the table, its file and the
 * count of arrivals noted here.
 */
static HTAB *pools = NULL;
static Oid	pools_table = InvalidOid;
static Oid	pools_file = InvalidOid;
static int64 pools_arrivals = 0;

/* Every position up to this one is in the index, if it ever will be. */
static int64 settled = VERY_START;

/* The pools about which something was learnt in this transaction. */
static Pool *learnt_pools = NULL;

/* Whether an account arrived in this transaction (4. above). */
static bool arrived = false;

/*
 * The statement that is storing accounts, whose positions are drawn meanwhile
 * (3. above), or NULL.  A trigger of the owner's may call for another one.
 */
typedef struct Storing
{
	struct Storing *outer;
	SubTransactionId subid;
	int64		from;			/* the last position drawn before */
} Storing;

static Storing *storing = NULL;

static Pool *get_pool(Relation rel, const char *provider,
					  const char *marketplace);
static int64 noted_start(const char *provider, const char *marketplace,
						 int64 arrivals);
static void forget_pools(void);
static bool reserve_doubtful(AccountTable *table, Relation index, Pool *pool);
static bool reserve_from_start(AccountTable *table, Relation index,
							   Pool *pool);
static uint64 next_xid(void);
static bool is_running(TransactionId xid, Snapshot snapshot);
static bool walk(AccountTable *table, Relation index, const PoolKey *pool,
				 int64 first, int64 last, Walk *walk);
static IndexScanDesc begin_walk(Relation rel, Relation index,
								Snapshot snapshot, const PoolKey *pool,
								int64 first, int64 last);
static void add_doubt(Walk *walk, int64 position, TransactionId xid);
static void pin(Walk *walk, int64 position);
static void refuse_edited(AccountTable *table);
static void learn(Pool *pool, const Walk *walk);
static void keep(Pool *pool, const Walk *walk);
static void begin_learning(Pool *pool);
static void settle(void);
static bool walk_fully(AccountTable *table, Relation index, Pool *pool);
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
 * if there is none.
 */
bool
awspool_reserve_oldest(AccountTable *table, const char *provider,
					   const char *marketplace)
{
	Relation	index = awspool_open_index("account_ready", RowExclusiveLock);
	bool		reserved;

	do
	{
		Pool	   *pool = get_pool(table->rel, provider, marketplace);

		CHECK_FOR_INTERRUPTS();
		reserved = reserve_doubtful(table, index, pool) ||
			reserve_from_start(table, index, pool);

		/* An arrival may have slipped by while we walked. */
	} while (!reserved && awspool_arrivals() != pools_arrivals);

	index_close(index, NoLock);
	return reserved;
}

/*
 * To be called before and after a statement that stores accounts, and lets
 * the sequence draw their positions meanwhile.  If the statement fails, the
 * abort of the transaction or savepoint stands for the second call.
 */
void
awspool_begin_storing(void)
{
	Storing    *inner = MemoryContextAlloc(TopTransactionContext,
										   sizeof(Storing));

	inner->outer = storing;
	inner->subid = GetCurrentSubTransactionId();
	inner->from = awspool_last_drawn(awspool_relation("account_position"));
	storing = inner;
}

void
awspool_end_storing(void)
{
	Storing    *inner = storing;

	storing = inner->outer;
	pfree(inner);
}

/*
 * Whether a function of the extension is storing accounts.
 */
bool
awspool_is_storing(void)
{
	return storing != NULL;
}

/*
 * Notes that a ready account was inserted in this transaction, at that
 * position, or is about to be updated (PG_INT64_MIN), and may end up before
 * somebody's start.
 */
void
awspool_note_arrival(int64 position)
{
	if (storing == NULL || position <= storing->from)
		arrived = true;
}

/*
 * What this backend remembers of a pool.
 */
static Pool *
get_pool(Relation rel, const char *provider, const char *marketplace)
{
	int64		arrivals = awspool_arrivals();
	PoolKey		key;
	Pool	   *pool;
	bool		known;

	if (pools == NULL || arrived || arrivals < 0 ||
		pools_arrivals != arrivals ||
		pools_table != RelationGetRelid(rel) ||
		pools_file != rel->rd_rel->relfilenode ||
		hash_get_num_entries(pools) >= MAX_POOLS)
	{
		forget_pools();
		pools_arrivals = arrivals;
		pools_table = RelationGetRelid(rel);
		pools_file = rel->rd_rel->relfilenode;
	}

	memset(&key, 0, sizeof(key));
	strlcpy(key.provider, provider, sizeof(key.provider));
	strlcpy(key.marketplace, marketplace, sizeof(key.marketplace));
	pool = hash_search(pools, &key, HASH_ENTER, &known);
	if (!known)
	{
		/* Complete before anything that may fail: the entry stays. */
		pool->start.position = VERY_START;
		pool->start.ndoubts = 0;
		pool->learnt = false;
		pool->reach = 0;
		pool->next_full_walk = GetCurrentTimestamp() + FULL_WALK_INTERVAL;
		if (!arrived)
			pool->start.position = noted_start(provider, marketplace,
											   arrivals);
	}
	return pool;
}

/*
 * What is noted of the start of a pool.  A note from before the sequence was
 * set back, which nobody should do, is of no use.
 */
static int64
noted_start(const char *provider, const char *marketplace, int64 arrivals)
{
	int64		position = awspool_read_start(provider, marketplace, arrivals);
	Oid			sequence = awspool_relation("account_position");

	return position <= awspool_last_drawn(sequence) + 1 ? position :
		VERY_START;
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
 * Looks again at the doubts whose transaction has ended, and reserves the
 * oldest account among them that can be claimed.
 *
 * A doubt of many accounts is an import, say.  Once it has ended, they are the
 * pool's head, and the start moves back to them.
 */
static bool
reserve_doubtful(AccountTable *table, Relation index, Pool *pool)
{
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

		if (!reserved && !is_running(doubt.xid, snapshot))
		{
			Walk		found;

			if (doubt.first != doubt.last)
			{
				start->position = doubt.first;
				break;			/* the later ones are behind the start now */
			}

			reserved = walk(table, index, &pool->key, doubt.first,
							doubt.last, &found);
			if (found.seen.ndoubts + found.blocked + reserved > 1)
			{
				start->position = doubt.first;
				break;			/* several accounts share the position */
			}
			if (found.seen.ndoubts > 0)
				doubt = found.seen.doubts[0];
			else if (!found.blocked && !reserved)
				continue;		/* claimed, by us or by others */
		}
		start->doubts[kept++] = doubt;
	}
	start->ndoubts = kept;
	UnregisterSnapshot(snapshot);
	return reserved;
}

/*
 * Reserves the oldest account from the start of the pool on, and learns from
 * the walk.
 *
 * To begin with the walk goes only twice as far as the last one had to: the
 * index reads, and checks, all entries of a page that are within its bounds.
 */
static bool
reserve_from_start(AccountTable *table, Relation index, Pool *pool)
{
	int64		first = pool->start.position;
	bool		wrote = TransactionIdIsValid(GetTopTransactionIdIfAny());
	bool		reserved = false;
	Walk		found;

	if (first >= settled)
		settle();

	if (first > VERY_START)
		reserved = walk(table, index, &pool->key, first,
						first + Max(2 * pool->reach, SHORT_REACH), &found);
	if (!reserved)
		reserved = walk(table, index, &pool->key, first, VERY_END, &found);
	if (reserved)
		pool->reach = first > VERY_START ? found.reserved - first : 0;
	learn(pool, &found);

	/* What this transaction changed before, the walk took for dead. */
	if (found.is_long && !wrote)
		keep(pool, &found);

	if (!reserved && first > VERY_START)
		reserved = walk_fully(table, index, pool);
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
walk(AccountTable *table, Relation index, const PoolKey *pool,
	 int64 first, int64 last, Walk *walk)
{
	int64		buffers = pgBufferUsage.shared_blks_hit +
		pgBufferUsage.shared_blks_read;
	SnapshotData dirty;
	IndexScanDesc scan;
	bool		reserved = false;

	walk->seen.ndoubts = 0;
	walk->reserved = VERY_END;
	walk->pinned = false;
	walk->blocked = false;

	InitDirtySnapshot(dirty);
	scan = begin_walk(table->rel, index, &dirty, pool, first, last);
	while (!reserved &&
		   index_getnext_slot(scan, ForwardScanDirection, table->found))
	{
		bool		isnull;
		int64		position = DatumGetInt64(slot_getattr(table->found,
														  Anum_account_position,
														  &isnull));

		CHECK_FOR_INTERRUPTS();

		/* Being inserted, or being changed, by somebody else? */
		if (TransactionIdIsValid(dirty.xmin))
			add_doubt(walk, position, dirty.xmin);
		else if (TransactionIdIsValid(dirty.xmax))
			add_doubt(walk, position, dirty.xmax);
		else if (awspool_try_lock_found(table))
		{
			refuse_edited(table);
			reserved = true;
			walk->reserved = position;
			pin(walk, position);	/* others may have the same position */
		}
		else
		{
			pin(walk, position);
			walk->blocked = true;
		}
	}
	pin(walk, VERY_END);
	index_endscan(scan);

	walk->is_long = pgBufferUsage.shared_blks_hit +
		pgBufferUsage.shared_blks_read - buffers > LONG_WALK;
	return reserved;
}

static IndexScanDesc
begin_walk(Relation rel, Relation index, Snapshot snapshot,
		   const PoolKey *pool, int64 first, int64 last)
{
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

	scan = awspool_index_beginscan(rel, index, snapshot, lengthof(keys));
	index_rescan(scan, keys, lengthof(keys), NULL, 0);
	return scan;
}

/* Neighbours that wait for the same transaction are one doubt. */
static void
add_doubt(Walk *walk, int64 position, TransactionId xid)
{
	Start	   *seen = &walk->seen;

	if (walk->pinned)
		return;
	if (seen->ndoubts > 0 && seen->doubts[seen->ndoubts - 1].xid == xid)
		seen->doubts[seen->ndoubts - 1].last = position;
	else if (seen->ndoubts < MAX_DOUBTS)
		seen->doubts[seen->ndoubts++] = (Doubt) {position, position, xid};
	else
		pin(walk, position);
}

/* What is at this position, or behind it, has still to be looked at. */
static void
pin(Walk *walk, int64 position)
{
	if (walk->pinned)
		return;
	walk->pinned = true;
	walk->seen.position = position;
}

/*
 * To a transaction that has one snapshot for all its commands, an account that
 * was edited since would appear twice: as it was then, and as claimed.
 */
static void
refuse_edited(AccountTable *table)
{
	HeapTuple	tuple = ((BufferHeapTupleTableSlot *) table->found)->base.tuple;

	if (tuple->t_data->t_infomask & HEAP_UPDATED)
		awspool_check_snapshot(table);
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
	int64		position = walk->seen.position;

	if (arrived || pools_arrivals < 0 || settled == VERY_START)
		return;
	position = Min(position, settled + 1);

	begin_learning(pool);
	for (int i = 0; i < walk->seen.ndoubts; i++)
	{
		Doubt		doubt = walk->seen.doubts[i];

		if (doubt.first >= position)
			break;
		if (!walk->is_long || start->ndoubts == MAX_DOUBTS)
		{
			position = doubt.first;
			break;
		}
		doubt.last = Min(doubt.last, position - 1);
		if (start->ndoubts == 0)
			start->next_xid = next_xid();
		start->doubts[start->ndoubts++] = doubt;
	}
	start->position = Max(start->position, position);
}

/*
 * Keeps what a long walk has found for backends to come: nothing can be
 * claimed before the first account that is in doubt, or was reserved.
 */
static void
keep(Pool *pool, const Walk *walk)
{
	int64		position = Min(walk->seen.position, walk->reserved);

	if (arrived || pools_arrivals < 0 || settled == VERY_START)
		return;
	if (walk->seen.ndoubts > 0)
		position = Min(position, walk->seen.doubts[0].first);
	if (pool->start.ndoubts > 0)
		position = Min(position, pool->start.doubts[0].first);
	awspool_keep_start(pool->key.provider, pool->key.marketplace,
					   Min(position, settled + 1), pools_arrivals);
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
	if (storing != NULL || awspool_last_drawn(sequence) == settled)
		return;
	if (!ConditionalLockRelationOid(sequence, ShareLock))
		return;
	settled = awspool_last_drawn(sequence);
	UnlockRelationOid(sequence, ShareLock);
}

/*
 * Walks a pool from the very start before it is called empty, if that was not
 * done lately.  If there is an account after all, what we know is worth nothing.
 */
static bool
walk_fully(AccountTable *table, Relation index, Pool *pool)
{
	TimestampTz began = GetCurrentTimestamp();
	TimestampTz ended;
	Walk		found;
	bool		reserved;

	if (began < pool->next_full_walk)
		return false;

	reserved = walk(table, index, &pool->key, VERY_START, VERY_END, &found);
	ended = GetCurrentTimestamp();
	pool->next_full_walk = ended + Max(FULL_WALK_INTERVAL,
									   FULL_WALK_SHARE * (ended - began));
	if (reserved)
	{
		pool->start.position = VERY_START;
		pool->start.ndoubts = 0;
		settled = VERY_START;
	}
	return reserved;
}

static void
end_transaction(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
		case XACT_EVENT_PRE_PREPARE:
			if (arrived)
				awspool_count_arrival();
			return;
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
	arrived = false;
	storing = NULL;				/* its memory goes with the transaction */
}

static void
end_subtransaction(SubXactEvent event, SubTransactionId subid,
				   SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
	{
		unlearn();
		while (storing != NULL && storing->subid >= subid)
			awspool_end_storing();
	}
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
