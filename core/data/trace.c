/* trace: writing and parsing facts.  See trace.h. */
#include "data/trace.h"

#include "data/netstr.h"

static const char *const kind_names[] = {
	"file", "absent", "tree", "glob", "tool", "wrote", "was", "loose"};

const char *fact_kind_name(enum fact_kind kind)
{
	return kind_names[kind];
}

bool fact_eq(const struct fact *a, const struct fact *b)
{
	if (a->kind != b->kind || !str_eq(a->path, b->path) || a->mode != b->mode)
		return false;
	if (a->kind == FACT_ABSENT || a->kind == FACT_LOOSE)
		return true;
	if (a->kind == FACT_WAS && !digest_eq(&a->after, &b->after))
		return false;
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

static void add_digest(struct buf *out, const struct digest *digest)
{
	buf_add_char(out, ' ');
	digest_add_hex(out, digest);
}

static void write_fact(struct buf *out, const struct fact *fact)
{
	buf_add_z(out, kind_names[fact->kind]);
	netstr_add(out, fact->path);
	if (fact->kind == FACT_TOOL)
		netstr_add(out, fact->real);
	if (fact->kind != FACT_ABSENT && fact->kind != FACT_LOOSE)
		add_digest(out, &fact->digest);
	if (fact->kind == FACT_WAS)
		add_digest(out, &fact->after);
	if (fact->kind == FACT_FILE)
		buf_add_z(out, fact->mode ? " x" : " -");
	if (fact->kind == FACT_WROTE)
		buf_printf(out, " %o", fact->mode);
	buf_add_char(out, '\n');
}

void trace_write(struct buf *out, const struct trace *trace)
{
	for (size_t i = 0; i < trace->facts.len; i++)
		write_fact(out, &trace->facts.ptr[i]);
}

struct digest fact_digest(const struct fact *fact)
{
	struct buf text = {0};
	write_fact(&text, fact);
	struct digest digest = hash_of(buf_str(&text));
	buf_finish(&text);
	return digest;
}

static bool take_digest(str *rest, struct digest *out)
{
	str word;
	return netstr_take_char(rest, ' ') && netstr_take_word(rest, &word) &&
	       digest_parse(word, out);
}

static bool parse_fact(str *rest, struct fact *fact)
{
	str word = STR("");
	if (!netstr_take_word(rest, &word))
		return false;
	size_t kind = 0;
	while (kind <= FACT_LOOSE && !str_is(word, kind_names[kind]))
		kind++;
	if (kind > FACT_LOOSE || !netstr_take_text(rest, &fact->path))
		return false;
	fact->kind = (enum fact_kind)kind;
	if (fact->kind == FACT_TOOL && !netstr_take_text(rest, &fact->real))
		return false;
	if (fact->kind != FACT_ABSENT && fact->kind != FACT_LOOSE &&
		!take_digest(rest, &fact->digest))
		return false;
	if (fact->kind == FACT_WAS && !take_digest(rest, &fact->after))
		return false;
	if (fact->kind == FACT_FILE) {
		if (!netstr_take_char(rest, ' ') || !netstr_take_word(rest, &word) ||
			(!str_is(word, "x") && !str_is(word, "-")))
			return false;
		fact->mode = str_is(word, "x");
	}
	if (fact->kind == FACT_WROTE &&
		(!netstr_take_char(rest, ' ') || !netstr_take_word(rest, &word) ||
			!netstr_octal(word, 6, &fact->mode)))
		return false;
	return netstr_take_char(rest, '\n');
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
