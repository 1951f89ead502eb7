/* loop: stopping children, and the end of what they leave behind, in every shape. */
#include "loop_fixture.h"

/* ---- who stays behind ---- */

static void orphan_that_holds_the_pipe_is_ended(void **state)
{
	(void)state;
	struct seen seen = {0};
	run_sh(&seen, "sleep 30 & echo $!", 3000);
	assert_int_equal(seen.exit.code, 0);
	assert_int_equal(seen.exit.leftovers, 1);
	assert_true(is_gone(buf_cstr(&seen.out)));
	assert_true(seen.exit.wall_us < 1000000);
	clear(&seen);
}

static void orphan_that_is_detached_is_ended_soon(void **state)
{
	(void)state;
	struct seen seen = {0};
	run_sh(&seen, "sleep 30 >/dev/null 2>&1 & echo $!", 900);
	assert_int_equal(seen.exit.leftovers, 1);
	assert_true(is_gone(buf_cstr(&seen.out)));
	clear(&seen);
}

static void orphan_that_ends_by_itself_is_no_leftover(void **state)
{
	(void)state;
	struct seen seen = {0};
	run_sh(&seen, "(sleep 0.2; echo late) & echo first", 3000);
	assert_out(&seen, "first\nlate\n");
	assert_int_equal(seen.exit.leftovers, 0);
	clear(&seen);
}

/* Each prints the number of a process that tries to live on. */
static const char *const shapes[] = {
	"setsid sleep 30 & echo $!",
	"setsid sleep 30 >/dev/null 2>&1 & echo $!; sleep 0.1",
	"(setsid sh -c 'echo $$; exec sleep 30' &) ; sleep 0.1",
	"setsid sh -c 'trap \"\" TERM; echo $$; while :; do sleep 0.05; done' & sleep 0.2",
	"sh -c 'trap \"\" TERM HUP INT; echo $$; while :; do sleep 0.05; done' & sleep 0.2",
	"sh -c 'kill -STOP $$' & echo $!; sleep 0.1",
	"setsid sh -c 'setsid sh -c \"setsid sleep 30 & echo \\$!; sleep 30\" & sleep 30' & sleep 0.3",
	"env -i setsid sh -c 'echo $$; exec sleep 30' & sleep 0.1",
	"python3 -c '\n"
	"import os, sys, time\n"
	"if os.fork(): os._exit(0)\n"
	"os.setsid()\n"
	"if os.fork(): os._exit(0)\n"
	"os.chdir(\"/\"); os.umask(0)\n"
	"print(os.getpid(), flush=True)\n"
	"null = os.open(\"/dev/null\", os.O_RDWR)\n"
	"for fd in (0, 1, 2): os.dup2(null, fd)\n"
	"time.sleep(30)'; sleep 0.3",
};

static void orphans_of_every_shape_are_ended(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
		struct seen seen = {0};
		run_sh(&seen, shapes[i], 5000);
		if (seen.out.len == 0 || !is_gone(buf_cstr(&seen.out)) || seen.exit.leftovers == 0)
			fail_msg("%u left, pid %s lives: %s", seen.exit.leftovers,
				buf_cstr(&seen.out), shapes[i]);
		clear(&seen);
	}
}

static void orphans_of_every_shape_are_stopped(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
		struct seen seen = {0};
		struct buf script = {0};
		buf_printf(&script, "%s; sleep 30", shapes[i]);
		uint64_t from = now_ms();
		start_sh(&seen, buf_cstr(&script));
		run_until_output(&seen);
		world->proc_stop(world->ctx, seen.proc, 300);
		assert_int_equal(seen.exits, 0);
		run();
		assert_int_equal(seen.exits, 1);
		assert_int_equal(seen.exit.signal, SIGTERM);
		if (!is_gone(buf_cstr(&seen.out)))
			fail_msg("pid %s lives: %s", buf_cstr(&seen.out), shapes[i]);
		assert_true(now_ms() - from < 8000);
		buf_finish(&script);
		clear(&seen);
	}
}

static void orphan_that_always_forks_is_ended(void **state)
{
	(void)state;
	struct seen seen = {0};
	const char *const argv[] = {"python3", "-c",
		"import os, time\n"
		"if os.fork(): time.sleep(0.2); os._exit(0)\n"
		"end = time.time() + 20\n"
		"while time.time() < end:\n"
		"    if os.fork(): os._exit(0)\n"
		"    os.setsid()\n",
		NULL};
	struct world_spawn spec = spec_of(&seen, argv);
	start(&spec);
	uint64_t from = now_ms();
	run();
	assert_int_equal(seen.exits, 1);
	assert_true(seen.exit.leftovers > 0);
	assert_true(now_ms() - from < 8000);
	assert_int_equal(count_marked(), 0);
	clear(&seen);
}

