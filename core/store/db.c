/* db: opens and closes the store: the directory, the database in it, its settings, and what to do with one that is
 * newer, damaged or somebody else's.  It knows no table but `meta`. */
#include "store/db.h"

#include "base/mem.h"
#include "store/stmt.h"
#include "sys/clock.h"
#include "sys/fs.h"
#include "sys/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define DB_NAME       "pawl.db"
#define DAMAGE_MARK   "pawl.db.suspect"
/* The byte of the claims file behind all claims. */
#define RECOVERY_LOCK (UINT64_C(1) << 62)

enum opened { OPENED, OPENED_NOTHING, OPENED_DAMAGED, OPENED_FAILED };

static void close_fd(int *fd)
{
	if (*fd >= 0) {
		close(*fd);
		*fd = -1;
	}
}

static void close_db(struct store *store)
{
	for (int i = 0; i < STMT_COUNT; i++) {
		sqlite3_finalize(store->stmts[i]);
		store->stmts[i] = NULL;
	}
	sqlite3_close(store->db);
	store->db = NULL;
}

void store_close(struct store *store)
{
	if (!store) {
		return;
	}
	if (store->dirty) {
		cas_abandon(store);
	}
	close_db(store);
	vec_finish(&store->pending);
	vec_finish(&store->doomed);
	claims_finish(store);
	close_fd(&store->tmp_fd);
	close_fd(&store->blobs_fd);
	close_fd(&store->state_fd);
	close_fd(&store->project_fd);
	buf_finish(&store->scratch);
	buf_finish(&store->run_workflow);
	hash_destroy(store->hash);
	err_finish(&store->error);
	explicit_bzero(store->secret, sizeof(store->secret));
	free(store->bodies.here);
	free(store->bodies.marker);
	free(store->project);
	free(store->state);
	free(store);
}

int store_project_fd(const struct store *store)
{
	return store->project_fd;
}

int store_state_fd(const struct store *store)
{
	return store->state_fd;
}

const char *store_project_path(const struct store *store)
{
	return store->project;
}

const char *store_state_path(const struct store *store)
{
	return store->state;
}

const char *store_here(const struct store *store)
{
	return store->bodies.here;
}

const struct bodies_mark *store_bodies(const struct store *store)
{
	return &store->bodies;
}

static void mark_bodies(struct store *store)
{
	struct buf here = {0};
	struct buf text = {0};
	bodies_here(store->state_fd, &here);
	buf_printf(&text, "%s %s", store->id, buf_cstr(&here));
	struct digest digest = hash_of(buf_str(&text));
	buf_clear(&text);
	buf_add_z(&text, "PAWL_ATTEMPT_ID=");
	buf_add_hex(&text, digest.bytes, sizeof(store->id) / 2);
	buf_add_char(&text, '/');
	store->bodies.dir = store->state_fd;
	store->bodies.limit = bodies_limit(buf_str(&text));
	store->bodies.here = buf_take(&here);
	store->bodies.marker = buf_take(&text);
}

str store_secret_key(const struct store *store)
{
	return str_make((const char *)store->secret, sizeof(store->secret));
}

void store_mark_damaged(struct store *store)
{
	int fd = openat(
		store->state_fd, DAMAGE_MARK, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	close_fd(&fd);
}

/* DATABASE */

static bool pragma(struct store *store, const char *sql, struct err *err)
{
	int rc = sqlite3_exec(store->db, sql, NULL, NULL, NULL);
	return rc == SQLITE_OK || store_sql_err(store->db, rc, "opening the store", err);
}

static bool configure(struct store *store, struct err *err)
{
	sqlite3 *db = store->db;
	int on = 1;
	sqlite3_busy_timeout(db, STORE_BUSY_MS);
	sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
	/* -wal and -shm stay, so that a reader never has to make them. */
	sqlite3_file_control(db, NULL, SQLITE_FCNTL_PERSIST_WAL, &on);
	return pragma(store,
		"PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA cell_size_check = ON;"
		"PRAGMA cache_size = -4000; PRAGMA journal_size_limit = 16777216; PRAGMA temp_store = MEMORY",
		err);
}

/* The identity of the store; *found false where no process has given it one yet. */
static bool load_meta(struct store *store, bool *found, struct err *err)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(store->db,
		"SELECT a.value, b.value FROM meta AS a, meta AS b WHERE a.name = 'id' AND b.name = 'secret'",
		-1, &st, NULL);
	*found = false;
	if (rc == SQLITE_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		str id = column_view(st, 0);
		str secret = column_view(st, 1);
		*found = id.len == 32 && secret.len == sizeof(store->secret);
		if (*found) {
			memcpy(store->id, id.ptr, id.len);
			memcpy(store->secret, secret.ptr, secret.len);
		}
	}
	sqlite3_finalize(st);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ||
	       store_sql_err(store->db, rc, "opening the store", err);
}

