/* hostile: does to its host what its field `hostile` names.  With `once: FILE` it does it only where there is no such file, which it
 * makes first. */
#include "pawl/pawl_plugin.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef pawl_status (*mode_fn)(const pawl_host *host, pawl_node *node, pawl_run *run);

static pawl_status say(const pawl_host *host, pawl_run *run, const char *text)
{
	return host->output(run, PAWL_STDOUT, (pawl_str){text, strlen(text)});
}

__attribute__((no_sanitize("undefined"))) static pawl_status do_segv(
	const pawl_host *host, pawl_node *node, pawl_run *run)
{
	(void)node;
	(void)run;
	volatile int *nowhere = (volatile int *)(uintptr_t)(host->size > 100000);
	return *nowhere;
}

static pawl_status do_abort(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	(void)host;
	(void)node;
	(void)run;
	abort();
}

static pawl_status do_exit(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	(void)node;
	say(host, run, "all is well\n");
	exit(0);
}

static volatile int forever = 1;

static pawl_status do_loop(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	(void)host;
	(void)node;
	(void)run;
	while (forever)
		continue;
	return PAWL_OK;
}

/* Recurses until the stack is used up. */
static int dig(volatile char *above, int depth)
{
	volatile char block[4096];
	block[0] = above ? above[0] : 1;
	return forever ? dig(block, depth + 1) + block[0] : depth;
}

static pawl_status do_stack(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	(void)host;
	(void)node;
	(void)run;
	return dig(NULL, 0);
}

static pawl_status do_close(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	(void)node;
	for (int fd = 3; fd < 256; fd++)
		close(fd);
	return say(host, run, "closed\n");
}

static pawl_status do_twice(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	(void)node;
	say(host, run, "done\n");
	host->finish(run, PAWL_OK);
	host->finish(run, PAWL_E_FAILED);
	return PAWL_PENDING;
}

static pawl_status do_phase(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	(void)node;
	host->hash_text(NULL, "x", (pawl_str){"x", 1});
	return say(host, run, "went on\n");
}

static pawl_status do_kill(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	(void)host;
	(void)node;
	(void)run;
	raise(SIGKILL);
	return PAWL_OK;
}

static pawl_status do_good(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	(void)node;
	return say(host, run, "good\n");
}

/* Adds an "x" to what it keeps, and prints all of it. */
static pawl_status do_keep(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	pawl_str kept;
	(void)node;
	pawl_status status = host->kv_get(run, "kept", &kept);
	if (status != PAWL_OK && status != PAWL_E_NOT_FOUND)
		return status;
	char *longer = host->alloc(run, kept.len + 2);
	memcpy(longer, kept.ptr, kept.len);
	longer[kept.len] = 'x';
	status = host->kv_put(run, "kept", (pawl_str){longer, kept.len + 1});
	return status == PAWL_OK ? say(host, run, longer) : status;
}

/* More than any pipe holds, there and back. */
static pawl_status do_keep_much(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	const size_t much = (size_t)3 << 20;
	pawl_str kept;
	(void)node;
	char *text = host->alloc(run, much);
	memset(text, 'y', much);
	pawl_status status = host->kv_put(run, "much", (pawl_str){text, much});
	if (status == PAWL_OK)
		status = host->kv_get(run, "much", &kept);
	if (status == PAWL_OK && (kept.len != much || memcmp(kept.ptr, text, much) != 0))
		status = host->fail(node, PAWL_E_FAILED, NULL, "what was kept has changed");
	return status == PAWL_OK ? say(host, run, "kept much\n") : status;
}

static pawl_status do_silent(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	(void)host;
	(void)node;
	(void)run;
	return PAWL_E_TRANSIENT;
}

/* The name of a file that is not there. */
static pawl_status do_lost(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	(void)node;
	return host->artifact(run, "report", "report.txt");
}

