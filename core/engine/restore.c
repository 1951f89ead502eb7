/* restore: places of results that are reused.  See artifacts.h. */
#include "engine/artifacts.h"

#include "engine/facts_memo.h"
#include "engine/internal.h"
#include "engine/owners.h"
#include "sys/fs.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool load_manifest(struct attempt *attempt, const struct digest *digest,
	struct manifest *manifest, struct err *err)
{
	struct buf text = {0};
	bool ok = cas_get(attempt->engine->store, digest, &text, err);
	str kept = ok ? arena_str(&attempt->arena, buf_str(&text)) : STR("");
	buf_finish(&text);
	return ok &&
	       (manifest_parse(kept, manifest) ||
		       err_set(err, "E-STORE-BLOB", "a stored list of artifacts can't be read"));
}

static bool is_in_place(struct attempt *attempt, const struct artifact *a)
{
	struct engine *engine = attempt->engine;
	struct fs_stat st;
	const char *full = places_full(&engine->ground, &attempt->arena, a->root, a->path);
	if (a->kind == ARTIFACT_GONE && a->root == ROOT_PROJECT)
		fact_memo_note_absent(engine->memo, full);
	/* What people have where something was taken away is theirs. */
	if (a->kind == ARTIFACT_GONE)
		return places_has(&engine->ground, &attempt->arena, a) ||
		       !owners_left_it(engine, &attempt->arena, a->root, a->path);
	if (a->kind != ARTIFACT_FILE && a->root == ROOT_PROJECT &&
		fs_lstat_at(places_fd(&engine->ground, a->root), full, &st, NULL) == FS_FOUND)
		fact_memo_note(engine->memo, full, &st);
	return places_has(&engine->ground, &attempt->arena, a);
}

/* Something of another kind stands there, or on the way, and not because the node left it at another time. */
static bool is_blocked(struct attempt *attempt, enum artifact_root root, str path, bool wants_dir)
{
	struct engine *engine = attempt->engine;
	struct fs_stat st;
	enum fs_found found = fs_lstat_at(places_fd(&engine->ground, root),
		places_full(&engine->ground, &attempt->arena, root, path), &st, NULL);
	if (found != FS_FOUND)
		return found == FS_ERROR;
	return S_ISDIR(st.mode) != wants_dir &&
	       !owners_left_it(engine, &attempt->arena, root, path);
}

static bool is_out_of_reach(struct attempt *attempt, const struct artifact *a)
{
	if (is_blocked(attempt, a->root, a->path, a->kind == ARTIFACT_DIR))
		return true;
	for (size_t at = a->path.len; at-- > 0;) {
		if (a->path.ptr[at] == '/' &&
			is_blocked(attempt, a->root, str_slice(a->path, 0, at), true))
			return true;
	}
	return false;
}

/* What a body left that nothing else has. */
static void check_fact(
	struct attempt *attempt, const struct fact *fact, struct candidate *candidate)
{
	struct engine *engine = attempt->engine;
	struct fact_place place;
	struct fact now;
	struct fs_stat st;
	enum artifact_root root;
	str path;
	attempt_fact_place(attempt, &place);
	if (fact->kind == FACT_WROTE) {
		if (!facts_look(&place, &attempt->arena, fact->path, &now, NULL) ||
			now.kind != FACT_FILE)
			candidate->output_gone = arena_str(&attempt->arena, fact->path);
		else if (!digest_eq(&now.digest, &fact->digest))
			candidate->output_other = arena_str(&attempt->arena, fact->path);
	} else if (fact->kind == FACT_LOOSE) {
		candidate->has_loose = true;
		bool is_same_run = candidate->row->run == engine->row.id;
		bool ok = is_same_run && places_parse(&attempt->arena, fact->path, &root, &path) &&
		          fs_lstat_at(places_fd(&engine->ground, root),
				  places_full(&engine->ground, &attempt->arena, root, path), &st,
				  NULL) == FS_FOUND;
		if (!ok)
			candidate->loose = arena_str(&attempt->arena, fact->path);
	}
}

