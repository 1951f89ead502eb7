/* textdiff: longest common subsequence of lines, between what begins and what ends both texts.  See textdiff.h. */
#include "cli/textdiff.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "cli/rows.h"
#include "store/cas.h"

#include <stdlib.h>
#include <unistd.h>

#define BLOB_LIMIT  ((uint64_t)1 << 20)
/* Cells of the table; beyond, what is between is shown as replaced. */
#define TABLE_LIMIT ((size_t)4 << 20)
#define CONTEXT     2

struct lines {
	VEC(str) list;
};

enum edit_kind { EDIT_SAME, EDIT_GONE, EDIT_NEW };
struct edit {
	enum edit_kind kind;
	str line;
};

struct script {
	VEC(struct edit) edits;
};

static void split(struct lines *out, str text)
{
	str line = STR("");
	while (str_line(&text, &line))
		*vec_push(&out->list) = line;
}

static void push(struct script *script, enum edit_kind kind, str line)
{
	*vec_push(&script->edits) = (struct edit){kind, line};
}

/* Lines a[0..n) against b[0..m). */
static void compare(struct script *script, const str *a, size_t n, const str *b, size_t m)
{
	size_t i = 0;
	size_t j = 0;
	if (n && m && m + 1 <= TABLE_LIMIT / (n + 1)) {
		/* best[i][j]: the length of what a[i..] and b[j..] have in common. */
		uint32_t *best = mem_zalloc((n + 1) * (m + 1) * sizeof(*best));
		for (size_t x = n; x-- > 0;) {
			for (size_t y = m; y-- > 0;) {
				uint32_t down = best[(x + 1) * (m + 1) + y];
				uint32_t right = best[x * (m + 1) + y + 1];
				best[x * (m + 1) + y] =
					str_eq(a[x], b[y]) ? best[(x + 1) * (m + 1) + y + 1] + 1
					: down > right     ? down
							   : right;
			}
		}
		while (i < n && j < m) {
			if (str_eq(a[i], b[j])) {
				push(script, EDIT_SAME, a[i]);
				i++, j++;
			} else if (best[(i + 1) * (m + 1) + j] >= best[i * (m + 1) + j + 1]) {
				push(script, EDIT_GONE, a[i++]);
			} else {
				push(script, EDIT_NEW, b[j++]);
			}
		}
		free(best);
	}
	while (i < n)
		push(script, EDIT_GONE, a[i++]);
	while (j < m)
		push(script, EDIT_NEW, b[j++]);
}

static void make_script(struct script *script, const struct lines *a, const struct lines *b)
{
	size_t n = a->list.len;
	size_t m = b->list.len;
	size_t head = 0;
	size_t tail = 0;
	while (head < n && head < m && str_eq(a->list.ptr[head], b->list.ptr[head]))
		push(script, EDIT_SAME, a->list.ptr[head++]);
	while (tail < n - head && tail < m - head &&
		str_eq(a->list.ptr[n - 1 - tail], b->list.ptr[m - 1 - tail]))
		tail++;
	if (n > head + tail || m > head + tail)
		compare(script, a->list.ptr + head, n - head - tail, b->list.ptr + head,
			m - head - tail);
	for (size_t i = n - tail; i < n; i++)
		push(script, EDIT_SAME, a->list.ptr[i]);
}

/* Whether a line is so near a change that it is shown. */
static bool is_near(const struct script *script, size_t at)
{
	size_t from = at > CONTEXT ? at - CONTEXT : 0;
	for (size_t i = from; i <= at + CONTEXT && i < script->edits.len; i++) {
		if (script->edits.ptr[i].kind != EDIT_SAME)
			return true;
	}
	return false;
}

static void print(struct cli *cli, struct buf *out, const struct script *script, const char *indent,
	size_t most)
{
	static const char *const marks[] = {"  ", "- ", "+ "};
	const enum color colors[] = {COLOR_DIM, COLOR_RED, COLOR_GREEN};
	const char *off = talk_color(cli, false, COLOR_NONE);
	size_t shown = 0;
	size_t left = 0;
	bool is_gap = false;
	for (size_t i = 0; i < script->edits.len; i++) {
		const struct edit *edit = &script->edits.ptr[i];
		if (edit->kind == EDIT_SAME && !is_near(script, i)) {
			is_gap = shown > 0;
			continue;
		}
		if (shown >= most) {
			left += edit->kind != EDIT_SAME;
			continue;
		}
		if (is_gap)
			buf_printf(out, "%s  …\n", indent);
		is_gap = false;
		buf_printf(out, "%s%s%s", indent, talk_color(cli, false, colors[edit->kind]),
			marks[edit->kind]);
		buf_add_visible(out, str_slice(edit->line, 0, 400));
		buf_printf(out, "%s%s\n", edit->line.len > 400 ? "…" : "", off);
		shown++;
	}
	if (left)
		buf_printf(out, "%s… %zu more line%s\n", indent, left,
			left == 1 ? " differs" : "s differ");
}

static bool is_text(str bytes)
{
	return str_find_char(bytes, '\0', 0) == SIZE_MAX && utf8_invalid_at(bytes) == SIZE_MAX;
}

void textdiff_write(
	struct cli *cli, struct buf *out, str then, str now, const char *indent, size_t most)
{
	struct lines a = {0};
	struct lines b = {0};
	struct script script = {0};
	if (str_eq(then, now))
		return;
	if (!is_text(then) || !is_text(now)) {
		buf_printf(out, "%s%s and %s of bytes that are not text\n", indent,
			rows_size(cli, then.len), rows_size(cli, now.len));
		return;
	}
	split(&a, then);
	split(&b, now);
	make_script(&script, &a, &b);
	print(cli, out, &script, indent, most);
	if (a.list.len == b.list.len && str_eq(str_trim(then), str_trim(now)) &&
		then.len != now.len)
		buf_printf(out, "%sonly the newline at the end differs\n", indent);
	vec_finish(&script.edits);
	vec_finish(&a.list);
	vec_finish(&b.list);
}

static bool read_blob(
	struct store *store, const struct digest *digest, struct buf *out, const char **why)
{
	struct err err = {0};
	uint64_t size = 0;
	int fd = cas_open(store, digest, &size, &err);
	bool ok = fd >= 0;
	*why = ok ? NULL : "it is no longer stored";
	if (ok && size > BLOB_LIMIT) {
		*why = "too large to compare by lines";
		ok = false;
	}
	if (fd >= 0)
		close(fd);
	ok = ok && cas_get(store, digest, out, &err);
	err_finish(&err);
	return ok;
}

void textdiff_blobs(struct cli *cli, struct store *store, struct buf *out,
	const struct digest *then, const struct digest *now, size_t most)
{
	struct buf a = {0};
	struct buf b = {0};
	const char *why = NULL;
	if (!read_blob(store, then, &a, &why) || !read_blob(store, now, &b, &why))
		buf_printf(out, "      (%s)\n", why);
	else
		textdiff_write(cli, out, buf_str(&a), buf_str(&b), "      ", most);
	buf_finish(&a);
	buf_finish(&b);
}
