/* nodekey: the transcript of what is known to decide a node's result before it runs.  The core's frame first, then what the
 * node's plugin contributes, in the list "fields".  Labels are what `why` and `diff` show; decide_label_reason() maps their
 * first part to a reason. */
#include "engine/internal.h"

#include "base/buf.h"
#include "engine/rules.h"

static void add_strs(struct key *key, const char *label, const struct strs *list)
{
	if (!list->len)
		return;
	key_open(key, str_of(label));
	for (size_t i = 0; i < list->len; i++)
		key_text(key, STR("-"), list->ptr[i]);
	key_close(key);
}

static void add_input(struct attempt *attempt, struct key *key, const struct unit *dep)
{
	enum node_state state = dep->state == NODE_REUSED ? NODE_COMPLETED : dep->state;
	key_open(key, dep->node->id);
	key_text(key, STR("state"), str_of(node_state_name(state)));
	if (dep->out.has_output && dep->node->index != attempt->left_out)
		key_digest(key, STR("output"), &dep->out.output);
	if (dep->out.has_manifest)
		key_digest(key, STR("artifacts"), &dep->out.manifest);
	if (upstream_is_unknown(dep))
		key_text(key, STR("attempt"), upstream_name(attempt->engine, &attempt->arena));
	if (dep->has_lost)
		key_digest(key, STR("left-by-several"), &dep->lost);
	if (dep->has_above)
		key_digest(key, STR("artifacts-above"), &dep->above);
	if (dep->out.emits.len)
		key_text(key, STR("emits"), dep->out.emits);
	key_close(key);
}

static bool mentions(const struct value *value, str id, unsigned depth)
{
	if (!value || depth > 64)
		return value != NULL;
	if (value->kind == VALUE_STRING)
		return str_find(value->as.text, id, 0) != SIZE_MAX;
	for (size_t i = 0; value->kind == VALUE_LIST && i < value->as.list.count; i++) {
		if (mentions(&value->as.list.items[i], id, depth + 1))
			return true;
	}
	for (size_t i = 0; value->kind == VALUE_MAP && i < value->as.map.count; i++) {
		if (mentions(&value->as.map.items[i].value, id, depth + 1))
			return true;
	}
	return false;
}

/* Whether anything but its items can bring the output of `source` to a slot. */
static bool uses_source(const struct node *node, str source)
{
	static const char *const others[] = {"id", "depends_on", "description", "fan_out"};
	const struct value *fields = node->fields;
	for (size_t i = 0; i < fields->as.map.count; i++) {
		const struct value_member *m = &fields->as.map.items[i];
		bool is_other = false;
		for (size_t k = 0; k < sizeof(others) / sizeof(others[0]); k++)
			is_other = is_other || str_is(m->key, others[k]);
		if (!is_other && mentions(&m->value, source, 0))
			return true;
	}
	for (size_t i = 0; i < node->env.len; i++) {
		if (mentions(node->env.ptr[i].value, source, 0))
			return true; /* what `defaults` gives, too */
	}
	return false;
}

/* What the include that the scope is of gives for its input, in the terms of the scope around it. */
static const struct value *find_given(const struct scope **scope, str name)
{
	const struct scope *file = *scope;
	while (file->is_transparent)
		file = file->outer;
	*scope = file->outer;
	for (size_t i = 0; file->with && i < file->with->len; i++) {
		if (str_eq(file->with->ptr[i].name, name))
			return file->with->ptr[i].value;
	}
	return NULL;
}

/* A slot depends on its item.  The list that the item comes from is not part of its key, or a new item would run them all. */
static uint32_t find_left_out(const struct attempt *attempt)
{
	const struct node *node = attempt->unit->node;
	const struct unit *parent = attempt->unit->parent;
	const struct fan_out *fan = parent ? parent->node->fan_out : NULL;
	const struct scope *scope = attempt->scope;
	const struct value *items = fan ? fan->items : NULL;
	struct ref ref;
	while (items && attempt->unit->item && items->kind == VALUE_STRING &&
		ref_is_whole(items->as.text, &ref) && !uses_source(node, ref.name)) {
		if (ref.kind == REF_OUTPUT) {
			const struct node *source =
				workflow_resolve(attempt->engine->workflow, scope, ref.name);
			return source ? source->index : NO_NODE;
		}
		items = ref.kind == REF_INPUT ? find_given(&scope, ref.name) : NULL;
	}
	return NO_NODE;
}

