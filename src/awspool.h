/*-------------------------------------------------------------------------
 *
 * awspool.h
 *	  A pool of preconfigured AWS accounts: everything the rooms share.
 *
 * The vocabulary, used in the code as in the documentation:
 *
 *	provider	who owns accounts; only its roles act for it
 *	marketplace	where accounts are sold
 *	pool		the accounts of one provider and one marketplace
 *	order		what an account is claimed for; named by the application
 *	position	an account's age: lower is older; drawn when it is stored
 *	claim		an order takes the oldest ready account of a pool
 *	close		the order, or somebody for it, ends the account's life
 *
 * Every difference between server versions is in this file.
 *
 *-------------------------------------------------------------------------
 */
#ifndef AWSPOOL_H
#define AWSPOOL_H

#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "nodes/extensible.h"
#include "nodes/lockoptions.h"
#include "parser/parse_relation.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/rel.h"
#include "utils/snapshot.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#if PG_VERSION_NUM < 150000
#error "awspool needs PostgreSQL 15 or later"
#endif

/* The library's; the same as in awspool.control. */
#define AWSPOOL_VERSION		"1.1"

/* Error codes of the extension's own; doc/awspool.md explains each. */
#define ERRCODE_AWSPOOL_ILLEGAL_STATUS_CHANGE	MAKE_SQLSTATE('W','S','0','0','1')
#define ERRCODE_AWSPOOL_OTHER_ORDER				MAKE_SQLSTATE('W','S','0','0','2')
#define ERRCODE_AWSPOOL_NO_SUCH_ACCOUNT			MAKE_SQLSTATE('W','S','0','0','3')
#define ERRCODE_AWSPOOL_IN_USE					MAKE_SQLSTATE('W','S','0','0','4')
#define ERRCODE_AWSPOOL_USED_BEFORE				MAKE_SQLSTATE('W','S','0','0','5')
#define ERRCODE_AWSPOOL_REJECTED_ROWS			MAKE_SQLSTATE('W','S','0','0','6')
#define ERRCODE_AWSPOOL_PAUSED					MAKE_SQLSTATE('W','S','0','0','7')
#define ERRCODE_AWSPOOL_FROZEN					MAKE_SQLSTATE('W','S','0','0','8')
#define ERRCODE_AWSPOOL_REGISTRY				MAKE_SQLSTATE('W','S','0','0','9')

/*
 * Characters in the name of a provider or order, or in a marketplace, at most;
 * and bytes, whatever the encoding.
 */
#define AWSPOOL_NAME_LENGTH		64
#define AWSPOOL_NAME_BYTES		(4 * AWSPOOL_NAME_LENGTH)

/*
 * The columns of awspool.account, in the order of the install script.  They
 * are the public row as well, the columns of view awspool.accounts; in the
 * script of version 1.0 that had all but the last.
 */
enum AccountColumn
{
	Anum_account_provider = 1,
	Anum_account_account_id,
	Anum_account_marketplace,
	Anum_account_model,
	Anum_account_status,
	Anum_account_order_id,
	Anum_account_order_model,	/* the model when the order claimed it */
	Anum_account_reason,
	Anum_account_added_at,
	Anum_account_added_by,
	Anum_account_claimed_at,
	Anum_account_claimed_by,
	Anum_account_closed_at,
	Anum_account_closed_by,
	Anum_account_position,
};

#define Natts_account	Anum_account_position
#define Natts_accounts	Natts_account
#define NATTS_ACCOUNTS_1_0	(Natts_account - 1)

/* The columns of awspool.account_log that all versions have. */
enum AccountLogColumn
{
	Anum_account_log_log_id = 1,
	Anum_account_log_provider,
	Anum_account_log_account_id,
	Anum_account_log_at,
	Anum_account_log_actor,
	Anum_account_log_event,
};

/* The arguments and columns that have a form of their own (account.c). */
typedef enum AccountField
{
	FIELD_PROVIDER,
	FIELD_ACCOUNT_ID,
	FIELD_MARKETPLACE,
	FIELD_MODEL,
	FIELD_ORDER_ID,
} AccountField;

/* What an account is doing (status.c). */
typedef enum AccountStatus
{
	STATUS_READY,
	STATUS_IN_PROGRESS,
	STATUS_ALLOCATED,
	STATUS_FAILED,
	STATUS_INVALID,
} AccountStatus;

/*
 * awspool.account opened for changing rows without a query (row.c).
 *
 * "found" is the row last found; its buffer stays pinned until the next one
 * is.  "changed" is what that row becomes, or became.
 */
typedef struct AccountTable
{
	const char *provider;		/* whose rows; NULL: it does not say */
	Relation	rel;
	EState	   *estate;
	ResultRelInfo *result;
	EPQState	epq;
	TupleTableSlot *found;
	TupleTableSlot *changed;
	Bitmapset **updated;		/* columns set since the row was found */
	bool		does_transition;	/* ourselves, not by the trigger */
	struct Reservation *reserved;	/* of head.c, until it is confirmed */
} AccountTable;

