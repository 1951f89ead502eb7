/* Policies: loading and its complaints, what rules see and say, pawl.*, and the tests of a file. */
#include "policy_help.h"

struct complaint {
	const char *text;
	const char *code;
	uint32_t line;
	const char *message; /* a part of it */
	const char *help;    /* a part of it, or NULL */
};

static void test_load_says_what_is_wrong(void **state)
{
	static const struct complaint cases[] = {
		{"return {\n  api = 1,\n  reues = function() end,\n}", "E-POLICY-FIELD", 3,
			"unknown field 'reues'", "did you mean 'reuse'?"},
		{"return {\n  api = 1,\n  ttl = 3,\n}", "E-POLICY-FIELD", 3, "unknown field 'ttl'",
			"api, key, reuse, failed, env"},
		{"return {\n  api = 2,\n}", "E-POLICY-API", 2, "api = 2: this pawl knows api = 1",
			"api = 1"},
		{"local x = 1\nreturn { reuse = function() end }", "E-POLICY-API", 0,
			"does not say which API", "api = 1"},
		{"return {\n api = 1,\n\tkey = {},\n}", "E-POLICY-TYPE", 3,
			"key is a table, not a function", NULL},
		{"return {\n api = 1,\n\tenv = 'REGION',\n}", "E-POLICY-TYPE", 3,
			"env is not a list", "env = {\"NAME\"}"},
		{"return {\n api = 1,\n\tenv = {3},\n}", "E-POLICY-TYPE", 3,
			"no name of a variable", NULL},
		{"return { api = 1, 'reuse' }", "E-POLICY-FIELD", 0,
			"holds a string without a name", NULL},
		{"return { api = 1, test_it = 3 }", "E-POLICY-FIELD", 0, "'test_it'", NULL},
		{"local x = 1\n", "E-POLICY-TABLE", 0, "returns nothing", "return { api = 1"},
		{"return 'x'\n", "E-POLICY-TABLE", 0, "returns string", "return { api = 1"},
		{"return setmetatable({}, {__index = {api = 1}})", "E-POLICY-TABLE", 0, "metatable",
			NULL},
		{"return {\n  api = 1\n  key = 2,\n}", "E-POLICY-SYNTAX", 3, "'}' expected", NULL},
		{"\nlocal t = nil\nlocal x = t.y\nreturn {}", "E-POLICY-LOAD", 3,
			"attempt to index a nil value", NULL},
		{"\nlocal h = pawl.digest('x')\nreturn { api = 1 }", "E-POLICY-LOAD", 2,
			"pawl.digest is for rules", NULL},
		{"\nwhile true do end", "E-POLICY-BUDGET", 2, "1,000,000 instructions",
			"docs/policies"},
		{"\033Lua\x54\x00", "E-POLICY-SYNTAX", 0, "bytecode", "source text"},
	};
	struct room *room = *state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct complaint *c = &cases[i];
		struct policies *policies = help_policies(room);
		struct diags diags = {0};
		help_write(room, "p.lua", str_of(c->text));
		assert_null(policies_load(policies, STR("p.lua"), &diags));
		assert_int_equal(diags.errors, 1);
		const struct err *err = &diags.list.ptr[0];
		assert_string_equal(err->code, c->code);
		if (!strstr(err->message, c->message))
			fail_msg("case %zu: %s", i, err->message);
		if (c->line && err->at.line != c->line)
			fail_msg("case %zu: line %u: %s", i, err->at.line, err->message);
		assert_string_equal(err->at.file, "p.lua");
		if (c->help)
			assert_non_null(strstr(err->help, c->help));
		/* The same answer again, told once. */
		assert_null(policies_load(policies, STR("p.lua"), &diags));
		assert_int_equal(diags.errors, 1);
		diags_finish(&diags);
		policies_destroy(policies);
	}
}

static void test_load_tells_all_at_once(void **state)
{
	struct room *room = *state;
	struct policies *policies = help_policies(room);
	struct diags diags = {0};
	help_write(room, "p.lua", STR("return {\n api = 3,\n kay = 1,\n reuse = 2,\n}"));
	assert_null(policies_load(policies, STR("p.lua"), &diags));
	assert_int_equal(diags.errors, 3);
	diags_finish(&diags);
	policies_destroy(policies);
}

