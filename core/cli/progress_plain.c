/* progress_plain: lines in the order of what happens, one a node, and the summary: what is piped, and what the live view puts
 * above its region. */
#include "cli/progress_inner.h"

#include "engine/blame.h"
#include "sys/clock.h"

/* A line of a node's output that is longer is shown in pieces. */
static const size_t longest_line = 8192;

static void line(struct progress *p, const char *word, enum color color, str id, str sentence,
	const char *time)
{
	struct cli *cli = p->cli;
	struct buf out = {0};
	struct buf shown = {0};
	str first = STR("");
	buf_add_visible(&shown, sentence);
	str rest = buf_str(&shown);
	str_line(&rest, &first);
	buf_printf(&out, "  %s%-6s%s %.*s", talk_color(cli, false, color), word,
		talk_color(cli, false, COLOR_NONE), STR_ARG(id));
	for (size_t i = id.len; i < p->id_width; i++)
		buf_add_char(&out, ' ');
	buf_add_z(&out, "  ");
	buf_add(&out, first);
	if (*time)
		buf_printf(&out, "  %s%s%s", talk_color(cli, false, COLOR_DIM), time,
			talk_color(cli, false, COLOR_NONE));
	while (out.len && out.ptr[out.len - 1] == ' ')
		out.len--;
	buf_add_char(&out, '\n');
	p->write(p, buf_str(&out), false);
	buf_finish(&shown);
	buf_finish(&out);
}

void plain_run_started(struct progress *p, int64_t run, int64_t attempt)
{
	struct buf out = {0};
	str name = p->workflow->name;
	if (p->cli->is_quiet)
		return;
	if (p->is_plan && !run)
		buf_printf(&out, "plan of %.*s\n", STR_ARG(name));
	else if (p->is_plan)
		buf_printf(
			&out, "plan of resuming run %lld of %.*s\n", (long long)run, STR_ARG(name));
	else if (attempt > 1)
		buf_printf(&out, "run %lld of %.*s, attempt %lld\n", (long long)run, STR_ARG(name),
			(long long)attempt);
	else
		buf_printf(&out, "run %lld of %.*s\n", (long long)run, STR_ARG(name));
	p->write(p, buf_str(&out), false);
	buf_finish(&out);
}

/* ---- output of nodes, a line at a time, each with the node's name ---- */

static void tell_dropped(struct progress *p)
{
	struct buf out = {0};
	if (!p->dropped)
		return;
	buf_printf(&out,
		"  %zu bytes of output not shown, the reader is slow; `pawl logs %lld` has all of it\n",
		p->dropped, (long long)p->run);
	if (p->write(p, buf_str(&out), true))
		p->dropped = 0;
	buf_finish(&out);
}

static void output_line(struct progress *p, str name, str bytes)
{
	struct buf out = {0};
	bytes.len -= bytes.len && bytes.ptr[bytes.len - 1] == '\r';
	buf_printf(&out, "%s%.*s", talk_color(p->cli, false, COLOR_DIM), STR_ARG(name));
	for (size_t i = name.len; i < p->id_width; i++)
		buf_add_char(&out, ' ');
	buf_printf(&out, " |%s ", talk_color(p->cli, false, COLOR_NONE));
	buf_add_visible(&out, bytes);
	while (out.len && out.ptr[out.len - 1] == ' ')
		out.len--;
	buf_add_char(&out, '\n');
	tell_dropped(p);
	if (!p->write(p, buf_str(&out), true))
		p->dropped += bytes.len;
	buf_finish(&out);
}

/* The first bytes of `text` that a line may have, not cut within a character. */
static size_t piece_of(str text)
{
	size_t end = longest_line;
	while (end > longest_line - 4 && ((unsigned char)text.ptr[end] & 0xc0) == 0x80)
		end--;
	return end;
}

static void on_output(struct progress *p, const struct node_event *e)
{
	struct seen *seen = progress_seen(p, e);
	struct buf *held = &seen->printed[e->stream == WORLD_STDERR];
	str text = e->bytes;
	if (held->len) {
		buf_add(held, text);
		text = buf_str(held);
	}
	while (text.len) {
		size_t end = str_find_char(text, '\n', 0);
		bool is_whole = end <= longest_line;
		if (!is_whole && text.len <= longest_line)
			break;
		if (!is_whole)
			end = piece_of(text);
		output_line(p, seen->name, str_slice(text, 0, end));
		text = str_slice(text, end + is_whole, text.len);
	}
	struct buf rest = {0};
	buf_add(&rest, text);
	buf_finish(held);
	*held = rest;
}

static void end_output(struct progress *p, struct seen *seen)
{
	for (int i = 0; i < 2; i++) {
		struct buf *held = &seen->printed[i];
		if (held->len)
			output_line(p, seen->name, buf_str(held));
		buf_finish(held);
	}
}

/* ---- nodes ---- */

/* What holds others, or a person's answer, neither ran nor was reused itself. */
static const char *word_of_completed(const struct node *node)
{
	return node->control != CONTROL_NONE || node->fan_out ? "done" : "run";
}

