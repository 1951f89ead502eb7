/* decimal: see decimal.h.  No number is ever expanded, so 1e1000000000 costs what its twelve bytes cost. */
#include "data/decimal.h"

#define EXPONENT_MAX 1000000000000000

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static str take_digits(str text, size_t *at)
{
	size_t from = *at;

	while (*at < text.len && is_digit(text.ptr[*at]))
		(*at)++;
	return str_slice(text, from, *at);
}

static bool take_exponent(str text, size_t *at, int64_t *out)
{
	bool negative = false;

	(*at)++;
	if (*at < text.len && (text.ptr[*at] == '+' || text.ptr[*at] == '-'))
		negative = text.ptr[(*at)++] == '-';
	str digits = take_digits(text, at);
	if (digits.len == 0)
		return false;
	int64_t value = 0;
	for (size_t i = 0; i < digits.len; i++) {
		value = value * 10 + (digits.ptr[i] - '0');
		if (value > EXPONENT_MAX)
			return false;
	}
	*out = negative ? -value : value;
	return true;
}

static int digit_at(const struct decimal *number, size_t i)
{
	i += number->skip;
	if (i < number->whole.len)
		return number->whole.ptr[i] - '0';
	return number->fraction.ptr[i - number->whole.len] - '0';
}

static void normalize(struct decimal *number, int64_t exponent)
{
	size_t total = number->whole.len + number->fraction.len;
	size_t first = 0;
	size_t end = total;

	while (first < total && digit_at(number, first) == 0)
		first++;
	while (end > first && digit_at(number, end - 1) == 0)
		end--;
	number->skip = first;
	number->digits = end - first;
	number->point = (int64_t)number->whole.len - (int64_t)first + exponent;
	if (number->digits == 0) {
		number->negative = false;
		number->point = 0;
	}
}

bool decimal_parse(str text, struct decimal *out)
{
	size_t at = 0;
	int64_t exponent = 0;

	*out = (struct decimal){.fraction = STR("")};
	if (text.len > 0 && (text.ptr[0] == '-' || text.ptr[0] == '+'))
		out->negative = text.ptr[at++] == '-';
	out->whole = take_digits(text, &at);
	if (out->whole.len == 0)
		return false;
	if (at < text.len && text.ptr[at] == '.') {
		at++;
		out->fraction = take_digits(text, &at);
		if (out->fraction.len == 0)
			return false;
	}
	if (at < text.len && (text.ptr[at] == 'e' || text.ptr[at] == 'E') &&
		!take_exponent(text, &at, &exponent))
		return false;
	if (at != text.len)
		return false;
	normalize(out, exponent);
	return true;
}

static int cmp_magnitude(const struct decimal *a, const struct decimal *b)
{
	if (a->digits == 0 || b->digits == 0)
		return (a->digits > 0) - (b->digits > 0);
	if (a->point != b->point)
		return a->point < b->point ? -1 : 1;
	size_t shared = a->digits < b->digits ? a->digits : b->digits;
	for (size_t i = 0; i < shared; i++) {
		int x = digit_at(a, i);
		int y = digit_at(b, i);
		if (x != y)
			return x < y ? -1 : 1;
	}
	return (a->digits > b->digits) - (a->digits < b->digits);
}

int decimal_digit(const struct decimal *number, size_t i)
{
	return i < number->digits ? digit_at(number, i) : 0;
}

int decimal_cmp(const struct decimal *a, const struct decimal *b)
{
	if (a->negative != b->negative)
		return a->negative ? -1 : 1;
	int order = cmp_magnitude(a, b);
	return a->negative ? -order : order;
}

bool decimal_is_integer(const struct decimal *number)
{
	return number->digits == 0 || number->point >= (int64_t)number->digits;
}

bool decimal_is_multiple(const struct decimal *number, const struct decimal *divisor)
{
	if (number->digits == 0)
		return true;
	int64_t shift = (number->point - (int64_t)number->digits) -
	                (divisor->point - (int64_t)divisor->digits);
	/* The digits of the number don't end in a zero, so no power of ten divides them. */
	if (shift < 0)
		return false;
	uint64_t base = 0;
	for (size_t i = 0; i < divisor->digits; i++)
		base = base * 10 + (uint64_t)digit_at(divisor, i);
	uint64_t rest = 0;
	for (size_t i = 0; i < number->digits; i++)
		rest = (rest * 10 + (uint64_t)digit_at(number, i)) % base;
	/* Powers of ten matter only as far as the divisor has factors 2 and 5: fewer than 64 of each. */
	for (int64_t i = 0; i < shift && i < 64; i++)
		rest = rest * 10 % base;
	return rest == 0;
}

uint64_t decimal_hash(const struct decimal *number)
{
	uint64_t hash =
		14695981039346656037u ^ (uint64_t)number->point ^ (number->negative ? 1u : 0u);

	for (size_t i = 0; i < number->digits; i++)
		hash = (hash ^ (uint64_t)digit_at(number, i)) * 1099511628211u;
	return hash;
}
