/* pretend: see pretend.h. */
#include "engine/pretend.h"

#include "base/mem.h"

#include <stdlib.h>
#include <sys/stat.h>

void pretence_finish(struct pretence *pretence)
{
	map_finish(&pretence->by_path);
	vec_finish(&pretence->paths);
	arena_finish(&pretence->arena);
}

static struct pretended *get(struct pretence *pretence, str path)
{
	struct pretended *file = map_get(&pretence->by_path, path);
	if (!file) {
		file = arena_new(&pretence->arena, struct pretended);
		path = arena_str(&pretence->arena, path);
		map_put(&pretence->by_path, path, file);
		*vec_push(&pretence->paths) = path;
	}
	return file;
}

void pretend_dir(struct pretence *pretence, str path, uint32_t mode)
{
	*get(pretence, path) = (struct pretended){.stat.mode = S_IFDIR | (mode & 07777)};
}

void pretend_gone(struct pretence *pretence, str path)
{
	*get(pretence, path) = (struct pretended){.is_gone = true};
}

void pretend_file(struct pretence *pretence, str path, uint32_t mode, const struct digest *digest)
{
	*get(pretence, path) =
		(struct pretended){.stat.mode = S_IFREG | (mode & 07777), .digest = *digest};
}

void pretend_link(struct pretence *pretence, str path, str target)
{
	const char *copy = arena_str(&pretence->arena, target).ptr;
	*get(pretence, path) = (struct pretended){.stat.mode = S_IFLNK | 0777, .target = copy};
}

const struct pretended *pretend_find(const struct pretence *pretence, str path)
{
	return pretence->paths.len ? map_get(&pretence->by_path, path) : NULL;
}

/* The path that a link leads to, as it is written. */
static bool step(str path, str target, struct buf *out)
{
	struct buf whole = {0};
	for (size_t at = path.len; at-- > 0;) {
		if (path.ptr[at] != '/')
			continue;
		buf_add(&whole, str_slice(path, 0, at + 1));
		break;
	}
	buf_add(&whole, target);
	buf_clear(out);
	bool ok = !str_starts(target, STR("/")) && fs_normalize(buf_str(&whole), out);
	buf_finish(&whole);
	return ok;
}

const struct pretended *pretend_follow(
	const struct pretence *pretence, int dirfd, str path, struct buf *out)
{
	enum { MOST_STEPS = 8 };
	const struct pretended *found = NULL;
	struct buf at = {0};
	struct buf target = {0};
	struct buf next = {0};
	bool is_any = false;
	buf_add(&at, path);
	for (size_t i = 0; i < MOST_STEPS && pretence->paths.len; i++) {
		found = pretend_find(pretence, buf_str(&at));
		if (found && !found->target)
			break;
		is_any = is_any || found;
		buf_clear(&target);
		if (found)
			buf_add_z(&target, found->target);
		else if (!fs_read_link(dirfd, buf_cstr(&at), &target, NULL))
			break;
		found = NULL;
		if (!step(buf_str(&at), buf_str(&target), &next))
			break;
		buf_clear(&at);
		buf_add(&at, buf_str(&next));
	}
	buf_clear(out);
	if (is_any)
		buf_add(out, buf_str(&at));
	buf_finish(&at);
	buf_finish(&target);
	buf_finish(&next);
	return found;
}

/* The path within the directory; empty where it is not in it. */
static str inner(str dir, str path)
{
	if (!dir.len)
		return path;
	bool is_in = str_starts(path, dir) && path.len > dir.len + 1 && path.ptr[dir.len] == '/';
	return is_in ? str_slice(path, dir.len + 1, path.len) : STR("");
}

bool pretend_in(const struct pretence *pretence, str dir)
{
	for (size_t i = 0; i < pretence->paths.len; i++) {
		str path = pretence->paths.ptr[i];
		if (inner(dir, path).len && !pretend_find(pretence, path)->is_gone)
			return true;
	}
	return false;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct fs_entry *)a)->name, ((const struct fs_entry *)b)->name);
}

