/* graph: from `depends_on` to edges, and the checks that need the whole graph: unknown names, references to nodes that are
 * not upstream, unknown pools.  The order is order.c's, overlapping writes are writers.c's. */
#include "model/load.h"

#include "base/buf.h"
#include "base/mem.h"
#include "data/ref.h"

#include <stdlib.h>

/* Each suggestion looks at all ids: a file in which every name is wrong must not take for ever. */
#define MAX_SUGGESTIONS 20

void load_suggest_node(struct load *load, struct err *err, str wanted)
{
	struct workflow *wf = load->workflow;
	if (load->suggestions++ >= MAX_SUGGESTIONS)
		return;
	str *ids = mem_alloc(mem_mul(wf->node_count + 1, sizeof(*ids)));
	for (uint32_t i = 0; i < wf->node_count; i++)
		ids[i] = wf->nodes[i].id;
	str near = str_nearest(wanted, ids, wf->node_count);
	if (near.len)
		err_help(err, "did you mean `%.*s`?", STR_ARG(near));
	free(ids);
}

static struct workflow *sorting; /* qsort has no argument of its own; loading is single-threaded */

static int by_id(const void *a, const void *b)
{
	const uint32_t *x = a;
	const uint32_t *y = b;
	return str_cmp(sorting->nodes[*x].id, sorting->nodes[*y].id);
}

static void sort_unique(struct workflow *wf, uint32_t *list, uint32_t *count)
{
	sorting = wf;
	qsort(list, *count, sizeof(*list), by_id);
	uint32_t kept = 0;
	for (uint32_t i = 0; i < *count; i++) {
		if (!kept || list[kept - 1] != list[i])
			list[kept++] = list[i];
	}
	*count = kept;
}

static void add_dep(struct load *load, struct node *node, const struct value *value,
	struct node_list_builder *out)
{
	if (value->kind != VALUE_STRING) {
		diags_error(load->diags, load_place(load, value), "E-FIELD-TYPE",
			"an item of `depends_on` is %s, not an id", value_kind_name(value->kind));
		return;
	}
	size_t before = out->list.len;
	if (!load_depend_on(load, node->scope, value->as.text, out)) {
		struct err *err = diags_error(load->diags, load_place(load, value), "E-DEP-UNKNOWN",
			"node `%.*s` depends on `%.*s`, which does not exist", STR_ARG(node->id),
			STR_ARG(value->as.text));
		load_suggest_node(load, err, value->as.text);
		return;
	}
	if (out->list.len > before && out->list.ptr[before] == node->index) {
		err_help(diags_error(load->diags, load_place(load, value), "E-DEP-CYCLE",
				 "node `%.*s` depends on itself", STR_ARG(node->id)),
			"take it out of its own `depends_on`");
		out->list.len = before;
	}
}

static void add_deps(struct load *load, struct node *node)
{
	const struct value *value = value_get(node->fields, STR("depends_on"));
	struct node_list_builder out = {0};
	bool is_list = value && value->kind == VALUE_LIST;
	size_t count = !value ? 0 : is_list ? value->as.list.count : 1;
	for (size_t i = 0; i < count; i++)
		add_dep(load, node, is_list ? &value->as.list.items[i] : value, &out);
	if (count)
		load_gates(load, node, node->include);
	else
		load_inherit(load, node, &out);
	node->deps = arena_array(&load->workflow->arena, uint32_t, out.list.len);
	node->dep_count = (uint32_t)out.list.len;
	if (out.list.len)
		memcpy(node->deps, out.list.ptr, out.list.len * sizeof(*node->deps));
	vec_finish(&out.list);
	sort_unique(load->workflow, node->deps, &node->dep_count);
}

static void add_consumers(struct workflow *wf)
{
	for (uint32_t i = 0; i < wf->node_count; i++) {
		struct node *node = &wf->nodes[i];
		node->consumers = arena_array(&wf->arena, uint32_t, node->consumer_count);
		node->consumer_count = 0;
	}
	for (uint32_t i = 0; i < wf->node_count; i++) {
		for (uint32_t d = 0; d < wf->nodes[i].dep_count; d++) {
			struct node *dep = &wf->nodes[wf->nodes[i].deps[d]];
			dep->consumers[dep->consumer_count++] = i;
		}
	}
}

