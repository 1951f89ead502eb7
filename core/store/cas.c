/* cas: the table of blobs.  Small ones are in it, large ones are files (cas_file.c).  It knows bytes and digests, not
 * what they mean. */
#include "store/cas.h"

#include "base/mem.h"
#include "store/cas_inner.h"
#include "store/stmt.h"
#include "sys/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK ((size_t)128 << 10)

/* What the table says of a blob. */
struct entry {
	bool found;
	bool is_file;
	uint64_t size;
	int64_t seq;
};

static bool find(
	struct store *store, const struct digest *digest, struct entry *out, struct err *err)
{
	*out = (struct entry){0};
	sqlite3_stmt *st = stmt_get(store, STMT_BLOB_FIND,
		"SELECT size, seq, data IS NULL FROM blob WHERE digest = ?1", err);
	if (!st) {
		return false;
	}
	stmt_digest(st, 1, digest);
	int got = stmt_row(store, st, err);
	if (got == 1) {
		out->found = true;
		out->size = (uint64_t)sqlite3_column_int64(st, 0);
		out->seq = sqlite3_column_int64(st, 1);
		out->is_file = sqlite3_column_int(st, 2) != 0;
		stmt_done(st);
	}
	return got >= 0;
}

static bool newest_seq(struct store *store, int64_t *out, struct err *err)
{
	sqlite3_stmt *st = stmt_get(store, STMT_BLOB_SEQ, "SELECT max(seq) FROM blob", err);
	return st && stmt_one(store, st, 0, out, err);
}

bool cas_mark(struct store *store, int64_t *out, struct err *err)
{
	bool ok = store->blob_mark >= 0 || newest_seq(store, &store->blob_mark, err);
	*out = store->blob_mark;
	return ok;
}

/* So that gc in another process sees that it is in use, before any row names it. */
static bool touch(struct store *store, const struct digest *digest, struct err *err)
{
	sqlite3_stmt *st = stmt_get(store, STMT_BLOB_TOUCH,
		"UPDATE blob SET seq = (SELECT max(seq) FROM blob) + 1 WHERE digest = ?1", err);
	if (!st) {
		return false;
	}
	stmt_digest(st, 1, digest);
	return stmt_run(store, st, err);
}

static bool insert(struct store *store, const struct digest *digest, uint64_t size, const str *data,
	struct err *err)
{
	sqlite3_stmt *st = stmt_get(store, STMT_BLOB_ADD,
		"INSERT INTO blob (digest, size, seq, data) VALUES (?1, ?2, ifnull((SELECT max(seq) FROM blob), 0) + 1, ?3)"
		" ON CONFLICT (digest) DO UPDATE SET size = excluded.size, seq = excluded.seq, data = excluded.data",
		err);
	if (!st) {
		return false;
	}
	stmt_digest(st, 1, digest);
	stmt_int(st, 2, (int64_t)size);
	if (data) {
		stmt_blob(st, 3, *data);
	} else {
		sqlite3_bind_null(st, 3);
	}
	return stmt_run(store, st, err);
}

/* Whether the blob is there already, as far as a look tells; then it is marked as used. */
static bool is_stored(
	struct store *store, const struct digest *digest, uint64_t size, bool *out, struct err *err)
{
	int64_t mark;
	struct entry entry;
	*out = false;
	if (!cas_mark(store, &mark, err) || !find(store, digest, &entry, err)) {
		return false;
	}
	if (!entry.found || entry.size != size) {
		return true;
	}
	if (entry.is_file) {
		uint64_t on_disk;
		int fd = cas_file_open(store, digest, &on_disk);
		if (fd < 0) {
			return true;
		}
		close(fd);
		if (on_disk != size) {
			return true;
		}
	}
	if (entry.seq > mark) {
		*out = true;
		return true;
	}
	/* Looked up again under the write lock: gc may have removed it meanwhile. */
	if (!store_write_begin(store, err) || !find(store, digest, &entry, err)) {
		return false;
	}
	*out = entry.found;
	return !entry.found || touch(store, digest, err);
}

bool cas_put_inline(struct store *store, str bytes, const struct digest *digest, struct err *err)
{
	bool stored;
	if (err_is_set(&store->error)) {
		return store_write_begin(store, err);
	}
	if (!is_stored(store, digest, bytes.len, &stored, err)) {
		return false;
	}
	return stored ||
	       (store_write_begin(store, err) && insert(store, digest, bytes.len, &bytes, err));
}

