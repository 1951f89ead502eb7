/* tree: runs within a run: `-j` and pools hold for all of them together, whoever waits longest is next, and what waits in a
 * run that stops never holds it up.  All times are exact: the clock is played. */
#include "engine_bench.h"

#include <signal.h>

/* The other files, by name; the first is what `bench_load` gets. */
static const char *const *files;

static struct workflow *load_file(void *ctx, str name, struct err *err)
{
	struct bench *b = ctx;
	struct workflow_types types = types_for_workflow(b->types);
	struct diags diags = {0};
	struct workflow *workflow = NULL;
	char head[64];
	snprintf(head, sizeof(head), "name: %.*s\n", STR_ARG(name));
	for (size_t i = 0; files[i] && !workflow; i++) {
		if (str_starts(str_of(files[i]), str_of(head)))
			workflow = workflow_load(str_of(files[i]), name.ptr, &types, &diags);
	}
	if (!workflow)
		err_set(err, "E-TEST", "%s",
			diags.list.len ? diags.list.ptr[0].message : "there is no such file");
	diags_finish(&diags);
	return workflow;
}

static void release_file(void *ctx, struct workflow *workflow)
{
	(void)ctx;
	workflow_destroy(workflow);
}

static enum run_state run_tree(struct bench *b, struct engine_options options)
{
	bench_load(b, files[0]);
	options.load = load_file;
	options.release = release_file;
	options.load_ctx = b;
	return bench_run(b, options);
}

static uint32_t running_at(const struct bench *b, uint64_t ms, const char *node, uint64_t length)
{
	uint32_t count = 0;
	for (size_t i = 0; i < b->fake.starts.len; i++) {
		const struct fake_start *start = &b->fake.starts.ptr[i];
		count += strcmp(start->node, node) == 0 && start->at_ms <= ms &&
		         ms < start->at_ms + length;
	}
	return count;
}

static uint32_t most_running(const struct bench *b, const char *node, uint64_t length)
{
	uint32_t most = 0;
	for (uint64_t ms = 0; ms <= b->fake.now_ms; ms++) {
		uint32_t now = running_at(b, ms, node, length);
		most = now > most ? now : most;
	}
	return most;
}

static void no_more_than_j_at_once_in_all_runs_together(void **state)
{
	struct bench *b = *state;
	static const char *const these[] = {"name: t\n"
					    "nodes:\n"
					    "  - {id: own1, fake: '10'}\n"
					    "  - {id: own2, fake: '10'}\n"
					    "  - {id: one, workflow: child}\n"
					    "  - {id: two, workflow: child}\n"
					    "  - {id: deep, workflow: middle}\n",
		"name: middle\n"
		"nodes:\n"
		"  - {id: m1, fake: '10'}\n"
		"  - {id: inner, workflow: child}\n",
		"name: child\n"
		"returns: c1\n"
		"nodes:\n"
		"  - {id: c1, fake: '10'}\n"
		"  - {id: c2, fake: '10'}\n"
		"  - {id: c3, fake: '10'}\n",
		NULL};
	const uint32_t bodies = 2 + 3 + 3 + 1 + 3;
	files = these;
	for (uint32_t jobs = 1; jobs <= bodies + 1; jobs++) {
		assert_int_equal(run_tree(b, (struct engine_options){.jobs = jobs}), RUN_COMPLETED);
		assert_int_equal(b->fake.starts.len, bodies);
		assert_int_equal(b->fake.most_running, jobs < bodies ? jobs : bodies);
		/* And no fewer: no place is ever left free while something waits for one. */
		assert_int_equal(b->summary.ms, (bodies + jobs - 1) / jobs * 10);
	}
}

static void a_run_deep_inside_gets_the_only_place(void **state)
{
	struct bench *b = *state;
	static const char *const these[] = {"name: t\nnodes: [{id: n, workflow: w1}]\n",
		"name: w1\nnodes: [{id: n, workflow: w2}]\n",
		"name: w2\nnodes: [{id: n, workflow: w3}]\n",
		"name: w3\nnodes: [{id: n, fan_out: {items: [1, 2, 3]}, workflow: leaf}]\n",
		"name: leaf\nnodes: [{id: leaf, fake: '10'}]\n", NULL};
	files = these;
	assert_int_equal(run_tree(b, (struct engine_options){.jobs = 1}), RUN_COMPLETED);
	assert_int_equal(b->fake.starts.len, 3);
	assert_int_equal(b->fake.most_running, 1);
	assert_int_equal(b->summary.ms, 30);
}

static void who_waits_longest_is_next(void **state)
{
	struct bench *b = *state;
	static const char *const these[] = {"name: t\n"
					    "nodes:\n"
					    "  - {id: many, workflow: many}\n"
					    "  - {id: few, workflow: few}\n",
		"name: many\n"
		"nodes:\n"
		"  - {id: m1, fake: '10'}\n"
		"  - {id: m2, fake: '10', depends_on: [m1]}\n"
		"  - {id: m3, fake: '10', depends_on: [m2]}\n",
		"name: few\n"
		"nodes:\n"
		"  - {id: f1, fake: '10'}\n"
		"  - {id: f2, fake: '10', depends_on: [f1]}\n",
		NULL};
	static const char *const order[] = {"m1", "f1", "m2", "f2", "m3"};
	files = these;
	assert_int_equal(run_tree(b, (struct engine_options){.jobs = 1}), RUN_COMPLETED);
	assert_int_equal(b->fake.starts.len, 5);
	for (size_t i = 0; i < 5; i++)
		assert_string_equal(b->fake.starts.ptr[i].node, order[i]);
}

