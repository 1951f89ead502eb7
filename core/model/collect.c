/* collect: flattens a workflow: nodes of included files and of bodies of loop_groups become nodes of the one graph, with ids
 * behind the id of what holds them: build__compile.  Nothing is rewritten: a node knows the scope in which its text was
 * written, and names are resolved there. */
#include "model/load.h"

#include "base/buf.h"
#include "data/json.h"
#include "data/yaml.h"

#include <stdlib.h>

static const size_t deepest_include = 8;

str load_full_id(struct load *load, const struct scope *scope, str name)
{
	if (!scope->prefix.len)
		return name;
	return str_of(arena_printf(
		&load->workflow->arena, "%.*s%.*s", STR_ARG(scope->prefix), STR_ARG(name)));
}

/* Names of files live as long as the process: errors point at them after a workflow that did not load is gone. */
static const char *keep_name(const char *path)
{
	static struct arena names;
	return arena_str(&names, str_of(path)).ptr;
}

static void report_cycle(struct load *load, const struct value *at, const char *path)
{
	struct buf chain = {0};
	for (size_t i = 0; i < load->depth; i++)
		buf_printf(&chain, "%s -> ", load->stack[i]);
	err_help(diags_error(load->diags, load_place(load, at), "E-INCLUDE-CYCLE",
			 "workflows include each other in a circle: %s%s", buf_cstr(&chain), path),
		"take one of these includes out");
	buf_finish(&chain);
}

static bool may_enter(struct load *load, const struct value *at, const char *path)
{
	for (size_t i = 0; i < load->depth; i++) {
		if (!strcmp(load->stack[i], path)) {
			report_cycle(load, at, path);
			return false;
		}
	}
	if (load->depth <= deepest_include)
		return true;
	struct buf chain = {0};
	for (size_t i = 0; i < load->depth; i++)
		buf_printf(&chain, "%s -> ", load->stack[i]);
	err_help(diags_error(load->diags, load_place(load, at), "E-INCLUDE-DEPTH",
			 "includes are nested more than %zu deep: %s%s", deepest_include,
			 buf_cstr(&chain), path),
		"include fewer levels");
	buf_finish(&chain);
	return false;
}

/* Whether the value can be one of the input's type: a text in which something is referred to, only when it is known. */
static bool may_fit(struct load *load, const struct input_spec *input, const struct value *value)
{
	bool is_text = value->kind == VALUE_STRING;
	if (value_get(value, STR("from")) ||
		(is_text && str_find_char(value->as.text, '$', 0) != SIZE_MAX))
		return true;
	if (!is_text || str_is(input->type, "string"))
		return workflow_input_fits(input->type, value);
	const struct value *parsed = json_parse(&load->workflow->arena, value->as.text, NULL);
	return parsed && workflow_input_fits(input->type, parsed);
}

static struct bindings take_with(
	struct load *load, const struct value *map, const struct scope *child, str id)
{
	struct bindings with = {0};
	const struct value *values = value_get(map, STR("with"));
	struct arena *arena = &load->workflow->arena;
	if (values && values->kind == VALUE_MAP) {
		with.ptr = arena_array(arena, struct binding, values->as.map.count);
		for (size_t i = 0; i < values->as.map.count; i++) {
			const struct value_member *m = &values->as.map.items[i];
			const struct input_spec *input = NULL;
			for (size_t k = 0; k < child->inputs.len; k++) {
				if (str_eq(child->inputs.ptr[k].name, m->key))
					input = &child->inputs.ptr[k];
			}
			if (input && !may_fit(load, input, &m->value))
				diags_error(load->diags, load_place(load, &m->value),
					"E-INPUT-TYPE", "input `%.*s` is %s, not a %.*s",
					STR_ARG(m->key), value_kind_name(m->value.kind),
					STR_ARG(input->type));
			if (!input)
				err_help(
					diags_error(load->diags, load_key_place(load, m),
						"E-INPUT-UNKNOWN",
						"the workflow that `%.*s` includes has no input `%.*s`",
						STR_ARG(id), STR_ARG(m->key)),
					"declare it there under `inputs`");
			with.ptr[with.len++] = (struct binding){.name = m->key,
				.variable = m->key,
				.value = &m->value,
				.at = load_key_place(load, m)};
			load_take_from(load, &with.ptr[with.len - 1]);
		}
	}
	for (size_t k = 0; k < child->inputs.len; k++) {
		const struct input_spec *input = &child->inputs.ptr[k];
		bool is_given = input->fallback != NULL;
		for (size_t i = 0; i < with.len; i++)
			is_given = is_given || str_eq(with.ptr[i].name, input->name);
		if (input->required && !is_given)
			err_help(
				diags_error(load->diags, load_place(load, map), "E-INPUT-MISSING",
					"`%.*s` includes a workflow that requires the input `%.*s`",
					STR_ARG(id), STR_ARG(input->name)),
				"add `with: {%.*s: …}`", STR_ARG(input->name));
	}
	return with;
}

