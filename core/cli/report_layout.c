/* report_layout: where nodes and edges of the drawing stand, in layers and rows; pixels are for who draws.  Long edges get a
 * place in each layer that they cross, so that they are ordered like nodes and pass between them. */
#include "cli/report.h"

#include "base/mem.h"

#include <stdlib.h>

enum { SWEEPS = 8 };

/* A node, or the bend of an edge. */
struct item {
	size_t node; /* SIZE_MAX: a bend */
	struct report_bend *bend;
	size_t layer;
	double y;
	double wish;
	size_t order;       /* ties keep it */
	VEC(size_t) before; /* items of the layer to the left */
	VEC(size_t) after;
};

struct layout {
	struct report *r;
	VEC(struct item) items;
	VEC(size_t) * layers; /* item indices, in order */
};

/* The longest way to it; nodes of a file are acyclic, `limit` is for what a damaged store might say. */
static void set_layers(struct report *r)
{
	bool changed = true;
	for (size_t limit = 0; changed && limit <= r->count; limit++) {
		changed = false;
		for (size_t i = 0; i < r->count; i++) {
			for (size_t d = 0; d < r->nodes[i].dep_count; d++) {
				size_t least = r->nodes[r->nodes[i].deps[d]].layer + 1;
				if (r->nodes[i].layer < least && least < r->count) {
					r->nodes[i].layer = least;
					changed = true;
				}
			}
		}
	}
	for (size_t i = 0; i < r->count; i++)
		r->layers = r->nodes[i].layer >= r->layers ? r->nodes[i].layer + 1 : r->layers;
}

/* What depends on nothing stands right before the first that needs it, not at the very left. */
static void pull_sources(struct report *r)
{
	size_t *first =
		arena_array(r->arena, size_t, r->count); /* of those that need it; 0: none */
	for (size_t i = 0; i < r->count; i++) {
		for (size_t d = 0; d < r->nodes[i].dep_count; d++) {
			size_t dep = r->nodes[i].deps[d];
			if (!first[dep] || r->nodes[i].layer < first[dep])
				first[dep] = r->nodes[i].layer;
		}
	}
	for (size_t i = 0; i < r->count; i++) {
		if (!r->nodes[i].dep_count && first[i])
			r->nodes[i].layer = first[i] - 1;
	}
}

static size_t add_item(struct layout *l, size_t node, struct report_bend *bend, size_t layer)
{
	*vec_push(&l->items) =
		(struct item){.node = node, .bend = bend, .layer = layer, .order = l->items.len};
	return l->items.len - 1;
}

static void join(struct layout *l, size_t from, size_t to)
{
	*vec_push(&l->items.ptr[from].after) = to;
	*vec_push(&l->items.ptr[to].before) = from;
}

static void add_edge(struct layout *l, size_t from, size_t to)
{
	struct report *r = l->r;
	struct report_edge *edge = &r->edges[r->edge_count++];
	size_t first = r->nodes[from].layer;
	size_t last = r->nodes[to].layer;
	size_t at = from;
	edge->from = from;
	edge->to = to;
	edge->bend_count = last > first + 1 ? last - first - 1 : 0;
	edge->bends = arena_array(r->arena, struct report_bend, edge->bend_count);
	for (size_t i = 0; i < edge->bend_count; i++) {
		edge->bends[i].layer = first + 1 + i;
		size_t bend = add_item(l, SIZE_MAX, &edge->bends[i], first + 1 + i);
		join(l, at, bend);
		at = bend;
	}
	join(l, at, to);
}

static bool is_hidden(const struct layout *l, const struct item *item)
{
	return !item->bend && l->r->nodes[item->node].is_hidden;
}

static void build(struct layout *l)
{
	struct report *r = l->r;
	size_t edges = 0;
	for (size_t i = 0; i < r->count; i++) {
		add_item(l, i, NULL, r->nodes[i].layer);
		edges += r->nodes[i].is_hidden ? 0 : r->nodes[i].dep_count;
	}
	r->edges = arena_array(r->arena, struct report_edge, edges);
	for (size_t i = 0; i < r->count; i++) {
		for (size_t d = 0; !r->nodes[i].is_hidden && d < r->nodes[i].dep_count; d++)
			add_edge(l, r->nodes[i].deps[d], i);
	}
	l->layers = mem_zalloc(mem_mul(r->layers + 1, sizeof(*l->layers)));
	for (size_t i = 0; i < l->items.len; i++)
		if (!is_hidden(l, &l->items.ptr[i]))
			*vec_push(&l->layers[l->items.ptr[i].layer]) = i;
}

static const struct item *sorted; /* qsort takes no argument of its own */