static void test_load_of_files(void **state)
{
	struct room *room = *state;
	struct policies *policies = help_policies(room);
	struct diags diags = {0};
	assert_null(policies_load(policies, STR("no.lua"), &diags));
	assert_string_equal(diags.list.ptr[0].code, "E-POLICY-MISSING");
	assert_string_equal(diags.list.ptr[0].message, "there is no policy file no.lua");
	assert_null(policies_load(policies, STR("../up.lua"), &diags));
	assert_string_equal(diags.list.ptr[1].code, "E-FS-OUTSIDE");
	room_dir(room, "dir");
	assert_null(policies_load(policies, STR("dir"), &diags));
	assert_int_equal(diags.errors, 3);
	struct policy *policy =
		help_load(room, policies, "return { api = 1, key = function() end }");
	assert_ptr_equal(policies_load(policies, STR("p.lua"), &diags), policy);
	assert_string_equal(policy_file(policy), "p.lua");
	assert_true(policy_has(policy, POLICY_KEY));
	assert_false(policy_has(policy, POLICY_REUSE));
	assert_int_equal(diags.errors, 3);
	help_write(room, "empty.lua", STR("return { api = 1 }"));
	assert_non_null(policies_load(policies, STR("empty.lua"), &diags));
	assert_int_equal(diags.errors, 3);
	assert_string_equal(diags.list.ptr[3].code, "E-POLICY-EMPTY");
	assert_true(diags.list.ptr[3].is_warning);
	diags_finish(&diags);
	policies_destroy(policies);
}

/* What key() with this body puts into the transcript, on one line; or the error's "LINE: MESSAGE". */
static const char *key_of(struct room *room, struct arena *arena, const char *body)
{
	static const char *const tops[] = {"return { api = 1, env = {'REGION', 'EMPTY', 'NONE'},",
		" key = function(node)", "end }"};
	struct policies *policies = help_policies(room);
	struct policy *policy = help_load(room, policies,
		arena_printf(arena, "%s%s\n%s\n%s", tops[0], tops[1], body, tops[2]));
	struct policy_node node = help_node;
	node.fields = help_yaml(arena,
		"tags: [db, 7]\nx-n: 9007199254740993\nx-l: [1, null, {a: b}]\nx-null: null\nbash: echo");
	struct key key = {0};
	struct err err = {0};
	key_begin(&key);
	size_t from = key.text.len;
	bool ok = policy_key(policy, &node, &key, &err);
	const char *text =
		ok ? arena_str(arena, str_slice(buf_str(&key.text), from, key.text.len)).ptr
		   : arena_printf(arena, "%s:%u: %s", err.at.file, err.at.line, err.message);
	if (!ok)
		assert_int_equal(key.text.len, from);
	assert_int_equal(key.open, 0);
	err_finish(&err);
	key_finish(&key);
	policies_destroy(policies);
	return text;
}

#define OPEN "( 12:policy/p.lua 0:\n"

