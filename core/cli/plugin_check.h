/* plugin_check: what the files of `pawl plugin check` share.  The runner (plugin_check.c) knows processes and TAP, the cases
 * (plugin_cases.c, plugin_key.c) know what a good plugin does, and plugin_sample.c makes the nodes that they do it with.
 *
 * The plugin is only ever loaded in a process of the case's own: whatever it does there is a result of that case. */
#ifndef CLI_PLUGIN_CHECK_H
#define CLI_PLUGIN_CHECK_H

#include "cli/cli.h"

/* What to check, the same for all cases. */
struct check {
	struct cli *cli;
	const char *path;    /* of the plugin, absolute */
	const char *dir;     /* that it stands in */
	str keyword;         /* by its name */
	const char *nodes;   /* --node: a workflow with nodes to try, or NULL */
	const char *scratch; /* a directory of the check's own: working directory of the nodes */
	struct arg_list ignored; /* --ignore-field */
	int64_t limit_s;
};

/* A node to try: fields of the type, and of the engine's those that change what a body sees. */
struct sample {
	str name;
	const struct value *fields; /* a map */
};
struct samples {
	VEC(struct sample) list;
};

/* One case in its process. */
struct trial {
	const struct check *check;
	struct arena arena;
	struct types *types;
	const struct plug_type *type;
	struct samples samples;
	const struct sample *sample;
	struct workflow *workflow; /* of the sample that was loaded last */
	struct pawl_node *node;
	struct diags diags;
	bool has_failed;
};

/* ---- plugin_sample.c ---- */

/* From --node, else one made from the schema.  False: *err says why there is none. */
bool samples_make(struct trial *trial, struct err *err);
/* What the schema says of a field of the type; NULL: there is no such field, or it says nothing. */
const struct value *sample_schema(const struct trial *trial, str field);
/* A value that the schema has nothing against, and one that differs from `value` in what it means; NULL: none comes to mind. */
const struct value *sample_value(struct arena *arena, const struct value *schema);
const struct value *sample_other(
	struct arena *arena, const struct value *schema, const struct value *value);
/* The fields with one set anew. */
const struct value *sample_with(
	struct arena *arena, const struct value *fields, str name, const struct value *value);
/* The text of a workflow with one node `it`; a field a line, from line SAMPLE_FIRST_LINE on.  With `other` a node `dep`, which
 * has those fields, stands behind it, and `it` depends on it. */
#define SAMPLE_FIRST_LINE 4
void sample_text(struct buf *out, const struct value *fields, const struct value *other);

/* ---- trials (plugin_cases.c) ---- */

/* Notes for whoever reads the result; trial_fail makes the case fail as well. */
void trial_note(struct trial *trial, const char *format, ...) __attribute__((format(printf, 2, 3)));
void trial_fail(struct trial *trial, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Where the host has said that a call held it up: a fault when it did so for long. */
void trial_judge_slowness(struct trial *trial, str text);
/* Loads the workflow of those fields and validates its node `it`; false: trial->diags says why not.  Until the next one. */
bool trial_load(struct trial *trial, const struct value *fields, const struct value *other);
void trial_unload(struct trial *trial);
/* A node that could be run or hashed, with values for its references; `world` NULL: hashed only. */
struct pawl_node *trial_node(struct trial *trial, const struct world *world);

struct check_case {
	const char *name; /* what is true where it passes */
	void (*run)(struct trial *trial);
	bool is_once; /* not for each sample */
};
extern const struct check_case check_cases[]; /* ends in {NULL} */

/* ---- plugin_key.c ---- */

void case_key_repeats(struct trial *trial);
void case_key_differs(struct trial *trial);
/* What `pawl plugin check --key-of SAMPLE` prints, in a process of its own. */
bool trial_print_key(struct trial *trial, size_t sample, struct buf *out);

/* ---- plugin_run.c ---- */

void case_runs(struct trial *trial);
void case_cancels(struct trial *trial);
void case_leaks_nothing(struct trial *trial);

/* ---- plugin_check.c ---- */

/* Loads the plugin and makes the samples; false: told. */
bool trial_open(struct trial *trial, const struct check *check);

#endif
