/* http: a request as a node; the body of the response is its output.
 *
 *     - id: page
 *       http: https://example.org/data.json
 *       validate: true        # may be reused while the server gives the same ETag
 *     - id: post
 *       http: https://example.org/orders
 *       method: POST
 *       body: $order.output
 *
 * Nobody knows whether a resource is the same as yesterday but its server.  So a node is never reused, unless it says
 * `validate: true`, is a GET, and the server answers a HEAD request, made when the key is, with an ETag: that goes into the
 * key.  The response must bear the same one, else it belongs to another key.
 *
 * The request runs on a worker; a timer of the loop shows progress. */
#include <pawl/pawl_plugin.h>

#include <curl/curl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define KEY_MS      1000 /* how long the loop may be kept waiting for an ETag */
#define PROGRESS_MS 250
#define MAX_BODY    ((size_t)256 << 20)
#define ETAG_SIZE   256

struct job {
	CURL *curl;
	struct curl_slist *headers;
	char etag[ETAG_SIZE];   /* of the response */
	char wanted[ETAG_SIZE]; /* that went into the key; empty: none */
	char *body;
	size_t length;
	size_t capacity;
	CURLcode result;
	long code;
	char error[CURL_ERROR_SIZE];
	atomic_int is_stopping;
	atomic_ullong received;
	atomic_ullong expected;
	pawl_run *run;
	struct job *next;
};

/* Of the runs under way, for cancel(); only the loop touches it. */
static struct job *jobs;

/* ETags that went into keys, by node and address; only the loop touches them. */
static struct seen {
	struct seen *next;
	char etag[ETAG_SIZE];
	char name[]; /* "NODE URL" */
} * seen_list;

static struct seen *find_seen(const char *name)
{
	struct seen *seen = seen_list;
	while (seen && strcmp(seen->name, name) != 0)
		seen = seen->next;
	return seen;
}

static void remember(const char *name, const char *etag)
{
	struct seen *seen = find_seen(name);
	if (!seen) {
		seen = calloc(1, sizeof(*seen) + strlen(name) + 1);
		if (!seen)
			return;
		memcpy(seen->name, name, strlen(name) + 1);
		seen->next = seen_list;
		seen_list = seen;
	}
	snprintf(seen->etag, sizeof(seen->etag), "%s", etag);
}

static int is_field(const pawl_host *host, pawl_node *node, const char *field, const char *text)
{
	pawl_str value;
	return host->field(node, field, &value) == PAWL_OK && strcmp(value.ptr, text) == 0;
}

/* "NODE URL", malloc'd. */
static char *name_of(const pawl_host *host, pawl_node *node, pawl_str url)
{
	pawl_str id = {"", 0};
	host->field_raw(node, "id", &id);
	size_t size = id.len + url.len + 2;
	char *name = malloc(size);
	if (name)
		snprintf(name, size, "%s %s", id.ptr, url.ptr);
	return name;
}

static pawl_status init(const pawl_host *host)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
		return host->fail(NULL, PAWL_E_SYSTEM, NULL, "libcurl could not be initialised");
	return PAWL_OK;
}

static void fini(const pawl_host *host)
{
	(void)host;
	while (seen_list) {
		struct seen *next = seen_list->next;
		free(seen_list);
		seen_list = next;
	}
	curl_global_cleanup();
}

static pawl_status validate(const pawl_host *host, pawl_node *node)
{
	pawl_str text;
	pawl_status status = host->field(node, "http", &text);
	if (status == PAWL_PENDING)
		return PAWL_OK;
	if (status != PAWL_OK)
		return status;
	if (strncmp(text.ptr, "http://", 7) != 0 && strncmp(text.ptr, "https://", 8) != 0)
		return host->fail(
			node, PAWL_E_CONFIG, "http", "is no address\nwrite http://… or https://…");
	if (is_field(host, node, "method", "POST") && is_field(host, node, "validate", "true"))
		return host->fail(node, PAWL_E_CONFIG, "validate",
			"is for GET: what a POST does is not undone by an ETag");
	return PAWL_OK;
}

/* ---- requests ---------------------------------------------------------------------------------------------------------- */

/* "ETag: "abc"" -> the quoted part; weak ones say that the bytes may differ, and do not count. */
static size_t on_header(char *line, size_t size, size_t count, void *user)
{
	static const char name[] = "etag:";
	size_t length = size * count;
	char *etag = user;
	size_t at = sizeof(name) - 1;
	if (length > at && strncasecmp(line, name, at) == 0) {
		while (at < length && (line[at] == ' ' || line[at] == '\t'))
			at++;
		size_t end = length;
		while (end > at &&
			(line[end - 1] == '\r' || line[end - 1] == '\n' || line[end - 1] == ' '))
			end--;
		if (end - at < ETAG_SIZE && line[at] == '"') {
			memcpy(etag, line + at, end - at);
			etag[end - at] = '\0';
		}
	}
	return length;
}

static void set_common(CURL *curl, const char *url, char *etag)
{
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
	curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 10L);
	/* Signals of the process are the host's. */
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, etag);
}

