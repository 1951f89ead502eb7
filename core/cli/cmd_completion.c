/* cmd_completion: completion for shells.  The scripts, which came with the program, ask it at each TAB: `--words` with the
 * command line so far gives the candidates: commands, options, workflows, runs and nodes as they are now.  It never
 * complains: where something can't be found out there are fewer candidates. */
#include "cli/cli.h"
#include "cli/codes.h"
#include "cli/embedded.h"
#include "cli/inner.h"
#include "cli/objects.h"
#include "cli/rows.h"

#include "base/map.h"
#include "data/yaml.h"
#include "sys/fs.h"

#include <fcntl.h>

extern const struct command command_completion;

enum { RUNS_MOST = 20, RUNS_WITH_NODES = 3 };

enum kind {
	KIND_NONE,
	KIND_COMMANDS,
	KIND_TOPICS,
	KIND_WORKFLOWS,
	KIND_RUNS,
	KIND_RUN_NODES,
	KIND_NODES,
	KIND_TEMPLATES,
	KIND_SHELLS,
	KIND_PLUGIN,
	KIND_POLICY,
	KIND_REUSE
};

struct completing {
	struct cli *cli;
	struct buf out;
	struct map seen;
	const char *workflow; /* that the line names, or NULL */
	str prefix;           /* "--from=", where the value is in one word with its option */
};

/* A file of a stranger's project may be called `$(reboot)`: what a shell would do more with than take it is no candidate. */
static bool is_harmless(str word)
{
	for (size_t i = 0; i < word.len; i++) {
		char c = word.ptr[i];
		bool is_plain =
			(c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
		if (!is_plain && (!c || !strchr("-_./[]+@:,=", c)))
			return false;
	}
	return word.len > 0;
}

static void add(struct completing *c, str word)
{
	if (map_get(&c->seen, word) || !is_harmless(word))
		return;
	str kept =
		str_of(arena_printf(&c->cli->arena, "%.*s%.*s", STR_ARG(c->prefix), STR_ARG(word)));
	map_put(&c->seen, kept, c);
	if (c->cli->is_json) {
		object_begin(&c->out, "candidate");
		object_text(&c->out, "word", kept);
		object_end(&c->out);
		return;
	}
	buf_add(&c->out, kept);
	buf_add_char(&c->out, '\n');
}

/* ---- what there is ---- */

static void add_commands(struct completing *c)
{
	for (size_t i = 0; commands[i]; i++)
		add(c, str_of(commands[i]->name));
}

/* Of `pawl help`. */
static void add_topics(struct completing *c)
{
	struct code code;
	add_commands(c);
	add(c, STR("codes"));
	for (str rest = codes_text(); codes_next(&rest, &code);)
		add(c, code.name);
}

static void add_workflow(void *arg, const char *path)
{
	const char *slash = strrchr(path, '/');
	str name = str_of(slash ? slash + 1 : path);
	struct completing *c = arg;
	str inside = cli_workflow_name(c->cli, path);
	add(c, inside.len ? inside
			  : str_slice(name, 0, name.len - (str_ends(name, STR(".yaml")) ? 5 : 4)));
}

/* Nodes of a workflow that may never have run; nothing of it is loaded but its text. */
static void add_nodes_of_file(struct completing *c)
{
	struct err err = {0};
	struct buf text = {0};
	struct diags diags = {0};
	struct arena *arena = &c->cli->arena;
	const char *path =
		c->workflow ? cli_find_workflow_quietly(c->cli, c->workflow, &err) : NULL;
	err_finish(&err);
	if (path && fs_read_file(AT_FDCWD, path, (size_t)1 << 20, &text, NULL)) {
		const struct value *nodes =
			value_get(yaml_parse(arena, buf_str(&text), path, &diags), STR("nodes"));
		size_t count = nodes && nodes->kind == VALUE_LIST ? nodes->as.list.count : 0;
		for (size_t i = 0; i < count; i++) {
			const struct value *id = value_get(&nodes->as.list.items[i], STR("id"));
			if (id && id->kind == VALUE_STRING)
				add(c, id->as.text);
		}
	}
	diags_finish(&diags);
	buf_finish(&text);
}

struct adding {
	struct completing *c;
	const char *prefix;
	bool with_inner;
};

static void add_node(void *arg, const struct inner_node *node)
{
	const struct adding *a = arg;
	if (!node->is_inner || a->with_inner)
		add(a->c, str_of(arena_printf(
				  &a->c->cli->arena, "%s%.*s", a->prefix, STR_ARG(node->path))));
}

static void add_nodes(
	struct completing *c, struct store *store, const struct run_row *run, const char *prefix)
{
	struct adding adding = {c, prefix, *prefix != '\0'};
	inner_each(store, &c->cli->arena, run, add_node, &adding, NULL);
}

static void add_from_store(struct completing *c, enum kind kind)
{
	struct arena *arena = &c->cli->arena;
	struct run_list runs = {0};
	struct err err = {0};
	struct store *store = store_open(cli_project(c->cli), STORE_READ, &err);
	err_finish(&err);
	if (!store)
		return;
	if (runs_list(store, arena, STR(""), RUNS_MOST, false, &runs, NULL)) {
		for (size_t i = 0; i < runs.len; i++) {
			const char *number = arena_printf(arena, "%lld", (long long)runs.ptr[i].id);
			if (kind == KIND_RUNS || kind == KIND_RUN_NODES)
				add(c, str_of(number));
			if (kind == KIND_RUN_NODES && i < RUNS_WITH_NODES)
				add_nodes(
					c, store, &runs.ptr[i], arena_printf(arena, "%s/", number));
			if (kind == KIND_RUN_NODES && !i)
				add_nodes(c, store, &runs.ptr[i], "last/");
			if (kind == KIND_NODES)
				add_nodes(c, store, &runs.ptr[i], "");
		}
		if (runs.len && kind != KIND_NODES)
			add(c, STR("last"));
	}
	store_close(store);
}

/* The second part of the path of each embedded file below `dir`. */
static void add_embedded(struct completing *c, str dir)
{
	for (const struct embedded *file = embedded_files; file->path; file++) {
		str path = str_of(file->path);
		if (!str_starts(path, dir))
			continue;
		path = str_slice(path, dir.len, path.len);
		add(c, str_slice(path, 0, str_find_char(path, '/', 0)));
	}
}

static void add_words(struct completing *c, str words)
{
	for (str word; str_split(&words, ' ', &word);)
		add(c, word);
}

static void add_kind(struct completing *c, enum kind kind)
{
	switch (kind) {
	case KIND_COMMANDS: add_commands(c); break;
	case KIND_TOPICS: add_topics(c); break;
	case KIND_WORKFLOWS: cli_each_workflow(c->cli, add_workflow, c); break;
	case KIND_RUNS:
	case KIND_RUN_NODES: add_from_store(c, kind); break;
	case KIND_NODES:
		add_nodes_of_file(c);
		if (!c->workflow)
			add_from_store(c, kind);
		break;
	case KIND_PLUGIN: add_words(c, STR("new check trust untrust list")); break;
	case KIND_POLICY: add(c, STR("test")); break;
	case KIND_REUSE: add_words(c, STR("auto off only")); break;
	case KIND_TEMPLATES: add_embedded(c, STR("templates/")); break;
	case KIND_SHELLS: add_embedded(c, STR("completion/")); break;
	case KIND_NONE: break;
	}
}

/* ---- what is wanted ---- */

static bool is_option_char(char c)
{
	return (c >= 'a' && c <= 'z') || c == '-';
}

/* The options that the command's help names. */
static void add_options(struct completing *c, const struct command *command)
{
	static const char *const common[] = {
		"--help", "--json", "--quiet", "--verbose", "--no-color", "--plugin-path"};
	str help = str_of(command->help);
	for (size_t at = 0; (at = str_find(help, STR("--"), at)) != SIZE_MAX;) {
		size_t end = at + 2;
		while (end < help.len && is_option_char(help.ptr[end]))
			end++;
		if (end > at + 3)
			add(c, str_slice(help, at, end));
		at = end;
	}
	for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++)
		add(c, str_of(common[i]));
}