static void on_ended(struct progress *p, const struct node_event *e)
{
	struct buf time = {0};
	const struct seen *seen = progress_seen(p, e);
	str name = seen->name;
	str why = seen->sentence;
	if (e->tries)
		clock_add_duration(&time, e->ms);
	switch (e->state) {
	case NODE_REUSED: line(p, "reuse", COLOR_GREEN, name, e->sentence, ""); break;
	case NODE_COMPLETED:
		line(p, word_of_completed(e->node), COLOR_BLUE, name,
			why.len && e->tries ? why : e->sentence, buf_cstr(&time));
		break;
	case NODE_PAUSED: line(p, "wait", COLOR_YELLOW, name, e->sentence, ""); break;
	case NODE_FAILED: line(p, "fail", COLOR_RED, name, e->sentence, buf_cstr(&time)); break;
	case NODE_CANCELLED:
		line(p, "stop", COLOR_YELLOW, name, e->tries ? STR("stopped") : e->sentence,
			buf_cstr(&time));
		break;
	default: line(p, "skip", COLOR_DIM, name, e->sentence, "");
	}
	buf_finish(&time);
}

void plain_node(struct progress *p, const struct node_event *e)
{
	bool is_failure = e->kind == EVENT_ENDED && e->state == NODE_FAILED;
	struct buf text = {0};
	struct seen *seen = progress_seen(p, e);
	str name = seen->name;
	if (e->kind == EVENT_OUTPUT)
		on_output(p, e);
	if (e->kind == EVENT_ENDED || e->kind == EVENT_RETRY)
		end_output(p, seen);
	if (p->cli->is_quiet && !is_failure)
		return;
	switch (e->kind) {
	case EVENT_DECIDED:
		if (p->is_plan && e->state != NODE_REUSED)
			line(p, e->is_uncertain ? "maybe" : "run",
				e->is_uncertain ? COLOR_DIM : COLOR_BLUE, name, e->sentence, "");
		break;
	case EVENT_ENDED: on_ended(p, e); break;
	case EVENT_RETRY:
		buf_printf(&text, "try %lld failed (%.*s), again in ", (long long)e->tries,
			STR_ARG(e->sentence));
		clock_add_duration(&text, e->ms);
		line(p, "retry", COLOR_YELLOW, name, buf_str(&text), "");
		break;
	case EVENT_NOTE: line(p, "note", COLOR_YELLOW, name, e->sentence, ""); break;
	case EVENT_OUTPUT:
	case EVENT_STARTED: break;
	}
	buf_finish(&text);
}

void plain_failed(struct progress *p, const struct failed_node *f)
{
	struct buf out = {0};
	blame_write(&out, p->store, f->workflow, f->run, f->node, p->cli->has_color_out);
	p->write(p, buf_str(&out), false);
	buf_finish(&out);
}

/* ---- the end ---- */

/* " from runs 3, 5 and an earlier attempt". */
static void add_origins(struct progress *p, struct buf *out)
{
	enum { SHOWN = 4 };
	bool is_own = false;
	size_t others = 0;
	for (size_t i = 0; i < p->origins.len; i++) {
		is_own = is_own || p->origins.ptr[i] == p->run;
		others += p->origins.ptr[i] != p->run;
	}
	if (others)
		buf_add_z(out, others == 1 ? " from run " : " from runs ");
	size_t left = others;
	size_t shown = 0;
	/* The newest say most. */
	for (size_t i = 0; i < p->origins.len; i++) {
		if (p->origins.ptr[i] == p->run)
			continue;
		if (left-- <= SHOWN)
			buf_printf(
				out, "%s%lld", shown++ ? ", " : "", (long long)p->origins.ptr[i]);
	}
	if (others > shown)
		buf_printf(out, " and %zu older ones", others - shown);
	if (is_own)
		buf_add_z(out, others ? " and its earlier attempt" : " from its earlier attempt");
}

static void add_counts(struct progress *p, const struct engine_summary *s, struct buf *out)
{
	buf_printf(out, "%u ran, %u reused", s->ran, s->reused);
	add_origins(p, out);
	if (s->failed)
		buf_printf(out, ", %u failed", s->failed);
	if (s->skipped)
		buf_printf(out, ", %u skipped", s->skipped);
	if (s->cancelled)
		buf_printf(out, ", %u stopped", s->cancelled);
	buf_add_z(out, "  ");
	clock_add_duration(out, s->ms);
	buf_add_char(out, '\n');
}

static void add_summary(struct progress *p, const struct engine_summary *s, struct buf *out)
{
	enum color color = s->state == RUN_COMPLETED ? COLOR_GREEN
	                   : s->state == RUN_FAILED  ? COLOR_RED
	                                             : COLOR_YELLOW;
	buf_printf(out, "run %lld %s%s%s: ", (long long)s->run, talk_color(p->cli, false, color),
		run_state_name(s->state), talk_color(p->cli, false, COLOR_NONE));
	add_counts(p, s, out);
	if (p->first_failed.len)
		buf_printf(out, "failed first: %.*s; all that it printed: pawl logs %lld/%.*s\n",
			STR_ARG(p->first_failed), (long long)s->run, STR_ARG(p->first_failed));
	if (s->state == RUN_PAUSED)
		buf_printf(out, "answer with: pawl approve %lld, or pawl reject %lld\n",
			(long long)s->run, (long long)s->run);
	else if (s->state != RUN_COMPLETED)
		buf_printf(out, "go on with: pawl resume %lld\n", (long long)s->run);
}

void plain_run_ended(struct progress *p, const struct engine_summary *s)
{
	struct buf out = {0};
	tell_dropped(p);
	if (p->is_plan && !p->cli->is_quiet)
		buf_printf(&out, "%zu of %u would run\n", p->planned,
			p->workflow->node_count + p->extra);
	else if (!p->is_plan && !p->cli->is_quiet)
		add_summary(p, s, &out);
	p->write(p, buf_str(&out), false);
	buf_finish(&out);
}

const struct progress_view progress_plain = {.run_started = plain_run_started,
	.node = plain_node,
	.failed = plain_failed,
	.run_ended = plain_run_ended};
