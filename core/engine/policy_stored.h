/* policy_stored: what rules see of the model and of the store; policy.h knows neither. */
#ifndef ENGINE_POLICY_STORED_H
#define ENGINE_POLICY_STORED_H

#include "engine/policy.h"
#include "model/workflow.h"
#include "store/results.h"

/* Borrows everything. */
void policy_node_of(
	const struct workflow *workflow, const struct node *node, struct policy_node *out);

/* A row as a result; its output, counters and verdicts are read when a rule looks at them, into the arena. */
struct policy_stored {
	struct policy_result result;
	struct store *store;
	struct arena *arena;
	const struct result_row *row;
};

/* Everything is borrowed, the policy_stored itself too (result.arg): it must not move. */
void policy_stored_init(struct policy_stored *stored, struct store *store, struct arena *arena,
	const struct result_row *row, int64_t now_ms);

#endif
