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

static void directories_count_with_name_and_mode(void **state)
{
	struct room *room = *state;
	room_dir(room, "d");
	room_dir(room, "d/sub");
	struct stamp then = take(room, "d");
	let_time_pass();
	room_file(room, "d/sub/f", "");
	assert_int_equal(unlinkat(room->fd, "d/sub/f", 0), 0);
	assert_same(room, "d", &then, true);
	assert_int_equal(fchmodat(room->fd, "d/sub", 0711, 0), 0);
	assert_same(room, "d", &then, false);
	then = take(room, "d");
	room_dir(room, "d/new");
	assert_same(room, "d", &then, false);
	then = take(room, "d");
	assert_int_equal(unlinkat(room->fd, "d/new", AT_REMOVEDIR), 0);
	room_file(room, "d/new", "");
	assert_same(room, "d", &then, false);
}

static void links_count_with_what_they_lead_to(void **state)
{
	struct room *room = *state;
	room_dir(room, "d");
	room_dir(room, "other");
	room_file(room, "x", "one");
	room_file(room, "other/y", "one");
	room_link(room, "d/file", "../x");
	room_link(room, "d/dir", "../other");
	struct stamp tree = take(room, "d");
	struct stamp glob = take(room, "d/*");
	assert_same(room, "d", &tree, true);
	let_time_pass();
	room_file(room, "x", "one");
	assert_same(room, "d", &tree, false);
	assert_same(room, "d/*", &glob, false);
	tree = take(room, "d");
	let_time_pass();
	room_file(room, "other/y", "one");
	assert_same(room, "d", &tree, false);
	tree = take(room, "d");
	room_dir(room, "other/new");
	assert_same(room, "d", &tree, false);
}

/* A link into the tree itself is not walked once more, or for ever. */
static void links_into_the_tree_count_once(void **state)
{
	struct room *room = *state;
	room_dir(room, "d");
	room_dir(room, "d/in");
	room_file(room, "d/in/own", "one");
	room_link(room, "d/again", "in");
	room_link(room, "d/self", ".");
	char own[] = "d/in/own";
	struct stamp then = stamp_take(room->fd, "d", leave_out, own);
	let_time_pass();
	room_file(room, "d/in/own", "two");
	struct stamp now = stamp_take(room->fd, "d", leave_out, own);
	assert_true(stamp_eq(&then, &now));
}

static void what_cannot_be_looked_at_is_never_the_same(void **state)
{
	struct room *room = *state;
	room_dir(room, "d");
	int fd = openat(room->fd, "d", O_RDONLY | O_DIRECTORY);
	for (int i = 0; i < 1100; i++) {
		assert_int_equal(mkdirat(fd, "d", 0755), 0);
		int inner = openat(fd, "d", O_RDONLY | O_DIRECTORY);
		close(fd);
		fd = inner;
	}
	close(fd);
	struct stamp then = take(room, "d");
	assert_true(then.exists);
	assert_same(room, "d", &then, false);
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
		room_test(directories_count_with_name_and_mode),
		room_test(links_count_with_what_they_lead_to),
		room_test(links_into_the_tree_count_once),
		room_test(what_cannot_be_looked_at_is_never_the_same),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
