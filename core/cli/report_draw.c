/* report_draw: the two drawings of a report: the graph as SVG, the timeline as rows of bars in per cent of its width. */
#include "cli/report.h"

#include "base/utf8.h"
#include "engine/decide.h"
#include "sys/clock.h"

#include <stdlib.h>

/* Pixels. */
enum {
	BOX_HEIGHT = 46,
	ROW = 64,
	GAP = 64,
	MARGIN = 14,
	CHAR_WIDTH = 8,
	MOST_CHARS = 30,
	LEAST_CHARS = 14
};

/* ---- words that both use ---- */

static str first_line(str text)
{
	str line = STR("");
	str_line(&text, &line);
	return line;
}

void report_add_hover(const struct report_node *node, struct buf *out)
{
	struct arena arena = {0};
	report_add_text(out, node->id);
	buf_printf(out, ": %s\n", node_state_name(node->row.state));
	report_add_text(
		out, node->row.error.len ? first_line(node->row.error) : node->row.sentence);
	for (size_t i = 0; i < node->changes.len && i < 6; i++) {
		const struct key_change *change = &node->changes.ptr[i];
		buf_add_z(out, "\n");
		report_add_text(out, change->label);
		buf_add_z(out, ": ");
		report_add_text(out, change->then ? decide_quote(&arena, change->then->value, 40)
						  : STR("unset"));
		buf_add_z(out, " → ");
		report_add_text(out,
			change->now ? decide_quote(&arena, change->now->value, 40) : STR("unset"));
	}
	arena_finish(&arena);
}

/* The second line of a box: how it went, in few words. */
static void add_short(const struct report *r, const struct report_node *node, struct buf *out)
{
	int64_t from = 0;
	int64_t to = 0;
	switch (node->row.state) {
	case NODE_REUSED:
		buf_printf(out, "reused from run %lld", (long long)node->row.origin);
		return;
	case NODE_FAILED: {
		str error = first_line(node->row.error);
		size_t colon = str_find(error, STR(": "), 0);
		buf_add(out, str_slice(error, colon == SIZE_MAX ? 0 : colon + 2, error.len));
		return;
	}
	case NODE_COMPLETED:
	case NODE_RUNNING:
		buf_add_z(out, node->row.state == NODE_RUNNING ? "running " : "ran ");
		if (report_span(r, node, &from, &to))
			clock_add_duration(out, (uint64_t)(to - from));
		return;
	default: buf_add_z(out, node_state_name(node->row.state));
	}
}

/* ---- the graph ---- */

static size_t box_chars(const struct report *r)
{
	size_t most = LEAST_CHARS;
	for (size_t i = 0; i < r->count; i++) {
		size_t width = utf8_width(r->nodes[i].id);
		most = width > most ? width : most;
	}
	return most > MOST_CHARS ? MOST_CHARS : most;
}

static void add_cut(struct buf *out, str text, size_t columns)
{
	size_t at = 0;
	if (utf8_width(text) <= columns) {
		report_add_text(out, text);
		return;
	}
	while (at < text.len && utf8_width(str_slice(text, 0, at + 1)) < columns)
		at++;
	while (at && ((unsigned char)text.ptr[at] & 0xc0) == 0x80)
		at--;
	report_add_text(out, str_slice(text, 0, at));
	buf_add_z(out, "…");
}

struct pen {
	const struct report *r;
	struct buf *out;
	double width; /* of a box */
};

static double x_of(const struct pen *pen, size_t layer)
{
	return MARGIN + (double)layer * (pen->width + GAP);
}

static double middle_of(double y)
{
	return MARGIN + y * ROW + BOX_HEIGHT / 2.0;
}

static void curve(struct pen *pen, double x1, double y1, double x2, double y2)
{
	double half = (x1 + x2) / 2;
	buf_printf(pen->out, "C%.1f %.1f %.1f %.1f %.1f %.1f", half, y1, half, y2, x2, y2);
}

static void add_edge(struct pen *pen, const struct report_edge *edge)
{
	const struct report_node *from = &pen->r->nodes[edge->from];
	const struct report_node *to = &pen->r->nodes[edge->to];
	double x = x_of(pen, from->layer) + pen->width;
	double y = middle_of(from->y);
	buf_printf(pen->out,
		"<path class=\"edge %s\" data-from=\"%zu\" data-to=\"%zu\" d=\"M%.1f %.1f",
		node_state_name(from->row.state), edge->from, edge->to, x, y);
	for (size_t i = 0; i < edge->bend_count; i++) {
		double bend_x = x_of(pen, edge->bends[i].layer);
		double bend_y = middle_of(edge->bends[i].y);
		curve(pen, x, y, bend_x, bend_y);
		x = bend_x + pen->width;
		y = bend_y;
		buf_printf(pen->out, "H%.1f", x);
	}
	curve(pen, x, y, x_of(pen, to->layer), middle_of(to->y));
	buf_add_z(pen->out, "\"/>\n");
}

