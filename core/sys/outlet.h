/* outlet: standard output for as long as a run goes on: a queue and a thread that writes it, so that a reader that is slow,
 * stopped (Ctrl-S) or gone never holds up or ends what is being run. */
#ifndef SYS_OUTLET_H
#define SYS_OUTLET_H

#include "base/str.h"

struct outlet;

/* At most `most` bytes wait before what may be dropped is dropped.  The thread starts with the first bytes; a regular file is
 * written at once, without one.  Never NULL. */
struct outlet *outlet_create(int fd, size_t most);

/* Queues a copy.  `may_drop`: only where there is room; false: it was dropped.  Once the reader is gone or the disk is full,
 * bytes are taken and forgotten. */
bool outlet_add(struct outlet *outlet, str bytes, bool may_drop);

/* How many bytes wait for the reader. */
size_t outlet_waiting(struct outlet *outlet);

/* Waits until all is written, at most `ms` (0: as long as it takes). */
void outlet_drain(struct outlet *outlet, unsigned ms);

/* Drains, ends the thread, frees.  Gives the errno of the first failed write, or 0.  Accepts NULL. */
int outlet_destroy(struct outlet *outlet);

#endif
