/*-------------------------------------------------------------------------
 *
 * read.c
 *	  How view accounts is read: a scan of our own.
 *
 * What the view reads from is a function, visible_accounts(), and the server
 * cannot look into a function: it would have every account of the caller's
 * providers read before it throws away what a query did not ask for.  So the
 * planner is offered ways to read the same rows (read_plan.c), and here is the
 * scan that goes along them.
 *
 * Each way is along an index that begins with the provider, or along the
 * primary key, whose entries say whose each account is.  So a scan never comes
 * to a row of somebody else, and what a query costs depends on what it returns
 * and on the number of the caller's providers alone.
 *
 * Nothing is known of the caller when a query is planned, for plans are kept
 * and roles change, nor when it begins, for a cursor may be read later.  Whose
 * accounts are read is found when the first row is, and at each rescan.
 *
 * Who asks for an id or an order gets the rows with such an id first, and then
 * those with such an order but for these.
 *
 * Without an order one scan of the index reads all providers, one after the
 * other.  Where the order matters each provider has a scan of its own, and
 * those are merged.
 *
 * What the keys that an index is given demand, and the index itself, is not
 * looked at again in each row: with an array of ten thousand ids it would be
 * looked through for each.  Only EvalPlanQual does so, which tries what was read
 * with the newest rows of other tables.  All other conditions of the query stay
 * conditions of it.
 *
 * Whether the caller may still see the rows is asked before each of them, which
 * costs next to nothing as long as no role, and no relation, has changed: a
 * cursor may be read on after a revocation.
 *
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

#include "access/htup_details.h"
#include "access/relscan.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/visibilitymap.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/explain.h"
#include "lib/binaryheap.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "storage/bufmgr.h"
#include "storage/predicate.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/ruleutils.h"
#include "utils/typcache.h"

/* See ReadWay. */
const ReadWay awspool_read_ways[READ_WAYS] =
{
	[READ_BY_ID] = {
		"id", {"account_pkey"}, .is_lookup = true,
		.equals = {Anum_account_account_id}
	},
	[READ_BY_ORDER] = {
		"order", {"account_order", "account_failed"}, .has_provider = true,
		.is_lookup = true, .equals = {Anum_account_order_id}
	},
	[READ_BY_EITHER] = {
		"id or order", {"account_pkey", "account_order", "account_failed"},
		.has_provider = true, .is_lookup = true,
		.equals = {Anum_account_account_id, Anum_account_order_id}
	},
	[READ_READY] = {
		"ready", {"account_ready"}, .has_provider = true,
		.equals = {Anum_account_marketplace},
		.order = Anum_account_position, .statuses = {"ready"}
	},
	[READ_IN_PROGRESS] = {
		"in progress", {"account_in_progress"}, .has_provider = true,
		.order = Anum_account_claimed_at,
		.statuses = {"provisioning_in_progress"}
	},
	[READ_OPEN] = {
		"ready or in progress", {"account_ready", "account_in_progress"},
		.has_provider = true,
		.statuses = {"ready", "provisioning_in_progress"}
	},
	[READ_FAILED] = {
		"failed or invalid", {"account_failed"}, .has_provider = true,
		.statuses = {"provisioning_failed", "invalid"}
	},
	[READ_BY_AGE] = {
		"age", {"account_provider"}, .has_provider = true,
		.order = Anum_account_position
	},
	[READ_ALL] = {
		"provider", {"account_provider"}, .has_provider = true, .whole = true
	},
};

/* A scan of an index. */
typedef struct Source
{
	Relation	index;			/* one of the reading's */
	bool		by_id;			/* it is the primary key */
	bool		idle;			/* nothing is asked of it */
	IndexScanDesc scan;
	TupleTableSlot *slot;		/* the row that it has come to */
} Source;

