/* when: conditions as people write them, nearly write them, and must not write them. */
#include "base/arena.h"
#include "base/buf.h"
#include "data/decimal.h"
#include "data/when.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Values by reference text; counts how often it was asked. */
struct answers {
	const char *const *pairs; /* "a.output", "x", ..., NULL */
	size_t asked;
};

static bool answer(void *ctx, const struct ref *ref, str *bytes, struct err *err)
{
	struct answers *answers = ctx;
	struct buf name = {0};
	bool found = false;

	answers->asked++;
	if (ref->kind == REF_INPUT)
		buf_add_z(&name, "INPUTS.");
	buf_add(&name, ref->name);
	if (ref->kind == REF_OUTPUT)
		buf_add_z(&name, ".output");
	if (ref->kind == REF_STATE)
		buf_add_z(&name, ".state");
	if (ref->path.len > 0)
		buf_printf(&name, ".%.*s", STR_ARG(ref->path));
	for (size_t i = 0; answers->pairs[i] && !found; i += 2) {
		found = str_is(buf_str(&name), answers->pairs[i]);
		*bytes = str_of(answers->pairs[i + 1]);
	}
	if (!found)
		err_set(err, "E-TEST-NONE", "no value for %s", buf_cstr(&name));
	buf_finish(&name);
	return found;
}

static const char *const values[] = {"a.output", "x", "b.output", "10", "c.output", "", "d.output",
	"it's", "e.output.n.0", "1.50", "big.output", "9007199254740993", "a.state", "completed",
	"b.state", "reused", "f.state", "skipped", "INPUTS.mode", "fast", "w.output", "  7\n",
	"t.output", "true", "q.output", "say \"hi\"", NULL};

/* 1, 0, or -1 for an error at evaluation. */
static int eval(const char *text)
{
	struct arena arena = {0};
	struct err err = {0};
	struct answers answers = {values, 0};
	struct ref_resolver resolver = {&answers, answer};
	bool result = false;
	int got = -1;

	const struct when *when = when_parse(&arena, str_of(text), (struct place){0}, &err);
	if (!when)
		fail_msg("%s: %s", text, err.message);
	else if (when_eval(when, &resolver, &result, NULL, &err))
		got = result;
	err_finish(&err);
	arena_finish(&arena);
	return got;
}

