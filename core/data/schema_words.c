/* schema_words: the words of draft-7 that are claimed, one line each in a table, and what each accepts.  It knows
 * nothing of checking. */
#include "base/arena.h"
#include "base/mem.h"
#include "data/schema_parts.h"

#include <stddef.h>
#include <stdlib.h>

struct word {
	str name;
	/* How its value is read, and where it goes in the schema. */
	void (*read)(struct schema_compiler *c, const struct value_member *m, void *to);
	size_t offset;
	bool is_annotation; /* may stand beside $ref */
};

static bool is_kind(struct schema_compiler *c, const struct value_member *m, enum value_kind kind)
{
	if (m->value.kind == kind)
		return true;
	struct err *err =
		schema_problem(c, &m->value, "E-SCHEMA-VALUE", "'%.*s' is %s, and must be %s",
			STR_ARG(m->key), value_kind_name(m->value.kind), value_kind_name(kind));
	if (kind == VALUE_LIST && m->value.kind == VALUE_STRING)
		err_help(err, "write %.*s: [%.*s]", STR_ARG(m->key), STR_ARG(m->value.as.text));
	return false;
}

static void read_any(struct schema_compiler *c, const struct value_member *m, void *to)
{
	(void)c;
	*(const struct value **)to = &m->value;
}

static void read_nothing(struct schema_compiler *c, const struct value_member *m, void *to)
{
	(void)c;
	(void)m;
	(void)to;
}

static void read_text(struct schema_compiler *c, const struct value_member *m, void *to)
{
	(void)to;
	is_kind(c, m, VALUE_STRING);
}

static void read_draft(struct schema_compiler *c, const struct value_member *m, void *to)
{
	(void)to;
	if (!is_kind(c, m, VALUE_STRING) ||
		str_find(m->value.as.text, STR("draft-07"), 0) != SIZE_MAX)
		return;
	struct err *err = diags_warn(c->diags, value_place(&m->value, c->file), "E-SCHEMA-DRAFT",
		"the schema says it is of '%.*s', and is read as draft-7",
		STR_ARG(m->value.as.text));
	err_help(err,
		"write \"$schema\": \"http://json-schema.org/draft-07/schema#\", or leave it out");
}

static void read_id(struct schema_compiler *c, const struct value_member *m, void *to)
{
	(void)to;
	if (!is_kind(c, m, VALUE_STRING) || value_get(c->root, m->key) == &m->value)
		return;
	struct err *err = schema_problem(c, &m->value, "E-SCHEMA-ID",
		"$id inside the document would move what $ref '#...' means, which is not supported");
	err_help(err, "remove it; '#/definitions/NAME' needs no $id");
}

static void read_schema(struct schema_compiler *c, const struct value_member *m, void *to)
{
	*(const struct schema **)to = schema_compile_value(c, &m->value);
}

static void read_list(struct schema_compiler *c, const struct value_member *m, void *to)
{
	struct schema_list *list = to;

	if (!is_kind(c, m, VALUE_LIST))
		return;
	if (m->value.as.list.count == 0) {
		schema_problem(
			c, &m->value, "E-SCHEMA-VALUE", "'%.*s' has no schemas", STR_ARG(m->key));
		return;
	}
	list->count = m->value.as.list.count;
	list->items = arena_array(c->arena, const struct schema *, list->count);
	for (size_t i = 0; i < list->count; i++)
		list->items[i] = schema_compile_value(c, &m->value.as.list.items[i]);
}

static void read_items(struct schema_compiler *c, const struct value_member *m, void *to)
{
	struct schema *schema = to;

	if (m->value.kind != VALUE_LIST) {
		read_schema(c, m, &schema->items);
		return;
	}
	schema->is_tuple = true;
	if (m->value.as.list.count > 0)
		read_list(c, m, &schema->tuple);
}

static int cmp_property(const void *a, const void *b)
{
	return str_cmp(((const struct schema_property *)a)->name,
		((const struct schema_property *)b)->name);
}

static void read_properties(struct schema_compiler *c, const struct value_member *m, void *to)
{
	struct schema_properties *list = to;

	if (!is_kind(c, m, VALUE_MAP) || m->value.as.map.count == 0)
		return;
	list->count = m->value.as.map.count;
	list->items = arena_array(c->arena, struct schema_property, list->count);
	for (size_t i = 0; i < list->count; i++) {
		const struct value_member *one = &m->value.as.map.items[i];
		list->items[i] =
			(struct schema_property){one->key, schema_compile_value(c, &one->value)};
	}
	qsort(list->items, list->count, sizeof(*list->items), cmp_property);
}

