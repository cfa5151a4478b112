/*-------------------------------------------------------------------------
 *
 * relation.c
 *	  The relations of schema awspool: finding them, hearing of their
 *	  changes, and reading their indexes and sequences without a query; locks
 *	  on names.
 *
 * Nothing here knows what an account is, or asks who is calling.
 *
 * Much of what is read is the present: what is committed by now, or about to
 * be.  A dirty snapshot shows that, and leaves no traces for serializable
 * transactions to stumble over, but it can miss what is there.  A scan reads
 * a page of the index first, and the rows of its entries after that.  If
 * somebody replaces a row in between, the new version's entry was not on the
 * page that was read, and the old version is found dead.
 *
 * So a look that was shown no row, but met entries, is repeated with a
 * snapshot that was taken before it begins, to judge every version by that the
 * entries lead to.  If the row was there when the snapshot was taken, then in
 * a version that the snapshot shows.  The entry of that version was in the
 * index before it was committed, and nobody may remove either as long as there
 * is the snapshot.  So it is met, whoever replaces it meanwhile, and has to be
 * followed to the newest version, which locking it does.  Two looks are
 * enough, whatever others do.  (To look until no new entry is met would not
 * be: an entry whose row was rolled back may be removed between two looks, and
 * another row may take its very place.)
 *
 * Where a look met no entry at all there was nothing when it began, as an
 * entry is there before its row is committed.  That is the usual case.
 *
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

#include "access/amapi.h"
#include "access/generic_xlog.h"
#include "access/itup.h"
#include "access/nbtree.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "commands/sequence.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lock.h"
#include "storage/sinval.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/* Entries with a key that is skipped that are stepped over, one by one. */
#define MAX_SKIPPED			16

/* A row that is looked for, and where to put it and what is told of it. */
typedef struct Look
{
	Relation	rel;
	Relation	index;
	int			nkeys;
	const Datum *values;
	const char *not_of;
	TupleTableSlot *slot;
	TransactionId *inserter;
	bool		met_entry;
} Look;

static void begin_versions(VersionScan *versions, Relation rel,
						   const char *index, ScanDirection direction,
						   int nkeys, const Datum *values);
static bool look(Look *look, Snapshot latest);
static bool is_present(const Look *look, Snapshot dirty, Snapshot latest);
static void seek_beyond(VersionScan *versions);
static bool has_same_key(IndexTuple a, IndexTuple b);

/* The tables whose changes somebody wants to hear of. */
static WatchedTable *watched_tables = NULL;

/* How often we heard that any relation has changed. */
static uint64 relation_changes = 0;

static void on_relation_change(Datum arg, Oid relid);
static void read_table(KeptTable *table, Oid oid);
static bool move_sequence(Oid sequence, int64 value, const int64 *from);
static Form_pg_sequence_data sequence_data(Page page);
static int64 last_drawn(Form_pg_sequence_data data);
static LOCKTAG name_tag(LockClass class, const char *a, const char *b);

/*
 * One callback serves all who want to know: the server has room for ten, of
 * all libraries.
 */
void
awspool_init_relations(void)
{
	CacheRegisterRelcacheCallback(on_relation_change, (Datum) 0);
}

/*
 * From now on "changes" goes up whenever that table has changed, as it does
 * if it is another table than before.  Whoever keeps something of a table for
 * the session has to watch it.
 */
void
awspool_watch_table(WatchedTable *watched, Oid table)
{
	if (watched->oid == table)
		return;
	if (!OidIsValid(watched->oid))
	{
		watched->next = watched_tables;
		watched_tables = watched;
	}
	watched->oid = table;
	watched->changes++;
}

/*
 * Goes up whenever any relation has changed, as far as we heard.
 */
uint64
awspool_relation_changes(void)
{
	return relation_changes;
}

static void
on_relation_change(Datum arg, Oid relid)
{
	relation_changes++;
	for (WatchedTable *watched = watched_tables; watched != NULL;
		 watched = watched->next)
	{
		if (relid == watched->oid || relid == InvalidOid)
			watched->changes++;
	}
}

/*
 * What is kept of a table: as it was when this was called, or is later; with
 * "again", as it was read since.  NULL if there is nothing, or no such table,
 * as by the script of version 1.0.  As long as no relation has changed there is
 * nothing to look up.
 */
