/* loop_timer: one-shot timers as a binary heap by (time, order of creation), so that a hundred thousand of them cost
 * a logarithm each.  It knows nothing of what they are for. */
#include "base/mem.h"
#include "sys/loop_internal.h"

#include <limits.h>

static bool is_before(const struct world_timer *a, const struct world_timer *b)
{
	return a->due_us != b->due_us ? a->due_us < b->due_us : a->seq < b->seq;
}

static void put(struct loop_timers *timers, size_t at, struct world_timer *timer)
{
	timers->heap.ptr[at] = timer;
	timer->at = at;
}

static void sift_up(struct loop_timers *timers, struct world_timer *timer)
{
	size_t at = timer->at;
	while (at > 0 && is_before(timer, timers->heap.ptr[(at - 1) / 2])) {
		put(timers, at, timers->heap.ptr[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	put(timers, at, timer);
}

static void sift_down(struct loop_timers *timers, struct world_timer *timer)
{
	size_t at = timer->at;
	for (;;) {
		size_t child = 2 * at + 1;
		if (child >= timers->heap.len)
			break;
		if (child + 1 < timers->heap.len &&
			is_before(timers->heap.ptr[child + 1], timers->heap.ptr[child]))
			child++;
		if (!is_before(timers->heap.ptr[child], timer))
			break;
		put(timers, at, timers->heap.ptr[child]);
		at = child;
	}
	put(timers, at, timer);
}

struct world_timer *timer_add(struct loop *loop, uint64_t due_us, void (*fire)(void *), void *arg)
{
	struct loop_timers *timers = &loop->timers;
	struct world_timer *timer = mem_alloc(sizeof(*timer));
	*timer = (struct world_timer){
		.due_us = due_us,
		.seq = timers->next_seq++,
		.at = timers->heap.len,
		.fire = fire,
		.arg = arg,
	};
	*vec_push(&timers->heap) = timer;
	sift_up(timers, timer);
	return timer;
}

/* Out of the heap, still allocated. */
static void take_out(struct loop_timers *timers, struct world_timer *timer)
{
	size_t at = timer->at;
	struct world_timer *last = timers->heap.ptr[--timers->heap.len];
	if (last == timer)
		return;
	put(timers, at, last);
	sift_up(timers, last);
	sift_down(timers, last);
}

void timer_drop(struct loop *loop, struct world_timer *timer)
{
	if (timer == NULL)
		return;
	take_out(&loop->timers, timer);
	free(timer);
}

int timer_wait_ms(const struct loop *loop)
{
	if (loop->timers.heap.len == 0)
		return -1;
	uint64_t now = loop_now_us();
	uint64_t due = loop->timers.heap.ptr[0]->due_us;
	if (due <= now)
		return 0;
	uint64_t ms = (due - now - 1) / 1000 + 1;
	return ms > INT_MAX ? INT_MAX : (int)ms;
}

bool timer_is_due(const struct loop *loop, uint64_t now_us)
{
	return loop->timers.heap.len > 0 && loop->timers.heap.ptr[0]->due_us <= now_us;
}

void timer_fire_due(struct loop *loop, uint64_t now_us)
{
	struct loop_timers *timers = &loop->timers;
	uint64_t newer = timers->next_seq;
	/* A timer started below is due no earlier than that, so all older ones that are due come before it. */
	while (timer_is_due(loop, now_us)) {
		struct world_timer *timer = timers->heap.ptr[0];
		if (timer->seq >= newer)
			break;
		take_out(timers, timer);
		struct world_timer fired = *timer;
		free(timer);
		loop->happened |= !fired.is_inner;
		fired.fire(fired.arg);
	}
}

void timer_finish(struct loop *loop)
{
	for (size_t i = 0; i < loop->timers.heap.len; i++)
		free(loop->timers.heap.ptr[i]);
	vec_finish(&loop->timers.heap);
}
