/* cmd_why: why a node ran, or was reused, in a run: from what was recorded then, never from today's files. */
#include "cli/cli.h"
#include "cli/objects.h"
#include "cli/rows.h"
#include "data/json.h"
#include "data/trace.h"
#include "engine/decide.h"
#include "store/results.h"
#include "sys/clock.h"

extern const struct command command_why;

struct why {
	struct cli *cli;
	struct store *store;
	struct buf out;
	struct run_row run;
	struct node_row node;
	struct result_row result;
	bool has_result;
};

static void add_key(struct why *w)
{
	struct key_parts parts = {0};
	if (!key_parse(&w->cli->arena, w->result.transcript, &parts))
		return;
	buf_add_z(&w->out, "key\n");
	for (size_t i = 0; i < parts.len; i++) {
		const struct key_part *part = &parts.ptr[i];
		if (part->tag == '(' || part->tag == ')')
			continue;
		str shown = part->tag == 'd' ? str_slice(part->value, 0, 12)
		                             : decide_quote(&w->cli->arena, part->value, 60);
		buf_printf(&w->out, "  %-24.*s %.*s\n", STR_ARG(part->label),
			STR_ARG(part->tag == 'a' ? STR("unset") : shown));
	}
}

static void add_trace(struct why *w)
{
	struct trace trace = {0};
	if (trace_parse(w->result.trace, &trace) && trace.facts.len) {
		buf_add_z(&w->out, "files\n");
		for (size_t i = 0; i < trace.facts.len; i++) {
			const struct fact *f = &trace.facts.ptr[i];
			struct buf hex = {0};
			digest_add_hex(&hex, &f->digest);
			buf_printf(&w->out, "  %-7s %.*s %.12s%s%.*s\n", fact_kind_name(f->kind),
				STR_ARG(f->path), f->kind == FACT_ABSENT ? "" : buf_cstr(&hex),
				f->kind == FACT_TOOL ? " " : "",
				STR_ARG(f->kind == FACT_TOOL ? f->real : STR("")));
			buf_finish(&hex);
		}
	}
	trace_finish(&trace);
}

static void add_verdicts(struct why *w)
{
	struct verdict_list list = {0};
	if (!verdicts_on(w->store, &w->cli->arena, w->run.workflow, w->node.node, &w->result.output,
		    w->result.has_manifest ? &w->result.manifest : NULL, &list, NULL))
		return;
	for (size_t i = 0; i < list.len; i++) {
		const struct verdict_row *v = &list.ptr[i];
		str age = decide_age(&w->cli->arena, clock_wall_ms() - v->at_ms);
		buf_printf(&w->out, "verdict   %s by %.*s, %.*s: %.*s\n",
			verdict_kind_name(v->kind), STR_ARG(v->by), STR_ARG(age),
			STR_ARG(v->reason));
	}
}

static void add_result(struct why *w)
{
	struct result_row *r = &w->result;
	results_history(w->store, r, NULL);
	str age = decide_age(&w->cli->arena, clock_wall_ms() - r->made_ms);
	buf_printf(&w->out,
		"result    made by run %lld, %.*s; reused %lld time%s; consumers: %lld passed, %lld failed%s\n",
		(long long)r->run, STR_ARG(age), (long long)r->times_reused,
		r->times_reused == 1 ? "" : "s", (long long)r->passed_consumers,
		(long long)r->failed_consumers, r->dropped ? "; dropped since" : "");
	if (r->provable)
		buf_add_z(&w->out,
			"proof     all that it read is known: declared in `reads`, or promised by its type\n");
	else
		buf_printf(&w->out,
			"proof     none (%.*s): reused only when this piece of work is continued\n",
			STR_ARG(r->unproven));
	add_verdicts(w);
	add_key(w);
	add_trace(w);
}

static void add_trace_json(struct why *w)
{
	struct trace trace = {0};
	buf_add_z(&w->out, ",\"facts\":[");
	if (trace_parse(w->result.trace, &trace)) {
		for (size_t i = 0; i < trace.facts.len; i++) {
			const struct fact *f = &trace.facts.ptr[i];
			buf_printf(&w->out, "%s{\"kind\":\"%s\"", i ? "," : "",
				fact_kind_name(f->kind));
			object_text(&w->out, "path", f->path);
			if (f->kind != FACT_ABSENT)
				object_digest(&w->out, "digest", &f->digest);
			if (f->kind == FACT_TOOL)
				object_text(&w->out, "real", f->real);
			buf_add_char(&w->out, '}');
		}
	}
	buf_add_char(&w->out, ']');
	trace_finish(&trace);
}

static void add_verdicts_json(struct why *w)
{
	struct verdict_list list = {0};
	verdicts_on(w->store, &w->cli->arena, w->run.workflow, w->node.node, &w->result.output,
		w->result.has_manifest ? &w->result.manifest : NULL, &list, NULL);
	buf_add_z(&w->out, ",\"verdicts\":[");
	for (size_t i = 0; i < list.len; i++) {
		const struct verdict_row *v = &list.ptr[i];
		buf_printf(&w->out, "%s{\"kind\":\"%s\"", i ? "," : "", verdict_kind_name(v->kind));
		object_text(&w->out, "by", v->by);
		object_text(&w->out, "reason", v->reason);
		object_number(&w->out, "at_ms", v->at_ms);
		buf_add_char(&w->out, '}');
	}
	buf_add_char(&w->out, ']');
}

