/*-------------------------------------------------------------------------
 *
 * tally_read.c
 *	  What views pool_status and pool_activity show: the counts of awspool.tally.
 *
 * The rows of a pool are read along an index that begins with the provider, so
 * that nobody else's are looked at, and each version is judged by the snapshot
 * of the statement.  To search with that snapshot would leave traces for
 * serializable transactions to stumble over: every claim changes these rows.
 * What the caller's own transaction has counted and not written yet is added.
 *
 * While some snapshot is held, as many versions of a row stay as it was changed
 * since, also of fragments that were merged long ago.  A later version is behind
 * the earlier ones, as a rule, so pools are read backwards: the first one that
 * is shown is the row, and one that is deleted is its end; the others are
 * passed by.
 *
 * The oldest accounts of a pool are not counted but looked for: the first entry
 * of an index that the snapshot shows a row of.  Where there are many dead
 * entries before it, the claims' note of where to start helps with those that
 * are ready, and the index's other end with those in progress.
 *
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(awspool_read_pools);
PG_FUNCTION_INFO_V1(awspool_read_activity);

/* Versions that are looked at for an oldest account, one after the other. */
#define FEW_VERSIONS	64

/* The rows of a provider, or of all, by pool and hour. */
typedef struct Reading
{
	const char *provider;		/* or NULL */
	Snapshot	snapshot;
	ScanDirection direction;
	VersionScan versions;
	bool		at_end;			/* of the table's rows */
	PendingCount current;		/* the table's next one */
	TimestampTz recent_hour;	/* of a base row */
	const int32 *recent_claims;
	int			nrecent;
	PendingCount *pending;		/* what is not in the table yet, sorted */
	int			npending;
	int			next;
	MemoryContext per_row;
} Reading;

/* A row that was read. */
typedef struct Part
{
	const char *provider;
	const char *marketplace;
	const TallyRow *row;
	bool		has_recent;
} Part;

/* A pool, as pool_status shows it. */
typedef struct PoolState
{
	char	   *provider;
	char	   *marketplace;
	int64		n[TALLY_COUNTS];
	int64		claims_24h;
	int64		claims_7d;
	TimestampTz oldest_ready;	/* DT_NOEND: none */
	TimestampTz oldest_in_progress;
	bool		met_oldest;		/* that is the one in progress */
	TimestampTz last_claim;		/* in which hour; DT_NOBEGIN: not lately */
} PoolState;

static void begin_reading(Reading *reading, Relation rel, const char *index,
						  ScanDirection direction, const char *provider,
						  Snapshot snapshot);
static void step(Reading *reading);
static bool has_ended(Reading *reading);
static bool read_part(Reading *reading, Part *part);
static void end_reading(Reading *reading);
static int	compare_counts(const void *a, const void *b, void *direction);
static int	compare_places(const char *provider_a, const char *marketplace_a,
						   const char *provider_b, const char *marketplace_b);
static void read_provider_pools(ReturnSetInfo *rsinfo, Relation tally,
								const char *provider, Snapshot snapshot);
static void add_part(PoolState *pool, const Reading *reading,
					 const Part *part);
static void add_claims(PoolState *pool, TimestampTz hour, int64 claims);
static void find_oldest(Relation account, PoolState **pools, int n,
						Snapshot snapshot);
static void find_oldest_ready(Relation account, PoolState *pool,
							  Snapshot snapshot);
static bool look_for_ready(Relation account, PoolState *pool, int64 first,
						   int64 most, Snapshot snapshot);
static int64 noted_start(const PoolState *pool, Snapshot snapshot);
static void find_oldest_in_progress(Relation account, PoolState **pools,
									int n, Snapshot snapshot);
static PoolState *pool_in_progress(VersionScan *versions, PoolState **pools,
								   int n, Snapshot snapshot);
static int	compare_marketplaces(const void *a, const void *b);
static void put_pool(ReturnSetInfo *rsinfo, const PoolState *pool);
static void read_provider_activity(ReturnSetInfo *rsinfo, Relation tally,
								   const char *provider, Snapshot snapshot);
