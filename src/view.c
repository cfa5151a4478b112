/*-------------------------------------------------------------------------
 *
 * view.c
 *	  Writing to view awspool.accounts: what the functions do, row by row.
 *
 * INSERT adds an account, UPDATE of marketplace or model edits it, UPDATE of
 * status, with a reason if there is one, closes it, DELETE deletes it.  A row
 * that sets any other column is refused as a whole.
 *
 * A statement's WHERE was judged by its snapshot.  On a table, the server
 * would judge it again after waiting for somebody who changed the row; on a
 * view it cannot.  So a row that is not any more what the statement saw is
 * refused with a serialization failure: "DELETE ... WHERE status = 'ready'"
 * must not delete what was claimed a moment ago.  Where a join has the
 * statement come to a row again that it has already made what it is to be, it
 * is passed over, as on a table; any other change by the statement itself is
 * an error.
 *
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

#include "access/htup_details.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/snapmgr.h"

PG_FUNCTION_INFO_V1(awspool_change_accounts);

/* All columns, and those that an UPDATE may set, as a set of bits. */
#define COLUMN(n)			(1 << (n))
#define ALL_COLUMNS			(COLUMN(Natts_accounts + 1) - COLUMN(1))
#define COLUMNS_TO_SET		(COLUMN(Anum_account_marketplace) | \
							 COLUMN(Anum_account_model) | \
							 COLUMN(Anum_account_status) | \
							 COLUMN(Anum_account_reason))

/* A row of the view, taken apart. */
typedef struct ViewRow
{
	TupleDesc	desc;
	Datum		values[Natts_accounts];
	bool		isnull[Natts_accounts];
} ViewRow;

static HeapTuple insert_row(const ViewRow *new);
static HeapTuple update_row(const ViewRow *old, const ViewRow *new);
static bool delete_row(const ViewRow *old);
static HeapTuple edit(const ViewRow *old, const ViewRow *new);
static HeapTuple close_row(const ViewRow *new);
static AccountTable *open_row(const ViewRow *old, const ViewRow *new);
static bool lock_row(AccountTable *table, const ViewRow *old,
					 const ViewRow *new);
static bool is_changed_here(AccountTable *table, const ViewRow *old);
static void check_settable(const ViewRow *old, const ViewRow *new);
static char *get(const ViewRow *row, int column);
static char *get_field(const ViewRow *row, int column, AccountField field);
static bool same(const ViewRow *a, const ViewRow *b, int column);
static bool all_same(const ViewRow *a, const ViewRow *b, int columns);

/*
 * The trigger: for each row, instead of what the statement does.
 */
Datum
awspool_change_accounts(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = awspool_trigger_data(fcinfo, "accounts",
												 INSTEAD_OF_ROW,
												 ON_INSERT | ON_UPDATE |
												 ON_DELETE);
	TupleDesc	desc = RelationGetDescr(trigdata->tg_relation);
	ViewRow		row = {.desc = desc};
	ViewRow		new = {.desc = desc};

	awspool_first_columns(trigdata->tg_trigtuple, desc, Natts_accounts,
						  row.values, row.isnull);
	if (TRIGGER_FIRED_BY_INSERT(trigdata->tg_event))
		return PointerGetDatum(insert_row(&row));
	if (TRIGGER_FIRED_BY_DELETE(trigdata->tg_event))
		return PointerGetDatum(delete_row(&row) ? trigdata->tg_trigtuple :
							   NULL);
	awspool_first_columns(trigdata->tg_newtuple, desc, Natts_accounts,
						  new.values, new.isnull);
	return PointerGetDatum(update_row(&row, &new));
}

/*
 * Where a row names no provider, it is the one that awspool.import would take.
 */
static HeapTuple
insert_row(const ViewRow *new)
{
	NewAccount	account = {
		.provider = awspool_named_provider(get(new, Anum_account_provider)),
		.account_id = get(new, Anum_account_account_id),
		.marketplace = get(new, Anum_account_marketplace),
		.model = get(new, Anum_account_model)
	};

	if (account.provider == NULL)
		account.provider = awspool_default_provider();
	awspool_check_provider_name(account.provider);
	awspool_check_provider(account.provider);
	check_settable(NULL, new);
	return awspool_add(new->desc, &account);
}

static HeapTuple
update_row(const ViewRow *old, const ViewRow *new)
{
	HeapTuple	row;

	awspool_check_provider(get(old, Anum_account_provider));
	check_settable(old, new);

	row = edit(old, new);
	if (row != NULL && !same(old, new, Anum_account_status))
		row = close_row(new);
	return row;
}

/*
 * False if the statement has deleted it already.
 */
static bool
delete_row(const ViewRow *old)
{
	AccountTable *table;

	awspool_check_provider(get(old, Anum_account_provider));
	table = open_row(old, NULL);
	if (table == NULL)
		return false;
	awspool_delete_row(table);
	awspool_close_account_table(table);
	return true;
}

/*
 * Sets marketplace and model, if they changed.  NULL if the statement has made
 * the row what it is to be already.
 */
static HeapTuple
edit(const ViewRow *old, const ViewRow *new)
{
	char	   *marketplace = get_field(new, Anum_account_marketplace,
										FIELD_MARKETPLACE);
	char	   *model = get_field(new, Anum_account_model, FIELD_MODEL);
	AccountTable *table = open_row(old, new);
	HeapTuple	row;

	if (table == NULL)
		return NULL;
	row = awspool_edit(old->desc, table, marketplace, model);
	awspool_close_account_table(table);
	return row;
}

/*
 * Moves the account, as edited, to its new status.
 */