static void orphan_whose_first_thread_ended_is_ended(void **state)
{
	(void)state;
	struct seen seen = {0};
	const char *const argv[] = {"sh", "-c",
		"setsid python3 -c '\n"
		"import ctypes, os, threading, time\n"
		"threading.Thread(target=time.sleep, args=(30,)).start()\n"
		"print(os.getpid(), flush=True)\n"
		"ctypes.CDLL(None).pthread_exit(None)' & sleep 0.5",
		NULL};
	struct world_spawn spec = spec_of(&seen, argv);
	start(&spec);
	run();
	assert_int_equal(seen.exit.leftovers, 1);
	assert_true(is_gone(buf_cstr(&seen.out)));
	clear(&seen);
}

static void orphans_by_the_hundred_are_ended(void **state)
{
	(void)state;
	struct seen seen = {0};
	run_sh(&seen, "for i in $(seq 200); do setsid sleep 30 >/dev/null 2>&1 & done; sleep 0.5",
		15000);
	assert_int_equal(seen.exit.leftovers, 200);
	assert_int_equal(count_marked(), 0);
	clear(&seen);
}

static void orphans_are_told_apart(void **state)
{
	(void)state;
	struct seen longer = {0};
	struct seen shorter = {0};
	const char *const other_env[] = {"PATH=/usr/bin:/bin", "PAWL_TEST_NODE=other", NULL};
	const char *const argv[] = {
		"sh", "-c", "(setsid sh -c 'sleep 1.5; echo undisturbed' &); sleep 1.8", NULL};
	struct world_spawn spec = spec_of(&longer, argv);
	spec.env = other_env;
	spec.marker = other_env[1];
	start(&spec);
	start_sh(&shorter, "sleep 0.3; setsid sleep 30 >/dev/null 2>&1 & sleep 0.5; echo $!");
	run();
	assert_int_equal(shorter.exit.leftovers, 1);
	assert_out(&longer, "undisturbed\n");
	assert_int_equal(longer.exit.leftovers, 0);
	clear(&longer);
	clear(&shorter);
}

static void orphans_that_end_are_reaped(void **state)
{
	(void)state;
	struct seen seen = {0};
	/* Zombies whose parent is this process, seen by the child while it runs. */
	struct buf script = {0};
	buf_printf(&script,
		"for i in 1 2 3 4 5; do (true &); done; sleep 0.3; "
		"ps -o stat= --ppid %d | grep -c Z; true",
		(int)getpid());
	run_sh(&seen, buf_cstr(&script), 3000);
	assert_out(&seen, "0\n");
	assert_int_equal(seen.exit.leftovers, 0);
	buf_finish(&script);
	clear(&seen);
}

static void children_from_before_are_left_alone(void **state)
{
	(void)state;
	loop_destroy(loop, 0);
	pid_t pid = fork();
	if (pid == 0) {
		execlp("sleep", "sleep", "30", (char *)NULL);
		_exit(127);
	}
	assert_int_equal(set_up(NULL), 0);
	struct seen seen = {0};
	run_sh(&seen, "echo x", 2000);
	assert_int_equal(seen.exit.leftovers, 0);
	loop_destroy(loop, 0);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(set_up(NULL), 0);
	clear(&seen);
}

static void destroy_leaves_no_child(void **state)
{
	(void)state;
	struct seen seen = {0};
	start_sh(
		&seen, "trap '' TERM; env -i setsid sleep 30 & echo $!; while :; do sleep 1; done");
	run_until_output(&seen);
	loop_destroy(loop, 50);
	assert_int_equal(seen.exits, 0);
	assert_true(is_gone(buf_cstr(&seen.out)));
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(set_up(NULL), 0);
	clear(&seen);
}

/* ---- stopping ---- */

static void stop_lets_the_child_clean_up(void **state)
{
	(void)state;
	struct seen seen = {0};
	start_sh(&seen, "trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.05; done");
	run_until_output(&seen);
	world->proc_stop(world->ctx, seen.proc, 5000);
	uint64_t from = now_ms();
	run();
	assert_out(&seen, "up\nbye\n");
	assert_int_equal(seen.exit.code, 3);
	assert_true(now_ms() - from < 2000);
	clear(&seen);
}

