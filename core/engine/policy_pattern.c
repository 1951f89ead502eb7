/* policy_pattern: string.find, match, gmatch and gsub, with the patterns of Lua 5.4 and the answers of its own library,
 * except that every step of a match is paid for: a pattern that would try for hours ("a*a*a*a*b") runs out of the
 * rule's budget instead, and a cheap one may read all of a long output. */
#include "engine/policy_internal.h"

#include <ctype.h>
#include <string.h>

#define CAPTURES_MAX   32
#define DEPTH_MAX      200 /* as deep as Lua's own goes */
#define STEPS_CHARGED  1024
#define STEPS_PER_UNIT 4 /* a step takes about a fourth of the time of an instruction */

enum { CAPTURE_OPEN = -1, CAPTURE_POSITION = -2 };

struct matcher {
	lua_State *lua;
	const char *text;
	const char *text_end;
	const char *pattern_end;
	uint32_t steps;
	int depth;
	int level; /* captures so far, open ones too */
	struct {
		const char *from;
		ptrdiff_t len;
	} capture[CAPTURES_MAX];
};

static void step(struct matcher *m)
{
	if (++m->steps == STEPS_CHARGED) {
		m->steps = 0;
		sandbox_charge(m->lua, STEPS_CHARGED / STEPS_PER_UNIT);
	}
}

/* Behind the single-character item that begins at p. */
static const char *item_end(struct matcher *m, const char *p)
{
	char c = *p++;
	if (c == '%') {
		if (p == m->pattern_end)
			luaL_error(m->lua, "malformed pattern (ends with '%%')");
		return p + 1;
	}
	if (c != '[')
		return p;
	if (*p == '^')
		p++;
	do {
		if (p == m->pattern_end)
			luaL_error(m->lua, "malformed pattern (missing ']')");
		if (*p++ == '%' && p < m->pattern_end)
			p++;
	} while (p == m->pattern_end || *p != ']');
	return p + 1;
}

static bool is_in_class(unsigned char c, unsigned char name)
{
	bool in;
	switch (tolower(name)) {
	case 'a': in = isalpha(c); break;
	case 'c': in = iscntrl(c); break;
	case 'd': in = isdigit(c); break;
	case 'g': in = isgraph(c); break;
	case 'l': in = islower(c); break;
	case 'p': in = ispunct(c); break;
	case 's': in = isspace(c); break;
	case 'u': in = isupper(c); break;
	case 'w': in = isalnum(c); break;
	case 'x': in = isxdigit(c); break;
	case 'z': in = c == 0; break; /* of older Luas, still known */
	default: return name == c;
	}
	return isupper(name) ? !in : in;
}

/* The set from '[' at p to its ']' at end. */
static bool is_in_set(struct matcher *m, unsigned char c, const char *p, const char *end)
{
	bool wanted = true;
	if (p[1] == '^') {
		wanted = false;
		p++;
	}
	while (++p < end) {
		step(m);
		if (*p == '%') {
			p++;
			if (is_in_class(c, (unsigned char)*p))
				return wanted;
		} else if (p[1] == '-' && p + 2 < end) {
			p += 2;
			if ((unsigned char)p[-2] <= c && c <= (unsigned char)*p)
				return wanted;
		} else if ((unsigned char)*p == c) {
			return wanted;
		}
	}
	return !wanted;
}

/* Whether the item [p, end) matches the character at s. */
static bool is_one(struct matcher *m, const char *s, const char *p, const char *end)
{
	if (s >= m->text_end)
		return false;
	step(m);
	unsigned char c = (unsigned char)*s;
	switch (*p) {
	case '.': return true;
	case '%': return is_in_class(c, (unsigned char)p[1]);
	case '[': return is_in_set(m, c, p, end - 1);
	default: return (unsigned char)*p == c;
	}
}

static const char *match(struct matcher *m, const char *s, const char *p);

static const char *match_balance(struct matcher *m, const char *s, const char *p)
{
	if (p >= m->pattern_end - 1)
		luaL_error(m->lua, "malformed pattern (missing arguments to '%%b')");
	if (s >= m->text_end || *s != *p)
		return NULL;
	int depth = 1;
	while (++s < m->text_end) {
		step(m);
		if (*s == p[1]) {
			if (--depth == 0)
				return s + 1;
		} else if (*s == *p) {
			depth++;
		}
	}
	return NULL;
}

static const char *match_most(struct matcher *m, const char *s, const char *p, const char *end)
{
	ptrdiff_t count = 0;
	while (is_one(m, s + count, p, end))
		count++;
	for (; count >= 0; count--) {
		const char *found = match(m, s + count, end + 1);
		if (found)
			return found;
	}
	return NULL;
}

