/* policy_view: what a rule sees of a node, a stored result and a failure.  Node and result are empty tables that fetch a
 * field when a rule first looks at it, so that a rule which reads one field costs one field.  They are of one call: a
 * rule that keeps one gets an error later, never another node's data. */
#include "engine/policy_internal.h"

#include "data/json.h"

#include <string.h>

static const char node_meta;
static const char result_meta;

static void push_hex(lua_State *lua, const struct digest *digest)
{
	static const char hex[] = "0123456789abcdef";
	char digits[2 * DIGEST_SIZE];
	for (size_t i = 0; i < DIGEST_SIZE; i++) {
		digits[2 * i] = hex[digest->bytes[i] >> 4];
		digits[2 * i + 1] = hex[digest->bytes[i] & 15];
	}
	lua_pushlstring(lua, digits, sizeof(digits));
}

/* Tags as a list and as a set: node.tags[1] and node.tags.db; an empty table where there are none. */
static void push_tags(lua_State *lua, const struct value *tags)
{
	if (tags && tags->kind == VALUE_MAP) {
		value_push(lua, tags, NULLS_DROP);
		return;
	}
	lua_newtable(lua);
	if (!tags || tags->kind == VALUE_NULL)
		return;
	const struct value *items = tags->kind == VALUE_LIST ? tags->as.list.items : tags;
	size_t count = tags->kind == VALUE_LIST ? tags->as.list.count : 1;
	for (size_t i = 0; i < count; i++) {
		value_push(lua, &items[i], NULLS_KEEP);
		lua_pushvalue(lua, -1);
		lua_rawseti(lua, -3, (lua_Integer)i + 1);
		if (items[i].kind == VALUE_STRING) {
			lua_pushboolean(lua, 1);
			lua_rawset(lua, -3);
		} else {
			lua_pop(lua, 1);
		}
	}
}

static void push_node_field(lua_State *lua, const struct policy_node *node, str name)
{
	const struct value *value;
	if (str_is(name, "id"))
		lua_push_str(lua, node->id);
	else if (str_is(name, "type"))
		lua_push_str(lua, node->type);
	else if (str_is(name, "workflow"))
		lua_push_str(lua, node->workflow);
	else if (str_is(name, "description"))
		lua_push_str(lua, node->description);
	else if (str_is(name, "output_type"))
		lua_push_str(lua, node->output_type);
	else if (str_is(name, "tags"))
		push_tags(lua, value_get(node->fields, name));
	else if (str_is(name, "fields") && node->fields)
		value_push(lua, node->fields, NULLS_DROP);
	else if (str_is(name, "fields"))
		lua_newtable(lua);
	else if ((value = value_get(node->fields, name)) && value->kind != VALUE_NULL)
		value_push(lua, value, NULLS_DROP);
	else
		lua_pushnil(lua);
}

/* Keeps the value on top of the stack as field 2 of table 1, and gives it. */
static int remember(lua_State *lua)
{
	lua_pushvalue(lua, 2);
	lua_pushvalue(lua, -2);
	lua_rawset(lua, 1);
	return 1;
}

static int on_node_index(lua_State *lua)
{
	struct policy *policy = policy_of(lua);
	if (!policy->node || lua_topointer(lua, 1) != policy->node_table)
		return luaL_error(lua, "this node is from an earlier call of the rule");
	if (lua_type(lua, 2) != LUA_TSTRING)
		return 0;
	push_node_field(lua, policy->node, lua_str(lua, 2));
	return remember(lua);
}

static void push_verdicts(lua_State *lua, const struct policy_result *result)
{
	const struct policy_verdict *list = NULL;
	size_t count = result->verdicts ? result->verdicts(result->arg, &list) : 0;
	lua_createtable(lua, (int)count, 0);
	for (size_t i = 0; i < count; i++) {
		lua_createtable(lua, 0, 5);
		lua_pushstring(lua, list[i].kind);
		lua_setfield(lua, -2, "kind");
		lua_push_str(lua, list[i].by);
		lua_setfield(lua, -2, "by");
		lua_push_str(lua, list[i].reason);
		lua_setfield(lua, -2, "reason");
		lua_pushinteger(lua, list[i].at_ms / 1000);
		lua_setfield(lua, -2, "at");
		lua_pushboolean(lua, list[i].automatic);
		lua_setfield(lua, -2, "automatic");
		lua_rawseti(lua, -2, (lua_Integer)i + 1);
	}
}

static const struct policy_history *history(struct policy *policy)
{
	if (!policy->has_history && policy->result->history)
		policy->result->history(policy->result->arg, &policy->history);
	policy->has_history = true;
	return &policy->history;
}

enum result_field {
	FIELD_AGE,
	FIELD_RUN,
	FIELD_KEY,
	FIELD_OUTPUT,
	FIELD_SIZE,
	FIELD_DIGEST,
	FIELD_PROVABLE,
	FIELD_TIMES_REUSED,
	FIELD_PASSED,
	FIELD_FAILED,
	FIELD_VERDICTS,
};

