/* bodies: what tells a later process which processes this one had started, when it was killed and could not end them itself.
 * Three things, made before a child may do anything, for a child and for all that comes from it:
 *
 *     a record  its line of /proc/PID/stat, in a file of the state directory.  The child writes it, so there is no moment at
 *               which it runs and is not recorded; nothing is synced: a power cut ends processes as well.
 *     a limit   the soft limit on file locks, which Linux keeps, hands on with every fork and exec, and has not looked at
 *               since 2.4.25; its value says whose the process is, whatever session and environment it has by now; the loop too
 *               knows by it from which of its children an orphan comes.
 *     a marker  an entry of its environment.
 *
 * A process is left over when one of these says so, or it descends from one that is, and no living process that records in
 * the same state directory is above it.  All three name the state directory by device and inode, so that a copy of a project
 * takes nothing of the other for its own. */
#ifndef SYS_BODIES_H
#define SYS_BODIES_H

#include "base/buf.h"
#include "base/err.h"

/* Whose bodies.  It lives as long as it is used here: until bodies_close. */
struct bodies_mark {
	int dir;        /* the state directory */
	char *here;     /* bodies_here of it */
	char *marker;   /* "NAME=VALUE": how an entry of the environment begins */
	uint64_t limit; /* 0: processes get none */
};

/* Appends "BOOT/DEVICE:INODE/PIDS": where the number of a process means something.  Those that differ in the first two were
 * written before a reboot, or for the original of a copied directory; PIDS is the namespace of process numbers. */
void bodies_here(int dir, struct buf *out);

/* The limit for a marker of this content: so large that it would limit nothing.  Its last bits are left for each child. */
uint64_t bodies_limit(str marker);

/* From here on children of the loop are recorded; this process protects its own from those that look for left-overs.  One
 * place a process.  False with *err where the record can't be made; children are then marked by limit and environment only. */
bool bodies_open(const struct bodies_mark *mark, struct err *err);

/* Ends that.  The record goes, unless something that it names could not be ended. */
void bodies_close(void);

/* In a forked copy: its children get the limit, and no record of their own. */
void bodies_forget_parents(void);

/* Whether there is a record of a process that is gone. */
bool bodies_has_dead(const struct bodies_mark *mark);

/* Ends what such processes left running: SIGTERM, up to grace_ms, SIGKILL, until a pass finds none; then removes their
 * records.  Never this process, nor one above it.  *stuck (may be NULL): how many are there still, since they do not die.
 * Gives how many were found. */
size_t bodies_end_left(const struct bodies_mark *mark, uint64_t grace_ms, size_t *stuck);

/* How many there are of those, without ending any. */
size_t bodies_count_left(const struct bodies_mark *mark);

/* Whether this system lets processes be marked by a limit. */
bool bodies_can_limit(void);

#endif
