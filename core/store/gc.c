/* gc: what goes.  It marks everything that rows name, takes the oldest results and runs away until the limits hold, and
 * removes the blobs that then nobody names.  Rows go in one transaction, files after it.  It knows a manifest only as a
 * text with digests in it: 64 hexadecimal digits name a blob if there is such a blob. */
#include "store/results.h"

#include "base/map.h"
#include "base/mem.h"
#include "store/cas_inner.h"
#include "store/rows_inner.h"
#include "store/stmt.h"
#include "sys/fs.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

struct gc_blob {
	struct digest digest;
	uint64_t size;
	uint64_t holders; /* how many kept rows name it */
	bool in_use;      /* a live run may be about to name it */
	bool scanned;
	VEC(struct gc_blob *) names; /* of a manifest: what it lists */
};

struct gc_result {
	int64_t id;
	int64_t run;
	int64_t made_ms;
	bool pinned;
	bool gone;
	size_t from, to; /* its part of `held` */
};

struct gc_run {
	int64_t id;
	int64_t started_ms;
	int64_t results; /* how many that it made are left */
	bool pinned;     /* the newest of its workflow, or not ended */
	bool gone;
	size_t from, to;
};

struct gc {
	struct store *store;
	const struct gc_options *options;
	struct gc_report *report;
	struct err *err;
	struct arena arena;
	struct map blobs;
	VEC(struct gc_blob *) order;
	VEC(struct gc_result) results; /* by run, then id */
	VEC(struct gc_run) runs;       /* by id */
	VEC(struct gc_blob *) held;    /* what results and runs name */
	uint64_t live_bytes;
};

/* MARKING */

static struct gc_blob *blob_of(struct gc *gc, const struct digest *digest)
{
	return map_get(&gc->blobs, str_make((const char *)digest->bytes, DIGEST_SIZE));
}

static void hold(struct gc *gc, struct gc_blob *blob)
{
	gc->live_bytes += blob->holders++ == 0 && !blob->in_use ? blob->size : 0;
}

static void release(struct gc *gc, struct gc_blob *blob)
{
	gc->live_bytes -= --blob->holders == 0 && !blob->in_use ? blob->size : 0;
}

static void hold_all(struct gc *gc, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		hold(gc, gc->held.ptr[i]);
	}
}

static void release_all(struct gc *gc, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		release(gc, gc->held.ptr[i]);
	}
}

static void name_digest(struct gc *gc, const struct digest *digest)
{
	struct gc_blob *blob = blob_of(gc, digest);
	if (blob) {
		*vec_push(&gc->held) = blob;
	}
}

/* Calls fn for every run of exactly 64 hexadecimal digits. */
static void each_digest(str text, void (*fn)(void *arg, const struct digest *digest), void *arg)
{
	size_t start = 0;
	for (size_t i = 0; i <= text.len; i++) {
		char c = i < text.len ? text.ptr[i] : '\0';
		if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')) {
			continue;
		}
		struct digest digest;
		if (i - start == (size_t)2 * DIGEST_SIZE &&
			digest_parse(str_slice(text, start, i), &digest)) {
			fn(arg, &digest);
		}
		start = i + 1;
	}
}

static void name_found(void *arg, const struct digest *digest)
{
	name_digest(arg, digest);
}

struct listing {
	struct gc *gc;
	struct gc_blob *manifest;
};

static void list_found(void *arg, const struct digest *digest)
{
	struct listing *listing = arg;
	struct gc_blob *blob = blob_of(listing->gc, digest);
	if (blob) {
		*vec_push(&listing->manifest->names) = blob;
	}
}

/* A manifest that can't be read names nothing: its result is a miss anyway. */
static void name_manifest(struct gc *gc, const struct digest *digest)
{
	struct gc_blob *manifest = blob_of(gc, digest);
	if (!manifest) {
		return;
	}
	if (!manifest->scanned) {
		struct buf text = {0};
		manifest->scanned = true;
		if (cas_get(gc->store, digest, &text, NULL)) {
			each_digest(buf_str(&text), list_found, &(struct listing){gc, manifest});
		}
		buf_finish(&text);
	}
	*vec_push(&gc->held) = manifest;
	for (size_t i = 0; i < manifest->names.len; i++) {
		*vec_push(&gc->held) = manifest->names.ptr[i];
	}
}

/* LOADING */

