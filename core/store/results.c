/* results: the table of results, what runs recorded of them, and the transcripts of keys.  Rows are believed only with
 * their checksum.  It knows neither what a key is made of nor when a result may be reused. */
#include "store/results.h"

#include "store/rows_inner.h"
#include "store/stmt.h"

#define RESULT_COLUMNS                                                                                               \
	"workflow, node, key, trace, output, output_size, manifest, has_manifest, emits, provable, unproven, type, " \
	"run, attempt, made_ms, duration_ms, dropped"
#define RESULT_SELECT                                              \
	"SELECT result.id, " RESULT_COLUMNS_R                      \
	", result.checksum, transcript.text, transcript.checksum " \
	"FROM result LEFT JOIN transcript ON transcript.id = result.transcript "
#define RESULT_COLUMNS_R                                                                                              \
	"workflow, node, result.key, trace, output, output_size, manifest, has_manifest, emits, provable, unproven, " \
	"type, run, attempt, made_ms, duration_ms, dropped"

static const struct field result_fields[] = {
	FIELD(STR, result_row, workflow),
	FIELD(STR, result_row, node),
	FIELD(DIGEST, result_row, key),
	FIELD(STR, result_row, trace),
	FIELD(DIGEST, result_row, output),
	FIELD(INT, result_row, output_size),
	FIELD(DIGEST, result_row, manifest),
	FIELD(BOOL, result_row, has_manifest),
	FIELD(STR, result_row, emits),
	FIELD(BOOL, result_row, provable),
	FIELD(STR, result_row, unproven),
	FIELD(STR, result_row, type),
	FIELD(INT, result_row, run),
	FIELD(INT, result_row, attempt),
	FIELD(INT, result_row, made_ms),
	FIELD(INT, result_row, duration_ms),
	FIELD(BOOL, result_row, dropped),
};
enum {
	RESULT_COUNT = sizeof(result_fields) / sizeof(result_fields[0]),
	AT_CHECKSUM = RESULT_COUNT + 1,
	AT_TEXT,
	AT_TEXT_CHECKSUM,
};

/* TRANSCRIPTS */

struct transcript {
	struct digest key;
	str text;
};
static const struct field transcript_fields[] = {
	FIELD(DIGEST, transcript, key),
	FIELD(STR, transcript, text),
};

/* Stores the transcript of a key where it isn't stored yet; gives its row. */
static bool put_transcript(
	struct store *store, const struct result_row *row, int64_t *id, struct err *err)
{
	sqlite3_stmt *st = stmt_get(store, STMT_TRANSCRIPT_FIND,
		"SELECT id, text, checksum FROM transcript WHERE key = ?1", err);
	if (!st) {
		return false;
	}
	stmt_digest(st, 1, &row->key);
	int got = stmt_row(store, st, err);
	if (got < 0) {
		return false;
	}
	struct transcript transcript = {
		row->key, str_make(row->transcript.ptr, row->transcript.len)};
	struct digest sum = fields_checksum(store, FIELDS(transcript_fields), &transcript, 0);
	if (got == 1) {
		*id = sqlite3_column_int64(st, 0);
		bool same =
			str_eq(column_view(st, 1), transcript.text) && checksum_holds(st, 2, &sum);
		stmt_done(st);
		if (same) {
			return true;
		}
	}
	st = got == 1
	             ? stmt_get(store, STMT_TRANSCRIPT_SET,
			       "UPDATE transcript SET text = ?2, checksum = ?3 WHERE key = ?1", err)
	             : stmt_get(store, STMT_TRANSCRIPT_ADD,
			       "INSERT INTO transcript (key, text, checksum) VALUES (?1, ?2, ?3)",
			       err);
	if (!st) {
		return false;
	}
	stmt_digest(st, 1, &transcript.key);
	stmt_str(st, 2, transcript.text);
	stmt_blob(st, 3, str_make((const char *)sum.bytes, CHECKSUM_SIZE));
	if (!stmt_run(store, st, err)) {
		return false;
	}
	if (got == 0) {
		*id = sqlite3_last_insert_rowid(store->db);
	}
	return true;
}

