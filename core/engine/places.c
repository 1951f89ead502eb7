/* places: see places.h. */
#include "engine/places.h"

#include "base/mem.h"
#include "engine/facts_memo.h"
#include "engine/internal.h"

#include <stdlib.h>
#include <sys/stat.h>

/* A file that was written to within the same tick of the kernel's clock may look as it did. */
static const int64_t tick_ns = 20000000;

struct places {
	const struct world *world;
	struct arena arena;
	struct map known; /* key -> struct known * */
	struct body *bodies;
	uint64_t tick;
	struct buf key;
};

struct places *places_create(const struct world *world)
{
	struct places *places = mem_zalloc(sizeof(*places));
	places->world = world;
	return places;
}

static void body_destroy(struct body *body)
{
	map_finish(&body->before);
	map_finish(&body->named);
	arena_finish(&body->arena);
	free(body);
}

void places_destroy(struct places *places)
{
	if (!places)
		return;
	while (places->bodies) {
		struct body *body = places->bodies;
		places->bodies = body->next;
		body_destroy(body);
	}
	map_finish(&places->known);
	buf_finish(&places->key);
	arena_finish(&places->arena);
	free(places);
}

uint64_t places_tick(struct places *places)
{
	return ++places->tick;
}

/* ---- paths ---- */

int places_fd(const struct ground *ground, enum artifact_root root)
{
	return root == ROOT_PROJECT ? store_project_fd(ground->store)
	                            : store_state_fd(ground->store);
}

const char *places_full(
	const struct ground *ground, struct arena *arena, enum artifact_root root, str path)
{
	if (root == ROOT_PROJECT)
		return path.len ? arena_str(arena, path).ptr : ".";
	if (!path.len)
		return ground->artifacts;
	return arena_printf(arena, "%s/%.*s", ground->artifacts, STR_ARG(path));
}

bool places_parse(struct arena *arena, str declared, enum artifact_root *root, str *path)
{
	str prefix = STR("$ARTIFACTS_DIR");
	struct buf clean = {0};
	bool ok = true;
	*root = str_starts(declared, prefix) ? ROOT_ARTIFACTS : ROOT_PROJECT;
	if (*root == ROOT_ARTIFACTS)
		declared = str_slice(declared, prefix.len, declared.len);
	while (declared.len && declared.ptr[0] == '/' && *root == ROOT_ARTIFACTS)
		declared = str_slice(declared, 1, declared.len);
	if (declared.len && !fs_is_glob(declared)) {
		ok = fs_normalize(declared, &clean);
		declared = str_is(buf_str(&clean), ".") ? STR("") : buf_str(&clean);
	}
	*path = arena_str(arena, declared);
	buf_finish(&clean);
	return ok;
}

static str make_key(struct buf *key, const struct spot *spot)
{
	buf_clear(key);
	buf_add_char(key, (char)spot->root);
	if (spot->root == ROOT_ARTIFACTS)
		buf_printf(key, "%s/", spot->artifacts);
	buf_add(key, spot->path);
	return buf_str(key);
}

/* ---- what is known ---- */

struct known *places_find(struct places *places, const struct spot *spot)
{
	struct known *known = map_get(&places->known, make_key(&places->key, spot));
	return known && known->stat.mode ? known : NULL;
}

bool places_same(const struct fs_stat *then, const struct fs_stat *now)
{
	if (then->mode != now->mode || then->dev != now->dev)
		return false;
	return S_ISDIR(now->mode) ||
	       (then->ino == now->ino && then->size == now->size &&
		       then->mtime_ns == now->mtime_ns && then->ctime_ns == now->ctime_ns);
}

struct known *places_see(
	struct places *places, const struct spot *spot, const struct fs_stat *stat, uint64_t tick)
{
	str key = make_key(&places->key, spot);
	struct known *known = map_get(&places->known, key);
	if (!known) {
		known = arena_new(&places->arena, struct known);
		map_put(&places->known, arena_str(&places->arena, key), known);
	}
	if (!places_same(&known->stat, stat)) {
		known->noticed = tick;
		known->maker = 0;
	}
	known->stat = *stat;
	return known;
}

void places_forget(struct places *places, const struct spot *spot)
{
	struct known *known = places_find(places, spot);
	if (known)
		*known = (struct known){0};
}

/* ---- bodies ---- */

/* Those that ended before any began that still runs are of no use any more. */
static void prune(struct places *places)
{
	uint64_t first = UINT64_MAX;
	for (const struct body *body = places->bodies; body; body = body->next) {
		if (!body->ended && body->started < first)
			first = body->started;
	}
	struct body **at = &places->bodies;
	while (*at) {
		struct body *body = *at;
		if (body->ended && body->ended < first) {
			*at = body->next;
			body_destroy(body);
		} else {
			at = &body->next;
		}
	}
}

