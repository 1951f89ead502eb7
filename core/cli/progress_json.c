/* progress_json: a run as JSON events, one a line, for programs.  docs/events.md says what each event has, the schema beside it
 * is what the tests check.  What a node printed is text of a stranger: every string goes through the JSON writer. */
#include "cli/progress_inner.h"

#include "base/utf8.h"
#include "cli/objects.h"
#include "data/json.h"
#include "engine/blame.h"
#include "store/cas.h"

static const size_t tail_most = 4096;
static const size_t item_most = 4096;

/* ---- one event ---- */

static void add_text(struct buf *out, const char *name, str text)
{
	buf_printf(out, ",\"%s\":", name);
	json_write_string(out, text);
}

static void add_number(struct buf *out, const char *name, int64_t number)
{
	buf_printf(out, ",\"%s\":%lld", name, (long long)number);
}

/* An event of the run, or of one within it. */
static void begin(
	struct progress *p, struct buf *out, const char *event, const struct nesting *within)
{
	buf_printf(out, "{\"v\":1,\"event\":\"%s\",\"at_ms\":%lld,\"run\":%lld", event,
		(long long)p->world->wall_ms(p->world->ctx),
		(long long)(within ? within->run : p->run));
}

static void add_nesting(struct buf *out, const struct nesting *within, str path)
{
	add_text(out, "path", path);
	add_number(out, "parent_run", within->outer_run);
	add_text(out, "parent_node", within->holder->id);
}

static void begin_node(
	struct progress *p, struct buf *out, const char *event, const struct seen *seen)
{
	begin(p, out, event, seen->within);
	add_text(out, "node", seen->node->id);
	if (seen->within)
		add_nesting(out, seen->within, seen->name);
	if (seen->parent)
		add_text(out, "parent", seen->parent->id);
	if (seen->iteration)
		add_number(out, "iteration", (int64_t)seen->iteration);
}

static bool end(struct progress *p, struct buf *out, bool may_drop)
{
	buf_add_z(out, "}\n");
	bool taken = p->write(p, buf_str(out), may_drop);
	buf_finish(out);
	return taken;
}

/* ---- output ---- */

static str stream_name(int stream)
{
	return stream ? STR("stderr") : STR("stdout");
}

/* Of one stream of one node, in the place of what is missing: before its next piece, at the latest before its end. */
static void tell_dropped(struct progress *p, struct seen *seen, int stream, bool may_drop)
{
	struct buf out = {0};
	size_t bytes = seen->dropped[stream];
	if (!bytes)
		return;
	begin_node(p, &out, "warning", seen);
	add_text(&out, "stream", stream_name(stream));
	add_text(&out, "code", STR("W-OUTPUT-DROPPED"));
	buf_printf(&out,
		",\"message\":\"%zu bytes of what %.*s printed were left out, the reader is slow\",\"bytes\":%zu",
		bytes, STR_ARG(seen->name), bytes);
	buf_printf(
		&out, ",\"help\":\"pawl logs %lld/%.*s\"", (long long)p->run, STR_ARG(seen->name));
	if (end(p, &out, may_drop))
		seen->dropped[stream] = 0;
}

static void send_output(struct progress *p, struct seen *seen, int stream, str bytes)
{
	struct buf out = {0};
	if (!bytes.len)
		return;
	tell_dropped(p, seen, stream, true);
	begin_node(p, &out, "node_output", seen);
	add_text(&out, "stream", stream_name(stream));
	add_text(&out, "text", bytes);
	if (utf8_invalid_at(bytes) != SIZE_MAX)
		buf_add_z(&out, ",\"lossy\":true");
	if (seen->dropped[stream] || !end(p, &out, true))
		seen->dropped[stream] += bytes.len;
	buf_finish(&out);
}

static void on_output(struct progress *p, const struct node_event *e)
{
	int stream = e->stream == WORLD_STDERR;
	struct seen *seen = progress_seen(p, e);
	struct buf *held = &seen->printed[stream];
	struct buf all = *held;
	*held = (struct buf){0};
	buf_add(&all, e->bytes);
	str text = buf_str(&all);
	size_t later = object_unfinished(text);
	buf_add(held, str_slice(text, text.len - later, text.len));
	send_output(p, seen, stream, str_slice(text, 0, text.len - later));
	buf_finish(&all);
}

static void end_output(struct progress *p, struct seen *seen)
{
	for (int i = 0; i < 2; i++) {
		send_output(p, seen, i, buf_str(&seen->printed[i]));
		buf_finish(&seen->printed[i]);
		tell_dropped(p, seen, i, false);
	}
}

