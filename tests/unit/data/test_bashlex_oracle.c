/* bashlex against the real bash: in every context a reference yields exactly its value, whatever the value, and nothing of
 * a value ever runs.  All contexts of one value run in one bash, each with its own output file. */
#include "data/bind.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* In what is expected, @ stands for the value. */
struct context {
	const char *body;
	const char *output;
};

static const struct context contexts[] = {
	{"args $n.output", "<@>"},
	{"args a$n.output-b$n.output", "<a@-b@>"},
	{"args \"$n.output\" \"a $n.output. b\" ${n.output}c", "<@><a @. b><@c>"},
	{"args \"\"$n.output'x'", "<@x>"},
	{"x=$n.output; args \"$x\"", "<@>"},
	{"x=a; x+=$n.output; args \"$x\"", "<a@>"},
	{"x=\"[$n.output]\"; args \"$x\"", "<[@]>"},
	{"x=a:$n.output:b; args \"$x\"", "<a:@:b>"},
	{"a=($n.output b \"$n.output\"); args \"${a[@]}\"", "<@><b><@>"},
	{"a=([1]=$n.output [0]=x); args \"${a[@]}\"", "<x><@>"},
	{"declare -A m=([k]=$n.output); args \"${m[k]}\"", "<@>"},
	{"f1() { local v=$n.output w=\"$n.output\"; args \"$v\" \"$w\"; }; f1", "<@><@>"},
	{"declare d1=$n.output; typeset d2=$n.output; args \"$d1\" \"$d2\"", "<@><@>"},
	{"export EX=$n.output; args \"$EX\"; unset EX", "<@>"},
	{"X1=$n.output f2", "<@>"},
	{"printf '%s' $n.output", "@"},
	{"printf -v pv '%s.' $n.output; args \"$pv\"", "<@.>"},
	{"IFS= read -r -d '' h <<< $n.output || :; args \"$h\"", "<@\n>"},
	{"IFS= read -r -d '' h <<< \"a $n.output\" || :; args \"$h\"", "<a @\n>"},
	{"IFS= read -r -d '' h <<E || :\n$n.output\nE\nargs \"$h\"", "<@\n>"},
	{"IFS= read -r -d '' h <<-E || :\n\ta $n.output \"b\" '$n.output' \\$n.output\n\tE\nargs \"$h\"",
		"<a @ \"b\" '@' $n.output\n>"},
	{"IFS= read -r -d '' h <<E || :\n${u:-$n.output}${u:-\"$n.output\"}\nE\nargs \"$h\"",
		"<@@\n>"},
	{"IFS= read -r -d '' h <<E || :\n$(printf '%s.' $n.output)\nE\nargs \"$h\"", "<@.\n>"},
	{"x=Q$n.output; IFS= read -r -d '' h <<E || :\n${x%$n.output}${x/Q/$n.output}\nE\nargs \"$h\"",
		"<Q@@\n>"},
	{"args ${u:-$n.output} ${u:-a$n.output\"$n.output\"}", "<@><a@@>"},
	{"args \"${u:-$n.output}\" \"${u:-a \"$n.output\" b}\"", "<@><a @ b>"},
	{"args \"${u:-'$n.output'}\" \"${u:-'}'$n.output}\"", "<'@'><'}'@>"},
	{"args \"${u:-${t:-$n.output}}\" ${u-${t-\"$n.output\"}}", "<@><@>"},
	{"s=1; args ${s:+$n.output} \"${s:+$n.output}\" ${s+$n.output}", "<@><@><@>"},
	{": ${q1:=$n.output} \"${q2:=$n.output}\"; args \"$q1\" \"$q2\"", "<@><@>"},
	{"x=Q$n.output; args \"${x%$n.output}\" \"${x#Q}\" ${x%\"$n.output\"}", "<Q><@><Q>"},
	{"x=$n.output-Z; args \"${x#$n.output}\" \"${x##$n.output}\"", "<-Z><-Z>"},
	{"x=aQb; args \"${x/Q/$n.output}\" \"${x//Q/\"$n.output\"}\"", "<a@b><a@b>"},
	{"x=aQb; y=${x/Q/$n.output}; args \"$y\"", "<a@b>"},
	{"args \"$(printf '%s.' $n.output)\"", "<@.>"},
	{"args \"$(printf '%s.' \"$n.output\" | cat)\"", "<@.>"},
	{"args \"$(args \"$(args \"$(args $n.output)\")\")\"", "<<<<@>>>>"},
	{"x=$(printf '%s.' $n.output); args \"$x\"", "<@.>"},
	{"x=$(case a in (b) ;; a) args $n.output;; esac; printf .); args \"$x\"", "<<@>.>"},
	{"x=$(IFS= read -r -d '' h <<E || :\n$n.output\nE\nargs \"$h\"); args \"$x\"", "<<@\n>>"},
	{"IFS= read -r -d '' p < <(printf '%s' $n.output) || :; args \"$p\"", "<@>"},
	{"( args $n.output ); { args $n.output; }", "<@><@>"},
	{"case $n.output in \"$n.output\") printf yes;; *) printf no;; esac", "yes"},
	{"x=$n.output; case $x in $n.output) printf yes;; *) printf no;; esac", "yes"},
	{"x=$n.output; [[ $n.output == $n.output && $x == $n.output && $x = \"$n.output\" ]] && printf yes",
		"yes"},
	{"x=$n.output; [[ $x != $n.output ]] || printf same", "same"},
	{"x=a$n.output; [[ $x =~ ^a$n.output$ ]] && printf yes", "yes"},
	{"x=$n.output; [[ $x == @($n.output|zz) ]] && printf yes", "yes"},
	{"if [ a$n.output = \"a$n.output\" ]; then printf yes; fi", "yes"},
	{"for i in $n.output b$n.output; do args \"$i\"; done", "<@><b@>"},
	{"set -- $n.output $n.output; args \"$#\" \"$@\"", "<2><@><@>"},
	{"f3() { args \"$1\"; }; f3 $n.output | cat", "<@>"},
	{"! false $n.output && args $n.output || printf no # $n.output '", "<@>"},
	{"args \\$n.output \"\\$n.output\" \\\\$n.output \"\\\\$n.output\"",
		"<$n.output><$n.output><\\@><\\@>"},
	{"args $'a\\'b'$n.output $\"c $n.output\"", "<a'b@><c @>"},
	{"args {a,$n.output}", "<a><@>"},
	{"args ~$n.output {1..$n.output}", "<~@><{1..@}>"},
	{"args $(( 1 + $(x=$n.output; printf 2) ))", "<3>"},
	{"set -f; args *$n.output ?$n.output [a]$n.output; set +f", "<*@><?@><[a]@>"},
	{"bash -c 'printf \"%s\" \"$1\"' bash $n.output", "@"},
	{"IFS=/; args $n.output; unset IFS", "<@>"},
	{"set -u; args $n.output; set +u", "<@>"},
	{"trap 'args t' USR1; args $n.output", "<@>"},
	{"while LC_ALL=C IFS= read -r -d '' l; do args \"$l\"; done < <(printf '%s\\0' $n.output)",
		"<@>"},
	{"args \"`printf a`$n.output\"", "<a@>"},
	{"readonly R$BASHPID=1; args $n.output", "<@>"},
};

