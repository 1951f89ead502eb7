/* loop: real children and real time. */
#include "loop_fixture.h"

/* ---- the usual child ---- */

/* Which signals a shell's child ignores, but for 32 and 33: those are the C library's own, they can't be set, and make starts
 * its children with them ignored. */
#define SHOW_IGNORED \
	"s=$(sed -n 's/^SigIgn:[^0-9a-f]*//p' /proc/self/status); echo $((0x$s & ~0x180000000))"

static void child_gives_output_and_status(void **state)
{
	(void)state;
	struct seen seen = {0};
	run_sh(&seen, "echo one; echo two >&2; exit 7", 2000);
	assert_out(&seen, "one\n");
	assert_string_equal(buf_cstr(&seen.err), "two\n");
	assert_int_equal(seen.exit.code, 7);
	assert_int_equal(seen.exit.signal, 0);
	assert_int_equal(seen.exit.leftovers, 0);
	assert_true(seen.exit.max_rss_kib > 100);
	assert_true(seen.exit.wall_us > 100);
	clear(&seen);
}

static void child_ended_by_a_signal_says_so(void **state)
{
	(void)state;
	struct seen seen = {0};
	run_sh(&seen, "kill -9 $$", 2000);
	assert_int_equal(seen.exit.code, -1);
	assert_int_equal(seen.exit.signal, SIGKILL);
	clear(&seen);
}

static void child_uses_cpu_that_is_counted(void **state)
{
	(void)state;
	struct seen seen = {0};
	run_sh(&seen, "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done", 20000);
	assert_true(seen.exit.cpu_us > 5000);
	assert_true(seen.exit.cpu_us <= seen.exit.wall_us + 50000);
	clear(&seen);
}

static void child_starts_with_a_clean_state(void **state)
{
	(void)state;
	struct seen seen = {0};
	int leak = open("/dev/null", O_RDONLY); /* not close-on-exec, on purpose */
	assert_true(leak > 2);
	const char *const argv[] = {"python3", "-c",
		"import os, signal, resource\n"
		"print(sorted(int(f) for f in os.listdir('/proc/self/fd'))[:3], len(os.listdir('/proc/self/fd')))\n"
		"print(signal.pthread_sigmask(signal.SIG_BLOCK, []))\n"
		"s = dict(l.split(':', 1) for l in open('/proc/self/status'))\n"
		"print(s['SigBlk'].strip(), s['SigPnd'].strip())\n"
		"print(os.getpgid(0) == os.getpid(), os.readlink('/proc/self/fd/0'))\n"
		"print(sorted(os.environ))",
		NULL};
	struct world_spawn spec = spec_of(&seen, argv);
	start(&spec);
	run();
	close(leak);
	/* listdir's own descriptor is the fourth. */
	assert_out(&seen, "[0, 1, 2] 4\n"
			  "set()\n"
			  "0000000000000000 0000000000000000\n"
			  "True /dev/null\n"
			  "['LC_CTYPE', 'PATH', 'PAWL_TEST_NODE']\n");
	clear(&seen);
	/* python ignores SIGPIPE by itself; a shell does not. */
	run_sh(&seen, SHOW_IGNORED, 2000);
	assert_out(&seen, "0\n");
	clear(&seen);
}

static void child_runs_in_its_directory(void **state)
{
	(void)state;
	struct seen seen = {0};
	const char *const argv[] = {"pwd", NULL};
	struct world_spawn spec = spec_of(&seen, argv);
	spec.cwd = "/usr";
	start(&spec);
	run();
	assert_out(&seen, "/usr\n");
	clear(&seen);
}

static void child_merges_its_streams_in_order(void **state)
{
	(void)state;
	struct seen seen = {0};
	const char *const argv[] = {
		"sh", "-c", "for i in 1 2 3; do echo o$i; echo e$i >&2; done", NULL};
	struct world_spawn spec = spec_of(&seen, argv);
	spec.merge_stderr = true;
	start(&spec);
	run();
	assert_out(&seen, "o1\ne1\no2\ne2\no3\ne3\n");
	assert_int_equal(seen.err.len, 0);
	clear(&seen);
}

