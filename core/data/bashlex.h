/* bashlex: the lexer of bash bodies, shared by its files:
 *
 *     bashlex.c          the whole body; binding one reference; what was found at the end
 *     bashlex_refuse.c   refusing one, with the corrected line
 *     bashlex_word.c     one word: quotes, patterns, assignments
 *     bashlex_expand.c   expansions in it: ${...}, $(...), arithmetic, backquotes
 *     bashlex_list.c     words into commands: operators, keywords, redirections, case, for, [[ ]]
 *     bashlex_heredoc.c  here-documents
 *     bashlex_args.c     which arguments of which commands are evaluated
 *
 * It walks the body once, from left to right, and copies it: only references are replaced.  For core/data alone. */
#ifndef DATA_BASHLEX_H
#define DATA_BASHLEX_H

#include "base/map.h"
#include "data/bind_languages.h"

#define BASHLEX_DEPTH 200

/* Where a reference stands decides how it is written: as "${V}", one quoted word, or as ${V}. */
enum bash_context { BASH_BARE, BASH_QUOTED };

/* Why a reference can't be bound where it stands. */
enum bash_taboo {
	BASH_OK,
	BASH_SINGLE,     /* '...' */
	BASH_ANSI,       /* $'...' */
	BASH_RAWDOC,     /* a here-document with a quoted delimiter */
	BASH_DELIMITER,  /* the delimiter of a here-document */
	BASH_BACKQUOTE,  /* `...` */
	BASH_ARITHMETIC, /* $((...)), ((...)), $[...] */
	BASH_OFFSET,     /* ${x:OFFSET:LENGTH} */
	BASH_SUBSCRIPT,  /* a[...] */
	BASH_COMPARE,    /* [[ ... -eq ... ]] */
	BASH_NAME,       /* ${REF...}: where the name of a parameter stands */
	BASH_MIXED,      /* '...' inside "${x:-...}" together with other expansions */
	BASH_VARIABLE,   /* for REF in, function REF */
	BASH_COMMAND,    /* command position */
	BASH_FORMAT,     /* printf REF */
	BASH_BUILTIN,    /* an argument that a builtin evaluates */
};

/* A word, as far as it can be known without running it. */
struct bash_word {
	size_t start;
	size_t end;
	struct buf text;   /* after quote removal; all of it where `literal` */
	bool literal;      /* no expansion, glob or brace in it */
	bool quoted;       /* some of it is quoted */
	bool artifacts;    /* it begins with $ARTIFACTS_DIR */
	bool array;        /* NAME=(...) */
	bool keeps_assign; /* still to be read as NAME, so that NAME= or NAME[ may follow */
	size_t name_len;   /* of NAME in NAME=, NAME+= or NAME[...]=; 0: no assignment */
	size_t value;      /* where in `text` the part behind the first '=' begins; 0: none */
	bool value_ref;    /* a reference stands behind NAME= */
	bool has_ref;
	bool leads;     /* the reference is the first thing in the word */
	struct ref ref; /* the first one */
};

struct bash_doc {
	str delimiter; /* after quote removal */
	size_t word_start;
	size_t word_end;
	bool quoted;
	bool strip_tabs;
};

struct bash_name {
	str name;
	struct ref ref;
};

/* What a construct changes for what is inside of it, and restores behind it. */
struct bash_scope {
	enum bash_taboo taboo;
	size_t taboo_start; /* the span of the offending construct, for the corrected line */
	size_t taboo_end;
	struct bash_word *word; /* the one being read, or NULL */
	bool in_substitution;   /* inside $(...), where a delimiter may be followed by ')' */
	size_t docs_from;       /* the first here-document of this substitution */
};

struct bashlex {
	str body;
	const struct bind_names *names;
	struct place origin;
	struct bind_result *result;
	struct diags *diags;
	size_t at;
	size_t end;    /* of what is read now: the body, a here-document or `...` */
	size_t copied; /* the body before this is in result->text */
	size_t depth;
	bool failed;
	const char *broken; /* why the body can't be followed further; NULL: it can */
	size_t broken_at;
	struct bash_scope now;
	VEC(struct bash_doc) docs;
	struct map functions;
	struct map integers; /* names declared with -i */
	struct map arrays;   /* names that are arrays somewhere */
	struct map seen_words;
	struct map seen_writes;
	struct map seen_commands;
	VEC(str) commands;
	VEC(str) appends;               /* targets of >> */
	VEC(struct bash_name) assigned; /* NAME=REF */
	VEC(struct bash_name) declared; /* declare NAME=REF */
};

static inline bool bashlex_more(const struct bashlex *lx)
{
	return !lx->broken && lx->at < lx->end;
}

/* The byte `ahead` of the current one, or NUL at the end. */
static inline char bashlex_peek(const struct bashlex *lx, size_t ahead)
{
	return lx->at < lx->end && lx->end - lx->at > ahead ? lx->body.ptr[lx->at + ahead] : '\0';
}

/* bashlex.c */

