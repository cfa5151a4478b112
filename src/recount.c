/*-------------------------------------------------------------------------
 *
 * recount.c
 *	  Making the counts anew, from the accounts and the log.
 *
 * That is for the owner, where the triggers that count did not fire: after a
 * restore with --disable-triggers, say, or when somebody has changed
 * awspool.tally by hand.  And it is what follows a TRUNCATE, which tells no
 * trigger which rows it removes.
 *
 * Whoever could change the accounts, the log or the counts meanwhile is waited
 * for, prepared transactions included, and kept waiting.  What is counted is
 * the present, in any transaction, and this transaction's own changes with it.
 * So what it has counted and was to write at its end is forgotten.
 *
 * A pool of which neither accounts nor log know anything is gone then.
 *
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(awspool_recount);
PG_FUNCTION_INFO_V1(awspool_recount_truncated);

static const char *const owners_right = "make the counts anew";

static void recount(void);
static void write_counts(void);
static void merge_all(Relation tally);

/*
 * awspool.recount()
 */
Datum
awspool_recount(PG_FUNCTION_ARGS)
{
	awspool_check_owner(owners_right);
	recount();
	awspool_check_owner(owners_right);	/* we may have waited long */
	PG_RETURN_VOID();
}

/*
 * Trigger: after awspool.account or awspool.account_log was truncated.
 */
Datum
awspool_recount_truncated(PG_FUNCTION_ARGS)
{
	const char *relation = "account";

	if (CALLED_AS_TRIGGER(fcinfo) &&
		strcmp(RelationGetRelationName(((TriggerData *) fcinfo->context)->tg_relation),
			   "account_log") == 0)
		relation = "account_log";
	(void) awspool_trigger_data(fcinfo, relation, AFTER_STATEMENT,
								ON_TRUNCATE);
	recount();
	return PointerGetDatum(NULL);
}

static void
recount(void)
{
	Relation	tally;

	awspool_begin_writing();
	LockRelationOid(awspool_relation("account"), ShareRowExclusiveLock);
	LockRelationOid(awspool_relation("account_log"), ShareRowExclusiveLock);
	tally = table_open(awspool_relation("tally"), ShareRowExclusiveLock);
	CommandCounterIncrement();

	awspool_makes_tally = true;
	PG_TRY();
	{
		write_counts();
	}
	PG_FINALLY();
	{
		awspool_makes_tally = false;
	}
	PG_END_TRY();
	CommandCounterIncrement();
	awspool_forget_pending(tally, NULL);
	CommandCounterIncrement();
	merge_all(tally);
	CommandCounterIncrement();
	table_close(tally, NoLock);
}

/* Each pool's counts of each hour are a fragment, to begin with. */
static void
write_counts(void)
{
	static OwnerQuery delete = {
		.sql = "DELETE FROM ONLY awspool.tally",
		.at_present = true
	};
	static OwnerQuery insert = {
		.sql = "INSERT INTO awspool.tally (hour, part, added, now_ready, claimed,"
		" now_in_progress, now_allocated, allocated, now_failed,"
		" provisioning_failed, now_invalid, invalid, deleted, provider, marketplace)"
		" SELECT c.hour, 2, c.added, c.now_ready, c.claimed, c.now_in_progress,"
		"  c.now_allocated, c.allocated, c.now_failed, c.provisioning_failed,"
		"  c.now_invalid, c.invalid, c.deleted, c.provider, c.marketplace"
		" FROM awspool.count_anew() c",
		.at_present = true
	};
	Caller		caller;

	awspool_begin_queries(&caller);
	(void) awspool_query(&delete, NULL, NULL);
	(void) awspool_query(&insert, NULL, NULL);
	awspool_end_queries(&caller);
}

static void
merge_all(Relation tally)
{
	static OwnerQuery pools = {
		.sql = "SELECT DISTINCT provider, marketplace FROM ONLY awspool.tally",
		.at_present = true
	};
	Caller		caller;
	uint64		n;

	awspool_begin_queries(&caller);
	n = awspool_query(&pools, NULL, NULL);
	for (uint64 i = 0; i < n; i++)
	{
		bool		isnull;
		Datum		provider = SPI_getbinval(SPI_tuptable->vals[i],
											 SPI_tuptable->tupdesc, 1,
											 &isnull);
		Datum		marketplace = SPI_getbinval(SPI_tuptable->vals[i],
												SPI_tuptable->tupdesc, 2,
												&isnull);

		awspool_merge_pool(tally, provider, marketplace);
	}
	awspool_end_queries(&caller);
}

/*
 * Removes all counts of a provider, whose accounts and log were erased in this
 * transaction.  The caller has seen to it that nobody changes any meanwhile.
 */
void
awspool_forget_counts(const char *provider)
{
	static OwnerQuery delete = {
		.sql = "DELETE FROM ONLY awspool.tally WHERE provider = $1",
		.at_present = true,
		.nargs = 1,
		.argtypes = {TEXTOID}
	};
	Relation	tally = awspool_open_tally(RowExclusiveLock);
	Datum		name = CStringGetTextDatum(provider);
	Caller		caller;

	/* A merge that is not committed puts them where we do not see them. */
	(void) awspool_lock_names(AWSPOOL_LOCK_TALLY, "", "", true);
	awspool_begin_queries(&caller);
	(void) awspool_query(&delete, &name, NULL);
	awspool_end_queries(&caller);
	CommandCounterIncrement();
	awspool_forget_pending(tally, provider);
	table_close(tally, NoLock);
}
