/* twins: see twins.h. */
#include "engine/twins.h"

#include "base/map.h"
#include "base/mem.h"
#include "engine/internal.h"

#include <stdlib.h>

enum { DEEPEST = 8 };

/* Of a node of a workflow, or of one key of it: how many bodies would run. */
struct count {
	uint32_t any;
	uint32_t keyless;
};

struct twins {
	struct arena arena;
	struct map counts; /* "WORKFLOW/NODE", and with "\0KEY" behind it -> struct count * */
	bool is_counted;
};

struct twins *twins_create(void)
{
	return mem_zalloc(sizeof(struct twins));
}

void twins_destroy(struct twins *twins)
{
	map_finish(&twins->counts);
	arena_finish(&twins->arena);
	free(twins);
}

void twins_counted(struct twins *twins)
{
	twins->is_counted = true;
}

static struct count *count_of(struct twins *twins, str name)
{
	struct count *count = map_get(&twins->counts, name);
	if (!count) {
		count = arena_new(&twins->arena, struct count);
		map_put(&twins->counts, arena_str(&twins->arena, name), count);
	}
	return count;
}

static void add(struct twins *twins, str name, bool is_keyless)
{
	struct count *count = count_of(twins, name);
	count->any++;
	count->keyless += is_keyless;
}

/* Items go by the name of their fan_out: which there will be is not always known. */
static void name_of(const struct attempt *attempt, bool with_key, struct buf *out)
{
	const struct workflow *workflow = attempt->engine->workflow;
	const struct node *node = &workflow->nodes[attempt->unit->node->index];
	buf_printf(out, "%.*s/%.*s", STR_ARG(workflow->name), STR_ARG(node->id));
	if (!with_key)
		return;
	/* Two items of one content are no twins. */
	buf_add_char(out, '\0');
	buf_add(out, attempt->unit->node->id);
	buf_add(out, str_make((const char *)attempt->digest.bytes, DIGEST_SIZE));
}

void twins_add(struct attempt *attempt, bool is_key_known)
{
	struct twins *twins = attempt->engine->options->twins;
	struct buf name = {0};
	/* What is proved of nothing is taken by nobody else. */
	if (!twins || twins->is_counted || !unit_knows_reads(attempt->unit))
		return;
	name_of(attempt, false, &name);
	add(twins, buf_str(&name), !is_key_known);
	buf_clear(&name);
	if (is_key_known) {
		name_of(attempt, true, &name);
		add(twins, buf_str(&name), false);
	}
	buf_finish(&name);
}

static void add_closed(struct engine *engine, const struct workflow *workflow,
	const struct node *node, unsigned depth)
{
	const struct engine_options *options = engine->options;
	struct buf name = {0};
	if (node->control == CONTROL_NONE) {
		buf_printf(&name, "%.*s/%.*s", STR_ARG(workflow->name), STR_ARG(node->id));
		add(options->twins, buf_str(&name), true);
		buf_finish(&name);
	}
	for (uint32_t i = 0; node->control == CONTROL_LOOP_GROUP && i < node->group->member_count;
		i++)
		add_closed(engine, workflow, &workflow->nodes[node->group->members[i]], depth);
	if (node->control != CONTROL_WORKFLOW || depth > DEEPEST || !options->load)
		return;
	struct err err = {0};
	struct workflow *inner = options->load(options->load_ctx, node->child_workflow, &err);
	err_finish(&err);
	if (!inner)
		return;
	for (uint32_t i = 0; i < inner->node_count; i++)
		add_closed(engine, inner, &inner->nodes[i], depth + 1);
	options->release(options->load_ctx, inner);
}

void twins_add_closed(struct engine *engine, const struct node *node)
{
	const struct twins *twins = engine->options->twins;
	if (twins && !twins->is_counted)
		add_closed(engine, engine->workflow, node, 1);
}

bool twins_has(const struct attempt *attempt, bool is_key_known)
{
	struct twins *twins = attempt->engine->options->twins;
	struct buf name = {0};
	if (!twins || !twins->is_counted || !unit_knows_reads(attempt->unit))
		return false;
	name_of(attempt, false, &name);
	const struct count *all = count_of(twins, buf_str(&name));
	uint32_t count = is_key_known ? all->keyless : all->any;
	buf_clear(&name);
	if (is_key_known) {
		name_of(attempt, true, &name);
		count += count_of(twins, buf_str(&name))->any;
	}
	buf_finish(&name);
	/* One that runs is counted itself. */
	return count > (attempt->decision.action == ACTION_RUN);
}
