/* fs_move: files that go from one place to another, or go.  Nothing here goes through a symlink.  See fs.h. */
#include "base/mem.h"
#include "sys/fs.h"
#include "sys/fs_inner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* A directory that its owner made read-only, opened up for a moment. */
struct opened {
	int fd;
	mode_t mode;
	bool is_changed;
};

static struct opened open_up(int fd)
{
	struct opened opened = {.fd = fd};
	struct stat st;
	if (fstat(fd, &st) == 0 && (st.st_mode & 0300) != 0300) {
		opened.mode = st.st_mode & 07777;
		opened.is_changed = fchmod(fd, opened.mode | 0700) == 0;
	}
	return opened;
}

static void shut_again(const struct opened *opened)
{
	int failure = errno;
	if (opened->is_changed)
		fchmod(opened->fd, opened->mode);
	errno = failure;
}

bool fs_make_parents(int dirfd, const char *path, struct err *err)
{
	struct buf dir = {0};
	bool ok = true;
	for (const char *slash = strchr(path + 1, '/'); ok && slash;
		slash = strchr(slash + 1, '/')) {
		struct fs_parent parent;
		buf_clear(&dir);
		buf_add(&dir, (str){path, (size_t)(slash - path)});
		ok = fs_parent_open(dirfd, buf_cstr(&dir), &parent, err) == FS_FOUND;
		if (!ok)
			break;
		if (mkdirat(parent.fd, parent.name, 0700) && errno != EEXIST)
			ok = fs_fail(err, errno, "make the directory", buf_cstr(&dir));
		close(parent.fd);
	}
	buf_finish(&dir);
	return ok;
}

static bool copy_bytes(int from, int to)
{
	char *bytes = mem_alloc((size_t)64 << 10);
	ssize_t n;
	do {
		n = read(from, bytes, (size_t)64 << 10);
		for (ssize_t at = 0; at < n;) {
			ssize_t put = write(to, bytes + at, (size_t)(n - at));
			if (put < 0 && errno != EINTR)
				n = -1;
			at += put > 0 ? put : 0;
		}
	} while (n > 0 || (n < 0 && errno == EINTR));
	free(bytes);
	return n == 0;
}

/* To another file system: whole, then the other one goes. */
static bool copy_over(const struct fs_parent *from, const struct fs_parent *to)
{
	struct stat st;
	char target[4096];
	if (fstatat(from->fd, from->name, &st, AT_SYMLINK_NOFOLLOW))
		return false;
	if (S_ISLNK(st.st_mode)) {
		ssize_t n = readlinkat(from->fd, from->name, target, sizeof(target) - 1);
		if (n < 0)
			return false;
		target[n] = '\0';
		return symlinkat(target, to->fd, to->name) == 0;
	}
	int in = openat(from->fd, from->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	int out = in < 0 ? -1
	                 : openat(to->fd, to->name,
				   O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	const struct timespec times[] = {st.st_atim, st.st_mtim};
	bool ok = out >= 0 && S_ISREG(st.st_mode) && copy_bytes(in, out) &&
	          fchmod(out, st.st_mode & 07777) == 0 && fsync(out) == 0;
	if (ok)
		futimens(out, times);
	int failure = errno;
	fs_close(in);
	fs_close(out);
	if (!ok && out >= 0)
		unlinkat(to->fd, to->name, 0);
	errno = failure;
	return ok;
}

static enum fs_found move_between(
	const struct fs_parent *from, const struct fs_parent *to, const char *path, struct err *err)
{
	fs_step("before rename");
	int moved = renameat2(from->fd, from->name, to->fd, to->name, RENAME_NOREPLACE);
	/* Where a file system knows no such flag. */
	if (moved && errno == EINVAL && faccessat(to->fd, to->name, F_OK, AT_SYMLINK_NOFOLLOW))
		moved = renameat(from->fd, from->name, to->fd, to->name);
	if (moved && errno == EXDEV && copy_over(from, to))
		moved = unlinkat(from->fd, from->name, 0);
	if (moved && (errno == EEXIST || fs_is_absent(errno)))
		return FS_ABSENT;
	if (moved)
		return fs_fail_found(err, errno, "move", path);
	fs_step("after rename");
	return FS_FOUND;
}

enum fs_found fs_move(int from_dir, const char *from, int to_dir, const char *to, struct err *err)
{
	struct fs_parent source;
	struct fs_parent target = {.fd = -1};
	enum fs_found found = fs_parent_open(from_dir, from, &source, err);
	if (found != FS_FOUND)
		return found;
	found = fs_parent_open(to_dir, to, &target, NULL);
	if (found == FS_ABSENT)
		found = fs_make_parents(to_dir, to, err) ? fs_parent_open(to_dir, to, &target, err)
		                                         : FS_ERROR;
	else if (found == FS_ERROR)
		found = fs_parent_open(to_dir, to, &target, err);
	if (found == FS_FOUND) {
		struct opened opened[] = {open_up(source.fd), open_up(target.fd)};
		found = move_between(&source, &target, from, err);
		shut_again(&opened[0]);
		shut_again(&opened[1]);
	}
	fs_close(source.fd);
	fs_close(target.fd);
	return found;
}

bool fs_remove_one(int dirfd, const char *path)
{
	struct fs_parent parent;
	if (fs_parent_open(dirfd, path, &parent, NULL) != FS_FOUND)
		return false;
	struct opened opened = open_up(parent.fd);
	bool ok = unlinkat(parent.fd, parent.name, 0) == 0 ||
	          (errno == EISDIR && unlinkat(parent.fd, parent.name, AT_REMOVEDIR) == 0);
	shut_again(&opened);
	close(parent.fd);
	return ok;
}

bool fs_set_mode(int dirfd, const char *path, mode_t mode, struct err *err)
{
	int fd = fs_open_at(dirfd, path, O_RDONLY | O_DIRECTORY, FS_NO_LINKS);
	struct fs_parent parent;
	bool ok = fd >= 0 && fchmod(fd, mode) == 0;
	/* One that may not be read can't be opened; its name can be trusted as far as its parent. */
	if (fd < 0 && errno == EACCES && fs_parent_open(dirfd, path, &parent, NULL) == FS_FOUND) {
		ok = fchmodat(parent.fd, parent.name, mode, 0) == 0;
		close(parent.fd);
	}
	int failure = errno;
	fs_close(fd);
	return ok || fs_fail(err, failure, "set the mode of", path);
}

bool fs_append(int dirfd, const char *path, str bytes, struct err *err)
{
	struct fs_parent parent;
	enum fs_found found = fs_parent_open(dirfd, path, &parent, err);
	if (found == FS_ABSENT)
		found = fs_make_parents(dirfd, path, err)
		                ? fs_parent_open(dirfd, path, &parent, err)
		                : FS_ERROR;
	if (found != FS_FOUND)
		return false;
	int fd = openat(parent.fd, parent.name,
		O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	ssize_t put = fd < 0 ? -1 : write(fd, bytes.ptr, bytes.len);
	bool ok =
		put == (ssize_t)bytes.len || fs_fail(err, put < 0 ? errno : ENOSPC, "write", path);
	fs_close(fd);
	close(parent.fd);
	return ok;
}
