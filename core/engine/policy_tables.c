/* policy_tables: table.*, pairs and the metatable functions as rules get them.  Each does what Lua's own does, but pays for
 * its loop, and:
 *  - table.* works on plain tables only: a metamethod could make a loop in C endless;
 *  - pairs goes through keys in order (numbers, then strings by bytes), so that what a rule builds does not depend on the
 *    addresses of the day;
 *  - setmetatable sets a copy, so that nothing which needs the collector's help (__gc, __mode) can be added later. */
#include "engine/policy_internal.h"

#include "base/mem.h"

#include <string.h>

static lua_Integer plain_table(lua_State *lua, int index)
{
	luaL_checktype(lua, index, LUA_TTABLE);
	if (lua_getmetatable(lua, index))
		luaL_argerror(lua, index, "a table without a metatable is needed");
	return (lua_Integer)lua_rawlen(lua, index);
}

/* Charges for the whole range [from, to] before a loop over it begins. */
static void charge_range(lua_State *lua, lua_Integer from, lua_Integer to)
{
	if (from <= to)
		sandbox_charge(lua, (uint64_t)to - (uint64_t)from + 1);
}

static int on_insert(lua_State *lua)
{
	lua_Integer len = plain_table(lua, 1);
	if (lua_gettop(lua) == 2) {
		lua_rawseti(lua, 1, len + 1);
		return 0;
	}
	if (lua_gettop(lua) != 3)
		return luaL_error(lua, "wrong number of arguments to 'insert'");
	lua_Integer at = luaL_checkinteger(lua, 2);
	luaL_argcheck(lua, at >= 1 && at <= len + 1, 2, "position out of bounds");
	charge_range(lua, at, len);
	for (lua_Integer i = len; i >= at; i--) {
		lua_rawgeti(lua, 1, i);
		lua_rawseti(lua, 1, i + 1);
	}
	lua_rawseti(lua, 1, at);
	return 0;
}

static int on_remove(lua_State *lua)
{
	lua_Integer len = plain_table(lua, 1);
	lua_Integer at = luaL_optinteger(lua, 2, len);
	if (lua_gettop(lua) > 1)
		luaL_argcheck(lua, (at >= 1 && at <= len + 1) || (len == 0 && at == 0), 2,
			"position out of bounds");
	charge_range(lua, at, len);
	lua_rawgeti(lua, 1, at);
	for (; at < len; at++) {
		lua_rawgeti(lua, 1, at + 1);
		lua_rawseti(lua, 1, at);
	}
	lua_pushnil(lua);
	lua_rawseti(lua, 1, at);
	return 1;
}

static int on_concat(lua_State *lua)
{
	lua_Integer len = plain_table(lua, 1);
	size_t separator_len = 0;
	const char *separator = luaL_optlstring(lua, 2, "", &separator_len);
	lua_Integer from = luaL_optinteger(lua, 3, 1);
	lua_Integer to = luaL_optinteger(lua, 4, len);
	luaL_Buffer text;
	charge_range(lua, from, to);
	luaL_buffinit(lua, &text);
	for (lua_Integer i = from; i <= to; i++) {
		int type = lua_rawgeti(lua, 1, i);
		if (type != LUA_TSTRING && type != LUA_TNUMBER)
			return luaL_error(lua, "invalid value (at index %I) in table for 'concat'",
				(LUAI_UACINT)i);
		luaL_addvalue(&text);
		if (i < to)
			luaL_addlstring(&text, separator, separator_len);
	}
	luaL_pushresult(&text);
	return 1;
}

static int on_pack(lua_State *lua)
{
	int n = lua_gettop(lua);
	sandbox_charge(lua, (uint64_t)n);
	lua_createtable(lua, n, 1);
	lua_insert(lua, 1);
	for (int i = n; i >= 1; i--)
		lua_rawseti(lua, 1, i);
	lua_pushinteger(lua, n);
	lua_setfield(lua, 1, "n");
	return 1;
}

static int on_unpack(lua_State *lua)
{
	lua_Integer len = plain_table(lua, 1);
	lua_Integer from = luaL_optinteger(lua, 2, 1);
	lua_Integer to = luaL_optinteger(lua, 3, len);
	if (from > to)
		return 0;
	charge_range(lua, from, to);
	int count = (int)(to - from + 1);
	if (!lua_checkstack(lua, count))
		return luaL_error(lua, "too many results to unpack");
	for (int i = 0; i < count; i++)
		lua_rawgeti(lua, 1, from + i);
	return count;
}

