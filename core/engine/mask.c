/* mask: see mask.h. */
#include "engine/mask.h"

#include "base/mem.h"
#include "base/vec.h"

#include <stdlib.h>

struct mask {
	VEC(struct buf) patterns; /* longest first */
	bool starts[256];         /* whether a pattern begins with this byte */
};

static void add(struct mask *mask, str pattern)
{
	if (pattern.len < MASK_SHORTEST)
		return;
	size_t at = 0;
	while (at < mask->patterns.len && mask->patterns.ptr[at].len > pattern.len)
		at++;
	for (size_t i = 0; i < mask->patterns.len; i++) {
		if (str_eq(buf_str(&mask->patterns.ptr[i]), pattern))
			return;
	}
	vec_push(&mask->patterns);
	memmove(&mask->patterns.ptr[at + 1], &mask->patterns.ptr[at],
		(mask->patterns.len - at - 1) * sizeof(*mask->patterns.ptr));
	mask->patterns.ptr[at] = (struct buf){0};
	buf_add(&mask->patterns.ptr[at], pattern);
	mask->starts[(unsigned char)pattern.ptr[0]] = true;
}

/* The characters of base64 that depend on the value alone when `lead` other bytes stand in front of it. */
static void add_base64(struct mask *mask, str value, size_t lead, const char *alphabet)
{
	struct buf out = {0};
	size_t bits = (lead + value.len) * 8;
	size_t first = (lead * 8 + 5) / 6;
	size_t last = bits / 6;
	for (size_t c = first; c < last; c++) {
		unsigned six = 0;
		for (size_t b = c * 6; b < c * 6 + 6; b++) {
			size_t at = b - lead * 8;
			unsigned bit = (unsigned char)value.ptr[at / 8] >> (7 - at % 8) & 1;
			six = six << 1 | bit;
		}
		buf_add_char(&out, alphabet[six]);
	}
	if (out.len >= MASK_SHORTEST + 2)
		add(mask, buf_str(&out));
	buf_finish(&out);
}

/* All of it, with its padding. */
static void add_whole_base64(struct mask *mask, str value, const char *alphabet)
{
	struct buf out = {0};
	for (size_t i = 0; i < value.len; i += 3) {
		uint32_t bits = 0;
		size_t n = value.len - i < 3 ? value.len - i : 3;
		for (size_t k = 0; k < 3; k++)
			bits = bits << 8 | (k < n ? (unsigned char)value.ptr[i + k] : 0u);
		for (size_t k = 0; k <= n; k++)
			buf_add_char(&out, alphabet[bits >> (18 - 6 * k) & 63]);
	}
	add(mask, buf_str(&out));
	buf_finish(&out);
}

static bool is_unreserved(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_' || c == '.' || c == '~';
}

static void add_url(struct mask *mask, str value, bool lower, bool plus)
{
	struct buf out = {0};
	for (size_t i = 0; i < value.len; i++) {
		char c = value.ptr[i];
		if (is_unreserved(c))
			buf_add_char(&out, c);
		else if (plus && c == ' ')
			buf_add_char(&out, '+');
		else
			buf_printf(&out, lower ? "%%%02x" : "%%%02X", (unsigned char)c);
	}
	add(mask, buf_str(&out));
	buf_finish(&out);
}

struct mask *mask_create(const str *values, size_t count)
{
	static const char plain[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	static const char url[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	struct mask *mask = mem_zalloc(sizeof(*mask));
	for (size_t i = 0; i < count; i++) {
		if (values[i].len < MASK_SHORTEST)
			continue;
		add(mask, values[i]);
		add_whole_base64(mask, values[i], plain);
		add_whole_base64(mask, values[i], url);
		for (size_t lead = 0; lead < 3; lead++) {
			add_base64(mask, values[i], lead, plain);
			add_base64(mask, values[i], lead, url);
		}
		for (int k = 0; k < 4; k++)
			add_url(mask, values[i], k & 1, k & 2);
	}
	if (mask->patterns.len)
		return mask;
	mask_destroy(mask);
	return NULL;
}

void mask_destroy(struct mask *mask)
{
	if (!mask)
		return;
	for (size_t i = 0; i < mask->patterns.len; i++)
		buf_finish(&mask->patterns.ptr[i]);
	vec_finish(&mask->patterns);
	free(mask);
}

/* The length of the longest pattern that begins text, or 0; *maybe: text is the beginning of a longer one. */
static size_t match(const struct mask *mask, str text, bool *maybe)
{
	*maybe = false;
	if (!mask->starts[(unsigned char)text.ptr[0]])
		return 0;
	for (size_t i = 0; i < mask->patterns.len; i++) {
		str pattern = buf_str(&mask->patterns.ptr[i]);
		if (str_starts(text, pattern))
			return pattern.len;
		*maybe = *maybe || str_starts(pattern, text);
	}
	return 0;
}

static void scan(const struct mask *mask, struct buf *held, str text, bool is_end, struct buf *out)
{
	size_t plain = 0; /* bytes before here are written */
	size_t at = 0;
	while (at < text.len) {
		bool maybe = false;
		size_t len = match(mask, str_slice(text, at, text.len), &maybe);
		/* Also where a shorter secret is there: the end of the longer one would be told. */
		if (maybe && !is_end)
			break;
		if (!len) {
			at++;
			continue;
		}
		buf_add(out, str_slice(text, plain, at));
		buf_add_z(out, MASK_TEXT);
		at += len;
		plain = at;
	}
	buf_add(out, str_slice(text, plain, at));
	struct buf rest = {0};
	buf_add(&rest, str_slice(text, at, text.len));
	buf_finish(held);
	*held = rest;
}

void mask_feed(const struct mask *mask, struct buf *held, str bytes, struct buf *out)
{
	if (!held->len) {
		scan(mask, held, bytes, false, out);
		return;
	}
	buf_add(held, bytes);
	struct buf all = *held;
	*held = (struct buf){0};
	scan(mask, held, buf_str(&all), false, out);
	buf_finish(&all);
}

void mask_flush(const struct mask *mask, struct buf *held, struct buf *out)
{
	struct buf all = *held;
	*held = (struct buf){0};
	scan(mask, held, buf_str(&all), true, out);
	buf_finish(&all);
	buf_finish(held);
}

void mask_text(const struct mask *mask, str text, struct buf *out)
{
	struct buf held = {0};
	if (!mask) {
		buf_add(out, text);
		return;
	}
	scan(mask, &held, text, true, out);
	buf_finish(&held);
}