typedef struct Reading
{
	CustomScanState css;
	const ReadWay *way;
	ScanDirection direction;
	bool		is_ordered;		/* across providers */
	List	   *keys;			/* as in the plan: see ReadKeyPlace */
	List	   *values;			/* ExprStates of the keys */
	ExprState  *implied;		/* what rows need not be asked, or NULL */
	ExprContext *context;		/* for what holds until the next rescan */
	int			natts;			/* how many columns anybody looks at */
	int			implied_natts;	/* and for that */
	TupleDesc	row;			/* of the function */

	/* Found when the first row is read. */
	bool		open;
	Sight		sight;			/* whom the caller may see */
	List	   *visible;		/* the caller's providers, or everybody's, if
								 * they had to be found out */
	Relation	rel;
	Relation	indexes[3];		/* of the way; all but the first may be NULL */
	Relation	by_provider;	/* to find out everybody's; or NULL */
	Source	   *sources;
	int			nsources;		/* opened; how many are in use: see start */
	int			max_sources;	/* that there is room for */
	TableScanDesc table;		/* everybody's, as they come; or NULL */
	TupleTableSlot *table_slot;
	Buffer		visibility;		/* a page of the visibility map */
	TupleTableSlot *rechecked;	/* for EvalPlanQual */

	/* Since the last rescan. */
	bool		started;
	bool		has_lost;		/* the caller may see fewer by now */
	bool		nothing;		/* no row can pass */
	bool		everybody;		/* whoever it is; then no provider is named */
	List	   *providers;		/* otherwise: to read, sorted, each once */
	List	   *ids;			/* sorted as well, and */
	List	   *equals;			/* Datums, one of which the id or that column
								 * equals; NIL: any */
	ScanKey		ranges;			/* limits, as many as "keys" at most */
	int			nranges;
	int			current;		/* source, and how many there are */
	int			nused;
	binaryheap *merged;			/* of sources that have a row; or NULL */
} Reading;

static Node *make_state(CustomScan *plan);
static void begin_scan(CustomScanState *node, EState *estate, int eflags);
static int	last_column(Node *expression);
static TupleTableSlot *exec_scan(CustomScanState *node);
static void end_scan(CustomScanState *node);
static void rescan(CustomScanState *node);
static void explain_scan(CustomScanState *node, List *ancestors,
						 ExplainState *es);
static bool is_alternative(const ReadWay *way, int column);
static TupleTableSlot *read_next(ScanState *node);
static bool recheck(ScanState *node, TupleTableSlot *slot);
static TupleTableSlot *next_visible(Reading *reading);
static bool is_visible(Reading *reading, TupleTableSlot *account);
static TupleTableSlot *next_account(Reading *reading);
static TupleTableSlot *next_merged(Reading *reading);
static void start(Reading *reading);
static void evaluate(Reading *reading);
static List *texts_of(Datum value, bool is_array);
static List *each_once(List *texts);
static int	compare_texts(const ListCell *a, const ListCell *b);
static bool is_among(List *texts, Datum text);
static int	compare_cells(const void *a, const void *b);
static void open_table(Reading *reading);
static void look(Reading *reading);
static bool wants_everybody(const Reading *reading);
static void choose_providers(Reading *reading, List *wanted);
static List *all_providers(Reading *reading);
static void begin_sources(Reading *reading);
static void begin_table(Reading *reading);
static void make_room(Reading *reading, int n);
static Source *use_source(Reading *reading, int number);
static void begin_source(Reading *reading, Source *source, List *providers);
static int	max_keys(const Reading *reading);
static void equal_key(ScanKey key, int attno, Relation index, List *values);
static bool next_of(Reading *reading, Source *source);
static bool has_id(Reading *reading, Source *source);
static bool next_of_ids(Reading *reading, Source *source);
static bool is_uncounted(const Reading *reading);
static bool next_uncounted(Reading *reading, Source *source);
static int	compare_sources(Datum a, Datum b, void *arg);
static TupleTableSlot *put(Reading *reading, TupleTableSlot *account,
						   int natts);

const CustomScanMethods awspool_read_methods =
{
	.CustomName = "awspool accounts",
	.CreateCustomScanState = make_state
};

static const CustomExecMethods exec_methods =
{
	.CustomName = "awspool accounts",
	.BeginCustomScan = begin_scan,
	.ExecCustomScan = exec_scan,
	.EndCustomScan = end_scan,
	.ReScanCustomScan = rescan,
	.ExplainCustomScan = explain_scan
};

/*
 * The node of a plan that is to be executed.
 */
static Node *
make_state(CustomScan *plan)
{
	Reading    *reading = palloc0(sizeof(Reading));
	List	   *scan = linitial(plan->custom_private);

	NodeSetTag(reading, T_CustomScanState);
	reading->css.methods = &exec_methods;
	reading->way = &awspool_read_ways[list_nth_int(scan, READ_PLAN_WAY)];
	reading->direction = list_nth_int(scan, READ_PLAN_DIRECTION);
	reading->is_ordered = reading->direction != NoMovementScanDirection;
	reading->keys = lsecond(plan->custom_private);
	reading->ranges = palloc(list_length(reading->keys) * sizeof(ScanKeyData));
	return (Node *) reading;
}

/*
 * Whether the caller may call the function is asked here, as for any
 * function; whose accounts it may see when the first row is read.
 */
