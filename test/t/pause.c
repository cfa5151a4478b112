/*
 * pause.c
 *	  Stops a scan of an index where it has read a page of it, and not yet
 *	  looked at the rows.  For look.pl, which compiles it.
 *
 * pause_scan(index) replaces the function by which this session steps to the
 * next entry of the index.  The first time that it comes to one, it waits for
 * the advisory lock 17.
 */
#include "postgres.h"

#include "access/amapi.h"
#include "access/genam.h"
#include "fmgr.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/rel.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(pause_scan);

static amgettuple_function next_entry;
static bool armed;

static bool
next_entry_and_pause(IndexScanDesc scan, ScanDirection direction)
{
	bool		found = next_entry(scan, direction);

	if (found && armed)
	{
		armed = false;
		DirectFunctionCall1(pg_advisory_lock_int8, Int64GetDatum(17));
		DirectFunctionCall1(pg_advisory_unlock_int8, Int64GetDatum(17));
	}
	return found;
}

Datum
pause_scan(PG_FUNCTION_ARGS)
{
	Relation	index = index_open(PG_GETARG_OID(0), AccessShareLock);
	IndexAmRoutine *routine = MemoryContextAlloc(TopMemoryContext,
												 sizeof(IndexAmRoutine));

	*routine = *index->rd_indam;
	next_entry = index->rd_indam->amgettuple == next_entry_and_pause ?
		next_entry : index->rd_indam->amgettuple;
	routine->amgettuple = next_entry_and_pause;
	index->rd_indam = routine;
	armed = true;
	index_close(index, AccessShareLock);
	PG_RETURN_VOID();
}
