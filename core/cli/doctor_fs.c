/* doctor_fs: tries in a directory of its own, beside the store, what the store and the engine rely on: files beneath a
 * directory, links, permissions, locks, fine time stamps, and a database with a write-ahead log. */
#include "cli/doctor.h"
#include "cli/rows.h"
#include "store/cas.h"
#include "sys/fs.h"
#include "sys/lock.h"
#include "sys/loop.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

/* What the tries take, and more than the last bytes that some file systems never give out. */
static const uint64_t least_room = 1 << 20;

struct probe {
	struct doctor *doctor;
	const char *base; /* of the directory */
	const char *name; /* beneath it */
	int base_fd;
	int fd;
};

static const char *file_system_name(const char *path, bool *is_remote)
{
	static const struct {
		unsigned long magic;
		const char *name;
		bool is_remote;
	} known[] = {{0x6969, "nfs", true}, {0xff534d42, "cifs", true}, {0xfe534d42, "smb2", true},
		{0x65735546, "fuse", true}, {0x01021997, "9p", true}, {0xef53, "ext4", false},
		{0x9123683e, "btrfs", false}, {0x58465342, "xfs", false},
		{0x794c7630, "overlayfs", false}, {0x01021994, "tmpfs", false},
		{0x2fc12fc1, "zfs", false}, {0xf2f52010, "f2fs", false}, {0x4d44, "vfat", false}};
	struct statfs st;
	*is_remote = false;
	if (statfs(path, &st) != 0)
		return "of a kind that can't be told";
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if ((unsigned long)st.f_type == known[i].magic) {
			*is_remote = known[i].is_remote;
			return known[i].name;
		}
	}
	return "of another kind";
}

static void try_files(struct probe *p)
{
	struct err err = {0};
	struct fs_stat st;
	struct buf target = {0};
	bool ok = fs_write_file(p->fd, "script", STR("#!/bin/sh\nexit 0\n"), 0755, true, &err) &&
	          fs_write_link(p->fd, "link", "script", &err) &&
	          fs_read_link(p->fd, "link", &target, &err) &&
	          fs_lstat_at(p->fd, "script", &st, &err) == FS_FOUND;
	buf_finish(&target);
	if (!ok)
		doctor_say(p->doctor, FINDING_BAD, "files",
			"keep the project on a local file system of Linux",
			"files, links and renaming don't work here: %s",
			err.message ? err.message : "unknown");
	else if ((st.mode & 0777) != 0755)
		doctor_say(p->doctor, FINDING_WARN, "files",
			"artifacts lose their permissions here",
			"the file system keeps no permissions: 755 became %o", st.mode & 0777);
	else
		doctor_say(p->doctor, FINDING_OK, "files", NULL,
			"files, links, permissions, renaming and fsync work");
	err_finish(&err);
}

/* A file that changes twice in one tick of the clock can't be told by its time: then only content decides. */
static void try_times(struct probe *p)
{
	struct fs_stat st;
	bool is_fine = false;
	for (int i = 0; i < 5 && !is_fine; i++) {
		if (fs_write_file(p->fd, "time", STR("x"), 0600, false, NULL) &&
			fs_lstat_at(p->fd, "time", &st, NULL) == FS_FOUND)
			is_fine = st.mtime_ns % 1000000000 != 0;
	}
	if (is_fine)
		doctor_say(p->doctor, FINDING_OK, "times", NULL,
			"time stamps are finer than a second");
	else
		doctor_say(p->doctor, FINDING_WARN, "times",
			"nothing is decided wrongly: files are read again more often",
			"time stamps have whole seconds only");
}

static void try_locks(struct probe *p)
{
	struct err err = {0};
	bool ok = fs_write_file(p->fd, "lock", STR("x"), 0600, false, &err);
	int a = ok ? openat(p->fd, "lock", O_RDWR | O_CLOEXEC) : -1;
	int b = ok ? openat(p->fd, "lock", O_RDWR | O_CLOEXEC) : -1;
	ok = ok && a >= 0 && b >= 0 && lock_try(a, 0, &err) == LOCK_HELD &&
	     lock_try(b, 0, &err) == LOCK_BUSY;
	if (ok)
		doctor_say(p->doctor, FINDING_OK, "locks", NULL, "locks hold");
	else
		doctor_say(p->doctor, FINDING_BAD, "locks", "keep the project on a local disk",
			"locks don't hold here: two runs at once could do the same work twice");
	if (a >= 0)
		close(a);
	if (b >= 0)
		close(b);
	err_finish(&err);
}

