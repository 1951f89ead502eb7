/* verify_store: `pawl verify --store`: reads everything in the store, and every file whose digest it remembers, and trusts no
 * time.  It looks first and changes nothing; then what is remembered wrong is dropped. */
#include "base/map.h"
#include "cli/doctor.h"
#include "cli/rows.h"
#include "data/manifest.h"
#include "store/cas.h"
#include "store/results.h"
#include "sys/fs.h"

#include <fcntl.h>
#include <stdlib.h>

struct blob {
	struct digest digest;
	uint64_t size;
};

struct remembered {
	str path;
	struct memo_row row;
};

struct looking {
	struct doctor doctor;
	struct store *store;
	struct arena arena;
	VEC(struct blob) blobs;
	struct map sound; /* digest -> itself: the blob is there and is what its name says */
	VEC(struct remembered) files;
	VEC(str) wrong; /* paths whose content is another than is remembered */
	uint64_t bytes;
	size_t results;
};

static void say(struct looking *l, const char *check, const char *help, const char *text)
{
	doctor_say(&l->doctor, FINDING_BAD, check, help, "%s", text);
}

/* ---- blobs ---- */

static void add_blob(void *arg, const struct digest *digest, uint64_t size)
{
	struct looking *l = arg;
	*vec_push(&l->blobs) = (struct blob){*digest, size};
}

static void check_blobs(struct looking *l)
{
	struct err err = {0};
	if (!cas_each(l->store, add_blob, l, &err))
		say(l, "blob", err.help, err.message);
	for (size_t i = 0; i < l->blobs.len; i++) {
		const struct blob *blob = &l->blobs.ptr[i];
		l->bytes += blob->size;
		if (cas_has(l->store, &blob->digest, true)) {
			str key = arena_str(
				&l->arena, str_make((const char *)blob->digest.bytes, DIGEST_SIZE));
			map_put(&l->sound, key, (void *)(uintptr_t)key.ptr);
			continue;
		}
		say(l, "blob", "no result with it is reused; the next run makes it anew",
			arena_printf(&l->arena, "%s is missing, or is not what its name says",
				rows_short(l->doctor.cli, &blob->digest, 12)));
	}
	err_finish(&err);
}

static bool is_sound(struct looking *l, const struct digest *digest)
{
	return map_get(&l->sound, str_make((const char *)digest->bytes, DIGEST_SIZE)) != NULL;
}

/* ---- results ---- */

static void lacks(struct looking *l, const struct result_row *row, const char *what)
{
	say(l, "result", "it is not reused; the next run makes it anew",
		arena_printf(&l->arena, "%.*s of run %lld of %.*s has lost %s", STR_ARG(row->node),
			(long long)row->run, STR_ARG(row->workflow), what));
}

static void check_files_of(struct looking *l, const struct result_row *row)
{
	struct manifest manifest = {0};
	struct buf text = {0};
	if (!is_sound(l, &row->manifest) || !cas_get(l->store, &row->manifest, &text, NULL) ||
		!manifest_parse(buf_str(&text), &manifest))
		lacks(l, row, "the list of its files");
	for (size_t i = 0; i < manifest.list.len; i++) {
		const struct artifact *file = &manifest.list.ptr[i];
		if (file->kind == ARTIFACT_FILE && !is_sound(l, &file->digest))
			lacks(l, row,
				arena_printf(&l->arena, "its file %.*s", STR_ARG(file->path)));
	}
	manifest_finish(&manifest);
	buf_finish(&text);
}

static void check_results(struct looking *l)
{
	struct result_list list = {0};
	struct err err = {0};
	if (!results_list(l->store, &l->arena, STR(""), false, &list, &err))
		say(l, "result", err.help, err.message);
	l->results = list.len;
	for (size_t i = 0; i < list.len; i++) {
		if (!is_sound(l, &list.ptr[i].output))
			lacks(l, &list.ptr[i], "its output");
		if (list.ptr[i].has_manifest)
			check_files_of(l, &list.ptr[i]);
	}
	err_finish(&err);
}

