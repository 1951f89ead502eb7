/* results: what a key maps to.  A key of a node may have several results, with different traces.  A result row carries a
 * checksum of itself: a row that does not match is dropped and reported, never believed. */
#ifndef STORE_RESULTS_H
#define STORE_RESULTS_H

#include "base/arena.h"
#include "store/db.h"

struct result_row {
	int64_t id;
	str workflow;
	str node;
	struct digest key;
	str transcript;       /* of the key (data/key.h); stored once a key */
	str trace;            /* facts (data/trace.h) */
	struct digest output; /* blob of stdout */
	uint64_t output_size;
	struct digest manifest; /* blob of the artifact manifest; zero where it wrote nothing */
	bool has_manifest;
	str emits; /* JSON object of named outputs, or empty */
	bool provable;
	str unproven; /* why it isn't provable: "reads not declared" */
	str type;     /* type keyword */
	int64_t run;  /* that made it */
	int64_t attempt;
	int64_t made_ms;
	uint64_t duration_ms;
	bool dropped; /* invalidated or replaced: history, never reused */
	/* Derived from what runs recorded; filled by results_history only. */
	int64_t times_reused;
	int64_t passed_consumers;
	int64_t failed_consumers;
};

bool results_put(struct store *store, const struct result_row *row, int64_t *id, struct err *err);

struct result_list {
	struct result_row *ptr;
	size_t len;
	size_t damaged; /* rows that failed their checksum and were dropped */
};
/* All live results under the key, newest first. */
bool results_find(struct store *store, struct arena *arena, str workflow, str node,
	const struct digest *key, struct result_list *out, struct err *err);
/* The newest result of the node, under any key, dropped ones too; *found false where there is none. */
bool results_newest(struct store *store, struct arena *arena, str workflow, str node,
	struct result_row *out, bool *found, struct err *err);
bool results_get(struct store *store, struct arena *arena, int64_t id, struct result_row *out,
	bool *found, struct err *err);
/* Every result of a workflow (empty: of all), newest first. */
bool results_list(struct store *store, struct arena *arena, str workflow, bool dropped_too,
	struct result_list *out, struct err *err);

/* Drops: the row stays as history, and is never found by results_find again. */
bool results_drop(struct store *store, int64_t id, struct err *err);
/* Drops every live result of that node under that key but `keep` (forcing replaces). */
bool results_replace(struct store *store, str workflow, str node, const struct digest *key,
	int64_t keep, struct err *err);

/* The id of the newest result that was ever stored; 0: none. */
bool results_last(struct store *store, int64_t *id, struct err *err);

/* What was forced: no result of the node up to `result` is reused any more, under any key, whether or not the run that
 * forced it ever came to the node.  One that is newer is as good as any. */
struct forced_row {
	str workflow;
	str node; /* empty: every node of the workflow */
	str root; /* the workflow of the outermost run, where it was forced from around; else empty */
	int64_t result;
	int64_t run; /* that forced it; 0: no longer known */
};
/* In place of what was forced before; `result` is what results_last gives. */
bool forced_put(struct store *store, const struct forced_row *row, struct err *err);
/* The one with the greatest result.  Those with the root `but` are left out, where it is not empty.  One that is damaged
 * may have been of any time: all that there is up to now is refused. */
bool forced_find(struct store *store, str workflow, str node, str but, struct forced_row *out,
	bool *found, struct err *err);
/* Whether there is any: asked first, since mostly there is none.  True where that can't be told. */
bool forced_any(struct store *store);
bool forced_check(struct store *store, size_t *damaged, struct err *err);

/* Records that a node of a run consumed a result and how that ended. */
bool results_consumed(
	struct store *store, int64_t result, int64_t run, str node, bool passed, struct err *err);
/* That a run took the result instead of running. */
bool results_reused(struct store *store, int64_t result, int64_t run, struct err *err);
/* Whether the result was made or reused by that run. */
bool results_belongs(struct store *store, int64_t result, int64_t run, bool *out, struct err *err);
/* Fills the three derived counters. */
bool results_history(struct store *store, struct result_row *row, struct err *err);

