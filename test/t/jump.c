/*
 * jump.c
 *	  Lets the transaction counter of a running server jump ahead.  For
 *	  wraparound.pl, which compiles it; VARIABLES is what this server version
 *	  calls the variables of varsup.c.
 *
 * A page of the logs of transactions is made for the first transaction on it,
 * so the first jump to a page has to be to its beginning.
 */
#include "postgres.h"

#include "access/transam.h"
#include "fmgr.h"
#include "storage/lwlock.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(jump);

Datum
jump(PG_FUNCTION_ARGS)
{
	LWLockAcquire(XidGenLock, LW_EXCLUSIVE);
	VARIABLES->nextXid = FullTransactionIdFromU64(PG_GETARG_INT64(0));
	LWLockRelease(XidGenLock);
	PG_RETURN_VOID();
}
