/* rows: see rows.h. */
#include "cli/rows.h"
#include "cli/objects.h"

#include "data/json.h"
#include "store/cas.h"

#include <pwd.h>
#include <unistd.h>

str rows_nearest(struct cli *cli, struct store *store, int64_t run, str node)
{
	struct node_list nodes = {0};
	if (!nodes_list(store, &cli->arena, run, &nodes, NULL))
		return STR("");
	str *names = arena_array(&cli->arena, str, nodes.len);
	for (size_t i = 0; i < nodes.len; i++)
		names[i] = nodes.ptr[i].node;
	return str_nearest(node, names, nodes.len);
}

static void unknown_node(struct cli *cli, struct store *store, int64_t run, str node)
{
	struct err err = {0};
	str near = rows_nearest(cli, store, run, node);
	err_set(&err, "E-NODE-UNKNOWN", "run %lld has no node `%.*s`", (long long)run,
		STR_ARG(node));
	if (near.len)
		err_help(&err, "did you mean `%.*s`?", STR_ARG(near));
	else
		err_help(&err, "`pawl show %lld` lists them", (long long)run);
	talk_fail(cli, &err);
}

bool rows_node(struct cli *cli, struct store *store, int64_t run, str node, struct node_row *row)
{
	struct err err = {0};
	bool found = false;
	if (!nodes_get(store, &cli->arena, run, node, row, &found, &err)) {
		talk_fail(cli, &err);
		return false;
	}
	if (!found)
		unknown_node(cli, store, run, node);
	return found;
}

bool rows_run_node(struct cli *cli, struct store *store, const char *text, struct run_row *run,
	struct node_row *node)
{
	int64_t id = 0;
	str name = STR("");
	if (!cli_parse_run(cli, store, text, &id, &name) || !cli_get_run(cli, store, id, run))
		return false;
	if (!name.len) {
		rows_usage(cli,
			arena_printf(&cli->arena, "write %lld/NODE; `pawl show %lld` lists them",
				(long long)id, (long long)id),
			"which node of run %lld?", (long long)id);
		return false;
	}
	return rows_node(cli, store, id, name, node);
}

bool rows_output(const struct node_row *node, struct digest *out)
{
	return node->output.len && digest_parse(node->output, out);
}

static bool consumed_manifest(const struct value *inputs, str node, struct digest *out)
{
	for (size_t i = 0; inputs && inputs->kind == VALUE_LIST && i < inputs->as.list.count; i++) {
		const struct value *name = value_get(&inputs->as.list.items[i], STR("node"));
		const struct value *hex = value_get(&inputs->as.list.items[i], STR("artifacts"));
		if (name && name->kind == VALUE_STRING && str_eq(name->as.text, node) && hex &&
			hex->kind == VALUE_STRING)
			return digest_parse(hex->as.text, out);
	}
	return false;
}

bool rows_manifest(
	struct cli *cli, struct store *store, const struct node_row *node, struct digest *out)
{
	struct result_row result = {0};
	struct node_list nodes = {0};
	bool found = false;
	if (node->result && results_get(store, &cli->arena, node->result, &result, &found, NULL) &&
		found) {
		*out = result.manifest;
		return result.has_manifest;
	}
	if (!nodes_list(store, &cli->arena, node->run, &nodes, NULL))
		return false;
	for (size_t i = 0; i < nodes.len; i++) {
		if (consumed_manifest(
			    json_parse(&cli->arena, nodes.ptr[i].inputs, NULL), node->node, out))
			return true;
	}
	return false;
}

bool rows_read_manifest(struct cli *cli, struct store *store, const struct digest *digest,
	struct manifest *out, struct err *err)
{
	struct buf text = {0};
	bool ok = cas_get(store, digest, &text, err);
	str kept = arena_str(&cli->arena, buf_str(&text));
	buf_finish(&text);
	return ok &&
	       (manifest_parse(kept, out) ||
		       err_set(err, "E-STORE-BLOB", "a stored list of artifacts can't be read"));
}

const char *rows_user(void)
{
	const struct passwd *user = getpwuid(getuid());
	return user ? user->pw_name : "someone";
}

const char *rows_short(struct cli *cli, const struct digest *digest, int digits)
{
	struct buf hex = {0};
	digest_add_hex(&hex, digest);
	const char *text = arena_printf(&cli->arena, "%.*s", digits, buf_cstr(&hex));
	buf_finish(&hex);
	return text;
}

const char *rows_size(struct cli *cli, uint64_t bytes)
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
	if (bytes < 1024)
		return arena_printf(&cli->arena, "%llu B", (unsigned long long)bytes);
	double size = (double)bytes / 1024;
	size_t unit = 0;
	while (size >= 1024 && unit < 3) {
		size /= 1024;
		unit++;
	}
	return arena_printf(&cli->arena, "%.1f %s", size, units[unit]);
}

int rows_usage(struct cli *cli, const char *help, const char *format, ...)
{
	struct err err = {0};
	struct buf text = {0};
	va_list args;
	va_start(args, format);
	buf_vprintf(&text, format, args);
	va_end(args);
	err_set(&err, "E-USAGE", "%s", buf_cstr(&text));
	if (help)
		err_help(&err, "%s", help);
	buf_finish(&text);
	return talk_fail(cli, &err);
}

int rows_on_run(struct cli *cli, const struct command *command, const struct rows_request *r)
{
	struct arg_list words = {0};
	int code = EXIT_USAGE;
	struct store *store = NULL;
	int64_t run = 0;
	str node = STR("");
	if (!args_parse(
		    cli, command, r->flag, r->flag ? 1 : 0, r->argc, r->argv, &words, NULL, &code))
		goto out;
	if (words.list.len > 1) {
		code = rows_usage(cli,
			arena_printf(&cli->arena, "see `pawl help %s`", command->name),
			"one run or node at a time, not %zu", words.list.len);
		goto out;
	}
	store = cli_store(cli, STORE_READ, &code);
	if (store) {
		rows_run_fn *fn = r->flag && *(const bool *)r->flag->target ? r->flagged : r->plain;
		code = cli_parse_run(
			       cli, store, words.list.len ? words.list.ptr[0] : "last", &run, &node)
		               ? fn(cli, store, run, node)
		               : EXIT_USAGE;
		store_close(store);
	}
out:
	args_finish(&words);
	return code;
}
