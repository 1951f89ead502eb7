/* Patterns: what find, match, gmatch and gsub answer is what Lua's own library answers, compared on patterns of every
 * construct and on many random ones. */
#include "policy_help.h"

#include "engine/policy_internal.h"

/* Compares both for one text and pattern; messages of errors too.  Gives the first difference, or nil. */
static const char compare[] =
	"local own, theirs, text, pattern, with, init = ...\n"
	"local unpack, pack = table.unpack, table.pack\n"
	"local function run(lib)\n"
	"  local all = {}\n"
	"  local function add(...)\n"
	"    local p = pack(...)\n"
	"    for i = 1, p.n do p[i] = tostring(p[i]) end\n"
	"    p = table.concat(p, '|')\n"
	"    all[#all + 1] = p:gsub('^false|[^ ]-:%d+: ', 'false|'):gsub('\\'[%w.]+\\' %(', '(')\n"
	"  end\n"
	"  add('find', pcall(lib.find, text, pattern, init))\n"
	"  add('match', pcall(lib.match, text, pattern, init))\n"
	"  add('plain', pcall(lib.find, text, pattern, init, true))\n"
	"  add('gsub', pcall(lib.gsub, text, pattern, with))\n"
	"  add('gsub 2', pcall(lib.gsub, text, pattern, with, 2))\n"
	"  add('table', pcall(lib.gsub, text, pattern, { a = 'A', ['1'] = false, b = 7 }))\n"
	"  add('function', pcall(lib.gsub, text, pattern, function(x, y) return y and x end))\n"
	"  local ok, message = pcall(function()\n"
	"    for a, b, c in lib.gmatch(text, pattern) do add('gmatch', a, b, c) end\n"
	"    for a in lib.gmatch(text, pattern, init) do add('gmatch from', a) end\n"
	"  end)\n"
	"  if not ok then add('gmatch', false, message) end\n"
	"  return all\n"
	"end\n"
	"local a, b = run(own), run(theirs)\n"
	"for i = 1, math.max(#a, #b) do\n"
	"  if a[i] ~= b[i] then return tostring(a[i]) .. ' instead of ' .. tostring(b[i]) end\n"
	"end\n";

struct pair {
	struct sandbox sandbox;
	const char *text;
	const char *pattern;
	const char *with;
	int init;
	char *difference;
};

static int run_compare(lua_State *lua)
{
	struct pair *pair = lua_touserdata(lua, 1);
	sandbox_of(lua)->instructions = INT64_MAX / 2;
	if (luaL_loadstring(lua, compare) != LUA_OK)
		return lua_error(lua);
	lua_newtable(lua);
	luaL_setfuncs(lua, pattern_string, 0);
	luaL_requiref(lua, "string", luaopen_string, 0);
	lua_pushstring(lua, pair->text);
	lua_pushstring(lua, pair->pattern);
	lua_pushstring(lua, pair->with);
	lua_pushinteger(lua, pair->init);
	lua_call(lua, 6, 1);
	if (lua_isstring(lua, -1))
		pair->difference = mem_dup(lua_tostring(lua, -1), lua_rawlen(lua, -1));
	return 0;
}

static void check(struct pair *pair)
{
	struct err err = {0};
	if (!sandbox_call(&pair->sandbox, run_compare, pair, "E-TEST", &err))
		fail_msg("'%s' in '%s': %s", pair->pattern, pair->text, err.message);
	if (pair->difference)
		fail_msg("'%s' in '%s' with '%s' from %d: %s", pair->pattern, pair->text,
			pair->with, pair->init, pair->difference);
}

static void test_every_construct(void **state)
{
	static const char *const texts[] = {"", "a", "hello world", "  key = value  ", "a1b22c333",
		"((nested) (parens))", "THE (quick) fox", "aaa\nbbb\n", "x^y$z%", "a.b.c", "]-[",
		"\xc3\xa9t\xc3\xa9"};
	static const char *const patterns[] = {"", "a", ".", ".*", ".-", ".+", ".?", "^a", "a$",
		"^$", "^.-$", "%a+", "%d+", "(%a)(%d)", "()a()", "()", "(%w+) = (%w+)",
		"^%s*(.-)%s*$", "%b()", "%b((", "%bx", "%b", "%f[%w]%w+", "%f[%a]", "%f", "%fa",
		"[a-c]", "[^a-c]", "[]]", "[^]]", "[a-]", "[%a-z]", "[%]]", "[", "[a", "[%", "[^",
		"%", "a%", "(a", "a)", "(", ")", "((a)b)", "(a)%1", "%1", "(a*(b)%1", "%0", "%9",
		"a**", "a*?", "*", "^*", "^^a", "a^", "$a", "a$b", "%$", "%^", "%%", "%.", "[%d.]+",
		"%S+", "%D", "%W", "%A", "%C", "%c", "%g+", "%l+", "%u+", "%p", "%x+", "%X", "%G",
		"%L", "%U", "%P", "%z", "%Z+", "%q", "[a-%%]", "[%w_]+", "\xc3.", "[\x80-\xff]+",
		"(.)(.)(.)%3%2%1", "(h)(e)(l)(l)(o)", "$", "^", "a-", "a-b", "(a-)b",
		"(a?)(a?)(a?)", "[a", "x*$", "%f[^%z]%w"};
	static const char *const withs[] = {"", "<%0>", "%1", "%2", "%%", "%", "%x"};
	struct pair pair = {.init = 1};
	struct err err = {0};
	(void)state;
	assert_true(sandbox_init(&pair.sandbox, "pattern", &err));
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		for (size_t j = 0; j < sizeof(patterns) / sizeof(patterns[0]); j++) {
			pair.text = texts[i];
			pair.pattern = patterns[j];
			pair.with = withs[(i + j) % (sizeof(withs) / sizeof(withs[0]))];
			pair.init = (int)((i * 7 + j) % 9) - 3;
			check(&pair);
		}
	}
	sandbox_finish(&pair.sandbox);
}

static void test_random_patterns(void **state)
{
	static const char *const pieces[] = {"a", "b", "1", ".", "%a", "%d", "%W", "[ab]", "[^a]",
		"[a-b1]", "*", "+", "-", "?", "(", ")", "()", "^", "$", "%1", "%b()", "%f[a]",
		"%f[^a]", "[", "]", "%", "%2"};
	static const char letters[] = "aab1(). ";
	struct pair pair = {.with = "<%1>"};
	struct err err = {0};
	uint32_t seed = 1;
	(void)state;
	assert_true(sandbox_init(&pair.sandbox, "pattern", &err));
	for (int round = 0; round < 6000; round++) {
		struct buf pattern = {0};
		struct buf text = {0};
#define NEXT(n) ((seed = seed * 1664525 + 1013904223) >> 16) % (n)
		uint32_t count = NEXT(8);
		for (uint32_t i = 0; i < count; i++)
			buf_add_z(&pattern, pieces[NEXT(sizeof(pieces) / sizeof(pieces[0]))]);
		count = NEXT(12);
		for (uint32_t i = 0; i < count; i++)
			buf_add_char(&text, letters[NEXT(sizeof(letters) - 1)]);
		pair.init = (int)(NEXT(16)) - 4;
#undef NEXT
		pair.text = buf_cstr(&text);
		pair.pattern = buf_cstr(&pattern);
		check(&pair);
		buf_finish(&pattern);
		buf_finish(&text);
	}
	sandbox_finish(&pair.sandbox);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_construct),
		cmocka_unit_test(test_random_patterns),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