static const str result_fields[] = {
	[FIELD_AGE] = STR_INIT("age"),
	[FIELD_RUN] = STR_INIT("run"),
	[FIELD_KEY] = STR_INIT("key"),
	[FIELD_OUTPUT] = STR_INIT("output"),
	[FIELD_SIZE] = STR_INIT("size"),
	[FIELD_DIGEST] = STR_INIT("digest"),
	[FIELD_PROVABLE] = STR_INIT("provable"),
	[FIELD_TIMES_REUSED] = STR_INIT("times_reused"),
	[FIELD_PASSED] = STR_INIT("passed_consumers"),
	[FIELD_FAILED] = STR_INIT("failed_consumers"),
	[FIELD_VERDICTS] = STR_INIT("verdicts"),
};
#define RESULT_FIELDS (sizeof(result_fields) / sizeof(result_fields[0]))

static void push_result_field(lua_State *lua, struct policy *policy, enum result_field field)
{
	const struct policy_result *result = policy->result;
	switch (field) {
	case FIELD_AGE: lua_pushinteger(lua, result->age_ms / 1000); break;
	case FIELD_RUN: lua_pushinteger(lua, result->run); break;
	case FIELD_KEY: push_hex(lua, &result->key); break;
	case FIELD_OUTPUT: {
		str output = result->output ? result->output(result->arg) : STR("");
		lua_push_str(lua, str_slice(output, 0, POLICY_OUTPUT_MAX));
		break;
	}
	case FIELD_SIZE: lua_pushinteger(lua, (lua_Integer)result->size); break;
	case FIELD_DIGEST: push_hex(lua, &result->digest); break;
	case FIELD_PROVABLE: lua_pushboolean(lua, result->provable); break;
	case FIELD_TIMES_REUSED: lua_pushinteger(lua, history(policy)->times_reused); break;
	case FIELD_PASSED: lua_pushinteger(lua, history(policy)->passed_consumers); break;
	case FIELD_FAILED: lua_pushinteger(lua, history(policy)->failed_consumers); break;
	case FIELD_VERDICTS: push_verdicts(lua, result); break;
	}
}

static int on_result_index(lua_State *lua)
{
	struct policy *policy = policy_of(lua);
	if (!policy->result || lua_topointer(lua, 1) != policy->result_table)
		return luaL_error(lua, "this result is from an earlier call of the rule");
	str name = str_of(luaL_tolstring(lua, 2, NULL));
	for (size_t i = 0; i < RESULT_FIELDS; i++) {
		if (str_eq(name, result_fields[i])) {
			push_result_field(lua, policy, (enum result_field)i);
			return remember(lua);
		}
	}
	str nearest = str_nearest(name, result_fields, RESULT_FIELDS);
	if (nearest.len)
		return luaL_error(lua, "a result has no field '%s': did you mean '%s'?", name.ptr,
			nearest.ptr);
	return luaL_error(lua, "a result has no field '%s'", name.ptr);
}

static int on_write(lua_State *lua)
{
	return luaL_error(lua, "nodes and results can't be changed");
}

static int on_node_pairs(lua_State *lua)
{
	return luaL_error(lua, "pairs needs a plain table: write pairs(node.fields)");
}

static int on_result_pairs(lua_State *lua)
{
	return luaL_error(lua, "pairs needs a plain table, a result is none");
}

static void make_meta(lua_State *lua, const void *name, lua_CFunction index, lua_CFunction on_pairs)
{
	lua_createtable(lua, 0, 4);
	lua_pushcfunction(lua, index);
	lua_setfield(lua, -2, "__index");
	lua_pushcfunction(lua, on_write);
	lua_setfield(lua, -2, "__newindex");
	lua_pushcfunction(lua, on_pairs);
	lua_setfield(lua, -2, "__pairs");
	lua_pushboolean(lua, 0);
	lua_setfield(lua, -2, "__metatable");
	lua_rawsetp(lua, LUA_REGISTRYINDEX, name);
}

void view_open(lua_State *lua)
{
	make_meta(lua, &node_meta, on_node_index, on_node_pairs);
	make_meta(lua, &result_meta, on_result_index, on_result_pairs);
}

static const void *push_view(lua_State *lua, const void *meta)
{
	lua_newtable(lua);
	lua_rawgetp(lua, LUA_REGISTRYINDEX, meta);
	lua_setmetatable(lua, -2);
	return lua_topointer(lua, -1);
}

void view_push_node(lua_State *lua, struct policy *policy, const struct policy_node *node)
{
	policy->node_table = push_view(lua, &node_meta);
	policy->node = node;
}

void view_push_result(lua_State *lua, struct policy *policy, const struct policy_result *result)
{
	policy->result_table = push_view(lua, &result_meta);
	policy->result = result;
	policy->history = (struct policy_history){0};
	policy->has_history = false;
}

void view_push_failure(lua_State *lua, const struct policy_failure *failure)
{
	lua_createtable(lua, 0, 5);
	lua_push_str(lua, failure->stderr_tail);
	lua_setfield(lua, -2, "stderr");
	lua_pushinteger(lua, failure->exit_code);
	lua_setfield(lua, -2, "exit_code");
	lua_pushinteger(lua, failure->signal);
	lua_setfield(lua, -2, "signal");
	lua_pushinteger(lua, failure->run);
	lua_setfield(lua, -2, "run");
	lua_createtable(lua, (int)failure->reused_count, 0);
	for (size_t i = 0; i < failure->reused_count; i++) {
		lua_push_str(lua, failure->reused_inputs[i]);
		lua_rawseti(lua, -2, (lua_Integer)i + 1);
	}
	lua_setfield(lua, -2, "reused_inputs");
}
