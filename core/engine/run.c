/* run: a workflow from its first node to its last: what is ready, what gets a slot, when to commit, when to stop. */
#include "engine/internal.h"

#include "base/mem.h"
#include "engine/contract.h"
#include "engine/control.h"
#include "engine/mask.h"
#include "engine/rules.h"
#include "sys/fs.h"

#include <signal.h>
#include <stdlib.h>

/* While bodies run, commits are gathered for so long: a crash repeats at most the attempts of that time. */
static const uint64_t flush_every_ms = 4;

static struct pool *find_pool(const struct workflow *workflow, str name)
{
	for (size_t i = 0; i < workflow->pools.len; i++) {
		if (str_eq(workflow->pools.ptr[i].name, name))
			return &workflow->pools.ptr[i];
	}
	return NULL;
}

static bool has_slot(const struct engine *engine, const struct unit *unit)
{
	if (engine->running >= engine->options->jobs)
		return false;
	const struct pool *pool =
		unit->node->pool.len ? find_pool(engine->workflow, unit->node->pool) : NULL;
	return !pool || engine->pool_used[pool - engine->workflow->pools.ptr] < pool->size;
}

static void use_slot(struct engine *engine, const struct unit *unit, int change)
{
	const struct pool *pool =
		unit->node->pool.len ? find_pool(engine->workflow, unit->node->pool) : NULL;
	if (pool)
		engine->pool_used[pool - engine->workflow->pools.ptr] += (uint32_t)change;
}

void engine_release_slot(struct engine *engine, const struct unit *unit)
{
	engine->running--;
	use_slot(engine, unit, -1);
}

/* ---- committing ---- */