static void child_last_words_come_before_its_end(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		struct seen seen = {0};
		run_sh(&seen, "head -c 60000 /dev/zero; echo last >&2", 5000);
		assert_int_equal(seen.out.len, 60000);
		assert_string_equal(buf_cstr(&seen.err), "last\n");
		clear(&seen);
	}
}

/* ---- input ---- */

static void input_of_any_size_comes_through_cat(void **state)
{
	(void)state;
	const size_t sizes[] = {1, 65536, 65537, 5000000};
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct seen seen = {0};
		char *bytes = mem_alloc(sizes[i]);
		for (size_t k = 0; k < sizes[i]; k++)
			bytes[k] = (char)(k * 31 + k / 251);
		const char *const argv[] = {"cat", NULL};
		struct world_spawn spec = spec_of(&seen, argv);
		spec.input = str_make(bytes, sizes[i]);
		start(&spec);
		run();
		assert_int_equal(seen.exit.code, 0);
		assert_true(str_eq(buf_str(&seen.out), spec.input));
		free(bytes);
		clear(&seen);
	}
}

static void input_may_stay_unread(void **state)
{
	(void)state;
	struct seen seen = {0};
	char *bytes = mem_zalloc(3000000);
	const char *const argv[] = {"sh", "-c", "exec <&-; echo done", NULL};
	struct world_spawn spec = spec_of(&seen, argv);
	spec.input = str_make(bytes, 3000000);
	start(&spec);
	run();
	assert_int_equal(seen.exit.code, 0);
	assert_out(&seen, "done\n");
	free(bytes);
	clear(&seen);
}

static struct seen *writer;

static void write_more(void *arg)
{
	int *left = arg;
	if (--*left == 0) {
		world->proc_write(world->ctx, writer->proc, STR(""));
		world->proc_write(world->ctx, writer->proc, STR("too late"));
		return;
	}
	world->proc_write(world->ctx, writer->proc, STR("more\n"));
	world->timer_start(world->ctx, 5, write_more, left);
}

static void input_can_come_bit_by_bit(void **state)
{
	(void)state;
	struct seen seen = {0};
	int left = 4;
	const char *const argv[] = {"cat", NULL};
	struct world_spawn spec = spec_of(&seen, argv);
	spec.input = STR("first\n");
	spec.input_open = true;
	start(&spec);
	writer = &seen;
	world->timer_start(world->ctx, 5, write_more, &left);
	run();
	assert_out(&seen, "first\nmore\nmore\nmore\n");
	clear(&seen);
}

/* ---- floods ---- */

static void flood_needs_little_memory(void **state)
{
	(void)state;
	struct seen seen = {0};
	struct rusage before;
	struct rusage after;
	const char *const argv[] = {"head", "-c", "200000000", "/dev/zero", NULL};
	struct world_spawn spec = spec_of(&seen, argv);
	seen.keep = false;
	getrusage(RUSAGE_SELF, &before);
	start(&spec);
	run();
	getrusage(RUSAGE_SELF, &after);
	assert_int_equal(seen.bytes, 200000000);
	assert_int_equal(seen.exit.code, 0);
	assert_true(seen.largest >= 65536);
	assert_true(seen.largest <= 1 << 20);
	assert_true(after.ru_maxrss - before.ru_maxrss < 8192);
}

