/* batch: transactions.  Writes gather in one, reads of a plan share one snapshot; blobs become durable before the rows
 * that name them.  Single flight is here too.  It knows no table. */
#include "store/stmt.h"

#include "sys/fs.h"
#include "sys/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static bool step_plain(struct store *store, enum stmt_id id, const char *sql, struct err *err)
{
	sqlite3_stmt *st = stmt_get(store, id, sql, err);
	if (!st) {
		return false;
	}
	int rc = sqlite3_step(st);
	if (rc != SQLITE_DONE) {
		store_sql_err(store->db, rc, "writing to the store", err);
	}
	sqlite3_reset(st);
	return rc == SQLITE_DONE;
}

/* Ends a read transaction, whose snapshot would stand in the way of a write. */
static void end_transaction(struct store *store)
{
	if (!sqlite3_get_autocommit(store->db)) {
		step_plain(store, STMT_COMMIT, "COMMIT", NULL);
	}
}

static void resume_reading(struct store *store)
{
	if (store->reads > 0 && sqlite3_get_autocommit(store->db)) {
		step_plain(store, STMT_BEGIN_READ, "BEGIN", NULL);
	}
}

static bool copy_err(const struct err *from, struct err *to)
{
	err_set(to, from->code, "%s", from->message);
	if (from->help) {
		err_help(to, "%s", from->help);
	}
	return false;
}

struct held_claim {
	struct digest what;
	enum { CLAIM_IS_FREE, CLAIM_IS_HELD, CLAIM_IS_LEAVING } state;
};

/* The byte of the claims file that stands for `what`. */
static uint64_t claim_offset(const struct digest *what)
{
	uint64_t offset = 0;
	for (int i = 0; i < 8; i++) {
		offset = offset << 8 | what->bytes[i];
	}
	return offset & ((UINT64_C(1) << 62) - 1);
}

static void release_leaving(struct store *store)
{
	for (size_t i = 0; i < store->leaving.len; i++) {
		struct held_claim *held = store->leaving.ptr[i];
		if (held->state == CLAIM_IS_LEAVING) {
			held->state = CLAIM_IS_FREE;
			lock_release(store->claims_fd, claim_offset(&held->what));
		}
	}
	store->leaving.len = 0;
}

void store_write_cancel(struct store *store)
{
	if (!store->dirty) {
		return;
	}
	for (int i = 0; i < STMT_COUNT; i++) {
		sqlite3_reset(store->stmts[i]);
	}
	sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
	store->dirty = false;
	store->run = 0;
	cas_abandon(store);
	release_leaving(store);
	resume_reading(store);
}

bool store_write_fail(struct store *store, struct err *own, struct err *err)
{
	copy_err(own, err);
	if (err_is_set(&store->error)) {
		err_finish(own);
	} else {
		store->error = *own;
		*own = (struct err){0};
	}
	store_write_cancel(store);
	return false;
}

bool store_write_begin(struct store *store, struct err *err)
{
	if (store->dirty) {
		return true;
	}
	if (err_is_set(&store->error)) {
		return copy_err(&store->error, err);
	}
	struct err own = {0};
	if (store->mode != STORE_WRITE) {
		return err_set(err, "E-STORE-READONLY", "the store was opened for reading only");
	}
	end_transaction(store);
	if (!step_plain(store, STMT_BEGIN_WRITE, "BEGIN IMMEDIATE", &own)) {
		resume_reading(store);
		return store_write_fail(store, &own, err);
	}
	store->dirty = true;
	return true;
}

bool store_is_dirty(const struct store *store)
{
	return store->dirty;
}

const struct err *store_error(const struct store *store)
{
	return &store->error;
}

bool store_flush(struct store *store, struct err *err)
{
	if (err_is_set(&store->error)) {
		return copy_err(&store->error, err);
	}
	if (!store->dirty) {
		return true;
	}
	struct err own = {0};
	fs_step("store: flush");
	if (!cas_settle(store, &own)) {
		return store_write_fail(store, &own, err);
	}
	if (!step_plain(store, STMT_GENERATION_GROW, "UPDATE generation SET n = n + 1", &own)) {
		return store_write_fail(store, &own, err);
	}
	fs_step("store: before commit");
	if (!step_plain(store, STMT_COMMIT, "COMMIT", &own)) {
		return store_write_fail(store, &own, err);
	}
	fs_step("store: after commit");
	store->dirty = false;
	release_leaving(store);
	cas_unlink_doomed(store);
	resume_reading(store);
	return true;
}