/* Of the value of an option; KIND_COMMANDS where the word is none that takes one. */
static enum kind kind_of_value(const char *option)
{
	static const struct {
		const char *name;
		enum kind kind;
	} options[] = {{"-f", KIND_NODES}, {"--force", KIND_NODES}, {"--from", KIND_NODES},
		{"--until", KIND_NODES}, {"--downstream-of", KIND_NODES},
		{"--upstream-of", KIND_NODES}, {"--run", KIND_RUNS}, {"--resume", KIND_RUNS},
		{"--reuse", KIND_REUSE}, {"--reason", KIND_NONE}, {"--decision", KIND_NONE},
		{"--comment", KIND_NONE}, {"--output", KIND_NONE}, {"-o", KIND_NONE},
		{"--max-size", KIND_NONE}, {"--older-than", KIND_NONE}, {"--node", KIND_NONE},
		{"--limit", KIND_NONE}, {"--ignore-field", KIND_NONE}, {"--extract", KIND_NONE},
		{"--input-file", KIND_NONE}, {"--plugin-path", KIND_NONE}, {"-i", KIND_NONE},
		{"--input", KIND_NONE}, {"-j", KIND_NONE}, {"--jobs", KIND_NONE}};
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (!strcmp(options[i].name, option))
			return options[i].kind;
	}
	return KIND_COMMANDS;
}

