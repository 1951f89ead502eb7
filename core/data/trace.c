/* trace: writing and parsing facts.  See trace.h. */
#include "data/trace.h"

static const char *const kind_names[] = {"file", "absent", "tree", "glob", "tool", "wrote"};

const char *fact_kind_name(enum fact_kind kind)
{
	return kind_names[kind];
}

bool fact_eq(const struct fact *a, const struct fact *b)
{
	if (a->kind != b->kind || !str_eq(a->path, b->path) || a->mode != b->mode)
		return false;
	if (a->kind == FACT_ABSENT)
		return true;
	return digest_eq(&a->digest, &b->digest) &&
	       (a->kind != FACT_TOOL || str_eq(a->real, b->real));
}

static bool is_path_state(enum fact_kind kind)
{
	return kind == FACT_FILE || kind == FACT_ABSENT || kind == FACT_TREE;
}

bool fact_same_subject(const struct fact *a, const struct fact *b)
{
	bool same_kind = a->kind == b->kind || (is_path_state(a->kind) && is_path_state(b->kind));
	return same_kind && str_eq(a->path, b->path);
}

static void add_text(struct buf *out, str text)
{
	buf_add_char(out, ' ');
	buf_add_u64(out, text.len);
	buf_add_char(out, ':');
	buf_add(out, text);
}

void trace_write(struct buf *out, const struct trace *trace)
{
	for (size_t i = 0; i < trace->facts.len; i++) {
		const struct fact *fact = &trace->facts.ptr[i];
		buf_add_z(out, kind_names[fact->kind]);
		add_text(out, fact->path);
		if (fact->kind == FACT_TOOL)
			add_text(out, fact->real);
		if (fact->kind != FACT_ABSENT) {
			buf_add_char(out, ' ');
			digest_add_hex(out, &fact->digest);
		}
		if (fact->kind == FACT_FILE)
			buf_add_z(out, fact->mode ? " x" : " -");
		if (fact->kind == FACT_WROTE)
			buf_printf(out, " %o", fact->mode);
		buf_add_char(out, '\n');
	}
}

static bool take_word(str *rest, str *word)
{
	size_t end = 0;
	while (end < rest->len && rest->ptr[end] != ' ' && rest->ptr[end] != '\n')
		end++;
	*word = str_slice(*rest, 0, end);
	*rest = str_slice(*rest, end, rest->len);
	return end > 0;
}

static bool take_char(str *rest, char c)
{
	if (!rest->len || rest->ptr[0] != c)
		return false;
	*rest = str_slice(*rest, 1, rest->len);
	return true;
}

static bool take_text(str *rest, str *text)
{
	size_t colon = str_find_char(*rest, ':', 0);
	uint64_t len = 0;
	if (!take_char(rest, ' ') || colon == SIZE_MAX ||
		!str_to_u64(str_slice(*rest, 0, colon - 1), &len))
		return false;
	*rest = str_slice(*rest, colon, rest->len);
	if (len > rest->len)
		return false;
	*text = str_slice(*rest, 0, (size_t)len);
	*rest = str_slice(*rest, (size_t)len, rest->len);
	return true;
}

static bool take_octal(str text, uint32_t *mode)
{
	*mode = 0;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '7' || text.len > 6)
			return false;
		*mode = *mode * 8 + (uint32_t)(text.ptr[i] - '0');
	}
	return text.len > 0;
}

static bool parse_fact(str *rest, struct fact *fact)
{
	str word = STR("");
	if (!take_word(rest, &word))
		return false;
	size_t kind = 0;
	while (kind <= FACT_WROTE && !str_is(word, kind_names[kind]))
		kind++;
	if (kind > FACT_WROTE || !take_text(rest, &fact->path))
		return false;
	fact->kind = (enum fact_kind)kind;
	if (fact->kind == FACT_TOOL && !take_text(rest, &fact->real))
		return false;
	if (fact->kind != FACT_ABSENT && (!take_char(rest, ' ') || !take_word(rest, &word) ||
						 !digest_parse(word, &fact->digest)))
		return false;
	if (fact->kind == FACT_FILE) {
		if (!take_char(rest, ' ') || !take_word(rest, &word) ||
			(!str_is(word, "x") && !str_is(word, "-")))
			return false;
		fact->mode = str_is(word, "x");
	}
	if (fact->kind == FACT_WROTE && (!take_char(rest, ' ') || !take_word(rest, &word) ||
						!take_octal(word, &fact->mode)))
		return false;
	return take_char(rest, '\n');
}

bool trace_parse(str text, struct trace *out)
{
	while (text.len) {
		struct fact fact = {.real = STR("")};
		if (!parse_fact(&text, &fact))
			return false;
		*vec_push(&out->facts) = fact;
	}
	return true;
}

void trace_finish(struct trace *trace)
{
	vec_finish(&trace->facts);
}
