/* cmd_verify: with `--store` reads all that is stored (verify_store.c).  Else runs a node whose result would be reused once more and compares: the proof of the pudding.  Nothing of it is
 * recorded, and the files of the project that it wrote are put back. */
#include "cli/cli.h"
#include "cli/compare.h"
#include "cli/doctor.h"
#include "cli/objects.h"
#include "cli/rows.h"
#include "engine/engine.h"
#include "store/cas.h"
#include "sys/clock.h"
#include "sys/loop.h"

#include <unistd.h>

extern char **environ;
extern const struct command command_verify;

bool inputs_read(struct cli *cli, const struct workflow *workflow, const struct arg_list *given,
	const char *file, const char *stored, const struct value **out);

enum { GRACE_MS = 5000 };

struct verifying {
	struct cli *cli;
	struct store *store;
	struct workflow *workflow;
	struct run_row run;
	const struct node *node;
	struct engine_verify verify;
	struct object_output printed[2]; /* with --json */
	int signal;
};

/* The newest run that knows the node, or the one that was named. */
static bool find_run(struct verifying *v, str node, const char *which)
{
	struct cli *cli = v->cli;
	struct run_list list = {0};
	struct node_row row = {0};
	struct err err = {0};
	int64_t run = 0;
	str rest = STR("");
	bool found = false;
	if (which)
		return cli_parse_run(cli, v->store, which, &run, &rest) &&
		       cli_get_run(cli, v->store, run, &v->run) &&
		       rows_node(cli, v->store, run, node, &row);
	if (!runs_list(v->store, &cli->arena, STR(""), 0, false, &list, &err)) {
		talk_fail(cli, &err);
		return false;
	}
	for (size_t i = 0; i < list.len && !found; i++) {
		v->run = list.ptr[i];
		nodes_get(v->store, &cli->arena, v->run.id, node, &row, &found, NULL);
	}
	if (!found && list.len)
		rows_node(cli, v->store, list.ptr[0].id, node, &row); /* for its did-you-mean */
	else if (!found)
		rows_usage(cli, "run a workflow first: pawl run NAME", "no run has a node `%.*s`",
			STR_ARG(node));
	return found;
}

/* The node and everything above it. */
static bool *select_nodes(struct verifying *v)
{
	bool *marks = arena_array(&v->cli->arena, bool, v->workflow->node_count);
	for (uint32_t i = 0; i < v->workflow->node_count; i++) {
		const struct node *node = &v->workflow->nodes[i];
		marks[i] = node == v->node || workflow_is_upstream(v->workflow, node, v->node);
	}
	return marks;
}

static void on_node(void *arg, const struct node_event *e)
{
	struct verifying *v = arg;
	if (e->kind == EVENT_NOTE && e->node == v->node)
		talk_note(v->cli, "%.*s", STR_ARG(e->sentence));
	if (e->kind == EVENT_OUTPUT && e->node == v->node && v->cli->is_json) {
		object_output(&v->printed[e->stream == WORLD_STDERR], e->bytes);
	} else if (e->kind == EVENT_OUTPUT && e->node == v->node) {
		struct buf shown = {0};
		buf_add_visible(&shown, e->bytes);
		talk_out(v->cli, buf_str(&shown));
		buf_finish(&shown);
	}
}

static bool run_again(struct verifying *v, int *code)
{
	struct cli *cli = v->cli;
	struct err err = {0};
	struct engine_summary summary;
	struct engine_options options = {.resume = v->run.id,
		.selected = select_nodes(v),
		.jobs = 1,
		.no_suspect = true,
		.verbose = cli->is_verbose,
		.grace_ms = GRACE_MS,
		.arguments = v->run.arguments,
		.environment = (const char *const *)environ,
		.verify = &v->verify};
	struct engine_events events = {.arg = v, .node = on_node};
	for (int i = 0; i < 2; i++)
		v->printed[i] = (struct object_output){.cli = cli,
			.run = v->run.id,
			.node = v->node->id,
			.path = STR(""),
			.stream = i ? "stderr" : "stdout"};
	const struct arg_list none = {0};
	*code = EXIT_USAGE;
	if (!inputs_read(cli, v->workflow, &none, NULL, v->run.inputs.ptr, &options.inputs))
		return false;
	struct loop *loop = loop_create(&err);
	/* (See job_execute.) */
	bodies_open(store_bodies(v->store), NULL);
	bool ok = loop && engine_run(loop_world(loop), v->store, cli_types(cli), v->workflow,
				  &options, &events, &summary, &err);
	if (!ok)
		*code = talk_fail(cli, &err);
	else
		v->signal = summary.signal;
	if (loop)
		loop_destroy(loop, GRACE_MS);
	bodies_close();
	object_output_end(&v->printed[0]);
	object_output_end(&v->printed[1]);
	return ok;
}

