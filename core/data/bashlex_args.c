/* bashlex_args: arguments that are evaluated.  Some builtins of bash take the name of a variable and evaluate a subscript
 * in it, so that a value "a[$(...)]" would run; and some programs take code.  Each was tried with bash 5.2.  See
 * bashlex.h. */
#include "data/bashlex.h"

enum rule {
	RULE_NONE,
	RULE_ALL,     /* every argument is a name or an expression */
	RULE_READ,    /* names, but for the values of options */
	RULE_PRINTF,  /* -v NAME, and the format */
	RULE_DECLARE, /* NAME=VALUE */
	RULE_TEST,    /* -v NAME */
	RULE_CODE,    /* every argument is code */
};

struct builtin {
	const char *name;
	enum rule rule;
	const char *options; /* RULE_READ: those that take a value which is no name */
};

/* Sorted. */
static const struct builtin builtins[] = {
	{".", RULE_NONE, NULL},
	{":", RULE_NONE, NULL},
	{"[", RULE_TEST, NULL},
	{"alias", RULE_CODE, NULL},
	{"bg", RULE_NONE, NULL},
	{"bind", RULE_CODE, NULL},
	{"break", RULE_NONE, NULL},
	{"builtin", RULE_NONE, NULL},
	{"caller", RULE_NONE, NULL},
	{"cd", RULE_NONE, NULL},
	{"command", RULE_NONE, NULL},
	{"compgen", RULE_CODE, NULL},
	{"complete", RULE_CODE, NULL},
	{"compopt", RULE_NONE, NULL},
	{"continue", RULE_NONE, NULL},
	{"declare", RULE_DECLARE, NULL},
	{"dirs", RULE_NONE, NULL},
	{"disown", RULE_NONE, NULL},
	{"echo", RULE_NONE, NULL},
	{"enable", RULE_NONE, NULL},
	{"eval", RULE_CODE, NULL},
	{"exec", RULE_NONE, NULL},
	{"exit", RULE_NONE, NULL},
	{"export", RULE_NONE, NULL},
	{"false", RULE_NONE, NULL},
	{"fc", RULE_CODE, NULL},
	{"fg", RULE_NONE, NULL},
	{"getopts", RULE_ALL, NULL},
	{"hash", RULE_NONE, NULL},
	{"help", RULE_NONE, NULL},
	{"history", RULE_NONE, NULL},
	{"jobs", RULE_NONE, NULL},
	{"kill", RULE_NONE, NULL},
	{"let", RULE_ALL, NULL},
	{"local", RULE_DECLARE, NULL},
	{"logout", RULE_NONE, NULL},
	{"mapfile", RULE_READ, "dnOsu"},
	{"popd", RULE_NONE, NULL},
	{"printf", RULE_PRINTF, NULL},
	{"pushd", RULE_NONE, NULL},
	{"pwd", RULE_NONE, NULL},
	{"read", RULE_READ, "dinNptu"},
	{"readarray", RULE_READ, "dnOsu"},
	{"readonly", RULE_DECLARE, NULL},
	{"return", RULE_NONE, NULL},
	{"set", RULE_NONE, NULL},
	{"shift", RULE_NONE, NULL},
	{"shopt", RULE_NONE, NULL},
	{"source", RULE_NONE, NULL},
	{"suspend", RULE_NONE, NULL},
	{"test", RULE_TEST, NULL},
	{"times", RULE_NONE, NULL},
	{"trap", RULE_CODE, NULL},
	{"true", RULE_NONE, NULL},
	{"type", RULE_NONE, NULL},
	{"typeset", RULE_DECLARE, NULL},
	{"ulimit", RULE_NONE, NULL},
	{"umask", RULE_NONE, NULL},
	{"unalias", RULE_NONE, NULL},
	{"unset", RULE_ALL, NULL},
	{"wait", RULE_ALL, NULL},
};

/* Programs that take code: behind the option that ends in one of `options`, or, for "", anywhere. */
struct interpreter {
	const char *name;
	const char *options;
	const char *safe;
};