void *
awspool_keep(KeptTable *table, bool again)
{
	uint64		before;
	Oid			oid;

	AcceptInvalidationMessages();
	before = relation_changes;
	if (!again && table->is_known && table->known_since == before)
		return table->kept;

	oid = awspool_find_relation(table->name);
	if (OidIsValid(oid))
	{
		uint64		changes;

		/* What changes while we read makes us read again next time. */
		awspool_watch_table(&table->watched, oid);
		changes = table->watched.changes;
		if (again || table->context == NULL || table->changes != changes)
		{
			read_table(table, oid);
			table->changes = changes;
		}
	}
	else if (table->context != NULL)
	{
		MemoryContextDelete(table->context);
		table->context = NULL;
		table->kept = NULL;
	}
	table->is_known = true;
	table->known_since = before;
	return table->kept;
}

/* If that fails, what was kept stays. */
static void
read_table(KeptTable *table, Oid oid)
{
	Relation	rel = table_open(oid, AccessShareLock);
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "awspool kept table",
												  ALLOCSET_SMALL_SIZES);
	void	   *kept = table->read(rel, context);

	table_close(rel, AccessShareLock);
	MemoryContextSetParent(context, TopMemoryContext);
	if (table->context != NULL)
		MemoryContextDelete(table->context);
	table->context = context;
	table->kept = kept;
}

/*
 * The OID of a table, view, index or sequence of schema awspool; invalid if
 * there is none.  Looked up each time: after DROP and CREATE EXTENSION it is
 * another one.
 */
Oid
awspool_find_relation(const char *name)
{
	Oid			schema = get_namespace_oid("awspool", true);

	return OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;
}

/*
 * The same, but it is an error if there is none.  Without the extension there
 * is no table either; an index is no member of it, so anybody who owns the
 * table may have dropped or renamed one.
 */
Oid
awspool_relation(const char *name)
{
	Oid			relation = awspool_find_relation(name);

	if (!OidIsValid(relation))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation awspool.%s does not exist", name),
				 OidIsValid(get_extension_oid("awspool", true)) ?
				 errhint("It was dropped or renamed. Make it again as the install script of the extension does.") :
				 errhint("Run CREATE EXTENSION awspool.")));
	return relation;
}

/*
 * Opens an index for reading.  Raises 55000 if the server does not keep it:
 * what it lacks would be taken for not there.  REINDEX CONCURRENTLY gives the
 * name to a new index, and may do so before we have locked the old one.
 */
Relation
awspool_open_index(const char *name, LOCKMODE lock)
{
	for (;;)
	{
		Oid			oid = awspool_relation(name);
		Relation	index = index_open(oid, lock);

		if (index->rd_index->indisvalid && index->rd_index->indisready)
			return index;
		index_close(index, lock);
		if (awspool_relation(name) == oid)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("index awspool.%s is not valid", name),
					 errhint("Run REINDEX INDEX awspool.%s.", name)));
	}
}

/*
 * Begins to scan an index of text columns for the rows whose first columns
 * equal the values, in the order of the index.  If wanted, xs_itup shows the
 * entry of each.
 */
IndexScanDesc
awspool_begin_index_scan(Relation rel, Relation index, Snapshot snapshot,
						 int nkeys, const Datum *values, bool want_entries)
{
	ScanKeyData keys[2];
	IndexScanDesc scan;

	Assert(nkeys <= lengthof(keys));
	for (int i = 0; i < nkeys; i++)
		ScanKeyEntryInitialize(&keys[i], 0, i + 1, BTEqualStrategyNumber,
							   InvalidOid, index->rd_indcollation[i],
							   F_TEXTEQ, values[i]);

	scan = awspool_index_beginscan(rel, index, snapshot, nkeys);
	scan->xs_want_itup = want_entries;
	index_rescan(scan, keys, nkeys, NULL, 0);
	return scan;
}

/*
 * Steps to the next entry, and lets index_fetch_heap() have it.  Unlike
 * index_getnext_tid(), does not count it, for everybody to see in the
 * statistics: it may be somebody else's.
 */
bool
awspool_next_entry(IndexScanDesc scan)
{
	bool		found = scan->indexRelation->rd_indam->amgettuple(scan,
																  ForwardScanDirection);

	/* These are for index_fetch_heap() to set, of this entry. */
	scan->kill_prior_tuple = false;
	scan->xs_heap_continue = false;
	return found;
}

/*
 * The provider of an entry of the primary key.
 */
