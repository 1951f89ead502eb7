/* control: the values of the core's own node types and of `fan_out`. */
#include "model/load.h"

#include "base/buf.h"
#include "data/json.h"
#include "data/ref.h"

#include <stdio.h>
#include <string.h>

static const struct value *own_value(const struct node *node)
{
	return value_get(node->fields, node->type);
}

static struct err *bad(
	struct load *load, const struct value *value, const char *code, const char *what)
{
	return diags_error(load->diags, load_place(load, value), code, "%s", what);
}

/* Archon's, of loops that talk to a model. */
static bool is_foreign_in_loop(str key)
{
	return str_is(key, "fresh_context") || str_is(key, "interactive") ||
	       str_is(key, "gate_message");
}

static void refuse_unknown(struct load *load, const struct value *map, const char *what,
	const str *known, size_t count)
{
	for (size_t i = 0; map->kind == VALUE_MAP && i < map->as.map.count; i++) {
		const struct value_member *m = &map->as.map.items[i];
		bool is_known = false;
		for (size_t k = 0; k < count; k++)
			is_known = is_known || str_eq(m->key, known[k]);
		if (!is_known && !strcmp(what, "loop_group") && is_foreign_in_loop(m->key)) {
			load_note_foreign(load, m);
			is_known = true;
		}
		if (is_known)
			continue;
		str near = str_nearest(m->key, known, count);
		struct err *err = diags_error(load->diags, load_key_place(load, m),
			"E-FIELD-UNKNOWN", "`%s` has no field `%.*s`", what, STR_ARG(m->key));
		if (near.len)
			err_help(err, "did you mean `%.*s`?", STR_ARG(near));
	}
}

/* ---- approval ---- */

static void take_decisions(struct load *load, struct approval *approval, const struct value *list)
{
	if (list->kind != VALUE_LIST || !list->as.list.count) {
		err_help(bad(load, list, "E-APPROVAL", "`decisions` is not a list of choices"),
			"write `decisions: [{id: ship, label: Ship it}, {id: hold, label: Wait}]`");
		return;
	}
	approval->decisions =
		arena_array(&load->workflow->arena, struct decision_option, list->as.list.count);
	for (size_t i = 0; i < list->as.list.count; i++) {
		const struct value *item = &list->as.list.items[i];
		const struct value *id =
			item->kind == VALUE_STRING ? item : value_get(item, STR("id"));
		const struct value *label = value_get(item, STR("label"));
		if (!id || id->kind != VALUE_STRING || !load_is_name(id->as.text)) {
			bad(load, item, "E-APPROVAL", "a decision has no `id` that is a name");
			continue;
		}
		for (size_t k = 0; k < approval->decision_count; k++) {
			if (str_eq(approval->decisions[k].id, id->as.text))
				bad(load, item, "E-APPROVAL", "two decisions have the same id");
		}
		approval->decisions[approval->decision_count++] = (struct decision_option){
			id->as.text,
			label && label->kind == VALUE_STRING ? label->as.text : id->as.text};
	}
}

static void take_on_reject(struct load *load, struct approval *approval, const struct value *value)
{
	if (value->kind == VALUE_STRING && str_is(value->as.text, "cancel"))
		approval->on_reject = REJECT_CANCEL;
	else if (value->kind == VALUE_STRING && str_is(value->as.text, "fail"))
		approval->on_reject = REJECT_FAIL;
	else if (value->kind == VALUE_STRING && str_is(value->as.text, "skip"))
		approval->on_reject = REJECT_SKIP;
	else
		err_help(bad(load, value, "E-APPROVAL", "`on_reject` is not cancel, fail or skip"),
			"cancel ends the run, fail fails the node, skip skips what depends on it");
}

