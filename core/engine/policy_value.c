/* policy_value: values between Lua and the value trees of data/, and from Lua into a key.  It knows no node.  Reading pays
 * by the value and by the byte: a table that holds itself twice at each level is small in Lua and endless when written. */
#include "engine/policy_internal.h"

#include "data/json.h"

#include <math.h>
#include <stdio.h>

#define DEPTH_MAX     64
#define KEY_DEPTH_MAX 16
#define KEY_BYTES_MAX ((size_t)64 << 10)
#define VALUE_COST    10 /* instructions */
#define BYTES_A_UNIT  16

void value_push_null(lua_State *lua)
{
	lua_pushlightuserdata(lua, NULL);
}

static void push_number(lua_State *lua, str text)
{
	lua_push_str(lua, text);
	if (!lua_stringtonumber(lua, lua_tostring(lua, -1)))
		lua_pushnumber(lua, (lua_Number)NAN);
	lua_remove(lua, -2);
}

static void push_at(lua_State *lua, const struct value *value, enum value_nulls nulls, int depth)
{
	if (depth > DEPTH_MAX)
		luaL_error(lua, "a value is nested deeper than %d", DEPTH_MAX);
	luaL_checkstack(lua, 4, "value");
	sandbox_charge(lua, 1);
	switch (value->kind) {
	case VALUE_NULL: value_push_null(lua); break;
	case VALUE_BOOL: lua_pushboolean(lua, value->as.boolean); break;
	case VALUE_NUMBER: push_number(lua, value->as.text); break;
	case VALUE_STRING: lua_push_str(lua, value->as.text); break;
	case VALUE_LIST:
		lua_createtable(lua, (int)value->as.list.count, 0);
		for (size_t i = 0; i < value->as.list.count; i++) {
			push_at(lua, &value->as.list.items[i], nulls, depth + 1);
			lua_rawseti(lua, -2, (lua_Integer)i + 1);
		}
		break;
	case VALUE_MAP:
		lua_createtable(lua, 0, (int)value->as.map.count);
		for (size_t i = 0; i < value->as.map.count; i++) {
			const struct value_member *member = &value->as.map.items[i];
			if (member->value.kind == VALUE_NULL && nulls == NULLS_DROP)
				continue;
			lua_push_str(lua, member->key);
			push_at(lua, &member->value, nulls, depth + 1);
			lua_rawset(lua, -3);
		}
		break;
	}
}

void value_push(lua_State *lua, const struct value *value, enum value_nulls nulls)
{
	push_at(lua, value, nulls, 0);
}

struct reading {
	struct arena *arena;
	int depth_max;
};

static void read_at(
	lua_State *lua, int index, const struct reading *how, int depth, struct value *out);

static void read_number(lua_State *lua, int index, struct arena *arena, struct value *out)
{
	lua_Number number = lua_tonumber(lua, index);
	int is_integer = 0;
	lua_Integer integer = lua_tointegerx(lua, index, &is_integer);
	const char *text = NULL;
	if (!isfinite(number))
		luaL_error(lua, "a number that is not finite can't be written");
	out->kind = VALUE_NUMBER;
	/* 3.0 is 3: whether a sum was kept as a float is no difference. */
	if (is_integer)
		text = arena_printf(arena, "%lld", (long long)integer);
	else
		text = arena_printf(arena, "%.17g", number);
	out->as.text = str_of(text);
}

static void read_list(
	lua_State *lua, int index, const struct reading *how, int depth, struct value *out)
{
	size_t count = out->as.list.count;
	struct value *items = arena_array(how->arena, struct value, count);
	for (size_t i = 0; i < count; i++) {
		lua_rawgeti(lua, index, (lua_Integer)i + 1);
		read_at(lua, lua_gettop(lua), how, depth + 1, &items[i]);
		lua_pop(lua, 1);
	}
	out->as.list.items = items;
}

static void read_map(
	lua_State *lua, int index, const struct reading *how, int depth, struct value *out)
{
	size_t count = out->as.map.count;
	struct value_member *items = arena_array(how->arena, struct value_member, count);
	size_t i = 0;
	for (lua_pushnil(lua); lua_next(lua, index); lua_pop(lua, 1)) {
		if (lua_type(lua, -2) != LUA_TSTRING)
			luaL_error(lua,
				"a table has both a list part and names, or a %s for a name",
				luaL_typename(lua, -2));
		items[i].key = lua_str(lua, -2);
		sandbox_charge(lua, items[i].key.len / BYTES_A_UNIT);
		read_at(lua, lua_gettop(lua), how, depth + 1, &items[i].value);
		i++;
	}
	out->as.map.items = items;
}

