/* tree: builds a value tree from the events of a parser, innermost collection last, each array
 * made once at its final size.  Private to the parsers of this layer; it knows no syntax. */
#ifndef DATA_TREE_H
#define DATA_TREE_H

#include "base/vec.h"
#include "data/value.h"

struct tree_level {
	struct value value;       /* the open list or map, still without its items */
	struct value_member next; /* in a map: the key whose value comes next */
	size_t start;             /* where its items begin in `pending` */
};

struct tree {
	struct arena *arena;
	/* Called when a map is closed for each member whose key an earlier member had. */
	void (*on_duplicate)(
		void *ctx, const struct value_member *first, const struct value_member *again);
	void *ctx;
	struct value root;
	VEC(struct tree_level) open;
	VEC(struct value_member) pending; /* items of all open collections; a list's have no key */
};

void tree_finish(struct tree *tree);

static inline size_t tree_depth(const struct tree *tree)
{
	return tree->open.len;
}

/* The innermost open collection's kind, or VALUE_NULL when none is open. */
static inline enum value_kind tree_inside(const struct tree *tree)
{
	return tree->open.len ? tree->open.ptr[tree->open.len - 1].value.kind : VALUE_NULL;
}

/* How many items the innermost open collection has so far. */
static inline size_t tree_count(const struct tree *tree)
{
	return tree->pending.len - tree->open.ptr[tree->open.len - 1].start;
}

/* Opens a list or map at the place that `value` has; the rest of it is set by tree_close. */
void tree_open(struct tree *tree, struct value value);

/* The key of the innermost map's next member; the bytes are borrowed. */
void tree_key(struct tree *tree, str key, uint32_t line, uint32_t col);

/* Adds to the innermost open collection, or makes it the root. */
void tree_add(struct tree *tree, struct value value);

/* Closes the innermost collection, adds it to the one around it (or makes it the root) and gives
 * it. */
struct value tree_close(struct tree *tree);

/* Pointers to the members by their key's bytes, equal keys in the order written; the caller frees
 * the array. */
const struct value_member **tree_sorted(const struct value_member *items, size_t count);

#endif
