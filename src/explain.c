/*-------------------------------------------------------------------------
 *
 * explain.c
 *	  What a claim would meet, for people who wonder why it got what it got.
 *
 * Walks along the index of ready accounts as a claim does (head.c), with the
 * same dirty snapshot, but from the very start, and locks nothing.  So it
 * works on a standby and in a read-only transaction, too.  What it shows is
 * the present, and may be gone when somebody reads it.
 *
 * A version that a running transaction has replaced or deleted does not say
 * what became of the account.  The newest version does, to which the others
 * lead.  An edit puts a new version into the index as well: of two versions of
 * an account the second is left out.
 *
 * Of whoever holds an account, the caller learns what pg_stat_activity would
 * show them of that session: all, if it is of a role whose privileges they
 * have, or if they have those of pg_read_all_stats; otherwise that there is
 * one.
 *
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

#include "access/htup_details.h"
#include "access/subtrans.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/procarray.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

/* So many accounts are shown. */
#define MAX_SHOWN	10

PG_FUNCTION_INFO_V1(awspool_explain_claim);

/* What is shown so far. */
typedef struct Shown
{
	ReturnSetInfo *rsinfo;
	int			n;
	char	   *account_ids[MAX_SHOWN];
	bool		has_next;
} Shown;

static void show(Shown *shown, const char *account_id, const char *verdict,
				 const char *detail);
static bool is_shown(const Shown *shown, const char *account_id);
static void explain_account(Shown *shown, Relation rel,
							TupleTableSlot *account, Snapshot dirty);
static const char *what_became(Relation rel, TupleTableSlot *account);
static bool next_version(Relation rel, TupleTableSlot *version);
static const char *verdict_of(TupleTableSlot *version);
static void read_header(TupleTableSlot *version, HeapTupleHeader header);
static TransactionId changer_of(HeapTupleHeader header);
static TransactionId locker_of(TupleTableSlot *account);
static bool is_in_the_way(TransactionId xid);
static char *holder_of(TransactionId xid);
static char *describe_session(int pid);
static char *describe_prepared(TransactionId xid);
static char *describe(const char *sql, Oid type, Datum value,
					  const char *otherwise);
static void explain_none(Shown *shown, const char *provider,
						 const char *marketplace);

/*
 * awspool.explain_claim(provider, marketplace)
 *
 * The first accounts that a claim would meet, and what it would do with each;
 * or one row without a rank that says why there is none.
 */
Datum
awspool_explain_claim(PG_FUNCTION_ARGS)
{
	static const Oid types[] = {INT8OID, TEXTOID, TEXTOID, TEXTOID};
	char	   *provider = awspool_visible_provider_argument(fcinfo);
	char	   *marketplace = awspool_field_argument(fcinfo, 1,
													 FIELD_MARKETPLACE);
	Shown		shown = {
		.rsinfo = awspool_begin_rows(fcinfo, lengthof(types), types)
	};
	Datum		keys[] = {CStringGetTextDatum(provider),
	CStringGetTextDatum(marketplace)};
	Relation	rel = table_open(awspool_relation("account"), AccessShareLock);
	Relation	index = awspool_open_index("account_ready", AccessShareLock);
	TupleTableSlot *account = table_slot_create(rel, NULL);
	const char *state = awspool_state_of(provider);
	char	   *paused = awspool_pause_of(provider, marketplace);
	SnapshotData dirty;
	IndexScanDesc scan;

	InitDirtySnapshot(dirty);
	scan = awspool_begin_index_scan(rel, index, &dirty, lengthof(keys), keys,
									false);
	while (state == NULL && paused == NULL && shown.n < MAX_SHOWN &&
		   index_getnext_slot(scan, ForwardScanDirection, account))
	{
		CHECK_FOR_INTERRUPTS();
		explain_account(&shown, rel, account, &dirty);
	}
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(account);
	index_close(index, AccessShareLock);
	table_close(rel, AccessShareLock);

	if (state != NULL)
		show(&shown, NULL, state, "nothing of the provider can be changed");
	else if (paused != NULL)
		show(&shown, NULL, "paused", paused);
	else if (shown.n == 0)
		explain_none(&shown, provider, marketplace);

	/* We may have waited for the table. */
	awspool_check_visible_again(provider);
	return (Datum) 0;
}

/* Adds a row; without an account, without a rank. */
static void
show(Shown *shown, const char *account_id, const char *verdict,
	 const char *detail)
{
	Datum		values[4] = {0};
	bool		isnull[4] = {account_id == NULL, account_id == NULL, false,
	detail == NULL};

	if (account_id != NULL)
		shown->account_ids[shown->n++] = pstrdup(account_id);
	values[0] = Int64GetDatum(shown->n);
	values[1] = awspool_text_datum(account_id);
	values[2] = CStringGetTextDatum(verdict);
	values[3] = awspool_text_datum(detail);
	tuplestore_putvalues(shown->rsinfo->setResult, shown->rsinfo->setDesc,
						 values, isnull);
}

