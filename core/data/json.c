/* json: reading.  A loop over tokens with the open lists and maps in a tree, so that depth costs
 * no C stack.  Writing is in json_write.c.  See json.h. */
#include "data/json.h"

#include "base/utf8.h"
#include "data/tree.h"

#include <stdarg.h>

struct json {
	str text;
	size_t at;
	size_t line;
	size_t line_start; /* where that line begins */
	struct tree tree;
	struct err *err;
	bool has_duplicate;
};

static uint32_t clamp32(size_t n)
{
	return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

static struct place place_at(const struct json *json, size_t at)
{
	return (struct place){NULL, clamp32(json->line), clamp32(at - json->line_start + 1), 0};
}

/* What stands at `at`, short and safe to print. */
static void add_excerpt(struct buf *out, str text, size_t at)
{
	size_t end = at;
	uint32_t code = 0;
	while (end < text.len && end - at < 24 && text.ptr[end] != '\n') {
		size_t n = utf8_decode(str_slice(text, end, text.len), &code);
		end += n ? n : 1;
	}
	if (end == at && end < text.len)
		end++;
	buf_add_char(out, '\'');
	buf_add_visible(out, str_slice(text, at, end));
	buf_add_z(out, end < text.len && text.ptr[end] != '\n' ? "...'" : "'");
}

static bool fail(struct json *json, size_t at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* "MESSAGE: 'text at that place'". */
static bool fail(struct json *json, size_t at, const char *format, ...)
{
	struct buf message = {0};
	va_list args;
	va_start(args, format);
	buf_vprintf(&message, format, args);
	va_end(args);
	buf_add_z(&message, at < json->text.len ? ": " : ", but the text ends");
	if (at < json->text.len)
		add_excerpt(&message, json->text, at);
	err_set(json->err, "E-JSON-SYNTAX", "%s", buf_cstr(&message));
	buf_finish(&message);
	return err_at(json->err, place_at(json, at));
}

static void skip_blanks(struct json *json)
{
	for (; json->at < json->text.len; json->at++) {
		char c = json->text.ptr[json->at];
		if (c == '\n') {
			json->line++;
			json->line_start = json->at + 1;
		} else if (c != ' ' && c != '\t' && c != '\r') {
			return;
		}
	}
}

static bool next_is(const struct json *json, char c)
{
	return json->at < json->text.len && json->text.ptr[json->at] == c;
}

/* Takes c, blanks before it skipped. */
static bool take(struct json *json, char c)
{
	skip_blanks(json);
	if (!next_is(json, c))
		return false;
	json->at++;
	return true;
}

static bool is_digit_at(const struct json *json, size_t at)
{
	return at < json->text.len && json->text.ptr[at] >= '0' && json->text.ptr[at] <= '9';
}

/* The fix of the usual mistakes where a value or key should begin. */
static void help_with_start(struct json *json, bool wants_key)
{
	static const struct {
		str text;
		const char *help;
	} usual[] = {
		{STR_INIT("/"), "JSON has no comments: remove it"},
		{STR_INIT("'"), "write strings in double quotes"},
		{STR_INIT("]"), "remove the comma before it"},
		{STR_INIT("}"), "remove the comma before it"},
		{STR_INIT(","), "remove one comma, or write null"},
		{STR_INIT("NaN"), "JSON has no such number: write null or a string"},
		{STR_INIT("Infinity"), "JSON has no such number: write null or a string"},
		{STR_INIT("-Infinity"), "JSON has no such number: write null or a string"},
		{STR_INIT("+"), "write the number without '+'"},
		{STR_INIT("."), "write a digit before the point"},
		{STR_INIT("True"), "write true"},
		{STR_INIT("False"), "write false"},
		{STR_INIT("None"), "write null"},
		{STR_INIT("undefined"), "write null"},
		{STR_INIT("\xef\xbb\xbf"), "remove the byte order mark"},
	};
	str rest = str_slice(json->text, json->at, json->text.len);
	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++) {
		if (str_starts(rest, usual[i].text)) {
			err_help(json->err, "%s", usual[i].help);
			return;
		}
	}
	if (wants_key && rest.len)
		err_help(json->err, "write keys in double quotes");
}

/* Moves json->at behind the closing quote; it stands behind the opening one. */
static bool find_string_end(struct json *json, bool *has_escape)
{
	size_t opening = json->at - 1;
	while (json->at < json->text.len) {
		unsigned char c = (unsigned char)json->text.ptr[json->at];
		if (c == '"') {
			json->at++;
			return true;
		}
		if (c < 0x20) {
			fail(json, json->at, "a string holds the control character 0x%02x", c);
			return err_help(json->err,
				c == '\n' ? "close the string with '\"', or write \\n"
					  : "write it as \\u%04x",
				c);
		}
		uint32_t code = 0;
		size_t n = 1;
		if (c >= 0x80)
			n = utf8_decode(str_slice(json->text, json->at, json->text.len), &code);
		if (!n)
			return fail(json, json->at, "a string holds bytes that are not UTF-8");
		json->at += n;
		if (c != '\\')
			continue;
		*has_escape = true;
		if (next_is(json, '"') || next_is(json, '\\'))
			json->at++;
	}
	err_set(json->err, "E-JSON-SYNTAX", "the string that begins here is never closed");
	return err_at(json->err, place_at(json, opening));
}

static bool read_hex4(const struct json *json, size_t at, uint32_t *out)
{
	*out = 0;
	for (size_t i = at; i < at + 4; i++) {
		char c = i < json->text.len ? json->text.ptr[i] : '\0';
		uint32_t digit = 0;
		if (c >= '0' && c <= '9')
			digit = (uint32_t)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			digit = (uint32_t)((c | 0x20) - 'a' + 10);
		else
			return false;
		*out = *out << 4 | digit;
	}
	return true;
}

/* \uXXXX, or two that are a surrogate pair, at *at; moves *at behind. */
static bool decode_unicode(struct json *json, size_t *at, uint32_t *code)
{
	if (!read_hex4(json, *at + 2, code))
		return fail(json, *at, "\\u needs four hexadecimal digits");
	size_t start = *at;
	*at += 6;
	if (*code < 0xd800 || *code > 0xdfff)
		return true;
	uint32_t low = 0;
	bool is_pair = *code < 0xdc00 &&
	               str_starts(str_slice(json->text, *at, json->text.len), STR("\\u")) &&
	               read_hex4(json, *at + 2, &low) && low >= 0xdc00 && low <= 0xdfff;
	if (!is_pair) {
		fail(json, start, "half of a surrogate pair, which is no character");
		return err_help(json->err, "write both halves, or \\ufffd");
	}
	*at += 6;
	*code = 0x10000 + ((*code - 0xd800) << 10) + (low - 0xdc00);
	return true;
}

static bool decode_escape(struct json *json, size_t *at, uint32_t *code)
{
	static const char names[] = "\"\\/bfnrt";
	static const char meanings[] = "\"\\/\b\f\n\r\t";
	char c = json->text.ptr[*at + 1];
	if (c == 'u')
		return decode_unicode(json, at, code);
	const char *found = c ? strchr(names, c) : NULL;
	if (!found) {
		fail(json, *at, "not an escape that JSON has");
		return err_help(json->err, "for a backslash write \\\\");
	}
	*code = (unsigned char)meanings[found - names];
	*at += 2;
	return true;
}

/* Decodes the bytes [from, to) between the quotes into the arena; never more than they were. */
static bool decode_string(struct json *json, size_t from, size_t to, str *out)
{
	char *bytes = arena_alloc(json->tree.arena, to - from + 1);
	size_t len = 0;
	for (size_t at = from; at < to;) {
		size_t run = str_find_char(str_slice(json->text, 0, to), '\\', at);
		size_t end = run == SIZE_MAX ? to : run;
		memcpy(bytes + len, json->text.ptr + at, end - at);
		len += end - at;
		at = end;
		uint32_t code = 0;
		if (at == to)
			break;
		if (!decode_escape(json, &at, &code))
			return false;
		char utf8[4];
		size_t n = utf8_encode(code, utf8);
		memcpy(bytes + len, utf8, n);
		len += n;
	}
	*out = (str){bytes, len};
	return true;
}

/* A string whose opening quote is at json->at. */
static bool read_string(struct json *json, str *out)
{
	size_t from = ++json->at;
	bool has_escape = false;
	if (!find_string_end(json, &has_escape))
		return false;
	*out = str_slice(json->text, from, json->at - 1);
	return !has_escape || decode_string(json, from, json->at - 1, out);
}

static bool skip_digits(struct json *json, size_t *at)
{
	if (!is_digit_at(json, *at))
		return fail(json, *at, "a digit is missing in a number");
	while (is_digit_at(json, *at))
		(*at)++;
	return true;
}

static bool read_number(struct json *json, str *out)
{
	size_t at = json->at;
	at += json->text.ptr[at] == '-';
	bool is_zero = at < json->text.len && json->text.ptr[at] == '0';
	if (is_zero && is_digit_at(json, at + 1)) {
		fail(json, json->at, "a number may not begin with 0");
		return err_help(json->err, "remove the zero, or write a string");
	}
	if (!skip_digits(json, &at))
		return false;
	if (at < json->text.len && json->text.ptr[at] == '.') {
		at++;
		if (!skip_digits(json, &at))
			return false;
	}
	if (at < json->text.len && (json->text.ptr[at] | 0x20) == 'e') {
		at++;
		if (at < json->text.len && (json->text.ptr[at] == '+' || json->text.ptr[at] == '-'))
			at++;
		if (!skip_digits(json, &at))
			return false;
	}
	*out = str_slice(json->text, json->at, at);
	json->at = at;
	return true;
}

static bool read_word(struct json *json, struct value *out)
{
	static const struct {
		str word;
		enum value_kind kind;
		bool boolean;
	} words[] = {
		{STR_INIT("true"), VALUE_BOOL, true},
		{STR_INIT("false"), VALUE_BOOL, false},
		{STR_INIT("null"), VALUE_NULL, false},
	};
	str rest = str_slice(json->text, json->at, json->text.len);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!str_starts(rest, words[i].word))
			continue;
		out->kind = words[i].kind;
		if (out->kind == VALUE_BOOL)
			out->as.boolean = words[i].boolean;
		json->at += words[i].word.len;
		return true;
	}
	fail(json, json->at, "a value is expected");
	help_with_start(json, false);
	return false;
}

