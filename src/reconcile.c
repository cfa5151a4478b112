/*-------------------------------------------------------------------------
 *
 * reconcile.c
 *	  The pool in line with the orders: reconcile_csv, check_reconcile_csv.
 *
 * After a restore to an earlier time, accounts that were sold since are ready
 * again.  The orders system still knows which.  Its list is read like a file
 * of accounts (csv.c), and each of its rows is judged and reported.  What the
 * row says an account is, "allocated" unless it has a status, meets what the
 * account is here:
 *
 *	here						the list				outcome
 *
 *	ready						any						marked
 *	in progress, same order		in progress				present
 *	in progress, same order		any other				marked: it is closed
 *	in progress, other order	any						conflict
 *	closed, same order			the same				present
 *	allocated, same order		in progress				present: we are ahead
 *	closed, same order			any other				conflict
 *	closed, other order			any						conflict
 *	used and deleted			any						present
 *	another provider's id		with a marketplace		rejected: it is taken
 *	another provider's id		without					unknown
 *	not there					with a marketplace		added
 *	not there					without					unknown
 *
 * Another provider's id is one that it has here, or on another server as far as
 * there is a registry (registry.c).
 *
 * "With a marketplace" is: with both marketplace and model.  No order by name
 * is an order of its own here: an account that was claimed without one is
 * another order's, whatever the list says.  An invalid account need not have
 * an order.  Where the list names none for it, nobody contradicts.
 *
 * Before anything else, an order holds one account.  A row that is "allocated"
 * or "provisioning_in_progress" is a conflict if its order holds another
 * account here, or got one by an earlier row, and that was to be marked or
 * added.  What is "provisioning_failed" or "invalid" holds nothing.  It comes
 * first, wherever it is in the list: an order whose account failed and that
 * then got another one has both in there, in any order, and may hold here the
 * one that failed.  So the file is read twice, first for these rows alone.
 * Few as they are as a rule, what became of them is kept until the second
 * time comes to them.
 *
 * Rejected is what cannot be true, or cannot be read: a malformed id, order
 * (but for the name that an order of version 1.0 has, with its own account),
 * marketplace, model or time; no order, unless the status is "invalid"; the
 * status "ready", as nothing makes an account ready, or one that there is not;
 * an id that is in the list twice; a time to come; an account closed before it
 * was claimed, or closed and in progress.  A reason that an allocated account,
 * or one in progress, cannot have is left out, and the report says so.
 *
 * A ready account becomes what the list says in one step, at the times that it
 * says (lifecycle.c).  An account that is in progress keeps when it was
 * claimed.  Without "closed_at" it was closed now, and without "claimed_at"
 * claimed when it was closed.  If the list says another marketplace or model
 * of a ready account, it was edited in the time that was lost, and is edited
 * again.  An account that is added was there when it was claimed, at the
 * latest, so that is when it was added.  The history tells of each account
 * that was changed that this was a reconciliation, and from whom.
 *
 * Orders are locked, as by a claim, but only while their rows are changed:
 * there is no room for a hundred thousand locks.  Whoever claims for the order
 * later finds the new entry in the index account_order, and waits there for
 * the transaction to end; whoever claimed before has the lock until theirs
 * does.  Rows are locked as ever.  One import or reconciliation of a provider
 * runs at a time.
 *
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(awspool_reconcile_csv);
PG_FUNCTION_INFO_V1(awspool_check_reconcile_csv);

/* Columns of the report. */
#define Natts_report	5

/* Rows that are judged together: how much memory a list may need. */
#define MAX_ROWS		8192

/* Orders that are locked at once, while accounts are added for them. */
#define MAX_ORDERS		64

/* The columns of a list. */
enum ListColumn
{
	LIST_ACCOUNT_ID,
	LIST_ORDER_ID,
	LIST_STATUS,
	LIST_MARKETPLACE,
	LIST_MODEL,
	LIST_CLAIMED_AT,
	LIST_CLOSED_AT,
	LIST_REASON,
	LIST_COLUMNS
};

static const CsvColumns list_columns = {
	LIST_COLUMNS, LIST_STATUS,
	{
		[LIST_ACCOUNT_ID] = "account_id",
		[LIST_ORDER_ID] = "order_id",
		[LIST_STATUS] = "status",
		[LIST_MARKETPLACE] = "marketplace_id",
		[LIST_MODEL] = "account_model",
		[LIST_CLAIMED_AT] = "claimed_at",
		[LIST_CLOSED_AT] = "closed_at",
		[LIST_REASON] = "reason",
	}
};

typedef enum RowOutcome
{
	ROW_UNDECIDED,
	ROW_MARKED,
	ROW_PRESENT,
	ROW_ADDED,
	ROW_UNKNOWN,
	ROW_CONFLICT,
	ROW_REJECTED
} RowOutcome;

static const char *const outcome_names[] = {
	[ROW_MARKED] = "marked",
	[ROW_PRESENT] = "present",
	[ROW_ADDED] = "added",
	[ROW_UNKNOWN] = "unknown",
	[ROW_CONFLICT] = "conflict",
	[ROW_REJECTED] = "rejected",
};

