/*-------------------------------------------------------------------------
 *
 * tally_row.c
 *	  The rows of awspool.tally, which are partial sums.
 *
 * How a pool stands is the sum of its rows, however many there are.  So nobody
 * has to share a row, and nobody waits: a transaction adds what it has counted
 * (tally.c) to a row of the pool and the hour that nobody else is changing,
 * the one that it used last or any other, or else inserts one.  Abort, crash,
 * standby and snapshot are the server's business, as for any row.
 *
 * These rows are the fragments of an hour.  When the hour is over they are
 * merged: what happened goes to the one row of that hour, which pool_activity
 * reads, and everything to the base row of the pool, which pool_status reads
 * together with the fragments that are left.  So neither reads more for an
 * older pool than it shows.  The base row also tells the claims of each of the
 * last hours.
 *
 *	 part 0			the base row: hour is -infinity
 *	 part 1			what happened in an hour, merged; no statuses
 *	 else			a fragment; the number is random, and makes the key unique
 *
 * Rows are changed by heap_update(), with no query and no trigger: that is
 * most of what counting costs a claim.  The update is HOT as a rule, since no
 * indexed column changes and half of each page is left free.  heap_update()
 * never removes dead versions and raises an error for a row that it cannot
 * see.  So we make room, and look first.  In between somebody may have taken
 * the row; then it says so, and we take another.
 *
 * What is remembered of a row is where it was.  VACUUM FULL may have moved it,
 * a merge deleted it, an abort undone it.  So what is there now has to prove
 * that it is a fragment of that pool and hour, whichever it is, and free.
 *
 * Only one transaction merges at a time, for others would wait for the unique
 * index.  Who cannot have that lock at once leaves it for another time; so does
 * who finds that somebody has a base row, or that of an hour, locked.
 *
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_am.h"
#include "catalog/pg_type.h"
#include "common/pg_prng.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

/* Versions that are looked at for a row to add to, at most. */
#define MAX_LOOKS		256

/* The rows of a pool that are being merged. */
typedef struct Merge
{
	Relation	rel;
	const PoolNames *pool;
	HeapTuple	old_base;		/* or NULL */
	TallyRow	base;			/* what it is to be */
	HeapTuple	old_hour;		/* or NULL */
	TallyRow	hour;			/* what is added to it */
	bool		in_hour;		/* that is of the row of some hour */
	bool		hour_is_free;
	bool		skipped;		/* an hour whose row somebody else has */
	int			taken;
	TimestampTz recent_hour;	/* the latest of those below */
	int32		recent_claims[TALLY_RECENT_HOURS];
} Merge;

/* The table as it was found last, after so many changes of it. */
static WatchedTable tally = {0};
static uint64 seen_changes = 0;

static Datum provider_of(const PoolNames *pool);
static Datum marketplace_of(const PoolNames *pool);
static bool add_to_version(Relation rel, Buffer buffer, HeapTuple old,
						   TallyPool *pool, const TallyRow *change);
static bool add_to_remembered(Relation rel, TallyPool *pool,
							  const TallyRow *change);
static bool add_to_any(Relation rel, TallyPool *pool, const TallyRow *change);
static bool tuple_at(Relation rel, Buffer buffer, ItemPointer tid,
					 HeapTuple tuple);
static bool is_free_fragment(HeapTuple tuple, Buffer buffer, TallyPool *pool,
							 const TallyRow *change);
static bool is_fragment_of(HeapTuple tuple, const PoolNames *pool,
						   TimestampTz hour);
static bool update_row(Relation rel, ItemPointer old, HeapTuple new,
					   bool locked);
static void insert_row(Relation rel, const PoolNames *pool, const TallyRow *row,
					   const Merge *base, ItemPointer tid);
static void insert_entries(Relation rel, HeapTuple tuple);
static bool take_row(Relation rel, const PoolNames *pool, TimestampTz hour,
					 int64 part, HeapTuple *row);
static HeapTuple copy_version(const VersionScan *versions);
static bool may_be_there(const VersionScan *versions);
static HeapTuple free_version(const VersionScan *versions);
static bool begin_merge(Merge *merge, TimestampTz current);
static void take_fragment(Merge *merge, HeapTuple fragment);
static void end_hour(Merge *merge);
static void end_merge(Merge *merge);
static HeapTuple form_row(Relation rel, const PoolNames *pool,
						  const TallyRow *row, const Merge *base);

