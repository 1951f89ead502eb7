/* finish: from the end of a body to its record: output and log into the store, what it wrote, its contract, the facts once
 * more, the result, verdicts; or the failure, and another try. */
#include "engine/internal.h"

#include "engine/contract.h"
#include "engine/mask.h"
#include "engine/verdict.h"

#include <signal.h>

/* Stores what was written to one stream; nothing written is the empty blob for stdout and none for stderr. */
static bool commit_stream(struct attempt *attempt, struct cas_writer **writer,
	struct digest *digest, uint64_t *size, struct err *err)
{
	bool ok = true;
	if (*writer)
		ok = cas_writer_commit(*writer, digest, size, err);
	else
		ok = cas_put(attempt->engine->store, STR(""), digest, err);
	*writer = NULL;
	return ok;
}

static bool commit_output(struct attempt *attempt, struct err *err)
{
	struct unit *unit = attempt->unit;
	unit->out = (struct produced){.origin = attempt->engine->row.id, .emits = STR("")};
	if (!commit_stream(attempt, &attempt->out, &unit->out.output, &unit->out.output_size, err))
		return false;
	unit->out.has_output = true;
	attempt->has_log = attempt->log != NULL;
	if (attempt->has_log && !commit_stream(attempt, &attempt->log, &attempt->log_digest,
					&attempt->log_size, err))
		return false;
	if (attempt->emits.len) {
		buf_add_char(&attempt->emits, '}');
		unit->out.emits = arena_str(&attempt->engine->arena, buf_str(&attempt->emits));
		buf_clear(&attempt->emits);
	}
	return true;
}

static void describe_failure(
	struct attempt *attempt, const struct host_outcome *outcome, struct err *err)
{
	const struct world_exit *end = &outcome->exit;
	if (attempt->cancel_reason == PAWL_CANCEL_TIMEOUT) {
		/* A run within a run has its time from the node that began it. */
		if (!attempt->unit->node->timeout_ms) {
			err_set(err, "E-NODE-TIMEOUT",
				"the time of the run that it is part of was up");
			return;
		}
		struct buf limit = {0};
		buf_printf(&limit, "%llu ms", (unsigned long long)attempt->unit->node->timeout_ms);
		err_set(err, "E-NODE-TIMEOUT", "timed out after %s", buf_cstr(&limit));
		err_help(err,
			"raise `timeout` of `%.*s`, or see what it waits for: pawl logs %lld/%.*s",
			STR_ARG(attempt->unit->node->id), (long long)attempt->engine->row.id,
			STR_ARG(attempt->unit->node->id));
		buf_finish(&limit);
		return;
	}
	if (outcome->err && err_is_set(outcome->err)) {
		struct buf shown = {0};
		mask_text(attempt->engine->mask, str_of(outcome->err->message), &shown);
		err_set(err, outcome->err->code, "%s", buf_cstr(&shown));
		buf_finish(&shown);
		if (outcome->err->help)
			err_help(err, "%s", outcome->err->help);
		err->at = outcome->err->at;
		return;
	}
	if (outcome->has_exit && end->signal) {
		const char *name = sigabbrev_np(end->signal);
		err_set(err, "E-NODE-SIGNAL", "ended by signal %d (SIG%s)", end->signal,
			name ? name : "?");
		if (end->signal == SIGKILL)
			err_help(err,
				"if nobody killed it, memory ran out: see `dmesg`, run less at once: -j 1");
		return;
	}
	err_set(err, "E-NODE-EXIT", "exit %d", outcome->has_exit ? end->code : 1);
}

static bool is_transient(const struct attempt *attempt, const struct host_outcome *outcome)
{
	return outcome->status == PAWL_E_TRANSIENT || attempt->cancel_reason == PAWL_CANCEL_TIMEOUT;
}

static void on_retry(void *arg)
{
	struct attempt *attempt = arg;
	struct engine *engine = attempt->engine;
	attempt->timer = NULL;
	*vec_push(&engine->slots->waiting) = attempt->unit;
	engine_pump(engine);
}

/* The delay before try number `tries` + 1: delay_ms, growing by `backoff` each time, an hour at most. */
static uint64_t retry_delay(const struct retry *retry, int64_t tries)
{
	double delay = (double)retry->delay_ms;
	for (int64_t i = 1; i < tries && delay < 3600000; i++)
		delay *= retry->backoff;
	return delay > 3600000 ? 3600000 : (uint64_t)delay;
}

