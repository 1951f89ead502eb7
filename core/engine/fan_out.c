/* fan_out: one slot an item.  A slot is a unit of its own, known by the content of its item and never by its index: a new item
 * at the front runs one slot and reuses the rest.  The outcome is a JSON array in the order of the items. */
#include "engine/control.h"
#include "engine/internal.h"
#include "engine/sources.h"

struct fan {
	struct attempt *attempt; /* of the node itself, while its slots run */
	struct unit *slots;
	size_t count;
	size_t next;     /* the first that has not begun */
	uint32_t active; /* slots that take a place of max_parallel */
	uint32_t paused; /* slots that wait for an answer: they take none */
	uint32_t reused;
	uint32_t failed;
	bool is_cut;                /* a slot failed under all_success: no more are begun */
	bool is_giving_up;          /* and nobody needs to be asked any more */
	const struct value *fields; /* the node's without `fan_out` */
};

/* "build[3f2a9c01]", and "build[3f2a9c01-2]" for the second item with the same content. */
static str slot_id(struct fan *fan, struct map *seen, const struct value *item)
{
	struct engine *engine = fan->attempt->engine;
	struct buf json = {0};
	struct buf hex = {0};
	json_write_canonical(&json, item);
	struct digest digest = hash_of(buf_str(&json));
	digest_add_hex(&hex, &digest);
	str base = fan->attempt->unit->node->id;
	str id = str_of(arena_printf(&engine->arena, "%.*s[%.8s]", STR_ARG(base), buf_cstr(&hex)));
	unsigned *same = map_get(seen, id);
	if (!same) {
		same = arena_new(&engine->arena, unsigned);
		map_put(seen, id, same);
	}
	if (++*same > 1)
		id = str_of(arena_printf(
			&engine->arena, "%.*s[%.8s-%u]", STR_ARG(base), buf_cstr(&hex), *same));
	buf_finish(&json);
	buf_finish(&hex);
	return id;
}

static bool read_items(struct attempt *attempt, const struct value **items, struct err *err)
{
	const struct fan_out *spec = attempt->unit->node->fan_out;
	struct host_values values;
	struct ref_resolver resolver;
	struct ref ref;
	str json = STR("");
	if (spec->items->kind == VALUE_LIST) {
		*items = spec->items;
		return true;
	}
	values_init(attempt, &values, &resolver);
	if (!ref_is_whole(spec->items->as.text, &ref) || !values.json(values.ctx, &ref, &json, err))
		return false;
	/* The tree outlives the attempt's own arena nowhere: slots end before the node does. */
	const struct value *value =
		json_parse(&attempt->engine->arena, arena_str(&attempt->engine->arena, json), NULL);
	if (value && value->kind == VALUE_LIST) {
		*items = value;
		return true;
	}
	str printed = value && value->kind == VALUE_STRING ? value->as.text : json;
	str shown = decide_quote(&attempt->arena, printed, 60);
	err_set(err, "E-FAN-OUT-ITEMS", "`fan_out.items` is %s, not a list: %.*s",
		value ? value_kind_name(value->kind) : "no JSON", STR_ARG(shown));
	err_help(err, "make `%.*s` print a JSON array", STR_ARG(ref.name));
	return false;
}

/* ---- what a slot is known by ---- */

/* A slot sees its item, and never the list that it stands in. */
static const struct value *without_fan_out(struct arena *arena, const struct value *fields)
{
	struct value *rest = arena_new(arena, struct value);
	*rest = *fields;
	rest->as.map.items = arena_array(arena, struct value_member, fields->as.map.count);
	rest->as.map.count = 0;
	for (size_t i = 0; i < fields->as.map.count; i++) {
		if (!str_is(fields->as.map.items[i].key, "fan_out"))
			rest->as.map.items[rest->as.map.count++] = fields->as.map.items[i];
	}
	return rest;
}

static void slot_ended(struct engine *engine, struct unit *slot);