char *
awspool_entry_provider(IndexScanDesc scan)
{
	bool		isnull;

	return TextDatumGetCString(index_getattr(scan->xs_itup, 2,
											 scan->xs_itupdesc, &isnull));
}

/*
 * Tells every session at once, whatever becomes of this transaction, that a
 * table has changed.  Looks at no table, so it can be done while one aborts.
 */
void
awspool_announce_change(Oid table)
{
	SharedInvalidationMessage message;

	memset(&message, 0, sizeof(message));
	message.rc.id = SHAREDINVALRELCACHE_ID;
	message.rc.dbId = MyDatabaseId;
	message.rc.relId = table;
	SendSharedInvalidMessages(&message, 1);
}

/*
 * Begins to visit every version of the rows whose first columns equal the
 * values, of type text, timestamptz or bigint, in the order of the index, or
 * against it.  Whether a version is there is for the caller to say: nothing
 * here leaves traces for serializable transactions to stumble over.  Who wants
 * the entries may skip some of them.
 */
void
awspool_begin_versions(VersionScan *versions, Relation rel, const char *index,
					   ScanDirection direction, int nkeys, const Datum *values,
					   bool want_entries)
{
	begin_versions(versions, rel, index, direction, nkeys, values);
	versions->scan->xs_want_itup = want_entries;
	index_rescan(versions->scan, versions->keys, nkeys, NULL, 0);
}

/*
 * The same, forwards, but the last value is a bigint, and where to begin.
 */
void
awspool_begin_versions_from(VersionScan *versions, Relation rel,
							const char *index, int nkeys, const Datum *values)
{
	ScanKey		from = &versions->keys[nkeys - 1];

	begin_versions(versions, rel, index, ForwardScanDirection, nkeys, values);
	ScanKeyEntryInitialize(from, 0, nkeys, BTGreaterEqualStrategyNumber,
						   InvalidOid, InvalidOid, F_INT8GE,
						   values[nkeys - 1]);
	index_rescan(versions->scan, versions->keys, nkeys, NULL, 0);
}

/* All but to position the scan. */
static void
begin_versions(VersionScan *versions, Relation rel, const char *index,
			   ScanDirection direction, int nkeys, const Datum *values)
{
	ScanKey		keys = versions->keys;

	Assert(nkeys < lengthof(versions->keys));
	versions->rel = rel;
	versions->index = awspool_open_index(index, AccessShareLock);
	versions->slot = table_slot_create(rel, NULL);
	versions->direction = direction;
	versions->in_entry = false;
	versions->skipped = NULL;
	versions->sought = NULL;
	versions->nkeys = nkeys;
	for (int i = 0; i < nkeys; i++)
	{
		Oid			type = TupleDescAttr(RelationGetDescr(versions->index),
										 i)->atttypid;

		ScanKeyEntryInitialize(&keys[i], 0, i + 1, BTEqualStrategyNumber,
							   InvalidOid,
							   versions->index->rd_indcollation[i],
							   type == TEXTOID ? F_TEXTEQ :
							   type == INT8OID ? F_INT8EQ :
							   F_TIMESTAMPTZ_EQ, values[i]);
	}
	/* With room for one more: see seek_beyond. */
	versions->scan = awspool_index_beginscan(rel, versions->index,
											 SnapshotAny, nkeys + 1);
	versions->scan->numberOfKeys = nkeys;
}

/*
 * Steps to the next version, which is in "slot" then; false if there is none.
 * An entry none of whose versions anybody can see any more is marked as dead,
 * as index_getnext_tid() does.
 */
bool
awspool_next_version(VersionScan *versions)
{
	IndexScanDesc scan = versions->scan;

	for (;;)
	{
		if (versions->in_entry && index_fetch_heap(scan, versions->slot))
		{
			versions->n++;
			return true;
		}
		if (versions->in_entry && versions->n > 0)
			scan->kill_prior_tuple = versions->ndead == versions->n &&
				!scan->xactStartedInRecovery;
		if (!scan->indexRelation->rd_indam->amgettuple(scan,
													   versions->direction))
			return false;
		scan->kill_prior_tuple = false;
		scan->xs_heap_continue = false;
		versions->n = 0;
		versions->ndead = 0;
		versions->in_entry = versions->skipped == NULL ||
			!has_same_key(versions->skipped, scan->xs_itup);
		if (!versions->in_entry && ++versions->nskipped == MAX_SKIPPED)
			seek_beyond(versions);
	}
}