static bool try_again(
	struct attempt *attempt, const struct host_outcome *outcome, const struct err *err)
{
	struct engine *engine = attempt->engine;
	const struct retry *retry = &attempt->unit->node->retry;
	bool is_by_user = attempt->cancel_reason && attempt->cancel_reason != PAWL_CANCEL_TIMEOUT;
	if (engine->is_stopping || is_by_user || attempt->tries > (int64_t)retry->extra_attempts ||
		(retry->transient_only && !is_transient(attempt, outcome)) ||
		outcome->status == PAWL_E_CONFIG)
		return false;
	uint64_t delay = retry_delay(retry, attempt->tries);
	tell_retry(attempt, str_of(err->message), delay);
	slots_release(engine, attempt->unit);
	attempt->cancel_reason = 0;
	attempt->unit->state = NODE_READY;
	capture_undo(attempt);
	host_node_destroy(attempt->host);
	node_make_host(attempt);
	struct buf words = {0};
	attempt->plugin_facts.list.len = 0;
	nodekey_build(attempt, &words);
	buf_finish(&words);
	attempt->timer = engine->world->timer_start(engine->world->ctx, delay, on_retry, attempt);
	return true;
}

static void end_unit(struct attempt *attempt, enum node_state state,
	const struct host_outcome *outcome, const struct err *err)
{
	struct engine *engine = attempt->engine;
	struct unit *unit = attempt->unit;
	unit->state = state;
	if (err && err_is_set(err))
		unit->error = str_of(arena_printf(&engine->arena, "%s", err->message));
	record_node(attempt, state, outcome, err);
	tell(attempt, EVENT_ENDED,
		err && err_is_set(err) ? str_of(err->message) : attempt->decision.sentence);
	attempt_destroy(attempt);
	if (state == NODE_FAILED && engine->events->failed) {
		if (!store_flush(engine->store, NULL))
			engine_fail_store(engine);
		engine->events->failed(engine->events->arg, engine->row.id, unit->node);
	}
	slots_release(engine, unit);
	engine_unit_ended(engine, unit, state);
}

static void end_failed(struct attempt *attempt, const struct host_outcome *outcome, struct err *err)
{
	bool is_cancelled = attempt->cancel_reason && attempt->cancel_reason != PAWL_CANCEL_TIMEOUT;
	if (!is_cancelled && attempt->unit->node->is_until) {
		attempt->skip_reason = "not_yet";
		attempt->decision.sentence =
			str_of(arena_printf(&attempt->arena, "not yet: %s", err->message));
		end_unit(attempt, NODE_SKIPPED, outcome, NULL);
		err_finish(err);
		return;
	}
	if (!is_cancelled && try_again(attempt, outcome, err)) {
		err_finish(err);
		return;
	}
	if (attempt->verified)
		verify_end(attempt, is_cancelled ? STR("it was stopped") : str_of(err->message));
	else
		capture_abandon(attempt);
	if (is_cancelled) {
		end_unit(attempt, NODE_CANCELLED, outcome, NULL);
	} else {
		if (!attempt->verified)
			verdict_after_failure(attempt);
		end_unit(attempt, NODE_FAILED, outcome, err);
	}
	err_finish(err);
}

/* Does any text of the node name what differs in each run? */
static bool names_run(const struct value *value, unsigned depth)
{
	static const char *const words[] = {"RUN_ID", "WORKFLOW_ID", "PAWL_ATTEMPT_ID"};
	if (depth > 64)
		return false;
	if (value->kind == VALUE_STRING) {
		for (size_t i = 0; i < 3; i++) {
			if (str_find(value->as.text, str_of(words[i]), 0) != SIZE_MAX)
				return true;
		}
		return false;
	}
	size_t count = value->kind == VALUE_LIST  ? value->as.list.count
	               : value->kind == VALUE_MAP ? value->as.map.count
	                                          : 0;
	for (size_t i = 0; i < count; i++) {
		bool is_list = value->kind == VALUE_LIST;
		if (names_run(is_list ? &value->as.list.items[i] : &value->as.map.items[i].value,
			    depth + 1))
			return true;
	}
	return false;
}

