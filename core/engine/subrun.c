/* subrun: `workflow: NAME`: a run of its own inside this one, with its own row, artifacts and gates.  It is never reused as a
 * whole: it is entered each time, and its nodes decide for themselves, so that a changed source or input is never answered
 * with an old child. */
#include "engine/control.h"
#include "engine/cutoff.h"
#include "engine/internal.h"
#include "engine/sources.h"

static const unsigned deepest = 8;

struct subrun {
	struct attempt *attempt; /* of the node in the outer run */
	struct engine *child;
	struct workflow *workflow;
	struct engine_options options;
	struct engine_events events;
	struct nesting within;
	struct world_timer *done;
	struct world_timer *limit; /* of `timeout` */
	bool is_late;
	str cause; /* the first failure in it */
};

static void on_child_node(void *arg, const struct node_event *event)
{
	struct subrun *sub = arg;
	struct engine *engine = sub->attempt->engine;
	bool has_failed = event->kind == EVENT_ENDED && event->state == NODE_FAILED;
	if (has_failed && event->within == &sub->within && !sub->cause.len)
		sub->cause = str_of(arena_printf(&engine->arena, ": %.*s: %.*s",
			STR_ARG(event->node->id), STR_ARG(event->sentence)));
	engine->events->node(engine->events->arg, event);
}

/* What is told of runs within the child goes on outwards as it is. */
static void tell_started(void *arg, const struct nesting *within)
{
	const struct engine_events *outer = ((struct subrun *)arg)->attempt->engine->events;
	if (outer->subrun_started)
		outer->subrun_started(outer->arg, within);
}

static void tell_failed(void *arg, const struct nesting *within, const struct node *node)
{
	const struct engine_events *outer = ((struct subrun *)arg)->attempt->engine->events;
	if (outer->subrun_failed)
		outer->subrun_failed(outer->arg, within, node);
}

static void tell_ended(
	void *arg, const struct nesting *within, const struct engine_summary *summary)
{
	const struct engine_events *outer = ((struct subrun *)arg)->attempt->engine->events;
	if (outer->subrun_ended)
		outer->subrun_ended(outer->arg, within, summary);
}

static void on_child_failed(void *arg, int64_t run, const struct node *node)
{
	struct subrun *sub = arg;
	(void)run;
	tell_failed(sub, &sub->within, node);
}

static void on_child_ended_for_good(void *arg, const struct engine_summary *summary)
{
	struct subrun *sub = arg;
	tell_ended(sub, &sub->within, summary);
}

static void on_child_started(
	void *arg, int64_t run, int64_t attempt, const struct workflow *workflow)
{
	struct subrun *sub = arg;
	sub->within.run = run;
	sub->within.attempt = attempt;
	sub->within.workflow = workflow;
	tell_started(sub, &sub->within);
}

/* Which run a node of a loop_group began in which iteration. */
static const str begun = STR_INIT("pawl.begun");

static str begun_key(struct attempt *attempt, int64_t parent)
{
	const struct unit *unit = attempt->unit;
	str round = loop_round(attempt->engine, unit, &attempt->arena);
	return round.len ? str_of(arena_printf(&attempt->arena, "%lld/%.*s#%.*s", (long long)parent,
				   STR_ARG(unit->node->id), STR_ARG(round)))
	                 : round;
}

static void note_begun(struct subrun *sub)
{
	struct engine *engine = sub->attempt->engine;
	str key = begun_key(sub->attempt, engine->row.id);
	str id = str_of(arena_printf(&sub->attempt->arena, "%lld", (long long)sub->child->row.id));
	if (key.len && !engine->options->plan && !engine->options->verify &&
		!kv_put(engine->store, begun, key, id, NULL))
		engine_fail_store(engine);
}

static bool is_child(struct attempt *attempt, const struct run_row *row, str workflow)
{
	return str_eq(row->workflow, workflow) && str_eq(row->parent_node, attempt->unit->node->id);
}

static bool find_child(
	struct attempt *attempt, str workflow, int64_t parent, int64_t *child, struct err *err)
{
	struct store *store = attempt->engine->store;
	struct arena *arena = &attempt->arena;
	str key = begun_key(attempt, parent);
	struct run_list list = {0};
	*child = 0;
	if (!parent)
		return true;
	if (key.len) {
		struct run_row row = {0};
		uint64_t id = 0;
		str text = STR("");
		bool found = false;
		bool ok = kv_get(store, arena, begun, key, &text, &found, err) &&
		          (!found || !str_to_u64(text, &id) ||
				  runs_get(store, arena, (int64_t)id, &row, &found, err));
		if (ok && found && id && is_child(attempt, &row, workflow))
			*child = (int64_t)id;
		return ok;
	}
	if (!runs_children(store, arena, parent, &list, err))
		return false;
	for (size_t i = 0; i < list.len && !*child; i++) {
		if (is_child(attempt, &list.ptr[i], workflow))
			*child = list.ptr[i].id;
	}
	return true;
}

