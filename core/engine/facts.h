/* facts: taking facts of the file system and checking whether stored ones still hold.  Content decides; what the kernel
 * says of a file is a shortcut only, under git's racy rule: not trusted when the file's mtime is within two seconds of the
 * time at which the digest was taken. */
#ifndef ENGINE_FACTS_H
#define ENGINE_FACTS_H

#include "data/trace.h"
#include "engine/decide.h"
#include "plug/host.h"
#include "store/db.h"
#include "sys/fs.h"

/* Where facts are looked up.  `path_env` is the PATH of the node; `dir` its working directory relative to the project. */
struct fact_place {
	struct store *store;
	struct fact_memo *memo;
	const char *path_env;
	str dir;
	const struct strs *
		writes; /* paths that the node makes: left out of the trees and globs that it reads; may be NULL */
};

/* Digests by path for the length of a run, taken by the wall clock of `world`, in front of the store's memo; shared by all nodes. */
struct fact_memo;
struct world;
/* `rehash`: what the kernel says of a file is no shortcut; each is read again after every fact_memo_forget. */
struct fact_memo *fact_memo_create(const struct world *world, bool may_write, bool rehash);
/* What is pretended of files goes for the run around this one as well. */
void fact_memo_share_pretence(struct fact_memo *memo, const struct fact_memo *outer);
void fact_memo_destroy(struct fact_memo *memo);
/* In a plan: from now on facts are as if this file of the project were there. */
void fact_memo_pretend(
	struct fact_memo *memo, str path, uint32_t mode, const struct digest *digest);

void fact_memo_pretend_link(struct fact_memo *memo, str path, str target);
void fact_memo_pretend_dir(struct fact_memo *memo, str path, uint32_t mode);
/* And as if this were not there: a file, a link, or a directory in which nothing else is. */
void fact_memo_pretend_gone(struct fact_memo *memo, str path);
bool fact_memo_pretends(const struct fact_memo *memo, str path); /* any of that */

/* What was seen counts no more: to be called when a body is about to start or has ended, and when files were restored.
 * Between two calls a file, or a program, is looked at once however many nodes depend on it. */
void fact_memo_forget(struct fact_memo *memo);

/* A directory or link of the project was found as it should be, or nothing where there should be nothing, without a fact of it. */
void fact_memo_note_absent(struct fact_memo *memo, const char *path);
void fact_memo_note(struct fact_memo *memo, const char *path, const struct fs_stat *stat);

/* Takes the facts of `reads` and `tools` and those that the plugin named.  Strs live in `arena`.  False with *err where one
 * can't be taken (a path that leaves the project, an unreadable file): the key is incomplete then.
 * The first *declared facts come from `reads` and `tools`.  Outputs (HOST_FACT_OUTPUT and `writes`) are not facts before the body ran; words that they name are left out. */
bool facts_take(const struct fact_place *place, struct arena *arena, const struct node *node,
	const struct host_facts *plugin, struct trace *out, size_t *declared, struct err *err);

/* The project path (or absolute path) that a word of a body means; false where it can mean no file to care about. */
bool facts_resolve(const struct fact_place *place, struct arena *arena, str word, str *path);

/* Whether the path is one that the node makes: what lies in `writes` is no input of it. */
bool facts_is_own(const struct fact_place *place, str path);

/* What holds now of the subject of a fact.  False where it can't be found out. */
bool facts_now(const struct fact_place *place, struct arena *arena, const struct fact *then,
	struct fact *now);

/* What is at a path of the project, or what a pattern matches there, whoever made it: the state that a FACT_WAS names. */
bool facts_state(const struct fact_place *place, struct arena *arena, str path, struct digest *out);

/* The first fact of the trace that does not hold now, in *broken; false when all hold.  FACT_WROTE and FACT_LOOSE are not looked
 * at.  FACT_WAS holds while all of them are as the body found them, or all as it left them. */
bool facts_find_broken(const struct fact_place *place, struct arena *arena,
	const struct trace *trace, struct broken_fact *broken);

/* What is at a project path now: FACT_FILE, FACT_TREE or FACT_ABSENT; links that stay inside are followed. */
bool facts_look(const struct fact_place *place, struct arena *arena, str path, struct fact *out,
	struct err *err);

#endif