/* WRITING */

bool results_put(struct store *store, const struct result_row *row, int64_t *id, struct err *err)
{
	int64_t transcript;
	if (!store_write_begin(store, err) || !put_transcript(store, row, &transcript, err)) {
		return false;
	}
	/* Known before the row, because the checksum covers it; never used twice, because rows of nodes name it. */
	sqlite3_stmt *st = stmt_get(store, STMT_RESULT_ID,
		"SELECT seq + 1 FROM sqlite_sequence WHERE name = 'result'", err);
	int64_t next;
	if (!st || !stmt_one(store, st, 1, &next, err)) {
		return false;
	}
	st = stmt_get(store, STMT_RESULT_ADD,
		"INSERT INTO result (id, " RESULT_COLUMNS
		", transcript, checksum) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, "
		"?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)",
		err);
	if (!st) {
		return false;
	}
	struct digest sum = fields_checksum(store, FIELDS(result_fields), row, next);
	stmt_int(st, 1, next);
	fields_bind(st, 2, FIELDS(result_fields), row);
	stmt_int(st, RESULT_COUNT + 2, transcript);
	stmt_blob(st, RESULT_COUNT + 3, str_make((const char *)sum.bytes, CHECKSUM_SIZE));
	*id = next;
	return stmt_run(store, st, err);
}

static bool set_dropped(struct store *store, const struct result_row *row, struct err *err)
{
	struct result_row dropped = *row;
	dropped.dropped = true;
	sqlite3_stmt *st = stmt_get(store, STMT_RESULT_SET_DROPPED,
		"UPDATE result SET dropped = 1, checksum = ?2 WHERE id = ?1", err);
	if (!st) {
		return false;
	}
	struct digest sum = fields_checksum(store, FIELDS(result_fields), &dropped, row->id);
	stmt_int(st, 1, row->id);
	stmt_blob(st, 2, str_make((const char *)sum.bytes, CHECKSUM_SIZE));
	return stmt_run(store, st, err);
}

bool results_remove(struct store *store, int64_t id, struct err *err)
{
	if (!store_write_begin(store, err)) {
		return false;
	}
	sqlite3_stmt *st =
		stmt_get(store, STMT_RESULT_REMOVE, "DELETE FROM result WHERE id = ?1", err);
	if (!st) {
		return false;
	}
	stmt_int(st, 1, id);
	return stmt_run(store, st, err);
}

/* READING */

/* Reads the row that the statement stands on; false where it doesn't hold together. */
static bool read_result(
	struct store *store, sqlite3_stmt *st, struct result_row *out, struct arena *arena)
{
	*out = (struct result_row){.id = sqlite3_column_int64(st, 0)};
	if (!fields_read(st, 1, FIELDS(result_fields), out, NULL)) {
		return false;
	}
	struct digest sum = fields_checksum(store, FIELDS(result_fields), out, out->id);
	if (!checksum_holds(st, AT_CHECKSUM, &sum)) {
		return false;
	}
	struct transcript transcript = {out->key, column_view(st, AT_TEXT)};
	sum = fields_checksum(store, FIELDS(transcript_fields), &transcript, 0);
	if (!checksum_holds(st, AT_TEXT_CHECKSUM, &sum)) {
		return false;
	}
	/* Copied only now that it is believed. */
	out->workflow = arena_str(arena, out->workflow);
	out->node = arena_str(arena, out->node);
	out->trace = arena_str(arena, out->trace);
	out->emits = arena_str(arena, out->emits);
	out->unproven = arena_str(arena, out->unproven);
	out->type = arena_str(arena, out->type);
	out->transcript = arena_str(arena, transcript.text);
	return true;
}

/* Rows that failed, to be removed once the statement that found them is done. */
struct rejects {
	int64_t ids[32];
	size_t len;
};

