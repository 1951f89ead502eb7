/* report_html: the page of `pawl report`: head, numbers, drawings, table, and all that is known of each node.  It is complete
 * without its script, which only opens, filters and sorts.  What nodes printed is text of strangers: it is escaped here, and the
 * page forbids itself every script but its own and every request. */
#include "cli/report.h"

#include "cli/rows.h"
#include "cli/textdiff.h"
#include "engine/decide.h"
#include "store/cas.h"
#include "sys/clock.h"

static const size_t most_shown = (size_t)64 << 10; /* bytes of a log */
static const size_t most_diff_lines = 200;

void report_add_text(struct buf *out, str text)
{
	struct buf shown = {0};
	buf_add_visible(&shown, text);
	for (size_t i = 0; i < shown.len; i++) {
		switch (shown.ptr[i]) {
		case '&': buf_add_z(out, "&amp;"); break;
		case '<': buf_add_z(out, "&lt;"); break;
		case '>': buf_add_z(out, "&gt;"); break;
		case '"': buf_add_z(out, "&quot;"); break;
		case '\'': buf_add_z(out, "&#39;"); break;
		default: buf_add_char(out, shown.ptr[i]);
		}
	}
	buf_finish(&shown);
}

static void add_base64(struct buf *out, const unsigned char *bytes, size_t n)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	for (size_t i = 0; i < n; i += 3) {
		uint32_t group = (uint32_t)bytes[i] << 16 |
		                 (i + 1 < n ? (uint32_t)bytes[i + 1] << 8 : 0) |
		                 (i + 2 < n ? bytes[i + 2] : 0);
		buf_add_char(out, digits[group >> 18]);
		buf_add_char(out, digits[group >> 12 & 63]);
		buf_add_char(out, i + 1 < n ? digits[group >> 6 & 63] : '=');
		buf_add_char(out, i + 2 < n ? digits[group & 63] : '=');
	}
}

static str without_code(str error)
{
	size_t colon = str_find(error, STR(": "), 0);
	return str_slice(error, colon == SIZE_MAX ? 0 : colon + 2, error.len);
}

static str first_line(str text)
{
	str line = STR("");
	str_line(&text, &line);
	return line;
}

/* ---- head ---- */

static void add_style_and_policy(struct buf *out)
{
	struct digest script = hash_of(str_of(report_js));
	buf_add_z(out,
		"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
		"script-src 'sha256-");
	add_base64(out, script.bytes, sizeof(script.bytes));
	buf_printf(out, "'\">\n<style>\n%s</style>\n", report_css);
}

static void add_fact(struct buf *out, const char *name, str value)
{
	if (!value.len)
		return;
	buf_printf(out, "<div><dt>%s</dt><dd>", name);
	report_add_text(out, value);
	buf_add_z(out, "</dd></div>\n");
}

static void add_facts(const struct report *r, struct buf *out)
{
	const struct run_row *run = &r->run;
	struct buf text = {0};
	buf_add_z(out, "<dl class=\"facts\">\n");
	clock_add_utc(&text, run->started_ms);
	add_fact(out, "Started", buf_str(&text));
	buf_clear(&text);
	if (run->ended_ms) {
		clock_add_duration(&text,
			(uint64_t)(run->ended_ms > run->started_ms ? run->ended_ms - run->started_ms
								   : 0));
		if (run->attempt > 1)
			buf_add_z(&text, " from first to last");
		add_fact(out, "Took", buf_str(&text));
		buf_clear(&text);
	}
	if (run->attempt > 1) {
		buf_printf(&text, "%lld", (long long)run->attempt);
		add_fact(out, "Attempts", buf_str(&text));
		buf_clear(&text);
	}
	if (run->continues) {
		buf_printf(&text, "run %lld", (long long)run->continues);
		add_fact(out, "Continues", buf_str(&text));
	}
	add_fact(out, "Workflow file", run->file);
	add_fact(out, "Inputs", str_is(run->inputs, "{}") ? STR("") : run->inputs);
	add_fact(out, "Arguments", run->arguments);
	add_fact(out, "Error", run->error);
	buf_add_z(out, "</dl>\n");
	buf_finish(&text);
}