static const char *match_least(struct matcher *m, const char *s, const char *p, const char *end)
{
	for (;;) {
		const char *found = match(m, s, end + 1);
		if (found)
			return found;
		if (!is_one(m, s, p, end))
			return NULL;
		s++;
	}
}

static const char *match_open(struct matcher *m, const char *s, const char *p, ptrdiff_t kind)
{
	if (m->level >= CAPTURES_MAX)
		luaL_error(m->lua, "too many captures");
	m->capture[m->level].from = s;
	m->capture[m->level].len = kind;
	m->level++;
	const char *found = match(m, s, p);
	if (!found)
		m->level--;
	return found;
}

static const char *match_close(struct matcher *m, const char *s, const char *p)
{
	int at = m->level - 1;
	while (at >= 0 && m->capture[at].len != CAPTURE_OPEN)
		at--;
	if (at < 0)
		luaL_error(m->lua, "invalid pattern capture");
	m->capture[at].len = s - m->capture[at].from;
	const char *found = match(m, s, p);
	if (!found)
		m->capture[at].len = CAPTURE_OPEN;
	return found;
}

static const char *match_again(struct matcher *m, const char *s, char digit)
{
	int at = digit - '1';
	if (at < 0 || at >= m->level || m->capture[at].len == CAPTURE_OPEN)
		luaL_error(m->lua, "invalid capture index %%%d", at + 1);
	/* As in Lua, a position capture is longer than any text. */
	size_t len = (size_t)m->capture[at].len;
	if ((size_t)(m->text_end - s) < len)
		return NULL;
	sandbox_charge(m->lua, 1 + len / 64);
	return memcmp(m->capture[at].from, s, len) == 0 ? s + len : NULL;
}

/* "%f[set]": between a character outside of the set and one inside. */
static bool is_frontier(struct matcher *m, const char *s, const char *p, const char *end)
{
	unsigned char before = s == m->text ? '\0' : (unsigned char)s[-1];
	unsigned char here = s < m->text_end ? (unsigned char)*s : '\0';
	return !is_in_set(m, before, p, end - 1) && is_in_set(m, here, p, end - 1);
}

/* The items that are no single character: *s and *p move on, or the answer is in *found. */
static bool match_special(struct matcher *m, const char **s, const char **p, const char **found)
{
	const char *at = *p;
	if (*at == '(') {
		bool position = at[1] == ')';
		*found = match_open(
			m, *s, at + (position ? 2 : 1), position ? CAPTURE_POSITION : CAPTURE_OPEN);
		return true;
	}
	if (*at == ')') {
		*found = match_close(m, *s, at + 1);
		return true;
	}
	if (at[1] == 'b') {
		*s = match_balance(m, *s, at + 2);
		*p = at + 4;
	} else if (at[1] == 'f') {
		at += 2;
		if (at >= m->pattern_end || *at != '[')
			luaL_error(m->lua, "missing '[' after '%%f' in pattern");
		const char *end = item_end(m, at);
		*s = is_frontier(m, *s, at, end) ? *s : NULL;
		*p = end;
	} else {
		*s = match_again(m, *s, at[1]);
		*p = at + 2;
	}
	*found = NULL;
	return *s == NULL;
}

static bool is_special(const struct matcher *m, const char *p)
{
	if (*p == '(' || *p == ')')
		return true;
	if (*p != '%' || p + 1 >= m->pattern_end)
		return false;
	return p[1] == 'b' || p[1] == 'f' || isdigit((unsigned char)p[1]);
}

/* The end of a match of the pattern from p on at s, or NULL. */
static const char *match_here(struct matcher *m, const char *s, const char *p)
{
	while (p != m->pattern_end) {
		step(m);
		const char *found = NULL;
		if (is_special(m, p)) {
			if (match_special(m, &s, &p, &found))
				return found;
			continue;
		}
		if (*p == '$' && p + 1 == m->pattern_end)
			return s == m->text_end ? s : NULL;
		const char *end = item_end(m, p);
		char repeat = end < m->pattern_end ? *end : '\0';
		if (repeat == '*')
			return match_most(m, s, p, end);
		if (repeat == '-')
			return match_least(m, s, p, end);
		bool one = is_one(m, s, p, end);
		if (repeat == '+')
			return one ? match_most(m, s + 1, p, end) : NULL;
		if (repeat == '?') {
			if (one && (found = match(m, s + 1, end + 1)))
				return found;
			p = end + 1;
			continue;
		}
		if (!one)
			return NULL;
		s++;
		p = end;
	}
	return s;
}

