/* stamp: what the kernel says of files, as one digest: the same as long as nobody writes to them, another one even where
 * they are put back as they were.  Content is not looked at.  Whatever makes a difference to a fact (facts.h) of the same
 * path makes one to its stamp: the same stamp, the same fact. */
#ifndef ENGINE_STAMP_H
#define ENGINE_STAMP_H

#include "base/str.h"
#include "sys/hash.h"

struct stamp {
	bool exists;
	bool is_unclear; /* some of it could not be looked at: equal to nothing, not to itself either */
	int64_t newest_ns; /* when the youngest of them changed */
	struct digest digest;
};

/* Of a file or link, of every file, link and directory in a directory, or of the files and links that a glob matches; of
 * links with what they lead to.  Directories count with their name and mode, not with their times.  `leave_out(arg, path)`
 * names what of a directory or glob does not count; it may be NULL. */
struct stamp stamp_take(
	int dirfd, const char *path, bool (*leave_out)(void *arg, str path), void *arg);
bool stamp_eq(const struct stamp *a, const struct stamp *b);

#endif