static void add_box(struct pen *pen, size_t index, size_t chars)
{
	const struct report_node *node = &pen->r->nodes[index];
	struct buf *out = pen->out;
	double x = x_of(pen, node->layer);
	double y = middle_of(node->y) - BOX_HEIGHT / 2.0;
	struct buf words = {0};
	buf_printf(out, "<a href=\"#n%zu\" class=\"box %s\" data-node=\"%zu\"><title>", index,
		node_state_name(node->row.state), index);
	report_add_hover(node, out);
	buf_printf(out,
		"</title><rect class=\"card\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\" rx=\"9\"/>",
		x, y, pen->width, BOX_HEIGHT);
	buf_printf(out, "<circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"5\"/>", x + 18, y + 17);
	buf_printf(out, "<text class=\"id\" x=\"%.1f\" y=\"%.1f\">", x + 32, y + 21.5);
	add_cut(out, node->id, chars);
	buf_printf(out, "</text><text class=\"how\" x=\"%.1f\" y=\"%.1f\">", x + 32, y + 37);
	add_short(pen->r, node, &words);
	add_cut(out, buf_str(&words), chars + 3);
	buf_add_z(out, "</text></a>\n");
	buf_finish(&words);
}

void report_write_graph(const struct report *r, struct buf *out)
{
	size_t chars = box_chars(r);
	struct pen pen = {.r = r, .out = out, .width = (double)(chars * CHAR_WIDTH + 48)};
	double width = x_of(&pen, r->layers) - GAP + MARGIN;
	double height = r->rows * ROW - (ROW - BOX_HEIGHT) + 2.0 * MARGIN;
	buf_printf(out,
		"<svg class=\"graph\" viewBox=\"0 0 %.0f %.0f\" style=\"max-width:%.0fpx;min-width:%.0fpx\" "
		"role=\"img\" aria-label=\"the nodes of the run and what they depend on\">\n",
		width, height, width, width * 0.7);
	for (size_t i = 0; i < r->edge_count; i++)
		add_edge(&pen, &r->edges[i]);
	for (size_t i = 0; i < r->count; i++) {
		if (!r->nodes[i].is_hidden)
			add_box(&pen, i, chars);
	}
	buf_add_z(out, "</svg>\n");
}

/* ---- the timeline ---- */

struct bar {
	size_t node;
	int64_t from;
	int64_t to;
};

/* A time in which something ran, and where it stands on the line. */
struct stretch {
	int64_t from;
	int64_t to;
	double at;
	double width;
};

struct axis {
	struct stretch *stretches;
	size_t count;
	double busy_ms;
};

static int by_start(const void *a, const void *b)
{
	const struct bar *x = a;
	const struct bar *y = b;
	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	return x->node < y->node ? -1 : x->node > y->node;
}

/* Between two attempts of a run may lie a night: times in which nothing ran, if they are long, are folded to a mark. */
static void make_axis(
	const struct report *r, const struct bar *bars, size_t count, struct axis *axis)
{
	int64_t total = 0;
	int64_t end = count ? bars[0].from : 0;
	for (size_t i = 0; i < count; i++) {
		total += bars[i].to > end ? bars[i].to - (bars[i].from > end ? bars[i].from : end)
		                          : 0;
		end = bars[i].to > end ? bars[i].to : end;
	}
	int64_t longest = total / 4 > 1000 ? total / 4 : 1000;
	axis->stretches = arena_array(r->arena, struct stretch, count + 1);
	for (size_t i = 0; i < count; i++) {
		struct stretch *last = axis->count ? &axis->stretches[axis->count - 1] : NULL;
		if (!last || bars[i].from - last->to > longest)
			axis->stretches[axis->count++] =
				(struct stretch){.from = bars[i].from, .to = bars[i].to};
		else if (bars[i].to > last->to)
			last->to = bars[i].to;
	}
	for (size_t i = 0; i < axis->count; i++)
		axis->busy_ms += (double)(axis->stretches[i].to - axis->stretches[i].from);
	double fold = axis->count > 1 ? 30.0 / (double)axis->count : 0;
	fold = fold > 5 ? 5 : fold;
	double room = 100 - fold * (double)(axis->count ? axis->count - 1 : 0);
	double at = 0;
	for (size_t i = 0; i < axis->count; i++) {
		struct stretch *s = &axis->stretches[i];
		s->at = at;
		s->width = axis->busy_ms > 0 ? (double)(s->to - s->from) / axis->busy_ms * room
		                             : room / (double)axis->count;
		at += s->width + fold;
	}
}