#define SAFE_SHELL "pass it as an argument: bash -c 'CODE WITH \"$1\"' bash "

static const struct interpreter interpreters[] = {
	{"ash", "c", SAFE_SHELL},
	{"bash", "c", SAFE_SHELL},
	{"dash", "c", SAFE_SHELL},
	{"ksh", "c", SAFE_SHELL},
	{"sh", "c", SAFE_SHELL},
	{"zsh", "c", SAFE_SHELL},
	{"su", "c", "quote it for the other shell first: printf -v quoted %q "},
	{"ssh", "", "quote it for the other shell first: printf -v quoted %q "},
	{"lua", "e", "pass it as an argument behind the code: "},
	{"node", "ep", "pass it as an argument behind the code and read process.argv: "},
	{"perl", "eE", "pass it as an argument behind the code and read @ARGV: "},
	{"php", "r", "pass it as an argument behind the code and read $argv: "},
	{"python", "c", "pass it as an argument behind the code and read sys.argv: "},
	{"python3", "c", "pass it as an argument behind the code and read sys.argv: "},
	{"ruby", "e", "pass it as an argument behind the code and read ARGV: "},
};

static int compare_builtins(const void *key, const void *element)
{
	const str *name = key;
	const struct builtin *builtin = element;
	return str_cmp(*name, str_of(builtin->name));
}

static const struct builtin *find_builtin(str name)
{
	return bsearch(&name, builtins, sizeof(builtins) / sizeof(*builtins), sizeof(*builtins),
		compare_builtins);
}

bool bashlex_is_builtin(str name)
{
	static const char *const keywords[] = {"]]", "in", "esac", "do", "done", "fi", "}"};
	for (size_t i = 0; i < sizeof(keywords) / sizeof(*keywords); i++)
		if (str_is(name, keywords[i]))
			return true;
	return find_builtin(name) != NULL;
}

bool bashlex_is_declare(str name)
{
	const struct builtin *builtin = find_builtin(name);
	return str_is(name, "export") || (builtin && builtin->rule == RULE_DECLARE);
}

static const struct interpreter *find_interpreter(str path)
{
	size_t base = path.len;
	while (base > 0 && path.ptr[base - 1] != '/')
		base--;
	str name = str_slice(path, base, path.len);
	for (size_t i = 0; i < sizeof(interpreters) / sizeof(*interpreters); i++)
		if (str_is(name, interpreters[i].name))
			return &interpreters[i];
	return NULL;
}

static bool is_option(str text)
{
	return text.len > 1 && text.ptr[0] == '-';
}

/* Code for another program: bash -c "... $n.output". */
static void check_code(
	struct bashlex *lx, struct bash_command *command, const struct bash_word *word, str text)
{
	const struct interpreter *interpreter = find_interpreter(command->target);
	if (interpreter && word->has_ref) {
		str previous = command->previous;
		bool is_code = !*interpreter->options;
		if (is_option(previous) && previous.ptr[1] != '-')
			is_code = strchr(interpreter->options, previous.ptr[previous.len - 1]) !=
			          NULL;
		if (is_code)
			bashlex_warn_code(lx, &word->ref, interpreter->name, interpreter->safe);
	} else if (!interpreter && word->literal && find_interpreter(text)) {
		command->target = bashlex_keep(lx, word, 0);
	}
}

