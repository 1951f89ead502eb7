/* value: looking into and comparing value trees.  Nothing here recurses, so a tree may be of any
 * depth.  It knows neither YAML nor JSON, only that a number's text is one of JSON's.  See
 * value.h. */
#include "data/value.h"

#include "base/mem.h"
#include "base/vec.h"
#include "data/tree.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>

const struct value *value_get(const struct value *value, str key)
{
	if (!value || value->kind != VALUE_MAP)
		return NULL;
	for (size_t i = 0; i < value->as.map.count; i++) {
		if (str_eq(value->as.map.items[i].key, key))
			return &value->as.map.items[i].value;
	}
	return NULL;
}

static const struct value *element(const struct value *list, str index)
{
	uint64_t at = 0;
	bool is_index = str_to_u64(index, &at) && (index.len == 1 || index.ptr[0] != '0');
	return is_index && at < list->as.list.count ? &list->as.list.items[at] : NULL;
}

const struct value *value_path(const struct value *value, str path)
{
	if (!path.len)
		return value;
	str part;
	while (value && str_split(&path, '.', &part))
		value = value->kind == VALUE_LIST ? element(value, part) : value_get(value, part);
	return value;
}

const char *value_kind_name(enum value_kind kind)
{
	static const char *const names[] = {
		[VALUE_NULL] = "null",
		[VALUE_BOOL] = "true or false",
		[VALUE_NUMBER] = "a number",
		[VALUE_STRING] = "a string",
		[VALUE_LIST] = "a list",
		[VALUE_MAP] = "a map",
	};
	return (size_t)kind < sizeof(names) / sizeof(names[0]) ? names[kind] : "nothing";
}

/* A number as (-1)^negative * 0.DIGITS * 10^exponent, where DIGITS are those of `text` but for
 * dots, from its first to its last that is not 0.  Zero has no digits. */
struct decimal {
	bool negative;
	str digits;
	int64_t exponent;
	bool is_vast; /* the exponent does not fit */
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Reads the text behind 'e'; false where it is too large to add to. */
static bool read_exponent(str text, int64_t *out)
{
	bool negative = text.len && text.ptr[0] == '-';
	if (text.len && (text.ptr[0] == '-' || text.ptr[0] == '+'))
		text = str_slice(text, 1, text.len);
	uint64_t size = 0;
	if (!str_to_u64(text, &size) || size > (uint64_t)INT64_MAX / 2)
		return false;
	*out = negative ? -(int64_t)size : (int64_t)size;
	return true;
}

static struct decimal decimal_of(str text)
{
	struct decimal number = {.digits = STR("")};
	if (text.len && text.ptr[0] == '-') {
		number.negative = true;
		text = str_slice(text, 1, text.len);
	}
	size_t mantissa = 0;
	while (mantissa < text.len && (is_digit(text.ptr[mantissa]) || text.ptr[mantissa] == '.'))
		mantissa++;
	int64_t exponent = 0;
	if (mantissa < text.len)
		number.is_vast = !read_exponent(str_slice(text, mantissa + 1, text.len), &exponent);
	text = str_slice(text, 0, mantissa);
	size_t point = str_find_char(text, '.', 0);
	size_t first = 0;
	while (first < text.len && (text.ptr[first] == '0' || text.ptr[first] == '.'))
		first++;
	if (first == text.len)
		return (struct decimal){.digits = STR("")};
	size_t last = text.len;
	while (text.ptr[last - 1] == '0' || text.ptr[last - 1] == '.')
		last--;
	number.digits = str_slice(text, first, last);
	if (point == SIZE_MAX)
		point = text.len;
	int64_t places = point >= first ? (int64_t)(point - first) : -(int64_t)(first - point - 1);
	number.exponent = exponent + places;
	return number;
}

/* The next digit at or after *at, or 0 at the end. */
static char next_digit(str digits, size_t *at)
{
	while (*at < digits.len && digits.ptr[*at] == '.')
		(*at)++;
	return *at < digits.len ? digits.ptr[(*at)++] : '\0';
}

static bool numbers_equal(str a, str b)
{
	if (str_eq(a, b))
		return true;
	struct decimal x = decimal_of(a);
	struct decimal y = decimal_of(b);
	if (x.is_vast || y.is_vast || x.negative != y.negative || x.exponent != y.exponent)
		return false;
	size_t i = 0;
	size_t j = 0;
	for (;;) {
		char c = next_digit(x.digits, &i);
		if (c != next_digit(y.digits, &j))
			return false;
		if (!c)
			return true;
	}
}

struct pair {
	const struct value *a;
	const struct value *b;
};

struct pairs {
	VEC(struct pair) todo;
};

static bool scalars_equal(const struct value *a, const struct value *b)
{
	switch (a->kind) {
	case VALUE_BOOL: return a->as.boolean == b->as.boolean;
	case VALUE_NUMBER: return numbers_equal(a->as.text, b->as.text);
	case VALUE_STRING: return str_eq(a->as.text, b->as.text);
	default: return true;
	}
}

static bool push_sorted(struct pairs *pairs, const struct value *a, const struct value *b)
{
	const struct value_member **left = tree_sorted(a->as.map.items, a->as.map.count);
	const struct value_member **right = tree_sorted(b->as.map.items, b->as.map.count);
	bool equal = true;
	for (size_t i = 0; i < a->as.map.count && equal; i++) {
		equal = str_eq(left[i]->key, right[i]->key);
		*vec_push(&pairs->todo) = (struct pair){&left[i]->value, &right[i]->value};
	}
	free(left);
	free(right);
	return equal;
}

static bool push_members(struct pairs *pairs, const struct value *a, const struct value *b)
{
	size_t count = a->as.map.count;
	if (count != b->as.map.count)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!str_eq(a->as.map.items[i].key, b->as.map.items[i].key))
			return push_sorted(pairs, a, b);
	}
	for (size_t i = count; i-- > 0;)
		*vec_push(&pairs->todo) =
			(struct pair){&a->as.map.items[i].value, &b->as.map.items[i].value};
	return true;
}