/* Why the result can't be proved current later; empty where it can. */
static str find_unproven(const struct attempt *attempt)
{
	if (!unit_knows_reads(attempt->unit))
		return STR("reads not declared");
	if (attempt->captured.doubt.len)
		return attempt->captured.doubt;
	if (names_run(attempt->unit->node->fields, 0))
		return STR("it names the run's id");
	if (attempt->prints_artifacts_dir)
		return STR("its output names this run's $ARTIFACTS_DIR");
	return STR("");
}

/* What was refused, or overridden by force, gives way to what was made now.  What is merely unproven stays: the run that
 * made it may be resumed. */
static void replace_refused(struct attempt *attempt, int64_t id)
{
	struct engine *engine = attempt->engine;
	enum reason reason = attempt->decision.reason;
	if (reason == REASON_FORCED || reason == REASON_NO_RESUME)
		results_replace(engine->store, engine->workflow->name, attempt->unit->node->id,
			&attempt->digest, id, NULL);
	else if (reason >= REASON_QUARANTINED && reason < REASON_UNPROVEN && attempt->refused)
		results_drop(engine->store, attempt->refused->id, NULL);
}

static void store_result(struct attempt *attempt)
{
	struct unit *unit = attempt->unit;
	str unproven = find_unproven(attempt);
	int64_t id = 0;
	unit->is_loose = attempt->captured.doubt.len > 0;
	if (!attempt->has_key || attempt->unit->node->always_run)
		return;
	if (attempt->unstorable.len) {
		tell(attempt, EVENT_NOTE,
			str_of(arena_printf(&attempt->arena, "its result is not kept: %.*s",
				STR_ARG(attempt->unstorable))));
		return;
	}
	if (!record_result(attempt, !unproven.len, unproven, &id))
		return;
	unit->out.result = id;
	contract_note_met(attempt, id);
	replace_refused(attempt, id);
}

static void note_other_outputs(struct attempt *attempt)
{
	struct engine *engine = attempt->engine;
	struct result_row row = {.workflow = engine->workflow->name,
		.node = attempt->unit->node->id,
		.key = attempt->digest,
		.output = attempt->unit->out.output,
		.manifest = attempt->unit->out.manifest,
		.has_manifest = attempt->unit->out.has_manifest,
		.id = attempt->unit->out.result};
	struct result_list others = {0};
	if (!row.id ||
		!results_other_outputs(engine->store, &attempt->arena, &row, &others, NULL) ||
		!others.len)
		return;
	for (size_t i = 0; i < others.len; i++) {
		if (!others.ptr[i].provable)
			continue; /* nobody said that it sees no more than this */
		struct trace then = {0};
		struct buf now = {0};
		trace_write(&now, &attempt->after);
		bool same = str_eq(others.ptr[i].trace, buf_str(&now));
		buf_finish(&now);
		trace_finish(&then);
		if (!same)
			continue;
		tell(attempt, EVENT_NOTE,
			str_of(arena_printf(&attempt->arena,
				"not deterministic: run %lld made another output from the same key and files",
				(long long)others.ptr[i].run)));
		return;
	}
}

static void end_completed(struct attempt *attempt)
{
	struct err err = {0};
	struct host_outcome good = {
		.status = PAWL_OK, .has_exit = attempt->has_exit, .exit = attempt->exit};
	if (attempt->verified) {
		verify_end(attempt, STR(""));
		end_unit(attempt, NODE_COMPLETED, &good, NULL);
		return;
	}
	if (!verdict_allows(attempt, &err)) {
		good.status = PAWL_E_CONFIG; /* another try would make it once more */
		end_failed(attempt, &good, &err);
		return;
	}
	window_close(attempt);
	if (!attempt->unstorable.len)
		attempt->unstorable = attempt->captured.unstorable;
	aside_replaced(attempt);
	store_result(attempt);
	note_other_outputs(attempt);
	verdict_after_success(attempt);
	end_unit(attempt, NODE_COMPLETED, &good, NULL);
}

/* ---- ensure.run ---- */

static void on_check_output(void *arg, int32_t stream, str bytes)
{
	struct attempt *attempt = arg;
	(void)stream;
	if (attempt->check_log.len < 4096)
		buf_add(&attempt->check_log, str_slice(bytes, 0, 4096));
}

