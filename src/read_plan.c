/*-------------------------------------------------------------------------
 *
 * read_plan.c
 *	  Which ways to read view accounts the planner is offered (read.c).
 *
 * The view is a query on the function visible_accounts(), which the planner
 * pulls up, so a query on the view is one on the function.  For exactly that
 * call, without arguments and by itself, each way that fits the conditions is
 * offered in the function's stead.  Any other call stays what it is.
 *
 * A condition fits if it demands that a column of the index equals something,
 * or lies within a range, that is the same for all accounts: a constant, a
 * parameter, an element of an array, one of several alternatives, or, in a
 * join, a column of another relation.  The server must trust the operator with
 * rows of others, which is so for all those that an index knows; and it must
 * compare as the index does, by bytes.
 *
 * Estimates come from how large the table is, which is no secret, and from
 * constants: what others have stored shows nowhere in a plan.
 *
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

#include <math.h>

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/namespace.h"
#include "catalog/pg_language.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_statistic.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/supportnodes.h"
#include "optimizer/clauses.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/plancat.h"
#include "optimizer/planmain.h"
#include "optimizer/restrictinfo.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/selfuncs.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

PG_FUNCTION_INFO_V1(awspool_plan_accounts);
PG_FUNCTION_INFO_V1(awspool_narrow_accounts);

/* How many there are, it is assumed; nobody knows. */
#define PROVIDERS			2
#define MARKETPLACES		20
#define MODELS				2

/* Entries of a page of an index, and the part of all that a sample may miss. */
#define ENTRIES_OF_PAGE		100.0
#define LOST_IN_SAMPLE		0.001

/* What a row costs that has to be fetched from anywhere, or from near by. */
#define FAR_PAGES			1.0
#define NEAR_PAGES			0.1

/* What an index is asked for: column operator value. */
typedef struct Key
{
	int			column;
	Oid			operator;
	bool		is_array;
	int			strategy;
	Oid			type;			/* of the value */
	Expr	   *value;
} Key;

/* A way that is being offered. */
typedef struct Offer
{
	PlannerInfo *root;
	RelOptInfo *rel;
	Oid			function;
	ReadWayNumber way;
	List	   *keys;			/* Keys */
	List	   *ranges;			/* RestrictInfos of those that are no equality */
	Relids		outer;			/* relations whose columns are in keys */
} Offer;

static set_rel_pathlist_hook_type next_pathlist_hook = NULL;
static get_relation_stats_hook_type next_stats_hook = NULL;

static void offer_ways(PlannerInfo *root, RelOptInfo *rel, Index rti,
					   RangeTblEntry *rte);
static FuncExpr *our_call(const RangeTblEntry *rte);
static bool is_our_function(Oid function);
static bool has_indexes(const ReadWay *way);
static void offer_way(const Offer *begun);
static void offer_joins(const Offer *begun);
static List *join_clauses(const Offer *begun, int column);
static List *joined_providers(const Offer *offered, List *clauses);
static bool has_all_equals(const Offer *offer);
static void offer_orders(const Offer *offer);
static void offer_order(const Offer *offer, ScanDirection direction,
						Expr *column, Oid operator);
static void offer(const Offer *offer, ScanDirection direction, List *pathkeys);
static List *implied_of(const Offer *offer, List *conditions);
static bool is_implied(const Offer *offer, Node *clause);
static bool is_one_of_keys(const Offer *offer, Node *clause);
static bool are_all_keys(const Offer *offer, Node *clause, const int *columns);
static bool is_same_key(const Key *a, const Key *b);
static bool is_plain(Node *clause);
static Cost cost_of(const Offer *offer);
static double count_values(const Offer *offer, int column);
static double share_of(const Offer *offer, int column, double distinct);
static double share_of_statuses(const ReadWay *way, double accounts);
static double count_entries(const char *name, double accounts);
static List *packed_keys(const Offer *offer, List **values);
static bool demand_status(const Offer *offer);
static bool has_status(const Offer *offer, Node *clause);
static bool holds(const ReadWay *way, const char *status);
static List *statuses_of(const Key *key);
static List *demand_equal(const Offer *offer, const int *columns);
static List *equalled(const Offer *offer, Node *clause, const int *columns);
static List *equalled_by_any(const Offer *offer, List *arms,
							 const int *columns);
static void demand_range(Offer *offer, int column);
static bool match(const Offer *offer, Node *clause, int column, Key *key);
static bool fits_index(Oid operator, Oid collation, Oid column_type, Key *key);
static bool is_seen(List *seen, Relids outer);
static bool is_column(Node *node, Index rti, int column);
static bool is_our_column(PlannerInfo *root, RelOptInfo *rel,
						  EquivalenceClass *ec, EquivalenceMember *member,
						  void *column);
