/*-------------------------------------------------------------------------
 *
 * constraint.c
 *	  The CHECK constraints of awspool.account, and the predicates of its
 *	  partial indexes, prepared once in a session.
 *
 * The server prepares these anew for each statement that writes to a table.
 * For the change of a single row that is more work than the change itself: it
 * has to read the constraints from their text.  So we keep them, and lend them
 * to whoever changes rows without a query (row.c).
 *
 * They are prepared again when the table, or any function, has changed.  What
 * was lent before stays until the end of the transaction.
 *
 * Constraints are kept if all of them are ours, or else all are left to the
 * executor: a whole row in an expression is remembered there by its memory in
 * the first call, and virtual columns would have to be expanded first.  Of the
 * predicates, where no such column can be, only those with a whole row are
 * left.
 *
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

#include "optimizer/optimizer.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

/* Our constraints, in the order in which the server has them. */
static const char *const our_constraints[] = {
	"account_fits_its_status", "account_is_well_formed"
};

/* The predicate of an index. */
typedef struct Predicate
{
	Oid			index;
	ExprState  *state;
} Predicate;

/*
 * As they were prepared last, after so many changes of the table, or of a
 * function.
 */
static WatchedTable account_table = {0};
static EState *kept_estate = NULL;
static ExprState **kept_constraints = NULL;	/* NULL: they are not ours */
static Predicate *kept_predicates = NULL;
static int	nkept_predicates = 0;
static uint64 kept_changes = 0;

static bool are_ours(Relation rel);
static void prepare(const ResultRelInfo *result);
static ExprState **prepare_constraints(const TupleConstr *constr,
									   EState *estate);
static int	prepare_predicates(const ResultRelInfo *result, EState *estate,
							   Predicate *predicates);
static void lend_predicates(ResultRelInfo *result);
static void on_function_change(Datum arg, int cacheid, uint32 hash);

void
awspool_init_constraints(void)
{
	CacheRegisterSyscacheCallback(PROCOID, on_function_change, (Datum) 0);
}

/*
 * Gives the executor the prepared constraints of awspool.account, which is
 * open, and the predicates of its indexes, which are open as well.
 */
void
awspool_lend_constraints(ResultRelInfo *result)
{
	awspool_watch_table(&account_table,
						RelationGetRelid(result->ri_RelationDesc));
	if (kept_changes != account_table.changes)
		prepare(result);
	if (kept_constraints != NULL)
		result->awspool_ri_constraints = kept_constraints;
	lend_predicates(result);
}

/* If any is missing in the catalog, the executor has to complain. */
static bool
are_ours(Relation rel)
{
	TupleConstr *constr = RelationGetDescr(rel)->constr;

	if (constr == NULL || constr->num_check != rel->rd_rel->relchecks ||
		constr->num_check != lengthof(our_constraints))
		return false;
	for (int i = 0; i < constr->num_check; i++)
	{
		if (strcmp(constr->check[i].ccname, our_constraints[i]) != 0)
			return false;
	}
	return true;
}

static void
prepare(const ResultRelInfo *result)
{
	Relation	rel = result->ri_RelationDesc;
	/* what changes meanwhile counts again */
	uint64		before = account_table.changes;
	EState	   *estate = CreateExecutorState();
	MemoryContext caller_context = MemoryContextSwitchTo(estate->es_query_cxt);
	ExprState **constraints = !are_ours(rel) ? NULL :
		prepare_constraints(RelationGetDescr(rel)->constr, estate);
	Predicate  *predicates = palloc(Max(result->ri_NumIndices, 1) *
									sizeof(Predicate));
	int			npredicates = prepare_predicates(result, estate, predicates);

	MemoryContextSwitchTo(caller_context);

	if (kept_estate != NULL)
		MemoryContextSetParent(kept_estate->es_query_cxt,
							   TopTransactionContext);
	MemoryContextSetParent(estate->es_query_cxt, TopMemoryContext);
	kept_estate = estate;
	kept_constraints = constraints;
	kept_predicates = predicates;
	nkept_predicates = npredicates;
	kept_changes = before;
}

static ExprState **
prepare_constraints(const TupleConstr *constr, EState *estate)
{
	ExprState **constraints = palloc0(constr->num_check * sizeof(ExprState *));

	for (int i = 0; i < constr->num_check; i++)
	{
		if (awspool_is_enforced(&constr->check[i]))
			constraints[i] =
				ExecPrepareExpr(stringToNode(constr->check[i].ccbin), estate);
	}
	return constraints;
}

/*
 * Returns how many predicates there are to keep.  What is prepared refers to
 * the expression's constants, so it needs a copy of its own.
 */
static int
prepare_predicates(const ResultRelInfo *result, EState *estate,
				   Predicate *predicates)
{
	int			n = 0;

	for (int i = 0; i < result->ri_NumIndices; i++)
	{
		List	   *predicate = result->ri_IndexRelationInfo[i]->ii_Predicate;
		Bitmapset  *columns = NULL;

		pull_varattnos((Node *) predicate, 1, &columns);
		if (predicate == NIL ||
			bms_is_member(-FirstLowInvalidHeapAttributeNumber, columns))
			continue;
		predicates[n].index =
			RelationGetRelid(result->ri_IndexRelationDescs[i]);
		predicates[n++].state = ExecPrepareQual(copyObject(predicate), estate);
	}
	return n;
}

/* An index that has come since is left to the executor. */
static void
lend_predicates(ResultRelInfo *result)
{
	for (int i = 0; i < result->ri_NumIndices; i++)
	{
		Oid			index = RelationGetRelid(result->ri_IndexRelationDescs[i]);

		for (int j = 0; j < nkept_predicates; j++)
		{
			if (kept_predicates[j].index == index)
				result->ri_IndexRelationInfo[i]->ii_PredicateState =
					kept_predicates[j].state;
		}
	}
}

static void
on_function_change(Datum arg, int cacheid, uint32 hash)
{
	account_table.changes++;
}
