/* cutoff: which stored results count no more because a run refused them when it began: by `-f` and `--force-all` for good, by
 * `--no-resume` for all that goes on with that run.  It is written down before anything starts, so that it holds however
 * that run ends. */
#ifndef ENGINE_CUTOFF_H
#define ENGINE_CUTOFF_H

#include "engine/decide.h"

struct engine;
struct unit;

/* The later of two. */
struct cutoff cutoff_later(struct cutoff a, struct cutoff b);

/* By force, of the node and of what it is in: a fan_out, a loop_group, a `workflow` node of the run around. */
struct cutoff cutoff_forced(struct engine *engine, const struct unit *unit);

/* Finds out what this run, and those that it goes on with, reuse nothing from before: engine->off_before.  Before the row of
 * the run is written, whose `options` are set. */
bool cutoff_begin(struct engine *engine, struct err *err);

/* Writes down what is forced, with all that is in it.  In the transaction that writes the row of the run. */
bool cutoff_record(struct engine *engine, struct err *err);

#endif