/*
 * Positions the scan behind all entries with the key that is skipped, or in
 * front of them if it is read backwards.
 */
static void
seek_beyond(VersionScan *versions)
{
	Relation	index = versions->index;
	ScanKey		header = &versions->keys[versions->nkeys];
	int			strategy = ScanDirectionIsBackward(versions->direction) ?
		BTLessStrategyNumber : BTGreaterStrategyNumber;
	int			natts = IndexRelationGetNumberOfKeyAttributes(index);
	ScanKey		member = versions->beyond;

	Assert(natts - versions->nkeys <= (int) lengthof(versions->beyond));
	for (int i = versions->nkeys; i < natts; i++)
	{
		bool		isnull;
		Datum		value = index_getattr(versions->skipped, i + 1,
										  RelationGetDescr(index), &isnull);

		ScanKeyEntryInitialize(member++,
							   SK_ROW_MEMBER | (i == natts - 1 ? SK_ROW_END : 0),
							   i + 1, strategy, InvalidOid,
							   index->rd_indcollation[i],
							   index_getprocid(index, i + 1, BTORDER_PROC),
							   value);
	}
	MemSet(header, 0, sizeof(*header));
	header->sk_flags = SK_ROW_HEADER;
	header->sk_attno = versions->nkeys + 1;
	header->sk_strategy = strategy;
	header->sk_argument = PointerGetDatum(versions->beyond);
	versions->scan->numberOfKeys = versions->nkeys + 1;
	index_rescan(versions->scan, versions->keys, versions->nkeys + 1, NULL, 0);
	if (versions->sought != NULL)
		pfree(versions->sought);
	versions->sought = versions->skipped;
}

/* Whether two entries of an index without NULLs have the same columns. */
static bool
has_same_key(IndexTuple a, IndexTuple b)
{
	Size		begin = IndexInfoFindDataOffset(a->t_info);
	Size		size = IndexTupleSize(a);

	return size == IndexTupleSize(b) &&
		memcmp((char *) a + begin, (char *) b + begin, size - begin) == 0;
}

/*
 * Whether a snapshot shows the version in "slot".
 */
bool
awspool_shows_version(VersionScan *versions, Snapshot snapshot)
{
	BufferHeapTupleTableSlot *slot =
		(BufferHeapTupleTableSlot *) versions->slot;
	bool		shown;

	LockBuffer(slot->buffer, BUFFER_LOCK_SHARE);
	shown = HeapTupleSatisfiesVisibility(slot->base.tuple, snapshot,
										 slot->buffer);
	if (!shown && HeapTupleIsSurelyDead(slot->base.tuple,
										GlobalVisTestFor(versions->rel)))
		versions->ndead++;
	LockBuffer(slot->buffer, BUFFER_LOCK_UNLOCK);
	return shown;
}

/*
 * Whether the version in "slot", which a snapshot does not show, is the last
 * one of a row that was deleted by then.
 */
bool
awspool_sees_deleted(VersionScan *versions, Snapshot snapshot)
{
	BufferHeapTupleTableSlot *slot =
		(BufferHeapTupleTableSlot *) versions->slot;
	HeapTupleHeader header = slot->base.tuple->t_data;
	bool		deleted;

	LockBuffer(slot->buffer, BUFFER_LOCK_SHARE);
	deleted = (header->t_infomask & HEAP_XMAX_COMMITTED) != 0 &&
		(header->t_infomask & HEAP_XMAX_IS_MULTI) == 0 &&
		!HEAP_XMAX_IS_LOCKED_ONLY(header->t_infomask) &&
		ItemPointerEquals(&header->t_ctid, &slot->base.tuple->t_self) &&
		!XidInMVCCSnapshot(HeapTupleHeaderGetRawXmax(header), snapshot);
	LockBuffer(slot->buffer, BUFFER_LOCK_UNLOCK);
	return deleted;
}

/*
 * Notes that the caller has learnt from the version in "slot" what it wants to
 * know of a row with a key of its own.  The other entries with that key are of
 * versions of the same row, or of rows that were there before or after: the
 * caller need not see them.  Where they are many they are not even read.
 */
void
awspool_skip_row(VersionScan *versions)
{
	if (versions->skipped != NULL && versions->skipped != versions->sought)
		pfree(versions->skipped);
	versions->skipped = CopyIndexTuple(versions->scan->xs_itup);
	versions->nskipped = 0;
	versions->in_entry = false;
}

