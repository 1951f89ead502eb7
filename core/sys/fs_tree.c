/* fs_tree: listing a directory with all that is in it.  Directories are opened one at a time by their path from the top,
 * so the depth of a tree costs no descriptors, and what becomes a symlink meanwhile is not entered.  See fs.h. */
#include "base/mem.h"
#include "sys/fs.h"
#include "sys/fs_inner.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

bool fs_scan(int fd, const char *path,
	bool (*visit)(void *ctx, int fd, const char *name, struct err *err), void *ctx,
	struct err *err)
{
	DIR *dir = fdopendir(fd);
	if (!dir) {
		fs_close(fd);
		return fs_fail(err, errno, "list", path);
	}
	bool ok = true;
	while (ok) {
		errno = 0;
		struct dirent *entry = readdir(dir);
		if (!entry) {
			ok = errno == 0 || fs_fail(err, errno, "list", path);
			break;
		}
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			ok = visit(ctx, fd, entry->d_name, err);
	}
	closedir(dir);
	return ok;
}

/* NULL with errno. */
static char *read_link(int dirfd, const char *name, size_t size)
{
	for (size_t room = size + 1;; room *= 2) {
		char *target = mem_alloc(room + 1);
		ssize_t n = readlinkat(dirfd, name, target, room);
		if (n >= 0 && (size_t)n < room) {
			target[n] = '\0';
			return target;
		}
		free(target);
		if (n < 0)
			return NULL;
	}
}

enum fs_found fs_list_add(struct fs_list *list, int fd, const char *name, str path, struct err *err)
{
	struct stat st;
	char *target = NULL;
	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW))
		return fs_fail_found(err, errno, "look at", path.ptr);
	if (S_ISLNK(st.st_mode) && !(target = read_link(fd, name, (size_t)st.st_size))) {
		if (errno == EINVAL) /* it has just become something else */
			errno = ENOENT;
		return fs_fail_found(err, errno, "look at", path.ptr);
	}
	*vec_push(list) = (struct fs_entry){mem_dup(path.ptr, path.len), fs_stat_from(&st), target};
	return FS_FOUND;
}

static int by_name(const void *a, const void *b)
{
	const struct fs_entry *x = a;
	const struct fs_entry *y = b;
	return strcmp(x->name, y->name);
}

void fs_list_sort(struct fs_list *list)
{
	if (list->len)
		qsort(list->ptr, list->len, sizeof(*list->ptr), by_name);
}

void fs_list_finish(struct fs_list *list)
{
	for (size_t i = 0; i < list->len; i++) {
		free(list->ptr[i].name);
		free(list->ptr[i].target);
	}
	vec_finish(list);
}

struct listing {
	struct fs_list *out;
	const char *skip; /* NULL below the top */
	size_t depth;     /* of the entries of this directory */
	struct buf path;
	size_t prefix; /* the part of path that is the directory and its slash */
	VEC(size_t)
	dirs; /* directories that are still to be listed, as indices into out, then how deep each is */
	VEC(size_t) depths;
};

static bool list_entry(void *ctx, int fd, const char *name, struct err *err)
{
	struct listing *l = ctx;
	if (l->skip && strcmp(name, l->skip) == 0)
		return true;
	l->path.len = l->prefix;
	buf_add_z(&l->path, name);
	enum fs_found found = fs_list_add(l->out, fd, name, buf_str(&l->path), err);
	if (found != FS_FOUND)
		return found == FS_ABSENT;
	if (!S_ISDIR(l->out->ptr[l->out->len - 1].stat.mode))
		return true;
	if (l->depth == FS_MAX_DEPTH)
		return err_set(err, "E-FS-DEEP", "more than %d directories within each other: %s",
			FS_MAX_DEPTH, buf_cstr(&l->path));
	*vec_push(&l->dirs) = l->out->len - 1;
	*vec_push(&l->depths) = l->depth + 1;
	return true;
}

static bool list_below(struct listing *l, int top, size_t i, struct err *err)
{
	l->depth = l->depths.ptr[i];
	l->skip = NULL;
	buf_clear(&l->path);
	buf_add_z(&l->path, l->out->ptr[l->dirs.ptr[i]].name);
	int fd = fs_open_at(top, buf_cstr(&l->path), O_RDONLY | O_DIRECTORY, FS_NO_LINKS);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)) {
		err_set(err, "E-FS-CHANGING", "%s changed while it was listed", buf_cstr(&l->path));
		return err_help(err, "let what writes there finish first, then run again");
	}
	if (fd < 0)
		return fs_fail(err, errno, "list", buf_cstr(&l->path));
	buf_add_char(&l->path, '/');
	l->prefix = l->path.len;
	return fs_scan(fd, buf_cstr(&l->path), list_entry, l, err);
}

bool fs_list_tree(
	int dirfd, const char *path, const char *skip, struct fs_list *out, struct err *err)
{
	*out = (struct fs_list){0};
	const char *root = *path ? path : ".";
	int top = fs_open_at(dirfd, root, O_RDONLY | O_DIRECTORY, FS_FOLLOW_INSIDE);
	if (top < 0)
		return fs_fail(err, errno, "list", root);
	int again = fcntl(top, F_DUPFD_CLOEXEC, 0);
	if (again < 0) {
		fs_close(top);
		return fs_fail(err, errno, "list", root);
	}
	struct listing l = {.out = out, .skip = skip, .depth = 1};
	bool ok = fs_scan(again, root, list_entry, &l, err);
	for (size_t i = 0; ok && i < l.dirs.len; i++)
		ok = list_below(&l, top, i, err);
	close(top);
	vec_finish(&l.dirs);
	vec_finish(&l.depths);
	buf_finish(&l.path);
	if (ok)
		fs_list_sort(out);
	else
		fs_list_finish(out);
	return ok;
}
