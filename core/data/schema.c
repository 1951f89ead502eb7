/* schema: the questions about schemas that are not a check: whether a path may be absent, and a pattern by itself. */
#include "base/arena.h"
#include "base/vec.h"
#include "data/schema_parts.h"

/* Schemas that are looked at for one path before it is given up: alternatives in alternatives multiply. */
#define LOOKS_MAX 10000

struct lookup {
	VEC(const struct schema *) here; /* that test the value at the current step of the path */
	VEC(const struct schema *) next;
	size_t looks;
	str part;
	bool is_index;
	uint64_t index;
};

/* The member or item of the schema itself. */
static const struct schema *own_child(const struct lookup *lookup, const struct schema *schema)
{
	const struct schema *child = schema_property(schema, lookup->part);

	if (child || !lookup->is_index)
		return child;
	if (schema->is_tuple && lookup->index < schema->tuple.count)
		return schema->tuple.items[lookup->index];
	return schema->is_tuple ? schema->additional_items : schema->items;
}

/* Adds what the schema and those beside it say of the part; not and if say nothing of what is there. */
static void collect(struct lookup *lookup, const struct schema *schema)
{
	const struct schema *child = own_child(lookup, schema);

	if (++lookup->looks > LOOKS_MAX)
		return;
	if (child && !child->is_never)
		*vec_push(&lookup->next) = child;
	const struct schema *beside;
	for (size_t i = 0; (beside = schema_beside(schema, i)); i++)
		if (beside != schema->negated && beside != schema->condition)
			collect(lookup, beside);
}

static bool is_required(struct lookup *lookup, const struct schema *schema);

static bool all_require(struct lookup *lookup, const struct schema_list *list)
{
	bool all = list->count > 0;

	for (size_t i = 0; i < list->count && all; i++)
		all = is_required(lookup, list->items[i]);
	return all;
}

/* Whether every value that fits has the part. */
static bool is_required(struct lookup *lookup, const struct schema *schema)
{
	if (++lookup->looks > LOOKS_MAX)
		return true;
	for (size_t i = 0; i < schema->required.count; i++)
		if (str_eq(schema->required.items[i], lookup->part))
			return true;
	if (lookup->is_index && schema->min_items.is_set &&
		lookup->index < schema->min_items.number)
		return true;
	if (schema->ref)
		return is_required(lookup, schema->ref);
	for (size_t i = 0; i < schema->all_of.count; i++)
		if (is_required(lookup, schema->all_of.items[i]))
			return true;
	if (schema->then && schema->otherwise && is_required(lookup, schema->then) &&
		is_required(lookup, schema->otherwise))
		return true;
	return all_require(lookup, &schema->any_of) || all_require(lookup, &schema->one_of);
}

/* Takes one step of the path: false where no schema knows of it. */
static bool step(struct lookup *lookup, bool *is_optional)
{
	bool required = false;

	lookup->is_index = str_to_u64(lookup->part, &lookup->index);
	lookup->next.len = 0;
	for (size_t i = 0; i < lookup->here.len; i++) {
		collect(lookup, lookup->here.ptr[i]);
		required = required || is_required(lookup, lookup->here.ptr[i]);
	}
	lookup->here.len = 0;
	for (size_t i = 0; i < lookup->next.len; i++)
		*vec_push(&lookup->here) = lookup->next.ptr[i];
	*is_optional = *is_optional || !required;
	return lookup->here.len > 0 && lookup->looks <= LOOKS_MAX;
}

bool schema_is_optional(const struct schema *schema, str path)
{
	struct lookup lookup = {0};
	bool is_declared = path.len > 0;
	bool is_optional = false;

	*vec_push(&lookup.here) = schema;
	while (is_declared && str_split(&path, '.', &lookup.part))
		is_declared = step(&lookup, &is_optional);
	vec_finish(&lookup.here);
	vec_finish(&lookup.next);
	return is_declared && is_optional;
}

bool schema_regex(str pattern, str subject, bool *matched, struct err *err)
{
	struct arena arena = {0};
	const struct regex *regex = regex_compile(&arena, pattern, err);
	bool ok = regex && regex_match(regex, subject, matched, err);

	arena_finish(&arena);
	return ok;
}
