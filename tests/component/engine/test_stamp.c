/* What a stamp notices, and what it doesn't. */
#include "../sys/fs_help.h"
#include "engine/stamp.h"

static bool leave_out(void *arg, str path)
{
	return str_is(path, arg);
}

static struct stamp take(struct room *room, const char *path)
{
	return stamp_take(room->fd, path, NULL, NULL);
}

static void assert_same(struct room *room, const char *path, const struct stamp *then, bool same)
{
	struct stamp now = take(room, path);
	if (stamp_eq(&now, then) != same)
		fail_msg("%s: %s", path, same ? "another stamp" : "the same stamp");
}

/* Times as they were, content as it was: only ctime and inode tell. */
static void put_back(struct room *room, const char *path, const struct stat *st)
{
	const struct timespec times[] = {st->st_atim, st->st_mtim};
	assert_int_equal(utimensat(room->fd, path, times, 0), 0);
}

/* Past the tick in which the kernel's clock for files stands still. */
static void let_time_pass(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
}

static void a_file_that_is_put_back_has_another_stamp(void **state)
{
	struct room *room = *state;
	struct stat st;
	room_file(room, "f", "one");
	fstatat(room->fd, "f", &st, 0);
	struct stamp then = take(room, "f");
	assert_true(then.exists);
	assert_same(room, "f", &then, true);
	let_time_pass();
	room_file(room, "f", "two");
	room_file(room, "f", "one");
	put_back(room, "f", &st);
	assert_same(room, "f", &then, false);
}

static void a_file_that_is_replaced_has_another_stamp(void **state)
{
	struct room *room = *state;
	struct stat st;
	room_file(room, "f", "one");
	fstatat(room->fd, "f", &st, 0);
	struct stamp then = take(room, "f");
	room_file(room, "g", "one");
	put_back(room, "g", &st);
	assert_int_equal(renameat(room->fd, "g", room->fd, "f"), 0);
	assert_same(room, "f", &then, false);
}

static void reading_changes_nothing(void **state)
{
	struct room *room = *state;
	struct buf text = {0};
	room_dir(room, "d");
	room_file(room, "d/f", "one");
	struct stamp file = take(room, "d/f");
	struct stamp tree = take(room, "d");
	struct stamp glob = take(room, "d/*");
	let_time_pass();
	assert_true(fs_read_file(room->fd, "d/f", 100, &text, NULL));
	buf_finish(&text);
	assert_same(room, "d/f", &file, true);
	assert_same(room, "d", &tree, true);
	assert_same(room, "d/*", &glob, true);
}

static void trees_and_globs_see_their_files(void **state)
{
	struct room *room = *state;
	room_dir(room, "d");
	room_file(room, "d/f", "one");
	room_file(room, "d/g.txt", "one");
	struct stamp tree = take(room, "d");
	struct stamp glob = take(room, "d/*.txt");
	let_time_pass();
	room_file(room, "d/f", "one");
	assert_same(room, "d", &tree, false);
	assert_same(room, "d/*.txt", &glob, true);
	room_file(room, "d/new.txt", "");
	assert_same(room, "d/*.txt", &glob, false);
}

static void what_is_left_out_does_not_count(void **state)
{
	struct room *room = *state;
	room_dir(room, "d");
	room_file(room, "d/f", "one");
	room_file(room, "d/own", "one");
	char own[] = "d/own";
	struct stamp then = stamp_take(room->fd, "d", leave_out, own);
	let_time_pass();
	room_file(room, "d/own", "two");
	struct stamp now = stamp_take(room->fd, "d", leave_out, own);
	assert_true(stamp_eq(&then, &now));
	room_file(room, "d/f", "two");
	now = stamp_take(room->fd, "d", leave_out, own);
	assert_false(stamp_eq(&then, &now));
}

static void what_is_not_there_says_so(void **state)
{
	struct room *room = *state;
	assert_false(take(room, "none").exists);
	assert_false(take(room, "none/*").exists);
	room_dir(room, "empty");
	assert_true(take(room, "empty").exists);
	room_link(room, "link", "nowhere");
	struct stamp link = take(room, "link");
	assert_true(link.exists);
	room_file(room, "nowhere", "");
	assert_same(room, "link", &link, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		room_test(a_file_that_is_put_back_has_another_stamp),
		room_test(a_file_that_is_replaced_has_another_stamp),
		room_test(reading_changes_nothing),
		room_test(trees_and_globs_see_their_files),
		room_test(what_is_left_out_does_not_count),
		room_test(what_is_not_there_says_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
