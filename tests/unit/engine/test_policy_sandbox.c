/* What a policy can't do: reach the machine, run for ever, fill the memory, crash the program.  Each case is a rule that
 * tries; every one must end soon, as an error with the line. */
#include "policy_help.h"

#include "engine/policy_internal.h"

#include "sys/clock.h"

/* Runs the body as reuse(); gives its sentence. */
static const char *reuse_of(struct room *room, struct arena *arena, const char *body)
{
	struct policies *policies = help_policies(room);
	struct policy *policy = help_load(room, policies,
		arena_printf(arena, "return { api = 1, reuse = function(node, result)\n%s\nend }",
			body));
	str sentence;
	policy_reuse(policy, &help_node, &(struct policy_result){.run = 1}, arena, &sentence);
	assert_true(policy->sandbox.memory <= SANDBOX_MEMORY);
	policies_destroy(policies);
	return sentence.ptr;
}

static void check_all(struct room *room, const char *const (*cases)[2], size_t count)
{
	struct arena arena = {0};
	for (size_t i = 0; i < count; i++) {
		int64_t from = sandbox_cpu_ns();
		const char *got = reuse_of(room, &arena, cases[i][0]);
		int64_t ms = (sandbox_cpu_ns() - from) / 1000000;
		if (!strstr(got, cases[i][1]))
			fail_msg("%s\ngot  %s\nwant %s", cases[i][0], got, cases[i][1]);
		if (ms > 8000)
			fail_msg("%s\ntook %lld ms", cases[i][0], (long long)ms);
		if (getenv("POLICY_TIMES"))
			print_message("%5lld ms  %s\n", (long long)ms, cases[i][0]);
	}
	arena_finish(&arena);
}
#define CHECK(state, cases) check_all(*(state), cases, sizeof(cases) / sizeof((cases)[0]))

static void test_what_is_not_there(void **state)
{
	static const char *const names[] = {"os", "io", "package", "debug", "coroutine", "require",
		"load", "loadstring", "loadfile", "dofile", "collectgarbage", "print", "warn",
		"xpcall", "_G", "arg", "string.dump", "string.pack", "string.unpack", "math.random",
		"math.randomseed", "math.sin", "table.unpackx", "pawl.exec"};
	struct room *room = *state;
	struct arena arena = {0};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *got = reuse_of(room, &arena,
			arena_printf(&arena,
				"local ok, v = pcall(function() return %s end)\n"
				"return false, tostring(ok and v ~= nil)",
				names[i]));
		assert_string_equal(got, "false (p.lua:3)");
	}
	arena_finish(&arena);
}

