/* bashlex_list: words into commands, as far as it takes to know which word is a command's name, a file that is written, a
 * pattern of case, or an operand of [[ ]].  Keywords need no matching: bash itself reports what does not match.  See
 * bashlex.h. */
#include "data/bashlex.h"

enum expect {
	EXPECT_COMMAND,  /* a keyword, an assignment or a command's name */
	EXPECT_ARGUMENT, /* behind the name */
	EXPECT_SUBJECT,  /* case WORD */
	EXPECT_IN,       /* the `in` of case */
	EXPECT_PATTERN,  /* of case */
	EXPECT_FOR,      /* for NAME */
	EXPECT_FOR_IN,   /* its `in`, or the end of the line */
	EXPECT_FOR_WORD, /* for NAME in WORDS */
	EXPECT_FUNCTION, /* function NAME */
	EXPECT_COPROC,   /* perhaps a NAME, before a compound command */
};

/* One list of commands: the body, a subshell, or the inside of $(...). */
struct list {
	enum expect expect;
	size_t cases; /* how many case commands are open */
	bool closed;
	struct bash_command command;
};

static void end_command(struct list *list)
{
	list->expect = EXPECT_COMMAND;
	list->command =
		(struct bash_command){.name = STR(""), .previous = STR(""), .target = STR("")};
}

static void skip_blanks(struct bashlex *lx)
{
	for (;;) {
		char c = bashlex_peek(lx, 0);
		if (c == ' ' || c == '\t')
			lx->at++;
		else if (c == '\\' && bashlex_peek(lx, 1) == '\n')
			lx->at += 2;
		else
			return;
	}
}

static void skip_comment(struct bashlex *lx)
{
	size_t end = str_find_char(lx->body, '\n', lx->at);
	lx->at = end < lx->end ? end : lx->end;
}

static bool is_keyword(const struct bash_word *word, const char *keyword)
{
	return word->literal && !word->quoted && str_is(buf_str(&word->text), keyword);
}

/* The operator at lx->at that redirects, and how long it is; 0: none. */
static size_t redirection(const struct bashlex *lx)
{
	static const char *const operators[] = {
		"<<<", "<<-", "&>>", "<<", "<&", "<>", ">>", ">&", ">|", "&>", "<", ">"};
	str rest = str_slice(lx->body, lx->at, lx->end);
	for (size_t i = 0; i < sizeof(operators) / sizeof(*operators); i++)
		if (str_starts(rest, str_of(operators[i])))
			return strlen(operators[i]);
	return 0;
}

static size_t count_digits(str text)
{
	size_t digits = 0;
	while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9')
		digits++;
	return digits;
}

/* "2" and "{fd}" directly before a redirection belong to it. */
static bool is_descriptor(const struct bashlex *lx, const struct bash_word *word)
{
	str text = str_slice(lx->body, word->start, word->end);
	char next = bashlex_peek(lx, 0);
	if (!text.len || (next != '<' && next != '>'))
		return false;
	if (text.len > 2 && text.ptr[0] == '{' && text.ptr[text.len - 1] == '}')
		return !memchr(text.ptr, ',', text.len) && !memchr(text.ptr, '.', text.len);
	return count_digits(text) == text.len;
}

/* What ">&" copies: "1", "1-", "-". */
static bool is_copy(str text)
{
	size_t digits = count_digits(text);
	return digits == text.len || (digits + 1 == text.len && text.ptr[digits] == '-');
}

static void read_redirection(struct bashlex *lx, size_t len)
{
	str operator= str_slice(lx->body, lx->at, lx->at + len);
	lx->at += len;
	if (str_is(operator, "<<") || str_is(operator, "<<-")) {
		bashlex_doc_open(lx, len == 3);
		return;
	}
	skip_blanks(lx);
	struct bash_word word;
	bashlex_word(lx, BASH_WORD_PLAIN, &word);
	if (str_is(operator, "<") || str_is(operator, "<>"))
		bashlex_note_word(lx, &word);
	bool copies = str_is(operator, ">&") && is_copy(buf_str(&word.text));
	if (str_ends(operator, STR(">>")))
		bashlex_note_append(lx, &word);
	else if (operator.ptr[operator.len - 1] != '<' && !str_is(operator, "<&") && !copies)
		bashlex_note_write(lx, &word);
	bashlex_word_finish(&word);
}

