/* fs: opening, looking at and reading files.  Everything goes through one openat2 that stays beneath a directory; what
 * is not a regular file is never read.  Writing is in fs_write.c, listing in fs_tree.c and fs_glob.c.  See fs.h. */
#include "sys/fs.h"

#include "base/mem.h"
#include "sys/fs_inner.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static const size_t chunk_size = 64 * 1024;

int fs_open_at(int dirfd, const char *path, int flags, enum fs_links links)
{
	struct open_how how = {.flags = (unsigned)(flags | O_CLOEXEC)};
	if (dirfd != AT_FDCWD || path[0] != '/') {
		how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
		if (links == FS_NO_LINKS)
			how.resolve |= RESOLVE_NO_SYMLINKS;
	}
	/* EAGAIN: something was renamed while ".." was resolved, and the kernel could not tell whether the path
	 * stayed inside. */
	long fd = -1;
	for (int tries = 0; tries < 100; tries++) {
		fd = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
		if (fd >= 0 || (errno != EINTR && errno != EAGAIN))
			break;
	}
	return (int)fd;
}

bool fs_is_absent(int number)
{
	return number == ENOENT || number == ENOTDIR;
}

bool fs_fail(struct err *err, int number, const char *verb, const char *path)
{
	switch (number) {
	case ENOENT:
	case ENOTDIR: return err_sys(err, number, "E-FS-MISSING", "cannot %s %s", verb, path);
	case EXDEV:
		err_set(err, "E-FS-OUTSIDE",
			"cannot %s %s: it leads out of the directory it must stay in", verb, path);
		return err_help(err, "name a path inside it; a symlink on the way must be relative "
				     "and stay inside");
	case ELOOP:
		err_set(err, "E-FS-LINK", "cannot %s %s: a symlink on the way may not be followed",
			verb, path);
		return err_help(err, "name the file or directory that the symlink leads to");
	case EACCES:
	case EPERM:
		err_sys(err, number, "E-FS-DENIED", "cannot %s %s", verb, path);
		return err_help(err, "chmod or chown it; directories on the way count too");
	case EROFS:
		err_sys(err, number, "E-FS-READONLY", "cannot %s %s", verb, path);
		return err_help(err, "mount it writable, or work elsewhere");
	case ENAMETOOLONG:
		err_sys(err, number, "E-FS-NAME", "cannot %s %s", verb, path);
		return err_help(err, "a name has at most 255 bytes, a path 4095");
	case ENOSPC:
	case EDQUOT:
		err_sys(err, number, "E-FS-FULL", "cannot %s %s", verb, path);
		return err_help(err,
			"free space there (`df -h` and `df -i` show it) and run again; "
			"what was finished is kept");
	case EFBIG:
		err_sys(err, number, "E-FS-FULL", "cannot %s %s", verb, path);
		return err_help(err, "raise the limit of file sizes: `ulimit -f unlimited`");
	case EMFILE:
	case ENFILE:
		err_sys(err, number, "E-FS-HANDLES", "cannot %s %s", verb, path);
		return err_help(err, "raise the limit of open files: `ulimit -n 4096`");
	case ENOSYS:
		err_set(err, "E-FS-KERNEL", "cannot %s %s: this kernel has no openat2", verb, path);
		return err_help(err,
			"Linux 5.6 or newer is needed, and a container that lets openat2 "
			"through");
	default:
		err_sys(err, number, "E-FS-IO", "cannot %s %s", verb, path);
		return err_help(err, "the disk or its file system may have a fault: see `dmesg`");
	}
}

enum fs_found fs_fail_found(struct err *err, int number, const char *verb, const char *path)
{
	if (fs_is_absent(number))
		return FS_ABSENT;
	fs_fail(err, number, verb, path);
	return FS_ERROR;
}

