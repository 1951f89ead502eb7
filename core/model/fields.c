/* fields: the fields that every node may have, as a table: name, reader, JSON Schema.  A field that is not here belongs to
 * the node's type or is an error (nodes.c). */
#include "model/load.h"

#include "base/buf.h"
#include "data/ref.h"

#include <stdlib.h>

struct place load_place(const struct load *load, const struct value *value)
{
	return value_place(value, load->workflow->file);
}

struct place load_key_place(const struct load *load, const struct value_member *member)
{
	return (struct place){
		load->workflow->file, member->line, member->col, (uint32_t)member->key.len};
}

struct err *load_wrong_kind(
	struct load *load, const struct value_member *member, const char *wanted)
{
	return diags_error(load->diags, load_place(load, &member->value), "E-FIELD-TYPE",
		"`%.*s` is %s, not %s", STR_ARG(member->key), value_kind_name(member->value.kind),
		wanted);
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
			err_help(err, "write `%.*s: true` or `false`; in YAML 1.2 %s is a string",
				STR_ARG(member->key), "yes");
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
		if (item->kind != VALUE_STRING) {
			diags_error(load->diags, load_place(load, item), "E-FIELD-TYPE",
				"item %zu of `%.*s` is %s, not a string", i + 1,
				STR_ARG(member->key), value_kind_name(item->kind));
			return false;
		}
		out->ptr[out->len++] = item->as.text;
	}
	return true;
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

bool take_names(struct load *load, const struct value_member *member, struct strs *out)
{
	if (!take_strs(load, member, out))
		return false;
	for (size_t i = 0; i < out->len; i++) {
		if (!is_variable_name(out->ptr[i])) {
			err_help(diags_error(load->diags, load_place(load, &member->value),
					 "E-ENV-NAME",
					 "`%.*s`: `%.*s` is not a name of an environment variable",
					 STR_ARG(member->key), STR_ARG(out->ptr[i])),
				"names are letters, digits and _, and do not begin with a digit");
			return false;
		}
	}
	return true;
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
	err_help(diags_error(load->diags, load_place(load, &member->value), "E-FIELD-DURATION",
			 "`%.*s` is not a duration", STR_ARG(member->key)),
		"write a number of milliseconds, or a number with ms, s, m, h or d: `%.*s: 30s`",
		STR_ARG(member->key));
	return false;
}

