/* order: the topological order of the nodes, the circles that stand in its way, and who is upstream of whom.
 *
 * Upstream is asked once or twice for every reference, so it must not walk the graph each time.  Every node hangs in a
 * spanning tree below its latest dependency, with the tree's nodes numbered so that what hangs below a node is one range;
 * that answers nearly every true question at once.  Nodes that come before `above` in the order need not be looked at,
 * which bounds the walk for the rest. */
#include "model/load.h"

#include "base/buf.h"
#include "base/mem.h"

/* Any dependency of `at` that has no place in the order yet; one that lacks a place has always such a one. */
static uint32_t unordered_dep(const struct workflow *wf, const uint32_t *missing, uint32_t at)
{
	for (uint32_t d = 0; d < wf->nodes[at].dep_count; d++) {
		if (missing[wf->nodes[at].deps[d]])
			return wf->nodes[at].deps[d];
	}
	return at;
}

static void report_cycle(struct load *load, const uint32_t *missing, uint32_t first)
{
	const struct workflow *wf = load->workflow;
	struct buf path = {0};
	uint32_t at = first;
	do {
		buf_printf(&path, "%.*s -> ", STR_ARG(wf->nodes[at].id));
		at = unordered_dep(wf, missing, at);
	} while (at != first);
	err_help(diags_error(load->diags, wf->nodes[first].at, "E-DEP-CYCLE",
			 "the nodes depend on each other in a circle: %s%.*s", buf_cstr(&path),
			 STR_ARG(wf->nodes[first].id)),
		"take one of these out of the `depends_on` of the node before it");
	buf_finish(&path);
}

/* From every unordered node along unordered dependencies until a node repeats.  What an earlier walk has seen leads to
 * a circle that is known. */
static void report_cycles(struct load *load, const uint32_t *missing)
{
	const struct workflow *wf = load->workflow;
	uint32_t *walk = mem_zalloc(mem_mul(wf->node_count, sizeof(*walk)));
	for (uint32_t i = 0; i < wf->node_count; i++) {
		if (!missing[i] || walk[i])
			continue;
		uint32_t at = i;
		for (; !walk[at]; at = unordered_dep(wf, missing, at))
			walk[at] = i + 1;
		if (walk[at] == i + 1)
			report_cycle(load, missing, at);
	}
	free(walk);
}

/* Fills rank, first and span; the order is complete. */
static void number_tree(struct workflow *wf)
{
	struct reach *reach = &wf->reach;
	uint32_t count = wf->node_count;
	reach->first = arena_array(&wf->arena, uint32_t, count);
	reach->span = arena_array(&wf->arena, uint32_t, count);
	uint32_t *parent = mem_alloc(mem_mul(count, sizeof(*parent)));
	uint32_t *next =
		mem_alloc(mem_mul(count, sizeof(*next))); /* the first free number below a node */
	for (uint32_t i = 0; i < count; i++) {
		const struct node *node = &wf->nodes[i];
		parent[i] = UINT32_MAX;
		reach->span[i] = 1;
		for (uint32_t d = 0; d < node->dep_count; d++) {
			uint32_t dep = node->deps[d];
			if (parent[i] == UINT32_MAX || reach->rank[dep] > reach->rank[parent[i]])
				parent[i] = dep;
		}
	}
	for (uint32_t o = count; o-- > 0;) {
		uint32_t i = wf->order[o];
		if (parent[i] != UINT32_MAX)
			reach->span[parent[i]] += reach->span[i];
	}
	uint32_t roots = 0;
	for (uint32_t o = 0; o < count; o++) {
		uint32_t i = wf->order[o];
		uint32_t *from = parent[i] == UINT32_MAX ? &roots : &next[parent[i]];
		reach->first[i] = *from;
		*from += reach->span[i];
		next[i] = reach->first[i] + 1;
	}
	free(parent);
	free(next);
}

/* Kahn's algorithm; the queue is filled in file order, so that equal choices keep it. */
bool load_order(struct load *load)
{
	struct workflow *wf = load->workflow;
	uint32_t count = wf->node_count;
	wf->order = arena_array(&wf->arena, uint32_t, count);
	uint32_t *missing = mem_alloc(mem_mul(count + 1, sizeof(*missing)));
	uint32_t tail = 0;
	for (uint32_t i = 0; i < count; i++) {
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
	bool is_acyclic = tail == count;
	if (!is_acyclic) {
		report_cycles(load, missing);
	} else {
		wf->reach.rank = arena_array(&wf->arena, uint32_t, count);
		for (uint32_t o = 0; o < count; o++)
			wf->reach.rank[wf->order[o]] = o;
		number_tree(wf);
	}
	free(missing);
	return is_acyclic;
}

bool load_is_direct(const struct workflow *wf, const struct node *above, const struct node *node)
{
	uint32_t low = 0;
	uint32_t high = node->dep_count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct node *dep = &wf->nodes[node->deps[middle]];
		if (dep == above)
			return true;
		if (str_cmp(dep->id, above->id) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

static bool hangs_below(const struct reach *reach, uint32_t above, uint32_t node)
{
	return node != above && reach->first[node] - reach->first[above] < reach->span[above];
}

static bool walk_upstream(const struct workflow *wf, uint32_t above, uint32_t from)
{
	const struct reach *reach = &wf->reach;
	bool *seen = mem_zalloc(wf->node_count);
	VEC(uint32_t) todo = {0};
	*vec_push(&todo) = from;
	bool found = false;
	while (todo.len && !found) {
		const struct node *at = &wf->nodes[todo.ptr[--todo.len]];
		for (uint32_t d = 0; d < at->dep_count && !found; d++) {
			uint32_t dep = at->deps[d];
			found = dep == above || hangs_below(reach, above, dep);
			if (!seen[dep] && reach->rank[dep] > reach->rank[above]) {
				seen[dep] = true;
				*vec_push(&todo) = dep;
			}
		}
	}
	vec_finish(&todo);
	free(seen);
	return found;
}

bool workflow_is_upstream(
	const struct workflow *wf, const struct node *above, const struct node *node)
{
	const struct reach *reach = &wf->reach;
	uint32_t a = above->index;
	uint32_t n = node->index;
	if (reach->rank[a] >= reach->rank[n])
		return false;
	return hangs_below(reach, a, n) || load_is_direct(wf, above, node) ||
	       walk_upstream(wf, a, n);
}
