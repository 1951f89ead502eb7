/* find: workflows by name: files of the project, then the user's own.  A name is a file's, else what the file itself says its
 * `name` is; one that two files of a place have is nobody's.  See cli.h. */
#include "cli/cli.h"
#include "data/yaml.h"
#include "sys/fs.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_workflow_name(const char *name)
{
	return str_ends(str_of(name), STR(".yaml")) || str_ends(str_of(name), STR(".yml"));
}

/* A directory that is there and can't be read is no empty one: `cli`, where there is one, is told. */
static void walk_dir(
	struct cli *cli, const char *root, void (*fn)(void *arg, const char *path), void *arg)
{
	struct fs_list list = {0};
	struct err err = {0};
	if (!root)
		return;
	struct buf path = {0};
	int fd = fs_open_dir(root, &err);
	bool ok = fd >= 0 && fs_list_tree(fd, ".", NULL, &list, &err);
	if (!ok && cli && strcmp(err.code, "E-FS-MISSING") != 0) {
		err.is_warning = true;
		talk_err(cli, &err);
	}
	err_finish(&err);
	if (ok) {
		for (size_t i = 0; i < list.len; i++) {
			if (S_ISDIR(list.ptr[i].stat.mode) || !is_workflow_name(list.ptr[i].name))
				continue;
			buf_clear(&path);
			buf_printf(&path, "%s/%s", root, list.ptr[i].name);
			fn(arg, buf_cstr(&path));
		}
	}
	fs_list_finish(&list);
	buf_finish(&path);
	if (fd >= 0)
		close(fd);
}

enum {
	OWN_PLACES = 2, /* where `pawl run NAME` looks */
	ALL_PLACES = 3, /* and where a workflow that runs in place finds those that it names */
};

/* Where workflows are, the first before the second; NULL behind the last. */
static const char *place_of(struct cli *cli, unsigned number)
{
	const char *home = getenv("HOME");
	if (number == 0)
		return arena_printf(&cli->arena, "%s/.pawl/workflows", cli_project(cli));
	if (number == 1 && home)
		return arena_printf(&cli->arena, "%s/.config/pawl/workflows", home);
	if (number == 2)
		return arena_printf(&cli->arena, "%s/.archon/workflows", cli_project(cli));
	return NULL;
}

void cli_each_workflow(struct cli *cli, void (*fn)(void *arg, const char *path), void *arg)
{
	for (unsigned i = 0; i < OWN_PLACES; i++)
		walk_dir(cli, place_of(cli, i), fn, arg);
}

/* "path/to/etl.yaml" -> "etl". */
static str name_of_file(const char *path)
{
	const char *slash = strrchr(path, '/');
	str name = str_of(slash ? slash + 1 : path);
	return str_slice(name, 0, name.len - (str_ends(name, STR(".yaml")) ? 5 : 4));
}

str cli_workflow_name(struct cli *cli, const char *path)
{
	struct buf text = {0};
	struct diags diags = {0};
	struct arena arena = {0};
	const struct value *name = NULL;
	str found = STR("");
	if (fs_read_file(AT_FDCWD, path, (size_t)64 << 20, &text, NULL))
		name = value_get(yaml_parse(&arena, buf_str(&text), path, &diags), STR("name"));
	if (name && name->kind == VALUE_STRING)
		found = arena_str(&cli->arena, name->as.text);
	arena_finish(&arena);
	diags_finish(&diags);
	buf_finish(&text);
	return found;
}

struct finding {
	struct cli *cli;
	str wanted;
	bool is_inside; /* by what the files say themselves */
	char *found;
	char *other;
	VEC(str) names;
};

static void consider(void *arg, const char *path)
{
	struct finding *f = arg;
	str name = f->is_inside ? cli_workflow_name(f->cli, path) : name_of_file(path);
	if (name.len)
		*vec_push(&f->names) = arena_str(&f->cli->arena, name);
	if (!str_eq(name, f->wanted))
		return;
	if (!f->found)
		f->found = arena_printf(&f->cli->arena, "%s", path);
	else if (!f->other)
		f->other = arena_printf(&f->cli->arena, "%s", path);
}

