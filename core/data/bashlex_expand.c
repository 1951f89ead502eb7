/* bashlex_expand: what begins with '$' or a backquote: parameters, substitutions, arithmetic.  It follows bash 5's own
 * reader, also where that is odd: single quotes pair up inside "${x:-...}" and yet quote nothing there.  See bashlex.h. */
#include "data/bashlex.h"

void bashlex_backquote(struct bashlex *lx)
{
	size_t open = lx->at;
	size_t close = bashlex_find_close(lx, open + 1, '`', true);
	bashlex_not_literal(lx);
	if (close == lx->end) {
		bashlex_break(lx, open, "this backquote is never closed");
		return;
	}
	struct bash_scope saved = lx->now;
	size_t end = lx->end;
	lx->now.taboo_start = open;
	lx->now.taboo_end = close + 1;
	if (memchr(lx->body.ptr + open, '\\', close - open)) {
		bashlex_refuse_in(lx, open + 1, close, BASH_BACKQUOTE);
	} else if (bashlex_enter(lx)) {
		lx->now.taboo = BASH_BACKQUOTE;
		lx->at = open + 1;
		lx->end = close;
		lx->now.word = NULL;
		lx->now.docs_from = lx->docs.len;
		lx->now.in_substitution = false;
		bashlex_list(lx, '\0');
		lx->docs.len = lx->now.docs_from;
		lx->depth--;
	}
	lx->now = saved;
	lx->end = end;
	lx->at = close + 1;
}

bool bashlex_is_arithmetic(const struct bashlex *lx)
{
	size_t depth = 0;
	for (size_t i = lx->at + 2; i < lx->end; i++) {
		switch (lx->body.ptr[i]) {
		case '\\': i++; break;
		case '\'': i = bashlex_find_close(lx, i + 1, '\'', false); break;
		case '"': i = bashlex_find_close(lx, i + 1, '"', true); break;
		case '`': i = bashlex_find_close(lx, i + 1, '`', true); break;
		case '(': depth++; break;
		case ')':
			if (depth == 0)
				return i + 1 < lx->end && lx->body.ptr[i + 1] == ')';
			depth--;
			break;
		default: break;
		}
	}
	return false;
}

/* One byte or construct of arithmetic; `depth` counts the brackets of the closer's kind. */
static void read_arithmetic_step(struct bashlex *lx, char closer, size_t *depth)
{
	char c = bashlex_peek(lx, 0);
	switch (c) {
	case '\\': lx->at += lx->at + 1 < lx->end ? 2 : 1; return;
	case '\'': bashlex_single(lx, false); return;
	case '"': bashlex_double(lx); return;
	case '`': bashlex_backquote(lx); return;
	case '$': bashlex_dollar(lx, BASH_QUOTED); return;
	default: break;
	}
	if ((closer == ')' && c == '(') || (closer == ']' && c == '['))
		++*depth;
	else if (c == closer)
		--*depth;
	lx->at++;
}

void bashlex_arithmetic(struct bashlex *lx, char closer, enum bash_taboo taboo)
{
	size_t open = lx->at;
	enum bash_taboo saved = lx->now.taboo;
	size_t depth = 0;
	bashlex_not_literal(lx);
	if (!bashlex_enter(lx))
		return;
	if (lx->now.taboo == BASH_OK)
		lx->now.taboo = taboo;
	while (bashlex_more(lx) && (depth || bashlex_peek(lx, 0) != closer))
		read_arithmetic_step(lx, closer, &depth);
	lx->now.taboo = saved;
	lx->depth--;
	if (!bashlex_more(lx) || (closer == ')' && bashlex_peek(lx, 1) != ')')) {
		bashlex_break(lx, open, "this arithmetic is never closed");
		return;
	}
	lx->at += closer == ')' ? 2 : 1;
}

/* '...' inside "${x:-...}": it pairs up but quotes nothing, so a reference in it is bound; other expansions in it would
 * have to be read two ways at once. */
