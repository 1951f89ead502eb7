/* includes: what stands between the nodes of an included file, or of the body of a loop_group, and the rest of the graph.
 * `depends_on: inc` waits for everything in it that nothing in it consumes (its sinks); what depends on nothing in it (its
 * entries) inherits the dependencies, condition and trigger rule of the include. */
#include "model/load.h"

#include "base/mem.h"

#include <stdlib.h>

static bool is_member(const struct workflow *wf, const struct include_alias *alias, uint32_t index)
{
	const struct scope *scope = wf->nodes[index].scope;
	for (; scope; scope = scope->outer) {
		if (scope == alias->scope)
			return true;
	}
	return false;
}

static const struct include_alias *find_alias(
	const struct workflow *wf, const struct scope *scope, str name, struct buf *full)
{
	buf_clear(full);
	buf_add(full, scope->prefix);
	buf_add(full, name);
	return map_get(&wf->aliases, buf_str(full));
}

static void mark_consumed(struct load *load, const struct node *node, bool *consumed)
{
	const struct value *value = value_get(node->fields, STR("depends_on"));
	bool is_list = value && value->kind == VALUE_LIST;
	size_t count = !value ? 0 : is_list ? value->as.list.count : 1;
	struct node_list_builder out = {0};
	for (size_t i = 0; i < count; i++) {
		const struct value *item = is_list ? &value->as.list.items[i] : value;
		if (item->kind == VALUE_STRING)
			load_depend_on(load, node->scope, item->as.text, &out);
	}
	for (size_t i = 0; i < out.list.len; i++)
		consumed[out.list.ptr[i]] = true;
	vec_finish(&out.list);
}

/* What in the include nothing else in it waits for. */
static void add_sinks(
	struct load *load, const struct include_alias *alias, struct node_list_builder *out)
{
	struct workflow *wf = load->workflow;
	bool *consumed = mem_zalloc(wf->node_count + 1);
	for (uint32_t i = 0; i < wf->node_count; i++) {
		if (is_member(wf, alias, i))
			mark_consumed(load, &wf->nodes[i], consumed);
	}
	for (uint32_t i = 0; i < wf->node_count; i++) {
		bool is_outside_group = wf->nodes[i].scope->holder == alias->scope->holder;
		if (is_member(wf, alias, i) && !consumed[i] && is_outside_group)
			*vec_push(&out->list) = i;
	}
	free(consumed);
}

bool load_depend_on(
	struct load *load, const struct scope *scope, str name, struct node_list_builder *out)
{
	struct workflow *wf = load->workflow;
	struct buf full = {0};
	bool found = false;
	for (; scope && !found; scope = scope->is_transparent ? scope->outer : NULL) {
		buf_clear(&full);
		buf_add(&full, scope->prefix);
		buf_add(&full, name);
		const struct node *node = map_get(&wf->by_id, buf_str(&full));
		const struct include_alias *alias =
			node ? NULL : find_alias(wf, scope, name, &full);
		if (node)
			*vec_push(&out->list) = node->index;
		if (alias)
			add_sinks(load, alias, out);
		found = node || alias;
	}
	buf_finish(&full);
	return found;
}

static void add_named(struct load *load, const struct value *fields, const struct scope *scope,
	struct node_list_builder *out)
{
	const struct value *value = value_get(fields, STR("depends_on"));
	bool is_list = value && value->kind == VALUE_LIST;
	size_t count = !value ? 0 : is_list ? value->as.list.count : 1;
	for (size_t i = 0; i < count; i++) {
		const struct value *item = is_list ? &value->as.list.items[i] : value;
		if (item->kind != VALUE_STRING)
			diags_error(load->diags, load_place(load, item), "E-FIELD-TYPE",
				"an item of `depends_on` is %s, not an id",
				value_kind_name(item->kind));
		else if (!load_depend_on(load, scope, item->as.text, out))
			load_suggest_node(load,
				diags_error(load->diags, load_place(load, item), "E-DEP-UNKNOWN",
					"an include depends on `%.*s`, which does not exist",
					STR_ARG(item->as.text)),
				item->as.text);
	}
}

/* The condition of the include, NULL without one; what is wrong with it is told once. */
static const struct when *condition_of(struct load *load, struct include_alias *alias)
{
	const struct value *text = value_get(alias->fields, STR("when"));
	struct err err = {0};
	if (!text || alias->is_when_read)
		return alias->when;
	alias->is_when_read = true;
	const char *file = load->file;
	load->file = alias->outer->file;
	if (text->kind == VALUE_STRING)
		alias->when = when_parse(
			&load->workflow->arena, text->as.text, load_place(load, text), &err);
	if (text->kind != VALUE_STRING)
		diags_error(load->diags, load_place(load, text), "E-FIELD-TYPE",
			"`when` is %s, not a string", value_kind_name(text->kind));
	else if (!alias->when)
		diags_take(load->diags, &err);
	load->file = file;
	return alias->when;
}

