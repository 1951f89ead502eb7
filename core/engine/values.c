/* values: what references mean in a run: outputs of nodes that have ended, their states, inputs, workflow variables. */
#include "engine/internal.h"

#include "base/buf.h"
#include "base/mem.h"
#include "data/json.h"
#include "data/schema.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct mapping {
	void *ptr;
	size_t len;
};

static void unmap(void *arg)
{
	struct mapping *mapping = arg;
	munmap(mapping->ptr, mapping->len);
}

static void free_bytes(void *ptr)
{
	free(ptr);
}

/* A blob's bytes for the length of the attempt: mapped when large, so that a reference to 100 MB costs no memory. */
static bool load_blob(
	struct attempt *attempt, const struct produced *out, str *bytes, struct err *err)
{
	struct store *store = attempt->engine->store;
	if (out->held) {
		*bytes = *out->held;
		return true;
	}
	if (out->output_size <= CAS_INLINE) {
		struct buf buf = {0};
		if (!cas_get(store, &out->output, &buf, err))
			return false;
		size_t len = buf.len;
		char *ptr = buf_take(&buf);
		arena_on_finish(&attempt->arena, free_bytes, ptr);
		*bytes = (str){ptr, len};
		return true;
	}
	uint64_t size = 0;
	int fd = cas_open(store, &out->output, &size, err);
	if (fd < 0)
		return false;
	void *ptr = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (ptr == MAP_FAILED)
		return err_set(err, "E-STORE-SYS", "an output of %llu bytes can't be mapped",
			(unsigned long long)size);
	struct mapping *mapping = arena_new(&attempt->arena, struct mapping);
	*mapping = (struct mapping){ptr, (size_t)size};
	arena_on_finish(&attempt->arena, unmap, mapping);
	*bytes = (str){ptr, (size_t)size};
	return true;
}

/* All of stdout minus exactly one newline at its end. */
static bool output_of(struct attempt *attempt, const struct unit *unit, str *bytes, struct err *err)
{
	*bytes = STR("");
	if (unit->state == NODE_SKIPPED)
		return true;
	if (unit->state != NODE_COMPLETED && unit->state != NODE_REUSED) {
		err_set(err, "E-REF-FAILED", "`%.*s` has no output to use: it %s",
			STR_ARG(unit->node->id),
			unit->state == NODE_FAILED ? "failed" : "did not end well");
		return err_help(err, "ask for its state first: when: $%.*s.state == 'completed'",
			STR_ARG(unit->node->id));
	}
	if (unit->has_no_returns) {
		err_set(err, "E-REF-RETURNS",
			"`%.*s` gives nothing: its workflow `%.*s` ends in several nodes",
			STR_ARG(unit->node->id), STR_ARG(unit->node->child_workflow));
		return err_help(err, "say in that file which one is meant: `returns: NODE`");
	}
	if (!load_blob(attempt, &unit->out, bytes, err))
		return false;
	if (bytes->len && bytes->ptr[bytes->len - 1] == '\n')
		bytes->len--;
	return true;
}

static const struct unit *find_unit(struct attempt *attempt, str id)
{
	const struct node *node = workflow_resolve(attempt->engine->workflow, attempt->scope, id);
	return node ? &attempt->engine->units[node->index] : NULL;
}

/* An output that the plugin gave a name; NULL: none of that name. */
static const struct value *emitted(struct attempt *attempt, const struct unit *unit, str name)
{
	if (!unit->out.emits.len)
		return NULL;
	return value_get(json_parse(&attempt->arena, unit->out.emits, NULL), name);
}

/* The path with its last part corrected, where what it leads into has a member like it; else empty. */
static str nearest_field(struct attempt *attempt, const struct value *root, str path)
{
	struct arena *arena = &attempt->arena;
	size_t dot = path.len;
	while (dot && path.ptr[dot - 1] != '.')
		dot--;
	const struct value *map = dot ? value_path(root, str_slice(path, 0, dot - 1)) : root;
	if (!map || map->kind != VALUE_MAP)
		return STR("");
	str *names = arena_array(arena, str, map->as.map.count);
	for (size_t i = 0; i < map->as.map.count; i++)
		names[i] = map->as.map.items[i].key;
	str near = str_nearest(str_slice(path, dot, path.len), names, map->as.map.count);
	return near.len ? str_of(arena_printf(arena, "%.*s%.*s", (int)dot, path.ptr, STR_ARG(near)))
	                : near;
}

/* Follows the path of a reference into what was emitted, else into an output that must be JSON.  *found NULL: absent, and
 * that is allowed. */
