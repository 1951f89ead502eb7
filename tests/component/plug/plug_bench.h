/* plug_bench: what the tests of the plugin host share: a workflow from text, values for its references, a real loop, and a
 * record of everything that a run said. */
#ifndef PLUG_BENCH_H
#define PLUG_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "data/bind.h"
#include "plug/host.h"
#include "sys/loop.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct bench_value {
	const char *ref; /* "$a.output" */
	str text;
	const char *json; /* NULL: made of the text */
};

struct bench {
	struct loop *loop;
	const struct world *world;
	struct types *types;
	char root[64]; /* a directory of the test's own; $ARTIFACTS_DIR and the project too */
	struct workflow *workflow;
	struct diags diags;
	struct pawl_node *node;
	const struct bench_value *values;
	struct arena arena;
	const char **env; /* NULL-terminated */
	/* What the run said. */
	struct buf out;
	struct buf errs;
	struct buf log;  /* "LEVEL text\n" */
	struct buf said; /* "emit name=value\n", "artifact name=path\n", "progress 0.50 text\n" */
	struct host_outcome outcome;
	char *code; /* of the outcome's error */
	char *message;
	char *help;
	struct place at;
	struct store *store; /* NULL: none */
	int finished;
	uint64_t grace_ms;
};

static inline bool bench_is_node(void *ctx, str name)
{
	struct bench *bench = ctx;
	return map_get(&bench->workflow->by_id, name) != NULL;
}

static inline bool bench_text(void *ctx, const struct ref *ref, str *out, struct err *err)
{
	struct bench *bench = ctx;
	struct buf name = {0};
	ref_write(&name, ref);
	for (const struct bench_value *v = bench->values; v && v->ref; v++) {
		if (strcmp(v->ref, buf_cstr(&name)) == 0) {
			*out = v->text;
			buf_finish(&name);
			return true;
		}
	}
	err_set(err, "E-TEST", "no value for %s", buf_cstr(&name));
	buf_finish(&name);
	return false;
}

static inline bool bench_json(void *ctx, const struct ref *ref, str *out, struct err *err)
{
	struct bench *bench = ctx;
	str text;
	if (!bench_text(ctx, ref, &text, err))
		return false;
	struct buf json = {0};
	bind_payload(&json, BIND_JSON, text);
	*out = arena_str(&bench->arena, buf_str(&json));
	buf_finish(&json);
	return true;
}

static inline void bench_on_output(void *arg, int32_t stream, str bytes)
{
	struct bench *bench = arg;
	buf_add(stream == PAWL_STDOUT ? &bench->out : &bench->errs, bytes);
}

static inline void bench_on_emit(void *arg, str name, str value)
{
	buf_printf(&((struct bench *)arg)->said, "emit %.*s=%.*s\n", STR_ARG(name), STR_ARG(value));
}

static inline void bench_on_artifact(void *arg, str name, const char *path)
{
	buf_printf(&((struct bench *)arg)->said, "artifact %.*s=%s\n", STR_ARG(name), path);
}

static inline void bench_on_log(void *arg, int32_t level, str text)
{
	buf_printf(&((struct bench *)arg)->log, "%d %.*s\n", level, STR_ARG(text));
}

static inline void bench_on_progress(void *arg, double fraction, str text)
{
	buf_printf(&((struct bench *)arg)->said, "progress %.2f %.*s\n", fraction, STR_ARG(text));
}

static inline char *bench_copy(const char *text)
{
	return text ? mem_dup(text, strlen(text)) : NULL;
}

static inline void bench_on_finished(void *arg, const struct host_outcome *outcome)
{
	struct bench *bench = arg;
	bench->outcome = *outcome;
	bench->outcome.err = NULL;
	bench->code = bench_copy(outcome->err->code);
	bench->message = bench_copy(outcome->err->message);
	bench->help = bench_copy(outcome->err->help);
	bench->at = outcome->err->at;
	bench->finished++;
	bench->world->quit(bench->world->ctx);
}

static inline struct host_events bench_events(struct bench *bench)
{
	return (struct host_events){
		.arg = bench,
		.output = bench_on_output,
		.emit = bench_on_emit,
		.artifact = bench_on_artifact,
		.log = bench_on_log,
		.progress = bench_on_progress,
		.finished = bench_on_finished,
	};
}

/* `plugins`: the directory to find them in. */
static inline void bench_open(struct bench *bench, const char *plugins)
{
	*bench = (struct bench){.grace_ms = 300};
	struct err err = {0};
	bench->loop = loop_create(&err);
	if (!bench->loop)
		fail_msg("no loop: %s", err.message);
	bench->world = loop_world(bench->loop);
	struct types_options options = {.builtin_path = plugins};
	bench->types = types_create(&options);
	snprintf(bench->root, sizeof(bench->root), "/tmp/pawl-plug-XXXXXX");
	assert_non_null(mkdtemp(bench->root));
}

static inline void bench_forget(struct bench *bench)
{
	buf_finish(&bench->out);
	buf_finish(&bench->errs);
	buf_finish(&bench->log);
	buf_finish(&bench->said);
	free(bench->code);
	free(bench->message);
	free(bench->help);
	bench->code = bench->message = bench->help = NULL;
	bench->finished = 0;
}

