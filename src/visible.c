/*-------------------------------------------------------------------------
 *
 * visible.c
 *	  What the views show: the accounts of the caller's providers.
 *
 * A view over the base table would not do.  The server evaluates conditions
 * that it trusts, such as account_id <= 'x', before those of the view; and
 * whoever may read a view may ask how it is read.  EXPLAIN ANALYZE then tells
 * how many rows of others were looked at, EXPLAIN what the statistics say of
 * their values, and LOCK TABLE locks what is beneath.  So the views show what
 * the functions here return, and these look at nobody else's rows: they go by
 * the index of providers.
 *
 * That the server cannot look into a function also means that it cannot choose
 * an index for it.  A query on view accounts is planned otherwise, therefore:
 * see read_plan.c.  The function itself is called only where it is not alone,
 * or not in FROM.
 *
 * Rows are read with the snapshot of the statement, as those of a table are.
 *
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

PG_FUNCTION_INFO_V1(awspool_visible_accounts);
PG_FUNCTION_INFO_V1(awspool_count_pools);

/* A query on view accounts that is being answered. */
typedef struct Reading
{
	Relation	rel;
	Snapshot	snapshot;
	TupleTableSlot *slot;
	ReturnSetInfo *rsinfo;
	MemoryContext per_row;
} Reading;

static void read_provider(Reading *reading, const char *provider);
static void read_all(Reading *reading);
static void put_row(Reading *reading);

/*
 * awspool.visible_accounts()
 *
 * The accounts of the caller's providers, in no order.  The script of version
 * 1.0 has arguments that nobody gives any more.
 */
Datum
awspool_visible_accounts(PG_FUNCTION_ARGS)
{
	Reading		reading = {
		.rsinfo = awspool_begin_rows(fcinfo, Natts_accounts,
									 awspool_account_types),
		.snapshot = GetActiveSnapshot()
	};
	Sight		sight;
	ListCell   *cell;

	for (int i = 0; i < PG_NARGS(); i++)
	{
		if (!PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("awspool.visible_accounts has no arguments any more"),
					 errhint("Query view awspool.accounts.")));
	}
	reading.rel = table_open(awspool_relation("account"), AccessShareLock);
	reading.slot = table_slot_create(reading.rel, NULL);
	reading.per_row = AllocSetContextCreate(CurrentMemoryContext,
											"awspool row",
											ALLOCSET_DEFAULT_SIZES);

	awspool_begin_sight(&sight);
	do
	{
		tuplestore_clear(reading.rsinfo->setResult);
		if (sight.all)
			read_all(&reading);
		else
		{
			foreach(cell, sight.providers)
				read_provider(&reading, lfirst(cell));
		}
	} while (awspool_sight_changed(&sight));

	MemoryContextDelete(reading.per_row);
	ExecDropSingleTupleTableSlot(reading.slot);
	table_close(reading.rel, AccessShareLock);
	return (Datum) 0;
}

/* Reads the accounts of a provider. */
static void
read_provider(Reading *reading, const char *provider)
{
	Datum		key = CStringGetTextDatum(provider);
	Relation	index = awspool_open_index("account_provider", AccessShareLock);
	IndexScanDesc scan = awspool_begin_index_scan(reading->rel, index,
												  reading->snapshot, 1, &key,
												  false);

	while (index_getnext_slot(scan, ForwardScanDirection, reading->slot))
		put_row(reading);
	index_endscan(scan);
	index_close(index, AccessShareLock);
}

/* Reads everybody's accounts. */
static void
read_all(Reading *reading)
{
	TableScanDesc scan = awspool_table_beginscan(reading->rel,
												 reading->snapshot);

	while (table_scan_getnextslot(scan, ForwardScanDirection, reading->slot))
		put_row(reading);
	table_endscan(scan);
}

static void
put_row(Reading *reading)
{
	MemoryContext caller_context;

	CHECK_FOR_INTERRUPTS();
	caller_context = MemoryContextSwitchTo(reading->per_row);
	tuplestore_puttuple(reading->rsinfo->setResult,
						awspool_public_row(reading->rsinfo->setDesc,
										   reading->slot));
	MemoryContextSwitchTo(caller_context);
	MemoryContextReset(reading->per_row);
}

/* The query behind view pool_status, for some rows of awspool.account. */
#define COUNT_POOLS(where) \
	"SELECT provider, marketplace," \
	" count(*) FILTER (WHERE status = 'ready')," \
	" count(*) FILTER (WHERE status = 'provisioning_in_progress')," \
	" count(*) FILTER (WHERE status = 'allocated')," \
	" count(*) FILTER (WHERE status = 'provisioning_failed')," \
	" count(*) FILTER (WHERE status = 'invalid')," \
	" min(added_at) FILTER (WHERE status = 'ready')," \
	" count(*) FILTER (WHERE claimed_at > now() - interval '24 hours')," \
	" count(*) FILTER (WHERE claimed_at > now() - interval '7 days')" \
	" FROM ONLY awspool.account" where " GROUP BY provider, marketplace"

/*
 * awspool.count_pools()
 *
 * A row for each pool of the caller's providers that has an account.
 */
Datum
awspool_count_pools(PG_FUNCTION_ARGS)
{
	static const Oid types[] = {
		TEXTOID, TEXTOID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID,
		TIMESTAMPTZOID, INT8OID, INT8OID
	};
	static OwnerQuery all = {
		.sql = COUNT_POOLS(""),
		.reads_only = true
	};
	static OwnerQuery some = {
		.sql = COUNT_POOLS(" WHERE provider = ANY ($1)"),
		.reads_only = true,
		.nargs = 1,
		.argtypes = {TEXTARRAYOID}
	};

	awspool_put_visible(awspool_begin_rows(fcinfo, lengthof(types), types),
						&all, &some);
	return (Datum) 0;
}
