/* host_table: the host's services as plugins see them. */
#include "plug/host_internal.h"

#include "base/mem.h"

static const char *plugin_dir(pawl_node *node)
{
	if (!node) {
		host_misuse(NULL, "plugin_dir", "node is NULL");
		return NULL;
	}
	return node->init.type->dir;
}

static const void *extension(const pawl_host *host, const char *id)
{
	(void)host;
	if (id && strcmp(id, "pawl.bind/1") == 0)
		return &host_bind_v1;
	return NULL;
}

const pawl_host host_table = {
	.size = sizeof(pawl_host),
	.abi = HOST_ABI,
	.version = PAWL_VERSION,
	.log = host_log,
	.fail = host_fail,
	.field = host_field,
	.field_raw = host_field_raw,
	.input = host_input,
	.expand = host_expand,
	.hash_text = host_hash_text,
	.hash_u64 = host_hash_u64,
	.hash_open = host_hash_open,
	.hash_close = host_hash_close,
	.hash_secret = host_hash_secret,
	.fact_file = host_fact_file,
	.fact_word = host_fact_word,
	.fact_output = host_fact_output,
	.fact_tool = host_fact_tool,
	.plugin_dir = plugin_dir,
	.node_of = host_node_of,
	.cancelled = host_cancelled,
	.alloc = host_alloc,
	.temp_dir = host_temp_dir,
	.spawn = host_spawn,
	.proc_write = host_proc_write,
	.proc_signal = host_proc_signal,
	.timer = host_timer,
	.offload = host_offload,
	.secret = host_secret,
	.output = host_output,
	.emit = host_emit,
	.artifact = host_artifact,
	.progress = host_progress,
	.kv_get = host_kv_get,
	.kv_put = host_kv_put,
	.finish = host_finish,
	.extension = extension,
};

uint32_t host_abi(void)
{
	return HOST_ABI;
}
