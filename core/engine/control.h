/* control: the core's own node types, which run no plugin: approval, cancel, loop_group, workflow, and fan_out around any
 * node.  A control node has no key and no stored result of its own: what it holds decides for itself. */
#ifndef ENGINE_CONTROL_H
#define ENGINE_CONTROL_H

#include "engine/engine.h"

struct engine;
struct unit;
struct attempt;

/* Begins a control node or a fan_out whose rule and conditions hold.  Takes the attempt over. */
void control_begin(struct attempt *attempt);

/* Ends a unit without a body: with these bytes as its output (NODE_COMPLETED), or as failed with *err. */
void control_complete(struct attempt *attempt, str output, str sentence);
/* With the output of another unit, whose bytes are not looked at. */
void control_complete_as(struct attempt *attempt, const struct unit *from, str sentence);
void control_fail(struct attempt *attempt, struct err *err);

/* approval.c: records an answer to what the node asked last, as JSON {"decision":…,"text":…,"by":…,"at_ms":…}. */
void approval_begin(struct attempt *attempt);
bool approval_answer(struct store *store, int64_t run, str node, str json, struct err *err);
/* Whether that has its answer, and only the run has not gone on yet. */
bool approval_is_answered(struct store *store, int64_t run, str node);

/* fan_out.c */
struct fan;
void fan_begin(struct attempt *attempt);
/* A slot waits for an answer: another item gets its place. */
void fan_slot_paused(struct unit *slot);
/* Calls stop() for every slot that has begun. */
void fan_stop(struct fan *fan, int32_t reason,
	void (*stop)(struct engine *engine, struct unit *unit, int32_t reason));

/* loop_group.c */
void loop_begin(struct attempt *attempt);

/* subrun.c */
void subrun_begin(struct attempt *attempt);
void subrun_stop(struct unit *unit, int32_t reason);
struct engine *subrun_engine(const struct unit *unit); /* NULL: it has ended, or not begun */

#endif
