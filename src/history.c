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
 * The history is told in the order in which things happened, and clocks do
 * not tell that: they are set back at times.  The steps of a life have their
 * order by nature: added, claimed, closed, deleted.  The log has its own:
 * whoever writes to it has the account's row locked and draws a number, so the
 * numbers of an account follow each other, and each deletion ends a life.
 * What is left is between which steps an edit belongs.  For that the log has
 * the status that the account had.  Where that is missing, since version 1.0
 * did not write it, the clock decides, but not against what is known for sure:
 * an account changes its marketplace while it is ready, and no edit came
 * before an earlier one.
 *
 * A reconciliation (reconcile.c) is logged with the status that the account
 * has since.  The row tells the past that it knows of; the log, that it comes
 * from there, from whom, and when they told it.
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
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

PG_FUNCTION_INFO_V1(awspool_log_account_change);
PG_FUNCTION_INFO_V1(awspool_refuse_used_account);
PG_FUNCTION_INFO_V1(awspool_account_history);

static bool is_forgotten(const TriggerData *trigdata);
static bool is_there(const char *provider, const char *account_id);
static void log_edit(TupleDesc desc, HeapTuple old, HeapTuple new);
static void append_edit(StringInfo detail, TupleDesc desc, HeapTuple old,
						HeapTuple new, int column);
static void log_deletion(TupleDesc desc, HeapTuple old);
static void copy_life(TupleDesc desc, HeapTuple old);
static void append_log(TupleDesc desc, HeapTuple account, const char *actor,
					   const char *event, const char *detail,
					   const char *status, bool used, bool moved);
static bool is_log_of_1_0(void);
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
	if (is_forgotten(trigdata))
		return PointerGetDatum(NULL);
	if (TRIGGER_FIRED_BY_DELETE(trigdata->tg_event))
		log_deletion(desc, trigdata->tg_trigtuple);
	else
		log_edit(desc, trigdata->tg_trigtuple, trigdata->tg_newtuple);
	return PointerGetDatum(NULL);
}

/* Whether the row is erased with all that its provider has (freeze.c). */
static bool
is_forgotten(const TriggerData *trigdata)
{
	bool		isnull;

	return TRIGGER_FIRED_BY_DELETE(trigdata->tg_event) &&
		awspool_is_forgotten(heap_getattr(trigdata->tg_trigtuple,
										  Anum_account_provider,
										  RelationGetDescr(trigdata->tg_relation),
										  &isnull));
}

/*
 * Trigger: for each account, after it was inserted.  Refuses it as well if the
 * provider is frozen or away.  Also notes that it
 * arrived (arrival.c), and moves the sequence on to its position (sequence.c).
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

	account.account_id = column_of(desc, trigdata->tg_trigtuple,
								   Anum_account_account_id);
	account.provider = column_of(desc, trigdata->tg_trigtuple,
								 Anum_account_provider);
	if (!IsLogicalWorker())
		awspool_check_not_frozen(account.provider, !awspool_is_storing());
	awspool_note_arrival(account.provider,
						 column_of(desc, trigdata->tg_trigtuple,
								   Anum_account_marketplace), position);
	awspool_raise_sequence(awspool_relation("account_position"), position);
	if (IsLogicalWorker())
		return PointerGetDatum(NULL);
	if (!awspool_look_up_used(&accounts, 1))
	{
		/* Who adds by a function is asked there: here the owner does it. */
		if (!awspool_is_storing())
			awspool_check_shown_once(trigdata->tg_relation,
									 trigdata->tg_trigslot);
		return PointerGetDatum(NULL);
	}

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
 * Life n has ended with the nth deletion.  Its steps are numbered, and so are
 * its edits, each with the step that it came after; "sure" is that number as
 * far as it does not depend on the clock.  (A column of the log that version
 * 1.0 has not is read in a way that works there, too.)
 */