static bool reject(struct store *store, const struct rejects *rejects, struct err *err)
{
	for (size_t i = 0; i < rejects->len; i++) {
		if (store->mode == STORE_WRITE && !err_is_set(&store->error) &&
			!results_remove(store, rejects->ids[i], err)) {
			return false;
		}
	}
	return true;
}

static void note_reject(struct store *store, struct rejects *rejects, int64_t id)
{
	store_count_damaged(store);
	if (rejects->len < sizeof(rejects->ids) / sizeof(rejects->ids[0])) {
		rejects->ids[rejects->len++] = id;
	}
}

static void list_push(
	struct arena *arena, struct result_list *list, size_t *cap, const struct result_row *row)
{
	if (list->len == *cap) {
		size_t next = *cap ? *cap * 4 : 2;
		struct result_row *grown = arena_array(arena, struct result_row, next);
		if (list->len > 0) {
			memcpy(grown, list->ptr, list->len * sizeof(*grown));
		}
		list->ptr = grown;
		*cap = next;
	}
	list->ptr[list->len++] = *row;
}

bool results_last(struct store *store, int64_t *id, struct err *err)
{
	sqlite3_stmt *st = stmt_get(store, STMT_RESULT_LAST,
		"SELECT seq FROM sqlite_sequence WHERE name = 'result'", err);
	return st && stmt_one(store, st, 0, id, err);
}

/* Which rows of a statement are wanted: an index may be damaged as well, so what was asked for is compared. */
struct wanted {
	const str *workflow;
	const str *node;
	const struct digest *key;
};

static bool is_wanted(const struct result_row *row, const struct wanted *wanted)
{
	return (!wanted->workflow || str_eq(row->workflow, *wanted->workflow)) &&
	       (!wanted->node || str_eq(row->node, *wanted->node)) &&
	       (!wanted->key || digest_eq(&row->key, wanted->key));
}

static bool read_list(struct store *store, sqlite3_stmt *st, struct arena *arena,
	const struct wanted *wanted, struct result_list *out, struct err *err)
{
	struct rejects rejects = {.len = 0};
	size_t cap = 0;
	int got;
	*out = (struct result_list){0};
	while ((got = stmt_row(store, st, err)) == 1) {
		struct result_row row;
		if (!read_result(store, st, &row, arena)) {
			note_reject(store, &rejects, row.id);
			out->damaged++;
		} else if (is_wanted(&row, wanted)) {
			list_push(arena, out, &cap, &row);
		}
	}
	return got == 0 && reject(store, &rejects, err);
}

bool results_find(struct store *store, struct arena *arena, str workflow, str node,
	const struct digest *key, struct result_list *out, struct err *err)
{
	/* An index gives numbers only: what it has of a row besides would be taken for the row's own. */
	*out = (struct result_list){0};
	sqlite3_stmt *st = stmt_get(store, STMT_RESULT_FIND,
		RESULT_SELECT
		"WHERE result.id IN (SELECT id FROM result WHERE key = ?1 AND node = ?2 AND workflow = ?3) "
		"AND dropped = 0 ORDER BY result.id DESC",
		err);
	if (!st) {
		return false;
	}
	stmt_digest(st, 1, key);
	stmt_str(st, 2, node);
	stmt_str(st, 3, workflow);
	struct wanted wanted = {.workflow = &workflow, .node = &node, .key = key};
	return read_list(store, st, arena, &wanted, out, err);
}

bool results_newest(struct store *store, struct arena *arena, str workflow, str node,
	struct result_row *out, bool *found, struct err *err)
{
	struct rejects rejects = {.len = 0};
	*found = false;
	sqlite3_stmt *st = stmt_get(store, STMT_RESULT_NEWEST,
		RESULT_SELECT "WHERE workflow = ?1 AND node = ?2 ORDER BY result.id DESC", err);
	if (!st) {
		return false;
	}
	stmt_str(st, 1, workflow);
	stmt_str(st, 2, node);
	struct wanted wanted = {.workflow = &workflow, .node = &node};
	int got;
	while ((got = stmt_row(store, st, err)) == 1) {
		if (!read_result(store, st, out, arena)) {
			note_reject(store, &rejects, out->id);
		} else if (is_wanted(out, &wanted)) {
			*found = true;
			stmt_done(st);
			break;
		}
	}
	return got >= 0 && reject(store, &rejects, err);
}

