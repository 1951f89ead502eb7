/* verify: one reused node runs once more, beside everything that is stored: nothing of it is recorded, and files of the project
 * that it wrote are put back.  What it consumes is reused, never made.  The caller compares and drops the batch: blobs of
 * the new run are readable until the store is closed, and gone with it. */
#ifndef ENGINE_VERIFY_H
#define ENGINE_VERIFY_H

#include "base/arena.h"
#include "sys/hash.h"

/* What one run of the node left. */
struct verify_side {
	struct digest output;
	uint64_t output_size;
	struct digest manifest;
	bool has_manifest;
	int64_t run;               /* that made it */
	const char *artifacts_dir; /* its $ARTIFACTS_DIR */
};

struct engine_verify {
	uint32_t node;       /* index of the one that runs */
	struct arena *arena; /* of the caller, for what is given out */

	bool has_run; /* to its end, and well */
	str problem; /* why it could not be compared: it failed, or would not be reused; else empty */
	bool has_failed; /* the body failed */
	uint64_t ms;
	struct verify_side then, now;
};

struct attempt;
struct engine;

/* Decided: false where the attempt has ended because it can't go on (the problem says why). */
bool verify_begin(struct attempt *attempt);
/* A control node above: what the run recorded of it stands. */
void verify_control(struct attempt *attempt);
/* The body has ended; `problem` is empty where it ended well. */
void verify_end(struct attempt *attempt, str problem);
/* The directory of the run, relative to .pawl/state; and away with it. */
const char *verify_directory(struct engine *engine);
void verify_clean(struct engine *engine);

#endif
