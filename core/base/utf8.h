/* UTF-8 as in RFC 3629: no surrogates, no overlong forms, at most U+10FFFF. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/str.h"

/* Decodes the first character of s into *code.  Gives its length in bytes, or 0 where s is empty or invalid. */
size_t utf8_decode(str s, uint32_t *code);

/* Writes code (a scalar value) into out and gives the number of bytes, 1 to 4. */
size_t utf8_encode(uint32_t code, char out[4]);

/* The offset of the first byte that is not valid UTF-8, or SIZE_MAX when all of it is. */
size_t utf8_invalid_at(str s);

/* Characters that change how a terminal orders or hides text: bidirectional controls, zero width, BOM. */
bool utf8_is_format(uint32_t code);

/* The columns that s takes on a terminal: 0 for combining marks, 2 for wide East Asian and emoji, else 1. */
size_t utf8_width(str s);

#endif
