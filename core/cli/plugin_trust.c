/* plugin_trust: which plugins of projects may run, by the digest of the file: `trust`, `untrust`, and `list`.  The list is
 * ~/.config/pawl/trusted-plugins, in the format of sha256sum; plug/loader.c goes by it. */
#include "cli/objects.h"
#include "cli/plugin_cmd.h"
#include "data/json.h"
#include "sys/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_LIST   ((size_t)16 << 20)
#define MAX_PLUGIN ((size_t)256 << 20)

struct trust {
	struct cli *cli;
	const char *home;
	struct buf list; /* the file's text, as it is */
};

static const char *const list_name = ".config/pawl/trusted-plugins";

static bool read_list(struct trust *trust, struct err *err)
{
	trust->home = getenv("HOME");
	if (!trust->home || trust->home[0] != '/') {
		err_set(err, "E-PLUGIN-TRUST",
			"HOME is not set, so there is no place for the list of trusted plugins");
		return err_help(err, "set HOME to your home directory");
	}
	const char *path = arena_printf(&trust->cli->arena, "%s/%s", trust->home, list_name);
	struct stat st;
	if (stat(path, &st) != 0 && errno == ENOENT)
		return true;
	return fs_read_file(AT_FDCWD, path, MAX_LIST, &trust->list, err);
}

static bool write_list(struct trust *trust, struct err *err)
{
	bool ok = false;
	int home = fs_open_dir(trust->home, err);
	int dir = -1;
	if (home >= 0 && fs_make_dirs(home, ".config/pawl", 0700, err)) {
		dir = fs_open_dir(
			arena_printf(&trust->cli->arena, "%s/.config/pawl", trust->home), err);
		ok = dir >= 0 &&
		     fs_write_file(dir, "trusted-plugins", buf_str(&trust->list), 0600, true, err);
	}
	if (dir >= 0)
		close(dir);
	if (home >= 0)
		close(home);
	return ok;
}

/* "HEX  PATH"; false where the line is not one. */
static bool parse_line(str line, struct digest *digest, str *path)
{
	*path = str_trim(str_slice(line, 2 * DIGEST_SIZE, line.len));
	/* sha256sum marks a file read as binary by a star. */
	if (path->len && path->ptr[0] == '*')
		*path = str_slice(*path, 1, path->len);
	return digest_parse(str_slice(line, 0, 2 * DIGEST_SIZE), digest);
}

static bool has_digest(const struct trust *trust, const struct digest *digest)
{
	str rest = buf_str(&trust->list);
	for (str line; str_line(&rest, &line);) {
		struct digest listed;
		str path;
		if (parse_line(line, &listed, &path) && digest_eq(&listed, digest))
			return true;
	}
	return false;
}

/* Drops every line of that digest or path; gives how many. */
static size_t drop(struct trust *trust, const struct digest *digest, const char *path)
{
	struct buf kept = {0};
	size_t dropped = 0;
	str rest = buf_str(&trust->list);
	for (str line; str_line(&rest, &line);) {
		struct digest listed;
		str where;
		if (parse_line(line, &listed, &where) &&
			((digest && digest_eq(&listed, digest)) || (path && str_is(where, path)))) {
			dropped++;
			continue;
		}
		buf_add(&kept, line);
		buf_add_char(&kept, '\n');
	}
	buf_finish(&trust->list);
	trust->list = kept;
	return dropped;
}

static bool digest_file(const char *path, struct digest *digest, struct err *err)
{
	struct buf bytes = {0};
	struct stat st;
	if (stat(path, &st) != 0)
		return err_sys(err, errno, "E-PLUGIN-TRUST", "%s", path);
	if (!fs_read_file(AT_FDCWD, path, MAX_PLUGIN, &bytes, err)) {
		buf_finish(&bytes);
		return false;
	}
	*digest = hash_of(buf_str(&bytes));
	bool is_object = str_starts(buf_str(&bytes), STR("\x7f"
							 "ELF"));
	buf_finish(&bytes);
	if (is_object)
		return true;
	err_set(err, "E-PLUGIN-LOAD", "%s is no shared object, so it is no plugin", path);
	return err_help(err, "name the file pawl_KEYWORD.so of the plugin");
}

struct still_refused {
	const char *path;
	const char *why;
	struct cli *cli;
};

static void look_at(void *arg, str keyword, const char *path, const char *refused)
{
	(void)keyword;
	struct still_refused *still = arg;
	if (refused && !strcmp(path, still->path))
		still->why = arena_printf(&still->cli->arena, "%s", refused);
}

/* NULL: it was known by its path only. */
static void print_trust(
	struct cli *cli, const char *path, const struct digest *digest, bool is_trusted)
{
	struct buf out = {0};
	object_begin(&out, "trust");
	object_text(&out, "path", str_of(path));
	if (digest)
		object_digest(&out, "sha256", digest);
	object_bool(&out, "trusted", is_trusted);
	object_send(cli, &out);
}

static bool trust_one(struct trust *trust, const char *given, struct err *err)
{
	struct cli *cli = trust->cli;
	struct digest digest;
	if (!digest_file(given, &digest, err))
		return false;
	char *real = realpath(given, NULL);
	const char *path = arena_printf(&cli->arena, "%s", real ? real : given);
	free(real);
	if (strchr(path, '\n')) {
		err_set(err, "E-PLUGIN-TRUST",
			"the path of %s has a line feed, which the list can't hold", given);
		return err_help(err, "move the plugin");
	}
	if (has_digest(trust, &digest)) {
		talk_note(cli, "%s is trusted already", path);
		if (cli->is_json)
			print_trust(cli, path, &digest, true);
		return true;
	}
	drop(trust, NULL, path);
	digest_add_hex(&trust->list, &digest);
	buf_printf(&trust->list, "  %s\n", path);
	if (!write_list(trust, err))
		return false;
	if (cli->is_json) {
		print_trust(cli, path, &digest, true);
	} else if (!cli->is_quiet) {
		struct buf line = {0};
		digest_add_hex(&line, &digest);
		talk_outf(cli,
			"trusted  %s\n         sha256 %s; another content of that file is not\n",
			path, buf_cstr(&line));
		buf_finish(&line);
	}
	struct still_refused still = {.path = path, .cli = cli};
	types_each_file(cli_types(cli), look_at, &still);
	if (still.why)
		talk_note(cli, "it still can't be used: %s", still.why);
	return true;
}

