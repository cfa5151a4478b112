/*-------------------------------------------------------------------------
 *
 * pool.c
 *	  The settings of pools, and whether a pool is open.
 *
 * A row of awspool.pool_setting says what its provider wants of a pool, and
 * since when it is paused.  The row whose marketplace is "*" stands for the
 * pools of the provider that have no row of their own, and those to come.
 *
 * A claim must not pay for settings that hardly ever change.  So a session
 * remembers of a pool that it is open, and under which count of changes of its
 * provider's settings (arrival.c) that was found.  The trigger of the table
 * counts every change, whoever makes it, when the row is changed and before it
 * is committed.  Who sees another count looks at the row again:
 *
 * - Not with a snapshot, which shows what was, but at what is committed now or
 *	 about to be.  A pool is closed if any such version of its row says so: an
 *	 uncommitted pause refuses already.
 *
 * - That a pool is open is remembered only if nobody is changing its row, and
 *	 this transaction has not changed any: otherwise it is looked at each time,
 *	 so a pause that is rolled back leaves the pool open, and one that was
 *	 prepared closes it whenever it is committed.
 *
 * - The row is changed, then counted; the count is read, then the row.  So what
 *	 is remembered under a count that is still true was true.
 *
 * That leaves the claim that read the count just before it moved.  Once it has
 * changed its account, it reads the count again (head.c).  If that has moved,
 * it looks again, and ends with WS007.  If not, its change was there before
 * the count moved; so whoever pauses the pool, counts, and then looks for
 * accounts that running transactions are claiming, finds it and can wait for
 * its end (pause.c).
 *
 * By the script of version 1.0 there is no such table, and every pool is open.
 *
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/numeric.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(awspool_count_setting_change);
PG_FUNCTION_INFO_V1(awspool_configure_pool);
PG_FUNCTION_INFO_V1(awspool_visible_settings);

/* Columns of awspool.pool_setting */
enum SettingColumn
{
	Anum_setting_provider = 1,
	Anum_setting_marketplace,
	Anum_setting_low_water,
	Anum_setting_min_days,
	Anum_setting_deadline,
	Anum_setting_paused_at,
	Anum_setting_paused_by,
	Anum_setting_pause_reason,
};

/* What the versions of a row say that are committed, or about to be. */
typedef struct Look
{
	bool		there;			/* one is committed */
	bool		in_doubt;		/* somebody is changing it */
	bool		paused;			/* one says so; of that one: */
	TimestampTz at;
	char	   *by;				/* may be NULL */
	char	   *reason;			/* may be NULL */
} Look;

/* A deadline has no more than so many years in any of its parts. */
#define MAX_DEADLINE_YEARS	1000

static const char *const every_pool = "*";

/* Whether this transaction has changed settings, and may yet be rolled back. */
static bool changed_settings = false;

static bool look_at_pool(const char *provider, const char *marketplace,
						 Look *setting);
static void look(Relation rel, const char *provider, const char *marketplace,
				 Look *result);
static void look_at_version(TupleTableSlot *setting, Look *result);
static char *describe_pause(const Look *setting);
static void check_settings(FunctionCallInfo fcinfo);
static bool is_deadline(const Interval *deadline);
static void end_transaction(XactEvent event, void *arg);

void
awspool_init_pool(void)
{
	RegisterXactCallback(end_transaction, NULL);
}

/*
 * Trigger of awspool.pool_setting: has every session look at the settings of
 * the provider again.
 */
Datum
awspool_count_setting_change(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = awspool_trigger_data(fcinfo, "pool_setting",
												 AFTER_ROW,
												 ON_INSERT | ON_UPDATE |
												 ON_DELETE);
	HeapTuple	versions[] = {trigdata->tg_trigtuple, trigdata->tg_newtuple};
	TupleDesc	desc = RelationGetDescr(trigdata->tg_relation);

	changed_settings = true;
	for (int i = 0; i <= TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event); i++)
	{
		bool		isnull;
		Datum		provider = heap_getattr(versions[i],
											Anum_setting_provider, desc,
											&isnull);

		awspool_note_setting_change(TextDatumGetCString(provider));
	}
	return PointerGetDatum(NULL);
}

/*
 * awspool.configure_pool(provider, marketplace, low_water, min_days, deadline)
 *
 * Sets all three for a pool; what is NULL is switched off.  A new row of a
 * provider that has paused all its pools is paused like them.
 */