static inline void bench_unload(struct bench *bench)
{
	host_node_destroy(bench->node);
	bench->node = NULL;
	workflow_destroy(bench->workflow);
	bench->workflow = NULL;
	diags_finish(&bench->diags);
	arena_finish(&bench->arena);
	bench->arena = (struct arena){0};
	bench_forget(bench);
}

static inline void bench_close(struct bench *bench)
{
	bench_unload(bench);
	types_destroy(bench->types);
	loop_destroy(bench->loop, 100);
	char command[128];
	snprintf(command, sizeof(command), "rm -rf '%s'", bench->root);
	assert_int_equal(system(command), 0);
}

/* Loads the text; its last node is the one that is looked at.  False where the workflow is wrong (bench->diags). */
static inline bool bench_load(struct bench *bench, const char *text)
{
	bench_unload(bench);
	struct workflow_types types = types_for_workflow(bench->types);
	bench->workflow = workflow_load(str_of(text), "flow.yaml", &types, &bench->diags);
	return bench->workflow != NULL;
}

static inline const struct host_values *bench_values(struct bench *bench)
{
	struct host_values *values = arena_new(&bench->arena, struct host_values);
	*values = (struct host_values){bench, bench_is_node, bench_text, bench_json};
	return values;
}

static inline const char *const *bench_env(struct bench *bench)
{
	static const char *fixed[] = {
		"LANG=C.UTF-8", "HOME=/nonexistent", "PAWL_ATTEMPT_ID=test-1", NULL};
	size_t count = 0;
	while (bench->env && bench->env[count])
		count++;
	const char **env = arena_array(&bench->arena, const char *, count + 8);
	size_t at = 0;
	/* First, where they are looked for first. */
	for (size_t i = 0; i < count; i++)
		env[at++] = bench->env[i];
	env[at++] = arena_printf(&bench->arena, "PATH=%s", getenv("PATH"));
	env[at++] = arena_printf(&bench->arena, "ARTIFACTS_DIR=%s", bench->root);
	for (size_t i = 0; fixed[i]; i++)
		env[at++] = fixed[i];
	return env;
}

/* A pawl_node for the last node of the workflow. */
static inline struct pawl_node *bench_node(
	struct bench *bench, const struct bench_value *values, bool is_run)
{
	host_node_destroy(bench->node);
	bench->values = values;
	const struct node *spec = &bench->workflow->nodes[bench->workflow->node_count - 1];
	struct err err = {0};
	const struct plug_type *type = types_find(bench->types, spec->type, &err);
	if (!type)
		fail_msg("no type: %s", err.message);
	struct host_node_init init = {
		.workflow = bench->workflow,
		.node = spec,
		.type = type,
		.values = is_run ? bench_values(bench) : NULL,
		.env = is_run ? bench_env(bench) : NULL,
		.cwd = bench->root,
		.project = bench->root,
		.temp_root = bench->root,
		.marker = "PAWL_ATTEMPT_ID=test-1",
		.world = bench->world,
		.store = bench->store,
		.grace_ms = bench->grace_ms,
	};
	bench->node = host_node_create(&init);
	return bench->node;
}

static inline bool bench_validate(struct bench *bench)
{
	bench_node(bench, NULL, false);
	return host_validate(bench->node, &bench->diags);
}

static inline void bench_run(struct bench *bench, const struct bench_value *values)
{
	bench_forget(bench);
	bench_node(bench, values, true);
	struct host_events events = bench_events(bench);
	host_start(bench->node, &events);
	bench->world->run(bench->world->ctx);
	assert_int_equal(bench->finished, 1);
}

/* Loads, validates and runs; every problem on the way fails the test. */
static inline void bench_do(struct bench *bench, const char *text, const struct bench_value *values)
{
	if (!bench_load(bench, text) || !bench_validate(bench)) {
		for (size_t i = 0; i < bench->diags.list.len; i++)
			print_error("%u:%u %s %s\n", bench->diags.list.ptr[i].at.line,
				bench->diags.list.ptr[i].at.col, bench->diags.list.ptr[i].code,
				bench->diags.list.ptr[i].message);
		fail_msg("the workflow is wrong");
	}
	bench_run(bench, values);
}

/* Writes a file of the project, a line feed behind the text. */
static inline void bench_write(struct bench *bench, const char *path, const char *text)
{
	struct buf command = {0};
	buf_printf(&command, "cd '%s' && mkdir -p \"$(dirname '%s')\"", bench->root, path);
	assert_int_equal(system(buf_cstr(&command)), 0);
	buf_clear(&command);
	buf_printf(&command, "%s/%s", bench->root, path);
	FILE *file = fopen(buf_cstr(&command), "we");
	buf_finish(&command);
	assert_non_null(file);
	fprintf(file, "%s\n", text);
	fclose(file);
}

static inline void bench_assert_ok(struct bench *bench)
{
	if (bench->outcome.status != PAWL_OK)
		fail_msg("status %d (%s: %s)\nstderr: %s\nlog: %s", bench->outcome.status,
			bench->code ? bench->code : "", bench->message ? bench->message : "",
			buf_cstr(&bench->errs), buf_cstr(&bench->log));
}

static inline void bench_assert_has(const char *text, const char *part)
{
	if (!text || !strstr(text, part))
		fail_msg("\"%s\" is not in \"%s\"", part, text ? text : "(null)");
}

#endif
