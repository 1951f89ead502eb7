/* verdict: see verdict.h and docs/resume.md. */
#include "engine/verdict.h"

#include "engine/history.h"
#include "engine/internal.h"
#include "engine/rules.h"

static bool has_verdict(struct attempt *attempt, str node, const struct digest *output,
	const struct digest *manifest, enum verdict_kind kind)
{
	struct verdict_list list = {0};
	struct engine *engine = attempt->engine;
	if (!verdicts_on(engine->store, &attempt->arena, engine->workflow->name, node, output,
		    manifest, &list, NULL))
		return false;
	for (size_t i = 0; i < list.len; i++) {
		if (list.ptr[i].kind == kind)
			return true;
	}
	return false;
}

static void add(struct attempt *attempt, enum verdict_kind kind, str node,
	const struct produced *on, const char *reason)
{
	struct engine *engine = attempt->engine;
	struct verdict_row row = {.kind = kind,
		.workflow = engine->workflow->name,
		.node = node,
		.output = on->output,
		.result = on->result,
		.run = engine->row.id,
		.by = STR("pawl"),
		.reason = str_of(reason),
		.at_ms = engine->world->wall_ms(engine->world->ctx),
		.automatic = true};
	if (on->has_manifest)
		row.manifest = on->manifest;
	verdicts_add(engine->store, &row, NULL, NULL);
}

static void suspect(
	struct attempt *attempt, str node, const struct produced *on, const char *reason)
{
	const struct digest *manifest = on->has_manifest ? &on->manifest : NULL;
	if (has_verdict(attempt, node, &on->output, manifest, VERDICT_EXONERATED) ||
		has_verdict(attempt, node, &on->output, manifest, VERDICT_SUSPECT) ||
		has_verdict(attempt, node, &on->output, manifest, VERDICT_QUARANTINED))
		return;
	add(attempt, VERDICT_SUSPECT, node, on, reason);
}

static void each_input(
	struct attempt *attempt, void (*fn)(struct attempt *attempt, const struct unit *dep))
{
	const struct node *node = attempt->unit->node;
	for (uint32_t d = 0; d < node->dep_count; d++)
		fn(attempt, &attempt->engine->units[node->deps[d]]);
	for (uint32_t r = 0; r < node->ref_count; r++)
		fn(attempt, &attempt->engine->units[node->refs[r]]);
}

static void note_failed(struct attempt *attempt, const struct unit *dep)
{
	struct engine *engine = attempt->engine;
	if (!dep->out.result)
		return;
	results_consumed(engine->store, dep->out.result, engine->row.id, attempt->unit->node->id,
		false, NULL);
}

static void suspect_reused(struct attempt *attempt)
{
	struct engine *engine = attempt->engine;
	const struct node *node = attempt->unit->node;
	size_t most = (size_t)node->dep_count + node->ref_count;
	const struct unit **units = arena_array(&attempt->arena, const struct unit *, most);
	str *names = arena_array(&attempt->arena, str, most);
	bool *marks = arena_array(&attempt->arena, bool, most);
	size_t count = 0;
	for (size_t i = 0; i < most; i++) {
		uint32_t index =
			i < node->dep_count ? node->deps[i] : node->refs[i - node->dep_count];
		const struct unit *dep = &engine->units[index];
		if (dep->state != NODE_REUSED || !dep->out.result)
			continue;
		units[count] = dep;
		names[count++] = dep->node->id;
	}
	rules_failed(attempt, attempt->has_exit ? attempt->exit.code : -1, attempt->exit.signal,
		names, count, marks);
	for (size_t i = 0; i < count; i++) {
		if (marks[i])
			suspect(attempt, names[i], &units[i]->out,
				arena_printf(&attempt->arena, "%.*s failed on it in run %lld",
					STR_ARG(node->id), (long long)engine->row.id));
	}
}

static void note_passed(struct attempt *attempt, const struct unit *dep)
{
	struct engine *engine = attempt->engine;
	if (dep->out.result)
		results_consumed(engine->store, dep->out.result, engine->row.id,
			attempt->unit->node->id, true, NULL);
}

void verdict_after_failure(struct attempt *attempt)
{
	each_input(attempt, note_failed);
	if (!attempt->engine->options->no_suspect)
		suspect_reused(attempt);
}

static bool parse_digest(const struct value *value, struct digest *out)
{
	return value && value->kind == VALUE_STRING && digest_parse(value->as.text, out);
}