static void check_declare(
	struct bashlex *lx, struct bash_command *command, const struct bash_word *word, str text)
{
	if (word->literal && !command->ended && text.len > 1 && (text.ptr[0] == '-')) {
		command->integer |=
			memchr(text.ptr, 'i', text.len) || memchr(text.ptr, 'n', text.len);
		command->compound |=
			memchr(text.ptr, 'a', text.len) || memchr(text.ptr, 'A', text.len);
		return;
	}
	str name = str_slice(text, 0, word->name_len ? word->name_len : text.len);
	if (word->literal || word->name_len) {
		if (command->integer)
			bashlex_note_name(lx, &lx->integers, name);
		if (command->compound || word->array)
			bashlex_note_name(lx, &lx->arrays, name);
	}
	if (!word->has_ref || str_is(command->name, "export"))
		return;
	bool in_name = !word->name_len || word->leads;
	if (in_name || command->integer || (command->compound && !word->array))
		bashlex_refuse(
			lx, &word->ref, BASH_BUILTIN, in_name ? "declare" : "declare with options");
	else if (!word->array)
		*vec_push(&lx->declared) =
			(struct bash_name){arena_str(&lx->result->arena, name), word->ref};
}

static void check_printf(
	struct bashlex *lx, struct bash_command *command, const struct bash_word *word, str text)
{
	if (command->format)
		return;
	bool is_name = command->takes;
	command->takes = false;
	if (is_name && word->has_ref)
		bashlex_refuse(lx, &word->ref, BASH_BUILTIN, "printf -v");
	else if (!is_name && word->literal && str_is(text, "-v"))
		command->takes = true;
	else if (!is_name && !(word->literal && str_is(text, "--")))
		command->format = true;
	if (command->format && word->has_ref) {
		lx->now.taboo_start = word->start;
		lx->now.taboo_end = word->end;
		bashlex_refuse(lx, &word->ref, BASH_FORMAT, NULL);
	}
}

static void check_read(struct bashlex *lx, struct bash_command *command,
	const struct bash_word *word, const struct builtin *builtin)
{
	str text = buf_str(&word->text);
	bool is_value = command->takes;
	bool option = word->literal && !is_value && is_option(text);
	command->takes = option && strchr(builtin->options, text.ptr[text.len - 1]);
	if (word->has_ref && !is_value)
		bashlex_refuse(lx, &word->ref, BASH_BUILTIN, builtin->name);
}

/* -v NAME is evaluated; and where two operands follow each other, a value is the operator. */
static void check_test(
	struct bashlex *lx, const struct bash_command *command, const struct bash_word *word)
{
	bool names = str_is(command->previous, "-v") || str_is(command->previous, "-R");
	if (word->has_ref && (names || (command->leads && word->leads)))
		bashlex_refuse(lx, &word->ref, BASH_BUILTIN, names ? "test -v" : "test");
}

static void check_builtin(struct bashlex *lx, struct bash_command *command,
	const struct bash_word *word, const struct builtin *builtin)
{
	str text = buf_str(&word->text);
	switch (builtin->rule) {
	case RULE_ALL:
		if (word->has_ref)
			bashlex_refuse(lx, &word->ref, BASH_BUILTIN, builtin->name);
		break;
	case RULE_READ: check_read(lx, command, word, builtin); break;
	case RULE_PRINTF: check_printf(lx, command, word, text); break;
	case RULE_DECLARE: check_declare(lx, command, word, text); break;
	case RULE_TEST: check_test(lx, command, word); break;
	case RULE_CODE:
		if (word->has_ref)
			bashlex_warn_code(lx, &word->ref, builtin->name,
				"name the commands it may be in a case, or pass it as an argument of a function: ");
		break;
	case RULE_NONE: break;
	}
}

void bashlex_argument(
	struct bashlex *lx, struct bash_command *command, const struct bash_word *word)
{
	str text = buf_str(&word->text);
	const struct builtin *builtin = find_builtin(command->name);
	if (builtin)
		check_builtin(lx, command, word, builtin);
	else
		check_code(lx, command, word, text);
	if (str_is(command->name, "export"))
		check_declare(lx, command, word, text);
	if (str_is(command->name, "tee") && !is_option(text))
		bashlex_note_write(lx, word);
	else if (!word->literal || !str_is(text, "]"))
		bashlex_note_word(lx, word);
	command->count++;
	command->ended |= word->literal && str_is(text, "--");
	command->leads = word->has_ref && word->leads;
	command->previous = word->literal ? bashlex_keep(lx, word, 0) : STR("");
}
