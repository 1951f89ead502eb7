/* rows_inner: what gc and store_check need of the families of rows beyond their public headers. */
#ifndef STORE_ROWS_INNER_H
#define STORE_ROWS_INNER_H

#include "store/results.h"
#include "store/runs.h"

/* Removes the row; what it named is left to gc. */
bool results_remove(struct store *store, int64_t id, struct err *err);

/* Runs that say that they are running. */
bool runs_running(struct store *store, struct arena *arena, struct run_list *out, struct err *err);
/* Before a run is removed: those that it stands for get its rows. */
bool runs_hand_over(struct store *store, int64_t id, struct err *err);
/* The rows of nodes of one run, and what it reused, once more under another. */
bool nodes_copy(struct store *store, int64_t from, int64_t to, struct err *err);
/* Blobs with a greater seq may have been stored by that run. */
bool runs_blob_mark(struct store *store, int64_t id, int64_t *out, struct err *err);

#endif
