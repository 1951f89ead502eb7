/* fake_world: see fake_world.h. */
#include "fake_world.h"

#include "base/mem.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t epoch_ms = 1700000000000;

enum kind { EVENT_TIMER, EVENT_EXIT, EVENT_SIGNAL, EVENT_CALL, EVENT_OFFLOAD };

struct fake_event {
	enum kind kind;
	uint64_t at_ms;
	uint64_t order;
	bool is_dropped;
	void (*fn)(void *arg);
	void (*done)(void *arg);
	void *arg;
	int signal;
	struct world_proc *proc;
};

struct world_proc {
	struct fake_event *end;
	void (*on_output)(void *arg, int32_t stream, str bytes);
	void (*on_exit)(void *arg, const struct world_exit *exit);
	void *arg;
	char out[64];
	int32_t code;
	int32_t signal;
	bool is_deaf;
	uint64_t started_ms;
};

/* ---- the heap ---- */

static bool is_before(const struct fake_event *a, const struct fake_event *b)
{
	return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

static struct fake_event *add(struct fake_world *fake, enum kind kind, uint64_t at_ms)
{
	struct fake_event *event = mem_zalloc(sizeof(*event));
	*event = (struct fake_event){.kind = kind, .at_ms = at_ms, .order = fake->made++};
	*vec_push(&fake->events) = event;
	struct fake_event **heap = fake->events.ptr;
	for (size_t i = fake->events.len - 1; i && is_before(event, heap[(i - 1) / 2]);
		i = (i - 1) / 2) {
		heap[i] = heap[(i - 1) / 2];
		heap[(i - 1) / 2] = event;
	}
	return event;
}

static struct fake_event *take(struct fake_world *fake)
{
	struct fake_event **heap = fake->events.ptr;
	struct fake_event *first = heap[0];
	struct fake_event *last = heap[--fake->events.len];
	size_t len = fake->events.len;
	size_t i = 0;
	heap[0] = last;
	for (size_t child = 1; child < len; child = 2 * i + 1) {
		if (child + 1 < len && is_before(heap[child + 1], heap[child]))
			child++;
		if (!is_before(heap[child], last))
			break;
		heap[i] = heap[child];
		heap[child] = last;
		i = child;
	}
	return first;
}

/* ---- the world's calls ---- */

static uint64_t mono_ms(void *ctx)
{
	return ((struct fake_world *)ctx)->now_ms;
}

static int64_t wall_ms(void *ctx)
{
	return epoch_ms + (int64_t)((struct fake_world *)ctx)->now_ms;
}

static struct world_timer *timer_start(void *ctx, uint64_t ms, void (*fire)(void *arg), void *arg)
{
	struct fake_world *fake = ctx;
	struct fake_event *event = add(fake, EVENT_TIMER, fake->now_ms + ms);
	event->fn = fire;
	event->arg = arg;
	return (struct world_timer *)event;
}

static void timer_stop(void *ctx, struct world_timer *timer)
{
	(void)ctx;
	if (timer)
		((struct fake_event *)timer)->is_dropped = true;
}

/* "PAWL_ATTEMPT_ID=store/run/NODE/attempt" */
static void node_of(const char *marker, char *out, size_t size)
{
	str rest = str_of(marker ? marker : "");
	str part = STR("");
	for (int i = 0; i < 3; i++)
		str_split(&rest, '/', &part);
	snprintf(out, size, "%.*s", STR_ARG(part));
}

/* The alternative for this try; returns how long it takes. */
static uint64_t read_script(struct world_proc *proc, const char *script, uint32_t tries)
{
	str rest = str_of(script);
	str part = STR("");
	str word = STR("");
	uint64_t ms = 0;
	for (uint32_t i = 0; i <= tries && rest.len; i++)
		str_split(&rest, '|', &part);
	part = str_trim(part);
	while (str_split(&part, ' ', &word)) {
		uint64_t number = 0;
		size_t eq = str_find_char(word, '=', 0);
		if (eq != SIZE_MAX)
			str_to_u64(str_slice(word, eq + 1, word.len), &number);
		if (str_starts(word, STR("exit=")))
			proc->code = (int32_t)number;
		else if (str_starts(word, STR("signal=")))
			proc->signal = (int32_t)number;
		else if (str_starts(word, STR("out=")))
			snprintf(proc->out, sizeof(proc->out), "%.*s\n", (int)(word.len - 4),
				word.ptr + 4);
		else if (str_is(word, "deaf"))
			proc->is_deaf = true;
		else
			str_to_u64(word, &ms);
	}
	if (proc->signal)
		proc->code = -1;
	return ms;
}

static uint32_t next_try(struct fake_world *fake, str node)
{
	uint32_t *count = map_get(&fake->tries, node);
	if (!count) {
		count = arena_new(&fake->arena, uint32_t);
		map_put(&fake->tries, arena_str(&fake->arena, node), count);
	}
	return (*count)++;
}

static struct world_proc *proc_start(void *ctx, const struct world_spawn *spec, struct err *err)
{
	struct fake_world *fake = ctx;
	if (fake->refuse) {
		fake->refuse--;
		err_set(err, "E-SPAWN-SYSTEM", "cannot start a process");
		return NULL;
	}
	struct world_proc *proc = mem_zalloc(sizeof(*proc));
	struct fake_start *start = vec_push(&fake->starts);
	node_of(spec->marker, start->node, sizeof(start->node));
	start->at_ms = fake->now_ms;
	uint64_t ms = read_script(proc, spec->argv[1], next_try(fake, str_of(start->node)));
	proc->on_output = spec->on_output;
	proc->on_exit = spec->on_exit;
	proc->arg = spec->arg;
	proc->started_ms = fake->now_ms;
	proc->end = add(fake, EVENT_EXIT, fake->now_ms + ms);
	proc->end->proc = proc;
	fake->running++;
	if (fake->running > fake->most_running)
		fake->most_running = fake->running;
	return proc;
}

static void end_at(struct fake_world *fake, struct world_proc *proc, uint64_t at_ms, int32_t signal)
{
	if (proc->end->at_ms <= at_ms)
		return;
	proc->end->is_dropped = true;
	proc->end = add(fake, EVENT_EXIT, at_ms);
	proc->end->proc = proc;
	proc->code = -1;
	proc->signal = signal;
	proc->out[0] = '\0';
}

static void proc_stop(void *ctx, struct world_proc *proc, uint64_t grace_ms)
{
	struct fake_world *fake = ctx;
	if (proc->is_deaf || !grace_ms)
		end_at(fake, proc, fake->now_ms + grace_ms, SIGKILL);
	else
		end_at(fake, proc, fake->now_ms, SIGTERM);
}

static void proc_signal(void *ctx, struct world_proc *proc, int signal)
{
	struct fake_world *fake = ctx;
	if (signal == SIGKILL || !proc->is_deaf)
		end_at(fake, proc, fake->now_ms, signal);
}

static void proc_write(void *ctx, struct world_proc *proc, str bytes)
{
	(void)ctx;
	(void)proc;
	(void)bytes;
}

static void offload(void *ctx, void (*work)(void *arg), void (*done)(void *arg), void *arg)
{
	struct fake_world *fake = ctx;
	struct fake_event *event = add(fake, EVENT_OFFLOAD, fake->now_ms);
	event->fn = work;
	event->done = done;
	event->arg = arg;
}

/* A fake one leaves nothing behind. */
static bool proc_has_ended(void *ctx, const struct world_proc *proc)
{
	(void)ctx;
	(void)proc;
	return false;
}

static void on_turn(void *ctx, void (*fn)(void *arg), void *arg)
{
	struct fake_world *fake = ctx;
	fake->on_turn = fn;
	fake->turn_arg = arg;
}

static void on_signal(void *ctx, void (*fn)(void *arg, int signal), void *arg)
{
	struct fake_world *fake = ctx;
	fake->on_signal = fn;
	fake->signal_arg = arg;
}

static void end_proc(struct fake_world *fake, struct world_proc *proc)
{
	struct world_exit exit = {.code = proc->code,
		.signal = proc->signal,
		.wall_us = (fake->now_ms - proc->started_ms) * 1000};
	fake->running--;
	if (proc->out[0] && proc->on_output)
		proc->on_output(proc->arg, WORLD_STDOUT, str_of(proc->out));
	if (proc->on_exit)
		proc->on_exit(proc->arg, &exit);
	free(proc);
}

static void happen(struct fake_world *fake, const struct fake_event *event)
{
	switch (event->kind) {
	case EVENT_EXIT: end_proc(fake, event->proc); break;
	case EVENT_SIGNAL:
		if (fake->on_signal)
			fake->on_signal(fake->signal_arg, event->signal);
		break;
	case EVENT_OFFLOAD:
		event->fn(event->arg);
		event->done(event->arg);
		break;
	case EVENT_TIMER:
	case EVENT_CALL: event->fn(event->arg); break;
	}
}

static void run(void *ctx)
{
	struct fake_world *fake = ctx;
	fake->is_over = false;
	while (!fake->is_over && fake->events.len) {
		struct fake_event *event = take(fake);
		if (!event->is_dropped) {
			fake->now_ms = event->at_ms;
			happen(fake, event);
			if (fake->on_turn)
				fake->on_turn(fake->turn_arg);
		}
		free(event);
	}
}

static void quit(void *ctx)
{
	((struct fake_world *)ctx)->is_over = true;
}

/* ---- for tests ---- */

void fake_world_init(struct fake_world *fake)
{
	*fake = (struct fake_world){.now_ms = 1000};
	fake->world = (struct world){.ctx = fake,
		.mono_ms = mono_ms,
		.wall_ms = wall_ms,
		.timer_start = timer_start,
		.timer_stop = timer_stop,
		.proc_start = proc_start,
		.proc_stop = proc_stop,
		.proc_signal = proc_signal,
		.proc_write = proc_write,
		.proc_has_ended = proc_has_ended,
		.offload = offload,
		.on_turn = on_turn,
		.on_signal = on_signal,
		.run = run,
		.quit = quit};
}

void fake_world_finish(struct fake_world *fake)
{
	for (size_t i = 0; i < fake->events.len; i++) {
		if (!fake->events.ptr[i]->is_dropped)
			free(fake->events.ptr[i]->proc);
		free(fake->events.ptr[i]);
	}
	vec_finish(&fake->events);
	vec_finish(&fake->starts);
	map_finish(&fake->tries);
	arena_finish(&fake->arena);
}

void fake_signal_at(struct fake_world *fake, uint64_t at_ms, int signal)
{
	add(fake, EVENT_SIGNAL, at_ms)->signal = signal;
}

void fake_call_at(struct fake_world *fake, uint64_t at_ms, void (*fn)(void *arg), void *arg)
{
	struct fake_event *event = add(fake, EVENT_CALL, at_ms);
	event->fn = fn;
	event->arg = arg;
}

uint32_t fake_started(const struct fake_world *fake, const char *node)
{
	uint32_t count = 0;
	for (size_t i = 0; i < fake->starts.len; i++)
		count += !strcmp(fake->starts.ptr[i].node, node);
	return count;
}

uint64_t fake_start_ms(const struct fake_world *fake, const char *node, uint32_t n)
{
	for (size_t i = 0; i < fake->starts.len; i++) {
		if (!strcmp(fake->starts.ptr[i].node, node) && !n--)
			return fake->starts.ptr[i].at_ms;
	}
	return UINT64_MAX;
}

void fake_forget(struct fake_world *fake)
{
	fake->starts.len = 0;
	fake->most_running = 0;
	map_finish(&fake->tries);
}
