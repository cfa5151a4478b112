/*-------------------------------------------------------------------------
 *
 * relation.c
 *	  The relations of schema awspool: finding them, hearing of their
 *	  changes, and reading their indexes and sequences without a query; locks
 *	  on names.
 *
 * Nothing here knows what an account is, or asks who is calling.
 *
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

#include "access/amapi.h"
#include "access/generic_xlog.h"
#include "access/itup.h"
#include "access/relation.h"
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "commands/sequence.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"

/* The tables whose changes somebody wants to hear of. */
static WatchedTable *watched_tables = NULL;

static void on_relation_change(Datum arg, Oid relid);
static Form_pg_sequence_data sequence_data(Page page);
static int64 last_drawn(Form_pg_sequence_data data);

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

static void
on_relation_change(Datum arg, Oid relid)
{
	for (WatchedTable *watched = watched_tables; watched != NULL;
		 watched = watched->next)
	{
		if (relid == watched->oid || relid == InvalidOid)
			watched->changes++;
	}
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
 * The same, but it is an error if there is none.
 */
Oid
awspool_relation(const char *name)
{
	Oid			relation = awspool_find_relation(name);

	if (!OidIsValid(relation))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation awspool.%s does not exist", name),
				 errhint("Run CREATE EXTENSION awspool.")));
	return relation;
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
 * setval() would do no matter how far the sequence has come meanwhile, and so
 * set it back under others who draw.  No lock can prevent that: who has drawn
 * keeps theirs to the end of the transaction, and may be waiting for us.  So
 * we compare and write as nextval() does, while nobody else has the page; and
 * take the lock that it takes, as head.c relies on.
 *
 * The record has the whole page: what nextval() has logged is ahead of what is
 * in memory, so that no difference would fit both.
 *
 * A value that is out of all proportion is not followed.  It would leave too
 * little to draw from, and then nothing could be added any more.
 */
void
awspool_raise_sequence(Oid sequence, int64 value)
{
	Relation	rel;
	Buffer		buffer;

	if (value <= awspool_last_drawn(sequence) || value > PG_INT64_MAX / 2)
		return;

	rel = relation_open(sequence, RowExclusiveLock);
	buffer = ReadBuffer(rel, 0);
	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	if (value > last_drawn(sequence_data(BufferGetPage(buffer))))
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
	uint64		hash;
	LOCKTAG		tag;

	memcpy(&hash, GetMockAuthenticationNonce(), sizeof(hash));
	hash = DatumGetUInt64(hash_any_extended((const unsigned char *) a,
											strlen(a), hash));
	hash = DatumGetUInt64(hash_any_extended((const unsigned char *) b,
											strlen(b), hash));
	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, (uint32) (hash >> 32),
						 (uint32) hash, class);
	return LockAcquire(&tag, ExclusiveLock, false, !wait) !=
		LOCKACQUIRE_NOT_AVAIL;
}
