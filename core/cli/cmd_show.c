/* cmd_show: looking at what was recorded: `pawl runs` and `pawl show`; what nodes printed is cmd_logs.c's. */
#include "cli/cli.h"
#include "cli/inner.h"
#include "cli/objects.h"
#include "cli/rows.h"
#include "data/json.h"
#include "sys/clock.h"

extern const struct command command_runs, command_show;

static str age_of(struct arena *arena, int64_t at_ms)
{
	struct buf text = {0};
	clock_add_age(&text, clock_wall_ms() - at_ms);
	str age = arena_str(arena, buf_str(&text));
	buf_finish(&text);
	return age;
}

/* Whoever ran it may have been killed: nothing of it is running then. */
static const char *state_of(const struct run_row *run)
{
	bool is_gone = run->state == RUN_RUNNING && !run->is_live;
	return is_gone ? "interrupted" : run_state_name(run->state);
}

static void add_run_json(struct buf *out, const struct run_row *r)
{
	object_begin(out, "run");
	object_number(out, "run", r->id);
	object_number(out, "attempt", r->attempt);
	object_text(out, "state", str_of(state_of(r)));
	object_text(out, "workflow", r->workflow);
	object_text(out, "file", r->file);
	object_number(out, "started_ms", r->started_ms);
	object_number(out, "ended_ms", r->ended_ms);
	if (r->error.len)
		object_text(out, "error", r->error);
	if (r->continues)
		object_number(out, "continues", r->continues);
	if (r->parent) {
		object_number(out, "parent_run", r->parent);
		object_text(out, "parent_node", r->parent_node);
	}
	object_end(out);
}

static void print_runs_json(struct cli *cli, const struct run_list *list)
{
	struct buf out = {0};
	for (size_t i = 0; i < list->len; i++)
		add_run_json(&out, &list->ptr[i]);
	talk_out(cli, buf_str(&out));
	buf_finish(&out);
}

static void print_runs(struct cli *cli, const struct run_list *list)
{
	struct table table;
	table_init(&table, 5);
	for (size_t i = 0; i < list->len; i++) {
		const struct run_row *r = &list->ptr[i];
		struct buf took = {0};
		if (r->ended_ms)
			clock_add_duration(&took,
				(uint64_t)(r->ended_ms > r->started_ms ? r->ended_ms - r->started_ms
								       : 0));
		if (r->attempt > 1)
			buf_printf(&took, ", attempt %lld", (long long)r->attempt);
		table_cell(&table, "%lld", (long long)r->id);
		table_cell(&table, "%.*s", STR_ARG(r->workflow));
		table_cell(&table, "%s", state_of(r));
		table_cell(&table, "%.*s", STR_ARG(age_of(&cli->arena, r->started_ms)));
		table_cell(&table, "%s", buf_cstr(&took));
		buf_finish(&took);
	}
	table_print(cli, &table);
}

static int runs(struct cli *cli, const char *workflow, int64_t limit)
{
	int code = EXIT_DONE;
	struct err err = {0};
	struct run_list list = {0};
	struct store *store = cli_store(cli, STORE_READ_OR_EMPTY, &code);
	if (!store)
		return code;
	if (!runs_list(store, &cli->arena, str_of(workflow), (size_t)limit, false, &list, &err)) {
		code = talk_fail(cli, &err);
	} else if (cli->is_json) {
		print_runs_json(cli, &list);
	} else {
		print_runs(cli, &list);
		if (!list.len)
			talk_note(cli,
				*workflow ? "%s has no runs; `pawl list` shows the workflows"
					  : "%snothing has run yet",
				workflow);
	}
	store_close(store);
	return code;
}

static int run_runs(struct cli *cli, int argc, char **argv)
{
	struct arg_list words = {0};
	int64_t limit = 20;
	int code = EXIT_USAGE;
	const struct arg args[] = {{"limit", 'n', ARG_NUMBER, &limit, NULL}};
	if (args_parse(cli, &command_runs, args, 1, argc, argv, &words, NULL, &code))
		code = runs(cli, words.list.len ? words.list.ptr[0] : "", limit);
	args_finish(&words);
	return code;
}

/* ---- show ---- */