Datum
awspool_configure_pool(PG_FUNCTION_ARGS)
{
	static OwnerQuery configure = {
		.sql = "INSERT INTO awspool.pool_setting"
		" SELECT $1, $2, $3, $4, $5, paused_at, paused_by, pause_reason"
		" FROM (VALUES (1)) v LEFT JOIN ONLY awspool.pool_setting s"
		"  ON s.provider = $1 AND s.marketplace = '*'"
		" ON CONFLICT (provider, marketplace) DO UPDATE"
		" SET low_water = $3, min_days = $4, deadline = $5",
		.nargs = 5,
		.argtypes = {TEXTOID, TEXTOID, INT8OID, NUMERICOID, INTERVALOID}
	};
	char	   *provider = awspool_provider_argument(fcinfo);
	char	   *marketplace = awspool_field_argument(fcinfo, 1,
													 FIELD_MARKETPLACE);
	Datum		values[] = {CStringGetTextDatum(provider),
		CStringGetTextDatum(marketplace), PG_GETARG_DATUM(2),
		PG_GETARG_DATUM(3), PG_GETARG_DATUM(4)};
	char		nulls[] = "     ";
	Caller		caller;

	check_settings(fcinfo);
	for (int i = 2; i < 5; i++)
		nulls[i] = PG_ARGISNULL(i) ? 'n' : ' ';

	awspool_begin_writing();
	awspool_lock_settings(provider);
	awspool_begin_queries(&caller);
	(void) awspool_query(&configure, values, nulls);
	awspool_end_queries(&caller);
	awspool_check_provider_again(provider);
	PG_RETURN_VOID();
}

/* The query behind view pool_settings, for some rows of its table. */
#define READ_SETTINGS(where) \
	"SELECT provider, marketplace, low_water, min_days, deadline," \
	" paused_at, paused_by, pause_reason" \
	" FROM ONLY awspool.pool_setting" where

/*
 * awspool.visible_settings()
 *
 * The settings of the pools of the caller's providers.
 */
Datum
awspool_visible_settings(PG_FUNCTION_ARGS)
{
	static const Oid types[] = {
		TEXTOID, TEXTOID, INT8OID, NUMERICOID, INTERVALOID, TIMESTAMPTZOID,
		TEXTOID, TEXTOID
	};
	static OwnerQuery all = {
		.sql = READ_SETTINGS(""),
		.reads_only = true
	};
	static OwnerQuery some = {
		.sql = READ_SETTINGS(" WHERE provider = ANY ($1)"),
		.reads_only = true,
		.nargs = 1,
		.argtypes = {TEXTARRAYOID}
	};

	awspool_put_visible(awspool_begin_rows(fcinfo, lengthof(types), types),
						&all, &some);
	return (Datum) 0;
}

/*
 * Waits until no other transaction is changing the settings of the provider,
 * and keeps others from it until this one ends: a row that is new to one of
 * them depends on the provider's other row.  Locks awspool.account as well, so
 * that a freeze waits for this transaction (state.c).
 */
void
awspool_lock_settings(const char *provider)
{
	LockRelationOid(awspool_relation("account"), RowExclusiveLock);
	(void) awspool_lock_names(AWSPOOL_LOCK_SETTINGS, provider, every_pool,
							  true);
	awspool_check_provider_again(provider);
}

/*
 * Raises WS007 if the pool is paused, or being paused.  Otherwise, returns
 * whether that it is open may be remembered under the count of changes that
 * the caller has read before.
 */
bool
awspool_check_open(const char *provider, const char *marketplace)
{
	Look		setting = {0};
	bool		is_sure = look_at_pool(provider, marketplace, &setting);

	if (setting.paused)
	{
		awspool_check_provider_again(provider); /* the look may have waited */
		ereport(ERROR,
				(errcode(ERRCODE_AWSPOOL_PAUSED),
				 errmsg("pool of provider \"%s\" and marketplace \"%s\" is paused",
						provider, marketplace),
				 errdetail_internal("%s.", describe_pause(&setting)),
				 errhint("Try again later. awspool.resume_pool() opens the pool.")));
	}
	return is_sure;
}

/*
 * Since when, by whom and why a pool is paused, or being paused; NULL if it is
 * open.
 */
char *
awspool_pause_of(const char *provider, const char *marketplace)
{
	Look		setting = {0};

	(void) look_at_pool(provider, marketplace, &setting);
	return setting.paused ? describe_pause(&setting) : NULL;
}

/*
 * Looks at the setting of a pool, or if it has none at that of all pools of
 * its provider.  Returns whether that is sure to stay until the next change is
 * counted.
 */
static bool
look_at_pool(const char *provider, const char *marketplace, Look *setting)
{
	Oid			table = awspool_find_relation("pool_setting");
	Relation	rel;
	bool		is_sure;

	if (!OidIsValid(table))
		return true;

	rel = table_open(table, AccessShareLock);
	look(rel, provider, marketplace, setting);
	if (!setting->there && !setting->paused)
		look(rel, provider, every_pool, setting);
	is_sure = !setting->in_doubt && !changed_settings &&
		!awspool_has_new_file(rel);
	table_close(rel, AccessShareLock);
	return is_sure;
}

