/* guard: whose code is on the stack, and last words when it crashes.  A plugin is native code: nothing keeps it from
 * crashing the process.  What can be done is to say whose fault it was, and that the work is not lost. */
#include "plug/host_copy.h"
#include "plug/host_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#define EXIT_BY_PLUGIN 70 /* EX_SOFTWARE */
#define PATIENCE_S     3  /* seconds in one call until it is named */

static _Thread_local struct guard_call *current;
static char crash_file[4096];
static int home = -1; /* of a copy: where its crash is told, instead of on standard error */

static const int crash_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
#define CRASH_SIGNALS (sizeof(crash_signals) / sizeof(crash_signals[0]))
static struct sigaction previous[CRASH_SIGNALS];

/* What the watch sees of the thread that it looks after. */
static _Thread_local bool is_watched;
static pthread_t watched_thread;
static atomic_uint calls; /* so far: one that takes long is told from many short ones */
static atomic_bool is_inside;
static unsigned told; /* the call that has been named */

const struct guard_call *guard_current(void)
{
	return current;
}

void guard_enter(struct guard_call *call)
{
	call->outer = current;
	current = call;
	if (is_watched) {
		atomic_fetch_add(&calls, 1);
		atomic_store(&is_inside, true);
	}
}

void guard_leave(const struct guard_call *call)
{
	current = call->outer;
	if (is_watched && !current)
		atomic_store(&is_inside, false);
}

static size_t append(char *line, size_t at, size_t cap, const char *text)
{
	while (*text && at < cap) {
		/* An id comes from a stranger's file; nothing of it may drive the terminal. */
		char c = *text++;
		line[at++] = (unsigned char)c < ' ' || c == 0x7f ? '?' : c;
	}
	return at;
}