/*
 * The OID of awspool.tally; invalid if there is none: the script is that of
 * version 1.0, or the extension was dropped.
 */
Oid
awspool_tally_table(void)
{
	if (!OidIsValid(tally.oid) || seen_changes != tally.changes)
	{
		Oid			oid = awspool_find_relation("tally");

		if (!OidIsValid(oid))
			return InvalidOid;
		awspool_watch_table(&tally, oid);
		seen_changes = tally.changes;
	}
	return tally.oid;
}

/*
 * Opens awspool.tally, or returns NULL if there is none.
 */
Relation
awspool_open_tally(LOCKMODE mode)
{
	Relation	rel;

	for (;;)
	{
		Oid			oid = awspool_tally_table();

		if (!OidIsValid(oid))
			return NULL;
		rel = try_relation_open(oid, mode);

		/* Once we have the lock, we know all that has happened to it. */
		if (rel != NULL && (seen_changes == tally.changes ||
							awspool_find_relation("tally") == oid))
			break;
		if (rel != NULL)
			relation_close(rel, mode);
		seen_changes = tally.changes - 1;
	}
	if (rel->rd_rel->relam != HEAP_TABLE_AM_OID ||
		RelationGetDescr(rel)->natts < Natts_tally)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table awspool.tally was altered"),
				 errhint("Run awspool.lint().")));
	return rel;
}

static Datum
provider_of(const PoolNames *pool)
{
	return PointerGetDatum(cstring_to_text_with_len(pool->names,
													pool->provider_length));
}

static Datum
marketplace_of(const PoolNames *pool)
{
	return PointerGetDatum(cstring_to_text_with_len(pool->names +
													pool->provider_length,
													pool->used -
													pool->provider_length));
}

/*
 * Adds to a fragment of the pool and of the hour of "change".  True if it had
 * to insert one.
 */
bool
awspool_add_to_tally(Relation rel, TallyPool *pool, const TallyRow *change)
{
	TallyRow	row;

	if (add_to_remembered(rel, pool, change) || add_to_any(rel, pool, change))
		return false;
	row = *change;
	row.part = TALLY_HOUR + 1 +
		(int64) (pg_prng_uint64(&pg_global_prng_state) >> 2);
	insert_row(rel, &pool->key, &row, NULL, &pool->tid);
	pool->buffer = InvalidBuffer;
	return true;
}

static bool
add_to_remembered(Relation rel, TallyPool *pool, const TallyRow *change)
{
	BlockNumber block;
	HeapTupleData tuple;
	bool		done = false;

	if (!ItemPointerIsValid(&pool->tid))
		return false;
	block = ItemPointerGetBlockNumber(&pool->tid);
	if (!BufferIsValid(pool->buffer) ||
		!awspool_recent_buffer(rel, block, pool->buffer))
	{
		if (block >= RelationGetNumberOfBlocks(rel))
			return false;
		pool->buffer = ReadBuffer(rel, block);
	}

	LockBuffer(pool->buffer, BUFFER_LOCK_SHARE);
	if (tuple_at(rel, pool->buffer, &pool->tid, &tuple))
		done = add_to_version(rel, pool->buffer, &tuple, pool, change);
	else
		LockBuffer(pool->buffer, BUFFER_LOCK_UNLOCK);
	ReleaseBuffer(pool->buffer);
	return done;
}

/*
 * Adds to a version of a row, if it is a fragment of the pool and hour, and
 * free.  The page is pinned, and locked; unlocks it.
 *
 * While we have it pinned nobody else removes anything from the page.  We do,
 * to make room; so after that it is looked at as if for the first time.
 */
