/* plugin_sample: nodes to try a plugin with: those of a workflow that its author gives, or one made from the schema, and
 * variations of them.  See plugin_check.h. */
#include "cli/plugin_check.h"
#include "data/json.h"
#include "data/yaml.h"
#include "sys/fs.h"

#include <fcntl.h>

#define MAX_DEPTH 16

/* What of a node is kept besides the fields of its type. */
static const char *const kept[] = {"env", "with", "secrets", "pass_env"};

static const struct value *make(struct arena *arena, struct value value)
{
	struct value *copy = arena_new(arena, struct value);
	*copy = value;
	return copy;
}

static const struct value *make_text(struct arena *arena, str text)
{
	return make(arena, value_string(arena_str(arena, text)));
}

const struct value *sample_schema(const struct trial *trial, str field)
{
	return value_get(value_get(trial->type->schema, STR("properties")), field);
}

/* ---- values by schema -------------------------------------------------------------------------------------------------- */

static uint64_t number_of(const struct value *schema, const char *word, uint64_t fallback)
{
	const struct value *value = value_get(schema, str_of(word));
	double number = 0;
	if (!value || !value_to_double(value, &number) || number < 0 || number > 1e9)
		return fallback;
	return (uint64_t)number;
}

static str type_of(const struct value *schema)
{
	const struct value *type = value_get(schema, STR("type"));
	if (type && type->kind == VALUE_LIST && type->as.list.count)
		type = &type->as.list.items[0];
	if (type && type->kind == VALUE_STRING)
		return type->as.text;
	if (value_get(schema, STR("properties")))
		return STR("object");
	return STR("string");
}

static const struct value *made_text(struct arena *arena, const struct value *schema)
{
	struct buf text = {0};
	buf_add_z(&text, "text");
	while (text.len < number_of(schema, "minLength", 0))
		buf_add_char(&text, 't');
	uint64_t most = number_of(schema, "maxLength", text.len);
	if (most < text.len)
		text.len = most;
	const struct value *value = make_text(arena, buf_str(&text));
	buf_finish(&text);
	return value;
}

static const struct value *made_value(struct arena *arena, const struct value *schema, int depth);

static const struct value *made_list(struct arena *arena, const struct value *schema, int depth)
{
	uint64_t count = number_of(schema, "minItems", 0);
	struct value list = {.kind = VALUE_LIST};
	count = count > 64 ? 64 : count;
	list.as.list.items = arena_array(arena, struct value, count + 1);
	for (uint64_t i = 0; i < count; i++)
		list.as.list.items[list.as.list.count++] =
			*made_value(arena, value_get(schema, STR("items")), depth);
	return make(arena, list);
}

static const struct value *made_map(struct arena *arena, const struct value *schema, int depth)
{
	const struct value *required = value_get(schema, STR("required"));
	const struct value *map = make(arena, (struct value){.kind = VALUE_MAP});
	for (size_t i = 0; required && required->kind == VALUE_LIST && i < required->as.list.count;
		i++) {
		const struct value *name = &required->as.list.items[i];
		if (name->kind != VALUE_STRING)
			continue;
		const struct value *field =
			value_get(value_get(schema, STR("properties")), name->as.text);
		map = sample_with(arena, map, name->as.text, made_value(arena, field, depth));
	}
	return map;
}

static const struct value *made_value(struct arena *arena, const struct value *schema, int depth)
{
	static const char *const given[] = {"const", "default"};
	static const char *const lists[] = {"examples", "enum"};
	for (size_t i = 0; i < 2; i++) {
		const struct value *list = value_get(schema, str_of(lists[i]));
		if (list && list->kind == VALUE_LIST && list->as.list.count)
			return &list->as.list.items[0];
		const struct value *value = value_get(schema, str_of(given[i]));
		if (value)
			return value;
	}
	str type = type_of(schema);
	if (depth > MAX_DEPTH || str_is(type, "null"))
		return make(arena, (struct value){.kind = VALUE_NULL});
	if (str_is(type, "boolean"))
		return make(arena, (struct value){.kind = VALUE_BOOL});
	if (str_is(type, "integer") || str_is(type, "number"))
		return make(arena, value_number_u64(arena, number_of(schema, "minimum", 1)));
	if (str_is(type, "array"))
		return made_list(arena, schema, depth + 1);
	if (str_is(type, "object"))
		return made_map(arena, schema, depth + 1);
	return made_text(arena, schema);
}

