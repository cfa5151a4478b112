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
 * the index of providers or, for a row that is asked for by its id, see from
 * the entry of the primary key whose it is (row.c).
 *
 * That the server cannot look into a function also means that it cannot choose
 * an index for it.  So when it plans a query on view accounts, it asks
 * narrow_accounts, which hands conditions of the form column = value to the
 * function.  They stay conditions of the query as well; what the function
 * does with them is only to leave out what would not pass.  Conditions reach
 * the function if the server trusts them with the rows that a view hides: the
 * equality of texts it does.
 *
 * Rows are read with the snapshot of the statement, as those of a table are.
 *
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/pathnodes.h"
#include "nodes/supportnodes.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

PG_FUNCTION_INFO_V1(awspool_visible_accounts);
PG_FUNCTION_INFO_V1(awspool_narrow_accounts);
PG_FUNCTION_INFO_V1(awspool_count_pools);

/* The columns that the arguments of visible_accounts compare, in their order. */
static const int narrowing[] = {
	Anum_account_account_id,	/* an array */
	Anum_account_provider,
	Anum_account_marketplace,
	Anum_account_status,
	Anum_account_order_id
};

#define NARROW_BY_ID		0
#define NARROW_BY_PROVIDER	1

/* A query on view accounts that is being answered. */
typedef struct Reading
{
	Relation	rel;
	Snapshot	snapshot;
	TupleTableSlot *slot;
	ReturnSetInfo *rsinfo;
	char	   *wanted[lengthof(narrowing)];	/* NULL: any */
	MemoryContext per_row;
} Reading;

/* How often a query calls a function. */
typedef struct Calls
{
	Oid			function;
	int			n;
} Calls;

static void read_ids(Reading *reading, ArrayType *ids);
static void read_provider(Reading *reading, const char *provider);
static void read_all(Reading *reading);
static void put_row(Reading *reading);
static Expr *narrow(PlannerInfo *root, const FuncExpr *call);
static bool is_only_call(Query *query, int rtindex, Oid function);
static bool count_calls(Node *node, void *context);
static Expr *value_wanted(PlannerInfo *root, Node *condition, int rtindex,
						  int argument);
static Expr *value_equalled(PlannerInfo *root, Node *condition, int rtindex,
							int argument);
static bool is_column(Node *node, int rtindex, int column);
static Expr *array_of(Expr *value);

/*
 * awspool.visible_accounts(account_ids, provider, marketplace, status,
 *							order_id)
 *
 * The accounts of the caller's providers that match all arguments which are
 * not NULL, in no order.
 */
Datum
awspool_visible_accounts(PG_FUNCTION_ARGS)
{
	Reading		reading = {
		.rsinfo = awspool_begin_rows(fcinfo, Natts_accounts,
									 awspool_account_types),
		.snapshot = GetActiveSnapshot()
	};
	ListCell   *cell;

	for (size_t i = NARROW_BY_PROVIDER; i < lengthof(narrowing); i++)
		reading.wanted[i] = awspool_text_argument(fcinfo, i);
	reading.rel = table_open(awspool_relation("account"), AccessShareLock);
	reading.slot = table_slot_create(reading.rel, NULL);
	reading.per_row = AllocSetContextCreate(CurrentMemoryContext,
											"awspool row",
											ALLOCSET_DEFAULT_SIZES);

	if (!PG_ARGISNULL(NARROW_BY_ID))
		read_ids(&reading, PG_GETARG_ARRAYTYPE_P(NARROW_BY_ID));
	else if (reading.wanted[NARROW_BY_PROVIDER] != NULL)
	{
		if (awspool_acts_for(reading.wanted[NARROW_BY_PROVIDER]))
			read_provider(&reading, reading.wanted[NARROW_BY_PROVIDER]);
	}
	else if (awspool_acts_for_all())
		read_all(&reading);
	else
	{
		foreach(cell, awspool_granted_providers())
			read_provider(&reading, lfirst(cell));
	}

	MemoryContextDelete(reading.per_row);
	ExecDropSingleTupleTableSlot(reading.slot);
	table_close(reading.rel, AccessShareLock);
	return (Datum) 0;
}

