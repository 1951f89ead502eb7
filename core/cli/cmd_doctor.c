/* cmd_doctor: is all well here?  Versions, plugins, the programs that nodes are written in, the store, what killed runs left
 * behind, and what the file system can do. */
#include "cli/cli.h"
#include "cli/doctor.h"
#include "cli/objects.h"
#include "cli/rows.h"
#include "store/results.h"
#include "sys/fs.h"

#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

extern const struct command command_doctor;

void doctor_say(struct doctor *d, enum finding finding, const char *check, const char *help,
	const char *format, ...)
{
	static const char *const words[] = {"ok", "warning", "problem"};
	const enum color colors[] = {COLOR_GREEN, COLOR_YELLOW, COLOR_RED};
	struct cli *cli = d->cli;
	struct buf text = {0};
	struct buf out = {0};
	va_list args;
	va_start(args, format);
	buf_vprintf(&text, format, args);
	va_end(args);
	d->warnings += finding == FINDING_WARN;
	d->problems += finding == FINDING_BAD;
	if (cli->is_json) {
		object_begin(&out, "check");
		object_text(&out, "check", str_of(check));
		object_text(&out, "finding", str_of(words[finding]));
		object_text(&out, "message", buf_str(&text));
		if (help)
			object_text(&out, "help", str_of(help));
		object_end(&out);
	} else if (!cli->is_quiet || finding != FINDING_OK) {
		buf_printf(&out, "%s%-8s%s %-10s ", talk_color(cli, false, colors[finding]),
			words[finding], talk_color(cli, false, COLOR_NONE), check);
		buf_add_visible(&out, buf_str(&text));
		buf_add_char(&out, '\n');
		if (help)
			buf_printf(&out, "                    %s\n", help);
	}
	talk_out(cli, buf_str(&out));
	buf_finish(&text);
	buf_finish(&out);
}

/* ---- the program and its plugins ---- */

static void check_versions(struct doctor *d)
{
	struct utsname name = {0};
	uname(&name);
	doctor_say(d, FINDING_OK, "pawl", NULL, "pawl " PAWL_VERSION ", plugin ABI %u.%u, %s %s %s",
		host_abi() >> 16, host_abi() & 0xffff, name.sysname, name.release, name.machine);
	doctor_say(d, FINDING_OK, "project", NULL, "%s", cli_project(d->cli));
}

static void check_plugin(void *arg, str keyword, const char *path, const char *refused)
{
	struct doctor *d = arg;
	struct err err = {0};
	const struct plug_type *type =
		refused ? NULL : types_find(cli_types(d->cli), keyword, &err);
	bool is_hidden = refused && str_starts(str_of(refused), STR("hidden by"));
	if (type)
		doctor_say(d, FINDING_OK, "plugin", NULL, "%.*s: %s %s, %s", STR_ARG(keyword),
			type->plugin->id, type->plugin->version, path);
	else
		doctor_say(d, is_hidden ? FINDING_WARN : FINDING_BAD, "plugin",
			is_hidden ? "the first on the search path is used" : err.help,
			"%.*s can't be used: %s (%s)", STR_ARG(keyword),
			refused       ? refused
			: err.message ? err.message
				      : "unknown",
			path);
	err_finish(&err);
}

/* ---- programs ---- */

/* A wrapper that chooses among versions: its own content says nothing of what runs. */
static bool is_shim(const char *path)
{
	return strstr(path, "/shims/") || strstr(path, "/.asdf/") || strstr(path, "/.volta/bin/");
}

static void check_programs(struct doctor *d)
{
	static const char programs[] = "bash sh python3 node bun deno uv ruby perl git";
	struct buf missing = {0};
	struct buf found = {0};
	str rest = str_of(programs);
	for (str name; str_split(&rest, ' ', &name);) {
		char *path = proc_which(arena_str(&d->cli->arena, name).ptr, getenv("PATH"), NULL);
		if (!path)
			buf_printf(&missing, "%s%.*s", missing.len ? ", " : "", STR_ARG(name));
		else if (is_shim(path))
			doctor_say(d, FINDING_WARN, "program",
				"a change of version is not seen through it: put the real one first on PATH, or name it in `runtime`",
				"%.*s is a shim, %s", STR_ARG(name), path);
		else
			buf_printf(&found, "%s%s", found.len ? ", " : "", path);
		free(path);
	}
	doctor_say(d, found.len ? FINDING_OK : FINDING_BAD, "programs",
		found.len ? NULL : "see PATH", "found %s", found.len ? buf_cstr(&found) : "none");
	if (missing.len)
		doctor_say(d, FINDING_OK, "programs", NULL,
			"not there: %s (only nodes that use them need them)", buf_cstr(&missing));
	buf_finish(&missing);
	buf_finish(&found);
}