/* How many nodes are in each state, as a line of parts and as numbers that filter the table. */
static void add_counts(const struct report *r, struct buf *out)
{
	static const enum node_state order[] = {NODE_COMPLETED, NODE_REUSED, NODE_FAILED,
		NODE_RUNNING, NODE_CANCELLED, NODE_SKIPPED, NODE_READY, NODE_PAUSED, NODE_PENDING};
	static const char *const words[] = {"ran", "reused", "failed", "running", "stopped",
		"skipped", "ready", "paused", "not begun"};
	size_t counts[NODE_PAUSED + 1] = {0};
	for (size_t i = 0; i < r->count; i++)
		counts[r->nodes[i].row.state]++;
	buf_add_z(out, "<div class=\"parts\">");
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		if (counts[order[i]])
			buf_printf(out, "<i class=\"%s\" style=\"flex-grow:%zu\"></i>",
				node_state_name(order[i]), counts[order[i]]);
	}
	buf_add_z(out, "</div>\n<div class=\"counts\">");
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		if (counts[order[i]])
			buf_printf(out,
				"<button type=\"button\" class=\"count %s\" data-state=\"%s\"><b>%zu</b> %s</button>",
				node_state_name(order[i]), node_state_name(order[i]),
				counts[order[i]], words[i]);
	}
	buf_add_z(out, "</div>\n");
}

static void add_head(const struct report *r, struct buf *out)
{
	long long id = (long long)r->run.id;
	buf_printf(out,
		"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>run %lld of ",
		id);
	report_add_text(out, r->run.workflow);
	buf_add_z(out, "</title>\n");
	add_style_and_policy(out);
	buf_printf(out, "</head>\n<body>\n<header>\n<div class=\"title\"><h1>");
	report_add_text(out, r->run.workflow);
	buf_printf(out, "</h1><span class=\"run\">run %lld</span><span class=\"pill %s\">%s</span>",
		id, run_state_name(r->run.state), run_state_name(r->run.state));
	buf_add_z(out,
		"<button type=\"button\" id=\"theme\" hidden title=\"light or dark\">◐</button></div>\n");
	add_facts(r, out);
	add_counts(r, out);
	buf_add_z(out, "</header>\n<main>\n");
}

/* ---- what failed first ---- */

static const struct report_node *first_failed(const struct report *r)
{
	const struct report_node *first = NULL;
	for (size_t i = 0; i < r->count; i++) {
		if (r->nodes[i].row.state == NODE_FAILED &&
			(!first || r->nodes[i].row.seq < first->row.seq))
			first = &r->nodes[i];
	}
	return first;
}

static void add_blob(const struct report *r, const struct report_node *node, const char *name,
	str hex, struct buf *out);

static void add_failure(const struct report *r, struct buf *out)
{
	const struct report_node *node = first_failed(r);
	if (!node)
		return;
	buf_printf(out,
		"<section class=\"failure\"><h2>Failed first: <a href=\"#n%zu\" data-node=\"%zu\">",
		(size_t)(node - r->nodes), (size_t)(node - r->nodes));
	report_add_text(out, node->id);
	buf_add_z(out, "</a></h2>\n<p class=\"error\">");
	report_add_text(out, without_code(node->row.error));
	buf_add_z(out, "</p>\n");
	add_blob(r, node, "stderr", node->row.log, out);
	if (r->run.state != RUN_COMPLETED && r->run.state != RUN_RUNNING)
		buf_printf(out, "<p class=\"next\">Go on with <code>pawl resume %lld</code></p>",
			(long long)r->run.id);
	buf_add_z(out, "</section>\n");
}

/* ---- the table ---- */

static void add_took(const struct report *r, const struct report_node *node, struct buf *out)
{
	int64_t from = 0;
	int64_t to = 0;
	bool ran = report_span(r, node, &from, &to);
	buf_printf(out, "<td class=\"number\" data-sort=\"%lld\">",
		ran ? (long long)(to - from) : -1LL);
	if (ran)
		clock_add_duration(out, (uint64_t)(to - from));
	buf_add_z(out, "</td>");
}

static void add_row(const struct report *r, size_t index, struct buf *out)
{
	const struct report_node *node = &r->nodes[index];
	const char *state = node_state_name(node->row.state);
	buf_printf(out,
		"<tr class=\"%s\" data-state=\"%s\"><td data-sort=\"%lld\"><span class=\"state %s\">%s</span></td>",
		state, state, (long long)(node->row.seq ? node->row.seq : INT64_MAX), state, state);
	buf_printf(out, "<td><a href=\"#n%zu\" data-node=\"%zu\">", index, index);
	report_add_text(out, node->id);
	buf_add_z(out, "</a></td><td class=\"why\">");
	report_add_text(out, first_line(node->row.error.len ? without_code(node->row.error)
							    : node->row.sentence));
	buf_add_z(out, "</td>");
	add_took(r, node, out);
	buf_printf(out, "<td class=\"number\" data-sort=\"%lld\">",
		node->row.output.len ? (long long)node->row.output_size : -1LL);
	if (node->row.output.len)
		buf_add_z(out, rows_size(r->cli, (uint64_t)node->row.output_size));
	buf_add_z(out, "</td></tr>\n");
}

