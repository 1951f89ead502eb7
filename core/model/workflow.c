/* workflow: the top level of a file, and loading as a whole.  See workflow.h. */
#include "model/workflow.h"

#include "base/buf.h"
#include "base/mem.h"
#include "data/yaml.h"
#include "model/load.h"

#include <stdlib.h>

/* What `defaults` and the top-level `env`, `pass_env`, `secrets` give to every node. */
struct defaults {
	uint64_t timeout_ms;
	struct retry retry;
	bool has_retry;
	struct bindings env;     /* of `defaults` */
	struct bindings top_env; /* of the workflow; `defaults` wins */
	struct strs pass_env;
	struct strs secrets;
	struct strs policies; /* of an included file */
};

/* The defaults of one file, which hold for its own nodes only. */
struct file_defaults {
	const struct scope *scope;
	struct defaults defaults;
	const struct file_defaults *next;
};

struct top {
	struct load *load;
	struct scope *scope;
	struct defaults defaults;
	const struct value *nodes;
	str name;
	str returns;
};

static void take_name(struct top *top, const struct value_member *m)
{
	if (take_text(top->load, m, &top->name) && !load_is_name(top->name))
		err_help(diags_error(top->load->diags, load_place(top->load, &m->value), "E-NAME",
				 "`%.*s` cannot be the name of a workflow", STR_ARG(top->name)),
			"a name is a letter or _, then letters, digits, _ or -, at most 64");
}

static void take_top_description(struct top *top, const struct value_member *m)
{
	str text = STR("");
	if (take_text(top->load, m, &text) && !top->scope->outer)
		top->load->workflow->description = text;
}

bool workflow_input_fits(str type, const struct value *value)
{
	if (str_is(type, "json"))
		return true;
	if (str_is(type, "number"))
		return value->kind == VALUE_NUMBER;
	return value->kind == (str_is(type, "boolean") ? VALUE_BOOL : VALUE_STRING);
}

/* Without a `type` the default says what the input is. */
static void take_default(struct load *load, struct input_spec *input, bool is_typed)
{
	const struct value *value = input->fallback;
	if (!value)
		return;
	if (!is_typed && value->kind != VALUE_STRING)
		input->type = value->kind == VALUE_NUMBER ? STR("number")
		              : value->kind == VALUE_BOOL ? STR("boolean")
		                                          : STR("json");
	if (!workflow_input_fits(input->type, value))
		err_help(diags_error(load->diags, load_place(load, value), "E-INPUT-TYPE",
				 "the default of input `%.*s` is %s, not a %.*s",
				 STR_ARG(input->name), value_kind_name(value->kind),
				 STR_ARG(input->type)),
			"give it a default of its type, or another type");
}

static void take_input(struct top *top, const struct value_member *m)
{
	static const str types[] = {
		STR_INIT("string"), STR_INIT("number"), STR_INIT("boolean"), STR_INIT("json")};
	struct load *load = top->load;
	struct scope *scope = top->scope;
	struct input_spec *input = &scope->inputs.ptr[scope->inputs.len++];
	*input = (struct input_spec){
		.name = m->key, .type = STR("string"), .at = load_key_place(load, m)};
	if (!load_is_name(m->key))
		err_help(diags_error(load->diags, input->at, "E-INPUT-NAME",
				 "`%.*s` cannot be the name of an input", STR_ARG(m->key)),
			"a name is a letter or _, then letters, digits, _ or -, at most 64");
	bool is_typed = false;
	if (m->value.kind == VALUE_NULL)
		return;
	if (m->value.kind != VALUE_MAP) {
		err_help(load_wrong_kind(load, m, "a mapping"),
			"write `%.*s: {type: string, required: true}`", STR_ARG(m->key));
		return;
	}
	for (size_t i = 0; i < m->value.as.map.count; i++) {
		const struct value_member *f = &m->value.as.map.items[i];
		if (str_is(f->key, "required")) {
			take_flag(load, f, &input->required);
		} else if (str_is(f->key, "default")) {
			input->fallback = &f->value;
		} else if (str_is(f->key, "description")) {
			take_text(load, f, &input->description);
		} else if (str_is(f->key, "type")) {
			is_typed = true;
			take_text(load, f, &input->type);
			bool is_known = false;
			for (size_t t = 0; t < 4; t++)
				is_known = is_known || str_eq(types[t], input->type);
			if (!is_known)
				err_help(diags_error(load->diags, load_place(load, &f->value),
						 "E-INPUT-TYPE", "there is no input type `%.*s`",
						 STR_ARG(input->type)),
					"one of string, number, boolean, json");
		} else {
			err_help(diags_error(load->diags, load_key_place(load, f),
					 "E-FIELD-UNKNOWN", "input `%.*s` has no field `%.*s`",
					 STR_ARG(m->key), STR_ARG(f->key)),
				"fields of an input are type, required, default and description");
		}
	}
	take_default(load, input, is_typed);
}