static Oid	type_of(int column);
static Plan *make_plan(PlannerInfo *root, RelOptInfo *rel, CustomPath *path,
					   List *tlist, List *clauses, List *custom_plans);
static bool describe_column(PlannerInfo *root, RangeTblEntry *rte,
							AttrNumber column, VariableStatData *vardata);
static HeapTuple statistics(AttrNumber column, float4 distinct,
							Datum frequencies, Datum most_common);
static HeapTuple status_statistics(void);

/* Columns to be equalled, and 0. */
static const int provider_column[] = {Anum_account_provider, 0};
static const int status_column[] = {Anum_account_status, 0};

static const CustomPathMethods path_methods =
{
	.CustomName = "awspool accounts",
	.PlanCustomPath = make_plan
};

void
awspool_init_read_plan(void)
{
	RegisterCustomScanMethods(&awspool_read_methods);
	next_pathlist_hook = set_rel_pathlist_hook;
	set_rel_pathlist_hook = offer_ways;
	next_stats_hook = get_relation_stats_hook;
	get_relation_stats_hook = describe_column;
}

/*
 * Planner support of visible_accounts: how many accounts there are, of all
 * providers together, as the size of the table tells.
 *
 * The planner asks before it looks for paths.  So this is also what has the
 * library loaded by then, in a session that has not called us before.
 */
Datum
awspool_plan_accounts(PG_FUNCTION_ARGS)
{
	Node	   *request = (Node *) PG_GETARG_POINTER(0);
	Relation	rel;
	BlockNumber pages;
	double		tuples;
	double		all_visible;

	if (!IsA(request, SupportRequestRows))
		PG_RETURN_POINTER(NULL);

	rel = table_open(awspool_relation("account"), AccessShareLock);
	table_relation_estimate_size(rel, NULL, &pages, &tuples, &all_visible);
	table_close(rel, AccessShareLock);
	((SupportRequestRows *) request)->rows = Max(tuples, 1);
	PG_RETURN_POINTER(request);
}

/*
 * The same, by the name that it has in the script of version 1.0.
 */
Datum
awspool_narrow_accounts(PG_FUNCTION_ARGS)
{
	return awspool_plan_accounts(fcinfo);
}

/*
 * The hook: the ways that fit, in place of the function.
 */
static void
offer_ways(PlannerInfo *root, RelOptInfo *rel, Index rti, RangeTblEntry *rte)
{
	FuncExpr   *call;
	Offer		begun = {.root = root, .rel = rel};
	bool		by_status = false;

	if (next_pathlist_hook != NULL)
		next_pathlist_hook(root, rel, rti, rte);
	call = our_call(rte);
	if (call == NULL || IS_DUMMY_REL(rel))
		return;

	/*
	 * A plan is made anew, as that of a table is, when the table has become
	 * another one, or ANALYZE finds that it has grown.
	 */
	root->glob->relationOids = list_append_unique_oid(root->glob->relationOids,
													  awspool_relation("account"));

	/* If an index is missing that all can be read by, the function says so. */
	if (!has_indexes(&awspool_read_ways[READ_ALL]))
		return;
	rel->pathlist = NIL;
	begun.function = call->funcid;
	begun.outer = rel->lateral_relids;
	begun.keys = demand_equal(&begun, provider_column);
	for (begun.way = 0; begun.way < READ_WAYS; begun.way++)
	{
		const ReadWay *way = &awspool_read_ways[begun.way];

		if (!has_indexes(way) ||
			(way->statuses[0] != NULL && !demand_status(&begun)))
			continue;
		by_status |= way->statuses[0] != NULL;

		/* Oldest first, it would read all that was ever sold on its way. */
		if (begun.way == READ_BY_AGE && by_status)
			continue;
		offer_way(&begun);
	}
}

/*
 * The call of visible_accounts that this range table entry is, without
 * arguments and by itself; NULL if it is something else.
 */
static FuncExpr *
our_call(const RangeTblEntry *rte)
{
	FuncExpr   *call;
	ListCell   *cell;

	if (rte->rtekind != RTE_FUNCTION || rte->funcordinality ||
		list_length(rte->functions) != 1)
		return NULL;
	call = (FuncExpr *) linitial_node(RangeTblFunction,
									  rte->functions)->funcexpr;
	if (!IsA(call, FuncExpr) || !is_our_function(call->funcid))
		return NULL;
	foreach(cell, call->args)
	{
		if (!IsA(lfirst(cell), Const) || !((Const *) lfirst(cell))->constisnull)
			return NULL;
	}
	return call;
}

/*
 * Whether a function is visible_accounts, of the extension.  Where the library
 * is preloaded, but the extension was not created, anybody may have a schema
 * of that name, with whatever they like in it.  But only superusers make
 * functions in C.
 */