/* ---- comparing ---- */

static void replace_all(struct buf *text, str from, str to)
{
	struct buf out = {0};
	str all = buf_str(text);
	size_t at = 0;
	size_t next;
	while ((next = str_find(all, from, at)) != SIZE_MAX) {
		buf_add(&out, str_slice(all, at, next));
		buf_add(&out, to);
		at = next + from.len;
	}
	buf_add(&out, str_slice(all, at, all.len));
	buf_finish(text);
	*text = out;
}

/* Outputs that differ by nothing but the path of the run's own $ARTIFACTS_DIR. */
static bool differs_by_path(struct verifying *v)
{
	const struct verify_side *then = &v->verify.then;
	const struct verify_side *now = &v->verify.now;
	struct buf a = {0};
	struct buf b = {0};
	struct err err = {0};
	bool same = false;
	if (then->output_size <= 1 << 20 && now->output_size <= 1 << 20 &&
		cas_get(v->store, &then->output, &a, &err) &&
		cas_get(v->store, &now->output, &b, &err)) {
		replace_all(&b, str_of(now->artifacts_dir), str_of(then->artifacts_dir));
		same = str_eq(buf_str(&a), buf_str(&b));
	}
	err_finish(&err);
	buf_finish(&a);
	buf_finish(&b);
	return same;
}

static struct left_behind left_of(const struct verify_side *side)
{
	return (struct left_behind){.output = side->output,
		.manifest = side->manifest,
		.output_size = side->output_size,
		.has_output = true,
		.has_manifest = side->has_manifest};
}

static void print_json(struct verifying *v, const char *verdict)
{
	struct buf out = {0};
	object_begin(&out, "verification");
	object_text(&out, "verdict", str_of(verdict));
	object_number(&out, "run", v->verify.then.run);
	object_text(&out, "node", v->node->id);
	object_number(&out, "ms", (int64_t)v->verify.ms);
	object_text(&out, "problem", v->verify.problem);
	if (v->verify.has_run) {
		object_digest(&out, "then", &v->verify.then.output);
		object_digest(&out, "now", &v->verify.now.output);
	}
	object_send(v->cli, &out);
}

static int say_different(
	struct verifying *v, const struct left_behind *then, const struct left_behind *now)
{
	struct cli *cli = v->cli;
	struct buf out = {0};
	struct comparing comparing = {cli, v->store, &out, 40, true};
	long long run = (long long)v->verify.then.run;
	buf_printf(&out, "%sdifferent%s  %.*s left something else than in run %lld\n",
		talk_color(cli, false, COLOR_RED), talk_color(cli, false, COLOR_NONE),
		STR_ARG(v->node->id), run);
	compare_outputs(&comparing, then, now);
	compare_artifacts(&comparing, then, now);
	buf_printf(&out,
		"  it is not deterministic, or it depends on what it does not declare: `reads`, `tools`, `pass_env`\n"
		"  not to reuse it at all: `cache: false`; to let go of this result: pawl invalidate %lld %.*s\n",
		run, STR_ARG(v->node->id));
	talk_out(cli, buf_str(&out));
	buf_finish(&out);
	return EXIT_NODE_FAILED;
}

static int say(struct verifying *v)
{
	struct cli *cli = v->cli;
	const struct engine_verify *r = &v->verify;
	struct left_behind then = left_of(&r->then);
	struct left_behind now = left_of(&r->now);
	bool is_same_files = compare_same(
		&(struct left_behind){.manifest = then.manifest, .has_manifest = then.has_manifest},
		&(struct left_behind){.manifest = now.manifest, .has_manifest = now.has_manifest});
	bool is_same = r->has_run && is_same_files &&
	               (digest_eq(&then.output, &now.output) || differs_by_path(v));
	struct buf took = {0};
	if (cli->is_json)
		print_json(v, !r->has_run ? "failed" : is_same ? "same" : "different");
	if (cli->is_json && r->has_run)
		return is_same ? EXIT_DONE : EXIT_NODE_FAILED;
	if (!r->has_run) {
		struct err err = {0};
		err_set(&err, "E-VERIFY-FAILED", "`%.*s` failed when it ran again: %.*s",
			STR_ARG(v->node->id), STR_ARG(r->problem));
		err_help(&err,
			"its stored result of run %lld is as it was; to let go of it: pawl invalidate %lld %.*s",
			(long long)r->then.run, (long long)r->then.run, STR_ARG(v->node->id));
		talk_fail(cli, &err);
		return EXIT_NODE_FAILED;
	}
	if (!is_same)
		return say_different(v, &then, &now);
	clock_add_duration(&took, r->ms);
	talk_outf(cli,
		"%ssame%s  %.*s ran again in %s and left what it left in run %lld (output %s%s)\n",
		talk_color(cli, false, COLOR_GREEN), talk_color(cli, false, COLOR_NONE),
		STR_ARG(v->node->id), buf_cstr(&took), (long long)r->then.run,
		rows_short(cli, &then.output, 12), then.has_manifest ? ", and its files" : "");
	buf_finish(&took);
	return EXIT_DONE;
}