static void test_what_is_there(void **state)
{
	static const char *const cases[][2] = {
		{"return false, tostring(getmetatable(''))", "false (p.lua:2)"},
		{"return false, tostring(getmetatable(node))", "false (p.lua:2)"},
		{"return false, tostring(getmetatable(_ENV))", "false (p.lua:2)"},
		{"getmetatable('').__index = nil", "attempt to index a boolean value"},
		{"setmetatable('', {})", "table expected, got string"},
		{"setmetatable(_ENV, {})", "has a metatable already"},
		{"setmetatable({}, { __gc = function() end })", "there is no __gc in a policy"},
		{"setmetatable({}, { __mode = 'k' })", "there is no __mode in a policy"},
		{"setmetatable({}, { __close = function() end })",
			"there is no __close in a policy"},
		/* A later change of the metatable is none. */
		{"local m = {} local t = setmetatable({}, m) m.__index = { x = 1 } return false, "
		 "tostring(t.x) .. tostring(getmetatable(t) == m)",
			"niltrue (p.lua:2)"},
		{"local C = {} C.__index = C function C.f(s) return s.v end\n"
		 "return false, setmetatable({ v = 'method' }, C):f()",
			"method (p.lua:3)"},
		{"local t = setmetatable({}, { __tostring = function() return 'own' end }) return false, "
		 "tostring(t) .. tostring({}) .. tostring(pcall) .. tostring(1) .. tostring(nil)",
			"owntablefunction1nil (p.lua:2)"},
		{"local s = '' for k, v in pairs({ 'x', 'y', b = 1, a = 2, [2.5] = 3 }) do s = s .. k .. v "
		 "end return false, s",
			"1x2y2.53a2b1 (p.lua:2)"},
		{"local t = { a = 1, b = 2, c = 3 } local s = '' for k in pairs(t) do s = s .. k t[k] = "
		 "nil t.c = nil end return false, s",
			"ab (p.lua:2)"},
		{"local p = setmetatable({}, { __pairs = function(t) return function(_, k) if not k then "
		 "return 1, 'own' end end, t, nil end }) for k, v in pairs(p) do return false, v end",
			"own (p.lua:2)"},
		{"local t = {} for i = 1, 9 do table.insert(t, 1, i) end table.insert(t, 'z')\n"
		 "table.remove(t, 1) table.remove(t)\nreturn false, table.concat(t, ',', 2)",
			"7,6,5,4,3,2,1 (p.lua:4)"},
		{"local t = { 5, 3, 9, 1, 7, 3, 8, 2 } table.sort(t) local a = table.concat(t, '')\n"
		 "table.sort(t, function(x, y) return x > y end) return false, a .. ' ' .. table.concat(t, '')",
			"12335789 98753321 (p.lua:3)"},
		{"return false, table.concat(table.move({ 1, 2, 3 }, 1, 3, 2), ',') .. "
		 "table.concat(table.move({ 1, 2, 3 }, 2, 3, 1), ',') .. table.concat(table.move({4}, 1, 1, 1, {}))",
			"1,1,2,32,3,34 (p.lua:2)"},
		{"local p = table.pack(1, nil, 3) return false, p.n .. select('#', table.unpack(p, 1, p.n))",
			"33 (p.lua:2)"},
		{"return false, ('ab'):rep(3, '-') .. ('x'):rep(0) .. ('x'):rep(-1) .. (''):rep(1e9)",
			"ab-ab-ab (p.lua:2)"},
		{"return false, ('%5.1f|%s|%d|%q'):format(3.14159, {} and 'x', 7, 'q')",
			"3.1|x|7|\"q\" (p.lua:2)"},
		{"return false, '10' + 5 .. '' .. math.floor(2.7) .. utf8.len('\\u{e9}')",
			"1521 (p.lua:2)"},
		{"return false, ('%s %5s %-6s|%%p'):format({}, error, node)",
			"table function table |%p (p.lua:2)"},
		{"local t = setmetatable({}, { __tostring = function() return 'own' end }) return false, "
		 "('%s'):format(t)",
			"own (p.lua:2)"},
		{"return ('%p'):format({})", "there is no %p in a policy"},
		{"return ('%d %-10p'):format(1, 'x')", "there is no %p in a policy"},
		{"return ('%'):format(1)", "invalid conversion '%' to 'format'"},
		{"return false, tostring(pcall(error, 'x'))", "false (p.lua:2)"},
	};
	CHECK(state, cases);
}

static void test_instructions(void **state)
{
	static const char out[] = "ran out of its budget of 1,000,000 instructions (p.lua:";
	static const char *const cases[][2] = {
		{"while true do end", out},
		{"\n\nfor i = 1, 1e9 do end", "instructions (p.lua:4)"},
		{"while true do pcall(function() while true do end end) end", out},
		{"while true do pcall(pcall, pcall, error) end", out},
		{"local function f() pcall(f) while true do end end while true do pcall(f) end",
			out},
		{"goto a\n::a:: goto a", out},
		{"local f f = function() return f() end f()", out},
		{"repeat pcall(string.rep, 'x', 1000) until false", out},
		{"local t <const> = {} while true do t[1] = 1 t[1] = nil end", out},
		{"local t = setmetatable({}, { __index = function(t, k) return t[k + 1] end }) while true do "
		 "pcall(function() return t[1] end) end",
			out},
		{"for x in function() return 1 end do end", out},
		{"table.sort({ 1, 2, 3 }, function() while true do end end)", out},
		{"(('x'):rep(100)):gsub('.', function() while true do end end)", out},
		{"local ok, m = pcall(function() while true do end end) return false, 'caught ' .. m",
			out},
		{"local x = setmetatable({}, { __tostring = function() while true do end end }) tostring(x)",
			out},
		{"error(setmetatable({}, { __tostring = function() while true do end end }))",
			"error with a table for a message (p.lua:2)"},
	};
	CHECK(state, cases);
}

