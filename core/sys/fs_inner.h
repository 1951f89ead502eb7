/* fs_inner: what the files of fs share among themselves; nobody else includes it. */
#ifndef SYS_FS_INNER_H
#define SYS_FS_INNER_H

#include "sys/fs.h"

#include <sys/stat.h>

/* Directories within directories; deeper is refused (E-FS-DEEP). */
#define FS_MAX_DEPTH 1024

/* How symlinks on the way are taken. */
enum fs_links { FS_FOLLOW_INSIDE, FS_NO_LINKS };

/* openat2 beneath dirfd, close-on-exec; -1 with errno.  An absolute path with AT_FDCWD was named by the user or by the
 * program itself, not by a workflow, and is opened as it is. */
int fs_open_at(int dirfd, const char *path, int flags, enum fs_links links);

/* What errno says when a path is not there. */
bool fs_is_absent(int number);

/* Sets *err to what `number` means for people: "cannot VERB PATH: ..."; false. */
bool fs_fail(struct err *err, int number, const char *verb, const char *path);

/* As fs_fail: FS_ABSENT without an error where it is absent, else FS_ERROR. */
enum fs_found fs_fail_found(struct err *err, int number, const char *verb, const char *path);

struct fs_stat fs_stat_from(const struct stat *from);

/* close that keeps errno and accepts -1. */
void fs_close(int fd);

/* Where a path that is about to be changed has its last name. */
struct fs_parent {
	int fd;
	const char *name; /* in the path */
};

/* Opens the directory, through no link.  FS_ABSENT where it is not there. */
enum fs_found fs_parent_open(int dirfd, const char *path, struct fs_parent *out, struct err *err);

/* Calls visit for each entry of the directory `fd`, which it closes, but "." and ".."; ends when visit gives false.
 * `path` is for messages. */
bool fs_scan(int fd, const char *path,
	bool (*visit)(void *ctx, int fd, const char *name, struct err *err), void *ctx,
	struct err *err);

/* Adds an entry named `path` with the lstat and target of `name`, which is in the directory `fd`.  FS_ABSENT: it has just
 * gone. */
enum fs_found fs_list_add(
	struct fs_list *list, int fd, const char *name, str path, struct err *err);

/* By path, as bytes. */
void fs_list_sort(struct fs_list *list);

#endif
