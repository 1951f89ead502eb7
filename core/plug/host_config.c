/* host_config: a node's fields as a plugin reads them: by path, as text or JSON, with references expanded; and validate.  It
 * knows no field by name but `with`, whose values the workflow language defines. */
#include "plug/host_internal.h"

#include "base/mem.h"
#include "data/json.h"
#include "data/schema.h"

#include <stdlib.h>

/* Deeper than any document that can be loaded. */
#define MAX_DEPTH 600

struct pawl_node *host_node_create(const struct host_node_init *init)
{
	struct pawl_node *node = mem_zalloc(sizeof(*node));
	node->init = *init;
	node->loop = pthread_self();
	pthread_mutex_init(&node->lock, NULL);
	node->id = arena_str(&node->arena, init->node->id).ptr;
	node->hash.node = node;
	return node;
}

void host_node_destroy(struct pawl_node *node)
{
	if (!node)
		return;
	for (size_t i = 0; i < node->bounds.len; i++) {
		bind_finish(&node->bounds.ptr[i]->result);
		diags_finish(&node->bounds.ptr[i]->diags);
	}
	vec_finish(&node->bounds);
	for (size_t i = 0; i < node->notes.len; i++)
		free(node->notes.ptr[i].text);
	vec_finish(&node->notes);
	err_finish(&node->err);
	arena_finish(&node->arena);
	pthread_mutex_destroy(&node->lock);
	free(node);
}

/* ---- finding ------------------------------------------------------------------------------------------------------------ */

const struct value *host_find_field(const struct pawl_node *node, str path)
{
	const struct value *value = value_path(node->init.node->fields, path);
	if (value)
		return value;
	const struct value *root = node->init.node->scope->root;
	value = value_path(value_get(root, STR("defaults")), path);
	/* `shell` of the whole file needs no `defaults` around it. */
	bool is_shell = str_is(path, "shell") || str_starts(path, STR("shell."));
	return value || !is_shell ? value : value_path(root, path);
}

bool host_is_node(void *ctx, str name)
{
	const struct pawl_node *node = ctx;
	const struct host_values *values = node->init.values;
	if (values && values->is_node)
		return values->is_node(values->ctx, name);
	return workflow_resolve(node->init.workflow, node->init.node->scope, name) != NULL;
}

str host_getenv(const struct pawl_node *node, str name, bool *found)
{
	const char *const *env = node->init.env;
	for (; env && *env; env++) {
		str entry = str_of(*env);
		if (entry.len > name.len && entry.ptr[name.len] == '=' && str_starts(entry, name)) {
			*found = true;
			return str_slice(entry, name.len + 1, entry.len);
		}
	}
	*found = false;
	return STR("");
}

/* ---- expanding ------------------------------------------------------------------------------------------------------------ */

struct expansion {
	struct pawl_node *node;
	str text;
	bool is_pending; /* met a reference whose value is not known in this phase */
};

static bool is_live(struct pawl_node *node, const struct ref *ref)
{
	if (ref->escaped || ref->kind == REF_VARIABLE)
		return false;
	return ref->kind == REF_INPUT || ref->kind == REF_LOOP_PREV ||
	       host_is_node(node, ref->name);
}

static bool resolve(void *ctx, const struct ref *ref, str *bytes, struct err *err)
{
	struct expansion *expansion = ctx;
	struct pawl_node *node = expansion->node;
	bool found;
	if (ref->kind == REF_VARIABLE) {
		*bytes = host_getenv(node, ref->name, &found);
		if (!found && str_is(ref->name, "PROJECT_DIR") && node->init.project) {
			*bytes = str_of(node->init.project);
			return true;
		}
		expansion->is_pending |= !node->init.env;
		return found;
	}
	if (!is_live(node, ref)) {
		*bytes = str_slice(expansion->text, ref->start, ref->end);
		return true;
	}
	if (!node->init.values) {
		expansion->is_pending = true;
		*bytes = STR("");
		return true;
	}
	return node->init.values->text(node->init.values->ctx, ref, bytes, err);
}

