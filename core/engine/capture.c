/* capture: what bodies leave in files.  See artifacts.h. */
#include "engine/artifacts.h"

#include "engine/capture_inner.h"
#include "engine/internal.h"
#include "engine/owners.h"
#include "sys/fs.h"

#include <stdlib.h>
#include <sys/stat.h>

/* So many files of direct dependencies are looked at, whether the body changed them where it says nothing of it. */
static const size_t most_inputs = 4096;

struct capture {
	struct attempt *attempt;
	struct body *body;
	struct manifest manifest;
	struct trace *trace;  /* NULL: nothing is kept, only looked for */
	struct captured *out; /* NULL likewise */
	struct map edited;    /* paths of the project -> struct before * */
	struct map filled;    /* "root path" of directories in which something is */
	struct arena scratch;
	VEC(struct artifact) dirs; /* that were met; size: whether it is new */
	uint64_t tick;
	uint64_t unseen; /* when the artifact directory was looked at before that */
	size_t own;      /* of the path of `writes` that is being looked at */
	size_t loose;
};

static bool describe(struct capture *c, const struct spot *spot, const struct fs_entry *entry,
	struct artifact *out, struct err *err)
{
	enum artifact_root root = spot->root;
	str path = spot->path;
	struct attempt *attempt = c->attempt;
	struct engine *engine = attempt->engine;
	*out = (struct artifact){.root = root,
		.kind = ARTIFACT_FILE,
		.mode = entry->stat.mode & 07777,
		.size = entry->stat.size,
		.target = STR(""),
		.path = arena_str(&attempt->arena, path)};
	if (S_ISLNK(entry->stat.mode)) {
		out->kind = ARTIFACT_LINK;
		out->mode = 0;
		out->size = 0;
		out->target = arena_str(&attempt->arena, str_of(entry->target));
		return true;
	}
	if (S_ISREG(entry->stat.mode)) {
		struct fs_stat st;
		int fd = places_fd(&engine->ground, root);
		const char *full = places_full(&engine->ground, &attempt->arena, root, path);
		return c->trace ? cas_put_file(
					  engine->store, fd, full, &out->digest, &out->size, err)
		                : fs_digest_at(fd, full, &out->digest, &st, err) == FS_FOUND;
	}
	err_set(err, "E-ARTIFACT-KIND", "it left `%s%.*s`, %s, which can't be kept",
		root == ROOT_ARTIFACTS ? "$ARTIFACTS_DIR/" : "", STR_ARG(path),
		S_ISFIFO(entry->stat.mode)   ? "a named pipe"
		: S_ISSOCK(entry->stat.mode) ? "a socket"
					     : "a device");
	return err_help(err, "remove it at the end of the body, or make it in $TMPDIR");
}

static void mark_filled(struct capture *c, enum artifact_root root, str path)
{
	for (size_t at = path.len; at-- > 0;) {
		if (path.ptr[at] != '/')
			continue;
		str key =
			str_of(arena_printf(&c->scratch, "%c%.*s", (char)root, (int)at, path.ptr));
		if (map_put(&c->filled, key, c))
			return;
	}
}

static bool is_filled(struct capture *c, const struct artifact *dir)
{
	str key = str_of(arena_printf(&c->scratch, "%c%.*s", (char)dir->root, STR_ARG(dir->path)));
	return map_get(&c->filled, key) != NULL;
}

/* New or changed since the body began, as far as this run knows. */
static bool is_new(struct capture *c, const struct spot *spot, const struct fs_entry *entry,
	const struct before **before)
{
	struct engine *engine = c->attempt->engine;
	*before = NULL;
	if (spot->root == ROOT_ARTIFACTS)
		return places_see(engine->places, spot, &entry->stat, c->tick)->noticed >
		       c->body->started;
	*before = map_get(&c->body->before, spot->path);
	return places_differs(&engine->ground, *before, spot->path, &entry->stat);
}

/* Some unit of this run has it already, as it is. */
static uint64_t maker_of(struct capture *c, const struct spot *spot, const struct fs_entry *entry)
{
	const struct known *known = places_find(c->attempt->engine->places, spot);
	return known && places_same(&known->stat, &entry->stat) ? known->maker : 0;
}

/* A tick at which the file was not yet as it is: who had ended by then did not make it. */
static uint64_t unseen_at(struct capture *c, const struct spot *spot)
{
	const struct known *known = places_find(c->attempt->engine->places, spot);
	if (spot->root == ROOT_PROJECT || !known)
		return 0;
	return known->noticed == c->tick ? c->unseen : known->noticed - 1;
}

