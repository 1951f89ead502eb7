/* lock: advisory locks on files (open file descriptions, fcntl F_OFD_SETLK), which the kernel drops with the process. */
#ifndef SYS_LOCK_H
#define SYS_LOCK_H

#include "base/err.h"

/* Locks one byte of the file at `offset`, exclusively.  LOCK_BUSY where another holds it (never blocks). */
enum lock_result { LOCK_HELD, LOCK_BUSY, LOCK_FAILED };
enum lock_result lock_try(int fd, uint64_t offset, struct err *err);
void lock_release(int fd, uint64_t offset);

#endif
