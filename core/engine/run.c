/* run: a workflow from its first node to its last: what is ready, what gets a slot, when to commit, when to stop. */
#include "engine/internal.h"

#include "engine/control.h"
#include "engine/seal.h"
#include "engine/twins.h"

#include <signal.h>

/* While bodies run, commits are gathered for so long: a crash repeats at most the attempts of that time.  Where the disk is
 * slow and nobody else waits to write it is longer, so that waiting for the disk takes at most one part of `flush_share`; but
 * not after an attempt that took long. */
static const uint64_t flush_every_ms = 4;
static const uint64_t flush_at_most_ms = 16;
static const uint64_t flush_share = 32;
static const uint64_t long_attempt_ms = 100;

/* ---- committing ---- */

static void flush(struct engine *engine)
{
	if (!store_is_dirty(engine->store) || engine->options->verify)
		return;
	uint64_t began = engine->world->mono_ms(engine->world->ctx);
	struct err err = {0};
	if (store_flush(engine->store, &err)) {
		engine->flush_ms += engine->world->mono_ms(engine->world->ctx) - began;
		engine->flushes++;
		return;
	}
	if (!err_is_set(&engine->error)) {
		engine->error = err;
		err = (struct err){0};
	}
	err_finish(&err);
	engine_fail_store(engine);
}

static void on_flush_timer(void *arg)
{
	struct engine *engine = arg;
	engine->flush_timer = NULL;
	flush(engine);
}

static uint64_t flush_delay(struct engine *engine, uint64_t at_stake_ms)
{
	bool others = false;
	uint64_t fair = engine->flushes ? engine->flush_ms * flush_share / engine->flushes : 0;
	if (fair <= flush_every_ms || at_stake_ms >= long_attempt_ms ||
		!runs_are_running(engine->store, &engine->row.owner, &others, NULL) || others)
		return flush_every_ms;
	return fair < flush_at_most_ms ? fair : flush_at_most_ms;
}

void engine_flush_soon(struct engine *engine, uint64_t at_stake_ms)
{
	if (engine->options->plan)
		return;
	if (engine->flush_timer && at_stake_ms >= long_attempt_ms) {
		engine->world->timer_stop(engine->world->ctx, engine->flush_timer);
		engine->flush_timer = NULL;
	}
	if (!engine->flush_timer)
		engine->flush_timer = engine->world->timer_start(engine->world->ctx,
			flush_delay(engine, at_stake_ms), on_flush_timer, engine);
}

/* ---- stopping ---- */

static void stop_check(struct attempt *attempt, int32_t reason)
{
	struct engine *engine = attempt->engine;
	attempt->cancel_reason = reason;
	engine->world->proc_stop(engine->world->ctx, attempt->check, engine->options->grace_ms);
}

static void stop_unit(struct engine *engine, struct unit *unit, int32_t reason)
{
	struct attempt *attempt = unit->attempt;
	if (unit->fan)
		fan_stop(unit->fan, reason, stop_unit);
	else if (unit->subrun)
		subrun_stop(unit, reason);
	else if (unit->state == NODE_PAUSED)
		node_cancel(engine, unit, reason);
	else if (attempt && attempt->running)
		node_cancel(engine, unit, reason);
	else if (attempt && attempt->check)
		stop_check(attempt, reason);
	else if (attempt && attempt->timer)
		node_cancel(
			engine, unit, reason); /* between two tries, or waiting for another run */
}

void engine_stop(struct engine *engine, int32_t reason)
{
	engine->is_stopping = true;
	engine->stop_reason = reason;
	for (uint32_t i = 0; i < engine->workflow->node_count; i++)
		stop_unit(engine, &engine->units[i], reason);
}

void engine_fail_store(struct engine *engine)
{
	const struct err *why = store_error(engine->store);
	if (!err_is_set(&engine->error)) {
		err_set(&engine->error, why && why->code ? why->code : "E-STORE-SYS", "%s",
			why && why->message ? why->message : "the store refuses to record");
		if (why && why->help)
			err_help(&engine->error, "%s", why->help);
	}
	if (!engine->is_stopping)
		engine_stop(engine, PAWL_CANCEL_USER);
}