/* A row of the list, beside what the batch has of it. */
typedef struct ListRow
{
	NewAccount *account;
	PastUse		use;
	bool		reason_lost;	/* it has one that its status cannot have */
	const char *order_problem;	/* what is wrong with its order's name, unless
								 * the order has the account; or NULL */
	const char *holder;			/* the order's other account; or NULL */
	RowOutcome	outcome;
	const char *detail;			/* may be NULL */
	const char *before;			/* what it was, once changed; or NULL */
} ListRow;

/* What became of a row that was judged when the file was read first. */
typedef struct Decision
{
	RowOutcome	outcome;
	const char *detail;
} Decision;

/* A name that came up in the list, and with which account. */
typedef struct SeenName
{
	const char *name;
	uint64		line;
	uint32		hash;
	char		account_id[13];
	char		status;
} SeenName;

static inline uint32
hash_name(const char *name, const void *secret)
{
	return (uint32) hash_bytes_extended((const unsigned char *) name,
										strlen(name),
										*(const uint64 *) secret);
}

#define SH_PREFIX name
#define SH_ELEMENT_TYPE SeenName
#define SH_KEY_TYPE const char *
#define SH_KEY name
#define SH_HASH_KEY(table, key) hash_name((key), (table)->private_data)
#define SH_STORE_HASH
#define SH_GET_HASH(table, seen) ((seen)->hash)
#define SH_EQUAL(table, a, b) (strcmp((a), (b)) == 0)
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

typedef struct Reconciliation
{
	const char *provider;
	bool		change;			/* or only tell what that would do */
	TimestampTz now;
	MemoryContext context;		/* as long as the call */
	Batch	   *batch;
	ListRow    *rows;			/* of the batch */
	MemoryContext row_context;
	struct seen_hash *seen_ids;
	name_hash  *holders;		/* orders that hold an account by now */
	name_hash  *closed;			/* accounts that no order holds any more, to
								 * who only looks */
	Decision   *decisions;		/* of the rows that are judged first */
	size_t		ndecisions;
	size_t		max_decisions;
	size_t		nreported;		/* of those */
	int64		taken;			/* rows whose id is another provider's */
	char		first_taken[13];
} Reconciliation;

static Datum reconcile(FunctionCallInfo fcinfo, bool change);
static name_hash *make_names(MemoryContext context);
static void read_list(Reconciliation *r, text *csv, ReturnSetInfo *rsinfo);
static bool comes_first(const CsvRow *row);
static bool read_row(Reconciliation *r, CsvFile *file, bool first_time);
static void parse_row(Reconciliation *r, const CsvFile *file, CsvRow *csv,
					  ListRow *row);
static void find_problem(const CsvFile *file, const CsvRow *csv, ListRow *row,
						 const char *others);
static void parse_use(Reconciliation *r, const CsvRow *csv, ListRow *row,
					  StringInfo problems);
static void parse_status(const char *name, PastUse *use, StringInfo problems);
static bool parse_time(Reconciliation *r, const CsvRow *csv,
					   enum ListColumn column, TimestampTz *time,
					   StringInfo problems);
static bool decode_time(const char *value, TimestampTz *time);
static bool is_iso_time(const char *value);
static void complete_use(Reconciliation *r, PastUse *use, bool has_claimed_at,
						 bool has_closed_at);
static void append_problem(StringInfo problems, const char *problem);
static void work(Reconciliation *r);
static void judge_undecided(Reconciliation *r);
static void judge(Reconciliation *r, ListRow *row);
static bool is_refused_by_name(ListRow *row);
static void judge_missing(Reconciliation *r, ListRow *row);
static void judge_taken(Reconciliation *r, ListRow *row);
static void judge_present(Reconciliation *r, ListRow *row);
static void judge_closed(ListRow *row);
static bool is_same_order(const ListRow *row);
static bool holds_account(const ListRow *row);
static bool is_refused_by_order(Reconciliation *r, ListRow *row);
static void find_holders(Reconciliation *r);
static void decide(ListRow *row, RowOutcome outcome, const char *detail);
static void note_names(Reconciliation *r, const ListRow *row);
static void note_name(name_hash *names, const char *name, const ListRow *row);
static void carry_out(Reconciliation *r);
static void mark_rows(Reconciliation *r);
static void mark(Reconciliation *r, AccountTable *table, ListRow *row);
static void look_at(ListRow *row, TupleTableSlot *account);
static void change(AccountTable *table, ListRow *row);
static int	add_rows(Reconciliation *r, int first);
static void store(Reconciliation *r, ListRow **rows, int n);
static void log_changes(Reconciliation *r);
static void keep_decisions(Reconciliation *r);
static void report_rows(Reconciliation *r, ReturnSetInfo *rsinfo);

/*
 * awspool.reconcile_csv(provider, csv)
 *
 * Marks the accounts of a list as used, adds those that are missing if it says
 * enough of them, and reports on each row.
 */
