/* sql: a query of an SQLite database as a node; its output is a JSON list of rows.
 *
 *     - id: orders
 *       sql: SELECT id, total FROM orders WHERE customer = :who
 *       database: shop.db
 *       params: {who: $customer.output}
 *
 * What the result depends on is the query and the content of the database: its file, and the journals beside it in which newer
 * content may stand.  They are facts, so `pawl why` names the file that changed.  Values come by `params` only: a reference
 * in the query would be SQL injection. */
#include <pawl/pawl_plugin.h>

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* From start() to done(); the database belongs to the worker between them. */
struct job {
	sqlite3 *db;
	sqlite3_stmt *query;
	char *json; /* of the rows, malloc'd */
	size_t length;
	size_t capacity;
	int result;
	atomic_int is_stopping;
	char error[256];
};

static int is_memory(pawl_str path)
{
	return strcmp(path.ptr, ":memory:") == 0;
}

static pawl_status validate(const pawl_host *host, pawl_node *node)
{
	pawl_str text;
	pawl_status status = host->field(node, "sql", &text);
	if (status == PAWL_PENDING)
		return host->fail(node, PAWL_E_CONFIG, "sql",
			"has a reference, whose value would be read as SQL\nwrite :name there, and params: {name: $node.output}");
	if (status != PAWL_OK)
		return status;
	if (memchr(text.ptr, '\0', text.len))
		return host->fail(node, PAWL_E_CONFIG, "sql", "has a NUL byte");
	status = host->field(node, "database", &text);
	return status == PAWL_PENDING ? PAWL_OK : status;
}

static void add_journal(const pawl_host *host, pawl_hash *hash, pawl_str path, const char *suffix)
{
	char *name = malloc(path.len + strlen(suffix) + 1);
	if (!name)
		return;
	memcpy(name, path.ptr, path.len);
	memcpy(name + path.len, suffix, strlen(suffix) + 1);
	host->fact_file(hash, "database", name);
	free(name);
}

static pawl_status cache_key(const pawl_host *host, pawl_node *node, pawl_hash *hash)
{
	pawl_str text;
	pawl_status status = host->field_raw(node, "sql", &text);
	if (status != PAWL_OK)
		return status;
	host->hash_text(hash, "sql", text);
	if (host->field(node, "params", &text) == PAWL_OK)
		host->hash_text(hash, "params", text);
	status = host->field(node, "database", &text);
	if (status != PAWL_OK)
		return status;
	host->hash_text(hash, "database", text);
	if (is_memory(text))
		return PAWL_OK;
	/* None of them is a fact as well: a database that appears changes the answer. */
	host->fact_file(hash, "database", text.ptr);
	add_journal(host, hash, text, "-wal");
	add_journal(host, hash, text, "-journal");
	return PAWL_OK;
}

/* ---- on the worker: rows to JSON -------------------------------------------------------------------------------- */

static int add(struct job *job, const char *text, size_t n)
{
	if (job->length + n + 1 > job->capacity) {
		size_t capacity = (job->length + n + 1) * 2;
		char *json = realloc(job->json, capacity);
		if (!json)
			return SQLITE_NOMEM;
		job->json = json;
		job->capacity = capacity;
	}
	memcpy(job->json + job->length, text, n);
	job->length += n;
	return SQLITE_OK;
}

static int add_text(struct job *job, const char *text, size_t n)
{
	int result = add(job, "\"", 1);
	for (size_t i = 0; i < n && result == SQLITE_OK; i++) {
		unsigned char c = (unsigned char)text[i];
		char escape[8];
		if (c == '"' || c == '\\' || c < ' ') {
			int length = snprintf(escape, sizeof(escape), "\\u%04x", c);
			result = add(job, escape, (size_t)length);
		} else {
			result = add(job, &text[i], 1);
		}
	}
	return result == SQLITE_OK ? add(job, "\"", 1) : result;
}