static void check_include_fields(struct load *load, const struct value *map, str id)
{
	static const str known[] = {STR_INIT("id"), STR_INIT("include"), STR_INIT("with"),
		STR_INIT("depends_on"), STR_INIT("when"), STR_INIT("trigger_rule"),
		STR_INIT("description")};
	for (size_t i = 0; i < map->as.map.count; i++) {
		const struct value_member *m = &map->as.map.items[i];
		bool is_known = str_starts(m->key, STR("x-"));
		for (size_t k = 0; k < sizeof(known) / sizeof(known[0]); k++)
			is_known = is_known || str_eq(m->key, known[k]);
		if (!is_known)
			err_help(
				diags_error(load->diags, load_key_place(load, m), "E-FIELD-UNKNOWN",
					"an include has no field `%.*s` (`%.*s`)", STR_ARG(m->key),
					STR_ARG(id)),
				"set it on the nodes of the included file");
	}
}

static void enter_file(
	struct load *load, struct include_alias *alias, str text, const char *path, str *returns)
{
	struct workflow *wf = load->workflow;
	const struct value *root =
		yaml_parse(&wf->arena, arena_str(&wf->arena, text), path, load->diags);
	if (!root)
		return;
	const char *outer_file = load->file;
	load->file = path;
	load->stack[load->depth++] = path;
	const struct value *nodes = load_top(load, root, alias->scope, returns);
	load->file = outer_file;
	struct include_alias *outer_include = load->include;
	load->include = alias;
	if (nodes) {
		struct bindings *with = arena_new(&wf->arena, struct bindings);
		*with = take_with(load, alias->fields, alias->scope, alias->id);
		alias->scope->with = with;
		load->file = path;
		load_collect(load, nodes, alias->scope, alias);
		load->file = outer_file;
	}
	load->include = outer_include;
	load->depth--;
}

/* What could not be read is known by its name: that others wait for it is no second mistake. */
static void add_empty(struct load *load, const struct value *map, const struct scope *outer, str id)
{
	struct arena *arena = &load->workflow->arena;
	struct include_alias *alias = arena_new(arena, struct include_alias);
	struct scope *scope = arena_new(arena, struct scope);
	*scope = (struct scope){.outer = outer,
		.file = outer->file,
		.source = outer->source,
		.root = outer->root,
		.prefix = STR(""),
		.holder = outer->holder};
	*alias = (struct include_alias){.id = load_full_id(load, outer, id),
		.at = load_place(load, map),
		.fields = map,
		.outer = outer,
		.scope = scope,
		.returns_name = STR(""),
		.returns = NO_NODE};
	map_put(&load->workflow->aliases, alias->id, alias);
}

static void collect_include(
	struct load *load, const struct value *map, const struct scope *outer, str id)
{
	struct workflow *wf = load->workflow;
	const struct value *name = value_get(map, STR("include"));
	struct buf text = {0};
	char *path = NULL;
	struct err err = {0};
	if (name->kind != VALUE_STRING) {
		diags_error(load->diags, load_place(load, name), "E-FIELD-TYPE",
			"`include` is %s, not the name of a workflow", value_kind_name(name->kind));
		return;
	}
	if (!load->types->read ||
		!load->types->read(load->types->ctx, name->as.text, &text, &path, &err)) {
		if (!err_is_set(&err))
			err_set(&err, "E-WORKFLOW-UNKNOWN", "there is no workflow `%.*s`",
				STR_ARG(name->as.text));
		err_at(&err, load_place(load, name));
		diags_take(load->diags, &err);
		buf_finish(&text);
		add_empty(load, map, outer, id);
		return;
	}
	const char *kept = keep_name(path);
	free(path);
	struct include_alias *alias = arena_new(&wf->arena, struct include_alias);
	struct scope *scope = arena_new(&wf->arena, struct scope);
	*scope = (struct scope){.outer = outer,
		.file = kept,
		.source = arena_str(&wf->arena, buf_str(&text)),
		.prefix = str_of(arena_printf(
			&wf->arena, "%.*s%.*s__", STR_ARG(outer->prefix), STR_ARG(id))),
		.holder = outer->holder};
	*alias = (struct include_alias){.outer_include = load->include,
		.id = load_full_id(load, outer, id),
		.at = load_place(load, map),
		.fields = map,
		.outer = outer,
		.scope = scope,
		.first = (uint32_t)load->found.len,
		.returns = NO_NODE};
	check_include_fields(load, map, id);
	str returns = STR("");
	if (may_enter(load, name, kept))
		enter_file(load, alias, scope->source, kept, &returns);
	alias->end = (uint32_t)load->found.len;
	alias->returns_name = returns;
	map_put(&wf->aliases, alias->id, alias);
	*vec_push(&load->includes) = alias;
	buf_finish(&text);
}

