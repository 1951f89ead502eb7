/* plugin_check: `pawl plugin check`: runs the cases, each in a process of its own with a time limit, and reports in TAP.  A
 * crash, a hang and an exit() of the plugin are results like any other.  See plugin_check.h. */
#include "cli/plugin_check.h"
#include "cli/objects.h"

#include "cli/plugin_cmd.h"
#include "sys/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* How a case ended. */
struct verdict {
	bool is_good;
	bool is_done;        /* the case said so itself */
	bool has_printed;    /* the plugin, around its host */
	struct buf notes;    /* lines */
	VEC(char *) samples; /* their names, where the case told them */
};

struct tap {
	const struct check *check;
	unsigned number;
	unsigned failed;
	unsigned samples;
	char *names[64];
};

/* ---- in the process of a case ------------------------------------------------------------------------------------------- */

bool trial_open(struct trial *trial, const struct check *check)
{
	const char *const paths[] = {check->dir, NULL};
	struct types_options options = {.paths = paths};
	struct err err = {0};
	trial->check = check;
	trial->types = types_create(&options);
	trial->type = types_find(trial->types, check->keyword, &err);
	bool ok = trial->type != NULL && samples_make(trial, &err);
	if (!ok) {
		trial_fail(trial, "%s", err.message ? err.message : "the file is not there");
		if (err.help)
			trial_fail(trial, "%s", err.help);
	}
	err_finish(&err);
	return ok;
}

static void run_case(const struct check *check, const struct check_case *what, size_t sample)
{
	struct trial trial = {0};
	if (trial_open(&trial, check)) {
		trial.sample = &trial.samples.list.ptr[sample];
		what->run(&trial);
		trial_unload(&trial);
	}
	vec_finish(&trial.samples.list);
	types_destroy(trial.types);
	arena_finish(&trial.arena);
	/* Not by the exit status alone, which any exit() would give. */
	puts(trial.has_failed ? "D bad" : "D good");
	fflush(stdout);
	_exit(0);
}

/* ---- in the runner ------------------------------------------------------------------------------------------------------ */

/* Once: a case of many runs says the same many times. */
static void add_note(struct verdict *verdict, str text)
{
	str rest = buf_str(&verdict->notes);
	for (str line; str_line(&rest, &line);)
		if (str_eq(line, text))
			return;
	buf_add(&verdict->notes, text);
	buf_add_char(&verdict->notes, '\n');
}

/* What nobody of pawl wrote. */
static void take_print(struct verdict *verdict, str line)
{
	struct buf shown = {0};
	if (!str_starts(line, STR("pawl: plugin "))) {
		verdict->has_printed = true;
		buf_add_z(&shown,
			"it prints by itself, host->output() and host->log() are for that: ");
	}
	buf_add_visible(&shown, line);
	add_note(verdict, buf_str(&shown));
	buf_finish(&shown);
}

static void take_line(struct verdict *verdict, str line)
{
	str text = str_slice(line, 2, line.len);
	if (str_starts(line, STR("N ")) || str_starts(line, STR("F "))) {
		add_note(verdict, text);
	} else if (str_starts(line, STR("S "))) {
		*vec_push(&verdict->samples) = mem_dup(text.ptr, text.len);
	} else if (str_is(line, "D good") || str_is(line, "D bad")) {
		verdict->is_done = true;
		verdict->is_good = str_is(line, "D good");
	} else {
		take_print(verdict, line);
	}
}

static uint64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Reads until the end of file or the time limit; false: time is up. */
static bool read_until(int fd, uint64_t deadline, struct buf *out)
{
	for (;;) {
		struct pollfd wait = {.fd = fd, .events = POLLIN};
		uint64_t now = now_ms();
		if (now >= deadline)
			return false;
		int got = poll(&wait, 1, (int)(deadline - now));
		if (got < 0 && errno != EINTR)
			return true;
		if (got <= 0)
			continue;
		char block[4096];
		ssize_t n = read(fd, block, sizeof(block));
		if (n <= 0)
			return true;
		if (out->len < (size_t)1 << 20)
			buf_add(out, str_make(block, (size_t)n));
	}
}

/* Ends what a case left behind; gives how many processes that were. */
static unsigned end_leftovers(void)
{
	unsigned count = 0;
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	for (int round = 0; round < 100; round++) {
		struct buf text = {0};
		FILE *file = fopen(path, "re");
		char block[4096];
		size_t n = file ? fread(block, 1, sizeof(block), file) : 0;
		if (file)
			fclose(file);
		buf_add(&text, str_make(block, n));
		str rest = str_trim(buf_str(&text));
		str word;
		uint64_t pid = 0;
		bool any = false;
		while (rest.len && str_split(&rest, ' ', &word)) {
			if (str_to_u64(word, &pid) && kill((pid_t)pid, SIGKILL) == 0) {
				any = true;
				waitpid((pid_t)pid, NULL, 0);
				count++;
			}
		}
		buf_finish(&text);
		if (!any)
			break;
	}
	return count;
}

