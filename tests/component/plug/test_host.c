/* The host's services, used and misused by a plugin that does what its field says. */
#include "plug_bench.h"

#include "plug/host_internal.h"

#include <signal.h>
#include <sys/wait.h>

#define PLUGINS PAWL_TEST_BUILD "/tests/plugins"
#define HEAD \
	"name: t\ninputs: {who: {default: me}}\ndefaults: {shell: {options: -e}}\nnodes:\n- id: a\n  probe: results\n"
#define NODE HEAD "- id: b\n  depends_on: [a]\n  probe: "

static int setup(void **state)
{
	static struct bench bench;
	bench_open(&bench, PLUGINS);
	*state = &bench;
	return 0;
}

static int teardown(void **state)
{
	bench_close(*state);
	return 0;
}

static const struct bench_value values[] = {{"$a.output", STR_INIT("{\"k\": [1, \"two\"]}"), NULL},
	{"$a.output.k", STR_INIT("[1,\"two\"]"), NULL}, {"$INPUTS.who", STR_INIT("me"), NULL},
	{NULL, {0}, NULL}};

static void run_mode(struct bench *bench, const char *mode)
{
	struct buf text = {0};
	buf_printf(&text, NODE "%s\n", mode);
	bench_do(bench, buf_cstr(&text), values);
	buf_finish(&text);
}

static void assert_out(struct bench *bench, const char *wanted)
{
	assert_string_equal(buf_cstr(&bench->out), wanted);
}

static void fields_are_read(void **state)
{
	struct bench *bench = *state;
	bench_do(bench,
		NODE
		"fields\n  text: 'v $a.output.k \\$a.output'\n  list: [1, $a.output, 'x $a.output.k']\n  map: {z: 1, k: v}\n  flag: true\n  none: null\n",
		values);
	bench_assert_ok(bench);
	struct buf wanted = {0};
	buf_printf(&wanted,
		"probe 0 fields\ntext 0 v [1,\"two\"] $a.output\nlist 0 [1,{\"k\":[1,\"two\"]},\"x [1,\\\"two\\\"]\"]\n"
		"list.1 0 {\"k\": [1, \"two\"]}\nmap.k 0 v\nmap 0 {\"k\":\"v\",\"z\":1}\nflag 0 true\nnone 0 \nabsent -6 \nmap.absent -6 \n"
		"shell.options 0 -e\nraw 0 v $a.output.k \\$a.output\ninput 0 [1,\"two\"]\nnobody -6 \ninputs 0 me\n"
		"expand 0 <{\"k\": [1, \"two\"]}> $a.output $nobody.output %s\n",
		bench->root);
	assert_out(bench, buf_cstr(&wanted));
	buf_finish(&wanted);
}

static void results_reach_the_events(void **state)
{
	struct bench *bench = *state;
	run_mode(bench, "results");
	assert_int_equal(bench->outcome.status, PAWL_E_FAILED);
	bench_assert_has(bench->message, "handed on an artifact, report.txt: No such file");
	bench_write(bench, "report.txt", "all is well");
	run_mode(bench, "results");
	bench_assert_ok(bench);
	assert_out(bench, "out\n");
	assert_string_equal(buf_cstr(&bench->errs), "err\n");
	assert_string_equal(buf_cstr(&bench->said),
		"emit count=3\nartifact report=report.txt\nprogress 0.50 half\nprogress 1.00 \n");
	assert_string_equal(buf_cstr(&bench->log), "2 look\n");
	assert_null(bench->code);
	assert_false(bench->outcome.has_exit);
}

static void secrets_are_those_of_the_node(void **state)
{
	struct bench *bench = *state;
	static const char *env[] = {"PROBE_SECRET=s3cret", NULL};
	bench->env = env;
	bench_do(bench, NODE "secret\n  secrets: [PROBE_SECRET]\n", values);
	assert_out(bench, "listed 0 s3cret\n");
	assert_int_equal(bench->outcome.status, PAWL_E_NOT_FOUND);
	bench_assert_has(bench->message, "`PATH` is not one of the node's secrets");
	bench->env = NULL;
	bench_do(bench, NODE "secret\n  secrets: [PROBE_SECRET]\n", values);
	assert_out(bench, "listed -6 \n");
}