static void take_approval(struct load *load, struct node *node, const struct value *value)
{
	static const str known[] = {STR_INIT("message"), STR_INIT("decisions"),
		STR_INIT("capture_response"), STR_INIT("on_reject")};
	struct approval *approval = arena_new(&load->workflow->arena, struct approval);
	node->approval = approval;
	approval->message = STR("");
	if (value->kind == VALUE_STRING) {
		approval->message = value->as.text;
		return;
	}
	if (value->kind != VALUE_MAP) {
		err_help(bad(load, value, "E-APPROVAL", "`approval` is not a mapping"),
			"write `approval: {message: Ship it?}`");
		return;
	}
	refuse_unknown(load, value, "approval", known, 4);
	const struct value *message = value_get(value, STR("message"));
	const struct value *decisions = value_get(value, STR("decisions"));
	const struct value *capture = value_get(value, STR("capture_response"));
	const struct value *on_reject = value_get(value, STR("on_reject"));
	if (message && message->kind == VALUE_STRING)
		approval->message = message->as.text;
	else
		err_help(bad(load, value, "E-APPROVAL", "`approval` has no `message`"),
			"say what is to be approved: `message: Ship $build.output?`");
	if (decisions)
		take_decisions(load, approval, decisions);
	if (capture && capture->kind == VALUE_BOOL)
		approval->captures_response = capture->as.boolean;
	else if (capture)
		bad(load, capture, "E-APPROVAL", "`capture_response` is not true or false");
	if (on_reject)
		take_on_reject(load, approval, on_reject);
}

/* ---- loop_group ---- */

static bool has_until_node(const struct value *value)
{
	for (size_t i = 0; i < value->as.map.count; i++) {
		if (str_starts(value->as.map.items[i].key, STR("until_")))
			return true;
	}
	return false;
}

static void take_loop_group(struct load *load, struct node *node, const struct value *value)
{
	static const str known[] = {STR_INIT("nodes"), STR_INIT("max_iterations"),
		STR_INIT("until"), STR_INIT("returns")};
	struct loop_group *group = arena_new(&load->workflow->arena, struct loop_group);
	*group = (struct loop_group){.until = STR(""), .last = NO_NODE};
	node->group = group;
	if (value->kind != VALUE_MAP) {
		bad(load, value, "E-LOOP", "`loop_group` is not a mapping");
		return;
	}
	for (size_t i = 0; i < value->as.map.count; i++) {
		const struct value_member *m = &value->as.map.items[i];
		struct value one = *value;
		one.as.map.items = &value->as.map.items[i];
		one.as.map.count = 1;
		if (!str_starts(m->key, STR("until_")))
			refuse_unknown(load, &one, "loop_group", known, 4);
	}
	const struct value *max = value_get(value, STR("max_iterations"));
	const struct value *until = value_get(value, STR("until"));
	if (!max || max->kind != VALUE_NUMBER ||
		!str_to_u64(max->as.text, &group->max_iterations) || !group->max_iterations ||
		group->max_iterations > 1000000)
		err_help(bad(load, max ? max : value, "E-LOOP",
				 "`loop_group` needs `max_iterations`, a whole number from 1 on"),
			"write `max_iterations: 10`; reaching it is a failure");
	if (until && until->kind == VALUE_STRING)
		group->until = until->as.text;
	if (!group->until.len && !has_until_node(value))
		err_help(bad(load, value, "E-LOOP", "`loop_group` has no end"),
			"write `until: DONE`, a text that its last output then contains, or `until_bash: COMMAND`, which "
			"ends the loop by ending well");
}

/* ---- fan_out ---- */

/* '["a", "b"]' in quotes is a list, too. */
static const struct value *listed(struct load *load, const struct value *items)
{
	if (!items || items->kind != VALUE_STRING ||
		!str_starts(str_trim(items->as.text), STR("[")))
		return items;
	const struct value *list = json_parse(&load->workflow->arena, items->as.text, NULL);
	return list && list->kind == VALUE_LIST ? list : items;
}

