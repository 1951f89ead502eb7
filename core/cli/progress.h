/* progress: what people, or programs, see of a run: plain lines, lines above a live region, or JSON events; in the words of
 * decide(). */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "cli/cli.h"
#include "engine/engine.h"

struct progress;

struct progress *progress_create(
	struct cli *cli, const struct world *world, struct store *store, bool is_plan);
void progress_destroy(struct progress *progress);
struct engine_events progress_events(struct progress *progress);

/* How many nodes of a plan would run. */
size_t progress_planned_runs(const struct progress *progress);

#endif
