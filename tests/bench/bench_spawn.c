/* bench_spawn: what the loop adds to a bare spawn of the same command, with 200 MB resident, in turn (A B A B ...).
 *
 *     bench_spawn [ROUNDS [COMMAND ARG...]]     default: 300 rounds of bash -c :
 *
 * A: posix_spawn with three pipes' worth of nothing, waitpid.  B: proc_start, run until on_exit.  Then the same with two
 * at once, and one gigabyte of output. */
#include "base/mem.h"
#include "sys/loop.h"

#include <errno.h>
#include <spawn.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define RESIDENT (200u << 20)
#define FLOOD    "1000000000"

extern char **environ;

static const struct world *world;
static uint64_t bytes_seen;

static uint64_t now_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void bare(const char *const *argv, int at_once)
{
	pid_t pids[8];
	for (int i = 0; i < at_once; i++) {
		int error = posix_spawnp(
			&pids[i], argv[0], NULL, NULL, (char *const *)(uintptr_t)argv, environ);
		if (error != 0) {
			fprintf(stderr, "%s: %s\n", argv[0], strerror(error));
			exit(1);
		}
	}
	for (int i = 0; i < at_once; i++)
		waitpid(pids[i], NULL, 0);
}

static void saw_output(void *arg, int32_t stream, str bytes)
{
	(void)arg;
	(void)stream;
	bytes_seen += bytes.len;
}

static void looped(const char *const *argv, int at_once)
{
	for (int i = 0; i < at_once; i++) {
		struct err err = {0};
		struct world_spawn spec = {
			.argv = argv,
			.env = (const char *const *)(uintptr_t)environ,
			.marker = "PAWL_BENCH=1",
			.input = STR_INIT(""),
			.on_output = saw_output,
		};
		if (world->proc_start(world->ctx, &spec, &err) == NULL) {
			fprintf(stderr, "%s\n", err.message);
			exit(1);
		}
	}
	world->run(world->ctx);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;
	return (x > y) - (x < y);
}

static double median(double *list, size_t n)
{
	qsort(list, n, sizeof(*list), by_value);
	return list[n / 2];
}

static void compare(const char *const *argv, size_t rounds, int at_once)
{
	double *a = mem_alloc(mem_mul(rounds, sizeof(*a)));
	double *b = mem_alloc(mem_mul(rounds, sizeof(*b)));
	double *ratio = mem_alloc(mem_mul(rounds, sizeof(*ratio)));
	for (size_t i = 0; i < rounds + 5; i++) {
		uint64_t t0 = now_ns();
		bare(argv, at_once);
		uint64_t t1 = now_ns();
		looped(argv, at_once);
		uint64_t t2 = now_ns();
		if (i < 5)
			continue;
		a[i - 5] = (double)(t1 - t0) / 1000 / at_once;
		b[i - 5] = (double)(t2 - t1) / 1000 / at_once;
		ratio[i - 5] = b[i - 5] / a[i - 5];
	}
	double bare_us = median(a, rounds);
	double loop_us = median(b, rounds);
	printf("%d at once: posix_spawn %.0f us, loop %.0f us, ratio of medians %.3f, median of ratios "
	       "%.3f\n",
		at_once, bare_us, loop_us, loop_us / bare_us, median(ratio, rounds));
	free(a);
	free(b);
	free(ratio);
}

/* The floor: the same bytes through a pipe into a read loop. */
static double bare_flood(const char *const *argv)
{
	int fds[2];
	if (pipe(fds) != 0)
		exit(1);
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fds[1], 1);
	posix_spawn_file_actions_addclose(&actions, fds[0]);
	posix_spawn_file_actions_addclose(&actions, fds[1]);
	uint64_t from = now_ns();
	pid_t pid;
	if (posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ) !=
		0)
		exit(1);
	close(fds[1]);
	char *buf = mem_alloc(65536);
	while (read(fds[0], buf, 65536) > 0)
		;
	waitpid(pid, NULL, 0);
	uint64_t spent = now_ns() - from;
	close(fds[0]);
	free(buf);
	posix_spawn_file_actions_destroy(&actions);
	return (double)spent / 1e9;
}

static void compare_flood(void)
{
	static const char *const argv[] = {"head", "-c", FLOOD, "/dev/zero", NULL};
	double a[5];
	double b[5];
	for (int i = 0; i < 5; i++) {
		a[i] = bare_flood(argv);
		uint64_t from = now_ns();
		looped(argv, 1);
		b[i] = (double)(now_ns() - from) / 1e9;
	}
	printf("%s bytes of output: bare pipe %.2f s, loop %.2f s, %llu bytes seen\n", FLOOD,
		median(a, 5), median(b, 5), (unsigned long long)bytes_seen);
}

int main(int argc, char **argv)
{
	static const char *const usual[] = {"bash", "-c", ":", NULL};
	size_t rounds = argc > 1 ? (size_t)strtoul(argv[1], NULL, 10) : 300;
	const char *const *command = argc > 2 ? (const char *const *)(uintptr_t)&argv[2] : usual;
	struct err err = {0};
	struct loop *loop = loop_create(&err);
	if (loop == NULL || rounds == 0) {
		fprintf(stderr, "%s\n", loop == NULL ? err.message : "no rounds");
		return 1;
	}
	world = loop_world(loop);
	char *resident = mem_alloc(RESIDENT);
	memset(resident, 1, RESIDENT);
	struct utsname name;
	uname(&name);
	printf("%s %s, %ld cpus, %u MB resident, %zu rounds of %s\n", name.sysname, name.release,
		sysconf(_SC_NPROCESSORS_ONLN), RESIDENT >> 20, rounds, command[0]);
	compare(command, rounds, 1);
	compare(command, rounds, 2);
	compare_flood();
	free(resident);
	loop_destroy(loop, 0);
	return 0;
}
