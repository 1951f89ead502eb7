/* when_parse: the text of a condition into its comparisons.  Most of this file is what it says to people who wrote
 * something near to a condition.  It does not know which nodes there are. */
#include "data/when_atoms.h"

#include "base/arena.h"
#include "base/mem.h"
#include "base/vec.h"

#define SHOWN_MAX 40
#define TEXT_MAX  65536
#define ATOMS_MAX 1000

struct parser {
	struct arena *arena;
	str text;
	size_t at;
	struct place origin;
	struct err *err;
	VEC(struct when_atom) atoms;
};

static struct place place_of(const struct parser *p, size_t from, size_t to)
{
	struct place at = p->origin;

	if (at.col == 0)
		at.col = 1;
	for (size_t i = 0; i < from; i++) {
		at.col++;
		if (p->text.ptr[i] == '\n' && p->origin.line > 0) {
			at.line++;
			at.col = 1;
		}
	}
	at.len = (uint32_t)(to > from ? to - from : 1);
	return at;
}

/* Locates the error that was just set; gives false for a tail call. */
static bool fail_at(struct parser *p, size_t from, size_t to)
{
	return err_at(p->err, place_of(p, from, to));
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_word_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '.' || c == '-' || c == '+' || c == '/' || c == ':' || c == '@' ||
	       c == '%' || (unsigned char)c >= 0x80;
}

static void skip_blanks(struct parser *p)
{
	while (p->at < p->text.len && is_blank(p->text.ptr[p->at]))
		p->at++;
}

static str rest_of(const struct parser *p)
{
	return str_slice(p->text, p->at, p->text.len);
}

static bool looking_at(const struct parser *p, const char *z)
{
	return str_starts(rest_of(p), str_of(z));
}

/* The unquoted word at p->at. */
static str word_at(const struct parser *p)
{
	size_t end = p->at;

	while (end < p->text.len && is_word_char(p->text.ptr[end]))
		end++;
	return str_slice(p->text, p->at, end);
}

/* What stands at p->at, for a message: a word, or one character. */
static str shown_at(const struct parser *p)
{
	str word = word_at(p);

	if (word.len == 0)
		return str_slice(p->text, p->at, p->at + 1);
	if (word.len <= SHOWN_MAX)
		return word;
	size_t end = SHOWN_MAX;
	while (end > 0 && ((unsigned char)word.ptr[end] & 0xC0) == 0x80)
		end--;
	return str_slice(word, 0, end);
}

static bool is_any_case(str word, const char *lower)
{
	size_t len = strlen(lower);

	if (word.len != len)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = word.ptr[i];
		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if (c != lower[i])
			return false;
	}
	return true;
}

/* A typographic quote or a back-tick: bytes of it, or 0. */
static size_t odd_quote_len(str s)
{
	if (str_starts(s, STR("`")))
		return 1;
	if (str_starts(s, STR("\xE2\x80")) && s.len >= 3 && (unsigned char)s.ptr[2] >= 0x98 &&
		(unsigned char)s.ptr[2] <= 0x9F)
		return 3;
	return 0;
}

static bool fail_parenthesis(struct parser *p)
{
	err_set(p->err, "E-WHEN-SYNTAX", "parentheses are not part of a condition");
	err_help(p->err, "'&&' binds tighter than '||': write 'A && (B || C)' as "
			 "'A && B || A && C', or compute it in a node and test its output");
	return fail_at(p, p->at, p->at + 1);
}

static bool fail_not(struct parser *p, size_t len)
{
	err_set(p->err, "E-WHEN-SYNTAX", "'%.*s' is not part of a condition", (int)len,
		p->text.ptr + p->at);
	err_help(p->err, "turn the comparison around: '!=' for '==', '<' for '>=', or compare "
			 "with 'false'");
	return fail_at(p, p->at, p->at + len);
}