static void judge(struct verdict *verdict, int status, bool is_in_time, const struct check *check)
{
	if (!is_in_time) {
		verdict->is_good = false;
		buf_printf(&verdict->notes, "it did not come back within %lld s, and was killed\n",
			(long long)check->limit_s);
	} else if (WIFSIGNALED(status)) {
		verdict->is_good = false;
		buf_printf(&verdict->notes, "it crashed: %s\n", strsignal(WTERMSIG(status)));
	} else if (!verdict->is_done || WEXITSTATUS(status) != 0) {
		verdict->is_good = false;
		buf_printf(&verdict->notes, "it ended the process with exit(%d)\n",
			WEXITSTATUS(status));
	} else if (verdict->has_printed) {
		verdict->is_good = false;
	}
}

static void run_apart(const struct check *check, const struct check_case *what, size_t sample,
	struct verdict *verdict)
{
	int ends[2];
	struct buf text = {0};
	fflush(stdout);
	pid_t child = pipe2(ends, O_CLOEXEC) == 0 ? fork() : -1;
	if (child < 0) {
		buf_printf(&verdict->notes, "no process for it: %s\n", strerror(errno));
		return;
	}
	if (child == 0) {
		setpgid(0, 0);
		dup2(ends[1], STDOUT_FILENO);
		dup2(ends[1], STDERR_FILENO);
		run_case(check, what, sample);
	}
	close(ends[1]);
	bool is_in_time = read_until(ends[0], now_ms() + (uint64_t)check->limit_s * 1000, &text);
	close(ends[0]);
	if (!is_in_time)
		kill(child, SIGKILL);
	int status = 0;
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		continue;
	unsigned left = end_leftovers();
	str rest = buf_str(&text);
	for (str line; str_line(&rest, &line);)
		take_line(verdict, line);
	judge(verdict, status, is_in_time, check);
	if (left && verdict->is_done) {
		verdict->is_good = false;
		buf_printf(&verdict->notes, "%u processes were left behind\n", left);
	}
	buf_finish(&text);
}

/* `of`: the sample, or NULL. */
static void print_case(const struct tap *tap, const struct check_case *what, const char *of,
	const struct verdict *verdict)
{
	struct cli *cli = tap->check->cli;
	talk_outf(cli, "%sok %u - %s", verdict->is_good ? "" : "not ", tap->number, what->name);
	if (of)
		talk_outf(cli, " (%s)", of);
	talk_out(cli, STR("\n"));
	str rest = buf_str(&verdict->notes);
	for (str line; str_line(&rest, &line);)
		if (!verdict->is_good || !cli->is_quiet)
			talk_outf(cli, "# %.*s\n", STR_ARG(line));
}

static void print_case_json(const struct tap *tap, const struct check_case *what, const char *of,
	const struct verdict *verdict)
{
	struct buf out = {0};
	object_begin(&out, "plugin_case");
	object_number(&out, "number", tap->number);
	object_text(&out, "case", str_of(what->name));
	if (of)
		object_text(&out, "sample", str_of(of));
	object_bool(&out, "passed", verdict->is_good);
	object_text(&out, "notes", buf_str(&verdict->notes));
	object_send(tap->check->cli, &out);
}

static bool report(struct tap *tap, const struct check_case *what, size_t sample)
{
	struct verdict verdict = {0};
	const struct check *check = tap->check;
	run_apart(check, what, sample, &verdict);
	tap->number++;
	const char *of = tap->samples > 1 && !what->is_once ? tap->names[sample] : NULL;
	if (check->cli->is_json)
		print_case_json(tap, what, of, &verdict);
	else
		print_case(tap, what, of, &verdict);
	tap->failed += !verdict.is_good;
	for (size_t i = 0; i < verdict.samples.len; i++) {
		if (tap->samples < sizeof(tap->names) / sizeof(tap->names[0]))
			tap->names[tap->samples++] = verdict.samples.ptr[i];
		else
			free(verdict.samples.ptr[i]);
	}
	vec_finish(&verdict.samples);
	buf_finish(&verdict.notes);
	return verdict.is_good;
}