void
awspool_end_versions(VersionScan *versions)
{
	index_endscan(versions->scan);
	if (versions->skipped != NULL && versions->skipped != versions->sought)
		pfree(versions->skipped);
	if (versions->sought != NULL)
		pfree(versions->sought);
	ExecDropSingleTupleTableSlot(versions->slot);
	index_close(versions->index, AccessShareLock);
}

/*
 * Finds the row that has these values in a unique index, as it is at present,
 * and leaves it in "slot"; it may have been replaced since.  False if there is
 * none.  If a running transaction is inserting it, its id goes to "inserter",
 * which is invalid otherwise; with NULL there, such a row is passed over.  So
 * is a row of the provider "not_of", if one is given: for the primary key of
 * accounts only, whose entries tell whose they are.
 *
 * The caller's snapshot must be active.  Waits for nobody.
 */
bool
awspool_find_present(Relation rel, Relation index, int nkeys,
					 const Datum *values, const char *not_of,
					 TupleTableSlot *slot, TransactionId *inserter)
{
	Look		wanted = {
		.rel = rel, .index = index, .nkeys = nkeys, .values = values,
		.not_of = not_of, .slot = slot, .inserter = inserter
	};
	Snapshot	latest;
	bool		found;

	if (look(&wanted, NULL))
		return true;
	if (!wanted.met_entry)
		return false;

	/* Like a dirty one, takes what this very command did for done. */
	latest = RegisterSnapshot(GetLatestSnapshot());
	latest->curcid = InvalidCommandId;
	found = look(&wanted, latest);
	UnregisterSnapshot(latest);
	return found;
}

/*
 * Whether a table has such a row, found along that index.
 */
bool
awspool_has_row(const char *table, const char *index, int nkeys,
				const Datum *values, const char *not_of)
{
	Relation	rel = table_open(awspool_relation(table), AccessShareLock);
	Relation	index_rel = awspool_open_index(index, AccessShareLock);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	bool		found = awspool_find_present(rel, index_rel, nkeys, values,
											 not_of, slot, NULL);

	ExecDropSingleTupleTableSlot(slot);
	index_close(index_rel, AccessShareLock);
	table_close(rel, AccessShareLock);
	return found;
}

/*
 * Looks once: at what a dirty snapshot shows or, with a snapshot that was
 * taken before, at every version.
 */
static bool
look(Look *look, Snapshot latest)
{
	SnapshotData dirty;
	IndexScanDesc scan;
	bool		found = false;

	InitDirtySnapshot(dirty);
	scan = awspool_begin_index_scan(look->rel, look->index,
									latest == NULL ? &dirty : SnapshotAny,
									look->nkeys, look->values,
									look->not_of != NULL);
	while (!found && awspool_next_entry(scan))
	{
		if (look->not_of != NULL &&
			strcmp(awspool_entry_provider(scan), look->not_of) == 0)
			continue;
		look->met_entry = true;

		/* Several versions may share an entry (HOT). */
		while (!found && index_fetch_heap(scan, look->slot))
			found = is_present(look, &dirty, latest);
	}
	index_endscan(scan);
	return found;
}

/*
 * Whether the version in the slot, which the scan of a look came to, is what
 * is looked for.
 */
static bool
is_present(const Look *look, Snapshot dirty, Snapshot latest)
{
	bool		shown = latest == NULL ||
		table_tuple_satisfies_snapshot(look->rel, look->slot, dirty);
	TransactionId inserter = shown ? dirty->xmin : InvalidTransactionId;

	if (!shown &&
		!table_tuple_satisfies_snapshot(look->rel, look->slot, latest))
		return false;
	if (look->inserter == NULL)
		return !TransactionIdIsValid(inserter);
	*look->inserter = inserter;
	return true;
}

/*
 * The last value that anybody drew from a sequence; 0 if nobody did.
 */
int64
awspool_last_drawn(Oid sequence)
{
	Relation	rel = relation_open(sequence, AccessShareLock);
	Buffer		buffer = ReadBuffer(rel, 0);
	int64		value;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	value = last_drawn(sequence_data(BufferGetPage(buffer)));
	UnlockReleaseBuffer(buffer);
	relation_close(rel, AccessShareLock);
	return value;
}

/*
 * Moves a sequence on, so that nobody will draw that value, if it has not come
 * so far yet.  What it leaves out is a gap, also if the transaction is rolled
 * back.
 *
 * A value that is out of all proportion is not followed.  It would leave too
 * little to draw from, and then nothing could be added any more.
 */
