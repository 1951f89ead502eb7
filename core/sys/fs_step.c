/* fs_step: the crash points of the tests.  Off, which is decided once, unless the environment names one of the two
 * variables.  See fs.h. */
#include "sys/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

_Atomic int fs_step_state = FS_STEPS_UNKNOWN;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Atomic uint64_t steps;
static uint64_t die_at; /* 0: never */
static char *count_file;
static pid_t counting; /* the process whose steps are counted; its children end without a word */

static void write_count(void)
{
	if (getpid() != counting)
		return;
	int fd = open(count_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	dprintf(fd, "%llu\n", (unsigned long long)steps);
	close(fd);
}

static void set_up(void)
{
	const char *at = getenv("PAWL_TEST_DIE_AT");
	const char *file = getenv("PAWL_TEST_COUNT_STEPS");
	counting = getpid();
	if (at && !str_to_u64(str_of(at), &die_at))
		dprintf(STDERR_FILENO, "pawl: PAWL_TEST_DIE_AT=%s is not a number\n", at);
	if (file && (count_file = strdup(file)))
		atexit(write_count);
	atomic_store(&fs_step_state, die_at || count_file ? FS_STEPS_ON : FS_STEPS_OFF);
}

void fs_step_counted(const char *what)
{
	pthread_once(&once, set_up);
	if (fs_step_state != FS_STEPS_ON)
		return;
	uint64_t step = atomic_fetch_add(&steps, 1) + 1;
	if (step != die_at)
		return;
	dprintf(STDERR_FILENO, "pawl: dies at step %llu, %s, as PAWL_TEST_DIE_AT asks\n",
		(unsigned long long)step, what);
	kill(getpid(), SIGKILL);
	for (;;)
		pause(); /* the signal may be delivered to another thread first */
}