void guard_note_crash(const char *note)
{
	char line[512];
	if (!crash_file[0] || !note)
		return;
	size_t at = append(line, 0, sizeof(line) - 1, note);
	line[at++] = '\n';
	int fd = open(crash_file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return;
	ssize_t written = write(fd, line, at);
	(void)written;
	close(fd);
}

/* Home from a copy, as one frame: "WHAT FUNCTION()". */
static void send_home(const struct guard_call *call, const char *what)
{
	char frame[256];
	size_t end = append(frame, FRAME_HEAD, sizeof(frame) - 2, what + (*what == ' '));
	end = append(frame, end, sizeof(frame) - 2, call->function);
	frame[end++] = '(';
	frame[end++] = ')';
	uint32_t length = (uint32_t)(end - FRAME_HEAD);
	frame[0] = FRAME_CRASH;
	memcpy(frame + 1, &length, sizeof(length));
	ssize_t written = write(home, frame, end);
	(void)written;
}

/* "pawl: plugin ID WHAT FUNCTION() of node NODE; TAIL" */
static void say(const struct guard_call *call, const char *what, const char *tail)
{
	char line[512];
	size_t cap = sizeof(line) - 1;
	size_t at = append(line, 0, cap, "pawl: plugin ");
	at = append(line, at, cap, call->plugin);
	at = append(line, at, cap, what);
	at = append(line, at, cap, call->function);
	at = append(line, at, cap, "()");
	if (call->node) {
		at = append(line, at, cap, " of node ");
		at = append(line, at, cap, call->node);
	}
	at = append(line, at, cap, tail);
	line[at++] = '\n';
	ssize_t written = write(STDERR_FILENO, line, at);
	(void)written;
}

static const char goes_on[] = "; what was done before is stored, `pawl resume` continues it";

/* In a signal handler, as all that it calls: only what is safe there. */
static void tell_crash(const char *what)
{
	if (home >= 0) {
		send_home(current, what); /* who reads it notes it as well */
		return;
	}
	say(current, what, goes_on);
	guard_note_crash(current->note);
}

static void on_crash(int number, siginfo_t *info, void *context)
{
	(void)context;
	static const char *const words[CRASH_SIGNALS] = {" crashed (SIGSEGV) in ",
		" crashed (SIGBUS) in ", " crashed (SIGFPE) in ", " crashed (SIGILL) in ",
		" crashed (SIGABRT) in "};
	size_t which = 0;
	while (which + 1 < CRASH_SIGNALS && crash_signals[which] != number)
		which++;
	if (current)
		tell_crash(words[which]);
	sigaction(number, &previous[which], NULL);
	/* A fault happens again when the handler returns, with its address intact; a signal that was sent does not. */
	if (info->si_code <= 0)
		raise(number);
}

/* A plugin that calls exit() must not pass for a run that went well. */
static void on_exit_call(void)
{
	if (!current)
		return;
	tell_crash(" called exit() in ");
	_exit(EXIT_BY_PLUGIN);
}

/* ---- a call that does not come back ------------------------------------------------------------------------------------- */

static void end_by(int number)
{
	signal(number, SIG_DFL);
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, number);
	raise(number);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/* SIGINT or SIGTERM, where it waits to be read by a loop that can't be reached. */
static int stop_that_waits(void)
{
	sigset_t pending;
	if (sigpending(&pending) != 0)
		return 0;
	return sigismember(&pending, SIGINT)    ? SIGINT
	       : sigismember(&pending, SIGTERM) ? SIGTERM
	                                        : 0;
}

/* On the thread whose call takes long. */
static void on_impatience(int number)
{
	(void)number;
	int saved = errno;
	int stop = stop_that_waits();
	if (current && told != atomic_load(&calls)) {
		told = atomic_load(&calls);
		say(current, " does not come back from ",
			"; everything waits for it; interrupt it (Ctrl-C), and `pawl resume` continues");
	}
	if (current && stop) {
		tell_crash(" was ended in ");
		end_by(stop);
	}
	errno = saved;
}

/* Looks each second whether the same call still goes on.  The loop reads SIGINT and SIGTERM between calls, so a call that never
 * ends would keep the person who wants to stop it waiting for ever.  A thread and not a timer's signal: that would cut short
 * each sleep() and poll() of a plugin, which are only told of here when they have lasted too long anyway. */
static void *watch(void *arg)
{
	const struct timespec second = {.tv_sec = 1};
	unsigned seen = 0;
	unsigned seconds = 0;
	(void)arg;
	for (;;) {
		nanosleep(&second, NULL);
		unsigned now = atomic_load(&calls);
		seconds = atomic_load(&is_inside) && now == seen ? seconds + 1 : 0;
		seen = now;
		if (seconds == PATIENCE_S || (seconds > PATIENCE_S && stop_that_waits()))
			pthread_kill(watched_thread, SIGRTMAX - 1);
	}
	return NULL;
}

void guard_watch(void)
{
	static bool has_watch;
	struct sigaction action = {.sa_handler = on_impatience, .sa_flags = SA_RESTART};
	sigset_t all;
	sigset_t before;
	pthread_t thread;
	if (has_watch || home >= 0)
		return;
	watched_thread = pthread_self();
	sigemptyset(&action.sa_mask);
	if (sigaction(SIGRTMAX - 1, &action, NULL) != 0)
		return;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	has_watch = pthread_create(&thread, NULL, watch, NULL) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (has_watch)
		pthread_detach(thread);
	is_watched = has_watch;
}

void guard_set_crash_file(const char *path)
{
	crash_file[0] = '\0';
	if (path && strlen(path) < sizeof(crash_file))
		memcpy(crash_file, path, strlen(path) + 1);
}

void guard_in_copy(int pipe)
{
	home = pipe;
	is_watched = false; /* threads are not copied; who waits for the copy looks after it */
}

void guard_install(void)
{
	static char stack[64 << 10]; /* the plugin may have used up its own */
	static bool is_installed;
	stack_t alternate = {.ss_sp = stack, .ss_size = sizeof(stack)};
	stack_t present;
	if (sigaltstack(NULL, &present) != 0 || (present.ss_flags & SS_DISABLE))
		sigaltstack(&alternate, NULL);
	struct sigaction action = {.sa_sigaction = on_crash, .sa_flags = SA_SIGINFO | SA_ONSTACK};
	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < CRASH_SIGNALS; i++) {
		struct sigaction now;
		if (sigaction(crash_signals[i], NULL, &now) == 0 && now.sa_sigaction != on_crash)
			sigaction(crash_signals[i], &action, &previous[i]);
	}
	if (!is_installed) {
		is_installed = true;
		atexit(on_exit_call);
	}
}