static void add_gate(
	struct load *load, struct node *node, struct include_alias *alias, bool is_entry)
{
	const struct when *when = condition_of(load, alias);
	if (!when)
		return;
	struct gate *gate = arena_new(&load->workflow->arena, struct gate);
	*gate = (struct gate){
		.when = when, .scope = alias->outer, .is_entry = is_entry, .next = node->gates};
	node->gates = gate;
}

static void take_rule(struct node *node, const struct include_alias *alias)
{
	const struct value *rule = value_get(alias->fields, STR("trigger_rule"));
	for (int r = RULE_ALL_SUCCESS; rule && rule->kind == VALUE_STRING && r <= RULE_ALL_DONE;
		r++) {
		if (str_is(rule->as.text, trigger_rule_name((enum trigger_rule)r)))
			node->rule = (enum trigger_rule)r;
	}
}

void load_inherit(struct load *load, struct node *node, struct node_list_builder *out)
{
	const char *file = load->file;
	/* An entry of the body of a loop_group waits for what the group waits for. */
	if (node->scope->is_transparent && !node->include) {
		uint32_t holder = node->scope->holder;
		const struct node *group =
			holder < load->workflow->node_count ? &load->workflow->nodes[holder] : NULL;
		if (group)
			add_named(load, group->fields, group->scope, out);
		return;
	}
	struct include_alias *alias = node->include;
	for (bool is_entry = true; alias && is_entry; alias = alias->outer_include) {
		load->file = alias->outer->file;
		size_t before = out->list.len;
		add_named(load, alias->fields, alias->outer, out);
		add_gate(load, node, alias, true);
		take_rule(node, alias);
		is_entry = out->list.len == before;
	}
	load->file = file;
	load_gates(load, node, alias);
}

void load_gates(struct load *load, struct node *node, struct include_alias *alias)
{
	for (; alias; alias = alias->outer_include)
		add_gate(load, node, alias, false);
}

void load_includes(struct load *load)
{
	struct workflow *wf = load->workflow;
	for (size_t i = 0; i < load->includes.len; i++) {
		struct include_alias *alias = load->includes.ptr[i];
		struct node_list_builder sinks = {0};
		if (alias->returns_name.len) {
			const struct node *node =
				workflow_resolve(wf, alias->scope, alias->returns_name);
			alias->returns = node ? node->index : NO_NODE;
			if (!node)
				diags_error(load->diags, alias->at, "E-REF-UNKNOWN",
					"the file that `%.*s` includes returns `%.*s`, which does not exist there",
					STR_ARG(alias->id), STR_ARG(alias->returns_name));
		} else {
			add_sinks(load, alias, &sinks);
			if (sinks.list.len == 1)
				alias->returns = sinks.list.ptr[0];
		}
		vec_finish(&sinks.list);
	}
}

/* ---- loop_groups ---- */

static bool is_in_body(const struct node *node, const struct node *group)
{
	return node->scope->holder == group->index && !node->is_until;
}

static void find_last(struct load *load, struct node *node)
{
	struct workflow *wf = load->workflow;
	struct loop_group *group = node->group;
	const struct value *returns =
		value_path(value_get(node->fields, STR("loop_group")), STR("returns"));
	for (uint32_t m = 0; m < group->member_count; m++) {
		const struct node *member = &wf->nodes[group->members[m]];
		bool is_consumed = member->is_until;
		for (uint32_t c = 0; c < member->consumer_count; c++)
			is_consumed =
				is_consumed || is_in_body(&wf->nodes[member->consumers[c]], node);
		if (!is_consumed)
			group->last = member->index;
	}
	if (!returns || returns->kind != VALUE_STRING)
		return;
	const struct scope *scope =
		group->member_count ? wf->nodes[group->members[0]].scope : node->scope;
	const struct node *named = workflow_resolve(wf, scope, returns->as.text);
	if (named && named->scope->holder == node->index)
		group->last = named->index;
	else
		diags_error(load->diags, load_place(load, returns), "E-REF-UNKNOWN",
			"`returns` names `%.*s`, which is not in the loop",
			STR_ARG(returns->as.text));
}

void load_groups(struct load *load)
{
	struct workflow *wf = load->workflow;
	for (uint32_t i = 0; i < wf->node_count; i++) {
		struct node *node = &wf->nodes[i];
		if (!node->group)
			continue;
		uint32_t count = 0;
		for (uint32_t k = 0; k < wf->node_count; k++)
			count += wf->nodes[k].scope->holder == i;
		node->group->members = arena_array(&wf->arena, uint32_t, count);
		for (uint32_t k = 0; k < wf->node_count; k++) {
			if (wf->nodes[k].scope->holder == i)
				node->group->members[node->group->member_count++] = k;
		}
		load->file = node->scope->file;
		find_last(load, node);
	}
}
