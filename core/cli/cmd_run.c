/* cmd_run: `pawl run`, `pawl resume` and `pawl plan`: one engine, three ways to begin. */
#include "cli/job.h"
#include "cli/objects.h"
#include "cli/rows.h"
#include "cli/sealed.h"
#include "sys/limits.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;
extern const struct command command_run, command_resume, command_plan;

struct run_args {
	const char *reuse;
	const char *resume;
	bool no_resume, force_all, fail_fast, dry_run, no_suspect, exit_code;
	struct arg_list force, inputs, from, until;
	const char *input_file;
	int64_t jobs;
	struct arg_list words, rest;
	bool rehash;
	const struct arg *args; /* all that the command knows, filled */
	size_t count;
};

static void run_args_finish(struct run_args *a)
{
	args_finish(&a->force);
	args_finish(&a->inputs);
	args_finish(&a->from);
	args_finish(&a->until);
	args_finish(&a->words);
	args_finish(&a->rest);
}

static bool set_reuse(struct job *job, const struct run_args *a)
{
	const char *mode = a->no_resume ? "off" : a->reuse ? a->reuse : "auto";
	if (!strcmp(mode, "off")) {
		job->options.reuse = REUSE_OFF;
	} else if (!strcmp(mode, "only")) {
		job->options.reuse = REUSE_ONLY;
	} else if (strcmp(mode, "auto") != 0) {
		struct err err = {0};
		err_set(&err, "E-USAGE", "--reuse is auto, off or only, not \"%s\"", mode);
		talk_fail(job->cli, &err);
		return false;
	}
	return true;
}

static bool set_marks(struct job *job, const struct run_args *a)
{
	struct cli *cli = job->cli;
	uint32_t count = job->workflow->node_count;
	job->forced = arena_array(&cli->arena, bool, count);
	job->selected = arena_array(&cli->arena, bool, count);
	bool any = a->force_all;
	for (uint32_t i = 0; i < count; i++)
		job->forced[i] = a->force_all;
	for (size_t i = 0; i < a->force.list.len; i++) {
		any = true;
		if (!cli_select(cli, job->workflow, a->force.list.ptr[i], job->forced))
			return false;
	}
	job->options.forced = any ? job->forced : NULL;
	if (!a->from.list.len && !a->until.list.len)
		return true;
	bool *below = arena_array(&cli->arena, bool, count);
	bool *above = arena_array(&cli->arena, bool, count);
	for (size_t i = 0; i < a->from.list.len; i++) {
		if (!cli_select(cli, job->workflow,
			    arena_printf(&cli->arena, "%s+", a->from.list.ptr[i]), below))
			return false;
	}
	for (size_t i = 0; i < a->until.list.len; i++) {
		if (!cli_select(cli, job->workflow,
			    arena_printf(&cli->arena, "+%s", a->until.list.ptr[i]), above))
			return false;
	}
	for (uint32_t i = 0; i < count; i++)
		job->selected[i] =
			(!a->from.list.len || below[i]) && (!a->until.list.len || above[i]);
	job->options.selected = job->selected;
	return true;
}

static str join_rest(struct cli *cli, const struct arg_list *rest)
{
	struct buf text = {0};
	for (size_t i = 0; i < rest->list.len; i++)
		buf_printf(&text, "%s%s", i ? " " : "", rest->list.ptr[i]);
	str all = arena_str(&cli->arena, buf_str(&text));
	buf_finish(&text);
	return all;
}

static uint32_t default_jobs(void)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	return sched_getaffinity(0, sizeof(set), &set) ? 2 : (uint32_t)CPU_COUNT(&set);
}

/* 0, having said why: not even one. */
static uint32_t jobs_for(struct cli *cli, int64_t wanted)
{
	uint32_t jobs = wanted > 0 && wanted < 100000 ? (uint32_t)wanted : default_jobs();
	uint32_t most = limits_children();
	struct err err = {0};
	if (jobs <= most)
		return jobs;
	if (!most) {
		err_set(&err, "E-SYS-FILES",
			"this process may open no more than %llu files, too few for a run",
			(unsigned long long)limits_files());
		err_help(&err, "raise the limit: ulimit -n 1024");
		talk_fail(cli, &err);
		return 0;
	}
	talk_note(cli,
		"%u at once, not %u: this process may open no more than %llu files (ulimit -n)",
		most, jobs, (unsigned long long)limits_files());
	return most;
}