static bool field_of(struct attempt *attempt, const struct unit *unit, const struct ref *ref,
	str text, const struct value **found, struct err *err)
{
	struct err why = {0};
	*found = NULL;
	if (unit->state == NODE_SKIPPED)
		return true;
	*found = emitted(attempt, unit, ref->path);
	if (*found)
		return true;
	const struct value *root = json_parse(&attempt->arena, json_unfence(text), &why);
	if (!root) {
		str shown = decide_quote(&attempt->arena, text, 60);
		err_set(err, "E-REF-JSON",
			"$%.*s.output.%.*s: the output of `%.*s` is not JSON: %s; it is %.*s",
			STR_ARG(ref->name), STR_ARG(ref->path), STR_ARG(ref->name), why.message,
			STR_ARG(shown));
		err_help(err,
			"make `%.*s` print JSON only, or declare `ensure: {output: {json: true}}` on it",
			STR_ARG(ref->name));
		err_finish(&why);
		return false;
	}
	*found = value_path(root, ref->path);
	if (*found)
		return true;
	if (unit->node->output_schema) {
		struct diags diags = {0};
		const struct schema *schema = schema_compile(&attempt->arena,
			unit->node->output_schema, attempt->engine->workflow->file, &diags);
		diags_finish(&diags);
		if (schema && schema_is_optional(schema, ref->path))
			return true;
	}
	struct buf json = {0};
	json_write(&json, root);
	str shown = decide_quote(&attempt->arena, buf_str(&json), 80);
	buf_finish(&json);
	err_set(err, "E-REF-FIELD", "$%.*s.output.%.*s: there is no such field; the output is %.*s",
		STR_ARG(ref->name), STR_ARG(ref->path), STR_ARG(shown));
	str near = nearest_field(attempt, root, ref->path);
	if (near.len)
		return err_help(err, "did you mean `$%.*s.output.%.*s`?", STR_ARG(ref->name),
			STR_ARG(near));
	return err_help(err,
		"declare it as optional in `output_format` of `%.*s`, or correct the name",
		STR_ARG(ref->name));
}

static str state_of(const struct unit *unit)
{
	return str_of(node_state_name(unit->state == NODE_REUSED ? NODE_COMPLETED : unit->state));
}

static bool variable_of(struct attempt *attempt, str name, str *out)
{
	struct engine *engine = attempt->engine;
	if (str_is(name, "ARGUMENTS") || str_is(name, "USER_MESSAGE"))
		*out = engine->options->arguments;
	else if (str_is(name, "ARTIFACTS_DIR"))
		*out = str_of(engine->artifacts_dir);
	else if (str_is(name, "STATE_DIR"))
		*out = str_of(engine->state_dir);
	else if (str_is(name, "PROJECT_DIR"))
		*out = str_of(store_project_path(engine->store));
	else if (str_is(name, "RUN_ID") || str_is(name, "WORKFLOW_ID"))
		*out = str_of(arena_printf(&attempt->arena, "%lld", (long long)engine->row.id));
	else
		return false;
	return true;
}

static bool resolve(struct attempt *attempt, const struct ref *ref, str *text,
	const struct value **value, struct err *err);
static bool resolve_text(void *ctx, const struct ref *ref, str *out, struct err *err);
static bool is_skipped(struct attempt *attempt, const struct value *value);

bool values_for_input(struct attempt *attempt, const struct input_spec *input,
	const struct value *given, const struct value **out, struct err *err)
{
	struct arena *arena = &attempt->engine->arena;
	*out = given;
	if (workflow_input_fits(input->type, given) && given->kind != VALUE_STRING)
		return true;
	if (str_is(input->type, "string") && given->kind != VALUE_STRING) {
		struct value *value = arena_new(arena, struct value);
		struct buf text = {0};
		ref_value_text(&text, given);
		*value = value_string(arena_str(arena, buf_str(&text)));
		buf_finish(&text);
		*out = value;
		return true;
	}
	if (!str_is(input->type, "string") && given->kind == VALUE_STRING) {
		const struct value *parsed = json_parse(arena, json_unfence(given->as.text), NULL);
		if (parsed && workflow_input_fits(input->type, parsed))
			*out = parsed;
	}
	if (workflow_input_fits(input->type, *out))
		return true;
	struct buf json = {0};
	ref_value_text(&json, given);
	str shown = decide_quote(&attempt->arena, buf_str(&json), 60);
	buf_finish(&json);
	return err_set(err, "E-INPUT-TYPE", "input `%.*s` is %s, not a %.*s: %.*s",
		STR_ARG(input->name), value_kind_name(given->kind), STR_ARG(input->type),
		STR_ARG(shown));
}

