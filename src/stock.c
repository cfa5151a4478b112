/*-------------------------------------------------------------------------
 *
 * stock.c
 *	  The stock of a provider, one account at a time: add, edit, delete.
 *
 * An account is stored by INSERT ... ON CONFLICT DO NOTHING, which waits for
 * whoever is storing or changing the same id and then tells without an error
 * that the id is taken.  What a caller may learn of another provider's account
 * is that one bit.  So an id that is another's is refused before that: to wait
 * would tell that it is being changed.
 *
 * Where ids have to be unique over several servers, the id is reserved before
 * that (registry.c).
 *
 * A foreign key of the user's may refer to accounts.  The server checks it, or
 * lets it act, when a statement ends, and then fails it as a whole.  So as
 * long as there is one, whoever deletes what they can deletes each account in
 * a subtransaction.  A deferred one is checked when the transaction ends.
 *
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

PG_FUNCTION_INFO_V1(awspool_add_account);
PG_FUNCTION_INFO_V1(awspool_edit_account);
PG_FUNCTION_INFO_V1(awspool_delete_account);
PG_FUNCTION_INFO_V1(awspool_delete_accounts);

/*
 * An account that could not be stored, but is not there either, was deleted
 * that very moment.  If that happens so often, there is another reason.
 */
#define MAX_TRIES	100

/* Accounts that can be deleted at once. */
#define MAX_DELETIONS	((int) (MaxAllocSize / sizeof(Deletion)))

/* One of the accounts that delete_accounts was asked to delete. */
typedef struct Deletion
{
	int			asked;			/* at which place of the array */
	char	   *account_id;
	const char *outcome;
	char	   *detail;			/* may be NULL */
} Deletion;

static uint64 insert(const NewAccount *account, const char *actor);
static bool is_anothers(const NewAccount *account);
static void check_shown_once(const NewAccount *account);
static Deletion *deletions_asked_for(ArrayType *ids, int *n);
static bool is_referenced(Relation rel);
static void delete_if_possible(AccountTable *table, bool referenced,
							   Deletion *deletion);
static char *delete_unless_referenced(const char *provider,
									  const char *account_id);
static char *obstacle(const ErrorData *error);
static int	compare_ids(const void *a, const void *b);
static int	compare_places(const void *a, const void *b);

/*
 * awspool.add_account(provider, account_id, marketplace, model)
 */
Datum
awspool_add_account(PG_FUNCTION_ARGS)
{
	NewAccount	account = {
		.provider = awspool_provider_argument(fcinfo),
		.account_id = awspool_text_argument(fcinfo, 1),
		.marketplace = awspool_text_argument(fcinfo, 2),
		.model = awspool_text_argument(fcinfo, 3)
	};
	ReturnSetInfo *rsinfo = awspool_begin_rows(fcinfo, Natts_accounts,
											   awspool_account_types);

	tuplestore_puttuple(rsinfo->setResult,
						awspool_add(rsinfo->setDesc, &account));
	return (Datum) 0;
}

/*
 * awspool.edit_account(provider, account_id, marketplace, model)
 *
 * NULL leaves as is; an edit that changes nothing is not logged.
 */
Datum
awspool_edit_account(PG_FUNCTION_ARGS)
{
	char	   *provider = awspool_provider_argument(fcinfo);
	char	   *account_id = awspool_field_argument(fcinfo, 1,
													FIELD_ACCOUNT_ID);
	char	   *marketplace = awspool_optional_field_argument(fcinfo, 2,
															  FIELD_MARKETPLACE);
	char	   *model = awspool_optional_field_argument(fcinfo, 3,
														FIELD_MODEL);
	ReturnSetInfo *rsinfo = awspool_begin_rows(fcinfo, Natts_accounts,
											   awspool_account_types);
	AccountTable *table = awspool_open_account_table(provider);

	awspool_need_account(table, account_id);
	tuplestore_puttuple(rsinfo->setResult,
						awspool_edit(rsinfo->setDesc, table, marketplace,
									 model));
	awspool_close_account_table(table);
	return (Datum) 0;
}

