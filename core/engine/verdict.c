/* verdict: see verdict.h and docs/resume.md. */
#include "engine/verdict.h"

#include "engine/history.h"
#include "engine/internal.h"
#include "engine/rules.h"
#include "engine/sources.h"

/* What a verdict is on. */
struct accused {
	str workflow;
	str node;
	const struct produced *out;
};

static bool has_verdict(struct attempt *attempt, const struct accused *on, enum verdict_kind kind)
{
	struct verdict_list list = {0};
	if (!verdicts_on(attempt->engine->store, &attempt->arena, on->workflow, on->node,
		    &on->out->output, on->out->has_manifest ? &on->out->manifest : NULL, &list,
		    NULL))
		return false;
	for (size_t i = 0; i < list.len; i++) {
		if (list.ptr[i].kind == kind)
			return true;
	}
	return false;
}

static void add(struct attempt *attempt, enum verdict_kind kind, const struct accused *on,
	const char *reason)
{
	struct engine *engine = attempt->engine;
	struct verdict_row row = {.kind = kind,
		.workflow = on->workflow,
		.node = on->node,
		.output = on->out->output,
		.result = on->out->result,
		.run = engine->row.id,
		.by = STR("pawl"),
		.reason = str_of(reason),
		.at_ms = engine->world->wall_ms(engine->world->ctx),
		.automatic = true};
	if (on->out->has_manifest)
		row.manifest = on->out->manifest;
	verdicts_add(engine->store, &row, NULL, NULL);
}

static void suspect(struct attempt *attempt, const struct accused *on, const char *reason)
{
	if (has_verdict(attempt, on, VERDICT_EXONERATED) ||
		has_verdict(attempt, on, VERDICT_SUSPECT) ||
		has_verdict(attempt, on, VERDICT_QUARANTINED))
		return;
	add(attempt, VERDICT_SUSPECT, on, reason);
}

static void note_consumed(struct attempt *attempt, bool passed)
{
	struct engine *engine = attempt->engine;
	struct sources sources = sources_consumed(attempt);
	for (size_t i = 0; i < sources.count; i++) {
		if (sources.ptr[i].out.result)
			results_consumed(engine->store, sources.ptr[i].out.result, engine->row.id,
				attempt->unit->node->id, passed, NULL);
	}
}

static void suspect_reused(struct attempt *attempt)
{
	struct sources all = sources_consumed(attempt);
	const struct source **reused =
		arena_array(&attempt->arena, const struct source *, all.count);
	str *names = arena_array(&attempt->arena, str, all.count);
	bool *marks = arena_array(&attempt->arena, bool, all.count);
	size_t count = 0;
	for (size_t i = 0; i < all.count; i++) {
		if (all.ptr[i].state != NODE_REUSED || !all.ptr[i].out.result)
			continue;
		reused[count] = &all.ptr[i];
		names[count++] = all.ptr[i].name;
	}
	rules_failed(attempt, attempt->has_exit ? attempt->exit.code : -1, attempt->exit.signal,
		names, count, marks);
	for (size_t i = 0; i < count; i++) {
		struct accused on = {reused[i]->workflow, reused[i]->node, &reused[i]->out};
		if (marks[i])
			suspect(attempt, &on,
				arena_printf(&attempt->arena, "%.*s failed on it in run %lld",
					STR_ARG(attempt->unit->node->id),
					(long long)attempt->engine->row.id));
	}
}

void verdict_after_failure(struct attempt *attempt)
{
	note_consumed(attempt, false);
	if (!attempt->engine->options->no_suspect)
		suspect_reused(attempt);
}

static bool parse_digest(const struct value *value, struct digest *out)
{
	return value && value->kind == VALUE_STRING && digest_parse(value->as.text, out);
}

/* An output on which the node failed in that run, itself as it is now: is it another than the one that it has now? */
static void accuse_input(
	struct attempt *attempt, const struct map *sources, const struct value *input, int64_t run)
{
	const struct value *name = value_get(input, STR("node"));
	struct produced then = {.emits = STR("")};
	if (!name || name->kind != VALUE_STRING ||
		!parse_digest(value_get(input, STR("output")), &then.output))
		return;
	then.has_manifest = parse_digest(value_get(input, STR("artifacts")), &then.manifest);
	const struct source *now = map_get(sources, name->as.text);
	if (!now)
		return;
	bool same = digest_eq(&now->out.output, &then.output) &&
	            now->out.has_manifest == then.has_manifest &&
	            (!now->out.has_manifest || digest_eq(&now->out.manifest, &then.manifest));
	struct accused on = {now->workflow, now->node, &then};
	if (!same)
		suspect(attempt, &on,
			arena_printf(&attempt->arena,
				"%.*s failed on it in run %lld and passed on another",
				STR_ARG(attempt->unit->node->id), (long long)run));
}

/* Inputs on which this very node failed since it last passed, and which are others now. */
static void accuse_earlier_inputs(struct attempt *attempt)
{
	history_load(attempt);
	size_t count = history_count(attempt->failed);
	struct sources consumed = count ? sources_consumed(attempt) : (struct sources){0};
	struct map sources = {0};
	for (size_t i = 0; i < consumed.count; i++)
		map_put(&sources, consumed.ptr[i].name, (void *)(uintptr_t)&consumed.ptr[i]);
	for (size_t i = 0; i < count; i++) {
		struct past_failure past = history_at(attempt->failed, i);
		struct digest own;
		if (!digest_parse(past.own, &own) || !digest_eq(&own, &attempt->own) ||
			!past.inputs || past.inputs->kind != VALUE_LIST)
			continue;
		for (size_t k = 0; k < past.inputs->as.list.count; k++)
			accuse_input(attempt, &sources, &past.inputs->as.list.items[k], past.run);
	}
	map_finish(&sources);
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
	struct produced old = {.output = then->output,
		.manifest = then->manifest,
		.has_output = true,
		.has_manifest = then->has_manifest,
		.result = then->id,
		.emits = STR("")};
	bool same = digest_eq(&now->output, &then->output) &&
	            now->has_manifest == then->has_manifest &&
	            (!now->has_manifest || digest_eq(&now->manifest, &then->manifest));
	struct accused on = {attempt->engine->workflow->name, attempt->unit->node->id, &old};
	release_suspicion(attempt, &old);
	if (same) {
		add(attempt, VERDICT_EXONERATED, &on, "run again, it gave the same output");
		tell(attempt, EVENT_NOTE,
			STR("it gave the same output again: the fault is not in it"));
		return;
	}
	add(attempt, VERDICT_QUARANTINED, &on,
		"run again after a consumer failed on it, it gave another output");
	tell(attempt, EVENT_NOTE,
		str_of(arena_printf(&attempt->arena,
			"it gave another output: the one of run %lld is quarantined",
			(long long)then->run)));
}

void verdict_after_success(struct attempt *attempt)
{
	note_consumed(attempt, true);
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
