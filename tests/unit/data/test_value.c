/* value: paths, equality and numbers. */
#include "base/buf.h"
#include "data/json.h"
#include "data/value.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct value *parse(struct arena *arena, const char *text)
{
	struct err err = {0};
	const struct value *value = json_parse(arena, str_of(text), &err);
	if (!value)
		fail_msg("%s: %s", text, err.message);
	return value;
}

static void get_and_path_follow_maps_and_lists(void **state)
{
	(void)state;
	struct arena arena = {0};
	const struct value *v =
		parse(&arena, "{\"a\":{\"b\":[10,{\"c\":\"x\"},[]]},\"\":{\"\":7},\"0\":1}");
	assert_true(value_get(v, STR("a"))->kind == VALUE_MAP);
	assert_null(value_get(v, STR("b")));
	assert_null(value_get(NULL, STR("a")));
	assert_null(value_get(value_path(v, STR("a.b")), STR("0")));
	assert_true(str_is(value_path(v, STR("a.b.0"))->as.text, "10"));
	assert_true(str_is(value_path(v, STR("a.b.1.c"))->as.text, "x"));
	assert_true(str_is(value_path(v, STR("0"))->as.text, "1"));
	assert_ptr_equal(value_path(v, STR("")), v);
	assert_true(str_is(value_path(v, STR("."))->as.text, "7"));
	static const char *const nowhere[] = {"a.b.3", "a.b.01", "a.b.-1", "a.b. 0", "a.b.0.x",
		"a..b", "a.", "a.b.18446744073709551616", "x.y.z", "a.b.1.c.d"};
	for (size_t i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); i++)
		assert_null(value_path(v, str_of(nowhere[i])));
	assert_null(value_path(NULL, STR("a")));
	arena_finish(&arena);
}

static void numbers_are_equal_by_value(void **state)
{
	(void)state;
	static const struct {
		const char *a;
		const char *b;
		bool equal;
	} cases[] = {
		{"1", "1.0", true},
		{"1", "1.000e0", true},
		{"100", "1e2", true},
		{"100", "1E+2", true},
		{"0.001", "1e-3", true},
		{"12.50", "1250e-2", true},
		{"0.0102", "1.02e-2", true},
		{"0", "-0.0e7", true},
		{"0", "0e99999999999999999999999", true},
		{"-1", "1", false},
		{"1", "10", false},
		{"1.01", "1.1", false},
		{"101", "11", false},
		{"9007199254740993", "9007199254740992", false},
		{"9007199254740993", "9007199254740993.0", true},
		{"1e99999999999999999999999", "1e99999999999999999999999", true},
		{"1e99999999999999999999999", "1e99999999999999999999998", false},
		{"1e9", "1e-9", false},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct arena arena = {0};
		const struct value *a = parse(&arena, cases[i].a);
		const struct value *b = parse(&arena, cases[i].b);
		if (value_equal(a, b) != cases[i].equal || value_equal(b, a) != cases[i].equal)
			fail_msg("%s and %s", cases[i].a, cases[i].b);
		arena_finish(&arena);
	}
}

static void trees_are_equal_whatever_the_order_of_members(void **state)
{
	(void)state;
	static const struct {
		const char *a;
		const char *b;
		bool equal;
	} cases[] = {
		{"{\"a\":1,\"b\":[2,{\"c\":null}]}", "{\"b\":[2.0,{\"c\":null}],\"a\":1}", true},
		{"{\"a\":1,\"b\":2}", "{\"a\":1,\"c\":2}", false},
		{"{\"a\":1,\"b\":2}", "{\"b\":1,\"a\":2}", false},
		{"{\"a\":1}", "{\"a\":1,\"b\":2}", false},
		{"[1,2]", "[2,1]", false},
		{"[1,2]", "[1,2,3]", false},
		{"[]", "{}", false},
		{"[]", "[]", true},
		{"{}", "{}", true},
		{"null", "false", false},
		{"true", "false", false},
		{"\"1\"", "1", false},
		{"\"a\\u0000b\"", "\"a\\u0000c\"", false},
		{"[[[[1]]]]", "[[[[2]]]]", false},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct arena arena = {0};
		const struct value *a = parse(&arena, cases[i].a);
		const struct value *b = parse(&arena, cases[i].b);
		if (value_equal(a, b) != cases[i].equal || value_equal(b, a) != cases[i].equal)
			fail_msg("%s and %s", cases[i].a, cases[i].b);
		arena_finish(&arena);
	}
}

static void any_depth_can_be_compared_and_written(void **state)
{
	(void)state;
	enum { DEPTH = 1000000 };
	struct value *levels = calloc(DEPTH, sizeof(*levels));
	for (size_t i = 0; i < DEPTH - 1; i++) {
		levels[i].kind = VALUE_LIST;
		levels[i].as.list.items = &levels[i + 1];
		levels[i].as.list.count = 1;
	}
	assert_true(value_equal(levels, levels));
	assert_false(value_equal(levels, levels + 1));
	struct buf out = {0};
	json_write(&out, levels);
	assert_int_equal(out.len, 2 * (DEPTH - 1) + 4);
	buf_finish(&out);
	free(levels);
}

static void numbers_become_doubles_in_any_locale(void **state)
{
	(void)state;
	struct arena arena = {0};
	double d = 0;
	(void)setlocale(LC_ALL, "de_DE.UTF-8");
	assert_true(value_to_double(parse(&arena, "1.5"), &d) && d == 1.5);
	assert_true(value_to_double(parse(&arena, "-2e3"), &d) && d == -2000);
	assert_true(value_to_double(parse(&arena, "1e-400"), &d) && d == 0);
	(void)setlocale(LC_ALL, "C");
	struct buf longest = {0};
	buf_add_z(&longest, "1.");
	for (size_t i = 0; i < 500; i++)
		buf_add_char(&longest, '0');
	assert_true(value_to_double(parse(&arena, buf_cstr(&longest)), &d) && d == 1);
	buf_finish(&longest);
	d = 7;
	assert_false(value_to_double(parse(&arena, "1e400"), &d));
	assert_false(value_to_double(parse(&arena, "\"1\""), &d));
	assert_false(value_to_double(NULL, &d));
	struct value odd = {.kind = VALUE_NUMBER, .as.text = STR("1 ")};
	assert_false(value_to_double(&odd, &d));
	odd.as.text = STR("nan");
	assert_false(value_to_double(&odd, &d));
	assert_true(d == 7);
	arena_finish(&arena);
}

static void values_are_made_from_c(void **state)
{
	(void)state;
	struct arena arena = {0};
	assert_true(str_is(value_number_u64(&arena, 0).as.text, "0"));
	struct value most = value_number_u64(&arena, UINT64_MAX);
	assert_int_equal(most.kind, VALUE_NUMBER);
	assert_true(str_is(most.as.text, "18446744073709551615"));
	assert_int_equal(value_string(STR("x")).kind, VALUE_STRING);
	assert_string_equal(value_kind_name(VALUE_STRING), "a string");
	assert_string_equal(value_kind_name(VALUE_LIST), "a list");
	arena_finish(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(get_and_path_follow_maps_and_lists),
		cmocka_unit_test(numbers_are_equal_by_value),
		cmocka_unit_test(trees_are_equal_whatever_the_order_of_members),
		cmocka_unit_test(any_depth_can_be_compared_and_written),
		cmocka_unit_test(numbers_become_doubles_in_any_locale),
		cmocka_unit_test(values_are_made_from_c),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