static int each_word(struct cli *cli, int argc, char **argv,
	bool (*fn)(struct trust *, const char *, struct err *))
{
	struct arg_list words = {0};
	struct err err = {0};
	struct trust trust = {.cli = cli};
	int code = EXIT_USAGE;
	if (!args_parse(cli, &command_plugin, NULL, 0, argc, argv, &words, NULL, &code))
		goto out;
	if (!words.list.len) {
		err_set(&err, "E-USAGE", "`pawl plugin %s` needs the file of a plugin", argv[0]);
		err_help(&err,
			"pawl plugin %s .pawl/plugins/pawl_NAME.so; `pawl plugin list` shows what there is",
			argv[0]);
		code = talk_fail(cli, &err);
		goto out;
	}
	bool ok = read_list(&trust, &err);
	for (size_t i = 0; ok && i < words.list.len; i++)
		ok = fn(&trust, words.list.ptr[i], &err);
	code = ok ? EXIT_DONE : talk_fail(cli, &err);
out:
	buf_finish(&trust.list);
	args_finish(&words);
	return code;
}

int plugin_trust(struct cli *cli, int argc, char **argv)
{
	return each_word(cli, argc, argv, trust_one);
}

static bool untrust_one(struct trust *trust, const char *given, struct err *err)
{
	struct digest digest;
	bool is_hex = digest_parse(str_of(given), &digest);
	bool is_file = !is_hex && digest_file(given, &digest, NULL);
	char *real = realpath(given, NULL);
	/* A file that is gone or was changed is known by its path still. */
	size_t dropped = drop(trust, is_hex || is_file ? &digest : NULL, real ? real : given);
	free(real);
	if (!dropped) {
		err_set(err, "E-PLUGIN-TRUST",
			"%s is not trusted, so there is nothing to take back", given);
		return err_help(err, "`pawl plugin list` shows what is trusted");
	}
	if (!write_list(trust, err))
		return false;
	if (trust->cli->is_json)
		print_trust(trust->cli, given, is_hex || is_file ? &digest : NULL, false);
	else if (!trust->cli->is_quiet)
		talk_outf(trust->cli, "no longer trusted  %s\n", given);
	return true;
}

int plugin_untrust(struct cli *cli, int argc, char **argv)
{
	return each_word(cli, argc, argv, untrust_one);
}

/* ---- list ----------------------------------------------------------------------------------------------------------- */

struct listing {
	struct cli *cli;
	size_t count;
};

static void list_file(void *arg, str keyword, const char *path, const char *refused)
{
	struct listing *l = arg;
	if (l->cli->is_json) {
		struct buf out = {0};
		object_begin(&out, "plugin");
		object_text(&out, "keyword", keyword);
		object_text(&out, "path", str_of(path));
		if (refused)
			object_text(&out, "refused", str_of(refused));
		object_send(l->cli, &out);
		return;
	}
	l->count++;
	talk_outf(l->cli, "%-12.*s %s\n", STR_ARG(keyword), path);
	if (refused)
		talk_outf(l->cli, "             %srefused%s: %s\n",
			talk_color(l->cli, false, COLOR_RED), talk_color(l->cli, false, COLOR_NONE),
			refused);
}

static const char *state_of(str path, const struct digest *digest, struct arena *arena)
{
	struct digest now;
	if (!digest_file(arena_str(arena, path).ptr, &now, NULL))
		return "gone";
	return digest_eq(&now, digest) ? "as trusted" : "changed since, so it is refused";
}

static void list_trusted(struct listing *l, const struct trust *trust)
{
	str rest = buf_str(&trust->list);
	for (str line; str_line(&rest, &line);) {
		struct digest digest;
		str path;
		if (!parse_line(line, &digest, &path))
			continue;
		const char *state = state_of(path, &digest, &l->cli->arena);
		if (l->cli->is_json) {
			struct buf out = {0};
			object_begin(&out, "trusted_plugin");
			object_text(&out, "sha256", str_slice(line, 0, 2 * DIGEST_SIZE));
			object_text(&out, "path", path);
			object_text(&out, "state", str_of(state));
			object_send(l->cli, &out);
			continue;
		}
		if (!l->count++)
			talk_out(l->cli, STR("\ntrusted plugins of projects:\n"));
		talk_outf(l->cli, "%.*s… %.*s (%s)\n", 12, line.ptr, STR_ARG(path), state);
	}
}

int plugin_list(struct cli *cli, int argc, char **argv)
{
	struct arg_list words = {0};
	struct err err = {0};
	struct trust trust = {.cli = cli};
	struct listing l = {.cli = cli};
	int code = EXIT_USAGE;
	if (!args_parse(cli, &command_plugin, NULL, 0, argc, argv, &words, NULL, &code))
		goto out;
	if (!read_list(&trust, &err)) {
		code = talk_fail(cli, &err);
		goto out;
	}
	types_each_file(cli_types(cli), list_file, &l);
	l.count = 0;
	list_trusted(&l, &trust);
	code = EXIT_DONE;
out:
	buf_finish(&trust.list);
	args_finish(&words);
	return code;
}
