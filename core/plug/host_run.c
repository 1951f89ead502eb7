/* host_run: an attempt to run a node, from start to the end of everything that it set going.
 *
 *     WAITING --(next turn: start())--> ACTIVE --(finish, cancel)--> ENDING --(nothing is under way any more)--> GONE
 *
 * Whatever the engine asks for happens in a turn of its own, so no event ever comes from inside a host_* call; after ACTIVE no
 * function of the plugin is called.  The struct outlives the run, so that a plugin that holds on to it is told so. */
#include "plug/host_internal.h"

#include "base/mem.h"
#include "sys/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static const struct world *world_of(const struct pawl_run *run)
{
	return run->node->init.world;
}

static void post(struct pawl_run *run, void (*fn)(void *arg))
{
	run->next = world_of(run)->timer_start(world_of(run)->ctx, 0, fn, run);
}

static void stop_timer(const struct pawl_run *run, struct world_timer **timer)
{
	if (*timer)
		world_of(run)->timer_stop(world_of(run)->ctx, *timer);
	*timer = NULL;
}

bool run_is_open(struct pawl_run *run, const char *service)
{
	if (!run) {
		host_misuse(NULL, service, "run is NULL");
		return false;
	}
	if (!host_on_loop(run->node)) {
		host_misuse(run->node, service, "called from another thread than the loop's");
		return false;
	}
	if (run->stage != RUN_ACTIVE || run->node->phase != HOST_RUN) {
		host_misuse(run->node, service, "called after finish()");
		return false;
	}
	return true;
}

void run_output(struct pawl_run *run, int32_t stream, str bytes)
{
	if (run->stage != RUN_GONE && bytes.len && run->events.output)
		run->events.output(run->events.arg, stream, bytes);
}

pawl_status run_cancel_status(const struct pawl_run *run)
{
	return run->cancel_reason == PAWL_CANCEL_TIMEOUT ? PAWL_E_TIMEOUT : PAWL_E_CANCELLED;
}

/* ---- the end ------------------------------------------------------------------------------------------------------------------ */

static const char *temp_root(const struct pawl_run *run)
{
	const char *root = run->node->init.temp_root;
	return root ? root : "/tmp";
}

static void remove_temp_dir(struct pawl_run *run)
{
	if (!run->temp_dir)
		return;
	struct err err = {0};
	int root = fs_open_dir(temp_root(run), &err);
	if (root < 0 || !fs_remove_tree(root, strrchr(run->temp_dir, '/') + 1, &err))
		host_note(run->node, PAWL_LOG_WARN, err.message);
	if (root >= 0)
		close(root);
	err_finish(&err);
	run->temp_dir = NULL;
}

static void on_gone(void *arg)
{
	struct pawl_run *run = arg;
	struct pawl_node *node = run->node;
	run->next = NULL;
	host_flush_notes(node);
	apart_finish(run);
	remove_temp_dir(run);
	run->stage = RUN_GONE;
	node->phase = HOST_IDLE;
	vec_finish(&run->procs);
	vec_finish(&run->timers);
	vec_finish(&run->bound_env);
	vec_finish(&run->emitted);
	vec_finish(&run->artifacts);
	arena_finish(&run->arena);
	if (run->outcome.status == PAWL_OK)
		err_finish(&node->err);
	struct host_outcome outcome = run->outcome;
	outcome.cancel_reason = run->cancel_reason;
	outcome.err = &node->err;
	/* Last: whoever is told may destroy the node. */
	run->events.finished(run->events.arg, &outcome);
}

static void end_if_idle(struct pawl_run *run)
{
	if (run->stage == RUN_ENDING && !run->live_procs && !run->live_offloads && !run->next)
		post(run, on_gone);
}

