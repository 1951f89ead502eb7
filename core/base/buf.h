/* buf: a growing byte string that its user owns.  `ptr` is never NULL once something was appended or buf_cstr
 * was called, and ptr[len] is always NUL then.  {0} is an empty buf; buf_finish accepts it. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/str.h"

#include <stdarg.h>

struct buf {
	char *ptr;
	size_t len;
	size_t cap;
};

void buf_finish(struct buf *buf);
void buf_clear(struct buf *buf);
void buf_reserve(struct buf *buf, size_t extra);
void buf_add(struct buf *buf, str s);
void buf_add_z(struct buf *buf, const char *z);
void buf_add_char(struct buf *buf, char c);
void buf_add_u64(struct buf *buf, uint64_t value);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *buf, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

/* Appends lower-case hexadecimal digits. */
void buf_add_hex(struct buf *buf, const void *bytes, size_t n);

/* Appends with every control character but LF and tab made visible (^[ for escape), so that text of a stranger
 * cannot drive a terminal.  Invalid UTF-8 becomes \xNN. */
void buf_add_visible(struct buf *buf, str s);

/* The bytes as a NUL-terminated string; valid until the next change. */
const char *buf_cstr(struct buf *buf);

static inline str buf_str(const struct buf *buf)
{
	return str_make(buf->ptr, buf->len);
}

/* Hands the heap bytes over (never NULL) and leaves the buf empty; the caller frees them. */
char *buf_take(struct buf *buf);

#endif
