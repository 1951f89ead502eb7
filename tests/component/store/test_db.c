/* db: the directory, the batch, the versions, reading without a trace, claims. */
#include "store_test.h"

#include "store/stmt.h"

#include <signal.h>
#include <sys/file.h>
#include <sys/mount.h>

static void add_run(struct project *p, struct store *store)
{
	struct run_row row = run_row_of("flow");
	int64_t id;
	assert_ok(p, runs_create(store, &row, &id, &p->err));
}

/* A digest over names, modes, sizes and bytes of everything in the directory of the store. */
static struct digest digest_of_state(struct project *p)
{
	struct fs_list list = {0};
	struct buf all = {0};
	assert_ok(p, fs_list_tree(p->fd, ".pawl/state", NULL, &list, &p->err));
	for (size_t i = 0; i < list.len; i++) {
		buf_printf(&all, "%s %o %llu %llu\n", list.ptr[i].name, list.ptr[i].stat.mode,
			(unsigned long long)list.ptr[i].stat.size,
			(unsigned long long)list.ptr[i].stat.ino);
		if (S_ISREG(list.ptr[i].stat.mode)) {
			struct buf path = {0};
			buf_printf(&path, ".pawl/state/%s", list.ptr[i].name);
			assert_ok(p, fs_read_file(p->fd, buf_cstr(&path), SIZE_MAX, &all, &p->err));
			buf_finish(&path);
		}
	}
	struct digest digest = hash_of(buf_str(&all));
	buf_finish(&all);
	fs_list_finish(&list);
	return digest;
}

static void assert_same_state(struct project *p, const struct digest *before)
{
	struct digest now = digest_of_state(p);
	assert_true(digest_eq(&now, before));
}

static void check_mode(struct project *p, const char *path, mode_t mode)
{
	struct stat st;
	if (fstatat(p->fd, path, &st, AT_SYMLINK_NOFOLLOW) != 0) {
		fail_msg("%s is missing", path);
	}
	if ((st.st_mode & 07777) != mode) {
		fail_msg("%s has mode %o, not %o", path, (unsigned)(st.st_mode & 07777),
			(unsigned)mode);
	}
}

static void directory_is_private_whatever_the_umask(void **state)
{
	struct project *p = *state;
	static const mode_t masks[] = {0, 0777, 0022};
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(mkdirat(p->fd, ".pawl", 0755) == 0 || errno == EEXIST, 1);
		mode_t old = umask(masks[i]);
		struct store *store = open_store(p, STORE_WRITE);
		char large[CAS_INLINE + 1] = {0};
		struct digest digest;
		assert_ok(p, cas_put(store, str_make(large, sizeof(large)), &digest, &p->err));
		add_run(p, store);
		assert_int_equal(store_claim(store, &digest, &p->err), CLAIM_HELD);
		umask(old);
		check_mode(p, ".pawl/state", 0700);
		check_mode(p, ".pawl/state/.gitignore", 0600);
		check_mode(p, ".pawl/state/pawl.db", 0600);
		check_mode(p, ".pawl/state/pawl.db-wal", 0600);
		check_mode(p, ".pawl/state/pawl.db-shm", 0600);
		check_mode(p, ".pawl/state/claims", 0600);
		check_mode(p, ".pawl/state/blobs", 0700);
		check_mode(p, ".pawl/state/tmp", 0700);
		struct buf text = {0};
		assert_ok(
			p, fs_read_file(store_state_fd(store), ".gitignore", 100, &text, &p->err));
		assert_string_equal(buf_cstr(&text), "*\n");
		buf_finish(&text);
		store_close(store);
		assert_ok(p, fs_remove_tree(p->fd, ".pawl/state", &p->err));
	}
}

static void absent_store_is_no_error(void **state)
{
	struct project *p = *state;
	assert_null(store_open(p->path, STORE_READ, &p->err));
	assert_false(err_is_set(&p->err));
	assert_int_equal(faccessat(p->fd, ".pawl", F_OK, 0), -1);
	assert_int_equal(mkdirat(p->fd, ".pawl", 0755), 0);
	assert_int_equal(mkdirat(p->fd, ".pawl/state", 0700), 0);
	assert_null(store_open(p->path, STORE_READ, &p->err));
	assert_false(err_is_set(&p->err));
	assert_null(store_open("/nonexistent/project", STORE_WRITE, &p->err));
	assert_code(p, "E-STORE-SYS");
}

