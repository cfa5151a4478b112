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
 *	  There may be thousands of such accounts, and a claim must not cost more
 *	  for that.  So neighbours that wait for the same transaction are one
 *	  doubt, and which of the transactions have ended is asked for all at
 *	  once, by a snapshot; and not even that if no transaction at all has
 *	  ended since.  Savepoints count for the transaction that they are part
 *	  of.  They may be rolled back before it ends, which no snapshot tells
 *	  for sure.  Whoever does that tells everybody (arrival.c), and then all
 *	  doubts in savepoints are looked at again.  The message goes out before
 *	  the client hears that the rollback is done.
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
 * So nothing before a start need be looked at ever again, and a claim that
 * finds nothing from there on may say so.  But somebody may do what nobody
 * should, such as to set the sequence back, and then a start is wrong.  That
 * must not last.  So whoever is about to say that a pool is empty looks back:
 * at a slice of what is before the start, of so many buffers and no more, as
 * there may be a million dead entries.  The next one goes on where it ended,
 * at a limited rate, and begins anew when all was seen.
 *
 * A slice is no part of the answer: what earlier ones have passed may have
 * changed since.  It only tells whether the start can be believed.  That it
 * cannot, says an account that can be claimed, is not in doubt and has not
 * just arrived.  It is not taken, since there may be an older one elsewhere.
 * All is forgotten instead, and the pool walked from the very start.
 *
 * A batch of claims reserves many accounts in one walk.  A locked row still
 * looks like one that can be claimed, so no second walk may come by before
 * those have been changed: once something is reserved, the search ends with
 * the walk, and the caller asks again for what is missing.
 *
 * test/model/claim.pml is a model of all this, without batches: doc/model.md.
 * Each of these switches takes out of it what is said above, and "make model"
 * sees that something breaks:
 *
 *	 1.			NO_STAY_BEFORE_LOCKED, STAY_BEHIND_RESERVED, NO_LOOK_AGAIN,
 *				DROP_RESERVED_DOUBT, WAIT_FOR_ENDED, NO_TELL_UNDONE,
 *				TELL_BEFORE
 *	 2.			NO_UNLEARN_ABORT, NO_UNLEARN_SAVEPOINT, NO_UNLEARN_PREPARE
 *	 3.			LEARN_UNSETTLED, SETTLE_AFTER_WALK, LOCK_AFTER_DRAWING
 *	 4.			NO_COUNT, COUNT_BEFORE_ENTRY, COUNT_AFTER_COMMIT,
 *				NO_OWN_FORGET, FORGET_NOT_BEFORE
 *	 under way	NO_COUNT_BEFORE_LOCK, NO_RETRY
 *	 notes		NOTE_OVER_DOUBTS, NOTE_OVER_OLDER_DOUBTS, NOTE_OVER_PASSED,
 *				NOTE_OWN_CHANGES, NOTE_OF_ANY_COUNT, NOTE_UNSETTLED
 *	 slices		SLICE_OVER_DOUBTS, SLICE_IN_ANY_CASE, SLICE_ONCE, SLICE_TAKES,
 *				SLICE_LEAVES_START, SLICE_LEAVES_SETTLED
 *
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

#include "access/subtrans.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/xact.h"
#include "executor/instrument.h"
#include "lib/qunique.h"
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
#define MAX_DOUBTS			16384

/* And the memory that they take, of all pools; then all are forgotten. */
#define MAX_DOUBT_MEMORY	((Size) 64 * 1024 * 1024)

/* Doubts for which a walk has room to begin with. */
#define FEW_DOUBTS			128

/* A walk that touched more buffers than this was long. */
#define LONG_WALK			16

/*
 * So was one that passed more accounts in doubt than LONG_QUEUE; or than
 * LONG_BATCH, BATCH_SIZE of them in a row for one transaction.
 */
#define LONG_QUEUE			FEW_DOUBTS
#define LONG_BATCH			32
#define BATCH_SIZE			4

