/* index: an index may be damaged while its rows are whole: then it leads to a row that is another's.  Whoever asked must not
 * take that for an answer. */
#include "store_test.h"

#include "store/owned.h"
#include "store/stmt.h"

static sqlite3 *open_db(struct project *p)
{
	struct buf path = {0};
	sqlite3 *db;
	buf_printf(&path, "%s/.pawl/state/pawl.db", p->path);
	assert_int_equal(sqlite3_open(buf_cstr(&path), &db), SQLITE_OK);
	buf_finish(&path);
	return db;
}

static void exec_sql(sqlite3 *db, const char *sql)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
}

/* What a query gives is run as statements in turn. */
static void exec_result(sqlite3 *db, const char *query)
{
	sqlite3_stmt *st;
	assert_int_equal(sqlite3_prepare_v2(db, query, -1, &st, NULL), SQLITE_OK);
	while (sqlite3_step(st) == SQLITE_ROW)
		exec_sql(db, (const char *)sqlite3_column_text(st, 0));
	sqlite3_finalize(st);
}

/* Makes the index lead from row 1 to row 2 and back: it is exchanged for that of a table in which they are. */
static void make_lie(struct project *p, const char *table, const char *index)
{
	sqlite3 *db = open_db(p);
	char sql[1200];
	bool is_auto = !strncmp(index, "sqlite_", 7);
	snprintf(sql, sizeof(sql),
		"SELECT replace(sql, 'TABLE %s', 'TABLE liar') FROM sqlite_schema WHERE name = '%s'",
		table, table);
	exec_result(db, sql);
	snprintf(sql, sizeof(sql),
		"SELECT replace(replace(sql, 'INDEX %s', 'INDEX lie'), ' ON %s', ' ON liar')"
		" FROM sqlite_schema WHERE name = '%s' AND sql IS NOT NULL",
		index, table, index);
	exec_result(db, sql);
	snprintf(sql, sizeof(sql),
		"INSERT INTO liar SELECT * FROM %s WHERE id > 0; UPDATE liar SET id = -1 WHERE id = 1;"
		"UPDATE liar SET id = 1 WHERE id = 2; UPDATE liar SET id = 2 WHERE id = -1;"
		"PRAGMA writable_schema = ON;"
		"UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = '%s')"
		" WHERE name = '%s';"
		"DELETE FROM sqlite_schema WHERE tbl_name = 'liar';"
		"DELETE FROM sqlite_sequence WHERE name = 'liar'",
		table, is_auto ? "sqlite_autoindex_liar_1" : "lie", index);
	exec_sql(db, sql);
	sqlite3_close(db);
}

/* Two results of which one thing differs; whether the first one's question is answered with the second one. */
static void ask_for_result(struct project *p, struct result_row one, struct result_row two)
{
	int64_t id;
	struct result_list list;
	assert_ok(p, fs_remove_tree(p->fd, ".pawl", &p->err));
	struct store *store = open_store(p, STORE_WRITE);
	assert_ok(p, results_put(store, &one, &id, &p->err));
	assert_ok(p, results_put(store, &two, &id, &p->err));
	assert_ok(p, store_flush(store, &p->err));
	assert_ok(p,
		results_find(store, &p->arena, one.workflow, one.node, &one.key, &list, &p->err));
	assert_int_equal(list.len, 1);
	store_close(store);
	make_lie(p, "result", "result_by_key");
	store = open_store(p, STORE_WRITE);
	assert_ok(p,
		results_find(store, &p->arena, one.workflow, one.node, &one.key, &list, &p->err));
	assert_int_equal(list.len, 0);
	assert_int_equal(store_damaged(store), 0); /* the other one is as good as before */
	store_close(store);
}

static void result_of_another_is_no_answer(void **state)
{
	struct project *p = *state;
	struct result_row one = result_row_of("a", "key", "x");
	ask_for_result(p, one, result_row_of("a", "other key", "y"));
	ask_for_result(p, one, result_row_of("b", "key", "y"));
	struct result_row two = result_row_of("a", "key", "y");
	two.workflow = STR("other");
	ask_for_result(p, one, two);
}