static void add_writes(struct body *body, const struct strs *writes)
{
	for (size_t i = 0; i < 2; i++)
		body->writes[i].ptr = arena_array(&body->arena, str, writes->len);
	for (size_t i = 0; i < writes->len; i++) {
		enum artifact_root root;
		str path;
		struct strs *list;
		if (!places_parse(&body->arena, writes->ptr[i], &root, &path))
			continue;
		list = &body->writes[root == ROOT_ARTIFACTS];
		list->ptr[list->len++] = path;
	}
}

/* Redirections and the like, whose file the body's own text tells. */
static void add_named(struct body *body, const struct attempt *attempt)
{
	struct fact_place place;
	struct buf key = {0};
	attempt_fact_place(attempt, &place);
	for (size_t i = 0; i < attempt->plugin_facts.list.len; i++) {
		const struct host_fact *fact = &attempt->plugin_facts.list.ptr[i];
		enum artifact_root root;
		str path;
		bool is_output = fact->kind == HOST_FACT_OUTPUT;
		if (!is_output && fact->kind != HOST_FACT_WORD)
			continue;
		if (!places_parse(&body->arena, fact->path, &root, &path))
			continue;
		if (root == ROOT_PROJECT &&
			(!is_output || !facts_resolve(&place, &body->arena, fact->path, &path) ||
				path.ptr[0] == '/'))
			continue;
		make_key(&key, &(struct spot){body->artifacts, root, path});
		map_put(&body->named, arena_str(&body->arena, buf_str(&key)), body);
	}
	buf_finish(&key);
}

struct body *places_begin(struct places *places, struct attempt *attempt)
{
	struct body *body = mem_zalloc(sizeof(*body));
	prune(places);
	body->unit = attempt->unit->id;
	body->artifacts = arena_printf(&body->arena, "%s", attempt->engine->ground.artifacts);
	add_writes(body, &attempt->unit->node->writes);
	add_named(body, attempt);
	body->started = places_tick(places);
	body->next = places->bodies;
	places->bodies = body;
	return body;
}

void places_end(struct places *places, struct body *body, uint64_t tick)
{
	(void)places;
	if (body && !body->ended)
		body->ended = tick;
}

/* ---- whose ---- */

enum { CLAIM_NONE, CLAIM_COULD, CLAIM_COVERS, CLAIM_NAMES };

static bool covers(str declared, str path)
{
	if (fs_is_glob(declared))
		return fs_glob_matches(declared, path);
	return !declared.len || (str_starts(path, declared) && path.len > declared.len &&
					path.ptr[declared.len] == '/');
}

static int claim_of(const struct body *body, const struct spot *spot)
{
	struct buf key = {0};
	bool is_shared = spot->root == ROOT_ARTIFACTS;
	if (is_shared && strcmp(body->artifacts, spot->artifacts) != 0)
		return CLAIM_NONE;
	int claim = is_shared ? CLAIM_COULD : CLAIM_NONE;
	if (body->named.len && map_get(&body->named, make_key(&key, spot)))
		claim = CLAIM_NAMES;
	buf_finish(&key);
	const struct strs *writes = &body->writes[is_shared];
	for (size_t i = 0; i < writes->len && claim < CLAIM_NAMES; i++) {
		if (str_eq(writes->ptr[i], spot->path))
			claim = CLAIM_NAMES;
		else if (covers(writes->ptr[i], spot->path))
			claim = CLAIM_COVERS;
	}
	return claim;
}

enum claim_on_file places_whose(const struct places *places, const struct body *body,
	const struct spot *spot, uint64_t unseen)
{
	int own = claim_of(body, spot);
	int best = CLAIM_NONE;
	for (const struct body *other = places->bodies; other; other = other->next) {
		bool is_over =
			other->ended && (other->ended <= body->started || other->ended <= unseen);
		if (other == body || is_over)
			continue;
		int claim = claim_of(other, spot);
		best = claim > best ? claim : best;
	}
	/* What nobody declares and no text names may be anybody's who ran. */
	if (own == CLAIM_NONE && best == CLAIM_NONE)
		return places_was_alone(places, body) ? FILE_OWN : FILE_LOOSE;
	return own > best ? FILE_OWN : own == best ? FILE_LOOSE : FILE_OTHERS;
}

bool places_differs(const struct ground *ground, const struct before *before, str path,
	const struct fs_stat *now)
{
	if (!before || !places_same(&before->stat, now))
		return true;
	int64_t newest = now->mtime_ns > now->ctime_ns ? now->mtime_ns : now->ctime_ns;
	if (!before->has_digest || newest < before->looked_ns - tick_ns)
		return false;
	struct arena scratch = {0};
	struct digest digest;
	struct fs_stat st;
	const char *full = arena_str(&scratch, path).ptr;
	bool differs = fs_digest_at(places_fd(ground, ROOT_PROJECT), full, &digest, &st, NULL) !=
	                       FS_FOUND ||
	               !digest_eq(&digest, &before->digest);
	arena_finish(&scratch);
	return differs;
}

