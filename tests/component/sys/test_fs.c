/* Files against a real file system: what may be reached, what is refused, what is written, listed and removed. */
#include "fs_help.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

/* A small project: files, an outside neighbour, and everything a stranger could plant. */
static void plant(struct room *room)
{
	room_dir(room, "p");
	room_dir(room, "p/sub");
	room_dir(room, "p/sub/deep");
	room_dir(room, "outside");
	room_file(room, "outside/secret", "secret");
	room_file(room, "p/file", "content");
	room_file(room, "p/sub/deep/leaf", "leaf");
	room_link(room, "p/inside", "sub/deep/leaf");
	room_link(room, "p/inside-dir", "sub/deep");
	room_link(room, "p/sub/up", "../file");
	room_link(room, "p/out-rel", "../outside/secret");
	room_link(room, "p/out-abs", "/etc/hostname");
	room_link(room, "p/out-dir", "../outside");
	room_link(room, "p/loop", "loop2");
	room_link(room, "p/loop2", "loop");
	room_link(room, "p/dangling", "nothing");
	room_link(room, "p/magic", "/proc/self/root/etc/hostname");
	assert_int_equal(mkfifoat(room->fd, "p/fifo", 0600), 0);
	room->project = openat(room->fd, "p", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(room->project >= 0);
}

static void test_reach(void **state)
{
	struct room *room = *state;
	plant(room);
	static const struct {
		const char *path;
		const char *code; /* NULL: it is read; "": it is absent */
	} cases[] = {
		{"file", NULL},
		{"./file", NULL},
		{"sub/../file", NULL},
		{"sub//deep/leaf", NULL},
		{"inside", NULL},
		{"inside-dir/leaf", NULL},
		{"sub/up", NULL},
		{"nothing", ""},
		{"file/under", ""},
		{"no/such/dir", ""},
		{"dangling", ""},
		{"", ""},
		{"../outside/secret", "E-FS-OUTSIDE"},
		{"sub/../../outside/secret", "E-FS-OUTSIDE"},
		{"..", "E-FS-OUTSIDE"},
		{"/etc/hostname", "E-FS-OUTSIDE"},
		{"out-rel", "E-FS-OUTSIDE"},
		{"out-abs", "E-FS-OUTSIDE"},
		{"out-dir/secret", "E-FS-OUTSIDE"},
		{"magic", "E-FS-OUTSIDE"},
		{"loop", "E-FS-LINK"},
		{"loop/x", "E-FS-LINK"},
		{"fifo", "E-FS-NOT-FILE"},
		{"sub", "E-FS-NOT-FILE"},
		{"inside-dir", "E-FS-NOT-FILE"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *path = cases[i].path;
		const char *code = cases[i].code;
		bool absent = code && !*code;
		struct err err = {0};
		struct digest digest;
		struct fs_stat st;
		struct buf text = {0};
		alarm(300); /* a pipe that is waited for must not hold the test */
		enum fs_found found = fs_digest_at(room->project, path, &digest, &st, &err);
		if (found != (!code ? FS_FOUND : absent ? FS_ABSENT : FS_ERROR))
			fail_msg("digest of %s: %d", path, found);
		if (found == FS_ERROR)
			assert_string_equal(err.code, code);
		err_finish(&err);

		assert_int_equal(fs_read_file(room->project, path, 100, &text, &err), !code);
		if (code)
			assert_string_equal(err.code, absent ? "E-FS-MISSING" : code);
		err_finish(&err);

		int fd = fs_open_beneath(room->project, path, &err);
		assert_int_equal(fd >= 0, !code);
		if (code)
			assert_string_equal(err.code, absent ? "E-FS-MISSING" : code);
		if (fd >= 0)
			close(fd);
		err_finish(&err);
		buf_finish(&text);
		alarm(0);
	}
}

static void test_stat(void **state)
{
	struct room *room = *state;
	plant(room);
	static const struct {
		const char *path;
		enum fs_found stat;
		mode_t stat_type;
		enum fs_found lstat;
		mode_t lstat_type;
	} cases[] = {
		{"file", FS_FOUND, S_IFREG, FS_FOUND, S_IFREG},
		{"sub", FS_FOUND, S_IFDIR, FS_FOUND, S_IFDIR},
		{".", FS_FOUND, S_IFDIR, FS_FOUND, S_IFDIR},
		{"sub/deep/leaf", FS_FOUND, S_IFREG, FS_FOUND, S_IFREG},
		{"inside", FS_FOUND, S_IFREG, FS_FOUND, S_IFLNK},
		{"sub/up", FS_FOUND, S_IFREG, FS_FOUND, S_IFLNK},
		{"inside-dir/leaf", FS_FOUND, S_IFREG, FS_FOUND, S_IFREG},
		{"fifo", FS_FOUND, S_IFIFO, FS_FOUND, S_IFIFO},
		{"dangling", FS_ABSENT, 0, FS_FOUND, S_IFLNK},
		{"out-rel", FS_ERROR, 0, FS_FOUND, S_IFLNK},
		{"loop", FS_ERROR, 0, FS_FOUND, S_IFLNK},
		{"out-dir/secret", FS_ERROR, 0, FS_ERROR, 0},
		{"..", FS_ERROR, 0, FS_ERROR, 0},
		{"../outside", FS_ERROR, 0, FS_ERROR, 0},
		{"/etc", FS_ERROR, 0, FS_ERROR, 0},
		{"nothing", FS_ABSENT, 0, FS_ABSENT, 0},
		{"no/such", FS_ABSENT, 0, FS_ABSENT, 0},
		{"no/such", FS_ABSENT, 0, FS_ABSENT, 0},
		{"file/under", FS_ABSENT, 0, FS_ABSENT, 0},
		{"sub/none", FS_ABSENT, 0, FS_ABSENT, 0},
		{"sub/deep/", FS_FOUND, S_IFDIR, FS_FOUND, S_IFDIR},
		{"sub/deep/..", FS_FOUND, S_IFDIR, FS_FOUND, S_IFDIR},
		{"sub/..", FS_FOUND, S_IFDIR, FS_FOUND, S_IFDIR},
		{"sub/../..", FS_ERROR, 0, FS_ERROR, 0},
		{"sub/../../outside/secret", FS_ERROR, 0, FS_ERROR, 0},
		{"sub/deep/.", FS_FOUND, S_IFDIR, FS_FOUND, S_IFDIR},
		{"sub/../file", FS_FOUND, S_IFREG, FS_FOUND, S_IFREG},
		{"loop/x", FS_ERROR, 0, FS_ERROR, 0},
	};
	struct fs_look *look = fs_look_create(room->project);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err err = {0};
		struct fs_stat st = {0};
		if (fs_stat_at(room->project, cases[i].path, &st, &err) != cases[i].stat)
			fail_msg("stat of %s", cases[i].path);
		assert_int_equal(st.mode & S_IFMT, cases[i].stat_type);
		assert_int_equal(err_is_set(&err), cases[i].stat == FS_ERROR);
		err_finish(&err);
		for (int round = 0; round < 2; round++) {
			st = (struct fs_stat){0};
			if (fs_look_at(look, cases[i].path, &st, &err) != cases[i].stat)
				fail_msg("look at %s", cases[i].path);
			assert_int_equal(st.mode & S_IFMT, cases[i].stat_type);
			assert_int_equal(err_is_set(&err), cases[i].stat == FS_ERROR);
			err_finish(&err);
		}
		st = (struct fs_stat){0};
		if (fs_lstat_at(room->project, cases[i].path, &st, &err) != cases[i].lstat)
			fail_msg("lstat of %s", cases[i].path);
		assert_int_equal(st.mode & S_IFMT, cases[i].lstat_type);
		assert_int_equal(err_is_set(&err), cases[i].lstat == FS_ERROR);
		err_finish(&err);
	}
	fs_look_destroy(look);
	fs_look_destroy(NULL);
	struct fs_stat st;
	struct stat expected;
	assert_int_equal(fs_stat_at(room->project, "sub/deep/leaf", &st, NULL), FS_FOUND);
	assert_int_equal(fstatat(room->project, "sub/deep/leaf", &expected, 0), 0);
	assert_int_equal(st.dev, expected.st_dev);
	assert_int_equal(st.ino, expected.st_ino);
	assert_int_equal(st.size, 4);
	assert_int_equal(st.mode, expected.st_mode);
	assert_int_equal(
		st.mtime_ns, expected.st_mtim.tv_sec * 1000000000L + expected.st_mtim.tv_nsec);
	assert_int_equal(
		st.ctime_ns, expected.st_ctim.tv_sec * 1000000000L + expected.st_ctim.tv_nsec);
}

/* More directories than are kept open. */
static void test_look_at_many(void **state)
{
	struct room *room = *state;
	for (int i = 0; i < 300; i++) {
		char name[32];
		snprintf(name, sizeof(name), "d%d", i);
		room_dir(room, name);
		snprintf(name, sizeof(name), "d%d/f", i);
		room_file(room, name, name);
	}
	struct fs_look *look = fs_look_create(room->fd);
	for (int i = 0; i < 900; i++) {
		char name[32];
		struct fs_stat st;
		struct fs_stat expected;
		snprintf(name, sizeof(name), "d%d/f", i * 7 % 300);
		assert_int_equal(fs_look_at(look, name, &st, NULL), FS_FOUND);
		assert_int_equal(fs_stat_at(room->fd, name, &expected, NULL), FS_FOUND);
		assert_int_equal(st.ino, expected.ino);
		assert_int_equal(st.size, strlen(name));
	}
	fs_look_destroy(look);
}

static void test_sockets_and_devices(void **state)
{
	struct room *room = *state;
	struct err err = {0};
	struct buf path = {0};
	buf_printf(&path, "%s/socket", room->path);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", buf_cstr(&path));
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(fs_open_beneath(room->fd, "socket", &err), -1);
	assert_string_equal(err.code, "E-FS-NOT-FILE");
	err_finish(&err);
	close(fd);
	buf_finish(&path);

	int dev = fs_open_dir("/dev", &err);
	assert_true(dev >= 0);
	struct digest digest;
	struct fs_stat st;
	assert_int_equal(fs_digest_at(dev, "zero", &digest, &st, &err), FS_ERROR);
	assert_string_equal(err.code, "E-FS-NOT-FILE");
	err_finish(&err);
	close(dev);
}

static void test_absolute_paths_of_the_program(void **state)
{
	struct room *room = *state;
	plant(room);
	struct err err = {0};
	struct buf path = {0};
	struct buf text = {0};
	struct fs_stat st;
	struct digest digest;
	struct digest expected = hash_of(STR("secret"));
	buf_printf(&path, "%s/p/out-rel", room->path);
	assert_true(fs_read_file(AT_FDCWD, buf_cstr(&path), 100, &text, &err));
	assert_string_equal(buf_cstr(&text), "secret");
	assert_int_equal(fs_stat_at(AT_FDCWD, buf_cstr(&path), &st, &err), FS_FOUND);
	assert_int_equal(st.size, 6);
	assert_int_equal(fs_digest_at(AT_FDCWD, buf_cstr(&path), &digest, &st, &err), FS_FOUND);
	assert_true(digest_eq(&digest, &expected));
	buf_clear(&path);
	buf_printf(&path, "%s/p/made/by/us", room->path);
	assert_true(fs_make_dirs(AT_FDCWD, buf_cstr(&path), 0700, &err));
	buf_add_z(&path, "/file");
	assert_true(fs_write_file(AT_FDCWD, buf_cstr(&path), STR("x"), 0600, true, &err));
	assert_true(fs_read_file(AT_FDCWD, buf_cstr(&path), 100, &text, &err));
	assert_string_equal(buf_cstr(&text), "x");
	buf_clear(&path);
	buf_printf(&path, "%s/p/made", room->path);
	assert_true(fs_remove_tree(AT_FDCWD, buf_cstr(&path), &err));
	assert_int_equal(fs_stat_at(room->project, "made", &st, &err), FS_ABSENT);
	/* Relative paths stay beneath, with AT_FDCWD too. */
	assert_false(
		fs_read_file(AT_FDCWD, "../../../../../../../../etc/hostname", 100, &text, &err));
	assert_string_equal(err.code, "E-FS-OUTSIDE");
	err_finish(&err);
	buf_finish(&path);
	buf_finish(&text);
}

static void test_read_limit(void **state)
{
	struct room *room = *state;
	struct err err = {0};
	struct buf text = {0};
	room_file(room, "ten", "0123456789");
	room_file(room, "empty", "");
	buf_add_z(&text, "what was there");
	assert_true(fs_read_file(room->fd, "ten", 10, &text, &err));
	assert_string_equal(text.ptr, "0123456789");
	assert_int_equal(text.len, 10);
	assert_false(fs_read_file(room->fd, "ten", 9, &text, &err));
	assert_string_equal(err.code, "E-FS-TOO-LARGE");
	assert_int_equal(text.len, 0);
	err_finish(&err);
	assert_true(fs_read_file(room->fd, "empty", 0, &text, &err));
	assert_int_equal(text.len, 0);
	/* A file that says it has no size. */
	assert_true(fs_read_file(AT_FDCWD, "/proc/self/status", 1 << 20, &text, &err));
	assert_true(str_starts(buf_str(&text), STR("Name:")));
	assert_false(fs_read_file(AT_FDCWD, "/proc/self/status", 10, &text, &err));
	assert_string_equal(err.code, "E-FS-TOO-LARGE");
	err_finish(&err);
	buf_finish(&text);
}

static void test_digest(void **state)
{
	struct room *room = *state;
	struct err err = {0};
	static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 131072, 1000001};
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct buf text = {0};
		for (size_t n = 0; n < sizes[i]; n++)
			buf_add_char(&text, (char)(n * 7));
		assert_true(fs_write_file(room->fd, "f", buf_str(&text), 0644, false, &err));
		struct digest digest;
		struct digest expected = hash_of(buf_str(&text));
		struct fs_stat st;
		struct fs_stat now;
		assert_int_equal(fs_digest_at(room->fd, "f", &digest, &st, &err), FS_FOUND);
		assert_true(digest_eq(&digest, &expected));
		assert_int_equal(st.size, sizes[i]);
		assert_int_equal(fs_stat_at(room->fd, "f", &now, &err), FS_FOUND);
		assert_int_equal(st.ino, now.ino);
		assert_int_equal(st.ctime_ns, now.ctime_ns);
		buf_finish(&text);
	}
}