static void verdict_on_another_is_no_verdict(void **state)
{
	struct project *p = *state;
	static const struct {
		const char *workflow, *node;
	} others[] = {{"flow", "b"}, {"other", "a"}};
	for (size_t i = 0; i < 2; i++) {
		assert_ok(p, fs_remove_tree(p->fd, ".pawl", &p->err));
		struct store *store = open_store(p, STORE_WRITE);
		struct digest output = digest_of("x");
		struct verdict_list list;
		struct verdict_row row = {.kind = VERDICT_SUSPECT,
			.workflow = STR("flow"),
			.node = STR("a"),
			.output = output,
			.by = STR("anna"),
			.reason = STR("bad")};
		assert_ok(p, verdicts_add(store, &row, NULL, &p->err));
		row.kind = VERDICT_EXONERATED;
		row.workflow = str_of(others[i].workflow);
		row.node = str_of(others[i].node);
		assert_ok(p, verdicts_add(store, &row, NULL, &p->err));
		assert_ok(p, store_flush(store, &p->err));
		store_close(store);
		make_lie(p, "verdict", "verdict_on");
		store = open_store(p, STORE_READ);
		assert_ok(p, verdicts_on(store, &p->arena, STR("flow"), STR("a"), &output, NULL,
				     &list, &p->err));
		assert_int_equal(list.len, 0);
		store_close(store);
	}
}

/* What one thing of a row of `owned` says is another's: neither by path nor by workflow is it found for the first. */
static void what_another_left_is_not_ones_own(void **state)
{
	struct project *p = *state;
	static const struct owned_row rows[] = {
		{.place = STR_INIT(""),
			.path = STR_INIT("f"),
			.workflow = STR_INIT("flow"),
			.node = STR_INIT("a"),
			.entry = STR_INIT("x")},
		{.place = STR_INIT(""),
			.path = STR_INIT("g"),
			.workflow = STR_INIT("flow"),
			.node = STR_INIT("a"),
			.entry = STR_INIT("y")},
		{.place = STR_INIT("runs/1/artifacts"),
			.path = STR_INIT("f"),
			.workflow = STR_INIT("flow"),
			.node = STR_INIT("a"),
			.entry = STR_INIT("y")},
		{.place = STR_INIT(""),
			.path = STR_INIT("f"),
			.workflow = STR_INIT("other"),
			.node = STR_INIT("a"),
			.entry = STR_INIT("y")},
	};
	for (size_t i = 1; i < 4; i++) {
		struct owned_list list;
		assert_ok(p, fs_remove_tree(p->fd, ".pawl", &p->err));
		struct store *store = open_store(p, STORE_WRITE);
		assert_ok(p, owned_put(store, &rows[0], &p->err));
		assert_ok(p, owned_put(store, &rows[i], &p->err));
		assert_ok(p, store_flush(store, &p->err));
		assert_ok(p, owned_at(store, &p->arena, STR(""), STR("f"), &list, &p->err));
		assert_int_equal(list.len, i == 3 ? 2 : 1);
		assert_ok(p, owned_list(store, &p->arena, STR("flow"), STR(""), &list, &p->err));
		assert_int_equal(list.len, i == 1 ? 2 : 1);
		store_close(store);
		make_lie(p, "owned", "sqlite_autoindex_owned_1");
		make_lie(p, "owned", "owned_by_workflow");
		store = open_store(p, STORE_READ);
		assert_ok(p, owned_at(store, &p->arena, STR(""), STR("f"), &list, &p->err));
		assert_true(!list.len || (i == 3 && str_eq(list.ptr[0].path, rows[0].path)));
		assert_ok(p, owned_list(store, &p->arena, STR("flow"), STR(""), &list, &p->err));
		assert_true(!list.len || str_eq(list.ptr[0].workflow, rows[0].workflow));
		store_close(store);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(result_of_another_is_no_answer),
		STORE_TEST(verdict_on_another_is_no_verdict),
		STORE_TEST(what_another_left_is_not_ones_own),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
