/* progress_live: on a terminal: finished lines scroll up, as in the plain view, and below them a region of a few rows says what
 * runs, for how long, and how much is done.  It is redrawn ten times a second at most, and only where it would differ.  The
 * cursor rests at its end and is never hidden; rows are shorter than the terminal is wide, so none of them wraps until
 * the terminal is made narrower, which the next redraw allows for. */
#include "cli/progress_inner.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "sys/clock.h"
#include "sys/tty.h"

#include <unistd.h>

enum { MOST_NODES = 8, MOST_ROWS = MOST_NODES + 2, BETWEEN_DRAWS_MS = 100, SOON_MS = 5 };
static const size_t most_lines = (size_t)1
                                 << 20; /* bytes that wait for a redraw before output is dropped */
static const size_t most_waiting = (size_t)64
                                   << 10; /* the terminal takes nothing (Ctrl-S): no redraws */

struct active {
	const struct seen *seen;
	uint64_t since_ms;
	uint64_t again_ms; /* between two tries: when the next one begins */
};

struct live {
	struct buf lines;         /* what is to go above the region */
	struct buf region;        /* as it was drawn last */
	size_t widths[MOST_ROWS]; /* columns of each row drawn */
	size_t rows;
	VEC(struct active) active; /* the longest running first */
	uint32_t ended, reused, failed;
	uint64_t begun_ms;
	uint64_t drawn_ms;
	struct world_timer *timer;
};

/* ---- a row: coloured pieces that together are at most so wide ---- */

struct row {
	struct progress *p;
	struct buf *out;
	size_t width;
	size_t most;
};

/* The longest beginning of s that has at most `columns`. */
static size_t cut(str s, size_t columns)
{
	size_t at = 0;
	while (at < s.len) {
		uint32_t code = 0;
		size_t n = utf8_decode(str_slice(s, at, s.len), &code);
		n = n ? n : 1;
		if (utf8_width(str_slice(s, 0, at + n)) > columns)
			break;
		at += n;
	}
	return at;
}

static void row_add(struct row *row, enum color color, str text)
{
	size_t room = row->most - row->width;
	bool is_cut = utf8_width(text) > room;
	if (!text.len || !room)
		return;
	if (is_cut)
		text.len = cut(text, room - 1);
	buf_add_z(row->out, talk_color(row->p->cli, false, color));
	buf_add(row->out, text);
	buf_add_z(row->out, is_cut ? "…" : "");
	buf_add_z(row->out, color == COLOR_NONE ? "" : talk_color(row->p->cli, false, COLOR_NONE));
	row->width += utf8_width(text) + is_cut;
}

static void row_pad(struct row *row, size_t column)
{
	while (row->width < column && row->width < row->most) {
		buf_add_char(row->out, ' ');
		row->width++;
	}
}

static void row_end(struct row *row)
{
	struct live *live = row->p->live;
	buf_add_z(row->out, "\033[K");
	live->widths[live->rows++] = row->width;
}

/* ---- the region ---- */

static void add_seconds(struct buf *out, uint64_t ms)
{
	if (ms < 60000)
		buf_printf(out, "%llus", (unsigned long long)(ms / 1000));
	else
		clock_add_duration(out, ms - ms % 1000);
}

/* Tenths while they can be followed, then seconds. */
static void add_elapsed(struct buf *out, uint64_t ms)
{
	if (ms < 10000)
		buf_printf(out, "%llu.%llus", (unsigned long long)(ms / 1000),
			(unsigned long long)(ms / 100 % 10));
	else
		add_seconds(out, ms);
}

/* Of what runs now too: items, and nodes of runs within the run, are longer than what the workflow lists. */
static size_t name_width(const struct progress *p, size_t most)
{
	size_t width = p->id_width < 8 ? 8 : p->id_width;
	for (size_t i = 0; i < p->live->active.len; i++) {
		size_t own = utf8_width(p->live->active.ptr[i].seen->name);
		width = own > width && own <= 32 ? own : width;
	}
	return width > most ? most : width;
}

static void add_node(struct row *row, const struct active *a, uint64_t now)
{
	struct progress *p = row->p;
	struct buf time = {0};
	struct buf why = {0};
	size_t id_width = name_width(p, row->most / 2);
	if (a->again_ms) {
		buf_add_z(&time, "in ");
		add_elapsed(&time, a->again_ms > now ? a->again_ms - now : 0);
	} else {
		add_elapsed(&time, now - a->since_ms);
	}
	buf_add_visible(&why, a->again_ms ? STR("waits for its next try") : a->seen->sentence);
	str id = a->seen->name;
	row_add(row, a->again_ms ? COLOR_YELLOW : COLOR_BLUE, STR("  > "));
	if (utf8_width(id) > id_width) {
		row_add(row, COLOR_BOLD, str_slice(id, 0, cut(id, id_width - 1)));
		row_add(row, COLOR_NONE, STR("…"));
	} else {
		row_add(row, COLOR_BOLD, id);
	}
	size_t column = 4 + id_width + 1;
	row_pad(row, column + (time.len < 7 ? 7 - time.len : 0));
	row_add(row, COLOR_NONE, buf_str(&time));
	if (row->most > row->width + 12 && why.len) {
		row_pad(row, row->width + 2);
		row_add(row, COLOR_DIM, buf_str(&why));
	}
	row_end(row);
	buf_finish(&why);
	buf_finish(&time);
}

