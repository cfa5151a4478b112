/*-------------------------------------------------------------------------
 *
 * row.c
 *	  Finding, locking and changing single rows of awspool.account without a
 *	  query.
 *
 * A claim is one row; planning and starting a query for it would cost more
 * than the change itself.  So the rows are reached as logical replication's
 * apply reaches them: found by an index, locked with table_tuple_lock(), and
 * changed by ExecSimpleRelationUpdate(), which fires row triggers, computes
 * generated columns, checks constraints and maintains indexes.  What this
 * path does not do is to fire triggers FOR EACH STATEMENT, and the one that
 * counts (tally.c): what is changed here is counted here.
 *
 * What is read is the present, not the snapshot of the caller's transaction:
 * an account is looked up with the latest snapshot, and then locked in its
 * newest version.  A transaction that must not see the present (REPEATABLE
 * READ, SERIALIZABLE) gets the usual serialization failure where it names an
 * account that changed since its snapshot.  Claims are meant to see the
 * present and are exempt; claim.c says why.
 *
 * The caller may act for the provider that the table was opened for: its
 * functions have asked access.c before.  That may be long ago when they have
 * waited for somebody, and the right may have been taken back meanwhile.  So
 * whatever may wait here asks again afterwards, before it tells the caller
 * anything, and so does closing the table, which comes after all that triggers
 * and indexes may have waited for: its error undoes what was changed.
 *
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

#include "access/htup_details.h"
#include "access/multixact.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_trigger.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

static void ask_again(const AccountTable *table);
static bool take_over_transition(ResultRelInfo *result);
static bool any_trigger_after(const AccountTable *table);
static void begin_command(AccountTable *table);
static void check_snapshot(AccountTable *table);
static bool see_account(AccountTable *table, const char *account_id);
static bool lock_found(AccountTable *table, LockWaitPolicy wait, int flags);
static void could_not_serialize(void);
static void wait_for_holders(AccountTable *table);
static void wait_for_end(AccountTable *table, TransactionId xid);

/*
 * Opens awspool.account for changing rows of a provider, until
 * awspool_close_account_table.  Raises 25006 in a read-only transaction and on
 * a standby.  For NULL, whoever opens it sees to the rights.
 */
AccountTable *
awspool_open_account_table(const char *provider)
{
	AccountTable *table = palloc0(sizeof(AccountTable));
	RangeTblEntry *rte = makeNode(RangeTblEntry);

	awspool_begin_writing();

	table->provider = provider;
	table->rel = table_open(awspool_relation("account"), RowExclusiveLock);
	table->estate = CreateExecutorState();

	rte->rtekind = RTE_RELATION;
	rte->relid = RelationGetRelid(table->rel);
	rte->relkind = table->rel->rd_rel->relkind;
	rte->rellockmode = RowExclusiveLock;
	table->updated = awspool_init_range_table(table->estate, rte);

	table->result = makeNode(ResultRelInfo);
	InitResultRelInfo(table->result, table->rel, 1, NULL, 0);
	awspool_count_ourselves(table->result);
	/* where AFTER triggers look for it */
	table->estate->es_opened_result_relations =
		lappend(table->estate->es_opened_result_relations, table->result);

	table->does_transition = take_over_transition(table->result);

	begin_command(table);
	ExecOpenIndices(table->result, false);
	ask_again(table);
	awspool_lend_constraints(table->result);
	awspool_eval_plan_qual_init(&table->epq, table->estate);
	table->found = table_slot_create(table->rel,
									 &table->estate->es_tupleTable);
	table->changed = table_slot_create(table->rel,
									   &table->estate->es_tupleTable);
	AfterTriggerBeginQuery();
	return table;
}

/*
 * Fires the AFTER triggers of what was changed, makes it visible to the
 * commands that follow, and closes the table.  The locks stay until the end
 * of the transaction.  Raises 42501 if the caller may not act for the provider
 * any more.
 */