/* Ended doubts that are so near each other are looked at in one walk. */
#define NEAR_DOUBTS			8

/* Pools that are remembered, at most; then all are forgotten. */
#define MAX_POOLS			4096

/* What is before the start of a pool is seen no more often than this. */
#define LOOK_BACK_INTERVAL	(1 * USECS_PER_SEC)

/* And looked at for no more than this part of the time. */
#define LOOK_BACK_SHARE		100

/* A slice of it ends at the next position, once it touched so many buffers. */
#define SLICE_BUFFERS		256

/* Doubts are remembered for so many transactions: ids come again. */
#define MAX_DOUBT_AGE		(UINT64CONST(1) << 30)

/* A walk goes at least so far in search of the next account. */
#define SHORT_REACH			8

/* Where a pool's start is, is kept after so many short walks, too. */
#define KEEP_EVERY			256

/* So often a claim looks at a pool, if something arrives each time. */
#define MAX_TRIES			4

#define VERY_START			PG_INT64_MIN
#define VERY_END			PG_INT64_MAX

/* Accounts that a running transaction is inserting or changing. */
typedef struct Doubt
{
	int64		first;			/* positions; nothing else is between them */
	int64		last;
	TransactionId xid;			/* the topmost; invalid: look in any case */
	bool		in_savepoint;	/* of that transaction; may be undone first */
} Doubt;

/* Doubts that are being gathered, oldest first. */
typedef struct Doubts
{
	Doubt	   *items;
	int			n;
	int			max;
} Doubts;

/*
 * Doubts that are remembered, oldest first.  A list is not changed, but
 * replaced, so that what held before this transaction need not be copied.
 */
typedef struct DoubtList
{
	uint64		next_xid;		/* when the oldest was noted */
	uint64		undone;			/* what was undone then (arrival.c) */
	uint64		completions;	/* all xids run as long as this stays */
	bool		in_savepoint;	/* one of them is */
	bool		look;			/* one has to be looked at in any case */
	int			nxids;
	TransactionId *xids;		/* whom they wait for, each once, in order */
	int		   *places;			/* where each was in the last snapshot */
	int			ndoubts;
	Doubt		doubts[FLEXIBLE_ARRAY_MEMBER];
} DoubtList;

/* The transactions of a list that have ended, in order. */
typedef struct Ended
{
	TransactionId *xids;
	int			nxids;
	bool		savepoints;		/* or some savepoint of any of the others */
} Ended;

/* Where to start, and what before that is still in doubt. */
typedef struct Start
{
	int64		position;
	DoubtList  *doubts;			/* NULL: nothing is */
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
	Start		before;			/* before this transaction */
	bool		learnt;			/* in this transaction; then in the list */
	struct Pool *next_learnt;
	int64		reach;			/* how far the last account was from there */
	int			unkept;			/* walks since the start was kept */
	int64		seen_to;		/* to there slices have looked before it */
	TimestampTz next_slice;
} Pool;

/* A search for the oldest accounts of a pool. */
typedef struct Search
{
	AccountTable *table;
	Relation	index;
	ArrivalCounts counts;
	Pool	   *pool;
	uint64		undone;			/* what was undone when it began */
	bool		is_last;		/* takes what it finds, whatever arrives */
	ItemPointer reserved;		/* the rows that were locked */
	int			nreserved;
	int			wanted;			/* so many, at most */
} Search;

/*
 * What a walk along the index found: before a position there is nothing to be
 * claimed but these doubts.
 */
typedef struct Walk
{
	int64		clear_to;		/* VERY_END: to where the walk was to end */
	Doubts		doubts;
	int			nresolved;		/* so many of them know their topmost xid */
	int			npassed;		/* accounts in doubt */
	int64		reserved;		/* at which position the first was */
	bool		is_long;
	Doubt		few[FEW_DOUBTS];
} Walk;

/* The pools that this backend remembers, of this table and its file. */
static HTAB *pools = NULL;
static Oid	pools_table = InvalidOid;
static Oid	pools_file = InvalidOid;

