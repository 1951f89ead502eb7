/* Errors: one, and many at once.  See err.h. */
#include "base/err.h"

#include "base/buf.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static char *format_text(const char *format, va_list args) __attribute__((format(printf, 1, 0)));

static char *format_text(const char *format, va_list args)
{
	struct buf text = {0};
	buf_vprintf(&text, format, args);
	return buf_take(&text);
}

void err_finish(struct err *err)
{
	free(err->message);
	free(err->help);
	*err = (struct err){0};
}

bool err_set(struct err *err, const char *code, const char *format, ...)
{
	if (!err)
		return false;
	va_list args;
	va_start(args, format);
	char *message = format_text(format, args);
	va_end(args);
	err_finish(err);
	err->code = code;
	err->message = message;
	return false;
}

bool err_sys(struct err *err, int number, const char *code, const char *format, ...)
{
	if (!err)
		return false;
	struct buf text = {0};
	va_list args;
	va_start(args, format);
	buf_vprintf(&text, format, args);
	va_end(args);
	char words[128];
	buf_printf(&text, ": %s", strerror_r(number, words, sizeof(words)));
	err_finish(err);
	err->code = code;
	err->message = buf_take(&text);
	return false;
}

bool err_help(struct err *err, const char *format, ...)
{
	if (!err)
		return false;
	va_list args;
	va_start(args, format);
	char *help = format_text(format, args);
	va_end(args);
	free(err->help);
	err->help = help;
	return false;
}

bool err_wrap(struct err *err, const char *format, ...)
{
	if (!err || !err->code)
		return false;
	struct buf text = {0};
	va_list args;
	va_start(args, format);
	buf_vprintf(&text, format, args);
	va_end(args);
	buf_printf(&text, ": %s", err->message);
	free(err->message);
	err->message = buf_take(&text);
	return false;
}

bool err_at(struct err *err, struct place at)
{
	if (err && !err->at.line)
		err->at = at;
	return false;
}

void diags_take(struct diags *diags, struct err *err)
{
	*vec_push(&diags->list) = *err;
	diags->errors += !err->is_warning;
	*err = (struct err){0};
}

static struct err *add(struct diags *diags, struct err one)
{
	diags_take(diags, &one);
	return &diags->list.ptr[diags->list.len - 1];
}

struct err *diags_error(
	struct diags *diags, struct place at, const char *code, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	struct err one = {.code = code, .at = at, .message = format_text(format, args)};
	va_end(args);
	return add(diags, one);
}

struct err *diags_warn(
	struct diags *diags, struct place at, const char *code, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	struct err one = {
		.code = code, .at = at, .message = format_text(format, args), .is_warning = true};
	va_end(args);
	return add(diags, one);
}

static bool comes_after(const struct err *a, const struct err *b)
{
	int order = strcmp(a->at.file ? a->at.file : "", b->at.file ? b->at.file : "");
	if (order)
		return order > 0;
	if (a->at.line != b->at.line)
		return a->at.line > b->at.line;
	return a->at.col > b->at.col;
}

void diags_sort(struct diags *diags)
{
	/* Insertion sort: stable, and nearly sorted already (the checks walk the file in order). */
	for (size_t i = 1; i < diags->list.len; i++) {
		struct err one = diags->list.ptr[i];
		size_t j = i;
		for (; j > 0 && comes_after(&diags->list.ptr[j - 1], &one); j--)
			diags->list.ptr[j] = diags->list.ptr[j - 1];
		diags->list.ptr[j] = one;
	}
}

void diags_finish(struct diags *diags)
{
	for (size_t i = 0; i < diags->list.len; i++)
		err_finish(&diags->list.ptr[i]);
	vec_finish(&diags->list);
	diags->errors = 0;
}