static bool
is_shown(const Shown *shown, const char *account_id)
{
	for (int i = 0; i < shown->n; i++)
	{
		if (strcmp(shown->account_ids[i], account_id) == 0)
			return true;
	}
	return false;
}

/*
 * Shows an account as a scan with a dirty snapshot has found it.
 */
static void
explain_account(Shown *shown, Relation rel, TupleTableSlot *account,
				Snapshot dirty)
{
	char	   *account_id = awspool_column(account, Anum_account_account_id);
	HeapTupleHeaderData header;
	TransactionId holder;

	if (is_shown(shown, account_id))
		return;
	read_header(account, &header);
	if (TransactionIdIsValid(dirty->xmin))
		show(shown, account_id,
			 header.t_infomask & HEAP_UPDATED ? "edited" : "added",
			 holder_of(dirty->xmin));
	else if (TransactionIdIsValid(dirty->xmax))
	{
		char	   *by = holder_of(dirty->xmax);

		show(shown, account_id, what_became(rel, account), by);
	}
	else if (TransactionIdIsValid(holder = locker_of(account)))
		show(shown, account_id, "locked", holder_of(holder));
	else
	{
		show(shown, account_id, shown->has_next ? "ready" : "next", NULL);
		shown->has_next = true;
	}
}

/*
 * What somebody has done to an account whose version in the slot they have
 * replaced or deleted.  The slot gets the newest version.
 */
static const char *
what_became(Relation rel, TupleTableSlot *account)
{
	while (next_version(rel, account))
		CHECK_FOR_INTERRUPTS();
	return verdict_of(account);
}

/*
 * Replaces a version of a row by that which comes after it.  False if there
 * is none, or if it is gone, as it may be once it was rolled back.
 */
static bool
next_version(Relation rel, TupleTableSlot *version)
{
	HeapTupleHeaderData header;
	HeapTupleHeaderData after;
	TransactionId xmax;
	TupleTableSlot *next;
	bool		found;

	read_header(version, &header);
	xmax = changer_of(&header);
	if (!TransactionIdIsValid(xmax) ||
		ItemPointerEquals(&header.t_ctid, &version->tts_tid))
		return false;

	next = table_slot_create(rel, NULL);
	found = table_tuple_fetch_row_version(rel, &header.t_ctid, SnapshotAny,
										  next);
	if (found)
	{
		read_header(next, &after);
		found = TransactionIdEquals(HeapTupleHeaderGetXmin(&after), xmax);
	}
	if (found)
		ExecCopySlot(version, next);
	ExecDropSingleTupleTableSlot(next);
	return found;
}

/* What somebody has made of an account, by its newest version. */
static const char *
verdict_of(TupleTableSlot *version)
{
	HeapTupleHeaderData header;

	read_header(version, &header);
	if (TransactionIdIsValid(changer_of(&header)))
		return "deleted";
	switch (awspool_status_of(version))
	{
		case STATUS_READY:
			return "edited";
		case STATUS_INVALID:
			return "invalidated";
		default:
			return "claimed";
	}
}

/* A version's header as it is on its page, where it changes. */
static void
read_header(TupleTableSlot *version, HeapTupleHeader header)
{
	BufferHeapTupleTableSlot *slot = (BufferHeapTupleTableSlot *) version;

	LockBuffer(slot->buffer, BUFFER_LOCK_SHARE);
	memcpy(header, slot->base.tuple->t_data, SizeofHeapTupleHeader);
	LockBuffer(slot->buffer, BUFFER_LOCK_UNLOCK);
}

/* Who has replaced or deleted a version, unless that was rolled back. */
static TransactionId
changer_of(HeapTupleHeader header)
{
	TransactionId xmax;

	if (header->t_infomask & HEAP_XMAX_INVALID ||
		HEAP_XMAX_IS_LOCKED_ONLY(header->t_infomask))
		return InvalidTransactionId;
	xmax = HeapTupleHeaderGetUpdateXid(header);
	return TransactionIdDidAbort(xmax) ? InvalidTransactionId : xmax;
}

/*
 * Who has an account locked so that a claim passes it by; invalid if nobody
 * has.
 */
static TransactionId
locker_of(TupleTableSlot *account)
{
	int			n;
	TransactionId *xids = awspool_who_has(account, &n);

	for (int i = 0; i < n; i++)
	{
		if (is_in_the_way(xids[i]))
			return xids[i];
	}
	return InvalidTransactionId;
}

static bool
is_in_the_way(TransactionId xid)
{
	return !TransactionIdIsCurrentTransactionId(xid) &&
		TransactionIdIsInProgress(xid);
}

