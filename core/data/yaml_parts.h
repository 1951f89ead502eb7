/* yaml_parts: what the files of the YAML reader share.  Private to yaml*.c. */
#ifndef DATA_YAML_PARTS_H
#define DATA_YAML_PARTS_H

#include "base/buf.h"
#include "data/value.h"
#include "data/yaml.h"

#include <yaml.h>

/* ---- yaml_text.c: the bytes, and where they are ---- */

struct yaml_text {
	str bytes; /* without a byte order mark */
	const char *file;
	VEC(uint32_t) lines; /* where each line begins */
	/* The last mark that was looked up: marks come in order, so the walk along a line is done
	 * once. */
	size_t line;
	size_t chars;
	size_t offset;
};

/* Borrows `bytes`.  False with an error where they are too many, not UTF-8, or hold characters
 * that YAML has not or that libyaml would read otherwise than YAML 1.2 does. */
bool yaml_text_init(struct yaml_text *text, str bytes, const char *file, struct diags *diags);
void yaml_text_finish(struct yaml_text *text);

/* libyaml counts lines and columns from 0, columns in characters. */
size_t yaml_text_offset(struct yaml_text *text, yaml_mark_t mark);

struct place yaml_text_place(const struct yaml_text *text, size_t offset, size_t len);

/* The line (0, 1, ...) without its break; empty past the end. */
str yaml_text_line(const struct yaml_text *text, size_t line);

static inline char yaml_text_at(const struct yaml_text *text, size_t offset)
{
	return offset < text->bytes.len ? text->bytes.ptr[offset] : '\0';
}

/* Behind blanks, line breaks and comments. */
size_t yaml_text_skip(const struct yaml_text *text, size_t offset);

/* ---- yaml_scalar.c: the core schema ---- */

enum yaml_scalar_result {
	YAML_SCALAR_OK,
	YAML_SCALAR_OK_BUT_ZEROS, /* a number that begins with 0, as people write octal numbers and codes */
	YAML_SCALAR_NOT_FINITE, /* .inf, .nan */
	YAML_SCALAR_TOO_LARGE,  /* 0x or 0o past 64 bits */
};

/* Sets kind and as of *out to what a plain scalar means; strings borrow `text`. */
enum yaml_scalar_result yaml_scalar_resolve(struct arena *arena, str text, struct value *out);

/* ---- yaml_explain.c: libyaml's syntax errors in the words of who wrote the file ---- */

/* The scalar before the error. */
struct yaml_last {
	bool is_quoted;
	size_t start;
	size_t end;
};

/* Adds one error to *diags for the error that `parser` stopped with. */
void yaml_explain(const yaml_parser_t *parser, struct yaml_text *text, struct yaml_last last,
	struct diags *diags);

/* Appends `value` in the quotes that need the least change. */
void yaml_explain_quoted(struct buf *out, str value);

#endif
