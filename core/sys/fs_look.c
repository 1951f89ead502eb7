/* fs_look: looking at many files of one tree.  Asking the kernel to keep a path beneath the root costs an open and a close
 * each time; a name in a directory that was opened that way needs neither, unless it is a symlink.  See fs.h. */
#include "base/mem.h"
#include "sys/fs.h"
#include "sys/fs_inner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { SLOTS = 64 };

struct slot {
	struct buf path; /* of the directory; empty: the slot is free */
	int fd;          /* -1: it is absent */
};

struct fs_look {
	int root;
	struct slot slots[SLOTS];
};

struct fs_look *fs_look_create(int dirfd)
{
	struct fs_look *look = mem_zalloc(sizeof(*look));
	look->root = dirfd;
	for (size_t i = 0; i < SLOTS; i++)
		look->slots[i].fd = -1;
	return look;
}

void fs_look_destroy(struct fs_look *look)
{
	if (!look)
		return;
	for (size_t i = 0; i < SLOTS; i++) {
		fs_close(look->slots[i].fd);
		buf_finish(&look->slots[i].path);
	}
	free(look);
}

/* The slot with the directory of that path; NULL where it can be neither opened nor is absent. */
static struct slot *slot_for(struct fs_look *look, str dir)
{
	struct slot *slot = &look->slots[str_hash(dir) % SLOTS];
	if (slot->path.len && str_eq(buf_str(&slot->path), dir))
		return slot;
	fs_close(slot->fd);
	buf_clear(&slot->path);
	buf_add(&slot->path, dir);
	slot->fd = fs_open_at(
		look->root, buf_cstr(&slot->path), O_PATH | O_DIRECTORY, FS_FOLLOW_INSIDE);
	if (slot->fd >= 0 || fs_is_absent(errno))
		return slot;
	buf_clear(&slot->path);
	return NULL;
}

enum fs_found fs_look_at(
	struct fs_look *look, const char *path, struct fs_stat *out, struct err *err)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	bool plain = slash != path && *name && strcmp(name, "..") != 0;
	struct slot *slot = NULL;
	if (slash && plain)
		slot = slot_for(look, (str){path, (size_t)(slash - path)});
	if (!slot)
		return fs_stat_at(look->root, path, out, err);
	if (slot->fd < 0)
		return FS_ABSENT;
	struct stat st;
	if (fstatat(slot->fd, name, &st, AT_SYMLINK_NOFOLLOW))
		return fs_fail_found(err, errno, "look at", path);
	if (S_ISLNK(st.st_mode))
		return fs_stat_at(look->root, path, out, err);
	*out = fs_stat_from(&st);
	return FS_FOUND;
}
