/*-------------------------------------------------------------------------
 *
 * tally.c
 *	  Counting what happens to accounts, by who changes them.
 *
 * What is counted is a sum of contributions.  A row of awspool.account
 * contributes one to the accounts of its status in its pool, one to those
 * added in the hour of added_at, and likewise for claimed_at and closed_at if
 * it has them.  A row of account_log contributes what it tells of an account
 * that is gone: that it was added, claimed, closed and deleted in the hour of
 * each.  (An edit that moves an account to another pool takes its contribution
 * along; so the log's row of it says that it was added to the old one, too.)
 * A change counts the new row's contributions and takes back the old one's.
 * So it does not matter who makes it and why: a claim, a restore, an edit of
 * another pool, the owner's SQL.  What the counts have to be can be seen from
 * the two tables at any time: awspool.recount().
 *
 * Hours are those of UTC: a time in microseconds, rounded down.
 *
 * Who writes by SQL is counted by triggers, after the row was stored: BEFORE
 * triggers, the user's too, have had their say.  Where the extension changes
 * rows without a query (row.c, batch.c) it counts itself, and switches that
 * one trigger off in the executor's private list of triggers: that is a tenth
 * of the work.
 *
 * A transaction gathers what it counts in memory, and writes it to rows of
 * awspool.tally (tally_row.c) when it commits or is prepared.  Until then it is
 * kept for each savepoint apart, as that may be rolled back, and for each
 * command, so that a snapshot of this transaction can tell what it shows: an
 * open cursor does not show what came after it.
 *
 * Under the script of version 1.0 there is no awspool.tally, and nothing is
 * counted.  Each change is for the table that there was then: in a transaction
 * that updates or drops the extension as well, it was counted with the rows.
 *
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "common/hashfn.h"
#include "parser/parse_func.h"
#include "replication/logicalworker.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(awspool_tally_account);
PG_FUNCTION_INFO_V1(awspool_tally_account_log);
PG_FUNCTION_INFO_V1(awspool_keep_tally);

/* Pools that are remembered between transactions, at most. */
#define MAX_POOLS		4096

/*
 * What is gathered in memory, at most, besides what is left of outer levels of
 * savepoints when there is so much; then it is written before the end.
 */
#define MAX_PENDING		65536

/* Fragments that are merged when a transaction inserts one, at most. */
#define MERGE_AT_ONCE	1000

/* What a transaction has counted in a pool and an hour. */
typedef struct Pending
{
	struct Pending *next;		/* inner levels come first */
	TallyPool  *pool;
	Oid			table;
	int			level;
	CommandId	cid;
	TallyRow	row;
} Pending;

/* What a row of awspool.account contributes to. */
typedef struct Contribution
{
	TallyPool  *pool;
	AccountStatus status;
	TimestampTz added;			/* in which hour */
	TimestampTz claimed;		/* or NEVER */
	TimestampTz closed;			/* or NEVER */
} Contribution;

/* No timestamp: stands for NULL. */
#define NEVER	(PG_INT64_MAX - 1)

/* The columns of awspool.account_log that tell what it contributes. */
typedef struct LogEntry
{
	TallyPool  *pool;			/* NULL: nothing */
	TallyCount	event;
	TimestampTz hour;
} LogEntry;

static const TallyCount now_of[] = {
	[STATUS_READY] = TALLY_NOW_READY,
	[STATUS_IN_PROGRESS] = TALLY_NOW_IN_PROGRESS,
	[STATUS_ALLOCATED] = TALLY_NOW_ALLOCATED,
	[STATUS_FAILED] = TALLY_NOW_FAILED,
	[STATUS_INVALID] = TALLY_NOW_INVALID,
};

/* What a closing is counted as. */
static const TallyCount closing_of[] = {
	[STATUS_ALLOCATED] = TALLY_ALLOCATED,
	[STATUS_FAILED] = TALLY_FAILED,
	[STATUS_INVALID] = TALLY_INVALID,
};

/* While recount.c writes the counts, whoever has it do so. */
bool		awspool_makes_tally = false;

static HTAB *pools = NULL;
static TallyPool *last_pool = NULL;
static Pending *pendings = NULL;
static int	npending = 0;
static int	max_pending = MAX_PENDING;

/* Rows that this transaction inserted; whether any pool is to be merged. */
static int	ninserted = 0;
static bool merge_due = false;

