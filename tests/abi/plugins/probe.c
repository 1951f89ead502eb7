/* probe: a node type that does what its field `probe` names, for the host's tests: everything that a plugin may ask of its
 * host, and everything that it must not. */
#include "pawl/pawl_plugin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct probe {
	pawl_proc *proc;
	int count;
	int worked;
};

typedef pawl_status (*mode_fn)(const pawl_host *host, pawl_node *node, pawl_run *run);

static void say(
	const pawl_host *host, pawl_run *run, const char *label, pawl_status status, pawl_str text)
{
	char line[512];
	int n = snprintf(
		line, sizeof(line), "%s %d %.*s\n", label, (int)status, (int)text.len, text.ptr);
	host->output(run, PAWL_STDOUT, (pawl_str){line, (size_t)n});
}

static pawl_str text_of(const char *z)
{
	return (pawl_str){z, strlen(z)};
}

/* ---- what is allowed -------------------------------------------------------------------------------------------------------- */

static pawl_status do_fields(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	static const char *const paths[] = {"probe", "text", "list", "list.1", "map.k", "map",
		"flag", "none", "absent", "map.absent", "shell.options"};
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		pawl_str value = {"", 0};
		pawl_status status = host->field(node, paths[i], &value);
		say(host, run, paths[i], status, value);
	}
	pawl_str value = {"", 0};
	say(host, run, "raw", host->field_raw(node, "text", &value), value);
	say(host, run, "input", host->input(node, "a", "k", &value), value);
	say(host, run, "nobody", host->input(node, "nobody", NULL, &value), value);
	say(host, run, "inputs", host->input(node, "INPUTS", "who", &value), value);
	say(host, run, "expand",
		host->expand(node, text_of("<$a.output> \\$a.output $nobody.output $PROJECT_DIR"),
			&value),
		value);
	return PAWL_OK;
}

static pawl_status do_results(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	(void)node;
	host->output(run, PAWL_STDOUT, text_of("out\n"));
	host->output(run, PAWL_STDERR, text_of("err\n"));
	host->emit(run, "count", text_of("3"));
	host->artifact(run, "report", "report.txt");
	host->progress(run, 0.5, "half");
	host->progress(run, 7, NULL);
	host->log(node, PAWL_LOG_WARN, "look");
	return PAWL_OK;
}

static pawl_status do_secret(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	(void)node;
	pawl_str value = {"", 0};
	say(host, run, "listed", host->secret(run, "PROBE_SECRET", &value), value);
	return host->secret(run, "PATH", &value);
}

static pawl_status do_kv(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	(void)node;
	pawl_str value = {"", 0};
	pawl_status status = host->kv_get(run, "seen", &value);
	say(host, run, "before", status, value);
	if (status == PAWL_E_UNSUPPORTED)
		return status;
	say(host, run, "put", host->kv_put(run, "seen", text_of("yes")), value);
	say(host, run, "after", host->kv_get(run, "seen", &value), value);
	return PAWL_OK;
}

static void on_tick(const pawl_host *host, pawl_run *run, void *user)
{
	struct probe *probe = user;
	if (++probe->count < 3)
		host->timer(run, 1, on_tick, probe);
	else
		host->finish(run, PAWL_OK);
	host->output(run, PAWL_STDOUT, text_of(probe->count < 3 ? "tick\n" : "last\n"));
}

static pawl_status do_timer(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	(void)node;
	host->timer(run, 1, on_tick, host->alloc(run, sizeof(struct probe)));
	return PAWL_PENDING;
}

static void work(void *user)
{
	((struct probe *)user)->worked = 7;
}

static void on_worked(const pawl_host *host, pawl_run *run, void *user)
{
	char text[16];
	snprintf(text, sizeof(text), "%d", ((struct probe *)user)->worked);
	host->output(run, PAWL_STDOUT, text_of(text));
	host->finish(run, PAWL_OK);
}

static pawl_status do_offload(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	(void)node;
	return host->offload(run, work, on_worked, host->alloc(run, sizeof(struct probe))) ==
	                       PAWL_OK
	               ? PAWL_PENDING
	               : PAWL_E_FAILED;
}