static void store_keeps_its_identity(void **state)
{
	struct project *p = *state;
	struct store *store = open_store(p, STORE_WRITE);
	char *id = mem_dup(store_bodies(store)->marker, strlen("PAWL_ATTEMPT_ID=") + 33);
	char *secret = mem_dup(store_secret_key(store).ptr, 32);
	assert_int_equal(strspn(strchr(id, '=') + 1, "0123456789abcdef"), 32);
	assert_int_equal(store_secret_key(store).len, 32);
	char *real = realpath(p->path, NULL);
	assert_string_equal(store_project_path(store), real);
	free(real);
	store_close(store);
	for (int i = 0; i < 2; i++) {
		store = open_store(p, i ? STORE_WRITE : STORE_READ);
		assert_string_equal(store_bodies(store)->marker, id);
		assert_memory_equal(store_secret_key(store).ptr, secret, 32);
		store_close(store);
	}
	free(id);
	free(secret);
}

static void batch_shows_when_flushed(void **state)
{
	struct project *p = *state;
	struct store *store = open_store(p, STORE_WRITE);
	add_run(p, store);
	struct store *reader = open_store(p, STORE_READ);
	struct node_row node = node_row_of(1, "a", NODE_COMPLETED);
	bool found;
	assert_false(store_is_dirty(store));
	assert_ok(p, nodes_put(store, &node, &p->err));
	assert_true(store_is_dirty(store));
	assert_ok(p, nodes_get(reader, &p->arena, 1, STR("a"), &node, &found, &p->err));
	assert_false(found);
	assert_ok(p, store_flush(store, &p->err));
	assert_false(store_is_dirty(store));
	assert_ok(p, nodes_get(reader, &p->arena, 1, STR("a"), &node, &found, &p->err));
	assert_true(found);

	/* A reader's snapshot stays as it is; one of its own writes ends it. */
	store_read_begin(reader);
	assert_ok(p, nodes_get(reader, &p->arena, 1, STR("b"), &node, &found, &p->err));
	node = node_row_of(1, "b", NODE_COMPLETED);
	assert_ok(p, nodes_put(store, &node, &p->err));
	assert_ok(p, store_flush(store, &p->err));
	assert_ok(p, nodes_get(reader, &p->arena, 1, STR("b"), &node, &found, &p->err));
	assert_false(found);
	store_read_end(reader);
	assert_ok(p, nodes_get(reader, &p->arena, 1, STR("b"), &node, &found, &p->err));
	assert_true(found);

	node = node_row_of(1, "c", NODE_COMPLETED);
	assert_ok(p, nodes_put(store, &node, &p->err));
	store_close(store); /* without a flush */
	assert_ok(p, nodes_get(reader, &p->arena, 1, STR("c"), &node, &found, &p->err));
	assert_false(found);
	store_close(reader);
}

static void writes_go_on_within_a_plan(void **state)
{
	struct project *p = *state;
	struct store *one = open_store(p, STORE_WRITE);
	struct store *two = open_store(p, STORE_WRITE);
	struct node_row node;
	bool found;
	add_run(p, one);
	store_read_begin(one);
	store_read_begin(one);
	assert_ok(p, nodes_get(one, &p->arena, 1, STR("a"), &node, &found, &p->err));
	add_run(p, two); /* the snapshot of `one` is old now */
	node = node_row_of(1, "a", NODE_COMPLETED);
	assert_ok(p, nodes_put(one, &node, &p->err));
	store_read_end(one);
	assert_ok(p, store_flush(one, &p->err));
	assert_ok(p, nodes_get(one, &p->arena, 1, STR("a"), &node, &found, &p->err));
	assert_true(found);
	store_read_end(one);
	add_run(p, two);
	add_run(p, one);
	store_close(one);
	store_close(two);
}