struct scan {
	struct load *load;
	struct node *node;
	VEC(uint32_t) refs;
};

/* The reference's own place where the scalar stands in the file as it reads; the scalar's else. */
static struct place ref_place(
	const struct load *load, const struct ref *ref, const struct value *value)
{
	struct place at = load_place(load, value);
	bool is_quoted = value->style == '\'' || value->style == '"';
	if (value->style && !is_quoted)
		return at;
	if (at.len != value->as.text.len + (is_quoted ? 2 : 0))
		return at;
	at.col += (uint32_t)ref->start + (is_quoted ? 1 : 0);
	at.len = (uint32_t)(ref->end - ref->start);
	return at;
}

static void report_not_upstream(
	struct scan *scan, const struct node *target, struct place at, const char *what)
{
	const struct node *node = scan->node;
	bool is_after = workflow_is_upstream(scan->load->workflow, node, target);
	struct err *err = diags_error(scan->load->diags, at, "E-REF-UPSTREAM",
		"`%s` of node `%.*s` names `%.*s`, which %s", what, STR_ARG(node->id),
		STR_ARG(target->id), is_after ? "runs after it" : "does not run before it");
	if (is_after)
		err_help(err, "`%.*s` depends on `%.*s`: only one of them can wait for the other",
			STR_ARG(target->id), STR_ARG(node->id));
	else
		err_help(err, "add `%.*s` to `depends_on` of `%.*s`", STR_ARG(target->id),
			STR_ARG(node->id));
}

bool workflow_check_previous(
	const struct workflow *wf, const struct scope *scope, str name, struct err *err)
{
	const struct node *node = workflow_resolve(wf, scope, name);
	if (node && node->scope->holder != NO_NODE)
		return true;
	if (scope->holder == NO_NODE) {
		err_set(err, "E-REF-LOOP", "$LOOP_PREV.%.*s stands outside of a loop_group",
			STR_ARG(name));
		return err_help(
			err, "$LOOP_PREV is what a node of a loop made in the iteration before");
	}
	err_set(err, "E-REF-LOOP", "$LOOP_PREV.%.*s: `%.*s` is no node of the loop_group",
		STR_ARG(name), STR_ARG(name));
	str *names = mem_alloc(mem_mul(wf->node_count + 1, sizeof(*names)));
	size_t count = 0;
	for (uint32_t i = 0; i < wf->node_count; i++) {
		if (wf->nodes[i].scope == scope)
			names[count++] =
				str_slice(wf->nodes[i].id, scope->prefix.len, wf->nodes[i].id.len);
	}
	str near = str_nearest(name, names, count);
	free(names);
	if (near.len)
		return err_help(err, "did you mean `$LOOP_PREV.%.*s`?", STR_ARG(near));
	if (node)
		return err_help(err, "it runs before the loop, so its output is $%.*s.output",
			STR_ARG(name));
	return err_help(err, "name a node of the loop's own body");
}