Datum
awspool_reconcile_csv(PG_FUNCTION_ARGS)
{
	return reconcile(fcinfo, true);
}

/*
 * awspool.check_reconcile_csv(provider, csv)
 *
 * The report that reconcile_csv would give now.
 */
Datum
awspool_check_reconcile_csv(PG_FUNCTION_ARGS)
{
	return reconcile(fcinfo, false);
}

static Datum
reconcile(FunctionCallInfo fcinfo, bool change)
{
	static const Oid types[Natts_report] = {
		INT8OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID
	};
	Reconciliation r = {
		.provider = change ? awspool_provider_argument(fcinfo) :
			awspool_visible_provider_argument(fcinfo),
		.change = change,
		.now = GetCurrentTimestamp(),
		.context = CurrentMemoryContext
	};
	ReturnSetInfo *rsinfo;
	text	   *csv;

	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("csv must not be null")));
	rsinfo = awspool_begin_rows(fcinfo, Natts_report, types);
	if (change)
	{
		awspool_begin_writing();
		awspool_lock_imports(r.provider);
	}

	csv = PG_GETARG_TEXT_PP(1);
	r.batch = awspool_make_batch("argument csv");
	r.row_context = AllocSetContextCreate(CurrentMemoryContext,
										  "awspool reconciliation",
										  ALLOCSET_DEFAULT_SIZES);
	r.seen_ids = awspool_make_seen_ids(r.batch->max);
	r.holders = make_names(r.context);
	r.closed = make_names(r.context);
	read_list(&r, csv, NULL);
	read_list(&r, csv, rsinfo);

	/* We may have waited for the log, or for an index. */
	if (change)
		awspool_check_provider_again(r.provider);
	else
		awspool_check_visible_again(r.provider);
	if (r.taken > 0)
		awspool_log_taken(r.provider, r.first_taken, r.taken);
	return (Datum) 0;
}

static name_hash *
make_names(MemoryContext context)
{
	uint64	   *secret = MemoryContextAlloc(context, sizeof(uint64));

	if (!pg_strong_random(secret, sizeof(*secret)))
		elog(ERROR, "could not generate a random number");
	return name_create(context, 256, secret);
}

/*
 * Reads the file, and reports on its rows; or, the first time, without a place
 * to report to, only decides on those that come first.
 */
static void
read_list(Reconciliation *r, text *csv, ReturnSetInfo *rsinfo)
{
	CsvFile    *file = awspool_open_csv(&list_columns, csv);
	bool		more = true;

	while (more)
	{
		int			max = Min(r->batch->max, MAX_ROWS);

		r->rows = palloc(max * sizeof(ListRow));
		while (r->batch->n < max && more)
			more = read_row(r, file, rsinfo == NULL);

		work(r);
		if (rsinfo == NULL)
			keep_decisions(r);
		else
			report_rows(r, rsinfo);
		awspool_empty_batch(r->batch);
		pfree(r->rows);
	}
	awspool_close_csv(file);
}

/* Whether the status of a row says that no order holds the account. */
static bool
comes_first(const CsvRow *row)
{
	const char *status = row->fields[LIST_STATUS];

	return status != NULL &&
		(strcmp(status, awspool_status_name(STATUS_FAILED)) == 0 ||
		 strcmp(status, awspool_status_name(STATUS_INVALID)) == 0);
}

/*
 * Adds the next row of the file to the batch; the first time, if it is one
 * that comes first.  False if there is no more.
 */
static bool
read_row(Reconciliation *r, CsvFile *file, bool first_time)
{
	CsvRow		csv;
	ListRow    *row;
	bool		first;

	do
	{
		if (!awspool_read_csv(file, &csv))
			return false;
		first = comes_first(&csv);
	} while (first_time && !first);

	row = &r->rows[r->batch->n];
	memset(row, 0, sizeof(ListRow));
	row->account = awspool_extend_batch(r->batch);
	parse_row(r, file, &csv, row);
	if (first && !first_time)
	{
		const Decision *decision = &r->decisions[r->nreported++];

		decide(row, decision->outcome, decision->detail);
		row->account->outcome = STORE_MALFORMED;	/* nothing to look for */
	}
	return true;
}

/*
 * Takes a row of the file apart, and finds what is wrong with it by itself.
 */
static void
parse_row(Reconciliation *r, const CsvFile *file, CsvRow *csv, ListRow *row)
{
	MemoryContext caller_context = MemoryContextSwitchTo(r->batch->context);
	NewAccount *account = row->account;
	StringInfoData problems = {0};

	for (int i = 0; i < LIST_COLUMNS; i++)
	{
		const char *field = csv->fields[i];

		csv->fields[i] = field == NULL || *field == '\0' ? NULL :
			pstrdup(field);
	}
	account->line = csv->line;
	account->provider = r->provider;
	account->account_id = csv->fields[LIST_ACCOUNT_ID];
	account->marketplace = csv->fields[LIST_MARKETPLACE];
	account->model = csv->fields[LIST_MODEL];
	account->use = &row->use;
	row->use.order_id = csv->fields[LIST_ORDER_ID];
	parse_use(r, csv, row, &problems);

	find_problem(file, csv, row, problems.data);
	MemoryContextSwitchTo(caller_context);
}

