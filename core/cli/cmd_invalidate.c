/* cmd_invalidate: lets go of stored results: of nodes, or of everything that consumed a node's output. */
#include "cli/cli.h"
#include "cli/objects.h"
#include "data/json.h"
#include "store/results.h"
#include "sys/clock.h"

#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

extern const struct command command_invalidate;

struct invalidation {
	struct cli *cli;
	struct store *store;
	struct run_row run;
	struct node_list nodes;
	bool *marks;
	const char *reason;
	bool dry_run;
	size_t count;
};

static size_t find(const struct invalidation *inv, str node)
{
	for (size_t i = 0; i < inv->nodes.len; i++) {
		if (str_eq(inv->nodes.ptr[i].node, node))
			return i;
	}
	return SIZE_MAX;
}

static bool consumed(struct invalidation *inv, const struct node_row *consumer, str producer)
{
	const struct value *inputs = json_parse(&inv->cli->arena, consumer->inputs, NULL);
	for (size_t i = 0; inputs && inputs->kind == VALUE_LIST && i < inputs->as.list.count; i++) {
		const struct value *name = value_get(&inputs->as.list.items[i], STR("node"));
		if (name && name->kind == VALUE_STRING && str_eq(name->as.text, producer))
			return true;
	}
	return false;
}

/* The row that tells what a reused node consumed is the one of the run that made it. */
static struct node_row made_by(struct invalidation *inv, const struct node_row *row)
{
	struct node_row made = *row;
	bool found = false;
	if (row->state == NODE_REUSED && (!nodes_get(inv->store, &inv->cli->arena, row->origin,
						  row->node, &made, &found, NULL) ||
						 !found))
		made = *row;
	return made;
}

static void mark_related(struct invalidation *inv, size_t of, bool down)
{
	struct node_row *made = arena_array(&inv->cli->arena, struct node_row, inv->nodes.len);
	bool *reached = arena_array(&inv->cli->arena, bool, inv->nodes.len);
	for (size_t i = 0; i < inv->nodes.len; i++)
		made[i] = made_by(inv, &inv->nodes.ptr[i]);
	reached[of] = true;
	for (bool more = true; more;) {
		more = false;
		for (size_t a = 0; a < inv->nodes.len; a++) {
			for (size_t b = 0; b < inv->nodes.len; b++) {
				bool is_edge =
					down ? reached[a] && consumed(inv, &made[b], made[a].node)
					     : reached[a] && consumed(inv, &made[a], made[b].node);
				if (is_edge && !reached[b]) {
					reached[b] = more = true;
					inv->marks[b] = true;
				}
			}
		}
	}
}

/* Is it something that `holder` holds: an item of a fan_out, a member of a loop_group, a node of an include, which has no row
 * of its own? */
static bool is_held(const struct node_row *row, str holder, str node)
{
	str rest = str_slice(node, holder.len, node.len);
	bool has_members = !row || str_is(row->type, "loop_group");
	return str_starts(node, holder) &&
	       (str_starts(rest, STR("[")) || (has_members && str_starts(rest, STR("__"))));
}

/* What the node holds goes with it.  True where there is any. */
static bool mark_held(struct invalidation *inv, const struct node_row *row, str holder)
{
	bool any = false;
	for (size_t i = 0; i < inv->nodes.len; i++) {
		if (!is_held(row, holder, inv->nodes.ptr[i].node))
			continue;
		inv->marks[i] = any = true;
	}
	return any;
}

static bool mark_node(struct invalidation *inv, const char *name, int related)
{
	size_t at = find(inv, str_of(name));
	if (at == SIZE_MAX && !related && mark_held(inv, NULL, str_of(name)))
		return true;
	if (at == SIZE_MAX) {
		struct err err = {0};
		str *names = arena_array(&inv->cli->arena, str, inv->nodes.len);
		for (size_t i = 0; i < inv->nodes.len; i++)
			names[i] = inv->nodes.ptr[i].node;
		str near = str_nearest(str_of(name), names, inv->nodes.len);
		err_set(&err, "E-NODE-UNKNOWN", "run %lld has no node `%s`", (long long)inv->run.id,
			name);
		if (near.len)
			err_help(&err, "did you mean `%.*s`?", STR_ARG(near));
		else
			err_help(&err, "`pawl show %lld` lists them", (long long)inv->run.id);
		talk_fail(inv->cli, &err);
		return false;
	}
	if (related)
		mark_related(inv, at, related > 0);
	else
		inv->marks[at] = true;
	return true;
}

