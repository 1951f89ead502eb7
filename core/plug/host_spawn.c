/* host_spawn: children of a run.  The environment of a child is made here; its output goes to the plugin or, as its own,
 * to the node's. */
#include "plug/host_internal.h"

#include <signal.h>

/* Linux: MAX_ARG_STRLEN, one argument or variable with its NUL. */
#define MAX_STRING ((size_t)131072)

typedef VEC(const char *) env_list;

static size_t name_length(const char *entry)
{
	return strcspn(entry, "=");
}

static void env_remove(env_list *env, const char *name, size_t length)
{
	size_t kept = 0;
	for (size_t i = 0; i < env->len; i++) {
		const char *entry = env->ptr[i];
		if (name_length(entry) != length || memcmp(entry, name, length) != 0)
			env->ptr[kept++] = entry;
	}
	env->len = kept;
}

/* NAME=VALUE sets, NAME removes. */
static void env_change(env_list *env, const char *entry)
{
	size_t length = name_length(entry);
	env_remove(env, entry, length);
	if (entry[length])
		*vec_push(env) = entry;
}

static void env_drop_large(env_list *env, str name)
{
	for (size_t i = 0; i < env->len; i++) {
		str entry = str_of(env->ptr[i]);
		if (entry.len > BIND_LARGE && name_length(entry.ptr) == name.len &&
			str_starts(entry, name))
			env_remove(env, name.ptr, name.len);
	}
}

static void env_build(env_list *env, struct pawl_run *run, const pawl_spawn *spec)
{
	const struct host_node_init *init = &run->node->init;
	for (const char *const *at = init->env; at && *at && !(spec->flags & PAWL_SPAWN_CLEAN_ENV);
		at++)
		*vec_push(env) = *at;
	for (const char *const *at = spec->env; at && *at; at++)
		env_change(env, *at);
	const struct bindings *with = &run->node->init.node->with;
	for (size_t i = 0; i < with->len && (spec->flags & PAWL_SPAWN_OWN_INPUTS); i++)
		env_drop_large(env, with->ptr[i].variable);
	for (size_t i = 0; i < run->bound_env.len; i++)
		env_change(env, run->bound_env.ptr[i]);
	/* Whatever the plugin says: by it the children of a dead run are found. */
	if (init->marker)
		env_change(env, init->marker);
	*vec_push(env) = NULL;
}

static bool all_fit(const env_list *env, const char *const *argv, struct err *err)
{
	for (size_t i = 0; i + 1 < env->len; i++) {
		const char *entry = env->ptr[i];
		size_t length = strlen(entry);
		if (length < MAX_STRING)
			continue;
		err_set(err, "E-SPAWN-TOO-LARGE",
			"the environment variable %.*s has %zu bytes; Linux takes at most %zu",
			(int)name_length(entry), entry, length, MAX_STRING - 1);
		return err_help(err,
			"hand large values on as a file, or name the node's output in the body itself, where size does not matter");
	}
	for (size_t i = 0; argv[i]; i++) {
		size_t length = strlen(argv[i]);
		if (length < MAX_STRING)
			continue;
		err_set(err, "E-SPAWN-TOO-LARGE",
			"argument %zu of %s has %zu bytes; Linux takes at most %zu", i, argv[0],
			length, MAX_STRING - 1);
		return err_help(err, "hand large values on as a file");
	}
	return true;
}

static void on_output(void *arg, int32_t stream, str bytes)
{
	struct pawl_proc *proc = arg;
	struct pawl_run *run = proc->run;
	if (!proc->spec.on_output) {
		run_output(run, stream, bytes);
		return;
	}
	if (run->stage != RUN_ACTIVE)
		return;
	struct host_call call;
	host_enter(run->node, &call, "on_output");
	proc->spec.on_output(&host_table, run, proc->spec.user, stream, host_str(bytes));
	host_leave(run->node, &call);
	run_after_callback(run);
}

static pawl_status status_of(const struct pawl_proc *proc, const struct world_exit *exit)
{
	if (proc->run->cancel_reason)
		return run_cancel_status(proc->run);
	if (proc->reason == PAWL_CANCEL_TIMEOUT)
		return PAWL_E_TIMEOUT;
	if (exit->signal || exit->code == 75)
		return PAWL_E_TRANSIENT;
	return exit->code == 0 ? PAWL_OK : PAWL_E_FAILED;
}

static void tell_exit(struct pawl_proc *proc, const struct world_exit *exit)
{
	struct pawl_run *run = proc->run;
	pawl_exit seen = {
		.size = sizeof(seen),
		.code = exit->code,
		.signal = exit->signal,
		.reason = proc->reason,
		.cpu_us = exit->cpu_us,
		.wall_us = exit->wall_us,
		.max_rss_kib = exit->max_rss_kib,
	};
	struct host_call call;
	host_enter(run->node, &call, "on_exit");
	proc->spec.on_exit(&host_table, run, proc->spec.user, &seen);
	host_leave(run->node, &call);
}

static void on_end(void *arg, const struct world_exit *exit)
{
	struct pawl_proc *proc = arg;
	struct pawl_run *run = proc->run;
	const struct world *world = run->node->init.world;
	proc->proc = NULL;
	run->live_procs--;
	if (proc->timeout)
		world->timer_stop(world->ctx, proc->timeout);
	proc->timeout = NULL;
	run->outcome.leftovers += exit->leftovers;
	if (run->stage == RUN_ACTIVE || !run->outcome.has_exit) {
		run->outcome.has_exit = true;
		run->outcome.exit = *exit;
	}
	if (run->stage == RUN_ACTIVE && proc->spec.on_exit)
		tell_exit(proc, exit);
	else if (run->stage == RUN_ACTIVE)
		run_end(run, status_of(proc, exit));
	run_after_callback(run);
}

