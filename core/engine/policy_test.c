/* policy_test: runs the test_* functions of a policy file.  A test gets `t`, which is written in Lua itself (below) and
 * sets what pawl.now, pawl.env, pawl.digest and pawl.glob answer; nothing of the machine shows through. */
#include "engine/policy_internal.h"

#include "base/mem.h"

/* Called with the policy's table and the table behind the pretended outside; gives t.  error(..., 2) puts the place of the
 * test's own line in front. */
static const char prelude[] =
	"local policy, fake = ...\n"
	"local t = {}\n"
	"local zeros = ('0'):rep(64)\n"
	"local defaults = {\n"
	"  result = { age = 60, run = 1, key = zeros, digest = zeros, output = '', size = 0,\n"
	"    provable = true, times_reused = 0, passed_consumers = 0, failed_consumers = 0,\n"
	"    verdicts = {} },\n"
	"  failure = { stderr = '', exit_code = 1, signal = 0, run = 2, reused_inputs = {} },\n"
	"}\n"
	"local function fill(kind, given, level)\n"
	"  local full = {}\n"
	"  for k, v in pairs(defaults[kind]) do full[k] = v end\n"
	"  for k, v in pairs(given or {}) do\n"
	"    if full[k] == nil then\n"
	"      error('a ' .. kind .. ' has no field ' .. tostring(k), level)\n"
	"    end\n"
	"    full[k] = v\n"
	"  end\n"
	"  return full\n"
	"end\n"
	"function t.node(given)\n"
	"  given = given or {}\n"
	"  local node = { id = 'node', type = 'bash', workflow = 'workflow', description = '',\n"
	"    output_type = '', tags = {}, fields = given }\n"
	"  for k, v in pairs(given) do node[k] = v end\n"
	"  local tags = {}\n"
	"  for k, v in pairs(node.tags) do\n"
	"    tags[k] = v\n"
	"    if type(k) == 'number' then tags[v] = true end\n"
	"  end\n"
	"  node.tags = tags\n"
	"  return node\n"
	"end\n"
	"local function make_result(given, level)\n"
	"  local result = fill('result', given, level + 1)\n"
	"  if not (given and given.size) then result.size = #result.output end\n"
	"  return result\n"
	"end\n"
	"function t.result(given) return (make_result(given, 3)) end\n"
	"function t.failure(given) return (fill('failure', given, 3)) end\n"
	"function t.now(seconds) fake.now = seconds end\n"
	"function t.env(variables) fake.env = variables end\n"
	"function t.files(files) fake.files = files end\n"
	"local function show(v)\n"
	"  if type(v) == 'string' then return (('%q'):format(v):gsub('\\n', 'n')) end\n"
	"  if type(v) ~= 'table' then return tostring(v) end\n"
	"  local parts = {}\n"
	"  for k, item in pairs(v) do\n"
	"    parts[#parts + 1] = type(k) == 'number' and show(item) or tostring(k) .. ' = ' .. show(item)\n"
	"  end\n"
	"  return '{' .. table.concat(parts, ', ') .. '}'\n"
	"end\n"
	"local function same(a, b)\n"
	"  if type(a) ~= 'table' or type(b) ~= 'table' then return a == b end\n"
	"  for k, v in pairs(a) do if not same(v, b[k]) then return false end end\n"
	"  for k in pairs(b) do if a[k] == nil then return false end end\n"
	"  return true\n"
	"end\n"
	"function t.equal(got, want, what)\n"
	"  if same(got, want) then return end\n"
	"  local name = what and what .. ': ' or ''\n"
	"  error(name .. 'got ' .. show(got) .. ', want ' .. show(want), 2)\n"
	"end\n"
	"local function decide(node, result)\n"
	"  if not policy.reuse then error('the policy has no reuse rule', 3) end\n"
	"  local ok, reason = policy.reuse(t.node(node), make_result(result, 4))\n"
	"  if ok ~= nil and type(ok) ~= 'boolean' then\n"
	"    error('reuse() gave ' .. show(ok) .. ', not nil or a boolean', 3)\n"
	"  end\n"
	"  return ok ~= false, reason\n"
	"end\n"
	"function t.reuses(node, result)\n"
	"  local ok, reason = decide(node, result)\n"
	"  if not ok then error('it runs: ' .. tostring(reason), 2) end\n"
	"end\n"
	"function t.runs(node, result, reason)\n"
	"  local ok, got = decide(node, result)\n"
	"  if ok then error('it is reused', 2) end\n"
	"  if reason and not tostring(got):find(reason, 1, true) then\n"
	"    error('it runs, but the reason is ' .. show(got) .. ', not ' .. show(reason), 2)\n"
	"  end\n"
	"end\n"
	"function t.key(node)\n"
	"  if not policy.key then error('the policy has no key rule', 2) end\n"
	"  return policy.key(t.node(node)) or nil\n"
	"end\n"
	"function t.suspects(node, failure)\n"
	"  if not policy.failed then error('the policy has no failed rule', 2) end\n"
	"  failure = fill('failure', failure, 3)\n"
	"  local named = policy.failed(t.node(node), failure)\n"
	"  if named == nil or named == true then return failure.reused_inputs end\n"
	"  return named or {}\n"
	"end\n"
	"return t\n";

