/* tree: one growing array holds the items of all open collections; what is closed moves into the
 * arena.  See tree.h. */
#include "data/tree.h"

#include "base/mem.h"

#include <stdlib.h>

void tree_finish(struct tree *tree)
{
	vec_finish(&tree->open);
	vec_finish(&tree->pending);
}

void tree_open(struct tree *tree, struct value value)
{
	*vec_push(&tree->open) = (struct tree_level){.value = value, .start = tree->pending.len};
}

void tree_key(struct tree *tree, str key, uint32_t line, uint32_t col)
{
	struct tree_level *level = &tree->open.ptr[tree->open.len - 1];
	level->next = (struct value_member){.key = key, .line = line, .col = col};
}

void tree_add(struct tree *tree, struct value value)
{
	if (!tree->open.len) {
		tree->root = value;
		return;
	}
	struct value_member *member = vec_push(&tree->pending);
	*member = tree->open.ptr[tree->open.len - 1].next;
	member->value = value;
}

static int by_key_then_place(const void *x, const void *y)
{
	const struct value_member *a = *(const struct value_member *const *)x;
	const struct value_member *b = *(const struct value_member *const *)y;
	int order = str_cmp(a->key, b->key);
	return order ? order : (a > b) - (a < b);
}

const struct value_member **tree_sorted(const struct value_member *items, size_t count)
{
	const struct value_member **sorted =
		mem_alloc(mem_mul(count, sizeof(const struct value_member *)));
	for (size_t i = 0; i < count; i++)
		sorted[i] = &items[i];
	qsort(sorted, count, sizeof(*sorted), by_key_then_place);
	return sorted;
}

/* Sorted rather than hashed: no choice of keys makes it slow. */
static void find_duplicates_sorted(
	struct tree *tree, const struct value_member *items, size_t count)
{
	const struct value_member **sorted = tree_sorted(items, count);
	size_t first = 0;
	for (size_t i = 1; i < count; i++) {
		if (str_eq(sorted[first]->key, sorted[i]->key))
			tree->on_duplicate(tree->ctx, sorted[first], sorted[i]);
		else
			first = i;
	}
	free(sorted);
}

static void find_duplicates(struct tree *tree, const struct value_member *items, size_t count)
{
	if (count > 16) {
		find_duplicates_sorted(tree, items, count);
		return;
	}
	for (size_t i = 1; i < count; i++) {
		size_t j = 0;
		while (j < i && !str_eq(items[j].key, items[i].key))
			j++;
		if (j < i)
			tree->on_duplicate(tree->ctx, &items[j], &items[i]);
	}
}

struct value tree_close(struct tree *tree)
{
	struct tree_level level = tree->open.ptr[--tree->open.len];
	const struct value_member *items =
		tree->pending.ptr ? tree->pending.ptr + level.start : NULL;
	size_t count = items ? tree->pending.len - level.start : 0;
	struct value value = level.value;
	if (value.kind == VALUE_MAP) {
		find_duplicates(tree, items, count);
		value.as.map.items =
			count ? arena_array(tree->arena, struct value_member, count) : NULL;
		value.as.map.count = count;
		if (count)
			memcpy(value.as.map.items, items, count * sizeof(*items));
	} else {
		value.as.list.items = count ? arena_array(tree->arena, struct value, count) : NULL;
		value.as.list.count = count;
		for (size_t i = 0; i < count; i++)
			value.as.list.items[i] = items[i].value;
	}
	tree->pending.len = level.start;
	tree_add(tree, value);
	return value;
}
