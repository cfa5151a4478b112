/*-------------------------------------------------------------------------
 *
 * access.c
 *	  Who may act for a provider.
 *
 * Decided on every call, by the caller's effective role and the roles whose
 * privileges it has: superusers and the owner act for every provider, others
 * for those that awspool.provider_role names.  Never by an argument, which
 * only says for whom the caller wants to act, and never by a setting, which
 * the client can set.
 *
 * A grant holds the name and the oid of its role, and counts only while a
 * role has both.  So a role that was dropped, renamed or made anew under the
 * same name has nothing until it is granted again.  Within one cluster oids
 * say who somebody is; a dump, and a replica, carry names.  So a row that is
 * inserted gets the oid that its name has there, and a dump leaves out the
 * rows whose role is gone.
 *
 * Each session keeps the grants as it read them last, in the order of their
 * primary key, and reads them anew when they have changed: the trigger that
 * finds the oid also has the server tell every session that what it knows of
 * the table is out of date.  The server does so before whoever changed it is
 * told that they did, and we listen on every call.  So a revocation works at
 * once, also in transactions that began before it.  Who has waited for
 * somebody asks again afterwards (row.c, stock.c).
 *
 * Which of the grants a caller has is found for all of them at once, and kept
 * until grants or roles have changed.  So a call does the same work whatever
 * provider it names, one that has grants or one that has not: the server
 * counts, for everybody to see, what is read from a table, and from the
 * catalogs.  Behind a pooler callers take turns, so many of them are kept.
 *
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/sinval.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

PG_FUNCTION_INFO_V1(awspool_acts_for_all_sql);
PG_FUNCTION_INFO_V1(awspool_my_providers);
PG_FUNCTION_INFO_V1(awspool_grant_provider);
PG_FUNCTION_INFO_V1(awspool_revoke_provider);
PG_FUNCTION_INFO_V1(awspool_resolve_provider_role);

/* Columns of awspool.provider_role */
enum GrantColumn
{
	Anum_grant_provider = 1,
	Anum_grant_role,
	Anum_grant_role_oid,
	Natts_grant = Anum_grant_role_oid
};

static const char *const every_provider = "*";

/* A role may act for a provider. */
typedef struct Grant
{
	char	   *provider;
	char	   *role;
	Oid			role_oid;
} Grant;

/* awspool.provider: whose accounts are added where no provider is given */
char	   *awspool_provider_setting = NULL;

/* The providers that a role acts for, in alphabetical order. */
typedef struct RoleProviders
{
	Oid			role;			/* the key; first */
	int			n;
	const char **providers;		/* "*" may be one of them */
} RoleProviders;

/* So many of these are kept, at most; then all are forgotten. */
#define MAX_KEPT_PROVIDERS	(1 << 18)

/*
 * The grants as they were read last, after so many changes of the table, in
 * the order of the oids of their roles.
 */
static WatchedTable grants_table = {0};
static MemoryContext kept_context = NULL;
static Grant *kept_grants = NULL;
static int	nkept_grants = 0;
static uint64 kept_changes = 0;

/*
 * What the roles that called have of these grants, found after so many changes
 * of roles, in memory that belongs to kept_context; and the caller's.
 */
static MemoryContext callers_context = NULL;
static HTAB *callers = NULL;
static int	nkept_providers = 0;
static uint64 callers_changes = 0;
static const RoleProviders *own = NULL;

/* How often we heard that roles, or who is a member of them, have changed. */
static uint64 role_changes = 0;

/* Who was last found to act for which provider, having heard so much. */
static struct
{
	uint64		heard;
	Oid			role;
	char		provider[AWSPOOL_NAME_BYTES + 1];
}			last_yes;

static void define_setting(void);
static uint64 heard(void);
static bool is_owner(void);
static bool granted(const char *provider);
static bool is_granted(const char *provider);
static void refresh_grants(void);
static void read_grants(void);
static int	compare_roles(const void *a, const void *b);
static void forget_callers(void);
static const RoleProviders *find_providers(Oid role);
static int	collect_providers(Oid role, const char **providers);
static void on_role_change(Datum arg, int cacheid, uint32 hashvalue);
static void check_owner(void);
static void change_grant(FunctionCallInfo fcinfo, OwnerQuery *query,
						 bool role_may_be_gone);

void
awspool_init_access(void)
{
	define_setting();

	/* What has_privs_of_role() depends on. */
	CacheRegisterSyscacheCallback(AUTHOID, on_role_change, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHMEMROLEMEM, on_role_change, (Datum) 0);
	CacheRegisterSyscacheCallback(DATABASEOID, on_role_change, (Datum) 0);
}

/*
 * awspool.acts_for_all()
 *
 * Whether the caller may act for every provider.
 */
