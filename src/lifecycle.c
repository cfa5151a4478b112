/*-------------------------------------------------------------------------
 *
 * lifecycle.c
 *	  The trigger that lets an account move forward only.
 *
 * An account moves forward only, so its row is its own history.  The trigger
 * account_transition sees every UPDATE and DELETE of awspool.account, whoever
 * sends it, and is the one place that
 *
 * - refuses a move that is not legal (status.c),
 * - refuses a change of what never changes, or not at that time,
 * - refuses any change if the provider is frozen (state.c), and
 * - stamps who moved the account and when: a claim or a closing carries the
 *	 role and the clock of the moment, even if the UPDATE said otherwise.
 *
 * It says nothing about INSERT: rows of every status come back from a dump,
 * and the constraints of the table see to it that they make sense.  Changes
 * that a subscription applies passed this trigger where they came from; here
 * it lets them pass, and only notes what head.c has to know.  It is the worker
 * that counts, not session_replication_role, which a superuser may set.
 *
 * What our own functions change does not need a trigger for that: row.c has
 * the same done to the row in its hands, as long as there is no other trigger
 * that is to see the row before or after it.
 *
 * One caller knows better than the clock: a reconciliation tells what became
 * of an account in a past that the database has lost (reconcile.c).  For it, a
 * ready account becomes in one step what it has been since, at the times that
 * it says, in the marketplace and of the model that it says.  It comes here
 * through awspool_mark_used (row.c), which leaves word for one change of one
 * account.  No setting and no statement can do that.
 *
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

#include "access/htup_details.h"
#include "catalog/pg_trigger.h"
#include "miscadmin.h"
#include "replication/logicalworker.h"
#include "utils/builtins.h"
#include "utils/datum.h"

PG_FUNCTION_INFO_V1(awspool_account_transition);

/* When an UPDATE may change a column. */
typedef enum ColumnRule
{
	NEVER,
	AT_ANY_TIME,
	WHILE_READY,
	BY_CLAIM,
	BY_CLOSING,
} ColumnRule;

static const ColumnRule column_rules[Natts_account + 1] =
{
	[Anum_account_provider] = NEVER,
	[Anum_account_account_id] = NEVER,
	[Anum_account_marketplace] = WHILE_READY,
	[Anum_account_model] = AT_ANY_TIME,
	[Anum_account_status] = AT_ANY_TIME,	/* the lifecycle judges it */
	[Anum_account_order_id] = BY_CLAIM,
	[Anum_account_order_model] = BY_CLAIM,
	[Anum_account_reason] = BY_CLOSING,
	[Anum_account_added_at] = NEVER,
	[Anum_account_added_by] = NEVER,
	[Anum_account_claimed_at] = BY_CLAIM,
	[Anum_account_claimed_by] = BY_CLAIM,
	[Anum_account_closed_at] = BY_CLOSING,
	[Anum_account_closed_by] = BY_CLOSING,
	[Anum_account_position] = NEVER,
};

/* What was left for the next transition of an account. */
static UseMark left_mark = {NULL, NULL};

/* A version of a row, taken apart. */
typedef struct RowVersion
{
	Datum	   *values;
	bool	   *isnull;
	AccountStatus status;
} RowVersion;

static RowVersion take_apart(HeapTuple tuple, TupleDesc desc);
static RowVersion row_version(TupleDesc desc, Datum *values, bool *isnull);
static char *account_id(const RowVersion *row);
static bool judge_update(Relation rel, const RowVersion *old, RowVersion *new);
static void note_arrival(Relation rel, const RowVersion *new);
static const PastUse *take_mark(const RowVersion *old, const RowVersion *new);
static void check_columns(TupleDesc desc, const RowVersion *old,
						  const RowVersion *new, bool skips_claim);
static void refuse_column(TupleDesc desc, int column, const RowVersion *old);
static void stamp(RowVersion *row, int at, int by, TimestampTz moment);
static void check_not_frozen(const RowVersion *old);
static void check_delete(const RowVersion *old);

/*
 * The trigger: for each row, before it is updated or deleted.
 */
