/* bashlex on scripts made at random from a grammar, against the real bash.  A harmless value may be spliced: so the bound
 * script with that value must print what the spliced script prints, and with a hostile value the same with every
 * occurrence replaced.  Damaged scripts must stay as acceptable, or not, as they were. */
#include "data/bind.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SCRIPTS 2000
#define BATCH   50 /* scripts in one bash */
#define DAMAGED 250

static const char harmless[] = "Zq7";
static const char hostile[] = " '\"`touch pwned`$(touch pwned)\\ \n*{a,b}~!#%s&)};E\nE\n[]\xff ";

static uint64_t seed = 88172645463325252u;

static size_t pick(size_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (size_t)(seed % n);
}

static bool is_node(void *ctx, str name)
{
	(void)ctx;
	return str_is(name, "n");
}

static const struct bind_names names = {NULL, is_node};

/* The grammar.  `quoted`: inside double quotes or a here-document. */
static void add_commands(struct buf *out, size_t depth);
static void add_word(struct buf *out, size_t depth);

static void add_ref(struct buf *out)
{
	static const char *const refs[] = {"$n.output", "${n.output}"};
	buf_add_z(out, refs[pick(2)]);
	buf_add_z(out, pick(2) ? "-" : "/");
}

static void add_piece(struct buf *out, size_t depth, bool quoted)
{
	static const char *const bare[] = {"a", "b-c", "\\$", "\\\"", "'s q'", "$'t\\n'", "x=y",
		"\\$n.output", "\"\"", "${u}", "#", "]", "'#\"`'", "%"};
	static const char *const inside[] = {"a", " b ", "\\$", "\\\"", "'", "${u}", "#", "\\\\",
		"\\$n.output", ";", "|", "(", "%s"};
	switch (pick(depth ? 8 : 3)) {
	case 0: buf_add_z(out, quoted ? inside[pick(13)] : bare[pick(14)]); break;
	case 1:
	case 2: add_ref(out); break;
	case 3:
		buf_add_char(out, '"');
		for (size_t n = pick(3); n > 0 && !quoted; n--)
			add_piece(out, depth - 1, true);
		buf_add_char(out, '"');
		break;
	case 4:
		buf_add_z(out, pick(2) ? "${u:-" : "${u-");
		buf_add_z(out, pick(2) ? "d" : "");
		add_ref(out);
		buf_add_char(out, '}');
		break;
	case 5:
		buf_add_z(out, "${s:+");
		add_ref(out);
		buf_add_char(out, '}');
		break;
	case 6:
		buf_add_z(out, quoted ? "$( " : "\"$( ");
		add_commands(out, depth - 1);
		buf_add_z(out, quoted ? ")" : ")\"");
		break;
	default: buf_add_z(out, "$((1+2))"); break;
	}
}

static void add_word(struct buf *out, size_t depth)
{
	buf_add_char(out, 'w');
	for (size_t n = pick(3) + 1; n > 0; n--)
		add_piece(out, depth, false);
}

static void add_doc(struct buf *out, size_t depth)
{
	bool tabs = pick(2);
	buf_printf(out, "IFS= read -r -d '' h <<%sE%zu || :\n", tabs ? "-" : "", depth);
	for (size_t n = pick(3) + 1; n > 0; n--) {
		buf_add_z(out, tabs ? "\t\td " : "d ");
		switch (pick(5)) {
		case 0: buf_add_z(out, "\"it's\" \\\\ \\` \\$n.output #"); break;
		case 1:
			buf_add_z(out, "$( ");
			if (depth)
				add_commands(out, depth - 1);
			else
				buf_add_z(out, "args $n.output");
			buf_add_char(out, ')');
			break;
		case 2: buf_add_z(out, "${u:-$n.output}"); break;
		default: add_ref(out); break;
		}
		buf_add_char(out, '\n');
	}
	buf_printf(out, "%sE%zu\nargs \"$h\"", tabs ? "\t" : "", depth);
}