/*
 * Looks at every version of a setting that is committed now, or was when this
 * began, or is being inserted, changed or deleted, and adds what they say.
 *
 * A dirty snapshot alone can miss a row that is replaced meanwhile: relation.c
 * says why, and why a snapshot that was taken before does not.
 */
static void
look(Relation rel, const char *provider, const char *marketplace,
	 Look *result)
{
	Datum		keys[] = {CStringGetTextDatum(provider),
	CStringGetTextDatum(marketplace)};
	Snapshot	latest = RegisterSnapshot(GetLatestSnapshot());
	SnapshotData dirty;
	VersionScan versions;

	/* Like a dirty one, takes what this very command did for done. */
	latest->curcid = InvalidCommandId;
	InitDirtySnapshot(dirty);
	awspool_begin_versions(&versions, rel, "pool_setting_pkey",
						   ForwardScanDirection, lengthof(keys), keys, false);
	while (awspool_next_version(&versions))
	{
		bool		now = table_tuple_satisfies_snapshot(rel, versions.slot,
														 &dirty);
		bool		before = table_tuple_satisfies_snapshot(rel, versions.slot,
															latest);

		if (!now && !before)
			continue;
		if (before || !TransactionIdIsValid(dirty.xmin))
			result->there = true;
		if (!now || !before || TransactionIdIsValid(dirty.xmin) ||
			TransactionIdIsValid(dirty.xmax))
			result->in_doubt = true;
		look_at_version(versions.slot, result);
	}
	awspool_end_versions(&versions);
	UnregisterSnapshot(latest);
}

static void
look_at_version(TupleTableSlot *setting, Look *result)
{
	bool		isnull;
	Datum		at = slot_getattr(setting, Anum_setting_paused_at, &isnull);

	if (isnull)
		return;
	result->paused = true;
	result->at = DatumGetTimestampTz(at);
	result->by = awspool_column(setting, Anum_setting_paused_by);
	result->reason = awspool_column(setting, Anum_setting_pause_reason);
}

static char *
describe_pause(const Look *setting)
{
	StringInfoData detail;

	initStringInfo(&detail);
	appendStringInfo(&detail, "Since %s", timestamptz_to_str(setting->at));
	if (setting->by != NULL)
		appendStringInfo(&detail, ", by role \"%s\"",
						 awspool_printable(setting->by));
	if (setting->reason != NULL)
		appendStringInfo(&detail, ": %s", awspool_printable(setting->reason));
	return detail.data;
}

/*
 * Raises 22023 unless the settings, arguments 2 to 4, make sense.
 */
static void
check_settings(FunctionCallInfo fcinfo)
{
	if (!PG_ARGISNULL(2) && PG_GETARG_INT64(2) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid low-water mark: " INT64_FORMAT,
						PG_GETARG_INT64(2)),
				 errdetail("It must be a number of accounts, 0 or more.")));

	if (!PG_ARGISNULL(3))
	{
		Numeric		days = PG_GETARG_NUMERIC(3);
		Datum		negative = DirectFunctionCall2(numeric_lt,
												   NumericGetDatum(days),
												   NumericGetDatum(int64_to_numeric(0)));

		if (numeric_is_nan(days) || numeric_is_inf(days) ||
			DatumGetBool(negative))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("invalid number of days"),
					 errdetail("It must be 0 or more, and finite.")));
	}

	if (!PG_ARGISNULL(4) && !is_deadline(PG_GETARG_INTERVAL_P(4)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid deadline"),
				 errdetail("It must be longer than nothing and no longer than %d years, and no part of it negative.",
						   MAX_DEADLINE_YEARS)));
}

/*
 * Whether there is a moment that long ago, whatever the calendar makes of it:
 * each part by itself is of a size that one can go back from today.
 */
static bool
is_deadline(const Interval *deadline)
{
	const int64 max_days = MAX_DEADLINE_YEARS * INT64CONST(366);

	if (deadline->month < 0 || deadline->day < 0 || deadline->time < 0)
		return false;
	if (deadline->month > MAX_DEADLINE_YEARS * MONTHS_PER_YEAR ||
		deadline->day > max_days ||
		deadline->time > max_days * USECS_PER_DAY)
		return false;
	return deadline->month > 0 || deadline->day > 0 || deadline->time > 0;
}

static void
end_transaction(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			changed_settings = false;
			break;
		default:
			break;
	}
}