static bool check_keys(
	struct load *load, const struct value_member *member, const str *known, size_t count)
{
	bool is_good = true;
	for (size_t i = 0; i < member->value.as.map.count; i++) {
		const struct value_member *m = &member->value.as.map.items[i];
		bool is_known = false;
		for (size_t k = 0; k < count; k++)
			is_known = is_known || str_eq(m->key, known[k]);
		if (is_known)
			continue;
		is_good = false;
		struct err *err = diags_error(load->diags, load_key_place(load, m),
			"E-FIELD-UNKNOWN", "`%.*s` has no field `%.*s`", STR_ARG(member->key),
			STR_ARG(m->key));
		str near = str_nearest(m->key, known, count);
		if (near.len)
			err_help(err, "did you mean `%.*s`?", STR_ARG(near));
	}
	return is_good;
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
			err_help(load_wrong_kind(load, m, "a whole number from 1 to 20"),
				"max_attempts counts the extra attempts after the first");
	} else if (str_is(m->key, "delay_ms")) {
		take_duration(load, m, &out->delay_ms);
	} else if (str_is(m->key, "backoff")) {
		if (value_to_double(&m->value, &number) && number >= 1 && number <= 100)
			out->backoff = number;
		else
			load_wrong_kind(load, m, "a number from 1 to 100");
	} else if (m->value.kind == VALUE_STRING && str_is(m->value.as.text, "transient")) {
		out->transient_only = true;
	} else if (m->value.kind == VALUE_STRING && str_is(m->value.as.text, "all")) {
		out->transient_only = false;
	} else {
		load_wrong_kind(load, m, "`all` or `transient`");
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
	if (!check_keys(load, member, known, sizeof(known) / sizeof(known[0])))
		return false;
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

/* ---- node fields ---- */

static void take_description(struct load *load, struct node *node, const struct value_member *m)
{
	take_text(load, m, &node->description);
}

static void take_when(struct load *load, struct node *node, const struct value_member *m)
{
	if (!take_text(load, m, &node->when_text))
		return;
	struct err err = {0};
	struct place origin = load_place(load, &m->value);
	if (m->value.style == '\'' || m->value.style == '"')
		origin.col++;
	node->when = when_parse(&load->workflow->arena, node->when_text, origin, &err);
	if (!node->when) {
		err_at(&err, origin);
		diags_take(load->diags, &err);
		return;
	}
	struct buf why = {0};
	if (when_is_never(node->when, &why))
		diags_error(load->diags, load_place(load, &m->value), "E-WHEN-NEVER",
			"`when` can never be true: %s", buf_cstr(&why));
	buf_finish(&why);
}

const char *trigger_rule_name(enum trigger_rule rule)
{
	static const char *const names[] = {
		"all_success", "one_success", "none_failed_min_one_success", "all_done"};
	return names[rule];
}

static void take_trigger_rule(struct load *load, struct node *node, const struct value_member *m)
{
	str text = STR("");
	if (!take_text(load, m, &text))
		return;
	str names[4];
	for (int rule = RULE_ALL_SUCCESS; rule <= RULE_ALL_DONE; rule++) {
		names[rule] = str_of(trigger_rule_name((enum trigger_rule)rule));
		if (str_eq(text, names[rule])) {
			node->rule = (enum trigger_rule)rule;
			return;
		}
	}
	struct err *err = diags_error(load->diags, load_place(load, &m->value), "E-TRIGGER-RULE",
		"there is no trigger rule `%.*s`", STR_ARG(text));
	str near = str_nearest(text, names, 4);
	if (near.len)
		err_help(err, "did you mean `%.*s`?", STR_ARG(near));
	else
		err_help(err,
			"one of all_success, one_success, none_failed_min_one_success, all_done");
}

static void take_timeout(struct load *load, struct node *node, const struct value_member *m)
{
	if (take_duration(load, m, &node->timeout_ms) && !node->timeout_ms)
		err_help(diags_error(load->diags, load_place(load, &m->value), "E-FIELD-DURATION",
				 "a timeout of 0 would end the node at once"),
			"leave `timeout` out for no limit");
}

static void take_node_retry(struct load *load, struct node *node, const struct value_member *m)
{
	take_retry(load, m, &node->retry);
}

static void take_always_run(struct load *load, struct node *node, const struct value_member *m)
{
	bool on = false;
	if (take_flag(load, m, &on) && on)
		node->always_run = true;
}

static void take_cache(struct load *load, struct node *node, const struct value_member *m)
{
	static const str known[] = {STR_INIT("ttl"), STR_INIT("policy"), STR_INIT("key")};
	if (m->value.kind == VALUE_BOOL) {
		node->always_run = node->always_run || !m->value.as.boolean;
		return;
	}
	if (m->value.kind != VALUE_MAP) {
		err_help(load_wrong_kind(load, m, "false or a mapping"),
			"write `cache: false` or `cache: {ttl: 24h}`");
		return;
	}
	if (!check_keys(load, m, known, sizeof(known) / sizeof(known[0])))
		return;
	for (size_t i = 0; i < m->value.as.map.count; i++) {
		const struct value_member *field = &m->value.as.map.items[i];
		if (str_is(field->key, "ttl"))
			take_duration(load, field, &node->ttl_ms);
		else if (str_is(field->key, "policy"))
			take_strs(load, field, &node->policies);
		else
			take_strs(load, field, &node->cache_key);
	}
}

static void check_paths(struct load *load, const struct value_member *m, const struct strs *paths)
{
	for (size_t i = 0; i < paths->len; i++) {
		str path = paths->ptr[i];
		bool leaves = str_is(path, "..") || str_starts(path, STR("../")) ||
		              str_find(path, STR("/../"), 0) != SIZE_MAX ||
		              str_ends(path, STR("/.."));
		if (path.len && path.ptr[0] != '/' && !leaves)
			continue;
		err_help(diags_error(load->diags, load_place(load, &m->value), "E-PATH-OUTSIDE",
				 "`%.*s`: `%.*s` is not a path inside the project", STR_ARG(m->key),
				 STR_ARG(path)),
			"paths are relative to the project and do not leave it; programs go into `tools`");
	}
}

static void take_reads(struct load *load, struct node *node, const struct value_member *m)
{
	node->reads_declared = take_strs(load, m, &node->reads);
	check_paths(load, m, &node->reads);
}

static void take_writes(struct load *load, struct node *node, const struct value_member *m)
{
	take_strs(load, m, &node->writes);
	check_paths(load, m, &node->writes);
}

static void take_tools(struct load *load, struct node *node, const struct value_member *m)
{
	take_strs(load, m, &node->tools);
}

static void take_env(struct load *load, struct node *node, const struct value_member *m)
{
	if (!take_bindings(load, m, &node->env))
		return;
	for (size_t i = 0; i < node->env.len; i++) {
		const struct binding *b = &node->env.ptr[i];
		if (!is_variable_name(b->name))
			diags_error(load->diags, b->at, "E-ENV-NAME",
				"`%.*s` is not a name of an environment variable",
				STR_ARG(b->name));
		if (b->value->kind == VALUE_LIST || b->value->kind == VALUE_MAP)
			diags_error(load->diags, load_place(load, b->value), "E-FIELD-TYPE",
				"`env.%.*s` is %s, not text", STR_ARG(b->name),
				value_kind_name(b->value->kind));
	}
}

static void take_pass_env(struct load *load, struct node *node, const struct value_member *m)
{
	take_names(load, m, &node->pass_env);
}

static void take_secrets(struct load *load, struct node *node, const struct value_member *m)
{
	take_names(load, m, &node->secrets);
}

static str with_variable(struct arena *arena, str name)
{
	char *text = arena_alloc(arena, name.len + 8);
	memcpy(text, "INPUTS_", 7);
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];
		text[7 + i] = c == '-' ? '_' : c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
	}
	return (str){text, name.len + 7};
}

