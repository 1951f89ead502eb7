/* cmd_policy: `pawl policy test FILE`: runs the tests of a policy file, then asks its rules about stored results, and prints
 * what each would decide and why.  It changes nothing. */
#include "cli/cli.h"
#include "cli/objects.h"
#include "data/json.h"
#include "data/yaml.h"
#include "engine/policy_stored.h"
#include "store/cas.h"
#include "sys/clock.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern const struct command command_policy;

extern char **environ;

struct asking {
	struct cli *cli;
	struct store *store;
	struct policies *policies;
	struct policy *policy;
	struct table table;
	struct map sources; /* run number as text -> the workflow as a value, or &unknown_source */
	int64_t now_ms;
	size_t count;
	size_t erred;
};

static const struct value unknown_source = {.kind = VALUE_NULL};

static void on_log(void *arg, str file, uint32_t line, str text)
{
	talk_note(arg, "%.*s:%u: %.*s", STR_ARG(file), line, STR_ARG(text));
}

/* ---- the tests of the file ---- */

static void print_test_json(struct cli *cli, const struct policy_test *test)
{
	struct buf out = {0};
	object_begin(&out, "policy_test");
	object_text(&out, "test", test->name);
	object_number(&out, "line", test->line);
	object_bool(&out, "passed", test->passed);
	object_text(&out, "message", test->message);
	object_send(cli, &out);
}

static bool run_tests(struct cli *cli, struct policy *policy)
{
	struct policy_tests tests = policy_run_tests(policy, &cli->arena);
	for (size_t i = 0; i < tests.len; i++) {
		const struct policy_test *test = &tests.ptr[i];
		if (cli->is_json)
			print_test_json(cli, test);
		else if (test->passed)
			talk_outf(cli, "%sok%s      %.*s\n", talk_color(cli, false, COLOR_GREEN),
				talk_color(cli, false, COLOR_NONE), STR_ARG(test->name));
		else
			talk_outf(cli, "%sfailed%s  %.*s: %.*s\n",
				talk_color(cli, false, COLOR_RED),
				talk_color(cli, false, COLOR_NONE), STR_ARG(test->name),
				STR_ARG(test->message));
	}
	if (!cli->is_json)
		talk_outf(cli, "%zu test%s, %zu failed\n", tests.len, tests.len == 1 ? "" : "s",
			tests.failed);
	return tests.failed == 0;
}

/* ---- stored results ---- */

/* The workflow as the run had it; a node of another file, or none, has no fields to show. */
static const struct value *load_source(struct asking *asking, int64_t run)
{
	struct arena *arena = &asking->cli->arena;
	struct run_row row = {0};
	struct digest digest;
	struct buf text = {0};
	struct diags diags = {0};
	const struct value *root = NULL;
	bool found = false;
	if (runs_get(asking->store, arena, run, &row, &found, NULL) && found &&
		digest_parse(row.source, &digest) && cas_get(asking->store, &digest, &text, NULL))
		root = yaml_parse(arena, arena_str(arena, buf_str(&text)), "", &diags);
	diags_finish(&diags);
	buf_finish(&text);
	return root ? root : &unknown_source;
}

static const struct value *find_fields(struct asking *asking, const struct result_row *row)
{
	struct arena *arena = &asking->cli->arena;
	str name = str_of(arena_printf(arena, "%lld", (long long)row->run));
	const struct value *root = map_get(&asking->sources, name);
	if (!root) {
		root = load_source(asking, row->run);
		map_put(&asking->sources, name, (void *)(uintptr_t)root);
	}
	const struct value *nodes = value_get(root, STR("nodes"));
	for (size_t i = 0; nodes && nodes->kind == VALUE_LIST && i < nodes->as.list.count; i++) {
		const struct value *node = &nodes->as.list.items[i];
		const struct value *id = value_get(node, STR("id"));
		if (id && id->kind == VALUE_STRING && str_eq(id->as.text, row->node))
			return node;
	}
	return NULL;
}

static str text_field(const struct value *fields, str name)
{
	const struct value *value = value_get(fields, name);
	return value && value->kind == VALUE_STRING ? value->as.text : STR("");
}