static void test_key_gets_what_the_rule_gives(void **state)
{
	static const char *const cases[][2] = {
		{"return nil", ""},
		{"return node.id == 'other' and {1}", ""},
		{"return 'x'", OPEN "t 1:- 1:x\n"},
		{"return 3", OPEN "n 1:- 1:3\n"},
		{"return 3.0", OPEN "n 1:- 1:3\n"},
		{"return '3'", OPEN "t 1:- 1:3\n"},
		{"return -1", OPEN "( 1:- 0:\nt 6:number 2:-1\n) 0: 0:\n"},
		{"return 0.1", OPEN "( 1:- 0:\nt 6:number 19:0.10000000000000001\n) 0: 0:\n"},
		{"return true", OPEN "( 1:- 0:\nt 7:boolean 4:true\n) 0: 0:\n"},
		{"return {}", OPEN},
		{"return { b = 1, a = 'x', c = pawl.json.null }",
			OPEN "t 1:a 1:x\nn 1:b 1:1\na 1:c 0:\n"},
		{"return { l = {1, 'b'} }", OPEN "( 1:l 0:\nn 1:- 1:1\nt 1:- 1:b\n) 0: 0:\n"},
		{"return { node.id, node.type, node.workflow, node.description, node.output_type }",
			OPEN
			"t 1:- 5:fetch\nt 1:- 4:bash\nt 1:- 7:nightly\nt 1:- 7:gets it\nt 1:- 4:json\n"},
		{"return { node['x-n'], node.tags[1], tostring(node.tags.db), tostring(node.tags.x) }",
			OPEN "n 1:- 16:9007199254740993\nt 1:- 2:db\nt 1:- 4:true\nt 1:- 3:nil\n"},
		{"return { node['x-l'] }", OPEN
			"( 1:- 0:\nn 1:- 1:1\na 1:- 0:\n( 1:- 0:\nt 1:a 1:b\n) 0: 0:\n) 0: 0:\n"},
		{"return { tostring(node['x-null']), tostring(node.nothing), node.bash }",
			OPEN "t 1:- 3:nil\nt 1:- 3:nil\nt 1:- 4:echo\n"},
		{"local n = 0 for k in pairs(node.fields) do n = n + 1 end return n",
			OPEN "n 1:- 1:4\n"},
		{"return { pawl.env('REGION'), pawl.env('EMPTY'), tostring(pawl.env('NONE')) }",
			OPEN "t 1:- 4:eu-1\nt 1:- 0:\nt 1:- 3:nil\n"},
		{"return pawl.now()", OPEN "n 1:- 10:1700000000\n"},
	};
	struct room *room = *state;
	struct arena arena = {0};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *want = cases[i][1];
		if (want[0])
			want = arena_printf(&arena, "%s) 0: 0:\n", want);
		assert_string_equal(key_of(room, &arena, cases[i][0]), want);
	}
	arena_finish(&arena);
}

static void test_key_errors_have_places(void **state)
{
	static const char *const cases[][2] = {
		{"\nlocal x = node.no.thing", "p.lua:3: attempt to index a nil value (field 'no')"},
		{"error('mine')", "p.lua:2: mine"},
		{"error('mine', 0)", "p.lua:2: mine"},
		{"error({})", "p.lua:2: error with a table for a message"},
		{"error()", "p.lua:2: error with a nil for a message"},
		{"error('\\27[31mred\\nx')", "p.lua:2: ^[[31mred\nx"},
		{"return print", "p.lua:2: there is no 'print' in a policy; rules have pawl.log"},
		{"return os.time()",
			"p.lua:2: there is no 'os' in a policy; rules have pawl.now and pawl.env"},
		{"x = 1", "p.lua:2: a rule can't make the global 'x': write 'local x'"},
		{"\nreturn { f = error }", "p.lua:3: a function can't be written"},
		{"return 0/0", "p.lua:2: a number that is not finite can't be written"},
		{"return 1/0", "p.lua:2: a number that is not finite can't be written"},
		{"return { 1, a = 2 }",
			"p.lua:2: a table has both a list part and names, or a number for a name"},
		{"local t = {} t.t = t return t", "p.lua:2: a table is nested deeper than 16"},
		{"return ('x'):rep(65536)", "p.lua:2: key() gave 65578 bytes; the limit is 64 KiB"},
		{"return node", "p.lua:2: a table with a metatable can't be written"},
		{"node.id = 'x'", "p.lua:2: nodes and results can't be changed"},
		{"return pawl.env('HOME')",
			"p.lua:2: pawl.env: HOME is not declared; add env = {\"HOME\"} to the policy"},
		{"return pawl.digest('../x')",
			"p.lua:2: pawl.digest: '../x' is not beneath the project"},
		{"return pawl.glob('/etc/*')", "p.lua:2: pawl.glob: "},
		{"return pawl.json.decode('{')", "p.lua:2: pawl.json.decode: "},
		{"for k in pairs(node) do end",
			"p.lua:2: pairs needs a plain table: write pairs(node.fields)"},
	};
	struct room *room = *state;
	struct arena arena = {0};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *got = key_of(room, &arena, cases[i][0]);
		const char *want = cases[i][1];
		bool is_prefix = want[strlen(want) - 1] == ' ';
		if (is_prefix ? !str_starts(str_of(got), str_of(want)) : strcmp(got, want) != 0)
			fail_msg("%s\ngot  %s\nwant %s", cases[i][0], got, want);
	}
	arena_finish(&arena);
}

