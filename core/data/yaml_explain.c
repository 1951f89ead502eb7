/* yaml_explain: libyaml says what its state machine missed; here is said what the author most
 * likely did, where, and how to mend it.  Guesses only pick words: that there is an error is
 * libyaml's finding alone.  See yaml_parts.h. */
#include "data/yaml_parts.h"

struct wrong {
	const yaml_parser_t *parser;
	struct yaml_text *text;
	struct yaml_last last;
	struct diags *diags;
	size_t at;      /* where libyaml stopped */
	size_t context; /* where what it was reading began */
	char c;         /* the byte at `at`, 0 at the end */
};

#define ERROR_AT(wrong, offset, ...) \
	diags_error((wrong)->diags, yaml_text_place((wrong)->text, (offset), 0), __VA_ARGS__)
#define SYNTAX "E-YAML-SYNTAX"

void yaml_explain_quoted(struct buf *out, str value)
{
	bool has_single = str_find_char(value, '\'', 0) != SIZE_MAX;
	bool has_double = str_find_char(value, '"', 0) != SIZE_MAX ||
	                  str_find_char(value, '\\', 0) != SIZE_MAX;
	char quote = has_double ? '\'' : '"';
	buf_add_char(out, quote);
	if (has_double && has_single) {
		for (size_t i = 0; i < value.len; i++)
			buf_add(out, value.ptr[i] == '\'' ? STR("''") : str_slice(value, i, i + 1));
	} else {
		buf_add(out, value);
	}
	buf_add_char(out, quote);
}

/* The rest of the line from an offset on, without the comment and the blanks at its end. */
static str rest_of_line(const struct yaml_text *text, size_t offset)
{
	struct place at = yaml_text_place(text, offset, 0);
	str line = yaml_text_line(text, at.line - 1);
	size_t comment = str_find(line, STR(" #"), at.col - 1);
	return str_trim(str_slice(line, at.col - 1, comment == SIZE_MAX ? line.len : comment));
}

/* "quote it: VALUE" with the value that begins at an offset. */
static void help_quote(struct wrong *wrong, struct err *err, size_t offset)
{
	str value = rest_of_line(wrong->text, offset);
	if (!value.len || value.len > 120) {
		err_help(err, "quote the value");
		return;
	}
	struct buf quoted = {0};
	struct buf seen = {0};
	yaml_explain_quoted(&quoted, value);
	buf_add_visible(&seen, buf_str(&quoted));
	err_help(err, "quote it: %s", buf_cstr(&seen));
	buf_finish(&quoted);
	buf_finish(&seen);
}

static size_t indent_of(str line)
{
	size_t n = 0;
	while (n < line.len && line.ptr[n] == ' ')
		n++;
	return n;
}

static bool is_first_in_line(const struct yaml_text *text, size_t offset)
{
	struct place at = yaml_text_place(text, offset, 0);
	return indent_of(yaml_text_line(text, at.line - 1)) == at.col - 1;
}

/* Whether a line is "KEY:VALUE", which is no map; a URL is not meant. */
static bool lacks_space(str line)
{
	size_t colon = str_find_char(line, ':', 0);
	if (colon == SIZE_MAX || colon + 1 >= line.len || !colon)
		return false;
	return str_find(line, STR(": "), 0) == SIZE_MAX && line.ptr[colon + 1] != '/' &&
	       line.ptr[line.len - 1] != ':';
}

/* ---- one function a finding ---- */

static void tab(struct wrong *wrong)
{
	struct err *err = NULL;
	if (yaml_text_place(wrong->text, wrong->at, 0).col == 1) {
		err = ERROR_AT(wrong, wrong->at, "E-YAML-TAB", "a tab is used for indentation");
		err_help(err, "indent with spaces");
		return;
	}
	err = ERROR_AT(wrong, wrong->at, "E-YAML-TAB",
		"the line begins with a tab behind its indentation");
	err_help(err,
		"indent with spaces; in a block of text whose first line begins with a tab, write the "
		"number of spaces before it behind the '|', as in |2");
}

