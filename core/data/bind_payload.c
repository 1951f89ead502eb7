/* bind_payload: a value as it is delivered to a body.  Asks only whether the bytes are JSON by the grammar and builds no
 * tree, so that an output of 100 MB costs one pass and no memory.  See bind.h. */
#include "base/utf8.h"
#include "data/bind.h"

/* Deeper than what JSON.parse and json.loads take by themselves is not handed to them as JSON. */
#define PAYLOAD_MAX_DEPTH 512

struct scan {
	str text;
	size_t at;
};

static char scan_peek(const struct scan *s)
{
	return s->at < s->text.len ? s->text.ptr[s->at] : '\0';
}

static void scan_space(struct scan *s)
{
	while (s->at < s->text.len && s->text.ptr[s->at] != '\0' &&
		strchr(" \t\r\n", s->text.ptr[s->at]))
		s->at++;
}

static bool scan_take(struct scan *s, char c)
{
	if (scan_peek(s) != c || s->at >= s->text.len)
		return false;
	s->at++;
	return true;
}

static size_t scan_digits(struct scan *s)
{
	size_t start = s->at;
	while (scan_peek(s) >= '0' && scan_peek(s) <= '9')
		s->at++;
	return s->at - start;
}

static bool scan_number(struct scan *s)
{
	scan_take(s, '-');
	if (!scan_take(s, '0') && !scan_digits(s))
		return false;
	if (scan_take(s, '.') && !scan_digits(s))
		return false;
	if (scan_take(s, 'e') || scan_take(s, 'E')) {
		if (!scan_take(s, '+'))
			scan_take(s, '-');
		return scan_digits(s) > 0;
	}
	return true;
}

static bool scan_escape(struct scan *s)
{
	char c = scan_peek(s);
	if (c == '\0' || !strchr("\"\\/bfnrtu", c))
		return false;
	s->at++;
	for (int i = 0; c == 'u' && i < 4; i++, s->at++)
		if (scan_peek(s) == '\0' || !strchr("0123456789abcdefABCDEF", scan_peek(s)))
			return false;
	return true;
}

static bool scan_string(struct scan *s)
{
	if (!scan_take(s, '"'))
		return false;
	while (s->at < s->text.len) {
		unsigned char c = (unsigned char)s->text.ptr[s->at++];
		if (c == '"')
			return true;
		if (c < 0x20 || (c == '\\' && !scan_escape(s)))
			return false;
	}
	return false;
}

static bool scan_word(struct scan *s, str word)
{
	if (!str_starts(str_slice(s->text, s->at, s->text.len), word))
		return false;
	s->at += word.len;
	return true;
}

static bool scan_scalar(struct scan *s)
{
	switch (scan_peek(s)) {
	case '"': return scan_string(s);
	case 't': return scan_word(s, STR("true"));
	case 'f': return scan_word(s, STR("false"));
	case 'n': return scan_word(s, STR("null"));
	default: return scan_number(s);
	}
}

/* The name and colon of a member. */
static bool scan_name(struct scan *s)
{
	scan_space(s);
	if (!scan_string(s))
		return false;
	scan_space(s);
	if (!scan_take(s, ':'))
		return false;
	scan_space(s);
	return true;
}

/* What follows a complete value: closes collections and moves behind the next comma. */
static bool scan_after(struct scan *s, const char *open, size_t *depth)
{
	for (scan_space(s); *depth > 0; scan_space(s)) {
		char kind = open[*depth - 1];
		if (scan_take(s, kind == '[' ? ']' : '}')) {
			--*depth;
			continue;
		}
		return scan_take(s, ',') && (kind == '[' || scan_name(s));
	}
	return true;
}

static bool payload_is_json(str text)
{
	char open[PAYLOAD_MAX_DEPTH];
	size_t depth = 0;
	struct scan s = {text, 0};
	do {
		scan_space(&s);
		char c = scan_peek(&s);
		if (c != '[' && c != '{') {
			if (!scan_scalar(&s) || !scan_after(&s, open, &depth))
				return false;
			continue;
		}
		if (depth == PAYLOAD_MAX_DEPTH)
			return false;
		s.at++;
		scan_space(&s);
		if (scan_take(&s, c == '[' ? ']' : '}')) {
			if (!scan_after(&s, open, &depth))
				return false;
			continue;
		}
		open[depth++] = c;
		if (c == '{' && !scan_name(&s))
			return false;
	} while (depth > 0);
	scan_space(&s);
	return s.at == text.len && utf8_invalid_at(text) == SIZE_MAX;
}

static void payload_string(struct buf *out, str value)
{
	size_t done = 0;
	buf_add_char(out, '"');
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.ptr[i];
		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		buf_add(out, str_slice(value, done, i));
		done = i + 1;
		if (c < 0x20)
			buf_printf(out, "\\u%04x", c);
		else
			buf_printf(out, "\\%c", c);
	}
	buf_add(out, str_slice(value, done, value.len));
	buf_add_char(out, '"');
}

void bind_payload(struct buf *out, enum bind_as as, str value)
{
	if (as == BIND_TEXT || payload_is_json(value))
		buf_add(out, value);
	else
		payload_string(out, value);
}
