/* schema_compile: a value tree into a graph of schemas: names what is in place, finds what $ref points at, refuses
 * circles.  The words themselves are in schema_words.c. */
#include "base/arena.h"
#include "base/mem.h"
#include "base/vec.h"
#include "data/schema_parts.h"

#include <stdarg.h>

struct err *schema_problem(struct schema_compiler *c, const struct value *at, const char *code,
	const char *format, ...)
{
	struct buf text = {0};
	va_list args;

	va_start(args, format);
	buf_vprintf(&text, format, args);
	va_end(args);
	struct err *err =
		diags_error(c->diags, value_place(at, c->file), code, "%s", buf_cstr(&text));
	buf_finish(&text);
	return err;
}

const struct schema *schema_compile_value(struct schema_compiler *c, const struct value *value)
{
	struct schema *schema = map_get(&c->known, str_make((const char *)&value, sizeof(value)));

	if (schema)
		return schema;
	schema = arena_new(c->arena, struct schema);
	schema->source = value;
	schema->index = c->all.len;
	map_put(&c->known, str_make((const char *)&schema->source, sizeof(value)), schema);
	*vec_push(&c->all) = schema;
	if (value->kind == VALUE_BOOL) {
		schema->is_never = !value->as.boolean;
	} else if (value->kind != VALUE_MAP) {
		schema_problem(c, value, "E-SCHEMA-VALUE",
			"a schema is a map, true or false, not %s", value_kind_name(value->kind));
	} else if (c->depth >= SCHEMA_MAX_DEPTH) {
		schema_problem(c, value, "E-SCHEMA-DEPTH", "schemas in schemas, deeper than %d",
			SCHEMA_MAX_DEPTH);
	} else {
		c->depth++;
		schema_read_words(c, schema);
		c->depth--;
	}
	return schema;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One part of a JSON pointer in a URI: %HH first, then ~1 and ~0.  False where it is malformed. */
static bool decode_part(str part, struct buf *out)
{
	struct buf plain = {0};
	bool ok = true;

	for (size_t i = 0; i < part.len && ok; i++) {
		if (part.ptr[i] != '%') {
			buf_add_char(&plain, part.ptr[i]);
			continue;
		}
		int high = i + 2 < part.len ? hex_digit(part.ptr[i + 1]) : -1;
		int low = i + 2 < part.len ? hex_digit(part.ptr[i + 2]) : -1;
		ok = high >= 0 && low >= 0;
		if (ok)
			buf_add_char(&plain, (char)(high * 16 + low));
		i += 2;
	}
	buf_clear(out);
	for (size_t i = 0; i < plain.len && ok; i++) {
		char c = plain.ptr[i];
		if (c == '~') {
			i++;
			ok = i < plain.len && (plain.ptr[i] == '0' || plain.ptr[i] == '1');
			c = ok && plain.ptr[i] == '1' ? '/' : '~';
		}
		buf_add_char(out, c);
	}
	buf_finish(&plain);
	return ok;
}

static const struct value *pointer_step(const struct value *at, str part)
{
	uint64_t index;

	if (at->kind != VALUE_LIST)
		return value_get(at, part);
	if (!str_to_u64(part, &index) || index >= at->as.list.count)
		return NULL;
	return &at->as.list.items[index];
}

/* What "#/a/b" points at; NULL where there is nothing. */
static const struct value *follow_pointer(const struct value *root, str pointer)
{
	const struct value *at = root;
	struct buf name = {0};
	str part;

	if (pointer.len == 0)
		return root;
	/* The first part is what stands before the first slash: nothing. */
	str_split(&pointer, '/', &part);
	while (at && str_split(&pointer, '/', &part))
		at = decode_part(part, &name) ? pointer_step(at, buf_str(&name)) : NULL;
	buf_finish(&name);
	return at;
}

static void resolve_ref(struct schema_compiler *c, struct schema *schema)
{
	const struct value *ref = value_get(schema->source, STR("$ref"));
	str text = ref->as.text;

	if (!str_starts(text, STR("#")) || (text.len > 1 && text.ptr[1] != '/')) {
		struct err *err = schema_problem(c, ref, "E-SCHEMA-REF",
			"$ref '%.*s' leads out of this document", STR_ARG(text));
		err_help(err, "copy what it means under 'definitions' and write "
			      "$ref: '#/definitions/NAME'");
		return;
	}
	const struct value *target = follow_pointer(c->root, str_slice(text, 1, text.len));
	if (!target) {
		struct err *err = schema_problem(c, ref, "E-SCHEMA-REF",
			"$ref '%.*s' points at nothing in this document", STR_ARG(text));
		err_help(err, "'#' is the document, '#/definitions/NAME' a definition of it");
		return;
	}
	schema->ref = schema_compile_value(c, target);
}

const struct schema *schema_beside(const struct schema *schema, size_t i)
{
	const struct schema *one[] = {
		schema->ref, schema->negated, schema->condition, schema->then, schema->otherwise};
	const struct schema_list *lists[] = {&schema->all_of, &schema->any_of, &schema->one_of};

	for (size_t k = 0; k < sizeof(one) / sizeof(one[0]); k++)
		if (one[k] && i-- == 0)
			return one[k];
	for (size_t k = 0; k < sizeof(lists) / sizeof(lists[0]); k++) {
		if (i < lists[k]->count)
			return lists[k]->items[i];
		i -= lists[k]->count;
	}
	for (size_t k = 0; k < schema->dependency_count; k++)
		if (schema->dependencies[k].schema && i-- == 0)
			return schema->dependencies[k].schema;
	return NULL;
}

enum visit { VISIT_NOT_YET, VISIT_OPEN, VISIT_DONE };

struct visit_step {
	const struct schema *schema;
	size_t next;
};

static void refuse_loop(struct schema_compiler *c, const struct value *schema)
{
	err_help(
		schema_problem(c, schema, "E-SCHEMA-LOOP",
			"this schema comes back to itself without a step into the value: no check of it would ever end"),
		"let it come back below `properties` or `items`, or take the $ref out");
}

/* Refuses schemas that come back to themselves without a step into the value: they would never end. */
static void find_circles(struct schema_compiler *c)
{
	VEC(struct visit_step) open = {0};
	uint8_t *visits = mem_zalloc(c->all.len);

	for (size_t i = 0; i < c->all.len; i++) {
		if (visits[i] == VISIT_NOT_YET)
			*vec_push(&open) = (struct visit_step){c->all.ptr[i], 0};
		while (open.len > 0) {
			struct visit_step *top = &open.ptr[open.len - 1];
			const struct schema *next = schema_beside(top->schema, top->next++);
			visits[top->schema->index] = next ? VISIT_OPEN : VISIT_DONE;
			if (!next)
				open.len--;
			else if (visits[next->index] == VISIT_NOT_YET)
				*vec_push(&open) = (struct visit_step){next, 0};
			else if (visits[next->index] == VISIT_OPEN)
				refuse_loop(c, top->schema->source);
		}
	}
	free(visits);
	vec_finish(&open);
}

const struct schema *schema_compile(
	struct arena *arena, const struct value *value, const char *file, struct diags *diags)
{
	struct schema_compiler c = {.arena = arena, .file = file, .diags = diags, .root = value};
	size_t errors = diags->errors;

	const struct schema *schema = schema_compile_value(&c, value);
	/* A target may have references of its own. */
	while (c.refs.len > 0)
		resolve_ref(&c, c.refs.ptr[--c.refs.len]);
	find_circles(&c);
	map_finish(&c.known);
	vec_finish(&c.all);
	vec_finish(&c.refs);
	return diags->errors == errors ? schema : NULL;
}
