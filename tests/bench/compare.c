/* compare: runs two commands in turn (A B A B ...), or one, and prints medians of wall time, CPU time and memory, and
 * the median of the ratios pair by pair.  What they print is thrown away.
 * usage: compare ROUNDS [--before 'SHELL COMMAND'] A... [--- B...] */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_ROUNDS = 1000 };

extern char **environ;

struct figures {
	double wall_ms[MAX_ROUNDS];
	double cpu_ms[MAX_ROUNDS];
	double mib[MAX_ROUNDS];
};

static double now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;
	return (x > y) - (x < y);
}

static double median(const double *all, int count)
{
	double sorted[MAX_ROUNDS];
	memcpy(sorted, all, sizeof(*all) * (size_t)count);
	qsort(sorted, (size_t)count, sizeof(*sorted), by_size);
	return count % 2 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
}

static double ms_of(struct timeval t)
{
	return (double)t.tv_sec * 1e3 + (double)t.tv_usec / 1e3;
}

static void measure(char **argv, const char *before, struct figures *out, int round)
{
	posix_spawn_file_actions_t files;
	struct rusage usage;
	int status = 0;
	pid_t pid;
	if (before && system(before) != 0) {
		fprintf(stderr, "compare: `%s` failed\n", before);
		exit(1);
	}
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	double start = now_ms();
	if (posix_spawnp(&pid, argv[0], &files, NULL, argv, environ) != 0) {
		fprintf(stderr, "compare: %s can't be started\n", argv[0]);
		exit(1);
	}
	while (wait4(pid, &status, 0, &usage) != pid)
		;
	if (status != 0) {
		fprintf(stderr, "compare: %s ended with status %d\n", argv[0], status);
		exit(1);
	}
	out->wall_ms[round] = now_ms() - start;
	out->cpu_ms[round] = ms_of(usage.ru_utime) + ms_of(usage.ru_stime);
	out->mib[round] = (double)usage.ru_maxrss / 1024;
	posix_spawn_file_actions_destroy(&files);
}

static void print(const char *name, const struct figures *f, int rounds)
{
	printf("  %s: wall %.2f ms, cpu %.2f ms, memory %.1f MiB\n", name,
		median(f->wall_ms, rounds), median(f->cpu_ms, rounds), median(f->mib, rounds));
}

int main(int argc, char **argv)
{
	static struct figures figures[2];
	double ratio[MAX_ROUNDS];
	int rounds = argc > 2 ? (int)strtol(argv[1], NULL, 10) : 0;
	char **first = argv + 2;
	char **second = NULL;
	const char *before = NULL;
	if (rounds < 1 || rounds > MAX_ROUNDS) {
		fprintf(stderr, "usage: compare ROUNDS [--before 'COMMAND'] A... [--- B...]\n");
		return 2;
	}
	if (!strcmp(first[0], "--before")) {
		before = first[1];
		first += 2;
	}
	for (char **at = first; *at; at++) {
		if (!strcmp(*at, "---")) {
			*at = NULL;
			second = at + 1;
			break;
		}
	}
	measure(first, before, &figures[0], 0); /* warm-up */
	if (second)
		measure(second, before, &figures[1], 0);
	for (int i = 0; i < rounds; i++) {
		measure(first, before, &figures[0], i);
		if (second)
			measure(second, before, &figures[1], i);
		ratio[i] = second ? figures[0].wall_ms[i] / figures[1].wall_ms[i] : 0;
	}
	print(strrchr(first[0], '/') ? strrchr(first[0], '/') + 1 : first[0], &figures[0], rounds);
	if (second) {
		print(strrchr(second[0], '/') ? strrchr(second[0], '/') + 1 : second[0],
			&figures[1], rounds);
		printf("  ratio of wall times, median of %d pairs: %.2f\n", rounds,
			median(ratio, rounds));
	}
	return 0;
}
