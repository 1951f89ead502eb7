/* Fuzzes the patterns of paths: the automaton against a plain recursive reading of the same rules, and the cleaning of
 * paths against what it promises.  The input is a pattern and a path, parted by an LF. */
#include "base/utf8.h"
#include "sys/fs.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "fuzz_glob: %s\n", what);
	abort();
}

static size_t budget; /* of the plain reading, which is exponential */

static uint32_t first(str s, size_t *n)
{
	uint32_t code = 0;
	*n = utf8_decode(s, &code);
	if (*n)
		return code;
	*n = 1;
	return 0x80000000u | (unsigned char)s.ptr[0];
}

/* The length of the class at the start of s, with its brackets; 0 where it is none. */
static size_t class_length(str s)
{
	size_t at = 1;
	if (at < s.len && (s.ptr[at] == '!' || s.ptr[at] == '^'))
		at++;
	for (size_t from = at; at < s.len; at++) {
		if (s.ptr[at] == ']' && at > from)
			return at + 1;
	}
	return 0;
}

static bool in_class(str inner, uint32_t c)
{
	bool negated = inner.ptr[0] == '!' || inner.ptr[0] == '^';
	bool in = false;
	for (size_t at = negated; at < inner.len;) {
		size_t n;
		uint32_t low = first(str_slice(inner, at, inner.len), &n);
		uint32_t high = low;
		at += n;
		if (at + 1 < inner.len && inner.ptr[at] == '-') {
			high = first(str_slice(inner, at + 1, inner.len), &n);
			at += 1 + n;
		}
		in = in || (low <= c && c <= high);
	}
	return in != negated;
}

static bool plain_part(str p, str s)
{
	if (!budget || !--budget)
		return false;
	if (!p.len)
		return !s.len;
	size_t n = 0;
	uint32_t c = s.len ? first(s, &n) : 0;
	str behind = str_slice(s, n, s.len);
	if (p.ptr[0] == '*')
		return plain_part(str_slice(p, 1, p.len), s) || (s.len && plain_part(p, behind));
	if (!s.len)
		return false;
	size_t length = p.ptr[0] == '[' ? class_length(p) : 0;
	if (length)
		return in_class(str_slice(p, 1, length - 1), c) &&
		       plain_part(str_slice(p, length, p.len), behind);
	size_t m;
	uint32_t want = first(p, &m);
	return (want == '?' || want == c) && plain_part(str_slice(p, m, p.len), behind);
}

static bool is_hidden(str name)
{
	return str_starts(name, STR("."));
}

struct parts {
	str ptr[32];
	size_t len;
};

static bool plain_path(const struct parts *p, size_t i, const struct parts *s, size_t j)
{
	if (!budget || !--budget)
		return false;
	if (i == p->len || j == s->len)
		return i == p->len && j == s->len;
	str name = s->ptr[j];
	if (!str_is(p->ptr[i], "**"))
		return (!is_hidden(name) || is_hidden(p->ptr[i])) && plain_part(p->ptr[i], name) &&
		       plain_path(p, i + 1, s, j + 1);
	bool last = i + 1 == p->len;
	return (!last && plain_path(p, i + 1, s, j)) ||
	       (!is_hidden(name) && (plain_path(p, i, s, j + 1) || (last && j + 1 == s->len)));
}

/* False where there are more than the plain reading takes. */
static bool split(str text, struct parts *out, bool clean)
{
	str part;
	out->len = 0;
	while (str_split(&text, '/', &part)) {
		if (clean && (!part.len || str_is(part, ".")))
			continue;
		if (out->len == sizeof(out->ptr) / sizeof(out->ptr[0]))
			return false;
		out->ptr[out->len++] = part;
	}
	return true;
}

static bool has_part(const struct parts *parts, const char *z)
{
	for (size_t i = 0; i < parts->len; i++) {
		if (str_is(parts->ptr[i], z))
			return true;
	}
	return false;
}

static void check_match(str pattern, str path)
{
	struct parts p;
	struct parts s;
	bool matches = fs_glob_matches(pattern, path);
	if (!split(pattern, &p, true) || !split(path, &s, false))
		return;
	bool usable = p.len && !has_part(&p, "..") && !str_starts(pattern, STR("/")) &&
	              str_find_char(pattern, '\0', 0) == SIZE_MAX && !has_part(&s, "");
	budget = 200000;
	bool expected = usable && plain_path(&p, 0, &s, 0);
	check(!budget || matches == expected, "the automaton and the plain reading disagree");
}

static void check_normalize(str path)
{
	struct buf once = {0};
	struct buf twice = {0};
	if (fs_normalize(path, &once)) {
		struct parts parts;
		str clean = buf_str(&once);
		check(clean.len && clean.ptr[0] != '/', "a clean path that is absolute or empty");
		check(clean.ptr[clean.len - 1] != '/', "a clean path with a slash at its end");
		if (split(clean, &parts, false)) {
			check(!has_part(&parts, "..") && !has_part(&parts, ""),
				"a path that is not clean");
			check(!has_part(&parts, ".") || str_is(clean, "."), "a path with a dot");
		}
		check(fs_normalize(clean, &twice) && str_eq(buf_str(&twice), clean),
			"cleaned twice, another path");
	}
	buf_finish(&once);
	buf_finish(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	str text = str_make((const char *)data, size);
	str pattern;
	str_split(&text, '\n', &pattern);
	str path = text.ptr ? text : STR("");
	check_match(pattern, path);
	check_match(path, pattern);
	check_normalize(path);
	return 0;
}