static void test_digest_and_glob(void **state)
{
	struct room *room = *state;
	struct arena arena = {0};
	room_dir(room, "db");
	room_file(room, "db/schema.sql", "abc");
	room_file(room, "db/b.sql", "b");
	room_link(room, "db/link", "b.sql");
	room_link(room, "out", "/etc/passwd");
	assert_string_equal(key_of(room, &arena, "return pawl.digest('db/schema.sql')"), OPEN
		"t 1:- 64:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n) 0: 0:\n");
	assert_string_equal(key_of(room, &arena, "return pawl.digest('./db//../db/schema.sql')"),
		key_of(room, &arena, "return pawl.digest('db/schema.sql')"));
	assert_string_equal(key_of(room, &arena, "return tostring(pawl.digest('db/none'))"),
		OPEN "t 1:- 3:nil\n) 0: 0:\n");
	assert_string_equal(key_of(room, &arena, "return pawl.glob('db/*.sql')"),
		OPEN "t 1:- 8:db/b.sql\nt 1:- 13:db/schema.sql\n) 0: 0:\n");
	assert_non_null(strstr(
		key_of(room, &arena, "return pawl.digest('out')"), "p.lua:2: pawl.digest: "));
	const char *tree = key_of(room, &arena, "return pawl.digest('db')");
	assert_string_equal(key_of(room, &arena, "return pawl.digest('db/.')"), tree);
	room_file(room, "db/b.sql", "c");
	const char *changed = key_of(room, &arena, "return pawl.digest('db')");
	assert_string_not_equal(changed, tree);
	room_file(room, "db/b.sql", "b");
	assert_string_equal(key_of(room, &arena, "return pawl.digest('db')"), tree);
	assert_int_equal(unlinkat(room->fd, "db/link", 0), 0);
	assert_string_not_equal(key_of(room, &arena, "return pawl.digest('db')"), tree);
	arena_finish(&arena);
}

/* One set of policies sees a file change, whatever its memo. */
static void test_digest_follows_changes(void **state)
{
	struct room *room = *state;
	struct policies *policies = help_policies(room);
	struct policy *policy = help_load(
		room, policies, "return { api = 1, key = function() return pawl.digest('a') end }");
	struct key first = {0};
	struct key again = {0};
	const struct timespec old[2] = {{1600000000, 0}, {1600000000, 0}};
	room_file(room, "a", "1");
	assert_int_equal(utimensat(room->fd, "a", old, 0), 0);
	for (int i = 0; i < 3; i++) {
		key_begin(&again);
		assert_true(policy_key(policy, &help_node, &again, NULL));
		if (i == 0) {
			key_begin(&first);
			buf_clear(&first.text);
			buf_add(&first.text, buf_str(&again.text));
		}
		assert_true(str_eq(buf_str(&first.text), buf_str(&again.text)));
	}
	room_file(room, "a", "2");
	assert_int_equal(utimensat(room->fd, "a", old, 0), 0);
	key_begin(&again);
	assert_true(policy_key(policy, &help_node, &again, NULL));
	assert_false(str_eq(buf_str(&first.text), buf_str(&again.text)));
	key_finish(&first);
	key_finish(&again);
	policies_destroy(policies);
}

static void test_json(void **state)
{
	static const char *const cases[][2] = {
		{"pawl.json.encode({ b = {1, 2.5, 'x\\n'}, a = true })",
			"{\"a\":true,\"b\":[1,2.5,\"x\\n\"]}"},
		{"pawl.json.encode(pawl.json.decode('{\"a\": [1, null, 1e2]}'))",
			"{\"a\":[1,null,100]}"},
		{"pawl.json.encode('q\"')", "\"q\\\"\""},
		{"tostring(pawl.json.decode('[9007199254740993]')[1])", "9007199254740993"},
		{"tostring(pawl.json.decode('null') == pawl.json.null)", "true"},
	};
	struct room *room = *state;
	struct arena arena = {0};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *got =
			key_of(room, &arena, arena_printf(&arena, "return %s", cases[i][0]));
		const char *want = arena_printf(
			&arena, OPEN "t 1:- %zu:%s\n) 0: 0:\n", strlen(cases[i][1]), cases[i][1]);
		assert_string_equal(got, want);
	}
	arena_finish(&arena);
}

