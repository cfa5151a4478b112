/*-------------------------------------------------------------------------
 *
 * claim.c
 *	  An order takes the oldest ready account of a pool.
 *
 * Three steps, kept apart: find the oldest account that nobody is changing,
 * reserve it by locking its row, and change the row.
 *
 * Finding is head.c's affair.  Rows that a running transaction has inserted,
 * changed or deleted are stepped over: a claim never waits for another order's
 * claim.  If that one rolls back, the account is ready again, in its old
 * place.
 *
 * Reserving locks the row, and skips it if somebody was faster.
 *
 * Under REPEATABLE READ and SERIALIZABLE, too, a claim acts on the present and
 * not on the snapshot of the transaction, as a unique constraint does.  What
 * the snapshot shows as ready may be sold by now; taking an account that it
 * does not show yet harms nobody.  Only an account that was edited since, or
 * deleted and added again, would appear twice to that transaction, so there
 * the claim fails with the usual serialization failure.
 *
 * An order holds at most one account.  Callers that claim for the same order
 * wait for each other on a lock of the order, held until the transaction ends
 * and passed on to a prepared transaction; then they look for what the order
 * holds, and only if that is nothing do they take the next account.  The
 * unique index account_order stands underneath.
 *
 * A pool that is paused gives no account; what an order holds already it gets
 * all the same.  See pool.c.
 *
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

#include "access/tableam.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

PG_FUNCTION_INFO_V1(awspool_claim_account);

/*
 * awspool.claim_account(provider, marketplace, order_id)
 *
 * Returns the oldest ready account of the pool, now in progress, or the one
 * that the order holds already; no row if there is none.
 */
Datum
awspool_claim_account(PG_FUNCTION_ARGS)
{
	char	   *provider = awspool_provider_argument(fcinfo);
	char	   *marketplace = awspool_field_argument(fcinfo, 1,
													 FIELD_MARKETPLACE);
	char	   *order_id = awspool_order_argument(fcinfo, 2);
	ReturnSetInfo *rsinfo = awspool_begin_rows(fcinfo, Natts_accounts,
											   awspool_account_types);
	AccountTable *table = awspool_open_account_table(provider);
	HeapTuple	row = NULL;

	if (order_id != NULL)
		awspool_lock_order(table, order_id);

	if (order_id != NULL && awspool_find_order(table, order_id))
	{
		if (!awspool_column_is(table->found, Anum_account_marketplace,
							   marketplace))
			ereport(ERROR,
					(errcode(ERRCODE_AWSPOOL_OTHER_ORDER),
					 errmsg("order \"%s\" holds an account of another marketplace",
							order_id),
					 errdetail("It holds account \"%s\" of marketplace \"%s\".",
							   awspool_column(table->found,
											  Anum_account_account_id),
							   awspool_column(table->found,
											  Anum_account_marketplace))));
		row = awspool_public_row(rsinfo->setDesc, table->found);
	}
	else
	{
		if (order_id != NULL)	/* now that it is a new one */
			awspool_check_field(FIELD_ORDER_ID, order_id);
		if (awspool_reserve_oldest(table, provider, marketplace))
			row = awspool_take_reserved(rsinfo->setDesc, table, order_id);
	}

	if (row != NULL)
		tuplestore_puttuple(rsinfo->setResult, row);
	awspool_close_account_table(table);
	return (Datum) 0;
}

/*
 * Finds the account that an order holds, in progress or allocated, and locks
 * it, waiting for whoever is changing it.  False if it holds none.  The
 * caller has locked the order.
 *
 * The lock on the row is also what makes a repeated claim wait for the
 * standby, see durability.c.
 *
 * Whoever gives the order an account has locked the order, unless it is a
 * superuser who updates the table by hand.  For them, and for whoever changes
 * or deletes the account that it has, the row is waited for.
 */
bool
awspool_find_order(AccountTable *table, const char *order_id)
{
	Datum		keys[] = {CStringGetTextDatum(table->provider),
	CStringGetTextDatum(order_id)};
	Relation	index = awspool_open_index("account_order", RowExclusiveLock);
	TransactionId inserter;
	bool		held = false;

	while (!held &&
		   awspool_find_present(table->rel, index, lengthof(keys), keys, NULL,
								table->found, &inserter))
	{
		CHECK_FOR_INTERRUPTS();
		if (TransactionIdIsValid(inserter))
			XactLockTableWait(inserter, NULL, NULL, XLTW_None);
		else if (awspool_lock_found(table))
		{
			AccountStatus status = awspool_status_of(table->found);

			held = (status == STATUS_IN_PROGRESS ||
					status == STATUS_ALLOCATED);
		}

		/* Closed or deleted while we waited: see what the order holds now. */
	}

	index_close(index, NoLock);
	return held;
}

/*
 * Gives the reserved account to the order, or to nobody by name, and returns
 * its public row.  The transition trigger stamps who claimed it and when.
 * Raises WS007 if the pool was paused meanwhile.
 */
HeapTuple
awspool_take_reserved(TupleDesc accounts, AccountTable *table,
					  const char *order_id)
{
	awspool_begin_change(table);
	awspool_set_column(table, Anum_account_order_id, order_id);
	awspool_update_status(table, STATUS_IN_PROGRESS);
	awspool_confirm_reserved(table);
	return awspool_public_row(accounts, table->changed);
}