static void take_inputs(struct top *top, const struct value_member *m)
{
	struct workflow *wf = top->load->workflow;
	if (m->value.kind != VALUE_MAP) {
		load_wrong_kind(top->load, m, "a mapping of input names");
		return;
	}
	size_t count = m->value.as.map.count;
	top->scope->inputs.ptr = arena_alloc(&wf->arena, mem_mul(count, sizeof(struct input_spec)));
	for (size_t i = 0; i < count; i++)
		take_input(top, &m->value.as.map.items[i]);
}

/* A name is one pool, also when an included file declares it too: each that does bounds it. */
static void add_pool(struct workflow *wf, str name, uint32_t size)
{
	for (size_t i = 0; i < wf->pools.len; i++) {
		struct pool *pool = &wf->pools.ptr[i];
		if (!str_eq(pool->name, name))
			continue;
		pool->size = pool->size < size ? pool->size : size;
		return;
	}
	wf->pools.ptr[wf->pools.len++] = (struct pool){name, size};
}

static void take_pools(struct top *top, const struct value_member *m)
{
	struct load *load = top->load;
	struct workflow *wf = load->workflow;
	if (m->value.kind != VALUE_MAP) {
		err_help(load_wrong_kind(load, m, "a mapping"), "write `pools: {gpu: 1}`");
		return;
	}
	struct pool *others = wf->pools.ptr;
	wf->pools.ptr = arena_array(&wf->arena, struct pool, wf->pools.len + m->value.as.map.count);
	for (size_t i = 0; i < wf->pools.len; i++)
		wf->pools.ptr[i] = others[i];
	for (size_t i = 0; i < m->value.as.map.count; i++) {
		const struct value_member *p = &m->value.as.map.items[i];
		uint64_t size = 0;
		if (p->value.kind != VALUE_NUMBER || !str_to_u64(p->value.as.text, &size) ||
			size < 1 || size > 10000)
			load_wrong_value(load, p, "a whole number from 1 to 10000");
		add_pool(wf, p->key, (uint32_t)size);
	}
}

static void take_shell(struct top *top, const struct value_member *m)
{
	struct load *load = top->load;
	const struct value *options = value_get(&m->value, STR("options"));
	struct err *err = NULL;
	if (m->value.kind != VALUE_MAP)
		err = load_wrong_kind(load, m, "a mapping");
	else if (!options || options->kind != VALUE_STRING || m->value.as.map.count != 1)
		err = diags_error(load->diags, load_place(load, &m->value), "E-FIELD-TYPE",
			"`shell` has one field, `options`, which is a string");
	if (err)
		err_help(err, "write `shell: {options: -eu}`");
}

static void take_defaults(struct top *top, const struct value_member *m)
{
	struct load *load = top->load;
	if (m->value.kind != VALUE_MAP) {
		load_wrong_kind(load, m, "a mapping");
		return;
	}
	for (size_t i = 0; i < m->value.as.map.count; i++) {
		const struct value_member *f = &m->value.as.map.items[i];
		if (str_is(f->key, "timeout"))
			take_limit(load, f, &top->defaults.timeout_ms);
		else if (str_is(f->key, "retry"))
			top->defaults.has_retry = take_retry(load, f, &top->defaults.retry);
		else if (str_is(f->key, "env"))
			take_variables(load, f, &top->defaults.env);
		else if (str_is(f->key, "shell"))
			take_shell(top, f);
		else
			err_help(
				diags_error(load->diags, load_key_place(load, f), "E-FIELD-UNKNOWN",
					"`defaults` has no field `%.*s`", STR_ARG(f->key)),
				"fields of `defaults` are timeout, retry, env and shell");
	}
}

static void take_top_env(struct top *top, const struct value_member *m)
{
	take_variables(top->load, m, &top->defaults.top_env);
}

static void take_top_pass_env(struct top *top, const struct value_member *m)
{
	take_names(top->load, m, &top->defaults.pass_env);
}

