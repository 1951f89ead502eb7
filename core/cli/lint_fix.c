/* lint_fix: see lint_fix.h. */
#include "cli/lint_fix.h"

#include "cli/objects.h"
#include "cli/rows.h"
#include "cli/textdiff.h"
#include "sys/fs.h"

#include <fcntl.h>
#include <stdlib.h>

struct edit {
	size_t start;
	size_t end;
	str now;
};

struct fixing {
	struct cli *cli;
	const char *path;
	str text;
	VEC(struct edit) edits;
};

/* The offset of a line and column, or SIZE_MAX. */
static size_t offset_of(str text, const struct place *at)
{
	size_t start = 0;
	for (uint32_t line = 1; line < at->line; line++) {
		start = str_find_char(text, '\n', start);
		if (start == SIZE_MAX)
			return SIZE_MAX;
		start++;
	}
	return at->col ? start + at->col - 1 : SIZE_MAX;
}

/* The text as it is written in a scalar with such quotes. */
static str written(struct cli *cli, str text, char style)
{
	struct buf out = {0};
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if (style == '"' && (c == '"' || c == '\\'))
			buf_add_char(&out, '\\');
		if (style == '\'' && c == '\'')
			buf_add_char(&out, '\'');
		buf_add_char(&out, c);
	}
	str kept = arena_str(&cli->arena, buf_str(&out));
	buf_finish(&out);
	return kept;
}

static void take(void *arg, const struct host_fix *fix)
{
	struct fixing *f = arg;
	str then = written(f->cli, fix->then, fix->style);
	if (!fix->at.file || strcmp(fix->at.file, f->path) != 0 || fix->at.len != then.len ||
		str_find_char(fix->now, '\n', 0) != SIZE_MAX)
		return;
	size_t start = offset_of(f->text, &fix->at);
	if (start == SIZE_MAX || !str_eq(str_slice(f->text, start, start + then.len), then))
		return;
	*vec_push(&f->edits) =
		(struct edit){start, start + then.len, written(f->cli, fix->now, fix->style)};
}

/* False where the text is no workflow. */
static bool collect(struct fixing *f)
{
	struct cli *cli = f->cli;
	struct diags diags = {0};
	struct workflow_types types = cli_workflow_types(cli);
	struct workflow *workflow = workflow_load(f->text, f->path, &types, &diags);
	for (uint32_t i = 0; workflow && i < workflow->node_count; i++) {
		struct host_node_init init = {.workflow = workflow,
			.node = &workflow->nodes[i],
			.project = cli_project(cli)};
		if (init.node->control == CONTROL_NONE)
			init.type = types_find(cli_types(cli), init.node->type, NULL);
		if (!init.type)
			continue;
		struct pawl_node *node = host_node_create(&init);
		host_validate(node, &diags);
		host_each_fix(node, take, f);
		host_node_destroy(node);
	}
	bool ok = workflow != NULL;
	workflow_destroy(workflow);
	diags_finish(&diags);
	return ok;
}

static int by_start(const void *a, const void *b)
{
	const struct edit *x = a;
	const struct edit *y = b;
	return (x->start > y->start) - (x->start < y->start);
}

static size_t apply(struct fixing *f, struct buf *out)
{
	size_t at = 0;
	size_t count = 0;
	if (f->edits.len)
		qsort(f->edits.ptr, f->edits.len, sizeof(*f->edits.ptr), by_start);
	for (size_t i = 0; i < f->edits.len; i++) {
		const struct edit *edit = &f->edits.ptr[i];
		if (edit->start < at)
			continue; /* the body of an include that came twice, or two edits of one place */
		buf_add(out, str_slice(f->text, at, edit->start));
		buf_add(out, edit->now);
		at = edit->end;
		count++;
	}
	buf_add(out, str_slice(f->text, at, f->text.len));
	return count;
}

/* Is the mended text still a workflow, with less to mend? */
static bool is_better(const struct fixing *before, str text)
{
	struct fixing after = {.cli = before->cli, .path = before->path, .text = text};
	bool ok = collect(&after) && after.edits.len < before->edits.len;
	vec_finish(&after.edits);
	return ok;
}

static void show(struct cli *cli, const char *path, size_t count, str then, str now, bool dry_run)
{
	struct buf out = {0};
	if (cli->is_json) {
		object_begin(&out, "mended");
		object_text(&out, "file", str_of(path));
		object_number(&out, "references", (int64_t)count);
		object_bool(&out, "dry_run", dry_run);
		object_send(cli, &out);
		return;
	}
	buf_printf(&out, "%s %zu reference%s in %s\n", dry_run ? "would mend" : "mended", count,
		count == 1 ? "" : "s", path);
	textdiff_write(cli, &out, then, now, "  ", 200);
	talk_out(cli, buf_str(&out));
	buf_finish(&out);
}

bool lint_fix(struct cli *cli, const char *path, bool dry_run)
{
	struct buf text = {0};
	struct buf mended = {0};
	struct err err = {0};
	struct fs_stat st;
	char *real = realpath(path, NULL); /* the file itself, not a link to it */
	const char *file = real ? real : path;
	struct fixing f = {.cli = cli, .path = path};
	bool ok = fs_read_file(AT_FDCWD, file, (size_t)64 << 20, &text, &err);
	f.text = buf_str(&text);
	if (ok && collect(&f) && f.edits.len) {
		size_t count = apply(&f, &mended);
		if (is_better(&f, buf_str(&mended))) {
			ok = dry_run || (fs_stat_at(AT_FDCWD, file, &st, &err) == FS_FOUND &&
						fs_write_file(AT_FDCWD, file, buf_str(&mended),
							st.mode & 0777, false, &err));
			if (ok)
				show(cli, path, count, f.text, buf_str(&mended), dry_run);
		} else {
			talk_note(cli,
				"%s can't be mended mechanically; the help of each problem shows how",
				path);
		}
	}
	if (!ok)
		talk_fail(cli, &err);
	vec_finish(&f.edits);
	buf_finish(&text);
	buf_finish(&mended);
	free(real);
	return ok;
}
