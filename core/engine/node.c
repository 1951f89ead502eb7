/* node: one node from ready to running: its trigger rule and condition, the decision, a reuse, the start of a body, retries,
 * timeouts and cancelling.  What comes after the body is in finish.c. */
#include "engine/internal.h"

#include "base/mem.h"
#include "engine/contract.h"
#include "engine/control.h"
#include "engine/twins.h"
#include "engine/verdict.h"
#include "sys/clock.h"

#include <stdlib.h>

static const uint64_t claim_poll_ms = 50;

/* ---- trigger rules ---- */

static struct tally count_deps(const struct engine *engine, const struct node *node)
{
	struct tally t = {0};
	for (uint32_t d = 0; d < node->dep_count; d++) {
		const struct unit *dep = &engine->units[node->deps[d]];
		t.completed += dep->state == NODE_COMPLETED || dep->state == NODE_REUSED;
		t.failed += dep->state == NODE_FAILED;
		t.cancelled += dep->state == NODE_CANCELLED;
		t.skipped += dep->state == NODE_SKIPPED;
		t.skipped_by_failure += dep->state == NODE_SKIPPED && dep->failed_upstream;
	}
	return t;
}

bool node_rule_allows(enum trigger_rule rule, uint32_t total, const struct tally *t, bool *failed)
{
	uint32_t bad = t->failed + t->cancelled + t->skipped_by_failure;
	*failed = bad > 0;
	switch (rule) {
	case RULE_ALL_SUCCESS: return t->completed == total;
	case RULE_ONE_SUCCESS: return t->completed > 0;
	case RULE_NONE_FAILED_MIN_ONE_SUCCESS: return bad == 0 && t->completed > 0;
	case RULE_ALL_DONE: return true;
	}
	return false;
}

static bool check_rule(struct engine *engine, struct unit *unit)
{
	const struct node *node = unit->node;
	struct tally t = count_deps(engine, node);
	bool failed = false;
	if (!node->dep_count || node_rule_allows(node->rule, node->dep_count, &t, &failed))
		return true;
	unit->failed_upstream = failed;
	for (uint32_t d = 0; d < node->dep_count; d++) {
		const struct unit *dep = &engine->units[node->deps[d]];
		bool is_cause = dep->state == NODE_FAILED || dep->state == NODE_CANCELLED ||
		                dep->state == NODE_SKIPPED;
		bool is_bad = dep->state != NODE_SKIPPED || dep->failed_upstream;
		if (!is_cause || (failed && !is_bad))
			continue;
		const char *how = dep->state == NODE_SKIPPED  ? "was skipped"
		                  : dep->state == NODE_FAILED ? "failed"
		                                              : "was cancelled";
		node_skip(engine, unit, failed ? "upstream_failed" : "upstream_skipped",
			str_of(arena_printf(
				&engine->arena, "%.*s %s", STR_ARG(dep->node->id), how)));
		return false;
	}
	node_skip(engine, unit, "trigger_rule", str_of(trigger_rule_name(node->rule)));
	return false;
}

/* ---- deciding ---- */

static struct attempt *attempt_create(struct engine *engine, struct unit *unit)
{
	struct attempt *attempt = mem_zalloc(sizeof(*attempt));
	attempt->engine = engine;
	attempt->unit = unit;
	attempt->scope = unit->node->scope;
	engine->active++;
	attempt->cwd = store_project_path(engine->store);
	if (unit->node->dir.len)
		attempt->cwd = arena_printf(
			&attempt->arena, "%s/%.*s", attempt->cwd, STR_ARG(unit->node->dir));
	unit->attempt = attempt;
	return attempt;
}

