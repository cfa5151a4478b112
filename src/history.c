/*-------------------------------------------------------------------------
 *
 * history.c
 *	  What happened to an account: its row, and the log beside it.
 *
 * The row of an account tells when and by whom it was added, claimed and
 * closed.  The log holds what a row cannot show: edits and, once an account
 * is deleted, all that its row told, and the deletion.
 *
 * The log is also the memory of used accounts.  If an account that had left
 * "ready" is deleted, its last row in the log is marked "used", and its id is
 * refused for ever.  The refusal looks after the row was inserted, not before:
 * only then is a concurrent deletion of the same id over, because the
 * primary key waited for it.  And it looks with the latest snapshot, for the
 * same reason.
 *
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "replication/logicalworker.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

PG_FUNCTION_INFO_V1(awspool_log_account_change);
PG_FUNCTION_INFO_V1(awspool_refuse_used_account);
PG_FUNCTION_INFO_V1(awspool_account_history);

static bool is_there(const char *provider, const char *account_id);
static void log_edit(TupleDesc desc, HeapTuple old, HeapTuple new);
static void append_edit(StringInfo detail, TupleDesc desc, HeapTuple old,
						HeapTuple new, int column);
static void log_deletion(TupleDesc desc, HeapTuple old);
static void copy_life(TupleDesc desc, HeapTuple old);
static void append_log(TupleDesc desc, HeapTuple account, const char *actor,
					   const char *event, const char *detail, bool used);
static char *column_of(TupleDesc desc, HeapTuple account, int column);

/*
 * Trigger: for each account, after its marketplace or model was updated, or
 * it was deleted.
 */
Datum
awspool_log_account_change(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = awspool_trigger_data(fcinfo, "account",
												 AFTER_ROW,
												 ON_UPDATE | ON_DELETE);
	TupleDesc	desc = RelationGetDescr(trigdata->tg_relation);

	if (IsLogicalWorker())		/* which brings the log as well */
		return PointerGetDatum(NULL);
	if (TRIGGER_FIRED_BY_DELETE(trigdata->tg_event))
		log_deletion(desc, trigdata->tg_trigtuple);
	else
		log_edit(desc, trigdata->tg_trigtuple, trigdata->tg_newtuple);
	return PointerGetDatum(NULL);
}

/*
 * Trigger: for each account, after it was inserted.  Also tells head.c of it,
 * and moves the sequence on to its position (sequence.c).
 */
Datum
awspool_refuse_used_account(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = awspool_trigger_data(fcinfo, "account",
												 AFTER_ROW,
												 ON_INSERT);
	TupleDesc	desc = RelationGetDescr(trigdata->tg_relation);
	NewAccount	account = {0};
	NewAccount *accounts = &account;
	bool		isnull;
	int64		position =
		DatumGetInt64(heap_getattr(trigdata->tg_trigtuple,
								   Anum_account_position, desc, &isnull));

	awspool_note_arrival(position);
	awspool_raise_sequence(awspool_relation("account_position"), position);
	if (IsLogicalWorker())
		return PointerGetDatum(NULL);

	account.account_id = column_of(desc, trigdata->tg_trigtuple,
								   Anum_account_account_id);
	account.provider = column_of(desc, trigdata->tg_trigtuple,
								 Anum_account_provider);
	if (!awspool_look_up_used(&accounts, 1))
		return PointerGetDatum(NULL);

	/*
	 * Who adds by a function may not know that it was another provider's; here
	 * the owner does it for them.
	 */
	account.outcome = awspool_is_storing() &&
		strcmp(account.existing.provider, account.provider) != 0 ?
		STORE_TAKEN : STORE_USED;
	awspool_refuse_stored(&account);
	return PointerGetDatum(NULL);
}

/*
 * awspool.account_history(provider, account_id)
 *
 * Raises WS003 if the provider never had such an account.
 */
Datum
awspool_account_history(PG_FUNCTION_ARGS)
{
	static OwnerQuery history = {
		.sql = "SELECT h.at, h.actor, h.event, h.detail FROM ("
		" SELECT l.at, l.actor, l.event, l.detail, l.log_id AS step"
		" FROM ONLY awspool.account_log l"
		" WHERE l.account_id = $2 AND l.provider = $1"
		" UNION ALL"
		" SELECT e.at, e.actor, e.event, e.detail, e.step"
		" FROM ONLY awspool.account a, awspool.account_events("
		" a.added_at, a.added_by, a.claimed_at, a.claimed_by, a.order_id,"
		" a.order_model, a.closed_at, a.closed_by, a.status, a.reason)"
		" WITH ORDINALITY e (at, actor, event, detail, step)"
		" WHERE a.account_id = $3 AND a.provider = $1"
		") h ORDER BY h.at, h.step",
		.nargs = 3,
		.argtypes = {TEXTOID, TEXTOID, TEXTOID}
	};
	static const Oid types[] = {TIMESTAMPTZOID, TEXTOID, TEXTOID, TEXTOID};
	char	   *provider = awspool_provider_argument(fcinfo);
	char	   *account_id = awspool_field_argument(fcinfo, 1,
													FIELD_ACCOUNT_ID);
	ReturnSetInfo *rsinfo = awspool_begin_rows(fcinfo, lengthof(types), types);
	Datum		keys[] = {CStringGetTextDatum(provider),
	CStringGetTextDatum(account_id), CStringGetTextDatum(account_id)};
	Caller		caller;
	uint64		events;

	awspool_begin_queries(&caller);
	events = awspool_query(&history, keys,
						   is_there(provider, account_id) ? NULL : "  n");
	for (uint64 i = 0; i < events; i++)
		tuplestore_puttuple(rsinfo->setResult, SPI_tuptable->vals[i]);
	awspool_end_queries(&caller);

	if (events == 0)
		awspool_no_such_account(provider, account_id);
	return (Datum) 0;
}

