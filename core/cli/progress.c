/* progress: which way a run is shown, and what is counted whichever way it is.  See progress.h. */
#include "cli/progress_inner.h"

#include "base/mem.h"

#include <stdlib.h>

static bool write_out(struct progress *p, str text, bool may_drop)
{
	if (p->cli->outlet)
		return outlet_add(p->cli->outlet, text, may_drop);
	talk_out(p->cli, text);
	return true;
}

struct progress *progress_create(
	struct cli *cli, const struct world *world, struct store *store, bool is_plan)
{
	struct progress *p = mem_zalloc(sizeof(*p));
	*p = (struct progress){.cli = cli,
		.world = world,
		.store = store,
		.is_plan = is_plan,
		.first_failed = STR(""),
		.write = write_out};
	if (cli->is_json)
		p->view = &progress_json;
	else if (cli->has_color_out && !cli->is_quiet && !is_plan)
		p->view = &progress_live;
	else
		p->view = &progress_plain;
	return p;
}

void progress_destroy(struct progress *p)
{
	if (!p)
		return;
	if (p->view->destroy)
		p->view->destroy(p);
	for (struct seen *seen = p->seen; seen; seen = seen->next) {
		buf_finish(&seen->printed[0]);
		buf_finish(&seen->printed[1]);
	}
	map_finish(&p->by_id);
	vec_finish(&p->origins);
	arena_finish(&p->arena);
	free(p);
}

static void add_name(struct buf *out, const struct nesting *within, const struct node *node)
{
	/* The engine lets runs nest eight deep. */
	if (within) {
		add_name(out, within->outer, within->holder);
		buf_add_char(out, '/');
	}
	buf_add(out, node->id);
}

str progress_name(struct progress *p, const struct nesting *within, const struct node *node)
{
	struct buf name = {0};
	add_name(&name, within, node);
	str kept = arena_str(&p->arena, buf_str(&name));
	buf_finish(&name);
	return kept;
}

static struct seen *find_seen(struct progress *p, const struct node_event *e)
{
	struct buf name = {0};
	if (!e->within)
		return map_get(&p->by_id, e->node->id);
	add_name(&name, e->within, e->node);
	struct seen *seen = map_get(&p->by_id, buf_str(&name));
	buf_finish(&name);
	return seen;
}

struct seen *progress_seen(struct progress *p, const struct node_event *e)
{
	struct seen *seen = find_seen(p, e);
	if (!seen) {
		seen = arena_new(&p->arena, struct seen);
		seen->name = e->within ? progress_name(p, e->within, e->node) : e->node->id;
		seen->sentence = STR("");
		seen->next = p->seen;
		p->seen = seen;
		p->extra += e->within || e->node != &p->workflow->nodes[e->node->index];
		map_put(&p->by_id, seen->name, seen);
	}
	/* In the next iteration of a loop_group a run within the run is another one. */
	seen->node = e->node;
	seen->within = e->within;
	seen->parent = e->parent;
	seen->iteration = e->iteration;
	return seen;
}

size_t progress_planned_runs(const struct progress *p)
{
	return p->planned;
}

static void on_run_started(void *arg, int64_t run, int64_t attempt, const struct workflow *workflow)
{
	struct progress *p = arg;
	p->workflow = workflow;
	p->run = run;
	p->attempt = attempt;
	for (uint32_t i = 0; i < workflow->node_count; i++) {
		size_t width = workflow->nodes[i].id.len;
		p->id_width = width > p->id_width && width <= 32 ? width : p->id_width;
	}
	p->view->run_started(p, run, attempt);
}

static void add_origin(struct progress *p, int64_t run)
{
	size_t at = 0;
	while (at < p->origins.len && p->origins.ptr[at] < run)
		at++;
	if (!run || (at < p->origins.len && p->origins.ptr[at] == run))
		return;
	*vec_push(&p->origins) = run;
	memmove(p->origins.ptr + at + 1, p->origins.ptr + at,
		(p->origins.len - at - 1) * sizeof(run));
	p->origins.ptr[at] = run;
}

static void on_node(void *arg, const struct node_event *e)
{
	struct progress *p = arg;
	if (e->kind == EVENT_DECIDED && e->state != NODE_REUSED) {
		struct seen *seen = progress_seen(p, e);
		seen->sentence = arena_str(&p->arena, e->sentence);
		/* In a loop of which more than one iteration is told, it is one all the same. */
		p->planned += !seen->is_planned;
		seen->is_planned = true;
	}
	if (e->kind == EVENT_ENDED && e->state == NODE_REUSED)
		add_origin(p, e->origin);
	if (e->kind == EVENT_ENDED && e->state == NODE_FAILED && !p->first_failed.len)
		p->first_failed = progress_name(p, e->within, e->node);
	p->view->node(p, e);
}

static void on_failed(void *arg, int64_t run, const struct node *node)
{
	struct progress *p = arg;
	struct failed_node failed = {
		.workflow = p->workflow, .run = run, .node = node, .name = node->id};
	p->view->failed(p, &failed);
}

static void on_subrun_started(void *arg, const struct nesting *within)
{
	struct progress *p = arg;
	size_t above = progress_name(p, within->outer, within->holder).len + 1;
	for (uint32_t i = 0; i < within->workflow->node_count; i++) {
		size_t width = above + within->workflow->nodes[i].id.len;
		p->id_width = width > p->id_width && width <= 32 ? width : p->id_width;
	}
	if (p->view->subrun_started)
		p->view->subrun_started(p, within);
}

static void on_subrun_failed(void *arg, const struct nesting *within, const struct node *node)
{
	struct progress *p = arg;
	struct failed_node failed = {.within = within,
		.workflow = within->workflow,
		.run = within->run,
		.node = node,
		.name = progress_name(p, within, node)};
	p->view->failed(p, &failed);
}

static void on_subrun_ended(
	void *arg, const struct nesting *within, const struct engine_summary *summary)
{
	struct progress *p = arg;
	if (p->view->subrun_ended)
		p->view->subrun_ended(p, within, summary);
}

static void on_run_ended(void *arg, const struct engine_summary *summary)
{
	struct progress *p = arg;
	/* Of the events the end of the run is the last one; to people the error says why it was the end. */
	if (summary->error && p->cli->is_json)
		talk_err(p->cli, summary->error);
	p->view->run_ended(p, summary);
	if (!summary->error || p->cli->is_json)
		return;
	if (p->cli->outlet)
		outlet_drain(p->cli->outlet, 1000);
	talk_err(p->cli, summary->error);
}

struct engine_events progress_events(struct progress *p)
{
	return (struct engine_events){.arg = p,
		.run_started = on_run_started,
		.node = on_node,
		.failed = on_failed,
		.run_ended = on_run_ended,
		.subrun_started = on_subrun_started,
		.subrun_failed = on_subrun_failed,
		.subrun_ended = on_subrun_ended};
}
