/*
 * walk.c
 *	  Lets others do something in the middle of a walk of this session: after
 *	  the index page was read, before the first row on it is looked at.  For
 *	  walk.pl, which compiles it.
 *
 * The relation cache of this session gets another function that steps to the
 * next entry of an index: the first time of each scan it has the shell run a
 * command, and waits for that.
 */
#include "postgres.h"

#include "access/amapi.h"
#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "fmgr.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(during_walks);
PG_FUNCTION_INFO_V1(walks);
PG_FUNCTION_INFO_V1(count_as_1_0);

static ambeginscan_function begin_scan;
static amgettuple_function next_entry;
static bool at_first;
static char *shell_command;
static int	most;
static int	done;

static IndexScanDesc
note_scan(Relation rel, int nkeys, int norderbys)
{
	at_first = true;
	return begin_scan(rel, nkeys, norderbys);
}

static bool
next_entry_and_command(IndexScanDesc scan, ScanDirection direction)
{
	bool		found = next_entry(scan, direction);

	if (at_first && done < most)
	{
		done++;
		if (system(shell_command) != 0)
			elog(ERROR, "the command failed");
	}
	at_first = false;
	return found;
}

/*
 * during_walks(index regclass, command text, times int)
 *
 * The next scans of the index, so many at most, shall run the command.
 */
Datum
during_walks(PG_FUNCTION_ARGS)
{
	Relation	index = index_open(PG_GETARG_OID(0), AccessShareLock);

	if (index->rd_indam->amgettuple != next_entry_and_command)
	{
		IndexAmRoutine *routine = MemoryContextAlloc(CacheMemoryContext,
													 sizeof(IndexAmRoutine));

		*routine = *index->rd_indam;
		begin_scan = routine->ambeginscan;
		next_entry = routine->amgettuple;
		routine->ambeginscan = note_scan;
		routine->amgettuple = next_entry_and_command;
		index->rd_indam = routine;
	}
	shell_command = MemoryContextStrdup(TopMemoryContext,
										text_to_cstring(PG_GETARG_TEXT_PP(1)));
	most = PG_GETARG_INT32(2);
	done = 0;
	index_close(index, AccessShareLock);
	PG_RETURN_VOID();
}

/*
 * walks()
 *
 * How many scans ran the command; no more do.
 */
Datum
walks(PG_FUNCTION_ARGS)
{
	most = 0;
	PG_RETURN_INT32(done);
}

/*
 * count_as_1_0(arrivals regclass)
 *
 * Counts an arrival as the library of version 1.0 does: in the first row.
 */
Datum
count_as_1_0(PG_FUNCTION_ARGS)
{
	Relation	rel = relation_open(PG_GETARG_OID(0), AccessShareLock);
	Buffer		buffer = ReadBuffer(rel, 0);
	Page		page = BufferGetPage(buffer);
	HeapTupleHeader tuple;

	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	tuple = (HeapTupleHeader) PageGetItem(page, PageGetItemId(page, 1));
	++*(int64 *) ((char *) tuple + tuple->t_hoff);
	MarkBufferDirtyHint(buffer, true);
	UnlockReleaseBuffer(buffer);
	relation_close(rel, AccessShareLock);
	PG_RETURN_VOID();
}