/* A reference in the core's own text (when, with, env): it must name something that is there and upstream. */
static void check_ref(
	struct scan *scan, const struct ref *ref, const struct value *value, const char *what)
{
	struct load *load = scan->load;
	struct workflow *wf = load->workflow;
	struct err previous = {0};
	if (ref->escaped || ref->kind == REF_VARIABLE)
		return;
	if (ref->kind == REF_LOOP_PREV) {
		if (workflow_check_previous(wf, scan->node->scope, ref->name, &previous))
			return;
		err_at(&previous, ref_place(load, ref, value));
		diags_take(load->diags, &previous);
		return;
	}
	if (ref->kind == REF_INPUT) {
		if (workflow_has_input(scan->node, ref->name))
			return;
		struct err *err = diags_error(load->diags, ref_place(load, ref, value),
			"E-REF-INPUT",
			"`%s` of node `%.*s` names the input `%.*s`, which the workflow does not declare",
			what, STR_ARG(scan->node->id), STR_ARG(ref->name));
		str near = workflow_nearest_input(scan->node, ref->name);
		if (near.len)
			err_help(err, "did you mean `$INPUTS.%.*s`?", STR_ARG(near));
		else
			err_help(err, "declare it: `inputs: {%.*s: {type: string}}`",
				STR_ARG(ref->name));
		return;
	}
	const struct node *target = workflow_resolve(wf, scan->node->scope, ref->name);
	const struct include_alias *include =
		target ? NULL : workflow_find_include(wf, scan->node->scope, ref->name);
	if (include && include->end == include->first)
		return; /* it could not be read, and that was told */
	if (!target) {
		load_suggest_node(load,
			diags_error(load->diags, ref_place(load, ref, value), "E-REF-UNKNOWN",
				"`%s` of node `%.*s` names `%.*s`, which does not exist", what,
				STR_ARG(scan->node->id), STR_ARG(ref->name)),
			ref->name);
		return;
	}
	if (target == scan->node)
		err_help(diags_error(load->diags, ref_place(load, ref, value), "E-REF-UPSTREAM",
				 "`%s` of node `%.*s` names the node itself", what,
				 STR_ARG(ref->name)),
			"a node has no output before it has run; name one that runs before it");
	else if (wf->reach.rank && !workflow_is_upstream(wf, target, scan->node))
		report_not_upstream(scan, target, ref_place(load, ref, value), what);
}

static void check_text(struct scan *scan, const struct value *value, const char *what)
{
	if (value && value->kind == VALUE_LIST) {
		for (size_t i = 0; i < value->as.list.count; i++) {
			if (value->as.list.items[i].kind == VALUE_STRING)
				check_text(scan, &value->as.list.items[i], what);
		}
		return;
	}
	if (!value || value->kind != VALUE_STRING)
		return;
	size_t at = 0;
	struct ref ref;
	while (ref_next(value->as.text, &at, &ref))
		check_ref(scan, &ref, value, what);
	at = 0;
	for (str meant; ref_next_slip(value->as.text, &at, &ref, &meant);) {
		struct load *load = scan->load;
		if (!workflow_resolve(load->workflow, scan->node->scope, ref.name))
			continue;
		err_help(diags_warn(load->diags, ref_place(load, &ref, value), "W-REF-UNKNOWN",
				 "%.*s stays as it stands: a node has `output` and `state`",
				 STR_ARG(str_slice(value->as.text, ref.start, ref.end))),
			"did you mean `$%.*s.%.*s`?", STR_ARG(ref.name), STR_ARG(meant));
	}
}

struct when_scan {
	struct scan *scan;
	const struct value *value;
};

static void check_when_ref(void *arg, const struct ref *ref)
{
	struct when_scan *w = arg;
	check_ref(w->scan, ref, w->value, "when");
}

/* An include of which nothing says what its output is: to bash `$inc.output` would be a variable of its own.  True: told. */
static bool check_returns(struct scan *scan, const struct ref *ref, const struct value *value)
{
	struct load *load = scan->load;
	const struct include_alias *include =
		workflow_find_include(load->workflow, scan->node->scope, ref->name);
	if (!include || include->returns_name.len || include->end - include->first < 2)
		return false;
	err_help(
		diags_error(load->diags, load_place(load, value), "E-REF-RETURNS",
			"node `%.*s` uses what `%.*s` gives, and the file that it includes ends in several nodes",
			STR_ARG(scan->node->id), STR_ARG(ref->name)),
		"say in that file which one is meant: `returns: NODE`, or name it: `%.*s__NODE`",
		STR_ARG(ref->name));
	return true;
}

/* Every node that any text of this one names, over-approximated: what it may have read of nodes that are not direct
 * dependencies belongs into its key. */