/* When a trigger fires, and on which operations (a set of bits). */
#define BEFORE_STATEMENT	TRIGGER_EVENT_BEFORE
#define AFTER_STATEMENT		TRIGGER_EVENT_AFTER
#define BEFORE_ROW			(TRIGGER_EVENT_BEFORE | TRIGGER_EVENT_ROW)
#define AFTER_ROW			(TRIGGER_EVENT_AFTER | TRIGGER_EVENT_ROW)
#define INSTEAD_OF_ROW		(TRIGGER_EVENT_INSTEAD | TRIGGER_EVENT_ROW)
#define ON_INSERT			(1 << TRIGGER_EVENT_INSERT)
#define ON_UPDATE			(1 << TRIGGER_EVENT_UPDATE)
#define ON_DELETE			(1 << TRIGGER_EVENT_DELETE)
#define ON_TRUNCATE			(1 << TRIGGER_EVENT_TRUNCATE)

/*
 * What a lock on two names is for (relation.c).  Sets these locks apart from those
 * of SQL's advisory lock functions, which have 1 and 2 in their place.
 */
typedef enum LockClass
{
	AWSPOOL_LOCK_ORDER = 0x5750,
	AWSPOOL_LOCK_POOL_START,
	AWSPOOL_LOCK_IMPORT,
	AWSPOOL_LOCK_SETTINGS,
	AWSPOOL_LOCK_TALLY,
} LockClass;

/* A table of which something is kept for the session (relation.c). */
typedef struct WatchedTable
{
	Oid			oid;
	uint64		changes;		/* how often we heard that it has changed */
	struct WatchedTable *next;
} WatchedTable;

/* A small table, all of which is kept for the session (relation.c). */
typedef struct KeptTable
{
	const char *name;
	void	   *(*read) (Relation rel, MemoryContext context);
	void	   *kept;			/* what "read" has put there; or NULL */
	MemoryContext context;		/* NULL: never read, or no such table */
	WatchedTable watched;
	uint64		changes;		/* of the table, before it was read */
	bool		is_known;		/* that this is so; having heard so much */
	uint64		known_since;
} KeptTable;

/* A visit of all versions of some rows, along an index (relation.c). */
typedef struct VersionScan
{
	Relation	rel;
	Relation	index;
	IndexScanDesc scan;
	ScanKeyData keys[5];
	int			nkeys;
	ScanKeyData beyond[4];		/* of a row comparison that is one more key */
	TupleTableSlot *slot;
	ScanDirection direction;
	bool		in_entry;
	int			n;				/* versions of this entry so far */
	int			ndead;			/* and how many nobody can see any more */
	IndexTuple	skipped;		/* whose other entries are; or NULL */
	int			nskipped;		/* so far */
	IndexTuple	sought;			/* beyond which the scan began; or NULL */
} VersionScan;

/*
 * What is counted of each pool (tally.c), in the order of the columns of
 * awspool.tally: how many accounts are in each status now, and how often
 * something happened to one.  What a claim changes is side by side, and so is
 * what a closing changes: that keeps the server's log of it short.
 */
typedef enum TallyCount
{
	TALLY_ADDED,
	TALLY_NOW_READY,
	TALLY_CLAIMED,
	TALLY_NOW_IN_PROGRESS,
	TALLY_NOW_ALLOCATED,
	TALLY_ALLOCATED,
	TALLY_NOW_FAILED,
	TALLY_FAILED,
	TALLY_NOW_INVALID,
	TALLY_INVALID,
	TALLY_DELETED,
	TALLY_COUNTS
} TallyCount;

/* The columns of awspool.tally. */
enum TallyColumn
{
	Anum_tally_hour = 1,
	Anum_tally_part,
	Anum_tally_counts,
	Anum_tally_provider = Anum_tally_counts + TALLY_COUNTS,
	Anum_tally_marketplace,
	Anum_tally_recent_hour,
	Anum_tally_recent_claims,
};

#define Natts_tally		Anum_tally_recent_claims

/* Which row of a pool it is, or else a part of an hour, that is not merged. */
#define TALLY_BASE		0		/* everything of hours that were merged */
#define TALLY_HOUR		1		/* what happened in an hour, merged */

/* The beginning of a row, none of which is ever null. */
typedef struct TallyRow
{
	TimestampTz hour;			/* when it begins */
	int64		part;
	int64		n[TALLY_COUNTS];
} TallyRow;

/* The hours of which a base row tells the claims, the latest first. */
#define TALLY_RECENT_HOURS	192

/* The names of a pool, one after the other; only "used" bytes count. */
typedef struct PoolNames
{
	uint16		used;
	uint16		provider_length;
	char		names[2 * AWSPOOL_NAME_BYTES];
} PoolNames;

/* A pool that this session has counted in. */
typedef struct TallyPool
{
	PoolNames		key;
	struct Pending *last;		/* what was counted last (tally.c), or NULL */
	bool		merge;			/* rows of past hours are to be merged */
	ItemPointerData tid;		/* the row written last: a mere hint */
	Buffer		buffer;			/* where its page was; may be invalid */
} TallyPool;

/* What this transaction has counted and not written yet, for a reader. */
typedef struct PendingCount
{
	const char *provider;
	const char *marketplace;
	TallyRow	row;
} PendingCount;

