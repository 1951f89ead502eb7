/* policy_internal: what the files of the policy engine share: the sandbox (a Lua state with its budgets) and the policy in
 * it.  Everything that may raise a Lua error runs inside sandbox_call; heap memory that must survive such an error is kept
 * in the sandbox (`scratch`, `text`, `list`), never on the C stack. */
#ifndef ENGINE_POLICY_INTERNAL_H
#define ENGINE_POLICY_INTERNAL_H

#include "engine/policy.h"

#include "base/map.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#define SANDBOX_INSTRUCTIONS 1000000
#define SANDBOX_MEMORY       ((size_t)8 << 20)
#define SANDBOX_BLOCK        ((size_t)2 << 20)   /* the largest single piece of memory */
#define SANDBOX_ALLOCATED    ((size_t)256 << 20) /* in one call, freed or not */
#define SANDBOX_CPU_NS       INT64_C(1000000000)

struct sandbox {
	lua_State *lua;
	const char *file;
	const char *chunk; /* as Lua shows the file in messages */
	size_t memory;

	/* Of the call in progress. */
	int64_t instructions; /* left */
	size_t allocated;
	int64_t cpu_start; /* 0: not looked at yet */
	const char *spent; /* which budget ran out, or NULL */
	uint32_t refused_line;
	uint32_t return_line; /* of the last function that returned: the rule's own, in the end */
	uint32_t error_line;

	/* For C functions; emptied after each call. */
	struct arena scratch;
	struct buf text;
	struct fs_list list;
};

/* A state with the allow-listed globals.  False with *err where even that does not fit. */
bool sandbox_init(struct sandbox *sandbox, const char *file, struct err *err);
void sandbox_finish(struct sandbox *sandbox);

static inline struct sandbox *sandbox_of(lua_State *lua)
{
	return *(struct sandbox **)lua_getextraspace(lua);
}

/* Calls fn with arg as its light userdata argument, with fresh budgets.  False with *err: E-POLICY-BUDGET, or `code`. */
bool sandbox_call(
	struct sandbox *sandbox, lua_CFunction fn, void *arg, const char *code, struct err *err);

/* Takes n instructions from the budget, raising an error when it is spent. */
void sandbox_charge(lua_State *lua, uint64_t n);

/* Frees the scratch memory early, between tests within a call. */
void sandbox_clear(struct sandbox *sandbox);

/* Processor time that the thread used. */
int64_t sandbox_cpu_ns(void);

/* Refuses new and unknown globals from now on; called after the file was loaded. */
void sandbox_seal(lua_State *lua);

/* Puts a table with the named functions in the place of the library on top of the stack. */
void sandbox_keep(lua_State *lua, const char *const *names);

/* policy_tables.c: table.*, pairs, setmetatable, ... of the sandbox. */
extern const luaL_Reg tables_base[];
extern const luaL_Reg tables_table[];

/* policy_pattern.c: find, match, gmatch, gsub. */
extern const luaL_Reg pattern_string[];

/* policy_string.c: pushes the table `string`. */
void string_open(lua_State *lua);

struct policy {
	struct policies *policies;
	char *file;
	struct buf source;
	struct sandbox sandbox;
	bool usable;
	bool loading; /* the file's own code runs: pawl.digest and the like are refused */
	bool testing; /* test functions run: the outside is what they set */
	bool erred;
	uint32_t logged;
	bool has[POLICY_RULES];
	int rules[POLICY_RULES]; /* registry references */
	int table;               /* what the file returned */
	int declared;            /* set of names for pawl.env */
	int fake;                /* table of the test in progress */

	/* What the call in progress is about: the tables that stand for them, and what is behind. */
	const struct policy_node *node;
	const void *node_table;
	const struct policy_result *result;
	const void *result_table;
	struct policy_history history;
	bool has_history;
};

struct policies {
	struct policy_env env;
	struct map by_file;
	VEC(struct policy *) list;
	struct map digests; /* path -> struct policy_memo * */
	struct arena arena;
};

static inline struct policy *policy_of(lua_State *lua)
{
	struct sandbox *sandbox = sandbox_of(lua);
	return (struct policy *)(void *)((char *)sandbox - offsetof(struct policy, sandbox));
}

/* policy_api.c: sets the global `pawl`. */
void api_open(lua_State *lua);

/* policy_digest.c: content of a file or directory beneath the project, *cost in instructions. */
enum fs_found policy_digest(struct policies *policies, struct sandbox *sandbox, str path,
	struct digest *out, struct err *err);

/* policy_view.c: pushes what a rule sees. */
void view_open(lua_State *lua);
void view_push_node(lua_State *lua, struct policy *policy, const struct policy_node *node);
void view_push_result(lua_State *lua, struct policy *policy, const struct policy_result *result);
void view_push_failure(lua_State *lua, const struct policy_failure *failure);

/* policy_value.c: between Lua and value trees, and into keys. */
enum value_nulls { NULLS_DROP, NULLS_KEEP };
void value_push(lua_State *lua, const struct value *value, enum value_nulls nulls);
void value_read(lua_State *lua, int index, struct arena *arena, struct value *out);
void value_add_key(lua_State *lua, int index, struct key *key);
void value_push_null(lua_State *lua);

static inline str lua_str(lua_State *lua, int index)
{
	size_t len = 0;
	const char *ptr = lua_tolstring(lua, index, &len);
	return str_make(ptr, len);
}

/* A string argument, or an error about it. */
static inline str lua_check_str(lua_State *lua, int index)
{
	size_t len = 0;
	const char *ptr = luaL_checklstring(lua, index, &len);
	return str_make(ptr, len);
}

static inline void lua_push_str(lua_State *lua, str s)
{
	lua_pushlstring(lua, s.ptr, s.len);
}

#endif
