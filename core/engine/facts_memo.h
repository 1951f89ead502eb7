/* facts_memo: what facts.c keeps of what it saw in a run, for it and for seal.c, which writes down what a run rested on. */
#ifndef ENGINE_FACTS_MEMO_H
#define ENGINE_FACTS_MEMO_H

#include "base/map.h"
#include "engine/facts.h"
#include "engine/links.h"
#include "engine/pretend.h"
#include "store/results.h"

/* What the kernel says of a file counts only when the file is older by more than this than the look at it. */
#define FACTS_RACY_NS INT64_C(2000000000)

/* What was seen, and when: good while `at` is the memo's turn. */
struct seen {
	uint64_t at;
	struct fact fact;
};

struct seen_digest {
	uint64_t at; /* 0: it comes from the store */
	struct memo_row row;
};

struct seen_tool {
	uint64_t at;
	struct fact fact;
	str name;
	const char *path_env;
	const char *cwd;
	str real; /* where it is found; empty: nowhere */
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

/* The program that a name means: a real path on the heap, or NULL. */
char *tool_find(const char *name, const char *path_env, const char *cwd);

struct fact_memo {
	const struct world *world;
	bool may_write;
	bool rehash;
	struct arena arena;
	uint64_t turn;
	struct map digests;        /* path -> struct seen_digest * */
	struct map tools;          /* "NAME\0PATH\0DIR" -> struct seen_tool * */
	struct map files;          /* path -> struct seen *; not of trees */
	struct fs_look *look;      /* of this turn; NULL: not yet made */
	struct links links;        /* of the tree that is being looked at */
	struct pretence *pretence; /* of the outermost run */
	struct pretence own_pretence;

	struct map
		many; /* path or pattern and what was left out -> struct seen_many *: trees and globs */
	VEC(struct seen_place) places;
	VEC(str) absent; /* what a place must not hold */
};

#endif
