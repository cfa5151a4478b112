/*-------------------------------------------------------------------------
 *
 * verify.c
 *	  What of awspool.verify() no query can tell: whether the indexes have
 *	  what the tables have, and whether the notes of where to start hold.
 *
 * A query reads along an index or the table, as the planner likes.  So we read
 * both with one snapshot.  A row that it shows has had its entry since before
 * it was committed, and nobody may remove that as long as there is the
 * snapshot.  So whatever others do meanwhile, and nobody waits for us, both
 * ways have to lead to the same versions of rows.  They are at the same places,
 * too: a version never moves, unless the whole table is written anew.
 *
 * The table is read once for all its indexes.  For each the rows that belong
 * there are counted, and the hashes of their places summed up.  Then the index
 * is read from end to end.  An entry whose row has other values, or does not
 * belong there, is wrong; the others are counted and summed up as well.  Where
 * that comes to the same, nothing is missing and nothing there twice.  Only
 * where it does not are all places sorted and compared one by one.
 *
 * An entry whose row the snapshot does not show is none of our business, but
 * for one that has lost its row: it belongs to whichever row comes there next.
 * Vacuum frees the place of a row after it has removed its entries, and it
 * removes none from an index page that we have pinned, as a scan does that
 * wants to see its entries.  A standby does not keep to that where it has
 * nothing to remove, so there we do not look.  Nor do we mark entries as dead,
 * as scans do: who calls again has to see the same.
 *
 * What is checked of a note (pool_start.c) is what it promises: as long as
 * nothing is counted as arrived, no account that can be claimed is before it.
 * It is changed in place, so the snapshot has to be taken after it was read,
 * and the count be looked at again after that.
 *
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/index.h"
#include "catalog/pg_am.h"
#include "catalog/pg_operator_d.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"
#include "utils/tuplesort.h"

/* Rows that a message names, at most. */
#define MAX_EXAMPLES	3

/* The columns that are read here of awspool.account_log and pool_start. */
#define Anum_log_log_id				1
#define Anum_pool_start_provider	4
#define Anum_pool_start_marketplace	5

/* After the last place. */
#define NO_PLACE		PG_UINT64_MAX

/* Something that is wrong with an index, how often, and with which rows. */
typedef struct Fault
{
	uint64		n;
	StringInfoData examples;
} Fault;

/* Places of rows: how many, and the sum of their hashes. */
typedef struct Places
{
	uint64		n;
	uint64		sum;
} Places;

/* A table that is verified, as a snapshot shows it. */
typedef struct VerifiedTable
{
	Relation	rel;
	AttrNumber	id;				/* the column that names a row */
	BlockNumber npages;			/* at least */
	Snapshot	snapshot;
	EState	   *estate;
	TupleTableSlot *slot;		/* the row that expressions see */
	ReturnSetInfo *rsinfo;		/* where to report */
} VerifiedTable;

/* One of its indexes. */
typedef struct VerifiedIndex
{
	VerifiedTable *table;
	Relation	rel;
	IndexInfo  *info;
	ExprState  *predicate;		/* NULL: every row belongs there */
	Places		rows;
	Places		entries;		/* the right ones */
	Fault		missing;
	Fault		twice;
	Fault		wrong;
	Fault		lost;
} VerifiedIndex;

static const char *const owners_right = "verify the pool";

PG_FUNCTION_INFO_V1(awspool_verify_indexes);
PG_FUNCTION_INFO_V1(awspool_verify_pool_starts);

static ReturnSetInfo *begin_report(FunctionCallInfo fcinfo);
static void report(ReturnSetInfo *rsinfo, const char *severity,
				   const char *object, const char *problem,
				   const char *action);
static void verify_table(ReturnSetInfo *rsinfo, const char *name,
						 AttrNumber id);
