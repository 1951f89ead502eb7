/* script_bind: what the lexers of JavaScript and of Python share: which references count, and how the text with its slots
 * comes about.  A body is lexed twice: first to collect its names, then to rewrite it.  For core/data alone.
 *
 * Where a reference stands decides how it is bound:
 *
 *   code     _pawl_value(1): the parsed JSON.  A state or a workflow variable: _pawl_text(1).  The reference ends where the
 *            language goes on: `$n.output.items.map(f)` is the field `items` and a method, `$n.output.count-1` a difference
 *            (in braces both belong to the path), and JavaScript's `.length` is its own.  Behind a dot (`a.$n.output`) and within a name it is none.
 *   text     of a template literal or f-string: a substitution of _pawl_text(1).
 *   literal  a plain string: an error with the corrected line; workflow variables get a warning.
 *
 * In text, `${n.output}` is also the language's own way to write an expression.  It is a reference unless the body has a
 * name `n` of its own; where it has, it stays the language's, with a warning. */
#ifndef DATA_SCRIPT_BIND_H
#define DATA_SCRIPT_BIND_H

#include "base/map.h"
#include "data/bind_languages.h"

/* An open bracket, template or f-string; the kinds are each lexer's own. */
struct script_level {
	char kind;
	char quote;  /* of an f-string */
	bool triple; /* an f-string of three quotes */
	bool flag;   /* raw text, or what the bracket's end means */
};

struct script {
	str body;
	const struct bind_names *names;
	struct place origin;
	struct bind_result *result;
	struct diags *diags;
	const char *environ;  /* how the language reads a variable: "process.env.NAME" */
	const char *property; /* a property that every list and string has, or NULL: no field */
	size_t at;
	bool collecting; /* the first pass: nothing comes out */
	bool failed;
	size_t problems;  /* errors and warnings so far */
	struct map words; /* the names of the body that are not behind a dot */
	VEC(struct script_level) levels;
	struct buf out;
	size_t copied; /* bytes of the body that are in `out` already */
};

/* How a string literal that holds references would be written right. */
typedef void script_rewrite(const struct script *s, size_t start, size_t end, struct buf *out);

/* A string literal: bytes [start, end) of the body, its content and how it is mended. */
struct script_literal {
	size_t start;
	size_t end;
	size_t text_start;
	size_t text_end;
	script_rewrite *rewrite;
};

/* Both passes of `lex`; the text is then in s->out.  False where there were errors. */
bool script_run(struct script *s, void (*lex)(struct script *s));
void script_finish(struct script *s);

/* The byte at s->at + ahead, or NUL behind the end. */
char script_peek(const struct script *s, size_t ahead);
bool script_is_name(char c);
void script_push(struct script *s, struct script_level level);
char script_top(const struct script *s);

/* A name of the body, to be known before the second pass. */
void script_note_word(struct script *s, str word);

/* Whether a reference that counts begins with the '$' at `at`; it has its method cut off in code. */
bool script_code_ref(const struct script *s, size_t at, struct ref *ref);
bool script_text_ref(struct script *s, size_t at, struct ref *ref);

/* Whether "\$..." at `at` would be a reference but for the backslash. */
bool script_escaped_ref(struct script *s, size_t at, struct ref *ref);

/* Replaces the reference by an expression between `before` and `after`, and goes behind it. */
void script_bind(struct script *s, const struct ref *ref, bool as_text, const char *before,
	const char *after);

/* Replaces bytes [start, end) of the body in the text. */
void script_replace(struct script *s, size_t start, size_t end, const char *text);

/* Errors and warnings of a plain literal, and its word where it may name a file. */
void script_literal(struct script *s, const struct script_literal *literal);

/* A reference where nothing can be bound; `help` is a sentence. */
void script_error(struct script *s, const struct ref *ref, const char *code, const char *where,
	const char *help);

#endif
