/* schema_scalar: the words that look at one value by itself: type, const, enum, and those of numbers and strings. */
#include "base/arena.h"
#include "data/json.h"
#include "data/schema_parts.h"

#define SHOWN_MAX 60

/* JSON of the value, cut where it is long. */
static void add_shown(struct buf *out, const struct value *value)
{
	struct buf json = {0};
	size_t end;

	json_write(&json, value);
	end = json.len;
	if (end > SHOWN_MAX) {
		end = SHOWN_MAX;
		while (end > 0 && ((unsigned char)json.ptr[end] & 0xC0) == 0x80)
			end--;
	}
	buf_add(out, str_slice(buf_str(&json), 0, end));
	if (end < json.len)
		buf_add_z(out, "...");
	buf_finish(&json);
}

static unsigned type_of(const struct value *value)
{
	struct decimal number;

	switch (value->kind) {
	case VALUE_NULL: return SCHEMA_NULL;
	case VALUE_BOOL: return SCHEMA_BOOLEAN;
	case VALUE_STRING: return SCHEMA_STRING;
	case VALUE_LIST: return SCHEMA_ARRAY;
	case VALUE_MAP: return SCHEMA_OBJECT;
	case VALUE_NUMBER: break;
	}
	if (decimal_parse(value->as.text, &number) && decimal_is_integer(&number))
		return SCHEMA_NUMBER | SCHEMA_INTEGER;
	return SCHEMA_NUMBER;
}

bool schema_is_type(unsigned types, const struct value *value)
{
	return types == 0 || (types & type_of(value)) != 0;
}

static bool fail_type(struct schema_run *run, unsigned types, const struct schema_where *where,
	const struct value *value)
{
	static const char *const names[] = {
		"null", "true or false", "an integer", "a number", "a string", "a list", "a map"};
	struct buf wanted = {0};
	struct buf found = {0};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!(types & 1u << i))
			continue;
		types &= ~(1u << i);
		if (wanted.len > 0)
			buf_add_z(&wanted, types ? ", " : " or ");
		buf_add_z(&wanted, names[i]);
	}
	/* "a number, not an integer" would puzzle. */
	if (value->kind == VALUE_NUMBER)
		buf_add(&found, STR("the number "));
	if (value->kind == VALUE_NUMBER || value->kind == VALUE_BOOL)
		add_shown(&found, value);
	else
		buf_add_z(&found, value_kind_name(value->kind));
	size_t told = run->diags ? run->diags->list.len : 0;
	schema_mismatch(run, where, value, "is %s, not %s", buf_cstr(&found), buf_cstr(&wanted));
	if (run->diags && run->diags->list.len > told && str_is(buf_str(&wanted), "a string") &&
		(value->kind == VALUE_NUMBER || value->kind == VALUE_BOOL))
		err_help(&run->diags->list.ptr[told], "quote it if it is text");
	buf_finish(&wanted);
	buf_finish(&found);
	return false;
}

static bool check_const(struct schema_run *run, const struct schema *schema,
	const struct schema_where *where, const struct value *value)
{
	struct buf wanted = {0};
	struct buf found = {0};

	if (!schema->one_value || value_equal(schema->one_value, value))
		return true;
	if (!run->is_quiet) {
		add_shown(&wanted, schema->one_value);
		add_shown(&found, value);
		schema_mismatch(
			run, where, value, "is %s, not %s", buf_cstr(&found), buf_cstr(&wanted));
	}
	buf_finish(&wanted);
	buf_finish(&found);
	return false;
}

static bool check_enum(struct schema_run *run, const struct schema *schema,
	const struct schema_where *where, const struct value *value)
{
	if (!schema->values)
		return true;
	size_t count = schema->values->as.list.count;
	const struct value *values = schema->values->as.list.items;
	for (size_t i = 0; i < count; i++)
		if (value_equal(&values[i], value))
			return true;
	if (!schema_count(run, value, count) || run->is_quiet)
		return false;
	struct buf wanted = {0};
	struct buf found = {0};
	add_shown(&found, value);
	for (size_t i = 0; i < count && i < 10; i++) {
		if (i > 0)
			buf_add_z(&wanted, ", ");
		add_shown(&wanted, &values[i]);
	}
	if (count > 10)
		buf_printf(&wanted, ", ... (%zu in all)", count);
	schema_mismatch(
		run, where, value, "is %s, none of %s", buf_cstr(&found), buf_cstr(&wanted));
	buf_finish(&wanted);
	buf_finish(&found);
	return false;
}

