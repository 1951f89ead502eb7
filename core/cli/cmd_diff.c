/* cmd_diff: what differs between two runs, from what was stored of them and nothing else: states and times of their nodes,
 * the parts of their keys, the facts of their traces, the files that they left, and their outputs. */
#include "cli/cli.h"
#include "cli/compare.h"
#include "cli/objects.h"
#include "cli/rows.h"
#include "cli/textdiff.h"
#include "data/json.h"
#include "data/trace.h"
#include "engine/decide.h"
#include "sys/clock.h"

extern const struct command command_diff;

/* One node in one of the two runs. */
struct side {
	struct node_row row;
	struct result_row result;
	bool is_there;
	bool has_result;
	struct left_behind left;
};

struct differ {
	struct cli *cli;
	struct store *store;
	struct run_row runs[2];
	struct node_list nodes[2];
	struct buf out;
	struct buf same; /* names of nodes that are the same */
	size_t same_count;
	size_t most; /* lines shown of a text */
	bool is_detailed;
};

static void load_side(struct differ *d, struct side *side, const struct node_row *row)
{
	*side = (struct side){.is_there = row != NULL};
	if (!row)
		return;
	side->row = *row;
	if (row->result)
		results_get(d->store, &d->cli->arena, row->result, &side->result, &side->has_result,
			NULL);
	side->left.has_output = rows_output(row, &side->left.output);
	side->left.output_size = (uint64_t)row->output_size;
	side->left.has_manifest = rows_manifest(d->cli, d->store, row, &side->left.manifest);
}

static const struct node_row *find(const struct node_list *list, str node)
{
	for (size_t i = 0; i < list->len; i++) {
		if (str_eq(list->ptr[i].node, node))
			return &list->ptr[i];
	}
	return NULL;
}

static uint64_t duration(const struct node_row *row)
{
	return row->tries && row->ended_ms > row->started_ms
	               ? (uint64_t)(row->ended_ms - row->started_ms)
	               : 0;
}

/* ---- the key ---- */

static bool is_secret(const struct key_change *change)
{
	return str_starts(change->label, STR("secrets/"));
}

static str part_text(struct differ *d, const struct key_part *part)
{
	if (!part)
		return STR("not there");
	if (part->tag == 'a')
		return STR("unset");
	if (part->tag == 'd')
		return str_slice(part->value, 0, 12);
	return decide_quote(&d->cli->arena, part->value, 100);
}

static bool has_lines(const struct key_part *part)
{
	return part && part->tag == 't' && str_find_char(part->value, '\n', 0) != SIZE_MAX;
}

static void add_change(struct differ *d, const struct key_change *change)
{
	str then = part_text(d, change->then);
	str now = part_text(d, change->now);
	if (is_secret(change)) {
		buf_printf(&d->out, "    key %s  changed (secrets are not shown)\n",
			compare_visible(d->cli, change->label));
	} else if (change->then && change->now &&
		   (has_lines(change->then) || has_lines(change->now))) {
		buf_printf(&d->out, "    key %s\n", compare_visible(d->cli, change->label));
		textdiff_write(d->cli, &d->out, change->then->value, change->now->value, "      ",
			d->most);
	} else {
		buf_printf(&d->out, "    key %s  %.*s → %.*s\n",
			compare_visible(d->cli, change->label), STR_ARG(then), STR_ARG(now));
	}
}

static struct key_changes key_changes_of(
	struct differ *d, const struct side *a, const struct side *b)
{
	struct key_parts then = {0};
	struct key_parts now = {0};
	if (!a->has_result || !b->has_result ||
		!key_parse(&d->cli->arena, a->result.transcript, &then) ||
		!key_parse(&d->cli->arena, b->result.transcript, &now))
		return (struct key_changes){0};
	return key_diff(&d->cli->arena, &then, &now);
}

/* ---- the trace ---- */

static const struct fact *find_fact(const struct trace *trace, const struct fact *wanted)
{
	for (size_t i = 0; i < trace->facts.len; i++) {
		if (fact_same_subject(&trace->facts.ptr[i], wanted))
			return &trace->facts.ptr[i];
	}
	return NULL;
}

static const char *fact_text(struct differ *d, const struct fact *fact)
{
	if (!fact)
		return "not looked at";
	if (fact->kind == FACT_ABSENT)
		return "absent";
	return rows_short(d->cli, &fact->digest, 12);
}

struct fact_change {
	const struct fact *then; /* NULL: not looked at */
	const struct fact *now;
};

