/* Listing trees and expanding globs. */
#include "fs_help.h"

static void add_names(struct buf *out, const struct fs_list *list)
{
	for (size_t i = 0; i < list->len; i++) {
		const struct fs_entry *entry = &list->ptr[i];
		buf_printf(out, "%s%s", i ? " " : "", entry->name);
		if (entry->target)
			buf_printf(out, ">%s", entry->target);
		else if (S_ISDIR(entry->stat.mode))
			buf_add_char(out, '/');
		else if (S_ISFIFO(entry->stat.mode))
			buf_add_char(out, '|');
	}
}

static void check_tree(int dirfd, const char *path, const char *skip, const char *expected)
{
	struct fs_list list;
	struct buf out = {0};
	struct err err = {0};
	if (!fs_list_tree(dirfd, path, skip, &list, &err))
		fail_msg("%s: %s", path, err.message);
	add_names(&out, &list);
	assert_string_equal(buf_cstr(&out), expected);
	buf_finish(&out);
	fs_list_finish(&list);
}

static void test_tree(void **state)
{
	struct room *room = *state;
	room_dir(room, "t");
	check_tree(room->fd, "t", NULL, "");
	room_dir(room, "t/a");
	room_dir(room, "t/a/empty");
	room_dir(room, "t/.pawl");
	room_dir(room, "t/a/.pawl");
	room_file(room, "t/.pawl/x", "");
	room_file(room, "t/a/f", "four");
	room_file(room, "t/a.b", "");
	room_file(room, "t/a-b", "");
	room_file(room, "t/\xff", "");
	room_file(room, "t/Z", "");
	room_link(room, "t/dangling", "no/such");
	room_link(room, "t/dir", "a");
	room_link(room, "t/out", "/etc");
	assert_int_equal(mkfifoat(room->fd, "t/pipe", 0600), 0);
#define REST "Z a/ a-b a.b a/.pawl/ a/empty/ a/f dangling>no/such dir>a out>/etc pipe| \xff"
	check_tree(room->fd, "t", ".pawl", REST);
	check_tree(room->fd, "t", NULL, ".pawl/ .pawl/x " REST);
	check_tree(room->fd, "t/a", NULL, ".pawl/ empty/ f");
	check_tree(room->fd, "t/dir", NULL, ".pawl/ empty/ f");
	int fd = openat(room->fd, "t/a", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	check_tree(fd, ".", NULL, ".pawl/ empty/ f");
	check_tree(fd, "", NULL, ".pawl/ empty/ f");
	close(fd);

	struct fs_list list;
	struct fs_stat st;
	assert_true(fs_list_tree(room->fd, "t/a", NULL, &list, NULL));
	assert_int_equal(fs_stat_at(room->fd, "t/a/f", &st, NULL), FS_FOUND);
	assert_int_equal(list.ptr[2].stat.size, 4);
	assert_int_equal(list.ptr[2].stat.ino, st.ino);
	assert_int_equal(list.ptr[2].stat.ctime_ns, st.ctime_ns);
	fs_list_finish(&list);
	assert_int_equal(list.len, 0);
}

static void test_tree_refused(void **state)
{
	struct room *room = *state;
	room_file(room, "file", "");
	room_link(room, "out", "/etc");
	room_link(room, "loop", "loop");
	static const struct {
		const char *path;
		const char *code;
	} cases[] = {{"nothing", "E-FS-MISSING"}, {"file", "E-FS-MISSING"}, {"out", "E-FS-OUTSIDE"},
		{"..", "E-FS-OUTSIDE"}, {"/etc", "E-FS-OUTSIDE"}, {"loop", "E-FS-LINK"}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fs_list list;
		struct err err = {0};
		assert_false(fs_list_tree(room->fd, cases[i].path, NULL, &list, &err));
		assert_string_equal(err.code, cases[i].code);
		assert_int_equal(list.len, 0);
		err_finish(&err);
	}
}

static void dig(struct room *room, int levels)
{
	room_dir(room, "d");
	int fd = openat(room->fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 1; i < levels; i++) {
		assert_int_equal(mkdirat(fd, "d", 0700), 0);
		int sub = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(fd);
		fd = sub;
	}
	close(fd);
}

static void test_deep_is_fine(void **state)
{
	struct room *room = *state;
	struct fs_list list;
	dig(room, 1023);
	assert_true(fs_list_tree(room->fd, ".", NULL, &list, NULL));
	assert_int_equal(list.len, 1023);
	fs_list_finish(&list);
	assert_true(fs_glob(room->fd, STR("**/x"), &list, NULL));
	assert_int_equal(list.len, 0);
	fs_list_finish(&list);
}

static void test_too_deep(void **state)
{
	struct room *room = *state;
	struct fs_list list;
	struct err err = {0};
	dig(room, 1025);
	assert_false(fs_list_tree(room->fd, ".", NULL, &list, &err));
	assert_string_equal(err.code, "E-FS-DEEP");
	err_finish(&err);
	assert_false(fs_glob(room->fd, STR("**/x"), &list, &err));
	assert_string_equal(err.code, "E-FS-DEEP");
	err_finish(&err);
	assert_true(fs_remove_tree(room->fd, "d", NULL));
}

static void test_many(void **state)
{
	struct room *room = *state;
	struct fs_list list;
	for (int i = 0; i < 3000; i++) {
		char name[32];
		snprintf(name, sizeof(name), "f%04d", 2999 - i);
		room_file(room, name, "");
	}
	assert_true(fs_list_tree(room->fd, ".", NULL, &list, NULL));
	assert_int_equal(list.len, 3000);
	for (size_t i = 0; i < list.len; i++) {
		char name[32];
		snprintf(name, sizeof(name), "f%04zu", i);
		assert_string_equal(list.ptr[i].name, name);
	}
	fs_list_finish(&list);
}

static void test_is_glob(void **state)
{
	(void)state;
	assert_true(fs_is_glob(STR("a*")));
	assert_true(fs_is_glob(STR("a/?")));
	assert_true(fs_is_glob(STR("[ab]")));
	assert_false(fs_is_glob(STR("")));
	assert_false(fs_is_glob(STR("a/b.c]")));
	assert_false(fs_is_glob(STR("{a,b}")));
}

static void test_matches(void **state)
{
	(void)state;
	static const struct {
		const char *pattern;
		const char *path;
		bool matches;
	} cases[] = {
		{"a", "a", true},
		{"a", "b", false},
		{"a", "ab", false},
		{"a", "a/b", false},
		{"a/b", "a/b", true},
		{"./a//b", "a/b", true},
		{"*", "a", true},
		{"*", "", false},
		{"*", "a/b", false},
		{"*", ".a", false},
		{".*", ".a", true},
		{"*.c", "x.c", true},
		{"*.c", ".c", false},
		{"*.c", "x.cc", false},
		{"*.c", "x.c.c", true},
		{"a*b*c", "aXbXbc", true},
		{"a*b*c", "aXbXb", false},
		{"a**b", "aXb", true},
		{"a**b", "a/b", false},
		{"?", "a", true},
		{"?", "ab", false},
		{"?", ".", false},
		{"?a", ".a", false},
		{"?", "\xc3\xa4", true},
		{"??", "\xc3\xa4", false},
		{"?", "\xff", true},
		{"[abc]", "b", true},
		{"[abc]", "d", false},
		{"[a-c]x", "bx", true},
		{"[a-c]x", "dx", false},
		{"[!a-c]", "d", true},
		{"[!a-c]", "b", false},
		{"[^a]", "b", true},
		{"[^a]", "a", false},
		{"[]]", "]", true},
		{"[]a]", "a", true},
		{"[!]]", "]", false},
		{"[!]]", "a", true},
		{"[a-]", "-", true},
		{"[-a]", "-", true},
		{"[.]a", ".a", false},
		{"[!b]a", ".a", false},
		{"[*]", "*", true},
		{"[*]", "a", false},
		{"[?]", "?", true},
		{"[[]", "[", true},
		{"[a", "[a", true},
		{"[a", "a", false},
		{"[", "[", true},
		{"[]", "[]", true},
		{"[!", "[!", true},
		{"x[a", "x[a", true},
		{"[\xc3\xa4-\xc3\xb6]", "\xc3\xa5", true},
		{"[\xc3\xa4-\xc3\xb6]", "a", false},
		{"[z-a]", "m", false},
		{"[a-c-e]", "-", true},
		{"*[0-9]", "a1", true},
		{"*[0-9]", "1a", false},
		{"**", "a", true},
		{"**", "a/b/c", true},
		{"**", ".a", false},
		{"**", "a/.b", false},
		{"**", "a/.b/c", false},
		{"**/x", "x", true},
		{"**/x", "a/x", true},
		{"**/x", "a/b/x", true},
		{"**/x", ".a/x", false},
		{"**/x", "ax", false},
		{"a/**", "a", false},
		{"a/**", "a/b", true},
		{"a/**", "a/b/c", true},
		{"a/**/b", "a/b", true},
		{"a/**/b", "a/x/y/b", true},
		{"a/**/b", "a/x/y/c", false},
		{"**/a/**", "x/a/y", true},
		{"**/a/**", "a/y", true},
		{"**/a/**", "x/a", false},
		{"**/**/x", "x", true},
		{"**/**", "x", true},
		{"**/*.c", "x.c", true},
		{"**/*.c", "a/b/x.c", true},
		{"**/.x/*", "a/.x/y", true},
		{"**/.*", "a/.x", true},
		{"**/a/a", "a/a/a", true},
		{"**/*/x", "x", false},
		{"*/**/x", "a/x", true},
		{"/a", "a", false},
		{"../a", "../a", false},
		{"a/..", "a/..", false},
		{"", "", false},
		{"a", "", false},
		{".", ".", false},
		{"a/*", "a//b", false},
		{"*a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (fs_glob_matches(str_of(cases[i].pattern), str_of(cases[i].path)) !=
			cases[i].matches)
			fail_msg("%s and %s: not %d", cases[i].pattern, cases[i].path,
				cases[i].matches);
	}
}

static void furnish(struct room *room)
{
	static const char *const dirs[] = {
		"src", "src/lib", "src/lib/deep", "src/.hid", "doc", "other", "empty", "src/lib.c"};
	static const char *const files[] = {"top.c", "README", ".env", "src/a.c", "src/b.c",
		"src/a.h", "src/lib/c.c", "src/lib/deep/d.c", "src/.hid/e.c", "src/.x.c",
		"doc/[x].md", "doc/x.md", "other/o.c"};
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		room_dir(room, dirs[i]);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		room_file(room, files[i], "");
	room_link(room, "src/link.c", "a.c");
	room_link(room, "src/gone.c", "nothing");
	room_link(room, "ln", "other");
	room_link(room, "esc", "/etc");
	room_link(room, "self", ".");
	room_link(room, "src/loop", "loop");
}

static void test_glob(void **state)
{
	struct room *room = *state;
	furnish(room);
#define LINKS "src/gone.c>nothing src/lib/c.c src/lib/deep/d.c src/link.c>a.c"
	static const struct {
		const char *pattern;
		const char *found;
	} cases[] = {
		{"README", "README"},
		{"nothing", ""},
		{"src", ""},
		{"src/a.c", "src/a.c"},
		{"./src//a.c", "src/a.c"},
		{"src/no/a.c", ""},
		{"README/a.c", ""},
		{"*.c", "top.c"},
		{"*", "README esc>/etc ln>other self>. top.c"},
		{".*", ".env"},
		{"src/*.c", "src/a.c src/b.c src/gone.c>nothing src/link.c>a.c"},
		{"src/?.[ch]", "src/a.c src/a.h src/b.c"},
		{"src/**/*.c", "src/a.c src/b.c " LINKS},
		{"**/*.c", "other/o.c src/a.c src/b.c " LINKS " top.c"},
		{"**/deep/*", "src/lib/deep/d.c"},
		{"**/d.c", "src/lib/deep/d.c"},
		{"src/.*/*", "src/.hid/e.c"},
		{"**/.hid/*.c", "src/.hid/e.c"},
		{"src/lib/**", "src/lib/c.c src/lib/deep/d.c"},
		{"empty/**", ""},
		{"doc/[[]x].md", "doc/[x].md"},
		{"doc/[x].md", "doc/x.md"},
		{"ln/*.c", "ln/o.c"},
		{"l*/o.c", "ln/o.c"},
		{"ln/o.c", "ln/o.c"},
		{"*/o.c", "ln/o.c other/o.c"},
		{"self/self/top.c", "self/self/top.c"},
		{"*/hostname", ""},
		{"src/l*/*", "src/lib/c.c"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fs_list list;
		struct err err = {0};
		struct buf out = {0};
		if (!fs_glob(room->fd, str_of(cases[i].pattern), &list, &err))
			fail_msg("%s: %s", cases[i].pattern, err.message);
		add_names(&out, &list);
		if (strcmp(buf_cstr(&out), cases[i].found) != 0)
			fail_msg("%s: %s", cases[i].pattern, buf_cstr(&out));
		for (size_t n = 0; n < list.len; n++)
			assert_true(fs_glob_matches(
				str_of(cases[i].pattern), str_of(list.ptr[n].name)));
		fs_list_finish(&list);
		buf_finish(&out);
	}
}

/* What a glob gives is what matching every path of the tree gives, for files that no symlink leads to. */
static void test_glob_agrees_with_matches(void **state)
{
	struct room *room = *state;
	furnish(room);
	static const char *const patterns[] = {"**", "*", "**/*.c", "src/**", "*/*", "**/*",
		"**/l*/**", "s*/[a-c].?", "**/**/c.c", "**/*/*/*", ".*", "src/.*", "**/.*",
		"*/*.c"};
	assert_int_equal(unlinkat(room->fd, "ln", 0), 0);
	assert_int_equal(unlinkat(room->fd, "self", 0), 0);
	struct fs_list tree;
	assert_true(fs_list_tree(room->fd, ".", NULL, &tree, NULL));
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		struct fs_list list;
		assert_true(fs_glob(room->fd, str_of(patterns[i]), &list, NULL));
		size_t at = 0;
		for (size_t n = 0; n < tree.len; n++) {
			const struct fs_entry *entry = &tree.ptr[n];
			bool expected = !S_ISDIR(entry->stat.mode) &&
			                fs_glob_matches(str_of(patterns[i]), str_of(entry->name));
			bool listed = at < list.len && strcmp(list.ptr[at].name, entry->name) == 0;
			if (expected != listed)
				fail_msg("%s: %s is listed %d", patterns[i], entry->name, listed);
			at += listed;
		}
		assert_int_equal(at, list.len);
		fs_list_finish(&list);
	}
	fs_list_finish(&tree);
}

static void test_glob_refused(void **state)
{
	struct room *room = *state;
	furnish(room);
	struct buf long_pattern = {0};
	for (int i = 0; i < 65; i++)
		buf_add_z(&long_pattern, "x/");
	const struct {
		const char *pattern;
		const char *code;
	} cases[] = {{"", "E-FS-GLOB"}, {".", "E-FS-GLOB"}, {"/etc/*", "E-FS-GLOB"},
		{"../*", "E-FS-GLOB"}, {"src/../*", "E-FS-GLOB"},
		{buf_cstr(&long_pattern), "E-FS-GLOB"}, {"esc/*", "E-FS-OUTSIDE"},
		{"esc/hostname", "E-FS-OUTSIDE"}, {"src/loop/*", "E-FS-LINK"}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fs_list list;
		struct err err = {0};
		assert_false(fs_glob(room->fd, str_of(cases[i].pattern), &list, &err));
		assert_string_equal(err.code, cases[i].code);
		assert_int_equal(list.len, 0);
		err_finish(&err);
	}
	buf_finish(&long_pattern);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		room_test(test_tree),
		room_test(test_tree_refused),
		room_test(test_deep_is_fine),
		room_test(test_too_deep),
		room_test(test_many),
		cmocka_unit_test(test_is_glob),
		cmocka_unit_test(test_matches),
		room_test(test_glob),
		room_test(test_glob_agrees_with_matches),
		room_test(test_glob_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