static void read_regex(
	struct schema_compiler *c, const struct value *at, str text, struct schema_pattern *out)
{
	struct err err = {0};

	out->text = text;
	out->regex = regex_compile(c->arena, text, &err);
	if (out->regex)
		return;
	err_at(&err, value_place(at, c->file));
	diags_take(c->diags, &err);
}

static void read_pattern(struct schema_compiler *c, const struct value_member *m, void *to)
{
	if (is_kind(c, m, VALUE_STRING))
		read_regex(c, &m->value, m->value.as.text, to);
}

static void read_patterns(struct schema_compiler *c, const struct value_member *m, void *to)
{
	struct schema *schema = to;

	if (!is_kind(c, m, VALUE_MAP))
		return;
	schema->pattern_count = m->value.as.map.count;
	schema->patterns = arena_array(c->arena, struct schema_pattern, schema->pattern_count);
	for (size_t i = 0; i < schema->pattern_count; i++) {
		const struct value_member *one = &m->value.as.map.items[i];
		struct value at = {.line = one->line, .col = one->col};
		read_regex(c, &at, one->key, &schema->patterns[i]);
		schema->patterns[i].schema = schema_compile_value(c, &one->value);
	}
}

static void read_names(struct schema_compiler *c, const struct value_member *m, void *to)
{
	struct schema_names *names = to;

	if (m->value.kind == VALUE_BOOL && str_is(m->key, "required")) {
		struct err *err = schema_problem(c, &m->value, "E-SCHEMA-VALUE",
			"'required' is a list of names, not true or false");
		err_help(err, "name this member in the 'required' of the map around it");
		return;
	}
	if (!is_kind(c, m, VALUE_LIST) || m->value.as.list.count == 0)
		return;
	names->items = arena_array(c->arena, str, m->value.as.list.count);
	for (size_t i = 0; i < m->value.as.list.count; i++) {
		const struct value *one = &m->value.as.list.items[i];
		if (one->kind == VALUE_STRING)
			names->items[names->count++] = one->as.text;
		else
			schema_problem(c, one, "E-SCHEMA-VALUE",
				"'%.*s' is a list of names, and has %s in it", STR_ARG(m->key),
				value_kind_name(one->kind));
	}
}

static void read_dependencies(struct schema_compiler *c, const struct value_member *m, void *to)
{
	struct schema *schema = to;

	if (!is_kind(c, m, VALUE_MAP))
		return;
	schema->dependency_count = m->value.as.map.count;
	schema->dependencies =
		arena_array(c->arena, struct schema_dependency, schema->dependency_count);
	for (size_t i = 0; i < schema->dependency_count; i++) {
		const struct value_member *one = &m->value.as.map.items[i];
		struct schema_dependency *dependency = &schema->dependencies[i];
		dependency->name = one->key;
		if (one->value.kind == VALUE_LIST)
			read_names(c, one, &dependency->required);
		else
			dependency->schema = schema_compile_value(c, &one->value);
	}
}

static void read_definitions(struct schema_compiler *c, const struct value_member *m, void *to)
{
	struct schema_properties unused = {0};

	(void)to;
	read_properties(c, m, &unused);
}

static const struct {
	str name;
	unsigned types;
} type_names[] = {
	{STR_INIT("null"), SCHEMA_NULL},
	{STR_INIT("boolean"), SCHEMA_BOOLEAN},
	{STR_INIT("integer"), SCHEMA_INTEGER},
	{STR_INIT("number"), SCHEMA_NUMBER},
	{STR_INIT("string"), SCHEMA_STRING},
	{STR_INIT("array"), SCHEMA_ARRAY},
	{STR_INIT("object"), SCHEMA_OBJECT},
};

#define TYPE_COUNT (sizeof(type_names) / sizeof(type_names[0]))

/* Names of other languages for the types, which are too far off to be guessed by their letters. */
static const char *type_alias(str name)
{
	static const char *const aliases[][2] = {{"list", "array"}, {"map", "object"},
		{"dict", "object"}, {"int", "integer"}, {"float", "number"}, {"double", "number"},
		{"bool", "boolean"}, {"str", "string"}, {"text", "string"}};

	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++)
		if (str_is(name, aliases[i][0]))
			return aliases[i][1];
	return NULL;
}

