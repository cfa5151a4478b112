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
 * A batch of claims is the same for many orders, in one walk: it locks all
 * orders, then the accounts that they hold, reserves as many as are needed,
 * and changes them.
 *
 * A pool that is paused gives no account; what an order holds already it gets
 * all the same.  See pool.c.
 *
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

#include "access/tableam.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

/* Orders of a batch, at most: each takes one of the server's locks. */
#define MAX_ORDERS	10000

PG_FUNCTION_INFO_V1(awspool_claim_account);
PG_FUNCTION_INFO_V1(awspool_claim_accounts);

/* An order of a batch, and what it gets. */
typedef struct Order
{
	char	   *order_id;		/* NULL: it has no name */
	struct Order *same;			/* asked before; or itself */
	char	   *account_id;		/* it seems to hold that */
	HeapTuple	row;			/* NULL: nothing */
	bool		is_new;			/* it holds nothing yet */
} Order;

static Order *orders_argument(FunctionCallInfo fcinfo, int *n);
static void lock_orders(AccountTable *table, Order *orders, int n);
static int	compare_orders(const void *a, const void *b);
static int	look_up_orders(TupleDesc accounts, AccountTable *table,
						   const char *marketplace, Order *orders, int n);
static bool see_order(AccountTable *table, Order *order);
static int	compare_accounts(const void *a, const void *b);
static void serve_orders(TupleDesc accounts, AccountTable *table,
						 const char *marketplace, Order *orders, int nnew);
static HeapTuple held_row(TupleDesc accounts, AccountTable *table,
						  const char *marketplace, const char *order_id);

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
	{
		awspool_lock_order(table, order_id);
		row = held_row(rsinfo->setDesc, table, marketplace, order_id);
	}
	if (row == NULL && awspool_reserve_oldest(table, provider, marketplace))
		row = awspool_take_reserved(rsinfo->setDesc, table, order_id);

	if (row != NULL)
		tuplestore_puttuple(rsinfo->setResult, row);
	awspool_close_account_table(table);
	return (Datum) 0;
}

/*
 * awspool.claim_accounts(provider, marketplace, order_ids)
 *
 * Does for each order of the array, one after the other, what claim_account
 * does, and returns a row for each that holds an account then.
 */
Datum
awspool_claim_accounts(PG_FUNCTION_ARGS)
{
	char	   *provider = awspool_provider_argument(fcinfo);
	char	   *marketplace = awspool_field_argument(fcinfo, 1,
													 FIELD_MARKETPLACE);
	int			n;
	Order	   *orders = orders_argument(fcinfo, &n);
	ReturnSetInfo *rsinfo = awspool_begin_rows(fcinfo, Natts_accounts,
											   awspool_account_types);
	AccountTable *table = awspool_open_account_table(provider);
	int			nnew;

	lock_orders(table, orders, n);
	nnew = look_up_orders(rsinfo->setDesc, table, marketplace, orders, n);
	serve_orders(rsinfo->setDesc, table, marketplace, orders, nnew);

	for (int i = 0; i < n; i++)
	{
		if (orders[i].same->row != NULL)
			tuplestore_puttuple(rsinfo->setResult, orders[i].same->row);
	}
	awspool_close_account_table(table);
	return (Datum) 0;
}

/*
 * Argument 2 as orders.
 */
static Order *
orders_argument(FunctionCallInfo fcinfo, int *n)
{
	Datum	   *elements;
	bool	   *isnull;
	Order	   *orders;

	if (PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("order ids must not be null")));
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(2), TEXTOID, -1, false,
					  TYPALIGN_INT, &elements, &isnull, n);
	if (*n > MAX_ORDERS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many orders: %d", *n),
				 errhint("Claim for at most %d at once.", MAX_ORDERS)));

	orders = palloc0(Max(*n, 1) * sizeof(Order));
	for (int i = 0; i < *n; i++)
	{
		orders[i].same = &orders[i];
		if (!isnull[i])
			orders[i].order_id =
				awspool_order_name(TextDatumGetCString(elements[i]));
	}
	return orders;
}

/*
 * Locks the orders, whatever the order in which they were named, in the order
 * of their names: batches that share some wait for each other, but never in a
 * circle.  Nothing else is locked yet.  Finds those that were named twice.
 */
