/* host_apart: a run whose plugin is called in a process of its own, because it has crashed before.  The process is a forked copy
 * of this one, so fields, values and workflow are there as they are here; it has a loop of its own, does what host_run.c
 * always does, and writes each event as a frame into a pipe.  What it lacks is the store: kv_get and kv_put are
 * unsupported there.
 *
 * The loop knows children that were spawned, not forked ones; so a `cat` brings the frames, and is the child that the loop
 * waits for.  It ends when the copy is gone, whatever became of it.
 *
 * A frame: one byte what it is, four bytes length, so many bytes. */
#include "plug/host_internal.h"

#include "base/mem.h"
#include "sys/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum frame_kind {
	FRAME_STDOUT = 'o',
	FRAME_STDERR = 'e',
	FRAME_EMIT = 'm',
	FRAME_ARTIFACT = 'a',
	FRAME_LOG = 'l',
	FRAME_PROGRESS = 'p',
	FRAME_FINISHED = 'f',
};

#define FRAME_HEAD 5
#define FRAME_MAX  ((size_t)1 << 30)

/* What the last frame begins with; code, message and help follow, each with its NUL. */
struct finished_frame {
	pawl_status status;
	int32_t has_exit;
	struct world_exit exit;
	int32_t has_error;
	uint32_t line;
	uint32_t col;
	uint32_t leftovers;
};

struct apart {
	struct pawl_run *run;
	int pipe;      /* where the frames can be read, for `cat` to open */
	int pidfd;     /* of the copy */
	struct buf in; /* the beginning of a frame */
	struct world_proc *cat;
	struct world_timer *grace;
	bool has_finished;
	pawl_status status;
};

static const struct world *world_of(const struct apart *apart)
{
	return apart->run->node->init.world;
}

/* ---- in the copy ------------------------------------------------------------------------------------------------------- */

struct copy {
	int pipe;
	struct pawl_run *run;
	const struct world *world;
};

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

static void send(const struct copy *copy, enum frame_kind kind, str first, str second)
{
	unsigned char head[FRAME_HEAD] = {(unsigned char)kind};
	uint32_t length = (uint32_t)(first.len + second.len);
	memcpy(head + 1, &length, sizeof(length));
	write_all(copy->pipe, head, sizeof(head));
	write_all(copy->pipe, first.ptr, first.len);
	write_all(copy->pipe, second.ptr, second.len);
}

/* With its NUL. */
static str with_nul(str text, struct buf *buf)
{
	buf_clear(buf);
	buf_add(buf, text);
	buf_add_char(buf, '\0');
	return buf_str(buf);
}

static void send_named(const struct copy *copy, enum frame_kind kind, str name, str value)
{
	struct buf first = {0};
	send(copy, kind, with_nul(name, &first), value);
	buf_finish(&first);
}

static void on_copy_output(void *arg, int32_t stream, str bytes)
{
	send(arg, stream == PAWL_STDOUT ? FRAME_STDOUT : FRAME_STDERR, bytes, STR(""));
}

static void on_copy_emit(void *arg, str name, str value)
{
	send_named(arg, FRAME_EMIT, name, value);
}

static void on_copy_artifact(void *arg, str name, const char *path)
{
	send_named(arg, FRAME_ARTIFACT, name, str_of(path));
}

static void on_copy_log(void *arg, int32_t level, str text)
{
	send(arg, FRAME_LOG, str_make((const char *)&level, sizeof(level)), text);
}

static void on_copy_progress(void *arg, double fraction, str text)
{
	send(arg, FRAME_PROGRESS, str_make((const char *)&fraction, sizeof(fraction)), text);
}

static void on_copy_finished(void *arg, const struct host_outcome *outcome)
{
	const struct copy *copy = arg;
	const struct err *err = outcome->err;
	struct finished_frame frame = {.status = outcome->status,
		.has_exit = outcome->has_exit,
		.exit = outcome->exit,
		.leftovers = outcome->leftovers};
	struct buf texts = {0};
	if (err && err_is_set(err)) {
		frame.has_error = true;
		frame.line = err->at.line;
		frame.col = err->at.col;
		buf_add_z(&texts, err->code);
		buf_add_char(&texts, '\0');
		buf_add_z(&texts, err->message ? err->message : "");
		buf_add_char(&texts, '\0');
		buf_add_z(&texts, err->help ? err->help : "");
		buf_add_char(&texts, '\0');
	}
	send(copy, FRAME_FINISHED, str_make((const char *)&frame, sizeof(frame)), buf_str(&texts));
	buf_finish(&texts);
	copy->world->quit(copy->world->ctx);
}

static void on_copy_signal(void *arg, int number)
{
	(void)number;
	host_cancel(((struct copy *)arg)->run, PAWL_CANCEL_USER);
}

