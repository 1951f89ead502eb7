/* cutoff: see cutoff.h. */
#include "engine/cutoff.h"

#include "engine/internal.h"

enum { DEEPEST = 8 };

struct cutoff cutoff_later(struct cutoff a, struct cutoff b)
{
	return b.result > a.result ? b : a;
}

/* ---- by force ---- */

static str root_of(const struct engine *engine)
{
	while (engine->options->outer)
		engine = engine->options->outer;
	return engine->workflow->name;
}

static struct cutoff find(struct engine *engine, str node, struct cutoff so_far)
{
	/* What this workflow as a whole forced of a run in it stands at the node of that run, where the others' does not. */
	str but = engine->options->outer ? root_of(engine) : STR("");
	struct forced_row row;
	bool found = false;
	if (!forced_find(engine->store, engine->workflow->name, node, but, &row, &found, NULL) &&
		store_error(engine->store))
		engine_fail_store(engine);
	return found ? cutoff_later(so_far, (struct cutoff){row.result, row.run}) : so_far;
}

struct cutoff cutoff_forced(struct engine *engine, const struct unit *unit)
{
	struct cutoff cutoff = engine->options->forced_before;
	if (!forced_any(engine->store))
		return cutoff;
	cutoff = find(engine, STR(""), cutoff);
	uint32_t at = unit->node->index;
	for (; at != NO_NODE; at = engine->workflow->nodes[at].scope->holder)
		cutoff = find(engine, engine->workflow->nodes[at].id, cutoff);
	return cutoff;
}

static bool record_inner(
	struct engine *engine, const struct node *node, unsigned depth, struct err *err)
{
	const struct engine_options *options = engine->options;
	struct err why = {0};
	if (node->control != CONTROL_WORKFLOW || !options->load || depth > DEEPEST)
		return true;
	/* One that can't be loaded fails its node, when its turn comes. */
	struct workflow *inner = options->load(options->load_ctx, node->child_workflow, &why);
	err_finish(&why);
	if (!inner)
		return true;
	bool ok = forced_put(engine->store,
		&(struct forced_row){.workflow = inner->name,
			.node = STR(""),
			.root = engine->workflow->name,
			.run = engine->row.id},
		err);
	for (uint32_t i = 0; ok && i < inner->node_count; i++)
		ok = record_inner(engine, &inner->nodes[i], depth + 1, err);
	options->release(options->load_ctx, inner);
	return ok;
}

static bool record_one(struct engine *engine, str node, struct err *err)
{
	return forced_put(engine->store,
		&(struct forced_row){.workflow = engine->workflow->name,
			.node = node,
			.root = STR(""),
			.run = engine->row.id},
		err);
}

bool cutoff_record(struct engine *engine, struct err *err)
{
	const struct engine_options *options = engine->options;
	uint32_t count = engine->workflow->node_count;
	uint32_t forced = 0;
	bool ok = true;
	/* What is in a node was written down with it, by the run around. */
	if (!options->forced || options->outer)
		return true;
	for (uint32_t i = 0; i < count; i++)
		forced += options->forced[i];
	if (forced == count)
		ok = record_one(engine, STR(""), err);
	for (uint32_t i = 0; ok && i < count; i++) {
		const struct unit *unit = &engine->units[i];
		if (options->forced[i] && forced < count)
			ok = record_one(engine, unit->node->id, err);
		if (ok && unit_is_forced(engine, unit))
			ok = record_inner(engine, unit->node, 1, err);
	}
	return ok;
}

/* ---- by --no-resume ---- */

static int64_t number_of(const struct value *map, str name)
{
	const struct value *value = value_get(map, name);
	uint64_t number = 0;
	bool is_number =
		value && value->kind == VALUE_NUMBER && str_to_u64(value->as.text, &number);
	return is_number && number <= INT64_MAX ? (int64_t)number : 0;
}

/* What the row of a run says of it. */
static struct cutoff of_row(struct engine *engine, const struct run_row *row)
{
	const struct value *off =
		value_get(json_parse(&engine->arena, row->options, NULL), STR("off_before"));
	struct cutoff cutoff = {number_of(off, STR("result")), number_of(off, STR("run"))};
	if (!cutoff.run)
		cutoff.run = row->id;
	return cutoff;
}

static bool of_continued(struct engine *engine, struct cutoff *out, struct err *err)
{
	struct run_row row = {0};
	bool found = false;
	if (!engine->row.continues)
		return true;
	if (!runs_get(engine->store, &engine->arena, engine->row.continues, &row, &found, err))
		return false;
	if (found)
		*out = cutoff_later(*out, of_row(engine, &row));
	return true;
}

bool cutoff_begin(struct engine *engine, struct err *err)
{
	const struct engine_options *options = engine->options;
	struct cutoff off = options->off_before;
	if (options->resume)
		off = cutoff_later(off, of_row(engine, &engine->row));
	if (!of_continued(engine, &off, err))
		return false;
	/* A run in a run has it from that, where results of its own are not older. */
	if (options->reuse == REUSE_OFF && !options->outer) {
		off.run = options->resume;
		if (!results_last(engine->store, &off.result, err))
			return false;
	}
	engine->row.options = STR("{}");
	if (off.result)
		engine->row.options = str_of(arena_printf(&engine->arena,
			"{\"off_before\":{\"result\":%lld,\"run\":%lld}}", (long long)off.result,
			(long long)off.run));
	engine->off_before = off;
	return true;
}