static void
lock_orders(AccountTable *table, Order *orders, int n)
{
	Order	  **sorted = palloc(Max(n, 1) * sizeof(Order *));
	int			nnamed = 0;

	for (int i = 0; i < n; i++)
	{
		if (orders[i].order_id != NULL)
			sorted[nnamed++] = &orders[i];
	}
	qsort(sorted, nnamed, sizeof(Order *), compare_orders);

	for (int i = 0; i < nnamed; i++)
	{
		if (i > 0 && strcmp(sorted[i]->order_id, sorted[i - 1]->order_id) == 0)
			sorted[i]->same = sorted[i - 1]->same;
		else
			awspool_lock_order(table, sorted[i]->order_id);
	}
	pfree(sorted);
}

/* By name; where it is the same, whichever was named first. */
static int
compare_orders(const void *a, const void *b)
{
	const Order *x = *(Order *const *) a;
	const Order *y = *(Order *const *) b;
	int			by_name = strcmp(x->order_id, y->order_id);

	return by_name != 0 ? by_name : (x > y) - (x < y);
}

/*
 * Finds what the orders, which are locked, hold already, and locks that.
 * Returns how many hold nothing.
 *
 * Who deletes many accounts locks them, by their ids, without their orders
 * (row.c).  So they are locked in that order here, too, or the two could wait
 * for each other.
 */
static int
look_up_orders(TupleDesc accounts, AccountTable *table,
			   const char *marketplace, Order *orders, int n)
{
	Order	  **held = palloc(Max(n, 1) * sizeof(Order *));
	int			nheld = 0;
	int			nnew = 0;

	for (int i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (orders[i].same == &orders[i] && orders[i].order_id != NULL &&
			see_order(table, &orders[i]))
			held[nheld++] = &orders[i];
	}
	qsort(held, nheld, sizeof(Order *), compare_accounts);
	for (int i = 0; i < nheld; i++)
	{
		CHECK_FOR_INTERRUPTS();
		held[i]->row = held_row(accounts, table, marketplace,
								held[i]->order_id);
	}
	pfree(held);

	for (int i = 0; i < n; i++)
	{
		orders[i].is_new = orders[i].same == &orders[i] &&
			orders[i].row == NULL;
		if (orders[i].is_new && orders[i].order_id != NULL)
			awspool_check_field(FIELD_ORDER_ID, orders[i].order_id);
		nnew += orders[i].is_new;
	}
	return nnew;
}

/*
 * Whether the order seems to hold an account, which is not locked yet, and
 * which one.
 */
static bool
see_order(AccountTable *table, Order *order)
{
	Datum		keys[] = {CStringGetTextDatum(table->provider),
	CStringGetTextDatum(order->order_id)};
	Relation	index = awspool_open_index("account_order", RowExclusiveLock);
	TransactionId inserter;
	bool		seen = awspool_find_present(table->rel, index, lengthof(keys),
											keys, NULL, table->found,
											&inserter);

	index_close(index, NoLock);
	if (seen)
		order->account_id = awspool_column(table->found,
										   Anum_account_account_id);
	return seen;
}

static int
compare_accounts(const void *a, const void *b)
{
	return strcmp((*(Order *const *) a)->account_id,
				  (*(Order *const *) b)->account_id);
}

/*
 * Gives the oldest accounts to the new orders, in the order in which they were
 * named, as far as there are any.
 *
 * All are reserved together, in one walk along the pool, and then changed one
 * by one.  A trigger of the user's may claim in between, and have one of them:
 * then there are fewer than it seemed, and more are reserved.
 */
static void
serve_orders(TupleDesc accounts, AccountTable *table,
			 const char *marketplace, Order *orders, int nnew)
{
	ItemPointer rows = palloc(Max(nnew, 1) * sizeof(ItemPointerData));
	Order	   *order = orders;

	while (nnew > 0)
	{
		int			n = awspool_reserve_many(table, table->provider,
											 marketplace, rows, nnew);

		if (n == 0)
			break;
		for (int i = 0; i < n; i++)
		{
			CHECK_FOR_INTERRUPTS();
			if (!awspool_fetch_reserved(table, &rows[i]))
				continue;
			while (!order->is_new)
				order++;
			order->row = awspool_take_reserved(accounts, table,
											   order->order_id);
			order++;
			nnew--;
		}
	}
	pfree(rows);
}

/*
 * The public row of the account that an order, which is locked, holds already;
 * NULL if it holds none.  Raises WS002 if it is of another marketplace, and
 * 22023 if it holds none and no new order may be called so.
 */
static HeapTuple
held_row(TupleDesc accounts, AccountTable *table, const char *marketplace,
		 const char *order_id)
{
	if (!awspool_find_order(table, order_id))
	{
		awspool_check_field(FIELD_ORDER_ID, order_id);
		return NULL;
	}
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
	return awspool_public_row(accounts, table->found);
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
