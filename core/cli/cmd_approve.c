/* cmd_approve: answers a run that waits at an `approval` node, and goes on with it. */
#include "cli/cli.h"
#include "cli/objects.h"
#include "data/json.h"
#include "engine/control.h"
#include "sys/clock.h"

#include <pwd.h>
#include <unistd.h>

extern const struct command command_approve, command_reject, command_resume;

struct answering {
	struct cli *cli;
	struct store *store;
	struct run_row run;
	str node;
	const char *decision;
	const char *comment;
	bool is_reject;
	bool later; /* record only */
};

struct gates {
	struct answering *a;
	struct buf names; /* of all that wait, as they are written on the command line */
	size_t waiting;
	struct run_row run; /* of the last one found */
	str node;
};

/* Those of the run and of the runs in it. */
static bool find_gates(
	struct gates *gates, const struct run_row *run, unsigned depth, struct err *err)
{
	struct answering *a = gates->a;
	struct arena *arena = &a->cli->arena;
	struct node_list nodes = {0};
	struct run_list children = {0};
	if (!nodes_list(a->store, arena, run->id, &nodes, err) ||
		!runs_children(a->store, arena, run->id, &children, err))
		return false;
	for (size_t i = 0; i < nodes.len; i++) {
		bool is_gate = a->run.state == RUN_PAUSED && nodes.ptr[i].state == NODE_PAUSED &&
		               str_is(nodes.ptr[i].type, "approval");
		is_gate = is_gate && !approval_is_answered(a->store, run->id, nodes.ptr[i].node);
		if (!is_gate || (a->node.len && !str_eq(a->node, nodes.ptr[i].node)))
			continue;
		buf_printf(&gates->names, "%s%lld/%.*s", gates->waiting ? ", " : "",
			(long long)run->id, STR_ARG(nodes.ptr[i].node));
		gates->waiting++;
		gates->run = *run;
		gates->node = nodes.ptr[i].node;
	}
	for (size_t i = 0; depth && i < children.len; i++) {
		if (children.ptr[i].state == RUN_PAUSED &&
			!find_gates(gates, &children.ptr[i], depth - 1, err))
			return false;
	}
	return true;
}

/* The one node that waits, or the one that was named. */
static bool find_gate(struct answering *a)
{
	struct gates gates = {.a = a};
	struct err err = {0};
	if (!find_gates(&gates, &a->run, 16, &err)) {
		talk_fail(a->cli, &err);
		buf_finish(&gates.names);
		return false;
	}
	size_t waiting = gates.waiting;
	if (waiting == 1) {
		a->run = gates.run;
		a->node = gates.node;
		buf_finish(&gates.names);
		return true;
	}
	if (!waiting) {
		err_set(&err, "E-APPROVAL-NONE", "run %lld (%s) waits for no answer%s%.*s",
			(long long)a->run.id, run_state_name(a->run.state),
			a->node.len ? " at " : "", STR_ARG(a->node));
		err_help(&err, "`pawl show %lld` says how its nodes stand", (long long)a->run.id);
	} else {
		err_set(&err, "E-APPROVAL-WHICH", "%zu nodes of run %lld wait for an answer",
			waiting, (long long)a->run.id);
		err_help(&err, "name one of them: %s", buf_cstr(&gates.names));
	}
	buf_finish(&gates.names);
	talk_fail(a->cli, &err);
	return false;
}

static const struct approval *find_spec(struct answering *a, struct workflow **workflow)
{
	*workflow = cli_load_file(a->cli, a->run.file.ptr);
	const struct node *node = *workflow ? workflow_find(*workflow, a->node) : NULL;
	return node ? node->approval : NULL;
}

static bool check_decision(struct answering *a)
{
	struct workflow *workflow = NULL;
	const struct approval *approval = find_spec(a, &workflow);
	struct err err = {0};
	struct buf names = {0};
	bool is_known = !approval || !approval->decision_count || a->is_reject;
	for (size_t i = 0; approval && i < approval->decision_count; i++) {
		buf_printf(&names, "%s%.*s", i ? ", " : "", STR_ARG(approval->decisions[i].id));
		is_known =
			is_known || (a->decision && str_is(approval->decisions[i].id, a->decision));
	}
	if (!is_known) {
		err_set(&err, "E-APPROVAL-DECISION",
			a->decision ? "there is no decision `%s`" : "which decision?%s",
			a->decision ? a->decision : "");
		err_help(&err, "add --decision with one of: %s", buf_cstr(&names));
		talk_fail(a->cli, &err);
	}
	buf_finish(&names);
	workflow_destroy(workflow);
	return is_known;
}

/* The outermost run: that is the one to go on with. */
static int64_t outermost(struct answering *a)
{
	struct run_row row = a->run;
	bool found = true;
	for (unsigned depth = 0; row.parent && found && depth < 64; depth++)
		runs_get(a->store, &a->cli->arena, row.parent, &row, &found, NULL);
	return row.id;
}

