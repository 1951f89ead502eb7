/* lookup: gathers for decide() what the store and the file system have to say of a node: the results under its key, whether
 * their traces hold, verdicts on them, and, where there is none, what changed since the newest one. */
#include "engine/internal.h"

#include "engine/contract.h"
#include "engine/cutoff.h"
#include "engine/history.h"
#include "engine/rules.h"
#include "sys/clock.h"

static bool belongs(struct attempt *attempt, int64_t result)
{
	struct engine *engine = attempt->engine;
	bool yes = false;
	if (engine->options->resume)
		results_belongs(engine->store, result, engine->row.id, &yes, NULL);
	/* A run that continues another may itself have been continued: the whole line counts. */
	int64_t run = engine->row.continues;
	for (unsigned depth = 0; !yes && run && depth < 1000; depth++) {
		struct run_row row = {0};
		bool found = false;
		results_belongs(engine->store, result, run, &yes, NULL);
		if (yes || !runs_get(engine->store, &attempt->arena, run, &row, &found, NULL) ||
			!found)
			break;
		run = row.continues;
	}
	return yes;
}

static const struct verdict_row *find_verdict(
	const struct verdict_list *list, enum verdict_kind kind)
{
	for (size_t i = 0; i < list->len; i++) {
		if (list->ptr[i].kind == kind)
			return &list->ptr[i];
	}
	return NULL;
}

static void add_verdicts(struct attempt *attempt, struct candidate *c)
{
	struct engine *engine = attempt->engine;
	struct verdict_list list = {0};
	if (!verdicts_on(engine->store, &attempt->arena, engine->workflow->name,
		    attempt->unit->node->id, &c->row->output,
		    c->row->has_manifest ? &c->row->manifest : NULL, &list, NULL) ||
		list.damaged)
		c->is_unjudged = true;
	c->refusal = find_verdict(&list, VERDICT_QUARANTINED);
	if (!engine->options->no_suspect)
		c->suspect = find_verdict(&list, VERDICT_SUSPECT);
}

static void examine(struct attempt *attempt, const struct decide_input *in,
	const struct result_row *row, struct candidate *c)
{
	struct fact_place place;
	struct trace trace = {0};
	attempt_fact_place(attempt, &place);
	*c = (struct candidate){.row = row,
		.contract = STR(""),
		.output_gone = STR(""),
		.output_other = STR(""),
		.loose = STR(""),
		.policy = STR("")};
	if (row->id <= in->forced_before.result || row->id <= in->off_before.result)
		return; /* nothing else matters */
	if (!row->provable)
		c->belongs = attempt->unit->is_given || belongs(attempt, row->id);
	if (!trace_parse(row->trace, &trace)) {
		c->is_damaged = true;
		trace_finish(&trace);
		return;
	}
	struct broken_fact *broken = arena_new(&attempt->arena, struct broken_fact);
	if (facts_find_broken(&place, &attempt->arena, &trace, broken)) {
		c->broken = broken;
	} else {
		add_verdicts(attempt, c);
		c->is_damaged = !cas_has(attempt->engine->store, &row->output, true);
		restore_check(attempt, &trace, c);
		if (!c->is_damaged)
			c->contract = contract_recheck(attempt, row);
		if (!c->refusal && !c->is_damaged && !c->is_unjudged)
			c->policy = rules_reuse(attempt, row);
	}
	trace_finish(&trace);
}

/* Newest first, up to the first that decide() would take. */
static void add_candidates(struct attempt *attempt, struct decide_input *in)
{
	struct engine *engine = attempt->engine;
	struct result_list list = {0};
	if (!results_find(engine->store, &attempt->arena, engine->workflow->name,
		    attempt->unit->node->id, &attempt->digest, &list, NULL) ||
		!list.len)
		return;
	struct candidate *candidates = arena_array(&attempt->arena, struct candidate, list.len);
	struct arena scratch = {0};
	in->candidates = candidates;
	in->forced_before = cutoff_forced(engine, attempt->unit);
	if (!attempt->unit->is_given && !engine->options->is_given)
		in->off_before = engine->off_before;
	for (size_t i = 0; i < list.len; i++) {
		examine(attempt, in, &list.ptr[i], &candidates[i]);
		/* The damaged verdict is gone once it was read, and what it was on nobody knows. */
		if (i && candidates[i - 1].is_unjudged)
			candidates[i].is_unjudged = true;
		in->candidate_count++;
		/* The last one is decided on by the caller. */
		if (i + 1 < list.len && decide(&scratch, in).action == ACTION_REUSE)
			break;
	}
	arena_finish(&scratch);
}

/* A recorded error, "CODE: message" and help below it, as it stands in a sentence. */
static str sentence_of(str error)
{
	str line = STR("");
	str_line(&error, &line);
	size_t colon = str_find(line, STR(": "), 0);
	if (!line.len)
		return STR("it could not run");
	return colon == SIZE_MAX ? line : str_slice(line, colon + 2, line.len);
}

