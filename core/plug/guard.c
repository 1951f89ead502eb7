/* guard: whose code is on the stack, and last words when it crashes.  A plugin is native code: nothing keeps it from
 * crashing the process.  What can be done is to say whose fault it was, and that the work is not lost. */
#include "plug/host_internal.h"

#include <signal.h>
#include <unistd.h>

static _Thread_local struct guard_call *current;

static const int crash_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
#define CRASH_SIGNALS (sizeof(crash_signals) / sizeof(crash_signals[0]))
static struct sigaction previous[CRASH_SIGNALS];

const struct guard_call *guard_current(void)
{
	return current;
}

void guard_enter(struct guard_call *call)
{
	call->outer = current;
	current = call;
}

void guard_leave(const struct guard_call *call)
{
	current = call->outer;
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

/* In a signal handler: only what is safe there. */
static void last_words(const struct guard_call *call, const char *what)
{
	char line[512];
	size_t cap = sizeof(line) - 1;
	size_t at = append(line, 0, cap, "pawl: plugin ");
	at = append(line, at, cap, call->plugin);
	at = append(line, at, cap, " crashed (");
	at = append(line, at, cap, what);
	at = append(line, at, cap, ") in ");
	at = append(line, at, cap, call->function);
	if (call->node) {
		at = append(line, at, cap, "() of node ");
		at = append(line, at, cap, call->node);
	} else {
		at = append(line, at, cap, "()");
	}
	at = append(line, at, cap, "; what was done before is stored, `pawl resume` continues it");
	line[at++] = '\n';
	ssize_t written = write(STDERR_FILENO, line, at);
	(void)written;
}

static void on_crash(int number, siginfo_t *info, void *context)
{
	(void)context;
	static const char *const names[CRASH_SIGNALS] = {
		"SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGABRT"};
	size_t which = 0;
	while (which + 1 < CRASH_SIGNALS && crash_signals[which] != number)
		which++;
	if (current)
		last_words(current, names[which]);
	sigaction(number, &previous[which], NULL);
	/* A fault happens again when the handler returns, with its address intact; a signal that was sent does not. */
	if (info->si_code <= 0)
		raise(number);
}

void guard_install(void)
{
	static char stack[64 << 10]; /* the plugin may have used up its own */
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
}
