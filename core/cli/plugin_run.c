/* plugin_run: runs of a node under `pawl plugin check`: that they end, by themselves or when told to, and leave nothing.
 * See plugin_check.h. */
#include "cli/plugin_check.h"
#include "sys/fs.h"
#include "sys/loop.h"

#include <dirent.h>
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#define RUN_MS   2000 /* how long a node may take before it is cancelled */
#define GRACE_MS 3000
#define BLOCK_MS 1000 /* a call that lasts longer blocks */

/* One run and what was seen of it. */
struct watched {
	struct trial *trial;
	const struct world *world;
	struct loop *loop;
	struct pawl_run *run;
	struct world_timer *timer;
	uint64_t cancelled_ms; /* when it was told to stop; 0: never */
	uint64_t ended_ms;
	pawl_status status;
	bool has_exit;
	bool is_explained;
	uint32_t leftovers;
	bool has_children; /* still, after it has finished */
};

static void on_output(void *arg, int32_t stream, str bytes)
{
	(void)arg;
	(void)stream;
	(void)bytes;
}

static void on_emit(void *arg, str name, str value)
{
	(void)arg;
	(void)name;
	(void)value;
}

static void on_artifact(void *arg, str name, const char *path)
{
	(void)arg;
	(void)name;
	(void)path;
}

/* "... held up the loop for 1234 ms": a busy machine does that to anybody now and then, but not for so long. */
void trial_judge_slowness(struct trial *trial, str text)
{
	size_t at = str_find(text, STR("held up the loop"), 0);
	uint64_t ms = 0;
	str rest = str_slice(text, at, text.len);
	str word;
	while (str_split(&rest, ' ', &word))
		if (str_to_u64(word, &ms))
			break;
	if (at == SIZE_MAX)
		return;
	trial_note(trial, "%.*s", STR_ARG(text));
	if (ms >= BLOCK_MS)
		trial_fail(trial,
			"no other node makes progress meanwhile: what takes long goes to offload(), spawn() or timer()");
}

static void on_log(void *arg, int32_t level, str text)
{
	struct watched *w = arg;
	(void)level;
	if (str_find(text, STR("broke its contract"), 0) != SIZE_MAX)
		trial_fail(w->trial, "%.*s", STR_ARG(text));
	else
		trial_judge_slowness(w->trial, text);
}

/* Those of the host are reaped when a run has finished. */
static bool has_children(void)
{
	siginfo_t info;
	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

static void on_finished(void *arg, const struct host_outcome *outcome)
{
	struct watched *w = arg;
	w->ended_ms = w->world->mono_ms(w->world->ctx);
	w->status = outcome->status;
	w->has_exit = outcome->has_exit;
	bool has_words = outcome->err && err_is_set(outcome->err);
	/* The host says so where the plugin says nothing. */
	w->is_explained = has_words && !strstr(outcome->err->message, "without saying why");
	w->leftovers = outcome->leftovers;
	w->has_children = has_children();
	if (has_words)
		trial_note(w->trial, "it ended with \"%s\"", outcome->err->message);
	w->world->timer_stop(w->world->ctx, w->timer);
	w->timer = NULL;
	w->world->quit(w->world->ctx);
}

static void on_time(void *arg)
{
	struct watched *w = arg;
	w->timer = NULL;
	w->cancelled_ms = w->world->mono_ms(w->world->ctx);
	host_cancel(w->run, PAWL_CANCEL_USER);
}

/* Runs the sample; after `patience` it is told to stop.  False: there is no run to look at. */
static bool run_once(struct trial *trial, uint64_t patience, struct watched *w)
{
	struct err err = {0};
	*w = (struct watched){.trial = trial};
	if (!trial_load(trial, trial->sample->fields, NULL))
		return false;
	w->loop = loop_create(&err);
	if (!w->loop) {
		trial_fail(trial, "%s", err.message);
		err_finish(&err);
		return false;
	}
	w->world = loop_world(w->loop);
	struct host_events events = {.arg = w,
		.output = on_output,
		.emit = on_emit,
		.artifact = on_artifact,
		.log = on_log,
		.finished = on_finished};
	w->run = host_start(trial_node(trial, w->world), &events);
	w->timer = w->world->timer_start(w->world->ctx, patience, on_time, w);
	w->world->run(w->world->ctx);
	/* Before the loop, whose timers it may hold. */
	trial_unload(trial);
	loop_destroy(w->loop, 0);
	return true;
}

static void judge(struct trial *trial, const struct watched *w)
{
	bool is_stopped = w->status == PAWL_E_CANCELLED || w->status == PAWL_E_TIMEOUT;
	if (!w->ended_ms)
		trial_fail(
			trial, "the run never ended, and nothing was under way that could end it");
	else if (w->cancelled_ms && w->ended_ms - w->cancelled_ms >= GRACE_MS)
		trial_fail(trial, "it did not finish within %d ms of being told to stop", GRACE_MS);
	else if (w->status == PAWL_E_MISUSE)
		trial_fail(trial, "it broke the contract");
	else if (w->status != PAWL_OK && !is_stopped && !w->has_exit && !w->is_explained)
		trial_fail(trial, "call host->fail() before a run ends like that");
}

void case_runs(struct trial *trial)
{
	struct watched w;
	if (!run_once(trial, RUN_MS, &w))
		return;
	judge(trial, &w);
	if (w.cancelled_ms && w.ended_ms)
		trial_note(trial, "it still ran after %d ms, and was cancelled", RUN_MS);
}

void case_cancels(struct trial *trial)
{
	static const uint64_t moments[] = {0, 5, 100};
	for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++) {
		struct watched w;
		if (!run_once(trial, moments[i], &w))
			return;
		judge(trial, &w);
	}
}

static size_t count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t count = 0;
	while (dir && readdir(dir))
		count++;
	if (dir)
		closedir(dir);
	return count;
}

static size_t count_scratch(const struct trial *trial)
{
	struct fs_list list = {0};
	int dir = fs_open_dir(trial->check->scratch, NULL);
	size_t count = 0;
	if (dir >= 0 && fs_list_tree(dir, ".", NULL, &list, NULL))
		for (size_t i = 0; i < list.len; i++)
			count += str_starts(str_of(list.ptr[i].name), STR("pawl-"));
	fs_list_finish(&list);
	if (dir >= 0)
		close(dir);
	return count;
}

void case_leaks_nothing(struct trial *trial)
{
	struct watched w;
	/* What is opened once and kept is no leak. */
	if (!run_once(trial, RUN_MS, &w))
		return;
	size_t before = count_descriptors();
	for (int i = 0; i < 3; i++) {
		run_once(trial, i ? 20 : RUN_MS, &w);
		if (w.has_children)
			trial_fail(trial,
				"it started a process that the host does not know of: use host->spawn()");
		if (w.leftovers)
			trial_note(trial, "%u processes outlived their parent and were ended",
				w.leftovers);
	}
	size_t after = count_descriptors();
	if (after > before)
		trial_fail(
			trial, "after 3 runs there are %zu open descriptors more", after - before);
	if (count_scratch(trial))
		trial_fail(trial, "files were left in the private directory of a run");
}
