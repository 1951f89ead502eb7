/* artifacts: what bodies leave in files: found, captured, checked, restored.  See artifacts.h. */
#include "engine/artifacts.h"

#include "base/map.h"
#include "base/mem.h"
#include "engine/internal.h"
#include "sys/fs.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

struct seen {
	uint64_t ino;
	uint64_t size;
	int64_t mtime_ns;
	int64_t ctime_ns;
	uint32_t mode;
	uint64_t
		found_at; /* value of engine->overlap when it was found without a certain owner; 0: owned */
};

struct artifact_watch {
	struct arena arena;
	struct map known;  /* path -> struct seen * */
	uint64_t doubt_at; /* the newest found_at */
	str doubt_path;
};

struct artifact_watch *artifact_watch_create(void)
{
	return mem_zalloc(sizeof(struct artifact_watch));
}

void artifact_watch_destroy(struct artifact_watch *watch)
{
	if (!watch)
		return;
	map_finish(&watch->known);
	arena_finish(&watch->arena);
	free(watch);
}

static int root_fd(const struct engine *engine, enum artifact_root root)
{
	return root == ROOT_PROJECT ? store_project_fd(engine->store)
	                            : store_state_fd(engine->store);
}

/* The path of an artifact beneath root_fd(). */
static const char *full_path(struct attempt *attempt, enum artifact_root root, str path)
{
	if (root == ROOT_PROJECT)
		return arena_str(&attempt->arena, path).ptr;
	return arena_printf(
		&attempt->arena, "%s/%.*s", attempt->engine->artifacts_rel, STR_ARG(path));
}

static bool is_same(const struct seen *seen, const struct fs_stat *st)
{
	return seen->ino == st->ino && seen->size == st->size && seen->mtime_ns == st->mtime_ns &&
	       seen->ctime_ns == st->ctime_ns && seen->mode == st->mode;
}

static struct seen *note_seen(struct artifact_watch *watch, str path, const struct fs_stat *st)
{
	struct seen *seen = map_get(&watch->known, path);
	if (!seen) {
		seen = arena_new(&watch->arena, struct seen);
		map_put(&watch->known, arena_str(&watch->arena, path), seen);
	}
	*seen = (struct seen){.ino = st->ino,
		.size = st->size,
		.mtime_ns = st->mtime_ns,
		.ctime_ns = st->ctime_ns,
		.mode = st->mode};
	return seen;
}

static bool list_artifacts(struct engine *engine, struct fs_list *list, struct err *err)
{
	struct fs_stat st;
	if (fs_stat_at(store_state_fd(engine->store), engine->artifacts_rel, &st, NULL) != FS_FOUND)
		return true;
	return fs_list_tree(store_state_fd(engine->store), engine->artifacts_rel, NULL, list, err);
}

bool artifacts_sync(struct engine *engine, struct err *err)
{
	struct fs_list list = {0};
	bool ok = list_artifacts(engine, &list, err);
	for (size_t i = 0; ok && i < list.len; i++)
		note_seen(engine->watch, str_of(list.ptr[i].name), &list.ptr[i].stat);
	fs_list_finish(&list);
	return ok;
}

/* ---- capture ---- */

struct capture {
	struct attempt *attempt;
	struct manifest manifest;
	struct trace *trace;
};

static bool has_entry(const struct capture *c, enum artifact_root root, str path)
{
	for (size_t i = 0; i < c->manifest.list.len; i++) {
		const struct artifact *a = &c->manifest.list.ptr[i];
		if (a->root == root && str_eq(a->path, path))
			return true;
	}
	return false;
}

