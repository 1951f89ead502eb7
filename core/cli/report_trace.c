/* report_trace: a run as Chrome trace events (chrome://tracing, Perfetto): a complete event for each node that ran, on the first
 * lane that was free, an instant for each one that was reused or skipped. */
#include "cli/report.h"

#include "data/json.h"

#include <stdlib.h>

struct bar {
	size_t node;
	int64_t from;
	int64_t to;
	size_t lane;
};

static int by_start(const void *a, const void *b)
{
	const struct bar *x = a;
	const struct bar *y = b;
	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	return x->node < y->node ? -1 : x->node > y->node;
}

static void set_lanes(struct bar *bars, size_t count, int64_t *free_from)
{
	for (size_t i = 0; i < count; i++) {
		while (free_from[bars[i].lane] > bars[i].from)
			bars[i].lane++;
		/* What took no time still takes a place. */
		free_from[bars[i].lane] = bars[i].to > bars[i].from ? bars[i].to : bars[i].from + 1;
	}
}

static void add_args(struct buf *out, const struct report_node *node)
{
	buf_printf(
		out, ",\"args\":{\"state\":\"%s\",\"reason\":", node_state_name(node->row.state));
	json_write_string(out, node->row.reason);
	buf_add_z(out, ",\"sentence\":");
	json_write_string(out, node->row.sentence);
	if (node->row.error.len) {
		buf_add_z(out, ",\"error\":");
		json_write_string(out, node->row.error);
	}
	buf_printf(out, ",\"tries\":%lld,\"origin\":%lld}", (long long)node->row.tries,
		(long long)node->row.origin);
}

static void add_name(struct buf *out, const struct report_node *node)
{
	buf_add_z(out, ",\n{\"name\":");
	json_write_string(out, node->id);
	buf_printf(out, ",\"cat\":\"%s\",\"pid\":1", node_state_name(node->row.state));
}

void report_write_trace(const struct report *r, struct buf *out)
{
	struct bar *bars = arena_array(r->arena, struct bar, r->count);
	size_t count = 0;
	for (size_t i = 0; i < r->count; i++) {
		struct bar bar = {.node = i};
		if (report_span(r, &r->nodes[i], &bar.from, &bar.to))
			bars[count++] = bar;
	}
	if (count)
		qsort(bars, count, sizeof(*bars), by_start);
	set_lanes(bars, count, arena_array(r->arena, int64_t, count + 1));
	buf_add_z(out,
		"{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n"
		"{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":1,\"tid\":0,\"args\":{\"name\":");
	const char *title = arena_printf(
		r->arena, "run %lld of %.*s", (long long)r->run.id, STR_ARG(r->run.workflow));
	json_write_string(out, str_of(title));
	buf_add_z(out, "}}");
	for (size_t i = 0; i < count; i++) {
		const struct report_node *node = &r->nodes[bars[i].node];
		add_name(out, node);
		buf_printf(out, ",\"ph\":\"X\",\"tid\":%zu,\"ts\":%lld,\"dur\":%lld",
			bars[i].lane + 1, (long long)(bars[i].from * 1000),
			(long long)((bars[i].to - bars[i].from) * 1000));
		add_args(out, node);
		buf_add_char(out, '}');
	}
	for (size_t i = 0; i < r->count; i++) {
		const struct report_node *node = &r->nodes[i];
		if (node->row.state != NODE_REUSED && node->row.state != NODE_SKIPPED)
			continue;
		add_name(out, node);
		buf_printf(out, ",\"ph\":\"i\",\"s\":\"p\",\"tid\":0,\"ts\":%lld",
			(long long)(node->row.ended_ms * 1000));
		add_args(out, node);
		buf_add_char(out, '}');
	}
	buf_add_z(out, "\n]}\n");
}
