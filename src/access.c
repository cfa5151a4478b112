/*-------------------------------------------------------------------------
 *
 * access.c
 *	  Who may act for a provider, and who may look at it.
 *
 * Decided on every call, by the caller's effective role and the roles whose
 * privileges it has: superusers and the owner act for every provider, others
 * for those that awspool.provider_role names.  Never by an argument, which
 * only says for whom the caller wants to act, and never by a setting, which
 * the client can set.
 *
 * There are two questions, and whoever asks has to know which is theirs:
 *
 * - may the caller act for the provider?  Everything that changes anything
 *	 asks that, and is told in the same place if nobody may now (state.c).
 *
 * - may the caller look at it?  Who may act may, and who has a grant in
 *	 awspool.provider_viewer, which gives nothing else.  Everything that only
 *	 reads asks that.
 *
 * The two kinds of grants are in tables of their own, and kept apart here: a
 * session that has an older library knows the first only, and must not take a
 * viewer's grant for more than it is.
 *
 * A grant holds the name and the oid of its role, and counts only while a
 * role has both.  So a role that was dropped, renamed or made anew under the
 * same name has nothing until it is granted again.  Within one cluster oids
 * say who somebody is; a dump, and a replica, carry names.  So a row that is
 * inserted gets the oid that its name has there, and a dump leaves out the
 * rows whose role is gone.
 *
 * Each session keeps the grants as it read them last, and reads them anew when
 * they have changed: the trigger that finds the oid also has the server tell
 * every session that what it knows of the table is out of date.  The server
 * does so before whoever changed it is told that they did, and we listen on
 * every call.  So a revocation works at once, also in transactions that began
 * before it.  Who has waited for somebody asks again afterwards (row.c,
 * stock.c), for an index as for a table; and who reads the rows of all whom the
 * caller may see, reads them again if those are others by then (Sight).  Each
 * reading asks for itself: a statement that reads two things, and waits for the
 * second, keeps of the first what could be seen before.
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
PG_FUNCTION_INFO_V1(awspool_grant_viewer);
PG_FUNCTION_INFO_V1(awspool_revoke_viewer);
PG_FUNCTION_INFO_V1(awspool_resolve_provider_role);

/* Columns of awspool.provider_role, and of awspool.provider_viewer */
enum GrantColumn
{
	Anum_grant_provider = 1,
	Anum_grant_role,
	Anum_grant_role_oid,
	Natts_grant = Anum_grant_role_oid
};

static const char *const every_provider = "*";

/* A role may act for a provider, or look at it. */
typedef struct Grant
{
	char	   *provider;
	char	   *role;
	Oid			role_oid;
} Grant;

/* awspool.provider: whose accounts are added where no provider is given */
char	   *awspool_provider_setting = NULL;

/* The providers that were granted to a role, in alphabetical order. */
typedef struct RoleProviders
{
	Oid			role;			/* the key; first */
	int			n;
	const char **providers;		/* "*" may be one of them */
} RoleProviders;

/* So many of these are kept of a table, at most; then all are forgotten. */
#define MAX_KEPT_PROVIDERS	(1 << 18)

/*
 * A table of grants, and what the session keeps of it.
 */
typedef struct GrantTable
{
	const char *name;
	WatchedTable watched;

	/*
	 * The grants as they were read last, after so many changes of the table,
	 * in the order of the oids of their roles.
	 */
	MemoryContext context;		/* NULL: never read */
	Grant	   *grants;
	int			ngrants;
	uint64		changes;

	/*
	 * What the roles that called have of these grants, found after so many
	 * changes of roles, in memory that belongs to "context"; and the caller's.
	 */
	MemoryContext callers_context;
	HTAB	   *callers;
	int			nproviders;
	uint64		role_changes;
	const RoleProviders *own;
} GrantTable;

static GrantTable acting = {.name = "provider_role"};
static GrantTable looking = {.name = "provider_viewer"};

/* How often we heard that roles, or who is a member of them, have changed. */
static uint64 role_changes = 0;

/* Who was last found to have a right to a provider, having heard so much. */
typedef struct LastYes
{
	uint64		heard;
	Oid			role;
	char		provider[AWSPOOL_NAME_BYTES + 1];
} LastYes;

static LastYes acted;
static LastYes looked;

