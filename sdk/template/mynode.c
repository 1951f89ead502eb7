/* mynode: a node type for pawl that prints its text, `times` times.
 *
 *     - id: first
 *       mynode: hello
 *       times: 2
 */
#include <pawl/pawl_plugin.h>

#include <string.h>

/* `times`, or 1.  The schema has seen to it that it is a whole number from 1 to 9. */
static int read_times(const pawl_host *host, pawl_node *node)
{
	pawl_str text;
	return host->field(node, "times", &text) == PAWL_OK && text.len ? text.ptr[0] - '0' : 1;
}

/* What the schema cannot say.  Nothing has run yet: a field whose value hangs on another node's output is PAWL_PENDING. */
static pawl_status validate(const pawl_host *host, pawl_node *node)
{
	pawl_str text;
	pawl_status status = host->field(node, "mynode", &text);
	if (status == PAWL_PENDING)
		return PAWL_OK;
	if (status == PAWL_OK && memchr(text.ptr, '\n', text.len))
		return host->fail(
			node, PAWL_E_CONFIG, "mynode", "has more than one line\nwrite it in one");
	return status;
}

/* All that the result depends on.  The outputs of nodes that the fields refer to are in the key already; fact_file() would
 * add a file, fact_tool() a program. */
static pawl_status cache_key(const pawl_host *host, pawl_node *node, pawl_hash *hash)
{
	pawl_str text;
	pawl_status status = host->field_raw(node, "mynode", &text);
	if (status != PAWL_OK)
		return status;
	host->hash_text(hash, "mynode", text);
	host->hash_u64(hash, "times", (uint64_t)read_times(host, node));
	return PAWL_OK;
}

/* Do it.  What takes long is started with spawn(), offload() or timer(): then return PAWL_PENDING and call finish() later. */
static pawl_status start(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	pawl_str text;
	pawl_status status = host->field(node, "mynode", &text);
	int times = read_times(host, node);
	for (int i = 0; i < times && status == PAWL_OK; i++) {
		status = host->output(run, PAWL_STDOUT, text);
		if (status == PAWL_OK)
			status = host->output(run, PAWL_STDOUT, (pawl_str){"\n", 1});
	}
	return status;
}

static const pawl_type mynode_type = {
	.size = sizeof(mynode_type),
	.caps = PAWL_CAP_PROVABLE, /* as long as cache_key() says all that the result depends on */
	.cacheable = PAWL_CACHE_ALWAYS,
	.cache_epoch = 1, /* raise it when the same fields begin to mean something else */
	.keyword = "mynode",
	.summary = "prints a text",
	.schema = "{\"type\":\"object\",\"required\":[\"mynode\"],\"properties\":{"
		  "\"mynode\":{\"type\":\"string\",\"minLength\":1,\"description\":\"the text\"},"
		  "\"times\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":9}}}",
	.validate = validate,
	.cache_key = cache_key,
	.start = start,
};

static const pawl_type *const types[] = {&mynode_type, NULL};

const pawl_plugin pawl_plugin_v1 = {
	PAWL_PLUGIN_HEAD,
	.id = "com.example.mynode", /* yours for ever: it is in every key */
	.version = "0.1.0",
	.types = types,
};
