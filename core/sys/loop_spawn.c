/* loop_spawn: starts one process the vfork way: the child borrows our memory until exec, so that the price does not
 * grow with our size, and says by itself which step failed.  It knows nothing of what happens to the child later. */
#include "sys/loop_internal.h"

#include "base/mem.h"
#include "sys/bodies_internal.h"
#include "sys/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define STACK_SIZE (64u << 10)

#define NO_SANITIZE __attribute__((no_sanitize("address", "undefined", "thread"), noinline))

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1
#endif
#endif
/* ThreadSanitizer's clone() takes the child for a fork and notes so in memory that here is the parent's too. */
#if defined(__SANITIZE_THREAD__)
int __clone(int (*fn)(void *), void *stack, int flags, void *arg, ...);
#define clone __clone
#endif

enum spawn_step { STEP_SETUP, STEP_CWD, STEP_EXEC };

/* What the child reads, and where it leaves word of what failed. */
struct spawn_job {
	const char *path;
	const struct world_spawn *spec;
	const bool *reset_signals;
	const struct rlimit *files; /* open files it may have, or NULL: as we */
	struct body_note note;
	int fds[3];
	enum spawn_step step;
	int error;
};

/* Both ends of the three pipes: [i] is descriptor i of the child. */
struct spawn_pipes {
	int child[3];
	int ours[3];
};

bool spawn_init(struct loop *loop, struct err *err)
{
	/* A pipe that got number 0, 1 or 2 would be overwritten in the child before it is used. */
	int fd;
	do {
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	} while (fd >= 0 && fd <= 2);
	if (fd < 0)
		return err_sys(err, errno, "E-LOOP-SYSTEM", "cannot open /dev/null");
	loop->null_fd = fd;
	void *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (stack == MAP_FAILED)
		return err_sys(
			err, errno, "E-LOOP-SYSTEM", "cannot map %u bytes of stack", STACK_SIZE);
	loop->spawn_stack = stack;
	/* Handlers would run in our memory; ignored signals would stay ignored through exec. */
	for (int i = 1; i <= 64; i++) {
		struct sigaction action;
		loop->reset_signals[i] = i != SIGKILL && i != SIGSTOP &&
		                         sigaction(i, NULL, &action) == 0 &&
		                         action.sa_handler != SIG_DFL;
	}
	return true;
}

void spawn_finish(struct loop *loop)
{
	if (loop->spawn_stack != NULL)
		munmap(loop->spawn_stack, STACK_SIZE);
	loop->spawn_stack = NULL;
	if (loop->null_fd >= 0)
		close(loop->null_fd);
	loop->null_fd = -1;
}

/* In the child, before it may do anything: puts it on record (see bodies.h).  False where nobody is left to wait for it:
 * whoever looks for what a killed pawl left looks only after that, so that a child is recorded by then, or does not begin. */
NO_SANITIZE static bool record_child(struct body_note *note)
{
	if (note->has_limit)
		syscall(SYS_prlimit64, 0, BODIES_RLIMIT, &note->limit, NULL);
	int fd = note->fd < 0 ? -1
	                      : (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/stat",
					O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		syscall(SYS_read, fd, note->slot, sizeof(note->slot) - 1);
		syscall(SYS_close, fd);
		syscall(SYS_pwrite64, note->fd, note->slot, sizeof(note->slot), note->at);
	}
	return syscall(SYS_getppid) == note->parent;
}

/* In the child, on its own stack but in our memory, with every signal blocked: nothing here may allocate, lock or call
 * what a sanitizer has replaced. */