/* What earlier iterations of the loops that it is in left in $ARTIFACTS_DIR. */
static void add_before(struct attempt *attempt, struct key *key)
{
	const struct engine *engine = attempt->engine;
	uint32_t holder = attempt->unit->node->scope->holder;
	while (holder != NO_NODE) {
		const struct unit *loop = &engine->units[holder];
		if (loop->has_before) {
			key_open(key, STR("inputs"));
			key_open(key, loop->node->id);
			key_digest(key, STR("artifacts-before"), &loop->before);
			key_close(key);
			key_close(key);
		}
		holder = loop->node->scope->holder;
	}
}

/* Direct dependencies and nodes further up that are named, merged in the order of their ids. */
static void add_inputs(struct attempt *attempt, struct key *key)
{
	const struct node *node = attempt->unit->node;
	const struct engine *engine = attempt->engine;
	uint32_t d = 0;
	uint32_t r = 0;
	if (!node->dep_count && !node->ref_count)
		return;
	key_open(key, STR("inputs"));
	while (d < node->dep_count || r < node->ref_count) {
		bool take_dep = r == node->ref_count;
		if (!take_dep && d < node->dep_count)
			take_dep = str_cmp(engine->workflow->nodes[node->deps[d]].id,
					   engine->workflow->nodes[node->refs[r]].id) < 0;
		add_input(
			attempt, key, &engine->units[take_dep ? node->deps[d++] : node->refs[r++]]);
	}
	key_close(key);
}

static bool add_bindings(struct attempt *attempt, struct key *key, const char *label,
	const struct bindings *list, struct err *err)
{
	if (!list->len)
		return true;
	key_open(key, str_of(label));
	for (size_t i = 0; i < list->len; i++) {
		str text = STR("");
		if (!values_binding_text(attempt, &list->ptr[i], true, &text, err))
			return false;
		key_text(key, list->ptr[i].name, text);
	}
	key_close(key);
	return true;
}

static void add_passed(struct attempt *attempt, struct key *key)
{
	const struct node *node = attempt->unit->node;
	const char *const *caller = attempt->engine->options->environment;
	for (size_t i = 0; i < node->pass_env.len; i++) {
		bool found = false;
		str label = str_of(
			arena_printf(&attempt->arena, "env/%.*s", STR_ARG(node->pass_env.ptr[i])));
		str value = environ_get(caller, node->pass_env.ptr[i].ptr, &found);
		if (found)
			key_text(key, label, value);
		else
			key_absent(key, label);
	}
	for (size_t i = 0; i < node->secrets.len; i++) {
		bool found = false;
		str label = str_of(arena_printf(
			&attempt->arena, "secrets/%.*s", STR_ARG(node->secrets.ptr[i])));
		str value = environ_get(caller, node->secrets.ptr[i].ptr, &found);
		struct digest digest = hash_keyed(store_secret_key(attempt->engine->store), value);
		if (found)
			key_digest(key, label, &digest);
		else
			key_absent(key, label);
	}
}

/* What passes unasked and changes how programs print: language, collation, time zone. */
void nodekey_prepare(struct engine *engine)
{
	static const char *const names[] = {"LANG", "LC_ALL", "LC_COLLATE", "LC_CTYPE",
		"LC_MESSAGES", "LC_MONETARY", "LC_NUMERIC", "LC_TIME", "TZ"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		bool found = false;
		str value = environ_get(engine->options->environment, names[i], &found);
		if (found)
			engine->locale[engine->locale_count++] = (struct locale_part){
				str_of(arena_printf(&engine->arena, "locale/%s", names[i])), value};
	}
}

static void add_locale(const struct engine *engine, struct key *key)
{
	for (size_t i = 0; i < engine->locale_count; i++)
		key_text(key, engine->locale[i].label, engine->locale[i].value);
}

struct given_scan {
	struct attempt *attempt;
	struct key *key;
};

