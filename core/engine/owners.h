/* owners: who left what at which path, from one run to the next: the rows of the store (store/owned.h) for the workflow of a
 * run, in memory. */
#ifndef ENGINE_OWNERS_H
#define ENGINE_OWNERS_H

#include "engine/places.h"

struct engine;

/* One file, link or directory that a node left. */
struct left {
	struct left *next_at; /* at the same path, older */
	struct left *next_of; /* of the same node */
	str node;             /* empty: it is not known which of several left it */
	struct artifact as;
	bool is_edited; /* it was there before, and the node changed it */
	bool is_half;   /* of an attempt that did not end well */
	bool is_newest; /* nobody wrote there since, of this workflow or another */
};

struct owners;
void owners_destroy(struct owners *owners); /* accepts NULL */

/* What a node ever left, in no order; what was left at a path, the newest first. */
const struct left *owners_of(struct engine *engine, str node);
const struct left *owners_at(struct engine *engine, enum artifact_root root, str path);

/* The node left this there now. */
struct left_flags {
	bool is_edited;
	bool is_half;
};
void owners_put(
	struct engine *engine, str node, const struct artifact *as, struct left_flags flags);
/* Somebody who is not known left something there. */
void owners_put_loose(struct engine *engine, str path);

/* Is what is there as any node of any workflow left it, so that it can be taken away and nothing of people's is lost? */
bool owners_left_it(struct engine *engine, struct arena *arena, enum artifact_root root, str path);

/* Was what is at that path, whatever it is now, left last by a node of this workflow? */
bool owners_is_last(struct engine *engine, struct arena *arena, const struct artifact *as);

/* Calls fn for each node that ever left something. */
void owners_each_node(struct engine *engine,
	void (*fn)(void *arg, str node, const struct left *first), void *arg);

/* A line of a manifest and back. */
str owners_entry(struct arena *arena, const struct artifact *as);
bool owners_parse_entry(str entry, struct artifact *out);

#endif