static const struct input_spec *find_input(const struct workflow *workflow, str name)
{
	for (size_t i = 0; i < workflow->inputs.len; i++) {
		if (str_eq(workflow->inputs.ptr[i].name, name))
			return &workflow->inputs.ptr[i];
	}
	return NULL;
}

static bool give_one(
	struct subrun *sub, struct value *map, str name, const struct value *value, struct err *err)
{
	const struct input_spec *input = find_input(sub->workflow, name);
	if (!input) {
		err_set(err, "E-INPUT-UNKNOWN", "workflow %.*s has no input `%.*s`",
			STR_ARG(sub->workflow->name), STR_ARG(name));
		return err_help(err, "declare it there under `inputs`");
	}
	if (!values_for_input(sub->attempt, input, value, &value, err))
		return false;
	map->as.map.items[map->as.map.count++] =
		(struct value_member){.key = name, .value = *value};
	return true;
}

/* For an input that is text an output is its exact bytes, whatever they look like. */
static bool value_of_binding(struct subrun *sub, const struct binding *binding,
	const struct value **out, struct err *err)
{
	struct arena *arena = &sub->attempt->engine->arena;
	const struct input_spec *input = find_input(sub->workflow, binding->name);
	str bytes = STR("");
	if (!input || !str_is(input->type, "string") || binding->value->kind != VALUE_STRING)
		return values_binding_value(sub->attempt, binding, arena, out, err);
	if (!values_binding_text(sub->attempt, binding, false, &bytes, err))
		return false;
	struct value *text = arena_new(arena, struct value);
	*text = value_string(arena_str(arena, bytes));
	*out = text;
	return true;
}

/* Without defaults: a value that is not given is not there. */
static bool require_all(struct subrun *sub, const struct value *map, struct err *err)
{
	for (size_t i = 0; i < sub->workflow->inputs.len; i++) {
		const struct input_spec *input = &sub->workflow->inputs.ptr[i];
		if (!input->required || input->fallback || value_get(map, input->name))
			continue;
		err_set(err, "E-INPUT-MISSING", "workflow %.*s requires the input `%.*s`",
			STR_ARG(sub->workflow->name), STR_ARG(input->name));
		return err_help(err, "add `with: {%.*s: …}` to `%.*s`", STR_ARG(input->name),
			STR_ARG(sub->attempt->unit->node->id));
	}
	return true;
}

/* The values of `with` as the child's inputs, typed; an item, where the child has an input of its name. */
static bool give_inputs(struct subrun *sub, struct err *err)
{
	struct attempt *attempt = sub->attempt;
	const struct bindings *with = &attempt->unit->node->with;
	struct arena *arena = &attempt->engine->arena;
	struct value *map = arena_new(arena, struct value);
	map->kind = VALUE_MAP;
	map->as.map.items = arena_array(arena, struct value_member, with->len + 1);
	sub->options.inputs = map;
	for (size_t i = 0; i < with->len; i++) {
		const struct value *value = NULL;
		if (!value_of_binding(sub, &with->ptr[i], &value, err) ||
			!give_one(sub, map, with->ptr[i].name, value, err))
			return err_at(err, with->ptr[i].at);
	}
	if (attempt->unit->item && find_input(sub->workflow, attempt->unit->item_name) &&
		!value_get(map, attempt->unit->item_name) &&
		!give_one(sub, map, attempt->unit->item_name, attempt->unit->item, err))
		return false;
	return require_all(sub, map, err);
}

static bool give_arguments(struct subrun *sub, struct err *err)
{
	struct attempt *attempt = sub->attempt;
	const struct value *input = attempt->unit->node->child_input;
	const struct value *value = NULL;
	struct buf text = {0};
	sub->options.arguments = STR("");
	/* An item that no input takes is what the run is asked with. */
	if (!input && attempt->unit->item && !find_input(sub->workflow, attempt->unit->item_name)) {
		ref_value_text(&text, attempt->unit->item);
		sub->options.arguments = arena_str(&attempt->engine->arena, buf_str(&text));
		buf_finish(&text);
	}
	if (!input)
		return true;
	struct binding binding = {.name = STR("input"), .value = input};
	if (!values_binding_value(attempt, &binding, &attempt->engine->arena, &value, err))
		return false;
	ref_value_text(&text, value);
	sub->options.arguments = arena_str(&attempt->engine->arena, buf_str(&text));
	buf_finish(&text);
	return true;
}

