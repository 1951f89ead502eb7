/* rows: finding what a person named in the store, and what a stored node left; shared by the commands that look at runs. */
#ifndef CLI_ROWS_H
#define CLI_ROWS_H

#include "cli/cli.h"
#include "data/manifest.h"
#include "store/results.h"

/* The row of a node in a run; false: told why, with a did-you-mean. */
bool rows_node(struct cli *cli, struct store *store, int64_t run, str node, struct node_row *row);

/* The node of the run that `node` most likely means; empty where none is like it. */
str rows_nearest(struct cli *cli, struct store *store, int64_t run, str node);

/* "6/parse" or "last/parse": both must be there.  False: told why. */
bool rows_run_node(struct cli *cli, struct store *store, const char *text, struct run_row *run,
	struct node_row *node);

/* The digest of what the node printed; false where it printed nothing that was kept. */
bool rows_output(const struct node_row *node, struct digest *out);

/* The digest of the list of its artifacts, from its result or, where that was not stored, from what its consumers recorded;
 * false where it left none. */
bool rows_manifest(
	struct cli *cli, struct store *store, const struct node_row *node, struct digest *out);

/* Reads the list itself; its strs live in the command's arena.  False with *err where it is gone. */
bool rows_read_manifest(struct cli *cli, struct store *store, const struct digest *digest,
	struct manifest *out, struct err *err);

/* Who asks: the name of the user. */
const char *rows_user(void);

/* The first `digits` of a digest in hexadecimal, in the command's arena. */
const char *rows_short(struct cli *cli, const struct digest *digest, int digits);

/* "4.1 KiB"; "41 B". */
const char *rows_size(struct cli *cli, uint64_t bytes);

/* A command on RUN[/NODE], or on the newest run: `plain`, or `flagged` where its flag, which may be NULL, was given. */
typedef int rows_run_fn(struct cli *cli, struct store *store, int64_t run, str node);
struct rows_request {
	int argc;
	char **argv;
	const struct arg *flag;
	rows_run_fn *plain, *flagged;
};
int rows_on_run(struct cli *cli, const struct command *command, const struct rows_request *request);

/* An E-USAGE; gives the exit code. */
int rows_usage(struct cli *cli, const char *help, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
