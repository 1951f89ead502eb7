/* runs, nodes, events and the pairs of plugins. */
#include "store_race.h"

static void runs_are_numbered_and_updated(void **state)
{
	struct project *p = *state;
	struct store *store = open_store(p, STORE_WRITE);
	struct run_row row = run_row_of("flow");
	row.arguments = STR("a\nb");
	int64_t id = 0;
	for (int64_t i = 1; i <= 3; i++) {
		assert_ok(p, runs_create(store, &row, &id, &p->err));
		assert_int_equal(id, i);
	}
	assert_false(store_is_dirty(store));
	struct run_row got;
	bool found;
	assert_ok(p, runs_get(store, &p->arena, 2, &got, &found, &p->err));
	assert_true(found);
	assert_int_equal(got.id, 2);
	assert_int_equal(got.state, RUN_RUNNING);
	assert_true(str_is(got.workflow, "flow") && str_is(got.arguments, "a\nb") &&
		    str_is(got.source, ""));
	assert_int_equal(got.owner.pid, getpid());
	assert_true(got.owner.start == row.owner.start);

	got.state = RUN_FAILED;
	got.ended_ms = 77;
	got.error = STR("no");
	assert_ok(p, runs_update(store, &got, &p->err));
	assert_ok(p, store_flush(store, &p->err));
	store_close(store);

	store = open_store(p, STORE_WRITE);
	assert_ok(p, runs_get(store, &p->arena, 2, &got, &found, &p->err));
	assert_true(
		found && got.state == RUN_FAILED && got.ended_ms == 77 && str_is(got.error, "no"));
	assert_ok(p, runs_get(store, &p->arena, 9, &got, &found, &p->err));
	assert_false(found);
	got = run_row_of("flow");
	got.id = 9;
	assert_false(runs_update(store, &got, &p->err));
	assert_code(p, "E-STORE-RUN");
	store_close(store);
}

static void runs_are_listed_newest_first(void **state)
{
	struct project *p = *state;
	struct store *store = open_store(p, STORE_WRITE);
	int64_t id;
	struct run_row a = run_row_of("a");
	struct run_row b = run_row_of("b");
	struct run_row child = run_row_of("a");
	child.parent = 1;
	child.parent_node = STR("sub");
	assert_ok(p, runs_create(store, &a, &id, &p->err));
	assert_ok(p, runs_create(store, &b, &id, &p->err));
	assert_ok(p, runs_create(store, &child, &id, &p->err));
	assert_ok(p, runs_create(store, &a, &id, &p->err));
	struct run_list list;
	assert_ok(p, runs_list(store, &p->arena, STR(""), 0, false, &list, &p->err));
	assert_int_equal(list.len, 3);
	assert_int_equal(list.ptr[0].id, 4);
	assert_int_equal(list.ptr[2].id, 1);
	assert_ok(p, runs_list(store, &p->arena, STR("a"), 0, true, &list, &p->err));
	assert_int_equal(list.len, 3);
	assert_int_equal(list.ptr[1].parent, 1);
	assert_true(str_is(list.ptr[1].parent_node, "sub"));
	assert_ok(p, runs_list(store, &p->arena, STR("a"), 1, false, &list, &p->err));
	assert_int_equal(list.len, 1);
	assert_int_equal(list.ptr[0].id, 4);
	assert_ok(p, runs_list(store, &p->arena, STR("none"), 0, true, &list, &p->err));
	assert_int_equal(list.len, 0);
	store_close(store);
}

static void run_of_a_gone_owner_is_interrupted(void **state)
{
	struct project *p = *state;
	struct store *store = open_store(p, STORE_WRITE);
	int64_t id;
	struct run_row mine = run_row_of("flow");
	struct run_row gone = mine;
	gone.owner.start++; /* the pid was given to another process */
	struct run_row other_boot = mine;
	other_boot.owner_here = STR("00000000-0000-0000-0000-000000000000/1:2/3");
	struct run_row ended = gone;
	ended.state = RUN_COMPLETED;
	assert_ok(p, runs_create(store, &mine, &id, &p->err));
	assert_ok(p, runs_create(store, &gone, &id, &p->err));
	assert_ok(p, runs_create(store, &other_boot, &id, &p->err));
	assert_ok(p, runs_create(store, &ended, &id, &p->err));
	struct node_row node = node_row_of(2, "n", NODE_COMPLETED);
	node.ended_ms = 4321;
	assert_ok(p, nodes_put(store, &node, &p->err));
	assert_ok(p, store_flush(store, &p->err));
	store_close(store);

	store = open_store(p, STORE_READ);
	int64_t *ids;
	size_t count;
	struct run_row got;
	bool found;
	assert_ok(p, runs_reconcile(store, &p->arena, &ids, &count, &p->err));
	assert_int_equal(count, 2);
	assert_int_equal(ids[0], 2);
	assert_int_equal(ids[1], 3);
	assert_ok(p, runs_get(store, &p->arena, 2, &got, &found, &p->err));
	assert_int_equal(got.state, RUN_RUNNING);
	store_close(store);

	store = open_store(p, STORE_WRITE);
	assert_ok(p, runs_reconcile(store, &p->arena, &ids, &count, &p->err));
	assert_int_equal(count, 2);
	assert_ok(p, store_flush(store, &p->err));
	assert_ok(p, runs_get(store, &p->arena, 2, &got, &found, &p->err));
	assert_int_equal(got.state, RUN_INTERRUPTED);
	assert_int_equal(got.ended_ms, 4321);
	assert_false(got.is_live);
	assert_ok(p, runs_get(store, &p->arena, 1, &got, &found, &p->err));
	assert_int_equal(got.state, RUN_RUNNING);
	assert_true(got.is_live);
	assert_ok(p, runs_reconcile(store, &p->arena, &ids, &count, &p->err));
	assert_int_equal(count, 0);
	store_close(store);
}