static void test_loops_in_c(void **state)
{
	static const char out[] = "ran out of its budget of 1,000,000 instructions (p.lua:2)";
	static const char *const cases[][2] = {
		{"table.move({}, 1, 1e15 // 1 | 0, 2)", out},
		{"table.concat({}, '', 1, 1 << 60)", out},
		{"table.unpack({}, 1, 1e8 // 1 | 0)", out},
		{"table.insert(setmetatable({}, { __len = function() return 1 << 60 end }), 1, 1)",
			"a table without a metatable is needed"},
		{"local t = {} for i = 1, 60000 do t[i] = i end while true do table.insert(t, 1, 0) "
		 "table.remove(t, 1) end",
			out},
		{"local t = {} for i = 1, 60000 do t[i] = 60000 - i end for i = 1, 1000 do table.sort(t) end",
			out},
		{"local t = {} for i = 1, 1000 do t[i] = i end for i = 1, 1e6 do for k in pairs(t) do break "
		 "end end",
			out},
		{"local s = ('a'):rep(2000000) while true do pcall(string.find, s, 'b', 1, true) end",
			out},
		{"local s = ('a'):rep(100000) while true do pcall(string.find, s, 'b', 1) end",
			out},
		{"local s = ('a'):rep(1000000) local n = ('a'):rep(500000) .. 'b' for i = 1, 1000 do "
		 "s:find(n, 1, true) end",
			out},
		{"local a = {} for i = 1, 40 do a = { a, a } end pawl.json.encode(a)", out},
		{"local a = {} a[1] = a pawl.json.encode(a)", "nested deeper than 64"},
		{"local s = ('x'):rep(1000000) local t = {} for i = 1, 1000 do t[i] = s end "
		 "pawl.json.encode(t)",
			out},
		{"local s = '[' .. ('[],'):rep(300000) .. '[]]' while true do pcall(pawl.json.decode, s) end",
			out},
		{"while true do pawl.digest('p.lua') end", out},
		{"while true do pawl.glob('*') end", out},
	};
	CHECK(state, cases);
}

static void test_patterns_that_explode(void **state)
{
	static const char out[] = "ran out of its budget of 1,000,000 instructions (p.lua:2)";
	static const char *const cases[][2] = {
		{"return ('a'):rep(28):find(('a*'):rep(9) .. 'b')", out},
		{"return ('a'):rep(10000):match('(.-)(.-)(.-)(.-)b')", out},
		{"return ('a'):rep(100000):gsub('a*a*b', '')", out},
		{"return ('a'):rep(100000):find('.-.-b')", out},
		{"for w in ('('):rep(1000000):gmatch('%b()') do end", out},
		{"while true do pcall(string.find, ('a'):rep(1000), 'a*a*b') end", out},
		{"local s = ('a'):rep(30) while true do pcall(string.gsub, s, '(a*)(a*)%1%2', '') end",
			out},
		{"return ('a'):find(('(a?'):rep(40))", "too many captures"},
		{"return ('a'):rep(300):find(('a?'):rep(300) .. 'b')", "pattern too complex"},
		{"return ('x'):find('[' .. ('%a'):rep(100))", "malformed pattern (missing ']')"},
	};
	CHECK(state, cases);
}