/*
 * Finds what is wrong with a row by itself; "others" are problems that were
 * met before, or NULL.  That no new order may be called so is one only if the
 * order does not have the account, which shows later.
 */
static void
find_problem(const CsvFile *file, const CsvRow *csv, ListRow *row,
			 const char *others)
{
	NewAccount *account = row->account;
	const char *problem = awspool_csv_problem(file, csv);

	if (problem == NULL && others == NULL &&
		awspool_problems(account, true) == NULL)
	{
		row->order_problem = awspool_problems(account, false);
		return;
	}
	if (problem == NULL)
		problem = awspool_problems(account, false);
	if (problem == NULL)
		problem = others;
	else if (others != NULL)
		problem = psprintf("%s; %s", problem, others);
	account->problem = problem;
	account->outcome = STORE_MALFORMED;
}

/* What a row says of the use of its account, but for the order. */
static void
parse_use(Reconciliation *r, const CsvRow *csv, ListRow *row,
		  StringInfo problems)
{
	PastUse    *use = &row->use;
	bool		has_claimed_at;
	bool		has_closed_at;

	parse_status(csv->fields[LIST_STATUS], use, problems);
	has_claimed_at = parse_time(r, csv, LIST_CLAIMED_AT, &use->claimed_at,
								problems);
	has_closed_at = parse_time(r, csv, LIST_CLOSED_AT, &use->closed_at,
							   problems);
	if (has_closed_at && use->status == STATUS_IN_PROGRESS)
		append_problem(problems,
					   "an account that is in progress has no closed_at");
	if (has_claimed_at && has_closed_at && use->closed_at < use->claimed_at)
		append_problem(problems, "closed_at is before claimed_at");
	complete_use(r, use, has_claimed_at, has_closed_at);

	use->reason = csv->fields[LIST_REASON];
	if (use->status != STATUS_FAILED && use->status != STATUS_INVALID)
	{
		row->reason_lost = use->reason != NULL;
		use->reason = NULL;
	}
}

static void
parse_status(const char *name, PastUse *use, StringInfo problems)
{
	use->status = STATUS_ALLOCATED;
	if (name == NULL)
		return;
	for (AccountStatus status = STATUS_IN_PROGRESS; status <= STATUS_INVALID;
		 status++)
	{
		if (strcmp(name, awspool_status_name(status)) == 0)
		{
			use->status = status;
			return;
		}
	}
	if (strcmp(name, awspool_status_name(STATUS_READY)) == 0)
		append_problem(problems, "no account becomes \"ready\" again");
	else
		append_problem(problems,
					   psprintf("status \"%s\" must be \"provisioning_in_progress\", \"allocated\", \"provisioning_failed\" or \"invalid\"",
								awspool_printable(name)));
}

/* Whether a row has a time in a column, and which. */
static bool
parse_time(Reconciliation *r, const CsvRow *csv, enum ListColumn column,
		   TimestampTz *time, StringInfo problems)
{
	const char *value = csv->fields[column];
	const char *name = list_columns.names[column];

	if (value == NULL)
		return false;
	if (!decode_time(value, time))
		append_problem(problems,
					   psprintf("%s \"%s\" must be a time like 2026-11-29T20:15:00Z",
								name, awspool_printable(value)));
	else if (*time > r->now)
		append_problem(problems, psprintf("%s \"%s\" is in the future", name,
										  awspool_printable(value)));
	else
		return true;
	return false;
}

/*
 * A time as the server reads it, but only as ISO 8601 has it: what 01/02/2026
 * is, depends on a setting, and a time zone with a name that there is not
 * would be an error of the whole list.  Without one it is in the session's.
 */
static bool
decode_time(const char *value, TimestampTz *time)
{
	char		buffer[MAXDATELEN + MAXDATEFIELDS];
	char	   *fields[MAXDATEFIELDS];
	int			types[MAXDATEFIELDS];
	int			nfields;
	int			type;
	int			tz;
	fsec_t		fsec;
	struct pg_tm tm;

	return is_iso_time(value) &&
		ParseDateTime(value, buffer, sizeof(buffer), fields, types,
					  MAXDATEFIELDS, &nfields) == 0 &&
		awspool_decode_time(fields, types, nfields, &type, &tm, &fsec,
							&tz) == 0 &&
		type == DTK_DATE &&
		tm2timestamp(&tm, fsec, &tz, time) == 0 &&
		IS_VALID_TIMESTAMP(*time);
}

/* The year first, and no letters but the "T" and the "Z". */
static bool
is_iso_time(const char *value)
{
	size_t		len = strlen(value);

	if (strspn(value, "0123456789") != 4 || value[4] != '-')
		return false;
	for (size_t i = 0; i < len; i++)
	{
		if (strchr("0123456789-:.+ ", value[i]) == NULL &&
			!(i == 10 && value[i] == 'T') &&
			!(i == len - 1 && value[i] == 'Z'))
			return false;
	}
	return true;
}

