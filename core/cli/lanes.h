/* lanes: a graph as lines of text, one node a line, dependencies above what consumes them.  An edge runs down the lane of the
 * node that it leads to; edges to one node share its lane.  It knows nothing of workflows. */
#ifndef CLI_LANES_H
#define CLI_LANES_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/vec.h"

struct lane_line {
	str drawing;
	size_t width;  /* columns of it */
	uint32_t node; /* whose line it is, or LANE_NO_NODE: only edges */
};
#define LANE_NO_NODE UINT32_MAX

struct lane_lines {
	VEC(struct lane_line) list;
	size_t width; /* of the widest line with a node */
};

/* More beside each other than this are no drawing any more. */
#define LANES_MOST 48

/* Draws `count` nodes in `order` (every node before those it leads to).  targets(ctx, node, &n) gives the nodes that edges
 * lead to, each once.  Drawings live in `arena`.  False where it would take more than LANES_MOST lanes. */
bool lanes_draw(struct arena *arena, const uint32_t *order, uint32_t count,
	const uint32_t *(*targets)(const void *ctx, uint32_t node, uint32_t *n), const void *ctx,
	struct lane_lines *out);
void lanes_finish(struct lane_lines *lines);

#endif
