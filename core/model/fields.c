/* fields: the fields that every node may have, as a table: name, reader, JSON Schema.  A field that is not here belongs to
 * the node's type or is an error (nodes.c). */
#include "model/load.h"

#include "base/buf.h"
#include "data/ref.h"

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
		err_help(diags_error(load->diags, load_place(load, &m->value), "E-WHEN-NEVER",
				 "`when` can never be true: %s", buf_cstr(&why)),
			"correct what it is compared with, or take the node out");
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

bool take_limit(struct load *load, const struct value_member *m, uint64_t *ms)
{
	if (!take_duration(load, m, ms))
		return false;
	if (!*ms)
		err_help(diags_error(load->diags, load_place(load, &m->value), "E-FIELD-DURATION",
				 "a timeout of 0 would end the node at once"),
			"leave `timeout` out for no limit");
	return *ms > 0;
}

static void take_timeout(struct load *load, struct node *node, const struct value_member *m)
{
	take_limit(load, m, &node->timeout_ms);
}

static void take_node_retry(struct load *load, struct node *node, const struct value_member *m)
{
	take_retry(load, m, &node->retry);
}

static void take_always_run(struct load *load, struct node *node, const struct value_member *m)
{
	bool on = false;
	if (take_flag(load, m, &on) && on)
		node->always_run = "it says `always_run: true`";
}

static void take_clean(struct load *load, struct node *node, const struct value_member *m)
{
	bool on = true;
	if (take_flag(load, m, &on))
		node->keeps_outputs = !on;
}

static void take_cache(struct load *load, struct node *node, const struct value_member *m)
{
	static const str known[] = {STR_INIT("ttl"), STR_INIT("policy"), STR_INIT("key")};
	if (m->value.kind == VALUE_BOOL) {
		if (!m->value.as.boolean && !node->always_run)
			node->always_run = "it says `cache: false`";
		return;
	}
	if (m->value.kind != VALUE_MAP) {
		err_help(load_wrong_kind(load, m, "false or a mapping"),
			"write `cache: false` or `cache: {ttl: 24h}`");
		return;
	}
	load_check_keys(load, m, known, sizeof(known) / sizeof(known[0]));
	for (size_t i = 0; i < m->value.as.map.count; i++) {
		const struct value_member *field = &m->value.as.map.items[i];
		if (str_is(field->key, "ttl"))
			take_duration(load, field, &node->ttl_ms);
		else if (str_is(field->key, "policy"))
			take_strs(load, field, &node->policies);
		else if (str_is(field->key, "key"))
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
		err_help(diags_error(load->diags, load_item_place(load, m, i), "E-PATH-OUTSIDE",
				 "`%.*s`: `%.*s` is not a path inside the project", STR_ARG(m->key),
				 STR_ARG(path)),
			"paths are relative to the project and do not leave it; programs go into `tools`");
	}
}

/* "./dist/" is "dist". */
static void tidy_paths(struct strs *paths)
{
	for (size_t i = 0; i < paths->len; i++) {
		str *path = &paths->ptr[i];
		while (str_starts(*path, STR("./")) && path->len > 2)
			*path = str_slice(*path, 2, path->len);
		while (path->len > 1 && path->ptr[path->len - 1] == '/')
			path->len--;
	}
}

static void take_reads(struct load *load, struct node *node, const struct value_member *m)
{
	node->reads_declared = take_strs(load, m, &node->reads);
	if (node->reads_declared)
		check_paths(load, m, &node->reads);
	tidy_paths(&node->reads);
}

static void take_writes(struct load *load, struct node *node, const struct value_member *m)
{
	if (take_strs(load, m, &node->writes))
		check_paths(load, m, &node->writes);
	else
		node->writes.len = 0; /* its items are not those of the list */
	tidy_paths(&node->writes);
}

static void take_tools(struct load *load, struct node *node, const struct value_member *m)
{
	take_strs(load, m, &node->tools);
}

static void take_env(struct load *load, struct node *node, const struct value_member *m)
{
	take_variables(load, m, &node->env);
}

static void take_pass_env(struct load *load, struct node *node, const struct value_member *m)
{
	take_names(load, m, &node->pass_env);
}

static void take_secrets(struct load *load, struct node *node, const struct value_member *m)
{
	take_names(load, m, &node->secrets);
}

