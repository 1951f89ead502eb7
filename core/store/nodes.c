/* nodes: what became of each node in each run.  It knows rows, not why they are so. */
#include "store/runs.h"

#include "store/rows_inner.h"
#include "store/stmt.h"

static const char *const node_names[] = {
	[NODE_PENDING] = "pending",
	[NODE_READY] = "ready",
	[NODE_RUNNING] = "running",
	[NODE_COMPLETED] = "completed",
	[NODE_REUSED] = "reused",
	[NODE_FAILED] = "failed",
	[NODE_SKIPPED] = "skipped",
	[NODE_CANCELLED] = "cancelled",
	[NODE_PAUSED] = "paused",
};

#define NODE_COLUMNS_BUT_RUN                                                                                    \
	"node, attempt, seq, state, type, reason, sentence, key, result, origin, tries, started_ms, ended_ms, " \
	"exit_code, signal, error, output, output_size, log, log_size, inputs, extra"
#define NODE_COLUMNS "run, " NODE_COLUMNS_BUT_RUN

static const struct field node_fields[] = {
	FIELD(INT, node_row, run),
	FIELD(STR, node_row, node),
	FIELD(INT, node_row, attempt),
	FIELD(INT, node_row, seq),
	FIELD(NODE_STATE, node_row, state),
	FIELD(STR, node_row, type),
	FIELD(STR, node_row, reason),
	FIELD(STR, node_row, sentence),
	FIELD(STR, node_row, key),
	FIELD(INT, node_row, result),
	FIELD(INT, node_row, origin),
	FIELD(INT, node_row, tries),
	FIELD(INT, node_row, started_ms),
	FIELD(INT, node_row, ended_ms),
	FIELD(INT, node_row, exit_code),
	FIELD(INT, node_row, signal),
	FIELD(STR, node_row, error),
	FIELD(STR, node_row, output),
	FIELD(INT, node_row, output_size),
	FIELD(STR, node_row, log),
	FIELD(INT, node_row, log_size),
	FIELD(STR, node_row, inputs),
	FIELD(STR, node_row, extra),
};
#define NODE_COUNT ((int)(sizeof(node_fields) / sizeof(node_fields[0])))

const char *node_state_name(enum node_state state)
{
	return node_names[state];
}

bool node_state_parse(str name, enum node_state *out)
{
	for (size_t i = 0; i < sizeof(node_names) / sizeof(node_names[0]); i++) {
		if (str_is(name, node_names[i])) {
			*out = (enum node_state)i;
			return true;
		}
	}
	return false;
}

/* Loads what is the same for every node and event of a run.  Only the process that owns a run writes to it. */
static bool enter_run(struct store *store, int64_t run, struct err *err)
{
	if (run != 0 && store->run == run) {
		return true;
	}
	sqlite3_stmt *st =
		stmt_get(store, STMT_RUN_WORKFLOW, "SELECT workflow FROM run WHERE id = ?1", err);
	if (!st) {
		return false;
	}
	stmt_int(st, 1, run);
	int got = stmt_row(store, st, err);
	if (got < 0) {
		return false;
	}
	if (got == 0) {
		return err_set(err, "E-STORE-RUN", "there is no run %lld", (long long)run);
	}
	buf_clear(&store->run_workflow);
	buf_add(&store->run_workflow, column_view(st, 0));
	stmt_done(st);

	st = stmt_get(store, STMT_NODE_SEQ, "SELECT max(seq) FROM node WHERE run = ?1", err);
	if (!st) {
		return false;
	}
	stmt_int(st, 1, run);
	if (!stmt_one(store, st, 0, &store->node_seq, err)) {
		return false;
	}
	st = stmt_get(store, STMT_EVENT_SEQ, "SELECT max(seq) FROM event WHERE run = ?1", err);
	if (!st) {
		return false;
	}
	stmt_int(st, 1, run);
	if (!stmt_one(store, st, 0, &store->event_seq, err)) {
		return false;
	}
	store->run = run;
	return true;
}

bool nodes_put(struct store *store, const struct node_row *row, struct err *err)
{
	if (!store_write_begin(store, err) || !enter_run(store, row->run, err)) {
		return false;
	}
	sqlite3_stmt *st = stmt_get(store, STMT_NODE_PUT,
		"INSERT INTO node (" NODE_COLUMNS
		", workflow) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, "
		"?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24) "
		"ON CONFLICT (run, node) DO UPDATE SET (attempt, seq, state, type, reason, sentence, key, result, "
		"origin, tries, started_ms, ended_ms, exit_code, signal, error, output, output_size, log, log_size, "
		"inputs, extra) = (?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, "
		"?20, ?21, ?22, ?23)",
		err);
	if (!st) {
		return false;
	}
	fields_bind(st, 1, FIELDS(node_fields), row);
	int64_t seq = row->seq > 0 ? row->seq : store->node_seq + 1;
	if (seq > store->node_seq) {
		store->node_seq = seq;
	}
	stmt_int(st, 4, seq);
	stmt_str(st, NODE_COUNT + 1, buf_str(&store->run_workflow));
	return stmt_run(store, st, err);
}