/* What they have doubts in. */
static MemoryContext doubts_context = NULL;

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
static void set_start(Pool *pool, Start *which, Start to);
static int64 noted_start(const Pool *pool);
static bool something_arrived(const Search *search);
static bool is_satisfied(const Search *search);
static void reserve_doubtful(Search *search);
static bool find_ended(const Search *search, DoubtList *list, Ended *ended);
static bool has_ended(const Doubt *doubt, const Ended *ended);
static int	end_of_group(const DoubtList *list, int i, const Ended *ended);
static void look_again(Search *search, int64 first, int64 last,
					   Doubts *left);
static void reserve_from_start(Search *search);
static uint64 next_xid(void);
static bool is_running(TransactionId xid, int *place, Snapshot snapshot);
static void search_between(Search *search, int64 first, int64 last,
						   Walk *walk);
static void walk_along(Search *search, int64 first, int64 last, Walk *walk);
static bool reserve_found(Search *search);
static IndexScanDesc begin_walk(const Search *search, Snapshot snapshot,
								int64 first, int64 last, bool want_entries);
static int64 buffers_touched(void);
static void add_doubt(Walk *walk, int64 position, TransactionId xid);
static void resolve_savepoints(Walk *walk);
static bool was_long(const Walk *walk, int64 buffers);
static void stay_before(Walk *walk, int64 position);
static void append_doubt(Doubts *doubts, Doubt doubt);
static DoubtList *make_list(const Doubts *doubts, uint64 undone,
							const DoubtList *old);
static bool may_learn(const Pool *pool);
static void learn(const Search *search, Walk *walk);
static void keep(const Pool *pool);
static void begin_learning(Pool *pool);
static void settle(void);
static bool look_back(Search *search);
static bool look_at_slice(Search *search);
static bool is_wrong(IndexScanDesc scan, const SnapshotData *dirty,
					 TupleTableSlot *account);
static int64 position_of_entry(IndexScanDesc scan);
static bool is_in_doubt(const DoubtList *list, int64 position, int *i);
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
	ItemPointerData row;

	if (awspool_reserve_many(table, provider, marketplace, &row, 1) == 0)
		return false;

	/* An older row of the account, which the snapshot shows, would stay. */
	awspool_check_shown_once(table->rel, table->found);
	return true;
}

/*
 * The same for so many accounts, the oldest of all first: tells where their
 * rows are, and returns how many.  If they are fewer than wanted, there may be
 * more: the caller changes those, and asks again.  None means that there are
 * none.
 */
int
awspool_reserve_many(AccountTable *table, const char *provider,
					 const char *marketplace, ItemPointer rows, int wanted)
{
	Search		search = {.table = table, .reserved = rows, .wanted = wanted};
	int64		opened = -1;

	search.index = awspool_open_index("account_ready", RowExclusiveLock);
	awspool_open_arrivals(&search.counts);
	for (int tries = 1; tries <= MAX_TRIES; tries++)
	{
		CHECK_FOR_INTERRUPTS();
		search.pool = get_pool(&search, provider, marketplace);
		opened = check_open(&search);
		search.undone = awspool_changes_undone();
		search.is_last = (tries == MAX_TRIES);
		reserve_doubtful(&search);
		if (!is_satisfied(&search))
			reserve_from_start(&search);
		if (search.nreserved == 0 && look_back(&search))
			reserve_from_start(&search);
		if (search.nreserved > 0 || !something_arrived(&search))
			break;
	}
	if (search.nreserved > 0 && table->reserved == NULL)
	{
		table->reserved = palloc(sizeof(Reservation));
		table->reserved->counts = search.counts;
		table->reserved->setting_count = search.pool->setting_count;
		table->reserved->opened = opened;
	}
	else
		awspool_close_arrivals(&search.counts);
	index_close(search.index, NoLock);
	return search.nreserved;
}

/*
 * Leaves a row that was reserved in "found".  False if this transaction has
 * changed it since, as a trigger may, which claimed an account of its own.
 */
