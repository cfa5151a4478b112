/*-------------------------------------------------------------------------
 *
 * freeze.c
 *	  A provider that moves to another server: freeze, thaw, forget.
 *
 * Moving a provider takes three steps here.  It is frozen: from then on
 * nothing of it changes, so what is copied is all there is.  When it is open
 * on the other server it is forgotten here, in one go and without the
 * lifecycle: its accounts are not deleted, they are elsewhere.  A line stays
 * that says so, and refuses whoever has not heard of it.  If the move comes to
 * nothing, it is thawed.
 *
 * state.c tells how a freeze is heard of, and why none of those who were
 * changing something when it began is overlooked.
 *
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "replication/logicalworker.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/inval.h"

PG_FUNCTION_INFO_V1(awspool_freeze_provider);
PG_FUNCTION_INFO_V1(awspool_thaw_provider);
PG_FUNCTION_INFO_V1(awspool_forget_provider);
PG_FUNCTION_INFO_V1(awspool_note_provider_state);

/* The column of awspool.provider_state that the trigger sets. */
#define Anum_state_restored		3

static const char *const owners_right = "freeze, thaw or forget a provider";

/* A function here is changing the table, and no restore. */
static bool is_changing = false;

static char *owners_provider(FunctionCallInfo fcinfo);
static uint64 change_state(OwnerQuery *query, const char *provider);
static void erase(const char *provider);

/*
 * awspool.freeze_provider(provider)
 *
 * Refuses every change of the provider's accounts from now on, and returns
 * when the transactions that were changing accounts have ended.  A freeze that
 * is there already is waited for in the same way; one that a backup brought
 * becomes one.
 */
Datum
awspool_freeze_provider(PG_FUNCTION_ARGS)
{
	static OwnerQuery freeze = {
		.sql = "INSERT INTO awspool.provider_state AS s"
		" (provider, state, restored, since, set_by)"
		" VALUES ($1, 'frozen', false, pg_catalog.clock_timestamp(), $2)"
		" ON CONFLICT (provider) DO UPDATE SET restored = false"
		" WHERE s.state = 'frozen'",
		.nargs = 2,
		.argtypes = {TEXTOID, TEXTOID}
	};
	char	   *provider = owners_provider(fcinfo);

	if (change_state(&freeze, provider) == 0)
		awspool_check_not_frozen(provider, false);	/* it is away */
	awspool_announce_states();
	awspool_wait_for_writers();
	awspool_check_owner(owners_right);	/* we may have waited long */
	PG_RETURN_VOID();
}

/*
 * awspool.thaw_provider(provider)
 *
 * Ends the freeze when the transaction commits.  Of a provider that was
 * forgotten, lets it come back.
 */
Datum
awspool_thaw_provider(PG_FUNCTION_ARGS)
{
	static OwnerQuery thaw = {
		.sql = "DELETE FROM ONLY awspool.provider_state WHERE provider = $1",
		.nargs = 1,
		.argtypes = {TEXTOID}
	};

	(void) change_state(&thaw, owners_provider(fcinfo));
	awspool_check_owner(owners_right);
	PG_RETURN_VOID();
}

/*
 * awspool.forget_provider(provider)
 *
 * Erases what is stored of a provider that is frozen, and leaves the line that
 * it is away.  Raises 55000 if it is not frozen.
 *
 * What the transaction's snapshot does not show would stay, so it has to be
 * one that takes a new one for each command.
 */
Datum
awspool_forget_provider(PG_FUNCTION_ARGS)
{
	static OwnerQuery forget = {
		.sql = "UPDATE ONLY awspool.provider_state"
		" SET state = 'away', restored = false,"
		" since = pg_catalog.clock_timestamp(), set_by = $2"
		" WHERE provider = $1 AND state = 'frozen' AND NOT restored",
		.nargs = 2,
		.argtypes = {TEXTOID, TEXTOID}
	};
	char	   *provider = owners_provider(fcinfo);

	if (IsolationUsesXactSnapshot())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("awspool.forget_provider must run in READ COMMITTED"),
				 errhint("Run it in a transaction of its own.")));
	if (change_state(&forget, provider) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("provider \"%s\" is not frozen", provider),
				 errhint("Freeze it with awspool.freeze_provider, and copy what it has.")));
	erase(provider);
	awspool_check_owner(owners_right);
	PG_RETURN_VOID();
}

