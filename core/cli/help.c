/* help: see help.h. */
#include "cli/help.h"

#include "cli/cli.h"

void help_print(struct cli *cli, const struct command *command)
{
	talk_outf(cli, "pawl %s: %s\n\n%s", command->name, command->summary, command->help);
}

int help_overview(struct cli *cli)
{
	const char *bold = talk_color(cli, false, COLOR_BOLD);
	const char *off = talk_color(cli, false, COLOR_NONE);
	struct buf out = {0};
	buf_printf(&out, "pawl " PAWL_VERSION
			 ": runs workflows, and never reuses what it cannot prove current\n");
	const char *group = "";
	for (size_t i = 0; commands[i]; i++) {
		if (strcmp(group, commands[i]->group) != 0) {
			group = commands[i]->group;
			buf_printf(&out, "\n%s%s%s\n", bold, group, off);
		}
		buf_printf(&out, "  %-12s %s\n", commands[i]->name, commands[i]->summary);
	}
	buf_printf(&out, "\n`pawl help COMMAND` or `pawl COMMAND --help` tells more.\n");
	talk_out(cli, buf_str(&out));
	buf_finish(&out);
	return EXIT_DONE;
}

extern const struct command command_help;

static int run_help(struct cli *cli, int argc, char **argv)
{
	if (argc < 2)
		return help_overview(cli);
	if (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help")) {
		help_print(cli, &command_help);
		return EXIT_DONE;
	}
	for (size_t i = 0; commands[i]; i++) {
		if (!strcmp(argv[1], commands[i]->name)) {
			help_print(cli, commands[i]);
			return EXIT_DONE;
		}
	}
	struct err err = {0};
	err_set(&err, "E-USAGE", "there is no help on `%s`", argv[1]);
	err_help(&err, "`pawl help` lists the commands");
	return talk_fail(cli, &err);
}

const struct command command_help = {"help", "More",
	"what commands there are, and how they are used", "  pawl help\n  pawl help run\n",
	run_help};