static bool add_entry(struct capture *c, enum artifact_root root, str path,
	const struct fs_entry *entry, struct err *err)
{
	struct engine *engine = c->attempt->engine;
	path = arena_str(&c->attempt->arena, path);
	if (has_entry(c, root, path))
		return true;
	struct artifact artifact = {.root = root,
		.kind = ARTIFACT_FILE,
		.mode = entry->stat.mode & 07777,
		.size = entry->stat.size,
		.target = STR(""),
		.path = path};
	if (S_ISLNK(entry->stat.mode)) {
		artifact.kind = ARTIFACT_LINK;
		artifact.mode = 0;
		artifact.target = arena_str(&c->attempt->arena, str_of(entry->target));
	} else if (S_ISDIR(entry->stat.mode)) {
		artifact.kind = ARTIFACT_DIR;
	} else if (S_ISREG(entry->stat.mode)) {
		const char *full = full_path(c->attempt, root, path);
		if (!cas_put_file(engine->store, root_fd(engine, root), full, &artifact.digest,
			    &artifact.size, err))
			return false;
	} else {
		err_set(err, "E-ARTIFACT-KIND", "it left `%s%.*s`, %s, which can't be kept",
			root == ROOT_ARTIFACTS ? "$ARTIFACTS_DIR/" : "", STR_ARG(path),
			S_ISFIFO(entry->stat.mode)   ? "a named pipe"
			: S_ISSOCK(entry->stat.mode) ? "a socket"
						     : "a device");
		return err_help(err, "remove it at the end of the body, or make it in $TMPDIR");
	}
	*vec_push(&c->manifest.list) = artifact;
	return true;
}

static bool is_empty_dir(const struct fs_list *list, size_t i)
{
	if (!S_ISDIR(list->ptr[i].stat.mode))
		return false;
	str dir = str_of(list->ptr[i].name);
	if (i + 1 == list->len)
		return true;
	str next = str_of(list->ptr[i + 1].name);
	return !(str_starts(next, dir) && next.len > dir.len && next.ptr[dir.len] == '/');
}

/* Everything below a directory; only files, links and directories that hold nothing need saying. */
static bool add_tree(
	struct capture *c, enum artifact_root root, str base, struct fs_list *list, struct err *err)
{
	bool ok = true;
	struct buf path = {0};
	for (size_t i = 0; ok && i < list->len; i++) {
		if (S_ISDIR(list->ptr[i].stat.mode) && !is_empty_dir(list, i))
			continue;
		buf_clear(&path);
		if (base.len)
			buf_printf(&path, "%.*s/", STR_ARG(base));
		buf_add_z(&path, list->ptr[i].name);
		ok = add_entry(c, root, buf_str(&path), &list->ptr[i], err);
	}
	buf_finish(&path);
	return ok;
}

static str strip_root(str path, enum artifact_root *root)
{
	str prefix = STR("$ARTIFACTS_DIR");
	*root = str_starts(path, prefix) ? ROOT_ARTIFACTS : ROOT_PROJECT;
	if (*root == ROOT_PROJECT)
		return path;
	path = str_slice(path, prefix.len, path.len);
	while (path.len && path.ptr[0] == '/')
		path = str_slice(path, 1, path.len);
	return path;
}

static bool missing(struct attempt *attempt, str declared, struct err *err)
{
	err_set(err, "E-WRITES-MISSING",
		"it ended well but did not write `%.*s`, which `writes` names", STR_ARG(declared));
	err_help(err, "write the file, or take it out of `writes` of `%.*s`",
		STR_ARG(attempt->unit->node->id));
	return false;
}

static bool add_one_declared(
	struct capture *c, enum artifact_root root, str path, str declared, struct err *err)
{
	struct engine *engine = c->attempt->engine;
	struct fs_entry entry = {0};
	struct fs_list list = {0};
	const char *full = path.len ? full_path(c->attempt, root, path) : engine->artifacts_rel;
	enum fs_found found = fs_lstat_at(root_fd(engine, root), full, &entry.stat, err);
	bool ok = found == FS_FOUND;
	if (found == FS_ABSENT)
		return missing(c->attempt, declared, err);
	if (ok && S_ISDIR(entry.stat.mode)) {
		ok = fs_list_tree(root_fd(engine, root), full, NULL, &list, err) &&
		     add_tree(c, root, path, &list, err);
		if (ok && !list.len && path.len)
			ok = add_entry(c, root, path, &entry, err);
		fs_list_finish(&list);
	} else if (ok) {
		struct buf target = {0};
		if (S_ISLNK(entry.stat.mode))
			ok = fs_read_link(root_fd(engine, root), full, &target, err);
		entry.target = target.ptr;
		ok = ok && add_entry(c, root, path, &entry, err);
		buf_finish(&target);
	}
	return ok;
}