void attempt_destroy(struct attempt *attempt)
{
	struct engine *engine = attempt->engine;
	if (attempt->is_claimed)
		store_unclaim(engine->store, &attempt->claim);
	engine->world->timer_stop(engine->world->ctx, attempt->timer);
	live_end(attempt);
	places_end(engine->places, attempt->body, places_tick(engine->places));
	host_node_destroy(attempt->host);
	key_finish(&attempt->key);
	vec_finish(&attempt->plugin_facts.list);
	trace_finish(&attempt->before);
	cas_writer_destroy(attempt->out);
	cas_writer_destroy(attempt->log);
	trace_finish(&attempt->after);
	buf_finish(&attempt->emits);
	buf_finish(&attempt->carry);
	buf_finish(&attempt->held[0]);
	buf_finish(&attempt->held[1]);
	buf_finish(&attempt->check_log);
	attempt->unit->attempt = NULL;
	engine->active -= !attempt->is_passive;
	arena_finish(&attempt->arena);
	free(attempt);
}

void attempt_fact_place(const struct attempt *attempt, struct fact_place *place)
{
	bool found = false;
	str path = environ_get(attempt->env, "PATH", &found);
	*place = (struct fact_place){.store = attempt->engine->store,
		.memo = attempt->engine->memo,
		.path_env = path.ptr,
		.dir = attempt->unit->node->dir,
		.writes = &attempt->unit->node->writes};
}

/* False and the node is skipped, or has failed. */
static bool check_one(
	struct attempt *attempt, const struct when *when, const struct scope *scope, bool may_err)
{
	struct engine *engine = attempt->engine;
	struct unit *unit = attempt->unit;
	struct host_values values;
	struct ref_resolver resolver;
	struct buf explain = {0};
	struct err err = {0};
	bool result = true;
	values_init(attempt, &values, &resolver);
	attempt->scope = scope;
	if (!when_eval(when, &resolver, &result, &explain, &err) && may_err) {
		/* The entries of the include tell it: this one goes by its own rule. */
		err_finish(&err);
		attempt->scope = unit->node->scope;
		result = true;
	} else if (err_is_set(&err)) {
		err_wrap(&err, "when");
		node_fail_early(attempt, &err);
		err_finish(&err);
		result = false;
	} else if (!result) {
		str sentence = arena_str(&engine->arena, buf_str(&explain));
		attempt_destroy(attempt);
		node_skip(engine, unit, "when", sentence);
	} else {
		attempt->scope = unit->node->scope;
	}
	buf_finish(&explain);
	return result;
}

/* The conditions of the includes that it is in, then its own. */
static bool check_when(struct attempt *attempt)
{
	const struct node *node = attempt->unit->node;
	for (const struct gate *gate = node->gates; gate; gate = gate->next) {
		if (!check_one(attempt, gate->when, gate->scope, !gate->is_entry))
			return false;
	}
	return !node->when || check_one(attempt, node->when, node->scope, false);
}

void node_make_host(struct attempt *attempt)
{
	struct engine *engine = attempt->engine;
	struct host_values *values = arena_new(&attempt->arena, struct host_values);
	struct ref_resolver resolver;
	values_init(attempt, values, &resolver);
	struct host_node_init init = {.workflow = engine->workflow,
		.node = attempt->unit->node,
		.type = attempt->unit->type,
		.values = values,
		.env = attempt->env,
		.cwd = attempt->cwd,
		.project = store_project_path(engine->store),
		.temp_root =
			arena_printf(&attempt->arena, "%s/tmp", store_state_path(engine->store)),
		.marker = attempt->marker,
		.world = engine->world,
		.store = engine->store,
		.grace_ms = engine->options->grace_ms};
	attempt->host = host_node_create(&init);
}

/* Fills attempt->decision.  False where the node has failed before it could be decided. */
static bool decide_now(struct attempt *attempt)
{
	struct err err = {0};
	struct buf words = {0};
	if (!environ_build(attempt, &err)) {
		node_fail_early(attempt, &err);
		err_finish(&err);
		return false;
	}
	node_make_host(attempt);
	enum host_key_status status = nodekey_build(attempt, &words);
	lookup_decide(attempt, status, arena_str(&attempt->arena, buf_str(&words)));
	buf_finish(&words);
	return true;
}

