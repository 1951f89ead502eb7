/* script: what the two files of the script plugin share: runtimes, and where a named script stands. */
#ifndef PLUGINS_SCRIPT_SCRIPT_H
#define PLUGINS_SCRIPT_SCRIPT_H

#include "../common/plugin_file.h"

/* How a runtime takes a script. */
struct runtime {
	const char *name;
	const char *programs[3]; /* to try, in order; NULL-terminated */
	const char *before
		[4]; /* arguments in front of an inline text; NULL-terminated.  None: the text goes into a file */
	const char *behind;         /* argument between the text and `args`, or NULL */
	const char *before_file[4]; /* in front of a file */
	const char *extension;      /* of a file with an inline text */
	const char *language;       /* of references */
	const char *hint;           /* how to get it */
};

/* Of a name as it stands in `runtime:`; any program that is not known by name gets its script as a file. */
const struct runtime *runtime_find(const char *name);
/* By a script's extension; NULL: not known. */
const struct runtime *runtime_of_file(const char *path, int has_deps);
int runtime_is_uv(const struct runtime *runtime);

/* Extensions that a script's name may leave out, in the order in which they are looked for; NULL-terminated. */
extern const char *const runtime_extensions[];

#endif
