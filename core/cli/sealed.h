/* sealed: what the command line knows of what a run rests on, for engine/seal.h. */
#ifndef CLI_SEALED_H
#define CLI_SEALED_H

#include "cli/cli.h"
#include "engine/seal.h"

struct sealing {
	struct cli *cli;
	const char *file; /* absolute */
	struct seal_request request;
};

/* The options of the command line, as args_parse filled them, and what stands behind `--`. */
struct given {
	const struct arg *args;
	size_t count;
	str arguments;
};

/* Of a run of the workflow file for which this was given. */
void sealing_init(
	struct sealing *sealing, struct cli *cli, const char *file, const struct given *given);

#endif