static void pairs_need_a_store(void **state)
{
	struct bench *bench = *state;
	run_mode(bench, "kv");
	assert_int_equal(bench->outcome.status, PAWL_E_UNSUPPORTED);
	struct err err = {0};
	bench->store = store_open(bench->root, STORE_WRITE, &err);
	if (!bench->store)
		fail_msg("%s", err.message);
	run_mode(bench, "kv");
	bench_assert_ok(bench);
	assert_out(bench, "before -6 \nput 0 \nafter 0 yes\n");
	run_mode(bench, "kv");
	assert_out(bench, "before 0 yes\nput 0 yes\nafter 0 yes\n");
	store_close(bench->store);
}

static void timers_and_workers_call_back(void **state)
{
	struct bench *bench = *state;
	run_mode(bench, "timer");
	bench_assert_ok(bench);
	/* What it says behind finish() is misuse, and told so. */
	assert_out(bench, "tick\ntick\n");
	bench_assert_has(buf_cstr(&bench->log),
		"test.probe broke its contract: output(): called after finish() (in its timer())");
	run_mode(bench, "offload");
	bench_assert_ok(bench);
	assert_out(bench, "7");
}

static void children_belong_to_the_host(void **state)
{
	struct bench *bench = *state;
	run_mode(bench, "child");
	bench_assert_ok(bench);
	assert_out(bench, "got 0 one-two-1-unset-test-1\n\nexit 3 \nlate -6 \n");
	assert_int_equal(bench->outcome.exit.code, 3);
	run_mode(bench, "clean");
	bench_assert_ok(bench);
	bench_assert_has(buf_cstr(&bench->out), "PAWL_ATTEMPT_ID=test-1\n");
	assert_null(strstr(buf_cstr(&bench->out), "HOME="));
	bench_assert_has(buf_cstr(&bench->out), "x\n");
	assert_int_equal(bench->errs.len, 0);
	run_mode(bench, "slow");
	assert_int_equal(bench->outcome.status, PAWL_E_TIMEOUT);
	run_mode(bench, "absent");
	assert_int_equal(bench->outcome.status, PAWL_E_NOT_FOUND);
	assert_string_equal(bench->code, "E-SPAWN-NOT-FOUND");
	run_mode(bench, "fat");
	assert_int_equal(bench->outcome.status, PAWL_E_SYSTEM);
	assert_string_equal(bench->code, "E-SPAWN-TOO-LARGE");
	bench_assert_has(bench->message, "FAT has 200000 bytes");
}

static void finish_ends_all_that_is_under_way(void **state)
{
	struct bench *bench = *state;
	run_mode(bench, "leave");
	bench_assert_ok(bench);
	assert_out(bench, "");
	assert_int_equal(bench->outcome.exit.signal, SIGTERM);
	/* A busy machine may have it said that a call was slow. */
	assert_null(strstr(buf_cstr(&bench->log), "broke its contract"));
}

static void bind_explains_what_it_can_not_do(void **state)
{
	struct bench *bench = *state;
	bench_do(bench, NODE "bind\n  text: x\n  list: [1]\n", values);
	bench_assert_ok(bench);
	assert_out(bench, "language -7 \nfield -6 \nlist -1 \n");
}

