/* policy_api: the global `pawl` of a rule: the content of files, declared environment variables, the time, JSON and a log.
 * While tests run, all of that is what the test has set: see policy_test.c. */
#include "engine/policy_internal.h"

#include "data/json.h"

#include <string.h>

#define LOG_LINES 20
#define LOG_BYTES 400

/* The policy, of which a rule or a test runs. */
static struct policy *check_rule(lua_State *lua, const char *name)
{
	struct policy *policy = policy_of(lua);
	if (policy->loading)
		luaL_error(lua, "%s is for rules: call it inside a function", name);
	return policy;
}

/* Raises the error as Lua's; frees it first. */
static int raise(lua_State *lua, const char *what, struct err *err)
{
	lua_pushfstring(lua, "%s: %s", what, err->message ? err->message : "failed");
	err_finish(err);
	luaL_where(lua, 1);
	lua_insert(lua, -2);
	lua_concat(lua, 2);
	return lua_error(lua);
}

static int push_nil(lua_State *lua)
{
	lua_pushnil(lua);
	return 1;
}

/* Pushes field `name` of what the test has set. */
static int push_fake(lua_State *lua, const struct policy *policy, const char *name)
{
	lua_rawgeti(lua, LUA_REGISTRYINDEX, policy->fake);
	lua_pushstring(lua, name);
	int type = lua_rawget(lua, -2);
	lua_remove(lua, -2);
	return type;
}

/* Of the files that a test has set: a file's content, or all below a directory, whatever their order. */
static bool fake_digest(lua_State *lua, const struct policy *policy, str path, struct digest *out)
{
	bool found = false;
	*out = (struct digest){{0}};
	if (push_fake(lua, policy, "files") != LUA_TTABLE)
		return false;
	for (lua_pushnil(lua); lua_next(lua, -2); lua_pop(lua, 1)) {
		if (lua_type(lua, -2) != LUA_TSTRING || lua_type(lua, -1) != LUA_TSTRING)
			luaL_error(lua, "t.files needs a table of path = text");
		str name = lua_str(lua, -2);
		if (str_eq(name, path)) {
			*out = hash_of(lua_str(lua, -1));
			lua_pop(lua, 3);
			return true;
		}
		if (!str_starts(name, path) || name.len <= path.len || name.ptr[path.len] != '/')
			continue;
		struct digest one = hash_keyed(name, lua_str(lua, -1));
		for (size_t i = 0; i < DIGEST_SIZE; i++)
			out->bytes[i] ^= one.bytes[i];
		found = true;
	}
	lua_pop(lua, 1);
	return found;
}

static int on_digest(lua_State *lua)
{
	struct policy *policy = check_rule(lua, "pawl.digest");
	struct sandbox *sandbox = &policy->sandbox;
	str path = lua_check_str(lua, 1);
	struct digest digest;
	if (policy->testing) {
		if (!fake_digest(lua, policy, path, &digest))
			return push_nil(lua);
	} else {
		struct err err = {0};
		int64_t from = sandbox_cpu_ns();
		enum fs_found found = policy_digest(policy->policies, sandbox, path, &digest, &err);
		/* Reading is paid by the byte. */
		if (sandbox->cpu_start)
			sandbox->cpu_start += sandbox_cpu_ns() - from;
		if (found == FS_ERROR && strcmp(err.code, "E-POLICY-BUDGET") == 0) {
			err_finish(&err);
			sandbox_charge(lua, SANDBOX_INSTRUCTIONS);
		}
		if (found == FS_ERROR)
			return raise(lua, "pawl.digest", &err);
		if (found == FS_ABSENT)
			return push_nil(lua);
	}
	buf_clear(&sandbox->text);
	digest_add_hex(&sandbox->text, &digest);
	lua_push_str(lua, buf_str(&sandbox->text));
	return 1;
}

static int by_bytes(const void *a, const void *b)
{
	return str_cmp(*(const str *)a, *(const str *)b);
}

static int fake_glob(lua_State *lua, const struct policy *policy, str pattern)
{
	size_t count = 0;
	lua_newtable(lua);
	if (push_fake(lua, policy, "files") != LUA_TTABLE) {
		lua_pop(lua, 1);
		return 1;
	}
	for (lua_pushnil(lua); lua_next(lua, -2); lua_pop(lua, 1))
		count++;
	str *names = arena_array(&sandbox_of(lua)->scratch, str, count + 1);
	count = 0;
	for (lua_pushnil(lua); lua_next(lua, -2); lua_pop(lua, 1)) {
		if (lua_type(lua, -2) == LUA_TSTRING && fs_glob_matches(pattern, lua_str(lua, -2)))
			names[count++] = lua_str(lua, -2);
	}
	qsort(names, count, sizeof(*names), by_bytes);
	for (size_t i = 0; i < count; i++) {
		lua_push_str(lua, names[i]);
		lua_rawseti(lua, -3, (lua_Integer)i + 1);
	}
	lua_pop(lua, 1);
	return 1;
}

