/* writers: no two nodes write the same path or one inside the other's.  Paths are compared as they are written, without
 * "./", "//" and a "/" at the end; what a glob stands for is known only when it is expanded. */
#include "model/load.h"

#include "base/buf.h"

#include <stdlib.h>

struct writer {
	str path; /* cleaned */
	const struct node *node;
	const struct value *at; /* where it is written */
};

/* In the order of a tree: what is inside a directory follows it at once, because '/' sorts before all else. */
static int by_path(const void *a, const void *b)
{
	const struct writer *x = a;
	const struct writer *y = b;
	size_t shorter = x->path.len < y->path.len ? x->path.len : y->path.len;
	for (size_t i = 0; i < shorter; i++) {
		unsigned char p = (unsigned char)x->path.ptr[i];
		unsigned char q = (unsigned char)y->path.ptr[i];
		if (p != q)
			return p == '/' ? -1 : q == '/' ? 1 : p < q ? -1 : 1;
	}
	if (x->path.len != y->path.len)
		return x->path.len < y->path.len ? -1 : 1;
	return x->node->index < y->node->index ? -1 : x->node->index > y->node->index;
}

static bool is_within(str inner, str outer)
{
	return !outer.len || (str_starts(inner, outer) &&
				     (inner.len == outer.len || inner.ptr[outer.len] == '/'));
}

static str clean(struct arena *arena, str path)
{
	char *out = arena_alloc(arena, path.len + 1);
	size_t len = 0;
	str part;
	while (str_split(&path, '/', &part)) {
		if (!part.len || str_is(part, "."))
			continue;
		if (len)
			out[len++] = '/';
		memcpy(out + len, part.ptr, part.len);
		len += part.len;
	}
	return str_make(out, len);
}

static const struct value *item_of(const struct node *node, size_t index)
{
	const struct value *value = value_get(node->fields, STR("writes"));
	return value->kind == VALUE_LIST ? &value->as.list.items[index] : value;
}

static str shown(str path)
{
	return path.len ? path : STR(".");
}

static void report(struct load *load, const struct writer *outer, const struct writer *inner)
{
	bool is_later = inner->node->index > outer->node->index;
	struct place at = load_place(load, is_later ? inner->at : outer->at);
	struct err *err = NULL;
	if (str_eq(outer->path, inner->path))
		err = diags_error(load->diags, at, "E-WRITES-OVERLAP",
			"nodes `%.*s` and `%.*s` both write `%.*s`", STR_ARG(outer->node->id),
			STR_ARG(inner->node->id), STR_ARG(shown(inner->path)));
	else
		err = diags_error(load->diags, at, "E-WRITES-OVERLAP",
			"node `%.*s` writes `%.*s`, and node `%.*s` writes `%.*s` in it",
			STR_ARG(outer->node->id), STR_ARG(shown(outer->path)),
			STR_ARG(inner->node->id), STR_ARG(inner->path));
	err_help(err, "give each a path of its own; a third node can merge them");
}

void load_writers(struct load *load)
{
	struct workflow *wf = load->workflow;
	VEC(struct writer) writers = {0};
	for (uint32_t i = 0; i < wf->node_count; i++) {
		const struct node *node = &wf->nodes[i];
		for (size_t w = 0; w < node->writes.len; w++)
			*vec_push(&writers) = (struct writer){
				clean(&wf->arena, node->writes.ptr[w]), node, item_of(node, w)};
	}
	if (writers.len)
		qsort(writers.ptr, writers.len, sizeof(*writers.ptr), by_path);
	/* The paths that the current one may be inside of, outermost first. */
	VEC(const struct writer *) open = {0};
	for (size_t i = 0; i < writers.len; i++) {
		const struct writer *writer = &writers.ptr[i];
		while (open.len && !is_within(writer->path, open.ptr[open.len - 1]->path))
			open.len--;
		for (size_t o = open.len; o-- > 0;) {
			if (open.ptr[o]->node != writer->node) {
				report(load, open.ptr[o], writer);
				break;
			}
		}
		*vec_push(&open) = writer;
	}
	vec_finish(&open);
	vec_finish(&writers);
}
