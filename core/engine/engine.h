/* engine: runs a workflow: what is reused and what runs, in which order, and what is recorded.  It talks to the outside
 * through struct world only, and to people through struct engine_events only. */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "engine/decide.h"
#include "engine/verify.h"
#include "model/workflow.h"
#include "plug/host.h"
#include "store/runs.h"
#include "sys/world.h"

/* A run within the run that was asked for, of a `workflow` node. */
struct nesting {
	const struct nesting
		*outer; /* where the run around it is one too; NULL: that was asked for */
	int64_t outer_run;
	const struct node
		*holder; /* the `workflow` node, or the item of one, in the run around it */
	int64_t run;     /* 0 in a plan of what never ran */
	int64_t attempt;
	const struct workflow *workflow;
};

enum reuse_mode {
	REUSE_AUTO,
	REUSE_OFF,  /* --reuse=off, --no-resume */
	REUSE_ONLY, /* --reuse=only: what would have to run fails instead */
};

struct seal_request;
struct twins;

struct engine_options {
	enum reuse_mode reuse;
	int64_t resume;     /* go on with this run, in its next attempt; 0: a new run */
	int64_t continues;  /* a new run that continues this one (`run --resume`); 0: none */
	const bool *forced; /* per node index; NULL: none */
	const bool *
		selected; /* per node index: nodes outside are left alone (--from, --until); NULL: all */
	uint32_t jobs; /* at once; at least 1 */
	bool fail_fast;
	bool no_suspect;
	bool rehash;                /* files are read, whatever their times say */
	bool plan;                  /* decide only: nothing is started, nothing is written */
	bool verbose;               /* pass on output as it comes */
	uint64_t grace_ms;          /* between SIGTERM and SIGKILL; 5000 */
	const struct value *inputs; /* a map of the values given, checked; NULL: none */
	str arguments;
	const char *const *environment; /* the caller's, NULL-terminated */
	struct strs policies;           /* of the project: Lua files */

	/* For `workflow` nodes: loads a workflow by name or path; NULL with *err.  Released when its run has ended. */
	struct workflow *(*load)(void *ctx, str name, struct err *err);
	void (*release)(void *ctx, struct workflow *workflow);
	void *load_ctx;
	struct engine
		*outer; /* the run that this one is a part of, and its number; NULL, 0: none */
	int64_t parent;
	str parent_node;
	int64_t above_made; /* the newest result made above it in the runs around it, and whose that is */
	str above_name;
	/* Of that run and its node: what it refuses holds in this one too (cutoff.h). */
	struct cutoff forced_before;
	struct cutoff off_before;
	bool is_given;  /* the node is taken as it is stored, and so is all that is in it */
	unsigned depth; /* how many runs it is in */
	const struct nesting *within; /* NULL: it is the run that was asked for */
	struct twins *twins;          /* of a plan with runs in it; the engine's own */
	struct seal_request *seal;    /* seals the run where that can be done (seal.h); NULL: no */
	struct engine_verify *verify; /* with `resume`: only look again at one node; NULL: no */
};

enum node_event_kind {
	EVENT_DECIDED, /* reuse or run; `sentence` and `reason` say why */
	EVENT_STARTED, /* a try begins */
	EVENT_RETRY,   /* a try failed; the next one begins after `ms` */
	EVENT_ENDED,   /* in its final state */
	EVENT_OUTPUT,  /* bytes of stdout or stderr, when asked for */
	EVENT_NOTE,    /* something to tell about the node: `sentence` */
};

struct node_event {
	enum node_event_kind kind;
	const struct node *node;
	const struct nesting *within; /* of a run within the run, or NULL */
	const struct node *parent;    /* an item's fan_out, a member's loop_group, or NULL */
	const struct value *item;     /* of an item of a fan_out, or NULL */
	uint64_t iteration;           /* of the loop_group, from 1; else 0 */
	enum node_state state;
	const char *reason; /* code */
	str sentence;
	uint64_t ms; /* EVENT_ENDED: how long it ran; EVENT_RETRY: the delay */
	int64_t tries;
	int64_t origin; /* NODE_REUSED: the run that made it */
	int32_t stream;
	str bytes;
	bool is_uncertain; /* in a plan: it runs unless a dependency makes what it made before */
};

struct engine_summary {
	int64_t run;
	int64_t attempt;
	enum run_state state;
	uint32_t total;       /* nodes that are in no loop_group */
	uint32_t ran, reused; /* bodies: of every item and iteration, and of runs in this one */
	uint32_t failed, skipped, cancelled; /* nodes of `total` */
	uint64_t ms;
	int signal; /* that interrupted it, or 0 */
	const struct err *
		error; /* what ended the run apart from nodes (the store), or NULL; in the event only */
	bool is_broken; /* there was such an error */
};

struct engine_events {
	void *arg;
	void (*run_started)(
		void *arg, int64_t run, int64_t attempt, const struct workflow *workflow);
	void (*node)(void *arg, const struct node_event *event);
	/* A node failed for good: its row is readable, its report can be made (blame.h). */
	void (*failed)(void *arg, int64_t run, const struct node *node);
	void (*run_ended)(void *arg, const struct engine_summary *summary);
	/* Of runs within the run, whose nodes are told of by `node`; any may be NULL.  What `within` points to lives until
	 * subrun_ended has returned. */
	void (*subrun_started)(void *arg, const struct nesting *within);
	void (*subrun_failed)(void *arg, const struct nesting *within, const struct node *node);
	void (*subrun_ended)(
		void *arg, const struct nesting *within, const struct engine_summary *summary);
};

/* Runs to the end.  False with *err where it could not even begin.  The summary says how it ended. */
bool engine_run(const struct world *world, struct store *store, struct types *types,
	const struct workflow *workflow, const struct engine_options *options,
	const struct engine_events *events, struct engine_summary *summary, struct err *err);

#endif
