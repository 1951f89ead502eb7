/* rules: every trigger rule against every combination of ends above it, as a pure function and through runs; and how a skip
 * goes on downwards, and what it says. */
#include "engine_bench.h"

/* How a dependency can have ended; a skip counts by its cause. */
enum end { COMPLETED, REUSED, FAILED, CANCELLED, SKIPPED, SKIPPED_BY_FAILURE, ENDS };

/* The table of the language, said once more in other words. */
static bool should_run(enum trigger_rule rule, const enum end *ends, size_t count)
{
	size_t good = 0;
	size_t bad = 0;
	for (size_t i = 0; i < count; i++) {
		good += ends[i] == COMPLETED || ends[i] == REUSED;
		bad += ends[i] == FAILED || ends[i] == CANCELLED || ends[i] == SKIPPED_BY_FAILURE;
	}
	switch (rule) {
	case RULE_ALL_SUCCESS: return good == count;
	case RULE_ONE_SUCCESS: return good >= 1;
	case RULE_NONE_FAILED_MIN_ONE_SUCCESS: return !bad && good >= 1;
	default: return true;
	}
}

static void the_function_agrees_for_up_to_four_dependencies(void **state)
{
	(void)state;
	size_t looked_at = 0;
	for (size_t count = 1; count <= 4; count++) {
		size_t combinations = 1;
		for (size_t i = 0; i < count; i++)
			combinations *= ENDS;
		for (size_t c = 0; c < combinations * 4; c++) {
			enum end ends[4];
			struct tally tally = {0};
			size_t rest = c / 4;
			bool is_bad = false;
			bool failed = false;
			for (size_t i = 0; i < count; i++, rest /= ENDS) {
				ends[i] = (enum end)(rest % ENDS);
				tally.completed += ends[i] == COMPLETED || ends[i] == REUSED;
				tally.failed += ends[i] == FAILED;
				tally.cancelled += ends[i] == CANCELLED;
				tally.skipped +=
					ends[i] == SKIPPED || ends[i] == SKIPPED_BY_FAILURE;
				tally.skipped_by_failure += ends[i] == SKIPPED_BY_FAILURE;
				is_bad |= ends[i] == FAILED || ends[i] == CANCELLED ||
				          ends[i] == SKIPPED_BY_FAILURE;
			}
			enum trigger_rule rule = (enum trigger_rule)(c % 4);
			bool allows = node_rule_allows(rule, (uint32_t)count, &tally, &failed);
			assert_int_equal(allows, should_run(rule, ends, count));
			assert_int_equal(failed, is_bad);
			looked_at++;
		}
	}
	assert_int_equal(looked_at, 4 * (6 + 36 + 216 + 1296));
}

/* In a run nobody is cancelled before others go on, so these five. */
static const char *const sources[] = {"ok", "old", "bad", "off", "after_bad"};
static const enum end source_ends[] = {COMPLETED, REUSED, FAILED, SKIPPED, SKIPPED_BY_FAILURE};
static const char source_yaml[] =
	"name: t\n"
	"nodes:\n"
	"  - {id: ok, fake: '3', always_run: true, reads: []}\n"
	"  - {id: old, fake: '1', reads: []}\n"
	"  - {id: bad, fake: '2 exit=1', reads: []}\n"
	"  - {id: off, fake: '1', when: \"$old.output == 'x'\", depends_on: [old], reads: []}\n"
	"  - {id: after_bad, fake: '1', depends_on: [bad], reads: []}\n";

