/* cmd_artifacts: the files that the nodes of a run made, from the store: listed, or written out into a new place.  The
 * project and the run's own directory are not looked at: what is shown is what would be restored. */
#include "cli/cli.h"
#include "cli/objects.h"
#include "cli/rows.h"
#include "store/cas.h"
#include "sys/fs.h"

#include <fcntl.h>
#include <unistd.h>

extern const struct command command_artifacts;

struct listed {
	str node;
	struct artifact artifact;
};

struct artifacts {
	struct cli *cli;
	struct store *store;
	int64_t run;
	VEC(struct listed) list;
};

static bool gather(struct artifacts *a, const struct node_row *node, struct err *err)
{
	struct digest digest;
	struct manifest manifest = {0};
	if (!rows_manifest(a->cli, a->store, node, &digest))
		return true;
	bool ok = rows_read_manifest(a->cli, a->store, &digest, &manifest, err);
	manifest_to_show(&manifest);
	if (!ok)
		err_wrap(err, "%.*s", STR_ARG(node->node));
	for (size_t i = 0; ok && i < manifest.list.len; i++)
		*vec_push(&a->list) = (struct listed){node->node, manifest.list.ptr[i]};
	manifest_finish(&manifest);
	return ok;
}

static const char *kind_name(enum artifact_kind kind)
{
	return kind == ARTIFACT_FILE ? "file" : kind == ARTIFACT_LINK ? "link" : "directory";
}

/* Below the directory: what was in $ARTIFACTS_DIR apart from what was in the project. */
static const char *extracted_path(const struct artifacts *a, const struct artifact *f)
{
	return arena_printf(&a->cli->arena, "%s/%.*s",
		f->root == ROOT_ARTIFACTS ? "artifacts" : "project", STR_ARG(f->path));
}

/* `dir`: where they were written to, or NULL. */
static void print_json(const struct artifacts *a, const char *dir)
{
	struct buf out = {0};
	for (size_t i = 0; i < a->list.len; i++) {
		const struct artifact *f = &a->list.ptr[i].artifact;
		object_begin(&out, "artifact");
		object_number(&out, "run", a->run);
		object_text(&out, "node", a->list.ptr[i].node);
		object_text(&out, "kind", str_of(kind_name(f->kind)));
		object_text(&out, "root",
			f->root == ROOT_ARTIFACTS ? STR("artifacts") : STR("project"));
		object_text(&out, "path", f->path);
		if (f->kind == ARTIFACT_LINK)
			object_text(&out, "target", f->target);
		else
			object_text(
				&out, "mode", str_of(arena_printf(&a->cli->arena, "%o", f->mode)));
		if (f->kind == ARTIFACT_FILE) {
			object_number(&out, "size", (int64_t)f->size);
			object_digest(&out, "digest", &f->digest);
		}
		if (dir)
			object_text(&out, "extracted",
				str_of(arena_printf(
					&a->cli->arena, "%s/%s", dir, extracted_path(a, f))));
		object_end(&out);
	}
	talk_out(a->cli, buf_str(&out));
	buf_finish(&out);
}

static void print_table(const struct artifacts *a)
{
	struct table table;
	if (!a->list.len)
		talk_note(a->cli, "no files were kept");
	table_init(&table, 5);
	for (size_t i = 0; i < a->list.len; i++) {
		const struct artifact *f = &a->list.ptr[i].artifact;
		bool is_file = f->kind == ARTIFACT_FILE;
		table_cell(&table, "%.*s", STR_ARG(a->list.ptr[i].node));
		table_cell(&table, "%s",
			f->kind == ARTIFACT_LINK ? "link"
						 : arena_printf(&a->cli->arena, "%o", f->mode));
		table_cell(&table, "%s", is_file ? rows_size(a->cli, f->size) : "");
		table_cell(&table, "%s", is_file ? rows_short(a->cli, &f->digest, 12) : "");
		table_cell(&table, "%s%.*s%s%s%.*s",
			f->root == ROOT_ARTIFACTS ? "$ARTIFACTS_DIR/" : "", STR_ARG(f->path),
			f->kind == ARTIFACT_DIR ? "/" : "", f->kind == ARTIFACT_LINK ? " -> " : "",
			STR_ARG(f->target));
	}
	table_print(a->cli, &table);
}

/* ---- extract ---- */

