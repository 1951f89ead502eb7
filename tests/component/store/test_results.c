/* results: what a key maps to, and what runs recorded of it. */
#include "store_race.h"

static int64_t put(struct project *p, struct store *store, const char *node, const char *key,
	const char *output)
{
	struct result_row row = result_row_of(node, key, output);
	int64_t id;
	assert_ok(p, results_put(store, &row, &id, &p->err));
	return id;
}

static struct result_list find(
	struct project *p, struct store *store, const char *node, const char *key)
{
	struct result_list list;
	struct digest digest = digest_of(key);
	assert_ok(p,
		results_find(store, &p->arena, STR("flow"), str_of(node), &digest, &list, &p->err));
	return list;
}

static void result_comes_back_whole(void **state)
{
	struct project *p = *state;
	struct store *store = open_store(p, STORE_WRITE);
	struct result_row row = result_row_of("a", "key", "out");
	row.manifest = digest_of("manifest");
	row.has_manifest = true;
	row.emits = STR("{\"x\":1}");
	row.provable = false;
	row.unproven = STR("reads not declared");
	row.trace = str_make("file \xff\0x\n", 9);
	row.output_size = UINT64_MAX;
	int64_t id;
	assert_ok(p, results_put(store, &row, &id, &p->err));
	assert_ok(p, store_flush(store, &p->err));
	store_close(store);
	store = open_store(p, STORE_READ);
	struct result_list list = find(p, store, "a", "key");
	assert_int_equal(list.len, 1);
	assert_int_equal(list.damaged, 0);
	struct result_row *got = &list.ptr[0];
	assert_int_equal(got->id, id);
	assert_true(str_is(got->workflow, "flow") && str_is(got->node, "a") &&
		    str_is(got->transcript, "key"));
	assert_true(str_eq(got->trace, row.trace) && str_is(got->emits, "{\"x\":1}"));
	assert_true(
		digest_eq(&got->output, &row.output) && digest_eq(&got->manifest, &row.manifest));
	assert_true(got->has_manifest && !got->provable && !got->dropped);
	assert_true(str_is(got->unproven, "reads not declared") && str_is(got->type, "bash"));
	assert_true(
		got->output_size == UINT64_MAX && got->duration_ms == 12 && got->made_ms == 5000);
	assert_int_equal(find(p, store, "b", "key").len, 0);
	assert_int_equal(find(p, store, "a", "other").len, 0);
	store_close(store);
}

static void results_of_a_key_are_newest_first(void **state)
{
	struct project *p = *state;
	struct store *store = open_store(p, STORE_WRITE);
	int64_t one = put(p, store, "a", "key", "out 1");
	int64_t two = put(p, store, "a", "key", "out 2");
	int64_t three = put(p, store, "a", "key", "out 3");
	put(p, store, "b", "key", "out 1");
	struct result_list list = find(p, store, "a", "key");
	assert_int_equal(list.len, 3);
	assert_int_equal(list.ptr[0].id, three);
	assert_int_equal(list.ptr[2].id, one);
	assert_ok(p, results_drop(store, two, &p->err));
	list = find(p, store, "a", "key");
	assert_int_equal(list.len, 2);
	struct result_row got;
	bool found;
	assert_ok(p, results_get(store, &p->arena, two, &got, &found, &p->err));
	assert_true(found && got.dropped);
	assert_ok(
		p, results_newest(store, &p->arena, STR("flow"), STR("a"), &got, &found, &p->err));
	assert_true(found && got.id == three);
	assert_ok(p, results_drop(store, three, &p->err));
	assert_ok(
		p, results_newest(store, &p->arena, STR("flow"), STR("a"), &got, &found, &p->err));
	assert_true(found && got.id == three && got.dropped);
	assert_ok(p, results_list(store, &p->arena, STR("flow"), false, &list, &p->err));
	assert_int_equal(list.len, 2);
	assert_ok(p, results_list(store, &p->arena, STR(""), true, &list, &p->err));
	assert_int_equal(list.len, 4);
	assert_ok(p, results_list(store, &p->arena, STR("none"), true, &list, &p->err));
	assert_int_equal(list.len, 0);
	store_close(store);
}

