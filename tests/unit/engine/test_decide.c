/* decide: the table of reasons in its order, what each says, several candidates.  It is a pure function: the tests build
 * its input by hand.  Each case begins with everything against reuse at once and takes one thing away after the other:
 * so each reason is shown to win over all that come after it. */
#include "engine/decide.h"

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { HOUR = 3600 * 1000 };
static const int64_t now_ms = 1700000000000;

static void check(
	const struct decide_input *in, enum reason reason, const char *sentence, const char *where)
{
	struct arena arena = {0};
	struct decision got = decide(&arena, in);
	if (got.reason != reason || !str_is(got.sentence, sentence))
		fail_msg("%s: %s \"%.*s\", not %s \"%s\"", where, reason_code(got.reason),
			STR_ARG(got.sentence), reason_code(reason), sentence);
	assert_int_equal(got.action, reason == REASON_REUSE ? ACTION_REUSE : ACTION_RUN);
	arena_finish(&arena);
}

/* ---- what stands against one stored result ---- */

struct against {
	struct result_row row;
	struct broken_fact broken;
	struct verdict_row refusal, suspect;
	struct candidate candidate;
	struct decide_input in;
};

static void set_up(struct against *a)
{
	*a = (struct against){
		.row = {.id = 5,
			.run = 3,
			.made_ms = now_ms - 2 * HOUR,
			.unproven = STR("reads not declared")},
		.broken = {.then = {.kind = FACT_FILE, .path = STR("src/a.txt"), .real = STR("")},
			.now = {.kind = FACT_ABSENT, .path = STR("src/a.txt"), .real = STR("")}},
		.refusal = {.kind = VERDICT_QUARANTINED,
			.by = STR("kim"),
			.reason = STR("wrong totals"),
			.at_ms = now_ms - HOUR},
		.suspect = {.kind = VERDICT_SUSPECT,
			.by = STR("pawl"),
			.reason = STR("b failed on it"),
			.at_ms = now_ms},
	};
	a->candidate = (struct candidate){.row = &a->row,
		.broken = &a->broken,
		.refusal = &a->refusal,
		.is_unjudged = true,
		.suspect = &a->suspect,
		.contract = STR("is not JSON"),
		.unrestorable = STR("the disk is full"),
		.output_gone = STR("out/x"),
		.output_other = STR("out/y"),
		.is_damaged = true,
		.policy = STR("too old for Fridays")};
	a->in = (struct decide_input){.to_compare = true,
		.forced = true,
		.no_resume = true,
		.always_run = "it says `cache: false`",
		.not_cacheable = true,
		.key_incomplete = true,
		.words = STR("says the plugin"),
		.ttl_ms = HOUR,
		.now_ms = now_ms,
		.candidates = &a->candidate,
		.candidate_count = 1,
		.failed_how = STR("exit 1"),
		.failed_run = 2,
		.not_stored = STR("x changed while it ran"),
		.not_stored_run = 2};
}

static void clear_to_compare(struct against *a)
{
	a->in.to_compare = false;
}
static void clear_unrestorable(struct against *a)
{
	a->candidate.unrestorable = STR("");
}
static void clear_forced(struct against *a)
{
	a->in.forced = false;
}
static void clear_no_resume(struct against *a)
{
	a->in.no_resume = false;
}
static void clear_always_run(struct against *a)
{
	a->in.always_run = NULL;
}
static void clear_not_cacheable(struct against *a)
{
	a->in.not_cacheable = false;
}
static void clear_key_incomplete(struct against *a)
{
	a->in.key_incomplete = false;
}
static void clear_broken(struct against *a)
{
	a->candidate.broken = NULL;
}
static void clear_refusal(struct against *a)
{
	a->candidate.refusal = NULL;
}
static void clear_unjudged(struct against *a)
{
	a->candidate.is_unjudged = false;
}
static void clear_suspect(struct against *a)
{
	a->candidate.suspect = NULL;
}
static void clear_contract(struct against *a)
{
	a->candidate.contract = STR("");
}
static void clear_ttl(struct against *a)
{
	a->in.ttl_ms = 3 * HOUR;
}
static void clear_gone(struct against *a)
{
	a->candidate.output_gone = STR("");
}
static void clear_other(struct against *a)
{
	a->candidate.output_other = STR("");
}
static void clear_damaged(struct against *a)
{
	a->candidate.is_damaged = false;
}
static void clear_policy(struct against *a)
{
	a->candidate.policy = STR("");
}
static void clear_unproven(struct against *a)
{
	a->row.provable = true;
}

