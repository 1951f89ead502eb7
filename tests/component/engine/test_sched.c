/* sched: what starts when: as soon as its own dependencies have ended, within -j and pools; retries, timeouts, cancelling,
 * signals.  All times are exact: the clock is played. */
#include "engine_bench.h"

#include <signal.h>

enum { START = 1000 }; /* of the played clock */

static uint64_t started(const struct bench *b, const char *node, uint32_t n)
{
	uint64_t at = fake_start_ms(&b->fake, node, n);
	return at == UINT64_MAX ? at : at - START;
}

static void a_node_starts_when_its_own_dependencies_have_ended(void **state)
{
	struct bench *b = *state;
	bench_load(b, "name: t\n"
		      "nodes:\n"
		      "  - {id: quick, fake: '10', reads: []}\n"
		      "  - {id: slow, fake: '500', reads: []}\n"
		      "  - {id: q2, fake: '10', depends_on: [quick], reads: []}\n"
		      "  - {id: q3, fake: '10', depends_on: [q2], reads: []}\n"
		      "  - {id: s2, fake: '10', depends_on: [slow], reads: []}\n"
		      "  - {id: both, fake: '10', depends_on: [q3, slow], reads: []}\n");
	assert_int_equal(bench_run(b, (struct engine_options){0}), RUN_COMPLETED);
	assert_int_equal(started(b, "quick", 0), 0);
	assert_int_equal(started(b, "slow", 0), 0);
	/* No barrier: these are two layers further down, and `slow` still runs. */
	assert_int_equal(started(b, "q2", 0), 10);
	assert_int_equal(started(b, "q3", 0), 20);
	assert_int_equal(started(b, "s2", 0), 500);
	assert_int_equal(started(b, "both", 0), 500);
	assert_int_equal(b->summary.ms, 510);
}

static void no_more_than_j_at_once_and_no_fewer(void **state)
{
	struct bench *b = *state;
	struct buf yaml = {0};
	buf_add_z(&yaml, "name: t\nnodes:\n");
	for (int i = 0; i < 20; i++)
		buf_printf(&yaml, "  - {id: n%d, fake: '10', reads: []}\n", i);
	bench_load(b, buf_cstr(&yaml));
	buf_finish(&yaml);
	for (uint32_t jobs = 1; jobs <= 21; jobs++) {
		uint64_t before = b->fake.now_ms;
		struct engine_options options = {.jobs = jobs, .reuse = REUSE_OFF};
		assert_int_equal(bench_run(b, options), RUN_COMPLETED);
		assert_int_equal(b->fake.most_running, jobs < 20 ? jobs : 20);
		assert_int_equal(b->fake.now_ms - before, (20 + jobs - 1) / jobs * 10);
		/* In the order of the file. */
		for (int i = 0; i < 20; i++) {
			char id[32];
			snprintf(id, sizeof(id), "n%d", i);
			assert_string_equal(b->fake.starts.ptr[i].node, id);
		}
	}
}

static void a_pool_holds_its_own_and_nobody_else(void **state)
{
	struct bench *b = *state;
	bench_load(b, "name: t\npools: {gpu: 1, net: 2}\n"
		      "nodes:\n"
		      "  - {id: g1, fake: '100', pool: gpu, reads: []}\n"
		      "  - {id: g2, fake: '100', pool: gpu, reads: []}\n"
		      "  - {id: g3, fake: '100 exit=1', pool: gpu, reads: []}\n"
		      "  - {id: n1, fake: '30', pool: net, reads: []}\n"
		      "  - {id: n2, fake: '30', pool: net, reads: []}\n"
		      "  - {id: n3, fake: '30', pool: net, reads: []}\n"
		      "  - {id: free, fake: '1', reads: []}\n"
		      "  - {id: g4, fake: '100', pool: gpu, reads: []}\n");
	assert_int_equal(bench_run(b, (struct engine_options){.jobs = 4}), RUN_FAILED);
	assert_int_equal(started(b, "g1", 0), 0);
	assert_int_equal(started(b, "n1", 0), 0);
	assert_int_equal(started(b, "n2", 0), 0);
	assert_int_equal(started(b, "free", 0), 0); /* what waits for a pool takes no slot */
	assert_int_equal(started(b, "n3", 0), 30);
	assert_int_equal(started(b, "g2", 0), 100);
	assert_int_equal(started(b, "g3", 0), 200);
	assert_int_equal(started(b, "g4", 0), 300); /* a failure gives its place back too */
	assert_int_equal(b->fake.most_running, 4);
}

