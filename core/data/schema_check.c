/* schema_check: walks a value and its schema together.  Every word is looked at, so that all violations are found; where
 * only the answer counts (not, anyOf, if, ...) the walk is quiet and stops at the first one. */
#include "base/arena.h"
#include "base/mem.h"
#include "data/schema_parts.h"

#include <stdarg.h>
#include <stdlib.h>

static bool check(struct schema_run *run, const struct schema *schema,
	const struct schema_where *where, const struct value *value);

static void add_path(struct buf *out, const struct schema_where *where)
{
	/* The way up is as long as the value is deep. */
	const struct schema_where *way[SCHEMA_MAX_CALLS];
	size_t count = 0;

	for (; where && where->up; where = where->up)
		if (count < SCHEMA_MAX_CALLS)
			way[count++] = where;
	for (size_t i = count; i-- > 0;) {
		if (i + 1 < count)
			buf_add_char(out, '.');
		if (way[i]->key.ptr)
			buf_add_visible(out, way[i]->key);
		else
			buf_add_u64(out, way[i]->index);
	}
}

bool schema_mismatch(struct schema_run *run, const struct schema_where *where,
	const struct value *value, const char *format, ...)
{
	struct buf text = {0};
	va_list args;

	if (run->is_quiet || (run->max > 0 && run->reported >= run->max))
		return false;
	if (where->up)
		add_path(&text, where);
	else
		buf_add_z(&text, "the value");
	buf_add_z(&text, where->is_name ? " (the name): " : where->up ? ": " : " ");
	va_start(args, format);
	buf_vprintf(&text, format, args);
	va_end(args);
	diags_error(run->diags, value_place(value, run->file), "E-SCHEMA-MISMATCH", "%s",
		buf_cstr(&text));
	buf_finish(&text);
	run->reported++;
	return false;
}

bool schema_abort(struct schema_run *run, const struct value *value, struct err *err)
{
	if (!run->is_aborted) {
		err_at(err, value_place(value, run->file));
		diags_take(run->diags, err);
	}
	err_finish(err);
	run->is_aborted = true;
	return false;
}

bool schema_count(struct schema_run *run, const struct value *value, uint64_t steps)
{
	struct err err = {0};

	run->steps += steps;
	if (run->steps <= SCHEMA_MAX_STEPS)
		return true;
	err_set(&err, "E-SCHEMA-BUDGET", "checking this value takes more than %u steps",
		SCHEMA_MAX_STEPS);
	err_help(&err, "anyOf, oneOf and $ref inside each other multiply: simplify the schema");
	return schema_abort(run, value, &err);
}

/* Whether there is no use in going on. */
static bool is_enough(const struct schema_run *run, bool ok)
{
	return run->is_aborted || (!ok && run->is_quiet) ||
	       (run->max > 0 && run->reported >= run->max);
}

static bool check_quietly(struct schema_run *run, const struct schema *schema,
	const struct schema_where *where, const struct value *value)
{
	bool was_quiet = run->is_quiet;

	run->is_quiet = true;
	bool ok = check(run, schema, where, value);
	run->is_quiet = was_quiet;
	return ok;
}

/* ---- maps ---- */