static bool
is_our_function(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Form_pg_proc row;
	bool		is_ours;

	if (!HeapTupleIsValid(tuple))
		return false;
	row = (Form_pg_proc) GETSTRUCT(tuple);
	is_ours = row->prolang == ClanguageId &&
		strcmp(NameStr(row->proname), "visible_accounts") == 0 &&
		row->pronamespace == get_namespace_oid("awspool", true);
	ReleaseSysCache(tuple);
	return is_ours;
}

/*
 * Whether the indexes of a way are there, with all its columns, and valid: the
 * script of version 1.0 made fewer.
 */
static bool
has_indexes(const ReadWay *way)
{
	int			columns = way->has_provider + (way->equals[0] != 0) +
		(way->order != 0);

	for (size_t i = 0; i < lengthof(way->indexes); i++)
	{
		Oid			index;

		if (way->indexes[i] == NULL)
			continue;
		index = awspool_find_relation(way->indexes[i]);
		if (!SearchSysCacheExists2(ATTNUM, ObjectIdGetDatum(index),
								   Int16GetDatum(columns)) ||
			!get_index_isvalid(index))
			return false;
	}
	return true;
}

/*
 * Offers a way with what the query demands of the column that has to equal
 * something, and of the order.  Along the indexes of ids and orders only with
 * such a demand.
 */
static void
offer_way(const Offer *begun)
{
	const ReadWay *way = &awspool_read_ways[begun->way];
	Offer		offered = *begun;
	List	   *keys = demand_equal(begun, way->equals);

	offered.keys = list_concat_copy(begun->keys, keys);
	if (way->is_lookup)
	{
		offer_joins(begun);
		if (!has_all_equals(&offered))
			return;
	}

	/* In the order of the index, if what comes before is one thing. */
	if (way->order != 0 &&
		(way->equals[0] == 0 || list_length(keys) == 1) &&
		(keys == NIL || !((Key *) linitial(keys))->is_array))
	{
		demand_range(&offered, way->order);
		offer_orders(&offered);
	}
	else
		offer(&offered, NoMovementScanDirection, NIL);
}

/*
 * Offers a way for each set of other relations whose columns say what the
 * column has to equal and, if they do, whose the account has to be.
 */
static void
offer_joins(const Offer *begun)
{
	RelOptInfo *rel = begun->rel;
	const int  *columns = awspool_read_ways[begun->way].equals;
	List	   *owners = begun->keys == NIL ?
		join_clauses(begun, Anum_account_provider) : NIL;
	List	   *seen = NIL;
	ListCell   *cell;

	foreach(cell, join_clauses(begun, columns[0]))
	{
		RestrictInfo *condition = lfirst(cell);
		Offer		offered = *begun;
		List	   *keys = equalled(begun, (Node *) condition->clause,
									columns);

		offered.outer = bms_union(condition->clause_relids,
								  rel->lateral_relids);
		offered.outer = bms_del_member(offered.outer, rel->relid);
		offered.keys = list_concat_copy(begun->keys, keys);
		if (!has_all_equals(&offered) || bms_is_empty(offered.outer) ||
			is_seen(seen, offered.outer))
			continue;
		seen = lappend(seen, offered.outer);
		offered.keys = list_concat(joined_providers(&offered, owners),
								   offered.keys);
		offer(&offered, NoMovementScanDirection, NIL);
	}
}

/*
 * The conditions of joins that may say what a column has to equal.
 */
static List *
join_clauses(const Offer *begun, int column)
{
	RelOptInfo *rel = begun->rel;
	List	   *clauses = NIL;
	List	   *result = NIL;
	ListCell   *cell;

	if (rel->has_eclass_joins)
		clauses = generate_implied_equalities_for_column(begun->root, rel,
														 is_our_column,
														 &column,
														 rel->lateral_referencers);
	clauses = list_concat(clauses, list_copy(rel->joininfo));
	foreach(cell, clauses)
	{
		RestrictInfo *condition = lfirst(cell);

		if (join_clause_is_movable_to(condition, rel) &&
			restriction_is_securely_promotable(condition, rel))
			result = lappend(result, condition);
	}
	return result;
}

/*
 * What the relations of an offer say of the provider, as keys; NIL if nothing.
 */
static List *
joined_providers(const Offer *offered, List *clauses)
{
	List	   *keys = NIL;
	ListCell   *cell;

	foreach(cell, clauses)
	{
		RestrictInfo *condition = lfirst(cell);
		Relids		others = bms_difference(condition->clause_relids,
											offered->rel->relids);

		if (keys == NIL && bms_is_subset(others, offered->outer))
			keys = equalled(offered, (Node *) condition->clause,
							provider_column);
	}
	return keys;
}