static void forcing_replaces(void **state)
{
	struct project *p = *state;
	struct store *store = open_store(p, STORE_WRITE);
	put(p, store, "a", "key", "bad");
	put(p, store, "a", "key", "bad too");
	int64_t other = put(p, store, "a", "other key", "bad");
	int64_t keep = put(p, store, "a", "key", "good");
	struct digest key = digest_of("key");
	assert_ok(p, results_replace(store, STR("flow"), STR("a"), &key, keep, &p->err));
	struct result_list list = find(p, store, "a", "key");
	assert_int_equal(list.len, 1);
	assert_int_equal(list.ptr[0].id, keep);
	list = find(p, store, "a", "other key");
	assert_int_equal(list.len, 1);
	assert_int_equal(list.ptr[0].id, other);
	store_close(store);
}

static void other_outputs_of_a_key_show(void **state)
{
	struct project *p = *state;
	struct store *store = open_store(p, STORE_WRITE);
	put(p, store, "a", "key", "x");
	put(p, store, "a", "key", "y");
	int64_t newer = put(p, store, "a", "key", "x");
	int64_t id = put(p, store, "a", "key", "z");
	assert_ok(p, results_drop(store, newer, &p->err));
	struct result_row row;
	bool found;
	assert_ok(p, results_get(store, &p->arena, id, &row, &found, &p->err));
	struct result_list list;
	assert_ok(p, results_other_outputs(store, &p->arena, &row, &list, &p->err));
	assert_int_equal(list.len, 2);
	assert_int_equal(list.ptr[0].id, newer);
	struct digest y = digest_of("y");
	assert_true(digest_eq(&list.ptr[1].output, &y));
	store_close(store);
}

static void history_is_counted(void **state)
{
	struct project *p = *state;
	struct store *store = open_store(p, STORE_WRITE);
	int64_t id = put(p, store, "a", "key", "x");
	bool belongs;
	assert_ok(p, results_belongs(store, id, 1, &belongs, &p->err));
	assert_true(belongs);
	assert_ok(p, results_belongs(store, id, 2, &belongs, &p->err));
	assert_false(belongs);
	assert_ok(p, results_reused(store, id, 2, &p->err));
	assert_ok(p, results_reused(store, id, 2, &p->err));
	assert_ok(p, results_reused(store, id, 3, &p->err));
	assert_ok(p, results_belongs(store, id, 2, &belongs, &p->err));
	assert_true(belongs);
	assert_ok(p, results_consumed(store, id, 1, STR("b"), true, &p->err));
	assert_ok(p, results_consumed(store, id, 2, STR("b"), false, &p->err));
	assert_ok(p, results_consumed(store, id, 3, STR("b"), false, &p->err));
	assert_ok(p, results_consumed(store, id, 3, STR("b"), true, &p->err));
	struct result_row row;
	bool found;
	assert_ok(p, results_get(store, &p->arena, id, &row, &found, &p->err));
	assert_int_equal(row.times_reused, 0);
	assert_ok(p, results_history(store, &row, &p->err));
	assert_int_equal(row.times_reused, 2);
	assert_int_equal(row.passed_consumers, 2);
	assert_int_equal(row.failed_consumers, 1);
	store_close(store);
}

static void memo_remembers_files(void **state)
{
	struct project *p = *state;
	struct store *store = open_store(p, STORE_WRITE);
	struct memo_row row = {digest_of("x"), 1, UINT64_MAX, 3, -4, 5, 6};
	struct memo_row got;
	bool found;
	assert_true(memo_get(store, STR("a/b"), &got, &found));
	assert_false(found);
	assert_true(memo_put(store, STR("a/b"), &row));
	row.size = 9;
	assert_true(memo_put(store, STR("a/b"), &row));
	assert_true(memo_get(store, STR("a/b"), &got, &found));
	assert_true(found);
	assert_true(digest_eq(&got.digest, &row.digest) && got.ino == UINT64_MAX && got.size == 9);
	assert_true(got.mtime_ns == -4 && got.ctime_ns == 5 && got.taken_ns == 6);
	store_close(store);
}