static void make_slot(struct fan *fan, size_t index, struct map *seen, const struct value *item)
{
	struct engine *engine = fan->attempt->engine;
	struct unit *parent = fan->attempt->unit;
	struct unit *slot = &fan->slots[index];
	struct node *node = arena_new(&engine->arena, struct node);
	*node = *parent->node;
	node->id = slot_id(fan, seen, item);
	node->fields = fan->fields;
	node->fan_out = NULL;
	node->when = NULL;
	node->gates = NULL;
	node->rule = RULE_ALL_DONE;
	node->consumer_count = 0;
	*slot = (struct unit){.id = places_tick(engine->places),
		.node = node,
		.type = parent->type,
		.state = NODE_PENDING,
		.parent = parent,
		.on_end = slot_ended,
		.item = item,
		.iteration = parent->iteration,
		.is_given = parent->is_given,
		.item_name = parent->node->fan_out->as};
	slot->out.emits = STR("");
}

static void add_slot_json(struct engine *engine, struct buf *out, const struct unit *slot)
{
	struct buf bytes = {0};
	struct arena scratch = {0};
	if (slot->state == NODE_FAILED || slot->state == NODE_CANCELLED ||
		slot->state == NODE_SKIPPED) {
		buf_add_z(out, "{\"failed\":true,\"error\":");
		json_write_string(out, slot->error.ptr ? slot->error : STR(""));
		buf_printf(out, ",\"status\":\"%s\"}", node_state_name(slot->state));
		return;
	}
	if (slot->out.held)
		buf_add(&bytes, *slot->out.held);
	else
		cas_get(engine->store, &slot->out.output, &bytes, NULL);
	str text = buf_str(&bytes);
	if (text.len && text.ptr[text.len - 1] == '\n')
		text.len--;
	if (json_parse(&scratch, text, NULL))
		buf_add(out, text);
	else
		json_write_string(out, text);
	arena_finish(&scratch);
	buf_finish(&bytes);
}

/* What consumers depend on besides the output: the artifacts of all slots. */
static void join_artifacts(struct engine *engine, struct fan *fan)
{
	struct unit *unit = fan->attempt->unit;
	for (size_t i = 0; i < fan->count; i++)
		upstream_hold(engine, unit, &fan->slots[i]);
	upstream_join(engine, unit);
}

static void join(struct fan *fan)
{
	struct attempt *attempt = fan->attempt;
	struct engine *engine = attempt->engine;
	struct buf json = {0};
	struct buf sentence = {0};
	struct err err = {0};
	attempt->unit->fan = NULL;
	if (fan->is_cut) {
		err_set(&err, "E-FAN-OUT-FAILED", "%u of %zu items failed", fan->failed,
			fan->count);
		err_help(&err,
			"mend them and go on with: pawl resume %lld; items that ended well are reused",
			(long long)engine->row.id);
		control_fail(attempt, &err);
		return;
	}
	buf_add_char(&json, '[');
	for (size_t i = 0; i < fan->count; i++) {
		if (i)
			buf_add_char(&json, ',');
		add_slot_json(engine, &json, &fan->slots[i]);
	}
	buf_add_char(&json, ']');
	join_artifacts(engine, fan);
	sources_of_items(engine, attempt->unit, fan->slots, fan->count);
	buf_printf(&sentence, "%zu item%s: %zu %s, %u reused", fan->count,
		fan->count == 1 ? "" : "s", fan->count - fan->reused - fan->failed,
		engine->options->plan ? "would run" : "ran", fan->reused);
	if (fan->failed)
		buf_printf(&sentence, ", %u failed", fan->failed);
	control_complete(attempt, buf_str(&json), arena_str(&engine->arena, buf_str(&sentence)));
	buf_finish(&json);
	buf_finish(&sentence);
}

/* It has failed, whatever the answers would be. */
static void give_up_paused(struct fan *fan)
{
	fan->is_giving_up = true;
	for (size_t i = 0; i < fan->count; i++) {
		if (fan->slots[i].state == NODE_PAUSED)
			node_cancel(
				fan->attempt->engine, &fan->slots[i], PAWL_CANCEL_SIBLING_FAILED);
	}
}