static void stop_kills_who_ignores_it(void **state)
{
	(void)state;
	struct seen seen = {0};
	start_sh(&seen, "trap '' TERM; echo up; while :; do sleep 0.05; done");
	run_until_output(&seen);
	uint64_t from = now_ms();
	world->proc_stop(world->ctx, seen.proc, 200);
	run();
	assert_int_equal(seen.exit.signal, SIGKILL);
	assert_in_range(now_ms() - from, 190, 2000);
	clear(&seen);
}

static void stop_reaches_a_stopped_child(void **state)
{
	(void)state;
	struct seen seen = {0};
	start_sh(&seen, "echo up; kill -STOP $$; sleep 30");
	run_until_output(&seen);
	uint64_t from = now_ms();
	world->proc_stop(world->ctx, seen.proc, 5000);
	run();
	assert_int_equal(seen.exit.signal, SIGTERM);
	assert_true(now_ms() - from < 2000);
	clear(&seen);
}

static void stop_may_become_shorter(void **state)
{
	(void)state;
	struct seen seen = {0};
	start_sh(&seen, "trap '' TERM; echo up; while :; do sleep 0.05; done");
	run_until_output(&seen);
	uint64_t from = now_ms();
	world->proc_stop(world->ctx, seen.proc, UINT64_MAX);
	world->proc_stop(world->ctx, seen.proc, 0);
	run();
	assert_int_equal(seen.exit.signal, SIGKILL);
	assert_true(now_ms() - from < 2000);
	clear(&seen);
}

/* Stops its own child at every occasion. */
static void stop_on_output(void *arg, int32_t stream, str bytes)
{
	struct seen *seen = arg;
	saw_output(arg, stream, bytes);
	world->proc_stop(world->ctx, seen->proc, 100);
	assert_int_equal(seen->exits, 0);
}

static void stop_on_exit(void *arg, const struct world_exit *exit)
{
	struct seen *seen = arg;
	saw_exit(arg, exit);
	world->proc_stop(world->ctx, seen->proc, 0);
	world->proc_signal(world->ctx, seen->proc, SIGKILL);
	world->proc_write(world->ctx, seen->proc, STR("late"));
}

static void stop_may_come_from_callbacks(void **state)
{
	(void)state;
	const char *const scripts[] = {"echo x; exec sleep 30", "echo x",
		"echo x; sleep 30 & echo y", "echo x; kill -9 $$"};
	for (size_t i = 0; i < sizeof(scripts) / sizeof(*scripts); i++) {
		struct seen seen = {0};
		const char *const argv[] = {"sh", "-c", scripts[i], NULL};
		struct world_spawn spec = spec_of(&seen, argv);
		spec.input_open = true;
		spec.on_output = stop_on_output;
		spec.on_exit = stop_on_exit;
		uint64_t from = now_ms();
		start(&spec);
		run();
		assert_int_equal(seen.exits, 1);
		assert_int_equal(seen.after_exit, 0);
		assert_true(now_ms() - from < 1500);
		assert_int_equal(count_marked(), 0);
		clear(&seen);
	}
}

static void signal_reaches_the_group(void **state)
{
	(void)state;
	struct seen seen = {0};
	start_sh(&seen, "trap 'echo usr1; exit 0' USR1; echo up; while :; do sleep 0.05; done");
	run_until_output(&seen);
	world->proc_signal(world->ctx, seen.proc, SIGUSR1);
	run();
	assert_out(&seen, "up\nusr1\n");
	clear(&seen);
}

int main(void)
{
	name_marker();
	const struct CMUnitTest tests[] = {
		CASE(orphan_that_holds_the_pipe_is_ended),
		CASE(orphan_that_is_detached_is_ended_soon),
		CASE(orphan_that_ends_by_itself_is_no_leftover),
		CASE(orphans_of_every_shape_are_ended),
		CASE(orphans_of_every_shape_are_stopped),
		CASE(orphan_that_always_forks_is_ended),
		CASE(orphan_whose_first_thread_ended_is_ended),
		CASE(orphans_by_the_hundred_are_ended),
		CASE(orphans_are_told_apart),
		CASE(orphans_that_end_are_reaped),
		CASE(children_from_before_are_left_alone),
		CASE(destroy_leaves_no_child),
		CASE(stop_lets_the_child_clean_up),
		CASE(stop_kills_who_ignores_it),
		CASE(stop_reaches_a_stopped_child),
		CASE(stop_may_become_shorter),
		CASE(stop_may_come_from_callbacks),
		CASE(signal_reaches_the_group),
	};
	return cmocka_run_group_tests_name("loop_ends", tests, NULL, NULL);
}