static void each_reason_wins_over_all_later_ones(void **state)
{
	(void)state;
	static const struct {
		enum reason reason;
		const char *sentence;
		void (*clear)(struct against *a);
	} rows[] = {
		{REASON_FORCED, "to be compared", clear_to_compare},
		{REASON_FORCED, "forced", clear_forced},
		{REASON_NO_RESUME, "reuse is off", clear_no_resume},
		{REASON_ALWAYS_RUN, "it says `cache: false`", clear_always_run},
		{REASON_NOT_CACHEABLE, "says the plugin", clear_not_cacheable},
		{REASON_KEY_INCOMPLETE, "its key can't be computed: says the plugin",
			clear_key_incomplete},
		{REASON_FILE_CHANGED, "src/a.txt is gone since run 3", clear_broken},
		{REASON_QUARANTINED,
			"its output of run 3 is quarantined by kim, 1 h ago: wrong totals",
			clear_refusal},
		{REASON_STORE_DAMAGED,
			"a verdict on it is damaged in the store, and may have been against its output of run 3",
			clear_unjudged},
		{REASON_SUSPECT,
			"its output of run 3 is suspect: b failed on it; it runs again, once",
			clear_suspect},
		{REASON_CONTRACT_FAILED, "its output of run 3 breaks `ensure`: is not JSON",
			clear_contract},
		{REASON_EXPIRED, "its result was made 2 h ago, ttl is 1h00m", clear_ttl},
		{REASON_OUTPUT_MISSING, "what it wrote can't be restored: the disk is full",
			clear_unrestorable},
		{REASON_OUTPUT_MISSING, "out/x, which it wrote in run 3, is gone", clear_gone},
		{REASON_OUTPUT_MODIFIED, "out/y, which it wrote in run 3, was changed since",
			clear_other},
		{REASON_STORE_DAMAGED, "its stored output of run 3 is missing or damaged",
			clear_damaged},
		{REASON_POLICY, "too old for Fridays", clear_policy},
		{REASON_UNPROVEN, "reads not declared, and this is a new run", clear_unproven},
		{REASON_REUSE, "from run 3, 2 h ago", NULL},
	};
	struct against a;
	set_up(&a);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		check(&a.in, rows[i].reason, rows[i].sentence, reason_code(rows[i].reason));
		if (rows[i].clear)
			rows[i].clear(&a);
	}
}

/* Each of them alone is enough. */
static void each_reason_alone_refuses(void **state)
{
	(void)state;
	static void (*const clears[])(struct against * a) = {clear_to_compare, clear_forced,
		clear_no_resume, clear_always_run, clear_not_cacheable, clear_key_incomplete,
		clear_broken, clear_refusal, clear_unjudged, clear_suspect, clear_contract,
		clear_ttl, clear_unrestorable, clear_gone, clear_other, clear_damaged, clear_policy,
		clear_unproven};
	static const enum reason reasons[] = {REASON_FORCED, REASON_FORCED, REASON_NO_RESUME,
		REASON_ALWAYS_RUN, REASON_NOT_CACHEABLE, REASON_KEY_INCOMPLETE, REASON_FILE_CHANGED,
		REASON_QUARANTINED, REASON_STORE_DAMAGED, REASON_SUSPECT, REASON_CONTRACT_FAILED,
		REASON_EXPIRED, REASON_OUTPUT_MISSING, REASON_OUTPUT_MISSING,
		REASON_OUTPUT_MODIFIED, REASON_STORE_DAMAGED, REASON_POLICY, REASON_UNPROVEN};
	size_t count = sizeof(clears) / sizeof(clears[0]);
	for (size_t only = 0; only < count; only++) {
		struct against a;
		struct arena arena = {0};
		set_up(&a);
		for (size_t i = 0; i < count; i++) {
			if (i != only)
				clears[i](&a);
		}
		struct decision got = decide(&arena, &a.in);
		assert_string_equal(reason_code(got.reason), reason_code(reasons[only]));
		assert_int_equal(got.action, ACTION_RUN);
		arena_finish(&arena);
	}
}