static uint32 hash_pool(const void *key, Size size);
static int	compare_pools(const void *a, const void *b, Size size);
static TallyPool *find_pool(const char *provider, size_t provider_length,
							const char *marketplace,
							size_t marketplace_length);
static TallyPool *pool_of(Datum provider, Datum marketplace);
static int64 *counts_of(TallyPool *pool, TimestampTz hour, CommandId cid);
static Contribution contribution_of(TupleTableSlot *account);
static TimestampTz hour_of_column(TupleTableSlot *account, int column);
static TimestampTz latest_hour(const Contribution *row);
static void count_row(const Contribution *row, int sign, CommandId cid);
static void count_moved(TallyPool *pool, TallyCount from_count,
						TimestampTz from, TallyCount to_count, TimestampTz to,
						CommandId cid);
static LogEntry log_entry_of(TupleTableSlot *entry);
static void count_log_entry(const LogEntry *entry, int sign, CommandId cid);
static void complete_life(TupleTableSlot *deletion);
static void write_pending(int level, bool at_end);
static void fold_pending(void);
static int	compare_levels(const void *a, const void *b);
static bool add_up(Pending **pending, int n, int *i, TallyRow *sum);
static int	compare_pending(const void *a, const void *b);
static void merge_written(Relation rel);
static void forget_pending(void);
static void end_transaction(XactEvent event, void *arg);
static void end_subtransaction(SubXactEvent event, SubTransactionId subid,
							   SubTransactionId parent, void *arg);

void
awspool_init_tally(void)
{
	RegisterXactCallback(end_transaction, NULL);
	RegisterSubXactCallback(end_subtransaction, NULL);
}

/*
 * The beginning of the hour of a time.
 */
TimestampTz
awspool_hour_of(TimestampTz at)
{
	TimestampTz into;

	if (TIMESTAMP_NOT_FINITE(at))
		return at;
	into = at % USECS_PER_HOUR;
	return at - into - (into < 0 ? USECS_PER_HOUR : 0);
}

/*
 * Whether this is the function of the trigger that counts what is done to
 * awspool.account by SQL.
 */
bool
awspool_is_tally_trigger(Oid function)
{
	static Oid	known = InvalidOid;
	static uint64 changes = PG_UINT64_MAX;

	if (changes != awspool_relation_changes())
	{
		changes = awspool_relation_changes();
		known = LookupFuncName(list_make2(makeString("awspool"),
										  makeString("tally_account")),
							   0, NULL, true);
	}
	return function == known && OidIsValid(function);
}

/*
 * Has the trigger not count what is done to awspool.account, which "result"
 * is about: whoever calls this counts it.
 */
void
awspool_count_ourselves(ResultRelInfo *result)
{
	TriggerDesc *triggers = result->ri_TrigDesc;	/* a private copy */

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		if (awspool_is_tally_trigger(triggers->triggers[i].tgfoid))
			triggers->triggers[i].tgenabled = TRIGGER_DISABLED;
	}
}

/*
 * Counts that an account was stored, changed or deleted by the command "cid":
 * "old" is NULL, or "new" is.
 */
void
awspool_count_change(TupleTableSlot *old, TupleTableSlot *new, CommandId cid)
{
	Contribution from;
	Contribution to;

	if (!OidIsValid(awspool_tally_table()))
		return;
	if (old != NULL)
		from = contribution_of(old);
	if (new != NULL)
		to = contribution_of(new);

	if (old == NULL || new == NULL || from.pool != to.pool)
	{
		if (old != NULL)
			count_row(&from, -1, cid);
		if (new != NULL)
			count_row(&to, 1, cid);
		return;
	}
	if (from.status != to.status)
	{
		int64	   *n = counts_of(to.pool, latest_hour(&to), cid);

		n[now_of[from.status]]--;
		n[now_of[to.status]]++;
	}
	count_moved(to.pool, TALLY_ADDED, from.added, TALLY_ADDED, to.added, cid);
	count_moved(to.pool, TALLY_CLAIMED, from.claimed, TALLY_CLAIMED,
				to.claimed, cid);
	count_moved(to.pool, closing_of[from.status], from.closed,
				closing_of[to.status], to.closed, cid);
}

/*
 * Counts that a ready account was stored.
 */
