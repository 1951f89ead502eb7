/* bind: references inside a body in some language, bound as data and never spliced.  The text that comes out is a function
 * of the text that goes in alone; the values travel beside it, in environment variables or files, and the text reads
 * them where the reference stood.  One lexer a language; which language a body has is its plugin's business. */
#ifndef DATA_BIND_H
#define DATA_BIND_H

#include "data/ref.h"

/* How the value must be delivered for a slot. */
enum bind_as {
	BIND_TEXT, /* the exact bytes (an error where they hold NUL and the language can't) */
	BIND_JSON, /* JSON text: the output itself where it is JSON, else its bytes as a JSON string */
};

/* One distinct (reference, delivery) of a body: the value goes to the environment variable `variable`, or, when it is too
 * large for that, to a file as the language's `large` says. */
struct bind_slot {
	struct ref ref; /* start/end: its first place in the body */
	enum bind_as as;
	char variable[24]; /* "PAWL_REF_1" */
};

struct bind_result {
	struct buf text;  /* the body to hand to the interpreter */
	VEC(struct bind_slot) slots;
	VEC(str) words; /* literal words that may name files (bash: every literal word that is no redirection target) */
	VEC(str) writes; /* literal targets of output redirections */
	VEC(str) commands; /* literal words in command position that are no function of the body, no builtin, no keyword */
};

void bind_finish(struct bind_result *result);

/* Whether a node of that name is known; other `$x.output` text stays as it is. `REF_INPUT` and `REF_LOOP_PREV` are always
 * bound; workflow variables are environment variables and are left to the language (see each language). */
struct bind_names {
	void *ctx;
	bool (*is_node)(void *ctx, str name);
};

/* A language: "bash", "js", "python", "none" (a reference in the source is an error that names `with:`). */
struct bind_language {
	const char *name;
	/* Appends to *result, whose strs borrow from `body`; problems to *diags with places counted from `origin`: line and
	 * column of the body's first byte, lines of the body being lines of the file when `origin.line` is set.  False when
	 * there was an error (warnings don't count). */
	bool (*bind)(str body, const struct bind_names *names, struct place origin, struct bind_result *result,
		struct diags *diags);
	/* How a value too large for the environment reaches the body.  The prelude, sourced or prepended by the plugin, is given
	 * the slots and the directory of files named like their variables.  Documented with each language. */
};

/* NULL where there is no such language. */
const struct bind_language *bind_find(str name);

#endif
