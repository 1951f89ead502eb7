/* tally: counts the words of a text, in C++17, on a worker thread.
 *
 *     - id: words
 *       tally: $page.output
 *       fold: true          # the case of letters does not count
 *
 * No exception may cross into the host: each function that it calls catches its own. */
#include <pawl/pawl_plugin.h>

#include <exception>
#include <map>
#include <memory>
#include <new>
#include <string>

namespace
{

struct Job {
	std::string text;
	bool fold = false;
	std::string json; // what work() made
	std::string error;
};

bool is_letter(char c)
{
	// Bytes of UTF-8 beyond ASCII belong to words.
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       static_cast<unsigned char>(c) >= 0x80;
}

std::string tally(const Job &job)
{
	std::map<std::string, unsigned long> counts; // sorted: the same text, the same output
	std::string word;
	for (char c : job.text + " ") {
		if (is_letter(c)) {
			word += job.fold && c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a')
			                                         : c;
		} else if (!word.empty()) {
			counts[word]++;
			word.clear();
		}
	}
	std::string json = "{";
	for (const auto &[name, count] : counts)
		json += (json.size() > 1 ? ",\"" : "\"") + name + "\":" + std::to_string(count);
	return json + "}\n";
}

// On a pool thread: it sees the job and nothing else.
void work(void *user)
{
	auto *job = static_cast<Job *>(user);
	try {
		job->json = tally(*job);
	} catch (const std::exception &e) {
		job->error = e.what();
	}
}

void done(const pawl_host *host, pawl_run *run, void *user)
{
	std::unique_ptr<Job> job(static_cast<Job *>(user));
	pawl_status status = PAWL_OK;
	if (host->cancelled(run))
		status = PAWL_E_CANCELLED;
	else if (!job->error.empty())
		status = host->fail(host->node_of(run), PAWL_E_FAILED, "tally", job->error.c_str());
	else
		status = host->output(run, PAWL_STDOUT, {job->json.data(), job->json.size()});
	host->finish(run, status);
}

pawl_status start(const pawl_host *host, pawl_node *node, pawl_run *run)
{
	try {
		pawl_str text;
		pawl_str fold;
		pawl_status status = host->field(node, "tally", &text);
		if (status != PAWL_OK)
			return status;
		auto job = std::make_unique<Job>();
		job->text.assign(text.ptr, text.len);
		job->fold = host->field(node, "fold", &fold) == PAWL_OK &&
		            std::string(fold.ptr, fold.len) == "true";
		status = host->offload(run, work, done, job.get());
		if (status != PAWL_OK)
			return status;
		(void)job.release(); // done() has it
		return PAWL_PENDING;
	} catch (const std::bad_alloc &) {
		return host->fail(node, PAWL_E_TRANSIENT, nullptr, "there is not enough memory");
	}
}

// Without a cancel() the host would end the run at once, done() would not be called, and the job would be leaked.  With it
// the run waits for done(), which comes soon.
void cancel(const pawl_host *, pawl_run *, int32_t)
{
}

const pawl_type type = {
	sizeof(pawl_type),
	PAWL_CAP_CANCEL | PAWL_CAP_PROVABLE,
	PAWL_CACHE_ALWAYS,
	1, // cache_epoch
	"tally",
	"how often each word is in a text, as JSON",
	R"({"type":"object","required":["tally"],"properties":{
		"tally":{"type":"string","description":"the text"},
		"fold":{"type":"boolean","description":"count Word as word"}}})",
	nullptr, // validate
	nullptr, // cache_key: all fields
	start,
	cancel,
	nullptr, // extension
};

const pawl_type *const types[] = {&type, nullptr};

} // namespace

// Before C++20 members have no names here: all of them, in their order.
const pawl_plugin pawl_plugin_v1 = {
	PAWL_PLUGIN_HEAD_PLAIN, "org.pawl.example.tally", "1.0", nullptr, types, nullptr, nullptr};
