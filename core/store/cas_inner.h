/* cas_inner: what the files of cas share with each other and with gc. */
#ifndef STORE_CAS_INNER_H
#define STORE_CAS_INNER_H

#include "store/cas.h"
#include "store/stmt.h"

bool cas_put_inline(struct store *store, str bytes, const struct digest *digest, struct err *err);
/* Takes a complete temporary file over. */
bool cas_put_tmp(struct store *store, struct cas_pending pending, struct err *err);

/* Blobs with a greater seq may have been stored by this process. */
bool cas_mark(struct store *store, int64_t *out, struct err *err);

/* Unlinks files that have a blob's name and no row, as a process leaves them that was killed between rename and commit. */
bool cas_sweep_orphans(struct store *store, size_t *count, uint64_t *bytes, struct err *err);

#endif
