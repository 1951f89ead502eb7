/* forced: up to which result nothing of a node is reused any more.  A row is believed only with its checksum.  It knows not
 * who asks, nor what a run is in another. */
#include "store/results.h"

#include "store/stmt.h"

static const struct field forced_fields[] = {
	FIELD(STR, forced_row, workflow),
	FIELD(STR, forced_row, node),
	FIELD(STR, forced_row, root),
	FIELD(INT, forced_row, result),
	FIELD(INT, forced_row, run),
};
enum { FORCED_COUNT = sizeof(forced_fields) / sizeof(forced_fields[0]) };

bool forced_put(struct store *store, const struct forced_row *row, struct err *err)
{
	struct forced_row now = *row;
	if (!store_write_begin(store, err) || !results_last(store, &now.result, err)) {
		return false;
	}
	sqlite3_stmt *st = stmt_get(store, STMT_FORCED_PUT,
		"INSERT OR REPLACE INTO forced (workflow, node, root, result, run, checksum) "
		"VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
		err);
	if (!st) {
		return false;
	}
	struct digest sum = fields_checksum(store, FIELDS(forced_fields), &now, 0);
	fields_bind(st, 1, FIELDS(forced_fields), &now);
	stmt_blob(st, FORCED_COUNT + 1, str_make((const char *)sum.bytes, CHECKSUM_SIZE));
	return stmt_run(store, st, err);
}

/* False: the row that the statement stands on does not hold together. */
static bool read_forced(struct store *store, sqlite3_stmt *st, struct forced_row *out)
{
	*out = (struct forced_row){0};
	if (!fields_read(st, 0, FIELDS(forced_fields), out, NULL)) {
		return false;
	}
	struct digest sum = fields_checksum(store, FIELDS(forced_fields), out, 0);
	return checksum_holds(st, FORCED_COUNT, &sum);
}

/* Written anew, as of now, so that what is made from here on counts. */
static bool mend(struct store *store, const struct forced_row *row, struct err *err)
{
	store_count_damaged(store);
	return store->mode != STORE_WRITE || err_is_set(&store->error) ||
	       forced_put(store, row, err);
}

bool forced_find(struct store *store, str workflow, str node, str but, struct forced_row *out,
	bool *found, struct err *err)
{
	struct arena arena = {0};
	struct forced_row bad = {.workflow = workflow, .node = node, .root = STR("")};
	bool is_damaged = false;
	int got;
	*found = false;
	*out = (struct forced_row){.workflow = workflow, .node = node, .root = STR("")};
	sqlite3_stmt *st = stmt_get(store, STMT_FORCED_FIND,
		"SELECT workflow, node, root, result, run, checksum FROM forced "
		"WHERE workflow = ?1 AND node = ?2 AND (?3 = '' OR root <> ?3)",
		err);
	if (!st) {
		return false;
	}
	stmt_str(st, 1, workflow);
	stmt_str(st, 2, node);
	stmt_str(st, 3, but);
	while ((got = stmt_row(store, st, err)) == 1) {
		struct forced_row row;
		if (!read_forced(store, st, &row)) {
			is_damaged = true;
			bad.root = column_str(&arena, st, 2);
			continue;
		}
		if (!*found || row.result > out->result) {
			out->result = row.result;
			out->run = row.run;
		}
		*found = true;
	}
	bool ok = got == 0 && (!is_damaged || mend(store, &bad, err));
	if (is_damaged) {
		*found = true;
		out->result = INT64_MAX;
		out->run = 0;
	}
	arena_finish(&arena);
	return ok;
}

bool forced_any(struct store *store)
{
	int64_t any = 1;
	sqlite3_stmt *st =
		stmt_get(store, STMT_FORCED_ANY, "SELECT EXISTS (SELECT 1 FROM forced)", NULL);
	return !st || !stmt_one(store, st, 1, &any, NULL) || any != 0;
}

bool forced_check(struct store *store, size_t *damaged, struct err *err)
{
	int got;
	*damaged = 0;
	sqlite3_stmt *st = stmt_get(store, STMT_FORCED_ALL,
		"SELECT workflow, node, root, result, run, checksum FROM forced", err);
	if (!st) {
		return false;
	}
	while ((got = stmt_row(store, st, err)) == 1) {
		struct forced_row row;
		*damaged += !read_forced(store, st, &row);
	}
	return got == 0;
}