bool results_get(struct store *store, struct arena *arena, int64_t id, struct result_row *out,
	bool *found, struct err *err)
{
	*found = false;
	sqlite3_stmt *st =
		stmt_get(store, STMT_RESULT_GET, RESULT_SELECT "WHERE result.id = ?1", err);
	if (!st) {
		return false;
	}
	stmt_int(st, 1, id);
	struct result_list list;
	struct wanted wanted = {0};
	if (!read_list(store, st, arena, &wanted, &list, err)) {
		return false;
	}
	*found = list.len > 0;
	if (*found) {
		*out = list.ptr[0];
	}
	return true;
}

bool results_list(struct store *store, struct arena *arena, str workflow, bool dropped_too,
	struct result_list *out, struct err *err)
{
	*out = (struct result_list){0};
	sqlite3_stmt *st =
		workflow.len > 0
			? stmt_get(store, STMT_RESULT_LIST_OF,
				  RESULT_SELECT
				  "WHERE (dropped = 0 OR ?1) AND workflow = ?2 ORDER BY result.id DESC",
				  err)
			: stmt_get(store, STMT_RESULT_LIST,
				  RESULT_SELECT "WHERE dropped = 0 OR ?1 ORDER BY result.id DESC",
				  err);
	if (!st) {
		return false;
	}
	stmt_int(st, 1, dropped_too);
	if (workflow.len > 0) {
		stmt_str(st, 2, workflow);
	}
	struct wanted wanted = {.workflow = workflow.len > 0 ? &workflow : NULL};
	return read_list(store, st, arena, &wanted, out, err);
}

/* All results of the node under the key, dropped ones too. */
static bool list_of_key(struct store *store, struct arena *arena, const struct wanted *wanted,
	struct result_list *out, struct err *err)
{
	*out = (struct result_list){0};
	sqlite3_stmt *st = stmt_get(store, STMT_RESULT_OF_KEY,
		RESULT_SELECT
		"WHERE result.key = ?1 AND node = ?2 AND workflow = ?3 ORDER BY result.id DESC",
		err);
	if (!st) {
		return false;
	}
	stmt_digest(st, 1, wanted->key);
	stmt_str(st, 2, *wanted->node);
	stmt_str(st, 3, *wanted->workflow);
	return read_list(store, st, arena, wanted, out, err);
}

bool results_drop(struct store *store, int64_t id, struct err *err)
{
	struct arena arena = {0};
	struct result_row row;
	bool found;
	bool ok = store_write_begin(store, err) &&
	          results_get(store, &arena, id, &row, &found, err) &&
	          (!found || row.dropped || set_dropped(store, &row, err));
	arena_finish(&arena);
	return ok;
}

bool results_replace(struct store *store, str workflow, str node, const struct digest *key,
	int64_t keep, struct err *err)
{
	struct arena arena = {0};
	struct result_list list;
	struct wanted wanted = {.workflow = &workflow, .node = &node, .key = key};
	bool ok = store_write_begin(store, err) && list_of_key(store, &arena, &wanted, &list, err);
	for (size_t i = 0; ok && i < list.len; i++) {
		ok = list.ptr[i].id == keep || list.ptr[i].dropped ||
		     set_dropped(store, &list.ptr[i], err);
	}
	arena_finish(&arena);
	return ok;
}

static bool is_known(const struct result_list *list, const struct digest *output)
{
	for (size_t i = 0; i < list->len; i++) {
		if (digest_eq(&list->ptr[i].output, output)) {
			return true;
		}
	}
	return false;
}

