/* runs: the table of runs.  It knows numbers, states and owners; what a run does is the engine's. */
#include "store/runs.h"

#include "store/cas_inner.h"
#include "store/rows_inner.h"
#include "store/stmt.h"

static const char *const run_names[] = {
	[RUN_RUNNING] = "running",
	[RUN_PAUSED] = "paused",
	[RUN_COMPLETED] = "completed",
	[RUN_FAILED] = "failed",
	[RUN_CANCELLED] = "cancelled",
	[RUN_INTERRUPTED] = "interrupted",
	[RUN_ABANDONED] = "abandoned",
};

#define RUN_COLUMNS                                                                                            \
	"attempt, state, workflow, file, source, inputs, arguments, options, continues, parent, parent_node, " \
	"started_ms, ended_ms, owner_pid, owner_start, owner_boot, error, same_as"

static const struct field run_fields[] = {
	FIELD(INT, run_row, attempt),
	FIELD(RUN_STATE, run_row, state),
	FIELD(STR, run_row, workflow),
	FIELD(STR, run_row, file),
	FIELD(STR, run_row, source),
	FIELD(STR, run_row, inputs),
	FIELD(STR, run_row, arguments),
	FIELD(STR, run_row, options),
	FIELD(INT, run_row, continues),
	FIELD(INT, run_row, parent),
	FIELD(STR, run_row, parent_node),
	FIELD(INT, run_row, started_ms),
	FIELD(INT, run_row, ended_ms),
	FIELD(INT32, run_row, owner.pid),
	FIELD(INT, run_row, owner.start),
	FIELD(STR, run_row, owner_here),
	FIELD(STR, run_row, error),
	FIELD(INT, run_row, same_as),
};
#define RUN_COUNT ((int)(sizeof(run_fields) / sizeof(run_fields[0])))

const char *run_state_name(enum run_state state)
{
	return run_names[state];
}

bool run_state_parse(str name, enum run_state *out)
{
	for (size_t i = 0; i < sizeof(run_names) / sizeof(run_names[0]); i++) {
		if (str_is(name, run_names[i])) {
			*out = (enum run_state)i;
			return true;
		}
	}
	return false;
}

static struct run_row stamped(const struct store *store, const struct run_row *row)
{
	struct run_row out = *row;
	if (!out.owner_here.len)
		out.owner_here = str_of(store_here(store));
	return out;
}

bool runs_add(struct store *store, const struct run_row *row, int64_t *id, struct err *err)
{
	int64_t mark;
	const struct run_row stored = stamped(store, row);
	if (!store_write_begin(store, err) || !cas_mark(store, &mark, err)) {
		return false;
	}
	sqlite3_stmt *st = stmt_get(store, STMT_RUN_ADD,
		"INSERT INTO run (" RUN_COLUMNS ", blob_mark) "
		"VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)",
		err);
	if (!st) {
		return false;
	}
	fields_bind(st, 1, FIELDS(run_fields), &stored);
	stmt_int(st, RUN_COUNT + 1, mark);
	if (!stmt_run(store, st, err)) {
		return false;
	}
	*id = sqlite3_last_insert_rowid(store->db);
	return true;
}

bool runs_create(struct store *store, const struct run_row *row, int64_t *id, struct err *err)
{
	return runs_add(store, row, id, err) && store_flush(store, err);
}

bool runs_update(struct store *store, const struct run_row *row, struct err *err)
{
	const struct run_row stored = stamped(store, row);
	if (!store_write_begin(store, err)) {
		return false;
	}
	sqlite3_stmt *st = stmt_get(store, STMT_RUN_UPDATE,
		"UPDATE run SET (" RUN_COLUMNS ") = "
		"(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18) WHERE id = ?19",
		err);
	if (!st) {
		return false;
	}
	fields_bind(st, 1, FIELDS(run_fields), &stored);
	stmt_int(st, RUN_COUNT + 1, row->id);
	if (!stmt_run(store, st, err)) {
		return false;
	}
	if (sqlite3_changes(store->db) == 0) {
		return err_set(err, "E-STORE-RUN", "there is no run %lld", (long long)row->id);
	}
	return true;
}

