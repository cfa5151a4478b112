/*-------------------------------------------------------------------------
 *
 * state.c
 *	  Whether a provider is here, frozen, or away.
 *
 * A provider that is frozen may be read, and nothing of it may be changed,
 * whoever asks and whichever way.  One that is away has moved to another
 * server, and was forgotten here (freeze.c); nothing can be added for
 * it.  Both have a row in awspool.provider_state; all others are here.
 *
 * A freeze holds from the moment that freeze_provider returns, and its
 * transaction may be far from its commit then.  So what counts is any row that
 * is there, committed or not, and sessions have to hear of it before it is
 * committed.  Each keeps the rows as it read them last, as with the grants
 * (access.c), and reads them anew when it hears that the table has changed:
 * which the server tells at the commit, and freeze_provider itself at once, by
 * the same message.
 *
 * That a freeze was rolled back nobody is told.  So whoever is about to refuse
 * something reads the table again first.  That costs only those who are
 * refused.
 *
 * Two looks are needed to see all rows that are there.  A dirty snapshot shows
 * what is not committed yet, but can miss a row that is replaced by another
 * version meanwhile; a snapshot that was taken before shows that one.
 *
 * Who changes something asks after locking awspool.account in the mode in
 * which rows are changed, at the latest in the triggers of the table.  Who
 * freezes tells everybody, and waits for those who have that lock
 * then.  Whoever gets the lock later hears of the freeze before asking.
 *
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

#include "access/htup_details.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/snapmgr.h"

/* Columns of awspool.provider_state that are read here */
enum StateColumn
{
	Anum_state_provider = 1,
	Anum_state_state,
	Anum_state_restored,
	Natts_state = Anum_state_restored
};

static const char *const away = "away";

/* A row of awspool.provider_state. */
typedef struct State
{
	char	   *provider;
	bool		is_away;
	bool		restored;
} State;

/* Whose rows are being erased, or NULL. */
static const char *forgotten = NULL;

static const State *find_state(const List *states, const char *provider);
static const State *find_state_now(const char *provider);
static void *read_states(Relation rel, MemoryContext context);
static List *scan_states(Relation rel, Snapshot snapshot,
						 MemoryContext context, List *states);

/* Its rows, as a list of States. */
static KeptTable states_table = {
	.name = "provider_state",
	.read = read_states
};

/*
 * Raises WS008 if the provider is frozen or away.  "by_hand": a row is being
 * inserted by whoever may write to the table itself.  A state that came with
 * the rows, from a backup, lets them be restored.
 *
 * Costs next to nothing as long as nobody is.
 */
void
awspool_check_not_frozen(const char *provider, bool by_hand)
{
	const State *state = find_state_now(provider);

	if (state == NULL || (by_hand && state->restored))
		return;
	if (state->is_away)
		ereport(ERROR,
				(errcode(ERRCODE_AWSPOOL_FROZEN),
				 errmsg("provider \"%s\" is not on this server any more",
						provider),
				 errhint("Ask the server that it has moved to.")));
	ereport(ERROR,
			(errcode(ERRCODE_AWSPOOL_FROZEN),
			 errmsg("provider \"%s\" is frozen", provider),
			 errdetail("Its accounts can be read, and not be changed, until it is thawed or has moved to another server."),
			 errhint("Try again later.")));
}

/*
 * Whether a provider is "frozen" or "away"; NULL if it is here.
 */
const char *
awspool_state_of(const char *provider)
{
	const State *state = find_state_now(provider);

	return state == NULL ? NULL : state->is_away ? away : "frozen";
}

/*
 * The same as the first for the provider of a row of awspool.account, which is
 * null only if that will be complained of.
 */
void
awspool_check_row_not_frozen(Datum provider, bool isnull, bool by_hand)
{
	if (awspool_keep(&states_table, false) != NULL && !isnull)
		awspool_check_not_frozen(TextDatumGetCString(provider), by_hand);
}

/*
 * Tells every session at once, before anything is committed, that the states
 * have changed.
 */
