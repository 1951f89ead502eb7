/* ref: references to other nodes' outputs, inputs and loop state, as they stand in workflow text.
 *
 *     $id.output   $id.output.a.b.0   ${id.output.a}   $id.state   $INPUTS.name   ${INPUTS.name.a}   $LOOP_PREV.id.output
 *     $ARGUMENTS  $USER_MESSAGE  $ARTIFACTS_DIR  $STATE_DIR  $RUN_ID  $WORKFLOW_ID  $PROJECT_DIR
 *
 * \$id.output is literal.  One pass: values are never expanded again.  Pure: it does not know which nodes there are; who
 * calls says so through `known`. */
#ifndef DATA_REF_H
#define DATA_REF_H

#include "base/buf.h"
#include "data/value.h"

enum ref_kind { REF_OUTPUT, REF_STATE, REF_INPUT, REF_LOOP_PREV, REF_VARIABLE };

struct ref {
	enum ref_kind kind;
	str name; /* node id, input name or variable name; part of the text */
	str path; /* "a.b.0" behind .output, or in braces behind an input's name; or empty */
	size_t start; /* bytes [start, end) of the text, from the '$' (or the backslash, if escaped) on */
	size_t end;
	bool escaped; /* \$...: literal, nothing to resolve */
	bool braced;
};

/* Finds the next reference at or after *at, moves *at behind it; false when there is none.  Purely lexical: "$a.output" is
 * found whatever `a` is. "$NAME" without a dot is found only when it is one of the workflow variables. */
bool ref_next(str text, size_t *at, struct ref *out);

/* The reference whose '$' is text.ptr[at], never an escaped one: for lexers that know their own escapes. */
bool ref_at(str text, size_t at, struct ref *out);

/* ".a.b.0" at *at: segments of id characters, each behind a dot.  Moves *at behind them; empty where there is none. */
str ref_take_path(str text, size_t *at);

/* Finds the next "$id.WORD" at or after *at that is no reference but like one, "$a.outptu"; moves *at behind it and gives
 * `*meant`, "output" or "state".  Only `name`, `start` and `end` of *out are set. */
bool ref_next_slip(str text, size_t *at, struct ref *out, str *meant);

/* As an author would write it: "$n.output.a", in `buf`. */
void ref_write(struct buf *out, const struct ref *ref);

/* The whole text is one reference and nothing else. */
bool ref_is_whole(str text, struct ref *out);

/* How to get values: gives the exact bytes of a reference's value as text, or false with *err. `bytes` lives as long as
 * the resolver says. */
struct ref_resolver {
	void *ctx;
	bool (*text)(void *ctx, const struct ref *ref, str *bytes, struct err *err);
};

/* Expands every reference of plain text into *out; escaped ones lose their backslash.  A variable is left as it stands
 * where the resolver gives false without an error. */
bool ref_expand(str text, const struct ref_resolver *resolver, struct buf *out, struct err *err);

/* A typed value as the text that a reference yields: strings as they are, everything else as compact JSON, null as "". */
void ref_value_text(struct buf *out, const struct value *value);

#endif