static bool reuse_now(struct attempt *attempt)
{
	struct engine *engine = attempt->engine;
	struct unit *unit = attempt->unit;
	const struct result_row *row = attempt->reused;
	struct err err = {0};
	struct restored restored = {0};
	if (!engine->options->plan && !restore_places(attempt, row, &restored, &err)) {
		lookup_unrestorable(attempt, str_of(err.message)); /* and is made again */
		err_finish(&err);
		return false;
	}
	unit->out = (struct produced){.output = row->output,
		.output_size = row->output_size,
		.manifest = row->manifest,
		.has_output = true,
		.has_manifest = row->has_manifest,
		.result = row->id,
		.origin = row->run,
		.made_ms = row->made_ms,
		.emits = arena_str(&engine->arena, row->emits)};
	unit->has_moved = restored.has_replaced;
	unit->is_loose = attempt->decision.has_candidate &&
	                 attempt->input.candidates[attempt->decision.candidate].has_loose;
	/* One that is forced and has its key may put another result in the place of this. */
	unit->is_uncertain = engine->options->plan && twins_has(attempt, true);
	if (engine->options->plan)
		restore_pretend(attempt, row);
	if (restored.files || restored.dirs || restored.removed) {
		engine->has_restored = true;
		fact_memo_forget(engine->memo);
		lookup_restored(attempt, &restored);
	}
	tell(attempt, EVENT_DECIDED, attempt->decision.sentence);
	if (!engine->options->plan && !engine->options->verify) {
		contract_note_met(attempt, row->id);
		results_reused(engine->store, row->id, engine->row.id, NULL);
		verdict_after_reuse(attempt);
		record_node(attempt, NODE_REUSED, NULL, NULL);
	}
	tell(attempt, EVENT_ENDED, attempt->decision.sentence);
	attempt_destroy(attempt);
	engine_unit_ended(engine, unit, NODE_REUSED);
	return true;
}

/* The right to run this key, where another run of this store may be at it.  False: asked again later. */
static void poll_claim(void *arg);

static bool claim(struct attempt *attempt)
{
	struct engine *engine = attempt->engine;
	struct err err = {0};
	/* Only what a second run could reuse is worth waiting for. */
	bool is_shareable = attempt->has_key && unit_knows_reads(attempt->unit) &&
	                    (attempt->refused || attempt->decision.reason > REASON_KEY_INCOMPLETE);
	if (attempt->is_claimed || !is_shareable)
		return true;
	/* The same body in another node is another thing. */
	str name = str_of(arena_printf(&attempt->arena, "%.*s/%.*s",
		STR_ARG(engine->workflow->name), STR_ARG(attempt->unit->node->id)));
	attempt->claim =
		hash_keyed(str_make((const char *)attempt->digest.bytes, DIGEST_SIZE), name);
	enum claim got = store_claim(engine->store, &attempt->claim, &err);
	if (got == CLAIM_FAILED && !engine->has_told_claims) {
		engine->has_told_claims = true;
		tell(attempt, EVENT_NOTE,
			str_of(arena_printf(&attempt->arena,
				"nothing keeps another run from doing the same at once: %s [%s]",
				err.message, err.code)));
	}
	err_finish(&err);
	if (got == CLAIM_HELD)
		attempt->is_claimed = true;
	if (got != CLAIM_BUSY)
		return true;
	if (!attempt->is_waiting_announced)
		tell(attempt, EVENT_NOTE, STR("another run is at it, waiting for its result"));
	attempt->is_waiting_announced = true;
	attempt->timer =
		engine->world->timer_start(engine->world->ctx, claim_poll_ms, poll_claim, attempt);
	return false;
}

/* It would have to run and mustn't. */
static void refuse_to_run(struct attempt *attempt)
{
	struct err err = {0};
	str why = attempt->decision.sentence;
	if (attempt->unit->is_given) {
		err_set(&err, "E-NODE-SELECTED",
			"it is not selected, and what is stored of it is not current (%.*s)",
			STR_ARG(why));
		err_help(&err, "select it too: --from %.*s", STR_ARG(attempt->unit->node->id));
	} else {
		err_set(&err, "E-REUSE-ONLY",
			"it would have to run (%.*s), and --reuse=only forbids it", STR_ARG(why));
		err_help(&err, "leave --reuse=only out");
	}
	node_fail_early(attempt, &err);
	err_finish(&err);
}