static void put_hour(ReturnSetInfo *rsinfo, const char *provider,
					 const char *marketplace, const TallyRow *row);
static void for_each_provider(FunctionCallInfo fcinfo, int natts,
							  const Oid *types,
							  void (*read) (ReturnSetInfo *, Relation,
											const char *, Snapshot));

/*
 * awspool.read_pools()
 *
 * A row for each pool of the caller's providers that ever had an account, as
 * view pool_status shows it.
 */
Datum
awspool_read_pools(PG_FUNCTION_ARGS)
{
	static const Oid types[] = {
		TEXTOID, TEXTOID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID,
		TIMESTAMPTZOID, INT8OID, INT8OID, TIMESTAMPTZOID, INT8OID, INT8OID,
		TIMESTAMPTZOID
	};

	for_each_provider(fcinfo, lengthof(types), types, read_provider_pools);
	return (Datum) 0;
}

/*
 * awspool.read_activity()
 *
 * A row for each hour in which anything happened in a pool of the caller's
 * providers.
 */
Datum
awspool_read_activity(PG_FUNCTION_ARGS)
{
	static const Oid types[] = {
		TEXTOID, TEXTOID, TIMESTAMPTZOID, INT8OID, INT8OID, INT8OID, INT8OID,
		INT8OID, INT8OID
	};

	for_each_provider(fcinfo, lengthof(types), types, read_provider_activity);
	return (Datum) 0;
}

/* Reads for all, or for each of the caller's providers. */
static void
for_each_provider(FunctionCallInfo fcinfo, int natts, const Oid *types,
				  void (*read) (ReturnSetInfo *, Relation, const char *,
								Snapshot))
{
	ReturnSetInfo *rsinfo = awspool_begin_rows(fcinfo, natts, types);
	Snapshot	snapshot = GetActiveSnapshot();
	Relation	account = table_open(awspool_relation("account"),
									 AccessShareLock);
	Relation	tally = awspool_open_tally(AccessShareLock);
	Sight		sight;
	ListCell   *cell;

	if (tally == NULL)
		(void) awspool_relation("tally");	/* raises the error */
	awspool_begin_sight(&sight);
	do
	{
		tuplestore_clear(rsinfo->setResult);
		if (sight.all)
			read(rsinfo, tally, NULL, snapshot);
		else
		{
			foreach(cell, sight.providers)
				read(rsinfo, tally, lfirst(cell), snapshot);
		}
	} while (awspool_sight_changed(&sight));
	table_close(tally, AccessShareLock);
	table_close(account, AccessShareLock);
}

static void
begin_reading(Reading *reading, Relation rel, const char *index,
			  ScanDirection direction, const char *provider,
			  Snapshot snapshot)
{
	Datum		key = awspool_text_datum(provider);
	PendingCount *all;
	int			nall;

	reading->provider = provider;
	reading->snapshot = snapshot;
	reading->direction = direction;
	reading->at_end = false;
	reading->npending = 0;
	reading->next = 0;
	reading->per_row = AllocSetContextCreate(CurrentMemoryContext,
											 "awspool tally",
											 ALLOCSET_DEFAULT_SIZES);
	all = awspool_pending_counts(snapshot, &nall);
	reading->pending = all;
	for (int i = 0; i < nall; i++)
	{
		if (provider == NULL || strcmp(all[i].provider, provider) == 0)
			reading->pending[reading->npending++] = all[i];
	}
	qsort_arg(reading->pending, reading->npending, sizeof(PendingCount),
			  compare_counts, &reading->direction);
	awspool_begin_versions(&reading->versions, rel, index, direction,
						   provider == NULL ? 0 : 1, &key, true);
	step(reading);
}

static void
end_reading(Reading *reading)
{
	awspool_end_versions(&reading->versions);
	MemoryContextDelete(reading->per_row);
}

