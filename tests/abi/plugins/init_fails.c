/* Can't start, and says why. */
#include "pawl/pawl_plugin.h"

static pawl_status refuse(const pawl_host *host)
{
	return host->fail(NULL, PAWL_E_SYSTEM, NULL, "there is no licence");
}
#define TINY_KEYWORD "init_fails"
#define TINY_INIT    refuse
#include "tiny.h"