static void retries_wait_longer_each_time(void **state)
{
	struct bench *b = *state;
	bench_load(b, "name: t\n"
		      "nodes:\n"
		      "  - id: grows\n"
		      "    fake: '10 exit=1 | 10 exit=2 | 10 exit=3 | 10'\n"
		      "    retry: {max_attempts: 3, delay_ms: 1000, backoff: 2}\n"
		      "    reads: []\n"
		      "  - id: gives_up\n"
		      "    fake: '10 exit=1'\n"
		      "    retry: {max_attempts: 2, delay_ms: 100, backoff: 1}\n"
		      "    reads: []\n"
		      "  - {id: once, fake: '10 exit=1 | 10', reads: []}\n"
		      "  - {id: after, fake: '1', depends_on: [grows], reads: []}\n");
	assert_int_equal(bench_run(b, (struct engine_options){0}), RUN_FAILED);
	assert_state(b, "grows", NODE_COMPLETED);
	assert_int_equal(started(b, "grows", 1), 10 + 1000);
	assert_int_equal(started(b, "grows", 2), 1020 + 2000);
	assert_int_equal(started(b, "grows", 3), 3030 + 4000);
	assert_int_equal(fake_started(&b->fake, "grows"), 4);
	assert_int_equal(bench_end(b, "grows")->tries, 4);
	assert_int_equal(bench_end(b, "grows")->retries, 3);
	assert_int_equal(started(b, "after", 0), 7040);
	assert_state(b, "gives_up", NODE_FAILED);
	assert_int_equal(fake_started(&b->fake, "gives_up"), 3);
	assert_int_equal(started(b, "gives_up", 2), 220);
	assert_state(b, "once", NODE_FAILED);
	assert_int_equal(fake_started(&b->fake, "once"), 1);
}

static void a_node_between_two_tries_takes_no_slot(void **state)
{
	struct bench *b = *state;
	bench_load(b,
		"name: t\n"
		"nodes:\n"
		"  - {id: a, fake: '10 exit=1 | 10', retry: {max_attempts: 1, delay_ms: 1000}, reads: []}\n"
		"  - {id: b, fake: '200', reads: []}\n"
		"  - {id: c, fake: '200', reads: []}\n");
	assert_int_equal(bench_run(b, (struct engine_options){.jobs = 1}), RUN_COMPLETED);
	assert_int_equal(started(b, "b", 0), 10);
	assert_int_equal(started(b, "c", 0), 210);
	assert_int_equal(started(b, "a", 1), 1010);
	assert_int_equal(b->fake.most_running, 1);
}

static void only_transient_failures_are_tried_again(void **state)
{
	struct bench *b = *state;
	static const struct {
		const char *node, *script, *more;
		uint32_t tries;
	} rows[] = {
		{"plain", "1 exit=1", "", 1},
		{"tempfail", "1 exit=75", "", 3},
		{"killed", "1 signal=9", "", 3},
		{"slow", "1000", ", timeout: 50", 3},
		{"then_plain", "1 exit=75 | 1 exit=1", "", 2},
	};
	struct buf yaml = {0};
	buf_add_z(&yaml, "name: t\nnodes:\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		buf_printf(&yaml,
			"  - {id: %s, fake: '%s', reads: []%s, retry: {max_attempts: 2, delay_ms: 1, on_error: transient}}\n",
			rows[i].node, rows[i].script, rows[i].more);
	bench_load(b, buf_cstr(&yaml));
	buf_finish(&yaml);
	assert_int_equal(bench_run(b, (struct engine_options){0}), RUN_FAILED);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_state(b, rows[i].node, NODE_FAILED);
		assert_int_equal(fake_started(&b->fake, rows[i].node), rows[i].tries);
	}
}

