/* facts: what the file system says, with a memo in front.  See facts.h. */
#include "engine/facts_memo.h"

#include "base/map.h"
#include "base/mem.h"
#include "store/results.h"
#include "sys/fs.h"
#include "sys/proc.h"
#include "sys/world.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

enum {
	EXPANDED_FILES =
		256, /* so many files of a tree or glob are facts of their own, to be named when one changes */
};
static bool memo_holds(const struct memo_row *row, const struct fs_stat *st)
{
	bool same = row->dev == st->dev && row->ino == st->ino && row->size == st->size &&
	            row->mtime_ns == st->mtime_ns && row->ctime_ns == st->ctime_ns;
	int64_t newest = st->mtime_ns > st->ctime_ns ? st->mtime_ns : st->ctime_ns;
	return same && row->taken_ns - newest > FACTS_RACY_NS;
}

static struct seen_digest *seen_digest(const struct fact_place *place, str path)
{
	struct fact_memo *memo = place->memo;
	struct seen_digest *seen = map_get(&memo->digests, path);
	if (!seen) {
		seen = arena_new(&memo->arena, struct seen_digest);
		map_put(&memo->digests, arena_str(&memo->arena, path), seen);
	}
	return seen;
}

/* What is known of the file, where that is to be believed; else NULL. */
static const struct memo_row *memo_find(
	const struct fact_place *place, str path, const struct fs_stat *st)
{
	struct fact_memo *memo = place->memo;
	struct seen_digest *seen = map_get(&memo->digests, path);
	if (memo->rehash)
		return seen && seen->at == memo->turn ? &seen->row : NULL;
	struct memo_row stored;
	bool found = false;
	if (!seen && memo_get(place->store, path, &stored, &found) && found) {
		seen = seen_digest(place, path);
		seen->row = stored;
	}
	return seen && memo_holds(&seen->row, st) ? &seen->row : NULL;
}

static void memo_keep(const struct fact_place *place, str path, const struct fs_stat *st,
	const struct digest *digest)
{
	const struct world *world = place->memo->world;
	struct seen_digest *seen = seen_digest(place, path);
	struct memo_row *row = &seen->row;
	seen->at = place->memo->turn;
	*row = (struct memo_row){.digest = *digest,
		.dev = st->dev,
		.ino = st->ino,
		.size = st->size,
		.mtime_ns = st->mtime_ns,
		.ctime_ns = st->ctime_ns,
		.taken_ns = world->wall_ms(world->ctx) * 1000000};
	if (place->memo->may_write)
		memo_put(place->store, path, row);
}

static int root_of(const struct fact_place *place, const char *path)
{
	return path[0] == '/' ? AT_FDCWD : store_project_fd(place->store);
}

static bool digest_file(const struct fact_place *place, const char *path, struct fs_stat *st,
	struct digest *out, struct err *err)
{
	const struct pretended *pretended = pretend_find(place->memo->pretence, str_of(path));
	if (pretended && !pretended->is_gone) {
		*out = pretended->digest;
		return true;
	}
	const struct memo_row *row = memo_find(place, str_of(path), st);
	if (row) {
		*out = row->digest;
		return true;
	}
	if (fs_digest_at(root_of(place, path), path, out, st, err) != FS_FOUND)
		return false;
	memo_keep(place, str_of(path), st, out);
	return true;
}

static void hash_text(struct hash *hash, str text)
{
	uint64_t len = text.len;
	hash_add(hash, (str){(const char *)&len, sizeof(len)});
	hash_add(hash, text);
}

static bool digest_list(const struct fact_place *place, str base, struct fs_list *list,
	struct digest *out, struct err *err);