void
awspool_raise_sequence(Oid sequence, int64 value)
{
	if (value > awspool_last_drawn(sequence))
		(void) move_sequence(sequence, value, NULL);
}

/*
 * Draws at most so many values of a sequence, one after the other: returns the
 * first, and in "drawn" how many they are.
 *
 * nextval() draws the first, and takes the lock.  If nobody else has drawn
 * since, the others are drawn by moving the sequence on; else there is but one,
 * and likewise if the sequence was given a CACHE.
 */
int64
awspool_draw(Oid sequence, int most, int *drawn)
{
	int64		first = nextval_internal(sequence, false);

	*drawn = most > 1 && first < PG_INT64_MAX / 2 &&
		move_sequence(sequence, first + most - 1, &first) ? most : 1;
	return first;
}

/*
 * Moves a sequence on to a value, if it has not come so far; with "from", only
 * if that is what was drawn last.
 *
 * setval() would do no matter how far the sequence has come meanwhile, and so
 * set it back under others who draw.  No lock can prevent that: who has drawn
 * keeps theirs to the end of the transaction, and may be waiting for us.  So
 * we compare and write as nextval() does, while nobody else has the page; and
 * take the lock that it takes, as head.c relies on.
 *
 * The record has the whole page: what nextval() has logged is ahead of what is
 * in memory, so that no difference would fit both.
 */
static bool
move_sequence(Oid sequence, int64 value, const int64 *from)
{
	Relation	rel;
	Buffer		buffer;
	int64		last;
	bool		moves;

	if (value > PG_INT64_MAX / 2)
		return false;

	rel = relation_open(sequence, RowExclusiveLock);
	buffer = ReadBuffer(rel, 0);
	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	last = last_drawn(sequence_data(BufferGetPage(buffer)));
	moves = value > last && (from == NULL || *from == last);
	if (moves)
	{
		GenericXLogState *record = GenericXLogStart(rel);
		Form_pg_sequence_data data =
			sequence_data(GenericXLogRegisterBuffer(record, buffer,
													GENERIC_XLOG_FULL_IMAGE));

		data->last_value = value;
		data->is_called = true;
		data->log_cnt = 0;		/* the next value has to be logged */
		GenericXLogFinish(record);
	}
	UnlockReleaseBuffer(buffer);
	relation_close(rel, NoLock);
	return moves;
}

/* The one row of a sequence; whoever asks has the page locked. */
static Form_pg_sequence_data
sequence_data(Page page)
{
	HeapTupleHeader tuple =
		(HeapTupleHeader) PageGetItem(page,
									  PageGetItemId(page, FirstOffsetNumber));

	return (Form_pg_sequence_data) ((char *) tuple + tuple->t_hoff);
}

static int64
last_drawn(Form_pg_sequence_data data)
{
	return data->is_called ? data->last_value : data->last_value - 1;
}

/*
 * Locks two names together, for what "class" says, until the end of the
 * transaction; a prepared transaction keeps the lock.  Waits for whoever has
 * it or, if that is not wanted, returns false.
 *
 * The lock is on a hash of the names.  Where two are equal, their owners only
 * wait for each other.  Everybody may look at pg_locks, so the hash begins
 * with a secret of this cluster: who guesses names cannot see whether they are
 * locked.
 */
bool
awspool_lock_names(LockClass class, const char *a, const char *b, bool wait)
{
	LOCKTAG		tag = name_tag(class, a, b);

	return LockAcquire(&tag, ExclusiveLock, false, !wait) !=
		LOCKACQUIRE_NOT_AVAIL;
}

/*
 * Gives a lock back that this resource owner took, before the transaction ends.
 */
void
awspool_unlock_names(LockClass class, const char *a, const char *b)
{
	LOCKTAG		tag = name_tag(class, a, b);

	(void) LockRelease(&tag, ExclusiveLock, false);
}

static LOCKTAG
name_tag(LockClass class, const char *a, const char *b)
{
	uint64		hash;
	LOCKTAG		tag;

	memcpy(&hash, GetMockAuthenticationNonce(), sizeof(hash));
	hash = DatumGetUInt64(hash_any_extended((const unsigned char *) a,
											strlen(a), hash));
	hash = DatumGetUInt64(hash_any_extended((const unsigned char *) b,
											strlen(b), hash));
	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, (uint32) (hash >> 32),
						 (uint32) hash, class);
	return tag;
}