/*
 * Whether the provider has the account, to the snapshot of the query.  Asked
 * before that, which would look at the row to see that it is somebody else's.
 */
static bool
is_there(const char *provider, const char *account_id)
{
	Relation	rel = table_open(awspool_relation("account"), AccessShareLock);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	Snapshot	snapshot = RegisterSnapshot(GetTransactionSnapshot());
	bool		found = awspool_find_account(rel, snapshot, account_id,
											 provider, NULL, slot);

	ExecDropSingleTupleTableSlot(slot);
	UnregisterSnapshot(snapshot);
	table_close(rel, AccessShareLock);
	return found;
}

static void
log_edit(TupleDesc desc, HeapTuple old, HeapTuple new)
{
	StringInfoData detail;
	Caller		caller;
	char	   *actor = GetUserNameFromId(GetUserId(), false);

	initStringInfo(&detail);
	append_edit(&detail, desc, old, new, Anum_account_marketplace);
	append_edit(&detail, desc, old, new, Anum_account_model);
	if (detail.len == 0)
		return;

	awspool_begin_queries(&caller);
	append_log(desc, old, actor, "edited", detail.data, false);
	awspool_end_queries(&caller);
}

static void
append_edit(StringInfo detail, TupleDesc desc, HeapTuple old, HeapTuple new,
			int column)
{
	char	   *from = column_of(desc, old, column);
	char	   *to = column_of(desc, new, column);

	if (strcmp(from, to) != 0)
		appendStringInfo(detail, "%s%s from %s to %s",
						 detail->len > 0 ? ", " : "",
						 NameStr(TupleDescAttr(desc, column - 1)->attname),
						 from, to);
}

static void
log_deletion(TupleDesc desc, HeapTuple old)
{
	Caller		caller;
	char	   *actor = GetUserNameFromId(GetUserId(), false);
	char	   *status = column_of(desc, old, Anum_account_status);
	char	   *detail = psprintf("%s, %s, %s", status,
								  column_of(desc, old,
											Anum_account_marketplace),
								  column_of(desc, old, Anum_account_model));

	awspool_begin_queries(&caller);
	copy_life(desc, old);
	append_log(desc, old, actor, "deleted", detail,
			   awspool_status_from_name(status) != STATUS_READY);
	awspool_end_queries(&caller);
}

/* Moves what the row told of its life into the log. */
static void
copy_life(TupleDesc desc, HeapTuple old)
{
	static OwnerQuery copy = {
		.sql = "INSERT INTO awspool.account_log"
		" (provider, account_id, at, actor, event, detail)"
		" SELECT $1, $2, e.at, e.actor, e.event, e.detail"
		" FROM awspool.account_events($3, $4, $5, $6, $7, $8, $9, $10, $11, $12) e",
		.nargs = 12,
		.argtypes = {TEXTOID, TEXTOID, TIMESTAMPTZOID, TEXTOID, TIMESTAMPTZOID, TEXTOID,
		TEXTOID, TEXTOID, TIMESTAMPTZOID, TEXTOID, TEXTOID, TEXTOID}
	};
	static const int columns[] = {
		Anum_account_provider, Anum_account_account_id,
		Anum_account_added_at, Anum_account_added_by,
		Anum_account_claimed_at, Anum_account_claimed_by,
		Anum_account_order_id, Anum_account_order_model,
		Anum_account_closed_at, Anum_account_closed_by,
		Anum_account_status, Anum_account_reason
	};
	Datum		values[lengthof(columns)];
	char		nulls[lengthof(columns)];

	for (size_t i = 0; i < lengthof(columns); i++)
	{
		bool		isnull;

		values[i] = heap_getattr(old, columns[i], desc, &isnull);
		nulls[i] = isnull ? 'n' : ' ';
	}
	(void) awspool_query(&copy, values, nulls);
}

static void
append_log(TupleDesc desc, HeapTuple account, const char *actor,
		   const char *event, const char *detail, bool used)
{
	static OwnerQuery append = {
		.sql = "INSERT INTO awspool.account_log"
		" (provider, account_id, at, actor, event, detail, used)"
		" VALUES ($1, $2, pg_catalog.clock_timestamp(), $3, $4, $5, $6)",
		.nargs = 6,
		.argtypes = {TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, BOOLOID}
	};
	Datum		values[] = {
		CStringGetTextDatum(column_of(desc, account, Anum_account_provider)),
		CStringGetTextDatum(column_of(desc, account, Anum_account_account_id)),
		CStringGetTextDatum(actor),
		CStringGetTextDatum(event),
		CStringGetTextDatum(detail),
		BoolGetDatum(used)
	};

	(void) awspool_query(&append, values, NULL);
}

/* A text column that is never null. */
static char *
column_of(TupleDesc desc, HeapTuple account, int column)
{
	bool		isnull;

	return TextDatumGetCString(heap_getattr(account, column, desc, &isnull));
}
