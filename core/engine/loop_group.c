/* loop_group: the body again and again, until `until` is found in the last output or the node of `until_…` ends well.  The
 * members are units of the graph that begin anew with each iteration; what they made before is what $LOOP_PREV means. */
#include "engine/control.h"
#include "engine/internal.h"
#include "engine/sources.h"

struct loop {
	struct attempt *attempt; /* of the group itself */
	uint64_t iteration;
	uint32_t left;             /* members of this iteration that have not ended */
	const struct node *failed; /* the first of this iteration; NULL: none */
};

static const struct node *member(
	const struct engine *engine, const struct loop_group *group, uint32_t i)
{
	return &engine->workflow->nodes[group->members[i]];
}

str loop_round(const struct engine *engine, const struct unit *unit, struct arena *arena)
{
	str round = STR("");
	const struct unit *at = unit->parent ? unit->parent : unit;
	while (at->node->scope->holder != NO_NODE) {
		round = str_of(arena_printf(arena, "%llu%s%.*s", (unsigned long long)at->iteration,
			round.len ? "." : "", STR_ARG(round)));
		at = &engine->units[at->node->scope->holder];
	}
	return round;
}

static void begin_iteration(struct loop *loop)
{
	struct engine *engine = loop->attempt->engine;
	const struct unit *parent = loop->attempt->unit;
	const struct loop_group *group = parent->node->group;
	loop->iteration++;
	loop->left = group->member_count;
	loop->failed = NULL;
	for (uint32_t i = 0; i < group->member_count; i++) {
		const struct node *node = member(engine, group, i);
		struct unit *unit = &engine->units[node->index];
		unit->previous = unit->out;
		unit->had_previous = loop->iteration > 1 &&
		                     (unit->state == NODE_COMPLETED || unit->state == NODE_REUSED);
		unit->out = (struct produced){.emits = STR("")};
		unit->state = NODE_PENDING;
		unit->failed_upstream = false;
		unit->is_uncertain = unit->is_optional = false;
		unit->iteration = loop->iteration;
		unit->earlier = (struct moved){parent->made, parent->node->id};
		unit->has_lost = unit->is_loose = false;
		unit->held = NULL;
		unit->waiting = 0;
		for (uint32_t d = 0; d < node->dep_count; d++)
			unit->waiting += engine->workflow->nodes[node->deps[d]].scope->holder ==
			                 parent->node->index;
	}
	for (uint32_t i = 0; i < group->member_count; i++) {
		struct unit *unit = &engine->units[group->members[i]];
		if (!unit->waiting)
			*vec_push(&engine->todo) = unit;
	}
}

static void end_loop(struct loop *loop, bool reached)
{
	struct attempt *attempt = loop->attempt;
	struct engine *engine = attempt->engine;
	const struct loop_group *group = attempt->unit->node->group;
	const struct unit *last = &engine->units[group->last];
	struct err err = {0};
	attempt->unit->loop = NULL;
	if (!reached) {
		err_set(&err, "E-LOOP-LIMIT", "the end was not reached in %llu iteration%s",
			(unsigned long long)loop->iteration, loop->iteration == 1 ? "" : "s");
		err_help(&err,
			"raise `max_iterations`, or see what it last printed: pawl output %lld/%.*s",
			(long long)engine->row.id, STR_ARG(last->node->id));
		control_fail(attempt, &err);
		return;
	}
	upstream_join(engine, attempt->unit);
	sources_of_last(engine, attempt->unit, last);
	str sentence = str_of(arena_printf(&engine->arena, "ended after %llu iteration%s",
		(unsigned long long)loop->iteration, loop->iteration == 1 ? "" : "s"));
	if (last->out.has_output)
		control_complete_as(attempt, last, sentence);
	else
		control_complete(attempt, STR(""), sentence);
}

/* A text looked for in bytes that come piece by piece. */
struct search {
	str text;
	struct buf carry; /* the last piece's end, where it may begin */
	bool found;
};

static bool look_in(void *arg, str piece, struct err *err)
{
	struct search *search = arg;
	(void)err;
	size_t keep = search->text.len - 1;
	buf_add(&search->carry, piece);
	search->found =
		search->found || str_find(buf_str(&search->carry), search->text, 0) != SIZE_MAX;
	if (search->carry.len > keep) {
		memmove(search->carry.ptr, search->carry.ptr + search->carry.len - keep, keep);
		search->carry.len = keep;
	}
	return true;
}

static bool output_contains(struct engine *engine, const struct unit *unit, str text)
{
	struct search search = {.text = text};
	bool was_read = cas_read(
		engine->store, &unit->out.output, (struct cas_sink){look_in, &search}, NULL);
	buf_finish(&search.carry);
	return was_read && search.found;
}

