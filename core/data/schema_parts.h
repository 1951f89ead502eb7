/* schema_parts: what a compiled schema is; between schema_compile.c and schema_words.c, which make it, and
 * schema_check.c, schema_scalar.c and schema.c, which read it. */
#ifndef DATA_SCHEMA_PARTS_H
#define DATA_SCHEMA_PARTS_H

#include "base/map.h"
#include "base/vec.h"
#include "data/decimal.h"
#include "data/regex.h"
#include "data/schema.h"

/* How deep schemas, the chains of words that test one value, and values may be nested; and how many tests and
 * comparisons one check may make: a schema of a few lines can ask for more than anybody can wait for. */
#define SCHEMA_MAX_DEPTH 512
#define SCHEMA_MAX_CALLS 2048
#define SCHEMA_MAX_STEPS 100000000u

enum schema_type {
	SCHEMA_NULL = 1,
	SCHEMA_BOOLEAN = 2,
	SCHEMA_INTEGER = 4,
	SCHEMA_NUMBER = 8,
	SCHEMA_STRING = 16,
	SCHEMA_ARRAY = 32,
	SCHEMA_OBJECT = 64,
};

struct schema_list {
	const struct schema **items;
	size_t count;
};

struct schema_property {
	str name;
	const struct schema *schema;
};

struct schema_properties {
	struct schema_property *items; /* sorted by name */
	size_t count;
};

struct schema_pattern {
	str text;
	const struct regex *regex;
	const struct schema *schema; /* patternProperties only */
};

struct schema_names {
	str *items;
	size_t count;
};

struct schema_dependency {
	str name;
	struct schema_names required;
	const struct schema *schema; /* NULL: `required` says it */
};

struct schema_bound {
	bool is_set;
	str text;
	struct decimal number;
};

struct schema_count {
	bool is_set;
	uint64_t number;
};

/* Absent words are NULL, empty or not set. */
struct schema {
	const struct value *source;
	size_t index;             /* of all schemas of the document */
	bool is_never;            /* `false` */
	unsigned types;           /* a set of schema_type; 0: any */
	const struct schema *ref; /* then nothing else is set */

	const struct value *one_value; /* const */
	const struct value *values;    /* enum */

	struct schema_properties properties;
	struct schema_pattern *patterns;
	size_t pattern_count;
	const struct schema *additional_properties;
	const struct schema *property_names;
	struct schema_names required;
	struct schema_dependency *dependencies;
	size_t dependency_count;
	struct schema_count min_properties;
	struct schema_count max_properties;

	const struct schema *items; /* of a list of any length */
	struct schema_list tuple;   /* or one each */
	bool is_tuple;
	const struct schema *additional_items;
	const struct schema *contains;
	struct schema_count min_items;
	struct schema_count max_items;
	bool is_unique;

	struct schema_count min_length;
	struct schema_count max_length;
	struct schema_pattern pattern;

	struct schema_bound minimum;
	struct schema_bound maximum;
	struct schema_bound above; /* exclusiveMinimum */
	struct schema_bound below; /* exclusiveMaximum */
	struct schema_bound multiple_of;

	struct schema_list all_of;
	struct schema_list any_of;
	struct schema_list one_of;
	const struct schema *negated;   /* not */
	const struct schema *condition; /* if */
	const struct schema *then;
	const struct schema *otherwise; /* else */
};

/* The i-th of the schemas that test the same value as this one ($ref, allOf, if, ...); NULL behind the last. */
const struct schema *schema_beside(const struct schema *schema, size_t i);

const struct schema *schema_property(const struct schema *schema, str name);

/* ---- compiling ---- */

struct schema_compiler {
	struct arena *arena;
	const char *file;
	struct diags *diags;
	const struct value *root;
	struct map known; /* the address of a value -> its schema */
	VEC(struct schema *) all;
	VEC(struct schema *) refs; /* whose `ref` is still to be found */
	size_t depth;
};

/* The schema of a value, compiled if it was not yet.  Never NULL; what is wrong is in diags. */
const struct schema *schema_compile_value(struct schema_compiler *c, const struct value *value);

/* Reads every word of a schema that is a map. */
void schema_read_words(struct schema_compiler *c, struct schema *schema);

/* Adds an error at a value. */
struct err *schema_problem(struct schema_compiler *c, const struct value *at, const char *code,
	const char *format, ...) __attribute__((format(printf, 4, 5)));

/* ---- checking ---- */

/* Where in the value we are. */
struct schema_where {
	const struct schema_where *up; /* NULL: the whole value */
	str key;                       /* ptr NULL: an element of a list */
	size_t index;
	bool is_name; /* it is the key itself that is tested */
};

struct schema_run {
	const char *file;
	struct diags *diags;
	size_t max; /* how many violations are wanted; 0: all */
	size_t reported;
	size_t calls;
	uint64_t steps;
	bool is_quiet;   /* only whether, not what: do not report */
	bool is_aborted; /* a limit was passed, which was reported */
};

/* Reports a violation (unless the run is quiet) and gives false. */
bool schema_mismatch(struct schema_run *run, const struct schema_where *where,
	const struct value *value, const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Ends the run with an error that is no violation, e.g. E-SCHEMA-BUDGET; gives false. */
bool schema_abort(struct schema_run *run, const struct value *value, struct err *err);

/* Counts work done; false once it was too much. */
bool schema_count(struct schema_run *run, const struct value *value, uint64_t steps);

/* The words that need no other schema: type, const, enum, numbers, strings. */
bool schema_check_scalar(struct schema_run *run, const struct schema *schema,
	const struct schema_where *where, const struct value *value);

/* Whether the value is of one of the types; 0 is all. */
bool schema_is_type(unsigned types, const struct value *value);

#endif
