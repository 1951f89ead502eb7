/* Policies written into a directory of their own, and what the tests ask of them. */
#ifndef TESTS_POLICY_HELP_H
#define TESTS_POLICY_HELP_H

#include "base/mem.h"
#include "data/yaml.h"
#include "engine/policy.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct room {
	char path[32];
	int fd;
};

static inline int room_setup(void **state)
{
	struct room *room = mem_zalloc(sizeof(*room));
	snprintf(room->path, sizeof(room->path), "/tmp/pawl-test-XXXXXX");
	*state = room;
	if (!mkdtemp(room->path))
		return -1;
	room->fd = fs_open_dir(room->path, NULL);
	return room->fd < 0;
}

static inline int room_teardown(void **state)
{
	struct room *room = *state;
	bool removed = fs_remove_tree(AT_FDCWD, room->path, NULL);
	close(room->fd);
	free(room);
	return !removed;
}

#define room_test(f) cmocka_unit_test_setup_teardown(f, room_setup, room_teardown)

static inline void room_dir(const struct room *room, const char *path)
{
	assert_int_equal(mkdirat(room->fd, path, 0700), 0);
}

static inline void room_link(const struct room *room, const char *path, const char *target)
{
	assert_int_equal(symlinkat(target, room->fd, path), 0);
}

/* In place: an edit, where help_write puts another file under the name. */
static inline void room_file(const struct room *room, const char *path, const char *text)
{
	int fd = openat(room->fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

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
