/* verdicts: found by what was made, whatever key or run made it. */
#include "store_test.h"

static struct verdict_row verdict_of(enum verdict_kind kind, const char *node, const char *output)
{
	return (struct verdict_row){
		.kind = kind,
		.workflow = STR("flow"),
		.node = str_of(node),
		.output = digest_of(output),
		.result = 4,
		.run = 2,
		.by = STR("anna"),
		.reason = STR("the table is empty"),
		.at_ms = 1234,
	};
}

static struct verdict_list on(
	struct project *p, struct store *store, const char *node, const char *output)
{
	struct verdict_list list;
	struct digest digest = digest_of(output);
	struct digest none = {{0}};
	assert_ok(p, verdicts_on(store, &p->arena, STR("flow"), str_of(node), &digest, &none, &list,
			     &p->err));
	return list;
}

static void verdict_holds_on_content(void **state)
{
	struct project *p = *state;
	struct store *store = open_store(p, STORE_WRITE);
	struct verdict_row row = verdict_of(VERDICT_QUARANTINED, "a", "bad");
	int64_t first;
	int64_t second;
	assert_ok(p, verdicts_add(store, &row, &first, &p->err));
	row.kind = VERDICT_SUSPECT;
	row.automatic = true;
	assert_ok(p, verdicts_add(store, &row, &second, &p->err));
	row = verdict_of(VERDICT_QUARANTINED, "b", "bad");
	int64_t other;
	assert_ok(p, verdicts_add(store, &row, &other, &p->err));
	assert_ok(p, store_flush(store, &p->err));
	store_close(store);

	store = open_store(p, STORE_WRITE);
	struct verdict_list list = on(p, store, "a", "bad");
	assert_int_equal(list.len, 2);
	assert_int_equal(list.ptr[0].id, second);
	assert_int_equal(list.ptr[0].kind, VERDICT_SUSPECT);
	assert_true(list.ptr[0].automatic);
	assert_int_equal(list.ptr[1].kind, VERDICT_QUARANTINED);
	assert_true(
		str_is(list.ptr[1].by, "anna") && str_is(list.ptr[1].reason, "the table is empty"));
	assert_true(list.ptr[1].result == 4 && list.ptr[1].run == 2 && list.ptr[1].at_ms == 1234);
	assert_int_equal(on(p, store, "a", "good").len, 0);
	/* The same bytes with other artifacts are another thing. */
	struct digest bad = digest_of("bad");
	struct digest manifest = digest_of("artifacts");
	assert_ok(p, verdicts_on(store, &p->arena, STR("flow"), STR("a"), &bad, &manifest, &list,
			     &p->err));
	assert_int_equal(list.len, 0);
	store_close(store);
}

static void released_verdict_is_history(void **state)
{
	struct project *p = *state;
	struct store *store = open_store(p, STORE_WRITE);
	int64_t ids[3];
	for (int i = 0; i < 3; i++) {
		struct verdict_row row = verdict_of(
			i < 2 ? VERDICT_SUSPECT : VERDICT_QUARANTINED, "a", i == 1 ? "y" : "x");
		assert_ok(p, verdicts_add(store, &row, &ids[i], &p->err));
	}
	assert_ok(p, verdicts_release(store, ids[2], 99, &p->err));
	assert_int_equal(on(p, store, "a", "x").len, 1);
	assert_ok(p,
		verdicts_release_kind(store, STR("flow"), STR("a"), VERDICT_SUSPECT, 100, &p->err));
	assert_int_equal(on(p, store, "a", "x").len, 0);
	assert_int_equal(on(p, store, "a", "y").len, 0);
	struct verdict_list list;
	assert_ok(p, verdicts_list(store, &p->arena, false, &list, &p->err));
	assert_int_equal(list.len, 0);
	assert_ok(p, verdicts_list(store, &p->arena, true, &list, &p->err));
	assert_int_equal(list.len, 3);
	assert_int_equal(list.ptr[0].id, ids[2]);
	assert_int_equal(list.ptr[0].released_ms, 99);
	assert_int_equal(list.ptr[2].released_ms, 100);
	/* Once is for good, and of one kind only. */
	assert_ok(p, verdicts_release(store, ids[2], 101, &p->err));
	struct verdict_row row = verdict_of(VERDICT_QUARANTINED, "a", "x");
	assert_ok(p, verdicts_add(store, &row, NULL, &p->err));
	assert_ok(p,
		verdicts_release_kind(store, STR("flow"), STR("a"), VERDICT_SUSPECT, 102, &p->err));
	assert_int_equal(on(p, store, "a", "x").len, 1);
	assert_ok(p, verdicts_list(store, &p->arena, true, &list, &p->err));
	assert_int_equal(list.ptr[1].released_ms, 99);
	store_close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(verdict_holds_on_content),
		STORE_TEST(released_verdict_is_history),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
