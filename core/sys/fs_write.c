/* fs_write: files that are there whole or not at all, directories, and removal.  Nothing here goes through a symlink.
 * See fs.h. */
#include "base/mem.h"
#include "sys/fs.h"
#include "sys/fs_inner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Paths are walked from the top again for each directory; one that gets this long is cut by a rename. */
static const size_t long_path = 2048;

bool fs_sync(int fd, const char *what, struct err *err)
{
	fs_step("before fsync");
	if (fsync(fd) == 0) {
		fs_step("after fsync");
		return true;
	}
	/* Never again on this descriptor: the kernel may have dropped the pages and would say that all is well. */
	err_sys(err, errno, "E-FS-SYNC", "%s could not be made durable", what);
	return err_help(
		err, "the disk or its file system has a fault: see `dmesg`; nothing was recorded");
}

static bool is_dots(const char *name, size_t n)
{
	return n == 0 || (n == 1 && name[0] == '.') || (n == 2 && name[0] == '.' && name[1] == '.');
}

enum fs_found fs_parent_open(int dirfd, const char *path, struct fs_parent *out, struct err *err)
{
	const char *slash = strrchr(path, '/');
	*out = (struct fs_parent){.fd = -1, .name = slash ? slash + 1 : path};
	if (is_dots(out->name, strlen(out->name))) {
		err_set(err, "E-FS-NAME", "\"%s\" does not end in the name of a file", path);
		return FS_ERROR;
	}
	struct buf dir = {0};
	if (slash)
		buf_add(&dir, (str){path, slash == path ? 1 : (size_t)(slash - path)});
	else
		buf_add_char(&dir, '.');
	out->fd = fs_open_at(dirfd, buf_cstr(&dir), O_RDONLY | O_DIRECTORY, FS_NO_LINKS);
	enum fs_found found = FS_FOUND;
	if (out->fd < 0)
		found = fs_fail_found(err, errno, "open the directory", buf_cstr(&dir));
	buf_finish(&dir);
	return found;
}

enum { TEMP_NAME_SIZE = sizeof(".pawl-0123456789abcdef.tmp") };

static void random_name(char out[static TEMP_NAME_SIZE])
{
	unsigned long long number;
	hash_random(&number, sizeof(number));
	snprintf(out, TEMP_NAME_SIZE, ".pawl-%016llx.tmp", number);
}

static bool write_all(int fd, str bytes)
{
	while (bytes.len) {
		ssize_t n = write(fd, bytes.ptr, bytes.len);
		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0)
			bytes = str_slice(bytes, (size_t)n, bytes.len);
	}
	return true;
}

/* Fills and closes the temporary file. */
static bool fill(int fd, const char *path, str bytes, mode_t mode, struct err *err)
{
	bool ok = (write_all(fd, bytes) && fchmod(fd, mode) == 0) ||
	          fs_fail(err, errno, "write", path);
	ok = ok && fs_sync(fd, path, err);
	if (close(fd) && ok)
		ok = fs_fail(err, errno, "write", path);
	return ok;
}

static bool rename_over(int dirfd, const char *from, const char *to)
{
	fs_step("before rename");
	if (renameat(dirfd, from, dirfd, to))
		return false;
	fs_step("after rename");
	return true;
}

bool fs_write_file(
	int dirfd, const char *path, str bytes, mode_t mode, bool durable, struct err *err)
{
	struct fs_parent parent;
	enum fs_found found = fs_parent_open(dirfd, path, &parent, err);
	if (found == FS_ABSENT)
		fs_fail(err, ENOENT, "write", path);
	if (found != FS_FOUND)
		return false;
	char temp[TEMP_NAME_SIZE];
	int fd;
	do {
		random_name(temp);
		fd = openat(parent.fd, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			0600);
	} while (fd < 0 && (errno == EEXIST || errno == EINTR));
	bool ok = fd >= 0 ? fill(fd, path, bytes, mode, err) : fs_fail(err, errno, "write", path);
	if (ok && !rename_over(parent.fd, temp, parent.name))
		ok = fs_fail(err, errno, "write", path);
	if (!ok && fd >= 0)
		unlinkat(parent.fd, temp, 0);
	if (ok && durable)
		ok = fs_sync(parent.fd, path, err);
	close(parent.fd);
	return ok;
}