/* What an include gives as an input: read in the terms of where the include stands. */
static bool given_by_include(struct attempt *attempt, const struct scope *file,
	const struct binding *given, str *text, const struct value **value, struct err *err)
{
	const struct scope *here = attempt->scope;
	struct ref inner;
	struct buf expanded = {0};
	bool ok = true;
	attempt->scope = file->outer;
	if (given->if_skipped && is_skipped(attempt, given->value)) {
		*value = given->if_skipped;
		attempt->scope = here;
		return true;
	}
	if (given->value->kind != VALUE_STRING) {
		*value = given->value;
		attempt->scope = here;
		return true;
	}
	if (ref_is_whole(given->value->as.text, &inner)) {
		ok = resolve(attempt, &inner, text, value, err);
	} else {
		ok = ref_expand(given->value->as.text,
			&(struct ref_resolver){.ctx = attempt, .text = resolve_text}, &expanded,
			err);
		*text = arena_str(&attempt->arena, buf_str(&expanded));
		buf_finish(&expanded);
	}
	attempt->scope = here;
	if (!ok)
		return false;
	struct value *plain = arena_new(&attempt->arena, struct value);
	*plain = value_string(*text);
	for (size_t i = 0; i < file->inputs.len; i++) {
		if (str_eq(file->inputs.ptr[i].name, given->name))
			return values_for_input(
				attempt, &file->inputs.ptr[i], *value ? *value : plain, value, err);
	}
	return true;
}

static bool whole_input(struct attempt *attempt, const struct ref *ref, str *text,
	const struct value **value, struct err *err)
{
	const struct unit *unit = attempt->unit;
	const struct scope *file = attempt->scope;
	if (unit->item && str_eq(ref->name, unit->item_name)) {
		*value = unit->item;
		return true;
	}
	while (file->is_transparent)
		file = file->outer;
	if (!file->outer) {
		*value = map_get(&attempt->engine->given, ref->name);
		return true;
	}
	for (size_t i = 0; file->with && i < file->with->len; i++) {
		if (str_eq(file->with->ptr[i].name, ref->name))
			return given_by_include(
				attempt, file, &file->with->ptr[i], text, value, err);
	}
	for (size_t i = 0; i < file->inputs.len; i++) {
		if (str_eq(file->inputs.ptr[i].name, ref->name))
			*value = file->inputs.ptr[i].fallback;
	}
	return true;
}

static bool input_of(struct attempt *attempt, const struct ref *ref, str *text,
	const struct value **value, struct err *err)
{
	if (!whole_input(attempt, ref, text, value, err))
		return false;
	if (!ref->path.len)
		return true;
	const struct value *root =
		*value ? *value : json_parse(&attempt->arena, json_unfence(*text), NULL);
	struct buf shown = {0};
	if (*value)
		json_write(&shown, *value);
	else
		buf_add(&shown, *text);
	*text = STR("");
	*value = root ? value_path(root, ref->path) : NULL;
	if (!*value) {
		str quoted = decide_quote(&attempt->arena, buf_str(&shown), 80);
		err_set(err, "E-REF-FIELD",
			"${INPUTS.%.*s.%.*s}: there is no such field; the input is %.*s",
			STR_ARG(ref->name), STR_ARG(ref->path), STR_ARG(quoted));
		err_help(err, "text behind the whole input is written ${INPUTS.%.*s}.%.*s",
			STR_ARG(ref->name), STR_ARG(ref->path));
	}
	buf_finish(&shown);
	return *value != NULL;
}

/* What a member of the loop made in the iteration before; nothing in the first one. */
static bool previous_of(struct attempt *attempt, const struct ref *ref, str *text,
	const struct value **value, struct err *err)
{
	const struct unit *unit = find_unit(attempt, ref->name);
	if (!workflow_check_previous(attempt->engine->workflow, attempt->scope, ref->name, err))
		return false;
	if (!unit->had_previous)
		return true;
	struct unit then = *unit;
	then.out = unit->previous;
	then.state = NODE_COMPLETED;
	if (!output_of(attempt, &then, text, err))
		return false;
	if (!ref->path.len)
		return true;
	str all = *text;
	*text = STR("");
	return field_of(attempt, &then, ref, all, value, err);
}

/* The typed value of a reference: either *text (not JSON, or not asked to be) or *value. */
static bool resolve(struct attempt *attempt, const struct ref *ref, str *text,
	const struct value **value, struct err *err)
{
	const struct unit *unit = NULL;
	*value = NULL;
	*text = STR("");
	switch (ref->kind) {
	case REF_VARIABLE:
		if (variable_of(attempt, ref->name, text))
			return true;
		return err_set(
			err, "E-REF-UNKNOWN", "there is no variable $%.*s", STR_ARG(ref->name));
	case REF_INPUT: return input_of(attempt, ref, text, value, err);
	case REF_LOOP_PREV: return previous_of(attempt, ref, text, value, err);
	case REF_STATE:
	case REF_OUTPUT: break;
	}
	unit = find_unit(attempt, ref->name);
	if (!unit)
		return err_set(err, "E-REF-UNKNOWN", "there is no node `%.*s`", STR_ARG(ref->name));
	/* What is not upstream is not in the key, and may not have ended. */
	if (!workflow_is_upstream(attempt->engine->workflow, unit->node, attempt->unit->node)) {
		err_set(err, "E-REF-UPSTREAM", "`%.*s` does not run before `%.*s`",
			STR_ARG(ref->name), STR_ARG(attempt->unit->node->id));
		return err_help(err, "add `%.*s` to `depends_on` of `%.*s`", STR_ARG(ref->name),
			STR_ARG(attempt->unit->node->id));
	}
	if (ref->kind == REF_STATE) {
		*text = state_of(unit);
		return true;
	}
	if (attempt->has_key && unit->node->index == attempt->left_out)
		attempt->unstorable = STR("it uses the whole list besides its item");
	if (!output_of(attempt, unit, text, err))
		return false;
	if (!ref->path.len)
		return true;
	str all = *text;
	*text = STR("");
	return field_of(attempt, unit, ref, all, value, err);
}