/* ---- what is remembered of files ---- */

static void add_file(void *arg, str path, const struct memo_row *row)
{
	struct looking *l = arg;
	*vec_push(&l->files) = (struct remembered){arena_str(&l->arena, path), *row};
}

static bool is_as(const struct memo_row *row, const struct fs_stat *st)
{
	return row->dev == st->dev && row->ino == st->ino && row->size == st->size &&
	       row->mtime_ns == st->mtime_ns && row->ctime_ns == st->ctime_ns;
}

/* One whose times are others is read by the next run anyway. */
static void check_file(struct looking *l, const struct remembered *file)
{
	const char *path = file->path.ptr;
	int root = path[0] == '/' ? AT_FDCWD : store_project_fd(l->store);
	struct fs_stat st;
	struct digest now;
	if (fs_stat_at(root, path, &st, NULL) != FS_FOUND || !is_as(&file->row, &st) ||
		fs_digest_at(root, path, &now, &st, NULL) != FS_FOUND || !is_as(&file->row, &st) ||
		digest_eq(&now, &file->row.digest))
		return;
	*vec_push(&l->wrong) = file->path;
	say(l, "file", "it is forgotten what it was: the next run reads it",
		arena_printf(&l->arena, "%s was changed, and its size and times were not", path));
}

static void check_files(struct looking *l)
{
	struct err err = {0};
	size_t damaged = 0;
	if (!memo_each(l->store, add_file, l, &damaged, &err))
		say(l, "file", err.help, err.message);
	for (size_t i = 0; i < l->files.len; i++)
		check_file(l, &l->files.ptr[i]);
	err_finish(&err);
}

static void forget_wrong(struct looking *l)
{
	struct err err = {0};
	if (!l->wrong.len)
		return;
	struct store *store = store_open(cli_project(l->doctor.cli), STORE_WRITE, &err);
	bool ok = store != NULL;
	for (size_t i = 0; ok && i < l->wrong.len; i++)
		ok = memo_drop(store, l->wrong.ptr[i], &err);
	if (!ok || !store_flush(store, &err))
		say(l, "store", err.help ? err.help : "until then: pawl run NAME --rehash",
			arena_printf(&l->arena, "what is remembered wrong could not be dropped: %s",
				err.message ? err.message : "the store can't be written"));
	store_close(store);
	err_finish(&err);
}

/* ---- all of it ---- */

static void look(struct looking *l)
{
	struct diags diags = {0};
	store_check(l->store, &diags);
	for (size_t i = 0; i < diags.list.len; i++)
		say(l, "database",
			diags.list.ptr[i].help
				? diags.list.ptr[i].help
				: "what is damaged is never reused; the next run makes it anew",
			diags.list.ptr[i].message);
	diags_finish(&diags);
	check_blobs(l);
	check_results(l);
	check_files(l);
}

int doctor_verify_store(struct cli *cli)
{
	struct looking l = {.doctor = {.cli = cli}};
	struct err err = {0};
	l.store = store_open(cli_project(cli), STORE_READ, &err);
	if (l.store) {
		look(&l);
		store_close(l.store);
		forget_wrong(&l);
	} else if (err_is_set(&err)) {
		say(&l, "database", err.help, err.message);
	}
	if (!l.doctor.problems)
		doctor_say(&l.doctor, FINDING_OK, "store", NULL,
			"%zu results, %zu blobs (%llu bytes) and %zu files are what they were",
			l.results, l.blobs.len, (unsigned long long)l.bytes, l.files.len);
	vec_finish(&l.blobs);
	vec_finish(&l.files);
	vec_finish(&l.wrong);
	map_finish(&l.sound);
	arena_finish(&l.arena);
	err_finish(&err);
	return l.doctor.problems ? EXIT_SYSTEM : EXIT_DONE;
}