/* Somebody goes on with it at the very moment: it is theirs. */
static void run_that_is_taken_over_meanwhile_goes_on(void **state)
{
	struct project *p = *state;
	static const char *const changes[] = {"owner_pid = owner_pid + 1",
		"owner_start = owner_start + 1", "owner_boot = 'other'", "state = 'completed'"};
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct run_row gone = run_row_of("flow");
		struct run_row got;
		int64_t id;
		int64_t *ids;
		size_t count;
		bool found;
		char sql[80];
		assert_ok(p, fs_remove_tree(p->fd, ".pawl", &p->err));
		struct store *store = open_store(p, STORE_WRITE);
		gone.owner.start++;
		assert_ok(p, runs_create(store, &gone, &id, &p->err));
		store_close(store);
		store = open_store(p, STORE_WRITE);
		snprintf(sql, sizeof(sql), "UPDATE run SET %s", changes[i]);
		pid_t other = race_begin(p, sql);
		assert_ok(p, runs_reconcile(store, &p->arena, &ids, &count, &p->err));
		assert_ok(p, store_flush(store, &p->err));
		race_end(other);
		assert_int_equal(count, 0);
		assert_ok(p, runs_get(store, &p->arena, id, &got, &found, &p->err));
		assert_int_equal(got.state, i == 3 ? RUN_COMPLETED : RUN_RUNNING);
		store_close(store);
	}
}

static void nodes_are_replaced_and_ordered(void **state)
{
	struct project *p = *state;
	struct store *store = open_store(p, STORE_WRITE);
	int64_t id;
	struct run_row run = run_row_of("flow");
	assert_ok(p, runs_create(store, &run, &id, &p->err));
	struct node_row a = node_row_of(1, "a", NODE_RUNNING);
	struct node_row b = node_row_of(1, "b", NODE_REUSED);
	b.result = 7;
	b.origin = 3;
	b.exit_code = -1;
	b.signal = 9;
	b.key = STR("abc");
	b.output_size = INT64_C(1) << 40;
	assert_ok(p, nodes_put(store, &a, &p->err));
	assert_ok(p, nodes_put(store, &b, &p->err));
	a.state = NODE_COMPLETED;
	assert_ok(p, nodes_put(store, &a, &p->err));
	struct node_list list;
	assert_ok(p, nodes_list(store, &p->arena, 1, &list, &p->err));
	assert_int_equal(list.len, 2);
	assert_true(str_is(list.ptr[0].node, "b") && str_is(list.ptr[1].node, "a"));
	assert_int_equal(list.ptr[0].seq, 2);
	assert_int_equal(list.ptr[1].seq, 3);
	assert_int_equal(list.ptr[1].state, NODE_COMPLETED);
	struct node_row got;
	bool found;
	assert_ok(p, nodes_get(store, &p->arena, 1, STR("b"), &got, &found, &p->err));
	assert_true(found && got.result == 7 && got.origin == 3 && got.exit_code == -1 &&
		    got.signal == 9);
	assert_true(got.output_size == INT64_C(1) << 40 && str_is(got.key, "abc"));
	assert_ok(p, nodes_get(store, &p->arena, 1, STR("c"), &got, &found, &p->err));
	assert_false(found);
	struct node_row orphan = node_row_of(99, "a", NODE_READY);
	assert_false(nodes_put(store, &orphan, &p->err));
	assert_code(p, "E-STORE-RUN");
	orphan.run = 0;
	assert_false(nodes_put(store, &orphan, &p->err));
	assert_code(p, "E-STORE-RUN");
	assert_ok(p, store_flush(store, &p->err));
	store_close(store);

	/* Another process goes on counting. */
	store = open_store(p, STORE_WRITE);
	struct node_row c = node_row_of(1, "c", NODE_SKIPPED);
	assert_ok(p, nodes_put(store, &c, &p->err));
	assert_ok(p, nodes_get(store, &p->arena, 1, STR("c"), &got, &found, &p->err));
	assert_int_equal(got.seq, 4);
	store_close(store);
}

