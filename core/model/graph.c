/* graph: from `depends_on` to edges, a topological order, and the checks that need the whole graph: unknown names, cycles,
 * references to nodes that are not upstream, two writers of one path, unknown pools. */
#include "model/load.h"

#include "base/buf.h"
#include "base/mem.h"
#include "data/ref.h"

#include <stdlib.h>

static void suggest_node(struct load *load, struct err *err, str wanted)
{
	struct workflow *wf = load->workflow;
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

static void add_dep(struct load *load, struct node *node, const struct value *value)
{
	if (value->kind != VALUE_STRING) {
		diags_error(load->diags, load_place(load, value), "E-FIELD-TYPE",
			"an item of `depends_on` is %s, not an id", value_kind_name(value->kind));
		return;
	}
	struct node *dep = map_get(&load->workflow->by_id, value->as.text);
	if (!dep) {
		struct err *err = diags_error(load->diags, load_place(load, value), "E-DEP-UNKNOWN",
			"node `%.*s` depends on `%.*s`, which does not exist", STR_ARG(node->id),
			STR_ARG(value->as.text));
		suggest_node(load, err, value->as.text);
		return;
	}
	if (dep == node) {
		diags_error(load->diags, load_place(load, value), "E-DEP-CYCLE",
			"node `%.*s` depends on itself", STR_ARG(node->id));
		return;
	}
	node->deps[node->dep_count++] = dep->index;
}

static void add_deps(struct load *load, struct node *node)
{
	const struct value *value = value_get(node->fields, STR("depends_on"));
	if (!value)
		return;
	bool is_list = value->kind == VALUE_LIST;
	size_t count = is_list ? value->as.list.count : 1;
	node->deps = arena_array(&load->workflow->arena, uint32_t, count);
	for (size_t i = 0; i < count; i++)
		add_dep(load, node, is_list ? &value->as.list.items[i] : value);
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

/* Walks from an unordered node along unordered dependencies until one repeats: that is a cycle. */
static void report_cycle(struct load *load, const uint32_t *missing, uint32_t start)
{
	struct workflow *wf = load->workflow;
	bool *seen = mem_zalloc(wf->node_count);
	uint32_t at = start;
	while (!seen[at]) {
		seen[at] = true;
		uint32_t next = at;
		for (uint32_t d = 0; d < wf->nodes[at].dep_count; d++) {
			if (missing[wf->nodes[at].deps[d]])
				next = wf->nodes[at].deps[d];
		}
		at = next;
	}
	free(seen);
	struct buf path = {0};
	uint32_t first = at;
	do {
		buf_printf(&path, "%.*s -> ", STR_ARG(wf->nodes[at].id));
		uint32_t next = at;
		for (uint32_t d = 0; d < wf->nodes[at].dep_count; d++) {
			if (missing[wf->nodes[at].deps[d]])
				next = wf->nodes[at].deps[d];
		}
		at = next;
	} while (at != first);
	err_help(diags_error(load->diags, wf->nodes[first].at, "E-DEP-CYCLE",
			 "the nodes depend on each other in a circle: %s%.*s", buf_cstr(&path),
			 STR_ARG(wf->nodes[first].id)),
		"take one of these out of the `depends_on` of the node before it");
	buf_finish(&path);
}

/* Kahn's algorithm; the queue is filled in file order, so that equal choices keep it. */
static bool order_nodes(struct load *load)
{
	struct workflow *wf = load->workflow;
	wf->order = arena_array(&wf->arena, uint32_t, wf->node_count);
	uint32_t *missing = mem_alloc(mem_mul(wf->node_count + 1, sizeof(*missing)));
	uint32_t tail = 0;
	for (uint32_t i = 0; i < wf->node_count; i++) {
		missing[i] = wf->nodes[i].dep_count;
		if (!missing[i])
			wf->order[tail++] = i;
	}
	for (uint32_t head = 0; head < tail; head++) {
		const struct node *node = &wf->nodes[wf->order[head]];
		for (uint32_t c = 0; c < node->consumer_count; c++) {
			if (!--missing[node->consumers[c]])
				wf->order[tail++] = node->consumers[c];
		}
	}
	bool is_acyclic = tail == wf->node_count;
	for (uint32_t i = 0; !is_acyclic && i < wf->node_count; i++) {
		if (missing[i]) {
			report_cycle(load, missing, i);
			break;
		}
	}
	free(missing);
	return is_acyclic;
}

bool workflow_is_upstream(
	const struct workflow *wf, const struct node *above, const struct node *node)
{
	for (uint32_t d = 0; d < node->dep_count; d++) {
		if (node->deps[d] == above->index)
			return true;
	}
	bool *seen = mem_zalloc(wf->node_count);
	VEC(uint32_t) todo = {0};
	*vec_push(&todo) = node->index;
	bool found = false;
	while (todo.len && !found) {
		const struct node *at = &wf->nodes[todo.ptr[--todo.len]];
		for (uint32_t d = 0; d < at->dep_count && !found; d++) {
			uint32_t dep = at->deps[d];
			found = dep == above->index;
			if (!seen[dep]) {
				seen[dep] = true;
				*vec_push(&todo) = dep;
			}
		}
	}
	vec_finish(&todo);
	free(seen);
	return found;
}

struct scan {
	struct load *load;
	struct node *node;
	VEC(uint32_t) refs;
};

static bool is_direct(const struct node *node, uint32_t index)
{
	for (uint32_t d = 0; d < node->dep_count; d++) {
		if (node->deps[d] == index)
			return true;
	}
	return false;
}

/* A reference in the core's own text (when, with, env): it must name something that is there and upstream. */
static void check_ref(
	struct scan *scan, const struct ref *ref, const struct value *value, const char *what)
{
	struct load *load = scan->load;
	struct workflow *wf = load->workflow;
	if (ref->escaped || ref->kind == REF_VARIABLE || ref->kind == REF_LOOP_PREV)
		return;
	if (ref->kind == REF_INPUT) {
		for (size_t i = 0; i < wf->inputs.len; i++) {
			if (str_eq(wf->inputs.ptr[i].name, ref->name))
				return;
		}
		err_help(
			diags_error(load->diags, load_place(load, value), "E-REF-INPUT",
				"`%s` of node `%.*s` names the input `%.*s`, which the workflow does not declare",
				what, STR_ARG(scan->node->id), STR_ARG(ref->name)),
			"declare it: `inputs: {%.*s: {type: string}}`", STR_ARG(ref->name));
		return;
	}
	struct node *target = map_get(&wf->by_id, ref->name);
	if (!target) {
		suggest_node(load,
			diags_error(load->diags, load_place(load, value), "E-REF-UNKNOWN",
				"`%s` of node `%.*s` names `%.*s`, which does not exist", what,
				STR_ARG(scan->node->id), STR_ARG(ref->name)),
			ref->name);
		return;
	}
	if (target == scan->node || !workflow_is_upstream(wf, target, scan->node)) {
		err_help(diags_error(load->diags, load_place(load, value), "E-REF-UPSTREAM",
				 "`%s` of node `%.*s` names `%.*s`, which does not run before it",
				 what, STR_ARG(scan->node->id), STR_ARG(ref->name)),
			"add `%.*s` to `depends_on` of `%.*s`", STR_ARG(ref->name),
			STR_ARG(scan->node->id));
		return;
	}
}

static void check_text(struct scan *scan, const struct value *value, const char *what)
{
	if (!value || value->kind != VALUE_STRING)
		return;
	size_t at = 0;
	struct ref ref;
	while (ref_next(value->as.text, &at, &ref))
		check_ref(scan, &ref, value, what);
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
		struct node *target = ref.kind == REF_OUTPUT || ref.kind == REF_STATE
		                              ? map_get(&wf->by_id, ref.name)
		                              : NULL;
		if (target && target != scan->node && !ref.escaped &&
			!is_direct(scan->node, target->index) &&
			workflow_is_upstream(wf, target, scan->node))
			*vec_push(&scan->refs) = target->index;
	}
}

static void check_refs(struct load *load, struct node *node)
{
	struct scan scan = {.load = load, .node = node};
	if (node->when)
		when_each_ref(node->when, check_when_ref,
			&(struct when_scan){&scan, value_get(node->fields, STR("when"))});
	for (size_t i = 0; i < node->env.len; i++)
		check_text(&scan, node->env.ptr[i].value, "env");
	for (size_t i = 0; i < node->with.len; i++)
		check_text(&scan, node->with.ptr[i].value, "with");
	collect_refs(&scan, node->fields, 0);
	node->refs = arena_array(&load->workflow->arena, uint32_t, scan.refs.len);
	node->ref_count = (uint32_t)scan.refs.len;
	if (scan.refs.len)
		memcpy(node->refs, scan.refs.ptr, scan.refs.len * sizeof(*node->refs));
	sort_unique(load->workflow, node->refs, &node->ref_count);
	vec_finish(&scan.refs);
}

struct writer {
	str path;
	const struct node *node;
};

static int by_path(const void *a, const void *b)
{
	const struct writer *x = a;
	const struct writer *y = b;
	return str_cmp(x->path, y->path);
}

static bool is_within(str inner, str outer)
{
	return str_starts(inner, outer) && (inner.len == outer.len || inner.ptr[outer.len] == '/' ||
						   (outer.len && outer.ptr[outer.len - 1] == '/'));
}

static void check_writers(struct load *load)
{
	struct workflow *wf = load->workflow;
	VEC(struct writer) writers = {0};
	for (uint32_t i = 0; i < wf->node_count; i++) {
		for (size_t w = 0; w < wf->nodes[i].writes.len; w++)
			*vec_push(&writers) =
				(struct writer){wf->nodes[i].writes.ptr[w], &wf->nodes[i]};
	}
	if (writers.len)
		qsort(writers.ptr, writers.len, sizeof(*writers.ptr), by_path);
	for (size_t i = 1; i < writers.len; i++) {
		const struct writer *outer = &writers.ptr[i - 1];
		const struct writer *inner = &writers.ptr[i];
		if (outer->node == inner->node || !is_within(inner->path, outer->path))
			continue;
		err_help(diags_error(load->diags,
				 load_place(load, value_get(inner->node->fields, STR("writes"))),
				 "E-WRITES-OVERLAP", "nodes `%.*s` and `%.*s` both write `%.*s`",
				 STR_ARG(outer->node->id), STR_ARG(inner->node->id),
				 STR_ARG(inner->path)),
			"give each a path of its own; a third node can merge them");
	}
	vec_finish(&writers);
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
	for (uint32_t i = 0; i < wf->node_count; i++)
		add_deps(load, &wf->nodes[i]);
	for (uint32_t i = 0; i < wf->node_count; i++)
		wf->nodes[i].consumer_count = 0;
	for (uint32_t i = 0; i < wf->node_count; i++) {
		for (uint32_t d = 0; d < wf->nodes[i].dep_count; d++)
			wf->nodes[wf->nodes[i].deps[d]].consumer_count++;
	}
	add_consumers(wf);
	if (!order_nodes(load))
		return;
	for (uint32_t i = 0; i < wf->node_count; i++) {
		check_refs(load, &wf->nodes[i]);
		check_pool(load, &wf->nodes[i]);
	}
	check_writers(load);
}
