/* seal: what a run rested on in which there was nothing to do: every decision in it was to reuse, or to skip.  As long as the
 * seal holds, decide() would be asked the same again and would answer the same, so the next run is recorded as that one
 * without loading the workflow or looking at a node.  Whatever it can't vouch for is not sealed; a seal that does not hold, or
 * can't be read, costs a look.  docs/decisions/011-seals.md says what it rests on. */
#ifndef ENGINE_SEAL_H
#define ENGINE_SEAL_H

#include "engine/engine.h"

struct seal_request {
	const char *file; /* of the workflow, as it was found; names the seal too */
	struct digest
		guard; /* of all that was given: options, arguments, inputs, environment, program, directory */
	int64_t began_ms; /* wall time, before anything was read */
	bool is_spoiled; /* loading gave something to tell, and would again; or rests on more than each_path tells */
	/* Files and directories, absolute, that loading the workflow and its plugins rests on, there or not.  False: not all of
	 * them can be told. */
	bool (*each_path)(void *ctx, void (*fn)(void *arg, const char *path), void *arg);
	void *ctx;
};

struct engine;

/* After the end of a run: seals it, where that can be done. */
void seal_make(struct engine *engine);

struct seal;
/* The seal of the file, where there is one for all that was given; else NULL.  `project` is the directory that has `.pawl`. */
struct seal *seal_open(const char *project, const struct seal_request *request);
void seal_close(struct seal *seal); /* accepts NULL */

/* Where the seal holds: a run that is as the sealed one, from its record to its summary.  False where it doesn't, or where
 * the store has moved on since: nothing was recorded or told then, unless *err says why nothing can be. */
bool seal_run(struct seal *seal, const struct world *world, struct store *store,
	const struct engine_events *events, struct engine_summary *summary, struct err *err);

#endif
