/*-------------------------------------------------------------------------
 *
 * query.c
 *	  Constant statements that the extension runs as its owner.
 *
 * Callers have no privileges on the base tables, so what reaches those by SQL
 * runs as the owner of awspool.account.  Between awspool_begin_queries() and
 * awspool_end_queries()
 *
 * - the effective role is the owner's, so who the caller is has to be settled
 *	 before: access first, then queries;
 * - the search path holds pg_catalog only, so that nothing the caller made
 *	 can stand in for a function or operator.
 *
 * If an error ends the transaction or savepoint in between, the server itself
 * restores the role, the search path and SPI.
 *
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

static void prepare(OwnerQuery *query);

/*
 * The owner of the base table, as whom the extension's statements run.
 */
Oid
awspool_owner(void)
{
	HeapTuple	tuple = SearchSysCache1(RELOID,
										ObjectIdGetDatum(awspool_relation("account")));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for table awspool.account");
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

/*
 * Becomes the owner and connects to SPI.
 */
void
awspool_begin_queries(Caller *caller)
{
	GetUserIdAndSecContext(&caller->userid, &caller->sec_context);
	SetUserIdAndSecContext(awspool_owner(),
						   caller->sec_context | SECURITY_LOCAL_USERID_CHANGE);

	caller->guc_level = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, pg_temp",
							 PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	SPI_connect();
}

/*
 * Runs a statement, planned once and kept, and returns how many rows it
 * processed.  What it returned is in SPI_tuptable.
 */
uint64
awspool_query(OwnerQuery *query, const Datum *values, const char *nulls)
{
	Datum	   *arguments = unconstify(Datum *, values);
	int			result;

	if (query->plan == NULL)
		prepare(query);

	if (query->at_present)
		result = SPI_execute_snapshot(query->plan, arguments, nulls,
									  GetLatestSnapshot(), InvalidSnapshot,
									  false, true, 0);
	else
		result = SPI_execute_plan(query->plan, arguments, nulls,
								  query->reads_only, 0);
	if (result < 0)
		elog(ERROR, "statement failed: %s: %s",
			 SPI_result_code_string(result), query->sql);
	return SPI_processed;
}

/*
 * Disconnects from SPI and becomes the caller again.
 */
void
awspool_end_queries(const Caller *caller)
{
	SPI_finish();
	AtEOXact_GUC(true, caller->guc_level);
	SetUserIdAndSecContext(caller->userid, caller->sec_context);
}

/* Plans live in memory of their own, for as long as the session. */
static void
prepare(OwnerQuery *query)
{
	SPIPlanPtr	plan = SPI_prepare(query->sql, query->nargs, query->argtypes);

	if (plan == NULL)
		elog(ERROR, "statement could not be prepared: %s: %s",
			 SPI_result_code_string(SPI_result), query->sql);
	SPI_keepplan(plan);
	query->plan = plan;
}