/* Whether there is a key for each column that a way equals. */
static bool
has_all_equals(const Offer *offered)
{
	for (const int *column = awspool_read_ways[offered->way].equals;
		 *column != 0; column++)
	{
		bool		found = false;
		ListCell   *cell;

		foreach(cell, offered->keys)
			found |= ((Key *) lfirst(cell))->column == *column;
		if (!found)
			return false;
	}
	return true;
}

/* Before server 16 a set is no node, and list_member() is for nodes. */
static bool
is_seen(List *seen, Relids outer)
{
	ListCell   *cell;

	foreach(cell, seen)
	{
		if (bms_equal(lfirst(cell), outer))
			return true;
	}
	return false;
}

/*
 * Offers a way in the order of its index, forwards and backwards, where the
 * query can use that, and in no order.  By age and in no order only for a
 * range: READ_ALL is at least as good otherwise.
 */
static void
offer_orders(const Offer *offered)
{
	int			column = awspool_read_ways[offered->way].order;
	Oid			type_id = type_of(column);
	TypeCacheEntry *type = lookup_type_cache(type_id, TYPECACHE_LT_OPR |
											 TYPECACHE_GT_OPR);
	Expr	   *var = (Expr *) makeVar(offered->rel->relid, column, type_id, -1,
									   InvalidOid, 0);

	offer_order(offered, ForwardScanDirection, var, type->lt_opr);
	offer_order(offered, BackwardScanDirection, var, type->gt_opr);
	if (offered->way != READ_BY_AGE || offered->ranges != NIL)
		offer(offered, NoMovementScanDirection, NIL);
}

/*
 * Offers a way in an order, which is also the one with NULLS FIRST or LAST: in
 * the rows of an index that has an order, the column that it is of is not NULL.
 */
static void
offer_order(const Offer *offered, ScanDirection direction, Expr *column,
			Oid operator)
{
	PlannerInfo *root = offered->root;
	List	   *keys = awspool_expression_pathkey(root, column, operator,
												  offered->rel->relids);
	PathKey    *turned;

	if (keys == NIL)
		return;
	offer(offered, direction, keys);
	turned = awspool_turn_nulls(root, linitial_node(PathKey, keys));
	if (list_member_ptr(root->query_pathkeys, turned))
		offer(offered, direction, list_make1(turned));
}

static void
offer(const Offer *offered, ScanDirection direction, List *pathkeys)
{
	CustomPath *custom = makeNode(CustomPath);
	Path	   *path = &custom->path;
	RelOptInfo *rel = offered->rel;
	List	   *values = NIL;
	List	   *keys = packed_keys(offered, &values);

	path->pathtype = T_CustomScan;
	path->parent = rel;
	path->pathtarget = rel->reltarget;
	path->param_info = get_baserel_parampathinfo(offered->root, rel,
												 offered->outer);
	path->pathkeys = pathkeys;
	path->rows = path->param_info ? path->param_info->ppi_rows : rel->rows;
	path->startup_cost = rel->baserestrictcost.startup;
	path->total_cost = path->startup_cost + cost_of(offered);

	custom->flags = CUSTOMPATH_SUPPORT_PROJECTION;
	custom->custom_private =
		list_make4(list_make3_int(offered->function, offered->way, direction),
				   keys, values,
				   list_concat(implied_of(offered, rel->baserestrictinfo),
							   path->param_info == NULL ? NIL :
							   implied_of(offered,
										  path->param_info->ppi_clauses)));
	custom->methods = &path_methods;
	add_path(rel, path);
}

/* The conditions that each row of an offer fulfils. */
static List *
implied_of(const Offer *offered, List *conditions)
{
	List	   *result = NIL;
	ListCell   *cell;

	foreach(cell, conditions)
	{
		RestrictInfo *condition = lfirst(cell);

		if (is_implied(offered, (Node *) condition->clause))
			result = lappend(result, condition);
	}
	return result;
}

/*
 * Whether a clause says what the keys say, or what the indexes do.
 */
static bool
is_implied(const Offer *offered, Node *clause)
{
	return is_one_of_keys(offered, clause) ||
		(is_plain(clause) &&
		 (are_all_keys(offered, clause, provider_column) ||
		  are_all_keys(offered, clause,
					   awspool_read_ways[offered->way].equals) ||
		  has_status(offered, clause)));
}

/* Of a range: each of its keys has to be fulfilled. */
static bool
is_one_of_keys(const Offer *offered, Node *clause)
{
	int			column = awspool_read_ways[offered->way].order;
	Key			key;
	ListCell   *cell;

	if (column == 0 || !match(offered, clause, column, &key) || key.is_array)
		return false;
	foreach(cell, offered->keys)
	{
		if (is_same_key(lfirst(cell), &key))
			return true;
	}
	return false;
}