/* Whoever reads a link reads what it leads to. */
static bool add_target(
	const struct fact_place *place, struct hash *hash, const char *path, struct err *err)
{
	struct links *links = &place->memo->links;
	struct linked linked;
	struct digest digest = {{0}};
	struct buf way = {0};
	const struct pretended *as =
		pretend_follow(place->memo->pretence, root_of(place, path), str_of(path), &way);
	const char *from = way.len ? buf_cstr(&way) : path;
	uint32_t mode = as && !as->is_gone ? as->stat.mode : 0;
	bool ok = true;
	if (as && !as->is_gone) {
		digest = as->digest;
	} else if (!as) {
		ok = links_follow(links, root_of(place, from), from, &linked, err);
		mode = linked.real ? linked.stat.mode : 0;
		if (ok && S_ISREG(mode))
			ok = digest_file(place, linked.real, &linked.stat, &digest, err);
		else if (ok && linked.is_entered)
			ok = digest_list(place, str_of(linked.real), &linked.list, &digest, err);
		links_leave(links, &linked);
	}
	uint32_t kind = mode & (S_ISREG(mode) ? S_IFMT | S_IXUSR : S_IFMT);
	hash_add(hash, (str){(const char *)&kind, sizeof(kind)});
	hash_add(hash, (str){(const char *)digest.bytes, DIGEST_SIZE});
	buf_finish(&way);
	return ok;
}

static bool add_entry(const struct fact_place *place, struct hash *hash, const char *path,
	struct fs_entry *entry, struct err *err)
{
	struct digest digest;
	hash_text(hash, str_of(entry->name));
	uint32_t kind = entry->stat.mode & (S_IFMT | S_IXUSR);
	if (S_ISDIR(entry->stat.mode) || S_ISLNK(entry->stat.mode))
		kind = entry->stat.mode & S_IFMT;
	hash_add(hash, (str){(const char *)&kind, sizeof(kind)});
	if (entry->target)
		hash_text(hash, str_of(entry->target));
	if (S_ISLNK(entry->stat.mode))
		return add_target(place, hash, path, err);
	if (!S_ISREG(entry->stat.mode))
		return true;
	if (!digest_file(place, path, &entry->stat, &digest, err))
		return false;
	hash_add(hash, (str){(const char *)digest.bytes, DIGEST_SIZE});
	return true;
}

static bool digest_list(const struct fact_place *place, str base, struct fs_list *list,
	struct digest *out, struct err *err)
{
	struct hash *hash = hash_create();
	struct buf path = {0};
	bool ok = true;
	hash_begin(hash);
	for (size_t i = 0; ok && i < list->len; i++) {
		buf_clear(&path);
		if (base.len) {
			buf_add(&path, base);
			buf_add_char(&path, '/');
		}
		buf_add_z(&path, list->ptr[i].name);
		if (!facts_is_own(place, buf_str(&path)))
			ok = add_entry(place, hash, buf_cstr(&path), &list->ptr[i], err);
	}
	*out = hash_end(hash);
	hash_destroy(hash);
	buf_finish(&path);
	return ok;
}

static enum fs_found stat_path(
	const struct fact_place *place, const char *path, struct fs_stat *st, struct err *err)
{
	struct fact_memo *memo = place->memo;
	if (path[0] == '/')
		return fs_stat_at(AT_FDCWD, path, st, err);
	if (!memo->look)
		memo->look = fs_look_create(store_project_fd(place->store));
	return fs_look_at(memo->look, path, st, err);
}

/* Trees and globs are looked at anew each time; what was seen last is kept for whoever asks what the run rested on.  A node
 * sees them without what it makes itself, so each view is one of its own. */
static void note_many(const struct fact_place *place, const struct fact *fact)
{
	struct fact_memo *memo = place->memo;
	struct buf key = {0};
	buf_add(&key, fact->path);
	for (size_t i = 0; place->writes && i < place->writes->len; i++) {
		buf_add_char(&key, '\0');
		buf_add(&key, place->writes->ptr[i]);
	}
	struct seen_many *seen = map_get(&memo->many, buf_str(&key));
	if (!seen) {
		seen = arena_new(&memo->arena, struct seen_many);
		seen->fact.path = arena_str(&memo->arena, fact->path);
		map_put(&memo->many, arena_str(&memo->arena, buf_str(&key)), seen);
	}
	seen->fact = (struct fact){.kind = fact->kind,
		.path = seen->fact.path,
		.digest = fact->digest,
		.real = STR("")};
	seen->writes = place->writes;
	buf_finish(&key);
}