/* Steps to the next row of the table that the snapshot shows. */
static void
step(Reading *reading)
{
	TupleTableSlot *slot = reading->versions.slot;
	MemoryContext caller_context;
	HeapTuple	tuple;
	bool		isnull;
	Datum		claims;

	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		if (!awspool_next_version(&reading->versions))
		{
			reading->at_end = true;
			return;
		}
		if (awspool_shows_version(&reading->versions, reading->snapshot))
			break;
		if (has_ended(reading))
			awspool_skip_row(&reading->versions);
	}
	awspool_skip_row(&reading->versions);

	MemoryContextReset(reading->per_row);
	caller_context = MemoryContextSwitchTo(reading->per_row);
	tuple = ((BufferHeapTupleTableSlot *) slot)->base.tuple;
	memcpy(&reading->current.row, GETSTRUCT(tuple), sizeof(TallyRow));
	reading->current.provider =
		TextDatumGetCString(slot_getattr(slot, Anum_tally_provider, &isnull));
	reading->current.marketplace =
		TextDatumGetCString(slot_getattr(slot, Anum_tally_marketplace,
										 &isnull));
	reading->nrecent = 0;
	if (reading->current.row.part == TALLY_BASE)
	{
		reading->recent_hour =
			DatumGetTimestampTz(slot_getattr(slot, Anum_tally_recent_hour,
											 &isnull));
		claims = slot_getattr(slot, Anum_tally_recent_claims, &isnull);
		if (!isnull)
		{
			ArrayType  *array = DatumGetArrayTypePCopy(claims);

			reading->nrecent = ArrayGetNItems(ARR_NDIM(array),
											  ARR_DIMS(array));
			reading->recent_claims = (const int32 *) ARR_DATA_PTR(array);
		}
	}
	MemoryContextSwitchTo(caller_context);
}

/*
 * Whether the version that the reading has come to is the last one of a
 * fragment that was merged.  There will be no other with its number.
 */
static bool
has_ended(Reading *reading)
{
	HeapTuple	tuple =
		((BufferHeapTupleTableSlot *) reading->versions.slot)->base.tuple;

	return ((TallyRow *) GETSTRUCT(tuple))->part > TALLY_HOUR &&
		awspool_sees_deleted(&reading->versions, reading->snapshot);
}

/*
 * The next row, of the table or of what is not there yet, in the order of pools
 * and hours; false if there is none.  It is there until the next call.
 */
static bool
read_part(Reading *reading, Part *part)
{
	const PendingCount *pending = reading->next < reading->npending ?
		&reading->pending[reading->next] : NULL;
	const PendingCount *chosen = &reading->current;

	if (part->row == &reading->current.row)
		step(reading);
	if (reading->at_end && pending == NULL)
		return false;
	if (reading->at_end ||
		(pending != NULL &&
		 compare_counts(pending, chosen, &reading->direction) < 0))
	{
		chosen = pending;
		reading->next++;
	}
	part->provider = chosen->provider;
	part->marketplace = chosen->marketplace;
	part->row = &chosen->row;
	part->has_recent = chosen == &reading->current && reading->nrecent > 0;
	return true;
}

/* The order in which the index is read. */
static int
compare_counts(const void *a, const void *b, void *direction)
{
	const PendingCount *x = a;
	const PendingCount *y = b;
	int			result = compare_places(x->provider, x->marketplace,
										y->provider, y->marketplace);

	if (result == 0)
		result = (x->row.hour > y->row.hour) - (x->row.hour < y->row.hour);
	return ScanDirectionIsBackward(*(ScanDirection *) direction) ?
		-result : result;
}

static int
compare_places(const char *provider_a, const char *marketplace_a,
			   const char *provider_b, const char *marketplace_b)
{
	int			result = strcmp(provider_a, provider_b);

	return result != 0 ? result : strcmp(marketplace_a, marketplace_b);
}

/*
 * The pools of a provider, or of all, the last one first.  They are put out a
 * provider at a time: the accounts in progress are in the index by provider.
 */
