/* history: what of a node's past is carried from row to row, because the row of a run replaces the one of its earlier
 * attempt: the failures since it last passed, each with the inputs it had and how often the very same came in a row.  It
 * lives in node_row.extra, as the list "failed", newest first. */
#ifndef ENGINE_HISTORY_H
#define ENGINE_HISTORY_H

#include "base/arena.h"
#include "data/value.h"
#include "store/runs.h"

struct attempt;

struct past_failure {
	int64_t run;
	int64_t count;     /* so many in a row with the same key and the same files; 1: the first */
	int64_t before_ms; /* when the one before ended, or 0 */
	str how;           /* "exit 1" */
	str own;           /* digest of the key without its inputs (hex) */
	const struct value *inputs; /* a list, as in node_row.inputs */
	const struct value *reads;  /* a list of the paths that it was known to read */
};

/* Fills attempt->last and attempt->failed with what was recorded before this attempt; once. */
void history_load(struct attempt *attempt);

/* Whether the node passed in the run before this one: then no failure of it is remembered, and nothing is to be loaded. */
bool history_is_clean(struct attempt *attempt);

/* Adds the member "failed" for the row that is about to be written, where there is anything to carry on. */
void history_write(struct attempt *attempt, enum node_state state, str inputs, struct buf *json);

size_t history_count(const struct value *failed);
struct past_failure history_at(const struct value *failed, size_t i);

/* The newest failure of a row; false where it tells of none. */
bool history_of_row(struct arena *arena, const struct node_row *row, struct past_failure *out);

#endif
