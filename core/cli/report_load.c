/* report_load: reads a run into memory.  See report.h. */
#include "cli/report.h"

#include "data/json.h"
#include "store/cas.h"
#include "sys/clock.h"

#include <stdlib.h>

static struct report_node *find(const struct map *by_id, str id)
{
	return map_get(by_id, id);
}

/* The workflow as it was; NULL where its text is gone or can't be read by today's plugins. */
static struct workflow *old_workflow(struct report *r)
{
	struct digest digest;
	struct buf text = {0};
	struct diags diags = {0};
	struct workflow *workflow = NULL;
	struct workflow_types types = types_for_workflow(cli_types(r->cli));
	if (digest_parse(r->run.source, &digest) && cas_get(r->store, &digest, &text, NULL))
		workflow = workflow_load(buf_str(&text), r->run.file.ptr, &types, &diags);
	diags_finish(&diags);
	buf_finish(&text);
	return workflow;
}

static void take_nodes(struct report *r, const struct workflow *workflow,
	const struct node_list *rows, struct map *by_id)
{
	r->nodes = arena_array(
		r->arena, struct report_node, (workflow ? workflow->node_count : 0) + rows->len);
	for (uint32_t i = 0; workflow && i < workflow->node_count; i++) {
		const struct node *node = &workflow->nodes[i];
		struct report_node *to = &r->nodes[r->count++];
		to->id = arena_str(r->arena, node->id);
		to->type = arena_str(r->arena, node->type);
		to->dep_count = node->dep_count;
		to->deps = arena_array(r->arena, size_t, node->dep_count);
		for (uint32_t d = 0; d < node->dep_count; d++)
			to->deps[d] = node->deps[d];
		map_put(by_id, to->id, to);
	}
	for (size_t i = 0; i < rows->len; i++) {
		struct report_node *to = find(by_id, rows->ptr[i].node);
		if (!to) {
			to = &r->nodes[r->count++];
			to->id = rows->ptr[i].node;
			to->type = rows->ptr[i].type;
			map_put(by_id, to->id, to);
		}
		to->row = rows->ptr[i];
	}
	for (size_t i = 0; i < r->count; i++) {
		if (!r->nodes[i].row.node.ptr)
			r->nodes[i].row = (struct node_row){.node = r->nodes[i].id,
				.reason = STR(""),
				.sentence = STR(""),
				.key = STR(""),
				.error = STR(""),
				.output = STR(""),
				.log = STR(""),
				.inputs = STR(""),
				.type = STR("")};
	}
}

static void add_dep(struct report *r, struct report_node *node, size_t dep)
{
	size_t *deps = arena_array(r->arena, size_t, node->dep_count + 1);
	for (size_t i = 0; i < node->dep_count; i++)
		deps[i] = node->deps[i];
	deps[node->dep_count++] = dep;
	node->deps = deps;
}

/* The body of a loop_group stands between what the group depends on and the group itself. */
static void place_members(
	struct report *r, const struct workflow *workflow, const struct node *holder)
{
	struct report_node *group = &r->nodes[holder->index];
	for (uint32_t i = 0; i < holder->group->member_count; i++) {
		const struct node *member = &workflow->nodes[holder->group->members[i]];
		struct report_node *node = &r->nodes[member->index];
		if (!member->dep_count) {
			node->deps = r->nodes[holder->index].deps;
			node->dep_count = holder->dep_count;
		}
		if (!member->consumer_count)
			add_dep(r, group, member->index);
	}
	/* What was its own is reached through them. */
	group->deps += holder->dep_count;
	group->dep_count -= holder->dep_count;
}

/* The items of a fan_out stand between what the node depends on and the node itself, unless they are too many to be seen. */
static void place_items(struct report *r, size_t first, const struct map *by_id)
{
	enum { MOST = 12 };
	size_t *own = arena_array(r->arena, size_t, r->count);
	for (size_t i = first; i < r->count; i++) {
		str id = r->nodes[i].id;
		size_t bracket = str_find_char(id, '[', 0);
		struct report_node *node =
			bracket == SIZE_MAX ? NULL : find(by_id, str_slice(id, 0, bracket));
		size_t at = node ? (size_t)(node - r->nodes) : first;
		if (at >= first)
			continue;
		if (!own[at])
			own[at] = node->dep_count + 1;
		r->nodes[i].deps = node->deps;
		r->nodes[i].dep_count = own[at] - 1;
		add_dep(r, node, i);
	}
	for (size_t i = 0; i < first; i++) {
		struct report_node *node = &r->nodes[i];
		size_t items = own[i] ? node->dep_count - (own[i] - 1) : 0;
		for (size_t d = own[i] ? own[i] - 1 : 0; items > MOST && d < node->dep_count; d++)
			r->nodes[node->deps[d]].is_hidden = true;
		if (items > MOST) {
			node->dep_count = own[i] - 1;
		} else if (items) {
			node->deps += own[i] - 1;
			node->dep_count = items;
		}
	}
}