/* The caller's identity while the owner's is in force (query.c). */
typedef struct Caller
{
	Oid			userid;
	int			sec_context;
	int			guc_level;
} Caller;

/* A constant statement that the extension runs as its owner (query.c). */
#define MAX_QUERY_ARGS	13

typedef struct OwnerQuery
{
	const char *sql;
	bool		reads_only;		/* with the snapshot of the caller's statement */
	bool		at_present;		/* with the latest, in any transaction */
	int			nargs;
	Oid			argtypes[MAX_QUERY_ARGS];
	SPIPlanPtr	plan;			/* NULL until first used; then kept */
} OwnerQuery;

/* What an order did with an account once, as a list tells it (reconcile.c). */
typedef struct PastUse
{
	const char *order_id;		/* NULL: none by name */
	AccountStatus status;		/* that it has since; never STATUS_READY */
	const char *reason;			/* NULL unless it failed or is invalid */
	bool		claimed;		/* false: invalid, and never claimed */
	TimestampTz claimed_at;		/* the role that tells it counts as the one */
	TimestampTz closed_at;		/* that claimed and closed it */
} PastUse;

/* For the next transition of an account: what it was used for, or NULL. */
typedef struct UseMark
{
	const char *account_id;
	const PastUse *use;
} UseMark;

/* What became of an account that somebody wanted to store. */
typedef enum StoreOutcome
{
	STORE_PENDING,				/* nothing yet */
	STORE_ADDED,
	STORE_PRESENT,				/* there already, with the same values */
	STORE_MALFORMED,			/* "problem" says how */
	STORE_TWICE,				/* its id came before */
	STORE_DIFFERENT,			/* there already, with other values */
	STORE_USED,					/* used once and deleted: never again */
	STORE_TAKEN,				/* somebody else's; say no more */
} StoreOutcome;

/*
 * What is known of the same id: for STORE_USED and STORE_TAKEN who used it, if
 * it was used and deleted; for STORE_PRESENT and STORE_DIFFERENT the rest, of
 * the provider's account.
 */
typedef struct Existing
{
	char	   *provider;
	char	   *marketplace;
	char	   *model;
	char	   *order_id;		/* asked for only if there is a "use" */
	AccountStatus status;
	int64		made_by;		/* the command of this transaction that stored
								 * it; -1 if none did */
} Existing;

/* An account as somebody wants to store it. */
typedef struct NewAccount
{
	const char *provider;
	const char *account_id;		/* these three may be malformed, or missing */
	const char *marketplace;
	const char *model;
	const PastUse *use;			/* NULL: it is ready */
	uint64		line;			/* where it begins in its file; 0: in none */
	const char *problem;		/* of STORE_MALFORMED */
	uint64		first_line;		/* of STORE_TWICE: where the id came first */
	StoreOutcome outcome;
	Existing	existing;
} NewAccount;

/* Accounts that are gathered and then stored together (batch.c). */
typedef struct Batch
{
	MemoryContext context;		/* for what the accounts refer to */
	const char *source;			/* where they come from, as errors call it */
	bool		look_first;		/* at what is there, before storing */
	bool		reserved;		/* nobody is to be asked for the ids any more */
	const NewAccount *storing;	/* the one that is being stored, or NULL */
	int			n;
	int			max;			/* then it has to be stored and emptied */
	NewAccount *accounts;
} Batch;

/*
 * Whom the caller may see: everybody, or providers that were granted by name.
 */
typedef struct Sight
{
	bool		all;
	List	   *providers;
	uint64		heard;			/* how much we had heard then (access.c) */
} Sight;

/*
 * A way to read view accounts, along an index or more (read.c): by id, or by
 * provider, then a column that has to equal something, then an order.
 */
typedef enum ReadWayNumber
{
	READ_BY_ID,
	READ_BY_ORDER,
	READ_BY_EITHER,				/* ids or orders, as alternatives */
	READ_READY,
	READ_IN_PROGRESS,
	READ_OPEN,					/* ready or in progress */
	READ_FAILED,				/* or invalid */
	READ_BY_AGE,
	READ_ALL,					/* as they come */
	READ_WAYS
} ReadWayNumber;

typedef struct ReadWay
{
	const char *label;			/* in EXPLAIN */
	const char *indexes[3];		/* all but the first may be NULL */
	bool		has_provider;	/* as their first column, but for the key */
	bool		is_lookup;		/* only where something has to be equalled */
	bool		whole;			/* or the table, for everybody's accounts */
	int			equals[3];		/* a column, or two, and 0 */
	int			order;			/* a column of 64 bits, or 0 */
	const char *statuses[2];	/* all that is there; NULL: any */
} ReadWay;

/*
 * What a plan keeps of it: custom_private is a list of these, and a list of
 * those for each key, whose values are in custom_exprs.  Behind the values are
 * the conditions that the keys, and the indexes, leave nothing to do.
 */
enum ReadPlanPlace
{
	READ_PLAN_FUNCTION,			/* visible_accounts */
	READ_PLAN_WAY,
	READ_PLAN_DIRECTION			/* NoMovement: in no order */
};

