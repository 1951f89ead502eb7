/* cmd_report: `pawl report`, a run as one HTML page, and `pawl trace`, a run as Chrome trace events. */
#include "cli/objects.h"
#include "cli/report.h"
#include "cli/rows.h"
#include "sys/tty.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

extern const struct command command_report, command_trace;

/* Symlinks and devices are as good as files here: the name is the user's. */
static int write_file(struct cli *cli, const char *path, str bytes)
{
	struct err err = {0};
	errno = 0;
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	bool ok = fd >= 0 && tty_write(fd, bytes.ptr, bytes.len);
	if (fd >= 0 && close(fd) != 0)
		ok = false;
	if (ok)
		return EXIT_DONE;
	err_sys(&err, errno, "E-FS-WRITE", "%s can't be written", path);
	err_help(&err, "name another file with -o, or `-o -` for standard output");
	return talk_fail(cli, &err);
}

static int give_out(
	struct cli *cli, const char *path, const char *media_type, const struct buf *text)
{
	if (!strcmp(path, "-") && cli->is_json) {
		object_document(cli, media_type, buf_str(text));
		return EXIT_DONE;
	}
	if (!strcmp(path, "-")) {
		talk_out(cli, buf_str(text));
		return EXIT_DONE;
	}
	int code = write_file(cli, path, buf_str(text));
	if (!code && (!cli->is_quiet || cli->is_json))
		object_written(cli, path, text->len);
	return code;
}

static int with_run(struct cli *cli, const struct command *command, int argc, char **argv,
	const char *(*make)(struct report *report, struct buf *out))
{
	struct arg_list words = {0};
	const char *file = NULL;
	int code = EXIT_USAGE;
	const struct arg args[] = {{"output", 'o', ARG_VALUE, &file, NULL}};
	struct store *store = NULL;
	struct buf text = {0};
	struct report report;
	int64_t run = 0;
	str node = STR("");
	if (!args_parse(cli, command, args, 1, argc, argv, &words, NULL, &code))
		goto out;
	if (words.list.len > 1) {
		code = rows_usage(cli, NULL, "one run at a time, not %zu", words.list.len);
		goto out;
	}
	store = cli_store(cli, STORE_READ, &code);
	if (!store)
		goto out;
	code = EXIT_USAGE;
	if (cli_parse_run(cli, store, words.list.len ? words.list.ptr[0] : "last", &run, &node) &&
		report_load(&report, cli, store, run)) {
		const char *name = make(&report, &text);
		bool is_page = command == &command_report;
		code = give_out(
			cli, file ? file : name, is_page ? "text/html" : "application/json", &text);
	}
out:
	buf_finish(&text);
	store_close(store);
	args_finish(&words);
	return code;
}

static const char *make_report(struct report *report, struct buf *out)
{
	report_layout(report);
	report_write_html(report, out);
	return arena_printf(report->arena, "run-%lld.html", (long long)report->run.id);
}

static const char *make_trace(struct report *report, struct buf *out)
{
	report_write_trace(report, out);
	return "-";
}

static int run_report(struct cli *cli, int argc, char **argv)
{
	return with_run(cli, &command_report, argc, argv, make_report);
}

static int run_trace(struct cli *cli, int argc, char **argv)
{
	return with_run(cli, &command_trace, argc, argv, make_trace);
}

const struct command command_report = {"report", "Look", "write a run as one HTML page",
	"  pawl report\n"
	"  pawl report 6 -o run.html\n"
	"  pawl report last -o - > run.html\n\n"
	"usage: pawl report [RUN] [-o FILE]\n\n"
	"The page holds graph, timeline, table and logs, and needs neither a network nor other files.\n\n"
	"  -o, --output FILE   default: run-RUN.html here; - is standard output\n",
	run_report};

const struct command command_trace = {"trace", "Look", "write a run as Chrome trace events",
	"  pawl trace > run.json\n"
	"  pawl trace 6 -o run.json\n"
	"  pawl trace last | gzip > run.json.gz\n\n"
	"usage: pawl trace [RUN] [-o FILE]\n\n"
	"For ui.perfetto.dev and chrome://tracing.\n\n"
	"  -o, --output FILE   default: standard output\n",
	run_trace};