bool cas_put_tmp(struct store *store, struct cas_pending pending, struct err *err)
{
	bool stored = false;
	struct err own = {0};
	bool ok = store_write_begin(store, err) &&
	          is_stored(store, &pending.digest, pending.size, &stored, err);
	if (!ok || stored) {
		unlinkat(store->tmp_fd, pending.name, 0);
		close(pending.fd);
		return ok;
	}
	if (!cas_file_keep(store, pending, &own)) {
		return store_write_fail(store, &own, err);
	}
	return insert(store, &pending.digest, pending.size, NULL, err);
}

bool cas_put(struct store *store, str bytes, struct digest *out, struct err *err)
{
	if (bytes.len <= CAS_INLINE) {
		hash_begin(store->hash);
		hash_add(store->hash, bytes);
		*out = hash_end(store->hash);
		return cas_put_inline(store, bytes, out, err);
	}
	struct cas_writer *writer = cas_writer_create(store);
	if (!cas_writer_add(writer, bytes, err)) {
		cas_writer_destroy(writer);
		return false;
	}
	uint64_t size;
	return cas_writer_commit(writer, out, &size, err);
}

static bool absent(const struct digest *digest, const char *how, struct err *err)
{
	struct buf hex = {0};
	digest_add_hex(&hex, digest);
	err_set(err, "E-STORE-BLOB", "blob %s %s", buf_cstr(&hex), how);
	buf_finish(&hex);
	return err_help(err, "the node that made it runs again");
}

/* Takes the row away, so that storing the same bytes once more writes them anew. */
static bool damaged(
	struct store *store, const struct digest *digest, const char *how, struct err *err)
{
	store_count_damaged(store);
	if (store->mode == STORE_WRITE && !err_is_set(&store->error)) {
		cas_remove(store, digest, NULL);
	}
	return absent(digest, how, err);
}

/* Why there was no opening its file: only where it is not there, it is damaged; a lack of descriptors says nothing of it. */
static bool not_opened(struct store *store, const struct digest *digest, struct err *err)
{
	int number = errno;
	if (number == ENOENT || number == ENOTDIR || number == ELOOP || number == ENXIO) {
		return damaged(store, digest, "is missing", err);
	}
	return err_sys(err, number, "E-STORE-SYS", "opening a blob of %s", store->state);
}

/* The data of a small blob, appended; *found false where the blob is a file or not there. */
static bool get_inline(struct store *store, const struct digest *digest, struct buf *out,
	bool *found, struct err *err)
{
	*found = false;
	sqlite3_stmt *st = stmt_get(store, STMT_BLOB_DATA,
		"SELECT data FROM blob WHERE digest = ?1 AND data IS NOT NULL", err);
	if (!st) {
		return false;
	}
	stmt_digest(st, 1, digest);
	int got = stmt_row(store, st, err);
	if (got <= 0) {
		return got == 0;
	}
	*found = true;
	str data = column_view(st, 0);
	hash_begin(store->hash);
	hash_add(store->hash, data);
	struct digest actual = hash_end(store->hash);
	bool holds = digest_eq(&actual, digest);
	if (holds) {
		buf_add(out, data);
	}
	stmt_done(st);
	return holds || damaged(store, digest, "is damaged", err);
}

/* Reads a file of a blob to its end, giving every piece to `fn` (may be NULL); verifies the digest of what was read. */
static bool read_file(struct store *store, int fd, const struct digest *digest,
	bool (*fn)(void *arg, str piece, struct err *err), void *arg, struct err *err)
{
	char *chunk = mem_alloc(CHUNK);
	bool ok = true;
	bool end = false;
	hash_begin(store->hash);
	while (ok && !end) {
		ssize_t n = read(fd, chunk, CHUNK);
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0) {
			ok = damaged(store, digest, "can't be read", err);
			break;
		}
		end = n == 0;
		str piece = str_make(chunk, (size_t)n);
		hash_add(store->hash, piece);
		ok = end || !fn || fn(arg, piece, err);
	}
	struct digest actual = hash_end(store->hash);
	free(chunk);
	if (ok && !digest_eq(&actual, digest)) {
		ok = damaged(store, digest, "is damaged: its bytes have another digest", err);
	}
	return ok;
}