static pawl_status expand(struct pawl_node *node, str text, str *out, struct err *err)
{
	if (str_find_char(text, '$', 0) == SIZE_MAX) {
		*out = text;
		return PAWL_OK;
	}
	struct expansion expansion = {.node = node, .text = text};
	struct ref_resolver resolver = {.ctx = &expansion, .text = resolve};
	struct buf buf = {0};
	bool ok = ref_expand(text, &resolver, &buf, err);
	if (ok)
		*out = arena_str(&node->arena, buf_str(&buf));
	buf_finish(&buf);
	if (!ok)
		return PAWL_E_CONFIG;
	return expansion.is_pending ? PAWL_PENDING : PAWL_OK;
}

/* A whole reference as the typed value that it names. */
static pawl_status typed(
	struct pawl_node *node, const struct ref *ref, struct value *out, struct err *err)
{
	if (!node->init.values)
		return PAWL_PENDING;
	str json;
	if (!node->init.values->json(node->init.values->ctx, ref, &json, err))
		return PAWL_E_CONFIG;
	const struct value *value = json_parse(&node->arena, arena_str(&node->arena, json), err);
	if (!value) {
		err_wrap(err, "the value of a reference");
		return PAWL_E_CONFIG;
	}
	*out = *value;
	return PAWL_OK;
}

static pawl_status expand_value(struct pawl_node *node, const struct value *value,
	struct value *out, struct err *err, int depth);

static pawl_status expand_list(struct pawl_node *node, const struct value *value, struct value *out,
	struct err *err, int depth)
{
	size_t count = value->as.list.count;
	struct value *items = arena_array(&node->arena, struct value, count);
	for (size_t i = 0; i < count; i++) {
		pawl_status status =
			expand_value(node, &value->as.list.items[i], &items[i], err, depth + 1);
		if (status != PAWL_OK)
			return status;
	}
	out->as.list.items = items;
	return PAWL_OK;
}

static pawl_status expand_map(struct pawl_node *node, const struct value *value, struct value *out,
	struct err *err, int depth)
{
	size_t count = value->as.map.count;
	struct value_member *items = arena_array(&node->arena, struct value_member, count);
	for (size_t i = 0; i < count; i++) {
		items[i] = value->as.map.items[i];
		pawl_status status = expand_value(
			node, &value->as.map.items[i].value, &items[i].value, err, depth + 1);
		if (status != PAWL_OK)
			return status;
	}
	out->as.map.items = items;
	return PAWL_OK;
}

static pawl_status expand_value(struct pawl_node *node, const struct value *value,
	struct value *out, struct err *err, int depth)
{
	*out = *value;
	if (depth > MAX_DEPTH) {
		err_set(err, "E-CONFIG", "nested more than %d deep", MAX_DEPTH);
		return PAWL_E_CONFIG;
	}
	struct ref ref;
	switch (value->kind) {
	case VALUE_LIST: return expand_list(node, value, out, err, depth);
	case VALUE_MAP: return expand_map(node, value, out, err, depth);
	case VALUE_STRING:
		if (ref_is_whole(value->as.text, &ref) && is_live(node, &ref))
			return typed(node, &ref, out, err);
		return expand(node, value->as.text, &out->as.text, err);
	default: return PAWL_OK;
	}
}

/* `with: {x: {from: $n.output, if_skipped: V}}`: V when n was skipped. */
static pawl_status with_value(
	struct pawl_node *node, const struct binding *binding, struct value *out, struct err *err)
{
	struct ref ref;
	bool has_source = binding->if_skipped && binding->value->kind == VALUE_STRING &&
	                  ref_is_whole(binding->value->as.text, &ref) && ref.kind == REF_OUTPUT;
	if (has_source && !node->init.values)
		return PAWL_PENDING;
	if (has_source) {
		str state;
		ref.kind = REF_STATE;
		ref.path = STR("");
		if (!node->init.values->text(node->init.values->ctx, &ref, &state, err))
			return PAWL_E_CONFIG;
		if (str_is(state, "skipped"))
			return expand_value(node, binding->if_skipped, out, err, 0);
	}
	return expand_value(node, binding->value, out, err, 0);
}