/* The left side is something else than a reference. */
static bool fail_left(struct parser *p)
{
	str rest = rest_of(p);
	str word = word_at(p);
	char c = rest.ptr[0];

	if (c == '(' || c == ')')
		return fail_parenthesis(p);
	if (c == '!')
		return fail_not(p, 1);
	if (is_any_case(word, "not"))
		return fail_not(p, 3);
	if (c == '\'' || c == '"' || odd_quote_len(rest) > 0 || (c >= '0' && c <= '9') ||
		str_is(word, "true") || str_is(word, "false")) {
		err_set(p->err, "E-WHEN-SYNTAX",
			"a comparison begins with a reference, not with a literal");
		err_help(p->err, "put the reference first: $node.output == 'text'");
		return fail_at(p, p->at, p->at + 1);
	}
	if (c == '&' || c == '|') {
		err_set(p->err, "E-WHEN-SYNTAX", "there is no comparison before '%.*s'",
			rest.len > 1 && rest.ptr[1] == c ? 2 : 1, rest.ptr);
		return fail_at(p, p->at, p->at + 1);
	}
	if (c == '$' || c == '\\') {
		str name = str_slice(rest, 1, rest.len);
		size_t len = 0;
		while (len < name.len && !is_blank(name.ptr[len]))
			len++;
		len = len > SHOWN_MAX ? SHOWN_MAX : len;
		err_set(p->err, "E-WHEN-SYNTAX",
			"'%c%.*s' is not a reference that a condition can test", c, (int)len,
			name.ptr);
		err_help(p->err, "$node.output, $node.output.field, $node.state or $INPUTS.name");
		return fail_at(p, p->at, p->at + 1 + len);
	}
	str shown = shown_at(p);
	err_set(p->err, "E-WHEN-SYNTAX",
		"expected a reference ($node.output, $node.state, $INPUTS.name), found '%.*s'",
		STR_ARG(shown));
	if (str_find(word, STR(".output"), 0) != SIZE_MAX || str_ends(word, STR(".state")) ||
		str_starts(word, STR("INPUTS.")))
		err_help(p->err, "write $%.*s", STR_ARG(word));
	return fail_at(p, p->at, p->at + shown.len);
}

static bool parse_ref(struct parser *p, struct when_atom *atom)
{
	size_t at = p->at;

	if (p->at >= p->text.len) {
		err_set(p->err, "E-WHEN-SYNTAX",
			p->atoms.len == 0
				? "the condition is empty: expected $node.output == 'text'"
				: "the condition ends where another comparison should follow");
		return fail_at(p, p->at, p->at + 1);
	}
	if (!ref_next(p->text, &at, &atom->ref) || atom->ref.start != p->at)
		return fail_left(p);
	if (atom->ref.escaped) {
		err_set(p->err, "E-WHEN-SYNTAX",
			"'\\' makes this a literal text, and a comparison begins with a reference");
		err_help(p->err, "remove the backslash");
		return fail_at(p, p->at, p->at + 1);
	}
	if (atom->ref.kind == REF_LOOP_PREV || atom->ref.kind == REF_VARIABLE)
		return fail_left(p);
	/* Behind an input nothing else can follow here: no braces are needed for a field of it. */
	if (atom->ref.kind == REF_INPUT && !atom->ref.braced)
		atom->ref.path = ref_take_path(p->text, &atom->ref.end);
	p->at = atom->ref.end;
	return true;
}

struct op_word {
	const char *word;
	const char *meant; /* NULL: there is none that does it */
};

/* The operators of other languages, where they stand in a condition. */
static bool fail_op(struct parser *p, const struct when_atom *atom)
{
	static const struct op_word words[] = {{"is", "=="}, {"eq", "=="}, {"equals", "=="},
		{"ne", "!="}, {"lt", "<"}, {"le", "<="}, {"gt", ">"}, {"ge", ">="},
		{"contains", NULL}, {"in", NULL}, {"matches", NULL}, {"like", NULL},
		{"startswith", NULL}};
	static const struct op_word signs[] = {{"===", "=="}, {"!==", "!="}, {"=~", NULL},
		{"<>", "!="}, {"=<", "<="}, {"=>", ">="}, {"=", "=="}, {"~", NULL}};
	str word = word_at(p);
	const struct op_word *found = NULL;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]) && !found; i++)
		if (is_any_case(word, words[i].word))
			found = &words[i];
	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]) && !found; i++)
		if (looking_at(p, signs[i].word))
			found = &signs[i];
	if (found) {
		size_t len = strlen(found->word);
		err_set(p->err, "E-WHEN-SYNTAX", "'%.*s' is not an operator of conditions",
			(int)len, p->text.ptr + p->at);
		if (found->meant)
			err_help(p->err, "write '%s'", found->meant);
		else
			err_help(p->err,
				"the operators are == != <= >= < >; compute anything else in "
				"a node and test its output");
		return fail_at(p, p->at, p->at + len);
	}
	if (p->at >= p->text.len || looking_at(p, "&&") || looking_at(p, "||") ||
		looking_at(p, ")")) {
		err_set(p->err, "E-WHEN-SYNTAX", "'%.*s' is not compared with anything",
			(int)(atom->ref.end - atom->ref.start), p->text.ptr + atom->ref.start);
		err_help(p->err, "write %.*s == 'true', or != '' for \"is not empty\"",
			(int)(atom->ref.end - atom->ref.start), p->text.ptr + atom->ref.start);
		return fail_at(p, p->at, p->at + 1);
	}
	str shown = shown_at(p);
	err_set(p->err, "E-WHEN-SYNTAX",
		"expected an operator (== != <= >= < >) behind '%.*s', found '%.*s'",
		(int)(atom->ref.end - atom->ref.start), p->text.ptr + atom->ref.start,
		STR_ARG(shown));
	if (shown.ptr[0] == '[')
		err_help(p->err, "an element of a list is written $node.output.0");
	return fail_at(p, p->at, p->at + shown.len);
}