Datum
awspool_acts_for_all_sql(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(awspool_acts_for_all());
}

/*
 * awspool.my_providers()
 *
 * The providers granted to the caller by name, in alphabetical order.
 */
Datum
awspool_my_providers(PG_FUNCTION_ARGS)
{
	List	   *providers = awspool_granted_providers();
	Datum	   *values = palloc(Max(list_length(providers), 1) * sizeof(Datum));
	int			n = 0;
	ListCell   *cell;

	foreach(cell, providers)
		values[n++] = CStringGetTextDatum(lfirst(cell));
	PG_RETURN_ARRAYTYPE_P(construct_array(values, n, TEXTOID, -1, false,
										  TYPALIGN_INT));
}

/*
 * awspool.grant_provider(provider, role_name)
 *
 * Lets a role act for a provider, or for every one.  Granting again to a role
 * of the same name, made since, replaces the old grant.
 */
Datum
awspool_grant_provider(PG_FUNCTION_ARGS)
{
	/* The trigger finds the oid. */
	static OwnerQuery grant = {
		.sql = "INSERT INTO awspool.provider_role (provider, role, role_oid)"
		" VALUES ($1, $2, 0)"
		" ON CONFLICT (provider, role) DO UPDATE SET role_oid = 0",
		.nargs = 2,
		.argtypes = {TEXTOID, TEXTOID}
	};

	change_grant(fcinfo, &grant, false);
	PG_RETURN_VOID();
}

/*
 * awspool.revoke_provider(provider, role_name)
 *
 * The name is that which was granted; whether a role has it still is no
 * matter.
 */
Datum
awspool_revoke_provider(PG_FUNCTION_ARGS)
{
	static OwnerQuery revoke = {
		.sql = "DELETE FROM ONLY awspool.provider_role WHERE provider = $1 AND role = $2",
		.nargs = 2,
		.argtypes = {TEXTOID, TEXTOID}
	};

	change_grant(fcinfo, &revoke, true);
	PG_RETURN_VOID();
}

/*
 * Trigger of awspool.provider_role: the oid is that of the role which has the
 * name here and now; none, and no access, if no role has.  Once the change is
 * committed, every session reads the grants anew.
 */
Datum
awspool_resolve_provider_role(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = awspool_trigger_data(fcinfo, "provider_role",
												 BEFORE_ROW,
												 ON_INSERT | ON_UPDATE |
												 ON_DELETE);
	HeapTuple	tuple = TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event) ?
		trigdata->tg_newtuple : trigdata->tg_trigtuple;
	TupleDesc	desc = RelationGetDescr(trigdata->tg_relation);
	int			column = Anum_grant_role_oid;
	bool		isnull;
	Datum		role = heap_getattr(tuple, Anum_grant_role, desc, &isnull);
	Datum		oid;

	CacheInvalidateRelcache(trigdata->tg_relation);
	if (TRIGGER_FIRED_BY_DELETE(trigdata->tg_event) ||
		isnull)					/* NOT NULL will complain */
		return PointerGetDatum(tuple);

	oid = ObjectIdGetDatum(get_role_oid(TextDatumGetCString(role), true));
	return PointerGetDatum(heap_modify_tuple_by_cols(tuple, desc, 1, &column,
													 &oid, &isnull));
}

/*
 * Whether the caller may act for every provider.
 */
bool
awspool_acts_for_all(void)
{
	if (is_owner())
		return true;
	refresh_grants();
	return granted(every_provider);
}

/*
 * Whether the caller may act for the provider.
 */
bool
awspool_acts_for(const char *provider)
{
	if (is_owner())
		return true;
	refresh_grants();
	return granted(provider) || granted(every_provider);
}

/*
 * Raises 42501 unless the caller may act for the provider.  The answer is the
 * same whether such a provider exists or not.
 */
void
awspool_check_provider(const char *provider)
{
	uint64		before = heard();	/* what changes meanwhile counts again */

	if (!awspool_acts_for(provider))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for provider \"%s\"", provider)));
	last_yes.heard = before;
	last_yes.role = GetUserId();
	strlcpy(last_yes.provider, provider, sizeof(last_yes.provider));
}

/*
 * The same in the middle of a call that may have waited for somebody since it
 * asked, and at its end: whatever it did is undone by the error.  Costs next
 * to nothing as long as no role, and no relation, has changed since.
 */
void
awspool_check_provider_again(const char *provider)
{
	AcceptInvalidationMessages();
	if (last_yes.heard != heard() || last_yes.role != GetUserId() ||
		strcmp(last_yes.provider, provider) != 0)
		awspool_check_provider(provider);
}

/*
 * Raises 22023 unless the name has the form of a provider's.  One that was
 * granted under version 1.0 may not have it (account.c): it is no news to
 * those who act for it, and malformed to everybody else.
 */
