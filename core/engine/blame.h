/* blame: the report of a failed node, from what the store recorded: its place, how it ended, the end of its own stderr, which
 * of its inputs were reused and from where, the command to paste, and what has been edited since without being an input.
 * Works for a run that is going on as for one of last week. */
#ifndef ENGINE_BLAME_H
#define ENGINE_BLAME_H

#include "base/buf.h"
#include "model/workflow.h"
#include "store/runs.h"

/* Appends the report in lines of text; `color` with ANSI sequences.  `workflow` may be NULL where its file is gone: places and
 * contracts are left out then. */
void blame_write(struct buf *out, struct store *store, const struct workflow *workflow, int64_t run,
	const struct node *node, bool color);

/* The command that lets go of all that the node consumed and that was reused; nothing where there is none.  Of many items of a
 * fan_out it names the fan_out. */
void blame_command(struct buf *out, const struct node_row *row);

#endif