static OwnerQuery history = {
	.sql = "WITH log AS ("
	"  SELECT l.log_id, l.at, l.actor, l.event, l.detail,"
	"   to_jsonb(l) ->> 'status' AS status,"
	"   count(*) FILTER (WHERE l.event = 'deleted') OVER (ORDER BY l.log_id)"
	"    - (l.event = 'deleted')::int AS life"
	"  FROM ONLY awspool.account_log l"
	"  WHERE l.account_id = $2 AND l.provider = $1"
	" ), step AS ("
	"  SELECT life, CASE event WHEN 'added' THEN 1 WHEN 'claimed' THEN 2"
	"    WHEN 'deleted' THEN 4 ELSE 3 END AS number,"
	"   0::bigint AS log_id, at, actor, event, detail"
	"  FROM log WHERE event NOT IN ('edited', 'reconciled')"
	"  UNION ALL"
	"  SELECT (SELECT count(*) FROM log WHERE event = 'deleted'),"
	"   CASE e.event WHEN 'added' THEN 1 WHEN 'claimed' THEN 2 ELSE 3 END,"
	"   0, e.at, e.actor, e.event, e.detail"
	"  FROM ONLY awspool.account a, awspool.account_events("
	"   a.added_at, a.added_by, a.claimed_at, a.claimed_by, a.order_id,"
	"   a.order_model, a.closed_at, a.closed_by, a.status, a.reason) e"
	"  WHERE a.account_id = $3 AND a.provider = $1"
	" ), edit AS ("
	"  SELECT l.*, CASE WHEN status = 'ready' OR detail LIKE 'marketplace %' THEN 1"
	"    WHEN status = 'provisioning_in_progress' THEN 2"
	"    WHEN status IS NOT NULL THEN 3 END AS sure,"
	"   (SELECT max(s.number) FROM step s"
	"    WHERE s.life = l.life AND s.number < 4 AND s.at <= l.at) AS by_clock"
	"  FROM log l WHERE event IN ('edited', 'reconciled')"
	" ), placed AS ("
	"  SELECT e.*, coalesce(sure, least(coalesce(by_clock, 1),"
	"   min(sure) OVER (PARTITION BY life ORDER BY log_id DESC))) AS place"
	"  FROM edit e"
	" )"
	" SELECT at, actor, event, detail FROM ("
	"  TABLE step"
	"  UNION ALL"
	"  SELECT life, max(place) OVER (PARTITION BY life ORDER BY log_id),"
	"   log_id, at, actor, event, detail"
	"  FROM placed"
	" ) h ORDER BY life, number, log_id",
	.nargs = 3,
	.argtypes = {TEXTOID, TEXTOID, TEXTOID}
};

/*
 * awspool.account_history(provider, account_id)
 *
 * Raises WS003 if the provider never had such an account.
 */
Datum
awspool_account_history(PG_FUNCTION_ARGS)
{
	static const Oid types[] = {TIMESTAMPTZOID, TEXTOID, TEXTOID, TEXTOID};
	char	   *provider = awspool_visible_provider_argument(fcinfo);
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

	/* We may have waited for the table. */
	awspool_check_visible_again(provider);
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
											 provider, slot);

	ExecDropSingleTupleTableSlot(slot);
	UnregisterSnapshot(snapshot);
	table_close(rel, AccessShareLock);
	return found;
}

static void
log_edit(TupleDesc desc, HeapTuple old, HeapTuple new)
{
	StringInfoData detail;
	bool		moved;
	Caller		caller;
	char	   *actor = GetUserNameFromId(GetUserId(), false);

	initStringInfo(&detail);
	append_edit(&detail, desc, old, new, Anum_account_marketplace);
	moved = detail.len > 0;
	append_edit(&detail, desc, old, new, Anum_account_model);
	if (detail.len == 0)
		return;

	awspool_begin_queries(&caller);
	append_log(desc, old, actor, "edited", detail.data,
			   column_of(desc, old, Anum_account_status), false, moved);
	awspool_end_queries(&caller);
}

/*
 * Logs that accounts of the provider were reconciled: for each of n texts, its
 * id, what it was, and the status that it has now.
 */
void
awspool_log_reconciled(const char *provider, const Datum *ids,
					   const Datum *details, const Datum *statuses, int n)
{
	static OwnerQuery append_all = {
		.sql = "INSERT INTO awspool.account_log"
		" (provider, account_id, at, actor, event, detail, status)"
		" SELECT $1, r.account_id, pg_catalog.clock_timestamp(), $2,"
		"  'reconciled', r.detail, r.status"
		" FROM unnest($3, $4, $5) r (account_id, detail, status)",
		.nargs = 5,
		.argtypes = {TEXTOID, TEXTOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID}
	};
	const Datum *columns[] = {ids, details, statuses};
	Datum		values[5] = {
		CStringGetTextDatum(provider),
		CStringGetTextDatum(GetUserNameFromId(GetUserId(), false))
	};
	Caller		caller;

	for (size_t i = 0; i < lengthof(columns); i++)
		values[i + 2] =
			PointerGetDatum(construct_array(unconstify(Datum *, columns[i]), n,
											TEXTOID, -1, false, TYPALIGN_INT));
	awspool_begin_queries(&caller);
	(void) awspool_query(&append_all, values, NULL);
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
	append_log(desc, old, actor, "deleted", detail, NULL,
			   awspool_status_from_name(status) != STATUS_READY, false);
	awspool_end_queries(&caller);
}

