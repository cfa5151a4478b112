/*-------------------------------------------------------------------------
 *
 * batch.c
 *	  Storing many accounts together, at the speed of COPY.
 *
 * What makes COPY fast is to put many rows into the table at once, and to
 * prepare nothing for a single one.  So accounts are gathered, and then
 * stored by the same calls as COPY's: table_multi_insert(), and the index
 * entries row by row.
 *
 * COPY fails at the first id that is there already.  We have to say of each
 * account what became of it, store the others, and go on.  Two ways lead
 * there:
 *
 * - Look first which ids are there (lookup.c), and store the others.  That is
 *	 right for a file that was imported before, in part or as a whole.
 *
 * - Store all in a subtransaction.  If a unique index objects, roll it back,
 *	 and look after all.  That is right for a new file, whose ids nobody needs
 *	 to look for.
 *
 * A batch goes the way that would have been better for the one before.  In
 * both ways an id may appear after we looked; then the primary key objects,
 * and we look again.  It objects without waiting for whoever is storing or
 * changing that id: it may be another provider's.  Only if looking again shows
 * nothing, so that somebody is just storing it, does the next try wait for
 * them.  (To store a row and to delete it again, rather than to roll it back,
 * would be simpler; but logical replication would stumble over it on the other
 * side.)
 *
 * Where ids have to be unique over several servers, those of a batch are
 * reserved before any of it is stored (registry.c).  Only what is not there
 * already is asked for, so a batch always goes the first way then.
 *
 * An account need not be ready: reconcile.c stores what orders have used.
 *
 * Each batch draws positions as it is stored, many at a time, so a file is
 * stored in its order, and what is rolled back leaves a gap.
 *
 * The entries of the primary key are inserted last, in the order of the ids.
 * In a large table the ids of a file are all over the index, and most of the
 * time goes into waiting for its pages to come from memory; neighbours share
 * them.
 *
 * Triggers do not fire on this path.  The extension's own on INSERT are done
 * for here: what refuse_used_account does, by looking at the log after the
 * rows were stored, noting what arrives, refusing what a snapshot would show
 * twice, and counting.  If there is any other, or the table has been altered,
 * or the batch is too small to be worth a subtransaction, the accounts are
 * stored one by one (stock.c).
 *
 * Whoever imports for a provider does so alone, until the end of the
 * transaction.  Two imports of one file would wait for each other's rows in
 * the middle otherwise, or in a circle; this way the second finds all of them
 * present.  A circle is left for two providers that claim to own the same
 * accounts: one of them is told to try again.
 *
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

#include "access/heapam.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_trigger.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "parser/parse_func.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

/* Accounts in a batch, to begin with and at most. */
#define FIRST_BATCH		4096
#define MAX_BATCH		65536

/* Fewer are stored one by one. */
#define MIN_BATCH		16

/* Rows that go into the table at once, as in COPY. */
#define MAX_ROWS		1000

/* After so many vain tries the accounts of a batch are stored one by one. */
#define MAX_TRIES		3

/* An account, and where in the table it was put. */
typedef struct StoredRow
{
	const NewAccount *account;
	ItemPointerData tid;
} StoredRow;

static int	count(const Batch *batch, StoreOutcome outcome);
static void check_providers(const Batch *batch,
							void (*check) (const char *provider));
static void look_up(Batch *batch);
static void store_pending(Batch *batch);
static NewAccount **pending(Batch *batch, int *n);
static bool can_store_together(void);
static void store_singly(Batch *batch, NewAccount **accounts, int n);
static bool store_together(Batch *batch, NewAccount **accounts, int n,
						   bool wait);
static bool insert(Batch *batch, NewAccount **accounts, int n, bool wait);
static void insert_rows(Batch *batch, AccountTable *table,
						TupleTableSlot **slots, StoredRow *rows, int n,
						BulkInsertState bulk, Datum actor);
static RelationPtr indexes_of(AccountTable *table, const StoredRow *rows,
							  TupleTableSlot **slots, int n);
static bool insert_ids(Batch *batch, AccountTable *table,
					   TupleTableSlot *slot, StoredRow *rows, int n,
					   Oid primary_key, bool wait);
static RelationPtr choose_indexes(const ResultRelInfo *result,
								  Oid primary_key, bool want_it);
static int	compare_rows(const void *a, const void *b);
static void fill(TupleTableSlot *slot, const NewAccount *account,
				 int64 position, Datum status, Datum added_at, Datum actor);
