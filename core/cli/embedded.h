/* embedded: the files below core/cli/embedded, compiled into the program by cmake/Embed.cmake. */
#ifndef CLI_EMBEDDED_H
#define CLI_EMBEDDED_H

#include <stddef.h>

struct embedded {
	const char *path; /* below core/cli/embedded; NULL ends the table */
	const unsigned char *bytes;
	size_t size;
};
extern const struct embedded embedded_files[]; /* sorted by path */

#endif
