/* owned: which paths hold what a node made, and as what it left them.  A path that several nodes made has a row of each; the
 * one that was written last is the newest.  What is at a path counts as pawl's, to be set aside or removed, only where it
 * is as such a row says; the rest belongs to people. */
#ifndef STORE_OWNED_H
#define STORE_OWNED_H

#include "base/arena.h"
#include "store/db.h"

struct owned_row {
	int64_t id; /* grows with each write */
	str place;  /* "" is the project; else a directory of .pawl/state: "runs/7/artifacts" */
	str path;   /* in the place */
	str workflow;
	str node;
	str entry;      /* what was left there, as a line of a manifest (data/manifest.h) */
	bool is_edited; /* it was there before the node ran, which changed it: never taken away */
	bool is_half;   /* an attempt that did not end well left it: no result has it */
	bool is_newest; /* of all rows of its path, whoever's; only read */
};

struct owned_list {
	struct owned_row *ptr;
	size_t len;
};

/* Writes the row of that place, path, workflow and node, as the newest of its path. */
bool owned_put(struct store *store, const struct owned_row *row, struct err *err);
bool owned_remove(struct store *store, int64_t id, struct err *err);
/* Rows of a workflow in the project and in one other place ("": none), by path.  A row that fails its checksum is left out: what it
 * spoke of is then nobody's. */
bool owned_list(struct store *store, struct arena *arena, str workflow, str place,
	struct owned_list *out, struct err *err);
/* Whoever left something at that path, the newest first. */
bool owned_at(struct store *store, struct arena *arena, str place, str path, struct owned_list *out,
	struct err *err);

/* How many rows fail their checksum. */
bool owned_check(struct store *store, size_t *damaged, struct err *err);

#endif
