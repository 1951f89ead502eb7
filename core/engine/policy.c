/* policy: calling the rules of a loaded file, and what their answers mean.  See policy.h; loading is in policy_load.c, the
 * tests of a file in policy_test.c.  It does not know who stored the results that it shows. */
#include "engine/policy_internal.h"

#include "base/mem.h"

#define REASON_BYTES 400

struct call {
	struct policy *policy;
	const struct policy_node *node;
	const struct policy_result *result;
	const struct policy_failure *failure;
	struct key *key;
	bool *suspect;
	struct buf reason; /* reuse: why not */
	bool refuses;
};

static bool call_rule(struct call *call, lua_CFunction fn, struct err *err)
{
	struct policy *policy = call->policy;
	policy->logged = 0;
	bool ok = sandbox_call(&policy->sandbox, fn, call, "E-POLICY-RULE", err);
	policy->node = NULL;
	policy->result = NULL;
	policy->erred = !ok;
	return ok;
}

static void push_rule(lua_State *lua, const struct call *call, enum policy_rule rule)
{
	lua_rawgeti(lua, LUA_REGISTRYINDEX, call->policy->rules[rule]);
	view_push_node(lua, call->policy, call->node);
}

static int on_key(lua_State *lua)
{
	struct call *call = lua_touserdata(lua, 1);
	push_rule(lua, call, POLICY_KEY);
	lua_call(lua, 1, 1);
	if (lua_toboolean(lua, -1))
		value_add_key(lua, -1, call->key);
	return 0;
}

bool policy_key(
	struct policy *policy, const struct policy_node *node, struct key *key, struct err *err)
{
	struct call call = {.policy = policy, .node = node, .key = key};
	return !policy->has[POLICY_KEY] || call_rule(&call, on_key, err);
}

/* One line, of a length to read. */
static void add_line(struct buf *out, str text)
{
	struct buf visible = {0};
	buf_add_visible(&visible, str_slice(str_trim(text), 0, REASON_BYTES));
	for (size_t i = 0; i < visible.len; i++) {
		char c = visible.ptr[i];
		buf_add_char(out, c == '\n' || c == '\t' ? ' ' : c);
	}
	buf_finish(&visible);
}

static int on_reuse(lua_State *lua)
{
	struct call *call = lua_touserdata(lua, 1);
	push_rule(lua, call, POLICY_REUSE);
	view_push_result(lua, call->policy, call->result);
	lua_call(lua, 2, 2);
	if (lua_isnil(lua, -2) || (lua_isboolean(lua, -2) && lua_toboolean(lua, -2)))
		return 0;
	if (!lua_isboolean(lua, -2))
		return luaL_error(lua,
			"reuse() gave a %s; it gives nil, true, or false and a reason",
			luaL_typename(lua, -2));
	if (!lua_isnil(lua, -1) && lua_type(lua, -1) != LUA_TSTRING)
		return luaL_error(lua, "the reason that reuse() gave is a %s, not a string",
			luaL_typename(lua, -1));
	call->refuses = true;
	add_line(&call->reason, lua_isnil(lua, -1) ? STR("") : lua_str(lua, -1));
	return 0;
}

bool policy_reuse(struct policy *policy, const struct policy_node *node,
	const struct policy_result *result, struct arena *arena, str *sentence)
{
	struct call call = {.policy = policy, .node = node, .result = result};
	struct err err = {0};
	const char *text = NULL;
	*sentence = STR("");
	if (!policy->has[POLICY_REUSE])
		return true;
	if (!call_rule(&call, on_reuse, &err)) {
		add_line(&call.reason, str_of(err.message));
		text = arena_printf(arena, "its policy can't tell: %s (%s:%u) [%s]",
			buf_cstr(&call.reason), policy->file, err.at.line, err.code);
	} else if (call.refuses) {
		str reason =
			call.reason.len ? buf_str(&call.reason) : STR("its policy refuses reuse");
		text = arena_printf(arena, "%.*s (%s:%u)", STR_ARG(reason), policy->file,
			policy->sandbox.return_line);
	}
	if (text)
		*sentence = str_of(text);
	buf_finish(&call.reason);
	err_finish(&err);
	return text == NULL;
}

static void suspect_named(lua_State *lua, const struct call *call)
{
	const struct policy_failure *failure = call->failure;
	size_t count = lua_rawlen(lua, -1);
	for (size_t i = 0; i < failure->reused_count; i++)
		call->suspect[i] = false;
	for (size_t n = 1; n <= count; n++) {
		bool known = false;
		if (lua_rawgeti(lua, -1, (lua_Integer)n) != LUA_TSTRING)
			luaL_error(lua, "failed() gave a list with a %s in it, not a node id",
				luaL_typename(lua, -1));
		for (size_t i = 0; i < failure->reused_count; i++) {
			if (str_eq(failure->reused_inputs[i], lua_str(lua, -1)))
				known = call->suspect[i] = true;
		}
		if (!known)
			luaL_error(lua,
				"failed() names '%s', which is none of failure.reused_inputs",
				lua_tostring(lua, -1));
		lua_pop(lua, 1);
	}
}

static int on_failed(lua_State *lua)
{
	struct call *call = lua_touserdata(lua, 1);
	push_rule(lua, call, POLICY_FAILED);
	view_push_failure(lua, call->failure);
	lua_call(lua, 2, 1);
	if (lua_istable(lua, -1)) {
		suspect_named(lua, call);
	} else if (lua_isboolean(lua, -1)) {
		for (size_t i = 0; i < call->failure->reused_count; i++)
			call->suspect[i] = lua_toboolean(lua, -1);
	} else if (!lua_isnil(lua, -1)) {
		luaL_error(lua,
			"failed() gave a %s; it gives nil, a boolean, or a list of node ids",
			luaL_typename(lua, -1));
	}
	return 0;
}

bool policy_failed(struct policy *policy, const struct policy_node *node,
	const struct policy_failure *failure, bool *suspect, struct err *err)
{
	struct call call = {.policy = policy, .node = node, .failure = failure, .suspect = suspect};
	for (size_t i = 0; i < failure->reused_count; i++)
		suspect[i] = true;
	if (!policy->has[POLICY_FAILED] || call_rule(&call, on_failed, err))
		return true;
	for (size_t i = 0; i < failure->reused_count; i++)
		suspect[i] = true;
	return false;
}

const char *policy_file(const struct policy *policy)
{
	return policy->file;
}

bool policy_has(const struct policy *policy, enum policy_rule rule)
{
	return policy->has[rule];
}

bool policy_erred(const struct policy *policy)
{
	return policy->erred;
}

struct policies *policies_create(const struct policy_env *env)
{
	struct policies *policies = mem_zalloc(sizeof(*policies));
	policies->env = *env;
	return policies;
}

void policies_set_now(struct policies *policies, int64_t now_ms)
{
	policies->env.now_ms = now_ms;
}

void policies_destroy(struct policies *policies)
{
	if (!policies)
		return;
	for (size_t i = 0; i < policies->list.len; i++) {
		struct policy *policy = policies->list.ptr[i];
		sandbox_finish(&policy->sandbox);
		buf_finish(&policy->source);
		free(policy->file);
		free(policy);
	}
	vec_finish(&policies->list);
	map_finish(&policies->by_file);
	map_finish(&policies->digests);
	arena_finish(&policies->arena);
	free(policies);
}