bool cas_read(
	struct store *store, const struct digest *digest, struct cas_sink sink, struct err *err)
{
	struct buf data = {0};
	bool found;
	if (!get_inline(store, digest, &data, &found, err)) {
		buf_finish(&data);
		return false;
	}
	if (found) {
		bool ok = sink.fn(sink.arg, buf_str(&data), err);
		buf_finish(&data);
		return ok;
	}
	struct entry entry;
	if (!find(store, digest, &entry, err)) {
		return false;
	}
	if (!entry.found) {
		return absent(digest, "is not in the store", err);
	}
	uint64_t size;
	int fd = cas_file_open(store, digest, &size);
	if (fd < 0) {
		return not_opened(store, digest, err);
	}
	bool ok = size == entry.size
	                  ? read_file(store, fd, digest, sink.fn, sink.arg, err)
	                  : damaged(store, digest, "is damaged: it has another size", err);
	close(fd);
	return ok;
}

static bool append(void *arg, str piece, struct err *err)
{
	(void)err;
	buf_add(arg, piece);
	return true;
}

bool cas_get(struct store *store, const struct digest *digest, struct buf *out, struct err *err)
{
	size_t before = out->len;
	if (cas_read(store, digest, (struct cas_sink){append, out}, err)) {
		return true;
	}
	if (out->len > before) {
		out->len = before;
		out->ptr[before] = '\0';
	}
	return false;
}

struct tail {
	struct buf bytes;
	size_t most;
	uint64_t size;
};

static bool append_tail(void *arg, str piece, struct err *err)
{
	struct tail *tail = arg;
	(void)err;
	tail->size += piece.len;
	buf_add(&tail->bytes, piece);
	if (tail->bytes.len > tail->most + CHUNK) {
		size_t gone = tail->bytes.len - tail->most;
		memmove(tail->bytes.ptr, tail->bytes.ptr + gone, tail->most);
		tail->bytes.len = tail->most;
	}
	return true;
}

bool cas_get_tail(struct store *store, const struct digest *digest, size_t most, struct buf *out,
	uint64_t *size, struct err *err)
{
	struct tail tail = {.most = most};
	bool ok = cas_read(store, digest, (struct cas_sink){append_tail, &tail}, err);
	if (ok) {
		size_t from = tail.bytes.len > most ? tail.bytes.len - most : 0;
		buf_add(out, str_slice(buf_str(&tail.bytes), from, tail.bytes.len));
		*size = tail.size;
	}
	buf_finish(&tail.bytes);
	return ok;
}

static int open_memory(str bytes, struct err *err)
{
	int fd = memfd_create("pawl-blob", MFD_CLOEXEC);
	size_t done = 0;
	while (fd >= 0 && done < bytes.len) {
		ssize_t n = write(fd, bytes.ptr + done, bytes.len - done);
		if (n < 0 && errno != EINTR) {
			close(fd);
			fd = -1;
		}
		done += n > 0 ? (size_t)n : 0;
	}
	if (fd < 0 || lseek(fd, 0, SEEK_SET) != 0) {
		err_sys(err, errno, "E-STORE-SYS", "giving out a blob");
	}
	return fd;
}

int cas_open(struct store *store, const struct digest *digest, uint64_t *size, struct err *err)
{
	struct buf data = {0};
	bool found;
	int fd = -1;
	if (get_inline(store, digest, &data, &found, err) && found) {
		*size = data.len;
		fd = open_memory(buf_str(&data), err);
	} else if (!found) {
		fd = cas_file_open(store, digest, size);
		if (fd < 0) {
			struct entry entry;
			int number = errno;
			if (find(store, digest, &entry, err)) {
				errno = number;
				entry.found ? not_opened(store, digest, err)
					    : absent(digest, "is not in the store", err);
			}
		} else if (!read_file(store, fd, digest, NULL, NULL, err) ||
			   lseek(fd, 0, SEEK_SET) != 0) {
			close(fd);
			fd = -1;
		}
	}
	buf_finish(&data);
	return fd;
}

static bool ignore(void *arg, str piece, struct err *err)
{
	(void)arg;
	(void)piece;
	(void)err;
	return true;
}

