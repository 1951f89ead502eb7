/* record: what is written down of a node in a run, and what is told to people at the same moments. */
#include "engine/history.h"
#include "engine/internal.h"
#include "engine/sources.h"

#include "base/buf.h"

static const char *const kind_names[] = {[EVENT_DECIDED] = "decided",
	[EVENT_STARTED] = "started",
	[EVENT_RETRY] = "retry",
	[EVENT_ENDED] = "ended",
	[EVENT_OUTPUT] = "output",
	[EVENT_NOTE] = "note"};

/* The journal: what the row of a node, which only says how it stands, forgets from one try and attempt to the next.  Of a
 * reused node the row says it all. */
static void journal(struct attempt *attempt, const struct node_event *event)
{
	struct engine *engine = attempt->engine;
	struct buf json = {0};
	bool is_told_again = event->kind == EVENT_DECIDED || event->state == NODE_REUSED;
	if (engine->options->plan || engine->options->verify || is_told_again)
		return;
	buf_printf(&json,
		"{\"attempt\":%lld,\"try\":%lld,\"state\":\"%s\",\"reason\":\"%s\",\"sentence\":",
		(long long)engine->row.attempt, (long long)event->tries,
		node_state_name(event->state), event->reason);
	json_write_string(&json, event->sentence);
	buf_printf(&json, ",\"ms\":%llu}", (unsigned long long)event->ms);
	events_add(engine->store, engine->row.id, engine->world->wall_ms(engine->world->ctx),
		event->node->id, str_of(kind_names[event->kind]), buf_str(&json), NULL);
	engine_flush_soon(engine, 0);
	buf_finish(&json);
}

/* Where in the run, and in the runs in it, the node is. */
static void send(const struct attempt *attempt, struct node_event *event)
{
	const struct engine *engine = attempt->engine;
	const struct unit *unit = attempt->unit;
	uint32_t holder = unit->node->scope->holder;
	event->node = unit->node;
	event->within = engine->options->within;
	event->iteration = unit->iteration;
	event->item = unit->item;
	if (unit->parent)
		event->parent = unit->parent->node;
	else if (holder != NO_NODE)
		event->parent = &engine->workflow->nodes[holder];
	engine->events->node(engine->events->arg, event);
}

void tell_output(struct attempt *attempt, int32_t stream, str bytes)
{
	send(attempt, &(struct node_event){.kind = EVENT_OUTPUT,
			      .stream = stream,
			      .bytes = bytes,
			      .sentence = STR("")});
}

void tell_retry(struct attempt *attempt, str sentence, uint64_t delay_ms)
{
	struct node_event event = {.kind = EVENT_RETRY,
		.node = attempt->unit->node,
		.state = NODE_READY,
		.reason = reason_code(attempt->decision.reason),
		.sentence = sentence,
		.bytes = STR(""),
		.tries = attempt->tries,
		.ms = delay_ms};
	journal(attempt, &event);
	send(attempt, &event);
}

void tell(struct attempt *attempt, enum node_event_kind kind, str sentence)
{
	const struct unit *unit = attempt->unit;
	struct node_event event = {.kind = kind,
		.node = unit->node,
		.state = attempt->reused && kind != EVENT_DECIDED ? NODE_REUSED : unit->state,
		.reason = attempt->skip_reason ? attempt->skip_reason
	                                       : reason_code(attempt->decision.reason),
		.sentence = sentence,
		.ms = attempt->ran_ms,
		.tries = attempt->tries,
		.origin = attempt->reused ? attempt->reused->run : 0,
		.bytes = STR(""),
		.is_uncertain = attempt->decision.is_uncertain};
	if (kind == EVENT_DECIDED)
		event.state = attempt->decision.action == ACTION_REUSE ? NODE_REUSED : NODE_READY;
	journal(attempt, &event);
	send(attempt, &event);
}

static void add_hex_member(struct buf *json, const char *name, const struct digest *digest)
{
	buf_printf(json, ",\"%s\":\"", name);
	digest_add_hex(json, digest);
	buf_add_char(json, '"');
}

static void add_produced_json(struct buf *json, enum node_state state, const struct produced *out)
{
	buf_printf(json, ",\"state\":\"%s\",\"result\":%lld,\"origin\":%lld",
		node_state_name(state), (long long)out->result, (long long)out->origin);
	if (out->has_output)
		add_hex_member(json, "output", &out->output);
	if (out->has_manifest)
		add_hex_member(json, "artifacts", &out->manifest);
	buf_add_char(json, '}');
}

static void add_input_json(struct buf *json, const struct unit *dep)
{
	buf_add_z(json, json->len > 1 ? ",{\"node\":" : "{\"node\":");
	json_write_string(json, dep->node->id);
	add_produced_json(json, dep->state, &dep->out);
}

/* What a control node handed on, for the report of a failure and for who is to be suspected. */
static void add_sources_json(struct buf *json, struct attempt *attempt)
{
	struct sources sources = sources_consumed(attempt);
	for (size_t i = 0; i < sources.count; i++) {
		const struct source *source = &sources.ptr[i];
		if (!source->is_behind)
			continue;
		buf_add_z(json, json->len > 1 ? ",{\"node\":" : "{\"node\":");
		json_write_string(json, source->name);
		if (source->run != attempt->engine->row.id)
			buf_printf(json, ",\"run\":%lld", (long long)source->run);
		add_produced_json(json, source->state, &source->out);
	}
}

