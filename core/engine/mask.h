/* mask: takes secrets out of what nodes print, before anything of it is stored or shown.  A value is found as it is, in
 * base64 (at any of its three alignments) and URL-encoded; values shorter than MASK_SHORTEST bytes are left alone, since they
 * would be found everywhere. */
#ifndef ENGINE_MASK_H
#define ENGINE_MASK_H

#include "base/buf.h"

#define MASK_SHORTEST 4
#define MASK_TEXT     "***"

struct mask;

/* NULL where none of the values is worth masking. */
struct mask *mask_create(const str *values, size_t count);
void mask_destroy(struct mask *mask); /* accepts NULL */

/* Appends to *out what can be told of `held` + bytes; what may be the beginning of a secret stays in *held. */
void mask_feed(const struct mask *mask, struct buf *held, str bytes, struct buf *out);

/* The rest at the end of a stream. */
void mask_flush(const struct mask *mask, struct buf *held, struct buf *out);

/* A whole text at once; mask may be NULL. */
void mask_text(const struct mask *mask, str text, struct buf *out);

#endif