static List *open_indexes(VerifiedTable *table);
static bool is_too_new(Relation index);
static VerifiedIndex *begin_index(VerifiedTable *table, Relation rel);
static void count_rows(VerifiedTable *table, List *indexes);
static bool belongs(const VerifiedIndex *index);
static void count_entries(VerifiedIndex *index);
static IndexScanDesc begin_entries(VerifiedIndex *index);
static bool next_right_entry(VerifiedIndex *index, IndexScanDesc scan);
static bool is_beyond_end(VerifiedTable *table, ItemPointer place);
static bool is_free(Relation rel, ItemPointer place);
static bool is_right(const VerifiedIndex *index, IndexScanDesc scan);
static void count_place(Places *places, ItemPointer place);
static void compare_places(VerifiedIndex *index);
static void gather_rows(VerifiedIndex *index, Tuplesortstate *places);
static void gather_entries(VerifiedIndex *index, Tuplesortstate *places);
static Tuplesortstate *begin_places(void);
static void put_place(Tuplesortstate *places, ItemPointer place);
static uint64 next_place(Tuplesortstate *places);
static bool count_fault(Fault *fault);
static void name_row(Fault *fault, const char *row);
static void clear_fault(Fault *fault);
static char *row_name(const VerifiedTable *table);
static char *row_name_at(const VerifiedTable *table, uint64 place);
static void report_index(const VerifiedIndex *index);
static void report_fault(const VerifiedIndex *index, const Fault *fault,
						 const char *what);
static bool is_valid(const char *index_name);
static void verify_start(ReturnSetInfo *rsinfo, ArrivalCounts *counts,
						 const char *provider, const char *marketplace);
static char *ready_before(int64 position, const char *provider,
						  const char *marketplace);

/*
 * awspool.verify_indexes()
 *
 * Part of verify: whether every index of accounts and of their log has an
 * entry for each row that belongs there, and no other.
 *
 * Expressions of an index are its owner's, so they run with their rights.
 */
Datum
awspool_verify_indexes(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = begin_report(fcinfo);
	Oid			userid;
	int			sec_context;
	int			guc_level = NewGUCNestLevel();

	GetUserIdAndSecContext(&userid, &sec_context);
	SetUserIdAndSecContext(awspool_owner(),
						   sec_context | SECURITY_RESTRICTED_OPERATION);
	verify_table(rsinfo, "account", Anum_account_account_id);
	verify_table(rsinfo, "account_log", Anum_log_log_id);
	AtEOXact_GUC(false, guc_level);
	SetUserIdAndSecContext(userid, sec_context);
	awspool_check_owner(owners_right);	/* we may have waited for a table */
	return (Datum) 0;
}

/*
 * awspool.verify_pool_starts()
 *
 * Part of verify: whether the notes hold of where to start in a pool.  On a
 * standby there are none; nor does anybody read them without these indexes.
 */
Datum
awspool_verify_pool_starts(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = begin_report(fcinfo);
	ArrivalCounts counts;
	Relation	rel;
	TupleTableSlot *slot;
	TableScanDesc scan;

	if (RecoveryInProgress() || !is_valid("account_ready") ||
		!is_valid("pool_start_pkey"))
		return (Datum) 0;

	rel = table_open(awspool_relation("pool_start"), AccessShareLock);
	slot = table_slot_create(rel, NULL);
	awspool_open_arrivals(&counts);
	scan = awspool_table_beginscan(rel, GetActiveSnapshot());
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		bool		isnull;

		verify_start(rsinfo, &counts,
					 TextDatumGetCString(slot_getattr(slot,
													  Anum_pool_start_provider,
													  &isnull)),
					 TextDatumGetCString(slot_getattr(slot,
													  Anum_pool_start_marketplace,
													  &isnull)));
	}
	table_endscan(scan);
	awspool_close_arrivals(&counts);
	ExecDropSingleTupleTableSlot(slot);
	table_close(rel, AccessShareLock);
	awspool_check_owner(owners_right);
	return (Datum) 0;
}