static void on_text(const pawl_host *host, pawl_run *run, void *user, int32_t stream, pawl_str text)
{
	(void)user;
	say(host, run, stream == PAWL_STDOUT ? "got" : "got2", 0, text);
}

static void on_end(const pawl_host *host, pawl_run *run, void *user, const pawl_exit *exit)
{
	struct probe *probe = user;
	say(host, run, "exit", exit->code, (pawl_str){"", 0});
	say(host, run, "late", host->proc_write(probe->proc, text_of("x")), (pawl_str){"", 0});
	host->finish(run, exit->code == 3 ? PAWL_OK : PAWL_E_FAILED);
}

static pawl_status do_child(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	(void)node;
	struct probe *probe = host->alloc(run, sizeof(*probe));
	const char *argv[] = {"sh", "-c",
		"read a; read b; echo \"$a-$b-$ADDED-${LANG-unset}-$PAWL_ATTEMPT_ID\"; exit 3",
		NULL};
	const char *env[] = {"ADDED=1", "LANG", "PAWL_ATTEMPT_ID=forged", NULL};
	pawl_spawn spec = {.size = sizeof(spec),
		.argv = argv,
		.env = env,
		.flags = PAWL_SPAWN_STDIN_OPEN,
		.input = text_of("one\n"),
		.on_output = on_text,
		.on_exit = on_end,
		.user = probe};
	pawl_status status = host->spawn(run, &spec, &probe->proc);
	if (status != PAWL_OK)
		return status;
	host->proc_write(probe->proc, text_of("two\n"));
	return PAWL_PENDING;
}

static pawl_status spawn_shell(const pawl_host *host, pawl_run *run, const char *script,
	uint32_t flags, uint64_t timeout_ms)
{
	const char *argv[] = {"/bin/sh", "-c", script, NULL};
	pawl_spawn spec = {
		.size = sizeof(spec), .argv = argv, .flags = flags, .timeout_ms = timeout_ms};
	pawl_status status = host->spawn(run, &spec, NULL);
	return status == PAWL_OK ? PAWL_PENDING : status;
}

static pawl_status do_clean(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	(void)node;
	return spawn_shell(host, run, "/usr/bin/env; echo x >&2",
		PAWL_SPAWN_CLEAN_ENV | PAWL_SPAWN_MERGE_STDERR, 0);
}

static pawl_status do_slow_child(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	(void)node;
	return spawn_shell(host, run, "sleep 60", 0, 50);
}

static pawl_status do_absent(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	(void)node;
	const char *argv[] = {"no-such-program-at-all", NULL};
	pawl_spawn spec = {.size = sizeof(spec), .argv = argv};
	return host->spawn(run, &spec, NULL);
}

static pawl_status do_fat(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	(void)node;
	char *entry = host->alloc(run, 200001);
	memset(entry, 'x', 200000);
	memcpy(entry, "FAT=", 4);
	const char *argv[] = {"true", NULL};
	const char *env[] = {entry, NULL};
	pawl_spawn spec = {.size = sizeof(spec), .argv = argv, .env = env};
	return host->spawn(run, &spec, NULL);
}

/* Children, a timer and a worker under way: finish() ends them all, and none of them calls back. */
static void never(const pawl_host *host, pawl_run *run, void *user)
{
	(void)user;
	host->output(run, PAWL_STDOUT, text_of("called after finish\n"));
}

static void on_never_exit(const pawl_host *host, pawl_run *run, void *user, const pawl_exit *exit)
{
	(void)exit;
	never(host, run, user);
}

static pawl_status do_leave(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	(void)node;
	const char *argv[] = {"sleep", "60", NULL};
	pawl_spawn spec = {.size = sizeof(spec), .argv = argv, .on_exit = on_never_exit};
	host->spawn(run, &spec, NULL);
	host->timer(run, 0, never, NULL);
	host->offload(run, work, never, host->alloc(run, sizeof(struct probe)));
	host->finish(run, PAWL_OK);
	return PAWL_PENDING;
}