static void what_takes_too_long_is_ended(void **state)
{
	struct bench *b = *state;
	bench_load(b, "name: t\n"
		      "nodes:\n"
		      "  - {id: heeds, fake: '60000', timeout: 500, reads: []}\n"
		      "  - {id: deaf, fake: '60000 deaf', timeout: 500, reads: []}\n"
		      "  - {id: just, fake: '499', timeout: 500, reads: []}\n"
		      "  - {id: below, fake: '1', depends_on: [heeds], reads: []}\n");
	assert_int_equal(bench_run(b, (struct engine_options){.grace_ms = 2000}), RUN_FAILED);
	assert_state(b, "heeds", NODE_FAILED);
	assert_int_equal(bench_end(b, "heeds")->at_ms - START, 500);
	assert_non_null(strstr(bench_end(b, "heeds")->sentence, "timed out"));
	assert_state(b, "deaf", NODE_FAILED);
	assert_int_equal(bench_end(b, "deaf")->at_ms - START, 2500);
	assert_state(b, "just", NODE_COMPLETED);
	assert_state(b, "below", NODE_SKIPPED);
}

static const char branches[] = "name: t\n"
			       "nodes:\n"
			       "  - {id: done, fake: '50', reads: []}\n"
			       "  - {id: bad, fake: '100 exit=1', reads: []}\n"
			       "  - {id: long, fake: '900', reads: []}\n"
			       "  - {id: after_long, fake: '10', depends_on: [long], reads: []}\n"
			       "  - {id: after_bad, fake: '10', depends_on: [bad], reads: []}\n";

static void a_failure_stops_nobody_else(void **state)
{
	struct bench *b = *state;
	bench_load(b, branches);
	assert_int_equal(bench_run(b, (struct engine_options){0}), RUN_FAILED);
	assert_state(b, "long", NODE_COMPLETED);
	assert_state(b, "after_long", NODE_COMPLETED);
	assert_state(b, "after_bad", NODE_SKIPPED);
	assert_int_equal(b->summary.ms, 910);
}

static void with_fail_fast_it_stops_all(void **state)
{
	struct bench *b = *state;
	bench_load(b, branches);
	assert_int_equal(bench_run(b, (struct engine_options){.fail_fast = true}), RUN_FAILED);
	assert_state(b, "done", NODE_COMPLETED);
	assert_state(b, "bad", NODE_FAILED);
	assert_state(b, "long", NODE_CANCELLED);
	/* Of what was never ready nothing is told; it counts as cancelled. */
	assert_state(b, "after_long", NODE_PENDING);
	assert_int_equal(b->summary.cancelled, 3);
	assert_int_equal(fake_started(&b->fake, "after_long"), 0);
	assert_int_equal(fake_started(&b->fake, "after_bad"), 0);
	assert_int_equal(b->summary.ms, 100);
	/* What had completed is kept; the rest goes on. */
	bench_run(b, (struct engine_options){.resume = b->summary.run});
	assert_state(b, "done", NODE_REUSED);
	assert_state(b, "long", NODE_COMPLETED);
	assert_int_equal(b->summary.attempt, 2);
}

static void a_signal_interrupts_and_resume_goes_on(void **state)
{
	struct bench *b = *state;
	bench_load(b,
		"name: t\n"
		"nodes:\n"
		"  - {id: a, fake: '50'}\n" /* not provable: reused by the same run only */
		"  - {id: b, fake: '100', depends_on: [a], reads: []}\n"
		"  - {id: waits, fake: '10 exit=1 | 10', retry: {max_attempts: 1, delay_ms: 500}, reads: []}\n"
		"  - {id: c, fake: '100', depends_on: [b], reads: []}\n");
	fake_signal_at(&b->fake, START + 70, SIGINT);
	assert_int_equal(bench_run(b, (struct engine_options){0}), RUN_INTERRUPTED);
	assert_int_equal(b->summary.signal, SIGINT);
	assert_int_equal(b->summary.ms, 70);
	assert_state(b, "a", NODE_COMPLETED);
	assert_state(b, "b", NODE_CANCELLED);
	assert_state(b, "waits", NODE_CANCELLED);
	assert_state(b, "c", NODE_PENDING);
	assert_int_equal(b->summary.cancelled, 3);
	assert_int_equal(
		bench_run(b, (struct engine_options){.resume = b->summary.run}), RUN_COMPLETED);
	assert_state(b, "a", NODE_REUSED);
	assert_state(b, "b", NODE_COMPLETED);
	assert_state(b, "c", NODE_COMPLETED);
	assert_int_equal(fake_started(&b->fake, "waits"), 2);
}

