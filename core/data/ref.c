/* ref: finding and expanding references in text.  See ref.h. */
#include "data/ref.h"

#include "data/json.h"

static const str ref_variables[] = {
	STR_INIT("ARGUMENTS"),
	STR_INIT("USER_MESSAGE"),
	STR_INIT("ARTIFACTS_DIR"),
	STR_INIT("STATE_DIR"),
	STR_INIT("RUN_ID"),
	STR_INIT("WORKFLOW_ID"),
	STR_INIT("PROJECT_DIR"),
};

static bool is_first(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_word(char c)
{
	return is_first(c) || (c >= '0' && c <= '9');
}

static bool is_id(char c)
{
	return is_word(c) || c == '-';
}

/* The run of id characters at `at`; empty where it can't be an id. */
static str id_at(str text, size_t at)
{
	size_t end = at;
	if (end < text.len && is_first(text.ptr[end]))
		while (end < text.len && is_id(text.ptr[end]))
			end++;
	return str_make(text.ptr + at, end - at);
}

/* ".WORD" at *at, not followed by more of a word; moves *at behind it. */
static bool take_field(str text, size_t *at, str word)
{
	size_t end = *at + 1 + word.len;
	if (end > text.len || text.ptr[*at] != '.' ||
		!str_eq(str_make(text.ptr + *at + 1, word.len), word))
		return false;
	if (end < text.len && is_word(text.ptr[end]))
		return false;
	*at = end;
	return true;
}

str ref_take_path(str text, size_t *at)
{
	size_t start = *at;
	while (*at + 1 < text.len && text.ptr[*at] == '.' && is_id(text.ptr[*at + 1])) {
		++*at;
		while (*at < text.len && is_id(text.ptr[*at]))
			++*at;
	}
	return *at == start ? STR("") : str_make(text.ptr + start + 1, *at - start - 1);
}

static bool take_output(str text, size_t *at, str name, struct ref *out)
{
	if (!take_field(text, at, STR("output")))
		return false;
	out->name = name;
	out->path = ref_take_path(text, at);
	return true;
}

/* What follows '$' or '${'; moves *at behind it. */
static bool take_dotted(str text, size_t *at, struct ref *out)
{
	str first = id_at(text, *at);
	size_t end = *at + first.len;
	str second = end < text.len && text.ptr[end] == '.' ? id_at(text, end + 1) : STR("");
	if (first.len == 0 || second.len == 0)
		return false;
	if (str_is(first, "INPUTS")) {
		out->kind = REF_INPUT;
		out->name = second;
		*at = end + 1 + second.len;
		/* Without braces what follows is text: $INPUTS.name.txt */
		if (out->braced)
			out->path = ref_take_path(text, at);
		return true;
	}
	size_t inner = end + 1 + second.len;
	if (str_is(first, "LOOP_PREV") && take_output(text, &inner, second, out)) {
		out->kind = REF_LOOP_PREV;
		*at = inner;
		return true;
	}
	if (take_output(text, &end, first, out)) {
		out->kind = REF_OUTPUT;
	} else if (take_field(text, &end, STR("state"))) {
		out->kind = REF_STATE;
		out->name = first;
	} else {
		return false;
	}
	*at = end;
	return true;
}

static bool take_variable(str text, size_t *at, struct ref *out)
{
	size_t end = *at;
	while (end < text.len && is_word(text.ptr[end]))
		end++;
	str name = str_make(text.ptr + *at, end - *at);
	for (size_t i = 0; i < sizeof(ref_variables) / sizeof(*ref_variables); i++) {
		if (str_eq(name, ref_variables[i])) {
			out->kind = REF_VARIABLE;
			out->name = name;
			*at = end;
			return true;
		}
	}
	return false;
}

bool ref_at(str text, size_t at, struct ref *out)
{
	if (at >= text.len || text.ptr[at] != '$')
		return false;
	*out = (struct ref){.name = STR(""), .path = STR(""), .start = at};
	size_t end = at + 1;
	out->braced = end < text.len && text.ptr[end] == '{';
	if (out->braced)
		end++;
	if (!take_dotted(text, &end, out) && !take_variable(text, &end, out))
		return false;
	if (out->braced && (end >= text.len || text.ptr[end++] != '}'))
		return false;
	out->end = end;
	return true;
}

bool ref_next(str text, size_t *at, struct ref *out)
{
	for (size_t i = *at; (i = str_find_char(text, '$', i)) != SIZE_MAX; i++) {
		if (!ref_at(text, i, out))
			continue;
		out->escaped = i > *at && text.ptr[i - 1] == '\\';
		if (out->escaped)
			out->start--;
		*at = out->end;
		return true;
	}
	return false;
}

bool ref_next_slip(str text, size_t *at, struct ref *out, str *meant)
{
	static const str words[] = {STR_INIT("output"), STR_INIT("state")};
	for (size_t i = *at; (i = str_find_char(text, '$', i)) != SIZE_MAX; i++) {
		str name = id_at(text, i + 1);
		size_t dot = i + 1 + name.len;
		bool is_escaped = i > 0 && text.ptr[i - 1] == '\\';
		if (!name.len || is_escaped || dot >= text.len || text.ptr[dot] != '.' ||
			ref_at(text, i, out) || str_is(name, "INPUTS"))
			continue;
		str word = id_at(text, dot + 1);
		*meant = str_nearest(word, words, 2);
		if (!meant->len)
			continue;
		*out = (struct ref){
			.name = name, .path = STR(""), .start = i, .end = dot + 1 + word.len};
		*at = out->end;
		return true;
	}
	return false;
}

bool ref_is_whole(str text, struct ref *out)
{
	return ref_at(text, 0, out) && out->end == text.len;
}

void ref_write(struct buf *out, const struct ref *ref)
{
	static const char *const prefixes[] = {
		[REF_OUTPUT] = "",
		[REF_STATE] = "",
		[REF_INPUT] = "INPUTS.",
		[REF_LOOP_PREV] = "LOOP_PREV.",
		[REF_VARIABLE] = "",
	};
	bool is_field = ref->kind == REF_INPUT && ref->path.len;
	buf_printf(out, "$%s%s%.*s", is_field ? "{" : "", prefixes[ref->kind], STR_ARG(ref->name));
	if (ref->kind == REF_OUTPUT || ref->kind == REF_LOOP_PREV)
		buf_add_z(out, ".output");
	if (ref->kind == REF_STATE)
		buf_add_z(out, ".state");
	if (ref->path.len)
		buf_printf(out, ".%.*s%s", STR_ARG(ref->path), is_field ? "}" : "");
}

bool ref_expand(str text, const struct ref_resolver *resolver, struct buf *out, struct err *err)
{
	struct ref ref;
	size_t done = 0;
	for (size_t at = 0; ref_next(text, &at, &ref);) {
		buf_add(out, str_slice(text, done, ref.start));
		done = ref.end;
		if (ref.escaped) {
			buf_add(out, str_slice(text, ref.start + 1, ref.end));
			continue;
		}
		struct err problem = {0};
		str bytes = STR("");
		bool found = resolver->text(resolver->ctx, &ref, &bytes, &problem);
		if (!found && (ref.kind != REF_VARIABLE || err_is_set(&problem))) {
			if (err)
				*err = problem;
			else
				err_finish(&problem);
			return false;
		}
		buf_add(out, found ? bytes : str_slice(text, ref.start, ref.end));
	}
	buf_add(out, str_slice(text, done, text.len));
	return true;
}

void ref_value_text(struct buf *out, const struct value *value)
{
	if (!value || value->kind == VALUE_NULL)
		return;
	if (value->kind == VALUE_STRING)
		buf_add(out, value->as.text);
	else
		json_write(out, value);
}
