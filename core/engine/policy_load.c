/* policy_load: from a file to a policy: reads it, runs its text in a sandbox, and checks the table that it returns.  All
 * that is wrong with the table is said at once. */
#include "engine/policy_internal.h"

#include "base/mem.h"

#define SOURCE_MAX ((size_t)256 << 10)

static const str fields[] = {
	STR_INIT("api"), STR_INIT("key"), STR_INIT("reuse"), STR_INIT("failed"), STR_INIT("env")};
#define FIELDS (sizeof(fields) / sizeof(fields[0]))
static const char *const rule_names[POLICY_RULES] = {"key", "reuse", "failed"};

struct loading {
	struct policy *policy;
	struct diags *diags;
	size_t wrong;
	bool is_parsed; /* it is Lua */
};

static bool is_word_byte(char c)
{
	return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z');
}

/* Where the line sets the field: "NAME =", as a word of its own; "return" stands by itself.  SIZE_MAX: nowhere. */
static size_t find_field(str line, str name)
{
	for (size_t at = 0; (at = str_find(line, name, at)) != SIZE_MAX; at++) {
		str behind = str_trim(str_slice(line, at + name.len, line.len));
		bool is_set = str_starts(behind, STR("=")) && !str_starts(behind, STR("=="));
		bool is_word = at == 0 || !is_word_byte(line.ptr[at - 1]);
		if (is_word && (is_set || str_is(name, "return")))
			return at;
	}
	return SIZE_MAX;
}

/* The line that gives the field in the file's table, the first that looks like it; else the first line. */
static struct place field_place(const struct policy *policy, str name)
{
	str rest = buf_str(&policy->source);
	str line;
	for (uint32_t number = 1; str_line(&rest, &line); number++) {
		size_t at = find_field(line, name);
		if (at != SIZE_MAX)
			return (struct place){
				policy->file, number, (uint32_t)at + 1, (uint32_t)name.len};
	}
	return (struct place){policy->file, 1, 1, 0};
}

static struct err *complain(struct loading *load, const char *code, str field, const char *what)
{
	load->wrong++;
	return diags_error(load->diags, field_place(load->policy, field), code, "%s", what);
}

/* The field's value is on top of the stack. */
static void check_api(struct loading *load, lua_State *lua)
{
	if (lua_isinteger(lua, -1) && lua_tointeger(lua, -1) == 1)
		return;
	if (lua_isnil(lua, -1)) {
		struct err *err = complain(load, "E-POLICY-API", STR("return"),
			"the policy does not say which API it is written for");
		err_help(err, "add: api = 1,");
		return;
	}
	const char *shown = luaL_tolstring(lua, -1, NULL);
	struct err *err = diags_error(load->diags, field_place(load->policy, STR("api")),
		"E-POLICY-API", "api = %s: this pawl knows api = 1", shown);
	err_help(err, "write: api = 1,");
	load->wrong++;
	lua_pop(lua, 1);
}

static void check_env(struct loading *load, lua_State *lua)
{
	struct policy *policy = load->policy;
	lua_newtable(lua);
	if (lua_istable(lua, -2)) {
		for (lua_Integer i = 1; lua_rawgeti(lua, -2, i) != LUA_TNIL; i++) {
			if (lua_type(lua, -1) != LUA_TSTRING)
				break;
			lua_pushboolean(lua, 1);
			lua_rawset(lua, -3);
		}
		if (!lua_isnil(lua, -1))
			complain(load, "E-POLICY-TYPE", STR("env"),
				"env holds something that is no name of a variable");
		lua_pop(lua, 1);
	} else if (!lua_isnil(lua, -2)) {
		struct err *err = complain(load, "E-POLICY-TYPE", STR("env"), "env is not a list");
		err_help(err, "write: env = {\"NAME\"},");
	}
	policy->declared = luaL_ref(lua, LUA_REGISTRYINDEX);
}

static void check_rule(struct loading *load, lua_State *lua, size_t rule)
{
	struct policy *policy = load->policy;
	if (lua_isfunction(lua, -1)) {
		policy->has[rule] = true;
		lua_pushvalue(lua, -1);
		policy->rules[rule] = luaL_ref(lua, LUA_REGISTRYINDEX);
	} else if (!lua_isnil(lua, -1)) {
		const char *what = lua_pushfstring(lua, "%s is a %s, not a function",
			rule_names[rule], luaL_typename(lua, -1));
		err_help(complain(load, "E-POLICY-TYPE", str_of(rule_names[rule]), what),
			"write: %s = function(node) ... end,", rule_names[rule]);
		lua_pop(lua, 1);
	}
}

static void check_names(struct loading *load, lua_State *lua)
{
	for (lua_pushnil(lua); lua_next(lua, -2); lua_pop(lua, 1)) {
		str name = lua_type(lua, -2) == LUA_TSTRING ? lua_str(lua, -2) : STR("");
		size_t known = 0;
		while (known < FIELDS && !str_eq(name, fields[known]))
			known++;
		if (known < FIELDS || (str_starts(name, STR("test_")) && lua_isfunction(lua, -1)))
			continue;
		struct buf visible = {0};
		buf_add_visible(&visible, name);
		load->wrong++;
		if (!name.len) {
			diags_error(load->diags, field_place(load->policy, STR("return")),
				"E-POLICY-FIELD", "the policy's table holds a %s without a name",
				luaL_typename(lua, -1));
		} else {
			struct err *err = diags_error(load->diags, field_place(load->policy, name),
				"E-POLICY-FIELD", "unknown field '%s'", buf_cstr(&visible));
			str nearest = str_nearest(name, fields, FIELDS);
			if (nearest.len)
				err_help(err, "did you mean '%.*s'?", STR_ARG(nearest));
			else
				err_help(err,
					"a policy has api, key, reuse, failed, env and test_*");
		}
		buf_finish(&visible);
	}
}