void
awspool_close_account_table(AccountTable *table)
{
	AfterTriggerEndQuery(table->estate);
	ask_again(table);
	EvalPlanQualEnd(&table->epq);
	/* Also the tables to which foreign keys have led. */
	ExecCloseResultRelations(table->estate);
	ExecResetTupleTable(table->estate->es_tupleTable, false);
	FreeExecutorState(table->estate);
	table_close(table->rel, NoLock);
	pfree(table);
	CommandCounterIncrement();
}

/* Raises 42501 if the caller has lost the provider meanwhile. */
static void
ask_again(const AccountTable *table)
{
	if (table->provider != NULL)
		awspool_check_provider_again(table->provider);
}

/*
 * For the one trigger that usually fires before an update, our own, the server
 * would lock and copy the row once more.  So as long as there is no other,
 * what it does is done without it (lifecycle.c).  The descriptor of the
 * triggers is a copy, ours to change.
 */
static bool
take_over_transition(ResultRelInfo *result)
{
	TriggerDesc *triggers = result->ri_TrigDesc;
	bool		found = false;

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		Trigger    *trigger = &triggers->triggers[i];

		if (!TRIGGER_TYPE_MATCHES(trigger->tgtype, TRIGGER_TYPE_ROW,
								  TRIGGER_TYPE_BEFORE, TRIGGER_TYPE_UPDATE))
			continue;
		if (strcmp(trigger->tgname, "account_transition") != 0 ||
			trigger->tgenabled != TRIGGER_FIRES_ALWAYS)
			return false;
		found = true;
	}
	if (found)
		triggers->trig_update_before_row = false;
	return found;
}

/*
 * Whether any trigger is to fire after this update.  The server would fetch
 * the old row before it sees that none is for these columns.
 */
static bool
any_trigger_after(const AccountTable *table)
{
	const TriggerDesc *triggers = table->result->ri_TrigDesc;

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (!TRIGGER_TYPE_MATCHES(trigger->tgtype, TRIGGER_TYPE_ROW,
								  TRIGGER_TYPE_AFTER, TRIGGER_TYPE_UPDATE))
			continue;
		if (trigger->tgenabled == TRIGGER_DISABLED)
			continue;
		if (trigger->tgnattr == 0)
			return true;
		for (int j = 0; j < trigger->tgnattr; j++)
		{
			if (bms_is_member(trigger->tgattr[j] -
							  FirstLowInvalidHeapAttributeNumber,
							  *table->updated))
				return true;
		}
	}
	return false;
}

/*
 * Each change is a command of its own, after whatever a trigger did on the
 * occasion of the one before.
 */
static void
begin_command(AccountTable *table)
{
	table->estate->es_output_cid = GetCurrentCommandId(true);
}

/*
 * A text column of a row as a string, or NULL.
 */