static void
read_provider_pools(ReturnSetInfo *rsinfo, Relation tally,
					const char *provider, Snapshot snapshot)
{
	Relation	account = table_open(awspool_relation("account"),
									 AccessShareLock);
	int			max = 64;
	int			n = 0;
	PoolState **pools = palloc(max * sizeof(PoolState *));
	Reading		reading;
	Part		part = {0};
	bool		more;

	begin_reading(&reading, tally, "tally_open", BackwardScanDirection,
				  provider, snapshot);
	do
	{
		more = read_part(&reading, &part);
		if (n > 0 && (!more ||
					  strcmp(pools[0]->provider, part.provider) != 0))
		{
			find_oldest(account, pools, n, snapshot);
			while (n > 0)
				put_pool(rsinfo, pools[--n]);
		}
		if (!more)
			break;
		if (n == 0 || strcmp(pools[n - 1]->marketplace, part.marketplace) != 0)
		{
			if (n == max)
				pools = repalloc(pools, (max *= 2) * sizeof(PoolState *));
			pools[n] = palloc0(sizeof(PoolState));
			pools[n]->provider = pstrdup(part.provider);
			pools[n]->marketplace = pstrdup(part.marketplace);
			pools[n]->last_claim = DT_NOBEGIN;
			n++;
		}
		add_part(pools[n - 1], &reading, &part);
	} while (more);
	end_reading(&reading);
	table_close(account, AccessShareLock);
}

/* Adds a row to its pool. */
static void
add_part(PoolState *pool, const Reading *reading, const Part *part)
{
	for (int i = 0; i < TALLY_COUNTS; i++)
		pool->n[i] += part->row->n[i];
	if (part->row->part != TALLY_BASE)
		add_claims(pool, part->row->hour, part->row->n[TALLY_CLAIMED]);
	else if (part->has_recent)
	{
		for (int i = 0; i < reading->nrecent; i++)
			add_claims(pool, reading->recent_hour - i * USECS_PER_HOUR,
					   reading->recent_claims[i]);
	}
}

/* The last 24 hours and 7 days begin with a full hour. */
static void
add_claims(PoolState *pool, TimestampTz hour, int64 claims)
{
	TimestampTz now = GetCurrentTransactionStartTimestamp();

	if (hour < awspool_hour_of(now - 7 * USECS_PER_DAY))
		return;
	pool->claims_7d += claims;
	if (hour >= awspool_hour_of(now - USECS_PER_DAY))
		pool->claims_24h += claims;
	if (claims > 0)
		pool->last_claim = Max(pool->last_claim, hour);
}

/* Looks for the oldest accounts of the pools of a provider. */
static void
find_oldest(Relation account, PoolState **pools, int n, Snapshot snapshot)
{
	bool		any = false;

	for (int i = 0; i < n; i++)
	{
		pools[i]->oldest_ready = DT_NOEND;
		pools[i]->oldest_in_progress = DT_NOEND;
		if (pools[i]->n[TALLY_NOW_READY] > 0)
			find_oldest_ready(account, pools[i], snapshot);
		any |= pools[i]->n[TALLY_NOW_IN_PROGRESS] > 0;
	}
	if (any)
		find_oldest_in_progress(account, pools, n, snapshot);
}

static void
find_oldest_ready(Relation account, PoolState *pool, Snapshot snapshot)
{
	if (!look_for_ready(account, pool, PG_INT64_MIN, FEW_VERSIONS, snapshot))
		(void) look_for_ready(account, pool, noted_start(pool, snapshot),
							  PG_INT64_MAX, snapshot);
}

/*
 * Looks at so many versions of the accounts of a pool, from a position on.
 * False if none of them is shown, but there are more.
 */
static bool
look_for_ready(Relation account, PoolState *pool, int64 first, int64 most,
			   Snapshot snapshot)
{
	Datum		keys[] = {
		CStringGetTextDatum(pool->provider),
		CStringGetTextDatum(pool->marketplace),
		Int64GetDatum(first)
	};
	VersionScan versions;
	bool		more;

	awspool_begin_versions_from(&versions, account, "account_ready",
								lengthof(keys), keys);
	while ((more = awspool_next_version(&versions)) && most-- > 0)
	{
		bool		isnull;

		CHECK_FOR_INTERRUPTS();
		if (!awspool_shows_version(&versions, snapshot))
			continue;
		pool->oldest_ready =
			DatumGetTimestampTz(slot_getattr(versions.slot,
											 Anum_account_added_at, &isnull));
		more = false;
		break;
	}
	awspool_end_versions(&versions);
	return !more;
}