static void add_table(const struct report *r, struct buf *out)
{
	buf_add_z(out,
		"<section><h2>Nodes</h2>\n<input id=\"filter\" type=\"search\" placeholder=\"filter\" "
		"aria-label=\"filter the nodes\" hidden>\n<div class=\"wide\"><table id=\"nodes\"><thead><tr><th>State</th>"
		"<th>Node</th><th>Why</th><th class=\"number\">Took</th><th class=\"number\">Output</th></tr></thead>"
		"<tbody>\n");
	for (size_t i = 0; i < r->count; i++)
		add_row(r, i, out);
	buf_add_z(out, "</tbody></table></div></section>\n");
}

/* ---- one node ---- */

static size_t skip_color(str text, size_t at)
{
	if (!str_starts(str_slice(text, at, at + 2), STR("\033[")))
		return at;
	size_t end = at + 2;
	while (end < text.len &&
		((text.ptr[end] >= '0' && text.ptr[end] <= '9') || text.ptr[end] == ';'))
		end++;
	return end < text.len && text.ptr[end] == 'm' ? end + 1 : at;
}

/* Colours mean nothing here; every other control sequence stays, made visible. */
static void add_printed(struct buf *out, str text)
{
	struct buf plain = {0};
	for (size_t i = 0; i < text.len;) {
		size_t next = skip_color(text, i);
		if (next == i)
			buf_add_char(&plain, text.ptr[next++]);
		i = next;
	}
	report_add_text(out, buf_str(&plain));
	buf_finish(&plain);
}

static void add_blob(const struct report *r, const struct report_node *node, const char *name,
	str hex, struct buf *out)
{
	struct digest digest;
	struct buf bytes = {0};
	if (!hex.len || !digest_parse(hex, &digest))
		return;
	uint64_t size = 0;
	if (!cas_get_tail(r->store, &digest, most_shown, &bytes, &size, NULL)) {
		buf_printf(out, "<h4>%s</h4><p class=\"none\">no longer in the store</p>\n", name);
	} else if (bytes.len) {
		size_t from = 0;
		while (size > bytes.len && from < bytes.len &&
			((unsigned char)bytes.ptr[from] & 0xc0) == 0x80)
			from++;
		buf_printf(
			out, "<h4>%s <small>%s</small></h4><pre>", name, rows_size(r->cli, size));
		if (size > bytes.len) {
			buf_printf(out, "<i>… %llu bytes before this: pawl logs %lld/",
				(unsigned long long)(size - bytes.len + from),
				(long long)node->made.run);
			report_add_text(out, node->id);
			buf_add_z(out, "</i>\n");
		}
		add_printed(out, str_slice(buf_str(&bytes), from, bytes.len));
		buf_add_z(out, "</pre>\n");
	}
	buf_finish(&bytes);
}

/* Lines of a difference, each in its colour. */
static void add_diff(const struct report *r, const struct key_change *change, struct buf *out)
{
	struct buf lines = {0};
	str line = STR("");
	textdiff_write(r->cli, &lines, change->then ? change->then->value : STR(""),
		change->now ? change->now->value : STR(""), "", most_diff_lines);
	str rest = buf_str(&lines);
	buf_add_z(out, "<pre class=\"diff\">");
	while (str_line(&rest, &line)) {
		const char *kind = str_starts(line, STR("-"))   ? "gone"
		                   : str_starts(line, STR("+")) ? "new"
		                                                : "same";
		buf_printf(out, "<span class=\"%s\">", kind);
		report_add_text(out, line);
		buf_add_z(out, "</span>");
	}
	buf_add_z(out, "</pre>");
	buf_finish(&lines);
}

static bool is_long(const struct key_part *part)
{
	return part && (part->value.len > 80 || str_find_char(part->value, '\n', 0) != SIZE_MAX);
}

static void add_change(const struct report *r, const struct key_change *change, struct buf *out)
{
	buf_add_z(out, "<tr><th>");
	report_add_text(out, change->label);
	buf_add_z(out, "</th><td>");
	if (is_long(change->then) || is_long(change->now)) {
		add_diff(r, change, out);
	} else {
		buf_add_z(out, "<del>");
		report_add_text(out, change->then ? change->then->value : STR("unset"));
		buf_add_z(out, "</del> → <ins>");
		report_add_text(out, change->now ? change->now->value : STR("unset"));
		buf_add_z(out, "</ins>");
	}
	buf_add_z(out, "</td></tr>\n");
}