static void fill_use(TupleTableSlot *slot, const NewAccount *account,
					 Datum actor);
static void fill_column(TupleTableSlot *slot, int column, Datum value);

/*
 * An empty batch, in the current memory context.  "source" is what an error
 * calls that which the accounts come from.
 */
Batch *
awspool_make_batch(const char *source)
{
	Batch	   *batch = palloc(sizeof(Batch));

	batch->source = source;
	batch->max = FIRST_BATCH;
	batch->accounts = palloc(batch->max * sizeof(NewAccount));
	batch->context = AllocSetContextCreate(CurrentMemoryContext,
										   "awspool batch",
										   ALLOCSET_DEFAULT_SIZES);
	batch->look_first = true;
	batch->reserved = false;
	batch->storing = NULL;
	batch->n = 0;
	return batch;
}

/*
 * A new account, still without values, at the end of a batch that is not full.
 * What it refers to belongs into the batch's context.
 */
NewAccount *
awspool_extend_batch(Batch *batch)
{
	NewAccount *account = &batch->accounts[batch->n++];

	Assert(batch->n <= batch->max);
	memset(account, 0, sizeof(NewAccount));
	return account;
}

/*
 * Makes room for more accounts, and for yet more of them if it was full.
 */
void
awspool_empty_batch(Batch *batch)
{
	MemoryContextReset(batch->context);
	if (batch->n == batch->max && batch->max < MAX_BATCH)
	{
		batch->max = Min(batch->max * 2, MAX_BATCH);
		batch->accounts = repalloc(batch->accounts,
								   batch->max * sizeof(NewAccount));
	}
	batch->n = 0;
}

/*
 * Tells, as an error's context, the line of the account that is being stored,
 * or those from which it must be.
 */
void
awspool_tell_lines(void *arg)
{
	const Batch *batch = arg;
	uint64		first = batch->n > 0 ? batch->accounts[0].line : 0;
	uint64		last = batch->n > 0 ? batch->accounts[batch->n - 1].line : 0;

	if (batch->storing != NULL)
		first = last = batch->storing->line;
	if (first == 0)
		return;					/* these come from no file */
	if (first == last)
		errcontext("%s, line " UINT64_FORMAT, batch->source, first);
	else
		errcontext("%s, lines " UINT64_FORMAT " to " UINT64_FORMAT,
				   batch->source, first, last);
}

/*
 * Decides what would become of the accounts of a batch that are pending: those
 * that could be stored stay so.  Raises 42501 if the caller may not, or not any
 * more, see one of their providers.
 */
void
awspool_look_up_batch(Batch *batch)
{
	MemoryContext caller_context = MemoryContextSwitchTo(batch->context);
	int			n;
	NewAccount **accounts = pending(batch, &n);

	awspool_look_up(accounts, n);
	awspool_look_at_ids(accounts, n);
	check_providers(batch, awspool_check_visible);
	MemoryContextSwitchTo(caller_context);
}

/*
 * The same for who is going to store those that stay pending: their ids are
 * reserved where that is necessary.
 */
void
awspool_reserve_batch(Batch *batch)
{
	MemoryContext caller_context = MemoryContextSwitchTo(batch->context);
	bool		reserve = awspool_begin_reserving();
	int			n;
	NewAccount **accounts = pending(batch, &n);

	awspool_look_up(accounts, n);
	if (reserve)
		awspool_reserve_ids(accounts, n);
	check_providers(batch, awspool_check_visible);
	MemoryContextSwitchTo(caller_context);
}

/* Finds out which of the pending ones are there, and asks nobody else. */
static void
look_up(Batch *batch)
{
	int			n;
	NewAccount **accounts = pending(batch, &n);

	awspool_look_up(accounts, n);
	check_providers(batch, awspool_check_visible);
}

/*
 * Stores the accounts of a batch that are pending, and decides what becomes of
 * each.  They are well-formed.  Raises 42501 if the caller may not, or not any
 * more, act for one of their providers.  If anything else fails, "storing" is
 * the account that it failed with, if it was one.
 *
 * What waits asks for the caller's right again afterwards: for the lock that
 * lets nobody else import meanwhile, and for whoever is storing one of the ids.
 */