void bashlex_substitution(struct bashlex *lx)
{
	struct bash_scope saved = lx->now;
	size_t open = lx->at;
	if (!bashlex_enter(lx))
		return;
	if (lx->now.taboo != BASH_BACKQUOTE)
		lx->now.taboo = BASH_OK;
	lx->now.word = NULL;
	lx->now.in_substitution = true;
	lx->now.docs_from = lx->docs.len;
	bashlex_list(lx, ')');
	if (lx->docs.len > lx->now.docs_from)
		bashlex_break(lx, open, "a here-document begins in this $( and does not end in it");
	lx->docs.len = lx->now.docs_from;
	lx->depth--;
	lx->now = saved;
	if (lx->now.word)
		lx->now.word->literal = false;
}

/* Operators of [[ ]] that evaluate both sides as arithmetic. */
static bool compares_numbers(const struct bash_word *word)
{
	static const char *const operators[] = {"-eq", "-ne", "-lt", "-le", "-gt", "-ge"};
	for (size_t i = 0; i < sizeof(operators) / sizeof(*operators); i++)
		if (is_keyword(word, operators[i]))
			return true;
	return false;
}

struct condition {
	enum bash_word_mode mode; /* of the next operand */
	bool refuse;              /* the next operand is evaluated */
	bool has_left;
	struct ref left; /* a reference in the operand before */
};

/* A word of [[ ]]; false: it was the closing one. */
static bool read_operand(struct bashlex *lx, struct condition *condition)
{
	struct bash_word word;
	enum bash_taboo saved = lx->now.taboo;
	if (condition->refuse)
		lx->now.taboo = BASH_COMPARE;
	bashlex_word(lx, condition->mode, &word);
	lx->now.taboo = saved;
	bool evaluates = compares_numbers(&word);
	if (evaluates && condition->has_left)
		bashlex_refuse(lx, &condition->left, BASH_COMPARE, NULL);
	condition->refuse = evaluates || is_keyword(&word, "-v") || is_keyword(&word, "-R");
	condition->mode = BASH_WORD_PLAIN;
	if (is_keyword(&word, "=~"))
		condition->mode = BASH_WORD_REGEX;
	else if (is_keyword(&word, "==") || is_keyword(&word, "=") || is_keyword(&word, "!="))
		condition->mode = BASH_WORD_PATTERN;
	condition->has_left = word.has_ref;
	condition->left = word.ref;
	bool more = !is_keyword(&word, "]]");
	if (more && condition->mode == BASH_WORD_PLAIN)
		bashlex_note_word(lx, &word);
	bashlex_word_finish(&word);
	return more;
}

/* Behind "[[", up to and with the "]]". */
static void read_condition(struct bashlex *lx, size_t open)
{
	struct condition condition = {0};
	size_t close = str_find(str_slice(lx->body, 0, lx->end), STR("]]"), lx->at);
	lx->now.taboo_start = open;
	lx->now.taboo_end = close < lx->end ? close + 2 : lx->end;
	while (bashlex_more(lx)) {
		char c = bashlex_peek(lx, 0);
		bool substitution = (c == '<' || c == '>') && bashlex_peek(lx, 1) == '(';
		if (c == ' ' || c == '\t' || (c == '\\' && bashlex_peek(lx, 1) == '\n')) {
			skip_blanks(lx);
		} else if (c == '\n') {
			lx->at++;
			bashlex_docs(lx);
		} else if (c == '#' && condition.mode == BASH_WORD_PLAIN) {
			skip_comment(lx);
		} else if (!substitution && strchr(";&|)<>", c)) {
			lx->at++;
			condition.has_left = false;
		} else if (c == '(' && condition.mode != BASH_WORD_REGEX) {
			lx->at++;
		} else if (!read_operand(lx, &condition)) {
			return;
		}
	}
	bashlex_break(lx, open, "this [[ is never closed");
}

/* Keywords after which a command follows directly. */
static bool opens_command(const struct bash_word *word)
{
	static const char *const keywords[] = {"if", "then", "else", "elif", "fi", "while", "until",
		"do", "done", "{", "}", "!", "time"};
	for (size_t i = 0; i < sizeof(keywords) / sizeof(*keywords); i++)
		if (is_keyword(word, keywords[i]))
			return true;
	return false;
}

