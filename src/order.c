/*-------------------------------------------------------------------------
 *
 * order.c
 *	  How a claim ends: allocate, fail, invalidate, replace.
 *
 * Each locks the row of the account first and then judges what it is, so two
 * callers that end the same claim in different ways are told apart by the
 * lifecycle, and a caller who lost the answer may ask again.
 *
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

PG_FUNCTION_INFO_V1(awspool_allocate_account);
PG_FUNCTION_INFO_V1(awspool_fail_account);
PG_FUNCTION_INFO_V1(awspool_invalidate_account);
PG_FUNCTION_INFO_V1(awspool_replace_account);

static Datum close_account(FunctionCallInfo fcinfo, const char *provider,
						   AccountStatus to, const char *reason,
						   const char *order_id);
static void check_order(TupleTableSlot *account, const char *order_id);
static HeapTuple replace(TupleDesc accounts, AccountTable *failed,
						 AccountTable *next, const char *reason);

/*
 * awspool.allocate_account(provider, account_id, order_id)
 *
 * The order completed.  Repeating the call returns the account unchanged.
 */
Datum
awspool_allocate_account(PG_FUNCTION_ARGS)
{
	char	   *provider = awspool_provider_argument(fcinfo);

	return close_account(fcinfo, provider, STATUS_ALLOCATED, NULL,
						 awspool_order_argument(fcinfo, 2));
}

/*
 * awspool.fail_account(provider, account_id, reason, order_id)
 *
 * The order that claimed this account could not be provisioned.  The account
 * is never offered again.  Repeating the call returns the account unchanged,
 * with the reason that was given first.
 */
Datum
awspool_fail_account(PG_FUNCTION_ARGS)
{
	char	   *provider = awspool_provider_argument(fcinfo);

	return close_account(fcinfo, provider, STATUS_FAILED,
						 awspool_text_argument(fcinfo, 2),
						 awspool_order_argument(fcinfo, 3));
}

/*
 * awspool.invalidate_account(provider, account_id, reason)
 *
 * The account is not fit for use, whether an order has it or not.  Repeating
 * the call returns the account unchanged.
 */
Datum
awspool_invalidate_account(PG_FUNCTION_ARGS)
{
	char	   *provider = awspool_provider_argument(fcinfo);

	return close_account(fcinfo, provider, STATUS_INVALID,
						 awspool_text_argument(fcinfo, 2), NULL);
}

/*
 * awspool.replace_account(provider, account_id, reason, order_id)
 *
 * This account failed, and its order gets the next one of the pool.  Returns
 * the new account; no row, and nothing changed, if there is none.
 *
 * An account that has failed already, for an order that is known by name, is
 * replaced as well, and by the account that the order holds, if it does: so
 * the call may be repeated.
 *
 * Finding the account locks its order, and then its row.
 */
Datum
awspool_replace_account(PG_FUNCTION_ARGS)
{
	char	   *provider = awspool_provider_argument(fcinfo);
	char	   *account_id = awspool_field_argument(fcinfo, 1,
													FIELD_ACCOUNT_ID);
	char	   *reason = awspool_text_argument(fcinfo, 2);
	char	   *order_id = awspool_order_argument(fcinfo, 3);
	ReturnSetInfo *rsinfo = awspool_begin_rows(fcinfo, Natts_accounts,
											   awspool_account_types);
	AccountTable *failed = awspool_open_account_table(provider);
	AccountTable *next = awspool_open_account_table(provider);
	char	   *holder;
	AccountStatus status;
	HeapTuple	row;

	awspool_need_account(failed, account_id);
	check_order(failed->found, order_id);
	holder = awspool_column(failed->found, Anum_account_order_id);
	status = awspool_status_of(failed->found);
	if (!(status == STATUS_FAILED && holder != NULL))
		awspool_check_transition(account_id, status, STATUS_FAILED);

	row = replace(rsinfo->setDesc, failed, next, reason);
	if (row != NULL)
		tuplestore_puttuple(rsinfo->setResult, row);
	awspool_close_account_table(next);
	awspool_close_account_table(failed);
	return (Datum) 0;
}

/*
 * Closes the account in "found", which is locked, and returns its public row.
 * An account that has the status already is returned as it is.  The
 * transition trigger refuses what the lifecycle does not allow.
 */
HeapTuple
awspool_close_account(TupleDesc accounts, AccountTable *table,
					  AccountStatus to, const char *reason,
					  const char *order_id)
{
	check_order(table->found, order_id);
	if (awspool_status_of(table->found) == to)
		return awspool_public_row(accounts, table->found);

	awspool_begin_change(table);
	if (reason != NULL)
		awspool_set_column(table, Anum_account_reason, reason);
	awspool_update_status(table, to);
	return awspool_public_row(accounts, table->changed);
}

/* The body of the functions that close one account; argument 1 names it. */
static Datum
close_account(FunctionCallInfo fcinfo, const char *provider,
			  AccountStatus to, const char *reason, const char *order_id)
{
	char	   *account_id = awspool_field_argument(fcinfo, 1,
													FIELD_ACCOUNT_ID);
	ReturnSetInfo *rsinfo = awspool_begin_rows(fcinfo, Natts_accounts,
											   awspool_account_types);
	AccountTable *table = awspool_open_account_table(provider);

	awspool_need_account(table, account_id);
	tuplestore_puttuple(rsinfo->setResult,
						awspool_close_account(rsinfo->setDesc, table, to,
											  reason, order_id));
	awspool_close_account_table(table);
	return (Datum) 0;
}

/*
 * Raises WS002 if the caller named an order that does not hold the account, or
 * 22023 if no order may be called so.  A ready account is held by nobody; what
 * is wrong then is its status.
 */
static void
check_order(TupleTableSlot *account, const char *order_id)
{
	if (order_id == NULL ||
		awspool_column_is(account, Anum_account_order_id, order_id))
		return;
	awspool_check_field(FIELD_ORDER_ID, order_id);
	if (awspool_status_of(account) == STATUS_READY)
		return;

	ereport(ERROR,
			(errcode(ERRCODE_AWSPOOL_OTHER_ORDER),
			 errmsg("order \"%s\" does not hold account \"%s\"", order_id,
					awspool_column(account, Anum_account_account_id)),
			 awspool_column(account, Anum_account_order_id) == NULL ?
			 errdetail("It was not claimed for any order by name.") :
			 errdetail("It was claimed for order \"%s\".",
					   awspool_column(account, Anum_account_order_id))));
}

/*
 * Gives the order of the account in "failed", locked like that order, another
 * one, and returns its public row; NULL if there is none.
 */
static HeapTuple
replace(TupleDesc accounts, AccountTable *failed, AccountTable *next,
		const char *reason)
{
	char	   *marketplace = awspool_column(failed->found,
											 Anum_account_marketplace);
	char	   *holder = awspool_column(failed->found, Anum_account_order_id);
	bool		failed_before = (awspool_status_of(failed->found) ==
								 STATUS_FAILED);

	if (failed_before && awspool_find_order(next, holder))
		return awspool_public_row(accounts, next->found);

	if (!awspool_reserve_oldest(next, next->provider, marketplace))
		return NULL;

	/* First the one, then the other: an order holds one account at a time. */
	if (!failed_before)
		(void) awspool_close_account(accounts, failed, STATUS_FAILED, reason,
									 NULL);
	return awspool_take_reserved(accounts, next, holder);
}
