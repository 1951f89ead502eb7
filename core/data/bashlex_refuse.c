/* bashlex_refuse: what a reference that can't be bound is told: where it stands, why that matters, and the corrected line.
 * Where the author's meaning is beyond doubt, the edit too.  See bashlex.h. */
#include "data/bashlex.h"

struct refusal {
	const char *code;
	const char *where; /* "%s stands ..." */
};

static const struct refusal refusals[] = {
	[BASH_OK] = {NULL, NULL},
	[BASH_SINGLE] = {"E-REF-QUOTED", "stands in single quotes, where bash expands nothing"},
	[BASH_ANSI] = {"E-REF-QUOTED", "stands in $'...', where bash expands nothing"},
	[BASH_RAWDOC] = {"E-REF-QUOTED",
		"stands in a here-document whose delimiter is quoted, where bash expands nothing"},
	[BASH_DELIMITER] = {"E-REF-CONTEXT", "is the delimiter of a here-document"},
	[BASH_BACKQUOTE] = {"E-REF-CONTEXT", "stands in backquotes"},
	[BASH_ARITHMETIC] = {"E-REF-ARITHMETIC",
		"stands in arithmetic, where bash evaluates the value as an expression"},
	[BASH_OFFSET] = {"E-REF-ARITHMETIC",
		"stands in an offset or a length, where bash evaluates the value as an expression"},
	[BASH_SUBSCRIPT] = {"E-REF-ARITHMETIC",
		"stands in a subscript, where bash evaluates the value as an expression"},
	[BASH_COMPARE] = {"E-REF-ARITHMETIC",
		"is an operand that [[ ]] evaluates as an expression"},
	[BASH_NAME] = {"E-REF-CONTEXT", "stands in ${...} with an operator or prefix"},
	[BASH_MIXED] = {"E-REF-CONTEXT",
		"stands in single quotes inside of \"${...}\", together with other expansions"},
	[BASH_VARIABLE] = {"E-REF-CONTEXT", "stands where bash wants a name"},
	[BASH_COMMAND] = {"E-REF-COMMAND",
		"stands where a command's name is expected: the value would choose what runs"},
	[BASH_FORMAT] = {"E-REF-BUILTIN",
		"is part of printf's format, where % and \\ in the value are instructions"},
	[BASH_BUILTIN] = {"E-REF-BUILTIN", "is an argument that bash evaluates"},
};

/* Offers replacing [start, end) by `text`: the line in the help and, where `sure`, the edit. */
static void offer(struct bashlex *lx, struct err *err, size_t start, size_t end, str text)
{
	struct arena scratch = {0};
	err_help(err, "write: %s", bind_fixed_line(&scratch, lx->body, start, end, text));
	bind_fix_add(lx->result, start, end, text);
	arena_finish(&scratch);
}

static void help_quotes(
	struct bashlex *lx, struct err *err, const struct ref *ref, const char *reopen)
{
	str written = str_slice(lx->body, ref->start, ref->end);
	size_t opening = strlen(reopen);
	struct buf text = {0};
	if (lx->now.taboo_start + opening == ref->start + (*reopen == '$') &&
		lx->now.taboo_end == ref->end + 1) {
		size_t start = lx->now.taboo_start - (*reopen == '$');
		buf_printf(&text, "\"%.*s\"", STR_ARG(written));
		offer(lx, err, start, lx->now.taboo_end, buf_str(&text));
	} else {
		buf_printf(&text, "'\"%.*s\"%s", STR_ARG(written), reopen);
		offer(lx, err, ref->start, ref->end, buf_str(&text));
	}
	buf_finish(&text);
}

/* The delimiter without its quotes; an edit only where nothing else in the document would begin to expand. */
static void help_rawdoc(struct bashlex *lx, struct err *err)
{
	struct arena scratch = {0};
	struct buf text = {0};
	str word = str_slice(lx->body, lx->now.taboo_start, lx->now.taboo_end);
	for (size_t i = 0; i < word.len; i++)
		if (!strchr("'\"\\", word.ptr[i]))
			buf_add_char(&text, word.ptr[i]);
	err_help(err,
		"write: %s   (and a backslash before every other $, ` and \\ of the document)",
		bind_fixed_line(&scratch, lx->body, lx->now.taboo_start, lx->now.taboo_end,
			buf_str(&text)));
	buf_finish(&text);
	arena_finish(&scratch);
}

static void help_backquote(struct bashlex *lx, struct err *err)
{
	struct buf text = {0};
	str inside = str_slice(lx->body, lx->now.taboo_start + 1, lx->now.taboo_end - 1);
	buf_printf(&text, "$(%.*s)", STR_ARG(inside));
	if (memchr(inside.ptr, '\\', inside.len))
		err_help(err, "write $(...) instead, without the backslashes that backquotes need");
	else
		offer(lx, err, lx->now.taboo_start, lx->now.taboo_end, buf_str(&text));
	buf_finish(&text);
}

/* A number that was checked can't be anything else than a number. */
static void help_number(struct bashlex *lx, struct err *err, const struct ref *ref)
{
	struct arena scratch = {0};
	err_help(err,
		"copy and check it first: v=%.*s; [[ $v =~ ^-?(0|[1-9][0-9]*)$ ]] || exit 65\nthen write: %s",
		STR_ARG(str_slice(lx->body, ref->start, ref->end)),
		bind_fixed_line(&scratch, lx->body, ref->start, ref->end, STR("$v")));
	arena_finish(&scratch);
}