/* Each node that may have made a file of the project has left it: it goes before the next body of any of them. */
static bool add_loose_file(
	struct capture *c, const struct spot *spot, const struct fs_entry *entry, struct err *err)
{
	struct attempt *attempt = c->attempt;
	struct engine *engine = attempt->engine;
	const struct before *before = map_get(&c->body->before, spot->path);
	struct artifact artifact;
	c->loose++;
	if (!describe(c, spot, entry, &artifact, err))
		return false;
	places_see(engine->places, spot, &entry->stat, c->tick)->maker = PLACES_SOMEBODY;
	engine->has_loose = true;
	owners_put(engine, attempt->unit->node->id, &artifact,
		(struct left_flags){.is_edited = before && !before->maker});
	if (c->out)
		c->out->unstorable = str_of(arena_printf(&attempt->arena,
			"%.*s appeared while several nodes ran that may have made it, declare it in `writes` of its maker",
			STR_ARG(spot->path)));
	return true;
}

static void add_loose(struct capture *c, const struct spot *spot)
{
	struct attempt *attempt = c->attempt;
	const char *name =
		arena_printf(&attempt->arena, "$ARTIFACTS_DIR/%.*s", STR_ARG(spot->path));
	c->loose++;
	if (!c->trace)
		return;
	*vec_push(&c->trace->facts) =
		(struct fact){.kind = FACT_LOOSE, .path = str_of(name), .real = STR("")};
	owners_put_loose(attempt->engine, spot->path);
	if (!c->out->doubt.len)
		c->out->doubt = str_of(arena_printf(&attempt->arena,
			"%s appeared while several nodes ran, declare it in `writes` of its maker",
			name));
}

static bool visit_after(
	void *arg, enum artifact_root root, str path, const struct fs_entry *entry, struct err *err)
{
	struct capture *c = arg;
	struct attempt *attempt = c->attempt;
	struct engine *engine = attempt->engine;
	struct spot spot = {engine->ground.artifacts, root, path};
	const struct before *before = NULL;
	mark_filled(c, root, path);
	bool is_fresh = is_new(c, &spot, entry, &before);
	if (S_ISDIR(entry->stat.mode)) {
		struct artifact dir = {.root = root,
			.kind = ARTIFACT_DIR,
			.mode = entry->stat.mode & 07777,
			.size = is_fresh,
			.target = STR(""),
			.path = arena_str(&attempt->arena, path)};
		places_see(engine->places, &spot, &entry->stat, c->tick);
		*vec_push(&c->dirs) = dir;
		places_see(engine->places, &spot, &entry->stat, c->tick);
		return true;
	}
	uint64_t maker = maker_of(c, &spot, entry);
	c->own += is_fresh && maker == c->body->unit;
	if (!is_fresh || (maker && maker != PLACES_SOMEBODY))
		return true;
	enum claim_on_file claim =
		places_whose(engine->places, c->body, &spot, unseen_at(c, &spot));
	if (claim == FILE_LOOSE && root == ROOT_PROJECT)
		return add_loose_file(c, &spot, entry, err);
	if (claim == FILE_LOOSE)
		add_loose(c, &spot);
	if (claim != FILE_OWN)
		return true;
	struct artifact artifact;
	if (!describe(c, &spot, entry, &artifact, err))
		return false;
	places_see(engine->places, &spot, &entry->stat, c->tick)->maker = c->body->unit;
	if (before)
		map_put(&c->edited, artifact.path, (void *)(uintptr_t)before);
	*vec_push(&c->manifest.list) = artifact;
	c->own++;
	return true;
}

/* Those in which something of the body's is, and empty ones that it made. */
static void add_dirs(struct capture *c)
{
	struct map holding = {0};
	struct engine *engine = c->attempt->engine;
	for (size_t i = 0; i < c->manifest.list.len; i++) {
		const struct artifact *a = &c->manifest.list.ptr[i];
		for (size_t at = a->path.len; at-- > 0;) {
			if (a->path.ptr[at] != '/')
				continue;
			str key = str_of(arena_printf(
				&c->scratch, "%c%.*s", (char)a->root, (int)at, a->path.ptr));
			if (map_put(&holding, key, c))
				break;
		}
	}
	struct map seen = {0};
	for (size_t i = 0; i < c->dirs.len; i++) {
		struct artifact dir = c->dirs.ptr[i];
		struct spot spot = {engine->ground.artifacts, dir.root, dir.path};
		str key = str_of(
			arena_printf(&c->scratch, "%c%.*s", (char)dir.root, STR_ARG(dir.path)));
		bool is_made = dir.size && !is_filled(c, &dir) &&
		               places_whose(engine->places, c->body, &spot, unseen_at(c, &spot)) ==
		                       FILE_OWN;
		dir.size = 0;
		if (map_put(&seen, key, c) || (!is_made && !map_get(&holding, key)))
			continue;
		*vec_push(&c->manifest.list) = dir;
	}
	map_finish(&holding);
	map_finish(&seen);
}

