/* fs_newer: which files were written to in some time: a walk in breadth with a limit, for a sentence to a person, not for a
 * decision.  See fs.h. */
#include "base/mem.h"
#include "sys/fs.h"
#include "sys/fs_inner.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct walk {
	const struct fs_newer *query;
	struct fs_list *out;
	size_t seen;
	struct buf path;
	size_t prefix;
	VEC(char *) dirs; /* a queue: those that are still to be looked at, and those before them */
};

static bool is_skipped(const struct fs_newer *query, const char *name)
{
	for (const char *const *skip = query->skip; skip && *skip; skip++) {
		if (strcmp(name, *skip) == 0)
			return true;
	}
	return false;
}

static bool visit(void *ctx, int fd, const char *name, struct err *err)
{
	struct walk *walk = ctx;
	struct stat st;
	(void)err;
	if (++walk->seen > walk->query->limit)
		return false;
	if (is_skipped(walk->query, name) || fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW))
		return true;
	walk->path.len = walk->prefix;
	buf_add_z(&walk->path, name);
	struct fs_stat stat = fs_stat_from(&st);
	if (S_ISDIR(st.st_mode))
		*vec_push(&walk->dirs) = mem_dup(walk->path.ptr, walk->path.len);
	else if (S_ISREG(st.st_mode) && stat.mtime_ns >= walk->query->since_ns &&
		 stat.mtime_ns < walk->query->until_ns)
		*vec_push(walk->out) =
			(struct fs_entry){mem_dup(walk->path.ptr, walk->path.len), stat, NULL};
	return true;
}

void fs_find_newer(int dirfd, const struct fs_newer *query, struct fs_list *out)
{
	struct walk walk = {.query = query, .out = out};
	*vec_push(&walk.dirs) = mem_dup("", 0);
	for (size_t i = 0; i < walk.dirs.len && walk.seen <= query->limit; i++) {
		const char *dir = walk.dirs.ptr[i];
		int fd = fs_open_at(dirfd, *dir ? dir : ".", O_RDONLY | O_DIRECTORY, FS_NO_LINKS);
		if (fd < 0)
			continue;
		buf_clear(&walk.path);
		if (*dir)
			buf_printf(&walk.path, "%s/", dir);
		walk.prefix = walk.path.len;
		fs_scan(fd, dir, visit, &walk, NULL);
	}
	for (size_t i = 0; i < walk.dirs.len; i++)
		free(walk.dirs.ptr[i]);
	vec_finish(&walk.dirs);
	buf_finish(&walk.path);
	fs_list_sort(out);
}
