/* cmd_show: looking at what was recorded: `pawl runs`, `show`, `logs`, `output`. */
#include "cli/cli.h"
#include "data/json.h"
#include "store/cas.h"
#include "sys/clock.h"

#include <unistd.h>

enum { FOLLOW_US = 200000 };

extern const struct command command_runs, command_show, command_logs, command_output;

static void add_json_text(struct buf *out, const char *name, str text)
{
	buf_printf(out, ",\"%s\":", name);
	json_write_string(out, text);
}

static str age_of(struct arena *arena, int64_t at_ms)
{
	struct buf text = {0};
	clock_add_age(&text, clock_wall_ms() - at_ms);
	str age = arena_str(arena, buf_str(&text));
	buf_finish(&text);
	return age;
}

static void print_runs_json(struct cli *cli, const struct run_list *list)
{
	struct buf out = {0};
	for (size_t i = 0; i < list->len; i++) {
		const struct run_row *r = &list->ptr[i];
		buf_printf(&out, "{\"run\":%lld,\"attempt\":%lld", (long long)r->id,
			(long long)r->attempt);
		add_json_text(&out, "state", str_of(run_state_name(r->state)));
		add_json_text(&out, "workflow", r->workflow);
		add_json_text(&out, "file", r->file);
		buf_printf(&out, ",\"started_ms\":%lld,\"ended_ms\":%lld}\n",
			(long long)r->started_ms, (long long)r->ended_ms);
	}
	talk_out(cli, buf_str(&out));
	buf_finish(&out);
}

