/* lua: a node whose body is a Lua 5.4 program, run by pawl-lua in a process of its own: a program that never ends can be
 * ended.  Values come by `inputs`; a reference in the source is an error. */
#include "../common/plugin_file.h"

#include <lua.h>

static pawl_status bind_source(const pawl_host *host, pawl_node *node, pawl_bound *bound)
{
	const pawl_bind_v1 *binder = host->extension(host, "pawl.bind/1");
	if (!binder)
		return host->fail(
			node, PAWL_E_UNSUPPORTED, "lua", "this host can't bind references");
	*bound = (pawl_bound){.size = sizeof(*bound)};
	return binder->bind(node, "none", "lua", bound);
}

static pawl_status validate(const pawl_host *host, pawl_node *node)
{
	pawl_bound bound;
	return bind_source(host, node, &bound);
}

static pawl_status cache_key(const pawl_host *host, pawl_node *node, pawl_hash *hash)
{
	pawl_str source;
	pawl_status status = host->field_raw(node, "lua", &source);
	if (status != PAWL_OK)
		return status;
	host->hash_text(hash, "source", source);
	host->hash_text(hash, "lua", (pawl_str){LUA_VERSION, sizeof(LUA_VERSION) - 1});
	return PAWL_OK;
}

static pawl_status start(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	pawl_bound bound;
	pawl_str inputs;
	pawl_str id;
	pawl_status status = bind_source(host, node, &bound);
	if (status != PAWL_OK)
		return status;
	status = host->field(node, "with", &inputs);
	if (status == PAWL_E_NOT_FOUND)
		inputs = (pawl_str){"{}", 2};
	else if (status != PAWL_OK)
		return status;
	status = host->field_raw(node, "id", &id);
	if (status != PAWL_OK)
		return status;
	const char *source_path = plugin_write_file(host, run, "source.lua", bound.text);
	const char *inputs_path =
		source_path ? plugin_write_file(host, run, "inputs.json", inputs) : NULL;
	if (!inputs_path)
		return PAWL_E_SYSTEM;
	const char *child = plugin_path(host, run, host->plugin_dir(node), "../pawl-lua");
	const char *argv[] = {child, source_path, inputs_path, id.ptr, NULL};
	pawl_spawn spec = {.size = sizeof(spec), .flags = PAWL_SPAWN_OWN_INPUTS, .argv = argv};
	status = host->spawn(run, &spec, NULL);
	if (status == PAWL_E_NOT_FOUND) {
		char words[512];
		snprintf(words, sizeof(words),
			"the program %s, which runs Lua nodes, is missing\ninstall pawl again, with its lib/pawl directory",
			child);
		return host->fail(node, PAWL_E_SYSTEM, NULL, words);
	}
	return status == PAWL_OK ? PAWL_PENDING : status;
}

static const pawl_type lua_node_type = {
	.size = sizeof(lua_node_type),
	.caps = PAWL_CAP_KEY_STABLE,
	.cacheable = PAWL_CACHE_ALWAYS,
	.cache_epoch = 1,
	.keyword = "lua",
	.summary = "a Lua 5.4 program; a table that it returns becomes JSON",
	.schema = "{\"type\":\"object\",\"required\":[\"lua\"],\"properties\":{"
		  "\"lua\":{\"type\":\"string\",\"minLength\":1,\"description\":\"the program\"}}}",
	.validate = validate,
	.cache_key = cache_key,
	.start = start,
};

static const pawl_type *const types[] = {&lua_node_type, NULL};

const pawl_plugin pawl_plugin_v1 = {
	PAWL_PLUGIN_HEAD,
	.id = "pawl.lua",
	.version = "1.0",
	.types = types,
};