/* What the list leaves out of the times. */
static void
complete_use(Reconciliation *r, PastUse *use, bool has_claimed_at,
			 bool has_closed_at)
{
	use->claimed = use->status != STATUS_INVALID || use->order_id != NULL ||
		has_claimed_at;
	if (!has_closed_at)
		use->closed_at = r->now;
	if (!has_claimed_at)
		use->claimed_at = use->closed_at;
}

/* The buffer is made only for the few rows that have a problem. */
static void
append_problem(StringInfo problems, const char *problem)
{
	if (problems->data == NULL)
		initStringInfo(problems);
	else
		appendStringInfoString(problems, "; ");
	appendStringInfoString(problems, problem);
}

/*
 * Decides on the rows of the batch, and changes what is to be changed.  What
 * turns out to be other than it was when we looked is judged again.
 */
static void
work(Reconciliation *r)
{
	MemoryContext caller_context = MemoryContextSwitchTo(r->batch->context);
	bool		again = true;

	awspool_find_repeated(r->batch, r->seen_ids);
	while (again)
	{
		CHECK_FOR_INTERRUPTS();
		if (r->change)
			awspool_reserve_batch(r->batch);
		else
			awspool_look_up_batch(r->batch);
		judge_undecided(r);
		if (r->change)
			carry_out(r);

		again = false;
		for (int i = 0; i < r->batch->n; i++)
		{
			if (r->rows[i].outcome == ROW_UNDECIDED)
			{
				r->rows[i].account->outcome = STORE_PENDING;
				again = true;
			}
		}
	}
	MemoryContextSwitchTo(caller_context);
}

static void
judge_undecided(Reconciliation *r)
{
	if (!r->change)
		find_holders(r);
	for (int i = 0; i < r->batch->n; i++)
	{
		ListRow    *row = &r->rows[i];

		if (row->outcome != ROW_UNDECIDED)
			continue;
		judge(r, row);
		note_names(r, row);
	}
}

/* Decides on a row, by what was found of its account. */
static void
judge(Reconciliation *r, ListRow *row)
{
	NewAccount *account = row->account;

	if (is_refused_by_name(row))
		return;
	switch (account->outcome)
	{
		case STORE_MALFORMED:
			decide(row, ROW_REJECTED, account->problem);
			break;
		case STORE_TWICE:
			decide(row, ROW_REJECTED, awspool_repeated_id(account));
			break;
		case STORE_PENDING:
		case STORE_ADDED:
			judge_missing(r, row);
			break;
		case STORE_USED:
			if (strcmp(account->existing.provider, r->provider) != 0)
				judge_taken(r, row);
			else
				decide(row, ROW_PRESENT, "it was used before and deleted");
			break;
		case STORE_TAKEN:
			judge_taken(r, row);
			break;
		case STORE_PRESENT:
		case STORE_DIFFERENT:
			judge_present(r, row);
			break;
	}
}

/*
 * Whether the row's order is called as none may be but one of version 1.0 that
 * has the account.  If so, that decides on the row.
 */
static bool
is_refused_by_name(ListRow *row)
{
	StoreOutcome found = row->account->outcome;

	if (row->order_problem == NULL || found == STORE_TWICE ||
		((found == STORE_PRESENT || found == STORE_DIFFERENT) &&
		 is_same_order(row)))
		return false;
	decide(row, ROW_REJECTED, row->order_problem);
	return true;
}

/* Decides on an account that is not there. */
static void
judge_missing(Reconciliation *r, ListRow *row)
{
	if (row->account->marketplace == NULL || row->account->model == NULL)
		decide(row, ROW_UNKNOWN,
			   "to add it, its marketplace and model have to be known");
	else if (!is_refused_by_order(r, row))
		decide(row, ROW_ADDED, NULL);
}

/*
 * Decides on an account whose id is another provider's.  Unless it would be
 * added, that is the same as one that is not there.
 */
static void
judge_taken(Reconciliation *r, ListRow *row)
{
	NewAccount *account = row->account;

	judge_missing(r, row);
	if (row->outcome != ROW_ADDED)
		return;
	decide(row, ROW_REJECTED,
		   psprintf("account id \"%s\" is taken", account->account_id));
	if (r->taken++ == 0)
		strlcpy(r->first_taken, account->account_id, sizeof(r->first_taken));
}

/* Decides on an account of the provider, as "existing" tells of it. */
static void
judge_present(Reconciliation *r, ListRow *row)
{
	const Existing *existing = &row->account->existing;

	switch (existing->status)
	{
		case STATUS_READY:
			if (!is_refused_by_order(r, row))
				decide(row, ROW_MARKED,
					   row->account->outcome == STORE_PRESENT ? NULL :
					   psprintf("it was %s, %s", existing->marketplace,
								existing->model));
			break;
		case STATUS_IN_PROGRESS:
			if (!is_same_order(row))
				decide(row, ROW_CONFLICT, existing->order_id == NULL ?
					   "it was claimed without an order" :
					   psprintf("order \"%s\" has it", existing->order_id));
			else if (row->use.status == STATUS_IN_PROGRESS)
				decide(row, ROW_PRESENT, NULL);
			else
				decide(row, ROW_MARKED, "it was in progress");
			break;
		default:
			judge_closed(row);
			break;
	}
}