static bool load_blobs(struct gc *gc, int64_t mark)
{
	sqlite3_stmt *st = stmt_get(gc->store, STMT_GC_BLOBS,
		"SELECT digest, size, seq FROM blob ORDER BY id", gc->err);
	int got = -1;
	while (st && (got = stmt_row(gc->store, st, gc->err)) == 1) {
		struct gc_blob *blob = arena_new(&gc->arena, struct gc_blob);
		if (!column_digest(st, 0, &blob->digest)) {
			continue;
		}
		blob->size = (uint64_t)sqlite3_column_int64(st, 1);
		blob->in_use = sqlite3_column_int64(st, 2) > mark;
		gc->live_bytes += blob->in_use ? blob->size : 0;
		map_put(&gc->blobs, str_make((const char *)blob->digest.bytes, DIGEST_SIZE), blob);
		*vec_push(&gc->order) = blob;
	}
	return got == 0;
}

static bool load_results(struct gc *gc)
{
	sqlite3_stmt *st = stmt_get(gc->store, STMT_GC_RESULTS,
		"SELECT id, run, made_ms, output, has_manifest, manifest, emits FROM result ORDER BY run, id",
		gc->err);
	int got = -1;
	while (st && (got = stmt_row(gc->store, st, gc->err)) == 1) {
		struct gc_result result = {
			.id = sqlite3_column_int64(st, 0),
			.run = sqlite3_column_int64(st, 1),
			.made_ms = sqlite3_column_int64(st, 2),
			.from = gc->held.len,
		};
		struct digest digest;
		if (column_digest(st, 3, &digest)) {
			name_digest(gc, &digest);
		}
		if (sqlite3_column_int(st, 4) && column_digest(st, 5, &digest)) {
			name_manifest(gc, &digest);
		}
		each_digest(column_view(st, 6), name_found, gc);
		result.to = gc->held.len;
		hold_all(gc, result.from, result.to);
		*vec_push(&gc->results) = result;
	}
	return got == 0;
}

static bool load_nodes(struct gc *gc, int64_t run)
{
	sqlite3_stmt *st = stmt_get(gc->store, STMT_GC_NODES,
		"SELECT output || ' ' || log || ' ' || extra FROM node WHERE run = ?1", gc->err);
	if (!st) {
		return false;
	}
	stmt_int(st, 1, run);
	int got;
	while ((got = stmt_row(gc->store, st, gc->err)) == 1) {
		each_digest(column_view(st, 0), name_found, gc);
	}
	return got == 0;
}

static struct gc_run *run_of(struct gc *gc, int64_t id)
{
	size_t from = 0;
	size_t to = gc->runs.len;
	while (from < to) {
		size_t middle = from + (to - from) / 2;
		if (gc->runs.ptr[middle].id < id) {
			from = middle + 1;
		} else {
			to = middle;
		}
	}
	return from < gc->runs.len && gc->runs.ptr[from].id == id ? &gc->runs.ptr[from] : NULL;
}

static bool load_runs(struct gc *gc)
{
	sqlite3_stmt *st = stmt_get(gc->store, STMT_GC_RUNS,
		"SELECT id, started_ms, state IN ('running', 'paused') OR "
		"id = (SELECT max(id) FROM run AS r WHERE r.workflow = run.workflow), "
		"source || ' ' || inputs || ' ' || options, same_as FROM run ORDER BY id",
		gc->err);
	int got = -1;
	while (st && (got = stmt_row(gc->store, st, gc->err)) == 1) {
		struct gc_run run = {
			.id = sqlite3_column_int64(st, 0),
			.started_ms = sqlite3_column_int64(st, 1),
			.pinned = sqlite3_column_int(st, 2) != 0,
			.from = gc->held.len,
		};
		each_digest(column_view(st, 3), name_found, gc);
		int64_t stands_as = sqlite3_column_int64(st, 4);
		if (!load_nodes(gc, stands_as ? stands_as : run.id)) {
			stmt_done(st);
			return false;
		}
		run.to = gc->held.len;
		hold_all(gc, run.from, run.to);
		*vec_push(&gc->runs) = run;
		/* What stands for a run that stays must stay: it is older, so it is there already. */
		struct gc_run *same = run.pinned && stands_as ? run_of(gc, stands_as) : NULL;
		if (same) {
			same->pinned = true;
		}
	}
	return got == 0;
}

