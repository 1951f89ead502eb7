/* lua_json: JSON for Lua nodes.  Strict: RFC 8259, valid UTF-8, no lone surrogates, no name twice. */
#include "child.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DEPTH 200

static const char array_mark[] = "pawl.json.array";

static void push_array_mark(lua_State *L)
{
	luaL_newmetatable(L, array_mark);
	lua_pushliteral(L, "array");
	lua_setfield(L, -2, "__name");
}

/* ---- UTF-8 ------------------------------------------------------------------------------------------------------------------ */

/* The length of the valid sequence at s, or 0. */
static size_t sequence(const unsigned char *s, size_t n)
{
	if (s[0] < 0x80)
		return 1;
	size_t length = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	if (s[0] < 0xc2 || s[0] > 0xf4 || n < length)
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	int is_bad = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	             (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f);
	return is_bad ? 0 : length;
}

/* ---- writing ------------------------------------------------------------------------------------------------------------------ */

/* A growing text that the collector frees when an error is raised. */
struct text {
	char *ptr;
	size_t len;
	size_t cap;
};

static int free_text(lua_State *L)
{
	struct text *text = lua_touserdata(L, 1);
	free(text->ptr);
	text->ptr = NULL;
	return 0;
}

static struct text *new_text(lua_State *L)
{
	struct text *text = lua_newuserdatauv(L, sizeof(*text), 0);
	*text = (struct text){0};
	lua_newtable(L);
	lua_pushcfunction(L, free_text);
	lua_setfield(L, -2, "__gc");
	lua_setmetatable(L, -2);
	return text;
}

static void put(lua_State *L, struct text *text, const char *bytes, size_t n)
{
	if (text->len + n > text->cap) {
		size_t cap = (text->len + n) * 2 + 64;
		char *grown = realloc(text->ptr, cap);
		if (!grown)
			luaL_error(L, "out of memory");
		text->ptr = grown;
		text->cap = cap;
	}
	memcpy(text->ptr + text->len, bytes, n);
	text->len += n;
}

static void put_string(lua_State *L, struct text *out, const char *s, size_t n)
{
	put(L, out, "\"", 1);
	for (size_t i = 0; i < n;) {
		unsigned char c = (unsigned char)s[i];
		size_t length = sequence((const unsigned char *)s + i, n - i);
		if (!length)
			luaL_error(L, "json: a string is not UTF-8 at byte %d", (int)i + 1);
		static const char plain[] = "\"\\\b\f\n\r\t";
		static const char names[] = "\"\\bfnrt";
		const char *at = c ? strchr(plain, c) : NULL;
		char escape[8];
		if (at) {
			escape[0] = '\\';
			escape[1] = names[at - plain];
			put(L, out, escape, 2);
		} else if (c < ' ') {
			snprintf(escape, sizeof(escape), "\\u%04x", c);
			put(L, out, escape, 6);
		} else {
			put(L, out, s + i, length);
		}
		i += length;
	}
	put(L, out, "\"", 1);
}

static void put_number(lua_State *L, struct text *out, int index)
{
	char digits[64];
	int n = 0;
	if (lua_isinteger(L, index)) {
		n = snprintf(digits, sizeof(digits), "%lld", (long long)lua_tointeger(L, index));
	} else {
		double number = lua_tonumber(L, index);
		if (!isfinite(number))
			luaL_error(L, "json: %f is no number in JSON", number);
		/* The shortest that reads back as the same number. */
		for (int precision = 15; precision <= 17; precision++) {
			n = snprintf(digits, sizeof(digits) - 2, "%.*g", precision, number);
			if (strtod(digits, NULL) == number) /* exact on purpose */
				break;
		}
		if (!strpbrk(digits, ".e")) {
			memcpy(digits + n, ".0", 2);
			n += 2;
		}
	}
	put(L, out, digits, (size_t)n);
}

static void put_value(lua_State *L, struct text *out, int index, int depth);