/* Another item, or the iteration before, has made it in this run: where this result was made it was not there.  What a
 * dependency has made is no part of the node's own places. */
static bool is_taken(struct attempt *attempt, const struct trace *trace, const struct artifact *a)
{
	struct engine *engine = attempt->engine;
	struct fact_place place;
	const struct known *known = places_find(
		engine->places, &(struct spot){engine->ground.artifacts, a->root, a->path});
	attempt_fact_place(attempt, &place);
	if (a->kind != ARTIFACT_FILE || a->root != ROOT_PROJECT || !known || !known->maker ||
		!facts_is_own(&place, a->path))
		return false;
	for (size_t i = 0; i < trace->facts.len; i++) {
		const struct fact *fact = &trace->facts.ptr[i];
		if (fact->kind == FACT_WAS && str_eq(fact->path, a->path))
			return false;
	}
	return true;
}

void restore_check(struct attempt *attempt, const struct trace *trace, struct candidate *candidate)
{
	struct manifest manifest = {0};
	if (candidate->row->has_manifest &&
		!load_manifest(attempt, &candidate->row->manifest, &manifest, NULL))
		candidate->is_damaged = true;
	for (size_t i = 0; i < manifest.list.len; i++) {
		const struct artifact *a = &manifest.list.ptr[i];
		bool is_others = is_taken(attempt, trace, a);
		if (!is_others && is_in_place(attempt, a))
			continue;
		if (is_others || is_out_of_reach(attempt, a))
			candidate->output_other = arena_str(&attempt->arena, a->path);
		else if (a->kind == ARTIFACT_FILE &&
			 !cas_has(attempt->engine->store, &a->digest, true))
			candidate->output_gone = arena_str(&attempt->arena, a->path);
	}
	for (size_t i = 0; i < trace->facts.len; i++)
		check_fact(attempt, &trace->facts.ptr[i], candidate);
	manifest_finish(&manifest);
}

/* ---- putting back ---- */

/* What is in the way goes first: a link that is renamed over it would be left under another name by a crash. */
static bool restore_link(int fd, const char *path, const char *target, struct err *err)
{
	struct fs_stat st;
	bool is_taken = fs_lstat_at(fd, path, &st, NULL) == FS_FOUND && !S_ISDIR(st.mode);
	return (!is_taken || fs_remove_tree(fd, path, err)) && fs_write_link(fd, path, target, err);
}

static bool restore_file(struct attempt *attempt, const struct artifact *a, struct err *err)
{
	const struct ground *ground = &attempt->engine->ground;
	int fd = places_fd(ground, a->root);
	const char *path = places_full(ground, &attempt->arena, a->root, a->path);
	const char *slash = strrchr(path, '/');
	if (slash && slash != path) {
		char *dir = arena_printf(&attempt->arena, "%.*s", (int)(slash - path), path);
		if (!fs_make_dirs(fd, dir, 0777, err))
			return false;
	}
	if (a->kind == ARTIFACT_LINK)
		return restore_link(fd, path, arena_str(&attempt->arena, a->target).ptr, err);
	return cas_restore(attempt->engine->store, &a->digest, fd, path, a->mode, err);
}

struct restoring {
	struct attempt *attempt;
	const struct manifest *manifest;
	struct restored *restored;
	bool *is_missing; /* by entry */
};

static bool was_something(struct restoring *r, const struct artifact *a)
{
	const struct ground *ground = &r->attempt->engine->ground;
	struct fs_stat st;
	const struct left *left = owners_at(r->attempt->engine, a->root, a->path);
	bool is_shared = left && left->next_at;
	return is_shared || fs_lstat_at(places_fd(ground, a->root),
				    places_full(ground, &r->attempt->arena, a->root, a->path), &st,
				    NULL) == FS_FOUND;
}