static pawl_status with_all(struct pawl_node *node, struct value *out, struct err *err)
{
	const struct bindings *with = &node->init.node->with;
	struct value_member *items = arena_array(&node->arena, struct value_member, with->len);
	for (size_t i = 0; i < with->len; i++) {
		items[i].key = with->ptr[i].name;
		pawl_status status = with_value(node, &with->ptr[i], &items[i].value, err);
		if (status != PAWL_OK)
			return status;
	}
	*out = (struct value){.kind = VALUE_MAP};
	out->as.map.items = items;
	out->as.map.count = with->len;
	return PAWL_OK;
}

/* False where the path is none of `with`. */
static bool find_with(
	struct pawl_node *node, str path, struct value *out, pawl_status *status, struct err *err)
{
	if (str_is(path, "with")) {
		*status = node->init.node->with.len ? with_all(node, out, err) : PAWL_E_NOT_FOUND;
		return true;
	}
	if (!str_starts(path, STR("with.")))
		return false;
	str rest = str_slice(path, 5, path.len);
	str name;
	str_split(&rest, '.', &name);
	const struct bindings *with = &node->init.node->with;
	*status = PAWL_E_NOT_FOUND;
	for (size_t i = 0; i < with->len; i++) {
		if (!str_eq(with->ptr[i].name, name))
			continue;
		*status = with_value(node, &with->ptr[i], out, err);
		const struct value *inner = rest.len ? value_path(out, rest) : out;
		if (*status == PAWL_OK && !inner)
			*status = PAWL_E_NOT_FOUND;
		else if (inner)
			*out = *inner;
	}
	return true;
}

/* ---- services ---------------------------------------------------------------------------------------------------------------- */

/* Scalars as text, the rest as canonical JSON. */
static pawl_str render(struct pawl_node *node, const struct value *value)
{
	if (value->kind == VALUE_STRING)
		return host_str(arena_str(&node->arena, value->as.text));
	struct buf text = {0};
	if (value->kind == VALUE_LIST || value->kind == VALUE_MAP)
		json_write_canonical(&text, value);
	else
		ref_value_text(&text, value);
	str copy = arena_str(&node->arena, buf_str(&text));
	buf_finish(&text);
	return host_str(copy);
}

static bool may_read(struct pawl_node *node, const char *service, const void *what, const void *out)
{
	if (!node || !what || !out) {
		host_misuse(node, service, !node ? "node is NULL" : "an argument is NULL");
		return false;
	}
	if (!host_on_loop(node)) {
		host_misuse(node, service, "called from another thread than the loop's");
		return false;
	}
	if (node->phase == HOST_IDLE) {
		host_misuse(node, service, "called outside validate(), cache_key() and the run");
		return false;
	}
	return true;
}

pawl_status host_field(pawl_node *node, const char *path, pawl_str *out)
{
	if (!may_read(node, "field", path, out))
		return PAWL_E_MISUSE;
	*out = host_str(STR(""));
	struct err err = {0};
	struct value expanded = {0};
	pawl_status status = PAWL_OK;
	const struct value *value = NULL;
	if (!find_with(node, str_of(path), &expanded, &status, &err)) {
		value = host_find_field(node, str_of(path));
		if (!value)
			return PAWL_E_NOT_FOUND;
		expanded = *value;
		if (value->kind == VALUE_STRING)
			status = expand(node, value->as.text, &expanded.as.text, &err);
		else
			status = expand_value(node, value, &expanded, &err, 0);
	}
	if (err_is_set(&err)) {
		err_wrap(&err, "`%s`", path);
		err_at(&err, host_field_place(node, path));
		return host_fail_err(node, status, &err);
	}
	if (status == PAWL_OK)
		*out = render(node, &expanded);
	return status;
}

pawl_status host_field_raw(pawl_node *node, const char *path, pawl_str *out)
{
	if (!may_read(node, "field_raw", path, out))
		return PAWL_E_MISUSE;
	*out = host_str(STR(""));
	const struct value *value = host_find_field(node, str_of(path));
	if (!value)
		return PAWL_E_NOT_FOUND;
	*out = render(node, value);
	return PAWL_OK;
}

