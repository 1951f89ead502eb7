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

/* Looks `name` up as execvp would, in the PATH value given: absolute path on the heap, or NULL.  A name with a slash is
 * taken relative to cwd (NULL: the process's own). */
char *proc_which(const char *name, const char *path, const char *cwd);

#endif
