/* cmd_graph: a workflow as a drawing: for the terminal, for Graphviz, for Mermaid; with the states of a run. */
#include "cli/cli.h"
#include "cli/lanes.h"
#include "cli/objects.h"
#include "cli/rows.h"
#include "data/json.h"

extern const struct command command_graph;

struct graph {
	struct cli *cli;
	const struct workflow *workflow;
	struct node_list nodes; /* of the run; empty: none was asked for */
	int64_t run;
	struct buf out;
};

/* NULL: no run was asked for, or the node is not in it. */
static const char *state_of(const struct graph *g, const struct node *node)
{
	for (size_t i = 0; i < g->nodes.len; i++) {
		if (str_eq(g->nodes.ptr[i].node, node->id))
			return node_state_name(g->nodes.ptr[i].state);
	}
	return NULL;
}

static bool is_good(const char *state)
{
	return !strcmp(state, "completed") || !strcmp(state, "reused");
}

/* ---- for the terminal ---- */

static const uint32_t *consumers_of(const void *ctx, uint32_t index, uint32_t *n)
{
	const struct workflow *workflow = ctx;
	*n = workflow->nodes[index].consumer_count;
	return workflow->nodes[index].consumers;
}

static void add_node(struct graph *g, const struct node *node, size_t id_width)
{
	const struct cli *cli = g->cli;
	const char *off = talk_color(cli, false, COLOR_NONE);
	const char *state = state_of(g, node);
	buf_printf(&g->out, "%s%.*s%s", talk_color(cli, false, COLOR_BOLD), STR_ARG(node->id), off);
	for (size_t i = node->id.len; i < id_width; i++)
		buf_add_char(&g->out, ' ');
	buf_printf(
		&g->out, "  %s%.*s%s", talk_color(cli, false, COLOR_DIM), STR_ARG(node->type), off);
	if (state) {
		enum color color = is_good(state)             ? COLOR_GREEN
		                   : !strcmp(state, "failed") ? COLOR_RED
		                                              : COLOR_YELLOW;
		buf_printf(&g->out, "  %s%s%s", talk_color(cli, false, color), state, off);
	}
	if (node->when) {
		buf_add_z(&g->out, "  when ");
		buf_add_visible(&g->out, node->when_text);
	}
	if (node->rule != RULE_ALL_SUCCESS)
		buf_printf(&g->out, "  %s", trigger_rule_name(node->rule));
}

/* What is too wide for a drawing: a line a node, with what it comes after. */
static void draw_list(struct graph *g, size_t id_width)
{
	const struct workflow *w = g->workflow;
	for (uint32_t i = 0; i < w->node_count; i++) {
		const struct node *node = &w->nodes[w->order[i]];
		add_node(g, node, id_width);
		for (uint32_t d = 0; d < node->dep_count && d < 8; d++)
			buf_printf(&g->out, "%s%.*s", d ? ", " : "  after ",
				STR_ARG(w->nodes[node->deps[d]].id));
		if (node->dep_count > 8)
			buf_printf(&g->out, " and %u more", node->dep_count - 8);
		buf_add_char(&g->out, '\n');
	}
}

static void draw(struct graph *g)
{
	struct lane_lines lines;
	size_t id_width = 0;
	for (uint32_t i = 0; i < g->workflow->node_count; i++) {
		size_t width = g->workflow->nodes[i].id.len;
		id_width = width > id_width && width <= 32 ? width : id_width;
	}
	bool is_drawn = lanes_draw(&g->cli->arena, g->workflow->order, g->workflow->node_count,
		consumers_of, g->workflow, &lines);
	if (!is_drawn)
		draw_list(g, id_width);
	for (size_t i = 0; is_drawn && i < lines.list.len; i++) {
		const struct lane_line *line = &lines.list.ptr[i];
		buf_add(&g->out, line->drawing);
		for (size_t c = line->width; line->node != LANE_NO_NODE && c < lines.width + 2; c++)
			buf_add_char(&g->out, ' ');
		if (line->node != LANE_NO_NODE)
			add_node(g, &g->workflow->nodes[line->node], id_width);
		buf_add_char(&g->out, '\n');
	}
	lanes_finish(&lines);
}

/* ---- for other programs ---- */

static void dot(struct graph *g)
{
	const struct workflow *w = g->workflow;
	buf_printf(&g->out,
		"digraph \"%.*s\" {\n\trankdir=TB;\n\tnode [shape=box, style=rounded];\n",
		STR_ARG(w->name));
	for (uint32_t i = 0; i < w->node_count; i++) {
		const struct node *node = &w->nodes[i];
		const char *state = state_of(g, node);
		buf_printf(&g->out, "\t\"%.*s\" [label=\"%.*s\\n%.*s%s%s\"", STR_ARG(node->id),
			STR_ARG(node->id), STR_ARG(node->type), state ? "\\n" : "",
			state ? state : "");
		if (state)
			buf_printf(&g->out, ", color=%s",
				is_good(state)             ? "green"
				: !strcmp(state, "failed") ? "red"
							   : "gray");
		buf_add_z(&g->out, "];\n");
	}
	for (uint32_t i = 0; i < w->node_count; i++) {
		for (uint32_t d = 0; d < w->nodes[i].dep_count; d++)
			buf_printf(&g->out, "\t\"%.*s\" -> \"%.*s\";\n",
				STR_ARG(w->nodes[w->nodes[i].deps[d]].id), STR_ARG(w->nodes[i].id));
	}
	buf_add_z(&g->out, "}\n");
}