/* How many elements the table has as an array; -1: it is none. */
static lua_Integer array_length(lua_State *L, int index)
{
	int is_marked = 0;
	if (lua_getmetatable(L, index)) {
		luaL_getmetatable(L, array_mark);
		is_marked = lua_rawequal(L, -1, -2);
		lua_pop(L, 2);
	}
	lua_Integer length = (lua_Integer)lua_rawlen(L, index);
	lua_Integer count = 0;
	for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
		int is_index = lua_isinteger(L, -2) && lua_tointeger(L, -2) >= 1 &&
		               lua_tointeger(L, -2) <= length;
		if (!is_index && is_marked)
			luaL_error(
				L, "json: an array has a key that is none of 1 to %d", (int)length);
		count += is_index;
		if (!is_index && lua_type(L, -2) != LUA_TSTRING)
			luaL_error(L, "json: the keys of an object must be strings, not %s",
				luaL_typename(L, -2));
		if (!is_index) {
			if (length)
				luaL_error(L,
					"json: a table has elements and named fields; JSON has no such thing");
			lua_pop(L, 2);
			return -1;
		}
	}
	if (count != length)
		luaL_error(L, "json: an array has holes");
	return length || is_marked ? length : -1;
}

static void put_array(lua_State *L, struct text *out, int index, lua_Integer length, int depth)
{
	put(L, out, "[", 1);
	for (lua_Integer i = 1; i <= length; i++) {
		if (i > 1)
			put(L, out, ",", 1);
		lua_rawgeti(L, index, i);
		put_value(L, out, lua_gettop(L), depth + 1);
		lua_pop(L, 1);
	}
	put(L, out, "]", 1);
}

struct name {
	const char *ptr;
	size_t len;
};

static int compare_names(const void *a, const void *b)
{
	const struct name *x = a;
	const struct name *y = b;
	int order = memcmp(x->ptr, y->ptr, x->len < y->len ? x->len : y->len);
	return order ? order : (x->len > y->len) - (x->len < y->len);
}

static void put_object(lua_State *L, struct text *out, int index, int depth)
{
	size_t count = 0;
	for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1))
		count++;
	/* Owned by the collector: an error may leave from here. */
	struct name *names = lua_newuserdatauv(L, (count + 1) * sizeof(*names), 0);
	size_t at = 0;
	for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
		if (lua_type(L, -2) != LUA_TSTRING)
			luaL_error(L, "json: the keys of an object must be strings, not %s",
				luaL_typename(L, -2));
		names[at].ptr = lua_tolstring(L, -2, &names[at].len);
		at++;
	}
	qsort(names, count, sizeof(*names), compare_names);
	put(L, out, "{", 1);
	for (size_t i = 0; i < count; i++) {
		if (i)
			put(L, out, ",", 1);
		put_string(L, out, names[i].ptr, names[i].len);
		put(L, out, ":", 1);
		lua_pushlstring(L, names[i].ptr, names[i].len);
		lua_rawget(L, index);
		put_value(L, out, lua_gettop(L), depth + 1);
		lua_pop(L, 1);
	}
	put(L, out, "}", 1);
	lua_pop(L, 1);
}

static void put_value(lua_State *L, struct text *out, int index, int depth)
{
	if (depth > MAX_DEPTH)
		luaL_error(L, "json: nested more than %d deep (a table that contains itself?)",
			MAX_DEPTH);
	luaL_checkstack(L, 16, "json");
	size_t length;
	const char *bytes;
	lua_Integer elements;
	switch (lua_type(L, index)) {
	case LUA_TNIL: put(L, out, "null", 4); return;
	case LUA_TBOOLEAN:
		if (lua_toboolean(L, index))
			put(L, out, "true", 4);
		else
			put(L, out, "false", 5);
		return;
	case LUA_TNUMBER: put_number(L, out, index); return;
	case LUA_TSTRING:
		bytes = lua_tolstring(L, index, &length);
		put_string(L, out, bytes, length);
		return;
	case LUA_TTABLE:
		elements = array_length(L, index);
		if (elements < 0)
			put_object(L, out, index, depth);
		else
			put_array(L, out, index, elements, depth);
		return;
	case LUA_TLIGHTUSERDATA:
		if (!lua_touserdata(L, index)) {
			put(L, out, "null", 4);
			return;
		}
		break;
	default: break;
	}
	luaL_error(L, "json: a %s has no form in JSON", luaL_typename(L, index));
}

void lua_json_encode(lua_State *L, int index)
{
	index = lua_absindex(L, index);
	struct text *out = new_text(L);
	put_value(L, out, index, 0);
	lua_pushlstring(L, out->ptr, out->len);
	lua_remove(L, -2);
}

