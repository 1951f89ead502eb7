/* sealed: see sealed.h. */
#include "cli/sealed.h"

#include "sys/clock.h"
#include "sys/fs.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

static void add(struct hash *hash, str text)
{
	uint64_t len = text.len;
	hash_add(hash, str_make((const char *)&len, sizeof(len)));
	hash_add(hash, text);
}

/* What shells change from line to line. */
static bool is_volatile(str entry)
{
	return str_starts(entry, STR("_=")) || str_starts(entry, STR("SHLVL=")) ||
	       str_starts(entry, STR("OLDPWD="));
}

/* Every option with what was given for it, so that a new one is in it as well. */
static void add_options(struct hash *hash, const struct given *given)
{
	for (size_t i = 0; i < given->count; i++) {
		const struct arg *arg = &given->args[i];
		struct buf text = {0};
		switch (arg->kind) {
		case ARG_FLAG: buf_printf(&text, "%d", *(const bool *)arg->target); break;
		case ARG_NUMBER:
			buf_printf(&text, "%lld", (long long)*(const int64_t *)arg->target);
			break;
		case ARG_VALUE: {
			const char *value = *(const char *const *)arg->target;
			buf_printf(&text, value ? "=%s" : "%s", value ? value : "");
			break;
		}
		case ARG_LIST: {
			const struct arg_list *all = arg->target;
			for (size_t k = 0; k < all->list.len; k++)
				add(hash, str_of(all->list.ptr[k]));
			buf_printf(&text, "%zu", all->list.len);
			break;
		}
		}
		add(hash, str_of(arg->name));
		add(hash, buf_str(&text));
		buf_finish(&text);
	}
}

static struct digest digest_given(struct cli *cli, const char *file, const struct given *given)
{
	struct hash *hash = hash_create();
	uint32_t user = geteuid();
	char *here = realpath(".", NULL);
	hash_begin(hash);
	add(hash, STR(PAWL_VERSION));
	add(hash, str_make((const char *)&user, sizeof(user)));
	add(hash, str_of(here ? here : ""));
	add(hash, str_of(cli_project(cli)));
	add(hash, str_of(file));
	add(hash, given->arguments);
	add_options(hash, given);
	add(hash, STR("plugins"));
	for (size_t i = 0; i < cli->plugin_path_count; i++)
		add(hash, str_of(cli->plugin_paths[i]));
	add(hash, STR("environment"));
	for (char **entry = environ; *entry; entry++) {
		if (!is_volatile(str_of(*entry)))
			add(hash, str_of(*entry));
	}
	struct digest digest = hash_end(hash);
	hash_destroy(hash);
	free(here);
	return digest;
}

/* Names of included workflows are looked for in all of it. */
static bool each_directory(const char *root, void (*fn)(void *arg, const char *path), void *arg)
{
	struct fs_list list = {0};
	struct fs_stat st;
	struct buf path = {0};
	fn(arg, root);
	if (fs_stat_at(AT_FDCWD, root, &st, NULL) == FS_ABSENT)
		return true;
	bool ok = fs_list_tree(AT_FDCWD, root, NULL, &list, NULL);
	for (size_t i = 0; i < list.len; i++) {
		if (!S_ISDIR(list.ptr[i].stat.mode))
			continue;
		buf_clear(&path);
		buf_printf(&path, "%s/%s", root, list.ptr[i].name);
		fn(arg, buf_cstr(&path));
	}
	buf_finish(&path);
	fs_list_finish(&list);
	return ok;
}

static bool each_path(void *ctx, void (*fn)(void *arg, const char *path), void *arg)
{
	const struct sealing *sealing = ctx;
	struct cli *cli = sealing->cli;
	const char *home = getenv("HOME");
	fn(arg, sealing->file);
	char *program = realpath("/proc/self/exe", NULL);
	if (program)
		fn(arg, program);
	free(program);
	fn(arg, arena_printf(&cli->arena, "%s/.pawl/config.yaml", cli_project(cli)));
	types_each_path(cli_types(cli), fn, arg);
	if (!cli->included.len)
		return true;
	for (size_t i = 0; i < cli->included.len; i++)
		fn(arg, cli->included.ptr[i]);
	return each_directory(arena_printf(&cli->arena, "%s/.pawl/workflows", cli_project(cli)), fn,
		       arg) &&
	       (!home ||
		       each_directory(arena_printf(&cli->arena, "%s/.config/pawl/workflows", home),
			       fn, arg));
}

void sealing_init(
	struct sealing *sealing, struct cli *cli, const char *file, const struct given *given)
{
	char *real = realpath(file, NULL);
	*sealing = (struct sealing){
		.cli = cli, .file = arena_printf(&cli->arena, "%s", real ? real : file)};
	sealing->request = (struct seal_request){.file = sealing->file,
		.began_ms = clock_wall_ms(),
		.guard = digest_given(cli, file, given),
		.each_path = each_path,
		.ctx = sealing};
	free(real);
}