static bool add_declared(struct capture *c, str declared, struct err *err)
{
	enum artifact_root root;
	str path = strip_root(declared, &root);
	struct engine *engine = c->attempt->engine;
	if (!fs_is_glob(path)) {
		struct buf clean = {0};
		bool ok = !path.len || fs_normalize(path, &clean);
		str inside = path.len ? arena_str(&c->attempt->arena, buf_str(&clean)) : path;
		buf_finish(&clean);
		return ok ? add_one_declared(c, root, inside, declared, err)
		          : missing(c->attempt, declared, err);
	}
	struct fs_list list = {0};
	const char *pattern = full_path(c->attempt, root, path);
	size_t strip = root == ROOT_PROJECT ? 0 : strlen(engine->artifacts_rel) + 1;
	bool ok = fs_glob(root_fd(engine, root), str_of(pattern), &list, err);
	if (ok && !list.len)
		ok = missing(c->attempt, declared, err);
	for (size_t i = 0; ok && i < list.len; i++)
		ok = add_entry(c, root, str_of(list.ptr[i].name + strip), &list.ptr[i], err);
	fs_list_finish(&list);
	return ok;
}

struct stamp artifacts_stamp(struct attempt *attempt, str declared)
{
	enum artifact_root root;
	str path = strip_root(declared, &root);
	struct buf clean = {0};
	struct stamp stamp = {0};
	bool is_clean = fs_is_glob(path) || !path.len || fs_normalize(path, &clean);
	if (clean.len)
		path = arena_str(&attempt->arena, buf_str(&clean));
	if (is_clean)
		stamp = stamp_take(root_fd(attempt->engine, root),
			path.len ? full_path(attempt, root, path) : attempt->engine->artifacts_rel,
			NULL, NULL);
	buf_finish(&clean);
	return stamp;
}

/* A path below $ARTIFACTS_DIR that the body names as something it writes. */
static bool is_named(const struct attempt *attempt, str path)
{
	for (size_t i = 0; i < attempt->plugin_facts.list.len; i++) {
		const struct host_fact *fact = &attempt->plugin_facts.list.ptr[i];
		enum artifact_root root;
		str inner = strip_root(fact->path, &root);
		if ((fact->kind == HOST_FACT_OUTPUT || fact->kind == HOST_FACT_WORD) &&
			root == ROOT_ARTIFACTS && str_eq(inner, path))
			return true;
	}
	return false;
}

/* Is it one of what `writes` names below $ARTIFACTS_DIR? */
static bool declares(const struct node *node, str path)
{
	for (size_t i = 0; i < node->writes.len; i++) {
		enum artifact_root root;
		str declared = strip_root(node->writes.ptr[i], &root);
		if (root != ROOT_ARTIFACTS)
			continue;
		while (declared.len && declared.ptr[declared.len - 1] == '/')
			declared.len--;
		bool is_below =
			!declared.len ||
			(str_starts(path, declared) &&
				(path.len == declared.len || path.ptr[declared.len] == '/'));
		if (is_below || (fs_is_glob(declared) && fs_glob_matches(declared, path)))
			return true;
	}
	return false;
}

/* Another node that runs right now says that it makes this: it takes it when it ends. */
static bool is_awaited(const struct attempt *attempt, str path)
{
	const struct engine *engine = attempt->engine;
	for (uint32_t i = 0; i < engine->workflow->node_count; i++) {
		const struct unit *unit = &engine->units[i];
		if (unit->state == NODE_RUNNING && unit != attempt->unit &&
			declares(unit->node, path))
			return true;
	}
	return false;
}

/* New or changed files of the artifact directory: whose are they? */
static bool add_found(struct capture *c, struct captured *out, struct err *err)
{
	struct attempt *attempt = c->attempt;
	struct engine *engine = attempt->engine;
	struct artifact_watch *watch = engine->watch;
	struct fs_list list = {0};
	bool was_alone = attempt->started_overlap == engine->overlap && attempt->started_alone;
	bool ok = list_artifacts(engine, &list, err);
	for (size_t i = 0; ok && i < list.len; i++) {
		struct fs_entry *entry = &list.ptr[i];
		str path = str_of(entry->name);
		const struct seen *before = map_get(&watch->known, path);
		if (before && (is_same(before, &entry->stat) || S_ISDIR(entry->stat.mode)))
			continue;
		struct seen *seen = note_seen(watch, path, &entry->stat);
		if (has_entry(c, ROOT_ARTIFACTS, path) ||
			(S_ISDIR(entry->stat.mode) && !is_empty_dir(&list, i)))
			continue;
		if (was_alone || is_named(attempt, path)) {
			ok = add_entry(c, ROOT_ARTIFACTS, path, entry, err);
			continue;
		}
		if (is_awaited(attempt, path))
			continue;
		seen->found_at = engine->overlap + 1;
		watch->doubt_at = seen->found_at;
		watch->doubt_path = arena_str(&watch->arena, path);
	}
	fs_list_finish(&list);
	if (watch->doubt_at > attempt->started_overlap)
		out->doubt = str_of(arena_printf(&attempt->arena,
			"$ARTIFACTS_DIR/%.*s appeared while several nodes ran, declare it in `writes` of its maker",
			STR_ARG(watch->doubt_path)));
	return ok;
}