static void bad_start(struct wrong *wrong)
{
	if (wrong->c == '\t') {
		tab(wrong);
		return;
	}
	struct err *err =
		ERROR_AT(wrong, wrong->at, SYNTAX, "a value cannot begin with '%c'", wrong->c);
	help_quote(wrong, err, wrong->at);
}

static void no_content(struct wrong *wrong)
{
	if (!wrong->c) {
		ERROR_AT(wrong, wrong->at, SYNTAX, "the file ends where a value is expected");
		return;
	}
	bad_start(wrong);
}

/* KEY: WORD: MORE */
static void second_colon(struct wrong *wrong, size_t value)
{
	struct err *err =
		ERROR_AT(wrong, wrong->at, SYNTAX, "': ' in an unquoted value would begin a map");
	help_quote(wrong, err, value);
}

static void unexpected_map(struct wrong *wrong)
{
	struct place at = yaml_text_place(wrong->text, wrong->at, 0);
	str line = yaml_text_line(wrong->text, at.line - 1);
	size_t colon = str_find(line, STR(": "), 0);
	if (colon != SIZE_MAX && colon < at.col - 1) {
		while (colon + 2 < line.len && line.ptr[colon + 2] == ' ')
			colon++;
		second_colon(wrong, wrong->at - (at.col - 1) + colon + 2);
		return;
	}
	size_t above = at.line - 1;
	while (above > 0 && !str_trim(yaml_text_line(wrong->text, above - 1)).len)
		above--;
	str before = yaml_text_line(wrong->text, above ? above - 1 : 0);
	struct err *err = NULL;
	if (above && lacks_space(before)) {
		err = ERROR_AT(wrong, wrong->text->lines.ptr[above - 1] + indent_of(before), SYNTAX,
			"a key needs a space behind its ':'");
		err_help(err, "write ': '");
		return;
	}
	size_t start = wrong->at - (at.col - 1) + indent_of(line);
	if (above && indent_of(line) > indent_of(before)) {
		err = ERROR_AT(wrong, start, SYNTAX,
			"a key is indented deeper than line %zu, which has a value already", above);
		err_help(err,
			"indent it by %zu, like line %zu, or quote that value if this continues it",
			indent_of(before), above);
		return;
	}
	err = ERROR_AT(wrong, start, SYNTAX, "a key is not expected here");
	if (above)
		err_help(err, "line %zu is neither \"KEY: VALUE\" nor a list item", above);
}

static void no_colon(struct wrong *wrong)
{
	struct place at = yaml_text_place(wrong->text, wrong->context, 0);
	str line = yaml_text_line(wrong->text, at.line - 1);
	if (lacks_space(line)) {
		struct err *err = ERROR_AT(
			wrong, wrong->context, SYNTAX, "a key needs a space behind its ':'");
		err_help(err, "write ': '");
		return;
	}
	struct err *err = ERROR_AT(wrong, wrong->context, SYNTAX, "a key without ': '");
	err_help(err,
		"write \"KEY: VALUE\"; if it continues the value above, indent it deeper than the key");
}

/* Behind "text": where a quote inside the value has ended it, or a quote before was not closed. */
static void behind_quote(struct wrong *wrong)
{
	struct place start = yaml_text_place(wrong->text, wrong->last.start, 0);
	struct place end = yaml_text_place(wrong->text, wrong->last.end, 0);
	char quote = yaml_text_at(wrong->text, wrong->last.start);
	struct err *err = NULL;
	if (start.line != end.line) {
		err = ERROR_AT(wrong, wrong->last.start, SYNTAX,
			"the quote that opens here is closed only in line %u, where more follows",
			end.line);
		err_help(err, "close it with %c where the value ends", quote);
		return;
	}
	err = ERROR_AT(wrong, wrong->at, SYNTAX, "text follows the closing quote");
	err_help(err, quote == '\'' ? "inside '...' write a single quote as ''"
				    : "inside \"...\" write a double quote as \\\"");
}