/* ---- `writes` ---- */

static bool missing(struct attempt *attempt, str declared, struct err *err)
{
	err_set(err, "E-WRITES-MISSING",
		"it ended well but did not write `%.*s`, which `writes` names", STR_ARG(declared));
	err_help(err, "write the file, or take it out of `writes` of `%.*s`",
		STR_ARG(attempt->unit->node->id));
	return false;
}

static bool visit_declared(struct capture *c, str declared, bool must_be_there, struct err *err)
{
	struct attempt *attempt = c->attempt;
	enum artifact_root root;
	str path;
	size_t loose = c->loose;
	size_t first_dir = c->dirs.len;
	struct place_visit visit = {.fn = visit_after, .arg = c};
	c->own = 0;
	if (!places_parse(&attempt->arena, declared, &root, &path))
		return !must_be_there || missing(attempt, declared, err);
	if (!places_visit(&attempt->engine->ground, root, path, &visit, err))
		return false;
	if (!visit.count && must_be_there)
		return missing(attempt, declared, err);
	for (size_t i = first_dir; i < c->dirs.len; i++)
		c->own += c->dirs.ptr[i].size;
	bool is_untouched = !c->own && c->loose == loose;
	if (is_untouched && c->out && !attempt->unit->node->keeps_outputs)
		c->out->unstorable = str_of(arena_printf(&attempt->arena,
			"%.*s was there before and it did not write it; let it remove that first",
			STR_ARG(declared)));
	return true;
}

/* What a direct dependency left and this body took away is to be away when both are reused. */
static void add_gone(struct capture *c, const struct artifact *was)
{
	struct attempt *attempt = c->attempt;
	struct engine *engine = attempt->engine;
	struct spot spot = {engine->ground.artifacts, was->root, was->path};
	if (!places_was_alone(engine->places, c->body))
		add_loose(c, &spot);
	if (!places_was_alone(engine->places, c->body) || !c->trace)
		return;
	places_forget(engine->places, &spot);
	*vec_push(&c->manifest.list) = (struct artifact){.root = was->root,
		.kind = ARTIFACT_GONE,
		.target = STR(""),
		.path = arena_str(&attempt->arena, was->path)};
}

/* Files that a direct dependency left, and that the body may have changed without a word. */
static bool visit_inputs(struct capture *c, const struct unit *dep, size_t *left, struct err *err)
{
	struct attempt *attempt = c->attempt;
	struct engine *engine = attempt->engine;
	struct manifest manifest = {0};
	struct buf text = {0};
	bool ok = true;
	if (dep->out.has_manifest && cas_get(engine->store, &dep->out.manifest, &text, NULL) &&
		manifest_parse(buf_str(&text), &manifest)) {
		for (size_t i = 0; ok && i < manifest.list.len && *left; i++, --*left) {
			const struct artifact *a = &manifest.list.ptr[i];
			struct spot spot = {engine->ground.artifacts, a->root, a->path};
			const struct known *known = places_find(engine->places, &spot);
			struct fs_entry entry = {0};
			bool is_seen =
				a->root == ROOT_ARTIFACTS || map_get(&c->body->before, a->path);
			bool is_others =
				known && (a->kind == ARTIFACT_DIR ||
						 (known->maker && known->maker != c->body->unit));
			if (a->kind == ARTIFACT_GONE || !is_others)
				continue;
			enum fs_found found = fs_lstat_at(places_fd(&engine->ground, a->root),
				places_full(&engine->ground, &c->scratch, a->root, a->path),
				&entry.stat, NULL);
			if (found == FS_ABSENT)
				add_gone(c, a);
			else if (found == FS_FOUND && !is_seen && S_ISREG(entry.stat.mode) &&
				 !places_same(&known->stat, &entry.stat))
				ok = visit_after(c, a->root, a->path, &entry, err);
		}
	}
	manifest_finish(&manifest);
	buf_finish(&text);
	return ok;
}

/* Likewise those of which nobody knows which of several nodes made them, of that dependency or of what it holds. */
struct loose_inputs {
	struct capture *c;
	str of;
	bool ok;
	struct err *err;
};

