/* facts_paths: which file a word of a body means, which program, and which files are the node's own. */
#include "engine/facts_memo.h"

#include "sys/fs.h"
#include "sys/proc.h"

#include <stdlib.h>

bool facts_is_own(const struct fact_place *place, str path)
{
	for (size_t i = 0; place->writes && i < place->writes->len; i++) {
		str pattern = place->writes->ptr[i];
		bool is_inside = str_starts(path, pattern) &&
		                 (path.len == pattern.len || path.ptr[pattern.len] == '/');
		if (is_inside || (fs_is_glob(pattern) && fs_glob_matches(pattern, path)))
			return true;
	}
	return false;
}

bool facts_resolve(const struct fact_place *place, struct arena *arena, str word, str *path)
{
	if (!word.len || word.len > 4096 || str_find_char(word, '\0', 0) != SIZE_MAX ||
		fs_is_glob(word))
		return false;
	bool is_absolute = word.ptr[0] == '/';
	if (is_absolute) {
		str project = str_of(store_project_path(place->store));
		if (str_starts(word, project) && word.len > project.len &&
			word.ptr[project.len] == '/') {
			word = str_slice(word, project.len + 1, word.len);
		} else {
			*path = arena_str(arena, word);
			return !str_starts(word, STR("/dev/")) &&
			       !str_starts(word, STR("/proc/")) && !str_starts(word, STR("/sys/"));
		}
	}
	if (!is_absolute && (word.ptr[0] == '$' || word.ptr[0] == '-' || word.ptr[0] == '~'))
		return false;
	struct buf joined = {0};
	if (place->dir.len && !is_absolute) {
		buf_add(&joined, place->dir);
		buf_add_char(&joined, '/');
	}
	buf_add(&joined, word);
	struct buf clean = {0};
	bool ok = fs_normalize(buf_str(&joined), &clean) && !str_is(buf_str(&clean), ".") &&
	          !str_starts(buf_str(&clean), STR(".pawl/state"));
	if (ok)
		*path = arena_str(arena, buf_str(&clean));
	buf_finish(&joined);
	buf_finish(&clean);
	return ok;
}

char *tool_find(const char *name, const char *path_env, const char *cwd)
{
	char *found = proc_which(name, path_env, cwd);
	char *real = found ? realpath(found, NULL) : NULL;
	free(found);
	return real;
}
