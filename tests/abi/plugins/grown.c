/* Built with an SDK of the future that still asks for 1.0: its structs are longer than this host's, and the bytes are there. */
#include "pawl/pawl_plugin.h"

static pawl_status start(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	(void)host;
	(void)node;
	(void)run;
	return PAWL_OK;
}

struct grown_type {
	pawl_type now;
	const void *later[4];
};

static const struct grown_type type = {
	.now = {.size = sizeof(struct grown_type),
		.keyword = "grown",
		.summary = "a test",
		.start = start},
	.later = {&type, &type, &type, &type},
};

static const pawl_type *const types[] = {&type.now, NULL};

struct grown_plugin {
	pawl_plugin now;
	const void *later[4];
};

/* By the name of the one that the header declares, which is shorter. */
extern const struct grown_plugin grown __asm__("pawl_plugin_v1")
	__attribute__((visibility("default")));
const struct grown_plugin grown = {
	.now = {.magic = PAWL_MAGIC,
		.size = sizeof(struct grown_plugin),
		.abi = PAWL_ABI(1, 0),
		.id = "test.grown",
		.version = "1.0",
		.types = types},
	.later = {types, types, types, types},
};
