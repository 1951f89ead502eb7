/* slots: how many bodies run at once, in a run and all runs in it together: `-j` and the pools.  It counts and keeps the
 * queue; what starts is started by run.c.  A node that only waits for what it holds takes no place. */
#ifndef ENGINE_SLOTS_H
#define ENGINE_SLOTS_H

#include "base/map.h"
#include "base/str.h"
#include "base/vec.h"
#include "model/workflow.h"

struct engine;
struct unit;

struct slots {
	uint32_t jobs;
	uint32_t used;
	struct map pools;           /* name -> uint32_t *, how many places are taken */
	VEC(struct unit *) waiting; /* decided to run, of all runs, oldest first, from `head` on */
	size_t head;
	VEC(struct engine *) engines; /* the runs under way, outer ones first */
	bool is_pumping;
};

struct slots *slots_create(uint32_t jobs);
void slots_destroy(struct slots *slots); /* accepts NULL */

void slots_add(struct slots *slots, struct engine *engine);
/* Forgets the run, and those of its units that wait. */
void slots_remove(struct slots *slots, const struct engine *engine);

/* A pool's name means the same in all of them: its nodes are counted together, and each workflow from the node's own up to
 * the outermost that declares the name bounds them. */
bool slots_has_place(const struct engine *engine, const struct unit *unit);
void slots_take(struct engine *engine, const struct unit *unit);
void slots_release(struct engine *engine, const struct unit *unit);

#endif
