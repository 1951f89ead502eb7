/* bashlex_word: one word of bash: its quotes, patterns, and the assignment that it may be.  It does not know which command
 * it belongs to.  See bashlex.h. */
#include "data/bashlex.h"

bool bashlex_is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool ends_word(char c)
{
	return is_blank(c) || c == '\n' || c == ';' || c == '&' || c == '|' || c == '(' ||
	       c == ')' || c == '<' || c == '>';
}

void bashlex_add_literal(struct bashlex *lx, char c)
{
	if (lx->now.word && lx->now.word->literal)
		buf_add_char(&lx->now.word->text, c);
}

void bashlex_not_literal(struct bashlex *lx)
{
	if (lx->now.word)
		lx->now.word->literal = false;
}

size_t bashlex_find_close(const struct bashlex *lx, size_t from, char close, bool escapes)
{
	for (size_t i = from; i < lx->end; i++) {
		if (lx->body.ptr[i] == close)
			return i;
		if (escapes && lx->body.ptr[i] == '\\')
			i++;
	}
	return lx->end;
}

void bashlex_single(struct bashlex *lx, bool ansi)
{
	size_t open = lx->at;
	size_t close = bashlex_find_close(lx, open + 1, '\'', ansi);
	if (close == lx->end) {
		bashlex_break(lx, open, "this single quote is never closed");
		return;
	}
	struct bash_scope saved = lx->now;
	lx->now.taboo_start = open;
	lx->now.taboo_end = close + 1;
	bashlex_refuse_in(lx, open + 1, close, ansi ? BASH_ANSI : BASH_SINGLE);
	lx->now = saved;
	if (ansi && memchr(lx->body.ptr + open, '\\', close - open))
		bashlex_not_literal(lx);
	for (size_t i = open + 1; i < close; i++)
		bashlex_add_literal(lx, lx->body.ptr[i]);
	if (lx->now.word)
		lx->now.word->quoted = true;
	lx->at = close + 1;
}

/* Inside double quotes. */
static void read_escape_quoted(struct bashlex *lx)
{
	char next = bashlex_peek(lx, 1);
	bool special = next == '$' || next == '`' || next == '"' || next == '\\';
	if (!special && next != '\n')
		bashlex_add_literal(lx, '\\');
	if (next != '\n' && lx->at + 1 < lx->end)
		bashlex_add_literal(lx, next);
	lx->at += lx->at + 1 < lx->end ? 2 : 1;
}

void bashlex_double(struct bashlex *lx)
{
	size_t open = lx->at;
	if (lx->now.word)
		lx->now.word->quoted = true;
	if (!bashlex_enter(lx))
		return;
	lx->at++;
	while (bashlex_more(lx) && bashlex_peek(lx, 0) != '"') {
		char c = bashlex_peek(lx, 0);
		if (c == '\\') {
			read_escape_quoted(lx);
		} else if (c == '$') {
			bashlex_dollar(lx, BASH_QUOTED);
		} else if (c == '`') {
			bashlex_backquote(lx);
		} else {
			bashlex_add_literal(lx, c);
			lx->at++;
		}
	}
	lx->depth--;
	if (!bashlex_more(lx))
		bashlex_break(lx, open, "this double quote is never closed");
	lx->at++;
}

/* Behind the '(' of an extended pattern, of a regex group or of an array: up to and with its ')'. */
static void read_group(struct bashlex *lx)
{
	size_t open = lx->at - 1;
	if (!bashlex_enter(lx))
		return;
	while (bashlex_more(lx) && bashlex_peek(lx, 0) != ')') {
		switch (bashlex_peek(lx, 0)) {
		case '\\': lx->at += lx->at + 1 < lx->end ? 2 : 1; break;
		case '\'': bashlex_single(lx, false); break;
		case '"': bashlex_double(lx); break;
		case '`': bashlex_backquote(lx); break;
		case '$': bashlex_dollar(lx, BASH_BARE); break;
		case '(':
			lx->at++;
			read_group(lx);
			break;
		default: lx->at++; break;
		}
	}
	lx->depth--;
	if (!bashlex_more(lx))
		bashlex_break(lx, open, "this parenthesis is never closed");
	lx->at++;
}

