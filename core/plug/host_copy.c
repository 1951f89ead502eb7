/* host_copy: see host_copy.h.  It knows no plugin and no node, only processes and bytes. */
#include "plug/host_copy.h"
#include "plug/host_internal.h"

#include "base/mem.h"
#include "sys/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- frames ------------------------------------------------------------------------------------------------------------- */

static void write_all(int fd, const void *bytes, size_t n)
{
	const char *at = bytes;
	while (n > 0) {
		ssize_t done = write(fd, at, n);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			_exit(1); /* nobody listens any more */
		at += done;
		n -= (size_t)done;
	}
}

void copy_send(int home, enum frame_kind kind, str first, str second)
{
	unsigned char head[FRAME_HEAD] = {(unsigned char)kind};
	uint32_t length = (uint32_t)(first.len + second.len);
	if (first.len > FRAME_MAX || second.len > FRAME_MAX - first.len)
		_exit(1); /* more than is carried home */
	memcpy(head + 1, &length, sizeof(length));
	write_all(home, head, sizeof(head));
	write_all(home, first.ptr, first.len);
	write_all(home, second.ptr, second.len);
}

bool copy_frame(str bytes, enum frame_kind *kind, str *body, size_t *size)
{
	uint32_t length;
	if (bytes.len < FRAME_HEAD)
		return false;
	memcpy(&length, bytes.ptr + 1, sizeof(length));
	if (bytes.len - FRAME_HEAD < length)
		return false;
	*kind = (enum frame_kind)bytes.ptr[0];
	*body = str_make(bytes.ptr + FRAME_HEAD, length);
	*size = FRAME_HEAD + (size_t)length;
	return true;
}

/* ---- the copy ------------------------------------------------------------------------------------------------------------- */

int copy_fork(struct copy_process *copy, int *home, struct err *err)
{
	int ends[2];
	*copy = (struct copy_process){.pid = -1, .pidfd = -1, .pipe = -1};
	if (pipe2(ends, O_CLOEXEC) != 0) {
		err_sys(err, errno, "E-PLUGIN-APART", "no pipe for a process of a plugin's own");
		err_help(err, "raise the limit of open files: ulimit -n 4096");
		return -1;
	}
	pid_t self = getpid();
	fflush(NULL);
	pid_t child = fork();
	if (child == 0) {
		close(ends[0]);
		/* Ctrl-C is for the parent, which says what to do. */
		setpgid(0, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != self)
			_exit(1);
		loop_forget_parents();
		guard_in_copy(ends[1]);
		*home = ends[1];
		return 0;
	}
	int number = errno;
	close(ends[1]);
	if (child < 0) {
		close(ends[0]);
		err_sys(err, number, "E-PLUGIN-APART", "no process of a plugin's own");
		err_help(
			err, "raise the limit of processes (ulimit -u), or run less at once: -j 1");
		return -1;
	}
	copy->pid = child;
	copy->pipe = ends[0];
	copy->pidfd = (int)syscall(SYS_pidfd_open, child, 0);
	return 1;
}

void copy_end_words(struct buf *words, int status, const char *function)
{
	if (WIFSIGNALED(status)) {
		const char *name = sigabbrev_np(WTERMSIG(status));
		buf_printf(words, "was ended by SIG%s in %s()", name ? name : "?", function);
	} else {
		buf_printf(words, "left by _exit(%d) in %s()", WEXITSTATUS(status), function);
	}
}

void copy_explain(struct err *err, const char *plugin, const char *node, str words)
{
	err_set(err, "E-PLUGIN-CRASH", "the plugin %s %.*s%s%s", plugin, STR_ARG(words),
		node ? " of node " : "", node ? node : "");
	err_help(
		err, "it ran in a process of its own, so nothing else was harmed; tell its author");
}

/* ---- values ------------------------------------------------------------------------------------------------------------------ */

void wire_add_number(struct buf *out, uint64_t number)
{
	buf_add(out, str_make((const char *)&number, sizeof(number)));
}

void wire_add_str(struct buf *out, str text)
{
	wire_add_number(out, text.len);
	buf_add(out, text);
}

void wire_add_err(struct buf *out, const struct err *err)
{
	wire_add_str(out, str_of(err->code));
	wire_add_str(out, str_of(err->message));
	wire_add_str(out, str_of(err->help));
	wire_add_str(out, str_of(err->at.file));
	wire_add_number(out, err->at.line);
	wire_add_number(out, err->at.col);
	wire_add_number(out, err->at.len);
	wire_add_number(out, err->is_warning);
}

uint64_t wire_number(struct wire *in)
{
	uint64_t number = 0;
	if (in->rest.len < sizeof(number)) {
		in->is_broken = true;
		in->rest = STR("");
		return 0;
	}
	memcpy(&number, in->rest.ptr, sizeof(number));
	in->rest = str_slice(in->rest, sizeof(number), in->rest.len);
	return number;
}

str wire_str(struct wire *in)
{
	uint64_t len = wire_number(in);
	if (in->rest.len < len) {
		in->is_broken = true;
		in->rest = STR("");
		return STR("");
	}
	str text = str_slice(in->rest, 0, (size_t)len);
	in->rest = str_slice(in->rest, (size_t)len, in->rest.len);
	return text;
}

/* Codes and names of files are compared and kept by address, and there are few of them. */
static const char *keep(str text)
{
	static struct kept {
		struct kept *next;
		char *text;
	} * list;
	for (struct kept *kept = list; kept; kept = kept->next)
		if (str_is(text, kept->text))
			return kept->text;
	struct kept *kept = mem_alloc(sizeof(*kept));
	*kept = (struct kept){list, mem_dup(text.ptr, text.len)};
	list = kept;
	return kept->text;
}

void wire_err(struct wire *in, struct err *out)
{
	str code = wire_str(in);
	str message = wire_str(in);
	str help = wire_str(in);
	str file = wire_str(in);
	struct place at = {.line = (uint32_t)wire_number(in)};
	at.col = (uint32_t)wire_number(in);
	at.len = (uint32_t)wire_number(in);
	bool is_warning = wire_number(in) != 0;
	*out = (struct err){0};
	if (in->is_broken || !code.len)
		return;
	at.file = file.len ? keep(file) : NULL;
	err_set(out, keep(code), "%.*s", STR_ARG(message));
	if (help.len)
		err_help(out, "%.*s", STR_ARG(help));
	out->at = at;
	out->is_warning = is_warning;
}