/*
 * awspool.delete_account(provider, account_id)
 *
 * Returns the account as it was.  That no order may be using it is for the
 * transition trigger to say.
 */
Datum
awspool_delete_account(PG_FUNCTION_ARGS)
{
	char	   *provider = awspool_provider_argument(fcinfo);
	char	   *account_id = awspool_field_argument(fcinfo, 1,
													FIELD_ACCOUNT_ID);
	ReturnSetInfo *rsinfo = awspool_begin_rows(fcinfo, Natts_accounts,
											   awspool_account_types);
	AccountTable *table = awspool_open_account_table(provider);

	if (!awspool_lock_account(table, account_id, false))
		awspool_no_such_account(provider, account_id);
	tuplestore_puttuple(rsinfo->setResult,
						awspool_public_row(rsinfo->setDesc, table->found));
	awspool_delete_row(table);
	awspool_close_account_table(table);
	return (Datum) 0;
}

/*
 * awspool.delete_accounts(provider, account_ids)
 *
 * Locks the accounts in the order of their ids, so that two calls with the
 * same ids never wait for each other in a circle; answers in the order of the
 * array.  An id that is asked for twice is not found the second time.
 */
Datum
awspool_delete_accounts(PG_FUNCTION_ARGS)
{
	static const Oid types[] = {TEXTOID, TEXTOID, TEXTOID};
	char	   *provider = awspool_provider_argument(fcinfo);
	ReturnSetInfo *rsinfo;
	AccountTable *table;
	Deletion   *deletions;
	bool		referenced;
	bool		missing = false;
	int			n;

	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("account ids must not be null")));
	deletions = deletions_asked_for(PG_GETARG_ARRAYTYPE_P(1), &n);
	rsinfo = awspool_begin_rows(fcinfo, lengthof(types), types);

	table = awspool_open_account_table(provider);
	referenced = is_referenced(table->rel);
	qsort(deletions, n, sizeof(Deletion), compare_ids);
	for (int i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (i > 0 && strcmp(deletions[i].account_id,
							deletions[i - 1].account_id) == 0)
			continue;			/* deletions_asked_for says "not_found" */
		delete_if_possible(table, referenced, &deletions[i]);
	}
	awspool_close_account_table(table);

	qsort(deletions, n, sizeof(Deletion), compare_places);
	for (int i = 0; i < n; i++)
	{
		Datum		values[] = {
			CStringGetTextDatum(deletions[i].account_id),
			CStringGetTextDatum(deletions[i].outcome),
			awspool_text_datum(deletions[i].detail)
		};
		bool		isnull[] = {false, false, deletions[i].detail == NULL};

		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values,
							 isnull);
		missing |= isnull[2];
	}
	if (missing)				/* perhaps deleted before */
		awspool_confirm_change();
	return (Datum) 0;
}

/*
 * Stores a ready account, or raises the error that says why not: 22023,
 * 23505 or WS005.  Returns its public row.
 */
HeapTuple
awspool_add(TupleDesc accounts, NewAccount *account)
{
	char	   *problem = awspool_problems(account, false);
	HeapTuple	row = NULL;

	if (problem != NULL)
		awspool_refuse_malformed(problem);
	awspool_begin_writing();
	if (awspool_begin_reserving())
	{
		awspool_look_up(&account, 1);
		awspool_reserve_ids(&account, 1);
	}
	if (account->outcome == STORE_PENDING)
		row = awspool_store(account);
	if (row == NULL)
	{
		awspool_check_provider_again(account->provider);
		awspool_refuse_stored(account);
	}
	return awspool_fit_row(accounts, row);
}

/*
 * Raises 22023 for an account with malformed values.
 */
void
awspool_refuse_malformed(const char *problem)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid account: %s", problem)));
}

