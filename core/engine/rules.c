/* rules: see rules.h. */
#include "engine/rules.h"

#include "base/mem.h"
#include "engine/internal.h"
#include "engine/policy_stored.h"

#include <stdlib.h>

struct rules {
	struct policies *policies;
	VEC(struct policy *) run; /* of the project and the workflow: for every node */
	struct map by_file;       /* of nodes: file -> struct policy * */
};

static bool load_file(struct rules *rules, str file, struct policy **out, struct err *err)
{
	struct diags diags = {0};
	*out = policies_load(rules->policies, file, &diags);
	if (!*out && diags.list.len) {
		struct err *first = &diags.list.ptr[0];
		err_set(err, first->code, "%s", first->message);
		if (first->help)
			err_help(err, "%s", first->help);
		else if (diags.list.len > 1)
			err_help(err, "all %zu problems of the file: pawl policy test %.*s",
				diags.list.len, STR_ARG(file));
		/* By the name that the workflow has for it, which stays. */
		err->at = first->at;
		err->at.file = file.ptr;
	} else if (!*out) {
		err_set(err, "E-POLICY-LOAD", "%.*s can't be used", STR_ARG(file));
	}
	diags_finish(&diags);
	return *out != NULL;
}

static bool load_all(struct rules *rules, struct engine *engine, struct err *err)
{
	const struct strs *lists[] = {&engine->options->policies, &engine->workflow->policies};
	struct policy *policy = NULL;
	for (size_t l = 0; l < 2; l++) {
		for (size_t i = 0; i < lists[l]->len; i++) {
			if (!load_file(rules, lists[l]->ptr[i], &policy, err))
				return false;
			*vec_push(&rules->run) = policy;
		}
	}
	for (uint32_t n = 0; n < engine->workflow->node_count; n++) {
		const struct strs *files = &engine->workflow->nodes[n].policies;
		for (size_t i = 0; i < files->len; i++) {
			if (map_get(&rules->by_file, files->ptr[i]))
				continue;
			if (!load_file(rules, files->ptr[i], &policy, err))
				return false;
			map_put(&rules->by_file, files->ptr[i], policy);
		}
	}
	return true;
}

static bool any(const struct engine *engine)
{
	bool found = engine->options->policies.len || engine->workflow->policies.len;
	for (uint32_t n = 0; !found && n < engine->workflow->node_count; n++)
		found = engine->workflow->nodes[n].policies.len > 0;
	return found;
}

struct rules *rules_load(struct engine *engine, struct err *err)
{
	if (!any(engine))
		return NULL;
	struct rules *rules = mem_zalloc(sizeof(*rules));
	struct policy_env env = {.project_fd = store_project_fd(engine->store),
		.environment = engine->options->environment,
		.now_ms = engine->world->wall_ms(engine->world->ctx)};
	rules->policies = policies_create(&env);
	if (load_all(rules, engine, err))
		return rules;
	rules_destroy(rules);
	return NULL;
}

void rules_destroy(struct rules *rules)
{
	if (!rules)
		return;
	policies_destroy(rules->policies);
	vec_finish(&rules->run);
	map_finish(&rules->by_file);
	free(rules);
}

/* The i-th policy of a node: those of the run first; NULL behind the last. */
static struct policy *policy_of(const struct rules *rules, const struct node *node, size_t i)
{
	if (i < rules->run.len)
		return rules->run.ptr[i];
	i -= rules->run.len;
	return i < node->policies.len ? map_get(&rules->by_file, node->policies.ptr[i]) : NULL;
}

static struct policy_node describe(const struct attempt *attempt)
{
	struct policy_node described;
	policy_node_of(attempt->engine->workflow, attempt->unit->node, &described);
	return described;
}

bool rules_key(struct attempt *attempt, struct key *key, struct err *err)
{
	const struct rules *rules = attempt->engine->rules;
	const struct node *node = attempt->unit->node;
	struct policy_node described = describe(attempt);
	struct policy *policy = NULL;
	for (size_t i = 0; rules && (policy = policy_of(rules, node, i)); i++) {
		if (policy_has(policy, POLICY_KEY) && !policy_key(policy, &described, key, err))
			return false;
	}
	return true;
}

str rules_reuse(struct attempt *attempt, const struct result_row *row)
{
	const struct rules *rules = attempt->engine->rules;
	const struct node *node = attempt->unit->node;
	struct policy_node described = describe(attempt);
	struct policy_stored stored;
	struct policy *policy = NULL;
	str sentence = STR("");
	if (!rules)
		return sentence;
	int64_t now = attempt->engine->world->wall_ms(attempt->engine->world->ctx);
	policies_set_now(rules->policies, now);
	policy_stored_init(&stored, attempt->engine->store, &attempt->arena, row, now);
	for (size_t i = 0; (policy = policy_of(rules, node, i)); i++) {
		if (policy_has(policy, POLICY_REUSE) &&
			!policy_reuse(
				policy, &described, &stored.result, &attempt->arena, &sentence))
			return sentence;
	}
	return STR("");
}

void rules_failed(struct attempt *attempt, int64_t exit_code, int64_t signal, const str *inputs,
	size_t count, bool *suspect)
{
	const struct rules *rules = attempt->engine->rules;
	struct policy_node described = describe(attempt);
	struct policy *policy = NULL;
	struct buf tail = {0};
	struct err err = {0};
	for (size_t i = 0; i < count; i++)
		suspect[i] = true;
	if (!rules || !count)
		return;
	uint64_t size = 0;
	if (attempt->has_log)
		cas_get_tail(
			attempt->engine->store, &attempt->log_digest, 65536, &tail, &size, NULL);
	struct policy_failure failure = {.stderr_tail = buf_str(&tail),
		.exit_code = exit_code,
		.signal = signal,
		.run = attempt->engine->row.id,
		.reused_inputs = inputs,
		.reused_count = count};
	for (size_t i = 0; (policy = policy_of(rules, attempt->unit->node, i)); i++) {
		if (policy_has(policy, POLICY_FAILED) &&
			!policy_failed(policy, &described, &failure, suspect, &err)) {
			tell(attempt, EVENT_NOTE,
				str_of(arena_printf(&attempt->arena, "%s", err.message)));
			err_finish(&err);
		}
	}
	buf_finish(&tail);
}