/* Whichever process is first gives the store its identity. */
static bool make_meta(struct store *store, struct err *err)
{
	unsigned char random[16];
	unsigned char secret[32];
	hash_random(random, sizeof(random));
	hash_random(secret, sizeof(secret));
	struct buf id = {0};
	buf_add_hex(&id, random, sizeof(random));
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(store->db,
		"INSERT OR IGNORE INTO meta (name, value) VALUES ('id', ?1), ('secret', ?2)", -1,
		&st, NULL);
	if (rc == SQLITE_OK) {
		stmt_blob(st, 1, buf_str(&id));
		stmt_blob(st, 2, str_make((const char *)secret, sizeof(secret)));
		rc = sqlite3_step(st);
	}
	sqlite3_finalize(st);
	buf_finish(&id);
	explicit_bzero(secret, sizeof(secret));
	return rc == SQLITE_DONE || store_sql_err(store->db, rc, "making the store", err);
}

/* Loads the identity, and makes it where this process is the first. */
static bool identify(struct store *store, struct err *err)
{
	bool found = false;
	if (!load_meta(store, &found, err)) {
		return false;
	}
	if (!found && !(make_meta(store, err) && load_meta(store, &found, err))) {
		return false;
	}
	return found || err_set(err, "E-STORE-DAMAGED", "%s/" DB_NAME " has lost its identity",
				store->state);
}

static bool refuse_newer(const struct store *store, int version, struct err *err)
{
	err_set(err, "E-STORE-NEWER",
		"%s/" DB_NAME " was written by a newer pawl (version %d, this one knows %d)",
		store->state, version, store_version);
	return err_help(err, "use the newer pawl, or move %s away to begin anew", store->state);
}

/* WAL answers "wal" on file systems where it then fails; the migration that follows is the write that tries it. */
static bool set_wal(struct store *store, struct err *err)
{
	int rc = SQLITE_BUSY;
	for (int i = 0; i < 1000 && (rc & 0xff) == SQLITE_BUSY; i++) {
		/* Two processes that make the same store at once: the switch itself doesn't wait. */
		if (i > 0) {
			sqlite3_sleep(5);
		}
		rc = sqlite3_exec(store->db, "PRAGMA journal_mode = wal", NULL, NULL, NULL);
	}
	return rc == SQLITE_OK || store_sql_err(store->db, rc, "opening the store", err);
}

static bool upgrade(struct store *store, int version, struct err *err)
{
	bool ok = store_migrate(store->db, store_migrations, store_version, err);
	bool is_unknown = !ok && err && err->code && !err->help;
	if (is_unknown && version == 0 && strcmp(err->code, "E-STORE-SYS") == 0) {
		err_help(err,
			"the file system must support shared memory maps and locks (network ones often don't)");
	}
	return ok && (version > 0 || fs_sync(store->state_fd, store->state, err));
}

/* The whole database, after something was found wrong with it before. */
static bool is_sound(struct store *store)
{
	sqlite3_stmt *st = NULL;
	bool sound = sqlite3_prepare_v2(store->db, "PRAGMA integrity_check(1)", -1, &st, NULL) ==
	                     SQLITE_OK &&
	             sqlite3_step(st) == SQLITE_ROW && str_is(column_view(st, 0), "ok");
	sqlite3_finalize(st);
	return sound && store_schema_holds(store->db);
}

static enum opened judge(const struct err *err)
{
	return err->code && strcmp(err->code, "E-STORE-DAMAGED") == 0 ? OPENED_DAMAGED
	                                                              : OPENED_FAILED;
}

/* With mode 0600; a chmod that changes nothing would change the file's times. */
static bool is_private(int fd)
{
	struct stat st;
	return fstat(fd, &st) == 0 && ((st.st_mode & 07777) == 0600 || fchmod(fd, 0600) == 0);
}