static const char *user_name(void)
{
	const struct passwd *user = getpwuid(getuid());
	return user ? user->pw_name : "someone";
}

/* `result` NULL: the node has none, and nothing that it holds has. */
static void say_dropped(struct invalidation *inv, const struct node_row *row, const char *shown,
	const struct result_row *result)
{
	struct buf out = {0};
	if (!inv->cli->is_json) {
		if (result)
			talk_outf(inv->cli, "  %s  result of run %lld%s\n", shown,
				(long long)result->run, result->dropped ? ", dropped already" : "");
		else
			talk_outf(inv->cli, "  %s  has no stored result\n", shown);
		return;
	}
	object_begin(&out, "invalidated");
	object_number(&out, "run", row->run);
	object_text(&out, "node", row->node);
	if (!str_is(row->node, shown))
		object_text(&out, "path", str_of(shown));
	object_bool(&out, "dry_run", inv->dry_run);
	object_bool(&out, "had_result", result != NULL);
	if (result) {
		object_number(&out, "result", result->id);
		object_number(&out, "origin", result->run);
		object_bool(&out, "dropped_before", result->dropped);
	}
	object_send(inv->cli, &out);
}

/* One stored result, if there is one; *found says. */
static bool drop(struct invalidation *inv, const struct node_row *row, const char *shown,
	bool *found, struct err *err)
{
	struct result_row result = {0};
	*found = false;
	if (!row->result)
		return true;
	if (!results_get(inv->store, &inv->cli->arena, row->result, &result, found, err) || !*found)
		return !err_is_set(err);
	inv->count++;
	say_dropped(inv, row, shown, &result);
	if (inv->dry_run)
		return true;
	struct verdict_row verdict = {.kind = VERDICT_INVALIDATED,
		.workflow = result.workflow,
		.node = result.node,
		.output = result.output,
		.result = result.id,
		.run = inv->run.id,
		.by = str_of(user_name()),
		.reason = str_of(inv->reason),
		.at_ms = clock_wall_ms()};
	if (result.has_manifest)
		verdict.manifest = result.manifest;
	/* Older results under the same key would otherwise take its place. */
	return results_replace(inv->store, result.workflow, result.node, &result.key, 0, err) &&
	       results_drop(inv->store, result.id, err) &&
	       verdicts_add(inv->store, &verdict, NULL, err);
}

/* The results of the runs in this one that the node holds: of a `workflow` node, or of an item of one. */
static bool drop_inner(struct invalidation *inv, int64_t run, str holder, const char *shown,
	unsigned depth, struct err *err)
{
	struct arena *arena = &inv->cli->arena;
	struct run_list runs = {0};
	if (!runs_children(inv->store, arena, run, &runs, err))
		return false;
	for (size_t r = 0; depth && r < runs.len; r++) {
		struct node_list nodes = {0};
		if (!str_eq(runs.ptr[r].parent_node, holder))
			continue;
		if (!nodes_list(inv->store, arena, runs.ptr[r].id, &nodes, err))
			return false;
		for (size_t i = 0; i < nodes.len; i++) {
			str node = nodes.ptr[i].node;
			const char *name = arena_printf(arena, "%s/%.*s", shown, STR_ARG(node));
			bool found = false;
			if (!drop(inv, &nodes.ptr[i], name, &found, err) ||
				!drop_inner(inv, runs.ptr[r].id, node, name, depth - 1, err))
				return false;
		}
	}
	return true;
}

/* What the node is, or what it holds. */
static bool drop_node(struct invalidation *inv, size_t at, struct err *err)
{
	const struct node_row *row = &inv->nodes.ptr[at];
	const char *shown = arena_str(&inv->cli->arena, row->node).ptr;
	size_t before = inv->count;
	bool found = false;
	bool holds_others = false;
	if (!drop(inv, row, shown, &found, err) ||
		!drop_inner(inv, inv->run.id, row->node, shown, 16, err))
		return false;
	for (size_t i = 0; i < inv->nodes.len; i++)
		holds_others = holds_others ||
		               (inv->marks[i] && is_held(row, row->node, inv->nodes.ptr[i].node));
	if (inv->count == before && !holds_others)
		say_dropped(inv, row, shown, NULL);
	return true;
}

