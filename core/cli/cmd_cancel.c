/* cmd_cancel: `pawl cancel` stops a run, whoever runs it, and waits until it has ended; `pawl abandon` puts a run that did
 * not complete aside, so that `pawl resume` does not come back to it.  A run that has ended already is no error. */
#include "cli/cli.h"
#include "cli/job.h"
#include "cli/objects.h"
#include "cli/rows.h"
#include "sys/clock.h"

#include <poll.h>
#include <signal.h>

extern const struct command command_cancel, command_abandon;

enum {
	POLL_MS = 20,
	FIRST_WAIT_MS = 20000, /* nodes get 5 s between SIGTERM and SIGKILL */
	LAST_WAIT_MS = 10000,  /* after having asked twice */
};

/* What became of the run; `changed`: by this command. */
static void print_json(struct cli *cli, const struct run_row *run, bool changed)
{
	struct buf out = {0};
	bool can_resume = run->state != RUN_COMPLETED && run->state != RUN_ABANDONED;
	object_begin(&out, "run_change");
	object_number(&out, "run", run->id);
	object_text(&out, "workflow", run->workflow);
	object_text(&out, "state", str_of(run_state_name(run->state)));
	object_bool(&out, "changed", changed);
	if (can_resume)
		object_text(&out, "resume",
			str_of(arena_printf(&cli->arena, "pawl resume %lld", (long long)run->id)));
	object_text(&out, "fresh",
		str_of(arena_printf(&cli->arena, "pawl run %.*s", STR_ARG(run->workflow))));
	object_send(cli, &out);
}

static void say_fresh(struct cli *cli, const struct run_row *run)
{
	talk_outf(cli, "start a fresh one with: pawl run %.*s\n", STR_ARG(run->workflow));
}

static int say_ended(struct cli *cli, const struct run_row *run, const char *what)
{
	struct buf age = {0};
	if (cli->is_json) {
		print_json(cli, run, false);
		return EXIT_DONE;
	}
	clock_add_age(&age, clock_wall_ms() - (run->ended_ms ? run->ended_ms : run->started_ms));
	talk_outf(cli, "run %lld of %.*s has ended (%s, %s): there is nothing to %s\n",
		(long long)run->id, STR_ARG(run->workflow), run_state_name(run->state),
		buf_cstr(&age), what);
	buf_finish(&age);
	if (run->state != RUN_COMPLETED && run->state != RUN_ABANDONED)
		talk_outf(cli, "go on with it: pawl resume %lld\n", (long long)run->id);
	say_fresh(cli, run);
	return EXIT_DONE;
}

static bool wait_for_end(struct proc_id owner, uint64_t most_ms)
{
	uint64_t start = clock_mono_ms();
	while (proc_is_alive(owner)) {
		if (clock_mono_ms() - start > most_ms)
			return false;
		poll(NULL, 0, POLL_MS);
	}
	return true;
}

static bool stop_owner(struct cli *cli, const struct run_row *run)
{
	struct err err = {0};
	talk_note(cli, "asking process %d to stop", (int)run->owner.pid);
	proc_send(run->owner, SIGINT);
	if (wait_for_end(run->owner, FIRST_WAIT_MS))
		return true;
	proc_send(run->owner, SIGINT); /* asked twice, it gives its nodes no grace */
	if (wait_for_end(run->owner, LAST_WAIT_MS))
		return true;
	err_set(&err, "E-RUN-ALIVE", "run %lld was asked to stop and still runs (process %d)",
		(long long)run->id, (int)run->owner.pid);
	err_help(&err, "end it with `kill -9 %d`: nothing that has finished is lost",
		(int)run->owner.pid);
	talk_fail(cli, &err);
	return false;
}

static void say_settled(struct cli *cli, const struct run_row *run)
{
	if (cli->is_json) {
		print_json(cli, run, true);
		return;
	}
	talk_outf(cli, "run %lld of %.*s %s\n", (long long)run->id, STR_ARG(run->workflow),
		run_state_name(run->state));
	if (run->state == RUN_CANCELLED)
		talk_outf(cli, "go on with it: pawl resume %lld\n", (long long)run->id);
	say_fresh(cli, run);
}

