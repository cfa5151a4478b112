/*-------------------------------------------------------------------------
 *
 * registry.c
 *	  Ids that are unique over several servers: the registry is asked.
 *
 * The primary key keeps an id unique in this database.  Where providers are on
 * several servers, something outside has to keep ids unique over all.  The
 * owner names a function that asks it (use_registry): of ids that a provider
 * is about to store, which ones belong to somebody else?  The function
 * reserves the others for that provider.  A second one, if there is one, only
 * looks: that is for who stores nothing, as check_csv.
 *
 * It is asked once for a batch of ids, before any of them is stored, and of
 * all that the provider has not stored here itself.  Also of those that
 * another provider has here: how long an answer takes would tell else on which
 * server that one is.
 *
 * Whoever is about to store something locks awspool.account first, in the mode
 * in which rows are changed, and asks then.  So who takes a reservation back
 * can wait for all who may be relying on it, and who has begun to use a
 * registry for all who have not heard of it yet.
 *
 * What was reserved stays so if our transaction is rolled back, or the server
 * dies: a function that is any good commits at once.  The same provider's next
 * try finds it.
 *
 * If the function fails, or answers what makes no sense, nothing is stored.
 * Its message is for the owner and the server's log: it may tell where the
 * registry is, and who knows what of whom.
 *
 * The function runs as the owner of the tables, whoever calls: nobody else
 * needs a right to it, and who has none cannot reserve anything for somebody
 * else.  For that it has to belong to the owner, or to a role that has the
 * owner's privileges anyway, a superuser as a rule.  It is known by its name,
 * which a dump carries, and looked up, and checked, each time.  Sessions hear
 * that another was named as they hear of grants (access.c).
 *
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "parser/parse_func.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/regproc.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

PG_FUNCTION_INFO_V1(awspool_use_registry);
PG_FUNCTION_INFO_V1(awspool_note_registry);

/* Columns of awspool.registry that are read here */
enum RegistryColumn
{
	Anum_registry_purpose = 1,
	Anum_registry_schema_name,
	Anum_registry_function_name,
	Natts_registry = Anum_registry_function_name
};

/* What a function is for; the order of the arguments of use_registry. */
typedef enum Purpose
{
	RESERVE,
	LOOK,
	PURPOSES
} Purpose;

static const char *const purpose_names[] = {
	[RESERVE] = "reserve",
	[LOOK] = "look",
};

/* A function by its name; none if that is NULL. */
typedef struct FunctionName
{
	char	   *schema;
	char	   *function;
} FunctionName;

static const char *const owners_right = "choose the registry of account ids";

static void name_function(Purpose purpose, Oid function, const char *actor);
static void *read_names(Relation rel, MemoryContext context);
static const FunctionName *named(Purpose purpose);
static void ask(NewAccount **accounts, int n, Purpose purpose);
static int	compare(const void *a, const void *b);
static void ask_for_provider(NewAccount **accounts, int n, Purpose purpose);
static void call(NewAccount **accounts, int n, Purpose purpose);
static Oid	find_function(const FunctionName *name);
static void check_function(Oid function);
static Tuplestorestate *evaluate(EState *estate, Oid function,
								 TupleDesc desc, const char *provider,
								 ArrayType *ids);
static ArrayType *array_of_ids(NewAccount **accounts, int n);
static void take_answer(NewAccount **accounts, int n, const char *id);
static void refuse(bool is_owner);

/* The FunctionName of each purpose. */
static KeptTable registry_table = {
	.name = "registry",
	.read = read_names
};

/*
 * awspool.use_registry(reserve, look)
 *
 * Has the functions asked from the commit on; with NULL, none.
 */
Datum
awspool_use_registry(PG_FUNCTION_ARGS)
{
	char	   *actor = GetUserNameFromId(GetUserId(), false);
	Caller		caller;

	awspool_check_owner(owners_right);
	if (PG_ARGISNULL(RESERVE) && !PG_ARGISNULL(LOOK))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a function that looks needs one that reserves")));
	awspool_begin_writing();
	awspool_begin_queries(&caller);
	for (Purpose purpose = RESERVE; purpose < PURPOSES; purpose++)
		name_function(purpose, PG_ARGISNULL(purpose) ? InvalidOid :
					  PG_GETARG_OID(purpose), actor);
	awspool_confirm_change();
	awspool_end_queries(&caller);
	awspool_check_owner(owners_right);	/* we may have waited for another */
	PG_RETURN_VOID();
}

