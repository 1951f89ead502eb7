/* proc: processes as Linux shows them.  A pid means something only together with its start time. */
#ifndef SYS_PROC_H
#define SYS_PROC_H

#include "base/err.h"

struct proc_id {
	int32_t pid;
	uint64_t start; /* field 22 of /proc/PID/stat: clock ticks after boot */
};

/* This process. */
struct proc_id proc_self(void);

/* Whether that very process is still there (a zombie is not). */
bool proc_is_alive(struct proc_id id);

/* Sends a signal to that very process, never to one that got its number later; false where it is gone. */
bool proc_send(struct proc_id id, int signal);

/* The identity of this boot (/proc/sys/kernel/random/boot_id), 36 characters; empty where it can't be read.  Start times
 * of another boot mean nothing. */
str proc_boot_id(void);

/* Ends every process of this user whose environment holds an entry that begins with `marker_prefix`
 * ("NAME=VALUE...") and that is not this process: SIGTERM, up to grace_ms, SIGKILL; repeats until a pass finds none.
 * Gives how many were ended.  For what a killed pawl left behind. */
size_t proc_end_marked(const char *marker_prefix, uint64_t grace_ms);

/* How many there are of those, without ending any. */
size_t proc_count_marked(const char *marker_prefix);

/* Looks `name` up as execvp would, in the PATH value given: absolute path on the heap, or NULL.  A name with a slash is
 * taken relative to cwd (NULL: the process's own). */
char *proc_which(const char *name, const char *path, const char *cwd);

#endif
