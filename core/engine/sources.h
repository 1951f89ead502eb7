/* sources: what made an output.  Of a node that ran a body it is the node itself.  What a control node gives comes from others:
 * the slots of a fan_out, the last node of a loop_group, the `returns` node of a run within; and it is these that are reused,
 * that a verdict can be on, and that are let go of. */
#ifndef ENGINE_SOURCES_H
#define ENGINE_SOURCES_H

#include "engine/internal.h"

struct source {
	str name; /* "build", "each[3f2a9c01]", and "sub/build" in a run within the run */
	str workflow;
	str node;
	int64_t run;
	bool is_behind; /* a control node stands between it and who consumed it */
	enum node_state state;
	struct produced out;
};

struct sources {
	const struct source *ptr;
	size_t count;
};

/* Of a control node, in the run's arena: set when it ends, before its consumers are decided on. */
void sources_of_items(
	struct engine *engine, struct unit *fan, const struct unit *slots, size_t count);
void sources_of_last(struct engine *engine, struct unit *group, const struct unit *last);
/* From a node of an inner run, which is forgotten after that. */
void sources_of_inner(struct engine *engine, struct unit *unit, const struct engine *inner,
	const struct unit *from);

/* All that this node consumed: of its dependencies and of what it refers to, in the attempt's arena. */
struct sources sources_consumed(struct attempt *attempt);

#endif
