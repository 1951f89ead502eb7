/* facts_memo: see facts.h and facts_memo.h. */
#include "engine/facts_memo.h"

#include "base/mem.h"

#include <stdlib.h>

struct fact_memo *fact_memo_create(const struct world *world, bool may_write, bool rehash)
{
	struct fact_memo *memo = mem_zalloc(sizeof(*memo));
	memo->world = world;
	memo->may_write = may_write;
	memo->rehash = rehash;
	memo->turn = 1;
	memo->pretence = &memo->own_pretence;
	return memo;
}

void fact_memo_share_pretence(struct fact_memo *memo, const struct fact_memo *outer)
{
	memo->pretence = outer->pretence;
}

void fact_memo_forget(struct fact_memo *memo)
{
	memo->turn++;
	fs_look_destroy(memo->look);
	memo->look = NULL;
}

void fact_memo_destroy(struct fact_memo *memo)
{
	if (!memo)
		return;
	map_finish(&memo->digests);
	map_finish(&memo->tools);
	map_finish(&memo->files);
	map_finish(&memo->many);
	vec_finish(&memo->places);
	vec_finish(&memo->absent);
	fs_look_destroy(memo->look);
	pretence_finish(&memo->own_pretence);
	arena_finish(&memo->arena);
	free(memo);
}

void fact_memo_pretend(struct fact_memo *memo, str path, uint32_t mode, const struct digest *digest)
{
	pretend_file(memo->pretence, path, mode, digest);
	fact_memo_forget(memo);
}

void fact_memo_pretend_link(struct fact_memo *memo, str path, str target)
{
	pretend_link(memo->pretence, path, target);
	fact_memo_forget(memo);
}

void fact_memo_pretend_dir(struct fact_memo *memo, str path, uint32_t mode)
{
	pretend_dir(memo->pretence, path, mode);
	fact_memo_forget(memo);
}

void fact_memo_pretend_gone(struct fact_memo *memo, str path)
{
	pretend_gone(memo->pretence, path);
	fact_memo_forget(memo);
}

bool fact_memo_pretends(const struct fact_memo *memo, str path)
{
	return pretend_find(memo->pretence, path) != NULL;
}

void fact_memo_note_absent(struct fact_memo *memo, const char *path)
{
	*vec_push(&memo->absent) = arena_str(&memo->arena, str_of(path));
}

void fact_memo_note(struct fact_memo *memo, const char *path, const struct fs_stat *stat)
{
	*vec_push(&memo->places) =
		(struct seen_place){arena_str(&memo->arena, str_of(path)), *stat};
}