static const char *shown_path(struct cli *cli, const char *path)
{
	size_t len = strlen(cli_project(cli));
	bool is_inside = strncmp(path, cli->project, len) == 0 && path[len] == '/';
	return is_inside ? path + len + 1 : path;
}

static void fail_unknown(struct finding *f, struct err *err)
{
	struct cli *cli = f->cli;
	static const char *const endings[] = {"yaml", "yml"};
	err_set(err, "E-WORKFLOW-UNKNOWN", "there is no workflow `%.*s`", STR_ARG(f->wanted));
	for (size_t i = 0; i < 2; i++) {
		const char *path = arena_printf(
			&cli->arena, ".archon/workflows/%.*s.%s", STR_ARG(f->wanted), endings[i]);
		const char *full = arena_printf(&cli->arena, "%s/%s", cli_project(cli), path);
		if (access(full, R_OK) == 0) {
			err_help(err, "name its file: pawl run %s", path);
			return;
		}
	}
	str near = str_nearest(f->wanted, f->names.ptr, f->names.len);
	if (near.len)
		err_help(err, "did you mean `%.*s`?", STR_ARG(near));
	else
		err_help(err,
			"put it into %s/.pawl/workflows/%.*s.yaml, or name a file: pawl run path/to/file.yaml",
			cli_project(cli), STR_ARG(f->wanted));
}

/* "deploy/prod": the name with the directories that it is in; NULL: no such file. */
static char *find_below(struct cli *cli, const char *name)
{
	static const char *const endings[] = {"yaml", "yml"};
	for (unsigned i = 0; i < OWN_PLACES; i++) {
		const char *root = place_of(cli, i);
		for (size_t k = 0; root && k < 2; k++) {
			char *path = arena_printf(&cli->arena, "%s/%s.%s", root, name, endings[k]);
			if (access(path, R_OK) == 0)
				return path;
		}
	}
	return NULL;
}

static char *find_in(struct cli *cli, const char *name, unsigned places, struct err *err)
{
	struct finding f = {.cli = cli, .wanted = str_of(name)};
	bool is_path = is_workflow_name(name) || strchr(name, '/');
	char *below = is_path && !is_workflow_name(name) ? find_below(cli, name) : NULL;
	if (is_path)
		return below ? below : arena_printf(&cli->arena, "%s", name);
	for (unsigned pass = 0; pass < 2 && !f.found; pass++) {
		f.is_inside = pass == 1;
		for (unsigned i = 0; !f.found && i < places; i++)
			walk_dir(pass ? NULL : cli, place_of(cli, i), consider, &f);
	}
	if (!f.found) {
		fail_unknown(&f, err);
	} else if (f.other) {
		err_set(err, "E-WORKFLOW-AMBIGUOUS", "two workflows are named `%s`: %s and %s",
			name, shown_path(cli, f.found), shown_path(cli, f.other));
		err_help(err, "rename one of them, or name the file: pawl run %s",
			shown_path(cli, f.found));
		f.found = NULL;
	}
	vec_finish(&f.names);
	return f.found;
}

char *cli_find_workflow_quietly(struct cli *cli, const char *name, struct err *err)
{
	return find_in(cli, name, OWN_PLACES, err);
}

char *cli_find_referenced(struct cli *cli, const char *name, struct err *err)
{
	/* A path in a file is one of the project, wherever the command is given. */
	char *path = arena_printf(&cli->arena, "%s/%s", cli_project(cli), name);
	if (is_workflow_name(name) && name[0] != '/' && access(path, R_OK) == 0)
		return path;
	return find_in(cli, name, ALL_PLACES, err);
}

char *cli_find_workflow(struct cli *cli, const char *name)
{
	struct err err = {0};
	char *found = find_in(cli, name, OWN_PLACES, &err);
	if (!found)
		talk_fail(cli, &err);
	return found;
}