static void take_top_secrets(struct top *top, const struct value_member *m)
{
	take_names(top->load, m, &top->defaults.secrets);
}

static void take_top_policy(struct top *top, const struct value_member *m)
{
	/* Those of an included file are of its nodes only. */
	bool is_root = !top->scope->outer;
	take_strs(top->load, m, is_root ? &top->load->workflow->policies : &top->defaults.policies);
}

static void take_returns(struct top *top, const struct value_member *m)
{
	take_text(top->load, m, &top->returns);
}

static void take_nodes(struct top *top, const struct value_member *m)
{
	top->nodes = &m->value;
}

static const struct top_field {
	const char *name;
	void (*take)(struct top *top, const struct value_member *member);
	const char *as;     /* its schema is the one of this field of a node; or NULL */
	const char *schema; /* JSON Schema of its value, for editors */
} top_fields[] = {
	{"name", take_name, "id", NULL},
	{"description", take_top_description, "description", NULL},
	{"inputs", take_inputs, NULL,
		"{\"type\":\"object\",\"additionalProperties\":{\"anyOf\":[{\"type\":\"null\"},{\"type\":\"object\","
		"\"properties\":{\"required\":{\"type\":\"boolean\"},\"default\":{},\"description\":{\"type\":\"string\"},"
		"\"type\":{\"enum\":[\"string\",\"number\",\"boolean\",\"json\"]}},\"additionalProperties\":false}]}}"},
	{"returns", take_returns, "id", NULL},
	{"defaults", take_defaults, NULL,
		"{\"type\":\"object\",\"properties\":{\"timeout\":{\"$ref\":\"#/definitions/node/properties/timeout\"},"
		"\"retry\":{\"$ref\":\"#/definitions/node/properties/retry\"},"
		"\"env\":{\"$ref\":\"#/definitions/node/properties/env\"},"
		"\"shell\":{\"type\":\"object\",\"properties\":{\"options\":{\"type\":\"string\"}},"
		"\"additionalProperties\":false}},\"additionalProperties\":false}"},
	{"shell", take_shell, NULL,
		"{\"type\":\"object\",\"properties\":{\"options\":{\"type\":\"string\"}},\"required\":[\"options\"],"
		"\"additionalProperties\":false}"},
	{"env", take_top_env, "env", NULL},
	{"pass_env", take_top_pass_env, "pass_env", NULL},
	{"secrets", take_top_secrets, "secrets", NULL},
	{"policy", take_top_policy, "pass_env", NULL},
	{"pools", take_pools, NULL,
		"{\"type\":\"object\",\"additionalProperties\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":10000}}"},
	{"nodes", take_nodes, NULL,
		"{\"type\":\"array\",\"minItems\":1,\"items\":{\"$ref\":\"#/definitions/node\"}}"},
};

const char *load_top_field(size_t number, const char **schema)
{
	if (number >= sizeof(top_fields) / sizeof(top_fields[0]))
		return NULL;
	const struct top_field *field = &top_fields[number];
	*schema = field->as ? field_find(str_of(field->as))->schema : field->schema;
	return field->name;
}

static void take_top_field(struct top *top, const struct value_member *m)
{
	enum { count = sizeof(top_fields) / sizeof(top_fields[0]) };
	str names[count];
	for (size_t i = 0; i < count; i++) {
		names[i] = str_of(top_fields[i].name);
		if (str_eq(m->key, names[i])) {
			top_fields[i].take(top, m);
			return;
		}
	}
	if (str_starts(m->key, STR("x-")))
		return;
	if (load_is_foreign_key(m->key)) {
		load_note_foreign(top->load, m);
		return;
	}
	struct err *err = diags_error(top->load->diags, load_key_place(top->load, m),
		"E-FIELD-UNKNOWN", "a workflow has no field `%.*s`", STR_ARG(m->key));
	str near = str_nearest(m->key, names, count);
	if (near.len)
		err_help(err, "did you mean `%.*s`?", STR_ARG(near));
	else
		err_help(err, "keys of your own begin with `x-`");
}

static struct strs join_strs(struct arena *arena, struct strs a, struct strs b)
{
	if (!a.len || !b.len)
		return a.len ? a : b;
	struct strs all = {arena_array(arena, str, a.len + b.len), 0};
	for (size_t i = 0; i < a.len + b.len; i++) {
		str one = i < a.len ? a.ptr[i] : b.ptr[i - a.len];
		bool is_there = false;
		for (size_t k = 0; k < all.len; k++)
			is_there = is_there || str_eq(all.ptr[k], one);
		if (!is_there)
			all.ptr[all.len++] = one;
	}
	return all;
}