static void runs_agree_for_every_three_dependencies(void **state)
{
	struct bench *b = *state;
	struct buf yaml = {0};
	buf_add_z(&yaml, source_yaml);
	for (int c = 0; c < 125; c++) {
		for (int rule = 0; rule < 4; rule++) {
			buf_printf(&yaml,
				"  - {id: c%d_%d, fake: '1', reads: [], trigger_rule: %s, depends_on: [%s, %s, %s]}\n",
				c, rule, trigger_rule_name((enum trigger_rule)rule), sources[c % 5],
				sources[c / 5 % 5], sources[c / 25]);
		}
	}
	bench_load(b, buf_cstr(&yaml));
	buf_finish(&yaml);
	/* The second time `old` is reused. */
	for (int round = 0; round < 2; round++) {
		assert_int_equal(bench_run(b, (struct engine_options){0}), RUN_FAILED);
		assert_state(b, "ok", NODE_COMPLETED);
		assert_state(b, "old", round ? NODE_REUSED : NODE_COMPLETED);
		assert_state(b, "bad", NODE_FAILED);
		assert_state(b, "off", NODE_SKIPPED);
		assert_state(b, "after_bad", NODE_SKIPPED);
		for (int c = 0; c < 125; c++) {
			enum end ends[] = {
				source_ends[c % 5], source_ends[c / 5 % 5], source_ends[c / 25]};
			/* A dependency that is named twice is one. */
			for (int rule = 0; rule < 4; rule++) {
				char id[32];
				snprintf(id, sizeof(id), "c%d_%d", c, rule);
				bool ran = bench_end(b, id)->state == NODE_COMPLETED ||
				           bench_end(b, id)->state == NODE_REUSED;
				if (ran != should_run((enum trigger_rule)rule, ends, 3))
					fail_msg("%s of %s %s %s: %s",
						trigger_rule_name((enum trigger_rule)rule),
						sources[c % 5], sources[c / 5 % 5], sources[c / 25],
						node_state_name(bench_end(b, id)->state));
				if (!ran)
					assert_state(b, id, NODE_SKIPPED);
			}
		}
	}
}

static void check_skip(
	const struct bench *b, const char *node, const char *reason, const char *sentence)
{
	assert_state(b, node, NODE_SKIPPED);
	assert_string_equal(bench_end(b, node)->reason, reason);
	assert_string_equal(bench_end(b, node)->sentence, sentence);
}

static void a_skip_names_its_cause_all_the_way_down(void **state)
{
	struct bench *b = *state;
	bench_load(b,
		"name: t\n"
		"nodes:\n"
		"  - {id: ok, fake: '1 out=a', reads: []}\n"
		"  - {id: bad, fake: '1 exit=1', reads: []}\n"
		"  - {id: off, fake: '1', when: \"$ok.output == 'b'\", depends_on: [ok], reads: []}\n"
		"  - {id: f1, fake: '1', depends_on: [ok, bad], reads: []}\n"
		"  - {id: f2, fake: '1', depends_on: [f1], reads: []}\n"
		"  - {id: f3, fake: '1', depends_on: [f2, off], reads: []}\n"
		"  - {id: s1, fake: '1', depends_on: [ok, off], reads: []}\n"
		"  - {id: s2, fake: '1', depends_on: [s1], trigger_rule: one_success, reads: []}\n"
		"  - {id: mixed, fake: '1', depends_on: [off, bad], reads: []}\n"
		"  - {id: always, fake: '1', depends_on: [f3, s2], trigger_rule: all_done, reads: []}\n"
		"  - {id: under, fake: '1', depends_on: [always], reads: []}\n");
	assert_int_equal(bench_run(b, (struct engine_options){0}), RUN_FAILED);
	check_skip(b, "f1", "upstream_failed", "bad failed");
	check_skip(b, "f2", "upstream_failed", "f1 was skipped");
	check_skip(b, "f3", "upstream_failed", "f2 was skipped");
	check_skip(b, "s1", "upstream_skipped", "off was skipped");
	check_skip(b, "s2", "upstream_skipped", "s1 was skipped");
	check_skip(b, "mixed", "upstream_failed", "bad failed");
	assert_string_equal(bench_end(b, "off")->reason, "when");
	assert_state(b, "always", NODE_COMPLETED);
	assert_state(b, "under", NODE_COMPLETED);
	assert_int_equal(b->summary.failed, 1);
	assert_int_equal(b->summary.skipped, 7);
	assert_int_equal(b->summary.ran, 3);
}

static void a_run_in_which_nothing_completed_has_failed(void **state)
{
	struct bench *b = *state;
	bench_load(b, "name: t\ninputs: {go: {default: 'no'}}\n"
		      "nodes:\n"
		      "  - {id: a, fake: '1', when: \"$INPUTS.go == 'yes'\", reads: []}\n"
		      "  - {id: b, fake: '1', depends_on: [a], reads: []}\n");
	assert_int_equal(bench_run(b, (struct engine_options){0}), RUN_FAILED);
	assert_int_equal(b->summary.skipped, 2);
	assert_int_equal(b->summary.failed, 0);
	assert_int_equal(b->fake.starts.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_function_agrees_for_up_to_four_dependencies),
		ENGINE_TEST(runs_agree_for_every_three_dependencies),
		ENGINE_TEST(a_skip_names_its_cause_all_the_way_down),
		ENGINE_TEST(a_run_in_which_nothing_completed_has_failed),
	};
	return cmocka_run_group_tests_name("rules", tests, NULL, NULL);
}
