/* schema: the tables, as a list of migrations.  Entry n brings a store from version n to n + 1; an entry that was
 * released is never changed.  It knows SQL, and nothing of what the rows mean. */
#include "store/stmt.h"

static const char version_1[] =
	"PRAGMA application_id = 0x7061776c;"
	"CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;"

	/* seq grows with every use: gc keeps what a live run may have stored but not named yet. */
	"CREATE TABLE blob ("
	" id INTEGER PRIMARY KEY,"
	" digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),"
	" size INTEGER NOT NULL,"
	" seq INTEGER NOT NULL,"
	" data BLOB" /* NULL: a file */
	") STRICT;"
	"CREATE INDEX blob_by_seq ON blob (seq);"

	"CREATE TABLE run ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" attempt INTEGER NOT NULL,"
	" state TEXT NOT NULL,"
	" workflow TEXT NOT NULL,"
	" file TEXT NOT NULL,"
	" source TEXT NOT NULL,"
	" inputs TEXT NOT NULL,"
	" arguments TEXT NOT NULL,"
	" options TEXT NOT NULL,"
	" continues INTEGER NOT NULL,"
	" parent INTEGER NOT NULL,"
	" parent_node TEXT NOT NULL,"
	" started_ms INTEGER NOT NULL,"
	" ended_ms INTEGER NOT NULL,"
	" owner_pid INTEGER NOT NULL,"
	" owner_start INTEGER NOT NULL,"
	" owner_boot TEXT NOT NULL,"
	" error TEXT NOT NULL,"
	" blob_mark INTEGER NOT NULL" /* blobs with a greater seq may be this run's */
	") STRICT;"
	"CREATE INDEX run_by_workflow ON run (workflow, id);"
	"CREATE INDEX run_running ON run (id) WHERE state = 'running';"

	"CREATE TABLE node ("
	" id INTEGER PRIMARY KEY,"
	" run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,"
	" node TEXT NOT NULL,"
	" workflow TEXT NOT NULL,"
	" attempt INTEGER NOT NULL,"
	" seq INTEGER NOT NULL,"
	" state TEXT NOT NULL,"
	" type TEXT NOT NULL,"
	" reason TEXT NOT NULL,"
	" sentence TEXT NOT NULL,"
	" key TEXT NOT NULL,"
	" result INTEGER NOT NULL,"
	" origin INTEGER NOT NULL,"
	" tries INTEGER NOT NULL,"
	" started_ms INTEGER NOT NULL,"
	" ended_ms INTEGER NOT NULL,"
	" exit_code INTEGER NOT NULL,"
	" signal INTEGER NOT NULL,"
	" error TEXT NOT NULL,"
	" output TEXT NOT NULL,"
	" output_size INTEGER NOT NULL,"
	" log TEXT NOT NULL,"
	" log_size INTEGER NOT NULL,"
	" inputs TEXT NOT NULL,"
	" extra TEXT NOT NULL,"
	" UNIQUE (run, node)"
	") STRICT;"
	"CREATE INDEX node_by_name ON node (workflow, node, run);"

	"CREATE TABLE event ("
	" run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,"
	" seq INTEGER NOT NULL,"
	" at_ms INTEGER NOT NULL,"
	" node TEXT NOT NULL,"
	" kind TEXT NOT NULL,"
	" json TEXT NOT NULL,"
	" PRIMARY KEY (run, seq)"
	") STRICT, WITHOUT ROWID;"

	"CREATE TABLE kv ("
	" plugin TEXT NOT NULL,"
	" key TEXT NOT NULL,"
	" value BLOB NOT NULL,"
	" PRIMARY KEY (plugin, key)"
	") STRICT, WITHOUT ROWID;"

	"CREATE TABLE transcript ("
	" id INTEGER PRIMARY KEY,"
	" key BLOB NOT NULL UNIQUE CHECK (length(key) = 32),"
	" text TEXT NOT NULL,"
	" checksum BLOB NOT NULL"
	") STRICT;"

	"CREATE TABLE result ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" workflow TEXT NOT NULL,"
	" node TEXT NOT NULL,"
	" key BLOB NOT NULL CHECK (length(key) = 32),"
	" trace TEXT NOT NULL,"
	" output BLOB NOT NULL CHECK (length(output) = 32),"
	" output_size INTEGER NOT NULL,"
	" manifest BLOB NOT NULL CHECK (length(manifest) = 32),"
	" has_manifest INTEGER NOT NULL,"
	" emits TEXT NOT NULL,"
	" provable INTEGER NOT NULL,"
	" unproven TEXT NOT NULL,"
	" type TEXT NOT NULL,"
	" run INTEGER NOT NULL,"
	" attempt INTEGER NOT NULL,"
	" made_ms INTEGER NOT NULL,"
	" duration_ms INTEGER NOT NULL,"
	" dropped INTEGER NOT NULL,"
	" transcript INTEGER NOT NULL,"
	" checksum BLOB NOT NULL"
	") STRICT;"
	"CREATE INDEX result_by_key ON result (key, node, workflow);"
	"CREATE INDEX result_by_node ON result (workflow, node, id);"
	"CREATE INDEX result_by_transcript ON result (transcript);"

	"CREATE TABLE consumed ("
	" result INTEGER NOT NULL,"
	" run INTEGER NOT NULL,"
	" node TEXT NOT NULL,"
	" passed INTEGER NOT NULL,"
	" PRIMARY KEY (result, run, node)"
	") STRICT, WITHOUT ROWID;"
	"CREATE TABLE reused ("
	" result INTEGER NOT NULL,"
	" run INTEGER NOT NULL,"
	" PRIMARY KEY (result, run)"
	") STRICT, WITHOUT ROWID;"

	"CREATE TABLE verdict ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" kind TEXT NOT NULL,"
	" workflow TEXT NOT NULL,"
	" node TEXT NOT NULL,"
	" output BLOB NOT NULL CHECK (length(output) = 32),"
	" manifest BLOB NOT NULL CHECK (length(manifest) = 32),"
	" result INTEGER NOT NULL,"
	" run INTEGER NOT NULL,"
	" by TEXT NOT NULL,"
	" reason TEXT NOT NULL,"
	" at_ms INTEGER NOT NULL,"
	" automatic INTEGER NOT NULL,"
	" released_ms INTEGER NOT NULL,"
	" checksum BLOB NOT NULL"
	") STRICT;"
	"CREATE INDEX verdict_on ON verdict (workflow, node, output);"

	"CREATE TABLE memo ("
	" path TEXT PRIMARY KEY,"
	" digest BLOB NOT NULL CHECK (length(digest) = 32),"
	" dev INTEGER NOT NULL,"
	" ino INTEGER NOT NULL,"
	" size INTEGER NOT NULL,"
	" mtime_ns INTEGER NOT NULL,"
	" ctime_ns INTEGER NOT NULL,"
	" taken_ns INTEGER NOT NULL,"
	" checksum BLOB NOT NULL"
	") STRICT, WITHOUT ROWID;";