/* Puts `-i name=value` and the input file together and checks them against what the workflow declares: all problems at once. */
bool inputs_read(struct cli *cli, const struct workflow *workflow, const struct arg_list *given,
	const char *file, const char *stored, const struct value **out);

/* Options are compared as bytes (seal.c), those between members too. */
static void job_init(struct job *job, struct cli *cli, bool is_plan)
{
	memset(job, 0, sizeof(*job));
	job->cli = cli;
	job->options.plan = is_plan;
}

static int run_job(struct job *job, struct run_args *a, const char *stored_inputs)
{
	struct cli *cli = job->cli;
	job->options.fail_fast = a->fail_fast;
	job->options.no_suspect = a->no_suspect;
	job->options.rehash = a->rehash;
	job->options.verbose = cli->is_verbose;
	if (!a->jobs || a->jobs >= 100000)
		return rows_usage(cli, "leave it out: as many as there are CPUs",
			"--jobs takes 1 to 99999, not %lld", (long long)a->jobs);
	job->options.jobs = jobs_for(cli, a->jobs);
	if (!job->options.jobs)
		return EXIT_SYSTEM;
	if (!job_policies(cli, &job->options.policies))
		return EXIT_USAGE;
	job->options.load = job_load_child;
	job->options.release = job_release_child;
	job->options.load_ctx = cli;
	job->options.environment = (const char *const *)environ;
	job->options.grace_ms = JOB_GRACE_MS;
	job->code = EXIT_USAGE;
	if (!set_reuse(job, a) || !set_marks(job, a) ||
		!inputs_read(cli, job->workflow, &a->inputs, a->input_file, stored_inputs,
			&job->options.inputs))
		return EXIT_USAGE;
	job->code = 0;
	return job_execute(job, a->exit_code);
}

static bool find_continued(struct job *job, const char *which)
{
	struct run_list list = {0};
	struct run_row row = {0};
	str node = STR("");
	if (!strcmp(which, "newest")) {
		if (runs_list(job->store, &job->cli->arena, job->workflow->name, 1, false, &list,
			    NULL) &&
			list.len)
			job->options.continues = list.ptr[0].id;
		return true;
	}
	return cli_parse_run(job->cli, job->store, which, &job->options.continues, &node) &&
	       cli_get_run(job->cli, job->store, job->options.continues, &row);
}

static const char *one_word(
	struct cli *cli, const struct run_args *a, const char *what, bool is_required)
{
	struct err err = {0};
	if (a->words.list.len == 1 || (!is_required && !a->words.list.len))
		return a->words.list.len ? a->words.list.ptr[0] : "";
	if (!a->words.list.len)
		err_set(&err, "E-USAGE", "which %s?", what);
	else
		err_set(&err, "E-USAGE", "one %s at a time, not %zu", what, a->words.list.len);
	if (a->words.list.len)
		err_help(&err, "arguments for the workflow itself stand behind `--`");
	else
		err_help(&err, "name it, or its file; `pawl list` shows what there is");
	talk_fail(cli, &err);
	return NULL;
}

static bool open_store(struct job *job, enum store_mode mode)
{
	job->store = cli_store(job->cli, mode, &job->code);
	return job->store != NULL;
}

/* Done where there is a seal and it holds; where there is one the store is open afterwards. */
static bool try_seal(struct job *job, struct sealing *sealing)
{
	struct seal *seal = seal_open(cli_project(job->cli), &sealing->request);
	bool done = false;
	if (seal)
		done = !open_store(job, STORE_WRITE) || job_run_sealed(job, seal);
	seal_close(seal);
	return done;
}

static int load_and_run(struct job *job, struct run_args *a, const char *path)
{
	job->workflow = cli_load_file(job->cli, path);
	if (!job->workflow)
		return EXIT_USAGE;
	if (!job->store && !open_store(job, job->options.plan ? STORE_READ_OR_EMPTY : STORE_WRITE))
		return job->code;
	if (a->resume && !find_continued(job, a->resume))
		return EXIT_USAGE;
	return run_job(job, a, NULL);
}

