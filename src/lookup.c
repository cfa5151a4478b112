/*-------------------------------------------------------------------------
 *
 * lookup.c
 *	  Which of some accounts are in the pool already, or were used once.
 *
 * This is asked of one account that could not be stored, and of thousands
 * that are about to be.  For the latter the ids are sorted, and the index is
 * scanned for one of them after the other.  As long as that finds hardly any
 * id between ours, the next scan spans twice as many of them, and merges them
 * with the entries: so a file costs few scans whose ids are all there, or all
 * higher than any.  Where the index is denser than the file, a scan that spans
 * more than one id reads in vain; it is tried ever more seldom then.  The
 * table is read only where an id is the same.
 *
 * What is seen is the present: what was committed by now, or is this
 * transaction's own.  Nobody is waited for.  An account that is being changed
 * is seen as it was, one that is being stored not at all; storing it again
 * will wait.
 *
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

#include "access/htup_details.h"
#include "access/itup.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/snapmgr.h"

/* Entries that a scan steps over in search of the next of our ids, at most. */
#define MAX_STEPS	16

/* Scans for a single id before one that spans more is tried again, at most. */
#define MAX_PATIENCE	1024

/* The column of awspool.account_log that is read here. */
#define Anum_log_provider	2

typedef void (*SeenCallback) (NewAccount *account, TupleTableSlot *slot);

static void match(const char *table, const char *index, NewAccount **accounts,
				  int n, SeenCallback seen);
static bool merge(IndexScanDesc scan, TupleTableSlot *slot,
				  NewAccount **accounts, int *next, int end,
				  SeenCallback seen);
static void seek(IndexScanDesc scan, const char *first, const char *last);
static int	compare(const NewAccount *account, IndexScanDesc scan);
static int	compare_ids(const void *a, const void *b);
static void judge_account(NewAccount *account, TupleTableSlot *slot);
static void judge_used(NewAccount *account, TupleTableSlot *slot);

/*
 * Sets the outcome of the accounts that cannot be stored, because they are
 * there already, were used once, or have the same id as an earlier one of
 * them.  The others stay pending.  Afterwards they are in the order of their
 * ids.
 */
void
awspool_look_up(NewAccount **accounts, int n)
{
	match("account", "account_pkey", accounts, n, judge_account);
	match("account_log", "account_log_used", accounts, n, judge_used);

	qsort(accounts, n, sizeof(NewAccount *), compare_ids);
	for (int i = 1; i < n; i++)
	{
		if (accounts[i]->outcome == STORE_PENDING &&
			strcmp(accounts[i]->account_id, accounts[i - 1]->account_id) == 0)
			accounts[i]->outcome = STORE_TWICE;
	}
}

/*
 * The same, but looks only for those that were used once and deleted, and
 * tells whether any was.
 */
bool
awspool_look_up_used(NewAccount **accounts, int n)
{
	bool		any = false;

	match("account_log", "account_log_used", accounts, n, judge_used);
	for (int i = 0; i < n; i++)
		any |= accounts[i]->outcome != STORE_PENDING;
	return any;
}

/*
 * Calls "seen" for each account whose id has a row, along an index that
 * begins with the id.  An index that never had an entry has but one page.
 */