static pawl_status do_bind(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	const pawl_bind_v1 *binder = host->extension(host, "pawl.bind/1");
	pawl_bound bound = {.size = sizeof(bound)};
	if (host->extension(host, "pawl.nothing/9") || !binder)
		return PAWL_E_FAILED;
	say(host, run, "language", binder->bind(node, "cobol", "text", &bound), (pawl_str){"", 0});
	say(host, run, "field", binder->bind(node, "bash", "absent", &bound), (pawl_str){"", 0});
	say(host, run, "list", binder->bind(node, "bash", "list", &bound), (pawl_str){"", 0});
	return PAWL_OK;
}

/* ---- what is not ---------------------------------------------------------------------------------------------------------------- */

static pawl_status do_twice(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	(void)node;
	host->finish(run, PAWL_OK);
	host->finish(run, PAWL_E_FAILED);
	return PAWL_PENDING;
}

static pawl_status do_both(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	(void)node;
	host->finish(run, PAWL_OK);
	return PAWL_E_FAILED;
}

static pawl_status do_never(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	(void)host;
	(void)node;
	(void)run;
	return PAWL_PENDING;
}

static pawl_status do_odd_status(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	(void)host;
	(void)node;
	(void)run;
	return 77;
}

static pawl_status do_nulls(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	pawl_str value;
	pawl_spawn spec = {.size = 4};
	const char *empty[] = {NULL};
	pawl_spawn no_argv = {.size = sizeof(no_argv), .argv = empty};
	static const char *const names[] = {"field", "field_null", "spawn", "spawn_size",
		"spawn_argv", "proc_write", "secret", "emit", "artifact", "kv_put", "output",
		"timer", "offload", "hash", "fact"};
	pawl_status got[] = {host->field(NULL, "x", &value), host->field(node, NULL, &value),
		host->spawn(NULL, &spec, NULL), host->spawn(run, &spec, NULL),
		host->spawn(run, &no_argv, NULL), host->proc_write(NULL, text_of("x")),
		host->secret(run, NULL, &value), host->emit(run, NULL, text_of("x")),
		host->artifact(run, "", "x"), host->kv_put(run, "", text_of("x")),
		host->output(run, 9, text_of("x")), host->timer(run, 1, NULL, NULL),
		host->offload(run, NULL, NULL, NULL), host->hash_secret(NULL, "x", "x"),
		host->fact_file(NULL, "x", "x")};
	for (size_t i = 0; i < sizeof(got) / sizeof(got[0]); i++)
		if (got[i] != PAWL_E_MISUSE)
			say(host, run, names[i], got[i], (pawl_str){"", 0});
	host->log(node, PAWL_LOG_INFO, NULL);
	host->hash_text(NULL, "x", text_of("x"));
	if (!host->alloc(NULL, 8))
		return PAWL_E_FAILED;
	return PAWL_OK;
}

static void work_off_the_loop(void *user)
{
	/* A worker sees nothing but its user; this one has smuggled the host in. */
	const void **smuggled = user;
	const pawl_host *host = smuggled[0];
	pawl_run *run;
	memcpy(&run, &smuggled[1], sizeof(run));
	host->output(run, PAWL_STDOUT, text_of("from a worker\n"));
	host->log(host->node_of(run), PAWL_LOG_INFO, "a worker may log");
}

static void on_worker_done(const pawl_host *host, pawl_run *run, void *user)
{
	(void)user;
	host->finish(run, PAWL_OK);
}

static pawl_status do_worker(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	(void)node;
	const void **smuggled = host->alloc(run, 2 * sizeof(*smuggled));
	smuggled[0] = host;
	smuggled[1] = run;
	host->offload(run, work_off_the_loop, on_worker_done, smuggled);
	return PAWL_PENDING;
}

__attribute__((no_sanitize("undefined"))) static pawl_status do_crash(
	const pawl_host *host, pawl_node *node, pawl_run *run)
{
	(void)node;
	(void)run;
	volatile int *nowhere = (volatile int *)(uintptr_t)(host->size > 100000);
	return *nowhere;
}

static pawl_status do_block(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	(void)host;
	(void)node;
	(void)run;
	struct timespec time = {0, 60 * 1000 * 1000};
	nanosleep(&time, NULL);
	return PAWL_OK;
}

static pawl_status do_fail(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	(void)run;
	return host->fail(node, PAWL_E_TRANSIENT, "map.k", "is out of order\ntry again later");
}

static pawl_run *kept;

static pawl_status do_keep(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	(void)host;
	(void)node;
	kept = run;
	return PAWL_OK;
}