enum ReadKeyPlace
{
	READ_KEY_COLUMN,
	READ_KEY_OPERATOR,
	READ_KEY_IS_ARRAY,			/* one of its elements */
	READ_KEY_STRATEGY,
	READ_KEY_TYPE				/* of the value */
};

/* A CSV file that is being read (csv.c). */
typedef struct CsvFile CsvFile;

/* A transaction that may hold accounts (holder.c). */
typedef struct Holder
{
	TransactionId xid;			/* not that of a subtransaction */
	int			pid;			/* of its session; 0: it is prepared */
	const char *gid;			/* the name of a prepared one, else NULL */
	TimestampTz since;			/* when it began, or was prepared */
	bool		is_callers;		/* or else the caller may not know which */
} Holder;

/* The columns that a file has: the first "needed" of them; or may have. */
#define MAX_CSV_COLUMNS		8

typedef struct CsvColumns
{
	int			n;
	int			needed;
	const char *names[MAX_CSV_COLUMNS];
} CsvColumns;

/* A row of it, in the order of the columns; NULL: an empty field, or none. */
typedef struct CsvRow
{
	uint64		line;
	int			nfields;
	char	   *fields[MAX_CSV_COLUMNS];
} CsvRow;

/* awspool.arrival_count opened for reading (arrival.c). */
typedef struct ArrivalCounts
{
	Relation	rel;			/* NULL: the extension was dropped */
	Buffer		buffer;			/* invalid if there are no counts */
} ArrivalCounts;

/*
 * The functions of each file, from the ground up: a file calls only those
 * that come before it here.  "make lint" sees to that.
 */

/* durability.c */
extern void awspool_init_durability(void);
extern void awspool_begin_writing(void);
extern void awspool_confirm_change(void);

/* relation.c */
extern void awspool_init_relations(void);
extern void awspool_watch_table(WatchedTable *watched, Oid table);
extern uint64 awspool_relation_changes(void);
extern void *awspool_keep(KeptTable *table, bool again);
extern Oid	awspool_find_relation(const char *name);
extern Oid	awspool_relation(const char *name);
extern Relation awspool_open_index(const char *name, LOCKMODE lock);
extern IndexScanDesc awspool_begin_index_scan(Relation rel, Relation index,
											  Snapshot snapshot, int nkeys,
											  const Datum *values,
											  bool want_entries);
extern bool awspool_next_entry(IndexScanDesc scan);
extern char *awspool_entry_provider(IndexScanDesc scan);
extern void awspool_announce_change(Oid table);
extern void awspool_begin_versions(VersionScan *versions, Relation rel,
								   const char *index,
								   ScanDirection direction, int nkeys,
								   const Datum *values, bool want_entries);
extern void awspool_begin_versions_from(VersionScan *versions, Relation rel,
										const char *index, int nkeys,
										const Datum *values);
extern bool awspool_next_version(VersionScan *versions);
extern bool awspool_shows_version(VersionScan *versions, Snapshot snapshot);
extern bool awspool_sees_deleted(VersionScan *versions, Snapshot snapshot);
extern void awspool_skip_row(VersionScan *versions);
extern void awspool_end_versions(VersionScan *versions);
extern bool awspool_find_present(Relation rel, Relation index, int nkeys,
								 const Datum *values, const char *not_of,
								 TupleTableSlot *slot,
								 TransactionId *inserter);
extern bool awspool_has_row(const char *table, const char *index, int nkeys,
							const Datum *values, const char *not_of);
extern int64 awspool_last_drawn(Oid sequence);
extern void awspool_raise_sequence(Oid sequence, int64 value);
extern int64 awspool_draw(Oid sequence, int most, int *drawn);
extern bool awspool_lock_names(LockClass class, const char *a, const char *b,
							   bool wait);
extern void awspool_unlock_names(LockClass class, const char *a,
								 const char *b);

/* constraint.c */
extern void awspool_init_constraints(void);
extern void awspool_lend_constraints(ResultRelInfo *result);

/* account.c */
extern const Oid awspool_account_types[];
extern const char *awspool_printable(const char *value);
extern bool awspool_has_form(AccountField field, const char *value);
extern void awspool_check_field(AccountField field, const char *value);
extern char *awspool_problems(const NewAccount *account, bool old_order);
extern size_t awspool_byte_order_mark(const char *value, size_t len);
extern char *awspool_text_argument(FunctionCallInfo fcinfo, int n);
extern char *awspool_field_argument(FunctionCallInfo fcinfo, int n,
									AccountField field);
extern char *awspool_optional_field_argument(FunctionCallInfo fcinfo, int n,
											 AccountField field);
extern char *awspool_order_argument(FunctionCallInfo fcinfo, int n);
extern char *awspool_order_name(char *value);
extern Datum awspool_text_datum(const char *value);
extern HeapTuple awspool_public_row(TupleDesc accounts,
									TupleTableSlot *account);
extern HeapTuple awspool_fit_row(TupleDesc accounts, HeapTuple row);
extern void awspool_first_columns(HeapTuple tuple, TupleDesc desc, int n,
								  Datum *values, bool *isnull);
extern ReturnSetInfo *awspool_begin_rows(FunctionCallInfo fcinfo, int natts,
										 const Oid *types);
