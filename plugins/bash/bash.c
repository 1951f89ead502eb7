/* bash: a node whose body is a bash script.
 *
 * The body is handed over as it stands, but for its references, which read variables: what bash parses is a function of the
 * workflow's text alone.  A body that fails in the middle fails the node (-eo pipefail), unless `shell.options` says
 * otherwise. */
#include "../common/plugin_file.h"

#include <stdlib.h>

#define MAX_OPTIONS 32

static const char default_options[] = "-eo pipefail";

/* The words of `shell.options`, in memory of its own. */
struct options {
	char *text;
	const char *words[MAX_OPTIONS];
	size_t count;
};

static int is_long_option(const char *word)
{
	static const char *const names[] = {"braceexpand", "errexit", "errtrace", "functrace",
		"hashall", "histexpand", "ignoreeof", "keyword", "monitor", "noclobber", "noexec",
		"noglob", "nounset", "physical", "pipefail", "verbose", "xtrace"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(word, names[i]) == 0)
			return 1;
	return 0;
}

/* One word of options; says in *takes_name whether the next one is the name behind `o`.  Only what `set` takes: -c, -s and
 * -i would make another program of it.  Neither -p and posix, with which bash would not read BASH_ENV, by which large values
 * come, nor -a, which would export them and leave no room for any argument; a body can `set` all three itself. */
static int is_option(const char *word, int *takes_name)
{
	*takes_name = 0;
	if ((word[0] != '-' && word[0] != '+') || !word[1])
		return 0;
	for (const char *c = word + 1; *c; c++) {
		if (*c == 'o')
			*takes_name = 1;
		else if (!strchr("befhkmntuvxBCEHPT", *c))
			return 0;
	}
	return 1;
}

static const char *split_options(struct options *options, pawl_str text)
{
	int takes_name = 0;
	options->text = malloc(text.len + 1);
	if (!options->text)
		return "could not be read: out of memory";
	memcpy(options->text, text.ptr, text.len);
	options->text[text.len] = '\0';
	char *rest = options->text;
	for (char *word; (word = strsep(&rest, " \t\n")) != NULL;) {
		if (!*word)
			continue;
		if (options->count == MAX_OPTIONS)
			return "has too many words\nwrite at most 32";
		if (takes_name ? !is_long_option(word) : !is_option(word, &takes_name))
			return "has a word that is no option of bash's `set`\nwrite options as `set` takes them, e.g. \"-euo pipefail\" (-a, -p and posix: in the body)";
		if (takes_name && is_long_option(word))
			takes_name = 0;
		options->words[options->count++] = word;
	}
	return takes_name
	               ? "ends where the name of an option is missing\nwrite e.g. \"-eo pipefail\""
	               : NULL;
}

static pawl_status read_options(const pawl_host *host, pawl_node *node, pawl_str *out)
{
	pawl_status status = host->field_raw(node, "shell.options", out);
	if (status == PAWL_E_NOT_FOUND) {
		*out = (pawl_str){default_options, sizeof(default_options) - 1};
		return PAWL_OK;
	}
	return status;
}

static pawl_status bind_body(const pawl_host *host, pawl_node *node, pawl_bound *bound)
{
	const pawl_bind_v1 *binder = host->extension(host, "pawl.bind/1");
	if (!binder)
		return host->fail(
			node, PAWL_E_UNSUPPORTED, "bash", "this host can't bind references");
	*bound = (pawl_bound){.size = sizeof(*bound)};
	return binder->bind(node, "bash", "bash", bound);
}

static pawl_status validate(const pawl_host *host, pawl_node *node)
{
	pawl_str text;
	pawl_status status = read_options(host, node, &text);
	if (status != PAWL_OK)
		return status;
	struct options options = {0};
	const char *problem = split_options(&options, text);
	if (problem)
		host->fail(node, PAWL_E_CONFIG, "shell.options", problem);
	free(options.text);
	pawl_bound bound;
	status = bind_body(host, node, &bound);
	return problem ? PAWL_E_CONFIG : status;
}

