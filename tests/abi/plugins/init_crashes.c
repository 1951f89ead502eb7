/* Crashes before it has done anything. */
#include "pawl/pawl_plugin.h"

__attribute__((no_sanitize("undefined"))) static pawl_status crash(const pawl_host *host)
{
	volatile int *nowhere = (volatile int *)(uintptr_t)(host->size > 100000);
	*nowhere = 1;
	return PAWL_OK;
}
#define TINY_KEYWORD "init_crashes"
#define TINY_INIT    crash
#include "tiny.h"
