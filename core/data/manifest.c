/* manifest: writing and parsing lists of artifacts.  See manifest.h. */
#include "data/manifest.h"

#include "data/netstr.h"

#include <stdlib.h>

static int compare(const void *a, const void *b)
{
	const struct artifact *x = a;
	const struct artifact *y = b;
	if (x->root != y->root)
		return x->root < y->root ? -1 : 1;
	return str_cmp(x->path, y->path);
}

void manifest_sort(struct manifest *manifest)
{
	if (manifest->list.len)
		qsort(manifest->list.ptr, manifest->list.len, sizeof(*manifest->list.ptr), compare);
}

static bool has_mode(enum artifact_kind kind)
{
	return kind == ARTIFACT_FILE || kind == ARTIFACT_DIR;
}

void manifest_write(struct buf *out, const struct manifest *manifest)
{
	for (size_t i = 0; i < manifest->list.len; i++) {
		const struct artifact *a = &manifest->list.ptr[i];
		buf_printf(out, "%c %c", (char)a->root, (char)a->kind);
		if (has_mode(a->kind))
			buf_printf(out, " %o", a->mode);
		if (a->kind == ARTIFACT_FILE) {
			buf_add_char(out, ' ');
			buf_add_u64(out, a->size);
			buf_add_char(out, ' ');
			digest_add_hex(out, &a->digest);
		}
		if (a->kind == ARTIFACT_LINK)
			netstr_add(out, a->target);
		netstr_add(out, a->path);
		buf_add_char(out, '\n');
	}
}

/* The next word, behind the space in front of it. */
static bool take_word(str *rest, str *word)
{
	netstr_take_char(rest, ' ');
	return netstr_take_word(rest, word);
}

static bool take_mode(str *rest, uint32_t *mode)
{
	str word = STR("");
	return take_word(rest, &word) && netstr_octal(word, 4, mode);
}

/* A path that stays below its root: relative, no empty, `.` or `..` part, no NUL. */
static bool is_inside(str path)
{
	str rest = path;
	str part = STR("");
	if (!path.len || str_find_char(path, '\0', 0) != SIZE_MAX)
		return false;
	while (str_split(&rest, '/', &part)) {
		if (!part.len || str_is(part, ".") || str_is(part, ".."))
			return false;
	}
	return true;
}

static bool parse_line(str *rest, struct artifact *a)
{
	str word = STR("");
	if (!take_word(rest, &word) || (!str_is(word, "A") && !str_is(word, "P")))
		return false;
	a->root = (enum artifact_root)word.ptr[0];
	if (!take_word(rest, &word) || word.len != 1 || !strchr("fldx", word.ptr[0]))
		return false;
	a->kind = (enum artifact_kind)word.ptr[0];
	if (has_mode(a->kind) && !take_mode(rest, &a->mode))
		return false;
	if (a->kind == ARTIFACT_FILE &&
		(!take_word(rest, &word) || !str_to_u64(word, &a->size) ||
			!take_word(rest, &word) || !digest_parse(word, &a->digest)))
		return false;
	if (a->kind == ARTIFACT_LINK && !netstr_take_text(rest, &a->target))
		return false;
	return netstr_take_text(rest, &a->path) && is_inside(a->path) &&
	       netstr_take_char(rest, '\n');
}

bool manifest_parse(str text, struct manifest *out)
{
	while (text.len) {
		struct artifact artifact = {.target = STR("")};
		if (!parse_line(&text, &artifact))
			return false;
		*vec_push(&out->list) = artifact;
	}
	return true;
}

/* Sorted: what is in a directory stands behind it, though not next to it ("a", "a-b", "a/c"). */
static bool is_filled(const struct manifest *manifest, size_t i)
{
	const struct artifact *dir = &manifest->list.ptr[i];
	for (size_t k = i + 1; k < manifest->list.len; k++) {
		const struct artifact *a = &manifest->list.ptr[k];
		if (a->root != dir->root || !str_starts(a->path, dir->path))
			return false;
		if (a->path.len > dir->path.len && a->path.ptr[dir->path.len] == '/')
			return true;
	}
	return false;
}

void manifest_to_show(struct manifest *manifest)
{
	size_t kept = 0;
	for (size_t i = 0; i < manifest->list.len; i++) {
		enum artifact_kind kind = manifest->list.ptr[i].kind;
		bool goes =
			kind == ARTIFACT_GONE || (kind == ARTIFACT_DIR && is_filled(manifest, i));
		if (!goes)
			manifest->list.ptr[kept++] = manifest->list.ptr[i];
	}
	manifest->list.len = kept;
}

void manifest_finish(struct manifest *manifest)
{
	vec_finish(&manifest->list);
}