/* The first `sorted` entries are in order; the others have been added here. */
static void add(struct fs_list *list, size_t sorted, str name, const struct pretended *as)
{
	char *copy = mem_dup(name.ptr, name.len);
	char *target = as->target ? mem_dup(as->target, strlen(as->target)) : NULL;
	struct fs_entry wanted = {.name = copy, .stat = as->stat, .target = target};
	struct fs_entry *found =
		sorted ? bsearch(&wanted, list->ptr, sorted, sizeof(wanted), by_name) : NULL;
	for (size_t i = sorted; !found && i < list->len; i++) {
		if (strcmp(list->ptr[i].name, copy) == 0)
			found = &list->ptr[i];
	}
	if (!found) {
		*vec_push(list) = wanted;
		return;
	}
	free(found->target);
	found->target = target;
	found->stat = as->stat;
	free(copy);
}

static void sort(struct fs_list *list)
{
	if (list->len)
		qsort(list->ptr, list->len, sizeof(*list->ptr), by_name);
}

static bool is_gone(const struct pretence *pretence, struct buf *path, str dir, const char *name)
{
	buf_clear(path);
	if (dir.len)
		buf_printf(path, "%.*s/", STR_ARG(dir));
	buf_add_z(path, name);
	const struct pretended *found = pretend_find(pretence, buf_str(path));
	return found && found->is_gone;
}

/* Of entries in order: is one of those from `from` on in that directory?  Others that begin like it may come first: b, b.txt, b/x. */
static bool holds_any(const struct fs_list *list, size_t from, const char *dir)
{
	size_t len = strlen(dir);
	for (size_t i = from; i < list->len && !strncmp(list->ptr[i].name, dir, len); i++) {
		if (list->ptr[i].name[len] == '/')
			return true;
	}
	return false;
}

/* From the end, so that what is in a directory is looked at before it; what stays is at the end by then. */
static void drop_gone(const struct pretence *pretence, str dir, struct fs_list *list)
{
	struct buf path = {0};
	size_t to = list->len;
	for (size_t i = list->len; i-- > 0;) {
		struct fs_entry *entry = &list->ptr[i];
		if (is_gone(pretence, &path, dir, entry->name) &&
			!holds_any(list, to, entry->name)) {
			free(entry->name);
			free(entry->target);
			continue;
		}
		list->ptr[--to] = *entry;
	}
	if (to)
		memmove(list->ptr, list->ptr + to, (list->len - to) * sizeof(*list->ptr));
	list->len -= to;
	buf_finish(&path);
}

void pretend_add_tree(const struct pretence *pretence, str dir, struct fs_list *list)
{
	static const struct pretended directory = {.stat.mode = S_IFDIR | 0755};
	size_t sorted = list->len;
	for (size_t i = 0; i < pretence->paths.len; i++) {
		str path = pretence->paths.ptr[i];
		str name = inner(dir, path);
		const struct pretended *file = pretend_find(pretence, path);
		if (!name.len || file->is_gone)
			continue;
		for (size_t at = str_find_char(name, '/', 0); at != SIZE_MAX;
			at = str_find_char(name, '/', at + 1))
			add(list, sorted, str_slice(name, 0, at), &directory);
		add(list, sorted, name, file);
	}
	sort(list);
	drop_gone(pretence, dir, list);
}

void pretend_add_glob(const struct pretence *pretence, str pattern, struct fs_list *list)
{
	size_t sorted = list->len;
	for (size_t i = 0; i < pretence->paths.len; i++) {
		str path = pretence->paths.ptr[i];
		const struct pretended *file = pretend_find(pretence, path);
		if (!S_ISDIR(file->stat.mode) && fs_glob_matches(pattern, path))
			add(list, sorted, path, file);
	}
	sort(list);
	drop_gone(pretence, STR(""), list);
}