struct fact_changes {
	VEC(struct fact_change) list;
};

static void compare_facts(
	const struct trace *then, const struct trace *now, struct fact_changes *out)
{
	for (size_t i = 0; i < then->facts.len; i++) {
		const struct fact *fact = &then->facts.ptr[i];
		const struct fact *other = find_fact(now, fact);
		if (!other || !fact_eq(fact, other))
			*vec_push(&out->list) = (struct fact_change){fact, other};
	}
	for (size_t i = 0; i < now->facts.len; i++) {
		const struct fact *fact = &now->facts.ptr[i];
		if (!find_fact(then, fact))
			*vec_push(&out->list) = (struct fact_change){NULL, fact};
	}
}

static void add_facts(struct differ *d, const struct fact_changes *changes)
{
	for (size_t i = 0; i < changes->list.len; i++) {
		const struct fact_change *c = &changes->list.ptr[i];
		const struct fact *named = c->now ? c->now : c->then;
		buf_printf(&d->out, "    %s %s  %s → %s\n", fact_kind_name(named->kind),
			compare_visible(d->cli, named->path), fact_text(d, c->then),
			fact_text(d, c->now));
	}
}

/* ---- a node ---- */

static void add_state(struct differ *d, const struct side *side)
{
	if (!side->is_there) {
		buf_add_z(&d->out, "not there");
		return;
	}
	buf_add_z(&d->out, node_state_name(side->row.state));
	if (side->row.state == NODE_REUSED)
		buf_printf(&d->out, " (of run %lld)", (long long)side->row.origin);
	if (side->row.tries) {
		buf_add_char(&d->out, ' ');
		clock_add_duration(&d->out, duration(&side->row));
	}
}

/* Completed and reused are one state to whoever consumes the output. */
static bool same_state(const struct side *a, const struct side *b)
{
	enum node_state x = a->row.state == NODE_REUSED ? NODE_COMPLETED : a->row.state;
	enum node_state y = b->row.state == NODE_REUSED ? NODE_COMPLETED : b->row.state;
	return a->is_there == b->is_there && x == y;
}

static void add_errors(struct differ *d, const struct side *a, const struct side *b)
{
	const struct side *sides[] = {a, b};
	for (size_t i = 0; i < 2; i++) {
		str rest = sides[i]->is_there ? sides[i]->row.error : STR("");
		str line = STR("");
		if (str_line(&rest, &line)) {
			buf_printf(&d->out, "    run %lld  ", (long long)d->runs[i].id);
			buf_add_visible(&d->out, line);
			buf_add_char(&d->out, '\n');
		}
	}
}

struct node_difference {
	str node;
	struct side a, b;
	struct key_changes key;
	struct fact_changes facts;
	bool is_same;
};

static void compare_node(struct differ *d, str node, struct node_difference *n)
{
	struct trace then = {0};
	struct trace now = {0};
	*n = (struct node_difference){.node = node};
	load_side(d, &n->a, find(&d->nodes[0], node));
	load_side(d, &n->b, find(&d->nodes[1], node));
	n->key = key_changes_of(d, &n->a, &n->b);
	if (n->a.has_result && n->b.has_result && trace_parse(n->a.result.trace, &then) &&
		trace_parse(n->b.result.trace, &now)) {
		/* The facts borrow from the rows and must outlive the lists. */
		struct trace *kept = arena_array(&d->cli->arena, struct trace, 2);
		kept[0] = then;
		kept[1] = now;
		compare_facts(&kept[0], &kept[1], &n->facts);
		for (size_t i = 0; i < n->facts.list.len; i++) {
			struct fact_change *c = &n->facts.list.ptr[i];
			struct fact *copies = arena_array(&d->cli->arena, struct fact, 2);
			if (c->then)
				copies[0] = *c->then, c->then = &copies[0];
			if (c->now)
				copies[1] = *c->now, c->now = &copies[1];
		}
	}
	trace_finish(&then);
	trace_finish(&now);
	n->is_same = same_state(&n->a, &n->b) && !n->key.len && !n->facts.list.len &&
	             str_eq(n->a.row.key, n->b.row.key) && compare_same(&n->a.left, &n->b.left);
}

