/* store_test: what the tests of the store share: a project directory of their own, rows made in one line. */
#ifndef STORE_TEST_H
#define STORE_TEST_H

#include "base/arena.h"
#include "base/mem.h"
#include "store/cas.h"
#include "store/db.h"
#include "store/results.h"
#include "store/runs.h"
#include "sys/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct project {
	char path[64];
	int fd;
	struct err err;
	struct arena arena;
};

static inline int project_setup(void **state)
{
	struct project *project = mem_zalloc(sizeof(*project));
	memcpy(project->path, "/tmp/pawl-store-XXXXXX", 23);
	if (!mkdtemp(project->path)) {
		return -1;
	}
	project->fd = open(project->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = project;
	return 0;
}

static inline int project_teardown(void **state)
{
	struct project *project = *state;
	fs_remove_tree(project->fd, ".pawl", NULL);
	close(project->fd);
	struct err err = {0};
	int root = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fs_remove_tree(root, project->path + 5, &err);
	close(root);
	err_finish(&err);
	err_finish(&project->err);
	arena_finish(&project->arena);
	free(project);
	return 0;
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, project_setup, project_teardown)

/* Fails with the message of the error. */
#define assert_ok(project, call)                                                          \
	do {                                                                              \
		if (!(call)) {                                                            \
			fail_msg("%s: %s: %s", #call,                                     \
				(project)->err.code ? (project)->err.code : "(no error)", \
				(project)->err.message ? (project)->err.message : "");    \
		}                                                                         \
	} while (0)

#define assert_code(project, expected)                              \
	do {                                                        \
		assert_non_null((project)->err.code);               \
		assert_string_equal((project)->err.code, expected); \
		err_finish(&(project)->err);                        \
		(project)->err = (struct err){0};                   \
	} while (0)

static inline struct store *open_store(struct project *project, enum store_mode mode)
{
	struct store *store = store_open(project->path, mode, &project->err);
	if (!store) {
		fail_msg("store_open: %s", project->err.message ? project->err.message : "absent");
	}
	return store;
}

static inline struct run_row run_row_of(const char *workflow)
{
	return (struct run_row){
		.attempt = 1,
		.state = RUN_RUNNING,
		.workflow = str_of(workflow),
		.file = STR("flow.yaml"),
		.inputs = STR("{}"),
		.options = STR("{}"),
		.started_ms = 1000,
		.owner = proc_self(),
	};
}

static inline struct digest digest_of(const char *text)
{
	return hash_of(str_of(text));
}

static inline struct result_row result_row_of(const char *node, const char *key, const char *output)
{
	struct result_row row = {
		.workflow = STR("flow"),
		.node = str_of(node),
		.key = digest_of(key),
		.transcript = str_of(key),
		.trace = STR("file a.txt 1234\n"),
		.output = digest_of(output),
		.output_size = strlen(output),
		.provable = true,
		.type = STR("bash"),
		.run = 1,
		.attempt = 1,
		.made_ms = 5000,
		.duration_ms = 12,
	};
	return row;
}

static inline struct node_row node_row_of(int64_t run, const char *node, enum node_state state)
{
	return (struct node_row){
		.run = run,
		.node = str_of(node),
		.attempt = 1,
		.state = state,
		.type = STR("bash"),
		.reason = STR("first_run"),
		.sentence = STR("never ran"),
		.inputs = STR("[]"),
		.extra = STR("{}"),
	};
}

#endif