/* Of what columns have to equal: any of the keys has to be fulfilled. */
static bool
are_all_keys(const Offer *offered, Node *clause, const int *columns)
{
	List	   *keys = equalled(offered, clause, columns);
	int			n = 0;
	ListCell   *cell;

	foreach(cell, offered->keys)
	{
		const Key  *key = lfirst(cell);

		if (key->column != columns[0] && key->column != columns[1])
			continue;
		if (n == list_length(keys) || !is_same_key(key, list_nth(keys, n)))
			return false;
		n++;
	}
	return n > 0 && n == list_length(keys);
}

static bool
is_same_key(const Key *a, const Key *b)
{
	return a->column == b->column && a->operator == b->operator &&
		a->is_array == b->is_array && equal(a->value, b->value);
}

/* Whether a clause is a comparison, or alternatives that are. */
static bool
is_plain(Node *clause)
{
	ListCell   *cell;

	if (!is_orclause(clause))
		return IsA(clause, OpExpr) || IsA(clause, ScalarArrayOpExpr);
	foreach(cell, ((BoolExpr *) clause)->args)
	{
		if (!is_plain(lfirst(cell)))
			return false;
	}
	return true;
}

/* Whether a clause is true of every status that the indexes of the way hold. */
static bool
has_status(const Offer *offered, Node *clause)
{
	const ReadWay *way = &awspool_read_ways[offered->way];
	List	   *statuses = NIL;
	ListCell   *cell;

	foreach(cell, equalled(offered, clause, status_column))
		statuses = list_concat(statuses, statuses_of(lfirst(cell)));
	for (size_t i = 0; i < lengthof(way->statuses); i++)
	{
		bool		found = way->statuses[i] == NULL;

		foreach(cell, statuses)
			found = found || strcmp(lfirst(cell), way->statuses[i]) == 0;
		if (!found)
			return false;
	}
	return way->statuses[0] != NULL;
}

/*
 * What it costs to find the first row of each look-up, and to read the rows
 * that pass the keys.
 */
static Cost
cost_of(const Offer *offered)
{
	const ReadWay *way = &awspool_read_ways[offered->way];
	RelOptInfo *rel = offered->rel;
	double		lookups = 0;
	double		rows;
	double		pages = way->is_lookup ? FAR_PAGES : NEAR_PAGES;
	Cost		per_row = cpu_tuple_cost + cpu_index_tuple_cost +
		rel->baserestrictcost.per_tuple;
	Cost		per_lookup = random_page_cost +
		50 * cpu_operator_cost * ceil(log2(rel->tuples + 2));

	for (const int *column = way->equals; *column != 0; column++)
		lookups += count_values(offered, *column);
	rows = lookups = Max(lookups, 1);
	if (!way->is_lookup)
		rows = rel->tuples *
			share_of(offered, Anum_account_provider, PROVIDERS) *
			share_of(offered, Anum_account_marketplace, MARKETPLACES) *
			share_of_statuses(way, rel->tuples) *
			clauselist_selectivity(offered->root, offered->ranges, rel->relid,
								   JOIN_INNER, NULL);
	if (way->indexes[1] != NULL)
		per_lookup *= 2;
	return lookups * per_lookup +
		clamp_row_est(rows) * (per_row + pages * random_page_cost);
}

/* How many values the keys have for a column. */
static double
count_values(const Offer *offered, int column)
{
	double		n = 0;
	ListCell   *cell;

	foreach(cell, offered->keys)
	{
		const Key  *key = lfirst(cell);

		if (key->column == column)
			n += !key->is_array ? 1 :
				awspool_array_length(offered->root, (Node *) key->value);
	}
	return n;
}

/* Which part of all accounts passes the keys of a column. */
static double
share_of(const Offer *offered, int column, double distinct)
{
	double		n = count_values(offered, column);

	return n > 0 && n < distinct ? n / distinct : 1;
}

/* Which part of all accounts has a status that the indexes of a way hold. */
static double
share_of_statuses(const ReadWay *way, double accounts)
{
	double		entries = 0;

	if (way->statuses[0] == NULL)
		return 1;
	for (size_t i = 0; i < lengthof(way->indexes); i++)
	{
		if (way->indexes[i] != NULL)
			entries += count_entries(way->indexes[i], accounts);
	}
	return Min(entries / Max(accounts, 1), 1);
}

/*
 * How many entries an index has, of all providers together, as its size tells;
 * none if there is no such index, in the script of version 1.0.  For that it
 * need not be valid.
 *
 * The server knows from a sample, in which of a few accounts among millions
 * there may be none.  To expect too few, and read them once for each row of a
 * join, is worse than to expect some thousands too many.
 */
