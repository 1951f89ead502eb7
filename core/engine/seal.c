/* seal: see seal.h.  Makes seals. */
#include "engine/seal_inner.h"

#include "data/netstr.h"
#include "engine/facts_memo.h"
#include "engine/internal.h"
#include "engine/stamp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEALS "seals/"

/* ---- writing ---- */

void seal_name(const char *file, struct buf *out)
{
	struct digest digest = hash_of(str_of(file));
	buf_add_z(out, SEALS);
	buf_add_hex(out, digest.bytes, 16);
}

bool seal_stat_eq(const struct fs_stat *a, const struct fs_stat *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	       a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns && a->mode == b->mode;
}

static void add_stat(struct buf *out, const struct fs_stat *st)
{
	buf_printf(out, " %llu %llu %llu %lld %lld %o", (unsigned long long)st->dev,
		(unsigned long long)st->ino, (unsigned long long)st->size, (long long)st->mtime_ns,
		(long long)st->ctime_ns, st->mode);
}

bool seal_look_at_store(struct store *store, struct seal_head *head)
{
	return store_settle(store) && store_generation(store, &head->generation, NULL) &&
	       seal_stat_store(store, &head->db) && store_is_ours(store);
}

bool seal_stat_store(const struct store *store, struct fs_stat *db)
{
	struct fs_stat wal;
	int state = store_state_fd(store);
	return fs_lstat_at(state, "pawl.db", db, NULL) == FS_FOUND &&
	       fs_lstat_at(state, "pawl.db-wal", &wal, NULL) == FS_FOUND && wal.size == 0;
}