bool
awspool_fetch_reserved(AccountTable *table, ItemPointer row)
{
	if (!table_tuple_fetch_row_version(table->rel, row, SnapshotSelf,
									   table->found))
		return false;
	awspool_check_shown_once(table->rel, table->found);
	return true;
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
		hash_get_num_entries(pools) >= MAX_POOLS ||
		MemoryContextMemAllocated(doubts_context, false) > MAX_DOUBT_MEMORY)
	{
		awspool_watch_undone(rel);
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
	if (pool->start.doubts != NULL && pool->start.doubts->in_savepoint)
		awspool_watch_undone(rel);	/* somebody may have made it anew */
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
		pool->start.doubts = pool->before.doubts = NULL;
		forget_pool(pool);
		pool->learnt = false;
		pool->arrivals = -1;
		pool->count = awspool_pool_count(provider, marketplace);
		pool->setting_count = awspool_setting_count(provider);
		pool->opened = -1;
		pool->reach = 0;
		pool->unkept = 0;
		pool->next_slice = GetCurrentTimestamp() + LOOK_BACK_INTERVAL;
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
	Start		nothing = {VERY_START, NULL};

	set_start(pool, &pool->start, nothing);
	set_start(pool, &pool->before, nothing);
	pool->seen_to = VERY_START;
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
	if (doubts_context == NULL)
		doubts_context = AllocSetContextCreate(TopMemoryContext,
											   "awspool doubts",
											   ALLOCSET_DEFAULT_SIZES);
	MemoryContextReset(doubts_context);
	pools = hash_create("awspool starts", 64, &info,
						HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	settled = VERY_START;
}

/*
 * Replaces the start of a pool, or what that was before.  Doubts to which
 * neither refers any more are freed.
 */
static void
set_start(Pool *pool, Start *which, Start to)
{
	DoubtList  *old = which->doubts;

	*which = to;
	if (old != NULL && old != pool->start.doubts &&
		old != pool->before.doubts)
		pfree(old);
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
											  pool->arrivals, NULL);
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

/* Whether as many accounts were reserved as were wanted. */
static bool
is_satisfied(const Search *search)
{
	return search->nreserved == search->wanted;
}

/*
 * Looks again at the doubts whose transaction has ended, or in which a
 * savepoint was rolled back, and reserves the oldest accounts among them that
 * can be claimed.
 *
 * What was claimable there, and more than was wanted, is looked at each time
 * from now on, until there is nothing left.
 */
static void
reserve_doubtful(Search *search)
{
	Pool	   *pool = search->pool;
	DoubtList  *list = pool->start.doubts;
	Doubts		left = {0};
	Start		start = pool->start;
	Ended		ended;

	if (list == NULL)
		return;
	if (next_xid() - list->next_xid > MAX_DOUBT_AGE)
	{
		begin_learning(pool);
		start.position = list->doubts[0].first;
		start.doubts = NULL;
		set_start(pool, &pool->start, start);
		return;
	}
	if (!find_ended(search, list, &ended))
		return;

	begin_learning(pool);
	for (int i = 0; i < list->ndoubts; i++)
	{
		Doubt		doubt = list->doubts[i];
		bool		look = has_ended(&doubt, &ended);

		if (look && !is_satisfied(search))
		{
			i = end_of_group(list, i, &ended);
			look_again(search, doubt.first, list->doubts[i].last, &left);
			continue;
		}
		if (look)
			doubt.xid = InvalidTransactionId;
		append_doubt(&left, doubt);
	}
	start.doubts = make_list(&left, search->undone, list);
	set_start(pool, &pool->start, start);
}

/*
 * Finds what has ended of that for which a list waits; false if nothing has.
 * As long as no transaction at all has ended since we looked, that is at hand.
 */
static bool
find_ended(const Search *search, DoubtList *list, Ended *ended)
{
	Snapshot	snapshot = GetLatestSnapshot();

	ended->xids = NULL;
	ended->nxids = 0;
	ended->savepoints = list->in_savepoint && list->undone != search->undone;
	if (list->completions != snapshot->snapXactCompletionCount)
	{
		ended->xids = palloc(list->nxids * sizeof(TransactionId));
		for (int i = 0; i < list->nxids; i++)
		{
			if (!is_running(list->xids[i], &list->places[i], snapshot))
				ended->xids[ended->nxids++] = list->xids[i];
		}
		if (ended->nxids == 0)
			list->completions = snapshot->snapXactCompletionCount;
	}
	return ended->nxids > 0 || ended->savepoints || list->look;
}

/* Whether a doubt has to be looked at again. */
static bool
has_ended(const Doubt *doubt, const Ended *ended)
{
	if (!TransactionIdIsValid(doubt->xid) ||
		(doubt->in_savepoint && ended->savepoints))
		return true;
	return ended->nxids > 0 &&
		bsearch(&doubt->xid, ended->xids, ended->nxids,
				sizeof(TransactionId), xidComparator) != NULL;
}

/*
 * The last of the doubts that are looked at together with the i-th: a walk
 * costs more than to step over a few that have not ended.
 */
static int
end_of_group(const DoubtList *list, int i, const Ended *ended)
{
	int			last = i;

	while (++i < list->ndoubts && i <= last + NEAR_DOUBTS)
	{
		if (has_ended(&list->doubts[i], ended) ||
			list->doubts[i].first <= list->doubts[last].last)
			last = i;
	}
	return last;
}

/*
 * Looks again at what was in doubt between two positions, reserves what is
 * wanted of it, and notes what is in doubt now, or left to be looked at.
 */
static void
look_again(Search *search, int64 first, int64 last, Doubts *left)
{
	Walk		found;

	search_between(search, first, last, &found);
	resolve_savepoints(&found);
	for (int i = 0; i < found.doubts.n; i++)
		append_doubt(left, found.doubts.items[i]);
	if (found.clear_to < VERY_END)
		append_doubt(left, (Doubt) {found.clear_to, last,
			InvalidTransactionId, false});
}

/*
 * Reserves the oldest accounts from the start of the pool on, and learns from
 * the walk.
 */
static void
reserve_from_start(Search *search)
{
	Pool	   *pool = search->pool;
	int64		first = pool->start.position;
	int			before = search->nreserved;
	bool		wrote = TransactionIdIsValid(GetTopTransactionIdIfAny());
	Walk		found;

	if (first >= settled)
		settle();

	search_between(search, first, VERY_END, &found);
	if (search->nreserved > before)
		pool->reach = first > VERY_START ?
			Max(found.reserved - first, pool->reach / 2) : 0;

	if (may_learn(pool))
	{
		learn(search, &found);

		/* What this transaction changed before, the walk took for dead. */
		if ((found.is_long || ++pool->unkept >= KEEP_EVERY) && !wrote)
		{
			keep(pool);
			pool->unkept = 0;
		}
	}
}

/* How many transactions there have been. */
static uint64
next_xid(void)
{
	return U64FromFullTransactionId(ReadNextFullTransactionId());
}

/*
 * Whether a transaction, which was running once, is running still.  Those of
 * the snapshot keep their places in it for as long as they last, more or less.
 */
static bool
is_running(TransactionId xid, int *place, Snapshot snapshot)
{
	/* Younger than any that has ended. */
	if (TransactionIdFollowsOrEquals(xid, snapshot->xmax))
		return TransactionIdIsInProgress(xid);
	if (TransactionIdPrecedes(xid, snapshot->xmin))
		return false;
	if (*place < (int) snapshot->xcnt && snapshot->xip[*place] == xid)
		return true;
	for (int i = 0; i < (int) snapshot->xcnt; i++)
	{
		if (snapshot->xip[i] == xid)
		{
			*place = i;
			return true;
		}
	}
	return false;
}

/*
 * Walks along the ready accounts of a pool between two positions.
 *
 * Where one is wanted, the walk goes to begin with only twice as far as the
 * last ones had to: the index reads, and checks, all entries of a page that
 * are within its bounds.
 */
static void
search_between(Search *search, int64 first, int64 last, Walk *walk)
{
	int64		reach = Max(2 * search->pool->reach, SHORT_REACH);

	if (search->wanted == 1 && first > VERY_START && first + reach < last)
		walk_along(search, first, first + reach, walk);
	if (!is_satisfied(search))
		walk_along(search, first, last, walk);
}

/*
 * Walks along the ready accounts of a pool between two positions until enough
 * could be reserved, and tells what was seen on the way.
 */
static void
walk_along(Search *search, int64 first, int64 last, Walk *walk)
{
	AccountTable *table = search->table;
	int64		buffers = buffers_touched();
	int			before = search->nreserved;
	SnapshotData dirty;
	IndexScanDesc scan;
	bool		gave_up = false;

	walk->clear_to = VERY_END;
	walk->doubts = (Doubts) {walk->few, 0, FEW_DOUBTS};
	walk->nresolved = walk->npassed = 0;

	InitDirtySnapshot(dirty);
	scan = begin_walk(search, &dirty, first, last, false);
	while (!gave_up && !is_satisfied(search) &&
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
			if (!gave_up && reserve_found(search) &&
				search->nreserved == before + 1)
				walk->reserved = position;
		}
	}
	index_endscan(scan);

	walk->is_long = was_long(walk, buffers_touched() - buffers);
}

