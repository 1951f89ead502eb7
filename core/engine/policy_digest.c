/* policy_digest: the content of a file or a directory beneath the project, for pawl.digest.  A digest is taken once a file,
 * and again when the kernel says that the file may have changed, under git's racy rule: a time stamp of the last two
 * seconds before the look proves nothing.  It knows no Lua. */
#include "engine/policy_internal.h"

#include <string.h>
#include <sys/stat.h>

#define FILE_COST    50 /* instructions */
#define BYTES_A_UNIT 4096
#define RACY_NS      INT64_C(2000000000)

struct policy_memo {
	struct fs_stat stat;
	struct digest digest;
	int64_t taken_ns;
};

static bool is_unchanged(const struct policy_memo *memo, const struct fs_stat *stat)
{
	const struct fs_stat *then = &memo->stat;
	return then->dev == stat->dev && then->ino == stat->ino && then->size == stat->size &&
	       then->mtime_ns == stat->mtime_ns && then->ctime_ns == stat->ctime_ns &&
	       then->mtime_ns + RACY_NS < memo->taken_ns &&
	       then->ctime_ns + RACY_NS < memo->taken_ns;
}

/* Takes what the digest of a file costs; false with *err where that is too much. */
static bool pay(struct sandbox *sandbox, uint64_t bytes, const char *path, struct err *err)
{
	uint64_t cost = FILE_COST + bytes / BYTES_A_UNIT;
	if (sandbox->instructions < 0 || cost >= (uint64_t)sandbox->instructions)
		return err_set(err, "E-POLICY-BUDGET", "no budget left to read %s (%llu bytes)",
			path, (unsigned long long)bytes);
	sandbox->instructions -= (int64_t)cost;
	return true;
}

struct look {
	struct policies *policies;
	struct sandbox *sandbox;
};

/* The file was what `stat` says, a moment ago. */
static enum fs_found digest_file(const struct look *look, const char *path, struct fs_stat stat,
	struct digest *out, struct err *err)
{
	int fd = look->policies->env.project_fd;
	struct policy_memo *memo = map_get(&look->policies->digests, str_of(path));
	if (memo && is_unchanged(memo, &stat)) {
		*out = memo->digest;
		return pay(look->sandbox, 0, path, err) ? FS_FOUND : FS_ERROR;
	}
	if (!pay(look->sandbox, stat.size, path, err))
		return FS_ERROR;
	enum fs_found found = fs_digest_at(fd, path, out, &stat, err);
	if (found != FS_FOUND)
		return found;
	if (!memo) {
		memo = arena_new(&look->policies->arena, struct policy_memo);
		map_put(&look->policies->digests, arena_str(&look->policies->arena, str_of(path)),
			memo);
	}
	/* It was taken later than that, by as long as the rule has been at it: the racy time only seems longer. */
	*memo = (struct policy_memo){stat, *out, look->policies->env.now_ms * 1000000};
	return FS_FOUND;
}

/* One line of a tree's listing; the name counted, so that no name can look like two entries. */
static bool add_entry(
	const struct look *look, const char *dir, const struct fs_entry *entry, struct err *err)
{
	struct sandbox *sandbox = look->sandbox;
	struct buf *text = &sandbox->text;
	char kind = S_ISDIR(entry->stat.mode) ? 'd' : entry->target ? 'l' : 'f';
	str name = str_of(entry->name);
	buf_printf(text, "%c%c %zu:%s", kind, kind == 'f' && (entry->stat.mode & 0100) ? 'x' : '-',
		name.len, entry->name);
	if (entry->target) {
		buf_printf(text, " %zu:%s", strlen(entry->target), entry->target);
	} else if (S_ISREG(entry->stat.mode)) {
		struct digest digest;
		const char *path = arena_printf(&sandbox->scratch, "%s/%s", dir, entry->name);
		enum fs_found found = digest_file(look, path, entry->stat, &digest, err);
		if (found == FS_ABSENT)
			err_set(err, "E-FS-CHANGING", "%s went away while %s was read", path, dir);
		if (found != FS_FOUND)
			return false;
		buf_add_char(text, ' ');
		digest_add_hex(text, &digest);
	}
	buf_add_char(text, '\n');
	return true;
}

static enum fs_found digest_tree(
	const struct look *look, const char *path, struct digest *out, struct err *err)
{
	struct sandbox *sandbox = look->sandbox;
	/* The state of pawl itself changes with every run. */
	const char *skip = str_is(str_of(path), ".") ? ".pawl" : NULL;
	bool ok = fs_list_tree(look->policies->env.project_fd, path, skip, &sandbox->list, err);
	buf_clear(&sandbox->text);
	for (size_t i = 0; ok && i < sandbox->list.len; i++)
		ok = add_entry(look, path, &sandbox->list.ptr[i], err);
	if (ok)
		*out = hash_of(buf_str(&sandbox->text));
	fs_list_finish(&sandbox->list);
	sandbox->list = (struct fs_list){0};
	return ok ? FS_FOUND : FS_ERROR;
}

enum fs_found policy_digest(struct policies *policies, struct sandbox *sandbox, str path,
	struct digest *out, struct err *err)
{
	const struct look look = {policies, sandbox};
	struct fs_stat stat;
	buf_clear(&sandbox->text);
	if (!fs_normalize(path, &sandbox->text)) {
		err_set(err, "E-FS-OUTSIDE", "'%.*s' is not beneath the project", STR_ARG(path));
		return FS_ERROR;
	}
	str clean = arena_str(&sandbox->scratch, buf_str(&sandbox->text));
	if (policies->env.digest) {
		if (!pay(sandbox, 0, clean.ptr, err))
			return FS_ERROR;
		return policies->env.digest(policies->env.arg, clean, out, err);
	}
	enum fs_found found = fs_stat_at(policies->env.project_fd, clean.ptr, &stat, err);
	if (found != FS_FOUND)
		return found;
	if (S_ISDIR(stat.mode))
		return digest_tree(&look, clean.ptr, out, err);
	return digest_file(&look, clean.ptr, stat, out, err);
}