static void failures_in_a_row_are_counted(void **state)
{
	struct project *p = *state;
	struct store *store = open_store(p, STORE_WRITE);
	static const struct {
		const char *workflow;
		enum node_state state;
		const char *key;
	} history[] = {
		{"flow", NODE_FAILED, "k1"},
		{"flow", NODE_COMPLETED, "k1"},
		{"flow", NODE_FAILED, "k1"},
		{"flow", NODE_FAILED, "k1"},
		{"other", NODE_FAILED, "k1"},
		{"flow", NODE_FAILED, "k1"},
	};
	int64_t id;
	for (size_t i = 0; i < sizeof(history) / sizeof(history[0]); i++) {
		struct run_row run = run_row_of(history[i].workflow);
		assert_ok(p, runs_create(store, &run, &id, &p->err));
		struct node_row node = node_row_of(id, "n", history[i].state);
		node.key = str_of(history[i].key);
		assert_ok(p, nodes_put(store, &node, &p->err));
	}
	struct node_row newest;
	bool found;
	assert_ok(
		p, nodes_newest(store, &p->arena, STR("flow"), STR("n"), &newest, &found, &p->err));
	assert_true(found && newest.run == 6);
	assert_ok(p, nodes_newest(store, &p->arena, STR("flow"), STR("never"), &newest, &found,
			     &p->err));
	assert_false(found);
	store_close(store);
}

static void add_event(void *arg, int64_t seq, int64_t at_ms, str node, str kind, str json)
{
	buf_printf(arg, "%lld %lld %.*s %.*s %.*s;", (long long)seq, (long long)at_ms,
		STR_ARG(node), STR_ARG(kind), STR_ARG(json));
}

static void events_keep_their_order(void **state)
{
	struct project *p = *state;
	struct store *store = open_store(p, STORE_WRITE);
	int64_t id;
	struct run_row run = run_row_of("flow");
	assert_ok(p, runs_create(store, &run, &id, &p->err));
	assert_ok(p, runs_create(store, &run, &id, &p->err));
	assert_ok(p, events_add(store, 1, 50, STR("a"), STR("start"), STR("{}"), &p->err));
	assert_ok(p, events_add(store, 2, 60, STR(""), STR("x"), STR("{}"), &p->err));
	assert_ok(p, events_add(store, 1, 40, STR("a"), STR("end"), STR("{\"n\":1}"), &p->err));
	struct buf text = {0};
	assert_ok(p, events_each(store, 1, add_event, &text, &p->err));
	assert_string_equal(buf_cstr(&text), "1 50 a start {};2 40 a end {\"n\":1};");
	buf_finish(&text);
	store_close(store);
}

static void pairs_belong_to_their_plugin(void **state)
{
	struct project *p = *state;
	struct store *store = open_store(p, STORE_WRITE);
	str value;
	bool found;
	str bytes = str_make("a\0\xff", 3);
	assert_ok(p, kv_put(store, STR("bash"), STR("k"), STR("old"), &p->err));
	assert_ok(p, kv_put(store, STR("bash"), STR("k"), bytes, &p->err));
	assert_ok(p, kv_get(store, &p->arena, STR("bash"), STR("k"), &value, &found, &p->err));
	assert_true(found && str_eq(value, bytes));
	assert_ok(p, kv_get(store, &p->arena, STR("lua"), STR("k"), &value, &found, &p->err));
	assert_false(found);
	store_close(store);
}

static void names_of_states_round_trip(void **state)
{
	(void)state;
	for (int i = RUN_RUNNING; i <= (int)RUN_ABANDONED; i++) {
		enum run_state got;
		assert_true(run_state_parse(str_of(run_state_name((enum run_state)i)), &got));
		assert_int_equal(got, i);
	}
	for (int i = NODE_PENDING; i <= (int)NODE_PAUSED; i++) {
		enum node_state got;
		assert_true(node_state_parse(str_of(node_state_name((enum node_state)i)), &got));
		assert_int_equal(got, i);
	}
	enum run_state run;
	enum node_state node;
	assert_false(run_state_parse(STR("Running"), &run));
	assert_false(node_state_parse(STR(""), &node));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(runs_are_numbered_and_updated),
		STORE_TEST(runs_are_listed_newest_first),
		STORE_TEST(run_of_a_gone_owner_is_interrupted),
		STORE_TEST(run_that_is_taken_over_meanwhile_goes_on),
		STORE_TEST(nodes_are_replaced_and_ordered),
		STORE_TEST(failures_in_a_row_are_counted),
		STORE_TEST(events_keep_their_order),
		STORE_TEST(pairs_belong_to_their_plugin),
		cmocka_unit_test(names_of_states_round_trip),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