static int check_all(const struct check *check)
{
	struct tap tap = {.check = check};
	bool is_json = check->cli->is_json;
	if (!is_json)
		talk_out(check->cli, STR("TAP version 13\n"));
	/* What a case leaves behind becomes a child of this process. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (const struct check_case *what = check_cases; what->name; what++) {
		size_t count = what->is_once ? 1 : tap.samples;
		bool ok = true;
		for (size_t i = 0; i < count; i++)
			ok = report(&tap, what, i);
		if (what == check_cases && !ok && !tap.samples)
			break;
	}
	if (!is_json)
		talk_outf(check->cli, "1..%u\n", tap.number);
	if (tap.failed && !is_json)
		talk_outf(
			check->cli, "# %u of %u failed: %s\n", tap.failed, tap.number, check->path);
	for (unsigned i = 0; i < tap.samples; i++)
		free(tap.names[i]);
	return tap.failed ? EXIT_NODE_FAILED : EXIT_DONE;
}

/* ---- the command --------------------------------------------------------------------------------------------------------- */

static bool find_plugin(struct check *check, const char *given, struct err *err)
{
	char *real = realpath(given, NULL);
	if (!real) {
		err_sys(err, errno, "E-PLUGIN-CHECK", "%s", given);
		return err_help(err,
			"name the file that was built, e.g. pawl plugin check ./pawl_greet.so");
	}
	check->path = arena_printf(&check->cli->arena, "%s", real);
	free(real);
	const char *slash = strrchr(check->path, '/');
	check->dir =
		arena_printf(&check->cli->arena, "%.*s", (int)(slash - check->path), check->path);
	str name = str_of(slash + 1);
	check->keyword = str_slice(name, 5, name.len > 3 ? name.len - 3 : 0);
	if (str_starts(name, STR("pawl_")) && str_ends(name, STR(".so")) &&
		plugin_is_keyword(check->keyword))
		return true;
	err_set(err, "E-PLUGIN-KEYWORD", "%.*s is no name of a plugin, so nothing would find it",
		STR_ARG(name));
	return err_help(err, "name it pawl_KEYWORD.so, after the field that selects its node type");
}

static int print_key(const struct check *check, const char *key_of)
{
	struct trial trial = {0};
	struct buf text = {0};
	uint64_t sample = 0;
	bool ok = str_to_u64(str_of(key_of), &sample) && trial_open(&trial, check) &&
	          trial_print_key(&trial, (size_t)sample, &text);
	if (ok)
		talk_out(check->cli, buf_str(&text));
	buf_finish(&text);
	trial_unload(&trial);
	vec_finish(&trial.samples.list);
	types_destroy(trial.types);
	arena_finish(&trial.arena);
	return ok ? EXIT_DONE : EXIT_NODE_FAILED;
}

static int check_in_scratch(struct check *check)
{
	struct err err = {0};
	const char *base = getenv("TMPDIR");
	base = base && base[0] == '/' ? base : "/tmp";
	char *scratch = arena_printf(&check->cli->arena, "%s/pawl-check-XXXXXX", base);
	if (!mkdtemp(scratch)) {
		err_sys(&err, errno, "E-FS-CHECK", "no directory can be made in %s to work in",
			base);
		err_help(&err, "set TMPDIR to a directory that can be written");
		return talk_fail(check->cli, &err);
	}
	check->scratch = scratch;
	int code = check_all(check);
	int root = fs_open_dir(base, NULL);
	if (root >= 0) {
		fs_remove_tree(root, strrchr(scratch, '/') + 1, NULL);
		close(root);
	}
	check->scratch = NULL;
	return code;
}

int plugin_check(struct cli *cli, int argc, char **argv)
{
	struct check check = {.cli = cli, .limit_s = 20};
	const char *key_of = NULL;
	const char *nodes = NULL;
	const struct arg args[] = {
		{"node", 0, ARG_VALUE, &nodes, NULL},
		{"ignore-field", 0, ARG_LIST, &check.ignored, NULL},
		{"limit", 0, ARG_NUMBER, &check.limit_s, NULL},
		{"key-of", 0, ARG_VALUE, &key_of, NULL},
		{"scratch", 0, ARG_VALUE, &check.scratch, NULL},
	};
	struct arg_list words = {0};
	struct err err = {0};
	int code = EXIT_USAGE;
	if (!args_parse(cli, &command_plugin, args, sizeof(args) / sizeof(args[0]), argc, argv,
		    &words, NULL, &code))
		goto out;
	char *real = nodes ? realpath(nodes, NULL) : NULL;
	check.nodes = nodes ? arena_printf(&cli->arena, "%s", real ? real : nodes) : NULL;
	free(real);
	if (words.list.len != 1 || check.limit_s < 1 || check.limit_s > 3600) {
		err_set(&err, "E-USAGE",
			"`pawl plugin check` takes one file, and a limit of 1 to 3600 seconds");
		err_help(&err, "pawl plugin check ./pawl_greet.so");
		code = talk_fail(cli, &err);
	} else if (!find_plugin(&check, words.list.ptr[0], &err)) {
		code = talk_fail(cli, &err);
	} else if (key_of) {
		code = print_key(&check, key_of);
	} else {
		code = check_in_scratch(&check);
	}
out:
	args_finish(&check.ignored);
	args_finish(&words);
	return code;
}