/* ---- reading ------------------------------------------------------------------------------------------------------------------ */

struct reader {
	lua_State *L;
	const char *start;
	const char *at;
	const char *end;
	int depth;
};

static void refuse(struct reader *reader, const char *what)
{
	int line = 1;
	for (const char *c = reader->start; c < reader->at; c++)
		line += *c == '\n';
	luaL_error(reader->L, "json: %s at byte %d (line %d)", what,
		(int)(reader->at - reader->start) + 1, line);
}

static void skip_space(struct reader *reader)
{
	while (reader->at < reader->end && *reader->at && strchr(" \t\r\n", *reader->at))
		reader->at++;
}

static int take(struct reader *reader, char c)
{
	if (reader->at >= reader->end || *reader->at != c)
		return 0;
	reader->at++;
	return 1;
}

static unsigned long read_hex(struct reader *reader)
{
	unsigned long code = 0;
	for (int i = 0; i < 4; i++) {
		char c = reader->at < reader->end ? *reader->at : '\0';
		unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
		                 : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
		                 : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10)
		                                        : 16;
		if (digit > 15)
			refuse(reader, "four hexadecimal digits are missing");
		code = code * 16 + digit;
		reader->at++;
	}
	return code;
}

static void add_code(luaL_Buffer *text, unsigned long code)
{
	char bytes[8];
	size_t n;
	if (code < 0x80) {
		bytes[0] = (char)code;
		n = 1;
	} else if (code < 0x800) {
		bytes[0] = (char)(0xc0 | (code >> 6));
		n = 2;
	} else if (code < 0x10000) {
		bytes[0] = (char)(0xe0 | (code >> 12));
		n = 3;
	} else {
		bytes[0] = (char)(0xf0 | (code >> 18));
		n = 4;
	}
	for (size_t i = 1; i < n; i++)
		bytes[i] = (char)(0x80 | ((code >> (6 * (n - 1 - i))) & 0x3f));
	luaL_addlstring(text, bytes, n);
}

static void read_escape(struct reader *reader, luaL_Buffer *text)
{
	static const char names[] = "\"\\/bfnrt";
	static const char plain[] = "\"\\/\b\f\n\r\t";
	char c = reader->at < reader->end ? *reader->at : '\0';
	const char *at = c ? strchr(names, c) : NULL;
	if (at) {
		luaL_addchar(text, plain[at - names]);
		reader->at++;
		return;
	}
	if (!take(reader, 'u'))
		refuse(reader, "there is no such escape");
	unsigned long code = read_hex(reader);
	if (code >= 0xd800 && code < 0xdc00) {
		unsigned long low = take(reader, '\\') && take(reader, 'u') ? read_hex(reader) : 0;
		if (low < 0xdc00 || low > 0xdfff)
			refuse(reader, "half of a surrogate pair");
		code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
	} else if (code >= 0xdc00 && code < 0xe000) {
		refuse(reader, "half of a surrogate pair");
	}
	add_code(text, code);
}

static void read_string(struct reader *reader)
{
	luaL_Buffer text;
	luaL_buffinit(reader->L, &text);
	for (;;) {
		if (reader->at >= reader->end)
			refuse(reader, "a string does not end");
		if (take(reader, '"'))
			break;
		if (take(reader, '\\')) {
			read_escape(reader, &text);
			continue;
		}
		size_t length = sequence(
			(const unsigned char *)reader->at, (size_t)(reader->end - reader->at));
		if (!length || (unsigned char)*reader->at < ' ')
			refuse(reader,
				length ? "a control character in a string" : "what is not UTF-8");
		luaL_addlstring(&text, reader->at, length);
		reader->at += length;
	}
	luaL_pushresult(&text);
}

static size_t skip_digits(struct reader *reader)
{
	const char *from = reader->at;
	while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9')
		reader->at++;
	return (size_t)(reader->at - from);
}

