/* capture_clean: the artifact directory of a run that is gone on with.  See artifacts.h. */
#include "engine/artifacts.h"

#include "engine/internal.h"
#include "engine/owners.h"

#include <sys/stat.h>

struct cleaning {
	struct engine *engine;
	struct arena arena;
	VEC(str) dirs; /* nobody's, each before what is in it */
};

static bool is_somebodys(struct cleaning *c, enum artifact_root root, str path)
{
	const struct left *left = owners_at(c->engine, root, path);
	for (; left; left = left->next_at) {
		if (!left->node.len || places_has(&c->engine->ground, &c->arena, &left->as))
			return true;
	}
	return false;
}

static bool clean_one(
	void *arg, enum artifact_root root, str path, const struct fs_entry *entry, struct err *err)
{
	struct cleaning *c = arg;
	const struct ground *ground = &c->engine->ground;
	(void)err;
	if (is_somebodys(c, root, path))
		return true;
	if (S_ISDIR(entry->stat.mode))
		*vec_push(&c->dirs) = arena_str(&c->arena, path);
	else
		fs_remove_one(places_fd(ground, root), places_full(ground, &c->arena, root, path));
	return true;
}

void capture_clean_artifacts(struct engine *engine)
{
	struct cleaning c = {.engine = engine};
	const struct ground *ground = &engine->ground;
	struct place_visit visit = {.fn = clean_one, .arg = &c};
	places_visit(ground, ROOT_ARTIFACTS, STR(""), &visit, NULL);
	/* Those in which something is stay. */
	while (c.dirs.len) {
		str dir = c.dirs.ptr[--c.dirs.len];
		fs_remove_one(places_fd(ground, ROOT_ARTIFACTS),
			places_full(ground, &c.arena, ROOT_ARTIFACTS, dir));
	}
	vec_finish(&c.dirs);
	arena_finish(&c.arena);
}
