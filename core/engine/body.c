/* body: a body while it runs: its start, what it prints (without secrets), its timeout.  What comes after is in finish.c. */
#include "engine/internal.h"

#include "engine/mask.h"

/* An output that names this run's own directory is of no use to another run. */
static void look_for_artifacts_dir(struct attempt *attempt, str bytes)
{
	str name = str_of(attempt->engine->artifacts_dir);
	struct buf *carry = &attempt->carry; /* the end of what came before, where it may begin */
	buf_add(carry, bytes);
	attempt->prints_artifacts_dir = str_find(buf_str(carry), name, 0) != SIZE_MAX;
	if (carry->len >= name.len) {
		memmove(carry->ptr, carry->ptr + carry->len - (name.len - 1), name.len - 1);
		carry->len = name.len - 1;
	}
}

/* What is stored and shown of a stream: secrets are gone from it by now. */
static void keep(struct attempt *attempt, int32_t stream, str bytes)
{
	struct engine *engine = attempt->engine;
	struct cas_writer **writer = stream == PAWL_STDOUT ? &attempt->out : &attempt->log;
	struct err err = {0};
	bool is_first = !*writer;
	if (is_first)
		*writer = cas_writer_create(engine->store);
	if (stream == PAWL_STDOUT && !attempt->prints_artifacts_dir)
		look_for_artifacts_dir(attempt, bytes);
	if (!bytes.len)
		return;
	if (!cas_writer_add(*writer, bytes, &err)) {
		if (!err_is_set(&engine->error))
			engine->error = err;
		else
			err_finish(&err);
		engine_fail_store(engine);
		return;
	}
	if (is_first)
		live_begin(attempt);
	if (engine->options->verbose)
		tell_output(attempt, stream, bytes);
}

static void on_output(void *arg, int32_t stream, str bytes)
{
	struct attempt *attempt = arg;
	const struct mask *mask = attempt->engine->mask;
	struct buf shown = {0};
	if (!mask) {
		keep(attempt, stream, bytes);
		return;
	}
	mask_feed(mask, &attempt->held[stream == PAWL_STDERR], bytes, &shown);
	keep(attempt, stream, buf_str(&shown));
	buf_finish(&shown);
}

/* What was held back because it might have been the beginning of a secret. */
static void release_held(struct attempt *attempt)
{
	const struct mask *mask = attempt->engine->mask;
	for (int i = 0; mask && i < 2; i++) {
		struct buf shown = {0};
		mask_flush(mask, &attempt->held[i], &shown);
		if (shown.len)
			keep(attempt, i ? PAWL_STDERR : PAWL_STDOUT, buf_str(&shown));
		buf_finish(&shown);
	}
}

static void on_emit(void *arg, str name, str value)
{
	struct attempt *attempt = arg;
	buf_add_char(&attempt->emits, attempt->emits.len ? ',' : '{');
	json_write_string(&attempt->emits, name);
	buf_add_char(&attempt->emits, ':');
	struct buf shown = {0};
	mask_text(attempt->engine->mask, value, &shown);
	json_write_string(&attempt->emits, buf_str(&shown));
	buf_finish(&shown);
}

static void on_artifact(void *arg, str name, const char *path)
{
	struct attempt *attempt = arg;
	struct host_fact *fact = vec_push(&attempt->plugin_facts.list);
	(void)name;
	*fact = (struct host_fact){
		HOST_FACT_OUTPUT, STR("artifact"), arena_str(&attempt->arena, str_of(path))};
}

static void note(struct attempt *attempt, str text)
{
	struct buf shown = {0};
	mask_text(attempt->engine->mask, text, &shown);
	tell(attempt, EVENT_NOTE, arena_str(&attempt->arena, buf_str(&shown)));
	buf_finish(&shown);
}

static void on_log(void *arg, int32_t level, str text)
{
	struct attempt *attempt = arg;
	if (level >= PAWL_LOG_WARN)
		note(attempt, text);
}

static void on_progress(void *arg, double fraction, str text)
{
	struct attempt *attempt = arg;
	(void)fraction;
	if (text.len)
		note(attempt, text);
}

static void on_finished(void *arg, const struct host_outcome *outcome)
{
	struct attempt *attempt = arg;
	struct engine *engine = attempt->engine;
	attempt->running = NULL;
	live_end(attempt);
	release_held(attempt);
	finish_body(attempt, outcome);
	engine_pump(engine);
}

static void on_timeout(void *arg)
{
	static const uint64_t again_ms = 50;
	struct attempt *attempt = arg;
	const struct world *world = attempt->engine->world;
	attempt->timer = NULL;
	if (attempt->running && host_is_ending(attempt->running)) {
		/* In time, and soon over; unless its plugin goes on with something else. */
		attempt->timer = world->timer_start(world->ctx, again_ms, on_timeout, attempt);
	} else if (attempt->running) {
		attempt->cancel_reason = PAWL_CANCEL_TIMEOUT;
		host_cancel(attempt->running, PAWL_CANCEL_TIMEOUT);
	}
}

void node_start(struct engine *engine, struct unit *unit)
{
	static const struct host_events template = {.output = on_output,
		.emit = on_emit,
		.artifact = on_artifact,
		.log = on_log,
		.progress = on_progress,
		.finished = on_finished};
	struct attempt *attempt = unit->attempt;
	const struct world *world = engine->world;
	struct host_events *events = arena_new(&attempt->arena, struct host_events);
	struct err err = {0};
	unit->state = NODE_RUNNING;
	attempt->started_wall = world->wall_ms(world->ctx);
	attempt->started_mono = world->mono_ms(world->ctx);
	attempt->tries++;
	fact_memo_forget(engine->memo);
	aside_begin(attempt);
	if (!window_open(attempt, &err) || !capture_open(attempt, &err)) {
		/* It runs, and nothing of it is kept: what it reads can't be told. */
		attempt->unstorable =
			str_of(arena_printf(&attempt->arena, "%s [%s]", err.message, err.code));
		err_finish(&err);
	}
	record_node(attempt, NODE_RUNNING, NULL, NULL);
	tell(attempt, EVENT_STARTED, attempt->decision.sentence);
	*events = template;
	events->arg = attempt;
	if (unit->node->timeout_ms)
		attempt->timer =
			world->timer_start(world->ctx, unit->node->timeout_ms, on_timeout, attempt);
	/* Code of a stranger runs in this process next, and may end it: what is done by now is done for good. */
	if (unit->type->is_foreign && !plug_runs_apart(unit->type))
		store_flush(engine->store, NULL);
	attempt->running = host_start(attempt->host, events);
}
