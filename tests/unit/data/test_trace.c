/* trace: what is written is read back, whatever stands in the paths; what is not a trace is refused. */
#include "data/trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEX "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"

static struct digest counting(void)
{
	struct digest digest;
	for (size_t i = 0; i < sizeof(digest.bytes); i++)
		digest.bytes[i] = (unsigned char)(i + 1);
	return digest;
}

static void every_kind_has_its_line(void **state)
{
	(void)state;
	struct digest d = counting();
	const struct {
		struct fact fact;
		const char *line;
	} rows[] = {
		{{.kind = FACT_FILE,
			 .path = STR("src/a.txt"),
			 .real = STR(""),
			 .digest = d,
			 .mode = 0},
			"file 9:src/a.txt " HEX " -\n"},
		{{.kind = FACT_FILE,
			 .path = STR("run.sh"),
			 .real = STR(""),
			 .digest = d,
			 .mode = 1},
			"file 6:run.sh " HEX " x\n"},
		{{.kind = FACT_ABSENT, .path = STR("b.txt"), .real = STR("")}, "absent 5:b.txt\n"},
		{{.kind = FACT_TREE, .path = STR("src"), .real = STR(""), .digest = d, .mode = 0},
			"tree 3:src " HEX "\n"},
		{{.kind = FACT_GLOB, .path = STR("*.txt"), .real = STR(""), .digest = d, .mode = 0},
			"glob 5:*.txt " HEX "\n"},
		{{.kind = FACT_TOOL,
			 .path = STR("jq"),
			 .real = STR("/usr/bin/jq"),
			 .digest = d,
			 .mode = 0},
			"tool 2:jq 11:/usr/bin/jq " HEX "\n"},
		{{.kind = FACT_WROTE,
			 .path = STR("out.txt"),
			 .real = STR(""),
			 .digest = d,
			 .mode = 0644},
			"wrote 7:out.txt " HEX " 644\n"},
		{{.kind = FACT_WAS, .path = STR("a"), .real = STR(""), .digest = d, .after = d},
			"was 1:a " HEX " " HEX "\n"},
		{{.kind = FACT_LOOSE, .path = STR("$ARTIFACTS_DIR/a"), .real = STR("")},
			"loose 16:$ARTIFACTS_DIR/a\n"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct trace one = {0};
		struct trace again = {0};
		struct buf text = {0};
		*vec_push(&one.facts) = rows[i].fact;
		trace_write(&text, &one);
		assert_string_equal(buf_cstr(&text), rows[i].line);
		assert_true(trace_parse(buf_str(&text), &again));
		assert_int_equal(again.facts.len, 1);
		assert_true(fact_eq(&again.facts.ptr[0], &rows[i].fact));
		trace_finish(&one);
		trace_finish(&again);
		buf_finish(&text);
	}
}

static void any_path_can_stand_in_it(void **state)
{
	(void)state;
	static const char *const paths[] = {
		"", " ", "a b", "a\nfile 1:b", "5:x", "ünï", "\xff\xfe", "-", "\n"};
	struct trace all = {0};
	struct trace again = {0};
	struct buf text = {0};
	size_t count = sizeof(paths) / sizeof(paths[0]);
	for (size_t i = 0; i < count; i++) {
		*vec_push(&all.facts) = (struct fact){.kind = FACT_FILE,
			.path = str_of(paths[i]),
			.real = STR(""),
			.digest = counting(),
			.mode = 0};
		*vec_push(&all.facts) = (struct fact){.kind = FACT_TOOL,
			.path = str_of(paths[i]),
			.real = str_of(paths[count - 1 - i]),
			.digest = counting()};
	}
	trace_write(&text, &all);
	assert_true(trace_parse(buf_str(&text), &again));
	assert_int_equal(again.facts.len, all.facts.len);
	for (size_t i = 0; i < all.facts.len; i++)
		assert_true(fact_eq(&all.facts.ptr[i], &again.facts.ptr[i]));
	trace_finish(&all);
	trace_finish(&again);
	buf_finish(&text);
}

static void no_prefix_and_no_damage_is_taken_for_the_whole(void **state)
{
	(void)state;
	static const char good[] = "file 3:a b " HEX " x\ntool 2:jq 7:/bin/jq " HEX "\n"
				   "wrote 1:w " HEX " 755\nabsent 1:c\n";
	size_t len = sizeof(good) - 1;
	size_t ends = 0;
	for (size_t cut = 0; cut <= len; cut++) {
		/* A copy of exactly that size: who reads behind it is found by the sanitizers. */
		char *copy = malloc(cut + 1);
		struct trace trace = {0};
		memcpy(copy, good, cut);
		bool ok = trace_parse(str_make(copy, cut), &trace);
		assert_int_equal(ok, cut == 0 || good[cut - 1] == '\n');
		ends += ok;
		trace_finish(&trace);
		free(copy);
	}
	assert_int_equal(ends, 5);
}

static void what_is_no_trace_is_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {"\n", "file\n", "file a\n", "fil 1:a " HEX " x\n",
		"file 1:a " HEX "\n", "file 1:a " HEX " y\n", "file 2:a " HEX " x\n",
		"file 1:a  " HEX " x\n", "file 1:a " HEX " x \n", "file 1:a 00 x\n",
		"absent 1:a " HEX "\n", "absent 9:a\n", "absent -1:a\n", "absent +1:a\n",
		"absent 01:a", "absent 18446744073709551616:a\n", "absent 18446744073709551615:a\n",
		"wrote 1:a " HEX " 8\n", "wrote 1:a " HEX " \n", "wrote 1:a " HEX " 1234567\n",
		"tool 1:a " HEX "\n", "absent 1:a\n\n", "absent 1:a\r\n"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct trace trace = {0};
		if (trace_parse(str_of(bad[i]), &trace))
			fail_msg("taken: %s", bad[i]);
		trace_finish(&trace);
	}
}