struct collecting {
	struct policy *policy;
	struct arena *arena;
	struct policy_tests tests;
	size_t cap;
};

static void add_test(struct collecting *all, lua_State *lua)
{
	lua_Debug at;
	struct policy_tests *tests = &all->tests;
	if (tests->len == all->cap) {
		struct policy_test *more =
			arena_array(all->arena, struct policy_test, all->cap * 2 + 8);
		if (tests->len)
			memcpy(more, tests->ptr, tests->len * sizeof(*more));
		tests->ptr = more;
		all->cap = all->cap * 2 + 8;
	}
	lua_pushvalue(lua, -1);
	lua_getinfo(lua, ">S", &at);
	tests->ptr[tests->len++] = (struct policy_test){
		.name = arena_str(all->arena, lua_str(lua, -2)),
		.line = at.linedefined > 0 ? (uint32_t)at.linedefined : 0,
		.message = STR(""),
	};
}

static void collect_from(struct collecting *all, lua_State *lua)
{
	for (lua_pushnil(lua); lua_next(lua, -2); lua_pop(lua, 1)) {
		if (lua_type(lua, -2) == LUA_TSTRING && lua_isfunction(lua, -1) &&
			str_starts(lua_str(lua, -2), STR("test_")))
			add_test(all, lua);
	}
}

static int on_collect(lua_State *lua)
{
	struct collecting *all = lua_touserdata(lua, 1);
	lua_pushglobaltable(lua);
	collect_from(all, lua);
	lua_rawgeti(lua, LUA_REGISTRYINDEX, all->policy->table);
	collect_from(all, lua);
	return 0;
}

static int by_line(const void *a, const void *b)
{
	const struct policy_test *x = a;
	const struct policy_test *y = b;
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return str_cmp(x->name, y->name);
}

struct running {
	struct policy *policy;
	const struct policy_test *test;
};

static int on_test(lua_State *lua)
{
	const struct running *run = lua_touserdata(lua, 1);
	struct policy *policy = run->policy;
	lua_newtable(lua);
	lua_pushvalue(lua, -1);
	lua_rawseti(lua, LUA_REGISTRYINDEX, policy->fake);
	if (luaL_loadbufferx(lua, prelude, sizeof(prelude) - 1, "=t", "t") != LUA_OK)
		return lua_error(lua);
	lua_rawgeti(lua, LUA_REGISTRYINDEX, policy->table);
	lua_pushvalue(lua, 2);
	lua_call(lua, 2, 1);
	lua_rawgeti(lua, LUA_REGISTRYINDEX, policy->table);
	lua_push_str(lua, run->test->name);
	if (lua_rawget(lua, -2) == LUA_TNIL) {
		lua_pushglobaltable(lua);
		lua_push_str(lua, run->test->name);
		lua_rawget(lua, -2);
	}
	lua_pushvalue(lua, 3);
	lua_call(lua, 1, 0);
	return 0;
}

static int make_fake(lua_State *lua)
{
	struct policy *policy = lua_touserdata(lua, 1);
	lua_newtable(lua);
	policy->fake = luaL_ref(lua, LUA_REGISTRYINDEX);
	return 0;
}

static void run_test(struct policy *policy, struct policy_test *test, struct arena *arena)
{
	struct running run = {policy, test};
	struct err err = {0};
	test->passed = sandbox_call(&policy->sandbox, on_test, &run, "E-POLICY-TEST", &err);
	if (!test->passed)
		test->message = str_of(arena_printf(arena, "%s:%u: %s [%s]", policy->file,
			err.at.line ? err.at.line : test->line, err.message, err.code));
	err_finish(&err);
}

struct policy_tests policy_run_tests(struct policy *policy, struct arena *arena)
{
	struct collecting all = {.policy = policy, .arena = arena};
	struct err err = {0};
	if (!sandbox_call(&policy->sandbox, on_collect, &all, "E-POLICY-TEST", &err) ||
		(!policy->fake && !sandbox_call(&policy->sandbox, make_fake, policy,
					  "E-POLICY-TEST", &err))) {
		all.tests.ptr = arena_new(arena, struct policy_test);
		all.tests.len = all.tests.failed = 1;
		*all.tests.ptr = (struct policy_test){.name = STR("(setting up)"),
			.message =
				str_of(arena_printf(arena, "%s: %s", policy->file, err.message))};
		err_finish(&err);
		return all.tests;
	}
	if (all.tests.len)
		qsort(all.tests.ptr, all.tests.len, sizeof(*all.tests.ptr), by_line);
	policy->testing = true;
	for (size_t i = 0; i < all.tests.len; i++) {
		run_test(policy, &all.tests.ptr[i], arena);
		all.tests.failed += !all.tests.ptr[i].passed;
	}
	policy->testing = false;
	return all.tests;
}