static void test_a_long_output_may_be_read(void **state)
{
	static const char *const cases[][2] = {
		{"local n = 0 for line in ('0123456789abcde\\n'):rep(4096):gmatch('[^\\n]+') do n = n + 1 end "
		 "return false, n .. ''",
			"4096 (p.lua:2)"},
		{"local s = ('x'):rep(65530) .. 'ERROR:' return false, tostring(s:find('ERROR: *$'))",
			"65531 (p.lua:2)"},
		{"local s = ('x '):rep(30000) return false, #s:gsub('%s+', '') .. ''",
			"30000 (p.lua:2)"},
		{"return false, (('a'):rep(65536):upper():match('^A+$') and 'all') .. ''",
			"all (p.lua:2)"},
	};
	CHECK(state, cases);
}

static void test_memory(void **state)
{
	static const char *const cases[][2] = {
		{"local t = {} for i = 1, 1e9 do t[i] = ('0123456789'):rep(1000) .. i end",
			"needs more than its 8 MiB of memory (p.lua:2)"},
		{"local s = 'x'\nwhile true do s = s .. s end", "8 MiB of memory (p.lua:3)"},
		{"return ('x'):rep(1 << 40)", "the result would be longer than 2 MiB"},
		{"return ('x'):rep(1 << 62, ('y'):rep(8))",
			"the result would be longer than 2 MiB"},
		{"return ('%99d'):rep(20000):format(1)", "bad argument #3 to 'string.format'"},
		{"local s = ('x'):rep(1 << 20) while true do local t = s .. 'y' end",
			"ran out of its budget of 256 MiB of allocations (p.lua:2)"},
		{"local s = ('x'):rep(1 << 20) while true do pcall(function() return s .. 'y' end) end",
			"ran out of its budget of 256 MiB of allocations"},
		{"local s = ('x'):rep(1 << 20) while true do pcall(string.upper, s) end",
			"ran out of its budget of 256 MiB of allocations"},
		{"local t = {} while true do pcall(function() t[#t + 1] = ('x'):rep(100000) end) end",
			"ran out of"},
		{"local t = {} for i = 1, 200 do t[i] = i end local function f(...) return f(1, 2, 3, 4, 5, "
		 "...) end f(table.unpack(t))",
			"needs more than its 8 MiB of memory"},
		{"return table.unpack({}, 1, 900000)", ""},
		{"return ('x'):rep(2000000):byte(1, -1)", ""},
	};
	CHECK(state, cases);
}

/* Instructions that copy a lot: only the clock sees them. */
static void test_processor_time(void **state)
{
	static const char *const cases[][2] = {
		{"local t = {} for i = 1, 50000 do t[i] = i end local function g() end\n"
		 "local function f(...) while true do g(...) end end\nf(table.unpack(t))",
			"ran out of its budget of 1 s of processor time (p.lua:3)"},
		{"local s = ('0'):rep(2000000) while true do tonumber(s) end",
			"ran out of its budget of 1 s of processor time (p.lua:2)"},
	};
	CHECK(state, cases);
}

static void test_recursion(void **state)
{
	static const char *const cases[][2] = {
		{"local function f() return 1 + f() end f()",
			"needs more than its 8 MiB of memory"},
		{"local function f() f() f() end f()", "needs more than its 8 MiB of memory"},
		{"local function f() pcall(f) end f()", ""},
		{"local function f() return (('x'):gsub('x', f)) end f()", "C stack overflow"},
		{"local t = {} for i = 1, 1000 do t = setmetatable({}, { __index = t }) end return t.x",
			""},
		{"local function f(a, b) table.sort({ 1, 2, 3 }, f) end f()", "C stack overflow"},
		{"local t = setmetatable({}, {}) local m = { __index = function(t, k) return t[k] end } local u "
		 "= setmetatable({}, m) return u.x",
			"C stack overflow"},
		{"local a = setmetatable({}, { __concat = function(a, b) return a .. b end }) return a .. 'x'",
			"C stack overflow"},
	};
	CHECK(state, cases);
}