static void go_on(struct attempt *attempt)
{
	struct engine *engine = attempt->engine;
	struct unit *unit = attempt->unit;
	if (engine->options->verify && !verify_begin(attempt))
		return;
	if (attempt->decision.action == ACTION_REUSE && reuse_now(attempt))
		return;
	if (unit->is_given) {
		refuse_to_run(attempt);
		return;
	}
	if (engine->options->plan) {
		unit->is_uncertain = true;
		if (attempt->has_key)
			twins_add(attempt, true);
		if (attempt->has_key && twins_has(attempt, true))
			lookup_has_twin(attempt);
		tell(attempt, EVENT_DECIDED, attempt->decision.sentence);
		attempt_destroy(attempt);
		engine_unit_ended(engine, unit, NODE_COMPLETED);
		return;
	}
	if (engine->options->reuse == REUSE_ONLY) {
		refuse_to_run(attempt);
		return;
	}
	unit->state = NODE_READY;
	*vec_push(&engine->slots->waiting) = unit;
}

bool node_claim(struct unit *unit)
{
	struct attempt *attempt = unit->attempt;
	if (!claim(attempt))
		return false;
	if (attempt->is_claimed) {
		/* Another run may have ended it since it was looked up: what it left may do. */
		lookup_decide(attempt, HOST_KEY_OK, STR(""));
		if (attempt->decision.action == ACTION_REUSE && reuse_now(attempt))
			return false;
	}
	tell(attempt, EVENT_DECIDED, attempt->decision.sentence);
	return true;
}

static void poll_claim(void *arg)
{
	struct attempt *attempt = arg;
	struct engine *engine = attempt->engine;
	attempt->timer = NULL;
	fact_memo_forget(engine->memo);
	go_on(attempt);
	engine_pump(engine);
}

/* In a plan: does anything above it run, so that what it consumes can't be known yet? */
static bool depends_on_uncertain(const struct engine *engine, const struct node *node)
{
	for (uint32_t d = 0; d < node->dep_count; d++) {
		if (engine->units[node->deps[d]].is_uncertain)
			return true;
	}
	for (uint32_t r = 0; r < node->ref_count; r++) {
		if (engine->units[node->refs[r]].is_uncertain)
			return true;
	}
	return false;
}

/* Whether its turn comes at all: a condition, its own or of one above, hangs on what can't be known. */
static bool is_optional(const struct engine *engine, const struct node *node)
{
	bool is_any = node->when || node->gates;
	for (uint32_t d = 0; d < node->dep_count; d++)
		is_any = is_any || engine->units[node->deps[d]].is_optional;
	return is_any;
}

/* Says what may become of it; `iteration` as in lookup_decide_uncertain. */
static void tell_uncertain(struct engine *engine, struct unit *unit, uint64_t iteration)
{
	struct attempt *attempt = attempt_create(engine, unit);
	bool is_control = unit->node->control != CONTROL_NONE || unit->node->fan_out;
	if (is_control)
		attempt->skip_reason = "control";
	lookup_decide_uncertain(attempt, iteration);
	if (is_control)
		twins_add_closed(engine, unit->node);
	else
		twins_add(attempt, false);
	if (!is_control && twins_has(attempt, false))
		lookup_has_twin(attempt);
	tell(attempt, EVENT_DECIDED, attempt->decision.sentence);
	attempt_destroy(attempt);
}

static void plan_uncertain(struct engine *engine, struct unit *unit)
{
	unit->is_uncertain = true;
	unit->is_optional = is_optional(engine, unit->node);
	tell_uncertain(engine, unit, 0);
	engine_unit_ended(engine, unit, NODE_COMPLETED);
}

