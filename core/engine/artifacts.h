/* artifacts: files that nodes make: what `writes` names in the project, and what appears in the run's own $ARTIFACTS_DIR.
 * They are captured into the store after the body, and checked and restored when its result is reused: staged, verified,
 * renamed; never a link to a blob, never through a symlink.
 *
 * A new file in $ARTIFACTS_DIR that no node declares belongs to the node that ran alone when it appeared.  Where several ran
 * it is nobody's for certain: it stays where it is, and each of them is unproven. */
#ifndef ENGINE_ARTIFACTS_H
#define ENGINE_ARTIFACTS_H

#include "data/manifest.h"
#include "data/trace.h"
#include "engine/decide.h"
#include "engine/stamp.h"

struct engine;
struct attempt;

/* What is known of the artifact directory in this run. */
struct artifact_watch;
struct artifact_watch *artifact_watch_create(void);
void artifact_watch_destroy(struct artifact_watch *watch);

/* Brings what is known up to date (before the first body of a run, and after a restore). */
bool artifacts_sync(struct engine *engine, struct err *err);

/* After the body: finds what it made, stores it, adds `wrote` facts for project files that the plugin named but `writes` does
 * not.  *manifest is valid when *has_manifest.  *doubt (in the attempt's arena) says why the attribution is not certain,
 * or is empty.  E-WRITES-MISSING: a declared path is not there. */
struct captured {
	struct digest manifest;
	bool has_manifest;
	str doubt;
};
bool artifacts_capture(
	struct attempt *attempt, struct trace *trace, struct captured *out, struct err *err);

/* What the kernel says now of a path of `writes`. */
struct stamp artifacts_stamp(struct attempt *attempt, str declared);

/* Before a reuse: sets output_gone, output_other or is_damaged where what the result left can be neither found nor restored. */
void artifacts_check(
	struct attempt *attempt, const struct trace *trace, struct candidate *candidate);

/* In a plan: what would be put back shows in the facts of later nodes. */
void artifacts_pretend(struct attempt *attempt, const struct result_row *row);

/* Puts back whatever is gone or differs.  *restored counts files. */
bool artifacts_restore(
	struct attempt *attempt, const struct result_row *row, size_t *restored, struct err *err);

#endif
