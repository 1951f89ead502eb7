/* verdict: what a failure or a success says about outputs: suspicion, exoneration, automatic quarantine.
 *
 * Suspect once: a consumer failed on a reused output, so its producer is run again once, in spite of the hit.  Another digest:
 * the old output is quarantined.  The same digest: it is exonerated, and never run again for this reason.
 *
 * A consumer that failed on one output and, itself unchanged, passes on another (or is reused with another) is evidence
 * against the first: it becomes suspect too, so that reverting an edit does not bring it back unseen. */
#ifndef ENGINE_VERDICT_H
#define ENGINE_VERDICT_H

#include "base/err.h"

struct attempt;

void verdict_after_failure(struct attempt *attempt);
void verdict_after_success(struct attempt *attempt);
void verdict_after_reuse(struct attempt *attempt);

/* False and E-SAME-BAD-OUTPUT where what was just made is quarantined. */
bool verdict_allows(struct attempt *attempt, struct err *err);

#endif
