/* regex_class: the characters that a pattern names: escapes, classes and the sets behind them.  It knows nothing of
 * programs. */
#include "data/regex_class.h"

#include "base/utf8.h"

#include <stdlib.h>

#define SHOWN_MAX 60

static const struct regex_range digits[] = {{'0', '9'}};
static const struct regex_range words[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
static const struct regex_range spaces[] = {{0x09, 0x0D}, {0x20, 0x20}, {0xA0, 0xA0},
	{0x1680, 0x1680}, {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F},
	{0x3000, 0x3000}, {0xFEFF, 0xFEFF}};
static const struct regex_range newlines[] = {{0x0A, 0x0A}, {0x0D, 0x0D}, {0x2028, 0x2029}};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

void regex_classes_finish(struct regex_classes *classes)
{
	vec_finish(&classes->list);
	vec_finish(&classes->ranges);
}

bool regex_fail(struct regex_reader *in, size_t at, const char *what)
{
	size_t chars = 1;
	size_t end = in->text.len;

	for (size_t i = 0; i < at && i < in->text.len; i++)
		chars += ((unsigned char)in->text.ptr[i] & 0xC0) != 0x80;
	if (end > SHOWN_MAX) {
		end = SHOWN_MAX;
		while (end > 0 && ((unsigned char)in->text.ptr[end] & 0xC0) == 0x80)
			end--;
	}
	err_set(in->err, "E-REGEX-SYNTAX", "pattern '%.*s%s', character %zu: %s", (int)end,
		in->text.ptr, end < in->text.len ? "..." : "", chars, what);
	if (at < in->text.len && in->text.ptr[at] && strchr("()[]{}*+?|", in->text.ptr[at]))
		err_help(in->err, "if the character itself is meant, write \\%c", in->text.ptr[at]);
	return false;
}

uint32_t regex_read_code(struct regex_reader *in)
{
	uint32_t code = 0;

	in->at += utf8_decode(str_slice(in->text, in->at, in->text.len), &code);
	return code;
}

/* Exactly `count` hexadecimal digits. */
static bool read_hex(struct regex_reader *in, size_t count, uint32_t *out)
{
	uint32_t value = 0;

	if (in->at + count > in->text.len)
		return false;
	for (size_t i = 0; i < count; i++) {
		char c = in->text.ptr[in->at + i];
		uint32_t digit;
		if (c >= '0' && c <= '9')
			digit = (uint32_t)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			digit = (uint32_t)((c | 0x20) - 'a') + 10;
		else
			return false;
		value = value << 4 | digit;
	}
	in->at += count;
	*out = value;
	return true;
}

/* Behind \u: HHHH, HHHH\uHHHH for a pair, or {H...}. */
static bool read_unicode(struct regex_reader *in, uint32_t *code)
{
	if (regex_peek(in) == '{') {
		size_t end = str_find_char(in->text, '}', in->at);
		if (end == SIZE_MAX || end - in->at < 2 || end - in->at > 7)
			return false;
		in->at++;
		if (!read_hex(in, end - in->at, code) || *code > 0x10FFFF)
			return false;
		in->at = end + 1;
		return true;
	}
	if (!read_hex(in, 4, code))
		return false;
	struct regex_reader ahead = *in;
	uint32_t low;
	if (*code < 0xD800 || *code > 0xDBFF ||
		!str_starts(str_slice(in->text, in->at, in->text.len), STR("\\u")))
		return true;
	ahead.at += 2;
	if (read_hex(&ahead, 4, &low) && low >= 0xDC00 && low <= 0xDFFF) {
		*code = 0x10000 + ((*code - 0xD800) << 10) + (low - 0xDC00);
		in->at = ahead.at;
	}
	return true;
}

static bool read_letter_escape(
	struct regex_reader *in, size_t from, char letter, struct regex_escape *out)
{
	static const struct {
		char letter;
		uint32_t code;
	} controls[] = {{'t', '\t'}, {'n', '\n'}, {'r', '\r'}, {'f', '\f'}, {'v', '\v'}};

	for (size_t i = 0; i < COUNT(controls); i++) {
		if (controls[i].letter == letter) {
			out->code = controls[i].code;
			return true;
		}
	}
	switch (letter) {
	case 'd':
	case 'D':
	case 'w':
	case 'W':
	case 's':
	case 'S': out->set = letter; return true;
	case 'x':
		return read_hex(in, 2, &out->code) ||
		       regex_fail(in, from, "\\x needs two hexadecimal digits");
	case 'u':
		return read_unicode(in, &out->code) ||
		       regex_fail(in, from, "\\u needs four hexadecimal digits or {...}");
	case 'c': {
		int c = regex_peek(in) | 0x20;
		if (c < 'a' || c > 'z')
			return regex_fail(in, from, "\\c needs a letter");
		out->code = (uint32_t)c & 0x1F;
		in->at++;
		return true;
	}
	case 'p':
	case 'P':
		return regex_fail(in, from, "\\p{...} is not supported: write the ranges as [a-z]");
	case 'k': return regex_fail(in, from, "back-references are not supported");
	default: return regex_fail(in, from, "there is no such escape");
	}
}

bool regex_read_escape(struct regex_reader *in, bool in_class, struct regex_escape *out)
{
	size_t from = in->at++;
	int c = regex_peek(in);

	*out = (struct regex_escape){0};
	if (c < 0)
		return regex_fail(in, from, "there is nothing behind the backslash");
	if (c == '0') {
		in->at++;
		if (regex_peek(in) >= '0' && regex_peek(in) <= '9')
			return regex_fail(in, from, "octal escapes are not supported: write \\xHH");
		return true;
	}
	if (c >= '1' && c <= '9')
		return regex_fail(in, from,
			in_class ? "there is no such escape" : "back-references are not supported");
	if (in_class && c == 'b') {
		in->at++;
		out->code = '\b';
		return true;
	}
	if ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') {
		in->at++;
		return read_letter_escape(in, from, (char)c, out);
	}
	out->code = regex_read_code(in);
	return true;
}