/* Text that nests too deep is refused by the parser, not by the stack. */
static void test_deep_text(void **state)
{
	static const struct {
		const char *open;
		const char *close;
	} cases[] = {{"(", ")"}, {"{", "}"}, {"-", ""}, {"function() return ", " end"}, {"#", ""}};
	struct room *room = *state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct policies *policies = help_policies(room);
		struct diags diags = {0};
		struct buf text = {0};
		buf_add_z(&text, "return ");
		for (int n = 0; n < 9000; n++)
			buf_printf(&text, "%s ", cases[i].open);
		buf_add_z(&text, "1");
		for (int n = 0; n < 9000; n++)
			buf_add_z(&text, cases[i].close);
		help_write(room, "p.lua", buf_str(&text));
		assert_null(policies_load(policies, STR("p.lua"), &diags));
		assert_string_equal(diags.list.ptr[0].code, "E-POLICY-SYNTAX");
		assert_non_null(strstr(diags.list.ptr[0].message, "overflow"));
		buf_finish(&text);
		diags_finish(&diags);
		policies_destroy(policies);
	}
}

static void test_bytecode_is_refused(void **state)
{
	struct room *room = *state;
	lua_State *lua = luaL_newstate();
	assert_non_null(lua);
	luaL_openlibs(lua);
	assert_int_equal(
		luaL_dostring(lua, "return string.dump(load('return { api = 1 }'))"), LUA_OK);
	struct policies *policies = help_policies(room);
	struct diags diags = {0};
	help_write(room, "p.lua", lua_str(lua, -1));
	assert_null(policies_load(policies, STR("p.lua"), &diags));
	assert_string_equal(diags.list.ptr[0].code, "E-POLICY-SYNTAX");
	diags_finish(&diags);
	policies_destroy(policies);
	lua_close(lua);
}

/* A file is one of its own: what one does to its libraries another does not see, and an end without memory or
 * instructions leaves the state usable. */
static void test_files_are_apart_and_survive(void **state)
{
	struct room *room = *state;
	struct arena arena = {0};
	struct policies *policies = help_policies(room);
	help_write(room, "a.lua",
		STR("string.rep = nil\nlocal n = 0\n"
		    "return { api = 1, reuse = function(node, result)\n"
		    "  if result.run == 1 then local t = {} while true do t[#t + 1] = ('x') .. "
		    "#t end end\n"
		    "  if result.run == 2 then while true do end end\n"
		    "  return false, tostring(string.rep)\nend }"));
	help_write(room, "b.lua",
		STR("return { api = 1, reuse = function(node, result)\n"
		    "  return false, ('x'):rep(3)\nend }"));
	struct policy *a = policies_load(policies, STR("a.lua"), NULL);
	struct policy *b = policies_load(policies, STR("b.lua"), NULL);
	str sentence;
	for (int round = 0; round < 3; round++) {
		struct policy_result result = {.run = 1};
		assert_false(policy_reuse(a, &help_node, &result, &arena, &sentence));
		assert_non_null(strstr(sentence.ptr, "(a.lua:4)"));
		result.run = 2;
		assert_false(policy_reuse(a, &help_node, &result, &arena, &sentence));
		assert_non_null(strstr(sentence.ptr, "instructions (a.lua:5)"));
		result.run = 3;
		assert_false(policy_reuse(a, &help_node, &result, &arena, &sentence));
		assert_string_equal(sentence.ptr, "nil (a.lua:6)");
		assert_false(policy_reuse(b, &help_node, &result, &arena, &sentence));
		assert_string_equal(sentence.ptr, "xxx (b.lua:2)");
	}
	policies_destroy(policies);
	arena_finish(&arena);
}

/* With less and less memory: each call gives the right answer or says that there was too little, and the next one with all
 * of it is right again. */