static double
count_entries(const char *name, double accounts)
{
	Oid			relation = awspool_find_relation(name);
	Relation	index = NULL;
	BlockNumber pages;
	double		entries;
	double		all_visible;

	if (OidIsValid(relation))
		index = try_relation_open(relation, AccessShareLock);
	if (index == NULL)
		return 0;
	estimate_rel_size(index, NULL, &pages, &entries, &all_visible);
	relation_close(index, AccessShareLock);
	return Max(entries, Min((double) pages * ENTRIES_OF_PAGE,
							accounts * LOST_IN_SAMPLE));
}

/* The keys as read.c expects them in a plan, and their values. */
static List *
packed_keys(const Offer *offered, List **values)
{
	List	   *keys = NIL;
	ListCell   *cell;

	foreach(cell, offered->keys)
	{
		const Key  *key = lfirst(cell);

		keys = lappend(keys, list_make5_int(key->column, key->operator,
											key->is_array, key->strategy,
											key->type));
		*values = lappend(*values, key->value);
	}
	return keys;
}

/*
 * Whether the query demands a status that the indexes of the way hold.
 */
static bool
demand_status(const Offer *offered)
{
	List	   *keys = demand_equal(offered, status_column);
	ListCell   *cell;
	ListCell   *status;

	foreach(cell, keys)
	{
		List	   *statuses = statuses_of(lfirst(cell));

		if (statuses == NIL)
			return false;
		foreach(status, statuses)
		{
			if (!holds(&awspool_read_ways[offered->way], lfirst(status)))
				return false;
		}
	}
	return keys != NIL;
}

static bool
holds(const ReadWay *way, const char *status)
{
	for (size_t i = 0; i < lengthof(way->statuses); i++)
	{
		if (way->statuses[i] != NULL && strcmp(way->statuses[i], status) == 0)
			return true;
	}
	return false;
}

/*
 * The statuses that a key allows; NIL if that is not known.  Only what is known
 * now will do: a plan is kept, a parameter changes.
 */
static List *
statuses_of(const Key *key)
{
	Const	   *value = (Const *) key->value;
	Datum	   *elements;
	bool	   *isnull;
	int			n = 1;
	List	   *statuses = NIL;

	if (!IsA(value, Const) || value->constisnull)
		return NIL;
	elements = &value->constvalue;
	isnull = &value->constisnull;
	if (key->is_array)
		deconstruct_array(DatumGetArrayTypeP(value->constvalue), TEXTOID, -1,
						  false, TYPALIGN_INT, &elements, &isnull, &n);
	for (int i = 0; i < n; i++)
	{
		if (!isnull[i])
			statuses = lappend(statuses, TextDatumGetCString(elements[i]));
	}
	return statuses;
}

/*
 * What the query demands that a column equals, or one of two: the values of the
 * first condition that does so, as keys; NIL if there is none.
 */
static List *
demand_equal(const Offer *offered, const int *columns)
{
	List	   *keys = NIL;
	ListCell   *cell;

	foreach(cell, offered->rel->baserestrictinfo)
	{
		RestrictInfo *condition = lfirst(cell);

		if (keys == NIL && !condition->pseudoconstant &&
			restriction_is_securely_promotable(condition, offered->rel))
			keys = equalled(offered, (Node *) condition->clause, columns);
	}
	return keys;
}

/*
 * The values, one of which a column has to equal for a clause to be true, as
 * keys; NIL if it demands nothing of the kind.  Of several columns any will do.
 */
static List *
equalled(const Offer *offered, Node *clause, const int *columns)
{
	Key			key;
	ListCell   *cell;

	if (is_orclause(clause))
		return equalled_by_any(offered, ((BoolExpr *) clause)->args, columns);
	if (is_andclause(clause))
	{
		foreach(cell, ((BoolExpr *) clause)->args)
		{
			List	   *keys = equalled(offered, lfirst(cell), columns);

			if (keys != NIL)
				return keys;
		}
		return NIL;
	}
	for (; *columns != 0; columns++)
	{
		if (match(offered, clause, *columns, &key) &&
			key.strategy == BTEqualStrategyNumber)
			return list_make1(memcpy(palloc(sizeof(Key)), &key, sizeof(Key)));
	}
	return NIL;
}

/* The same of alternatives, each of which must demand it. */
static List *
equalled_by_any(const Offer *offered, List *arms, const int *columns)
{
	List	   *keys = NIL;
	ListCell   *cell;

	foreach(cell, arms)
	{
		List	   *more = equalled(offered, lfirst(cell), columns);

		if (more == NIL)
			return NIL;
		keys = list_concat(keys, more);
	}
	return keys;
}

/*
 * Adds as keys all that the query says of the range of a column.  Which limit
 * is the narrowest the index finds when it knows their values: of those in a
 * view of the application's, say, and in what is asked of that.
 */
