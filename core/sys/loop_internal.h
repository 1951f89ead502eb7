/* loop_internal: what the loop's files share.
 *
 *     loop.c         the turn, signals, watches, creation and end
 *     loop_timer.c   a heap of one-shot timers
 *     loop_pool.c    threads that run what would block
 *     loop_spawn.c   pipes, vfork and exec
 *     loop_child.c   one child from its start to on_exit
 *     loop_sweep.c   what children leave behind
 *
 * All of it belongs to the loop's thread; pool threads see struct loop_pool only. */
#ifndef SYS_LOOP_INTERNAL_H
#define SYS_LOOP_INTERNAL_H

#include "base/buf.h"
#include "base/vec.h"
#include "sys/loop.h"
#include "sys/proc_internal.h"

#include <pthread.h>
#include <signal.h>

#define LOOP_POOL_MAX   4
#define LOOP_HASH_SLOTS 1024u        /* a power of two */
#define LOOP_READ_SIZE  (256u << 10) /* one read; also what one stream may deliver in one turn */
#define LOOP_NEVER      UINT64_MAX
#define LOOP_MAX_MS     (UINT64_C(1) << 40) /* longer waits are this long: 34 years */

/* A descriptor in the epoll set; it lies inside its owner. fd is -1 when it is closed. */
struct loop_source {
	int fd;
	void (*ready)(struct loop *loop, void *owner, uint32_t events);
	void *owner;
};

struct world_timer {
	uint64_t due_us;
	uint64_t seq; /* order of creation: equal times fire in it */
	size_t at;    /* index in the heap */
	void (*fire)(void *arg);
	void *arg;
	bool is_inner; /* the loop's own: fires no callback of the user by itself */
};

struct loop_timers {
	VEC(struct world_timer *) heap;
	uint64_t next_seq;
};

struct pool_job {
	struct pool_job *next;
	void (*work)(void *arg);
	void (*done)(void *arg);
	void *arg;
};

struct pool_queue {
	struct pool_job *first;
	struct pool_job **last;
	size_t len;
};

struct loop_pool {
	pthread_mutex_t lock; /* guards waiting, finished, idle, ending */
	pthread_cond_t more;
	struct pool_queue waiting;
	struct pool_queue finished;
	size_t idle;
	bool ending;
	/* The loop's thread only. */
	pthread_t threads[LOOP_POOL_MAX];
	size_t count;
	size_t max;
	size_t pending; /* offloaded, done() not called yet */
	struct loop_source wake;
};

enum child_phase {
	CHILD_RUNNING,  /* its main process has not ended */
	CHILD_DRAINING, /* it has; somebody may still write or end by himself */
	CHILD_ENDING,   /* what is left gets signals */
};

/* A process that the child left or that is ended with it. */
struct left {
	struct proc_id id;
	bool is_killed; /* had SIGKILL as an orphan */
};

/* A child of this process that the loop leaves alone. */
struct stranger {
	int32_t pid;
	bool was_ours; /* given up: it can't be killed, but it is to be reaped if it ends after all */
};

struct world_proc {
	struct loop *loop;
	struct world_proc *prev;
	struct world_proc *next;
	struct world_proc *hash_next;

	int32_t pid; /* not reaped before on_exit, so this number and its group are ours for as long */
	enum child_phase phase;
	bool exited;     /* the main process has; the zombie is kept */
	bool stopping;   /* proc_stop was called */
	bool group_told; /* the group had its SIGTERM */
	bool input_open;
	bool input_watched;
	bool is_wide[2]; /* that pipe was enlarged */

	struct loop_source exit;   /* the pidfd */
	struct loop_source out[2]; /* standard output, standard error */
	struct loop_source in;
	struct buf input; /* what the child has not taken yet, from input_at on */
	size_t input_at;
	char *marker; /* NULL: none */
	int32_t slot; /* of its record; see bodies_internal.h */

	uint64_t started_us;
	uint64_t ended_us;
	uint64_t
		closed_us; /* when its streams were found at their end, after ended_us; 0: not yet */
	uint64_t deadline_us; /* draining: until when; ending: the next pass */
	uint64_t kill_us;     /* from here on SIGKILL */
	uint64_t killed_us;   /* when it was first sent; 0: not yet */
	struct world_timer *tick;
	VEC(struct left) left;

	void (*on_output)(void *arg, int32_t stream, str bytes);
	void (*on_exit)(void *arg, const struct world_exit *exit);
	void *arg;
};