void
awspool_count_added(const char *provider, const char *marketplace,
					TimestampTz added_at, CommandId cid)
{
	int64	   *n;

	if (!OidIsValid(awspool_tally_table()))
		return;
	n = counts_of(find_pool(provider, strlen(provider), marketplace,
							strlen(marketplace)),
				  awspool_hour_of(added_at), cid);
	n[TALLY_ADDED]++;
	n[TALLY_NOW_READY]++;
}

static Contribution
contribution_of(TupleTableSlot *account)
{
	Contribution row;
	bool		isnull;
	Datum		marketplace = slot_getattr(account, Anum_account_marketplace,
										   &isnull);

	row.pool = pool_of(slot_getattr(account, Anum_account_provider, &isnull),
					   marketplace);
	row.status = awspool_status_of(account);
	row.added = hour_of_column(account, Anum_account_added_at);
	row.claimed = hour_of_column(account, Anum_account_claimed_at);
	row.closed = hour_of_column(account, Anum_account_closed_at);
	return row;
}

static TimestampTz
hour_of_column(TupleTableSlot *account, int column)
{
	bool		isnull;
	Datum		at = slot_getattr(account, column, &isnull);

	return isnull ? NEVER : awspool_hour_of(DatumGetTimestampTz(at));
}

/* The hour with whose events the status is counted; any would do. */
static TimestampTz
latest_hour(const Contribution *row)
{
	return row->closed != NEVER ? row->closed :
		row->claimed != NEVER ? row->claimed : row->added;
}

/* Counts all that a row contributes, or takes it back. */
static void
count_row(const Contribution *row, int sign, CommandId cid)
{
	counts_of(row->pool, latest_hour(row), cid)[now_of[row->status]] += sign;
	counts_of(row->pool, row->added, cid)[TALLY_ADDED] += sign;
	if (row->claimed != NEVER)
		counts_of(row->pool, row->claimed, cid)[TALLY_CLAIMED] += sign;
	if (row->closed != NEVER)
		counts_of(row->pool, row->closed, cid)[closing_of[row->status]] += sign;
}

/* Counts an event that a row did not tell of before, or otherwise. */
static void
count_moved(TallyPool *pool, TallyCount from_count, TimestampTz from,
			TallyCount to_count, TimestampTz to, CommandId cid)
{
	if (from == to && from_count == to_count)
		return;
	if (from != NEVER)
		counts_of(pool, from, cid)[from_count]--;
	if (to != NEVER)
		counts_of(pool, to, cid)[to_count]++;
}

/*
 * In memory.
 */

static uint32
hash_pool(const void *key, Size size)
{
	const PoolNames *pool = key;

	return hash_bytes((const unsigned char *) pool->names, pool->used);
}

static int
compare_pools(const void *a, const void *b, Size size)
{
	const PoolNames *x = a;
	const PoolNames *y = b;

	return x->used != y->used || x->provider_length != y->provider_length ||
		memcmp(x->names, y->names, x->used) != 0;
}

/*
 * The pool of that name.  It stays where it is at least until the end of the
 * transaction.
 */
static TallyPool *
find_pool(const char *provider, size_t provider_length,
		  const char *marketplace, size_t marketplace_length)
{
	PoolNames		key;
	bool		known;

	key.used = provider_length + marketplace_length;
	key.provider_length = provider_length;
	if (last_pool != NULL && last_pool->key.used == key.used &&
		last_pool->key.provider_length == provider_length &&
		memcmp(last_pool->key.names, provider, provider_length) == 0 &&
		memcmp(last_pool->key.names + provider_length, marketplace,
			   marketplace_length) == 0)
		return last_pool;

	if (provider_length > AWSPOOL_NAME_BYTES ||
		marketplace_length > AWSPOOL_NAME_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_STRING_DATA_RIGHT_TRUNCATION),
				 errmsg("name of a pool is too long"),
				 errdetail("Nothing in table awspool.account can have it, "
						   "so nobody counts it.")));
	memcpy(key.names, provider, provider_length);
	memcpy(key.names + provider_length, marketplace, marketplace_length);
	if (pools == NULL)
	{
		HASHCTL		info = {
			.keysize = sizeof(PoolNames), .entrysize = sizeof(TallyPool),
			.hash = hash_pool, .match = compare_pools,
			.hcxt = TopMemoryContext
		};

		pools = hash_create("awspool tally", 64, &info,
							HASH_ELEM | HASH_FUNCTION | HASH_COMPARE |
							HASH_CONTEXT);
	}
	last_pool = hash_search(pools, &key, HASH_ENTER, &known);
	if (!known)
	{
		last_pool->last = NULL;
		last_pool->merge = false;
		last_pool->buffer = InvalidBuffer;
		ItemPointerSetInvalid(&last_pool->tid);
	}
	return last_pool;
}

