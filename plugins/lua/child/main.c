/* main: pawl-lua SOURCE INPUTS NAME: runs a Lua node's program.
 *
 * All standard libraries are there (a workflow that one runs is code one runs), and `inputs`, `json`, `pawl`.  What print and
 * io.write write is the node's output; behind it comes what the program returns: a string as it is, a table, number or boolean
 * as a line of JSON, nil as nothing. */
#include "child.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int on_error(lua_State *L)
{
	const char *message = lua_tostring(L, 1);
	luaL_traceback(L, L, message ? message : luaL_tolstring(L, 1, NULL), 1);
	return 1;
}

/* inputs.some_name that `with:` does not have: the variable INPUTS_SOME_NAME, or nil. */
static int find_input(lua_State *L)
{
	size_t length;
	const char *name = luaL_checklstring(L, 2, &length);
	luaL_Buffer text;
	luaL_buffinit(L, &text);
	luaL_addstring(&text, "INPUTS_");
	for (size_t i = 0; i < length; i++)
		luaL_addchar(&text, name[i] == '-' ? '_' : (char)toupper((unsigned char)name[i]));
	luaL_pushresult(&text);
	const char *value = getenv(lua_tostring(L, -1));
	if (value)
		lua_pushstring(L, value);
	else
		lua_pushnil(L);
	return 1;
}

static void read_file(lua_State *L, const char *path)
{
	FILE *file = fopen(path, "rbe");
	if (!file)
		luaL_error(L, "%s: %s", path, strerror(errno));
	luaL_Buffer text;
	luaL_buffinit(L, &text);
	for (;;) {
		char *room = luaL_prepbuffer(&text);
		size_t got = fread(room, 1, LUAL_BUFFERSIZE, file);
		luaL_addsize(&text, got);
		if (!got)
			break;
	}
	int failed = ferror(file);
	fclose(file);
	luaL_pushresult(&text);
	if (failed)
		luaL_error(L, "%s could not be read", path);
}

static void open_inputs(lua_State *L, const char *path)
{
	size_t length;
	read_file(L, path);
	const char *text = lua_tolstring(L, -1, &length);
	lua_json_decode(L, text, length);
	lua_newtable(L);
	lua_pushcfunction(L, find_input);
	lua_setfield(L, -2, "__index");
	lua_setmetatable(L, -2);
	lua_setglobal(L, "inputs");
	lua_pop(L, 1);
}

static void print_result(lua_State *L)
{
	size_t length;
	int type = lua_type(L, -1);
	if (type == LUA_TNIL)
		return;
	int is_text = type == LUA_TSTRING;
	if (!is_text)
		lua_json_encode(L, -1);
	const char *text = lua_tolstring(L, -1, &length);
	if (fwrite(text, 1, length, stdout) != length || (!is_text && putchar('\n') == EOF))
		luaL_error(L, "the output could not be written: %s", strerror(errno));
}

static int run(lua_State *L)
{
	const char *const *argv = lua_touserdata(L, 1);
	lua_settop(L, 0);
	luaL_openlibs(L);
	lua_json_open(L);
	lua_setglobal(L, "json");
	lua_pawl_open(L);
	lua_setglobal(L, "pawl");
	open_inputs(L, argv[2]);
	read_file(L, argv[1]);
	size_t length;
	const char *source = lua_tolstring(L, -1, &length);
	const char *name = lua_pushfstring(L, "=%s", argv[3]);
	if (luaL_loadbufferx(L, source, length, name, "t") != LUA_OK)
		lua_error(L);
	lua_call(L, 0, 1);
	print_result(L);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc != 4) {
		fprintf(stderr,
			"usage: pawl-lua SOURCE INPUTS NAME\n(pawl runs it for `lua:` nodes)\n");
		return 2;
	}
	lua_State *L = luaL_newstate();
	if (!L) {
		fprintf(stderr, "lua: out of memory\n");
		return 4;
	}
	lua_pushcfunction(L, on_error);
	lua_pushcfunction(L, run);
	lua_pushlightuserdata(L, argv);
	int status = lua_pcall(L, 1, 0, 1);
	if (status != LUA_OK)
		fprintf(stderr, "lua: %s\n", lua_tostring(L, -1));
	lua_close(L);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "lua: the output could not be written: %s\n", strerror(errno));
		return 1;
	}
	return status == LUA_OK ? 0 : 1;
}