static int64_t to_ns(struct timespec t)
{
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

struct fs_stat fs_stat_from(const struct stat *from)
{
	return (struct fs_stat){.dev = from->st_dev,
		.ino = from->st_ino,
		.size = (uint64_t)from->st_size,
		.mtime_ns = to_ns(from->st_mtim),
		.ctime_ns = to_ns(from->st_ctim),
		.mode = from->st_mode};
}

void fs_close(int fd)
{
	int number = errno;
	if (fd >= 0)
		close(fd);
	errno = number;
}

/* A name that has no directory in it can't lead out unless it is a symlink, "..", or absolute; and there is nothing that a
 * path from the root could lead out of.  One system call does then; false where it takes more. */
static bool stat_quickly(int dirfd, const char *path, bool follow, struct stat *st, int *number)
{
	if (dirfd == AT_FDCWD && path[0] == '/') {
		*number = fstatat(dirfd, path, st, follow ? 0 : AT_SYMLINK_NOFOLLOW) ? errno : 0;
		return true;
	}
	if (strchr(path, '/') || strcmp(path, "..") == 0)
		return false;
	*number = fstatat(dirfd, path, st, AT_SYMLINK_NOFOLLOW) ? errno : 0;
	return *number == ENOENT || (*number == 0 && !(follow && S_ISLNK(st->st_mode)));
}

static enum fs_found stat_at(
	int dirfd, const char *path, bool follow, struct fs_stat *out, struct err *err)
{
	struct stat st;
	int number = 0;
	if (!stat_quickly(dirfd, path, follow, &st, &number)) {
		int fd = fs_open_at(
			dirfd, path, O_PATH | (follow ? 0 : O_NOFOLLOW), FS_FOLLOW_INSIDE);
		number = fd < 0 || fstat(fd, &st) ? errno : 0;
		fs_close(fd);
	}
	if (number)
		return fs_fail_found(err, number, "look at", path);
	*out = fs_stat_from(&st);
	return FS_FOUND;
}

enum fs_found fs_stat_at(int dirfd, const char *path, struct fs_stat *out, struct err *err)
{
	return stat_at(dirfd, path, true, out, err);
}

bool fs_real_at(int dirfd, const char *path, struct buf *out)
{
	struct buf whole = {0};
	if (path[0] != '/')
		buf_printf(&whole, "/proc/self/fd/%d/", dirfd);
	buf_add_z(&whole, path);
	char *real = realpath(buf_cstr(&whole), NULL);
	if (real)
		buf_add_z(out, real);
	free(real);
	buf_finish(&whole);
	return real != NULL;
}

enum fs_found fs_lstat_at(int dirfd, const char *path, struct fs_stat *out, struct err *err)
{
	return stat_at(dirfd, path, false, out, err);
}

int fs_open_dir(const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		fs_fail(err, errno, "open the directory", path);
	return fd;
}

static const char *kind_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR: return "a directory";
	case S_IFIFO: return "a named pipe";
	case S_IFSOCK: return "a socket";
	case S_IFCHR:
	case S_IFBLK: return "a device";
	default: return "something else";
	}
}

/* O_NONBLOCK: a named pipe without a writer would hold the program for ever. */
static enum fs_found open_regular(
	int dirfd, const char *path, int *out, struct stat *st, struct err *err)
{
	int fd = fs_open_at(dirfd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, FS_FOLLOW_INSIDE);
	if (fd < 0 && (errno == ENXIO || errno == ENODEV)) {
		err_set(err, "E-FS-NOT-FILE", "%s is not a regular file but a socket or a device",
			path);
		err_help(err, "name a regular file");
		return FS_ERROR;
	}
	if (fd < 0 || fstat(fd, st)) {
		fs_close(fd);
		return fs_fail_found(err, errno, "read", path);
	}
	if (!S_ISREG(st->st_mode)) {
		close(fd);
		err_set(err, "E-FS-NOT-FILE", "%s is not a regular file but %s", path,
			kind_of(st->st_mode));
		err_help(err, "name a regular file");
		return FS_ERROR;
	}
	*out = fd;
	return FS_FOUND;
}

int fs_open_beneath(int dirfd, const char *path, struct err *err)
{
	int fd = -1;
	struct stat st;
	if (open_regular(dirfd, path, &fd, &st, err) == FS_ABSENT)
		fs_fail(err, ENOENT, "read", path);
	return fd;
}

static ssize_t read_some(int fd, char *out, size_t room)
{
	ssize_t got;
	do
		got = read(fd, out, room);
	while (got < 0 && errno == EINTR);
	return got;
}

