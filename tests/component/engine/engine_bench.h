/* engine_bench: what the engine's tests share: a project of its own with a real store, workflows from text whose nodes are
 * `fake:`, a fake world, and a record of how each node ended. */
#ifndef ENGINE_BENCH_H
#define ENGINE_BENCH_H

#include "fake_world.h"

#include "base/buf.h"
#include "base/mem.h"
#include "engine/internal.h"
#include "sys/fs.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct bench_end {
	enum node_state state;
	char reason[24];
	char sentence[120];
	uint64_t at_ms;
	int64_t tries;
	uint32_t retries; /* how often a retry was told */
};

struct bench {
	char path[64];
	struct store *store;
	struct types *types;
	struct fake_world fake;
	struct workflow *workflow;
	struct bench_end *ends; /* per node index */
	struct engine_summary summary;
	char error[200]; /* of the summary */
};

static inline void bench_open_store(struct bench *b)
{
	struct err err = {0};
	b->store = store_open(b->path, STORE_WRITE, &err);
	if (!b->store)
		fail_msg("%s", err.message);
}

static inline int bench_setup(void **state)
{
	struct bench *b = mem_zalloc(sizeof(*b));
	struct types_options options = {.builtin_path = PAWL_TEST_BUILD "/tests/plugins"};
	memcpy(b->path, "/tmp/pawl-engine-XXXXXX", 24);
	if (!mkdtemp(b->path))
		return -1;
	bench_open_store(b);
	b->types = types_create(&options);
	fake_world_init(&b->fake);
	*state = b;
	return 0;
}

static inline int bench_teardown(void **state)
{
	struct bench *b = *state;
	int root = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	store_close(b->store);
	types_destroy(b->types);
	workflow_destroy(b->workflow);
	fake_world_finish(&b->fake);
	fs_remove_tree(root, b->path + 5, NULL);
	close(root);
	free(b->ends);
	free(b);
	return 0;
}

#define ENGINE_TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)

static inline void bench_load(struct bench *b, const char *yaml)
{
	struct workflow_types types = types_for_workflow(b->types);
	struct diags diags = {0};
	workflow_destroy(b->workflow);
	b->workflow = workflow_load(str_of(yaml), "test.yaml", &types, &diags);
	if (!b->workflow)
		fail_msg("%s", diags.list.len ? diags.list.ptr[0].message : "not loaded");
	diags_finish(&diags);
	free(b->ends);
	b->ends = mem_zalloc(sizeof(*b->ends) * (b->workflow->node_count + 1));
}

static inline void bench_on_node(void *arg, const struct node_event *event)
{
	struct bench *b = arg;
	struct bench_end *end = &b->ends[event->node->index];
	end->retries += event->kind == EVENT_RETRY;
	if (event->kind != EVENT_ENDED)
		return;
	end->state = event->state;
	snprintf(end->reason, sizeof(end->reason), "%s", event->reason);
	snprintf(end->sentence, sizeof(end->sentence), "%.*s", STR_ARG(event->sentence));
	end->at_ms = b->fake.now_ms;
	end->tries = event->tries;
}

static inline void bench_on_run_ended(void *arg, const struct engine_summary *summary)
{
	struct bench *b = arg;
	snprintf(b->error, sizeof(b->error), "%s", summary->error ? summary->error->message : "");
}

/* Runs what was loaded; the fields of `options` that every test needs are filled in. */
static inline enum run_state bench_run(struct bench *b, struct engine_options options)
{
	static const char *const environment[] = {"PATH=/usr/bin:/bin", NULL};
	struct engine_events events = {
		.arg = b, .node = bench_on_node, .run_ended = bench_on_run_ended};
	struct err err = {0};
	options.jobs = options.jobs ? options.jobs : 1000000;
	options.environment = environment;
	options.arguments = STR("");
	options.grace_ms = options.grace_ms ? options.grace_ms : 5000;
	memset(b->ends, 0, sizeof(*b->ends) * b->workflow->node_count);
	fake_forget(&b->fake);
	if (!engine_run(&b->fake.world, b->store, b->types, b->workflow, &options, &events,
		    &b->summary, &err))
		fail_msg("%s: %s", err.code, err.message);
	assert_int_equal(b->fake.running, 0);
	return b->summary.state;
}

static inline const struct bench_end *bench_end(const struct bench *b, const char *node)
{
	const struct node *found = workflow_find(b->workflow, str_of(node));
	if (!found)
		fail_msg("no node %s", node);
	return &b->ends[found->index];
}

#define assert_state(b, node, want) \
	assert_string_equal(node_state_name(bench_end(b, node)->state), node_state_name(want))

#endif