static void on_timeout(void *arg)
{
	struct pawl_proc *proc = arg;
	const struct pawl_node *node = proc->run->node;
	const struct world *world = node->init.world;
	proc->timeout = NULL;
	if (!proc->proc || world->proc_has_ended(world->ctx, proc->proc))
		return; /* in time: only what it left is waited for */
	proc->reason = PAWL_CANCEL_TIMEOUT;
	world->proc_stop(world->ctx, proc->proc, node->init.grace_ms);
}

static pawl_status start(struct pawl_run *run, const pawl_spawn *spec, struct pawl_proc *proc)
{
	struct pawl_node *node = run->node;
	const struct world *world = node->init.world;
	struct err err = {0};
	env_list env = {0};
	env_build(&env, run, spec);
	struct world_spawn child = {
		.argv = spec->argv,
		.env = env.ptr,
		.cwd = spec->cwd ? spec->cwd : node->init.cwd,
		.marker = node->init.marker,
		.input = str_make(spec->input.ptr, spec->input.len),
		.input_open = (spec->flags & PAWL_SPAWN_STDIN_OPEN) != 0,
		.merge_stderr = (spec->flags & PAWL_SPAWN_MERGE_STDERR) != 0,
		.on_output = on_output,
		.on_exit = on_end,
		.arg = proc,
	};
	if (all_fit(&env, spec->argv, &err))
		proc->proc = world->proc_start(world->ctx, &child, &err);
	vec_finish(&env);
	if (proc->proc)
		return PAWL_OK;
	if (!err_is_set(&err))
		err_set(&err, "E-SPAWN-SYSTEM", "%s could not be started", spec->argv[0]);
	bool is_absent = strcmp(err.code, "E-SPAWN-NOT-FOUND") == 0;
	return host_fail_err(node, is_absent ? PAWL_E_NOT_FOUND : PAWL_E_SYSTEM, &err);
}

pawl_status host_spawn(pawl_run *run, const pawl_spawn *given, pawl_proc **out)
{
	if (out)
		*out = NULL;
	if (!run_is_open(run, "spawn"))
		return PAWL_E_MISUSE;
	if (!given || given->size < offsetof(pawl_spawn, env))
		return host_misuse(
			run->node, "spawn", "the description is NULL or its size is not set");
	pawl_spawn spec = {0};
	memcpy(&spec, given, given->size < sizeof(spec) ? given->size : sizeof(spec));
	if (!spec.argv || !spec.argv[0])
		return host_misuse(run->node, "spawn", "argv is empty");
	const uint32_t known = PAWL_SPAWN_CLEAN_ENV | PAWL_SPAWN_MERGE_STDERR |
	                       PAWL_SPAWN_STDIN_OPEN | PAWL_SPAWN_OWN_INPUTS;
	if (spec.flags & ~known)
		return host_misuse(
			run->node, "spawn", "flags has a bit that this host does not know");
	struct pawl_proc *proc = arena_new(&run->node->arena, struct pawl_proc);
	*proc = (struct pawl_proc){.run = run, .spec = spec};
	proc->is_input_open = (spec.flags & PAWL_SPAWN_STDIN_OPEN) != 0;
	pawl_status status = start(run, &spec, proc);
	if (status != PAWL_OK)
		return status;
	run->bound_env.len = 0;
	/* What went wrong before (another program was tried first) is not why this child may fail. */
	err_finish(&run->node->err);
	run->live_procs++;
	*vec_push(&run->procs) = proc;
	const struct world *world = run->node->init.world;
	if (spec.timeout_ms)
		proc->timeout = world->timer_start(world->ctx, spec.timeout_ms, on_timeout, proc);
	if (out)
		*out = proc;
	return PAWL_OK;
}

pawl_status host_proc_write(pawl_proc *proc, pawl_str bytes)
{
	if (!proc)
		return host_misuse(NULL, "proc_write", "proc is NULL");
	if (!run_is_open(proc->run, "proc_write"))
		return PAWL_E_MISUSE;
	if (!proc->is_input_open)
		return host_misuse(proc->run->node, "proc_write",
			"the child's input is not open: spawn it with PAWL_SPAWN_STDIN_OPEN, and end it once");
	if (!host_has_bytes(proc->run->node, "proc_write", bytes))
		return PAWL_E_MISUSE;
	if (!proc->proc)
		return PAWL_E_NOT_FOUND;
	if (!bytes.len)
		proc->is_input_open = false;
	const struct world *world = proc->run->node->init.world;
	world->proc_write(world->ctx, proc->proc, str_make(bytes.ptr, bytes.len));
	return PAWL_OK;
}

pawl_status host_proc_signal(pawl_proc *proc, int32_t number)
{
	if (!proc)
		return host_misuse(NULL, "proc_signal", "proc is NULL");
	if (!run_is_open(proc->run, "proc_signal"))
		return PAWL_E_MISUSE;
	if (number < 1 || number > SIGRTMAX)
		return host_misuse(proc->run->node, "proc_signal", "there is no such signal");
	if (!proc->proc)
		return PAWL_E_NOT_FOUND;
	const struct world *world = proc->run->node->init.world;
	world->proc_signal(world->ctx, proc->proc, number);
	return PAWL_OK;
}
