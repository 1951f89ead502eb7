/* fuzz_policy: no text of a policy crashes the program, outlives its budgets or goes over its memory; a key that a rule
 * was refused is left as it was, and one that it added to can be read back. */
#include "engine/policy_internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[] = "/tmp/pawl-fuzz-XXXXXX";
static int dir_fd = -1;

static void remove_dir(void)
{
	fs_remove_tree(AT_FDCWD, dir, NULL);
}

static str get_output(void *arg)
{
	(void)arg;
	return STR("some output\nERROR: 3\n");
}

static void ask(struct policy *policy)
{
	static const str inputs[] = {STR_INIT("a"), STR_INIT("b")};
	static const struct policy_failure failure = {.stderr_tail = STR_INIT("bad JSON"),
		.exit_code = 1,
		.reused_inputs = inputs,
		.reused_count = 2};
	const struct policy_node node = {
		.id = STR("fetch"), .type = STR("bash"), .workflow = STR("w")};
	const struct policy_result result = {
		.age_ms = 99999000, .run = 3, .size = 22, .output = get_output};
	struct arena arena = {0};
	struct key key = {0};
	struct key_parts parts;
	struct err err = {0};
	bool suspect[2];
	str sentence;
	key_begin(&key);
	size_t from = key.text.len;
	bool ok = policy_key(policy, &node, &key, &err);
	if ((!ok && (key.text.len != from || !err_is_set(&err))) || key.open)
		abort();
	if (!key_parse(&arena, buf_str(&key.text), &parts))
		abort();
	err_finish(&err);
	ok = policy_reuse(policy, &node, &result, &arena, &sentence);
	if (ok != (sentence.len == 0) || str_find_char(sentence, '\n', 0) != SIZE_MAX)
		abort();
	ok = policy_failed(policy, &node, &failure, suspect, &err);
	if (!ok && (!suspect[0] || !suspect[1]))
		abort();
	policy_run_tests(policy, &arena);
	if (policy->sandbox.memory > SANDBOX_MEMORY)
		abort();
	err_finish(&err);
	key_finish(&key);
	arena_finish(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const environment[] = {"A=1", NULL};
	struct diags diags = {0};
	if (dir_fd < 0) {
		if (!mkdtemp(dir))
			abort();
		atexit(remove_dir);
		dir_fd = fs_open_dir(dir, NULL);
	}
	int fd = openat(dir_fd, "p.lua", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	close(fd);
	struct policies *policies = policies_create(&(struct policy_env){
		.project_fd = dir_fd, .environment = environment, .now_ms = 1700000000000});
	struct policy *policy = policies_load(policies, STR("p.lua"), &diags);
	if (!policy && !diags.errors)
		abort();
	if (policy)
		ask(policy);
	diags_finish(&diags);
	policies_destroy(policies);
	return 0;
}