/* "schema = 3f2a…, version = 12" for what key() adds; what is wrong with it otherwise. */
static str describe_key(
	struct asking *asking, const struct policy_node *node, struct arena *arena, bool *ok)
{
	struct key key = {0};
	struct key_parts parts = {0};
	struct err err = {0};
	struct buf out = {0};
	str prefix = str_of(arena_printf(arena, "policy/%s/", policy_file(asking->policy)));
	key_begin(&key);
	*ok = policy_key(asking->policy, node, &key, &err);
	if (!*ok)
		buf_printf(
			&out, "%s (%s:%u)", err.message, policy_file(asking->policy), err.at.line);
	else
		key_parse(arena, buf_str(&key.text), &parts);
	for (size_t i = 0; i < parts.len; i++) {
		const struct key_part *part = &parts.ptr[i];
		if (part->tag == '(' || part->tag == ')' || !str_starts(part->label, prefix))
			continue;
		str label = str_slice(part->label, prefix.len, part->label.len);
		buf_printf(&out, "%s", out.len ? ", " : "");
		if (!str_is(label, "-"))
			buf_printf(&out, "%.*s = ", STR_ARG(label));
		if (part->tag == 'a')
			buf_add_z(&out, "null");
		else
			buf_add_visible(&out, str_slice(part->value, 0, 80));
	}
	str text = arena_str(arena, buf_str(&out));
	buf_finish(&out);
	key_finish(&key);
	err_finish(&err);
	return text;
}

struct answer {
	bool reuses;
	str sentence;
	bool has_key;
	str key;
};

static void print_answer_json(
	struct cli *cli, const struct result_row *row, const struct answer *answer)
{
	struct buf out = {0};
	object_begin(&out, "policy_answer");
	object_number(&out, "result", row->id);
	object_number(&out, "run", row->run);
	object_text(&out, "workflow", row->workflow);
	object_text(&out, "node", row->node);
	object_text(&out, "decision", answer->reuses ? STR("reuse") : STR("run"));
	object_text(&out, "sentence", answer->sentence);
	if (answer->has_key)
		object_text(&out, "key", answer->key);
	object_send(cli, &out);
}

static void add_answer(
	struct asking *asking, const struct result_row *row, const struct answer *answer)
{
	struct buf age = {0};
	struct table *table = &asking->table;
	clock_add_age(&age, asking->now_ms - row->made_ms);
	table_cell(table, "%.*s/%.*s", STR_ARG(row->workflow), STR_ARG(row->node));
	table_cell(table, "run %lld", (long long)row->run);
	table_cell(table, "%s", buf_cstr(&age));
	table_cell(table, "%s", answer->reuses ? "no objection" : "run");
	if (answer->has_key && answer->key.len && answer->reuses)
		table_cell(table, "key: %.*s", STR_ARG(answer->key));
	else if (answer->has_key && answer->key.len)
		table_cell(
			table, "%.*s; key: %.*s", STR_ARG(answer->sentence), STR_ARG(answer->key));
	else
		table_cell(table, "%.*s", STR_ARG(answer->sentence));
	buf_finish(&age);
}

static void ask(struct asking *asking, const struct result_row *row)
{
	struct arena arena = {0};
	struct policy_stored stored;
	struct answer answer = {.key = STR("")};
	const struct value *fields = find_fields(asking, row);
	struct policy_node node = {
		.id = row->node,
		.type = row->type,
		.workflow = row->workflow,
		.description = text_field(fields, STR("description")),
		.output_type = text_field(fields, STR("output_type")),
		.fields = fields,
	};
	policy_stored_init(&stored, asking->store, &arena, row, asking->now_ms);
	answer.reuses =
		policy_reuse(asking->policy, &node, &stored.result, &arena, &answer.sentence);
	asking->erred += policy_erred(asking->policy);
	if (policy_has(asking->policy, POLICY_KEY)) {
		str key = describe_key(asking, &node, &arena, &answer.has_key);
		if (answer.has_key) {
			answer.key = key;
		} else {
			asking->erred++;
			answer.reuses = false;
			answer.sentence = str_of(arena_printf(
				&arena, "its policy can't tell its key: %.*s", STR_ARG(key)));
		}
	}
	if (asking->cli->is_json)
		print_answer_json(asking->cli, row, &answer);
	else
		add_answer(asking, row, &answer);
	asking->count++;
	arena_finish(&arena);
}

static bool ask_run(struct asking *asking, int64_t run, struct err *err)
{
	struct arena *arena = &asking->cli->arena;
	struct node_list nodes = {0};
	if (!nodes_list(asking->store, arena, run, &nodes, err))
		return false;
	for (size_t i = 0; i < nodes.len; i++) {
		struct result_row row = {0};
		bool found = false;
		if (!nodes.ptr[i].result)
			continue;
		if (!results_get(asking->store, arena, nodes.ptr[i].result, &row, &found, err))
			return false;
		if (found)
			ask(asking, &row);
	}
	return true;
}

static bool ask_all(struct asking *asking, struct err *err)
{
	struct result_list list = {0};
	if (!results_list(asking->store, &asking->cli->arena, STR(""), false, &list, err))
		return false;
	for (size_t i = 0; i < list.len; i++)
		ask(asking, &list.ptr[i]);
	return true;
}

