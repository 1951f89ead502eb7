/* aside: outputs that are out of the way for a time.  Before a body begins, what its node ever left in its places and is
 * still as it was left goes to `.pawl/state/aside/RUN/N`, so that the body begins as on a fresh checkout; so does what a node
 * left that makes nothing in this run: because it is skipped, is an item that is gone, or is no longer in the workflow.
 *
 * When the run ends, what a node did not get to replace comes back, and the rest goes for good: results have it.  A run that
 * was killed leaves it there, and aside_recover does the same. */
#ifndef ENGINE_ASIDE_H
#define ENGINE_ASIDE_H

#include "base/str.h"

#include <stdbool.h>

struct attempt;
struct engine;
struct store;

/* Before each try of a body. */
void aside_begin(struct attempt *attempt);
/* The node has made what it makes: the rest of what it left does not come back. */
void aside_replaced(struct attempt *attempt);

/* A node makes nothing in this run; in a plan this only shows in the facts of others.  Behind a failure it is not known what the
 * node would have made, and what it left comes back at the end of the run. */
enum vacancy { VACANT_FOR_GOOD, VACANT_BEHIND_FAILURE };
void aside_vacate(struct engine *engine, str node, enum vacancy vacancy);
/* So do nodes that are gone.  `is_there` says which nodes and items of nodes are not. */
struct absence {
	str prefix;
	bool (*is_there)(void *arg, str node);
	void *arg;
	enum vacancy vacancy;
};
void aside_vacate_absent(struct engine *engine, const struct absence *absence);

/* At the end of the run; `is_well`: nothing in it failed or was stopped. */
void aside_finish(struct engine *engine, bool is_well);

/* What runs that were killed had put aside comes back, and what their bodies had begun to write goes to `.pawl/state/lost/RUN`.
 * `tell(arg, run, count)` is called for each run where there was any of that.  No run of this process has begun yet. */
struct recovered {
	long long run;
	size_t lost; /* files that are in `lost` now */
};
void aside_recover(
	struct store *store, void (*tell)(void *arg, const struct recovered *recovered), void *arg);

#endif
