/* str: a borrowed run of bytes, passed by value, for reading.  `ptr` is never NULL (str_empty points at ""),
 * and is not necessarily NUL-terminated.  Whoever owns the bytes outlives the str. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct str {
	const char *ptr;
	size_t len;
} str;

/* A str of a string literal, as a constant expression's initialiser or as a value. */
#define STR_INIT(lit)                   \
	{                               \
		"" lit, sizeof(lit) - 1 \
	}
#define STR(lit) ((str)STR_INIT(lit))

/* For printf: "%.*s", STR_ARG(s). */
#define STR_ARG(s) (int)(s).len, (s).ptr

static inline str str_make(const char *ptr, size_t len)
{
	return (str){ptr ? ptr : "", ptr ? len : 0};
}

/* Of a NUL-terminated string; NULL gives the empty str. */
static inline str str_of(const char *z)
{
	return str_make(z, z ? strlen(z) : 0);
}

static inline bool str_eq(str a, str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool str_is(str a, const char *z)
{
	return str_eq(a, str_of(z));
}

/* Bytes compared as unsigned, the shorter first: <0, 0, >0. */
int str_cmp(str a, str b);

bool str_starts(str s, str prefix);
bool str_ends(str s, str suffix);

/* The index of the first c at or after `from`, or SIZE_MAX. */
size_t str_find_char(str s, char c, size_t from);

/* The index of the first needle at or after `from`, or SIZE_MAX; an empty needle is found at `from`. */
size_t str_find(str s, str needle, size_t from);

/* The part [from, to), both clamped to the length. */
str str_slice(str s, size_t from, size_t to);

/* Without spaces, tabs, CR and LF at both ends. */
str str_trim(str s);

/* Cuts *rest at the first `sep`: gives the part before it and leaves the part behind it.  False when *rest was
 * exhausted before the call (its ptr is then past the end marker); "a,," gives "a", "", "". */
bool str_split(str *rest, char sep, str *part);

/* The next line of *rest without its LF; false at the end. */
bool str_line(str *rest, str *line);

/* Strict decimal digits only, whole string, no overflow. */
bool str_to_u64(str s, uint64_t *out);

/* FNV-1a with a final mix; for hash tables in memory, not for anything that lasts. */
uint64_t str_hash(str s);

/* The edit distance (insert, delete, replace, swap neighbours) of two short strings, at most `limit` + 1. */
size_t str_distance(str a, str b, size_t limit);

/* The candidate nearest to `wanted` for a did-you-mean, or an empty str when none is close enough. */
str str_nearest(str wanted, const str *candidates, size_t count);

#endif
