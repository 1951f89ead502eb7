/* lint_fix: `pawl lint --fix`: applies the edits that lint's help shows for references that can't be bound where they stand. */
#ifndef CLI_LINT_FIX_H
#define CLI_LINT_FIX_H

#include "cli/cli.h"

/* Mends what can be mended of one file and shows how; with `dry_run` only shows.  Nothing is written where the file would
 * not be a workflow any more.  False: told why. */
bool lint_fix(struct cli *cli, const char *path, bool dry_run);

#endif
