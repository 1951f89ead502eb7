/* compare: what two runs of a node left, beside each other: output and artifacts, with a small diff of their texts. */
#ifndef CLI_COMPARE_H
#define CLI_COMPARE_H

#include "cli/cli.h"
#include "sys/hash.h"

struct left_behind {
	struct digest output;
	struct digest manifest;
	uint64_t output_size;
	bool has_output;
	bool has_manifest;
};

struct comparing {
	struct cli *cli;
	struct store *store;
	struct buf *out;
	size_t most;             /* lines shown of a text */
	bool with_artifact_text; /* files of artifacts by lines, too */
};

/* Appends lines for what differs; nothing where all is the same. */
void compare_artifacts(
	const struct comparing *c, const struct left_behind *then, const struct left_behind *now);
void compare_outputs(
	const struct comparing *c, const struct left_behind *then, const struct left_behind *now);
bool compare_same(const struct left_behind *then, const struct left_behind *now);

/* Names come from the world: no control sequence of theirs reaches the terminal.  In the command's arena. */
const char *compare_visible(struct cli *cli, str text);

#endif
