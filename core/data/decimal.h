/* decimal: numbers compared by value on their text, of any size and without rounding: 9007199254740993 is not
 * 9007199254740992, 1.0 is 1, 1e2 is 100.  It computes nothing; it knows neither JSON nor doubles. */
#ifndef DATA_DECIMAL_H
#define DATA_DECIMAL_H

#include "base/str.h"

/* Borrows the digits of the text: 0.DDD * 10^point, where DDD has no zero at either end. */
struct decimal {
	bool negative;
	str whole;     /* digits before the point as written */
	str fraction;  /* and behind it */
	size_t skip;   /* how many leading zeros of whole and fraction together are left out */
	size_t digits; /* how many digits count; 0: the number is zero */
	int64_t point;
};

/* How many significant digits the divisor of decimal_is_multiple may have. */
#define DECIMAL_DIVISOR_DIGITS 18

/* [+-] digits [. digits] [e [+-] digits], nothing around it.  False where the text is anything else, or its exponent
 * is past 10^15 either way. */
bool decimal_parse(str text, struct decimal *out);

/* The digit at i of those that count; 0 behind the last. */
int decimal_digit(const struct decimal *number, size_t i);

/* <0, 0, >0 */
int decimal_cmp(const struct decimal *a, const struct decimal *b);

/* 1.0 and 1e3 are integers. */
bool decimal_is_integer(const struct decimal *number);

/* Whether number = k * divisor for an integer k.  The divisor is not zero and has at most DECIMAL_DIVISOR_DIGITS digits. */
bool decimal_is_multiple(const struct decimal *number, const struct decimal *divisor);

/* Equal numbers have equal hashes; for tables in memory. */
uint64_t decimal_hash(const struct decimal *number);

#endif
