/*
 * The server tells Valgrind which bytes of its memory may be touched, if it
 * was built with USE_VALGRIND.  Here it tells AddressSanitizer, which does not
 * see the single allocations in a memory context otherwise.
 */
#include <sanitizer/asan_interface.h>

#define VALGRIND_MAKE_MEM_NOACCESS(addr, size) \
	__asan_poison_memory_region(addr, size)
#define VALGRIND_MAKE_MEM_DEFINED(addr, size) \
	__asan_unpoison_memory_region(addr, size)
#define VALGRIND_MAKE_MEM_UNDEFINED(addr, size) \
	__asan_unpoison_memory_region(addr, size)
#define VALGRIND_MEMPOOL_ALLOC(context, addr, size) \
	__asan_unpoison_memory_region(addr, size)
#define VALGRIND_MEMPOOL_CHANGE(context, old, new, size) \
	__asan_unpoison_memory_region(new, size)

/* The callers say all that matters with the calls above. */
#define VALGRIND_CHECK_MEM_IS_DEFINED(addr, size)			((void) 0)
#define VALGRIND_CREATE_MEMPOOL(context, redzones, zeroed)	((void) 0)
#define VALGRIND_DESTROY_MEMPOOL(context)					((void) 0)
#define VALGRIND_MEMPOOL_FREE(context, addr)				((void) 0)
