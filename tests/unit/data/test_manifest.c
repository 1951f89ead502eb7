/* manifest: what is written is read back, sorted; a path that leaves its root never comes out of it. */
#include "data/manifest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEX "0000000000000000000000000000000000000000000000000000000000000000"

static const char example[] =
	"A d 755 5:empty\nA l 6:target 4:link\nA f 644 12 " HEX " 10:report.txt\n"
	"P f 755 0 " HEX " 3:a b\n";

static void written_as_documented_and_read_back(void **state)
{
	(void)state;
	struct manifest all = {0};
	struct manifest again = {0};
	struct buf text = {0};
	struct buf twice = {0};
	*vec_push(&all.list) = (struct artifact){.root = ROOT_PROJECT,
		.kind = ARTIFACT_FILE,
		.mode = 0755,
		.path = STR("a b"),
		.target = STR("")};
	*vec_push(&all.list) = (struct artifact){.root = ROOT_ARTIFACTS,
		.kind = ARTIFACT_FILE,
		.mode = 0644,
		.size = 12,
		.path = STR("report.txt"),
		.target = STR("")};
	*vec_push(&all.list) = (struct artifact){.root = ROOT_ARTIFACTS,
		.kind = ARTIFACT_LINK,
		.path = STR("link"),
		.target = STR("target")};
	*vec_push(&all.list) = (struct artifact){.root = ROOT_ARTIFACTS,
		.kind = ARTIFACT_DIR,
		.mode = 0755,
		.path = STR("empty"),
		.target = STR("")};
	manifest_sort(&all);
	manifest_write(&text, &all);
	assert_string_equal(buf_cstr(&text), example);
	assert_true(manifest_parse(buf_str(&text), &again));
	assert_int_equal(again.list.len, 4);
	assert_int_equal(again.list.ptr[2].size, 12);
	assert_true(str_is(again.list.ptr[1].target, "target"));
	manifest_write(&twice, &again);
	assert_true(str_eq(buf_str(&text), buf_str(&twice)));
	manifest_finish(&all);
	manifest_finish(&again);
	buf_finish(&text);
	buf_finish(&twice);
}

static void sorting_forgets_the_order_of_finding(void **state)
{
	(void)state;
	static const char *const names[] = {"b", "a/b", "a", "a-b", "é", "Z"};
	struct buf want = {0};
	size_t count = sizeof(names) / sizeof(names[0]);
	for (size_t shift = 0; shift < count; shift++) {
		struct manifest all = {0};
		struct buf text = {0};
		for (size_t i = 0; i < count; i++)
			*vec_push(&all.list) = (struct artifact){.root = ROOT_ARTIFACTS,
				.kind = ARTIFACT_DIR,
				.path = str_of(names[(i + shift) % count]),
				.target = STR("")};
		manifest_sort(&all);
		manifest_write(&text, &all);
		if (!shift)
			buf_add(&want, buf_str(&text));
		assert_string_equal(buf_cstr(&text), buf_cstr(&want));
		manifest_finish(&all);
		buf_finish(&text);
	}
	buf_finish(&want);
	struct manifest none = {0};
	manifest_sort(&none);
	assert_int_equal(none.list.len, 0);
}

static void no_prefix_is_taken_for_the_whole(void **state)
{
	(void)state;
	for (size_t cut = 0; cut < sizeof(example); cut++) {
		char *copy = malloc(cut + 1);
		struct manifest all = {0};
		memcpy(copy, example, cut);
		assert_int_equal(manifest_parse(str_make(copy, cut), &all),
			cut == 0 || example[cut - 1] == '\n');
		manifest_finish(&all);
		free(copy);
	}
}

static void paths_stay_below_their_root(void **state)
{
	(void)state;
	static const char *const bad[] = {"0:", "1:/", "2:/a", "2:..", "4:../a", "4:a/..",
		"6:a/../b", "1:.", "3:./a", "3:a/.", "2:a/", "4:a//b", "5:a/./b"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct manifest all = {0};
		struct buf text = {0};
		buf_printf(&text, "A d 755 %s\n", bad[i]);
		if (manifest_parse(buf_str(&text), &all))
			fail_msg("taken: %s", bad[i]);
		manifest_finish(&all);
		buf_finish(&text);
	}
	struct manifest all = {0};
	assert_false(manifest_parse(STR("A d 755 3:a\0b\n"), &all));
	assert_true(manifest_parse(STR("A d 755 3:..a\nA d 755 3:a..\nA d 755 3:...\n"), &all));
	assert_int_equal(all.list.len, 3);
	manifest_finish(&all);
}

static void what_is_no_manifest_is_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {"\n", "A\n", "B f 644 1 " HEX " 1:a\n", "A x 644 1:a\n",
		"A f 644 1:a\n", "A f 644 " HEX " 1:a\n", "A f 648 1 " HEX " 1:a\n",
		"A f 12345 1 " HEX " 1:a\n", "A f 644 -1 " HEX " 1:a\n", "A f 644 1 00 1:a\n",
		"A l 1:a\n", "A l 1:a 2:b\n", "A d 755 1:a \n", "A d 755 1:a\n\n",
		"A d 755 99999999999999999999:a\n", "AA d 755 1:a\n", "A dd 755 1:a\n"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct manifest all = {0};
		if (manifest_parse(str_of(bad[i]), &all))
			fail_msg("taken: %s", bad[i]);
		manifest_finish(&all);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(written_as_documented_and_read_back),
		cmocka_unit_test(sorting_forgets_the_order_of_finding),
		cmocka_unit_test(no_prefix_is_taken_for_the_whole),
		cmocka_unit_test(paths_stay_below_their_root),
		cmocka_unit_test(what_is_no_manifest_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