static void try_store(struct probe *p)
{
	struct err err = {0};
	struct digest digest;
	struct buf back = {0};
	struct fs_stat st;
	const char *path = arena_printf(&p->doctor->cli->arena, "%s/%s", p->base, p->name);
	struct store *store = store_open(path, STORE_WRITE, &err);
	bool ok = store && !err_is_set(&err) && cas_put(store, STR("probe"), &digest, &err) &&
	          store_flush(store, &err);
	bool has_wal = fs_lstat_at(p->fd, ".pawl/state/pawl.db-wal", &st, NULL) == FS_FOUND;
	ok = ok && cas_get(store, &digest, &back, &err) && str_is(buf_str(&back), "probe");
	store_close(store);
	if (!ok)
		doctor_say(p->doctor, FINDING_BAD, "database", "keep the project on a local disk",
			"a store can't be made here: %s",
			err.message ? err.message : "what was written did not come back");
	else if (!has_wal)
		doctor_say(p->doctor, FINDING_BAD, "database", "keep the project on a local disk",
			"the write-ahead log does not work here");
	else
		doctor_say(p->doctor, FINDING_OK, "database", NULL,
			"a database with a write-ahead log works");
	buf_finish(&back);
	err_finish(&err);
}

static void try_loop(struct doctor *doctor)
{
	struct err err = {0};
	struct loop *loop = loop_create(&err);
	if (loop)
		doctor_say(doctor, FINDING_OK, "kernel", NULL,
			"the kernel has what running nodes takes");
	else
		doctor_say(doctor, FINDING_BAD, "kernel",
			err.help ? err.help : "Linux 5.6 or newer is needed",
			"nodes can't be run: %s", err.message);
	loop_destroy(loop, 0);
	err_finish(&err);
}

/* Beside the store, where there is one: that is the file system that counts. */
static bool open_probe(struct probe *p)
{
	struct cli *cli = p->doctor->cli;
	struct err err = {0};
	struct fs_stat st;
	const char *state = arena_printf(&cli->arena, "%s/.pawl/state", cli_project(cli));
	bool has_state = fs_lstat_at(AT_FDCWD, state, &st, NULL) == FS_FOUND;
	const char *tmp = getenv("TMPDIR");
	p->base = has_state ? state : tmp && *tmp ? tmp : "/tmp";
	p->name = arena_printf(
		&cli->arena, "%sdoctor-%d", has_state ? "tmp/" : "pawl-", (int)getpid());
	p->base_fd = fs_open_dir(p->base, &err);
	bool ok = p->base_fd >= 0 && fs_make_dirs(p->base_fd, p->name, 0700, &err);
	p->fd = ok ? fs_open_dir(arena_printf(&cli->arena, "%s/%s", p->base, p->name), &err) : -1;
	if (p->fd < 0)
		doctor_say(p->doctor, FINDING_BAD, "files",
			"nothing can be recorded: see the permissions, and `df`",
			"%s can't be written: %s", p->base, err.message);
	err_finish(&err);
	return p->fd >= 0;
}

/* Without room nothing of what follows can be told. */
static bool has_room(struct probe *p)
{
	struct statvfs st;
	uint64_t room = UINT64_MAX;
	if (fstatvfs(p->fd, &st) == 0 && st.f_blocks)
		room = (uint64_t)st.f_bavail * st.f_frsize;
	if (room >= least_room)
		return true;
	doctor_say(p->doctor, FINDING_BAD, "room",
		"make room first, then `pawl gc --max-size SIZE` can make the store smaller",
		"the disk is full: %s left, files and locks can't be tried",
		rows_size(p->doctor->cli, room));
	return false;
}

void doctor_check_system(struct doctor *doctor)
{
	struct probe p = {.doctor = doctor, .base_fd = -1, .fd = -1};
	bool is_remote = false;
	const char *kind = file_system_name(cli_project(doctor->cli), &is_remote);
	doctor_say(doctor, is_remote ? FINDING_WARN : FINDING_OK, "disk",
		is_remote
			? "a store on a network file system can be damaged when two computers use it"
			: NULL,
		"the project is on a file system %s%s", kind,
		is_remote ? ", which comes over the network or from a program" : "");
	if (open_probe(&p) && has_room(&p)) {
		try_files(&p);
		try_times(&p);
		try_locks(&p);
		try_store(&p);
	}
	if (p.fd >= 0)
		close(p.fd);
	if (p.base_fd >= 0) {
		fs_remove_tree(p.base_fd, p.name, NULL);
		close(p.base_fd);
	}
	try_loop(doctor);
}
