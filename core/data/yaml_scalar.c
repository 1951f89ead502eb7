/* yaml_scalar: what a plain scalar means in YAML 1.2's core schema, numbers written as JSON would.
 * See yaml_parts.h. */
#include "data/yaml_parts.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_any_of(str text, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (str_is(text, words[i]))
			return true;
	}
	return false;
}

#define IS_ANY_OF(text, words) is_any_of((text), (words), sizeof(words) / sizeof((words)[0]))

static bool resolve_word(str text, struct value *out)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
	static const char *const trues[] = {"true", "True", "TRUE"};
	static const char *const falses[] = {"false", "False", "FALSE"};
	if (text.len > 5)
		return false;
	if (IS_ANY_OF(text, nulls)) {
		out->kind = VALUE_NULL;
		return true;
	}
	bool is_true = IS_ANY_OF(text, trues);
	if (!is_true && !IS_ANY_OF(text, falses))
		return false;
	out->kind = VALUE_BOOL;
	out->as.boolean = is_true;
	return true;
}

static bool is_infinite_or_nan(str text)
{
	static const char *const words[] = {".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN"};
	bool has_sign = text.len == 5 && (text.ptr[0] == '-' || text.ptr[0] == '+');
	return has_sign ? is_any_of(str_slice(text, 1, 5), words, 3) : IS_ANY_OF(text, words);
}

/* The value of a digit in base 16, or 99. */
static unsigned digit_of(char c)
{
	if (is_digit(c))
		return (unsigned)(c - '0');
	char lower = (char)(c | 0x20);
	return lower >= 'a' && lower <= 'f' ? (unsigned)(lower - 'a' + 10) : 99;
}

/* 0x1F and 0o17: true where the text is one of them; *result says whether it fits. */
static bool resolve_based(
	struct arena *arena, str text, struct value *out, enum yaml_scalar_result *result)
{
	bool is_hex = str_starts(text, STR("0x"));
	if (text.len < 3 || (!is_hex && !str_starts(text, STR("0o"))))
		return false;
	unsigned bits = is_hex ? 4 : 3;
	uint64_t number = 0;
	bool fits = true;
	for (size_t i = 2; i < text.len; i++) {
		unsigned digit = digit_of(text.ptr[i]);
		if (digit >= 1u << bits)
			return false;
		fits = fits && number >> (64 - bits) == 0;
		number = number << bits | digit;
	}
	*result = fits ? YAML_SCALAR_OK : YAML_SCALAR_TOO_LARGE;
	out->kind = VALUE_NUMBER;
	out->as.text = value_number_u64(arena, number).as.text;
	return true;
}

static size_t skip_digits(str text, size_t at)
{
	while (at < text.len && is_digit(text.ptr[at]))
		at++;
	return at;
}

struct decimal {
	bool negative;
	str whole;
	str fraction;
	str exponent; /* with its e and sign */
};

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
static bool read_decimal(str text, struct decimal *out)
{
	size_t at = text.len && (text.ptr[0] == '-' || text.ptr[0] == '+');
	out->negative = at && text.ptr[0] == '-';
	size_t end = skip_digits(text, at);
	out->whole = str_slice(text, at, end);
	out->fraction = STR("");
	if (end < text.len && text.ptr[end] == '.') {
		size_t from = end + 1;
		end = skip_digits(text, from);
		out->fraction = str_slice(text, from, end);
	}
	if (!out->whole.len && !out->fraction.len)
		return false;
	out->exponent = str_slice(text, end, text.len);
	if (!out->exponent.len)
		return true;
	if (out->exponent.ptr[0] != 'e' && out->exponent.ptr[0] != 'E')
		return false;
	size_t digits = out->exponent.len > 1 &&
	                                (out->exponent.ptr[1] == '-' || out->exponent.ptr[1] == '+')
	                        ? 2
	                        : 1;
	return digits < out->exponent.len &&
	       skip_digits(out->exponent, digits) == out->exponent.len;
}

static enum yaml_scalar_result resolve_decimal(
	struct arena *arena, str text, const struct decimal *number, struct value *out)
{
	str whole = number->whole;
	bool has_zeros = whole.len > 1 && whole.ptr[0] == '0';
	while (whole.len > 1 && whole.ptr[0] == '0')
		whole = str_slice(whole, 1, whole.len);
	out->kind = VALUE_NUMBER;
	bool is_json = !has_zeros && whole.len && text.ptr[0] != '+' &&
	               (number->fraction.len || str_find_char(text, '.', 0) == SIZE_MAX);
	out->as.text = text;
	if (!is_json)
		out->as.text = str_of(arena_printf(arena, "%s%.*s%s%.*s%.*s",
			number->negative ? "-" : "", STR_ARG(whole.len ? whole : STR("0")),
			number->fraction.len ? "." : "", STR_ARG(number->fraction),
			STR_ARG(number->exponent)));
	return has_zeros ? YAML_SCALAR_OK_BUT_ZEROS : YAML_SCALAR_OK;
}

enum yaml_scalar_result yaml_scalar_resolve(struct arena *arena, str text, struct value *out)
{
	if (resolve_word(text, out))
		return YAML_SCALAR_OK;
	/* Most scalars are text; what can begin a number or .inf is told by one byte. */
	char first = text.ptr[0];
	struct decimal decimal;
	enum yaml_scalar_result result = YAML_SCALAR_OK;
	if (is_digit(first) || first == '-' || first == '+' || first == '.') {
		if (is_infinite_or_nan(text))
			return YAML_SCALAR_NOT_FINITE;
		if (resolve_based(arena, text, out, &result))
			return result;
		if (read_decimal(text, &decimal))
			return resolve_decimal(arena, text, &decimal, out);
	}
	out->kind = VALUE_STRING;
	out->as.text = text;
	return YAML_SCALAR_OK;
}
