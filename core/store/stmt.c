/* stmt: prepared statements and rows.  It knows SQLite's calls and result codes, and no table. */
#include "store/stmt.h"

#include "base/mem.h"
#include "store/results.h"
#include "store/runs.h"

#include <errno.h>

bool store_sql_err(sqlite3 *db, int rc, const char *doing, struct err *err)
{
	const char *words = db ? sqlite3_errmsg(db) : sqlite3_errstr(rc);
	int sys = db ? sqlite3_system_errno(db) : 0;
	switch (rc & 0xff) {
	case SQLITE_FULL:
		err_set(err, "E-STORE-FULL", "%s: the disk is full", doing);
		return err_help(err, "make room on the disk, then: pawl resume");
	case SQLITE_IOERR:
		if (sys == ENOSPC || sys == EDQUOT) {
			err_set(err, "E-STORE-FULL", "%s: %s", doing, strerror(sys));
			return err_help(err, "make room on the disk, then: pawl resume");
		}
		return err_set(err, "E-STORE-SYS", "%s: %s (%s)", doing, words,
			sys ? strerror(sys) : sqlite3_errstr(rc));
	case SQLITE_READONLY:
	case SQLITE_PERM: return err_set(err, "E-STORE-READONLY", "%s: %s", doing, words);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		err_set(err, "E-STORE-DAMAGED", "%s: the database is damaged (%s)", doing, words);
		return err_help(err,
			"the next command that writes sets it aside; to look first: pawl doctor");
	case SQLITE_CONSTRAINT:
		if (rc == SQLITE_CONSTRAINT_FOREIGNKEY) {
			err_set(err, "E-STORE-RUN", "%s: the run that it belongs to is gone",
				doing);
			return err_help(err, "somebody changed the database: see `pawl doctor`");
		}
		return err_set(err, "E-STORE-SYS", "%s: %s", doing, words);
	case SQLITE_BUSY:
	case SQLITE_PROTOCOL:
		err_set(err, "E-STORE-BUSY", "%s: another process has held the store for 10 s",
			doing);
		return err_help(err, "see who runs: pawl runs");
	case SQLITE_CANTOPEN:
		err_set(err, "E-STORE-SYS", "%s: %s%s%s", doing, words, sys ? ": " : "",
			sys ? strerror(sys) : "");
		return err_help(err, sys == EMFILE || sys == ENFILE
					     ? "raise the limit on open files: ulimit -n 1024"
					     : "see what is wrong with it: pawl doctor");
	default: return err_set(err, "E-STORE-SYS", "%s: %s", doing, words);
	}
}

/* A later command that writes sees the mark and looks at the whole database before it trusts it. */
static void mark_damaged(struct store *store, int rc)
{
	int base = rc & 0xff;
	if (store->mode == STORE_WRITE && (base == SQLITE_CORRUPT || base == SQLITE_NOTADB)) {
		store_mark_damaged(store);
	}
}

sqlite3_stmt *stmt_get(struct store *store, enum stmt_id id, const char *sql, struct err *err)
{
	sqlite3_stmt *st = store->stmts[id];
	if (!st) {
		int rc = sqlite3_prepare_v3(
			store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &st, NULL);
		if (rc != SQLITE_OK) {
			/* Our SQL is right: where it does not compile, the stored schema is not what it was. */
			rc = rc == SQLITE_ERROR ? SQLITE_CORRUPT : rc;
			store_sql_err(store->db, rc, "reading the store", err);
			mark_damaged(store, rc);
			return NULL;
		}
		store->stmts[id] = st;
	}
	return st;
}

void stmt_int(sqlite3_stmt *st, int at, int64_t value)
{
	sqlite3_bind_int64(st, at, value);
}

void stmt_str(sqlite3_stmt *st, int at, str value)
{
	sqlite3_bind_text64(
		st, at, value.ptr ? value.ptr : "", value.len, SQLITE_STATIC, SQLITE_UTF8);
}

void stmt_blob(sqlite3_stmt *st, int at, str value)
{
	sqlite3_bind_blob64(st, at, value.ptr ? value.ptr : "", value.len, SQLITE_STATIC);
}

void stmt_digest(sqlite3_stmt *st, int at, const struct digest *digest)
{
	sqlite3_bind_blob(st, at, digest->bytes, DIGEST_SIZE, SQLITE_STATIC);
}

bool stmt_run(struct store *store, sqlite3_stmt *st, struct err *err)
{
	int rc = sqlite3_step(st);
	if (rc == SQLITE_DONE || rc == SQLITE_ROW) {
		sqlite3_reset(st);
		return true;
	}
	struct err own = {0};
	store_sql_err(store->db, rc, "writing to the store", &own);
	sqlite3_reset(st);
	mark_damaged(store, rc);
	return store_write_fail(store, &own, err);
}

int stmt_row(struct store *store, sqlite3_stmt *st, struct err *err)
{
	int rc = sqlite3_step(st);
	if (rc == SQLITE_ROW) {
		return 1;
	}
	if (rc != SQLITE_DONE) {
		store_sql_err(store->db, rc, "reading the store", err);
		mark_damaged(store, rc);
	}
	sqlite3_reset(st);
	return rc == SQLITE_DONE ? 0 : -1;
}

void stmt_done(sqlite3_stmt *st)
{
	sqlite3_reset(st);
}

bool stmt_one(
	struct store *store, sqlite3_stmt *st, int64_t otherwise, int64_t *out, struct err *err)
{
	int got = stmt_row(store, st, err);
	*out = otherwise;
	if (got == 1) {
		if (sqlite3_column_type(st, 0) != SQLITE_NULL) {
			*out = sqlite3_column_int64(st, 0);
		}
		sqlite3_reset(st);
	}
	return got >= 0;
}

