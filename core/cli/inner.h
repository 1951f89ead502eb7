/* inner: runs within a run, of `workflow` nodes, as they are recorded: each node by the way to it, "deploy/test". */
#ifndef CLI_INNER_H
#define CLI_INNER_H

#include "cli/cli.h"

struct inner_node {
	const struct run_row *run; /* that it is a node of */
	const struct node_row *row;
	str path; /* the way from the run that was asked for; its id where it is one of that run */
	bool is_inner;
};

/* Every node of the run, each one that holds a run followed by the nodes of that.  Rows and paths live in `arena`.  False: told
 * why, by *err. */
bool inner_each(struct store *store, struct arena *arena, const struct run_row *run,
	void (*fn)(void *arg, const struct inner_node *node), void *arg, struct err *err);

/* Takes "deploy/test" of a run as `test` of the newest run in it that `deploy` began.  False: there is none, *err. */
bool inner_resolve(
	struct store *store, struct arena *arena, int64_t *run, str *node, struct err *err);

#endif