void
awspool_check_provider_name(const char *provider)
{
	if (awspool_has_form(FIELD_PROVIDER, provider))
		return;
	if (provider == NULL || strcmp(provider, every_provider) == 0 ||
		!awspool_acts_for(provider) || !is_granted(provider))
		awspool_check_field(FIELD_PROVIDER, provider);
}

/*
 * Argument 0 as a provider that the caller may act for.  Raises 22023 if it
 * is malformed, 42501 if it is not the caller's.
 */
char *
awspool_provider_argument(FunctionCallInfo fcinfo)
{
	char	   *provider = awspool_text_argument(fcinfo, 0);

	awspool_check_provider_name(provider);
	awspool_check_provider(provider);
	return provider;
}

/*
 * The provider that a row names or, if that is NULL, the setting; NULL if
 * neither does.
 */
const char *
awspool_named_provider(const char *given)
{
	if (given == NULL && awspool_provider_setting != NULL &&
		awspool_provider_setting[0] != '\0')
		return awspool_provider_setting;
	return given;
}

/*
 * The provider that is meant where none is named: the caller's only one.
 */
char *
awspool_default_provider(void)
{
	List	   *providers = awspool_granted_providers();

	if (list_length(providers) != 1 || granted(every_provider))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("no provider given"),
				 errhint("Name it in the column \"provider\", or with SET awspool.provider.")));
	return linitial(providers);
}

/*
 * The providers that were granted to the caller by name, in alphabetical
 * order.
 */
List *
awspool_granted_providers(void)
{
	List	   *providers = NIL;

	refresh_grants();
	for (int i = 0; i < own->n; i++)
	{
		if (strcmp(own->providers[i], every_provider) != 0)
			providers = lappend(providers, pstrdup(own->providers[i]));
	}
	return providers;
}

/*
 * How often we heard that anything has changed on which an answer depends:
 * roles, the grants, who owns the tables.
 */
static uint64
heard(void)
{
	return role_changes + awspool_relation_changes();
}

/* Superusers have the privileges of everybody, so of the owner. */
static bool
is_owner(void)
{
	AcceptInvalidationMessages();
	return has_privs_of_role(GetUserId(), awspool_owner());
}

/*
 * Whether the provider, or "*", was granted to the caller, as the grants were
 * last refreshed.
 */
static bool
granted(const char *provider)
{
	return bsearch(&provider, own->providers, own->n, sizeof(const char *),
				   pg_qsort_strcmp) != NULL;
}

/*
 * Whether the provider was granted to anybody.
 */
static bool
is_granted(const char *provider)
{
	refresh_grants();
	for (int i = 0; i < nkept_grants; i++)
	{
		if (strcmp(kept_grants[i].provider, provider) == 0)
			return true;
	}
	return false;
}

/*
 * Makes sure that the grants are kept as they were when this was called, or
 * are later, and that "own" is what the caller has of them.
 */
static void
refresh_grants(void)
{
	uint64		before;

	AcceptInvalidationMessages();
	awspool_watch_table(&grants_table, awspool_relation("provider_role"));

	/* What changes while we read makes us read again next time. */
	before = grants_table.changes;
	if (kept_context == NULL || kept_changes != before)
	{
		read_grants();
		kept_changes = before;
	}

	before = role_changes;
	if (callers == NULL || callers_changes != before ||
		nkept_providers > MAX_KEPT_PROVIDERS)
	{
		forget_callers();
		callers_changes = before;
	}
	own = find_providers(GetUserId());
}

static void
read_grants(void)
{
	Relation	rel = table_open(grants_table.oid, AccessShareLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "awspool grants",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext caller_context;
	int			max = 16;
	int			n = 0;
	Grant	   *grants = MemoryContextAlloc(context, max * sizeof(Grant));
	SysScanDesc scan;
	HeapTuple	tuple;

	scan = systable_beginscan(rel, InvalidOid, false, snapshot, 0, NULL);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Datum		values[Natts_grant];
		bool		isnull[Natts_grant];

		if (n == max)
			grants = repalloc(grants, (max *= 2) * sizeof(Grant));
		awspool_first_columns(tuple, RelationGetDescr(rel), Natts_grant,
							  values, isnull);
		caller_context = MemoryContextSwitchTo(context);	/* not for the scan */
		grants[n].provider = TextDatumGetCString(values[Anum_grant_provider - 1]);
		grants[n].role = TextDatumGetCString(values[Anum_grant_role - 1]);
		grants[n++].role_oid = DatumGetObjectId(values[Anum_grant_role_oid - 1]);
		MemoryContextSwitchTo(caller_context);
	}
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(rel, AccessShareLock);
	qsort(grants, n, sizeof(Grant), compare_roles);

	MemoryContextSetParent(context, TopMemoryContext);
	if (kept_context != NULL)
		MemoryContextDelete(kept_context);
	kept_context = context;
	kept_grants = grants;
	nkept_grants = n;
	callers_context = NULL;		/* deleted with the other */
	callers = NULL;
	own = NULL;
}

