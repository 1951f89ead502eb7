/* host_apart: a run whose plugin is called in a process of its own, because it has crashed before.  The process is a forked copy
 * of this one, so fields, values and workflow are there as they are here; it has a loop of its own, does what host_run.c
 * always does, and writes each event as a frame into a pipe.  What it lacks is the store, whose locks and connection are not
 * for two processes: what kv_get and kv_put want is asked for by a frame, and answered through a second pipe.
 *
 * The loop knows children that were spawned, not forked ones; so a `cat` brings the frames, and is the child that the loop
 * waits for.  It ends when the copy is gone, whatever became of it. */
#include "plug/host_copy.h"
#include "plug/host_internal.h"

#include "base/mem.h"
#include "store/runs.h"
#include "sys/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PIECE     ((size_t)64 << 10)
#define ANSWER_MS 10000 /* until a copy that does not take its answer is ended */

struct apart {
	struct pawl_run *run;
	pid_t pid; /* of the copy */
	int pidfd;
	int pipe;         /* where the frames can be read, for `cat` to open */
	int answers;      /* where what it asks for is written */
	struct buf in;    /* the beginning of a frame */
	struct buf words; /* of its crash */
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
	int home;
	int answers; /* where they come from */
	struct pawl_run *run;
	const struct world *world;
};

static int home_of(const void *arg)
{
	return ((const struct copy *)arg)->home;
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
	copy_send(copy->home, kind, with_nul(name, &first), value);
	buf_finish(&first);
}

static void on_copy_output(void *arg, int32_t stream, str bytes)
{
	const struct copy *copy = arg;
	enum frame_kind kind = stream == PAWL_STDOUT ? FRAME_STDOUT : FRAME_STDERR;
	/* In pieces: who reads it keeps one frame at a time. */
	for (size_t at = 0; at < bytes.len; at += PIECE)
		copy_send(copy->home, kind, str_slice(bytes, at, at + PIECE), STR(""));
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
	copy_send(home_of(arg), FRAME_LOG, str_make((const char *)&level, sizeof(level)), text);
}

static void on_copy_progress(void *arg, double fraction, str text)
{
	copy_send(home_of(arg), FRAME_PROGRESS, str_make((const char *)&fraction, sizeof(fraction)),
		text);
}

static void on_copy_finished(void *arg, const struct host_outcome *outcome)
{
	static const struct err nothing;
	const struct copy *copy = arg;
	struct buf frame = {0};
	wire_add_number(&frame, (uint64_t)outcome->status);
	wire_add_number(&frame, outcome->has_exit);
	wire_add_str(&frame, str_make((const char *)&outcome->exit, sizeof(outcome->exit)));
	wire_add_number(&frame, outcome->leftovers);
	wire_add_err(&frame, outcome->err ? outcome->err : &nothing);
	copy_send(copy->home, FRAME_FINISHED, buf_str(&frame), STR(""));
	buf_finish(&frame);
	copy->world->quit(copy->world->ctx);
}

