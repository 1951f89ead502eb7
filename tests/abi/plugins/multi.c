/* Two node types in one file, which stands under both names. */
#include "pawl/pawl_plugin.h"

static int begun;

static pawl_status init(const pawl_host *host)
{
	/* Once, however many names the file has. */
	return begun++ ? host->fail(NULL, PAWL_E_MISUSE, NULL, "initialised twice") : PAWL_OK;
}

static pawl_status start(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	(void)host;
	(void)node;
	(void)run;
	return PAWL_OK;
}

static const pawl_type first = {.size = sizeof(first), .keyword = "multi", .start = start};
static const pawl_type second = {.size = sizeof(second), .keyword = "other", .start = start};
static const pawl_type *const types[] = {&first, &second, NULL};

const pawl_plugin pawl_plugin_v1 = {
	PAWL_PLUGIN_HEAD, .id = "test.multi", .version = "1.0", .types = types, .init = init};