static bool has_changed_since(const struct places *places, const struct ground *ground,
	const struct body *body, const struct spot *spot)
{
	struct arena scratch = {0};
	struct buf key = {0};
	struct fs_stat now;
	const struct known *known = map_get(&places->known, make_key(&key, spot));
	bool is_there = fs_lstat_at(places_fd(ground, spot->root),
				places_full(ground, &scratch, spot->root, spot->path), &now,
				NULL) == FS_FOUND;
	arena_finish(&scratch);
	buf_finish(&key);
	if (!is_there)
		return true;
	if (spot->root == ROOT_ARTIFACTS)
		return !known || known->noticed > body->started || !places_same(&known->stat, &now);
	return places_differs(ground, map_get(&body->before, spot->path), spot->path, &now);
}

bool places_is_in_hand(
	const struct places *places, const struct ground *ground, const struct spot *spot)
{
	for (const struct body *body = places->bodies; body; body = body->next) {
		if (!body->ended && claim_of(body, spot) >= CLAIM_COVERS &&
			has_changed_since(places, ground, body, spot))
			return true;
	}
	return false;
}

/* So many first parts of a pattern as the directory has. */
static str first_parts(str pattern, str dir)
{
	size_t end = str_find_char(pattern, '/', 0);
	for (size_t i = 0; i < dir.len && end != SIZE_MAX; i++) {
		if (dir.ptr[i] == '/')
			end = str_find_char(pattern, '/', end + 1);
	}
	return str_slice(pattern, 0, end == SIZE_MAX ? pattern.len : end);
}

static bool leads_into(str declared, str dir)
{
	if (covers(declared, dir) || str_eq(declared, dir) || covers(dir, declared))
		return true;
	if (!fs_is_glob(declared))
		return false;
	str first = first_parts(declared, dir);
	return first.len < declared.len &&
	       (str_find(first, STR("**"), 0) != SIZE_MAX || str_eq(first, dir) ||
		       fs_glob_matches(first, dir));
}

bool places_is_open(const struct places *places, const struct spot *dir)
{
	for (const struct body *body = places->bodies; body; body = body->next) {
		const struct strs *writes = &body->writes[dir->root == ROOT_ARTIFACTS];
		if (body->ended)
			continue;
		if (claim_of(body, dir) >= CLAIM_COVERS)
			return true;
		for (size_t i = 0; i < writes->len; i++) {
			if (leads_into(writes->ptr[i], dir->path))
				return true;
		}
	}
	return false;
}

bool places_was_alone(const struct places *places, const struct body *body)
{
	for (const struct body *other = places->bodies; other; other = other->next) {
		if (other != body && (!other->ended || other->ended > body->started))
			return false;
	}
	return true;
}

/* ---- looking ---- */

static bool has_content(const struct ground *ground, struct arena *arena, const struct artifact *a,
	const char *full)
{
	struct digest digest;
	struct fs_stat st;
	struct fact fact;
	if (!ground->memo)
		return fs_digest_at(places_fd(ground, a->root), full, &digest, &st, NULL) ==
		               FS_FOUND &&
		       digest_eq(&digest, &a->digest);
	struct fact_place place = {
		.store = ground->store, .memo = ground->memo, .path_env = "", .dir = STR("")};
	str path = str_of(full);
	if (a->root == ROOT_ARTIFACTS)
		path = str_of(arena_printf(arena, "%s/%s", store_state_path(ground->store), full));
	return facts_look(&place, arena, path, &fact, NULL) && fact.kind == FACT_FILE &&
	       digest_eq(&fact.digest, &a->digest);
}

/* In a plan it counts what would be there. */
static bool would_have(const struct pretended *pretended, const struct artifact *a)
{
	uint32_t mode = pretended->stat.mode;
	if (pretended->is_gone || a->kind == ARTIFACT_GONE)
		return pretended->is_gone && a->kind == ARTIFACT_GONE;
	if (pretended->target)
		return a->kind == ARTIFACT_LINK && str_is(a->target, pretended->target);
	if ((mode & 07777) != a->mode)
		return false;
	return S_ISDIR(mode)
	               ? a->kind == ARTIFACT_DIR
	               : a->kind == ARTIFACT_FILE && digest_eq(&pretended->digest, &a->digest);
}