/* Locks the account in "found", if nobody else has. */
static bool
reserve_found(Search *search)
{
	AccountTable *table = search->table;

	if (!awspool_try_lock_found(table))
		return false;
	search->reserved[search->nreserved++] = table->found->tts_tid;
	return true;
}

static IndexScanDesc
begin_walk(const Search *search, Snapshot snapshot, int64 first, int64 last,
		   bool want_entries)
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
	scan->xs_want_itup = want_entries;
	index_rescan(scan, keys, lengthof(keys), NULL, 0);
	return scan;
}

/* By this session, so far. */
static int64
buffers_touched(void)
{
	return pgBufferUsage.shared_blks_hit + pgBufferUsage.shared_blks_read;
}

/*
 * Neighbours that wait for the same transaction are one doubt.  As long as
 * there are few, which savepoint belongs to which transaction does not matter.
 */
static void
add_doubt(Walk *walk, int64 position, TransactionId xid)
{
	Doubts	   *doubts = &walk->doubts;

	if (position >= walk->clear_to)
		return;
	walk->npassed++;
	if (doubts->n > 0 && doubts->items[doubts->n - 1].xid == xid)
	{
		doubts->items[doubts->n - 1].last = position;
		return;
	}
	if (doubts->n == doubts->max)
		resolve_savepoints(walk);
	if (doubts->n < MAX_DOUBTS)
		append_doubt(doubts, (Doubt) {position, position, xid, false});
	else
		stay_before(walk, position);
}

