/* offsets: prints where each member of the ABI's structs stands, for comparison with what was released. */
#include "pawl/pawl_plugin.h"

#include <stdio.h>

#define MEMBER(type, member) printf("%s.%s %zu\n", #type, #member, offsetof(type, member))
#define SIZE(type)           printf("%s %zu\n", #type, sizeof(type))

static void print_str(void)
{
	SIZE(pawl_str);
	MEMBER(pawl_str, ptr);
	MEMBER(pawl_str, len);
}

static void print_exit(void)
{
	SIZE(pawl_exit);
	MEMBER(pawl_exit, size);
	MEMBER(pawl_exit, code);
	MEMBER(pawl_exit, signal);
	MEMBER(pawl_exit, reason);
	MEMBER(pawl_exit, cpu_us);
	MEMBER(pawl_exit, wall_us);
	MEMBER(pawl_exit, max_rss_kib);
}

static void print_spawn(void)
{
	SIZE(pawl_spawn);
	MEMBER(pawl_spawn, size);
	MEMBER(pawl_spawn, flags);
	MEMBER(pawl_spawn, argv);
	MEMBER(pawl_spawn, env);
	MEMBER(pawl_spawn, cwd);
	MEMBER(pawl_spawn, input);
	MEMBER(pawl_spawn, timeout_ms);
	MEMBER(pawl_spawn, on_output);
	MEMBER(pawl_spawn, on_exit);
	MEMBER(pawl_spawn, user);
}

static void print_host(void)
{
	SIZE(pawl_host);
	MEMBER(pawl_host, size);
	MEMBER(pawl_host, abi);
	MEMBER(pawl_host, version);
	MEMBER(pawl_host, log);
	MEMBER(pawl_host, fail);
	MEMBER(pawl_host, field);
	MEMBER(pawl_host, field_raw);
	MEMBER(pawl_host, input);
	MEMBER(pawl_host, expand);
	MEMBER(pawl_host, hash_text);
	MEMBER(pawl_host, hash_u64);
	MEMBER(pawl_host, hash_open);
	MEMBER(pawl_host, hash_close);
	MEMBER(pawl_host, hash_secret);
	MEMBER(pawl_host, fact_file);
	MEMBER(pawl_host, fact_word);
	MEMBER(pawl_host, fact_output);
	MEMBER(pawl_host, fact_tool);
	MEMBER(pawl_host, plugin_dir);
	MEMBER(pawl_host, node_of);
	MEMBER(pawl_host, cancelled);
	MEMBER(pawl_host, alloc);
	MEMBER(pawl_host, temp_dir);
	MEMBER(pawl_host, spawn);
	MEMBER(pawl_host, proc_write);
	MEMBER(pawl_host, proc_signal);
	MEMBER(pawl_host, timer);
	MEMBER(pawl_host, offload);
	MEMBER(pawl_host, secret);
	MEMBER(pawl_host, output);
	MEMBER(pawl_host, emit);
	MEMBER(pawl_host, artifact);
	MEMBER(pawl_host, progress);
	MEMBER(pawl_host, kv_get);
	MEMBER(pawl_host, kv_put);
	MEMBER(pawl_host, finish);
	MEMBER(pawl_host, extension);
}

static void print_bound(void)
{
	SIZE(pawl_bound);
	MEMBER(pawl_bound, size);
	MEMBER(pawl_bound, references);
	MEMBER(pawl_bound, text);
	MEMBER(pawl_bound, prelude);
	MEMBER(pawl_bound, words);
	MEMBER(pawl_bound, word_count);
	MEMBER(pawl_bound, writes);
	MEMBER(pawl_bound, write_count);
	MEMBER(pawl_bound, commands);
	MEMBER(pawl_bound, command_count);
}

static void print_bind(void)
{
	SIZE(pawl_bind_v1);
	MEMBER(pawl_bind_v1, size);
	MEMBER(pawl_bind_v1, bind);
}

static void print_type(void)
{
	SIZE(pawl_type);
	MEMBER(pawl_type, size);
	MEMBER(pawl_type, caps);
	MEMBER(pawl_type, cacheable);
	MEMBER(pawl_type, cache_epoch);
	MEMBER(pawl_type, keyword);
	MEMBER(pawl_type, summary);
	MEMBER(pawl_type, schema);
	MEMBER(pawl_type, validate);
	MEMBER(pawl_type, cache_key);
	MEMBER(pawl_type, start);
	MEMBER(pawl_type, cancel);
	MEMBER(pawl_type, extension);
}

static void print_plugin(void)
{
	SIZE(pawl_plugin);
	MEMBER(pawl_plugin, magic);
	MEMBER(pawl_plugin, size);
	MEMBER(pawl_plugin, abi);
	MEMBER(pawl_plugin, must);
	MEMBER(pawl_plugin, id);
	MEMBER(pawl_plugin, version);
	MEMBER(pawl_plugin, url);
	MEMBER(pawl_plugin, types);
	MEMBER(pawl_plugin, init);
	MEMBER(pawl_plugin, fini);
}

int main(void)
{
	print_str();
	print_exit();
	print_spawn();
	print_host();
	print_bound();
	print_bind();
	print_type();
	print_plugin();
	return 0;
}