bool places_has(const struct ground *ground, struct arena *arena, const struct artifact *a)
{
	const struct pretended *pretended = ground->memo && a->root == ROOT_PROJECT
	                                            ? pretend_find(ground->memo->pretence, a->path)
	                                            : NULL;
	if (pretended)
		return would_have(pretended, a);
	int fd = places_fd(ground, a->root);
	const char *full = places_full(ground, arena, a->root, a->path);
	struct fs_stat st;
	enum fs_found found = fs_lstat_at(fd, full, &st, NULL);
	if (a->kind == ARTIFACT_GONE)
		return found == FS_ABSENT;
	if (found != FS_FOUND)
		return false;
	if (a->kind == ARTIFACT_DIR)
		return S_ISDIR(st.mode) && (st.mode & 07777) == a->mode;
	if (a->kind == ARTIFACT_LINK) {
		struct buf target = {0};
		bool same = S_ISLNK(st.mode) && fs_read_link(fd, full, &target, NULL) &&
		            str_eq(buf_str(&target), a->target);
		buf_finish(&target);
		return same;
	}
	return S_ISREG(st.mode) && (st.mode & 07777) == a->mode && st.size == a->size &&
	       has_content(ground, arena, a, full);
}

/* ---- visiting ---- */

static bool visit_tree(const struct ground *ground, enum artifact_root root, str path,
	const struct fs_entry *top, struct place_visit *visit, struct err *err)
{
	struct arena scratch = {0};
	struct fs_list list = {0};
	struct buf name = {0};
	const char *full = places_full(ground, &scratch, root, path);
	bool is_project = root == ROOT_PROJECT && !path.len;
	bool ok = fs_list_tree(
		places_fd(ground, root), full, is_project ? ".pawl" : NULL, &list, err);
	visit->count += list.len + (path.len > 0);
	if (ok && path.len)
		ok = visit->fn(visit->arg, root, path, top, err);
	for (size_t i = 0; ok && i < list.len; i++) {
		buf_clear(&name);
		if (path.len)
			buf_printf(&name, "%.*s/", STR_ARG(path));
		buf_add_z(&name, list.ptr[i].name);
		ok = visit->fn(visit->arg, root, buf_str(&name), &list.ptr[i], err);
	}
	buf_finish(&name);
	fs_list_finish(&list);
	arena_finish(&scratch);
	return ok;
}

/* The directory part of a pattern that has no special character; empty: none. */
static str literal_part(str pattern)
{
	size_t end = 0;
	for (size_t i = 0; i < pattern.len; i++) {
		if (fs_is_glob(str_slice(pattern, i, i + 1)))
			break;
		end = pattern.ptr[i] == '/' ? i : end;
	}
	return str_slice(pattern, 0, end);
}

static bool visit_glob(const struct ground *ground, enum artifact_root root, str pattern,
	struct place_visit *visit, struct err *err)
{
	struct arena scratch = {0};
	struct fs_list list = {0};
	const char *full = places_full(ground, &scratch, root, pattern);
	size_t strip = root == ROOT_PROJECT ? 0 : strlen(ground->artifacts) + 1;
	/* What is above the pattern is no part of the place. */
	size_t above = literal_part(str_of(full)).len;
	bool ok = fs_glob_dirs(places_fd(ground, root), str_of(full), &list, err);
	for (size_t i = 0; ok && i < list.len; i++) {
		str name = str_of(list.ptr[i].name);
		bool is_above = S_ISDIR(list.ptr[i].stat.mode) && name.len <= above;
		if (is_above)
			continue;
		visit->count += !S_ISDIR(list.ptr[i].stat.mode);
		ok = visit->fn(
			visit->arg, root, str_slice(name, strip, name.len), &list.ptr[i], err);
	}
	fs_list_finish(&list);
	arena_finish(&scratch);
	return ok;
}

bool places_visit(const struct ground *ground, enum artifact_root root, str path,
	struct place_visit *visit, struct err *err)
{
	struct arena scratch = {0};
	struct fs_entry entry = {0};
	struct buf target = {0};
	int fd = places_fd(ground, root);
	if (fs_is_glob(path))
		return visit_glob(ground, root, path, visit, err);
	const char *full = places_full(ground, &scratch, root, path);
	enum fs_found found = fs_lstat_at(fd, full, &entry.stat, err);
	bool ok = found != FS_ERROR;
	if (found == FS_FOUND && S_ISDIR(entry.stat.mode)) {
		ok = visit_tree(ground, root, path, &entry, visit, err);
	} else if (found == FS_FOUND) {
		if (S_ISLNK(entry.stat.mode))
			ok = fs_read_link(fd, full, &target, err);
		entry.target = target.ptr;
		visit->count++;
		ok = ok && visit->fn(visit->arg, root, path, &entry, err);
	}
	buf_finish(&target);
	arena_finish(&scratch);
	return ok;
}