static void take_from(struct load *load, struct binding *b)
{
	static const str known[] = {STR_INIT("from"), STR_INIT("if_skipped")};
	const struct value *from = value_get(b->value, STR("from"));
	if (b->value->kind != VALUE_MAP || !from)
		return;
	struct value_member as_member = {.key = b->name, .value = *b->value};
	check_keys(load, &as_member, known, 2);
	b->if_skipped = value_get(b->value, STR("if_skipped"));
	b->value = from;
	struct ref ref;
	if (from->kind != VALUE_STRING || !ref_is_whole(from->as.text, &ref))
		err_help(diags_error(load->diags, load_place(load, from), "E-WITH-FROM",
				 "`from` is not one reference"),
			"write `from: $node.output.field`");
}

static void take_with(struct load *load, struct node *node, const struct value_member *m)
{
	if (!take_bindings(load, m, &node->with))
		return;
	for (size_t i = 0; i < node->with.len; i++) {
		struct binding *b = &node->with.ptr[i];
		if (!load_is_name(b->name))
			diags_error(load->diags, b->at, "E-WITH-NAME", "`%.*s` is not a name",
				STR_ARG(b->name));
		b->variable = with_variable(&load->workflow->arena, b->name);
		for (size_t k = 0; k < i; k++) {
			if (str_eq(node->with.ptr[k].variable, b->variable))
				diags_error(load->diags, b->at, "E-WITH-NAME",
					"`%.*s` and `%.*s` would both be the variable %.*s",
					STR_ARG(node->with.ptr[k].name), STR_ARG(b->name),
					STR_ARG(b->variable));
		}
		take_from(load, b);
	}
}