static void read_all(int fd, void *bytes, size_t n)
{
	char *at = bytes;
	while (n > 0) {
		ssize_t got = read(fd, at, n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			_exit(1); /* nobody is there any more */
		at += got;
		n -= (size_t)got;
	}
}

/* Waits for what the process that has the store says. */
static bool ask(const struct copy *copy, enum frame_kind kind, const char *key, str value,
	struct buf *answer, struct err *err)
{
	send_named(copy, kind, str_of(key), value);
	uint64_t length;
	read_all(copy->answers, &length, sizeof(length));
	char *bytes = mem_alloc((size_t)length + 1);
	read_all(copy->answers, bytes, (size_t)length);
	buf_add(answer, str_make(bytes, (size_t)length));
	free(bytes);
	struct wire in = {.rest = buf_str(answer)};
	wire_err(&in, err);
	return !err_is_set(err);
}

bool apart_kv_get(struct pawl_run *run, const char *key, str *value, bool *found, struct err *err)
{
	struct buf answer = {0};
	struct err ignored = {0};
	bool ok = ask(run->node->copy, FRAME_GET, key, STR(""), &answer, err);
	struct wire in = {.rest = buf_str(&answer)};
	wire_err(&in, &ignored);
	err_finish(&ignored);
	*found = wire_number(&in) != 0;
	*value = arena_str(&run->arena, wire_str(&in));
	buf_finish(&answer);
	return ok;
}

bool apart_kv_put(struct pawl_run *run, const char *key, str value, struct err *err)
{
	struct buf answer = {0};
	bool ok = ask(run->node->copy, FRAME_PUT, key, value, &answer, err);
	buf_finish(&answer);
	return ok;
}

static void on_copy_signal(void *arg, int number)
{
	(void)number;
	host_cancel(((struct copy *)arg)->run, PAWL_CANCEL_USER);
}

_Noreturn static void run_copy(struct pawl_node *node, int home, int answers)
{
	static struct plug_health
		healthy; /* a crash is sent home; nothing else to be done about it */
	struct copy copy = {.home = home, .answers = answers};
	struct host_events events = {
		.arg = &copy,
		.output = on_copy_output,
		.emit = on_copy_emit,
		.artifact = on_copy_artifact,
		.log = on_copy_log,
		.progress = on_copy_progress,
		.finished = on_copy_finished,
	};
	struct err err = {0};
	struct loop *loop = loop_create(&err);
	if (!loop)
		_exit(1);
	struct plug_type *type = arena_new(&node->arena, struct plug_type);
	*type = *node->init.type;
	type->health = &healthy;
	copy.world = loop_world(loop);
	node->init.type = type;
	node->init.world = copy.world;
	node->copy = node->init.store ? &copy : NULL;
	node->phase = HOST_IDLE;
	copy.world->on_signal(copy.world->ctx, on_copy_signal, &copy);
	copy.run = host_start(node, &events);
	copy.world->run(copy.world->ctx);
	loop_destroy(loop, 0);
	/* Without what exit() would do to files and the store, which are the parent's. */
	_exit(0);
}

/* ---- here ------------------------------------------------------------------------------------------------------------------ */

static void signal_copy(const struct apart *apart, int number)
{
	if (apart->pidfd >= 0)
		syscall(SYS_pidfd_send_signal, apart->pidfd, number, NULL, 0);
}

static void take_finished(struct apart *apart, str bytes)
{
	struct pawl_run *run = apart->run;
	struct wire in = {.rest = bytes};
	struct err err = {0};
	apart->status = (pawl_status)wire_number(&in);
	run->outcome.has_exit = wire_number(&in) != 0;
	str exit = wire_str(&in);
	if (exit.len == sizeof(run->outcome.exit))
		memcpy(&run->outcome.exit, exit.ptr, sizeof(run->outcome.exit));
	run->outcome.leftovers = (uint32_t)wire_number(&in);
	wire_err(&in, &err);
	apart->has_finished = !in.is_broken;
	if (err_is_set(&err))
		host_fail_err(run->node, apart->status, &err);
}

/* The copy waits for it, so it is read as fast as it is written, unless the copy is stopped or gone. */
static void send_answer(struct apart *apart, str answer)
{
	uint64_t length = answer.len;
	struct buf bytes = {0};
	buf_add(&bytes, str_make((const char *)&length, sizeof(length)));
	buf_add(&bytes, answer);
	size_t at = 0;
	while (at < bytes.len) {
		ssize_t done = write(apart->answers, bytes.ptr + at, bytes.len - at);
		struct pollfd ready = {.fd = apart->answers, .events = POLLOUT};
		if (done > 0)
			at += (size_t)done;
		else if (errno != EINTR && (errno != EAGAIN || poll(&ready, 1, ANSWER_MS) != 1 ||
						   !(ready.revents & POLLOUT)))
			break;
	}
	if (at < bytes.len)
		signal_copy(apart, SIGKILL);
	buf_finish(&bytes);
}

static void take_question(struct apart *apart, enum frame_kind kind, str bytes)
{
	const struct pawl_node *node = apart->run->node;
	size_t nul = str_find_char(bytes, '\0', 0);
	str plugin = str_of(node->init.type->plugin->id);
	struct arena arena = {0};
	struct buf answer = {0};
	struct err err = {0};
	str value = STR("");
	bool found = false;
	if (nul == SIZE_MAX || !node->init.store)
		return;
	str key = str_slice(bytes, 0, nul);
	if (kind == FRAME_GET)
		kv_get(node->init.store, &arena, plugin, key, &value, &found, &err);
	else
		kv_put(node->init.store, plugin, key, str_slice(bytes, nul + 1, bytes.len), &err);
	wire_add_err(&answer, &err);
	wire_add_number(&answer, found);
	wire_add_str(&answer, value);
	send_answer(apart, buf_str(&answer));
	buf_finish(&answer);
	err_finish(&err);
	arena_finish(&arena);
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
	case FRAME_GET:
	case FRAME_PUT: take_question(apart, kind, bytes); break;
	case FRAME_FINISHED: take_finished(apart, bytes); break;
	case FRAME_CRASH:
		buf_clear(&apart->words);
		buf_add(&apart->words, bytes);
		break;
	case FRAME_ANSWER: break; /* of other calls */
	}
}