static const str values[] = {
	STR_INIT(""),
	STR_INIT(" "),
	STR_INIT("  a  b  "),
	STR_INIT("\ta\t"),
	STR_INIT("\n"),
	STR_INIT("\n\na\n\n"),
	STR_INIT("'"),
	STR_INIT("it's \"quoted\""),
	STR_INIT("\""),
	STR_INIT("`touch pwned`"),
	STR_INIT("\\"),
	STR_INIT("a\\\\b\\"),
	STR_INIT("\\n\\$x\\`"),
	STR_INIT("$(touch pwned)"),
	STR_INIT("\"; touch pwned; \""),
	STR_INIT("'; touch pwned; '"),
	STR_INIT("; touch pwned #"),
	STR_INIT("x\nE\ntouch pwned\n"),
	STR_INIT("a[$(touch pwned)]"),
	STR_INIT("a[$(touch pwned)]=1"),
	STR_INIT("-va[$(touch pwned)]"),
	STR_INIT("($(touch pwned))"),
	STR_INIT("${HOME}"),
	STR_INIT("$n.output ${PAWL_REF_1}"),
	STR_INIT("!"),
	STR_INIT("!!"),
	STR_INIT("*"),
	STR_INIT("[a-z]?"),
	STR_INIT("&"),
	STR_INIT("~"),
	STR_INIT("~/x"),
	STR_INIT("{a,b}"),
	STR_INIT("#"),
	STR_INIT("%s%n%d"),
	STR_INIT("-n"),
	STR_INIT("--"),
	STR_INIT("}"),
	STR_INIT(")"),
	STR_INIT("{\"a\": [1, \"x\\n\", null], \"$b\": \"\\ud83d\"}"),
	STR_INIT("\xf0\x9f\xa6\x9c caf\xc3\xa9"),
	STR_INIT("a\r\nb\r\n"),
	STR_INIT("\x01\x7f\x1b[31m"),
	STR_INIT("\xff\xfe\x80 \xc3"),
};