static void collect_refs(struct scan *scan, const struct value *value, unsigned depth)
{
	if (depth > 64)
		return;
	if (value->kind == VALUE_LIST) {
		for (size_t i = 0; i < value->as.list.count; i++)
			collect_refs(scan, &value->as.list.items[i], depth + 1);
		return;
	}
	if (value->kind == VALUE_MAP) {
		for (size_t i = 0; i < value->as.map.count; i++)
			collect_refs(scan, &value->as.map.items[i].value, depth + 1);
		return;
	}
	if (value->kind != VALUE_STRING || str_find_char(value->as.text, '$', 0) == SIZE_MAX)
		return;
	size_t at = 0;
	struct ref ref;
	struct workflow *wf = scan->load->workflow;
	while (ref_next(value->as.text, &at, &ref)) {
		const struct node *target =
			ref.kind == REF_OUTPUT || ref.kind == REF_STATE
				? workflow_resolve(wf, scan->node->scope, ref.name)
				: NULL;
		bool is_open = !target && !ref.escaped && ref.kind != REF_INPUT;
		if (is_open && check_returns(scan, &ref, value))
			return;
		if (target && target != scan->node && !ref.escaped &&
			!load_is_direct(wf, target, scan->node) &&
			workflow_is_upstream(wf, target, scan->node))
			*vec_push(&scan->refs) = target->index;
	}
}

static void check_refs(struct load *load, struct node *node)
{
	struct scan scan = {.load = load, .node = node};
	load->file = node->scope->file;
	if (node->when)
		when_each_ref(node->when, check_when_ref,
			&(struct when_scan){&scan, value_get(node->fields, STR("when"))});
	for (size_t i = 0; i < node->env.len; i++)
		check_text(&scan, node->env.ptr[i].value, "env");
	for (size_t i = 0; i < node->with.len; i++)
		check_text(&scan, node->with.ptr[i].value, "with");
	check_text(&scan, value_path(node->fields, STR("cache.key")), "cache.key");
	if (node->fan_out)
		check_text(&scan, node->fan_out->items, "fan_out.items");
	if (node->approval)
		check_text(&scan, value_path(node->fields, STR("approval.message")),
			"approval.message");
	if (node->control == CONTROL_CANCEL)
		check_text(&scan, value_get(node->fields, STR("cancel")), "cancel");
	check_text(&scan, node->child_input, "input");
	if (load->workflow->reach.rank)
		collect_refs(&scan, node->fields, 0);
	node->refs = arena_array(&load->workflow->arena, uint32_t, scan.refs.len);
	node->ref_count = (uint32_t)scan.refs.len;
	if (scan.refs.len)
		memcpy(node->refs, scan.refs.ptr, scan.refs.len * sizeof(*node->refs));
	sort_unique(load->workflow, node->refs, &node->ref_count);
	vec_finish(&scan.refs);
}

static void check_pool(struct load *load, const struct node *node)
{
	if (!node->pool.len)
		return;
	struct workflow *wf = load->workflow;
	str *names = mem_alloc(mem_mul(wf->pools.len + 1, sizeof(*names)));
	bool is_known = false;
	for (size_t i = 0; i < wf->pools.len; i++) {
		names[i] = wf->pools.ptr[i].name;
		is_known = is_known || str_eq(names[i], node->pool);
	}
	if (!is_known) {
		struct err *err = diags_error(load->diags,
			load_place(load, value_get(node->fields, STR("pool"))), "E-POOL-UNKNOWN",
			"there is no pool `%.*s`", STR_ARG(node->pool));
		str near = str_nearest(node->pool, names, wf->pools.len);
		if (near.len)
			err_help(err, "did you mean `%.*s`?", STR_ARG(near));
		else
			err_help(err, "declare it at the top: `pools: {%.*s: 1}`",
				STR_ARG(node->pool));
	}
	free(names);
}

void load_graph(struct load *load)
{
	struct workflow *wf = load->workflow;
	load_includes(load);
	for (uint32_t i = 0; i < wf->node_count; i++) {
		load->file = wf->nodes[i].scope->file;
		add_deps(load, &wf->nodes[i]);
	}
	for (uint32_t i = 0; i < wf->node_count; i++)
		wf->nodes[i].consumer_count = 0;
	for (uint32_t i = 0; i < wf->node_count; i++) {
		for (uint32_t d = 0; d < wf->nodes[i].dep_count; d++)
			wf->nodes[wf->nodes[i].deps[d]].consumer_count++;
	}
	add_consumers(wf);
	load_order(load);
	load_groups(load);
	for (uint32_t i = 0; i < wf->node_count; i++) {
		check_refs(load, &wf->nodes[i]);
		load->file = wf->nodes[i].scope->file;
		check_pool(load, &wf->nodes[i]);
	}
	load_writers(load);
}