static bool push_elements(struct pairs *pairs, const struct value *a, const struct value *b)
{
	if (a->as.list.count != b->as.list.count)
		return false;
	for (size_t i = a->as.list.count; i-- > 0;)
		*vec_push(&pairs->todo) = (struct pair){&a->as.list.items[i], &b->as.list.items[i]};
	return true;
}

bool value_equal(const struct value *a, const struct value *b)
{
	struct pairs pairs = {0};
	*vec_push(&pairs.todo) = (struct pair){a, b};
	bool equal = true;
	while (equal && pairs.todo.len) {
		struct pair pair = pairs.todo.ptr[--pairs.todo.len];
		if (pair.a->kind != pair.b->kind)
			equal = false;
		else if (pair.a->kind == VALUE_MAP)
			equal = push_members(&pairs, pair.a, pair.b);
		else if (pair.a->kind == VALUE_LIST)
			equal = push_elements(&pairs, pair.a, pair.b);
		else
			equal = scalars_equal(pair.a, pair.b);
	}
	vec_finish(&pairs.todo);
	return equal;
}

struct value value_string(str text)
{
	return (struct value){.kind = VALUE_STRING, .as.text = text};
}

struct value value_number_u64(struct arena *arena, uint64_t number)
{
	char digits[20];
	size_t at = sizeof(digits);
	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	str text = arena_str(arena, (str){digits + at, sizeof(digits) - at});
	return (struct value){.kind = VALUE_NUMBER, .as.text = text};
}

bool value_to_double(const struct value *value, double *out)
{
	if (!value || value->kind != VALUE_NUMBER || !value->as.text.len)
		return false;
	char small[64];
	size_t len = value->as.text.len;
	bool fits = len < sizeof(small);
	char *text = fits ? small : mem_alloc(len + 1);
	memcpy(text, value->as.text.ptr, len);
	text[len] = '\0';
	/* The caller's locale may write 1,5; glibc gives this one without allocating. */
	locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	char *end = text;
	double number = strtod_l(text, &end, c_locale);
	bool ok = end == text + len && isfinite(number);
	freelocale(c_locale);
	if (!fits)
		free(text);
	if (ok)
		*out = number;
	return ok;
}