static void print_node(struct cli *cli, const struct node_row *n)
{
	struct buf out = {0};
	buf_printf(&out, "node      %.*s\nstate     %s\n", STR_ARG(n->node),
		node_state_name(n->state));
	buf_printf(&out, "why       %.*s: %.*s\n", STR_ARG(n->reason), STR_ARG(n->sentence));
	if (n->error.len)
		buf_printf(&out, "error     %.*s\n", STR_ARG(n->error));
	if (n->tries)
		buf_printf(&out, "tries     %lld\n", (long long)n->tries);
	if (n->origin)
		buf_printf(&out, "made by   run %lld\n", (long long)n->origin);
	if (n->key.len)
		buf_printf(&out, "key       %.*s\n", STR_ARG(n->key));
	if (n->output.len)
		buf_printf(&out, "output    %.*s, %lld bytes\n", STR_ARG(n->output),
			(long long)n->output_size);
	if (n->log.len)
		buf_printf(&out, "stderr    %.*s, %lld bytes\n", STR_ARG(n->log),
			(long long)n->log_size);
	struct buf shown = {0};
	buf_add_visible(&shown, buf_str(&out));
	talk_out(cli, buf_str(&shown));
	buf_finish(&shown);
	buf_finish(&out);
}

static const char *state_of_node(const struct inner_node *node)
{
	bool was_cut = node->row->state == NODE_RUNNING && !node->run->is_live;
	return was_cut ? "interrupted" : node_state_name(node->row->state);
}

static void add_node_json(struct buf *out, const struct inner_node *node)
{
	const struct node_row *n = node->row;
	object_begin(out, "node");
	object_number(out, "run", n->run);
	object_number(out, "attempt", n->attempt);
	object_text(out, "node", n->node);
	if (node->is_inner) {
		object_text(out, "path", node->path);
		object_number(out, "parent_run", node->run->parent);
		object_text(out, "parent_node", node->run->parent_node);
	}
	object_text(out, "state", str_of(state_of_node(node)));
	object_text(out, "reason", n->reason);
	object_text(out, "sentence", n->sentence);
	object_text(out, "type", n->type);
	object_text(out, "error", n->error);
	object_text(out, "key", n->key);
	object_text(out, "output", n->output);
	object_number(out, "output_bytes", n->output_size);
	object_number(out, "stderr_bytes", n->log_size);
	object_number(out, "result", n->result);
	object_number(out, "origin", n->origin);
	object_number(out, "tries", n->tries);
	object_number(out, "exit_code", n->exit_code);
	object_number(out, "signal", n->signal);
	object_number(out, "started_ms", n->started_ms);
	object_number(out, "ended_ms", n->ended_ms);
	object_end(out);
}

struct showing {
	struct cli *cli;
	struct table table;
	struct buf json;
};

static void show_node(void *arg, const struct inner_node *node)
{
	struct showing *s = arg;
	const struct node_row *n = node->row;
	struct buf took = {0};
	if (s->cli->is_json) {
		add_node_json(&s->json, node);
		return;
	}
	if (n->tries && n->ended_ms)
		clock_add_duration(&took,
			(uint64_t)(n->ended_ms > n->started_ms ? n->ended_ms - n->started_ms : 0));
	str why = n->error.len ? n->error : n->sentence;
	str first = STR("");
	str_line(&why, &first);
	table_cell(&s->table, "  %s", state_of_node(node));
	table_cell(&s->table, "%.*s", STR_ARG(node->path));
	table_cell(&s->table, "%s", buf_cstr(&took));
	table_cell(&s->table, "%.*s", STR_ARG(first));
	buf_finish(&took);
}

static int show_run(struct cli *cli, struct store *store, const struct run_row *run)
{
	struct showing s = {.cli = cli};
	struct err err = {0};
	table_init(&s.table, 4);
	if (cli->is_json)
		add_run_json(&s.json, run);
	else
		talk_outf(cli, "run %lld of %.*s: %s, attempt %lld, %.*s\n", (long long)run->id,
			STR_ARG(run->workflow), state_of(run), (long long)run->attempt,
			STR_ARG(age_of(&cli->arena, run->started_ms)));
	bool ok = inner_each(store, &cli->arena, run, show_node, &s, &err);
	talk_out(cli, buf_str(&s.json));
	table_print(cli, &s.table);
	buf_finish(&s.json);
	return ok ? EXIT_DONE : talk_fail(cli, &err);
}