static void
begin_scan(CustomScanState *node, EState *estate, int eflags)
{
	Reading    *reading = (Reading *) node;
	CustomScan *plan = (CustomScan *) node->ss.ps.plan;
	Oid			function = list_nth_int(linitial(plan->custom_private),
										READ_PLAN_FUNCTION);
	List	   *implied = list_copy_tail(plan->custom_exprs,
										 list_length(reading->keys));
	ListCell   *key;
	ListCell   *value;

	if (awspool_may_execute(function) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_FUNCTION,
					   get_func_name(function));

	forboth(key, reading->keys, value, plan->custom_exprs)
		reading->values = lappend(reading->values,
								  ExecInitExpr(lfirst(value), &node->ss.ps));
	reading->implied = ExecInitQual(implied, &node->ss.ps);
	reading->natts = Max(last_column((Node *) plan->scan.plan.targetlist),
						 last_column((Node *) plan->scan.plan.qual));
	reading->implied_natts = Max(reading->natts, last_column((Node *) implied));

	if (eflags & EXEC_FLAG_EXPLAIN_ONLY)
		return;
	reading->context = CreateExprContext(estate);
	reading->row = lookup_rowtype_tupdesc_copy(get_func_rettype(function), -1);
}

/* The last column of ours that an expression has; 0: none. */
static int
last_column(Node *expression)
{
	Bitmapset  *columns = NULL;
	int			column = -1;
	int			last = 0;

	pull_varattnos(expression, INDEX_VAR, &columns);
	while ((column = bms_next_member(columns, column)) >= 0)
		last = column + FirstLowInvalidHeapAttributeNumber;
	return last;
}

static TupleTableSlot *
exec_scan(CustomScanState *node)
{
	return ExecScan(&node->ss, read_next, recheck);
}

static void
rescan(CustomScanState *node)
{
	((Reading *) node)->started = false;
	ExecScanReScan(&node->ss);
}

static void
end_scan(CustomScanState *node)
{
	Reading    *reading = (Reading *) node;

	if (!reading->open)
		return;
	if (BufferIsValid(reading->visibility))
		ReleaseBuffer(reading->visibility);
	if (reading->table != NULL)
	{
		table_endscan(reading->table);
		ExecDropSingleTupleTableSlot(reading->table_slot);
	}
	for (int i = 0; i < reading->nsources; i++)
	{
		Source	   *source = &reading->sources[i];

		ExecDropSingleTupleTableSlot(source->slot);
		index_endscan(source->scan);
	}
	for (size_t i = 0; i < lengthof(reading->indexes); i++)
	{
		if (reading->indexes[i] != NULL)
			index_close(reading->indexes[i], AccessShareLock);
	}
	if (reading->by_provider != NULL)
		index_close(reading->by_provider, AccessShareLock);
	table_close(reading->rel, AccessShareLock);
}

/*
 * "Read By: order, order_id = 'x'": the way, and the keys.
 */
static void
explain_scan(CustomScanState *node, List *ancestors, ExplainState *es)
{
	Reading    *reading = (Reading *) node;
	CustomScan *plan = (CustomScan *) node->ss.ps.plan;
	List	   *context = set_deparse_context_plan(es->deparse_cxt,
												   &plan->scan.plan,
												   ancestors);
	List	   *scan = linitial(plan->custom_private);
	Oid			row = get_func_rettype(list_nth_int(scan, READ_PLAN_FUNCTION));
	StringInfoData text;
	int			before = 0;
	ListCell   *key;
	ListCell   *value;

	initStringInfo(&text);
	appendStringInfoString(&text, reading->way->label);
	if (reading->direction == BackwardScanDirection)
		appendStringInfoString(&text, " backward");
	forboth(key, reading->keys, value, plan->custom_exprs)
	{
		List	   *places = lfirst(key);
		int			column = list_nth_int(places, READ_KEY_COLUMN);
		bool		is_equality = list_nth_int(places, READ_KEY_STRATEGY) ==
			BTEqualStrategyNumber;

		appendStringInfoString(&text, is_equality &&
							   (column == before ||
								is_alternative(reading->way, before)) ?
							   " or " : ", ");
		before = column;
		appendStringInfo(&text,
						 list_nth_int(places, READ_KEY_IS_ARRAY) ?
						 "%s %s ANY (%s)" : "%s %s %s",
						 get_attname(get_typ_typrelid(row), column, false),
						 get_opname(list_nth_int(places, READ_KEY_OPERATOR)),
						 deparse_expression(lfirst(value), context, true,
											false));
	}
	ExplainPropertyText("Read By", text.data, es);
}

/* Whether the next key is of the other column, after one of this. */
static bool
is_alternative(const ReadWay *way, int column)
{
	return way->equals[1] != 0 && column != 0 &&
		column != Anum_account_provider;
}

