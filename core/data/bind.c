/* bind: the table of languages, what their lexers share, and the language "none".  See bind.h. */
#include "data/bind_languages.h"

#include <stdio.h>

void bind_finish(struct bind_result *result)
{
	buf_finish(&result->text);
	vec_finish(&result->slots);
	vec_finish(&result->fixes);
	vec_finish(&result->words);
	vec_finish(&result->writes);
	vec_finish(&result->commands);
	arena_finish(&result->arena);
	*result = (struct bind_result){0};
}

const struct bind_language *bind_find(str name)
{
	static const struct bind_language *const languages[] = {
		&bind_bash, &bind_js, &bind_python, &bind_none};
	for (size_t i = 0; i < sizeof(languages) / sizeof(*languages); i++)
		if (str_is(name, languages[i]->name))
			return languages[i];
	return NULL;
}

bool bind_wants(const struct bind_names *names, const struct ref *ref)
{
	if (ref->escaped || ref->kind == REF_VARIABLE)
		return false;
	if (ref->kind == REF_INPUT || ref->kind == REF_LOOP_PREV)
		return true;
	return names->is_node(names->ctx, ref->name);
}

const char *bind_variable(struct bind_result *result, const struct ref *ref, enum bind_as as)
{
	for (size_t i = 0; i < result->slots.len; i++) {
		struct bind_slot *slot = &result->slots.ptr[i];
		if (slot->as == as && slot->ref.kind == ref->kind &&
			str_eq(slot->ref.name, ref->name) && str_eq(slot->ref.path, ref->path))
			return slot->variable;
	}
	struct bind_slot *slot = vec_push(&result->slots);
	*slot = (struct bind_slot){.ref = *ref, .as = as};
	snprintf(slot->variable, sizeof(slot->variable), "PAWL_REF_%zu", result->slots.len);
	return slot->variable;
}

struct place bind_place(str body, struct place origin, size_t start, size_t end)
{
	uint32_t line = 0;
	size_t line_start = 0;
	for (size_t at = 0; (at = str_find_char(body, '\n', at)) < start; at++) {
		line++;
		line_start = at + 1;
	}
	struct place place = {.file = origin.file};
	place.line = (origin.line ? origin.line : 1) + line;
	place.col = (origin.col ? origin.col : 1) + (uint32_t)(start - line_start);
	place.len = (uint32_t)(end - start);
	return place;
}

void bind_fix_add(struct bind_result *result, size_t start, size_t end, str text)
{
	size_t count = result->fixes.len;
	if (count && start < result->fixes.ptr[count - 1].end)
		return;
	*vec_push(&result->fixes) = (struct bind_fix){start, end, arena_str(&result->arena, text)};
}

/* The first byte of the character that byte `at` belongs to. */
static size_t character_start(str body, size_t at)
{
	while (at > 0 && at < body.len && ((unsigned char)body.ptr[at] & 0xc0) == 0x80)
		at--;
	return at;
}

char *bind_fixed_line(struct arena *arena, str body, size_t start, size_t end, str text)
{
	enum { SHOWN = 100 }; /* bytes of the line at each side */
	size_t from = start;
	while (from > 0 && body.ptr[from - 1] != '\n' && start - from < SHOWN)
		from--;
	size_t to = end;
	while (to < body.len && body.ptr[to] != '\n' && to - end < SHOWN)
		to++;
	from = character_start(body, from);
	to = character_start(body, to);
	bool cut_before = from > 0 && body.ptr[from - 1] != '\n';
	bool cut_after = to < body.len && body.ptr[to] != '\n';
	str before = str_slice(body, from, start);
	str after = str_slice(body, end, to);
	while (before.len && (before.ptr[0] == ' ' || before.ptr[0] == '\t'))
		before = str_slice(before, 1, before.len);
	return arena_printf(arena, "%s%.*s%.*s%.*s%s", cut_before ? "..." : "", STR_ARG(before),
		STR_ARG(text), STR_ARG(after), cut_after ? "..." : "");
}

/* No lexer, no context: any reference is an error, and the values come as INPUTS_*. */
static bool none_bind(str body, const struct bind_names *names, struct place origin,
	struct bind_result *result, struct diags *diags)
{
	struct ref ref;
	bool ok = true;
	buf_add(&result->text, body);
	for (size_t at = 0; ref_next(body, &at, &ref);) {
		if (!bind_wants(names, &ref))
			continue;
		ok = false;
		struct buf written = {0};
		ref_write(&written, &ref);
		struct err *err = diags_error(diags, bind_place(body, origin, ref.start, ref.end),
			"E-REF-LANGUAGE",
			"%s stands in source of a language whose references pawl does not bind",
			buf_cstr(&written));
		err_help(err,
			"pass the value as `with: {value: %s}` and read INPUTS_VALUE in the body",
			written.ptr);
		buf_finish(&written);
	}
	return ok;
}

const struct bind_language bind_none = {.name = "none", .bind = none_bind};
