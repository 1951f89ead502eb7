/* The policies in docs/policies: each is there, loads without a complaint, has tests, and they pass; what docs/policies.md
 * shows as a policy loads too. */
#include "policy_help.h"

static struct policies *docs_policies(int *fd)
{
	struct err err = {0};
	*fd = fs_open_dir(PAWL_TEST_SOURCE "/docs", &err);
	if (*fd < 0)
		fail_msg("%s", err.message);
	return policies_create(&(struct policy_env){.project_fd = *fd});
}

static void test_examples_pass_their_tests(void **state)
{
	static const char *const names[] = {"ttl_by_name", "failed_consumer", "schema_in_key",
		"subtree_revision", "business_hours", "error_marker"};
	struct arena arena = {0};
	struct fs_list list = {0};
	struct err err = {0};
	int fd;
	struct policies *policies = docs_policies(&fd);
	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(
			faccessat(fd, arena_printf(&arena, "policies/%s.lua", names[i]), R_OK, 0),
			0);
	assert_true(fs_glob(fd, STR("policies/*.lua"), &list, &err));
	for (size_t i = 0; i < list.len; i++) {
		struct diags diags = {0};
		struct policy *policy = policies_load(policies, str_of(list.ptr[i].name), &diags);
		if (diags.list.len)
			fail_msg("%s:%u: %s", list.ptr[i].name, diags.list.ptr[0].at.line,
				diags.list.ptr[0].message);
		struct policy_tests tests = policy_run_tests(policy, &arena);
		for (size_t t = 0; t < tests.len; t++) {
			if (!tests.ptr[t].passed)
				fail_msg("%s: %s", tests.ptr[t].name.ptr, tests.ptr[t].message.ptr);
		}
		assert_true(tests.len >= 3);
		diags_finish(&diags);
	}
	fs_list_finish(&list);
	policies_destroy(policies);
	close(fd);
	arena_finish(&arena);
}

/* The text between "```lua" and "```" lines, from *rest on. */
static bool next_block(str *rest, str *block)
{
	str line;
	while (str_line(rest, &line)) {
		if (!str_is(line, "```lua"))
			continue;
		const char *from = rest->ptr;
		const char *to = from;
		while (str_line(rest, &line) && !str_is(line, "```"))
			to = rest->ptr;
		*block = str_make(from, (size_t)(to - from));
		return true;
	}
	return false;
}

static void test_blocks_of_the_guide_load(void **state)
{
	struct room *room = *state;
	struct arena arena = {0};
	struct buf guide = {0};
	struct err err = {0};
	int fd;
	size_t loaded = 0;
	policies_destroy(docs_policies(&fd));
	assert_true(fs_read_file(fd, "policies.md", (size_t)1 << 20, &guide, &err));
	str rest = buf_str(&guide);
	str block;
	struct policies *policies = help_policies(room);
	while (next_block(&rest, &block)) {
		struct diags diags = {0};
		const char *name = arena_printf(&arena, "block%zu.lua", loaded++);
		help_write(room, name, block);
		struct policy *policy = policies_load(policies, str_of(name), &diags);
		if (!policy)
			fail_msg("%s:%u: %s\n%.*s", name, diags.list.ptr[0].at.line,
				diags.list.ptr[0].message, STR_ARG(block));
		assert_int_equal(policy_run_tests(policy, &arena).failed, 0);
		diags_finish(&diags);
	}
	assert_true(loaded >= 3);
	policies_destroy(policies);
	buf_finish(&guide);
	close(fd);
	arena_finish(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples_pass_their_tests),
		room_test(test_blocks_of_the_guide_load),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
