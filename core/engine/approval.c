/* approval: a gate that a person opens.  The answer is kept in the store, by run and node: the run pauses, its process ends,
 * and another one, days later, finds the answer. */
#include "engine/control.h"
#include "engine/internal.h"

static const str scope = STR_INIT("pawl.approval");
static const str asked = STR_INIT("pawl.asked"); /* run and node -> the key of what it asked last */

static str place_of(struct arena *arena, int64_t run, str node)
{
	return str_of(arena_printf(arena, "%lld/%.*s", (long long)run, STR_ARG(node)));
}

/* In a loop_group each iteration asks anew. */
static str key_of(struct attempt *attempt)
{
	const struct engine *engine = attempt->engine;
	const struct unit *unit = attempt->unit;
	str place = place_of(&attempt->arena, engine->row.id, unit->node->id);
	str round = loop_round(engine, unit, &attempt->arena);
	if (!round.len)
		return place;
	return str_of(arena_printf(&attempt->arena, "%.*s#%.*s", STR_ARG(place), STR_ARG(round)));
}

static bool find(struct store *store, struct arena *arena, str in, str key, str *json)
{
	bool found = false;
	return kv_get(store, arena, in, key, json, &found, NULL) && found && json->len > 0;
}

/* What was asked last. */
static str question(struct store *store, struct arena *arena, int64_t run, str node)
{
	str place = place_of(arena, run, node);
	str key = STR("");
	return find(store, arena, asked, place, &key) ? key : place;
}

bool approval_answer(struct store *store, int64_t run, str node, str json, struct err *err)
{
	struct arena arena = {0};
	bool ok = kv_put(store, scope, question(store, &arena, run, node), json, err);
	arena_finish(&arena);
	return ok;
}

bool approval_is_answered(struct store *store, int64_t run, str node)
{
	struct arena arena = {0};
	str json = STR("");
	bool is_there = find(store, &arena, scope, question(store, &arena, run, node), &json);
	arena_finish(&arena);
	return is_there;
}

static str text_of(const struct value *map, const char *name)
{
	const struct value *value = value_get(map, str_of(name));
	return value && value->kind == VALUE_STRING ? value->as.text : STR("");
}

static void reject(struct attempt *attempt, const struct approval *approval, str text)
{
	struct engine *engine = attempt->engine;
	struct unit *unit = attempt->unit;
	struct err err = {0};
	str why = text.len ? str_of(arena_printf(&engine->arena, "rejected: %.*s", STR_ARG(text)))
	                   : STR("rejected");
	if (approval->on_reject == REJECT_SKIP) {
		str kept = arena_str(&engine->arena, text.len ? text : why);
		attempt_destroy(attempt);
		node_skip(engine, unit, "rejected", kept);
		return;
	}
	if (approval->on_reject == REJECT_FAIL) {
		err_set(&err, "E-APPROVAL-REJECTED", "%.*s", STR_ARG(why));
		err_help(&err, "mend what was rejected; to be asked again: pawl resume %lld",
			(long long)engine->row.id);
		control_fail(attempt, &err);
		return;
	}
	engine->cancelled_because = why;
	control_complete(attempt, why, why);
	engine_stop(engine, PAWL_CANCEL_USER);
}

static void accept(
	struct attempt *attempt, const struct approval *approval, const struct value *answer)
{
	str decision = text_of(answer, "decision");
	str text = text_of(answer, "text");
	struct buf output = {0};
	struct buf sentence = {0};
	if (approval->decision_count) {
		buf_add_z(&output, "{\"decision\":");
		json_write_string(&output, decision);
		buf_add_z(&output, ",\"text\":");
		json_write_string(&output, text);
		buf_add_char(&output, '}');
	} else {
		buf_add(&output, approval->captures_response ? text : STR("approved"));
	}
	buf_printf(&sentence, "%.*s by %.*s", STR_ARG(decision.len ? decision : STR("approved")),
		STR_ARG(text_of(answer, "by")));
	if (text.len)
		buf_printf(&sentence, ": %.*s", STR_ARG(text));
	control_complete(
		attempt, buf_str(&output), arena_str(&attempt->engine->arena, buf_str(&sentence)));
	buf_finish(&output);
	buf_finish(&sentence);
}

static void ask(struct attempt *attempt, str message, str key)
{
	struct engine *engine = attempt->engine;
	struct unit *unit = attempt->unit;
	const struct approval *approval = unit->node->approval;
	struct buf sentence = {0};
	buf_printf(&sentence, "waits for an answer: %.*s", STR_ARG(message));
	for (size_t i = 0; i < approval->decision_count; i++)
		buf_printf(
			&sentence, "%s%.*s", i ? ", " : " [", STR_ARG(approval->decisions[i].id));
	if (approval->decision_count)
		buf_add_char(&sentence, ']');
	attempt->decision.sentence = arena_str(&engine->arena, buf_str(&sentence));
	buf_finish(&sentence);
	unit->state = NODE_PAUSED;
	if (!engine->options->plan) {
		str place = place_of(&attempt->arena, engine->row.id, unit->node->id);
		if (!kv_put(engine->store, asked, place, key, NULL))
			engine_fail_store(engine);
		record_node(attempt, NODE_PAUSED, NULL, NULL);
	}
	tell(attempt, EVENT_ENDED, attempt->decision.sentence);
	attempt_destroy(attempt);
	engine->paused++;
}

void approval_begin(struct attempt *attempt)
{
	struct engine *engine = attempt->engine;
	const struct approval *approval = attempt->unit->node->approval;
	struct host_values values;
	struct ref_resolver resolver;
	struct buf message = {0};
	struct err err = {0};
	str json = STR("");
	str key = key_of(attempt);
	if (find(engine->store, &attempt->arena, scope, key, &json)) {
		const struct value *answer = json_parse(&attempt->arena, json, NULL);
		if (answer && str_is(text_of(answer, "verdict"), "reject"))
			reject(attempt, approval, text_of(answer, "text"));
		else
			accept(attempt, approval, answer);
		return;
	}
	values_init(attempt, &values, &resolver);
	if (!ref_expand(approval->message, &resolver, &message, &err))
		control_fail(attempt, &err);
	else
		ask(attempt, buf_str(&message), key);
	buf_finish(&message);
}