struct stored {
	unsigned outputs;
	unsigned histories;
	unsigned verdicts;
	str output;
};

static str get_output(void *arg)
{
	struct stored *stored = arg;
	stored->outputs++;
	return stored->output;
}

static void get_history(void *arg, struct policy_history *out)
{
	((struct stored *)arg)->histories++;
	*out = (struct policy_history){5, 3, 2};
}

static size_t get_verdicts(void *arg, const struct policy_verdict **out)
{
	static const struct policy_verdict list[] = {
		{"quarantined", STR_INIT("ann"), STR_INIT("bad rows"), 7000, false}};
	((struct stored *)arg)->verdicts++;
	*out = list;
	return 1;
}

static const char *reuse_of(
	struct room *room, struct arena *arena, const char *body, struct stored *stored)
{
	struct policies *policies = help_policies(room);
	struct policy *policy = help_load(room, policies,
		arena_printf(arena, "return { api = 1, reuse = function(node, result)\n%s\nend }",
			body));
	struct policy_result result = {.age_ms = 7200999,
		.run = 4,
		.size = 100000,
		.provable = true,
		.arg = stored,
		.output = get_output,
		.history = get_history,
		.verdicts = get_verdicts};
	result.key.bytes[0] = 0xab;
	result.digest.bytes[31] = 0x01;
	str sentence;
	bool ok = policy_reuse(policy, &help_node, &result, arena, &sentence);
	assert_int_equal(ok, sentence.len == 0);
	policies_destroy(policies);
	return sentence.ptr;
}

static void test_reuse_and_its_sentence(void **state)
{
	static const char *const cases[][2] = {
		{"return nil", ""},
		{"return true, 'never shown'", ""},
		{"", ""},
		{"return false, 'older than six hours'", "older than six hours (p.lua:2)"},
		{"\n\nif result.age == 7200 then\n return false, 'old'\nend", "old (p.lua:5)"},
		{"local function old()\n return false, 'in a function'\nend\nreturn old()",
			"in a function (p.lua:3)"},
		{"return false", "its policy refuses reuse (p.lua:2)"},
		{"return false, ''", "its policy refuses reuse (p.lua:2)"},
		{"return false, ' two\\n\\27[31mlines\\t'", "two ^[[31mlines (p.lua:2)"},
		{"error('two\\nlines')",
			"its policy can't tell: two lines (p.lua:2) [E-POLICY-RULE]"},
		{"return 'yes'",
			"its policy can't tell: reuse() gave a string; it gives nil, true, or "
			"false and a reason (p.lua:2) [E-POLICY-RULE]"},
		{"return false, {}",
			"its policy can't tell: the reason that reuse() gave is a table, "
			"not a string (p.lua:2) [E-POLICY-RULE]"},
		{"\nreturn result.aeg > 3",
			"its policy can't tell: a result has no field 'aeg': did you "
			"mean 'age'? (p.lua:3) [E-POLICY-RULE]"},
		{"return result.made_on_a_day", "its policy can't tell: a result has no field "
						"'made_on_a_day' (p.lua:2) [E-POLICY-RULE]"},
		{"\nwhile true do end", "its policy can't tell: ran out of its budget of 1,000,000 "
					"instructions (p.lua:3) [E-POLICY-BUDGET]"},
		{"return false, result.run .. ' ' .. result.size .. tostring(result.provable)",
			"4 100000true (p.lua:2)"},
		{"return false, result.key:sub(1, 4) .. #result.key .. result.digest:sub(-2)",
			"ab006401 (p.lua:2)"},
		{"return false, result.times_reused .. result.passed_consumers .. result.failed_consumers",
			"532 (p.lua:2)"},
		{"local v = result.verdicts[1] return false, v.kind .. v.by .. v.reason .. v.at .. "
		 "tostring(v.automatic) .. #result.verdicts",
			"quarantinedannbad rows7false1 (p.lua:2)"},
		{"return false, #result.output .. result.output:sub(1, 3)", "65536xxx (p.lua:2)"},
	};
	struct room *room = *state;
	struct arena arena = {0};
	char *output = mem_alloc(100000);
	memset(output, 'x', 100000);
	struct stored stored = {.output = str_make(output, 100000)};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(reuse_of(room, &arena, cases[i][0], &stored), cases[i][1]);
	free(output);
	arena_finish(&arena);
}