static void kill_unit(struct engine *engine, struct unit *unit, int32_t reason)
{
	struct attempt *attempt = unit->attempt;
	struct engine *child = unit->subrun ? subrun_engine(unit) : NULL;
	(void)engine;
	if (unit->fan)
		fan_stop(unit->fan, reason, kill_unit);
	for (uint32_t i = 0; child && i < child->workflow->node_count; i++)
		kill_unit(child, &child->units[i], reason);
	if (attempt && attempt->running)
		host_kill(attempt->running);
}

static void on_signal(void *arg, int signal)
{
	struct engine *engine = arg;
	bool is_again = engine->signal != 0;
	engine->signal = signal;
	if (!is_again) {
		engine_stop(engine, PAWL_CANCEL_USER);
		engine_pump(engine);
		return;
	}
	/* Asked twice: no grace. */
	for (uint32_t i = 0; i < engine->workflow->node_count; i++)
		kill_unit(engine, &engine->units[i], PAWL_CANCEL_USER);
}

/* ---- the turn of a node's end ---- */

/* Does the end of `unit` count for that consumer?  What a loop_group's members wait for outside of it has ended before the
 * group begins. */
static bool is_edge(const struct unit *unit, const struct unit *consumer)
{
	uint32_t holder = consumer->node->scope->holder;
	return holder == NO_NODE || holder == unit->node->scope->holder;
}

static void raise_to(int64_t *made, int64_t to)
{
	*made = to > *made ? to : *made;
}

/* Control nodes and fan_outs have what they hold. */
static void note_made(struct engine *engine, struct unit *unit)
{
	uint32_t holder = unit->node->scope->holder;
	bool is_plain = unit->node->control == CONTROL_NONE && !unit->node->fan_out;
	if (is_plain && unit->state == NODE_REUSED)
		raise_to(&unit->made, unit->has_moved ? MADE_NOW : unit->out.result);
	else if (is_plain && unit->state != NODE_SKIPPED)
		raise_to(&unit->made, MADE_NOW);
	raise_to(&engine->made, unit->made);
	if (unit->parent)
		raise_to(&unit->parent->made, unit->made);
	else if (holder != NO_NODE)
		raise_to(&engine->units[holder].made, unit->made);
}

void engine_unit_ended(struct engine *engine, struct unit *unit, enum node_state state)
{
	engine->paused -= unit->state == NODE_PAUSED;
	unit->state = state;
	if (unit->node->control == CONTROL_NONE && !unit->node->fan_out) {
		engine->ran += state == NODE_COMPLETED;
		engine->reused += state == NODE_REUSED;
	}
	note_made(engine, unit);
	if (unit->parent) {
		unit->on_end(engine, unit);
		return;
	}
	upstream_note(engine, unit);
	bool is_member = unit->node->scope->holder != NO_NODE;
	unit->place = engine->ended;
	engine->ended += !is_member;
	engine->count[state] += !is_member;
	for (uint32_t c = 0; c < unit->node->consumer_count; c++) {
		struct unit *consumer = &engine->units[unit->node->consumers[c]];
		if (!is_edge(unit, consumer))
			continue;
		if (--consumer->waiting == 0 && consumer->state == NODE_PENDING)
			*vec_push(&engine->todo) = consumer;
	}
	if (state == NODE_FAILED && !is_member && engine->options->fail_fast &&
		!engine->is_stopping)
		engine_stop(engine, PAWL_CANCEL_SIBLING_FAILED);
	if (is_member)
		loop_member_ended(engine, unit);
}

static void leave_out(struct engine *engine, struct unit *unit)
{
	node_skip(engine, unit, "not_selected", STR("not selected"));
}

/* Those that wait keep all places busy for a while: to look at more of them now would only be to look at what may change. */
static bool has_enough(const struct slots *slots)
{
	return slots->used >= slots->jobs && slots->waiting.len - slots->head >= slots->jobs;
}