static void a_second_signal_leaves_no_grace(void **state)
{
	struct bench *b = *state;
	bench_load(b, "name: t\nnodes:\n  - {id: deaf, fake: '60000 deaf', reads: []}\n");
	fake_signal_at(&b->fake, START + 100, SIGTERM);
	fake_signal_at(&b->fake, START + 300, SIGTERM);
	assert_int_equal(bench_run(b, (struct engine_options){0}), RUN_INTERRUPTED);
	assert_int_equal(b->summary.ms, 300);
	uint64_t begin = b->fake.now_ms;
	fake_signal_at(&b->fake, begin + 100, SIGTERM);
	assert_int_equal(bench_run(b, (struct engine_options){0}), RUN_INTERRUPTED);
	assert_int_equal(b->summary.ms, 5100); /* one: the whole grace period */
}

static void a_start_that_is_refused_fails_the_node_alone(void **state)
{
	struct bench *b = *state;
	bench_load(b, "name: t\n"
		      "nodes:\n"
		      "  - {id: a, fake: '10', reads: []}\n"
		      "  - {id: b, fake: '10', reads: []}\n"
		      "  - {id: c, fake: '10', depends_on: [b], reads: []}\n");
	b->fake.refuse = 1;
	assert_int_equal(bench_run(b, (struct engine_options){0}), RUN_FAILED);
	assert_state(b, "a", NODE_FAILED);
	assert_state(b, "b", NODE_COMPLETED);
	assert_state(b, "c", NODE_COMPLETED);
	assert_int_equal(
		bench_run(b, (struct engine_options){.resume = b->summary.run}), RUN_COMPLETED);
	assert_int_equal(b->fake.starts.len, 1);
}

static void what_is_not_selected_is_left_alone(void **state)
{
	struct bench *b = *state;
	const bool selected[] = {false, true, true};
	bench_load(b, "name: t\n"
		      "nodes:\n"
		      "  - {id: a, fake: '10', reads: []}\n"
		      "  - {id: b, fake: '10', reads: []}\n"
		      "  - {id: c, fake: '10', depends_on: [b], reads: []}\n");
	assert_int_equal(
		bench_run(b, (struct engine_options){.selected = selected}), RUN_COMPLETED);
	assert_state(b, "a", NODE_SKIPPED);
	assert_string_equal(bench_end(b, "a")->reason, "not_selected");
	assert_int_equal(b->fake.starts.len, 2);
}

static void a_plan_starts_nothing_and_writes_nothing(void **state)
{
	struct bench *b = *state;
	bench_load(b, branches);
	bench_run(b, (struct engine_options){.plan = true});
	assert_int_equal(b->fake.starts.len, 0);
	assert_int_equal(b->fake.now_ms, START);
	struct arena arena = {0};
	struct run_list runs = {0};
	assert_true(runs_list(b->store, &arena, STR(""), 0, true, &runs, NULL));
	assert_int_equal(runs.len, 0);
	arena_finish(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ENGINE_TEST(a_node_starts_when_its_own_dependencies_have_ended),
		ENGINE_TEST(no_more_than_j_at_once_and_no_fewer),
		ENGINE_TEST(a_pool_holds_its_own_and_nobody_else),
		ENGINE_TEST(retries_wait_longer_each_time),
		ENGINE_TEST(a_node_between_two_tries_takes_no_slot),
		ENGINE_TEST(only_transient_failures_are_tried_again),
		ENGINE_TEST(what_takes_too_long_is_ended),
		ENGINE_TEST(a_failure_stops_nobody_else),
		ENGINE_TEST(with_fail_fast_it_stops_all),
		ENGINE_TEST(a_signal_interrupts_and_resume_goes_on),
		ENGINE_TEST(a_second_signal_leaves_no_grace),
		ENGINE_TEST(a_start_that_is_refused_fails_the_node_alone),
		ENGINE_TEST(what_is_not_selected_is_left_alone),
		ENGINE_TEST(a_plan_starts_nothing_and_writes_nothing),
	};
	return cmocka_run_group_tests_name("sched", tests, NULL, NULL);
}
