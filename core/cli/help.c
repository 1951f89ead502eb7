/* help: see help.h. */
#include "cli/help.h"

#include "cli/cli.h"
#include "cli/codes.h"
#include "cli/objects.h"
#include "cli/rows.h"

static void send_command(struct cli *cli, const struct command *command, bool with_help)
{
	struct buf out = {0};
	object_begin(&out, "command");
	object_text(&out, "command", str_of(command->name));
	object_text(&out, "group", str_of(command->group));
	object_text(&out, "summary", str_of(command->summary));
	if (with_help)
		object_text(&out, "help", str_of(command->help));
	object_send(cli, &out);
}

void help_print(struct cli *cli, const struct command *command)
{
	if (cli->is_json) {
		send_command(cli, command, true);
		return;
	}
	talk_outf(cli, "pawl %s: %s\n\n%s", command->name, command->summary, command->help);
}

int help_overview(struct cli *cli)
{
	const char *bold = talk_color(cli, false, COLOR_BOLD);
	const char *off = talk_color(cli, false, COLOR_NONE);
	struct buf out = {0};
	if (cli->is_json) {
		for (size_t i = 0; commands[i]; i++)
			send_command(cli, commands[i], false);
		return EXIT_DONE;
	}
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

/* "e-usage" as it was meant. */
static str upper_code(struct cli *cli, str name)
{
	if (!str_starts(name, STR("e-")) && !str_starts(name, STR("w-")))
		return name;
	char *upper = arena_printf(&cli->arena, "%.*s", STR_ARG(name));
	for (char *c = upper; *c; c++)
		*c = *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c;
	return str_of(upper);
}

/* A code, or nothing that there is. */
static int no_help(struct cli *cli, str name)
{
	struct err err = {0};
	str near = STR("");
	name = upper_code(cli, name);
	if (codes_explain(cli, name, &near))
		return EXIT_DONE;
	bool is_code = str_starts(name, STR("E-")) || str_starts(name, STR("W-"));
	err_set(&err, "E-USAGE", "there is no %s `%.*s`", is_code ? "code" : "help on",
		STR_ARG(name));
	VEC(str) names = {0};
	for (size_t i = 0; !is_code && commands[i]; i++)
		*vec_push(&names) = str_of(commands[i]->name);
	if (!is_code)
		near = str_nearest(name, names.ptr, names.len);
	vec_finish(&names);
	if (near.len)
		err_help(&err, "did you mean `pawl help %.*s`?", STR_ARG(near));
	else
		err_help(&err, is_code ? "`pawl help codes` lists them"
				       : "`pawl help` lists the commands");
	return talk_fail(cli, &err);
}

static int help_on(struct cli *cli, const char *what)
{
	for (size_t i = 0; commands[i]; i++) {
		if (!strcmp(what, commands[i]->name)) {
			help_print(cli, commands[i]);
			return EXIT_DONE;
		}
	}
	if (!strcmp(what, "codes")) {
		codes_list(cli);
		return EXIT_DONE;
	}
	return no_help(cli, str_of(what));
}

static int run_help(struct cli *cli, int argc, char **argv)
{
	struct arg_list words = {0};
	int code = EXIT_USAGE;
	if (args_parse(cli, &command_help, NULL, 0, argc, argv, &words, NULL, &code)) {
		if (words.list.len > 1 && strcmp(words.list.ptr[0], "plugin") != 0 &&
			strcmp(words.list.ptr[0], "policy") != 0)
			code = rows_usage(cli, "pawl help [COMMAND|CODE|codes]",
				"help on one thing at a time, not %zu", words.list.len);
		else
			code = words.list.len ? help_on(cli, words.list.ptr[0])
			                      : help_overview(cli);
	}
	args_finish(&words);
	return code;
}

const struct command command_help = {"help", "More",
	"what commands there are, how they are used, what codes mean",
	"  pawl help run\n"
	"  pawl help E-REF-UPSTREAM     what an error code means, with an example and the fix\n"
	"  pawl help codes              all of them\n\n"
	"usage: pawl help [COMMAND|CODE|codes]\n",
	run_help};