bool results_other_outputs(struct store *store, struct arena *arena, const struct result_row *row,
	struct result_list *out, struct err *err)
{
	struct result_list all;
	struct wanted wanted = {.workflow = &row->workflow, .node = &row->node, .key = &row->key};
	size_t cap = 0;
	*out = (struct result_list){0};
	if (!list_of_key(store, arena, &wanted, &all, err)) {
		return false;
	}
	for (size_t i = 0; i < all.len; i++) {
		if (!digest_eq(&all.ptr[i].output, &row->output) &&
			!is_known(out, &all.ptr[i].output)) {
			list_push(arena, out, &cap, &all.ptr[i]);
		}
	}
	out->damaged = all.damaged;
	return true;
}

/* WHAT RUNS RECORDED */

bool results_consumed(
	struct store *store, int64_t result, int64_t run, str node, bool passed, struct err *err)
{
	if (!store_write_begin(store, err)) {
		return false;
	}
	sqlite3_stmt *st = stmt_get(store, STMT_CONSUMED_ADD,
		"INSERT INTO consumed (result, run, node, passed) VALUES (?1, ?2, ?3, ?4) "
		"ON CONFLICT (result, run, node) DO UPDATE SET passed = excluded.passed",
		err);
	if (!st) {
		return false;
	}
	stmt_int(st, 1, result);
	stmt_int(st, 2, run);
	stmt_str(st, 3, node);
	stmt_int(st, 4, passed);
	return stmt_run(store, st, err);
}

bool results_reused(struct store *store, int64_t result, int64_t run, struct err *err)
{
	if (!store_write_begin(store, err)) {
		return false;
	}
	sqlite3_stmt *st = stmt_get(store, STMT_REUSED_ADD,
		"INSERT OR IGNORE INTO reused (result, run) VALUES (?1, ?2)", err);
	if (!st) {
		return false;
	}
	stmt_int(st, 1, result);
	stmt_int(st, 2, run);
	return stmt_run(store, st, err);
}

bool results_belongs(struct store *store, int64_t result, int64_t run, bool *out, struct err *err)
{
	*out = false;
	sqlite3_stmt *st = stmt_get(store, STMT_REUSED_BY,
		"SELECT EXISTS (SELECT 1 FROM reused WHERE result = ?1 AND run IN "
		"(?2, (SELECT same_as FROM run WHERE id = ?2))) "
		"OR EXISTS (SELECT 1 FROM result WHERE id = ?1 AND run = ?2)",
		err);
	if (!st) {
		return false;
	}
	stmt_int(st, 1, result);
	stmt_int(st, 2, run);
	int64_t belongs;
	bool ok = stmt_one(store, st, 0, &belongs, err);
	*out = ok && belongs != 0;
	return ok;
}

bool results_history(struct store *store, struct result_row *row, struct err *err)
{
	sqlite3_stmt *st = stmt_get(store, STMT_REUSED_COUNT,
		"SELECT count(*) + (SELECT count(*) FROM run WHERE same_as <> 0 AND same_as IN "
		"(SELECT run FROM reused WHERE result = ?1)) FROM reused WHERE result = ?1",
		err);
	if (!st) {
		return false;
	}
	stmt_int(st, 1, row->id);
	if (!stmt_one(store, st, 0, &row->times_reused, err)) {
		return false;
	}
	st = stmt_get(store, STMT_CONSUMED_COUNT,
		"SELECT ifnull(sum(passed), 0), ifnull(sum(NOT passed), 0) FROM consumed WHERE result = ?1",
		err);
	if (!st) {
		return false;
	}
	stmt_int(st, 1, row->id);
	int got = stmt_row(store, st, err);
	if (got == 1) {
		row->passed_consumers = sqlite3_column_int64(st, 0);
		row->failed_consumers = sqlite3_column_int64(st, 1);
		stmt_done(st);
	}
	return got >= 0;
}
