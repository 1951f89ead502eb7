/* fs: files, durably and without following what a stranger planted.  Paths that come from a workflow are relative to a
 * root directory descriptor and are opened with openat2(RESOLVE_BENEATH), so neither ".." nor a symlink leaves it
 * (E-FS-OUTSIDE).  Reading follows symlinks that stay inside; whatever writes, makes or removes goes through none at all
 * (E-FS-LINK).  An absolute path is taken as it is with AT_FDCWD only: it was named by a person or by the program.
 *
 * What is not there is FS_ABSENT, or E-FS-MISSING from a function that gives bool. */
#ifndef SYS_FS_H
#define SYS_FS_H

#include "base/buf.h"
#include "base/err.h"
#include "sys/hash.h"

#include <stdatomic.h>
#include <sys/types.h>

/* What the kernel says of a file, enough to know whether it may have changed. */
struct fs_stat {
	uint64_t dev;
	uint64_t ino;
	uint64_t size;
	int64_t mtime_ns;
	int64_t ctime_ns;
	uint32_t mode; /* type and permissions */
};

enum fs_found { FS_FOUND, FS_ABSENT, FS_ERROR };

/* Relative to dirfd.  lstat does not follow the last symlink; both never leave dirfd when `beneath`. */
enum fs_found fs_stat_at(int dirfd, const char *path, struct fs_stat *out, struct err *err);
enum fs_found fs_lstat_at(int dirfd, const char *path, struct fs_stat *out, struct err *err);

/* Where the path leads, all symlinks followed, out of dirfd too: an absolute path without any, appended.  For names and
 * for stat; what is opened through it is not kept beneath anything. */
bool fs_real_at(int dirfd, const char *path, struct buf *out);

/* As fs_stat_at, for many files in one pass (a plan): directories stay open, which makes a look about half as dear.  A
 * directory that is moved away or made meanwhile may be seen where it was.  For one thread; up to 64 descriptors. */
struct fs_look;
struct fs_look *fs_look_create(int dirfd); /* borrows dirfd */
void fs_look_destroy(struct fs_look *look);
enum fs_found fs_look_at(
	struct fs_look *look, const char *path, struct fs_stat *out, struct err *err);

/* Opens a directory (O_PATH-free, usable with *at); -1 and *err where it is none. */
int fs_open_dir(const char *path, struct err *err);

/* Opens beneath dirfd for reading, regular files only (a FIFO or device is refused, not waited for). -1: *err. */
int fs_open_beneath(int dirfd, const char *path, struct err *err);

/* SHA-256 of a regular file beneath dirfd, and what fstat said of the very descriptor before and after reading: FS_ERROR
 * with E-FS-CHANGING where they differ. */
enum fs_found fs_digest_at(
	int dirfd, const char *path, struct digest *out, struct fs_stat *stat, struct err *err);

/* Whole regular file into *out, whose bytes it replaces; at most `limit` bytes, more is E-FS-TOO-LARGE. */
bool fs_read_file(int dirfd, const char *path, size_t limit, struct buf *out, struct err *err);

/* Writes through a temporary file in the same directory (".pawl-", 16 hexadecimal digits, ".tmp"; only a crash leaves one),
 * fsync, rename; with `durable` also fsync of the directory.  The file gets exactly `mode`, whatever the umask.  A symlink
 * of that name is replaced. */
bool fs_write_file(
	int dirfd, const char *path, str bytes, mode_t mode, bool durable, struct err *err);

/* Makes a symbolic link beneath dirfd, whatever its target, replacing a file or link of that name. */
bool fs_write_link(int dirfd, const char *path, const char *target, struct err *err);

/* The target of a symbolic link beneath dirfd, as it is written in it. */
bool fs_read_link(int dirfd, const char *path, struct buf *target, struct err *err);

/* Makes the directory and its missing parents beneath dirfd, durably; `mode` is that of each new one, less the umask. */
bool fs_make_dirs(int dirfd, const char *path, mode_t mode, struct err *err);

/* Removes a file, link or whole tree beneath dirfd, never through a symlink; absent is success.  Directories that their
 * owner made unreadable or read-only go too. */
bool fs_remove_tree(int dirfd, const char *path, struct err *err);