/* The '[' at lx->at opens a subscript: on this line its ']' follows, and then '=' or '+='. */
static bool is_element(const struct bashlex *lx)
{
	enum { LONGEST = 4096 };
	size_t depth = 0;
	for (size_t i = lx->at; i < lx->end && i < lx->at + LONGEST; i++) {
		char c = lx->body.ptr[i];
		if (c == '\\')
			i++;
		else if (c == '\'' || c == '"' || c == '`')
			i = bashlex_find_close(lx, i + 1, c, c != '\'');
		else if (c == '[')
			depth++;
		else if (c == '\n')
			return false;
		else if (c == ']' && --depth == 0)
			return (i + 1 < lx->end && lx->body.ptr[i + 1] == '=') ||
			       (i + 2 < lx->end && lx->body.ptr[i + 1] == '+' &&
				       lx->body.ptr[i + 2] == '=');
	}
	return false;
}

/* Behind NAME=( up to and with the ')': words and comments over several lines. */
static void read_array(struct bashlex *lx)
{
	size_t open = lx->at - 1;
	struct bash_word *outer = lx->now.word;
	if (!bashlex_enter(lx))
		return;
	while (bashlex_more(lx) && bashlex_peek(lx, 0) != ')') {
		char c = bashlex_peek(lx, 0);
		if (is_blank(c) || c == '\n') {
			lx->at++;
			if (c == '\n')
				bashlex_docs(lx);
		} else if (c == '#') {
			lx->at = bashlex_find_close(lx, lx->at, '\n', false);
		} else if (ends_word(c) &&
			   !((c == '<' || c == '>') && bashlex_peek(lx, 1) == '(')) {
			bashlex_break(lx, lx->at, "this can't stand in an array");
		} else {
			if (c == '[' && is_element(lx)) {
				lx->at++;
				bashlex_arithmetic(lx, ']', BASH_SUBSCRIPT);
			}
			struct bash_word element;
			bashlex_word(lx, BASH_WORD_PLAIN, &element);
			bashlex_note_word(lx, &element);
			if (element.has_ref && outer && !outer->has_ref) {
				outer->has_ref = true;
				outer->ref = element.ref;
			}
			bashlex_word_finish(&element);
		}
	}
	lx->now.word = outer;
	lx->depth--;
	if (!bashlex_more(lx))
		bashlex_break(lx, open, "this array is never closed");
	lx->at++;
}

/* '=' or "+=" behind a plain NAME. */
static bool take_equals(struct bashlex *lx, size_t name_len)
{
	struct bash_word *word = lx->now.word;
	size_t n = bashlex_peek(lx, 0) == '+' ? 2 : 1;
	if (!name_len || bashlex_peek(lx, n - 1) != '=')
		return false;
	word->name_len = name_len;
	for (size_t i = 0; i < n; i++)
		bashlex_add_literal(lx, bashlex_peek(lx, i));
	word->value = word->text.len;
	word->keeps_assign = false;
	lx->at += n;
	if (bashlex_peek(lx, 0) == '(') {
		word->array = true;
		word->literal = false;
		lx->at++;
		read_array(lx);
	}
	return true;
}

/* What makes an assignment of a word: NAME=, NAME+=, NAME[...]=. */
static bool read_assignment(struct bashlex *lx)
{
	struct bash_word *word = lx->now.word;
	char c = bashlex_peek(lx, 0);
	size_t name_len = word->text.len;
	if (!word->keeps_assign || !name_len || is_digit(word->text.ptr[0]))
		return false;
	if (c == '[' && is_element(lx)) {
		lx->at++;
		bashlex_arithmetic(lx, ']', BASH_SUBSCRIPT);
		return bashlex_more(lx) && take_equals(lx, name_len);
	}
	return (c == '=' || (c == '+' && bashlex_peek(lx, 1) == '=')) && take_equals(lx, name_len);
}

