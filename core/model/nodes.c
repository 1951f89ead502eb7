/* nodes: each entry of `nodes:`: its id, its one type key, its fields, and whatever should not be there. */
#include "model/load.h"

#include "base/buf.h"
#include "base/mem.h"

bool load_is_name(str text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		bool is_letter = c == '_' || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
		bool is_later = c == '-' || (c >= '0' && c <= '9');
		if (!is_letter && (i == 0 || !is_later))
			return false;
	}
	return text.len >= 1 && text.len <= 64;
}

/* Control types of the core; they run no plugin. */
static bool is_control_type(str key)
{
	static const char *const names[] = {
		"approval", "cancel", "include", "workflow", "loop_group"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (str_is(key, names[i]))
			return true;
	}
	return false;
}

bool load_is_foreign_key(str key)
{
	/* Archon's, without meaning to a deterministic workflow. */
	static const char *const names[] = {"provider", "model", "effort", "interactive",
		"worktree", "container", "tags", "requires", "mutates_checkout", "evidence_policy",
		"outcome_field", "betas", "sandbox", "thinking", "modelReasoningEffort",
		"webSearchMode", "additionalDirectories", "fallbackModel", "maxBudgetUsd",
		"systemPrompt", "allowed_tools", "denied_tools", "mcp", "hooks", "skills",
		"idle_timeout", "context"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (str_is(key, names[i]))
			return true;
	}
	return false;
}

void load_note_foreign(struct load *load, const struct value_member *member)
{
	if (!load->foreign) {
		load->foreign = &member->value;
		load->foreign_key = member->key;
	}
}

static bool is_type_key(struct load *load, str key)
{
	return is_control_type(key) || map_get(&load->type_names, key);
}

/* Asks for a type once; reports its plugin's trouble once, at the first node that wants it. */
static const struct load_type *find_type(struct load *load, const struct value_member *member)
{
	struct load_type *known = map_get(&load->type_schemas, member->key);
	if (known)
		return known;
	known = arena_new(&load->workflow->arena, struct load_type);
	map_put(&load->type_schemas, member->key, known);
	struct err err = {0};
	known->is_found = load->types->find(load->types->ctx, member->key, &known->schema, &err);
	if (!known->is_found && err_is_set(&err)) {
		err_at(&err, load_key_place(load, member));
		diags_take(load->diags, &err);
	}
	return known;
}

static void report_unknown(struct load *load, const struct node *node, const struct value_member *m,
	const struct value *schema)
{
	size_t count = 0;
	const struct field *table = field_table(&count);
	const struct value *properties = value_get(schema, STR("properties"));
	size_t more = properties ? properties->as.map.count : 0;
	str *known = mem_alloc(mem_mul(count + more + 1, sizeof(*known)));
	for (size_t i = 0; i < count; i++)
		known[i] = str_of(table[i].name);
	for (size_t i = 0; i < more; i++)
		known[count + i] = properties->as.map.items[i].key;
	struct err *err = diags_error(load->diags, load_key_place(load, m), "E-FIELD-UNKNOWN",
		"node `%.*s` has no field `%.*s`", STR_ARG(node->id), STR_ARG(m->key));
	str near = str_nearest(m->key, known, count + more);
	if (near.len)
		err_help(err, "did you mean `%.*s`?", STR_ARG(near));
	else
		err_help(err, "keys of your own begin with `x-`");
	free(known);
}

static bool take_type(struct load *load, struct node *node, const struct value *map)
{
	const struct value_member *first = NULL;
	const struct value_member *stranger = NULL;
	for (size_t i = 0; i < map->as.map.count; i++) {
		const struct value_member *m = &map->as.map.items[i];
		if (field_find(m->key) || load_is_foreign_key(m->key) ||
			str_starts(m->key, STR("x-")))
			continue;
		if (!is_type_key(load, m->key)) {
			stranger = stranger ? stranger : m;
			continue;
		}
		if (first) {
			err_help(diags_error(load->diags, load_key_place(load, m), "E-TYPE-TWO",
					 "node `%.*s` has two types, `%.*s` and `%.*s`",
					 STR_ARG(node->id), STR_ARG(first->key), STR_ARG(m->key)),
				"make two nodes of it, the second with `depends_on: [%.*s]`",
				STR_ARG(node->id));
			return false;
		}
		first = m;
	}
	if (first) {
		node->type = first->key;
		node->type_at = load_key_place(load, first);
		return true;
	}
	static const str known_elsewhere[] = {
		STR_INIT("prompt"), STR_INIT("command"), STR_INIT("loop")};
	for (size_t i = 0; i < 3; i++) {
		const struct value *value = value_get(map, known_elsewhere[i]);
		if (value) {
			err_help(diags_error(load->diags, load_place(load, value), "E-TYPE-MISSING",
					 "node `%.*s` is of type `%.*s`, which no plugin provides",
					 STR_ARG(node->id), STR_ARG(known_elsewhere[i])),
				"install a plugin pawl_%.*s.so (see `pawl types`), or write the step as `bash:` or `script:`",
				STR_ARG(known_elsewhere[i]));
			return false;
		}
	}
	struct err *err = diags_error(
		load->diags, node->at, "E-TYPE-NONE", "node `%.*s` has no type", STR_ARG(node->id));
	if (stranger)
		err_help(err,
			"`%.*s` is not a type that a plugin provides; `pawl types` lists them",
			STR_ARG(stranger->key));
	else
		err_help(err,
			"add what it runs, for example `bash: echo hello`; `pawl types` lists the types");
	return false;
}