/* The value that the node would see; one that can't be had shows when the body is bound. */
static void add_given_ref(struct given_scan *scan, const struct ref *ref)
{
	struct host_values values;
	struct ref_resolver resolver;
	str text = STR("");
	const char *kind = ref->kind == REF_INPUT ? "given" : "given/LOOP_PREV";
	values_init(scan->attempt, &values, &resolver);
	resolver.text(resolver.ctx, ref, &text, NULL);
	key_text(scan->key,
		str_of(arena_printf(&scan->attempt->arena, "%s/%.*s%s%.*s", kind,
			STR_ARG(ref->name), ref->path.len ? "." : "", STR_ARG(ref->path))),
		text);
}

static void add_given(struct given_scan *scan, const struct value *value, unsigned depth)
{
	if (depth > 64)
		return;
	if (value->kind == VALUE_LIST) {
		for (size_t i = 0; i < value->as.list.count; i++)
			add_given(scan, &value->as.list.items[i], depth + 1);
	} else if (value->kind == VALUE_MAP) {
		for (size_t i = 0; i < value->as.map.count; i++)
			add_given(scan, &value->as.map.items[i].value, depth + 1);
	} else if (value->kind == VALUE_STRING &&
		   str_find_char(value->as.text, '$', 0) != SIZE_MAX) {
		size_t at = 0;
		struct ref ref;
		while (ref_next(value->as.text, &at, &ref)) {
			if ((ref.kind == REF_INPUT || ref.kind == REF_LOOP_PREV) && !ref.escaped)
				add_given_ref(scan, &ref);
		}
	}
}

/* What is particular to a slot of a fan_out, or to an iteration of a loop. */
static void add_place(struct attempt *attempt, struct key *key)
{
	const struct unit *unit = attempt->unit;
	struct buf json = {0};
	if (unit->item) {
		json_write_canonical(&json, unit->item);
		key_text(key, STR("given/item"), buf_str(&json));
	}
	str round = loop_round(attempt->engine, unit, &attempt->arena);
	if (round.len)
		key_text(key, STR("iteration"), round);
	buf_finish(&json);
}

static bool add_frame(struct attempt *attempt, struct key *key, struct err *err)
{
	const struct node *node = attempt->unit->node;
	const struct plug_type *type = attempt->unit->type;
	key_text(key, STR("type"), node->type);
	key_text(key, STR("plugin"), str_of(type->plugin->id));
	key_u64(key, STR("epoch"), type->type->cache_epoch);
	add_locale(attempt->engine, key);
	if (!add_bindings(attempt, key, "with", &node->with, err) ||
		!add_bindings(attempt, key, "env", &node->env, err))
		return false;
	add_passed(attempt, key);
	add_given(&(struct given_scan){attempt, key}, node->fields, 0);
	add_place(attempt, key);
	if (attempt->engine->options->arguments.len)
		key_text(key, STR("arguments"), attempt->engine->options->arguments);
	if (node->dir.len)
		key_text(key, STR("dir"), node->dir);
	if (node->reads_declared)
		key_u64(key, STR("reads-declared"), node->reads.len);
	add_strs(key, "reads", &node->reads);
	add_strs(key, "writes", &node->writes);
	if (node->keeps_outputs)
		key_u64(key, STR("keeps-outputs"), 1);
	add_strs(key, "tools", &node->tools);
	for (size_t i = 0; i < node->cache_key.len; i++) {
		struct host_values values;
		struct ref_resolver resolver;
		struct buf text = {0};
		values_init(attempt, &values, &resolver);
		bool ok = ref_expand(node->cache_key.ptr[i], &resolver, &text, err);
		key_text(key, STR("cache-key"), buf_str(&text));
		buf_finish(&text);
		if (!ok)
			return false;
	}
	return true;
}

enum host_key_status nodekey_build(struct attempt *attempt, struct buf *words)
{
	struct err err = {0};
	struct key *key = &attempt->key;
	key_begin(key);
	attempt->left_out = find_left_out(attempt);
	if (!add_frame(attempt, key, &err) || !rules_key(attempt, key, &err)) {
		buf_add_z(words, err.message);
		err_finish(&err);
		return HOST_KEY_FAILED;
	}
	key_open(key, STR("fields"));
	enum host_key_status status =
		host_cache_key(attempt->host, key, &attempt->plugin_facts, words);
	key_close(key);
	attempt->own = key_digest_of(key);
	add_inputs(attempt, key);
	add_before(attempt, key);
	attempt->digest = key_digest_of(key);
	attempt->has_key = status == HOST_KEY_OK;
	return status;
}