static TallyPool *
pool_of(Datum provider, Datum marketplace)
{
	text	   *p = DatumGetTextPP(provider);
	text	   *m = DatumGetTextPP(marketplace);

	return find_pool(VARDATA_ANY(p), VARSIZE_ANY_EXHDR(p),
					 VARDATA_ANY(m), VARSIZE_ANY_EXHDR(m));
}

/*
 * Where to count what a command does in a pool in that hour.
 */
static int64 *
counts_of(TallyPool *pool, TimestampTz hour, CommandId cid)
{
	int			level = GetCurrentTransactionNestLevel();
	Oid			table = awspool_tally_table();
	Pending    *pending = pool->last;

	if (pending != NULL && pending->row.hour == hour && pending->cid == cid &&
		pending->level == level && pending->table == table)
		return pending->row.n;

	if (npending >= max_pending)
	{
		write_pending(level, false);
		fold_pending();
		max_pending = npending + MAX_PENDING;
	}
	pending = MemoryContextAllocZero(TopTransactionContext, sizeof(Pending));
	pending->pool = pool;
	pending->table = table;
	pending->level = level;
	pending->cid = cid;
	pending->row.hour = hour;
	pending->next = pendings;
	pendings = pending;
	pool->last = pending;
	npending++;
	return pending->row.n;
}

/*
 * What of this transaction a snapshot shows and is not in the table yet, in no
 * order.
 */
PendingCount *
awspool_pending_counts(Snapshot snapshot, int *n)
{
	PendingCount *counts = palloc(Max(npending, 1) * sizeof(PendingCount));
	Oid			table = awspool_tally_table();

	*n = 0;
	for (Pending *pending = pendings; pending != NULL; pending = pending->next)
	{
		const PoolNames *key = &pending->pool->key;

		if (pending->cid >= snapshot->curcid || pending->table != table)
			continue;
		counts[*n].provider = pnstrdup(key->names, key->provider_length);
		counts[*n].marketplace = pnstrdup(key->names + key->provider_length,
										  key->used - key->provider_length);
		counts[*n].row = pending->row;
		counts[(*n)++].row.part = TALLY_HOUR + 1;	/* as a fragment */
	}
	return counts;
}

/*
 * The triggers.
 */

/*
 * Trigger: for each row of awspool.account, after it was inserted, updated or
 * deleted.
 */
Datum
awspool_tally_account(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = awspool_trigger_data(fcinfo, "account", AFTER_ROW,
												 ON_INSERT | ON_UPDATE |
												 ON_DELETE);
	CommandId	cid = GetCurrentCommandId(true);

	if (TRIGGER_FIRED_BY_INSERT(trigdata->tg_event))
		awspool_count_change(NULL, trigdata->tg_trigslot, cid);
	else if (TRIGGER_FIRED_BY_DELETE(trigdata->tg_event))
		awspool_count_change(trigdata->tg_trigslot, NULL, cid);
	else
		awspool_count_change(trigdata->tg_trigslot, trigdata->tg_newslot, cid);
	return PointerGetDatum(NULL);
}

/*
 * Trigger: for each row of awspool.account_log, after it was inserted, updated
 * or deleted.
 */
Datum
awspool_tally_account_log(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = awspool_trigger_data(fcinfo, "account_log",
												 AFTER_ROW,
												 ON_INSERT | ON_UPDATE |
												 ON_DELETE);
	CommandId	cid = GetCurrentCommandId(true);
	bool		updated = TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event);
	bool		inserted = TRIGGER_FIRED_BY_INSERT(trigdata->tg_event);
	LogEntry	entry = log_entry_of(trigdata->tg_trigslot);

	count_log_entry(&entry, inserted ? 1 : -1, cid);
	if (updated)
	{
		entry = log_entry_of(trigdata->tg_newslot);
		count_log_entry(&entry, 1, cid);
	}
	if (inserted && entry.pool == NULL)
		complete_life(trigdata->tg_trigslot);
	return PointerGetDatum(NULL);
}