/* Asks for the ETag; 0 where there is none. */
static int ask_etag(const char *url, char *etag)
{
	CURL *curl = curl_easy_init();
	long code = 0;
	etag[0] = '\0';
	if (!curl)
		return 0;
	set_common(curl, url, etag);
	curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)KEY_MS);
	int ok = curl_easy_perform(curl) == CURLE_OK;
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
	curl_easy_cleanup(curl);
	return ok && code == 200 && etag[0];
}

static pawl_status cache_key(const pawl_host *host, pawl_node *node, pawl_hash *hash)
{
	static const char *const fields[] = {"http", "method", "body", "headers", "validate"};
	pawl_str url;
	char etag[ETAG_SIZE];
	if (is_field(host, node, "method", "POST"))
		return host->fail(
			node, PAWL_UNCACHEABLE, "method", "is POST, which is for what it does");
	if (!is_field(host, node, "validate", "true"))
		return host->fail(node, PAWL_UNCACHEABLE, "http",
			"may be another page each time\nwith `validate: true` its ETag decides");
	pawl_status status = host->field(node, "http", &url);
	if (status != PAWL_OK)
		return status;
	if (!ask_etag(url.ptr, etag))
		return host->fail(node, PAWL_UNCACHEABLE, "http", "has no ETag to go by");
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		pawl_str value;
		if (host->field(node, fields[i], &value) == PAWL_OK)
			host->hash_text(hash, fields[i], value);
	}
	host->hash_text(hash, "etag", (pawl_str){etag, strlen(etag)});
	char *name = name_of(host, node, url);
	if (name)
		remember(name, etag);
	free(name);
	return PAWL_OK;
}

/* ---- on the worker --------------------------------------------------------------------------------------------------- */

static size_t on_body(char *bytes, size_t size, size_t count, void *user)
{
	struct job *job = user;
	size_t length = size * count;
	if (job->length + length > job->capacity) {
		size_t capacity = (job->length + length) * 2;
		char *body = capacity <= 2 * MAX_BODY ? realloc(job->body, capacity) : NULL;
		if (!body)
			return 0; /* which ends the transfer */
		job->body = body;
		job->capacity = capacity;
	}
	memcpy(job->body + job->length, bytes, length);
	job->length += length;
	return length;
}

static int on_progress(
	void *user, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up_now)
{
	struct job *job = user;
	(void)up_total;
	(void)up_now;
	job->expected = (unsigned long long)total;
	job->received = (unsigned long long)now;
	return job->is_stopping;
}

static void work(void *user)
{
	struct job *job = user;
	job->result = curl_easy_perform(job->curl);
	curl_easy_getinfo(job->curl, CURLINFO_RESPONSE_CODE, &job->code);
}

/* ---- on the loop ------------------------------------------------------------------------------------------------------- */

static void release(struct job *job)
{
	struct job **at = &jobs;
	while (*at && *at != job)
		at = &(*at)->next;
	if (*at)
		*at = job->next;
	curl_slist_free_all(job->headers);
	curl_easy_cleanup(job->curl);
	free(job->body);
}

static pawl_status judge(const pawl_host *host, pawl_run *run, const struct job *job)
{
	pawl_node *node = host->node_of(run);
	char words[CURL_ERROR_SIZE + 64];
	if (host->cancelled(run))
		return PAWL_E_CANCELLED;
	if (job->result != CURLE_OK) {
		snprintf(words, sizeof(words), "could not be had: %s",
			job->error[0] ? job->error : curl_easy_strerror(job->result));
		return host->fail(node, PAWL_E_TRANSIENT, "http", words);
	}
	if (job->code >= 400) {
		snprintf(words, sizeof(words), "answered %ld", job->code);
		/* 408, 425, 429 and the server's own troubles pass. */
		int passes = job->code >= 500 || job->code == 408 || job->code == 425 ||
		             job->code == 429;
		return host->fail(node, passes ? PAWL_E_TRANSIENT : PAWL_E_FAILED, "http", words);
	}
	if (job->wanted[0] && strcmp(job->wanted, job->etag) != 0)
		return host->fail(node, PAWL_E_TRANSIENT, "http",
			"changed between the question for its ETag and the request");
	return PAWL_OK;
}

static void done(const pawl_host *host, pawl_run *run, void *user)
{
	struct job *job = user;
	char code[16];
	pawl_status status = judge(host, run, job);
	if (status != PAWL_E_CANCELLED && job->length)
		host->output(run, PAWL_STDOUT, (pawl_str){job->body, job->length});
	if (status == PAWL_OK) {
		int length = snprintf(code, sizeof(code), "%ld", job->code);
		host->emit(run, "status", (pawl_str){code, (size_t)length});
	}
	release(job);
	host->finish(run, status);
}

static void on_tick(const pawl_host *host, pawl_run *run, void *user)
{
	struct job *job = user;
	char text[64];
	unsigned long long received = job->received;
	unsigned long long expected = job->expected;
	snprintf(text, sizeof(text), "%llu bytes", received);
	host->progress(run, expected ? (double)received / (double)expected : 0, text);
	host->timer(run, PROGRESS_MS, on_tick, job);
}

