/* report: what is said of a failed node: where it stands, how it ended, the end of its own stderr, which of its inputs were
 * reused and from where, and the command to paste. */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include "cli/cli.h"

void report_failure(
	struct cli *cli, struct store *store, const struct workflow *workflow, int64_t run, const struct node *node);

#endif
