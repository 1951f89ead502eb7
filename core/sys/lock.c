/* lock: open file description locks.  Unlike those of POSIX they are not dropped when another descriptor of the file is
 * closed, and two descriptors of one process exclude each other.  See lock.h. */
#include "sys/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

static bool set_lock(int fd, short type, uint64_t offset)
{
	if (offset > INT64_MAX - 1) {
		errno = EOVERFLOW;
		return false;
	}
	struct flock lock = {
		.l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)offset, .l_len = 1};
	int failed;
	do
		failed = fcntl(fd, F_OFD_SETLK, &lock);
	while (failed && errno == EINTR);
	return !failed;
}

enum lock_result lock_try(int fd, uint64_t offset, struct err *err)
{
	if (set_lock(fd, F_WRLCK, offset))
		return LOCK_HELD;
	if (errno == EAGAIN || errno == EACCES)
		return LOCK_BUSY;
	err_sys(err, errno, "E-LOCK-FAILED", "a lock could not be taken");
	err_help(err, "the file system must support locks: keep the store on a local disk");
	return LOCK_FAILED;
}

void lock_release(int fd, uint64_t offset)
{
	set_lock(fd, F_UNLCK, offset);
}