static bool parse_op(struct parser *p, struct when_atom *atom)
{
	static const struct {
		const char *sign;
		enum when_op op;
	} ops[] = {{"==", WHEN_EQ}, {"!=", WHEN_NE}, {"<=", WHEN_LE}, {">=", WHEN_GE},
		{"<", WHEN_LT}, {">", WHEN_GT}};

	if (looking_at(p, "===") || looking_at(p, "!==") || looking_at(p, "<>"))
		return fail_op(p, atom);
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		if (!looking_at(p, ops[i].sign))
			continue;
		atom->op = ops[i].op;
		if (when_op_is_ordering(atom->op) && atom->ref.kind == REF_STATE) {
			err_set(p->err, "E-WHEN-SYNTAX", "a state is a word; '%s' compares numbers",
				ops[i].sign);
			err_help(p->err, "use == or !=");
			return fail_at(p, p->at, p->at + strlen(ops[i].sign));
		}
		p->at += strlen(ops[i].sign);
		return true;
	}
	return fail_op(p, atom);
}

/* 'text' or "text", in which the doubled quote is one. */
static bool parse_quoted(struct parser *p, struct when_atom *atom)
{
	char quote = p->text.ptr[p->at];
	size_t from = p->at++;
	struct buf text = {0};

	for (;;) {
		if (p->at >= p->text.len) {
			err_set(p->err, "E-WHEN-SYNTAX",
				"the text that begins with %c here has no end", quote);
			err_help(p->err, "end it with %c; a quote inside is written twice: 'it''s'",
				quote);
			buf_finish(&text);
			return fail_at(p, from, p->text.len);
		}
		char c = p->text.ptr[p->at++];
		if (c == quote) {
			if (p->at >= p->text.len || p->text.ptr[p->at] != quote)
				break;
			p->at++;
		}
		buf_add_char(&text, c);
	}
	atom->literal = arena_str(p->arena, buf_str(&text));
	buf_finish(&text);
	return true;
}

/* A word on the right side that is no literal. */
static bool fail_bare(struct parser *p, str word)
{
	err_set(p->err, "E-WHEN-SYNTAX", "'%.*s' is not quoted", STR_ARG(word));
	if (is_any_case(word, "true") || is_any_case(word, "false"))
		err_help(p->err, "write %s, or '%.*s' for the text",
			word.len == 4 ? "true" : "false", STR_ARG(word));
	else if (is_any_case(word, "null") || is_any_case(word, "none") ||
		 is_any_case(word, "undefined"))
		err_help(p->err, "there is no %.*s: an absent value is the empty text ''",
			STR_ARG(word));
	else
		err_help(p->err, "write '%.*s'", STR_ARG(word));
	return fail_at(p, p->at, p->at + word.len);
}

static bool fail_literal(struct parser *p)
{
	str rest = rest_of(p);
	size_t odd = odd_quote_len(rest);
	str shown = rest.len > 0 ? shown_at(p) : STR("");
	size_t len = odd > 0 ? odd : shown.len;

	if (rest.len == 0) {
		err_set(p->err, "E-WHEN-SYNTAX",
			"the condition ends where a text, a number, true or false should follow");
	} else if (odd > 0) {
		err_set(p->err, "E-WHEN-SYNTAX", "%.*s is not a quote of conditions", (int)odd,
			rest.ptr);
		err_help(p->err, "use ' or \"");
	} else if (rest.ptr[0] == '$' || rest.ptr[0] == '\\') {
		err_set(p->err, "E-WHEN-SYNTAX",
			"the right side is a literal; two references can't be compared");
		err_help(p->err, "compare them in a node and test its output, or quote the text");
	} else if (rest.ptr[0] == '(') {
		return fail_parenthesis(p);
	} else if (rest.ptr[0] == '=') {
		err_set(p->err, "E-WHEN-SYNTAX", "there is a '=' too many");
		err_help(p->err, "the operators are == != <= >= < >");
	} else {
		err_set(p->err, "E-WHEN-SYNTAX",
			"expected 'text', a number, true or false, found '%.*s'", STR_ARG(shown));
	}
	return fail_at(p, p->at, p->at + len);
}

/* A JSON number: no plus sign, no leading zeros. */
static bool is_number(str word)
{
	struct decimal number;
	size_t first = word.len > 0 && word.ptr[0] == '-' ? 1 : 0;

	if (!decimal_parse(word, &number) || word.ptr[0] == '+')
		return false;
	return word.ptr[first] != '0' || word.len == first + 1 || word.ptr[first + 1] < '0' ||
	       word.ptr[first + 1] > '9';
}

