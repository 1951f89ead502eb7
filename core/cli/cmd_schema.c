/* cmd_schema: the JSON Schema of workflow files, with the node types that are installed here, for editors. */
#include "cli/cli.h"
#include "cli/objects.h"
#include "cli/rows.h"
#include "data/json.h"
#include "data/schema.h"
#include "data/yaml.h"
#include "model/language.h"
#include "sys/fs.h"

#include <fcntl.h>

extern const struct command command_schema;

static void print_checked(struct cli *cli, const char *path, bool ok)
{
	struct buf out = {0};
	object_begin(&out, "lint");
	object_bool(&out, "ok", ok);
	object_text(&out, "file", str_of(path));
	object_send(cli, &out);
}

static bool check_file(struct cli *cli, const struct schema *schema, const char *path)
{
	struct buf text = {0};
	struct diags diags = {0};
	struct err err = {0};
	bool ok = fs_read_file(AT_FDCWD, path, (size_t)64 << 20, &text, &err);
	if (!ok) {
		talk_fail(cli, &err);
	} else {
		str kept = arena_str(&cli->arena, buf_str(&text));
		const struct value *root = yaml_parse(&cli->arena, kept, path, &diags);
		ok = root && schema_check(schema, root, path, 20, &diags);
		diags_sort(&diags);
		talk_diags(cli, &diags);
	}
	if (cli->is_json)
		print_checked(cli, path, ok);
	else if (ok && !cli->is_quiet)
		talk_outf(cli, "ok  %s\n", path);
	diags_finish(&diags);
	buf_finish(&text);
	return ok;
}

static int check(struct cli *cli, const struct value *value, const struct arg_list *files)
{
	struct diags diags = {0};
	const struct schema *schema = schema_compile(&cli->arena, value, NULL, &diags);
	size_t bad = 0;
	talk_diags(cli, &diags);
	diags_finish(&diags);
	if (!schema)
		return EXIT_BUG;
	for (size_t i = 0; i < files->list.len; i++)
		bad += !check_file(cli, schema, files->list.ptr[i]);
	return bad ? EXIT_USAGE : EXIT_DONE;
}

static int schema(struct cli *cli, bool wants_check, const struct arg_list *files)
{
	struct buf text = {0};
	struct buf pretty = {0};
	struct err err = {0};
	struct workflow_types types = types_for_workflow(cli_types(cli));
	language_write_schema(&text, &types);
	const struct value *value =
		json_parse(&cli->arena, arena_str(&cli->arena, buf_str(&text)), &err);
	int code = EXIT_DONE;
	if (!value) {
		talk_fail(cli, &err);
		code = EXIT_BUG;
	} else if (wants_check) {
		code = check(cli, value, files);
	} else if (cli->is_json) {
		object_document(cli, "application/schema+json", buf_str(&text));
	} else {
		json_write_pretty(&pretty, value);
		buf_add_char(&pretty, '\n');
		talk_out(cli, buf_str(&pretty));
	}
	buf_finish(&text);
	buf_finish(&pretty);
	return code;
}

static int run_schema(struct cli *cli, int argc, char **argv)
{
	struct arg_list words = {0};
	bool wants_check = false;
	int code = EXIT_USAGE;
	const struct arg args[] = {{"check", 0, ARG_FLAG, &wants_check, NULL}};
	if (args_parse(cli, &command_schema, args, 1, argc, argv, &words, NULL, &code)) {
		if (wants_check != (words.list.len > 0))
			code = rows_usage(cli, "pawl schema, or pawl schema --check FILE…",
				wants_check ? "check which files?"
					    : "`pawl schema` takes files with --check only");
		else
			code = schema(cli, wants_check, &words);
	}
	args_finish(&words);
	return code;
}

const struct command command_schema = {"schema", "Author",
	"the JSON Schema of workflow files, for editors",
	"  pawl schema > .pawl/workflow.schema.json\n"
	"  pawl schema | jq '.definitions.node.properties | keys'\n"
	"  pawl schema --check .pawl/workflows/*.yaml\n\n"
	"usage: pawl schema [--check FILE…]\n\n"
	"With the node types that are installed here.  A comment makes editors use it, as the first line of a workflow:\n\n"
	"  # yaml-language-server: $schema=../workflow.schema.json\n\n"
	"      --check FILE…   check files by it, as an editor would; `pawl lint` sees more\n",
	run_schema};
