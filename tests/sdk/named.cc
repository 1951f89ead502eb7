// A plugin in C++20, where members have names as in C.
#include <pawl/pawl_plugin.h>

static pawl_status start(const pawl_host *host, pawl_node *, pawl_run *run)
{
	if (PAWL_HAS(host, progress))
		host->progress(run, 1, "done");
	return PAWL_OK;
}

static const pawl_type type = {
	.size = sizeof(pawl_type),
	.caps = 0,
	.cacheable = PAWL_CACHE_NEVER,
	.cache_epoch = 0,
	.keyword = "named",
	.summary = "a test",
	.schema = nullptr,
	.validate = nullptr,
	.cache_key = nullptr,
	.start = start,
	.cancel = nullptr,
	.extension = nullptr,
};
static const pawl_type *const types[] = {&type, nullptr};

const pawl_plugin pawl_plugin_v1 = {PAWL_PLUGIN_HEAD,
	.id = "test.named",
	.version = "1",
	.url = nullptr,
	.types = types,
	.init = nullptr,
	.fini = nullptr};
