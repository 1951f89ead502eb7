/* str: reading runs of bytes.  See str.h. */
#include "base/str.h"

#include "base/mem.h"

#include <stdlib.h>

int str_cmp(str a, str b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int order = n ? memcmp(a.ptr, b.ptr, n) : 0;
	if (order)
		return order;
	return (a.len > b.len) - (a.len < b.len);
}

bool str_starts(str s, str prefix)
{
	return s.len >= prefix.len && str_eq(str_make(s.ptr, prefix.len), prefix);
}

bool str_ends(str s, str suffix)
{
	return s.len >= suffix.len &&
	       str_eq(str_make(s.ptr + s.len - suffix.len, suffix.len), suffix);
}

size_t str_find_char(str s, char c, size_t from)
{
	if (from >= s.len)
		return SIZE_MAX;
	const char *at = memchr(s.ptr + from, c, s.len - from);
	return at ? (size_t)(at - s.ptr) : SIZE_MAX;
}

size_t str_find(str s, str needle, size_t from)
{
	if (from > s.len)
		return SIZE_MAX;
	if (!needle.len)
		return from;
	const char *at = memmem(s.ptr + from, s.len - from, needle.ptr, needle.len);
	return at ? (size_t)(at - s.ptr) : SIZE_MAX;
}

str str_slice(str s, size_t from, size_t to)
{
	if (to > s.len)
		to = s.len;
	if (from > to)
		from = to;
	return (str){s.ptr + from, to - from};
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

str str_trim(str s)
{
	while (s.len && is_blank(s.ptr[0])) {
		s.ptr++;
		s.len--;
	}
	while (s.len && is_blank(s.ptr[s.len - 1]))
		s.len--;
	return s;
}

bool str_split(str *rest, char sep, str *part)
{
	if (!rest->ptr)
		return false;
	size_t at = str_find_char(*rest, sep, 0);
	if (at == SIZE_MAX) {
		*part = *rest;
		*rest = (str){NULL, 0};
		return true;
	}
	*part = str_slice(*rest, 0, at);
	*rest = str_slice(*rest, at + 1, rest->len);
	return true;
}

bool str_line(str *rest, str *line)
{
	if (!rest->len)
		return false;
	size_t at = str_find_char(*rest, '\n', 0);
	size_t end = at == SIZE_MAX ? rest->len : at;
	*line = str_slice(*rest, 0, end);
	*rest = str_slice(*rest, at == SIZE_MAX ? rest->len : at + 1, rest->len);
	return true;
}

bool str_to_u64(str s, uint64_t *out)
{
	if (!s.len)
		return false;
	uint64_t value = 0;
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] < '0' || s.ptr[i] > '9')
			return false;
		uint64_t digit = (uint64_t)(s.ptr[i] - '0');
		if (value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*out = value;
	return true;
}

uint64_t str_hash(str s)
{
	uint64_t h = 14695981039346656037u;
	for (size_t i = 0; i < s.len; i++)
		h = (h ^ (unsigned char)s.ptr[i]) * 1099511628211u;
	h ^= h >> 32;
	return h * 0x9e3779b97f4a7c15u;
}

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;
	return m < c ? m : c;
}

size_t str_distance(str a, str b, size_t limit)
{
	size_t gap = a.len > b.len ? a.len - b.len : b.len - a.len;
	if (gap > limit || a.len > 256 || b.len > 256)
		return limit + 1;
	size_t width = b.len + 1;
	size_t *rows = mem_alloc(mem_mul(3 * width, sizeof(*rows)));
	size_t *before = rows;
	size_t *above = rows + width;
	size_t *row = rows + 2 * width;
	for (size_t j = 0; j < width; j++) {
		before[j] = 0;
		above[j] = j;
	}
	for (size_t i = 1; i <= a.len; i++) {
		row[0] = i;
		for (size_t j = 1; j <= b.len; j++) {
			size_t cost = a.ptr[i - 1] != b.ptr[j - 1];
			row[j] = min3(above[j] + 1, row[j - 1] + 1, above[j - 1] + cost);
			bool swapped = i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] &&
			               a.ptr[i - 2] == b.ptr[j - 1];
			if (swapped && before[j - 2] + 1 < row[j])
				row[j] = before[j - 2] + 1;
		}
		size_t *recycled = before;
		before = above;
		above = row;
		row = recycled;
	}
	size_t distance = above[b.len];
	free(rows);
	return distance > limit ? limit + 1 : distance;
}

str str_nearest(str wanted, const str *candidates, size_t count)
{
	size_t limit = wanted.len <= 1 ? 0 : wanted.len <= 3 ? 1 : wanted.len <= 7 ? 2 : 3;
	size_t best = limit + 1;
	str nearest = STR("");
	for (size_t i = 0; i < count; i++) {
		size_t distance = str_distance(wanted, candidates[i], limit);
		if (distance < best) {
			best = distance;
			nearest = candidates[i];
		}
	}
	return nearest;
}