static enum opened open_to_write(struct store *store, struct err *err)
{
	struct buf path = {0};
	buf_printf(&path, "%s/" DB_NAME, store->state);
	/* Made here and not by SQLite, whose modes depend on the umask; -wal and -shm take theirs from it. */
	int fd = openat(store->state_fd, DB_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	bool ok = fd >= 0 && is_private(fd);
	if (!ok) {
		store_sys_failed(err, "opening", buf_cstr(&path));
	}
	close_fd(&fd);
	if (ok) {
		int rc = sqlite3_open_v2(buf_cstr(&path), &store->db,
			SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW |
				SQLITE_OPEN_EXRESCODE,
			NULL);
		ok = rc == SQLITE_OK || store_sql_err(store->db, rc, "opening the store", err);
	}
	buf_finish(&path);
	int version = 0;
	ok = ok && configure(store, err) && store_user_version(store->db, &version, err);
	if (ok && version > store_version) {
		refuse_newer(store, version, err);
		return OPENED_FAILED;
	}
	ok = ok && set_wal(store, err) &&
	     (version == store_version || upgrade(store, version, err)) && identify(store, err);
	if (ok && faccessat(store->state_fd, DAMAGE_MARK, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		if (!is_sound(store)) {
			err_set(err, "E-STORE-DAMAGED", "%s/" DB_NAME " is damaged", store->state);
			return OPENED_DAMAGED;
		}
		unlinkat(store->state_fd, DAMAGE_MARK, 0);
	}
	return ok ? OPENED : judge(err);
}

static uint64_t size_of(const struct store *store, const char *name)
{
	struct stat st;
	return fstatat(store->state_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? (uint64_t)st.st_size
	                                                                     : 0;
}

/* The path as a URI: what SQLite would take for its own syntax is escaped. */
static void add_uri(struct buf *uri, const char *path)
{
	for (const char *c = path; *c; c++) {
		if (strchr("%?#", *c)) {
			buf_printf(uri, "%%%02X", (unsigned)*c);
		} else {
			buf_add_char(uri, *c);
		}
	}
}

/* A journal that has its header and nothing else is what a writer leaves that was killed before its first commit.  SQLite
 * (3.40) retries for ten seconds to read it without writing and then gives up.  A live writer goes on in an instant. */
static bool journal_is_bare(const struct store *store)
{
	for (int i = 0; i < 20; i++) {
		if (size_of(store, DB_NAME "-wal") != 32) {
			return false;
		}
		sqlite3_sleep(5);
	}
	return true;
}

static enum opened open_to_read(struct store *store, struct err *err)
{
	if (size_of(store, DB_NAME) == 0) {
		return OPENED_NOTHING;
	}
	bool has_shm = faccessat(store->state_fd, DB_NAME "-shm", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	bool has_wal = faccessat(store->state_fd, DB_NAME "-wal", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	if (!has_shm && size_of(store, DB_NAME "-wal") > 0) {
		err_set(err, "E-STORE-READONLY",
			"%s/" DB_NAME "-shm is missing, so reading would have to write",
			store->state);
		err_help(err, "run a command that writes once: pawl gc -n won't do, pawl gc will");
		return OPENED_FAILED;
	}
	struct buf uri = {0};
	buf_add_z(&uri, "file:");
	add_uri(&uri, store->state);
	/* With both files there, SQLite reads the journal without changing either.  Without them nobody has the store open
	 * (they are never removed while it is), and the database alone is all there is. */
	buf_printf(&uri, "/" DB_NAME "?mode=ro&%s",
		has_shm && has_wal && !journal_is_bare(store) ? "readonly_shm=1" : "immutable=1");
	int rc = sqlite3_open_v2(buf_cstr(&uri), &store->db,
		SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX |
			SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE,
		NULL);
	buf_finish(&uri);
	int version = 0;
	bool ok = (rc == SQLITE_OK || store_sql_err(store->db, rc, "opening the store", err)) &&
	          configure(store, err) && store_user_version(store->db, &version, err);
	if (ok && version == 0) {
		return OPENED_NOTHING;
	}
	if (ok && version > store_version) {
		refuse_newer(store, version, err);
		return OPENED_FAILED;
	}
	if (ok && version < store_version) {
		err_set(err, "E-STORE-READONLY",
			"%s/" DB_NAME " is of an older version and must be migrated first",
			store->state);
		err_help(err, "run a command that writes once: pawl gc");
		return OPENED_FAILED;
	}
	bool found = false;
	ok = ok && load_meta(store, &found, err);
	return !ok ? judge(err) : found ? OPENED : OPENED_NOTHING;
}

/* Nothing is stored yet: what asks is answered so, and nothing is made on disk. */
static enum opened open_empty(struct store *store, struct err *err)
{
	close_db(store);
	int rc = sqlite3_open_v2(":memory:", &store->db,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
	bool ok = (rc == SQLITE_OK || store_sql_err(store->db, rc, "opening the store", err)) &&
	          configure(store, err) &&
	          store_migrate(store->db, store_migrations, store_version, err) &&
	          identify(store, err);
	return ok ? OPENED : OPENED_FAILED;
}

/* Moves the database out of the way under a name of its own; nothing is removed but the index of its journal. */
static bool set_aside(struct store *store, struct err *err)
{
	close_db(store);
	struct buf when = {0};
	clock_add_utc(&when, clock_wall_ms());
	struct buf name = {0};
	bool ok = false;
	for (int i = 0; i < 100 && !ok; i++) {
		buf_clear(&name);
		buf_printf(&name, DB_NAME ".damaged-%s", buf_cstr(&when));
		if (i > 0) {
			buf_printf(&name, "-%d", i);
		}
		ok = renameat2(store->state_fd, DB_NAME, store->state_fd, buf_cstr(&name),
			     RENAME_NOREPLACE) == 0;
		if (!ok && errno != EEXIST) {
			break;
		}
	}
	if (!ok) {
		store_sys_failed(err, "setting aside the damaged database in", store->state);
	} else {
		struct buf wal = {0};
		buf_printf(&wal, "%s-wal", buf_cstr(&name));
		renameat(store->state_fd, DB_NAME "-wal", store->state_fd, buf_cstr(&wal));
		unlinkat(store->state_fd, DB_NAME "-shm", 0);
		unlinkat(store->state_fd, DAMAGE_MARK, 0);
		buf_finish(&wal);
		err_set(err, "E-STORE-DAMAGED",
			"the database was damaged; it is kept as %s/%s, and a new one is begun: every node runs again",
			store->state, buf_cstr(&name));
		err_help(err, "sqlite3 %s/%s .recover shows what can still be read of it",
			store->state, buf_cstr(&name));
		if (err) {
			err->is_warning = true;
		}
	}
	buf_finish(&name);
	buf_finish(&when);
	return ok;
}

/* One process at a time; whoever comes second finds the new database and leaves it alone. */
static enum opened recover(struct store *store, struct err *err)
{
	int fd = openat(store->state_fd, "claims", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	bool locked = false;
	for (int i = 0; fd >= 0 && !locked && i < 2000; i++) {
		locked = lock_try(fd, RECOVERY_LOCK, NULL) == LOCK_HELD;
		if (!locked) {
			sqlite3_sleep(5);
		}
	}
	enum opened opened = OPENED_FAILED;
	if (!locked) {
		err_set(err, "E-STORE-BUSY",
			"another process is setting the damaged database of %s aside",
			store->state);
	} else {
		close_db(store);
		err_finish(err);
		*err = (struct err){0};
		opened = open_to_write(store, err);
	}
	if (opened == OPENED_DAMAGED) {
		struct err again = {0};
		opened = set_aside(store, err) ? open_to_write(store, &again) : OPENED_FAILED;
		if (err_is_set(&again)) {
			err_finish(err);
			*err = again;
		}
	}
	close_fd(&fd);
	return opened;
}

struct store *store_open(const char *project, enum store_mode mode, struct err *err)
{
	struct store *store = mem_zalloc(sizeof(*store));
	store->mode = mode == STORE_WRITE ? STORE_WRITE : STORE_READ;
	store->project_fd = store->state_fd = store->blobs_fd = store->tmp_fd = store->claims_fd =
		-1;
	store->blob_mark = -1;
	struct err own = {0};
	int found = store_open_directories(store, project, &own);
	enum opened opened = found == 0 ? OPENED_NOTHING : OPENED_FAILED;
	if (found == 1) {
		opened = mode == STORE_WRITE ? open_to_write(store, &own)
		                             : open_to_read(store, &own);
	}
	if (opened == OPENED_DAMAGED && mode == STORE_WRITE) {
		opened = recover(store, &own);
	}
	if (opened == OPENED_NOTHING && mode == STORE_READ_OR_EMPTY) {
		opened = open_empty(store, &own);
	}
	if (opened != OPENED) {
		store_close(store);
		store = NULL;
	} else {
		store->hash = hash_create();
		mark_bodies(store);
		if (!store_data_version(store, &store->data_version))
			store->data_version = -1;
	}
	if (err && err_is_set(&own)) {
		err_finish(err);
		*err = own;
	} else {
		err_finish(&own);
	}
	return store;
}
