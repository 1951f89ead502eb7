/* plugin_file: a text as a file of a run's own, for bodies that are too large for an argument.  Shared by the built-in
 * plugins, which see the SDK only. */
#ifndef PLUGINS_COMMON_PLUGIN_FILE_H
#define PLUGINS_COMMON_PLUGIN_FILE_H

#include "pawl/pawl_plugin.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Linux takes 128 KiB as one argument; what comes near travels in a file. */
#define PLUGIN_MAX_ARGUMENT ((size_t)100 << 10)

/* "A/B" in memory of the run. */
static inline char *plugin_path(const pawl_host *host, pawl_run *run, const char *a, const char *b)
{
	size_t size = strlen(a) + strlen(b) + 2;
	char *path = host->alloc(run, size);
	snprintf(path, size, "%s/%s", a, b);
	return path;
}

static inline int plugin_write_all(int fd, pawl_str text)
{
	for (size_t done = 0; done < text.len;) {
		ssize_t n = write(fd, text.ptr + done, text.len - done);
		if (n < 0 && errno != EINTR)
			return -1;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* Writes a new file in the run's private directory; NULL where that failed, which has been explained. */
static inline const char *plugin_write_file(
	const pawl_host *host, pawl_run *run, const char *name, pawl_str text)
{
	const char *dir = host->temp_dir(run);
	if (!dir)
		return NULL;
	const char *path = plugin_path(host, run, dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int failed = fd < 0 || plugin_write_all(fd, text) != 0;
	if (fd >= 0 && close(fd) != 0)
		failed = 1;
	if (!failed)
		return path;
	char words[256];
	snprintf(words, sizeof(words), "the body could not be written to a file: %s",
		strerror(errno));
	host->fail(host->node_of(run), PAWL_E_SYSTEM, NULL, words);
	return NULL;
}

static inline int plugin_has_nul(pawl_str text)
{
	return text.len && memchr(text.ptr, '\0', text.len) != NULL;
}

#endif
