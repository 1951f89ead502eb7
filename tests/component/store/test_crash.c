/* crash: a process is killed at each durable step of a scripted piece of work; whatever it had recorded holds. */
#include "store_test.h"

#include <signal.h>

#define ROUNDS 4

static void fill(char *bytes, size_t n, int seed)
{
	memset(bytes, 'a' + seed, n);
	snprintf(bytes, n, "seed %d", seed);
}

/* Prints a line after each flush that was reported as done. */
static int work(const char *path)
{
	struct store *store = store_open(path, STORE_WRITE, NULL);
	struct run_row run = run_row_of("flow");
	int64_t id;
	if (!store || !runs_create(store, &run, &id, NULL)) {
		return 1;
	}
	static char bytes[50000];
	for (int i = 0; i < ROUNDS; i++) {
		char name[16];
		snprintf(name, sizeof(name), "n%d", i);
		struct result_row result = result_row_of(name, name, "");
		struct node_row node = node_row_of(id, name, NODE_COMPLETED);
		result.run = id;
		fill(bytes, sizeof(bytes), i);
		struct digest small;
		struct buf hex = {0};
		bool ok = cas_put(store, str_make(bytes, sizeof(bytes)), &result.output, NULL) &&
		          cas_put(store, str_make(bytes, sizeof(bytes) - 1), &result.manifest,
				  NULL) &&
		          cas_put(store, str_make(bytes, 100), &small, NULL);
		result.has_manifest = true;
		digest_add_hex(&hex, &small);
		node.log = buf_str(&hex);
		ok = ok && results_put(store, &result, &node.result, NULL) &&
		     nodes_put(store, &node, NULL) && store_flush(store, NULL);
		buf_finish(&hex);
		if (!ok || write(STDOUT_FILENO, "x", 1) != 1) {
			return 1;
		}
	}
	store_close(store);
	return 0;
}

/* Whether it survived; *done: how many flushes it reported. */
static bool work_dying_at(struct project *p, int n, size_t *done)
{
	char at[16];
	int out[2];
	snprintf(at, sizeof(at), "%d", n);
	assert_int_equal(pipe(out), 0);
	pid_t pid = fork();
	if (pid == 0) {
		dup2(out[1], STDOUT_FILENO);
		setenv("PAWL_TEST_DIE_AT", at, 1);
		execl("/proc/self/exe", "test_crash", "work", p->path, (char *)NULL);
		_exit(127);
	}
	close(out[1]);
	char bytes[64];
	ssize_t got;
	*done = 0;
	while ((got = read(out[0], bytes, sizeof(bytes))) > 0) {
		*done += (size_t)got;
	}
	close(out[0]);
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status)) {
		assert_int_equal(WTERMSIG(status), SIGKILL);
		return false;
	}
	assert_int_equal(WEXITSTATUS(status), 0);
	return true;
}

/* What the rows name is there and verifies. */
static size_t check(struct project *p, enum store_mode mode)
{
	struct store *store = store_open(p->path, mode, &p->err);
	if (!store) {
		if (err_is_set(&p->err)) {
			fail_msg("%s: %s", p->err.code, p->err.message);
		}
		assert_int_equal(mode, STORE_READ);
		return 0;
	}
	struct result_list results;
	struct node_list nodes;
	assert_ok(p, results_list(store, &p->arena, STR(""), true, &results, &p->err));
	assert_int_equal(results.damaged, 0);
	for (size_t i = 0; i < results.len; i++) {
		assert_true(cas_has(store, &results.ptr[i].output, true));
		assert_true(cas_has(store, &results.ptr[i].manifest, true));
	}
	assert_ok(p, nodes_list(store, &p->arena, 1, &nodes, &p->err));
	assert_int_equal(nodes.len, results.len);
	for (size_t i = 0; i < nodes.len; i++) {
		struct digest log;
		assert_true(digest_parse(nodes.ptr[i].log, &log));
		assert_true(cas_has(store, &log, true));
	}
	struct diags diags = {0};
	assert_true(store_check(store, &diags));
	diags_finish(&diags);
	store_close(store);
	return results.len;
}

static void killed_at_each_step_nothing_recorded_is_lost(void **state)
{
	struct project *p = *state;
	bool survived = false;
	int n = 0;
	size_t fewest = ROUNDS;
	while (!survived) {
		size_t done;
		assert_ok(p, fs_remove_tree(p->fd, ".pawl", &p->err));
		survived = work_dying_at(p, ++n, &done);
		size_t recorded = check(p, STORE_READ);
		assert_true(recorded >= done && recorded <= done + 1);
		assert_int_equal(check(p, STORE_WRITE), recorded);
		fewest = recorded < fewest ? recorded : fewest;
		/* And the work can be done. */
		if (n % 7 == 0) {
			assert_true(work_dying_at(p, 1000000, &done));
		}
	}
	assert_int_equal(fewest, 0);
	assert_true(n > ROUNDS * 10);
}

/* Not at the steps but at any time at all. */
static void killed_at_random_nothing_recorded_is_lost(void **state)
{
	struct project *p = *state;
	for (int i = 0; i < 40; i++) {
		assert_ok(p, fs_remove_tree(p->fd, ".pawl", &p->err));
		pid_t pid = fork();
		if (pid == 0) {
			int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
			dup2(null, STDOUT_FILENO);
			execl("/proc/self/exe", "test_crash", "work", p->path, (char *)NULL);
			_exit(127);
		}
		usleep((useconds_t)(i * 700));
		kill(pid, SIGKILL);
		int status;
		assert_int_equal(waitpid(pid, &status, 0), pid);
		check(p, STORE_READ);
		check(p, STORE_WRITE);
	}
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "work") == 0) {
		return work(argv[2]);
	}
	const struct CMUnitTest tests[] = {
		STORE_TEST(killed_at_each_step_nothing_recorded_is_lost),
		STORE_TEST(killed_at_random_nothing_recorded_is_lost),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