static bool check_number(struct schema_run *run, const struct schema *schema,
	const struct schema_where *where, const struct value *value)
{
	struct decimal number;
	str text = value->as.text;
	const char *wrong = NULL;
	const struct schema_bound *bound = NULL;

	if (!schema->minimum.is_set && !schema->maximum.is_set && !schema->above.is_set &&
		!schema->below.is_set && !schema->multiple_of.is_set)
		return true;
	if (!decimal_parse(text, &number))
		return schema_mismatch(run, where, value,
			"is %.*s, whose exponent is too large to compare", STR_ARG(text));
	bool ok = true;
	const struct {
		const struct schema_bound *bound;
		const char *wrong;
		int first; /* the smallest and the largest order that is good */
		int last;
	} bounds[] = {{&schema->minimum, "less than", 0, 1}, {&schema->maximum, "more than", -1, 0},
		{&schema->above, "not more than", 1, 1}, {&schema->below, "not less than", -1, -1}};
	for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
		bound = bounds[i].bound;
		wrong = bounds[i].wrong;
		int order = bound->is_set ? decimal_cmp(&number, &bound->number) : bounds[i].first;
		if (order < bounds[i].first || order > bounds[i].last)
			ok = schema_mismatch(run, where, value, "is %.*s, %s %.*s", STR_ARG(text),
				wrong, STR_ARG(bound->text));
	}
	bound = &schema->multiple_of;
	if (bound->is_set && !decimal_is_multiple(&number, &bound->number))
		ok = schema_mismatch(run, where, value, "is %.*s, not a multiple of %.*s",
			STR_ARG(text), STR_ARG(bound->text));
	return ok;
}

static bool check_pattern(struct schema_run *run, const struct schema *schema,
	const struct schema_where *where, const struct value *value)
{
	struct err err = {0};
	bool matched = false;

	if (!schema->pattern.regex)
		return true;
	if (!regex_match(schema->pattern.regex, value->as.text, &matched, &err))
		return schema_abort(run, value, &err);
	if (matched)
		return true;
	if (run->is_quiet)
		return false;
	struct buf found = {0};
	add_shown(&found, value);
	schema_mismatch(run, where, value, "is %s, which does not match the pattern %.*s",
		buf_cstr(&found), STR_ARG(schema->pattern.text));
	buf_finish(&found);
	return false;
}

static bool check_string(struct schema_run *run, const struct schema *schema,
	const struct schema_where *where, const struct value *value)
{
	str text = value->as.text;
	bool ok = true;

	if (schema->min_length.is_set || schema->max_length.is_set) {
		uint64_t chars = 0;
		for (size_t i = 0; i < text.len; i++)
			chars += ((unsigned char)text.ptr[i] & 0xC0) != 0x80;
		if (schema->min_length.is_set && chars < schema->min_length.number)
			ok = schema_mismatch(run, where, value,
				"has %llu character%s, fewer than %llu", (unsigned long long)chars,
				chars == 1 ? "" : "s",
				(unsigned long long)schema->min_length.number);
		if (schema->max_length.is_set && chars > schema->max_length.number)
			ok = schema_mismatch(run, where, value,
				"has %llu character%s, more than %llu", (unsigned long long)chars,
				chars == 1 ? "" : "s",
				(unsigned long long)schema->max_length.number);
	}
	return check_pattern(run, schema, where, value) && ok;
}

bool schema_check_scalar(struct schema_run *run, const struct schema *schema,
	const struct schema_where *where, const struct value *value)
{
	bool ok = true;

	/* What has the wrong type is wrong in one way, not in several. */
	if (!schema_is_type(schema->types, value))
		return run->is_quiet ? false : fail_type(run, schema->types, where, value);
	if (!check_const(run, schema, where, value))
		ok = false;
	if (!check_enum(run, schema, where, value))
		ok = false;
	if (value->kind == VALUE_NUMBER && !check_number(run, schema, where, value))
		ok = false;
	if (value->kind == VALUE_STRING && !check_string(run, schema, where, value))
		ok = false;
	return ok;
}