static pawl_status do_no_bytes(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	(void)node;
	return host->output(run, PAWL_STDOUT, (pawl_str){NULL, 5});
}

static pawl_status do_emit_bytes(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	(void)node;
	return host->emit(run, "odd", (pawl_str){"\xff", 1});
}

/* As long as it says, whatever watches it. */
static pawl_status do_sleep(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	struct timespec rest = {.tv_nsec = 1};
	const struct timespec two = {.tv_sec = 2};
	(void)node;
	return say(host, run, nanosleep(&two, &rest) == 0 ? "slept\n" : "woken\n");
}

static const struct {
	const char *name;
	mode_fn fn;
} modes[] = {
	{"segv", do_segv},
	{"abort", do_abort},
	{"exit", do_exit},
	{"loop", do_loop},
	{"stack", do_stack},
	{"close", do_close},
	{"twice", do_twice},
	{"phase", do_phase},
	{"kill", do_kill},
	{"good", do_good},
	{"keep", do_keep},
	{"silent", do_silent},
	{"lost", do_lost},
	{"no_bytes", do_no_bytes},
	{"emit_bytes", do_emit_bytes},
	{"sleep", do_sleep},
	{"keep_much", do_keep_much},
};

static int is_mode(const pawl_host *host, pawl_node *node, const char *name)
{
	pawl_str mode;
	return host->field_raw(node, "hostile", &mode) == PAWL_OK && strcmp(mode.ptr, name) == 0;
}

static pawl_status validate(const pawl_host *host, pawl_node *node)
{
	if (is_mode(host, node, "exit_in_validate"))
		exit(0);
	if (is_mode(host, node, "validate_segv"))
		return do_segv(host, node, NULL);
	if (is_mode(host, node, "validate_abort"))
		abort();
	if (is_mode(host, node, "validate_kill"))
		raise(SIGKILL);
	if (is_mode(host, node, "validate_loop"))
		return do_loop(host, node, NULL);
	if (is_mode(host, node, "validate_odd"))
		return PAWL_UNCACHEABLE;
	if (is_mode(host, node, "validate_warn")) {
		host->log(node, PAWL_LOG_WARN, "mind the gap");
		return host->fail(node, PAWL_E_CONFIG, "hostile", "is not nice\nbe nice");
	}
	return PAWL_OK;
}

static pawl_status cache_key(const pawl_host *host, pawl_node *node, pawl_hash *hash)
{
	pawl_str mode;
	if (is_mode(host, node, "key_segv"))
		return do_segv(host, node, NULL);
	if (is_mode(host, node, "key_loop"))
		return do_loop(host, node, NULL);
	if (is_mode(host, node, "key_output"))
		host->output(NULL, PAWL_STDOUT, (pawl_str){"x", 1});
	pawl_status status = host->field(node, "hostile", &mode);
	if (status == PAWL_OK)
		host->hash_text(hash, "hostile", mode);
	return status;
}

static pawl_status start(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	pawl_str once;
	if (host->field(node, "once", &once) == PAWL_OK) {
		int fd = open(once.ptr, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0)
			return do_good(host, node, run);
		close(fd);
	}
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (is_mode(host, node, modes[i].name))
			return modes[i].fn(host, node, run);
	return do_good(host, node, run);
}

static const pawl_type type = {
	.size = sizeof(type),
	.caps = PAWL_CAP_PROVABLE,
	.cacheable = PAWL_CACHE_ALWAYS,
	.keyword = "hostile",
	.summary = "a test",
	.schema =
		"{\"type\":\"object\",\"properties\":{\"hostile\":{\"type\":\"string\"},\"once\":{\"type\":\"string\"}}}",
	.validate = validate,
	.cache_key = cache_key,
	.start = start,
};

static const pawl_type *const types[] = {&type, NULL};

const pawl_plugin pawl_plugin_v1 = {
	PAWL_PLUGIN_HEAD, .id = "test.hostile", .version = "1.0", .types = types};