/* Gives a run whose owner is gone the state that the person asked for. */
static int settle(struct cli *cli, int64_t id, enum run_state state)
{
	int code = EXIT_USAGE;
	int64_t *gone = NULL;
	size_t count = 0;
	struct err err = {0};
	struct run_row run = {0};
	struct store *store = cli_store_to_change(cli, &code);
	if (!store)
		return code;
	code = EXIT_USAGE;
	if (!runs_reconcile(store, &cli->arena, &gone, &count, &err)) {
		code = talk_fail(cli, &err);
	} else if (cli_get_run(cli, store, id, &run)) {
		job_end_left(cli, store);
		code = EXIT_DONE;
		if (run.state == RUN_COMPLETED ||
			(state == RUN_CANCELLED && run.state == RUN_FAILED)) {
			say_ended(cli, &run, "cancel any more");
		} else {
			run.state = state;
			run.ended_ms = run.ended_ms ? run.ended_ms : clock_wall_ms();
			run.error = str_of(arena_printf(
				&cli->arena, "%s by %s", run_state_name(state), rows_user()));
			if (!runs_update(store, &run, &err) || !store_flush(store, &err))
				code = talk_fail(cli, &err);
			else
				say_settled(cli, &run);
		}
	}
	store_close(store);
	return code;
}

/* A process has one store open at a time: the one for looking is closed before the one for writing is opened. */
static bool look(struct cli *cli, const char *which, struct run_row *run, int *code)
{
	int64_t id = 0;
	str node = STR("");
	struct store *store = cli_store(cli, STORE_READ, code);
	if (!store)
		return false;
	*code = EXIT_USAGE;
	bool ok = cli_parse_run(cli, store, which, &id, &node) && cli_get_run(cli, store, id, run);
	store_close(store);
	if (ok && node.len) {
		rows_usage(cli, NULL, "a run is cancelled or abandoned as a whole, not node `%.*s`",
			STR_ARG(node));
		return false;
	}
	return ok;
}

static int cancel(struct cli *cli, const char *which)
{
	struct run_row run = {0};
	int code = EXIT_USAGE;
	if (!look(cli, which, &run, &code))
		return code;
	if (run.state != RUN_RUNNING && run.state != RUN_PAUSED)
		return say_ended(cli, &run, "cancel");
	if (run.is_live && !stop_owner(cli, &run))
		return EXIT_SYSTEM;
	return settle(cli, run.id, RUN_CANCELLED);
}

static int abandon(struct cli *cli, const char *which)
{
	struct run_row run = {0};
	struct err err = {0};
	int code = EXIT_USAGE;
	if (!look(cli, which, &run, &code))
		return code;
	if (run.state == RUN_COMPLETED || run.state == RUN_ABANDONED)
		return say_ended(cli, &run, "abandon");
	if (run.is_live) {
		err_set(&err, "E-RUN-ALIVE", "run %lld is still running (process %d)",
			(long long)run.id, (int)run.owner.pid);
		err_help(&err, "stop it first: pawl cancel %lld", (long long)run.id);
		return talk_fail(cli, &err);
	}
	return settle(cli, run.id, RUN_ABANDONED);
}

static int on_one_run(struct cli *cli, const struct command *command, int argc, char **argv,
	int (*fn)(struct cli *cli, const char *which))
{
	struct arg_list words = {0};
	int code = EXIT_USAGE;
	if (args_parse(cli, command, NULL, 0, argc, argv, &words, NULL, &code)) {
		if (words.list.len == 1)
			code = fn(cli, words.list.ptr[0]);
		else
			code = rows_usage(cli,
				arena_printf(&cli->arena, "pawl %s RUN; `pawl runs` lists them",
					command->name),
				"%s which run?", command->name);
	}
	args_finish(&words);
	return code;
}

static int run_cancel(struct cli *cli, int argc, char **argv)
{
	return on_one_run(cli, &command_cancel, argc, argv, cancel);
}

static int run_abandon(struct cli *cli, int argc, char **argv)
{
	return on_one_run(cli, &command_abandon, argc, argv, abandon);
}

const struct command command_cancel = {"cancel", "Run", "stop a run and wait until it has ended",
	"  pawl cancel 6\n"
	"  pawl cancel last\n"
	"  pawl cancel last && pawl resume\n\n"
	"usage: pawl cancel RUN\n\n"
	"Its nodes get SIGTERM, and SIGKILL after 5 s.  What has finished is kept: `pawl resume` goes on with it.\n",
	run_cancel};
const struct command command_abandon = {"abandon", "Run",
	"put a run that did not complete aside; `resume` passes it over",
	"  pawl abandon 6\n"
	"  pawl abandon last\n"
	"  pawl abandon last && pawl run release\n\n"
	"usage: pawl abandon RUN\n\n"
	"What its nodes made stays stored, and is reused where it is proved current.\n",
	run_abandon};