static void print_json(struct answering *a)
{
	struct buf out = {0};
	object_begin(&out, "answer");
	object_number(&out, "run", a->run.id);
	object_text(&out, "node", a->node);
	object_text(&out, "verdict", a->is_reject ? STR("reject") : STR("approve"));
	if (a->decision)
		object_text(&out, "decision", str_of(a->decision));
	if (a->comment)
		object_text(&out, "comment", str_of(a->comment));
	object_text(&out, "next",
		str_of(arena_printf(&a->cli->arena, "pawl resume %lld", (long long)outermost(a))));
	object_send(a->cli, &out);
}

static bool record(struct answering *a)
{
	struct err err = {0};
	struct buf json = {0};
	const struct passwd *user = getpwuid(getuid());
	buf_printf(&json, "{\"verdict\":\"%s\",\"decision\":", a->is_reject ? "reject" : "approve");
	json_write_string(&json, str_of(a->decision     ? a->decision
					 : a->is_reject ? "rejected"
							: ""));
	buf_add_z(&json, ",\"text\":");
	json_write_string(&json, str_of(a->comment ? a->comment : ""));
	buf_add_z(&json, ",\"by\":");
	json_write_string(&json, str_of(user ? user->pw_name : "someone"));
	buf_printf(&json, ",\"at_ms\":%lld}", (long long)clock_wall_ms());
	bool ok = approval_answer(a->store, a->run.id, a->node, buf_str(&json), &err) &&
	          store_flush(a->store, &err);
	buf_finish(&json);
	if (!ok)
		talk_fail(a->cli, &err);
	else if (a->cli->is_json)
		print_json(a);
	else
		talk_outf(a->cli, "%s %.*s of run %lld\n", a->is_reject ? "rejected" : "approved",
			STR_ARG(a->node), (long long)a->run.id);
	return ok;
}

static int answer(struct answering *a, const char *which)
{
	int code = EXIT_USAGE;
	int64_t id = 0;
	int64_t root = 0;
	a->store = cli_store_to_change(a->cli, &code);
	if (!a->store)
		return code;
	bool ok = cli_parse_run(a->cli, a->store, which, &id, &a->node) &&
	          cli_get_run(a->cli, a->store, id, &a->run) && find_gate(a) && check_decision(a) &&
	          record(a);
	if (ok)
		root = outermost(a);
	store_close(a->store);
	if (!ok)
		return EXIT_USAGE;
	if (a->later && a->cli->is_json)
		return EXIT_DONE;
	if (a->later) {
		talk_outf(a->cli, "go on with: pawl resume %lld\n", (long long)root);
		return EXIT_DONE;
	}
	char *run = arena_printf(&a->cli->arena, "%lld", (long long)root);
	char *resume[] = {(char *)(uintptr_t) "resume", run, NULL};
	return command_resume.run(a->cli, 2, resume);
}

static int run_answer(
	struct cli *cli, const struct command *command, int argc, char **argv, bool is_reject)
{
	struct arg_list words = {0};
	struct answering a = {.cli = cli, .is_reject = is_reject};
	int code = EXIT_USAGE;
	const struct arg args[] = {
		{"decision", 0, ARG_VALUE, &a.decision, NULL},
		{"comment", 0, ARG_VALUE, &a.comment, NULL},
		{"later", 0, ARG_FLAG, &a.later, NULL},
	};
	if (args_parse(cli, command, args, 3, argc, argv, &words, NULL, &code))
		code = answer(&a, words.list.len ? words.list.ptr[0] : "last");
	args_finish(&words);
	return code;
}

static int run_approve(struct cli *cli, int argc, char **argv)
{
	return run_answer(cli, &command_approve, argc, argv, false);
}

static int run_reject(struct cli *cli, int argc, char **argv)
{
	return run_answer(cli, &command_reject, argc, argv, true);
}

const struct command command_approve = {"approve", "Run",
	"answer a run that waits for approval, and go on with it",
	"  pawl approve 6\n"
	"  pawl approve 6 --decision ship --comment \"looks good\"\n"
	"  pawl approve 6/gate --later\n\n"
	"usage: pawl approve [RUN[/NODE]] [options]\n\n"
	"      --decision ID    which of the node's `decisions`\n"
	"      --comment TEXT   kept with the answer; the output where the node captures the response\n"
	"      --later          only record the answer; `pawl resume` goes on\n",
	run_approve};
const struct command command_reject = {"reject", "Run", "refuse what a run waits for",
	"  pawl reject 6\n"
	"  pawl reject 6 --comment \"not today\"\n"
	"  pawl reject 6/gate --later\n\n"
	"usage: pawl reject [RUN[/NODE]] [options]\n\n"
	"      --comment TEXT   why\n"
	"      --later          only record the answer\n",
	run_reject};
