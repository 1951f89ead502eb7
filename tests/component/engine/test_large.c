/* large: ten thousand nodes in layers: the order holds, the time is bounded, what was recorded is never made again; also
 * when the run is interrupted, and when the store refuses in the middle. */
#include "engine_bench.h"

#include <signal.h>
#include <sys/resource.h>
#include <time.h>

enum { NODES = 10000, WIDTH = 50, JOBS = 16 };

static double now_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Layers of WIDTH; a node depends on three of the layer before, by a generator that never changes. */
static void load_layers(struct bench *b, int nodes)
{
	struct buf yaml = {0};
	uint32_t seed = 42;
	buf_add_z(&yaml, "name: large\nnodes:\n");
	for (int i = 0; i < nodes; i++) {
		buf_printf(&yaml, "  - {id: n%d, fake: '%d out=%d', reads: []", i, 1 + i % 7, i);
		for (int d = 0; i >= WIDTH && d < 3; d++) {
			seed = seed * 1103515245u + 12345u;
			int dep =
				(i / WIDTH - 1) * WIDTH + (int)(seed / 65536 % (WIDTH / 3) * 3) + d;
			buf_printf(&yaml, "%sn%d", d ? ", " : ", depends_on: [",
				dep % WIDTH + (i / WIDTH - 1) * WIDTH);
		}
		buf_add_z(&yaml, i >= WIDTH ? "]}\n" : "}\n");
	}
	bench_load(b, buf_cstr(&yaml));
	buf_finish(&yaml);
}

/* Nobody started before all that it depends on had ended. */
static void check_order(const struct bench *b)
{
	for (size_t s = 0; s < b->fake.starts.len; s++) {
		const struct fake_start *start = &b->fake.starts.ptr[s];
		const struct node *node = workflow_find(b->workflow, str_of(start->node));
		for (uint32_t d = 0; d < node->dep_count; d++) {
			const struct bench_end *end = &b->ends[node->deps[d]];
			assert_true(end->state == NODE_COMPLETED || end->state == NODE_REUSED);
			assert_true(end->at_ms <= start->at_ms);
		}
	}
}

static void ten_thousand_nodes_run_and_are_reused(void **state)
{
	struct bench *b = *state;
	double begin = now_s();
	load_layers(b, NODES);
	assert_int_equal(bench_run(b, (struct engine_options){.jobs = JOBS}), RUN_COMPLETED);
	assert_int_equal(b->fake.starts.len, NODES);
	assert_int_equal(b->fake.most_running, JOBS);
	check_order(b);
	/* All slots are used nearly all the time: at most a tenth above the sum of durations. */
	uint64_t work = 0;
	for (int i = 0; i < NODES; i++)
		work += (uint64_t)(1 + i % 7);
	assert_in_range(b->summary.ms, work / JOBS, work / JOBS * 11 / 10 + 10);
	assert_int_equal(bench_run(b, (struct engine_options){.jobs = JOBS}), RUN_COMPLETED);
	assert_int_equal(b->fake.starts.len, 0);
	assert_int_equal(b->summary.reused, NODES);
	/* Seconds of CPU, more with sanitizers; what grows with the square of the nodes takes minutes. */
	assert_true(now_s() - begin < 45);
}

static void an_interrupted_run_goes_on_where_it_was(void **state)
{
	struct bench *b = *state;
	load_layers(b, NODES / 5);
	fake_signal_at(&b->fake, b->fake.now_ms + 250, SIGINT);
	assert_int_equal(bench_run(b, (struct engine_options){.jobs = JOBS}), RUN_INTERRUPTED);
	check_order(b);
	uint32_t done = b->summary.ran;
	uint32_t cancelled = b->summary.cancelled;
	assert_in_range(done, 100, NODES / 5 - 100);
	assert_int_equal(done + cancelled, NODES / 5);
	assert_int_equal(
		bench_run(b, (struct engine_options){.jobs = JOBS, .resume = b->summary.run}),
		RUN_COMPLETED);
	assert_int_equal(b->summary.reused, done);
	assert_int_equal(b->fake.starts.len, cancelled);
	check_order(b);
}

static void limit_files(rlim_t bytes)
{
	struct rlimit limit = {bytes, RLIM_INFINITY};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void refuse_writes(void *arg)
{
	(void)arg;
	limit_files(0);
}

/* From a moment on no file takes a byte more, as on a full disk. */
static void a_store_that_refuses_stops_the_run_and_loses_nothing(void **state)
{
	struct bench *b = *state;
	signal(SIGXFSZ, SIG_IGN);
	load_layers(b, NODES / 10);
	fake_call_at(&b->fake, b->fake.now_ms + 120, refuse_writes, NULL);
	assert_int_equal(bench_run(b, (struct engine_options){.jobs = JOBS}), RUN_FAILED);
	limit_files(RLIM_INFINITY);
	assert_true(b->error[0] != '\0');
	uint32_t told = b->summary.ran;
	assert_in_range(told, 50, NODES / 10 - 50);
	assert_in_range(b->fake.starts.len, told, told + JOBS);
	int64_t run = b->summary.run;
	store_close(b->store);
	bench_open_store(b);
	assert_int_equal(
		bench_run(b, (struct engine_options){.jobs = JOBS, .resume = run}), RUN_COMPLETED);
	assert_int_equal(b->summary.ran + b->summary.reused, NODES / 10);
	/* What was not yet committed, of the last few milliseconds, is made again; nothing more. */
	assert_in_range(b->summary.reused, told - 4 * JOBS, told);
	check_order(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ENGINE_TEST(ten_thousand_nodes_run_and_are_reused),
		ENGINE_TEST(an_interrupted_run_goes_on_where_it_was),
		ENGINE_TEST(a_store_that_refuses_stops_the_run_and_loses_nothing),
	};
	return cmocka_run_group_tests_name("large", tests, NULL, NULL);
}