static void add_command(struct buf *out, size_t depth)
{
	static const char *const blocks[][3] = {
		{"if args ", "; then\n", "; else args no; fi"},
		{"for i in ", "; do args \"$i\"; ", "; done"},
		{"case ", " in (w*|zz) ", " ;; *) args other;; esac"},
		{"{ args ", "; ", "; }"},
		{"( args ", "\n", " )"},
		{"x=", "; args \"$x\"; ", ""},
		{"f() { args \"$@\"; }; f ", " && ", ""},
		{"a=(b ", " # '\n c); args \"${a[@]}\"; ", ""},
		{"args ", " # it's \" $n.output\n", ""},
		{"[[ ", " == w* ]] && ", ""},
		{"IFS= read -r -d '' h <<< ", " || :; args \"$h\"\n", ""},
	};
	if (depth == 0 || pick(3) == 0) {
		buf_add_z(out, "args ");
		add_word(out, depth);
		return;
	}
	size_t which = pick(sizeof(blocks) / sizeof(*blocks) + 2);
	if (which >= sizeof(blocks) / sizeof(*blocks)) {
		add_doc(out, depth - 1);
		return;
	}
	buf_add_z(out, blocks[which][0]);
	add_word(out, depth - 1);
	buf_add_z(out, blocks[which][1]);
	add_commands(out, depth - 1);
	buf_add_z(out, blocks[which][2]);
}

static void add_commands(struct buf *out, size_t depth)
{
	for (size_t n = pick(2) + 1; n > 0; n--) {
		add_command(out, depth);
		buf_add_z(out, n == 1 ? "" : "\n");
	}
	/* The command in front may end in a comment or a here-document. */
	buf_add_z(out, "\nargs z");
}

static void replace_all(struct buf *out, str text, const char *from, const char *to)
{
	size_t done = 0;
	for (size_t at; (at = str_find(text, str_of(from), done)) != SIZE_MAX;) {
		buf_add(out, str_slice(text, done, at));
		/* An escaped reference is text for both. */
		size_t slashes = 0;
		while (slashes < at && text.ptr[at - slashes - 1] == '\\')
			slashes++;
		bool escaped = *from == '$' && slashes % 2;
		buf_add_z(out, escaped ? from : to);
		done = at + strlen(from);
	}
	buf_add(out, str_slice(text, done, text.len));
	buf_cstr(out);
}

static bool bind(str body, struct buf *text, struct buf *why)
{
	struct bind_result result = {0};
	struct diags diags = {0};
	bool ok = bind_find(STR("bash"))->bind(body, &names, (struct place){0}, &result, &diags);
	buf_add(text, buf_str(&result.text));
	if (!ok && why)
		buf_printf(why, "%u: %s", diags.list.ptr[0].at.line, diags.list.ptr[0].message);
	bind_finish(&result);
	diags_finish(&diags);
	return ok;
}

/* Runs `script`, with `value` if it has one; its stdout to *out.  Gives the exit status. */
static int run_bash(const char *options, const char *script, const char *value, struct buf *out)
{
	struct buf variable = {0};
	buf_printf(&variable, "PAWL_REF_1=%s", value);
	const char *argv[] = {"bash", "--noprofile", "--norc", options, "-c", script, NULL};
	const char *environment[] = {"PATH=/usr/bin:/bin", "LC_ALL=C", variable.ptr, NULL};
	char **args = NULL;
	char **env = NULL;
	memcpy(&args, &(const char **){argv}, sizeof(args));
	memcpy(&env, &(const char **){environment}, sizeof(env));
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 1, "stdout", O_WRONLY | O_CREAT | O_TRUNC, 0600);
	posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	pid_t pid = 0;
	int status = -1;
	assert_int_equal(posix_spawnp(&pid, "bash", &actions, NULL, args, env), 0);
	while (waitpid(pid, &status, 0) < 0)
		assert_int_equal(errno, EINTR);
	posix_spawn_file_actions_destroy(&actions);
	buf_finish(&variable);
	char chunk[65536];
	FILE *file = fopen("stdout", "re");
	assert_non_null(file);
	for (size_t n; (n = fread(chunk, 1, sizeof(chunk), file)) > 0;)
		buf_add(out, str_make(chunk, n));
	fclose(file);
	buf_cstr(out);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static void expect_same(const struct buf *script, const struct buf *got, const struct buf *wanted)
{
	size_t at = 0;
	while (at < got->len && at < wanted->len && got->ptr[at] == wanted->ptr[at])
		at++;
	if (at == got->len && at == wanted->len)
		return;
	size_t from = at > 100 ? at - 100 : 0;
	const char *behind = strstr(got->ptr, "@@");
	for (const char *p = behind; p && p < got->ptr + at; p = strstr(p + 2, "@@"))
		behind = p;
	fail_msg("the outputs differ behind %.20s:\n%.300s\n--- wanted\n%.300s\n--- script\n%s",
		behind ? behind : "the start", got->ptr + from, wanted->ptr + from, script->ptr);
}