static bool read_run(const struct store *store, sqlite3_stmt *st, struct run_row *out,
	struct arena *arena, struct err *err)
{
	*out = (struct run_row){.id = sqlite3_column_int64(st, 0)};
	if (!fields_read(st, 1, FIELDS(run_fields), out, arena))
		return err_set(err, "E-STORE-DAMAGED", "the row of run %lld is damaged",
			(long long)out->id);
	/* In a copy of a project, the other copy's run is nobody's. */
	out->is_live = out->state == RUN_RUNNING && str_is(out->owner_here, store_here(store)) &&
	               proc_is_alive(out->owner);
	return true;
}

bool runs_get(struct store *store, struct arena *arena, int64_t id, struct run_row *out,
	bool *found, struct err *err)
{
	*found = false;
	sqlite3_stmt *st = stmt_get(
		store, STMT_RUN_GET, "SELECT id, " RUN_COLUMNS " FROM run WHERE id = ?1", err);
	if (!st) {
		return false;
	}
	stmt_int(st, 1, id);
	int got = stmt_row(store, st, err);
	if (got <= 0) {
		return got == 0;
	}
	*found = read_run(store, st, out, arena, err);
	stmt_done(st);
	return *found;
}

static struct run_row *list_push(struct arena *arena, struct run_list *list, size_t *cap)
{
	if (list->len == *cap) {
		size_t next = *cap ? *cap * 2 : 16;
		struct run_row *grown = arena_array(arena, struct run_row, next);
		if (list->len > 0) {
			memcpy(grown, list->ptr, list->len * sizeof(*grown));
		}
		list->ptr = grown;
		*cap = next;
	}
	return &list->ptr[list->len++];
}

static bool read_list(struct store *store, sqlite3_stmt *st, struct arena *arena,
	struct run_list *out, struct err *err)
{
	size_t cap = 0;
	int got;
	while ((got = stmt_row(store, st, err)) == 1) {
		if (!read_run(store, st, list_push(arena, out, &cap), arena, err)) {
			stmt_done(st);
			return false;
		}
	}
	return got == 0;
}

bool runs_children(struct store *store, struct arena *arena, int64_t parent, struct run_list *out,
	struct err *err)
{
	*out = (struct run_list){0};
	/* A child is younger than its parent. */
	sqlite3_stmt *st = stmt_get(store, STMT_RUN_CHILDREN,
		"SELECT id, " RUN_COLUMNS
		" FROM run WHERE id > ?1 AND parent = ?1 ORDER BY id DESC",
		err);
	if (!st) {
		return false;
	}
	stmt_int(st, 1, parent);
	return read_list(store, st, arena, out, err);
}

bool runs_list(struct store *store, struct arena *arena, str workflow, size_t limit, bool children,
	struct run_list *out, struct err *err)
{
	*out = (struct run_list){0};
	sqlite3_stmt *st =
		workflow.len > 0
			? stmt_get(store, STMT_RUN_LIST_OF,
				  "SELECT id, " RUN_COLUMNS
				  " FROM run WHERE (parent = 0 OR ?2) AND workflow = ?3 "
				  "ORDER BY id DESC LIMIT ?1",
				  err)
			: stmt_get(store, STMT_RUN_LIST,
				  "SELECT id, " RUN_COLUMNS
				  " FROM run WHERE parent = 0 OR ?2 ORDER BY id DESC LIMIT ?1",
				  err);
	if (!st) {
		return false;
	}
	stmt_int(st, 1, limit > 0 && limit < INT64_MAX ? (int64_t)limit : -1);
	stmt_int(st, 2, children);
	if (workflow.len > 0) {
		stmt_str(st, 3, workflow);
	}
	return read_list(store, st, arena, out, err);
}

static bool interrupt(
	struct store *store, const struct run_row *row, bool *changed, struct err *err)
{
	if (!store_write_begin(store, err)) {
		return false;
	}
	/* Only what was looked at: a resume may have taken the run over since. */
	sqlite3_stmt *st = stmt_get(store, STMT_RUN_INTERRUPT,
		"UPDATE run SET state = 'interrupted', ended_ms = max(started_ms, ifnull("
		"(SELECT max(ended_ms) FROM node WHERE node.run = run.id), 0)) "
		"WHERE id = ?1 AND state = 'running' AND owner_pid = ?2 AND owner_start = ?3 AND owner_boot = ?4",
		err);
	if (!st) {
		return false;
	}
	stmt_int(st, 1, row->id);
	stmt_int(st, 2, row->owner.pid);
	stmt_int(st, 3, (int64_t)row->owner.start);
	stmt_str(st, 4, row->owner_here);
	if (!stmt_run(store, st, err)) {
		return false;
	}
	*changed = sqlite3_changes(store->db) > 0;
	return true;
}

