/* cmd_lint: checks workflow files without running anything of them; `pawl types` lists what a node can be. */
#include "cli/cli.h"
#include "cli/lint_fix.h"
#include "cli/objects.h"
#include "cli/rows.h"

extern const struct command command_lint, command_types;

struct linting {
	struct cli *cli;
	size_t files;
	size_t bad;
	bool fix;
	bool dry_run;
};

/* NULL: it has errors, which have been told. */
static void print_workflow_json(struct cli *cli, const struct workflow *workflow, const char *path)
{
	struct buf out = {0};
	object_begin(&out, "lint");
	object_bool(&out, "ok", workflow != NULL);
	object_text(&out, "file", str_of(path));
	if (workflow) {
		object_text(&out, "workflow", workflow->name);
		object_number(&out, "nodes", workflow->node_count);
	}
	object_send(cli, &out);
}

static void lint_file(void *arg, const char *path)
{
	struct linting *l = arg;
	if (l->fix)
		lint_fix(l->cli, path, l->dry_run);
	struct workflow *workflow = cli_load_file(l->cli, path);
	l->files++;
	l->bad += workflow == NULL;
	if (l->cli->is_json)
		print_workflow_json(l->cli, workflow, path);
	else if (workflow && !l->cli->is_quiet)
		talk_outf(l->cli, "ok  %.*s  %u node%s  %s\n", STR_ARG(workflow->name),
			workflow->node_count, workflow->node_count == 1 ? "" : "s", path);
	workflow_destroy(workflow);
}

static int run_lint(struct cli *cli, int argc, char **argv)
{
	struct arg_list words = {0};
	struct linting l = {.cli = cli};
	int code = EXIT_USAGE;
	const struct arg args[] = {
		{"fix", 0, ARG_FLAG, &l.fix, NULL},
		{"dry-run", 'n', ARG_FLAG, &l.dry_run, NULL},
	};
	if (args_parse(cli, &command_lint, args, 2, argc, argv, &words, NULL, &code)) {
		for (size_t i = 0; i < words.list.len; i++) {
			const char *path = cli_find_workflow(cli, words.list.ptr[i]);
			if (path)
				lint_file(&l, path);
			else
				l.bad++;
		}
		if (!words.list.len)
			cli_each_workflow(cli, lint_file, &l);
		if (!l.files && !l.bad)
			talk_note(cli,
				"no workflows in %s/.pawl/workflows; `pawl init` begins with one",
				cli_project(cli));
		code = l.bad ? EXIT_USAGE : EXIT_DONE;
	}
	args_finish(&words);
	return code;
}

static void print_type_json(struct cli *cli, str keyword, const char *path,
	const struct plug_type *type, const char *problem)
{
	struct buf out = {0};
	object_begin(&out, "type");
	object_text(&out, "type", keyword);
	object_bool(&out, "usable", type != NULL);
	object_text(&out, "file", str_of(path));
	if (type) {
		object_text(&out, "summary", str_of(type->type->summary));
		object_text(&out, "plugin", str_of(type->plugin->id));
		object_text(&out, "version", str_of(type->plugin->version));
		object_bool(&out, "apart", plug_runs_apart(type));
	} else {
		object_text(&out, "problem", str_of(problem));
	}
	object_send(cli, &out);
}

static void list_type(void *arg, str keyword, const char *path, const char *refused)
{
	struct linting *l = arg;
	struct err err = {0};
	const struct plug_type *type =
		refused ? NULL : types_find(cli_types(l->cli), keyword, &err);
	if (l->cli->is_json)
		print_type_json(l->cli, keyword, path, type, refused ? refused : err.message);
	else if (type)
		talk_outf(l->cli, "%-12.*s %s\n             %s %s, %s%s\n", STR_ARG(keyword),
			type->type->summary ? type->type->summary : "", type->plugin->id,
			type->plugin->version, path,
			plug_runs_apart(type)
				? "\n             it crashed before, so it runs in a process of its own"
				: "");
	else
		talk_outf(l->cli, "%-12.*s can't be used: %s\n             %s\n", STR_ARG(keyword),
			refused ? refused : err.message, path);
	err_finish(&err);
}

static int run_types(struct cli *cli, int argc, char **argv)
{
	struct arg_list words = {0};
	struct linting l = {.cli = cli};
	int code = EXIT_USAGE;
	if (args_parse(cli, &command_types, NULL, 0, argc, argv, &words, NULL, &code)) {
		types_each_file(cli_types(cli), list_type, &l);
		code = EXIT_DONE;
	}
	args_finish(&words);
	return code;
}

const struct command command_lint = {"lint", "Author",
	"check workflow files; nothing of them is run",
	"  pawl lint\n  pawl lint release\n  pawl lint path/to/file.yaml\n\nusage: pawl lint [--fix] [-n] [WORKFLOW…]\n\n"
	"      --fix       apply the edits that are shown for references which can't be bound where they stand\n"
	"  -n, --dry-run   with --fix: only show them\n",
	run_lint};
const struct command command_types = {"types", "Author",
	"list node types and the plugins that provide them",
	"  pawl types\n  pawl types --plugin-path ./build\n  pawl types --json\n\nusage: pawl types\n",
	run_types};
