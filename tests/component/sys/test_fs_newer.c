/* Which files were written to in some time. */
#include "fs_help.h"

static void set_time(struct room *room, const char *path, time_t seconds)
{
	const struct timespec times[] = {{.tv_sec = seconds}, {.tv_sec = seconds}};
	assert_int_equal(utimensat(room->fd, path, times, AT_SYMLINK_NOFOLLOW), 0);
}

static void file_at(struct room *room, const char *path, time_t seconds)
{
	room_file(room, path, "");
	set_time(room, path, seconds);
}

static void assert_newer(struct room *room, size_t limit, const char *expected)
{
	static const char *const skip[] = {".git", "node_modules", NULL};
	const struct fs_newer query = {
		.since_ns = 1000000000000, .until_ns = 2000000000000, .skip = skip, .limit = limit};
	struct fs_list list = {0};
	struct buf out = {0};
	fs_find_newer(room->fd, &query, &list);
	for (size_t i = 0; i < list.len; i++)
		buf_printf(&out, "%s%s", i ? " " : "", list.ptr[i].name);
	assert_string_equal(buf_cstr(&out), expected);
	buf_finish(&out);
	fs_list_finish(&list);
}

static void finds_files_of_that_time(void **state)
{
	struct room *room = *state;
	assert_newer(room, 100, "");
	room_dir(room, "src");
	room_dir(room, "src/deep");
	room_dir(room, ".git");
	room_dir(room, "src/node_modules");
	file_at(room, "before", 999);
	file_at(room, "first", 1000);
	file_at(room, "last", 1999);
	file_at(room, "after", 2000);
	file_at(room, "src/deep/x", 1500);
	file_at(room, ".git/index", 1500);
	file_at(room, "src/node_modules/y", 1500);
	room_link(room, "link", "src/deep/x");
	room_link(room, "loop", "src");
	set_time(room, "link", 1500);
	assert_newer(room, 100, "first last src/deep/x");
}

static void looks_at_so_many_entries_and_no_more(void **state)
{
	struct room *room = *state;
	char name[32];
	room_dir(room, "d");
	file_at(room, "d/far", 1500);
	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		file_at(room, name, 1);
	}
	assert_newer(room, 52, "d/far");
	assert_newer(room, 51, "");
	assert_newer(room, 0, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		room_test(finds_files_of_that_time),
		room_test(looks_at_so_many_entries_and_no_more),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
