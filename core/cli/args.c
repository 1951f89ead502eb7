/* args: reading a command's options.  See cli.h. */
#include "cli/cli.h"

#include "cli/help.h"

#include <stdlib.h>

struct parsing {
	struct cli *cli;
	const struct command *command;
	const struct arg *args;
	size_t count;
	int argc;
	char **argv;
	int at;
	const char *plugin_path;
	bool wants_help;
	bool wants_no_color;
};

void args_finish(struct arg_list *list)
{
	vec_finish(&list->list);
}

static bool usage(struct parsing *p, const char *code, const char *help, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static bool usage(struct parsing *p, const char *code, const char *help, const char *format, ...)
{
	struct buf text = {0};
	struct err err = {0};
	va_list args;
	va_start(args, format);
	buf_vprintf(&text, format, args);
	va_end(args);
	err_set(&err, code, "%s", buf_cstr(&text));
	if (help)
		err_help(&err, "%s", help);
	else
		err_help(&err, "see `pawl help %s`", p->command->name);
	talk_err(p->cli, &err);
	err_finish(&err);
	buf_finish(&text);
	return false;
}

static bool set_number(struct parsing *p, const struct arg *arg, const char *value)
{
	uint64_t number = 0;
	if (!str_to_u64(str_of(value), &number) || number > INT64_MAX)
		return usage(p, "E-USAGE", NULL, "--%s takes a whole number, not \"%s\"", arg->name,
			value);
	*(int64_t *)arg->target = (int64_t)number;
	return true;
}

static bool set_value(struct parsing *p, const struct arg *arg, const char *value)
{
	switch (arg->kind) {
	case ARG_FLAG: *(bool *)arg->target = true; return true;
	case ARG_VALUE: *(const char **)arg->target = value; return true;
	case ARG_LIST: *vec_push(&((struct arg_list *)arg->target)->list) = value; return true;
	case ARG_NUMBER: return set_number(p, arg, value);
	}
	return false;
}

static bool take(struct parsing *p, const struct arg *arg, const char *inline_value)
{
	if (arg->kind == ARG_FLAG) {
		if (inline_value)
			return usage(p, "E-USAGE", NULL, "--%s takes no value", arg->name);
		return set_value(p, arg, NULL);
	}
	if (!inline_value && arg->optional)
		inline_value = arg->optional;
	if (!inline_value && p->at + 1 >= p->argc)
		return usage(p, "E-USAGE", NULL, "--%s needs a value", arg->name);
	return set_value(p, arg, inline_value ? inline_value : p->argv[++p->at]);
}

static const struct arg *common_args(struct parsing *p, size_t *count)
{
	static struct arg common[6];
	common[0] = (struct arg){"help", 'h', ARG_FLAG, &p->wants_help, NULL};
	common[1] = (struct arg){"json", 0, ARG_FLAG, &p->cli->is_json, NULL};
	common[2] = (struct arg){"quiet", 'q', ARG_FLAG, &p->cli->is_quiet, NULL};
	common[3] = (struct arg){"verbose", 'v', ARG_FLAG, &p->cli->is_verbose, NULL};
	common[4] = (struct arg){"plugin-path", 0, ARG_VALUE, &p->plugin_path, NULL};
	common[5] = (struct arg){"no-color", 0, ARG_FLAG, &p->wants_no_color, NULL};
	*count = 6;
	return common;
}

static bool unknown_long(struct parsing *p, str name)
{
	size_t count = 0;
	const struct arg *common = common_args(p, &count);
	VEC(str) names = {0};
	for (size_t i = 0; i < p->count; i++)
		*vec_push(&names) = str_of(p->args[i].name);
	for (size_t i = 0; i < count; i++)
		*vec_push(&names) = str_of(common[i].name);
	str near = str_nearest(name, names.ptr, names.len);
	char *help = near.len
	                     ? arena_printf(&p->cli->arena, "did you mean `--%.*s`?", STR_ARG(near))
	                     : NULL;
	vec_finish(&names);
	return usage(p, "E-USAGE", help, "`pawl %s` has no option --%.*s", p->command->name,
		STR_ARG(name));
}

static bool take_long(struct parsing *p, const char *text)
{
	str all = str_of(text);
	size_t eq = str_find_char(all, '=', 0);
	str name = str_slice(all, 0, eq == SIZE_MAX ? all.len : eq);
	const char *value = eq == SIZE_MAX ? NULL : text + eq + 1;
	size_t count = 0;
	const struct arg *common = common_args(p, &count);
	for (size_t i = 0; i < p->count + count; i++) {
		const struct arg *arg = i < p->count ? &p->args[i] : &common[i - p->count];
		if (str_is(name, arg->name))
			return take(p, arg, value);
	}
	return unknown_long(p, name);
}

static bool take_letters(struct parsing *p, const char *letters)
{
	size_t count = 0;
	const struct arg *common = common_args(p, &count);
	for (const char *c = letters; *c; c++) {
		const struct arg *found = NULL;
		for (size_t i = 0; i < p->count + count && !found; i++) {
			const struct arg *arg = i < p->count ? &p->args[i] : &common[i - p->count];
			found = arg->letter == *c ? arg : NULL;
		}
		if (!found)
			return usage(p, "E-USAGE", NULL, "`pawl %s` has no option -%c",
				p->command->name, *c);
		if (found->kind != ARG_FLAG)
			return take(p, found, c[1] ? c + 1 + (c[1] == '=') : NULL);
		set_value(p, found, NULL);
	}
	return true;
}

static bool add_plugin_path(struct parsing *p)
{
	struct cli *cli = p->cli;
	if (!p->plugin_path)
		return true;
	if (cli->plugin_path_count == 16)
		return usage(p, "E-USAGE", NULL, "--plugin-path can be given 16 times");
	char *absolute = realpath(p->plugin_path, NULL);
	cli->plugin_paths[cli->plugin_path_count++] =
		arena_printf(&cli->arena, "%s", absolute ? absolute : p->plugin_path);
	free(absolute);
	p->plugin_path = NULL;
	return true;
}

bool args_parse(struct cli *cli, const struct command *command, const struct arg *args,
	size_t count, int argc, char **argv, struct arg_list *words, struct arg_list *rest,
	int *exit_code)
{
	struct parsing p = {.cli = cli,
		.command = command,
		.args = args,
		.count = count,
		.argc = argc,
		.argv = argv,
		.at = 1};
	bool ok = true;
	for (; ok && p.at < argc; p.at++) {
		const char *word = argv[p.at];
		if (!strcmp(word, "--")) {
			for (int i = p.at + 1; i < argc; i++)
				*vec_push(rest ? &rest->list : &words->list) = argv[i];
			break;
		}
		if (word[0] == '-' && word[1] == '-')
			ok = take_long(&p, word + 2);
		else if (word[0] == '-' && word[1])
			ok = take_letters(&p, word + 1);
		else
			*vec_push(&words->list) = word;
		ok = ok && add_plugin_path(&p);
	}
	if (p.wants_no_color)
		cli->has_color_out = cli->has_color_err = false;
	*exit_code = EXIT_USAGE;
	if (ok && p.wants_help) {
		help_print(cli, command);
		*exit_code = EXIT_DONE;
		return false;
	}
	return ok;
}
