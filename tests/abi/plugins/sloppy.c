/* sloppy: does what `pawl plugin check` is there to find; its field `sloppy` says what. */
#include "pawl/pawl_plugin.h"

#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int is_mode(const pawl_host *host, pawl_node *node, const char *name)
{
	pawl_str mode;
	return host->field_raw(node, "sloppy", &mode) == PAWL_OK && strcmp(mode.ptr, name) == 0;
}

static pawl_status validate(const pawl_host *host, pawl_node *node)
{
	pawl_str other;
	if (is_mode(host, node, "slow_validate"))
		sleep(2);
	if (host->field(node, "other", &other) != PAWL_OK || other.len)
		return PAWL_OK;
	if (is_mode(host, node, "silent"))
		return PAWL_E_CONFIG;
	if (is_mode(host, node, "nameless"))
		return host->fail(node, PAWL_E_CONFIG, NULL, "something is empty");
	return PAWL_OK;
}

/* Whose address is another one in each process. */
static const int somewhere = 1;

static pawl_status cache_key(const pawl_host *host, pawl_node *node, pawl_hash *hash)
{
	char text[64] = "";
	pawl_str other;
	if (is_mode(host, node, "key_time"))
		snprintf(text, sizeof(text), "%lld", (long long)time(NULL));
	if (is_mode(host, node, "key_pid"))
		snprintf(text, sizeof(text), "%d", (int)getpid());
	if (is_mode(host, node, "key_pointer"))
		snprintf(text, sizeof(text), "%p", (const void *)&somewhere);
	if (is_mode(host, node, "key_zone"))
		snprintf(text, sizeof(text), "%s", getenv("TZ") ? getenv("TZ") : "");
	if (is_mode(host, node, "key_locale"))
		snprintf(text, sizeof(text), "%s", getenv("LC_ALL") ? getenv("LC_ALL") : "");
	if (is_mode(host, node, "key_directory") && !getcwd(text, sizeof(text)))
		text[0] = '\0';
	host->hash_text(hash, "odd", (pawl_str){text, strlen(text)});
	if (host->field(node, "sloppy", &other) == PAWL_OK)
		host->hash_text(hash, "sloppy", other);
	if (!is_mode(host, node, "key_forgets") && host->field(node, "other", &other) == PAWL_OK)
		host->hash_text(hash, "other", other);
	return PAWL_OK;
}

static void on_tick(const pawl_host *host, pawl_run *run, void *user)
{
	host->timer(run, 50, on_tick, user);
}

/* What it leaves behind it keeps open until the process ends. */
static void leave(const pawl_host *host, pawl_node *node)
{
	if (is_mode(host, node, "slow"))
		sleep(2);
	if (is_mode(host, node, "prints")) {
		puts("good day");
		fflush(stdout);
	}
	if (is_mode(host, node, "leak_fd") && open("/dev/null", O_RDONLY) < 0)
		abort();
	if (is_mode(host, node, "leak_child") && fork() == 0) {
		sleep(30);
		_exit(0);
	}
	if (is_mode(host, node, "moves") && chdir("/") != 0)
		abort();
	if (is_mode(host, node, "locale"))
		setlocale(LC_ALL, "C.UTF-8");
	if (is_mode(host, node, "environment"))
		setenv("SLOPPY", "1", 1);
}

static pawl_status start(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	leave(host, node);
	if (is_mode(host, node, "wordless"))
		return PAWL_E_FAILED;
	if (is_mode(host, node, "deaf") || is_mode(host, node, "never")) {
		if (is_mode(host, node, "deaf"))
			host->timer(run, 50, on_tick, NULL);
		return PAWL_PENDING;
	}
	if (is_mode(host, node, "crash"))
		abort();
	if (is_mode(host, node, "exit"))
		exit(0);
	while (is_mode(host, node, "hang"))
		continue;
	return PAWL_OK;
}

static void cancel(const pawl_host *host, pawl_run *run, int32_t reason)
{
	(void)reason;
	if (!is_mode(host, host->node_of(run), "deaf"))
		host->finish(run, PAWL_E_CANCELLED);
}

static const pawl_type type = {
	.size = sizeof(type),
	.caps = PAWL_CAP_CANCEL,
	.cacheable = PAWL_CACHE_ALWAYS,
	.keyword = "sloppy",
	.summary = "a test",
	.schema = "{\"type\":\"object\",\"required\":[\"sloppy\"],\"properties\":{"
		  "\"sloppy\":{\"type\":\"string\"},\"other\":{\"type\":\"string\"}}}",
	.validate = validate,
	.cache_key = cache_key,
	.start = start,
	.cancel = cancel,
};

static const pawl_type *const types[] = {&type, NULL};

const pawl_plugin pawl_plugin_v1 = {
	PAWL_PLUGIN_HEAD, .id = "test.sloppy", .version = "1.0", .types = types};