/* Without the workflow, what the nodes consumed says what they depended on. */
static void take_inputs(struct report *r, const struct map *by_id)
{
	for (size_t i = 0; i < r->count; i++) {
		const struct value *inputs = json_parse(r->arena, r->nodes[i].row.inputs, NULL);
		size_t count = inputs && inputs->kind == VALUE_LIST ? inputs->as.list.count : 0;
		r->nodes[i].deps = arena_array(r->arena, size_t, count);
		for (size_t d = 0; d < count; d++) {
			const struct value *name =
				value_get(&inputs->as.list.items[d], STR("node"));
			const struct report_node *dep = name && name->kind == VALUE_STRING
			                                        ? find(by_id, name->as.text)
			                                        : NULL;
			if (dep && dep != &r->nodes[i])
				r->nodes[i].deps[r->nodes[i].dep_count++] =
					(size_t)(dep - r->nodes);
		}
	}
}

/* What made this result differ from the one before it. */
static void compare_keys(
	struct report *r, struct report_node *node, const struct result_row *before)
{
	struct key_parts then = {0};
	struct key_parts now = {0};
	node->changed_since = before->run;
	if (!str_eq(before->transcript, node->result.transcript) &&
		key_parse(r->arena, before->transcript, &then) &&
		key_parse(r->arena, node->result.transcript, &now))
		node->changes = key_diff(r->arena, &then, &now);
}

static void take_results(struct report *r, const struct map *by_id)
{
	struct result_list all = {0};
	for (size_t i = 0; i < r->count; i++) {
		struct report_node *node = &r->nodes[i];
		struct node_row made = {0};
		bool found = false;
		if (node->row.result)
			results_get(r->store, r->arena, node->row.result, &node->result,
				&node->has_result, NULL);
		node->made = node->row;
		bool is_other = node->row.state == NODE_REUSED && node->row.origin &&
		                node->row.origin != r->run.id;
		if (is_other &&
			nodes_get(r->store, r->arena, node->row.origin, node->id, &made, &found,
				NULL) &&
			found)
			node->made = made;
	}
	results_list(r->store, r->arena, r->run.workflow, true, &all, NULL);
	for (size_t i = 0; i < all.len; i++) {
		struct report_node *node = find(by_id, all.ptr[i].node);
		if (node && node->has_result && node->row.state == NODE_COMPLETED &&
			!node->changed_since && all.ptr[i].id < node->result.id)
			compare_keys(r, node, &all.ptr[i]);
	}
}

bool report_load(struct report *r, struct cli *cli, struct store *store, int64_t run)
{
	struct err err = {0};
	struct node_list rows = {0};
	struct map by_id = {0};
	*r = (struct report){
		.cli = cli, .store = store, .arena = &cli->arena, .now_ms = clock_wall_ms()};
	if (!cli_get_run(cli, store, run, &r->run))
		return false;
	if (!nodes_list(store, &cli->arena, run, &rows, &err)) {
		talk_fail(cli, &err);
		return false;
	}
	if (r->run.state == RUN_RUNNING && !r->run.is_live)
		r->run.state = RUN_INTERRUPTED;
	struct workflow *workflow = old_workflow(r);
	take_nodes(r, workflow, &rows, &by_id);
	if (!workflow)
		take_inputs(r, &by_id);
	for (uint32_t i = 0; workflow && i < workflow->node_count; i++) {
		if (workflow->nodes[i].group)
			place_members(r, workflow, &workflow->nodes[i]);
	}
	if (workflow)
		place_items(r, workflow->node_count, &by_id);
	workflow_destroy(workflow);
	take_results(r, &by_id);
	map_finish(&by_id);
	return true;
}

bool report_span(const struct report *r, const struct report_node *node, int64_t *from, int64_t *to)
{
	const struct node_row *row = &node->row;
	if (!row->tries || !row->started_ms || row->state == NODE_REUSED ||
		row->state == NODE_SKIPPED)
		return false;
	*from = row->started_ms;
	*to = row->ended_ms                 ? row->ended_ms
	      : r->run.state == RUN_RUNNING ? r->now_ms
	                                    : row->started_ms;
	*to = *to > *from ? *to : *from;
	return true;
}
