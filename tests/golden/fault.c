/* fault: a library that is loaded before the program's own (LD_PRELOAD) and lets one kind of system call fail, as a bad disk or a
 * full system would: FAULT="CALL NUMBER [N]" makes the N-th call (default: the first) and those after it fail with errno NUMBER.
 * It knows the calls that the tests ask for. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

static int is_hit(const char *call)
{
	static int seen;
	const char *fault = getenv("FAULT");
	size_t n = strlen(call);
	if (!fault || strncmp(fault, call, n) != 0 || fault[n] != ' ')
		return 0;
	char *rest;
	long number = strtol(fault + n, &rest, 10);
	if (++seen < strtol(rest, NULL, 10))
		return 0;
	errno = (int)number;
	return 1;
}

int fsync(int fd)
{
	return is_hit("fsync") ? -1 : (int)syscall(SYS_fsync, fd);
}

int pipe2(int ends[2], int flags)
{
	return is_hit("pipe2") ? -1 : (int)syscall(SYS_pipe2, ends, flags);
}

char *mkdtemp(char *name)
{
	static char *(*real)(char *);
	if (is_hit("mkdtemp"))
		return NULL;
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "mkdtemp");
	return real(name);
}

int epoll_create1(int flags)
{
	return is_hit("epoll") ? -1 : (int)syscall(SYS_epoll_create1, flags);
}

/* Locks of open file descriptions only: SQLite takes others. */
int fcntl64(int fd, int command, ...)
{
	va_list args;
	va_start(args, command);
	void *arg = va_arg(args, void *);
	va_end(args);
	if (command == F_OFD_SETLK && is_hit("lock"))
		return -1;
	return (int)syscall(SYS_fcntl, fd, command, arg);
}

int fcntl(int fd, int command, ...) __attribute__((alias("fcntl64")));

/* openat2 has no name of its own in the C library. */
long syscall(long number, ...)
{
	static long (*real)(long, ...);
	va_list args;
	long a[6];
	va_start(args, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "syscall");
	if (number == SYS_openat2 && is_hit("openat2"))
		return -1;
	return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
