/* project: where things are: the project, its store, its plugins, its workflows.  See cli.h. */
#include "cli/cli.h"
#include "cli/inner.h"
#include "engine/contract.h"
#include "sys/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static bool has_entry(const char *dir, const char *name)
{
	struct buf path = {0};
	struct stat st;
	buf_printf(&path, "%s/%s", dir, name);
	bool yes = stat(buf_cstr(&path), &st) == 0;
	buf_finish(&path);
	return yes;
}

/* The nearest directory upwards that has `name`, on the heap; NULL: none. */
static char *find_upwards(const char *from, const char *name)
{
	char *dir = mem_dup(from, strlen(from));
	for (;;) {
		if (has_entry(dir, name))
			return dir;
		char *slash = strrchr(dir, '/');
		if (!slash || dir[1] == '\0')
			break;
		slash[slash == dir] = '\0';
	}
	free(dir);
	return NULL;
}

const char *cli_project(struct cli *cli)
{
	static const char *const marks[] = {".pawl", ".archon", ".git"};
	if (cli->project)
		return cli->project;
	char *here = realpath(".", NULL);
	if (!here)
		here = mem_dup("/", 1);
	const char *home = getenv("HOME");
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]) && !cli->project; i++) {
		char *found = find_upwards(here, marks[i]);
		/* A project is never the whole home directory by accident of a dotfile in it. */
		bool is_home = found && home && !strcmp(found, home) && strcmp(here, home) != 0;
		if (found && !is_home)
			cli->project = arena_printf(&cli->arena, "%s", found);
		free(found);
	}
	if (!cli->project)
		cli->project = arena_printf(&cli->arena, "%s", here);
	free(here);
	return cli->project;
}

/* The plugins that came with this program: beside it in the build tree and where it is installed. */
static const char *builtin_path(struct cli *cli)
{
	struct buf target = {0};
	const char *path = PAWL_PLUGIN_DIR;
	if (fs_read_link(AT_FDCWD, "/proc/self/exe", &target, NULL)) {
		char *slash = strrchr(buf_cstr(&target), '/');
		const char *beside = arena_printf(&cli->arena, "%.*s/../lib/pawl/plugins",
			(int)(slash - target.ptr), target.ptr);
		char *real = realpath(beside, NULL);
		if (real)
			path = arena_printf(&cli->arena, "%s", real);
		free(real);
	}
	buf_finish(&target);
	return path;
}

struct types *cli_types(struct cli *cli)
{
	if (cli->types)
		return cli->types;
	const char *home = getenv("HOME");
	const char *data =
		home ? arena_printf(&cli->arena, "%s/.local/lib/pawl/plugins", home) : NULL;
	const char *trust =
		home ? arena_printf(&cli->arena, "%s/.config/pawl/trusted-plugins", home) : NULL;
	struct types_options options = {.paths = cli->plugin_paths,
		.env_path = getenv("PAWL_PLUGIN_PATH"),
		.home_path = data,
		.builtin_path = builtin_path(cli),
		.project = cli_project(cli),
		.trust_file = trust,
		.crash_file = arena_printf(
			&cli->arena, "%s/.pawl/state/crashed-plugins", cli_project(cli)),
		.isolates = true};
	cli->types = types_create(&options);
	return cli->types;
}

static int fail_none(struct cli *cli)
{
	struct err err = {0};
	err_set(&err, "E-RUN-NONE", "nothing has run yet in %s", cli_project(cli));
	err_help(&err, "run a workflow first: pawl run NAME");
	return talk_fail(cli, &err);
}

bool cli_has_store(struct cli *cli)
{
	return has_entry(cli_project(cli), ".pawl/state/pawl.db");
}

struct store *cli_store_to_change(struct cli *cli, int *exit_code)
{
	if (cli_has_store(cli))
		return cli_store(cli, STORE_WRITE, exit_code);
	*exit_code = fail_none(cli);
	return NULL;
}

struct store *cli_store(struct cli *cli, enum store_mode mode, int *exit_code)
{
	struct err err = {0};
	struct store *store = store_open(cli_project(cli), mode, &err);
	*exit_code = EXIT_DONE;
	if (err_is_set(&err)) {
		*exit_code = talk_fail(cli, &err);
		if (store)
			*exit_code =
				EXIT_DONE; /* it was a warning: a damaged store was set aside */
	} else if (!store) {
		*exit_code = fail_none(cli);
	}
	return store;
}

