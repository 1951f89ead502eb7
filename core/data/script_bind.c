/* script_bind: see script_bind.h. */
#include "data/script_bind.h"

/* So many problems of one body are told, and lines up to this length are shown, so that a hostile body can't make the
 * messages larger than itself by orders. */
#define SCRIPT_MAX_PROBLEMS 200
#define SCRIPT_MAX_LINE     400

char script_peek(const struct script *s, size_t ahead)
{
	return s->at + ahead < s->body.len ? s->body.ptr[s->at + ahead] : '\0';
}

bool script_is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || (unsigned char)c >= 0x80;
}

void script_push(struct script *s, struct script_level level)
{
	*vec_push(&s->levels) = level;
}

char script_top(const struct script *s)
{
	return s->levels.len ? s->levels.ptr[s->levels.len - 1].kind : '\0';
}

void script_note_word(struct script *s, str word)
{
	if (s->collecting && word.len)
		map_put(&s->words, word, s);
}

/* Whether each name of "a-b", which the language reads as a difference, is one of the body. */
static bool body_has_names(const struct script *s, str name)
{
	str part;
	while (str_split(&name, '-', &part))
		if (!map_get(&s->words, part))
			return false;
	return true;
}

static bool is_known(const struct script *s, const struct ref *ref)
{
	return ref->kind == REF_VARIABLE || bind_wants(s->names, ref);
}

/* The first name behind "${". */
static str braced_name(const struct ref *ref)
{
	switch (ref->kind) {
	case REF_INPUT: return STR("INPUTS");
	case REF_LOOP_PREV: return STR("LOOP_PREV");
	default: return ref->name;
	}
}

/* Ends the path, and with it the reference, behind `length` bytes. */
static void cut_path(const struct script *s, struct ref *ref, size_t length)
{
	while (length > 0 && ref->path.ptr[length - 1] == '.')
		length--;
	ref->path.len = length;
	size_t start = (size_t)(ref->path.ptr - s->body.ptr);
	ref->end = length ? start + length : start - 1;
}

/* The last segment begins behind this many bytes. */
static size_t last_segment(str path)
{
	size_t at = path.len;
	while (at > 0 && path.ptr[at - 1] != '.')
		at--;
	return at;
}

bool script_code_ref(const struct script *s, size_t at, struct ref *ref)
{
	if (!ref_at(s->body, at, ref) || !is_known(s, ref))
		return false;
	if (ref->braced || ref->path.len == 0)
		return true;
	size_t minus = str_find_char(ref->path, '-', 0);
	if (minus != SIZE_MAX)
		cut_path(s, ref, minus);
	if (ref->path.len == 0)
		return true;
	size_t last = last_segment(ref->path);
	bool called = ref->end < s->body.len && s->body.ptr[ref->end] == '(';
	bool property =
		s->property && str_is(str_slice(ref->path, last, ref->path.len), s->property);
	if (called || property)
		cut_path(s, ref, last);
	return true;
}

bool script_text_ref(struct script *s, size_t at, struct ref *ref)
{
	if (!ref_at(s->body, at, ref) || !is_known(s, ref))
		return false;
	if (!ref->braced || s->collecting || !body_has_names(s, braced_name(ref)))
		return true;
	if (ref->kind == REF_VARIABLE || s->problems++ >= SCRIPT_MAX_PROBLEMS)
		return false;
	struct buf written = {0};
	ref_write(&written, ref);
	struct place place = bind_place(s->body, s->origin, ref->start, ref->end);
	struct err *err = diags_warn(s->diags, place, "W-REF-AMBIGUOUS",
		"%.*s is the body's own expression here, because it has a name '%.*s'",
		STR_ARG(str_slice(s->body, ref->start, ref->end)), STR_ARG(braced_name(ref)));
	err_help(err, "for the node's value write %s without braces", buf_cstr(&written));
	buf_finish(&written);
	return false;
}

bool script_escaped_ref(struct script *s, size_t at, struct ref *ref)
{
	return at + 1 < s->body.len && s->body.ptr[at] == '\\' && ref_at(s->body, at + 1, ref) &&
	       ref->kind != REF_VARIABLE && is_known(s, ref) &&
	       !(ref->braced && body_has_names(s, braced_name(ref)));
}

void script_replace(struct script *s, size_t start, size_t end, const char *text)
{
	if (s->collecting)
		return;
	buf_add(&s->out, str_slice(s->body, s->copied, start));
	buf_add_z(&s->out, text);
	s->copied = end;
}