static int apply(struct invalidation *inv)
{
	struct err err = {0};
	if (!inv->cli->is_json)
		talk_outf(inv->cli, "%s\n", inv->dry_run ? "would invalidate:" : "invalidated:");
	for (size_t i = 0; i < inv->nodes.len; i++) {
		if (inv->marks[i])
			mark_held(inv, &inv->nodes.ptr[i], inv->nodes.ptr[i].node);
	}
	for (size_t i = 0; i < inv->nodes.len; i++) {
		if (inv->marks[i] && !drop_node(inv, i, &err))
			return talk_fail(inv->cli, &err);
	}
	if (!inv->dry_run && !store_flush(inv->store, &err))
		return talk_fail(inv->cli, &err);
	if (!inv->dry_run && inv->count && !inv->cli->is_json)
		talk_outf(inv->cli, "the next run or resume runs %s again\n",
			inv->count == 1 ? "it" : "them");
	return EXIT_DONE;
}

static int invalidate(struct cli *cli, struct invalidation *inv, const struct arg_list *words,
	const char *down, const char *up)
{
	int code = EXIT_USAGE;
	struct err err = {0};
	int64_t run = 0;
	str node = STR("");
	if (words->list.len < 1 ||
		(words->list.len < 2 && !down && !up && !strchr(words->list.ptr[0], '/'))) {
		err_set(&err, "E-USAGE", "invalidate what?");
		err_help(&err,
			"pawl invalidate RUN NODE…, or pawl invalidate RUN --downstream-of NODE");
		return talk_fail(cli, &err);
	}
	inv->store = cli_store_to_change(cli, &code);
	if (!inv->store)
		return code;
	code = EXIT_USAGE;
	if (cli_parse_run(cli, inv->store, words->list.ptr[0], &run, &node) &&
		cli_get_run(cli, inv->store, run, &inv->run) &&
		nodes_list(inv->store, &cli->arena, run, &inv->nodes, &err)) {
		inv->marks = arena_array(&cli->arena, bool, inv->nodes.len);
		bool ok = !node.len || mark_node(inv, arena_str(&cli->arena, node).ptr, 0);
		for (size_t i = 1; ok && i < words->list.len; i++)
			ok = mark_node(inv, words->list.ptr[i], 0);
		ok = ok && (!down || mark_node(inv, down, 1)) && (!up || mark_node(inv, up, -1));
		code = ok ? apply(inv) : EXIT_USAGE;
	}
	if (err_is_set(&err))
		code = talk_fail(cli, &err);
	store_close(inv->store);
	return code;
}

static int run_invalidate(struct cli *cli, int argc, char **argv)
{
	struct arg_list words = {0};
	struct invalidation inv = {.cli = cli, .reason = ""};
	const char *down = NULL;
	const char *up = NULL;
	int code = EXIT_USAGE;
	const struct arg args[] = {
		{"downstream-of", 0, ARG_VALUE, &down, NULL},
		{"upstream-of", 0, ARG_VALUE, &up, NULL},
		{"reason", 0, ARG_VALUE, &inv.reason, NULL},
		{"dry-run", 'n', ARG_FLAG, &inv.dry_run, NULL},
	};
	if (args_parse(cli, &command_invalidate, args, 4, argc, argv, &words, NULL, &code))
		code = invalidate(cli, &inv, &words, down, up);
	args_finish(&words);
	return code;
}

const struct command command_invalidate = {"invalidate", "Let go",
	"drop stored results; the next run or resume makes them anew",
	"  pawl invalidate 6 fetch\n"
	"  pawl invalidate 6 --downstream-of fetch -n\n"
	"  pawl invalidate last fetch --reason \"the server was down\"\n\n"
	"usage: pawl invalidate RUN NODE… [options]\n\n"
	"With a fan_out go its items, with a loop_group its members, with a `workflow` node what its run made.\n\n"
	"      --downstream-of NODE   everything that consumed its output, directly or not\n"
	"      --upstream-of NODE     everything that it consumed, directly or not\n"
	"      --reason TEXT          kept, and shown by `why` and at the next run\n"
	"  -n, --dry-run              only say what would be dropped\n",
	run_invalidate};
