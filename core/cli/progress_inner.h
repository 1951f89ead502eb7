/* progress_inner: what the ways of showing a run share.  The plain one writes lines through `write`; the live one is the plain
 * one whose lines go above a region that it redraws; the third one writes JSON events. */
#ifndef CLI_PROGRESS_INNER_H
#define CLI_PROGRESS_INNER_H

#include "cli/progress.h"

struct failed_node {
	const struct nesting *within; /* NULL: of the run that was asked for */
	const struct workflow *workflow;
	int64_t run;
	const struct node *node;
	str name;
};

/* The functions for runs within the run may be NULL. */
struct progress_view {
	void (*run_started)(struct progress *p, int64_t run, int64_t attempt);
	void (*node)(struct progress *p, const struct node_event *event);
	void (*failed)(struct progress *p, const struct failed_node *failed);
	void (*subrun_started)(struct progress *p, const struct nesting *within);
	void (*subrun_ended)(struct progress *p, const struct nesting *within,
		const struct engine_summary *summary);
	void (*run_ended)(struct progress *p, const struct engine_summary *summary);
	void (*destroy)(struct progress *p);
};
extern const struct progress_view progress_plain, progress_live, progress_json;

/* What is kept of a node while the run goes on.  The items of a fan_out, and the nodes of runs within the run, are in no list
 * of the workflow: all are known by their names. */
struct seen {
	str name;                     /* its id, below the ids of what holds it: "deploy/test" */
	const struct node *node;      /* these two are valid until it has ended */
	const struct nesting *within; /* NULL: a node of the run that was asked for */
	const struct node *parent;    /* of its last event, as is `iteration` */
	uint64_t iteration;
	str sentence;          /* why it runs, shown when it ends */
	struct buf printed[2]; /* to stdout and stderr, and not yet ended with a line feed */
	size_t dropped[2];     /* bytes of them that a slow reader made us drop, not yet told */
	bool is_planned;       /* counted as one that would run */
	bool has_ended;        /* a node of a loop_group may end again */
	struct seen *next;
};

struct progress {
	struct cli *cli;
	const struct world *world;
	struct store *store;
	const struct workflow *workflow;
	const struct progress_view *view;
	struct arena arena;
	bool is_plan;
	int64_t run;
	int64_t attempt;
	size_t id_width;
	size_t planned;
	size_t dropped; /* by the plain view: bytes of all nodes' output, not yet told */
	struct map by_id;
	struct seen *seen;    /* all of them */
	uint32_t extra;       /* how many of them the workflow doesn't list */
	VEC(int64_t) origins; /* runs that made what was reused, each once, ascending */
	str first_failed;     /* the name of a node, or empty */
	/* Where the plain view's lines go; false: dropped.  `may_drop` is said of nodes' output. */
	bool (*write)(struct progress *p, str text, bool may_drop);
	struct live *live; /* of the live view */
};

/* progress.c: never NULL. */
struct seen *progress_seen(struct progress *p, const struct node_event *event);
/* "deploy/test"; what is not in a run within the run is its id.  Into the progress' arena. */
str progress_name(struct progress *p, const struct nesting *within, const struct node *node);

/* progress_plain.c */
void plain_run_started(struct progress *p, int64_t run, int64_t attempt);
void plain_node(struct progress *p, const struct node_event *event);
void plain_failed(struct progress *p, const struct failed_node *failed);
void plain_run_ended(struct progress *p, const struct engine_summary *summary);

#endif
