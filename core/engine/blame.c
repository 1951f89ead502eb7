/* blame: see blame.h. */
#include "engine/blame.h"

#include "data/json.h"
#include "data/manifest.h"
#include "engine/contract.h"
#include "engine/decide.h"
#include "store/cas.h"
#include "store/results.h"
#include "sys/clock.h"

static const size_t tail_lines = 12;
static const size_t tail_bytes = 4096;

struct report {
	struct buf *out;
	struct store *store;
	const struct workflow *workflow;
	const struct node *node;
	struct node_row row;
	struct arena arena;
	bool color;
};

static const char *paint(const struct report *r, const char *code)
{
	return r->color ? code : "";
}

static void add_head(struct report *r)
{
	str error = r->row.error;
	str first = STR("");
	str_line(&error, &first);
	size_t colon = str_find(first, STR(": "), 0);
	str said = colon == SIZE_MAX ? first : str_slice(first, colon + 2, first.len);
	buf_printf(r->out, "%s✗ %.*s failed%s (", paint(r, "\033[31m"), STR_ARG(r->node->id),
		paint(r, "\033[0m"));
	buf_add_visible(r->out, said);
	buf_printf(r->out, ")%s%s:%u\n", " · ", r->workflow->file, r->node->at.line);
	while (str_line(&error, &first)) {
		buf_add_z(r->out, "    ");
		buf_add_visible(r->out, first);
		buf_add_char(r->out, '\n');
	}
}

/* The last lines of the node's own stderr. */
static void add_tail(struct report *r)
{
	struct digest digest;
	struct buf text = {0};
	if (!r->row.log.len || !digest_parse(r->row.log, &digest) ||
		!cas_get(r->store, &digest, &text, NULL)) {
		buf_finish(&text);
		return;
	}
	str all = buf_str(&text);
	while (all.len && all.ptr[all.len - 1] == '\n')
		all.len--;
	size_t start = all.len;
	for (size_t lines = 0; start > 0; start--) {
		if (all.ptr[start - 1] == '\n' && ++lines == tail_lines)
			break;
		if (all.len - start >= tail_bytes)
			break;
	}
	str tail = str_slice(all, start, all.len);
	str line = STR("");
	if (start)
		buf_printf(r->out, "    %s… `pawl logs %lld/%.*s` has all of it%s\n",
			paint(r, "\033[2m"), (long long)r->row.run, STR_ARG(r->node->id),
			paint(r, "\033[0m"));
	while (str_line(&tail, &line)) {
		buf_add_z(r->out, "    ");
		buf_add_visible(r->out, line);
		buf_add_char(r->out, '\n');
	}
	buf_finish(&text);
}

static int64_t number_of(const struct value *map, str name)
{
	const struct value *value = value_get(map, name);
	uint64_t number = 0;
	return value && value->kind == VALUE_NUMBER && str_to_u64(value->as.text, &number)
	               ? (int64_t)number
	               : 0;
}

static str text_of(const struct value *map, str name)
{
	const struct value *value = value_get(map, name);
	return value && value->kind == VALUE_STRING ? value->as.text : STR("");
}

/* What it made, shown small: the first artifact, or the size of its output. */
static void add_what(struct report *r, const struct result_row *row)
{
	struct manifest manifest = {0};
	struct buf text = {0};
	if (row->has_manifest && cas_get(r->store, &row->manifest, &text, NULL) &&
		manifest_parse(buf_str(&text), &manifest) && manifest.list.len) {
		const struct artifact *a = &manifest.list.ptr[0];
		const char *root = a->root == ROOT_ARTIFACTS ? "$ARTIFACTS_DIR/" : "";
		buf_printf(r->out, "  %s%.*s %llu B", root, STR_ARG(a->path),
			(unsigned long long)a->size);
		if (manifest.list.len > 1)
			buf_printf(r->out, " and %zu more", manifest.list.len - 1);
	} else {
		buf_printf(r->out, "  output %llu B", (unsigned long long)row->output_size);
	}
	manifest_finish(&manifest);
	buf_finish(&text);
}

static void add_reused_input(struct report *r, const struct value *input)
{
	struct result_row row = {0};
	bool found = false;
	str name = text_of(input, STR("node"));
	buf_printf(r->out, "    %.*s  from run %lld", STR_ARG(name),
		(long long)number_of(input, STR("origin")));
	if (results_get(r->store, &r->arena, number_of(input, STR("result")), &row, &found, NULL) &&
		found) {
		results_history(r->store, &row, NULL);
		buf_add_z(r->out, ", ");
		clock_add_age(r->out, clock_wall_ms() - row.made_ms);
		buf_printf(r->out, ", reused %lld time%s, ", (long long)row.times_reused,
			row.times_reused == 1 ? "" : "s");
		const struct node *made_by = workflow_find(r->workflow, name);
		if (made_by)
			contract_describe(made_by, r->out);
		add_what(r, &row);
	}
	buf_add_char(r->out, '\n');
}

static void add_inputs(struct report *r)
{
	const struct value *inputs = json_parse(&r->arena, r->row.inputs, NULL);
	size_t count = 0;
	struct buf names = {0};
	if (!inputs || inputs->kind != VALUE_LIST)
		return;
	for (size_t i = 0; i < inputs->as.list.count; i++)
		count += str_is(text_of(&inputs->as.list.items[i], STR("state")), "reused");
	if (!count) {
		if (inputs->as.list.count)
			buf_printf(r->out,
				"  nothing that it consumed was reused: all of it was made in this run\n");
		return;
	}
	buf_printf(r->out, "  it consumed %zu reused result%s:\n", count, count == 1 ? "" : "s");
	for (size_t i = 0; i < inputs->as.list.count; i++) {
		const struct value *input = &inputs->as.list.items[i];
		if (!str_is(text_of(input, STR("state")), "reused"))
			continue;
		add_reused_input(r, input);
		str name = text_of(input, STR("node"));
		buf_printf(&names, " %.*s", STR_ARG(name));
	}
	buf_printf(r->out, "  if %s bad:   %spawl invalidate %lld%s%s\n",
		count == 1 ? "that output is" : "one of them is", paint(r, "\033[1m"),
		(long long)r->row.run, buf_cstr(&names), paint(r, "\033[0m"));
	buf_finish(&names);
}

static void add_repetition(struct report *r)
{
	int64_t count = 0;
	if (!r->row.key.len ||
		!nodes_failures(
			r->store, r->workflow->name, r->node->id, r->row.key, &count, NULL) ||
		count < 2)
		return;
	static const char *const endings[] = {"th", "st", "nd", "rd"};
	int64_t last = count % 10;
	const char *ending =
		(count % 100 >= 11 && count % 100 <= 13) || last > 3 ? "th" : endings[last];
	buf_printf(r->out,
		"  %lld%s identical failure: nothing that `%.*s` depends on has changed between them\n",
		(long long)count, ending, STR_ARG(r->node->id));
}

void blame_write(struct buf *out, struct store *store, const struct workflow *workflow, int64_t run,
	const struct node *node, bool color)
{
	struct report r = {
		.out = out, .store = store, .workflow = workflow, .node = node, .color = color};
	bool found = false;
	if (nodes_get(store, &r.arena, run, node->id, &r.row, &found, NULL) && found) {
		add_head(&r);
		add_tail(&r);
		add_inputs(&r);
		add_repetition(&r);
	}
	arena_finish(&r.arena);
}
