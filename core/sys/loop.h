/* loop: the real world: epoll, pidfd, signalfd, timers, a small thread pool.  One per process at a time.
 * It knows children, not nodes. */
#ifndef SYS_LOOP_H
#define SYS_LOOP_H

#include "sys/world.h"

struct loop;

/* Makes the process a child subreaper, ignores SIGPIPE and SIGXFSZ, blocks SIGINT, SIGTERM, SIGHUP and SIGCHLD and reads
 * them through a signalfd (SIGINT and SIGHUP stay ignored where they were, as under nohup).  Children that the process
 * has already are left alone, now and later.  To be called from the main thread.  NULL with *err where the kernel lacks
 * what is needed. */
struct loop *loop_create(struct err *err);

/* Ends every child and everything that children left behind, first with SIGTERM, after grace_ms with SIGKILL; then
 * gives back the signal mask.  Calls nothing back: neither on_exit nor the done() of offloaded work, of which what runs
 * is waited for and what waits is dropped.  Not to be called from a callback.  Accepts NULL. */
void loop_destroy(struct loop *loop, uint64_t grace_ms);

/* In a forked copy of a process that has a loop: that one is the parent's business, and loop_create makes a new one. */
void loop_forget_parents(void);

/* The world that this loop is; valid until loop_destroy. */
const struct world *loop_world(struct loop *loop);

/* Watches a descriptor for reading: fn(arg) whenever it is readable, until loop_unwatch.  For tests and for
 * `logs -f`; children's pipes need no such call. */
bool loop_watch(struct loop *loop, int fd, void (*fn)(void *arg), void *arg, struct err *err);
void loop_unwatch(struct loop *loop, int fd);

#endif
