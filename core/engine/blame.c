/* blame: see blame.h. */
#include "engine/blame.h"

#include "data/json.h"
#include "data/manifest.h"
#include "engine/contract.h"
#include "engine/decide.h"
#include "engine/history.h"
#include "store/cas.h"
#include "store/results.h"
#include "sys/clock.h"
#include "sys/fs.h"

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

/* The workflow's file, relative to the project where it is inside. */
static const char *shown_file(const struct report *r)
{
	const char *file = r->workflow->file;
	const char *project = store_project_path(r->store);
	size_t len = strlen(project);
	bool is_inside = strncmp(file, project, len) == 0 && file[len] == '/';
	return is_inside ? file + len + 1 : file;
}

static void add_head(struct report *r)
{
	str error = r->row.error;
	str first = STR("");
	str_line(&error, &first);
	size_t colon = str_find(first, STR(": "), 0);
	str said = colon == SIZE_MAX ? first : str_slice(first, colon + 2, first.len);
	str code = str_starts(first, STR("E-")) && colon != SIZE_MAX ? str_slice(first, 0, colon)
	                                                             : STR("");
	buf_printf(r->out, "%s✗ %.*s failed%s (", paint(r, "\033[31m"), STR_ARG(r->node->id),
		paint(r, "\033[0m"));
	buf_add_visible(r->out, said);
	buf_add_char(r->out, ')');
	if (r->workflow)
		buf_printf(r->out, " · %s:%u", shown_file(r), r->node->at.line);
	if (code.len)
		buf_printf(r->out, " · %.*s", STR_ARG(code));
	buf_add_char(r->out, '\n');
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
	struct err err = {0};
	uint64_t size = 0;
	if (!r->row.log.len)
		return;
	if (!digest_parse(r->row.log, &digest) ||
		!cas_get_tail(r->store, &digest, tail_bytes + 64, &text, &size, &err))
		buf_printf(r->out, "    what it printed can't be shown: %s\n",
			err_is_set(&err) ? err.message : "its digest is damaged");
	err_finish(&err);
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
	if (start || size > text.len)
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
		manifest_to_show(&manifest);
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

static bool is_exonerated(struct report *r, const struct result_row *row)
{
	struct verdict_list list = {0};
	if (!verdicts_on(r->store, &r->arena, row->workflow, row->node, &row->output,
		    row->has_manifest ? &row->manifest : NULL, &list, NULL))
		return false;
	for (size_t i = 0; i < list.len; i++) {
		if (list.ptr[i].kind == VERDICT_EXONERATED)
			return true;
	}
	return false;
}

/* What is said of the reused inputs together. */
struct reused {
	size_t count;
	size_t exonerated;
	size_t unproven;
	size_t shown;
	str last;       /* name */
	int64_t origin; /* of the last one */
};

enum {
	FEW = 5,     /* are named one by one */
	SOME = 1000, /* are looked at */
};

static void add_name(struct buf *out, str name)
{
	bool is_plain = str_find_char(name, '[', 0) == SIZE_MAX;
	buf_printf(out, is_plain ? " %.*s" : " '%.*s'", STR_ARG(name));
}

static bool is_reused(const struct value *input)
{
	return str_is(text_of(input, STR("state")), "reused");
}

/* In a run within this one: the name after the last slash, and the number of that run. */
static void add_inner_command(struct buf *out, str name, int64_t run)
{
	size_t start = 0;
	for (size_t at = 0; (at = str_find_char(name, '/', start)) != SIZE_MAX;)
		start = at + 1;
	buf_printf(out, "%spawl invalidate %lld", out->len ? "; " : "", (long long)run);
	add_name(out, str_slice(name, start, name.len));
}

static void add_command(struct buf *out, const struct value *inputs, int64_t run)
{
	struct buf inner = {0};
	str last = STR("");
	size_t count = 0;
	for (size_t i = 0; i < inputs->as.list.count; i++)
		count += is_reused(&inputs->as.list.items[i]);
	for (size_t i = 0; i < inputs->as.list.count; i++) {
		const struct value *input = &inputs->as.list.items[i];
		str name = text_of(input, STR("node"));
		int64_t inner_run = number_of(input, STR("run"));
		size_t slash = str_find_char(name, '/', 0);
		size_t bracket = str_find_char(name, '[', 0);
		if (!is_reused(input))
			continue;
		if (count > FEW)
			name = str_slice(name, 0, slash < bracket ? slash : bracket);
		else if (inner_run && slash != SIZE_MAX) {
			add_inner_command(&inner, name, inner_run);
			continue;
		}
		if (str_eq(name, last))
			continue;
		if (!last.len)
			buf_printf(out, "pawl invalidate %lld", (long long)run);
		add_name(out, name);
		last = name;
	}
	if (inner.len)
		buf_printf(out, "%s%s", out->len ? "; " : "", buf_cstr(&inner));
	buf_finish(&inner);
}

void blame_command(struct buf *out, const struct node_row *row)
{
	struct arena arena = {0};
	const struct value *inputs = json_parse(&arena, row->inputs, NULL);
	if (inputs && inputs->kind == VALUE_LIST)
		add_command(out, inputs, row->run);
	arena_finish(&arena);
}

/* Of an item its fan_out; what is in a run within is of another workflow. */
static const struct node *find_maker(struct report *r, str name)
{
	bool is_inner = str_find_char(name, '/', 0) != SIZE_MAX;
	size_t end = str_find_char(name, '[', 0);
	return r->workflow && !is_inner ? workflow_find(r->workflow, str_slice(name, 0, end))
	                                : NULL;
}

static void add_reused_input(struct report *r, const struct value *input, struct reused *all)
{
	struct result_row row = {0};
	bool found = false;
	str name = text_of(input, STR("node"));
	struct buf hidden = {0};
	struct buf *shown_in = r->out;
	all->last = name;
	all->origin = number_of(input, STR("origin"));
	if (all->shown++ >= SOME)
		return;
	if (all->shown > FEW)
		r->out = &hidden;
	buf_printf(r->out, "    %.*s  from run %lld", STR_ARG(name), (long long)all->origin);
	if (results_get(r->store, &r->arena, number_of(input, STR("result")), &row, &found, NULL) &&
		found) {
		results_history(r->store, &row, NULL);
		buf_add_z(r->out, ", ");
		clock_add_age(r->out, r->row.ended_ms - row.made_ms);
		buf_printf(r->out, ", reused %lld time%s", (long long)row.times_reused,
			row.times_reused == 1 ? "" : "s");
		const struct node *made_by = find_maker(r, name);
		if (made_by) {
			buf_add_z(r->out, ", ");
			contract_describe(made_by, r->out);
		}
		add_what(r, &row);
		all->unproven += !row.provable;
		if (is_exonerated(r, &row)) {
			all->exonerated++;
			buf_add_z(r->out, ", the same when it was run again");
		}
	}
	buf_add_char(r->out, '\n');
	r->out = shown_in;
	buf_finish(&hidden);
}

/* What to do about them. */
static void add_advice(struct report *r, struct reused *all)
{
	if (all->exonerated == all->count) {
		buf_printf(r->out, "  run again, %s gave the same: look at %.*s itself\n",
			all->count == 1 ? "it" : "they", STR_ARG(r->node->id));
		return;
	}
	struct buf command = {0};
	blame_command(&command, &r->row);
	buf_printf(r->out, "  if %s bad:   %s%s%s\n",
		all->count == 1 ? "that output is" : "one of them is", paint(r, "\033[1m"),
		buf_cstr(&command), paint(r, "\033[0m"));
	buf_finish(&command);
	const char *known = all->unproven ? "that is known of what " : "";
	if (all->count == 1)
		buf_printf(r->out, "  nothing %s%.*s depends on has changed since run %lld\n",
			known, STR_ARG(all->last), (long long)all->origin);
	else
		buf_printf(r->out, "  nothing %sthey depend on has changed since they were made\n",
			known);
}

static void add_inputs(struct report *r)
{
	const struct value *inputs = json_parse(&r->arena, r->row.inputs, NULL);
	struct reused all = {0};
	if (!inputs || inputs->kind != VALUE_LIST || !inputs->as.list.count)
		return;
	for (size_t i = 0; i < inputs->as.list.count; i++)
		all.count += is_reused(&inputs->as.list.items[i]);
	if (!all.count) {
		buf_add_z(r->out,
			"  nothing that it consumed was reused: all of it was made in this run\n");
		return;
	}
	buf_printf(r->out, "  it consumed %zu reused result%s:\n", all.count,
		all.count == 1 ? "" : "s");
	for (size_t i = 0; i < inputs->as.list.count; i++) {
		const struct value *input = &inputs->as.list.items[i];
		if (is_reused(input))
			add_reused_input(r, input, &all);
	}
	if (all.shown > FEW)
		buf_printf(r->out, "    and %zu more\n", all.shown - FEW);
	add_advice(r, &all);
}

/* ---- the same failure again ---- */

/* When the first node of this attempt of the run began: what was written to before that was not written by it. */
static int64_t began_ms(struct report *r)
{
	struct node_list list = {0};
	int64_t began = r->row.started_ms;
	if (!nodes_list(r->store, &r->arena, r->row.run, &list, NULL))
		return began;
	for (size_t i = 0; i < list.len; i++) {
		const struct node_row *row = &list.ptr[i];
		if (row->attempt == r->row.attempt && row->started_ms && row->started_ms < began)
			began = row->started_ms;
	}
	return began;
}

static bool is_input(const struct past_failure *past, str path)
{
	size_t count =
		past->reads && past->reads->kind == VALUE_LIST ? past->reads->as.list.count : 0;
	for (size_t i = 0; i < count; i++) {
		str read = past->reads->as.list.items[i].as.text;
		bool is_inside = str_starts(path, read) &&
		                 (path.len == read.len || path.ptr[read.len] == '/');
		if (is_inside || str_is(read, ".") || fs_glob_matches(read, path))
			return true;
	}
	return false;
}

/* Files of the project that somebody wrote to since the failure before and that are no inputs: at most three by name. */
static size_t add_edits(struct report *r, const struct past_failure *past, struct buf *names)
{
	static const char *const skip[] = {".git", ".pawl", "node_modules", ".venv", NULL};
	struct fs_newer query = {.since_ns = past->before_ms * 1000000,
		.until_ns = began_ms(r) * 1000000,
		.skip = skip,
		.limit = 20000};
	struct fs_list list = {0};
	size_t count = 0;
	fs_find_newer(store_project_fd(r->store), &query, &list);
	for (size_t i = 0; i < list.len && count < 3; i++) {
		if (is_input(past, str_of(list.ptr[i].name)))
			continue;
		buf_printf(names, "%s`", count++ ? ", " : "");
		buf_add_visible(names, str_of(list.ptr[i].name));
		buf_add_char(names, '`');
	}
	fs_list_finish(&list);
	return count;
}

static void add_repetition(struct report *r)
{
	static const char *const endings[] = {"th", "st", "nd", "rd"};
	struct past_failure past;
	struct buf names = {0};
	if (!history_of_row(&r->arena, &r->row, &past) || past.count < 2)
		return;
	int64_t last = past.count % 10;
	bool is_teen = past.count % 100 >= 11 && past.count % 100 <= 13;
	buf_printf(r->out, "  %lld%s identical failure; nothing it depends on has changed",
		(long long)past.count, is_teen || last > 3 ? "th" : endings[last]);
	size_t edits = add_edits(r, &past, &names);
	if (edits && r->node->reads_declared)
		buf_printf(r->out, "; what you edited (%s) is not an input of this node",
			buf_cstr(&names));
	else if (edits)
		buf_printf(r->out,
			"; what you edited (%s) is not known to be an input of this node, say in `reads` if it is",
			buf_cstr(&names));
	buf_add_char(r->out, '\n');
	buf_finish(&names);
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