static void print_node(struct differ *d, const struct node_difference *n)
{
	if (n->is_same && !d->is_detailed) {
		buf_printf(&d->same, "%s%.*s", d->same_count++ ? ", " : "", STR_ARG(n->node));
		return;
	}
	buf_printf(&d->out, "  %s%.*s%s  ", talk_color(d->cli, false, COLOR_BOLD), STR_ARG(n->node),
		talk_color(d->cli, false, COLOR_NONE));
	add_state(d, &n->a);
	buf_add_z(&d->out, " → ");
	add_state(d, &n->b);
	buf_add_char(&d->out, '\n');
	add_errors(d, &n->a, &n->b);
	for (size_t i = 0; i < n->key.len; i++)
		add_change(d, &n->key.ptr[i]);
	if (!n->key.len && !str_eq(n->a.row.key, n->b.row.key) && n->a.row.key.len &&
		n->b.row.key.len)
		buf_add_z(&d->out,
			"    key  differs; of a node that left no result its parts are not stored\n");
	add_facts(d, &n->facts);
	struct comparing comparing = {d->cli, d->store, &d->out, d->most, d->is_detailed};
	compare_artifacts(&comparing, &n->a.left, &n->b.left);
	compare_outputs(&comparing, &n->a.left, &n->b.left);
	if (n->is_same)
		buf_add_z(&d->out, "    the same key, files and output\n");
}

/* ---- as JSON ---- */

static void add_side_json(struct buf *out, const char *name, const struct side *side)
{
	buf_printf(out, ",\"%s\":", name);
	if (!side->is_there) {
		buf_add_z(out, "null");
		return;
	}
	buf_printf(out, "{\"state\":\"%s\",\"duration_ms\":%llu,\"origin\":%lld",
		node_state_name(side->row.state), (unsigned long long)duration(&side->row),
		(long long)side->row.origin);
	object_text(out, "error", side->row.error);
	object_text(out, "output", side->row.output);
	if (side->left.has_manifest)
		object_digest(out, "artifacts", &side->left.manifest);
	buf_add_char(out, '}');
}

static void add_part_json(
	struct buf *out, const char *name, const struct key_part *part, bool is_hidden)
{
	buf_printf(out, ",\"%s\":", name);
	if (!part || part->tag == 'a')
		buf_add_z(out, "null");
	else
		json_write_string(out, is_hidden ? STR("secret") : part->value);
}

static void add_fact_json(struct buf *out, const char *name, const struct fact *fact)
{
	if (!fact || fact->kind == FACT_ABSENT)
		buf_printf(out, ",\"%s\":null", name);
	else
		object_digest(out, name, &fact->digest);
}

static void print_json(struct differ *d, const struct node_difference *n)
{
	struct buf *out = &d->out;
	object_begin(out, "node_diff");
	object_bool(out, "same", n->is_same);
	object_text(out, "node", n->node);
	add_side_json(out, "then", &n->a);
	add_side_json(out, "now", &n->b);
	buf_add_z(out, ",\"key\":[");
	for (size_t i = 0; i < n->key.len; i++) {
		buf_add_z(out, i ? ",{\"label\":" : "{\"label\":");
		json_write_string(out, n->key.ptr[i].label);
		add_part_json(out, "then", n->key.ptr[i].then, is_secret(&n->key.ptr[i]));
		add_part_json(out, "now", n->key.ptr[i].now, is_secret(&n->key.ptr[i]));
		buf_add_char(out, '}');
	}
	buf_add_z(out, "],\"facts\":[");
	for (size_t i = 0; i < n->facts.list.len; i++) {
		const struct fact_change *c = &n->facts.list.ptr[i];
		const struct fact *named = c->now ? c->now : c->then;
		buf_printf(out, "%s{\"kind\":\"%s\"", i ? "," : "", fact_kind_name(named->kind));
		object_text(out, "path", named->path);
		add_fact_json(out, "then", c->then);
		add_fact_json(out, "now", c->now);
		buf_add_char(out, '}');
	}
	buf_add_char(out, ']');
	object_end(out);
}

static void add_run_json(struct buf *out, const char *name, const struct run_row *run)
{
	buf_printf(out, ",\"%s\":{\"run\":%lld", name, (long long)run->id);
	object_text(out, "workflow", run->workflow);
	object_text(out, "state", str_of(run_state_name(run->state)));
	buf_add_z(out, ",\"inputs\":");
	buf_add(out, run->inputs.len ? run->inputs : STR("{}"));
	object_text(out, "arguments", run->arguments);
	object_text(out, "source", run->source);
	buf_add_char(out, '}');
}

static void print_head_json(struct differ *d)
{
	object_begin(&d->out, "run_diff");
	add_run_json(&d->out, "then", &d->runs[0]);
	add_run_json(&d->out, "now", &d->runs[1]);
	object_end(&d->out);
}

