/* order: what must be on the disk before what.  The calls that make things durable are replaced by ones that take notes,
 * so that a missing fsync shows without pulling a plug; and by ones that fail. */
#include "store_test.h"

#include <stdint.h>
#include <sys/syscall.h>

enum op_kind { OP_SYNC, OP_RENAME };
struct op {
	enum op_kind kind;
	ino_t ino;
	ino_t dir; /* of a rename: where to */
};
static struct op ops[4096];
static size_t op_count;
static int fail_sync_at; /* the n-th from now fails; 0: none */
static int syncs_after_failure;
static bool failed;

static ino_t ino_of(int fd, const char *path)
{
	struct stat st;
	int got = path ? fstatat(fd, path, &st, AT_SYMLINK_NOFOLLOW) : fstat(fd, &st);
	return got == 0 ? st.st_ino : 0;
}

static void note(struct op op)
{
	assert_true(op_count < sizeof(ops) / sizeof(ops[0]));
	ops[op_count++] = op;
}

static bool sync_fails(int fd)
{
	note((struct op){.kind = OP_SYNC, .ino = ino_of(fd, NULL)});
	syncs_after_failure += failed;
	if (fail_sync_at > 0 && --fail_sync_at == 0) {
		failed = true;
		errno = EIO;
		return true;
	}
	return false;
}

__attribute__((visibility("default"))) int fsync(int fd)
{
	return sync_fails(fd) ? -1 : (int)syscall(SYS_fsync, fd);
}

__attribute__((visibility("default"))) int fdatasync(int fd)
{
	return sync_fails(fd) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

__attribute__((visibility("default"))) int renameat(
	int from_fd, const char *from, int to_fd, const char *to)
{
	struct op op = {.kind = OP_RENAME, .ino = ino_of(from_fd, from)};
	const char *slash = strrchr(to, '/');
	char *dir = slash ? mem_dup(to, (size_t)(slash - to)) : mem_dup(".", 1);
	op.dir = ino_of(to_fd, dir);
	free(dir);
	note(op);
	return (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, 0);
}

static size_t find_sync(ino_t ino, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		if (ops[i].kind == OP_SYNC && ops[i].ino == ino) {
			return i;
		}
	}
	return SIZE_MAX;
}

static bool put_batch(struct store *store, int seed, struct err *err)
{
	static char bytes[30000];
	for (int i = 0; i < 10; i++) {
		snprintf(bytes, sizeof(bytes), "%d %d", seed, i);
		struct result_row row = result_row_of("n", "key", "");
		int64_t id;
		if (!cas_put(store, str_make(bytes, sizeof(bytes)), &row.output, err) ||
			!results_put(store, &row, &id, err)) {
			return false;
		}
	}
	return true;
}

static void blobs_are_durable_before_rows(void **state)
{
	struct project *p = *state;
	struct store *store = open_store(p, STORE_WRITE);
	ino_t wal = ino_of(store_state_fd(store), "pawl.db-wal");
	ino_t blobs = ino_of(store_state_fd(store), "blobs");
	assert_true(wal != 0);
	op_count = 0;
	assert_ok(p, put_batch(store, 1, &p->err));
	assert_int_equal(op_count, 0); /* nothing is waited for before the flush */
	assert_ok(p, store_flush(store, &p->err));
	size_t commit = find_sync(wal, 0, op_count);
	assert_true(commit != SIZE_MAX);
	assert_true(find_sync(blobs, 0, commit) != SIZE_MAX); /* the new directories' own names */
	size_t renames = 0;
	for (size_t i = 0; i < op_count; i++) {
		if (ops[i].kind != OP_RENAME) {
			continue;
		}
		renames++;
		assert_true(i < commit);
		assert_true(find_sync(ops[i].ino, 0, i) != SIZE_MAX);
		assert_true(find_sync(ops[i].dir, i, commit) != SIZE_MAX);
	}
	assert_int_equal(renames, 10);
	store_close(store);
}

static void commit_waits_for_the_disk(void **state)
{
	struct project *p = *state;
	struct store *store = open_store(p, STORE_WRITE);
	ino_t wal = ino_of(store_state_fd(store), "pawl.db-wal");
	struct run_row run = run_row_of("flow");
	int64_t id;
	assert_ok(p, runs_create(store, &run, &id, &p->err));
	for (int i = 0; i < 5; i++) {
		op_count = 0;
		char value[2] = {(char)('a' + i), '\0'};
		assert_ok(p, kv_put(store, STR("p"), STR("k"), str_of(value), &p->err));
		assert_ok(p, store_flush(store, &p->err));
		assert_true(find_sync(wal, 0, op_count) != SIZE_MAX);
	}
	store_close(store);
}

static void failed_sync_fails_the_batch_and_is_never_retried(void **state)
{
	struct project *p = *state;
	bool reached_end = false;
	for (int n = 1; !reached_end; n++) {
		assert_ok(p, fs_remove_tree(p->fd, ".pawl", &p->err));
		struct store *store = open_store(p, STORE_WRITE);
		assert_ok(p, put_batch(store, 1, &p->err) && store_flush(store, &p->err));
		assert_ok(p, put_batch(store, 2, &p->err));
		fail_sync_at = n;
		failed = false;
		syncs_after_failure = 0;
		op_count = 0;
		bool ok = store_flush(store, &p->err);
		reached_end = !failed;
		assert_true(ok == !failed);
		if (failed) {
			assert_non_null(p->err.code);
			assert_string_equal(p->err.code, store_error(store)->code);
			/* Of files: SQLite may still sync when it rolls back. */
			ino_t ino = ops[op_count - 1].ino;
			assert_true(syncs_after_failure == 0 ||
				    ino == ino_of(store_state_fd(store), "pawl.db-wal"));
			assert_false(put_batch(store, 3, NULL));
		}
		fail_sync_at = 0;
		failed = false;
		err_finish(&p->err);
		p->err = (struct err){0};
		store_close(store);

		store = open_store(p, STORE_WRITE);
		struct result_list list;
		assert_ok(p, results_list(store, &p->arena, STR(""), true, &list, &p->err));
		assert_true(list.len == 10 || (list.len == 20 && ok));
		for (size_t i = 0; i < list.len; i++) {
			assert_true(cas_has(store, &list.ptr[i].output, true));
		}
		/* The store can be used again by the next process. */
		assert_ok(p, put_batch(store, 2, &p->err) && store_flush(store, &p->err));
		store_close(store);
		assert_true(n < 200);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(blobs_are_durable_before_rows),
		STORE_TEST(commit_waits_for_the_disk),
		STORE_TEST(failed_sync_fails_the_batch_and_is_never_retried),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
