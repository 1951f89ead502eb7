/* fs_glob: patterns of paths.  All parts of a pattern are followed at once through the tree, as an automaton whose states
 * are the parts, so every directory is listed at most once, however many `**` there are.  See fs.h. */
#include "base/mem.h"
#include "base/utf8.h"
#include "sys/fs.h"
#include "sys/fs_inner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { MOST_PARTS = 64 };

/* Sets of parts are bits: bit i says that part i is what the next name is compared with. */
struct pattern {
	str parts[MOST_PARTS];
	size_t len;
	uint64_t deep;    /* the parts that are `**` */
	uint64_t literal; /* the parts without a special character */
};

bool fs_is_glob(str text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] == '*' || text.ptr[i] == '?' || text.ptr[i] == '[')
			return true;
	}
	return false;
}

/* What is wrong with the pattern, or NULL. */
static const char *pattern_parse(str text, struct pattern *out)
{
	*out = (struct pattern){.len = 0};
	if (str_starts(text, STR("/")))
		return "it is absolute; patterns are relative to the project";
	if (str_find_char(text, '\0', 0) != SIZE_MAX)
		return "it has a NUL";
	str part;
	while (str_split(&text, '/', &part)) {
		if (!part.len || str_is(part, "."))
			continue;
		if (str_is(part, ".."))
			return "\"..\" is not allowed in it";
		bool deep = str_is(part, "**");
		if (deep && out->len && (out->deep >> (out->len - 1) & 1))
			continue;
		if (out->len == MOST_PARTS)
			return "it has more than 64 parts";
		if (deep)
			out->deep |= (uint64_t)1 << out->len;
		else if (!fs_is_glob(part))
			out->literal |= (uint64_t)1 << out->len;
		out->parts[out->len++] = part;
	}
	return out->len ? NULL : "it is empty";
}

/* One character: bytes that are not UTF-8 stand for themselves, away from all characters. */
static uint32_t take_char(str *s)
{
	uint32_t code = 0;
	size_t n = utf8_decode(*s, &code);
	if (!n) {
		code = 0x80000000u | (unsigned char)s->ptr[0];
		n = 1;
	}
	*s = str_slice(*s, n, s->len);
	return code;
}

/* *class begins behind a '['.  Takes it up to its ']' and says whether c is in it; false in *closed: there is no ']', so
 * the '[' was an ordinary character. */
static bool take_class(str *class, uint32_t c, bool *closed)
{
	str rest = *class;
	bool negated = rest.len && (rest.ptr[0] == '!' || rest.ptr[0] == '^');
	if (negated)
		rest = str_slice(rest, 1, rest.len);
	bool in = false;
	*closed = false;
	for (bool first = true; rest.len; first = false) {
		if (rest.ptr[0] == ']' && !first) {
			*closed = true;
			*class = str_slice(rest, 1, rest.len);
			break;
		}
		uint32_t low = take_char(&rest);
		uint32_t high = low;
		if (rest.len >= 2 && rest.ptr[0] == '-' && rest.ptr[1] != ']') {
			rest = str_slice(rest, 1, rest.len);
			high = take_char(&rest);
		}
		in = in || (c >= low && c <= high);
	}
	return in != negated;
}

/* Takes one element (not a star) of the pattern and one character of the name, if they match. */
static bool take_one(str *pattern, str *name)
{
	str p = *pattern;
	str n = *name;
	if (!p.len || !n.len)
		return false;
	uint32_t c = take_char(&n);
	uint32_t want = take_char(&p);
	bool matches = want == c || want == '?';
	if (want == '[') {
		bool closed;
		str class = p;
		bool in = take_class(&class, c, &closed);
		if (closed) {
			matches = in;
			p = class;
		}
	}
	if (matches) {
		*pattern = p;
		*name = n;
	}
	return matches;
}

/* A name without a slash.  Only the last star is ever reconsidered, so it takes at most length times length steps. */
static bool part_matches(str pattern, str name)
{
	if (str_starts(name, STR(".")) && !str_starts(pattern, STR(".")))
		return false;
	str star = {NULL, 0};
	str from = name;
	for (;;) {
		if (pattern.len && pattern.ptr[0] == '*') {
			pattern = str_slice(pattern, 1, pattern.len);
			star = pattern;
			from = name;
			continue;
		}
		if (!name.len && !pattern.len)
			return true;
		if (take_one(&pattern, &name))
			continue;
		if (!star.ptr || !from.len)
			return false;
		take_char(&from);
		pattern = star;
		name = from;
	}
}

/* `**` may stand for no directory at all.  Behind the last part is a bit that no name is compared with. */
static uint64_t closure(const struct pattern *p, uint64_t set)
{
	return set | (set & p->deep) << 1;
}

/* Compares a name with the parts of `set`.  Gives the parts that its entries are to be compared with, of those through
 * `**` alone in *deep; *whole says whether it is matched by the last part. */
static uint64_t step(const struct pattern *p, uint64_t set, str name, uint64_t *deep, bool *whole)
{
	uint64_t next = 0;
	*deep = 0;
	*whole = false;
	for (size_t i = 0; i < p->len; i++) {
		uint64_t bit = (uint64_t)1 << i;
		if (!(set & bit))
			continue;
		bool is_deep = p->deep & bit;
		bool matches =
			is_deep ? !str_starts(name, STR(".")) : part_matches(p->parts[i], name);
		if (!matches)
			continue;
		if (is_deep)
			*deep |= bit;
		if (i + 1 == p->len)
			*whole = true;
		else if (!is_deep)
			next |= bit << 1;
	}
	*deep = closure(p, *deep);
	return closure(p, next);
}