static void the_edges_of_ttl(void **state)
{
	(void)state;
	struct against a;
	set_up(&a);
	a.candidate = (struct candidate){.row = &a.row,
		.contract = STR(""),
		.output_gone = STR(""),
		.output_other = STR(""),
		.policy = STR("")};
	a.row.provable = true;
	a.in = (struct decide_input){.now_ms = now_ms,
		.candidates = &a.candidate,
		.candidate_count = 1,
		.words = STR(""),
		.failed_how = STR(""),
		.not_stored = STR("")};
	a.in.ttl_ms = 2 * HOUR;
	check(&a.in, REASON_REUSE, "from run 3, 2 h ago", "as old as ttl");
	a.in.ttl_ms = 2 * HOUR - 1;
	check(&a.in, REASON_EXPIRED, "its result was made 2 h ago, ttl is 1h59m", "a moment older");
	a.in.ttl_ms = HOUR;
	a.row.made_ms = now_ms + HOUR; /* the clock was set back: its age is unknown */
	check(&a.in, REASON_EXPIRED, "its result was made in the future, ttl is 1h00m",
		"from the future");
	a.in.ttl_ms = 0;
	check(&a.in, REASON_REUSE, "from run 3, in the future", "no ttl, no clock");
}

static void unproven_results_are_for_the_run_that_goes_on(void **state)
{
	(void)state;
	struct against a;
	set_up(&a);
	a.in.to_compare = a.in.forced = a.in.no_resume = a.in.not_cacheable = false;
	a.in.always_run = NULL;
	a.in.key_incomplete = false;
	a.in.ttl_ms = 0;
	a.candidate = (struct candidate){.row = &a.row,
		.contract = STR(""),
		.output_gone = STR(""),
		.output_other = STR(""),
		.policy = STR("")};
	static const struct {
		bool continuing, belongs;
		enum reason reason;
		const char *sentence;
	} rows[] = {
		{false, false, REASON_UNPROVEN, "reads not declared, and this is a new run"},
		{false, true, REASON_UNPROVEN, "reads not declared, and this is a new run"},
		{true, false, REASON_UNPROVEN, "reads not declared, and this is a new run"},
		{true, true, REASON_REUSE, "from run 3, 2 h ago (unproven: reads not declared)"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		a.in.continuing = rows[i].continuing;
		a.candidate.belongs = rows[i].belongs;
		check(&a.in, rows[i].reason, rows[i].sentence, "unproven");
	}
	/* Only what was made before it above it, and only of what is not known. */
	a.row.id = 7;
	a.in.above_name = STR("up");
	a.in.above_made = 6;
	check(&a.in, REASON_REUSE, rows[3].sentence, "made before");
	a.in.above_made = 7;
	check(&a.in, REASON_UNPROVEN, "reads not declared, and up was made or put back since run 3",
		"itself");
	a.in.above_made = 8;
	check(&a.in, REASON_UNPROVEN, "reads not declared, and up was made or put back since run 3",
		"since");
	a.row.provable = true;
	check(&a.in, REASON_REUSE, "from run 3, 2 h ago", "provable");
	a.row.provable = false;
	a.candidate.loose = STR("x");
	check(&a.in, REASON_OUTPUT_MISSING,
		"x, which it or another node wrote in run 3, is not here", "loose");
}

static void what_is_older_than_a_run_that_refused_it_counts_no_more(void **state)
{
	(void)state;
	struct against a;
	set_up(&a);
	a.in.to_compare = a.in.forced = a.in.no_resume = a.in.not_cacheable = a.in.key_incomplete =
		false;
	a.in.always_run = NULL;
	static const struct {
		struct cutoff forced, off;
		enum reason reason;
		const char *sentence;
	} rows[] = {
		{{5, 9}, {0, 0}, REASON_FORCED,
			"forced in run 9, and its result of run 3 is older"},
		{{5, 0}, {0, 0}, REASON_FORCED, "forced, and its result of run 3 is older"},
		{{0, 0}, {5, 8}, REASON_NO_RESUME,
			"reuse is off for run 8, and its result of run 3 is older"},
		{{6, 9}, {7, 8}, REASON_FORCED,
			"forced in run 9, and its result of run 3 is older"},
		{{4, 9}, {4, 8}, REASON_FILE_CHANGED, "src/a.txt is gone since run 3"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		a.in.forced_before = rows[i].forced;
		a.in.off_before = rows[i].off;
		check(&a.in, rows[i].reason, rows[i].sentence, "older");
	}
	/* What is newer and bad says more than what is too old to be looked at. */
	struct result_row old = {.id = 4, .run = 2, .provable = true};
	struct candidate two[2] = {a.candidate, {.row = &old}};
	a.in.candidates = two;
	a.in.candidate_count = 2;
	check(&a.in, REASON_FILE_CHANGED, "src/a.txt is gone since run 3", "newer and bad");
}

static void what_a_plan_can_not_know_is_uncertain(void **state)
{
	(void)state;
	struct against a;
	struct arena arena = {0};
	set_up(&a);
	a.candidate = (struct candidate){.row = &a.row};
	a.row.provable = true;
	a.in = (struct decide_input){
		.now_ms = now_ms, .candidates = &a.candidate, .candidate_count = 1};
	a.in.has_twin = true;
	assert_false(decide(&arena, &a.in).is_uncertain);
	check(&a.in, REASON_REUSE, "from run 3, 2 h ago", "a twin of what is reused");
	a.in.candidate_count = 0;
	assert_true(decide(&arena, &a.in).is_uncertain);
	check(&a.in, REASON_FIRST_RUN,
		"it never ran before; another in this run does the same, and one may be reused",
		"a twin of what runs");
	a.in.has_twin = false;
	assert_false(decide(&arena, &a.in).is_uncertain);
	a.in.uncertain = true;
	assert_true(decide(&arena, &a.in).is_uncertain);
	check(&a.in, REASON_INPUT_CHANGED, "what it consumes is made anew", "uncertain");
	a.in.forced = true;
	assert_false(decide(&arena, &a.in).is_uncertain);
	check(&a.in, REASON_FORCED, "forced", "whatever it consumes");
	a.in.is_optional = true;
	assert_true(decide(&arena, &a.in).is_uncertain);
	arena_finish(&arena);
}

static void what_was_put_back_is_counted(void **state)
{
	(void)state;
	struct against a;
	set_up(&a);
	a.candidate = (struct candidate){.row = &a.row};
	a.row.provable = true;
	a.in = (struct decide_input){.now_ms = now_ms,
		.candidates = &a.candidate,
		.candidate_count = 1,
		.restored = {.files = 1}};
	check(&a.in, REASON_REUSE, "from run 3, 2 h ago, 1 file restored", "one");
	a.in.restored.files = 2;
	check(&a.in, REASON_REUSE, "from run 3, 2 h ago, 2 files restored", "two");
}

static void what_changed_of_a_file_is_named(void **state)
{
	(void)state;
	struct digest one = {{1}};
	struct digest two = {{2}};
	const struct {
		struct fact then, now;
		enum reason reason;
		const char *sentence;
	} rows[] = {
		{{.kind = FACT_FILE, .path = STR("a"), .digest = one},
			{.kind = FACT_FILE, .digest = two}, REASON_FILE_CHANGED,
			"a changed since run 3"},
		{{.kind = FACT_FILE, .path = STR("a"), .digest = one}, {.kind = FACT_ABSENT},
			REASON_FILE_CHANGED, "a is gone since run 3"},
		{{.kind = FACT_ABSENT, .path = STR("a")}, {.kind = FACT_FILE, .digest = one},
			REASON_FILE_CHANGED, "a is new since run 3"},
		{{.kind = FACT_GLOB, .path = STR("*.c"), .digest = one},
			{.kind = FACT_GLOB, .digest = two}, REASON_FILE_CHANGED,
			"*.c matches other files since run 3"},
		{{.kind = FACT_FILE, .path = STR("a"), .digest = one},
			{.kind = FACT_FILE, .digest = one, .mode = 1}, REASON_FILE_CHANGED,
			"a became executable since run 3"},
		{{.kind = FACT_FILE, .path = STR("a"), .digest = one, .mode = 1},
			{.kind = FACT_FILE, .digest = one}, REASON_FILE_CHANGED,
			"a is no longer executable since run 3"},
		{{.kind = FACT_TREE, .path = STR("d"), .digest = one},
			{.kind = FACT_TREE, .digest = two}, REASON_FILE_CHANGED,
			"d changed since run 3"},
		{{.kind = FACT_TOOL, .path = STR("jq"), .digest = one}, {.kind = FACT_ABSENT},
			REASON_TOOL_CHANGED, "the program jq is gone since run 3"},
		{{.kind = FACT_TOOL, .path = STR("jq"), .digest = one},
			{.kind = FACT_TOOL, .real = STR("/opt/jq"), .digest = two},
			REASON_TOOL_CHANGED, "the program jq (/opt/jq) is another than in run 3"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct against a;
		set_up(&a);
		a.in.to_compare = a.in.forced = a.in.no_resume = a.in.not_cacheable = false;
		a.in.always_run = NULL;
		a.in.key_incomplete = false;
		a.broken = (struct broken_fact){rows[i].then, rows[i].now};
		check(&a.in, rows[i].reason, rows[i].sentence, rows[i].sentence);
	}
}

static void of_several_candidates_the_newest_good_one_is_taken(void **state)
{
	(void)state;
	struct result_row rows[3];
	struct candidate candidates[3];
	struct broken_fact broken = {.then = {.kind = FACT_FILE, .path = STR("f"), .real = STR("")},
		.now = {.kind = FACT_ABSENT, .real = STR("")}};
	struct decide_input in = {.now_ms = now_ms,
		.candidates = candidates,
		.candidate_count = 3,
		.words = STR(""),
		.failed_how = STR(""),
		.not_stored = STR("")};
	/* Bit i of `bad`: candidate i is broken; damaged ones are the others' trouble. */
	for (unsigned bad = 0; bad < 8; bad++) {
		struct arena arena = {0};
		for (size_t i = 0; i < 3; i++) {
			rows[i] = (struct result_row){.run = (int64_t)(9 - i),
				.made_ms = now_ms,
				.provable = true,
				.unproven = STR("")};
			candidates[i] = (struct candidate){.row = &rows[i],
				.broken = bad >> i & 1 ? &broken : NULL,
				.contract = STR(""),
				.output_gone = STR(""),
				.output_other = STR(""),
				.policy = STR("")};
		}
		struct decision got = decide(&arena, &in);
		size_t want = !(bad & 1) ? 0 : !(bad & 2) ? 1 : 2;
		if (bad == 7) {
			assert_int_equal(got.reason, REASON_FILE_CHANGED);
			assert_int_equal(got.candidate, 0);
			assert_true(str_is(got.sentence, "f is gone since run 9"));
		} else {
			assert_int_equal(got.action, ACTION_REUSE);
			assert_int_equal(got.candidate, want);
		}
		arena_finish(&arena);
	}
	/* Whatever it is that speaks against the newest one. */
	struct arena kept = {0};
	candidates[0].broken = NULL;
	candidates[0].is_damaged = true;
	candidates[1].broken = NULL;
	candidates[2].broken = NULL;
	struct decision second = decide(&kept, &in);
	assert_true(second.action == ACTION_REUSE && second.candidate == 1);
	candidates[0].is_damaged = false;
	arena_finish(&kept);
	/* Nothing will do: what speaks of the files as they are now is told, though it is older. */
	struct arena arena = {0};
	for (size_t i = 0; i < 3; i++)
		candidates[i].broken = i == 1 ? NULL : &broken;
	candidates[1].is_damaged = true;
	struct decision got = decide(&arena, &in);
	assert_int_equal(got.reason, REASON_STORE_DAMAGED);
	assert_int_equal(got.candidate, 1);
	arena_finish(&arena);
}

/* ---- nothing under this key ---- */

static void without_candidates_the_history_speaks(void **state)
{
	(void)state;
	struct key_part then = {'t', STR("fields/body"), STR("echo a\necho b\n")};
	struct key_part now = {'t', STR("fields/body"), STR("echo a\necho c\n")};
	struct key_change change = {STR("fields/body"), &then, &now};
	struct key_changes changes = {&change, 1};
	struct result_row newest = {.run = 4};
	struct verdict_row by_hand = {
		.by = STR("kim"), .reason = STR(""), .at_ms = now_ms - 2 * HOUR};
	struct decide_input in = {.now_ms = now_ms,
		.words = STR(""),
		.newest = &newest,
		.changes = &changes,
		.invalidated = &by_hand,
		.last_has_key = true,
		.failed_run = 6,
		.failed_how = STR("exit 2"),
		.not_stored = STR("src.txt changed while it ran"),
		.not_stored_run = 5};
	const char *kept = "its result of run 5 was not kept: src.txt changed while it ran";
	check(&in, REASON_NOT_STORED, kept, "not stored, this key");
	in.not_stored = STR("");
	check(&in, REASON_FAILED_BEFORE, "it failed in run 6 (exit 2)", "failed, this key");
	in.last_has_key = false;
	in.not_stored = STR("src.txt changed while it ran");
	check(&in, REASON_BODY_CHANGED,
		"its body changed since run 4, line 2: \"echo b\" → \"echo c\"", "body");
	in.changes = NULL;
	check(&in, REASON_INVALIDATED, "its result of run 4 was invalidated by kim, 2 h ago",
		"by hand");
	in.invalidated = NULL;
	check(&in, REASON_NOT_STORED, kept, "not stored");
	in.not_stored = STR("");
	check(&in, REASON_FAILED_BEFORE, "it failed in run 6 (exit 2)", "failed");
	in.failed_run = 0;
	check(&in, REASON_STORE_DAMAGED, "its result of run 4 is no longer in the store", "lost");
	in.newest = NULL;
	check(&in, REASON_FIRST_RUN, "it never ran before", "first");
}

static void of_several_changes_the_one_that_says_most_leads(void **state)
{
	(void)state;
	static const struct {
		const char *label;
		enum reason reason;
	} order[] = {
		{"fields/body", REASON_BODY_CHANGED},
		{"fields/shell", REASON_FIELD_CHANGED},
		{"inputs/up/state", REASON_INPUT_CHANGED},
		{"env/LIMIT", REASON_ENV_CHANGED},
		{"epoch", REASON_PLUGIN_CHANGED},
		{"policy/a.lua", REASON_POLICY_CHANGED},
	};
	size_t count = sizeof(order) / sizeof(order[0]);
	struct result_row newest = {.run = 4};
	struct key_part then = {'t', STR(""), STR("1")};
	struct key_part now = {'t', STR(""), STR("2")};
	struct key_change list[6];
	for (size_t first = 0; first < count; first++) {
		struct arena arena = {0};
		/* Backwards, so that the place in the list can't be what decides. */
		for (size_t i = first; i < count; i++)
			list[count - 1 - i] =
				(struct key_change){str_of(order[i].label), &then, &now};
		struct key_changes changes = {list, count - first};
		struct decide_input in = {.now_ms = now_ms,
			.words = STR(""),
			.newest = &newest,
			.changes = &changes,
			.failed_how = STR(""),
			.not_stored = STR("")};
		struct decision got = decide(&arena, &in);
		assert_string_equal(reason_code(got.reason), reason_code(order[first].reason));
		bool says_more = str_find(got.sentence, STR(" more)"), 0) != SIZE_MAX;
		assert_int_equal(says_more, first + 1 < count);
		arena_finish(&arena);
	}
}

static void changes_are_told_with_their_values(void **state)
{
	(void)state;
	const struct {
		const char *label;
		struct key_part then, now; /* tag 0: none */
		enum reason reason;
		const char *sentence;
	} rows[] = {
		{"env/LIMIT", {'t', STR(""), STR("10")}, {'t', STR(""), STR("20")},
			REASON_ENV_CHANGED,
			"its environment changed since run 4, LIMIT: \"10\" → \"20\""},
		{"env/LIMIT", {'a', STR(""), STR("")}, {'t', STR(""), STR("")}, REASON_ENV_CHANGED,
			"its environment changed since run 4, LIMIT: unset → \"\""},
		{"secrets/TOKEN", {'d', STR(""), STR("aa")}, {'d', STR(""), STR("bb")},
			REASON_ENV_CHANGED,
			"its environment changed since run 4, the secret TOKEN"},
		{"inputs/up/output", {'d', STR(""), STR("0123456789abcdef")},
			{'d', STR(""), STR("fedcba9876543210")}, REASON_INPUT_CHANGED,
			"an input changed since run 4, output of up: 01234567 → fedcba98"},
		{"inputs/up/state", {'t', STR(""), STR("failed")}, {'t', STR(""), STR("completed")},
			REASON_INPUT_CHANGED,
			"an input changed since run 4, state of up: failed → completed"},
		{"inputs/up/output", {0, STR(""), STR("")}, {'d', STR(""), STR("0123456789abcdef")},
			REASON_INPUT_CHANGED, "an input changed since run 4, now depends on up"},
		{"inputs/up/output", {'d', STR(""), STR("0123456789abcdef")}, {0, STR(""), STR("")},
			REASON_INPUT_CHANGED,
			"an input changed since run 4, no longer depends on up"},
		{"fields/shell", {'t', STR(""), STR("a\nb")}, {'t', STR(""), STR("\033[31m")},
			REASON_FIELD_CHANGED, "changed since run 4, shell: \"a\\nb\" → \"^[[31m\""},
		{"with/v", {'t', STR(""), STR("1")}, {'t', STR(""), STR("2")}, REASON_INPUT_CHANGED,
			"an input changed since run 4, with/v: \"1\" → \"2\""},
		{"epoch", {'n', STR(""), STR("1")}, {'n', STR(""), STR("2")}, REASON_PLUGIN_CHANGED,
			"changed since run 4, epoch: \"1\" → \"2\""},
	};
	struct result_row newest = {.run = 4};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct key_change change = {str_of(rows[i].label),
			rows[i].then.tag ? &rows[i].then : NULL,
			rows[i].now.tag ? &rows[i].now : NULL};
		struct key_changes changes = {&change, 1};
		struct decide_input in = {.now_ms = now_ms,
			.words = STR(""),
			.newest = &newest,
			.changes = &changes,
			.failed_how = STR(""),
			.not_stored = STR("")};
		check(&in, rows[i].reason, rows[i].sentence, rows[i].label);
	}
}

static void values_are_quoted_on_one_line(void **state)
{
	(void)state;
	const struct {
		str value;
		size_t limit;
		const char *quoted;
	} rows[] = {
		{STR(""), 10, "\"\""},
		{STR("abc"), 3, "\"abc\""},
		{STR("abcd"), 3, "\"abc…\""},
		{STR("a\tb\nc"), 10, "\"a\\tb\\nc\""},
		{STR("aé"), 2, "\"a…\""}, /* never half a character */
		{STR("\xf0\x9f\x98\x80"), 3, "\"…\""},
		{STR("\033]0;title\007"), 20, "\"^[]0;title^G\""},
	};
	struct arena arena = {0};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		str got = decide_quote(&arena, rows[i].value, rows[i].limit);
		if (!str_is(got, rows[i].quoted))
			fail_msg("%.*s, not %s", STR_ARG(got), rows[i].quoted);
	}
	arena_finish(&arena);
}

static void codes_are_there_and_differ(void **state)
{
	(void)state;
	for (int i = 0; i <= REASON_REUSE; i++) {
		assert_non_null(reason_code((enum reason)i));
		for (int j = 0; j < i; j++)
			assert_string_not_equal(
				reason_code((enum reason)i), reason_code((enum reason)j));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_reason_wins_over_all_later_ones),
		cmocka_unit_test(each_reason_alone_refuses),
		cmocka_unit_test(the_edges_of_ttl),
		cmocka_unit_test(unproven_results_are_for_the_run_that_goes_on),
		cmocka_unit_test(what_is_older_than_a_run_that_refused_it_counts_no_more),
		cmocka_unit_test(what_a_plan_can_not_know_is_uncertain),
		cmocka_unit_test(what_was_put_back_is_counted),
		cmocka_unit_test(what_changed_of_a_file_is_named),
		cmocka_unit_test(of_several_candidates_the_newest_good_one_is_taken),
		cmocka_unit_test(without_candidates_the_history_speaks),
		cmocka_unit_test(of_several_changes_the_one_that_says_most_leads),
		cmocka_unit_test(changes_are_told_with_their_values),
		cmocka_unit_test(values_are_quoted_on_one_line),
		cmocka_unit_test(codes_are_there_and_differ),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