static void visit_loose_of(void *arg, str node, const struct left *first)
{
	struct loose_inputs *loose = arg;
	struct capture *c = loose->c;
	struct engine *engine = c->attempt->engine;
	bool is_its = str_starts(node, loose->of) &&
	              (node.len == loose->of.len || node.ptr[loose->of.len] == '[' ||
			      node.ptr[loose->of.len] == '_');
	for (const struct left *left = is_its ? first : NULL; left; left = left->next_of) {
		struct spot spot = {engine->ground.artifacts, left->as.root, left->as.path};
		const struct known *known = places_find(engine->places, &spot);
		struct fs_entry entry = {0};
		bool is_candidate = loose->ok && spot.root == ROOT_PROJECT && known &&
		                    known->maker == PLACES_SOMEBODY &&
		                    !map_get(&c->body->before, spot.path);
		if (is_candidate &&
			fs_lstat_at(places_fd(&engine->ground, spot.root),
				arena_str(&c->scratch, spot.path).ptr, &entry.stat,
				NULL) == FS_FOUND &&
			S_ISREG(entry.stat.mode) && !places_same(&known->stat, &entry.stat))
			loose->ok = visit_after(c, spot.root, spot.path, &entry, loose->err);
	}
}

static bool visit_loose_inputs(struct capture *c, const struct unit *dep, struct err *err)
{
	struct loose_inputs loose = {c, dep->node->id, true, err};
	if (c->attempt->engine->has_loose)
		owners_each_node(c->attempt->engine, visit_loose_of, &loose);
	return loose.ok;
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
			path.ptr[0] == '/' || facts_is_own(&place, path) ||
			map_get(&c->edited, path))
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

/* Whatever there is to find. */
static bool look_everywhere(struct capture *c, bool must_be_there, struct err *err)
{
	struct attempt *attempt = c->attempt;
	struct engine *engine = attempt->engine;
	const struct node *node = attempt->unit->node;
	struct place_visit visit = {.fn = visit_after, .arg = c};
	size_t left = most_inputs;
	bool ok = true;
	c->unseen = engine->artifacts_looked;
	c->tick = places_tick(engine->places);
	places_end(engine->places, attempt->body, c->tick);
	for (size_t i = 0; ok && i < node->writes.len; i++)
		ok = visit_declared(c, node->writes.ptr[i], must_be_there, err);
	ok = ok && capture_list_artifacts(engine, &visit, err);
	for (uint32_t d = 0; ok && d < node->dep_count; d++)
		ok = visit_inputs(c, &engine->units[node->deps[d]], &left, err) &&
		     visit_loose_inputs(c, &engine->units[node->deps[d]], err);
	return ok;
}

/* For it to be undone, where what comes after it fails. */
static void keep_made(struct capture *c)
{
	struct attempt *attempt = c->attempt;
	size_t count = c->manifest.list.len;
	attempt->made = arena_array(&attempt->arena, struct artifact, count);
	attempt->made_count = 0;
	for (size_t i = 0; i < count; i++) {
		const struct artifact *a = &c->manifest.list.ptr[i];
		bool is_others = a->root == ROOT_PROJECT && map_get(&c->body->before, a->path);
		if (!is_others)
			attempt->made[attempt->made_count++] = *a;
		else if (a->kind != ARTIFACT_DIR)
			attempt->tainted = str_of(arena_printf(&attempt->arena,
				"%.*s was changed by a try that failed", STR_ARG(a->path)));
	}
	if (c->loose)
		attempt->tainted = STR("a try that failed left files which others may have made");
}

static void capture_finish(struct capture *c)
{
	map_finish(&c->edited);
	map_finish(&c->filled);
	vec_finish(&c->dirs);
	manifest_finish(&c->manifest);
	arena_finish(&c->scratch);
	c->attempt->body = NULL;
}

/* ---- after a success ---- */

/* What it found at a place, and what it left: of one state nobody can tell the other. */
static void add_was(struct capture *c, const struct artifact *a, const struct before *before)
{
	struct attempt *attempt = c->attempt;
	struct fact was = {.kind = FACT_FILE,
		.path = a->path,
		.real = STR(""),
		.digest = before->digest,
		.mode = (before->stat.mode & S_IXUSR) != 0};
	struct fact fact = {.kind = FACT_WAS, .path = a->path, .real = STR("")};
	fact.digest = fact_digest(&was);
	if (before->has_digest && !fs_is_glob(a->path) && a->kind == ARTIFACT_FILE &&
		capture_state_of(attempt, a->path, &fact.after)) {
		*vec_push(&c->trace->facts) = fact;
		return;
	}
	c->out->unstorable = str_of(arena_printf(&attempt->arena,
		"%.*s was there before, and what it was then is not known", STR_ARG(a->path)));
}

