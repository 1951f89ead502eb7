/* textdiff: what differs between two texts, by lines, small enough to read.  Bytes that are not text are only counted. */
#ifndef CLI_TEXTDIFF_H
#define CLI_TEXTDIFF_H

#include "cli/cli.h"

/* Appends lines that begin with `indent` and "- ", "+ " or "  ", control characters made visible; at most `most` of them,
 * and then how many more there are.  Nothing where the texts are equal. */
void textdiff_write(
	struct cli *cli, struct buf *out, str then, str now, const char *indent, size_t most);

/* The same of two blobs; where one is missing or too large to compare (over 1 MiB) it says so in one line. */
void textdiff_blobs(struct cli *cli, struct store *store, struct buf *out,
	const struct digest *then, const struct digest *now, size_t most);

#endif
