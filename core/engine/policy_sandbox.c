/* policy_sandbox: a Lua state that strangers' rules can run in: what it may call, how long, and in how much memory.  It
 * knows nothing of nodes and results.
 *
 * A hook alone does not hold: pcall swallows its error, it never fires inside C, message handlers and finalizers run
 * without it.  So once a budget is spent every further instruction fails; C functions that loop pay for it; whatever is
 * allocated is counted; and there are no message handlers, finalizers, coroutines or weak tables to be had. */
#include "engine/policy_internal.h"

#include "base/mem.h"

#include <string.h>
#include <time.h>

#define STEP 100 /* instructions between two looks at the budget */

static const char out_of_instructions[] = "ran out of its budget of 1,000,000 instructions";
static const char out_of_memory[] = "needs more than its 8 MiB of memory";
static const char out_of_allocations[] = "ran out of its budget of 256 MiB of allocations";
static const char out_of_time[] = "ran out of its budget of 1 s of processor time";

int64_t sandbox_cpu_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* The line of the file that the innermost of its functions is at; 0: none runs.  Allocates nothing. */
static uint32_t current_line(lua_State *lua)
{
	const char *chunk = sandbox_of(lua)->chunk;
	lua_Debug at;
	for (int level = 0; lua_getstack(lua, level, &at); level++) {
		lua_getinfo(lua, "Sl", &at);
		if (at.currentline > 0 && strcmp(at.short_src, chunk) == 0)
			return (uint32_t)at.currentline;
	}
	return 0;
}

static void *refuse(struct sandbox *sandbox)
{
	if (sandbox->lua)
		sandbox->refused_line = current_line(sandbox->lua);
	return NULL;
}

static void *allocate(void *arg, void *ptr, size_t old_size, size_t size)
{
	struct sandbox *sandbox = arg;
	size_t old = ptr ? old_size : 0;
	if (!size) {
		free(ptr);
		sandbox->memory -= old;
		return NULL;
	}
	if (size > old) {
		if (size > SANDBOX_BLOCK || sandbox->memory - old + size > SANDBOX_MEMORY)
			return refuse(sandbox);
		if (sandbox->allocated + size > SANDBOX_ALLOCATED && !sandbox->spent) {
			sandbox->spent = out_of_allocations;
			return refuse(sandbox);
		}
		sandbox->allocated += size;
	}
	void *moved = realloc(ptr, size);
	if (moved)
		sandbox->memory = sandbox->memory - old + size;
	return moved;
}

static void on_hook(lua_State *lua, lua_Debug *at);

/* From now on every instruction and every line fails, so that no pcall outlives it. */
static void spend(lua_State *lua, const char *what)
{
	struct sandbox *sandbox = sandbox_of(lua);
	if (!sandbox->spent)
		sandbox->spent = what;
	lua_sethook(lua, on_hook, LUA_MASKCOUNT | LUA_MASKLINE, 1);
	luaL_error(lua, "%s", sandbox->spent);
}

static void on_hook(lua_State *lua, lua_Debug *at)
{
	struct sandbox *sandbox = sandbox_of(lua);
	if (at->event == LUA_HOOKRET) {
		lua_getinfo(lua, "l", at);
		if (at->currentline > 0)
			sandbox->return_line = (uint32_t)at->currentline;
		return;
	}
	sandbox->instructions -= STEP;
	int64_t cpu = sandbox_cpu_ns();
	if (!sandbox->cpu_start)
		sandbox->cpu_start = cpu;
	if (sandbox->spent || sandbox->instructions <= 0)
		spend(lua, out_of_instructions);
	if (cpu - sandbox->cpu_start > SANDBOX_CPU_NS)
		spend(lua, out_of_time);
}

void sandbox_charge(lua_State *lua, uint64_t n)
{
	struct sandbox *sandbox = sandbox_of(lua);
	if (n >= (uint64_t)SANDBOX_INSTRUCTIONS || (int64_t)n > sandbox->instructions)
		sandbox->instructions = 0;
	else
		sandbox->instructions -= (int64_t)n;
	if (sandbox->spent || sandbox->instructions <= 0)
		spend(lua, out_of_instructions);
}