static void
match(const char *table, const char *index, NewAccount **accounts, int n,
	  SeenCallback seen)
{
	Relation	rel = table_open(awspool_relation(table), AccessShareLock);
	Relation	index_rel = index_open(awspool_relation(index),
									   AccessShareLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	IndexScanDesc scan = awspool_index_beginscan(rel, index_rel, snapshot, 2);
	int			next = RelationGetNumberOfBlocks(index_rel) > 1 ? 0 : n;
	int			span = 1;		/* of our ids in a scan */
	int			patience = 1;
	int			wait = 0;

	if (next < n)
		qsort(accounts, n, sizeof(NewAccount *), compare_ids);
	scan->xs_want_itup = true;
	while (next < n)
	{
		int			end = Min(next + span, n);

		CHECK_FOR_INTERRUPTS();
		if (merge(scan, slot, accounts, &next, end, seen))
		{
			if (span > 1)
				patience = 1;
			if (wait > 0)
				wait--;
			else
				span *= 2;
		}
		else
		{
			span = 1;
			wait = patience;
			patience = Min(patience * 2, MAX_PATIENCE);
		}
	}

	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	UnregisterSnapshot(snapshot);
	index_close(index_rel, AccessShareLock);
	table_close(rel, AccessShareLock);
}

/*
 * Looks for the accounts from *next to before "end", and moves *next on.  False
 * if it gave up before the end, since too many other ids are between ours.
 */
static bool
merge(IndexScanDesc scan, TupleTableSlot *slot, NewAccount **accounts,
	  int *next, int end, SeenCallback seen)
{
	int			i = *next;
	int			steps = 0;

	seek(scan, accounts[i]->account_id, accounts[end - 1]->account_id);
	while (i < end && steps < MAX_STEPS)
	{
		if (!awspool_next_entry(scan))
			i = end;			/* no more ids in the index */
		else if (compare(accounts[i], scan) > 0)
			steps++;
		else
		{
			while (i < end && compare(accounts[i], scan) < 0)
				i++;
			if (i < end && compare(accounts[i], scan) == 0 &&
				index_fetch_heap(scan, slot))
			{
				while (i < end && compare(accounts[i], scan) == 0)
					seen(accounts[i++], slot);
			}
		}
	}
	*next = i;
	return i == end;
}

/* Begins anew, with the first id that is not below "first". */
static void
seek(IndexScanDesc scan, const char *first, const char *last)
{
	ScanKeyData keys[2];
	Oid			collation = scan->indexRelation->rd_indcollation[0];

	ScanKeyEntryInitialize(&keys[0], 0, 1, BTGreaterEqualStrategyNumber,
						   InvalidOid, collation, F_TEXT_GE,
						   CStringGetTextDatum(first));
	ScanKeyEntryInitialize(&keys[1], 0, 1, BTLessEqualStrategyNumber,
						   InvalidOid, collation, F_TEXT_LE,
						   CStringGetTextDatum(last));
	index_rescan(scan, keys, lengthof(keys), NULL, 0);
}

/* How an id compares to that of the entry, in the collation "C". */
static int
compare(const NewAccount *account, IndexScanDesc scan)
{
	bool		isnull;
	text	   *id = DatumGetTextPP(index_getattr(scan->xs_itup, 1,
												  scan->xs_itupdesc,
												  &isnull));
	int			len = VARSIZE_ANY_EXHDR(id);
	int			result = strncmp(account->account_id, VARDATA_ANY(id), len);

	return result != 0 ? result : account->account_id[len] != '\0';
}

/* Of the same ids, the one that comes first in the file. */
static int
compare_ids(const void *a, const void *b)
{
	const NewAccount *x = *(NewAccount *const *) a;
	const NewAccount *y = *(NewAccount *const *) b;
	int			result = strcmp(x->account_id, y->account_id);

	return result != 0 ? result : (x > y) - (x < y);
}

static void
judge_account(NewAccount *account, TupleTableSlot *slot)
{
	Existing   *existing = &account->existing;
	HeapTupleHeader header = ((BufferHeapTupleTableSlot *) slot)->base.tuple->t_data;
	bool		isnull;

	if (!awspool_column_is(slot, Anum_account_provider, account->provider))
	{
		account->outcome = STORE_TAKEN;
		return;
	}

	existing->marketplace = awspool_column(slot, Anum_account_marketplace);
	existing->model = awspool_column(slot, Anum_account_model);
	existing->status = awspool_status_of(slot);
	existing->position = DatumGetInt64(slot_getattr(slot,
													Anum_account_position,
													&isnull));
	existing->is_ours =
		TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(header));
	account->outcome =
		strcmp(existing->marketplace, account->marketplace) == 0 &&
		strcmp(existing->model, account->model) == 0 ?
		STORE_PRESENT : STORE_DIFFERENT;
}

/* Whose it was is no secret to who may act for every provider. */
static void
judge_used(NewAccount *account, TupleTableSlot *slot)
{
	if (account->outcome != STORE_PENDING)
		return;
	account->existing.provider = awspool_column(slot, Anum_log_provider);
	account->outcome =
		strcmp(account->existing.provider, account->provider) == 0 ||
		awspool_acts_for_all() ? STORE_USED : STORE_TAKEN;
}