static pawl_status cache_key(const pawl_host *host, pawl_node *node, pawl_hash *hash)
{
	pawl_str body;
	pawl_str options;
	pawl_bound bound;
	pawl_status status = host->field_raw(node, "bash", &body);
	if (status == PAWL_OK)
		status = read_options(host, node, &options);
	if (status == PAWL_OK)
		status = bind_body(host, node, &bound);
	if (status != PAWL_OK)
		return status;
	host->hash_text(hash, "body", body);
	host->hash_text(hash, "options", options);
	host->fact_tool(hash, "interpreter", "bash");
	for (size_t i = 0; i < bound.word_count; i++)
		host->fact_word(hash, "word", bound.words[i].ptr);
	for (size_t i = 0; i < bound.write_count; i++)
		host->fact_output(hash, "redirection", bound.writes[i].ptr);
	for (size_t i = 0; i < bound.command_count; i++)
		host->fact_tool(hash, "command", bound.commands[i].ptr);
	return PAWL_OK;
}

static pawl_status spawn_body(const pawl_host *host, pawl_run *run, const struct options *options,
	const pawl_bound *bound)
{
	const char *argv[MAX_OPTIONS + 8] = {"bash", "--noprofile", "--norc"};
	size_t argc = 3;
	for (size_t i = 0; i < options->count; i++)
		argv[argc++] = options->words[i];
	if (bound->text.len <= PLUGIN_MAX_ARGUMENT) {
		argv[argc++] = "-c";
		argv[argc++] = bound->text.ptr;
		argv[argc++] = "bash"; /* $0 */
	} else {
		argv[argc] = plugin_write_file(host, run, "bash", bound->text);
		if (!argv[argc++])
			return PAWL_E_SYSTEM;
	}
	/* Values too large for the environment: bash reads this file before the body, and forgets it. */
	const char *env[2] = {NULL, NULL};
	if (bound->prelude.len) {
		const char *path = plugin_write_file(host, run, "prelude", bound->prelude);
		if (!path)
			return PAWL_E_SYSTEM;
		size_t size = strlen(path) + sizeof("BASH_ENV=");
		char *entry = host->alloc(run, size);
		snprintf(entry, size, "BASH_ENV=%s", path);
		env[0] = entry;
	}
	pawl_spawn spec = {.size = sizeof(spec), .argv = argv, .env = env};
	pawl_status status = host->spawn(run, &spec, NULL);
	return status == PAWL_OK ? PAWL_PENDING : status;
}

static pawl_status start(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	pawl_str text;
	pawl_bound bound;
	pawl_status status = read_options(host, node, &text);
	if (status == PAWL_OK)
		status = bind_body(host, node, &bound);
	if (status != PAWL_OK)
		return status;
	if (plugin_has_nul(bound.text))
		return host->fail(
			node, PAWL_E_CONFIG, "bash", "has a NUL byte, which bash can't read");
	struct options options = {0};
	const char *problem = split_options(&options, text);
	status = problem ? host->fail(node, PAWL_E_CONFIG, "shell.options", problem)
	                 : spawn_body(host, run, &options, &bound);
	free(options.text);
	return status;
}

static const pawl_type bash_type = {
	.size = sizeof(bash_type),
	.caps = PAWL_CAP_KEY_STABLE,
	.cacheable = PAWL_CACHE_ALWAYS,
	.cache_epoch = 1,
	.keyword = "bash",
	.summary = "a bash script",
	.schema =
		"{\"type\":\"object\",\"required\":[\"bash\"],\"properties\":{"
		"\"bash\":{\"type\":\"string\",\"minLength\":1,\"description\":\"the script\"},"
		"\"shell\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
		"\"options\":{\"type\":\"string\",\"description\":\"options as for `set`; default -eo pipefail\"}}}}}",
	.validate = validate,
	.cache_key = cache_key,
	.start = start,
};

static const pawl_type *const types[] = {&bash_type, NULL};

const pawl_plugin pawl_plugin_v1 = {
	PAWL_PLUGIN_HEAD,
	.id = "pawl.bash",
	.version = "1.0",
	.types = types,
};