static const char *match(struct matcher *m, const char *s, const char *p)
{
	if (++m->depth > DEPTH_MAX)
		luaL_error(m->lua, "pattern too complex");
	const char *found = match_here(m, s, p);
	m->depth--;
	return found;
}

/* Pushes capture i; the whole match [s, e) where there are none at all. */
static void push_capture(struct matcher *m, int i, const char *s, const char *e)
{
	if (i >= m->level) {
		if (i != 0)
			luaL_error(m->lua, "invalid capture index %%%d", i + 1);
		lua_pushlstring(m->lua, s, (size_t)(e - s));
		return;
	}
	if (m->capture[i].len == CAPTURE_OPEN)
		luaL_error(m->lua, "unfinished capture");
	if (m->capture[i].len == CAPTURE_POSITION)
		lua_pushinteger(m->lua, m->capture[i].from - m->text + 1);
	else
		lua_pushlstring(m->lua, m->capture[i].from, (size_t)m->capture[i].len);
}

static int push_captures(struct matcher *m, const char *s, const char *e)
{
	int count = m->level == 0 && s ? 1 : m->level;
	luaL_checkstack(m->lua, count, "too many captures");
	for (int i = 0; i < count; i++)
		push_capture(m, i, s, e);
	return count;
}

static void prepare(struct matcher *m, lua_State *lua, str text, str pattern)
{
	*m = (struct matcher){.lua = lua,
		.text = text.ptr,
		.text_end = text.ptr + text.len,
		.pattern_end = pattern.ptr + pattern.len};
}

/* A match from s on, at any place; *from is where it begins. */
static const char *search(
	struct matcher *m, const char *s, const char *pattern, bool anchored, const char **from)
{
	do {
		m->level = 0;
		m->depth = 0;
		const char *end = match(m, s, pattern);
		if (end) {
			*from = s;
			return end;
		}
	} while (s++ < m->text_end && !anchored);
	return NULL;
}

/* The optional 1-based start at `index` as an offset; len + 1 where it is behind the end. */
static size_t start_of(lua_State *lua, int index, size_t len)
{
	lua_Integer at = luaL_optinteger(lua, index, 1);
	if (at > 0)
		return (size_t)at - 1 > len ? len + 1 : (size_t)at - 1;
	if (at == 0 || at < -(lua_Integer)len)
		return 0;
	return len - (size_t)-at;
}

static int find_plain(lua_State *lua, str text, str needle, size_t from)
{
	sandbox_charge(lua, (text.len - from + needle.len) / 64);
	const char *at = memmem(text.ptr + from, text.len - from, needle.ptr, needle.len);
	if (!at)
		return 0;
	lua_pushinteger(lua, at - text.ptr + 1);
	lua_pushinteger(lua, at - text.ptr + (ptrdiff_t)needle.len);
	return 2;
}

static int find_or_match(lua_State *lua, bool find)
{
	str text = lua_check_str(lua, 1);
	str pattern = lua_check_str(lua, 2);
	size_t from = start_of(lua, 3, text.len);
	int count = 0;
	if (from > text.len) {
		lua_pushnil(lua);
		return 1;
	}
	if (find && (lua_toboolean(lua, 4) || strcspn(pattern.ptr, "^$*+?.([%-") == pattern.len)) {
		count = find_plain(lua, text, pattern, from);
	} else {
		struct matcher m;
		const char *begin = NULL;
		bool anchored = pattern.len && pattern.ptr[0] == '^';
		prepare(&m, lua, text, pattern);
		const char *end =
			search(&m, text.ptr + from, pattern.ptr + anchored, anchored, &begin);
		sandbox_charge(lua, m.steps / STEPS_PER_UNIT);
		if (end && find) {
			lua_pushinteger(lua, begin - text.ptr + 1);
			lua_pushinteger(lua, end - text.ptr);
			count = 2 + push_captures(&m, NULL, NULL);
		} else if (end) {
			count = push_captures(&m, begin, end);
		}
	}
	if (!count) {
		lua_pushnil(lua);
		return 1;
	}
	return count;
}

static int on_find(lua_State *lua)
{
	return find_or_match(lua, true);
}

static int on_match(lua_State *lua)
{
	return find_or_match(lua, false);
}

