/* stamp: see stamp.h. */
#include "engine/stamp.h"

#include "sys/fs.h"

#include <sys/stat.h>

static void add_stat(struct hash *hash, const struct fs_stat *st, struct stamp *stamp)
{
	int64_t newest = st->mtime_ns > st->ctime_ns ? st->mtime_ns : st->ctime_ns;
	stamp->newest_ns = newest > stamp->newest_ns ? newest : stamp->newest_ns;
	const uint64_t words[] = {st->dev, st->ino, st->size, (uint64_t)st->mtime_ns,
		(uint64_t)st->ctime_ns, st->mode};
	hash_add(hash, str_make((const char *)words, sizeof(words)));
}

struct listing {
	const char *base; /* of a directory; NULL: of a glob, whose names are whole paths */
	bool (*leave_out)(void *arg, str path);
	void *arg;
};

static bool counts(const struct listing *l, const char *name)
{
	struct buf path = {0};
	if (!l->leave_out)
		return true;
	if (l->base && strcmp(l->base, ".") != 0)
		buf_printf(&path, "%s/", l->base);
	buf_add_z(&path, name);
	bool is_left_out = l->leave_out(l->arg, buf_str(&path));
	buf_finish(&path);
	return !is_left_out;
}

static void add_list(
	struct hash *hash, const struct listing *l, const struct fs_list *list, struct stamp *stamp)
{
	for (size_t i = 0; i < list->len; i++) {
		const struct fs_entry *entry = &list->ptr[i];
		if (S_ISDIR(entry->stat.mode) || !counts(l, entry->name))
			continue;
		hash_add(hash, str_make(entry->name, strlen(entry->name) + 1));
		add_stat(hash, &entry->stat, stamp);
	}
}

struct stamp stamp_take(
	int dirfd, const char *path, bool (*leave_out)(void *arg, str path), void *arg)
{
	struct stamp stamp = {0};
	struct fs_list list = {0};
	struct fs_stat st;
	struct listing listing = {NULL, leave_out, arg};
	struct hash *hash = hash_create();
	hash_begin(hash);
	if (path[0] != '/' && fs_is_glob(str_of(path))) {
		stamp.exists = fs_glob(dirfd, str_of(path), &list, NULL) && list.len;
		add_list(hash, &listing, &list, &stamp);
	} else if (fs_stat_at(dirfd, path, &st, NULL) == FS_FOUND && S_ISDIR(st.mode)) {
		listing.base = path;
		stamp.exists = true;
		if (fs_list_tree(dirfd, path, strcmp(path, ".") ? NULL : ".pawl", &list, NULL))
			add_list(hash, &listing, &list, &stamp);
	} else if (fs_lstat_at(dirfd, path, &st, NULL) == FS_FOUND) {
		stamp.exists = true;
		add_stat(hash, &st, &stamp);
		if (S_ISLNK(st.mode) && fs_stat_at(dirfd, path, &st, NULL) == FS_FOUND)
			add_stat(hash, &st, &stamp);
	}
	stamp.digest = hash_end(hash);
	hash_destroy(hash);
	fs_list_finish(&list);
	return stamp;
}

bool stamp_eq(const struct stamp *a, const struct stamp *b)
{
	return a->exists == b->exists && digest_eq(&a->digest, &b->digest);
}