/* A directory, there or only pretended to be; what is pretended to be gone is absent where nothing else is in it. */
static bool look_tree(const struct fact_place *place, const char *z, bool is_there,
	struct fact *out, struct err *err)
{
	str dir = str_is(out->path, ".") ? STR("") : out->path;
	struct fs_list list = {0};
	bool ok = !is_there ||
	          fs_list_tree(root_of(place, z), z, dir.len ? NULL : ".pawl", &list, err);
	if (ok && place->memo->pretence->paths.len)
		pretend_add_tree(place->memo->pretence, dir, &list);
	const struct pretended *pretended = pretend_find(place->memo->pretence, dir);
	if (ok && pretended && pretended->is_gone && !list.len) {
		fs_list_finish(&list);
		return true;
	}
	links_begin(&place->memo->links, root_of(place, z), is_there ? z : NULL);
	ok = ok && digest_list(place, dir, &list, &out->digest, err);
	links_end(&place->memo->links);
	out->kind = FACT_TREE;
	if (ok)
		note_many(place, out);
	fs_list_finish(&list);
	return ok;
}

static void note_file(const struct fact_place *place, const struct fact *fact)
{
	struct fact_memo *memo = place->memo;
	struct seen *seen = map_get(&memo->files, fact->path);
	if (!seen) {
		seen = arena_new(&memo->arena, struct seen);
		map_put(&memo->files, arena_str(&memo->arena, fact->path), seen);
	}
	seen->at = memo->turn;
	seen->fact = *fact;
}

/* What is pretended to be where a path leads; *path is what the disk is to be asked for. */
static const struct pretended *pretended_at(
	const struct fact_place *place, struct arena *arena, const char **path)
{
	struct buf way = {0};
	const struct pretended *found =
		pretend_follow(place->memo->pretence, root_of(place, *path), str_of(*path), &way);
	*path = way.len ? arena_str(arena, buf_str(&way)).ptr : *path;
	buf_finish(&way);
	return found;
}

bool facts_look(const struct fact_place *place, struct arena *arena, str path, struct fact *out,
	struct err *err)
{
	struct fs_stat st;
	const struct seen *seen = map_get(&place->memo->files, path);
	if (seen && seen->at == place->memo->turn) {
		*out = seen->fact;
		out->path = path;
		return true;
	}
	const char *z = arena_str(arena, path).ptr;
	*out = (struct fact){.kind = FACT_ABSENT, .path = path, .real = STR("")};
	const struct pretended *pretended = pretended_at(place, arena, &z);
	enum fs_found found = FS_FOUND;
	if (!pretended || pretended->is_gone || S_ISDIR(pretended->stat.mode))
		found = stat_path(place, z, &st, err);
	else
		st = pretended->stat;
	if (found == FS_FOUND && S_ISDIR(st.mode))
		return look_tree(place, z, true, out, err);
	if (pretended && S_ISDIR(pretended->stat.mode))
		return look_tree(place, z, false, out, err);
	if (found == FS_ABSENT && pretend_in(place->memo->pretence, path))
		return look_tree(place, z, false, out, err);
	if (pretended && pretended->is_gone)
		found = FS_ABSENT;
	if (found == FS_FOUND && !S_ISREG(st.mode))
		return err_set(err, "E-FS-KIND",
			"`reads`: %s is a pipe, a socket or a device, neither a file nor a directory",
			z);
	if (found == FS_FOUND) {
		out->kind = FACT_FILE;
		out->mode = (st.mode & S_IXUSR) != 0;
		if (pretended)
			out->digest = pretended->digest;
		else if (!digest_file(place, z, &st, &out->digest, err))
			return false;
	} else if (found != FS_ABSENT) {
		return false;
	}
	note_file(place, out);
	return true;
}

static bool look_glob(const struct fact_place *place, str pattern, struct fact *out,
	struct fs_list *list, struct err *err)
{
	*out = (struct fact){.kind = FACT_GLOB, .path = pattern, .real = STR("")};
	if (!fs_glob(store_project_fd(place->store), pattern, list, err))
		return false;
	if (place->memo->pretence->paths.len)
		pretend_add_glob(place->memo->pretence, pattern, list);
	if (!digest_list(place, STR(""), list, &out->digest, err))
		return false;
	note_many(place, out);
	return true;
}