/* The directory itself, never one that a link of its name leads to. */
static int open_seals(struct store *store)
{
	int state = store_state_fd(store);
	mkdirat(state, "seals", 0700);
	return openat(state, "seals", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

void seal_write(struct store *store, const char *file, const struct seal_head *head, str body)
{
	struct buf text = {0};
	struct buf name = {0};
	buf_add_z(&text, "pawl-seal 2 ");
	digest_add_hex(&text, &head->guard);
	buf_printf(&text, "\nrun %lld %lld", (long long)head->run, (long long)head->generation);
	add_stat(&text, &head->db);
	buf_add_char(&text, '\n');
	buf_add(&text, body);
	struct digest sum = hash_of(buf_str(&text));
	buf_add_z(&text, "end ");
	digest_add_hex(&text, &sum);
	buf_add_char(&text, '\n');
	seal_name(file, &name);
	int dir = open_seals(store);
	int fd = dir < 0 ? -1
	                 : openat(dir, buf_cstr(&name) + strlen(SEALS),
				   O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	ssize_t put = fd < 0 ? -1 : pwrite(fd, text.ptr, text.len, 0);
	bool ok = put == (ssize_t)text.len && ftruncate(fd, (off_t)text.len) == 0;
	if (!ok && dir >= 0)
		unlinkat(dir, buf_cstr(&name) + strlen(SEALS), 0);
	if (fd >= 0)
		close(fd);
	if (dir >= 0)
		close(dir);
	buf_finish(&name);
	buf_finish(&text);
}

/* ---- what the run rested on ---- */

struct making {
	struct engine *engine;
	struct buf body;
	int64_t steady_since; /* what changed later may have changed while the run went on */
	bool ok;
};

static int root_of(const struct making *m, const char *path)
{
	return path[0] == '/' ? AT_FDCWD : store_project_fd(m->engine->store);
}

static bool is_steady(const struct making *m, const struct fs_stat *st)
{
	return st->mtime_ns < m->steady_since && st->ctime_ns < m->steady_since;
}

static void add_place(struct making *m, str path, const struct fs_stat *st)
{
	m->ok = m->ok && is_steady(m, st);
	buf_add_char(&m->body, 'f');
	add_stat(&m->body, st);
	netstr_add(&m->body, path);
	buf_add_char(&m->body, '\n');
}

static void add_absent(struct making *m, str path)
{
	buf_add_char(&m->body, 'a');
	netstr_add(&m->body, path);
	buf_add_char(&m->body, '\n');
}

/* What is at the path now. */
static void add_path(void *arg, const char *path)
{
	struct making *m = arg;
	struct fs_stat st;
	enum fs_found found = fs_stat_at(root_of(m, path), path, &st, NULL);
	if (found == FS_FOUND)
		add_place(m, str_of(path), &st);
	else if (found == FS_ABSENT)
		add_absent(m, str_of(path));
	else
		m->ok = false;
}

/* Files whose content was looked at, as they were then. */
static void add_files(struct making *m)
{
	const struct fact_memo *memo = m->engine->memo;
	for (size_t i = 0; i < memo->digests.cap; i++) {
		const struct seen_digest *seen = memo->digests.slots[i].value;
		str path = memo->digests.slots[i].key;
		struct fs_stat now;
		if (!path.ptr)
			continue;
		const struct memo_row *row = &seen->row;
		const char *z = arena_str(&m->engine->arena, path).ptr;
		struct fs_stat st = {.dev = row->dev,
			.ino = row->ino,
			.size = row->size,
			.mtime_ns = row->mtime_ns,
			.ctime_ns = row->ctime_ns};
		/* The memo keeps no mode; a change of it is one of the ctime. */
		m->ok = m->ok && fs_stat_at(root_of(m, z), z, &now, NULL) == FS_FOUND;
		st.mode = now.mode;
		m->ok = m->ok && seal_stat_eq(&st, &now);
		if (!m->ok)
			return;
		add_place(m, path, &st);
	}
	for (size_t i = 0; i < memo->files.cap; i++) {
		const struct seen *seen = memo->files.slots[i].value;
		if (memo->files.slots[i].key.ptr && seen->fact.kind == FACT_ABSENT)
			add_absent(m, memo->files.slots[i].key);
	}
	for (size_t i = 0; i < memo->absent.len; i++)
		add_absent(m, memo->absent.ptr[i]);
	for (size_t i = 0; i < memo->places.len; i++)
		add_place(m, memo->places.ptr[i].path, &memo->places.ptr[i].stat);
}

/* Looked at once more, since a time says when a file was written, not when it was moved here or away.  The stamp comes
 * first: what changes after it breaks it, or makes another fact here. */
static void add_tree(struct making *m, const struct seen_many *seen)
{
	struct arena *arena = &m->engine->arena;
	struct fact then = seen->fact;
	struct fact now = {.real = STR("")};
	const char *path = arena_str(arena, then.path).ptr;
	struct fact_place place = {.store = m->engine->store,
		.memo = m->engine->memo,
		.path_env = "",
		.dir = STR(""),
		.writes = seen->writes};
	struct stamp stamp = stamp_take(root_of(m, path), path, NULL, NULL);
	m->ok = stamp.newest_ns < m->steady_since && facts_now(&place, arena, &then, &now) &&
	        fact_eq(&then, &now);
	buf_add_z(&m->body, "s ");
	digest_add_hex(&m->body, &stamp.digest);
	netstr_add(&m->body, then.path);
	buf_add_char(&m->body, '\n');
}

static void add_trees(struct making *m)
{
	const struct map *many = &m->engine->memo->many;
	fact_memo_forget(m->engine->memo);
	for (size_t i = 0; m->ok && i < many->cap; i++) {
		if (many->slots[i].key.ptr)
			add_tree(m, many->slots[i].value);
	}
}

static void add_tools(struct making *m)
{
	const struct map *tools = &m->engine->memo->tools;
	for (size_t i = 0; i < tools->cap; i++) {
		const struct seen_tool *seen = tools->slots[i].value;
		if (!tools->slots[i].key.ptr)
			continue;
		buf_add_char(&m->body, 't');
		netstr_add(&m->body, seen->name);
		netstr_add(&m->body, str_of(seen->path_env));
		netstr_add(&m->body, str_of(seen->cwd));
		netstr_add(&m->body, seen->real);
		buf_add_char(&m->body, '\n');
	}
}

/* Large outputs and lists are files; a damaged one is to be seen. */
static void add_blob(struct making *m, const struct digest *digest)
{
	struct buf path = {0};
	buf_add_z(&path, ".pawl/state/");
	if (cas_file(m->engine->store, digest, &path))
		add_path(m, buf_cstr(&path));
	buf_finish(&path);
}

/* ---- nodes ---- */

static int by_place(const void *a, const void *b)
{
	const struct unit *x = *(const struct unit *const *)a;
	const struct unit *y = *(const struct unit *const *)b;
	return (x->place > y->place) - (x->place < y->place);
}

/* A node that was skipped looked at nothing.  Of one that was reused, what its key was made of and what its stored result
 * read are all that decided, where its type says so; the age of a result is more than that.  What holds other nodes or
 * items is completed anew each time.  A sentence may have a secret in it, which only a look knows how to mask. */
static bool can_vouch(const struct unit *unit)
{
	if (unit->node->secrets.len)
		return false;
	if (unit->state == NODE_SKIPPED)
		return true;
	return unit->state == NODE_REUSED && !unit->node->ttl_ms &&
	       (unit->type->type->caps & PAWL_CAP_KEY_STABLE);
}

static void add_unit(struct making *m, const struct unit *unit)
{
	struct buf *body = &m->body;
	if (unit->state == NODE_REUSED) {
		buf_printf(body, "r %lld %lld", (long long)unit->out.origin,
			(long long)unit->out.made_ms);
		netstr_add(body, unit->node->id);
		buf_add_char(body, '\n');
		add_blob(m, &unit->out.output);
		if (unit->out.has_manifest)
			add_blob(m, &unit->out.manifest);
		return;
	}
	struct node_row row = {0};
	bool found = false;
	m->ok = m->ok &&
	        nodes_get(m->engine->store, &m->engine->arena, m->engine->row.id, unit->node->id,
			&row, &found, NULL) &&
	        found;
	if (!m->ok)
		return;
	buf_printf(body, "k %.*s", STR_ARG(row.reason));
	netstr_add(body, unit->node->id);
	netstr_add(body, row.sentence);
	buf_add_char(body, '\n');
}

/* In the order in which they ended, which is that in which they are told. */
static void add_units(struct making *m)
{
	const struct engine *engine = m->engine;
	uint32_t count = engine->workflow->node_count;
	const struct unit **units = arena_array(&m->engine->arena, const struct unit *, count);
	for (uint32_t i = 0; i < count; i++)
		units[i] = &engine->units[i];
	qsort(units, count, sizeof(*units), by_place);
	for (uint32_t i = 0; m->ok && i < count; i++)
		add_unit(m, units[i]);
}

/* ---- whether at all ---- */

/* Whether a plain run was asked for: every option is as it is where nobody sets it, but for those named here, which the
 * guard covers or which don't decide.  An option that is new counts, until somebody names it here. */
static bool is_plain(const struct engine_options *options)
{
	static const struct engine_options plain;
	struct engine_options rest;
	memcpy(&rest, options, sizeof(rest));
#define DOES_NOT_COUNT(member) memset(&rest.member, 0, sizeof(rest.member))
	DOES_NOT_COUNT(jobs);
	DOES_NOT_COUNT(fail_fast);
	DOES_NOT_COUNT(verbose);
	DOES_NOT_COUNT(grace_ms);
	DOES_NOT_COUNT(inputs);
	DOES_NOT_COUNT(arguments);
	DOES_NOT_COUNT(environment);
	DOES_NOT_COUNT(policies); /* had_nothing_to_do asks the rules made of them */
	DOES_NOT_COUNT(load);
	DOES_NOT_COUNT(release);
	DOES_NOT_COUNT(load_ctx);
	DOES_NOT_COUNT(seal);
#undef DOES_NOT_COUNT
	return !memcmp(&rest, &plain, sizeof(rest));
}

static bool had_nothing_to_do(const struct engine *engine)
{
	return engine->row.state == RUN_COMPLETED && !engine->rules && !engine->has_restored &&
	       !store_damaged(engine->store) && !engine->options->seal->is_spoiled;
}

/* What another pawl left running when it was killed is found by a look at the runs, which a seal saves. */
static bool others_run(struct engine *engine)
{
	bool any = false;
	return !runs_are_running(engine->store, NULL, &any, NULL) || any;
}

void seal_make(struct engine *engine)
{
	const struct workflow *workflow = engine->workflow;
	int64_t began_ms = engine->options->seal->began_ms;
	struct making m = {.engine = engine,
		.steady_since = began_ms * 1000000 - FACTS_RACY_NS,
		.ok = is_plain(engine->options) && had_nothing_to_do(engine)};
	struct seal_head head = {.guard = engine->options->seal->guard, .run = engine->row.id};
	for (uint32_t i = 0; m.ok && i < workflow->node_count; i++)
		m.ok = can_vouch(&engine->units[i]);
	if (!m.ok || others_run(engine))
		return;
	buf_printf(&m.body, "nodes %u", workflow->node_count);
	netstr_add(&m.body, workflow->name);
	netstr_add(&m.body, str_of(workflow->file));
	buf_add_char(&m.body, '\n');
	m.ok = engine->options->seal->each_path(engine->options->seal->ctx, add_path, &m) && m.ok;
	add_files(&m);
	add_trees(&m);
	add_tools(&m);
	add_units(&m);
	/* Trees may have been digested anew just now, which the store remembers. */
	m.ok = m.ok && store_flush(engine->store, NULL);
	if (m.ok && seal_look_at_store(engine->store, &head))
		seal_write(engine->store, engine->options->seal->file, &head, buf_str(&m.body));
	buf_finish(&m.body);
}
