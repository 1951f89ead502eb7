/* capture_clean: the artifact directory of a run that is gone on with.  See artifacts.h. */
#include "engine/artifacts.h"

#include "engine/internal.h"
#include "engine/owners.h"

#include <sys/stat.h>

static bool clean_one(
	void *arg, enum artifact_root root, str path, const struct fs_entry *entry, struct err *err)
{
	struct engine *engine = arg;
	struct arena scratch = {0};
	(void)err;
	const struct left *left = owners_at(engine, root, path);
	bool is_somebodys = false;
	for (; left; left = left->next_at)
		is_somebodys = is_somebodys || !left->node.len ||
		               places_has(&engine->ground, &scratch, &left->as);
	if (!is_somebodys && !S_ISDIR(entry->stat.mode))
		fs_remove_one(places_fd(&engine->ground, root),
			places_full(&engine->ground, &scratch, root, path));
	arena_finish(&scratch);
	return true;
}

void capture_clean_artifacts(struct engine *engine)
{
	struct place_visit visit = {.fn = clean_one, .arg = engine};
	places_visit(&engine->ground, ROOT_ARTIFACTS, STR(""), &visit, NULL);
}