static void take_ensure(struct load *load, struct node *node, const struct value_member *m)
{
	if (m->value.kind != VALUE_MAP) {
		load_wrong_kind(load, m, "a mapping");
		return;
	}
	node->ensure = &m->value;
	const struct value *schema = value_path(&m->value, STR("output.schema"));
	if (schema)
		node->output_schema = schema;
}

static void take_output_format(struct load *load, struct node *node, const struct value_member *m)
{
	if (m->value.kind != VALUE_MAP)
		load_wrong_kind(load, m, "a JSON Schema (a mapping)");
	else
		node->output_schema = &m->value;
}

static void take_dir(struct load *load, struct node *node, const struct value_member *m)
{
	if (take_text(load, m, &node->dir))
		check_paths(load, m, &(struct strs){&node->dir, 1});
}

static void take_pool(struct load *load, struct node *node, const struct value_member *m)
{
	take_text(load, m, &node->pool);
}

static void take_output_type(struct load *load, struct node *node, const struct value_member *m)
{
	take_text(load, m, &node->output_type);
}

static void take_elsewhere(struct load *load, struct node *node, const struct value_member *m)
{
	(void)load, (void)node, (void)m;
}

#define TEXT "{\"type\":\"string\"}"
#define STRS \
	"{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"array\",\"items\":{\"type\":\"string\"}}]}"
#define DURATION \
	"{\"anyOf\":[{\"type\":\"integer\",\"minimum\":1},{\"type\":\"string\",\"pattern\":\"^[0-9]+ ?(ms|s|m|h|d)$\"}]}"
#define OBJECT "{\"type\":\"object\"}"

static const struct field fields[] = {
	{"id", take_elsewhere,
		"{\"type\":\"string\",\"pattern\":\"^[A-Za-z_][A-Za-z0-9_-]{0,63}$\"}"},
	{"depends_on", take_elsewhere, STRS},
	{"description", take_description, TEXT},
	{"when", take_when, TEXT},
	{"trigger_rule", take_trigger_rule,
		"{\"enum\":[\"all_success\",\"one_success\",\"none_failed_min_one_success\",\"all_done\"]}"},
	{"timeout", take_timeout, DURATION},
	{"retry", take_node_retry,
		"{\"type\":\"object\",\"properties\":{\"max_attempts\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":20},"
		"\"delay_ms\":" DURATION
		",\"backoff\":{\"type\":\"number\",\"minimum\":1,\"maximum\":100},"
		"\"on_error\":{\"enum\":[\"all\",\"transient\"]}},\"additionalProperties\":false}"},
	{"always_run", take_always_run, "{\"type\":\"boolean\"}"},
	{"cache", take_cache,
		"{\"anyOf\":[{\"type\":\"boolean\"},{\"type\":\"object\",\"properties\":{\"ttl\":" DURATION
		",\"policy\":" STRS ",\"key\":" STRS "},\"additionalProperties\":false}]}"},
	{"reads", take_reads, STRS},
	{"writes", take_writes, STRS},
	{"tools", take_tools, STRS},
	{"env", take_env,
		"{\"type\":\"object\",\"additionalProperties\":{\"type\":[\"string\",\"number\",\"boolean\",\"null\"]}}"},
	{"pass_env", take_pass_env, STRS},
	{"secrets", take_secrets, STRS},
	{"with", take_with, OBJECT},
	{"ensure", take_ensure, OBJECT},
	{"output_format", take_output_format, OBJECT},
	{"dir", take_dir, TEXT},
	{"pool", take_pool, TEXT},
	{"output_type", take_output_type, TEXT},
};

const struct field *field_table(size_t *count)
{
	*count = sizeof(fields) / sizeof(fields[0]);
	return fields;
}

const struct field *field_find(str name)
{
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (str_is(name, fields[i].name))
			return &fields[i];
	}
	return NULL;
}