static void add_json(struct why *w)
{
	object_begin(&w->out, "why");
	object_number(&w->out, "run", w->run.id);
	object_text(&w->out, "workflow", w->run.workflow);
	object_text(&w->out, "node", w->node.node);
	object_text(&w->out, "state", str_of(node_state_name(w->node.state)));
	object_text(&w->out, "reason", w->node.reason);
	object_text(&w->out, "sentence", w->node.sentence);
	if (w->node.error.len)
		object_text(&w->out, "error", w->node.error);
	if (w->has_result) {
		struct key_parts parts = {0};
		results_history(w->store, &w->result, NULL);
		object_number(&w->out, "origin", w->result.run);
		object_bool(&w->out, "provable", w->result.provable);
		if (!w->result.provable)
			object_text(&w->out, "unproven", w->result.unproven);
		object_number(&w->out, "times_reused", w->result.times_reused);
		object_number(&w->out, "passed_consumers", w->result.passed_consumers);
		object_number(&w->out, "failed_consumers", w->result.failed_consumers);
		add_verdicts_json(w);
		add_trace_json(w);
		buf_add_z(&w->out, ",\"key\":[");
		key_parse(&w->cli->arena, w->result.transcript, &parts);
		bool is_first = true;
		for (size_t i = 0; i < parts.len; i++) {
			if (parts.ptr[i].tag == '(' || parts.ptr[i].tag == ')')
				continue;
			buf_add_z(&w->out, is_first ? "{\"label\":" : ",{\"label\":");
			is_first = false;
			json_write_string(&w->out, parts.ptr[i].label);
			buf_add_z(&w->out, ",\"value\":");
			json_write_string(&w->out, parts.ptr[i].value);
			buf_add_char(&w->out, '}');
		}
		buf_add_char(&w->out, ']');
	}
	object_end(&w->out);
}

static bool load(struct why *w, str node, int64_t run)
{
	struct cli *cli = w->cli;
	struct err err = {0};
	bool found = false;
	struct run_list list = {0};
	if (run) {
		if (!cli_get_run(cli, w->store, run, &w->run))
			return false;
		nodes_get(w->store, &cli->arena, run, node, &w->node, &found, NULL);
	} else {
		runs_list(w->store, &cli->arena, STR(""), 0, false, &list, NULL);
		for (size_t i = 0; i < list.len && !found; i++) {
			w->run = list.ptr[i];
			nodes_get(w->store, &cli->arena, w->run.id, node, &w->node, &found, NULL);
		}
	}
	if (!found) {
		err_set(&err, "E-NODE-UNKNOWN", "no run has a node `%.*s`", STR_ARG(node));
		str near = list.len ? rows_nearest(cli, w->store, list.ptr[0].id, node)
		                    : rows_nearest(cli, w->store, run, node);
		if (near.len)
			err_help(&err, "did you mean `%.*s`?", STR_ARG(near));
		else
			err_help(&err, "`pawl show` lists the nodes of the newest run");
		talk_fail(cli, &err);
		return false;
	}
	if (w->node.result)
		results_get(
			w->store, &cli->arena, w->node.result, &w->result, &w->has_result, NULL);
	return true;
}

static int why(struct cli *cli, const char *node, int64_t run)
{
	int code = EXIT_DONE;
	struct why w = {.cli = cli};
	w.store = cli_store(cli, STORE_READ, &code);
	if (!w.store)
		return code;
	code = EXIT_USAGE;
	if (load(&w, str_of(node), run)) {
		code = EXIT_DONE;
		if (cli->is_json) {
			add_json(&w);
		} else {
			const char *word = w.node.state == NODE_REUSED ? "was reused"
			                   : w.node.tries              ? "ran"
			                                               : "did not run";
			buf_printf(&w.out, "%s %s in run %lld of %.*s\n", node, word,
				(long long)w.run.id, STR_ARG(w.run.workflow));
			buf_printf(&w.out, "because   %.*s: %.*s\n", STR_ARG(w.node.reason),
				STR_ARG(w.node.sentence));
			if (w.node.error.len)
				buf_printf(&w.out, "ended     %.*s\n", STR_ARG(w.node.error));
			if (w.has_result)
				add_result(&w);
		}
		struct buf shown = {0};
		buf_add_visible(&shown, buf_str(&w.out));
		talk_out(cli, cli->is_json ? buf_str(&w.out) : buf_str(&shown));
		buf_finish(&shown);
	}
	buf_finish(&w.out);
	store_close(w.store);
	return code;
}

static int run_why(struct cli *cli, int argc, char **argv)
{
	struct arg_list words = {0};
	int64_t run = 0;
	int code = EXIT_USAGE;
	const struct arg args[] = {{"run", 0, ARG_NUMBER, &run, NULL}};
	if (args_parse(cli, &command_why, args, 1, argc, argv, &words, NULL, &code)) {
		struct err err = {0};
		if (words.list.len != 1) {
			err_set(&err, "E-USAGE", "why which node?");
			err_help(&err, "pawl why NODE [--run N]");
			code = talk_fail(cli, &err);
		} else {
			code = why(cli, words.list.ptr[0], run);
		}
	}
	args_finish(&words);
	return code;
}

const struct command command_why = {"why", "Explain",
	"why a node ran or was reused: key, files, proof, verdicts",
	"  pawl why parse\n  pawl why parse --run 6\n  pawl why parse --json\n\nusage: pawl why NODE [--run N]\n",
	run_why};
