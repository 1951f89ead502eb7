/* lua_pawl: what a Lua node asks of the project: files and globs, relative to the node's working directory. */
#include "child.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_DEPTH 64

static int pawl_read(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1);
	FILE *file = fopen(path, "rbe");
	if (!file)
		return luaL_error(L, "%s: %s", path, strerror(errno));
	luaL_Buffer text;
	luaL_buffinit(L, &text);
	size_t got;
	do {
		char *room = luaL_prepbuffer(&text);
		got = fread(room, 1, LUAL_BUFFERSIZE, file);
		luaL_addsize(&text, got);
	} while (got);
	int failed = ferror(file);
	fclose(file);
	luaL_pushresult(&text);
	return failed ? luaL_error(L, "%s could not be read", path) : 1;
}

static int pawl_log(lua_State *L)
{
	for (int i = 1; i <= lua_gettop(L); i++) {
		fprintf(stderr, "%s%s", i > 1 ? "\t" : "", luaL_tolstring(L, i, NULL));
		lua_pop(L, 1);
	}
	fputc('\n', stderr);
	return 0;
}

/* Walks a directory (on the Lua stack: the pattern's rest is C's), adding what matches to the table at index 2. */
static void walk(lua_State *L, const char *dir, const char *pattern, int depth);

static void add_match(lua_State *L, const char *path)
{
	lua_pushboolean(L, 1);
	lua_setfield(L, 2, path);
}

static int is_dir(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* One entry against the first part of the pattern; `rest` is what stands behind its slash, or NULL. */
static void visit(lua_State *L, const char *dir, const char *name, const char *part,
	const char *rest, int depth)
{
	int is_any_depth = strcmp(part, "**") == 0;
	const char *path = *dir ? lua_pushfstring(L, "%s/%s", dir, name) : lua_pushstring(L, name);
	if (is_any_depth && name[0] != '.') {
		if (is_dir(path))
			walk(L, path, lua_pushfstring(L, "**/%s", rest ? rest : "*"), depth + 1);
	} else if (!is_any_depth && fnmatch(part, name, FNM_PERIOD) == 0) {
		if (rest && is_dir(path))
			walk(L, path, rest, depth + 1);
		else if (!rest && !is_dir(path))
			add_match(L, path);
	}
}

static void walk(lua_State *L, const char *dir, const char *pattern, int depth)
{
	if (depth > MAX_DEPTH)
		luaL_error(L, "%s: directories are nested more than %d deep", dir, MAX_DEPTH);
	luaL_checkstack(L, 16, "glob");
	const char *slash = strchr(pattern, '/');
	const char *part = slash ? lua_pushlstring(L, pattern, (size_t)(slash - pattern)) : pattern;
	const char *rest = slash ? slash + 1 : NULL;
	/* `**` may also stand for no directory at all. */
	if (strcmp(part, "**") == 0)
		walk(L, dir, rest ? rest : "*", depth + 1);
	DIR *stream = opendir(*dir ? dir : ".");
	int top = lua_gettop(L);
	for (struct dirent *entry; stream && (entry = readdir(stream)) != NULL;) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			visit(L, dir, entry->d_name, part, rest, depth);
		lua_settop(L, top);
	}
	if (stream)
		closedir(stream);
	lua_settop(L, top - (slash ? 1 : 0));
}

static int pawl_glob(lua_State *L)
{
	const char *pattern = luaL_checkstring(L, 1);
	if (pattern[0] == '/' || strstr(pattern, ".."))
		return luaL_error(L, "glob: the pattern must stay in the project: %s", pattern);
	lua_settop(L, 1);
	lua_newtable(L); /* 2: path -> true, each once */
	walk(L, "", pattern, 0);
	lua_settop(L, 2);
	lua_newtable(L); /* 3: the list */
	lua_Integer count = 0;
	for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1)) {
		lua_pushvalue(L, -2);
		lua_rawseti(L, 3, ++count);
	}
	lua_getglobal(L, "table");
	lua_getfield(L, -1, "sort");
	lua_pushvalue(L, 3);
	lua_call(L, 1, 0);
	lua_settop(L, 3);
	return 1;
}

int lua_pawl_open(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"read", pawl_read}, {"glob", pawl_glob}, {"log", pawl_log}, {NULL, NULL}};
	luaL_newlib(L, functions);
	return 1;
}