static const struct unit *returned(const struct subrun *sub)
{
	const struct workflow *workflow = sub->workflow;
	if (workflow->returns.len)
		return &sub->child->units[workflow_resolve(
			workflow, &workflow->scope, workflow->returns)
						  ->index];
	const struct unit *only = NULL;
	for (uint32_t i = 0; i < workflow->node_count; i++) {
		const struct unit *unit = &sub->child->units[i];
		if (unit->node->consumer_count || unit->node->scope->holder != NO_NODE)
			continue;
		if (only)
			return NULL;
		only = unit;
	}
	return only;
}

static void pause(struct subrun *sub, int64_t run)
{
	struct attempt *attempt = sub->attempt;
	struct engine *engine = attempt->engine;
	struct unit *unit = attempt->unit;
	attempt->decision.sentence = str_of(
		arena_printf(&engine->arena, "run %lld in it waits for an answer", (long long)run));
	unit->state = NODE_PAUSED;
	if (!engine->options->plan)
		record_node(attempt, NODE_PAUSED, NULL, NULL);
	tell(attempt, EVENT_ENDED, attempt->decision.sentence);
	attempt_destroy(attempt);
	engine->paused++;
	if (unit->parent)
		fan_slot_paused(unit);
}

static void complete(struct subrun *sub, const struct engine_summary *summary)
{
	struct attempt *attempt = sub->attempt;
	struct engine *engine = attempt->engine;
	const struct unit *from = returned(sub);
	attempt->unit->has_no_returns = !from;
	if (from)
		sources_of_inner(engine, attempt->unit, sub->child, from);
	const char *which =
		summary->run ? arena_printf(&engine->arena, "run %lld", (long long)summary->run)
			     : "a new run";
	str sentence = str_of(arena_printf(&engine->arena, "%s: %u %s, %u reused", which,
		summary->ran, engine->options->plan ? "would run" : "ran", summary->reused));
	/* In a plan: with all of it reused what it gives is known. */
	for (uint32_t i = 0; i < sub->workflow->node_count; i++)
		attempt->unit->is_uncertain =
			attempt->unit->is_uncertain || sub->child->units[i].is_uncertain;
	if (from && from->out.has_output)
		control_complete_as(attempt, from, sentence);
	else
		control_complete(attempt, STR(""), sentence);
}

static void stopped(struct attempt *attempt)
{
	struct engine *engine = attempt->engine;
	struct unit *unit = attempt->unit;
	unit->state = NODE_CANCELLED;
	record_node(attempt, NODE_CANCELLED, NULL, NULL);
	tell(attempt, EVENT_ENDED, STR("stopped"));
	attempt_destroy(attempt);
	engine_unit_ended(engine, unit, NODE_CANCELLED);
}

static void on_done(void *arg)
{
	struct subrun *sub = arg;
	struct attempt *attempt = sub->attempt;
	struct engine *engine = attempt->engine;
	struct engine_summary summary;
	struct err err = {0};
	attempt->unit->subrun = NULL;
	engine->world->timer_stop(engine->world->ctx, sub->limit);
	engine_end(sub->child, &summary);
	if (sub->child->made > attempt->unit->made)
		attempt->unit->made = sub->child->made;
	engine->ran += summary.ran;
	engine->reused += summary.reused;
	if (!sub->cause.len && sub->child->cancelled_because.len)
		sub->cause = str_of(arena_printf(
			&engine->arena, ": %.*s", STR_ARG(sub->child->cancelled_because)));
	switch (summary.state) {
	case RUN_COMPLETED: complete(sub, &summary); break;
	case RUN_PAUSED:
		if (engine->is_stopping)
			stopped(attempt);
		else
			pause(sub, summary.run);
		break;
	case RUN_CANCELLED:
	case RUN_INTERRUPTED:
		if (engine->is_stopping) {
			stopped(attempt);
			break;
		}
		__attribute__((fallthrough));
	default:
		if (sub->is_late)
			err_set(&err, "E-SUBRUN-TIMEOUT",
				"run %lld of %.*s took longer than %llu ms", (long long)summary.run,
				STR_ARG(sub->workflow->name),
				(unsigned long long)attempt->unit->node->timeout_ms);
		else
			err_set(&err, "E-SUBRUN-FAILED", "run %lld of %.*s %s%.*s",
				(long long)summary.run, STR_ARG(sub->workflow->name),
				run_state_name(summary.state), STR_ARG(sub->cause));
		err_help(&err, "see it with: pawl show %lld", (long long)summary.run);
		control_fail(attempt, &err);
	}
	engine_free(sub->child);
	engine->options->release(engine->options->load_ctx, sub->workflow);
	engine_pump(engine);
}

/* The child has ended, somewhere deep in its own calls: it is taken apart in a turn of its own. */
static void on_child_ended(void *arg)
{
	struct subrun *sub = arg;
	const struct world *world = sub->attempt->engine->world;
	sub->done = world->timer_start(world->ctx, 0, on_done, sub);
}

