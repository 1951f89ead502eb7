/* loop_child: one child from its start to on_exit: its input, its output, and the way from the end of its main process
 * to the end of everything it started.
 *
 *     RUNNING --pidfd--> DRAINING --nobody left--> on_exit
 *                           |  somebody is left after the deadline
 *                           v
 *                        ENDING: SIGTERM, later SIGKILL --nobody left--> on_exit
 *
 * This process may be stopped (Ctrl-Z, a debugger) between any two lines: what follows SIGKILL is timed from when it was
 * sent, not from when it was due.
 *
 * It does not know how left-overs are found; see loop_sweep.c. */
#include "base/mem.h"
#include "sys/bodies_internal.h"
#include "sys/loop_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define DRAIN_US      1000000u /* for whoever still holds the pipe when the main process has ended */
#define DETACHED_US   100000u  /* for whoever is left but does not hold it */
#define UNSURE_US     20000u   /* for an orphan that shows no environment: it may be inside exec */
#define LEFT_GRACE_US 500000u  /* from SIGTERM to SIGKILL for left-overs */
#define PASS_US       10000u   /* between two passes over what is left */
#define GIVE_UP_US    5000000u /* after SIGKILL: what does not die hangs in the kernel */
#define DRAIN_READS   16       /* of LOOP_READ_SIZE: more than a pipe holds */
#define WIDE_PIPE     (1 << 20)
#define FIRST_PIPE    (64u << 10)

static void finish(struct world_proc *child);

struct world_proc *child_of_pid(const struct loop *loop, int32_t pid)
{
	struct world_proc *child = loop->by_pid[(uint32_t)pid % LOOP_HASH_SLOTS];
	while (child != NULL && child->pid != pid)
		child = child->hash_next;
	return child;
}

static void link_child(struct loop *loop, struct world_proc *child)
{
	struct world_proc **slot = &loop->by_pid[(uint32_t)child->pid % LOOP_HASH_SLOTS];
	child->hash_next = *slot;
	*slot = child;
	child->next = loop->children;
	if (child->next != NULL)
		child->next->prev = child;
	loop->children = child;
	loop->child_count++;
}

static void unlink_child(struct loop *loop, struct world_proc *child)
{
	struct world_proc **slot = &loop->by_pid[(uint32_t)child->pid % LOOP_HASH_SLOTS];
	while (*slot != child)
		slot = &(*slot)->hash_next;
	*slot = child->hash_next;
	if (child->next != NULL)
		child->next->prev = child->prev;
	if (child->prev != NULL)
		child->prev->next = child->next;
	else
		loop->children = child->next;
	loop->child_count--;
}

void child_free(struct loop *loop, struct world_proc *child)
{
	loop_close(loop, &child->exit);
	loop_close(loop, &child->in);
	loop_close(loop, &child->out[0]);
	loop_close(loop, &child->out[1]);
	timer_drop(loop, child->tick);
	vec_finish(&child->left);
	buf_finish(&child->input);
	free(child->marker);
	free(child);
}

/* ---- input ---- */

static void close_input(struct world_proc *child)
{
	loop_close(child->loop, &child->in);
	child->input_watched = false;
	child->input_open = false;
	buf_finish(&child->input);
	child->input_at = 0;
}

/* Writes what the pipe takes; gives how many bytes went, all of them where the reader is gone. */
static size_t write_some(struct world_proc *child, str bytes)
{
	size_t at = 0;
	while (at < bytes.len && child->in.fd >= 0) {
		ssize_t n = write(child->in.fd, bytes.ptr + at, bytes.len - at);
		if (n >= 0)
			at += (size_t)n;
		else if (errno == EAGAIN)
			return at;
		else if (errno != EINTR)
			close_input(child);
	}
	return bytes.len;
}

static size_t queued(const struct world_proc *child)
{
	return child->input.len - child->input_at;
}

/* Closes, watches or stops watching, as the queue asks. */
static void settle_input(struct world_proc *child)
{
	if (child->in.fd < 0)
		return;
	if (queued(child) > 0) {
		if (!child->input_watched)
			child->input_watched = loop_add(child->loop, &child->in, EPOLLOUT, NULL);
		return;
	}
	buf_clear(&child->input);
	child->input_at = 0;
	if (!child->input_open) {
		close_input(child);
	} else if (child->input_watched) {
		/* A pipe without a reader would wake us for ever. */
		epoll_ctl(child->loop->epoll, EPOLL_CTL_DEL, child->in.fd, NULL);
		child->input_watched = false;
	}
}

static void input_ready(struct loop *loop, void *owner, uint32_t events)
{
	struct world_proc *child = owner;
	(void)loop;
	(void)events;
	size_t sent =
		write_some(child, str_make(child->input.ptr + child->input_at, queued(child)));
	if (child->in.fd < 0)
		return;
	child->input_at += sent;
	settle_input(child);
}