static void define_setting(void);
static uint64 heard(void);
static bool is_owner(void);
static bool may_look(const char *provider);
static bool may_look_at_any(void);
static void note_yes(LastYes *yes, uint64 before, const char *provider);
static bool still_yes(const LastYes *yes, const char *provider);
static bool granted(const GrantTable *table, const char *provider);
static bool is_granted(GrantTable *table, const char *provider);
static bool is_known(const char *provider);
static List *append_named(List *providers, const GrantTable *table);
static int	compare_names(const ListCell *a, const ListCell *b);
static bool equal_names(const List *a, const List *b);
static void refresh_grants(GrantTable *table);
static void read_grants(GrantTable *table);
static int	compare_roles(const void *a, const void *b);
static void forget_callers(GrantTable *table);
static const RoleProviders *find_providers(GrantTable *table, Oid role);
static int	collect_providers(const GrantTable *table, Oid role,
							  const char **providers);
static void on_role_change(Datum arg, int cacheid, uint32 hashvalue);
static void check_granter(const GrantTable *table);
static void change_grant(FunctionCallInfo fcinfo, const GrantTable *table,
						 OwnerQuery *query, bool role_may_be_gone);

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
	PG_RETURN_DATUM(awspool_name_array(awspool_granted_providers()));
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

	change_grant(fcinfo, &acting, &grant, false);
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

	change_grant(fcinfo, &acting, &revoke, true);
	PG_RETURN_VOID();
}

/*
 * awspool.grant_viewer(provider, role_name)
 *
 * Lets a role look at a provider, or at every one, and change nothing.
 */
Datum
awspool_grant_viewer(PG_FUNCTION_ARGS)
{
	static OwnerQuery grant = {
		.sql = "INSERT INTO awspool.provider_viewer (provider, role, role_oid)"
		" VALUES ($1, $2, 0)"
		" ON CONFLICT (provider, role) DO UPDATE SET role_oid = 0",
		.nargs = 2,
		.argtypes = {TEXTOID, TEXTOID}
	};

	change_grant(fcinfo, &looking, &grant, false);
	PG_RETURN_VOID();
}

/*
 * awspool.revoke_viewer(provider, role_name)
 *
 * What grant_provider gave the same role stays, and lets it look.
 */
Datum
awspool_revoke_viewer(PG_FUNCTION_ARGS)
{
	static OwnerQuery revoke = {
		.sql = "DELETE FROM ONLY awspool.provider_viewer WHERE provider = $1 AND role = $2",
		.nargs = 2,
		.argtypes = {TEXTOID, TEXTOID}
	};

	change_grant(fcinfo, &looking, &revoke, true);
	PG_RETURN_VOID();
}

/*
 * Trigger of awspool.provider_role and awspool.provider_viewer: the oid is
 * that of the role which has the name here and now; none, and no access, if no
 * role has.  Once the change is committed, every session reads the grants
 * anew.
 */
Datum
awspool_resolve_provider_role(PG_FUNCTION_ARGS)
{
	bool		is_viewer = CALLED_AS_TRIGGER(fcinfo) &&
		strcmp(RelationGetRelationName(((TriggerData *) fcinfo->context)->tg_relation),
			   looking.name) == 0;
	TriggerData *trigdata =
		awspool_trigger_data(fcinfo, is_viewer ? looking.name : acting.name,
							 BEFORE_ROW, ON_INSERT | ON_UPDATE | ON_DELETE);
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
	refresh_grants(&acting);
	return granted(&acting, every_provider);
}

/*
 * Whether the caller may act for the provider.
 */
bool
awspool_acts_for(const char *provider)
{
	if (is_owner())
		return true;
	refresh_grants(&acting);
	return granted(&acting, provider) || granted(&acting, every_provider);
}

/*
 * Whether the caller may see every provider: act for it, or look at it.
 */
bool
awspool_sees_all(void)
{
	return awspool_acts_for_all() || may_look(every_provider);
}

/*
 * Whether the caller may see the provider.
 */
bool
awspool_sees(const char *provider)
{
	return awspool_acts_for(provider) || may_look(provider);
}

/*
 * Raises 42501 unless the caller is the owner or a superuser, who may do what
 * is said.
 */
void
awspool_check_owner(const char *what)
{
	if (!is_owner())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to %s", what),
				 errdetail("Only the owner of extension \"awspool\" and superusers may.")));
}