static void
judge_closed(ListRow *row)
{
	const Existing *existing = &row->account->existing;
	const char *detail = psprintf("it is %s",
								  awspool_status_name(existing->status));

	if (!is_same_order(row))
		decide(row, ROW_CONFLICT, existing->order_id == NULL ?
			   psprintf("%s, without an order", detail) :
			   psprintf("%s, for order \"%s\"", detail, existing->order_id));
	else if (row->use.status == existing->status)
		decide(row, ROW_PRESENT, NULL);
	else
		decide(row, row->use.status == STATUS_IN_PROGRESS &&
			   existing->status == STATUS_ALLOCATED ?
			   ROW_PRESENT : ROW_CONFLICT, detail);
}

/* Whether the list does not contradict whose account it is here. */
static bool
is_same_order(const ListRow *row)
{
	const char *here = row->account->existing.order_id;
	const char *listed = row->use.order_id;

	if (listed == NULL)
		return row->use.status == STATUS_INVALID;
	return here != NULL && strcmp(here, listed) == 0;
}

/* Whether the order would hold the account. */
static bool
holds_account(const ListRow *row)
{
	return row->use.status == STATUS_IN_PROGRESS ||
		row->use.status == STATUS_ALLOCATED;
}

/*
 * Whether the order has another account, here or by an earlier row.  If so,
 * that decides on the row.
 */
static bool
is_refused_by_order(Reconciliation *r, ListRow *row)
{
	const char *order_id = row->use.order_id;
	const SeenName *seen;

	if (!holds_account(row))
		return false;
	if (row->holder != NULL &&
		(r->change || name_lookup(r->closed, row->holder) == NULL))
	{
		decide(row, ROW_CONFLICT, psprintf("order \"%s\" has account \"%s\"",
										   order_id, row->holder));
		return true;
	}
	seen = name_lookup(r->holders, order_id);
	if (seen == NULL ||
		strcmp(seen->account_id, row->account->account_id) == 0)
		return false;
	decide(row, ROW_CONFLICT,
		   psprintf("order \"%s\" has account \"%s\", by line " UINT64_FORMAT,
					order_id, seen->account_id, seen->line));
	return true;
}

/*
 * Finds the accounts that the orders of undecided rows hold, for who only
 * looks.  Who changes a row does so when its order is locked.
 */
static void
find_holders(Reconciliation *r)
{
	Relation	rel = table_open(awspool_relation("account"), AccessShareLock);
	Relation	index = awspool_open_index("account_order", AccessShareLock);
	TupleTableSlot *slot = table_slot_create(rel, NULL);

	for (int i = 0; i < r->batch->n; i++)
	{
		ListRow    *row = &r->rows[i];
		char	   *account_id;
		MemoryContext caller_context;

		CHECK_FOR_INTERRUPTS();
		if (row->outcome != ROW_UNDECIDED || !holds_account(row) ||
			row->account->outcome == STORE_MALFORMED)
			continue;
		caller_context = MemoryContextSwitchTo(r->row_context);
		if (awspool_find_present(rel, index, 2,
								 (const Datum[]) {
									 CStringGetTextDatum(r->provider),
									 CStringGetTextDatum(row->use.order_id)
								 }, NULL, slot, NULL))
		{
			account_id = awspool_column(slot, Anum_account_account_id);
			if (strcmp(account_id, row->account->account_id) != 0)
				row->holder = MemoryContextStrdup(r->batch->context,
												  account_id);
		}
		MemoryContextSwitchTo(caller_context);
		MemoryContextReset(r->row_context);
	}
	ExecDropSingleTupleTableSlot(slot);
	index_close(index, AccessShareLock);
	table_close(rel, AccessShareLock);
}

static void
decide(ListRow *row, RowOutcome outcome, const char *detail)
{
	row->outcome = outcome;
	row->detail = detail;
}

/* Remembers, for the rows that follow, what becomes of an order. */
static void
note_names(Reconciliation *r, const ListRow *row)
{
	if (row->outcome != ROW_MARKED && row->outcome != ROW_PRESENT &&
		row->outcome != ROW_ADDED)
		return;
	if (!holds_account(row))
		note_name(r->closed, row->account->account_id, row);
	else if (row->account->outcome != STORE_USED)
		note_name(r->holders, row->use.order_id, row);
}

static void
note_name(name_hash *names, const char *name, const ListRow *row)
{
	bool		found;
	SeenName   *seen = name_insert(names, name, &found);

	if (found)
		return;
	seen->name = MemoryContextStrdup(names->ctx, name);
	seen->line = row->account->line;
	strlcpy(seen->account_id, row->account->account_id,
			sizeof(seen->account_id));
}

