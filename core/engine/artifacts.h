/* artifacts: files that nodes make: what `writes` names in the project, and what appears in the run's own $ARTIFACTS_DIR.
 * What a body made or changed is captured into the store (capture.c).  Where a result is reused its places are made equal to
 * it: what is missing or differs is put back, staged and verified, never a link to a blob, never through a symlink; what the
 * node left there at another time goes; what others have there stays (restore.c).  Before a body begins, what its node left
 * is set aside (aside.h). */
#ifndef ENGINE_ARTIFACTS_H
#define ENGINE_ARTIFACTS_H

#include "data/manifest.h"
#include "data/trace.h"
#include "engine/decide.h"

struct engine;
struct attempt;

/* Right before a body begins: what is in its places. */
bool capture_open(struct attempt *attempt, struct err *err);

/* After the body: finds what it made, stores it, and adds to the trace what it found at places that it changed (FACT_WAS), what
 * it or another made (FACT_LOOSE), and project files that the plugin named but `writes` does not (FACT_WROTE).  *manifest is
 * valid when *has_manifest.  *doubt (in the attempt's arena) says why the attribution is not certain, *unstorable why nothing
 * of this can be kept; or they are empty.  E-WRITES-MISSING: a declared path is not there. */
struct captured {
	struct digest manifest;
	bool has_manifest;
	str doubt;
	str unstorable;
};
bool capture_close(
	struct attempt *attempt, struct trace *trace, struct captured *out, struct err *err);

/* After a try that failed: what it made goes, so that the next one begins as it did.  What it changed of others can't be
 * undone: then nothing of the next try is kept. */
void capture_undo(struct attempt *attempt);
/* After the last one: what it made stays for people to look at, and is set aside before the next body of the node. */
void capture_abandon(struct attempt *attempt);

/* Before the first body of a run that is gone on with: what no node is known to have left in its artifact directory goes. */
void capture_clean_artifacts(struct engine *engine);

/* Before a reuse: what of the candidate's files can be neither found nor restored. */
void restore_check(struct attempt *attempt, const struct trace *trace, struct candidate *candidate);

/* In a plan: what would be put back, and what would go, shows in the facts of later nodes. */
void restore_pretend(struct attempt *attempt, const struct result_row *row);

/* Makes the places equal to the result. */
bool restore_places(struct attempt *attempt, const struct result_row *row,
	struct restored *restored, struct err *err);

#endif