#define CONTEXTS (sizeof(contexts) / sizeof(*contexts))

static char directory[] = "/tmp/pawl-bashlex-XXXXXX";

static bool is_node(void *ctx, str name)
{
	(void)ctx;
	return str_is(name, "n");
}

static const struct bind_names names = {NULL, is_node};

static int make_directory(void **state)
{
	(void)state;
	return mkdtemp(directory) && chdir(directory) == 0 ? 0 : -1;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int remove_directory(void **state)
{
	(void)state;
	return chdir("/") == 0 ? nftw(directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS) : -1;
}

static void write_file(const char *name, str bytes)
{
	FILE *file = fopen(name, "we");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes.ptr, 1, bytes.len, file), bytes.len);
	assert_int_equal(fclose(file), 0);
}

static void read_file(const char *name, struct buf *out)
{
	char chunk[65536];
	buf_clear(out);
	buf_cstr(out);
	FILE *file = fopen(name, "re");
	assert_non_null(file);
	for (size_t n; (n = fread(chunk, 1, sizeof(chunk), file)) > 0;)
		buf_add(out, str_make(chunk, n));
	fclose(file);
}

/* The exit status of bash; its stderr is in the file "stderr". */
static int run_bash(const char *script, const char *const *environment)
{
	const char *argv[] = {
		"bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 1, "stdout", O_WRONLY | O_CREAT | O_TRUNC, 0600);
	posix_spawn_file_actions_addopen(&actions, 2, "stderr", O_WRONLY | O_CREAT | O_TRUNC, 0600);
	pid_t pid = 0;
	int status = -1;
	char **args = NULL;
	char **env = NULL;
	memcpy(&args, &(const char *const *){argv}, sizeof(args));
	memcpy(&env, &environment, sizeof(env));
	assert_int_equal(posix_spawnp(&pid, "bash", &actions, NULL, args, env), 0);
	while (waitpid(pid, &status, 0) < 0)
		assert_int_equal(errno, EINTR);
	posix_spawn_file_actions_destroy(&actions);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

/* Binds `body`, which must be accepted and have one slot at most. */
static void bind_body(const char *body, struct buf *text)
{
	struct bind_result result = {0};
	struct diags diags = {0};
	if (!bind_find(STR("bash"))->bind(str_of(body), &names, (struct place){0}, &result, &diags))
		fail_msg("%s\nis refused: %s", body, diags.list.ptr[0].message);
	assert_true(result.slots.len <= 1);
	buf_add(text, buf_str(&result.text));
	bind_finish(&result);
	diags_finish(&diags);
}

/* bash matches patterns in quadratic time. */
static bool is_slow(const struct context *context)
{
	return strstr(context->body, "${x") || strstr(context->body, "[[") ||
	       strstr(context->body, "case");
}

/* The script of all contexts, and its environment, are made without any value at hand. */
static void build_script(struct buf *script, bool large)
{
	buf_add_z(script,
		"shopt -s extglob\nargs() { (($#)) && printf '<%s>' \"$@\"; }\nf2() { args \"$X1\"; }\n");
	for (size_t i = 0; i < CONTEXTS; i++) {
		if (large && is_slow(&contexts[i]))
			continue;
		buf_add_z(script, "{\n");
		bind_body(contexts[i].body, script);
		buf_printf(script, "\n} > %zu\n", i);
	}
}

static void expect_output(size_t index, str value)
{
	char name[24];
	struct buf got = {0};
	struct buf expected = {0};
	for (const char *p = contexts[index].output; *p; p++) {
		if (*p == '@')
			buf_add(&expected, value);
		else
			buf_add_char(&expected, *p);
	}
	snprintf(name, sizeof(name), "%zu", index);
	read_file(name, &got);
	if (!str_eq(buf_str(&got), buf_str(&expected))) {
		struct buf seen = {0};
		buf_add_visible(&seen, str_slice(buf_str(&got), 0, 300));
		struct buf wanted = {0};
		buf_add_visible(&wanted, str_slice(buf_str(&expected), 0, 300));
		fail_msg("%s\ngives:    %s\nexpected: %s", contexts[index].body, buf_cstr(&seen),
			buf_cstr(&wanted));
	}
	buf_finish(&got);
	buf_finish(&expected);
}

static void run_value(const char *script, str value, bool large)
{
	struct buf variable = {0};
	const char *environment[] = {
		"PATH=/usr/bin:/bin", "HOME=/nowhere", "LC_ALL=C.UTF-8", NULL, NULL};
	buf_add_z(&variable, "PAWL_REF_1=");
	buf_add(&variable, value);
	environment[3] = buf_cstr(&variable);
	int status = run_bash(script, environment);
	if (status) {
		struct buf text = {0};
		read_file("stderr", &text);
		fail_msg("bash ends with %d: %s", status, buf_cstr(&text));
	}
	for (size_t i = 0; i < CONTEXTS; i++)
		if (!large || !is_slow(&contexts[i]))
			expect_output(i, value);
	if (access("pwned", F_OK) == 0)
		fail_msg("the value %.*s was run", STR_ARG(value));
	buf_finish(&variable);
}

static void every_context_yields_every_value(void **state)
{
	(void)state;
	struct buf script = {0};
	build_script(&script, false);
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
		run_value(buf_cstr(&script), values[i], false);
	buf_finish(&script);
}

static void large_values_come_through_a_file(void **state)
{
	(void)state;
	struct buf script = {0};
	struct buf value = {0};
	build_script(&script, true);
	while (value.len < 100000)
		buf_add(&value, STR("$(touch pwned) 'a' \xff\xf0\x9f\xa6\x9c\\\n"));
	run_value(buf_cstr(&script), buf_str(&value), true);
	while (value.len < 300000)
		buf_add(&value, STR("`touch pwned` \"b\"\n\n"));
	buf_finish(&script);
	/* Externals get such a value through a pipe: as an argument it is too long for any program. */
	bind_body("printf %s $n.output > out; cat <<< $n.output | wc -c > count; env > environment",
		&script);
	struct bind_slot slot = {.variable = "PAWL_REF_1"};
	struct buf prelude = {0};
	bind_find(STR("bash"))->prelude(&prelude, &slot, &(bool){true}, 1, STR("it's dir"));
	mkdir("it's dir", 0700);
	write_file("it's dir/PAWL_REF_1", buf_str(&value));
	write_file("prelude", buf_str(&prelude));
	const char *const environment[] = {
		"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "BASH_ENV=prelude", NULL};
	assert_int_equal(run_bash(buf_cstr(&script), environment), 0);
	struct buf got = {0};
	read_file("out", &got);
	assert_true(str_eq(buf_str(&got), buf_str(&value)));
	read_file("environment", &got);
	assert_true(str_find(buf_str(&got), STR("PAWL_REF_1"), 0) == SIZE_MAX);
	assert_true(str_find(buf_str(&got), STR("BASH_ENV"), 0) == SIZE_MAX);
	assert_true(access("pwned", F_OK) != 0);
	buf_finish(&got);
	buf_finish(&prelude);
	buf_finish(&value);
	buf_finish(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_context_yields_every_value),
		cmocka_unit_test(large_values_come_through_a_file),
	};
	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