static void take_fan_out(struct load *load, struct node *node, const struct value *value)
{
	static const str known[] = {
		STR_INIT("items"), STR_INIT("as"), STR_INIT("max_parallel"), STR_INIT("join")};
	struct fan_out *fan = arena_new(&load->workflow->arena, struct fan_out);
	struct ref ref;
	uint64_t number = 5;
	*fan = (struct fan_out){.as = STR("item"),
		.max_parallel = 5,
		.join = JOIN_ALL_SUCCESS,
		.at = load_place(load, value)};
	node->fan_out = fan;
	if (value->kind != VALUE_MAP) {
		err_help(bad(load, value, "E-FAN-OUT", "`fan_out` is not a mapping"),
			"write `fan_out: {items: $list.output}`");
		return;
	}
	refuse_unknown(load, value, "fan_out", known, 4);
	fan->items = listed(load, value_get(value, STR("items")));
	bool is_ref = fan->items && fan->items->kind == VALUE_STRING &&
	              ref_is_whole(fan->items->as.text, &ref);
	if (!is_ref && (!fan->items || fan->items->kind != VALUE_LIST))
		err_help(bad(load, fan->items ? fan->items : value, "E-FAN-OUT",
				 fan->items ? "`items` is neither one reference nor a list"
					    : "`fan_out` has no `items`"),
			"write `items: $list.output` or `items: [a, b]`");
	const struct value *as = value_get(value, STR("as"));
	const struct value *join = value_get(value, STR("join"));
	const struct value *max = value_get(value, STR("max_parallel"));
	if (as && as->kind == VALUE_STRING && load_is_name(as->as.text))
		fan->as = as->as.text;
	else if (as)
		bad(load, as, "E-FAN-OUT", "`as` is not a name");
	if (max && (max->kind != VALUE_NUMBER || !str_to_u64(max->as.text, &number) || !number ||
			   number > 10000))
		bad(load, max, "E-FAN-OUT", "`max_parallel` is not a whole number from 1 to 10000");
	fan->max_parallel = (uint32_t)number;
	if (join && join->kind == VALUE_STRING && str_is(join->as.text, "all_done"))
		fan->join = JOIN_ALL_DONE;
	else if (join && (join->kind != VALUE_STRING || !str_is(join->as.text, "all_success")))
		err_help(bad(load, join, "E-FAN-OUT", "`join` is not all_success or all_done"),
			"all_done keeps failed slots in the result; all_success fails the node with the first of them");
	if (node->control != CONTROL_NONE && node->control != CONTROL_WORKFLOW)
		bad(load, value, "E-FAN-OUT",
			"`fan_out` goes with nodes that run something, not with this type");
}

/* ---- what means nothing on these types ---- */

struct control_rule {
	const char *fields; /* besides those that every node has */
	const char *help;
};

static const struct control_rule rules[] = {
	[CONTROL_APPROVAL] = {"",
		"an approval waits for its answer as long as that takes; it runs nothing"},
	[CONTROL_CANCEL] = {"", "`cancel` ends the run; it runs nothing"},
	[CONTROL_WORKFLOW] = {" with input fan_out timeout ",
		"set it on the nodes of that workflow, which decide for themselves"},
	[CONTROL_LOOP_GROUP] = {"", "set it on the nodes of the loop, which decide for themselves"},
};

static bool is_word_of(const char *words, str word)
{
	char padded[96];
	if (word.len > 80)
		return false;
	snprintf(padded, sizeof(padded), " %.*s ", STR_ARG(word));
	return strstr(words, padded) != NULL;
}

/* A field that would be dropped in silence is a trap. */
static void refuse_meaningless(struct load *load, const struct node *node)
{
	static const char every[] =
		" id description depends_on when trigger_rule output_type tags ";
	const struct control_rule *rule = &rules[node->control];
	for (size_t i = 0; i < node->fields->as.map.count; i++) {
		const struct value_member *m = &node->fields->as.map.items[i];
		if (str_eq(m->key, node->type) || is_word_of(every, m->key) ||
			is_word_of(rule->fields, m->key) || !field_find(m->key))
			continue;
		err_help(diags_error(load->diags, load_key_place(load, m), "E-FIELD-CONTROL",
				 "`%.*s` means nothing on a node of the type `%.*s`",
				 STR_ARG(m->key), STR_ARG(node->type)),
			"%s", rule->help);
	}
}

void load_control(struct load *load, struct node *node)
{
	if (node->control != CONTROL_NONE)
		refuse_meaningless(load, node);
	const struct value *value = node->type.len ? own_value(node) : NULL;
	const struct value *fan = value_get(node->fields, STR("fan_out"));
	if (value && node->control == CONTROL_APPROVAL)
		take_approval(load, node, value);
	if (value && node->control == CONTROL_LOOP_GROUP)
		take_loop_group(load, node, value);
	if (value && (node->control == CONTROL_CANCEL || node->control == CONTROL_WORKFLOW)) {
		str text = STR("");
		if (value->kind == VALUE_STRING)
			text = value->as.text;
		else
			err_help(bad(load, value, "E-FIELD-TYPE", "this type takes a string"), "%s",
				node->control == CONTROL_CANCEL ? "write `cancel: the reason`"
								: "write `workflow: name`");
		if (node->control == CONTROL_CANCEL)
			node->cancel_reason = text;
		else
			node->child_workflow = text;
		node->child_input = node->control == CONTROL_WORKFLOW
		                            ? value_get(node->fields, STR("input"))
		                            : NULL;
	}
	if (fan)
		take_fan_out(load, node, fan);
}
