/* cas_writer: streams into a blob and out of one.  What stays small never touches a file. */
#include "store/cas.h"

#include "base/mem.h"
#include "store/cas_inner.h"
#include "sys/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WRITE_CHUNK ((size_t)64 << 10)

struct cas_writer {
	struct store *store;
	struct hash *hash;
	struct buf buf; /* not yet in the file */
	uint64_t size;
	int fd; /* -1 while everything is in buf */
	char name[33];
	bool is_shown;     /* all is in the file at once; what is small stays in buf too */
	size_t shown_size; /* how much of buf is in the file then */
	struct err failed; /* the first error: nothing is taken after it */
};

struct cas_writer *cas_writer_create(struct store *store)
{
	struct cas_writer *writer = mem_zalloc(sizeof(*writer));
	writer->store = store;
	writer->fd = -1;
	writer->hash = hash_create();
	hash_begin(writer->hash);
	return writer;
}

void cas_writer_destroy(struct cas_writer *writer)
{
	if (!writer) {
		return;
	}
	if (writer->fd >= 0) {
		unlinkat(writer->store->tmp_fd, writer->name, 0);
		close(writer->fd);
	}
	hash_destroy(writer->hash);
	buf_finish(&writer->buf);
	err_finish(&writer->failed);
	free(writer);
}

static bool write_all(int fd, str bytes)
{
	while (bytes.len > 0) {
		ssize_t n = write(fd, bytes.ptr, bytes.len);
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n <= 0) {
			return false;
		}
		bytes = str_slice(bytes, (size_t)n, bytes.len);
	}
	return true;
}

static bool spill(struct cas_writer *writer, str bytes)
{
	if (writer->fd < 0) {
		writer->fd = cas_tmp_create(writer->store, writer->name, &writer->failed);
	}
	if (writer->fd < 0) {
		return false;
	}
	if (write_all(writer->fd, bytes)) {
		return true;
	}
	bool full = errno == ENOSPC || errno == EDQUOT;
	err_sys(&writer->failed, errno, full ? "E-STORE-FULL" : "E-STORE-SYS", "writing %s/tmp/%s",
		writer->store->state, writer->name);
	return full ? err_help(&writer->failed, "make room, or run: pawl gc --max-size 1G") : false;
}

static bool report(const struct cas_writer *writer, struct err *err)
{
	err_set(err, writer->failed.code, "%s", writer->failed.message);
	return writer->failed.help ? err_help(err, "%s", writer->failed.help) : false;
}

/* What is shown and might still turn out to be small is in the file and in buf. */
static bool show_rest(struct cas_writer *writer)
{
	str rest = str_slice(buf_str(&writer->buf), writer->shown_size, writer->buf.len);
	if (!spill(writer, rest)) {
		return false;
	}
	writer->shown_size = writer->buf.len;
	if (writer->size > CAS_INLINE) {
		buf_clear(&writer->buf);
		writer->shown_size = 0;
	}
	return true;
}

const char *cas_writer_show(struct cas_writer *writer)
{
	if (err_is_set(&writer->failed)) {
		return NULL;
	}
	writer->is_shown = true;
	return show_rest(writer) ? writer->name : NULL;
}

bool cas_writer_add(struct cas_writer *writer, str bytes, struct err *err)
{
	if (err_is_set(&writer->failed)) {
		return report(writer, err);
	}
	hash_add(writer->hash, bytes);
	writer->size += bytes.len;
	if (writer->is_shown) {
		buf_add(&writer->buf, bytes);
		return show_rest(writer) || report(writer, err);
	}
	if (writer->size <= CAS_INLINE ||
		(writer->fd >= 0 && writer->buf.len + bytes.len < WRITE_CHUNK)) {
		buf_add(&writer->buf, bytes);
		return true;
	}
	if (!spill(writer, buf_str(&writer->buf)) || !spill(writer, bytes)) {
		return report(writer, err);
	}
	buf_clear(&writer->buf);
	return true;
}

uint64_t cas_writer_size(const struct cas_writer *writer)
{
	return writer->size;
}

void cas_writer_tail(struct cas_writer *writer, size_t n, struct buf *out)
{
	size_t from_buf = n < writer->buf.len ? n : writer->buf.len;
	/* What is shown and small is in both. */
	uint64_t in_file = writer->size - writer->buf.len;
	size_t from_file = n - from_buf < in_file ? n - from_buf : (size_t)in_file;
	if (writer->fd < 0) {
		from_file = 0;
	}
	buf_reserve(out, from_file + from_buf);
	uint64_t at = in_file - from_file;
	while (from_file > 0) {
		char chunk[4096];
		ssize_t got = pread(writer->fd, chunk,
			from_file < sizeof(chunk) ? from_file : sizeof(chunk), (off_t)at);
		if (got <= 0) {
			break;
		}
		buf_add(out, str_make(chunk, (size_t)got));
		at += (uint64_t)got;
		from_file -= (size_t)got;
	}
	buf_add(out, str_slice(buf_str(&writer->buf), writer->buf.len - from_buf, writer->buf.len));
}