/* ---- two runs ---- */

static void print_head(struct differ *d)
{
	const struct run_row *a = &d->runs[0];
	const struct run_row *b = &d->runs[1];
	buf_printf(&d->out, "run %lld of %.*s (%s) → run %lld of %.*s (%s)\n", (long long)a->id,
		STR_ARG(a->workflow), run_state_name(a->state), (long long)b->id,
		STR_ARG(b->workflow), run_state_name(b->state));
	if (!str_eq(a->inputs, b->inputs)) {
		buf_add_z(&d->out, "  inputs  ");
		buf_add_visible(&d->out, a->inputs);
		buf_add_z(&d->out, " → ");
		buf_add_visible(&d->out, b->inputs);
		buf_add_char(&d->out, '\n');
	}
	if (!str_eq(a->arguments, b->arguments)) {
		str then = decide_quote(&d->cli->arena, a->arguments, 200);
		str now = decide_quote(&d->cli->arena, b->arguments, 200);
		buf_printf(&d->out, "  arguments  %.*s → %.*s\n", STR_ARG(then), STR_ARG(now));
	}
	if (!str_eq(a->source, b->source))
		buf_printf(&d->out, "  the workflow file was edited in between\n");
}

static void each_node(struct differ *d, str only)
{
	void (*print)(struct differ * d, const struct node_difference *n) =
		d->cli->is_json ? print_json : print_node;
	struct node_difference n;
	for (size_t side = 0; side < 2; side++) {
		for (size_t i = 0; i < d->nodes[side].len; i++) {
			str node = d->nodes[side].ptr[i].node;
			if ((side && find(&d->nodes[0], node)) || (only.len && !str_eq(node, only)))
				continue;
			compare_node(d, node, &n);
			print(d, &n);
			vec_finish(&n.facts.list);
		}
	}
}

static bool load(struct differ *d, const struct arg_list *words, str *only)
{
	struct err err = {0};
	*only = words->list.len > 2 ? str_of(words->list.ptr[2]) : STR("");
	for (size_t i = 0; i < 2; i++) {
		int64_t run = 0;
		str node = STR("");
		if (!cli_parse_run(d->cli, d->store, words->list.ptr[i], &run, &node) ||
			!cli_get_run(d->cli, d->store, run, &d->runs[i]))
			return false;
		if (node.len)
			*only = node;
		if (!nodes_list(d->store, &d->cli->arena, run, &d->nodes[i], &err)) {
			talk_fail(d->cli, &err);
			return false;
		}
	}
	struct node_row row;
	return !only->len || find(&d->nodes[0], *only) ||
	       rows_node(d->cli, d->store, d->runs[1].id, *only, &row);
}

static int diff(struct cli *cli, struct store *store, const struct arg_list *words)
{
	struct differ d = {.cli = cli, .store = store};
	str only = STR("");
	if (!load(&d, words, &only))
		return EXIT_USAGE;
	d.is_detailed = only.len > 0;
	d.most = only.len ? 200 : 12;
	if (cli->is_json)
		print_head_json(&d);
	else
		print_head(&d);
	each_node(&d, only);
	if (d.same_count)
		buf_printf(&d.out, "%zu node%s the same: %s\n", d.same_count,
			d.same_count == 1 ? " is" : "s are", buf_cstr(&d.same));
	talk_out(cli, buf_str(&d.out));
	buf_finish(&d.out);
	buf_finish(&d.same);
	return EXIT_DONE;
}

static int run_diff(struct cli *cli, int argc, char **argv)
{
	struct arg_list words = {0};
	int code = EXIT_USAGE;
	if (args_parse(cli, &command_diff, NULL, 0, argc, argv, &words, NULL, &code)) {
		if (words.list.len < 2 || words.list.len > 3) {
			code = rows_usage(cli, "pawl diff RUN1 RUN2 [NODE]", "which two runs?");
		} else {
			struct store *store = cli_store(cli, STORE_READ, &code);
			if (store)
				code = diff(cli, store, &words);
			store_close(store);
		}
	}
	args_finish(&words);
	return code;
}

const struct command command_diff = {"diff", "Explain",
	"what differs between two runs: keys, files, outputs, times",
	"  pawl diff 5 6\n"
	"  pawl diff 5 last parse       all of what differs of one node\n"
	"  pawl diff 5 6 --json\n\n"
	"usage: pawl diff RUN1 RUN2 [NODE]\n\n"
	"Reads what was stored then, never today's files.  Secrets are not shown.\n",
	run_diff};
