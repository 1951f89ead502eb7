/* tiny: a whole plugin from macros, so that each test plugin shows only what is odd about it. */
#include "pawl/pawl_plugin.h"

#ifndef TINY_KEYWORD
#error "a tiny plugin says TINY_KEYWORD first"
#endif
#ifndef TINY_MAGIC
#define TINY_MAGIC PAWL_MAGIC
#endif
#ifndef TINY_ABI
#define TINY_ABI PAWL_ABI(1, 0)
#endif
#ifndef TINY_MUST
#define TINY_MUST 0
#endif
#ifndef TINY_SIZE
#define TINY_SIZE sizeof(pawl_plugin)
#endif
#ifndef TINY_TYPE_SIZE
#define TINY_TYPE_SIZE sizeof(pawl_type)
#endif
#ifndef TINY_ID
#define TINY_ID "test." TINY_KEYWORD
#endif
#ifndef TINY_SCHEMA
#define TINY_SCHEMA NULL
#endif
#ifndef TINY_INIT
#define TINY_INIT NULL
#endif
#ifndef TINY_START
static pawl_status tiny_start(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	(void)host;
	(void)node;
	(void)run;
	return PAWL_OK;
}
#define TINY_START tiny_start
#endif

static const pawl_type tiny_type = {
	.size = (uint32_t)TINY_TYPE_SIZE,
	.keyword = TINY_KEYWORD,
	.summary = "a test",
	.schema = TINY_SCHEMA,
	.start = TINY_START,
};

static const pawl_type *const tiny_types[] = {&tiny_type, NULL};

const pawl_plugin pawl_plugin_v1 = {
	.magic = TINY_MAGIC,
	.size = (uint32_t)TINY_SIZE,
	.abi = TINY_ABI,
	.must = TINY_MUST,
	.id = TINY_ID,
	.version = "1.0",
	.types = tiny_types,
	.init = TINY_INIT,
};
