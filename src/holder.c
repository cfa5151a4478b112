/*-------------------------------------------------------------------------
 *
 * holder.c
 *	  The transactions that may hold accounts for long: prepared ones, and those
 *	  that sessions began long ago.
 *
 * A caller may know of those whose role's privileges the caller has, or of all
 * with those of pg_read_all_stats: as pg_stat_activity has it of sessions.  Of
 * the others it is told that there is somebody.  (That is less than anybody
 * can see of prepared transactions in pg_prepared_xacts.)
 *
 * The server shows a transaction what the sessions were doing when it asked
 * for the first time; so does this.
 *
 * Who has changed or locked a row has a lock on its table as well, until the
 * end of the transaction, also if that is prepared.  So for those who have no
 * such lock nobody need look at the rows: what is old, as a rule, is about
 * something else.
 *
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

#include "access/subtrans.h"
#include "access/transam.h"
#include "access/twophase.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "utils/acl.h"
#include "utils/backend_status.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

static bool is_locker(const Holder *holder,
					  const VirtualTransactionId *lockers);
static void add_sessions(Holder *holders, int *n, TimestampTz before);
static Holder *add_prepared(Holder *holders, int *n);
static int	compare_holders(const void *a, const void *b);

/*
 * Finds the prepared transactions of this database, and those running ones
 * that have written something and began before that time, as far as the server
 * knows when they did: track_activities may be off.  They are in the caller's
 * memory, for awspool_holder_of().
 */
Holder *
awspool_find_holders(TimestampTz before, int *n)
{
	Holder	   *holders = palloc(Max(pgstat_fetch_stat_numbackends(), 1) *
								 sizeof(Holder));

	*n = 0;
	add_sessions(holders, n, before);
	if (max_prepared_xacts > 0)
		holders = add_prepared(holders, n);
	qsort(holders, *n, sizeof(Holder), compare_holders);
	return holders;
}

/*
 * Leaves those of the holders that have a lock on a table such as it takes to
 * change or to lock rows.  This transaction does not count.  (On a standby
 * there are no holders.)
 */
void
awspool_keep_lockers(Holder *holders, int *n, Oid table)
{
	VirtualTransactionId *lockers;
	LOCKTAG		tag;
	int			nkept = 0;

	if (*n == 0)
		return;

	/* That conflicts with all of them, and not with what readers have. */
	SET_LOCKTAG_RELATION(tag, MyDatabaseId, table);
	lockers = GetLockConflicts(&tag, ExclusiveLock, NULL);
	for (int i = 0; i < *n; i++)
	{
		if (is_locker(&holders[i], lockers))
			holders[nkept++] = holders[i];
	}
	*n = nkept;
}

/*
 * Whether a holder is among these transactions.
 */
static bool
is_locker(const Holder *holder, const VirtualTransactionId *lockers)
{
	bool		is_prepared = (holder->gid != NULL);
	VirtualTransactionId its = {0};
	bool		found = false;

	if (!is_prepared)
	{
		PGPROC	   *session = BackendPidGetProc(holder->pid);

		if (session == NULL)
			return false;
		GET_VXID_FROM_PGPROC(its, *session);
	}
	for (; !found && VirtualTransactionIdIsValid(*lockers); lockers++)
	{
		bool		others;

		found = is_prepared ?
			TwoPhaseGetXidByVirtualXID(*lockers, &others) == holder->xid :
			VirtualTransactionIdEquals(its, *lockers);
	}
	return found;
}

/*
 * Which of the holders a transaction, or subtransaction, belongs to; NULL if
 * to none of them, or if it has ended.
 */
const Holder *
awspool_holder_of(const Holder *holders, int n, TransactionId xid)
{
	Holder		key = {0};

	if (n == 0 || !TransactionIdIsNormal(xid) ||
		TransactionIdIsCurrentTransactionId(xid) ||
		!TransactionIdIsInProgress(xid))
		return NULL;
	key.xid = SubTransGetTopmostTransaction(xid);
	return bsearch(&key, holders, n, sizeof(Holder), compare_holders);
}

static void
add_sessions(Holder *holders, int *n, TimestampTz before)
{
	int			nbackends = pgstat_fetch_stat_numbackends();

	for (int i = 1; i <= nbackends; i++)
	{
		LocalPgBackendStatus *local = awspool_backend_status(i);
		PgBackendStatus *session = local == NULL ? NULL : &local->backendStatus;

		if (session == NULL || session->st_databaseid != MyDatabaseId ||
			!TransactionIdIsValid(local->backend_xid) ||
			session->st_xact_start_timestamp == 0 ||
			session->st_xact_start_timestamp >= before)
			continue;
		holders[(*n)++] = (Holder)
		{
			.xid = local->backend_xid,
				.pid = session->st_procpid,
				.since = session->st_xact_start_timestamp,
				.is_callers = awspool_may_know(GetUserId(), session->st_userid)
		};
	}
}

static Holder *
add_prepared(Holder *holders, int *n)
{
	static OwnerQuery prepared = {
		.sql = "SELECT transaction, gid, prepared, ownerid"
		" FROM pg_prepared_xact() WHERE dbid = $1",
		.reads_only = true,
		.nargs = 1,
		.argtypes = {OIDOID}
	};
	MemoryContext context = CurrentMemoryContext;
	Datum		database = ObjectIdGetDatum(MyDatabaseId);
	Caller		caller;
	uint64		found;

	awspool_begin_queries(&caller);
	found = awspool_query(&prepared, &database, NULL);
	holders = repalloc(holders, Max(*n + found, 1) * sizeof(Holder));
	for (uint64 i = 0; i < found; i++)
	{
		Datum		values[4];
		bool		isnull[4];

		heap_deform_tuple(SPI_tuptable->vals[i], SPI_tuptable->tupdesc,
						  values, isnull);
		holders[(*n)++] = (Holder)
		{
			.xid = DatumGetTransactionId(values[0]),
				.gid = MemoryContextStrdup(context,
										   TextDatumGetCString(values[1])),
				.since = DatumGetTimestampTz(values[2]),
				.is_callers = awspool_may_know(caller.userid,
											   DatumGetObjectId(values[3]))
		};
	}
	awspool_end_queries(&caller);
	return holders;
}

/*
 * Whether a role may know what another one does, as pg_stat_activity has it.
 */
bool
awspool_may_know(Oid caller, Oid role)
{
	return has_privs_of_role(caller, role) ||
		has_privs_of_role(caller, ROLE_PG_READ_ALL_STATS);
}

static int
compare_holders(const void *a, const void *b)
{
	TransactionId x = ((const Holder *) a)->xid;
	TransactionId y = ((const Holder *) b)->xid;

	return (x > y) - (x < y);
}
