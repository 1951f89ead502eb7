/* stmt: what the files of store/ share: the store itself, statements that are prepared once, and rows described by
 * tables of fields.  Nothing outside of store/ includes this. */
#ifndef STORE_STMT_H
#define STORE_STMT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"
#include "store/db.h"

#include <sqlite3.h>
#include <stddef.h>

/* One slot a statement; its SQL stands beside its use. */
enum stmt_id {
	STMT_BEGIN_READ,
	STMT_BEGIN_WRITE,
	STMT_COMMIT,
	STMT_GENERATION,
	STMT_GENERATION_GROW,
	STMT_DATA_VERSION,
	STMT_BLOB_FIND,
	STMT_BLOB_DATA,
	STMT_BLOB_ADD,
	STMT_BLOB_TOUCH,
	STMT_BLOB_SEQ,
	STMT_BLOB_EACH,
	STMT_BLOB_REMOVE,
	STMT_RUN_ADD,
	STMT_RUN_UPDATE,
	STMT_RUN_GET,
	STMT_RUN_WORKFLOW,
	STMT_RUN_LIST,
	STMT_RUN_LIST_OF,
	STMT_RUN_CHILDREN,
	STMT_RUN_RUNNING,
	STMT_RUN_INTERRUPT,
	STMT_RUN_MARK,
	STMT_RUN_HEIR,
	STMT_RUN_STARTED,
	STMT_RUN_ANY,
	STMT_NODE_PUT,
	STMT_NODE_GET,
	STMT_NODE_LIST,
	STMT_NODE_SEQ,
	STMT_NODE_NEWEST,
	STMT_NODE_PASSED,
	STMT_NODE_COPY,
	STMT_REUSED_COPY,
	STMT_EVENT_SEQ,
	STMT_EVENT_ADD,
	STMT_EVENT_EACH,
	STMT_KV_GET,
	STMT_KV_PUT,
	STMT_RESULT_ID,
	STMT_RESULT_LAST,
	STMT_RESULT_ADD,
	STMT_RESULT_FIND,
	STMT_RESULT_NEWEST,
	STMT_RESULT_GET,
	STMT_RESULT_LIST,
	STMT_RESULT_LIST_OF,
	STMT_RESULT_OF_KEY,
	STMT_RESULT_SET_DROPPED,
	STMT_RESULT_REMOVE,
	STMT_TRANSCRIPT_FIND,
	STMT_TRANSCRIPT_ADD,
	STMT_TRANSCRIPT_SET,
	STMT_CONSUMED_ADD,
	STMT_CONSUMED_COUNT,
	STMT_REUSED_ADD,
	STMT_REUSED_COUNT,
	STMT_REUSED_BY,
	STMT_VERDICT_ID,
	STMT_VERDICT_ADD,
	STMT_VERDICT_ON,
	STMT_VERDICT_LIST,
	STMT_VERDICT_GET,
	STMT_VERDICT_OF,
	STMT_VERDICT_SET_RELEASED,
	STMT_VERDICT_REMOVE,
	STMT_OWNED_PUT,
	STMT_OWNED_REMOVE,
	STMT_OWNED_LIST,
	STMT_OWNED_AT,
	STMT_OWNED_ALL,
	STMT_FORCED_PUT,
	STMT_FORCED_FIND,
	STMT_FORCED_ALL,
	STMT_FORCED_ANY,
	STMT_MEMO_GET,
	STMT_MEMO_PUT,
	STMT_MEMO_ALL,
	STMT_MEMO_DROP,
	STMT_GC_BLOBS,
	STMT_GC_RESULTS,
	STMT_GC_RUNS,
	STMT_GC_NODES,
	STMT_GC_PINS,
	STMT_GC_RUN_REMOVE,
	STMT_GC_RUN_IS,
	STMT_GC_SPACE,
	STMT_COUNT,
};

/* How long a write waits for another process. */
enum { STORE_BUSY_MS = 10000 };

struct cas_pending; /* a blob that is written but not yet durable (cas_file.c) */

struct store {
	sqlite3 *db;
	enum store_mode mode;
	char *project;
	char *state;
	int project_fd;
	int state_fd;
	int blobs_fd;      /* -1 in a store that is read and never had one */
	int tmp_fd;        /* -1 in a store that is read */
	int claims_fd;     /* -1 before the first claim */
	struct map claims; /* digest -> struct held_claim * in claims_arena */
	struct arena claims_arena;
	VEC(struct held_claim *) leaving; /* given back after the next commit */
	char id[33];                      /* 16 random bytes in hexadecimal, made with the store */
	struct bodies_mark bodies;
	unsigned char secret[32];

	sqlite3_stmt *stmts[STMT_COUNT];
	struct hash *hash;
	struct buf scratch; /* the bytes of a checksum */

	int64_t data_version; /* SQLite's, when it was opened: commits of others change it */
	bool dirty;           /* a write transaction is open */
	unsigned reads;       /* how many store_read_begin are open */
	struct err error;
	size_t damaged;

	/* The run whose nodes and events were written last: its workflow and the next sequence numbers. */
	int64_t run;
	struct buf run_workflow;
	int64_t node_seq;
	int64_t event_seq;

	int64_t blob_mark; /* greatest seq before this store put its first blob; -1: not yet asked */
	VEC(struct cas_pending) pending;
	VEC(struct digest)
	doomed; /* files to unlink after the commit, where still no row names them */
	unsigned char dirs_to_sync[256];
	bool blobs_to_sync;
};