static void begin_more(struct fan *fan)
{
	struct engine *engine = fan->attempt->engine;
	uint32_t most = fan->attempt->unit->node->fan_out->max_parallel;
	while (fan->next < fan->count && fan->active < most && !fan->is_cut &&
		!engine->is_stopping) {
		fan->active++;
		*vec_push(&engine->todo) = &fan->slots[fan->next++];
	}
	if (fan->is_cut || engine->is_stopping)
		fan->next = fan->count;
	if (fan->is_cut && !fan->active && fan->paused)
		give_up_paused(fan);
	if (!fan->active && !fan->paused && fan->next == fan->count)
		join(fan);
}

void fan_slot_paused(struct unit *slot)
{
	struct fan *fan = slot->parent->fan;
	fan->active--;
	fan->paused++;
	begin_more(fan);
}

static void slot_ended(struct engine *engine, struct unit *slot)
{
	struct unit *parent = slot->parent;
	struct fan *fan = parent->fan;
	if (slot->was_paused)
		fan->paused--;
	else
		fan->active--;
	fan->reused += slot->state == NODE_REUSED;
	fan->failed += slot->state == NODE_FAILED;
	parent->is_uncertain = parent->is_uncertain || slot->is_uncertain;
	if (slot->state == NODE_FAILED && parent->node->fan_out->join == JOIN_ALL_SUCCESS) {
		fan->is_cut = true;
		if (engine->options->fail_fast && !engine->is_stopping)
			engine_stop(engine, PAWL_CANCEL_SIBLING_FAILED);
		if (!parent->fan)
			return; /* the last that was stopped has ended it */
	}
	if (fan->is_giving_up)
		return;
	if (engine->is_stopping && !fan->is_cut && !fan->active && !fan->paused) {
		struct attempt *attempt = fan->attempt;
		parent->fan = NULL;
		parent->state = NODE_CANCELLED;
		record_node(attempt, NODE_CANCELLED, NULL, NULL);
		tell(attempt, EVENT_ENDED, STR("stopped"));
		attempt_destroy(attempt);
		engine_unit_ended(engine, parent, NODE_CANCELLED);
		return;
	}
	begin_more(fan);
}

static bool is_slot(void *arg, str node)
{
	const struct fan *fan = arg;
	for (size_t i = 0; i < fan->count; i++) {
		if (str_eq(fan->slots[i].node->id, node))
			return true;
	}
	return false;
}

void fan_begin(struct attempt *attempt)
{
	struct engine *engine = attempt->engine;
	const struct value *items = NULL;
	struct err err = {0};
	if (!read_items(attempt, &items, &err)) {
		control_fail(attempt, &err);
		return;
	}
	struct fan *fan = arena_new(&engine->arena, struct fan);
	fan->attempt = attempt;
	fan->count = items->as.list.count;
	fan->fields = without_fan_out(&engine->arena, attempt->unit->node->fields);
	fan->slots = arena_array(&engine->arena, struct unit, fan->count);
	attempt->unit->fan = fan;
	attempt->is_passive = true;
	engine->active--;
	attempt->unit->state = NODE_RUNNING;
	if (!engine->options->plan)
		record_node(attempt, NODE_RUNNING, NULL, NULL);
	struct map seen = {0};
	for (size_t i = 0; i < fan->count; i++)
		make_slot(fan, i, &seen, &items->as.list.items[i]);
	map_finish(&seen);
	/* Items that are gone make nothing. */
	str prefix =
		str_of(arena_printf(&engine->arena, "%.*s[", STR_ARG(attempt->unit->node->id)));
	aside_vacate_absent(
		engine, &(struct absence){.prefix = prefix, .is_there = is_slot, .arg = fan});
	begin_more(fan);
}

void fan_stop(struct fan *fan, int32_t reason,
	void (*stop)(struct engine *engine, struct unit *unit, int32_t reason))
{
	struct engine *engine = fan->attempt->engine;
	/* With the last of them the fan ends, and its attempt is gone. */
	for (size_t i = 0; i < fan->next; i++)
		stop(engine, &fan->slots[i], reason);
}