static void run_copy(struct pawl_node *node, int pipe, int32_t parent)
{
	struct copy copy = {.pipe = pipe};
	struct host_events events = {
		.arg = &copy,
		.output = on_copy_output,
		.emit = on_copy_emit,
		.artifact = on_copy_artifact,
		.log = on_copy_log,
		.progress = on_copy_progress,
		.finished = on_copy_finished,
	};
	/* Ctrl-C is for the parent, which says what to do. */
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	loop_forget_parents();
	guard_set_crash_file(NULL); /* it is noted there already */
	struct err err = {0};
	struct loop *loop = loop_create(&err);
	if (!loop)
		_exit(1);
	struct plug_type *type = arena_new(&node->arena, struct plug_type);
	*type = *node->init.type;
	type->runs_apart = false;
	copy.world = loop_world(loop);
	node->init.type = type;
	node->init.world = copy.world;
	node->init.store = NULL;
	node->phase = HOST_IDLE;
	copy.world->on_signal(copy.world->ctx, on_copy_signal, &copy);
	copy.run = host_start(node, &events);
	copy.world->run(copy.world->ctx);
	loop_destroy(loop, 0);
	/* Without what exit() would do to files and the store, which are the parent's. */
	_exit(0);
}

/* ---- here ------------------------------------------------------------------------------------------------------------------ */

/* Codes are compared and kept for ever, and those of a plugin's run are few. */
static const char *keep_code(str code)
{
	static struct kept {
		struct kept *next;
		char *code;
	} * list;
	for (struct kept *kept = list; kept; kept = kept->next)
		if (str_is(code, kept->code))
			return kept->code;
	struct kept *kept = mem_alloc(sizeof(*kept));
	*kept = (struct kept){list, mem_dup(code.ptr, code.len)};
	list = kept;
	return kept->code;
}

static void take_finished(struct apart *apart, str bytes)
{
	struct pawl_run *run = apart->run;
	struct finished_frame frame;
	if (bytes.len < sizeof(frame))
		return;
	memcpy(&frame, bytes.ptr, sizeof(frame));
	apart->has_finished = true;
	apart->status = frame.status;
	run->outcome.has_exit = frame.has_exit;
	run->outcome.exit = frame.exit;
	run->outcome.leftovers = frame.leftovers;
	str rest = str_slice(bytes, sizeof(frame), bytes.len);
	str code;
	str message;
	str help;
	if (!frame.has_error || !str_split(&rest, '\0', &code) ||
		!str_split(&rest, '\0', &message) || !str_split(&rest, '\0', &help))
		return;
	struct err err = {0};
	err_set(&err, keep_code(code), "%.*s", STR_ARG(message));
	err_at(&err, (struct place){run->node->init.workflow->file, frame.line, frame.col, 0});
	if (help.len)
		err_help(&err, "%.*s", STR_ARG(help));
	host_fail_err(run->node, frame.status, &err);
}

static void take_named(struct apart *apart, enum frame_kind kind, str bytes)
{
	const struct host_events *events = &apart->run->events;
	size_t nul = str_find_char(bytes, '\0', 0);
	if (nul == SIZE_MAX)
		return;
	str name = str_slice(bytes, 0, nul);
	str value = str_slice(bytes, nul + 1, bytes.len);
	if (kind == FRAME_EMIT && events->emit) {
		events->emit(events->arg, name, value);
	} else if (kind == FRAME_ARTIFACT && events->artifact) {
		char *path = mem_dup(value.ptr, value.len);
		events->artifact(events->arg, name, path);
		free(path);
	}
}

static void take_frame(struct apart *apart, enum frame_kind kind, str bytes)
{
	const struct host_events *events = &apart->run->events;
	int32_t level;
	double fraction;
	switch (kind) {
	case FRAME_STDOUT:
	case FRAME_STDERR:
		run_output(apart->run, kind == FRAME_STDOUT ? PAWL_STDOUT : PAWL_STDERR, bytes);
		break;
	case FRAME_EMIT:
	case FRAME_ARTIFACT: take_named(apart, kind, bytes); break;
	case FRAME_LOG:
		if (bytes.len >= sizeof(level) && events->log) {
			memcpy(&level, bytes.ptr, sizeof(level));
			events->log(events->arg, level, str_slice(bytes, sizeof(level), bytes.len));
		}
		break;
	case FRAME_PROGRESS:
		if (bytes.len >= sizeof(fraction) && events->progress) {
			memcpy(&fraction, bytes.ptr, sizeof(fraction));
			events->progress(events->arg, fraction,
				str_slice(bytes, sizeof(fraction), bytes.len));
		}
		break;
	case FRAME_FINISHED: take_finished(apart, bytes); break;
	}
}