/* Directories can be written into until all is in them. */
static bool put_back_dirs(struct restoring *r, struct err *err)
{
	const struct ground *ground = &r->attempt->engine->ground;
	bool ok = true;
	for (size_t i = 0; ok && i < r->manifest->list.len; i++) {
		const struct artifact *a = &r->manifest->list.ptr[i];
		if (!r->is_missing[i] || a->kind != ARTIFACT_DIR)
			continue;
		int fd = places_fd(ground, a->root);
		const char *path = places_full(ground, &r->attempt->arena, a->root, a->path);
		ok = fs_make_dirs(fd, path, 0777, err) &&
		     fs_set_mode(fd, path, a->mode | 0700, err);
	}
	return ok;
}

static bool close_dirs(struct restoring *r, struct err *err)
{
	const struct ground *ground = &r->attempt->engine->ground;
	bool ok = true;
	for (size_t i = r->manifest->list.len; ok && i-- > 0;) {
		const struct artifact *a = &r->manifest->list.ptr[i];
		if (r->is_missing[i] && a->kind == ARTIFACT_DIR)
			ok = fs_set_mode(places_fd(ground, a->root),
				places_full(ground, &r->attempt->arena, a->root, a->path), a->mode,
				err);
	}
	return ok;
}

/* The directories above what is missing are opened up and shut again, where they are the result's. */
static void mark_above(struct restoring *r, const struct artifact *a)
{
	for (size_t i = 0; i < r->manifest->list.len; i++) {
		const struct artifact *dir = &r->manifest->list.ptr[i];
		bool is_above = dir->kind == ARTIFACT_DIR && dir->root == a->root &&
		                str_starts(a->path, dir->path) && a->path.len > dir->path.len &&
		                a->path.ptr[dir->path.len] == '/';
		if (is_above && (dir->mode & 0300) != 0300)
			r->is_missing[i] = true;
	}
}

/* What is in a directory goes before it; one in which people have something stays. */
static void take_away(struct restoring *r)
{
	struct engine *engine = r->attempt->engine;
	const struct ground *ground = &engine->ground;
	for (size_t i = r->manifest->list.len; i-- > 0;) {
		const struct artifact *a = &r->manifest->list.ptr[i];
		if (!r->is_missing[i] || a->kind != ARTIFACT_GONE ||
			!fs_remove_one(places_fd(ground, a->root),
				places_full(ground, &r->attempt->arena, a->root, a->path)))
			continue;
		r->restored->removed++;
		places_forget(engine->places, &(struct spot){ground->artifacts, a->root, a->path});
	}
}

static bool put_back(struct restoring *r, struct err *err)
{
	struct attempt *attempt = r->attempt;
	size_t count = r->manifest->list.len;
	bool any = false;
	bool ok = true;
	for (size_t i = 0; i < count; i++) {
		const struct artifact *a = &r->manifest->list.ptr[i];
		if (is_in_place(attempt, a))
			continue;
		r->is_missing[i] = true;
		any = true;
		r->restored->files += a->kind == ARTIFACT_FILE || a->kind == ARTIFACT_LINK;
		r->restored->dirs += a->kind == ARTIFACT_DIR;
		r->restored->has_replaced = r->restored->has_replaced ||
		                            (a->kind != ARTIFACT_DIR && was_something(r, a));
		mark_above(r, a);
	}
	if (!any)
		return true;
	ok = engine_make_directories(attempt->engine, err) && put_back_dirs(r, err);
	for (size_t i = 0; ok && i < count; i++) {
		const struct artifact *a = &r->manifest->list.ptr[i];
		if (r->is_missing[i] && a->kind != ARTIFACT_DIR && a->kind != ARTIFACT_GONE)
			ok = restore_file(attempt, a, err);
	}
	if (ok)
		take_away(r);
	return ok && close_dirs(r, err);
}

/* ---- what is too much ---- */

