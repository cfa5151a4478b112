/*-------------------------------------------------------------------------
 *
 * arrival.c
 *	  Accounts that come into a pool, and how sessions hear of it; and of
 *	  changes of the pools' settings.
 *
 * An account that is added draws its position just then, and so comes behind
 * all others.  Whatever else puts a ready account into the index is an
 * arrival: it may be before the place where some session starts to look
 * (head.c).  It is moved from another marketplace; its row comes from a
 * restore, a replica's publisher or somebody's hand; its position was drawn
 * long ago, since somebody raised the CACHE of the sequence; or an update puts
 * a new version of it into the index, behind the back of whoever has just read
 * that index page.
 *
 * Each transaction with arrivals counts them for their pools, when all their
 * index entries exist and it has not committed yet.  The counts are the rows
 * of awspool.arrival_count.  They are changed in place, not by updates: an
 * update would become visible only with its transaction, would make others
 * wait, and would gather versions.  Only those have to know of a change who
 * are there, so it is not logged: after a crash nobody is, and no note of
 * pool_start.c is left.
 *
 *	 first row		every transaction with arrivals
 *	 second row		those of them that were counted for their pools, too
 *	 200 rows		the pools whose names have a certain hash
 *	 20 rows		changes of the settings (pool.c) of the providers whose
 *					names have a certain hash
 *
 * Version 1.0 has the first row only, and so counts for all pools together.
 * A session may have its library under our script, or ours under its script.
 * So whoever finds no more than the first row takes that, and the count of a
 * pool is its own row's and, besides, how often the first row went up without
 * the second.  The rows of pools begin far apart, and far from the first: a
 * count of a pool that somebody remembers never comes again when the rows have
 * come meanwhile, or have gone again because the update was rolled back.
 *
 * An account is also there again when a savepoint is rolled back in which it
 * was claimed, edited or deleted.  Others see when a transaction ends, but not
 * when a part of it does.  So whoever rolls back such a savepoint tells them,
 * before the client is told that it is done: by a message that the table
 * awspool.pool_start has changed, which it has not.  That takes no look at any
 * table, for which it is too late then.
 *
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "common/hashfn.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"

/*
 * Rows of pools, and of the providers whose settings change.  The script makes
 * as many, and they fit on one page.
 */
#define POOL_ROWS		200
#define SETTING_ROWS	20

/* The rows on the page, by what is said above; NULL: there is no such row. */
typedef struct CountRows
{
	int64	   *all;
	int64	   *by_pool;
	OffsetNumber first_pool;
} CountRows;

/* The pools in which an account arrived in this transaction. */
static bool arrived[POOL_ROWS];
static bool any_arrived = false;

/*
 * The statement that is storing accounts, whose positions are drawn meanwhile,
 * or NULL.  A trigger of the owner's may call for another one.
 */
typedef struct Storing
{
	struct Storing *outer;
	SubTransactionId subid;
	int64		from;			/* the last position drawn before */
} Storing;

static Storing *storing = NULL;

/*
 * The youngest savepoint of this transaction in which an account was changed,
 * and the table by whose changes others are told when it is rolled back.
 */
static SubTransactionId changed_in = InvalidSubTransactionId;
static Oid	undone_table = InvalidOid;

/* That table, as far as this session has to be told. */
static WatchedTable undone = {0};

static void count_arrivals(void);
static int64 *setting_row(Page page, int setting_count);
static Oid	table_to_watch(Relation rel);
static CountRows find_rows(Page page);
static int64 *row_at(Page page, OffsetNumber i);
static void end_transaction(XactEvent event, void *arg);
static void end_subtransaction(SubXactEvent event, SubTransactionId subid,
							   SubTransactionId parent, void *arg);