static bool parse_literal(struct parser *p, struct when_atom *atom)
{
	size_t from = p->at;

	if (p->at < p->text.len && (p->text.ptr[p->at] == '\'' || p->text.ptr[p->at] == '"')) {
		if (!parse_quoted(p, atom))
			return false;
	} else {
		str word = word_at(p);
		if (word.len == 0 || odd_quote_len(word) > 0)
			return fail_literal(p);
		if (!str_is(word, "true") && !str_is(word, "false") && !is_number(word))
			return fail_bare(p, word);
		atom->literal = word;
		p->at += word.len;
	}
	atom->literal_source = str_slice(p->text, from, p->at);
	if (when_op_is_ordering(atom->op) && !decimal_parse(atom->literal, &atom->number)) {
		err_set(p->err, "E-WHEN-SYNTAX",
			"%.*s is not a number, and < <= > >= compare numbers",
			STR_ARG(atom->literal_source));
		err_help(p->err, "use == or != to compare text");
		return fail_at(p, from, p->at);
	}
	return true;
}

static bool parse_atom(struct parser *p, struct when_atom *atom)
{
	skip_blanks(p);
	size_t from = p->at;
	if (!parse_ref(p, atom))
		return false;
	skip_blanks(p);
	if (!parse_op(p, atom))
		return false;
	skip_blanks(p);
	if (!parse_literal(p, atom))
		return false;
	atom->source = str_slice(p->text, from, p->at);
	atom->at = place_of(p, from, p->at);
	return true;
}

/* What stands behind a comparison is neither && nor || nor the end. */
static bool fail_join(struct parser *p)
{
	str word = word_at(p);
	char c = p->text.ptr[p->at];

	if (c == '(' || c == ')')
		return fail_parenthesis(p);
	if (is_any_case(word, "and") || is_any_case(word, "or")) {
		err_set(p->err, "E-WHEN-SYNTAX", "'%.*s' does not join comparisons", STR_ARG(word));
		err_help(p->err, "write '%s'", word.len == 3 ? "&&" : "||");
		return fail_at(p, p->at, p->at + word.len);
	}
	if (c == '&' || c == '|') {
		err_set(p->err, "E-WHEN-SYNTAX", "a single '%c' does not join comparisons", c);
		err_help(p->err, "write '%c%c'", c, c);
		return fail_at(p, p->at, p->at + 1);
	}
	str shown = shown_at(p);
	err_set(p->err, "E-WHEN-SYNTAX",
		"expected '&&', '||' or the end behind '%.*s', found '%.*s'",
		STR_ARG(p->atoms.ptr[p->atoms.len - 1].literal_source), STR_ARG(shown));
	if (c == '$')
		err_help(p->err, "join two comparisons with '&&' or '||'");
	else if (c == '\'' || c == '"')
		err_help(p->err, "a quote inside a text is written twice: 'it''s'");
	return fail_at(p, p->at, p->at + shown.len);
}

static bool parse_all(struct parser *p)
{
	bool starts_or = false;

	for (;;) {
		struct when_atom atom = {.starts_or = starts_or};
		if (!parse_atom(p, &atom))
			return false;
		if (p->atoms.len == ATOMS_MAX) {
			err_set(p->err, "E-WHEN-SYNTAX", "a condition has at most %d comparisons",
				ATOMS_MAX);
			return err_at(p->err, atom.at);
		}
		*vec_push(&p->atoms) = atom;
		skip_blanks(p);
		if (p->at >= p->text.len)
			return true;
		if (!looking_at(p, "&&") && !looking_at(p, "||"))
			return fail_join(p);
		starts_or = p->text.ptr[p->at] == '|';
		p->at += 2;
	}
}

const struct when *when_parse(struct arena *arena, str text, struct place origin, struct err *err)
{
	struct parser p = {.arena = arena, .origin = origin, .err = err};
	struct when *when = NULL;

	if (text.len > TEXT_MAX) {
		err_set(err, "E-WHEN-SYNTAX", "a condition has at most %d bytes, not %zu", TEXT_MAX,
			text.len);
		err_at(err, origin);
		return NULL;
	}
	p.text = arena_str(arena, text);
	if (parse_all(&p)) {
		when = arena_new(arena, struct when);
		when->count = p.atoms.len;
		when->atoms = arena_array(arena, struct when_atom, p.atoms.len);
		memcpy(when->atoms, p.atoms.ptr, mem_mul(p.atoms.len, sizeof(*p.atoms.ptr)));
	}
	vec_finish(&p.atoms);
	return when;
}
