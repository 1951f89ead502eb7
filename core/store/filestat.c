/* filestat: the stat memo.  A shortcut from what the kernel says of a file to its digest: losing it costs time only, so
 * its errors are quiet, and a row that fails its checksum is as if it were not there. */
#include "store/results.h"

#include "store/rows_inner.h"
#include "store/stmt.h"

struct memo {
	str path;
	struct memo_row row;
};
static const struct field memo_fields[] = {
	FIELD(STR, memo, path),
	FIELD(DIGEST, memo, row.digest),
	FIELD(INT, memo, row.dev),
	FIELD(INT, memo, row.ino),
	FIELD(INT, memo, row.size),
	FIELD(INT, memo, row.mtime_ns),
	FIELD(INT, memo, row.ctime_ns),
	FIELD(INT, memo, row.taken_ns),
};
enum { MEMO_COUNT = sizeof(memo_fields) / sizeof(memo_fields[0]) };

bool memo_get(struct store *store, str path, struct memo_row *out, bool *found)
{
	*found = false;
	sqlite3_stmt *st = stmt_get(store, STMT_MEMO_GET,
		"SELECT path, digest, dev, ino, size, mtime_ns, ctime_ns, taken_ns, checksum FROM memo WHERE path = ?1",
		NULL);
	if (!st) {
		return false;
	}
	stmt_str(st, 1, path);
	int got = stmt_row(store, st, NULL);
	if (got <= 0) {
		return got == 0;
	}
	struct memo memo;
	if (fields_read(st, 0, FIELDS(memo_fields), &memo, NULL) && str_eq(memo.path, path)) {
		struct digest sum = fields_checksum(store, FIELDS(memo_fields), &memo, 0);
		*found = checksum_holds(st, MEMO_COUNT, &sum);
	}
	if (*found) {
		*out = memo.row;
	}
	stmt_done(st);
	return true;
}

bool memo_put(struct store *store, str path, const struct memo_row *row)
{
	if (!store_write_begin(store, NULL)) {
		return false;
	}
	sqlite3_stmt *st = stmt_get(store, STMT_MEMO_PUT,
		"INSERT OR REPLACE INTO memo (path, digest, dev, ino, size, mtime_ns, ctime_ns, taken_ns, checksum) "
		"VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
		NULL);
	if (!st) {
		return false;
	}
	struct memo memo = {path, *row};
	struct digest sum = fields_checksum(store, FIELDS(memo_fields), &memo, 0);
	fields_bind(st, 1, FIELDS(memo_fields), &memo);
	stmt_blob(st, MEMO_COUNT + 1, str_make((const char *)sum.bytes, CHECKSUM_SIZE));
	return stmt_run(store, st, NULL);
}

bool memo_drop(struct store *store, str path, struct err *err)
{
	if (!store_write_begin(store, err)) {
		return false;
	}
	sqlite3_stmt *st = stmt_get(store, STMT_MEMO_DROP, "DELETE FROM memo WHERE path = ?1", err);
	if (!st) {
		return false;
	}
	stmt_str(st, 1, path);
	return stmt_run(store, st, err);
}

bool memo_each(struct store *store, void (*fn)(void *arg, str path, const struct memo_row *row),
	void *arg, size_t *damaged, struct err *err)
{
	*damaged = 0;
	sqlite3_stmt *st = stmt_get(store, STMT_MEMO_ALL,
		"SELECT path, digest, dev, ino, size, mtime_ns, ctime_ns, taken_ns, checksum FROM memo ORDER BY path",
		err);
	if (!st) {
		return false;
	}
	int got;
	while ((got = stmt_row(store, st, err)) == 1) {
		struct memo memo;
		bool holds = fields_read(st, 0, FIELDS(memo_fields), &memo, NULL);
		if (holds) {
			struct digest sum = fields_checksum(store, FIELDS(memo_fields), &memo, 0);
			holds = checksum_holds(st, MEMO_COUNT, &sum);
		}
		*damaged += !holds;
		if (holds && fn) {
			fn(arg, memo.path, &memo.row);
		}
	}
	return got == 0;
}
