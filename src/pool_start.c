/*-------------------------------------------------------------------------
 *
 * pool_start.c
 *	  Notes of where to start looking in a pool, for sessions to come.
 *
 * A new backend does not know where the head of a pool is and has to walk
 * there from the very start.  If that was long, it leaves a note of where to
 * start in awspool.pool_start, a row for each pool, so that a connection for
 * every claim is no disaster while some old snapshot keeps all the dead
 * entries alive.  What is noted must hold whatever becomes of this
 * transaction: the caller sees to that.  The row holds the pool's count of
 * arrivals (arrival.c) under which the note is true, and under any other it is
 * worth nothing.  That also guards against writing late: what a walk found is
 * noted under the count it began with.
 *
 * Who looks for what a snapshot shows, which may be older than a note, can use
 * it as well: the accounts that a note leaves behind were taken by transactions
 * that had ended when it was made.  So it also says which transaction was the
 * next one then.  A snapshot by which all before that one have ended shows none
 * of those accounts as ready.
 *
 * A note is changed in place, for the same reasons as the counts.  The table
 * is unlogged: after a crash, on a standby and in a replica there are no
 * notes, as it should be, since nothing tells there whether they hold.
 *
 * A missing note is inserted empty.  Who finds that somebody else is just
 * doing so leaves it to them.  Looking a note up leaves no traces for
 * serializable transactions to stumble over (relation.c): those of all pools
 * share a few pages.
 *
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "catalog/pg_type.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

/* The columns of awspool.pool_start that are changed in place come first. */
typedef struct Note
{
	int64		position;
	int64		arrivals;
	int64		next_xid;		/* version 1.0 has a provider there */
} Note;

#define Anum_next_xid	3

/* A row of the table, whose page stays pinned. */
typedef struct NoteRow
{
	Relation	rel;
	TupleTableSlot *slot;
	Buffer		buffer;			/* invalid if there is no such row */
	Note	   *note;
} NoteRow;

static bool shows_all_before(Snapshot snapshot, uint64 next_xid);
static NoteRow open_note(const char *provider, const char *marketplace);
static bool has_next_xid(const NoteRow *row);
static void close_note(NoteRow *row);
static void insert_note(const char *provider, const char *marketplace);

/*
 * Where to start in a pool, if there is a note of it that holds at this count
 * of its arrivals; otherwise PG_INT64_MIN, the very start.  With a snapshot, for
 * what that shows as ready: the count was read after it was taken, and this
 * transaction has no arrivals of its own.
 */
int64
awspool_read_start(const char *provider, const char *marketplace,
				   int64 arrivals, Snapshot snapshot)
{
	NoteRow		row = open_note(provider, marketplace);
	int64		position = PG_INT64_MIN;

	if (BufferIsValid(row.buffer))
	{
		LockBuffer(row.buffer, BUFFER_LOCK_SHARE);
		if (row.note->arrivals == arrivals &&
			(snapshot == NULL ||
			 (has_next_xid(&row) &&
			  shows_all_before(snapshot, (uint64) row.note->next_xid))))
			position = row.note->position;
		LockBuffer(row.buffer, BUFFER_LOCK_UNLOCK);
	}
	close_note(&row);
	return position;
}

/* Whether by this snapshot all transactions before that one have ended. */
static bool
shows_all_before(Snapshot snapshot, uint64 next_xid)
{
	FullTransactionId now = ReadNextFullTransactionId();
	uint32		age = XidFromFullTransactionId(now) - snapshot->xmin;

	return U64FromFullTransactionId(now) - age >= next_xid;
}

/*
 * Notes where to start in a pool: nothing before the position can be claimed,
 * now or later, whether this transaction commits or not, at that count of
 * arrivals.
 */
void
awspool_keep_start(const char *provider, const char *marketplace,
				   int64 position, int64 arrivals)
{
	NoteRow		row = open_note(provider, marketplace);

	if (BufferIsValid(row.buffer))
	{
		LockBuffer(row.buffer, BUFFER_LOCK_EXCLUSIVE);
		if (row.note->arrivals < arrivals ||
			(row.note->arrivals == arrivals &&
			 row.note->position < position))
		{
			row.note->position = position;
			row.note->arrivals = arrivals;
			if (has_next_xid(&row))
				row.note->next_xid =
					U64FromFullTransactionId(ReadNextFullTransactionId());
			MarkBufferDirty(row.buffer);
		}
		LockBuffer(row.buffer, BUFFER_LOCK_UNLOCK);
	}
	else
		insert_note(provider, marketplace);
	close_note(&row);
}

static NoteRow
open_note(const char *provider, const char *marketplace)
{
	Datum		keys[] = {CStringGetTextDatum(provider),
	CStringGetTextDatum(marketplace)};
	NoteRow		row = {.buffer = InvalidBuffer};
	Relation	index;

	row.rel = table_open(awspool_relation("pool_start"), AccessShareLock);
	row.slot = table_slot_create(row.rel, NULL);
	index = awspool_open_index("pool_start_pkey", AccessShareLock);
	if (awspool_find_present(row.rel, index, lengthof(keys), keys, NULL,
							 row.slot, NULL) &&
		row.rel->rd_rel->relpersistence == RELPERSISTENCE_UNLOGGED)
	{
		BufferHeapTupleTableSlot *slot = (BufferHeapTupleTableSlot *) row.slot;

		row.buffer = slot->buffer;
		row.note = (Note *) GETSTRUCT(slot->base.tuple);
	}

	index_close(index, AccessShareLock);
	return row;
}

/* Not so under the script of version 1.0, which has a text there. */
static bool
has_next_xid(const NoteRow *row)
{
	TupleDesc	desc = RelationGetDescr(row->rel);

	return TupleDescAttr(desc, Anum_next_xid - 1)->atttypid == INT8OID;
}

static void
close_note(NoteRow *row)
{
	ExecDropSingleTupleTableSlot(row->slot);
	table_close(row->rel, AccessShareLock);
}

static void
insert_note(const char *provider, const char *marketplace)
{
	static OwnerQuery insert = {
		.sql = "INSERT INTO awspool.pool_start"
		" (position, arrivals, provider, marketplace)"
		" VALUES ($1, -1, $2, $3) ON CONFLICT DO NOTHING",
		.nargs = 3,
		.argtypes = {INT8OID, TEXTOID, TEXTOID}
	};
	Datum		values[] = {Int64GetDatum(PG_INT64_MIN),
		CStringGetTextDatum(provider), CStringGetTextDatum(marketplace)};
	Caller		caller;
	NoteRow		row;
	bool		is_there;

	if (!awspool_lock_names(AWSPOOL_LOCK_POOL_START, provider, marketplace,
							false))
		return;

	/* It may have come meanwhile, which an old snapshot would stumble over. */
	row = open_note(provider, marketplace);
	is_there = row.note != NULL;
	close_note(&row);
	if (is_there)
		return;

	awspool_begin_queries(&caller);
	(void) awspool_query(&insert, values, NULL);
	awspool_end_queries(&caller);
}