static bool read_node(sqlite3_stmt *st, struct node_row *out, struct arena *arena, struct err *err)
{
	*out = (struct node_row){0};
	return fields_read(st, 0, FIELDS(node_fields), out, arena) ||
	       err_set(err, "E-STORE-DAMAGED", "the row of a node of run %lld is damaged",
		       (long long)out->run);
}

static bool read_one(struct store *store, sqlite3_stmt *st, struct arena *arena,
	struct node_row *out, bool *found, struct err *err)
{
	*found = false;
	int got = stmt_row(store, st, err);
	if (got <= 0) {
		return got == 0;
	}
	*found = read_node(st, out, arena, err);
	stmt_done(st);
	return *found;
}

/* The run under which the rows of run ?1 stand. */
#define ROWS_OF_RUN "(SELECT ifnull(max(same_as), 0) FROM run WHERE id = ?1)"
#define OF_RUN      "run = coalesce(nullif(" ROWS_OF_RUN ", 0), ?1)"

/* Rows of another run stand for those of run `run`, with its time; how long ago it was that a result was made is left out,
 * since that was said at another time. */
static bool stand_in(
	struct store *store, int64_t run, struct node_row *rows, size_t count, struct err *err)
{
	if (count == 0 || rows[0].run == run) {
		return true;
	}
	int64_t started_ms;
	sqlite3_stmt *st =
		stmt_get(store, STMT_RUN_STARTED, "SELECT started_ms FROM run WHERE id = ?1", err);
	if (!st) {
		return false;
	}
	stmt_int(st, 1, run);
	if (!stmt_one(store, st, 0, &started_ms, err)) {
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		rows[i].run = run;
		rows[i].started_ms = rows[i].ended_ms = started_ms;
		if (rows[i].state == NODE_REUSED) {
			size_t age = str_find(rows[i].sentence, STR(", "), 0);
			rows[i].sentence.len = age == SIZE_MAX ? rows[i].sentence.len : age;
		}
	}
	return true;
}

bool nodes_get(struct store *store, struct arena *arena, int64_t run, str node,
	struct node_row *out, bool *found, struct err *err)
{
	sqlite3_stmt *st = stmt_get(store, STMT_NODE_GET,
		"SELECT " NODE_COLUMNS " FROM node WHERE " OF_RUN " AND node = ?2", err);
	*found = false;
	if (!st) {
		return false;
	}
	stmt_int(st, 1, run);
	stmt_str(st, 2, node);
	return read_one(store, st, arena, out, found, err) &&
	       stand_in(store, run, out, *found ? 1 : 0, err);
}

bool nodes_list(struct store *store, struct arena *arena, int64_t run, struct node_list *out,
	struct err *err)
{
	*out = (struct node_list){0};
	sqlite3_stmt *st = stmt_get(store, STMT_NODE_LIST,
		"SELECT " NODE_COLUMNS " FROM node WHERE " OF_RUN " ORDER BY seq, id", err);
	if (!st) {
		return false;
	}
	stmt_int(st, 1, run);
	size_t cap = 0;
	int got;
	while ((got = stmt_row(store, st, err)) == 1) {
		if (out->len == cap) {
			cap = cap ? cap * 2 : 16;
			struct node_row *grown = arena_array(arena, struct node_row, cap);
			if (out->len > 0) {
				memcpy(grown, out->ptr, out->len * sizeof(*grown));
			}
			out->ptr = grown;
		}
		if (!read_node(st, &out->ptr[out->len], arena, err)) {
			stmt_done(st);
			return false;
		}
		out->len++;
	}
	return got == 0 && stand_in(store, run, out->ptr, out->len, err);
}

bool nodes_copy(struct store *store, int64_t from, int64_t to, struct err *err)
{
	sqlite3_stmt *st = stmt_get(store, STMT_NODE_COPY,
		"INSERT OR IGNORE INTO node (run, workflow, " NODE_COLUMNS_BUT_RUN
		") SELECT ?2, workflow, " NODE_COLUMNS_BUT_RUN
		" FROM node WHERE run = ?1 ORDER BY id",
		err);
	if (!st) {
		return false;
	}
	stmt_int(st, 1, from);
	stmt_int(st, 2, to);
	if (!stmt_run(store, st, err)) {
		return false;
	}
	st = stmt_get(store, STMT_REUSED_COPY,
		"INSERT OR IGNORE INTO reused (result, run) SELECT result, ?2 FROM reused WHERE run = ?1",
		err);
	if (!st) {
		return false;
	}
	stmt_int(st, 1, from);
	stmt_int(st, 2, to);
	return stmt_run(store, st, err);
}

