/* child: the libraries of pawl-lua.  Each function leaves a table on the stack. */
#ifndef PLUGINS_LUA_CHILD_H
#define PLUGINS_LUA_CHILD_H

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stddef.h>

/* json.encode(value), json.decode(text), json.null, json.array(table).
 *
 * Objects are written with their keys sorted, so that equal tables give equal text.  Integers of 64 bits are exact both ways;
 * larger ones and fractions are floats.  A table is an array when its keys are 1 to n; an empty one is an object unless it
 * was decoded from an array or marked by json.array. */
int lua_json_open(lua_State *L);

/* The text of the value at `index`, pushed.  Raises an error where JSON has no such value. */
void lua_json_encode(lua_State *L, int index);
/* The value of the text, pushed.  Raises an error where it is not JSON. */
void lua_json_decode(lua_State *L, const char *text, size_t length);

/* pawl.read(path), pawl.glob(pattern), pawl.log(text...). */
int lua_pawl_open(lua_State *L);

#endif
