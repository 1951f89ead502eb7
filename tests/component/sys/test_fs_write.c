/* Writing, making and removing: whole or not at all, exact modes, never through a symlink, and what a disk that is full
 * or broken leaves behind. */
#include "fs_help.h"

#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* These stand before libc's: a disk that fails when it is told to. */
static int fail_fsync_at; /* the n-th fsync fails; 0: none */
static int fsyncs;
static bool fail_rename;

int fsync(int fd)
{
	if (++fsyncs == fail_fsync_at) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fsync, fd);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	if (fail_rename) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_renameat, from_dir, from, to_dir, to);
}

static size_t count_entries(int dirfd)
{
	struct fs_list list;
	assert_true(fs_list_tree(dirfd, ".", NULL, &list, NULL));
	size_t n = list.len;
	fs_list_finish(&list);
	return n;
}

static void assert_text(struct room *room, const char *path, const char *expected)
{
	struct buf text = {0};
	struct err err = {0};
	if (!fs_read_file(room->fd, path, 1 << 20, &text, &err))
		fail_msg("%s: %s", path, err.message);
	assert_string_equal(buf_cstr(&text), expected);
	buf_finish(&text);
}

static void test_write(void **state)
{
	struct room *room = *state;
	struct err err = {0};
	room_dir(room, "d");
	room_file(room, "d/f", "before");
	assert_true(fs_write_file(room->fd, "d/f", STR("after"), 0640, false, &err));
	assert_text(room, "d/f", "after");
	assert_true(fs_write_file(room->fd, "new", STR(""), 0600, true, &err));
	assert_text(room, "new", "");
	assert_int_equal(count_entries(room->fd), 3);
	fsyncs = 0;
	assert_true(fs_write_file(room->fd, "new", STR("x"), 0600, false, &err));
	assert_int_equal(fsyncs, 1);
	assert_true(fs_write_file(room->fd, "new", STR("x"), 0600, true, &err));
	assert_int_equal(fsyncs, 3);
}

static void test_modes_are_exact(void **state)
{
	struct room *room = *state;
	static const mode_t modes[] = {0400, 0600, 0644, 0755, 0777, 0000, 0111, 04755};
	mode_t before = umask(077);
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		struct fs_stat st;
		assert_true(fs_write_file(room->fd, "f", STR("x"), modes[i], false, NULL));
		assert_int_equal(fs_stat_at(room->fd, "f", &st, NULL), FS_FOUND);
		assert_int_equal(st.mode, S_IFREG | modes[i]);
	}
	umask(027);
	struct fs_stat st;
	assert_true(fs_make_dirs(room->fd, "d/e", 0777, NULL));
	assert_int_equal(fs_stat_at(room->fd, "d/e", &st, NULL), FS_FOUND);
	assert_int_equal(st.mode, S_IFDIR | 0750);
	umask(before);
}

