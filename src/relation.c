/*-------------------------------------------------------------------------
 *
 * relation.c
 *	  The relations of schema awspool: finding them, and reading their
 *	  indexes and sequences without a query; locks on names.
 *
 * Nothing here knows what an account is, or asks who is calling.
 *
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

#include "access/amapi.h"
#include "access/itup.h"
#include "access/relation.h"
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "commands/extension.h"
#include "commands/sequence.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

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
 * The last value that anybody drew from a sequence; 0 if nobody did.
 */
int64
awspool_last_drawn(Oid sequence)
{
	Relation	rel = relation_open(sequence, AccessShareLock);
	Buffer		buffer = ReadBuffer(rel, 0);
	Page		page;
	HeapTupleHeader tuple;
	FormData_pg_sequence_data data;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	page = BufferGetPage(buffer);
	tuple = (HeapTupleHeader) PageGetItem(page,
										  PageGetItemId(page,
														FirstOffsetNumber));
	memcpy(&data, (char *) tuple + tuple->t_hoff, sizeof(data));
	UnlockReleaseBuffer(buffer);
	relation_close(rel, AccessShareLock);
	return data.is_called ? data.last_value : data.last_value - 1;
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