const struct schema *schema_property(const struct schema *schema, str name)
{
	size_t low = 0;
	size_t high = schema->properties.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = str_cmp(schema->properties.items[middle].name, name);
		if (order == 0)
			return schema->properties.items[middle].schema;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static bool fail_unknown_member(struct schema_run *run, const struct schema *schema,
	const struct schema_where *where, const struct value *at)
{
	size_t errors = run->diags->list.len;

	schema_mismatch(run, where, at, "is not allowed here");
	if (run->diags->list.len == errors || schema->properties.count == 0)
		return false;
	str *names = mem_alloc(mem_mul(schema->properties.count, sizeof(str)));
	for (size_t i = 0; i < schema->properties.count; i++)
		names[i] = schema->properties.items[i].name;
	str near = str_nearest(where->key, names, schema->properties.count);
	if (near.len > 0)
		err_help(&run->diags->list.ptr[errors], "did you mean '%.*s'?", STR_ARG(near));
	free(names);
	return false;
}

/* One member by properties, patternProperties and additionalProperties. */
static bool check_member(struct schema_run *run, const struct schema *schema,
	const struct schema_where *where, const struct value_member *member)
{
	const struct schema *property = schema_property(schema, member->key);
	const struct schema *additional = schema->additional_properties;
	bool ok = !property || check(run, property, where, &member->value);
	bool is_known = property != NULL;

	for (size_t i = 0; i < schema->pattern_count && !is_enough(run, ok); i++) {
		struct err err = {0};
		bool matched = false;
		if (!regex_match(schema->patterns[i].regex, member->key, &matched, &err))
			return schema_abort(run, &member->value, &err);
		if (!schema_count(run, &member->value, member->key.len))
			return false;
		is_known = is_known || matched;
		if (matched && !check(run, schema->patterns[i].schema, where, &member->value))
			ok = false;
	}
	if (is_known || !additional)
		return ok;
	if (additional->is_never) {
		struct value at = {
			.line = member->line, .col = member->col, .len = (uint32_t)member->key.len};
		return fail_unknown_member(run, schema, where, &at);
	}
	return check(run, additional, where, &member->value) && ok;
}

static bool check_members(struct schema_run *run, const struct schema *schema,
	const struct schema_where *where, const struct value *value)
{
	bool ok = true;

	if (schema->properties.count == 0 && schema->pattern_count == 0 &&
		!schema->additional_properties && !schema->property_names)
		return true;
	for (size_t i = 0; i < value->as.map.count && !is_enough(run, ok); i++) {
		const struct value_member *member = &value->as.map.items[i];
		struct schema_where here = {.up = where, .key = member->key};
		if (schema->property_names) {
			struct value name = value_string(member->key);
			name.line = member->line;
			name.col = member->col;
			here.is_name = true;
			ok = check(run, schema->property_names, &here, &name) && ok;
			here.is_name = false;
		}
		ok = check_member(run, schema, &here, member) && ok;
	}
	return ok;
}

static bool check_required(struct schema_run *run, const struct schema_names *names, str because,
	const struct schema_where *where, const struct value *value)
{
	bool ok = true;

	for (size_t i = 0; i < names->count && !is_enough(run, ok); i++) {
		if (!schema_count(run, value, value->as.map.count))
			return false;
		if (value_get(value, names->items[i]))
			continue;
		ok = because.len > 0 ? schema_mismatch(run, where, value,
					       "has no '%.*s', which '%.*s' requires",
					       STR_ARG(names->items[i]), STR_ARG(because))
		                     : schema_mismatch(run, where, value,
					       "has no '%.*s', which is required",
					       STR_ARG(names->items[i]));
	}
	return ok;
}

static bool check_dependencies(struct schema_run *run, const struct schema *schema,
	const struct schema_where *where, const struct value *value)
{
	bool ok = true;

	for (size_t i = 0; i < schema->dependency_count && !is_enough(run, ok); i++) {
		const struct schema_dependency *dependency = &schema->dependencies[i];
		if (!schema_count(run, value, value->as.map.count))
			return false;
		if (!value_get(value, dependency->name))
			continue;
		if (dependency->schema)
			ok = check(run, dependency->schema, where, value) && ok;
		else
			ok = check_required(
				     run, &dependency->required, dependency->name, where, value) &&
			     ok;
	}
	return ok;
}

static bool check_size(struct schema_run *run, const struct schema_count bounds[2],
	const char *what, const struct schema_where *where, const struct value *value)
{
	size_t count = value->kind == VALUE_MAP ? value->as.map.count : value->as.list.count;
	const char *s = count == 1 ? "" : "s";

	if (bounds[0].is_set && count < bounds[0].number)
		return schema_mismatch(run, where, value, "has %zu %s%s, fewer than %llu", count,
			what, s, (unsigned long long)bounds[0].number);
	if (bounds[1].is_set && count > bounds[1].number)
		return schema_mismatch(run, where, value, "has %zu %s%s, more than %llu", count,
			what, s, (unsigned long long)bounds[1].number);
	return true;
}

static bool check_map(struct schema_run *run, const struct schema *schema,
	const struct schema_where *where, const struct value *value)
{
	const struct schema_count bounds[2] = {schema->min_properties, schema->max_properties};

	bool ok = check_size(run, bounds, "member", where, value);
	if (!is_enough(run, ok))
		ok = check_required(run, &schema->required, STR(""), where, value) && ok;
	if (!is_enough(run, ok))
		ok = check_dependencies(run, schema, where, value) && ok;
	if (!is_enough(run, ok))
		ok = check_members(run, schema, where, value) && ok;
	return ok;
}

/* ---- lists ---- */

static bool check_items(struct schema_run *run, const struct schema *schema,
	const struct schema_where *where, const struct value *value)
{
	bool ok = true;

	if (!schema->items && !schema->is_tuple)
		return true;
	for (size_t i = 0; i < value->as.list.count && !is_enough(run, ok); i++) {
		struct schema_where here = {.up = where, .index = i};
		const struct schema *item = schema->items;
		if (schema->is_tuple)
			item = i < schema->tuple.count ? schema->tuple.items[i]
			                               : schema->additional_items;
		if (item && !check(run, item, &here, &value->as.list.items[i]))
			ok = false;
	}
	return ok;
}

static bool check_contains(struct schema_run *run, const struct schema *schema,
	const struct schema_where *where, const struct value *value)
{
	if (!schema->contains)
		return true;
	for (size_t i = 0; i < value->as.list.count; i++) {
		struct schema_where here = {.up = where, .index = i};
		if (check_quietly(run, schema->contains, &here, &value->as.list.items[i]))
			return true;
		if (run->is_aborted)
			return false;
	}
	return schema_mismatch(run, where, value, "has no item such as 'contains' asks for");
}

struct hashed {
	uint64_t hash;
	size_t index;
};

/* Equal values have equal hashes. */
static uint64_t hash_value(const struct value *value, size_t depth)
{
	struct decimal number;
	uint64_t hash = (uint64_t)value->kind * 0x9E3779B97F4A7C15u;

	/* What is deeper does not count; it is compared all the same. */
	if (depth > 32)
		return hash;
	switch (value->kind) {
	case VALUE_NULL: break;
	case VALUE_BOOL: hash += value->as.boolean; break;
	case VALUE_STRING: hash ^= str_hash(value->as.text); break;
	case VALUE_NUMBER:
		if (decimal_parse(value->as.text, &number))
			hash ^= decimal_hash(&number);
		break;
	case VALUE_LIST:
		for (size_t i = 0; i < value->as.list.count; i++)
			hash = hash * 31 + hash_value(&value->as.list.items[i], depth + 1);
		break;
	case VALUE_MAP:
		/* In whatever order. */
		for (size_t i = 0; i < value->as.map.count; i++)
			hash += (str_hash(value->as.map.items[i].key) | 1) *
			        hash_value(&value->as.map.items[i].value, depth + 1);
		break;
	}
	return hash ^ hash >> 29;
}

static int cmp_hashed(const void *a, const void *b)
{
	const struct hashed *x = a;
	const struct hashed *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return (x->index > y->index) - (x->index < y->index);
}

/* Whether two items are equal: their indices in `pair` then. */
static bool find_equal(struct schema_run *run, const struct value *value,
	const struct hashed *hashed, size_t pair[2])
{
	const struct value *items = value->as.list.items;
	size_t count = value->as.list.count;

	for (size_t i = 0; i < count; i++) {
		for (size_t k = i + 1; k < count && hashed[k].hash == hashed[i].hash; k++) {
			if (!schema_count(run, value, 1))
				return false;
			if (value_equal(&items[hashed[i].index], &items[hashed[k].index])) {
				pair[0] = hashed[i].index;
				pair[1] = hashed[k].index;
				return true;
			}
		}
	}
	return false;
}

static bool check_unique(struct schema_run *run, const struct schema *schema,
	const struct schema_where *where, const struct value *value)
{
	size_t count = value->as.list.count;
	size_t pair[2];

	if (!schema->is_unique || count < 2)
		return true;
	struct hashed *hashed = mem_alloc(mem_mul(count, sizeof(*hashed)));
	for (size_t i = 0; i < count; i++)
		hashed[i] = (struct hashed){hash_value(&value->as.list.items[i], 0), i};
	qsort(hashed, count, sizeof(*hashed), cmp_hashed);
	bool found = find_equal(run, value, hashed, pair);
	free(hashed);
	if (!found)
		return !run->is_aborted;
	return schema_mismatch(run, where, &value->as.list.items[pair[1]],
		"has equal items: %zu and %zu", pair[0], pair[1]);
}

static bool check_list(struct schema_run *run, const struct schema *schema,
	const struct schema_where *where, const struct value *value)
{
	const struct schema_count bounds[2] = {schema->min_items, schema->max_items};

	bool ok = check_size(run, bounds, "item", where, value);
	if (!is_enough(run, ok))
		ok = check_unique(run, schema, where, value) && ok;
	if (!is_enough(run, ok))
		ok = check_contains(run, schema, where, value) && ok;
	if (!is_enough(run, ok))
		ok = check_items(run, schema, where, value) && ok;
	return ok;
}

/* ---- combinations ---- */

static bool check_all(struct schema_run *run, const struct schema *schema,
	const struct schema_where *where, const struct value *value)
{
	bool ok = true;

	for (size_t i = 0; i < schema->all_of.count && !is_enough(run, ok); i++)
		ok = check(run, schema->all_of.items[i], where, value) && ok;
	return ok;
}

static const struct schema *behind_refs(const struct schema *schema)
{
	while (schema->ref)
		schema = schema->ref;
	return schema;
}

/* None of the alternatives fits.  Where only one is of the value's type, that is the one that was meant. */
static bool fail_alternatives(struct schema_run *run, const struct schema_list *list,
	const struct schema_where *where, const struct value *value)
{
	const struct schema *meant = NULL;
	size_t count = 0;

	if (run->is_quiet || run->is_aborted)
		return false;
	for (size_t i = 0; i < list->count; i++) {
		const struct schema *one = behind_refs(list->items[i]);
		if (!one->is_never && schema_is_type(one->types, value)) {
			meant = one;
			count++;
		}
	}
	if (count == 1)
		return check(run, meant, where, value);
	return schema_mismatch(run, where, value, "fits none of the %zu alternatives", list->count);
}

static bool check_any(struct schema_run *run, const struct schema *schema,
	const struct schema_where *where, const struct value *value)
{
	if (schema->any_of.count == 0)
		return true;
	for (size_t i = 0; i < schema->any_of.count && !run->is_aborted; i++)
		if (check_quietly(run, schema->any_of.items[i], where, value))
			return true;
	return fail_alternatives(run, &schema->any_of, where, value);
}

static bool check_one(struct schema_run *run, const struct schema *schema,
	const struct schema_where *where, const struct value *value)
{
	size_t found = SIZE_MAX;

	if (schema->one_of.count == 0)
		return true;
	for (size_t i = 0; i < schema->one_of.count && !run->is_aborted; i++) {
		if (!check_quietly(run, schema->one_of.items[i], where, value))
			continue;
		if (found != SIZE_MAX)
			return schema_mismatch(run, where, value,
				"fits alternatives %zu and %zu, where it must fit exactly one",
				found + 1, i + 1);
		found = i;
	}
	return found != SIZE_MAX || fail_alternatives(run, &schema->one_of, where, value);
}

static bool check_not(struct schema_run *run, const struct schema *schema,
	const struct schema_where *where, const struct value *value)
{
	if (!schema->negated || !check_quietly(run, schema->negated, where, value))
		return true;
	return schema_mismatch(run, where, value, "is what 'not' excludes");
}

static bool check_condition(struct schema_run *run, const struct schema *schema,
	const struct schema_where *where, const struct value *value)
{
	if (!schema->condition || (!schema->then && !schema->otherwise))
		return true;
	const struct schema *next = check_quietly(run, schema->condition, where, value)
	                                    ? schema->then
	                                    : schema->otherwise;
	return !run->is_aborted && (!next || check(run, next, where, value));
}

static bool check_words(struct schema_run *run, const struct schema *schema,
	const struct schema_where *where, const struct value *value)
{
	static bool (*const groups[])(struct schema_run *, const struct schema *,
		const struct schema_where *, const struct value *) = {
		check_all, check_any, check_one, check_not, check_condition};

	bool ok = schema_check_scalar(run, schema, where, value);
	/* Of a wrong type, nothing else is worth saying. */
	if (!ok && !schema_is_type(schema->types, value))
		return false;
	if (!is_enough(run, ok) && value->kind == VALUE_MAP)
		ok = check_map(run, schema, where, value) && ok;
	if (!is_enough(run, ok) && value->kind == VALUE_LIST)
		ok = check_list(run, schema, where, value) && ok;
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]) && !is_enough(run, ok); i++)
		ok = groups[i](run, schema, where, value) && ok;
	return ok && !run->is_aborted;
}

static bool check(struct schema_run *run, const struct schema *schema,
	const struct schema_where *where, const struct value *value)
{
	struct err err = {0};

	if (!schema_count(run, value, 1))
		return false;
	if (run->calls >= SCHEMA_MAX_CALLS) {
		err_set(&err, "E-SCHEMA-DEPTH",
			"value and schema together are nested deeper than %d", SCHEMA_MAX_CALLS);
		err_help(&err, "make the value flatter, or the schema: allOf in allOf counts too");
		return schema_abort(run, value, &err);
	}
	/* $ref stands alone: what is beside it has no effect in draft-7. */
	schema = behind_refs(schema);
	if (schema->is_never)
		return schema_mismatch(run, where, value, "is not allowed here");
	run->calls++;
	bool ok = check_words(run, schema, where, value);
	run->calls--;
	return ok;
}

bool schema_check(const struct schema *schema, const struct value *value, const char *file,
	size_t max, struct diags *diags)
{
	struct schema_run run = {.file = file, .diags = diags, .max = max};
	struct schema_where where = {0};

	return check(&run, schema, &where, value);
}
