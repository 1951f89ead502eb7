/* progress_inner: what the ways of showing a run share.  The plain one writes lines through `write`; the live one is the plain
 * one whose lines go above a region that it redraws; the third one writes JSON events. */
#ifndef CLI_PROGRESS_INNER_H
#define CLI_PROGRESS_INNER_H

#include "cli/progress.h"

struct progress_view {
	void (*run_started)(struct progress *p, int64_t run, int64_t attempt);
	void (*node)(struct progress *p, const struct node_event *event);
	void (*failed)(struct progress *p, const struct node *node);
	void (*run_ended)(struct progress *p, const struct engine_summary *summary);
	void (*destroy)(struct progress *p);
};
extern const struct progress_view progress_plain, progress_live, progress_json;

/* What is kept of a node while the run goes on.  The items of a fan_out are nodes of their own, that no list of the workflow
 * has: all are known by their ids. */
struct seen {
	const struct node *node; /* valid until the run has ended */
	str sentence;            /* why it runs, shown when it ends */
	struct buf printed[2];   /* to stdout and stderr, and not yet ended with a line feed */
	size_t dropped[2];       /* bytes of them that a slow reader made us drop, not yet told */
	bool has_ended;          /* a node of a loop_group may end again */
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
	uint32_t extra;       /* how many of them are items of a fan_out */
	VEC(int64_t) origins; /* runs that made what was reused, each once, ascending */
	const struct node *first_failed;
	/* Where the plain view's lines go; false: dropped.  `may_drop` is said of nodes' output. */
	bool (*write)(struct progress *p, str text, bool may_drop);
	struct live *live; /* of the live view */
};

/* progress.c: never NULL. */
struct seen *progress_seen(struct progress *p, const struct node *node);

/* progress_plain.c */
void plain_run_started(struct progress *p, int64_t run, int64_t attempt);
void plain_node(struct progress *p, const struct node_event *event);
void plain_failed(struct progress *p, const struct node *node);
void plain_run_ended(struct progress *p, const struct engine_summary *summary);

#endif