void script_bind(struct script *s, const struct ref *ref, bool as_text, const char *before,
	const char *after)
{
	s->at = ref->end;
	if (s->collecting)
		return;
	bool text = as_text || ref->kind == REF_STATE || ref->kind == REF_VARIABLE;
	const char *variable = bind_variable(s->result, ref, text ? BIND_TEXT : BIND_JSON);
	script_replace(s, ref->start, ref->end, before);
	buf_printf(&s->out, "%s(%s)%s", text ? "_pawl_text" : "_pawl_value",
		variable + strlen("PAWL_REF_"), after);
}

void script_error(struct script *s, const struct ref *ref, const char *code, const char *where,
	const char *help)
{
	if (s->collecting)
		return;
	s->failed = true;
	if (s->problems++ >= SCRIPT_MAX_PROBLEMS)
		return;
	struct err *err =
		diags_error(s->diags, bind_place(s->body, s->origin, ref->start, ref->end), code,
			"%.*s stands in %s, where no value can be bound",
			STR_ARG(str_slice(s->body, ref->start, ref->end)), where);
	err_help(err, "%s", help);
}

/* The whole line where it is of a length to be read, else the literal alone. */
static void add_mended_line(
	const struct script *s, const struct script_literal *literal, str mended, struct buf *help)
{
	size_t before = literal->start;
	size_t after = literal->end;
	while (before > 0 && literal->start - before < SCRIPT_MAX_LINE &&
		s->body.ptr[before - 1] != '\n')
		before--;
	while (after < s->body.len && after - literal->end < SCRIPT_MAX_LINE &&
		s->body.ptr[after] != '\n')
		after++;
	if ((literal->start - before) + (after - literal->end) < SCRIPT_MAX_LINE)
		buf_add_z(help, bind_fixed_line(&s->result->arena, s->body, literal->start,
					literal->end, mended));
	else
		buf_add(help, mended);
}

static void literal_error(
	struct script *s, const struct script_literal *literal, const struct ref *ref)
{
	if (s->problems >= SCRIPT_MAX_PROBLEMS) {
		s->failed = true;
		return;
	}
	struct buf mended = {0};
	struct buf help = {0};
	literal->rewrite(s, literal->start, literal->end, &mended);
	buf_add_z(&help, "write: ");
	add_mended_line(s, literal, buf_str(&mended), &help);
	script_error(s, ref, "E-REF-STRING", "a plain string", buf_cstr(&help));
	bind_fix_add(s->result, literal->start, literal->end, buf_str(&mended));
	buf_finish(&help);
	buf_finish(&mended);
}

static void literal_variable(struct script *s, const struct ref *ref)
{
	if (s->problems++ >= SCRIPT_MAX_PROBLEMS)
		return;
	struct err *err = diags_warn(s->diags, bind_place(s->body, s->origin, ref->start, ref->end),
		"W-REF-VARIABLE", "%.*s in a plain string stays as it is written",
		STR_ARG(str_slice(s->body, ref->start, ref->end)));
	struct buf read = {0};
	const char *at = strstr(s->environ, "NAME");
	buf_add(&read, str_make(s->environ, (size_t)(at - s->environ)));
	buf_add(&read, ref->name);
	buf_add_z(&read, at + strlen("NAME"));
	err_help(err, "its value is %s", buf_cstr(&read));
	buf_finish(&read);
}

/* A word that could be a path: not empty, no escapes, nothing that a path rarely has. */
static bool is_path_word(str text)
{
	if (text.len == 0 || text.len > 4096)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		if (c <= ' ' || c == 0x7f || c == '\\' || c == '$')
			return false;
	}
	return true;
}

void script_literal(struct script *s, const struct script_literal *literal)
{
	if (s->collecting)
		return;
	str text = str_slice(s->body, literal->text_start, literal->text_end);
	if (is_path_word(text))
		*vec_push(&s->result->words) = text;
	bool mended = false;
	for (size_t i = literal->text_start; i < literal->text_end; i++) {
		struct ref ref;
		if (s->body.ptr[i] == '\\') {
			i++;
			continue;
		}
		if (!ref_at(s->body, i, &ref) || !is_known(s, &ref))
			continue;
		i = ref.end - 1;
		if (ref.kind == REF_VARIABLE) {
			literal_variable(s, &ref);
		} else if (!mended) {
			mended = true;
			literal_error(s, literal, &ref);
		}
	}
}

bool script_run(struct script *s, void (*lex)(struct script *s))
{
	s->collecting = true;
	lex(s);
	s->collecting = false;
	s->levels.len = 0;
	s->at = 0;
	lex(s);
	buf_add(&s->out, str_slice(s->body, s->copied, s->body.len));
	return !s->failed;
}

void script_finish(struct script *s)
{
	map_finish(&s->words);
	vec_finish(&s->levels);
	buf_finish(&s->out);
}