static bool is_behind_quote(const struct wrong *wrong)
{
	if (!wrong->last.is_quoted || wrong->last.end > wrong->at)
		return false;
	struct place end = yaml_text_place(wrong->text, wrong->last.end, 0);
	return yaml_text_place(wrong->text, wrong->at, 0).line == end.line;
}

/* A line that fits neither the list or map that it is indented for nor one around it. */
static void misfit(struct wrong *wrong, const char *what)
{
	struct place outer = yaml_text_place(wrong->text, wrong->context, 0);
	struct place at = yaml_text_place(wrong->text, wrong->at, 0);
	struct err *err = NULL;
	if (is_behind_quote(wrong)) {
		behind_quote(wrong);
	} else if (!wrong->c) {
		ERROR_AT(wrong, wrong->at, SYNTAX,
			"the file ends inside the %s that begins in line %u", what, outer.line);
	} else if (!is_first_in_line(wrong->text, wrong->at)) {
		err = ERROR_AT(wrong, wrong->at, SYNTAX, "text follows where the value has ended");
		err_help(err, "quote the whole value if this is part of it");
	} else if (at.col != outer.col) {
		err = ERROR_AT(wrong, wrong->at, SYNTAX,
			"the indentation, %u, is that of no list or map around this line",
			at.col - 1);
		err_help(err, "the %s that begins in line %u is indented by %u", what, outer.line,
			outer.col - 1);
	} else {
		err = ERROR_AT(wrong, wrong->at, SYNTAX,
			"not a part of the %s that begins in line %u", what, outer.line);
		err_help(err,
			what[0] == 'l'
				? "begin it with '- ', or indent it like the key before the list"
				: "write \"KEY: VALUE\", or indent a list item deeper than its key");
	}
}

static void not_in_map(struct wrong *wrong)
{
	misfit(wrong, "map");
}

static void not_in_list(struct wrong *wrong)
{
	misfit(wrong, "list");
}

static void open_quote(struct wrong *wrong)
{
	char quote = yaml_text_at(wrong->text, wrong->context);
	struct err *err = ERROR_AT(
		wrong, wrong->context, SYNTAX, "the quote that opens here is never closed");
	err_help(err, "close it with %c", quote);
}

static void open_bracket(struct wrong *wrong)
{
	struct place outer = yaml_text_place(wrong->text, wrong->context, 0);
	bool is_list = yaml_text_at(wrong->text, wrong->context) == '[';
	char close = is_list ? ']' : '}';
	struct err *err = NULL;
	if (is_behind_quote(wrong)) {
		behind_quote(wrong);
		return;
	}
	err = ERROR_AT(wrong, wrong->at, SYNTAX,
		"',' or '%c' is expected in the %s that begins in line %u, column %u", close,
		is_list ? "list" : "map", outer.line, outer.col);
	err_help(err, "close it with '%c'%s", close,
		is_list ? "" : "; a value that begins with '{' and is text needs quotes");
}

static void list_behind_key(struct wrong *wrong)
{
	struct err *err =
		ERROR_AT(wrong, wrong->at, SYNTAX, "a list cannot begin in the line of its key");
	err_help(err, "write '- ' in the next line, or the list as [a, b]; quote it if it is text");
}

static void text_behind_block(struct wrong *wrong)
{
	char style = yaml_text_at(wrong->text, wrong->context);
	struct err *err =
		ERROR_AT(wrong, wrong->at, SYNTAX, "text follows '%c' in the same line", style);
	err_help(err, "begin the text in the next line, indented");
}

static void no_name(struct wrong *wrong)
{
	char c = yaml_text_at(wrong->text, wrong->context);
	struct err *err = ERROR_AT(wrong, wrong->context, SYNTAX,
		"'%c' begins %s, and no name follows", c, c == '*' ? "an alias" : "an anchor");
	help_quote(wrong, err, wrong->context);
}