static void on_frames(void *arg, int32_t stream, str bytes)
{
	struct apart *apart = arg;
	enum frame_kind kind;
	str body;
	size_t size;
	size_t at = 0;
	if (stream != WORLD_STDOUT || apart->run->stage != RUN_ACTIVE)
		return;
	buf_add(&apart->in, bytes);
	while (copy_frame(str_slice(buf_str(&apart->in), at, apart->in.len), &kind, &body, &size)) {
		take_frame(apart, kind, body);
		at += size;
	}
	memmove(apart->in.ptr, apart->in.ptr + at, apart->in.len - at);
	apart->in.len -= at;
}

/* How it ended, as far as it is still known; the loop may have seen it off. */
static int end_of_copy(const struct apart *apart)
{
	siginfo_t info = {0};
	if (waitid(P_PID, (id_t)apart->pid, &info, WEXITED | WNOWAIT | WNOHANG) != 0 ||
		info.si_pid != apart->pid)
		return SIGKILL;
	return info.si_code == CLD_EXITED ? (info.si_status & 0xff) << 8 : info.si_status & 0x7f;
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
		struct err err = {0};
		if (!apart->words.len)
			copy_end_words(&apart->words, end_of_copy(apart), "start");
		copy_explain(&err, run->node->init.type->plugin->id, run->node->id,
			buf_str(&apart->words));
		run_end(run, host_fail_err(run->node, PAWL_E_FAILED, &err));
	}
	run_after_callback(run);
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
	if (apart->answers >= 0)
		close(apart->answers);
	buf_finish(&apart->words);
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
	struct copy_process copy;
	struct err err = {0};
	int home = -1;
	int answers[2];
	*apart = (struct apart){.run = run, .pipe = -1, .pidfd = -1, .answers = -1};
	run->apart = apart;
	host_note(node, PAWL_LOG_INFO,
		"this plugin crashed before, so it runs in a process of its own; see .pawl/state/crashed-plugins");
	if (pipe2(answers, O_CLOEXEC) != 0) {
		err_sys(&err, errno, "E-PLUGIN-APART", "no pipe for a process of node %s",
			node->id);
		err_help(&err, "raise the limit of open files: ulimit -n 4096");
		return host_fail_err(node, PAWL_E_SYSTEM, &err);
	}
	int which = copy_fork(&copy, &home, &err);
	if (which == 0) {
		close(answers[1]);
		run_copy(node, home, answers[0]);
	}
	close(answers[0]);
	apart->answers = answers[1];
	fcntl(answers[1], F_SETFL, O_NONBLOCK);
	apart->pid = copy.pid;
	apart->pipe = copy.pipe;
	apart->pidfd = copy.pidfd;
	if (which < 0 || !start_cat(apart, &err))
		return host_fail_err(node, PAWL_E_SYSTEM, &err);
	run->live_procs++;
	return PAWL_PENDING;
}