static void test_memory_may_end_anywhere(void **state)
{
	static const char rule[] =
		"local function shout(s) return (s:gsub('%a+', function(w) return w:upper() end)) end\n"
		"local policy = { api = 1, env = { 'REGION' } }\n"
		"function policy.reuse(node, result)\n"
		"  local t = { node.id, pawl.env('REGION'), #pawl.glob('*'), pawl.digest('p.lua'):sub(1, 0) }\n"
		"  for k, v in pairs(node.fields) do t[#t + 1] = k end\n"
		"  for w in result.output:gmatch('%S+') do t[#t + 1] = w:rep(3, '-') end\n"
		"  for i, v in ipairs(t) do t[i] = tostring(v) end\n"
		"  table.sort(t)\n"
		"  local copy = pawl.json.decode(pawl.json.encode(t))\n"
		"  local m = setmetatable({}, { __index = function(_, k) return copy[k] end })\n"
		"  local ok, message = pcall(error, { m })\n"
		"  return false, shout(table.concat({ table.unpack(copy) }, ',')) .. ('%d'):format(#message)\n"
		"end\n"
		"return policy\n";
	struct room *room = *state;
	struct arena arena = {0};
	struct policies *policies = help_policies(room);
	struct policy *policy = help_load(room, policies, rule);
	struct policy_node node = help_node;
	const struct policy_result result = {.run = 1};
	str right;
	str sentence;
	size_t failures = 0;
	node.fields = help_yaml(&arena, "tags: [a, b]\nx-y: {z: [1, 2, 3]}");
	policy_reuse(policy, &node, &result, &arena, &right);
	assert_string_equal(right.ptr, ",1,EU-1,FETCH,TAGS,X-Y1 (p.lua:12)");
	for (size_t left = 0;; left += 16) {
		lua_gc(policy->sandbox.lua, LUA_GCCOLLECT);
		size_t taken = SANDBOX_MEMORY - policy->sandbox.memory - left;
		policy->sandbox.memory += taken;
		bool stopped = false;
		policy_reuse(policy, &node, &result, &arena, &sentence);
		policy->sandbox.memory -= taken;
		stopped = !str_eq(sentence, right);
		if (stopped && !strstr(sentence.ptr, "needs more than its 8 MiB of memory (p.lua:"))
			fail_msg("%zu bytes: %s", left, sentence.ptr);
		failures += stopped;
		policy_reuse(policy, &node, &result, &arena, &sentence);
		assert_string_equal(sentence.ptr, right.ptr);
		if (!stopped)
			break;
	}
	assert_true(failures > 50);
	policies_destroy(policies);
	arena_finish(&arena);
}

/* The name of a file that Lua shortens in its messages is whole in ours. */
static void test_long_names(void **state)
{
	static const char name[] =
		"a-policy-file-with-a-name-that-is-longer-than-the-sixty-bytes-of-lua.lua";
	struct room *room = *state;
	struct arena arena = {0};
	struct policies *policies = help_policies(room);
	str sentence;
	help_write(room, name, STR("return { api = 1, reuse = function()\n error('mine') end }"));
	struct policy *policy = policies_load(policies, str_of(name), NULL);
	policy_reuse(policy, &help_node, &(struct policy_result){.run = 1}, &arena, &sentence);
	assert_string_equal(sentence.ptr,
		arena_printf(&arena, "its policy can't tell: mine (%s:2) [E-POLICY-RULE]", name));
	policies_destroy(policies);
	arena_finish(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		room_test(test_what_is_not_there),
		room_test(test_what_is_there),
		room_test(test_instructions),
		room_test(test_loops_in_c),
		room_test(test_patterns_that_explode),
		room_test(test_a_long_output_may_be_read),
		room_test(test_memory),
		room_test(test_processor_time),
		room_test(test_recursion),
		room_test(test_deep_text),
		room_test(test_bytecode_is_refused),
		room_test(test_files_are_apart_and_survive),
		room_test(test_memory_may_end_anywhere),
		room_test(test_long_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
