/* progress: plain lines, in order, one a node, and the summary.  See progress.h. */
#include "cli/progress.h"

#include "base/mem.h"
#include "cli/report.h"
#include "sys/clock.h"

#include <stdlib.h>

struct progress {
	struct cli *cli;
	const struct world *world;
	struct store *store;
	const struct workflow *workflow;
	bool is_plan;
	size_t id_width;
	size_t planned;
	str *sentences; /* per node: why it runs, shown when it ends */
	struct arena arena;
	const char *first_failed;
};

struct progress *progress_create(struct cli *cli, const struct world *world, struct store *store, bool is_plan)
{
	struct progress *p = mem_zalloc(sizeof(*p));
	*p = (struct progress){.cli = cli, .world = world, .store = store, .is_plan = is_plan};
	return p;
}

void progress_destroy(struct progress *p)
{
	if (!p)
		return;
	arena_finish(&p->arena);
	free(p);
}

size_t progress_planned_runs(const struct progress *p)
{
	return p->planned;
}

static void line(struct progress *p, const char *word, enum color color, str id, str sentence, const char *time)
{
	struct cli *cli = p->cli;
	struct buf out = {0};
	buf_printf(&out, "  %s%-6s%s %.*s", talk_color(cli, false, color), word, talk_color(cli, false, COLOR_NONE),
		STR_ARG(id));
	for (size_t i = id.len; i < p->id_width; i++)
		buf_add_char(&out, ' ');
	buf_add_z(&out, "  ");
	buf_add_visible(&out, sentence);
	if (*time)
		buf_printf(&out, "  %s%s%s", talk_color(cli, false, COLOR_DIM), time, talk_color(cli, false, COLOR_NONE));
	while (out.len && out.ptr[out.len - 1] == ' ')
		out.len--;
	buf_add_char(&out, '\n');
	talk_out(cli, buf_str(&out));
	buf_finish(&out);
}

static void on_run_started(void *arg, int64_t run, int64_t attempt, const struct workflow *workflow)
{
	struct progress *p = arg;
	p->workflow = workflow;
	p->sentences = arena_array(&p->arena, str, workflow->node_count);
	for (uint32_t i = 0; i < workflow->node_count; i++) {
		size_t width = workflow->nodes[i].id.len;
		p->id_width = width > p->id_width && width <= 32 ? width : p->id_width;
	}
	if (p->cli->is_quiet)
		return;
	if (p->is_plan && !run)
		talk_outf(p->cli, "plan of %.*s\n", STR_ARG(workflow->name));
	else if (p->is_plan)
		talk_outf(p->cli, "plan of resuming run %lld of %.*s\n", (long long)run, STR_ARG(workflow->name));
	else if (attempt > 1)
		talk_outf(p->cli, "run %lld of %.*s, attempt %lld\n", (long long)run, STR_ARG(workflow->name),
			(long long)attempt);
	else
		talk_outf(p->cli, "run %lld of %.*s\n", (long long)run, STR_ARG(workflow->name));
}

static void on_decided(struct progress *p, const struct node_event *e)
{
	if (e->state == NODE_REUSED)
		return;
	p->sentences[e->node->index] = arena_str(&p->arena, e->sentence);
	if (!p->is_plan)
		return;
	p->planned++;
	line(p, e->is_uncertain ? "maybe" : "run", e->is_uncertain ? COLOR_DIM : COLOR_BLUE, e->node->id, e->sentence, "");
}

static void on_ended(struct progress *p, const struct node_event *e)
{
	struct buf time = {0};
	str why = p->sentences[e->node->index];
	if (!why.ptr)
		why = STR("");
	if (e->tries)
		clock_add_duration(&time, e->ms);
	switch (e->state) {
	case NODE_REUSED:
		line(p, "reuse", COLOR_GREEN, e->node->id, e->sentence, "");
		break;
	case NODE_COMPLETED:
		line(p, "run", COLOR_BLUE, e->node->id, why, buf_cstr(&time));
		break;
	case NODE_FAILED:
		line(p, "fail", COLOR_RED, e->node->id, e->sentence, buf_cstr(&time));
		break;
	case NODE_CANCELLED:
		line(p, "stop", COLOR_YELLOW, e->node->id, e->tries ? STR("stopped") : STR("not started"), buf_cstr(&time));
		break;
	default:
		line(p, "skip", COLOR_DIM, e->node->id, e->sentence, "");
	}
	buf_finish(&time);
}

static void on_node(void *arg, const struct node_event *e)
{
	struct progress *p = arg;
	if (p->cli->is_quiet && e->kind != EVENT_OUTPUT && !(e->kind == EVENT_ENDED && e->state == NODE_FAILED)) {
		if (e->kind == EVENT_DECIDED && p->is_plan && e->state != NODE_REUSED)
			p->planned++;
		return;
	}
	struct buf text = {0};
	switch (e->kind) {
	case EVENT_DECIDED:
		on_decided(p, e);
		break;
	case EVENT_ENDED:
		on_ended(p, e);
		break;
	case EVENT_RETRY:
		buf_printf(&text, "try %lld failed (%.*s), again in ", (long long)e->tries, STR_ARG(e->sentence));
		clock_add_duration(&text, e->ms);
		line(p, "retry", COLOR_YELLOW, e->node->id, buf_str(&text), "");
		break;
	case EVENT_NOTE:
		line(p, "note", COLOR_YELLOW, e->node->id, e->sentence, "");
		break;
	case EVENT_OUTPUT:
		buf_add_visible(&text, e->bytes);
		talk_out(p->cli, buf_str(&text));
		break;
	case EVENT_STARTED:
		break;
	}
	buf_finish(&text);
}

static void on_failed(void *arg, int64_t run, const struct node *node)
{
	struct progress *p = arg;
	if (!p->first_failed)
		p->first_failed = node->id.ptr;
	report_failure(p->cli, p->store, p->workflow, run, node);
}

static void on_run_ended(void *arg, const struct engine_summary *s)
{
	struct progress *p = arg;
	struct buf out = {0};
	static const char *const words[] = {"running", "paused", "completed", "failed", "cancelled", "interrupted", "abandoned"};
	if (p->cli->is_quiet || p->is_plan)
		return;
	enum color color = s->state == RUN_COMPLETED ? COLOR_GREEN : s->state == RUN_FAILED ? COLOR_RED : COLOR_YELLOW;
	buf_printf(&out, "run %lld %s%s%s: %u ran, %u reused", (long long)s->run, talk_color(p->cli, false, color),
		words[s->state], talk_color(p->cli, false, COLOR_NONE), s->ran, s->reused);
	if (s->failed)
		buf_printf(&out, ", %u failed", s->failed);
	if (s->skipped)
		buf_printf(&out, ", %u skipped", s->skipped);
	if (s->cancelled)
		buf_printf(&out, ", %u stopped", s->cancelled);
	buf_add_z(&out, "  ");
	clock_add_duration(&out, s->ms);
	buf_add_char(&out, '\n');
	if (s->state != RUN_COMPLETED)
		buf_printf(&out, "go on with: pawl resume %lld\n", (long long)s->run);
	talk_out(p->cli, buf_str(&out));
	buf_finish(&out);
	if (s->error)
		talk_err(p->cli, s->error);
}

struct engine_events progress_events(struct progress *p)
{
	return (struct engine_events){
		.arg = p, .run_started = on_run_started, .node = on_node, .failed = on_failed, .run_ended = on_run_ended};
}
