/* slots: see slots.h. */
#include "engine/slots.h"

#include "base/mem.h"
#include "engine/internal.h"

#include <stdlib.h>

struct slots *slots_create(uint32_t jobs)
{
	struct slots *slots = mem_zalloc(sizeof(*slots));
	slots->jobs = jobs;
	return slots;
}

void slots_destroy(struct slots *slots)
{
	if (!slots)
		return;
	map_finish(&slots->pools);
	vec_finish(&slots->waiting);
	vec_finish(&slots->engines);
	free(slots);
}

void slots_add(struct slots *slots, struct engine *engine)
{
	*vec_push(&slots->engines) = engine;
}

void slots_remove(struct slots *slots, const struct engine *engine)
{
	size_t kept = 0;
	for (size_t i = 0; i < slots->engines.len; i++) {
		if (slots->engines.ptr[i] != engine)
			slots->engines.ptr[kept++] = slots->engines.ptr[i];
	}
	slots->engines.len = kept;
	kept = 0;
	for (size_t i = slots->head; i < slots->waiting.len; i++) {
		if (slots->waiting.ptr[i]->attempt->engine != engine)
			slots->waiting.ptr[kept++] = slots->waiting.ptr[i];
	}
	slots->waiting.len = kept;
	slots->head = 0;
}

static const struct pool *find_pool(const struct engine *engine, str name)
{
	const struct workflow *workflow = engine->workflow;
	for (size_t i = 0; i < workflow->pools.len; i++) {
		if (str_eq(workflow->pools.ptr[i].name, name))
			return &workflow->pools.ptr[i];
	}
	return NULL;
}

bool slots_has_place(const struct engine *engine, const struct unit *unit)
{
	const struct slots *slots = engine->slots;
	str name = unit->node->pool;
	if (slots->used >= slots->jobs)
		return false;
	if (!name.len)
		return true;
	const uint32_t *used = map_get(&slots->pools, name);
	for (; used && engine; engine = engine->options->outer) {
		const struct pool *pool = find_pool(engine, name);
		if (pool && *used >= pool->size)
			return false;
	}
	return true;
}

/* The counter of a pool; its name lives as long as the outermost run, as a run within ends before its nodes are forgotten. */
static uint32_t *used_of(struct engine *engine, str name)
{
	struct slots *slots = engine->slots;
	struct arena *arena = &slots->engines.ptr[0]->arena;
	uint32_t *used = map_get(&slots->pools, name);
	if (!used) {
		used = arena_new(arena, uint32_t);
		map_put(&slots->pools, arena_str(arena, name), used);
	}
	return used;
}

void slots_take(struct engine *engine, const struct unit *unit)
{
	engine->running++;
	engine->slots->used++;
	if (unit->node->pool.len)
		++*used_of(engine, unit->node->pool);
}

void slots_release(struct engine *engine, const struct unit *unit)
{
	engine->running--;
	engine->slots->used--;
	if (unit->node->pool.len)
		--*used_of(engine, unit->node->pool);
}