char *
awspool_column(TupleTableSlot *account, int column)
{
	bool		isnull;
	Datum		value = slot_getattr(account, column, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

/*
 * Whether a text column of a row has that value; NULL equals NULL.
 */
bool
awspool_column_is(TupleTableSlot *account, int column, const char *value)
{
	bool		isnull;
	Datum		datum = slot_getattr(account, column, &isnull);
	text	   *stored;

	if (isnull || value == NULL)
		return isnull && value == NULL;
	stored = DatumGetTextPP(datum);
	return VARSIZE_ANY_EXHDR(stored) == strlen(value) &&
		memcmp(VARDATA_ANY(stored), value, strlen(value)) == 0;
}

/*
 * Finds an account of the provider.  False if there is none, or if it is
 * somebody else's: that is the same, also in what it takes to find out.  The
 * entry of the primary key tells whose it is, so the row of somebody else is
 * never looked at.
 */
bool
awspool_find_account(Relation rel, Snapshot snapshot, const char *account_id,
					 const char *provider, TupleTableSlot *slot)
{
	Datum		key = CStringGetTextDatum(account_id);
	Relation	index = awspool_open_index("account_pkey", AccessShareLock);
	IndexScanDesc scan = awspool_begin_index_scan(rel, index, snapshot, 1,
												  &key, true);
	bool		found = false;

	while (!found && awspool_next_entry(scan))
		found = strcmp(awspool_entry_provider(scan), provider) == 0 &&
			index_fetch_heap(scan, slot);
	index_endscan(scan);
	index_close(index, AccessShareLock);
	return found;
}

/*
 * Locks the newest version of the row in "found" until the end of the
 * transaction, waiting for whoever is changing it, and leaves that version
 * there.  False if there is none any more.
 */
bool
awspool_lock_found(AccountTable *table)
{
	bool		locked = lock_found(table, LockWaitBlock,
									TUPLE_LOCK_FLAG_LOCK_UPDATE_IN_PROGRESS |
									TUPLE_LOCK_FLAG_FIND_LAST_VERSION);

	ask_again(table);
	return locked;
}

/*
 * Locks the row in "found" until the end of the transaction, if it is still
 * the newest version and nobody else has it.  Does not wait, and never locks
 * another version: that would be somebody else's account.
 */
bool
awspool_try_lock_found(AccountTable *table)
{
	return lock_found(table, LockWaitSkip, 0);
}

static bool
lock_found(AccountTable *table, LockWaitPolicy wait, int flags)
{
	ItemPointerData tid = table->found->tts_tid;
	TM_FailureData failure;
	TM_Result	result;

	result = table_tuple_lock(table->rel, &tid, GetActiveSnapshot(),
							  table->found, GetCurrentCommandId(false),
							  LockTupleNoKeyExclusive, wait, flags, &failure);
	if (result == TM_SelfModified ||
		(result == TM_Invisible && wait == LockWaitBlock))
		awspool_changed_by_command();
	return result == TM_Ok;
}

/*
 * Waits until no other transaction is claiming for the order, and keeps
 * others from it until this one ends.
 */
void
awspool_lock_order(AccountTable *table, const char *order_id)
{
	(void) awspool_lock_names(AWSPOOL_LOCK_ORDER, table->provider, order_id,
							  true);
	ask_again(table);
}

/*
 * Finds an account of the provider and locks it, waiting for whoever is
 * changing it.  False if there is none.  Raises 40001 if the transaction has a
 * snapshot that does not show the account as it is.
 *
 * If an order holds the account, or did, the order is locked before the row,
 * as a claim does, or the two could wait for each other.  Once an account has
 * an order, that never changes.  Who has none yet may get one while we wait
 * for its row, so such a row is locked only as it was seen, and waited for
 * without being locked.
 *
 * Without the order, if it is one of very many that this transaction deletes,
 * say: there is no room for so many locks.
 */
bool
awspool_lock_account(AccountTable *table, const char *account_id,
					 bool with_order)
{
	while (see_account(table, account_id))
	{
		char	   *order_id = awspool_column(table->found,
											  Anum_account_order_id);
		bool		locked;

		if (with_order && order_id == NULL)
		{
			locked = awspool_try_lock_found(table);
			if (!locked)
				wait_for_holders(table);
		}
		else
		{
			if (with_order)
				awspool_lock_order(table, order_id);
			locked = awspool_lock_found(table);
		}
		if (locked)
		{
			check_snapshot(table);
			return true;
		}

		/* Deleted meanwhile, or changed; it may have been added again. */
		CHECK_FOR_INTERRUPTS();
	}
	return false;
}

/*
 * The same, with its order, but it is an error if there is none.
 */
void
awspool_need_account(AccountTable *table, const char *account_id)
{
	if (!awspool_lock_account(table, account_id, true))
		awspool_no_such_account(table->provider, account_id);
}

/*
 * Waits for those who have changed or locked the version in "found", which
 * could not be locked.
 */
static void
wait_for_holders(AccountTable *table)
{
	int			n;
	TransactionId *xids = awspool_who_has(table->found, &n);

	for (int i = 0; i < n; i++)
		wait_for_end(table, xids[i]);
}

/*
 * Who has changed the version of an account in a slot, or has it locked,
 * whether they still run or not.  But for locks such as a foreign key takes:
 * they are in nobody's way.
 */
TransactionId *
awspool_who_has(TupleTableSlot *account, int *n)
{
	BufferHeapTupleTableSlot *slot = (BufferHeapTupleTableSlot *) account;
	HeapTupleHeader header = slot->base.tuple->t_data;
	MultiXactMember *members;
	TransactionId *xids;
	TransactionId xmax;
	uint16		infomask;
	int			nmembers;

	LockBuffer(slot->buffer, BUFFER_LOCK_SHARE);
	xmax = HeapTupleHeaderGetRawXmax(header);
	infomask = header->t_infomask;
	LockBuffer(slot->buffer, BUFFER_LOCK_UNLOCK);

	*n = 0;
	if (infomask & HEAP_XMAX_INVALID)
		return NULL;
	if (!(infomask & HEAP_XMAX_IS_MULTI))
	{
		xids = palloc(sizeof(TransactionId));
		if (!HEAP_XMAX_IS_KEYSHR_LOCKED(infomask))
			xids[(*n)++] = xmax;
		return xids;
	}
	nmembers = GetMultiXactIdMembers(xmax, &members, false,
									 HEAP_XMAX_IS_LOCKED_ONLY(infomask));
	xids = palloc(Max(nmembers, 1) * sizeof(TransactionId));
	for (int i = 0; i < nmembers; i++)
	{
		if (members[i].status != MultiXactStatusForKeyShare)
			xids[(*n)++] = members[i].xid;
	}
	return xids;
}

static void
wait_for_end(AccountTable *table, TransactionId xid)
{
	if (!TransactionIdIsCurrentTransactionId(xid))
		XactLockTableWait(xid, table->rel, &table->found->tts_tid, XLTW_Lock);
	ask_again(table);
}

/*
 * Raises WS003: the provider has no such account, or nobody has.
 */
void
awspool_no_such_account(const char *provider, const char *account_id)
{
	ereport(ERROR,
			(errcode(ERRCODE_AWSPOOL_NO_SUCH_ACCOUNT),
			 errmsg("provider \"%s\" has no account \"%s\"", provider,
					awspool_printable(account_id))));
}

/*
 * Begins to change the row in "found": "changed" becomes a copy of it.
 */
void
awspool_begin_change(AccountTable *table)
{
	TupleTableSlot *found = table->found;
	TupleTableSlot *changed = table->changed;
	int			natts = RelationGetDescr(table->rel)->natts;

	slot_getallattrs(found);
	ExecClearTuple(changed);
	memcpy(changed->tts_values, found->tts_values, natts * sizeof(Datum));
	memcpy(changed->tts_isnull, found->tts_isnull, natts * sizeof(bool));
	ExecStoreVirtualTuple(changed);
	*table->updated = NULL;
}

/*
 * Sets a text column of "changed"; NULL makes it null.
 */
void
awspool_set_column(AccountTable *table, int column, const char *value)
{
	table->changed->tts_values[column - 1] = awspool_text_datum(value);
	table->changed->tts_isnull[column - 1] = (value == NULL);
	*table->updated =
		bms_add_member(*table->updated,
					   column - FirstLowInvalidHeapAttributeNumber);
}

/*
 * Replaces the row in "found", which is locked, by "changed".  Afterwards
 * "changed" is what was stored, triggers included.
 */
void
awspool_update_row(AccountTable *table)
{
	begin_command(table);
	if (table->does_transition)
		awspool_pass_transition(table->rel, table->found, table->changed);
	if (table->result->ri_TrigDesc != NULL)
		table->result->ri_TrigDesc->trig_update_after_row =
			any_trigger_after(table);
	ItemPointerSetInvalid(&table->changed->tts_tid);
	ExecSimpleRelationUpdate(table->result, table->estate, &table->epq,
							 table->found, table->changed);

	if (!ItemPointerIsValid(&table->changed->tts_tid))
		awspool_prevented_by_trigger();
	awspool_count_change(table->found, table->changed,
						 table->estate->es_output_cid);
}

/*
 * The same, and moves the account to a status.
 */
void
awspool_update_status(AccountTable *table, AccountStatus status)
{
	awspool_set_column(table, Anum_account_status,
					   awspool_status_name(status));
	awspool_update_row(table);
	if (awspool_status_of(table->changed) != status)
		awspool_prevented_by_trigger();
}

/*
 * Moves the account in "found", which is locked, and ready or in progress, to
 * what it has been since that use.  "changed" has been begun, and has the
 * order of a ready account by now.
 */
void
awspool_mark_used(AccountTable *table, const PastUse *use)
{
	UseMark		mark = {awspool_column(table->found, Anum_account_account_id),
	use};
	UseMark		outer = awspool_leave_mark(mark);

	PG_TRY();
	{
		awspool_update_status(table, use->status);
	}
	PG_FINALLY();
	{
		(void) awspool_leave_mark(outer);
	}
	PG_END_TRY();
}

/*
 * Deletes the row in "found", which is locked.
 */
void
awspool_delete_row(AccountTable *table)
{
	begin_command(table);
	ExecSimpleRelationDelete(table->result, table->estate, &table->epq,
							 table->found);
	if (table_tuple_satisfies_snapshot(table->rel, table->found, SnapshotSelf))
		awspool_prevented_by_trigger();
	awspool_count_change(table->found, NULL, table->estate->es_output_cid);
}

/*
 * Looks up an account of the provider and leaves it in "found", not locked.
 * False if there is none, or if it is somebody else's: that is the same.
 */
static bool
see_account(AccountTable *table, const char *account_id)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	bool		seen = awspool_find_account(table->rel, snapshot,
											account_id, table->provider,
											table->found);

	UnregisterSnapshot(snapshot);
	return seen;
}

/*
 * Raises 40001 if the transaction has one snapshot for all its commands and
 * that does not show the row in "found" as it is.
 */
static void
check_snapshot(AccountTable *table)
{
	if (IsolationUsesXactSnapshot() &&
		!table_tuple_satisfies_snapshot(table->rel, table->found,
										GetTransactionSnapshot()))
		could_not_serialize();
}

static void
could_not_serialize(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("could not serialize access due to concurrent update")));
}

