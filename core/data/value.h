/* value: what YAML and JSON documents become: an immutable tree in an arena that remembers where it was written.  Numbers
 * keep their text, so 9007199254740993 and 1.50 stay what the author wrote. */
#ifndef DATA_VALUE_H
#define DATA_VALUE_H

#include "base/arena.h"
#include "base/err.h"

enum value_kind { VALUE_NULL, VALUE_BOOL, VALUE_NUMBER, VALUE_STRING, VALUE_LIST, VALUE_MAP };

struct value_member;

struct value {
	enum value_kind kind;
	uint32_t line; /* 1, 2, ...; 0: not from a file */
	uint32_t col;  /* in bytes, 1, 2, ... */
	uint32_t len;  /* bytes of the scalar as written; 0 for collections */
	union {
		bool boolean;
		str text; /* VALUE_STRING: its bytes; VALUE_NUMBER: a JSON number */
		struct {
			struct value *items;
			size_t count;
		} list;
		struct {
			struct value_member *items; /* in the order written */
			size_t count;
		} map;
	} as;
	/* How a YAML string was written, for those who point into it: 0 plain, '\'' or '"', '|' or '>'. */
	char style;
};

struct value_member {
	str key;
	uint32_t line;
	uint32_t col;
	struct value value;
};

static inline struct place value_place(const struct value *value, const char *file)
{
	return (struct place){file, value->line, value->col, value->len};
}

/* The member's value, or NULL; value may be NULL or of any kind. */
const struct value *value_get(const struct value *value, str key);

/* Follows "a.b.0" through maps and lists; NULL where it ends.  The empty path is the value itself. */
const struct value *value_path(const struct value *value, str path);

/* "a string", "a list", ...: what to call it in an error. */
const char *value_kind_name(enum value_kind kind);

/* Deep equality: maps as sets, numbers by value (1.0 equals 1). */
bool value_equal(const struct value *a, const struct value *b);

struct value value_string(str text);
struct value value_number_u64(struct arena *arena, uint64_t number);

/* The number as a double; false where the text is not a finite number. */
bool value_to_double(const struct value *value, double *out);

#endif