static pawl_status add_headers(const pawl_host *host, pawl_node *node, struct job *job)
{
	/* Lists and maps come as JSON; the names are in the author's hands, so each is asked for by its own path. */
	pawl_str names;
	if (host->field_raw(node, "headers", &names) != PAWL_OK)
		return PAWL_OK;
	for (const char *at = names.ptr; (at = strchr(at, '"')) != NULL;) {
		const char *end = strchr(at + 1, '"');
		char path[160];
		char line[1024];
		pawl_str value;
		if (!end)
			break;
		int length = (int)(end - at - 1);
		snprintf(path, sizeof(path), "headers.%.*s", length, at + 1);
		if (host->field(node, path, &value) != PAWL_OK ||
			memchr(value.ptr, '\n', value.len) ||
			(size_t)snprintf(line, sizeof(line), "%.*s: %s", length, at + 1,
				value.ptr) >= sizeof(line))
			return host->fail(node, PAWL_E_CONFIG, path, "can't be a header");
		job->headers = curl_slist_append(job->headers, line);
		/* Past the value, a string as the schema has seen to. */
		at = strchr(end + 1, '"');
		for (at = at ? at + 1 : NULL; at && *at && *at != '"'; at++)
			at += *at == '\\';
		if (!at || !*at)
			break;
		at++;
	}
	return PAWL_OK;
}

static pawl_status prepare(const pawl_host *host, pawl_node *node, struct job *job)
{
	pawl_str url;
	pawl_str body = {"", 0};
	pawl_status status = host->field(node, "http", &url);
	if (status == PAWL_OK)
		status = add_headers(host, node, job);
	if (status != PAWL_OK)
		return status;
	status = host->field(node, "body", &body);
	if (status != PAWL_OK && status != PAWL_E_NOT_FOUND)
		return status;
	set_common(job->curl, url.ptr, job->etag);
	curl_easy_setopt(job->curl, CURLOPT_HTTPHEADER, job->headers);
	curl_easy_setopt(job->curl, CURLOPT_ERRORBUFFER, job->error);
	curl_easy_setopt(job->curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(job->curl, CURLOPT_WRITEDATA, job);
	curl_easy_setopt(job->curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(job->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(job->curl, CURLOPT_XFERINFODATA, job);
	if (is_field(host, node, "method", "POST")) {
		curl_easy_setopt(job->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
		curl_easy_setopt(job->curl, CURLOPT_COPYPOSTFIELDS, body.ptr);
	}
	char *name = is_field(host, node, "validate", "true") ? name_of(host, node, url) : NULL;
	const struct seen *seen = name ? find_seen(name) : NULL;
	if (seen)
		memcpy(job->wanted, seen->etag, sizeof(job->wanted));
	free(name);
	return PAWL_OK;
}

static pawl_status start(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	struct job *job = host->alloc(run, sizeof(*job));
	job->run = run;
	job->curl = curl_easy_init();
	if (!job->curl)
		return host->fail(node, PAWL_E_TRANSIENT, NULL, "there is not enough memory");
	pawl_status status = prepare(host, node, job);
	if (status == PAWL_OK)
		status = host->offload(run, work, done, job);
	if (status != PAWL_OK) {
		release(job);
		return status;
	}
	job->next = jobs;
	jobs = job;
	host->timer(run, PROGRESS_MS, on_tick, job);
	return PAWL_PENDING;
}

static void cancel(const pawl_host *host, pawl_run *run, int32_t reason)
{
	(void)host;
	(void)reason;
	/* libcurl asks on_progress() at least once a second; done() finishes then. */
	for (struct job *job = jobs; job; job = job->next)
		if (job->run == run)
			job->is_stopping = 1;
}

static const pawl_type type = {
	.size = sizeof(type),
	.caps = PAWL_CAP_CANCEL | PAWL_CAP_NETWORK | PAWL_CAP_PROVABLE,
	.cacheable = PAWL_CACHE_DEPENDS,
	.cache_epoch = 1,
	.keyword = "http",
	.summary = "an HTTP request; the response is the output",
	.schema =
		"{\"type\":\"object\",\"required\":[\"http\"],\"properties\":{"
		"\"http\":{\"type\":\"string\",\"minLength\":1,\"description\":\"the address\"},"
		"\"method\":{\"enum\":[\"GET\",\"POST\"]},"
		"\"body\":{\"type\":\"string\",\"description\":\"what a POST sends\"},"
		"\"headers\":{\"type\":\"object\",\"propertyNames\":{\"pattern\":\"^[A-Za-z0-9-]+$\"},"
		"\"additionalProperties\":{\"type\":\"string\"}},"
		"\"validate\":{\"type\":\"boolean\",\"description\":\"reuse while the ETag is the same\"}}}",
	.validate = validate,
	.cache_key = cache_key,
	.start = start,
	.cancel = cancel,
};

static const pawl_type *const types[] = {&type, NULL};

const pawl_plugin pawl_plugin_v1 = {PAWL_PLUGIN_HEAD, .id = "org.pawl.example.http",
	.version = "1.0", .types = types, .init = init, .fini = fini};