/* A result without what the plugin has handed on for it would be no result. */
static pawl_status check_artifacts(struct pawl_run *run)
{
	struct pawl_node *node = run->node;
	int cwd = node->init.cwd ? open(node->init.cwd, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	pawl_status status = PAWL_OK;
	for (size_t i = 0; i < run->artifacts.len && status == PAWL_OK; i++) {
		const char *path = run->artifacts.ptr[i];
		struct err err = {0};
		if (faccessat(cwd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			continue;
		err_sys(&err, errno, "E-FAILED", "plugin %s handed on an artifact, %s",
			node->init.type->plugin->id, path);
		status = host_fail_err(node, PAWL_E_FAILED, &err);
	}
	if (cwd >= 0)
		close(cwd);
	return status;
}

/* It has failed, and there is nothing else to say why: no words of its own, no child, no cancel. */
static void say_it_for_the_plugin(struct pawl_run *run, pawl_status status)
{
	struct pawl_node *node = run->node;
	struct err err = {0};
	if (status >= 0 || err_is_set(&node->err) || run->outcome.has_exit || run->cancel_reason)
		return;
	err_set(&err, host_status_code(status), "plugin %s gave %s without saying why",
		node->init.type->plugin->id, host_status_name(status));
	host_fail_err(node, status, &err);
}

void run_end(struct pawl_run *run, pawl_status status)
{
	if (run->stage != RUN_ACTIVE)
		return;
	const struct world *world = world_of(run);
	if (status == PAWL_OK && run->artifacts.len)
		status = check_artifacts(run);
	say_it_for_the_plugin(run, status);
	if (status == PAWL_E_CANCELLED && run->cancel_reason)
		status = run_cancel_status(run);
	run->stage = RUN_ENDING;
	run->outcome.status = status;
	stop_timer(run, &run->next);
	stop_timer(run, &run->grace);
	for (size_t i = 0; i < run->timers.len; i++)
		stop_timer(run, &run->timers.ptr[i]->timer);
	run->live_timers = 0;
	for (size_t i = 0; i < run->procs.len; i++) {
		struct pawl_proc *proc = run->procs.ptr[i];
		stop_timer(run, &proc->timeout);
		if (!proc->proc)
			continue;
		if (!proc->reason)
			proc->reason = (uint32_t)run->cancel_reason;
		world->proc_stop(world->ctx, proc->proc, run->node->init.grace_ms);
	}
	end_if_idle(run);
}

void run_after_callback(struct pawl_run *run)
{
	host_flush_notes(run->node);
	end_if_idle(run);
	if (run->stage != RUN_ACTIVE || run->live_procs || run->live_timers || run->live_offloads)
		return;
	if (run->is_asked_to_stop) {
		run_end(run, run_cancel_status(run));
		return;
	}
	host_misuse(
		run->node, "finish", "never called, and nothing is under way that could call it");
	run_end(run, PAWL_E_MISUSE);
}

void run_call(struct pawl_run *run, const char *name,
	void (*fn)(const pawl_host *, pawl_run *, void *user), void *user)
{
	struct host_call call;
	host_enter(run->node, &call, name);
	fn(&host_table, run, user);
	host_leave(run->node, &call);
	run_after_callback(run);
}

/* ---- the beginning and cancel --------------------------------------------------------------------------------------------------- */

static void on_begin(void *arg)
{
	struct pawl_run *run = arg;
	struct pawl_node *node = run->node;
	run->next = NULL;
	run->stage = RUN_ACTIVE;
	node->phase = HOST_RUN;
	err_finish(&node->err);
	host_flush_notes(node);
	if (run->cancel_reason) {
		run_end(run, run_cancel_status(run));
		return;
	}
	if (plug_runs_apart(node->init.type)) {
		pawl_status apart = apart_begin(run);
		if (apart != PAWL_PENDING)
			run_end(run, apart);
		return;
	}
	struct host_call call;
	host_enter(node, &call, "start");
	pawl_status status = node->init.type->type->start(&host_table, node, run);
	if (status != PAWL_PENDING && run->stage == RUN_ENDING) {
		host_misuse(
			node, "start", "returned something else than PAWL_PENDING after finish()");
	} else if (status != PAWL_PENDING &&
		   (!host_status_is_known(status) || status == PAWL_UNCACHEABLE)) {
		host_misuse(node, "start", "returned what is no status of a run");
		status = PAWL_E_MISUSE;
	}
	host_leave(node, &call);
	if (status != PAWL_PENDING)
		run_end(run, status);
	run_after_callback(run);
}

struct pawl_run *host_start(struct pawl_node *node, const struct host_events *events)
{
	struct pawl_run *run = arena_new(&node->arena, struct pawl_run);
	run->node = node;
	run->events = *events;
	node->run = run;
	post(run, on_begin);
	return run;
}

static void on_grace(void *arg)
{
	struct pawl_run *run = arg;
	run->grace = NULL;
	struct buf text = {0};
	buf_printf(&text, "plugin %s did not finish node %s within %llu ms of being told to stop",
		run->node->init.type->plugin->id, run->node->id,
		(unsigned long long)run->node->init.grace_ms);
	host_note(run->node, PAWL_LOG_WARN, buf_cstr(&text));
	buf_finish(&text);
	run_end(run, run_cancel_status(run));
}

static void on_cancel(void *arg)
{
	struct pawl_run *run = arg;
	const pawl_type *type = run->node->init.type->type;
	run->next = NULL;
	if (run->apart) {
		apart_cancel(run);
		return;
	}
	if (!type->cancel) {
		run_end(run, run_cancel_status(run));
		return;
	}
	run->is_asked_to_stop = true;
	run->grace = world_of(run)->timer_start(
		world_of(run)->ctx, run->node->init.grace_ms, on_grace, run);
	struct host_call call;
	host_enter(run->node, &call, "cancel");
	type->cancel(&host_table, run, run->cancel_reason);
	host_leave(run->node, &call);
	run_after_callback(run);
}

void host_cancel(struct pawl_run *run, int32_t reason)
{
	if (run->cancel_reason || run->stage == RUN_ENDING || run->stage == RUN_GONE)
		return;
	__atomic_store_n(&run->cancel_reason, reason, __ATOMIC_RELAXED);
	if (run->stage == RUN_ACTIVE)
		post(run, on_cancel);
}

bool host_is_ending(const struct pawl_run *run)
{
	const struct world *world = world_of(run);
	if (run->stage == RUN_ENDING || run->stage == RUN_GONE)
		return true;
	uint32_t ended = 0;
	for (size_t i = 0; i < run->procs.len; i++) {
		const struct pawl_proc *proc = run->procs.ptr[i];
		ended += proc->proc && world->proc_has_ended(world->ctx, proc->proc);
	}
	/* (The process that hands over what a copy does is none of these.) */
	return run->live_procs > 0 && ended == run->live_procs && !run->live_timers &&
	       !run->live_offloads;
}

void host_kill(struct pawl_run *run)
{
	const struct world *world = world_of(run);
	if (run->stage == RUN_GONE)
		return;
	if (!run->cancel_reason)
		__atomic_store_n(&run->cancel_reason, PAWL_CANCEL_USER, __ATOMIC_RELAXED);
	apart_kill(run);
	for (size_t i = 0; i < run->procs.len; i++) {
		struct pawl_proc *proc = run->procs.ptr[i];
		if (proc->proc)
			world->proc_stop(world->ctx, proc->proc, 0);
	}
}

/* ---- services ---------------------------------------------------------------------------------------------------------------------- */

pawl_node *host_node_of(pawl_run *run)
{
	if (!run) {
		host_misuse(NULL, "node_of", "run is NULL");
		return NULL;
	}
	return run->node;
}

int32_t host_cancelled(pawl_run *run)
{
	if (!run) {
		host_misuse(NULL, "cancelled", "run is NULL");
		return 0;
	}
	return __atomic_load_n(&run->cancel_reason, __ATOMIC_RELAXED);
}

void *host_alloc(pawl_run *run, size_t n)
{
	/* Never NULL, also for who is not entitled: that memory lives as long as the node. */
	if (!run_is_open(run, "alloc")) {
		const struct guard_call *call = guard_current();
		struct pawl_node *node = run ? run->node : call ? call->of : NULL;
		return node && host_on_loop(node) ? arena_alloc(&node->arena, n) : mem_zalloc(n);
	}
	return arena_alloc(&run->arena, n);
}

const char *host_temp_dir(pawl_run *run)
{
	if (!run_is_open(run, "temp_dir"))
		return NULL;
	if (run->temp_dir)
		return run->temp_dir;
	char *dir = arena_printf(&run->arena, "%s/pawl-XXXXXX", temp_root(run));
	if (!mkdtemp(dir)) {
		struct err err = {0};
		err_sys(&err, errno, "E-SYSTEM", "no private directory %s for node %s", dir,
			run->node->id);
		err_help(&err, "see that there is room, and that it can be written: df -h, ls -ld");
		host_fail_err(run->node, PAWL_E_SYSTEM, &err);
		return NULL;
	}
	run->temp_dir = dir;
	return dir;
}

static void on_timer(void *arg)
{
	struct run_timer *timer = arg;
	timer->timer = NULL;
	timer->run->live_timers--;
	run_call(timer->run, "timer", timer->fire, timer->user);
}

pawl_status host_timer(pawl_run *run, uint64_t ms,
	void (*fire)(const pawl_host *, pawl_run *, void *user), void *user)
{
	if (!run_is_open(run, "timer"))
		return PAWL_E_MISUSE;
	if (!fire)
		return host_misuse(run->node, "timer", "fire is NULL");
	struct run_timer *timer = arena_new(&run->arena, struct run_timer);
	*timer = (struct run_timer){.run = run, .fire = fire, .user = user};
	*vec_push(&run->timers) = timer;
	run->live_timers++;
	/* 0 ms is the loop's way to go on at once, before any timer: one after the other would hold up all. */
	timer->timer = world_of(run)->timer_start(world_of(run)->ctx, ms ? ms : 1, on_timer, timer);
	return PAWL_OK;
}

static void on_work(void *arg)
{
	struct run_offload *offload = arg;
	guard_enter(&offload->guard);
	offload->work(offload->user);
	guard_leave(&offload->guard);
}

static void on_done(void *arg)
{
	struct run_offload *offload = arg;
	struct pawl_run *run = offload->run;
	run->live_offloads--;
	if (run->stage == RUN_ACTIVE && offload->done)
		run_call(run, "offload", offload->done, offload->user);
	else
		run_after_callback(run);
}

pawl_status host_offload(pawl_run *run, void (*work)(void *user),
	void (*done)(const pawl_host *, pawl_run *, void *user), void *user)
{
	if (!run_is_open(run, "offload"))
		return PAWL_E_MISUSE;
	if (!work)
		return host_misuse(run->node, "offload", "work is NULL");
	struct run_offload *offload = arena_new(&run->arena, struct run_offload);
	*offload = (struct run_offload){.run = run, .work = work, .done = done, .user = user};
	offload->guard = (struct guard_call){.plugin = run->node->init.type->plugin->id,
		.note = host_note_of(run->node->init.type),
		.function = "offload",
		.node = run->node->id,
		.of = run->node};
	run->live_offloads++;
	world_of(run)->offload(world_of(run)->ctx, on_work, on_done, offload);
	return PAWL_OK;
}

void host_finish(pawl_run *run, pawl_status status)
{
	if (!run_is_open(run, "finish"))
		return;
	if (!host_status_is_known(status) || status == PAWL_PENDING || status == PAWL_UNCACHEABLE) {
		host_misuse(run->node, "finish", "the status is none of a run that has ended");
		status = PAWL_E_MISUSE;
	}
	run_end(run, status);
}