/* Moves a file or link, or copies and removes it where the two are on different file systems, making the missing parents of
 * `to` (0700).  Through no symlink; also out of, and into, a directory that its owner made read-only.  What is at `to` stays:
 * FS_ABSENT says that nothing was moved, because there was nothing at `from` or something at `to`. */
enum fs_found fs_move(int from_dir, const char *from, int to_dir, const char *to, struct err *err);

/* Removes a file or link, or a directory that is empty; true where it was removed.  Also out of a read-only directory. */
bool fs_remove_one(int dirfd, const char *path);

/* Makes what is missing of the directories of the path, up to its last slash, with 0700 less the umask; not durably. */
bool fs_make_parents(int dirfd, const char *path, struct err *err);

/* Adds bytes to the end of a file (0600), which is made with its directories where it is missing; not durably. */
bool fs_append(int dirfd, const char *path, str bytes, struct err *err);

/* Sets the permissions of a directory beneath dirfd, through no symlink. */
bool fs_set_mode(int dirfd, const char *path, mode_t mode, struct err *err);

/* One entry of a listing. */
struct fs_entry {
	char *name; /* path relative to the listed directory, on the heap */
	struct fs_stat stat;
	char *target; /* of a symlink, on the heap; else NULL */
};
struct fs_list {
	struct fs_entry *ptr;
	size_t len;
	size_t cap;
};

/* All entries below `path`, directories too, recursively, sorted by name as bytes; symlinks are listed, not followed.
 * Entries named `skip` at the top are left out (NULL: none).  *out is empty where it fails. */
bool fs_list_tree(
	int dirfd, const char *path, const char *skip, struct fs_list *out, struct err *err);
void fs_list_finish(struct fs_list *list);

/* Expands a glob (`*`, `?`, `[...]`, `**` for any depth) beneath dirfd into sorted relative paths of files and links, not of
 * directories.  A leading dot is matched by a literal dot only.  `**` does not enter symlinks; the other parts enter those
 * that stay inside.  A pattern without any such character gives the one file, or nothing.  *out is empty where it fails
 * (E-FS-GLOB: the pattern is absolute, has "..", or more than 64 parts). */
bool fs_glob(int dirfd, str pattern, struct fs_list *out, struct err *err);

/* Adds the regular files beneath dirfd that were last written to in [since, until), sorted by name.  It looks at the first
 * `limit` entries only, nearest first, enters no symlink and nothing that `skip` names, and passes over what it can't
 * read: good for a hint, not for a decision. */
struct fs_newer {
	int64_t since_ns;
	int64_t until_ns;
	const char *const *skip; /* names, NULL-terminated */
	size_t limit;
};
void fs_find_newer(int dirfd, const struct fs_newer *query, struct fs_list *out);

/* As fs_glob, with directories: those that match, and those in which something may. */
bool fs_glob_dirs(int dirfd, str pattern, struct fs_list *out, struct err *err);

/* Whether text has any of the characters that make it a glob. */
bool fs_is_glob(str text);

/* Whether `path` matches a glob pattern, as fs_glob would list it. */
bool fs_glob_matches(str pattern, str path);

/* Cleans "./a//b/../c" into "a/c", the root itself into "."; false where it is absolute, leaves the root or has a NUL. */
bool fs_normalize(str path, struct buf *out);

/* fsync of a descriptor or of the directory `path`; a failure is final, never retried. */
bool fs_sync(int fd, const char *what, struct err *err);

/* For tests of what survives a crash: called before and after each durable step (fsync, rename, COMMIT).  With
 * PAWL_TEST_DIE_AT=N in the environment at the first step, the process kills itself at the N-th;
 * PAWL_TEST_COUNT_STEPS=FILE writes at exit how many there were.  Otherwise it costs a branch. */
enum { FS_STEPS_UNKNOWN, FS_STEPS_OFF, FS_STEPS_ON };
extern _Atomic int fs_step_state;
void fs_step_counted(const char *what);

static inline void fs_step(const char *what)
{
	if (atomic_load_explicit(&fs_step_state, memory_order_relaxed) != FS_STEPS_OFF)
		fs_step_counted(what);
}

#endif
