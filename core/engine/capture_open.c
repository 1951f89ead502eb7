/* capture_open: what is in its places when a body begins.  See artifacts.h. */
#include "engine/artifacts.h"

#include "engine/capture_inner.h"
#include "engine/internal.h"

#include <sys/stat.h>

static int64_t wall_ns(const struct engine *engine)
{
	return engine->world->wall_ms(engine->world->ctx) * 1000000;
}

/* Content of a project file as the memo knows it: cheap where it is as it was. */
static bool digest_of(struct attempt *attempt, str path, struct digest *out)
{
	struct fact_place place;
	struct fact fact;
	attempt_fact_place(attempt, &place);
	place.writes = NULL;
	if (!facts_look(&place, &attempt->arena, path, &fact, NULL) || fact.kind != FACT_FILE)
		return false;
	*out = fact.digest;
	return true;
}

struct opening {
	struct attempt *attempt;
	struct map *before;
	struct arena *arena;
	uint64_t tick;
};

static bool see_before(
	void *arg, enum artifact_root root, str path, const struct fs_entry *entry, struct err *err)
{
	struct opening *o = arg;
	struct attempt *attempt = o->attempt;
	struct engine *engine = attempt->engine;
	struct spot spot = {engine->ground.artifacts, root, path};
	(void)err;
	if (root == ROOT_ARTIFACTS) {
		places_see(engine->places, &spot, &entry->stat, o->tick);
		return true;
	}
	if (map_get(o->before, path))
		return true;
	const struct known *known = places_find(engine->places, &spot);
	struct before *before = arena_new(o->arena, struct before);
	*before = (struct before){.stat = entry->stat, .looked_ns = wall_ns(engine)};
	if (known && places_same(&known->stat, &entry->stat))
		before->maker = known->maker;
	if (S_ISREG(entry->stat.mode))
		before->has_digest = digest_of(attempt, path, &before->digest);
	map_put(o->before, arena_str(o->arena, path), before);
	return true;
}

bool capture_state_of(struct attempt *attempt, str path, struct digest *out)
{
	struct fact_place place;
	attempt_fact_place(attempt, &place);
	return facts_state(&place, &attempt->arena, path, out);
}

/* Where a body builds on what it left the last time, that is an input. */
static void note_states(struct attempt *attempt)
{
	const struct body *body = attempt->body;
	const struct strs *writes = &body->writes[0];
	attempt->states = arena_array(&attempt->arena, struct fact, writes->len);
	for (size_t i = 0; i < writes->len; i++) {
		struct fact *fact = &attempt->states[i];
		*fact = (struct fact){.kind = FACT_WAS, .path = writes->ptr[i], .real = STR("")};
		if (!fact->path.len)
			fact->path = STR(".");
		fact->mode = !capture_state_of(attempt, fact->path, &fact->digest);
	}
}

bool capture_list_artifacts(struct engine *engine, struct place_visit *visit, struct err *err)
{
	engine->artifacts_looked = places_tick(engine->places);
	return places_visit(&engine->ground, ROOT_ARTIFACTS, STR(""), visit, err);
}

bool capture_open(struct attempt *attempt, struct err *err)
{
	struct engine *engine = attempt->engine;
	struct body *body = places_begin(engine->places, attempt);
	struct opening o = {.attempt = attempt,
		.before = &body->before,
		.arena = &body->arena,
		.tick = body->started};
	struct place_visit visit = {.fn = see_before, .arg = &o};
	bool ok = true;
	attempt->body = body;
	for (size_t i = 0; ok && i < body->writes[0].len; i++)
		ok = places_visit(
			&engine->ground, ROOT_PROJECT, body->writes[0].ptr[i], &visit, err);
	/* After the end of a body that ran alone nothing can be new in a run's own directory. */
	bool is_known = engine->artifacts_looked && places_was_alone(engine->places, body);
	ok = ok && (is_known || capture_list_artifacts(engine, &visit, err));
	if (attempt->unit->node->keeps_outputs)
		note_states(attempt);
	return ok;
}
