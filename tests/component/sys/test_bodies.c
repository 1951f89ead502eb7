/* bodies: what a killed process leaves running is found in every shape, and nobody else is touched.  The killed one is a copy
 * of this test that runs a loop of its own. */
#include "base/buf.h"
#include "base/mem.h"
#include "sys/bodies_internal.h"
#include "sys/fs.h"
#include "sys/loop.h"
#include "sys/proc_internal.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_MS 60000

static char directory[32];
static struct bodies_mark mark;

static int set_up(void **state)
{
	(void)state;
	struct buf here = {0};
	struct buf marker = {0};
	snprintf(directory, sizeof(directory), "/tmp/pawl-bodies-XXXXXX");
	if (!mkdtemp(directory) || chdir(directory) != 0)
		return -1;
	mark.dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bodies_here(mark.dir, &here);
	buf_printf(&marker, "PAWL_TEST_BODY=%s/", buf_cstr(&here));
	mark.limit = bodies_limit(buf_str(&marker));
	mark.here = buf_take(&here);
	mark.marker = buf_take(&marker);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	bodies_end_left(&mark, 0, NULL);
	close(mark.dir);
	free(mark.here);
	free(mark.marker);
	return chdir("/") == 0 && fs_remove_tree(AT_FDCWD, directory, NULL) ? 0 : -1;
}

static int32_t read_pid(const char *name)
{
	struct buf text = {0};
	int32_t pid = 0;
	if (fs_read_file(AT_FDCWD, name, 100, &text, NULL) && text.len > 0 &&
		text.ptr[text.len - 1] == '\n')
		pid = (int32_t)strtol(buf_cstr(&text), NULL, 10);
	buf_finish(&text);
	return pid;
}

/* The process whose number a script has written there. */
static struct proc_id await_pid(const char *name)
{
	struct proc_stat stat = {0};
	for (int i = 0; i < PATIENCE_MS / 10; i++) {
		int32_t pid = read_pid(name);
		if (pid > 0 && proc_read_stat(pid, &stat))
			return stat.id;
		poll(NULL, 0, 10);
	}
	fail_msg("no process has written %s", name);
	return stat.id;
}

static bool await_end(struct proc_id id)
{
	for (int i = 0; i < PATIENCE_MS / 10 && proc_is_alive(id); i++)
		poll(NULL, 0, 10);
	return !proc_is_alive(id);
}

static void await_stopped(struct proc_id id)
{
	struct proc_stat stat = {0};
	for (int i = 0; i < PATIENCE_MS / 10 && stat.state != 'T'; i++) {
		poll(NULL, 0, 10);
		assert_true(proc_read_stat(id.pid, &stat));
	}
}

/* Begins what is killed later: a process that records, and runs `sh -c script`. */
static struct proc_id begin(const char *script)
{
	pid_t pid = fork();
	if (pid == 0) {
		struct err err = {0};
		char *entry = mem_alloc(strlen(mark.marker) + 2);
		snprintf(entry, strlen(mark.marker) + 2, "%s1", mark.marker);
		const char *const env[] = {"PATH=/usr/local/bin:/usr/bin:/bin", entry, NULL};
		const char *const argv[] = {"sh", "-c", script, NULL};
		struct world_spawn spec = {.argv = argv, .env = env, .marker = entry};
		struct loop *loop = loop_create(&err);
		const struct world *world = loop ? loop_world(loop) : NULL;
		if (world && bodies_open(&mark, &err) && world->proc_start(world->ctx, &spec, &err))
			world->run(world->ctx);
		_exit(1);
	}
	struct proc_stat stat = {0};
	assert_true(proc_read_stat(pid, &stat));
	return stat.id;
}

static void kill_owner(struct proc_id owner)
{
	kill(owner.pid, SIGKILL);
	assert_int_equal(waitpid(owner.pid, NULL, 0), owner.pid);
}

static size_t records(void)
{
	struct fs_list list = {0};
	size_t count = fs_list_tree(mark.dir, BODIES_DIR, NULL, &list, NULL) ? list.len : 0;
	fs_list_finish(&list);
	return count;
}

/* ---- what is left is found ---- */

struct shape {
	const char *
		script; /* `left` gets the number of who lives on, `body` that of the body where that is to end before */
	bool is_escape; /* without the limit nothing tells whose it is */
};