/* What a pinned run made or used. */
static bool load_pins(struct gc *gc)
{
	sqlite3_stmt *st = stmt_get(gc->store, STMT_GC_PINS,
		"SELECT run, result FROM reused UNION SELECT run, result FROM node WHERE result <> 0 "
		"ORDER BY 2",
		gc->err);
	struct map pinned = {0};
	int got = -1;
	while (st && (got = stmt_row(gc->store, st, gc->err)) == 1) {
		const struct gc_run *run = run_of(gc, sqlite3_column_int64(st, 0));
		if (run && run->pinned) {
			int64_t *id = arena_new(&gc->arena, int64_t);
			*id = sqlite3_column_int64(st, 1);
			map_put(&pinned, str_make((const char *)id, sizeof(*id)), id);
		}
	}
	for (size_t i = 0; i < gc->results.len; i++) {
		struct gc_result *result = &gc->results.ptr[i];
		struct gc_run *run = run_of(gc, result->run);
		result->pinned =
			(run && run->pinned) ||
			map_get(&pinned, str_make((const char *)&result->id, sizeof(result->id)));
		if (run) {
			run->results++;
		}
	}
	map_finish(&pinned);
	return got == 0;
}

/* Blobs with a greater seq may belong to a run that goes on, in this process or another. */
static bool live_mark(struct gc *gc, int64_t *mark)
{
	struct run_list running;
	*mark = gc->store->blob_mark >= 0 ? gc->store->blob_mark : INT64_MAX;
	if (!runs_running(gc->store, &gc->arena, &running, gc->err)) {
		return false;
	}
	for (size_t i = 0; i < running.len; i++) {
		int64_t one;
		if (!running.ptr[i].is_live) {
			continue;
		}
		if (!runs_blob_mark(gc->store, running.ptr[i].id, &one, gc->err)) {
			return false;
		}
		*mark = one < *mark ? one : *mark;
	}
	return true;
}

/* DECIDING */

static void drop_result(struct gc *gc, struct gc_result *result)
{
	if (result->pinned || result->gone) {
		return;
	}
	struct gc_run *run = run_of(gc, result->run);
	if (run) {
		run->results--;
	}
	result->gone = true;
	release_all(gc, result->from, result->to);
}

static void drop_run(struct gc *gc, struct gc_run *run)
{
	if (run->pinned || run->gone || run->results > 0) {
		return;
	}
	run->gone = true;
	release_all(gc, run->from, run->to);
}

static void drop_old(struct gc *gc)
{
	if (gc->options->older_than_ms <= 0) {
		return;
	}
	int64_t since = gc->options->now_ms - gc->options->older_than_ms;
	for (size_t i = 0; i < gc->results.len; i++) {
		if (gc->results.ptr[i].made_ms < since) {
			drop_result(gc, &gc->results.ptr[i]);
		}
	}
	for (size_t i = 0; i < gc->runs.len; i++) {
		if (gc->runs.ptr[i].started_ms < since) {
			drop_run(gc, &gc->runs.ptr[i]);
		}
	}
}

/* Run by run, the oldest first: its results, then itself. */
static void drop_until_small(struct gc *gc)
{
	uint64_t max = gc->options->max_bytes;
	size_t at = 0;
	size_t run_at = 0;
	while (max > 0 && gc->live_bytes > max && (at < gc->results.len || run_at < gc->runs.len)) {
		int64_t run = run_at < gc->runs.len ? gc->runs.ptr[run_at].id : INT64_MAX;
		if (at < gc->results.len && gc->results.ptr[at].run <= run) {
			drop_result(gc, &gc->results.ptr[at++]);
		} else {
			drop_run(gc, &gc->runs.ptr[run_at++]);
		}
	}
}

static void count(struct gc *gc)
{
	struct gc_report *report = gc->report;
	for (size_t i = 0; i < gc->results.len; i++) {
		*(gc->results.ptr[i].gone ? &report->results : &report->kept_results) += 1;
	}
	for (size_t i = 0; i < gc->runs.len; i++) {
		report->runs += gc->runs.ptr[i].gone;
	}
	for (size_t i = 0; i < gc->order.len; i++) {
		const struct gc_blob *blob = gc->order.ptr[i];
		bool goes = blob->holders == 0 && !blob->in_use;
		report->blobs += goes;
		*(goes ? &report->bytes : &report->kept_bytes) += blob->size;
	}
}

/* DOING */