/* A child appends without a pause: sooner or later a read of a large file sees it; never is a digest given that is not
 * one of what the file was at some moment. */
static void test_digest_of_a_changing_file(void **state)
{
	struct room *room = *state;
	struct err err = {0};
	int fd = openat(room->fd, "grows", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 8 << 20), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		for (off_t at = 0;; at = (at + 4096) % (8 << 20)) {
			if (pwrite(fd, &at, sizeof(at), at) < 0)
				_exit(1);
		}
	}
	bool caught = false;
	for (int tries = 0; !caught && tries < 1000; tries++) {
		struct digest digest;
		struct fs_stat st;
		caught = fs_digest_at(room->fd, "grows", &digest, &st, &err) == FS_ERROR;
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(fd);
	assert_true(caught);
	assert_string_equal(err.code, "E-FS-CHANGING");
	assert_non_null(err.help);
	err_finish(&err);
}

static void test_normalize(void **state)
{
	(void)state;
	static const struct {
		const char *path;
		const char *clean; /* NULL: refused */
	} cases[] = {
		{"a", "a"},
		{"./a//b/../c", "a/c"},
		{"a/", "a"},
		{"a/./b/.", "a/b"},
		{"a/b/../../c", "c"},
		{"", "."},
		{".", "."},
		{"a/..", "."},
		{"...", "..."},
		{".a/..b", ".a/..b"},
		{"..", NULL},
		{"a/../..", NULL},
		{"../a", NULL},
		{"a/../../b", NULL},
		{"/", NULL},
		{"/a", NULL},
	};
	struct buf out = {0};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool ok = fs_normalize(str_of(cases[i].path), &out);
		if (ok != (cases[i].clean != NULL))
			fail_msg("%s: %d", cases[i].path, ok);
		if (ok)
			assert_string_equal(buf_cstr(&out), cases[i].clean);
	}
	assert_false(fs_normalize((str){"a\0b", 3}, &out));
	buf_finish(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		room_test(test_reach),
		room_test(test_stat),
		room_test(test_look_at_many),
		room_test(test_sockets_and_devices),
		room_test(test_absolute_paths_of_the_program),
		room_test(test_read_limit),
		room_test(test_digest),
		room_test(test_digest_of_a_changing_file),
		cmocka_unit_test(test_normalize),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
