/* cmd_plugin: `pawl plugin`: everything about plugin files apart from using them.  The subcommands are files of their own;
 * here are what tells them apart, and `new`, which writes the template. */
#include "cli/help.h"
#include "cli/objects.h"
#include "cli/plugin_cmd.h"
#include "cli/plugin_template.h"
#include "sys/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

bool plugin_is_keyword(str text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		bool is_letter = c >= 'a' && c <= 'z';
		if (!is_letter && (i == 0 || !(c == '_' || (c >= '0' && c <= '9'))))
			return false;
	}
	return text.len > 0 && text.len < 64;
}

/* ---- new ---------------------------------------------------------------------------------------------------------- */

/* The text with the template's word replaced. */
static void fill_in(struct buf *out, const char *text, str keyword)
{
	static const str word = STR_INIT("mynode");
	str rest = str_of(text);
	for (size_t at; (at = str_find(rest, word, 0)) != SIZE_MAX;) {
		buf_add(out, str_slice(rest, 0, at));
		buf_add(out, keyword);
		rest = str_slice(rest, at + word.len, rest.len);
	}
	buf_add(out, rest);
}

static bool write_template(int dir, str keyword, struct err *err)
{
	bool ok = true;
	for (const struct template_file *file = plugin_template; ok && file->name; file++) {
		struct buf name = {0};
		struct buf text = {0};
		fill_in(&name, file->name, keyword);
		fill_in(&text, file->text, keyword);
		ok = fs_write_file(dir, buf_cstr(&name), buf_str(&text), 0644, false, err);
		buf_finish(&name);
		buf_finish(&text);
	}
	return ok;
}

static bool make_project(const char *path, str keyword, struct err *err)
{
	if (mkdir(path, 0755) != 0) {
		int number = errno;
		err_sys(err, number, "E-PLUGIN-NEW", "the directory %s can't be made", path);
		if (number == EEXIST)
			err_help(err, "take another place: pawl plugin new %.*s DIRECTORY",
				STR_ARG(keyword));
		return false;
	}
	int dir = fs_open_dir(path, err);
	bool ok = dir >= 0 && write_template(dir, keyword, err);
	if (dir >= 0)
		close(dir);
	return ok;
}

static void print_new(struct cli *cli, const char *keyword, const char *path)
{
	struct buf out = {0};
	object_begin(&out, "plugin_project");
	object_text(&out, "keyword", str_of(keyword));
	object_text(&out, "directory", str_of(path));
	object_send(cli, &out);
}

int plugin_new(struct cli *cli, int argc, char **argv)
{
	struct arg_list words = {0};
	struct err err = {0};
	int code = EXIT_USAGE;
	if (!args_parse(cli, &command_plugin, NULL, 0, argc, argv, &words, NULL, &code))
		goto out;
	if (words.list.len < 1 || words.list.len > 2) {
		err_set(&err, "E-USAGE",
			"`pawl plugin new` takes a keyword, and a directory if it shall have another name");
		err_help(&err, "pawl plugin new greet");
		code = talk_fail(cli, &err);
		goto out;
	}
	const char *keyword = words.list.ptr[0];
	const char *path = words.list.len == 2 ? words.list.ptr[1] : keyword;
	if (!plugin_is_keyword(str_of(keyword))) {
		err_set(&err, "E-PLUGIN-KEYWORD", "\"%s\" can't be the keyword of a node type",
			keyword);
		err_help(&err,
			"a keyword is lower-case letters, digits and _, and begins with a letter");
		code = talk_fail(cli, &err);
	} else if (!make_project(path, str_of(keyword), &err)) {
		code = talk_fail(cli, &err);
	} else {
		code = EXIT_DONE;
		if (cli->is_json)
			print_new(cli, keyword, path);
		else if (!cli->is_quiet)
			talk_outf(cli,
				"%s/ has a node type `%s`.  Next:\n  cd %s\n  make\n  pawl run --plugin-path . ./hello.yaml\n",
				path, keyword, path);
	}
out:
	args_finish(&words);
	return code;
}

/* ---- which subcommand ------------------------------------------------------------------------------------------------ */

static const struct {
	const char *name;
	int (*run)(struct cli *cli, int argc, char **argv);
} subcommands[] = {
	{"new", plugin_new},
	{"check", plugin_check},
	{"trust", plugin_trust},
	{"untrust", plugin_untrust},
	{"list", plugin_list},
};
#define SUBCOMMANDS (sizeof(subcommands) / sizeof(subcommands[0]))

static int run_plugin(struct cli *cli, int argc, char **argv)
{
	struct err err = {0};
	str names[SUBCOMMANDS];
	if (argc > 1 && (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help"))) {
		help_print(cli, &command_plugin);
		return EXIT_DONE;
	}
	for (size_t i = 0; i < SUBCOMMANDS; i++) {
		names[i] = str_of(subcommands[i].name);
		if (argc > 1 && !strcmp(argv[1], subcommands[i].name))
			return subcommands[i].run(cli, argc - 1, argv + 1);
	}
	if (argc < 2) {
		err_set(&err, "E-USAGE",
			"`pawl plugin` needs to know what to do: new, check, trust, untrust or list");
	} else {
		err_set(&err, "E-USAGE", "`pawl plugin` knows no \"%s\"", argv[1]);
		str near = str_nearest(str_of(argv[1]), names, SUBCOMMANDS);
		if (near.len)
			err_help(&err, "did you mean `pawl plugin %.*s`?", STR_ARG(near));
	}
	if (!err.help)
		err_help(&err, "see `pawl help plugin`");
	return talk_fail(cli, &err);
}

const struct command command_plugin = {"plugin", "Author",
	"make, test and trust node types of your own",
	"  pawl plugin new greet                    a project with a node type `greet`, ready to build\n"
	"  pawl plugin check ./pawl_greet.so        test it; TAP on standard output\n"
	"  pawl plugin trust .pawl/plugins/pawl_greet.so    let this very file of a project run\n"
	"  pawl plugin untrust .pawl/plugins/pawl_greet.so  no longer\n"
	"  pawl plugin list                         plugin files on the search path, and what is trusted\n"
	"\n"
	"usage: pawl plugin new KEYWORD [DIRECTORY]\n"
	"       pawl plugin check [--node FILE.yaml] [--ignore-field NAME] [--limit SECONDS] pawl_KEYWORD.so\n"
	"       pawl plugin trust FILE.so…\n"
	"       pawl plugin untrust FILE.so|DIGEST…\n"
	"       pawl plugin list [--json]\n"
	"\n"
	"  --node FILE.yaml     check: a workflow whose nodes of this type are tried (else one is made from the schema)\n"
	"  --ignore-field NAME  check: a field that the result does not depend on, so that it need not be in the key\n"
	"  --limit SECONDS      check: how long each case may take (default 20)\n",
	run_plugin};