Datum
awspool_account_transition(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = awspool_trigger_data(fcinfo, "account",
												 BEFORE_ROW,
												 ON_UPDATE | ON_DELETE);
	TupleDesc	desc = RelationGetDescr(trigdata->tg_relation);
	RowVersion	old = take_apart(trigdata->tg_trigtuple, desc);
	RowVersion	new;
	bool	   *all;

	awspool_note_change(trigdata->tg_relation);
	if (TRIGGER_FIRED_BY_DELETE(trigdata->tg_event))
	{
		if (!IsLogicalWorker() &&
			!awspool_is_forgotten(old.values[Anum_account_provider - 1]))
		{
			check_not_frozen(&old);
			check_delete(&old);
		}
		return PointerGetDatum(trigdata->tg_trigtuple);
	}

	new = take_apart(trigdata->tg_newtuple, desc);
	if (!judge_update(trigdata->tg_relation, &old, &new))
		return PointerGetDatum(trigdata->tg_newtuple);

	all = palloc(desc->natts * sizeof(bool));
	memset(all, true, desc->natts * sizeof(bool));
	return PointerGetDatum(heap_modify_tuple(trigdata->tg_newtuple, desc,
											 new.values, new.isnull, all));
}

/*
 * Does what the trigger would to a row that is about to be updated: both
 * slots hold all columns, those of the new one may be set.
 */
void
awspool_pass_transition(Relation rel, TupleTableSlot *old,
						TupleTableSlot *new)
{
	TupleDesc	desc = RelationGetDescr(rel);
	RowVersion	from = row_version(desc, old->tts_values, old->tts_isnull);
	RowVersion	to = row_version(desc, new->tts_values, new->tts_isnull);

	awspool_note_change(rel);
	(void) judge_update(rel, &from, &to);
}

/*
 * Leaves word for the transition, and returns what was left before: a trigger
 * of the user's may reconcile, too, before ours fires.
 */
UseMark
awspool_leave_mark(UseMark mark)
{
	UseMark		before = left_mark;

	left_mark = mark;
	return before;
}

/*
 * What was left for this change of this account; NULL if nothing was.  Once
 * only: what a trigger of the user's does on the occasion is another change.
 */
static const PastUse *
take_mark(const RowVersion *old, const RowVersion *new)
{
	const PastUse *use = left_mark.use;

	if (use == NULL || new->status == old->status ||
		new->status != use->status ||
		strcmp(account_id(old), left_mark.account_id) != 0)
		return NULL;
	left_mark.use = NULL;
	return use;
}

static RowVersion
take_apart(HeapTuple tuple, TupleDesc desc)
{
	Datum	   *values = palloc(desc->natts * sizeof(Datum));
	bool	   *isnull = palloc(desc->natts * sizeof(bool));

	heap_deform_tuple(tuple, desc, values, isnull);
	return row_version(desc, values, isnull);
}

static RowVersion
row_version(TupleDesc desc, Datum *values, bool *isnull)
{
	static const int needed[] = {
		Anum_account_account_id, Anum_account_status, Anum_account_model
	};
	RowVersion	row = {.values = values, .isnull = isnull};

	/* A BEFORE trigger runs before NOT NULL is checked. */
	for (size_t i = 0; i < lengthof(needed); i++)
	{
		int			column = needed[i] - 1;

		if (row.isnull[column])
			ereport(ERROR,
					(errcode(ERRCODE_NOT_NULL_VIOLATION),
					 errmsg("account id, status and model of an account must not be null"),
					 err_generic_string(PG_DIAG_SCHEMA_NAME, "awspool"),
					 err_generic_string(PG_DIAG_TABLE_NAME, "account"),
					 err_generic_string(PG_DIAG_COLUMN_NAME,
										NameStr(TupleDescAttr(desc, column)->attname))));
	}

	row.status = awspool_status_from_text(row.values[Anum_account_status - 1]);
	return row;
}

static char *
account_id(const RowVersion *row)
{
	return TextDatumGetCString(row->values[Anum_account_account_id - 1]);
}

/*
 * Raises an error if an account may not become that, or stamps it.  Returns
 * whether anything was stamped.
 */
static bool
judge_update(Relation rel, const RowVersion *old, RowVersion *new)
{
	const PastUse *use;
	bool		skips_claim;

	if (new->status == STATUS_READY)
		note_arrival(rel, new);
	if (IsLogicalWorker())
		return false;

	check_not_frozen(old);
	use = take_mark(old, new);
	skips_claim = use != NULL && old->status == STATUS_READY;
	if (new->status != old->status && !skips_claim)
		awspool_check_transition(account_id(old), old->status, new->status);
	check_columns(RelationGetDescr(rel), old, new, skips_claim);

	if (new->status == old->status)
		return false;
	if (skips_claim ? use->claimed : new->status == STATUS_IN_PROGRESS)
	{
		stamp(new, Anum_account_claimed_at, Anum_account_claimed_by,
			  use != NULL ? use->claimed_at : GetCurrentTimestamp());
		new->values[Anum_account_order_model - 1] =
			new->values[Anum_account_model - 1];
		new->isnull[Anum_account_order_model - 1] = false;
	}
	if (new->status != STATUS_IN_PROGRESS)
		stamp(new, Anum_account_closed_at, Anum_account_closed_by,
			  use != NULL ? use->closed_at : GetCurrentTimestamp());
	return true;
}

