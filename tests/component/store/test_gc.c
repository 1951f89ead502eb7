/* gc: what goes, what stays, and that it may be killed anywhere. */
#include "store_race.h"

#include <signal.h>

#define LARGE ((size_t)40000)

struct made {
	int64_t run;
	int64_t result;
	struct digest output;
	struct digest artifact;
	struct digest manifest;
	struct digest log;
};

/* One finished run of one node, with an output, an artifact that only the manifest names, and a log that only the row of
 * the node names. */
static struct made make_run(struct store *store, const char *workflow, int seed)
{
	struct made made = {0};
	struct run_row run = run_row_of(workflow);
	run.state = RUN_COMPLETED;
	run.started_ms = seed * 1000;
	char *bytes = mem_zalloc(LARGE);
	struct buf text = {0};
	bool ok = runs_create(store, &run, &made.run, NULL);
	snprintf(bytes, LARGE, "output %s %d", workflow, seed);
	ok = ok && cas_put(store, str_make(bytes, LARGE), &made.output, NULL);
	snprintf(bytes, LARGE, "artifact %s %d", workflow, seed);
	ok = ok && cas_put(store, str_make(bytes, LARGE), &made.artifact, NULL);
	snprintf(bytes, LARGE, "log %s %d", workflow, seed);
	ok = ok && cas_put(store, str_make(bytes, 100), &made.log, NULL);
	buf_add_z(&text, "file out/a.bin 0644 ");
	digest_add_hex(&text, &made.artifact);
	buf_add_z(&text, "\n");
	ok = ok && cas_put(store, buf_str(&text), &made.manifest, NULL);
	struct result_row result = result_row_of("n", workflow, "");
	result.workflow = str_of(workflow);
	result.output = made.output;
	result.manifest = made.manifest;
	result.has_manifest = true;
	result.run = made.run;
	result.made_ms = seed * 1000;
	ok = ok && results_put(store, &result, &made.result, NULL);
	struct node_row node = node_row_of(made.run, "n", NODE_COMPLETED);
	node.result = made.result;
	struct buf log = {0};
	digest_add_hex(&log, &made.log);
	node.log = buf_str(&log);
	ok = ok && nodes_put(store, &node, NULL) && store_flush(store, NULL);
	assert_true(ok);
	char dir[32];
	snprintf(dir, sizeof(dir), "runs/%d/logs", (int)made.run);
	assert_true(fs_make_dirs(store_state_fd(store), dir, 0700, NULL));
	buf_finish(&log);
	buf_finish(&text);
	free(bytes);
	return made;
}

static bool is_whole(struct project *p, struct store *store, const struct made *made)
{
	struct result_row row;
	bool found;
	assert_ok(p, results_get(store, &p->arena, made->result, &row, &found, &p->err));
	return found && cas_has(store, &made->output, true) &&
	       cas_has(store, &made->artifact, true) && cas_has(store, &made->manifest, true);
}

static bool is_gone(struct project *p, struct store *store, const struct made *made)
{
	struct result_row row;
	bool found;
	assert_ok(p, results_get(store, &p->arena, made->result, &row, &found, &p->err));
	return !found && !cas_has(store, &made->output, false) &&
	       !cas_has(store, &made->artifact, false) && !cas_has(store, &made->manifest, false);
}

static bool has_run(struct project *p, struct store *store, int64_t id)
{
	struct run_row row;
	bool found;
	char dir[32];
	snprintf(dir, sizeof(dir), "runs/%d", (int)id);
	assert_ok(p, runs_get(store, &p->arena, id, &row, &found, &p->err));
	assert_int_equal(faccessat(store_state_fd(store), dir, F_OK, 0), found ? 0 : -1);
	return found;
}

/* Four runs of "a" and one of "b", each in a process of its own as far as gc can tell. */
static void make_history(struct project *p, struct made made[5])
{
	for (int i = 0; i < 5; i++) {
		struct store *store = open_store(p, STORE_WRITE);
		made[i] = make_run(store, i < 4 ? "a" : "b", i + 1);
		store_close(store);
	}
}

static void nothing_goes_without_a_limit(void **state)
{
	struct project *p = *state;
	struct made made[5];
	make_history(p, made);
	struct store *store = open_store(p, STORE_WRITE);
	struct gc_options options = {.now_ms = 1000000};
	struct gc_report report;
	assert_ok(p, store_gc(store, &options, &report, &p->err));
	assert_true(
		report.results == 0 && report.blobs == 0 && report.runs == 0 && report.bytes == 0);
	assert_int_equal(report.kept_results, 5);
	assert_true(report.kept_bytes > 10 * LARGE);
	for (int i = 0; i < 5; i++) {
		assert_true(is_whole(p, store, &made[i]) && has_run(p, store, made[i].run));
	}
	store_close(store);
}