static LogEntry
log_entry_of(TupleTableSlot *entry)
{
	static const struct
	{
		const char *event;
		TallyCount	count;
		const char *at;
	}			events[] = {
		{"added", TALLY_ADDED, "at"},
		{"claimed", TALLY_CLAIMED, "at"},
		{"allocated", TALLY_ALLOCATED, "at"},
		{"failed", TALLY_FAILED, "at"},
		{"invalidated", TALLY_INVALID, "at"},
		{"deleted", TALLY_DELETED, "at"},
		{"edited", TALLY_ADDED, "added_at"},
	};
	/* The owner may have added a column before an update added these. */
	TupleDesc	desc = entry->tts_tupleDescriptor;
	LogEntry	result = {0};
	bool		isnull;
	Datum		marketplace = slot_getattr(entry,
										   SPI_fnumber(desc, "marketplace"),
										   &isnull);
	text	   *event;

	if (isnull)
		return result;
	event = DatumGetTextPP(slot_getattr(entry, Anum_account_log_event,
										&isnull));
	for (size_t i = 0; i < lengthof(events); i++)
	{
		size_t		length = strlen(events[i].event);

		if (VARSIZE_ANY_EXHDR(event) != length ||
			memcmp(VARDATA_ANY(event), events[i].event, length) != 0)
			continue;
		result.event = events[i].count;
		result.hour = hour_of_column(entry,
									 SPI_fnumber(desc, events[i].at));
		if (result.hour != NEVER)
			result.pool = pool_of(slot_getattr(entry,
											   Anum_account_log_provider,
											   &isnull), marketplace);
	}
	return result;
}

static void
count_log_entry(const LogEntry *entry, int sign, CommandId cid)
{
	if (entry->pool != NULL && OidIsValid(awspool_tally_table()))
		counts_of(entry->pool, entry->hour, cid)[entry->event] += sign;
}

/*
 * Version 1.0 did not write the marketplace into the log, and so a backup of
 * that version, or a publisher, has none.  The row of a deletion tells it in
 * its detail, for all rows of the life that ended.
 */
static void
complete_life(TupleTableSlot *deletion)
{
	static OwnerQuery complete = {
		.sql = "UPDATE ONLY awspool.account_log l"
		" SET marketplace = d.marketplace"
		" FROM (SELECT provider, account_id, log_id,"
		"   pg_catalog.split_part(detail, ', ', 2) AS marketplace"
		"  FROM ONLY awspool.account_log"
		"  WHERE log_id = $1 AND event = 'deleted' AND detail LIKE '%, %, %') d"
		" WHERE l.provider = d.provider AND l.account_id = d.account_id"
		"  AND l.log_id <= d.log_id AND l.marketplace IS NULL"
		"  AND l.event <> 'edited'"
		"  AND NOT EXISTS (SELECT FROM ONLY awspool.account_log o"
		"   WHERE o.provider = l.provider AND o.account_id = l.account_id"
		"    AND o.event = 'deleted'"
		"    AND o.log_id >= l.log_id AND o.log_id < d.log_id)",
		.at_present = true,
		.nargs = 1,
		.argtypes = {INT8OID}
	};
	bool		isnull;
	Datum		id = slot_getattr(deletion, Anum_account_log_log_id, &isnull);
	text	   *event = DatumGetTextPP(slot_getattr(deletion,
													Anum_account_log_event,
													&isnull));
	Caller		caller;

	if (VARSIZE_ANY_EXHDR(event) != strlen("deleted") ||
		memcmp(VARDATA_ANY(event), "deleted", strlen("deleted")) != 0)
		return;
	awspool_begin_queries(&caller);
	(void) awspool_query(&complete, &id, NULL);
	awspool_end_queries(&caller);
}

/*
 * Trigger: for each row of awspool.tally, before a subscription changes it.
 * What happened to the publisher's accounts is counted here, as they arrive;
 * the publisher's own counts are passed by.
 */
Datum
awspool_keep_tally(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = awspool_trigger_data(fcinfo, "tally", BEFORE_ROW,
												 ON_INSERT | ON_UPDATE |
												 ON_DELETE);

	if (IsLogicalWorker() && !awspool_makes_tally)
		return PointerGetDatum(NULL);
	return PointerGetDatum(TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event) ?
						   trigdata->tg_newtuple : trigdata->tg_trigtuple);
}

/*
 * In the table.
 */