/*
 * Rows of what these functions return, for the owner only.
 */
static ReturnSetInfo *
begin_report(FunctionCallInfo fcinfo)
{
	static const Oid types[] = {TEXTOID, TEXTOID, TEXTOID, TEXTOID};

	awspool_check_owner(owners_right);
	return awspool_begin_rows(fcinfo, lengthof(types), types);
}

static void
report(ReturnSetInfo *rsinfo, const char *severity, const char *object,
	   const char *problem, const char *action)
{
	Datum		values[] = {
		CStringGetTextDatum(severity), CStringGetTextDatum(object),
		CStringGetTextDatum(problem), CStringGetTextDatum(action)
	};
	bool		nulls[lengthof(values)] = {false};

	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/*
 * The locks are those of a reader, and kept as a reader keeps them.
 */
static void
verify_table(ReturnSetInfo *rsinfo, const char *name, AttrNumber id)
{
	VerifiedTable table = {.rsinfo = rsinfo, .id = id};
	List	   *indexes;
	ListCell   *cell;

	table.rel = table_open(awspool_relation(name), AccessShareLock);
	table.snapshot = RegisterSnapshot(GetActiveSnapshot());
	table.estate = CreateExecutorState();
	table.slot = table_slot_create(table.rel, NULL);
	GetPerTupleExprContext(table.estate)->ecxt_scantuple = table.slot;

	indexes = open_indexes(&table);
	count_rows(&table, indexes);
	foreach(cell, indexes)
	{
		VerifiedIndex *index = lfirst(cell);

		count_entries(index);
		if (index->entries.n != index->rows.n ||
			index->entries.sum != index->rows.sum)
			compare_places(index);
		report_index(index);
		index_close(index->rel, NoLock);
	}

	ExecDropSingleTupleTableSlot(table.slot);
	FreeExecutorState(table.estate);
	UnregisterSnapshot(table.snapshot);
	table_close(table.rel, NoLock);
}

/*
 * The indexes of a table that can be read from end to end.  Of those that are
 * not valid, lint() tells.
 */
static List *
open_indexes(VerifiedTable *table)
{
	List	   *result = NIL;
	ListCell   *cell;

	foreach(cell, RelationGetIndexList(table->rel))
	{
		Relation	rel = index_open(lfirst_oid(cell), AccessShareLock);

		if (!rel->rd_index->indisvalid || rel->rd_rel->relam != BTREE_AM_OID)
			index_close(rel, NoLock);
		else if (is_too_new(rel))
		{
			report(table->rsinfo, "warning",
				   psprintf("index awspool.%s",
							quote_identifier(RelationGetRelationName(rel))),
				   "it cannot be verified yet: it was made while older transactions ran",
				   "verify again when those have ended");
			index_close(rel, NoLock);
		}
		else
			result = lappend(result, begin_index(table, rel));
	}
	return result;
}

static VerifiedIndex *
begin_index(VerifiedTable *table, Relation rel)
{
	VerifiedIndex *index = palloc0(sizeof(VerifiedIndex));

	index->table = table;
	index->rel = rel;
	index->info = BuildIndexInfo(rel);
	index->predicate = ExecPrepareQual(index->info->ii_Predicate,
									   table->estate);
	initStringInfo(&index->missing.examples);
	initStringInfo(&index->twice.examples);
	initStringInfo(&index->wrong.examples);
	initStringInfo(&index->lost.examples);
	return index;
}

/*
 * Whether old snapshots may not use an index, ours being one.  The same as the
 * planner asks.
 */
static bool
is_too_new(Relation index)
{
	return index->rd_index->indcheckxmin &&
		!TransactionIdPrecedes(HeapTupleHeaderGetXmin(index->rd_indextuple->t_data),
							   TransactionXmin);
}

/*
 * Reads the table, and counts for each index the rows that belong there.
 */
static void
count_rows(VerifiedTable *table, List *indexes)
{
	TableScanDesc scan = awspool_table_beginscan(table->rel, table->snapshot);
	ListCell   *cell;

	while (table_scan_getnextslot(scan, ForwardScanDirection, table->slot))
	{
		CHECK_FOR_INTERRUPTS();
		foreach(cell, indexes)
		{
			VerifiedIndex *index = lfirst(cell);

			if (belongs(index))
				count_place(&index->rows, &table->slot->tts_tid);
		}
		ResetPerTupleExprContext(table->estate);
	}
	table_endscan(scan);
}

static bool
belongs(const VerifiedIndex *index)
{
	return ExecQual(index->predicate,
					GetPerTupleExprContext(index->table->estate));
}

/*
 * Reads the index, and counts the entries that are right.
 */
static void
count_entries(VerifiedIndex *index)
{
	IndexScanDesc scan = begin_entries(index);

	while (next_right_entry(index, scan))
		count_place(&index->entries, &index->table->slot->tts_tid);
	index_endscan(scan);
}

/*
 * What is wrong with the entries is noted each time that they are read.
 */
static IndexScanDesc
begin_entries(VerifiedIndex *index)
{
	clear_fault(&index->wrong);
	clear_fault(&index->lost);
	return awspool_begin_index_scan(index->table->rel, index->rel,
									index->table->snapshot, 0, NULL, true);
}

/*
 * Steps to the next entry that is as it should be, of a row that the snapshot
 * shows, and puts that into the table's slot.  Notes what is wrong with
 * others.
 */
static bool
next_right_entry(VerifiedIndex *index, IndexScanDesc scan)
{
	VerifiedTable *table = index->table;

	while (awspool_next_entry(scan))
	{
		ItemPointerData place = scan->xs_heaptid;

		CHECK_FOR_INTERRUPTS();
		ResetPerTupleExprContext(table->estate);
		if (is_beyond_end(table, &place))
			(void) count_fault(&index->lost);
		else if (index_fetch_heap(scan, table->slot))
		{
			if (is_right(index, scan))
				return true;
			if (count_fault(&index->wrong))
				name_row(&index->wrong, row_name(table));
		}
		else if (is_free(table->rel, &place))
			(void) count_fault(&index->lost);
		scan->kill_prior_tuple = false;
	}
	return false;
}

/*
 * Whether the table has no such page.  Nobody makes it shorter meanwhile.
 */
static bool
is_beyond_end(VerifiedTable *table, ItemPointer place)
{
	BlockNumber block = ItemPointerGetBlockNumber(place);

	if (block >= table->npages)
		table->npages = RelationGetNumberOfBlocks(table->rel);
	return block >= table->npages;
}

/*
 * Whether no row has that place on its page.
 */
static bool
is_free(Relation rel, ItemPointer place)
{
	OffsetNumber offset = ItemPointerGetOffsetNumber(place);
	Buffer		buffer;
	Page		page;
	bool		result;

	if (RecoveryInProgress())
		return false;

	buffer = ReadBuffer(rel, ItemPointerGetBlockNumber(place));
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	page = BufferGetPage(buffer);
	result = offset > PageGetMaxOffsetNumber(page) ||
		!ItemIdIsUsed(PageGetItemId(page, offset));
	UnlockReleaseBuffer(buffer);
	return result;
}

/*
 * Whether the entry of a scan has the values of its row, which is in the
 * table's slot, and whether that belongs into the index.
 */
static bool
is_right(const VerifiedIndex *index, IndexScanDesc scan)
{
	TupleTableSlot *slot = index->table->slot;
	TupleDesc	desc = scan->xs_itupdesc;
	Datum		values[INDEX_MAX_KEYS];
	bool		isnull[INDEX_MAX_KEYS];

	if (!belongs(index))
		return false;
	FormIndexDatum(index->info, slot, index->table->estate, values, isnull);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);
		bool		entry_isnull;
		Datum		entry = index_getattr(scan->xs_itup, i + 1, desc,
										  &entry_isnull);

		if (entry_isnull != isnull[i] ||
			(!entry_isnull &&
			 !datum_image_eq(entry, values[i], column->attbyval,
							 column->attlen)))
			return false;
	}
	return true;
}