bool fs_write_link(int dirfd, const char *path, const char *target, struct err *err)
{
	struct fs_parent parent;
	enum fs_found found = fs_parent_open(dirfd, path, &parent, err);
	if (found == FS_ABSENT)
		fs_fail(err, ENOENT, "link", path);
	if (found != FS_FOUND)
		return false;
	char temp[TEMP_NAME_SIZE];
	/* Where nothing is in the way no other name is needed, which a crash would leave. */
	int made = symlinkat(target, parent.fd, parent.name);
	if (made == 0 || errno != EEXIST) {
		close(parent.fd);
		return made == 0 || fs_fail(err, errno, "link", path);
	}
	do {
		random_name(temp);
		made = symlinkat(target, parent.fd, temp);
	} while (made && errno == EEXIST);
	bool ok = made == 0 || fs_fail(err, errno, "link", path);
	if (ok && !rename_over(parent.fd, temp, parent.name)) {
		ok = fs_fail(err, errno, "link", path);
		unlinkat(parent.fd, temp, 0);
	}
	close(parent.fd);
	return ok;
}

bool fs_read_link(int dirfd, const char *path, struct buf *target, struct err *err)
{
	struct fs_parent parent;
	enum fs_found found = fs_parent_open(dirfd, path, &parent, err);
	if (found == FS_ABSENT)
		fs_fail(err, ENOENT, "read the link", path);
	if (found != FS_FOUND)
		return false;
	char bytes[4096];
	ssize_t n = readlinkat(parent.fd, parent.name, bytes, sizeof(bytes));
	int failure = errno;
	close(parent.fd);
	if (n < 0)
		return fs_fail(err, failure, "read the link", path);
	buf_clear(target);
	buf_add(target, (str){bytes, (size_t)n});
	return true;
}

/* One directory whose parents are there; what is there already, as whatever, is left to the caller to find out. */
static bool make_one(int dirfd, const char *path, mode_t mode, struct err *err)
{
	struct fs_parent parent;
	enum fs_found found = fs_parent_open(dirfd, path, &parent, err);
	if (found == FS_ABSENT)
		fs_fail(err, ENOTDIR, "make the directory", path);
	if (found != FS_FOUND)
		return false;
	bool ok = true;
	if (mkdirat(parent.fd, parent.name, mode) == 0)
		ok = fs_sync(parent.fd, path, err);
	else if (errno != EEXIST)
		ok = fs_fail(err, errno, "make the directory", path);
	close(parent.fd);
	return ok;
}

bool fs_make_dirs(int dirfd, const char *path, mode_t mode, struct err *err)
{
	int fd = fs_open_at(dirfd, path, O_PATH | O_DIRECTORY, FS_NO_LINKS);
	if (fd < 0 && errno != ENOENT)
		return fs_fail(err, errno, "make the directory", path);
	bool ok = true;
	struct buf upto = {0};
	size_t len = strlen(path);
	for (size_t at = 0; fd < 0 && ok && at < len;) {
		size_t n = strcspn(path + at, "/");
		buf_clear(&upto);
		buf_add(&upto, (str){path, at + n});
		if (!is_dots(path + at, n))
			ok = make_one(dirfd, buf_cstr(&upto), mode, err);
		at += n + 1;
	}
	buf_finish(&upto);
	if (fd < 0 && ok) {
		fd = fs_open_at(dirfd, path, O_PATH | O_DIRECTORY, FS_NO_LINKS);
		ok = fd >= 0 || fs_fail(err, errno, "make the directory", path);
	}
	fs_close(fd);
	return ok;
}

/* A tree that is being removed: its directories, each before what is in it, by path from `top`. */
struct removal {
	int top;
	const char *what;
	VEC(char *) dirs;
	const char *dir; /* the one that is being emptied */
};

static bool push_dir(struct removal *r, int fd, const char *name, struct err *err)
{
	struct buf path = {0};
	if (strlen(r->dir) + strlen(name) < long_path) {
		buf_printf(&path, "%s/%s", r->dir, name);
	} else {
		/* Too deep to be named: what is left of it goes on at the top. */
		char temp[TEMP_NAME_SIZE];
		random_name(temp);
		if (renameat(fd, name, r->top, temp))
			return fs_fail(err, errno, "remove", r->what);
		buf_printf(&path, "./%s", temp);
	}
	*vec_push(&r->dirs) = buf_take(&path);
	return true;
}