static bool remove_rows(struct gc *gc)
{
	struct store *store = gc->store;
	for (size_t i = 0; i < gc->results.len; i++) {
		if (gc->results.ptr[i].gone &&
			!results_remove(store, gc->results.ptr[i].id, gc->err)) {
			return false;
		}
	}
	sqlite3_stmt *st =
		stmt_get(store, STMT_GC_RUN_REMOVE, "DELETE FROM run WHERE id = ?1", gc->err);
	for (size_t i = 0; st && i < gc->runs.len; i++) {
		if (gc->runs.ptr[i].gone) {
			if (!runs_hand_over(store, gc->runs.ptr[i].id, gc->err)) {
				return false;
			}
			stmt_int(st, 1, gc->runs.ptr[i].id);
			if (!stmt_run(store, st, gc->err)) {
				return false;
			}
		}
	}
	store->run = 0;
	for (size_t i = 0; st && i < gc->order.len; i++) {
		const struct gc_blob *blob = gc->order.ptr[i];
		if (blob->holders == 0 && !blob->in_use &&
			!cas_remove(store, &blob->digest, gc->err)) {
			return false;
		}
	}
	int rc = sqlite3_exec(store->db,
		"DELETE FROM transcript WHERE NOT EXISTS (SELECT 1 FROM result WHERE transcript = transcript.id);"
		"DELETE FROM consumed WHERE NOT EXISTS (SELECT 1 FROM result WHERE id = consumed.result);"
		"DELETE FROM reused WHERE NOT EXISTS (SELECT 1 FROM result WHERE id = reused.result);"
		"DELETE FROM owned WHERE place <> '' AND NOT EXISTS "
		"(SELECT 1 FROM run WHERE place = 'runs/' || run.id || '/artifacts');",
		NULL, NULL, NULL);
	if (rc != SQLITE_OK) {
		struct err own = {0};
		store_sql_err(store->db, rc, "collecting garbage", &own);
		return store_write_fail(store, &own, gc->err);
	}
	return st && store_flush(store, gc->err);
}

/* Directories of runs that have no row, below one of the state's: of those that went now, and of those that a killed gc left. */
static bool remove_run_dirs(struct gc *gc, const char *below)
{
	int fd =
		openat(gc->store->state_fd, below, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	if (!dir) {
		if (fd >= 0) {
			close(fd);
		}
		return true;
	}
	sqlite3_stmt *st =
		stmt_get(gc->store, STMT_GC_RUN_IS, "SELECT 1 FROM run WHERE id = ?1", gc->err);
	bool ok = st != NULL;
	for (struct dirent *entry; ok && (entry = readdir(dir));) {
		uint64_t id;
		int64_t exists;
		if (!str_to_u64(str_of(entry->d_name), &id)) {
			continue;
		}
		stmt_int(st, 1, (int64_t)id);
		ok = stmt_one(gc->store, st, 0, &exists, gc->err);
		if (ok && !exists) {
			fs_step("gc: before removing a directory");
			ok = fs_remove_tree(dirfd(dir), entry->d_name, gc->err);
		}
	}
	closedir(dir);
	return ok;
}

/* Gives pages back where it is worth rewriting the database.  Its failure costs nothing. */
static void shrink(struct store *store)
{
	if (store->reads > 0) {
		return;
	}
	sqlite3_stmt *st = stmt_get(store, STMT_GC_SPACE,
		"SELECT freelist_count > 256 AND freelist_count * 4 > page_count "
		"FROM pragma_freelist_count, pragma_page_count",
		NULL);
	int64_t worth;
	if (st && stmt_one(store, st, 0, &worth, NULL) && worth) {
		sqlite3_exec(store->db, "VACUUM", NULL, NULL, NULL);
	}
	sqlite3_exec(store->db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL);
}

static bool collect(struct gc *gc)
{
	int64_t mark;
	/* What is marked may not change until what is unmarked is gone. */
	if (!gc->options->dry_run && !store_write_begin(gc->store, gc->err)) {
		return false;
	}
	if (!live_mark(gc, &mark) || !load_blobs(gc, mark) || !load_results(gc) || !load_runs(gc) ||
		!load_pins(gc)) {
		return false;
	}
	drop_old(gc);
	drop_until_small(gc);
	count(gc);
	return gc->options->dry_run ||
	       (remove_rows(gc) && remove_run_dirs(gc, "runs") && remove_run_dirs(gc, "lost"));
}

bool store_gc(struct store *store, const struct gc_options *options, struct gc_report *report,
	struct err *err)
{
	struct gc gc = {.store = store, .options = options, .report = report, .err = err};
	*report = (struct gc_report){0};
	/* What this process has written counts as it will be. */
	bool ok = store_flush(store, err) && collect(&gc);
	if (ok && !options->dry_run) {
		cas_sweep_tmp(store);
		ok = cas_sweep_orphans(store, &report->blobs, &report->bytes, err);
		shrink(store);
	}
	if (!ok) {
		store_write_cancel(store);
	}
	for (size_t i = 0; i < gc.order.len; i++) {
		vec_finish(&gc.order.ptr[i]->names);
	}
	vec_finish(&gc.order);
	vec_finish(&gc.results);
	vec_finish(&gc.runs);
	vec_finish(&gc.held);
	map_finish(&gc.blobs);
	arena_finish(&gc.arena);
	return ok;
}