/*
 * Stores a well-formed account at the end of its pool, waiting for whoever is
 * storing the same id, or changing an account of the provider's own, and
 * returns its public row.  If it could not be stored, returns NULL; the
 * account's outcome tells why.
 *
 * The caller may act for the provider.  Raises 42501 if that is over once we
 * have waited.
 */
HeapTuple
awspool_store(NewAccount *account)
{
	char	   *actor = GetUserNameFromId(GetUserId(), false);
	HeapTuple	row = NULL;

	awspool_begin_writing();
	account->outcome = is_anothers(account) ? STORE_TAKEN : STORE_PENDING;
	for (int tries = 0; account->outcome == STORE_PENDING; tries++)
	{
		Caller		caller;

		CHECK_FOR_INTERRUPTS();
		if (tries == MAX_TRIES)
			awspool_prevented_by_trigger();
		awspool_begin_queries(&caller);
		awspool_begin_storing();
		if (insert(account, actor) == 1)
		{
			row = SPI_copytuple(SPI_tuptable->vals[0]);
			account->outcome = STORE_ADDED;
		}
		awspool_end_storing();
		awspool_end_queries(&caller);
		awspool_check_provider_again(account->provider);

		if (account->outcome == STORE_PENDING)
			awspool_look_up(&account, 1);
		else
			check_shown_once(account);
	}
	return row;
}

/* Inserts an account, ready or used, unless its id is taken or used up. */
static uint64
insert(const NewAccount *account, const char *actor)
{
	static OwnerQuery insert_account = {
		.sql = "INSERT INTO awspool.account"
		" (provider, account_id, marketplace, model, added_by, status,"
		"  order_id, reason, added_at, order_model, claimed_at, claimed_by,"
		"  closed_at, closed_by)"
		" SELECT $1, $2, $3, $4, $5, $6, $7, $8,"
		"  coalesce($9, $10, pg_catalog.clock_timestamp()),"
		"  CASE WHEN $9 IS NOT NULL THEN $4 END, $9,"
		"  CASE WHEN $9 IS NOT NULL THEN $5 END, $10,"
		"  CASE WHEN $10 IS NOT NULL THEN $5 END"
		" WHERE NOT EXISTS ("
		"  SELECT FROM ONLY awspool.account_log l WHERE l.account_id = $2 AND l.used)"
		" ON CONFLICT (account_id) DO NOTHING"
		" RETURNING provider, account_id, marketplace, model, status,"
		" order_id, order_model, reason, added_at, added_by, claimed_at,"
		" claimed_by, closed_at, closed_by, position",
		.nargs = 10,
		.argtypes = {TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID,
		TEXTOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID}
	};
	static const PastUse none = {.status = STATUS_READY};
	const PastUse *use = account->use != NULL ? account->use : &none;
	bool		closed = use->status != STATUS_READY &&
		use->status != STATUS_IN_PROGRESS;
	Datum		values[] = {
		CStringGetTextDatum(account->provider),
		CStringGetTextDatum(account->account_id),
		CStringGetTextDatum(account->marketplace),
		CStringGetTextDatum(account->model),
		CStringGetTextDatum(actor),
		CStringGetTextDatum(awspool_status_name(use->status)),
		awspool_text_datum(use->order_id),
		awspool_text_datum(use->reason),
		TimestampTzGetDatum(use->claimed_at),
		TimestampTzGetDatum(use->closed_at)
	};
	char		nulls[] = {
		' ', ' ', ' ', ' ', ' ', ' ', use->order_id == NULL ? 'n' : ' ',
		use->reason == NULL ? 'n' : ' ', use->claimed ? ' ' : 'n',
		closed ? ' ' : 'n'
	};

	return awspool_query(&insert_account, values, nulls);
}

/*
 * Whether another provider has stored an account with this id.  Waits for
 * nobody, and leaves no traces for serializable transactions to stumble over.
 */
static bool
is_anothers(const NewAccount *account)
{
	Datum		key = CStringGetTextDatum(account->account_id);

	return awspool_has_row("account", "account_pkey", 1, &key,
						   account->provider);
}

