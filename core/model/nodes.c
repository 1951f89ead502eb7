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

/* Types that workflows of other programs have, and that a plugin could provide. */
static bool is_type_elsewhere(str key)
{
	return str_is(key, "prompt") || str_is(key, "command") || str_is(key, "loop") ||
	       str_is(key, "route_loop") || str_is(key, "wait");
}

/* Archon's, without meaning to a deterministic workflow. */
static const char *const foreign_keys[] = {"provider", "model", "effort", "interactive", "worktree",
	"container", "tags", "requires", "mutates_checkout", "evidence_policy", "outcome_field",
	"betas", "sandbox", "thinking", "modelReasoningEffort", "webSearchMode",
	"additionalDirectories", "fallbackModel", "maxBudgetUsd", "systemPrompt", "allowed_tools",
	"denied_tools", "mcp", "hooks", "skills", "idle_timeout", "context", "fresh_context",
	"gate_message", "agents", "settingSources", "persist_session"};

const char *load_foreign_key(size_t number)
{
	return number < sizeof(foreign_keys) / sizeof(foreign_keys[0]) ? foreign_keys[number]
	                                                               : NULL;
}

bool load_is_foreign_key(str key)
{
	for (size_t i = 0; load_foreign_key(i); i++) {
		if (str_is(key, load_foreign_key(i)))
			return true;
	}
	return false;
}

void load_note_foreign(struct load *load, const struct value_member *member)
{
	if (!load->foreign)
		load->foreign = member;
}

static bool is_type_key(struct load *load, str key)
{
	return is_control_type(key) || map_get(&load->type_names, key);
}

/* A member that only a node's type could make sense of. */
static bool may_be_type(str key)
{
	return !field_find(key) && !load_is_foreign_key(key) && !str_starts(key, STR("x-"));
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
	if (!known->is_found) {
		if (!err_is_set(&err))
			err_set(&err, "E-TYPE-MISSING", "no plugin provides the type `%.*s`",
				STR_ARG(member->key));
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

static str nearest_type(const struct load *load, str wanted)
{
	const struct map *names = &load->type_names;
	str *keys = mem_alloc(mem_mul(names->len + 1, sizeof(*keys)));
	size_t count = 0;
	for (size_t i = 0; i < names->cap; i++) {
		if (names->slots[i].key.ptr)
			keys[count++] = names->slots[i].key;
	}
	str near = str_nearest(wanted, keys, count);
	free(keys);
	return near;
}

static bool take_type(struct load *load, struct node *node, const struct value *map)
{
	const struct value_member *first = NULL;
	const struct value_member *stranger = NULL;
	const struct value_member *elsewhere = NULL;
	for (size_t i = 0; i < map->as.map.count; i++) {
		const struct value_member *m = &map->as.map.items[i];
		if (!may_be_type(m->key))
			continue;
		if (!is_type_key(load, m->key)) {
			if (is_type_elsewhere(m->key))
				elsewhere = m;
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
	if (elsewhere) {
		err_help(diags_error(load->diags, load_key_place(load, elsewhere), "E-TYPE-MISSING",
				 "node `%.*s` is of type `%.*s`, which no plugin provides",
				 STR_ARG(node->id), STR_ARG(elsewhere->key)),
			"install a plugin pawl_%.*s.so (see `pawl types`), or write the step as `bash:` or `script:`",
			STR_ARG(elsewhere->key));
		return false;
	}
	struct err *err =
		diags_error(load->diags, stranger ? load_key_place(load, stranger) : node->at,
			"E-TYPE-NONE", "node `%.*s` has no type", STR_ARG(node->id));
	str near = stranger ? nearest_type(load, stranger->key) : STR("");
	if (near.len)
		err_help(
			err, "`%.*s`: did you mean `%.*s`?", STR_ARG(stranger->key), STR_ARG(near));
	else if (stranger)
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
			 value_get(properties, m->key) ||
			 (str_is(node->type, "workflow") && str_is(m->key, "input")))
			continue;
		else if (load_is_foreign_key(m->key))
			load_note_foreign(load, m);
		else if (node->type.len && !is_type_key(load, m->key))
			report_unknown(load, node, m, schema);
	}
}

/* False where the node can't be named; *is_new is false for the second of a name, whose fields are still looked at. */
static bool take_id(struct load *load, struct node *node, size_t number, bool *is_new)
{
	const struct value *map = node->fields;
	const struct value *id = value_get(map, STR("id"));
	if (!id) {
		err_help(diags_error(load->diags, node->at, "E-ID-MISSING", "node %zu has no `id`",
				 number),
			"add `id: some-name`; other nodes and commands call it by that");
		return false;
	}
	if (id->kind != VALUE_STRING || !load_is_name(id->as.text) ||
		str_is(id->as.text, "INPUTS") || str_is(id->as.text, "LOOP_PREV")) {
		bool has_text = id->kind == VALUE_STRING || id->kind == VALUE_NUMBER;
		str shown = has_text ? id->as.text : str_of(value_kind_name(id->kind));
		const char *quote = has_text ? "`" : "";
		err_help(diags_error(load->diags, load_place(load, id), "E-ID-NAME",
				 "%s%.*s%s cannot be an id", quote, STR_ARG(shown), quote),
			"an id is a letter or _, then letters, digits, _ or -, at most 64; INPUTS and LOOP_PREV are reserved");
		return false;
	}
	node->id = load_full_id(load, node->scope, id->as.text);
	const struct node *other = map_get(&load->workflow->by_id, node->id);
	*is_new = !other;
	if (other) {
		err_help(diags_error(load->diags, load_place(load, id), "E-ID-DUPLICATE",
				 "there are two nodes `%.*s`", STR_ARG(node->id)),
			"the first is on line %u; give this one another id", other->at.line);
		return true;
	}
	map_put(&load->workflow->by_id, node->id, node);
	return true;
}

static enum control control_of(str type)
{
	static const struct {
		const char *name;
		enum control control;
	} table[] = {{"approval", CONTROL_APPROVAL}, {"cancel", CONTROL_CANCEL},
		{"workflow", CONTROL_WORKFLOW}, {"loop_group", CONTROL_LOOP_GROUP}};
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (str_is(type, table[i].name))
			return table[i].control;
	}
	return CONTROL_NONE;
}

void load_nodes(struct load *load)
{
	struct workflow *wf = load->workflow;
	wf->nodes = arena_array(&wf->arena, struct node, load->found.len);
	for (size_t i = 0; i < load->found.len; i++) {
		const struct found_node *found = &load->found.ptr[i];
		struct node *node = &wf->nodes[wf->node_count];
		load->file = found->scope->file;
		*node = (struct node){.index = wf->node_count,
			.at = load_place(load, found->map),
			.fields = found->map,
			.scope = found->scope,
			.include = found->include,
			.always_run = found->is_until ? "it is asked after each iteration" : NULL,
			.is_until = found->is_until};
		bool is_new = false;
		if (!take_id(load, node, found->number, &is_new))
			continue;
		wf->node_count += is_new;
		wf->top_count += is_new && found->scope->holder == NO_NODE;
		take_type(load, node, found->map);
		take_fields(load, node, found->map);
		node->control = control_of(node->type);
		load_control(load, node);
	}
}