/*
 * Trigger of awspool.registry: once the change is committed, every session
 * reads the names anew.
 */
Datum
awspool_note_registry(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = awspool_trigger_data(fcinfo, "registry",
												 BEFORE_ROW,
												 ON_INSERT | ON_UPDATE |
												 ON_DELETE);

	CacheInvalidateRelcache(trigdata->tg_relation);
	return PointerGetDatum(TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event) ?
						   trigdata->tg_newtuple : trigdata->tg_trigtuple);
}

/*
 * To be called before ids are stored: whether they have to be reserved.  Locks
 * the table that they are stored in.  Costs next to nothing if they need not.
 */
bool
awspool_begin_reserving(void)
{
	LockRelationOid(awspool_relation("account"), RowExclusiveLock);
	(void) awspool_keep(&registry_table, false);
	return named(RESERVE) != NULL;
}

/*
 * Reserves the ids of accounts that somebody is about to store, and finds
 * those that are taken.  They are well-formed, and were looked up here
 * (lookup.c).  Those that could not be stored anyway are left out.
 */
void
awspool_reserve_ids(NewAccount **accounts, int n)
{
	ask(accounts, n, RESERVE);
}

/*
 * Finds those that are taken, and reserves nothing.  Without a function that
 * looks, none is.
 */
void
awspool_look_at_ids(NewAccount **accounts, int n)
{
	(void) awspool_keep(&registry_table, false);
	if (named(LOOK) != NULL)
		ask(accounts, n, LOOK);
}

/*
 * Enters the name of a function, as the owner; InvalidOid: there is none.
 */
static void
name_function(Purpose purpose, Oid function, const char *actor)
{
	static OwnerQuery enter = {
		.sql = "INSERT INTO awspool.registry AS r"
		" (purpose, schema_name, function_name, since, set_by)"
		" VALUES ($1, $2, $3, pg_catalog.clock_timestamp(), $4)"
		" ON CONFLICT (purpose) DO UPDATE SET"
		" schema_name = EXCLUDED.schema_name,"
		" function_name = EXCLUDED.function_name,"
		" since = EXCLUDED.since, set_by = EXCLUDED.set_by",
		.nargs = 4,
		.argtypes = {TEXTOID, TEXTOID, TEXTOID, TEXTOID}
	};
	static OwnerQuery remove = {
		.sql = "DELETE FROM ONLY awspool.registry WHERE purpose = $1",
		.nargs = 1,
		.argtypes = {TEXTOID}
	};
	Datum		values[4] = {CStringGetTextDatum(purpose_names[purpose])};

	if (!OidIsValid(function))
	{
		(void) awspool_query(&remove, values, NULL);
		return;
	}
	check_function(function);
	if (isAnyTempNamespace(get_func_namespace(function)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("function %s is temporary",
						format_procedure(function))));
	values[1] = CStringGetTextDatum(get_namespace_name(get_func_namespace(function)));
	values[2] = CStringGetTextDatum(get_func_name(function));
	values[3] = CStringGetTextDatum(actor);
	(void) awspool_query(&enter, values, NULL);
}

static void *
read_names(Relation rel, MemoryContext context)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	FunctionName *names = MemoryContextAllocZero(context,
												 PURPOSES * sizeof(FunctionName));
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, snapshot, 0,
										  NULL);
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		MemoryContext caller_context;
		Datum		values[Natts_registry];
		bool		isnull[Natts_registry];
		char	   *purpose;
		FunctionName *name;

		awspool_first_columns(tuple, RelationGetDescr(rel), Natts_registry,
							  values, isnull);
		purpose = TextDatumGetCString(values[Anum_registry_purpose - 1]);
		name = &names[strcmp(purpose, purpose_names[LOOK]) == 0 ? LOOK :
					  RESERVE];
		caller_context = MemoryContextSwitchTo(context);
		name->schema = TextDatumGetCString(values[Anum_registry_schema_name - 1]);
		name->function = TextDatumGetCString(values[Anum_registry_function_name - 1]);
		MemoryContextSwitchTo(caller_context);
	}
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	return names;
}

/* The function for a purpose, as kept; NULL if there is none. */
static const FunctionName *
named(Purpose purpose)
{
	const FunctionName *names = registry_table.kept;

	return names == NULL || names[purpose].function == NULL ? NULL :
		&names[purpose];
}

