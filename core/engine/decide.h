/* decide: the only place that decides reuse.  A pure function: no I/O, no clock of its own, no state.  Everything that the
 * program says about reuse (progress lines, `plan`, `why`, JSON events) is its return value. */
#ifndef ENGINE_DECIDE_H
#define ENGINE_DECIDE_H

#include "base/arena.h"
#include "data/key.h"
#include "data/trace.h"
#include "store/results.h"

enum action { ACTION_RUN, ACTION_REUSE };

/* In the order in which they are looked at; the first that applies wins.  reason_code() gives the stable names. */
enum reason {
	REASON_FORCED,
	REASON_NO_RESUME,
	REASON_ALWAYS_RUN,
	REASON_NOT_CACHEABLE,
	REASON_KEY_INCOMPLETE,
	REASON_FIRST_RUN,
	REASON_FAILED_BEFORE,
	REASON_BODY_CHANGED,
	REASON_FIELD_CHANGED,
	REASON_INPUT_CHANGED,
	REASON_FILE_CHANGED,
	REASON_ENV_CHANGED,
	REASON_TOOL_CHANGED,
	REASON_PLUGIN_CHANGED,
	REASON_POLICY_CHANGED,
	REASON_NOT_STORED,
	REASON_QUARANTINED,
	REASON_INVALIDATED,
	REASON_SUSPECT,
	REASON_CONTRACT_FAILED,
	REASON_EXPIRED,
	REASON_OUTPUT_MISSING,
	REASON_OUTPUT_MODIFIED,
	REASON_STORE_DAMAGED,
	REASON_POLICY,
	REASON_UNPROVEN,
	REASON_REUSE,
};
const char *reason_code(enum reason reason);

/* A fact of a trace that does not hold, and what holds instead (kind FACT_ABSENT where nothing is there). */
struct broken_fact {
	struct fact then;
	struct fact now;
};

/* Results up to `result` count no more, since `run` began; result 0: all count. */
struct cutoff {
	int64_t result;
	int64_t run; /* 0: not known any more */
};

/* One stored result under the node's key, with what was found out about it. */
struct candidate {
	const struct result_row *row;
	bool belongs;                     /* made or reused by the run that is being continued */
	const struct broken_fact *broken; /* the first input fact that does not hold now, or NULL */
	const struct verdict_row *refusal; /* quarantined, holding; or NULL */
	const struct verdict_row *suspect; /* holding and not exonerated; or NULL */
	str unrestorable; /* why what it wrote can't be put back, once that was tried; or empty */
	str contract;     /* how the stored output breaks today's `ensure`, or empty */
	str output_gone;  /* a path that it wrote, is gone and can't be restored; or empty */
	str output_other; /* a path that it wrote, was changed since and can't be restored; or empty */
	str loose;        /* a path that it or another node wrote, and that is not here; or empty */
	bool has_loose;   /* it left what it or another made */
	bool is_damaged;  /* a blob is missing or fails its digest */
	bool is_unjudged; /* a verdict on the node is stored but can't be read */
	str policy;       /* a rule's sentence against it, or empty */
};

/* Places that were made equal to a result. */
struct restored {
	size_t files; /* and links, that were put back */
	size_t dirs;
	size_t removed;
	bool has_replaced; /* something else was there, or may be on top of what was put back */
};

struct decide_input {
	/* Of the caller. */
	bool to_compare; /* `pawl verify`: it would be reused, and runs to be held against that */
	bool forced;
	bool no_resume;
	bool continuing; /* `pawl resume`, `run --resume` */
	int64_t now_ms;  /* for ages and ttl */
	/* Earlier runs that refused what was stored, for good: by force, and for all that goes on with that run. */
	struct cutoff forced_before;
	struct cutoff off_before;

	/* Of what is above it: the newest result, INT64_MAX where something ran in this attempt; and whose it is. */
	int64_t above_made;
	str above_name;

	/* Of the node. */
	const char *always_run; /* what of the file says so, as a sentence; or NULL */
	uint64_t ttl_ms;
	bool not_cacheable;  /* the plugin said so, with `words` */
	bool key_incomplete; /* some contribution could not be computed, `words` says which */
	str words;

	/* Of a plan, where not all can be known beforehand. */
	bool uncertain;          /* something that it consumes is made anew */
	bool is_optional;        /* whether its turn comes at all hangs on such a thing */
	uint64_t open_iteration; /* the loop may have ended before this one; else 0 */
	bool has_twin; /* another run in this one does the same, and one may take the other's result */

	/* Of the store. */
	const struct candidate *candidates; /* live results under the key, newest first */
	size_t candidate_count;
	const struct result_row
		*newest; /* newest result of this node under any key, dropped or not; or NULL */
	const struct key_changes *changes; /* from `newest` to now, when its key is another */
	const struct verdict_row *
		invalidated; /* why `newest` was dropped, when it was by hand and has this very key */
	bool last_has_key;   /* what ran last, and failed or left no result, had this very key */
	int64_t failed_run; /* the newest run in which this node ended, when it failed there; or 0 */
	str failed_how;     /* "exit 1" */
	str not_stored; /* why the last success left no result ("src.txt changed while it ran"), or empty */
	int64_t not_stored_run;

	struct restored restored; /* of what the chosen one wrote */
};

struct decision {
	enum action action;
	enum reason reason;
	bool has_candidate;
	size_t candidate; /* ACTION_REUSE: which; else the one that was refused, where has_candidate */
	bool is_uncertain; /* in a plan: it may turn out otherwise */
	str sentence;      /* one line, in the arena */
};

struct decision decide(struct arena *arena, const struct decide_input *in);

/* "2 h" for an age in sentences. */
str decide_age(struct arena *arena, int64_t age_ms);

/* A value as it stands in a sentence: quoted, on one line, at most `limit` bytes of it. */
str decide_quote(struct arena *arena, str value, size_t limit);

/* The reason for which a changed part of the key makes a node run. */
enum reason decide_label_reason(str label);

#endif