/* Decides what is ready, but stops to let start what can: gives whether it decided anything. */
static bool decide_ready(struct engine *engine)
{
	struct slots *slots = engine->slots;
	size_t waiting = slots->waiting.len - slots->head;
	size_t first = engine->todo_head;
	if (engine->todo.len)
		fact_memo_forget(engine->memo);
	while (engine->todo_head < engine->todo.len &&
		(engine->is_stopping || !has_enough(slots))) {
		struct unit *unit = engine->todo.ptr[engine->todo_head++];
		if (engine->is_stopping)
			node_cancel(engine, unit, engine->stop_reason);
		else if (unit->is_left_out)
			leave_out(engine, unit);
		else
			node_decide(engine, unit);
		/* Where many wait, for a pool, it is not tried after each one. */
		if (slots->used < slots->jobs &&
			slots->waiting.len - slots->head > waiting + waiting / 16)
			break;
	}
	bool any = engine->todo_head > first;
	if (engine->todo_head == engine->todo.len)
		engine->todo.len = engine->todo_head = 0;
	return any;
}

/* Before the first body: its directories; and the run's row is committed, because by it the next pawl finds what a killed
 * one left running. */
void engine_prepare_bodies(struct engine *engine)
{
	struct err err = {0};
	if (engine->has_flushed)
		return;
	engine->has_flushed = true;
	flush(engine);
	if (engine_make_directories(engine, &err))
		return;
	if (!err_is_set(&engine->error)) {
		engine->error = err;
		err = (struct err){0};
	}
	err_finish(&err);
	engine_fail_store(engine);
}

/* False: it waits on, for its pool is full. */
static bool start_one(struct unit *unit)
{
	struct engine *engine = unit->attempt->engine;
	if (!engine->is_stopping) {
		if (!slots_has_place(engine, unit))
			return false;
		engine_prepare_bodies(engine);
	}
	if (engine->is_stopping) {
		node_cancel(engine, unit, engine->stop_reason);
		return true;
	}
	if (!node_claim(unit))
		return true;
	slots_take(engine, unit);
	node_start(engine, unit);
	return true;
}

static bool is_any_stopping(const struct slots *slots)
{
	for (size_t i = 0; i < slots->engines.len; i++) {
		if (slots->engines.ptr[i]->is_stopping)
			return true;
	}
	return false;
}

/* Those that wait for a place, oldest first; one whose pool is full doesn't hold up the others.  What waits in a run that
 * stops is cancelled, even when there is no place. */
static bool start_waiting(struct slots *slots)
{
	bool takes_all = is_any_stopping(slots);
	size_t first = slots->head;
	size_t kept = 0;
	size_t count = slots->waiting.len;
	size_t i = first;
	for (; i < count && (takes_all || slots->used < slots->jobs); i++) {
		struct unit *unit = slots->waiting.ptr[i];
		if (!start_one(unit))
			slots->waiting.ptr[first + kept++] = unit;
	}
	slots->head = i - kept;
	if (kept)
		memmove(slots->waiting.ptr + slots->head, slots->waiting.ptr + first,
			kept * sizeof(*slots->waiting.ptr));
	bool any = slots->head > first;
	if (slots->head == slots->waiting.len)
		slots->head = slots->waiting.len = 0;
	return any;
}

/* Over, or nothing but people can carry it on. */
static void end_if_over(struct engine *engine)
{
	bool is_over = engine->ended == engine->workflow->top_count;
	bool is_paused = engine->paused && !engine->active && !engine->todo.len;
	if (engine->is_ended || (!is_over && !is_paused))
		return;
	engine->is_ended = true;
	engine->world->timer_stop(engine->world->ctx, engine->flush_timer);
	engine->flush_timer = NULL;
	if (engine->on_ended)
		engine->on_ended(engine->on_ended_arg);
	else
		engine->world->quit(engine->world->ctx);
}

