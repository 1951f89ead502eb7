/* verdicts: statements on outputs.  A row is believed only with its checksum.  It knows no rule by which they are given. */
#include "store/results.h"

#include "store/stmt.h"

static const char *const kind_names[] = {
	[VERDICT_INVALIDATED] = "invalidated",
	[VERDICT_QUARANTINED] = "quarantined",
	[VERDICT_SUSPECT] = "suspect",
	[VERDICT_EXONERATED] = "exonerated",
};

#define VERDICT_COLUMNS \
	"kind, workflow, node, output, manifest, result, run, by, reason, at_ms, automatic, released_ms"
#define VERDICT_SELECT "SELECT id, " VERDICT_COLUMNS ", checksum FROM verdict "

static const struct field verdict_fields[] = {
	FIELD(VERDICT_KIND, verdict_row, kind),
	FIELD(STR, verdict_row, workflow),
	FIELD(STR, verdict_row, node),
	FIELD(DIGEST, verdict_row, output),
	FIELD(DIGEST, verdict_row, manifest),
	FIELD(INT, verdict_row, result),
	FIELD(INT, verdict_row, run),
	FIELD(STR, verdict_row, by),
	FIELD(STR, verdict_row, reason),
	FIELD(INT, verdict_row, at_ms),
	FIELD(BOOL, verdict_row, automatic),
	FIELD(INT, verdict_row, released_ms),
};
enum { VERDICT_COUNT = sizeof(verdict_fields) / sizeof(verdict_fields[0]) };

const char *verdict_kind_name(enum verdict_kind kind)
{
	return kind_names[kind];
}

bool verdicts_add(struct store *store, const struct verdict_row *row, int64_t *id, struct err *err)
{
	if (!store_write_begin(store, err)) {
		return false;
	}
	sqlite3_stmt *st = stmt_get(store, STMT_VERDICT_ID,
		"SELECT seq + 1 FROM sqlite_sequence WHERE name = 'verdict'", err);
	int64_t next;
	if (!st || !stmt_one(store, st, 1, &next, err)) {
		return false;
	}
	st = stmt_get(store, STMT_VERDICT_ADD,
		"INSERT INTO verdict (id, " VERDICT_COLUMNS ", checksum) "
		"VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
		err);
	if (!st) {
		return false;
	}
	struct digest sum = fields_checksum(store, FIELDS(verdict_fields), row, next);
	stmt_int(st, 1, next);
	fields_bind(st, 2, FIELDS(verdict_fields), row);
	stmt_blob(st, VERDICT_COUNT + 2, str_make((const char *)sum.bytes, CHECKSUM_SIZE));
	if (id)
		*id = next;
	return stmt_run(store, st, err);
}

/* No result of the node is reused any more. */
static bool distrust(struct store *store, str workflow, str node, struct err *err)
{
	struct arena arena = {0};
	struct result_list list;
	bool ok = workflow.len == 0 || results_list(store, &arena, workflow, false, &list, err);
	for (size_t i = 0; ok && workflow.len > 0 && i < list.len; i++) {
		if (str_eq(list.ptr[i].node, node)) {
			ok = results_drop(store, list.ptr[i].id, err);
		}
	}
	arena_finish(&arena);
	return ok;
}

/* What it said is lost, and may have been that an output must not be used.  One of its columns is wrong, and that may be the
 * node's name: the result that it names tells whom it spoke of, too. */
static bool remove_damaged(struct store *store, const struct verdict_row *row, struct err *err)
{
	store_count_damaged(store);
	if (store->mode != STORE_WRITE || err_is_set(&store->error)) {
		return true;
	}
	if (!store_write_begin(store, err)) {
		return false;
	}
	struct arena arena = {0};
	struct result_row judged;
	bool found = false;
	bool ok = distrust(store, row->workflow, row->node, err) &&
	          results_get(store, &arena, row->result, &judged, &found, err) &&
	          (!found || distrust(store, judged.workflow, judged.node, err));
	arena_finish(&arena);
	sqlite3_stmt *st =
		ok ? stmt_get(store, STMT_VERDICT_REMOVE, "DELETE FROM verdict WHERE id = ?1", err)
		   : NULL;
	if (!st) {
		return false;
	}
	stmt_int(st, 1, row->id);
	return stmt_run(store, st, err);
}

static bool read_verdict(
	struct store *store, sqlite3_stmt *st, struct verdict_row *out, struct arena *arena)
{
	*out = (struct verdict_row){.id = sqlite3_column_int64(st, 0)};
	if (!fields_read(st, 1, FIELDS(verdict_fields), out, arena)) {
		return false;
	}
	struct digest sum = fields_checksum(store, FIELDS(verdict_fields), out, out->id);
	return checksum_holds(st, VERDICT_COUNT + 1, &sum);
}

static void list_push(
	struct arena *arena, struct verdict_list *list, size_t *cap, const struct verdict_row *row)
{
	if (list->len == *cap) {
		size_t next = *cap ? *cap * 4 : 4;
		struct verdict_row *grown = arena_array(arena, struct verdict_row, next);
		if (list->len > 0) {
			memcpy(grown, list->ptr, list->len * sizeof(*grown));
		}
		list->ptr = grown;
		*cap = next;
	}
	list->ptr[list->len++] = *row;
}

