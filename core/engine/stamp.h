/* stamp: what the kernel says of files, as one digest: the same as long as nobody writes to them, another one even where
 * they are put back as they were.  Content is not looked at. */
#ifndef ENGINE_STAMP_H
#define ENGINE_STAMP_H

#include "base/str.h"
#include "sys/hash.h"

struct stamp {
	bool exists;
	int64_t newest_ns; /* when the youngest of them changed */
	struct digest digest;
};

/* Of a file or link, of every file and link in a directory, or of those that a glob matches.  `leave_out(arg, path)` names
 * files of a directory or glob that don't count; it may be NULL. */
struct stamp stamp_take(
	int dirfd, const char *path, bool (*leave_out)(void *arg, str path), void *arg);
bool stamp_eq(const struct stamp *a, const struct stamp *b);

#endif
