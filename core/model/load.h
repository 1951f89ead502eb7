/* load: what the files that build a struct workflow share.  Private to model/. */
#ifndef MODEL_LOAD_H
#define MODEL_LOAD_H

#include "model/workflow.h"

/* A node mapping that was found, before it is read. */
struct found_node {
	const struct value *map;
	const struct scope *scope;
	struct include_alias *include; /* the innermost include that it came with, or NULL */
	size_t number;                 /* in its list, from 1 */
	bool is_until;
};

struct file_defaults; /* workflow.c */

struct load {
	struct workflow *workflow;
	const char *file;                     /* the one being read: what places name */
	const struct file_defaults *defaults; /* of every file that was read */
	struct include_alias *include;        /* the one whose file is being read, or NULL */
	VEC(struct found_node) found;
	VEC(struct include_alias *) includes;
	const char *stack[9]; /* files that include each other, outermost first */
	size_t depth;
	const struct workflow_types *types;
	struct diags *diags;
	struct map type_names;   /* every type key that could be had -> non-NULL */
	struct map type_schemas; /* type key -> struct load_type * */
	/* The first key that other programs know and this one ignores, or NULL. */
	const struct value_member *foreign;
	unsigned suggestions; /* how many did-you-means among all nodes were looked for */
};

/* What is known of a type key after asking for it once. */
struct load_type {
	const struct value *schema; /* may be NULL */
	bool is_found;
};

/* fields.c: one field of a node. */
struct field {
	const char *name;
	/* Reads the member into the node; problems to load->diags. */
	void (*take)(struct load *load, struct node *node, const struct value_member *member);
	const char *schema; /* JSON Schema of its value, for editors */
};
const struct field *field_find(str name);
const struct field *field_table(size_t *count);

/* workflow.c: the fields of the top level, by number; NULL behind the last. */
const char *load_top_field(size_t number, const char **schema);

/* `{from: $node.output, if_skipped: …}` as the value of a binding of `with`. */
void load_take_from(struct load *load, struct binding *b);

/* readers.c: shared by node fields and workflow keys; each reports what it refuses. */
bool take_text(struct load *load, const struct value_member *member, str *out);
bool take_flag(struct load *load, const struct value_member *member, bool *out);
bool take_strs(struct load *load, const struct value_member *member, struct strs *out);
bool take_duration(struct load *load, const struct value_member *member, uint64_t *ms);
bool take_retry(struct load *load, const struct value_member *member, struct retry *out);
bool take_bindings(struct load *load, const struct value_member *member, struct bindings *out);
bool take_variables(struct load *load, const struct value_member *member, struct bindings *out);
bool take_limit(struct load *load, const struct value_member *member, uint64_t *ms); /* not 0 */
bool take_names(struct load *load, const struct value_member *member, struct strs *out);

/* E-FIELD-TYPE: "`timeout` is a list, not a duration". */
struct err *load_wrong_kind(
	struct load *load, const struct value_member *member, const char *wanted);
/* E-FIELD-VALUE: "`backoff` is `0.5`, not a number from 1 to 100"; of a list or map as load_wrong_kind. */
struct err *load_wrong_value(
	struct load *load, const struct value_member *member, const char *wanted);
/* E-FIELD-UNKNOWN for every member of the mapping that is none of `known`. */
void load_check_keys(
	struct load *load, const struct value_member *member, const str *known, size_t count);
/* Of one of the strings that take_strs has read. */
struct place load_item_place(
	const struct load *load, const struct value_member *member, size_t index);
struct place load_place(const struct load *load, const struct value *value);
struct place load_key_place(const struct load *load, const struct value_member *member);

/* collect.c: all node mappings, through includes and bodies of loop_groups, in file order. */
void load_collect(struct load *load, const struct value *nodes, struct scope *scope,
	struct include_alias *include);
/* The full id of a name in a scope, in the workflow's arena. */
str load_full_id(struct load *load, const struct scope *scope, str name);

/* control.c: reads the value of a control type's key and `fan_out`. */
void load_control(struct load *load, struct node *node);

/* workflow.c: what the top of a file says besides its nodes, for included files. */
const struct value *load_top(
	struct load *load, const struct value *root, struct scope *scope, str *returns);

/* nodes.c: the list of nodes, their type keys and unknown fields. */
void load_nodes(struct load *load);
bool load_is_foreign_key(str key);
const char *load_foreign_key(size_t number); /* NULL behind the last */
void load_note_foreign(struct load *load, const struct value_member *member);
bool load_is_name(str text); /* [A-Za-z_][A-Za-z0-9_-]{0,63} */

/* graph.c: edges, references, pools; calls the two below. */
void load_graph(struct load *load);
/* Adds "did you mean `x`?" where a node's id is near. */
void load_suggest_node(struct load *load, struct err *err, str wanted);

/* includes.c: what an include is waited for by, and what its entries wait for. */
void load_includes(struct load *load); /* before edges: which node each include returns */
/* The nodes that `name` means in a `depends_on` of that scope, appended; false where there is none. */
struct node_list_builder {
	VEC(uint32_t) list;
};
bool load_depend_on(
	struct load *load, const struct scope *scope, str name, struct node_list_builder *out);
/* The dependencies, conditions and rule that an entry of an include inherits. */
void load_inherit(struct load *load, struct node *node, struct node_list_builder *out);
/* What is no entry of these includes is skipped with them, whatever its own rule says. */
void load_gates(struct load *load, struct node *node, struct include_alias *alias);

/* Members, their order and the last one, of every loop_group; after load_order. */
void load_groups(struct load *load);

/* order.c: fills workflow->order and ->reach; reports circles, and is then false. */
bool load_order(struct load *load);
/* Whether `above` is in `node->deps`. */
bool load_is_direct(const struct workflow *wf, const struct node *above, const struct node *node);

/* writers.c: overlapping `writes`. */
void load_writers(struct load *load);

#endif