static int ask_stored(struct asking *asking, const char *run_text)
{
	struct cli *cli = asking->cli;
	struct err err = {0};
	struct run_row run_row = {0};
	int64_t run = 0;
	str node;
	int code = EXIT_DONE;
	asking->store = store_open(cli_project(cli), STORE_READ, &err);
	if (!asking->store) {
		if (err_is_set(&err))
			return talk_fail(cli, &err);
		if (!cli->is_json)
			talk_outf(cli, "no stored results: nothing has run yet\n");
		return EXIT_DONE;
	}
	if (run_text && (!cli_parse_run(cli, asking->store, run_text, &run, &node) ||
				!cli_get_run(cli, asking->store, run, &run_row))) {
		code = EXIT_USAGE;
	} else {
		table_init(&asking->table, 5);
		bool ok = run_text ? ask_run(asking, run, &err) : ask_all(asking, &err);
		if (!cli->is_json && asking->count)
			talk_outf(cli, "\n");
		table_print(cli, &asking->table);
		if (!ok)
			code = talk_fail(cli, &err);
		else if (!cli->is_json && !asking->count)
			talk_outf(cli, "no stored results\n");
	}
	map_finish(&asking->sources);
	store_close(asking->store);
	return code;
}

/* ---- the command ---- */

/* The file as the project names it; NULL: told that it lies elsewhere. */
static const char *in_project(struct cli *cli, const char *file)
{
	struct err err = {0};
	const char *project = cli_project(cli);
	const char *found = NULL;
	char *real = realpath(file, NULL);
	size_t len = strlen(project);
	if (real && !strncmp(real, project, len) && real[len] == '/')
		found = arena_printf(&cli->arena, "%s", real + len + 1);
	if (!real) {
		err_set(&err, "E-POLICY-MISSING", "there is no policy file %s", file);
	} else if (!found) {
		err_set(&err, "E-POLICY-OUTSIDE", "%s is not in the project %s", file, project);
		err_help(&err, "policies are files of a project; run this in theirs");
	}
	if (!found)
		talk_fail(cli, &err);
	free(real);
	return found;
}

static int test_policy(struct cli *cli, const char *file, const char *run)
{
	struct err err = {0};
	struct diags diags = {0};
	const char *name = in_project(cli, file);
	if (!name)
		return EXIT_USAGE;
	struct asking asking = {.cli = cli, .now_ms = clock_wall_ms()};
	int fd = fs_open_dir(cli_project(cli), &err);
	if (fd < 0)
		return talk_fail(cli, &err);
	asking.policies = policies_create(&(struct policy_env){
		.project_fd = fd,
		.environment = (const char *const *)(uintptr_t)environ,
		.now_ms = asking.now_ms,
		.arg = cli,
		.log = on_log,
	});
	int code = EXIT_USAGE;
	asking.policy = policies_load(asking.policies, str_of(name), &diags);
	talk_diags(cli, &diags);
	if (asking.policy) {
		bool passed = run_tests(cli, asking.policy);
		code = ask_stored(&asking, run);
		if (code == EXIT_DONE && (!passed || asking.erred))
			code = EXIT_NODE_FAILED;
	}
	diags_finish(&diags);
	policies_destroy(asking.policies);
	close(fd);
	return code;
}

static int run_policy(struct cli *cli, int argc, char **argv)
{
	struct arg_list words = {0};
	const char *run = NULL;
	int code = EXIT_USAGE;
	const struct arg args[] = {{"run", 'r', ARG_VALUE, &run, NULL}};
	if (args_parse(cli, &command_policy, args, 1, argc, argv, &words, NULL, &code)) {
		if (words.list.len == 2 && !strcmp(words.list.ptr[0], "test")) {
			code = test_policy(cli, words.list.ptr[1], run);
		} else {
			struct err err = {0};
			err_set(&err, "E-USAGE", "`pawl policy` needs `test` and one file");
			err_help(&err, "pawl policy test policies/nightly.lua");
			code = talk_fail(cli, &err);
		}
	}
	args_finish(&words);
	return code;
}

const struct command command_policy = {"policy", "Author",
	"test a policy: its own tests, and what it says of stored results",
	"  pawl policy test .pawl/policies/nightly.lua\n"
	"  pawl policy test .pawl/policies/nightly.lua --run last\n"
	"  pawl policy test .pawl/policies/nightly.lua --json\n"
	"\n"
	"usage: pawl policy test FILE [--run RUN]\n"
	"\n"
	"Runs its test_* functions, then asks it about every stored result, or about those of one run only.\n"
	"\n"
	"  -r, --run RUN   a number or `last`\n"
	"\n"
	"Exit: 0 all went well, 1 a test or a rule failed, 2 the file is wrong.  docs/policies.md tells how to write one.\n",
	run_policy};