/* Two children at a time could each take what their own pool has: it is one pool. */
static void a_pool_is_one_in_all_runs_together(void **state)
{
	struct bench *b = *state;
	static const char *const these[] = {
		"name: t\n"
		"nodes:\n"
		"  - {id: each, fan_out: {items: [1, 2, 3, 4], max_parallel: 4}, workflow: child}\n",
		"name: child\n"
		"pools: {gpu: 2}\n"
		"nodes:\n"
		"  - {id: gpu, fake: '10', pool: gpu}\n"
		"  - {id: free, fake: '10'}\n",
		NULL};
	files = these;
	assert_int_equal(run_tree(b, (struct engine_options){0}), RUN_COMPLETED);
	assert_int_equal(most_running(b, "gpu", 10), 2);
	assert_int_equal(most_running(b, "free", 10), 4);
	assert_int_equal(b->summary.ms, 20);
}

static void the_outer_size_of_a_pool_bounds_the_inner_runs_too(void **state)
{
	struct bench *b = *state;
	static const char *const these[] = {"name: t\n"
					    "pools: {gpu: 1, net: 9}\n"
					    "nodes:\n"
					    "  - {id: gpu, fake: '10', pool: gpu}\n"
					    "  - {id: one, workflow: child}\n"
					    "  - {id: two, workflow: child}\n",
		"name: child\n"
		"pools: {gpu: 8, net: 1}\n"
		"nodes:\n"
		"  - {id: gpu, fake: '10', pool: gpu}\n"
		"  - {id: net, fake: '10', pool: net}\n",
		NULL};
	files = these;
	assert_int_equal(run_tree(b, (struct engine_options){0}), RUN_COMPLETED);
	assert_int_equal(most_running(b, "gpu", 10), 1);
	assert_int_equal(most_running(b, "net", 10), 1);
	assert_int_equal(b->summary.ms, 30);
	/* A place is given back however a body ends. */
	assert_int_equal(run_tree(b, (struct engine_options){.jobs = 1}), RUN_COMPLETED);
	assert_int_equal(b->summary.ms, 50);
}

static void what_waits_in_a_run_that_is_too_late_is_cancelled_at_once(void **state)
{
	struct bench *b = *state;
	static const char *const these[] = {"name: t\n"
					    "nodes:\n"
					    "  - {id: long, fake: '100'}\n"
					    "  - {id: sub, workflow: child, timeout: 30}\n",
		"name: child\nnodes: [{id: c1, fake: '10'}, {id: c2, fake: '10'}]\n", NULL};
	files = these;
	assert_int_equal(run_tree(b, (struct engine_options){.jobs = 1}), RUN_FAILED);
	assert_int_equal(b->fake.starts.len, 1);
	assert_state(b, "long", NODE_COMPLETED);
	assert_state(b, "sub", NODE_FAILED);
	assert_int_equal(bench_end(b, "sub")->at_ms, 1000 + 30);
	assert_int_equal(b->summary.ms, 100);
}

static void a_signal_ends_all_runs_and_a_resume_goes_on_in_them(void **state)
{
	struct bench *b = *state;
	static const char *const these[] = {
		"name: t\n"
		"nodes:\n"
		"  - {id: each, fan_out: {items: [1, 2, 3], max_parallel: 3}, workflow: child}\n"
		"  - {id: after, fake: '10', depends_on: [each]}\n",
		"name: child\n"
		"nodes: [{id: c1, fake: '10'}, {id: c2, fake: '10', depends_on: [c1]}]\n",
		NULL};
	files = these;
	fake_signal_at(&b->fake, b->fake.now_ms + 15, SIGINT);
	assert_int_equal(run_tree(b, (struct engine_options){.jobs = 1}), RUN_INTERRUPTED);
	assert_int_equal(b->fake.starts.len, 2);
	struct engine_options again = {.jobs = 1, .resume = b->summary.run};
	assert_int_equal(run_tree(b, again), RUN_COMPLETED);
	/* One of six had ended. */
	assert_int_equal(b->fake.starts.len, 5 + 1);
	assert_int_equal(b->fake.most_running, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ENGINE_TEST(no_more_than_j_at_once_in_all_runs_together),
		ENGINE_TEST(a_run_deep_inside_gets_the_only_place),
		ENGINE_TEST(who_waits_longest_is_next),
		ENGINE_TEST(a_pool_is_one_in_all_runs_together),
		ENGINE_TEST(the_outer_size_of_a_pool_bounds_the_inner_runs_too),
		ENGINE_TEST(what_waits_in_a_run_that_is_too_late_is_cancelled_at_once),
		ENGINE_TEST(a_signal_ends_all_runs_and_a_resume_goes_on_in_them),
	};
	return cmocka_run_group_tests_name("tree", tests, NULL, NULL);
}
