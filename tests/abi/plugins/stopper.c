/* stopper: has a cancel() of its own: `polite` finishes when told to, `deaf` never does. */
#include "pawl/pawl_plugin.h"

#include <string.h>

static void nothing(const pawl_host *host, pawl_run *run, void *user)
{
	(void)user;
	host->timer(run, 1000, nothing, NULL);
}

static pawl_status start(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	(void)node;
	host->timer(run, 1000, nothing, NULL);
	return PAWL_PENDING;
}

static void cancel(const pawl_host *host, pawl_run *run, int32_t reason)
{
	pawl_str mode;
	if (host->cancelled(run) != reason)
		return;
	host->field_raw(host->node_of(run), "stopper", &mode);
	host->output(run, PAWL_STDOUT, (pawl_str){"tidying\n", 8});
	if (strcmp(mode.ptr, "polite") == 0)
		host->finish(run, PAWL_E_CANCELLED);
}

static const pawl_type type = {
	.size = sizeof(type),
	.caps = PAWL_CAP_CANCEL,
	.keyword = "stopper",
	.start = start,
	.cancel = cancel,
};

static const pawl_type *const types[] = {&type, NULL};

const pawl_plugin pawl_plugin_v1 = {
	PAWL_PLUGIN_HEAD, .id = "test.stopper", .version = "1.0", .types = types};