/* True where the word was a keyword. */
static bool take_keyword(struct bashlex *lx, struct list *list, const struct bash_word *word)
{
	if (opens_command(word))
		return true;
	if (is_keyword(word, "case"))
		list->expect = EXPECT_SUBJECT;
	else if (is_keyword(word, "for") || is_keyword(word, "select"))
		list->expect = EXPECT_FOR;
	else if (is_keyword(word, "function"))
		list->expect = EXPECT_FUNCTION;
	else if (is_keyword(word, "coproc"))
		list->expect = EXPECT_COPROC;
	else if (is_keyword(word, "esac") && list->cases)
		list->cases--;
	else if (is_keyword(word, "[["))
		read_condition(lx, word->start);
	else
		return false;
	return true;
}

static void take_assignment(struct bashlex *lx, const struct bash_word *word)
{
	str name = str_slice(buf_str(&word->text), 0, word->name_len);
	if (word->array)
		bashlex_note_name(lx, &lx->arrays, name);
	if (word->value_ref)
		*vec_push(&lx->assigned) =
			(struct bash_name){arena_str(&lx->result->arena, name), word->ref};
	bashlex_note_word(lx, word);
}

/* NAME ( ): the parentheses of a function definition follow the word. */
static bool take_function(struct bashlex *lx, const struct bash_word *word)
{
	size_t at = lx->at;
	skip_blanks(lx);
	if (bashlex_peek(lx, 0) == '(' && word->literal) {
		lx->at++;
		skip_blanks(lx);
		if (bashlex_peek(lx, 0) == ')') {
			lx->at++;
			bashlex_note_name(lx, &lx->functions, buf_str(&word->text));
			return true;
		}
	}
	lx->at = at;
	return false;
}

/* Commands that run the one behind them, with assignments and options before it at most. */
static bool runs_next(str name)
{
	static const char *const names[] = {"builtin", "command", "env", "exec", "nohup"};
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (str_is(name, names[i]))
			return true;
	return false;
}

static void take_name(struct bashlex *lx, struct list *list, const struct bash_word *word)
{
	list->expect = EXPECT_ARGUMENT;
	list->command.has_name = true;
	if (word->has_ref) {
		bashlex_refuse(lx, &word->ref, BASH_COMMAND, NULL);
		return;
	}
	bashlex_note_command(lx, word);
	if (!word->literal)
		return;
	list->command.name = bashlex_keep(lx, word, 0);
	list->command.target = list->command.name;
	list->command.declares = bashlex_is_declare(list->command.name);
	if (runs_next(list->command.name))
		list->expect = EXPECT_COMMAND;
}

static void take_command_word(struct bashlex *lx, struct list *list, const struct bash_word *word)
{
	bool first = !list->command.has_name;
	if (word->name_len) {
		take_assignment(lx, word);
	} else if (first && take_keyword(lx, list, word)) {
		return;
	} else if (first && take_function(lx, word)) {
		return;
	} else if (word->literal && str_starts(buf_str(&word->text), STR("-"))) {
		return; /* an option of `time`, `exec`, `env` */
	} else {
		take_name(lx, list, word);
	}
}

/* A word where something else than a command is expected. */
static void take_other_word(struct bashlex *lx, struct list *list, const struct bash_word *word)
{
	switch (list->expect) {
	case EXPECT_SUBJECT: list->expect = EXPECT_IN; break;
	case EXPECT_IN:
		list->cases++;
		list->expect = EXPECT_PATTERN;
		break;
	case EXPECT_PATTERN:
		if (is_keyword(word, "esac") && list->cases) {
			list->cases--;
			end_command(list);
		}
		break;
	case EXPECT_FOR:
	case EXPECT_FUNCTION:
		if (word->has_ref)
			bashlex_refuse(lx, &word->ref, BASH_VARIABLE, NULL);
		if (list->expect == EXPECT_FUNCTION) {
			bashlex_note_name(lx, &lx->functions, buf_str(&word->text));
			take_function(lx, word);
			end_command(list);
		} else {
			list->expect = EXPECT_FOR_IN;
		}
		break;
	case EXPECT_FOR_IN:
		if (is_keyword(word, "in"))
			list->expect = EXPECT_FOR_WORD;
		else
			end_command(list);
		break;
	default: bashlex_note_word(lx, word); break;
	}
}