static int on_glob(lua_State *lua)
{
	struct policy *policy = check_rule(lua, "pawl.glob");
	str pattern = lua_check_str(lua, 1);
	struct fs_list *list = &policy->sandbox.list;
	struct err err = {0};
	if (policy->testing)
		return fake_glob(lua, policy, pattern);
	int64_t from = sandbox_cpu_ns();
	bool ok = fs_glob(policy->policies->env.project_fd, pattern, list, &err);
	if (policy->sandbox.cpu_start)
		policy->sandbox.cpu_start += sandbox_cpu_ns() - from;
	if (!ok)
		return raise(lua, "pawl.glob", &err);
	sandbox_charge(lua, 50 + 10 * (uint64_t)list->len);
	lua_createtable(lua, (int)list->len, 0);
	for (size_t i = 0; i < list->len; i++) {
		lua_pushstring(lua, list->ptr[i].name);
		lua_rawseti(lua, -2, (lua_Integer)i + 1);
	}
	fs_list_finish(list);
	*list = (struct fs_list){0};
	return 1;
}

static int on_env(lua_State *lua)
{
	struct policy *policy = check_rule(lua, "pawl.env");
	str name = lua_check_str(lua, 1);
	lua_rawgeti(lua, LUA_REGISTRYINDEX, policy->declared);
	lua_pushvalue(lua, 1);
	if (lua_rawget(lua, -2) == LUA_TNIL)
		return luaL_error(lua,
			"pawl.env: %s is not declared; add env = {\"%s\"} to the policy", name.ptr,
			name.ptr);
	if (policy->testing) {
		if (push_fake(lua, policy, "env") != LUA_TTABLE)
			return push_nil(lua);
		lua_pushvalue(lua, 1);
		lua_rawget(lua, -2);
		return 1;
	}
	const char *const *list = policy->policies->env.environment;
	for (size_t i = 0; list && list[i]; i++) {
		str pair = str_of(list[i]);
		if (str_starts(pair, name) && pair.len > name.len && pair.ptr[name.len] == '=') {
			lua_push_str(lua, str_slice(pair, name.len + 1, pair.len));
			return 1;
		}
	}
	return push_nil(lua);
}

static int on_now(lua_State *lua)
{
	struct policy *policy = check_rule(lua, "pawl.now");
	if (policy->testing) {
		if (push_fake(lua, policy, "now") == LUA_TNIL)
			return luaL_error(lua, "the test has set no time: call t.now(seconds)");
		return 1;
	}
	lua_pushinteger(lua, policy->policies->env.now_ms / 1000);
	return 1;
}

static int on_log(lua_State *lua)
{
	struct policy *policy = check_rule(lua, "pawl.log");
	const struct policy_env *env = &policy->policies->env;
	str text = str_slice(str_of(luaL_tolstring(lua, 1, NULL)), 0, LOG_BYTES);
	lua_Debug at;
	if (!env->log || policy->testing || policy->logged++ >= LOG_LINES)
		return 0;
	int line = 0;
	if (lua_getstack(lua, 1, &at)) {
		lua_getinfo(lua, "l", &at);
		line = at.currentline;
	}
	buf_clear(&policy->sandbox.text);
	buf_add_visible(&policy->sandbox.text, text);
	env->log(env->arg, str_of(policy->file), line > 0 ? (uint32_t)line : 0,
		buf_str(&policy->sandbox.text));
	return 0;
}

static int on_encode(lua_State *lua)
{
	struct sandbox *sandbox = sandbox_of(lua);
	struct value value;
	luaL_checkany(lua, 1);
	value_read(lua, 1, &sandbox->scratch, &value);
	buf_clear(&sandbox->text);
	json_write_canonical(&sandbox->text, &value);
	lua_push_str(lua, buf_str(&sandbox->text));
	return 1;
}

static int on_decode(lua_State *lua)
{
	struct sandbox *sandbox = sandbox_of(lua);
	struct err err = {0};
	str text = lua_check_str(lua, 1);
	/* A value of the tree is some 60 bytes for every two of text. */
	sandbox_charge(lua, 1 + text.len / 2);
	const struct value *value = json_parse(&sandbox->scratch, text, &err);
	if (!value)
		return raise(lua, "pawl.json.decode", &err);
	value_push(lua, value, NULLS_KEEP);
	return 1;
}

void api_open(lua_State *lua)
{
	static const luaL_Reg functions[] = {{"digest", on_digest}, {"glob", on_glob},
		{"env", on_env}, {"now", on_now}, {"log", on_log}, {NULL, NULL}};
	lua_pushglobaltable(lua);
	luaL_newlib(lua, functions);
	lua_createtable(lua, 0, 3);
	lua_pushcfunction(lua, on_encode);
	lua_setfield(lua, -2, "encode");
	lua_pushcfunction(lua, on_decode);
	lua_setfield(lua, -2, "decode");
	value_push_null(lua);
	lua_setfield(lua, -2, "null");
	lua_setfield(lua, -2, "json");
	lua_setfield(lua, -2, "pawl");
	lua_pop(lua, 1);
}
