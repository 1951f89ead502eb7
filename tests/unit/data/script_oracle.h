/* script_oracle: binds a body and runs it with the real interpreter, values delivered as bind.h promises.  For test_jslex
 * and test_pylex. */
#ifndef TESTS_SCRIPT_ORACLE_H
#define TESTS_SCRIPT_ORACLE_H

#include "base/utf8.h"
#include "data/bind.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* LANGUAGE.md's list for every context, and what is hostile to these two languages.  The last one is followed by 1 MB of
 * text and 1 MB of JSON, see oracle_values. */
static const str oracle_small[] = {
	STR_INIT(""),
	STR_INIT(" "),
	STR_INIT("\t x \t"),
	STR_INIT("\n\nlines\nand more\n\n"),
	STR_INIT("it's"),
	STR_INIT("say \"hi\""),
	STR_INIT("'''\"\"\"```"),
	STR_INIT("`tick` ${process.exit(3)} {__import__('os')._exit(3)}"),
	STR_INIT("back\\slash \\n \\"),
	STR_INIT("$(touch x) ${HOME} $HOME ! * ~ {a,b} # %s %(x)s {0} {{}}"),
	STR_INIT("-n"),
	STR_INIT("=@/etc/passwd"),
	STR_INIT("@/etc/passwd"),
	STR_INIT("$v1.output ${v1.output} \\$v1.output"),
	STR_INIT("{\"a\": [1, 2.50, {\"b\": \"`x` ${y} '\\\"\\\\\"}], \"c\": null}"),
	STR_INIT("[]"),
	STR_INIT("{}"),
	STR_INIT(" 42\n"),
	STR_INIT("-0.5e+3"),
	STR_INIT("true"),
	STR_INIT("null"),
	STR_INIT("\"text as JSON \\u0000 \\u00e9\""),
	STR_INIT("[\"\\ud800\", \"\\udc00x\"]"),
	STR_INIT("{\"a\": 1} trailing"),
	STR_INIT("01"),
	STR_INIT("NaN"),
	STR_INIT("{\"__proto__\": {\"x\": 1}, \"a\": 1, \"a\": 2}"),
	STR_INIT("line\r\nline\r\n"),
	STR_INIT("\xf0\x9f\x90\xbe \xc3\xa9 \xe2\x80\xa8 \xef\xbb\xbf"),
	STR_INIT("\xef\xbb\xbf{\"bom\": 1}"),
	STR_INIT("invalid \xff\xfe \xc3( \xed\xa0\x80"),
	STR_INIT("\"\xff\""),
	STR_INIT("nul \0 inside"),
	STR_INIT("*/ // # --> <!-- </script>"),
};
#define ORACLE_SMALL (sizeof(oracle_small) / sizeof(*oracle_small))
#define ORACLE_COUNT (ORACLE_SMALL + 2)

struct oracle {
	char dir[64];
	str values[ORACLE_COUNT];
	struct buf large_text;
	struct buf large_json;
	struct bind_result bound;
	struct diags diags;
	VEC(char *) env;
	struct buf output; /* stdout and stderr of the last run */
};

static bool oracle_is_node(void *ctx, str name)
{
	(void)ctx;
	uint64_t number;
	return str_is(name, "n") || str_is(name, "m") || str_is(name, "my-node") ||
	       (str_starts(name, STR("v")) && str_to_u64(str_slice(name, 1, name.len), &number));
}

static const struct bind_names oracle_names = {.is_node = oracle_is_node};

static inline bool oracle_has(const char *program)
{
	const char *path = getenv("PATH");
	str rest = str_of(path);
	str dir;
	bool found = false;
	while (!found && str_split(&rest, ':', &dir)) {
		struct buf file = {0};
		buf_printf(&file, "%.*s/%s", STR_ARG(dir), program);
		found = access(file.ptr, X_OK) == 0;
		buf_finish(&file);
	}
	return found;
}

static inline void oracle_start(struct oracle *o)
{
	*o = (struct oracle){.dir = "/tmp/pawl_oracle_XXXXXX"};
	assert_non_null(mkdtemp(o->dir));
	for (size_t i = 0; i < ORACLE_SMALL; i++)
		o->values[i] = oracle_small[i];
	for (int i = 0; i < 30000; i++)
		buf_printf(&o->large_text, "line %d `'\"\\${x}{y}\xc3\xa9 and more\n", i);
	buf_add_z(&o->large_json, "[");
	for (int i = 0; i < 40000; i++)
		buf_printf(&o->large_json, "{\"i\": %d, \"s\": \"`${x}\"},", i);
	buf_add_z(&o->large_json, "0]");
	assert_true(o->large_text.len > 1000000 && o->large_json.len > 1000000);
	o->values[ORACLE_SMALL] = buf_str(&o->large_text);
	o->values[ORACLE_SMALL + 1] = buf_str(&o->large_json);
}