static void escape(struct wrong *wrong)
{
	char c = yaml_text_at(wrong->text, wrong->at + 1);
	bool is_visible = c > ' ' && c < 0x7f;
	struct err *err = ERROR_AT(wrong, wrong->at, SYNTAX,
		is_visible ? "\\%c is no escape in double quotes"
			   : "a backslash in double quotes begins an escape",
		c);
	err_help(err, "write \\\\ for a backslash, or use single quotes");
}

static void escaped_code(struct wrong *wrong)
{
	struct err *err =
		ERROR_AT(wrong, wrong->at, SYNTAX, "the escape is the code of no character");
	err_help(err,
		"write \\xNN, \\uNNNN or \\UNNNNNNNN; a character past \\uFFFF takes one \\U, not two \\u");
}

static void tag(struct wrong *wrong)
{
	struct err *err = ERROR_AT(
		wrong, wrong->context, "E-YAML-TAG", "'!' begins a tag, and this one is not known");
	help_quote(wrong, err, wrong->context);
}

static void no_document(struct wrong *wrong)
{
	struct err *err = ERROR_AT(wrong, wrong->at, SYNTAX, "'---' is expected after a directive");
	err_help(err, "write '---' in a line of its own");
}

static const struct finding {
	const char *problem; /* the beginning of libyaml's */
	const char *context; /* likewise; NULL: any */
	void (*explain)(struct wrong *wrong);
} findings[] = {
	{"found character that cannot start any token", NULL, bad_start},
	{"found a tab character", NULL, tab},
	{"mapping values are not allowed", NULL, unexpected_map},
	{"mapping keys are not allowed", NULL, unexpected_map},
	{"could not find expected ':'", NULL, no_colon},
	{"did not find expected key", NULL, not_in_map},
	{"did not find expected '-' indicator", NULL, not_in_list},
	{"found unexpected end of stream", "while scanning a quoted scalar", open_quote},
	{"found unexpected document indicator", "while scanning a quoted scalar", open_quote},
	{"did not find expected ',' or", NULL, open_bracket},
	{"block sequence entries are not allowed", NULL, list_behind_key},
	{"did not find expected comment or line break", "while scanning a block scalar",
		text_behind_block},
	{"did not find expected alphabetic or numeric character", "while scanning an a", no_name},
	{"found unknown escape character", NULL, escape},
	{"found invalid Unicode character escape code", NULL, escaped_code},
	{"did not find expected hexdecimal number", NULL, escaped_code},
	{"found undefined tag handle", NULL, tag},
	{"", "while scanning a tag", tag},
	{"", "while parsing a tag", tag},
	{"did not find expected node content", NULL, no_content},
	{"did not find expected <document start>", NULL, no_document},
};

static bool begins(const char *text, const char *prefix)
{
	return str_starts(str_of(text), str_of(prefix));
}

void yaml_explain(const yaml_parser_t *parser, struct yaml_text *text, struct yaml_last last,
	struct diags *diags)
{
	struct wrong wrong = {.parser = parser, .text = text, .last = last, .diags = diags};
	wrong.at = yaml_text_offset(text, parser->problem_mark);
	wrong.context = yaml_text_offset(text, parser->context_mark);
	wrong.c = yaml_text_at(text, wrong.at);
	for (size_t i = 0; i < sizeof(findings) / sizeof(findings[0]); i++) {
		bool is_it = begins(parser->problem, findings[i].problem) &&
		             (!findings[i].context || begins(parser->context, findings[i].context));
		if (is_it) {
			findings[i].explain(&wrong);
			return;
		}
	}
	ERROR_AT(&wrong, wrong.at, SYNTAX, "not YAML: %s",
		parser->problem ? parser->problem : "the reader stopped without saying why");
}
