/* damage: flipped bits, cut files, garbage.  A wrong row is never believed, nothing crashes, nothing is lost silently. */
#include "store_test.h"

#include "store/stmt.h"

#define NODES 60

static char *db_bytes(struct project *p, size_t *n)
{
	struct buf bytes = {0};
	assert_ok(p, fs_read_file(p->fd, ".pawl/state/pawl.db", SIZE_MAX, &bytes, &p->err));
	*n = bytes.len;
	return buf_take(&bytes);
}

/* Puts other bytes in place of the database, as if they had always been there. */
static void replace_db(struct project *p, const char *bytes, size_t n)
{
	int fd = openat(p->fd, ".pawl/state/pawl.db", O_WRONLY | O_TRUNC | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, n), n);
	close(fd);
	unlinkat(p->fd, ".pawl/state/pawl.db-wal", 0);
	unlinkat(p->fd, ".pawl/state/pawl.db-shm", 0);
	unlinkat(p->fd, ".pawl/state/pawl.db.suspect", 0);
}

static struct result_row row_of(int i, char name[16], char trace[600])
{
	snprintf(name, 16, "node%d", i);
	struct result_row row = result_row_of(name, name, name);
	memset(trace, 'a' + i % 26, 599);
	snprintf(trace, 20, "trace %d", i);
	trace[strlen(trace)] = '-';
	row.trace = str_make(trace, 599);
	row.made_ms = 1000 + i;
	row.emits = STR("{\"a\":1}");
	return row;
}

static void make_rows(struct project *p)
{
	struct store *store = open_store(p, STORE_WRITE);
	struct run_row run = run_row_of("flow");
	int64_t id;
	assert_ok(p, runs_create(store, &run, &id, &p->err));
	for (int i = 0; i < NODES; i++) {
		char name[16];
		char trace[600];
		struct result_row row = row_of(i, name, trace);
		assert_ok(p, results_put(store, &row, &id, &p->err));
		struct verdict_row verdict = {.kind = VERDICT_QUARANTINED,
			.workflow = STR("flow"),
			.node = str_of(name),
			.output = row.output,
			.by = STR("anna"),
			.reason = STR("bad"),
			.at_ms = i};
		assert_ok(p, verdicts_add(store, &verdict, &id, &p->err));
		struct node_row node = node_row_of(1, name, NODE_COMPLETED);
		assert_ok(p, nodes_put(store, &node, &p->err));
		struct memo_row memo = {row.output, 1, 2, 3, 4, 5, 6};
		assert_true(memo_put(store, str_of(name), &memo));
	}
	assert_ok(p, store_flush(store, &p->err));
	sqlite3_exec(store->db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL);
	store_close(store);
}

static bool same_str(str a, str b)
{
	return str_eq(a, b);
}

static void check_result(struct project *p, struct store *store, int i, size_t *found)
{
	char name[16];
	char trace[600];
	struct result_row row = row_of(i, name, trace);
	struct result_list list;
	if (!results_find(store, &p->arena, STR("flow"), str_of(name), &row.key, &list, &p->err)) {
		assert_code(p, "E-STORE-DAMAGED");
		return;
	}
	for (size_t k = 0; k < list.len; k++) {
		const struct result_row *got = &list.ptr[k];
		assert_true(got->id == i + 1 && got->made_ms == row.made_ms && got->run == 1);
		assert_true(same_str(got->trace, row.trace) && same_str(got->emits, row.emits));
		assert_true(
			same_str(got->transcript, row.transcript) && same_str(got->type, row.type));
		assert_true(digest_eq(&got->output, &row.output) &&
			    got->output_size == row.output_size);
		assert_true(got->provable && !got->dropped && !got->has_manifest);
		++*found;
	}
	struct memo_row memo;
	bool has_memo;
	if (memo_get(store, str_of(name), &memo, &has_memo) && has_memo) {
		assert_true(digest_eq(&memo.digest, &row.output) && memo.mtime_ns == 4 &&
			    memo.taken_ns == 6);
	}
	struct verdict_list verdicts;
	struct digest none = {{0}};
	if (!verdicts_on(store, &p->arena, STR("flow"), str_of(name), &row.output, &none, &verdicts,
		    &p->err)) {
		assert_code(p, "E-STORE-DAMAGED");
		return;
	}
	for (size_t k = 0; k < verdicts.len; k++) {
		assert_true(
			verdicts.ptr[k].kind == VERDICT_QUARANTINED && verdicts.ptr[k].id == i + 1);
		assert_true(str_is(verdicts.ptr[k].by, "anna") && verdicts.ptr[k].at_ms == i);
	}
}