void
awspool_init_arrivals(void)
{
	RegisterXactCallback(end_transaction, NULL);
	RegisterSubXactCallback(end_subtransaction, NULL);
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
 * Which count is that of a pool.  The same in every session and every server
 * version, since the counts and the notes outlive both.
 */
int
awspool_pool_count(const char *provider, const char *marketplace)
{
	uint64		hash = hash_bytes_extended((const unsigned char *) provider,
										   strlen(provider), 0);

	hash = hash_bytes_extended((const unsigned char *) marketplace,
							   strlen(marketplace), hash);
	return hash % POOL_ROWS;
}

/*
 * Notes that a ready account was inserted into a pool in this transaction, at
 * that position, or is about to be updated (PG_INT64_MIN), and may end up
 * before somebody's start.  Not if it has drawn its position just now.
 */
void
awspool_note_arrival(const char *provider, const char *marketplace,
					 int64 position)
{
	if (storing != NULL && position > storing->from)
		return;
	arrived[awspool_pool_count(provider, marketplace)] = true;
	any_arrived = true;
}

/*
 * The same, if nobody knows yet into which pool.
 */
void
awspool_note_arrival_anywhere(void)
{
	memset(arrived, true, sizeof(arrived));
	any_arrived = true;
}

/*
 * Whether this transaction has noted an arrival in a pool.
 */
bool
awspool_has_arrived(int pool_count)
{
	return arrived[pool_count];
}

/*
 * Notes that an account is about to be updated or deleted.
 */
void
awspool_note_change(Relation rel)
{
	SubTransactionId subid = GetCurrentSubTransactionId();

	if (subid == TopSubTransactionId || subid <= changed_in)
		return;
	undone_table = table_to_watch(rel);
	changed_in = subid;
}

/*
 * From now on awspool_changes_undone() tells.
 */
void
awspool_watch_undone(Relation rel)
{
	awspool_watch_table(&undone, table_to_watch(rel));
}

/*
 * Goes up whenever a savepoint was rolled back in which accounts were changed,
 * as far as we heard.
 */
uint64
awspool_changes_undone(void)
{
	return undone.changes;
}

/*
 * Opens the counts, until awspool_close_arrivals.
 */
void
awspool_open_arrivals(ArrivalCounts *counts)
{
	Oid			table = awspool_find_relation("arrival_count");

	counts->rel = NULL;
	counts->buffer = InvalidBuffer;
	if (OidIsValid(table))
		counts->rel = table_open(table, AccessShareLock);
	if (counts->rel != NULL && RelationGetNumberOfBlocks(counts->rel) > 0)
		counts->buffer = ReadBuffer(counts->rel, 0);
}

void
awspool_close_arrivals(ArrivalCounts *counts)
{
	if (BufferIsValid(counts->buffer))
		ReleaseBuffer(counts->buffer);
	if (counts->rel != NULL)
		table_close(counts->rel, AccessShareLock);
}

/*
 * How many arrivals were counted for a pool; -1 if that cannot be known, since
 * the rows are gone.
 */
int64
awspool_arrivals(const ArrivalCounts *counts, int pool_count)
{
	int64		result = -1;
	Page		page;
	CountRows	rows;
	int64	   *pool;

	if (!BufferIsValid(counts->buffer))
		return result;
	LockBuffer(counts->buffer, BUFFER_LOCK_SHARE);
	page = BufferGetPage(counts->buffer);
	rows = find_rows(page);
	pool = row_at(page, rows.first_pool + pool_count);
	if (rows.by_pool != NULL && pool != NULL)
		result = *pool + (*rows.all - *rows.by_pool);
	else if (rows.all != NULL)
		result = *rows.all;
	LockBuffer(counts->buffer, BUFFER_LOCK_UNLOCK);
	return result;
}

/*
 * Which count is that of the settings of a provider's pools.
 */
int
awspool_setting_count(const char *provider)
{
	return hash_bytes_extended((const unsigned char *) provider,
							   strlen(provider), 0) % SETTING_ROWS;
}

/*
 * How many changes of settings were counted for a provider; -1 if that cannot
 * be known, since the row is not there.
 */
int64
awspool_setting_changes(const ArrivalCounts *counts, int setting_count)
{
	int64		result = -1;
	int64	   *row;

	if (!BufferIsValid(counts->buffer))
		return result;
	LockBuffer(counts->buffer, BUFFER_LOCK_SHARE);
	row = setting_row(BufferGetPage(counts->buffer), setting_count);
	if (row != NULL)
		result = *row;
	LockBuffer(counts->buffer, BUFFER_LOCK_UNLOCK);
	return result;
}

/*
 * Counts a change of a provider's settings, for everybody to see at once, and
 * not only when it is committed: pool.c says why.
 */
void
awspool_note_setting_change(const char *provider)
{
	ArrivalCounts counts;
	int64	   *row;

	awspool_open_arrivals(&counts);
	if (BufferIsValid(counts.buffer))
	{
		LockBuffer(counts.buffer, BUFFER_LOCK_EXCLUSIVE);
		row = setting_row(BufferGetPage(counts.buffer),
						  awspool_setting_count(provider));
		if (row != NULL)
			(*row)++;
		MarkBufferDirtyHint(counts.buffer, true);
		LockBuffer(counts.buffer, BUFFER_LOCK_UNLOCK);
	}
	awspool_close_arrivals(&counts);
}

/*
 * Counts what arrived in this transaction, for everybody to see at once.
 */
static void
count_arrivals(void)
{
	ArrivalCounts counts;
	Page		page;
	CountRows	rows;

	awspool_open_arrivals(&counts);
	if (BufferIsValid(counts.buffer))
	{
		LockBuffer(counts.buffer, BUFFER_LOCK_EXCLUSIVE);
		page = BufferGetPage(counts.buffer);
		rows = find_rows(page);
		if (rows.all != NULL)
			(*rows.all)++;
		if (rows.by_pool != NULL)
			(*rows.by_pool)++;
		for (int i = 0; i < POOL_ROWS; i++)
		{
			int64	   *pool = row_at(page, rows.first_pool + i);

			if (arrived[i] && pool != NULL)
				(*pool)++;
		}
		MarkBufferDirtyHint(counts.buffer, true);
		LockBuffer(counts.buffer, BUFFER_LOCK_UNLOCK);
	}
	awspool_close_arrivals(&counts);
}

static int64 *
setting_row(Page page, int setting_count)
{
	return row_at(page,
				  find_rows(page).first_pool + POOL_ROWS + setting_count);
}

static CountRows
find_rows(Page page)
{
	CountRows	rows;
	OffsetNumber i = FirstOffsetNumber;

	while (i <= PageGetMaxOffsetNumber(page) && row_at(page, i) == NULL)
		i++;
	rows.all = row_at(page, i);
	rows.by_pool = row_at(page, i + 1);
	rows.first_pool = i + 2;
	return rows;
}

/* Whether a row is visible does not matter: everybody sees the same page. */
static int64 *
row_at(Page page, OffsetNumber i)
{
	HeapTupleHeader tuple;

	if (i > PageGetMaxOffsetNumber(page) ||
		!ItemIdIsNormal(PageGetItemId(page, i)))
		return NULL;
	tuple = (HeapTupleHeader) PageGetItem(page, PageGetItemId(page, i));
	return (int64 *) ((char *) tuple + tuple->t_hoff);
}

/* Of the accounts' table, if the other is gone. */
static Oid
table_to_watch(Relation rel)
{
	Oid			table = awspool_find_relation("pool_start");

	return OidIsValid(table) ? table : RelationGetRelid(rel);
}

static void
end_transaction(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
		case XACT_EVENT_PRE_PREPARE:
			if (any_arrived)
				count_arrivals();
			break;
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			if (any_arrived)
				memset(arrived, false, sizeof(arrived));
			any_arrived = false;
			storing = NULL;		/* its memory goes with the transaction */
			changed_in = InvalidSubTransactionId;
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
	while (storing != NULL && storing->subid >= subid)
		awspool_end_storing();

	/* Younger ones were within it: they have ended, or end now. */
	if (changed_in >= subid)
		awspool_announce_change(undone_table);
}