void
awspool_store_batch(Batch *batch)
{
	MemoryContext caller_context = MemoryContextSwitchTo(batch->context);

	awspool_begin_writing();
	PG_TRY();
	{
		check_providers(batch, awspool_lock_imports);
		store_pending(batch);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(batch->context);
		awspool_rethrow("deadlock with another session while storing accounts",
						"Nothing was imported.", "Import the file again.");
	}
	PG_END_TRY();
	check_providers(batch, awspool_check_provider);
	MemoryContextSwitchTo(caller_context);
}

static int
count(const Batch *batch, StoreOutcome outcome)
{
	int			n = 0;

	for (int i = 0; i < batch->n; i++)
		n += batch->accounts[i].outcome == outcome;
	return n;
}

/*
 * Checks the caller's right to each provider of a batch; it may be gone since
 * the rows came.
 */
static void
check_providers(const Batch *batch, void (*check) (const char *provider))
{
	const char *checked = NULL;

	for (int i = 0; i < batch->n; i++)
	{
		const char *provider = batch->accounts[i].provider;

		if (batch->accounts[i].outcome == STORE_MALFORMED ||
			provider == checked)
			continue;
		check(provider);
		checked = provider;
	}
}

/*
 * Lets nobody else import for the provider.  Raises 42501 if the caller may not
 * act for it.
 */
void
awspool_lock_imports(const char *provider)
{
	(void) awspool_lock_names(AWSPOOL_LOCK_IMPORT, provider, "", true);
	awspool_check_provider(provider);
}

/*
 * Raises the error again that ended the work on a batch.  The victim of a
 * deadlock is told, in place of the processes, that trying again helps.  Not
 * when the error is raised: a trigger of the owner's may catch it.
 */
void
awspool_rethrow(const char *message, const char *detail, const char *hint)
{
	ErrorData  *error = CopyErrorData();

	if (error->sqlerrcode != ERRCODE_T_R_DEADLOCK_DETECTED)
		PG_RE_THROW();
	FlushErrorState();
	error->sqlerrcode = ERRCODE_T_R_SERIALIZATION_FAILURE;
	error->message = pstrdup(message);
	error->detail = pstrdup(detail);
	error->hint = pstrdup(hint);
	ReThrowError(error);
}

/*
 * Stores what is pending, together if that is possible.  If some of it turns
 * out to be there, the rest is tried again.  Nobody is waited for as long as
 * that helps.
 */
static void
store_pending(Batch *batch)
{
	int			total = count(batch, STORE_PENDING);
	bool		wait = false;

	if (!batch->reserved && awspool_begin_reserving())
		awspool_reserve_batch(batch);
	else if (batch->look_first || total < MIN_BATCH)
		look_up(batch);
	for (int tries = 0; count(batch, STORE_PENDING) > 0; tries++)
	{
		int			n;
		NewAccount **accounts = pending(batch, &n);

		CHECK_FOR_INTERRUPTS();
		if (n < MIN_BATCH || tries == MAX_TRIES || !can_store_together())
			store_singly(batch, accounts, n);
		else if (!store_together(batch, accounts, n, wait))
		{
			look_up(batch);
			wait = count(batch, STORE_PENDING) == n;
		}
	}
	batch->look_first = count(batch, STORE_ADDED) < total;
	if (count(batch, STORE_PRESENT) > 0)
		awspool_confirm_change();
}

/* The accounts of a batch that are pending, in the order of the batch. */
static NewAccount **
pending(Batch *batch, int *n)
{
	NewAccount **accounts = palloc(Max(batch->n, 1) * sizeof(NewAccount *));

	*n = 0;
	for (int i = 0; i < batch->n; i++)
	{
		if (batch->accounts[i].outcome == STORE_PENDING)
			accounts[(*n)++] = &batch->accounts[i];
	}
	return accounts;
}

/*
 * Whether the table is as the install script made it, as far as an INSERT is
 * concerned, and nobody but us has to hear of one.
 */
