/* For tests of what happens while a run decides: making the key of a `meddle` node runs ./meddle.sh, where there is one. */
#include "pawl/pawl_plugin.h"

#include <stdlib.h>
#include <unistd.h>

#ifndef MEDDLE_KEYWORD
#define MEDDLE_KEYWORD "meddle"
#define MEDDLE_CAPS    (1u << 4) /* PAWL_CAP_KEY_STABLE, newer than this header */
#endif

static pawl_status cache_key(const pawl_host *host, pawl_node *node, pawl_hash *hash)
{
	(void)node;
	host->hash_u64(hash, "meddle", 1);
	if (access("meddle.sh", F_OK) == 0 && system("exec sh ./meddle.sh") != 0)
		return PAWL_E_SYSTEM;
	return PAWL_OK;
}

static pawl_status start(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	(void)host;
	(void)node;
	(void)run;
	return PAWL_OK;
}

static const pawl_type type = {.size = sizeof(type),
	.keyword = MEDDLE_KEYWORD,
	.summary = "a test",
	.caps = PAWL_CAP_PROVABLE | MEDDLE_CAPS,
	.cacheable = PAWL_CACHE_ALWAYS,
	.cache_key = cache_key,
	.start = start};
static const pawl_type *const types[] = {&type, NULL};

const pawl_plugin pawl_plugin_v1 = {
	PAWL_PLUGIN_HEAD, .id = "test." MEDDLE_KEYWORD, .version = "1.0", .types = types};