/* Of the n-th word (from 1) of a command. */
static enum kind kind_of_word(const char *command, size_t n)
{
	static const struct {
		const char *commands;
		enum kind first, others;
	} words[] = {{" run plan graph lint runs ", KIND_WORKFLOWS, KIND_NONE},
		{" resume cancel abandon report trace ", KIND_RUNS, KIND_NONE},
		{" show logs artifacts output quarantine release approve reject ", KIND_RUN_NODES,
			KIND_NONE},
		{" plugin ", KIND_PLUGIN, KIND_NONE}, {" policy ", KIND_POLICY, KIND_NONE},
		{" invalidate ", KIND_RUNS, KIND_NODES}, {" why verify ", KIND_NODES, KIND_NONE},
		{" init ", KIND_TEMPLATES, KIND_NONE}, {" help ", KIND_TOPICS, KIND_NONE},
		{" completion ", KIND_SHELLS, KIND_NONE}};
	struct buf name = {0};
	enum kind kind = KIND_NONE;
	if (!strcmp(command, "diff"))
		return n <= 2 ? KIND_RUNS : n == 3 ? KIND_NODES : KIND_NONE;
	buf_printf(&name, " %s ", command);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (str_find(str_of(words[i].commands), buf_str(&name), 0) != SIZE_MAX)
			kind = n == 1 ? words[i].first : words[i].others;
	}
	buf_finish(&name);
	return kind;
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; commands[i]; i++) {
		if (!strcmp(commands[i]->name, name))
			return commands[i];
	}
	return NULL;
}

/* The first word of a command that takes a workflow. */
static void set_workflow(struct completing *c, const char *const *line, size_t count)
{
	if (kind_of_word(line[0], 1) != KIND_WORKFLOWS)
		return;
	for (size_t i = 1; i + 1 < count && !c->workflow; i++) {
		if (line[i][0] != '-' && (i == 1 || kind_of_value(line[i - 1]) == KIND_COMMANDS))
			c->workflow = line[i];
	}
}

/* line[0] is the command, line[count - 1] what has been typed of the current word, maybe nothing. */
static void complete(struct completing *c, const char *const *line, size_t count)
{
	if (count <= 1) {
		add_commands(c);
		return;
	}
	const struct command *command = find_command(line[0]);
	if (!command)
		return;
	set_workflow(c, line, count);
	const char *current = line[count - 1];
	enum kind value = kind_of_value(line[count - 2]);
	/* `--resume` alone is whole. */
	if (!strcmp(line[count - 2], "--resume"))
		value = KIND_COMMANDS;
	size_t equals = str_find_char(str_of(current), '=', 0);
	if (current[0] == '-' && current[1] == '-' && equals != SIZE_MAX) {
		c->prefix = str_slice(str_of(current), 0, equals + 1);
		add_kind(c,
			kind_of_value(arena_printf(&c->cli->arena, "%.*s", (int)equals, current)));
	} else if (current[0] == '-') {
		add_options(c, command);
	} else if (count > 2 && value != KIND_COMMANDS) {
		add_kind(c, value);
	} else {
		size_t n = 0;
		for (size_t i = 1; i < count; i++)
			n += line[i][0] != '-' &&
			     (i == 1 || kind_of_value(line[i - 1]) == KIND_COMMANDS);
		add_kind(c, kind_of_word(line[0], n));
	}
}

static int print_script(struct cli *cli, const char *shell)
{
	struct buf path = {0};
	buf_printf(&path, "completion/%s", shell);
	for (const struct embedded *file = embedded_files; file->path; file++) {
		if (str_is(buf_str(&path), file->path)) {
			buf_finish(&path);
			str text = str_make((const char *)file->bytes, file->size);
			if (cli->is_json)
				object_document(cli, "text/x-shellscript", text);
			else
				talk_out(cli, text);
			return EXIT_DONE;
		}
	}
	buf_finish(&path);
	return rows_usage(cli, "there is completion for bash, zsh and fish",
		"no completion for \"%s\"", shell);
}

static int run_completion(struct cli *cli, int argc, char **argv)
{
	struct arg_list words = {0};
	struct arg_list line = {0};
	bool wants_words = false;
	int code = EXIT_USAGE;
	const struct arg args[] = {{"words", 0, ARG_FLAG, &wants_words, NULL}};
	if (args_parse(cli, &command_completion, args, 1, argc, argv, &words, &line, &code)) {
		code = EXIT_DONE;
		if (wants_words) {
			struct completing c = {.cli = cli, .prefix = STR("")};
			complete(&c, line.list.ptr, line.list.len);
			talk_out(cli, buf_str(&c.out));
			buf_finish(&c.out);
			map_finish(&c.seen);
		} else if (words.list.len != 1) {
			code = rows_usage(cli, "pawl completion bash, zsh or fish",
				"completion for which shell?");
		} else {
			code = print_script(cli, words.list.ptr[0]);
		}
	}
	args_finish(&words);
	args_finish(&line);
	return code;
}

const struct command command_completion = {"completion", "More",
	"completion for your shell, with live names",
	"  pawl completion bash >> ~/.bashrc\n"
	"  pawl completion zsh >> ~/.zshrc\n"
	"  pawl completion fish > ~/.config/fish/completions/pawl.fish\n\n"
	"usage: pawl completion bash|zsh|fish\n\n"
	"      --words -- LINE…   what the scripts ask: candidates for the last word of the line\n",
	run_completion};