void
awspool_announce_states(void)
{
	awspool_announce_change(awspool_relation("provider_state"));
}

/*
 * Waits for the end of all other transactions that may have changed accounts,
 * or may be about to without having heard what was announced.  Stands in no
 * queue meanwhile: who comes later goes on.  Prepared transactions count.
 *
 * (The server's WaitForLockers() would wait for VACUUM as well.)
 */
void
awspool_wait_for_writers(void)
{
	const LOCKMASK writing = LOCKBIT_ON(RowExclusiveLock) |
		LOCKBIT_ON(ShareRowExclusiveLock) | LOCKBIT_ON(ExclusiveLock) |
		LOCKBIT_ON(AccessExclusiveLock);
	Oid			table = awspool_relation("account");
	LockData   *locks = GetLockStatusData();
	VirtualTransactionId own;

	GET_VXID_FROM_PGPROC(own, *MyProc);
	for (int i = 0; i < locks->nelements; i++)
	{
		const LockInstanceData *lock = &locks->locks[i];
		VirtualTransactionId holder = awspool_lock_holder(lock);

		if (lock->locktag.locktag_type == LOCKTAG_RELATION &&
			lock->locktag.locktag_field1 == MyDatabaseId &&
			lock->locktag.locktag_field2 == table &&
			(lock->holdMask & writing) != 0 &&
			!VirtualTransactionIdEquals(holder, own))
			(void) VirtualXactLock(holder, true);
	}
}

/*
 * To be called before a provider's rows are erased, and with NULL afterwards,
 * whatever happened: in between the triggers let them go, and log nothing.
 */
void
awspool_set_forgotten(const char *provider)
{
	forgotten = provider;
}

/*
 * Whether a row that is deleted is being erased so.
 */
bool
awspool_is_forgotten(Datum provider)
{
	return forgotten != NULL &&
		strcmp(TextDatumGetCString(provider), forgotten) == 0;
}

/*
 * The state of a provider now; NULL if it is here.
 */
static const State *
find_state_now(const char *provider)
{
	if (find_state(awspool_keep(&states_table, false), provider) == NULL)
		return NULL;

	/* What we read may have been rolled back. */
	return find_state(awspool_keep(&states_table, true), provider);
}

/*
 * What is kept of a provider; NULL if it is here.  Of several versions the
 * strictest: one that a backup did not bring, or that is away.
 */
static const State *
find_state(const List *states, const char *provider)
{
	const State *found = NULL;
	ListCell   *cell;

	foreach(cell, states)
	{
		const State *state = lfirst(cell);

		if (strcmp(state->provider, provider) == 0 &&
			(found == NULL || found->restored || state->is_away))
			found = state;
	}
	return found;
}

static void *
read_states(Relation rel, MemoryContext context)
{
	Snapshot	latest = RegisterSnapshot(GetLatestSnapshot());
	SnapshotData dirty;
	List	   *states;

	InitDirtySnapshot(dirty);
	states = scan_states(rel, latest, context, NIL);
	states = scan_states(rel, &dirty, context, states);
	UnregisterSnapshot(latest);
	return states;
}

/*
 * Appends the rows that a snapshot shows.  A row may be there already.
 */
static List *
scan_states(Relation rel, Snapshot snapshot, MemoryContext context,
			List *states)
{
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, snapshot, 0,
										  NULL);
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		MemoryContext caller_context;
		Datum		values[Natts_state];
		bool		isnull[Natts_state];
		State	   *state;

		awspool_first_columns(tuple, RelationGetDescr(rel), Natts_state,
							  values, isnull);
		caller_context = MemoryContextSwitchTo(context);
		state = palloc(sizeof(State));
		state->provider = TextDatumGetCString(values[Anum_state_provider - 1]);
		state->is_away = strcmp(TextDatumGetCString(values[Anum_state_state - 1]),
								away) == 0;
		state->restored = DatumGetBool(values[Anum_state_restored - 1]);
		states = lappend(states, state);
		MemoryContextSwitchTo(caller_context);
	}
	systable_endscan(scan);
	return states;
}