static int on_move(lua_State *lua)
{
	plain_table(lua, 1);
	lua_Integer from = luaL_checkinteger(lua, 2);
	lua_Integer to = luaL_checkinteger(lua, 3);
	lua_Integer at = luaL_checkinteger(lua, 4);
	int target = lua_isnoneornil(lua, 5) ? 1 : 5;
	plain_table(lua, target);
	charge_range(lua, from, to);
	if (from <= to)
		luaL_argcheck(
			lua, at <= LUA_MAXINTEGER - (to - from), 4, "destination wrap around");
	bool forward = at > to || at <= from || target != 1;
	for (lua_Integer i = 0; i <= to - from; i++) {
		lua_Integer k = forward ? i : to - from - i;
		lua_rawgeti(lua, 1, from + k);
		lua_rawseti(lua, target, at + k);
	}
	lua_pushvalue(lua, target);
	return 1;
}

/* Whether the value at a comes before the one at b: by the function at index 2, or as Lua compares. */
static bool is_before(lua_State *lua, int a, int b)
{
	if (lua_isnil(lua, 2))
		return lua_compare(lua, a, b, LUA_OPLT);
	lua_pushvalue(lua, 2);
	lua_pushvalue(lua, a < 0 ? a - 1 : a);
	lua_pushvalue(lua, b < 0 ? b - 2 : b);
	lua_call(lua, 2, 1);
	bool before = lua_toboolean(lua, -1);
	lua_pop(lua, 1);
	return before;
}

/* Lets item `at` of the heap [1, len] sink to its place. */
static void sift_down(lua_State *lua, lua_Integer at, lua_Integer len)
{
	for (;;) {
		lua_Integer child = 2 * at;
		if (child > len)
			return;
		lua_rawgeti(lua, 1, child);
		if (child < len) {
			lua_rawgeti(lua, 1, child + 1);
			if (is_before(lua, -2, -1)) {
				lua_replace(lua, -2);
				child++;
			} else {
				lua_pop(lua, 1);
			}
		}
		lua_rawgeti(lua, 1, at);
		if (!is_before(lua, -1, -2)) {
			lua_pop(lua, 2);
			return;
		}
		lua_rawseti(lua, 1, child);
		lua_rawseti(lua, 1, at);
		at = child;
	}
}

/* A heap sort: the same number of steps whatever the order and whatever the comparison says. */
static int on_sort(lua_State *lua)
{
	lua_Integer len = plain_table(lua, 1);
	if (!lua_isnoneornil(lua, 2))
		luaL_checktype(lua, 2, LUA_TFUNCTION);
	lua_settop(lua, 2);
	uint64_t levels = 1;
	for (lua_Integer n = len; n > 1; n /= 2)
		levels++;
	sandbox_charge(lua, (uint64_t)len * levels);
	for (lua_Integer i = len / 2; i >= 1; i--)
		sift_down(lua, i, len);
	for (lua_Integer last = len; last > 1; last--) {
		lua_rawgeti(lua, 1, 1);
		lua_rawgeti(lua, 1, last);
		lua_rawseti(lua, 1, 1);
		lua_rawseti(lua, 1, last);
		sift_down(lua, 1, last - 1);
	}
	return 0;
}

const luaL_Reg tables_table[] = {
	{"insert", on_insert},
	{"remove", on_remove},
	{"concat", on_concat},
	{"pack", on_pack},
	{"unpack", on_unpack},
	{"move", on_move},
	{"sort", on_sort},
	{NULL, NULL},
};

struct sort_key {
	int kind; /* 0 number, 1 string, 2 anything else, in the order met */
	lua_Number number;
	str text;
	size_t met;
};

static int by_key(const void *a, const void *b)
{
	const struct sort_key *x = a;
	const struct sort_key *y = b;
	if (x->kind != y->kind)
		return x->kind - y->kind;
	if (x->kind == 0 && (x->number < y->number || x->number > y->number))
		return x->number < y->number ? -1 : 1;
	if (x->kind == 1)
		return str_cmp(x->text, y->text);
	return (x->met > y->met) - (x->met < y->met);
}

static int next_sorted(lua_State *lua)
{
	lua_Integer at = lua_tointeger(lua, lua_upvalueindex(2));
	for (;;) {
		at++;
		if (lua_rawgeti(lua, lua_upvalueindex(1), at) == LUA_TNIL)
			return 1;
		lua_pushvalue(lua, -1);
		lua_rawget(lua, 1);
		if (!lua_isnil(lua, -1))
			break;
		lua_pop(lua, 2);
		sandbox_charge(lua, 1);
	}
	lua_pushinteger(lua, at);
	lua_replace(lua, lua_upvalueindex(2));
	return 2;
}

