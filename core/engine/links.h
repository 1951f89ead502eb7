/* links: what the links in a tree lead to.  One rule for all who walk trees, so that what is read of one (facts.c) and what its
 * times are taken of (stamp.c) can't come apart: a file counts wherever it is, a directory where it is of the project and not
 * of the tree, which has it already. */
#ifndef ENGINE_LINKS_H
#define ENGINE_LINKS_H

#include "sys/fs.h"

/* One walk of a tree: where it is now. */
struct links {
	char *project; /* real path; NULL: no directory is entered */
	char *tree;    /* real path; NULL: of a glob, whose links to directories are not entered */
	unsigned depth;
};

/* Of what lies in `path`, relative to dirfd (the project); AT_FDCWD: `path` is absolute.  NULL: of a glob. */
void links_begin(struct links *links, int dirfd, const char *path);
void links_end(struct links *links);

struct linked {
	char *real;          /* NULL: it leads nowhere */
	struct fs_stat stat; /* of what is there */
	bool is_entered; /* a directory, to be walked: `list` has its entries, `real` is their base */
	struct fs_list list;
	char *outer;
};

/* Follows the link and, where its directory is entered, goes on from there until links_leave, which is always to be called. */
bool links_follow(
	struct links *links, int dirfd, const char *path, struct linked *out, struct err *err);
void links_leave(struct links *links, struct linked *linked);

#endif
