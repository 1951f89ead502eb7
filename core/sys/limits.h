/* limits: how many files this process may have open at once.  Children begin with the limit as pawl was given it: some
 * programs try to close every number up to it, or use select(). */
#ifndef SYS_LIMITS_H
#define SYS_LIMITS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

/* As many as the system lets this process have.  Once, before anything is opened. */
void limits_raise_files(void);

/* How many that is now. */
uint64_t limits_files(void);

/* How many children at once there are files for; 0: not even for one. */
uint32_t limits_children(void);

/* How many of `most` files may be kept open for later: a small part of what there is; at least 1. */
size_t limits_kept_files(size_t most);

/* What a child is to begin with; NULL: what it inherits. */
const struct rlimit *limits_for_child(void);

#endif