static int add_cell(struct job *job, int column)
{
	int type = sqlite3_column_type(job->query, column);
	if (type == SQLITE_NULL)
		return add(job, "null", 4);
	if (type == SQLITE_BLOB) {
		static const char digits[] = "0123456789abcdef";
		const unsigned char *bytes = sqlite3_column_blob(job->query, column);
		int count = sqlite3_column_bytes(job->query, column);
		int result = add(job, "\"", 1);
		for (int i = 0; i < count && result == SQLITE_OK; i++)
			result = add(job,
				(const char[]){digits[bytes[i] >> 4], digits[bytes[i] & 15]}, 2);
		return result == SQLITE_OK ? add(job, "\"", 1) : result;
	}
	const char *text = (const char *)sqlite3_column_text(job->query, column);
	if (!text)
		return SQLITE_NOMEM;
	size_t length = (size_t)sqlite3_column_bytes(job->query, column);
	/* Infinity is a REAL and no JSON number. */
	int is_number = type != SQLITE_TEXT && !strpbrk(text, "INin");
	return is_number ? add(job, text, length) : add_text(job, text, length);
}

static int add_row(struct job *job)
{
	int count = sqlite3_column_count(job->query);
	int result = add(job, job->length > 1 ? ",\n{" : "{", job->length > 1 ? 3 : 1);
	for (int i = 0; i < count && result == SQLITE_OK; i++) {
		const char *name = sqlite3_column_name(job->query, i);
		result = i ? add(job, ",", 1) : SQLITE_OK;
		if (result == SQLITE_OK)
			result = name ? add_text(job, name, strlen(name)) : SQLITE_NOMEM;
		if (result == SQLITE_OK)
			result = add(job, ":", 1);
		if (result == SQLITE_OK)
			result = add_cell(job, i);
	}
	return result == SQLITE_OK ? add(job, "}", 1) : result;
}

static int on_steps(void *user)
{
	struct job *job = user;
	return job->is_stopping;
}

static void work(void *user)
{
	struct job *job = user;
	sqlite3_progress_handler(job->db, 1000, on_steps, job);
	int result = add(job, "[", 1);
	while (result == SQLITE_OK && (result = sqlite3_step(job->query)) == SQLITE_ROW)
		result = add_row(job);
	if (result == SQLITE_DONE)
		result = add(job, "]\n", 2);
	job->result = result;
	if (result != SQLITE_OK)
		snprintf(job->error, sizeof(job->error), "failed: %s",
			result == SQLITE_NOMEM ? "not enough memory" : sqlite3_errmsg(job->db));
}

/* ---- on the loop --------------------------------------------------------------------------------------------------- */

static void release(struct job *job)
{
	sqlite3_finalize(job->query);
	sqlite3_close(job->db);
	free(job->json);
}

static void done(const pawl_host *host, pawl_run *run, void *user)
{
	struct job *job = user;
	pawl_status status = PAWL_OK;
	if (host->cancelled(run))
		status = PAWL_E_CANCELLED;
	else if (job->result == SQLITE_BUSY || job->result == SQLITE_LOCKED)
		status = host->fail(host->node_of(run), PAWL_E_TRANSIENT, "sql", job->error);
	else if (job->result != SQLITE_OK)
		status = host->fail(host->node_of(run), PAWL_E_FAILED, "sql", job->error);
	else
		status = host->output(run, PAWL_STDOUT, (pawl_str){job->json, job->length});
	release(job);
	host->finish(run, status);
}

static pawl_status bind_params(const pawl_host *host, pawl_node *node, struct job *job)
{
	int count = sqlite3_bind_parameter_count(job->query);
	for (int i = 1; i <= count; i++) {
		const char *name = sqlite3_bind_parameter_name(job->query, i);
		char path[128];
		pawl_str value;
		if (!name)
			return host->fail(node, PAWL_E_CONFIG, "sql",
				"has a parameter without a name\nwrite :name instead of ?");
		snprintf(path, sizeof(path), "params.%s", name + 1);
		pawl_status status = host->field(node, path, &value);
		if (status == PAWL_E_NOT_FOUND) {
			char words[192];
			snprintf(words, sizeof(words), "names %s, which `params` does not have",
				name);
			return host->fail(node, PAWL_E_CONFIG, "sql", words);
		}
		if (status != PAWL_OK)
			return status;
		sqlite3_bind_text64(
			job->query, i, value.ptr, value.len, SQLITE_TRANSIENT, SQLITE_UTF8);
	}
	return PAWL_OK;
}

