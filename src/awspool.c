/*-------------------------------------------------------------------------
 *
 * awspool.c
 *	  Loading the library: its setting and its callbacks.
 *
 * Nothing has to be preloaded.  The library is loaded into a session by the
 * first call of one of its functions.
 *
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

#include "utils/guc.h"

PG_MODULE_MAGIC;

/* awspool.provider: whose accounts an import without a provider column adds */
char	   *awspool_provider_setting = NULL;

static void define_settings(void);

void		_PG_init(void);

void
_PG_init(void)
{
	define_settings();
	awspool_init_durability();
	awspool_init_constraints();
	awspool_init_access();
	awspool_init_import();
	awspool_init_head();
}

static void
define_settings(void)
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