static void flood_does_not_starve_others(void **state)
{
	(void)state;
	struct seen flood = {0};
	struct seen quiet = {0};
	const char *const argv[] = {"yes", NULL};
	struct world_spawn spec = spec_of(&flood, argv);
	flood.keep = false;
	start(&spec);
	start_sh(&quiet, "sleep 0.1; echo here");
	uint64_t from = now_ms();
	while (quiet.exits == 0 && now_ms() - from < 5000) {
		world->timer_start(world->ctx, 20, world->quit, world->ctx);
		run();
	}
	assert_out(&quiet, "here\n");
	assert_true(flood.bytes > 1000000);
	world->proc_stop(world->ctx, flood.proc, 1000);
	run();
	assert_int_equal(flood.exit.signal, SIGTERM);
	clear(&quiet);
	clear(&flood);
}

/* ---- failing to start ---- */

static void assert_start_fails(const struct world_spawn *spec, const char *code, const char *words)
{
	struct err err = {0};
	assert_null(world->proc_start(world->ctx, spec, &err));
	assert_string_equal(err.code, code);
	if (strstr(err.message, words) == NULL)
		fail_msg("'%s' is not in: %s", words, err.message);
	err_finish(&err);
}

static void start_names_what_is_missing(void **state)
{
	(void)state;
	struct seen seen = {0};
	const char *const none[] = {"no-such-program-here", NULL};
	struct world_spawn spec = spec_of(&seen, none);
	assert_start_fails(&spec, "E-SPAWN-NOT-FOUND", "no-such-program-here");
	spec.cwd = "/no/such/dir";
	assert_start_fails(&spec, "E-SPAWN-CWD", "/no/such/dir");
	const char *const sh[] = {"sh", "-c", ":", NULL};
	spec.argv = sh;
	assert_start_fails(&spec, "E-SPAWN-CWD", "/no/such/dir");
	spec.cwd = "/etc/passwd";
	assert_start_fails(&spec, "E-SPAWN-CWD", "Not a directory");
	const char *const slash[] = {"./nothing", NULL};
	spec.cwd = "/usr";
	spec.argv = slash;
	assert_start_fails(&spec, "E-SPAWN-NOT-FOUND", "./nothing");
	const char *const plain[] = {"/etc/passwd", NULL};
	spec.argv = plain;
	assert_start_fails(&spec, "E-SPAWN-SYSTEM", "Permission denied");
	const char *const empty[] = {"", NULL};
	spec.argv = empty;
	assert_start_fails(&spec, "E-SPAWN-NOT-FOUND", "empty");
	run();
	assert_int_equal(seen.exits, 0);
}