static void read_number(struct reader *reader)
{
	const char *from = reader->at;
	int is_integer = 1;
	take(reader, '-');
	const char *digits = reader->at;
	size_t count = skip_digits(reader);
	if (!count || (count > 1 && *digits == '0'))
		refuse(reader, count ? "a number with a leading zero" : "what is no value");
	if (take(reader, '.')) {
		is_integer = 0;
		if (!skip_digits(reader))
			refuse(reader, "digits are missing");
	}
	if (take(reader, 'e') || take(reader, 'E')) {
		is_integer = 0;
		if (!take(reader, '+'))
			take(reader, '-');
		if (!skip_digits(reader))
			refuse(reader, "digits are missing");
	}
	/* A copy that ends: the text behind a number may go on with what strtod would take. */
	const char *copy = lua_pushlstring(reader->L, from, (size_t)(reader->at - from));
	errno = 0;
	long long integer = is_integer ? strtoll(copy, NULL, 10) : 0;
	if (is_integer && errno == 0)
		lua_pushinteger(reader->L, integer);
	else
		lua_pushnumber(reader->L, strtod(copy, NULL));
	lua_remove(reader->L, -2);
}

static void read_value(struct reader *reader);

static void read_array(struct reader *reader)
{
	lua_State *L = reader->L;
	lua_newtable(L);
	push_array_mark(L);
	lua_setmetatable(L, -2);
	skip_space(reader);
	if (take(reader, ']'))
		return;
	for (lua_Integer i = 1;; i++) {
		read_value(reader);
		lua_rawseti(L, -2, i);
		if (take(reader, ']'))
			return;
		if (!take(reader, ','))
			refuse(reader, "`,` or `]` is missing");
	}
}

static void read_object(struct reader *reader)
{
	lua_State *L = reader->L;
	lua_newtable(L);
	skip_space(reader);
	if (take(reader, '}'))
		return;
	for (;;) {
		skip_space(reader);
		if (!take(reader, '"'))
			refuse(reader, "a name is missing");
		read_string(reader);
		lua_pushvalue(L, -1);
		if (lua_rawget(L, -3) != LUA_TNIL)
			refuse(reader, "a name stands twice in an object");
		lua_pop(L, 1);
		skip_space(reader);
		if (!take(reader, ':'))
			refuse(reader, "`:` is missing");
		read_value(reader);
		lua_rawset(L, -3);
		if (take(reader, '}'))
			return;
		if (!take(reader, ','))
			refuse(reader, "`,` or `}` is missing");
	}
}

static int take_word(struct reader *reader, const char *word)
{
	size_t n = strlen(word);
	if ((size_t)(reader->end - reader->at) < n || memcmp(reader->at, word, n) != 0)
		return 0;
	reader->at += n;
	return 1;
}

static void read_value(struct reader *reader)
{
	lua_State *L = reader->L;
	if (++reader->depth > MAX_DEPTH)
		refuse(reader, "nested too deep");
	luaL_checkstack(L, 16, "json");
	skip_space(reader);
	if (take(reader, '{'))
		read_object(reader);
	else if (take(reader, '['))
		read_array(reader);
	else if (take(reader, '"'))
		read_string(reader);
	else if (take_word(reader, "true"))
		lua_pushboolean(L, 1);
	else if (take_word(reader, "false"))
		lua_pushboolean(L, 0);
	else if (take_word(reader, "null"))
		lua_pushlightuserdata(L, NULL);
	else
		read_number(reader);
	skip_space(reader);
	reader->depth--;
}

void lua_json_decode(lua_State *L, const char *text, size_t length)
{
	struct reader reader = {.L = L, .start = text, .at = text, .end = text + length};
	read_value(&reader);
	if (reader.at != reader.end)
		refuse(&reader, "more text behind the value");
}

/* ---- the library ---------------------------------------------------------------------------------------------------------------- */

static int json_encode(lua_State *L)
{
	luaL_checkany(L, 1);
	lua_json_encode(L, 1);
	return 1;
}

static int json_decode(lua_State *L)
{
	size_t length;
	const char *text = luaL_checklstring(L, 1, &length);
	lua_json_decode(L, text, length);
	return 1;
}

static int json_array(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	push_array_mark(L);
	lua_setmetatable(L, 1);
	return 1;
}

int lua_json_open(lua_State *L)
{
	static const luaL_Reg functions[] = {{"encode", json_encode}, {"decode", json_decode},
		{"array", json_array}, {NULL, NULL}};
	luaL_newlib(L, functions);
	lua_pushlightuserdata(L, NULL);
	lua_setfield(L, -2, "null");
	return 1;
}
