/* bodies_internal: the record, for the files of this layer that start processes and look for what is left of them.
 *
 * A record is the file `bodies/PID-START` of the state directory, named after the process that writes it.  It has slots of
 * BODIES_SLOT bytes, filled up with NUL: first the head,
 *
 *     pawl bodies 1 HERE PID START
 *
 * then one for each child that runs: what /proc/PID/stat said of it.  A slot that begins with NUL is free. */
#ifndef SYS_BODIES_INTERNAL_H
#define SYS_BODIES_INTERNAL_H

#include "sys/bodies.h"

#include <sys/resource.h>
#include <sys/types.h>

#define BODIES_DIR  "bodies"
#define BODIES_HEAD "pawl bodies 1 "
#define BODIES_SLOT 512

#define BODIES_NO_SLOT (-1)

/* Linux has not looked at it since 2.4.25. */
#define BODIES_RLIMIT RLIMIT_LOCKS

/* The bits of the limit that say which slot, counted from 1: 0 where there is none, or its number has no room there. */
#define BODIES_SLOTS 0xffffu

/* What a child needs to record itself. */
struct body_note {
	int fd; /* -1: it is not recorded */
	off_t at;
	int32_t parent;
	bool has_limit;
	struct rlimit limit;
	char slot[BODIES_SLOT]; /* zeroed: the child fills it */
};

/* Takes a slot for a child that is about to be started. */
int32_t bodies_begin(struct body_note *note);
/* The slot of the child from which that process comes, as its limit has it, or BODIES_NO_SLOT. */
int32_t bodies_slot_of(int32_t pid);
/* It has ended with all that it started, or never began.  Accepts BODIES_NO_SLOT. */
void bodies_end(int32_t slot);

#endif