static void add_range(struct regex_classes *classes, uint32_t first, uint32_t last)
{
	*vec_push(&classes->ranges) = (struct regex_range){first, last};
}

/* All characters that are in none of the ranges, which are sorted and apart. */
static void add_complement(
	struct regex_classes *classes, const struct regex_range *ranges, size_t count)
{
	uint32_t next = 0;

	for (size_t i = 0; i < count; i++) {
		if (ranges[i].first > next)
			add_range(classes, next, ranges[i].first - 1);
		next = ranges[i].last + 1;
	}
	if (next <= REGEX_LAST)
		add_range(classes, next, REGEX_LAST);
}

static void add_set(struct regex_classes *classes, char set)
{
	const struct regex_range *ranges = newlines;
	size_t count = COUNT(newlines);

	if ((set | 0x20) == 'd') {
		ranges = digits;
		count = COUNT(digits);
	} else if ((set | 0x20) == 'w') {
		ranges = words;
		count = COUNT(words);
	} else if ((set | 0x20) == 's') {
		ranges = spaces;
		count = COUNT(spaces);
	}
	/* '.' is the complement of the newlines. */
	if (set == '.' || (set >= 'A' && set <= 'Z')) {
		add_complement(classes, ranges, count);
		return;
	}
	for (size_t i = 0; i < count; i++)
		add_range(classes, ranges[i].first, ranges[i].last);
}