static const struct artifact *find(const struct manifest *manifest, const struct artifact *wanted)
{
	size_t from = 0;
	size_t to = manifest->list.len;
	while (from < to) {
		size_t middle = from + (to - from) / 2;
		const struct artifact *a = &manifest->list.ptr[middle];
		int order = a->root != wanted->root ? (a->root < wanted->root ? -1 : 1)
		                                    : str_cmp(a->path, wanted->path);
		if (!order)
			return a;
		if (order < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return NULL;
}

/* Left by this node, last of all, or by one that has not had its turn in this run. */
static bool is_too_much(struct restoring *r, const struct left *left)
{
	struct engine *engine = r->attempt->engine;
	struct spot spot = {engine->ground.artifacts, left->as.root, left->as.path};
	const struct artifact *wanted = find(r->manifest, &left->as);
	bool is_wanted =
		wanted && (wanted->kind == ARTIFACT_DIR) == (left->as.kind == ARTIFACT_DIR);
	if (!left->node.len || left->is_edited || left->as.kind == ARTIFACT_GONE || is_wanted)
		return false;
	const struct known *known = places_find(engine->places, &spot);
	if (known && known->maker)
		return false;
	bool is_needed = left->as.kind == ARTIFACT_DIR
	                         ? places_is_open(engine->places, &spot)
	                         : places_is_in_hand(engine->places, &engine->ground, &spot);
	return !is_needed && owners_is_last(engine, &r->attempt->arena, &left->as);
}

static bool is_there(struct restoring *r, const struct artifact *as, bool *is_dir)
{
	const struct ground *ground = &r->attempt->engine->ground;
	struct fs_stat st = {0};
	enum fs_found found = fs_lstat_at(places_fd(ground, as->root),
		places_full(ground, &r->attempt->arena, as->root, as->path), &st, NULL);
	*is_dir = S_ISDIR(st.mode);
	return found == FS_FOUND;
}

static void note_absent(struct restoring *r, const struct artifact *as)
{
	if (as->root == ROOT_PROJECT)
		fact_memo_note_absent(
			r->attempt->engine->memo, arena_str(&r->attempt->arena, as->path).ptr);
}

struct artifact_refs {
	const struct artifact **ptr;
	size_t len;
	size_t cap;
};

static int deepest_first(const void *a, const void *b)
{
	const struct artifact *x = *(const struct artifact *const *)a;
	const struct artifact *y = *(const struct artifact *const *)b;
	return str_cmp(y->path, x->path);
}

/* What goes: files as they were left, and directories, deepest first, in which then nothing is. */
static void find_too_much(struct restoring *r, struct artifact_refs *out)
{
	struct attempt *attempt = r->attempt;
	struct engine *engine = attempt->engine;
	struct artifact_refs dirs = {0};
	for (const struct left *left = owners_of(engine, attempt->unit->node->id); left;
		left = left->next_of) {
		if (!is_too_much(r, left))
			continue;
		bool is_dir;
		if (!is_there(r, &left->as, &is_dir)) {
			note_absent(r, &left->as);
			continue;
		}
		if (left->as.kind == ARTIFACT_DIR && !is_dir)
			continue;
		if (left->as.kind == ARTIFACT_DIR)
			*vec_push(&dirs) = &left->as;
		else if (owners_left_it(engine, &attempt->arena, left->as.root, left->as.path))
			*vec_push(out) = &left->as;
	}
	if (dirs.len)
		qsort(dirs.ptr, dirs.len, sizeof(*dirs.ptr), deepest_first);
	for (size_t i = 0; i < dirs.len; i++)
		*vec_push(out) = dirs.ptr[i];
	vec_finish(&dirs);
}

static void remove_too_much(struct restoring *r)
{
	struct engine *engine = r->attempt->engine;
	const struct ground *ground = &engine->ground;
	struct artifact_refs list = {0};
	find_too_much(r, &list);
	for (size_t i = 0; i < list.len; i++) {
		const struct artifact *as = list.ptr[i];
		const char *full = places_full(ground, &r->attempt->arena, as->root, as->path);
		if (!fs_remove_one(places_fd(ground, as->root), full))
			continue;
		r->restored->removed += as->kind != ARTIFACT_DIR;
		places_forget(
			engine->places, &(struct spot){ground->artifacts, as->root, as->path});
		note_absent(r, as);
	}
	vec_finish(&list);
}

/* ---- a plan ---- */

/* What is put back by now is nobody else's to remove: another iteration's, or another item's. */
static void note_makers(struct restoring *r)
{
	static const uint32_t kinds[] = {
		[ARTIFACT_FILE] = S_IFREG, [ARTIFACT_LINK] = S_IFLNK, [ARTIFACT_DIR] = S_IFDIR};
	struct engine *engine = r->attempt->engine;
	uint64_t tick = places_tick(engine->places);
	for (size_t i = 0; i < r->manifest->list.len; i++) {
		const struct artifact *a = &r->manifest->list.ptr[i];
		struct spot spot = {engine->ground.artifacts, a->root, a->path};
		struct fs_stat st = {.mode = kinds[a->kind] | a->mode};
		places_see(engine->places, &spot, &st, tick)->maker = r->attempt->unit->id;
	}
}

void restore_pretend(struct attempt *attempt, const struct result_row *row)
{
	struct engine *engine = attempt->engine;
	struct manifest manifest = {0};
	struct restored restored = {0};
	struct restoring r = {.attempt = attempt, .manifest = &manifest, .restored = &restored};
	struct artifact_refs list = {0};
	if (row->has_manifest && !load_manifest(attempt, &row->manifest, &manifest, NULL)) {
		manifest_finish(&manifest);
		return;
	}
	find_too_much(&r, &list);
	for (size_t i = 0; i < list.len; i++) {
		if (list.ptr[i]->root == ROOT_PROJECT)
			fact_memo_pretend_gone(engine->memo, list.ptr[i]->path);
	}
	for (size_t i = 0; i < manifest.list.len; i++) {
		const struct artifact *a = &manifest.list.ptr[i];
		if (a->root != ROOT_PROJECT)
			continue;
		if (a->kind == ARTIFACT_GONE) {
			if (!is_in_place(attempt, a))
				fact_memo_pretend_gone(engine->memo, a->path);
			continue;
		}
		bool is_known = !fact_memo_pretends(engine->memo, a->path) &&
		                places_has(&engine->ground, &attempt->arena, a);
		if (!is_known && a->kind == ARTIFACT_DIR)
			fact_memo_pretend_dir(engine->memo, a->path, a->mode);
		else if (!is_known && a->kind == ARTIFACT_LINK)
			fact_memo_pretend_link(engine->memo, a->path, a->target);
		else if (!is_known)
			fact_memo_pretend(engine->memo, a->path, a->mode, &a->digest);
	}
	note_makers(&r);
	vec_finish(&list);
	manifest_finish(&manifest);
}

/* ---- a run ---- */

/* It is this node's now, as far as this run is concerned. */
static void settle(struct restoring *r)
{
	struct attempt *attempt = r->attempt;
	struct engine *engine = attempt->engine;
	uint64_t tick = places_tick(engine->places);
	for (size_t i = 0; i < r->manifest->list.len; i++) {
		const struct artifact *a = &r->manifest->list.ptr[i];
		struct spot spot = {engine->ground.artifacts, a->root, a->path};
		struct fs_stat st;
		if (fs_lstat_at(places_fd(&engine->ground, a->root),
			    places_full(&engine->ground, &attempt->arena, a->root, a->path), &st,
			    NULL) != FS_FOUND) {
			owners_put(engine, attempt->unit->node->id, a, (struct left_flags){0});
			continue;
		}
		places_see(engine->places, &spot, &st, tick)->maker = attempt->unit->id;
		owners_put(engine, attempt->unit->node->id, a, (struct left_flags){0});
	}
}

bool restore_places(struct attempt *attempt, const struct result_row *row,
	struct restored *restored, struct err *err)
{
	struct manifest manifest = {0};
	struct restoring r = {.attempt = attempt, .manifest = &manifest, .restored = restored};
	*restored = (struct restored){0};
	bool ok = !row->has_manifest || load_manifest(attempt, &row->manifest, &manifest, err);
	r.is_missing = arena_array(&attempt->arena, bool, manifest.list.len);
	/* First: a directory may have to give way to a file. */
	if (ok)
		remove_too_much(&r);
	ok = ok && put_back(&r, err);
	if (ok)
		settle(&r);
	manifest_finish(&manifest);
	return ok;
}