extern TriggerData *awspool_trigger_data(FunctionCallInfo fcinfo,
										 const char *relation,
										 TriggerEvent when, int operations);

/* status.c */
extern const char *awspool_status_name(AccountStatus status);
extern AccountStatus awspool_status_from_name(const char *name);
extern AccountStatus awspool_status_from_text(Datum status);
extern AccountStatus awspool_status_of(TupleTableSlot *account);
extern void awspool_check_transition(const char *account_id,
									 AccountStatus from, AccountStatus to);

/* query.c */
extern Oid	awspool_owner(void);
extern void awspool_begin_queries(Caller *caller);
extern uint64 awspool_query(OwnerQuery *query, const Datum *values,
							const char *nulls);
extern void awspool_end_queries(const Caller *caller);

/* state.c */
extern void awspool_check_not_frozen(const char *provider, bool by_hand);
extern const char *awspool_state_of(const char *provider);
extern void awspool_check_row_not_frozen(Datum provider, bool isnull,
										 bool by_hand);
extern void awspool_announce_states(void);
extern void awspool_wait_for_writers(void);
extern void awspool_set_forgotten(const char *provider);
extern bool awspool_is_forgotten(Datum provider);

/* access.c */
extern char *awspool_provider_setting;
extern void awspool_init_access(void);
extern bool awspool_acts_for_all(void);
extern bool awspool_acts_for(const char *provider);
extern bool awspool_sees_all(void);
extern bool awspool_sees(const char *provider);
extern void awspool_check_owner(const char *what);
extern void awspool_check_provider(const char *provider);
extern void awspool_check_provider_again(const char *provider);
extern void awspool_check_visible(const char *provider);
extern void awspool_check_visible_again(const char *provider);
extern void awspool_check_provider_name(const char *provider);
extern char *awspool_provider_argument(FunctionCallInfo fcinfo);
extern char *awspool_visible_provider_argument(FunctionCallInfo fcinfo);
extern const char *awspool_named_provider(const char *given);
extern char *awspool_default_provider(void);
extern List *awspool_granted_providers(void);
extern List *awspool_visible_providers(void);
extern void awspool_begin_sight(Sight *sight);
extern bool awspool_sight_is_old(const Sight *sight);
extern bool awspool_sight_changed(Sight *sight);
extern void awspool_put_visible(ReturnSetInfo *rsinfo, OwnerQuery *all,
								OwnerQuery *some);
extern Datum awspool_name_array(List *names);

/* tally_row.c */
extern Oid	awspool_tally_table(void);
extern Relation awspool_open_tally(LOCKMODE mode);
extern bool awspool_add_to_tally(Relation rel, TallyPool *pool,
								 const TallyRow *change);
extern bool awspool_merge_tally(Relation rel, TallyPool *pool,
								TimestampTz current, int limit);

/* tally.c */
extern void awspool_init_tally(void);
extern bool awspool_is_tally_trigger(Oid function);
extern void awspool_count_ourselves(ResultRelInfo *result);
extern void awspool_count_change(TupleTableSlot *old, TupleTableSlot *new,
								 CommandId cid);
extern void awspool_count_added(const char *provider, const char *marketplace,
								TimestampTz added_at, CommandId cid);
extern TimestampTz awspool_hour_of(TimestampTz at);
extern PendingCount *awspool_pending_counts(Snapshot snapshot, int *n);
extern void awspool_forget_pending(Relation rel, const char *provider);
extern void awspool_merge_pool(Relation rel, Datum provider,
							   Datum marketplace);
extern bool awspool_makes_tally;

/* recount.c */
extern void awspool_forget_counts(const char *provider);


/* arrival.c */
extern void awspool_init_arrivals(void);
extern void awspool_begin_storing(void);
extern void awspool_end_storing(void);
extern bool awspool_is_storing(void);
extern int	awspool_pool_count(const char *provider, const char *marketplace);
extern void awspool_note_arrival(const char *provider, const char *marketplace,
								 int64 position);
extern void awspool_note_arrival_anywhere(void);
extern bool awspool_has_arrived(int pool_count);
extern void awspool_note_change(Relation rel);
extern void awspool_watch_undone(Relation rel);
extern uint64 awspool_changes_undone(void);
extern void awspool_open_arrivals(ArrivalCounts *counts);
extern void awspool_close_arrivals(ArrivalCounts *counts);
extern int64 awspool_arrivals(const ArrivalCounts *counts, int pool_count);
extern int	awspool_setting_count(const char *provider);
extern int64 awspool_setting_changes(const ArrivalCounts *counts,
									 int setting_count);
extern void awspool_note_setting_change(const char *provider);

/* lifecycle.c */
extern UseMark awspool_leave_mark(UseMark mark);
extern void awspool_pass_transition(Relation rel, TupleTableSlot *old,
									TupleTableSlot *new);

/* row.c */
extern AccountTable *awspool_open_account_table(const char *provider);
extern void awspool_close_account_table(AccountTable *table);
extern char *awspool_column(TupleTableSlot *account, int column);
extern bool awspool_column_is(TupleTableSlot *account, int column,
							  const char *value);
