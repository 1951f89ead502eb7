/* places: what is the same, when a change was noticed, and whose a file is that appears while several bodies run. */
#include "engine_bench.h"

#include "engine/places.h"

#include <sys/stat.h>

static const struct fs_stat a_file = {
	.mode = S_IFREG | 0644, .dev = 1, .ino = 2, .size = 3, .mtime_ns = 4, .ctime_ns = 5};

static void the_same_is_what_the_kernel_says_the_same_of(void **state)
{
	(void)state;
	struct fs_stat now = a_file;
	assert_true(places_same(&a_file, &now));
	now.mode = S_IFREG | 0600;
	assert_false(places_same(&a_file, &now));
	now = a_file;
	now.dev++;
	assert_false(places_same(&a_file, &now));
	now = a_file;
	now.ino++;
	assert_false(places_same(&a_file, &now));
	now = a_file;
	now.size++;
	assert_false(places_same(&a_file, &now));
	now = a_file;
	now.mtime_ns++;
	assert_false(places_same(&a_file, &now));
	now = a_file;
	now.ctime_ns++;
	assert_false(places_same(&a_file, &now));
	/* Of a directory its mode: its times are those of what is in it. */
	struct fs_stat dir = {.mode = S_IFDIR | 0755, .dev = 1, .ino = 2};
	now = dir;
	now.mtime_ns = 9;
	now.ctime_ns = 9;
	now.size = 9;
	assert_true(places_same(&dir, &now));
}

static void a_change_is_noticed_and_nobody_s_at_first(void **state)
{
	(void)state;
	struct places *places = places_create(NULL);
	struct spot spot = {"runs/1/artifacts", ROOT_ARTIFACTS, STR("x")};
	struct spot elsewhere = {"runs/2/artifacts", ROOT_ARTIFACTS, STR("x")};
	struct fs_stat now = a_file;
	assert_null(places_find(places, &spot));
	places_see(places, &spot, &now, 7)->maker = 3;
	assert_null(places_find(places, &elsewhere));
	struct known *known = places_see(places, &spot, &now, 8);
	assert_true(known->noticed == 7 && known->maker == 3);
	now.ctime_ns++;
	known = places_see(places, &spot, &now, 9);
	assert_true(known->noticed == 9 && known->maker == 0);
	places_forget(places, &spot);
	assert_null(places_find(places, &spot));
	places_destroy(places);
}

/* A body of a node that declares `writes`, in the artifact directory of run 1 or 2. */
struct actor {
	struct engine engine;
	struct unit unit;
	struct node node;
	struct attempt attempt;
	str writes;
	struct body *body;
};

static void begin(
	struct actor *a, struct places *places, uint64_t id, const char *writes, const char *names)
{
	memset(a, 0, sizeof(*a));
	a->engine.ground.artifacts = "runs/1/artifacts";
	a->writes = str_of(writes ? writes : "");
	a->node.writes = (struct strs){&a->writes, writes != NULL};
	a->unit.id = id;
	a->unit.node = &a->node;
	a->attempt.engine = &a->engine;
	a->attempt.unit = &a->unit;
	if (names)
		*vec_push(&a->attempt.plugin_facts.list) =
			(struct host_fact){HOST_FACT_WORD, STR("word"), str_of(names)};
	a->body = places_begin(places, &a->attempt);
	vec_finish(&a->attempt.plugin_facts.list);
}