static void old_goes_and_pinned_stays(void **state)
{
	struct project *p = *state;
	struct made made[5];
	make_history(p, made);
	/* The newest run of "a" used what run 2 made. */
	struct store *store = open_store(p, STORE_WRITE);
	assert_ok(p, results_reused(store, made[1].result, made[3].run, &p->err));
	assert_ok(p, store_flush(store, &p->err));
	store_close(store);
	store = open_store(p, STORE_WRITE);
	struct gc_options options = {.now_ms = 1000000, .older_than_ms = 1, .dry_run = true};
	struct gc_report dry;
	struct gc_report report;
	assert_ok(p, store_gc(store, &options, &dry, &p->err));
	assert_false(store_is_dirty(store));
	for (int i = 0; i < 5; i++) {
		assert_true(is_whole(p, store, &made[i]) && has_run(p, store, made[i].run));
	}
	options.dry_run = false;
	assert_ok(p, store_gc(store, &options, &report, &p->err));
	assert_memory_equal(&dry, &report, sizeof(report));
	assert_int_equal(report.results, 2);
	assert_int_equal(report.runs, 2);
	assert_int_equal(report.kept_results, 3);
	assert_int_equal(report.blobs, 2 * 4);
	assert_true(is_gone(p, store, &made[0]) && !has_run(p, store, made[0].run));
	assert_true(is_whole(p, store, &made[1]) && has_run(p, store, made[1].run));
	assert_true(is_gone(p, store, &made[2]) && !has_run(p, store, made[2].run));
	assert_true(is_whole(p, store, &made[3]) && has_run(p, store, made[3].run));
	assert_true(is_whole(p, store, &made[4]) && has_run(p, store, made[4].run));
	assert_false(cas_has(store, &made[0].log, false));
	assert_true(cas_has(store, &made[1].log, true));
	store_close(store);
}

static void size_takes_the_oldest_first(void **state)
{
	struct project *p = *state;
	struct made made[5];
	make_history(p, made);
	struct store *store = open_store(p, STORE_WRITE);
	struct gc_options options = {.now_ms = 1000000, .max_bytes = 7 * LARGE};
	struct gc_report report;
	assert_ok(p, store_gc(store, &options, &report, &p->err));
	assert_int_equal(report.results, 2);
	assert_true(report.kept_bytes <= 7 * LARGE);
	assert_true(is_gone(p, store, &made[0]) && is_gone(p, store, &made[1]));
	assert_true(is_whole(p, store, &made[2]) && is_whole(p, store, &made[3]) &&
		    is_whole(p, store, &made[4]));
	/* Whatever the limit, what the newest runs made stays. */
	options.max_bytes = 1;
	assert_ok(p, store_gc(store, &options, &report, &p->err));
	assert_true(is_gone(p, store, &made[2]) && is_whole(p, store, &made[3]) &&
		    is_whole(p, store, &made[4]));
	assert_int_equal(report.kept_results, 2);
	/* A number is never given twice. */
	struct made next = make_run(store, "c", 9);
	assert_int_equal(next.run, 6);
	assert_int_equal(next.result, 6);
	struct diags diags = {0};
	assert_true(store_check(store, &diags));
	diags_finish(&diags);
	store_close(store);
}

static void what_a_live_run_may_name_stays(void **state)
{
	struct project *p = *state;
	struct made made[5];
	make_history(p, made);
	struct store *live = open_store(p, STORE_WRITE);
	struct run_row run = run_row_of("live");
	int64_t id;
	assert_ok(p, runs_create(live, &run, &id, &p->err));
	/* New bytes, and bytes that an old run had stored: both flushed, neither named by any row. */
	char *bytes = mem_zalloc(LARGE);
	struct digest again;
	struct digest fresh;
	snprintf(bytes, LARGE, "output a 1");
	assert_ok(p, cas_put(live, str_make(bytes, LARGE), &again, &p->err));
	assert_ok(p, cas_put(live, STR("fresh"), &fresh, &p->err));
	assert_true(digest_eq(&again, &made[0].output));
	assert_ok(p, store_flush(live, &p->err));

	struct store *store = open_store(p, STORE_WRITE);
	struct gc_options options = {.now_ms = 1000000, .older_than_ms = 1};
	struct gc_report report;
	assert_ok(p, store_gc(store, &options, &report, &p->err));
	assert_int_equal(report.results, 3);
	assert_true(cas_has(store, &again, true) && cas_has(store, &fresh, true));
	assert_false(cas_has(store, &made[0].artifact, false));

	/* Its process ended: nobody will name them. */
	run.id = id;
	run.state = RUN_FAILED;
	assert_ok(p, runs_update(live, &run, &p->err));
	assert_ok(p, store_flush(live, &p->err));
	assert_ok(p, store_gc(store, &options, &report, &p->err));
	assert_int_equal(report.blobs, 2);
	assert_false(cas_has(store, &again, false) || cas_has(store, &fresh, false));
	store_close(store);
	store_close(live);
	free(bytes);
}

