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
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

static EState *kept_estate = NULL;
static ExprState **kept_constraints = NULL;
static Oid	kept_table = InvalidOid;
static bool kept_valid = false;

static void prepare(Relation rel);
static void on_relation_change(Datum arg, Oid relid);
static void on_function_change(Datum arg, int cacheid, uint32 hash);

void
awspool_init_constraints(void)
{
	CacheRegisterRelcacheCallback(on_relation_change, (Datum) 0);
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
	if (constr == NULL || constr->num_check == 0 ||
		constr->num_check != rel->rd_rel->relchecks)
		return;

	if (!kept_valid || kept_table != RelationGetRelid(rel))
		prepare(rel);
	result->awspool_ri_constraints = kept_constraints;
}

static void
prepare(Relation rel)
{
	TupleConstr *constr = RelationGetDescr(rel)->constr;
	EState	   *estate = CreateExecutorState();
	MemoryContext caller_context = MemoryContextSwitchTo(estate->es_query_cxt);
	ExprState **constraints = palloc0(constr->num_check * sizeof(ExprState *));

	kept_valid = true;			/* unless it changes meanwhile */
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
	kept_table = RelationGetRelid(rel);
}

static void
on_relation_change(Datum arg, Oid relid)
{
	if (relid == kept_table || relid == InvalidOid)
		kept_valid = false;
}

static void
on_function_change(Datum arg, int cacheid, uint32 hash)
{
	kept_valid = false;
}