static inline void oracle_write(struct oracle *o, const char *name, str bytes)
{
	struct buf path = {0};
	buf_printf(&path, "%s/%s", o->dir, name);
	FILE *file = fopen(path.ptr, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes.ptr, 1, bytes.len, file), bytes.len);
	assert_int_equal(fclose(file), 0);
	buf_finish(&path);
}

static inline void oracle_env(struct oracle *o, const char *name, char mark, str value)
{
	struct buf entry = {0};
	buf_printf(&entry, "%s=", name);
	if (mark)
		buf_add_char(&entry, mark);
	buf_add(&entry, value);
	*vec_push(&o->env) = buf_take(&entry);
}

/* One marked value, in a file where bind.h says so. */
static inline void oracle_deliver(struct oracle *o, const char *name, str payload)
{
	if (payload.len <= BIND_LARGE && utf8_invalid_at(payload) == SIZE_MAX &&
		str_find_char(payload, '\0', 0) == SIZE_MAX) {
		oracle_env(o, name, '=', payload);
		return;
	}
	struct buf path = {0};
	buf_printf(&path, "%s/%s", o->dir, name);
	oracle_write(o, name, payload);
	oracle_env(o, name, '@', buf_str(&path));
	buf_finish(&path);
}

/* Binds the body and prepares the environment; each `v<i>` is values[i]. */
static inline bool oracle_bind(struct oracle *o, const struct bind_language *language, str body)
{
	bool ok = language->bind(body, &oracle_names, (struct place){0}, &o->bound, &o->diags);
	for (size_t i = 0; i < o->diags.list.len; i++)
		print_message("%s: %s\n", o->diags.list.ptr[i].code, o->diags.list.ptr[i].message);
	for (size_t i = 0; i < o->bound.slots.len; i++) {
		const struct bind_slot *slot = &o->bound.slots.ptr[i];
		uint64_t index = 0;
		assert_true(str_to_u64(str_slice(slot->ref.name, 1, slot->ref.name.len), &index));
		struct buf payload = {0};
		bind_payload(&payload, slot->as, o->values[index]);
		oracle_deliver(o, slot->variable, buf_str(&payload));
		buf_finish(&payload);
	}
	oracle_env(o, "PATH", '\0', str_of(getenv("PATH")));
	oracle_env(o, "HOME", '\0', str_of(o->dir));
	oracle_env(o, "ORACLE", '\0', str_of(o->dir));
	return ok;
}

/* Runs argv with the environment so far; gives the exit status, and what it wrote in o->output. */
static inline int oracle_run(struct oracle *o, char *const *argv)
{
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	*vec_push(&o->env) = NULL;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int null = open("/dev/null", O_RDONLY);
		dup2(null, 0);
		dup2(ends[1], 1);
		dup2(ends[1], 2);
		alarm(900);
		if (chdir(o->dir) == 0)
			execvpe(argv[0], argv, o->env.ptr);
		_exit(127);
	}
	o->env.len--;
	close(ends[1]);
	buf_clear(&o->output);
	char chunk[4096];
	ssize_t n;
	while ((n = read(ends[0], chunk, sizeof(chunk))) > 0)
		buf_add(&o->output, str_make(chunk, (size_t)n));
	close(ends[0]);
	int status = 0;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static inline void oracle_finish(struct oracle *o)
{
	struct buf command = {0};
	buf_printf(&command, "rm -rf %s", o->dir);
	assert_int_equal(system(command.ptr), 0);
	buf_finish(&command);
	for (size_t i = 0; i < o->env.len; i++)
		free(o->env.ptr[i]);
	vec_finish(&o->env);
	buf_finish(&o->output);
	buf_finish(&o->large_text);
	buf_finish(&o->large_json);
	bind_finish(&o->bound);
	diags_finish(&o->diags);
}

/* A template in which every "@" is the index of a value, once for each value. */
static inline void oracle_repeat(struct buf *out, const char *template)
{
	for (size_t i = 0; i < ORACLE_COUNT; i++)
		for (const char *p = template; *p; p++)
			if (*p == '@')
				buf_add_u64(out, i);
			else
				buf_add_char(out, *p);
}

#endif