/* `until_TYPE: BODY` becomes the node {id: until, TYPE: BODY} behind all others of the body: its good end ends the loop. */
static void add_until(struct load *load, const struct value *group, const struct value *nodes,
	struct scope *scope)
{
	struct arena *arena = &load->workflow->arena;
	str prefix = STR("until_");
	for (size_t i = 0; group->kind == VALUE_MAP && i < group->as.map.count; i++) {
		const struct value_member *m = &group->as.map.items[i];
		if (!str_starts(m->key, prefix))
			continue;
		struct value *map = arena_new(arena, struct value);
		struct value *deps = arena_new(arena, struct value);
		*deps = (struct value){.kind = VALUE_LIST, .line = m->line, .col = m->col};
		deps->as.list.items = arena_array(arena, struct value, nodes->as.list.count);
		for (size_t k = 0; nodes->kind == VALUE_LIST && k < nodes->as.list.count; k++) {
			const struct value *id = value_get(&nodes->as.list.items[k], STR("id"));
			if (id && id->kind == VALUE_STRING)
				deps->as.list.items[deps->as.list.count++] = *id;
		}
		*map = (struct value){.kind = VALUE_MAP, .line = m->line, .col = m->col};
		map->as.map.items = arena_array(arena, struct value_member, 3);
		map->as.map.count = 3;
		struct value_member *members = map->as.map.items;
		members[0] = (struct value_member){
			STR("id"), m->line, m->col, value_string(STR("until"))};
		members[1] = (struct value_member){
			str_slice(m->key, prefix.len, m->key.len), m->line, m->col, m->value};
		members[2] = (struct value_member){STR("depends_on"), m->line, m->col, *deps};
		*vec_push(&load->found) = (struct found_node){
			.map = map, .scope = scope, .number = i + 1, .is_until = true};
	}
}

static void collect_group(struct load *load, const struct value *map, const struct scope *outer,
	struct include_alias *include, size_t number)
{
	const struct value *group = value_get(map, STR("loop_group"));
	str id = value_get(map, STR("id"))->as.text;
	const struct value *nodes = value_get(group, STR("nodes"));
	uint32_t holder = (uint32_t)load->found.len;
	struct workflow *wf = load->workflow;
	*vec_push(&load->found) = (struct found_node){map, outer, include, number, false};
	if (!nodes) {
		err_help(diags_error(load->diags, load_place(load, group), "E-LOOP-NODES",
				 "`loop_group` has no `nodes`"),
			"write its body under `loop_group: {nodes: …}`");
		return;
	}
	struct scope *scope = arena_new(&wf->arena, struct scope);
	*scope = (struct scope){.outer = outer,
		.file = load->file,
		.source = outer->source,
		.root = outer->root,
		.prefix = str_of(arena_printf(
			&wf->arena, "%.*s%.*s__", STR_ARG(outer->prefix), STR_ARG(id))),
		.is_transparent = true,
		.with = outer->with,
		.holder = holder};
	scope->inputs = outer->inputs;
	load_collect(load, nodes, scope, NULL);
	add_until(load, group, nodes, scope);
}

void load_collect(struct load *load, const struct value *nodes, struct scope *scope,
	struct include_alias *include)
{
	if (nodes->kind != VALUE_LIST || !nodes->as.list.count) {
		err_help(
			diags_error(load->diags, load_place(load, nodes), "E-NODES",
				"`nodes` is %s",
				nodes->kind == VALUE_LIST ? "empty" : value_kind_name(nodes->kind)),
			"write a list: `nodes:` and below it `  - id: hello` with `    bash: echo hello`");
		return;
	}
	for (size_t i = 0; i < nodes->as.list.count; i++) {
		const struct value *map = &nodes->as.list.items[i];
		const struct value *id = value_get(map, STR("id"));
		bool is_named = id && id->kind == VALUE_STRING && load_is_name(id->as.text);
		if (map->kind != VALUE_MAP)
			err_help(diags_error(load->diags, load_place(load, map), "E-NODES",
					 "node %zu is %s, not a mapping", i + 1,
					 value_kind_name(map->kind)),
				"write `- id: hello` and below it `  bash: echo hello`");
		else if (is_named && value_get(map, STR("include")))
			collect_include(load, map, scope, id->as.text);
		else if (is_named && value_get(map, STR("loop_group")))
			collect_group(load, map, scope, include, i + 1);
		else
			*vec_push(&load->found) =
				(struct found_node){map, scope, include, i + 1, false};
	}
}
