/* schema: JSON Schema, a draft-7 subset.  A word that is not claimed is an error when the schema is compiled, never
 * ignored.  Claimed: type enum const properties required additionalProperties patternProperties propertyNames
 * minProperties maxProperties dependencies items additionalItems contains minItems maxItems uniqueItems minLength
 * maxLength pattern minimum maximum exclusiveMinimum exclusiveMaximum multipleOf allOf anyOf oneOf not if then else
 * $ref (within the document) definitions, and the annotations $schema $id $comment title description default examples
 * format readOnly writeOnly.  $id stands at the root only; what draft-7 ignores (words beside $ref, then without if) is a
 * warning.  Numbers compare exactly at any size; multipleOf has at most 18 significant digits. */
#ifndef DATA_SCHEMA_H
#define DATA_SCHEMA_H

#include "base/buf.h"
#include "data/value.h"

struct schema; /* lives in the arena that it was compiled into; borrows from the value */

/* NULL and diags (E-SCHEMA-*) where the schema is wrong; all problems at once, at the places of `value` in `file`. */
const struct schema *schema_compile(
	struct arena *arena, const struct value *value, const char *file, struct diags *diags);

/* Checks a value.  Each violation is one diag: code E-SCHEMA-MISMATCH, place of the offending value (in `file`), message
 * "items.0.name: is a number, not a string".  True where there is none.  At most `max` are reported (0: all). */
bool schema_check(const struct schema *schema, const struct value *value, const char *file,
	size_t max, struct diags *diags);

/* Whether a path such as "a.b.0" may be absent by this schema (declared, not required), for `when` and references: an
 * optional field that is not there reads as empty. */
bool schema_is_optional(const struct schema *schema, str path);

/* An ECMA-262-style regular expression over a subject: *matched.  False and *err (E-REGEX-SYNTAX, E-REGEX-BUDGET) where
 * the pattern is not one or the match takes too many steps.  Also used by `ensure: matches`. */
bool schema_regex(str pattern, str subject, bool *matched, struct err *err);

#endif