/* Everything that can be read of it is right; gives how many results were found. */
static size_t check_rows(struct project *p, enum store_mode mode)
{
	size_t found = 0;
	struct store *store = store_open(p->path, mode, &p->err);
	if (!store) {
		/* Flips in the version number make it newer or empty. */
		if (err_is_set(&p->err)) {
			assert_true(strcmp(p->err.code, "E-STORE-DAMAGED") == 0 ||
				    strcmp(p->err.code, "E-STORE-NEWER") == 0 ||
				    strcmp(p->err.code, "E-STORE-SYS") == 0);
		}
		err_finish(&p->err);
		p->err = (struct err){0};
		return 0;
	}
	err_finish(&p->err);
	p->err = (struct err){0};
	for (int i = 0; i < NODES; i++) {
		check_result(p, store, i, &found);
	}
	struct node_list nodes;
	if (!nodes_list(store, &p->arena, 1, &nodes, &p->err)) {
		assert_code(p, "E-STORE-DAMAGED");
	}
	struct err err = {0};
	store_flush(store, &err);
	err_finish(&err);
	store_close(store);
	arena_finish(&p->arena);
	p->arena = (struct arena){0};
	return found;
}

static void flipped_bits_give_no_wrong_row(void **state)
{
	struct project *p = *state;
	make_rows(p);
	size_t n;
	char *bytes = db_bytes(p, &n);
	assert_int_equal(check_rows(p, STORE_READ), NODES);
	assert_true(n > 40 * 4096);
	size_t lost = 0;
	size_t flips = 0;
	unsigned seed = 1;
	for (size_t page = 0; page < n; page += 4096) {
		for (int k = 0; k < 8; k++) {
			seed = seed * 1103515245u + 12345u;
			/* Headers of pages and cells matter most; the rest at random. */
			size_t at = page + (k < 2 ? (seed >> 8) % 16 : (seed >> 8) % 4096);
			int bit = (int)(seed >> 28) % 8;
			bytes[at] ^= (char)(1 << bit);
			replace_db(p, bytes, n);
			size_t found = check_rows(p, k % 2 ? STORE_READ : STORE_WRITE);
			lost += found < NODES;
			flips++;
			bytes[at] ^= (char)(1 << bit);
		}
	}
	replace_db(p, bytes, n);
	assert_int_equal(check_rows(p, STORE_WRITE), NODES);
	assert_true(lost > 0);
	print_message("%zu flips, %zu of them cost a row\n", flips, lost);
	free(bytes);
}

static void cut_database_crashes_nothing(void **state)
{
	struct project *p = *state;
	make_rows(p);
	size_t n;
	char *bytes = db_bytes(p, &n);
	for (size_t left = 0; left < n; left += left < 200 ? 33 : 4096 * 3 + 517) {
		replace_db(p, bytes, left);
		check_rows(p, STORE_READ);
		check_rows(p, STORE_WRITE);
		/* What was set aside or emptied can be worked with, now or at the second try. */
		store_close(store_open(p->path, STORE_WRITE, NULL));
		struct store *store = store_open(p->path, STORE_WRITE, &p->err);
		assert_ok(p, store != NULL);
		err_finish(&p->err);
		p->err = (struct err){0};
		store_close(store);
	}
	free(bytes);
}

