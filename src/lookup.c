/*-------------------------------------------------------------------------
 *
 * lookup.c
 *	  Which of some accounts are in the pool already, or were used once.
 *
 * This is asked of one account that could not be stored, and of thousands
 * that are about to be.  The ids are sorted, and looked for along an index
 * that begins with the id, in scans that each span some of them:
 *
 * - A scan that spans one id is a descent of the index for each.  That is
 *	 right where many other ids lie between ours.
 *
 * - A scan that spans many meets all entries between the first and the last,
 *	 and costs little for each.  That is right where most of the entries are
 *	 ours, as in a file that was imported before, or where there are none, as
 *	 in one whose ids are higher than any.
 *
 * Which it is shows on the way: each scan that gets through spans twice as
 * many ids as the one before; one that meets too many others gives up, and the
 * next span one id again.  The table is read only where an id is the same.
 *
 * From 17 on, the server would do the like by itself in one scan for an array
 * of ids.  15 and 16 descend for every element then, which makes it a quarter
 * dearer to import a file again.
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

/* Entries that a scan steps over in search of one of our ids, in all. */
#define MAX_OTHERS	16

/* Scans for one id before one that spans more is tried again, at most. */
#define MAX_PATIENCE	1024

/* The column of awspool.account_log that is read here. */
#define Anum_log_provider	2

/* How many ids the next scan spans. */
typedef struct Pace
{
	int			span;
	int			singles;		/* scans for one id before it may span more */
	int			patience;		/* how many that will be if it gives up next */
} Pace;

typedef void (*SeenCallback) (NewAccount *account, TupleTableSlot *slot);

static void match(const char *table, const char *index, NewAccount **accounts,
				  int n, SeenCallback seen);
static int	scan_for(IndexScanDesc scan, TupleTableSlot *slot,
					 NewAccount **accounts, int n, SeenCallback seen);
static void adapt(Pace *pace, bool got_through);
static void seek(IndexScanDesc scan, const char *first, const char *last);
static int	compare(const NewAccount *account, IndexScanDesc scan);
static int	compare_ids(const void *a, const void *b);
static void judge_account(NewAccount *account, TupleTableSlot *slot);
static bool is_same(const char *stored, const char *given);
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
	Relation	index_rel = awspool_open_index(index, AccessShareLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	IndexScanDesc scan = awspool_index_beginscan(rel, index_rel, snapshot, 2);
	Pace		pace = {.span = 1, .singles = 0, .patience = 1};

	scan->xs_want_itup = true;
	if (RelationGetNumberOfBlocks(index_rel) > 1)
	{
		qsort(accounts, n, sizeof(NewAccount *), compare_ids);
		for (int next = 0; next < n;)
		{
			int			span = Min(pace.span, n - next);
			int			done = scan_for(scan, slot, accounts + next, span,
										seen);

			CHECK_FOR_INTERRUPTS();
			adapt(&pace, done == span);
			next += done;
		}
	}

	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	UnregisterSnapshot(snapshot);
	index_close(index_rel, AccessShareLock);
	table_close(rel, AccessShareLock);
}

/*
 * Looks for n accounts in one scan.  Returns for how many of them, at least
 * one, it is known by now whether they are there; fewer than n if too many
 * other ids are between them.
 */
static int
scan_for(IndexScanDesc scan, TupleTableSlot *slot, NewAccount **accounts,
		 int n, SeenCallback seen)
{
	int			known = 0;
	int			others = 0;

	seek(scan, accounts[0]->account_id, accounts[n - 1]->account_id);
	while (known < n && others < MAX_OTHERS)
	{
		if (!awspool_next_entry(scan))
			return n;			/* the rest has none */
		if (compare(accounts[known], scan) > 0)
		{
			others++;
			continue;
		}
		while (known < n && compare(accounts[known], scan) < 0)
			known++;

		/* A dead row may have a successor; of the same ids, all are there. */
		if (known < n && compare(accounts[known], scan) == 0 &&
			index_fetch_heap(scan, slot))
		{
			while (known < n && compare(accounts[known], scan) == 0)
				seen(accounts[known++], slot);
		}
	}
	return known;
}

/*
 * After a scan that got through, the next one spans twice as many ids.  After
 * one that gave up, some scans span but one id: more of them each time.
 */
static void
adapt(Pace *pace, bool got_through)
{
	if (!got_through)
	{
		pace->span = 1;
		pace->singles = pace->patience;
		pace->patience = Min(pace->patience * 2, MAX_PATIENCE);
		return;
	}

	if (pace->span > 1)
		pace->patience = 1;
	if (pace->singles > 0)
		pace->singles--;
	else
		pace->span *= 2;
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

	if (!awspool_column_is(slot, Anum_account_provider, account->provider))
	{
		account->outcome = STORE_TAKEN;
		return;
	}

	existing->marketplace = awspool_column(slot, Anum_account_marketplace);
	existing->model = awspool_column(slot, Anum_account_model);
	existing->status = awspool_status_of(slot);
	if (account->use != NULL)
		existing->order_id = awspool_column(slot, Anum_account_order_id);
	existing->made_by =
		(header->t_infomask & HEAP_UPDATED) == 0 &&
		TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(header)) ?
		(int64) HeapTupleHeaderGetCmin(header) : -1;
	account->outcome =
		is_same(existing->marketplace, account->marketplace) &&
		is_same(existing->model, account->model) ?
		STORE_PRESENT : STORE_DIFFERENT;
}

/* A list of used accounts need not tell their marketplace and model. */
static bool
is_same(const char *stored, const char *given)
{
	return given == NULL || strcmp(stored, given) == 0;
}

/* Whose it was is no secret to who sees every provider. */
static void
judge_used(NewAccount *account, TupleTableSlot *slot)
{
	if (account->outcome != STORE_PENDING)
		return;
	account->existing.provider = awspool_column(slot, Anum_log_provider);
	account->outcome =
		strcmp(account->existing.provider, account->provider) == 0 ||
		awspool_sees_all() ? STORE_USED : STORE_TAKEN;
}
