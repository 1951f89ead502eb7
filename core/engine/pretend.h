/* pretend: files as they would be: a plan restores nothing, but what it says of later nodes must hold for a run that does. */
#ifndef ENGINE_PRETEND_H
#define ENGINE_PRETEND_H

#include "base/arena.h"
#include "base/map.h"
#include "base/vec.h"
#include "sys/fs.h"

struct pretended {
	bool is_gone;
	struct fs_stat stat; /* type and permissions only */
	struct digest digest;
	const char *target; /* of a link, else NULL */
};

struct pretence {
	struct arena arena;
	struct map by_path; /* -> struct pretended * */
	VEC(str) paths;
};

void pretence_finish(struct pretence *pretence);
void pretend_file(struct pretence *pretence, str path, uint32_t mode, const struct digest *digest);
void pretend_link(struct pretence *pretence, str path, str target);
void pretend_dir(struct pretence *pretence, str path, uint32_t mode);
void pretend_gone(struct pretence *pretence, str path);
const struct pretended *pretend_find(const struct pretence *pretence, str path); /* NULL: none */

/* What is pretended where a path of the project leads, its links followed whether they are there or only pretended to be; NULL:
 * nothing.  *out is then the path from which on the disk knows the way, empty where that is the path itself. */
const struct pretended *pretend_follow(
	const struct pretence *pretence, int dirfd, str path, struct buf *out);

/* Whether a file in that directory is pretended. */
bool pretend_in(const struct pretence *pretence, str dir);

/* Makes the sorted listing of a directory (empty: the project), or of a glob, what it would be.  Directories in which nothing is
 * left are gone as well: a node that made them made nothing else. */
void pretend_add_tree(const struct pretence *pretence, str dir, struct fs_list *list);
void pretend_add_glob(const struct pretence *pretence, str pattern, struct fs_list *list);

#endif