/*
 * Raises 42501 unless the caller may act for the provider, and WS008 if it is
 * frozen or away (state.c).  The answer is the same whether such a provider
 * exists or not.
 */
void
awspool_check_provider(const char *provider)
{
	uint64		before = heard();	/* what changes meanwhile counts again */

	if (!awspool_acts_for(provider))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for provider \"%s\"", provider),
				 may_look(provider) ?
				 errdetail("The role may look at the provider, and change nothing.") : 0));
	awspool_check_not_frozen(provider, false);
	note_yes(&acted, before, provider);
}

/*
 * The same in the middle of a call that may have waited for somebody since it
 * asked, and at its end: whatever it did is undone by the error.  Costs next
 * to nothing as long as no role, and no relation, has changed since.
 */
void
awspool_check_provider_again(const char *provider)
{
	if (!still_yes(&acted, provider))
		awspool_check_provider(provider);
}

/*
 * Raises 42501 unless the caller may see the provider.
 */
void
awspool_check_visible(const char *provider)
{
	uint64		before = heard();

	if (!awspool_sees(provider))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for provider \"%s\"", provider)));
	note_yes(&looked, before, provider);
}

/*
 * The same for who may have waited since.
 */
void
awspool_check_visible_again(const char *provider)
{
	if (!still_yes(&looked, provider))
		awspool_check_visible(provider);
}

/*
 * Raises 22023 unless the name has the form of a provider's.  One that is here
 * since version 1.0 may not have it (account.c): it is no news to those who
 * see it, and malformed to everybody else.
 */
void
awspool_check_provider_name(const char *provider)
{
	if (awspool_has_form(FIELD_PROVIDER, provider))
		return;
	if (provider == NULL || strcmp(provider, every_provider) == 0 ||
		!awspool_sees(provider) || !is_known(provider))
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
 * The same as a provider that the caller may see.
 */
char *
awspool_visible_provider_argument(FunctionCallInfo fcinfo)
{
	char	   *provider = awspool_text_argument(fcinfo, 0);

	awspool_check_provider_name(provider);
	awspool_check_visible(provider);
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
 * The provider that is meant where none is named, for who wants to add to it:
 * the only one that the caller acts for.
 */
char *
awspool_default_provider(void)
{
	List	   *providers = awspool_granted_providers();

	if (providers == NIL && !awspool_acts_for_all() && may_look_at_any())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to add accounts"),
				 errdetail("The role may look at providers, and act for none.")));
	if (list_length(providers) != 1 || granted(&acting, every_provider))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("no provider given"),
				 errhint("Name it in the column \"provider\", or with SET awspool.provider.")));
	return linitial(providers);
}

/*
 * The providers for which the caller may act since they were granted by name,
 * in alphabetical order.
 */
List *
awspool_granted_providers(void)
{
	refresh_grants(&acting);
	return append_named(NIL, &acting);
}

/*
 * The providers that the caller may see since they were granted by name, to
 * act for or to look at, each once, in alphabetical order.
 */
List *
awspool_visible_providers(void)
{
	List	   *providers = awspool_granted_providers();
	int			n = list_length(providers);

	refresh_grants(&looking);
	providers = append_named(providers, &looking);
	if (n == 0 || n == list_length(providers))
		return providers;
	list_sort(providers, compare_names);
	for (int i = list_length(providers) - 1; i > 0; i--)
	{
		if (compare_names(list_nth_cell(providers, i),
						  list_nth_cell(providers, i - 1)) == 0)
			providers = list_delete_nth_cell(providers, i);
	}
	return providers;
}

/*
 * Finds whom the caller may see, for who is about to read what is of them.
 */
void
awspool_begin_sight(Sight *sight)
{
	AcceptInvalidationMessages();
	sight->heard = heard();		/* what changes meanwhile counts again */
	sight->all = awspool_sees_all();
	sight->providers = awspool_visible_providers();
}

/*
 * Whether anything has changed since on which that may depend.
 */
bool
awspool_sight_is_old(const Sight *sight)
{
	AcceptInvalidationMessages();
	return sight->heard != heard();
}

/*
 * Whether that has changed since: whoever read may have waited for a table or
 * an index, and has to read again what the caller may see by now.
 */
bool
awspool_sight_changed(Sight *sight)
{
	Sight		before = *sight;

	if (!awspool_sight_is_old(sight))
		return false;
	awspool_begin_sight(sight);
	return sight->all != before.all ||
		!equal_names(sight->providers, before.providers);
}