static bool
add_to_version(Relation rel, Buffer buffer, HeapTuple old, TallyPool *pool,
			   const TallyRow *change)
{
	ItemPointerData tid = old->t_self;
	HeapTuple	new;
	TallyRow   *row;
	bool		done;

	if (PageGetHeapFreeSpace(BufferGetPage(buffer)) < MAXALIGN(old->t_len) &&
		is_free_fragment(old, buffer, pool, change))
	{
		LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
		awspool_prune(rel, buffer);
		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		if (!tuple_at(rel, buffer, &tid, old))
		{
			LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
			return false;
		}
	}
	new = is_free_fragment(old, buffer, pool, change) ?
		heap_copytuple(old) : NULL;
	LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
	if (new == NULL)
		return false;

	row = (TallyRow *) GETSTRUCT(new);
	for (int i = 0; i < TALLY_COUNTS; i++)
		row->n[i] += change->n[i];
	done = update_row(rel, &tid, new, false);
	if (done)
		pool->tid = new->t_self;
	heap_freetuple(new);
	return done;
}

/* The tuple at a place of a page, which is locked; false if there is none. */
static bool
tuple_at(Relation rel, Buffer buffer, ItemPointer tid, HeapTuple tuple)
{
	Page		page = BufferGetPage(buffer);
	OffsetNumber offset = ItemPointerGetOffsetNumber(tid);
	ItemId		item;

	if (offset > PageGetMaxOffsetNumber(page))
		return false;
	item = PageGetItemId(page, offset);
	if (!ItemIdIsNormal(item))
		return false;
	tuple->t_data = (HeapTupleHeader) PageGetItem(page, item);
	tuple->t_len = ItemIdGetLength(item);
	tuple->t_tableOid = RelationGetRelid(rel);
	tuple->t_self = *tid;
	return true;
}

static bool
is_free_fragment(HeapTuple tuple, Buffer buffer, TallyPool *pool,
				 const TallyRow *change)
{
	return is_fragment_of(tuple, &pool->key, change->hour) &&
		HeapTupleSatisfiesUpdate(tuple, GetCurrentCommandId(true),
								 buffer) == TM_Ok;
}

/* The order of the columns has the numbers first, at a known place. */
static bool
is_fragment_of(HeapTuple tuple, const PoolNames *pool, TimestampTz hour)
{
	const TallyRow *row = (const TallyRow *) GETSTRUCT(tuple);
	const char *provider = (const char *) (row + 1);
	const char *marketplace;
	size_t		length;

	if (row->hour != hour || row->part <= TALLY_HOUR)
		return false;
	length = VARSIZE_ANY_EXHDR(provider);
	if (length != pool->provider_length ||
		memcmp(VARDATA_ANY(provider), pool->names, length) != 0)
		return false;
	marketplace = provider + VARSIZE_ANY(provider);
	marketplace = (const char *) att_align_pointer((uintptr_t) marketplace,
												   TYPALIGN_INT, -1,
												   marketplace);
	return VARSIZE_ANY_EXHDR(marketplace) == pool->used - length &&
		memcmp(VARDATA_ANY(marketplace), pool->names + length,
			   pool->used - length) == 0;
}

/*
 * Adds to a fragment that nobody is changing, that of a session that is gone,
 * say.  The latest versions of a row come first.
 */
static bool
add_to_any(Relation rel, TallyPool *pool, const TallyRow *change)
{
	Datum		keys[] = {
		provider_of(&pool->key),
		marketplace_of(&pool->key),
		TimestampTzGetDatum(change->hour)
	};
	VersionScan versions;
	bool		done = false;

	awspool_begin_versions(&versions, rel, "tally_open",
						   BackwardScanDirection, lengthof(keys), keys, false);
	for (int i = 0; i < MAX_LOOKS && !done && awspool_next_version(&versions);
		 i++)
	{
		BufferHeapTupleTableSlot *slot =
			(BufferHeapTupleTableSlot *) versions.slot;
		HeapTupleData tuple;

		LockBuffer(slot->buffer, BUFFER_LOCK_SHARE);
		/* A copy of the header: the slot's own is to stay as it is. */
		tuple = *slot->base.tuple;
		done = add_to_version(rel, slot->buffer, &tuple, pool, change);
	}
	awspool_end_versions(&versions);
	pool->buffer = InvalidBuffer;
	return done;
}

/*
 * Replaces a version, which we may have locked; false if somebody has taken it
 * meanwhile.
 */
static bool
update_row(Relation rel, ItemPointer old, HeapTuple new, bool locked)
{
	bool		needs_entries;

	if (awspool_heap_update(rel, old, new, GetCurrentCommandId(true), locked,
							&needs_entries) != TM_Ok)
		return false;
	if (needs_entries)
		insert_entries(rel, new);
	return true;
}

