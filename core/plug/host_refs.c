/* host_refs: what the references in a plugin's fields name: inputs that the workflow declares, and nodes that have ended
 * before this one starts.  Anything else would be a value that is not in the node's key.  The references of bound bodies are
 * those that their lexers found; other fields are plain text. */
#include "plug/host_internal.h"

#include "base/mem.h"

#include <stdlib.h>

#define MAX_DEPTH 64

str host_nearest_node(const struct pawl_node *node, str wanted)
{
	const struct workflow *wf = node->init.workflow;
	str *ids = mem_alloc(mem_mul(wf->node_count + 1, sizeof(*ids)));
	for (uint32_t i = 0; i < wf->node_count; i++)
		ids[i] = wf->nodes[i].id;
	str near = str_nearest(wanted, ids, wf->node_count);
	free(ids);
	return near;
}

bool host_names_nobody(const struct pawl_node *node, const struct ref *ref)
{
	bool is_of_node = ref->kind == REF_OUTPUT || ref->kind == REF_STATE;
	return is_of_node && !ref->escaped &&
	       !workflow_resolve(node->init.workflow, node->init.node->scope, ref->name);
}

void host_warn_nobody(struct pawl_node *node, const struct ref *ref, struct place at)
{
	str near = host_nearest_node(node, ref->name);
	struct err *warning = diags_warn(node->diags, at, "W-REF-UNKNOWN",
		"$%.*s.%s stays as it stands: there is no node `%.*s`", STR_ARG(ref->name),
		ref->kind == REF_STATE ? "state" : "output", STR_ARG(ref->name));
	if (near.len)
		err_help(warning, "did you mean `%.*s`?", STR_ARG(near));
}

void host_warn_slip(
	struct pawl_node *node, str text, const struct ref *ref, str meant, struct place at)
{
	struct buf assigned = {0};
	buf_printf(&assigned, "%.*s=", STR_ARG(ref->name));
	bool is_own = str_find(text, buf_str(&assigned), 0) != SIZE_MAX;
	buf_finish(&assigned);
	if (is_own || !workflow_resolve(node->init.workflow, node->init.node->scope, ref->name))
		return;
	str written = str_slice(text, ref->start, ref->end);
	err_help(diags_warn(node->diags, at, "W-REF-UNKNOWN",
			 "%.*s stays as it stands: a node has `output` and `state`",
			 STR_ARG(written)),
		"did you mean `$%.*s.%.*s`?", STR_ARG(ref->name), STR_ARG(meant));
}

static bool check_input(const struct node *node, const struct ref *ref, struct err *err)
{
	if (workflow_has_input(node, ref->name))
		return true;
	err_set(err, "E-REF-INPUT", "$INPUTS.%.*s: the workflow declares no such input",
		STR_ARG(ref->name));
	str near = workflow_nearest_input(node, ref->name);
	if (near.len)
		return err_help(err, "did you mean `$INPUTS.%.*s`?", STR_ARG(near));
	return err_help(err, "declare it: `inputs: {%.*s: {type: string}}`", STR_ARG(ref->name));
}

bool host_check_ref(const struct pawl_node *node, const struct ref *ref, struct err *err)
{
	const struct workflow *wf = node->init.workflow;
	const struct node *own = node->init.node;
	if (ref->escaped || ref->kind == REF_VARIABLE)
		return true;
	if (ref->kind == REF_LOOP_PREV)
		return workflow_check_previous(wf, own->scope, ref->name, err);
	if (ref->kind == REF_INPUT)
		return check_input(own, ref, err);
	const struct node *target = workflow_resolve(wf, own->scope, ref->name);
	if (!target || workflow_is_upstream(wf, target, own))
		return true;
	const char *what = ref->kind == REF_STATE ? "state" : "output";
	err_set(err, "E-REF-UPSTREAM", "$%.*s.%s: `%.*s` %s", STR_ARG(ref->name), what,
		STR_ARG(ref->name),
		target == own                           ? "is this node itself"
		: workflow_is_upstream(wf, own, target) ? "runs after this node"
							: "does not run before this node");
	if (target == own)
		return err_help(err,
			"a node has no output before it has run; name one that runs before it");
	if (workflow_is_upstream(wf, own, target))
		return err_help(err,
			"`%.*s` depends on `%.*s`: only one of them can wait for the other",
			STR_ARG(target->id), STR_ARG(own->id));
	return err_help(
		err, "add `%.*s` to `depends_on` of `%.*s`", STR_ARG(target->id), STR_ARG(own->id));
}

static void check_text(struct pawl_node *node, const struct value *value)
{
	struct place at = value_place(value, node->init.node->scope->file);
	struct ref ref;
	size_t offset = 0;
	while (ref_next(value->as.text, &offset, &ref)) {
		struct err err = {0};
		if (!host_check_ref(node, &ref, &err)) {
			err_at(&err, at);
			diags_take(node->diags, &err);
		} else if (host_names_nobody(node, &ref)) {
			host_warn_nobody(node, &ref, at);
		}
	}
	offset = 0;
	for (str meant; ref_next_slip(value->as.text, &offset, &ref, &meant);)
		host_warn_slip(node, value->as.text, &ref, meant, at);
}

static void check_value(struct pawl_node *node, const struct value *value, unsigned depth)
{
	if (depth > MAX_DEPTH)
		return;
	if (value->kind == VALUE_STRING) {
		check_text(node, value);
	} else if (value->kind == VALUE_LIST) {
		for (size_t i = 0; i < value->as.list.count; i++)
			check_value(node, &value->as.list.items[i], depth + 1);
	} else if (value->kind == VALUE_MAP) {
		for (size_t i = 0; i < value->as.map.count; i++)
			check_value(node, &value->as.map.items[i].value, depth + 1);
	}
}

static bool is_bound(const struct pawl_node *node, str field)
{
	for (size_t i = 0; i < node->bounds.len; i++) {
		if (str_eq(node->bounds.ptr[i]->field, field))
			return true;
	}
	return false;
}

void host_check_fields(struct pawl_node *node)
{
	const struct value *properties = value_get(node->init.type->schema, STR("properties"));
	if (!properties || properties->kind != VALUE_MAP)
		return;
	for (size_t i = 0; i < properties->as.map.count; i++) {
		str name = properties->as.map.items[i].key;
		const struct value *value = value_get(node->init.node->fields, name);
		if (value && !is_bound(node, name))
			check_value(node, value, 0);
	}
}