static int verify(struct cli *cli, struct store *store, const char *name, const char *which)
{
	struct verifying v = {
		.cli = cli, .store = store, .verify = {.arena = &cli->arena, .problem = STR("")}};
	int code = EXIT_USAGE;
	if (!find_run(&v, str_of(name), which))
		return EXIT_USAGE;
	v.workflow = cli_load_file(cli, v.run.file.ptr);
	v.node = v.workflow ? workflow_find(v.workflow, str_of(name)) : NULL;
	if (v.workflow && !v.node)
		rows_usage(cli, "verify what is in today's workflow; `pawl why` tells of the past",
			"%.*s has no node `%s` any more", STR_ARG(v.workflow->name), name);
	if (v.node) {
		v.verify.node = v.node->index;
		if (run_again(&v, &code)) {
			bool is_refused = !v.verify.has_run && !v.verify.has_failed;
			if (v.signal) {
				code = EXIT_INTERRUPTED;
			} else if (is_refused) {
				struct err err = {0};
				err_set(&err, "E-VERIFY-NOT-REUSED",
					"there is nothing to verify: %.*s",
					STR_ARG(v.verify.problem.len ? v.verify.problem
								     : STR("it would be skipped")));
				err_help(&err, "run it first: pawl run %.*s",
					STR_ARG(v.workflow->name));
				code = talk_fail(cli, &err);
			} else {
				code = say(&v);
			}
		}
	}
	workflow_destroy(v.workflow);
	return code;
}

static int run_verify(struct cli *cli, int argc, char **argv)
{
	struct arg_list words = {0};
	const char *run = NULL;
	int code = EXIT_USAGE;
	bool is_store = false;
	const struct arg args[] = {
		{"run", 0, ARG_VALUE, &run, NULL}, {"store", 0, ARG_FLAG, &is_store, NULL}};
	if (args_parse(cli, &command_verify, args, 2, argc, argv, &words, NULL, &code)) {
		if (is_store && (words.list.len || run)) {
			code = rows_usage(cli, "pawl verify --store",
				"`--store` looks at everything: it takes no node and no run");
		} else if (is_store) {
			code = doctor_verify_store(cli);
		} else if (words.list.len != 1) {
			code = rows_usage(
				cli, "pawl verify NODE [--run RUN]", "verify which node?");
		} else {
			struct store *store = cli_store_to_change(cli, &code);
			if (store)
				code = verify(cli, store, words.list.ptr[0], run);
			store_close(store);
		}
	}
	args_finish(&words);
	return code;
}

const struct command command_verify = {"verify", "Explain",
	"run a reused node once more and compare; or read all that is stored",
	"  pawl verify parse\n"
	"  pawl verify parse --run 6\n"
	"  pawl verify parse -v            show what it prints\n"
	"  pawl verify --store             trust no time: read everything\n\n"
	"usage: pawl verify NODE [--run RUN]\n"
	"       pawl verify --store\n\n"
	"What it consumes is taken from the store; files of the project that it writes are put back afterwards.\n"
	"Exit 0: the same; 1: something else, or it failed; 2: its result would not be reused anyway.\n\n"
	"      --run RUN   with the inputs of that run (default: the newest that has the node)\n"
	"      --store     every blob against its digest, every row against its checksum, what results need, and\n"
	"                  every file of the project whose content is remembered by its times, against its content.\n"
	"                  What is remembered wrong is forgotten: the next run reads it.  Nothing is run.\n"
	"                  Exit 0: all is sound; 4: something was wrong.\n",
	run_verify};