/*
 * Makes doubts wait for the topmost transaction, and neighbours that do so for
 * the same one doubt.
 */
static void
resolve_savepoints(Walk *walk)
{
	Doubts	   *doubts = &walk->doubts;
	int			n = walk->nresolved;

	for (int i = n; i < doubts->n; i++)
	{
		Doubt		doubt = doubts->items[i];
		TransactionId xid = SubTransGetTopmostTransaction(doubt.xid);

		doubt.in_savepoint = (xid != doubt.xid);
		doubt.xid = xid;
		if (n > 0 && doubts->items[n - 1].xid == xid)
		{
			doubts->items[n - 1].last = doubt.last;
			doubts->items[n - 1].in_savepoint |= doubt.in_savepoint;
		}
		else
			doubts->items[n++] = doubt;
	}
	walk->nresolved = doubts->n = n;
}

/* Whether it is worth while not to walk that way again. */
static bool
was_long(const Walk *walk, int64 buffers)
{
	return buffers > LONG_WALK || walk->npassed > LONG_QUEUE ||
		(walk->npassed > LONG_BATCH &&
		 walk->npassed > BATCH_SIZE * walk->doubts.n);
}

/* What is at this position, or behind it, has still to be looked at. */
static void
stay_before(Walk *walk, int64 position)
{
	walk->clear_to = Min(walk->clear_to, position);
}