/* Upvalues: the text, the pattern, where to go on, the end of the last match (-1: none). */
static int gmatch_next(lua_State *lua)
{
	str text = lua_str(lua, lua_upvalueindex(1));
	str pattern = lua_str(lua, lua_upvalueindex(2));
	lua_Integer last = lua_tointeger(lua, lua_upvalueindex(4));
	struct matcher m;
	prepare(&m, lua, text, pattern);
	const char *s = text.ptr + lua_tointeger(lua, lua_upvalueindex(3));
	for (; s <= m.text_end; s++) {
		m.level = 0;
		m.depth = 0;
		const char *end = match(&m, s, pattern.ptr);
		if (!end || end - text.ptr == last)
			continue;
		lua_pushinteger(lua, end - text.ptr);
		lua_copy(lua, -1, lua_upvalueindex(3));
		lua_replace(lua, lua_upvalueindex(4));
		sandbox_charge(lua, m.steps / STEPS_PER_UNIT);
		return push_captures(&m, s, end);
	}
	sandbox_charge(lua, m.steps / STEPS_PER_UNIT);
	return 0;
}

static int on_gmatch(lua_State *lua)
{
	str text = lua_check_str(lua, 1);
	lua_check_str(lua, 2);
	size_t from = start_of(lua, 3, text.len);
	lua_settop(lua, 2);
	lua_pushinteger(lua, (lua_Integer)from);
	lua_pushinteger(lua, -1);
	lua_pushcclosure(lua, gmatch_next, 4);
	return 1;
}

/* Adds the replacement string at index 3, with %0 to %9 filled in. */
static void add_string(struct matcher *m, luaL_Buffer *out, const char *s, const char *e)
{
	str with = lua_str(m->lua, 3);
	for (size_t i = 0; i < with.len; i++) {
		step(m);
		if (with.ptr[i] != '%') {
			luaL_addchar(out, with.ptr[i]);
			continue;
		}
		char c = ++i < with.len ? with.ptr[i] : '\0';
		if (c == '%') {
			luaL_addchar(out, '%');
		} else if (c == '0') {
			luaL_addlstring(out, s, (size_t)(e - s));
		} else if (isdigit((unsigned char)c)) {
			push_capture(m, c - '1', s, e);
			luaL_tolstring(m->lua, -1, NULL);
			lua_remove(m->lua, -2);
			luaL_addvalue(out);
		} else {
			luaL_error(m->lua, "invalid use of '%%' in replacement string");
		}
	}
}

/* Adds what stands for the match [s, e). */
static void add_replacement(struct matcher *m, luaL_Buffer *out, const char *s, const char *e)
{
	lua_State *lua = m->lua;
	int type = lua_type(lua, 3);
	if (type == LUA_TTABLE) {
		push_capture(m, 0, s, e);
		lua_gettable(lua, 3);
	} else if (type == LUA_TFUNCTION) {
		lua_pushvalue(lua, 3);
		int count = push_captures(m, s, e);
		lua_call(lua, count, 1);
	} else {
		add_string(m, out, s, e);
		return;
	}
	if (!lua_toboolean(lua, -1)) {
		lua_pop(lua, 1);
		luaL_addlstring(out, s, (size_t)(e - s));
	} else if (lua_isstring(lua, -1)) {
		luaL_addvalue(out);
	} else {
		luaL_error(lua, "invalid replacement value (a %s)", luaL_typename(lua, -1));
	}
}

static int on_gsub(lua_State *lua)
{
	str text = lua_check_str(lua, 1);
	str pattern = lua_check_str(lua, 2);
	int type = lua_type(lua, 3);
	bool anchored = pattern.len && pattern.ptr[0] == '^';
	lua_Integer max = luaL_optinteger(lua, 4, (lua_Integer)text.len + 1);
	luaL_argexpected(lua,
		type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TFUNCTION ||
			type == LUA_TTABLE,
		3, "string/function/table");
	struct matcher m;
	luaL_Buffer out;
	prepare(&m, lua, text, pattern);
	luaL_buffinit(lua, &out);
	const char *s = text.ptr;
	const char *last = NULL;
	lua_Integer count = 0;
	while (count < max) {
		m.level = 0;
		m.depth = 0;
		const char *end = match(&m, s, pattern.ptr + anchored);
		if (end && end != last) {
			count++;
			add_replacement(&m, &out, s, end);
			s = last = end;
		} else if (s < m.text_end) {
			luaL_addchar(&out, *s++);
		} else {
			break;
		}
		if (anchored)
			break;
	}
	sandbox_charge(lua, m.steps / STEPS_PER_UNIT);
	luaL_addlstring(&out, s, (size_t)(m.text_end - s));
	luaL_pushresult(&out);
	lua_pushinteger(lua, count);
	return 2;
}

const luaL_Reg pattern_string[] = {
	{"find", on_find},
	{"match", on_match},
	{"gmatch", on_gmatch},
	{"gsub", on_gsub},
	{NULL, NULL},
};
