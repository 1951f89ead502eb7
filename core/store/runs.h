/* runs: runs, numbered 1, 2, 3 ... in a project, and what became of each node in them. */
#ifndef STORE_RUNS_H
#define STORE_RUNS_H

#include "base/arena.h"
#include "base/map.h"
#include "store/db.h"

enum run_state {
	RUN_RUNNING,
	RUN_PAUSED,
	RUN_COMPLETED,
	RUN_FAILED,
	RUN_CANCELLED,
	RUN_INTERRUPTED,
	RUN_ABANDONED
};
enum node_state {
	NODE_PENDING,
	NODE_READY,
	NODE_RUNNING,
	NODE_COMPLETED,
	NODE_REUSED,
	NODE_FAILED,
	NODE_SKIPPED,
	NODE_CANCELLED,
	NODE_PAUSED,
};

/* "running", ...; static. */
const char *run_state_name(enum run_state state);
const char *node_state_name(enum node_state state);
bool run_state_parse(str name, enum run_state *out);
bool node_state_parse(str name, enum node_state *out);

struct run_row {
	int64_t id;
	int64_t attempt; /* 1, then one more a resume */
	enum run_state state;
	str workflow; /* its name */
	str file;     /* relative to the project where it is inside, else absolute */
	str source;   /* blob digest (hex) of the YAML text that this attempt ran */
	str inputs;   /* JSON object of the values given */
	str arguments;
	str options;       /* JSON object, the engine's own */
	int64_t continues; /* the run that it continues (`run --resume`), or 0 */
	int64_t parent;    /* run that it is a sub-run of, or 0 */
	str parent_node;
	int64_t started_ms;   /* wall */
	int64_t ended_ms;     /* 0 while it goes on */
	struct proc_id owner; /* who runs it */
	str owner_here;  /* store_here of who runs it; when it is written, empty: this store's */
	bool is_live;    /* when it is read: it says that it is running, and its owner is there */
	str error;       /* one line, empty where there is none */
	int64_t same_as; /* the run whose nodes stand for this one's, or 0 */
};

/* All strs given out live in `arena`. Rows whose owner is gone are given out as they are stored: runs_reconcile changes them. */
bool runs_create(struct store *store, const struct run_row *row, int64_t *id, struct err *err);
/* The same, not yet committed: what belongs to the beginning of the run goes into the same transaction. */
bool runs_add(struct store *store, const struct run_row *row, int64_t *id, struct err *err);
bool runs_update(
	struct store *store, const struct run_row *row, struct err *err); /* all columns, by id */
bool runs_get(struct store *store, struct arena *arena, int64_t id, struct run_row *out,
	bool *found, struct err *err);

struct run_list {
	struct run_row *ptr;
	size_t len;
};
/* Newest first; workflow empty: of all; limit 0: all.  Sub-runs are left out unless `children`. */
bool runs_list(struct store *store, struct arena *arena, str workflow, size_t limit, bool children,
	struct run_list *out, struct err *err);

/* Before a run goes on: it and others share no rows of nodes any longer. */
bool runs_unshare(struct store *store, struct run_row *row, struct err *err);

/* The runs in a run, newest first. */
bool runs_children(struct store *store, struct arena *arena, int64_t parent, struct run_list *out,
	struct err *err);

/* Marks as `interrupted` every run that says it is running and whose owner is gone: that very process, or the directory of its
 * store is another (a copy), or the boot; gives their ids in `arena`.  Read-only stores: only gives them. */
bool runs_reconcile(
	struct store *store, struct arena *arena, int64_t **ids, size_t *count, struct err *err);

/* Whether any run says that it is running, its owner gone or not; those of `but` don't count, where it is not NULL. */
bool runs_are_running(struct store *store, const struct proc_id *but, bool *any, struct err *err);

struct node_row {
	int64_t run;
	str node;
	int64_t attempt; /* of the run, in which this happened */
	int64_t seq;     /* order of ends within the run; given by the store when 0 */
	enum node_state state;
	str type;       /* type keyword */
	str reason;     /* code of the decision: "first_run", "reuse", ... */
	str sentence;   /* what people are told */
	str key;        /* hex, or empty */
	int64_t result; /* the result that it made or reused, or 0 */
	int64_t origin; /* the run that made the result, when reused */
	int64_t tries;  /* how often it was started */
	int64_t started_ms;
	int64_t ended_ms;
	int64_t exit_code; /* -1 where it did not exit */
	int64_t signal;
	str error;  /* E-CODE: message, when failed */
	str output; /* blob digest of stdout (hex), or empty */
	int64_t output_size;
	str log; /* blob digest of stderr (hex), or empty */
	int64_t log_size;
	str inputs; /* JSON: [{"node":..., "result":..., "reused":bool, "origin":run}, ...]: what it consumed */
	str extra; /* JSON object, the engine's own (notes, fan_out slots, ...) */
};

/* Inserts or replaces the row of (run, node). */
bool nodes_put(struct store *store, const struct node_row *row, struct err *err);
bool nodes_get(struct store *store, struct arena *arena, int64_t run, str node,
	struct node_row *out, bool *found, struct err *err);
struct node_list {
	struct node_row *ptr;
	size_t len;
};
bool nodes_list(struct store *store, struct arena *arena, int64_t run, struct node_list *out,
	struct err *err);

/* The newest row of the node in any run of the workflow, whatever its state; *found false: it never ran. */
bool nodes_newest(struct store *store, struct arena *arena, str workflow, str node,
	struct node_row *out, bool *found, struct err *err);
/* Puts the nodes that completed or were reused in the newest run of the workflow, but run `but`, into *out: name -> name,
 * in the arena. */
bool nodes_passed_last(struct store *store, struct arena *arena, str workflow, int64_t but,
	struct map *out, struct err *err);

/* Events: an append-only journal of a run for `--json`, `show` and reports. */
bool events_add(struct store *store, int64_t run, int64_t at_ms, str node, str kind, str json,
	struct err *err);
bool events_each(struct store *store, int64_t run,
	void (*fn)(void *arg, int64_t seq, int64_t at_ms, str node, str kind, str json), void *arg,
	struct err *err);

/* A plugin's durable key-value pairs, scoped by plugin id. */
bool kv_get(struct store *store, struct arena *arena, str plugin, str key, str *out, bool *found,
	struct err *err);
bool kv_put(struct store *store, str plugin, str key, str value, struct err *err);

#endif
