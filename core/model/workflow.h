/* workflow: a YAML file as a checked graph in memory.  It knows no node type: what a type key means is asked of whoever
 * loads plugins, through struct workflow_types.  Immutable once loaded; all of it lives in the workflow's own arena. */
#ifndef MODEL_WORKFLOW_H
#define MODEL_WORKFLOW_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"
#include "data/value.h"
#include "data/when.h"

enum trigger_rule {
	RULE_ALL_SUCCESS,
	RULE_ONE_SUCCESS,
	RULE_NONE_FAILED_MIN_ONE_SUCCESS,
	RULE_ALL_DONE
};

struct retry {
	uint32_t extra_attempts;
	uint64_t delay_ms;
	double backoff;
	bool transient_only;
};

struct strs {
	str *ptr;
	size_t len;
};

/* NAME: value of `env` and `with`. */
struct binding {
	str name;
	str variable;                   /* of `with`: INPUTS_<UPPER_SNAKE>; of `env`: the name */
	const struct value *value;      /* a scalar with references, or any value without */
	const struct value *if_skipped; /* of `with: {x: {from:, if_skipped:}}`; NULL: none */
	struct place at;
};
struct bindings {
	struct binding *ptr;
	size_t len;
};

struct input_spec {
	str name;
	bool required;
	const struct value *fallback; /* `default`, or NULL */
	str type;                     /* "string", "number", "boolean", "json" */
	str description;
	struct place at;
};

/* Where a node was written: in the workflow's own file, in one that it includes, or in the body of a loop_group.  Names in a
 * node's text mean nodes of its scope. */
struct scope {
	const struct scope *outer; /* NULL: the workflow itself */
	const char *file;
	str source;               /* its text */
	const struct value *root; /* the file's mapping: its `defaults` */
	str prefix;               /* of ids: "build__", or empty */
	bool is_transparent; /* names that it does not have are looked for in `outer` (loop_group) */
	const struct bindings *
		with; /* values of an include's inputs, in the terms of `outer`; NULL: the run's own inputs */
	struct {
		struct input_spec *ptr;
		size_t len;
	} inputs;        /* of the file */
	uint32_t holder; /* index of the loop_group whose body this is; NO_NODE: of none */
};
#define NO_NODE UINT32_MAX

/* A condition in the terms of another scope. */
struct gate {
	const struct when *when;
	const struct scope *scope;
	bool is_entry; /* of the include: the node begins it; else it is further down */
	const struct gate *next;
};

/* What the id of an include stands for. */
struct include_alias {
	struct include_alias *outer_include; /* the include in whose file it stands, or NULL */
	str id;                              /* with the prefix of the scope in which it stands */
	struct place at;
	const struct value *fields; /* the mapping of the include node */
	const struct scope *outer;
	struct scope *scope; /* of the included file */
	const struct when *when;
	bool is_when_read;
	uint32_t first; /* its nodes: [first, end) */
	uint32_t end;
	str returns_name; /* as its file says; empty: the one node that nothing consumes */
	uint32_t returns; /* the node whose output `$id.output` is; NO_NODE: none */
};

/* Types of the core itself; CONTROL_NONE is run by a plugin. */
enum control {
	CONTROL_NONE,
	CONTROL_APPROVAL,
	CONTROL_CANCEL,
	CONTROL_WORKFLOW,
	CONTROL_LOOP_GROUP
};

struct decision_option {
	str id;
	str label;
};

enum on_reject { REJECT_CANCEL, REJECT_FAIL, REJECT_SKIP };

struct approval {
	str message; /* with references */
	struct decision_option *decisions;
	size_t decision_count;
	bool captures_response; /* the comment is the output */
	enum on_reject on_reject;
};

struct loop_group {
	uint32_t *members; /* indices of the nodes of its body, in topological order */
	uint32_t member_count;
	uint32_t
		last; /* whose output is the group's: `returns`, else the last member that nothing consumes */
	uint64_t max_iterations;
	str until; /* text to be found in the last output; empty: none */
};

enum fan_join { JOIN_ALL_SUCCESS, JOIN_ALL_DONE };

struct fan_out {
	const struct value *items; /* a reference, or a list */
	str as;                    /* the name of the input that holds the item */
	uint32_t max_parallel;
	enum fan_join join;
	struct place at;
};

struct node {
	str id; /* with the prefix of its scope */
	const struct scope *scope;
	uint32_t index;  /* in workflow->nodes, in file order */
	struct place at; /* of the node's first line */
	str type;        /* its type key */
	struct place type_at;
	const struct value *fields; /* the whole mapping, as written */
	str description;

	uint32_t *deps; /* indices of direct dependencies, sorted by id, each once */
	uint32_t dep_count;
	uint32_t *consumers; /* indices of those that depend on it */
	uint32_t consumer_count;
	uint32_t *
		refs; /* indices of nodes whose output or state it names and that are not direct dependencies */
	uint32_t ref_count;

	const struct when *when; /* NULL: none */
	str when_text;
	const struct gate *gates;      /* conditions of the includes that it is in */
	struct include_alias *include; /* the innermost include that it came with, or NULL */