static const struct shape shapes[] = {
	{"echo $$ >left; exec sleep 600", false},
	{"env -i sh -c 'echo $$ >left; exec sleep 600'; :", false},
	{"env -i sh -c 'trap \"\" TERM; echo $$ >left; while :; do /bin/sleep 0.05; done'; :",
		false},
	{"env -i sh -c 'echo $$ >left; kill -STOP $$'; :", false},
	{"timeout 600 env -i sh -c 'echo $$ >left; exec sleep 600'; :", false},
	{"env -i setsid sh -c 'echo $$ >left; exec sleep 600' & wait", false},
	{"bash -mc \"env -i sh -c 'echo \\$\\$ >left; exec sleep 600' & wait\"; :", false},
	{"(env -i sh -c 'echo $$ >left; exec sleep 600' &); exec sleep 600", false},
	{"(setsid sh -c 'echo $$ >left; exec sleep 600' &); exec sleep 600", false},
	{"echo $$ >body; env -i sh -c 'echo $$ >left; exec sleep 600' & wait", true},
	{"(env -i setsid sh -c 'echo $$ >left; exec sleep 600' >/dev/null 2>&1 &); exec sleep 600",
		true},
};

static void end_shape(const struct shape *shape)
{
	struct proc_id owner = begin(shape->script);
	struct proc_id left = await_pid("left");
	if (strstr(shape->script, "STOP") != NULL)
		await_stopped(left);
	assert_int_equal(bodies_count_left(&mark), 0);
	assert_false(bodies_has_dead(&mark));
	kill_owner(owner);
	if (read_pid("body") > 0) {
		struct proc_id body = await_pid("body");
		kill(body.pid, SIGKILL);
		assert_true(await_end(body));
	}
	assert_true(bodies_has_dead(&mark));
	if (bodies_count_left(&mark) == 0)
		fail_msg("not found: %s", shape->script);
	size_t stuck = 1;
	assert_true(bodies_end_left(&mark, 100, &stuck) > 0);
	assert_int_equal(stuck, 0);
	if (!await_end(left))
		fail_msg("lives on: %s", shape->script);
	assert_false(bodies_has_dead(&mark));
	assert_int_equal(records(), 0);
	unlink("left");
	unlink("body");
}

static void left_overs_of_every_shape_are_ended(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++)
		end_shape(&shapes[i]);
}

static void left_overs_are_found_without_a_limit(void **state)
{
	(void)state;
	mark.limit = 0;
	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
		if (!shapes[i].is_escape)
			end_shape(&shapes[i]);
	}
}

static void body_that_kills_at_once_is_on_record(void **state)
{
	(void)state;
	/* The first thing that it does. */
	struct proc_id owner = begin("kill -KILL $PPID; echo $$ >left; exec sleep 600");
	assert_int_equal(waitpid(owner.pid, NULL, 0), owner.pid);
	struct proc_id left = await_pid("left");
	assert_true(bodies_end_left(&mark, 100, NULL) > 0);
	assert_true(await_end(left));
}

static void record_goes_with_the_body(void **state)
{
	(void)state;
	struct err err = {0};
	const char *const env[] = {"PATH=/usr/bin:/bin", NULL};
	const char *const argv[] = {"sh", "-c", "cat bodies/* | tr '\\0' ' ' >seen", NULL};
	struct world_spawn spec = {.argv = argv, .env = env};
	struct buf seen = {0};
	struct loop *loop = loop_create(&err);
	assert_non_null(loop);
	const struct world *world = loop_world(loop);
	assert_true(bodies_open(&mark, &err));
	for (int i = 0; i < 3; i++) {
		assert_non_null(world->proc_start(world->ctx, &spec, &err));
		world->run(world->ctx);
		assert_true(fs_read_file(AT_FDCWD, "seen", 100000, &seen, NULL));
		/* One after the other they take one slot. */
		assert_int_equal(seen.len, 2 * BODIES_SLOT);
		assert_true(str_starts(buf_str(&seen), STR(BODIES_HEAD)));
	}
	struct proc_stat stat;
	struct buf record = {0};
	struct fs_list list = {0};
	assert_true(fs_list_tree(mark.dir, BODIES_DIR, NULL, &list, NULL));
	assert_int_equal(list.len, 1);
	buf_printf(&record, BODIES_DIR "/%s", list.ptr[0].name);
	assert_true(fs_read_file(mark.dir, buf_cstr(&record), 100000, &seen, NULL));
	assert_int_equal(seen.ptr[BODIES_SLOT], 0);
	assert_true(proc_parse_stat(seen.ptr + BODIES_SLOT + 1, &stat));
	loop_destroy(loop, 0);
	bodies_close();
	assert_int_equal(records(), 0);
	fs_list_finish(&list);
	buf_finish(&record);
	buf_finish(&seen);
}