bool nodes_newest(struct store *store, struct arena *arena, str workflow, str node,
	struct node_row *out, bool *found, struct err *err)
{
	sqlite3_stmt *st = stmt_get(store, STMT_NODE_NEWEST,
		"SELECT " NODE_COLUMNS
		" FROM node WHERE workflow = ?1 AND node = ?2 ORDER BY run DESC LIMIT 1",
		err);
	*found = false;
	if (!st) {
		return false;
	}
	stmt_str(st, 1, workflow);
	stmt_str(st, 2, node);
	return read_one(store, st, arena, out, found, err);
}

bool nodes_passed_last(struct store *store, struct arena *arena, str workflow, int64_t but,
	struct map *out, struct err *err)
{
	sqlite3_stmt *st = stmt_get(store, STMT_NODE_PASSED,
		"SELECT node FROM node WHERE run = (SELECT CASE WHEN same_as THEN same_as ELSE id END FROM run "
		"WHERE workflow = ?1 AND id <> ?2 ORDER BY id DESC LIMIT 1) "
		"AND state IN ('completed', 'reused')",
		err);
	if (!st) {
		return false;
	}
	stmt_str(st, 1, workflow);
	stmt_int(st, 2, but);
	int got;
	while ((got = stmt_row(store, st, err)) == 1) {
		str name = arena_str(arena, column_view(st, 0));
		map_put(out, name, (void *)(uintptr_t)name.ptr);
	}
	return got == 0;
}

bool events_add(struct store *store, int64_t run, int64_t at_ms, str node, str kind, str json,
	struct err *err)
{
	if (!store_write_begin(store, err) || !enter_run(store, run, err)) {
		return false;
	}
	sqlite3_stmt *st = stmt_get(store, STMT_EVENT_ADD,
		"INSERT INTO event (run, seq, at_ms, node, kind, json) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
		err);
	if (!st) {
		return false;
	}
	stmt_int(st, 1, run);
	stmt_int(st, 2, ++store->event_seq);
	stmt_int(st, 3, at_ms);
	stmt_str(st, 4, node);
	stmt_str(st, 5, kind);
	stmt_str(st, 6, json);
	return stmt_run(store, st, err);
}

bool events_each(struct store *store, int64_t run,
	void (*fn)(void *arg, int64_t seq, int64_t at_ms, str node, str kind, str json), void *arg,
	struct err *err)
{
	sqlite3_stmt *st = stmt_get(store, STMT_EVENT_EACH,
		"SELECT seq, at_ms, node, kind, json FROM event WHERE run = ?1 ORDER BY seq", err);
	if (!st) {
		return false;
	}
	stmt_int(st, 1, run);
	int got;
	while ((got = stmt_row(store, st, err)) == 1) {
		fn(arg, sqlite3_column_int64(st, 0), sqlite3_column_int64(st, 1),
			column_view(st, 2), column_view(st, 3), column_view(st, 4));
	}
	return got == 0;
}

bool kv_get(struct store *store, struct arena *arena, str plugin, str key, str *out, bool *found,
	struct err *err)
{
	*found = false;
	*out = STR("");
	sqlite3_stmt *st = stmt_get(
		store, STMT_KV_GET, "SELECT value FROM kv WHERE plugin = ?1 AND key = ?2", err);
	if (!st) {
		return false;
	}
	stmt_str(st, 1, plugin);
	stmt_str(st, 2, key);
	int got = stmt_row(store, st, err);
	if (got == 1) {
		*found = true;
		*out = column_str(arena, st, 0);
		stmt_done(st);
	}
	return got >= 0;
}

bool kv_put(struct store *store, str plugin, str key, str value, struct err *err)
{
	if (!store_write_begin(store, err)) {
		return false;
	}
	sqlite3_stmt *st = stmt_get(store, STMT_KV_PUT,
		"INSERT INTO kv (plugin, key, value) VALUES (?1, ?2, ?3) "
		"ON CONFLICT (plugin, key) DO UPDATE SET value = excluded.value",
		err);
	if (!st) {
		return false;
	}
	stmt_str(st, 1, plugin);
	stmt_str(st, 2, key);
	stmt_blob(st, 3, value);
	return stmt_run(store, st, err);
}