static void test_result_is_fetched_when_looked_at(void **state)
{
	struct room *room = *state;
	struct arena arena = {0};
	struct stored stored = {.output = STR("text")};
	reuse_of(room, &arena, "return result.age > 1 and nil", &stored);
	assert_int_equal(stored.outputs + stored.histories + stored.verdicts, 0);
	reuse_of(room, &arena, "local a = result.output .. result.output", &stored);
	assert_int_equal(stored.outputs, 1);
	assert_int_equal(stored.histories + stored.verdicts, 0);
	reuse_of(room, &arena, "local a = result.times_reused + result.failed_consumers", &stored);
	assert_int_equal(stored.histories, 1);
	assert_int_equal(stored.verdicts, 0);
	arena_finish(&arena);
}

static void test_a_kept_node_is_no_other_node(void **state)
{
	struct room *room = *state;
	struct arena arena = {0};
	struct policies *policies = help_policies(room);
	struct policy *policy = help_load(room, policies,
		"local kept\n"
		"return { api = 1, reuse = function(node, result)\n"
		"  kept = kept or { node, result }\n"
		"  return false, kept[1].id .. kept[2].run\n"
		"end }");
	struct policy_node node = help_node;
	struct policy_result result = {.run = 4};
	str sentence;
	policy_reuse(policy, &node, &result, &arena, &sentence);
	assert_string_equal(sentence.ptr, "fetch4 (p.lua:4)");
	node.id = STR("other");
	result.run = 5;
	policy_reuse(policy, &node, &result, &arena, &sentence);
	assert_string_equal(sentence.ptr, "fetch4 (p.lua:4)");
	struct policy *later = NULL;
	help_write(room, "q.lua",
		STR("local kept\nreturn { api = 1, reuse = function(node)\n"
		    "  kept = kept or node\n  return false, kept.type\nend }"));
	later = policies_load(policies, STR("q.lua"), NULL);
	policy_reuse(later, &node, &result, &arena, &sentence);
	help_write(room, "r.lua",
		STR("local kept\nreturn { api = 1, reuse = function(node)\n"
		    "  if kept then return false, kept.type end\n  kept = node\nend }"));
	later = policies_load(policies, STR("r.lua"), NULL);
	assert_true(policy_reuse(later, &node, &result, &arena, &sentence));
	assert_false(policy_reuse(later, &node, &result, &arena, &sentence));
	assert_string_equal(sentence.ptr,
		"its policy can't tell: this node is from an earlier call of the rule (r.lua:3) [E-POLICY-RULE]");
	policies_destroy(policies);
	arena_finish(&arena);
}