static int
compare_roles(const void *a, const void *b)
{
	Oid			x = ((const Grant *) a)->role_oid;
	Oid			y = ((const Grant *) b)->role_oid;

	return (x > y) - (x < y);
}

static void
forget_callers(void)
{
	HASHCTL		info = {
		.keysize = sizeof(Oid),
		.entrysize = sizeof(RoleProviders)
	};

	callers = NULL;
	own = NULL;
	if (callers_context != NULL)
		MemoryContextDelete(callers_context);
	callers_context = AllocSetContextCreate(kept_context, "awspool callers",
											ALLOCSET_SMALL_SIZES);
	nkept_providers = 0;
	info.hcxt = callers_context;
	callers = hash_create("awspool callers", 64, &info,
						  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/*
 * The providers that a role acts for, as the grants and roles are kept.
 */
static const RoleProviders *
find_providers(Oid role)
{
	RoleProviders *found = hash_search(callers, &role, HASH_FIND, NULL);
	const char **providers;
	const char **kept;
	int			n;

	if (found != NULL)
		return found;

	providers = palloc(Max(nkept_grants, 1) * sizeof(const char *));
	n = collect_providers(role, providers);
	kept = MemoryContextAlloc(callers_context,
							  Max(n, 1) * sizeof(const char *));
	memcpy(kept, providers, n * sizeof(const char *));
	pfree(providers);

	/* Not before it is complete: what failed would stay. */
	found = hash_search(callers, &role, HASH_ENTER, NULL);
	found->providers = kept;
	found->n = n;
	nkept_providers += 1 + n;
	return found;
}

/*
 * Finds the providers that a role acts for, each once, in alphabetical order,
 * and returns how many there are.  The catalogs are asked for the name of a
 * role that was granted something only if the caller has its privileges.
 */
static int
collect_providers(Oid role, const char **providers)
{
	const char *name = NULL;
	int			n = 0;
	int			unique = 0;

	for (int i = 0; i < nkept_grants; i++)
	{
		const Grant *grant = &kept_grants[i];

		if (i == 0 || grant->role_oid != grant[-1].role_oid)
			name = has_privs_of_role(role, grant->role_oid) ?
				GetUserNameFromId(grant->role_oid, true) : NULL;
		if (name != NULL && strcmp(name, grant->role) == 0)
			providers[n++] = grant->provider;
	}

	qsort(providers, n, sizeof(const char *), pg_qsort_strcmp);
	for (int i = 0; i < n; i++)
	{
		if (i == 0 || strcmp(providers[i], providers[i - 1]) != 0)
			providers[unique++] = providers[i];
	}
	return unique;
}

static void
on_role_change(Datum arg, int cacheid, uint32 hashvalue)
{
	role_changes++;
}

static void
check_owner(void)
{
	if (!is_owner())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to change who may act for a provider"),
				 errdetail("Only the owner of extension \"awspool\" and superusers may.")));
}

/*
 * Grants or revokes: argument 0 is the provider, argument 1 the role.
 */
static void
change_grant(FunctionCallInfo fcinfo, OwnerQuery *query, bool role_may_be_gone)
{
	char	   *provider = awspool_text_argument(fcinfo, 0);
	char	   *role = awspool_text_argument(fcinfo, 1);
	Datum		values[2];
	Caller		caller;

	check_owner();
	if (provider == NULL || strcmp(provider, every_provider) != 0)
		awspool_check_provider_name(provider);
	if (role == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("role name must not be null")));
	(void) get_role_oid(role, role_may_be_gone);

	values[0] = CStringGetTextDatum(provider);
	values[1] = CStringGetTextDatum(role);
	awspool_begin_writing();
	awspool_begin_queries(&caller);
	if (awspool_query(query, values, NULL) == 0)
		awspool_confirm_change();
	awspool_end_queries(&caller);
	check_owner();				/* we may have waited for the same grant */
}

static void
define_setting(void)
{
	/* Chooses among the caller's providers; it never authorises anything. */
	DefineCustomStringVariable("awspool.provider",
							   "Provider of rows that are inserted into awspool.import without one.",
							   "It chooses among the providers that the role may act for; it gives no access.",
							   &awspool_provider_setting,
							   "",
							   PGC_USERSET,
							   0,
							   NULL, NULL, NULL);

	MarkGUCPrefixReserved("awspool");
}