static void read_table(
	lua_State *lua, int index, const struct reading *how, int depth, struct value *out)
{
	size_t count = 0;
	if (depth >= how->depth_max)
		luaL_error(lua, "a table is nested deeper than %d", how->depth_max);
	if (lua_getmetatable(lua, index))
		luaL_error(lua, "a table with a metatable can't be written");
	for (lua_pushnil(lua); lua_next(lua, index); lua_pop(lua, 1))
		count++;
	sandbox_charge(lua, VALUE_COST * count);
	if (count && lua_rawlen(lua, index) == count) {
		out->kind = VALUE_LIST;
		out->as.list.count = count;
		read_list(lua, index, how, depth, out);
	} else {
		out->kind = VALUE_MAP;
		out->as.map.count = count;
		read_map(lua, index, how, depth, out);
	}
}

static void read_at(
	lua_State *lua, int index, const struct reading *how, int depth, struct value *out)
{
	luaL_checkstack(lua, 4, "value");
	sandbox_charge(lua, VALUE_COST);
	*out = (struct value){0};
	switch (lua_type(lua, index)) {
	case LUA_TBOOLEAN:
		out->kind = VALUE_BOOL;
		out->as.boolean = lua_toboolean(lua, index);
		break;
	case LUA_TNUMBER: read_number(lua, index, how->arena, out); break;
	case LUA_TSTRING:
		out->kind = VALUE_STRING;
		out->as.text = lua_str(lua, index);
		sandbox_charge(lua, out->as.text.len / BYTES_A_UNIT);
		break;
	case LUA_TTABLE: read_table(lua, index, how, depth, out); break;
	default:
		if (lua_type(lua, index) != LUA_TLIGHTUSERDATA || lua_touserdata(lua, index))
			luaL_error(lua, "a %s can't be written", luaL_typename(lua, index));
	}
}

void value_read(lua_State *lua, int index, struct arena *arena, struct value *out)
{
	struct reading how = {arena, DEPTH_MAX};
	read_at(lua, lua_absindex(lua, index), &how, 0, out);
}

static int by_name(const void *a, const void *b)
{
	const struct value_member *x = a;
	const struct value_member *y = b;
	return str_cmp(x->key, y->key);
}

static void add_members(struct key *key, const struct value *value);

/* Kinds stay apart: 1, "1" and true give different bytes. */
static void add_value(struct key *key, str label, const struct value *value)
{
	uint64_t number;
	switch (value->kind) {
	case VALUE_NULL: key_absent(key, label); return;
	case VALUE_STRING: key_text(key, label, value->as.text); return;
	case VALUE_NUMBER:
		if (str_to_u64(value->as.text, &number)) {
			key_u64(key, label, number);
			return;
		}
		key_open(key, label);
		key_text(key, STR("number"), value->as.text);
		break;
	case VALUE_BOOL:
		key_open(key, label);
		key_text(key, STR("boolean"), value->as.boolean ? STR("true") : STR("false"));
		break;
	case VALUE_LIST:
	case VALUE_MAP:
		key_open(key, label);
		add_members(key, value);
		break;
	}
	key_close(key);
}

static void add_members(struct key *key, const struct value *value)
{
	if (value->kind == VALUE_LIST) {
		for (size_t i = 0; i < value->as.list.count; i++)
			add_value(key, STR("-"), &value->as.list.items[i]);
		return;
	}
	qsort(value->as.map.items, value->as.map.count, sizeof(*value->as.map.items), by_name);
	for (size_t i = 0; i < value->as.map.count; i++)
		add_value(key, value->as.map.items[i].key, &value->as.map.items[i].value);
}

void value_add_key(lua_State *lua, int index, struct key *key)
{
	struct sandbox *sandbox = sandbox_of(lua);
	struct reading how = {&sandbox->scratch, KEY_DEPTH_MAX};
	struct value value;
	size_t from = key->text.len;
	read_at(lua, lua_absindex(lua, index), &how, 0, &value);
	key_open(key, str_of(arena_printf(&sandbox->scratch, "policy/%s", sandbox->file)));
	if (value.kind == VALUE_LIST || value.kind == VALUE_MAP)
		add_members(key, &value);
	else
		add_value(key, STR("-"), &value);
	key_close(key);
	size_t added = key->text.len - from;
	if (added > KEY_BYTES_MAX) {
		key->text.len = from;
		key->text.ptr[from] = '\0';
		luaL_error(lua, "key() gave %I bytes; the limit is 64 KiB", (LUAI_UACINT)added);
	}
}