/* `deep`: also what is behind control nodes. */
static void add_inputs_json(struct buf *json, struct attempt *attempt, bool deep)
{
	const struct node *node = attempt->unit->node;
	buf_add_char(json, '[');
	for (uint32_t d = 0; d < node->dep_count; d++)
		add_input_json(json, &attempt->engine->units[node->deps[d]]);
	for (uint32_t r = 0; r < node->ref_count; r++)
		add_input_json(json, &attempt->engine->units[node->refs[r]]);
	if (deep)
		add_sources_json(json, attempt);
	buf_add_char(json, ']');
}

static void add_extra_json(
	struct buf *json, struct attempt *attempt, enum node_state state, str inputs)
{
	buf_add_char(json, '{');
	if (attempt->has_key) {
		buf_add_z(json, "\"own\":\"");
		digest_add_hex(json, &attempt->own);
		buf_add_char(json, '"');
	}
	if (attempt->unstorable.len) {
		buf_add_z(json, json->len > 1 ? ",\"not_stored\":" : "\"not_stored\":");
		json_write_string(json, attempt->unstorable);
	}
	history_write(attempt, state, inputs, json);
	buf_add_char(json, '}');
}

static str hex_of(struct arena *arena, const struct digest *digest)
{
	struct buf hex = {0};
	digest_add_hex(&hex, digest);
	str text = arena_str(arena, buf_str(&hex));
	buf_finish(&hex);
	return text;
}

static str error_text(struct arena *arena, const struct err *err)
{
	if (!err || !err_is_set(err))
		return STR("");
	const char *help = err->help ? err->help : "";
	return str_of(arena_printf(
		arena, "%s: %s%s%s", err->code, err->message, *help ? "\nhelp: " : "", help));
}

void record_node(struct attempt *attempt, enum node_state state, const struct host_outcome *outcome,
	const struct err *err)
{
	struct engine *engine = attempt->engine;
	if (engine->options->verify)
		return;
	struct unit *unit = attempt->unit;
	struct arena *arena = &attempt->arena;
	struct buf inputs = {0};
	struct buf extra = {0};
	bool has_ended = state != NODE_RUNNING && state != NODE_READY;
	int64_t now = engine->world->wall_ms(engine->world->ctx);
	/* A reused node consumed nothing in this run. */
	if (state != NODE_REUSED && state != NODE_SKIPPED)
		add_inputs_json(&inputs, attempt, state == NODE_FAILED);
	add_extra_json(&extra, attempt, state, buf_str(&inputs));
	struct node_row row = {.run = engine->row.id,
		.node = unit->node->id,
		.attempt = engine->row.attempt,
		.state = state,
		.type = unit->node->type,
		.reason = str_of(attempt->skip_reason ? attempt->skip_reason
						      : reason_code(attempt->decision.reason)),
		.sentence = attempt->decision.sentence.ptr ? attempt->decision.sentence : STR(""),
		.key = attempt->has_key ? hex_of(arena, &attempt->digest) : STR(""),
		.result = unit->out.result,
		.origin = unit->out.origin,
		.tries = attempt->tries,
		.started_ms = attempt->started_wall ? attempt->started_wall : now,
		.ended_ms = has_ended ? now : 0,
		.exit_code = outcome && outcome->has_exit ? outcome->exit.code
	                     : state == NODE_COMPLETED    ? 0
	                                                  : -1,
		.signal = outcome && outcome->has_exit ? outcome->exit.signal : 0,
		.error = error_text(arena, err),
		.output = unit->out.has_output ? hex_of(arena, &unit->out.output) : STR(""),
		.output_size = (int64_t)unit->out.output_size,
		.log = attempt->has_log ? hex_of(arena, &attempt->log_digest) : STR(""),
		.log_size = (int64_t)attempt->log_size,
		.inputs = buf_str(&inputs),
		.extra = buf_str(&extra)};
	if (!nodes_put(engine->store, &row, NULL))
		engine_fail_store(engine);
	buf_finish(&inputs);
	buf_finish(&extra);
	engine_flush_soon(engine, attempt->ran_ms);
}

bool record_result(struct attempt *attempt, bool provable, str unproven, int64_t *id)
{
	struct engine *engine = attempt->engine;
	struct unit *unit = attempt->unit;
	struct buf trace = {0};
	trace_write(&trace, &attempt->after);
	struct result_row row = {.workflow = engine->workflow->name,
		.node = unit->node->id,
		.key = attempt->digest,
		.transcript = buf_str(&attempt->key.text),
		.trace = buf_str(&trace),
		.output = unit->out.output,
		.output_size = unit->out.output_size,
		.manifest = unit->out.manifest,
		.has_manifest = unit->out.has_manifest,
		.emits = unit->out.emits,
		.provable = provable,
		.unproven = unproven,
		.type = unit->node->type,
		.run = engine->row.id,
		.attempt = engine->row.attempt,
		.made_ms = engine->world->wall_ms(engine->world->ctx),
		.duration_ms = attempt->ran_ms};
	bool ok = results_put(engine->store, &row, id, NULL);
	buf_finish(&trace);
	if (!ok)
		engine_fail_store(engine);
	return ok;
}