/* Project files that the plugin says the body writes and that `writes` does not name: facts only, they aren't kept. */
static bool add_named_outputs(struct capture *c, struct err *err)
{
	struct attempt *attempt = c->attempt;
	struct fact_place place;
	attempt_fact_place(attempt, &place);
	for (size_t i = 0; i < attempt->plugin_facts.list.len; i++) {
		const struct host_fact *named = &attempt->plugin_facts.list.ptr[i];
		str path = STR("");
		struct fact fact;
		struct fs_stat st;
		if (named->kind != HOST_FACT_OUTPUT ||
			!facts_resolve(&place, &attempt->arena, named->path, &path) ||
			path.ptr[0] == '/' || has_entry(c, ROOT_PROJECT, path))
			continue;
		if (!facts_look(&place, &attempt->arena, path, &fact, err))
			return false;
		if (fact.kind != FACT_FILE)
			continue;
		if (fs_stat_at(store_project_fd(attempt->engine->store), path.ptr, &st, err) !=
			FS_FOUND)
			continue;
		fact.kind = FACT_WROTE;
		fact.mode = st.mode & 0777;
		*vec_push(&c->trace->facts) = fact;
	}
	return true;
}

bool artifacts_capture(
	struct attempt *attempt, struct trace *trace, struct captured *out, struct err *err)
{
	const struct node *node = attempt->unit->node;
	struct capture c = {.attempt = attempt, .trace = trace};
	*out = (struct captured){.doubt = STR("")};
	bool ok = true;
	for (size_t i = 0; ok && i < node->writes.len; i++)
		ok = add_declared(&c, node->writes.ptr[i], err);
	ok = ok && add_found(&c, out, err) && add_named_outputs(&c, err);
	if (ok && c.manifest.list.len) {
		struct buf text = {0};
		manifest_sort(&c.manifest);
		manifest_write(&text, &c.manifest);
		ok = cas_put(attempt->engine->store, buf_str(&text), &out->manifest, err);
		out->has_manifest = ok;
		buf_finish(&text);
	}
	manifest_finish(&c.manifest);
	return ok;
}

/* ---- check and restore ---- */

static bool is_in_place(struct attempt *attempt, const struct artifact *a)
{
	int fd = root_fd(attempt->engine, a->root);
	const char *path = full_path(attempt, a->root, a->path);
	struct fs_stat st;
	if (fs_lstat_at(fd, path, &st, NULL) != FS_FOUND)
		return false;
	if (a->kind != ARTIFACT_FILE && a->root == ROOT_PROJECT)
		fact_memo_note(attempt->engine->memo, path, &st);
	if (a->kind == ARTIFACT_DIR)
		return S_ISDIR(st.mode);
	if (a->kind == ARTIFACT_LINK) {
		struct buf target = {0};
		bool same = S_ISLNK(st.mode) && fs_read_link(fd, path, &target, NULL) &&
		            str_eq(buf_str(&target), a->target);
		buf_finish(&target);
		return same;
	}
	if (!S_ISREG(st.mode) || (st.mode & 07777) != a->mode || st.size != a->size)
		return false;
	struct fact_place place;
	struct fact fact;
	attempt_fact_place(attempt, &place);
	if (a->root == ROOT_PROJECT)
		return facts_look(&place, &attempt->arena, a->path, &fact, NULL) &&
		       fact.kind == FACT_FILE && digest_eq(&fact.digest, &a->digest);
	const char *absolute = arena_printf(
		&attempt->arena, "%s/%.*s", attempt->engine->artifacts_dir, STR_ARG(a->path));
	return facts_look(&place, &attempt->arena, str_of(absolute), &fact, NULL) &&
	       fact.kind == FACT_FILE && digest_eq(&fact.digest, &a->digest);
}

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

