/* lanes: see lanes.h. */
#include "cli/lanes.h"

enum { UP = 1, DOWN = 2, LEFT = 4, RIGHT = 8 };

/* Box drawing by the sides that meet. */
static const char *const boxes[16] = {
	[0] = " ",
	[UP] = "│",
	[DOWN] = "│",
	[UP | DOWN] = "│",
	[LEFT] = "─",
	[RIGHT] = "─",
	[LEFT | RIGHT] = "─",
	[UP | LEFT] = "╯",
	[UP | RIGHT] = "╰",
	[DOWN | LEFT] = "╮",
	[DOWN | RIGHT] = "╭",
	[UP | DOWN | LEFT] = "┤",
	[UP | DOWN | RIGHT] = "├",
	[UP | LEFT | RIGHT] = "┴",
	[DOWN | LEFT | RIGHT] = "┬",
	[UP | DOWN | LEFT | RIGHT] = "┼",
};

struct drawing {
	struct arena *arena;
	struct lane_lines *out;
	VEC(uint32_t) lanes; /* the node that each leads to, or LANE_NO_NODE: free */
	struct buf line;
};

static size_t find_lane(const struct drawing *d, uint32_t node)
{
	for (size_t i = 0; i < d->lanes.len; i++) {
		if (d->lanes.ptr[i] == node)
			return i;
	}
	return SIZE_MAX;
}

/* A free lane, right of `after` where one can be had without crossing. */
static size_t take_lane(struct drawing *d, uint32_t node, size_t after)
{
	for (size_t i = after; i < d->lanes.len; i++) {
		if (d->lanes.ptr[i] == LANE_NO_NODE) {
			d->lanes.ptr[i] = node;
			return i;
		}
	}
	*vec_push(&d->lanes) = node;
	return d->lanes.len - 1;
}

static void end_line(struct drawing *d, uint32_t node, size_t columns)
{
	while (d->line.len && d->line.ptr[d->line.len - 1] == ' ') {
		d->line.len--;
		columns--;
	}
	*vec_push(&d->out->list) =
		(struct lane_line){arena_str(d->arena, buf_str(&d->line)), columns, node};
	if (node != LANE_NO_NODE && columns > d->out->width)
		d->out->width = columns;
	buf_clear(&d->line);
}

static void draw_node(struct drawing *d, uint32_t node, size_t at)
{
	for (size_t i = 0; i < d->lanes.len; i++) {
		buf_add_z(&d->line,
			i == at ? "●" : boxes[d->lanes.ptr[i] == LANE_NO_NODE ? 0 : UP | DOWN]);
		buf_add_char(&d->line, ' ');
	}
	end_line(d, node, 2 * d->lanes.len);
}

/* One edge from lane `from` to lane `to`: `was` tells what each lane had above the line, d->lanes what it has below. */
static void draw_edge(struct drawing *d, const bool *was, size_t from, size_t to)
{
	size_t low = from < to ? from : to;
	size_t high = from < to ? to : from;
	for (size_t i = 0; i < d->lanes.len; i++) {
		bool is_below = d->lanes.ptr[i] != LANE_NO_NODE;
		unsigned sides = (was[i] ? UP : 0) | (is_below ? DOWN : 0);
		bool crosses = i > low && i < high;
		if (i == low)
			sides |= RIGHT;
		if (i == high)
			sides |= LEFT;
		/* A lane that is only crossed stays whole: the edge runs behind it. */
		if (crosses && !sides)
			sides = LEFT | RIGHT;
		buf_add_z(&d->line, boxes[sides]);
		buf_add_z(&d->line, i >= low && i < high ? "─" : " ");
	}
	end_line(d, LANE_NO_NODE, 2 * d->lanes.len);
}

/* From the lane of a node that was drawn to those of the nodes that it leads to, one line an edge that leaves the lane. */
static void draw_edges(struct drawing *d, size_t at, const uint32_t *targets, uint32_t count)
{
	bool has_heir = false;
	d->lanes.ptr[at] = LANE_NO_NODE;
	/* The first that has no lane yet inherits this one; then nothing has to be drawn for it. */
	for (uint32_t t = 0; t < count && !has_heir; t++) {
		if (find_lane(d, targets[t]) == SIZE_MAX) {
			d->lanes.ptr[at] = targets[t];
			has_heir = true;
		}
	}
	uint32_t heir = d->lanes.ptr[at];
	uint32_t left = 0;
	for (uint32_t t = 0; t < count; t++)
		left += targets[t] != heir;
	for (uint32_t t = 0; t < count; t++) {
		if (targets[t] == heir)
			continue;
		left--;
		size_t before = d->lanes.len;
		size_t to = find_lane(d, targets[t]);
		bool is_new = to == SIZE_MAX;
		/* While edges are left to draw the lane goes on down. */
		if (!has_heir)
			d->lanes.ptr[at] = left ? targets[t] : LANE_NO_NODE;
		if (is_new)
			to = take_lane(d, targets[t], at + 1);
		bool *was = arena_array(d->arena, bool, d->lanes.len);
		for (size_t i = 0; i < before; i++)
			was[i] = d->lanes.ptr[i] != LANE_NO_NODE;
		was[at] = true;
		was[to] = !is_new;
		draw_edge(d, was, at, to);
	}
}

static void forget_free_lanes(struct drawing *d)
{
	while (d->lanes.len && d->lanes.ptr[d->lanes.len - 1] == LANE_NO_NODE)
		d->lanes.len--;
}

bool lanes_draw(struct arena *arena, const uint32_t *order, uint32_t count,
	const uint32_t *(*targets)(const void *ctx, uint32_t node, uint32_t *n), const void *ctx,
	struct lane_lines *out)
{
	struct drawing d = {.arena = arena, .out = out};
	bool is_narrow = true;
	*out = (struct lane_lines){0};
	for (uint32_t i = 0; is_narrow && i < count; i++) {
		uint32_t n = 0;
		const uint32_t *list = targets(ctx, order[i], &n);
		size_t at = find_lane(&d, order[i]);
		if (at == SIZE_MAX)
			at = take_lane(&d, order[i], 0);
		draw_node(&d, order[i], at);
		is_narrow = n <= LANES_MOST && d.lanes.len <= LANES_MOST;
		if (is_narrow)
			draw_edges(&d, at, list, n);
		forget_free_lanes(&d);
	}
	vec_finish(&d.lanes);
	buf_finish(&d.line);
	return is_narrow;
}

void lanes_finish(struct lane_lines *lines)
{
	vec_finish(&lines->list);
}