static TupleTableSlot *
read_next(ScanState *node)
{
	Reading    *reading = (Reading *) node;
	TupleTableSlot *account = next_visible(reading);

	(void) ExecClearTuple(node->ss_ScanTupleSlot);
	return account == NULL ? node->ss_ScanTupleSlot :
		put(reading, account, reading->natts);
}

/*
 * In EvalPlanQual, which looks again at a row that somebody else has changed:
 * gives the row that was read of this relation before, or none.  The server
 * calls us for that, and not the node that it has in place of a table, as a
 * function is none.  What is read anew there, as by a subquery, has no such
 * row, and is read as ever.
 */
static bool
recheck(ScanState *node, TupleTableSlot *slot)
{
	Reading    *reading = (Reading *) node;
	EPQState   *epq = node->ps.state->es_epq_active;
	CustomScan *plan = (CustomScan *) node->ps.plan;
	int			i = bms_singleton_member(plan->custom_relids) - 1;

	if (epq->relsubs_rowmark[i] == NULL)
	{
		(void) read_next(node);
		return !TupIsNull(slot);
	}
	if (epq->relsubs_done[i])
		return false;
	epq->relsubs_done[i] = true;
	if (reading->rechecked == NULL)
		reading->rechecked = ExecInitExtraTupleSlot(node->ps.state,
													reading->row,
													&TTSOpsVirtual);
	(void) ExecClearTuple(slot);
	if (!EvalPlanQualFetchRowMark(epq, i + 1, reading->rechecked))
		return false;
	node->ps.ps_ExprContext->ecxt_scantuple =
		put(reading, reading->rechecked, reading->implied_natts);
	return ExecQual(reading->implied, node->ps.ps_ExprContext);
}

/*
 * The next account that the caller may see by now; NULL if there is none.  One
 * that it may see since has to wait for the next rescan.
 */
static TupleTableSlot *
next_visible(Reading *reading)
{
	TupleTableSlot *account;

	if (reading->started && awspool_sight_is_old(&reading->sight))
	{
		look(reading);
		reading->has_lost = true;
	}
	do
	{
		account = next_account(reading);
	} while (reading->has_lost && account != NULL &&
			 !is_visible(reading, account));
	return account;
}

static bool
is_visible(Reading *reading, TupleTableSlot *account)
{
	bool		isnull;

	CHECK_FOR_INTERRUPTS();
	return reading->sight.all ||
		is_among(reading->visible,
				 slot_getattr(account, Anum_account_provider, &isnull));
}

/*
 * The next account; NULL if there is none.
 */
static TupleTableSlot *
next_account(Reading *reading)
{
	if (!reading->started)
		start(reading);
	else if (reading->merged != NULL)
		return next_merged(reading);
	if (reading->nothing)
		return NULL;

	if (reading->merged != NULL)
		return binaryheap_empty(reading->merged) ? NULL :
			((Source *) DatumGetPointer(binaryheap_first(reading->merged)))->slot;
	if (reading->everybody && reading->way->whole)
		return table_scan_getnextslot(reading->table, ForwardScanDirection,
									  reading->table_slot) ?
			reading->table_slot : NULL;

	for (; reading->current < reading->nused; reading->current++)
	{
		Source	   *source = &reading->sources[reading->current];

		if (next_of(reading, source))
			return source->slot;
	}
	return NULL;
}

/* Steps on the source whose row was given last, and gives the next in order. */
static TupleTableSlot *
next_merged(Reading *reading)
{
	Source	   *source;

	if (binaryheap_empty(reading->merged))
		return NULL;
	source = (Source *) DatumGetPointer(binaryheap_first(reading->merged));
	if (next_of(reading, source))
		binaryheap_replace_first(reading->merged, PointerGetDatum(source));
	else
		(void) binaryheap_remove_first(reading->merged);
	if (binaryheap_empty(reading->merged))
		return NULL;
	source = (Source *) DatumGetPointer(binaryheap_first(reading->merged));
	return source->slot;
}

/*
 * Begins to read what the values of the keys demand now.
 */
static void
start(Reading *reading)
{
	MemoryContext caller_context;

	ResetExprContext(reading->context);
	caller_context =
		MemoryContextSwitchTo(reading->context->ecxt_per_tuple_memory);
	reading->started = true;
	reading->has_lost = false;
	reading->merged = NULL;
	if (!reading->open)
		open_table(reading);
	else if (awspool_sight_is_old(&reading->sight))
		look(reading);
	evaluate(reading);
	if (!reading->nothing)
		begin_sources(reading);
	MemoryContextSwitchTo(caller_context);
}