/* ---- events of nodes ---- */

static void on_decided(struct progress *p, const struct node_event *e)
{
	struct buf out = {0};
	bool is_reuse = e->state == NODE_REUSED;
	begin_node(p, &out, "node_decided", progress_seen(p, e));
	add_text(&out, "action", is_reuse ? STR("reuse") : STR("run"));
	add_text(&out, "reason", str_of(e->reason));
	add_text(&out, "sentence", e->sentence);
	if (is_reuse)
		add_number(&out, "origin", e->origin);
	if (p->is_plan)
		buf_printf(&out, ",\"uncertain\":%s", e->is_uncertain ? "true" : "false");
	end(p, &out, false);
}

/* What a slot of a fan_out is about, where it is no document of its own. */
static void add_item(struct buf *out, const struct value *item)
{
	struct buf json = {0};
	json_write(&json, item);
	if (json.len <= item_most) {
		buf_add_z(out, ",\"item\":");
		buf_add(out, buf_str(&json));
	}
	buf_finish(&json);
}

static void on_ended(struct progress *p, const struct node_event *e)
{
	struct buf out = {0};
	end_output(p, progress_seen(p, e));
	if (e->state == NODE_PAUSED) {
		begin_node(p, &out, "node_paused", progress_seen(p, e));
		add_text(&out, "sentence", e->sentence);
		end(p, &out, false);
		return;
	}
	begin_node(p, &out, "node_ended", progress_seen(p, e));
	add_text(&out, "state", str_of(node_state_name(e->state)));
	add_text(&out, "reason", str_of(e->reason));
	add_text(&out, "sentence", e->sentence);
	add_number(&out, "tries", e->tries);
	add_number(&out, "ms", e->tries ? (int64_t)e->ms : 0);
	if (e->item)
		add_item(&out, e->item);
	if (e->state == NODE_REUSED)
		add_number(&out, "origin", e->origin);
	end(p, &out, false);
}

static void on_retry(struct progress *p, const struct node_event *e)
{
	struct buf out = {0};
	end_output(p, progress_seen(p, e));
	begin_node(p, &out, "node_retry", progress_seen(p, e));
	add_number(&out, "try", e->tries);
	add_text(&out, "message", e->sentence);
	add_number(&out, "delay_ms", (int64_t)e->ms);
	end(p, &out, false);
}

static void on_node(struct progress *p, const struct node_event *e)
{
	struct buf out = {0};
	switch (e->kind) {
	case EVENT_DECIDED: on_decided(p, e); break;
	case EVENT_STARTED:
		begin_node(p, &out, "node_started", progress_seen(p, e));
		add_number(&out, "try", e->tries);
		end(p, &out, false);
		break;
	case EVENT_RETRY: on_retry(p, e); break;
	case EVENT_NOTE:
		begin_node(p, &out, "node_note", progress_seen(p, e));
		add_text(&out, "text", e->sentence);
		end(p, &out, false);
		break;
	case EVENT_OUTPUT: on_output(p, e); break;
	case EVENT_ENDED: on_ended(p, e); break;
	}
}

/* ---- failure: what the report for people says, in fields ---- */

static void add_error(struct buf *out, str error)
{
	size_t colon = str_find(error, STR(": "), 0);
	size_t help = str_find(error, STR("\nhelp: "), 0);
	str code = str_slice(error, 0, colon == SIZE_MAX ? 0 : colon);
	add_text(out, "code", code);
	add_text(out, "message",
		str_slice(error, colon == SIZE_MAX ? 0 : colon + 2,
			help == SIZE_MAX ? error.len : help));
	if (help != SIZE_MAX)
		add_text(out, "help", str_slice(error, help + 7, error.len));
}

static void add_tail(struct progress *p, struct buf *out, str hex)
{
	struct digest digest;
	struct buf text = {0};
	uint64_t size = 0;
	if (!hex.len || !digest_parse(hex, &digest) ||
		!cas_get_tail(p->store, &digest, tail_most, &text, &size, NULL)) {
		buf_finish(&text);
		return;
	}
	str all = buf_str(&text);
	size_t from = 0;
	while (size > all.len && from < all.len && ((unsigned char)all.ptr[from] & 0xc0) == 0x80)
		from++;
	add_text(out, "stderr_tail", str_slice(all, from, all.len));
	add_number(out, "stderr_bytes", (int64_t)size);
	buf_finish(&text);
}