pawl_status host_input(pawl_node *node, const char *from, const char *output, pawl_str *out)
{
	if (!may_read(node, "input", from, out))
		return PAWL_E_MISUSE;
	*out = host_str(STR(""));
	struct ref ref = {.kind = REF_OUTPUT, .name = str_of(from), .path = str_of(output)};
	if (strcmp(from, "INPUTS") == 0) {
		ref.kind = REF_INPUT;
		ref.name = str_of(output);
		ref.path = STR("");
	} else if (!host_is_node(node, ref.name)) {
		return PAWL_E_NOT_FOUND;
	}
	if (!node->init.values)
		return PAWL_PENDING;
	struct err err = {0};
	str bytes;
	if (!node->init.values->text(node->init.values->ctx, &ref, &bytes, &err))
		return host_fail_err(node, PAWL_E_NOT_FOUND, &err);
	*out = host_str(arena_str(&node->arena, bytes));
	return PAWL_OK;
}

pawl_status host_expand(pawl_node *node, pawl_str text, pawl_str *out)
{
	if (!may_read(node, "expand", text.ptr, out))
		return PAWL_E_MISUSE;
	*out = host_str(STR(""));
	struct err err = {0};
	str bytes = STR("");
	pawl_status status = expand(node, str_make(text.ptr, text.len), &bytes, &err);
	if (err_is_set(&err))
		return host_fail_err(node, status, &err);
	if (status == PAWL_OK)
		*out = host_str(arena_str(&node->arena, bytes));
	return status;
}

/* ---- validate ------------------------------------------------------------------------------------------------------------------ */

/* The members that are the type's own, in a map of their own: what its schema sees. */
static struct value own_fields(struct pawl_node *node)
{
	const struct value *fields = node->init.node->fields;
	const struct value *wanted = value_get(node->init.type->schema, STR("properties"));
	struct value own = *fields;
	own.as.map.items = arena_array(&node->arena, struct value_member, fields->as.map.count);
	own.as.map.count = 0;
	for (size_t i = 0; i < fields->as.map.count; i++) {
		const struct value_member *member = &fields->as.map.items[i];
		if (value_get(wanted, member->key) || str_eq(member->key, node->init.node->type))
			own.as.map.items[own.as.map.count++] = *member;
	}
	return own;
}

static void check_schema(struct pawl_node *node)
{
	const struct plug_type *type = node->init.type;
	const char *file = node->init.node->scope->file;
	const struct schema *checker = type->checker;
	if (!checker && type->schema)
		checker = schema_compile(&node->arena, type->schema, NULL, node->diags);
	if (!checker)
		return;
	struct value own = own_fields(node);
	schema_check(checker, &own, file, 0, node->diags);
}

void host_call_validate(struct pawl_node *node)
{
	const pawl_type *type = node->init.type->type;
	size_t before = node->diags->errors;
	struct host_call call;
	host_enter(node, &call, "validate");
	pawl_status status = type->validate(&host_table, node);
	host_leave(node, &call);
	if (status > PAWL_PENDING || !host_status_is_known(status))
		host_misuse(node, "validate", "returned what is no answer of it");
	else if (status < 0 && node->diags->errors == before)
		diags_error(node->diags, node->init.node->type_at, host_status_code(status),
			"plugin %s refuses this `%s` node without saying why (%s)",
			node->init.type->plugin->id, type->keyword, host_status_name(status));
}

bool host_validate(struct pawl_node *node, struct diags *diags)
{
	const pawl_type *type = node->init.type->type;
	size_t before = diags->errors;
	node->diags = diags;
	node->phase = HOST_VALIDATE;
	err_finish(&node->err);
	check_schema(node);
	/* What the schema refuses would only be refused a second time, less exactly. */
	if (type->validate && diags->errors == before) {
		if (host_calls_aside(node->init.type))
			aside_validate(node);
		else
			host_call_validate(node);
	}
	host_check_bounds(node);
	host_check_fields(node);
	node->phase = HOST_IDLE;
	node->diags = NULL;
	return diags->errors == before;
}