/*
 * Inserts a row; with "base", the base row of a pool, which tells of the last
 * hours, too.
 */
static void
insert_row(Relation rel, const PoolNames *pool, const TallyRow *row,
		   const Merge *base, ItemPointer tid)
{
	HeapTuple	tuple = form_row(rel, pool, row, base);

	heap_insert(rel, tuple, GetCurrentCommandId(true), 0, NULL);
	insert_entries(rel, tuple);
	if (tid != NULL)
		*tid = tuple->t_self;
	heap_freetuple(tuple);
}

static HeapTuple
form_row(Relation rel, const PoolNames *pool, const TallyRow *row,
		 const Merge *base)
{
	TupleDesc	desc = RelationGetDescr(rel);
	Datum	   *values = palloc0(desc->natts * sizeof(Datum));
	bool	   *isnull = palloc(desc->natts * sizeof(bool));

	memset(isnull, true, desc->natts * sizeof(bool));
	memset(isnull, false, Anum_tally_marketplace * sizeof(bool));
	values[Anum_tally_hour - 1] = TimestampTzGetDatum(row->hour);
	values[Anum_tally_part - 1] = Int64GetDatum(row->part);
	for (int i = 0; i < TALLY_COUNTS; i++)
		values[Anum_tally_counts - 1 + i] = Int64GetDatum(row->n[i]);
	values[Anum_tally_provider - 1] = provider_of(pool);
	values[Anum_tally_marketplace - 1] = marketplace_of(pool);
	if (base != NULL)
	{
		Datum	   *claims = palloc(TALLY_RECENT_HOURS * sizeof(Datum));

		for (int i = 0; i < TALLY_RECENT_HOURS; i++)
			claims[i] = Int32GetDatum(base->recent_claims[i]);
		values[Anum_tally_recent_hour - 1] =
			TimestampTzGetDatum(base->recent_hour);
		values[Anum_tally_recent_claims - 1] =
			PointerGetDatum(construct_array(claims, TALLY_RECENT_HOURS,
											INT4OID, sizeof(int32), true,
											TYPALIGN_INT));
		isnull[Anum_tally_recent_hour - 1] = false;
		isnull[Anum_tally_recent_claims - 1] = false;
	}
	return heap_form_tuple(desc, values, isnull);
}

/* Makes the entries of a row that was stored. */
static void
insert_entries(Relation rel, HeapTuple tuple)
{
	EState	   *estate = CreateExecutorState();
	ResultRelInfo *result = makeNode(ResultRelInfo);
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(rel),
													&TTSOpsHeapTuple);

	InitResultRelInfo(result, rel, 1, NULL, 0);
	ExecOpenIndices(result, false);
	ExecStoreHeapTuple(tuple, slot, false);
	slot->tts_tid = tuple->t_self;
	slot->tts_tableOid = RelationGetRelid(rel);
	list_free(awspool_insert_index_tuples(result, slot, estate, false, NULL,
										  NIL));
	ExecCloseIndices(result);
	ExecDropSingleTupleTableSlot(slot);
	FreeExecutorState(estate);
}

/*
 * Merges the fragments of a pool that are of hours before the current one,
 * those that nobody is changing, and at most so many.  False if there may be
 * more of them, or if somebody else is merging, or has a row that it takes.
 *
 * What this transaction has written has to be visible to it.
 */
bool
awspool_merge_tally(Relation rel, TallyPool *pool, TimestampTz current,
					int limit)
{
	Merge		merge = {.rel = rel, .pool = &pool->key};
	Datum		keys[] = {
		provider_of(&pool->key),
		marketplace_of(&pool->key)
	};
	VersionScan versions;

	if (!CheckRelationLockedByMe(rel, ShareRowExclusiveLock, true) &&
		!awspool_lock_names(AWSPOOL_LOCK_TALLY, "", "", false))
		return false;

	if (!begin_merge(&merge, current))
		return false;
	awspool_begin_versions(&versions, rel, "tally_open", ForwardScanDirection,
						   lengthof(keys), keys, false);
	while (merge.taken < limit && awspool_next_version(&versions))
	{
		HeapTuple	fragment = free_version(&versions);
		TallyRow   *row;

		CHECK_FOR_INTERRUPTS();
		if (fragment == NULL)
			continue;
		row = (TallyRow *) GETSTRUCT(fragment);
		if (row->part > TALLY_HOUR && row->hour < current)
			take_fragment(&merge, fragment);
		heap_freetuple(fragment);
	}
	awspool_end_versions(&versions);
	end_merge(&merge);
	return merge.taken < limit && !merge.skipped;
}

