/* owned: see owned.h.  It knows rows, and no file. */
#include "store/owned.h"

#include "store/stmt.h"

#define IS_NEWEST \
	"NOT EXISTS (SELECT 1 FROM owned AS o WHERE o.place = owned.place AND o.path = owned.path AND o.id > owned.id)"
#define OWNED_COLUMNS "place, path, workflow, node, entry, is_edited, is_half"

static const struct field owned_fields[] = {
	FIELD(STR, owned_row, place),
	FIELD(STR, owned_row, path),
	FIELD(STR, owned_row, workflow),
	FIELD(STR, owned_row, node),
	FIELD(STR, owned_row, entry),
	FIELD(BOOL, owned_row, is_edited),
	FIELD(BOOL, owned_row, is_half),
};
enum { OWNED_COUNT = sizeof(owned_fields) / sizeof(owned_fields[0]) };

bool owned_put(struct store *store, const struct owned_row *row, struct err *err)
{
	if (!store_write_begin(store, err)) {
		return false;
	}
	sqlite3_stmt *st = stmt_get(store, STMT_OWNED_PUT,
		"INSERT OR REPLACE INTO owned (" OWNED_COLUMNS ", checksum) "
		"VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
		err);
	if (!st) {
		return false;
	}
	struct digest sum = fields_checksum(store, FIELDS(owned_fields), row, 0);
	fields_bind(st, 1, FIELDS(owned_fields), row);
	stmt_blob(st, OWNED_COUNT + 1, str_make((const char *)sum.bytes, CHECKSUM_SIZE));
	return stmt_run(store, st, err);
}

bool owned_remove(struct store *store, int64_t id, struct err *err)
{
	if (!store_write_begin(store, err)) {
		return false;
	}
	sqlite3_stmt *st =
		stmt_get(store, STMT_OWNED_REMOVE, "DELETE FROM owned WHERE id = ?1", err);
	if (!st) {
		return false;
	}
	stmt_int(st, 1, id);
	return stmt_run(store, st, err);
}

/* False where the row that the statement stands on does not hold together. */
static bool read_row(
	struct store *store, sqlite3_stmt *st, struct owned_row *out, struct arena *arena)
{
	*out = (struct owned_row){.id = sqlite3_column_int64(st, 0)};
	if (!fields_read(st, 1, FIELDS(owned_fields), out, arena)) {
		return false;
	}
	struct digest sum = fields_checksum(store, FIELDS(owned_fields), out, 0);
	return checksum_holds(st, OWNED_COUNT + 1, &sum);
}

static bool read_list(struct store *store, sqlite3_stmt *st, struct arena *arena,
	struct owned_list *out, struct err *err)
{
	size_t cap = 0;
	int got;
	*out = (struct owned_list){0};
	while ((got = stmt_row(store, st, err)) == 1) {
		struct owned_row row;
		if (!read_row(store, st, &row, arena)) {
			continue;
		}
		row.is_newest = sqlite3_column_int(st, OWNED_COUNT + 2) != 0;
		if (out->len == cap) {
			cap = cap ? cap * 2 : 16;
			struct owned_row *grown = arena_array(arena, struct owned_row, cap);
			if (out->len > 0) {
				memcpy(grown, out->ptr, out->len * sizeof(*grown));
			}
			out->ptr = grown;
		}
		out->ptr[out->len++] = row;
	}
	return got == 0;
}

bool owned_list(struct store *store, struct arena *arena, str workflow, str place,
	struct owned_list *out, struct err *err)
{
	*out = (struct owned_list){0};
	sqlite3_stmt *st = stmt_get(store, STMT_OWNED_LIST,
		"SELECT id, " OWNED_COLUMNS ", checksum, " IS_NEWEST " FROM owned "
		"WHERE workflow = ?1 AND place IN ('', ?2) ORDER BY place, path, id",
		err);
	if (!st) {
		return false;
	}
	stmt_str(st, 1, workflow);
	stmt_str(st, 2, place);
	return read_list(store, st, arena, out, err);
}

bool owned_at(struct store *store, struct arena *arena, str place, str path, struct owned_list *out,
	struct err *err)
{
	*out = (struct owned_list){0};
	sqlite3_stmt *st = stmt_get(store, STMT_OWNED_AT,
		"SELECT id, " OWNED_COLUMNS ", checksum, " IS_NEWEST " FROM owned "
		"WHERE place = ?1 AND path = ?2 ORDER BY id DESC",
		err);
	if (!st) {
		return false;
	}
	stmt_str(st, 1, place);
	stmt_str(st, 2, path);
	return read_list(store, st, arena, out, err);
}

bool owned_check(struct store *store, size_t *damaged, struct err *err)
{
	*damaged = 0;
	sqlite3_stmt *st = stmt_get(
		store, STMT_OWNED_ALL, "SELECT id, " OWNED_COLUMNS ", checksum FROM owned", err);
	if (!st) {
		return false;
	}
	struct owned_row row;
	int got;
	while ((got = stmt_row(store, st, err)) == 1) {
		*damaged += !read_row(store, st, &row, NULL);
	}
	return got == 0;
}