/*
 * Changes what was decided to be changed, or decides otherwise.
 */
static void
carry_out(Reconciliation *r)
{
	ErrorContextCallback context = {
		error_context_stack, awspool_tell_lines, r->batch
	};

	error_context_stack = &context;
	PG_TRY();
	{
		mark_rows(r);
		for (int next = 0; next < r->batch->n;)
			next = add_rows(r, next);
		log_changes(r);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(r->batch->context);
		awspool_rethrow("deadlock with another session while reconciling accounts",
						"Nothing was changed.", "Reconcile the file again.");
	}
	PG_END_TRY();
	error_context_stack = context.previous;
}

static void
mark_rows(Reconciliation *r)
{
	AccountTable *table = awspool_open_account_table(r->provider);
	bool		present = false;

	for (int i = 0; i < r->batch->n; i++)
	{
		ListRow    *row = &r->rows[i];

		CHECK_FOR_INTERRUPTS();
		present |= row->outcome == ROW_PRESENT;
		if (row->outcome != ROW_MARKED || row->before != NULL ||
			row->account->outcome == STORE_MALFORMED)
			continue;
		r->batch->storing = row->account;
		mark(r, table, row);
		MemoryContextReset(r->row_context);
	}
	r->batch->storing = NULL;
	awspool_close_account_table(table);
	if (present)
		awspool_confirm_change();
}

/*
 * Marks an account as used, if that is still right now that nobody else can
 * change it or its order.  The order stays locked until the row has its entry
 * in the index.
 */
static void
mark(Reconciliation *r, AccountTable *table, ListRow *row)
{
	const char *id = row->account->account_id;
	const char *order_id = row->use.order_id;
	bool		locks_order = holds_account(row);
	MemoryContext caller_context = MemoryContextSwitchTo(r->row_context);

	row->holder = NULL;
	if (locks_order)
	{
		awspool_lock_order(table, order_id);
		if (awspool_find_order(table, order_id) &&
			!awspool_column_is(table->found, Anum_account_account_id, id))
			row->holder = awspool_column(table->found,
										 Anum_account_account_id);
	}

	if (!awspool_lock_account(table, id, false))
		decide(row, ROW_UNDECIDED, NULL);	/* it was deleted */
	else
	{
		MemoryContextSwitchTo(r->batch->context);
		look_at(row, table->found);
		judge(r, row);
		if (row->outcome == ROW_MARKED)
			change(table, row);
	}

	if (locks_order)
		awspool_unlock_names(AWSPOOL_LOCK_ORDER, r->provider, order_id);
	MemoryContextSwitchTo(caller_context);
}

/*
 * Sees what an account is by now.  As a rule it is what it was; then nothing
 * is copied.
 */
static void
look_at(ListRow *row, TupleTableSlot *account)
{
	NewAccount *listed = row->account;
	Existing   *existing = &listed->existing;

	existing->status = awspool_status_of(account);
	if (!awspool_column_is(account, Anum_account_order_id, existing->order_id))
		existing->order_id = awspool_column(account, Anum_account_order_id);
	if (!awspool_column_is(account, Anum_account_marketplace,
						   existing->marketplace))
		existing->marketplace = awspool_column(account,
											   Anum_account_marketplace);
	if (!awspool_column_is(account, Anum_account_model, existing->model))
		existing->model = awspool_column(account, Anum_account_model);
	listed->outcome =
		(listed->marketplace == NULL ||
		 strcmp(listed->marketplace, existing->marketplace) == 0) &&
		(listed->model == NULL ||
		 strcmp(listed->model, existing->model) == 0) ?
		STORE_PRESENT : STORE_DIFFERENT;
}

/*
 * Changes the account in "found", which is locked, to what the list says.  The
 * executor and the triggers keep some of what they allocate with the first.
 */
static void
change(AccountTable *table, ListRow *row)
{
	const NewAccount *account = row->account;
	bool		edits = account->outcome == STORE_DIFFERENT;
	MemoryContext caller_context =
		MemoryContextSwitchTo(table->estate->es_query_cxt);

	awspool_begin_change(table);
	if (account->existing.status == STATUS_READY)
	{
		awspool_set_column(table, Anum_account_order_id, row->use.order_id);
		if (edits && account->marketplace != NULL)
			awspool_set_column(table, Anum_account_marketplace,
							   account->marketplace);
		if (edits && account->model != NULL)
			awspool_set_column(table, Anum_account_model, account->model);
	}
	if (row->use.reason != NULL)
		awspool_set_column(table, Anum_account_reason, row->use.reason);
	awspool_mark_used(table, &row->use);
	row->before = account->existing.status == STATUS_READY ?
		"it was ready" : "it was in progress";
	ResetPerTupleExprContext(table->estate);
	MemoryContextSwitchTo(caller_context);
}

/*
 * Adds some of the accounts of the batch, from the "first" on; returns where
 * to go on.  Their orders are locked until they are in the index.  Only the
 * first of them is waited for, or two who wait for each other's orders would
 * do so for ever.
 */