static void exec_sql(struct project *p, const char *sql)
{
	struct buf path = {0};
	sqlite3 *db;
	buf_printf(&path, "%s/.pawl/state/pawl.db", p->path);
	assert_int_equal(sqlite3_open(buf_cstr(&path), &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	buf_finish(&path);
}

static void newer_store_is_refused(void **state)
{
	struct project *p = *state;
	store_close(open_store(p, STORE_WRITE));
	exec_sql(p, "PRAGMA user_version = 99");
	for (int i = 0; i < 2; i++) {
		assert_null(store_open(p->path, i ? STORE_WRITE : STORE_READ, &p->err));
		assert_non_null(strstr(p->err.message, "version 99"));
		assert_code(p, "E-STORE-NEWER");
	}
	exec_sql(p, "PRAGMA user_version = 4");
	store_close(open_store(p, STORE_WRITE));
}

static void migration_is_all_or_nothing(void **state)
{
	(void)state;
	static const char one[] =
		"CREATE TABLE a (x INTEGER) STRICT; INSERT INTO a VALUES (1), (2)";
	static const char two[] = "ALTER TABLE a ADD COLUMN y INTEGER NOT NULL DEFAULT 7";
	static const char bad[] = "UPDATE a SET x = 9; DROP TABLE nothing_like_it";
	const char *const list[] = {one, two, bad};
	struct err err = {0};
	int version = -1;
	sqlite3 *db;
	assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
	assert_true(store_migrate(db, list, 1, &err));
	assert_true(store_user_version(db, &version, &err) && version == 1);
	/* 1 -> 3 stops in its second step: version 1 is what stays. */
	assert_false(store_migrate(db, list, 3, &err));
	assert_string_equal(err.code, "E-STORE-SYS");
	assert_true(store_user_version(db, &version, NULL) && version == 1);
	assert_int_equal(sqlite3_exec(db, "SELECT y FROM a", NULL, NULL, NULL), SQLITE_ERROR);
	assert_true(store_migrate(db, list, 2, NULL));
	assert_true(store_user_version(db, &version, NULL) && version == 2);
	sqlite3_stmt *st;
	assert_int_equal(
		sqlite3_prepare_v2(db, "SELECT sum(x), sum(y) FROM a", -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	assert_int_equal(sqlite3_column_int(st, 0), 3);
	assert_int_equal(sqlite3_column_int(st, 1), 14);
	sqlite3_finalize(st);
	/* Nothing to do, and nothing done. */
	assert_true(store_migrate(db, list, 2, NULL));
	sqlite3_close(db);
	err_finish(&err);
}

static void foreign_or_linked_store_is_refused(void **state)
{
	struct project *p = *state;
	store_close(open_store(p, STORE_WRITE));
	if (geteuid() == 0) {
		assert_int_equal(fchownat(p->fd, ".pawl/state", 4242, 4242, 0), 0);
		for (int i = 0; i < 2; i++) {
			assert_null(store_open(p->path, i ? STORE_WRITE : STORE_READ, &p->err));
			assert_code(p, "E-STORE-OWNER");
		}
		assert_int_equal(fchownat(p->fd, ".pawl/state", 0, 0, 0), 0);
	} else {
		print_message("not root: the owner of a directory can't be changed\n");
	}
	assert_int_equal(renameat(p->fd, ".pawl/state", p->fd, "elsewhere"), 0);
	assert_int_equal(symlinkat("../elsewhere", p->fd, ".pawl/state"), 0);
	assert_null(store_open(p->path, STORE_WRITE, &p->err));
	assert_code(p, "E-STORE-OWNER");
	assert_int_equal(unlinkat(p->fd, ".pawl/state", 0), 0);
	assert_int_equal(renameat(p->fd, "elsewhere", p->fd, ".pawl/state"), 0);
	/* The database itself is a link. */
	assert_int_equal(renameat(p->fd, ".pawl/state/pawl.db", p->fd, "other.db"), 0);
	assert_int_equal(symlinkat("../../other.db", p->fd, ".pawl/state/pawl.db"), 0);
	for (int i = 0; i < 2; i++) {
		assert_null(store_open(p->path, i ? STORE_WRITE : STORE_READ, &p->err));
		assert_true(err_is_set(&p->err));
	}
}

static void reader_leaves_no_trace(void **state)
{
	struct project *p = *state;
	struct store *store = open_store(p, STORE_WRITE);
	add_run(p, store);
	store_close(store);
	/* Closed well; then without the files beside the database, as after a copy of it alone. */
	for (int i = 0; i < 2; i++) {
		struct digest before = digest_of_state(p);
		struct run_list list;
		struct store *reader = open_store(p, STORE_READ);
		store_read_begin(reader);
		assert_ok(p, runs_list(reader, &p->arena, STR(""), 0, true, &list, &p->err));
		assert_int_equal(list.len, 1);
		store_read_end(reader);
		assert_false(store_flush(reader, &p->err) && store_is_dirty(reader));
		struct run_row row = run_row_of("x");
		int64_t id;
		assert_false(runs_create(reader, &row, &id, &p->err));
		assert_code(p, "E-STORE-READONLY");
		struct digest what = digest_of("what");
		assert_int_equal(store_claim(reader, &what, &p->err), CLAIM_FAILED);
		assert_code(p, "E-STORE-READONLY");
		struct diags diags = {0};
		assert_true(store_check(reader, &diags));
		diags_finish(&diags);
		store_close(reader);
		assert_same_state(p, &before);
		unlinkat(p->fd, ".pawl/state/pawl.db-wal", 0);
		unlinkat(p->fd, ".pawl/state/pawl.db-shm", 0);
	}
}

/* In a child that ends without any clean-up, as if it had been killed. */
static int write_rows(struct project *p, int count)
{
	struct store *store = store_open(p->path, STORE_WRITE, NULL);
	struct run_row row = run_row_of("flow");
	int64_t id;
	for (int i = 0; i < count; i++) {
		if (!runs_create(store, &row, &id, NULL)) {
			return 1;
		}
	}
	struct node_row node = node_row_of(1, "unflushed", NODE_COMPLETED);
	return nodes_put(store, &node, NULL) ? 0 : 1;
}

static void reader_sees_the_journal_of_a_killed_writer(void **state)
{
	struct project *p = *state;
	/* The second writer waits for its turn: a child must not be forked while SQLite has a database open. */
	int turn[2];
	assert_int_equal(pipe(turn), 0);
	pid_t first = fork();
	if (first == 0) {
		_exit(write_rows(p, 20));
	}
	int status;
	assert_int_equal(waitpid(first, &status, 0), first);
	assert_int_equal(status, 0);
	pid_t second = fork();
	if (second == 0) {
		char c;
		_exit(read(turn[0], &c, 1) == 1 ? write_rows(p, 10) : 1);
	}
	struct digest before = digest_of_state(p);
	struct stat wal;
	assert_int_equal(fstatat(p->fd, ".pawl/state/pawl.db-wal", &wal, 0), 0);
	assert_true(wal.st_size > 0);
	struct store *reader = open_store(p, STORE_READ);
	struct run_list list;
	struct node_list nodes;
	assert_ok(p, runs_list(reader, &p->arena, STR(""), 0, true, &list, &p->err));
	assert_int_equal(list.len, 20);
	assert_ok(p, nodes_list(reader, &p->arena, 1, &nodes, &p->err));
	assert_int_equal(nodes.len, 0);
	/* While it reads, another writes; what it reads from then on is the new state. */
	assert_same_state(p, &before);
	assert_int_equal(write(turn[1], "x", 1), 1);
	assert_int_equal(waitpid(second, &status, 0), second);
	assert_int_equal(status, 0);
	close(turn[0]);
	close(turn[1]);
	assert_ok(p, runs_list(reader, &p->arena, STR(""), 0, true, &list, &p->err));
	assert_int_equal(list.len, 30);
	store_close(reader);

	/* The journal without its index can't be read without writing: said, not done. */
	assert_int_equal(unlinkat(p->fd, ".pawl/state/pawl.db-shm", 0), 0);
	before = digest_of_state(p);
	assert_null(store_open(p->path, STORE_READ, &p->err));
	assert_code(p, "E-STORE-READONLY");
	assert_same_state(p, &before);
	struct store *store = open_store(p, STORE_WRITE);
	assert_ok(p, runs_list(store, &p->arena, STR(""), 0, true, &list, &p->err));
	assert_int_equal(list.len, 30);
	store_close(store);
}

static void reader_and_writer_at_once(void **state)
{
	struct project *p = *state;
	struct store *store = open_store(p, STORE_WRITE);
	add_run(p, store);
	store_close(store); /* SQLite's own state must not be shared through a fork */
	pid_t pid = fork();
	if (pid == 0) {
		struct store *writer = store_open(p->path, STORE_WRITE, NULL);
		for (int i = 0; i < 3000; i++) {
			char name[16];
			snprintf(name, sizeof(name), "n%d", i);
			struct node_row node = node_row_of(1, name, NODE_COMPLETED);
			struct node_row twin = node_row_of(1, name, NODE_COMPLETED);
			snprintf(name, sizeof(name), "m%d", i);
			if (!nodes_put(writer, &node, NULL) || !nodes_put(writer, &twin, NULL) ||
				(i % 10 == 0 && !store_flush(writer, NULL))) {
				_exit(1);
			}
		}
		_exit(store_flush(writer, NULL) ? 0 : 1);
	}
	int status;
	int opened = 0;
	while (waitpid(pid, &status, WNOHANG) == 0) {
		struct store *reader = store_open(p->path, STORE_READ, &p->err);
		assert_ok(p, reader != NULL);
		struct arena arena = {0};
		struct node_list nodes;
		assert_ok(p, nodes_list(reader, &arena, 1, &nodes, &p->err));
		arena_finish(&arena);
		store_close(reader);
		opened++;
	}
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_true(opened > 0);
}

static int write_a_thousand(struct project *p, int which)
{
	struct store *store = store_open(p->path, STORE_WRITE, NULL);
	if (!store) {
		return 1;
	}
	struct run_row row = run_row_of(which ? "one" : "two");
	for (int i = 0; i < 200; i++) {
		int64_t id;
		if (!runs_create(store, &row, &id, NULL)) {
			return 2;
		}
		for (int k = 0; k < 5; k++) {
			char text[64];
			snprintf(text, sizeof(text), "node%d", k);
			struct node_row node = node_row_of(id, text, NODE_COMPLETED);
			struct result_row result = result_row_of(text, text, text);
			struct digest digest;
			char large[20000];
			memset(large, i * 5 + k, sizeof(large));
			size_t size = k == 0 ? sizeof(large) : 100;
			if (!cas_put(store, str_make(large, size), &digest, NULL) ||
				!results_put(store, &result, &node.result, NULL) ||
				!nodes_put(store, &node, NULL)) {
				return 3;
			}
		}
		if (!store_flush(store, NULL)) {
			return 4;
		}
	}
	store_close(store);
	return 0;
}

static void two_processes_write_at_once(void **state)
{
	struct project *p = *state;
	pid_t pids[2];
	for (int i = 0; i < 2; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			_exit(write_a_thousand(p, i)); /* both make the store */
		}
	}
	for (int i = 0; i < 2; i++) {
		int status;
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	struct store *store = open_store(p, STORE_WRITE);
	struct run_list runs;
	struct result_list results;
	assert_ok(p, runs_list(store, &p->arena, STR(""), 0, true, &runs, &p->err));
	assert_int_equal(runs.len, 400);
	for (size_t i = 0; i < runs.len; i++) {
		assert_int_equal(runs.ptr[i].id, 400 - i);
		struct node_list nodes;
		assert_ok(p, nodes_list(store, &p->arena, runs.ptr[i].id, &nodes, &p->err));
		assert_int_equal(nodes.len, 5);
	}
	assert_ok(p, results_list(store, &p->arena, STR(""), true, &results, &p->err));
	assert_int_equal(results.len, 2000);
	assert_int_equal(results.damaged, 0);
	struct diags diags = {0};
	assert_true(store_check(store, &diags));
	diags_finish(&diags);
	store_close(store);
}

static void claim_is_one_process_s(void **state)
{
	struct project *p = *state;
	struct store *store = open_store(p, STORE_WRITE);
	struct digest a = digest_of("a");
	struct digest b = digest_of("b");
	assert_int_equal(store_claim(store, &a, &p->err), CLAIM_HELD);
	struct store *other = open_store(p, STORE_WRITE);
	assert_int_equal(store_claim(other, &a, &p->err), CLAIM_BUSY);
	assert_int_equal(store_claim(other, &b, &p->err), CLAIM_HELD);
	store_unclaim(store, &a);
	assert_int_equal(store_claim(other, &a, &p->err), CLAIM_HELD);
	assert_int_equal(store_claim(store, &a, &p->err), CLAIM_BUSY);
	store_close(other);
	assert_int_equal(store_claim(store, &a, &p->err), CLAIM_HELD);
	assert_int_equal(store_claim(store, &b, &p->err), CLAIM_HELD);
	/* Of two runs in one process, too. */
	assert_int_equal(store_claim(store, &a, &p->err), CLAIM_BUSY);
	store_unclaim(store, &a);
	assert_int_equal(store_claim(store, &a, &p->err), CLAIM_HELD);
	store_close(store);
}

static void write_something(struct project *p, struct store *store)
{
	struct node_row row = node_row_of(1, "node", NODE_COMPLETED);
	assert_ok(p, nodes_put(store, &row, &p->err));
	assert_true(store_is_dirty(store));
}

/* Whoever gets the claim next finds what was written under it. */
static void claim_is_given_back_with_the_commit(void **state)
{
	struct project *p = *state;
	struct store *store = open_store(p, STORE_WRITE);
	struct store *other = open_store(p, STORE_WRITE);
	struct digest a = digest_of("a");
	struct run_row run = run_row_of("flow");
	int64_t id;
	assert_ok(p, runs_create(store, &run, &id, &p->err));
	assert_int_equal(store_claim(store, &a, &p->err), CLAIM_HELD);
	write_something(p, store);
	store_unclaim(store, &a);
	assert_int_equal(store_claim(other, &a, &p->err), CLAIM_BUSY);
	assert_ok(p, store_flush(store, &p->err));
	assert_int_equal(store_claim(other, &a, &p->err), CLAIM_HELD);
	store_unclaim(other, &a);
	/* Taken again before the commit: it stays. */
	assert_int_equal(store_claim(store, &a, &p->err), CLAIM_HELD);
	write_something(p, store);
	store_unclaim(store, &a);
	assert_int_equal(store_claim(store, &a, &p->err), CLAIM_HELD);
	assert_ok(p, store_flush(store, &p->err));
	assert_int_equal(store_claim(other, &a, &p->err), CLAIM_BUSY);
	/* A batch that is given up gives it back, too. */
	write_something(p, store);
	store_unclaim(store, &a);
	store_write_cancel(store);
	assert_int_equal(store_claim(other, &a, &p->err), CLAIM_HELD);
	store_close(other);
	store_close(store);
}

static void claim_goes_with_its_process(void **state)
{
	struct project *p = *state;
	store_close(open_store(p, STORE_WRITE));
	struct digest what = digest_of("what");
	int ready[2];
	int hold[2];
	assert_int_equal(pipe(ready) | pipe(hold), 0);
	pid_t pid = fork();
	if (pid == 0) {
		close(hold[1]);
		struct store *store = store_open(p->path, STORE_WRITE, NULL);
		char c = store_claim(store, &what, NULL) == CLAIM_HELD ? 'y' : 'n';
		if (write(ready[1], &c, 1) == 1 && read(hold[0], &c, 1) == 0) {
			kill(getpid(), SIGKILL);
		}
		_exit(1);
	}
	char c = 0;
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(c, 'y');
	struct store *store = open_store(p, STORE_WRITE);
	assert_int_equal(store_claim(store, &what, &p->err), CLAIM_BUSY);
	close(hold[1]);
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(store_claim(store, &what, &p->err), CLAIM_HELD);
	close(hold[0]);
	close(ready[0]);
	close(ready[1]);
	store_close(store);
}

static void left_over_temporary_files_go(void **state)
{
	struct project *p = *state;
	store_close(open_store(p, STORE_WRITE));
	static const char *const names[] = {"old", "new", "locked"};
	int locked = -1;
	for (size_t i = 0; i < 3; i++) {
		char path[64];
		snprintf(path, sizeof(path), ".pawl/state/tmp/%s", names[i]);
		int fd = openat(p->fd, path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
		assert_true(fd >= 0);
		if (i != 1) {
			struct timespec old[2] = {{.tv_sec = 1000000}, {.tv_sec = 1000000}};
			assert_int_equal(futimens(fd, old), 0);
		}
		if (i == 2) {
			locked = fd;
			assert_int_equal(flock(fd, LOCK_EX), 0);
		} else {
			close(fd);
		}
	}
	store_close(open_store(p, STORE_READ));
	assert_int_equal(faccessat(p->fd, ".pawl/state/tmp/old", F_OK, 0), 0);
	store_close(open_store(p, STORE_WRITE));
	assert_int_equal(faccessat(p->fd, ".pawl/state/tmp/old", F_OK, 0), -1);
	assert_int_equal(faccessat(p->fd, ".pawl/state/tmp/new", F_OK, 0), 0);
	assert_int_equal(faccessat(p->fd, ".pawl/state/tmp/locked", F_OK, 0), 0);
	close(locked);
}

static void full_disk_is_said_and_leaves_a_sound_store(void **state)
{
	struct project *p = *state;
	if (mount("none", p->path, "tmpfs", 0, "size=2m,mode=0700") != 0) {
		print_message("no tmpfs can be mounted here: %s\n", strerror(errno));
		skip();
	}
	static char bytes[600000];
	struct store *store = store_open(p->path, STORE_WRITE, &p->err);
	assert_ok(p, store != NULL);
	int64_t kept = 0;
	bool ok = true;
	for (int i = 0; i < 100 && ok; i++) {
		memset(bytes, i, sizeof(bytes));
		struct result_row row = result_row_of("a", "key", "x");
		int64_t id;
		ok = cas_put(store, str_make(bytes, i % 2 ? sizeof(bytes) : 9000), &row.output,
			     &p->err) &&
		     results_put(store, &row, &id, &p->err) && store_flush(store, &p->err);
		kept += ok;
	}
	assert_false(ok);
	assert_code(p, "E-STORE-FULL");
	store_close(store);
	store = store_open(p->path, STORE_READ, &p->err);
	assert_ok(p, store != NULL);
	struct result_list list;
	assert_ok(p, results_list(store, &p->arena, STR(""), true, &list, &p->err));
	assert_true(kept > 0);
	assert_int_equal(list.len, kept);
	for (size_t i = 0; i < list.len; i++) {
		assert_true(cas_has(store, &list.ptr[i].output, true));
	}
	store_close(store);
	assert_int_equal(umount2(p->path, MNT_DETACH), 0);
}

static void failed_flush_is_final(void **state)
{
	struct project *p = *state;
	struct store *store = open_store(p, STORE_WRITE);
	add_run(p, store);
	static char bytes[100000];
	struct digest digest;
	struct node_row node = node_row_of(1, "a", NODE_COMPLETED);
	assert_ok(p, cas_put(store, str_make(bytes, sizeof(bytes)), &digest, &p->err));
	assert_ok(p, nodes_put(store, &node, &p->err));
	/* The blob can't get its name: a file stands where its directory would be. */
	struct buf hex = {0};
	digest_add_hex(&hex, &digest);
	char path[32];
	snprintf(path, sizeof(path), "blobs/%.2s", buf_cstr(&hex));
	buf_finish(&hex);
	assert_ok(p, fs_write_file(store_state_fd(store), path, STR(""), 0600, false, &p->err));
	assert_false(store_flush(store, &p->err));
	assert_code(p, "E-STORE-SYS");
	assert_string_equal(store_error(store)->code, "E-STORE-SYS");
	assert_false(store_is_dirty(store));
	assert_false(nodes_put(store, &node, &p->err));
	assert_code(p, "E-STORE-SYS");
	assert_false(store_flush(store, &p->err));
	assert_code(p, "E-STORE-SYS");
	bool found;
	assert_ok(p, nodes_get(store, &p->arena, 1, STR("a"), &node, &found, &p->err));
	assert_false(found);
	assert_false(cas_has(store, &digest, false));
	store_close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(directory_is_private_whatever_the_umask),
		STORE_TEST(absent_store_is_no_error),
		STORE_TEST(store_keeps_its_identity),
		STORE_TEST(batch_shows_when_flushed),
		STORE_TEST(writes_go_on_within_a_plan),
		STORE_TEST(newer_store_is_refused),
		cmocka_unit_test(migration_is_all_or_nothing),
		STORE_TEST(foreign_or_linked_store_is_refused),
		STORE_TEST(reader_leaves_no_trace),
		STORE_TEST(reader_sees_the_journal_of_a_killed_writer),
		STORE_TEST(reader_and_writer_at_once),
		STORE_TEST(two_processes_write_at_once),
		STORE_TEST(claim_is_one_process_s),
		STORE_TEST(claim_is_given_back_with_the_commit),
		STORE_TEST(claim_goes_with_its_process),
		STORE_TEST(left_over_temporary_files_go),
		STORE_TEST(full_disk_is_said_and_leaves_a_sound_store),
		STORE_TEST(failed_flush_is_final),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