void node_plan_open(struct engine *engine, struct unit *unit)
{
	tell_uncertain(engine, unit, unit->iteration);
}

void node_decide(struct engine *engine, struct unit *unit)
{
	if (!check_rule(engine, unit))
		return;
	if (engine->options->plan && depends_on_uncertain(engine, unit->node)) {
		plan_uncertain(engine, unit);
		return;
	}
	struct attempt *attempt = attempt_create(engine, unit);
	if (!check_when(attempt))
		return;
	bool is_control = unit->node->control != CONTROL_NONE || unit->node->fan_out;
	if (is_control && engine->options->verify)
		verify_control(attempt);
	else if (is_control)
		control_begin(attempt);
	else if (decide_now(attempt))
		go_on(attempt);
}

/* It makes nothing in this run, nor does what is in it. */
static void vacate(struct engine *engine, const struct node *node, enum vacancy vacancy)
{
	str items = str_of(arena_printf(&engine->arena, "%.*s[", STR_ARG(node->id)));
	aside_vacate(engine, node->id, vacancy);
	if (node->fan_out)
		aside_vacate_absent(engine, &(struct absence){.prefix = items, .vacancy = vacancy});
	for (uint32_t i = 0;
		node->control == CONTROL_LOOP_GROUP && i < engine->workflow->node_count; i++) {
		if (engine->workflow->nodes[i].scope->holder == node->index)
			vacate(engine, &engine->workflow->nodes[i], vacancy);
	}
}

void node_skip(struct engine *engine, struct unit *unit, const char *reason, str sentence)
{
	struct attempt *attempt = attempt_create(engine, unit);
	attempt->skip_reason = reason;
	attempt->decision.sentence = sentence;
	if (!engine->options->plan)
		record_node(attempt, NODE_SKIPPED, NULL, NULL);
	unit->state = NODE_SKIPPED;
	bool is_behind_failure = strcmp(reason, "upstream_failed") == 0;
	if (strcmp(reason, "not_selected") != 0)
		vacate(engine, unit->node,
			is_behind_failure ? VACANT_BEHIND_FAILURE : VACANT_FOR_GOOD);
	tell(attempt, EVENT_ENDED, sentence);
	attempt_destroy(attempt);
	engine_unit_ended(engine, unit, NODE_SKIPPED);
}

void node_fail_early(struct attempt *attempt, const struct err *err)
{
	struct engine *engine = attempt->engine;
	struct unit *unit = attempt->unit;
	attempt->started_wall = engine->world->wall_ms(engine->world->ctx);
	if (!engine->options->plan)
		record_node(attempt, NODE_FAILED, NULL, err);
	unit->state = NODE_FAILED;
	unit->error = str_of(arena_printf(&engine->arena, "%s", err->message));
	tell(attempt, EVENT_ENDED, str_of(err->message));
	attempt_destroy(attempt);
	if (engine->events->failed && !engine->options->plan) {
		store_flush(engine->store, NULL);
		engine->events->failed(engine->events->arg, engine->row.id, unit->node);
	}
	engine_unit_ended(engine, unit, NODE_FAILED);
}

void node_cancel(struct engine *engine, struct unit *unit, int32_t reason)
{
	struct attempt *attempt = unit->attempt;
	if (attempt && attempt->running) {
		if (!attempt->cancel_reason)
			attempt->cancel_reason = reason;
		host_cancel(attempt->running, reason);
		return;
	}
	str how = STR("not started");
	if (unit->state == NODE_PAUSED) {
		how = STR("it waited for an answer");
		attempt = attempt_create(engine, unit);
		attempt->decision.sentence = how;
		attempt->skip_reason = "control";
		engine->paused--;
		unit->was_paused = true;
	}
	if (attempt) {
		unit->state = NODE_CANCELLED;
		record_node(attempt, NODE_CANCELLED, NULL, NULL);
		tell(attempt, EVENT_ENDED, how);
		attempt_destroy(attempt);
	}
	engine_unit_ended(engine, unit, NODE_CANCELLED);
}