static void of_two_bodies_the_one_with_the_better_claim_has_it(void **state)
{
	(void)state;
	static const char *const names = "$ARTIFACTS_DIR/d/x";
	static const struct {
		const char *writes, *names; /* of the other; the first one's declares nothing */
		const char *own;
		enum claim_on_file want;
	} rows[] = {
		{NULL, NULL, NULL, FILE_LOOSE},
		{"$ARTIFACTS_DIR/d", NULL, NULL, FILE_OTHERS},
		{"$ARTIFACTS_DIR/d/*", NULL, NULL, FILE_OTHERS},
		{"$ARTIFACTS_DIR/d/x", NULL, NULL, FILE_OTHERS},
		{NULL, names, NULL, FILE_OTHERS},
		{"$ARTIFACTS_DIR/dd", NULL, NULL, FILE_LOOSE},
		{NULL, NULL, "$ARTIFACTS_DIR/d", FILE_OWN},
		{"$ARTIFACTS_DIR/d/*", NULL, "$ARTIFACTS_DIR/d", FILE_LOOSE},
		{"$ARTIFACTS_DIR/d/x", NULL, "$ARTIFACTS_DIR/d", FILE_OTHERS},
		{"$ARTIFACTS_DIR/d", NULL, "$ARTIFACTS_DIR/d/x", FILE_OWN},
		{NULL, names, "$ARTIFACTS_DIR/d", FILE_OTHERS},
		{NULL, names, "$ARTIFACTS_DIR/d/x", FILE_LOOSE},
	};
	struct spot spot = {"runs/1/artifacts", ROOT_ARTIFACTS, STR("d/x")};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct places *places = places_create(NULL);
		struct actor one;
		struct actor two;
		begin(&one, places, 1, rows[i].own, NULL);
		begin(&two, places, 2, rows[i].writes, rows[i].names);
		if (places_whose(places, one.body, &spot, 0) != rows[i].want)
			fail_msg("row %zu", i);
		places_destroy(places);
	}
}

static void a_file_of_the_project_that_nobody_declares(void **state)
{
	(void)state;
	struct places *places = places_create(NULL);
	struct spot spot = {"runs/1/artifacts", ROOT_PROJECT, STR("x")};
	struct actor one;
	struct actor two;
	begin(&one, places, 1, NULL, NULL);
	assert_true(places_was_alone(places, one.body));
	assert_int_equal(places_whose(places, one.body, &spot, 0), FILE_OWN);
	begin(&two, places, 2, NULL, NULL);
	assert_false(places_was_alone(places, one.body));
	assert_int_equal(places_whose(places, one.body, &spot, 0), FILE_LOOSE);
	places_destroy(places);
}

static void who_had_ended_did_not_make_it(void **state)
{
	(void)state;
	struct places *places = places_create(NULL);
	struct spot spot = {"runs/1/artifacts", ROOT_ARTIFACTS, STR("x")};
	struct actor before;
	struct actor one;
	struct actor two;
	struct actor later;
	begin(&before, places, 9, NULL, NULL);
	places_end(places, before.body, places_tick(places));
	begin(&one, places, 1, NULL, NULL);
	assert_int_equal(places_whose(places, one.body, &spot, 0), FILE_OWN);
	begin(&two, places, 2, NULL, NULL);
	places_end(places, two.body, places_tick(places));
	/* It overlapped, unless the file was not yet there when it ended. */
	assert_int_equal(places_whose(places, one.body, &spot, 0), FILE_LOOSE);
	assert_int_equal(places_whose(places, one.body, &spot, two.body->ended - 1), FILE_LOOSE);
	assert_int_equal(places_whose(places, one.body, &spot, two.body->ended), FILE_OWN);
	/* And it is remembered while the other one runs, whoever begins. */
	begin(&later, places, 3, NULL, NULL);
	places_end(places, later.body, places_tick(places));
	assert_int_equal(places_whose(places, one.body, &spot, later.body->ended), FILE_OWN);
	begin(&later, places, 4, "other", NULL);
	later.body->artifacts = "runs/2/artifacts"; /* of a run within the run: another directory */
	assert_int_equal(places_whose(places, one.body, &spot, 0), FILE_LOOSE);
	places_destroy(places);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_is_what_the_kernel_says_the_same_of),
		cmocka_unit_test(a_change_is_noticed_and_nobody_s_at_first),
		cmocka_unit_test(of_two_bodies_the_one_with_the_better_claim_has_it),
		cmocka_unit_test(a_file_of_the_project_that_nobody_declares),
		cmocka_unit_test(who_had_ended_did_not_make_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