void engine_pump(struct engine *engine)
{
	struct slots *slots = engine->slots;
	if (slots->is_pumping || engine->is_ended)
		return;
	slots->is_pumping = true;
	bool any;
	do {
		any = false;
		for (size_t i = 0; i < slots->engines.len; i++)
			any = decide_ready(slots->engines.ptr[i]) || any;
		any = start_waiting(slots) || any;
	} while (any);
	slots->is_pumping = false;
	/* An open batch keeps other runs from writing: whatever began one, it ends soon. */
	if (store_is_dirty(engine->store))
		engine_flush_soon(engine, 0);
	for (size_t i = 0; i < slots->engines.len; i++)
		end_if_over(slots->engines.ptr[i]);
}

/* ---- beginning ---- */

/* Of a node, or of an item of one. */
static bool is_node_there(void *arg, str node)
{
	const struct engine *engine = arg;
	size_t bracket = str_find_char(node, '[', 0);
	str id = str_slice(node, 0, bracket == SIZE_MAX ? node.len : bracket);
	for (uint32_t i = 0; i < engine->workflow->node_count; i++) {
		if (str_eq(engine->workflow->nodes[i].id, id))
			return true;
	}
	return false;
}

/* Nodes that are no longer in the workflow make nothing, and bodies that were killed made nothing whole. */
static void begin_places(struct engine *engine)
{
	const struct engine_options *options = engine->options;
	if (options->resume && !options->plan && !options->verify)
		capture_clean_artifacts(engine);
	if (!options->selected && !options->verify)
		aside_vacate_absent(
			engine, &(struct absence){.is_there = is_node_there, .arg = engine});
}

void engine_go(struct engine *engine, void (*on_ended)(void *arg), void *arg)
{
	engine->on_ended = on_ended;
	engine->on_ended_arg = arg;
	if (engine->events->run_started)
		engine->events->run_started(
			engine->events->arg, engine->row.id, engine->row.attempt, engine->workflow);
	for (uint32_t i = 0; i < engine->workflow->node_count; i++) {
		bool is_member = engine->workflow->nodes[i].scope->holder != NO_NODE;
		if (!engine->units[i].waiting && !is_member)
			*vec_push(&engine->todo) = &engine->units[i];
	}
	begin_places(engine);
	engine_pump(engine);
}

static void tell_nobody(void *arg, const struct node_event *event)
{
	(void)arg;
	(void)event;
}

static bool has_runs_in_it(const struct workflow *workflow)
{
	for (uint32_t i = 0; i < workflow->node_count; i++) {
		if (workflow->nodes[i].control == CONTROL_WORKFLOW)
			return true;
	}
	return false;
}

static bool run_once(
	const struct world *world, struct engine *engine, struct engine_summary *summary)
{
	if (!engine)
		return false;
	bool is_plan = engine->options->plan;
	if (!is_plan)
		world->on_signal(world->ctx, on_signal, engine);
	engine_go(engine, NULL, NULL);
	if (!engine->is_ended)
		world->run(world->ctx);
	if (!is_plan)
		world->on_signal(world->ctx, NULL, NULL);
	engine_end(engine, summary);
	return true;
}

bool engine_run(const struct world *world, struct store *store, struct types *types,
	const struct workflow *workflow, const struct engine_options *options,
	const struct engine_events *events, struct engine_summary *summary, struct err *err)
{
	struct engine_options own = *options;
	const struct engine_events nobody = {.node = tell_nobody};
	struct engine *engine;
	bool ok = true;
	*summary = (struct engine_summary){0};
	own.twins = options->plan && has_runs_in_it(workflow) ? twins_create() : NULL;
	if (own.twins) {
		engine = engine_begin(world, store, types, workflow, &own, &nobody, err);
		ok = run_once(world, engine, summary);
		if (ok)
			engine_free(engine);
		twins_counted(own.twins);
	}
	engine = ok ? engine_begin(world, store, types, workflow, &own, events, err) : NULL;
	ok = run_once(world, engine, summary);
	if (ok && options->seal)
		seal_make(engine);
	if (ok)
		engine_free(engine);
	if (own.twins)
		twins_destroy(own.twins);
	return ok;
}
