/*-------------------------------------------------------------------------
 *
 * sequence.c
 *	  Rows that bring the number they have: the sequences follow.
 *
 * The position of an account, and the number of a row of the log, are drawn
 * from a sequence.  Not so if the row comes from a backup of its table alone,
 * by logical replication, which carries rows and no sequences, or by hand.
 * Then the sequence is moved on to it.  Else what is added next would be older
 * than what is there, or the log would refuse it for having a number twice.
 *
 * The accounts' sequence follows by the trigger that looks at each new account
 * anyway (history.c): a restore keeps a note in memory of each row for each
 * trigger.  The log has one of its own, below.  Neither has anything to do for
 * a row whose number was drawn.
 *
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

#include "access/htup_details.h"

PG_FUNCTION_INFO_V1(awspool_follow_sequence);

/* The first column of awspool.account_log. */
#define Anum_log_id		1

/*
 * Trigger: for each row of the log, after it was inserted.  The script of
 * version 1.0 has it on accounts as well.
 */
Datum
awspool_follow_sequence(PG_FUNCTION_ARGS)
{
	bool		is_log = !CALLED_AS_TRIGGER(fcinfo) ||
		strcmp(RelationGetRelationName(((TriggerData *) fcinfo->context)->tg_relation),
			   "account") != 0;
	TriggerData *trigdata = awspool_trigger_data(fcinfo, is_log ?
												 "account_log" : "account",
												 AFTER_ROW, ON_INSERT);
	bool		isnull;
	Datum		number = heap_getattr(trigdata->tg_trigtuple, is_log ?
									  Anum_log_id : Anum_account_position,
									  RelationGetDescr(trigdata->tg_relation),
									  &isnull);

	awspool_raise_sequence(awspool_relation(is_log ? "account_log_log_id_seq" :
											"account_position"),
						   DatumGetInt64(number));
	return PointerGetDatum(NULL);
}