static void run_batch(size_t first)
{
	struct buf body = {0};
	buf_add_z(&body, "s=1\nargs() { printf '<%s>' \"$@\"; }\n");
	for (size_t i = 0; i < BATCH; i++) {
		buf_printf(&body, "printf '@@%zu'\n(\n", first + i);
		add_commands(&body, 4);
		buf_add_z(&body, "\n)\n");
	}
	struct buf bound = {0};
	struct buf half = {0};
	struct buf spliced = {0};
	struct buf plain = {0};
	struct buf got = {0};
	struct buf wanted = {0};
	if (!bind(buf_str(&body), &bound, &got))
		fail_msg("%s\n%s", got.ptr, body.ptr);
	replace_all(&half, buf_str(&body), "${n.output}", harmless);
	replace_all(&spliced, buf_str(&half), "$n.output", harmless);
	assert_int_equal(run_bash("+e", spliced.ptr, "", &plain), 0);
	assert_int_equal(run_bash("+e", bound.ptr, harmless, &got), 0);
	expect_same(&bound, &got, &plain);
	buf_clear(&got);
	assert_int_equal(run_bash("+e", bound.ptr, hostile, &got), 0);
	replace_all(&wanted, buf_str(&plain), harmless, hostile);
	expect_same(&bound, &got, &wanted);
	assert_true(access("pwned", F_OK) != 0);
	buf_finish(&body);
	buf_finish(&bound);
	buf_finish(&half);
	buf_finish(&spliced);
	buf_finish(&plain);
	buf_finish(&got);
	buf_finish(&wanted);
}

static void a_value_never_changes_what_a_script_does(void **state)
{
	(void)state;
	for (size_t i = 0; i < SCRIPTS; i += BATCH)
		run_batch(i);
}

static void damaged_scripts_stay_as_acceptable_as_they_were(void **state)
{
	(void)state;
	size_t accepted = 0;
	size_t refused = 0;
	for (size_t i = 0; i < DAMAGED; i++) {
		struct buf body = {0};
		struct buf bound = {0};
		struct buf out = {0};
		add_commands(&body, 3);
		for (size_t n = pick(3) + 1; n > 0; n--)
			body.ptr[pick(body.len)] = "\"'`(){}$\\;<| \n"[pick(14)];
		if (bind(buf_str(&body), &bound, NULL)) {
			int before = run_bash("-n", body.ptr, "", &out);
			int after = run_bash("-n", bound.ptr, "", &out);
			if ((before == 0) != (after == 0))
				fail_msg("bash -n gave %d and gives %d\n%s\n--- bound\n%s", before,
					after, body.ptr, bound.ptr);
			accepted++;
		} else {
			refused++;
		}
		buf_finish(&body);
		buf_finish(&bound);
		buf_finish(&out);
	}
	assert_true(accepted > DAMAGED / 10 && refused > DAMAGED / 10);
}

static char directory[] = "/tmp/pawl-bashlex-XXXXXX";

static int make_directory(void **state)
{
	(void)state;
	return mkdtemp(directory) && chdir(directory) == 0 ? 0 : -1;
}

static int remove_directory(void **state)
{
	(void)state;
	return unlink("stdout") == 0 && chdir("/") == 0 ? rmdir(directory) : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_value_never_changes_what_a_script_does),
		cmocka_unit_test(damaged_scripts_stay_as_acceptable_as_they_were),
	};
	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
