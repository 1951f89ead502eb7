/* load: what the files that build a struct workflow share.  Private to model/. */
#ifndef MODEL_LOAD_H
#define MODEL_LOAD_H

#include "model/workflow.h"

struct load {
	struct workflow *workflow;
	const struct workflow_types *types;
	struct diags *diags;
	struct map type_names;   /* every type key that could be had -> non-NULL */
	struct map type_schemas; /* type key -> struct load_type * */
	const struct value
		*foreign; /* the first key that other programs know and this one ignores, or NULL */
	str foreign_key;
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

/* Readers shared by node fields and workflow keys; each reports what it refuses. */
bool take_text(struct load *load, const struct value_member *member, str *out);
bool take_flag(struct load *load, const struct value_member *member, bool *out);
bool take_strs(struct load *load, const struct value_member *member, struct strs *out);
bool take_duration(struct load *load, const struct value_member *member, uint64_t *ms);
bool take_retry(struct load *load, const struct value_member *member, struct retry *out);
bool take_bindings(struct load *load, const struct value_member *member, struct bindings *out);
bool take_names(struct load *load, const struct value_member *member, struct strs *out);

/* E-FIELD-TYPE: "`timeout` is a list, not a duration". */
struct err *load_wrong_kind(
	struct load *load, const struct value_member *member, const char *wanted);
struct place load_place(const struct load *load, const struct value *value);
struct place load_key_place(const struct load *load, const struct value_member *member);

/* nodes.c: the list of nodes, their type keys and unknown fields. */
void load_nodes(struct load *load, const struct value *nodes);
bool load_is_foreign_key(str key);
void load_note_foreign(struct load *load, const struct value_member *member);
bool load_is_name(str text); /* [A-Za-z_][A-Za-z0-9_-]{0,63} */

/* graph.c: edges, cycles, order, references, overlapping writes. */
void load_graph(struct load *load);

#endif
