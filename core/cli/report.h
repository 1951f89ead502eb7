/* report: a run with all that is known of it in memory, for what is made of it: the page of `pawl report` and the trace of
 * `pawl trace`.  Everything is read from the store, the workflow too, as it was when it ran. */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include "cli/cli.h"
#include "data/key.h"
#include "store/results.h"

struct report_node {
	str id;
	str type;
	struct node_row row; /* state NODE_PENDING where the run has none of it yet */
	struct node_row
		made; /* the row in the run that made it, where it was reused; else the same as `row` */
	struct result_row result;
	bool has_result;
	struct key_changes changes; /* of its key, since the result before this one */
	int64_t changed_since;      /* the run of that one; 0: there is none to compare with */
	size_t *deps;               /* indices into report->nodes */
	size_t dep_count;
	bool is_hidden; /* of the drawing: one of very many items of a fan_out */
	/* Where it stands in the drawing; filled by report_layout(). */
	size_t layer;
	double y; /* in rows */
};

/* A point that an edge is led through, in a layer between those of its ends. */
struct report_bend {
	size_t layer;
	double y;
};

struct report_edge {
	size_t from;
	size_t to;
	struct report_bend *bends;
	size_t bend_count;
};

struct report {
	struct cli *cli;
	struct store *store;
	struct arena *arena;
	struct run_row run;
	struct report_node *nodes; /* in the order of the file */
	size_t count;
	struct report_edge *edges;
	size_t edge_count;
	size_t layers;
	double rows;
	int64_t now_ms;
	struct digest source;
};

/* False: told why. */
bool report_load(struct report *report, struct cli *cli, struct store *store, int64_t run);

/* When the node began and ended; false where it took no time of this run (reused, skipped, not begun). */
bool report_span(
	const struct report *report, const struct report_node *node, int64_t *from, int64_t *to);

/* Layers from left to right, few crossings, long edges led around what lies between. */
void report_layout(struct report *report);

/* One HTML page that needs nothing else. */
void report_write_html(const struct report *report, struct buf *out);
/* Its two drawings. */
void report_write_graph(const struct report *report, struct buf *out);
void report_write_timeline(const struct report *report, struct buf *out);

/* Chrome trace events, as JSON. */
void report_write_trace(const struct report *report, struct buf *out);

/* Appends text with the five characters of HTML escaped, and control characters made visible. */
void report_add_text(struct buf *out, str text);

/* What stands in the tooltip of a node: its state, its reason, what changed in its key. */
void report_add_hover(const struct report_node *node, struct buf *out);

/* Made from report.css and report.js at build. */
extern const char report_css[];
extern const char report_js[];

#endif