/* A run in which nothing was to be done may stand for later ones: they have no rows of nodes of their own.  The generation
 * grows with every transaction. */
static const char version_2[] = "ALTER TABLE run ADD COLUMN same_as INTEGER NOT NULL DEFAULT 0;"
				"CREATE INDEX run_by_same ON run (same_as, id) WHERE same_as <> 0;"
				"CREATE TABLE generation (n INTEGER NOT NULL) STRICT;"
				"INSERT INTO generation (n) VALUES (0);";

/* What nodes left where. */
static const char version_3[] = "CREATE TABLE owned ("
				" id INTEGER PRIMARY KEY AUTOINCREMENT,"
				" place TEXT NOT NULL,"
				" path TEXT NOT NULL,"
				" workflow TEXT NOT NULL,"
				" node TEXT NOT NULL,"
				" entry TEXT NOT NULL,"
				" is_edited INTEGER NOT NULL,"
				" is_half INTEGER NOT NULL,"
				" checksum BLOB NOT NULL,"
				" UNIQUE (place, path, workflow, node)"
				") STRICT;"
				"CREATE INDEX owned_by_workflow ON owned (workflow, place, path);";

/* What was forced: results up to one count no more, whether or not the run that said so ever came to the node. */
static const char version_4[] = "CREATE TABLE forced ("
				" workflow TEXT NOT NULL,"
				" node TEXT NOT NULL,"
				" root TEXT NOT NULL,"
				" result INTEGER NOT NULL,"
				" run INTEGER NOT NULL,"
				" checksum BLOB NOT NULL,"
				" PRIMARY KEY (workflow, node, root)"
				") STRICT, WITHOUT ROWID;";

const char *const store_migrations[] = {version_1, version_2, version_3, version_4};
const int store_version = (int)(sizeof(store_migrations) / sizeof(store_migrations[0]));

static bool exec(sqlite3 *db, const char *sql, struct err *err)
{
	int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
	return rc == SQLITE_OK || store_sql_err(db, rc, "changing the tables of the store", err);
}

bool store_user_version(sqlite3 *db, int *out, struct err *err)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &st, NULL);
	if (rc == SQLITE_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		*out = sqlite3_column_int(st, 0);
		rc = SQLITE_OK;
	}
	sqlite3_finalize(st);
	return rc == SQLITE_OK || store_sql_err(db, rc, "opening the store", err);
}

bool store_migrate(sqlite3 *db, const char *const *list, int count, struct err *err)
{
	if (!exec(db, "BEGIN IMMEDIATE", err)) {
		return false;
	}
	/* Read under the lock: another process may have migrated meanwhile. */
	int version = 0;
	bool ok = store_user_version(db, &version, err);
	for (int i = version; ok && i < count; i++) {
		ok = exec(db, list[i], err);
	}
	if (ok && version < count) {
		char pragma[64];
		snprintf(pragma, sizeof(pragma), "PRAGMA user_version = %d", count);
		ok = exec(db, pragma, err);
	}
	if (!ok || !exec(db, "COMMIT", err)) {
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
		return false;
	}
	return true;
}

static bool add_schema(sqlite3 *db, struct buf *out)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(db,
		"SELECT type || ' ' || name || ' ' || tbl_name || ' ' || ifnull(sql, '') || ';' "
		"FROM sqlite_schema WHERE name NOT GLOB 'sqlite_stat*' ORDER BY type, name",
		-1, &st, NULL);
	while (rc == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW) {
		buf_add(out, column_view(st, 0));
	}
	sqlite3_finalize(st);
	return rc == SQLITE_OK;
}

bool store_schema_holds(sqlite3 *db)
{
	struct buf actual = {0};
	struct buf expected = {0};
	sqlite3 *fresh = NULL;
	bool holds = sqlite3_open(":memory:", &fresh) == SQLITE_OK &&
	             store_migrate(fresh, store_migrations, store_version, NULL) &&
	             add_schema(fresh, &expected) && add_schema(db, &actual) &&
	             str_eq(buf_str(&actual), buf_str(&expected));
	sqlite3_close(fresh);
	buf_finish(&actual);
	buf_finish(&expected);
	return holds;
}