/* A copy of the version that a visit has come to, or NULL if it is not free. */
static HeapTuple
free_version(const VersionScan *versions)
{
	BufferHeapTupleTableSlot *slot =
		(BufferHeapTupleTableSlot *) versions->slot;
	HeapTuple	copy = NULL;

	LockBuffer(slot->buffer, BUFFER_LOCK_SHARE);
	if (HeapTupleSatisfiesUpdate(slot->base.tuple, GetCurrentCommandId(true),
								 slot->buffer) == TM_Ok)
		copy = heap_copytuple(slot->base.tuple);
	LockBuffer(slot->buffer, BUFFER_LOCK_UNLOCK);
	return copy;
}

/*
 * Locks a base row, or the row of an hour, and makes a copy of it; NULL if
 * there is none.  False if somebody else has it, or has put one there that is
 * not committed: the owner, by hand, or a subscription that looks whether the
 * publisher's row is there.  To insert another one would fail, or wait.
 */
static bool
take_row(Relation rel, const PoolNames *pool, TimestampTz hour, int64 part,
		 HeapTuple *row)
{
	Datum		keys[] = {
		provider_of(pool),
		marketplace_of(pool),
		TimestampTzGetDatum(hour),
		Int64GetDatum(part)
	};
	VersionScan versions;
	bool		free = true;

	*row = NULL;
	awspool_begin_versions(&versions, rel, "tally_pkey",
						   BackwardScanDirection, lengthof(keys), keys, false);
	while (free && *row == NULL && awspool_next_version(&versions))
	{
		ItemPointerData tid = versions.slot->tts_tid;

		/* What the unique index would find. */
		if (!may_be_there(&versions))
			continue;
		free = awspool_heap_lock(rel, &tid,
								 GetCurrentCommandId(true)) == TM_Ok;
		if (free)
			*row = copy_version(&versions);
	}
	awspool_end_versions(&versions);
	return free;
}

/* Nobody else changes it: we have it locked. */
static HeapTuple
copy_version(const VersionScan *versions)
{
	BufferHeapTupleTableSlot *slot =
		(BufferHeapTupleTableSlot *) versions->slot;
	HeapTuple	copy;

	LockBuffer(slot->buffer, BUFFER_LOCK_SHARE);
	copy = heap_copytuple(slot->base.tuple);
	LockBuffer(slot->buffer, BUFFER_LOCK_UNLOCK);
	return copy;
}

/* Whether a version is there, or will be if another transaction commits. */
static bool
may_be_there(const VersionScan *versions)
{
	BufferHeapTupleTableSlot *slot =
		(BufferHeapTupleTableSlot *) versions->slot;
	SnapshotData dirty;
	bool		may_be;

	InitDirtySnapshot(dirty);
	LockBuffer(slot->buffer, BUFFER_LOCK_SHARE);
	may_be = HeapTupleSatisfiesVisibility(slot->base.tuple, &dirty,
										  slot->buffer);
	LockBuffer(slot->buffer, BUFFER_LOCK_UNLOCK);
	return may_be;
}

/*
 * Takes the base row, and has it tell of the hours up to the one that has just
 * ended.  False if somebody else has it.
 */