	enum control control;
	struct approval *approval;
	struct loop_group *group;
	bool is_until; /* made of `until_TYPE` of a loop_group: when it ends well the loop does */
	struct fan_out *fan_out; /* NULL: none */
	str cancel_reason;       /* of `cancel`, with references */
	str child_workflow;      /* of `workflow`: a name or path */
	const struct value
		*child_input; /* of `workflow`: `input`, which becomes its $ARGUMENTS; NULL: none */
	enum trigger_rule rule;
	uint64_t timeout_ms; /* 0: none */
	struct retry retry;

	const char *always_run; /* why it is never reused, as a sentence; NULL: it may be */
	uint64_t ttl_ms;        /* 0: none */
	bool keeps_outputs;    /* `clean: false`: its body begins with what it left the last time */
	struct strs cache_key; /* extra strings with references */
	struct strs policies;  /* files of `cache: {policy:}` */

	bool reads_declared;
	struct strs reads;
	struct strs writes;
	struct strs tools;
	struct bindings env;
	struct strs pass_env;
	struct strs secrets;
	struct bindings with;
	const struct value *ensure; /* a mapping, or NULL; output_format is folded into it */
	const struct value
		*output_schema; /* of `ensure.output.schema` or `output_format`; NULL: none */
	str dir;                /* relative to the project; empty: the project */
	str pool;               /* empty: none */
	str output_type;
};

struct pool {
	str name;
	uint32_t size;
};

/* What workflow_is_upstream knows beforehand; order.c says how. */
struct reach {
	uint32_t *rank;  /* the place of a node in `order` */
	uint32_t *first; /* its number in the spanning tree */
	uint32_t *span;  /* how many numbers from `first` on are it and what hangs below it */
};

struct workflow {
	struct arena arena;
	const char *file; /* as it was asked for; what places name */
	str source;       /* the text of the file */
	const struct value *root;
	str name;
	str description;
	struct node *
		nodes; /* those of includes and of bodies of loop_groups too, each behind what holds it */
	uint32_t node_count;
	uint32_t *order; /* a topological order of indices: dependencies first, else file order */
	struct reach reach;
	struct map by_id;   /* id -> struct node * */
	struct map aliases; /* id of an include -> struct include_alias * */
	struct scope scope; /* of the file itself */
	uint32_t top_count; /* how many nodes are in no loop_group */
	struct {
		struct input_spec *ptr;
		size_t len;
	} inputs;
	struct {
		struct pool *ptr;
		size_t len;
	} pools;
	struct strs policies; /* Lua files */
	str returns;          /* node id, or empty */
};

/* What the model must know of node types. */
struct workflow_types {
	void *ctx;
	/* Whether a plugin provides this type key; *fields receives its JSON Schema as a value (a mapping with "properties"), or
	 * NULL where it has none.  False with *err empty: no such type; false with *err set: its plugin can't be loaded. */
	bool (*find)(void *ctx, str keyword, const struct value **schema, struct err *err);
	/* All type keys that could be had, for a did-you-mean. */
	void (*each)(void *ctx, void (*fn)(void *arg, str keyword), void *arg);

	/* For `include`: the text of a workflow by name or path, and in *path (on the heap) where it was.  False with *err.  NULL
	 * where workflows can't be included. */
	bool (*read)(void *ctx, str name, struct buf *text, char **path, struct err *err);
};

/* Parses and checks; all problems at once in *diags (sorted), also warnings.  NULL when there was an error.  `file` is borrowed by the places in *diags;
 * `text` is copied into the arena. */
struct workflow *workflow_load(
	str text, const char *file, const struct workflow_types *types, struct diags *diags);
void workflow_destroy(struct workflow *workflow); /* accepts NULL */

const struct node *workflow_find(const struct workflow *workflow, str id); /* NULL: there is none */

/* The node that `name` means in a text of that scope; for an include the one that it returns.  NULL: there is none. */
const struct node *workflow_resolve(
	const struct workflow *workflow, const struct scope *scope, str name);
/* The include that the name is there, or NULL. */
const struct include_alias *workflow_find_include(
	const struct workflow *wf, const struct scope *scope, str name);

/* Whether `above` is a direct or indirect dependency of `node`. */
bool workflow_is_upstream(
	const struct workflow *workflow, const struct node *above, const struct node *node);

/* Whether $LOOP_PREV.name means something in a text of that scope: a node of a loop's body.  False with *err (E-REF-LOOP). */
bool workflow_check_previous(
	const struct workflow *workflow, const struct scope *scope, str name, struct err *err);

/* Whether $INPUTS.name means something in the texts of the node: an input of its file, or the item of its fan_out. */
bool workflow_has_input(const struct node *node, str name);

/* The input that `name` most likely means; empty where none is like it. */
str workflow_nearest_input(const struct node *node, str name);

/* Whether a value is of that type of inputs. */
bool workflow_input_fits(str type, const struct value *value);

const char *trigger_rule_name(enum trigger_rule rule);

/* "30s", "5m", "2h", "1d", "500ms", a number of milliseconds; false where it is neither. */
bool workflow_duration(const struct value *value, uint64_t *ms);

#endif
