/* Errors.  A function that can fail takes `struct err *err` last and returns true when all went well.  The error is
 * set once, where it is known, gets its place from the innermost caller that knows one, and is printed in cli/ only.
 *
 * `code` is a stable name (E-REF-UNKNOWN) that lives as long as the program; message and help are owned by the err.
 * {0} is "no error"; every function accepts err == NULL. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/str.h"
#include "base/vec.h"

struct place {
	const char *file; /* borrowed from whoever loaded the file; NULL: no file */
	uint32_t line;    /* 1, 2, ...; 0: not known */
	uint32_t col;     /* in bytes, 1, 2, ...; 0: not known */
	uint32_t len;     /* how many bytes are meant; 0: one */
};

struct err {
	const char *code;
	char *message;
	char *help;
	struct place at;
	bool is_warning;
};

/* Sets *err (replacing what was there) and returns false. */
bool err_set(struct err *err, const char *code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Adds errno's words: "MESSAGE: No such file or directory"; returns false. */
bool err_sys(struct err *err, int number, const char *code, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Adds the fix, as an edit or a command; returns false. */
bool err_help(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts "PREFIX: " in front of the message; returns false. */
bool err_wrap(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Sets the place where none is known yet; returns false. */
bool err_at(struct err *err, struct place at);

static inline bool err_is_set(const struct err *err)
{
	return err->code != NULL;
}

void err_finish(struct err *err);

/* All problems of a file at once.  {0} is an empty list. */
struct diags {
	VEC(struct err) list;
	size_t errors; /* how many are not warnings */
};

/* Takes *err over (it is empty afterwards). */
void diags_take(struct diags *diags, struct err *err);

/* Adds one and gives it, to be filled with err_help; valid until the next one is added. */
struct err *diags_error(struct diags *diags, struct place at, const char *code, const char *format,
	...) __attribute__((format(printf, 4, 5)));
struct err *diags_warn(struct diags *diags, struct place at, const char *code, const char *format,
	...) __attribute__((format(printf, 4, 5)));

/* By file, line and column; equal places keep their order. */
void diags_sort(struct diags *diags);
void diags_finish(struct diags *diags);

#endif