static void
demand_range(Offer *offered, int column)
{
	ListCell   *cell;

	offered->keys = list_copy(offered->keys);
	foreach(cell, offered->rel->baserestrictinfo)
	{
		RestrictInfo *condition = lfirst(cell);
		Key			key;

		if (condition->pseudoconstant ||
			!restriction_is_securely_promotable(condition, offered->rel) ||
			!match(offered, (Node *) condition->clause, column, &key) ||
			key.is_array)
			continue;
		offered->keys = lappend(offered->keys,
								memcpy(palloc(sizeof(Key)), &key,
									   sizeof(Key)));
		offered->ranges = lappend(offered->ranges, condition);
	}
}

/*
 * Whether a clause compares the column with something that is the same for
 * all accounts, in a way that an index can answer.
 */
static bool
match(const Offer *offered, Node *clause, int column, Key *key)
{
	Index		rti = offered->rel->relid;
	Oid			collation;
	List	   *args;
	Node	   *value;

	*key = (Key) {.column = column};
	if (IsA(clause, OpExpr))
	{
		key->operator = ((OpExpr *) clause)->opno;
		collation = ((OpExpr *) clause)->inputcollid;
		args = ((OpExpr *) clause)->args;
	}
	else if (IsA(clause, ScalarArrayOpExpr) &&
			 ((ScalarArrayOpExpr *) clause)->useOr)
	{
		key->operator = ((ScalarArrayOpExpr *) clause)->opno;
		key->is_array = true;
		collation = ((ScalarArrayOpExpr *) clause)->inputcollid;
		args = ((ScalarArrayOpExpr *) clause)->args;
	}
	else
		return false;
	if (list_length(args) != 2)
		return false;

	value = lsecond(args);
	if (!is_column(linitial(args), rti, column))
	{
		if (key->is_array || !is_column(value, rti, column))
			return false;
		value = linitial(args);
		key->operator = get_commutator(key->operator);
	}
	key->value = (Expr *) value;
	return fits_index(key->operator, collation, type_of(column), key) &&
		!bms_is_member(rti, pull_varnos(offered->root, value)) &&
		!contain_subplans(value) && !contain_volatile_functions(value);
}

/*
 * Whether an operator is of those that an index of such a column knows.  Texts
 * have to be compared for being the same bytes, whatever the collation.
 */
static bool
fits_index(Oid operator, Oid collation, Oid column_type, Key *key)
{
	Oid			family;
	Oid			left;

	if (column_type == TEXTOID)
	{
		key->strategy = BTEqualStrategyNumber;
		key->type = TEXTOID;
		return operator == TextEqualOperator && OidIsValid(collation) &&
			get_collation_isdeterministic(collation);
	}

	family = lookup_type_cache(column_type, TYPECACHE_BTREE_OPFAMILY)->btree_opf;
	if (!OidIsValid(operator) || !op_in_opfamily(operator, family))
		return false;
	get_op_opfamily_properties(operator, family, false, &key->strategy, &left,
							   &key->type);
	return left == column_type;
}