NO_SANITIZE static int child_main(void *arg)
{
	struct spawn_job *job = arg;
	const struct world_spawn *spec = job->spec;
	static const uint64_t zeros[8];
	job->step = STEP_SETUP;
	/* A session of its own, and so a process group: what a shell or `timeout` in it puts into another group is in it
	 * still, and a terminal is out of its reach (reading from one would stop it for ever). */
	if (setsid() < 0 || !record_child(&job->note))
		goto fail;
	for (int i = 0; i < 3; i++) {
		if (syscall(SYS_dup3, job->fds[i], i, 0) < 0)
			goto fail;
	}
	/* What we were started with and never marked close-on-exec is nothing for the child either. */
	syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC);
	job->step = STEP_CWD;
	if (spec->cwd != NULL && syscall(SYS_chdir, spec->cwd) < 0)
		goto fail;
	for (int i = 1; i <= 64; i++) {
		/* The kernel's struct sigaction, all zero: SIG_DFL. */
		if (job->reset_signals[i])
			syscall(SYS_rt_sigaction, i, zeros, NULL, 8);
	}
	if (job->files != NULL)
		syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, job->files, NULL);
	job->step = STEP_EXEC;
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, zeros, NULL, 8);
	syscall(SYS_execve, job->path, spec->argv, spec->env);
fail:
	job->error = errno;
	syscall(SYS_exit_group, 127);
	return 127;
}