static int on_pairs(lua_State *lua)
{
	luaL_checkany(lua, 1);
	if (luaL_getmetafield(lua, 1, "__pairs") != LUA_TNIL) {
		lua_pushvalue(lua, 1);
		lua_call(lua, 1, 3);
		return 3;
	}
	luaL_checktype(lua, 1, LUA_TTABLE);
	lua_settop(lua, 1);
	size_t count = 0;
	for (lua_pushnil(lua); lua_next(lua, 1); lua_pop(lua, 1))
		count++;
	sandbox_charge(lua, 4 * count);
	/* Lua's own memory, so that it is counted and freed. */
	struct sort_key *keys = lua_newuserdatauv(lua, (count + 1) * sizeof(*keys), 0);
	lua_createtable(lua, (int)count, 0);
	size_t n = 0;
	for (lua_pushnil(lua); lua_next(lua, 1); lua_pop(lua, 1)) {
		struct sort_key *key = &keys[n++];
		int type = lua_type(lua, -2);
		*key = (struct sort_key){.kind = 2, .met = n, .text = STR("")};
		if (type == LUA_TNUMBER) {
			key->kind = 0;
			key->number = lua_tonumber(lua, -2);
		} else if (type == LUA_TSTRING) {
			key->kind = 1;
			key->text = lua_str(lua, -2);
		}
		lua_pushvalue(lua, -2);
		lua_rawseti(lua, 3, (lua_Integer)n);
	}
	qsort(keys, n, sizeof(*keys), by_key);
	lua_createtable(lua, (int)count, 0);
	for (size_t i = 0; i < n; i++) {
		lua_rawgeti(lua, 3, (lua_Integer)keys[i].met);
		lua_rawseti(lua, 4, (lua_Integer)i + 1);
	}
	lua_pushinteger(lua, 0);
	lua_pushcclosure(lua, next_sorted, 2);
	lua_pushvalue(lua, 1);
	lua_pushnil(lua);
	return 3;
}

static int on_setmetatable(lua_State *lua)
{
	static const char *const refused[] = {"__gc", "__mode", "__close"};
	luaL_checktype(lua, 1, LUA_TTABLE);
	luaL_argexpected(lua, lua_isnoneornil(lua, 2) || lua_istable(lua, 2), 2, "nil or table");
	lua_settop(lua, 2);
	if (luaL_getmetafield(lua, 1, "__metatable") != LUA_TNIL)
		return luaL_error(lua, "this table has a metatable already");
	if (lua_isnil(lua, 2)) {
		lua_settop(lua, 1);
		return 1;
	}
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		lua_pushstring(lua, refused[i]);
		if (lua_rawget(lua, 2) != LUA_TNIL)
			return luaL_error(lua, "there is no %s in a policy", refused[i]);
		lua_pop(lua, 1);
	}
	lua_newtable(lua);
	for (lua_pushnil(lua); lua_next(lua, 2);) {
		sandbox_charge(lua, 1);
		lua_pushvalue(lua, -2);
		lua_insert(lua, -2);
		lua_rawset(lua, 3);
	}
	lua_pushliteral(lua, "__metatable");
	if (lua_rawget(lua, 3) == LUA_TNIL) {
		lua_pushvalue(lua, 2);
		lua_setfield(lua, 3, "__metatable");
	}
	lua_settop(lua, 3);
	lua_setmetatable(lua, 1);
	lua_settop(lua, 1);
	return 1;
}

static int on_getmetatable(lua_State *lua)
{
	luaL_checkany(lua, 1);
	if (luaL_getmetafield(lua, 1, "__metatable") == LUA_TNIL)
		lua_pushnil(lua);
	return 1;
}

/* Without addresses: they differ from process to process and would get into keys. */
static int on_tostring(lua_State *lua)
{
	luaL_checkany(lua, 1);
	int type = lua_type(lua, 1);
	bool has_address = type == LUA_TTABLE || type == LUA_TFUNCTION || type == LUA_TUSERDATA ||
	                   type == LUA_TLIGHTUSERDATA;
	if (has_address && luaL_getmetafield(lua, 1, "__tostring") == LUA_TNIL)
		lua_pushstring(lua, luaL_typename(lua, 1));
	else
		luaL_tolstring(lua, 1, NULL);
	return 1;
}

const luaL_Reg tables_base[] = {
	{"pairs", on_pairs},
	{"setmetatable", on_setmetatable},
	{"getmetatable", on_getmetatable},
	{"tostring", on_tostring},
	{NULL, NULL},
};
