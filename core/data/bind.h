/* bind: references inside a body in some language, bound as data and never spliced.  The text that comes out is a function
 * of the text that goes in alone; the values travel beside it, in environment variables or files, and the text reads
 * them where the reference stood.  One lexer a language; which language a body has is its plugin's business. */
#ifndef DATA_BIND_H
#define DATA_BIND_H

#include "data/ref.h"

/* Values of more bytes than this travel in a file. */
#define BIND_LARGE 65536

/* How the value must be delivered for a slot. */
enum bind_as {
	BIND_TEXT, /* the exact bytes (an error where they hold NUL and the language can't) */
	BIND_JSON, /* JSON text: the output itself where it is JSON, else its bytes as a JSON string */
};

/* One distinct (reference, delivery) of a body: the value goes to the environment variable `variable`, or, when it is too
 * large for that (BIND_LARGE), to a file as the language's `prelude` says. */
struct bind_slot {
	struct ref ref; /* start/end: its first place in the body */
	enum bind_as as;
	char variable[24]; /* "PAWL_REF_1" */
};

/* An edit that mends one of the errors: bytes [start, end) of the body become `text`.  Only where the author's meaning is
 * beyond doubt; edits of one body don't overlap. */
struct bind_fix {
	size_t start;
	size_t end;
	str text;
};

struct bind_result {
	struct buf text; /* the body to hand to the interpreter */
	VEC(struct bind_slot) slots;
	VEC(struct bind_fix) fixes;
	VEC(str)
	words; /* literal words that may name files (bash: every literal word that is no output target) */
	VEC(str)
	writes; /* literal targets of output redirections; bash: of >> only where the body names it elsewhere too */
	VEC(str)
	commands; /* literal words in command position that are no function of the body, no builtin, no keyword */
	struct arena arena; /* of the strs above that are not bytes of the body */
};

void bind_finish(struct bind_result *result);

/* Whether a node of that name is known; other `$x.output` text stays as it is. `REF_INPUT` and `REF_LOOP_PREV` are always
 * bound; workflow variables are environment variables and are left to the language (see each language). */
struct bind_names {
	void *ctx;
	bool (*is_node)(void *ctx, str name);
};

/* In bash bodies `words` and `writes` may begin with "$ARTIFACTS_DIR/", however the author spelt and quoted it. */

/* A language: "bash", "js", "python", "none" (a reference in the source is an error that names `with:`). */
struct bind_language {
	const char *name;
	/* Appends to *result, whose strs borrow from `body`; problems to *diags with places counted from `origin`: line and
	 * column of the body's first byte, lines of the body being lines of the file when `origin.line` is set (else the places
	 * are counted in the body).  False when there was an error (warnings don't count). */
	bool (*bind)(str body, const struct bind_names *names, struct place origin,
		struct bind_result *result, struct diags *diags);
	/* How values too large for the environment reach the body: appends code that makes slots[i], wherever large[i], from the
	 * file dir/VARIABLE (the exact bytes).  NULL: it needs none (see `marked`).
	 *
	 * bash: a file of its own that the host names in BASH_ENV.  It unsets BASH_ENV first, so that no shell further down reads
	 * it again, and leaves the variables unexported: an exported one would make every exec of the body fail with E2BIG. */
	void (*prelude)(struct buf *out, const struct bind_slot *slots, const bool *large,
		size_t count, str dir);
	/* Set (js, python) where the text itself reads every value by this protocol and `prelude` is NULL: the variable holds "="
	 * and the payload (bind_payload), or "@" and the absolute path of a file with the payload.  A file is a must for payloads
	 * of more than BIND_LARGE bytes, with a NUL, or of invalid UTF-8 (deno refuses such variables); it is read when the
	 * reference is first evaluated, so it stays until the body has ended. */
	bool marked;
	/* NULL: the interpreter is given the text.  Else (python) the program that runs it, as in `python3 -c BOOTSTRAP args...`:
	 * the text travels in PAWL_BODY, marked as above, and PAWL_BODY_NAME is what tracebacks call it ("<build>"). */
	const char *bootstrap;
};

/* Appends what is delivered for `value`: its bytes as they are for BIND_TEXT, and for BIND_JSON where they are JSON by the
 * grammar of RFC 8259 (escaped lone surrogates and duplicate names too: the reader is the language's own); else a JSON
 * string of them, in which bytes that are not valid UTF-8 stay as they are. */
void bind_payload(struct buf *out, enum bind_as as, str value);

/* NULL where there is no such language. */
const struct bind_language *bind_find(str name);

#endif