struct told {
	const struct world *world;
	struct world_proc *other;
	struct world_exit exit;
	bool was_alive; /* what it had left, when its end was told */
};

static void on_first_end(void *arg, const struct world_exit *exit)
{
	struct told *told = arg;
	struct proc_id left = {read_pid("left"), 0};
	told->exit = *exit;
	told->was_alive = kill(left.pid, 0) == 0;
	told->world->proc_write(told->world->ctx, told->other, STR(""));
}

/* Nothing but the limit tells from which of two children it comes. */
static void daemon_ends_with_its_child_while_others_run(void **state)
{
	(void)state;
	struct err err = {0};
	struct told told = {0};
	const char *const env[] = {"PATH=/usr/local/bin:/usr/bin:/bin", NULL};
	const char *const waits[] = {"cat", NULL};
	const char *const leaves[] = {"sh", "-c",
		"(env -i setsid sh -c 'echo $$ >left; exec sleep 600' >/dev/null 2>&1 &)\n"
		"while [ ! -s left ]; do sleep 0.01; done",
		NULL};
	struct world_spawn other = {.argv = waits, .env = env, .input_open = true};
	struct world_spawn first = {
		.argv = leaves, .env = env, .on_exit = on_first_end, .arg = &told};
	struct loop *loop = loop_create(&err);
	assert_non_null(loop);
	told.world = loop_world(loop);
	assert_true(bodies_open(&mark, &err));
	told.other = told.world->proc_start(told.world->ctx, &other, &err);
	assert_non_null(told.other);
	assert_non_null(told.world->proc_start(told.world->ctx, &first, &err));
	told.world->run(told.world->ctx);
	assert_int_equal(told.exit.leftovers, 1);
	assert_false(told.was_alive);
	loop_destroy(loop, 0);
	bodies_close();
}

/* ---- and nobody else ---- */

static void bodies_of_the_living_are_left_alone(void **state)
{
	(void)state;
	struct proc_id dead = begin("env -i sh -c 'echo $$ >left; exec sleep 600'; :");
	struct proc_id left = await_pid("left");
	struct proc_id alive = begin(
		"env -i setsid sh -c '(setsid sh -c \"echo \\$\\$ >theirs; exec sleep 600\" &)'; exec sleep 600");
	struct proc_id theirs = await_pid("theirs");
	kill_owner(dead);
	assert_true(bodies_end_left(&mark, 100, NULL) > 0);
	assert_true(await_end(left));
	assert_true(proc_is_alive(alive));
	assert_true(proc_is_alive(theirs));
	assert_int_equal(records(), 1);
	kill_owner(alive);
	assert_true(bodies_end_left(&mark, 100, NULL) > 0);
	assert_true(await_end(theirs));
}