/*
 * Puts the rows of a query into a result: of "all" if the caller may see
 * everybody, otherwise of "some", whose argument is the names of those whom it
 * may see.
 */
void
awspool_put_visible(ReturnSetInfo *rsinfo, OwnerQuery *all, OwnerQuery *some)
{
	Sight		sight;

	awspool_begin_sight(&sight);
	do
	{
		Datum		providers = awspool_name_array(sight.providers);
		Caller		caller;
		uint64		n;

		tuplestore_clear(rsinfo->setResult);
		awspool_begin_queries(&caller);
		n = awspool_query(sight.all ? all : some, &providers, NULL);
		for (uint64 i = 0; i < n; i++)
			tuplestore_puttuple(rsinfo->setResult, SPI_tuptable->vals[i]);
		awspool_end_queries(&caller);
	} while (awspool_sight_changed(&sight));
}

/*
 * A list of names as an array of SQL's.
 */
Datum
awspool_name_array(List *names)
{
	Datum	   *values = palloc(Max(list_length(names), 1) * sizeof(Datum));
	int			n = 0;
	ListCell   *cell;

	foreach(cell, names)
		values[n++] = CStringGetTextDatum(lfirst(cell));
	return PointerGetDatum(construct_array(values, n, TEXTOID, -1, false,
										   TYPALIGN_INT));
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
 * Whether the caller may look at the provider, or at all, without acting for
 * it: who may act is not asked here.
 */
static bool
may_look(const char *provider)
{
	refresh_grants(&looking);
	return granted(&looking, provider) || granted(&looking, every_provider);
}

/* Whether the caller may look at anything. */
static bool
may_look_at_any(void)
{
	refresh_grants(&looking);
	return looking.own->n > 0;
}

/* Notes a right that was found when we had heard that much. */
static void
note_yes(LastYes *yes, uint64 before, const char *provider)
{
	yes->heard = before;
	yes->role = GetUserId();
	strlcpy(yes->provider, provider, sizeof(yes->provider));
}

/* Whether nothing has changed since the caller was found to have the right. */
static bool
still_yes(const LastYes *yes, const char *provider)
{
	AcceptInvalidationMessages();
	return yes->heard == heard() && yes->role == GetUserId() &&
		strcmp(yes->provider, provider) == 0;
}

/*
 * Whether the provider, or "*", was granted to the caller, as the grants were
 * last refreshed.
 */
static bool
granted(const GrantTable *table, const char *provider)
{
	const RoleProviders *own = table->own;

	return own->n > 0 &&
		bsearch(&provider, own->providers, own->n, sizeof(const char *),
				pg_qsort_strcmp) != NULL;
}

/*
 * Whether the provider was granted to anybody.
 */
static bool
is_granted(GrantTable *table, const char *provider)
{
	refresh_grants(table);
	for (int i = 0; i < table->ngrants; i++)
	{
		if (strcmp(table->grants[i].provider, provider) == 0)
			return true;
	}
	return false;
}

/*
 * Whether there is such a provider: it was granted to anybody, or has accounts
 * or a log.  Who may act for all needs no grant to have stored them.
 */
static bool
is_known(const char *provider)
{
	Datum		key = CStringGetTextDatum(provider);

	return is_granted(&acting, provider) || is_granted(&looking, provider) ||
		awspool_has_row("account", "account_provider", 1, &key, NULL) ||
		awspool_has_row("account_log", "account_log_account", 1, &key, NULL);
}

/* Appends what was granted to the caller by name, as last refreshed. */
static List *
append_named(List *providers, const GrantTable *table)
{
	for (int i = 0; i < table->own->n; i++)
	{
		if (strcmp(table->own->providers[i], every_provider) != 0)
			providers = lappend(providers, pstrdup(table->own->providers[i]));
	}
	return providers;
}

static int
compare_names(const ListCell *a, const ListCell *b)
{
	return strcmp(lfirst(a), lfirst(b));
}

/* Whether two lists of names are the same. */
static bool
equal_names(const List *a, const List *b)
{
	const ListCell *x;
	const ListCell *y;

	if (list_length(a) != list_length(b))
		return false;
	forboth(x, a, y, b)
	{
		if (compare_names(x, y) != 0)
			return false;
	}
	return true;
}

/*
 * Makes sure that the grants are kept as they were when this was called, or
 * are later, and that "own" is what the caller has of them.  Under the script
 * of version 1.0 nobody is a viewer.
 */
static void
refresh_grants(GrantTable *table)
{
	static const RoleProviders nothing = {.n = 0};
	uint64		before;
	Oid			oid;

	AcceptInvalidationMessages();
	oid = table == &looking ? awspool_find_relation(table->name) :
		awspool_relation(table->name);
	if (!OidIsValid(oid))
	{
		table->own = &nothing;
		return;
	}
	awspool_watch_table(&table->watched, oid);

	/* What changes while we read makes us read again next time. */
	before = table->watched.changes;
	if (table->context == NULL || table->changes != before)
	{
		read_grants(table);
		table->changes = before;
	}

	before = role_changes;
	if (table->callers == NULL || table->role_changes != before ||
		table->nproviders > MAX_KEPT_PROVIDERS)
	{
		forget_callers(table);
		table->role_changes = before;
	}
	table->own = find_providers(table, GetUserId());
}

static void
read_grants(GrantTable *table)
{
	Relation	rel = table_open(table->watched.oid, AccessShareLock);
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
	if (table->context != NULL)
		MemoryContextDelete(table->context);
	table->context = context;
	table->grants = grants;
	table->ngrants = n;
	table->callers_context = NULL;	/* deleted with the other */
	table->callers = NULL;
	table->own = NULL;
}

static int
compare_roles(const void *a, const void *b)
{
	Oid			x = ((const Grant *) a)->role_oid;
	Oid			y = ((const Grant *) b)->role_oid;

	return (x > y) - (x < y);
}

static void
forget_callers(GrantTable *table)
{
	HASHCTL		info = {
		.keysize = sizeof(Oid),
		.entrysize = sizeof(RoleProviders)
	};

	table->callers = NULL;
	table->own = NULL;
	if (table->callers_context != NULL)
		MemoryContextDelete(table->callers_context);
	table->callers_context = AllocSetContextCreate(table->context,
												   "awspool callers",
												   ALLOCSET_SMALL_SIZES);
	table->nproviders = 0;
	info.hcxt = table->callers_context;
	table->callers = hash_create("awspool callers", 64, &info,
								 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/*
 * The providers that were granted to a role, as the grants and roles are kept.
 */
static const RoleProviders *
find_providers(GrantTable *table, Oid role)
{
	RoleProviders *found = hash_search(table->callers, &role, HASH_FIND, NULL);
	const char **providers;
	const char **kept;
	int			n;

	if (found != NULL)
		return found;

	providers = palloc(Max(table->ngrants, 1) * sizeof(const char *));
	n = collect_providers(table, role, providers);
	kept = MemoryContextAlloc(table->callers_context,
							  Max(n, 1) * sizeof(const char *));
	memcpy(kept, providers, n * sizeof(const char *));
	pfree(providers);

	/* Not before it is complete: what failed would stay. */
	found = hash_search(table->callers, &role, HASH_ENTER, NULL);
	found->providers = kept;
	found->n = n;
	table->nproviders += 1 + n;
	return found;
}

/*
 * Finds the providers that were granted to a role, each once, in alphabetical
 * order, and returns how many there are.  The catalogs are asked for the name
 * of a role that was granted something only if the caller has its privileges.
 */
static int
collect_providers(const GrantTable *table, Oid role, const char **providers)
{
	const char *name = NULL;
	int			n = 0;
	int			unique = 0;

	for (int i = 0; i < table->ngrants; i++)
	{
		const Grant *grant = &table->grants[i];

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
check_granter(const GrantTable *table)
{
	awspool_check_owner(table == &looking ?
						"change who may look at a provider" :
						"change who may act for a provider");
}

/*
 * Grants or revokes: argument 0 is the provider, argument 1 the role.
 */
static void
change_grant(FunctionCallInfo fcinfo, const GrantTable *table,
			 OwnerQuery *query, bool role_may_be_gone)
{
	char	   *provider = awspool_text_argument(fcinfo, 0);
	char	   *role = awspool_text_argument(fcinfo, 1);
	Datum		values[2];
	Caller		caller;

	check_granter(table);
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
	check_granter(table);		/* we may have waited for the same grant */
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
