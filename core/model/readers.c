/* readers: one member of a mapping as text, a flag, strings, a duration, a retry, names with values.  Each reports what it
 * refuses, all of it.  They don't know whether the member is a node's or the workflow's. */
#include "model/load.h"

struct place load_place(const struct load *load, const struct value *value)
{
	return value_place(value, load->file);
}

struct place load_key_place(const struct load *load, const struct value_member *member)
{
	return (struct place){load->file, member->line, member->col, (uint32_t)member->key.len};
}

struct err *load_wrong_kind(
	struct load *load, const struct value_member *member, const char *wanted)
{
	return diags_error(load->diags, load_place(load, &member->value), "E-FIELD-TYPE",
		"`%.*s` is %s, not %s", STR_ARG(member->key), value_kind_name(member->value.kind),
		wanted);
}

struct err *load_wrong_value(
	struct load *load, const struct value_member *member, const char *wanted)
{
	const struct value *value = &member->value;
	if (value->kind != VALUE_NUMBER && value->kind != VALUE_STRING)
		return load_wrong_kind(load, member, wanted);
	return diags_error(load->diags, load_place(load, value), "E-FIELD-VALUE",
		"`%.*s` is `%.*s`, not %s", STR_ARG(member->key), STR_ARG(value->as.text), wanted);
}

bool take_text(struct load *load, const struct value_member *member, str *out)
{
	if (member->value.kind != VALUE_STRING) {
		load_wrong_kind(load, member, "a string");
		return false;
	}
	*out = member->value.as.text;
	return true;
}

bool take_flag(struct load *load, const struct value_member *member, bool *out)
{
	if (member->value.kind != VALUE_BOOL) {
		struct err *err = load_wrong_kind(load, member, "true or false");
		if (member->value.kind == VALUE_STRING)
			err_help(err,
				"write `%.*s: true` or `false`; in YAML 1.2 `%.*s` is a string",
				STR_ARG(member->key), STR_ARG(member->value.as.text));
		return false;
	}
	*out = member->value.as.boolean;
	return true;
}

bool take_strs(struct load *load, const struct value_member *member, struct strs *out)
{
	const struct value *value = &member->value;
	struct arena *arena = &load->workflow->arena;
	if (value->kind == VALUE_STRING) {
		out->ptr = arena_new(arena, str);
		out->ptr[0] = value->as.text;
		out->len = 1;
		return true;
	}
	if (value->kind != VALUE_LIST) {
		load_wrong_kind(load, member, "a list of strings");
		return false;
	}
	out->ptr = arena_array(arena, str, value->as.list.count);
	out->len = 0;
	for (size_t i = 0; i < value->as.list.count; i++) {
		const struct value *item = &value->as.list.items[i];
		if (item->kind == VALUE_STRING)
			out->ptr[out->len++] = item->as.text;
		else
			diags_error(load->diags, load_place(load, item), "E-FIELD-TYPE",
				"item %zu of `%.*s` is %s, not a string", i + 1,
				STR_ARG(member->key), value_kind_name(item->kind));
	}
	return out->len == value->as.list.count;
}

struct place load_item_place(
	const struct load *load, const struct value_member *member, size_t index)
{
	const struct value *value = &member->value;
	return load_place(load, value->kind == VALUE_LIST ? &value->as.list.items[index] : value);
}

static bool is_variable_name(str name)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];
		bool is_letter = c == '_' || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
		if (!is_letter && (i == 0 || c < '0' || c > '9'))
			return false;
	}
	return name.len > 0;
}

static void report_variable(struct load *load, struct place at, str field, str name)
{
	err_help(diags_error(load->diags, at, "E-ENV-NAME",
			 "`%.*s`: `%.*s` is not a name of an environment variable", STR_ARG(field),
			 STR_ARG(name)),
		"names are letters, digits and _, and do not begin with a digit");
}

bool take_names(struct load *load, const struct value_member *member, struct strs *out)
{
	if (!take_strs(load, member, out))
		return false;
	bool is_good = true;
	for (size_t i = 0; i < out->len; i++) {
		if (!is_variable_name(out->ptr[i])) {
			report_variable(
				load, load_item_place(load, member, i), member->key, out->ptr[i]);
			is_good = false;
		}
	}
	return is_good;
}

static bool unit_ms(str unit, uint64_t *ms)
{
	static const struct {
		const char *name;
		uint64_t ms;
	} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (str_is(unit, units[i].name)) {
			*ms = units[i].ms;
			return true;
		}
	}
	return false;
}

bool workflow_duration(const struct value *value, uint64_t *ms)
{
	if (value->kind == VALUE_NUMBER)
		return str_to_u64(value->as.text, ms);
	if (value->kind != VALUE_STRING)
		return false;
	str text = str_trim(value->as.text);
	size_t digits = 0;
	while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9')
		digits++;
	uint64_t number = 0;
	uint64_t factor = 0;
	if (!str_to_u64(str_slice(text, 0, digits), &number) ||
		!unit_ms(str_trim(str_slice(text, digits, text.len)), &factor))
		return false;
	if (number > UINT64_MAX / factor)
		return false;
	*ms = number * factor;
	return true;
}