static bool
can_store_together(void)
{
	Relation	rel = relation_open(awspool_relation("account"),
									RowExclusiveLock);
	TupleDesc	desc = RelationGetDescr(rel);
	Oid			own = LookupFuncName(list_make2(makeString("awspool"),
												makeString("refuse_used_account")),
									 0, NULL, true);
	bool		result = rel->rd_rel->relkind == RELKIND_RELATION &&
		desc->natts == Natts_account &&
		!(desc->constr != NULL && desc->constr->has_generated_stored) &&
		SessionReplicationRole != SESSION_REPLICATION_ROLE_REPLICA;

	for (int i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
	{
		Trigger    *trigger = &rel->trigdesc->triggers[i];

		if (TRIGGER_FOR_INSERT(trigger->tgtype) && trigger->tgfoid != own &&
			!awspool_is_tally_trigger(trigger->tgfoid) &&
			(trigger->tgenabled == TRIGGER_FIRES_ON_ORIGIN ||
			 trigger->tgenabled == TRIGGER_FIRES_ALWAYS))
			result = false;
	}
	relation_close(rel, NoLock);
	return result;
}

/* Stores what can be stored, waiting for whoever is storing one of the ids. */
static void
store_singly(Batch *batch, NewAccount **accounts, int n)
{
	for (int i = 0; i < n; i++)
	{
		batch->storing = accounts[i];
		(void) awspool_store(accounts[i]);
	}
	batch->storing = NULL;
}

/*
 * Stores all accounts, in a subtransaction, or none: false if the id of one of
 * them is there already, or was used.  Whoever is just storing or changing it
 * is waited for, or else it counts as there.
 */
static bool
store_together(Batch *batch, NewAccount **accounts, int n, bool wait)
{
	MemoryContext caller_context = CurrentMemoryContext;
	ResourceOwner caller_owner = CurrentResourceOwner;
	NewAccount **by_id = palloc(n * sizeof(NewAccount *));
	volatile bool stored = false;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(caller_context);
	PG_TRY();
	{
		stored = insert(batch, accounts, n, wait);

		/* Not before: who was deleting one of them is done by now. */
		memcpy(by_id, accounts, n * sizeof(NewAccount *));
		stored = stored && !awspool_look_up_used(by_id, n);

		if (stored)
			ReleaseCurrentSubTransaction();
		else
			RollbackAndReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(caller_context);
		error = CopyErrorData();
		FlushErrorState();
		batch->storing = NULL;
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(caller_context);
		CurrentResourceOwner = caller_owner;

		/* Another unique index may have the id, too: REINDEX makes one. */
		if (error->sqlerrcode != ERRCODE_UNIQUE_VIOLATION)
			ReThrowError(error);
		FreeErrorData(error);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller_context);
	CurrentResourceOwner = caller_owner;

	for (int i = 0; stored && i < n; i++)
		accounts[i]->outcome = STORE_ADDED;
	return stored;
}

/*
 * Inserts the accounts, much as COPY would.  False if the primary key has one
 * of the ids, or somebody is just storing or changing it.  With "wait", waits
 * for them, and then it is an error if it has.
 */
static bool
insert(Batch *batch, NewAccount **accounts, int n, bool wait)
{
	AccountTable *table = awspool_open_account_table(NULL);
	BulkInsertState bulk = GetBulkInsertState();
	StoredRow  *rows = palloc(n * sizeof(StoredRow));
	int			nslots = Min(n, MAX_ROWS);
	TupleTableSlot **slots = palloc(nslots * sizeof(TupleTableSlot *));
	Oid			key = awspool_relation("account_pkey");
	RelationPtr indexes = table->result->ri_IndexRelationDescs;
	RelationPtr primary_key = choose_indexes(table->result, key, true);
	RelationPtr others = choose_indexes(table->result, key, false);
	bool		inserted;
	TupleDesc	desc;
	Datum		actor = CStringGetTextDatum(GetUserNameFromId(GetUserId(),
															   false));

	/* Of the relation's own descriptor, each slot would count a reference. */
	desc = CreateTupleDescCopy(RelationGetDescr(table->rel));
	for (int i = 0; i < nslots; i++)
		slots[i] = MakeSingleTupleTableSlot(desc,
											table_slot_callbacks(table->rel));
	for (int i = 0; i < n; i++)
		rows[i].account = accounts[i];

	awspool_begin_storing();
	table->result->ri_IndexRelationDescs = others;
	for (int i = 0; i < n; i += MAX_ROWS)
		insert_rows(batch, table, slots, rows + i, Min(n - i, MAX_ROWS), bulk,
					actor);
	table->result->ri_IndexRelationDescs = primary_key;
	inserted = insert_ids(batch, table, slots[0], rows, n, key, wait);
	table->result->ri_IndexRelationDescs = indexes;
	awspool_end_storing();

	FreeBulkInsertState(bulk);
	table_finish_bulk_insert(table->rel, 0);
	awspool_close_account_table(table);
	batch->storing = NULL;
	return inserted;
}

/* Inserts rows, and their entries into all indexes but the primary key. */
static void
insert_rows(Batch *batch, AccountTable *table, TupleTableSlot **slots,
			StoredRow *rows, int n, BulkInsertState bulk, Datum actor)
{
	EState	   *estate = table->estate;
	MemoryContext caller_context =
		MemoryContextSwitchTo(GetPerTupleMemoryContext(estate));
	Oid			sequence = awspool_relation("account_position");
	Datum		status = CStringGetTextDatum(awspool_status_name(STATUS_READY));
	Datum		added_at = TimestampTzGetDatum(GetCurrentTimestamp());
	RelationPtr indexes = table->result->ri_IndexRelationDescs;
	int64		position = 0;
	int			drawn = 0;

	for (int i = 0; i < n; i++, position++, drawn--)
	{
		const NewAccount *account = rows[i].account;

		if (drawn == 0)
			position = awspool_draw(sequence, n - i, &drawn);
		batch->storing = account;
		fill(slots[i], account, position, status, added_at, actor);
		awspool_note_arrival(account->provider, account->marketplace,
							 position);
		ExecConstraints(table->result, slots[i], estate);
	}
	batch->storing = NULL;
	table->result->ri_IndexRelationDescs = indexes_of(table, rows, slots, n);
	table_multi_insert(table->rel, slots, n, estate->es_output_cid, 0, bulk);

	for (int i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		batch->storing = rows[i].account;
		rows[i].tid = slots[i]->tts_tid;
		awspool_count_added(rows[i].account->provider,
							rows[i].account->marketplace,
							DatumGetTimestampTz(added_at),
							estate->es_output_cid);
		list_free(awspool_insert_index_tuples(table->result, slots[i], estate,
											  false, NULL, NIL));
		ExecClearTuple(slots[i]);
	}
	table->result->ri_IndexRelationDescs = indexes;
	MemoryContextSwitchTo(caller_context);
	ResetPerTupleExprContext(estate);
}

/*
 * The indexes, as they are, without those that have none of these new rows.
 * All that were not used are alike in most columns, so a predicate that needs
 * no others is asked for one of them.
 */
static RelationPtr
indexes_of(AccountTable *table, const StoredRow *rows, TupleTableSlot **slots,
		   int n)
{
	static const int differing[] = {
		0,						/* the row as a whole */
		Anum_account_provider, Anum_account_account_id,
		Anum_account_marketplace, Anum_account_model, Anum_account_position
	};
	const ResultRelInfo *result = table->result;
	ExprContext *context = GetPerTupleExprContext(table->estate);
	Bitmapset  *columns = NULL;
	RelationPtr indexes;

	for (int i = 0; i < n; i++)
	{
		if (rows[i].account->use != NULL)
			return result->ri_IndexRelationDescs;
	}
	for (size_t i = 0; i < lengthof(differing); i++)
		columns = bms_add_member(columns, differing[i] -
								 FirstLowInvalidHeapAttributeNumber);
	indexes = palloc(result->ri_NumIndices * sizeof(Relation));
	context->ecxt_scantuple = slots[0];
	for (int i = 0; i < result->ri_NumIndices; i++)
	{
		const IndexInfo *info = result->ri_IndexRelationInfo[i];
		Bitmapset  *needed = NULL;

		pull_varattnos((Node *) info->ii_Predicate, 1, &needed);
		indexes[i] = info->ii_PredicateState == NULL ||
			bms_overlap(needed, columns) ||
			ExecQual(info->ii_PredicateState, context) ?
			result->ri_IndexRelationDescs[i] : NULL;
	}
	return indexes;
}

/*
 * Inserts the entries of the primary key, in the order of the ids.  It needs
 * to know no more of a row than the columns that it has.  False as soon as it
 * may have an id already; with "wait", waits to see, and raises 23505.
 */
static bool
insert_ids(Batch *batch, AccountTable *table, TupleTableSlot *slot,
		   StoredRow *rows, int n, Oid primary_key, bool wait)
{
	EState	   *estate = table->estate;
	List	   *no_wait = wait ? NIL : list_make1_oid(primary_key);
	MemoryContext caller_context =
		MemoryContextSwitchTo(GetPerTupleMemoryContext(estate));
	int			id = Anum_account_account_id - 1;
	int			provider = Anum_account_provider - 1;
	bool		conflict = false;

	qsort(rows, n, sizeof(StoredRow), compare_rows);
	for (int i = 0; i < n && !conflict; i++)
	{
		CHECK_FOR_INTERRUPTS();
		batch->storing = rows[i].account;
		ExecClearTuple(slot);
		memset(slot->tts_isnull, true, Natts_account * sizeof(bool));
		slot->tts_values[id] = CStringGetTextDatum(rows[i].account->account_id);
		slot->tts_isnull[id] = false;
		slot->tts_values[provider] =
			CStringGetTextDatum(rows[i].account->provider);
		slot->tts_isnull[provider] = false;
		ExecStoreVirtualTuple(slot);
		slot->tts_tid = rows[i].tid;
		list_free(awspool_insert_index_tuples(table->result, slot, estate,
											  !wait, &conflict, no_wait));
		if (!conflict)
			awspool_check_shown_once(table->rel, slot);
		ResetPerTupleExprContext(estate);
	}
	MemoryContextSwitchTo(caller_context);
	return !conflict;
}

/*
 * The primary key, or all indexes but that, for the executor: it passes over
 * an index that is not there.  Which it is was found out once: REINDEX
 * CONCURRENTLY makes another one the primary key, and we may hear of it any
 * time.
 */
static RelationPtr
choose_indexes(const ResultRelInfo *result, Oid primary_key, bool want_it)
{
	RelationPtr chosen = palloc(result->ri_NumIndices * sizeof(Relation));

	for (int i = 0; i < result->ri_NumIndices; i++)
	{
		Relation	index = result->ri_IndexRelationDescs[i];

		chosen[i] = (RelationGetRelid(index) == primary_key) == want_it ?
			index : NULL;
	}
	return chosen;
}

static int
compare_rows(const void *a, const void *b)
{
	const StoredRow *x = a;
	const StoredRow *y = b;

	return strcmp(x->account->account_id, y->account->account_id);
}

/* Makes a row of an account. */
static void
fill(TupleTableSlot *slot, const NewAccount *account, int64 position,
	 Datum status, Datum added_at, Datum actor)
{
	const struct
	{
		int			column;
		Datum		value;
	}			columns[] = {
		{Anum_account_provider, CStringGetTextDatum(account->provider)},
		{Anum_account_account_id, CStringGetTextDatum(account->account_id)},
		{Anum_account_marketplace, CStringGetTextDatum(account->marketplace)},
		{Anum_account_model, CStringGetTextDatum(account->model)},
		{Anum_account_status, status},
		{Anum_account_added_at, added_at},
		{Anum_account_added_by, actor},
		{Anum_account_position, Int64GetDatum(position)},
	};

	ExecClearTuple(slot);
	memset(slot->tts_isnull, true, Natts_account * sizeof(bool));
	for (size_t i = 0; i < lengthof(columns); i++)
		fill_column(slot, columns[i].column, columns[i].value);
	if (account->use != NULL)
		fill_use(slot, account, actor);
	ExecStoreVirtualTuple(slot);
}

/* It was there when it was used, whenever it is stored. */
static void
fill_use(TupleTableSlot *slot, const NewAccount *account, Datum actor)
{
	const PastUse *use = account->use;

	fill_column(slot, Anum_account_status,
				CStringGetTextDatum(awspool_status_name(use->status)));
	fill_column(slot, Anum_account_added_at,
				TimestampTzGetDatum(use->claimed ? use->claimed_at :
									use->closed_at));
	if (use->order_id != NULL)
		fill_column(slot, Anum_account_order_id,
					CStringGetTextDatum(use->order_id));
	if (use->claimed)
	{
		fill_column(slot, Anum_account_order_model,
					CStringGetTextDatum(account->model));
		fill_column(slot, Anum_account_claimed_at,
					TimestampTzGetDatum(use->claimed_at));
		fill_column(slot, Anum_account_claimed_by, actor);
	}
	if (use->status != STATUS_IN_PROGRESS)
	{
		fill_column(slot, Anum_account_closed_at,
					TimestampTzGetDatum(use->closed_at));
		fill_column(slot, Anum_account_closed_by, actor);
	}
	if (use->reason != NULL)
		fill_column(slot, Anum_account_reason,
					CStringGetTextDatum(use->reason));
}

static void
fill_column(TupleTableSlot *slot, int column, Datum value)
{
	slot->tts_values[column - 1] = value;
	slot->tts_isnull[column - 1] = false;
}