static bool
is_column(Node *node, Index rti, int column)
{
	Var		   *var;

	while (IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
	var = (Var *) node;
	return IsA(node, Var) && (Index) var->varno == rti &&
		var->varattno == column && var->varlevelsup == 0 &&
		!awspool_is_nullable(var);
}

static bool
is_our_column(PlannerInfo *root, RelOptInfo *rel, EquivalenceClass *ec,
			  EquivalenceMember *member, void *column)
{
	return is_column((Node *) member->em_expr, rel->relid, *(int *) column);
}

static Oid
type_of(int column)
{
	return awspool_account_types[column - 1];
}

/*
 * The plan for a path: its scan gives the columns of the function and, behind
 * them, its row as a whole, which UPDATE, DELETE and row marks need.
 */
static Plan *
make_plan(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *tlist,
		  List *clauses, List *custom_plans)
{
	CustomScan *scan = makeNode(CustomScan);
	Oid			function = linitial_int(linitial(path->custom_private));
	Oid			type = get_func_rettype(function);
	TupleDesc	row = lookup_rowtype_tupdesc(type, -1);
	List	   *columns = NIL;
	Var		   *whole = makeVar(rel->relid, InvalidAttrNumber, type, -1,
								InvalidOid, 0);
	List	   *implied = lfourth(path->custom_private);

	for (int i = 1; i <= row->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(row, i - 1);
		Var		   *var = makeVar(rel->relid, i, column->atttypid,
								  column->atttypmod, column->attcollation, 0);

		columns = lappend(columns,
						  makeTargetEntry((Expr *) var, i, NULL, false));
	}
	columns = lappend(columns, makeTargetEntry((Expr *) whole, row->natts + 1,
											   NULL, false));
	ReleaseTupleDesc(row);

	/* What is implied is looked at again in EvalPlanQual: behind the values. */
	scan->scan.plan.targetlist = tlist;
	scan->scan.plan.qual =
		extract_actual_clauses(list_difference_ptr(clauses, implied), false);
	scan->scan.scanrelid = 0;	/* it is no table */
	scan->flags = path->flags;
	scan->custom_exprs =
		list_concat_copy(lthird(path->custom_private),
						 extract_actual_clauses(implied, false));
	scan->custom_private = list_make2(linitial(path->custom_private),
									  lsecond(path->custom_private));
	scan->custom_scan_tlist = columns;
	scan->methods = &awspool_read_methods;
	return &scan->scan.plan;
}

/*
 * The hook: what the planner may assume of a column.
 */
static bool
describe_column(PlannerInfo *root, RangeTblEntry *rte, AttrNumber column,
				VariableStatData *vardata)
{
	float4		distinct;

	if (our_call(rte) == NULL)
		return next_stats_hook != NULL &&
			next_stats_hook(root, rte, column, vardata);

	switch (column)
	{
		case Anum_account_account_id:
		case Anum_account_order_id:
		case Anum_account_position:
			vardata->isunique = true;	/* or nearly so */
			return true;
		case Anum_account_provider:
			distinct = PROVIDERS;
			break;
		case Anum_account_model:
		case Anum_account_order_model:
			distinct = MODELS;
			break;
		case Anum_account_marketplace:
			distinct = MARKETPLACES;
			break;
		case Anum_account_status:
			distinct = 0;
			break;
		default:
			return true;
	}
	vardata->statsTuple = distinct == 0 ? status_statistics() :
		statistics(column, distinct, 0, 0);
	vardata->freefunc = heap_freetuple;
	vardata->acl_ok = true;
	return true;
}

/*
 * A row of pg_statistic that tells how many values there are, and if given,
 * how frequent the most common ones are.
 */
static HeapTuple
statistics(AttrNumber column, float4 distinct, Datum frequencies,
		   Datum most_common)
{
	Datum		values[Natts_pg_statistic] = {0};
	bool		isnull[Natts_pg_statistic] = {0};
	Relation	catalog = table_open(StatisticRelationId, AccessShareLock);
	HeapTuple	tuple;

	for (int i = Anum_pg_statistic_stanumbers1 - 1; i < Natts_pg_statistic; i++)
		isnull[i] = true;
	values[Anum_pg_statistic_staattnum - 1] = Int16GetDatum(column);
	values[Anum_pg_statistic_stawidth - 1] = Int32GetDatum(10);
	values[Anum_pg_statistic_stadistinct - 1] = Float4GetDatum(distinct);
	if (frequencies != 0)
	{
		values[Anum_pg_statistic_stakind1 - 1] =
			Int16GetDatum(STATISTIC_KIND_MCV);
		values[Anum_pg_statistic_stanumbers1 - 1] = frequencies;
		values[Anum_pg_statistic_stavalues1 - 1] = most_common;
		isnull[Anum_pg_statistic_stanumbers1 - 1] = false;
		isnull[Anum_pg_statistic_stavalues1 - 1] = false;
	}
	tuple = heap_form_tuple(RelationGetDescr(catalog), values, isnull);
	table_close(catalog, AccessShareLock);
	return tuple;
}

/*
 * How frequent each status is, as the sizes of the indexes tell: nearly all
 * accounts are allocated, sooner or later.
 */
static HeapTuple
status_statistics(void)
{
	Relation	rel = table_open(awspool_relation("account"), AccessShareLock);
	double		entries[STATUS_INVALID + 1] = {0};
	Datum		frequencies[lengthof(entries)];
	Datum		most_common[lengthof(entries)];
	BlockNumber pages;
	double		accounts;
	double		rest;
	double		all_visible;

	table_relation_estimate_size(rel, NULL, &pages, &accounts, &all_visible);
	table_close(rel, AccessShareLock);

	rest = accounts = Max(accounts, 1);
	entries[STATUS_READY] = count_entries("account_ready", accounts);
	entries[STATUS_IN_PROGRESS] = count_entries("account_in_progress",
												accounts);
	entries[STATUS_FAILED] = entries[STATUS_INVALID] =
		count_entries("account_failed", accounts) / 2;
	for (size_t i = 0; i < lengthof(entries); i++)
		rest -= entries[i];
	entries[STATUS_ALLOCATED] = Max(rest, 1);
	for (size_t i = 0; i < lengthof(entries); i++)
	{
		frequencies[i] = Float4GetDatum(Min(entries[i] / accounts, 1));
		most_common[i] = awspool_text_datum(awspool_status_name(i));
	}
	return statistics(Anum_account_status, lengthof(entries),
					  PointerGetDatum(construct_array(frequencies,
													  lengthof(entries),
													  FLOAT4OID, 4, true,
													  TYPALIGN_INT)),
					  PointerGetDatum(construct_array(most_common,
													  lengthof(entries),
													  TEXTOID, -1, false,
													  TYPALIGN_INT)));
}