/*
 * Writes what was counted at this level of savepoints, and those within.
 *
 * Before the end of the transaction, since there is too much of it: then a
 * cursor that is open shows nothing of it, also of what came before it.
 */
static void
write_pending(int level, bool at_end)
{
	Relation	rel;
	Oid			table = awspool_tally_table();
	Pending   **written = palloc(Max(npending, 1) * sizeof(Pending *));
	Pending    *pending;
	MemoryContext work;
	MemoryContext caller_context;
	int			n = 0;

	for (pending = pendings; pending != NULL && pending->level >= level;
		 pending = pending->next)
	{
		pending->pool->last = NULL;
		npending--;
		if (pending->table == table)
			written[n++] = pending;
	}
	pendings = pending;
	rel = n == 0 ? NULL : awspool_open_tally(RowExclusiveLock);
	if (rel == NULL)
		return;

	work = n == 1 ? CurrentMemoryContext :
		AllocSetContextCreate(CurrentMemoryContext, "awspool tally",
							  ALLOCSET_DEFAULT_SIZES);
	caller_context = MemoryContextSwitchTo(work);
	qsort(written, n, sizeof(Pending *), compare_pending);
	for (int i = 0; i < n;)
	{
		TallyPool  *pool = written[i]->pool;
		TallyRow	sum;

		if (add_up(written, n, &i, &sum) &&
			awspool_add_to_tally(rel, pool, &sum))
		{
			pool->merge = true;
			merge_due = true;
			ninserted++;
		}
		if (n > 1)
			MemoryContextReset(work);
	}
	if (at_end && merge_due)
		merge_written(rel);
	MemoryContextSwitchTo(caller_context);
	if (n > 1)
		MemoryContextDelete(work);
	table_close(rel, NoLock);
	for (int i = 0; i < n; i++)
		pfree(written[i]);
	pfree(written);
}

/*
 * Adds up, in memory, what was counted at each of the levels, which are all
 * around this one: what is written in a savepoint might be rolled back with it.
 * An open cursor shows nothing of it then, as of what was written.
 */
static void
fold_pending(void)
{
	Pending   **all = palloc(Max(npending, 1) * sizeof(Pending *));
	Pending   **next = &pendings;
	Pending    *sum = NULL;
	int			n = 0;

	for (Pending *pending = pendings; pending != NULL; pending = pending->next)
	{
		pending->pool->last = NULL;
		all[n++] = pending;
	}
	qsort(all, n, sizeof(Pending *), compare_levels);
	for (int i = 0; i < n; i++)
	{
		if (sum != NULL && compare_levels(&sum, &all[i]) == 0)
		{
			for (int j = 0; j < TALLY_COUNTS; j++)
				sum->row.n[j] += all[i]->row.n[j];
			sum->cid = Max(sum->cid, all[i]->cid);
			pfree(all[i]);
			npending--;
			continue;
		}
		sum = all[i];
		*next = sum;
		next = &sum->next;
	}
	*next = NULL;
	pfree(all);
}

/* Inner levels first. */
static int
compare_levels(const void *a, const void *b)
{
	const Pending *x = *(Pending *const *) a;
	const Pending *y = *(Pending *const *) b;

	if (x->level != y->level)
		return x->level > y->level ? -1 : 1;
	if (x->table != y->table)
		return x->table < y->table ? -1 : 1;
	return compare_pending(a, b);
}

/*
 * Adds up all that was counted in one pool and hour, from the ith on, and steps
 * on to the next.  False if nothing is left of it.
 */
static bool
add_up(Pending **pending, int n, int *i, TallyRow *sum)
{
	bool		any = false;

	*sum = pending[*i]->row;
	while (++*i < n && compare_pending(&pending[*i - 1], &pending[*i]) == 0)
	{
		for (int j = 0; j < TALLY_COUNTS; j++)
			sum->n[j] += pending[*i]->row.n[j];
	}
	for (int j = 0; j < TALLY_COUNTS; j++)
		any |= sum->n[j] != 0;
	return any;
}

static int
compare_pending(const void *a, const void *b)
{
	const Pending *x = *(Pending *const *) a;
	const Pending *y = *(Pending *const *) b;

	if (x->pool != y->pool)
		return x->pool < y->pool ? -1 : 1;
	return (x->row.hour > y->row.hour) - (x->row.hour < y->row.hour);
}

