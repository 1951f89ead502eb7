/* aside: see aside.h. */
#include "engine/aside.h"

#include "base/mem.h"
#include "data/netstr.h"
#include "engine/aside_inner.h"
#include "engine/facts_memo.h"
#include "engine/internal.h"
#include "engine/owners.h"
#include "engine/places.h"

#include <stdlib.h>
#include <sys/stat.h>

struct aside {
	const char *dir; /* "aside/7/3", in the engine's arena */
	size_t count;
	bool is_replaced;
	bool is_vacated; /* of a node that makes nothing in this run, if this completes */
};

/* "aside/7", of a verification "aside/vPID-START". */
static const char *dir_of_run(struct engine *engine)
{
	if (engine->options->verify)
		return arena_printf(&engine->arena, "aside/v%d-%llu", (int)proc_self().pid,
			(unsigned long long)proc_self().start);
	return arena_printf(&engine->arena, "aside/%lld", (long long)engine->row.id);
}

static struct aside *aside_create(struct engine *engine)
{
	struct aside *aside = arena_new(&engine->arena, struct aside);
	aside->dir = arena_printf(&engine->arena, "%s/%llu", dir_of_run(engine),
		(unsigned long long)places_tick(engine->places));
	*vec_push(&engine->asides) = aside;
	return aside;
}

static const char *path_in(struct arena *arena, const char *dir, enum artifact_root root, str path)
{
	return arena_printf(arena, "%s/%c/%.*s", dir, (char)root, STR_ARG(path));
}

/* ---- taking ---- */

struct taking {
	struct engine *engine;
	struct aside *aside;
	struct arena scratch;
	bool has_removed;
	VEC(const struct left *) dirs;
};

/* Not what somebody in this run left or is about to, nor what people had before the node changed it. */
static bool may_take(struct taking *t, const struct left *left)
{
	struct engine *engine = t->engine;
	struct spot spot = {engine->ground.artifacts, left->as.root, left->as.path};
	const struct known *known = places_find(engine->places, &spot);
	if (!left->node.len || left->is_edited || left->as.kind == ARTIFACT_GONE ||
		(known && known->maker))
		return false;
	return left->as.kind == ARTIFACT_DIR
	               ? !places_is_open(engine->places, &spot)
	               : !places_is_in_hand(engine->places, &engine->ground, &spot);
}

static void take_file(struct taking *t, const struct left *left)
{
	struct engine *engine = t->engine;
	const struct ground *ground = &engine->ground;
	const char *full = places_full(ground, &t->scratch, left->as.root, left->as.path);
	if (!owners_left_it(engine, &t->scratch, left->as.root, left->as.path))
		return;
	/* By the row of the run another process knows that it goes on, and that this is not to be put back. */
	engine_prepare_bodies(engine);
	struct spot spot = {ground->artifacts, left->as.root, left->as.path};
	/* Half a result is of no use to anybody once the body begins anew. */
	if (left->is_half && places_has(ground, &t->scratch, &left->as)) {
		if (fs_remove_one(places_fd(ground, left->as.root), full))
			places_forget(engine->places, &spot);
		t->has_removed = true;
		return;
	}
	if (fs_move(places_fd(ground, left->as.root), full, store_state_fd(engine->store),
		    path_in(&t->scratch, t->aside->dir, left->as.root, left->as.path),
		    NULL) != FS_FOUND)
		return;
	t->aside->count++;
	places_forget(
		engine->places, &(struct spot){ground->artifacts, left->as.root, left->as.path});
}

static int deepest_first(const void *a, const void *b)
{
	const struct left *x = *(const struct left *const *)a;
	const struct left *y = *(const struct left *const *)b;
	return str_cmp(y->as.path, x->as.path);
}

