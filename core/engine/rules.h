/* rules: the Lua policies that concern a node (of the project, the workflow, the node), between the engine and policy.h. */
#ifndef ENGINE_RULES_H
#define ENGINE_RULES_H

#include "data/key.h"
#include "engine/engine.h"

struct attempt;
struct engine;
struct rules;

/* Loads every policy file of the run: all problems of the first bad file in *err.  NULL without an error: there is none. */
struct rules *rules_load(struct engine *engine, struct err *err);
void rules_destroy(struct rules *rules); /* accepts NULL */

/* What rules add to the key of the node; false and *err: its key is incomplete. */
bool rules_key(struct attempt *attempt, struct key *key, struct err *err);

/* A rule's sentence against reusing the result, in the attempt's arena; empty: no objection. */
str rules_reuse(struct attempt *attempt, const struct result_row *row);

/* Which of the reused inputs a failure makes suspect; all unless a rule says otherwise. */
void rules_failed(struct attempt *attempt, int64_t exit_code, int64_t signal, const str *inputs,
	size_t count, bool *suspect);

#endif
