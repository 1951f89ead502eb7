/* main: the table of commands, and what is the same for all of them.  Each command is a file of its own. */
#include "cli/cli.h"
#include "cli/help.h"
#include "cli/objects.h"
#include "cli/plugin_cmd.h"
#include "sys/limits.h"
#include "sys/tty.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern const struct command command_run, command_resume, command_approve, command_reject,
	command_plan, command_why, command_runs, command_show, command_logs, command_output,
	command_invalidate, command_lint, command_types, command_help;
extern const struct command command_quarantine, command_release, command_verdicts,
	command_artifacts, command_gc, command_cancel, command_abandon, command_list, command_diff,
	command_graph, command_policy, command_verify, command_report, command_trace;
extern const struct command command_init, command_completion;
extern const struct command command_schema, command_doctor;

const struct command *const commands[] = {
	&command_run,
	&command_resume,
	&command_approve,
	&command_reject,
	&command_cancel,
	&command_abandon,
	&command_plan,
	&command_why,
	&command_diff,
	&command_verify,
	&command_runs,
	&command_show,
	&command_logs,
	&command_output,
	&command_artifacts,
	&command_report,
	&command_trace,
	&command_invalidate,
	&command_quarantine,
	&command_release,
	&command_verdicts,
	&command_init,
	&command_list,
	&command_graph,
	&command_lint,
	&command_types,
	&command_schema,
	&command_policy,
	&command_plugin,
	&command_doctor,
	&command_gc,
	&command_completion,
	&command_help,
	NULL,
};

static int unknown_command(struct cli *cli, const char *name)
{
	struct err err = {0};
	VEC(str) names = {0};
	if (name[0] == '-') {
		err_set(&err, "E-USAGE", "`pawl` has no option %s", name);
		err_help(&err, "options stand behind a command; before one there may be "
			       "--json, -q, -v, --no-color, --help, --version");
		return talk_fail(cli, &err);
	}
	for (size_t i = 0; commands[i]; i++)
		*vec_push(&names) = str_of(commands[i]->name);
	str near = str_nearest(str_of(name), names.ptr, names.len);
	err_set(&err, "E-USAGE", "there is no command `%s`", name);
	if (near.len)
		err_help(&err, "did you mean `pawl %.*s`?", STR_ARG(near));
	else
		err_help(&err, "`pawl help` lists them");
	vec_finish(&names);
	return talk_fail(cli, &err);
}

static int version(struct cli *cli)
{
	struct buf out = {0};
	if (!cli->is_json) {
		talk_out(cli, STR("pawl " PAWL_VERSION "\n"));
		return EXIT_DONE;
	}
	object_begin(&out, "version");
	object_text(&out, "version", STR(PAWL_VERSION));
	object_send(cli, &out);
	return EXIT_DONE;
}

/* `pawl --json run x` as `pawl run x --json`. */
static void put_command_first(int argc, char **argv)
{
	static const char *const flags[] = {
		"--json", "-q", "--quiet", "-v", "--verbose", "--no-color"};
	int at = 1;
	for (bool is_flag = true; at < argc && is_flag; at += is_flag) {
		is_flag = false;
		for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
			is_flag = is_flag || !strcmp(argv[at], flags[i]);
	}
	if (at == argc)
		return;
	char *command = argv[at];
	memmove(argv + 2, argv + 1, (size_t)(at - 1) * sizeof(*argv));
	argv[1] = command;
}

static bool is_flag_alone(int argc, char **argv)
{
	return argc == 2 && !strcmp(argv[1], "--json");
}

static int dispatch(struct cli *cli, int argc, char **argv)
{
	put_command_first(argc, argv);
	if (argc < 2 || is_flag_alone(argc, argv) || !strcmp(argv[1], "-h") ||
		!strcmp(argv[1], "--help"))
		return help_overview(cli);
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		return version(cli);
	}
	for (size_t i = 0; commands[i]; i++) {
		if (!strcmp(argv[1], commands[i]->name))
			return commands[i]->run(cli, argc - 1, argv + 1);
	}
	if (!strcmp(argv[1], "version"))
		return version(cli);
	return unknown_command(cli, argv[1]);
}

/* Where one of the three is closed, the next file to be opened, the store's say, would take its place and its output. */
static void fill_standard_files(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO)
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
}

/* Known before anything can go wrong, so that a wrong option is told as an event too. */
static bool wants_json(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (!strcmp(argv[i], "--json"))
			return true;
	}
	return false;
}

int main(int argc, char **argv)
{
	fill_standard_files();
	struct cli cli = {.program = argc ? argv[0] : "pawl", .is_json = wants_json(argc, argv)};
	cli.has_color_out = tty_is_fancy(STDOUT_FILENO);
	cli.has_color_err = tty_is_fancy(STDERR_FILENO);
	limits_raise_files();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	int code = talk_finish(&cli, dispatch(&cli, argc, argv));
	types_destroy(cli.types);
	vec_finish(&cli.included);
	arena_finish(&cli.arena);
	return code;
}