/* Those that are empty now. */
static void take_dirs(struct taking *t)
{
	struct engine *engine = t->engine;
	if (t->dirs.len)
		qsort(t->dirs.ptr, t->dirs.len, sizeof(*t->dirs.ptr), deepest_first);
	for (size_t i = 0; i < t->dirs.len; i++) {
		const struct artifact *as = &t->dirs.ptr[i]->as;
		struct fs_stat st;
		int fd = places_fd(&engine->ground, as->root);
		const char *full = places_full(&engine->ground, &t->scratch, as->root, as->path);
		bool is_dir = fs_lstat_at(fd, full, &st, NULL) == FS_FOUND && S_ISDIR(st.mode);
		if (!is_dir || !fs_remove_one(fd, full))
			continue;
		const char *kept = path_in(&t->scratch, t->aside->dir, as->root, as->path);
		t->aside->count++;
		if (fs_make_parents(store_state_fd(engine->store),
			    arena_printf(&t->scratch, "%s/", kept), NULL))
			fs_set_mode(store_state_fd(engine->store), kept, st.mode & 07777, NULL);
		places_forget(engine->places,
			&(struct spot){engine->ground.artifacts, as->root, as->path});
	}
}

/* What `t` says of all that the node left; files, then what then is empty. */
static void take_all(struct taking *t, const struct left *first)
{
	for (const struct left *left = first; left; left = left->next_of) {
		if (!may_take(t, left))
			continue;
		if (left->as.kind == ARTIFACT_DIR)
			*vec_push(&t->dirs) = left;
		else
			take_file(t, left);
	}
	take_dirs(t);
	vec_finish(&t->dirs);
	arena_finish(&t->scratch);
	if (t->aside->count || t->has_removed)
		t->engine->has_restored = true;
	if (t->aside->count || t->has_removed)
		fact_memo_forget(t->engine->memo);
}

/* By this a recovery knows, when this process was killed, what the body may have begun to write. */
static void note_body(struct attempt *attempt)
{
	struct engine *engine = attempt->engine;
	const struct node *node = attempt->unit->node;
	struct buf line = {0};
	if (!node->writes.len || engine->options->verify)
		return;
	buf_printf(&line, "body %lld", (long long)attempt->started_wall);
	netstr_add(&line, node->id);
	netstr_add(&line, str_of(engine->ground.artifacts));
	netstr_add(&line, attempt->aside ? str_of(attempt->aside->dir) : STR(""));
	buf_printf(&line, " %zu", node->writes.len);
	for (size_t i = 0; i < node->writes.len; i++)
		netstr_add(&line, node->writes.ptr[i]);
	buf_add_char(&line, '\n');
	fs_append(store_state_fd(engine->store),
		arena_printf(&attempt->arena, "%s/bodies", dir_of_run(engine)), buf_str(&line),
		NULL);
	engine->has_noted_bodies = true;
	buf_finish(&line);
}

void aside_begin(struct attempt *attempt)
{
	struct engine *engine = attempt->engine;
	const struct node *node = attempt->unit->node;
	const struct left *first = owners_of(engine, node->id);
	bool is_cleaned = first && !node->keeps_outputs && attempt->tries <= 1;
	if (is_cleaned)
		attempt->aside = aside_create(engine);
	note_body(attempt);
	if (!is_cleaned)
		return;
	struct taking t = {.engine = engine, .aside = attempt->aside};
	take_all(&t, first);
}

void aside_replaced(struct attempt *attempt)
{
	if (attempt->aside)
		attempt->aside->is_replaced = true;
}

/* ---- vacating ---- */

static void pretend_vacant(struct engine *engine, const struct left *first)
{
	struct arena scratch = {0};
	for (const struct left *left = first; left; left = left->next_of) {
		if (left->node.len && !left->is_edited && left->as.root == ROOT_PROJECT &&
			left->as.kind != ARTIFACT_DIR &&
			owners_left_it(engine, &scratch, left->as.root, left->as.path))
			fact_memo_pretend_gone(engine->memo, left->as.path);
	}
	arena_finish(&scratch);
}

