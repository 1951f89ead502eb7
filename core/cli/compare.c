/* compare: see compare.h. */
#include "cli/compare.h"

#include "cli/rows.h"
#include "cli/textdiff.h"

const char *compare_visible(struct cli *cli, str text)
{
	struct buf shown = {0};
	buf_add_visible(&shown, text);
	const char *kept = arena_str(&cli->arena, buf_str(&shown)).ptr;
	buf_finish(&shown);
	return kept;
}

static const struct artifact *find_artifact(
	const struct manifest *manifest, const struct artifact *wanted)
{
	for (size_t i = 0; i < manifest->list.len; i++) {
		const struct artifact *a = &manifest->list.ptr[i];
		if (a->root == wanted->root && str_eq(a->path, wanted->path))
			return a;
	}
	return NULL;
}

static bool artifact_eq(const struct artifact *a, const struct artifact *b)
{
	return a->kind == b->kind && a->mode == b->mode && a->size == b->size &&
	       str_eq(a->target, b->target) && digest_eq(&a->digest, &b->digest);
}

static void add_artifact(const struct comparing *c, const char *what, const struct artifact *a)
{
	buf_printf(c->out, "    artifact %s%s  %s\n",
		a->root == ROOT_ARTIFACTS ? "$ARTIFACTS_DIR/" : "",
		compare_visible(c->cli, a->path), what);
}

static void add_changed(
	const struct comparing *c, const struct artifact *then, const struct artifact *now)
{
	if (then->kind != now->kind || then->kind != ARTIFACT_FILE ||
		digest_eq(&then->digest, &now->digest)) {
		add_artifact(c, then->mode != now->mode ? "another mode" : "another kind or target",
			now);
		return;
	}
	const char *old = rows_short(c->cli, &then->digest, 12);
	add_artifact(c,
		arena_printf(&c->cli->arena, "%s → %s", old, rows_short(c->cli, &now->digest, 12)),
		now);
	if (c->with_artifact_text)
		textdiff_blobs(c->cli, c->store, c->out, &then->digest, &now->digest, c->most);
}

void compare_artifacts(
	const struct comparing *c, const struct left_behind *then, const struct left_behind *now)
{
	struct manifest old = {0};
	struct manifest new = {0};
	if (then->has_manifest)
		rows_read_manifest(c->cli, c->store, &then->manifest, &old, NULL);
	if (now->has_manifest)
		rows_read_manifest(c->cli, c->store, &now->manifest, &new, NULL);
	manifest_to_show(&old);
	manifest_to_show(&new);
	for (size_t i = 0; i < old.list.len; i++) {
		const struct artifact *was = &old.list.ptr[i];
		const struct artifact *is = find_artifact(&new, was);
		if (!is)
			add_artifact(c, "is no longer made", was);
		else if (!artifact_eq(was, is))
			add_changed(c, was, is);
	}
	for (size_t i = 0; i < new.list.len; i++) {
		if (!find_artifact(&old, &new.list.ptr[i]))
			add_artifact(c, "is new", &new.list.ptr[i]);
	}
	manifest_finish(&old);
	manifest_finish(&new);
}

static bool same_digest(bool has_a, const struct digest *a, bool has_b, const struct digest *b)
{
	return has_a == has_b && (!has_a || digest_eq(a, b));
}

void compare_outputs(
	const struct comparing *c, const struct left_behind *then, const struct left_behind *now)
{
	if (same_digest(then->has_output, &then->output, now->has_output, &now->output))
		return;
	buf_printf(c->out, "    output %s → %s\n",
		then->has_output ? rows_size(c->cli, then->output_size) : "none",
		now->has_output ? rows_size(c->cli, now->output_size) : "none");
	if (then->has_output && now->has_output)
		textdiff_blobs(c->cli, c->store, c->out, &then->output, &now->output, c->most);
}

bool compare_same(const struct left_behind *then, const struct left_behind *now)
{
	return same_digest(then->has_output, &then->output, now->has_output, &now->output) &&
	       same_digest(then->has_manifest, &then->manifest, now->has_manifest, &now->manifest);
}