bool cas_writer_commit(
	struct cas_writer *writer, struct digest *out, uint64_t *size, struct err *err)
{
	bool ok = !err_is_set(&writer->failed) || report(writer, err);
	if (ok) {
		*out = hash_end(writer->hash);
		*size = writer->size;
		if (writer->size <= CAS_INLINE) {
			ok = cas_put_inline(writer->store, buf_str(&writer->buf), out, err);
		} else if (!spill(writer, buf_str(&writer->buf))) {
			ok = report(writer, err);
		} else {
			struct cas_pending pending = {
				.digest = *out, .size = writer->size, .fd = writer->fd};
			memcpy(pending.name, writer->name, sizeof(pending.name));
			writer->fd = -1;
			ok = cas_put_tmp(writer->store, pending, err);
		}
	}
	cas_writer_destroy(writer);
	return ok;
}

bool cas_put_file(struct store *store, int dirfd, const char *path, struct digest *out,
	uint64_t *size, struct err *err)
{
	int fd = fs_open_beneath(dirfd, path, err);
	if (fd < 0) {
		return false;
	}
	struct cas_writer *writer = cas_writer_create(store);
	char *chunk = mem_alloc(2 * WRITE_CHUNK);
	bool ok = true;
	while (ok) {
		ssize_t n = read(fd, chunk, 2 * WRITE_CHUNK);
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0) {
			ok = err_sys(err, errno, "E-STORE-SYS", "reading %s", path);
		}
		if (n <= 0) {
			break;
		}
		ok = cas_writer_add(writer, str_make(chunk, (size_t)n), err);
	}
	free(chunk);
	close(fd);
	if (!ok) {
		cas_writer_destroy(writer);
		return false;
	}
	return cas_writer_commit(writer, out, size, err);
}

/* The directory of `path` beneath dirfd, through no symlink; *name is the last part. */
static int open_parent(int dirfd, const char *path, const char **name, struct err *err)
{
	const char *slash = strrchr(path, '/');
	*name = slash ? slash + 1 : path;
	char *parent = slash ? mem_dup(path, (size_t)(slash - path)) : mem_dup(".", 1);
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	int fd = -1;
	if (!slash || fs_make_dirs(dirfd, parent, 0755, err)) {
		fd = (int)syscall(SYS_openat2, dirfd, parent, &how, sizeof(how));
		if (fd < 0) {
			err_sys(err, errno, "E-STORE-RESTORE", "opening the directory of %s", path);
		}
	}
	free(parent);
	return fd;
}

static bool sink_write(void *arg, str piece, struct err *err)
{
	return write_all(*(const int *)arg, piece) ||
	       err_sys(err, errno,
		       errno == ENOSPC || errno == EDQUOT ? "E-STORE-FULL" : "E-STORE-RESTORE",
		       "writing it");
}

/* A file that has no name yet, where it is to be: it gets its group and rights from that directory, and is gone if we die.
 * Where the file system has no such thing: one with a name, `stage`. */
static int open_stage(int parent, const char *stage, bool *has_name)
{
	int fd = openat(parent, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);
	*has_name = fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL);
	if (*has_name) {
		fd = openat(
			parent, stage, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	}
	return fd;
}

/* By way of a directory where a name that is left by the dead harms nobody. */
static bool name_by_way_of(int by, int fd, const char *stage, int parent, const char *name)
{
	char self[40];
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, self, by, stage, AT_SYMLINK_FOLLOW) != 0) {
		return false;
	}
	if (renameat(by, stage, parent, name) == 0) {
		return true;
	}
	int number = errno;
	unlinkat(by, stage, 0);
	errno = number;
	return false;
}

static bool give_name(struct store *store, int fd, const char *stage, int parent, const char *name)
{
	char self[40];
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, self, parent, name, AT_SYMLINK_FOLLOW) == 0) {
		return true;
	}
	if (errno != EEXIST) {
		return false;
	}
	/* In tmp/ without the dot, so that it is swept.  The project may lie on several file systems. */
	return (store->tmp_fd >= 0 && name_by_way_of(store->tmp_fd, fd, stage + 1, parent, name)) ||
	       name_by_way_of(parent, fd, stage, parent, name);
}

static bool fill_stage(
	struct store *store, const struct digest *digest, int fd, uint32_t mode, struct err *err)
{
	return cas_read(store, digest, (struct cas_sink){sink_write, &fd}, err) &&
	       (fchmod(fd, mode & 07777) == 0 ||
		       err_sys(err, errno, "E-STORE-RESTORE", "setting its permissions"));
}

bool cas_restore(struct store *store, const struct digest *digest, int dirfd, const char *path,
	uint32_t mode, struct err *err)
{
	const char *name;
	int parent = open_parent(dirfd, path, &name, err);
	if (parent < 0) {
		return false;
	}
	unsigned char random[8];
	hash_random(random, sizeof(random));
	struct buf stage = {0};
	buf_add_z(&stage, ".pawl-");
	buf_add_hex(&stage, random, sizeof(random));
	bool has_name;
	int fd = open_stage(parent, buf_cstr(&stage), &has_name);
	bool ok = fd >= 0 ||
	          err_sys(err, errno, "E-STORE-RESTORE", "making a file beside %s", path) ||
	          err_help(err, "make its directory writable, or name another one");
	if (ok) {
		ok = fill_stage(store, digest, fd, mode, err) ||
		     err_wrap(err, "restoring %s", path);
		if (ok && (has_name ? renameat(parent, buf_cstr(&stage), parent, name) != 0
				    : !give_name(store, fd, buf_cstr(&stage), parent, name))) {
			ok = err_sys(err, errno, "E-STORE-RESTORE", "restoring %s", path);
		}
		close(fd);
		if (!ok && has_name) {
			unlinkat(parent, buf_cstr(&stage), 0);
		}
	}
	buf_finish(&stage);
	close(parent);
	return ok;
}
