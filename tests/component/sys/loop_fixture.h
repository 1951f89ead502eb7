/* loop_fixture: a loop for every case, and children whose doings are noted. */
#ifndef TESTS_LOOP_FIXTURE_H
#define TESTS_LOOP_FIXTURE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "sys/loop.h"
#include "sys/proc_internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* With our number in it: the tests of another build may run beside us. */
static char marker[64];

static const char *const test_env[] = {"PATH=/usr/local/bin:/usr/bin:/bin", marker, NULL};

static struct loop *loop;
static const struct world *world;

/* What one child did. */
struct seen {
	struct buf out;
	struct buf err;
	uint64_t bytes;
	size_t largest; /* one delivery */
	struct world_exit exit;
	int exits;
	uint64_t after_exit; /* bytes that came too late */
	bool keep;           /* the bytes, not only their number */
	struct world_proc *proc;
};

static inline int set_up(void **state)
{
	(void)state;
	struct err err = {0};
	loop = loop_create(&err);
	if (loop == NULL) {
		print_error("%s\n", err.message);
		return -1;
	}
	world = loop_world(loop);
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	loop_destroy(loop, 100);
	loop = NULL;
	/* No child of any kind may be left. */
	return waitpid(-1, NULL, WNOHANG) == -1 ? 0 : -1;
}

static uint64_t now_ms(void)
{
	return world->mono_ms(world->ctx);
}

static inline void saw_output(void *arg, int32_t stream, str bytes)
{
	struct seen *seen = arg;
	seen->bytes += bytes.len;
	if (bytes.len > seen->largest)
		seen->largest = bytes.len;
	if (seen->exits > 0)
		seen->after_exit += bytes.len;
	if (seen->keep)
		buf_add(stream == WORLD_STDOUT ? &seen->out : &seen->err, bytes);
}

static inline void saw_exit(void *arg, const struct world_exit *exit)
{
	struct seen *seen = arg;
	seen->exit = *exit;
	seen->exits++;
}

static inline struct world_spawn spec_of(struct seen *seen, const char *const *argv)
{
	seen->keep = true;
	return (struct world_spawn){
		.argv = argv,
		.env = test_env,
		.marker = marker,
		.input = STR_INIT(""),
		.on_output = saw_output,
		.on_exit = saw_exit,
		.arg = seen,
	};
}

static inline struct world_proc *start(const struct world_spawn *spec)
{
	struct err err = {0};
	struct world_proc *proc = world->proc_start(world->ctx, spec, &err);
	if (proc == NULL)
		fail_msg("%s: %s", err.code, err.message);
	((struct seen *)spec->arg)->proc = proc;
	return proc;
}

static inline void start_sh(struct seen *seen, const char *script)
{
	const char *const argv[] = {"sh", "-c", script, NULL};
	struct world_spawn spec = spec_of(seen, argv);
	start(&spec);
}

static inline void run(void)
{
	world->run(world->ctx);
}

static inline void clear(struct seen *seen)
{
	buf_finish(&seen->out);
	buf_finish(&seen->err);
	*seen = (struct seen){0};
}

/* Runs a script to its end and checks that it came in time. */
static inline void run_sh(struct seen *seen, const char *script, uint64_t limit_ms)
{
	uint64_t from = now_ms();
	start_sh(seen, script);
	run();
	assert_int_equal(seen->exits, 1);
	assert_int_equal(seen->after_exit, 0);
	if (now_ms() - from >= limit_ms)
		fail_msg("took %u ms: %s", (unsigned)(now_ms() - from), script);
}

static inline void assert_out(struct seen *seen, const char *text)
{
	assert_string_equal(buf_cstr(&seen->out), text);
}

/* The process whose number the child printed is gone (a zombie counts as there: nobody may be left to reap). */
static inline bool is_gone(const char *pid_text)
{
	int pid = (int)strtol(pid_text, NULL, 10);
	assert_true(pid > 1);
	return kill(pid, 0) != 0;
}

/* Live processes of all kinds that show the marker. */
static inline size_t count_marked(void)
{
	struct proc_table table = {0};
	struct buf env = {0};
	size_t count = 0;
	proc_table_read(&table);
	for (size_t i = 0; i < table.list.len; i++) {
		proc_read_env(table.list.ptr[i].id.pid, &env);
		count += proc_stat_is_live(&table.list.ptr[i]) &&
		         proc_env_has(buf_str(&env), str_of(marker), true);
	}
	vec_finish(&table.list);
	buf_finish(&env);
	return count;
}

/* Turns until the child has written something. */
static inline void run_until_output(struct seen *seen)
{
	uint64_t from = now_ms();
	while (seen->bytes == 0 && seen->exits == 0 && now_ms() - from < 5000) {
		world->timer_start(world->ctx, 10, world->quit, world->ctx);
		run();
	}
	assert_true(seen->bytes > 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* First thing in main. */
static inline void name_marker(void)
{
	snprintf(marker, sizeof(marker), "PAWL_TEST_NODE=loop-%d", (int)getpid());
}

#endif
