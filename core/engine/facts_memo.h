/* facts_memo: what facts.c keeps of what it saw in a run, for it and for seal.c, which writes down what a run rested on. */
#ifndef ENGINE_FACTS_MEMO_H
#define ENGINE_FACTS_MEMO_H

#include "base/map.h"
#include "engine/facts.h"
#include "engine/pretend.h"
#include "store/results.h"

/* What the kernel says of a file counts only when the file is older by more than this than the look at it. */
#define FACTS_RACY_NS INT64_C(2000000000)

/* What was seen, and when: good while `at` is the memo's turn. */
struct seen {
	uint64_t at;
	struct fact fact;
	const char *real; /* of a program: where it is found, or NULL */
};

struct seen_many {
	struct fact fact;
	const struct strs *writes;
};

/* A directory or link that stood as it should. */
struct seen_place {
	str path;
	struct fs_stat stat;
};

struct fact_memo {
	const struct world *world;
	bool may_write;
	struct arena arena;
	uint64_t turn;
	struct map digests;        /* path -> struct memo_row * */
	struct map tools;          /* "NAME\0PATH" -> struct seen * */
	struct map files;          /* path -> struct seen *; not of trees */
	struct fs_look *look;      /* of this turn; NULL: not yet made */
	const char *tree;          /* that is being looked at, a real path; NULL: none */
	unsigned links;            /* how many links deep that is */
	struct pretence *pretence; /* of the outermost run */
	struct pretence own_pretence;

	struct map many;      /* path or pattern -> struct seen_many *: trees and globs */
	bool has_two_views;   /* one was seen with other exceptions than before */
	bool has_linked_dirs; /* a link in a tree led to a directory, which was looked at as well */
	VEC(struct seen_place) places;
	VEC(str) absent; /* what a place must not hold */
};

#endif