/* A name means the same program for all nodes with this PATH and directory, for one turn. */
static struct seen_tool *seen_tool(const struct fact_place *place, str name)
{
	struct fact_memo *memo = place->memo;
	struct buf key = {0};
	buf_add(&key, name);
	buf_add_char(&key, '\0');
	buf_add_z(&key, place->path_env);
	buf_add_char(&key, '\0');
	buf_add(&key, place->dir);
	struct seen_tool *seen = map_get(&memo->tools, buf_str(&key));
	if (!seen) {
		seen = arena_new(&memo->arena, struct seen_tool);
		seen->name = arena_str(&memo->arena, name);
		seen->path_env = arena_printf(&memo->arena, "%s", place->path_env);
		seen->cwd = arena_printf(&memo->arena, "%s/%.*s", store_project_path(place->store),
			STR_ARG(place->dir));
		map_put(&memo->tools, arena_str(&memo->arena, buf_str(&key)), seen);
	}
	buf_finish(&key);
	return seen;
}

/* A program of the project moves with it. */
static str from_project(const struct fact_place *place, const char *real)
{
	str project = str_of(store_project_path(place->store));
	bool is_inside = str_starts(str_of(real), project) && real[project.len] == '/';
	return str_of(is_inside ? real + project.len + 1 : real);
}

static bool look_tool(const struct fact_place *place, str name, struct fact *out, struct err *err)
{
	struct seen_tool *seen = seen_tool(place, name);
	struct fs_stat st;
	*out = (struct fact){.kind = FACT_ABSENT, .path = name, .real = STR("")};
	if (seen->at == place->memo->turn) {
		*out = seen->fact;
		out->path = name;
		return true;
	}
	char *found = tool_find(seen->name.ptr, seen->path_env, seen->cwd);
	if (!found || !str_is(seen->real, found))
		seen->real = found ? arena_str(&place->memo->arena, str_of(found)) : STR("");
	free(found);
	if (seen->real.len && fs_stat_at(AT_FDCWD, seen->real.ptr, &st, err) == FS_FOUND) {
		out->kind = FACT_TOOL;
		out->real = from_project(place, seen->real.ptr);
		if (!digest_file(place, seen->real.ptr, &st, &out->digest, err))
			return false;
	}
	if (out->kind == FACT_TOOL) {
		seen->fact = *out;
		seen->at = place->memo->turn;
	}
	return true;
}

/* ---- taking ---- */

static void add(struct trace *out, const struct fact *fact)
{
	for (size_t i = 0; i < out->facts.len; i++) {
		if (fact_same_subject(&out->facts.ptr[i], fact))
			return;
	}
	*vec_push(&out->facts) = *fact;
}

static bool add_files(const struct fact_place *place, struct arena *arena, str base,
	const struct fs_list *list, struct trace *out, struct err *err)
{
	for (size_t i = 0; i < list->len; i++) {
		struct fact fact;
		str path = base.len ? str_of(arena_printf(
					      arena, "%.*s/%s", STR_ARG(base), list->ptr[i].name))
		                    : arena_str(arena, str_of(list->ptr[i].name));
		if (!S_ISREG(list->ptr[i].stat.mode) || facts_is_own(place, path))
			continue;
		if (!facts_look(place, arena, path, &fact, err))
			return false;
		*vec_push(&out->facts) = fact;
	}
	return true;
}