/*
 * Asks about the accounts that the provider has not here itself, one call for
 * each provider.
 */
static void
ask(NewAccount **accounts, int n, Purpose purpose)
{
	NewAccount **asked = palloc(Max(n, 1) * sizeof(NewAccount *));
	int			nasked = 0;

	for (int i = 0; i < n; i++)
	{
		NewAccount *account = accounts[i];

		/* What reconcile.c knows too little of is stored in no case. */
		if ((account->outcome == STORE_PENDING ||
			 account->outcome == STORE_TAKEN) &&
			account->marketplace != NULL && account->model != NULL)
			asked[nasked++] = account;
	}
	qsort(asked, nasked, sizeof(NewAccount *), compare);
	for (int first = 0, next; first < nasked; first = next)
	{
		for (next = first + 1; next < nasked; next++)
		{
			if (strcmp(asked[next]->provider, asked[first]->provider) != 0)
				break;
		}
		ask_for_provider(asked + first, next - first, purpose);
	}
	pfree(asked);
}

static int
compare(const void *a, const void *b)
{
	const NewAccount *x = *(NewAccount *const *) a;
	const NewAccount *y = *(NewAccount *const *) b;
	int			result = strcmp(x->provider, y->provider);

	return result != 0 ? result : strcmp(x->account_id, y->account_id);
}

/*
 * Asks about accounts of one provider, in the order of their ids.  Raises
 * WS009 if there is no answer that can be relied on.
 */
static void
ask_for_provider(NewAccount **accounts, int n, Purpose purpose)
{
	MemoryContext caller_context = CurrentMemoryContext;
	bool		is_owner = has_privs_of_role(GetUserId(), awspool_owner());

	PG_TRY();
	{
		call(accounts, n, purpose);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(caller_context);
		refuse(is_owner);
	}
	PG_END_TRY();
}

static void
call(NewAccount **accounts, int n, Purpose purpose)
{
	const FunctionName *name = named(purpose);
	Caller		caller;
	Oid			function;
	EState	   *estate;
	TupleDesc	desc = CreateTemplateTupleDesc(1);
	Tuplestorestate *store;
	TupleTableSlot *slot;

	/* It may have gone since: what was asked for another provider did that. */
	if (name == NULL)
		return;

	awspool_begin_queries(&caller);
	function = find_function(name);
	estate = CreateExecutorState();
	TupleDescInitEntry(desc, 1, NULL, TEXTOID, -1, 0);
	awspool_finish_desc(desc);
	store = evaluate(estate, function, desc, accounts[0]->provider,
					 array_of_ids(accounts, n));

	slot = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	while (tuplestore_gettupleslot(store, true, false, slot))
	{
		bool		isnull;
		Datum		id = slot_getattr(slot, 1, &isnull);

		take_answer(accounts, n, isnull ? NULL : TextDatumGetCString(id));
	}
	ExecDropSingleTupleTableSlot(slot);
	tuplestore_end(store);
	FreeExecutorState(estate);
	awspool_end_queries(&caller);
}

/*
 * The function of that name.  To be called as the owner.
 */
static Oid
find_function(const FunctionName *name)
{
	static const Oid types[] = {TEXTOID, TEXTARRAYOID};
	List	   *names = list_make2(makeString(name->schema),
								   makeString(name->function));
	Oid			function = LookupFuncName(names, lengthof(types), types, true);

	if (!OidIsValid(function))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("function %s(text, text[]) does not exist",
						quote_qualified_identifier(name->schema,
												   name->function))));
	check_function(function);
	return function;
}

/*
 * Raises an error unless the function can be asked, and nobody but the owner,
 * or who could do all that the owner can, has written it.  To be called as
 * the owner.
 */