const struct value *sample_value(struct arena *arena, const struct value *schema)
{
	return made_value(arena, schema, 0);
}

static const struct value *other_of(
	struct arena *arena, const struct value *schema, const struct value *value, int depth);

static const struct value *other_text(
	struct arena *arena, const struct value *schema, const struct value *value)
{
	static const char *const lists[] = {"examples", "enum"};
	for (size_t k = 0; k < 2; k++) {
		const struct value *list = value_get(schema, str_of(lists[k]));
		for (size_t i = 0; list && list->kind == VALUE_LIST && i < list->as.list.count; i++)
			if (!value_equal(&list->as.list.items[i], value))
				return &list->as.list.items[i];
	}
	if (value_get(schema, STR("enum")))
		return NULL;
	/* In front, where it means something also in a language that has comments and line ends. */
	return make_text(arena, str_of(arena_printf(arena, "x%.*s", STR_ARG(value->as.text))));
}

static const struct value *other_map(
	struct arena *arena, const struct value *schema, const struct value *value, int depth)
{
	const struct value *properties = value_get(schema, STR("properties"));
	for (size_t i = 0; i < value->as.map.count; i++) {
		const struct value_member *m = &value->as.map.items[i];
		const struct value *other =
			other_of(arena, value_get(properties, m->key), &m->value, depth);
		if (other)
			return sample_with(arena, value, m->key, other);
	}
	if (properties && properties->as.map.count) {
		const struct value_member *m = &properties->as.map.items[0];
		return sample_with(arena, value, m->key, sample_value(arena, &m->value));
	}
	return sample_with(arena, value, STR("x"), make_text(arena, STR("x")));
}

static const struct value *other_list(
	struct arena *arena, const struct value *schema, const struct value *value)
{
	size_t count = value->as.list.count;
	struct value list = {.kind = VALUE_LIST};
	list.as.list.items = arena_array(arena, struct value, count + 1);
	list.as.list.count = count + 1;
	if (count)
		memcpy(list.as.list.items, value->as.list.items, count * sizeof(struct value));
	list.as.list.items[count] = *sample_value(arena, value_get(schema, STR("items")));
	return make(arena, list);
}

static const struct value *other_of(
	struct arena *arena, const struct value *schema, const struct value *value, int depth)
{
	double number = 0;
	if (depth > MAX_DEPTH)
		return NULL;
	switch (value->kind) {
	case VALUE_BOOL:
		return make(arena,
			(struct value){.kind = VALUE_BOOL, .as.boolean = !value->as.boolean});
	case VALUE_STRING: return other_text(arena, schema, value);
	case VALUE_NUMBER:
		if (!value_to_double(value, &number) || number < 0 || number > 1e9)
			return NULL;
		if (number + 1 > (double)number_of(schema, "maximum", 2000000000))
			number -= 2;
		return number < -1 ? NULL
		                   : make(arena, value_number_u64(arena, (uint64_t)number + 1));
	case VALUE_LIST: return other_list(arena, schema, value);
	case VALUE_MAP: return other_map(arena, schema, value, depth + 1);
	case VALUE_NULL: break;
	}
	return NULL;
}

const struct value *sample_other(
	struct arena *arena, const struct value *schema, const struct value *value)
{
	return other_of(arena, schema, value, 0);
}