static void take_word(struct bashlex *lx, struct list *list, const struct bash_word *word)
{
	if (list->expect == EXPECT_COPROC) {
		size_t at = lx->at;
		skip_blanks(lx);
		char next = bashlex_peek(lx, 0);
		lx->at = at;
		end_command(list);
		if (word->literal && (next == '{' || next == '(') && !is_keyword(word, "{"))
			return;
	}
	if (list->expect == EXPECT_COMMAND)
		take_command_word(lx, list, word);
	else if (list->expect == EXPECT_ARGUMENT)
		bashlex_argument(lx, &list->command, word);
	else
		take_other_word(lx, list, word);
}

static void read_word(struct bashlex *lx, struct list *list)
{
	bool assigns = list->expect == EXPECT_COMMAND ||
	               (list->expect == EXPECT_ARGUMENT && list->command.declares);
	struct bash_word word;
	bashlex_word(lx, assigns ? BASH_WORD_ASSIGN : BASH_WORD_PLAIN, &word);
	if (lx->at == word.start && bashlex_more(lx))
		lx->at++;
	else if (!is_descriptor(lx, &word))
		take_word(lx, list, &word);
	bashlex_word_finish(&word);
}

static void read_open_paren(struct bashlex *lx, struct list *list)
{
	if (list->expect == EXPECT_PATTERN) {
		lx->at++;
		return;
	}
	bool arithmetic = bashlex_peek(lx, 1) == '(' && bashlex_is_arithmetic(lx);
	if (arithmetic) {
		lx->at += 2;
		bashlex_arithmetic(lx, ')', BASH_ARITHMETIC);
		end_command(list);
		return;
	}
	size_t open = lx->at++;
	end_command(list);
	if (!bashlex_enter(lx))
		return;
	bashlex_list(lx, ')');
	lx->depth--;
	if (lx->broken)
		return;
	if (lx->body.ptr[lx->at - 1] != ')')
		bashlex_break(lx, open, "this parenthesis is never closed");
}

/* ; & | and their kin. */
static void read_operator(struct bashlex *lx, struct list *list)
{
	char c = bashlex_peek(lx, 0);
	char next = bashlex_peek(lx, 1);
	bool clause = c == ';' && (next == ';' || next == '&');
	lx->at++;
	if (list->expect == EXPECT_PATTERN)
		return;
	end_command(list);
	if (clause) {
		lx->at += next == ';' && bashlex_peek(lx, 1) == '&' ? 2 : 1;
		if (list->cases)
			list->expect = EXPECT_PATTERN;
	}
}

static void read_close_paren(struct bashlex *lx, struct list *list, char closer)
{
	lx->at++;
	if (list->expect == EXPECT_PATTERN)
		end_command(list);
	else if (closer == ')')
		list->closed = true;
}

static void read_newline(struct bashlex *lx, struct list *list)
{
	lx->at++;
	bashlex_docs(lx);
	if (list->expect != EXPECT_IN && list->expect != EXPECT_PATTERN &&
		list->expect != EXPECT_SUBJECT && list->expect != EXPECT_FOR_IN)
		end_command(list);
}

void bashlex_list(struct bashlex *lx, char closer)
{
	struct list list = {.cases = 0};
	size_t open = lx->at;
	end_command(&list);
	while (bashlex_more(lx) && !list.closed) {
		char c = bashlex_peek(lx, 0);
		bool substitution = (c == '<' || c == '>') && bashlex_peek(lx, 1) == '(';
		size_t redirects = substitution ? 0 : redirection(lx);
		if (c == ' ' || c == '\t' || (c == '\\' && bashlex_peek(lx, 1) == '\n'))
			skip_blanks(lx);
		else if (redirects)
			read_redirection(lx, redirects);
		else if (c == '\n')
			read_newline(lx, &list);
		else if (c == '#')
			skip_comment(lx);
		else if (c == '(')
			read_open_paren(lx, &list);
		else if (c == ')')
			read_close_paren(lx, &list, closer);
		else if (c == ';' || c == '&' || c == '|')
			read_operator(lx, &list);
		else
			read_word(lx, &list);
	}
	if (closer && !list.closed)
		bashlex_break(lx, open, "this parenthesis is never closed");
}