static int
add_rows(Reconciliation *r, int first)
{
	AccountTable *table = NULL;
	ListRow    *rows[MAX_ORDERS];
	int			n = 0;
	int			i;

	for (i = first; i < r->batch->n && n < MAX_ORDERS; i++)
	{
		ListRow    *row = &r->rows[i];
		const char *order_id = holds_account(row) ? row->use.order_id : NULL;

		if (row->outcome != ROW_ADDED || row->before != NULL ||
			row->account->outcome == STORE_MALFORMED)
			continue;
		if (table == NULL)
			table = awspool_open_account_table(r->provider);
		row->holder = NULL;
		if (order_id != NULL)
		{
			if (!awspool_lock_names(AWSPOOL_LOCK_ORDER, r->provider, order_id,
									n == 0))
				break;
			if (awspool_find_order(table, order_id))
				row->holder = awspool_column(table->found,
											 Anum_account_account_id);
		}
		rows[n++] = row;
	}

	if (table != NULL)
		awspool_close_account_table(table);
	if (n > 0)
		store(r, rows, n);
	for (int j = 0; j < n; j++)
	{
		if (holds_account(rows[j]))
			awspool_unlock_names(AWSPOOL_LOCK_ORDER, r->provider,
								 rows[j]->use.order_id);
	}
	return i;
}

/*
 * Stores accounts whose orders are locked, unless those hold another account.
 * One whose id somebody has stored meanwhile has to be judged again.
 */
static void
store(Reconciliation *r, ListRow **rows, int n)
{
	NewAccount	accounts[MAX_ORDERS];
	ListRow    *stored[MAX_ORDERS];
	Batch		batch = {
		.context = r->batch->context,
		.source = r->batch->source,
		.reserved = true,
		.max = MAX_ORDERS,
		.accounts = accounts
	};
	int			nstored = 0;

	for (int i = 0; i < n; i++)
	{
		if (is_refused_by_order(r, rows[i]))
			continue;
		stored[nstored] = rows[i];
		accounts[nstored] = *rows[i]->account;
		accounts[nstored++].outcome = STORE_PENDING;
	}
	batch.n = nstored;
	if (nstored > 0)
		awspool_store_batch(&batch);
	for (int i = 0; i < nstored; i++)
	{
		stored[i]->account->outcome = accounts[i].outcome;
		if (accounts[i].outcome == STORE_ADDED)
			stored[i]->before = "it was unknown";
		else
			decide(stored[i], ROW_UNDECIDED, NULL);
	}
}

/* Logs what was changed, of which the rows of the accounts cannot tell. */
static void
log_changes(Reconciliation *r)
{
	int			max = Max(r->batch->n, 1);
	Datum	   *ids = palloc(max * sizeof(Datum));
	Datum	   *details = palloc(max * sizeof(Datum));
	Datum	   *statuses = palloc(max * sizeof(Datum));
	int			n = 0;

	for (int i = 0; i < r->batch->n; i++)
	{
		ListRow    *row = &r->rows[i];

		if (row->before == NULL || *row->before == '\0')
			continue;
		ids[n] = CStringGetTextDatum(row->account->account_id);
		details[n] = CStringGetTextDatum(row->before);
		statuses[n++] =
			CStringGetTextDatum(awspool_status_name(row->use.status));
		row->before = "";		/* not again */
	}
	if (n > 0)
		awspool_log_reconciled(r->provider, ids, details, statuses, n);
}

/* Keeps what was decided until the rows are reported on. */
static void
keep_decisions(Reconciliation *r)
{
	for (int i = 0; i < r->batch->n; i++)
	{
		Decision   *decision;

		if (r->ndecisions == r->max_decisions)
		{
			r->max_decisions = Max(r->max_decisions * 2, 64);
			r->decisions = r->decisions == NULL ?
				palloc(r->max_decisions * sizeof(Decision)) :
				repalloc_huge(r->decisions,
							  r->max_decisions * sizeof(Decision));
		}
		decision = &r->decisions[r->ndecisions++];
		decision->outcome = r->rows[i].outcome;
		decision->detail = r->rows[i].detail == NULL ? NULL :
			pstrdup(r->rows[i].detail);
	}
}

static void
report_rows(Reconciliation *r, ReturnSetInfo *rsinfo)
{
	for (int i = 0; i < r->batch->n; i++)
	{
		const ListRow *row = &r->rows[i];
		const char *detail = row->detail;
		MemoryContext caller_context = MemoryContextSwitchTo(r->row_context);

		if (row->reason_lost &&
			(row->outcome == ROW_MARKED || row->outcome == ROW_ADDED))
			detail = psprintf("%s%sthe reason is not kept",
							  detail == NULL ? "" : detail,
							  detail == NULL ? "" : "; ");
		awspool_report(rsinfo, row->account->line,
					   (const char *const[]) {
						   row->account->account_id, row->use.order_id,
						   outcome_names[row->outcome], detail
					   }, Natts_report - 1);
		MemoryContextSwitchTo(caller_context);
		MemoryContextReset(r->row_context);
	}
}