bool take_duration(struct load *load, const struct value_member *member, uint64_t *ms)
{
	if (workflow_duration(&member->value, ms))
		return true;
	const struct value *value = &member->value;
	bool has_text = value->kind == VALUE_STRING || value->kind == VALUE_NUMBER;
	struct err *err = has_text ? diags_error(load->diags, load_place(load, value),
					     "E-FIELD-DURATION", "`%.*s`: `%.*s` is not a duration",
					     STR_ARG(member->key), STR_ARG(value->as.text))
	                           : load_wrong_kind(load, member, "a duration");
	err_help(err,
		"write a number of milliseconds, or a number with ms, s, m, h or d: `%.*s: 30s`",
		STR_ARG(member->key));
	return false;
}

void load_check_keys(
	struct load *load, const struct value_member *member, const str *known, size_t count)
{
	for (size_t i = 0; i < member->value.as.map.count; i++) {
		const struct value_member *m = &member->value.as.map.items[i];
		bool is_known = false;
		for (size_t k = 0; k < count; k++)
			is_known = is_known || str_eq(m->key, known[k]);
		if (is_known)
			continue;
		struct err *err = diags_error(load->diags, load_key_place(load, m),
			"E-FIELD-UNKNOWN", "`%.*s` has no field `%.*s`", STR_ARG(member->key),
			STR_ARG(m->key));
		str near = str_nearest(m->key, known, count);
		if (near.len)
			err_help(err, "did you mean `%.*s`?", STR_ARG(near));
	}
}

static void take_retry_field(struct load *load, const struct value_member *m, struct retry *out)
{
	double number = 0;
	uint64_t whole = 0;
	if (str_is(m->key, "max_attempts")) {
		if (m->value.kind == VALUE_NUMBER && str_to_u64(m->value.as.text, &whole) &&
			whole >= 1 && whole <= 20)
			out->extra_attempts = (uint32_t)whole;
		else
			err_help(load_wrong_value(load, m, "a whole number from 1 to 20"),
				"max_attempts counts the extra attempts after the first");
	} else if (str_is(m->key, "delay_ms")) {
		take_duration(load, m, &out->delay_ms);
	} else if (str_is(m->key, "backoff")) {
		if (value_to_double(&m->value, &number) && number >= 1 && number <= 100)
			out->backoff = number;
		else
			load_wrong_value(load, m, "a number from 1 to 100");
	} else if (!str_is(m->key, "on_error")) {
		return; /* check_keys has named it */
	} else if (m->value.kind == VALUE_STRING && str_is(m->value.as.text, "transient")) {
		out->transient_only = true;
	} else if (m->value.kind == VALUE_STRING && str_is(m->value.as.text, "all")) {
		out->transient_only = false;
	} else {
		load_wrong_value(load, m, "`all` or `transient`");
	}
}

bool take_retry(struct load *load, const struct value_member *member, struct retry *out)
{
	static const str known[] = {STR_INIT("max_attempts"), STR_INIT("delay_ms"),
		STR_INIT("backoff"), STR_INIT("on_error")};
	if (member->value.kind != VALUE_MAP) {
		err_help(load_wrong_kind(load, member, "a mapping"),
			"write `retry: {max_attempts: 2}`");
		return false;
	}
	*out = (struct retry){.extra_attempts = 1, .delay_ms = 1000, .backoff = 2};
	load_check_keys(load, member, known, sizeof(known) / sizeof(known[0]));
	for (size_t i = 0; i < member->value.as.map.count; i++)
		take_retry_field(load, &member->value.as.map.items[i], out);
	return true;
}

bool take_bindings(struct load *load, const struct value_member *member, struct bindings *out)
{
	if (member->value.kind != VALUE_MAP) {
		err_help(load_wrong_kind(load, member, "a mapping of names to values"),
			"write `%.*s: {NAME: value}`", STR_ARG(member->key));
		return false;
	}
	size_t count = member->value.as.map.count;
	out->ptr = arena_array(&load->workflow->arena, struct binding, count);
	out->len = 0;
	for (size_t i = 0; i < count; i++) {
		const struct value_member *m = &member->value.as.map.items[i];
		out->ptr[out->len++] = (struct binding){.name = m->key,
			.variable = m->key,
			.value = &m->value,
			.at = load_key_place(load, m)};
	}
	return true;
}

bool take_variables(struct load *load, const struct value_member *member, struct bindings *out)
{
	if (!take_bindings(load, member, out))
		return false;
	for (size_t i = 0; i < out->len; i++) {
		const struct binding *b = &out->ptr[i];
		if (!is_variable_name(b->name))
			report_variable(load, b->at, member->key, b->name);
		if (b->value->kind == VALUE_LIST || b->value->kind == VALUE_MAP)
			diags_error(load->diags, load_place(load, b->value), "E-FIELD-TYPE",
				"`%.*s.%.*s` is %s, not text", STR_ARG(member->key),
				STR_ARG(b->name), value_kind_name(b->value->kind));
	}
	return true;
}
