/* job: see job.h. */
#include "cli/job.h"

#include "cli/objects.h"
#include "cli/progress.h"
#include "cli/rows.h"
#include "data/yaml.h"
#include "engine/aside.h"
#include "engine/seal.h"
#include "sys/fs.h"
#include "sys/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

bool job_policies(struct cli *cli, struct strs *out)
{
	const char *path = arena_printf(&cli->arena, "%s/.pawl/config.yaml", cli_project(cli));
	struct buf text = {0};
	struct diags diags = {0};
	if (!fs_read_file(AT_FDCWD, path, (size_t)1 << 20, &text, NULL)) {
		buf_finish(&text);
		return true;
	}
	const struct value *root =
		yaml_parse(&cli->arena, arena_str(&cli->arena, buf_str(&text)), path, &diags);
	const struct value *list = value_get(root, STR("policy"));
	buf_finish(&text);
	for (size_t i = 0; root && root->kind == VALUE_MAP && i < root->as.map.count; i++) {
		const struct value_member *m = &root->as.map.items[i];
		struct place at = {path, m->line, m->col, (uint32_t)m->key.len};
		if (!str_is(m->key, "policy") && !str_starts(m->key, STR("x-")))
			err_help(diags_error(&diags, at, "E-CONFIG-UNKNOWN",
					 "the project's configuration has no `%.*s`",
					 STR_ARG(m->key)),
				"it has `policy`, a list of Lua files");
	}
	size_t count = list && list->kind == VALUE_LIST ? list->as.list.count : 0;
	out->ptr = arena_array(&cli->arena, str, count);
	for (size_t i = 0; i < count; i++) {
		if (list->as.list.items[i].kind == VALUE_STRING)
			out->ptr[out->len++] = list->as.list.items[i].as.text;
	}
	bool ok = !diags.errors;
	talk_diags(cli, &diags);
	diags_finish(&diags);
	return ok;
}

struct told_file {
	const char *path;
	struct told_file *next;
};

/* Once, however many runs of it there are. */
static void tell_problems(struct cli *cli, const char *path, const struct diags *diags)
{
	for (const struct told_file *told = cli->told; told; told = told->next) {
		if (!strcmp(told->path, path))
			return;
	}
	struct told_file *told = arena_new(&cli->arena, struct told_file);
	*told = (struct told_file){path, cli->told};
	cli->told = told;
	talk_diags(cli, diags);
}

/* The first problem in the inner file is the cause. */
static void fail_child(const struct diags *diags, struct err *err)
{
	for (size_t i = 0; i < diags->list.len && !err_is_set(err); i++) {
		const struct err *cause = &diags->list.ptr[i];
		if (cause->is_warning)
			continue;
		err_set(err, cause->code, "%s:%u: %s", cause->at.file ? cause->at.file : "?",
			cause->at.line, cause->message);
		if (cause->help)
			err_help(err, "%s", cause->help);
	}
}

struct workflow *job_load_child(void *ctx, str name, struct err *err)
{
	struct cli *cli = ctx;
	struct diags diags = {0};
	const char *path = cli_find_referenced(cli, arena_str(&cli->arena, name).ptr, err);
	struct workflow *workflow = path ? cli_load_quietly(cli, path, &diags) : NULL;
	if (path)
		tell_problems(cli, path, &diags);
	if (path && !workflow)
		fail_child(&diags, err);
	diags_finish(&diags);
	return workflow;
}

void job_release_child(void *ctx, struct workflow *workflow)
{
	(void)ctx;
	workflow_destroy(workflow);
}

static int exit_code_of(const struct job *job, const struct engine_summary *summary)
{
	if (summary->is_broken ||
		(summary->state == RUN_FAILED && !summary->failed && summary->cancelled))
		return EXIT_SYSTEM;
	switch (summary->state) {
	case RUN_COMPLETED: return EXIT_DONE;
	case RUN_INTERRUPTED: return EXIT_INTERRUPTED;
	case RUN_PAUSED: return EXIT_PAUSED;
	default: return job->code ? job->code : EXIT_NODE_FAILED;
	}
}

