/* open: a run's record and what it needs before its first node: types, directories, inputs, secrets, rules; and its end, the
 * closed record and the summary.  What happens in between is in run.c. */
#include "engine/internal.h"

#include "base/mem.h"
#include "engine/cutoff.h"
#include "engine/mask.h"
#include "engine/owners.h"
#include "engine/rules.h"
#include "sys/fs.h"

#include <stdlib.h>

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
	engine->ground = (struct ground){engine->store, engine->memo, engine->artifacts_rel};
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

/* The row of the run, and what it refuses to reuse from now on.  Its number is told to people: it is durable first. */
static bool write_row(struct engine *engine, struct err *err)
{
	bool is_new = !engine->options->resume;
	bool ok = is_new ? runs_add(engine->store, &engine->row, &engine->row.id, err)
	                 : runs_update(engine->store, &engine->row, err);
	if (!engine->off_before.run)
		engine->off_before.run = engine->row.id;
	return ok && cutoff_record(engine, err) &&
	       (!(is_new || engine->options->forced) || store_flush(engine->store, err));
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
		return cutoff_begin(engine, err);
	}
	/* From here on nobody else writes: what is newest now is so when the run begins. */
	if (!store_write_begin(engine->store, err) || !cutoff_begin(engine, err) ||
		!cas_put(engine->store, engine->workflow->source, &source, err) ||
		(options->resume && !runs_unshare(engine->store, &engine->row, err)))
		return false;
	digest_add_hex(&hex, &source);
	engine->row.attempt++;
	engine->row.state = RUN_RUNNING;
	engine->row.workflow = engine->workflow->name;
	engine->row.file = str_of(engine->workflow->file);
	engine->row.source = arena_str(&engine->arena, buf_str(&hex));
	engine->row.inputs = describe_inputs(engine);
	engine->row.arguments = options->arguments;
	engine->row.parent = options->parent;
	engine->row.parent_node = options->parent ? options->parent_node : STR("");
	engine->row.error = STR("");
	engine->row.started_ms = options->resume ? engine->row.started_ms
	                                         : engine->world->wall_ms(engine->world->ctx);
	engine->row.ended_ms = 0;
	engine->row.owner = proc_self();
	engine->row.owner_here = STR("");
	buf_finish(&hex);
	return write_row(engine, err);
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
	aside_finish(engine, engine->row.state == RUN_COMPLETED || engine->row.state == RUN_PAUSED);
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
		.error = err_is_set(&engine->error) ? &engine->error : NULL,
		.is_broken = err_is_set(&engine->error)};
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

/* Every secret of the run and of those around it, since one node can hand it to another in a file. */
static struct mask *collect_secrets(struct engine *engine)
{
	VEC(str) values = {0};
	for (const struct engine *run = engine; run; run = run->options->outer) {
		for (uint32_t n = 0; n < run->workflow->node_count; n++) {
			const struct strs *names = &run->workflow->nodes[n].secrets;
			for (size_t i = 0; i < names->len; i++) {
				bool found = false;
				str value = environ_get(
					engine->options->environment, names->ptr[i].ptr, &found);
				if (found)
					*vec_push(&values) = value;
			}
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
	engine->memo = fact_memo_create(engine->world,
		!engine->options->plan && !engine->options->verify, engine->options->rehash);
	if (engine->options->outer)
		fact_memo_share_pretence(engine->memo, engine->options->outer->memo);
	engine->places = engine->options->outer ? engine->options->outer->places
	                                        : places_create(engine->world);
	for (uint32_t i = 0; i < workflow->node_count; i++) {
		struct unit *unit = &engine->units[i];
		unit->id = places_tick(engine->places);
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
	slots_remove(engine->slots, engine);
	if (engine->options->verify)
		verify_clean(engine);
	for (uint32_t i = 0; engine->units && i < engine->workflow->node_count; i++) {
		if (engine->units[i].attempt)
			attempt_destroy(engine->units[i].attempt);
	}
	fact_memo_destroy(engine->memo);
	owners_destroy(engine->owners);
	if (!engine->options->outer)
		places_destroy(engine->places);
	vec_finish(&engine->asides);
	rules_destroy(engine->rules);
	mask_destroy(engine->mask);
	vec_finish(&engine->todo);
	map_finish(&engine->passed);
	map_finish(&engine->given);
	err_finish(&engine->error);
	if (!engine->options->outer)
		slots_destroy(engine->slots);
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
	engine->slots = options->outer ? options->outer->slots : slots_create(options->jobs);
	slots_add(engine->slots, engine);
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