/* Reads the accounts of those ids, each once. */
static void
read_ids(Reading *reading, ArrayType *array)
{
	Datum	   *elements;
	bool	   *isnull;
	int			nelements;
	char	  **ids;
	int			n = 0;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT,
					  &elements, &isnull, &nelements);
	ids = palloc(Max(nelements, 1) * sizeof(char *));
	for (int i = 0; i < nelements; i++)
	{
		if (!isnull[i])
			ids[n++] = TextDatumGetCString(elements[i]);
	}

	qsort(ids, n, sizeof(char *), pg_qsort_strcmp);
	for (int i = 0; i < n; i++)
	{
		MemoryContext caller_context;
		bool		found;

		CHECK_FOR_INTERRUPTS();
		if (i > 0 && strcmp(ids[i], ids[i - 1]) == 0)
			continue;
		caller_context = MemoryContextSwitchTo(reading->per_row);
		found = awspool_find_account(reading->rel, reading->snapshot, ids[i],
									 NULL, awspool_acts_for, reading->slot);
		MemoryContextSwitchTo(caller_context);
		if (found)
			put_row(reading);
		MemoryContextReset(reading->per_row);
	}
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

/* Returns the row that was read, if it is wanted. */
static void
put_row(Reading *reading)
{
	MemoryContext caller_context;

	CHECK_FOR_INTERRUPTS();
	for (size_t i = NARROW_BY_PROVIDER; i < lengthof(narrowing); i++)
	{
		if (reading->wanted[i] != NULL &&
			!awspool_column_is(reading->slot, narrowing[i],
							   reading->wanted[i]))
			return;
	}

	caller_context = MemoryContextSwitchTo(reading->per_row);
	tuplestore_puttuple(reading->rsinfo->setResult,
						awspool_public_row(reading->rsinfo->setDesc,
										   reading->slot));
	MemoryContextSwitchTo(caller_context);
	MemoryContextReset(reading->per_row);
}

/*
 * Planner support: the call of visible_accounts with as many arguments as the
 * conditions of the query give.
 */
Datum
awspool_narrow_accounts(PG_FUNCTION_ARGS)
{
	Node	   *request = (Node *) PG_GETARG_POINTER(0);
	Expr	   *narrowed = NULL;

	if (IsA(request, SupportRequestSimplify))
	{
		SupportRequestSimplify *simplify = (SupportRequestSimplify *) request;

		/* What is no query may be simplified as if it were one. */
		if (simplify->root != NULL && simplify->root->parse != NULL)
			narrowed = narrow(simplify->root, simplify->fcall);
	}
	PG_RETURN_POINTER(narrowed);
}

/*
 * The call with more arguments; NULL if the query gives none.  The query has to
 * read from this function alone, as the view does: what a query on the view
 * asks for has become a condition of the view's own by now.
 */
static Expr *
narrow(PlannerInfo *root, const FuncExpr *call)
{
	FromExpr   *from = root->parse->jointree;
	FuncExpr   *narrowed = makeNode(FuncExpr);
	bool		any = false;
	int			rtindex;

	if (list_length(from->fromlist) != 1 ||
		!IsA(linitial(from->fromlist), RangeTblRef) ||
		list_length(call->args) != lengthof(narrowing))
		return NULL;
	rtindex = linitial_node(RangeTblRef, from->fromlist)->rtindex;
	if (!is_only_call(root->parse, rtindex, call->funcid))
		return NULL;

	*narrowed = *call;
	narrowed->args = list_copy(call->args);
	for (size_t i = 0; i < lengthof(narrowing); i++)
	{
		ListCell   *argument = list_nth_cell(narrowed->args, i);
		Expr	   *value = value_wanted(root, from->quals, rtindex, i);

		if (value == NULL || !IsA(lfirst(argument), Const) ||
			!((Const *) lfirst(argument))->constisnull)
			continue;
		lfirst(argument) = value;
		any = true;
	}
	return any ? (Expr *) narrowed : NULL;
}

/*
 * Whether the query reads from that function alone at that place, and calls it
 * nowhere else.  The server does not tell where the call that it simplifies
 * stands, and a call among the columns returns rows that no condition is about.
 */
static bool
is_only_call(Query *query, int rtindex, Oid function)
{
	RangeTblEntry *rte = rt_fetch(rtindex, query->rtable);
	Node	   *call;
	Calls		calls = {.function = function};

	if (rte->rtekind != RTE_FUNCTION || rte->funcordinality ||
		list_length(rte->functions) != 1)
		return false;
	call = linitial_node(RangeTblFunction, rte->functions)->funcexpr;
	if (!IsA(call, FuncExpr) || ((FuncExpr *) call)->funcid != function)
		return false;

	(void) query_tree_walker(query, count_calls, &calls,
							 QTW_IGNORE_RT_SUBQUERIES |
							 QTW_IGNORE_CTE_SUBQUERIES);
	return calls.n == 1;
}