/* A link on the way, or a file where a directory was: it can't be put back. */
static bool is_out_of_reach(struct attempt *attempt, const struct artifact *a)
{
	struct fs_stat st;
	return fs_lstat_at(root_fd(attempt->engine, a->root), full_path(attempt, a->root, a->path),
		       &st, NULL) == FS_ERROR;
}

void artifacts_check(
	struct attempt *attempt, const struct trace *trace, struct candidate *candidate)
{
	struct manifest manifest = {0};
	struct fact_place place;
	struct fact now;
	attempt_fact_place(attempt, &place);
	if (candidate->row->has_manifest &&
		!load_manifest(attempt, &candidate->row->manifest, &manifest, NULL))
		candidate->is_damaged = true;
	for (size_t i = 0; i < manifest.list.len; i++) {
		const struct artifact *a = &manifest.list.ptr[i];
		if (is_in_place(attempt, a))
			continue;
		if (is_out_of_reach(attempt, a))
			candidate->output_other = arena_str(&attempt->arena, a->path);
		else if (a->kind == ARTIFACT_FILE &&
			 !cas_has(attempt->engine->store, &a->digest, true))
			candidate->output_gone = arena_str(&attempt->arena, a->path);
	}
	for (size_t i = 0; i < trace->facts.len; i++) {
		const struct fact *fact = &trace->facts.ptr[i];
		if (fact->kind != FACT_WROTE)
			continue;
		if (!facts_look(&place, &attempt->arena, fact->path, &now, NULL) ||
			now.kind != FACT_FILE)
			candidate->output_gone = arena_str(&attempt->arena, fact->path);
		else if (!digest_eq(&now.digest, &fact->digest))
			candidate->output_other = arena_str(&attempt->arena, fact->path);
	}
	manifest_finish(&manifest);
}

/* What is in the way goes first: a link that is renamed over it would be left under another name by a crash. */
static bool restore_link(int fd, const char *path, const char *target, struct err *err)
{
	struct fs_stat st;
	bool is_taken = fs_lstat_at(fd, path, &st, NULL) == FS_FOUND && !S_ISDIR(st.mode);
	return (!is_taken || fs_remove_tree(fd, path, err)) && fs_write_link(fd, path, target, err);
}

static bool restore_one(struct attempt *attempt, const struct artifact *a, struct err *err)
{
	int fd = root_fd(attempt->engine, a->root);
	const char *path = full_path(attempt, a->root, a->path);
	const char *slash = strrchr(path, '/');
	if (slash && slash != path) {
		char *dir = arena_printf(&attempt->arena, "%.*s", (int)(slash - path), path);
		if (!fs_make_dirs(fd, dir, 0777, err))
			return false;
	}
	if (a->kind == ARTIFACT_DIR)
		return fs_make_dirs(fd, path, a->mode, err);
	if (a->kind == ARTIFACT_LINK)
		return restore_link(fd, path, arena_str(&attempt->arena, a->target).ptr, err);
	return cas_restore(attempt->engine->store, &a->digest, fd, path, a->mode, err);
}

void artifacts_pretend(struct attempt *attempt, const struct result_row *row)
{
	struct manifest manifest = {0};
	if (row->has_manifest && load_manifest(attempt, &row->manifest, &manifest, NULL)) {
		for (size_t i = 0; i < manifest.list.len; i++) {
			const struct artifact *a = &manifest.list.ptr[i];
			if (a->root == ROOT_PROJECT && a->kind == ARTIFACT_FILE &&
				!is_in_place(attempt, a))
				fact_memo_pretend(
					attempt->engine->memo, a->path, a->mode, &a->digest);
		}
	}
	manifest_finish(&manifest);
}

bool artifacts_restore(
	struct attempt *attempt, const struct result_row *row, size_t *restored, struct err *err)
{
	struct manifest manifest = {0};
	*restored = 0;
	if (!row->has_manifest)
		return true;
	bool ok = load_manifest(attempt, &row->manifest, &manifest, err);
	for (size_t i = 0; ok && i < manifest.list.len; i++) {
		if (is_in_place(attempt, &manifest.list.ptr[i]))
			continue;
		ok = engine_make_directories(attempt->engine, err) &&
		     restore_one(attempt, &manifest.list.ptr[i], err);
		*restored += 1;
	}
	manifest_finish(&manifest);
	return ok && (!*restored || artifacts_sync(attempt->engine, err));
}
