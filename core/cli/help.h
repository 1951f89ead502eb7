/* help: `pawl help`, `pawl help COMMAND`, `pawl help E-CODE`. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

struct cli;
struct command;

void help_print(struct cli *cli, const struct command *command);
int help_overview(struct cli *cli);

#endif