static void add_states(struct capture *c)
{
	struct attempt *attempt = c->attempt;
	for (size_t i = 0; i < c->body->writes[0].len; i++) {
		struct fact fact = attempt->states[i];
		bool is_known = !fact.mode && capture_state_of(attempt, fact.path, &fact.after);
		fact.mode = 0;
		if (is_known)
			*vec_push(&c->trace->facts) = fact;
		else
			c->out->unstorable = str_of(arena_printf(&attempt->arena,
				"what was at %.*s can't be told", STR_ARG(fact.path)));
	}
}

static void note_owners(struct capture *c)
{
	struct engine *engine = c->attempt->engine;
	for (size_t i = 0; i < c->manifest.list.len; i++) {
		const struct artifact *a = &c->manifest.list.ptr[i];
		const struct before *before =
			a->root == ROOT_PROJECT ? map_get(&c->edited, a->path) : NULL;
		struct spot spot = {engine->ground.artifacts, a->root, a->path};
		struct known *known =
			a->kind == ARTIFACT_DIR ? places_find(engine->places, &spot) : NULL;
		if (before && !c->attempt->unit->node->keeps_outputs)
			add_was(c, a, before);
		if (known)
			known->maker = c->body->unit;
		owners_put(engine, c->attempt->unit->node->id, a,
			(struct left_flags){.is_edited = before && !before->maker});
	}
}

/* It is not captured after all, and will be found again by capture_abandon or capture_undo. */
static void let_go(struct capture *c)
{
	struct engine *engine = c->attempt->engine;
	for (size_t i = 0; i < c->manifest.list.len; i++) {
		const struct artifact *a = &c->manifest.list.ptr[i];
		places_forget(
			engine->places, &(struct spot){engine->ground.artifacts, a->root, a->path});
	}
	c->attempt->made_count = 0;
}

bool capture_close(
	struct attempt *attempt, struct trace *trace, struct captured *out, struct err *err)
{
	struct capture c = {.attempt = attempt, .body = attempt->body, .trace = trace, .out = out};
	*out = (struct captured){
		.doubt = STR(""), .unstorable = attempt->tainted.len ? attempt->tainted : STR("")};
	bool ok = look_everywhere(&c, true, err) && add_named_outputs(&c, err);
	if (ok) {
		add_dirs(&c);
		manifest_sort(&c.manifest);
		keep_made(&c);
		note_owners(&c);
		if (attempt->unit->node->keeps_outputs)
			add_states(&c);
	}
	if (ok && c.manifest.list.len) {
		struct buf text = {0};
		manifest_write(&text, &c.manifest);
		ok = cas_put(attempt->engine->store, buf_str(&text), &out->manifest, err);
		out->has_manifest = ok;
		buf_finish(&text);
	}
	if (!ok)
		let_go(&c);
	capture_finish(&c);
	if (!ok)
		attempt->body = c.body;
	return ok;
}

/* ---- after a failure ---- */

void capture_undo(struct attempt *attempt)
{
	struct engine *engine = attempt->engine;
	struct capture c = {.attempt = attempt, .body = attempt->body};
	if (attempt->body) {
		look_everywhere(&c, false, NULL);
		add_dirs(&c);
		manifest_sort(&c.manifest);
		keep_made(&c);
		capture_finish(&c);
	}
	for (size_t i = attempt->made_count; i-- > 0;) {
		const struct artifact *a = &attempt->made[i];
		struct spot spot = {engine->ground.artifacts, a->root, a->path};
		if (fs_remove_one(places_fd(&engine->ground, a->root),
			    places_full(&engine->ground, &attempt->arena, a->root, a->path)))
			places_forget(engine->places, &spot);
	}
	attempt->made_count = 0;
	fact_memo_forget(engine->memo);
}

void capture_abandon(struct attempt *attempt)
{
	struct engine *engine = attempt->engine;
	struct capture c = {.attempt = attempt, .body = attempt->body};
	if (!attempt->body)
		return;
	look_everywhere(&c, false, NULL);
	for (size_t i = 0; i < c.manifest.list.len; i++) {
		const struct artifact *a = &c.manifest.list.ptr[i];
		if (a->root == ROOT_ARTIFACTS || !map_get(&c.body->before, a->path))
			owners_put(engine, attempt->unit->node->id, a,
				(struct left_flags){.is_half = true});
	}
	capture_finish(&c);
}