static HeapTuple
close_row(const ViewRow *new)
{
	char	   *account_id = get(new, Anum_account_account_id);
	AccountStatus to = awspool_status_from_name(get(new, Anum_account_status));
	AccountTable *table =
		awspool_open_account_table(get(new, Anum_account_provider));
	HeapTuple	row;

	awspool_need_account(table, account_id);
	awspool_check_transition(account_id, awspool_status_of(table->found), to);
	if (to == STATUS_IN_PROGRESS)
		ereport(ERROR,
				(errcode(ERRCODE_AWSPOOL_ILLEGAL_STATUS_CHANGE),
				 errmsg("cannot claim account \"%s\" by an update",
						account_id),
				 errhint("Use awspool.claim_account, which takes the oldest ready account.")));

	row = awspool_close_account(new->desc, table, to,
								get(new, Anum_account_reason), NULL);
	awspool_close_account_table(table);
	return row;
}

/*
 * Finds and locks the account of a row that is to become "new", or to be
 * deleted if that is NULL, and sees that it is still as the statement saw it.
 * NULL if this statement has done already what is to be done.
 */
static AccountTable *
open_row(const ViewRow *old, const ViewRow *new)
{
	AccountTable *table =
		awspool_open_account_table(get(old, Anum_account_provider));
	ViewRow		row = {.desc = old->desc};
	const ViewRow *found = lock_row(table, old, new) ? &row : NULL;

	for (int i = 0; found != NULL && i < Natts_accounts; i++)
		row.values[i] = slot_getattr(table->found, i + 1, &row.isnull[i]);
	if (all_same(found, old, ALL_COLUMNS))
		return table;

	if (!is_changed_here(table, old))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("account \"%s\" was changed by somebody else meanwhile",
						get(old, Anum_account_account_id)),
				 errhint("Run the statement again.")));
	if (!all_same(found, new, COLUMNS_TO_SET))
		awspool_changed_by_command();
	awspool_close_account_table(table);
	return NULL;
}

/*
 * Locks the account of a row that is to become "new", or to be deleted if that
 * is NULL.  False if it is gone.
 *
 * A statement may change very many accounts that are closed, so it locks the
 * orders of those only that are in progress.
 */
static bool
lock_row(AccountTable *table, const ViewRow *old, const ViewRow *new)
{
	bool		with_order = new != NULL &&
		old->isnull[Anum_account_closed_at - 1];

	return awspool_lock_account(table, get(old, Anum_account_account_id),
								with_order);
}

/*
 * Whether it was this command, or a function that it calls, that changed the
 * account: then the version that its snapshot shows was replaced, or deleted,
 * by this transaction.
 */
static bool
is_changed_here(AccountTable *table, const ViewRow *old)
{
	HeapTupleHeader header;

	if (!awspool_find_account(table->rel, GetActiveSnapshot(),
							  get(old, Anum_account_account_id),
							  get(old, Anum_account_provider), table->found))
		return false;
	header = ((BufferHeapTupleTableSlot *) table->found)->base.tuple->t_data;
	return !HEAP_XMAX_IS_LOCKED_ONLY(header->t_infomask) &&
		TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetUpdateXid(header));
}

/*
 * Raises 22023 if a row sets a column that is not the caller's to set.  For
 * an INSERT "old" is NULL.
 */
static void
check_settable(const ViewRow *old, const ViewRow *new)
{
	char	   *status = get(new, Anum_account_status);
	bool		closes = old != NULL && status != NULL &&
		!same(old, new, Anum_account_status);

	for (int column = 1; column <= Natts_accounts; column++)
	{
		bool		settable;

		switch (column)
		{
			case Anum_account_marketplace:
			case Anum_account_model:
				settable = true;
				break;
			case Anum_account_provider:
			case Anum_account_account_id:
				settable = (old == NULL);
				break;
			case Anum_account_status:
				settable = (old != NULL);
				break;
			case Anum_account_reason:
				settable = closes &&
					strcmp(status, awspool_status_name(STATUS_ALLOCATED)) != 0;
				break;
			default:
				settable = false;
				break;
		}

		if (!settable &&
			!(old == NULL ? new->isnull[column - 1] : same(old, new, column)))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("column \"%s\" cannot be set here",
							NameStr(TupleDescAttr(new->desc, column - 1)->attname)),
					 column == Anum_account_reason ?
					 errhint("Set it together with a change of status to \"provisioning_failed\" or \"invalid\".") :
					 errhint("INSERT sets provider, account_id, marketplace and model; UPDATE sets marketplace, model, or status and reason.")));
	}
}

/* A text column as a string, or NULL. */
static char *
get(const ViewRow *row, int column)
{
	return row->isnull[column - 1] ? NULL :
		TextDatumGetCString(row->values[column - 1]);
}

/* The same, but it has to be a value of the field. */
static char *
get_field(const ViewRow *row, int column, AccountField field)
{
	char	   *value = get(row, column);

	awspool_check_field(field, value);
	return value;
}

static bool
same(const ViewRow *a, const ViewRow *b, int column)
{
	int			i = column - 1;
	Form_pg_attribute attr;

	if (i >= a->desc->natts)	/* by the script of version 1.0 */
		return true;
	attr = TupleDescAttr(a->desc, i);
	if (a->isnull[i] || b->isnull[i])
		return a->isnull[i] && b->isnull[i];
	return datum_image_eq(a->values[i], b->values[i],
						  attr->attbyval, attr->attlen);
}

/*
 * Whether two rows are the same in a set of columns; NULL stands for a row
 * that is not there.
 */
static bool
all_same(const ViewRow *a, const ViewRow *b, int columns)
{
	if (a == NULL || b == NULL)
		return a == b;
	for (int column = 1; column <= Natts_accounts; column++)
	{
		if (columns & COLUMN(column) && !same(a, b, column))
			return false;
	}
	return true;
}