extern bool awspool_find_account(Relation rel, Snapshot snapshot,
								 const char *account_id, const char *provider,
								 TupleTableSlot *slot);
extern void awspool_lock_order(AccountTable *table, const char *order_id);
extern bool awspool_lock_found(AccountTable *table);
extern bool awspool_try_lock_found(AccountTable *table);
extern TransactionId *awspool_who_has(TupleTableSlot *account, int *n);
extern bool awspool_lock_account(AccountTable *table, const char *account_id,
								 bool with_order);
extern void awspool_need_account(AccountTable *table, const char *account_id);
extern void awspool_check_shown_once(Relation rel, TupleTableSlot *account);
extern void awspool_no_such_account(const char *provider,
									const char *account_id);
extern void awspool_begin_change(AccountTable *table);
extern void awspool_set_column(AccountTable *table, int column,
							   const char *value);
extern void awspool_update_row(AccountTable *table);
extern void awspool_update_status(AccountTable *table, AccountStatus status);
extern void awspool_mark_used(AccountTable *table, const PastUse *use);
extern void awspool_delete_row(AccountTable *table);
extern void awspool_prevented_by_trigger(void);
extern void awspool_changed_by_command(void);

/* pool_start.c */
extern int64 awspool_read_start(const char *provider, const char *marketplace,
								int64 arrivals, Snapshot snapshot);
extern void awspool_keep_start(const char *provider, const char *marketplace,
							   int64 position, int64 arrivals);

/* pool.c */
extern void awspool_init_pool(void);
extern void awspool_lock_settings(const char *provider);
extern bool awspool_check_open(const char *provider, const char *marketplace);
extern char *awspool_pause_of(const char *provider, const char *marketplace);

/* holder.c */
extern Holder *awspool_find_holders(TimestampTz before, int *n);
extern void awspool_keep_lockers(Holder *holders, int *n, Oid table);
extern bool awspool_may_know(Oid caller, Oid role);
extern const Holder *awspool_holder_of(const Holder *holders, int n,
									   TransactionId xid);

/* head.c */
extern void awspool_init_head(void);
extern bool awspool_reserve_oldest(AccountTable *table, const char *provider,
								   const char *marketplace);
extern void awspool_confirm_reserved(AccountTable *table);
extern int	awspool_reserve_many(AccountTable *table, const char *provider,
								 const char *marketplace, ItemPointer rows,
								 int wanted);
extern bool awspool_fetch_reserved(AccountTable *table, ItemPointer row);

/* lookup.c */
extern void awspool_look_up(NewAccount **accounts, int n);
extern bool awspool_look_up_used(NewAccount **accounts, int n);

/* registry.c */
extern bool awspool_begin_reserving(void);
extern void awspool_reserve_ids(NewAccount **accounts, int n);
extern void awspool_look_at_ids(NewAccount **accounts, int n);

/* stock.c */
extern HeapTuple awspool_store(NewAccount *account);
extern void awspool_log_taken(const char *provider, const char *account_id,
							  int64 n);
extern void awspool_refuse_malformed(const char *problem);
extern void awspool_refuse_stored(const NewAccount *account);
extern HeapTuple awspool_add(TupleDesc accounts, NewAccount *account);
extern HeapTuple awspool_edit(TupleDesc accounts, AccountTable *table,
							  const char *marketplace, const char *model);

/* history.c */
extern void awspool_log_reconciled(const char *provider, const Datum *ids,
								   const Datum *details,
								   const Datum *statuses, int n);

/* claim.c */
extern bool awspool_find_order(AccountTable *table, const char *order_id);
extern HeapTuple awspool_take_reserved(TupleDesc accounts,
									   AccountTable *table,
									   const char *order_id);

/* order.c */
extern HeapTuple awspool_close_account(TupleDesc accounts,
									   AccountTable *table,
									   AccountStatus to, const char *reason,
									   const char *order_id);

/* batch.c */
extern Batch *awspool_make_batch(const char *source);
extern NewAccount *awspool_extend_batch(Batch *batch);
extern void awspool_tell_lines(void *batch);
extern void awspool_look_up_batch(Batch *batch);
extern void awspool_reserve_batch(Batch *batch);
extern void awspool_lock_imports(const char *provider);
extern void awspool_store_batch(Batch *batch);
extern void awspool_rethrow(const char *message, const char *detail,
							const char *hint);
extern void awspool_empty_batch(Batch *batch);

/* csv.c */
extern CsvFile *awspool_open_csv(const CsvColumns *columns, text *csv);
extern bool awspool_read_csv(CsvFile *file, CsvRow *row);
extern char *awspool_csv_problem(const CsvFile *file, const CsvRow *row);
extern void awspool_close_csv(CsvFile *file);

/* import.c */
extern void awspool_init_import(void);
extern struct seen_hash *awspool_make_seen_ids(int n);
extern void awspool_find_repeated(Batch *batch, struct seen_hash *seen_ids);
extern char *awspool_repeated_id(const NewAccount *account);
extern void awspool_report(ReturnSetInfo *rsinfo, uint64 line,
						   const char *const *columns, int n);

