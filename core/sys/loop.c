/* loop: the turn.  Waits for descriptors, lets their owners act, moves ended children on, fires timers, and runs the
 * hook at the end.  It knows no more of children, timers and threads than loop_internal.h says. */
#include "sys/loop.h"

#include "base/mem.h"
#include "sys/bodies.h"
#include "sys/loop_internal.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define EVENTS_PER_TURN 64

/* There is one SIGCHLD and one subreaper a process. */
static bool is_open;

uint64_t loop_now_us(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

bool loop_add(struct loop *loop, struct loop_source *source, uint32_t events, struct err *err)
{
	struct epoll_event event = {.events = events, .data.ptr = source};
	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, source->fd, &event) == 0)
		return true;
	return err_sys(err, errno, "E-LOOP-SYSTEM", "cannot watch descriptor %d", source->fd);
}

void loop_close(struct loop *loop, struct loop_source *source)
{
	/* Closing alone would not always take it out of the epoll set: a child on its way through exec lets its copies go
	 * only after this process has been let go on. */
	if (source->fd >= 0) {
		epoll_ctl(loop->epoll, EPOLL_CTL_DEL, source->fd, NULL);
		close(source->fd);
	}
	source->fd = -1;
}

/* ---- the table ---- */

static uint64_t world_mono_ms(void *ctx)
{
	(void)ctx;
	return loop_now_us() / 1000;
}

