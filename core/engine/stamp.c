/* stamp: see stamp.h. */
#include "engine/stamp.h"

#include "engine/links.h"

#include <fcntl.h>
#include <string.h>
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
	struct hash *hash;
	struct stamp *stamp;
	struct links links;
	int dirfd;
	bool (*leave_out)(void *arg, str path);
	void *arg;
};

static void add_text(struct hash *hash, const char *text)
{
	hash_add(hash, str_make(text, strlen(text) + 1));
}

/* Of a directory its name and mode: its times and size change whenever what a node itself makes there comes or goes. */
static void add_mode(struct hash *hash, uint32_t mode)
{
	hash_add(hash, str_make((const char *)&mode, sizeof(mode)));
}

static void add_list(struct listing *l, const char *base, const struct fs_list *list);

/* What a link leads to counts as what it is: with the way, since another way may lead to the same place. */
static void add_target(struct listing *l, const char *path)
{
	struct linked linked;
	int dirfd = path[0] == '/' ? AT_FDCWD : l->dirfd;
	if (!links_follow(&l->links, dirfd, path, &linked, NULL))
		l->stamp->is_unclear = true;
	add_text(l->hash, linked.real ? linked.real : "");
	if (linked.real)
		add_mode(l->hash, linked.stat.mode);
	if (linked.real && S_ISREG(linked.stat.mode))
		add_stat(l->hash, &linked.stat, l->stamp);
	else if (linked.is_entered)
		add_list(l, linked.real, &linked.list);
	links_leave(&l->links, &linked);
}

static void add_entry(struct listing *l, const char *path, const struct fs_entry *entry)
{
	add_text(l->hash, entry->name);
	if (S_ISDIR(entry->stat.mode))
		add_mode(l->hash, entry->stat.mode);
	else
		add_stat(l->hash, &entry->stat, l->stamp);
	if (S_ISLNK(entry->stat.mode))
		add_target(l, path);
}

static void add_list(struct listing *l, const char *base, const struct fs_list *list)
{
	struct buf path = {0};
	for (size_t i = 0; i < list->len; i++) {
		buf_clear(&path);
		if (*base)
			buf_printf(&path, "%s/", base);
		buf_add_z(&path, list->ptr[i].name);
		if (!l->leave_out || !l->leave_out(l->arg, buf_str(&path)))
			add_entry(l, buf_cstr(&path), &list->ptr[i]);
	}
	buf_finish(&path);
}

static void add_glob(struct listing *l, const char *pattern)
{
	struct fs_list list = {0};
	l->stamp->is_unclear = !fs_glob(l->dirfd, str_of(pattern), &list, NULL);
	l->stamp->exists = list.len != 0;
	links_begin(&l->links, l->dirfd, NULL);
	add_list(l, "", &list);
	links_end(&l->links);
	fs_list_finish(&list);
}

static void add_tree(struct listing *l, const char *path)
{
	struct fs_list list = {0};
	bool is_whole = !strcmp(path, ".");
	l->stamp->exists = true;
	l->stamp->is_unclear =
		!fs_list_tree(l->dirfd, path, is_whole ? ".pawl" : NULL, &list, NULL);
	links_begin(&l->links, l->dirfd, path);
	/* Where it really is decides what relative links in it mean. */
	add_text(l->hash, l->links.tree ? l->links.tree : "");
	add_list(l, is_whole ? "" : path, &list);
	links_end(&l->links);
	fs_list_finish(&list);
}

static void add_file(struct listing *l, const char *path)
{
	struct fs_stat st;
	enum fs_found found = fs_lstat_at(l->dirfd, path, &st, NULL);
	l->stamp->exists = found == FS_FOUND;
	l->stamp->is_unclear = found == FS_ERROR;
	if (!l->stamp->exists)
		return;
	add_stat(l->hash, &st, l->stamp);
	if (S_ISLNK(st.mode) && fs_stat_at(l->dirfd, path, &st, NULL) == FS_FOUND)
		add_stat(l->hash, &st, l->stamp);
}

struct stamp stamp_take(
	int dirfd, const char *path, bool (*leave_out)(void *arg, str path), void *arg)
{
	struct stamp stamp = {0};
	struct fs_stat st;
	struct listing listing = {.hash = hash_create(),
		.stamp = &stamp,
		.dirfd = dirfd,
		.leave_out = leave_out,
		.arg = arg};
	hash_begin(listing.hash);
	if (path[0] != '/' && fs_is_glob(str_of(path)))
		add_glob(&listing, path);
	else if (fs_stat_at(dirfd, path, &st, NULL) == FS_FOUND && S_ISDIR(st.mode))
		add_tree(&listing, path);
	else
		add_file(&listing, path);
	stamp.digest = hash_end(listing.hash);
	hash_destroy(listing.hash);
	return stamp;
}

bool stamp_eq(const struct stamp *a, const struct stamp *b)
{
	return !a->is_unclear && !b->is_unclear && a->exists == b->exists &&
	       digest_eq(&a->digest, &b->digest);
}
