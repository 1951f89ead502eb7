/* inner: see inner.h. */
#include "cli/inner.h"

static const unsigned deepest = 16;

struct walk {
	struct store *store;
	struct arena *arena;
	void (*fn)(void *arg, const struct inner_node *node);
	void *arg;
};

/* NOLINTNEXTLINE(misc-no-recursion): `deepest` bounds it */
static bool walk_run(
	struct walk *w, const struct run_row *run, str above, unsigned depth, struct err *err)
{
	struct node_list nodes = {0};
	struct run_list children = {0};
	if (!nodes_list(w->store, w->arena, run->id, &nodes, err) ||
		!runs_children(w->store, w->arena, run->id, &children, err))
		return false;
	for (size_t i = 0; i < nodes.len; i++) {
		const struct node_row *row = &nodes.ptr[i];
		str path = row->node;
		if (above.len)
			path = str_of(arena_printf(
				w->arena, "%.*s/%.*s", STR_ARG(above), STR_ARG(row->node)));
		w->fn(w->arg, &(struct inner_node){run, row, path, above.len > 0});
		/* The newest come first in the list. */
		for (size_t c = children.len; depth && c-- > 0;) {
			if (str_eq(children.ptr[c].parent_node, row->node) &&
				!walk_run(w, &children.ptr[c], path, depth - 1, err))
				return false;
		}
	}
	return true;
}

bool inner_each(struct store *store, struct arena *arena, const struct run_row *run,
	void (*fn)(void *arg, const struct inner_node *node), void *arg, struct err *err)
{
	struct walk walk = {store, arena, fn, arg};
	return walk_run(&walk, run, STR(""), deepest, err);
}

bool inner_resolve(
	struct store *store, struct arena *arena, int64_t *run, str *node, struct err *err)
{
	size_t slash;
	while ((slash = str_find_char(*node, '/', 0)) != SIZE_MAX) {
		struct run_list children = {0};
		str holder = str_slice(*node, 0, slash);
		int64_t found = 0;
		if (!runs_children(store, arena, *run, &children, err))
			return false;
		for (size_t i = 0; i < children.len && !found; i++) {
			if (str_eq(children.ptr[i].parent_node, holder))
				found = children.ptr[i].id;
		}
		if (!found) {
			err_set(err, "E-NODE-UNKNOWN", "`%.*s` of run %lld has begun no run",
				STR_ARG(holder), (long long)*run);
			return err_help(err, "`pawl show %lld` lists the nodes and the runs in it",
				(long long)*run);
		}
		*run = found;
		*node = str_slice(*node, slash + 1, node->len);
	}
	return true;
}