/* Names of the node win over the workflow's. */
static struct bindings join_bindings(
	struct arena *arena, struct bindings outer, struct bindings inner)
{
	if (!outer.len || !inner.len)
		return outer.len ? outer : inner;
	struct bindings all = {arena_array(arena, struct binding, outer.len + inner.len), 0};
	for (size_t i = 0; i < outer.len; i++) {
		bool is_set = false;
		for (size_t k = 0; k < inner.len; k++)
			is_set = is_set || str_eq(inner.ptr[k].name, outer.ptr[i].name);
		if (!is_set)
			all.ptr[all.len++] = outer.ptr[i];
	}
	for (size_t i = 0; i < inner.len; i++)
		all.ptr[all.len++] = inner.ptr[i];
	return all;
}

/* The file that the node stands in. */
static const struct scope *file_of(const struct node *node)
{
	const struct scope *scope = node->scope;
	while (scope->is_transparent)
		scope = scope->outer;
	return scope;
}

/* Also for the bodies of loop_groups, which stand in the same file. */
static bool is_of_file(const struct node *node, const struct scope *file)
{
	return file_of(node) == file;
}

static void apply_defaults(struct workflow *wf, const struct file_defaults *of)
{
	const struct defaults *defaults = &of->defaults;
	struct bindings env = join_bindings(&wf->arena, defaults->top_env, defaults->env);
	for (uint32_t i = 0; i < wf->node_count; i++) {
		struct node *node = &wf->nodes[i];
		if (!is_of_file(node, of->scope))
			continue;
		if (!node->timeout_ms && node->control == CONTROL_NONE)
			node->timeout_ms = defaults->timeout_ms;
		if (defaults->has_retry && !value_get(node->fields, STR("retry")))
			node->retry = defaults->retry;
		node->env = join_bindings(&wf->arena, env, node->env);
		node->pass_env = join_strs(&wf->arena, defaults->pass_env, node->pass_env);
		node->secrets = join_strs(&wf->arena, defaults->secrets, node->secrets);
		node->policies = join_strs(&wf->arena, defaults->policies, node->policies);
	}
}

static void note_type(void *arg, str keyword)
{
	struct load *load = arg;
	map_put(&load->type_names, arena_str(&load->workflow->arena, keyword), load);
}

const struct value *load_top(
	struct load *load, const struct value *root, struct scope *scope, str *returns)
{
	struct workflow *wf = load->workflow;
	struct top top = {.load = load, .scope = scope, .name = STR(""), .returns = STR("")};
	struct place start = {load->file, 1, 1, 0};
	scope->root = root;
	if (root->kind != VALUE_MAP) {
		err_help(diags_error(load->diags, load_place(load, root), "E-WORKFLOW",
				 "the file is %s, not a workflow", value_kind_name(root->kind)),
			"a workflow begins with `name:` and `nodes:`");
		return NULL;
	}
	for (size_t i = 0; i < root->as.map.count; i++)
		take_top_field(&top, &root->as.map.items[i]);
	if (!value_get(root, STR("name")))
		err_help(diags_error(load->diags, start, "E-NAME", "the workflow has no `name`"),
			"add `name: my-workflow`");
	if (!top.nodes)
		err_help(diags_error(load->diags, start, "E-NODES", "the workflow has no `nodes`"),
			"write `nodes:` and below it `  - id: hello` with `    bash: echo hello`");
	if (!scope->outer)
		wf->name = top.name;
	*returns = top.returns;
	struct file_defaults *defaults = arena_new(&wf->arena, struct file_defaults);
	*defaults = (struct file_defaults){scope, top.defaults, load->defaults};
	load->defaults = defaults;
	return top.nodes;
}

static void check_returns(struct load *load, const struct value *root)
{
	struct workflow *wf = load->workflow;
	load->file = wf->file;
	if (wf->returns.len && !workflow_resolve(wf, &wf->scope, wf->returns))
		load_suggest_node(load,
			diags_error(load->diags, load_place(load, value_get(root, STR("returns"))),
				"E-REF-UNKNOWN", "`returns` names `%.*s`, which does not exist",
				STR_ARG(wf->returns)),
			wf->returns);
	if (load->foreign)
		err_help(diags_warn(load->diags, load_key_place(load, load->foreign),
				 "W-FIELD-IGNORED",
				 "`%.*s` and keys like it have no meaning here and are ignored",
				 STR_ARG(load->foreign->key)),
			"delete them, or rename them to begin with `x-`");
}