const struct value *sample_with(
	struct arena *arena, const struct value *fields, str name, const struct value *value)
{
	struct value map = {.kind = VALUE_MAP};
	size_t count = fields->as.map.count;
	bool is_there = false;
	map.as.map.items = arena_array(arena, struct value_member, count + 1);
	for (size_t i = 0; i < count; i++) {
		struct value_member *m = &map.as.map.items[i];
		*m = fields->as.map.items[i];
		if (str_eq(m->key, name)) {
			m->value = *value;
			is_there = true;
		}
	}
	map.as.map.count = count;
	if (!is_there) {
		map.as.map.items[count] =
			(struct value_member){.key = arena_str(arena, name), .value = *value};
		map.as.map.count++;
	}
	return make(arena, map);
}

/* ---- workflows ------------------------------------------------------------------------------------------------------------ */

static void add_fields(struct buf *out, const char *id, const struct value *fields)
{
	buf_printf(out, "  - id: %s\n", id);
	for (size_t i = 0; i < fields->as.map.count; i++) {
		const struct value_member *m = &fields->as.map.items[i];
		buf_printf(out, "    %.*s: ", STR_ARG(m->key));
		json_write(out, &m->value);
		buf_add_char(out, '\n');
	}
}

void sample_text(struct buf *out, const struct value *fields, const struct value *other)
{
	buf_clear(out);
	buf_add_z(out, "name: check\nnodes:\n");
	add_fields(out, "it", fields);
	if (other) {
		buf_add_z(out, "    depends_on: [dep]\n");
		add_fields(out, "dep", other);
	}
}

static bool is_kept(const struct trial *trial, str name)
{
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (str_is(name, kept[i]))
			return true;
	return str_eq(name, trial->check->keyword) || sample_schema(trial, name);
}

static void add_sample(struct trial *trial, const struct value *node)
{
	struct arena *arena = &trial->arena;
	const struct value *id = value_get(node, STR("id"));
	const struct value *fields = make(arena, (struct value){.kind = VALUE_MAP});
	if (!id || id->kind != VALUE_STRING || !value_get(node, trial->check->keyword))
		return;
	for (size_t i = 0; i < node->as.map.count; i++) {
		const struct value_member *m = &node->as.map.items[i];
		if (is_kept(trial, m->key))
			fields = sample_with(arena, fields, m->key, &m->value);
	}
	*vec_push(&trial->samples.list) = (struct sample){id->as.text, fields};
}

static bool read_samples(struct trial *trial, struct err *err)
{
	struct buf text = {0};
	const char *path = trial->check->nodes;
	struct diags diags = {0};
	const struct value *root = NULL;
	if (fs_read_file(AT_FDCWD, path, (size_t)16 << 20, &text, err)) {
		root = yaml_parse(
			&trial->arena, arena_str(&trial->arena, buf_str(&text)), path, &diags);
		if (!root && diags.list.len)
			err_set(err, "E-PLUGIN-CHECK", "%s:%u: %s", path, diags.list.ptr[0].at.line,
				diags.list.ptr[0].message);
	}
	const struct value *nodes = value_get(root, STR("nodes"));
	for (size_t i = 0; nodes && nodes->kind == VALUE_LIST && i < nodes->as.list.count; i++)
		add_sample(trial, &nodes->as.list.items[i]);
	if (!trial->samples.list.len && !err_is_set(err))
		err_set(err, "E-PLUGIN-CHECK", "%s has no node with `%.*s:`", path,
			STR_ARG(trial->check->keyword));
	diags_finish(&diags);
	buf_finish(&text);
	return trial->samples.list.len > 0;
}

bool samples_make(struct trial *trial, struct err *err)
{
	if (trial->check->nodes)
		return read_samples(trial, err);
	struct arena *arena = &trial->arena;
	const struct value *fields = trial->type->schema
	                                     ? made_map(arena, trial->type->schema, 0)
	                                     : make(arena, (struct value){.kind = VALUE_MAP});
	if (!value_get(fields, trial->check->keyword))
		fields = sample_with(arena, fields, trial->check->keyword,
			sample_value(arena, sample_schema(trial, trial->check->keyword)));
	*vec_push(&trial->samples.list) = (struct sample){STR("made of the schema"), fields};
	return true;
}