static void on_frames(void *arg, int32_t stream, str bytes)
{
	struct apart *apart = arg;
	size_t at = 0;
	if (stream != WORLD_STDOUT || apart->run->stage != RUN_ACTIVE)
		return;
	buf_add(&apart->in, bytes);
	while (apart->in.len - at >= FRAME_HEAD) {
		uint32_t length;
		memcpy(&length, apart->in.ptr + at + 1, sizeof(length));
		if (length > FRAME_MAX || apart->in.len - at - FRAME_HEAD < length)
			break;
		take_frame(apart, (enum frame_kind)apart->in.ptr[at],
			str_make(apart->in.ptr + at + FRAME_HEAD, length));
		at += FRAME_HEAD + length;
	}
	memmove(apart->in.ptr, apart->in.ptr + at, apart->in.len - at);
	apart->in.len -= at;
}

/* The copy is gone, and all that it wrote has been read. */
static void on_gone_copy(void *arg, const struct world_exit *exit)
{
	struct apart *apart = arg;
	struct pawl_run *run = apart->run;
	(void)exit;
	apart->cat = NULL;
	run->live_procs--;
	if (run->stage == RUN_ACTIVE && run->cancel_reason) {
		run_end(run, run_cancel_status(run));
	} else if (run->stage == RUN_ACTIVE && apart->has_finished) {
		run_end(run, apart->status);
	} else if (run->stage == RUN_ACTIVE) {
		const pawl_plugin *plugin = run->node->init.type->plugin;
		struct err err = {0};
		err_set(&err, "E-PLUGIN-CRASH", "the plugin %s crashed while it ran node %s",
			plugin->id, run->node->id);
		err_help(&err,
			"it has crashed before, so it ran in a process of its own and nothing else was harmed; tell its author");
		run_end(run, host_fail_err(run->node, PAWL_E_FAILED, &err));
	}
	run_after_callback(run);
}

static void signal_copy(const struct apart *apart, int number)
{
	if (apart->pidfd >= 0)
		syscall(SYS_pidfd_send_signal, apart->pidfd, number, NULL, 0);
}

static void on_grace_over(void *arg)
{
	struct apart *apart = arg;
	apart->grace = NULL;
	signal_copy(apart, SIGKILL);
}

void apart_cancel(struct pawl_run *run)
{
	struct apart *apart = run->apart;
	const struct world *world = world_of(apart);
	signal_copy(apart, SIGTERM);
	if (!apart->grace)
		apart->grace = world->timer_start(
			world->ctx, run->node->init.grace_ms + 500, on_grace_over, apart);
}

void apart_kill(struct pawl_run *run)
{
	if (run->apart)
		signal_copy(run->apart, SIGKILL);
}

void apart_finish(struct pawl_run *run)
{
	struct apart *apart = run->apart;
	if (!apart)
		return;
	signal_copy(apart, SIGKILL);
	world_of(apart)->timer_stop(world_of(apart)->ctx, apart->grace);
	if (apart->pidfd >= 0)
		close(apart->pidfd);
	if (apart->pipe >= 0)
		close(apart->pipe);
	buf_finish(&apart->in);
	run->apart = NULL;
}

static bool start_cat(struct apart *apart, struct err *err)
{
	const struct host_node_init *init = &apart->run->node->init;
	const char *path =
		arena_printf(&apart->run->arena, "/proc/%d/fd/%d", (int)getpid(), apart->pipe);
	const char *const argv[] = {"/bin/cat", path, NULL};
	struct world_spawn spec = {.argv = argv,
		.env = init->env,
		.marker = init->marker,
		.on_output = on_frames,
		.on_exit = on_gone_copy,
		.arg = apart};
	apart->cat = init->world->proc_start(init->world->ctx, &spec, err);
	return apart->cat != NULL;
}

pawl_status apart_begin(struct pawl_run *run)
{
	struct pawl_node *node = run->node;
	struct apart *apart = arena_new(&run->arena, struct apart);
	struct err err = {0};
	int ends[2];
	*apart = (struct apart){.run = run, .pipe = -1, .pidfd = -1};
	run->apart = apart;
	if (pipe2(ends, O_CLOEXEC) != 0) {
		err_sys(&err, errno, "E-PLUGIN-APART", "no pipe for a process of node %s",
			node->id);
		return host_fail_err(node, PAWL_E_SYSTEM, &err);
	}
	apart->pipe = ends[0];
	host_note(node, PAWL_LOG_INFO,
		"this plugin crashed before, so it runs in a process of its own; see .pawl/state/crashed-plugins");
	int32_t self = (int32_t)getpid();
	fflush(NULL);
	pid_t child = fork();
	if (child == 0)
		run_copy(node, ends[1], self);
	close(ends[1]);
	if (child < 0) {
		err_sys(&err, errno, "E-PLUGIN-APART", "no process for node %s", node->id);
		return host_fail_err(node, PAWL_E_SYSTEM, &err);
	}
	apart->pidfd = (int)syscall(SYS_pidfd_open, child, 0);
	if (!start_cat(apart, &err))
		return host_fail_err(node, PAWL_E_SYSTEM, &err);
	run->live_procs++;
	return PAWL_PENDING;
}
