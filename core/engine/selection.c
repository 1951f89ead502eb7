/* selection: what `--from`, `--until` and `-f` mean for each node.  What is above a selected node and not selected itself is
 * taken as it is stored, unless it is forced; the rest is left out.  With a loop_group goes its body. */
#include "engine/internal.h"

struct selection {
	const struct workflow *workflow;
	bool *selected;
	bool *needed; /* by something that is selected */
};

/* A group is selected with its members, and with any of them. */
static void select_groups(struct selection *s, const bool *selected)
{
	for (uint32_t i = s->workflow->node_count; i-- > 0;) {
		uint32_t holder = s->workflow->nodes[i].scope->holder;
		s->selected[i] = s->selected[i] || selected[i];
		if (holder != NO_NODE)
			s->selected[holder] = s->selected[holder] || s->selected[i];
	}
	for (uint32_t i = 0; i < s->workflow->node_count; i++) {
		uint32_t holder = s->workflow->nodes[i].scope->holder;
		if (holder != NO_NODE)
			s->selected[i] = s->selected[i] || s->selected[holder];
	}
}

static void need_above(struct selection *s)
{
	for (uint32_t i = s->workflow->node_count; i-- > 0;) {
		const struct node *node = &s->workflow->nodes[s->workflow->order[i]];
		if (!s->selected[node->index] && !s->needed[node->index])
			continue;
		for (uint32_t d = 0; d < node->dep_count; d++)
			s->needed[node->deps[d]] = true;
		for (uint32_t r = 0; r < node->ref_count; r++)
			s->needed[node->refs[r]] = true;
	}
}

/* Whether there was a member whose group is needed and that was not. */
static bool need_members(struct selection *s)
{
	bool any = false;
	for (uint32_t i = 0; i < s->workflow->node_count; i++) {
		uint32_t holder = s->workflow->nodes[i].scope->holder;
		if (holder == NO_NODE || !s->needed[holder] || s->needed[i])
			continue;
		s->needed[i] = any = true;
	}
	return any;
}

void selection_mark(struct engine *engine)
{
	const struct workflow *workflow = engine->workflow;
	uint32_t count = workflow->node_count;
	struct selection s = {workflow, arena_array(&engine->arena, bool, count),
		arena_array(&engine->arena, bool, count)};
	if (!engine->options->selected)
		return;
	select_groups(&s, engine->options->selected);
	do
		need_above(&s);
	while (need_members(&s));
	for (uint32_t i = 0; i < count; i++) {
		struct unit *unit = &engine->units[i];
		unit->is_left_out = !s.selected[i] && !s.needed[i];
		unit->is_given = !s.selected[i] && s.needed[i] && !unit_is_forced(engine, unit);
	}
}

bool unit_is_forced(const struct engine *engine, const struct unit *unit)
{
	const bool *forced = engine->options->forced;
	uint32_t at = unit->node->index;
	for (; forced && at != NO_NODE; at = engine->workflow->nodes[at].scope->holder) {
		if (forced[at])
			return true;
	}
	return false;
}