/* Cuts "CHUNK:LINE: " off a message that Lua wrote, and gives the line; 0 where it has none. */
static uint32_t cut_place(const struct sandbox *sandbox, str *message)
{
	str rest = *message;
	str chunk = str_of(sandbox->chunk);
	if (!str_starts(rest, chunk) || rest.len <= chunk.len || rest.ptr[chunk.len] != ':')
		return 0;
	rest = str_slice(rest, chunk.len + 1, rest.len);
	size_t colon = str_find_char(rest, ':', 0);
	uint64_t line = 0;
	if (colon == SIZE_MAX || !str_to_u64(str_slice(rest, 0, colon), &line) || line > UINT32_MAX)
		return 0;
	*message = str_trim(str_slice(rest, colon + 1, rest.len));
	return (uint32_t)line;
}

/* Lua's message handler: only notes where it was. */
static int on_error(lua_State *lua)
{
	sandbox_of(lua)->error_line = current_line(lua);
	return 1;
}

static void take_error(struct sandbox *sandbox, int status, const char *code, struct err *err)
{
	lua_State *lua = sandbox->lua;
	uint32_t line = sandbox->error_line;
	if (sandbox->spent || status == LUA_ERRMEM) {
		err_set(err, "E-POLICY-BUDGET", "%s",
			sandbox->spent ? sandbox->spent : out_of_memory);
		err_help(err, "make the rule look at less; see docs/policies.md, Budgets");
		if (status == LUA_ERRMEM)
			line = sandbox->refused_line;
	} else if (lua_type(lua, -1) == LUA_TSTRING || lua_type(lua, -1) == LUA_TNUMBER) {
		str message = lua_str(lua, -1);
		uint32_t named = cut_place(sandbox, &message);
		struct buf visible = {0};
		line = named ? named : line;
		buf_add_visible(&visible, str_slice(message, 0, 1000));
		err_set(err, code, "%s", buf_cstr(&visible));
		buf_finish(&visible);
	} else {
		err_set(err, code, "error with a %s for a message", luaL_typename(lua, -1));
	}
	err_at(err,
		(struct place){.file = sandbox->file, .line = line ? line : sandbox->return_line});
}

void sandbox_clear(struct sandbox *sandbox)
{
	arena_finish(&sandbox->scratch);
	sandbox->scratch = (struct arena){0};
	buf_clear(&sandbox->text);
	fs_list_finish(&sandbox->list);
	sandbox->list = (struct fs_list){0};
}

bool sandbox_call(
	struct sandbox *sandbox, lua_CFunction fn, void *arg, const char *code, struct err *err)
{
	lua_State *lua = sandbox->lua;
	sandbox->instructions = SANDBOX_INSTRUCTIONS;
	sandbox->allocated = 0;
	sandbox->cpu_start = 0;
	sandbox->spent = NULL;
	sandbox->refused_line = sandbox->return_line = sandbox->error_line = 0;
	lua_sethook(lua, on_hook, LUA_MASKCOUNT | LUA_MASKRET, STEP);
	lua_settop(lua, 0);
	lua_pushcfunction(lua, on_error);
	lua_pushcfunction(lua, fn);
	lua_pushlightuserdata(lua, arg);
	int status = lua_pcall(lua, 1, 0, 1);
	lua_sethook(lua, NULL, 0, 0);
	if (status != LUA_OK)
		take_error(sandbox, status, code, err);
	lua_settop(lua, 0);
	sandbox_clear(sandbox);
	return status == LUA_OK;
}

void sandbox_keep(lua_State *lua, const char *const *names)
{
	lua_newtable(lua);
	for (size_t i = 0; names[i]; i++) {
		lua_getfield(lua, -2, names[i]);
		lua_setfield(lua, -2, names[i]);
	}
	lua_remove(lua, -2);
}