/*
 * Where the ready accounts of a pool begin, as far as that is noted.
 */
static int64
noted_start(const PoolState *pool, Snapshot snapshot)
{
	int			count = awspool_pool_count(pool->provider, pool->marketplace);
	int64		first = PG_INT64_MIN;
	int64		arrivals;
	ArrivalCounts counts;

	/* On a standby there are no notes. */
	if (RecoveryInProgress() || awspool_has_arrived(count))
		return first;
	awspool_open_arrivals(&counts);
	arrivals = awspool_arrivals(&counts, count);
	if (arrivals >= 0)
		first = awspool_read_start(pool->provider, pool->marketplace,
								   arrivals, snapshot);
	awspool_close_arrivals(&counts);
	return first;
}

/*
 * The index has those of all pools of the provider, the longest first: each
 * pool's first one is looked for.  Where a held snapshot keeps what was closed
 * since, and most orders are quick, those in progress are at the index's other
 * end.  So after a few versions it is read from both ends in turn, until each
 * pool's first one was met, or all that are counted.
 */
static void
find_oldest_in_progress(Relation account, PoolState **pools, int n,
						Snapshot snapshot)
{
	Datum		key = CStringGetTextDatum(pools[0]->provider);
	VersionScan forwards;
	VersionScan backwards;
	int			missing = 0;
	int64		unseen = 0;
	int64		looked = 0;

	for (int i = 0; i < n; i++)
	{
		missing += pools[i]->n[TALLY_NOW_IN_PROGRESS] > 0;
		unseen += pools[i]->n[TALLY_NOW_IN_PROGRESS];
	}
	awspool_begin_versions(&forwards, account, "account_in_progress",
						   ForwardScanDirection, 1, &key, false);
	while (missing > 0 && unseen > 0 && awspool_next_version(&forwards))
	{
		PoolState  *pool = pool_in_progress(&forwards, pools, n, snapshot);

		CHECK_FOR_INTERRUPTS();
		if (pool != NULL && !pool->met_oldest)
		{
			pool->met_oldest = true;
			missing--;
		}
		if (++looked == FEW_VERSIONS)
			awspool_begin_versions(&backwards, account, "account_in_progress",
								   BackwardScanDirection, 1, &key, false);
		if (looked >= FEW_VERSIONS && awspool_next_version(&backwards) &&
			pool_in_progress(&backwards, pools, n, snapshot) != NULL)
			unseen--;
	}
	if (looked >= FEW_VERSIONS)
		awspool_end_versions(&backwards);
	awspool_end_versions(&forwards);
}

/*
 * The pool of the account to whose version the scan has come, which has it in
 * progress since then or longer.  NULL if the snapshot does not show it.
 */
static PoolState *
pool_in_progress(VersionScan *versions, PoolState **pools, int n,
				 Snapshot snapshot)
{
	PoolState	wanted;
	PoolState  *key = &wanted;
	PoolState **found;
	TimestampTz claimed_at;
	bool		isnull;

	if (!awspool_shows_version(versions, snapshot))
		return NULL;
	wanted.marketplace =
		TextDatumGetCString(slot_getattr(versions->slot,
										 Anum_account_marketplace, &isnull));
	found = bsearch(&key, pools, n, sizeof(PoolState *), compare_marketplaces);
	pfree(wanted.marketplace);
	if (found == NULL)
		return NULL;
	claimed_at = DatumGetTimestampTz(slot_getattr(versions->slot,
												  Anum_account_claimed_at,
												  &isnull));
	(*found)->oldest_in_progress = Min((*found)->oldest_in_progress,
									   claimed_at);
	return *found;
}