/* Queries within the query are planned by themselves. */
static bool
count_calls(Node *node, void *context)
{
	Calls	   *calls = context;

	if (node == NULL || IsA(node, Query))
		return false;
	if (IsA(node, FuncExpr) && ((FuncExpr *) node)->funcid == calls->function)
		calls->n++;
	return expression_tree_walker(node, count_calls, context);
}

/*
 * What the conditions of a query say that an argument's column has to equal;
 * NULL if they do not say.
 */
static Expr *
value_wanted(PlannerInfo *root, Node *condition, int rtindex, int argument)
{
	Expr	   *value = NULL;
	ListCell   *cell;

	if (condition == NULL)
		return NULL;
	if (!is_andclause(condition))
		return value_equalled(root, condition, rtindex, argument);
	foreach(cell, ((BoolExpr *) condition)->args)
	{
		if (value == NULL)
			value = value_wanted(root, lfirst(cell), rtindex, argument);
	}
	return value;
}

/*
 * The same of a single condition.  The value must be the same for all rows.
 */
static Expr *
value_equalled(PlannerInfo *root, Node *condition, int rtindex, int argument)
{
	int			column = narrowing[argument];
	Oid			operator;
	Oid			collation;
	List	   *args;
	Node	   *value;
	bool		is_array = false;

	if (IsA(condition, OpExpr))
	{
		operator = ((OpExpr *) condition)->opno;
		collation = ((OpExpr *) condition)->inputcollid;
		args = ((OpExpr *) condition)->args;
	}
	else if (IsA(condition, ScalarArrayOpExpr) && argument == NARROW_BY_ID &&
			 ((ScalarArrayOpExpr *) condition)->useOr)
	{
		operator = ((ScalarArrayOpExpr *) condition)->opno;
		collation = ((ScalarArrayOpExpr *) condition)->inputcollid;
		args = ((ScalarArrayOpExpr *) condition)->args;
		is_array = true;
	}
	else
		return NULL;

	/* The function compares bytes.  Without a collation it is an error. */
	if (operator != TextEqualOperator || !OidIsValid(collation) ||
		!get_collation_isdeterministic(collation))
		return NULL;
	if (is_column(linitial(args), rtindex, column))
		value = lsecond(args);
	else if (!is_array && is_column(lsecond(args), rtindex, column))
		value = linitial(args);
	else
		return NULL;
	if (contain_var_clause(value) || contain_subplans(value) ||
		contain_volatile_functions(value))
		return NULL;

	value = eval_const_expressions(root, copyObject(value));
	return argument == NARROW_BY_ID && !is_array ?
		array_of((Expr *) value) : (Expr *) value;
}

static bool
is_column(Node *node, int rtindex, int column)
{
	Var		   *var = (Var *) node;

	return IsA(node, Var) && var->varno == rtindex &&
		var->varattno == column && var->varlevelsup == 0;
}

static Expr *
array_of(Expr *value)
{
	ArrayExpr  *array = makeNode(ArrayExpr);

	array->array_typeid = TEXTARRAYOID;
	array->array_collid = exprCollation((Node *) value);
	array->element_typeid = TEXTOID;
	array->elements = list_make1(value);
	array->location = -1;
	return (Expr *) array;
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
	static OwnerQuery of_all = {
		.sql = COUNT_POOLS(""),
		.reads_only = true
	};
	static OwnerQuery of_some = {
		.sql = COUNT_POOLS(" WHERE provider = ANY ($1)"),
		.reads_only = true,
		.nargs = 1,
		.argtypes = {TEXTARRAYOID}
	};
	ReturnSetInfo *rsinfo = awspool_begin_rows(fcinfo, lengthof(types), types);
	/* Who has to wait for the table is asked who they are after that. */
	Relation	rel = table_open(awspool_relation("account"), AccessShareLock);
	bool		all = awspool_acts_for_all();
	Datum		providers = DirectFunctionCall1(awspool_my_providers,
												(Datum) 0);
	Caller		caller;
	uint64		pools;

	awspool_begin_queries(&caller);
	pools = awspool_query(all ? &of_all : &of_some, &providers, NULL);
	for (uint64 i = 0; i < pools; i++)
		tuplestore_puttuple(rsinfo->setResult, SPI_tuptable->vals[i]);
	awspool_end_queries(&caller);
	table_close(rel, AccessShareLock);
	return (Datum) 0;
}
