/* cas: content by SHA-256.  Small blobs (up to CAS_INLINE bytes) live in the database, larger ones as 0400 files
 * `blobs/ab/cdef...`, written to a temporary file, fsynced and renamed at the next store_flush at the latest.  Whatever is
 * read is verified against its name: a blob that does not match is treated as absent (E-STORE-BLOB) and dropped. */
#ifndef STORE_CAS_H
#define STORE_CAS_H

#include "base/arena.h"
#include "store/db.h"

#define CAS_INLINE ((size_t)16 << 10)

/* Stores bytes; gives the digest.  Storing what is there costs one look-up. */
bool cas_put(struct store *store, str bytes, struct digest *out, struct err *err);

/* Streams in: bounded memory (64 KiB) whatever the size. */
struct cas_writer;
struct cas_writer *cas_writer_create(struct store *store);
bool cas_writer_add(struct cas_writer *writer, str bytes, struct err *err);
uint64_t cas_writer_size(const struct cas_writer *writer);
/* The bytes so far, for a look at the end of what a node prints: the last n at most, appended. */
void cas_writer_tail(struct cas_writer *writer, size_t n, struct buf *out);
/* From now on all that was and is added can be read in a file at once; gives its name in tmp/ of the state directory, valid
 * until the writer ends.  Whoever has opened it can read on when it is gone; a writer that lives holds a lock on it.  NULL:
 * there can be none. */
const char *cas_writer_show(struct cas_writer *writer);
/* Finishes and destroys; digest and size of all of it. */
bool cas_writer_commit(
	struct cas_writer *writer, struct digest *out, uint64_t *size, struct err *err);
void cas_writer_destroy(struct cas_writer *writer); /* without keeping anything; accepts NULL */

/* Stores a regular file beneath dirfd: read once, what is hashed is what is written. */
bool cas_put_file(struct store *store, int dirfd, const char *path, struct digest *out,
	uint64_t *size, struct err *err);

/* Where the bytes of a blob go, piece by piece. */
struct cas_sink {
	bool (*fn)(void *arg, str piece, struct err *err);
	void *arg;
};
/* Only after true was returned have all pieces been verified. */
bool cas_read(
	struct store *store, const struct digest *digest, struct cas_sink sink, struct err *err);

/* Absent or damaged is E-STORE-BLOB. */
bool cas_get(struct store *store, const struct digest *digest, struct buf *out, struct err *err);
/* The last `most` bytes at most, appended, and the size of all of it; verified as a whole, in bounded memory. */
bool cas_get_tail(struct store *store, const struct digest *digest, size_t most, struct buf *out,
	uint64_t *size, struct err *err);
/* A descriptor to read from, verified (a memfd or the file); the caller closes it. -1: *err. */
int cas_open(struct store *store, const struct digest *digest, uint64_t *size, struct err *err);
/* Whether it is there, of the right size (`verify`: and its digest holds). */
bool cas_has(struct store *store, const struct digest *digest, bool verify);

/* The file that holds the blob, relative to .pawl/state; false where it is in the database, or nowhere. */
bool cas_file(struct store *store, const struct digest *digest, struct buf *path);

/* Writes the blob to a new file beneath dirfd: staged without a name, which a crash would leave, verified, mode set,
 * then named; never a hard link to the blob, never through a symlink.  Missing directories are made (0755).
 * E-STORE-RESTORE, E-STORE-BLOB. */
bool cas_restore(struct store *store, const struct digest *digest, int dirfd, const char *path,
	uint32_t mode, struct err *err);

/* Every blob that is stored; fn calls nothing of the store. */
bool cas_each(struct store *store,
	void (*fn)(void *arg, const struct digest *digest, uint64_t size), void *arg,
	struct err *err);
/* Gone with the next flush; its file is unlinked after the commit. */
bool cas_remove(struct store *store, const struct digest *digest, struct err *err);

#endif