static void start_finds_programs_in_the_given_path(void **state)
{
	(void)state;
	struct seen seen = {0};
	char dir[] = "/tmp/pawl-loop-XXXXXX";
	assert_non_null(mkdtemp(dir));
	struct buf file = {0};
	buf_printf(&file, "%s/tool", dir);
	int fd = open(buf_cstr(&file), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_int_equal(write(fd, "#!/bin/sh\necho mine\n", 20), 20);
	close(fd);
	struct buf path = {0};
	buf_printf(&path, "PATH=/nowhere:%s", dir);
	const char *const env[] = {buf_cstr(&path), NULL};
	const char *const argv[] = {"tool", NULL};
	struct world_spawn spec = spec_of(&seen, argv);
	spec.env = env;
	assert_start_fails(&spec, "E-SPAWN-NOT-FOUND", "tool");
	chmod(buf_cstr(&file), 0755);
	start(&spec);
	run();
	assert_out(&seen, "mine\n");
	clear(&seen);
	unlink(buf_cstr(&file));
	rmdir(dir);
	buf_finish(&file);
	buf_finish(&path);
}

static size_t count_fds(void)
{
	size_t count = 0;
	DIR *dir = opendir("/proc/self/fd");
	while (readdir(dir) != NULL)
		count++;
	closedir(dir);
	return count;
}

static void start_leaks_no_descriptor(void **state)
{
	(void)state;
	struct err err = {0};
	struct seen seen = {0};
	const char *const good[] = {"true", NULL};
	const char *const bad[] = {"/no/such", NULL};
	size_t before = count_fds();
	for (int i = 0; i < 500; i++) {
		struct world_spawn spec = spec_of(&seen, i % 10 == 0 ? bad : good);
		spec.input = STR("x");
		bool ok = world->proc_start(world->ctx, &spec, &err) != NULL;
		assert_int_equal(ok, i % 10 != 0);
		run();
	}
	err_finish(&err);
	assert_int_equal(seen.exits, 450);
	assert_int_equal(count_fds(), before);
}

static void start_fails_cleanly_without_descriptors(void **state)
{
	(void)state;
	struct seen seen = {0};
	struct rlimit old;
	const char *const argv[] = {"true", NULL};
	getrlimit(RLIMIT_NOFILE, &old);
	size_t before = count_fds();
	int started = 0;
	/* One more descriptor each time, until it is enough: every step fails once. */
	for (rlim_t extra = 0; extra < 12; extra++) {
		struct rlimit low = {before - 3 + extra, old.rlim_max};
		struct world_spawn spec = spec_of(&seen, argv);
		spec.input = STR("x");
		struct err err = {0};
		setrlimit(RLIMIT_NOFILE, &low);
		struct world_proc *proc = world->proc_start(world->ctx, &spec, &err);
		setrlimit(RLIMIT_NOFILE, &old);
		if (proc == NULL) {
			assert_string_equal(err.code, "E-SPAWN-SYSTEM");
			assert_non_null(strstr(err.help, "ulimit -n"));
		}
		started += proc != NULL;
		err_finish(&err);
		run();
		assert_int_equal(count_fds(), before);
	}
	assert_in_range(started, 1, 8);
	assert_int_equal(seen.exits, started);
}

static void start_many_at_once(void **state)
{
	(void)state;
	static struct seen many[300];
	uint64_t from = now_ms();
	const char *const argv[] = {"sleep", "0.5", NULL};
	for (size_t i = 0; i < 300; i++) {
		struct world_spawn spec = spec_of(&many[i], argv);
		start(&spec);
	}
	run();
	for (size_t i = 0; i < 300; i++) {
		assert_int_equal(many[i].exits, 1);
		assert_int_equal(many[i].exit.code, 0);
		assert_int_equal(many[i].exit.leftovers, 0);
	}
	assert_true(now_ms() - from < 20000);
}

/* ---- timers, pool, hooks ---- */

struct order {
	char text[64];
	struct world_timer *victim;
	int turns;
};
static struct order order;

static void note(void *arg)
{
	size_t len = strlen(order.text);
	order.text[len] = *(const char *)arg;
	order.text[len + 1] = '\0';
}

static void note_and_stop(void *arg)
{
	note(arg);
	world->timer_stop(world->ctx, order.victim);
	world->timer_start(world->ctx, 0, note, (void *)(uintptr_t) "z");
}

static void timers_fire_in_order(void **state)
{
	(void)state;
	order = (struct order){0};
	static char names[] = "abcdef";
	uint64_t from = now_ms();
	world->timer_start(world->ctx, 60, note, &names[3]);
	world->timer_start(world->ctx, 20, note, &names[1]);
	world->timer_start(world->ctx, 20, note_and_stop, &names[2]);
	world->timer_start(world->ctx, 0, note, &names[0]);
	order.victim = world->timer_start(world->ctx, 30, note, &names[5]);
	world->timer_start(world->ctx, 70, note, &names[4]);
	world->timer_stop(world->ctx, NULL);
	run();
	assert_string_equal(order.text, "abczde");
	assert_in_range(now_ms() - from, 69, 1000);
}

static size_t fired;

static void count_fire(void *arg)
{
	(void)arg;
	fired++;
}

static void timers_by_the_hundred_thousand(void **state)
{
	(void)state;
	fired = 0;
	static struct world_timer *timers[100000];
	uint64_t from = now_ms();
	for (size_t i = 0; i < 100000; i++)
		timers[i] = world->timer_start(world->ctx, (i * 7919) % 100, count_fire, NULL);
	for (size_t i = 0; i < 100000; i += 2)
		world->timer_stop(world->ctx, timers[i]);
	run();
	assert_int_equal(fired, 50000);
	assert_true(now_ms() - from < 3000);
}

static atomic_int worked;
static int finished;

static void work(void *arg)
{
	(void)arg;
	atomic_fetch_add(&worked, 1);
}

static void work_done(void *arg)
{
	int *again = arg;
	finished++;
	if (*again > 0) {
		--*again;
		world->offload(world->ctx, work, work_done, again);
	}
}

static void pool_runs_work_from_many(void **state)
{
	(void)state;
	worked = 0;
	finished = 0;
	int again = 1000;
	for (int i = 0; i < 2000; i++)
		world->offload(world->ctx, work, work_done, &again);
	run();
	assert_int_equal(worked, 3000);
	assert_int_equal(finished, 3000);
}

static void pool_may_be_left_unfinished(void **state)
{
	(void)state;
	int again = 0;
	finished = 0;
	for (int i = 0; i < 100; i++)
		world->offload(world->ctx, work, work_done, &again);
	loop_destroy(loop, 0);
	assert_int_equal(finished, 0);
	assert_int_equal(set_up(NULL), 0);
}

static void count_turn(void *arg)
{
	(void)arg;
	order.turns++;
}

static void turn_hook_runs_once_a_turn(void **state)
{
	(void)state;
	order = (struct order){0};
	fired = 0;
	world->on_turn(world->ctx, count_turn, NULL);
	for (int i = 0; i < 10; i++)
		world->timer_start(world->ctx, 0, count_fire, NULL);
	run();
	assert_int_equal(fired, 10);
	assert_int_equal(order.turns, 1);
	struct seen seen = {0};
	run_sh(&seen, "echo x; sleep 0.1; echo y", 2000);
	assert_in_range(order.turns, 3, 5);
	clear(&seen);
}

static int got_signal;

static void saw_signal(void *arg, int signal)
{
	(void)arg;
	got_signal = signal;
	world->quit(world->ctx);
}

static void send_self(void *arg)
{
	kill(getpid(), *(int *)arg);
}

static void signals_come_as_callbacks(void **state)
{
	(void)state;
	int wanted[] = {SIGINT, SIGTERM, SIGHUP};
	world->on_signal(world->ctx, saw_signal, NULL);
	struct seen seen = {0};
	start_sh(&seen, "sleep 30");
	for (int i = 0; i < 3; i++) {
		got_signal = 0;
		world->timer_start(world->ctx, 10, send_self, &wanted[i]);
		run();
		assert_int_equal(got_signal, wanted[i]);
		assert_int_equal(seen.exits, 0);
	}
	world->proc_stop(world->ctx, seen.proc, 1000);
	run();
	assert_int_equal(seen.exit.signal, SIGTERM);
	clear(&seen);
}

static void signals_ignored_before_stay_ignored(void **state)
{
	(void)state;
	loop_destroy(loop, 0);
	sigset_t before;
	sigset_t after;
	sigprocmask(SIG_SETMASK, NULL, &before);
	signal(SIGHUP, SIG_IGN);
	assert_int_equal(set_up(NULL), 0);
	got_signal = 0;
	world->on_signal(world->ctx, saw_signal, NULL);
	int hup = SIGHUP;
	struct seen seen = {0};
	world->timer_start(world->ctx, 0, send_self, &hup);
	run_sh(&seen, "sleep 0.1; " SHOW_IGNORED, 2000);
	assert_int_equal(got_signal, 0);
	assert_out(&seen, "0\n");
	loop_destroy(loop, 0);
	signal(SIGHUP, SIG_DFL);
	sigprocmask(SIG_SETMASK, NULL, &after);
	for (int i = 1; i < 32; i++)
		assert_int_equal(sigismember(&before, i), sigismember(&after, i));
	assert_int_equal(set_up(NULL), 0);
	clear(&seen);
}

static void run_ends_when_nothing_can_happen(void **state)
{
	(void)state;
	run();
	world->quit(world->ctx);
	run();
	struct seen seen = {0};
	run_sh(&seen, "echo again", 2000);
	assert_out(&seen, "again\n");
	clear(&seen);
}

struct watched {
	int fd;
	size_t bytes;
};

static void read_watched(void *arg)
{
	struct watched *watched = arg;
	char text[16];
	ssize_t n = read(watched->fd, text, sizeof(text));
	if (n <= 0)
		loop_unwatch(loop, watched->fd);
	else
		watched->bytes += (size_t)n;
}

static void close_it(void *arg)
{
	close(*(int *)arg);
}

static void watch_keeps_the_loop_going(void **state)
{
	(void)state;
	int fds[2];
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	struct watched watched = {.fd = fds[0]};
	assert_true(loop_watch(loop, fds[0], read_watched, &watched, NULL));
	assert_int_equal(write(fds[1], "hello", 5), 5);
	world->timer_start(world->ctx, 20, close_it, &fds[1]);
	run();
	assert_int_equal(watched.bytes, 5);
	close(fds[0]);
	struct err err = {0};
	assert_false(loop_watch(loop, fds[0], read_watched, &watched, &err));
	assert_string_equal(err.code, "E-LOOP-SYSTEM");
	err_finish(&err);
}

static void start_next(void *arg, const struct world_exit *exit);
static int chain;

static void start_link(void)
{
	static const char *const argv[] = {"true", NULL};
	struct world_spawn spec = {.argv = argv, .env = test_env, .on_exit = start_next};
	assert_non_null(world->proc_start(world->ctx, &spec, NULL));
}

static void start_next(void *arg, const struct world_exit *exit)
{
	(void)arg;
	assert_int_equal(exit->code, 0);
	if (++chain < 50)
		start_link();
}

static void exit_may_start_the_next(void **state)
{
	(void)state;
	chain = 0;
	start_link();
	run();
	assert_int_equal(chain, 50);
}

static void there_is_one_loop(void **state)
{
	(void)state;
	struct err err = {0};
	assert_null(loop_create(&err));
	assert_string_equal(err.code, "E-LOOP-SYSTEM");
	err_finish(&err);
}

int main(void)
{
	name_marker();
	const struct CMUnitTest tests[] = {
		CASE(child_gives_output_and_status),
		CASE(child_ended_by_a_signal_says_so),
		CASE(child_uses_cpu_that_is_counted),
		CASE(child_starts_with_a_clean_state),
		CASE(child_runs_in_its_directory),
		CASE(child_merges_its_streams_in_order),
		CASE(child_last_words_come_before_its_end),
		CASE(input_of_any_size_comes_through_cat),
		CASE(input_may_stay_unread),
		CASE(input_can_come_bit_by_bit),
		CASE(flood_needs_little_memory),
		CASE(flood_does_not_starve_others),
		CASE(start_names_what_is_missing),
		CASE(start_finds_programs_in_the_given_path),
		CASE(start_leaks_no_descriptor),
		CASE(start_fails_cleanly_without_descriptors),
		CASE(start_many_at_once),
		CASE(timers_fire_in_order),
		CASE(timers_by_the_hundred_thousand),
		CASE(pool_runs_work_from_many),
		CASE(pool_may_be_left_unfinished),
		CASE(turn_hook_runs_once_a_turn),
		CASE(signals_come_as_callbacks),
		CASE(signals_ignored_before_stay_ignored),
		CASE(run_ends_when_nothing_can_happen),
		CASE(watch_keeps_the_loop_going),
		CASE(exit_may_start_the_next),
		CASE(there_is_one_loop),
	};
	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