/* Gives up at byte `at`; everything unwinds. */
void bashlex_break(struct bashlex *lx, size_t at, const char *why);

/* One level deeper; false (and broken) past the limit.  Every bashlex_enter that gave true has its lx->depth--. */
bool bashlex_enter(struct bashlex *lx);

/* Binds the reference at lx->at and moves behind it; false where none is to be bound there. */
bool bashlex_ref(struct bashlex *lx, enum bash_context context);

/* The references in bytes [start, end), all of which are refused. */
void bashlex_refuse_in(struct bashlex *lx, size_t start, size_t end, enum bash_taboo taboo);

/* bashlex_refuse.c */

/* Refuses one; `detail` is the command for BASH_BUILTIN and BASH_COMMAND, else NULL. */
void bashlex_refuse(
	struct bashlex *lx, const struct ref *ref, enum bash_taboo taboo, const char *detail);

/* Warns that the reference becomes part of code; `safe` says how to pass it. */
void bashlex_warn_code(
	struct bashlex *lx, const struct ref *ref, const char *command, const char *safe);

/* bashlex.c again: what is found besides references. */

/* A str that outlives the word: of the body where the text stands there, else a copy. */
str bashlex_keep(struct bashlex *lx, const struct bash_word *word, size_t from);

void bashlex_note_word(struct bashlex *lx, const struct bash_word *word);
void bashlex_note_write(struct bashlex *lx, const struct bash_word *word);
/* A target of >> is an output only where the body has something else to do with it: else it is a log, to which others may
 * append as well. */
void bashlex_note_append(struct bashlex *lx, const struct bash_word *word);
void bashlex_note_command(struct bashlex *lx, const struct bash_word *word);
void bashlex_note_name(struct bashlex *lx, struct map *set, str name);

/* bashlex_word.c */

enum bash_word_mode {
	BASH_WORD_PLAIN,
	BASH_WORD_ASSIGN,  /* NAME= and NAME[ are assignments here */
	BASH_WORD_REGEX,   /* behind =~: parentheses and | belong to it */
	BASH_WORD_PATTERN, /* an operand of [[ == ]]: !(...) too is a pattern */
};

/* Reads the word at lx->at, which may turn out empty.  *word is to be finished by the caller. */
void bashlex_word(struct bashlex *lx, enum bash_word_mode mode, struct bash_word *word);
void bashlex_word_finish(struct bash_word *word);

/* '...' or, behind its '$', $'...'. */
void bashlex_single(struct bashlex *lx, bool ansi);
void bashlex_double(struct bashlex *lx);

/* The word being read, if any: one byte of its text, or that it has none that is known. */
void bashlex_add_literal(struct bashlex *lx, char c);
void bashlex_not_literal(struct bashlex *lx);

/* The closing byte at or after `from`, but for what a backslash protects where `escapes`; lx->end where there is none. */
size_t bashlex_find_close(const struct bashlex *lx, size_t from, char close, bool escapes);
bool bashlex_is_name_char(char c);

/* bashlex_expand.c */

/* At '$': any expansion.  Moves on by at least one byte. */
void bashlex_dollar(struct bashlex *lx, enum bash_context context);
void bashlex_backquote(struct bashlex *lx);

/* Behind the opening bytes: up to and with the closing one(s); ")" stands for "))". */
void bashlex_arithmetic(struct bashlex *lx, char closer, enum bash_taboo taboo);

/* "((" at lx->at is arithmetic, and not two subshells. */
bool bashlex_is_arithmetic(const struct bashlex *lx);

/* bashlex_list.c */

/* Commands up to and with `closer`, or to lx->end for NUL. */
void bashlex_list(struct bashlex *lx, char closer);

/* The inside of $(, <( or >(, behind the opening bytes, up to and with the ')'. */
void bashlex_substitution(struct bashlex *lx);

/* bashlex_heredoc.c */

/* Behind "<<" or "<<-": the delimiter. */
void bashlex_doc_open(struct bashlex *lx, bool strip_tabs);

/* At the start of a line: the bodies that are due. */
void bashlex_docs(struct bashlex *lx);

/* bashlex_args.c */

/* What is known of a simple command while its words come by. */
struct bash_command {
	str name; /* empty: not known, or none yet */
	bool has_name;
	size_t count;  /* arguments so far */
	str previous;  /* the argument before, or empty where it is not literal */
	str target;    /* bash, sh, python3, ...: the interpreter whose code option may follow */
	bool ended;    /* "--" was seen */
	bool takes;    /* the argument before was an option that takes this one */
	bool declares; /* declare and its like */
	bool integer;  /* declare -i, -n */
	bool compound; /* declare -a, -A */
	bool format;   /* printf's format was seen */
	bool leads;    /* the argument before begins with a reference */
};

/* Looks at the next argument. */
void bashlex_argument(
	struct bashlex *lx, struct bash_command *command, const struct bash_word *word);

bool bashlex_is_builtin(str name);
bool bashlex_is_declare(str name);

#endif
