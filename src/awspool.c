/*-------------------------------------------------------------------------
 *
 * awspool.c
 *	  Loading the library.
 *
 * Nothing has to be preloaded.  The library is loaded into a session by the
 * first call of one of its functions.
 *
 *-------------------------------------------------------------------------
 */
#include "awspool.h"

AWSPOOL_MODULE_MAGIC;

void		_PG_init(void);

void
_PG_init(void)
{
	awspool_init_durability();
	awspool_init_relations();
	awspool_init_constraints();
	awspool_init_access();
	awspool_init_tally();
	awspool_init_import();
	awspool_init_arrivals();
	awspool_init_pool();
	awspool_init_head();
	awspool_init_read_plan();
}
