/* upper: prints its text in capitals.  The smallest useful node type: what it makes is a function of its one field, so the host
 * makes the key by itself (cache_key is NULL), and it is done when start() returns.
 *
 *     - id: loud
 *       upper: $quiet.output
 */
#include <pawl/pawl_plugin.h>

static pawl_status start(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	pawl_str text;
	pawl_status status = host->field(node, "upper", &text);
	if (status != PAWL_OK)
		return status;
	char *copy = host->alloc(run, text.len);
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		/* Not toupper(): what that does depends on the locale. */
		copy[i] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
	}
	return host->output(run, PAWL_STDOUT, (pawl_str){copy, text.len});
}

static const pawl_type type = {
	.size = sizeof(type),
	.caps = PAWL_CAP_PROVABLE,
	.cacheable = PAWL_CACHE_ALWAYS,
	.cache_epoch = 1,
	.keyword = "upper",
	.summary = "a text in capitals",
	.schema = "{\"type\":\"object\",\"required\":[\"upper\"],\"properties\":{"
		  "\"upper\":{\"type\":\"string\",\"description\":\"the text\"}}}",
	.start = start,
};

static const pawl_type *const types[] = {&type, NULL};

const pawl_plugin pawl_plugin_v1 = {
	PAWL_PLUGIN_HEAD, .id = "org.pawl.example.upper", .version = "1.0", .types = types};