struct loading {
	struct cli *cli;
	struct workflow_types types;
};

/* A run within the run may be of a file that a node makes first: a warning. */
static void check_children(struct cli *cli, const struct workflow *workflow, struct diags *diags)
{
	struct map looked_at = {0};
	for (uint32_t i = 0; i < workflow->node_count; i++) {
		const struct node *node = &workflow->nodes[i];
		struct err err = {0};
		if (node->control != CONTROL_WORKFLOW ||
			map_put(&looked_at, node->child_workflow, cli))
			continue;
		const char *name = arena_str(&cli->arena, node->child_workflow).ptr;
		const char *path = cli_find_referenced(cli, name, &err);
		if (path && access(path, R_OK) != 0)
			err_set(&err, "E-WORKFLOW-UNKNOWN", "there is no file `%s`", path);
		if (!err_is_set(&err))
			continue;
		const struct value *named = value_get(node->fields, STR("workflow"));
		struct place at = named ? value_place(named, node->scope->file) : node->at;
		struct err *warning = diags_warn(diags, at, "W-WORKFLOW-MISSING",
			"node `%.*s` runs a workflow that can't be found: %s", STR_ARG(node->id),
			err.message);
		if (err.help)
			err_help(warning, "%s", err.help);
		err_finish(&err);
	}
	map_finish(&looked_at);
}

/* What the plugins say of their nodes. */
static void check_nodes(struct cli *cli, const struct workflow *workflow, struct diags *diags)
{
	check_children(cli, workflow, diags);
	for (uint32_t i = 0; i < workflow->node_count; i++) {
		struct host_node_init init = {.workflow = workflow,
			.node = &workflow->nodes[i],
			.type = workflow->nodes[i].control == CONTROL_NONE
		                        ? types_find(cli_types(cli), workflow->nodes[i].type, NULL)
		                        : NULL,
			.project = cli_project(cli)};
		if (workflow->nodes[i].control != CONTROL_NONE || !init.type)
			continue;
		struct pawl_node *node = host_node_create(&init);
		host_validate(node, diags);
		host_node_destroy(node);
		struct arena arena = {0};
		contract_check_spec(
			&workflow->nodes[i], workflow->nodes[i].scope->file, &arena, diags);
		arena_finish(&arena);
	}
}

/* The Lua file of the same directory that `wanted` most likely means; empty where none is like it. */
static str nearest_policy(struct cli *cli, str wanted)
{
	const char *slash = memrchr(wanted.ptr, '/', wanted.len);
	size_t prefix = slash ? (size_t)(slash - wanted.ptr) + 1 : 0;
	struct fs_list list = {0};
	str near = STR("");
	int fd = fs_open_dir(cli_project(cli), NULL);
	str pattern = str_of(arena_printf(&cli->arena, "%.*s*.lua", (int)prefix, wanted.ptr));
	if (fd >= 0 && fs_glob(fd, pattern, &list, NULL)) {
		str *names = arena_array(&cli->arena, str, list.len);
		for (size_t i = 0; i < list.len; i++)
			names[i] = arena_str(&cli->arena, str_of(list.ptr[i].name));
		near = str_nearest(wanted, names, list.len);
	}
	fs_list_finish(&list);
	if (fd >= 0)
		close(fd);
	return near;
}

/* Where the field, one name or a list of them, has that name. */
static struct place place_of_name(
	const struct value *field, str name, const char *file, struct place otherwise)
{
	for (size_t i = 0; field && field->kind == VALUE_LIST && i < field->as.list.count; i++) {
		const struct value *item = &field->as.list.items[i];
		if (item->kind == VALUE_STRING && str_eq(item->as.text, name))
			return value_place(item, file);
	}
	return field ? value_place(field, file) : otherwise;
}

