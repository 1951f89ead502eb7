/* environ: the environment of a body: not the caller's, but an allow-list, what the workflow sets and passes, the named
 * values of `with`, and the workflow variables. */
#include "engine/internal.h"

#include "base/buf.h"

/* What passes from the caller unasked. */
static bool passes(str name)
{
	static const char *const names[] = {
		"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TERM", "TMPDIR"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (str_is(name, names[i]))
			return true;
	}
	return str_starts(name, STR("LC_")) || str_starts(name, STR("XDG_"));
}

str environ_get(const char *const *env, const char *name, bool *found)
{
	size_t len = strlen(name);
	*found = false;
	for (size_t i = 0; env && env[i]; i++) {
		if (!strncmp(env[i], name, len) && env[i][len] == '=') {
			*found = true;
			return str_of(env[i] + len + 1);
		}
	}
	return STR("");
}

struct building {
	struct attempt *attempt;
	VEC(const char *) list;
};

static void set(struct building *b, str name, str value)
{
	struct arena *arena = &b->attempt->arena;
	char *entry = arena_alloc(arena, name.len + value.len + 2);
	memcpy(entry, name.ptr, name.len);
	entry[name.len] = '=';
	memcpy(entry + name.len + 1, value.ptr, value.len);
	for (size_t i = 0; i < b->list.len; i++) {
		if (!strncmp(b->list.ptr[i], entry, name.len + 1)) {
			b->list.ptr[i] = entry;
			return;
		}
	}
	*vec_push(&b->list) = entry;
}

/* The workflow's variables can't be set. */
static bool is_variable(str name)
{
	static const char *const names[] = {"ARGUMENTS", "USER_MESSAGE", "ARTIFACTS_DIR",
		"STATE_DIR", "RUN_ID", "WORKFLOW_ID", "PROJECT_DIR"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (str_is(name, names[i]))
			return true;
	}
	return false;
}

static bool set_binding(struct building *b, const struct binding *binding, struct err *err)
{
	str text = STR("");
	if (!values_binding_text(b->attempt, binding, false, &text, err))
		return err_at(err, binding->at);
	if (str_find_char(text, '\0', 0) != SIZE_MAX) {
		err_set(err, "E-VALUE-NUL",
			"the value of `%.*s` holds a NUL byte, which no environment variable can",
			STR_ARG(binding->name));
		err_help(err,
			"hand binary data on as a file: write it to \"$ARTIFACTS_DIR/...\" and read it from there");
		return err_at(err, binding->at);
	}
	if (!is_variable(binding->variable))
		set(b, binding->variable, text);
	return true;
}

/* INPUTS_<NAME> of a slot's item. */
static void set_item(struct building *b)
{
	const struct unit *unit = b->attempt->unit;
	struct buf name = {0};
	struct buf text = {0};
	if (!unit->item)
		return;
	buf_add_z(&name, "INPUTS_");
	for (size_t i = 0; i < unit->item_name.len; i++) {
		char c = unit->item_name.ptr[i];
		buf_add_char(&name, c == '-'               ? '_'
				    : c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A')
							   : c);
	}
	ref_value_text(&text, unit->item);
	if (str_find_char(buf_str(&text), '\0', 0) == SIZE_MAX)
		set(b, buf_str(&name), buf_str(&text));
	buf_finish(&name);
	buf_finish(&text);
}

/* What is the same for every node: what passes unasked, and the workflow variables. */
void environ_prepare(struct engine *engine)
{
	struct arena *arena = &engine->arena;
	const char *const *caller = engine->options->environment;
	str arguments = engine->options->arguments;
	VEC(const char *) list = {0};
	for (size_t i = 0; caller && caller[i]; i++) {
		str entry = str_of(caller[i]);
		size_t eq = str_find_char(entry, '=', 0);
		if (eq != SIZE_MAX && passes(str_slice(entry, 0, eq)))
			*vec_push(&list) = caller[i];
	}
	*vec_push(&list) = arena_printf(arena, "ARGUMENTS=%.*s", STR_ARG(arguments));
	*vec_push(&list) = arena_printf(arena, "USER_MESSAGE=%.*s", STR_ARG(arguments));
	*vec_push(&list) = arena_printf(arena, "ARTIFACTS_DIR=%s", engine->artifacts_dir);
	*vec_push(&list) = arena_printf(arena, "STATE_DIR=%s", engine->state_dir);
	*vec_push(&list) = arena_printf(arena, "RUN_ID=%lld", (long long)engine->row.id);
	*vec_push(&list) = arena_printf(arena, "WORKFLOW_ID=%lld", (long long)engine->row.id);
	*vec_push(&list) = arena_printf(arena, "PROJECT_DIR=%s", store_project_path(engine->store));
	engine->common_env = arena_array(arena, const char *, list.len + 1);
	for (size_t i = 0; i < list.len; i++)
		engine->common_env[i] = list.ptr[i];
	engine->common_env_count = list.len;
	vec_finish(&list);
}

static void set_marker(struct building *b)
{
	struct engine *engine = b->attempt->engine;
	struct arena *arena = &b->attempt->arena;
	b->attempt->marker = arena_printf(arena, "%s%lld/%.*s/%lld",
		store_bodies(engine->store)->marker, (long long)engine->row.id,
		STR_ARG(b->attempt->unit->node->id), (long long)engine->row.attempt);
	*vec_push(&b->list) = b->attempt->marker;
}

bool environ_build(struct attempt *attempt, struct err *err)
{
	const struct node *node = attempt->unit->node;
	const struct engine *engine = attempt->engine;
	const char *const *caller = engine->options->environment;
	struct building b = {.attempt = attempt};
	bool ok = true;
	vec_reserve(&b.list, engine->common_env_count + node->pass_env.len + node->secrets.len +
				     node->env.len + node->with.len + 2);
	memcpy(b.list.ptr, engine->common_env, engine->common_env_count * sizeof(*b.list.ptr));
	b.list.len = engine->common_env_count;
	const struct strs *passed[] = {&node->pass_env, &node->secrets};
	for (size_t k = 0; k < 2; k++) {
		for (size_t i = 0; i < passed[k]->len; i++) {
			bool found = false;
			str value = environ_get(caller, passed[k]->ptr[i].ptr, &found);
			if (found && !is_variable(passed[k]->ptr[i]))
				set(&b, passed[k]->ptr[i], value);
		}
	}
	for (size_t i = 0; ok && i < node->env.len; i++)
		ok = set_binding(&b, &node->env.ptr[i], err);
	for (size_t i = 0; ok && i < node->with.len; i++)
		ok = set_binding(&b, &node->with.ptr[i], err);
	set_item(&b);
	set_marker(&b);
	attempt->env = arena_array(&attempt->arena, const char *, b.list.len + 1);
	for (size_t i = 0; i < b.list.len; i++)
		attempt->env[i] = b.list.ptr[i];
	vec_finish(&b.list);
	return ok;
}
