/*-------------------------------------------------------------------------
 *
 * replica.c
 *	  Rows that logical replication applies: their sequences follow.
 *
 * Logical replication carries rows, not sequences.  A replica that is to go
 * on where its publisher stopped would draw positions from the start, so that
 * accounts added there became the oldest.  A trigger that fires only while
 * changes are applied moves each sequence on to what arrives.
 *
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

#include "access/htup_details.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

PG_FUNCTION_INFO_V1(awspool_follow_sequence);

/* The first column of awspool.account_log is the other one that is drawn. */
#define Anum_log_id		1

/*
 * Trigger: for each account and each row of the log, after it was inserted
 * by logical replication.
 */
Datum
awspool_follow_sequence(PG_FUNCTION_ARGS)
{
	bool		is_log = CALLED_AS_TRIGGER(fcinfo) &&
		strcmp(RelationGetRelationName(((TriggerData *) fcinfo->context)->tg_relation),
			   "account_log") == 0;
	TriggerData *trigdata = awspool_trigger_data(fcinfo, is_log ?
												 "account_log" : "account",
												 AFTER_ROW, ON_INSERT);
	Oid			sequence = awspool_relation(is_log ? "account_log_log_id_seq" :
											"account_position");
	bool		isnull;
	Datum		value = heap_getattr(trigdata->tg_trigtuple, is_log ?
									 Anum_log_id : Anum_account_position,
									 RelationGetDescr(trigdata->tg_relation),
									 &isnull);

	/* Others may apply as well: nobody shall set it back to what we have. */
	LockRelationOid(sequence, ShareUpdateExclusiveLock);
	if (DatumGetInt64(value) > awspool_last_drawn(sequence))
		(void) DirectFunctionCall2(setval_oid, ObjectIdGetDatum(sequence),
								   value);
	UnlockRelationOid(sequence, ShareUpdateExclusiveLock);
	return PointerGetDatum(NULL);
}