static void test_failed_names_suspects(void **state)
{
	static const struct {
		const char *body;
		unsigned suspects; /* a bit an input */
		const char *error;
	} cases[] = {
		{"return nil", 7, NULL},
		{"return true", 7, NULL},
		{"return false", 0, NULL},
		{"return {}", 0, NULL},
		{"return { 'b' }", 2, NULL},
		{"return failure.reused_inputs", 7, NULL},
		{"if failure.stderr:find('JSON', 1, true) then return { 'a', 'c' } end", 5, NULL},
		{"if failure.exit_code + failure.signal + failure.run == 17 then return {'a'} end",
			1, NULL},
		{"return { 'd' }", 7, "failed() names 'd', which is none of failure.reused_inputs"},
		{"return { 3 }", 7, "failed() gave a list with a number in it, not a node id"},
		{"return 3", 7,
			"failed() gave a number; it gives nil, a boolean, or a list of node ids"},
		{"return { 'a', nope }", 7, "there is no global 'nope'"},
	};
	static const str inputs[] = {STR_INIT("a"), STR_INIT("b"), STR_INIT("c")};
	static const struct policy_failure failure = {.stderr_tail = STR_INIT("bad JSON"),
		.exit_code = 2,
		.signal = 9,
		.run = 6,
		.reused_inputs = inputs,
		.reused_count = 3};
	struct room *room = *state;
	struct arena arena = {0};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct policies *policies = help_policies(room);
		struct policy *policy = help_load(room, policies,
			arena_printf(&arena,
				"return { api = 1, failed = function(node, failure)\n%s\nend }",
				cases[i].body));
		bool suspect[3];
		struct err err = {0};
		bool ok = policy_failed(policy, &help_node, &failure, suspect, &err);
		assert_int_equal(suspect[0] + 2 * suspect[1] + 4 * suspect[2], cases[i].suspects);
		assert_int_equal(ok, cases[i].error == NULL);
		if (!ok) {
			assert_string_equal(err.message, cases[i].error);
			assert_int_equal(err.at.line, 2);
		}
		err_finish(&err);
		policies_destroy(policies);
	}
	arena_finish(&arena);
}

static void test_log_is_told_and_tamed(void **state)
{
	struct room *room = *state;
	struct arena arena = {0};
	buf_clear(&help_log);
	key_of(room, &arena, "pawl.log('a\\27[1m') pawl.log(3)\nfor i = 1, 100 do pawl.log(i) end");
	str rest = buf_str(&help_log);
	str line;
	size_t lines = 0;
	while (str_line(&rest, &line)) {
		if (lines == 0)
			assert_true(str_is(line, "p.lua:2 a^[[1m"));
		if (lines == 2)
			assert_true(str_is(line, "p.lua:3 1"));
		lines++;
	}
	assert_int_equal(lines, 20);
	buf_finish(&help_log);
	arena_finish(&arena);
}

