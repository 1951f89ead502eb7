/* A directory of its own for each test of files, with hands to put things into it that do not use what is tested. */
#ifndef TESTS_FS_HELP_H
#define TESTS_FS_HELP_H

#include "base/mem.h"
#include "sys/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct room {
	char path[64];
	int fd;
	int project; /* a directory in it, or -1 */
};

static inline int room_setup(void **state)
{
	struct room *room = mem_zalloc(sizeof(*room));
	snprintf(room->path, sizeof(room->path), "/tmp/pawl-test-XXXXXX");
	if (!mkdtemp(room->path))
		return -1;
	room->fd = open(room->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	room->project = -1;
	*state = room;
	return room->fd < 0;
}

static inline int room_remove(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static inline int room_teardown(void **state)
{
	struct room *room = *state;
	close(room->fd);
	if (room->project >= 0)
		close(room->project);
	int failed = nftw(room->path, room_remove, 16, FTW_DEPTH | FTW_PHYS);
	free(room);
	return failed;
}

#define room_test(f) cmocka_unit_test_setup_teardown(f, room_setup, room_teardown)

static inline void room_dir(struct room *room, const char *path)
{
	assert_int_equal(mkdirat(room->fd, path, 0700), 0);
}

static inline void room_link(struct room *room, const char *path, const char *target)
{
	assert_int_equal(symlinkat(target, room->fd, path), 0);
}

static inline void room_file(struct room *room, const char *path, const char *text)
{
	int fd = openat(room->fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

#endif
