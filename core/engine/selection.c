/* selection: what `--from` and `--until` mean for each node.  What is above a selected node and not selected itself is taken
 * as it is stored, unless it is forced; the rest is left out. */
#include "engine/internal.h"

void selection_mark(struct engine *engine)
{
	const struct workflow *workflow = engine->workflow;
	const struct engine_options *options = engine->options;
	bool *is_needed = arena_array(&engine->arena, bool, workflow->node_count);
	for (uint32_t i = workflow->node_count; options->selected && i-- > 0;) {
		const struct node *node = &workflow->nodes[workflow->order[i]];
		struct unit *unit = &engine->units[node->index];
		bool is_forced = options->forced && options->forced[node->index];
		bool is_selected = options->selected[node->index];
		unit->is_left_out = !is_selected && !is_needed[node->index];
		unit->is_given = !is_selected && !unit->is_left_out && !is_forced;
		if (unit->is_left_out)
			continue;
		for (uint32_t d = 0; d < node->dep_count; d++)
			is_needed[node->deps[d]] = true;
		for (uint32_t r = 0; r < node->ref_count; r++)
			is_needed[node->refs[r]] = true;
	}
}