static int run_workflow(struct cli *cli, struct run_args *a, bool is_plan)
{
	const char *name = one_word(cli, a, "workflow", true);
	struct job job;
	const char *path = name ? cli_find_workflow(cli, name) : NULL;
	struct sealing sealing;
	if (!path)
		return EXIT_USAGE;
	job_init(&job, cli, is_plan);
	job.options.arguments = join_rest(cli, &a->rest);
	if (!is_plan) {
		const struct given given = {a->args, a->count, job.options.arguments};
		sealing_init(&sealing, cli, path, &given);
		sealing.request.is_spoiled = a->input_file; /* what it gives is not in the guard */
		job.options.seal = &sealing.request;
	}
	if (is_plan || !try_seal(&job, &sealing))
		job.code = load_and_run(&job, a, path);
	store_close(job.store);
	workflow_destroy(job.workflow);
	return job.code;
}

static bool is_resumable(struct cli *cli, const struct run_row *row)
{
	struct err err = {0};
	if (row->is_live) {
		err_set(&err, "E-RUN-ALIVE", "run %lld is still going on, in process %d",
			(long long)row->id, row->owner.pid);
		talk_fail(cli, &err);
		return false;
	}
	return true;
}

static bool find_resumed(struct job *job, const char *which, struct run_row *row)
{
	struct run_list list = {0};
	struct err err = {0};
	int64_t run = 0;
	str node = STR("");
	if (*which)
		return cli_parse_run(job->cli, job->store, which, &run, &node) &&
		       cli_get_run(job->cli, job->store, run, row) && is_resumable(job->cli, row);
	if (!runs_list(job->store, &job->cli->arena, STR(""), 0, false, &list, &err)) {
		talk_fail(job->cli, &err);
		return false;
	}
	for (size_t i = 0; i < list.len; i++) {
		if (list.ptr[i].state != RUN_COMPLETED && list.ptr[i].state != RUN_ABANDONED) {
			*row = list.ptr[i];
			return is_resumable(job->cli, row);
		}
	}
	const char *sentence =
		list.len
			? "every run has completed: there is nothing to resume; `pawl run NAME` starts a fresh one"
			: "nothing has run yet: there is nothing to resume; `pawl run NAME` starts a run";
	if (job->cli->is_json)
		object_note(job->cli, "%s", sentence);
	else
		talk_outf(job->cli, "%s\n", sentence);
	job->code = EXIT_DONE;
	return false;
}

static int resume_run(struct cli *cli, struct run_args *a, bool is_plan)
{
	int code = EXIT_USAGE;
	struct run_row row = {0};
	const char *which = one_word(cli, a, "run", false);
	struct job job;
	if (!which)
		return EXIT_USAGE;
	job_init(&job, cli, is_plan);
	job.code = EXIT_USAGE;
	bool may_write = !is_plan && cli_has_store(cli);
	job.store = cli_store(cli, may_write ? STORE_WRITE : STORE_READ_OR_EMPTY, &code);
	if (!job.store)
		return code;
	if (may_write)
		job_reconcile(&job);
	code = job.code;
	if (find_resumed(&job, which, &row)) {
		job.workflow = cli_load_file(cli, row.file.ptr);
		job.options.resume = row.id;
		job.options.arguments = row.arguments;
		code = job.workflow ? run_job(&job, a, row.inputs.ptr) : EXIT_USAGE;
	} else {
		code = job.code;
	}
	workflow_destroy(job.workflow);
	store_close(job.store);
	return code;
}