/* reconcile.c, passed_over.c: only functions of SQL */

/* read.c */
extern const ReadWay awspool_read_ways[READ_WAYS];
extern const CustomScanMethods awspool_read_methods;

/* read_plan.c */
extern void awspool_init_read_plan(void);

/*
 * Server versions.
 */
#if PG_VERSION_NUM >= 180000
#define AWSPOOL_MODULE_MAGIC \
	PG_MODULE_MAGIC_EXT(.name = "awspool", .version = AWSPOOL_VERSION)
#else
#define AWSPOOL_MODULE_MAGIC PG_MODULE_MAGIC
#endif

#if PG_VERSION_NUM >= 170000
#define awspool_lock_holder(lock) ((lock)->vxid)
#else
#define awspool_lock_holder(lock) \
	((VirtualTransactionId) {(lock)->backend, (lock)->lxid})
#endif

#if PG_VERSION_NUM >= 190000
#define awspool_finish_desc(desc) TupleDescFinalize(desc)
#else
#define awspool_finish_desc(desc) ((void) 0)
#endif

#if PG_VERSION_NUM >= 190000
#define awspool_table_beginscan(heap, snapshot) \
	table_beginscan(heap, snapshot, 0, NULL, SO_NONE)
#else
#define awspool_table_beginscan(heap, snapshot) \
	table_beginscan(heap, snapshot, 0, NULL)
#endif

#if PG_VERSION_NUM >= 190000
#define awspool_index_beginscan(heap, index, snapshot, nkeys) \
	index_beginscan(heap, index, snapshot, NULL, nkeys, 0, SO_NONE)
#elif PG_VERSION_NUM >= 180000
#define awspool_index_beginscan(heap, index, snapshot, nkeys) \
	index_beginscan(heap, index, snapshot, NULL, nkeys, 0)
#else
#define awspool_index_beginscan(heap, index, snapshot, nkeys) \
	index_beginscan(heap, index, snapshot, nkeys, 0)
#endif

#if PG_VERSION_NUM >= 190000
#define awspool_insert_index_tuples(result, slot, estate, try, conflict, arbiters) \
	ExecInsertIndexTuples(result, estate, (try) ? EIIT_NO_DUPE_ERROR : 0, \
						  slot, arbiters, conflict)
#elif PG_VERSION_NUM >= 160000
#define awspool_insert_index_tuples(result, slot, estate, try, conflict, arbiters) \
	ExecInsertIndexTuples(result, slot, estate, false, try, conflict, arbiters, false)
#else
#define awspool_insert_index_tuples(result, slot, estate, try, conflict, arbiters) \
	ExecInsertIndexTuples(result, slot, estate, false, try, conflict, arbiters)
#endif

#if PG_VERSION_NUM >= 160000
#define awspool_eval_plan_qual_init(epq, estate) \
	EvalPlanQualInit(epq, estate, NULL, NIL, -1, NIL)
#else
#define awspool_eval_plan_qual_init(epq, estate) \
	EvalPlanQualInit(epq, estate, NULL, NIL, -1)
#endif

#if PG_VERSION_NUM >= 160000
#define awspool_next_sorted(sort, value, isnull) \
	tuplesort_getdatum(sort, true, false, value, isnull, NULL)
#else
#define awspool_next_sorted(sort, value, isnull) \
	tuplesort_getdatum(sort, true, value, isnull, NULL)
#endif

#if PG_VERSION_NUM >= 160000
#define awspool_decode_time(field, ftype, n, type, tm, fsec, tz) \
	DecodeDateTime(field, ftype, n, type, tm, fsec, tz, \
				   &(DateTimeErrorExtra) {0})
#else
#define awspool_decode_time(field, ftype, n, type, tm, fsec, tz) \
	DecodeDateTime(field, ftype, n, type, tm, fsec, tz)
#endif

#if PG_VERSION_NUM >= 160000
#define awspool_expression_pathkey(root, expr, opno, relids) \
	build_expression_pathkey(root, expr, opno, relids, false)
#else
#define awspool_expression_pathkey(root, expr, opno, relids) \
	build_expression_pathkey(root, expr, NULL, opno, relids, false)
#endif

/* The same order, but for where NULLs would be. */
#if PG_VERSION_NUM >= 180000
#define awspool_turn_nulls(root, key) \
	make_canonical_pathkey(root, (key)->pk_eclass, (key)->pk_opfamily, \
						   (key)->pk_cmptype, !(key)->pk_nulls_first)
#else
#define awspool_turn_nulls(root, key) \
	make_canonical_pathkey(root, (key)->pk_eclass, (key)->pk_opfamily, \
						   (key)->pk_strategy, !(key)->pk_nulls_first)
#endif

#if PG_VERSION_NUM >= 170000
#define awspool_array_length(root, array) estimate_array_length(root, array)
#else
#define awspool_array_length(root, array) estimate_array_length(array)
#endif

#if PG_VERSION_NUM >= 160000
#define awspool_is_nullable(var) ((var)->varnullingrels != NULL)
#define awspool_may_execute(function) \
	object_aclcheck(ProcedureRelationId, function, GetUserId(), ACL_EXECUTE)