static size_t count_set_aside(struct project *p)
{
	struct fs_list list = {0};
	size_t count = 0;
	assert_ok(p, fs_list_tree(p->fd, ".pawl/state", NULL, &list, &p->err));
	for (size_t i = 0; i < list.len; i++) {
		count += str_starts(str_of(list.ptr[i].name), STR("pawl.db.damaged-")) &&
		         !str_ends(str_of(list.ptr[i].name), STR("-wal"));
	}
	fs_list_finish(&list);
	return count;
}

static void garbage_is_set_aside_and_named(void **state)
{
	struct project *p = *state;
	make_rows(p);
	char garbage[9000];
	memset(garbage, 'g', sizeof(garbage));
	for (size_t i = 1; i <= 2; i++) {
		replace_db(p, garbage, sizeof(garbage));
		assert_null(store_open(p->path, STORE_READ, &p->err));
		assert_code(p, "E-STORE-DAMAGED");
		struct store *store = store_open(p->path, STORE_WRITE, &p->err);
		assert_non_null(store);
		assert_true(p->err.is_warning);
		assert_non_null(strstr(p->err.message, "pawl.db.damaged-"));
		assert_code(p, "E-STORE-DAMAGED");
		struct run_row run = run_row_of("flow");
		int64_t id;
		assert_ok(p, runs_create(store, &run, &id, &p->err));
		assert_int_equal(id, 1);
		store_close(store);
		assert_int_equal(count_set_aside(p), i);
	}
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

static void damage_found_later_is_set_aside_at_the_next_start(void **state)
{
	struct project *p = *state;
	make_rows(p);
	size_t n;
	char *bytes = db_bytes(p, &n);
	struct store *store = open_store(p, STORE_READ);
	sqlite3_stmt *st;
	assert_int_equal(sqlite3_prepare_v2(store->db,
				 "SELECT rootpage FROM sqlite_schema WHERE tbl_name = 'node'", -1,
				 &st, NULL),
		SQLITE_OK);
	while (sqlite3_step(st) == SQLITE_ROW) {
		memset(bytes + 4096 * (sqlite3_column_int(st, 0) - 1), 0xff, 8);
	}
	sqlite3_finalize(st);
	store_close(store);
	replace_db(p, bytes, n);
	store = open_store(p, STORE_WRITE);
	struct node_list nodes;
	assert_false(nodes_list(store, &p->arena, 1, &nodes, &p->err));
	assert_code(p, "E-STORE-DAMAGED");
	struct diags diags = {0};
	assert_false(store_check(store, &diags));
	assert_true(diags.errors > 0);
	diags_finish(&diags);
	store_close(store);
	assert_int_equal(count_set_aside(p), 0);
	store = store_open(p->path, STORE_WRITE, &p->err);
	assert_non_null(store);
	assert_true(p->err.is_warning);
	assert_code(p, "E-STORE-DAMAGED");
	assert_int_equal(count_set_aside(p), 1);
	store_close(store);
	/* A schema that says something else is damage that SQLite itself can't see. */
	exec_sql(p,
		"PRAGMA writable_schema = ON;"
		"UPDATE sqlite_schema SET sql = replace(sql, 'emits', 'emitz') WHERE name = 'result'");
	store = open_store(p, STORE_WRITE);
	struct result_list list;
	assert_false(results_list(store, &p->arena, STR(""), true, &list, &p->err));
	assert_code(p, "E-STORE-DAMAGED");
	store_close(store);
	store = store_open(p->path, STORE_WRITE, &p->err);
	assert_non_null(store);
	assert_true(p->err.is_warning);
	assert_code(p, "E-STORE-DAMAGED");
	assert_int_equal(count_set_aside(p), 2);
	assert_ok(p, results_list(store, &p->arena, STR(""), true, &list, &p->err));
	store_close(store);
	/* A suspicion that proves wrong costs a look and no more. */
	store = open_store(p, STORE_WRITE);
	store_mark_damaged(store);
	store_close(store);
	store = open_store(p, STORE_WRITE);
	assert_int_equal(faccessat(p->fd, ".pawl/state/pawl.db.suspect", F_OK, 0), -1);
	store_close(store);
	assert_int_equal(count_set_aside(p), 2);
	free(bytes);
}

static void row_that_fails_its_checksum_is_dropped_and_counted(void **state)
{
	struct project *p = *state;
	make_rows(p);
	/* What a flip leaves that SQLite itself finds no fault with. */
	exec_sql(p, "UPDATE result SET made_ms = made_ms + 1 WHERE id = 3;"
		    "UPDATE result SET dropped = 1 WHERE id = 4;"
		    "UPDATE transcript SET text = text || '!' WHERE id = 5;"
		    "UPDATE result SET id = 700 WHERE id = 6;"
		    "UPDATE verdict SET released_ms = 5 WHERE id = 7;"
		    "UPDATE verdict SET kind = 'exonerated' WHERE id = 8;"
		    "UPDATE memo SET mtime_ns = 99 WHERE path = 'node8'");
	struct store *store = open_store(p, STORE_READ);
	struct diags diags = {0};
	assert_false(store_check(store, &diags));
	assert_int_equal(diags.list.len, 3);
	assert_non_null(strstr(diags.list.ptr[0].message, "4 results"));
	assert_non_null(strstr(diags.list.ptr[1].message, "2 verdicts"));
	diags_finish(&diags);
	store_close(store);

	store = open_store(p, STORE_WRITE);
	char name[16];
	char trace[600];
	size_t damaged = 0;
	for (int i = 0; i < NODES; i++) {
		struct result_row row = row_of(i, name, trace);
		struct result_list list;
		assert_ok(p, results_find(store, &p->arena, STR("flow"), str_of(name), &row.key,
				     &list, &p->err));
		damaged += list.damaged;
		assert_int_equal(list.len, i >= 2 && i <= 5 ? 0 : 1);
	}
	assert_int_equal(damaged, 3); /* the one that says it is dropped is not looked at */
	assert_int_equal(store_damaged(store), 3);
	struct verdict_list verdicts;
	assert_ok(p, verdicts_list(store, &p->arena, true, &verdicts, &p->err));
	assert_int_equal(verdicts.len, NODES - 2);
	assert_int_equal(store_damaged(store), 5);
	struct memo_row memo;
	bool found;
	assert_true(memo_get(store, STR("node8"), &memo, &found));
	assert_false(found);
	assert_ok(p, store_flush(store, &p->err));
	struct result_list all;
	assert_ok(p, results_list(store, &p->arena, STR(""), true, &all, &p->err));
	assert_int_equal(all.damaged, 1);
	assert_ok(p, results_list(store, &p->arena, STR(""), true, &all, &p->err));
	assert_int_equal(all.damaged, 0);
	assert_int_equal(all.len, NODES - 4);
	store_close(store);
}

/* Whatever column of a verdict was hit, it no longer stands between its node's results and their reuse: they go. */
static void results_behind_a_damaged_verdict_are_dropped(void **state)
{
	struct project *p = *state;
	static const char *const hits[] = {"kind = 'exonerated'", "released_ms = 5",
		"output = zeroblob(32)", "manifest = randomblob(32)", "by = 'bob'", "reason = ''",
		"checksum = zeroblob(8)", "result = 5", "at_ms = 77"};
	make_rows(p);
	enum { HITS = sizeof(hits) / sizeof(hits[0]) };
	_Static_assert(HITS < NODES, "one is left whole");
	char sql[200];
	for (int i = 0; i < HITS; i++) {
		snprintf(sql, sizeof(sql), "UPDATE verdict SET %s WHERE id = %d", hits[i], i + 1);
		exec_sql(p, sql);
	}
	static const enum store_mode modes[] = {STORE_READ, STORE_WRITE};
	for (size_t m = 0; m < 2; m++) {
		struct store *store = open_store(p, modes[m]);
		for (int i = 0; i <= HITS; i++) {
			char name[16];
			char trace[600];
			struct digest none = {{0}};
			struct result_row row = row_of(i, name, trace);
			struct verdict_list verdicts;
			struct result_list results;
			assert_ok(p, verdicts_on(store, &p->arena, STR("flow"), str_of(name),
					     &row.output, &none, &verdicts, &p->err));
			assert_int_equal(verdicts.damaged, i < HITS ? 1 : 0);
			assert_int_equal(verdicts.len, i < HITS ? 0 : 1);
			assert_ok(p, results_find(store, &p->arena, STR("flow"), str_of(name),
					     &row.key, &results, &p->err));
			assert_int_equal(results.len, modes[m] == STORE_READ || i == HITS ? 1 : 0);
		}
		store_close(store);
	}
}

/* The node's name itself: the result that the verdict names still tells whom it spoke of. */
static void verdict_under_a_wrong_name_is_found_by_its_result(void **state)
{
	struct project *p = *state;
	make_rows(p);
	exec_sql(p, "UPDATE verdict SET result = 3 WHERE id = 3");
	struct store *store = open_store(p, STORE_WRITE);
	struct verdict_row row = {.kind = VERDICT_QUARANTINED,
		.workflow = STR("flow"),
		.node = STR("node4"),
		.result = 5,
		.by = STR("anna"),
		.reason = STR("bad")};
	assert_ok(p, verdicts_add(store, &row, NULL, &p->err));
	assert_ok(p, store_flush(store, &p->err));
	store_close(store);
	exec_sql(p, "UPDATE verdict SET node = 'nodeX' WHERE result = 5");
	store = open_store(p, STORE_WRITE);
	struct verdict_list all;
	assert_ok(p, verdicts_list(store, &p->arena, false, &all, &p->err));
	assert_int_equal(all.damaged, 2);
	struct result_list results;
	char name[16];
	char trace[600];
	struct result_row judged = row_of(4, name, trace);
	assert_ok(p, results_find(store, &p->arena, STR("flow"), str_of(name), &judged.key,
			     &results, &p->err));
	assert_int_equal(results.len, 0);
	store_close(store);
}

/* What was forced, and when, nobody knows any more: all that there is counts no more, and what is made from here on does. */
static void damaged_note_of_forcing_refuses_all_that_is_there(void **state)
{
	struct project *p = *state;
	make_rows(p);
	struct store *store = open_store(p, STORE_WRITE);
	struct forced_row row = {
		.workflow = STR("flow"), .node = STR("node1"), .root = STR(""), .run = 1};
	assert_ok(p, forced_put(store, &row, &p->err));
	assert_ok(p, store_flush(store, &p->err));
	store_close(store);
	exec_sql(p, "UPDATE forced SET result = 1");
	bool found;
	store = open_store(p, STORE_READ);
	assert_ok(p, forced_find(store, STR("flow"), STR("node1"), STR(""), &row, &found, &p->err));
	assert_true(found && row.result == INT64_MAX && row.run == 0);
	struct diags diags = {0};
	assert_false(store_check(store, &diags));
	assert_non_null(strstr(diags.list.ptr[0].message, "1 notes of what was forced"));
	diags_finish(&diags);
	store_close(store);
	store = open_store(p, STORE_WRITE);
	assert_ok(p, forced_find(store, STR("flow"), STR("node1"), STR(""), &row, &found, &p->err));
	assert_true(found && row.result == INT64_MAX);
	assert_ok(p, forced_find(store, STR("flow"), STR("node1"), STR(""), &row, &found, &p->err));
	assert_true(found && row.result == NODES && row.run == 0);
	store_close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(flipped_bits_give_no_wrong_row),
		STORE_TEST(cut_database_crashes_nothing),
		STORE_TEST(garbage_is_set_aside_and_named),
		STORE_TEST(damage_found_later_is_set_aside_at_the_next_start),
		STORE_TEST(row_that_fails_its_checksum_is_dropped_and_counted),
		STORE_TEST(results_behind_a_damaged_verdict_are_dropped),
		STORE_TEST(verdict_under_a_wrong_name_is_found_by_its_result),
		STORE_TEST(damaged_note_of_forcing_refuses_all_that_is_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