static void read_single_in_word(struct bashlex *lx)
{
	size_t open = lx->at;
	size_t close = bashlex_find_close(lx, open + 1, '\'', false);
	if (close == lx->end) {
		bashlex_break(lx, open, "this single quote is never closed");
		return;
	}
	str inside = str_slice(lx->body, open + 1, close);
	if (str_find(inside, STR("$("), 0) != SIZE_MAX ||
		str_find(inside, STR("${"), 0) != SIZE_MAX || memchr(inside.ptr, '`', inside.len) ||
		memchr(inside.ptr, '"', inside.len) || memchr(inside.ptr, '\\', inside.len)) {
		bashlex_refuse_in(lx, open + 1, close, BASH_MIXED);
		lx->at = close + 1;
		return;
	}
	lx->at++;
	while (lx->at < close)
		if (!bashlex_ref(lx, BASH_QUOTED))
			lx->at++;
	lx->at = close + 1;
}

/* The word behind an operator of ${x...}, up to the '}'. */
static void read_brace_word(struct bashlex *lx, enum bash_context context, bool is_pattern)
{
	bool quotes = context == BASH_BARE || is_pattern;
	while (bashlex_more(lx) && bashlex_peek(lx, 0) != '}') {
		switch (bashlex_peek(lx, 0)) {
		case '\\': lx->at += lx->at + 1 < lx->end ? 2 : 1; break;
		case '\'':
			if (quotes)
				bashlex_single(lx, false);
			else
				read_single_in_word(lx);
			break;
		case '"': bashlex_double(lx); break;
		case '`': bashlex_backquote(lx); break;
		case '$': bashlex_dollar(lx, quotes ? BASH_BARE : BASH_QUOTED); break;
		default: lx->at++; break;
		}
	}
}

/* What stands behind the name in ${name...}, up to the '}'. */
static void read_operator(struct bashlex *lx, enum bash_context context)
{
	char c = bashlex_peek(lx, 0);
	char next = bashlex_peek(lx, 1);
	if (c == '}')
		return;
	if (c == ':' && (next == '-' || next == '=' || next == '?' || next == '+')) {
		lx->at += 2;
		read_brace_word(lx, context, false);
		return;
	}
	if (c == ':') {
		lx->at++;
		bashlex_arithmetic(lx, '}', BASH_OFFSET);
		if (!lx->broken)
			lx->at--;
		return;
	}
	read_brace_word(lx, context, c == '#' || c == '%' || c == '/' || c == '^' || c == ',');
}

/* "${n.output%.txt}": a reference followed by an operator, which bash could not even read. */
static void refuse_operator_on_ref(struct bashlex *lx)
{
	struct arena scratch = {0};
	str rest = str_slice(lx->body, lx->at + 2, lx->at + 2 + 256);
	if (rest.len > lx->end - lx->at - 2)
		rest.len = lx->end - lx->at - 2;
	char *bare = arena_printf(&scratch, "$%.*s", STR_ARG(rest));
	struct ref ref;
	if (ref_at(str_of(bare), 0, &ref) && bind_wants(lx->names, &ref)) {
		size_t shift = lx->at + 1;
		ref.start = lx->at;
		ref.end += shift;
		ref.name = str_make(lx->body.ptr + shift + (ref.name.ptr - bare), ref.name.len);
		if (ref.path.len)
			ref.path = str_make(
				lx->body.ptr + shift + (ref.path.ptr - bare), ref.path.len);
		lx->now.taboo_start = lx->at;
		lx->now.taboo_end = bashlex_find_close(lx, lx->at, '}', true);
		bashlex_refuse(lx, &ref, BASH_NAME, NULL);
	}
	arena_finish(&scratch);
}

