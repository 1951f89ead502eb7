/* tty_guard: what a terminal is left with when the program ends in a way that nobody planned.  See tty.h.  The cursor is
 * never hidden and no mode of the terminal is changed, so that after SIGKILL too there is nothing to repair. */
#include "sys/tty.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GUARD_MOST 32

static char texts[2][GUARD_MOST];
static _Atomic(const char *) guarded = "";
static volatile sig_atomic_t guard_fd = -1;
static volatile sig_atomic_t is_continued;

static const int crashes[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS};
#define CRASH_COUNT (sizeof(crashes) / sizeof(crashes[0]))
static struct sigaction before[CRASH_COUNT];

static void restore(void)
{
	const char *bytes = atomic_exchange(&guarded, "");
	int error = errno;
	if (*bytes && write(guard_fd, bytes, strlen(bytes)) < 0)
		errno = error;
	errno = error;
}

/* Whoever handled it before (a sanitizer, the kernel) handles it again, on the same fault. */
static void on_crash(int number)
{
	restore();
	for (size_t i = 0; i < CRASH_COUNT; i++) {
		if (crashes[i] == number)
			sigaction(number, &before[i], NULL);
	}
	raise(number);
}

static void on_continued(int number)
{
	(void)number;
	is_continued = 1;
}

static void arm(void)
{
	static bool is_armed;
	if (is_armed)
		return;
	is_armed = true;
	atexit(restore);
	struct sigaction crash = {.sa_handler = on_crash};
	struct sigaction go_on = {.sa_handler = on_continued, .sa_flags = SA_RESTART};
	sigemptyset(&crash.sa_mask);
	sigemptyset(&go_on.sa_mask);
	for (size_t i = 0; i < CRASH_COUNT; i++)
		sigaction(crashes[i], &crash, &before[i]);
	sigaction(SIGCONT, &go_on, NULL);
}

void tty_guard(int fd, const char *bytes)
{
	static unsigned which;
	size_t len = strlen(bytes);
	arm();
	guard_fd = fd;
	if (!len || len >= GUARD_MOST) {
		atomic_store(&guarded, "");
		return;
	}
	which = !which;
	memcpy(texts[which], bytes, len + 1);
	atomic_store(&guarded, texts[which]);
}

bool tty_was_continued(void)
{
	bool was = is_continued != 0;
	is_continued = 0;
	return was;
}