static bool read_scalar(struct json *json, struct value *out)
{
	size_t from = json->at;
	bool ok = true;
	if (next_is(json, '"')) {
		out->kind = VALUE_STRING;
		out->style = '"';
		ok = read_string(json, &out->as.text);
	} else if (is_digit_at(json, from) || (next_is(json, '-') && is_digit_at(json, from + 1))) {
		out->kind = VALUE_NUMBER;
		ok = read_number(json, &out->as.text);
	} else {
		ok = read_word(json, out);
	}
	out->len = clamp32(json->at - from);
	return ok;
}

/* "KEY": of the innermost map. */
static bool read_key(struct json *json)
{
	skip_blanks(json);
	struct place at = place_at(json, json->at);
	str key;
	if (!next_is(json, '"')) {
		fail(json, json->at, "a key is expected");
		help_with_start(json, true);
		return false;
	}
	if (!read_string(json, &key))
		return false;
	if (!take(json, ':'))
		return fail(json, json->at, "':' is expected after a key");
	tree_key(&json->tree, key, at.line, at.col);
	return true;
}

/* Reads a scalar, or opens a list or map (and closes it again where it is empty): *is_open then. */
static bool read_value(struct json *json, bool *is_open)
{
	skip_blanks(json);
	struct place at = place_at(json, json->at);
	struct value value = {.kind = VALUE_NULL, .line = at.line, .col = at.col};
	*is_open = next_is(json, '[') || next_is(json, '{');
	if (!*is_open) {
		if (!read_scalar(json, &value))
			return false;
		tree_add(&json->tree, value);
		return true;
	}
	if (tree_depth(&json->tree) == JSON_MAX_DEPTH)
		return fail(json, json->at, "more than %d lists and maps inside each other",
			JSON_MAX_DEPTH);
	value.kind = next_is(json, '[') ? VALUE_LIST : VALUE_MAP;
	json->at++;
	tree_open(&json->tree, value);
	if (take(json, value.kind == VALUE_LIST ? ']' : '}')) {
		tree_close(&json->tree);
		*is_open = false;
		return true;
	}
	return value.kind == VALUE_LIST || read_key(json);
}