static void flush(struct engine *engine)
{
	if (!store_is_dirty(engine->store) || engine->options->verify)
		return;
	engine->flushed_mono = engine->world->mono_ms(engine->world->ctx);
	struct err err = {0};
	if (store_flush(engine->store, &err))
		return;
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

void engine_flush_soon(struct engine *engine)
{
	if (!engine->flush_timer && !engine->options->plan)
		engine->flush_timer = engine->world->timer_start(
			engine->world->ctx, flush_every_ms, on_flush_timer, engine);
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

void engine_unit_ended(struct engine *engine, struct unit *unit, enum node_state state)
{
	engine->paused -= unit->state == NODE_PAUSED;
	unit->state = state;
	if (unit->node->control == CONTROL_NONE && !unit->node->fan_out) {
		engine->ran += state == NODE_COMPLETED;
		engine->reused += state == NODE_REUSED;
	}
	if (unit->parent) {
		unit->on_end(engine, unit);
		return;
	}
	upstream_note(engine, unit);
	bool is_member = unit->node->scope->holder != NO_NODE;
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

static void decide_ready(struct engine *engine)
{
	while (engine->todo_head < engine->todo.len) {
		struct unit *unit = engine->todo.ptr[engine->todo_head++];
		if (engine->is_stopping)
			node_cancel(engine, unit, engine->stop_reason);
		else if (unit->is_left_out)
			leave_out(engine, unit);
		else
			node_decide(engine, unit);
	}
	engine->todo.len = engine->todo_head = 0;
}

/* Before the first body: its directories; and the run's row is committed, because by it the next pawl finds what a killed
 * one left running. */
static void prepare_bodies(struct engine *engine)
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

/* Those that wait for a slot, oldest first; one whose pool is full doesn't hold up the others. */
static bool start_waiting(struct engine *engine)
{
	size_t kept = 0;
	bool any = false;
	size_t count = engine->waiting.len;
	for (size_t i = 0; i < count; i++) {
		struct unit *unit = engine->waiting.ptr[i];
		if (engine->is_stopping) {
			node_cancel(engine, unit, engine->stop_reason);
			any = true;
		} else if (engine->running < engine->options->jobs && has_slot(engine, unit)) {
			prepare_bodies(engine);
			any = true;
			if (engine->is_stopping) {
				node_cancel(engine, unit, engine->stop_reason);
				continue;
			}
			engine->running++;
			use_slot(engine, unit, 1);
			node_start(engine, unit);
		} else {
			engine->waiting.ptr[kept++] = engine->waiting.ptr[i];
		}
		if (engine->running >= engine->options->jobs && !engine->is_stopping && kept) {
			memmove(engine->waiting.ptr + kept, engine->waiting.ptr + i + 1,
				(engine->waiting.len - i - 1) * sizeof(*engine->waiting.ptr));
			kept += engine->waiting.len - i - 1;
			break;
		}
	}
	engine->waiting.len = kept;
	return any;
}

void engine_pump(struct engine *engine)
{
	if (engine->is_pumping || engine->is_ended)
		return;
	engine->is_pumping = true;
	fact_memo_forget(engine->memo);
	do
		decide_ready(engine);
	while (start_waiting(engine) || engine->todo_head < engine->todo.len);
	engine->is_pumping = false;
	bool is_over = engine->ended == engine->workflow->top_count;
	/* Nothing but people can carry it on. */
	bool is_paused = engine->paused && !engine->active && !engine->waiting.len;
	if (!is_over && !is_paused)
		return;
	engine->is_ended = true;
	engine->world->timer_stop(engine->world->ctx, engine->flush_timer);
	engine->flush_timer = NULL;
	if (engine->on_ended)
		engine->on_ended(engine->on_ended_arg);
	else
		engine->world->quit(engine->world->ctx);
}

/* ---- beginning and end ---- */

static bool find_types(struct engine *engine, struct err *err)
{
	struct map known = {0};
	bool ok = true;
	for (uint32_t i = 0; ok && i < engine->workflow->node_count; i++) {
		struct unit *unit = &engine->units[i];
		if (unit->node->control != CONTROL_NONE)
			continue;
		unit->type = map_get(&known, unit->node->type);
		if (unit->type)
			continue;
		const struct plug_type *type = types_find(engine->types, unit->node->type, err);
		if (!type && !err_is_set(err))
			err_set(err, "E-TYPE-MISSING", "no plugin provides the type `%.*s`",
				STR_ARG(unit->node->type));
		if (!type)
			err_at(err, unit->node->type_at);
		ok = type != NULL;
		unit->type = type;
		map_put(&known, unit->node->type, (void *)(uintptr_t)type);
	}
	map_finish(&known);
	return ok;
}

static void name_directories(struct engine *engine)
{
	struct arena *arena = &engine->arena;
	long long run = (long long)engine->row.id;
	const char *state = store_state_path(engine->store);
	engine->artifacts_rel = engine->options->verify
	                                ? verify_directory(engine)
	                                : arena_printf(arena, "runs/%lld/artifacts", run);
	engine->artifacts_dir = arena_printf(arena, "%s/%s", state, engine->artifacts_rel);
	engine->state_dir =
		arena_printf(arena, "%s/shared/%.*s", state, STR_ARG(engine->workflow->name));
}

bool engine_make_directories(struct engine *engine, struct err *err)
{
	int state = store_state_fd(engine->store);
	const char *shared =
		arena_printf(&engine->arena, "shared/%.*s", STR_ARG(engine->workflow->name));
	if (!engine->has_directories)
		engine->has_directories = fs_make_dirs(state, engine->artifacts_rel, 0700, err) &&
		                          fs_make_dirs(state, shared, 0700, err) &&
		                          fs_make_dirs(state, "tmp", 0700, err);
	return engine->has_directories;
}

static str describe_inputs(struct engine *engine)
{
	struct buf json = {0};
	if (engine->options->inputs)
		json_write(&json, engine->options->inputs);
	else
		buf_add_z(&json, "{}");
	str text = arena_str(&engine->arena, buf_str(&json));
	buf_finish(&json);
	return text;
}

static bool open_run(struct engine *engine, struct err *err)
{
	const struct engine_options *options = engine->options;
	struct digest source;
	struct buf hex = {0};
	bool found = true;
	if (options->resume && (!runs_get(engine->store, &engine->arena, options->resume,
					&engine->row, &found, err) ||
				       !found))
		return found ? false
		             : err_set(err, "E-RUN-UNKNOWN", "there is no run %lld",
				       (long long)options->resume);
	engine->row.continues = options->resume ? engine->row.continues : options->continues;
	if (options->plan || options->verify) {
		engine->row.id = options->resume ? options->resume : 0;
		return true;
	}
	if (!cas_put(engine->store, engine->workflow->source, &source, err))
		return false;
	digest_add_hex(&hex, &source);
	engine->row.attempt++;
	engine->row.state = RUN_RUNNING;
	engine->row.workflow = engine->workflow->name;
	engine->row.file = str_of(engine->workflow->file);
	engine->row.source = arena_str(&engine->arena, buf_str(&hex));
	engine->row.inputs = describe_inputs(engine);
	engine->row.arguments = options->arguments;
	engine->row.options = STR("{}");
	engine->row.parent = options->parent;
	engine->row.parent_node = options->parent ? options->parent_node : STR("");
	engine->row.error = STR("");
	engine->row.started_ms = options->resume ? engine->row.started_ms
	                                         : engine->world->wall_ms(engine->world->ctx);
	engine->row.ended_ms = 0;
	engine->row.owner = proc_self();
	engine->row.owner_boot = proc_boot_id();
	buf_finish(&hex);
	return options->resume ? runs_update(engine->store, &engine->row, err)
	                       : runs_create(engine->store, &engine->row, &engine->row.id, err);
}

static enum run_state end_state(const struct engine *engine)
{
	if (engine->signal)
		return RUN_INTERRUPTED;
	if (engine->paused && !engine->is_stopping)
		return RUN_PAUSED;
	if (engine->count[NODE_FAILED] || err_is_set(&engine->error))
		return RUN_FAILED;
	if (engine->count[NODE_CANCELLED] || engine->cancelled_because.len)
		return RUN_CANCELLED;
	/* Nothing completed fails the run: a workflow in which all was skipped did nothing. */
	return engine->count[NODE_COMPLETED] + engine->count[NODE_REUSED] ? RUN_COMPLETED
	                                                                  : RUN_FAILED;
}

/* What holds a node that waits for an answer waits with it. */
static void pause_holders(struct engine *engine)
{
	for (uint32_t i = 0; engine->row.state == RUN_PAUSED && i < engine->workflow->node_count;
		i++) {
		struct attempt *attempt = engine->units[i].attempt;
		if (!attempt || !attempt->is_passive || engine->options->plan)
			continue;
		engine->units[i].state = NODE_PAUSED;
		attempt->decision.sentence = STR("waits for an answer in it");
		record_node(attempt, NODE_PAUSED, NULL, NULL);
	}
}

void engine_end(struct engine *engine, struct engine_summary *summary)
{
	struct err err = {0};
	engine->row.state = end_state(engine);
	pause_holders(engine);
	engine->row.ended_ms = engine->world->wall_ms(engine->world->ctx);
	if (err_is_set(&engine->error))
		engine->row.error = str_of(engine->error.message);
	else if (engine->cancelled_because.len)
		engine->row.error = engine->cancelled_because;
	if (!engine->options->plan && !engine->options->verify &&
		(!runs_update(engine->store, &engine->row, &err) ||
			!store_flush(engine->store, &err))) {
		engine->row.state = RUN_FAILED;
		if (!err_is_set(&engine->error)) {
			engine->error = err;
			err = (struct err){0};
		}
	}
	err_finish(&err);
	*summary = (struct engine_summary){.run = engine->row.id,
		.attempt = engine->row.attempt,
		.state = engine->row.state,
		.total = engine->workflow->top_count,
		.ran = engine->ran,
		.reused = engine->reused,
		.failed = engine->count[NODE_FAILED],
		.skipped = engine->count[NODE_SKIPPED],
		.cancelled = engine->count[NODE_CANCELLED],
		.ms = engine->world->mono_ms(engine->world->ctx) - engine->started_mono,
		.signal = engine->signal,
		.error = err_is_set(&engine->error) ? &engine->error : NULL};
	if (engine->events->run_ended)
		engine->events->run_ended(engine->events->arg, summary);
	summary->error = NULL;
}

static void give_inputs(struct engine *engine)
{
	const struct workflow *workflow = engine->workflow;
	for (size_t i = 0; i < workflow->inputs.len; i++) {
		const struct input_spec *input = &workflow->inputs.ptr[i];
		const struct value *value = value_get(engine->options->inputs, input->name);
		if (!value)
			value = input->fallback;
		if (value)
			map_put(&engine->given, input->name, (void *)(uintptr_t)value);
	}
}

/* Every secret of the run, since one node can hand it to another in a file. */
static struct mask *collect_secrets(struct engine *engine)
{
	VEC(str) values = {0};
	for (uint32_t n = 0; n < engine->workflow->node_count; n++) {
		const struct strs *names = &engine->workflow->nodes[n].secrets;
		for (size_t i = 0; i < names->len; i++) {
			bool found = false;
			str value = environ_get(
				engine->options->environment, names->ptr[i].ptr, &found);
			if (found)
				*vec_push(&values) = value;
		}
	}
	struct mask *mask = mask_create(values.ptr, values.len);
	vec_finish(&values);
	return mask;
}

static void prepare(struct engine *engine)
{
	const struct workflow *workflow = engine->workflow;
	engine->units = arena_array(&engine->arena, struct unit, workflow->node_count);
	engine->pool_used = arena_array(&engine->arena, uint32_t, workflow->pools.len + 1);
	engine->memo = fact_memo_create(!engine->options->plan && !engine->options->verify);
	engine->watch = artifact_watch_create();
	for (uint32_t i = 0; i < workflow->node_count; i++) {
		struct unit *unit = &engine->units[i];
		unit->node = &workflow->nodes[i];
		unit->state = NODE_PENDING;
		unit->waiting = unit->node->dep_count;
		unit->out.emits = STR("");
	}
	selection_mark(engine);
	give_inputs(engine);
	engine->mask = collect_secrets(engine);
}

void engine_free(struct engine *engine)
{
	if (engine->options->verify)
		verify_clean(engine);
	for (uint32_t i = 0; engine->units && i < engine->workflow->node_count; i++) {
		if (engine->units[i].attempt)
			attempt_destroy(engine->units[i].attempt);
	}
	fact_memo_destroy(engine->memo);
	artifact_watch_destroy(engine->watch);
	rules_destroy(engine->rules);
	mask_destroy(engine->mask);
	vec_finish(&engine->todo);
	vec_finish(&engine->waiting);
	map_finish(&engine->passed);
	map_finish(&engine->given);
	err_finish(&engine->error);
	arena_finish(&engine->arena);
	free(engine);
}

struct engine *engine_begin(const struct world *world, struct store *store, struct types *types,
	const struct workflow *workflow, const struct engine_options *options,
	const struct engine_events *events, struct err *err)
{
	struct engine *engine = mem_zalloc(sizeof(*engine));
	*engine = (struct engine){.world = world,
		.store = store,
		.types = types,
		.workflow = workflow,
		.options = options,
		.events = events,
		.cancelled_because = STR(""),
		.started_mono = world->mono_ms(world->ctx)};
	prepare(engine);
	engine->rules = rules_load(engine, err);
	bool has_rules = engine->rules || !err_is_set(err);
	if (has_rules && find_types(engine, err) && open_run(engine, err)) {
		name_directories(engine);
		environ_prepare(engine);
		nodekey_prepare(engine);
		return engine;
	}
	engine_free(engine);
	return NULL;
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
	engine_pump(engine);
}

bool engine_run(const struct world *world, struct store *store, struct types *types,
	const struct workflow *workflow, const struct engine_options *options,
	const struct engine_events *events, struct engine_summary *summary, struct err *err)
{
	struct engine *engine = engine_begin(world, store, types, workflow, options, events, err);
	*summary = (struct engine_summary){0};
	if (!engine)
		return false;
	if (!options->plan)
		world->on_signal(world->ctx, on_signal, engine);
	engine_go(engine, NULL, NULL);
	if (!engine->is_ended)
		world->run(world->ctx);
	if (!options->plan)
		world->on_signal(world->ctx, NULL, NULL);
	engine_end(engine, summary);
	engine_free(engine);
	return true;
}