static void add_changes(const struct report *r, const struct report_node *node, struct buf *out)
{
	if (!node->changed_since)
		return;
	buf_printf(out, "<h4>Its key, since run %lld</h4>", (long long)node->changed_since);
	if (!node->changes.len) {
		buf_add_z(out, "<p class=\"none\">unchanged</p>\n");
		return;
	}
	buf_add_z(out, "<table class=\"changes\">");
	for (size_t i = 0; i < node->changes.len; i++)
		add_change(r, &node->changes.ptr[i], out);
	buf_add_z(out, "</table>\n");
}

static void add_deps(const struct report *r, const struct report_node *node, struct buf *out)
{
	if (!node->dep_count)
		return;
	buf_add_z(out, "<div><dt>Depends on</dt><dd>");
	for (size_t i = 0; i < node->dep_count; i++) {
		buf_printf(out, "%s<a href=\"#n%zu\" data-node=\"%zu\">", i ? ", " : "",
			node->deps[i], node->deps[i]);
		report_add_text(out, r->nodes[node->deps[i]].id);
		buf_add_z(out, "</a>");
	}
	buf_add_z(out, "</dd></div>\n");
}

static void add_node_facts(const struct report *r, const struct report_node *node, struct buf *out)
{
	struct buf text = {0};
	buf_add_z(out, "<dl class=\"facts\">\n");
	add_fact(out, "Why", node->row.sentence);
	add_fact(out, "Reason", node->row.reason);
	add_fact(out, "Type", node->type);
	add_deps(r, node, out);
	if (node->row.tries > 1) {
		buf_printf(&text, "%lld", (long long)node->row.tries);
		add_fact(out, "Tries", buf_str(&text));
		buf_clear(&text);
	}
	if (node->row.state == NODE_REUSED) {
		buf_printf(&text, "run %lld", (long long)node->row.origin);
		add_fact(out, "Made by", buf_str(&text));
		buf_clear(&text);
	}
	if (node->has_result && !node->result.provable) {
		buf_add_z(&text, "none: ");
		buf_add(&text, node->result.unproven);
		add_fact(out, "Proof", buf_str(&text));
	} else if (node->has_result) {
		add_fact(out, "Proof", STR("all that it read is known"));
	}
	add_fact(out, "Key", str_slice(node->row.key, 0, 16));
	buf_add_z(out, "</dl>\n");
	buf_finish(&text);
}

static void add_node(const struct report *r, size_t index, struct buf *out)
{
	const struct report_node *node = &r->nodes[index];
	const char *state = node_state_name(node->row.state);
	buf_printf(out,
		"<details id=\"n%zu\" class=\"%s\" data-state=\"%s\"%s><summary><span class=\"state %s\">%s</span><b>",
		index, state, state, node->row.state == NODE_FAILED ? " open" : "", state, state);
	report_add_text(out, node->id);
	buf_add_z(out, "</b><span class=\"why\">");
	report_add_text(out, first_line(node->row.sentence));
	buf_add_z(out, "</span></summary>\n<div class=\"body\">\n");
	if (node->row.error.len) {
		buf_add_z(out, "<p class=\"error\">");
		report_add_text(out, node->row.error);
		buf_add_z(out, "</p>\n");
	}
	add_node_facts(r, node, out);
	add_changes(r, node, out);
	add_blob(r, node, "stdout", node->made.output, out);
	add_blob(r, node, "stderr", node->made.log, out);
	buf_add_z(out, "</div></details>\n");
}

void report_write_html(const struct report *r, struct buf *out)
{
	add_head(r, out);
	add_failure(r, out);
	buf_add_z(out, "<section><h2>Graph</h2>\n<div class=\"graph-room\">\n");
	report_write_graph(r, out);
	buf_add_z(out, "</div></section>\n<section><h2>Timeline</h2>\n");
	report_write_timeline(r, out);
	buf_add_z(out, "</section>\n");
	add_table(r, out);
	buf_add_z(out, "<section id=\"details\"><h2>Details and logs</h2>\n");
	for (size_t i = 0; i < r->count; i++)
		add_node(r, i, out);
	buf_add_z(out, "</section>\n</main>\n<footer>made by pawl " PAWL_VERSION ", ");
	clock_add_utc(out, r->now_ms);
	buf_printf(out,
		"</footer>\n<div id=\"tip\" hidden></div>\n<script>%s</script>\n</body>\n</html>\n",
		report_js);
}