static bool
begin_merge(Merge *merge, TimestampTz current)
{
	TupleDesc	desc = RelationGetDescr(merge->rel);
	bool		isnull = true;
	Datum		claims = (Datum) 0;
	TimestampTz until = 0;

	if (!take_row(merge->rel, merge->pool, DT_NOBEGIN, TALLY_BASE,
				  &merge->old_base))
		return false;
	merge->base.hour = DT_NOBEGIN;
	merge->base.part = TALLY_BASE;
	merge->hour.part = TALLY_HOUR;
	merge->recent_hour = current - USECS_PER_HOUR;
	if (merge->old_base != NULL)
	{
		memcpy(merge->base.n,
			   ((TallyRow *) GETSTRUCT(merge->old_base))->n,
			   sizeof(merge->base.n));
		until = DatumGetTimestampTz(heap_getattr(merge->old_base,
												 Anum_tally_recent_hour, desc,
												 &isnull));
	}
	if (!isnull)
		claims = heap_getattr(merge->old_base, Anum_tally_recent_claims, desc,
							  &isnull);
	if (!isnull)
	{
		ArrayType  *array = DatumGetArrayTypeP(claims);
		int			n = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
		int64		shift;

		/* A clock that was set back does not take anything away. */
		merge->recent_hour = Max(merge->recent_hour, until);
		shift = (merge->recent_hour - until) / USECS_PER_HOUR;
		for (int64 i = 0; i < n && i + shift < TALLY_RECENT_HOURS; i++)
			merge->recent_claims[i + shift] = ((int32 *) ARR_DATA_PTR(array))[i];
	}
	return true;
}

/*
 * Deletes a fragment, unless somebody else has got it or the row of its hour,
 * and adds it up.
 */
static void
take_fragment(Merge *merge, HeapTuple fragment)
{
	const TallyRow *row = (const TallyRow *) GETSTRUCT(fragment);
	int64		ago;

	/* They come in the order of their hours. */
	if (!merge->in_hour || row->hour != merge->hour.hour)
	{
		end_hour(merge);
		merge->in_hour = true;
		merge->hour.hour = row->hour;
		merge->hour_is_free = take_row(merge->rel, merge->pool, row->hour,
									   TALLY_HOUR, &merge->old_hour);
	}
	if (!merge->hour_is_free)
	{
		merge->skipped = true;
		return;
	}
	if (awspool_heap_delete(merge->rel, &fragment->t_self,
							GetCurrentCommandId(true)) != TM_Ok)
		return;

	merge->taken++;
	for (int i = 0; i < TALLY_COUNTS; i++)
	{
		merge->base.n[i] += row->n[i];
		merge->hour.n[i] += row->n[i];
	}
	if (row->hour <= merge->recent_hour && !TIMESTAMP_NOT_FINITE(row->hour))
	{
		ago = (merge->recent_hour - row->hour) / USECS_PER_HOUR;
		if (ago < TALLY_RECENT_HOURS)
			merge->recent_claims[ago] += row->n[TALLY_CLAIMED];
	}
}

/* Adds what happened in an hour to its row. */
static void
end_hour(Merge *merge)
{
	TallyRow   *hour = &merge->hour;
	bool		any = false;

	hour->n[TALLY_NOW_READY] = 0;
	hour->n[TALLY_NOW_IN_PROGRESS] = 0;
	hour->n[TALLY_NOW_ALLOCATED] = 0;
	hour->n[TALLY_NOW_FAILED] = 0;
	hour->n[TALLY_NOW_INVALID] = 0;
	for (int i = 0; i < TALLY_COUNTS; i++)
		any |= hour->n[i] != 0;
	if (!any)
		return;

	if (merge->old_hour == NULL)
		insert_row(merge->rel, merge->pool, hour, NULL, NULL);
	else
	{
		HeapTuple	new = heap_copytuple(merge->old_hour);
		TallyRow   *row = (TallyRow *) GETSTRUCT(new);

		for (int i = 0; i < TALLY_COUNTS; i++)
			row->n[i] += hour->n[i];
		if (!update_row(merge->rel, &merge->old_hour->t_self, new, true))
			elog(ERROR, "row of awspool.tally was changed while locked");
	}
	memset(hour->n, 0, sizeof(hour->n));
}

/* Writes the last hour, and the base row. */
static void
end_merge(Merge *merge)
{
	HeapTuple	new;

	if (merge->taken == 0)
		return;
	end_hour(merge);
	if (merge->old_base == NULL)
	{
		insert_row(merge->rel, merge->pool, &merge->base, merge, NULL);
		return;
	}
	new = form_row(merge->rel, merge->pool, &merge->base, merge);
	if (!update_row(merge->rel, &merge->old_base->t_self, new, true))
		elog(ERROR, "row of awspool.tally was changed while locked");
}