static unsigned read_type_name(struct schema_compiler *c, const struct value *value)
{
	str names[TYPE_COUNT];

	if (value->kind == VALUE_NULL) {
		struct err *err =
			schema_problem(c, value, "E-SCHEMA-VALUE", "a type is a name, not null");
		err_help(err, "write 'null' in quotes");
		return 0;
	}
	if (value->kind != VALUE_STRING) {
		schema_problem(c, value, "E-SCHEMA-VALUE", "a type is a name, not %s",
			value_kind_name(value->kind));
		return 0;
	}
	for (size_t i = 0; i < TYPE_COUNT; i++) {
		names[i] = type_names[i].name;
		if (str_eq(value->as.text, names[i]))
			return type_names[i].types;
	}
	struct err *err = schema_problem(
		c, value, "E-SCHEMA-VALUE", "there is no type '%.*s'", STR_ARG(value->as.text));
	const char *alias = type_alias(value->as.text);
	str near = alias ? str_of(alias) : str_nearest(value->as.text, names, TYPE_COUNT);
	if (near.len > 0)
		err_help(err, "did you mean '%.*s'?", STR_ARG(near));
	else
		err_help(err, "null, boolean, integer, number, string, array or object");
	return 0;
}

static void read_type(struct schema_compiler *c, const struct value_member *m, void *to)
{
	unsigned *types = to;

	if (m->value.kind != VALUE_LIST) {
		*types = read_type_name(c, &m->value);
		return;
	}
	if (m->value.as.list.count == 0)
		schema_problem(c, &m->value, "E-SCHEMA-VALUE", "'type' names no type");
	for (size_t i = 0; i < m->value.as.list.count; i++)
		*types |= read_type_name(c, &m->value.as.list.items[i]);
}

static void read_enum(struct schema_compiler *c, const struct value_member *m, void *to)
{
	if (!is_kind(c, m, VALUE_LIST))
		return;
	if (m->value.as.list.count == 0)
		schema_problem(c, &m->value, "E-SCHEMA-VALUE", "'enum' has no values");
	*(const struct value **)to = &m->value;
}

static void read_flag(struct schema_compiler *c, const struct value_member *m, void *to)
{
	if (is_kind(c, m, VALUE_BOOL))
		*(bool *)to = m->value.as.boolean;
}

static void read_flag_only(struct schema_compiler *c, const struct value_member *m, void *to)
{
	(void)to;
	is_kind(c, m, VALUE_BOOL);
}

static bool read_number(
	struct schema_compiler *c, const struct value_member *m, struct decimal *out)
{
	if (m->value.kind == VALUE_BOOL && str_starts(m->key, STR("exclusive"))) {
		struct err *err = schema_problem(c, &m->value, "E-SCHEMA-VALUE",
			"'%.*s' is a number in draft-7, not true or false", STR_ARG(m->key));
		err_help(err, "write the bound itself here, in the place of '%s'",
			str_ends(m->key, STR("Minimum")) ? "minimum" : "maximum");
		return false;
	}
	if (!is_kind(c, m, VALUE_NUMBER))
		return false;
	if (decimal_parse(m->value.as.text, out))
		return true;
	schema_problem(c, &m->value, "E-SCHEMA-VALUE", "'%.*s': the exponent of %.*s is too large",
		STR_ARG(m->key), STR_ARG(m->value.as.text));
	return false;
}

static void read_bound(struct schema_compiler *c, const struct value_member *m, void *to)
{
	struct schema_bound *bound = to;

	bound->text = m->value.as.text;
	bound->is_set = read_number(c, m, &bound->number);
}

static void read_divisor(struct schema_compiler *c, const struct value_member *m, void *to)
{
	struct schema_bound *bound = to;

	read_bound(c, m, bound);
	if (!bound->is_set)
		return;
	if (bound->number.digits == 0 || bound->number.negative)
		schema_problem(c, &m->value, "E-SCHEMA-VALUE",
			"'multipleOf' is %.*s, and must be "
			"more than 0",
			STR_ARG(bound->text));
	else if (bound->number.digits > DECIMAL_DIVISOR_DIGITS)
		schema_problem(c, &m->value, "E-SCHEMA-VALUE",
			"'multipleOf' has %zu digits, and at most %d are supported",
			bound->number.digits, DECIMAL_DIVISOR_DIGITS);
}