static int runs(struct cli *cli, const char *workflow, int64_t limit)
{
	int code = EXIT_DONE;
	struct err err = {0};
	struct run_list list = {0};
	struct store *store = cli_store(cli, STORE_READ, &code);
	if (!store)
		return code;
	if (!runs_list(store, &cli->arena, str_of(workflow), (size_t)limit, false, &list, &err)) {
		code = talk_fail(cli, &err);
	} else if (cli->is_json) {
		print_runs_json(cli, &list);
	} else {
		struct table table;
		table_init(&table, 5);
		for (size_t i = 0; i < list.len; i++) {
			const struct run_row *r = &list.ptr[i];
			struct buf took = {0};
			if (r->ended_ms)
				clock_add_duration(
					&took, (uint64_t)(r->ended_ms > r->started_ms
								  ? r->ended_ms - r->started_ms
								  : 0));
			bool is_gone = r->state == RUN_RUNNING && !proc_is_alive(r->owner);
			table_cell(&table, "%lld", (long long)r->id);
			table_cell(&table, "%.*s", STR_ARG(r->workflow));
			table_cell(
				&table, "%s", is_gone ? "interrupted" : run_state_name(r->state));
			table_cell(&table, "%.*s", STR_ARG(age_of(&cli->arena, r->started_ms)));
			if (r->attempt > 1)
				table_cell(&table, "%s, attempt %lld", buf_cstr(&took),
					(long long)r->attempt);
			else
				table_cell(&table, "%s", buf_cstr(&took));
			buf_finish(&took);
		}
		table_print(cli, &table);
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

static void add_node_json(struct buf *out, const struct node_row *n)
{
	buf_printf(out, "{\"run\":%lld,\"attempt\":%lld", (long long)n->run, (long long)n->attempt);
	add_json_text(out, "node", n->node);
	add_json_text(out, "state", str_of(node_state_name(n->state)));
	add_json_text(out, "reason", n->reason);
	add_json_text(out, "sentence", n->sentence);
	add_json_text(out, "error", n->error);
	add_json_text(out, "key", n->key);
	add_json_text(out, "output", n->output);
	buf_printf(out,
		",\"result\":%lld,\"origin\":%lld,\"tries\":%lld,\"exit_code\":%lld,\"signal\":%lld,\"started_ms\":%lld,"
		"\"ended_ms\":%lld}\n",
		(long long)n->result, (long long)n->origin, (long long)n->tries,
		(long long)n->exit_code, (long long)n->signal, (long long)n->started_ms,
		(long long)n->ended_ms);
}

static void print_run(struct cli *cli, const struct run_row *run, const struct node_list *nodes)
{
	struct table table;
	/* Whoever ran it may have been killed: nothing of it is running then. */
	bool is_live = run->state == RUN_RUNNING && proc_is_alive(run->owner);
	bool is_gone = run->state == RUN_RUNNING && !is_live;
	talk_outf(cli, "run %lld of %.*s: %s, attempt %lld, %.*s\n", (long long)run->id,
		STR_ARG(run->workflow), is_gone ? "interrupted" : run_state_name(run->state),
		(long long)run->attempt, STR_ARG(age_of(&cli->arena, run->started_ms)));
	table_init(&table, 4);
	for (size_t i = 0; i < nodes->len; i++) {
		const struct node_row *n = &nodes->ptr[i];
		struct buf took = {0};
		if (n->tries && n->ended_ms)
			clock_add_duration(&took,
				(uint64_t)(n->ended_ms > n->started_ms ? n->ended_ms - n->started_ms
								       : 0));
		str why = n->error.len ? n->error : n->sentence;
		str first = STR("");
		str_line(&why, &first);
		bool was_cut = n->state == NODE_RUNNING && !is_live;
		table_cell(&table, "  %s", was_cut ? "interrupted" : node_state_name(n->state));
		table_cell(&table, "%.*s", STR_ARG(n->node));
		table_cell(&table, "%s", buf_cstr(&took));
		table_cell(&table, "%.*s", STR_ARG(first));
		buf_finish(&took);
	}
	table_print(cli, &table);
}

static bool unknown_node(struct cli *cli, int64_t run, str node)
{
	struct err err = {0};
	err_set(&err, "E-NODE-UNKNOWN", "run %lld has no node `%.*s`", (long long)run,
		STR_ARG(node));
	err_help(&err, "`pawl show %lld` lists them", (long long)run);
	talk_fail(cli, &err);
	return false;
}

static bool get_node(
	struct cli *cli, struct store *store, int64_t run, str node, struct node_row *row)
{
	struct err err = {0};
	bool found = false;
	if (!nodes_get(store, &cli->arena, run, node, row, &found, &err)) {
		talk_fail(cli, &err);
		return false;
	}
	return found || unknown_node(cli, run, node);
}

static int show(struct cli *cli, struct store *store, int64_t id, str node)
{
	struct run_row run = {0};
	struct node_list nodes = {0};
	struct node_row row = {0};
	struct err err = {0};
	if (!cli_get_run(cli, store, id, &run))
		return EXIT_USAGE;
	if (node.len && !get_node(cli, store, id, node, &row))
		return EXIT_USAGE;
	if (!node.len && !nodes_list(store, &cli->arena, id, &nodes, &err))
		return talk_fail(cli, &err);
	if (cli->is_json) {
		struct buf out = {0};
		for (size_t i = 0; i < nodes.len; i++)
			add_node_json(&out, &nodes.ptr[i]);
		if (node.len)
			add_node_json(&out, &row);
		talk_out(cli, buf_str(&out));
		buf_finish(&out);
	} else if (node.len) {
		print_node(cli, &row);
	} else {
		print_run(cli, &run, &nodes);
	}
	return EXIT_DONE;
}

struct journal {
	struct cli *cli;
	str node;
	struct buf out;
};

static void add_event(void *arg, int64_t seq, int64_t at_ms, str node, str kind, str json)
{
	struct journal *j = arg;
	if (j->node.len && !str_eq(j->node, node))
		return;
	if (j->cli->is_json) {
		buf_printf(
			&j->out, "{\"seq\":%lld,\"at_ms\":%lld", (long long)seq, (long long)at_ms);
		add_json_text(&j->out, "node", node);
		add_json_text(&j->out, "kind", kind);
		buf_printf(&j->out, ",\"event\":%.*s}\n", STR_ARG(json));
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
	struct journal j = {.cli = cli, .node = node};
	int code = EXIT_USAGE;
	if (cli_get_run(cli, store, id, &run)) {
		code = events_each(store, id, add_event, &j, &err) ? EXIT_DONE
		                                                   : talk_fail(cli, &err);
		talk_out(cli, buf_str(&j.out));
	}
	buf_finish(&j.out);
	return code;
}

/* Copies a blob to stdout as it is. */
static int copy_blob(struct cli *cli, struct store *store, str hex)
{
	struct digest digest;
	struct err err = {0};
	uint64_t size = 0;
	if (!hex.len || !digest_parse(hex, &digest))
		return EXIT_DONE;
	int fd = cas_open(store, &digest, &size, &err);
	if (fd < 0)
		return talk_fail(cli, &err);
	static char bytes[1 << 16];
	ssize_t n;
	while ((n = read(fd, bytes, sizeof(bytes))) > 0)
		talk_out(cli, (str){bytes, (size_t)n});
	close(fd);
	return n < 0 ? EXIT_SYSTEM : EXIT_DONE;
}

static int output(struct cli *cli, struct store *store, int64_t run, str node)
{
	struct node_row row = {0};
	struct run_row run_row = {0};
	struct err err = {0};
	if (!cli_get_run(cli, store, run, &run_row))
		return EXIT_USAGE;
	if (!node.len) {
		err_set(&err, "E-USAGE", "which node of run %lld?", (long long)run);
		err_help(&err, "pawl output %lld/NODE", (long long)run);
		return talk_fail(cli, &err);
	}
	return get_node(cli, store, run, node, &row) ? copy_blob(cli, store, row.output)
	                                             : EXIT_USAGE;
}

static int logs_of(struct cli *cli, struct store *store, const struct node_row *row, bool with_head)
{
	int code = EXIT_DONE;
	struct node_row made = *row;
	bool found = true;
	if (row->state == NODE_REUSED)
		nodes_get(store, &cli->arena, row->origin, row->node, &made, &found, NULL);
	if (!found)
		return EXIT_DONE;
	if (with_head && (made.output.len || made.log.len))
		talk_outf(cli, "==> %.*s (%s) <==\n", STR_ARG(row->node),
			node_state_name(row->state));
	code = copy_blob(cli, store, made.output);
	return code ? code : copy_blob(cli, store, made.log);
}

static int logs(struct cli *cli, struct store *store, int64_t run, str node)
{
	struct node_row row = {0};
	struct run_row run_row = {0};
	struct node_list nodes = {0};
	struct err err = {0};
	int code = EXIT_DONE;
	if (!cli_get_run(cli, store, run, &run_row))
		return EXIT_USAGE;
	if (node.len)
		return get_node(cli, store, run, node, &row) ? logs_of(cli, store, &row, false)
		                                             : EXIT_USAGE;
	if (!nodes_list(store, &cli->arena, run, &nodes, &err))
		return talk_fail(cli, &err);
	for (size_t i = 0; i < nodes.len && !code; i++)
		code = logs_of(cli, store, &nodes.ptr[i], true);
	return code;
}

/* Prints each node of the run as it ends, until nobody is running it any more. */
static int follow_logs(struct cli *cli, struct store *store, int64_t id, str node)
{
	struct map printed = {0};
	int code = EXIT_DONE;
	for (bool is_over = false; !code && !is_over;) {
		struct run_row run = {0};
		struct node_list nodes = {0};
		struct err err = {0};
		if (!cli_get_run(cli, store, id, &run)) {
			code = EXIT_USAGE;
			break;
		}
		is_over = run.state != RUN_RUNNING || !proc_is_alive(run.owner);
		if (!nodes_list(store, &cli->arena, id, &nodes, &err))
			code = talk_fail(cli, &err);
		for (size_t i = 0; !code && i < nodes.len; i++) {
			const struct node_row *row = &nodes.ptr[i];
			bool is_wanted = !node.len || str_eq(node, row->node);
			if (!row->ended_ms || !is_wanted || map_get(&printed, row->node))
				continue;
			map_put(&printed, row->node, store);
			code = logs_of(cli, store, row, !node.len);
			is_over = is_over || node.len;
		}
		if (!is_over)
			usleep(FOLLOW_US);
	}
	map_finish(&printed);
	return code;
}

typedef int on_run_fn(struct cli *cli, struct store *store, int64_t run, str node);

/* With a flag of its own, which may be NULL: --events, --follow. */
static int on_run(struct cli *cli, const struct command *command, int argc, char **argv,
	const struct arg *flag, on_run_fn *plain, on_run_fn *flagged)
{
	struct arg_list words = {0};
	int code = EXIT_USAGE;
	if (args_parse(cli, command, flag, flag ? 1 : 0, argc, argv, &words, NULL, &code)) {
		struct store *store = cli_store(cli, STORE_READ, &code);
		int64_t run = 0;
		str node = STR("");
		if (store) {
			const char *which = words.list.len ? words.list.ptr[0] : "last";
			on_run_fn *fn = flag && *(const bool *)flag->target ? flagged : plain;
			code = cli_parse_run(cli, store, which, &run, &node)
			               ? fn(cli, store, run, node)
			               : EXIT_USAGE;
			store_close(store);
		}
	}
	args_finish(&words);
	return code;
}

static int run_show(struct cli *cli, int argc, char **argv)
{
	bool events = false;
	const struct arg flag = {"events", 0, ARG_FLAG, &events, NULL};
	return on_run(cli, &command_show, argc, argv, &flag, show, show_events);
}

static int run_logs(struct cli *cli, int argc, char **argv)
{
	bool follow = false;
	const struct arg flag = {"follow", 'f', ARG_FLAG, &follow, NULL};
	return on_run(cli, &command_logs, argc, argv, &flag, logs, follow_logs);
}

static int run_output(struct cli *cli, int argc, char **argv)
{
	return on_run(cli, &command_output, argc, argv, NULL, output, output);
}

const struct command command_runs = {"runs", "Look", "list runs, newest first",
	"  pawl runs\n  pawl runs release\n  pawl runs --json\n\nusage: pawl runs [WORKFLOW] [-n LIMIT]\n",
	run_runs};
const struct command command_show = {"show", "Look", "show a run, or one node of it",
	"  pawl show\n  pawl show 6/parse\n  pawl show 6 --events\n\nusage: pawl show [RUN[/NODE]] [--events]\n\n"
	"      --events   what happened, in order, over all tries and attempts\n",
	run_show};
const struct command command_logs = {"logs", "Look", "print what nodes wrote to stdout and stderr",
	"  pawl logs\n  pawl logs 6/parse\n  pawl logs -f\n\nusage: pawl logs [RUN[/NODE]] [-f]\n\n"
	"  -f, --follow   go on until the run ends: what each node wrote, as it ends\n",
	run_logs};
const struct command command_output = {"output", "Look", "print a node's output, byte for byte",
	"  pawl output 6/parse\n  pawl output last/parse | jq .\n  pawl output 6/parse > saved\n\n"
	"usage: pawl output RUN/NODE\n",
	run_output};
