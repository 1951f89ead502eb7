/* plugin_cmd: the subcommands of `pawl plugin`, a file each.  argv[0] is the subcommand's name; each gives the exit code. */
#ifndef CLI_PLUGIN_CMD_H
#define CLI_PLUGIN_CMD_H

#include "cli/cli.h"

extern const struct command command_plugin;

int plugin_new(struct cli *cli, int argc, char **argv);
int plugin_check(struct cli *cli, int argc, char **argv);
int plugin_trust(struct cli *cli, int argc, char **argv);
int plugin_untrust(struct cli *cli, int argc, char **argv);
int plugin_list(struct cli *cli, int argc, char **argv);

/* Whether it can be the keyword of a node type: [a-z][a-z0-9_]*. */
bool plugin_is_keyword(str text);

#endif