static void facts_are_compared_by_what_they_say(void **state)
{
	(void)state;
	struct digest d = counting();
	struct digest other = d;
	other.bytes[31] ^= 1;
	struct fact file = {
		.kind = FACT_FILE, .path = STR("a"), .real = STR(""), .digest = d, .mode = 0};
	struct fact changed = {
		.kind = FACT_FILE, .path = STR("a"), .real = STR(""), .digest = other, .mode = 0};
	struct fact program = {
		.kind = FACT_FILE, .path = STR("a"), .real = STR(""), .digest = d, .mode = 1};
	struct fact gone = {
		.kind = FACT_ABSENT, .path = STR("a"), .real = STR(""), .digest = other, .mode = 0};
	struct fact gone_too = {
		.kind = FACT_ABSENT, .path = STR("a"), .real = STR(""), .digest = d, .mode = 0};
	struct fact tree = {
		.kind = FACT_TREE, .path = STR("a"), .real = STR(""), .digest = d, .mode = 0};
	struct fact glob = {
		.kind = FACT_GLOB, .path = STR("a"), .real = STR(""), .digest = d, .mode = 0};
	struct fact tool = {
		.kind = FACT_TOOL, .path = STR("a"), .real = STR("/bin/a"), .digest = d, .mode = 0};
	struct fact moved = {
		.kind = FACT_TOOL, .path = STR("a"), .real = STR("/opt/a"), .digest = d, .mode = 0};
	assert_true(fact_eq(&file, &file));
	assert_false(fact_eq(&file, &changed));
	assert_false(fact_eq(&file, &program));
	assert_false(fact_eq(&file, &tree));
	assert_true(fact_eq(&gone, &gone_too)); /* what is not there has no content */
	assert_false(fact_eq(&tool, &moved));
	struct fact was = {
		.kind = FACT_WAS, .path = STR("a"), .real = STR(""), .digest = counting()};
	struct fact left = was;
	left.after.bytes[0]++;
	assert_true(fact_eq(&was, &was));
	assert_false(fact_eq(&was, &left));
	assert_true(fact_same_subject(&file, &gone));
	assert_true(fact_same_subject(&gone, &tree));
	assert_false(fact_same_subject(&file, &glob));
	assert_false(fact_same_subject(&tool, &file));
	assert_true(fact_same_subject(&tool, &moved));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_has_its_line),
		cmocka_unit_test(any_path_can_stand_in_it),
		cmocka_unit_test(no_prefix_and_no_damage_is_taken_for_the_whole),
		cmocka_unit_test(what_is_no_trace_is_refused),
		cmocka_unit_test(facts_are_compared_by_what_they_say),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