/* A process that nobody here has started: its parent is gone. */
static struct proc_id start_stranger(void)
{
	unlink("stranger");
	pid_t pid = fork();
	if (pid == 0) {
		const char *argv[] = {"sh", "-c",
			"setsid sh -c 'echo $$ >stranger; exec sleep 600' >/dev/null 2>&1 &", NULL};
		const char *env[] = {"PATH=/usr/local/bin:/usr/bin:/bin", NULL};
		execve("/bin/sh", (char *const *)(uintptr_t)argv, (char *const *)(uintptr_t)env);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return await_pid("stranger");
}

/* A record of a process that is gone, which names one body. */
static void forge(const char *name, const char *here, struct proc_id body)
{
	struct buf record = {0};
	struct buf path = {0};
	buf_printf(&record, BODIES_HEAD "%s %d %llu\n", here, 1, 0ULL);
	while (record.len < BODIES_SLOT)
		buf_add_char(&record, '\0');
	buf_printf(&record, "%d (pawl) S 1 %d %d 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 %llu 0 0",
		body.pid, body.pid, body.pid, (unsigned long long)body.start);
	while (record.len < 2 * BODIES_SLOT)
		buf_add_char(&record, '\0');
	buf_printf(&path, BODIES_DIR "/%s", name);
	mkdirat(mark.dir, BODIES_DIR, 0700);
	assert_true(fs_write_file(mark.dir, buf_cstr(&path), buf_str(&record), 0600, false, NULL));
	buf_finish(&record);
	buf_finish(&path);
}

static void record_of_a_number_that_is_anothers_now_touches_nobody(void **state)
{
	(void)state;
	struct proc_id stranger = start_stranger();
	struct proc_id former = {stranger.pid, stranger.start - 1};
	forge("1-0", mark.here, former);
	assert_true(bodies_has_dead(&mark));
	assert_int_equal(bodies_count_left(&mark), 0);
	assert_int_equal(bodies_end_left(&mark, 0, NULL), 0);
	assert_true(proc_is_alive(stranger));
	assert_int_equal(records(), 0);
	/* That very record with the right start is believed. */
	forge("1-0", mark.here, stranger);
	assert_int_equal(bodies_end_left(&mark, 0, NULL), 1);
	assert_true(await_end(stranger));
}

static void record_from_elsewhere_touches_nobody(void **state)
{
	(void)state;
	struct proc_id stranger = start_stranger();
	struct buf here = {0};
	/* Another directory, another boot; and none at all. */
	buf_printf(&here, "%.*s/1:2%s", 36, mark.here, strrchr(mark.here, '/'));
	forge("1-0", buf_cstr(&here), stranger);
	buf_clear(&here);
	buf_printf(&here, "00000000-0000-0000-0000-000000000000%s", mark.here + 36);
	forge("2-0", buf_cstr(&here), stranger);
	forge("3-0", "?", stranger);
	assert_int_equal(records(), 3);
	assert_int_equal(bodies_end_left(&mark, 0, NULL), 0);
	assert_true(proc_is_alive(stranger));
	assert_int_equal(records(), 0);
	/* Another namespace of numbers: its owner may live. */
	buf_clear(&here);
	buf_printf(&here, "%.*s/7", (int)(strrchr(mark.here, '/') - mark.here), mark.here);
	forge("1-0", buf_cstr(&here), stranger);
	assert_false(bodies_has_dead(&mark));
	assert_int_equal(bodies_end_left(&mark, 0, NULL), 0);
	assert_true(proc_is_alive(stranger));
	assert_int_equal(records(), 1);
	kill(stranger.pid, SIGKILL);
	buf_finish(&here);
}

static void who_looks_is_never_ended_nor_who_is_above(void **state)
{
	(void)state;
	/* A left-over that looks itself: the limit is that of its parent's body. */
	struct proc_id owner = begin("echo $$ >left; exec sleep 600");
	struct proc_id left = await_pid("left");
	kill_owner(owner);
	pid_t above = fork();
	if (above == 0) {
		struct rlimit limit = {mark.limit, RLIM_INFINITY};
		setrlimit(BODIES_RLIMIT, &limit);
		pid_t below = fork();
		if (below == 0)
			_exit(bodies_end_left(&mark, 100, NULL) > 0 ? 0 : 1);
		int status = 1;
		waitpid(below, &status, 0);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 9);
	}
	int status = 0;
	assert_int_equal(waitpid(above, &status, 0), above);
	assert_int_equal(status, 0);
	assert_true(await_end(left));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(left_overs_of_every_shape_are_ended),
		CASE(left_overs_are_found_without_a_limit),
		CASE(body_that_kills_at_once_is_on_record),
		CASE(record_goes_with_the_body),
		CASE(daemon_ends_with_its_child_while_others_run),
		CASE(bodies_of_the_living_are_left_alone),
		CASE(record_of_a_number_that_is_anothers_now_touches_nobody),
		CASE(record_from_elsewhere_touches_nobody),
		CASE(who_looks_is_never_ended_nor_who_is_above),
	};
	return cmocka_run_group_tests_name("bodies", tests, NULL, NULL);
}