/*
 * Trigger of awspool.provider_state: what is inserted by another statement
 * than ours comes from a backup, and its accounts may yet have to be
 * restored.  Once the change is committed, every session reads the states
 * anew.
 */
Datum
awspool_note_provider_state(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = awspool_trigger_data(fcinfo, "provider_state",
												 BEFORE_ROW,
												 ON_INSERT | ON_UPDATE |
												 ON_DELETE);
	int			column = Anum_state_restored;
	Datum		restored = BoolGetDatum(true);
	bool		isnull = false;
	HeapTuple	tuple;

	CacheInvalidateRelcache(trigdata->tg_relation);
	if (TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event))
		return PointerGetDatum(trigdata->tg_newtuple);
	if (TRIGGER_FIRED_BY_DELETE(trigdata->tg_event) || is_changing ||
		IsLogicalWorker())
		return PointerGetDatum(trigdata->tg_trigtuple);
	tuple = heap_modify_tuple_by_cols(trigdata->tg_trigtuple,
									  RelationGetDescr(trigdata->tg_relation),
									  1, &column, &restored, &isnull);
	return PointerGetDatum(tuple);
}

/*
 * Argument 0 as a provider, if the caller is the owner.
 */
static char *
owners_provider(FunctionCallInfo fcinfo)
{
	char	   *provider = awspool_text_argument(fcinfo, 0);

	awspool_check_owner(owners_right);
	awspool_check_provider_name(provider);
	awspool_begin_writing();
	return provider;
}

/*
 * Runs a statement on the provider's row of awspool.provider_state, with the
 * caller's name as its second argument, and returns how many rows it changed.
 */
static uint64
change_state(OwnerQuery *query, const char *provider)
{
	Datum		values[] = {
		CStringGetTextDatum(provider),
		CStringGetTextDatum(GetUserNameFromId(GetUserId(), false))
	};
	uint64		changed;
	Caller		caller;

	awspool_begin_queries(&caller);
	is_changing = true;
	PG_TRY();
	{
		changed = awspool_query(query, values, NULL);
	}
	PG_FINALLY();
	{
		is_changing = false;
	}
	PG_END_TRY();
	if (changed == 0)
		awspool_confirm_change();
	awspool_end_queries(&caller);
	return changed;
}

/* Erases what is stored of a provider. */
static void
erase(const char *provider)
{
	static OwnerQuery queries[] = {
		{
			.sql = "DELETE FROM ONLY awspool.account WHERE provider = $1",
			.nargs = 1,
			.argtypes = {TEXTOID}
		},
		{
			.sql = "DELETE FROM ONLY awspool.account_log WHERE provider = $1",
			.nargs = 1,
			.argtypes = {TEXTOID}
		},
		{
			.sql = "DELETE FROM ONLY awspool.pool_setting WHERE provider = $1",
			.nargs = 1,
			.argtypes = {TEXTOID}
		},
		{
			.sql = "DELETE FROM ONLY awspool.pool_start WHERE provider = $1",
			.nargs = 1,
			.argtypes = {TEXTOID}
		}
	};
	Datum		value = CStringGetTextDatum(provider);
	Caller		caller;

	awspool_begin_queries(&caller);
	awspool_set_forgotten(provider);
	PG_TRY();
	{
		for (size_t i = 0; i < lengthof(queries); i++)
			(void) awspool_query(&queries[i], &value, NULL);
	}
	PG_FINALLY();
	{
		awspool_set_forgotten(NULL);
	}
	PG_END_TRY();
	awspool_end_queries(&caller);
	awspool_forget_counts(provider);
}