/* [ ] takes the value as data, and since a reference is one word it needs no quotes there. */
static void help_compare(struct bashlex *lx, struct err *err, const struct ref *ref)
{
	static const char *const special[] = {
		"&&", "||", "(", ")", "<", ">", "~", "*", "?", "==", "\n", "-v", "-R"};
	str inside = str_slice(lx->body, lx->now.taboo_start + 2, lx->now.taboo_end - 2);
	bool simple = ref->start >= lx->now.taboo_start && ref->end <= lx->now.taboo_end;
	for (size_t i = 0; i < sizeof(special) / sizeof(*special); i++)
		simple = simple && str_find(inside, str_of(special[i]), 0) == SIZE_MAX;
	struct ref each;
	for (size_t i = 0; simple && (i = str_find_char(inside, '$', i)) != SIZE_MAX; i++)
		simple = ref_at(inside, i, &each) && bind_wants(lx->names, &each);
	if (!simple) {
		help_number(lx, err, ref);
		return;
	}
	struct buf text = {0};
	buf_printf(&text, "[%.*s]", STR_ARG(inside));
	offer(lx, err, lx->now.taboo_start, lx->now.taboo_end, buf_str(&text));
	buf_finish(&text);
}

/* printf "a $n.output\n" becomes printf "a %s\n" "$n.output", if that is all there is in the format. */
static void help_format(struct bashlex *lx, struct err *err, const struct ref *ref)
{
	str before = str_slice(lx->body, lx->now.taboo_start, ref->start);
	str after = str_slice(lx->body, ref->end, lx->now.taboo_end);
	str written = str_slice(lx->body, ref->start, ref->end);
	bool simple = !memchr(before.ptr, '%', before.len) && !memchr(after.ptr, '%', after.len) &&
	              !memchr(before.ptr, '$', before.len) && !memchr(after.ptr, '$', after.len);
	if (!simple) {
		err_help(err,
			"put %%s into the format and the reference behind it: printf 'FORMAT' \"%.*s\"",
			STR_ARG(written));
		return;
	}
	struct buf text = {0};
	bool bare = before.len == 0 && after.len == 0;
	buf_printf(&text, bare ? "%.*s'%%s'%.*s \"%.*s\"" : "%.*s%%s%.*s \"%.*s\"", STR_ARG(before),
		STR_ARG(after), STR_ARG(written));
	offer(lx, err, lx->now.taboo_start, lx->now.taboo_end, buf_str(&text));
	buf_finish(&text);
}

/* v=$n.output, and ${v%.txt} for ${n.output%.txt}. */
static void help_name(struct bashlex *lx, struct err *err, const struct ref *ref)
{
	struct arena scratch = {0};
	struct buf written = {0};
	ref_write(&written, ref);
	bool braced = lx->body.ptr[ref->start + 1] == '{';
	size_t start = braced ? ref->start + 2 : ref->start;
	err_help(err, "copy it first: v=%s\nthen write: %s", buf_cstr(&written),
		bind_fixed_line(&scratch, lx->body, start, ref->end, STR("v")));
	buf_finish(&written);
	arena_finish(&scratch);
}

static void help_other(
	struct err *err, enum bash_taboo taboo, const char *written, const char *detail)
{
	if (taboo == BASH_COMMAND)
		err_help(err,
			"name the commands that it may be: case %s in build) make build ;; esac",
			written);
	else if (taboo == BASH_BUILTIN && detail && !strcmp(detail, "an integer variable"))
		err_help(err, "assign it to a variable that is not declared with -i");
	else if (taboo == BASH_BUILTIN && detail && !strncmp(detail, "declare", 7))
		err_help(err, "declare the variable first, without a value, and assign then: v=%s",
			written);
	else if (taboo == BASH_BUILTIN)
		err_help(err,
			"name the variables in the body itself, and keep values in an associative array: "
			"declare -A m; k=%s; m[$k]=1",
			written);
	else
		err_help(err, "copy it first: v=%s", written);
}

static void add_help(struct bashlex *lx, struct err *err, const struct ref *ref,
	enum bash_taboo taboo, const char *detail)
{
	struct buf written = {0};
	switch (taboo) {
	case BASH_SINGLE: help_quotes(lx, err, ref, "'"); break;
	case BASH_ANSI: help_quotes(lx, err, ref, "$'"); break;
	case BASH_RAWDOC: help_rawdoc(lx, err); break;
	case BASH_BACKQUOTE: help_backquote(lx, err); break;
	case BASH_ARITHMETIC:
	case BASH_OFFSET:
	case BASH_SUBSCRIPT: help_number(lx, err, ref); break;
	case BASH_COMPARE: help_compare(lx, err, ref); break;
	case BASH_NAME: help_name(lx, err, ref); break;
	case BASH_FORMAT: help_format(lx, err, ref); break;
	default:
		ref_write(&written, ref);
		help_other(err, taboo, buf_cstr(&written), detail);
		break;
	}
	buf_finish(&written);
}

void bashlex_refuse(
	struct bashlex *lx, const struct ref *ref, enum bash_taboo taboo, const char *detail)
{
	struct buf written = {0};
	ref_write(&written, ref);
	lx->failed = true;
	struct err *err = diags_error(lx->diags,
		bind_place(lx->body, lx->origin, ref->start, ref->end), refusals[taboo].code,
		"%s %s%s%s%s", buf_cstr(&written), refusals[taboo].where, detail ? " (" : "",
		detail ? detail : "", detail ? ")" : "");
	add_help(lx, err, ref, taboo, detail);
	buf_finish(&written);
}

void bashlex_warn_code(
	struct bashlex *lx, const struct ref *ref, const char *command, const char *safe)
{
	struct buf written = {0};
	ref_write(&written, ref);
	struct err *err = diags_warn(lx->diags,
		bind_place(lx->body, lx->origin, ref->start, ref->end), "E-REF-CODE",
		"%s becomes part of the code that `%s` runs", buf_cstr(&written), command);
	err_help(err, "%s\"%s\"", safe, written.ptr);
	buf_finish(&written);
}