/* A parenthesis that belongs to the word; false: the word ends before it. */
static bool read_paren(struct bashlex *lx, enum bash_word_mode mode)
{
	char before = lx->at > lx->now.word->start ? lx->body.ptr[lx->at - 1] : '\0';
	bool pattern = before && strchr("?*+@!", before);
	if (before == '!' && lx->at == lx->now.word->start + 1 && mode != BASH_WORD_PATTERN)
		pattern = false;
	if (!pattern && mode != BASH_WORD_REGEX)
		return false;
	bashlex_not_literal(lx);
	lx->at++;
	read_group(lx);
	return true;
}

/* The '[' at lx->at begins a bracket expression of a glob: its ']' is in the same word. */
static bool is_bracket(const struct bashlex *lx)
{
	enum { LONGEST = 256 };
	for (size_t i = lx->at; i < lx->end && i < lx->at + LONGEST; i++) {
		if (lx->body.ptr[i] == ']')
			return true;
		if (ends_word(lx->body.ptr[i]))
			break;
	}
	return false;
}

/* One unquoted byte that is nothing but itself, or a glob. */
static void read_plain(struct bashlex *lx, char c)
{
	struct bash_word *word = lx->now.word;
	char next = bashlex_peek(lx, 1);
	if (c == '*' || c == '?' || (c == '[' && is_bracket(lx)) ||
		(c == '~' && word->text.len == word->value) ||
		(c == '{' && next && next != '}' && !ends_word(next)))
		word->literal = false;
	if (!bashlex_is_name_char(c))
		word->keeps_assign = false;
	bashlex_add_literal(lx, c);
	if (c == '=' && !word->value && word->literal)
		word->value = word->text.len;
	lx->at++;
}

/* The next piece of the word; false at its end. */
static bool read_piece(struct bashlex *lx, enum bash_word_mode mode)
{
	struct bash_word *word = lx->now.word;
	char c = bashlex_peek(lx, 0);
	bool substitution = (c == '<' || c == '>') && bashlex_peek(lx, 1) == '(';
	if (substitution) {
		word->literal = false;
		lx->at += 2;
		bashlex_substitution(lx);
		return true;
	}
	if (c == '(')
		return read_paren(lx, mode);
	if (ends_word(c) && !(c == '|' && mode == BASH_WORD_REGEX))
		return false;
	if (read_assignment(lx))
		return true;
	if (c == '\\' || c == '\'' || c == '"' || c == '`' || c == '$')
		word->keeps_assign = false;
	switch (c) {
	case '\\':
		if (bashlex_peek(lx, 1) != '\n' && lx->at + 1 < lx->end) {
			bashlex_add_literal(lx, bashlex_peek(lx, 1));
			word->quoted = true;
		}
		lx->at += lx->at + 1 < lx->end ? 2 : 1;
		break;
	case '\'': bashlex_single(lx, false); break;
	case '"': bashlex_double(lx); break;
	case '`': bashlex_backquote(lx); break;
	case '$': bashlex_dollar(lx, BASH_BARE); break;
	default: read_plain(lx, c); break;
	}
	return true;
}

void bashlex_word(struct bashlex *lx, enum bash_word_mode mode, struct bash_word *word)
{
	struct bash_word *outer = lx->now.word;
	*word = (struct bash_word){
		.start = lx->at, .literal = true, .keeps_assign = mode == BASH_WORD_ASSIGN};
	lx->now.word = word;
	while (bashlex_more(lx) && read_piece(lx, mode))
		;
	lx->now.word = outer;
	word->end = lx->at < lx->end ? lx->at : lx->end;
	if (word->artifacts) {
		str rest = str_slice(
			buf_str(&word->text), word->value + strlen("$ARTIFACTS_DIR"), SIZE_MAX);
		word->literal = word->literal && str_starts(rest, STR("/"));
	} else if (word->literal && str_starts(buf_str(&word->text), STR("$ARTIFACTS_DIR"))) {
		word->literal = false;
	}
}

void bashlex_word_finish(struct bash_word *word)
{
	buf_finish(&word->text);
}