static int with_args(struct cli *cli, const struct command *command, int argc, char **argv,
	int (*run)(struct cli *cli, struct run_args *a, bool is_plan), bool is_plan)
{
	struct run_args a = {.jobs = -1};
	int code = EXIT_USAGE;
	const struct arg args[] = {
		{"reuse", 0, ARG_VALUE, &a.reuse, NULL},
		{"no-resume", 0, ARG_FLAG, &a.no_resume, NULL},
		{"resume", 0, ARG_VALUE, &a.resume, "newest"},
		{"force", 'f', ARG_LIST, &a.force, NULL},
		{"force-all", 0, ARG_FLAG, &a.force_all, NULL},
		{"from", 0, ARG_LIST, &a.from, NULL},
		{"until", 0, ARG_LIST, &a.until, NULL},
		{"jobs", 'j', ARG_NUMBER, &a.jobs, NULL},
		{"fail-fast", 0, ARG_FLAG, &a.fail_fast, NULL},
		{"dry-run", 'n', ARG_FLAG, &a.dry_run, NULL},
		{"no-suspect", 0, ARG_FLAG, &a.no_suspect, NULL},
		{"input", 'i', ARG_LIST, &a.inputs, NULL},
		{"input-file", 0, ARG_VALUE, &a.input_file, NULL},
		{"rehash", 0, ARG_FLAG, &a.rehash, NULL},
		{"exit-code", 0, ARG_FLAG, &a.exit_code, NULL},
	};
	a.args = args;
	a.count = sizeof(args) / sizeof(args[0]);
	if (args_parse(cli, command, args, a.count, argc, argv, &a.words, &a.rest, &code))
		code = run(cli, &a, is_plan || a.dry_run);
	run_args_finish(&a);
	return code;
}

static int run_run(struct cli *cli, int argc, char **argv)
{
	return with_args(cli, &command_run, argc, argv, run_workflow, false);
}

static int run_resume(struct cli *cli, int argc, char **argv)
{
	return with_args(cli, &command_resume, argc, argv, resume_run, false);
}

static int run_plan(struct cli *cli, int argc, char **argv)
{
	return with_args(cli, &command_plan, argc, argv, run_workflow, true);
}

#define RUN_OPTIONS                                                                                          \
	"      --reuse=auto|off|only  off: everything runs; only: what would have to run fails\n"            \
	"      --no-resume            the same as --reuse=off\n"                                             \
	"  -f, --force NODE           run it whatever is stored; `a+` with all below, `+a` with all above\n" \
	"      --force-all            force every node\n"                                                    \
	"      --from NODE            only it and what is below it\n"                                        \
	"      --until NODE           only it and what is above it\n"                                        \
	"  -j, --jobs N               so many at once; default: the number of CPUs\n"                        \
	"      --fail-fast            stop everything at the first failure\n"                                \
	"      --rehash               read every file again: trust no size and no time\n"                    \
	"      --no-suspect           don't run a producer again because a consumer failed on its output\n"  \
	"  -i, --input NAME=VALUE     an input of the workflow\n"                                            \
	"      --input-file FILE      inputs as a JSON object\n"                                             \
	"  -n, --dry-run              say what would run, and why; change nothing\n"                         \
	"  -v, --verbose              show what nodes print; -q: only failures\n"                            \
	"      --json                 one event a line\n"

const struct command command_run = {"run", "Run",
	"run a workflow; what is proved current is reused",
	"  pawl run release\n"
	"  pawl run path/to/file.yaml -i version=1.2 -j 4\n"
	"  pawl run release --resume       a new run that continues the newest one\n\n"
	"usage: pawl run WORKFLOW [options] [-- ARGUMENTS]\n\n" RUN_OPTIONS
	"      --resume[=RUN]         continue RUN (default: the newest): what it made counts as part of this run\n",
	run_run};

const struct command command_resume = {"resume", "Run", "go on with a run that did not complete",
	"  pawl resume\n"
	"  pawl resume 6\n"
	"  pawl resume 6 -f fetch+\n\n"
	"usage: pawl resume [RUN] [options]\n\n"
	"Reads today's workflow and today's scripts, never a frozen copy.\n\n" RUN_OPTIONS,
	run_resume};

const struct command command_plan = {"plan", "Explain",
	"say what would run, and why, without running it",
	"  pawl plan release\n"
	"  pawl plan release -f build+\n"
	"  pawl plan release --exit-code    10 where there is work, 0 where there is none\n\n"
	"usage: pawl plan WORKFLOW [options]\n\n" RUN_OPTIONS
	"      --exit-code            exit 10 where something would run\n",
	run_plan};