bool store_generation(struct store *store, int64_t *out, struct err *err)
{
	sqlite3_stmt *st = stmt_get(store, STMT_GENERATION, "SELECT n FROM generation", err);
	return st && stmt_one(store, st, 0, out, err);
}

bool store_data_version(struct store *store, int64_t *out)
{
	sqlite3_stmt *st = stmt_get(store, STMT_DATA_VERSION, "PRAGMA data_version", NULL);
	return st && stmt_one(store, st, 0, out, NULL);
}

bool store_is_ours(struct store *store)
{
	int64_t now;
	return store_data_version(store, &now) && now == store->data_version;
}

bool store_settle(struct store *store)
{
	int left = -1;
	if (store->mode != STORE_WRITE || store->dirty || store->reads > 0 ||
		err_is_set(&store->error)) {
		return false;
	}
	for (int i = 0; i < STMT_COUNT; i++) {
		sqlite3_reset(store->stmts[i]);
	}
	sqlite3_busy_timeout(store->db, 0);
	int rc =
		sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, &left, NULL);
	sqlite3_busy_timeout(store->db, STORE_BUSY_MS);
	return rc == SQLITE_OK && left == 0 &&
	       sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL) == SQLITE_OK;
}

void store_read_begin(struct store *store)
{
	store->reads++;
	resume_reading(store);
}

void store_read_end(struct store *store)
{
	if (store->reads > 0 && --store->reads == 0 && !store->dirty) {
		end_transaction(store);
	}
}

void claims_finish(struct store *store)
{
	vec_finish(&store->leaving);
	map_finish(&store->claims);
	arena_finish(&store->claims_arena);
	if (store->claims_fd >= 0) {
		close(store->claims_fd);
	}
}

static bool open_claims(struct store *store, struct err *err)
{
	if (store->claims_fd >= 0) {
		return true;
	}
	store->claims_fd =
		openat(store->state_fd, "claims", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (store->claims_fd < 0) {
		return err_sys(err, errno, "E-STORE-SYS", "opening %s/claims", store->state);
	}
	fchmod(store->claims_fd, 0600);
	return true;
}

static struct held_claim *find_claim(struct store *store, const struct digest *what)
{
	return map_get(&store->claims, str_make((const char *)what->bytes, DIGEST_SIZE));
}

enum claim store_claim(struct store *store, const struct digest *what, struct err *err)
{
	if (store->mode != STORE_WRITE) {
		err_set(err, "E-STORE-READONLY", "the store was opened for reading only");
		return CLAIM_FAILED;
	}
	struct held_claim *held = find_claim(store, what);
	if (held && held->state != CLAIM_IS_FREE) {
		/* The lock is ours still.  What its holder wrote is not committed, and can be read here all the same. */
		bool is_held = held->state == CLAIM_IS_HELD;
		held->state = CLAIM_IS_HELD;
		return is_held ? CLAIM_BUSY : CLAIM_HELD;
	}
	if (!open_claims(store, err)) {
		return CLAIM_FAILED;
	}
	enum lock_result got = lock_try(store->claims_fd, claim_offset(what), err);
	if (got != LOCK_HELD) {
		return got == LOCK_BUSY ? CLAIM_BUSY : CLAIM_FAILED;
	}
	if (!held) {
		held = arena_new(&store->claims_arena, struct held_claim);
		held->what = *what;
		map_put(&store->claims, str_make((const char *)held->what.bytes, DIGEST_SIZE),
			held);
	}
	held->state = CLAIM_IS_HELD;
	return CLAIM_HELD;
}

void store_unclaim(struct store *store, const struct digest *what)
{
	struct held_claim *held = find_claim(store, what);
	if (!held || held->state != CLAIM_IS_HELD) {
		return;
	}
	held->state = CLAIM_IS_LEAVING;
	*vec_push(&store->leaving) = held;
	if (!store->dirty) {
		release_leaving(store);
	}
}