static void check_path(struct doctor *d)
{
	const char *path = getenv("PATH");
	str rest = str_of(path);
	if (!path || !*path) {
		doctor_say(d, FINDING_BAD, "path", "set PATH", "PATH is not set");
		return;
	}
	for (str dir; str_split(&rest, ':', &dir);) {
		if (!dir.len || dir.ptr[0] != '/')
			doctor_say(d, FINDING_WARN, "path",
				"take it out: what runs then depends on where you stand",
				"PATH has a relative directory, \"%.*s\"", STR_ARG(dir));
	}
}

/* ---- the store ---- */

static void check_interrupted(struct doctor *d, struct store *store)
{
	int64_t *ids = NULL;
	size_t count = 0;
	struct arena *arena = &d->cli->arena;
	if (runs_reconcile(store, arena, &ids, &count, NULL) && count)
		doctor_say(d, FINDING_WARN, "runs", "go on with: pawl resume",
			"run %lld was interrupted%s", (long long)ids[0],
			count > 1 ? ", and others too" : "");
	else
		doctor_say(d, FINDING_OK, "runs", NULL, "no run was left behind");
}

/* What is left over, and what would not be found. */
static void check_processes(struct doctor *d, struct store *store)
{
	size_t left = bodies_count_left(store_bodies(store));
	if (left)
		doctor_say(d, FINDING_WARN, "processes",
			"the next `pawl run` or `pawl resume` ends them",
			"%zu process%s of a run that is gone still run%s", left,
			left == 1 ? "" : "es", left == 1 ? "s" : "");
	if (bodies_can_limit())
		doctor_say(d, FINDING_OK, "processes", NULL,
			"what a killed pawl leaves running is found in any session and environment; "
			"not what a service starts for a node (a container, `at`, `systemd-run`)");
	else
		doctor_say(d, FINDING_WARN, "processes",
			"let nodes start no daemons, or end them yourself after `kill -9`",
			"this system refuses limits on file locks: after `kill -9` of pawl a daemon "
			"with a session and an environment of its own is not found");
}

static void check_permissions(struct doctor *d, struct store *store)
{
	struct fs_stat st;
	if (fs_lstat_at(store_state_fd(store), ".", &st, NULL) == FS_FOUND && (st.mode & 077))
		doctor_say(d, FINDING_WARN, "store", "chmod 700 .pawl/state",
			"others can look into .pawl/state (mode %o)", st.mode & 0777);
}

static void check_store(struct doctor *d)
{
	struct err err = {0};
	struct diags diags = {0};
	struct store *store = store_open(cli_project(d->cli), STORE_READ, &err);
	if (!store && !err_is_set(&err)) {
		doctor_say(d, FINDING_OK, "store", NULL, "nothing has run yet");
		return;
	}
	if (!store) {
		doctor_say(d, FINDING_BAD, "store", err.help, "%s", err.message);
		err_finish(&err);
		return;
	}
	if (store_check(store, &diags))
		doctor_say(d, FINDING_OK, "store", NULL, "%s is sound", store_state_path(store));
	for (size_t i = 0; i < diags.list.len && i < 10; i++)
		doctor_say(d, FINDING_BAD, "store",
			diags.list.ptr[i].help
				? diags.list.ptr[i].help
				: "what is damaged is never reused; the next run makes it anew",
			"%s", diags.list.ptr[i].message);
	check_permissions(d, store);
	check_interrupted(d, store);
	check_processes(d, store);
	diags_finish(&diags);
	err_finish(&err);
	store_close(store);
}

static int doctor(struct cli *cli)
{
	struct doctor d = {.cli = cli};
	check_versions(&d);
	types_each_file(cli_types(cli), check_plugin, &d);
	check_programs(&d);
	check_path(&d);
	check_store(&d);
	doctor_check_system(&d);
	if (!cli->is_json && !cli->is_quiet)
		talk_outf(cli, "%zu problem%s, %zu warning%s\n", d.problems,
			d.problems == 1 ? "" : "s", d.warnings, d.warnings == 1 ? "" : "s");
	return d.problems ? EXIT_SYSTEM : EXIT_DONE;
}

static int run_doctor(struct cli *cli, int argc, char **argv)
{
	struct arg_list words = {0};
	int code = EXIT_USAGE;
	if (args_parse(cli, &command_doctor, NULL, 0, argc, argv, &words, NULL, &code)) {
		if (words.list.len)
			code = rows_usage(cli, "pawl doctor", "`pawl doctor` takes no words");
		else
			code = doctor(cli);
	}
	args_finish(&words);
	return code;
}

const struct command command_doctor = {"doctor", "More",
	"is all well here? plugins, programs, store, file system",
	"  pawl doctor\n"
	"  pawl doctor -q               only what is not well\n"
	"  pawl doctor --json\n\n"
	"usage: pawl doctor\n\n"
	"Exit 0: no problem (there may be warnings); 4: something is wrong.\n",
	run_doctor};
