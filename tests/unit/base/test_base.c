/* base: the words that everything else is written in. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "base/vec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void str_splits_and_trims(void **state)
{
	(void)state;
	str rest = STR("a,,b");
	str part;
	assert_true(str_split(&rest, ',', &part) && str_is(part, "a"));
	assert_true(str_split(&rest, ',', &part) && str_is(part, ""));
	assert_true(str_split(&rest, ',', &part) && str_is(part, "b"));
	assert_false(str_split(&rest, ',', &part));
	rest = STR("one\n\ntwo");
	assert_true(str_line(&rest, &part) && str_is(part, "one"));
	assert_true(str_line(&rest, &part) && str_is(part, ""));
	assert_true(str_line(&rest, &part) && str_is(part, "two"));
	assert_false(str_line(&rest, &part));
	assert_true(str_is(str_trim(STR(" \t x y\r\n")), "x y"));
	assert_true(str_starts(STR("abc"), STR("ab")) && !str_starts(STR("a"), STR("ab")));
	assert_true(str_ends(STR("abc"), STR("bc")) && !str_ends(STR("c"), STR("bc")));
	assert_int_equal(str_find(STR("banana"), STR("nan"), 0), 2);
	assert_true(str_find(STR("banana"), STR("x"), 0) == SIZE_MAX);
	assert_true(str_cmp(STR("a"), STR("ab")) < 0 && str_cmp(STR("\xff"), STR("a")) > 0);
}

static void str_reads_numbers_strictly(void **state)
{
	(void)state;
	uint64_t n = 7;
	assert_true(str_to_u64(STR("18446744073709551615"), &n) && n == UINT64_MAX);
	assert_false(str_to_u64(STR("18446744073709551616"), &n));
	assert_false(str_to_u64(STR(""), &n));
	assert_false(str_to_u64(STR("-1"), &n));
	assert_false(str_to_u64(STR("1 "), &n));
}

static void str_finds_the_nearest_word(void **state)
{
	(void)state;
	const str words[] = {STR_INIT("always_run"), STR_INIT("depends_on"), STR_INIT("when")};
	assert_true(str_is(str_nearest(STR("alway_run"), words, 3), "always_run"));
	assert_true(str_is(str_nearest(STR("dependson"), words, 3), "depends_on"));
	assert_true(str_is(str_nearest(STR("wehn"), words, 3), "when"));
	assert_int_equal(str_nearest(STR("zebra"), words, 3).len, 0);
	assert_int_equal(str_distance(STR("abc"), STR("acb"), 3), 1);
}

static void buf_builds_and_shows_control_characters(void **state)
{
	(void)state;
	struct buf buf = {0};
	buf_add_u64(&buf, 0);
	buf_add_char(&buf, ' ');
	buf_add_u64(&buf, UINT64_MAX);
	buf_printf(&buf, " %s", "x");
	assert_string_equal(buf.ptr, "0 18446744073709551615 x");
	buf_clear(&buf);
	buf_add_visible(&buf, STR("a\x1b[31m\n\xff\xc2\x9b\xe2\x80\xae"));
	assert_string_equal(buf.ptr, "a^[[31m\n\\xff<U+009B><U+202E>");
	char *taken = buf_take(&buf);
	assert_null(buf.ptr);
	free(taken);
	buf_add_hex(&buf, "\x00\xab", 2);
	assert_string_equal(buf.ptr, "00ab");
	buf_finish(&buf);
}

static void map_keeps_what_was_put(void **state)
{
	(void)state;
	struct map map = {0};
	struct arena arena = {0};
	assert_null(map_get(&map, STR("x")));
	for (size_t i = 0; i < 5000; i++)
		map_put(&map, str_of(arena_printf(&arena, "key-%zu", i)),
			arena_printf(&arena, "%zu", i));
	assert_int_equal(map.len, 5000);
	assert_string_equal(map_get(&map, STR("key-4321")), "4321");
	assert_null(map_get(&map, STR("key-5000")));
	assert_string_equal(map_put(&map, STR("key-1"), &map), "1");
	assert_ptr_equal(map_get(&map, STR("key-1")), &map);
	map_finish(&map);
	arena_finish(&arena);
}

static void note(void *ptr)
{
	*(int *)ptr += 1;
}

static void arena_aligns_zeroes_and_releases(void **state)
{
	(void)state;
	struct arena arena = {0};
	int released = 0;
	arena_on_finish(&arena, note, &released);
	for (size_t n = 0; n < 3000; n += 7) {
		unsigned char *p = arena_alloc(&arena, n);
		assert_int_equal((uintptr_t)p % 16, 0);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xee, n);
	}
	char *large = arena_alloc(&arena, 5u << 20);
	large[(5u << 20) - 1] = 'x';
	assert_true(str_is(arena_str(&arena, STR("copy")), "copy"));
	arena_finish(&arena);
	assert_int_equal(released, 1);
}

static void utf8_refuses_what_rfc3629_refuses(void **state)
{
	(void)state;
	assert_true(utf8_invalid_at(STR("gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80")) == SIZE_MAX);
	assert_int_equal(utf8_invalid_at(STR("ab\xc0\x80")), 2);
	assert_int_equal(utf8_invalid_at(STR("\xed\xa0\x80")), 0);
	assert_int_equal(utf8_invalid_at(STR("\xf4\x90\x80\x80")), 0);
	assert_int_equal(utf8_invalid_at(STR("x\xe2\x82")), 1);
	assert_int_equal(utf8_width(STR("a\xe4\xb8\xad\xcc\x81")), 3);
	for (uint32_t code = 0; code < 0x110000; code += 13) {
		if (code >= 0xd800 && code < 0xe000)
			continue;
		char bytes[4];
		uint32_t back = 0;
		size_t n = utf8_encode(code, bytes);
		assert_int_equal(utf8_decode((str){bytes, n}, &back), n);
		assert_int_equal(back, code);
	}
}

static void errors_are_wrapped_placed_and_sorted(void **state)
{
	(void)state;
	struct err err = {0};
	assert_false(err_set(&err, "E-TEST", "no %s", "luck"));
	err_wrap(&err, "node %s", "a");
	err_help(&err, "try again");
	err_at(&err, (struct place){"f.yaml", 3, 4, 0});
	err_at(&err, (struct place){"f.yaml", 9, 9, 0});
	assert_string_equal(err.message, "node a: no luck");
	assert_int_equal(err.at.line, 3);
	struct diags diags = {0};
	diags_take(&diags, &err);
	assert_false(err_is_set(&err));
	diags_warn(&diags, (struct place){"f.yaml", 1, 1, 0}, "E-WARN", "look");
	err_help(diags_error(&diags, (struct place){"f.yaml", 2, 1, 0}, "E-TWO", "two"), "help");
	diags_sort(&diags);
	assert_string_equal(diags.list.ptr[0].code, "E-WARN");
	assert_string_equal(diags.list.ptr[1].code, "E-TWO");
	assert_string_equal(diags.list.ptr[2].code, "E-TEST");
	assert_int_equal(diags.errors, 2);
	diags_finish(&diags);
	assert_false(err_set(NULL, "E-TEST", "ignored"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(str_splits_and_trims),
		cmocka_unit_test(str_reads_numbers_strictly),
		cmocka_unit_test(str_finds_the_nearest_word),
		cmocka_unit_test(buf_builds_and_shows_control_characters),
		cmocka_unit_test(map_keeps_what_was_put),
		cmocka_unit_test(arena_aligns_zeroes_and_releases),
		cmocka_unit_test(utf8_refuses_what_rfc3629_refuses),
		cmocka_unit_test(errors_are_wrapped_placed_and_sorted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
