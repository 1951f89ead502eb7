/* links: see links.h. */
#include "engine/links.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_LINKS = 4 };

static bool is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);
	return !strncmp(path, dir, len) && (!path[len] || path[len] == '/');
}

/* NULL: there is nothing. */
static char *real_of(int dirfd, const char *path)
{
	struct buf real = {0};
	if (!fs_real_at(dirfd, path, &real)) {
		buf_finish(&real);
		return NULL;
	}
	return buf_take(&real);
}

void links_begin(struct links *links, int dirfd, const char *path)
{
	*links = (struct links){0};
	if (!path)
		return;
	links->project = dirfd == AT_FDCWD ? NULL : real_of(dirfd, ".");
	links->tree = real_of(dirfd, *path ? path : ".");
}

void links_end(struct links *links)
{
	free(links->project);
	free(links->tree);
	*links = (struct links){0};
}

static bool may_enter(const struct links *links, const char *real)
{
	return links->tree && links->project && links->depth < MAX_LINKS &&
	       is_below(real, links->project) && !is_below(real, links->tree);
}

bool links_follow(
	struct links *links, int dirfd, const char *path, struct linked *out, struct err *err)
{
	*out = (struct linked){.real = real_of(dirfd, path)};
	if (out->real && fs_stat_at(AT_FDCWD, out->real, &out->stat, NULL) != FS_FOUND) {
		free(out->real);
		out->real = NULL;
	}
	if (!out->real || !S_ISDIR(out->stat.mode) || !may_enter(links, out->real))
		return true;
	/* What pawl itself keeps there is no part of the project. */
	const char *skip = strcmp(out->real, links->project) ? NULL : ".pawl";
	if (!fs_list_tree(AT_FDCWD, out->real, skip, &out->list, err))
		return false;
	out->is_entered = true;
	out->outer = links->tree;
	links->tree = out->real;
	links->depth++;
	return true;
}

void links_leave(struct links *links, struct linked *linked)
{
	if (linked->is_entered) {
		links->tree = linked->outer;
		links->depth--;
	}
	free(linked->real);
	fs_list_finish(&linked->list);
	*linked = (struct linked){0};
}