static void misuse_is_named(void **state)
{
	struct bench *bench = *state;
	const struct {
		const char *mode;
		pawl_status status;
		const char *log;
	} cases[] = {
		{"twice", PAWL_OK, "finish(): called after finish() (in its start())"},
		{"both", PAWL_OK,
			"start(): returned something else than PAWL_PENDING after finish()"},
		{"never", PAWL_E_MISUSE, "finish(): never called, and nothing is under way"},
		{"odd", PAWL_E_MISUSE, "start(): returned what is no status"},
		{"nulls", PAWL_OK, "spawn(): argv is empty"},
		{"worker", PAWL_OK,
			"output(): called from another thread than the loop's (in its offload())"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		run_mode(bench, cases[i].mode);
		if (bench->outcome.status != cases[i].status)
			fail_msg("%s: status %d", cases[i].mode, bench->outcome.status);
		bench_assert_has(buf_cstr(&bench->log), "plugin test.probe broke its contract: ");
		bench_assert_has(buf_cstr(&bench->log), cases[i].log);
		assert_int_equal(bench->out.len, 0);
	}
	bench_assert_has(buf_cstr(&bench->log), "1 a worker may log\n");
}

static void holding_up_the_loop_is_named(void **state)
{
	struct bench *bench = *state;
	run_mode(bench, "block");
	bench_assert_ok(bench);
	bench_assert_has(
		buf_cstr(&bench->log), "plugin test.probe: start() of node b held up the loop for");
}

static void fail_has_a_place_and_a_fix(void **state)
{
	struct bench *bench = *state;
	bench_forget(bench);
	assert_true(bench_load(bench, NODE "fail\n  map: {k: v}\n"));
	bench_node(bench, values, true);
	struct host_events events = bench_events(bench);
	host_start(bench->node, &events);
	bench->world->run(bench->world->ctx);
	assert_int_equal(bench->outcome.status, PAWL_E_TRANSIENT);
	assert_string_equal(bench->code, "E-TRANSIENT");
	assert_string_equal(bench->message, "`map.k` is out of order");
	assert_string_equal(bench->help, "try again later");
	assert_int_equal(bench->at.line, 10);
	assert_int_equal(bench->at.col, 12);
}

static void assert_diag(
	struct bench *bench, const char *text, const char *code, const char *message, uint32_t line)
{
	assert_true(bench_load(bench, text));
	bool ok = bench_validate(bench);
	if (!code) {
		assert_true(ok);
		assert_int_equal(bench->diags.list.len, 0);
		return;
	}
	assert_int_equal(bench->diags.list.len, 1);
	const struct err *err = &bench->diags.list.ptr[0];
	assert_int_equal(ok, err->is_warning);
	assert_string_equal(err->code, code);
	bench_assert_has(err->message, message);
	assert_int_equal(err->at.line, line);
}

static void validate_reports(void **state)
{
	struct bench *bench = *state;
	assert_diag(bench, NODE "refuse\n  list:\n  - x\n  - y\n", "E-CONFIG",
		"`list.1` is not to my taste", 12);
	assert_diag(bench, NODE "silent\n", "E-CONFIG", "without saying why", 9);
	assert_diag(bench, NODE "spawn_in_validate\n", "E-PLUGIN-MISUSE",
		"spawn(): run is NULL (in its validate())", 9);
	assert_diag(bench, NODE "pending\n  text: $a.output\n", NULL, NULL, 0);
	assert_diag(bench, NODE "pending\n  text: $INPUTS.who\n", NULL, NULL, 0);
	assert_diag(bench, NODE "pending\n  text: plain\n", "E-CONFIG", "is known already", 9);
	assert_diag(bench, NODE "warn\n", "E-PLUGIN-LOG", "mind the gap", 9);
}

static enum host_key_status key_of(
	struct bench *bench, const char *text, struct buf *out, struct buf *words)
{
	assert_true(bench_load(bench, text));
	bench_node(bench, values, true);
	struct key key = {0};
	struct host_facts facts = {0};
	key_begin(&key);
	buf_clear(out);
	buf_clear(words);
	enum host_key_status status = host_cache_key(bench->node, &key, &facts, words);
	buf_add(out, buf_str(&key.text));
	for (size_t i = 0; i < facts.list.len; i++)
		buf_printf(out, "%d %.*s %.*s\n", (int)facts.list.ptr[i].kind,
			STR_ARG(facts.list.ptr[i].label), STR_ARG(facts.list.ptr[i].path));
	key_finish(&key);
	vec_finish(&facts.list);
	return status;
}

static void keys_hold_what_was_said(void **state)
{
	struct bench *bench = *state;
	struct buf out = {0};
	struct buf words = {0};
	struct key wanted = {0};
	key_begin(&wanted);
	key_text(&wanted, STR("mode"), STR("results"));
	key_u64(&wanted, STR("n"), 7);
	key_open(&wanted, STR("list"));
	key_text(&wanted, STR("in"), STR("x"));
	key_close(&wanted);
	buf_add_z(&wanted.text, "0 f a.txt\n1 w ./b\n3 o c\n2 t sh\n");
	assert_int_equal(key_of(bench, NODE "results\n", &out, &words), HOST_KEY_OK);
	assert_string_equal(buf_cstr(&out), buf_cstr(&wanted.text));
	key_finish(&wanted);
	assert_int_equal(key_of(bench, NODE "uncacheable\n", &out, &words), HOST_KEY_NOT_CACHEABLE);
	assert_string_equal(buf_cstr(&words), "the weather is never the same");
	assert_int_equal(key_of(bench, NODE "open\n", &out, &words), HOST_KEY_FAILED);
	bench_assert_has(buf_cstr(&words), "hash_open(): a list was begun and never ended");
	assert_int_equal(key_of(bench, NODE "close\n", &out, &words), HOST_KEY_FAILED);
	bench_assert_has(buf_cstr(&words), "hash_close(): no list is open (in its cache_key())");
	assert_int_equal(key_of(bench, NODE "sticky\n", &out, &words), HOST_KEY_FAILED);
	bench_assert_has(buf_cstr(&words), "`NOT_LISTED` is not one of the node's secrets");
	buf_finish(&out);
	buf_finish(&words);
}

static void secrets_are_hashed_with_a_key(void **state)
{
	struct bench *bench = *state;
	struct err err = {0};
	struct buf out = {0};
	struct buf words = {0};
	const char *flow = NODE "hashed\n  secrets: [PROBE_SECRET, PROBE_GONE]\n";
	static const char *env[] = {"PROBE_SECRET=s3cret", NULL};
	bench->env = env;
	assert_int_equal(key_of(bench, flow, &out, &words), HOST_KEY_FAILED);
	bench_assert_has(buf_cstr(&words), "without a store");
	bench->store = store_open(bench->root, STORE_WRITE, &err);
	assert_non_null(bench->store);
	assert_int_equal(key_of(bench, flow, &out, &words), HOST_KEY_OK);
	assert_null(strstr(buf_cstr(&out), "s3cret"));
	struct buf hex = {0};
	struct digest digest = hash_keyed(store_secret_key(bench->store), STR("s3cret"));
	digest_add_hex(&hex, &digest);
	bench_assert_has(buf_cstr(&out), buf_cstr(&hex));
	buf_finish(&hex);
	buf_finish(&out);
	buf_finish(&words);
	store_close(bench->store);
}

/* A plugin that holds on to a run that has ended is told so, and nothing happens. */
static void a_run_that_is_gone_is_known_to_be(void **state)
{
	struct bench *bench = *state;
	run_mode(bench, "keep");
	bench_assert_ok(bench);
	struct pawl_run *gone = bench->node->run;
	assert_int_equal(host_table.output(gone, PAWL_STDOUT, (pawl_str){"x", 1}), PAWL_E_MISUSE);
	assert_non_null(host_table.alloc(gone, 8));
	assert_null(host_table.temp_dir(gone));
	host_table.finish(gone, PAWL_OK);
	assert_int_equal(bench->finished, 1);
	assert_int_equal(bench->out.len, 0);
}

struct stop {
	struct pawl_run *run;
	int32_t reason;
};

static void stop_now(void *arg)
{
	struct stop *stop = arg;
	host_cancel(stop->run, stop->reason);
	host_cancel(stop->run, PAWL_CANCEL_SIBLING_FAILED); /* the first reason stays */
}

static void stop_after(struct bench *bench, const char *text, uint64_t ms)
{
	bench_forget(bench);
	assert_true(bench_load(bench, text));
	bench_node(bench, values, true);
	struct host_events events = bench_events(bench);
	struct stop stop = {host_start(bench->node, &events), PAWL_CANCEL_USER};
	if (ms)
		bench->world->timer_start(bench->world->ctx, ms, stop_now, &stop);
	else
		stop_now(&stop);
	bench->world->run(bench->world->ctx);
	assert_int_equal(bench->finished, 1);
	assert_int_equal(bench->outcome.cancel_reason, PAWL_CANCEL_USER);
	assert_int_equal(bench->outcome.status, PAWL_E_CANCELLED);
}

static void cancel_is_asked_first_and_forced_then(void **state)
{
	struct bench *bench = *state;
	stop_after(bench, "name: t\nnodes:\n- id: b\n  stopper: polite\n", 20);
	assert_out(bench, "tidying\n");
	assert_int_equal(bench->log.len, 0);
	stop_after(bench, "name: t\nnodes:\n- id: b\n  stopper: deaf\n", 20);
	bench_assert_has(buf_cstr(&bench->log), "test.stopper did not finish node b within 300 ms");
	stop_after(bench, "name: t\nnodes:\n- id: b\n  stopper: polite\n", 0);
	assert_out(bench, "");
	bench_assert_has(buf_cstr(&bench->out), "");
}

static void a_type_without_cache_key_hashes_its_field(void **state)
{
	struct bench *bench = *state;
	struct buf out = {0};
	struct buf words = {0};
	assert_int_equal(key_of(bench, "name: t\nnodes:\n- id: b\n  stopper: deaf\n", &out, &words),
		HOST_KEY_NOT_CACHEABLE);
	assert_string_equal(buf_cstr(&words), "`stopper` nodes are never reused");
	buf_finish(&out);
	buf_finish(&words);
}

static void a_crash_names_the_node(void **state)
{
	struct bench *bench = *state;
	assert_true(bench_load(bench, NODE "crash\n"));
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	pid_t child = fork();
	if (child == 0) {
		signal(SIGSEGV, SIG_DFL);
		guard_install();
		dup2(ends[1], STDERR_FILENO);
		close(ends[0]);
		bench_node(bench, values, true);
		struct host_events events = bench_events(bench);
		host_start(bench->node, &events);
		bench->world->run(bench->world->ctx);
		_exit(0);
	}
	close(ends[1]);
	struct buf words = {0};
	char block[4096];
	for (ssize_t n; (n = read(ends[0], block, sizeof(block))) > 0;)
		buf_add(&words, str_make(block, (size_t)n));
	close(ends[0]);
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_not_equal(status, 0);
	bench_assert_has(buf_cstr(&words),
		"pawl: plugin test.probe crashed (SIGSEGV) in start() of node b; what was done before is stored");
	buf_finish(&words);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(fields_are_read, setup, teardown),
		cmocka_unit_test_setup_teardown(results_reach_the_events, setup, teardown),
		cmocka_unit_test_setup_teardown(secrets_are_those_of_the_node, setup, teardown),
		cmocka_unit_test_setup_teardown(pairs_need_a_store, setup, teardown),
		cmocka_unit_test_setup_teardown(timers_and_workers_call_back, setup, teardown),
		cmocka_unit_test_setup_teardown(children_belong_to_the_host, setup, teardown),
		cmocka_unit_test_setup_teardown(finish_ends_all_that_is_under_way, setup, teardown),
		cmocka_unit_test_setup_teardown(bind_explains_what_it_can_not_do, setup, teardown),
		cmocka_unit_test_setup_teardown(misuse_is_named, setup, teardown),
		cmocka_unit_test_setup_teardown(holding_up_the_loop_is_named, setup, teardown),
		cmocka_unit_test_setup_teardown(fail_has_a_place_and_a_fix, setup, teardown),
		cmocka_unit_test_setup_teardown(validate_reports, setup, teardown),
		cmocka_unit_test_setup_teardown(keys_hold_what_was_said, setup, teardown),
		cmocka_unit_test_setup_teardown(secrets_are_hashed_with_a_key, setup, teardown),
		cmocka_unit_test_setup_teardown(a_run_that_is_gone_is_known_to_be, setup, teardown),
		cmocka_unit_test_setup_teardown(
			cancel_is_asked_first_and_forced_then, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_type_without_cache_key_hashes_its_field, setup, teardown),
		cmocka_unit_test_setup_teardown(a_crash_names_the_node, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
