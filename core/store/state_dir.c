/* state_dir: the directory of the store: made private, opened without following links, refused where it is another user's. */
#include "store/stmt.h"

#include "sys/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

bool store_sys_failed(struct err *err, const char *doing, const char *path)
{
	int number = errno;
	const char *code = number == EROFS || number == EACCES || number == EPERM
	                           ? "E-STORE-READONLY"
	                   : number == ENOSPC || number == EDQUOT ? "E-STORE-FULL"
	                                                          : "E-STORE-SYS";
	err_sys(err, number, code, "%s %s", doing, path);
	return err_help(err, "see its rights (`ls -ld`), its room (`df -h`) and `ulimit -n`");
}

/* Makes one directory, whatever the umask; it may be there. */
static bool make_private(int dirfd, const char *name, const char *shown, struct err *err)
{
	if (mkdirat(dirfd, name, 0700) != 0) {
		return errno == EEXIST || store_sys_failed(err, "making", shown);
	}
	return fchmodat(dirfd, name, 0700, 0) == 0 || store_sys_failed(err, "making", shown);
}

/* Opens a directory that must be this user's own and no link; 1, absent: 0, error: -1. */
static int open_private(int dirfd, const char *name, const char *shown, int *fd, struct err *err)
{
	*fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (*fd < 0) {
		if (errno == ENOENT) {
			return 0;
		}
		if (errno == ELOOP || errno == ENOTDIR) {
			err_set(err, "E-STORE-OWNER", "%s is a symbolic link or not a directory",
				shown);
			err_help(err, "move it away: pawl makes the directory itself");
			return -1;
		}
		store_sys_failed(err, "opening", shown);
		return -1;
	}
	struct stat st;
	if (fstat(*fd, &st) != 0) {
		store_sys_failed(err, "looking at", shown);
		return -1;
	}
	if (st.st_uid != geteuid()) {
		err_set(err, "E-STORE-OWNER", "%s belongs to user %u, not to %u who runs pawl",
			shown, (unsigned)st.st_uid, (unsigned)geteuid());
		err_help(err, "run pawl as its owner, or remove the directory");
		return -1;
	}
	return 1;
}

static bool make_directories(struct store *store, struct err *err)
{
	if (mkdirat(store->project_fd, ".pawl", 0777) != 0 && errno != EEXIST) {
		return store_sys_failed(err, "making .pawl in", store->project);
	}
	return make_private(store->project_fd, ".pawl/state", store->state, err);
}

static bool prepare_state(struct store *store, struct err *err)
{
	struct stat st;
	if (fstat(store->state_fd, &st) == 0 && (st.st_mode & 0777) != 0700 &&
		fchmod(store->state_fd, 0700) != 0) {
		return store_sys_failed(err, "closing to others", store->state);
	}
	if (faccessat(store->state_fd, ".gitignore", F_OK, AT_SYMLINK_NOFOLLOW) != 0 &&
		!fs_write_file(store->state_fd, ".gitignore", STR("*\n"), 0600, false, err)) {
		return false;
	}
	if (!make_private(store->state_fd, "tmp", store->state, err) ||
		!make_private(store->state_fd, "blobs", store->state, err)) {
		return false;
	}
	if (open_private(store->state_fd, "tmp", store->state, &store->tmp_fd, err) != 1) {
		return false;
	}
	cas_sweep_tmp(store);
	return true;
}

int store_open_directories(struct store *store, const char *project, struct err *err)
{
	store->project = realpath(project, NULL);
	if (!store->project) {
		store_sys_failed(err, "opening", project);
		return -1;
	}
	struct buf state = {0};
	buf_printf(&state, "%s%s.pawl/state", store->project,
		str_is(str_of(store->project), "/") ? "" : "/");
	store->state = buf_take(&state);
	store->project_fd = open(store->project, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (store->project_fd < 0) {
		store_sys_failed(err, "opening", store->project);
		return -1;
	}
	bool writes = store->mode == STORE_WRITE;
	int got =
		open_private(store->project_fd, ".pawl/state", store->state, &store->state_fd, err);
	if (got == 0 && writes) {
		got = make_directories(store, err) ? open_private(store->project_fd, ".pawl/state",
							     store->state, &store->state_fd, err)
		                                   : -1;
	}
	if (got == 1 && writes && !prepare_state(store, err)) {
		return -1;
	}
	if (got == 1 &&
		open_private(store->state_fd, "blobs", store->state, &store->blobs_fd, err) < 0) {
		return -1;
	}
	return got;
}