/* Is the end reached? */
static bool is_reached(struct loop *loop)
{
	struct engine *engine = loop->attempt->engine;
	const struct loop_group *group = loop->attempt->unit->node->group;
	bool reached = false;
	for (uint32_t i = 0; i < group->member_count; i++) {
		const struct unit *unit = &engine->units[group->members[i]];
		reached = reached || (unit->node->is_until && unit->state == NODE_COMPLETED);
	}
	return reached || (group->until.len && output_contains(engine, &engine->units[group->last],
						       group->until));
}

/* In a plan: something in this iteration is made anew, so whether it is the last one can't be known. */
static bool is_unknown(const struct loop *loop)
{
	const struct engine *engine = loop->attempt->engine;
	const struct loop_group *group = loop->attempt->unit->node->group;
	bool is_any = false;
	for (uint32_t i = 0; i < group->member_count; i++)
		is_any = is_any || engine->units[group->members[i]].is_uncertain;
	return is_any;
}

static void leave_open(struct loop *loop)
{
	struct attempt *attempt = loop->attempt;
	struct engine *engine = attempt->engine;
	struct unit *unit = attempt->unit;
	const struct loop_group *group = unit->node->group;
	for (uint32_t i = 0; loop->iteration < group->max_iterations && i < group->member_count;
		i++) {
		struct unit *member_unit = &engine->units[group->members[i]];
		member_unit->iteration = loop->iteration + 1;
		node_plan_open(engine, member_unit);
	}
	unit->is_uncertain = true;
	unit->loop = NULL;
	control_complete(attempt, STR(""), STR("a loop: how often is not known beforehand"));
}

/* What the next iteration finds, and what follows the loop. */
static void note_artifacts(struct loop *loop)
{
	struct engine *engine = loop->attempt->engine;
	struct unit *unit = loop->attempt->unit;
	const struct loop_group *group = unit->node->group;
	for (uint32_t i = 0; i < group->member_count; i++) {
		const struct unit *of = &engine->units[group->members[i]];
		if (!of->node->is_until)
			upstream_hold(engine, unit, of);
		upstream_note_before(engine, unit, of);
	}
}

static void end_iteration(struct loop *loop)
{
	struct attempt *attempt = loop->attempt;
	struct engine *engine = attempt->engine;
	struct err err = {0};
	note_artifacts(loop);
	if (engine->is_stopping) {
		struct unit *unit = attempt->unit;
		unit->loop = NULL;
		unit->state = NODE_CANCELLED;
		record_node(attempt, NODE_CANCELLED, NULL, NULL);
		tell(attempt, EVENT_ENDED, STR("stopped"));
		attempt_destroy(attempt);
		engine_unit_ended(engine, unit, NODE_CANCELLED);
	} else if (loop->failed) {
		attempt->unit->loop = NULL;
		err_set(&err, "E-LOOP-FAILED", "%.*s failed in iteration %llu",
			STR_ARG(loop->failed->id), (unsigned long long)loop->iteration);
		err_help(&err, "see it: pawl show %lld/%.*s; go on with: pawl resume %lld",
			(long long)engine->row.id, STR_ARG(loop->failed->id),
			(long long)engine->row.id);
		control_fail(attempt, &err);
	} else if (is_unknown(loop)) {
		leave_open(loop);
	} else if (is_reached(loop)) {
		end_loop(loop, true);
	} else if (loop->iteration >= attempt->unit->node->group->max_iterations) {
		end_loop(loop, false);
	} else {
		begin_iteration(loop);
	}
}

void loop_member_ended(struct engine *engine, struct unit *unit)
{
	struct loop *loop = engine->units[unit->node->scope->holder].loop;
	bool is_bad = unit->state == NODE_FAILED || unit->state == NODE_CANCELLED;
	if (!loop)
		return;
	loop->left--;
	if (is_bad && !unit->node->is_until && !loop->failed)
		loop->failed = unit->node;
	if (!loop->left)
		end_iteration(loop);
}

void loop_begin(struct attempt *attempt)
{
	struct engine *engine = attempt->engine;
	struct loop *loop = arena_new(&engine->arena, struct loop);
	loop->attempt = attempt;
	attempt->unit->loop = loop;
	attempt->unit->held = NULL;
	attempt->unit->has_lost = attempt->unit->has_before = false;
	attempt->is_passive = true;
	engine->active--;
	attempt->unit->state = NODE_RUNNING;
	if (!engine->options->plan)
		record_node(attempt, NODE_RUNNING, NULL, NULL);
	begin_iteration(loop);
}