static void orphans_are_swept(void **state)
{
	struct project *p = *state;
	struct made made[5];
	make_history(p, made);
	struct store *store = open_store(p, STORE_WRITE);
	char name[80] = "blobs/00/";
	memset(name + 9, 'a', 62);
	assert_ok(p, fs_make_dirs(store_state_fd(store), "blobs/00", 0700, &p->err));
	assert_ok(
		p, fs_write_file(store_state_fd(store), name, STR("12345"), 0400, false, &p->err));
	assert_ok(p, fs_write_file(store_state_fd(store), "blobs/00/note", STR("mine"), 0600, false,
			     &p->err));
	assert_ok(p, fs_make_dirs(store_state_fd(store), "runs/77/logs", 0700, &p->err));
	struct gc_options options = {.now_ms = 1};
	struct gc_report report;
	assert_ok(p, store_gc(store, &options, &report, &p->err));
	assert_int_equal(report.blobs, 1);
	assert_int_equal(report.bytes, 5);
	assert_int_equal(faccessat(store_state_fd(store), name, F_OK, 0), -1);
	assert_int_equal(faccessat(store_state_fd(store), "blobs/00/note", F_OK, 0), 0);
	assert_int_equal(faccessat(store_state_fd(store), "runs/77", F_OK, 0), -1);
	for (int i = 0; i < 5; i++) {
		assert_true(is_whole(p, store, &made[i]));
	}
	store_close(store);
}

static void collect_old(struct project *p, int64_t older_than_ms)
{
	struct store *store = open_store(p, STORE_WRITE);
	struct gc_options options = {.now_ms = 1000000, .older_than_ms = older_than_ms};
	struct gc_report report;
	assert_ok(p, store_gc(store, &options, &report, &p->err));
	store_close(store);
}

/* A number of a blob may stand in any text that a row has. */
static void what_only_a_text_names_stays(void **state)
{
	struct project *p = *state;
	struct store *store = open_store(p, STORE_WRITE);
	struct run_row run = run_row_of("a");
	struct digest emitted;
	struct digest given;
	struct digest nobodys;
	struct buf emits = {0};
	struct buf inputs = {0};
	int64_t id;
	assert_ok(p, cas_put(store, STR("emitted"), &emitted, &p->err));
	assert_ok(p, cas_put(store, STR("given"), &given, &p->err));
	assert_ok(p, cas_put(store, STR("nobody's"), &nobodys, &p->err));
	digest_add_hex(&emits, &emitted);
	buf_add_z(&inputs, "{\"x\":\"");
	digest_add_hex(&inputs, &given);
	buf_add_z(&inputs, "\"}");
	run.state = RUN_COMPLETED;
	run.inputs = buf_str(&inputs);
	assert_ok(p, runs_create(store, &run, &id, &p->err));
	struct result_row result = result_row_of("n", "key", "output");
	result.run = id;
	result.emits = buf_str(&emits);
	assert_ok(p, results_put(store, &result, &id, &p->err));
	assert_ok(p, store_flush(store, &p->err));
	store_close(store);
	collect_old(p, 0);
	store = open_store(p, STORE_READ);
	assert_true(cas_has(store, &emitted, true) && cas_has(store, &given, true));
	assert_false(cas_has(store, &nobodys, false));
	store_close(store);
	buf_finish(&emits);
	buf_finish(&inputs);
}

/* One that waits for an answer is not over, and what a run that stays made stays, whatever became of the node's row. */
static void what_is_not_over_stays(void **state)
{
	struct project *p = *state;
	struct made made[5];
	make_history(p, made);
	struct store *store = open_store(p, STORE_WRITE);
	race_sql(store,
		"UPDATE run SET state = 'paused' WHERE id = 2; DELETE FROM node WHERE run = 2");
	store_close(store);
	collect_old(p, 1);
	store = open_store(p, STORE_READ);
	assert_true(is_gone(p, store, &made[0]) && is_gone(p, store, &made[2]));
	assert_true(is_whole(p, store, &made[1]) && has_run(p, store, made[1].run));
	store_close(store);
}