/* That it stays so is a part of what the run rests on. */
static void note_absent(struct engine *engine, const struct left *first)
{
	for (const struct left *left = first; left; left = left->next_of) {
		struct fs_stat st;
		if (left->as.root == ROOT_PROJECT &&
			fs_lstat_at(store_project_fd(engine->store), left->as.path.ptr, &st,
				NULL) == FS_ABSENT)
			fact_memo_note_absent(engine->memo, left->as.path.ptr);
	}
}

void aside_vacate(struct engine *engine, str node, enum vacancy vacancy)
{
	const struct left *first = owners_of(engine, node);
	if (!first || engine->options->verify)
		return;
	if (engine->options->plan) {
		pretend_vacant(engine, first);
		return;
	}
	struct taking t = {.engine = engine, .aside = aside_create(engine)};
	t.aside->is_vacated = vacancy == VACANT_FOR_GOOD;
	take_all(&t, first);
	if (vacancy == VACANT_FOR_GOOD)
		note_absent(engine, first);
}

struct vacating {
	struct engine *engine;
	const struct absence *absence;
};

static void vacate_one(void *arg, str node, const struct left *first)
{
	const struct vacating *v = arg;
	const struct absence *a = v->absence;
	(void)first;
	if (node.len && str_starts(node, a->prefix) && !(a->is_there && a->is_there(a->arg, node)))
		aside_vacate(v->engine, node, a->vacancy);
}

void aside_vacate_absent(struct engine *engine, const struct absence *absence)
{
	struct vacating v = {engine, absence};
	owners_each_node(engine, vacate_one, &v);
}

/* ---- coming back ---- */

static void put_back_tree(
	const struct ground *ground, const char *from, enum artifact_root root, struct arena *arena)
{
	int state = store_state_fd(ground->store);
	int fd = places_fd(ground, root);
	struct fs_list list = {0};
	fs_list_tree(state, from, NULL, &list, NULL);
	bool *is_made = list.len ? arena_array(arena, bool, list.len) : NULL;
	for (size_t i = 0; i < list.len; i++) {
		const struct fs_entry *entry = &list.ptr[i];
		const char *to = places_full(ground, arena, root, str_of(entry->name));
		const char *kept = arena_printf(arena, "%s/%s", from, entry->name);
		struct fs_stat st;
		if (!S_ISDIR(entry->stat.mode))
			fs_move(state, kept, fd, to, NULL);
		else if (fs_lstat_at(fd, to, &st, NULL) == FS_ABSENT)
			is_made[i] = fs_make_parents(fd, arena_printf(arena, "%s/", to), NULL);
	}
	for (size_t i = list.len; i-- > 0;) {
		if (is_made[i])
			fs_set_mode(fd, places_full(ground, arena, root, str_of(list.ptr[i].name)),
				list.ptr[i].stat.mode & 07777, NULL);
	}
	fs_list_finish(&list);
}

void aside_put_back(const struct ground *ground, const char *dir)
{
	struct arena arena = {0};
	put_back_tree(ground, arena_printf(&arena, "%s/P", dir), ROOT_PROJECT, &arena);
	put_back_tree(ground, arena_printf(&arena, "%s/A", dir), ROOT_ARTIFACTS, &arena);
	arena_finish(&arena);
}

void aside_finish(struct engine *engine, bool is_well)
{
	bool any = engine->has_noted_bodies;
	for (size_t i = 0; i < engine->asides.len; i++)
		any = any || engine->asides.ptr[i]->count;
	/* Not before the store has what was made instead: or a death in between leaves neither, and what is in the places would
	 * be nobody's. */
	if (any && !engine->options->plan && !engine->options->verify &&
		!store_flush(engine->store, NULL))
		return;
	for (size_t i = 0; i < engine->asides.len; i++) {
		const struct aside *aside = engine->asides.ptr[i];
		bool goes = aside->is_replaced || (aside->is_vacated && is_well);
		if (aside->count && !goes)
			aside_put_back(&engine->ground, aside->dir);
	}
	engine->asides.len = 0;
	engine->has_noted_bodies = false;
	if (any)
		fs_remove_tree(store_state_fd(engine->store), dir_of_run(engine), NULL);
}
