/* Policies written into a directory of their own, and what the tests ask of them. */
#ifndef TESTS_POLICY_HELP_H
#define TESTS_POLICY_HELP_H

#include "../../component/sys/fs_help.h"
#include "engine/policy.h"

#include "data/yaml.h"

static const char *const help_environment[] = {"REGION=eu-1", "REGIONAL=no", "EMPTY=", NULL};
static struct buf help_log;

static inline void help_take_log(void *arg, str file, uint32_t line, str text)
{
	(void)arg;
	buf_printf(&help_log, "%.*s:%u %.*s\n", STR_ARG(file), line, STR_ARG(text));
}

static inline struct policies *help_policies(const struct room *room)
{
	return policies_create(&(struct policy_env){
		.project_fd = room->fd,
		.environment = help_environment,
		.now_ms = 1700000000500,
		.log = help_take_log,
	});
}

static inline void help_write(const struct room *room, const char *name, str text)
{
	struct err err = {0};
	if (!fs_write_file(room->fd, name, text, 0644, false, &err))
		fail_msg("%s", err.message);
}

/* Loads the text as p.lua, which must be fine. */
static inline struct policy *help_load(
	const struct room *room, struct policies *policies, const char *text)
{
	struct diags diags = {0};
	help_write(room, "p.lua", str_of(text));
	struct policy *policy = policies_load(policies, STR("p.lua"), &diags);
	if (!policy)
		fail_msg("%u: %s", diags.list.ptr[0].at.line, diags.list.ptr[0].message);
	diags_finish(&diags);
	return policy;
}

static inline const struct value *help_yaml(struct arena *arena, const char *text)
{
	struct diags diags = {0};
	const struct value *value = yaml_parse(arena, str_of(text), "node.yaml", &diags);
	if (!value)
		fail_msg("%s", diags.list.ptr[0].message);
	diags_finish(&diags);
	return value;
}

static const struct policy_node help_node = {
	.id = STR_INIT("fetch"),
	.type = STR_INIT("bash"),
	.workflow = STR_INIT("nightly"),
	.description = STR_INIT("gets it"),
	.output_type = STR_INIT("json"),
};

#endif