/* An output on which the node failed in that run, itself as it is now: is it another than the one that it has now? */
static void accuse_input(struct attempt *attempt, const struct value *input, int64_t run)
{
	const struct value *name = value_get(input, STR("node"));
	struct produced then = {.emits = STR("")};
	if (!name || name->kind != VALUE_STRING ||
		!parse_digest(value_get(input, STR("output")), &then.output))
		return;
	then.has_manifest = parse_digest(value_get(input, STR("artifacts")), &then.manifest);
	const struct node *node = workflow_find(attempt->engine->workflow, name->as.text);
	const struct produced *now = node ? &attempt->engine->units[node->index].out : NULL;
	if (!now || !now->has_output)
		return;
	bool same = digest_eq(&now->output, &then.output) &&
	            now->has_manifest == then.has_manifest &&
	            (!now->has_manifest || digest_eq(&now->manifest, &then.manifest));
	if (!same)
		suspect(attempt, node->id, &then,
			arena_printf(&attempt->arena,
				"%.*s failed on it in run %lld and passed on another",
				STR_ARG(attempt->unit->node->id), (long long)run));
}

/* Inputs on which this very node failed since it last passed, and which are others now. */
static void accuse_earlier_inputs(struct attempt *attempt)
{
	history_load(attempt);
	for (size_t i = 0; i < history_count(attempt->failed); i++) {
		struct past_failure past = history_at(attempt->failed, i);
		struct digest own;
		if (!digest_parse(past.own, &own) || !digest_eq(&own, &attempt->own) ||
			!past.inputs || past.inputs->kind != VALUE_LIST)
			continue;
		for (size_t k = 0; k < past.inputs->as.list.count; k++)
			accuse_input(attempt, &past.inputs->as.list.items[k], past.run);
	}
}

/* Of this output only: others of the node may be under suspicion too. */
static void release_suspicion(struct attempt *attempt, const struct produced *on)
{
	struct engine *engine = attempt->engine;
	struct verdict_list list = {0};
	if (!verdicts_on(engine->store, &attempt->arena, engine->workflow->name,
		    attempt->unit->node->id, &on->output, on->has_manifest ? &on->manifest : NULL,
		    &list, NULL))
		return;
	for (size_t i = 0; i < list.len; i++) {
		if (list.ptr[i].kind == VERDICT_SUSPECT)
			verdicts_release(engine->store, list.ptr[i].id,
				engine->world->wall_ms(engine->world->ctx), NULL);
	}
}

/* A suspect's second chance is over. */
static void judge_suspect(struct attempt *attempt)
{
	const struct result_row *then = attempt->suspected;
	const struct produced *now = &attempt->unit->out;
	str node = attempt->unit->node->id;
	struct produced old = {.output = then->output,
		.manifest = then->manifest,
		.has_output = true,
		.has_manifest = then->has_manifest,
		.result = then->id,
		.emits = STR("")};
	bool same = digest_eq(&now->output, &then->output) &&
	            now->has_manifest == then->has_manifest &&
	            (!now->has_manifest || digest_eq(&now->manifest, &then->manifest));
	release_suspicion(attempt, &old);
	if (same) {
		add(attempt, VERDICT_EXONERATED, node, &old, "run again, it gave the same output");
		tell(attempt, EVENT_NOTE,
			STR("it gave the same output again: the fault is not in it"));
		return;
	}
	add(attempt, VERDICT_QUARANTINED, node, &old,
		"run again after a consumer failed on it, it gave another output");
	tell(attempt, EVENT_NOTE,
		str_of(arena_printf(&attempt->arena,
			"it gave another output: the one of run %lld is quarantined",
			(long long)then->run)));
}

void verdict_after_success(struct attempt *attempt)
{
	each_input(attempt, note_passed);
	if (attempt->is_suspect_rerun)
		judge_suspect(attempt);
	if (!attempt->engine->options->no_suspect)
		accuse_earlier_inputs(attempt);
}

void verdict_after_reuse(struct attempt *attempt)
{
	if (!attempt->engine->options->no_suspect && !history_is_clean(attempt))
		accuse_earlier_inputs(attempt);
}

bool verdict_allows(struct attempt *attempt, struct err *err)
{
	struct engine *engine = attempt->engine;
	const struct produced *now = &attempt->unit->out;
	str node = attempt->unit->node->id;
	struct verdict_list list = {0};
	if (!verdicts_on(engine->store, &attempt->arena, engine->workflow->name, node, &now->output,
		    now->has_manifest ? &now->manifest : NULL, &list, NULL))
		return true;
	for (size_t i = 0; i < list.len; i++) {
		const struct verdict_row *v = &list.ptr[i];
		if (v->kind != VERDICT_QUARANTINED)
			continue;
		struct buf hex = {0};
		digest_add_hex(&hex, &v->output);
		err_set(err, "E-SAME-BAD-OUTPUT",
			"same bad output again: what it made is quarantined by %.*s: %.*s",
			STR_ARG(v->by), STR_ARG(v->reason));
		err_help(err,
			"mend the node, or, if the output is good after all: pawl release %.12s",
			buf_cstr(&hex));
		buf_finish(&hex);
		return false;
	}
	return true;
}