static pawl_status open_query(
	const pawl_host *host, pawl_node *node, pawl_run *run, struct job *job)
{
	pawl_str path;
	pawl_str text;
	pawl_str project;
	char words[256];
	pawl_status status = host->field(node, "database", &path);
	if (status == PAWL_OK)
		status = host->field(node, "sql", &text);
	/* Relative to the project, as facts are to a node's directory. */
	if (status == PAWL_OK)
		status = host->expand(node, (pawl_str){"$PROJECT_DIR", 12}, &project);
	if (status != PAWL_OK)
		return status;
	size_t size = project.len + path.len + 2;
	char *file = host->alloc(run, size);
	snprintf(file, size, "%s%s%s", path.ptr[0] == '/' || is_memory(path) ? "" : project.ptr,
		path.ptr[0] == '/' || is_memory(path) ? "" : "/", path.ptr);
	if (sqlite3_open_v2(file, &job->db,
		    is_memory(path) ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_MEMORY
				    : SQLITE_OPEN_READONLY,
		    NULL) != SQLITE_OK) {
		snprintf(words, sizeof(words), "can't be opened: %s", sqlite3_errmsg(job->db));
		return host->fail(node, PAWL_E_FAILED, "database", words);
	}
	if (sqlite3_prepare_v2(job->db, text.ptr, (int)text.len, &job->query, NULL) != SQLITE_OK ||
		!job->query) {
		snprintf(words, sizeof(words), "is no query: %s", sqlite3_errmsg(job->db));
		return host->fail(node, PAWL_E_CONFIG, "sql", words);
	}
	if (!sqlite3_stmt_readonly(job->query))
		return host->fail(node, PAWL_E_CONFIG, "sql",
			"changes the database, which a node that may be reused must not\nwrite a SELECT");
	return bind_params(host, node, job);
}

/* cancel() needs the job of a run: a list of those that are under way.  Only the loop touches it. */
static struct running {
	pawl_run *run;
	struct job *job;
} running[64];

static void forget_and_finish(const pawl_host *host, pawl_run *run, void *user)
{
	for (size_t i = 0; i < sizeof(running) / sizeof(running[0]); i++)
		if (running[i].run == run)
			running[i].run = NULL;
	done(host, run, user);
}

static pawl_status start(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	struct job *job = host->alloc(run, sizeof(*job));
	pawl_status status = open_query(host, node, run, job);
	for (size_t i = 0; i < sizeof(running) / sizeof(running[0]) && status == PAWL_OK; i++) {
		if (running[i].run)
			continue;
		running[i] = (struct running){run, job};
		status = host->offload(run, work, forget_and_finish, job);
		if (status == PAWL_OK)
			return PAWL_PENDING;
		running[i].run = NULL;
	}
	release(job);
	return status == PAWL_OK
	               ? host->fail(node, PAWL_E_TRANSIENT, NULL, "too many queries run at once")
	               : status;
}

static void cancel(const pawl_host *host, pawl_run *run, int32_t reason)
{
	(void)host;
	(void)reason;
	/* work() comes back soon then, and done() finishes.  Not sqlite3_interrupt(): that is forgotten where the query has not
	 * begun. */
	for (size_t i = 0; i < sizeof(running) / sizeof(running[0]); i++)
		if (running[i].run == run)
			running[i].job->is_stopping = 1;
}

static const pawl_type type = {
	.size = sizeof(type),
	.caps = PAWL_CAP_CANCEL | PAWL_CAP_PROVABLE,
	.cacheable = PAWL_CACHE_ALWAYS,
	.cache_epoch = 1,
	.keyword = "sql",
	.summary = "a query of an SQLite database; rows as JSON",
	.schema =
		"{\"type\":\"object\",\"required\":[\"sql\",\"database\"],\"properties\":{"
		"\"sql\":{\"type\":\"string\",\"minLength\":1,\"description\":\"a SELECT\"},"
		"\"database\":{\"type\":\"string\",\"minLength\":1,\"description\":\"a file of the project\"},"
		"\"params\":{\"type\":\"object\",\"additionalProperties\":{\"type\":[\"string\",\"number\",\"boolean\"]}}}}",
	.validate = validate,
	.cache_key = cache_key,
	.start = start,
	.cancel = cancel,
};

static const pawl_type *const types[] = {&type, NULL};

const pawl_plugin pawl_plugin_v1 = {
	PAWL_PLUGIN_HEAD, .id = "org.pawl.example.sql", .version = "1.0", .types = types};
