/* json: RFC 8259 in and out of value trees.  Strict: no comments, no trailing commas, no duplicate keys, valid UTF-8;
 * lone surrogates escaped as \uD800 are refused with a place. */
#ifndef DATA_JSON_H
#define DATA_JSON_H

#include "base/buf.h"
#include "data/value.h"

#define JSON_MAX_DEPTH 512

/* The tree lives in `arena`; strings without escapes borrow from `text`, which must outlive it.  NULL and *err
 * (E-JSON-SYNTAX with line and column in err->at and the offending text in the message) where it is not JSON. */
const struct value *json_parse(struct arena *arena, str text, struct err *err);

/* What stands between the fences where the whole text, but for white space around it, is one fenced block ("```json", line
 * feed, ..., line feed, "```", or without the word); else the text. */
str json_unfence(str text);

/* Compact, members in the order of the tree. */
void json_write(struct buf *out, const struct value *value);

/* Compact and canonical: members sorted by key bytes.  What is hashed. */
void json_write_canonical(struct buf *out, const struct value *value);

/* Indented by two spaces, for people. */
void json_write_pretty(struct buf *out, const struct value *value);

/* A quoted string.  Bytes that are not valid UTF-8 become U+FFFD. */
void json_write_string(struct buf *out, str text);

#endif