static void test_tests_of_a_file(void **state)
{
	struct room *room = *state;
	struct arena arena = {0};
	struct policies *policies = help_policies(room);
	struct policy *policy = help_load(room, policies,
		"local policy = { api = 1, env = {'REGION'} }\n"
		"function policy.reuse(node, result)\n"
		"  if result.age > 60 then return false, 'old' end\n"
		"end\n"
		"function policy.key(node)\n"
		"  return { d = pawl.digest('a'), n = pawl.now(), r = pawl.env('REGION'), g = pawl.glob('*') }\n"
		"end\n"
		"function policy.test_good(t)\n"
		"  t.runs({}, { age = 61 }, 'old') t.reuses({}, { age = 60 })\n"
		"  t.now(5) t.env({ REGION = 'x' }) t.files({ b = '', a = 'abc' })\n"
		"  t.equal(t.key({}), { n = 5, r = 'x', g = {'a', 'b'},\n"
		"    d = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad' })\n"
		"end\n"
		"function test_global(t)\n"
		"  t.runs({}, { age = 3 })\n"
		"end\n"
		"function policy.test_reason(t)\n"
		"  t.runs({}, { age = 99 }, 'young')\n"
		"end\n"
		"function policy.test_equal(t)\n"
		"\n"
		"  t.equal({ a = {1} }, { a = {2} }, 'key')\n"
		"end\n"
		"function policy.test_field(t) t.result({ agee = 1 }) end\n"
		"function policy.test_time(t) policy.key(t.node()) end\n"
		"function policy.test_again(t)\n"
		"  t.files({}) t.now(1) t.equal(t.key({}).d, nil) t.equal(t.key({}).r, nil)\n"
		"end\n"
		"function policy.test_loop(t)\n"
		"  while true do end\n"
		"end\n"
		"function policy.test_suspects(t) t.suspects({}, {}) end\n"
		"return policy\n");
	static const struct policy_test want[] = {
		{STR_INIT("test_good"), 8, true, STR_INIT("")},
		{STR_INIT("test_global"), 14, false,
			STR_INIT("p.lua:15: it is reused [E-POLICY-TEST]")},
		{STR_INIT("test_reason"), 17, false,
			STR_INIT(
				"p.lua:18: it runs, but the reason is \"old\", not \"young\" [E-POLICY-TEST]")},
		{STR_INIT("test_equal"), 20, false,
			STR_INIT("p.lua:22: key: got {a = {1}}, want {a = {2}} [E-POLICY-TEST]")},
		{STR_INIT("test_field"), 24, false,
			STR_INIT("p.lua:24: a result has no field agee [E-POLICY-TEST]")},
		{STR_INIT("test_time"), 25, false,
			STR_INIT(
				"p.lua:6: the test has set no time: call t.now(seconds) [E-POLICY-TEST]")},
		{STR_INIT("test_again"), 26, true, STR_INIT("")},
		{STR_INIT("test_loop"), 29, false,
			STR_INIT(
				"p.lua:30: ran out of its budget of 1,000,000 instructions [E-POLICY-BUDGET]")},
		{STR_INIT("test_suspects"), 32, false,
			STR_INIT("p.lua:32: the policy has no failed rule [E-POLICY-TEST]")},
	};
	struct policy_tests tests = policy_run_tests(policy, &arena);
	assert_int_equal(tests.len, sizeof(want) / sizeof(want[0]));
	assert_int_equal(tests.failed, 7);
	for (size_t i = 0; i < tests.len; i++) {
		assert_string_equal(tests.ptr[i].name.ptr, want[i].name.ptr);
		assert_string_equal(tests.ptr[i].message.ptr, want[i].message.ptr);
		assert_int_equal(tests.ptr[i].line, want[i].line);
		assert_int_equal(tests.ptr[i].passed, want[i].passed);
	}
	/* The outside is the real one again. */
	str sentence;
	assert_true(policy_reuse(
		policy, &help_node, &(struct policy_result){.age_ms = 1000}, &arena, &sentence));
	policies_destroy(policies);
	arena_finish(&arena);
}

static enum fs_found own_digest(void *arg, str path, struct digest *out, struct err *err)
{
	(*(unsigned *)arg)++;
	if (str_is(path, "bad")) {
		err_set(err, "E-FS-CHANGING", "%.*s changes", STR_ARG(path));
		return FS_ERROR;
	}
	*out = hash_of(path);
	return str_is(path, "gone") ? FS_ABSENT : FS_FOUND;
}

static void test_digest_of_the_caller(void **state)
{
	struct room *room = *state;
	unsigned calls = 0;
	struct policies *policies = policies_create(
		&(struct policy_env){.project_fd = room->fd, .arg = &calls, .digest = own_digest});
	struct policy *policy = help_load(room, policies,
		"return { api = 1, key = function(node)\n"
		"  if pawl.digest('gone') then error('found') end\n"
		"  if #pawl.digest('there') ~= 64 then error('no digest') end\n"
		"  pawl.digest('bad')\n"
		"end }");
	struct key key = {0};
	struct err err = {0};
	key_begin(&key);
	assert_false(policy_key(policy, &help_node, &key, &err));
	assert_string_equal(err.message, "pawl.digest: bad changes");
	assert_int_equal(err.at.line, 4);
	assert_int_equal(calls, 3);
	err_finish(&err);
	key_finish(&key);
	policies_destroy(policies);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		room_test(test_load_says_what_is_wrong),
		room_test(test_load_tells_all_at_once),
		room_test(test_load_of_files),
		room_test(test_key_gets_what_the_rule_gives),
		room_test(test_key_errors_have_places),
		room_test(test_digest_and_glob),
		room_test(test_digest_follows_changes),
		room_test(test_json),
		room_test(test_reuse_and_its_sentence),
		room_test(test_result_is_fetched_when_looked_at),
		room_test(test_a_kept_node_is_no_other_node),
		room_test(test_failed_names_suspects),
		room_test(test_log_is_told_and_tamed),
		room_test(test_tests_of_a_file),
		room_test(test_digest_of_the_caller),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