/* Moves what the row told of its life into the log. */
static void
copy_life(TupleDesc desc, HeapTuple old)
{
	static OwnerQuery copy = {
		.sql = "INSERT INTO awspool.account_log"
		" (provider, account_id, at, actor, event, detail, marketplace)"
		" SELECT $1, $2, e.at, e.actor, e.event, e.detail, $13"
		" FROM awspool.account_events($3, $4, $5, $6, $7, $8, $9, $10, $11, $12) e",
		.nargs = 13,
		.argtypes = {TEXTOID, TEXTOID, TIMESTAMPTZOID, TEXTOID, TIMESTAMPTZOID, TEXTOID,
		TEXTOID, TEXTOID, TIMESTAMPTZOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID}
	};
	static OwnerQuery copy_1_0 = {
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
		Anum_account_status, Anum_account_reason, Anum_account_marketplace
	};
	Datum		values[lengthof(columns)];
	char		nulls[lengthof(columns)];

	for (size_t i = 0; i < lengthof(columns); i++)
	{
		bool		isnull;

		values[i] = heap_getattr(old, columns[i], desc, &isnull);
		nulls[i] = isnull ? 'n' : ' ';
	}
	(void) awspool_query(is_log_of_1_0() ? &copy_1_0 : &copy, values, nulls);
}

/*
 * "moved" is whether the event is an edit that moves the account to another
 * marketplace.
 */
static void
append_log(TupleDesc desc, HeapTuple account, const char *actor,
		   const char *event, const char *detail, const char *status,
		   bool used, bool moved)
{
	static OwnerQuery append = {
		.sql = "INSERT INTO awspool.account_log"
		" (provider, account_id, at, actor, event, detail, used, status,"
		" marketplace, added_at)"
		" VALUES ($1, $2, pg_catalog.clock_timestamp(), $3, $4, $5, $6, $7, $8, $9)",
		.nargs = 9,
		.argtypes = {TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, BOOLOID, TEXTOID,
		TEXTOID, TIMESTAMPTZOID}
	};
	static OwnerQuery append_1_0 = {
		.sql = "INSERT INTO awspool.account_log"
		" (provider, account_id, at, actor, event, detail, used)"
		" VALUES ($1, $2, pg_catalog.clock_timestamp(), $3, $4, $5, $6)",
		.nargs = 6,
		.argtypes = {TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, BOOLOID}
	};
	bool		edited = strcmp(event, "edited") == 0;
	bool		isnull;
	Datum		values[] = {
		CStringGetTextDatum(column_of(desc, account, Anum_account_provider)),
		CStringGetTextDatum(column_of(desc, account, Anum_account_account_id)),
		CStringGetTextDatum(actor),
		CStringGetTextDatum(event),
		CStringGetTextDatum(detail),
		BoolGetDatum(used),
		awspool_text_datum(status),
		CStringGetTextDatum(column_of(desc, account,
									  Anum_account_marketplace)),
		heap_getattr(account, Anum_account_added_at, desc, &isnull)
	};
	char		nulls[] = {
		' ', ' ', ' ', ' ', ' ', ' ', status == NULL ? 'n' : ' ',
		edited && !moved ? 'n' : ' ', moved ? ' ' : 'n'
	};

	(void) awspool_query(is_log_of_1_0() ? &append_1_0 : &append, values,
						 nulls);
}

/* Whether the log has no more columns than the script of version 1.0 gave it. */
static bool
is_log_of_1_0(void)
{
	return get_attnum(awspool_relation("account_log"), "status") ==
		InvalidAttrNumber;
}

/* A text column that is never null. */
static char *
column_of(TupleDesc desc, HeapTuple account, int column)
{
	bool		isnull;

	return TextDatumGetCString(heap_getattr(account, column, desc, &isnull));
}