static void add_input(struct world_proc *child, str bytes)
{
	if (child->in.fd < 0)
		return;
	size_t sent = queued(child) > 0 ? 0 : write_some(child, bytes);
	if (child->input_at > child->input.len / 2) {
		size_t rest = queued(child);
		memmove(child->input.ptr, child->input.ptr + child->input_at, rest);
		child->input.len = rest;
		child->input_at = 0;
	}
	if (sent < bytes.len && child->in.fd >= 0)
		buf_add(&child->input, str_slice(bytes, sent, bytes.len));
	settle_input(child);
}

void child_write(void *ctx, struct world_proc *child, str bytes)
{
	(void)ctx;
	if (!child->input_open)
		return;
	if (bytes.len == 0)
		child->input_open = false;
	add_input(child, bytes);
}

/* ---- output ---- */

enum read_result { READ_MORE, READ_EMPTY, READ_END };

static enum read_result read_once(struct world_proc *child, int which)
{
	struct loop *loop = child->loop;
	struct loop_source *source = &child->out[which];
	if (source->fd < 0)
		return READ_END;
	ssize_t n;
	do {
		n = read(source->fd, loop->read_buf, LOOP_READ_SIZE);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return READ_EMPTY;
	if (n <= 0) {
		loop_close(loop, source);
		return READ_END;
	}
	/* Only for who writes much: the usual child never pays for it.  The user's share of pipe memory may be used up. */
	if ((size_t)n >= FIRST_PIPE && !child->is_wide[which]) {
		fcntl(source->fd, F_SETPIPE_SZ, WIDE_PIPE);
		child->is_wide[which] = true;
	}
	loop->happened = true;
	if (child->on_output != NULL)
		child->on_output(child->arg, which == 0 ? WORLD_STDOUT : WORLD_STDERR,
			str_make(loop->read_buf, (size_t)n));
	return READ_MORE;
}

static void stdout_ready(struct loop *loop, void *owner, uint32_t events)
{
	(void)loop;
	(void)events;
	read_once(owner, 0);
}

static void stderr_ready(struct loop *loop, void *owner, uint32_t events)
{
	(void)loop;
	(void)events;
	read_once(owner, 1);
}

/* Reads what is there; false where more is to come than a pipe holds. */
static bool drain(struct world_proc *child)
{
	for (int which = 0; which < 2; which++) {
		int reads = 0;
		while (read_once(child, which) == READ_MORE) {
			if (++reads == DRAIN_READS)
				return false;
		}
	}
	return true;
}

static bool at_end(const struct world_proc *child)
{
	return child->out[0].fd < 0 && child->out[1].fd < 0;
}

/* ---- start ---- */

static void exit_ready(struct loop *loop, void *owner, uint32_t events)
{
	struct world_proc *child = owner;
	(void)events;
	loop_close(loop, &child->exit);
	child->exited = true;
	child->ended_us = loop_now_us();
	loop->must_scan = true;
}

bool child_has_ended(void *ctx, const struct world_proc *child)
{
	(void)ctx;
	return child->exited;
}

struct world_proc *child_start(void *ctx, const struct world_spawn *spec, struct err *err)
{
	struct loop *loop = ctx;
	struct world_proc *child = mem_zalloc(sizeof(*child));
	child->loop = loop;
	child->kill_us = LOOP_NEVER;
	child->started_us = loop_now_us();
	if (!spawn_child(loop, child, spec, err)) {
		child_free(loop, child);
		return NULL;
	}
	child->exit.ready = exit_ready;
	child->out[0].ready = stdout_ready;
	child->out[1].ready = stderr_ready;
	child->in.ready = input_ready;
	child->exit.owner = child->out[0].owner = child->out[1].owner = child->in.owner = child;
	if (!loop_add(loop, &child->exit, EPOLLIN, err) ||
		!loop_add(loop, &child->out[0], EPOLLIN, err) ||
		(child->out[1].fd >= 0 && !loop_add(loop, &child->out[1], EPOLLIN, err))) {
		kill(-child->pid, SIGKILL);
		while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
			;
		bodies_end(child->slot);
		child_free(loop, child);
		return NULL;
	}
	child->on_output = spec->on_output;
	child->on_exit = spec->on_exit;
	child->arg = spec->arg;
	child->input_open = spec->input_open;
	if (spec->marker != NULL)
		child->marker = mem_dup(spec->marker, strlen(spec->marker));
	link_child(loop, child);
	add_input(child, spec->input);
	return child;
}

/* ---- end ---- */

static void tick_fired(void *arg);

static void tick_at(struct world_proc *child, uint64_t due_us)
{
	if (child->tick != NULL && child->tick->due_us == due_us)
		return;
	timer_drop(child->loop, child->tick);
	child->tick = timer_add(child->loop, due_us, tick_fired, child);
	child->tick->is_inner = true;
}

/* One pass over what the child started; the next one comes with the tick. */
static void pass(struct world_proc *child, uint64_t now)
{
	bool killing = now >= child->kill_us;
	if (killing && child->killed_us == 0)
		child->killed_us = now;
	sweep_signal(child->loop, child, killing ? SIGKILL : SIGTERM);
	bool is_stuck = killing && now >= child->killed_us + 100 * PASS_US;
	uint64_t next = now + (is_stuck ? 20 * PASS_US : PASS_US);
	/* While the main process is still there, nobody else ends before the kill. */
	if (!child->exited && !killing)
		next = child->kill_us;
	child->deadline_us = next;
	tick_at(child, next);
}

static bool is_hopeless(const struct world_proc *child, uint64_t now)
{
	return child->killed_us != 0 && now >= child->killed_us + GIVE_UP_US;
}

static void give_up(struct world_proc *child, uint64_t now)
{
	sweep_give_up(child->loop, child);
	child->slot = BODIES_NO_SLOT; /* it stays on record: the next pawl will try */
	if (!child->exited)
		child->ended_us = now;
	finish(child);
}

static void step_draining(struct world_proc *child, uint64_t now)
{
	bool drained = drain(child);
	struct sweep_count count = sweep_count(child->loop, child);
	bool ended = at_end(child);
	/* Who ends by himself closes the pipe a moment before he is gone. */
	if (ended && child->closed_us == 0)
		child->closed_us = now;
	bool is_sure = count.unsure == 0 || now >= child->ended_us + UNSURE_US;
	if (drained && count.mine == 0 && is_sure && (ended || count.unknown + count.unsure == 0)) {
		finish(child);
		return;
	}
	uint64_t deadline = ended ? child->closed_us + DETACHED_US : child->ended_us + DRAIN_US;
	if (count.mine == 0 && !is_sure && ended)
		deadline = child->ended_us + UNSURE_US;
	if (child->stopping && count.mine > 0)
		deadline = now;
	if (now < deadline) {
		tick_at(child, deadline);
		return;
	}
	if (count.mine == 0) {
		finish(child);
		return;
	}
	child->phase = CHILD_ENDING;
	if (child->kill_us == LOOP_NEVER)
		child->kill_us = now + LEFT_GRACE_US;
	pass(child, now);
}

static void step_ending(struct world_proc *child, uint64_t now)
{
	drain(child);
	struct sweep_count count = sweep_count(child->loop, child);
	if (count.mine == 0 && (count.unsure == 0 || now >= child->deadline_us))
		finish(child);
	else if (is_hopeless(child, now))
		give_up(child, now);
	else if (now >= child->deadline_us)
		pass(child, now);
}

static void step(struct world_proc *child, uint64_t now)
{
	if (!child->exited) {
		if (is_hopeless(child, now))
			give_up(child, now);
		else if (child->stopping && now >= child->deadline_us)
			pass(child, now);
		return;
	}
	if (child->phase == CHILD_RUNNING)
		child->phase = CHILD_DRAINING;
	if (child->phase == CHILD_DRAINING)
		step_draining(child, now);
	else
		step_ending(child, now);
}

static void tick_fired(void *arg)
{
	struct world_proc *child = arg;
	child->tick = NULL;
	sweep_scan(child->loop);
	step(child, loop_now_us());
}

void child_step_all(struct loop *loop)
{
	struct world_proc *next;
	uint64_t now = loop_now_us();
	for (struct world_proc *child = loop->children; child != NULL; child = next) {
		next = child->next;
		if (child->exited)
			step(child, now);
	}
}

static void finish(struct world_proc *child)
{
	struct loop *loop = child->loop;
	/* Whoever is gone by now may have written a last word. */
	drain(child);
	int status = SIGKILL; /* what it had, where it was given up */
	struct rusage usage = {0};
	/* The pidfd speaks a moment before wait4 does: without waiting, one child in a thousand seemed to be killed. */
	while (wait4(child->pid, &status, child->exited ? 0 : WNOHANG, &usage) < 0 &&
		errno == EINTR)
		;
	struct world_exit exit = {
		.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
		.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
		.cpu_us = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
	                  (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec),
		.wall_us = child->ended_us - child->started_us,
		.max_rss_kib = (uint64_t)usage.ru_maxrss,
		.leftovers = (uint32_t)child->left.len,
	};
	bodies_end(child->slot);
	unlink_child(loop, child);
	timer_drop(loop, child->tick);
	child->tick = NULL;
	loop_close(loop, &child->in);
	loop_close(loop, &child->out[0]);
	loop_close(loop, &child->out[1]);
	child->next = loop->dead;
	loop->dead = child;
	child->pid = 0;
	loop->happened = true;
	if (child->on_exit != NULL)
		child->on_exit(child->arg, &exit);
}

void child_stop(void *ctx, struct world_proc *child, uint64_t grace_ms)
{
	(void)ctx;
	if (child->pid == 0)
		return;
	uint64_t now = loop_now_us();
	uint64_t kill_at = now + (grace_ms < LOOP_MAX_MS ? grace_ms : LOOP_MAX_MS) * 1000;
	if (kill_at < child->kill_us)
		child->kill_us = kill_at;
	child->stopping = true;
	if (child->exited) {
		/* Even a callback that stops its child finds it alive: the turn that comes does the rest. */
		child->deadline_us = now;
		tick_at(child, now);
		return;
	}
	pass(child, now);
}

void child_signal(void *ctx, struct world_proc *child, int signal)
{
	(void)ctx;
	if (child->pid > 0)
		kill(-child->pid, signal);
}