static void
count_place(Places *places, ItemPointer place)
{
	places->n++;
	places->sum += hash_bytes_extended((unsigned char *) place,
									   sizeof(ItemPointerData), 0);
}

/*
 * Reads both once more, and notes which rows have no entry, or more than one.
 */
static void
compare_places(VerifiedIndex *index)
{
	Tuplesortstate *rows = begin_places();
	Tuplesortstate *entries = begin_places();
	uint64		row;
	uint64		entry;
	uint64		before = NO_PLACE;

	gather_rows(index, rows);
	gather_entries(index, entries);
	row = next_place(rows);
	entry = next_place(entries);
	while (row != NO_PLACE || entry != NO_PLACE)
	{
		CHECK_FOR_INTERRUPTS();
		if (row < entry)
		{
			if (count_fault(&index->missing))
				name_row(&index->missing, row_name_at(index->table, row));
			row = next_place(rows);
			continue;
		}
		if (entry == before && count_fault(&index->twice))
			name_row(&index->twice, row_name_at(index->table, entry));
		before = entry;
		if (row == entry)
			row = next_place(rows);
		entry = next_place(entries);
	}
	tuplesort_end(rows);
	tuplesort_end(entries);
}

static void
gather_rows(VerifiedIndex *index, Tuplesortstate *places)
{
	VerifiedTable *table = index->table;
	TableScanDesc scan = awspool_table_beginscan(table->rel, table->snapshot);

	while (table_scan_getnextslot(scan, ForwardScanDirection, table->slot))
	{
		CHECK_FOR_INTERRUPTS();
		ResetPerTupleExprContext(table->estate);
		if (belongs(index))
			put_place(places, &table->slot->tts_tid);
	}
	table_endscan(scan);
	tuplesort_performsort(places);
}

