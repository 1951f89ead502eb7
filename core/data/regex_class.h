/* regex_class: escapes and character classes of a pattern; for regex.c alone. */
#ifndef DATA_REGEX_CLASS_H
#define DATA_REGEX_CLASS_H

#include "base/err.h"
#include "base/vec.h"
#include "data/regex_program.h"

struct regex_reader {
	str text; /* valid UTF-8 */
	size_t at;
	struct err *err;
};

/* The byte at the reader's place, or -1 at the end. */
static inline int regex_peek(const struct regex_reader *in)
{
	return in->at < in->text.len ? (unsigned char)in->text.ptr[in->at] : -1;
}

/* E-REGEX-SYNTAX with the pattern and the place; gives false. */
bool regex_fail(struct regex_reader *in, size_t at, const char *what);

/* Takes one character. */
uint32_t regex_read_code(struct regex_reader *in);

struct regex_escape {
	char set; /* one of dDwWsS, or '\0': it is a character */
	uint32_t code;
};

/* Takes an escape, the backslash first. */
bool regex_read_escape(struct regex_reader *in, bool in_class, struct regex_escape *out);

struct regex_classes {
	VEC(struct regex_class) list;
	VEC(struct regex_range) ranges;
	uint32_t named[128]; /* index + 1 of the class of \d and so on, once it was made */
};

void regex_classes_finish(struct regex_classes *classes);

/* The index of the class of \d \D \w \W \s \S or '.', made once. */
uint32_t regex_class_named(struct regex_classes *classes, char name);

/* Takes [...]. */
bool regex_class_parse(struct regex_classes *classes, struct regex_reader *in, uint32_t *index);

#endif
