/* cli: what the commands share: where the project is, what to print on, how errors look, how options are read.  People and
 * programs are talked to here and nowhere else. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "model/workflow.h"
#include "plug/host.h"
#include "store/runs.h"
#include "sys/outlet.h"

#include <stdio.h>

/* Exit codes; docs/cli.md has the table. */
enum {
	EXIT_DONE = 0,
	EXIT_NODE_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_PAUSED = 3,
	EXIT_SYSTEM = 4,
	EXIT_WORK = 10,
	EXIT_BUG = 70,
	EXIT_INTERRUPTED = 130,
};

struct cli {
	struct arena arena;    /* dies with the command */
	const char *program;   /* argv[0] */
	const char *project;   /* absolute; set by cli_project() */
	struct types *types;   /* set by cli_types() */
	struct outlet *outlet; /* standard output while a run goes on; NULL: written at once */
	int out_error;         /* errno of the write to standard output that failed, or 0 */
	bool is_json;
	bool is_quiet;
	bool is_verbose;
	bool has_color_out;
	bool has_color_err;
	bool has_told; /* an error, a warning or a note was printed */
	VEC(const char *)
	included; /* workflow files that were read for `include`, absolute; dies with main */
	const char *plugin_paths[17]; /* --plugin-path, NULL-terminated */
	size_t plugin_path_count;
	struct told_file *told; /* files of inner runs whose problems were told (cmd_run.c) */
};

struct command {
	const char *name;
	const char *group;
	const char *summary;                                /* one line */
	const char *help;                                   /* usage, examples, options */
	int (*run)(struct cli *cli, int argc, char **argv); /* argv[0] is the command */
};
extern const struct command *const commands[]; /* NULL-terminated, in the order of `pawl help` */

/* ---- options (args.c) ---- */

enum arg_kind { ARG_FLAG, ARG_VALUE, ARG_LIST, ARG_NUMBER };
struct arg_list {
	VEC(const char *) list;
};
struct arg {
	const char *name; /* "force-all", without dashes */
	char letter;      /* or 0 */
	enum arg_kind kind;
	void *target; /* bool *, const char **, struct arg_list *, int64_t * */
	const char *
		optional; /* ARG_VALUE: what `--name` without `=` means; NULL: a value is required */
};
/* Options and words may mix; `--` ends the options, and what follows it goes to *rest when that is not NULL.  -h and --help,
 * --json, -q, -v, --plugin-path and --no-color are known everywhere.  False: told the person what is wrong; *exit_code is
 * then what to exit with. */
bool args_parse(struct cli *cli, const struct command *command, const struct arg *args,
	size_t count, int argc, char **argv, struct arg_list *words, struct arg_list *rest,
	int *exit_code);
void args_finish(struct arg_list *list);

/* ---- talking (talk.c) ---- */

/* Prints an error or warning on stderr: code, sentence, source line with a caret, help; with --json also as an event. */
void talk_err(struct cli *cli, const struct err *err);
void talk_diags(struct cli *cli, const struct diags *diags);
/* Prints, finishes the err, and gives the exit code that suits its code: 4 for E-STORE-*, E-FS-*, E-LOOP-*; else 2. */
int talk_fail(struct cli *cli, struct err *err);
/* A warning on stderr in one line, unless quiet. */
void talk_note(struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* ANSI sequences, or "" where colours aren't welcome. */
enum color { COLOR_NONE, COLOR_RED, COLOR_GREEN, COLOR_YELLOW, COLOR_BLUE, COLOR_DIM, COLOR_BOLD };
const char *talk_color(const struct cli *cli, bool err, enum color color);
/* Everything of `text` to stdout.  Where the reader is gone or the disk is full, what follows is dropped and the command goes
 * on: it may be half way through what it changes.  One that only prints can stop once cli->out_error is set.  While there is an
 * outlet, through it. */
void talk_out(struct cli *cli, str text);
/* At the end of a command, with its exit code: tells of a full disk, which is exit 4 if all else went well. */
int talk_finish(struct cli *cli, int code);
void talk_outf(struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A table for people: columns padded to their widest cell, the last one as long as it is. */
struct table {
	VEC(str) cells;
	size_t columns;
	struct arena arena;
};
void table_init(struct table *table, size_t columns);
void table_cell(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));
void table_print(struct cli *cli, struct table *table); /* and finishes it */

/* ---- the project (project.c) ---- */

/* Finds `.pawl` upwards from here, else `.archon` or `.git`, else this directory. */
const char *cli_project(struct cli *cli);
struct types *cli_types(struct cli *cli);
/* NULL: told why.  In STORE_READ without a store: NULL, and *exit_code is 0 when `absent_is_fine` (nothing was told). */
struct store *cli_store(struct cli *cli, enum store_mode mode, int *exit_code);
/* To change what there is: never makes a store, where nothing has run it tells so and gives NULL. */
struct store *cli_store_to_change(struct cli *cli, int *exit_code);
/* Whether anything has run here. */
bool cli_has_store(struct cli *cli);
/* The file of a workflow by name or path; NULL: told why, with a did-you-mean. */
char *cli_find_workflow(struct cli *cli, const char *name);
char *cli_find_workflow_quietly(struct cli *cli, const char *name, struct err *err);
/* Of one that a workflow names: those of .archon/workflows are found too.  NULL with *err. */
char *cli_find_referenced(struct cli *cli, const char *name, struct err *err);
/* Finds, reads, loads and checks (also with the plugins); NULL: told why. */
struct workflow *cli_load_workflow(struct cli *cli, const char *name);
struct workflow *cli_load_file(struct cli *cli, const char *path);
/* The same, what is wrong going to *diags, whose places name files that live as long as `cli`. */
struct workflow *cli_load_quietly(struct cli *cli, const char *path, struct diags *diags);
/* What the file says its name is; empty where it can't be read. */
str cli_workflow_name(struct cli *cli, const char *path);
struct workflow_types cli_workflow_types(struct cli *cli); /* valid as long as `cli` */
/* Every workflow file there is: fn(arg, path). */
void cli_each_workflow(struct cli *cli, void (*fn)(void *arg, const char *path), void *arg);

/* "7" or "7/node" -> run and node ("" where there is none); "last" is the newest run; "7/deploy/test" is a node of the run that
 * `deploy` began.  False: told why. */
bool cli_parse_run(struct cli *cli, struct store *store, const char *text, int64_t *run, str *node);
/* The row of a run that must be there; false: told why, with what to do. */
bool cli_get_run(struct cli *cli, struct store *store, int64_t run, struct run_row *row);

/* Nodes of `a`, `a+`, `+a`, `+a+`: sets marks[index]; false: told why. */
bool cli_select(
	struct cli *cli, const struct workflow *workflow, const char *selector, bool *marks);

#endif