str column_view(sqlite3_stmt *st, int at)
{
	const char *ptr = sqlite3_column_blob(st, at);
	return str_make(ptr, (size_t)sqlite3_column_bytes(st, at));
}

str column_str(struct arena *arena, sqlite3_stmt *st, int at)
{
	str view = column_view(st, at);
	return view.len ? arena_str(arena, view) : STR("");
}

bool column_digest(sqlite3_stmt *st, int at, struct digest *out)
{
	str view = column_view(st, at);
	if (view.len != DIGEST_SIZE) {
		return false;
	}
	memcpy(out->bytes, view.ptr, DIGEST_SIZE);
	return true;
}

static str enum_name(enum field_kind kind, const void *at)
{
	switch (kind) {
	case FIELD_RUN_STATE: return str_of(run_state_name(*(const enum run_state *)at));
	case FIELD_NODE_STATE: return str_of(node_state_name(*(const enum node_state *)at));
	default: return str_of(verdict_kind_name(*(const enum verdict_kind *)at));
	}
}

static bool enum_parse(enum field_kind kind, str name, void *at)
{
	switch (kind) {
	case FIELD_RUN_STATE: return run_state_parse(name, at);
	case FIELD_NODE_STATE: return node_state_parse(name, at);
	default: break;
	}
	for (int i = VERDICT_INVALIDATED; i <= (int)VERDICT_EXONERATED; i++) {
		if (str_is(name, verdict_kind_name((enum verdict_kind)i))) {
			*(enum verdict_kind *)at = (enum verdict_kind)i;
			return true;
		}
	}
	return false;
}

void fields_bind(sqlite3_stmt *st, int at, struct fields fields, const void *row)
{
	for (int i = 0; i < fields.count; i++) {
		enum field_kind kind = (enum field_kind)fields.ptr[i].kind;
		const void *value = (const char *)row + fields.ptr[i].offset;
		switch (kind) {
		case FIELD_INT: stmt_int(st, at + i, *(const int64_t *)value); break;
		case FIELD_INT32: stmt_int(st, at + i, *(const int32_t *)value); break;
		case FIELD_BOOL: stmt_int(st, at + i, *(const bool *)value); break;
		case FIELD_STR: stmt_str(st, at + i, *(const str *)value); break;
		case FIELD_DIGEST: stmt_digest(st, at + i, value); break;
		case FIELD_RUN_STATE:
		case FIELD_NODE_STATE:
		case FIELD_VERDICT_KIND: stmt_str(st, at + i, enum_name(kind, value)); break;
		}
	}
}

bool fields_read(sqlite3_stmt *st, int at, struct fields fields, void *row, struct arena *arena)
{
	bool ok = true;
	for (int i = 0; i < fields.count; i++) {
		enum field_kind kind = (enum field_kind)fields.ptr[i].kind;
		void *value = (char *)row + fields.ptr[i].offset;
		switch (kind) {
		case FIELD_INT: *(int64_t *)value = sqlite3_column_int64(st, at + i); break;
		case FIELD_INT32: *(int32_t *)value = sqlite3_column_int(st, at + i); break;
		case FIELD_BOOL: {
			int64_t number = sqlite3_column_int64(st, at + i);
			*(bool *)value = number != 0;
			ok &= number == 0 || number == 1;
			break;
		}
		case FIELD_STR:
			*(str *)value =
				arena ? column_str(arena, st, at + i) : column_view(st, at + i);
			break;
		case FIELD_DIGEST: ok &= column_digest(st, at + i, value); break;
		case FIELD_RUN_STATE:
		case FIELD_NODE_STATE:
		case FIELD_VERDICT_KIND:
			ok &= enum_parse(kind, column_view(st, at + i), value);
			break;
		}
	}
	return ok;
}

static void add_number(struct buf *buf, uint64_t value)
{
	char bytes[8];
	for (int i = 0; i < 8; i++) {
		bytes[i] = (char)(value >> (8 * i));
	}
	buf_add(buf, str_make(bytes, sizeof(bytes)));
}

static void add_counted(struct buf *buf, str value)
{
	add_number(buf, value.len);
	buf_add(buf, value);
}

struct digest fields_checksum(
	struct store *store, struct fields fields, const void *row, int64_t id)
{
	struct buf *buf = &store->scratch;
	buf_clear(buf);
	add_number(buf, (uint64_t)id);
	for (int i = 0; i < fields.count; i++) {
		enum field_kind kind = (enum field_kind)fields.ptr[i].kind;
		const void *value = (const char *)row + fields.ptr[i].offset;
		switch (kind) {
		case FIELD_INT: add_number(buf, (uint64_t) * (const int64_t *)value); break;
		case FIELD_INT32: add_number(buf, (uint64_t) * (const int32_t *)value); break;
		case FIELD_BOOL: add_number(buf, *(const bool *)value); break;
		case FIELD_STR: add_counted(buf, *(const str *)value); break;
		case FIELD_DIGEST: add_counted(buf, str_make(value, DIGEST_SIZE)); break;
		case FIELD_RUN_STATE:
		case FIELD_NODE_STATE:
		case FIELD_VERDICT_KIND: add_counted(buf, enum_name(kind, value)); break;
		}
	}
	hash_begin(store->hash);
	hash_add(store->hash, buf_str(buf));
	return hash_end(store->hash);
}

bool checksum_holds(sqlite3_stmt *st, int at, const struct digest *sum)
{
	str stored = column_view(st, at);
	return stored.len == CHECKSUM_SIZE && memcmp(stored.ptr, sum->bytes, CHECKSUM_SIZE) == 0;
}

size_t store_damaged(const struct store *store)
{
	return store->damaged;
}

void store_count_damaged(struct store *store)
{
	store->damaged++;
}
