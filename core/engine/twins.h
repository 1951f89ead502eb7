/* twins: in a plan, bodies with one key in several runs within the run, which happens where a workflow is the child of more than
 * one node.  The first of them runs and the others take its result, and nobody knows beforehand which is first.  So a plan
 * of a workflow with such nodes is made twice: once to count, and once to be told. */
#ifndef ENGINE_TWINS_H
#define ENGINE_TWINS_H

#include "base/str.h"

#include <stdbool.h>

struct attempt;
struct engine;
struct node;
struct twins;

struct twins *twins_create(void);
void twins_destroy(struct twins *twins);
/* From here on what was counted is asked for. */
void twins_counted(struct twins *twins);

/* A body that would run, or, with `is_key_known` false, that may run under any key. */
void twins_add(struct attempt *attempt, bool is_key_known);
/* A control node that can't be entered yet: whatever is in it may run. */
void twins_add_closed(struct engine *engine, const struct node *node);

/* Whether another body that runs may have the key of this one, or, where that is not known, be the same node. */
bool twins_has(const struct attempt *attempt, bool is_key_known);

#endif
