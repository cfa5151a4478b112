/*-------------------------------------------------------------------------
 *
 * constraint.c
 *	  The CHECK constraints of awspool.account, prepared once in a session.
 *
 * The server prepares the constraints of a table anew for each statement that
 * writes to it.  For the change of a single row that is more work than the
 * change itself: it has to read the expressions from their text.  So we keep
 * them, and lend them to whoever changes rows without a query (row.c).
 *
 * They are prepared again when the table, or any function, has changed.  What
 * was lent before stays until the end of the transaction.
 *
 * This is for our own constraints only.  As soon as the user has added one,
 * all are left to the executor: a whole row in an expression is remembered
 * there by its memory in the first call, and virtual columns would have to be
 * expanded first.
 *
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

/* Our constraints, in the order in which the server has them. */
static const char *const our_constraints[] = {
	"account_fits_its_status", "account_is_well_formed"
};

/*
 * As they were prepared last, after so many changes of the table, or of a
 * function.
 */
static WatchedTable account_table = {0};
static EState *kept_estate = NULL;
static ExprState **kept_constraints = NULL;
static uint64 kept_changes = 0;

static bool are_ours(const TupleConstr *constr);
static void prepare(Relation rel);
static void on_function_change(Datum arg, int cacheid, uint32 hash);

void
awspool_init_constraints(void)
{
	CacheRegisterSyscacheCallback(PROCOID, on_function_change, (Datum) 0);
}

/*
 * Gives the executor the prepared constraints of awspool.account, which is
 * open.
 */
void
awspool_lend_constraints(ResultRelInfo *result)
{
	Relation	rel = result->ri_RelationDesc;
	TupleConstr *constr = RelationGetDescr(rel)->constr;

	/* If any is missing in the catalog, the executor has to complain. */
	if (constr == NULL || constr->num_check != rel->rd_rel->relchecks ||
		!are_ours(constr))
		return;

	awspool_watch_table(&account_table, RelationGetRelid(rel));
	if (kept_changes != account_table.changes)
		prepare(rel);
	result->awspool_ri_constraints = kept_constraints;
}

static bool
are_ours(const TupleConstr *constr)
{
	if (constr->num_check != lengthof(our_constraints))
		return false;
	for (int i = 0; i < constr->num_check; i++)
	{
		if (strcmp(constr->check[i].ccname, our_constraints[i]) != 0)
			return false;
	}
	return true;
}

static void
prepare(Relation rel)
{
	TupleConstr *constr = RelationGetDescr(rel)->constr;
	/* what changes meanwhile counts again */
	uint64		before = account_table.changes;
	EState	   *estate = CreateExecutorState();
	MemoryContext caller_context = MemoryContextSwitchTo(estate->es_query_cxt);
	ExprState **constraints = palloc0(constr->num_check * sizeof(ExprState *));

	for (int i = 0; i < constr->num_check; i++)
	{
		if (awspool_is_enforced(&constr->check[i]))
			constraints[i] =
				ExecPrepareExpr(stringToNode(constr->check[i].ccbin), estate);
	}
	MemoryContextSwitchTo(caller_context);

	if (kept_estate != NULL)
		MemoryContextSetParent(kept_estate->es_query_cxt,
							   TopTransactionContext);
	MemoryContextSetParent(estate->es_query_cxt, TopMemoryContext);
	kept_estate = estate;
	kept_constraints = constraints;
	kept_changes = before;
}

static void
on_function_change(Datum arg, int cacheid, uint32 hash)
{
	account_table.changes++;
}