/*
 * Finds the values of the keys.  Several keys of the provider, or of the
 * column that has to equal something, are alternatives, of one condition.
 */
static void
evaluate(Reading *reading)
{
	List	   *wanted = NIL;	/* providers */
	bool		any_wanted = false;
	bool		any_equals = false;
	ListCell   *key;
	ListCell   *state;

	int			range = reading->way->has_provider +
		(reading->way->equals[0] != 0) + 1;

	reading->ids = NIL;
	reading->equals = NIL;
	reading->nranges = 0;
	reading->nothing = false;
	forboth(key, reading->keys, state, reading->values)
	{
		List	   *places = lfirst(key);
		int			column = list_nth_int(places, READ_KEY_COLUMN);
		bool		is_array = list_nth_int(places, READ_KEY_IS_ARRAY);
		Oid			operator = list_nth_int(places, READ_KEY_OPERATOR);
		bool		isnull;
		Datum		value = ExecEvalExpr(lfirst(state), reading->context,
										 &isnull);
		List	   *texts = NIL;

		if (column != reading->way->order && !isnull)
			texts = texts_of(value, is_array);
		if (column == Anum_account_provider)
		{
			wanted = list_concat(wanted, texts);
			any_wanted = true;
		}
		else if (column == Anum_account_account_id)
		{
			reading->ids = list_concat(reading->ids, texts);
			any_equals = true;
		}
		else if (column != reading->way->order)
		{
			reading->equals = list_concat(reading->equals, texts);
			any_equals = true;
		}
		else if (isnull)
			reading->nothing = true;
		else
			ScanKeyEntryInitialize(&reading->ranges[reading->nranges++], 0,
								   range,
								   list_nth_int(places, READ_KEY_STRATEGY),
								   list_nth_int(places, READ_KEY_TYPE),
								   InvalidOid, get_opcode(operator), value);
	}
	reading->ids = each_once(reading->ids);
	if ((any_wanted && wanted == NIL) ||
		(any_equals && reading->ids == NIL && reading->equals == NIL))
		reading->nothing = true;
	if (!reading->nothing)
		choose_providers(reading, wanted);
}

/* The text, or the elements of an array of texts, as a list of Datums. */
static List *
texts_of(Datum value, bool is_array)
{
	Datum	   *elements;
	bool	   *isnull;
	int			n;
	List	   *texts = NIL;

	if (!is_array)
		return list_make1(DatumGetPointer(value));
	deconstruct_array(DatumGetArrayTypeP(value), TEXTOID, -1, false,
					  TYPALIGN_INT, &elements, &isnull, &n);
	for (int i = 0; i < n; i++)
	{
		if (!isnull[i])
			texts = lappend(texts, DatumGetPointer(elements[i]));
	}
	return texts;
}

/* In the order of their bytes. */
static List *
each_once(List *texts)
{
	List	   *result = NIL;
	ListCell   *cell;

	list_sort(texts, compare_texts);
	foreach(cell, texts)
	{
		if (result == NIL || compare_texts(list_tail(result), cell) != 0)
			result = lappend(result, lfirst(cell));
	}
	return result;
}

/* By bytes, as the indexes have them. */
static int
compare_texts(const ListCell *a, const ListCell *b)
{
	return DatumGetInt32(DirectFunctionCall2Coll(bttextcmp, C_COLLATION_OID,
												 PointerGetDatum(lfirst(a)),
												 PointerGetDatum(lfirst(b))));
}

/* Whether a text is among some that are sorted. */
static bool
is_among(List *texts, Datum text)
{
	ListCell	one = {.ptr_value = DatumGetPointer(text)};

	return texts != NIL && bsearch(&one, texts->elements, list_length(texts),
								   sizeof(ListCell), compare_cells) != NULL;
}

static int
compare_cells(const void *a, const void *b)
{
	return compare_texts(a, b);
}

/*
 * Opens the table and its indexes, and finds who is asking.  What is kept
 * beyond a rescan belongs into the memory of the query.
 */
static void
open_table(Reading *reading)
{
	MemoryContext caller_context =
		MemoryContextSwitchTo(reading->css.ss.ps.state->es_query_cxt);

	reading->rel = table_open(awspool_relation("account"), AccessShareLock);
	reading->open = true;
	for (size_t i = 0; i < lengthof(reading->indexes); i++)
	{
		if (reading->way->indexes[i] != NULL)
			reading->indexes[i] = awspool_open_index(reading->way->indexes[i],
													 AccessShareLock);
	}
	MemoryContextSwitchTo(caller_context);
	look(reading);
}

/*
 * Finds whom the caller may see, again until that is so still: we may have
 * waited for the table or an index.  Who sees all may need an index more than
 * others.
 */
