/* sources: see sources.h. */
#include "engine/sources.h"

static bool is_made(const struct unit *unit)
{
	return unit->out.has_output &&
	       (unit->state == NODE_COMPLETED || unit->state == NODE_REUSED);
}

static bool is_holder(const struct unit *unit)
{
	return unit->node->control != CONTROL_NONE || unit->node->fan_out;
}

static struct source itself(const struct engine *engine, const struct unit *unit)
{
	return (struct source){.name = unit->node->id,
		.workflow = engine->workflow->name,
		.node = unit->node->id,
		.run = engine->row.id,
		.state = unit->state,
		.out = unit->out};
}

/* How many there are behind the unit, and the first of them. */
static size_t behind(const struct engine *engine, const struct unit *unit, struct source *own,
	const struct source **first)
{
	*first = own;
	if (!is_made(unit))
		return 0;
	if (is_holder(unit)) {
		*first = unit->sources;
		return unit->source_count;
	}
	*own = itself(engine, unit);
	return 1;
}

void sources_of_items(
	struct engine *engine, struct unit *fan, const struct unit *slots, size_t count)
{
	struct source own;
	const struct source *first = NULL;
	size_t all = 0;
	size_t n = 0;
	for (size_t i = 0; i < count; i++)
		all += behind(engine, &slots[i], &own, &first);
	struct source *sources = arena_array(&engine->arena, struct source, all);
	for (size_t i = 0; i < count; i++) {
		size_t more = behind(engine, &slots[i], &own, &first);
		for (size_t k = 0; k < more; k++)
			sources[n++] = first[k];
	}
	fan->sources = sources;
	fan->source_count = n;
}

void sources_of_last(struct engine *engine, struct unit *group, const struct unit *last)
{
	sources_of_items(engine, group, last, 1);
}

void sources_of_inner(struct engine *engine, struct unit *unit, const struct engine *inner,
	const struct unit *from)
{
	struct arena *arena = &engine->arena;
	struct source own;
	const struct source *first = NULL;
	size_t count = behind(inner, from, &own, &first);
	struct source *sources = arena_array(arena, struct source, count);
	for (size_t i = 0; i < count; i++) {
		sources[i] = first[i];
		sources[i].name = str_of(arena_printf(
			arena, "%.*s/%.*s", STR_ARG(unit->node->id), STR_ARG(first[i].name)));
		sources[i].workflow = arena_str(arena, first[i].workflow);
		sources[i].node = arena_str(arena, first[i].node);
		sources[i].out.emits = STR("");
	}
	unit->sources = sources;
	unit->source_count = count;
}

struct sources sources_consumed(struct attempt *attempt)
{
	const struct engine *engine = attempt->engine;
	const struct node *node = attempt->unit->node;
	uint32_t most = node->dep_count + node->ref_count;
	struct source own;
	const struct source *first = NULL;
	size_t all = 0;
	size_t n = 0;
	for (uint32_t i = 0; i < most; i++) {
		uint32_t index =
			i < node->dep_count ? node->deps[i] : node->refs[i - node->dep_count];
		all += behind(engine, &engine->units[index], &own, &first);
	}
	struct source *sources = arena_array(&attempt->arena, struct source, all);
	for (uint32_t i = 0; i < most; i++) {
		uint32_t index =
			i < node->dep_count ? node->deps[i] : node->refs[i - node->dep_count];
		size_t more = behind(engine, &engine->units[index], &own, &first);
		for (size_t k = 0; k < more; k++) {
			sources[n] = first[k];
			sources[n++].is_behind = is_holder(&engine->units[index]);
		}
	}
	return (struct sources){sources, n};
}