/* A run in which nothing was to do has the rows of another. */
static void what_another_run_stands_as_stays(void **state)
{
	struct project *p = *state;
	struct made made[5];
	make_history(p, made);
	/* The newest one of "a" is as the first one was, which stays for its sake. */
	struct store *store = open_store(p, STORE_WRITE);
	race_sql(store, "DELETE FROM node WHERE run = 4; UPDATE run SET same_as = 1 WHERE id = 4");
	store_close(store);
	collect_old(p, 1);
	store = open_store(p, STORE_READ);
	assert_true(has_run(p, store, 1) && has_run(p, store, 4) && !has_run(p, store, 2));
	assert_true(cas_has(store, &made[0].log, true));
	store_close(store);
	/* One that only is not old enough has the rows itself, once the other one goes. */
	assert_ok(p, fs_remove_tree(p->fd, ".pawl", &p->err));
	make_history(p, made);
	store = open_store(p, STORE_WRITE);
	race_sql(store,
		"DELETE FROM node WHERE run = 3; UPDATE run SET same_as = 1, started_ms = 999990 WHERE id = 3;"
		"DELETE FROM result WHERE run IN (1, 3)");
	store_close(store);
	collect_old(p, 100);
	store = open_store(p, STORE_READ);
	struct node_list nodes;
	assert_true(!has_run(p, store, 1) && has_run(p, store, 3));
	assert_ok(p, nodes_list(store, &p->arena, 3, &nodes, &p->err));
	assert_int_equal(nodes.len, 1);
	assert_true(cas_has(store, &made[0].log, true));
	store_close(store);
}

static void what_a_dead_run_might_have_named_goes(void **state)
{
	struct project *p = *state;
	struct store *store = open_store(p, STORE_WRITE);
	struct run_row run = run_row_of("dead");
	struct digest digest;
	int64_t id;
	run.owner.start++; /* another process had this number */
	assert_ok(p, runs_create(store, &run, &id, &p->err));
	assert_ok(p, cas_put(store, STR("fresh"), &digest, &p->err));
	assert_ok(p, store_flush(store, &p->err));
	store_close(store);
	collect_old(p, 1);
	store = open_store(p, STORE_READ);
	assert_false(cas_has(store, &digest, false));
	store_close(store);
}

/* What was marked may not have come into use when it is taken. */
static void what_comes_into_use_meanwhile_stays(void **state)
{
	struct project *p = *state;
	struct store *live = open_store(p, STORE_WRITE);
	struct run_row run = run_row_of("live");
	struct digest digest;
	int64_t id;
	assert_ok(p, cas_put(live, STR("bytes"), &digest, &p->err));
	assert_ok(p, store_flush(live, &p->err));
	store_close(live);
	live = open_store(p, STORE_WRITE);
	assert_ok(p, runs_create(live, &run, &id, &p->err));
	pid_t other = race_begin(p, "UPDATE blob SET seq = seq + 1");
	collect_old(p, 1);
	race_end(other);
	assert_true(cas_has(live, &digest, true));
	store_close(live);
}

static int collect(const char *path)
{
	struct err err = {0};
	struct store *store = store_open(path, STORE_WRITE, &err);
	struct gc_options options = {.now_ms = 1000000, .older_than_ms = 1};
	struct gc_report report;
	if (!store || !store_gc(store, &options, &report, &err)) {
		fprintf(stderr, "gc: %s\n", err.message);
		return 1;
	}
	store_close(store);
	return 0;
}

/* Runs this program again, to die at step n; whether it survived. */
static bool collect_dying_at(struct project *p, int n)
{
	char at[16];
	snprintf(at, sizeof(at), "%d", n);
	pid_t pid = fork();
	if (pid == 0) {
		setenv("PAWL_TEST_DIE_AT", at, 1);
		execl("/proc/self/exe", "test_gc", "collect", p->path, (char *)NULL);
		_exit(127);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status)) {
		assert_int_equal(WTERMSIG(status), SIGKILL);
		return false;
	}
	assert_int_equal(WEXITSTATUS(status), 0);
	return true;
}