/* The parameter of ${...}: a name, digits or one special character, perhaps behind '!' or '#'. */
static void read_parameter(struct bashlex *lx, size_t open)
{
	char c = bashlex_peek(lx, 0);
	char next = bashlex_peek(lx, 1);
	if ((c == '!' || c == '#') &&
		(bashlex_is_name_char(next) || next == '@' || next == '*' || next == '$'))
		lx->at++;
	if (bashlex_peek(lx, 0) == '$') {
		struct ref ref;
		if (ref_at(lx->body, lx->at, &ref) && ref.end <= lx->end &&
			bind_wants(lx->names, &ref)) {
			lx->now.taboo_start = open;
			lx->now.taboo_end = bashlex_find_close(lx, lx->at, '}', true);
			bashlex_refuse(lx, &ref, BASH_NAME, NULL);
			lx->at = ref.end;
			return;
		}
	}
	if (bashlex_is_name_char(bashlex_peek(lx, 0)))
		while (bashlex_is_name_char(bashlex_peek(lx, 0)))
			lx->at++;
	else if (bashlex_more(lx) && strchr("@*#?-$!", bashlex_peek(lx, 0)))
		lx->at++;
}

/* At "${" where no reference stands. */
static void read_braces(struct bashlex *lx, enum bash_context context)
{
	size_t open = lx->at;
	struct bash_word *word = lx->now.word;
	refuse_operator_on_ref(lx);
	bashlex_not_literal(lx);
	if (!bashlex_enter(lx))
		return;
	lx->at += 2;
	read_parameter(lx, open);
	if (bashlex_peek(lx, 0) == '[') {
		lx->at++;
		bashlex_arithmetic(lx, ']', BASH_SUBSCRIPT);
	}
	if (bashlex_more(lx))
		read_operator(lx, context);
	lx->now.word = word;
	lx->depth--;
	if (!bashlex_more(lx))
		bashlex_break(lx, open, "this ${ is never closed");
	lx->at++;
}

/* $name, $1, $?: nothing to bind.  $ARTIFACTS_DIR at the start of a word keeps the word known. */
static void read_variable(struct bashlex *lx)
{
	struct ref ref;
	if (ref_at(lx->body, lx->at, &ref) && ref.kind == REF_VARIABLE && ref.end <= lx->end &&
		str_is(ref.name, "ARTIFACTS_DIR") && lx->now.word && lx->now.word->literal &&
		lx->now.word->text.len == lx->now.word->value) {
		buf_add_z(&lx->now.word->text, "$ARTIFACTS_DIR");
		lx->now.word->artifacts = true;
		lx->now.word->keeps_assign = false;
		lx->at = ref.end;
		return;
	}
	char next = bashlex_peek(lx, 1);
	if (next == '{') {
		read_braces(lx, BASH_BARE);
		return;
	}
	lx->at++;
	if (next && strchr("0123456789@*#?-$!", next)) {
		bashlex_not_literal(lx);
		lx->at++;
	} else if (bashlex_is_name_char(next)) {
		bashlex_not_literal(lx);
		while (bashlex_is_name_char(bashlex_peek(lx, 0)))
			lx->at++;
	} else {
		bashlex_add_literal(lx, '$');
	}
}

void bashlex_dollar(struct bashlex *lx, enum bash_context context)
{
	char next = bashlex_peek(lx, 1);
	struct ref ref;
	if (bashlex_ref(lx, context))
		return;
	if (next == '(') {
		bashlex_not_literal(lx);
		lx->at++;
		if (bashlex_peek(lx, 1) == '(' && bashlex_is_arithmetic(lx)) {
			lx->at += 2;
			bashlex_arithmetic(lx, ')', BASH_ARITHMETIC);
		} else {
			lx->at++;
			bashlex_substitution(lx);
		}
	} else if (next == '[') {
		lx->at += 2;
		bashlex_arithmetic(lx, ']', BASH_ARITHMETIC);
	} else if (next == '{' && !(ref_at(lx->body, lx->at, &ref) && ref.kind == REF_VARIABLE)) {
		read_braces(lx, context);
	} else if (next == '\'' && context == BASH_BARE) {
		lx->at++;
		bashlex_single(lx, true);
	} else if (next == '"' && context == BASH_BARE) {
		lx->at++;
		bashlex_not_literal(lx);
		bashlex_double(lx);
	} else {
		read_variable(lx);
	}
}
