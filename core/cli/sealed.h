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

/* Of a run of the workflow file with these inputs (NAME=VALUE) and arguments. */
void sealing_init(struct sealing *sealing, struct cli *cli, const char *file,
	const struct arg_list *inputs, str arguments);

#endif
