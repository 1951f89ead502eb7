/* seal_inner: how a seal is written; shared by seal.c, which makes them, and seal_hold.c, which holds them against the world.
 *
 * One line each, in this order: "pawl-seal 2 GUARD", "run ID GENERATION TOTAL REUSED", "name NAME FILE", then
 *   f STAT PATH          a file, link or directory, as the kernel sees it
 *   a PATH               nothing is there
 *   s DIGEST PATH        a tree or glob, as a stamp (stamp.h)
 *   t NAME PATH DIR REAL a program, looked up there
 *   r ORIGIN MADE_MS ID                a node that was reused
 *   k REASON ID SENTENCE               a node that was skipped
 * and "end DIGEST" over all before it.  PATHs are relative to the project, or absolute. */
#ifndef ENGINE_SEAL_INNER_H
#define ENGINE_SEAL_INNER_H

#include "base/buf.h"
#include "engine/seal.h"
#include "sys/fs.h"

/* What stands before the list of what it rests on: the part that every run under the seal writes anew. */
struct seal_head {
	struct digest guard;
	int64_t run;        /* that was looked at node by node */
	int64_t generation; /* of the store, after the newest run under it */
	struct fs_stat db;  /* pawl.db after that, when its journal was empty */
};

/* What the store is now: its generation and its files.  False where others are at it, or were since it was opened: what they
 * wrote was not there when nodes were decided. */
bool seal_look_at_store(struct store *store, struct seal_head *head);
/* Writes head and body beneath .pawl/state, in place and without waiting for the disk: a torn one fails its checksum. */
void seal_write(struct store *store, const char *file, const struct seal_head *head, str body);

/* "seals/DIGEST" of the workflow file's name. */
void seal_name(const char *file, struct buf *out);

bool seal_stat_eq(const struct fs_stat *a, const struct fs_stat *b);

/* The database file, with nothing in its journal.  The times of the journal say nothing: SQLite sets its owner whenever
 * root opens it. */
bool seal_stat_store(const struct store *store, struct fs_stat *db);

#endif