/*
 * Notes that a ready account is about to be updated, and so arrives in the
 * pool of its new version (arrival.c).  A BEFORE trigger of the user's may yet
 * choose another pool.
 */
static void
note_arrival(Relation rel, const RowVersion *new)
{
	int			provider = Anum_account_provider - 1;
	int			marketplace = Anum_account_marketplace - 1;
	int			others = -1;

	for (int i = 0; i < rel->trigdesc->numtriggers; i++)
		others += TRIGGER_TYPE_MATCHES(rel->trigdesc->triggers[i].tgtype,
									   TRIGGER_TYPE_ROW, TRIGGER_TYPE_BEFORE,
									   TRIGGER_TYPE_UPDATE);
	if (others > 0 || new->isnull[provider] || new->isnull[marketplace])
		awspool_note_arrival_anywhere();
	else
		awspool_note_arrival(TextDatumGetCString(new->values[provider]),
							 TextDatumGetCString(new->values[marketplace]),
							 PG_INT64_MIN);
}

/*
 * Raises an error if a column changed that may not change in this move.  One
 * that "skips the claim" makes a ready account one that was claimed.
 */
static void
check_columns(TupleDesc desc, const RowVersion *old, const RowVersion *new,
			  bool skips_claim)
{
	bool		moved = (old->status != new->status);

	for (int column = 1; column <= Natts_account; column++)
	{
		int			i = column - 1;
		Form_pg_attribute attr = TupleDescAttr(desc, i);
		bool		allowed = false;

		if (old->isnull[i] == new->isnull[i] &&
			(old->isnull[i] ||
			 datum_image_eq(old->values[i], new->values[i],
							attr->attbyval, attr->attlen)))
			continue;

		switch (column_rules[column])
		{
			case NEVER:
				break;
			case AT_ANY_TIME:
				allowed = true;
				break;
			case WHILE_READY:
				allowed = (new->status == STATUS_READY) || skips_claim;
				break;
			case BY_CLAIM:
				allowed = moved && (new->status == STATUS_IN_PROGRESS ||
									skips_claim);
				break;
			case BY_CLOSING:
				allowed = moved && new->status != STATUS_IN_PROGRESS;
				break;
		}
		if (!allowed)
			refuse_column(desc, column, old);
	}
}

static void
refuse_column(TupleDesc desc, int column, const RowVersion *old)
{
	if (column_rules[column] == WHILE_READY)
		ereport(ERROR,
				(errcode(ERRCODE_AWSPOOL_IN_USE),
				 errmsg("cannot move account \"%s\" to another marketplace",
						account_id(old)),
				 errdetail("Only an account that is and stays \"ready\" can be moved; this one is \"%s\".",
						   awspool_status_name(old->status))));

	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("cannot change column \"%s\" of account \"%s\"",
					NameStr(TupleDescAttr(desc, column - 1)->attname),
					account_id(old)),
			 column_rules[column] == NEVER ?
			 errdetail("It never changes.") :
			 errdetail("It is set when the account is %s, and never changes.",
					   column_rules[column] == BY_CLAIM ?
					   "claimed" : "closed")));
}

/* Enters when an account was moved, and that it was by the caller. */
static void
stamp(RowVersion *row, int at, int by, TimestampTz moment)
{
	row->values[at - 1] = TimestampTzGetDatum(moment);
	row->values[by - 1] =
		CStringGetTextDatum(GetUserNameFromId(GetUserId(), false));
	row->isnull[at - 1] = row->isnull[by - 1] = false;
}

static void
check_not_frozen(const RowVersion *old)
{
	awspool_check_row_not_frozen(old->values[Anum_account_provider - 1],
								 old->isnull[Anum_account_provider - 1],
								 false);
}

static void
check_delete(const RowVersion *old)
{
	if (old->status == STATUS_IN_PROGRESS)
		ereport(ERROR,
				(errcode(ERRCODE_AWSPOOL_IN_USE),
				 errmsg("cannot delete account \"%s\"", account_id(old)),
				 errdetail("An order is using it."),
				 errhint("Allocate, fail or invalidate it first.")));
}
