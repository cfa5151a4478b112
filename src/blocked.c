/*-------------------------------------------------------------------------
 *
 * blocked.c
 *	  Ready accounts that nobody gets, as somebody holds them for long.
 *
 * A claim steps over an account that a running transaction has claimed, is
 * changing or has locked.  As a rule that is over in a moment.  A transaction
 * that was prepared and forgotten, or a session that does nothing, keeps its
 * accounts from being sold and, as they are the oldest, nothing else shows it.
 *
 * As long as no such transaction has anything of awspool.account, which is the
 * usual case, nothing is looked at.  Otherwise the accounts at the head of each
 * pool are: those that claims would come to next.
 *
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(awspool_blocked_accounts);

/* A transaction is old that began so long ago; a prepared one always is. */
#define OLD				(5 * USECS_PER_MINUTE)

/* So many accounts of each pool are looked at. */
#define HEAD_LENGTH		1000

/* A look at the ready accounts of a provider. */
typedef struct Look
{
	Relation	rel;
	const char *provider;
	const Holder *holders;
	int			nholders;
	TupleTableSlot *slot;
	ReturnSetInfo *rsinfo;
} Look;

static void look_at_pools(Look *look);
static void next_pool(IndexScanDesc scan, const Look *look,
					  const char *marketplace);
static void look_at_account(Look *look);
static const Holder *find_holder(const Look *look);
static void put_row(Look *look, const Holder *holder);

/*
 * awspool.blocked_accounts(provider)
 *
 * The ready accounts of the provider, among the oldest of each pool, that an
 * old transaction of a session or a prepared transaction has claimed, is
 * changing or has locked.  Which one is NULL if the caller may not know it.
 */
Datum
awspool_blocked_accounts(PG_FUNCTION_ARGS)
{
	static const Oid types[] = {
		TEXTOID, TEXTOID, BOOLOID, INT4OID, TEXTOID, TIMESTAMPTZOID
	};
	char	   *provider = awspool_visible_provider_argument(fcinfo);
	Look		look = {
		.provider = provider,
		.rsinfo = awspool_begin_rows(fcinfo, lengthof(types), types),
	};
	Oid			table = awspool_relation("account");
	Holder	   *holders = awspool_find_holders(GetCurrentTimestamp() - OLD,
											   &look.nholders);

	awspool_keep_lockers(holders, &look.nholders, table);
	if (look.nholders == 0)
		return (Datum) 0;
	look.holders = holders;

	look.rel = table_open(table, AccessShareLock);
	look.slot = table_slot_create(look.rel, NULL);
	look_at_pools(&look);
	ExecDropSingleTupleTableSlot(look.slot);
	table_close(look.rel, AccessShareLock);

	/* We may have waited for the table or its index. */
	awspool_check_visible_again(provider);
	return (Datum) 0;
}

/*
 * Looks at the head of each pool, in the order of the index: pool by pool, the
 * oldest account first.
 */
static void
look_at_pools(Look *look)
{
	Relation	index = awspool_open_index("account_ready", AccessShareLock);
	char	   *marketplace = pstrdup("");
	int			n = 0;
	SnapshotData dirty;
	IndexScanDesc scan;

	InitDirtySnapshot(dirty);
	scan = awspool_index_beginscan(look->rel, index, &dirty, 2);
	next_pool(scan, look, marketplace);
	while (index_getnext_slot(scan, ForwardScanDirection, look->slot))
	{
		CHECK_FOR_INTERRUPTS();
		if (!awspool_column_is(look->slot, Anum_account_marketplace,
							   marketplace))
		{
			marketplace = awspool_column(look->slot,
										 Anum_account_marketplace);
			n = 0;
		}

		/* What is being added was never ready. */
		if (!TransactionIdIsValid(dirty.xmin))
			look_at_account(look);
		if (++n >= HEAD_LENGTH)
			next_pool(scan, look, marketplace);
	}
	index_endscan(scan);
	index_close(index, AccessShareLock);
}

/* Goes on with the pool that comes after that of the marketplace. */
static void
next_pool(IndexScanDesc scan, const Look *look, const char *marketplace)
{
	Relation	index = scan->indexRelation;
	ScanKeyData keys[2];

	ScanKeyEntryInitialize(&keys[0], 0, 1, BTEqualStrategyNumber, InvalidOid,
						   index->rd_indcollation[0], F_TEXTEQ,
						   CStringGetTextDatum(look->provider));
	ScanKeyEntryInitialize(&keys[1], 0, 2, BTGreaterStrategyNumber, InvalidOid,
						   index->rd_indcollation[1], F_TEXT_GT,
						   CStringGetTextDatum(marketplace));
	index_rescan(scan, keys, lengthof(keys), NULL, 0);
}

static void
look_at_account(Look *look)
{
	const Holder *holder = find_holder(look);

	if (holder != NULL)
		put_row(look, holder);
}

/*
 * Who of the holders has changed or locked the account in the slot; NULL if
 * none of them.
 */
static const Holder *
find_holder(const Look *look)
{
	const Holder *holder = NULL;
	int			n;
	TransactionId *xids = awspool_who_has(look->slot, &n);

	for (int i = 0; i < n && holder == NULL; i++)
		holder = awspool_holder_of(look->holders, look->nholders, xids[i]);
	return holder;
}

static void
put_row(Look *look, const Holder *holder)
{
	bool		is_prepared = (holder->gid != NULL);
	Datum		values[6] = {0};
	bool		isnull[6] = {false};

	values[0] = slot_getattr(look->slot, Anum_account_marketplace, &isnull[0]);
	values[1] = slot_getattr(look->slot, Anum_account_account_id, &isnull[1]);
	values[2] = BoolGetDatum(is_prepared);
	values[3] = Int32GetDatum(holder->pid);
	isnull[3] = is_prepared || !holder->is_callers;
	values[4] = awspool_text_datum(holder->gid);
	isnull[4] = !is_prepared || !holder->is_callers;
	values[5] = TimestampTzGetDatum(holder->since);
	isnull[5] = !holder->is_callers;
	tuplestore_putvalues(look->rsinfo->setResult, look->rsinfo->setDesc,
						 values, isnull);
}