/* The order in which they were read. */
static int
compare_marketplaces(const void *a, const void *b)
{
	return strcmp((*(PoolState *const *) b)->marketplace,
				  (*(PoolState *const *) a)->marketplace);
}

static void
put_pool(ReturnSetInfo *rsinfo, const PoolState *pool)
{
	Datum		values[] = {
		CStringGetTextDatum(pool->provider),
		CStringGetTextDatum(pool->marketplace),
		Int64GetDatum(pool->n[TALLY_NOW_READY]),
		Int64GetDatum(pool->n[TALLY_NOW_IN_PROGRESS]),
		Int64GetDatum(pool->n[TALLY_NOW_ALLOCATED]),
		Int64GetDatum(pool->n[TALLY_NOW_FAILED]),
		Int64GetDatum(pool->n[TALLY_NOW_INVALID]),
		TimestampTzGetDatum(pool->oldest_ready),
		Int64GetDatum(pool->claims_24h),
		Int64GetDatum(pool->claims_7d),
		TimestampTzGetDatum(pool->oldest_in_progress),
		Int64GetDatum(pool->n[TALLY_ADDED]),
		Int64GetDatum(pool->n[TALLY_CLAIMED]),
		TimestampTzGetDatum(pool->last_claim),
	};
	bool		isnull[lengthof(values)] = {
		[7] = pool->oldest_ready == DT_NOEND,
		[10] = pool->oldest_in_progress == DT_NOEND,
		[13] = pool->last_claim == DT_NOBEGIN
	};

	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, isnull);
}

/* What happened in the pools of a provider, or of all. */
static void
read_provider_activity(ReturnSetInfo *rsinfo, Relation tally,
					   const char *provider, Snapshot snapshot)
{
	MemoryContext of_hour = AllocSetContextCreate(CurrentMemoryContext,
												  "awspool hour",
												  ALLOCSET_DEFAULT_SIZES);
	Reading		reading;
	Part		part = {0};
	PendingCount hour = {0};

	begin_reading(&reading, tally, "tally_pkey", ForwardScanDirection,
				  provider, snapshot);
	while (read_part(&reading, &part))
	{
		PendingCount next = {part.provider, part.marketplace, *part.row};

		if (part.row->part == TALLY_BASE)
			continue;
		if (hour.provider != NULL &&
			compare_counts(&hour, &next, &reading.direction) == 0)
		{
			for (int i = 0; i < TALLY_COUNTS; i++)
				hour.row.n[i] += next.row.n[i];
			continue;
		}
		if (hour.provider != NULL)
			put_hour(rsinfo, hour.provider, hour.marketplace, &hour.row);
		MemoryContextReset(of_hour);
		hour = next;
		hour.provider = MemoryContextStrdup(of_hour, next.provider);
		hour.marketplace = MemoryContextStrdup(of_hour, next.marketplace);
	}
	if (hour.provider != NULL)
		put_hour(rsinfo, hour.provider, hour.marketplace, &hour.row);
	end_reading(&reading);
	MemoryContextDelete(of_hour);
}

/* Nothing, if nothing is left of what happened. */
static void
put_hour(ReturnSetInfo *rsinfo, const char *provider, const char *marketplace,
		 const TallyRow *row)
{
	static const TallyCount shown[] = {
		TALLY_ADDED, TALLY_CLAIMED, TALLY_ALLOCATED, TALLY_FAILED,
		TALLY_INVALID, TALLY_DELETED
	};
	Datum		values[3 + lengthof(shown)];
	bool		isnull[lengthof(values)] = {0};
	bool		any = false;

	for (size_t i = 0; i < lengthof(shown); i++)
	{
		any |= row->n[shown[i]] != 0;
		values[3 + i] = Int64GetDatum(row->n[shown[i]]);
	}
	if (!any)
		return;
	values[0] = CStringGetTextDatum(provider);
	values[1] = CStringGetTextDatum(marketplace);
	values[2] = TimestampTzGetDatum(row->hour);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, isnull);
	pfree(DatumGetPointer(values[0]));
	pfree(DatumGetPointer(values[1]));
}