static void open_numbers(lua_State *lua)
{
	static const char *const math[] = {"abs", "ceil", "floor", "fmod", "huge", "max",
		"maxinteger", "min", "mininteger", "modf", "sqrt", "tointeger", "type", "ult",
		NULL};
	static const char *const utf8[] = {
		"char", "charpattern", "codepoint", "codes", "len", "offset", NULL};
	luaL_requiref(lua, "math", luaopen_math, 0);
	sandbox_keep(lua, math);
	lua_setfield(lua, -2, "math");
	luaL_requiref(lua, "utf8", luaopen_utf8, 0);
	sandbox_keep(lua, utf8);
	lua_setfield(lua, -2, "utf8");
}

static int open_all(lua_State *lua)
{
	static const char *const base[] = {"assert", "error", "ipairs", "next", "pcall", "rawequal",
		"rawget", "rawlen", "rawset", "select", "tonumber", "type", NULL};
	luaL_requiref(lua, "_G", luaopen_base, 0);
	sandbox_keep(lua, base);
	luaL_setfuncs(lua, tables_base, 0);
	string_open(lua);
	lua_setfield(lua, -2, "string");
	lua_newtable(lua);
	luaL_setfuncs(lua, tables_table, 0);
	lua_setfield(lua, -2, "table");
	open_numbers(lua);
	lua_rawseti(lua, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
	return 0;
}

static int on_unknown(lua_State *lua)
{
	static const struct {
		const char *name;
		const char *instead;
	} known[] = {
		{"os", "rules have pawl.now and pawl.env"},
		{"io", "rules have pawl.digest and pawl.glob"},
		{"require", "a policy is one file"},
		{"print", "rules have pawl.log"},
		{"xpcall", "rules have pcall"},
	};
	const char *name = lua_type(lua, 2) == LUA_TSTRING ? lua_tostring(lua, 2) : "?";
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(name, known[i].name) == 0)
			return luaL_error(
				lua, "there is no '%s' in a policy; %s", name, known[i].instead);
	}
	return luaL_error(lua, "there is no global '%s'", name);
}

static int on_new_global(lua_State *lua)
{
	const char *name = lua_type(lua, 2) == LUA_TSTRING ? lua_tostring(lua, 2) : "?";
	return luaL_error(lua, "a rule can't make the global '%s': write 'local %s'", name, name);
}

/* Before the file runs unknown names are refused; after it also new ones: a rule that remembers is no rule. */
void sandbox_seal(lua_State *lua)
{
	lua_pushglobaltable(lua);
	if (!lua_getmetatable(lua, -1)) {
		lua_createtable(lua, 0, 3);
		lua_pushcfunction(lua, on_unknown);
		lua_setfield(lua, -2, "__index");
		lua_pushboolean(lua, 0);
		lua_setfield(lua, -2, "__metatable");
		lua_setmetatable(lua, -2);
		lua_pop(lua, 1);
		return;
	}
	lua_pushcfunction(lua, on_new_global);
	lua_setfield(lua, -2, "__newindex");
	lua_pop(lua, 2);
}

bool sandbox_init(struct sandbox *sandbox, const char *file, struct err *err)
{
	*sandbox = (struct sandbox){.file = file, .chunk = file};
	lua_State *lua = lua_newstate(allocate, sandbox);
	if (!lua)
		return err_set(err, "E-POLICY-BUDGET", "no memory for a Lua state");
	*(struct sandbox **)lua_getextraspace(lua) = sandbox;
	sandbox->lua = lua;
	return sandbox_call(sandbox, open_all, NULL, "E-POLICY-LOAD", err);
}

void sandbox_finish(struct sandbox *sandbox)
{
	if (sandbox->lua)
		lua_close(sandbox->lua);
	sandbox->lua = NULL;
	sandbox_clear(sandbox);
	buf_finish(&sandbox->text);
}
