/*-------------------------------------------------------------------------
 *
 * status.c
 *	  The statuses of an account, and which may follow which.
 *
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

#include "utils/builtins.h"

#define MAY_BECOME(status)	(1 << (status))

static const struct
{
	const char *name;
	int			next;			/* MAY_BECOME of the statuses it may take */
}			lifecycle[] =
{
	[STATUS_READY] = {
		"ready",
		MAY_BECOME(STATUS_IN_PROGRESS) | MAY_BECOME(STATUS_INVALID)
	},
	[STATUS_IN_PROGRESS] = {
		"provisioning_in_progress",
		MAY_BECOME(STATUS_ALLOCATED) | MAY_BECOME(STATUS_FAILED) |
		MAY_BECOME(STATUS_INVALID)
	},
	[STATUS_ALLOCATED] = {"allocated", 0},
	[STATUS_FAILED] = {"provisioning_failed", 0},
	[STATUS_INVALID] = {"invalid", 0},
};

/*
 * The name of a status, as the column has it.
 */
const char *
awspool_status_name(AccountStatus status)
{
	return lifecycle[status].name;
}

/*
 * The status of that name; any other name, or NULL, is the caller's mistake.
 */
AccountStatus
awspool_status_from_name(const char *name)
{
	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("status must not be null")));

	for (size_t status = 0; status < lengthof(lifecycle); status++)
	{
		if (strcmp(name, lifecycle[status].name) == 0)
			return (AccountStatus) status;
	}

	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid status: \"%s\"", awspool_printable(name)),
			 errhint("The statuses are \"ready\", \"provisioning_in_progress\", \"allocated\", \"provisioning_failed\" and \"invalid\".")));
	pg_unreachable();
}

/*
 * The status of a row of awspool.account.
 */
AccountStatus
awspool_status_of(TupleTableSlot *account)
{
	bool		isnull;
	Datum		status = slot_getattr(account, Anum_account_status, &isnull);

	return awspool_status_from_text(status);
}

/*
 * The status that a column has.  Compares in place, for the claim's sake;
 * copies only to complain.
 */
AccountStatus
awspool_status_from_text(Datum status)
{
	text	   *value = DatumGetTextPP(status);
	size_t		len = VARSIZE_ANY_EXHDR(value);

	for (size_t i = 0; i < lengthof(lifecycle); i++)
	{
		if (len == strlen(lifecycle[i].name) &&
			memcmp(VARDATA_ANY(value), lifecycle[i].name, len) == 0)
			return (AccountStatus) i;
	}
	return awspool_status_from_name(TextDatumGetCString(status));
}

/*
 * Raises WS001 unless an account may move from one status to the other.
 */
void
awspool_check_transition(const char *account_id,
						 AccountStatus from, AccountStatus to)
{
	StringInfoData allowed;

	if (lifecycle[from].next & MAY_BECOME(to))
		return;

	initStringInfo(&allowed);
	for (size_t next = 0; next < lengthof(lifecycle); next++)
	{
		if (lifecycle[from].next & MAY_BECOME(next))
			appendStringInfo(&allowed, "%s\"%s\"",
							 allowed.len > 0 ? " or " : "",
							 lifecycle[next].name);
	}

	ereport(ERROR,
			(errcode(ERRCODE_AWSPOOL_ILLEGAL_STATUS_CHANGE),
			 errmsg("cannot change account \"%s\" from \"%s\" to \"%s\"",
					account_id, lifecycle[from].name, lifecycle[to].name),
			 allowed.len > 0 ?
			 errdetail("An account that is \"%s\" may become %s.",
					   lifecycle[from].name, allowed.data) :
			 errdetail("An account that is \"%s\" stays so.",
					   lifecycle[from].name)));
}