static void add_invalidate(struct buf *out, const struct node_row *row)
{
	struct arena arena = {0};
	const struct value *inputs = json_parse(&arena, row->inputs, NULL);
	struct buf command = {0};
	blame_command(&command, row);
	if (inputs) {
		buf_add_z(out, ",\"inputs\":");
		json_write(out, inputs);
	}
	if (command.len)
		add_text(out, "invalidate", buf_str(&command));
	buf_finish(&command);
	arena_finish(&arena);
}

static void on_failed(struct progress *p, const struct failed_node *failed)
{
	const struct node *node = failed->node;
	struct buf out = {0};
	struct buf report = {0};
	struct arena arena = {0};
	struct node_row row = {0};
	bool found = false;
	begin(p, &out, "node_failed", failed->within);
	add_text(&out, "node", node->id);
	if (failed->within)
		add_nesting(&out, failed->within, failed->name);
	add_text(&out, "file", str_of(node->at.file));
	add_number(&out, "line", node->at.line);
	if (nodes_get(p->store, &arena, failed->run, node->id, &row, &found, NULL) && found) {
		add_error(&out, row.error);
		add_number(&out, "tries", row.tries);
		add_number(&out, "exit_code", row.exit_code);
		add_number(&out, "signal", row.signal);
		add_tail(p, &out, row.log);
		add_invalidate(&out, &row);
	}
	blame_write(&report, p->store, failed->workflow, failed->run, node, false);
	add_text(&out, "report", buf_str(&report));
	end(p, &out, false);
	buf_finish(&report);
	arena_finish(&arena);
}

/* ---- the run ---- */

static void add_start(
	struct progress *p, struct buf *out, int64_t attempt, const struct workflow *workflow)
{
	add_number(out, "attempt", attempt);
	add_text(out, "workflow", workflow->name);
	add_text(out, "file", str_of(workflow->file));
	add_number(out, "nodes", workflow->node_count);
	buf_printf(out, ",\"plan\":%s", p->is_plan ? "true" : "false");
}

static void run_started(struct progress *p, int64_t run, int64_t attempt)
{
	struct buf out = {0};
	(void)run;
	begin(p, &out, "run_started", NULL);
	add_start(p, &out, attempt, p->workflow);
	end(p, &out, false);
}

static void subrun_started(struct progress *p, const struct nesting *within)
{
	struct buf out = {0};
	begin(p, &out, "subrun_started", within);
	add_nesting(&out, within, progress_name(p, within->outer, within->holder));
	add_start(p, &out, within->attempt, within->workflow);
	end(p, &out, false);
}

static void add_end(struct progress *p, struct buf *out, const struct engine_summary *s)
{
	add_number(out, "attempt", s->attempt);
	add_text(out, "state", p->is_plan ? STR("planned") : str_of(run_state_name(s->state)));
	add_number(out, "ms", (int64_t)s->ms);
}

static void add_counts(struct buf *out, const struct engine_summary *s)
{
	add_number(out, "ran", s->ran);
	add_number(out, "reused", s->reused);
	add_number(out, "failed", s->failed);
	add_number(out, "skipped", s->skipped);
	add_number(out, "cancelled", s->cancelled);
}

static void subrun_ended(
	struct progress *p, const struct nesting *within, const struct engine_summary *s)
{
	struct buf out = {0};
	begin(p, &out, "subrun_ended", within);
	add_nesting(&out, within, progress_name(p, within->outer, within->holder));
	add_end(p, &out, s);
	if (!p->is_plan)
		add_counts(&out, s);
	end(p, &out, false);
}

static void run_ended(struct progress *p, const struct engine_summary *s)
{
	struct buf out = {0};
	begin(p, &out, "run_ended", NULL);
	add_end(p, &out, s);
	if (p->is_plan) {
		add_number(&out, "would_run", (int64_t)p->planned);
		end(p, &out, false);
		return;
	}
	add_counts(&out, s);
	buf_add_z(&out, ",\"reused_from\":[");
	for (size_t i = 0; i < p->origins.len; i++)
		buf_printf(&out, "%s%lld", i ? "," : "", (long long)p->origins.ptr[i]);
	buf_add_char(&out, ']');
	if (p->first_failed.len)
		add_text(&out, "first_failed", p->first_failed);
	if (s->signal)
		add_number(&out, "signal", s->signal);
	if (s->state != RUN_COMPLETED)
		buf_printf(&out, ",\"next\":\"pawl %s %lld\"",
			s->state == RUN_PAUSED ? "approve" : "resume", (long long)s->run);
	end(p, &out, false);
}

const struct progress_view progress_json = {.run_started = run_started,
	.node = on_node,
	.failed = on_failed,
	.subrun_started = subrun_started,
	.subrun_ended = subrun_ended,
	.run_ended = run_ended};
