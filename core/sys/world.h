/* world: everything that the engine asks of the outside, as one table.  The real one is loop_world() (loop.h); tests
 * pass a fake one with a virtual clock and scripted children, so that retries, timeouts, cancellation and resume are
 * tested without a process or a sleep.  All calls come from the loop's thread, and so do all callbacks; a callback
 * never comes from inside a call. */
#ifndef SYS_WORLD_H
#define SYS_WORLD_H

#include "base/err.h"

struct world_timer;
struct world_proc;

enum { WORLD_STDOUT = 1, WORLD_STDERR = 2 };

struct world_exit {
	int32_t code;   /* exit status, or -1 when a signal ended the child */
	int32_t signal; /* terminating signal, or 0 */
	uint64_t cpu_us;
	uint64_t wall_us;
	uint64_t max_rss_kib;
	uint32_t leftovers; /* how many processes that the child had started were ended with it */
};

struct world_spawn {
	const char *const *
		argv; /* NULL-terminated; argv[0] without a slash is looked up in the PATH of env */
	const char *const *env; /* NULL-terminated, complete: nothing else is inherited */
	const char *cwd;        /* NULL: the process's own */
	const char *
		marker; /* "NAME=VALUE", an entry of env by which left-overs of this child are known; may be NULL */
	str input; /* what the child reads on its standard input, then end of file; empty: /dev/null */
	bool input_open;   /* more input comes through proc_write */
	bool merge_stderr; /* one stream, in order, delivered as WORLD_STDOUT */

	/* Bytes are valid during the call only.  on_exit comes once, after the last on_output; `proc` is gone after it. */
	void (*on_output)(void *arg, int32_t stream, str bytes);
	void (*on_exit)(void *arg, const struct world_exit *exit);
	void *arg;
};

struct world {
	void *ctx;

	uint64_t (*mono_ms)(
		void *ctx); /* CLOCK_MONOTONIC; what timeouts and durations are measured with */
	int64_t (*wall_ms)(void *ctx); /* since 1970; never compared with mono_ms */

	/* One-shot.  The timer is gone once it fired or was stopped; timer_stop accepts NULL.  A timer fires after all that had
	 * happened when it was due, however late this process comes to it: output, ends of children, and what was put off to the
	 * next turn with a timer of 0 ms. */
	struct world_timer *(*timer_start)(
		void *ctx, uint64_t ms, void (*fire)(void *arg), void *arg);
	void (*timer_stop)(void *ctx, struct world_timer *timer);

	/* Starts a child in a session and process group of its own.  NULL and *err (E-SPAWN-NOT-FOUND, E-SPAWN-CWD, E-SPAWN-SYSTEM)
	 * where that failed; the callbacks never come then. */
	struct world_proc *(*proc_start)(
		void *ctx, const struct world_spawn *spec, struct err *err);
	/* Asks the child and all that it started to end: SIGTERM now, SIGKILL after grace_ms.  on_exit still comes. */
	void (*proc_stop)(void *ctx, struct world_proc *proc, uint64_t grace_ms);
	/* Sends one signal to the child's process group. */
	void (*proc_signal)(void *ctx, struct world_proc *proc, int signal);
	/* Whether its main process has ended: on_exit comes as soon as what it left has ended too, or was ended. */
	bool (*proc_has_ended)(void *ctx, const struct world_proc *proc);
	/* Queues more standard input; an empty str ends it. */
	void (*proc_write)(void *ctx, struct world_proc *proc, str bytes);

	/* Runs work(arg) on a pool thread, then done(arg) on the loop. */
	void (*offload)(void *ctx, void (*work)(void *arg), void (*done)(void *arg), void *arg);

	/* Runs fn(arg) once at the end of each turn of the loop in which anything happened (the group commit). */
	void (*on_turn)(void *ctx, void (*fn)(void *arg), void *arg);
	/* Runs fn(arg, signal) on the loop for SIGINT, SIGTERM and SIGHUP. */
	void (*on_signal)(void *ctx, void (*fn)(void *arg, int signal), void *arg);

	/* Turns until quit() is called or nothing can happen any more. */
	void (*run)(void *ctx);
	void (*quit)(void *ctx);
};

#endif