static bool read_list(struct store *store, sqlite3_stmt *st, struct arena *arena,
	struct verdict_list *out, struct err *err)
{
	struct verdict_list bad = {0};
	size_t cap = 0;
	size_t bad_cap = 0;
	int got;
	*out = (struct verdict_list){0};
	while ((got = stmt_row(store, st, err)) == 1) {
		struct verdict_row row;
		if (read_verdict(store, st, &row, arena)) {
			list_push(arena, out, &cap, &row);
		} else {
			list_push(arena, &bad, &bad_cap, &row);
		}
	}
	out->damaged = bad.len;
	for (size_t i = 0; got == 0 && i < bad.len; i++) {
		if (!remove_damaged(store, &bad.ptr[i], err)) {
			return false;
		}
	}
	return got == 0;
}

bool verdicts_on(struct store *store, struct arena *arena, str workflow, str node,
	const struct digest *output, const struct digest *manifest, struct verdict_list *out,
	struct err *err)
{
	/* All of the node are read: one that is damaged may have been on this output and holding, whatever it says now. */
	*out = (struct verdict_list){0};
	sqlite3_stmt *st = stmt_get(store, STMT_VERDICT_ON,
		VERDICT_SELECT "WHERE workflow = ?1 AND node = ?2 ORDER BY id DESC", err);
	if (!st) {
		return false;
	}
	static const struct digest none;
	const struct digest *artifacts = manifest ? manifest : &none;
	stmt_str(st, 1, workflow);
	stmt_str(st, 2, node);
	if (!read_list(store, st, arena, out, err)) {
		return false;
	}
	size_t kept = 0;
	for (size_t i = 0; i < out->len; i++) {
		const struct verdict_row *row = &out->ptr[i];
		if (row->released_ms == 0 && digest_eq(&row->output, output) &&
			digest_eq(&row->manifest, artifacts)) {
			out->ptr[kept++] = *row;
		}
	}
	out->len = kept;
	return true;
}

bool verdicts_list(struct store *store, struct arena *arena, bool released_too,
	struct verdict_list *out, struct err *err)
{
	*out = (struct verdict_list){0};
	sqlite3_stmt *st = stmt_get(store, STMT_VERDICT_LIST,
		VERDICT_SELECT "WHERE released_ms = 0 OR ?1 ORDER BY id DESC", err);
	if (!st) {
		return false;
	}
	stmt_int(st, 1, released_too);
	return read_list(store, st, arena, out, err);
}

static bool release_all(
	struct store *store, const struct verdict_list *list, int64_t at_ms, struct err *err)
{
	for (size_t i = 0; i < list->len; i++) {
		struct verdict_row row = list->ptr[i];
		if (row.released_ms != 0) {
			continue;
		}
		row.released_ms = at_ms != 0 ? at_ms : 1;
		sqlite3_stmt *st = stmt_get(store, STMT_VERDICT_SET_RELEASED,
			"UPDATE verdict SET released_ms = ?2, checksum = ?3 WHERE id = ?1", err);
		if (!st) {
			return false;
		}
		struct digest sum = fields_checksum(store, FIELDS(verdict_fields), &row, row.id);
		stmt_int(st, 1, row.id);
		stmt_int(st, 2, row.released_ms);
		stmt_blob(st, 3, str_make((const char *)sum.bytes, CHECKSUM_SIZE));
		if (!stmt_run(store, st, err)) {
			return false;
		}
	}
	return true;
}

bool verdicts_release(struct store *store, int64_t id, int64_t at_ms, struct err *err)
{
	if (!store_write_begin(store, err)) {
		return false;
	}
	sqlite3_stmt *st = stmt_get(store, STMT_VERDICT_GET, VERDICT_SELECT "WHERE id = ?1", err);
	if (!st) {
		return false;
	}
	stmt_int(st, 1, id);
	struct arena arena = {0};
	struct verdict_list list;
	bool ok = read_list(store, st, &arena, &list, err) && release_all(store, &list, at_ms, err);
	arena_finish(&arena);
	return ok;
}

bool verdicts_release_kind(struct store *store, str workflow, str node, enum verdict_kind kind,
	int64_t at_ms, struct err *err)
{
	if (!store_write_begin(store, err)) {
		return false;
	}
	sqlite3_stmt *st = stmt_get(store, STMT_VERDICT_OF,
		VERDICT_SELECT
		"WHERE workflow = ?1 AND node = ?2 AND kind = ?3 AND released_ms = 0",
		err);
	if (!st) {
		return false;
	}
	stmt_str(st, 1, workflow);
	stmt_str(st, 2, node);
	stmt_str(st, 3, str_of(verdict_kind_name(kind)));
	struct arena arena = {0};
	struct verdict_list list;
	bool ok = read_list(store, st, &arena, &list, err) && release_all(store, &list, at_ms, err);
	arena_finish(&arena);
	return ok;
}