/* Whether the files are there; what is in them is looked at by a run only, for it means to run them. */
static void check_policies(struct cli *cli, const struct strs *files, const struct value *field,
	struct place at, struct diags *diags)
{
	for (size_t i = 0; i < files->len; i++) {
		str name = files->ptr[i];
		const char *path =
			arena_printf(&cli->arena, "%s/%.*s", cli_project(cli), STR_ARG(name));
		if (access(path, F_OK) == 0 || errno != ENOENT)
			continue;
		struct err *err = diags_error(diags, place_of_name(field, name, at.file, at),
			"E-POLICY-MISSING", "there is no policy file %.*s", STR_ARG(name));
		str near = nearest_policy(cli, name);
		if (near.len)
			err_help(err, "did you mean `%.*s`?", STR_ARG(near));
		else
			err_help(err, "policy files are named relative to the project, %s",
				cli_project(cli));
	}
}

static void check_all_policies(
	struct cli *cli, const struct workflow *workflow, struct diags *diags)
{
	const struct place top = {.file = workflow->file};
	check_policies(
		cli, &workflow->policies, value_get(workflow->root, STR("policy")), top, diags);
	for (uint32_t i = 0; i < workflow->node_count; i++) {
		const struct node *node = &workflow->nodes[i];
		check_policies(cli, &node->policies, value_path(node->fields, STR("cache.policy")),
			node->at, diags);
	}
}

/* For `include`: by name, or by a path relative to the project. */
static bool read_included(void *ctx, str name, struct buf *text, char **path, struct err *err)
{
	struct cli *cli = ((struct loading *)ctx)->cli;
	const char *wanted = arena_str(&cli->arena, name).ptr;
	char *found = cli_find_referenced(cli, wanted, err);
	if (!found || !fs_read_file(AT_FDCWD, found, (size_t)64 << 20, text, err))
		return false;
	*path = mem_dup(found, strlen(found));
	char *real = realpath(found, NULL);
	*vec_push(&cli->included) = arena_printf(&cli->arena, "%s", real ? real : found);
	free(real);
	return true;
}

static bool find_type(void *ctx, str keyword, const struct value **schema, struct err *err)
{
	const struct workflow_types *types = &((struct loading *)ctx)->types;
	return types->find(types->ctx, keyword, schema, err);
}

static void each_type(void *ctx, void (*fn)(void *arg, str keyword), void *arg)
{
	const struct workflow_types *types = &((struct loading *)ctx)->types;
	types->each(types->ctx, fn, arg);
}

struct workflow_types cli_workflow_types(struct cli *cli)
{
	struct loading *loading = arena_new(&cli->arena, struct loading);
	*loading = (struct loading){cli, types_for_workflow(cli_types(cli))};
	return (struct workflow_types){loading, find_type, each_type, read_included};
}

struct workflow *cli_load_quietly(struct cli *cli, const char *path, struct diags *diags)
{
	struct buf text = {0};
	struct err err = {0};
	const char *file = arena_printf(&cli->arena, "%s", path);
	struct workflow *workflow = NULL;
	if (!fs_read_file(AT_FDCWD, path, (size_t)64 << 20, &text, &err)) {
		if (!err.help)
			err_help(&err,
				"check the name; `pawl list` shows what is found by name alone");
		diags_take(diags, &err);
	} else {
		struct workflow_types types = cli_workflow_types(cli);
		workflow = workflow_load(buf_str(&text), file, &types, diags);
	}
	buf_finish(&text);
	if (workflow) {
		check_nodes(cli, workflow, diags);
		check_all_policies(cli, workflow, diags);
	}
	/* Places may be read when the workflow is gone. */
	for (size_t i = 0; workflow && i < diags->list.len; i++) {
		if (diags->list.ptr[i].at.file == workflow->file)
			diags->list.ptr[i].at.file = file;
	}
	diags_sort(diags);
	if (workflow && diags->errors) {
		workflow_destroy(workflow);
		workflow = NULL;
	}
	return workflow;
}

struct workflow *cli_load_file(struct cli *cli, const char *path)
{
	struct diags diags = {0};
	struct workflow *workflow = cli_load_quietly(cli, path, &diags);
	talk_diags(cli, &diags);
	if (diags.errors && access(path, R_OK) == 0)
		talk_note(cli, "%zu error%s in %s; nothing was run", diags.errors,
			diags.errors == 1 ? "" : "s", path);
	diags_finish(&diags);
	return workflow;
}

struct workflow *cli_load_workflow(struct cli *cli, const char *name)
{
	const char *path = cli_find_workflow(cli, name);
	return path ? cli_load_file(cli, path) : NULL;
}