static void
gather_entries(VerifiedIndex *index, Tuplesortstate *places)
{
	IndexScanDesc scan = begin_entries(index);

	while (next_right_entry(index, scan))
		put_place(places, &index->table->slot->tts_tid);
	index_endscan(scan);
	tuplesort_performsort(places);
}

/* Sorts places as numbers. */
static Tuplesortstate *
begin_places(void)
{
	return tuplesort_begin_datum(INT8OID, Int8LessOperator, InvalidOid, false,
								 work_mem, NULL, 0);
}

static void
put_place(Tuplesortstate *places, ItemPointer place)
{
	uint64		number = (uint64) ItemPointerGetBlockNumber(place) << 16 |
		ItemPointerGetOffsetNumber(place);

	tuplesort_putdatum(places, UInt64GetDatum(number), false);
}

/* After the last one, NO_PLACE. */
static uint64
next_place(Tuplesortstate *places)
{
	Datum		value;
	bool		isnull;

	return awspool_next_sorted(places, &value, &isnull) ?
		DatumGetUInt64(value) : NO_PLACE;
}

/* Returns whether the row is to be named. */
static bool
count_fault(Fault *fault)
{
	return ++fault->n <= MAX_EXAMPLES;
}

static void
name_row(Fault *fault, const char *row)
{
	appendStringInfo(&fault->examples, ", %s", row);
}

static void
clear_fault(Fault *fault)
{
	fault->n = 0;
	resetStringInfo(&fault->examples);
}

/*
 * What the row in the table's slot is called: by its id, whatever table it is.
 */
static char *
row_name(const VerifiedTable *table)
{
	bool		is_account = table->id == Anum_account_account_id;
	bool		isnull;
	Datum		id = slot_getattr(table->slot, table->id, &isnull);

	if (isnull)
		return "one without an id";
	return is_account ? psprintf("account %s", TextDatumGetCString(id)) :
		psprintf("log_id " INT64_FORMAT, DatumGetInt64(id));
}