static int by_wish(const void *a, const void *b)
{
	const struct item *x = &sorted[*(const size_t *)a];
	const struct item *y = &sorted[*(const size_t *)b];
	if (x->wish < y->wish || x->wish > y->wish)
		return x->wish < y->wish ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static double wish_of(const struct layout *l, const struct item *item, bool of_before)
{
	size_t count = of_before ? item->before.len : item->after.len;
	const size_t *near = of_before ? item->before.ptr : item->after.ptr;
	double sum = 0;
	for (size_t i = 0; i < count; i++)
		sum += l->items.ptr[near[i]].y;
	return count ? sum / (double)count : item->y;
}

/* As many rows as an item takes: a bend needs less room than a box. */
static double height_of(const struct item *item)
{
	return item->bend ? 0.5 : 1;
}

static void sort_layer(struct layout *l, size_t layer, bool of_before)
{
	size_t *at = l->layers[layer].ptr;
	size_t count = l->layers[layer].len;
	for (size_t i = 0; i < count; i++)
		l->items.ptr[at[i]].wish = wish_of(l, &l->items.ptr[at[i]], of_before);
	sorted = l->items.ptr;
	if (count)
		qsort(at, count, sizeof(*at), by_wish);
	for (size_t i = 0; i < count; i++)
		l->items.ptr[at[i]].order = i;
}

/* Each where it wishes to be, but below the one before it; then the whole layer back by what they were pushed, on average. */
static void place_layer(struct layout *l, size_t layer)
{
	size_t *at = l->layers[layer].ptr;
	size_t count = l->layers[layer].len;
	double pushed = 0;
	double free_from = -1e9;
	for (size_t i = 0; i < count; i++) {
		struct item *item = &l->items.ptr[at[i]];
		double half = height_of(item) / 2;
		item->y = item->wish > free_from + half ? item->wish : free_from + half;
		free_from = item->y + half;
		pushed += item->y - item->wish;
	}
	for (size_t i = 0; i < count; i++)
		l->items.ptr[at[i]].y -= pushed / (double)count;
}

static void sweep(struct layout *l, bool to_the_right)
{
	for (size_t i = 0; i < l->r->layers; i++) {
		size_t layer = to_the_right ? i : l->r->layers - 1 - i;
		sort_layer(l, layer, to_the_right);
		place_layer(l, layer);
	}
}

static int by_y(const void *a, const void *b)
{
	const struct item *x = *(const struct item *const *)a;
	const struct item *y = *(const struct item *const *)b;
	return (x->y > y->y) - (x->y < y->y);
}

/* Bands in which nothing stands in any layer are taken out. */
static void close_gaps(struct layout *l)
{
	struct item **all = arena_array(l->r->arena, struct item *, l->items.len);
	size_t count = 0;
	double moved = 0;
	for (size_t i = 0; i < l->items.len; i++) {
		if (!is_hidden(l, &l->items.ptr[i]))
			all[count++] = &l->items.ptr[i];
	}
	if (count)
		qsort(all, count, sizeof(struct item *), by_y);
	double last = count ? all[0]->y : 0;
	for (size_t i = 0; i < count; i++) {
		double y = all[i]->y;
		if (y - last > 1)
			moved += y - last - 1;
		last = y;
		all[i]->y -= moved;
	}
}

static void give_out(struct layout *l)
{
	double top = 1e9;
	double bottom = -1e9;
	for (size_t i = 0; i < l->items.len; i++) {
		if (is_hidden(l, &l->items.ptr[i]))
			continue;
		top = l->items.ptr[i].y < top ? l->items.ptr[i].y : top;
		bottom = l->items.ptr[i].y > bottom ? l->items.ptr[i].y : bottom;
	}
	for (size_t i = 0; i < l->items.len; i++) {
		const struct item *item = &l->items.ptr[i];
		if (item->bend)
			item->bend->y = item->y - top;
		else
			l->r->nodes[item->node].y = item->y - top;
	}
	l->r->rows = l->items.len ? bottom - top + 1 : 0;
}

void report_layout(struct report *r)
{
	struct layout l = {.r = r};
	set_layers(r);
	pull_sources(r);
	build(&l);
	for (size_t layer = 0; layer < r->layers; layer++) {
		for (size_t i = 0; i < l.layers[layer].len; i++)
			l.items.ptr[l.layers[layer].ptr[i]].y = (double)i;
	}
	for (int i = 0; i < SWEEPS; i++)
		sweep(&l, i % 2 == 0);
	close_gaps(&l);
	give_out(&l);
	for (size_t i = 0; i < l.items.len; i++) {
		vec_finish(&l.items.ptr[i].before);
		vec_finish(&l.items.ptr[i].after);
	}
	for (size_t i = 0; i < r->layers; i++)
		vec_finish(&l.layers[i]);
	free(l.layers);
	vec_finish(&l.items);
}