static void add_bar(struct row *row, size_t width, uint32_t done, uint32_t total)
{
	/* 24 characters of 3 bytes each. */
	static const char done_bar[] = "━━━━━━━━━━━━━━━━━━━━━━━━";
	static const char left_bar[] = "────────────────────────";
	size_t full = total ? width * done / total : width;
	enum color color = row->p->live->failed ? COLOR_RED : COLOR_GREEN;
	row_add(row, color, (str){done_bar, full * 3});
	row_add(row, COLOR_DIM, (str){left_bar, (width - full) * 3});
	row_add(row, COLOR_NONE, STR("  "));
}

static void add_count(struct row *row, uint32_t count, const char *word, enum color color)
{
	struct buf text = {0};
	if (count) {
		buf_printf(&text, ", %u %s", count, word);
		row_add(row, color, buf_str(&text));
	}
	buf_finish(&text);
}

static void add_status(struct row *row, uint64_t now)
{
	struct progress *p = row->p;
	struct live *live = p->live;
	struct buf text = {0};
	uint32_t total = p->workflow->node_count + p->extra;
	row_add(row, COLOR_NONE, STR("  "));
	if (row->most >= 54)
		add_bar(row, row->most >= 76 ? 24 : 12, live->ended, total);
	buf_printf(&text, "%u/%u done", live->ended, total);
	row_add(row, COLOR_NONE, buf_str(&text));
	add_count(row, live->reused, "reused", COLOR_GREEN);
	add_count(row, live->failed, "failed", COLOR_RED);
	buf_clear(&text);
	buf_add_z(&text, "  ");
	add_seconds(&text, now - live->begun_ms);
	row_add(row, COLOR_DIM, buf_str(&text));
	row_end(row);
	buf_finish(&text);
}

static void build_region(struct progress *p, struct buf *out, uint64_t now)
{
	struct live *live = p->live;
	size_t columns = tty_width(STDOUT_FILENO);
	size_t height = tty_height(STDOUT_FILENO);
	size_t most = columns > 12 ? columns - 1 : 11;
	size_t nodes = height / 3 > MOST_NODES ? MOST_NODES : height / 3;
	size_t count = live->active.len;
	size_t shown = count <= nodes ? count : nodes > 1 ? nodes - 1 : 0;
	live->rows = 0;
	for (size_t i = 0; i < shown; i++) {
		add_node(
			&(struct row){.p = p, .out = out, .most = most}, &live->active.ptr[i], now);
		buf_add_z(out, "\r\n");
	}
	if (shown < count) {
		struct buf text = {0};
		struct row row = {.p = p, .out = out, .most = most};
		buf_printf(&text, "  %s%zu %s", shown ? "and " : "", count - shown,
			shown ? "more" : "running");
		row_add(&row, COLOR_DIM, buf_str(&text));
		row_end(&row);
		buf_add_z(out, "\r\n");
		buf_finish(&text);
	}
	add_status(&(struct row){.p = p, .out = out, .most = most}, now);
}

/* ---- drawing ---- */

/* How many rows the region takes now: terminals that were made narrower since have wrapped what was drawn. */
static size_t rows_now(const struct live *live)
{
	size_t columns = tty_width(STDOUT_FILENO);
	size_t rows = 0;
	for (size_t i = 0; i < live->rows; i++)
		rows += live->widths[i] > columns ? (live->widths[i] + columns - 1) / columns : 1;
	return rows;
}

/* To the first column of the region's first row. */
static void add_home(struct buf *out, size_t rows)
{
	buf_add_char(out, '\r');
	if (rows > 1)
		buf_printf(out, "\033[%zuA", rows - 1);
}

static void set_guard(const struct live *live)
{
	struct buf text = {0};
	if (live->rows) {
		add_home(&text, live->rows);
		buf_add_z(&text, "\033[J");
	}
	tty_guard(STDOUT_FILENO, buf_cstr(&text));
	buf_finish(&text);
}