bool runs_running(struct store *store, struct arena *arena, struct run_list *out, struct err *err)
{
	*out = (struct run_list){0};
	sqlite3_stmt *st = stmt_get(store, STMT_RUN_RUNNING,
		"SELECT id, " RUN_COLUMNS " FROM run WHERE state = 'running' ORDER BY id", err);
	if (!st) {
		return false;
	}
	size_t cap = 0;
	int got;
	while ((got = stmt_row(store, st, err)) == 1) {
		if (!read_run(store, st, list_push(arena, out, &cap), arena, err)) {
			stmt_done(st);
			return false;
		}
	}
	return got == 0;
}

static bool set_same_as(
	struct store *store, const char *sql, int64_t from, int64_t to, struct err *err)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(store->db, sql, -1, &st, NULL);
	if (rc != SQLITE_OK) {
		return store_sql_err(store->db, rc, "writing to the store", err);
	}
	stmt_int(st, 1, from);
	stmt_int(st, 2, to);
	bool ok = stmt_run(store, st, err);
	sqlite3_finalize(st);
	return ok;
}

bool runs_hand_over(struct store *store, int64_t id, struct err *err)
{
	int64_t heir;
	sqlite3_stmt *st = stmt_get(store, STMT_RUN_HEIR,
		"SELECT min(id) FROM run WHERE same_as <> 0 AND same_as = ?1", err);
	if (!st) {
		return false;
	}
	stmt_int(st, 1, id);
	if (!stmt_one(store, st, 0, &heir, err)) {
		return false;
	}
	return heir == 0 ||
	       (store_write_begin(store, err) && nodes_copy(store, id, heir, err) &&
		       set_same_as(store,
			       "UPDATE run SET same_as = CASE id WHEN ?2 THEN 0 ELSE ?2 END "
			       "WHERE same_as <> 0 AND same_as = ?1",
			       id, heir, err));
}

bool runs_unshare(struct store *store, struct run_row *row, struct err *err)
{
	int64_t from = row->same_as;
	if (!from) {
		return runs_hand_over(store, row->id, err);
	}
	row->same_as = 0;
	return store_write_begin(store, err) && nodes_copy(store, from, row->id, err) &&
	       set_same_as(store, "UPDATE run SET same_as = ?2 WHERE id = ?1", row->id, 0, err);
}

bool runs_are_running(struct store *store, const struct proc_id *but, bool *any, struct err *err)
{
	int64_t is_any = 0;
	sqlite3_stmt *st = stmt_get(store, STMT_RUN_ANY,
		"SELECT EXISTS (SELECT 1 FROM run WHERE state = 'running' AND owner_pid <> ?1)",
		err);
	if (!st) {
		return false;
	}
	stmt_int(st, 1, but ? but->pid : 0);
	bool ok = stmt_one(store, st, 0, &is_any, err);
	*any = is_any != 0;
	return ok;
}

bool runs_blob_mark(struct store *store, int64_t id, int64_t *out, struct err *err)
{
	sqlite3_stmt *st =
		stmt_get(store, STMT_RUN_MARK, "SELECT blob_mark FROM run WHERE id = ?1", err);
	if (!st) {
		return false;
	}
	stmt_int(st, 1, id);
	return stmt_one(store, st, 0, out, err);
}

bool runs_reconcile(
	struct store *store, struct arena *arena, int64_t **ids, size_t *count, struct err *err)
{
	struct run_list running;
	*ids = NULL;
	*count = 0;
	if (!runs_running(store, arena, &running, err)) {
		return false;
	}
	*ids = arena_array(arena, int64_t, running.len + 1);
	for (size_t i = 0; i < running.len; i++) {
		const struct run_row *row = &running.ptr[i];
		bool changed = true;
		if (row->is_live) {
			continue;
		}
		if (store->mode == STORE_WRITE && !interrupt(store, row, &changed, err)) {
			return false;
		}
		if (changed) {
			(*ids)[(*count)++] = row->id;
		}
	}
	return true;
}
