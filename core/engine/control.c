/* control: what the core's own node types share.  See control.h. */
#include "engine/control.h"

#include "engine/internal.h"

static void complete(struct attempt *attempt, str sentence)
{
	struct engine *engine = attempt->engine;
	struct unit *unit = attempt->unit;
	unit->state = NODE_COMPLETED;
	attempt->decision.sentence = sentence;
	if (!engine->options->plan)
		record_node(attempt, NODE_COMPLETED, NULL, NULL);
	tell(attempt, EVENT_ENDED, sentence);
	attempt_destroy(attempt);
	engine_unit_ended(engine, unit, NODE_COMPLETED);
}

/* It outlives the run that it came from. */
static const str *hold(struct engine *engine, const str *bytes)
{
	if (!bytes)
		return NULL;
	str *held = arena_new(&engine->arena, str);
	*held = arena_str(&engine->arena, *bytes);
	return held;
}

void control_complete(struct attempt *attempt, str output, str sentence)
{
	struct engine *engine = attempt->engine;
	struct unit *unit = attempt->unit;
	struct err err = {0};
	struct produced *out = &unit->out;
	out->has_output = true;
	out->output_size = output.len;
	out->output = hash_of(output);
	out->origin = engine->row.id;
	if (engine->options->plan)
		out->held = hold(engine, &output);
	if (!engine->options->plan && !cas_put(engine->store, output, &out->output, &err)) {
		control_fail(attempt, &err);
		return;
	}
	complete(attempt, sentence);
}

void control_complete_as(struct attempt *attempt, const struct unit *from, str sentence)
{
	struct produced *out = &attempt->unit->out;
	out->has_output = true;
	out->output = from->out.output;
	out->output_size = from->out.output_size;
	out->held = hold(attempt->engine, from->out.held);
	out->origin = attempt->engine->row.id;
	complete(attempt, sentence);
}

void control_fail(struct attempt *attempt, struct err *err)
{
	node_fail_early(attempt, err);
	err_finish(err);
}

static void begin_cancel(struct attempt *attempt)
{
	struct engine *engine = attempt->engine;
	struct host_values values;
	struct ref_resolver resolver;
	struct buf reason = {0};
	struct err err = {0};
	values_init(attempt, &values, &resolver);
	if (!ref_expand(attempt->unit->node->cancel_reason, &resolver, &reason, &err)) {
		control_fail(attempt, &err);
		buf_finish(&reason);
		return;
	}
	str text = arena_str(&engine->arena, buf_str(&reason));
	buf_finish(&reason);
	engine->cancelled_because = text;
	control_complete(attempt, text, text);
	if (!engine->options->plan)
		engine_stop(engine, PAWL_CANCEL_USER);
}

void control_begin(struct attempt *attempt)
{
	const struct node *node = attempt->unit->node;
	attempt->skip_reason = "control";
	if (node->fan_out) {
		fan_begin(attempt);
		return;
	}
	switch (node->control) {
	case CONTROL_APPROVAL: approval_begin(attempt); break;
	case CONTROL_CANCEL: begin_cancel(attempt); break;
	case CONTROL_LOOP_GROUP: loop_begin(attempt); break;
	case CONTROL_WORKFLOW: subrun_begin(attempt); break;
	case CONTROL_NONE: break;
	}
}