bool cli_get_run(struct cli *cli, struct store *store, int64_t run, struct run_row *row)
{
	struct err err = {0};
	bool found = false;
	if (!runs_get(store, &cli->arena, run, row, &found, &err)) {
		talk_fail(cli, &err);
		return false;
	}
	if (!found) {
		err_set(&err, "E-RUN-UNKNOWN", "there is no run %lld", (long long)run);
		err_help(&err, "`pawl runs` lists them");
		talk_fail(cli, &err);
	}
	return found;
}

static bool resolve(struct cli *cli, struct store *store, int64_t *run, str *node)
{
	struct err err = {0};
	if (inner_resolve(store, &cli->arena, run, node, &err))
		return true;
	talk_fail(cli, &err);
	return false;
}

bool cli_parse_run(struct cli *cli, struct store *store, const char *text, int64_t *run, str *node)
{
	str all = str_of(text);
	size_t slash = str_find_char(all, '/', 0);
	str number = str_slice(all, 0, slash == SIZE_MAX ? all.len : slash);
	uint64_t value = 0;
	*node = slash == SIZE_MAX ? STR("") : str_slice(all, slash + 1, all.len);
	if (str_is(number, "last")) {
		struct run_list list = {0};
		if (runs_list(store, &cli->arena, STR(""), 1, false, &list, NULL) && list.len) {
			*run = list.ptr[0].id;
			return resolve(cli, store, run, node);
		}
		fail_none(cli);
		return false;
	}
	if (str_to_u64(number, &value) && value && value <= INT64_MAX) {
		*run = (int64_t)value;
		return resolve(cli, store, run, node);
	}
	struct err err = {0};
	err_set(&err, "E-USAGE", "\"%s\" is not a run", text);
	err_help(
		&err, "a run is a number or `last`, a node of it RUN/NODE; `pawl runs` lists them");
	talk_fail(cli, &err);
	return false;
}

static void mark(const struct workflow *workflow, uint32_t index, bool down, bool *marks)
{
	VEC(uint32_t) todo = {0};
	bool *seen = mem_zalloc(workflow->node_count);
	*vec_push(&todo) = index;
	while (todo.len) {
		const struct node *node = &workflow->nodes[todo.ptr[--todo.len]];
		if (seen[node->index])
			continue;
		seen[node->index] = marks[node->index] = true;
		uint32_t count = down ? node->consumer_count : node->dep_count;
		for (uint32_t i = 0; i < count; i++)
			*vec_push(&todo) = down ? node->consumers[i] : node->deps[i];
	}
	free(seen);
	vec_finish(&todo);
}

/* The node itself, or all of an include. */
static bool is_meant(const struct workflow *workflow, const struct node *node, str id)
{
	str rest = str_slice(node->id, id.len, node->id.len);
	return str_eq(node->id, id) || (str_starts(node->id, id) && str_starts(rest, STR("__")) &&
					       map_get(&workflow->aliases, id));
}

bool cli_select(struct cli *cli, const struct workflow *workflow, const char *selector, bool *marks)
{
	str id = str_of(selector);
	bool up = str_starts(id, STR("+"));
	bool down = str_ends(id, STR("+")) && id.len > 1;
	id = str_slice(id, up, id.len - down);
	bool any = false;
	for (uint32_t i = 0; i < workflow->node_count; i++) {
		if (!is_meant(workflow, &workflow->nodes[i], id))
			continue;
		any = marks[i] = true;
		if (up)
			mark(workflow, i, false, marks);
		if (down)
			mark(workflow, i, true, marks);
	}
	if (!any) {
		struct err err = {0};
		str *ids = arena_array(&cli->arena, str, workflow->node_count);
		for (uint32_t i = 0; i < workflow->node_count; i++)
			ids[i] = workflow->nodes[i].id;
		str near = str_nearest(id, ids, workflow->node_count);
		err_set(&err, "E-NODE-UNKNOWN", "workflow %.*s has no node `%.*s`",
			STR_ARG(workflow->name), STR_ARG(id));
		if (near.len)
			err_help(&err, "did you mean `%.*s`?", STR_ARG(near));
		talk_fail(cli, &err);
		return false;
	}
	return true;
}
