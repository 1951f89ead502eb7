/* owners: see owners.h. */
#include "engine/owners.h"

#include "base/mem.h"
#include "engine/internal.h"
#include "store/owned.h"

#include <stdlib.h>

struct owners {
	struct arena arena;
	struct map at; /* root and path -> struct left *, the newest */
	struct map of; /* node -> struct left ** */
	VEC(str) nodes;
};

void owners_destroy(struct owners *owners)
{
	if (!owners)
		return;
	map_finish(&owners->at);
	map_finish(&owners->of);
	vec_finish(&owners->nodes);
	arena_finish(&owners->arena);
	free(owners);
}

str owners_entry(struct arena *arena, const struct artifact *as)
{
	struct manifest manifest = {0};
	struct buf text = {0};
	*vec_push(&manifest.list) = *as;
	manifest_write(&text, &manifest);
	str entry = arena_str(arena, buf_str(&text));
	buf_finish(&text);
	manifest_finish(&manifest);
	return entry;
}

bool owners_parse_entry(str entry, struct artifact *out)
{
	struct manifest manifest = {0};
	bool ok = manifest_parse(entry, &manifest) && manifest.list.len == 1;
	if (ok)
		*out = manifest.list.ptr[0];
	manifest_finish(&manifest);
	return ok;
}

static str key_of(struct buf *key, enum artifact_root root, str path)
{
	buf_clear(key);
	buf_add_char(key, (char)root);
	buf_add(key, path);
	return buf_str(key);
}

static struct left *find(const struct left *first, str node)
{
	for (const struct left *left = first; left; left = left->next_at) {
		if (str_eq(left->node, node))
			return (struct left *)(uintptr_t)left;
	}
	return NULL;
}

/* A new one, without content, at the head of both lists. */
static struct left *add(struct owners *owners, str node, enum artifact_root root, str path)
{
	struct buf key = {0};
	struct left *left = arena_new(&owners->arena, struct left);
	left->node = arena_str(&owners->arena, node);
	left->as.root = root;
	left->as.path = arena_str(&owners->arena, path);
	left->next_at = map_get(&owners->at, key_of(&key, root, path));
	map_put(&owners->at, arena_str(&owners->arena, buf_str(&key)), left);
	struct left **head = map_get(&owners->of, node);
	if (!head) {
		head = arena_new(&owners->arena, struct left *);
		map_put(&owners->of, left->node, head);
		*vec_push(&owners->nodes) = left->node;
	}
	left->next_of = *head;
	*head = left;
	buf_finish(&key);
	return left;
}

static void load(struct engine *engine)
{
	struct owners *owners = mem_zalloc(sizeof(*owners));
	struct owned_list list = {0};
	engine->owners = owners;
	owned_list(engine->store, &owners->arena, engine->workflow->name,
		str_of(engine->ground.artifacts), &list, NULL);
	for (size_t i = 0; i < list.len; i++) {
		const struct owned_row *row = &list.ptr[i];
		struct artifact as = {0};
		if (row->node.len && !owners_parse_entry(row->entry, &as))
			continue;
		struct left *left = add(owners, row->node,
			row->place.len ? ROOT_ARTIFACTS : ROOT_PROJECT, row->path);
		as.root = left->as.root;
		as.path = left->as.path;
		left->as = as;
		left->is_edited = row->is_edited;
		left->is_half = row->is_half;
		left->is_newest = row->is_newest;
	}
}

static struct owners *owners_get(struct engine *engine)
{
	if (!engine->owners)
		load(engine);
	return engine->owners;
}

const struct left *owners_of(struct engine *engine, str node)
{
	struct left **head = map_get(&owners_get(engine)->of, node);
	return head ? *head : NULL;
}

const struct left *owners_at(struct engine *engine, enum artifact_root root, str path)
{
	struct buf key = {0};
	const struct left *left = map_get(&owners_get(engine)->at, key_of(&key, root, path));
	buf_finish(&key);
	return left;
}

void owners_each_node(
	struct engine *engine, void (*fn)(void *arg, str node, const struct left *first), void *arg)
{
	const struct owners *owners = owners_get(engine);
	for (size_t i = 0; i < owners->nodes.len; i++)
		fn(arg, owners->nodes.ptr[i], owners_of(engine, owners->nodes.ptr[i]));
}

static bool same_artifact(const struct artifact *a, const struct artifact *b)
{
	return a->kind == b->kind && a->mode == b->mode && a->size == b->size &&
	       digest_eq(&a->digest, &b->digest) && str_eq(a->target, b->target);
}

static void put(struct engine *engine, const struct left *left, str entry)
{
	struct owned_row row = {.place = left->as.root == ROOT_ARTIFACTS
	                                         ? str_of(engine->ground.artifacts)
	                                         : STR(""),
		.path = left->as.path,
		.workflow = engine->workflow->name,
		.node = left->node,
		.entry = entry,
		.is_edited = left->is_edited,
		.is_half = left->is_half};
	if (!engine->options->plan && !engine->options->verify &&
		!owned_put(engine->store, &row, NULL))
		engine_fail_store(engine);
}

void owners_put(struct engine *engine, str node, const struct artifact *as, struct left_flags flags)
{
	struct owners *owners = owners_get(engine);
	const struct left *first = owners_at(engine, as->root, as->path);
	struct left *left = find(first, node);
	/* What was edited once is people's for good. */
	bool is_edited = flags.is_edited || (left && left->is_edited);
	/* Who wrote last must be the newest. */
	if (left && left->is_newest && left->is_edited == is_edited &&
		left->is_half == flags.is_half && same_artifact(&left->as, as))
		return;
	if (!left)
		left = add(owners, node, as->root, as->path);
	str path = left->as.path;
	left->as = *as;
	left->as.path = path;
	left->as.target = arena_str(&owners->arena, as->target);
	left->is_edited = is_edited;
	left->is_half = flags.is_half;
	for (; first; first = first->next_at)
		((struct left *)(uintptr_t)first)->is_newest = false;
	left->is_newest = true;
	struct arena scratch = {0};
	put(engine, left, owners_entry(&scratch, &left->as));
	arena_finish(&scratch);
}

void owners_put_loose(struct engine *engine, str path)
{
	const struct left *first = owners_at(engine, ROOT_ARTIFACTS, path);
	if (!find(first, STR("")))
		put(engine, add(owners_get(engine), STR(""), ROOT_ARTIFACTS, path), STR(""));
}

bool owners_left_it(struct engine *engine, struct arena *arena, enum artifact_root root, str path)
{
	struct owned_list list = {0};
	for (const struct left *left = owners_at(engine, root, path); left; left = left->next_at) {
		if (left->node.len && places_has(&engine->ground, arena, &left->as))
			return true;
	}
	if (root == ROOT_ARTIFACTS)
		return false;
	/* Other workflows, and other runs that go on. */
	owned_at(engine->store, arena, STR(""), path, &list, NULL);
	for (size_t i = 0; i < list.len; i++) {
		struct artifact as;
		if (!list.ptr[i].node.len || !owners_parse_entry(list.ptr[i].entry, &as))
			continue;
		as.root = root;
		as.path = path;
		if (places_has(&engine->ground, arena, &as))
			return true;
	}
	return false;
}

bool owners_is_last(struct engine *engine, struct arena *arena, const struct artifact *as)
{
	struct owned_list list = {0};
	if (as->root == ROOT_ARTIFACTS)
		return true;
	owned_at(engine->store, arena, STR(""), as->path, &list, NULL);
	return list.len && str_eq(list.ptr[0].workflow, engine->workflow->name);
}