/* Ids may be words of Mermaid's own (`end`): nodes are numbered, and named by a label. */
static void mermaid(struct graph *g)
{
	const struct workflow *w = g->workflow;
	buf_add_z(&g->out, "flowchart TD\n");
	for (uint32_t i = 0; i < w->node_count; i++) {
		const struct node *node = &w->nodes[i];
		const char *state = state_of(g, node);
		buf_printf(&g->out, "    n%u[\"%.*s<br/>%.*s%s%s\"]", i, STR_ARG(node->id),
			STR_ARG(node->type), state ? "<br/>" : "", state ? state : "");
		if (state)
			buf_printf(&g->out, ":::%s",
				is_good(state)             ? "good"
				: !strcmp(state, "failed") ? "bad"
							   : "other");
		buf_add_char(&g->out, '\n');
	}
	for (uint32_t i = 0; i < w->node_count; i++) {
		for (uint32_t d = 0; d < w->nodes[i].dep_count; d++)
			buf_printf(&g->out, "    n%u --> n%u\n", w->nodes[i].deps[d], i);
	}
	if (g->run)
		buf_add_z(&g->out,
			"    classDef good stroke:#2a2\n    classDef bad stroke:#c22\n    classDef other stroke:#888\n");
}

static void json(struct graph *g)
{
	const struct workflow *w = g->workflow;
	for (uint32_t i = 0; i < w->node_count; i++) {
		const struct node *node = &w->nodes[w->order[i]];
		const char *state = state_of(g, node);
		object_begin(&g->out, "graph_node");
		object_text(&g->out, "workflow", w->name);
		object_text(&g->out, "node", node->id);
		object_text(&g->out, "type", node->type);
		if (state)
			object_text(&g->out, "state", str_of(state));
		buf_add_z(&g->out, ",\"depends_on\":[");
		for (uint32_t d = 0; d < node->dep_count; d++) {
			buf_add_z(&g->out, d ? "," : "");
			json_write_string(&g->out, w->nodes[node->deps[d]].id);
		}
		buf_add_char(&g->out, ']');
		if (node->when)
			object_text(&g->out, "when", node->when_text);
		object_text(&g->out, "trigger_rule", str_of(trigger_rule_name(node->rule)));
		object_end(&g->out);
	}
}

/* The states of the run are looked up in its own store; a run of another workflow is refused. */
static bool load_run(struct graph *g, const char *which)
{
	int code = 0;
	int64_t run = 0;
	str node = STR("");
	struct run_row row = {0};
	struct err err = {0};
	struct store *store = cli_store(g->cli, STORE_READ, &code);
	if (!store)
		return false;
	bool ok = cli_parse_run(g->cli, store, which, &run, &node) &&
	          cli_get_run(g->cli, store, run, &row);
	if (ok && !str_eq(row.workflow, g->workflow->name)) {
		rows_usage(g->cli, "`pawl runs NAME` lists those of a workflow",
			"run %lld is one of %.*s, not of %.*s", (long long)run,
			STR_ARG(row.workflow), STR_ARG(g->workflow->name));
		ok = false;
	}
	if (ok && !nodes_list(store, &g->cli->arena, run, &g->nodes, &err)) {
		talk_fail(g->cli, &err);
		ok = false;
	}
	g->run = run;
	store_close(store);
	return ok;
}

struct graph_args {
	bool is_dot;
	bool is_mermaid;
	const char *run;
};

static int graph(struct cli *cli, const char *name, const struct graph_args *a)
{
	struct graph g = {.cli = cli};
	struct workflow *workflow = cli_load_workflow(cli, name);
	int code = EXIT_USAGE;
	g.workflow = workflow;
	if (workflow && (!a->run || load_run(&g, a->run))) {
		if (a->is_dot)
			dot(&g);
		else if (a->is_mermaid)
			mermaid(&g);
		else if (cli->is_json)
			json(&g);
		else
			draw(&g);
		talk_out(cli, buf_str(&g.out));
		code = EXIT_DONE;
	}
	buf_finish(&g.out);
	workflow_destroy(workflow);
	return code;
}

static int run_graph(struct cli *cli, int argc, char **argv)
{
	struct arg_list words = {0};
	struct graph_args a = {0};
	int code = EXIT_USAGE;
	const struct arg args[] = {
		{"dot", 0, ARG_FLAG, &a.is_dot, NULL},
		{"mermaid", 0, ARG_FLAG, &a.is_mermaid, NULL},
		{"run", 0, ARG_VALUE, &a.run, NULL},
	};
	if (args_parse(cli, &command_graph, args, 3, argc, argv, &words, NULL, &code)) {
		if (words.list.len != 1)
			code = rows_usage(cli, "pawl graph WORKFLOW; `pawl list` lists them",
				"the graph of which workflow?");
		else if (a.is_dot + a.is_mermaid + cli->is_json > 1)
			code = rows_usage(
				cli, NULL, "one of --dot, --mermaid and --json at a time");
		else
			code = graph(cli, words.list.ptr[0], &a);
	}
	args_finish(&words);
	return code;
}

const struct command command_graph = {"graph", "Author",
	"draw a workflow, with the states of a run on demand",
	"  pawl graph release\n"
	"  pawl graph release --run last\n"
	"  pawl graph release --dot | dot -Tsvg > release.svg\n\n"
	"usage: pawl graph WORKFLOW [--run RUN] [--dot|--mermaid|--json]\n\n"
	"      --run RUN   show how each node ended in that run\n"
	"      --dot       for Graphviz\n"
	"      --mermaid   for Mermaid, as READMEs show it\n",
	run_graph};