/*
 * Who a running transaction is, as far as the caller may know.
 */
static char *
holder_of(TransactionId xid)
{
	int			pid;
	char	   *prepared;

	if (TransactionIdFollowsOrEquals(xid, TransactionXmin))
		xid = SubTransGetTopmostTransaction(xid);
	pid = BackendXidGetPid(xid);
	if (pid != 0)
		return describe_session(pid);
	prepared = describe_prepared(xid);
	if (prepared != NULL)
		return prepared;
	return pstrdup(RecoveryInProgress() ? "by a transaction on the primary" :
				   "by a transaction that has just ended");
}

/* The server does not know since when if track_activities is off. */
static char *
describe_session(int pid)
{
	char	   *session =
		describe("SELECT a.usesysid,"
				 " pg_catalog.concat("
				 "  pg_catalog.format('by process %s of role \"%s\"', a.pid,"
				 "   pg_catalog.pg_get_userbyid(a.usesysid)),"
				 "  pg_catalog.textcat(', in a transaction since ',"
				 "   pg_catalog.to_char(a.xact_start, 'YYYY-MM-DD HH24:MI:SSOF')))"
				 " FROM pg_catalog.pg_stat_get_activity($1) a",
				 INT4OID, Int32GetDatum(pid), "by another session");

	return session != NULL ? session : pstrdup("by another session");
}

/*
 * NULL if no prepared transaction has that id.
 */
static char *
describe_prepared(TransactionId xid)
{
	return describe("SELECT p.ownerid,"
					" pg_catalog.format('by prepared transaction \"%s\" of role \"%s\", since %s',"
					"  p.gid, pg_catalog.pg_get_userbyid(p.ownerid),"
					"  pg_catalog.to_char(p.prepared, 'YYYY-MM-DD HH24:MI:SSOF'))"
					" FROM pg_catalog.pg_prepared_xact() p"
					" WHERE p.transaction OPERATOR(pg_catalog.=) $1",
					XIDOID, TransactionIdGetDatum(xid),
					"by a prepared transaction");
}

/*
 * Runs a query, as the caller, for a role and a text, which is returned if the
 * caller may see what that role does; otherwise the other text.  NULL if there
 * is no row.
 */
static char *
describe(const char *sql, Oid type, Datum value, const char *otherwise)
{
	MemoryContext context = CurrentMemoryContext;
	char	   *result = NULL;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (SPI_execute_with_args(sql, 1, &type, &value, NULL, true,
							  1) != SPI_OK_SELECT)
		elog(ERROR, "could not look for a transaction");
	if (SPI_processed == 1)
	{
		HeapTuple	row = SPI_tuptable->vals[0];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;
		Oid			role = DatumGetObjectId(SPI_getbinval(row, desc, 1,
														  &isnull));

		result = MemoryContextStrdup(context, !isnull &&
									 awspool_may_know(GetUserId(), role) ?
									 SPI_getvalue(row, desc, 2) : otherwise);
	}
	SPI_finish();
	return result;
}

/*
 * Shows why a claim meets nothing at all.
 */
static void
explain_none(Shown *shown, const char *provider, const char *marketplace)
{
	static OwnerQuery query = {
		.sql = "SELECT EXISTS (SELECT FROM ONLY awspool.account a"
		"  WHERE a.provider = $1 AND a.marketplace = $2),"
		" (SELECT pg_catalog.min(a.marketplace) FROM ONLY awspool.account a"
		"  WHERE a.provider = $1 AND a.status = 'ready')",
		.reads_only = true,
		.nargs = 2,
		.argtypes = {TEXTOID, TEXTOID}
	};
	Datum		keys[] = {CStringGetTextDatum(provider),
	CStringGetTextDatum(marketplace)};
	MemoryContext context = CurrentMemoryContext;
	bool		is_used = false;
	char	   *elsewhere = NULL;
	bool		isnull;
	Caller		caller;

	awspool_begin_queries(&caller);
	if (awspool_query(&query, keys, NULL) == 1)
	{
		HeapTuple	row = SPI_tuptable->vals[0];
		TupleDesc	desc = SPI_tuptable->tupdesc;

		is_used = DatumGetBool(SPI_getbinval(row, desc, 1, &isnull));
		elsewhere = SPI_getvalue(row, desc, 2);
		if (elsewhere != NULL)
			elsewhere = MemoryContextStrdup(context, elsewhere);
	}
	awspool_end_queries(&caller);

	if (is_used)
		show(shown, NULL, "used_up",
			 "every account that is stored for this marketplace was used");
	else if (elsewhere != NULL)
		show(shown, NULL, "elsewhere",
			 psprintf("no account is stored for this marketplace; ready ones are for \"%s\", say",
					  elsewhere));
	else
		show(shown, NULL, "none_stored",
			 "no account is stored for this marketplace");
}
