/* Locks between two processes, between two descriptors of one, and after the death of a holder. */
#include "fs_help.h"

#include "sys/lock.h"

#include <signal.h>
#include <sys/wait.h>

static int open_lock(struct room *room)
{
	int fd = openat(room->fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	return fd;
}

/* What another process gets for each offset, as an exit status: a bit for each that is busy. */
static int busy_elsewhere(struct room *room)
{
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		int busy = 0;
		int fd = openat(room->fd, "lock", O_RDWR | O_CLOEXEC);
		for (unsigned i = 0; i < 4; i++)
			busy |= (lock_try(fd, i, NULL) == LOCK_BUSY) << i;
		_exit(busy);
	}
	int status = 0;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_two_processes(void **state)
{
	struct room *room = *state;
	struct err err = {0};
	int fd = open_lock(room);
	assert_int_equal(busy_elsewhere(room), 0);
	assert_int_equal(lock_try(fd, 1, &err), LOCK_HELD);
	assert_int_equal(busy_elsewhere(room), 2);
	assert_int_equal(lock_try(fd, 3, &err), LOCK_HELD);
	assert_int_equal(busy_elsewhere(room), 10);
	/* Closing another descriptor of the file would drop a POSIX lock. */
	close(open_lock(room));
	assert_int_equal(busy_elsewhere(room), 10);
	lock_release(fd, 1);
	assert_int_equal(busy_elsewhere(room), 8);
	close(fd);
	assert_int_equal(busy_elsewhere(room), 0);
}

static void test_two_descriptors(void **state)
{
	struct room *room = *state;
	struct err err = {0};
	int a = open_lock(room);
	int b = open_lock(room);
	assert_int_equal(lock_try(a, 7, &err), LOCK_HELD);
	assert_int_equal(lock_try(a, 7, &err), LOCK_HELD);
	assert_int_equal(lock_try(b, 7, &err), LOCK_BUSY);
	assert_false(err_is_set(&err));
	assert_int_equal(lock_try(b, (uint64_t)1 << 62, &err), LOCK_HELD);
	lock_release(a, 7);
	assert_int_equal(lock_try(b, 7, &err), LOCK_HELD);
	close(a);
	close(b);
}

static void test_death_of_the_holder(void **state)
{
	struct room *room = *state;
	int ready[2];
	assert_int_equal(pipe(ready), 0);
	int fd = open_lock(room);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		int own = openat(room->fd, "lock", O_RDWR | O_CLOEXEC);
		if (lock_try(own, 0, NULL) != LOCK_HELD || write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	char byte;
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(lock_try(fd, 0, NULL), LOCK_BUSY);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(lock_try(fd, 0, NULL), LOCK_HELD);
	close(fd);
	close(ready[0]);
	close(ready[1]);
}

static void test_failures(void **state)
{
	struct room *room = *state;
	struct err err = {0};
	assert_int_equal(lock_try(-1, 0, &err), LOCK_FAILED);
	assert_string_equal(err.code, "E-LOCK-FAILED");
	assert_non_null(err.help);
	err_finish(&err);
	int fd = open_lock(room);
	assert_int_equal(lock_try(fd, UINT64_MAX, &err), LOCK_FAILED);
	err_finish(&err);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		room_test(test_two_processes),
		room_test(test_two_descriptors),
		room_test(test_death_of_the_holder),
		room_test(test_failures),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
