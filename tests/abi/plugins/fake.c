/* fake: a node type that starts "fake TEXT OF ITS FIELD" and leaves the rest to the host: for the engine's tests, whose world
 * reads that text as a script of how the child goes and starts nothing. */
#include "pawl/pawl_plugin.h"

static pawl_status fake_key(const pawl_host *host, pawl_node *node, pawl_hash *key)
{
	pawl_str text;
	pawl_status status = host->field(node, "fake", &text);
	if (status == PAWL_OK)
		host->hash_text(key, "body", text);
	return status;
}

static pawl_status fake_start(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	pawl_str text;
	pawl_status status = host->field(node, "fake", &text);
	if (status != PAWL_OK)
		return status;
	const char *const argv[] = {"fake", text.ptr, NULL};
	pawl_spawn spec = {.size = sizeof(spec), .argv = argv, .input = {"", 0}};
	status = host->spawn(run, &spec, NULL);
	return status == PAWL_OK ? PAWL_PENDING : status;
}

static const pawl_type fake_type = {
	.size = sizeof(fake_type),
	.cacheable = PAWL_CACHE_ALWAYS,
	.keyword = "fake",
	.summary = "a child that is only played",
	.cache_key = fake_key,
	.start = fake_start,
};

static const pawl_type *const fake_types[] = {&fake_type, NULL};

const pawl_plugin pawl_plugin_v1 = {
	PAWL_PLUGIN_HEAD, .id = "test.fake", .version = "1.0", .types = fake_types};