/* A run in which nothing was to do has used what the one did that it is as. */
static void results_belong_to_runs_that_are_the_same(void **state)
{
	struct project *p = *state;
	struct store *store = open_store(p, STORE_WRITE);
	int64_t run;
	bool belongs;
	struct run_row row = run_row_of("flow");
	int64_t id = put(p, store, "a", "key", "x");
	assert_ok(p, runs_create(store, &row, &run, &p->err));
	assert_ok(p, runs_create(store, &row, &run, &p->err));
	row.same_as = run;
	assert_ok(p, results_reused(store, id, run, &p->err));
	assert_ok(p, runs_create(store, &row, &run, &p->err));
	assert_ok(p, results_belongs(store, id, run, &belongs, &p->err));
	assert_true(run == 3 && belongs);
	row.same_as = 1;
	id = put(p, store, "a", "key", "y"); /* by run 1, which has reused nothing */
	assert_ok(p, runs_create(store, &row, &run, &p->err));
	assert_ok(p, results_belongs(store, id, run, &belongs, &p->err));
	assert_false(belongs);
	store_close(store);
}

/* It is shared by all results of a key: a damaged one would cost each that is made from here on. */
static void damaged_transcript_is_written_anew(void **state)
{
	struct project *p = *state;
	struct store *store = open_store(p, STORE_WRITE);
	put(p, store, "a", "key", "x");
	assert_ok(p, store_flush(store, &p->err));
	race_sql(store, "UPDATE transcript SET text = 'kex'");
	put(p, store, "a", "key", "y");
	assert_int_equal(find(p, store, "a", "key").len, 2);
	race_sql(store, "UPDATE transcript SET checksum = zeroblob(8)");
	put(p, store, "a", "key", "z");
	assert_int_equal(find(p, store, "a", "key").len, 3);
	store_close(store);
}

static struct forced_row find_forced(
	struct project *p, struct store *store, const char *node, const char *but, bool *found)
{
	struct forced_row row;
	assert_ok(p,
		forced_find(store, STR("flow"), str_of(node), str_of(but), &row, found, &p->err));
	return row;
}

static void forcing_is_remembered(void **state)
{
	struct project *p = *state;
	struct store *store = open_store(p, STORE_WRITE);
	struct forced_row row = {
		.workflow = STR("flow"), .node = STR("a"), .root = STR(""), .run = 7};
	bool found;
	find_forced(p, store, "a", "", &found);
	assert_false(found);
	put(p, store, "a", "key", "one");
	assert_ok(p, forced_put(store, &row, &p->err));
	put(p, store, "a", "key", "two");
	row.root = STR("around");
	row.run = 8;
	assert_ok(p, forced_put(store, &row, &p->err));
	assert_ok(p, store_flush(store, &p->err));
	store_close(store);
	store = open_store(p, STORE_READ);
	struct forced_row got = find_forced(p, store, "a", "", &found);
	assert_true(found && got.result == 2 && got.run == 8);
	got = find_forced(p, store, "a", "around", &found);
	assert_true(found && got.result == 1 && got.run == 7);
	find_forced(p, store, "b", "", &found);
	assert_false(found);
	store_close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(result_comes_back_whole),
		STORE_TEST(results_of_a_key_are_newest_first),
		STORE_TEST(forcing_replaces),
		STORE_TEST(forcing_is_remembered),
		STORE_TEST(other_outputs_of_a_key_show),
		STORE_TEST(history_is_counted),
		STORE_TEST(memo_remembers_files),
		STORE_TEST(results_belong_to_runs_that_are_the_same),
		STORE_TEST(damaged_transcript_is_written_anew),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