static void check_failed(struct attempt *attempt, const char *how)
{
	struct err err = {0};
	struct host_outcome bad = {
		.status = PAWL_E_FAILED, .has_exit = attempt->has_exit, .exit = attempt->exit};
	struct buf masked = {0};
	mask_text(attempt->engine->mask, str_trim(buf_str(&attempt->check_log)), &masked);
	str shown = decide_quote(&attempt->arena, buf_str(&masked), 200);
	buf_finish(&masked);
	if (attempt->check_log.len)
		err_set(&err, "E-ENSURE-RUN", "`ensure.run` %s: %.*s", how, STR_ARG(shown));
	else
		err_set(&err, "E-ENSURE-RUN", "`ensure.run` %s", how);
	err_help(&err, "it exited 0, but its contract refuses what it left; run by hand: %.*s",
		STR_ARG(str_slice(contract_command(attempt->unit->node), 0, 200)));
	end_failed(attempt, &bad, &err);
}

static void on_check_exit(void *arg, const struct world_exit *end)
{
	struct attempt *attempt = arg;
	struct engine *engine = attempt->engine;
	attempt->check = NULL;
	fact_memo_forget(engine->memo);
	if (attempt->cancel_reason)
		check_failed(attempt, "was cancelled");
	else if (end->code == 0)
		end_completed(attempt);
	else
		check_failed(attempt, end->signal ? "was ended by a signal"
						  : arena_printf(&attempt->arena,
							    "ended with exit %d", end->code));
	engine_pump(engine);
}

static void start_check(struct attempt *attempt, str command)
{
	struct engine *engine = attempt->engine;
	struct err err = {0};
	const char **argv = arena_array(&attempt->arena, const char *, 4);
	argv[0] = "sh";
	argv[1] = "-c";
	argv[2] = arena_str(&attempt->arena, command).ptr;
	struct world_spawn spawn = {.argv = argv,
		.env = attempt->env,
		.cwd = attempt->cwd,
		.marker = attempt->marker,
		.input = STR(""),
		.merge_stderr = true,
		.on_output = on_check_output,
		.on_exit = on_check_exit,
		.arg = attempt};
	attempt->check = engine->world->proc_start(engine->world->ctx, &spawn, &err);
	if (!attempt->check) {
		check_failed(attempt, err.message);
		err_finish(&err);
	}
}

static void end_body(struct attempt *attempt, const struct host_outcome *outcome)
{
	struct err err = {0};
	if (outcome->status != PAWL_OK || attempt->cancel_reason) {
		describe_failure(attempt, outcome, &err);
		end_failed(attempt, outcome, &err);
		return;
	}
	struct captured *captured = &attempt->captured;
	if (!capture_close(attempt, &attempt->after, captured, &err) ||
		!contract_check(attempt, &err)) {
		struct host_outcome bad = *outcome;
		bad.status = PAWL_E_FAILED;
		end_failed(attempt, &bad, &err);
		return;
	}
	attempt->unit->out.manifest = captured->manifest;
	attempt->unit->out.has_manifest = captured->has_manifest;
	str command = contract_command(attempt->unit->node);
	if (command.len)
		start_check(attempt, command);
	else
		end_completed(attempt);
}

void finish_body(struct attempt *attempt, const struct host_outcome *outcome)
{
	struct engine *engine = attempt->engine;
	struct err err = {0};
	fact_memo_forget(engine->memo);
	engine->world->timer_stop(engine->world->ctx, attempt->timer);
	attempt->timer = NULL;
	attempt->ran_ms = engine->world->mono_ms(engine->world->ctx) - attempt->started_mono;
	attempt->has_exit = outcome->has_exit;
	attempt->exit = outcome->exit;
	if (outcome->leftovers && !attempt->cancel_reason)
		tell(attempt, EVENT_NOTE,
			str_of(arena_printf(&attempt->arena,
				"it left %u process%s behind, ended with it", outcome->leftovers,
				outcome->leftovers == 1 ? "" : "es")));
	if (!commit_output(attempt, &err)) {
		if (!err_is_set(&engine->error)) {
			engine->error = err;
			err = (struct err){0};
		}
		err_finish(&err);
		engine_fail_store(engine);
		end_unit(attempt, NODE_CANCELLED, outcome, NULL);
		return;
	}
	end_body(attempt, outcome);
}