static void read_count(struct schema_compiler *c, const struct value_member *m, void *to)
{
	struct schema_count *count = to;
	struct decimal number;

	if (!read_number(c, m, &number))
		return;
	if (number.negative || !decimal_is_integer(&number)) {
		schema_problem(c, &m->value, "E-SCHEMA-VALUE",
			"'%.*s' is %.*s, and must be a whole number from 0", STR_ARG(m->key),
			STR_ARG(m->value.as.text));
		return;
	}
	count->is_set = true;
	for (int64_t i = 0; i < number.point; i++) {
		/* More than anything can have is as good as any larger number. */
		if (count->number > UINT64_MAX / 10 - 1) {
			count->number = UINT64_MAX;
			break;
		}
		count->number = count->number * 10 + (uint64_t)decimal_digit(&number, (size_t)i);
	}
}

static void read_ref(struct schema_compiler *c, const struct value_member *m, void *to)
{
	if (is_kind(c, m, VALUE_STRING))
		*vec_push(&c->refs) = to;
}

#define AT(member) offsetof(struct schema, member)

static const struct word words[] = {
	{STR_INIT("$ref"), read_ref, 0, true},
	{STR_INIT("definitions"), read_definitions, 0, true},
	{STR_INIT("$schema"), read_draft, 0, true},
	{STR_INIT("$id"), read_id, 0, true},
	{STR_INIT("$comment"), read_text, 0, true},
	{STR_INIT("title"), read_text, 0, true},
	{STR_INIT("description"), read_text, 0, true},
	{STR_INIT("default"), read_nothing, 0, true},
	{STR_INIT("examples"), read_nothing, 0, true},
	{STR_INIT("format"), read_text, 0, true},
	{STR_INIT("readOnly"), read_flag_only, 0, true},
	{STR_INIT("writeOnly"), read_flag_only, 0, true},
	{STR_INIT("type"), read_type, AT(types), false},
	{STR_INIT("enum"), read_enum, AT(values), false},
	{STR_INIT("const"), read_any, AT(one_value), false},
	{STR_INIT("properties"), read_properties, AT(properties), false},
	{STR_INIT("required"), read_names, AT(required), false},
	{STR_INIT("additionalProperties"), read_schema, AT(additional_properties), false},
	{STR_INIT("patternProperties"), read_patterns, 0, false},
	{STR_INIT("propertyNames"), read_schema, AT(property_names), false},
	{STR_INIT("minProperties"), read_count, AT(min_properties), false},
	{STR_INIT("maxProperties"), read_count, AT(max_properties), false},
	{STR_INIT("dependencies"), read_dependencies, 0, false},
	{STR_INIT("items"), read_items, 0, false},
	{STR_INIT("additionalItems"), read_schema, AT(additional_items), false},
	{STR_INIT("contains"), read_schema, AT(contains), false},
	{STR_INIT("minItems"), read_count, AT(min_items), false},
	{STR_INIT("maxItems"), read_count, AT(max_items), false},
	{STR_INIT("uniqueItems"), read_flag, AT(is_unique), false},
	{STR_INIT("minLength"), read_count, AT(min_length), false},
	{STR_INIT("maxLength"), read_count, AT(max_length), false},
	{STR_INIT("pattern"), read_pattern, AT(pattern), false},
	{STR_INIT("minimum"), read_bound, AT(minimum), false},
	{STR_INIT("maximum"), read_bound, AT(maximum), false},
	{STR_INIT("exclusiveMinimum"), read_bound, AT(above), false},
	{STR_INIT("exclusiveMaximum"), read_bound, AT(below), false},
	{STR_INIT("multipleOf"), read_divisor, AT(multiple_of), false},
	{STR_INIT("allOf"), read_list, AT(all_of), false},
	{STR_INIT("anyOf"), read_list, AT(any_of), false},
	{STR_INIT("oneOf"), read_list, AT(one_of), false},
	{STR_INIT("not"), read_schema, AT(negated), false},
	{STR_INIT("if"), read_schema, AT(condition), false},
	{STR_INIT("then"), read_schema, AT(then), false},
	{STR_INIT("else"), read_schema, AT(otherwise), false},
};

