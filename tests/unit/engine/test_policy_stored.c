/* What rules see of a real store: output, counters and verdicts of a row, and what the store has lost. */
#include "policy_help.h"

#include "engine/policy_stored.h"
#include "store/cas.h"

struct scene {
	struct arena arena;
	struct store *store;
	struct policies *policies;
	struct policy *policy;
	struct result_row row;
};

static void scene_init(struct scene *scene, const struct room *room, str output, const char *rule)
{
	struct err err = {0};
	*scene = (struct scene){0};
	scene->store = store_open(room->path, STORE_WRITE, &err);
	assert_non_null(scene->store);
	scene->row = (struct result_row){
		.workflow = STR("flow"),
		.node = STR("fetch"),
		.key = hash_of(STR("key")),
		.transcript = STR("key"),
		.trace = STR(""),
		.output_size = output.len,
		.provable = true,
		.unproven = STR(""),
		.emits = STR(""),
		.type = STR("bash"),
		.run = 1,
		.attempt = 1,
		.made_ms = 5000,
	};
	assert_true(cas_put(scene->store, output, &scene->row.output, &err));
	assert_true(results_put(scene->store, &scene->row, &scene->row.id, &err));
	scene->policies = help_policies(room);
	scene->policy = help_load(room, scene->policies, rule);
}

static const char *scene_reuse(struct scene *scene)
{
	struct policy_stored stored;
	str sentence;
	policy_stored_init(&stored, scene->store, &scene->arena, &scene->row, 65000);
	policy_reuse(scene->policy, &help_node, &stored.result, &scene->arena, &sentence);
	return sentence.ptr;
}

static void scene_finish(struct scene *scene)
{
	policies_destroy(scene->policies);
	store_close(scene->store);
	arena_finish(&scene->arena);
}

static void test_a_row_as_a_result(void **state)
{
	struct room *room = *state;
	struct scene scene;
	struct err err = {0};
	int64_t verdict;
	scene_init(&scene, room, STR("two\nlines\n"),
		"return { api = 1, reuse = function(node, r)\n"
		"  local v = r.verdicts[1]\n"
		"  return false, ('%d %d %d %d %d %d %s %s %s %s'):format(r.age, r.run, r.size, r.times_reused,\n"
		"    r.passed_consumers, r.failed_consumers, r.output:match('%a+$') or r.output:sub(5, 9),\n"
		"    v and v.kind, v and v.by, v and v.reason)\n"
		"end }");
	assert_string_equal(scene_reuse(&scene), "60 1 10 0 0 0 lines nil nil nil (p.lua:5)");
	int64_t id = scene.row.id;
	assert_true(results_reused(scene.store, id, 2, &err));
	assert_true(results_reused(scene.store, id, 3, &err));
	assert_true(results_consumed(scene.store, id, 1, STR("b"), true, &err));
	assert_true(results_consumed(scene.store, id, 2, STR("b"), false, &err));
	assert_true(results_consumed(scene.store, id, 3, STR("b"), true, &err));
	const struct verdict_row row = {.kind = VERDICT_QUARANTINED,
		.workflow = STR("flow"),
		.node = STR("fetch"),
		.output = scene.row.output,
		.result = id,
		.by = STR("ann"),
		.reason = STR("bad rows"),
		.at_ms = 6000};
	assert_true(verdicts_add(scene.store, &row, &verdict, &err));
	assert_string_equal(
		scene_reuse(&scene), "60 1 10 2 2 1 lines quarantined ann bad rows (p.lua:5)");
	scene_finish(&scene);
}

static void test_of_a_large_output_the_beginning(void **state)
{
	struct room *room = *state;
	struct scene scene;
	char *output = mem_alloc(300000);
	memset(output, 'x', 300000);
	output[65535] = 'y';
	scene_init(&scene, room, str_make(output, 300000),
		"return { api = 1, reuse = function(node, r)\n"
		"  return false, #r.output .. r.output:sub(-2) .. r.size\n"
		"end }");
	assert_string_equal(scene_reuse(&scene), "65536xy300000 (p.lua:2)");
	/* What is not there shows as empty. */
	scene.row.output = hash_of(STR("never stored"));
	assert_string_equal(scene_reuse(&scene), "0300000 (p.lua:2)");
	scene_finish(&scene);
	free(output);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		room_test(test_a_row_as_a_result),
		room_test(test_of_a_large_output_the_beginning),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