static double place(const struct axis *axis, int64_t ms)
{
	for (size_t i = 0; i < axis->count; i++) {
		const struct stretch *s = &axis->stretches[i];
		if (ms <= s->to)
			return s->to > s->from && ms > s->from
			               ? s->at + (double)(ms - s->from) /
			                                 (double)(s->to - s->from) * s->width
			               : s->at;
	}
	return 100;
}

static int64_t tick_step(double busy_ms)
{
	static const int64_t steps[] = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000,
		15000, 30000, 60000, 120000, 300000, 600000, 1800000, 3600000, 7200000, 21600000,
		86400000};
	size_t i = 0;
	while (i + 1 < sizeof(steps) / sizeof(steps[0]) && busy_ms / (double)steps[i] > 7)
		i++;
	return steps[i];
}

static void add_ticks(const struct axis *axis, struct buf *out)
{
	int64_t step = tick_step(axis->busy_ms);
	double last = -100;
	buf_add_z(out, "<div class=\"ticks\"><span></span><div class=\"track\">");
	for (size_t i = 0; i < axis->count; i++) {
		const struct stretch *s = &axis->stretches[i];
		for (int64_t at = 0; at <= s->to - s->from; at += step) {
			double x = place(axis, s->from + at);
			if (x - last < 8 || x > 97)
				continue;
			last = x;
			buf_printf(out, "<i style=\"left:%.2f%%\">", x);
			if (i && !at)
				buf_add_z(out, "later ");
			if (i && at)
				buf_add_z(out, "+");
			if (at)
				clock_add_duration(out, (uint64_t)at);
			else
				buf_add_z(out, i ? "" : "0");
			buf_add_z(out, "</i>");
		}
	}
	buf_add_z(out, "</div></div>\n");
}

static void add_bar(
	const struct report *r, const struct axis *axis, const struct bar *bar, struct buf *out)
{
	const struct report_node *node = &r->nodes[bar->node];
	double from = place(axis, bar->from);
	double width = place(axis, bar->to) - from;
	buf_printf(out, "<a class=\"lane %s\" href=\"#n%zu\" data-node=\"%zu\"><span>",
		node_state_name(node->row.state), bar->node, bar->node);
	report_add_text(out, node->id);
	buf_printf(out, "</span><div class=\"track\"><b style=\"left:%.3f%%;width:%.3f%%\"></b>",
		from, width);
	/* The time stands behind the bar, before it, or within one that leaves no room. */
	if (from + width <= 80)
		buf_printf(out, "<em style=\"left:%.3f%%\">", from + width);
	else if (from >= 30)
		buf_printf(out, "<em style=\"right:%.3f%%\">", 100 - from);
	else
		buf_printf(out, "<em class=\"within\" style=\"left:%.3f%%\">", from);
	clock_add_duration(out, (uint64_t)(bar->to - bar->from));
	if (node->row.tries > 1)
		buf_printf(out, ", %lld tries", (long long)node->row.tries);
	buf_add_z(out, "</em></div></a>\n");
}

void report_write_timeline(const struct report *r, struct buf *out)
{
	struct bar *bars = arena_array(r->arena, struct bar, r->count);
	struct axis axis = {0};
	size_t count = 0;
	for (size_t i = 0; i < r->count; i++) {
		struct bar bar = {.node = i};
		if (report_span(r, &r->nodes[i], &bar.from, &bar.to))
			bars[count++] = bar;
	}
	if (!count) {
		buf_add_z(out, "<p class=\"none\">Nothing ran.</p>\n");
		return;
	}
	qsort(bars, count, sizeof(*bars), by_start);
	make_axis(r, bars, count, &axis);
	buf_add_z(out, "<div class=\"timeline\">\n");
	add_ticks(&axis, out);
	for (size_t i = 0; i < count; i++)
		add_bar(r, &axis, &bars[i], out);
	buf_add_z(out, "</div>\n");
}