static const struct {
	const char *name;
	mode_fn fn;
} modes[] = {
	{"fields", do_fields},
	{"results", do_results},
	{"secret", do_secret},
	{"kv", do_kv},
	{"timer", do_timer},
	{"offload", do_offload},
	{"child", do_child},
	{"clean", do_clean},
	{"slow", do_slow_child},
	{"absent", do_absent},
	{"fat", do_fat},
	{"leave", do_leave},
	{"bind", do_bind},
	{"twice", do_twice},
	{"both", do_both},
	{"never", do_never},
	{"odd", do_odd_status},
	{"nulls", do_nulls},
	{"worker", do_worker},
	{"crash", do_crash},
	{"block", do_block},
	{"fail", do_fail},
	{"keep", do_keep},
};

static int is_mode(const pawl_host *host, pawl_node *node, const char *name)
{
	pawl_str mode;
	return host->field_raw(node, "probe", &mode) == PAWL_OK && strcmp(mode.ptr, name) == 0;
}

static pawl_status validate(const pawl_host *host, pawl_node *node)
{
	pawl_str value;
	if (is_mode(host, node, "refuse"))
		return host->fail(
			node, PAWL_E_CONFIG, "list.1", "is not to my taste\ntake another");
	if (is_mode(host, node, "silent"))
		return PAWL_E_CONFIG;
	if (is_mode(host, node, "spawn_in_validate"))
		host->spawn(NULL, NULL, NULL);
	if (is_mode(host, node, "pending"))
		return host->field(node, "text", &value) == PAWL_PENDING
		               ? PAWL_OK
		               : host->fail(node, PAWL_E_CONFIG, NULL, "text is known already");
	if (is_mode(host, node, "warn"))
		host->log(node, PAWL_LOG_WARN, "mind the gap");
	return PAWL_OK;
}

static pawl_status cache_key(const pawl_host *host, pawl_node *node, pawl_hash *hash)
{
	pawl_str mode;
	if (is_mode(host, node, "use_kept")) {
		host->output(kept, PAWL_STDOUT, text_of("x"));
		return PAWL_OK;
	}
	if (is_mode(host, node, "uncacheable"))
		return host->fail(node, PAWL_UNCACHEABLE, NULL, "the weather is never the same");
	if (is_mode(host, node, "open"))
		host->hash_open(hash, "list");
	if (is_mode(host, node, "close"))
		host->hash_close(hash);
	if (is_mode(host, node, "sticky")) {
		host->hash_secret(hash, "s", "NOT_LISTED");
		return PAWL_OK;
	}
	if (is_mode(host, node, "hashed")) {
		host->hash_secret(hash, "s", "PROBE_SECRET");
		host->hash_secret(hash, "gone", "PROBE_GONE");
	}
	host->field(node, "probe", &mode);
	host->hash_text(hash, "mode", mode);
	host->hash_u64(hash, "n", 7);
	host->hash_open(hash, "list");
	host->hash_text(hash, "in", text_of("x"));
	host->hash_close(hash);
	host->fact_file(hash, "f", "a.txt");
	host->fact_word(hash, "w", "./b");
	host->fact_output(hash, "o", "c");
	host->fact_tool(hash, "t", "sh");
	return PAWL_OK;
}

static pawl_status start(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (is_mode(host, node, modes[i].name))
			return modes[i].fn(host, node, run);
	return host->fail(node, PAWL_E_CONFIG, "probe", "is no mode");
}

static const pawl_type probe_type = {
	.size = sizeof(probe_type),
	.cacheable = PAWL_CACHE_DEPENDS,
	.keyword = "probe",
	.summary = "asks its host",
	.schema =
		"{\"type\":\"object\",\"properties\":{\"probe\":{\"type\":\"string\"},\"text\":{},\"list\":{},\"map\":{},\"flag\":{},"
		"\"none\":{}, \"shell\":{}}}",
	.validate = validate,
	.cache_key = cache_key,
	.start = start,
};

static const pawl_type *const types[] = {&probe_type, NULL};

const pawl_plugin pawl_plugin_v1 = {
	PAWL_PLUGIN_HEAD, .id = "test.probe", .version = "1.0", .types = types};