bool cas_has(struct store *store, const struct digest *digest, bool verify)
{
	struct entry entry;
	if (verify) {
		return cas_read(store, digest, (struct cas_sink){ignore, NULL}, NULL);
	}
	if (!find(store, digest, &entry, NULL) || !entry.found) {
		return false;
	}
	if (!entry.is_file) {
		return true;
	}
	uint64_t size;
	int fd = cas_file_open(store, digest, &size);
	if (fd >= 0) {
		close(fd);
	}
	return fd >= 0 && size == entry.size;
}

bool cas_file(struct store *store, const struct digest *digest, struct buf *path)
{
	struct entry entry;
	char name[66];
	if (!find(store, digest, &entry, NULL) || !entry.found || !entry.is_file) {
		return false;
	}
	cas_file_name(digest, name);
	buf_printf(path, "blobs/%s", name);
	return true;
}

bool cas_each(struct store *store,
	void (*fn)(void *arg, const struct digest *digest, uint64_t size), void *arg,
	struct err *err)
{
	sqlite3_stmt *st =
		stmt_get(store, STMT_BLOB_EACH, "SELECT digest, size FROM blob ORDER BY id", err);
	if (!st) {
		return false;
	}
	int got;
	while ((got = stmt_row(store, st, err)) == 1) {
		struct digest digest;
		if (column_digest(st, 0, &digest)) {
			fn(arg, &digest, (uint64_t)sqlite3_column_int64(st, 1));
		}
	}
	return got == 0;
}

bool cas_remove(struct store *store, const struct digest *digest, struct err *err)
{
	if (!store_write_begin(store, err)) {
		return false;
	}
	sqlite3_stmt *st =
		stmt_get(store, STMT_BLOB_REMOVE, "DELETE FROM blob WHERE digest = ?1", err);
	if (!st) {
		return false;
	}
	stmt_digest(st, 1, digest);
	if (!stmt_run(store, st, err)) {
		return false;
	}
	*vec_push(&store->doomed) = *digest;
	return true;
}

/* Within a write transaction: whoever stores the same blob meanwhile renames it before it commits, and waits for us.  One that
 * has been stored again is there to stay. */
void cas_unlink_doomed(struct store *store)
{
	if (store->doomed.len == 0 ||
		sqlite3_exec(store->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK) {
		store->doomed.len = 0;
		return;
	}
	for (size_t i = 0; i < store->doomed.len; i++) {
		const struct digest *digest = &store->doomed.ptr[i];
		struct entry entry;
		if (find(store, digest, &entry, NULL) && !(entry.found && entry.is_file)) {
			char name[66];
			cas_file_name(digest, name);
			fs_step("blob: before unlink");
			unlinkat(store->blobs_fd, name, 0);
		}
	}
	store->doomed.len = 0;
	sqlite3_exec(store->db, "COMMIT", NULL, NULL, NULL);
}

/* The digest that a file is named after; false where it is no blob's name. */
static bool parse_name(const char *dir, const char *name, struct digest *out)
{
	char hex[2 * DIGEST_SIZE];
	if (strlen(dir) != 2 || strlen(name) != sizeof(hex) - 2) {
		return false;
	}
	memcpy(hex, dir, 2);
	memcpy(hex + 2, name, sizeof(hex) - 2);
	return digest_parse(str_make(hex, sizeof(hex)), out);
}

static void sweep_dir(struct store *store, const char *name, size_t *count, uint64_t *bytes)
{
	int fd = openat(store->blobs_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	if (!dir) {
		if (fd >= 0) {
			close(fd);
		}
		return;
	}
	for (struct dirent *file; (file = readdir(dir));) {
		struct digest digest;
		struct entry entry;
		struct stat st;
		if (!parse_name(name, file->d_name, &digest) ||
			!find(store, &digest, &entry, NULL) || (entry.found && entry.is_file) ||
			fstatat(dirfd(dir), file->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
			continue;
		}
		fs_step("gc: before unlink");
		if (unlinkat(dirfd(dir), file->d_name, 0) == 0) {
			++*count;
			*bytes += (uint64_t)st.st_size;
		}
	}
	closedir(dir);
}

bool cas_sweep_orphans(struct store *store, size_t *count, uint64_t *bytes, struct err *err)
{
	/* Whoever has renamed a file and not yet committed its row holds the write lock. */
	if (!store_write_begin(store, err)) {
		return false;
	}
	for (unsigned i = 0; i < 256; i++) {
		char name[3];
		snprintf(name, sizeof(name), "%02x", i);
		sweep_dir(store, name, count, bytes);
	}
	return store_flush(store, err);
}