static void load_root(struct load *load, const struct value *root)
{
	struct workflow *wf = load->workflow;
	load->types->each(load->types->ctx, note_type, load);
	const struct value *nodes = load_top(load, root, &wf->scope, &wf->returns);
	if (!nodes)
		return;
	load->stack[load->depth++] = wf->file;
	load_collect(load, nodes, &wf->scope, NULL);
	wf->inputs.ptr = wf->scope.inputs.ptr;
	wf->inputs.len = wf->scope.inputs.len;
	load_nodes(load);
	for (const struct file_defaults *d = load->defaults; d; d = d->next)
		apply_defaults(wf, d);
	load_graph(load);
	check_returns(load, root);
}

struct workflow *workflow_load(
	str text, const char *file, const struct workflow_types *types, struct diags *diags)
{
	struct workflow *wf = mem_zalloc(sizeof(*wf));
	size_t errors_before = diags->errors;
	wf->file = arena_str(&wf->arena, str_of(file)).ptr;
	wf->source = arena_str(&wf->arena, text);
	struct load load = {.workflow = wf, .types = types, .diags = diags, .file = wf->file};
	wf->returns = STR("");
	wf->scope = (struct scope){
		.file = wf->file, .source = wf->source, .prefix = STR(""), .holder = NO_NODE};
	wf->root = yaml_parse(&wf->arena, wf->source, wf->file, diags);
	if (wf->root)
		load_root(&load, wf->root);
	map_finish(&load.type_names);
	map_finish(&load.type_schemas);
	vec_finish(&load.found);
	vec_finish(&load.includes);
	/* What is said may be read when the workflow is gone: the caller's name of the file stays. */
	for (size_t i = 0; i < diags->list.len; i++) {
		if (diags->list.ptr[i].at.file == wf->file)
			diags->list.ptr[i].at.file = file;
	}
	diags_sort(diags);
	if (wf->root && diags->errors == errors_before)
		return wf;
	workflow_destroy(wf);
	return NULL;
}

void workflow_destroy(struct workflow *wf)
{
	if (!wf)
		return;
	map_finish(&wf->by_id);
	map_finish(&wf->aliases);
	arena_finish(&wf->arena);
	free(wf);
}

const struct node *workflow_find(const struct workflow *wf, str id)
{
	return map_get(&wf->by_id, id);
}

/* What the name is in the scope: a node, or an include; or neither. */
static const struct node *look_up(const struct workflow *wf, const struct scope *scope, str name,
	const struct include_alias **include)
{
	struct buf full = {0};
	const struct node *node = NULL;
	*include = NULL;
	for (; scope && !node && !*include; scope = scope->is_transparent ? scope->outer : NULL) {
		str id = name;
		if (scope->prefix.len) {
			buf_clear(&full);
			buf_add(&full, scope->prefix);
			buf_add(&full, name);
			id = buf_str(&full);
		}
		node = map_get(&wf->by_id, id);
		*include = node || !wf->aliases.len ? NULL : map_get(&wf->aliases, id);
	}
	buf_finish(&full);
	return node;
}

const struct node *workflow_resolve(const struct workflow *wf, const struct scope *scope, str name)
{
	const struct include_alias *include = NULL;
	const struct node *node = look_up(wf, scope, name, &include);
	return include && include->returns != NO_NODE ? &wf->nodes[include->returns] : node;
}

const struct include_alias *workflow_find_include(
	const struct workflow *wf, const struct scope *scope, str name)
{
	const struct include_alias *include = NULL;
	look_up(wf, scope, name, &include);
	return include;
}

str workflow_nearest_input(const struct node *node, str name)
{
	const struct scope *file = file_of(node);
	str *names = mem_alloc(mem_mul(file->inputs.len + 1, sizeof(*names)));
	for (size_t i = 0; i < file->inputs.len; i++)
		names[i] = file->inputs.ptr[i].name;
	str near = str_nearest(name, names, file->inputs.len);
	free(names);
	return near;
}

bool workflow_has_input(const struct node *node, str name)
{
	const struct scope *file = file_of(node);
	for (size_t i = 0; i < file->inputs.len; i++) {
		if (str_eq(file->inputs.ptr[i].name, name))
			return true;
	}
	return node->fan_out && str_eq(node->fan_out->as, name);
}
