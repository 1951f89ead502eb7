/* die_at_call: runs a program and kills it right before the n-th system call by which it changes a file: a write, a sync, a
 * name made, changed or taken away.  Unlike PAWL_TEST_DIE_AT it needs no word from the program, so that SQLite's own calls
 * count too, and a step that somebody adds can't be forgotten.  It knows nothing of pawl.
 *
 *     die_at_call N PROGRAM [ARGUMENT...]
 *
 * Exits with what the program exits with, or with 137 where it was killed.  N=0 only counts: the number of calls goes to the
 * file that $DIE_AT_CALL_COUNT names.  Threads count, children don't.
 *
 * With FAIL_WITH=ERRNO, a number, that call is not made and fails instead, and the program lives; with FAIL_ON=always so do
 * all calls after it.  Exits with 124 where the program ended by itself before the call. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

/* A descriptor of a file with a name: no pipe, socket, terminal or event. */
static bool is_file(pid_t pid, uint64_t fd)
{
	char path[64];
	char target[8];
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, (int)fd);
	ssize_t n = readlink(path, target, sizeof(target));
	return n > 4 && target[0] == '/' && memcmp(target, "/dev", 4) != 0;
}

static bool changes_a_file(pid_t pid, uint64_t number, const uint64_t *args)
{
	switch (number) {
	case SYS_write:
	case SYS_pwrite64:
	case SYS_writev:
	case SYS_pwritev:
	case SYS_ftruncate:
	case SYS_fallocate: return is_file(pid, args[0]);
	case SYS_sendfile:
	case SYS_copy_file_range: return true;
	case SYS_openat: return (args[2] & (O_CREAT | O_TRUNC)) != 0;
	case SYS_fsync:
	case SYS_fdatasync:
	case SYS_fchmod:
	case SYS_fchmodat:
	case SYS_mkdirat:
	case SYS_linkat:
	case SYS_symlinkat:
	case SYS_renameat:
	case SYS_renameat2:
	case SYS_unlinkat:
#ifdef SYS_open
	case SYS_mkdir:
	case SYS_rename:
	case SYS_unlink:
	case SYS_rmdir:
	case SYS_symlink:
	case SYS_chmod:
#endif
		return true;
#ifdef SYS_open
	case SYS_open: return (args[1] & (O_CREAT | O_TRUNC)) != 0;
#endif
	default: return false;
	}
}

static void write_count(uint64_t calls)
{
	const char *path = getenv("DIE_AT_CALL_COUNT");
	FILE *file = path ? fopen(path, "w") : NULL;
	if (!file)
		return;
	fprintf(file, "%llu\n", (unsigned long long)calls);
	fclose(file);
}

/* Not made; gives -ERRNO.  The thread is left as it is after a system call. */
static bool fail_call(pid_t pid, int number)
{
#ifdef __x86_64__
	struct user_regs_struct regs;
	int status;
	if (ptrace(PTRACE_GETREGS, pid, NULL, &regs) != 0)
		return false;
	regs.orig_rax = (unsigned long long)-1;
	if (ptrace(PTRACE_SETREGS, pid, NULL, &regs) != 0 ||
		ptrace(PTRACE_SYSCALL, pid, NULL, NULL) != 0 ||
		waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status) ||
		ptrace(PTRACE_GETREGS, pid, NULL, &regs) != 0)
		return false;
	regs.rax = (unsigned long long)-(long long)number;
	return ptrace(PTRACE_SETREGS, pid, NULL, &regs) == 0;
#else
	(void)pid;
	(void)number;
	return false;
#endif
}

/* A thread or the process has stopped before or after a system call. */
static bool is_change(pid_t pid)
{
	struct __ptrace_syscall_info info = {0};
	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof(info), &info) <= 0)
		return false;
	return info.op == PTRACE_SYSCALL_INFO_ENTRY &&
	       changes_a_file(pid, info.entry.nr, (const uint64_t *)info.entry.args);
}

/* The signal to pass on when a tracee goes on: none of ptrace's own. */
static int signal_of(int status, bool *started)
{
	int sig = WSTOPSIG(status);
	if (sig == (SIGTRAP | 0x80) || status >> 16 != 0 || sig == SIGTRAP)
		return 0;
	if (sig == SIGSTOP && !*started) {
		*started = true;
		return 0;
	}
	return sig;
}

/* What becomes of the calls from the one that was chosen. */
struct plan {
	uint64_t at;
	int error; /* 0: the program is killed */
	bool is_always;
};

static struct plan make_plan(uint64_t at)
{
	const char *error = getenv("FAIL_WITH");
	const char *on = getenv("FAIL_ON");
	return (struct plan){
		at, error ? (int)strtol(error, NULL, 10) : 0, on && strcmp(on, "always") == 0};
}

static int follow(pid_t program, const struct plan *plan)
{
	uint64_t calls = 0;
	for (;;) {
		int status;
		pid_t pid = waitpid(-1, &status, __WALL);
		if (pid < 0)
			return errno == EINTR ? 1 : 126;
		if (pid == program && WIFEXITED(status)) {
			write_count(calls);
			return plan->error && calls < plan->at ? 124 : WEXITSTATUS(status);
		}
		if (pid == program && WIFSIGNALED(status))
			return 128 + WTERMSIG(status);
		if (!WIFSTOPPED(status))
			continue;
		bool is_call = WSTOPSIG(status) == (SIGTRAP | 0x80);
		bool is_next = is_call && is_change(pid) && ++calls == plan->at;
		if (is_next && !plan->error) {
			kill(program, SIGKILL);
			continue;
		}
		bool fails = is_next || (is_call && plan->is_always && plan->at &&
						calls > plan->at && is_change(pid));
		if (fails && !fail_call(pid, plan->error))
			return 125;
		/* A new thread begins with a SIGSTOP that is not meant for it. */
		bool has_started = pid == program;
		ptrace(PTRACE_SYSCALL, pid, NULL,
			(void *)(intptr_t)signal_of(status, &has_started));
	}
}

int main(int argc, char **argv)
{
	char *end = NULL;
	uint64_t at = argc > 2 ? strtoull(argv[1], &end, 10) : 0;
	if (argc < 3 || *end) {
		fprintf(stderr, "usage: die_at_call N PROGRAM [ARGUMENT...]\n");
		return 2;
	}
	pid_t pid = fork();
	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0) {
			raise(SIGSTOP);
			execv(argv[2], argv + 2);
		}
		perror("die_at_call");
		_exit(125);
	}
	int status;
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status) ||
		ptrace(PTRACE_SETOPTIONS, pid, NULL,
			(void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE |
				 PTRACE_O_EXITKILL)) != 0) {
		fprintf(stderr, "die_at_call: %s can't be traced here\n", argv[2]);
		return 125;
	}
	ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
	struct plan plan = make_plan(at);
	return follow(pid, &plan);
}