static void draw(struct progress *p, bool with_region)
{
	struct live *live = p->live;
	struct buf frame = {0};
	struct buf region = {0};
	uint64_t now = p->world->mono_ms(p->world->ctx);
	if (tty_was_continued())
		live->rows = 0; /* the shell has written since */
	size_t old_rows = live->rows;
	size_t rows = rows_now(live);
	if (with_region && tty_is_foreground(STDOUT_FILENO))
		build_region(p, &region, now);
	else
		live->rows = 0;
	live->drawn_ms = now;
	bool is_same = old_rows == live->rows && rows == old_rows &&
	               str_eq(buf_str(&region), buf_str(&live->region));
	if (!live->lines.len && is_same)
		goto out;
	if (rows)
		add_home(&frame, rows);
	/* Rows are overwritten each in its place; all is cleared only where lines come in between. */
	if (rows && (live->lines.len || rows != live->rows))
		buf_add_z(&frame, "\033[J");
	buf_add(&frame, buf_str(&live->lines));
	buf_add(&frame, buf_str(&region));
	outlet_add(p->cli->outlet, buf_str(&frame), false);
	set_guard(live);
	buf_clear(&live->lines);
	buf_clear(&live->region);
	buf_add(&live->region, buf_str(&region));
out:
	buf_finish(&frame);
	buf_finish(&region);
}

static void on_timer(void *arg);

static void draw_soon(struct progress *p)
{
	struct live *live = p->live;
	uint64_t since = p->world->mono_ms(p->world->ctx) - live->drawn_ms;
	uint64_t delay = since + SOON_MS < BETWEEN_DRAWS_MS ? BETWEEN_DRAWS_MS - since : SOON_MS;
	if (!live->timer)
		live->timer = p->world->timer_start(p->world->ctx, delay, on_timer, p);
}

static void on_timer(void *arg)
{
	struct progress *p = arg;
	struct live *live = p->live;
	live->timer = NULL;
	if (outlet_waiting(p->cli->outlet) < most_waiting)
		draw(p, true);
	else
		live->drawn_ms = p->world->mono_ms(p->world->ctx);
	if (live->active.len || live->lines.len)
		draw_soon(p);
}

/* ---- events ---- */

static bool write_above(struct progress *p, str text, bool may_drop)
{
	struct live *live = p->live;
	if (may_drop && live->lines.len + text.len > most_lines)
		return false;
	buf_add(&live->lines, text);
	draw_soon(p);
	return true;
}

static void run_started(struct progress *p, int64_t run, int64_t attempt)
{
	p->live = mem_zalloc(sizeof(*p->live));
	p->live->begun_ms = p->world->mono_ms(p->world->ctx);
	p->write = write_above;
	tty_was_continued();
	plain_run_started(p, run, attempt);
}

static bool forget(struct live *live, const struct seen *seen)
{
	for (size_t i = 0; i < live->active.len; i++) {
		if (live->active.ptr[i].seen != seen)
			continue;
		live->active.len--;
		memmove(live->active.ptr + i, live->active.ptr + i + 1,
			(live->active.len - i) * sizeof(*live->active.ptr));
		return true;
	}
	return false;
}

static void on_node(struct progress *p, const struct node_event *e)
{
	struct live *live = p->live;
	struct seen *seen = progress_seen(p, e);
	uint64_t now = p->world->mono_ms(p->world->ctx);
	switch (e->kind) {
	case EVENT_STARTED:
	case EVENT_RETRY:
		forget(live, seen);
		*vec_push(&live->active) = (struct active){.seen = seen,
			.since_ms = now,
			.again_ms = e->kind == EVENT_RETRY ? now + e->ms : 0};
		break;
	case EVENT_ENDED:
		forget(live, seen);
		live->ended += !seen->has_ended && e->state != NODE_PAUSED;
		seen->has_ended |= e->state != NODE_PAUSED;
		live->reused += e->state == NODE_REUSED;
		live->failed += e->state == NODE_FAILED;
		break;
	case EVENT_DECIDED:
	case EVENT_OUTPUT:
	case EVENT_NOTE: break;
	}
	plain_node(p, e);
	draw_soon(p);
}

static void run_ended(struct progress *p, const struct engine_summary *summary)
{
	p->world->timer_stop(p->world->ctx, p->live->timer);
	p->live->timer = NULL;
	plain_run_ended(p, summary);
	p->world->timer_stop(p->world->ctx, p->live->timer);
	p->live->timer = NULL;
	draw(p, false);
}

static void destroy(struct progress *p)
{
	struct live *live = p->live;
	if (!live)
		return;
	p->world->timer_stop(p->world->ctx, live->timer);
	vec_finish(&live->active);
	buf_finish(&live->lines);
	buf_finish(&live->region);
	free(live);
	p->live = NULL;
}

const struct progress_view progress_live = {.run_started = run_started,
	.node = on_node,
	.failed = plain_failed,
	.run_ended = run_ended,
	.destroy = destroy};