/* What became of it last: its newest row, or a failure that a skipped row carries on. */
static void add_last(struct attempt *attempt, struct decide_input *in)
{
	struct arena *arena = &attempt->arena;
	const struct node_row *last = &attempt->last;
	struct digest key;
	history_load(attempt);
	in->last_has_key = digest_parse(last->key, &key) && digest_eq(&key, &attempt->digest);
	if (last->state == NODE_COMPLETED) {
		const struct value *why =
			value_get(json_parse(arena, last->extra, NULL), STR("not_stored"));
		bool is_said = why && why->kind == VALUE_STRING;
		in->not_stored = is_said ? why->as.text : STR("");
		in->not_stored_run = last->run;
	} else if (last->state == NODE_FAILED) {
		in->failed_run = last->run;
		in->failed_how =
			str_of(arena_printf(arena, last->signal ? "signal %lld" : "exit %lld",
				(long long)(last->signal ? last->signal : last->exit_code)));
		if (!last->signal && last->exit_code <= 0)
			in->failed_how = sentence_of(last->error);
	} else if (history_count(attempt->failed)) {
		struct past_failure past = history_at(attempt->failed, 0);
		in->failed_run = past.run;
		in->failed_how = past.how;
	}
}

/* Why there is nothing under this key. */
static void add_history(struct attempt *attempt, struct decide_input *in)
{
	struct engine *engine = attempt->engine;
	struct arena *arena = &attempt->arena;
	str workflow = engine->workflow->name;
	str node = attempt->unit->node->id;
	struct result_row *newest = arena_new(arena, struct result_row);
	bool found = false;
	add_last(attempt, in);
	if (!results_newest(engine->store, arena, workflow, node, newest, &found, NULL) || !found)
		return;
	in->newest = newest;
	if (!digest_eq(&newest->key, &attempt->digest)) {
		struct key_parts then = {0};
		struct key_parts now = {0};
		struct key_changes *changes = arena_new(arena, struct key_changes);
		if (key_parse(arena, newest->transcript, &then) &&
			key_parse(arena, buf_str(&attempt->key.text), &now))
			*changes = key_diff(arena, &then, &now);
		in->changes = changes;
		return;
	}
	struct verdict_list list = {0};
	if (newest->dropped &&
		verdicts_on(engine->store, arena, workflow, node, &newest->output,
			newest->has_manifest ? &newest->manifest : NULL, &list, NULL))
		in->invalidated = find_verdict(&list, VERDICT_INVALIDATED);
}

/* What of the run and the node decides. */
static struct decide_input input_of(struct attempt *attempt)
{
	const struct engine *engine = attempt->engine;
	const struct engine_options *options = engine->options;
	struct moved above = upstream_newest(engine, attempt->unit);
	return (struct decide_input){
		.above_made = above.made,
		.above_name = above.name,
		.forced = unit_is_forced(engine, attempt->unit),
		.no_resume = options->reuse == REUSE_OFF && !attempt->unit->is_given,
		.continuing = options->resume || options->continues || attempt->unit->is_given,
		.now_ms = engine->world->wall_ms(engine->world->ctx),
		.always_run = attempt->unit->node->always_run,
		.ttl_ms = attempt->unit->node->ttl_ms,
		.words = STR(""),
		.failed_how = STR(""),
		.not_stored = STR(""),
	};
}

static void settle(struct attempt *attempt)
{
	attempt->decision = decide(&attempt->arena, &attempt->input);
	const struct decision *decision = &attempt->decision;
	const struct result_row *row =
		decision->has_candidate ? attempt->input.candidates[decision->candidate].row : NULL;
	attempt->is_suspect_rerun = decision->reason == REASON_SUSPECT && row;
	attempt->suspected = attempt->is_suspect_rerun ? row : NULL;
	attempt->reused = decision->action == ACTION_REUSE ? row : NULL;
	attempt->refused = decision->action == ACTION_RUN ? row : NULL;
}

void lookup_decide_uncertain(struct attempt *attempt, uint64_t iteration)
{
	const struct engine *engine = attempt->engine;
	const struct node *node = attempt->unit->node;
	struct result_row newest;
	bool found = true;
	bool is_control = node->control != CONTROL_NONE || node->fan_out;
	attempt->input = input_of(attempt);
	if (is_control)
		attempt->input.forced = attempt->input.no_resume =
			false; /* it is what it holds that is */
	attempt->input.open_iteration = iteration;
	attempt->input.is_optional = attempt->unit->is_optional;
	attempt->input.uncertain =
		is_control || iteration ||
		!results_newest(engine->store, &attempt->arena, engine->workflow->name, node->id,
			&newest, &found, NULL) ||
		found;
	if (!attempt->input.uncertain)
		add_last(attempt, &attempt->input);
	settle(attempt);
}

void lookup_decide(struct attempt *attempt, enum host_key_status status, str words)
{
	struct decide_input *in = &attempt->input;
	*in = input_of(attempt);
	in->not_cacheable = status == HOST_KEY_NOT_CACHEABLE;
	in->key_incomplete = status == HOST_KEY_FAILED;
	in->words = words;
	if (attempt->has_key && !in->forced && !in->no_resume && !in->always_run) {
		add_candidates(attempt, in);
		if (!in->candidate_count)
			add_history(attempt, in);
	}
	settle(attempt);
}

void lookup_unrestorable(struct attempt *attempt, str why)
{
	const struct decide_input *in = &attempt->input;
	struct candidate *candidates =
		arena_array(&attempt->arena, struct candidate, in->candidate_count);
	memcpy(candidates, in->candidates, in->candidate_count * sizeof(*candidates));
	candidates[attempt->decision.candidate].unrestorable = arena_str(&attempt->arena, why);
	attempt->input.candidates = candidates;
	settle(attempt);
}

void lookup_restored(struct attempt *attempt, const struct restored *restored)
{
	attempt->input.restored = *restored;
	settle(attempt);
}

void lookup_has_twin(struct attempt *attempt)
{
	attempt->input.has_twin = true;
	settle(attempt);
}

void lookup_to_compare(struct attempt *attempt)
{
	attempt->input.to_compare = true;
	settle(attempt);
}