#else
#define awspool_is_nullable(var) false
#define awspool_may_execute(function) \
	pg_proc_aclcheck(function, GetUserId(), ACL_EXECUTE)
#endif

#if PG_VERSION_NUM >= 160000
#define awspool_backend_status(i) pgstat_get_local_beentry_by_index(i)
#define awspool_has_new_file(rel) \
	((rel)->rd_newRelfilelocatorSubid != InvalidSubTransactionId)
#else
#define awspool_backend_status(i) pgstat_fetch_stat_local_beentry(i)
#define awspool_has_new_file(rel) \
	((rel)->rd_newRelfilenodeSubid != InvalidSubTransactionId)
#endif

#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h"
#define awspool_ri_constraints ri_CheckConstraintExprs
#define awspool_is_enforced(check) ((check)->ccenforced)
#else
#define awspool_ri_constraints ri_ConstraintExprs
#define awspool_is_enforced(check) true
#endif

#if PG_VERSION_NUM >= 160000
#define awspool_recent_buffer(rel, block, buffer) \
	ReadRecentBuffer((rel)->rd_locator, MAIN_FORKNUM, block, buffer)
#else
#define awspool_recent_buffer(rel, block, buffer) \
	ReadRecentBuffer((rel)->rd_node, MAIN_FORKNUM, block, buffer)
#endif

/*
 * Locks a row of a heap, which is pinned, against everybody, waiting for
 * nobody.
 */
static inline TM_Result
awspool_heap_lock(Relation rel, ItemPointer tid, CommandId cid)
{
	HeapTupleData tuple;
	Buffer		buffer;
	TM_FailureData failure;
	TM_Result	result;

	tuple.t_self = *tid;
	result = heap_lock_tuple(rel, &tuple, cid, LockTupleExclusive,
							 LockWaitSkip, false, &buffer, &failure);
	ReleaseBuffer(buffer);
	return result;
}

/*
 * Replaces a row of a heap by "new", waiting for nobody, and tells whether the
 * new version needs entries in the indexes.  To heap_update() our own lock on
 * the row is somebody to wait for, who is not waited for then.
 */
static inline TM_Result
awspool_heap_update(Relation rel, ItemPointer tid, HeapTuple new,
					CommandId cid, bool locked, bool *needs_entries)
{
	TM_FailureData failure;
	LockTupleMode mode;
	TM_Result	result;
#if PG_VERSION_NUM >= 160000
	TU_UpdateIndexes indexes = TU_None;
#endif

#ifdef USE_ASSERT_CHECKING
	/*
	 * heap_update() may be told not to wait for others, but asserts that there
	 * are none; elsewhere it says that they were quicker.
	 */
	result = awspool_heap_lock(rel, tid, cid);
	if (result != TM_Ok)
		return result;
	locked = true;
#endif

#if PG_VERSION_NUM >= 160000
#if PG_VERSION_NUM >= 190000
	result = heap_update(rel, tid, new, cid, 0, InvalidSnapshot, locked,
						 &failure, &mode, &indexes);
#else
	result = heap_update(rel, tid, new, cid, InvalidSnapshot, locked,
						 &failure, &mode, &indexes);
#endif
	*needs_entries = indexes != TU_None;
#else
	result = heap_update(rel, tid, new, cid, InvalidSnapshot, locked,
						 &failure, &mode);
	*needs_entries = !HeapTupleIsHeapOnly(new);
#endif
	return result;
}

/* Deletes a row of a heap, waiting for nobody. */
static inline TM_Result
awspool_heap_delete(Relation rel, ItemPointer tid, CommandId cid)
{
	TM_FailureData failure;

#if PG_VERSION_NUM >= 190000
	return heap_delete(rel, tid, cid, 0, InvalidSnapshot, false, &failure);
#else
	return heap_delete(rel, tid, cid, InvalidSnapshot, false, &failure, false);
#endif
}

/* Removes what nobody can see any more from a page, if that makes room. */
static inline void
awspool_prune(Relation rel, Buffer buffer)
{
#if PG_VERSION_NUM >= 190000
	Buffer		vmbuffer = InvalidBuffer;

	heap_page_prune_opt(rel, buffer, &vmbuffer, false);
	if (BufferIsValid(vmbuffer))
		ReleaseBuffer(vmbuffer);
#else
	heap_page_prune_opt(rel, buffer);
#endif
}

/*
 * Enters the one table that "estate" is about in its range table, and returns
 * where the columns that an update sets are noted.
 */
static inline Bitmapset **
awspool_init_range_table(EState *estate, RangeTblEntry *rte)
{
#if PG_VERSION_NUM >= 160000
	List	   *permissions = NIL;
	RTEPermissionInfo *permission = addRTEPermissionInfo(&permissions, rte);

#if PG_VERSION_NUM >= 180000
	ExecInitRangeTable(estate, list_make1(rte), permissions,
					   bms_make_singleton(1));
#else
	ExecInitRangeTable(estate, list_make1(rte), permissions);
#endif
	return &permission->updatedCols;
#else
	ExecInitRangeTable(estate, list_make1(rte));
	return &rte->updatedCols;
#endif
}

#endif							/* AWSPOOL_H */
