/* buf: building byte strings.  See buf.h. */
#include "base/buf.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <stdio.h>
#include <stdlib.h>

void buf_finish(struct buf *buf)
{
	free(buf->ptr);
	*buf = (struct buf){0};
}

void buf_clear(struct buf *buf)
{
	buf->len = 0;
	if (buf->ptr)
		buf->ptr[0] = '\0';
}

void buf_reserve(struct buf *buf, size_t extra)
{
	size_t need = buf->len + extra + 1;
	if (need <= buf->cap)
		return;
	size_t cap = buf->cap ? buf->cap : 64;
	while (cap < need)
		cap = mem_mul(cap, 2);
	buf->ptr = mem_realloc(buf->ptr, cap);
	buf->cap = cap;
	buf->ptr[buf->len] = '\0';
}

void buf_add(struct buf *buf, str s)
{
	buf_reserve(buf, s.len);
	if (s.len)
		memcpy(buf->ptr + buf->len, s.ptr, s.len);
	buf->len += s.len;
	buf->ptr[buf->len] = '\0';
}

void buf_add_z(struct buf *buf, const char *z)
{
	buf_add(buf, str_of(z));
}

void buf_add_char(struct buf *buf, char c)
{
	buf_add(buf, (str){&c, 1});
}

void buf_add_u64(struct buf *buf, uint64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);
	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	buf_add(buf, (str){digits + at, sizeof(digits) - at});
}

void buf_vprintf(struct buf *buf, const char *format, va_list args)
{
	va_list again;
	va_copy(again, args);
	int n = vsnprintf(NULL, 0, format, args);
	if (n > 0) {
		buf_reserve(buf, (size_t)n);
		vsnprintf(buf->ptr + buf->len, (size_t)n + 1, format, again);
		buf->len += (size_t)n;
	}
	va_end(again);
}

void buf_printf(struct buf *buf, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	buf_vprintf(buf, format, args);
	va_end(args);
}

void buf_add_hex(struct buf *buf, const void *bytes, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *p = bytes;
	buf_reserve(buf, 2 * n);
	for (size_t i = 0; i < n; i++) {
		buf->ptr[buf->len++] = digits[p[i] >> 4];
		buf->ptr[buf->len++] = digits[p[i] & 15];
	}
	buf->ptr[buf->len] = '\0';
}

void buf_add_visible(struct buf *buf, str s)
{
	for (size_t i = 0; i < s.len;) {
		unsigned char c = (unsigned char)s.ptr[i];
		uint32_t code = 0;
		size_t n = utf8_decode(str_slice(s, i, s.len), &code);
		if (!n) {
			buf_printf(buf, "\\x%02x", c);
			i++;
			continue;
		}
		if (code == '\n' || code == '\t')
			buf_add_char(buf, (char)code);
		else if (code < 0x20 || code == 0x7f)
			buf_printf(buf, "^%c", (int)(code ^ 0x40));
		else if ((code >= 0x80 && code < 0xa0) || utf8_is_format(code))
			buf_printf(buf, "<U+%04X>", (unsigned)code);
		else
			buf_add(buf, str_slice(s, i, i + n));
		i += n;
	}
}

const char *buf_cstr(struct buf *buf)
{
	buf_reserve(buf, 0);
	return buf->ptr;
}

char *buf_take(struct buf *buf)
{
	buf_reserve(buf, 0);
	char *ptr = buf->ptr;
	*buf = (struct buf){0};
	return ptr;
}