static void
check_function(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Form_pg_proc proc;
	bool		fits;
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("function with OID %u does not exist", function)));
	proc = (Form_pg_proc) GETSTRUCT(tuple);
	fits = proc->prokind == PROKIND_FUNCTION && proc->proretset &&
		proc->prorettype == TEXTOID && proc->pronargs == 2 &&
		proc->proargtypes.values[0] == TEXTOID &&
		proc->proargtypes.values[1] == TEXTARRAYOID;
	owner = proc->proowner;
	ReleaseSysCache(tuple);

	if (!fits)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_FUNCTION_DEFINITION),
				 errmsg("function %s cannot be a registry of account ids",
						format_procedure(function)),
				 errdetail("It must take (text, text[]) and return SETOF text.")));
	if (!has_privs_of_role(owner, GetUserId()))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("function %s belongs to role \"%s\"",
						format_procedure(function),
						GetUserNameFromId(owner, false)),
				 errdetail("It would run with the privileges of the owner of extension \"awspool\", role \"%s\", so it must belong to that, or to a role that has them.",
						   GetUserNameFromId(GetUserId(), false))));
	if (awspool_may_execute(function) != ACLCHECK_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for function %s",
						format_procedure(function)),
				 errdetail("The owner of extension \"awspool\", role \"%s\", must be able to call it.",
						   GetUserNameFromId(GetUserId(), false))));
}

/*
 * Calls the function, as the server does in FROM, and returns its rows.
 */
static Tuplestorestate *
evaluate(EState *estate, Oid function, TupleDesc desc, const char *provider,
		 ArrayType *ids)
{
	ExprContext *context = CreateExprContext(estate);
	List	   *arguments =
		list_make2(makeConst(TEXTOID, -1, DEFAULT_COLLATION_OID, -1,
							 CStringGetTextDatum(provider), false, false),
				   makeConst(TEXTARRAYOID, -1, DEFAULT_COLLATION_OID, -1,
							 PointerGetDatum(ids), false, false));
	FuncExpr   *expression = makeFuncExpr(function, TEXTOID, arguments,
										  DEFAULT_COLLATION_OID,
										  DEFAULT_COLLATION_OID,
										  COERCE_EXPLICIT_CALL);
	SetExprState *state;

	expression->funcretset = true;
	state = ExecInitTableFunctionResult((Expr *) expression, context, NULL);
	return ExecMakeTableFunctionResult(state, context,
									   AllocSetContextCreate(CurrentMemoryContext,
															 "awspool registry arguments",
															 ALLOCSET_DEFAULT_SIZES),
									   desc, false);
}

/* Their ids, which are in order, each once. */
static ArrayType *
array_of_ids(NewAccount **accounts, int n)
{
	Datum	   *ids = palloc(n * sizeof(Datum));
	int			unique = 0;

	for (int i = 0; i < n; i++)
	{
		if (i == 0 || strcmp(accounts[i]->account_id,
							 accounts[i - 1]->account_id) != 0)
			ids[unique++] = CStringGetTextDatum(accounts[i]->account_id);
	}
	return construct_array(ids, unique, TEXTOID, -1, false, TYPALIGN_INT);
}

/*
 * Notes that an id is somebody else's.  Raises an error for what was not
 * asked: who answers so may mean an id that was, in another form.
 */
static void
take_answer(NewAccount **accounts, int n, const char *id)
{
	NewAccount	key = {.account_id = id};
	NewAccount *wanted = &key;
	NewAccount **found = NULL;

	if (id != NULL)
	{
		key.provider = accounts[0]->provider;
		found = bsearch(&wanted, accounts, n, sizeof(NewAccount *), compare);
	}
	if (found == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
				 id == NULL ? errmsg("it answered with NULL") :
				 errmsg("it answered with \"%s\", which it was not asked for",
						awspool_printable(id))));

	/* An id may be there twice. */
	while (found > accounts && compare(found - 1, &wanted) == 0)
		found--;
	for (; found < accounts + n && compare(found, &wanted) == 0; found++)
		(*found)->outcome = STORE_TAKEN;
}

/*
 * Raises WS009 in place of the error that ended the call.  But for what is
 * not the registry's: the session was told to stop, or has no memory; or tells
 * the caller to begin the transaction anew.
 */
static void
refuse(bool is_owner)
{
	ErrorData  *error = CopyErrorData();

	if (ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_TRANSACTION_ROLLBACK ||
		error->sqlerrcode == ERRCODE_QUERY_CANCELED ||
		error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE ||
		error->sqlerrcode == ERRCODE_OUT_OF_MEMORY)
		PG_RE_THROW();
	FlushErrorState();
	ereport(ERROR,
			(errcode(ERRCODE_AWSPOOL_REGISTRY),
			 errmsg("could not ask the registry of account ids"),
			 is_owner ? errdetail("%s", error->message) :
			 errdetail_log("%s", error->message),
			 errhint("Nothing was stored. Try again later.")));
}
