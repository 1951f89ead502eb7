/* status: ends with the status that its field `status` names, in the call that `in` names. */
#include "pawl/pawl_plugin.h"

#include <string.h>

static const struct {
	const char *name;
	pawl_status status;
} statuses[] = {
	{"pending", PAWL_PENDING},
	{"uncacheable", PAWL_UNCACHEABLE},
	{"config", PAWL_E_CONFIG},
	{"failed", PAWL_E_FAILED},
	{"transient", PAWL_E_TRANSIENT},
	{"cancelled", PAWL_E_CANCELLED},
	{"timeout", PAWL_E_TIMEOUT},
	{"not_found", PAWL_E_NOT_FOUND},
	{"unsupported", PAWL_E_UNSUPPORTED},
	{"system", PAWL_E_SYSTEM},
};

static pawl_status answer(const pawl_host *host, pawl_node *node, const char *in)
{
	pawl_str wanted;
	pawl_str name;
	if (host->field_raw(node, "in", &wanted) != PAWL_OK)
		wanted = (pawl_str){"start", 5};
	if (strcmp(wanted.ptr, in) != 0 || host->field_raw(node, "status", &name) != PAWL_OK)
		return PAWL_OK;
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		if (strcmp(name.ptr, statuses[i].name) == 0)
			return host->fail(node, statuses[i].status, "status",
				"is what the plugin was told to end with");
	return PAWL_OK;
}

static pawl_status validate(const pawl_host *host, pawl_node *node)
{
	return answer(host, node, "validate");
}

static pawl_status cache_key(const pawl_host *host, pawl_node *node, pawl_hash *hash)
{
	(void)hash;
	return answer(host, node, "cache_key");
}

static pawl_status start(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	(void)run;
	return answer(host, node, "start");
}

static const pawl_type type = {
	.size = sizeof(type),
	.cacheable = PAWL_CACHE_ALWAYS,
	.keyword = "status",
	.summary = "a test",
	.schema =
		"{\"type\":\"object\",\"properties\":{\"status\":{\"type\":\"string\"},\"in\":{\"type\":\"string\"}}}",
	.validate = validate,
	.cache_key = cache_key,
	.start = start,
};

static const pawl_type *const types[] = {&type, NULL};

const pawl_plugin pawl_plugin_v1 = {
	PAWL_PLUGIN_HEAD, .id = "test.status", .version = "1.0", .types = types};
