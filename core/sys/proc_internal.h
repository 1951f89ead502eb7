/* proc_internal: what /proc says of a process, for the files of this layer that end processes. */
#ifndef SYS_PROC_INTERNAL_H
#define SYS_PROC_INTERNAL_H

#include "base/buf.h"
#include "base/vec.h"
#include "sys/proc.h"

struct proc_stat {
	struct proc_id id;
	int32_t ppid;
	int32_t pgrp;
	int32_t session;
	int32_t threads;
	char state;     /* R, S, D, T, t, Z, X, ... */
	bool is_marked; /* for the caller's use */
};

struct proc_table {
	VEC(struct proc_stat) list;
};

/* What /proc/PID/stat holds, ended by NUL; false where it is nothing like that. */
bool proc_parse_stat(const char *text, struct proc_stat *out);

/* False where there is no such process. */
bool proc_read_stat(int32_t pid, struct proc_stat *out);

/* Neither dead nor a zombie.  Where only the first thread has ended, the others go on. */
static inline bool proc_stat_is_live(const struct proc_stat *stat)
{
	return (stat->state != 'Z' || stat->threads > 1) && stat->state != 'X' &&
	       stat->state != 'x';
}

/* Replaces the content with every process that there is, by number. */
void proc_table_read(struct proc_table *table);

/* NULL where it is not in the table. */
struct proc_stat *proc_table_find(const struct proc_table *table, int32_t pid);

/* Marks what descends from what is marked. */
void proc_mark_descendants(struct proc_table *table);

/* Replaces the content with the environment that the process was started with, entries ended by NUL; empty where
 * that can't be read, and for a moment while the process is inside exec. */
void proc_read_env(int32_t pid, struct buf *out);

/* Whether an entry begins with `prefix`; with `whole`, is equal to it. */
bool proc_env_has(str env, str prefix, bool whole);

#endif