static void test_where_nothing_is_written(void **state)
{
	struct room *room = *state;
	room_dir(room, "p");
	room_dir(room, "p/sub");
	room_dir(room, "outside");
	room_link(room, "p/out", "../outside");
	room_link(room, "p/in", "sub");
	room_file(room, "p/file", "");
	room->project = openat(room->fd, "p", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	static const struct {
		const char *path;
		const char *write_code;
		const char *make_code;
		const char *remove_code; /* NULL: it succeeds, nothing being there */
	} cases[] = {
		{"../outside/f", "E-FS-OUTSIDE", "E-FS-OUTSIDE", "E-FS-OUTSIDE"},
		{"/tmp/pawl-never", "E-FS-OUTSIDE", "E-FS-OUTSIDE", "E-FS-OUTSIDE"},
		{"out/f", "E-FS-LINK", "E-FS-LINK", "E-FS-LINK"},
		{"out/f/g", "E-FS-LINK", "E-FS-LINK", "E-FS-LINK"},
		{"in/f", "E-FS-LINK", "E-FS-LINK", "E-FS-LINK"},
		{"file/f", "E-FS-MISSING", "E-FS-MISSING", NULL},
		{"..", "E-FS-NAME", "E-FS-OUTSIDE", "E-FS-NAME"},
		{"sub/..", "E-FS-NAME", "", "E-FS-NAME"},
		{".", "E-FS-NAME", "", "E-FS-NAME"},
		{"sub/", "E-FS-NAME", "", "E-FS-NAME"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err err = {0};
		const char *path = cases[i].path;
		assert_false(fs_write_file(room->project, path, STR("x"), 0600, true, &err));
		if (strcmp(err.code, cases[i].write_code) != 0)
			fail_msg("write %s: %s", path, err.code);
		err_finish(&err);
		bool made = fs_make_dirs(room->project, path, 0700, &err);
		if (strcmp(made ? "" : err.code, cases[i].make_code) != 0)
			fail_msg("make %s: %s", path, made ? "made" : err.code);
		err_finish(&err);
		bool removed = fs_remove_tree(room->project, path, &err);
		if (removed != !cases[i].remove_code)
			fail_msg("remove %s: %s", path, removed ? "removed" : err.code);
		if (!removed)
			assert_string_equal(err.code, cases[i].remove_code);
		err_finish(&err);
	}
	assert_int_equal(count_entries(room->fd), 6);

	/* A symlink at the very place is replaced, removed: itself, not what it leads to. */
	struct fs_stat st;
	room_file(room, "outside/kept", "kept");
	room_link(room, "p/link", "../outside/kept");
	assert_true(fs_write_file(room->project, "link", STR("own"), 0600, true, NULL));
	assert_int_equal(fs_lstat_at(room->project, "link", &st, NULL), FS_FOUND);
	assert_true(S_ISREG(st.mode));
	assert_true(fs_remove_tree(room->project, "out", NULL));
	assert_int_equal(fs_lstat_at(room->project, "out", &st, NULL), FS_ABSENT);
	assert_text(room, "outside/kept", "kept");
}

static void test_failed_fsync_is_final(void **state)
{
	struct room *room = *state;
	struct err err = {0};
	room_file(room, "f", "before");
	fsyncs = 0;
	fail_fsync_at = 1;
	assert_false(fs_write_file(room->fd, "f", STR("after"), 0600, true, &err));
	assert_int_equal(fsyncs, 1);
	assert_string_equal(err.code, "E-FS-SYNC");
	assert_non_null(strstr(err.message, "f could not be made durable"));
	assert_non_null(err.help);
	err_finish(&err);
	assert_text(room, "f", "before");
	assert_int_equal(count_entries(room->fd), 1);

	fsyncs = 0;
	fail_fsync_at = 2; /* of the directory: the new file is there, but nobody may count on it */
	assert_false(fs_write_file(room->fd, "f", STR("after"), 0600, true, &err));
	assert_int_equal(fsyncs, 2);
	assert_string_equal(err.code, "E-FS-SYNC");
	err_finish(&err);
	assert_int_equal(count_entries(room->fd), 1);

	fsyncs = 0;
	fail_fsync_at = 1;
	assert_false(fs_make_dirs(room->fd, "a/b", 0700, &err));
	assert_string_equal(err.code, "E-FS-SYNC");
	err_finish(&err);
	fail_fsync_at = 0;
}

static void test_failed_rename(void **state)
{
	struct room *room = *state;
	struct err err = {0};
	room_file(room, "f", "before");
	fail_rename = true;
	assert_false(fs_write_file(room->fd, "f", STR("after"), 0600, true, &err));
	fail_rename = false;
	assert_string_equal(err.code, "E-FS-IO");
	err_finish(&err);
	room_dir(room, "d");
	assert_false(fs_write_file(room->fd, "d", STR("x"), 0600, true, &err));
	assert_string_equal(err.code, "E-FS-IO");
	err_finish(&err);
	assert_text(room, "f", "before");
	assert_int_equal(count_entries(room->fd), 2);
}

static void test_full_disk(void **state)
{
	struct room *room = *state;
	struct err err = {0};
	room_dir(room, "small");
	struct buf path = {0};
	buf_printf(&path, "%s/small", room->path);
	bool mounted = unshare(CLONE_NEWNS) == 0 &&
	               mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	               mount("pawl-test", buf_cstr(&path), "tmpfs", 0, "size=64k") == 0;
	if (!mounted) {
		print_message("skipped: a small tmpfs can't be mounted: %s\n", strerror(errno));
		buf_finish(&path);
		skip();
	}
	int fd = fs_open_dir(buf_cstr(&path), &err);
	assert_true(fd >= 0);
	assert_true(fs_write_file(fd, "f", STR("before"), 0600, true, &err));
	struct buf large = {0};
	for (size_t i = 0; i < 100000; i++)
		buf_add_char(&large, 'x');
	assert_false(fs_write_file(fd, "f", buf_str(&large), 0600, true, &err));
	assert_string_equal(err.code, "E-FS-FULL");
	assert_non_null(strstr(err.message, "No space left"));
	assert_non_null(err.help);
	err_finish(&err);
	assert_int_equal(count_entries(fd), 1);
	assert_true(fs_write_file(fd, "f", STR("after"), 0600, true, &err));
	assert_int_equal(
		mount("none", buf_cstr(&path), NULL, MS_REMOUNT | MS_RDONLY, "size=64k"), 0);
	assert_false(fs_write_file(fd, "f", STR("later"), 0600, true, &err));
	assert_string_equal(err.code, "E-FS-READONLY");
	err_finish(&err);
	assert_false(fs_make_dirs(fd, "d", 0700, &err));
	assert_string_equal(err.code, "E-FS-READONLY");
	err_finish(&err);
	assert_false(fs_remove_tree(fd, "f", &err));
	assert_string_equal(err.code, "E-FS-READONLY");
	err_finish(&err);
	close(fd);
	assert_int_equal(umount2(buf_cstr(&path), MNT_DETACH), 0);
	buf_finish(&large);
	buf_finish(&path);
}

/* In a child, whose limits are its own. */
static int meet_limits(struct room *room)
{
	struct err err = {0};
	struct rlimit small = {10, 10};
	signal(SIGXFSZ, SIG_IGN);
	if (setrlimit(RLIMIT_FSIZE, &small))
		return 2;
	if (fs_write_file(room->fd, "f", STR("more than ten bytes"), 0600, true, &err) ||
		strcmp(err.code, "E-FS-FULL") != 0 || !strstr(err.help, "ulimit -f"))
		return 3;
	err_finish(&err);
	struct rlimit none = {(rlim_t)room->fd + 1, (rlim_t)room->fd + 1};
	if (setrlimit(RLIMIT_NOFILE, &none))
		return 4;
	struct buf text = {0};
	if (fs_read_file(room->fd, "f", 100, &text, &err) || strcmp(err.code, "E-FS-HANDLES") != 0)
		return 5;
	err_finish(&err);
	buf_finish(&text);
	if (fs_write_file(room->fd, "f", STR("x"), 0600, true, &err) ||
		strcmp(err.code, "E-FS-HANDLES") != 0)
		return 6;
	err_finish(&err);
	return 0;
}

static void test_limits(void **state)
{
	struct room *room = *state;
	room_file(room, "f", "before");
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(meet_limits(room));
	int status = 0;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_text(room, "f", "before");
	assert_int_equal(count_entries(room->fd), 1);
}

static void test_make_dirs(void **state)
{
	struct room *room = *state;
	struct err err = {0};
	struct fs_stat st;
	fsyncs = 0;
	assert_true(fs_make_dirs(room->fd, "a/b//./c/", 0700, &err));
	assert_int_equal(fsyncs, 3);
	assert_int_equal(fs_stat_at(room->fd, "a/b/c", &st, &err), FS_FOUND);
	assert_int_equal(st.mode, S_IFDIR | 0700);
	assert_true(fs_make_dirs(room->fd, "a/b/c", 0755, &err));
	assert_int_equal(fsyncs, 3);
	room_file(room, "a/file", "");
	assert_false(fs_make_dirs(room->fd, "a/file", 0700, &err));
	assert_string_equal(err.code, "E-FS-MISSING");
	err_finish(&err);
	assert_int_equal(count_entries(room->fd), 4);
}

static void test_remove(void **state)
{
	struct room *room = *state;
	struct err err = {0};
	assert_true(fs_make_dirs(room->fd, "t/a/b", 0700, &err));
	assert_true(fs_make_dirs(room->fd, "t/empty", 0700, &err));
	assert_true(fs_make_dirs(room->fd, "kept", 0700, &err));
	room_file(room, "kept/f", "kept");
	room_file(room, "t/a/b/f", "");
	room_link(room, "t/a/link", "../../kept");
	room_link(room, "t/dangling", "nothing");
	assert_int_equal(mkfifoat(room->fd, "t/fifo", 0600), 0);
	assert_true(fs_remove_tree(room->fd, "t", &err));
	assert_int_equal(count_entries(room->fd), 2);
	assert_text(room, "kept/f", "kept");
	assert_true(fs_remove_tree(room->fd, "t", &err));
	assert_true(fs_remove_tree(room->fd, "no/such", &err));
	assert_true(fs_remove_tree(room->fd, "kept/f", &err));
	assert_int_equal(count_entries(room->fd), 1);
}

/* Far deeper than a path can say. */
static void test_remove_deep(void **state)
{
	struct room *room = *state;
	struct err err = {0};
	char name[200];
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	room_dir(room, "deep");
	int fd = openat(room->fd, "deep", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < 200; i++) {
		assert_int_equal(mkdirat(fd, name, 0700), 0);
		int sub = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(sub >= 0);
		close(fd);
		fd = sub;
	}
	close(fd);
	if (!fs_remove_tree(room->fd, "deep", &err))
		fail_msg("%s", err.message);
	assert_int_equal(count_entries(room->fd), 0);
}

/* As somebody whom permissions hold back: what is read-only or unreadable, but one's own, goes. */
static int remove_as_nobody(int fd)
{
	if (setgroups(0, NULL) || setgid(65534) || setuid(65534))
		return 77;
	struct err err = {0};
	bool ok = fs_make_dirs(fd, "t/read-only/sub", 0700, &err) &&
	          fs_make_dirs(fd, "t/closed/sub", 0700, &err) &&
	          fs_write_file(fd, "t/read-only/f", STR(""), 0400, false, &err) &&
	          fs_write_file(fd, "t/closed/f", STR(""), 0, false, &err);
	if (!ok || fchmodat(fd, "t/read-only", 0500, 0) || fchmodat(fd, "t/closed", 0, 0) ||
		fchmodat(fd, "t", 0500, 0))
		return 2;
	struct digest digest;
	struct fs_stat st;
	if (fs_digest_at(fd, "t/closed/f", &digest, &st, &err) != FS_ERROR ||
		strcmp(err.code, "E-FS-DENIED") != 0)
		return 3;
	if (!fs_remove_tree(fd, "t", &err)) {
		fprintf(stderr, "%s\n", err.message);
		return 4;
	}
	err_finish(&err);
	return count_entries(fd) ? 5 : 0;
}

static void test_remove_read_only(void **state)
{
	struct room *room = *state;
	room_dir(room, "p");
	assert_int_equal(fchmodat(room->fd, "p", 0777, 0), 0);
	room->project = openat(room->fd, "p", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(remove_as_nobody(room->project));
	int status = 0;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		print_message("skipped: only root can become somebody else\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Exchanges a and b for ever. */
static pid_t start_swapping(int dirfd, const char *a, const char *b)
{
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		for (;;)
			syscall(SYS_renameat2, dirfd, a, dirfd, b, RENAME_EXCHANGE);
	}
	return child;
}

static void stop(pid_t child)
{
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

/* A directory that is a symlink to the outside every other moment. */
static void test_race_with_a_symlink(void **state)
{
	struct room *room = *state;
	room_dir(room, "outside");
	room_file(room, "outside/f", "outside");
	room_file(room, "outside/kept", "");
	room_dir(room, "p");
	room_dir(room, "p/d");
	room_file(room, "p/d/f", "inside");
	room_link(room, "p/l", "../outside");
	room->project = openat(room->fd, "p", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	pid_t child = start_swapping(room->project, "d", "l");
	struct buf text = {0};
	size_t read = 0;
	for (int i = 0; i < 3000; i++) {
		struct fs_list list;
		if (fs_read_file(room->project, "d/f", 100, &text, NULL)) {
			assert_string_equal(buf_cstr(&text), "inside");
			read++;
		}
		if (i % 10 == 0)
			fs_write_file(room->project, "d/new", STR("x"), 0600, false, NULL);
		fs_make_dirs(room->project, "d/made", 0700, NULL);
		fs_remove_tree(room->project, "d/kept", NULL);
		if (fs_list_tree(room->project, ".", NULL, &list, NULL)) {
			for (size_t n = 0; n < list.len; n++)
				assert_null(strstr(list.ptr[n].name, "kept"));
			fs_list_finish(&list);
		}
		if (fs_glob(room->project, STR("**/k*"), &list, NULL)) {
			assert_int_equal(list.len, 0);
			fs_list_finish(&list);
		}
	}
	stop(child);
	assert_true(read > 0);
	assert_text(room, "outside/f", "outside");
	assert_text(room, "outside/kept", "");
	int outside = openat(room->fd, "outside", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(count_entries(outside), 2);
	close(outside);
	buf_finish(&text);
}

static void test_remove_while_swapped(void **state)
{
	struct room *room = *state;
	room_dir(room, "outside");
	room_dir(room, "outside/empty");
	room_file(room, "outside/kept", "kept");
	room_dir(room, "t");
	pid_t child = start_swapping(room->fd, "t/d", "t/l");
	for (int i = 0; i < 300; i++) {
		mkdirat(room->fd, "t", 0700);
		mkdirat(room->fd, "t/d", 0700);
		mkdirat(room->fd, "t/d/empty", 0700);
		if (symlinkat("../outside", room->fd, "t/l"))
			continue;
		fs_remove_tree(room->fd, "t", NULL);
	}
	stop(child);
	assert_text(room, "outside/kept", "kept");
	struct fs_stat st;
	assert_int_equal(fs_stat_at(room->fd, "outside/empty", &st, NULL), FS_FOUND);
	assert_true(fs_remove_tree(room->fd, "t", NULL));
}

/* Somebody who never stops writing must not keep the removal busy for ever. */
static void test_remove_while_written(void **state)
{
	struct room *room = *state;
	room_dir(room, "t");
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		for (unsigned i = 0;; i++) {
			char name[32];
			snprintf(name, sizeof(name), "t/%u", i % 1000);
			int fd = openat(room->fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
			if (fd < 0)
				mkdirat(room->fd, "t", 0700);
			else
				close(fd);
		}
	}
	for (int i = 0; i < 20; i++) {
		struct err err = {0};
		if (!fs_remove_tree(room->fd, "t", &err)) {
			assert_string_equal(err.code, "E-FS-CHANGING");
			err_finish(&err);
		}
	}
	stop(child);
	assert_true(fs_remove_tree(room->fd, "t", NULL));
	assert_int_equal(count_entries(room->fd), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		room_test(test_write),
		room_test(test_modes_are_exact),
		room_test(test_where_nothing_is_written),
		room_test(test_failed_fsync_is_final),
		room_test(test_failed_rename),
		room_test(test_full_disk),
		room_test(test_limits),
		room_test(test_make_dirs),
		room_test(test_remove),
		room_test(test_remove_deep),
		room_test(test_remove_read_only),
		room_test(test_race_with_a_symlink),
		room_test(test_remove_while_swapped),
		room_test(test_remove_while_written),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