static void check_table(struct loading *load, lua_State *lua)
{
	struct policy *policy = load->policy;
	check_names(load, lua);
	lua_pushliteral(lua, "api");
	lua_rawget(lua, -2);
	check_api(load, lua);
	lua_pop(lua, 1);
	for (size_t i = 0; i < POLICY_RULES; i++) {
		lua_pushstring(lua, rule_names[i]);
		lua_rawget(lua, -2);
		check_rule(load, lua, i);
		lua_pop(lua, 1);
	}
	lua_pushliteral(lua, "env");
	lua_rawget(lua, -2);
	check_env(load, lua);
	if (!load->wrong && !policy->has[POLICY_KEY] && !policy->has[POLICY_REUSE] &&
		!policy->has[POLICY_FAILED]) {
		struct err *err = diags_warn(load->diags, field_place(policy, STR("return")),
			"E-POLICY-EMPTY", "the policy has no rule");
		err_help(err, "give it key, reuse or failed");
	}
}

static int run_file(lua_State *lua)
{
	struct loading *load = lua_touserdata(lua, 1);
	struct policy *policy = load->policy;
	str source = buf_str(&policy->source);
	view_open(lua);
	api_open(lua);
	sandbox_seal(lua);
	lua_pushfstring(lua, "@%s", policy->file);
	const char *name = lua_tostring(lua, -1);
	if (luaL_loadbufferx(lua, source.ptr, source.len, name, "t") != LUA_OK)
		return lua_error(lua);
	load->is_parsed = true;
	lua_call(lua, 0, 1);
	sandbox_seal(lua);
	if (!lua_istable(lua, -1)) {
		const char *what =
			lua_pushfstring(lua, "the policy returns %s, not a table of rules",
				lua_isnil(lua, -1) ? "nothing" : luaL_typename(lua, -1));
		struct err *err = complain(load, "E-POLICY-TABLE", STR("return"), what);
		err_help(err, "end the file with: return { api = 1, reuse = ... }");
		return 0;
	}
	if (lua_getmetatable(lua, -1)) {
		complain(load, "E-POLICY-TABLE", STR("return"),
			"the policy's table has a metatable");
		return 0;
	}
	check_table(load, lua);
	lua_settop(lua, 3);
	policy->table = luaL_ref(lua, LUA_REGISTRYINDEX);
	return 0;
}

/* How Lua shows the file's name in messages, which it shortens. */
static int learn_chunk(lua_State *lua)
{
	struct policy *policy = lua_touserdata(lua, 1);
	lua_Debug at;
	lua_pushfstring(lua, "@%s", policy->file);
	if (luaL_loadbufferx(lua, "", 0, lua_tostring(lua, -1), "t") != LUA_OK)
		return lua_error(lua);
	lua_getinfo(lua, ">S", &at);
	policy->sandbox.chunk = arena_printf(&policy->policies->arena, "%s", at.short_src);
	return 0;
}

static bool read_source(struct policy *policy, struct err *err)
{
	static const char bytecode[] = LUA_SIGNATURE;
	struct fs_stat stat;
	int fd = policy->policies->env.project_fd;
	enum fs_found found = fs_stat_at(fd, policy->file, &stat, err);
	if (found == FS_ABSENT) {
		err_set(err, "E-POLICY-MISSING", "there is no policy file %s", policy->file);
		return err_help(err, "policy files are named relative to the project");
	}
	if (found == FS_ERROR || !fs_read_file(fd, policy->file, SOURCE_MAX, &policy->source, err))
		return err_wrap(err, "policy %s", policy->file);
	if (str_starts(buf_str(&policy->source), str_of(bytecode))) {
		err_set(err, "E-POLICY-SYNTAX", "the file is Lua bytecode");
		return err_help(
			err, "give the source text: bytecode could break out of the sandbox");
	}
	return true;
}

static bool load(struct policy *policy, struct diags *diags, struct err *err)
{
	struct loading loading = {.policy = policy, .diags = diags};
	struct sandbox *sandbox = &policy->sandbox;
	if (!read_source(policy, err) || !sandbox_init(sandbox, policy->file, err) ||
		!sandbox_call(sandbox, learn_chunk, policy, "E-POLICY-LOAD", err))
		return false;
	policy->loading = true;
	bool ok = sandbox_call(sandbox, run_file, &loading, "E-POLICY-LOAD", err);
	policy->loading = false;
	if (!ok && !loading.is_parsed && strcmp(err->code, "E-POLICY-LOAD") == 0)
		err->code = "E-POLICY-SYNTAX";
	return ok && !loading.wrong;
}

struct policy *policies_load(struct policies *policies, str path, struct diags *diags)
{
	struct policy *policy = map_get(&policies->by_file, path);
	if (policy)
		return policy->usable ? policy : NULL;
	struct err err = {0};
	policy = mem_zalloc(sizeof(*policy));
	policy->policies = policies;
	policy->file = mem_dup(path.ptr, path.len);
	*vec_push(&policies->list) = policy;
	map_put(&policies->by_file, str_make(policy->file, path.len), policy);
	if (memchr(path.ptr, '\0', path.len))
		err_set(&err, "E-POLICY-MISSING", "the name of a policy file has a NUL");
	else
		policy->usable = load(policy, diags, &err);
	if (err_is_set(&err)) {
		err_at(&err, (struct place){.file = policy->file});
		diags_take(diags, &err);
	}
	return policy->usable ? policy : NULL;
}
