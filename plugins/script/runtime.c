/* runtime: the table of runtimes.  A program that is not in it is run as PROGRAM FILE ARGS. */
#include "script.h"

static const struct runtime runtimes[] = {
	{.name = "python",
		.programs = {"python", "python3"},
		.before = {"-c"},
		.extension = ".py",
		.language = "python",
		.hint = "install Python 3 (apt install python3)"},
	{.name = "python3",
		.programs = {"python3"},
		.before = {"-c"},
		.extension = ".py",
		.language = "python",
		.hint = "install Python 3 (apt install python3)"},
	{.name = "uv",
		.programs = {"uv"},
		.before = {"python", "-c"},
		.before_file = {"--script"},
		.extension = ".py",
		.language = "python",
		.hint = "install uv: https://docs.astral.sh/uv/; without deps, `runtime: python` does"},
	{.name = "node",
		.programs = {"node", "nodejs"},
		.before = {"-e"},
		.behind = "--",
		.extension = ".js",
		.language = "js",
		.hint = "install Node.js (apt install nodejs)"},
	{.name = "bun",
		.programs = {"bun"},
		.before = {"--no-env-file", "-e"},
		.before_file = {"--no-env-file", "run"},
		.extension = ".ts",
		.language = "js",
		.hint = "install Bun: https://bun.sh; what is plain JavaScript also runs with `runtime: node`"},
	{.name = "deno",
		.programs = {"deno"},
		.before = {"eval", "--ext=ts"},
		.before_file = {"run", "--allow-all"},
		.extension = ".ts",
		.language = "js",
		.hint = "install Deno: https://deno.com; what is plain JavaScript also runs with `runtime: node`"},
	{.name = "ruby",
		.programs = {"ruby"},
		.before = {"-e"},
		.behind = "--",
		.extension = ".rb",
		.language = "none",
		.hint = "install Ruby (apt install ruby)"},
	{.name = "perl",
		.programs = {"perl"},
		.before = {"-e"},
		.behind = "--",
		.extension = ".pl",
		.language = "none",
		.hint = "install Perl (apt install perl)"},
	{.name = "sh",
		.programs = {"sh"},
		.before = {"-c"},
		.behind = "sh",
		.extension = ".sh",
		.language = "none",
		.hint = "install a POSIX shell (apt install dash)"},
};

static const struct runtime any_program = {.extension = "", .language = "none"};

const char *const runtime_extensions[] = {
	"", ".py", ".js", ".mjs", ".cjs", ".ts", ".rb", ".pl", ".sh", NULL};

const struct runtime *runtime_find(const char *name)
{
	for (size_t i = 0; i < sizeof(runtimes) / sizeof(runtimes[0]); i++)
		if (strcmp(runtimes[i].name, name) == 0)
			return &runtimes[i];
	return &any_program;
}

const struct runtime *runtime_of_file(const char *path, int has_deps)
{
	static const struct {
		const char *extension;
		const char *runtime;
	} table[] = {{".py", "python"}, {".js", "node"}, {".mjs", "node"}, {".cjs", "node"},
		{".ts", "bun"}, {".rb", "ruby"}, {".pl", "perl"}, {".sh", "sh"}};
	const char *dot = strrchr(path, '.');
	for (size_t i = 0; dot && i < sizeof(table) / sizeof(table[0]); i++)
		if (strcmp(table[i].extension, dot) == 0)
			return runtime_find(has_deps && i == 0 ? "uv" : table[i].runtime);
	return NULL;
}

int runtime_is_uv(const struct runtime *runtime)
{
	return runtime->name && strcmp(runtime->name, "uv") == 0;
}
