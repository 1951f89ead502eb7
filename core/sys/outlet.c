/* outlet: see outlet.h.  It knows bytes, not events: what may be dropped is said by who adds it. */
#include "sys/outlet.h"

#include "base/buf.h"
#include "base/mem.h"
#include "sys/tty.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

struct outlet {
	int fd;
	size_t most;
	pthread_mutex_t mutex;
	pthread_cond_t added;
	pthread_cond_t written;
	pthread_t thread;
	bool has_thread;
	bool is_direct; /* a regular file, or no thread could be had */
	bool is_ending;
	struct buf queue;
	size_t in_flight; /* bytes that the thread is writing */
	int error;        /* errno of the write that failed; nothing is written after it */
};

struct outlet *outlet_create(int fd, size_t most)
{
	struct outlet *outlet = mem_zalloc(sizeof(*outlet));
	struct stat st;
	pthread_condattr_t attr;
	outlet->fd = fd;
	outlet->most = most;
	outlet->is_direct = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	pthread_mutex_init(&outlet->mutex, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&outlet->added, &attr);
	pthread_cond_init(&outlet->written, &attr);
	pthread_condattr_destroy(&attr);
	return outlet;
}

static int write_all(int fd, str bytes)
{
	errno = 0;
	return tty_write(fd, bytes.ptr, bytes.len) ? 0 : errno ? errno : EIO;
}

static void *write_queue(void *arg)
{
	struct outlet *outlet = arg;
	pthread_mutex_lock(&outlet->mutex);
	for (;;) {
		while (!outlet->queue.len && !outlet->is_ending)
			pthread_cond_wait(&outlet->added, &outlet->mutex);
		if (!outlet->queue.len)
			break;
		struct buf bytes = outlet->queue;
		outlet->queue = (struct buf){0};
		outlet->in_flight = bytes.len;
		int error = outlet->error;
		pthread_mutex_unlock(&outlet->mutex);
		if (!error)
			error = write_all(outlet->fd, buf_str(&bytes));
		buf_finish(&bytes);
		pthread_mutex_lock(&outlet->mutex);
		outlet->error = error;
		outlet->in_flight = 0;
		pthread_cond_broadcast(&outlet->written);
	}
	pthread_mutex_unlock(&outlet->mutex);
	return NULL;
}

/* Signals are for the loop's thread. */
static void start_thread(struct outlet *outlet)
{
	sigset_t all;
	sigset_t old;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	outlet->has_thread = pthread_create(&outlet->thread, NULL, write_queue, outlet) == 0;
	outlet->is_direct = !outlet->has_thread;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

bool outlet_add(struct outlet *outlet, str bytes, bool may_drop)
{
	bool taken = true;
	if (!outlet->has_thread && !outlet->is_direct)
		start_thread(outlet);
	if (outlet->is_direct) {
		if (!outlet->error)
			outlet->error = write_all(outlet->fd, bytes);
		return true;
	}
	pthread_mutex_lock(&outlet->mutex);
	if (may_drop && outlet->queue.len + outlet->in_flight + bytes.len > outlet->most) {
		taken = outlet->error != 0;
	} else if (!outlet->error) {
		buf_add(&outlet->queue, bytes);
		pthread_cond_signal(&outlet->added);
	}
	pthread_mutex_unlock(&outlet->mutex);
	return taken;
}

size_t outlet_waiting(struct outlet *outlet)
{
	pthread_mutex_lock(&outlet->mutex);
	size_t waiting = outlet->queue.len + outlet->in_flight;
	pthread_mutex_unlock(&outlet->mutex);
	return waiting;
}

void outlet_drain(struct outlet *outlet, unsigned ms)
{
	struct timespec until;
	int result = 0;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)(ms / 1000);
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&outlet->mutex);
	while (outlet->has_thread && outlet->queue.len + outlet->in_flight && result != ETIMEDOUT)
		result = ms ? pthread_cond_timedwait(&outlet->written, &outlet->mutex, &until)
		            : pthread_cond_wait(&outlet->written, &outlet->mutex);
	pthread_mutex_unlock(&outlet->mutex);
}

int outlet_destroy(struct outlet *outlet)
{
	if (!outlet)
		return 0;
	if (outlet->has_thread) {
		pthread_mutex_lock(&outlet->mutex);
		outlet->is_ending = true;
		pthread_cond_signal(&outlet->added);
		pthread_mutex_unlock(&outlet->mutex);
		pthread_join(outlet->thread, NULL);
	}
	int error = outlet->error;
	pthread_cond_destroy(&outlet->added);
	pthread_cond_destroy(&outlet->written);
	pthread_mutex_destroy(&outlet->mutex);
	buf_finish(&outlet->queue);
	free(outlet);
	return error;
}
