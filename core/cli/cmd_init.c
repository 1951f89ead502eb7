/* cmd_init: a first workflow to change: one of the templates that came with the program.  Nothing is ever overwritten: where
 * one of its files is there already, none is written. */
#include "cli/cli.h"
#include "cli/embedded.h"
#include "cli/objects.h"
#include "cli/rows.h"
#include "sys/fs.h"

#include <fcntl.h>
#include <unistd.h>

extern const struct command command_init;

/* "templates/etl/scripts/a.sh" -> "etl", and "scripts/a.sh". */
static bool split_path(const struct embedded *file, str *template, str *rest)
{
	str path = str_of(file->path);
	str prefix = STR("templates/");
	if (!str_starts(path, prefix))
		return false;
	path = str_slice(path, prefix.len, path.len);
	size_t slash = str_find_char(path, '/', 0);
	*template = str_slice(path, 0, slash);
	*rest = str_slice(path, slash + 1, path.len);
	return true;
}

/* Files of the project itself stand below `project`; all else goes into .pawl. */
static const char *target_of(struct cli *cli, str rest)
{
	str project = STR("project/");
	if (str_starts(rest, project))
		return arena_str(&cli->arena, str_slice(rest, project.len, rest.len)).ptr;
	return arena_printf(&cli->arena, ".pawl/%.*s", STR_ARG(rest));
}

/* The names of the templates, each once, in the order of the alphabet. */
static size_t template_names(str *names, size_t most)
{
	size_t count = 0;
	str template;
	str rest;
	for (const struct embedded *file = embedded_files; file->path && count < most; file++) {
		if (split_path(file, &template, &rest) &&
			(!count || !str_eq(names[count - 1], template)))
			names[count++] = template;
	}
	return count;
}

static bool know_template(struct cli *cli, const char *wanted)
{
	str names[32];
	size_t count = template_names(names, 32);
	struct err err = {0};
	for (size_t i = 0; i < count; i++) {
		if (str_is(names[i], wanted))
			return true;
	}
	str near = str_nearest(str_of(wanted), names, count);
	err_set(&err, "E-INIT-UNKNOWN", "there is no template `%s`", wanted);
	if (near.len)
		err_help(&err, "did you mean `%.*s`?", STR_ARG(near));
	else
		err_help(&err, "`pawl init --list` shows them");
	talk_fail(cli, &err);
	return false;
}

/* The line `description:` of the template's workflow. */
static str describe(const struct embedded *file)
{
	str rest = str_make((const char *)file->bytes, file->size);
	str line = STR("");
	str word = STR("description: ");
	while (str_line(&rest, &line)) {
		if (str_starts(line, word))
			return str_slice(line, word.len, line.len);
	}
	return STR("");
}

static int list(struct cli *cli)
{
	struct table table;
	str template;
	str rest;
	table_init(&table, 2);
	for (const struct embedded *file = embedded_files; file->path; file++) {
		if (!split_path(file, &template, &rest) || !str_starts(rest, STR("workflows/")))
			continue;
		str description = describe(file);
		if (cli->is_json) {
			struct buf out = {0};
			object_begin(&out, "template");
			object_text(&out, "template", template);
			object_text(&out, "description", description);
			object_send(cli, &out);
		}
		table_cell(&table, "%.*s", STR_ARG(template));
		table_cell(&table, "%.*s", STR_ARG(description));
	}
	if (cli->is_json)
		table.cells.len = 0;
	table_print(cli, &table);
	return EXIT_DONE;
}

static bool refuse_overwriting(struct cli *cli, int fd, const char *wanted)
{
	struct buf there = {0};
	struct err err = {0};
	struct fs_stat st;
	str template;
	str rest;
	for (const struct embedded *file = embedded_files; file->path; file++) {
		if (!split_path(file, &template, &rest) || !str_is(template, wanted))
			continue;
		const char *path = target_of(cli, rest);
		enum fs_found found = fs_lstat_at(fd, path, &st, &err);
		if (found == FS_ERROR) {
			buf_finish(&there);
			talk_fail(cli, &err);
			return false;
		}
		if (found == FS_FOUND)
			buf_printf(&there, "%s%s", there.len ? ", " : "", path);
	}
	bool ok = !there.len;
	if (!ok) {
		err_set(&err, "E-INIT-EXISTS", "nothing was written: %s would be overwritten",
			buf_cstr(&there));
		err_help(&err, "move it away, or begin in another directory");
		talk_fail(cli, &err);
	}
	buf_finish(&there);
	return ok;
}

static bool write_one(
	struct cli *cli, int fd, const struct embedded *file, const char *path, struct err *err)
{
	const char *slash = strrchr(path, '/');
	str bytes = str_make((const char *)file->bytes, file->size);
	if (slash && !fs_make_dirs(fd, arena_printf(&cli->arena, "%.*s", (int)(slash - path), path),
			     0777, err))
		return false;
	return fs_write_file(
		fd, path, bytes, str_starts(bytes, STR("#!")) ? 0755 : 0644, false, err);
}

static int init(struct cli *cli, const char *wanted)
{
	struct err err = {0};
	str template;
	str rest;
	if (!know_template(cli, wanted))
		return EXIT_USAGE;
	/* Here, not in a project further up: this is how one begins. */
	int fd = fs_open_dir(".", &err);
	if (fd < 0)
		return talk_fail(cli, &err);
	bool ok = refuse_overwriting(cli, fd, wanted);
	int code = ok ? EXIT_DONE : EXIT_USAGE;
	for (const struct embedded *file = embedded_files; ok && file->path; file++) {
		if (!split_path(file, &template, &rest) || !str_is(template, wanted))
			continue;
		const char *path = target_of(cli, rest);
		ok = write_one(cli, fd, file, path, &err);
		if (ok)
			object_written(cli, path, file->size);
		else
			code = talk_fail(cli, &err);
	}
	close(fd);
	if (ok && !cli->is_json)
		talk_outf(cli, "run it with: pawl run %s\n", wanted);
	return code;
}

static int run_init(struct cli *cli, int argc, char **argv)
{
	struct arg_list words = {0};
	bool wants_list = false;
	int code = EXIT_USAGE;
	const struct arg args[] = {{"list", 0, ARG_FLAG, &wants_list, NULL}};
	if (args_parse(cli, &command_init, args, 1, argc, argv, &words, NULL, &code)) {
		if (words.list.len > 1)
			code = rows_usage(cli, "pawl init [TEMPLATE]",
				"one template at a time, not %zu", words.list.len);
		else if (wants_list)
			code = list(cli);
		else
			code = init(cli, words.list.len ? words.list.ptr[0] : "hello");
	}
	args_finish(&words);
	return code;
}

const struct command command_init = {"init", "Author", "begin with a workflow from a template",
	"  pawl init\n"
	"  pawl init etl\n"
	"  pawl init --list\n\n"
	"usage: pawl init [TEMPLATE]\n\n"
	"Writes .pawl/workflows/TEMPLATE.yaml and what belongs to it into this directory (default: hello).  Nothing is\n"
	"overwritten.\n\n"
	"      --list   the templates: hello, etl, release, ci, agent\n",
	run_init};