/* For policies, which read them as they are written. */
static void take_tags(struct load *load, struct node *node, const struct value_member *m)
{
	struct strs tags = {0};
	(void)node;
	if (m->value.kind != VALUE_MAP)
		take_strs(load, m, &tags);
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

void load_take_from(struct load *load, struct binding *b)
{
	static const str known[] = {STR_INIT("from"), STR_INIT("if_skipped")};
	const struct value *from = value_get(b->value, STR("from"));
	if (b->value->kind != VALUE_MAP || !from)
		return;
	struct value_member as_member = {.key = b->name, .value = *b->value};
	load_check_keys(load, &as_member, known, 2);
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
	struct map variables = {0};
	for (size_t i = 0; i < node->with.len; i++) {
		struct binding *b = &node->with.ptr[i];
		if (!load_is_name(b->name))
			err_help(diags_error(load->diags, b->at, "E-WITH-NAME",
					 "`with`: `%.*s` is not a name", STR_ARG(b->name)),
				"a name is a letter or _, then letters, digits, _ or -, at most 64");
		b->variable = with_variable(&load->workflow->arena, b->name);
		const struct binding *other = map_put(&variables, b->variable, b);
		if (other)
			err_help(diags_error(load->diags, b->at, "E-WITH-NAME",
					 "`%.*s` and `%.*s` would both be the variable %.*s",
					 STR_ARG(other->name), STR_ARG(b->name),
					 STR_ARG(b->variable)),
				"rename one of them");
		load_take_from(load, b);
	}
	map_finish(&variables);
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
	else if (value_path(node->fields, STR("ensure.output.schema")))
		err_help(diags_error(load->diags, load_key_place(load, m), "E-FIELD-TWICE",
				 "node `%.*s` has both `output_format` and `ensure.output.schema`",
				 STR_ARG(node->id)),
			"`output_format` is short for the other; leave one of them out");
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
#define DELAY \
	"{\"anyOf\":[{\"type\":\"integer\",\"minimum\":0},{\"type\":\"string\",\"pattern\":\"^[0-9]+ ?(ms|s|m|h|d)$\"}]}"
#define OBJECT "{\"type\":\"object\"}"
#define FAN_OUT                                                                                               \
	"{\"type\":\"object\",\"required\":[\"items\"],\"properties\":{"                                      \
	"\"items\":{\"anyOf\":[{\"type\":\"array\"},{\"type\":\"string\",\"pattern\":\"^\\\\s*[$\\\\[]\"}]}," \
	"\"as\":{\"type\":\"string\",\"pattern\":\"^[A-Za-z_][A-Za-z0-9_-]{0,63}$\"},"                        \
	"\"max_parallel\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":10000},"                            \
	"\"join\":{\"enum\":[\"all_success\",\"all_done\"]}},\"additionalProperties\":false}"
#define SUBJECT                                                                                             \
	"{\"type\":\"object\",\"properties\":{\"json\":{},\"schema\":{},\"not_empty\":{},\"min_bytes\":{}," \
	"\"max_bytes\":{},\"matches\":{},\"not_matches\":{}},\"additionalProperties\":false}"
#define ENSURE                                                              \
	"{\"type\":\"object\",\"properties\":{\"output\":" SUBJECT          \
	",\"files\":{\"type\":\"object\",\"additionalProperties\":" SUBJECT \
	"},\"run\":{\"type\":\"string\"}},\"additionalProperties\":false}"

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
		"\"delay_ms\":" DELAY
		",\"backoff\":{\"type\":\"number\",\"minimum\":1,\"maximum\":100},"
		"\"on_error\":{\"enum\":[\"all\",\"transient\"]}},\"additionalProperties\":false}"},
	{"always_run", take_always_run, "{\"type\":\"boolean\"}"},
	{"cache", take_cache,
		"{\"anyOf\":[{\"type\":\"boolean\"},{\"type\":\"object\",\"properties\":{\"ttl\":" DELAY
		",\"policy\":" STRS ",\"key\":" STRS "},\"additionalProperties\":false}]}"},
	{"clean", take_clean, "{\"type\":\"boolean\"}"},
	{"reads", take_reads, STRS},
	{"writes", take_writes, STRS},
	{"tools", take_tools, STRS},
	{"env", take_env,
		"{\"type\":\"object\",\"additionalProperties\":{\"type\":[\"string\",\"number\",\"boolean\",\"null\"]}}"},
	{"pass_env", take_pass_env, STRS},
	{"secrets", take_secrets, STRS},
	{"with", take_with, OBJECT},
	{"ensure", take_ensure, ENSURE},
	{"output_format", take_output_format, OBJECT},
	{"dir", take_dir, TEXT},
	{"pool", take_pool, TEXT},
	{"output_type", take_output_type, TEXT},
	{"fan_out", take_elsewhere, FAN_OUT},
	{"tags", take_tags, "{\"anyOf\":[" STRS "," OBJECT "]}"},
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