/*
 * Adds a doubt to those that are gathered, in the memory context of the
 * caller.  What they begin with may be part of something else.
 */
static void
append_doubt(Doubts *doubts, Doubt doubt)
{
	if (doubts->n == doubts->max)
	{
		int			max = Max(2 * doubts->max, FEW_DOUBTS);
		Doubt	   *items = palloc(max * sizeof(Doubt));

		if (doubts->n > 0)
			memcpy(items, doubts->items, doubts->n * sizeof(Doubt));
		if (doubts->max > FEW_DOUBTS)
			pfree(doubts->items);
		doubts->items = items;
		doubts->max = max;
	}
	doubts->items[doubts->n++] = doubt;
}

/*
 * A list of doubts, to be remembered, some of which may be from an old one;
 * NULL if there are none.
 */
static DoubtList *
make_list(const Doubts *doubts, uint64 undone, const DoubtList *old)
{
	Size		size = offsetof(DoubtList, doubts) +
		doubts->n * sizeof(Doubt);
	TransactionId *xids;
	DoubtList  *list;
	int			n = 0;

	if (doubts->n == 0)
		return NULL;

	xids = palloc(doubts->n * sizeof(TransactionId));
	for (int i = 0; i < doubts->n; i++)
	{
		if (TransactionIdIsValid(doubts->items[i].xid))
			xids[n++] = doubts->items[i].xid;
	}
	qsort(xids, n, sizeof(TransactionId), xidComparator);
	n = qunique(xids, n, sizeof(TransactionId), xidComparator);

	/* The three arrays share its memory; what follows each is as aligned. */
	list = MemoryContextAllocZero(doubts_context, size +
								  n * (sizeof(TransactionId) + sizeof(int)));
	list->next_xid = next_xid();
	if (old != NULL)
		list->next_xid = Min(list->next_xid, old->next_xid);
	list->undone = undone;
	list->nxids = n;
	list->xids = (TransactionId *) ((char *) list + size);
	list->places = (int *) (list->xids + n);
	memcpy(list->xids, xids, n * sizeof(TransactionId));
	list->ndoubts = doubts->n;
	memcpy(list->doubts, doubts->items, doubts->n * sizeof(Doubt));
	for (int i = 0; i < doubts->n; i++)
	{
		list->in_savepoint |= doubts->items[i].in_savepoint;
		list->look |= !TransactionIdIsValid(doubts->items[i].xid);
	}
	pfree(xids);
	return list;
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
learn(const Search *search, Walk *walk)
{
	Pool	   *pool = search->pool;
	Start		start = pool->start;
	Doubts		doubts = {0};
	int64		position = Min(walk->clear_to, settled + 1);
	int			room = walk->is_long ? MAX_DOUBTS : 0;

	begin_learning(pool);
	if (walk->is_long)
		resolve_savepoints(walk);
	if (start.doubts != NULL)
		room -= Min(room, start.doubts->ndoubts);
	if (room < walk->doubts.n)
		position = Min(position, walk->doubts.items[room].first);

	if (walk->doubts.n > 0 && walk->doubts.items[0].first < position)
	{
		for (int i = 0; start.doubts != NULL && i < start.doubts->ndoubts; i++)
			append_doubt(&doubts, start.doubts->doubts[i]);
		for (int i = 0; i < walk->doubts.n; i++)
		{
			Doubt		doubt = walk->doubts.items[i];

			doubt.last = Min(doubt.last, position - 1);
			if (doubt.first < position)
				append_doubt(&doubts, doubt);
		}
		start.doubts = make_list(&doubts, search->undone, start.doubts);
	}
	start.position = Max(start.position, position);
	set_start(pool, &pool->start, start);
}

/*
 * Keeps what was learnt from a walk for backends to come, and for readers:
 * nothing can be claimed before the start, and the oldest doubt with it.
 */
static void
keep(const Pool *pool)
{
	const Start *start = &pool->start;
	int64		position = start->position;

	if (start->doubts != NULL)
		position = Min(position, start->doubts->doubts[0].first);
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
	set_start(pool, &pool->before, pool->start);
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
 * Looks at the next slice before the start of a pool that seems to be empty,
 * unless that was done lately.  If it shows that the start is wrong, what we
 * know is worth nothing, and was not before this transaction either: all is
 * forgotten.  True then: the pool is to be walked from the very start.
 */
static bool
look_back(Search *search)
{
	Pool	   *pool = search->pool;
	TimestampTz began;
	TimestampTz ended;

	if (pool->start.position == VERY_START)
		return false;
	began = GetCurrentTimestamp();
	if (began < pool->next_slice)
		return false;

	if (look_at_slice(search))
	{
		forget_pool(pool);
		settled = VERY_START;
		return true;
	}
	ended = GetCurrentTimestamp();
	pool->next_slice = ended + LOOK_BACK_SHARE * (ended - began);
	if (pool->seen_to == VERY_START)
		pool->next_slice = Max(pool->next_slice, ended + LOOK_BACK_INTERVAL);
	return false;
}

/*
 * Goes on to look before the start of a pool, from where the last slice ended
 * to where this one does.  True if the start is wrong.
 *
 * Dead entries are what it is about, so it steps through them itself.  Those
 * that are known to be dead are looked at as well, or else there would be no
 * telling how many pages of them the index passes at once.
 */
static bool
look_at_slice(Search *search)
{
	Pool	   *pool = search->pool;
	int64		first = pool->seen_to;
	int64		enough = buffers_touched() + SLICE_BUFFERS;
	int			doubt = 0;
	bool		found = false;
	SnapshotData dirty;
	IndexScanDesc scan;

	InitDirtySnapshot(dirty);
	scan = begin_walk(search, &dirty, first, pool->start.position - 1, true);
	scan->ignore_killed_tuples = false;
	pool->seen_to = VERY_START; /* if there is nothing left */
	while (!found && index_getnext_tid(scan, ForwardScanDirection) != NULL)
	{
		int64		position = position_of_entry(scan);

		CHECK_FOR_INTERRUPTS();
		if (position > first && buffers_touched() >= enough)
		{
			pool->seen_to = position;
			break;
		}
		found = is_wrong(scan, &dirty, search->table->found) &&
			!is_in_doubt(pool->start.doubts, position, &doubt);
	}
	index_endscan(scan);

	/* What has just arrived makes everybody begin anew, anyhow. */
	return found && !something_arrived(search);
}

/*
 * Whether an account can be claimed that an entry before a start leads to.
 */
static bool
is_wrong(IndexScanDesc scan, const SnapshotData *dirty,
		 TupleTableSlot *account)
{
	do
	{
		if (!index_fetch_heap(scan, account))
			return false;
		if (!TransactionIdIsValid(dirty->xmin) &&
			!TransactionIdIsValid(dirty->xmax))
			return true;
	} while (scan->xs_heap_continue);
	return false;
}

static int64
position_of_entry(IndexScanDesc scan)
{
	bool		isnull;

	return DatumGetInt64(index_getattr(scan->xs_itup, 3, scan->xs_itupdesc,
									   &isnull));
}

/*
 * Whether a position is within a doubt: its transaction may have ended since
 * the doubts were looked at.  The positions that are asked for go up, and "i"
 * is how far in the list they have come.
 */
static bool
is_in_doubt(const DoubtList *list, int64 position, int *i)
{
	if (list == NULL)
		return false;
	while (*i < list->ndoubts && list->doubts[*i].last < position)
		(*i)++;
	return *i < list->ndoubts && list->doubts[*i].first <= position;
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
	{
		set_start(pool, &pool->before, pool->start);
		pool->learnt = false;
	}
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
		set_start(pool, &pool->start, pool->before);
}
