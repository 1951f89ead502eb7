/* netstr: the words of line-based records: plain words between spaces, and texts of any bytes as "LENGTH:BYTES". */
#ifndef DATA_NETSTR_H
#define DATA_NETSTR_H

#include "base/buf.h"

/* Appends " LENGTH:BYTES". */
void netstr_add(struct buf *out, str text);

/* The word at the beginning of *rest, up to a space or the end of the line, and skips it; false where there is none. */
bool netstr_take_word(str *rest, str *word);

/* One expected character. */
bool netstr_take_char(str *rest, char c);

/* " LENGTH:BYTES" at the beginning of *rest. */
bool netstr_take_text(str *rest, str *text);

/* Permissions in octal, at most `digits` of them. */
bool netstr_octal(str text, size_t digits, uint32_t *mode);

#endif