static void
look(Reading *reading)
{
	MemoryContext caller_context =
		MemoryContextSwitchTo(reading->css.ss.ps.state->es_query_cxt);
	Sight	   *sight = &reading->sight;
	ListCell   *cell;

	awspool_begin_sight(sight);
	do
	{
		if (sight->all && reading->by_provider == NULL &&
			wants_everybody(reading))
			reading->by_provider = awspool_open_index("account_provider",
													  AccessShareLock);
	} while (awspool_sight_changed(sight));

	reading->visible = NIL;
	if (!sight->all)
	{
		foreach(cell, sight->providers)
			reading->visible = lappend(reading->visible,
									   cstring_to_text(lfirst(cell)));
		reading->visible = each_once(reading->visible);
	}
	MemoryContextSwitchTo(caller_context);
}

/*
 * Whether it has to be found out, for who sees all, which providers there are:
 * none is named, and the indexes begin with them.
 */
static bool
wants_everybody(const Reading *reading)
{
	ListCell   *cell;

	foreach(cell, reading->keys)
	{
		if (list_nth_int(lfirst(cell), READ_KEY_COLUMN) ==
			Anum_account_provider)
			return false;
	}
	return reading->way->has_provider && !reading->way->whole;
}

/*
 * Decides whose accounts are read: of the providers that are wanted, or of any
 * if that is NIL, those that are the caller's.
 */
static void
choose_providers(Reading *reading, List *wanted)
{
	ListCell   *cell;

	wanted = each_once(wanted);
	reading->everybody = reading->sight.all && wanted == NIL &&
		(!reading->way->has_provider || reading->way->whole);
	reading->providers = NIL;
	if (reading->sight.all && wanted != NIL)
		reading->providers = wanted;
	else if (reading->sight.all && !reading->everybody)
	{
		if (reading->visible == NIL)
			reading->visible = all_providers(reading);
		reading->providers = reading->visible;
	}
	else if (wanted == NIL)
		reading->providers = reading->visible;
	else
	{
		foreach(cell, wanted)
		{
			if (is_among(reading->visible, PointerGetDatum(lfirst(cell))))
				reading->providers = lappend(reading->providers,
											 lfirst(cell));
		}
	}
	reading->nothing = !reading->everybody && reading->providers == NIL;
}

/*
 * The providers that have an account, as far as anybody can tell: steps along
 * an index from one to the next.
 */
static List *
all_providers(Reading *reading)
{
	EState	   *estate = reading->css.ss.ps.state;
	MemoryContext caller_context = MemoryContextSwitchTo(estate->es_query_cxt);
	Relation	index = reading->by_provider;
	IndexScanDesc scan = awspool_index_beginscan(reading->rel, index,
												 estate->es_snapshot, 1);
	List	   *providers = NIL;
	ScanKeyData key;

	scan->xs_want_itup = true;
	scan->numberOfKeys = 0;
	index_rescan(scan, &key, 0, NULL, 0);
	while (awspool_next_entry(scan))
	{
		bool		isnull;
		Datum		provider = datumCopy(index_getattr(scan->xs_itup, 1,
													   scan->xs_itupdesc,
													   &isnull), false, -1);

		CHECK_FOR_INTERRUPTS();
		providers = lappend(providers, DatumGetPointer(provider));
		ScanKeyEntryInitialize(&key, 0, 1, BTGreaterStrategyNumber,
							   InvalidOid, index->rd_indcollation[0],
							   F_TEXT_GT, provider);
		scan->numberOfKeys = 1;
		index_rescan(scan, &key, 1, NULL, 0);
	}
	index_endscan(scan);
	MemoryContextSwitchTo(caller_context);
	return providers;
}

static void
begin_sources(Reading *reading)
{
	const ReadWay *way = reading->way;
	MemoryContext caller_context;
	ListCell   *cell;

	reading->nused = 0;
	reading->current = 0;
	make_room(reading, reading->is_ordered ? list_length(reading->providers) :
			  (int) lengthof(way->indexes));
	if (reading->everybody && way->whole)
		begin_table(reading);
	else if (reading->is_ordered)
	{
		foreach(cell, reading->providers)
			begin_source(reading, use_source(reading, 0),
						 list_make1(lfirst(cell)));
	}
	else
	{
		for (size_t i = 0; i < lengthof(reading->indexes); i++)
		{
			if (reading->indexes[i] != NULL)
				begin_source(reading, use_source(reading, i),
							 reading->providers);
		}
	}
	if (!reading->is_ordered || reading->nused < 2)
		return;

	reading->merged = binaryheap_allocate(reading->nused, compare_sources,
										  reading);
	/* What an index allocates on its way it keeps, for the next rescan, too. */
	caller_context =
		MemoryContextSwitchTo(reading->css.ss.ps.state->es_query_cxt);
	for (int i = 0; i < reading->nused; i++)
	{
		if (next_of(reading, &reading->sources[i]))
			binaryheap_add_unordered(reading->merged,
									 PointerGetDatum(&reading->sources[i]));
	}
	MemoryContextSwitchTo(caller_context);
	binaryheap_build(reading->merged);
}

