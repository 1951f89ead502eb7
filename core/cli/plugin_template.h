/* plugin_template: the files that `pawl plugin new` writes, as they stand in sdk/template/ (put into the program when it is
 * built).  The word `mynode` in names and text is to be replaced. */
#ifndef CLI_PLUGIN_TEMPLATE_H
#define CLI_PLUGIN_TEMPLATE_H

#include <stddef.h>

struct template_file {
	const char *name;
	const char *text;
};
extern const struct template_file plugin_template[]; /* ends in {NULL, NULL} */

#endif