/* The child's pid and its pidfd, or -1 with job->error set and no child left. */
static int32_t clone_and_exec(struct loop *loop, struct spawn_job *job, int *pidfd)
{
	sigset_t all;
	sigset_t old;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	int pid = clone(child_main, loop->spawn_stack + STACK_SIZE,
		CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, job, pidfd);
	if (pid < 0) {
		job->step = STEP_SETUP;
		job->error = errno;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (pid >= 0 && job->error != 0) {
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		close(*pidfd);
		*pidfd = -1;
		return -1;
	}
	return pid;
}

static const char *env_path(const char *const *env)
{
	for (; *env != NULL; env++) {
		if (strncmp(*env, "PATH=", 5) == 0)
			return *env + 5;
	}
	return NULL;
}

static bool cwd_error(const struct world_spawn *spec, int number, struct err *err)
{
	err_sys(err, number, "E-SPAWN-CWD", "cannot enter the working directory '%s'", spec->cwd);
	if (number == ENOENT)
		return err_help(err, "make the directory '%s', or name another one", spec->cwd);
	return false;
}

static bool not_found(const struct world_spawn *spec, const char *path, struct err *err)
{
	const char *name = spec->argv[0];
	if (strchr(name, '/') != NULL) {
		err_set(err, "E-SPAWN-NOT-FOUND", "there is no program '%s' (seen from '%s')", name,
			spec->cwd != NULL ? spec->cwd : ".");
		return err_help(err, "check the path, or the interpreter that the first line "
				     "of a script names");
	}
	err_set(err, "E-SPAWN-NOT-FOUND", "there is no program '%s' in PATH (%s)", name,
		path != NULL ? path : "not set: /usr/bin:/bin");
	return err_help(err, "install '%s', or add its directory to PATH", name);
}

static bool exec_error(
	const struct world_spawn *spec, const char *file, int number, struct err *err)
{
	const char *name = spec->argv[0];
	if (number == ENOENT || number == ENOTDIR)
		return not_found(spec, env_path(spec->env), err);
	err_sys(err, number, "E-SPAWN-SYSTEM", "cannot run '%s'", name);
	if (number == EACCES)
		return err_help(err, "chmod +x '%s'", file);
	if (number == ENOEXEC)
		return err_help(err, "a script needs a first line such as #!/bin/sh");
	if (number == E2BIG)
		return err_help(err, "its arguments and environment are larger than the system "
				     "allows; pass large values through a file or standard input");
	return false;
}

static bool help_files(struct err *err)
{
	return err_help(
		err, "raise the limit on open files (ulimit -n), or run fewer jobs at once");
}

static bool job_error(const struct spawn_job *job, struct err *err)
{
	if (job->step == STEP_CWD)
		return cwd_error(job->spec, job->error, err);
	if (job->step == STEP_EXEC)
		return exec_error(job->spec, job->path, job->error, err);
	err_sys(err, job->error, "E-SPAWN-SYSTEM", "cannot start a process for '%s'",
		job->spec->argv[0]);
	if (job->error == EMFILE || job->error == ENFILE)
		return help_files(err);
	if (job->error == EAGAIN)
		return err_help(err, "raise the limit on processes (ulimit -u), or run fewer "
				     "jobs at once");
	return false;
}

static bool open_pipe(struct spawn_pipes *pipes, int which, struct err *err)
{
	int fds[2];
	if (pipe2(fds, O_CLOEXEC) != 0) {
		err_sys(err, errno, "E-SPAWN-SYSTEM", "cannot make a pipe");
		return help_files(err);
	}
	bool is_input = which == 0;
	pipes->child[which] = is_input ? fds[0] : fds[1];
	pipes->ours[which] = is_input ? fds[1] : fds[0];
	/* Our end only: programs do not expect a standard stream that says EAGAIN. */
	if (fcntl(pipes->ours[which], F_SETFL, O_NONBLOCK) != 0)
		return err_sys(err, errno, "E-SPAWN-SYSTEM", "cannot set up a pipe");
	return true;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static bool open_pipes(struct spawn_pipes *pipes, const struct world_spawn *spec, struct err *err)
{
	*pipes = (struct spawn_pipes){{-1, -1, -1}, {-1, -1, -1}};
	bool ok = (!spec->input_open && spec->input.len == 0) || open_pipe(pipes, 0, err);
	ok = ok && open_pipe(pipes, 1, err);
	return ok && (spec->merge_stderr || open_pipe(pipes, 2, err));
}

/* The file to exec: argv[0] itself where it has a slash (exec looks at it from the new directory), else what PATH
 * gives.  It is looked up each time: a node may have put a better one in place a moment ago. */
static char *find_program(const struct world_spawn *spec, struct err *err)
{
	const char *name = spec->argv[0];
	if (name == NULL || name[0] == '\0') {
		err_set(err, "E-SPAWN-NOT-FOUND", "the command is empty");
		return NULL;
	}
	if (strchr(name, '/') != NULL)
		return mem_dup(name, strlen(name));
	const char *path = env_path(spec->env);
	char *found = proc_which(name, path, spec->cwd);
	if (found != NULL)
		return found;
	struct stat st;
	if (spec->cwd != NULL && stat(spec->cwd, &st) != 0)
		cwd_error(spec, errno, err);
	else if (spec->cwd != NULL && !S_ISDIR(st.st_mode))
		cwd_error(spec, ENOTDIR, err);
	else
		not_found(spec, path, err);
	return NULL;
}

bool spawn_child(struct loop *loop, struct world_proc *child, const struct world_spawn *spec,
	struct err *err)
{
	child->exit.fd = child->in.fd = child->out[0].fd = child->out[1].fd = -1;
	child->slot = BODIES_NO_SLOT;
	char *path = find_program(spec, err);
	if (path == NULL)
		return false;
	struct spawn_pipes pipes;
	bool ok = open_pipes(&pipes, spec, err);
	if (ok) {
		struct spawn_job job = {.path = path,
			.spec = spec,
			.reset_signals = loop->reset_signals,
			.files = limits_for_child()};
		child->slot = bodies_begin(&job.note);
		job.fds[0] = pipes.child[0] >= 0 ? pipes.child[0] : loop->null_fd;
		job.fds[1] = pipes.child[1];
		job.fds[2] = spec->merge_stderr ? pipes.child[1] : pipes.child[2];
		child->pid = clone_and_exec(loop, &job, &child->exit.fd);
		ok = child->pid > 0 || job_error(&job, err);
	}
	free(path);
	if (!ok)
		bodies_end(child->slot);
	for (int i = 0; i < 3; i++) {
		close_fd(&pipes.child[i]);
		if (!ok)
			close_fd(&pipes.ours[i]);
	}
	child->in.fd = pipes.ours[0];
	child->out[0].fd = pipes.ours[1];
	child->out[1].fd = pipes.ours[2];
	return ok;
}