static bool refuse_overwriting(const struct artifacts *a, int fd, const char *dir, struct err *err)
{
	for (size_t i = 0; i < a->list.len; i++) {
		struct fs_stat st;
		const char *path = extracted_path(a, &a->list.ptr[i].artifact);
		if (a->list.ptr[i].artifact.kind == ARTIFACT_DIR ||
			fs_lstat_at(fd, path, &st, NULL) != FS_FOUND)
			continue;
		err_set(err, "E-ARTIFACT-EXISTS", "%s/%s is there already; nothing was written",
			dir, path);
		return err_help(err, "name a directory that is new or empty");
	}
	return true;
}

static bool extract_one(
	const struct artifacts *a, int fd, const struct artifact *f, struct err *err)
{
	const char *path = extracted_path(a, f);
	if (f->kind == ARTIFACT_DIR)
		return fs_make_dirs(fd, path, f->mode, err);
	const char *slash = strrchr(path, '/');
	if (!fs_make_dirs(
		    fd, arena_printf(&a->cli->arena, "%.*s", (int)(slash - path), path), 0777, err))
		return false;
	if (f->kind == ARTIFACT_LINK)
		return fs_write_link(fd, path, arena_str(&a->cli->arena, f->target).ptr, err);
	return cas_restore(a->store, &f->digest, fd, path, f->mode, err);
}

static int extract(const struct artifacts *a, const char *dir)
{
	struct err err = {0};
	bool ok = fs_make_dirs(AT_FDCWD, dir, 0777, &err);
	int fd = ok ? fs_open_dir(dir, &err) : -1;
	ok = fd >= 0 && refuse_overwriting(a, fd, dir, &err);
	for (size_t i = 0; ok && i < a->list.len; i++)
		ok = extract_one(a, fd, &a->list.ptr[i].artifact, &err);
	if (fd >= 0)
		close(fd);
	if (!ok)
		return talk_fail(a->cli, &err);
	if (a->cli->is_json)
		print_json(a, dir);
	else
		talk_outf(a->cli, "%zu file%s written below %s\n", a->list.len,
			a->list.len == 1 ? "" : "s", dir);
	return EXIT_DONE;
}

static int artifacts(struct cli *cli, struct store *store, const char *which, const char *dir)
{
	struct artifacts a = {.cli = cli, .store = store};
	struct run_row run = {0};
	struct node_list nodes = {0};
	struct node_row one = {0};
	struct err err = {0};
	int64_t id = 0;
	str node = STR("");
	if (!cli_parse_run(cli, store, which, &id, &node) || !cli_get_run(cli, store, id, &run))
		return EXIT_USAGE;
	if (node.len) {
		if (!rows_node(cli, store, id, node, &one))
			return EXIT_USAGE;
		nodes = (struct node_list){&one, 1};
	}
	a.run = id;
	bool ok = node.len || nodes_list(store, &cli->arena, id, &nodes, &err);
	for (size_t i = 0; ok && i < nodes.len; i++)
		ok = gather(&a, &nodes.ptr[i], &err);
	int code = EXIT_DONE;
	if (!ok)
		code = talk_fail(cli, &err);
	else if (dir)
		code = extract(&a, dir);
	else if (cli->is_json)
		print_json(&a, NULL);
	else
		print_table(&a);
	vec_finish(&a.list);
	return code;
}

static int run_artifacts(struct cli *cli, int argc, char **argv)
{
	struct arg_list words = {0};
	const char *dir = NULL;
	int code = EXIT_USAGE;
	const struct arg args[] = {{"extract", 0, ARG_VALUE, &dir, NULL}};
	if (args_parse(cli, &command_artifacts, args, 1, argc, argv, &words, NULL, &code)) {
		if (words.list.len > 1) {
			code = rows_usage(cli, "pawl artifacts RUN[/NODE]",
				"one run at a time, not %zu", words.list.len);
		} else {
			struct store *store = cli_store(cli, STORE_READ, &code);
			if (store)
				code = artifacts(cli, store,
					words.list.len ? words.list.ptr[0] : "last", dir);
			store_close(store);
		}
	}
	args_finish(&words);
	return code;
}

const struct command command_artifacts = {"artifacts", "Look",
	"list the files that nodes made, or write them out",
	"  pawl artifacts\n"
	"  pawl artifacts 6/build\n"
	"  pawl artifacts 6 --extract /tmp/run6\n\n"
	"usage: pawl artifacts [RUN[/NODE]] [--extract DIR]\n\n"
	"      --extract DIR   write them to DIR/artifacts and DIR/project; nothing is overwritten\n",
	run_artifacts};