static void on_late(void *arg)
{
	struct subrun *sub = arg;
	sub->limit = NULL;
	if (sub->done || sub->child->is_stopping)
		return;
	sub->is_late = true;
	engine_stop(sub->child, PAWL_CANCEL_TIMEOUT);
	engine_pump(sub->child);
}

/* What is forced is so with all that is in it; what is taken as it is stored runs nothing. */
static void pass_selection(struct subrun *sub)
{
	struct attempt *attempt = sub->attempt;
	sub->options.forced_before = cutoff_forced(attempt->engine, attempt->unit);
	sub->options.off_before = attempt->engine->off_before;
	if (attempt->unit->is_given) {
		sub->options.reuse = REUSE_ONLY;
		sub->options.is_given = true;
	}
	if (!unit_is_forced(attempt->engine, attempt->unit))
		return;
	bool *forced = arena_array(&attempt->engine->arena, bool, sub->workflow->node_count);
	for (uint32_t i = 0; i < sub->workflow->node_count; i++)
		forced[i] = true;
	sub->options.forced = forced;
}

static bool prepare(struct subrun *sub, struct err *err)
{
	struct attempt *attempt = sub->attempt;
	struct engine *engine = attempt->engine;
	const struct engine_options *outer = engine->options;
	sub->options = *outer;
	sub->options.forced = NULL;
	sub->options.selected = NULL;
	sub->options.depth = outer->depth + 1;
	struct moved above = upstream_newest(engine, attempt->unit);
	sub->options.above_made = above.made;
	sub->options.above_name = above.name;
	sub->within = (struct nesting){
		.outer = outer->within, .outer_run = engine->row.id, .holder = attempt->unit->node};
	sub->options.within = &sub->within;
	sub->options.outer = engine;
	sub->options.parent = engine->row.id;
	sub->options.parent_node = attempt->unit->node->id;
	sub->options.resume = 0;
	sub->options.continues = 0;
	if (sub->options.depth > deepest)
		return err_set(err, "E-SUBRUN-DEPTH", "workflows run each other more than %u deep",
			deepest);
	sub->workflow =
		outer->load ? outer->load(outer->load_ctx, attempt->unit->node->child_workflow, err)
			    : NULL;
	if (!sub->workflow)
		return err_is_set(err)
		               ? false
		               : err_set(err, "E-WORKFLOW-UNKNOWN", "there is no workflow `%.*s`",
					 STR_ARG(attempt->unit->node->child_workflow));
	pass_selection(sub);
	return give_inputs(sub, err) && give_arguments(sub, err) &&
	       find_child(attempt, sub->workflow->name, outer->resume ? engine->row.id : 0,
		       &sub->options.resume, err) &&
	       find_child(attempt, sub->workflow->name, engine->row.continues,
		       &sub->options.continues, err);
}

void subrun_begin(struct attempt *attempt)
{
	struct engine *engine = attempt->engine;
	struct subrun *sub = arena_new(&engine->arena, struct subrun);
	struct err err = {0};
	sub->attempt = attempt;
	sub->cause = STR("");
	sub->events = (struct engine_events){.arg = sub,
		.run_started = on_child_started,
		.node = on_child_node,
		.failed = on_child_failed,
		.run_ended = on_child_ended_for_good,
		.subrun_started = tell_started,
		.subrun_failed = tell_failed,
		.subrun_ended = tell_ended};
	attempt->unit->state = NODE_RUNNING;
	attempt->unit->subrun = sub;
	if (!engine->options->plan)
		record_node(attempt, NODE_RUNNING, NULL, NULL);
	bool ok = prepare(sub, &err);
	if (ok) {
		sub->child = engine_begin(engine->world, engine->store, engine->types,
			sub->workflow, &sub->options, &sub->events, &err);
		ok = sub->child != NULL;
	}
	if (!ok) {
		attempt->unit->subrun = NULL;
		if (sub->workflow)
			engine->options->release(engine->options->load_ctx, sub->workflow);
		control_fail(attempt, &err);
		return;
	}
	note_begun(sub);
	uint64_t limit = engine->options->plan ? 0 : attempt->unit->node->timeout_ms;
	if (limit)
		sub->limit = engine->world->timer_start(engine->world->ctx, limit, on_late, sub);
	engine_go(sub->child, on_child_ended, sub);
}

void subrun_stop(struct unit *unit, int32_t reason)
{
	struct subrun *sub = unit->subrun;
	if (sub->done || !sub->child || sub->child->is_stopping)
		return;
	sub->child->signal = sub->attempt->engine->signal;
	engine_stop(sub->child, reason);
	engine_pump(sub->child);
}

struct engine *subrun_engine(const struct unit *unit)
{
	return unit->subrun->done ? NULL : unit->subrun->child;
}