bool fs_glob_matches(str pattern, str path)
{
	struct pattern p;
	if (pattern_parse(pattern, &p))
		return false;
	uint64_t set = closure(&p, 1);
	bool whole = false;
	str name;
	while (str_split(&path, '/', &name)) {
		uint64_t deep;
		set = step(&p, set, name, &deep, &whole) | deep;
		if (!name.len)
			return false;
	}
	return whole;
}

/* A directory that is still to be listed. */
struct pending {
	char *path; /* "" is the root */
	uint64_t set;
	size_t depth;
};

struct expansion {
	const struct pattern *pattern;
	int root;
	struct fs_list *out;
	bool with_dirs;
	VEC(struct pending) pending;
	const struct pending *now;
	struct buf path;
	size_t prefix;
};

/* What is found under a name, by a scan or because the pattern says it. */
static bool meet(void *ctx, int fd, const char *name, struct err *err)
{
	struct expansion *x = ctx;
	uint64_t deep;
	bool whole;
	uint64_t next = step(x->pattern, x->now->set, str_of(name), &deep, &whole);
	if (!next && !deep && !whole)
		return true;
	x->path.len = x->prefix;
	buf_add_z(&x->path, name);
	enum fs_found found = fs_list_add(x->out, fd, name, buf_str(&x->path), err);
	if (found != FS_FOUND)
		return found == FS_ABSENT;
	struct fs_entry *entry = &x->out->ptr[x->out->len - 1];
	bool is_dir = S_ISDIR(entry->stat.mode);
	uint64_t set = is_dir ? next | deep : entry->target ? next : 0;
	if (set) {
		if (x->now->depth == FS_MAX_DEPTH)
			return err_set(err, "E-FS-DEEP",
				"more than %d directories within each other: %s", FS_MAX_DEPTH,
				entry->name);
		char *path = mem_dup(entry->name, strlen(entry->name));
		*vec_push(&x->pending) = (struct pending){path, set, x->now->depth + 1};
	}
	bool is_kept = is_dir ? x->with_dirs : whole;
	if (!is_kept) {
		x->out->len--;
		free(entry->name);
		free(entry->target);
	}
	return true;
}

/* Where the pattern says every name that matters, nothing needs to be listed. */
static bool meet_literals(struct expansion *x, int fd, struct err *err)
{
	bool ok = true;
	struct buf name = {0};
	for (size_t i = 0; ok && i < x->pattern->len; i++) {
		bool seen = !(x->now->set >> i & 1);
		for (size_t j = 0; j < i; j++)
			seen = seen || ((x->now->set >> j & 1) &&
					       str_eq(x->pattern->parts[i], x->pattern->parts[j]));
		if (seen)
			continue;
		buf_clear(&name);
		buf_add(&name, x->pattern->parts[i]);
		ok = meet(x, fd, buf_cstr(&name), err);
	}
	buf_finish(&name);
	close(fd);
	return ok;
}

/* A symlink that a wildcard met and that leads nowhere, in circles, outside or to a file is no directory of the pattern.
 * One that the pattern names is refused where it leads outside. */
static bool may_pass_over(const struct pattern *p, const struct pending *dir, int number)
{
	bool named = true;
	for (size_t i = 1; i < p->len; i++)
		named = named && (!(dir->set >> i & 1) || (p->literal >> (i - 1) & 1));
	return fs_is_absent(number) || (!named && (number == EXDEV || number == ELOOP));
}

static bool expand_dir(struct expansion *x, const struct pending *dir, struct err *err)
{
	x->now = dir;
	buf_clear(&x->path);
	buf_add_z(&x->path, dir->path);
	int fd = fs_open_at(
		x->root, *dir->path ? dir->path : ".", O_RDONLY | O_DIRECTORY, FS_FOLLOW_INSIDE);
	if (fd < 0)
		return may_pass_over(x->pattern, dir, errno) ||
		       fs_fail(err, errno, "list", dir->path);
	if (*dir->path)
		buf_add_char(&x->path, '/');
	x->prefix = x->path.len;
	if (!(dir->set & ~x->pattern->literal))
		return meet_literals(x, fd, err);
	return fs_scan(fd, *dir->path ? dir->path : ".", meet, x, err);
}

static bool expand(int dirfd, str pattern, bool with_dirs, struct fs_list *out, struct err *err)
{
	*out = (struct fs_list){0};
	struct pattern p;
	const char *wrong = pattern_parse(pattern, &p);
	if (wrong)
		return err_set(err, "E-FS-GLOB", "the pattern \"%.*s\" can't be used: %s",
			STR_ARG(pattern), wrong);
	struct expansion x = {.pattern = &p, .root = dirfd, .out = out, .with_dirs = with_dirs};
	*vec_push(&x.pending) = (struct pending){mem_dup("", 0), closure(&p, 1), 1};
	bool ok = true;
	while (ok && x.pending.len) {
		struct pending dir = x.pending.ptr[--x.pending.len];
		ok = expand_dir(&x, &dir, err);
		free(dir.path);
	}
	for (size_t i = 0; i < x.pending.len; i++)
		free(x.pending.ptr[i].path);
	vec_finish(&x.pending);
	buf_finish(&x.path);
	if (ok)
		fs_list_sort(out);
	else
		fs_list_finish(out);
	return ok;
}

bool fs_glob(int dirfd, str pattern, struct fs_list *out, struct err *err)
{
	return expand(dirfd, pattern, false, out, err);
}

bool fs_glob_dirs(int dirfd, str pattern, struct fs_list *out, struct err *err)
{
	return expand(dirfd, pattern, true, out, err);
}
