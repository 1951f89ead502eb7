/* cas_file: the blobs that are files.  A new one is a locked temporary file until the next flush makes it durable under
 * its name.  It knows paths and descriptors; which blobs there are is told by the table in cas.c. */
#include "base/mem.h"
#include "store/stmt.h"
#include "sys/clock.h"
#include "sys/fs.h"
#include "sys/limits.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PENDING_MAX 64
#define TMP_AGE_S   3600

void cas_file_name(const struct digest *digest, char name[66])
{
	static const char digits[] = "0123456789abcdef";
	size_t at = 0;
	for (size_t i = 0; i < DIGEST_SIZE; i++) {
		name[at++] = digits[digest->bytes[i] >> 4];
		name[at++] = digits[digest->bytes[i] & 15];
		if (i == 0) {
			name[at++] = '/';
		}
	}
	name[at] = '\0';
}

static bool file_err(
	struct err *err, int number, const char *doing, const char *dir, const char *name)
{
	bool full = number == ENOSPC || number == EDQUOT;
	err_sys(err, number, full ? "E-STORE-FULL" : "E-STORE-SYS", "%s %s/%s", doing, dir, name);
	return full ? err_help(err, "make room, or run: pawl gc --max-size 1G") : false;
}

int cas_tmp_create(struct store *store, char name[33], struct err *err)
{
	unsigned char random[16];
	hash_random(random, sizeof(random));
	struct buf hex = {0};
	buf_add_hex(&hex, random, sizeof(random));
	memcpy(name, buf_cstr(&hex), 33);
	buf_finish(&hex);
	int fd = store->tmp_fd < 0
	                 ? -1
	                 : openat(store->tmp_fd, name,
				   O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		file_err(err, store->tmp_fd < 0 ? EROFS : errno, "making", store->state, "tmp/");
		return -1;
	}
	/* The lock tells cas_sweep_tmp that somebody still writes, however long nothing comes. */
	flock(fd, LOCK_EX | LOCK_NB);
	return fd;
}

static struct cas_pending *pending_find(struct store *store, const struct digest *digest)
{
	/* The newest: one before it was found damaged. */
	for (size_t i = store->pending.len; i-- > 0;) {
		if (digest_eq(&store->pending.ptr[i].digest, digest)) {
			return &store->pending.ptr[i];
		}
	}
	return NULL;
}

bool cas_file_keep(struct store *store, struct cas_pending pending, struct err *err)
{
	*vec_push(&store->pending) = pending;
	/* Descriptors are scarce: beyond a few dozen the fsync comes early. */
	return store->pending.len < limits_kept_files(PENDING_MAX) || cas_settle(store, err);
}

/* One file: durable content, then its name. */
static bool settle_one(struct store *store, struct cas_pending *pending, struct err *err)
{
	char name[66];
	cas_file_name(&pending->digest, name);
	if (fchmod(pending->fd, 0400) != 0) {
		return file_err(err, errno, "closing to others", store->state, pending->name);
	}
	if (!fs_sync(pending->fd, store->state, err)) {
		return false;
	}
	char dir[3] = {name[0], name[1], '\0'};
	if (mkdirat(store->blobs_fd, dir, 0700) == 0) {
		store->blobs_to_sync = true;
		if (fchmodat(store->blobs_fd, dir, 0700, 0) != 0) {
			return file_err(err, errno, "opening to the owner", store->state, dir);
		}
	} else if (errno != EEXIST) {
		return file_err(err, errno, "making", store->state, dir);
	}
	fs_step("blob: before rename");
	if (renameat(store->tmp_fd, pending->name, store->blobs_fd, name) != 0) {
		return file_err(err, errno, "naming blob", store->state, name);
	}
	fs_step("blob: after rename");
	store->dirs_to_sync[pending->digest.bytes[0]] = 1;
	close(pending->fd);
	pending->fd = -1;
	return true;
}

static bool sync_dirs(struct store *store, struct err *err)
{
	for (unsigned i = 0; i < 256; i++) {
		if (!store->dirs_to_sync[i]) {
			continue;
		}
		char name[3];
		snprintf(name, sizeof(name), "%02x", i);
		int fd = openat(
			store->blobs_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (fd < 0) {
			return file_err(err, errno, "opening", store->state, name);
		}
		bool ok = fs_sync(fd, store->state, err);
		close(fd);
		if (!ok) {
			return false;
		}
		store->dirs_to_sync[i] = 0;
	}
	if (store->blobs_to_sync) {
		if (!fs_sync(store->blobs_fd, store->state, err)) {
			return false;
		}
		store->blobs_to_sync = false;
	}
	return true;
}

bool cas_settle(struct store *store, struct err *err)
{
	if (store->pending.len == 0) {
		return true;
	}
	for (size_t i = 0; i < store->pending.len; i++) {
		if (!settle_one(store, &store->pending.ptr[i], err)) {
			return false;
		}
	}
	store->pending.len = 0;
	return sync_dirs(store, err);
}

void cas_abandon(struct store *store)
{
	for (size_t i = 0; i < store->pending.len; i++) {
		struct cas_pending *pending = &store->pending.ptr[i];
		if (pending->fd >= 0) {
			unlinkat(store->tmp_fd, pending->name, 0);
			close(pending->fd);
		}
	}
	store->pending.len = 0;
	store->doomed.len = 0;
}

int cas_file_open(struct store *store, const struct digest *digest, uint64_t *size)
{
	struct cas_pending *pending = pending_find(store, digest);
	char name[66];
	cas_file_name(digest, name);
	int fd = -1;
	errno = ENOENT;
	if (pending) {
		/* A description of its own: the offset of the writer's is not touched. */
		fd = openat(store->tmp_fd, pending->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	} else if (store->blobs_fd >= 0) {
		fd = openat(store->blobs_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	}
	struct stat st;
	if (fd >= 0 && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))) {
		close(fd);
		errno = ENOENT;
		return -1;
	}
	*size = fd >= 0 ? (uint64_t)st.st_size : 0;
	return fd;
}

void cas_sweep_tmp(struct store *store)
{
	int fd = openat(store->tmp_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	if (!dir) {
		if (fd >= 0) {
			close(fd);
		}
		return;
	}
	int64_t now_s = clock_wall_ms() / 1000;
	for (struct dirent *entry; (entry = readdir(dir));) {
		struct stat st;
		if (entry->d_name[0] == '.' ||
			fstatat(store->tmp_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
			!S_ISREG(st.st_mode) || now_s - st.st_mtime < TMP_AGE_S) {
			continue;
		}
		int file = openat(store->tmp_fd, entry->d_name,
			O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
		if (file >= 0) {
			if (flock(file, LOCK_EX | LOCK_NB) == 0) {
				unlinkat(store->tmp_fd, entry->d_name, 0);
			}
			close(file);
		}
	}
	closedir(dir);
}