#define WORD_COUNT (sizeof(words) / sizeof(words[0]))

static const struct word *find_word(str name)
{
	for (size_t i = 0; i < WORD_COUNT; i++)
		if (str_eq(words[i].name, name))
			return &words[i];
	return NULL;
}

/* What draft-7 has for a word of another draft. */
static const char *foreign_help(str name)
{
	static const char *const foreign[][2] = {
		{"$defs", "draft-7 calls it 'definitions'"},
		{"id", "draft-7 calls it '$id'"},
		{"$anchor", "write $ref: '#/definitions/NAME'"},
		{"$recursiveRef", "write $ref: '#'"},
		{"$dynamicRef", "write $ref: '#'"},
		{"dependentRequired", "draft-7 calls it 'dependencies'"},
		{"dependentSchemas", "draft-7 calls it 'dependencies'"},
		{"prefixItems", "in draft-7 'items' with a list does that"},
		{"unevaluatedProperties", "write 'additionalProperties'"},
		{"unevaluatedItems", "write 'additionalItems'"},
		{"nullable", "write type: [TYPE, 'null']"},
		{"optional", "leave the name out of the 'required' of the map around it"},
		{"contentEncoding", "what is in a string is not checked; say it in 'description'"},
		{"contentMediaType", "what is in a string is not checked; say it in 'description'"},
	};

	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		if (str_is(name, foreign[i][0]))
			return foreign[i][1];
	return NULL;
}

static struct place key_place(const struct schema_compiler *c, const struct value_member *m)
{
	return (struct place){c->file, m->line, m->col, (uint32_t)m->key.len};
}

static void unknown_word(struct schema_compiler *c, const struct value_member *m)
{
	str names[WORD_COUNT];
	struct err *err = diags_error(c->diags, key_place(c, m), "E-SCHEMA-UNKNOWN-WORD",
		"'%.*s' is not a word of schemas", STR_ARG(m->key));

	for (size_t i = 0; i < WORD_COUNT; i++)
		names[i] = words[i].name;
	const char *help = foreign_help(m->key);
	str near = help ? STR("") : str_nearest(m->key, names, WORD_COUNT);
	if (help)
		err_help(err, "%s", help);
	else if (near.len > 0)
		err_help(err, "did you mean '%.*s'?", STR_ARG(near));
	else
		err_help(err, "a word that would be ignored is an error here: remove it, or say it "
			      "in 'description' or '$comment'");
}

static void warn_ignored(
	struct schema_compiler *c, const struct value_member *m, const char *why, const char *help)
{
	struct err *err = diags_warn(c->diags, key_place(c, m), "E-SCHEMA-IGNORED",
		"'%.*s' has no effect %s", STR_ARG(m->key), why);
	err_help(err, "%s", help);
}

/* Words that draft-7 tells to ignore because of what stands, or does not stand, beside them. */
static void warn_about(
	struct schema_compiler *c, const struct schema *schema, const struct value_member *m)
{
	if ((str_is(m->key, "then") || str_is(m->key, "else")) && !schema->condition)
		warn_ignored(c, m, "without 'if'", "add the 'if', or use 'allOf'");
	if (str_is(m->key, "additionalItems") && !schema->is_tuple)
		warn_ignored(c, m, "where 'items' is not a list of schemas",
			"'items' is what every item must be");
}

void schema_read_words(struct schema_compiler *c, struct schema *schema)
{
	const struct value *map = schema->source;
	bool is_ref = value_get(map, STR("$ref")) != NULL;

	for (size_t i = 0; i < map->as.map.count; i++) {
		const struct value_member *m = &map->as.map.items[i];
		const struct word *word = find_word(m->key);
		if (!word) {
			unknown_word(c, m);
		} else if (is_ref && !word->is_annotation) {
			/* Still compiled, so that its mistakes are found. */
			struct schema *unused = arena_new(c->arena, struct schema);
			word->read(c, m, (char *)unused + word->offset);
			warn_ignored(c, m, "beside '$ref'",
				"write allOf: [{$ref: ...}, {the other words}]");
		} else {
			word->read(c, m, (char *)schema + word->offset);
		}
	}
	for (size_t i = 0; i < map->as.map.count && !is_ref; i++)
		warn_about(c, schema, &map->as.map.items[i]);
}