static void killed_anywhere_it_leaves_a_sound_store(void **state)
{
	struct project *p = *state;
	struct made made[5];
	bool survived = false;
	int n = 0;
	while (!survived) {
		assert_ok(p, fs_remove_tree(p->fd, ".pawl", &p->err));
		make_history(p, made);
		survived = collect_dying_at(p, ++n);
		struct store *store = open_store(p, STORE_WRITE);
		for (int i = 0; i < 5; i++) {
			struct result_row row;
			bool found;
			assert_ok(p, results_get(store, &p->arena, made[i].result, &row, &found,
					     &p->err));
			assert_true(!found || is_whole(p, store, &made[i]));
			assert_true(found || i < 3);
		}
		struct diags diags = {0};
		assert_true(store_check(store, &diags));
		diags_finish(&diags);
		store_close(store);
		/* The next one finishes what was begun. */
		assert_int_equal(collect(p->path), 0);
		store = open_store(p, STORE_WRITE);
		for (int i = 0; i < 3; i++) {
			assert_true(is_gone(p, store, &made[i]) && !has_run(p, store, made[i].run));
		}
		struct fs_list list = {0};
		size_t files = 0;
		assert_ok(p, fs_list_tree(store_state_fd(store), "blobs", NULL, &list, &p->err));
		for (size_t i = 0; i < list.len; i++) {
			files += S_ISREG(list.ptr[i].stat.mode);
		}
		assert_int_equal(files, 4); /* of two runs, output and artifact */
		fs_list_finish(&list);
		store_close(store);
	}
	assert_true(n > 8);
}

/* Stores the same few blobs over and over, and names them only two flushes later. */
static int write_slowly(const char *path, int which)
{
	struct store *store = store_open(path, STORE_WRITE, NULL);
	struct run_row run = run_row_of(which ? "one" : "two");
	if (!store) {
		return 1;
	}
	static char bytes[LARGE];
	for (int i = 0; i < 60; i++) {
		int64_t result;
		int64_t id;
		struct result_row row = result_row_of("n", "key", "");
		if (i % 10 == 0 && !runs_create(store, &run, &id, NULL)) {
			return 2;
		}
		row.run = 0; /* of no run that is left: gc takes it at once */
		snprintf(bytes, LARGE, "shared %d", i % 7);
		if (!cas_put(store, str_make(bytes, LARGE - (size_t)(i % 2) * (LARGE - 50)),
			    &row.output, NULL) ||
			!store_flush(store, NULL)) {
			return 3;
		}
		usleep(500);
		row.workflow = run.workflow;
		row.made_ms = 1;
		if (!results_put(store, &row, &result, NULL) || !store_flush(store, NULL)) {
			return 4;
		}
		if (!cas_has(store, &row.output, true)) {
			return 5;
		}
	}
	store_close(store);
	return 0;
}

static void beside_live_runs_it_takes_nothing_of_theirs(void **state)
{
	struct project *p = *state;
	pid_t pids[2];
	for (int i = 0; i < 2; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			_exit(write_slowly(p->path, i));
		}
	}
	int left = 2;
	int collected = 0;
	while (left > 0) {
		assert_int_equal(collect(p->path), 0);
		collected++;
		int status;
		while (left > 0 && waitpid(-1, &status, WNOHANG) > 0) {
			assert_int_equal(status, 0);
			left--;
		}
	}
	assert_true(collected > 1);
	struct store *store = open_store(p, STORE_WRITE);
	struct result_list list;
	assert_ok(p, results_list(store, &p->arena, STR(""), true, &list, &p->err));
	for (size_t i = 0; i < list.len; i++) {
		assert_true(cas_has(store, &list.ptr[i].output, true));
	}
	store_close(store);
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "collect") == 0) {
		return collect(argv[2]);
	}
	const struct CMUnitTest tests[] = {
		STORE_TEST(nothing_goes_without_a_limit),
		STORE_TEST(old_goes_and_pinned_stays),
		STORE_TEST(size_takes_the_oldest_first),
		STORE_TEST(what_a_live_run_may_name_stays),
		STORE_TEST(orphans_are_swept),
		STORE_TEST(what_only_a_text_names_stays),
		STORE_TEST(what_is_not_over_stays),
		STORE_TEST(what_another_run_stands_as_stays),
		STORE_TEST(what_a_dead_run_might_have_named_goes),
		STORE_TEST(what_comes_into_use_meanwhile_stays),
		STORE_TEST(beside_live_runs_it_takes_nothing_of_theirs),
		STORE_TEST(killed_anywhere_it_leaves_a_sound_store),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