static void tell_recovered(void *arg, const struct recovered *recovered)
{
	talk_note(arg,
		"run %lld was killed while it wrote %zu file%s: .pawl/state/lost/%lld has %s",
		recovered->run, recovered->lost, recovered->lost == 1 ? "" : "s", recovered->run,
		recovered->lost == 1 ? "it" : "them");
}

void job_end_left(struct cli *cli, struct store *store)
{
	size_t stuck = 0;
	size_t ended = bodies_end_left(store_bodies(store), JOB_GRACE_MS, &stuck);
	if (ended > stuck)
		talk_note(cli, "%zu process%s that a killed pawl had left running %s ended",
			ended - stuck, ended - stuck == 1 ? "" : "es",
			ended - stuck == 1 ? "was" : "were");
	if (stuck)
		talk_note(cli,
			"%zu process%s of a killed pawl could not be ended (SIGKILL was sent)",
			stuck, stuck == 1 ? "" : "es");
}

void job_reconcile(struct job *job)
{
	int64_t *ids = NULL;
	size_t count = 0;
	if (job->options.plan || !runs_reconcile(job->store, &job->cli->arena, &ids, &count, NULL))
		return;
	for (size_t i = 0; i < count; i++)
		talk_note(job->cli, "run %lld was interrupted", (long long)ids[i]);
	/* Whatever run they are of: they write where this one will. */
	if (count || bodies_has_dead(store_bodies(job->store)))
		job_end_left(job->cli, job->store);
	store_flush(job->store, NULL);
	aside_recover(job->store, tell_recovered, job->cli);
}

/* A loop, and somewhere to show what happens in it. */
struct stage {
	struct loop *loop;
	const struct world *world;
	struct progress *progress;
	struct engine_events events;
};

static bool stage_open(struct stage *stage, struct job *job, struct err *err)
{
	*stage = (struct stage){.loop = loop_create(err)};
	if (!stage->loop)
		return false;
	stage->world = loop_world(stage->loop);
	job->cli->outlet = outlet_create(STDOUT_FILENO, (size_t)1 << 20);
	stage->progress = progress_create(job->cli, stage->world, job->store, job->options.plan);
	stage->events = progress_events(stage->progress);
	return true;
}

static void stage_close(struct stage *stage, struct job *job)
{
	progress_destroy(stage->progress);
	loop_destroy(stage->loop, JOB_GRACE_MS);
	/* From here on Ctrl-C ends the program as it does any: the run is recorded, only a reader is waited for. */
	int error = outlet_destroy(job->cli->outlet);
	job->cli->outlet = NULL;
	if (error && error != EPIPE)
		talk_note(job->cli, "standard output could not be written: %s", strerror(error));
}

int job_execute(struct job *job, bool wants_exit_code)
{
	struct err err = {0};
	struct stage stage;
	struct engine_summary summary;
	int code;
	if (!stage_open(&stage, job, &err))
		return talk_fail(job->cli, &err);
	job_reconcile(job);
	/* Where the disk takes no record, bodies bear their other marks, and the store will say what is wrong. */
	if (!job->options.plan)
		bodies_open(store_bodies(job->store), NULL);
	if (job->options.seal)
		job->options.seal->is_spoiled |= job->cli->has_told;
	if (job->options.plan)
		store_read_begin(job->store);
	if (!engine_run(stage.world, job->store, cli_types(job->cli), job->workflow, &job->options,
		    &stage.events, &summary, &err))
		code = talk_fail(job->cli, &err);
	else
		code = exit_code_of(job, &summary);
	if (job->options.plan) {
		store_read_end(job->store);
		size_t count = progress_planned_runs(stage.progress);
		if (code == EXIT_DONE || code == EXIT_NODE_FAILED)
			code = wants_exit_code && count ? EXIT_WORK : EXIT_DONE;
	}
	stage_close(&stage, job);
	bodies_close();
	return code;
}

bool job_run_sealed(struct job *job, struct seal *seal)
{
	struct err err = {0};
	struct stage stage;
	struct engine_summary summary;
	bool done = stage_open(&stage, job, &err);
	if (done) {
		done = seal_run(seal, stage.world, job->store, &stage.events, &summary, &err);
		stage_close(&stage, job);
	}
	job->code = EXIT_DONE;
	if (err_is_set(&err)) {
		job->code = talk_fail(job->cli, &err);
		done = true;
	}
	return done;
}