static int cmp_range(const void *a, const void *b)
{
	const struct regex_range *x = a;
	const struct regex_range *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

/* Sorts and joins the ranges from `from` on. */
static void normalize(struct regex_classes *classes, size_t from)
{
	size_t len = from;

	if (classes->ranges.len == from)
		return;
	qsort(classes->ranges.ptr + from, classes->ranges.len - from, sizeof(*classes->ranges.ptr),
		cmp_range);
	for (size_t i = from; i < classes->ranges.len; i++) {
		struct regex_range range = classes->ranges.ptr[i];
		if (len > from && range.first <= classes->ranges.ptr[len - 1].last + 1) {
			if (range.last > classes->ranges.ptr[len - 1].last)
				classes->ranges.ptr[len - 1].last = range.last;
		} else {
			classes->ranges.ptr[len++] = range;
		}
	}
	classes->ranges.len = len;
}

/* Makes the class of the ranges from `from` on. */
static uint32_t close_class(struct regex_classes *classes, size_t from)
{
	struct regex_class class = {.from = from};

	normalize(classes, from);
	class.to = classes->ranges.len;
	for (size_t i = from; i < class.to; i++)
		for (uint32_t c = classes->ranges.ptr[i].first;
			c < 128 && c <= classes->ranges.ptr[i].last; c++)
			class.ascii[c / 8] |= (uint8_t)(1u << (c % 8));
	*vec_push(&classes->list) = class;
	return (uint32_t)classes->list.len - 1;
}

static void negate(struct regex_classes *classes, size_t from)
{
	normalize(classes, from);
	size_t to = classes->ranges.len;
	/* Room first: the complement is added behind the ranges that it is made from. */
	vec_reserve(&classes->ranges, 2 * to - from + 1);
	add_complement(classes, classes->ranges.ptr + from, to - from);
	size_t count = classes->ranges.len - to;
	if (count > 0)
		memmove(classes->ranges.ptr + from, classes->ranges.ptr + to,
			count * sizeof(*classes->ranges.ptr));
	classes->ranges.len = from + count;
}

uint32_t regex_class_named(struct regex_classes *classes, char name)
{
	uint32_t *known = &classes->named[(unsigned char)name & 0x7F];

	if (*known == 0) {
		size_t from = classes->ranges.len;
		add_set(classes, name);
		*known = close_class(classes, from) + 1;
	}
	return *known - 1;
}

/* One end of a range, or an item by itself. */
static bool read_class_item(struct regex_reader *in, struct regex_escape *out)
{
	if (regex_peek(in) == '\\')
		return regex_read_escape(in, true, out);
	*out = (struct regex_escape){'\0', regex_read_code(in)};
	return true;
}

/* Whether "-X" stands here, X being an end of a range and not the ']'. */
static bool is_range_sign(const struct regex_reader *in)
{
	return regex_peek(in) == '-' && in->at + 1 < in->text.len &&
	       in->text.ptr[in->at + 1] != ']';
}

static bool parse_class_item(struct regex_classes *classes, struct regex_reader *in)
{
	struct regex_escape first;
	struct regex_escape last;
	size_t at = in->at;

	if (!read_class_item(in, &first))
		return false;
	if (first.set != '\0') {
		add_set(classes, first.set);
		return true;
	}
	if (!is_range_sign(in)) {
		add_range(classes, first.code, first.code);
		return true;
	}
	in->at++;
	if (!read_class_item(in, &last))
		return false;
	if (last.set != '\0') {
		/* [a-\d]: three items. */
		add_range(classes, first.code, first.code);
		add_range(classes, '-', '-');
		add_set(classes, last.set);
		return true;
	}
	if (last.code < first.code)
		return regex_fail(in, at, "the ends of this range are the wrong way round");
	add_range(classes, first.code, last.code);
	return true;
}

bool regex_class_parse(struct regex_classes *classes, struct regex_reader *in, uint32_t *index)
{
	size_t begin = in->at++;
	size_t from = classes->ranges.len;
	bool is_negated = regex_peek(in) == '^';

	if (is_negated)
		in->at++;
	while (regex_peek(in) != ']') {
		if (regex_peek(in) < 0)
			return regex_fail(in, begin, "this class has no ']'");
		if (!parse_class_item(classes, in))
			return false;
	}
	in->at++;
	if (is_negated)
		negate(classes, from);
	*index = close_class(classes, from);
	return true;
}