static void take_fields(struct load *load, struct node *node, const struct value *map)
{
	const struct value *schema = NULL;
	for (size_t i = 0; i < map->as.map.count; i++) {
		const struct value_member *m = &map->as.map.items[i];
		if (str_eq(m->key, node->type) && !is_control_type(m->key)) {
			const struct load_type *type = find_type(load, m);
			schema = type->schema;
		}
	}
	const struct value *properties = value_get(schema, STR("properties"));
	for (size_t i = 0; i < map->as.map.count; i++) {
		const struct value_member *m = &map->as.map.items[i];
		const struct field *field = field_find(m->key);
		if (field)
			field->take(load, node, m);
		else if (str_eq(m->key, node->type) || str_starts(m->key, STR("x-")) ||
			 value_get(properties, m->key))
			continue;
		else if (load_is_foreign_key(m->key))
			load_note_foreign(load, m);
		else if (node->type.len && !is_type_key(load, m->key))
			report_unknown(load, node, m, schema);
	}
}

static bool take_id(struct load *load, struct node *node, const struct value *map, size_t number)
{
	const struct value *id = value_get(map, STR("id"));
	if (!id) {
		err_help(diags_error(load->diags, node->at, "E-ID-MISSING", "node %zu has no `id`",
				 number),
			"add `id: some-name`; other nodes and commands call it by that");
		return false;
	}
	if (id->kind != VALUE_STRING || !load_is_name(id->as.text) ||
		str_is(id->as.text, "INPUTS") || str_is(id->as.text, "LOOP_PREV")) {
		str shown = id->kind == VALUE_STRING || id->kind == VALUE_NUMBER
		                    ? id->as.text
		                    : str_of(value_kind_name(id->kind));
		err_help(diags_error(load->diags, load_place(load, id), "E-ID-NAME",
				 "`%.*s` cannot be an id", STR_ARG(shown)),
			"an id is a letter or _, then letters, digits, _ or -, at most 64; INPUTS and LOOP_PREV are reserved");
		return false;
	}
	node->id = id->as.text;
	struct node *other = map_get(&load->workflow->by_id, node->id);
	if (other) {
		err_help(diags_error(load->diags, load_place(load, id), "E-ID-DUPLICATE",
				 "there are two nodes `%.*s`", STR_ARG(node->id)),
			"the first is on line %u; give this one another id", other->at.line);
		return false;
	}
	map_put(&load->workflow->by_id, node->id, node);
	return true;
}

void load_nodes(struct load *load, const struct value *nodes)
{
	struct workflow *wf = load->workflow;
	if (nodes->kind != VALUE_LIST || !nodes->as.list.count) {
		err_help(
			diags_error(load->diags, load_place(load, nodes), "E-NODES",
				"`nodes` is %s",
				nodes->kind == VALUE_LIST ? "empty" : value_kind_name(nodes->kind)),
			"write a list: `nodes:` and below it `  - id: hello` with `    bash: echo hello`");
		return;
	}
	wf->nodes = arena_array(&wf->arena, struct node, nodes->as.list.count);
	for (size_t i = 0; i < nodes->as.list.count; i++) {
		const struct value *map = &nodes->as.list.items[i];
		struct node *node = &wf->nodes[wf->node_count];
		*node = (struct node){
			.index = wf->node_count, .at = load_place(load, map), .fields = map};
		if (map->kind != VALUE_MAP) {
			diags_error(load->diags, node->at, "E-NODES",
				"node %zu is %s, not a mapping", i + 1, value_kind_name(map->kind));
			continue;
		}
		if (!take_id(load, node, map, i + 1))
			continue;
		wf->node_count++;
		take_type(load, node, map);
		take_fields(load, node, map);
		if (node->type.len && is_control_type(node->type))
			err_help(diags_error(load->diags, node->type_at, "E-NOT-YET",
					 "`%.*s` nodes are not in this version",
					 STR_ARG(node->type)),
				"see CHANGELOG.md for what this version runs");
	}
}