static int64_t world_wall_ms(void *ctx)
{
	(void)ctx;
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static struct world_timer *world_timer_start(
	void *ctx, uint64_t ms, void (*fire)(void *), void *arg)
{
	/* Without a wait it is the next step of what has happened, and comes before what has only become late. */
	uint64_t due = ms == 0 ? 0 : loop_now_us() + (ms < LOOP_MAX_MS ? ms : LOOP_MAX_MS) * 1000;
	return timer_add(ctx, due, fire, arg);
}

static void world_timer_stop(void *ctx, struct world_timer *timer)
{
	timer_drop(ctx, timer);
}

static void world_on_turn(void *ctx, void (*fn)(void *), void *arg)
{
	struct loop *loop = ctx;
	loop->turn_fn = fn;
	loop->turn_arg = arg;
}

static void world_on_signal(void *ctx, void (*fn)(void *, int), void *arg)
{
	struct loop *loop = ctx;
	loop->signal_fn = fn;
	loop->signal_arg = arg;
}

static void world_quit(void *ctx)
{
	struct loop *loop = ctx;
	loop->quitting = true;
}

/* ---- signals ---- */

static void signals_ready(struct loop *loop, void *owner, uint32_t events)
{
	(void)owner;
	(void)events;
	struct signalfd_siginfo info[4];
	ssize_t n = read(loop->signals.fd, info, sizeof(info));
	for (size_t i = 0; n > 0 && i < (size_t)n / sizeof(info[0]); i++) {
		int number = (int)info[i].ssi_signo;
		if (number == SIGCHLD) {
			/* A child of our own is looked after when its pidfd says so; several signals may have become one. */
			const struct world_proc *child =
				child_of_pid(loop, (int32_t)info[i].ssi_pid);
			loop->must_scan |= child == NULL || child->exited;
		} else if (loop->signal_fn != NULL) {
			loop->happened = true;
			loop->signal_fn(loop->signal_arg, number);
		}
	}
}

/* Who started us may have said that hang-ups (nohup) or interrupts (a shell's `&`) are not for us. */
static void want_signal(sigset_t *set, int number)
{
	struct sigaction action;
	if (sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
		return;
	sigaddset(set, number);
}

static bool open_signals(struct loop *loop, struct err *err)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	want_signal(&set, SIGINT);
	want_signal(&set, SIGHUP);
	/* An ignored SIGCHLD makes the kernel reap: exit statuses would be lost. */
	signal(SIGCHLD, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	loop->signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	loop->signals.ready = signals_ready;
	if (loop->signals.fd < 0)
		return err_sys(
			err, errno, "E-LOOP-SYSTEM", "cannot read signals through a descriptor");
	return loop_add(loop, &loop->signals, EPOLLIN, err);
}

/* ---- the turn ---- */

static void free_dead(struct loop *loop)
{
	while (loop->dead != NULL) {
		struct world_proc *child = loop->dead;
		loop->dead = child->next;
		child_free(loop, child);
	}
	while (loop->dead_watches != NULL) {
		struct loop_watch_entry *watch = loop->dead_watches;
		loop->dead_watches = watch->next;
		free(watch);
	}
}

/* Only code in this process that closes what is not its own can bring that about.  Nothing that comes back from a call can be
 * believed any more, so it ends here; what was committed stays. */
static void give_up(void)
{
	static const char words[] =
		"pawl: something in this process closed descriptors that are not its own (a plugin?); "
		"what was done before is stored, `pawl resume` continues it\n";
	ssize_t written = write(STDERR_FILENO, words, sizeof(words) - 1);
	(void)written;
	_exit(4);
}

/* Lets the owners of descriptors act; false where there may be more that are ready. */
static bool look(struct loop *loop, int wait_ms)
{
	struct epoll_event events[EVENTS_PER_TURN];
	int n = epoll_wait(loop->epoll, events, EVENTS_PER_TURN, wait_ms);
	if (n < 0 && (errno == EBADF || errno == EINVAL))
		give_up();
	for (int i = 0; i < n; i++) {
		struct loop_source *source = events[i].data.ptr;
		/* An earlier event of this turn may have closed it; its memory lasts until the end of the turn. */
		if (source->fd >= 0)
			source->ready(loop, source->owner, events[i].events);
	}
	return n >= 0 && n < EVENTS_PER_TURN;
}

/* What has happened by now comes before what has become late, however long this process was busy or stopped: a wait tells of
 * no more than its share of the descriptors that are ready, and of none where a signal came first, such as the one that lets a
 * stopped process go on.  The kernel goes around among those that are ready, so there is an end to it. */
static void look_at_all(struct loop *loop)
{
	size_t most = 2 + (loop->child_count * 4 + loop->watch_count + 2) / EVENTS_PER_TURN;
	while (most-- > 0 && !look(loop, 0))
		;
}

static void turn(struct loop *loop)
{
	look(loop, timer_wait_ms(loop));
	uint64_t now = loop_now_us();
	if (timer_is_due(loop, now))
		look_at_all(loop);
	if (loop->must_scan)
		sweep_scan(loop);
	child_step_all(loop);
	timer_fire_due(loop, now);
	free_dead(loop);
	if (loop->happened) {
		loop->happened = false;
		if (loop->turn_fn != NULL)
			loop->turn_fn(loop->turn_arg);
	}
}

static bool can_happen(const struct loop *loop)
{
	return loop->child_count > 0 || loop->timers.heap.len > 0 || loop->pool.pending > 0 ||
	       loop->watches != NULL;
}

static void world_run(void *ctx)
{
	struct loop *loop = ctx;
	while (!loop->quitting && can_happen(loop))
		turn(loop);
	loop->quitting = false;
}

/* ---- watches ---- */

static void watch_ready(struct loop *loop, void *owner, uint32_t events)
{
	struct loop_watch_entry *watch = owner;
	(void)events;
	loop->happened = true;
	watch->fn(watch->arg);
}

bool loop_watch(struct loop *loop, int fd, void (*fn)(void *arg), void *arg, struct err *err)
{
	struct loop_watch_entry *watch = mem_zalloc(sizeof(*watch));
	watch->source = (struct loop_source){.fd = fd, .ready = watch_ready, .owner = watch};
	watch->fn = fn;
	watch->arg = arg;
	if (!loop_add(loop, &watch->source, EPOLLIN, err)) {
		free(watch);
		return false;
	}
	watch->next = loop->watches;
	loop->watches = watch;
	loop->watch_count++;
	return true;
}

void loop_unwatch(struct loop *loop, int fd)
{
	struct loop_watch_entry **at = &loop->watches;
	while (*at != NULL && (*at)->source.fd != fd)
		at = &(*at)->next;
	struct loop_watch_entry *watch = *at;
	if (watch == NULL)
		return;
	*at = watch->next;
	loop->watch_count--;
	epoll_ctl(loop->epoll, EPOLL_CTL_DEL, fd, NULL);
	watch->source.fd = -1;
	watch->next = loop->dead_watches;
	loop->dead_watches = watch;
}

/* ---- from start to end ---- */

static void fill_world(struct loop *loop)
{
	loop->world = (struct world){
		.ctx = loop,
		.mono_ms = world_mono_ms,
		.wall_ms = world_wall_ms,
		.timer_start = world_timer_start,
		.timer_stop = world_timer_stop,
		.proc_start = child_start,
		.proc_stop = child_stop,
		.proc_signal = child_signal,
		.proc_write = child_write,
		.proc_has_ended = child_has_ended,
		.offload = pool_offload,
		.on_turn = world_on_turn,
		.on_signal = world_on_signal,
		.run = world_run,
		.quit = world_quit,
	};
}

struct loop *loop_create(struct err *err)
{
	if (is_open) {
		err_set(err, "E-LOOP-SYSTEM", "this process has a loop already");
		return NULL;
	}
	is_open = true;
	struct loop *loop = mem_zalloc(sizeof(*loop));
	loop->null_fd = loop->children_fd = loop->signals.fd = loop->pool.wake.fd = -1;
	loop->read_buf = mem_alloc(LOOP_READ_SIZE);
	fill_world(loop);
	pthread_sigmask(SIG_SETMASK, NULL, &loop->old_mask);
	prctl(PR_GET_CHILD_SUBREAPER, &loop->old_subreaper);
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	bool ok = loop->epoll >= 0 ||
	          err_sys(err, errno, "E-LOOP-SYSTEM", "cannot make an epoll set");
	ok = pool_init(loop, ok ? err : NULL) && ok; /* the first error is the one to tell */
	ok = ok && open_signals(loop, err) && spawn_init(loop, err) && sweep_init(loop);
	if (ok && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0)
		ok = err_sys(err, errno, "E-LOOP-SYSTEM", "cannot become a child subreaper");
	loop->is_ready = ok;
	if (ok)
		return loop;
	err_help(err, "raise the limits of open files and processes: ulimit -n 4096, ulimit -u");
	loop_destroy(loop, 0);
	return NULL;
}

/* What came meanwhile was for the run that has ended, not for what the program does next. */
static void drop_pending_signals(struct loop *loop)
{
	struct signalfd_siginfo info;
	while (loop->signals.fd >= 0 && read(loop->signals.fd, &info, sizeof(info)) > 0)
		;
}

void loop_destroy(struct loop *loop, uint64_t grace_ms)
{
	if (loop == NULL)
		return;
	/* Before that, children are somebody else's. */
	if (loop->is_ready)
		sweep_all(loop, grace_ms);
	while (loop->children != NULL) {
		struct world_proc *child = loop->children;
		loop->children = child->next;
		child_free(loop, child);
	}
	pool_finish(loop);
	while (loop->watches != NULL)
		loop_unwatch(loop, loop->watches->source.fd);
	free_dead(loop);
	timer_finish(loop);
	drop_pending_signals(loop);
	loop_close(loop, &loop->signals);
	spawn_finish(loop);
	sweep_finish(loop);
	if (loop->epoll >= 0)
		close(loop->epoll);
	prctl(PR_SET_CHILD_SUBREAPER, loop->old_subreaper, 0, 0, 0);
	pthread_sigmask(SIG_SETMASK, &loop->old_mask, NULL);
	free(loop->read_buf);
	free(loop);
	is_open = false;
}

void loop_forget_parents(void)
{
	bodies_forget_parents();
	is_open = false;
}

const struct world *loop_world(struct loop *loop)
{
	return &loop->world;
}