/* Behind a value: closes what ends here; true where another value follows, false at the end or on
 * *failed. */
static bool read_between(struct json *json, bool *failed)
{
	while (tree_depth(&json->tree)) {
		bool in_list = tree_inside(&json->tree) == VALUE_LIST;
		if (take(json, ',')) {
			*failed = !in_list && !read_key(json);
			return !*failed;
		}
		if (!take(json, in_list ? ']' : '}')) {
			fail(json, json->at, "',' or '%c' is expected", in_list ? ']' : '}');
			*failed = true;
			return false;
		}
		tree_close(&json->tree);
		*failed = json->has_duplicate;
		if (*failed)
			return false;
	}
	return false;
}

static bool read_document(struct json *json)
{
	bool is_open = false;
	bool failed = false;
	do {
		if (!read_value(json, &is_open))
			return false;
	} while (is_open || read_between(json, &failed));
	if (failed)
		return false;
	skip_blanks(json);
	if (json->at < json->text.len)
		return fail(json, json->at, "text after the end of the value");
	return true;
}

static void on_duplicate(
	void *ctx, const struct value_member *first, const struct value_member *again)
{
	struct json *json = ctx;
	if (json->has_duplicate)
		return;
	json->has_duplicate = true;
	struct buf key = {0};
	buf_add_visible(&key, str_slice(again->key, 0, 64));
	err_set(json->err, "E-JSON-SYNTAX",
		"the key \"%s\" stands twice in one map, first in line %u column %u",
		buf_cstr(&key), first->line, first->col);
	buf_finish(&key);
	err_at(json->err, (struct place){NULL, again->line, again->col, 0});
}

const struct value *json_parse(struct arena *arena, str text, struct err *err)
{
	struct json json = {.text = text, .line = 1, .err = err};
	json.tree = (struct tree){.arena = arena, .on_duplicate = on_duplicate, .ctx = &json};
	bool ok = read_document(&json);
	struct value *root = NULL;
	if (ok) {
		root = arena_new(arena, struct value);
		*root = json.tree.root;
	}
	tree_finish(&json.tree);
	return root;
}

str json_unfence(str text)
{
	static const str fence = STR_INIT("```");
	str rest = str_trim(text);
	str first = STR("");
	if (!str_starts(rest, fence) || !str_ends(rest, fence) || !str_line(&rest, &first))
		return text;
	str word = str_trim(str_slice(first, fence.len, first.len));
	bool is_json = !word.len || str_is(word, "json") || str_is(word, "JSON");
	if (!is_json || !str_ends(rest, fence))
		return text;
	str inner = str_slice(rest, 0, rest.len - fence.len);
	bool is_own_line = !inner.len || inner.ptr[inner.len - 1] == '\n';
	return is_own_line && str_find(inner, fence, 0) == SIZE_MAX ? str_trim(inner) : text;
}