/* SCHEMA */

extern const char *const store_migrations[];
extern const int store_version;
bool store_user_version(sqlite3 *db, int *out, struct err *err);
/* Brings the database from its user_version to `count`, all of it or nothing. */
bool store_migrate(sqlite3 *db, const char *const *list, int count, struct err *err);

/* Whether the stored schema is what the migrations make. */
bool store_schema_holds(sqlite3 *db);

/* THE DIRECTORY (state_dir.c) */

/* Sets *err from errno, with the code that fits it; false. */
bool store_sys_failed(struct err *err, const char *doing, const char *path);
/* The project and .pawl/state, made where the store is written.  1, absent: 0, error: -1. */
int store_open_directories(struct store *store, const char *project, struct err *err);

/* STATEMENTS */

/* Sets *err from a result code of SQLite; returns false. */
bool store_sql_err(sqlite3 *db, int rc, const char *doing, struct err *err);

/* Takes *own over as the error of the store, where it is the first, copies it to *err and rolls the batch back; returns
 * false. */
bool store_write_fail(struct store *store, struct err *own, struct err *err);
/* Gives all claims back, for good. */
void claims_finish(struct store *store);
/* Leaves a mark by which the next store_open checks the whole database. */
void store_mark_damaged(struct store *store);

/* The prepared statement, reset; NULL with *err set. */
sqlite3_stmt *stmt_get(struct store *store, enum stmt_id id, const char *sql, struct err *err);
void stmt_int(sqlite3_stmt *st, int at, int64_t value);
void stmt_str(sqlite3_stmt *st, int at, str value); /* borrowed until the statement is done */
void stmt_blob(sqlite3_stmt *st, int at, str value);
void stmt_digest(sqlite3_stmt *st, int at, const struct digest *digest);
/* Runs a statement that gives no rows; a failure is one of the store. */
bool stmt_run(struct store *store, sqlite3_stmt *st, struct err *err);
/* The next row: 1; none: 0, error: -1, and the statement is reset. */
int stmt_row(struct store *store, sqlite3_stmt *st, struct err *err);
void stmt_done(sqlite3_stmt *st);
/* One integer by a statement with its parameters bound; `otherwise` where there is no row or NULL. */
/* SQLite's counter of what other connections committed. */
bool store_data_version(struct store *store, int64_t *out);
bool stmt_one(
	struct store *store, sqlite3_stmt *st, int64_t otherwise, int64_t *out, struct err *err);

str column_str(struct arena *arena, sqlite3_stmt *st, int at); /* a copy */
str column_view(sqlite3_stmt *st, int at);                     /* valid until the next step */
bool column_digest(sqlite3_stmt *st, int at, struct digest *out);

/* ROWS */

enum field_kind {
	FIELD_INT,    /* int64_t, uint64_t */
	FIELD_INT32,  /* int32_t */
	FIELD_BOOL,   /* bool */
	FIELD_STR,    /* str */
	FIELD_DIGEST, /* struct digest */
	FIELD_RUN_STATE,
	FIELD_NODE_STATE,
	FIELD_VERDICT_KIND,
};

struct field {
	uint16_t offset;
	uint16_t kind;
};
#define FIELD(kind, type, member)                                      \
	{                                                              \
		(uint16_t) offsetof(struct type, member), FIELD_##kind \
	}

struct fields {
	const struct field *ptr;
	int count;
};
#define FIELDS(array) ((struct fields){(array), (int)(sizeof(array) / sizeof((array)[0]))})

/* Binds the fields of a row to the parameters from `at` on; the row outlives the step. */
void fields_bind(sqlite3_stmt *st, int at, struct fields fields, const void *row);
/* Reads columns from `at` on; texts are copied to the arena, or borrowed until the next step where it is NULL.  False
 * where a value can't be one of its kind. */
bool fields_read(sqlite3_stmt *st, int at, struct fields fields, void *row, struct arena *arena);

#define CHECKSUM_SIZE 16
/* The checksum of a row: over id and every field with its length. */
struct digest fields_checksum(
	struct store *store, struct fields fields, const void *row, int64_t id);
bool checksum_holds(sqlite3_stmt *st, int at, const struct digest *sum);
/* Counts one row that failed. */
void store_count_damaged(struct store *store);

/* FILES OF BLOBS (cas_file.c) */

struct cas_pending {
	struct digest digest;
	uint64_t size;
	int fd; /* -1: settled */
	char name[33];
};

/* Makes every pending blob durable under its name: fsync, rename, fsync of the directories. */
bool cas_settle(struct store *store, struct err *err);
/* Drops what is pending after a failed batch. */
void cas_abandon(struct store *store);
/* Unlinks the files of removed blobs; only after the commit that removed their rows. */
void cas_unlink_doomed(struct store *store);
/* Removes temporary files that a killed process left. */
void cas_sweep_tmp(struct store *store);

/* "ab/cdef..." into name[66]. */
void cas_file_name(const struct digest *digest, char name[66]);
/* A new temporary file, locked while it is in use; -1 with *err. */
int cas_tmp_create(struct store *store, char name[33], struct err *err);
/* Takes fd and name over: it becomes the blob at the next flush, and can be read at once. */
bool cas_file_keep(struct store *store, struct cas_pending pending, struct err *err);
/* A descriptor at offset 0 (a duplicate where it is pending), -1 where there is no such file; size by fstat. */
int cas_file_open(struct store *store, const struct digest *digest, uint64_t *size);

#endif