static bool take_read(const struct fact_place *place, struct arena *arena, str path,
	struct trace *out, struct err *err)
{
	struct fact fact;
	struct fs_list list = {0};
	bool ok = true;
	if (str_starts(path, STR("$ARTIFACTS_DIR")))
		return true; /* what is there came from a dependency, whose manifest is in the key */
	if (fs_is_glob(path)) {
		ok = look_glob(place, path, &fact, &list, err);
		if (ok && list.len <= EXPANDED_FILES)
			ok = add_files(place, arena, STR(""), &list, out, err);
	} else {
		struct buf clean = {0};
		if (!fs_normalize(path, &clean)) {
			buf_finish(&clean);
			return err_set(err, "E-FS-OUTSIDE", "`reads`: %.*s leaves the project",
				STR_ARG(path));
		}
		path = clean.len ? arena_str(arena, buf_str(&clean)) : STR(".");
		buf_finish(&clean);
		ok = facts_look(place, arena, path, &fact, err);
		if (ok && fact.kind == FACT_TREE &&
			fs_list_tree(store_project_fd(place->store), path.ptr,
				str_is(path, ".") ? ".pawl" : NULL, &list, err) &&
			list.len <= EXPANDED_FILES)
			ok = add_files(
				place, arena, str_is(path, ".") ? STR("") : path, &list, out, err);
	}
	if (ok)
		add(out, &fact);
	fs_list_finish(&list);
	return ok;
}

static bool is_output(const struct fact_place *place, struct arena *arena,
	const struct host_facts *plugin, str path)
{
	if (facts_is_own(place, path))
		return true;
	for (size_t i = 0; i < plugin->list.len; i++) {
		str other;
		if (plugin->list.ptr[i].kind == HOST_FACT_OUTPUT &&
			facts_resolve(place, arena, plugin->list.ptr[i].path, &other) &&
			str_eq(other, path))
			return true;
	}
	return false;
}

static bool take_plugin_fact(const struct fact_place *place, struct arena *arena,
	const struct host_facts *plugin, const struct host_fact *named, struct trace *out,
	struct err *err)
{
	struct fact fact;
	str path = STR("");
	if (named->kind == HOST_FACT_TOOL) {
		if (!look_tool(place, named->path, &fact, err))
			return false;
		if (fact.kind == FACT_TOOL)
			add(out, &fact);
		return true;
	}
	if (named->kind == HOST_FACT_OUTPUT || !facts_resolve(place, arena, named->path, &path))
		return true;
	if (is_output(place, arena, plugin, path))
		return true;
	struct fs_stat st;
	bool is_word = named->kind == HOST_FACT_WORD;
	/* Words may name anything: what can't be a file of the project is none of our business. */
	if (is_word) {
		enum fs_found found = fs_stat_at(root_of(place, path.ptr), path.ptr, &st, NULL);
		bool has_slash = str_find_char(named->path, '/', 0) != SIZE_MAX;
		if (found == FS_ERROR || (found == FS_FOUND && !S_ISREG(st.mode)) ||
			(found == FS_ABSENT && (!has_slash || path.ptr[0] == '/')))
			return true;
	}
	if (!facts_look(place, arena, path, &fact, err))
		return false;
	add(out, &fact);
	return true;
}

bool facts_take(const struct fact_place *place, struct arena *arena, const struct node *node,
	const struct host_facts *plugin, struct trace *out, size_t *declared, struct err *err)
{
	for (size_t i = 0; i < node->reads.len; i++) {
		if (!take_read(place, arena, node->reads.ptr[i], out, err))
			return false;
	}
	for (size_t i = 0; i < node->tools.len; i++) {
		struct fact fact;
		if (!look_tool(place, node->tools.ptr[i], &fact, err))
			return false;
		if (fact.kind == FACT_ABSENT)
			return err_set(err, "E-TOOL-MISSING",
				"the program `%.*s` of `tools` is not on PATH",
				STR_ARG(node->tools.ptr[i]));
		add(out, &fact);
	}
	*declared = out->facts.len;
	for (size_t i = 0; i < plugin->list.len; i++) {
		if (!take_plugin_fact(place, arena, plugin, &plugin->list.ptr[i], out, err))
			return false;
	}
	return true;
}

bool facts_now(const struct fact_place *place, struct arena *arena, const struct fact *then,
	struct fact *now)
{
	struct fs_list list = {0};
	bool ok;
	if (then->kind == FACT_TOOL)
		ok = look_tool(place, then->path, now, NULL);
	else if (then->kind != FACT_GLOB)
		ok = facts_look(place, arena, then->path, now, NULL);
	else
		ok = look_glob(place, then->path, now, &list, NULL);
	fs_list_finish(&list);
	return ok;
}