/*
 * Raises 40001 if the caller's snapshot shows the account that was just stored
 * as it was before (row.c).
 */
static void
check_shown_once(const NewAccount *account)
{
	Datum		key = CStringGetTextDatum(account->account_id);
	Relation	rel;
	Relation	index;
	TupleTableSlot *slot;

	if (!IsolationUsesXactSnapshot())
		return;
	rel = table_open(awspool_relation("account"), AccessShareLock);
	index = awspool_open_index("account_pkey", AccessShareLock);
	slot = table_slot_create(rel, NULL);
	if (awspool_find_present(rel, index, 1, &key, NULL, slot, NULL))
		awspool_check_shown_once(rel, slot);
	ExecDropSingleTupleTableSlot(slot);
	index_close(index, AccessShareLock);
	table_close(rel, AccessShareLock);
}

/*
 * Writes into the server's log, and for nobody else to see, that somebody
 * wanted to store an account whose id is another provider's, and so learnt
 * that the id is taken: of n such accounts in a file, the first.
 */
void
awspool_log_taken(const char *provider, const char *account_id, int64 n)
{
	ereport(LOG_SERVER_ONLY,
			(errcode(ERRCODE_UNIQUE_VIOLATION),
			 errmsg("role \"%s\" asked for account id \"%s\" as provider \"%s\", but it is another provider's",
					awspool_printable(GetUserNameFromId(GetOuterUserId(),
														false)),
					account_id, provider),
			 n > 1 ? errdetail("So are " INT64_FORMAT " more ids in the file.",
							   n - 1) : 0));
}

/*
 * Raises the error for an account that could not be stored.  An id that is
 * taken comes with the names that the primary key's own error would have:
 * programs find the field by them.
 */
void
awspool_refuse_stored(const NewAccount *account)
{
	if (account->outcome == STORE_USED)
		ereport(ERROR,
				(errcode(ERRCODE_AWSPOOL_USED_BEFORE),
				 errmsg("account \"%s\" was used before and cannot be added again",
						account->account_id)));

	if (account->outcome == STORE_TAKEN)
		awspool_log_taken(account->provider, account->account_id, 1);
	ereport(ERROR,
			(errcode(ERRCODE_UNIQUE_VIOLATION),
			 account->outcome == STORE_TWICE ?
			 errmsg("account id \"%s\" is in the file twice",
					account->account_id) :
			 errmsg("account id \"%s\" is taken", account->account_id),
			 account->outcome == STORE_PRESENT ||
			 account->outcome == STORE_DIFFERENT ?
			 errdetail("The provider has this account already.") : 0,
			 err_generic_string(PG_DIAG_SCHEMA_NAME, "awspool"),
			 err_generic_string(PG_DIAG_TABLE_NAME, "account"),
			 err_generic_string(PG_DIAG_COLUMN_NAME, "account_id"),
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME, "account_pkey")));
}

/*
 * Edits the account in "found", which is locked, and returns its public row.
 * NULL leaves as is.
 */
HeapTuple
awspool_edit(TupleDesc accounts, AccountTable *table,
			 const char *marketplace, const char *model)
{
	if (marketplace != NULL &&
		awspool_column_is(table->found, Anum_account_marketplace, marketplace))
		marketplace = NULL;
	if (model != NULL &&
		awspool_column_is(table->found, Anum_account_model, model))
		model = NULL;
	if (marketplace == NULL && model == NULL)
		return awspool_public_row(accounts, table->found);

	awspool_begin_change(table);
	if (marketplace != NULL)
		awspool_set_column(table, Anum_account_marketplace, marketplace);
	if (model != NULL)
		awspool_set_column(table, Anum_account_model, model);
	awspool_update_row(table);
	return awspool_public_row(accounts, table->changed);
}