struct loop_watch_entry {
	struct loop_watch_entry *next;
	struct loop_source source;
	void (*fn)(void *arg);
	void *arg;
};

struct loop {
	struct world world;
	int epoll;
	int null_fd;     /* /dev/null, every child's input that has none */
	int children_fd; /* /proc/PID/task/PID/children; -1: walk /proc instead */
	struct loop_source signals;
	sigset_t old_mask;
	int old_subreaper;
	bool is_ready; /* loop_create has succeeded */
	bool quitting;
	bool happened; /* a callback ran in this turn */
	bool must_scan;

	struct loop_timers timers;
	struct loop_pool pool;

	struct world_proc *children;
	size_t child_count;
	struct world_proc *by_pid[LOOP_HASH_SLOTS];
	struct world_proc
		*dead; /* freed at the end of the turn: events in hand may point at them */

	struct loop_watch_entry *watches;
	size_t watch_count;
	struct loop_watch_entry *dead_watches;

	VEC(struct stranger) strangers; /* from before loop_create, or given up */
	VEC(int32_t) orphans; /* live children that we did not start, as of the last scan */
	struct proc_table table;
	struct buf env;

	char *read_buf;    /* LOOP_READ_SIZE */
	char *spawn_stack; /* what the child runs on between clone and exec */
	bool reset_signals[65];

	void (*turn_fn)(void *arg);
	void *turn_arg;
	void (*signal_fn)(void *arg, int signal);
	void *signal_arg;
};

/* loop.c */
uint64_t loop_now_us(void);
bool loop_add(struct loop *loop, struct loop_source *source, uint32_t events, struct err *err);
void loop_close(struct loop *loop, struct loop_source *source);

/* loop_timer.c: times in microseconds of loop_now_us(). */
struct world_timer *timer_add(struct loop *loop, uint64_t due_us, void (*fire)(void *), void *arg);
void timer_drop(struct loop *loop, struct world_timer *timer);
/* Milliseconds until the first one is due, rounded up; -1: none. */
int timer_wait_ms(const struct loop *loop);
bool timer_is_due(const struct loop *loop, uint64_t now_us);
/* Fires what was due at that time, in order of time; what callbacks start waits for the next turn. */
void timer_fire_due(struct loop *loop, uint64_t now_us);
void timer_finish(struct loop *loop);

/* loop_pool.c */
bool pool_init(struct loop *loop, struct err *err);
void pool_offload(void *ctx, void (*work)(void *), void (*done)(void *), void *arg);
/* Waits for running work, forgets what is queued, calls no done(). */
void pool_finish(struct loop *loop);

/* loop_spawn.c */
bool spawn_init(struct loop *loop, struct err *err);
void spawn_finish(struct loop *loop);
/* Fills pid and the descriptors of a zeroed child; nothing is left behind where it fails. */
bool spawn_child(struct loop *loop, struct world_proc *child, const struct world_spawn *spec,
	struct err *err);

/* loop_child.c */
struct world_proc *child_start(void *ctx, const struct world_spawn *spec, struct err *err);
void child_stop(void *ctx, struct world_proc *child, uint64_t grace_ms);
void child_signal(void *ctx, struct world_proc *child, int signal);
void child_write(void *ctx, struct world_proc *child, str bytes);
struct world_proc *child_of_pid(const struct loop *loop, int32_t pid);
bool child_has_ended(void *ctx, const struct world_proc *child);
/* Moves every child on whose main process has ended. */
void child_step_all(struct loop *loop);
void child_free(struct loop *loop, struct world_proc *child);

/* loop_sweep.c */
bool sweep_init(struct loop *loop);
void sweep_finish(struct loop *loop);
/* Reaps orphans that have ended and notes those that live. */
void sweep_scan(struct loop *loop);
/* How many of the noted orphans are this child's, may be, and can't be told yet. */
struct sweep_count {
	size_t mine;
	size_t unknown;
	size_t unsure;
};
struct sweep_count sweep_count(struct loop *loop, const struct world_proc *child);
/* Signals the child's group and all that descends from it, as far as they did not have that signal. */
void sweep_signal(struct loop *loop, struct world_proc *child, int signal);
/* Leaves alone from now on what could not be killed: another user's, or hanging in the kernel. */
void sweep_give_up(struct loop *loop, struct world_proc *child);
/* Ends and reaps every descendant of this process but the strangers'. */
void sweep_all(struct loop *loop, uint64_t grace_ms);

#endif
