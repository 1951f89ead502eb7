/* policy_string: the `string` of a policy: Lua's own functions where they end soon, those of policy_pattern.c, and rep and
 * format, of which the first has a limit and the second shows no addresses.  Strings have them as methods, and their
 * metatable is locked. */
#include "engine/policy_internal.h"

#include <string.h>

static int on_rep(lua_State *lua)
{
	str text = lua_check_str(lua, 1);
	lua_Integer count = luaL_checkinteger(lua, 2);
	size_t separator_len = 0;
	const char *separator = luaL_optlstring(lua, 3, "", &separator_len);
	size_t each = text.len + separator_len;
	if (count <= 0 || !each) {
		lua_pushliteral(lua, "");
		return 1;
	}
	if ((uint64_t)count > SANDBOX_BLOCK / each)
		return luaL_error(lua, "string.rep: the result would be longer than 2 MiB");
	sandbox_charge(lua, (uint64_t)count / 8);
	luaL_Buffer out;
	luaL_buffinitsize(lua, &out, (size_t)count * each);
	for (lua_Integer i = 0; i < count; i++) {
		luaL_addlstring(&out, text.ptr, text.len);
		if (i + 1 < count)
			luaL_addlstring(&out, separator, separator_len);
	}
	luaL_pushresult(&out);
	return 1;
}

/* Refuses %p: an address is another one in each process. */
static void check_format(lua_State *lua)
{
	str format = lua_check_str(lua, 1);
	for (size_t i = 0; i < format.len; i++) {
		if (format.ptr[i] != '%')
			continue;
		i++;
		while (i < format.len && strchr("-+ #0123456789.", format.ptr[i]) && format.ptr[i])
			i++;
		if (i < format.len && format.ptr[i] == 'p')
			luaL_error(lua, "string.format: there is no %%p in a policy");
	}
}

/* Lua's own, which is the upvalue, without the addresses of tables and functions. */
static int on_format(lua_State *lua)
{
	check_format(lua);
	for (int i = 2; i <= lua_gettop(lua); i++) {
		int type = lua_type(lua, i);
		if (type != LUA_TTABLE && type != LUA_TFUNCTION && type != LUA_TUSERDATA &&
			type != LUA_TLIGHTUSERDATA)
			continue;
		if (luaL_getmetafield(lua, i, "__tostring") == LUA_TNIL) {
			lua_pushstring(lua, luaL_typename(lua, i));
			lua_replace(lua, i);
		} else {
			lua_pop(lua, 1);
		}
	}
	lua_pushvalue(lua, lua_upvalueindex(1));
	lua_insert(lua, 1);
	lua_call(lua, lua_gettop(lua) - 1, 1);
	return 1;
}

void string_open(lua_State *lua)
{
	static const char *const names[] = {
		"byte", "char", "format", "len", "lower", "reverse", "sub", "upper", NULL};
	luaL_requiref(lua, "string", luaopen_string, 0);
	sandbox_keep(lua, names);
	luaL_setfuncs(lua, pattern_string, 0);
	lua_getfield(lua, -1, "format");
	lua_pushcclosure(lua, on_format, 1);
	lua_setfield(lua, -2, "format");
	lua_pushcfunction(lua, on_rep);
	lua_setfield(lua, -2, "rep");
	lua_pushliteral(lua, "");
	lua_getmetatable(lua, -1);
	lua_pushvalue(lua, -3);
	lua_setfield(lua, -2, "__index");
	lua_pushboolean(lua, 0);
	lua_setfield(lua, -2, "__metatable");
	lua_pop(lua, 2);
}