/*
 * Raises 40001 if the transaction has one snapshot for all its commands that
 * shows the caller another row of the account in the slot, which is to be taken
 * or was just stored: the account would appear twice, as it was and as it is.
 * It was edited, or deleted and added again, also for another provider, since.
 *
 * Looks at every row of the account and asks the snapshot of each.  To search
 * with the snapshot would leave traces for serializable transactions to
 * stumble over.
 */
void
awspool_check_shown_once(Relation rel, TupleTableSlot *account)
{
	Snapshot	snapshot;
	Datum		key;
	char	   *provider;
	Relation	index;
	TupleTableSlot *slot;
	IndexScanDesc scan;
	bool		isnull;
	bool		twice = false;

	if (!IsolationUsesXactSnapshot())
		return;

	snapshot = GetTransactionSnapshot();
	key = slot_getattr(account, Anum_account_account_id, &isnull);
	provider = TextDatumGetCString(slot_getattr(account, Anum_account_provider,
												&isnull));
	index = awspool_open_index("account_pkey", AccessShareLock);
	slot = table_slot_create(rel, NULL);
	scan = awspool_begin_index_scan(rel, index, SnapshotAny, 1, &key, true);
	while (!twice && awspool_next_entry(scan))
	{
		char	   *whose = awspool_entry_provider(scan);

		/* What the caller may not see is none of their business. */
		if (strcmp(whose, provider) != 0 && !awspool_sees(whose))
			continue;
		while (!twice && index_fetch_heap(scan, slot))
		{
			twice = !ItemPointerEquals(&slot->tts_tid, &account->tts_tid) &&
				table_tuple_satisfies_snapshot(rel, slot, snapshot);
			if (!scan->xs_heap_continue)
				break;
		}
	}
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	index_close(index, AccessShareLock);
	if (twice)
		could_not_serialize();
}

/*
 * A BEFORE trigger of the user's may turn a change into nothing, or into
 * another one.  Nobody who called us expects that.
 */
void
awspool_prevented_by_trigger(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_TRIGGERED_ACTION_EXCEPTION),
			 errmsg("a trigger on table awspool.account prevented the change of an account")));
}

/*
 * Raises 27000: the command that is to change an account has changed it
 * already, by a function or a trigger.
 */
void
awspool_changed_by_command(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
			 errmsg("account was already changed by the current command")));
}