static int show(struct cli *cli, struct store *store, int64_t id, str node)
{
	struct run_row run = {0};
	struct node_row row = {0};
	if (!cli_get_run(cli, store, id, &run))
		return EXIT_USAGE;
	if (!node.len)
		return show_run(cli, store, &run);
	if (!rows_node(cli, store, id, node, &row))
		return EXIT_USAGE;
	if (cli->is_json) {
		struct buf out = {0};
		add_node_json(&out, &(struct inner_node){&run, &row, row.node, false});
		talk_out(cli, buf_str(&out));
		buf_finish(&out);
	} else {
		print_node(cli, &row);
	}
	return EXIT_DONE;
}

struct journal {
	struct cli *cli;
	int64_t run;
	str node;
	struct buf out;
};

static void add_event(void *arg, int64_t seq, int64_t at_ms, str node, str kind, str json)
{
	struct journal *j = arg;
	if (j->node.len && !str_eq(j->node, node))
		return;
	if (j->cli->is_json) {
		object_begin(&j->out, "journal");
		object_number(&j->out, "seq", seq);
		object_number(&j->out, "at_ms", at_ms);
		object_number(&j->out, "run", j->run);
		object_text(&j->out, "node", node);
		object_text(&j->out, "kind", kind);
		buf_printf(&j->out, ",\"data\":%.*s", STR_ARG(json));
		object_end(&j->out);
		return;
	}
	const struct value *event =
		json_parse(&j->cli->arena, arena_str(&j->cli->arena, json), NULL);
	const struct value *sentence = value_get(event, STR("sentence"));
	const struct value *attempt = value_get(event, STR("attempt"));
	struct buf line = {0};
	clock_add_utc(&line, at_ms);
	const struct value *state = value_get(event, STR("state"));
	bool is_end = str_is(kind, "ended") && state && state->kind == VALUE_STRING;
	buf_printf(&line, "  %-9.*s %.*s", STR_ARG(is_end ? state->as.text : kind), STR_ARG(node));
	if (attempt && attempt->kind == VALUE_NUMBER && !str_is(attempt->as.text, "1"))
		buf_printf(&line, " (attempt %.*s)", STR_ARG(attempt->as.text));
	if (sentence && sentence->kind == VALUE_STRING)
		buf_printf(&line, "  %.*s", STR_ARG(sentence->as.text));
	buf_add_visible(&j->out, buf_str(&line));
	buf_add_char(&j->out, '\n');
	buf_finish(&line);
}

/* What happened, in order, over all attempts; reused nodes have rows only. */
static int show_events(struct cli *cli, struct store *store, int64_t id, str node)
{
	struct run_row run = {0};
	struct err err = {0};
	struct journal j = {.cli = cli, .run = id, .node = node};
	int code = EXIT_USAGE;
	if (cli_get_run(cli, store, id, &run)) {
		code = events_each(store, id, add_event, &j, &err) ? EXIT_DONE
		                                                   : talk_fail(cli, &err);
		talk_out(cli, buf_str(&j.out));
	}
	buf_finish(&j.out);
	return code;
}

static int run_show(struct cli *cli, int argc, char **argv)
{
	bool events = false;
	const struct arg flag = {"events", 0, ARG_FLAG, &events, NULL};
	return rows_on_run(
		cli, &command_show, &(struct rows_request){argc, argv, &flag, show, show_events});
}

const struct command command_runs = {"runs", "Look", "list runs, newest first",
	"  pawl runs\n  pawl runs release\n  pawl runs --json\n\nusage: pawl runs [WORKFLOW] [-n LIMIT]\n",
	run_runs};
const struct command command_show = {"show", "Look", "show a run, or one node of it",
	"  pawl show\n  pawl show 6/parse\n  pawl show 6 --events\n\nusage: pawl show [RUN[/NODE]] [--events]\n\n"
	"      --events   what happened, in order, over all tries and attempts\n",
	run_show};
