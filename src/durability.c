/*-------------------------------------------------------------------------
 *
 * durability.c
 *	  What was acknowledged is durable.
 *
 * An account whose claim was acknowledged and then forgotten by a crash is
 * sold twice, so the durability of our changes is not the client's to choose.
 * Two things are needed, because the server decides them apart:
 *
 * - ForceSyncCommit() makes the commit flush the local WAL even when
 *	 synchronous_commit is off.
 *
 * - The wait for a synchronous standby depends on synchronous_commit at the
 *	 moment of the commit alone.  A client could lower it after the claim, so
 *	 it is raised at the last moment before the commit, or before the PREPARE
 *	 TRANSACTION, for that transaction only.
 *
 * COMMIT PREPARED runs in a transaction of its own, which may be another
 * session's: there the local flush is the server's own doing, and the wait for
 * the standby follows that session's synchronous_commit.
 *
 * A commit that wrote nothing waits for nobody.  So a call that only confirms
 * an earlier change writes something: the commit then waits for all WAL before
 * it, the earlier change's included, even if that one's wait had been
 * cancelled.  A repeated claim locks the row that it returns, which is WAL;
 * where there is no row to lock, awspool_confirm_change() is enough.
 *
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

#include "access/xact.h"
#include "access/xloginsert.h"
#include "catalog/pg_control.h"
#include "miscadmin.h"
#include "utils/guc.h"

/* Whether this transaction did something that must be durable. */
static bool durable_commit = false;

static void before_commit(XactEvent event, void *arg);
static void raise_synchronous_commit(void);

void
awspool_init_durability(void)
{
	RegisterXactCallback(before_commit, NULL);
}

/*
 * To be called by whatever changes the pool, or confirms a change: makes the
 * commit of this transaction durable, whatever the client set.  Raises 25006
 * in a read-only transaction, and on a standby.
 */
void
awspool_begin_writing(void)
{
	PreventCommandIfReadOnly("a change of the pool");
	ForceSyncCommit();
	durable_commit = true;
}

/*
 * To be called by whatever says that an earlier change has been made, and has
 * written nothing that depends on it.
 */
void
awspool_confirm_change(void)
{
	char		nothing = 0;	/* a record has to have some data */

	(void) GetTopTransactionId();
	XLogBeginInsert();
	XLogRegisterData(&nothing, sizeof(nothing));
	(void) XLogInsert(RM_XLOG_ID, XLOG_NOOP);
}

static void
before_commit(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
		case XACT_EVENT_PRE_PREPARE:
			if (durable_commit && synchronous_commit < SYNCHRONOUS_COMMIT_ON)
				raise_synchronous_commit();
			break;
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			durable_commit = false;
			break;
		default:
			break;
	}
}

/* The end of the transaction puts the client's choice back. */
static void
raise_synchronous_commit(void)
{
	(void) set_config_option("synchronous_commit", "on",
							 PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_LOCAL, true, 0, false);
}
