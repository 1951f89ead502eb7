/* db: the one SQLite database of a project, `.pawl/state/pawl.db`, and the directory around it.  Everything that outlives
 * the process goes through here.  The other files of store/ are families of prepared statements over it.
 *
 * Writes gather in one transaction, begun by the first write after a flush; store_flush makes blobs durable first and then
 * commits, so a row never names a blob that is not there.  After a failed flush nothing of the batch is recorded and the
 * store refuses further writes.  All calls come from one thread.  A process has one store open at a time for a project
 * (SQLite shares its view of a file among the connections of a process, and a fork must not inherit it). */
#ifndef STORE_DB_H
#define STORE_DB_H

#include "base/err.h"
#include "sys/bodies.h"
#include "sys/hash.h"
#include "sys/proc.h"

struct store;

enum store_mode {
	STORE_WRITE, /* makes .pawl/state (0700, with a .gitignore of its own) where it is missing, migrates, takes no lock */
	STORE_READ, /* never changes a byte; an absent store gives NULL without an error (err_is_set is false) */
	STORE_READ_OR_EMPTY, /* as STORE_READ, but an absent store is an empty one, in memory */
};

/* `project` is the directory that holds `.pawl`.  Errors: E-STORE-NEWER (written by a newer pawl: refused with a sentence),
 * E-STORE-DAMAGED (in STORE_WRITE the file is set aside as pawl.db.damaged-DATE, named in a warning through *err with
 * is_warning, and a new one is begun; in STORE_READ an error), E-STORE-OWNER, E-STORE-READONLY, E-STORE-FULL, E-STORE-SYS. */
struct store *store_open(const char *project, enum store_mode mode, struct err *err);
void store_close(struct store *store); /* flushes nothing: flush before */

/* Descriptors of the project directory and of .pawl/state; owned by the store. */
int store_project_fd(const struct store *store);
int store_state_fd(const struct store *store);
const char *store_project_path(const struct store *store); /* absolute, real */
const char *store_state_path(const struct store *store);

/* Where the numbers of processes that this store names mean something (bodies_here): who runs a run is noted with it. */
const char *store_here(const struct store *store);
/* How the bodies of this store are known; its marker is "PAWL_ATTEMPT_ID=ID/", and in front of run, node and attempt.  ID, 32
 * hexadecimal digits, is of the store, of its directory and of this boot: a copy of the project has another. */
const struct bodies_mark *store_bodies(const struct store *store);
/* 32 random bytes, made with the store: the key of hash_keyed for secrets. */
str store_secret_key(const struct store *store);

/* Commits the batch, if there is one.  `store_is_dirty` says whether there is.  From the first write on other processes wait
 * to write (up to 10 s, then E-STORE-BUSY), so a batch is short: a turn of the loop. */
bool store_flush(struct store *store, struct err *err);
bool store_is_dirty(const struct store *store);
/* Opens the batch where none is open: until it is flushed nobody else writes.  Every write calls it first; false once the
 * store has failed.  Cancelling rolls the batch back, where there is one. */
bool store_write_begin(struct store *store, struct err *err);
void store_write_cancel(struct store *store);
/* The first error that a write met since the store was opened; writes after it do nothing and return false as well. */
const struct err *store_error(const struct store *store);
/* How many rows failed their checksum and were dropped since the store was opened. */
size_t store_damaged(const struct store *store);

/* A number that every batch makes greater: as long as it is the same nobody has written.  In an open batch it is that of
 * before. */
bool store_generation(struct store *store, int64_t *out, struct err *err);

/* Whether nobody else, pawl or not, has committed anything to the database since it was opened. */
bool store_is_ours(struct store *store);

/* Brings everything that is committed into the database file itself, which from then on, until the next write, is as it
 * stands: closing the store doesn't touch it.  False where others are at it; that is no error. */
bool store_settle(struct store *store);

/* Holds a read transaction for a whole plan (no new snapshot a statement). */
void store_read_begin(struct store *store);
void store_read_end(struct store *store);

/* Single flight: the right to run one (workflow, node, key) in this store.  Another live process may hold it, or another run
 * in this one: BUSY.  Held through an OFD lock, so it goes with the process; and given back once what was written before
 * store_unclaim is committed, so that whoever gets it next finds the result. */
enum claim { CLAIM_HELD, CLAIM_BUSY, CLAIM_FAILED };
enum claim store_claim(struct store *store, const struct digest *what, struct err *err);
void store_unclaim(struct store *store, const struct digest *what);

/* PRAGMA integrity_check, the tables' definitions and every row's checksum; each finding is appended as one diag
 * (E-STORE-DAMAGED).  True: there is none.  In STORE_WRITE rows that fail are dropped by the way. */
bool store_check(struct store *store, struct diags *diags);

#endif
