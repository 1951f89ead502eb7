/* Listings with files in them that would be there: the same as if they were. */
#include "../sys/fs_help.h"
#include "engine/pretend.h"

static void assert_listed(const struct fs_list *list, const char *expected)
{
	struct buf out = {0};
	for (size_t i = 0; i < list->len; i++)
		buf_printf(&out, "%s%s%s", i ? " " : "", list->ptr[i].name,
			S_ISDIR(list->ptr[i].stat.mode) ? "/" : "");
	assert_string_equal(buf_cstr(&out), expected);
	buf_finish(&out);
}

static struct pretence example(void)
{
	struct pretence pretence = {0};
	struct digest digest = hash_of(STR("x"));
	pretend_file(&pretence, STR("out/b/deep/x.txt"), 0644, &digest);
	pretend_file(&pretence, STR("out/a.txt"), 0755, &digest);
	pretend_file(&pretence, STR("outer.txt"), 0644, &digest);
	return pretence;
}

static void trees_get_files_and_their_directories(void **state)
{
	struct room *room = *state;
	struct pretence pretence = example();
	struct fs_list list = {0};
	pretend_add_tree(&pretence, STR("out"), &list);
	assert_listed(&list, "a.txt b/ b/deep/ b/deep/x.txt");
	fs_list_finish(&list);
	room_dir(room, "out");
	room_dir(room, "out/b");
	room_file(room, "out/c.txt", "");
	room_link(room, "out/a.txt", "c.txt");
	assert_true(fs_list_tree(room->fd, "out", NULL, &list, NULL));
	pretend_add_tree(&pretence, STR("out"), &list);
	assert_listed(&list, "a.txt b/ b/deep/ b/deep/x.txt c.txt");
	assert_true(S_ISREG(list.ptr[0].stat.mode));
	assert_null(list.ptr[0].target);
	fs_list_finish(&list);
	pretend_add_tree(&pretence, STR(""), &list);
	assert_listed(&list, "out/ out/a.txt out/b/ out/b/deep/ out/b/deep/x.txt outer.txt");
	fs_list_finish(&list);
	pretence_finish(&pretence);
}

static void globs_get_what_they_match(void **state)
{
	struct room *room = *state;
	struct pretence pretence = example();
	struct fs_list list = {0};
	room_dir(room, "out");
	room_file(room, "out/z.txt", "");
	room_file(room, "out/a.txt", "");
	assert_true(fs_glob(room->fd, STR("out/*.txt"), &list, NULL));
	pretend_add_glob(&pretence, STR("out/*.txt"), &list);
	assert_listed(&list, "out/a.txt out/z.txt");
	fs_list_finish(&list);
	pretend_add_glob(&pretence, STR("**/*.txt"), &list);
	assert_listed(&list, "out/a.txt out/b/deep/x.txt outer.txt");
	fs_list_finish(&list);
	pretence_finish(&pretence);
}

static void files_are_found_by_path(void **state)
{
	(void)state;
	struct pretence pretence = example();
	struct digest other = hash_of(STR("y"));
	assert_int_equal(pretend_find(&pretence, STR("out/a.txt"))->stat.mode, S_IFREG | 0755);
	pretend_file(&pretence, STR("out/a.txt"), 0600, &other);
	assert_true(digest_eq(&pretend_find(&pretence, STR("out/a.txt"))->digest, &other));
	assert_null(pretend_find(&pretence, STR("out/b")));
	assert_true(pretend_in(&pretence, STR("out/b")));
	assert_false(pretend_in(&pretence, STR("ou")));
	assert_false(pretend_in(&pretence, STR("outer.txt")));
	pretence_finish(&pretence);
}

static void what_is_gone_is_in_no_tree_and_matches_nothing(void **state)
{
	struct room *room = *state;
	struct pretence pretence = {0};
	struct fs_list list = {0};
	struct digest digest = hash_of(STR("x"));
	room_dir(room, "out");
	room_dir(room, "out/b");
	room_dir(room, "out/c");
	room_file(room, "out/b.txt", "");
	room_file(room, "out/b/x", "");
	room_file(room, "out/c/y", "");
	pretend_gone(&pretence, STR("out/b"));
	pretend_gone(&pretence, STR("out/c"));
	pretend_gone(&pretence, STR("out/c/y"));
	pretend_gone(&pretence, STR("out/none"));
	pretend_gone(&pretence, STR("away/none"));
	assert_true(fs_list_tree(room->fd, "out", NULL, &list, NULL));
	pretend_add_tree(&pretence, STR("out"), &list);
	assert_listed(&list, "b/ b.txt b/x"); /* something is in b yet */
	fs_list_finish(&list);
	assert_false(pretend_in(&pretence, STR("away")));
	pretend_gone(&pretence, STR("out/b/x"));
	assert_true(fs_list_tree(room->fd, "out", NULL, &list, NULL));
	pretend_add_tree(&pretence, STR("out"), &list);
	assert_listed(&list, "b.txt"); /* that begins like b, and is not in it */
	fs_list_finish(&list);
	pretend_dir(&pretence, STR("out/d"), 0755);
	pretend_gone(&pretence, STR("out/z"));
	room_file(room, "out/g.txt", "");
	pretend_gone(&pretence, STR("out/g.txt"));
	assert_true(fs_glob(room->fd, STR("out/*"), &list, NULL));
	pretend_add_glob(&pretence, STR("out/*"), &list);
	assert_listed(&list, "out/b.txt");
	fs_list_finish(&list);
	/* What is made there again is there. */
	pretend_file(&pretence, STR("out/c/y"), 0644, &digest);
	pretend_add_tree(&pretence, STR("out"), &list);
	assert_listed(&list, "c/ c/y d/");
	fs_list_finish(&list);
	pretence_finish(&pretence);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		room_test(trees_get_files_and_their_directories),
		room_test(globs_get_what_they_match),
		cmocka_unit_test(files_are_found_by_path),
		room_test(what_is_gone_is_in_no_tree_and_matches_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