static bool resolve_text(void *ctx, const struct ref *ref, str *out, struct err *err)
{
	struct attempt *attempt = ctx;
	const struct value *value = NULL;
	if (!resolve(attempt, ref, out, &value, err))
		return false;
	if (value) {
		struct buf text = {0};
		ref_value_text(&text, value);
		*out = arena_str(&attempt->arena, buf_str(&text));
		buf_finish(&text);
	}
	return true;
}

static bool resolve_json(void *ctx, const struct ref *ref, str *out, struct err *err)
{
	struct attempt *attempt = ctx;
	const struct value *value = NULL;
	str text = STR("");
	if (!resolve(attempt, ref, &text, &value, err))
		return false;
	struct buf json = {0};
	if (value)
		json_write(&json, value);
	else if ((ref->kind == REF_OUTPUT || ref->kind == REF_LOOP_PREV) &&
		 json_parse(&attempt->arena, json_unfence(text), NULL))
		buf_add(&json, json_unfence(text));
	else
		json_write_string(&json, text);
	size_t len = json.len;
	char *ptr = buf_take(&json);
	arena_on_finish(&attempt->arena, free_bytes, ptr);
	*out = (str){ptr, len};
	return true;
}

static bool is_node(void *ctx, str name)
{
	return find_unit(ctx, name) != NULL;
}

void values_init(struct attempt *attempt, struct host_values *values, struct ref_resolver *resolver)
{
	*values = (struct host_values){
		.ctx = attempt, .is_node = is_node, .text = resolve_text, .json = resolve_json};
	*resolver = (struct ref_resolver){.ctx = attempt, .text = resolve_text};
}

static bool is_skipped(struct attempt *attempt, const struct value *value)
{
	struct ref ref;
	if (value->kind != VALUE_STRING || !ref_is_whole(value->as.text, &ref))
		return false;
	const struct unit *unit = find_unit(attempt, ref.name);
	/* Before the first iteration nothing was made either. */
	if (unit && ref.kind == REF_LOOP_PREV)
		return !unit->had_previous;
	return unit && ref.kind == REF_OUTPUT && unit->state == NODE_SKIPPED;
}

static bool resolve_for_key(void *ctx, const struct ref *ref, str *out, struct err *err)
{
	return ref->kind != REF_VARIABLE && resolve_text(ctx, ref, out, err);
}

bool values_binding_text(struct attempt *attempt, const struct binding *binding, bool for_key,
	str *out, struct err *err)
{
	struct ref_resolver resolver = {
		.ctx = attempt, .text = for_key ? resolve_for_key : resolve_text};
	const struct value *value = binding->value;
	struct buf text = {0};
	bool ok = true;
	if (binding->if_skipped && is_skipped(attempt, value))
		ref_value_text(&text, binding->if_skipped);
	else if (value->kind == VALUE_STRING)
		ok = ref_expand(value->as.text, &resolver, &text, err);
	else
		ref_value_text(&text, value);
	*out = arena_str(&attempt->arena, buf_str(&text));
	buf_finish(&text);
	return ok;
}

bool values_binding_value(struct attempt *attempt, const struct binding *binding,
	struct arena *arena, const struct value **out, struct err *err)
{
	struct ref ref;
	str text = STR("");
	if (binding->value->kind != VALUE_STRING) {
		*out = binding->value;
		return true;
	}
	struct value *value = arena_new(arena, struct value);
	if (binding->if_skipped && is_skipped(attempt, binding->value)) {
		*out = binding->if_skipped;
		return true;
	}
	if (ref_is_whole(binding->value->as.text, &ref)) {
		if (!resolve_json(attempt, &ref, &text, err))
			return false;
		*out = json_parse(arena, arena_str(arena, text), err);
		return *out != NULL;
	}
	if (!values_binding_text(attempt, binding, false, &text, err))
		return false;
	*value = value_string(arena_str(arena, text));
	*out = value;
	return true;
}