static bool remove_entry(void *ctx, int fd, const char *name, struct err *err)
{
	struct removal *r = ctx;
	if (unlinkat(fd, name, 0) == 0 || errno == ENOENT)
		return true;
	if (errno == EISDIR)
		return push_dir(r, fd, name, err);
	return fs_fail(err, errno, "remove", r->what);
}

/* Whoever owns a tree may remove it, also where its directories are not writable or not readable. */
static int open_to_empty(int top, const char *path)
{
	int fd = fs_open_at(top, path, O_RDONLY | O_DIRECTORY, FS_NO_LINKS);
	if (fd < 0 && errno == EACCES) {
		struct fs_parent parent;
		if (fs_parent_open(top, path, &parent, NULL) == FS_FOUND) {
			int changed = fchmodat(parent.fd, parent.name, 0700, AT_SYMLINK_NOFOLLOW);
			(void)changed; /* opening again tells whether it helped */
			close(parent.fd);
		}
		fd = fs_open_at(top, path, O_RDONLY | O_DIRECTORY, FS_NO_LINKS);
	}
	struct stat st;
	if (fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & 0700) != 0700)
		fchmod(fd, 0700);
	return fd;
}

static bool empty_dir(struct removal *r, size_t i, struct err *err)
{
	r->dir = r->dirs.ptr[i];
	int fd = open_to_empty(r->top, r->dir);
	if (fd < 0)
		return errno == ENOENT || fs_fail(err, errno, "remove", r->what);
	return fs_scan(fd, r->what, remove_entry, r, err);
}

/* Removes what is in the tree; *again where something appeared in it meanwhile. */
static bool empty_tree(struct removal *r, bool *again, struct err *err)
{
	bool ok = true;
	*again = false;
	*vec_push(&r->dirs) = mem_dup(".", 1);
	for (size_t i = 0; ok && i < r->dirs.len; i++)
		ok = empty_dir(r, i, err);
	for (size_t i = r->dirs.len; ok && i-- > 1;) {
		struct fs_parent parent;
		enum fs_found found = fs_parent_open(r->top, r->dirs.ptr[i], &parent, err);
		ok = found != FS_ERROR;
		if (found != FS_FOUND)
			continue;
		if (unlinkat(parent.fd, parent.name, AT_REMOVEDIR) && errno != ENOENT) {
			*again = errno == ENOTEMPTY || errno == EEXIST;
			ok = *again || fs_fail(err, errno, "remove", r->what);
		}
		close(parent.fd);
	}
	for (size_t i = 0; i < r->dirs.len; i++)
		free(r->dirs.ptr[i]);
	vec_finish(&r->dirs);
	return ok;
}

static bool remove_dir(const struct fs_parent *parent, const char *path, struct err *err)
{
	bool again = true;
	struct removal r = {.top = open_to_empty(parent->fd, parent->name), .what = path};
	if (r.top < 0)
		return errno == ENOENT || fs_fail(err, errno, "remove", path);
	bool ok = true;
	for (int tries = 0; ok && again && tries < 3; tries++) {
		ok = empty_tree(&r, &again, err);
		if (ok && !again && unlinkat(parent->fd, parent->name, AT_REMOVEDIR) &&
			errno != ENOENT) {
			again = errno == ENOTEMPTY || errno == EEXIST;
			ok = again || fs_fail(err, errno, "remove", path);
		}
	}
	close(r.top);
	if (ok && again) {
		err_set(err, "E-FS-CHANGING", "cannot remove %s: something goes on writing into it",
			path);
		err_help(err, "end what writes there (`fuser -v %s` shows it), then run again",
			path);
	}
	return ok && !again;
}

bool fs_remove_tree(int dirfd, const char *path, struct err *err)
{
	struct fs_parent parent;
	enum fs_found found = fs_parent_open(dirfd, path, &parent, err);
	if (found != FS_FOUND)
		return found == FS_ABSENT;
	bool ok = true;
	if (unlinkat(parent.fd, parent.name, 0) && errno != ENOENT) {
		ok = errno == EISDIR ? remove_dir(&parent, path, err)
		                     : fs_fail(err, errno, "remove", path);
	}
	close(parent.fd);
	return ok;
}
