/* limits: see limits.h. */
#include "sys/limits.h"

#include <dirent.h>
#include <stdbool.h>

/* A child: its pipes, its pidfd, the two files that take what it prints, and one for the input of its next. */
static const uint64_t files_of_child = 6;

/* The store, the loop, the standard streams, a directory on the way to a file. */
static const uint64_t files_of_pawl = 18;

static struct rlimit given;
static bool is_raised;
static uint64_t inherited; /* beyond the three standard streams: open already when pawl began */

static uint64_t count_inherited(void)
{
	DIR *dir = opendir("/proc/self/fd");
	uint64_t count = 0;
	for (struct dirent *entry; dir && (entry = readdir(dir));)
		count += entry->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return count > 4 ? count - 4 : 0; /* the standard ones, and the directory's own */
}

void limits_raise_files(void)
{
	struct rlimit limit;
	inherited = count_inherited();
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max)
		return;
	given = limit;
	limit.rlim_cur = limit.rlim_max;
	is_raised = setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

uint64_t limits_files(void)
{
	struct rlimit limit;
	return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 1024;
}

size_t limits_kept_files(size_t most)
{
	uint64_t part = limits_files() / 8;
	return part < 1 ? 1 : part < most ? (size_t)part : most;
}

uint32_t limits_children(void)
{
	uint64_t files = limits_files();
	uint64_t taken = inherited + files_of_pawl + limits_kept_files(64);
	if (files < taken + files_of_child)
		return files >= inherited + files_of_pawl + files_of_child;
	uint64_t children = (files - taken) / files_of_child;
	return children > UINT32_MAX ? UINT32_MAX : (uint32_t)children;
}

const struct rlimit *limits_for_child(void)
{
	return is_raised ? &given : NULL;
}