/* The accounts that an array names, each not found as yet. */
static Deletion *
deletions_asked_for(ArrayType *ids, int *n)
{
	Datum	   *elements;
	bool	   *isnull;
	Deletion   *deletions;

	deconstruct_array(ids, TEXTOID, -1, false, TYPALIGN_INT,
					  &elements, &isnull, n);
	if (*n > MAX_DELETIONS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many account ids: %d", *n),
				 errhint("Delete at most %d at once.", MAX_DELETIONS)));
	deletions = palloc(Max(*n, 1) * sizeof(Deletion));
	for (int i = 0; i < *n; i++)
	{
		if (isnull[i])
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("account ids must not be null")));
		deletions[i].asked = i;
		deletions[i].account_id = TextDatumGetCString(elements[i]);
		deletions[i].outcome = "not_found";
		deletions[i].detail = NULL;
	}
	return deletions;
}

/* Whether a foreign key refers to the table. */
static bool
is_referenced(Relation rel)
{
	TriggerDesc *desc = rel->trigdesc;

	for (int i = 0; desc != NULL && i < desc->numtriggers; i++)
	{
		if (RI_FKey_trigger_type(desc->triggers[i].tgfoid) == RI_TRIGGER_PK)
			return true;
	}
	return false;
}

static void
delete_if_possible(AccountTable *table, bool referenced, Deletion *deletion)
{
	AccountStatus status;
	char	   *user = NULL;

	if (!awspool_lock_account(table, deletion->account_id, false))
		return;

	status = awspool_status_of(table->found);
	if (status == STATUS_IN_PROGRESS)
	{
		char	   *order_id = awspool_column(table->found,
											  Anum_account_order_id);

		user = order_id == NULL ? "an order is using it" :
			psprintf("order \"%s\" is using it", order_id);
	}
	else if (referenced)
		user = delete_unless_referenced(table->provider, deletion->account_id);
	else
		awspool_delete_row(table);

	deletion->outcome = user != NULL ? "in_use" : "deleted";
	deletion->detail = user != NULL ? user :
		psprintf("it was %s", awspool_status_name(status));
}

/*
 * Deletes an account, which is locked, together with all that foreign keys do
 * then.  If they forbid it, nothing is done, and what is returned tells which;
 * otherwise NULL.
 */
static char *
delete_unless_referenced(const char *provider, const char *account_id)
{
	MemoryContext caller_context = CurrentMemoryContext;
	ResourceOwner caller_owner = CurrentResourceOwner;
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "awspool deletion",
												  ALLOCSET_DEFAULT_SIZES);
	char	   *volatile forbidden = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		AccountTable *table = awspool_open_account_table(provider);

		if (awspool_lock_account(table, account_id, false))
			awspool_delete_row(table);
		awspool_close_account_table(table);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(caller_context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(caller_context);
		CurrentResourceOwner = caller_owner;

		forbidden = obstacle(error);
		if (forbidden == NULL)
			ReThrowError(error);
		FreeErrorData(error);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller_context);
	CurrentResourceOwner = caller_owner;
	MemoryContextDelete(context);
	return forbidden;
}

/*
 * Which foreign key an error is about; NULL if it is about none.  Tells no
 * more than the error would: its table and its name.
 */
static char *
obstacle(const ErrorData *error)
{
	if (error->sqlerrcode != ERRCODE_FOREIGN_KEY_VIOLATION &&
		error->sqlerrcode != ERRCODE_RESTRICT_VIOLATION)
		return NULL;
	if (error->table_name == NULL || error->constraint_name == NULL)
		return pstrdup("a foreign key refers to it");
	return psprintf("foreign key \"%s\" of table \"%s\" refers to it",
					error->constraint_name, error->table_name);
}

static int
compare_ids(const void *a, const void *b)
{
	const Deletion *x = a;
	const Deletion *y = b;
	int			result = strcmp(x->account_id, y->account_id);

	return result != 0 ? result : compare_places(a, b);
}

static int
compare_places(const void *a, const void *b)
{
	const Deletion *x = a;
	const Deletion *y = b;

	return (x->asked > y->asked) - (x->asked < y->asked);
}