/*
 * Whoever had to insert a row tidies up the pool: that is rare, and happens
 * when an hour has begun.
 */
static void
merge_written(Relation rel)
{
	TimestampTz current = awspool_hour_of(GetCurrentTimestamp());
	MemoryContext caller_context = CurrentMemoryContext;
	MemoryContext work = AllocSetContextCreate(CurrentMemoryContext,
											   "awspool merge",
											   ALLOCSET_DEFAULT_SIZES);
	HASH_SEQ_STATUS all;
	TallyPool  *pool;

	CommandCounterIncrement();
	merge_due = false;
	hash_seq_init(&all, pools);
	while ((pool = hash_seq_search(&all)) != NULL)
	{
		if (!pool->merge)
			continue;
		MemoryContextSwitchTo(work);
		pool->merge = !awspool_merge_tally(rel, pool, current,
										   ninserted + MERGE_AT_ONCE);
		merge_due |= pool->merge;
		MemoryContextSwitchTo(caller_context);
		MemoryContextReset(work);
	}
	MemoryContextDelete(work);
}

/*
 * Forgets what this transaction has counted for a provider, or for all, and
 * not written yet: the rows of the table have just been made anew, or removed.
 * What was counted before a savepoint is taken back in the table instead, as
 * that may yet be rolled back to.
 */
void
awspool_forget_pending(Relation rel, const char *provider)
{
	int			level = GetCurrentTransactionNestLevel();

	for (Pending *pending = pendings; pending != NULL; pending = pending->next)
	{
		const PoolNames *key = &pending->pool->key;
		TallyRow	row = {.hour = pending->row.hour};

		if (pending->table != RelationGetRelid(rel) ||
			(provider != NULL &&
			 (strlen(provider) != key->provider_length ||
			  memcmp(provider, key->names, key->provider_length) != 0)))
			continue;
		for (int i = 0; i < TALLY_COUNTS; i++)
			row.n[i] = -pending->row.n[i];
		if (pending->level == level)
			memset(pending->row.n, 0, sizeof(pending->row.n));
		else
			(void) awspool_add_to_tally(rel, pending->pool, &row);
	}
}

/*
 * Merges all fragments of hours past of a pool.
 */
void
awspool_merge_pool(Relation rel, Datum provider, Datum marketplace)
{
	(void) awspool_merge_tally(rel, pool_of(provider, marketplace),
							   awspool_hour_of(GetCurrentTimestamp()),
							   INT_MAX);
}

static void
forget_pending(void)
{
	for (Pending *pending = pendings; pending != NULL; pending = pending->next)
		pending->pool->last = NULL;
	pendings = NULL;			/* their memory goes with the transaction */
	npending = 0;
	max_pending = MAX_PENDING;
	ninserted = 0;
	if (pools != NULL && hash_get_num_entries(pools) > MAX_POOLS)
	{
		hash_destroy(pools);
		pools = NULL;
		last_pool = NULL;
	}
}

static void
end_transaction(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
		case XACT_EVENT_PRE_PREPARE:
			if (pendings != NULL)
			{
#ifdef USE_ASSERT_CHECKING
				/* Asserted wherever a row might be toasted; these are short. */
				PushActiveSnapshot(GetTransactionSnapshot());
#endif
				write_pending(1, event == XACT_EVENT_PRE_COMMIT);
#ifdef USE_ASSERT_CHECKING
				PopActiveSnapshot();
#endif
			}
			break;
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_PREPARE:
		case XACT_EVENT_ABORT:
			forget_pending();
			break;
		default:
			break;
	}
}

/*
 * What was counted in a savepoint goes with it, or becomes part of the level
 * around it.
 */
static void
end_subtransaction(SubXactEvent event, SubTransactionId subid,
				   SubTransactionId parent, void *arg)
{
	int			level = GetCurrentTransactionNestLevel();

	if (event == SUBXACT_EVENT_COMMIT_SUB)
	{
		for (Pending *pending = pendings;
			 pending != NULL && pending->level >= level;
			 pending = pending->next)
			pending->level = level - 1;
	}
	else if (event == SUBXACT_EVENT_ABORT_SUB)
	{
		while (pendings != NULL && pendings->level >= level)
		{
			Pending    *pending = pendings;

			pending->pool->last = NULL;
			pendings = pending->next;
			npending--;
			pfree(pending);
		}
	}
}