static void comparisons_hold_or_not(void **state)
{
	static const struct {
		const char *text;
		int result;
	} cases[] = {
		{"$a.output == 'x'", 1},
		{"$a.output=='x'", 1},
		{"$a.output == \"x\"", 1},
		{"$a.output == 'y'", 0},
		{"$a.output != 'y'", 1},
		{"$d.output == 'it''s'", 1},
		{"$q.output == \"say \"\"hi\"\"\"", 1},
		{"$q.output == 'say \"hi\"'", 1},
		{"$c.output == ''", 1},
		{"$b.output == 10", 1},
		{"$b.output == 10.0", 0}, /* text, not numbers */
		{"$b.output >= 10.0", 1},
		{"$b.output > 9.99999999999999999999", 1},
		{"$b.output < '11'", 1},
		{"$b.output <= -1", 0},
		{"$e.output.n.0 >= 1.5", 1},
		{"$big.output > 9007199254740992", 1},
		{"$big.output < 9007199254740994", 1},
		{"$w.output == 7", 0},
		{"$w.output < 8", 1}, /* blanks around a number don't count */
		{"$t.output == true", 1},
		{"$t.output != false", 1},
		{"$a.state == 'completed'", 1},
		{"$b.state == 'completed'", 1}, /* reuse equals a fresh run */
		{"$b.state == 'reused'", 0},
		{"$f.state != 'skipped'", 0},
		{"$INPUTS.mode == 'fast'", 1},
		{"  $a.output\n== 'x'\n", 1},
		{"$a.output == 'x' && $b.output > 5", 1},
		{"$a.output == 'y' && $b.output > 5", 0},
		{"$a.output == 'y' || $b.output > 5", 1},
		/* && binds tighter */
		{"$a.output == 'x' || $a.output == 'y' && $b.output == 'z'", 1},
		{"$a.output == 'y' && $b.output == 'z' || $a.output == 'x'", 1},
		{"$a.output == 'y' && $b.output == '10' || $a.output == 'z'", 0},
		{"$a.output == '&&' || $a.output == '||'", 0},
		{"$a.output > 5", -1},
		{"$c.output > 5", -1},
		{"$nobody.output == 'x'", -1},
		/* what is not reached is not asked for */
		{"$a.output == 'y' && $nobody.output == 'x'", 0},
		{"$a.output == 'x' || $nobody.output == 'x'", 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (eval(cases[i].text) != cases[i].result)
			fail_msg("%s: not %d", cases[i].text, cases[i].result);
}

static void syntax_errors_say_where_and_what(void **state)
{
	static const struct {
		const char *text;
		uint32_t col;
		const char *message; /* a part of it */
		const char *help;    /* a part of it; NULL: there is none */
	} cases[] = {
		{"", 1, "is empty", NULL},
		{"   ", 4, "is empty", NULL},
		{"$a.output", 10, "not compared with anything", "== 'true'"},
		{"$a.output && $b.output == 'x'", 11, "'$a.output' is not compared", "!= ''"},
		{"$a.output == x", 14, "'x' is not quoted", "write 'x'"},
		{"$a.output == v1.2.3", 14, "'v1.2.3' is not quoted", "write 'v1.2.3'"},
		{"$a.output == 007", 14, "'007' is not quoted", "write '007'"},
		{"$a.output == +5", 14, "'+5' is not quoted", "write '+5'"},
		{"$a.output == True", 14, "'True' is not quoted", "write true, or 'True'"},
		{"$a.output == null", 14, "'null' is not quoted", "the empty text ''"},
		{"$a.output == ", 14, "the condition ends where", NULL},
		{"$a.output == 'x", 14, "has no end", "written twice"},
		{"$a.output == 'it's'", 18, "found 's'", NULL},
		{"$a.output == `x`", 14, "is not a quote", "use '"},
		{"$a.output == \xE2\x80\x98x\xE2\x80\x99", 14, "is not a quote", "use '"},
		{"$a.output == $b.output", 14, "two references", "in a node"},
		{"$a.output = 'x'", 11, "'=' is not an operator", "write '=='"},
		{"$a.output === 'x'", 11, "'===' is not an operator", "write '=='"},
		{"$a.output !== 'x'", 11, "'!==' is not an operator", "write '!='"},
		{"$a.output <> 'x'", 11, "'<>' is not an operator", "write '!='"},
		{"$a.output => 5", 11, "'=>' is not an operator", "write '>='"},
		{"$a.output >== 5", 13, "'=' too many", "=="},
		{"$a.output is 'x'", 11, "'is' is not an operator", "write '=='"},
		{"$a.output contains 'x'", 11, "'contains' is not an operator", "in a node"},
		{"$a.output == 'x' and $b.output == 'y'", 18, "'and' does not join", "write '&&'"},
		{"$a.output == 'x' OR $b.output == 'y'", 18, "'OR' does not join", "write '||'"},
		{"$a.output == 'x' & $b.output == 'y'", 18, "a single '&'", "write '&&'"},
		{"$a.output == 'x' | $b.output == 'y'", 18, "a single '|'", "write '||'"},
		{"$a.output == 'x' $b.output == 'y'", 18, "expected '&&', '||' or the end",
			"join two"},
		{"$a.output == 'x' &&", 20, "ends where another comparison", NULL},
		{"&& $a.output == 'x'", 1, "no comparison before '&&'", NULL},
		{"($a.output == 'x')", 1, "parentheses", "A && B || A && C"},
		{"$a.output == 'x' && ($b.output == 'y')", 21, "parentheses", "A && B"},
		{"$a.output == 'x')", 17, "parentheses", "A && B"},
		{"!$a.output == 'x'", 1, "'!' is not part", "'!=' for '=='"},
		{"not $a.output == 'x'", 1, "'not' is not part", "'!=' for '=='"},
		{"'x' == $a.output", 1, "begins with a reference", "reference first"},
		{"true", 1, "begins with a reference", "reference first"},
		{"a.output == 'x'", 1, "found 'a.output'", "write $a.output"},
		{"$a == 'x'", 1, "'$a' is not a reference", "$node.output"},
		{"\\$a.output == 'x'", 1, "literal text", "remove the backslash"},
		{"$a.output[0] == 'x'", 10, "found '['", "$node.output.0"},
		{"$a.state > 5", 10, "a state is a word", "== or !="},
		{"$a.output > 'x'", 13, "'x' is not a number", "== or !="},
		{"$a.output < true", 13, "true is not a number", "== or !="},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct arena arena = {0};
		struct err err = {0};
		if (when_parse(&arena, str_of(cases[i].text), (struct place){0}, &err))
			fail_msg("%s: was accepted", cases[i].text);
		assert_string_equal(err.code, "E-WHEN-SYNTAX");
		if (!strstr(err.message, cases[i].message) || err.at.col != cases[i].col)
			fail_msg("%s: column %u: %s", cases[i].text, err.at.col, err.message);
		if (cases[i].help ? !err.help || !strstr(err.help, cases[i].help)
				  : err.help != NULL)
			fail_msg("%s: help: %s", cases[i].text, err.help ? err.help : "(none)");
		err_finish(&err);
		arena_finish(&arena);
	}
}

static void places_count_from_the_origin(void **state)
{
	struct arena arena = {0};
	struct err err = {0};
	struct place origin = {"w.yaml", 7, 11, 0};

	(void)state;
	assert_null(
		when_parse(&arena, STR("$a.output == 'x' &&\n  $b.output == yes"), origin, &err));
	assert_string_equal(err.at.file, "w.yaml");
	assert_int_equal(err.at.line, 8);
	assert_int_equal(err.at.col, 16);
	assert_int_equal(err.at.len, 3);
	err_finish(&err);
	assert_null(when_parse(&arena, STR("$a.output == yes"), origin, &err));
	assert_int_equal(err.at.line, 7);
	assert_int_equal(err.at.col, 24);
	err_finish(&err);
	arena_finish(&arena);
}

static void a_condition_has_a_size_limit(void **state)
{
	struct arena arena = {0};
	struct err err = {0};
	struct buf text = {0};

	(void)state;
	for (size_t i = 0; i < 1000; i++)
		buf_add_z(&text, i == 0 ? "$a.output == 1" : "||$a.output == 1");
	assert_non_null(when_parse(&arena, buf_str(&text), (struct place){0}, &err));
	buf_add_z(&text, "||$a.output == 1");
	assert_null(when_parse(&arena, buf_str(&text), (struct place){0}, &err));
	assert_non_null(strstr(err.message, "at most 1000 comparisons"));
	while (text.len <= 65536)
		buf_add_z(&text, "    ");
	assert_null(when_parse(&arena, buf_str(&text), (struct place){0}, &err));
	assert_non_null(strstr(err.message, "at most 65536 bytes"));
	err_finish(&err);
	buf_finish(&text);
	arena_finish(&arena);
}

static void explanations_show_what_decided(void **state)
{
	static const struct {
		const char *text;
		const char *explained;
	} cases[] = {
		{"$a.output == 'x'", "$a.output == 'x' is true"},
		{"$a.output == 'y'", "$a.output == 'y' is false: it is 'x'"},
		{"$a.output != 'y'", "$a.output != 'y' is true: it is 'x'"},
		{"$b.output > 3", "$b.output > 3 is true: it is '10'"},
		{"$a.output == 'y' && $b.output > 3", "$a.output == 'y' is false: it is 'x'"},
		{"$a.output == 'y' || $b.output > 3", "$b.output > 3 is true: it is '10'"},
	};
	struct answers answers = {values, 0};
	struct ref_resolver resolver = {&answers, answer};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct arena arena = {0};
		struct err err = {0};
		struct buf explain = {0};
		bool result = false;
		const struct when *when =
			when_parse(&arena, str_of(cases[i].text), (struct place){0}, &err);
		assert_non_null(when);
		assert_true(when_eval(when, &resolver, &result, &explain, &err));
		assert_string_equal(buf_cstr(&explain), cases[i].explained);
		buf_finish(&explain);
		arena_finish(&arena);
	}
}

static void a_long_or_hostile_value_is_shown_short_and_visible(void **state)
{
	struct arena arena = {0};
	struct err err = {0};
	struct buf value = {0};
	struct buf explain = {0};
	bool result = true;

	(void)state;
	buf_add_z(&value, "\033[2J");
	for (size_t i = 0; i < 1000; i++)
		buf_add_z(&value, "\xC3\xA4");
	const char *pairs[] = {"a.output", buf_cstr(&value), NULL};
	struct answers answers = {pairs, 0};
	struct ref_resolver resolver = {&answers, answer};
	const struct when *when =
		when_parse(&arena, STR("$a.output == 'x'"), (struct place){0}, &err);
	assert_true(when_eval(when, &resolver, &result, &explain, &err));
	assert_false(result);
	assert_null(strchr(buf_cstr(&explain), '\033'));
	assert_non_null(strstr(buf_cstr(&explain), "\xA4'... (2004 bytes)"));
	assert_true(explain.len < 160);
	buf_finish(&explain);
	buf_finish(&value);
	arena_finish(&arena);
}

static void a_comparison_of_no_number_shows_both(void **state)
{
	struct arena arena = {0};
	struct err err = {0};
	struct answers answers = {values, 0};
	struct ref_resolver resolver = {&answers, answer};
	bool result;

	(void)state;
	const struct when *when = when_parse(&arena, STR("$b.output > 1 && $a.output <= 2.5"),
		(struct place){NULL, 3, 5, 0}, &err);
	assert_false(when_eval(when, &resolver, &result, NULL, &err));
	assert_string_equal(err.code, "E-WHEN-NUMBER");
	assert_string_equal(err.message,
		"$a.output <= 2.5 needs a number on both sides: the left one is 'x', the right one is "
		"2.5");
	assert_int_equal(err.at.line, 3);
	assert_int_equal(err.at.col, 22);
	when = when_parse(&arena, STR("$c.output > 1"), (struct place){0}, &err);
	assert_false(when_eval(when, &resolver, &result, NULL, &err));
	assert_non_null(strstr(err.help, "is empty"));
	for (size_t i = 0; i < 4; i++) {
		static const char *const not_finite[] = {
			"inf", "nan", "0x10", "1e99999999999999999999"};
		const char *pairs[] = {"a.output", not_finite[i], NULL};
		answers.pairs = pairs;
		when = when_parse(&arena, STR("$a.output > 1"), (struct place){0}, &err);
		assert_false(when_eval(when, &resolver, &result, NULL, &err));
		assert_string_equal(err.code, "E-WHEN-NUMBER");
	}
	err_finish(&err);
	arena_finish(&arena);
}

static void conditions_that_never_hold_are_found(void **state)
{
	static const struct {
		const char *text;
		const char *why; /* NULL: it can hold */
	} cases[] = {
		{"$a.output == 'x'", NULL},
		{"$a.state == 'completed'", NULL},
		{"$a.state != 'nonsense'", NULL},
		{"$a.state == 'nonsense'", "a state is completed"},
		{"$a.state == 'complete'", "did you mean 'completed'?"},
		{"$a.state == 'reused'", "reads 'completed'"},
		{"$a.state == 'nonsense' || $a.output == 'x'", NULL},
		{"$a.state == 'x' || $a.state == 'y'", "; $a.state == 'y'"},
		{"$a.state == 'failed' && $a.state == 'skipped'", "contradict"},
		{"$a.state == 'failed' && $b.state == 'skipped'", NULL},
		{"$a.state != 'failed' && $a.state != 'skipped' && $a.state != 'completed'", NULL},
		{"$a.state != 'failed' && $a.state != 'skipped' && $a.state != 'completed' && $a.state "
		 "!= 'cancelled'",
			"no state of 'a' is left"},
		{"$a.output == 'x' && $a.output == 'y'", "$a.output == 'x' and $a.output == 'y'"},
		{"$a.output == 'x' && $a.output == 'x'", NULL},
		{"$a.output == 'x' && $a.output.f == 'y'", NULL},
		{"$a.output == 'x' && $a.output != 'x'", "contradict"},
		{"$a.output != 'x' && $a.output == 'x'", "contradict"},
		{"$a.output != 'x' && $a.output == 'y'", NULL},
		{"$a.output != 'x' && $a.output != 'x'", NULL},
		{"$a.output == 'x' && $a.output > 3", "contradict"},
		{"$a.output == 5 && $a.output > 3", NULL},
		{"$a.output <= 3 && $a.output == 5", "contradict"},
		{"$a.output > 3 && $a.output < 3", "contradict"},
		{"$a.output >= 3 && $a.output <= 3", NULL},
		{"$a.output >= 3 && $a.output < 3.0", "contradict"},
		{"$a.output > 3 && $a.output < 4", NULL},
		{"$a.output < 3 && $a.output > 4", "contradict"},
		{"$a.output > 3 && $a.output > 4", NULL},
		{"$INPUTS.m == 'a' && $INPUTS.m == 'b'", "contradict"},
		{"$INPUTS.m == 'a' && $INPUTS.n == 'b'", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct arena arena = {0};
		struct err err = {0};
		struct buf why = {0};
		const struct when *when =
			when_parse(&arena, str_of(cases[i].text), (struct place){0}, &err);
		if (!when)
			fail_msg("%s: %s", cases[i].text, err.message);
		bool never = when_is_never(when, &why);
		if (never != (cases[i].why != NULL))
			fail_msg("%s: %s", cases[i].text, never ? buf_cstr(&why) : "can hold");
		if (never && !strstr(buf_cstr(&why), cases[i].why))
			fail_msg("%s: %s", cases[i].text, buf_cstr(&why));
		if (!never)
			assert_int_equal(why.len, 0);
		assert_true(when_is_never(when, NULL) == never);
		buf_finish(&why);
		arena_finish(&arena);
	}
}

static void count_ref(void *arg, const struct ref *ref)
{
	struct buf *names = arg;

	buf_printf(names, "%d:%.*s:%.*s ", (int)ref->kind, STR_ARG(ref->name), STR_ARG(ref->path));
}

static void references_are_listed_and_outlive_the_text(void **state)
{
	struct arena arena = {0};
	struct err err = {0};
	struct buf names = {0};
	char text[] = "$a.output.x.0 == 'q' || ${b.state} == 'failed' && $INPUTS.c == 1";

	(void)state;
	const struct when *when = when_parse(&arena, str_of(text), (struct place){0}, &err);
	assert_non_null(when);
	memset(text, '#', sizeof(text) - 1);
	when_each_ref(when, count_ref, &names);
	assert_string_equal(buf_cstr(&names), "0:a:x.0 1:b: 2:c: ");
	buf_finish(&names);
	arena_finish(&arena);
}

static void decimals_compare_by_value(void **state)
{
	static const struct {
		const char *a;
		const char *b;
		int order;
	} cases[] = {{"1", "1.0", 0}, {"0", "-0.00", 0}, {"1e2", "100", 0}, {"0.001", "1e-3", 0},
		{"-1", "1", -1}, {"-2", "-1", -1}, {"10", "9", 1}, {"0.1", "0.09", 1},
		{"9007199254740993", "9007199254740992", 1}, {"1e1000000", "1e999999", 1},
		{"007", "7", 0}, {"0", "1e-400", -1}, {"0", "-1e-400", 1}, {"12", "1.23e1", -1}};
	struct decimal a;
	struct decimal b;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_true(decimal_parse(str_of(cases[i].a), &a));
		assert_true(decimal_parse(str_of(cases[i].b), &b));
		assert_int_equal(decimal_cmp(&a, &b), cases[i].order);
		assert_int_equal(decimal_cmp(&b, &a), -cases[i].order);
		if (cases[i].order == 0)
			assert_true(decimal_hash(&a) == decimal_hash(&b));
	}
	static const char *const wrong[] = {"", "-", ".5", "5.", "1e", "1e+", "1 ", " 1", "0x1",
		"1e1000000000000001", "--1", "1.2.3"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(decimal_parse(str_of(wrong[i]), &a));
}

static void decimals_divide_exactly(void **state)
{
	static const struct {
		const char *number;
		const char *divisor;
		bool is_multiple;
	} cases[] = {{"0", "3", true}, {"9", "3", true}, {"10", "3", false}, {"-9", "3", true},
		{"4.5", "1.5", true}, {"0.0075", "0.0001", true}, {"0.00751", "0.0001", false},
		{"1e308", "0.123456789", false}, {"1e308", "0.5", true}, {"100", "1e2", true},
		{"10", "1e2", false}, {"1e1000000", "1024", true}, {"1e1000000", "3", false},
		{"9007199254740993", "2", false}, {"123456789012345678901234567890", "10", true},
		{"1", "999999999999999999", false}};
	struct decimal number;
	struct decimal divisor;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_true(decimal_parse(str_of(cases[i].number), &number));
		assert_true(decimal_parse(str_of(cases[i].divisor), &divisor));
		if (decimal_is_multiple(&number, &divisor) != cases[i].is_multiple)
			fail_msg("%s by %s", cases[i].number, cases[i].divisor);
	}
	assert_true(decimal_parse(STR("1.0"), &number) && decimal_is_integer(&number));
	assert_true(decimal_parse(STR("1.5e1"), &number) && decimal_is_integer(&number));
	assert_true(decimal_parse(STR("1.55e1"), &number) && !decimal_is_integer(&number));
	assert_true(decimal_parse(STR("1e-2"), &number) && !decimal_is_integer(&number));
	assert_true(decimal_parse(STR("0.0"), &number) && decimal_is_integer(&number));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comparisons_hold_or_not),
		cmocka_unit_test(syntax_errors_say_where_and_what),
		cmocka_unit_test(places_count_from_the_origin),
		cmocka_unit_test(a_condition_has_a_size_limit),
		cmocka_unit_test(explanations_show_what_decided),
		cmocka_unit_test(a_long_or_hostile_value_is_shown_short_and_visible),
		cmocka_unit_test(a_comparison_of_no_number_shows_both),
		cmocka_unit_test(conditions_that_never_hold_are_found),
		cmocka_unit_test(references_are_listed_and_outlive_the_text),
		cmocka_unit_test(decimals_compare_by_value),
		cmocka_unit_test(decimals_divide_exactly),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