static char *
row_name_at(const VerifiedTable *table, uint64 place)
{
	ItemPointerData tid;

	ItemPointerSet(&tid, place >> 16, place & 0xFFFF);
	if (!table_tuple_fetch_row_version(table->rel, &tid, table->snapshot,
									   table->slot))
		elog(ERROR, "a row that was there is gone");
	return row_name(table);
}

static void
report_index(const VerifiedIndex *index)
{
	report_fault(index, &index->missing, "rows without an entry");
	report_fault(index, &index->twice, "rows with more than one entry");
	report_fault(index, &index->wrong, "entries that are not those of their row");
	report_fault(index, &index->lost, "entries without a row");
}

static void
report_fault(const VerifiedIndex *index, const Fault *fault, const char *what)
{
	const char *name = quote_identifier(RelationGetRelationName(index->rel));

	if (fault->n > 0)
		report(index->table->rsinfo, "error",
			   psprintf("index awspool.%s", name),
			   psprintf("%s: %llu%s%s", what, (unsigned long long) fault->n,
						fault->examples.data,
						fault->n > MAX_EXAMPLES && fault->examples.len > 0 ?
						", ..." : ""),
			   psprintf("REINDEX INDEX awspool.%s", name));
}

/*
 * Whether an index is there and can be read.
 */
static bool
is_valid(const char *index_name)
{
	Oid			oid = awspool_find_relation(index_name);
	Relation	index;
	bool		result;

	if (!OidIsValid(oid))
		return false;
	index = index_open(oid, AccessShareLock);
	result = index->rd_index->indisvalid && index->rd_index->indisready;
	index_close(index, AccessShareLock);
	return result;
}

/*
 * Whether the note of a pool holds.  Not if something arrives meanwhile, or
 * has in this transaction, which counts that only at its end.
 */
static void
verify_start(ReturnSetInfo *rsinfo, ArrivalCounts *counts,
			 const char *provider, const char *marketplace)
{
	int			count = awspool_pool_count(provider, marketplace);
	int64		arrivals = awspool_arrivals(counts, count);
	int64		start = awspool_read_start(provider, marketplace, arrivals,
										   NULL);
	char	   *account_id;

	if (arrivals < 0 || awspool_has_arrived(count) || start == PG_INT64_MIN)
		return;
	account_id = ready_before(start, provider, marketplace);
	if (account_id != NULL && awspool_arrivals(counts, count) == arrivals)
		report(rsinfo, "error",
			   psprintf("pool \"%s\" of provider \"%s\"", marketplace, provider),
			   psprintf("new sessions do not see account %s, which is before the place where they start to look",
						account_id),
			   "TRUNCATE awspool.pool_start, and have all sessions connect anew");
}

/*
 * The oldest account of a pool that is ready and committed at present, if it
 * is before a position; or NULL.
 */
static char *
ready_before(int64 position, const char *provider, const char *marketplace)
{
	Datum		keys[] = {CStringGetTextDatum(provider),
	CStringGetTextDatum(marketplace)};
	Relation	rel = table_open(awspool_relation("account"), AccessShareLock);
	Relation	index = awspool_open_index("account_ready", AccessShareLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	IndexScanDesc scan = awspool_begin_index_scan(rel, index, snapshot,
												  lengthof(keys), keys, false);
	char	   *result = NULL;
	bool		isnull;

	if (index_getnext_slot(scan, ForwardScanDirection, slot) &&
		DatumGetInt64(slot_getattr(slot, Anum_account_position,
								   &isnull)) < position)
		result = awspool_column(slot, Anum_account_account_id);

	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	UnregisterSnapshot(snapshot);
	index_close(index, AccessShareLock);
	table_close(rel, AccessShareLock);
	return result;
}
