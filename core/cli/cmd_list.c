/* cmd_list: every workflow there is: name, what it is for, how many nodes, and how it ended last.  A file that can't be
 * loaded is one line of the list and hides none of the others. */
#include "cli/cli.h"
#include "cli/objects.h"
#include "cli/rows.h"
#include "sys/clock.h"

extern const struct command command_list;

struct listed {
	str name;
	str description;
	str problem; /* why it can't be loaded; empty where it can */
	const char *path;
	uint32_t nodes;
	struct run_row last;
	bool has_run;
};

struct listing {
	struct cli *cli;
	struct store *store; /* NULL: nothing has run yet */
	VEC(struct listed) list;
};

static str name_of_path(const char *path)
{
	const char *slash = strrchr(path, '/');
	str name = str_of(slash ? slash + 1 : path);
	return str_slice(name, 0, name.len - (str_ends(name, STR(".yaml")) ? 5 : 4));
}

static str problem_of(struct cli *cli, const struct diags *diags)
{
	for (size_t i = 0; i < diags->list.len; i++) {
		const struct err *err = &diags->list.ptr[i];
		if (err->is_warning)
			continue;
		if (diags->errors > 1)
			return str_of(arena_printf(&cli->arena, "%zu errors, the first: %s",
				diags->errors, err->message));
		return arena_str(&cli->arena, str_of(err->message));
	}
	return STR("");
}

static void add_file(void *arg, const char *path)
{
	struct listing *l = arg;
	struct cli *cli = l->cli;
	struct diags diags = {0};
	struct listed item = {.path = arena_printf(&cli->arena, "%s", path),
		.description = STR(""),
		.problem = STR("")};
	item.name = name_of_path(item.path);
	struct workflow *workflow = cli_load_quietly(cli, path, &diags);
	if (workflow) {
		item.name = arena_str(&cli->arena, workflow->name);
		item.description = arena_str(&cli->arena, workflow->description);
		item.nodes = workflow->node_count;
	} else {
		item.problem = problem_of(cli, &diags);
	}
	workflow_destroy(workflow);
	struct run_list last = {0};
	if (l->store && runs_list(l->store, &cli->arena, item.name, 1, false, &last, NULL) &&
		last.len) {
		item.last = last.ptr[0];
		item.has_run = true;
	}
	*vec_push(&l->list) = item;
	diags_finish(&diags);
}

static const char *state_of(const struct run_row *run)
{
	bool is_gone = run->state == RUN_RUNNING && !run->is_live;
	return is_gone ? "interrupted" : run_state_name(run->state);
}

static void print_json(const struct listing *l)
{
	struct buf out = {0};
	for (size_t i = 0; i < l->list.len; i++) {
		const struct listed *w = &l->list.ptr[i];
		object_begin(&out, "workflow");
		object_text(&out, "workflow", w->name);
		object_number(&out, "nodes", w->nodes);
		object_text(&out, "file", str_of(w->path));
		object_text(&out, "description", w->description);
		if (w->problem.len)
			object_text(&out, "problem", w->problem);
		if (w->has_run) {
			object_number(&out, "run", w->last.id);
			object_number(&out, "started_ms", w->last.started_ms);
			object_text(&out, "state", str_of(state_of(&w->last)));
		}
		object_end(&out);
	}
	talk_out(l->cli, buf_str(&out));
	buf_finish(&out);
}

static void print_table(const struct listing *l)
{
	struct table table;
	table_init(&table, 4);
	for (size_t i = 0; i < l->list.len; i++) {
		const struct listed *w = &l->list.ptr[i];
		str rest = w->problem.len ? w->problem : w->description;
		str first = STR("");
		struct buf age = {0};
		str_line(&rest, &first);
		table_cell(&table, "%.*s", STR_ARG(w->name));
		if (w->problem.len)
			table_cell(&table, "broken");
		else
			table_cell(&table, "%u node%s", w->nodes, w->nodes == 1 ? "" : "s");
		if (w->has_run) {
			clock_add_age(&age, clock_wall_ms() - w->last.started_ms);
			table_cell(&table, "run %lld %s, %s", (long long)w->last.id,
				state_of(&w->last), buf_cstr(&age));
		} else {
			table_cell(&table, "never ran");
		}
		table_cell(&table, "%.*s", STR_ARG(first));
		buf_finish(&age);
	}
	table_print(l->cli, &table);
}

static int list(struct cli *cli)
{
	struct listing l = {.cli = cli};
	struct err err = {0};
	l.store = store_open(cli_project(cli), STORE_READ, &err);
	if (err_is_set(&err))
		talk_err(cli, &err); /* the workflows are there without it */
	err_finish(&err);
	cli_each_workflow(cli, add_file, &l);
	size_t broken = 0;
	for (size_t i = 0; i < l.list.len; i++)
		broken += l.list.ptr[i].problem.len > 0;
	if (cli->is_json)
		print_json(&l);
	else
		print_table(&l);
	if (!l.list.len)
		talk_note(cli, "no workflows in %s/.pawl/workflows; `pawl init` begins with one",
			cli_project(cli));
	if (broken)
		talk_note(cli, "`pawl lint` says what is wrong with %s",
			broken == 1 ? "the broken one" : "the broken ones");
	vec_finish(&l.list);
	store_close(l.store);
	return EXIT_DONE;
}

static int run_list(struct cli *cli, int argc, char **argv)
{
	struct arg_list words = {0};
	int code = EXIT_USAGE;
	if (args_parse(cli, &command_list, NULL, 0, argc, argv, &words, NULL, &code)) {
		if (words.list.len)
			code = rows_usage(cli, "`pawl show` and `pawl graph NAME` tell more of one",
				"`pawl list` takes no words");
		else
			code = list(cli);
	}
	args_finish(&words);
	return code;
}

const struct command command_list = {"list", "Author", "list the workflows and how they ended last",
	"  pawl list\n  pawl list --json\n  pawl list --no-color | less\n\nusage: pawl list\n",
	run_list};