/* Everybody's accounts, for who sees all of them. */
static void
begin_table(Reading *reading)
{
	EState	   *estate = reading->css.ss.ps.state;
	MemoryContext caller_context;

	if (reading->table != NULL)
	{
		table_rescan(reading->table, NULL);
		return;
	}
	caller_context = MemoryContextSwitchTo(estate->es_query_cxt);
	reading->table = awspool_table_beginscan(reading->rel,
											 estate->es_snapshot);
	reading->table_slot = table_slot_create(reading->rel, NULL);
	MemoryContextSwitchTo(caller_context);
}

/* Has room for so many sources at least. */
static void
make_room(Reading *reading, int n)
{
	Size		size = n * sizeof(Source);

	if (n <= reading->max_sources)
		return;
	reading->sources = reading->sources != NULL ?
		repalloc(reading->sources, size) :
		MemoryContextAlloc(reading->css.ss.ps.state->es_query_cxt, size);
	reading->max_sources = n;
}

/* One more source, opened if it was not in use before. */
static Source *
use_source(Reading *reading, int number)
{
	EState	   *estate = reading->css.ss.ps.state;
	MemoryContext caller_context;
	Source	   *source;

	if (reading->nused < reading->nsources)
		return &reading->sources[reading->nused++];

	caller_context = MemoryContextSwitchTo(estate->es_query_cxt);
	source = &reading->sources[reading->nsources];
	source->slot = table_slot_create(reading->rel, NULL);
	source->index = reading->indexes[number];
	source->by_id = strcmp(reading->way->indexes[number],
						   awspool_read_ways[READ_BY_ID].indexes[0]) == 0;
	source->scan = awspool_index_beginscan(reading->rel, source->index,
										   estate->es_snapshot,
										   max_keys(reading));
	source->scan->xs_want_itup = source->by_id || is_uncounted(reading);
	reading->nsources++;
	reading->nused++;
	MemoryContextSwitchTo(caller_context);
	return source;
}

/*
 * Has a source begin with the accounts of these providers that are wanted.
 * What the index allocates meanwhile it keeps for as long as the scan is open.
 */
static void
begin_source(Reading *reading, Source *source, List *providers)
{
	MemoryContext caller_context;
	ScanKey		keys = palloc(max_keys(reading) * sizeof(ScanKeyData));
	List	   *equals = source->by_id ? reading->ids : reading->equals;
	int			n = 0;

	source->idle = reading->way->is_lookup && equals == NIL;
	if (source->idle)
		return;
	if (!source->by_id)
		equal_key(&keys[n++], 1, source->index, providers);
	if (equals != NIL)
	{
		equal_key(&keys[n], n + 1, source->index, equals);
		n++;
	}
	for (int i = 0; i < reading->nranges; i++)
		keys[n++] = reading->ranges[i];

	caller_context =
		MemoryContextSwitchTo(reading->css.ss.ps.state->es_query_cxt);
	source->scan->numberOfKeys = n;
	index_rescan(source->scan, keys, n, NULL, 0);
	MemoryContextSwitchTo(caller_context);
}

/* Of an index: provider, the column that has to equal something, and ranges. */
static int
max_keys(const Reading *reading)
{
	return 2 + list_length(reading->keys);
}

/* That a column of an index equals one of some texts. */
static void
equal_key(ScanKey key, int attno, Relation index, List *values)
{
	Datum		value = PointerGetDatum(linitial(values));
	int			flags = 0;

	if (list_length(values) > 1)
	{
		Datum	   *elements = palloc(list_length(values) * sizeof(Datum));
		int			n = 0;
		ListCell   *cell;

		foreach(cell, values)
			elements[n++] = PointerGetDatum(lfirst(cell));
		value = PointerGetDatum(construct_array(elements, n, TEXTOID, -1,
												false, TYPALIGN_INT));
		flags = SK_SEARCHARRAY;
	}
	ScanKeyEntryInitialize(key, flags, attno, BTEqualStrategyNumber,
						   InvalidOid, index->rd_indcollation[attno - 1],
						   F_TEXTEQ, value);
}

