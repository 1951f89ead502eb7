/* loop_pool: two to four threads for work that would block the loop (digests, fsync).  Started when the first work
 * comes; a finished one is posted back through an eventfd.  It knows nothing of the work. */
#include "base/mem.h"
#include "sys/loop_internal.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void queue_init(struct pool_queue *queue)
{
	*queue = (struct pool_queue){.last = &queue->first};
}

static void queue_push(struct pool_queue *queue, struct pool_job *job)
{
	job->next = NULL;
	*queue->last = job;
	queue->last = &job->next;
	queue->len++;
}

static struct pool_job *queue_pop(struct pool_queue *queue)
{
	struct pool_job *job = queue->first;
	if (job == NULL)
		return NULL;
	queue->first = job->next;
	if (queue->first == NULL)
		queue->last = &queue->first;
	queue->len--;
	return job;
}

/* With the lock held. */
static void post(struct loop_pool *pool, struct pool_job *job)
{
	bool was_empty = pool->finished.len == 0;
	queue_push(&pool->finished, job);
	uint64_t one = 1;
	while (was_empty && write(pool->wake.fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static void *thread_main(void *arg)
{
	struct loop_pool *pool = arg;
	pthread_mutex_lock(&pool->lock);
	for (;;) {
		while (!pool->ending && pool->waiting.len == 0) {
			pool->idle++;
			pthread_cond_wait(&pool->more, &pool->lock);
			pool->idle--;
		}
		if (pool->ending)
			break;
		struct pool_job *job = queue_pop(&pool->waiting);
		pthread_mutex_unlock(&pool->lock);
		job->work(job->arg);
		pthread_mutex_lock(&pool->lock);
		post(pool, job);
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

static void pool_ready(struct loop *loop, void *owner, uint32_t events)
{
	struct loop_pool *pool = owner;
	(void)events;
	uint64_t count;
	if (read(pool->wake.fd, &count, sizeof(count)) < 0)
		return;
	pthread_mutex_lock(&pool->lock);
	struct pool_job *job = pool->finished.first;
	queue_init(&pool->finished);
	pthread_mutex_unlock(&pool->lock);
	while (job != NULL) {
		struct pool_job *next = job->next;
		struct pool_job done = *job;
		free(job);
		pool->pending--;
		loop->happened = true;
		done.done(done.arg);
		job = next;
	}
}

bool pool_init(struct loop *loop, struct err *err)
{
	struct loop_pool *pool = &loop->pool;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->more, NULL);
	queue_init(&pool->waiting);
	queue_init(&pool->finished);
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	pool->max = cpus < 2 ? 2 : cpus > LOOP_POOL_MAX ? LOOP_POOL_MAX : (size_t)cpus;
	pool->wake = (struct loop_source){
		.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .ready = pool_ready, .owner = pool};
	if (pool->wake.fd < 0)
		return err_sys(err, errno, "E-LOOP-SYSTEM", "cannot make an eventfd");
	return loop_add(loop, &pool->wake, EPOLLIN, err);
}

/* Threads take no signal: all of them are read by the loop. */
static bool start_thread(struct loop_pool *pool)
{
	sigset_t all;
	sigset_t old;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	bool ok = pthread_create(&pool->threads[pool->count], NULL, thread_main, pool) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (ok)
		pool->count++;
	return ok;
}

void pool_offload(void *ctx, void (*work)(void *), void (*done)(void *), void *arg)
{
	struct loop *loop = ctx;
	struct loop_pool *pool = &loop->pool;
	struct pool_job *job = mem_alloc(sizeof(*job));
	*job = (struct pool_job){.work = work, .done = done, .arg = arg};
	pool->pending++;
	pthread_mutex_lock(&pool->lock);
	queue_push(&pool->waiting, job);
	bool need_thread = pool->idle < pool->waiting.len && pool->count < pool->max;
	pthread_cond_signal(&pool->more);
	pthread_mutex_unlock(&pool->lock);
	if (!need_thread || start_thread(pool) || pool->count > 0)
		return;
	/* No thread to be had at all: better late here than never. */
	pthread_mutex_lock(&pool->lock);
	queue_pop(&pool->waiting);
	pthread_mutex_unlock(&pool->lock);
	work(arg);
	pthread_mutex_lock(&pool->lock);
	post(pool, job);
	pthread_mutex_unlock(&pool->lock);
}

static void drop_queue(struct pool_queue *queue)
{
	struct pool_job *job;
	while ((job = queue_pop(queue)) != NULL)
		free(job);
}

void pool_finish(struct loop *loop)
{
	struct loop_pool *pool = &loop->pool;
	pthread_mutex_lock(&pool->lock);
	pool->ending = true;
	pthread_cond_broadcast(&pool->more);
	pthread_mutex_unlock(&pool->lock);
	for (size_t i = 0; i < pool->count; i++)
		pthread_join(pool->threads[i], NULL);
	drop_queue(&pool->waiting);
	drop_queue(&pool->finished);
	loop_close(loop, &pool->wake);
	pthread_cond_destroy(&pool->more);
	pthread_mutex_destroy(&pool->lock);
}