/* Digests to the end of the file.  One that fits into a chunk, as most do, needs no context of its own, and no second
 * read: that it did not grow is what fstat says afterwards. */
static bool digest_fd(int fd, uint64_t size, struct digest *out, uint64_t *total)
{
	char *chunk = mem_alloc(chunk_size);
	struct hash *hash = NULL;
	ssize_t got = read_some(fd, chunk, chunk_size);
	*total = got > 0 ? (uint64_t)got : 0;
	if (got >= 0 && *total == size && size < chunk_size) {
		*out = hash_of((str){chunk, (size_t)got});
		free(chunk);
		return true;
	}
	hash = hash_create();
	hash_begin(hash);
	while (got > 0) {
		hash_add(hash, (str){chunk, (size_t)got});
		got = read_some(fd, chunk, chunk_size);
		*total += got > 0 ? (uint64_t)got : 0;
	}
	int number = errno;
	*out = hash_end(hash);
	hash_destroy(hash);
	free(chunk);
	errno = number;
	return got == 0;
}

static bool is_same_stat(const struct fs_stat *a, const struct fs_stat *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	       a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns && a->mode == b->mode;
}

enum fs_found fs_digest_at(
	int dirfd, const char *path, struct digest *out, struct fs_stat *stat, struct err *err)
{
	int fd = -1;
	struct stat st;
	enum fs_found found = open_regular(dirfd, path, &fd, &st, err);
	if (found != FS_FOUND)
		return found;
	struct fs_stat before = fs_stat_from(&st);
	uint64_t total = 0;
	bool ok = digest_fd(fd, before.size, out, &total) && fstat(fd, &st) == 0;
	fs_close(fd);
	if (!ok) {
		fs_fail(err, errno, "read", path);
		return FS_ERROR;
	}
	*stat = fs_stat_from(&st);
	if (total != before.size || !is_same_stat(&before, stat)) {
		err_set(err, "E-FS-CHANGING", "%s changed while it was read", path);
		err_help(err, "let what writes it finish first, then run again");
		return FS_ERROR;
	}
	return FS_FOUND;
}

static bool too_large(struct err *err, const char *path, size_t limit)
{
	err_set(err, "E-FS-TOO-LARGE",
		"%s is larger than the %zu bytes that are read of such a file", path, limit);
	return err_help(err, "make it smaller");
}

bool fs_read_file(int dirfd, const char *path, size_t limit, struct buf *out, struct err *err)
{
	buf_clear(out);
	struct stat st;
	int fd = -1;
	enum fs_found found = open_regular(dirfd, path, &fd, &st, err);
	if (found == FS_ABSENT)
		return fs_fail(err, ENOENT, "read", path);
	if (found != FS_FOUND)
		return false;
	bool ok = (uint64_t)st.st_size <= limit || too_large(err, path, limit);
	/* Files of /proc say that they are empty: what read gives decides, not the size. */
	size_t room = (size_t)st.st_size + 1;
	while (ok) {
		buf_reserve(out, room);
		ssize_t got = read_some(fd, out->ptr + out->len, room);
		if (got < 0)
			ok = fs_fail(err, errno, "read", path);
		if (got <= 0)
			break;
		out->len += (size_t)got;
		if (out->len > limit)
			ok = too_large(err, path, limit);
		room = chunk_size;
	}
	close(fd);
	if (!ok)
		out->len = 0;
	buf_cstr(out);
	out->ptr[out->len] = '\0';
	return ok;
}

bool fs_normalize(str path, struct buf *out)
{
	buf_clear(out);
	if (str_starts(path, STR("/")) || str_find_char(path, '\0', 0) != SIZE_MAX)
		return false;
	str part;
	while (str_split(&path, '/', &part)) {
		if (!part.len || str_is(part, "."))
			continue;
		if (!str_is(part, "..")) {
			if (out->len)
				buf_add_char(out, '/');
			buf_add(out, part);
			continue;
		}
		if (!out->len)
			return false;
		const char *slash = memrchr(out->ptr, '/', out->len);
		out->len = slash ? (size_t)(slash - out->ptr) : 0;
		out->ptr[out->len] = '\0';
	}
	if (!out->len)
		buf_add_char(out, '.');
	return true;
}