/* One key, two output digests: every other output that this key of the node gave, as rows, newest first (dropped too). */
bool results_other_outputs(struct store *store, struct arena *arena, const struct result_row *row,
	struct result_list *out, struct err *err);

/* Verdicts: statements on an output digest or a result. */
enum verdict_kind { VERDICT_INVALIDATED, VERDICT_QUARANTINED, VERDICT_SUSPECT, VERDICT_EXONERATED };
const char *verdict_kind_name(enum verdict_kind kind);

struct verdict_row {
	int64_t id;
	enum verdict_kind kind;
	str workflow; /* of the node that made the output */
	str node;
	struct digest
		output; /* what is judged: the output of a node (with its artifacts: `manifest`) */
	struct digest manifest;
	int64_t result; /* the result judged, or 0 */
	int64_t run;    /* during which it was given, or 0 */
	str by;         /* a user's name, or "pawl" */
	str reason;
	int64_t at_ms;
	bool automatic;
	int64_t released_ms; /* 0: it holds */
};
/* `id` may be NULL. */
bool verdicts_add(struct store *store, const struct verdict_row *row, int64_t *id, struct err *err);
struct verdict_list {
	struct verdict_row *ptr;
	size_t len;
	size_t damaged; /* rows of this node, or of any, that fail their checksum: what they said is lost */
};
/* Verdicts that hold on this output of this node (by content: any key, any run), newest first.  Where one of the node is
 * damaged none of its results may be reused: what is stored of the node so far is dropped, if the store is open for writing. */
bool verdicts_on(struct store *store, struct arena *arena, str workflow, str node,
	const struct digest *output, const struct digest *manifest, struct verdict_list *out,
	struct err *err);
/* All of them, newest first; released ones too on demand. */
bool verdicts_list(struct store *store, struct arena *arena, bool released_too,
	struct verdict_list *out, struct err *err);
/* Releases by verdict id; a released verdict is history. */
bool verdicts_release(struct store *store, int64_t id, int64_t at_ms, struct err *err);
/* Releases every holding verdict of a kind on a result (0: on any) of a node. */
bool verdicts_release_kind(struct store *store, str workflow, str node, enum verdict_kind kind,
	int64_t at_ms, struct err *err);

/* The stat memo: content digests by what the kernel says of a file; a shortcut only, subject to the racy rule by its user. */
struct memo_row {
	struct digest digest;
	uint64_t dev, ino, size;
	int64_t mtime_ns, ctime_ns;
	int64_t taken_ns; /* wall time at which it was taken */
};
bool memo_get(struct store *store, str path, struct memo_row *out, bool *found);
bool memo_put(struct store *store, str path, const struct memo_row *row);
bool memo_drop(struct store *store, str path, struct err *err);
/* Every row that holds, by path; `path` is valid during the call, which calls nothing of the store.  *damaged: how many fail
 * their checksum.  fn may be NULL. */
bool memo_each(struct store *store, void (*fn)(void *arg, str path, const struct memo_row *row),
	void *arg, size_t *damaged, struct err *err);

/* gc: drops result rows (all but pinned: results that the newest run of each workflow, or one that has not ended, made or
 * used) by age and size, the oldest first; runs older than the limits whose results are gone, with their nodes, events
 * and directories; and then blobs that no row names.  Named means: by a column of a result, by any 64 hexadecimal digits in
 * its manifest's text or its emits, by a node's output, log or extra, by a run's source, inputs or options.  What a run
 * that goes on in any process has stored stays, named or not.  Killed at any moment it leaves a sound store. */
struct gc_options {
	uint64_t max_bytes;    /* 0: no limit */
	int64_t older_than_ms; /* drop what was made before now - this; 0: no limit */
	int64_t now_ms;
	bool dry_run;
};
struct gc_report {
	size_t results;
	size_t blobs;
	uint64_t bytes;
	size_t runs;
	size_t kept_results;
	uint64_t kept_bytes;
};
bool store_gc(struct store *store, const struct gc_options *options, struct gc_report *report,
	struct err *err);

#endif