/* Steps to the next row of a source. */
static bool
next_of(Reading *reading, Source *source)
{
	if (source->idle)
		return false;
	if (source->by_id)
		return next_of_ids(reading, source);
	if (is_uncounted(reading))
		return next_uncounted(reading, source);
	while (index_getnext_slot(source->scan,
							  reading->is_ordered ? reading->direction :
							  ForwardScanDirection, source->slot))
	{
		if (reading->ids == NIL || !has_id(reading, source))
			return true;
	}
	return false;
}

/* Whether a row was read by its id already. */
static bool
has_id(Reading *reading, Source *source)
{
	bool		isnull;
	Datum		id = slot_getattr(source->slot, Anum_account_account_id,
								  &isnull);

	CHECK_FOR_INTERRUPTS();
	return is_among(reading->ids, id);
}

/* Along the primary key: sees from its entry whose an account is. */
static bool
next_of_ids(Reading *reading, Source *source)
{
	while (awspool_next_entry(source->scan))
	{
		bool		isnull;
		Datum		provider = index_getattr(source->scan->xs_itup, 2,
											 source->scan->xs_itupdesc,
											 &isnull);

		CHECK_FOR_INTERRUPTS();
		if ((reading->everybody || is_among(reading->providers, provider)) &&
			index_fetch_heap(source->scan, source->slot))
			return true;
	}
	return false;
}

/*
 * Where nobody looks at any column, as count(*) does not, it is enough to know
 * that there is a row: as in an index-only scan.
 */
static bool
is_uncounted(const Reading *reading)
{
	return reading->way->has_provider && reading->natts == 0 &&
		!reading->is_ordered && !reading->has_lost;
}

/*
 * Steps to the next row, and fetches it only where the visibility map does not
 * say that all of its page is visible.  For that the scan has to want entries,
 * if it looks at them or not: then it keeps the page of the index pinned until
 * it has done with its entries.  Otherwise VACUUM could remove entries that
 * were read, and rows that this snapshot does not show, and then call their
 * pages all visible.
 */
static bool
next_uncounted(Reading *reading, Source *source)
{
	Snapshot	snapshot = reading->css.ss.ps.state->es_snapshot;
	ItemPointer tid;

	while ((tid = index_getnext_tid(source->scan,
									ForwardScanDirection)) != NULL)
	{
		BlockNumber block = ItemPointerGetBlockNumber(tid);

		CHECK_FOR_INTERRUPTS();
		if (VM_ALL_VISIBLE(reading->rel, block, &reading->visibility))
		{
			PredicateLockPage(reading->rel, block, snapshot);
			return true;
		}
		if (index_fetch_heap(source->scan, source->slot))
			return true;
	}
	return false;
}

/* For a heap that has the greatest on top; both orders are of 64 bits. */
static int
compare_sources(Datum a, Datum b, void *arg)
{
	Reading    *reading = arg;
	int			column = reading->way->order;
	bool		isnull;
	Source	   *first = (Source *) DatumGetPointer(a);
	Source	   *second = (Source *) DatumGetPointer(b);
	int64		x = DatumGetInt64(slot_getattr(first->slot, column, &isnull));
	int64		y = DatumGetInt64(slot_getattr(second->slot, column, &isnull));
	int			order = (x > y) - (x < y);

	return reading->direction == ForwardScanDirection ? -order : order;
}

/*
 * Puts an account, of the table or of the function, where the node wants it:
 * the columns of the function and, behind them, its row as a whole; of these
 * the first "natts", which somebody looks at.
 */
static TupleTableSlot *
put(Reading *reading, TupleTableSlot *account, int natts)
{
	TupleTableSlot *slot = reading->css.ss.ss_ScanTupleSlot;
	int			whole = reading->row->natts;
	int			n = Min(natts, Min(whole, Natts_accounts));

	if (n > 0)
		slot_getsomeattrs(account, n);
	memcpy(slot->tts_values, account->tts_values, n * sizeof(Datum));
	memcpy(slot->tts_isnull, account->tts_isnull, n * sizeof(bool));
	memset(slot->tts_isnull + n, true, (whole + 1 - n) * sizeof(bool));
	if (natts > whole)
	{
		ExprContext *context = reading->css.ss.ps.ps_ExprContext;
		MemoryContext caller_context =
			MemoryContextSwitchTo(context->ecxt_per_tuple_memory);
		HeapTuple	row = awspool_public_row(reading->row, account);

		slot->tts_values[whole] = heap_copy_tuple_as_datum(row, reading->row);
		slot->tts_isnull[whole] = false;
		MemoryContextSwitchTo(caller_context);
	}
	return ExecStoreVirtualTuple(slot);
}
