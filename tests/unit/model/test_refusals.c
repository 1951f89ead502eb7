/* What a workflow file is refused for: every check, with its place, its words and its help. */
#include "load_test.h"

struct refusal {
	const char *yaml;
	const char *said;
};

#define NODES     "name: t\nnodes:\n"
#define NODE_A    NODES "  - id: a\n    bash: x\n"
#define NODES_A_B NODE_A "  - id: b\n    bash: x\n    depends_on: [a]\n"
#define WHOLE     "name: t\nnodes:\n  - id: a\n    bash: x\n"

static const struct refusal the_top_level[] = {
	{"- a\n", "1:1 E-WORKFLOW the file is a list, not a workflow\n"
		  "  a workflow begins with `name:` and `nodes:`\n"},
	{"just text\n", "1:1 E-WORKFLOW the file is a string, not a workflow\n"
			"  a workflow begins with `name:` and `nodes:`\n"},
	{"", "1:1 E-WORKFLOW the file is null, not a workflow\n"
	     "  a workflow begins with `name:` and `nodes:`\n"},
	{"name: t\n",
		"1:1 E-NODES the workflow has no `nodes`\n"
		"  write `nodes:` and below it `  - id: hello` with `    bash: echo hello`\n"},
	{"nodes:\n"
	 "  - id: a\n"
	 "    bash: x\n",
		"1:1 E-NAME the workflow has no `name`\n"
		"  add `name: my-workflow`\n"},
	{"name: 1st\n"
	 "nodes:\n"
	 "  - id: a\n"
	 "    bash: x\n",
		"1:7 E-NAME `1st` cannot be the name of a workflow\n"
		"  a name is a letter or _, then letters, digits, _ or -, at most 64\n"},
	{"name: [t]\n"
	 "nodes:\n"
	 "  - id: a\n"
	 "    bash: x\n",
		"1:7 E-FIELD-TYPE `name` is a list, not a string\n"},
	{"name: ''\n"
	 "nodes:\n"
	 "  - id: a\n"
	 "    bash: x\n",
		"1:7 E-NAME `` cannot be the name of a workflow\n"
		"  a name is a letter or _, then letters, digits, _ or -, at most 64\n"},
	{"name: t\n"
	 "description: 1\n"
	 "nodes:\n"
	 "  - id: a\n"
	 "    bash: x\n",
		"2:14 E-FIELD-TYPE `description` is a number, not a string\n"},
	{"name: t\n"
	 "nodes: []\n",
		"2:8 E-NODES `nodes` is empty\n"
		"  write a list: `nodes:` and below it `  - id: hello` with `    bash: echo hello`\n"},
	{"name: t\n"
	 "nodes: {a: 1}\n",
		"2:8 E-NODES `nodes` is a map\n"
		"  write a list: `nodes:` and below it `  - id: hello` with `    bash: echo hello`\n"},
	{"name: t\n"
	 "nodes:\n"
	 "  - x\n"
	 "  - id: a\n"
	 "    bash: x\n",
		"3:5 E-NODES node 1 is a string, not a mapping\n"
		"  write `- id: hello` and below it `  bash: echo hello`\n"},
	{"name: t\n"
	 "node: 1\n"
	 "nodes:\n"
	 "  - id: a\n"
	 "    bash: x\n",
		"2:1 E-FIELD-UNKNOWN a workflow has no field `node`\n"
		"  did you mean `nodes`?\n"},
	{"name: t\n"
	 "zzzzzzzz: 1\n"
	 "nodes:\n"
	 "  - id: a\n"
	 "    bash: x\n",
		"2:1 E-FIELD-UNKNOWN a workflow has no field `zzzzzzzz`\n"
		"  keys of your own begin with `x-`\n"},
	{"name: t\n"
	 "name: u\n"
	 "nodes:\n"
	 "  - id: a\n"
	 "    bash: x\n",
		"2:1 E-YAML-DUPLICATE-KEY the key 'name' stands twice in one map; first in line 1, column 1\n"
		"  remove one of them\n"},
	{"name: t\n"
	 "returns: [a]\n"
	 "nodes:\n"
	 "  - id: a\n"
	 "    bash: x\n",
		"2:10 E-FIELD-TYPE `returns` is a list, not a string\n"},
	{"name: t\n"
	 "returns: b\n"
	 "nodes:\n"
	 "  - id: a\n"
	 "    bash: x\n",
		"2:10 E-REF-UNKNOWN `returns` names `b`, which does not exist\n"},
	{"name: t\n"
	 "returns: something-else\n"
	 "nodes:\n"
	 "  - id: a\n"
	 "    bash: x\n",
		"2:10 E-REF-UNKNOWN `returns` names `something-else`, which does not exist\n"},
	{"name: t\n"
	 "policy: [1]\n"
	 "nodes:\n"
	 "  - id: a\n"
	 "    bash: x\n",
		"2:10 E-FIELD-TYPE item 1 of `policy` is a number, not a string\n"},
	{"name: t\n"
	 "policy: 1\n"
	 "nodes:\n"
	 "  - id: a\n"
	 "    bash: x\n",
		"2:9 E-FIELD-TYPE `policy` is a number, not a list of strings\n"},
};

static const struct refusal inputs_and_pools[] = {
	{WHOLE "inputs: [a]\n",
		"5:9 E-FIELD-TYPE `inputs` is a list, not a mapping of input names\n"},
	{WHOLE "inputs: {1x: {}}\n",
		"5:10 E-INPUT-NAME `1x` cannot be the name of an input\n"
		"  a name is a letter or _, then letters, digits, _ or -, at most 64\n"},
	{WHOLE "inputs: {a: text}\n", "5:13 E-FIELD-TYPE `a` is a string, not a mapping\n"
				      "  write `a: {type: string, required: true}`\n"},
	{WHOLE "inputs: {a: {type: int}}\n", "5:20 E-INPUT-TYPE there is no input type `int`\n"
					     "  one of string, number, boolean, json\n"},
	{WHOLE "inputs: {a: {type: 1}}\n", "5:20 E-FIELD-TYPE `type` is a number, not a string\n"},
	{WHOLE "inputs: {a: {required: yes}}\n",
		"5:24 E-FIELD-TYPE `required` is a string, not true or false\n"
		"  write `required: true` or `false`; in YAML 1.2 `yes` is a string\n"},
	{WHOLE "inputs: {a: {description: 1, kind: x}}\n",
		"5:27 E-FIELD-TYPE `description` is a number, not a string\n"
		"5:30 E-FIELD-UNKNOWN input `a` has no field `kind`\n"
		"  fields of an input are type, required, default and description\n"},
	{WHOLE "pools: 3\n", "5:8 E-FIELD-TYPE `pools` is a number, not a mapping\n"
			     "  write `pools: {gpu: 1}`\n"},
	{WHOLE "pools: {gpu: 0}\n",
		"5:14 E-FIELD-VALUE `gpu` is `0`, not a whole number from 1 to 10000\n"},
	{WHOLE "pools: {gpu: 10001, cpu: 1.5, net: many}\n",
		"5:14 E-FIELD-VALUE `gpu` is `10001`, not a whole number from 1 to 10000\n"
		"5:26 E-FIELD-VALUE `cpu` is `1.5`, not a whole number from 1 to 10000\n"
		"5:36 E-FIELD-VALUE `net` is `many`, not a whole number from 1 to 10000\n"},
};

static const struct refusal defaults[] = {
	{WHOLE "defaults: 1\n", "5:11 E-FIELD-TYPE `defaults` is a number, not a mapping\n"},
	{WHOLE "defaults: {timeuot: 1}\n",
		"5:12 E-FIELD-UNKNOWN `defaults` has no field `timeuot`\n"
		"  fields of `defaults` are timeout, retry, env and shell\n"},
	{WHOLE "defaults: {timeout: soon, retry: 3}\n",
		"5:21 E-FIELD-DURATION `timeout`: `soon` is not a duration\n"
		"  write a number of milliseconds, or a number with ms, s, m, h or d: `timeout: 30s`\n"
		"5:34 E-FIELD-TYPE `retry` is a number, not a mapping\n"
		"  write `retry: {max_attempts: 2}`\n"},
	{WHOLE "defaults: {timeout: 0}\n",
		"5:21 E-FIELD-DURATION a timeout of 0 would end the node at once\n"
		"  leave `timeout` out for no limit\n"},
	{WHOLE "defaults: {env: [A]}\n",
		"5:17 E-FIELD-TYPE `env` is a list, not a mapping of names to values\n"
		"  write `env: {NAME: value}`\n"},
	{WHOLE "defaults: {env: {1A: x, B: [1]}}\n",
		"5:18 E-ENV-NAME `env`: `1A` is not a name of an environment variable\n"
		"  names are letters, digits and _, and do not begin with a digit\n"
		"5:28 E-FIELD-TYPE `env.B` is a list, not text\n"},
	{WHOLE "defaults: {shell: -e}\n", "5:19 E-FIELD-TYPE `shell` is a string, not a mapping\n"
					  "  write `shell: {options: -eu}`\n"},
	{WHOLE "defaults: {shell: {options: [1]}}\n",
		"5:19 E-FIELD-TYPE `shell` has one field, `options`, which is a string\n"
		"  write `shell: {options: -eu}`\n"},
	{WHOLE "env: {A-B: x, C: {d: 1}}\n",
		"5:7 E-ENV-NAME `env`: `A-B` is not a name of an environment variable\n"
		"  names are letters, digits and _, and do not begin with a digit\n"
		"5:18 E-FIELD-TYPE `env.C` is a map, not text\n"},
	{WHOLE "env: A\n", "5:6 E-FIELD-TYPE `env` is a string, not a mapping of names to values\n"
			   "  write `env: {NAME: value}`\n"},
	{WHOLE "pass_env: [A, B=C, 1]\n",
		"5:20 E-FIELD-TYPE item 3 of `pass_env` is a number, not a string\n"},
	{WHOLE "pass_env: ['', 9X]\n",
		"5:12 E-ENV-NAME `pass_env`: `` is not a name of an environment variable\n"
		"  names are letters, digits and _, and do not begin with a digit\n"
		"5:16 E-ENV-NAME `pass_env`: `9X` is not a name of an environment variable\n"
		"  names are letters, digits and _, and do not begin with a digit\n"},
	{WHOLE "secrets: {A: 1}\n",
		"5:10 E-FIELD-TYPE `secrets` is a map, not a list of strings\n"},
	{WHOLE "secrets: 'A B'\n",
		"5:10 E-ENV-NAME `secrets`: `A B` is not a name of an environment variable\n"
		"  names are letters, digits and _, and do not begin with a digit\n"},
};

static const struct refusal ids_and_types[] = {
	{NODES "  - bash: x\n",
		"3:5 E-ID-MISSING node 1 has no `id`\n"
		"  add `id: some-name`; other nodes and commands call it by that\n"},
	{NODES "  - id: 1\n"
	       "    bash: x\n",
		"3:9 E-ID-NAME `1` cannot be an id\n"
		"  an id is a letter or _, then letters, digits, _ or -, at most 64; INPUTS and LOOP_PREV are reserved\n"},
	{NODES "  - id: a.b\n"
	       "    bash: x\n",
		"3:9 E-ID-NAME `a.b` cannot be an id\n"
		"  an id is a letter or _, then letters, digits, _ or -, at most 64; INPUTS and LOOP_PREV are reserved\n"},
	{NODES "  - id: [a]\n"
	       "    bash: x\n",
		"3:9 E-ID-NAME a list cannot be an id\n"
		"  an id is a letter or _, then letters, digits, _ or -, at most 64; INPUTS and LOOP_PREV are reserved\n"},
	{NODES "  - id: INPUTS\n"
	       "    bash: x\n",
		"3:9 E-ID-NAME `INPUTS` cannot be an id\n"
		"  an id is a letter or _, then letters, digits, _ or -, at most 64; INPUTS and LOOP_PREV are reserved\n"},
	{NODES "  - id: LOOP_PREV\n"
	       "    bash: x\n",
		"3:9 E-ID-NAME `LOOP_PREV` cannot be an id\n"
		"  an id is a letter or _, then letters, digits, _ or -, at most 64; INPUTS and LOOP_PREV are reserved\n"},
	{NODES "  - id: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"
	       "    bash: x\n",
		"3:9 E-ID-NAME `aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa` cannot be an id\n"
		"  an id is a letter or _, then letters, digits, _ or -, at most 64; INPUTS and LOOP_PREV are reserved\n"},
	{NODES "  - id: a\n"
	       "    bash: x\n"
	       "  - id: a\n"
	       "    bash: x\n"
	       "    tmeout: 1\n",
		"5:9 E-ID-DUPLICATE there are two nodes `a`\n"
		"  the first is on line 3; give this one another id\n"
		"7:5 E-FIELD-UNKNOWN node `a` has no field `tmeout`\n"
		"  did you mean `timeout`?\n"},
	{NODES "  - id: a\n",
		"3:5 E-TYPE-NONE node `a` has no type\n"
		"  add what it runs, for example `bash: echo hello`; `pawl types` lists the types\n"},
	{NODES "  - id: a\n"
	       "    bahs: x\n",
		"4:5 E-TYPE-NONE node `a` has no type\n"
		"  `bahs`: did you mean `bash`?\n"},
	{NODES "  - id: a\n"
	       "    docker: x\n",
		"4:5 E-TYPE-NONE node `a` has no type\n"
		"  `docker` is not a type that a plugin provides; `pawl types` lists them\n"},
	{NODES "  - id: a\n"
	       "    bash: x\n"
	       "    script: y\n",
		"5:5 E-TYPE-TWO node `a` has two types, `bash` and `script`\n"
		"  make two nodes of it, the second with `depends_on: [a]`\n"},
	{NODES "  - id: a\n"
	       "    prompt: do it\n",
		"4:5 E-TYPE-MISSING node `a` is of type `prompt`, which no plugin provides\n"
		"  install a plugin pawl_prompt.so (see `pawl types`), or write the step as `bash:` or `script:`\n"},
	{NODES "  - id: a\n"
	       "    command: x\n",
		"4:5 E-TYPE-MISSING node `a` is of type `command`, which no plugin provides\n"
		"  install a plugin pawl_command.so (see `pawl types`), or write the step as `bash:` or `script:`\n"},
	{NODES "  - id: a\n"
	       "    loop: {}\n",
		"4:5 E-TYPE-MISSING node `a` is of type `loop`, which no plugin provides\n"
		"  install a plugin pawl_loop.so (see `pawl types`), or write the step as `bash:` or `script:`\n"},
	{NODES "  - id: a\n"
	       "    approval: {massage: x}\n",
		"4:15 E-APPROVAL `approval` has no `message`\n"
		"  say what is to be approved: `message: Ship $build.output?`\n"
		"4:16 E-FIELD-UNKNOWN `approval` has no field `massage`\n"
		"  did you mean `message`?\n"},
	{NODES "  - id: a\n"
	       "    broken: x\n"
	       "  - id: b\n"
	       "    broken: x\n",
		"4:5 E-PLUGIN-LOAD pawl_broken.so: wrong version\n"},
	{NODES "  - id: a\n"
	       "    ghost: x\n",
		"4:5 E-TYPE-MISSING no plugin provides the type `ghost`\n"},
	{NODES "  - id: a\n"
	       "    bash: x\n"
	       "    runtime: python\n",
		"5:5 E-FIELD-UNKNOWN node `a` has no field `runtime`\n"
		"  keys of your own begin with `x-`\n"},
	{NODES "  - id: a\n"
	       "    script: x\n"
	       "    runtim: python\n",
		"5:5 E-FIELD-UNKNOWN node `a` has no field `runtim`\n"
		"  did you mean `runtime`?\n"},
	{NODES "  - id: a\n"
	       "    lua: x\n"
	       "    alwaysrun: true\n",
		"5:5 E-FIELD-UNKNOWN node `a` has no field `alwaysrun`\n"
		"  did you mean `always_run`?\n"},
	{NODES "  - id: a\n"
	       "    bash: x\n"
	       "    fan_out: {}\n",
		"5:14 E-FAN-OUT `fan_out` has no `items`\n"
		"  write `items: $list.output` or `items: [a, b]`\n"},
};

static const struct refusal plain_fields[] = {
	{WHOLE "    description: [x]\n",
		"5:18 E-FIELD-TYPE `description` is a list, not a string\n"},
	{WHOLE "    always_run: yes\n",
		"5:17 E-FIELD-TYPE `always_run` is a string, not true or false\n"
		"  write `always_run: true` or `false`; in YAML 1.2 `yes` is a string\n"},
	{WHOLE "    always_run: 1\n",
		"5:17 E-FIELD-TYPE `always_run` is a number, not true or false\n"},
	{WHOLE "    trigger_rule: all_sucess\n",
		"5:19 E-TRIGGER-RULE there is no trigger rule `all_sucess`\n"
		"  did you mean `all_success`?\n"},
	{WHOLE "    trigger_rule: sometimes\n",
		"5:19 E-TRIGGER-RULE there is no trigger rule `sometimes`\n"
		"  one of all_success, one_success, none_failed_min_one_success, all_done\n"},
	{WHOLE "    trigger_rule: 1\n",
		"5:19 E-FIELD-TYPE `trigger_rule` is a number, not a string\n"},
	{WHOLE "    timeout: 5 minutes\n",
		"5:14 E-FIELD-DURATION `timeout`: `5 minutes` is not a duration\n"
		"  write a number of milliseconds, or a number with ms, s, m, h or d: `timeout: 30s`\n"},
	{WHOLE "    timeout: [5]\n",
		"5:14 E-FIELD-TYPE `timeout` is a list, not a duration\n"
		"  write a number of milliseconds, or a number with ms, s, m, h or d: `timeout: 30s`\n"},
	{WHOLE "    timeout: 0\n",
		"5:14 E-FIELD-DURATION a timeout of 0 would end the node at once\n"
		"  leave `timeout` out for no limit\n"},
	{WHOLE "    timeout: -1\n",
		"5:14 E-FIELD-DURATION `timeout`: `-1` is not a duration\n"
		"  write a number of milliseconds, or a number with ms, s, m, h or d: `timeout: 30s`\n"},
	{WHOLE "    timeout: 1.5\n",
		"5:14 E-FIELD-DURATION `timeout`: `1.5` is not a duration\n"
		"  write a number of milliseconds, or a number with ms, s, m, h or d: `timeout: 30s`\n"},
	{WHOLE "    timeout: 99999999999999999999s\n",
		"5:14 E-FIELD-DURATION `timeout`: `99999999999999999999s` is not a duration\n"
		"  write a number of milliseconds, or a number with ms, s, m, h or d: `timeout: 30s`\n"},
	{WHOLE "    timeout: 18446744073709551615d\n",
		"5:14 E-FIELD-DURATION `timeout`: `18446744073709551615d` is not a duration\n"
		"  write a number of milliseconds, or a number with ms, s, m, h or d: `timeout: 30s`\n"},
	{WHOLE "    timeout: ms\n",
		"5:14 E-FIELD-DURATION `timeout`: `ms` is not a duration\n"
		"  write a number of milliseconds, or a number with ms, s, m, h or d: `timeout: 30s`\n"},
	{WHOLE "    tools: 1\n", "5:12 E-FIELD-TYPE `tools` is a number, not a list of strings\n"},
	{WHOLE "    tools: [jq, 1, {}]\n",
		"5:17 E-FIELD-TYPE item 2 of `tools` is a number, not a string\n"
		"5:20 E-FIELD-TYPE item 3 of `tools` is a map, not a string\n"},
	{WHOLE "    pool: [gpu]\n", "5:11 E-FIELD-TYPE `pool` is a list, not a string\n"},
	{WHOLE "    output_type: 1\n",
		"5:18 E-FIELD-TYPE `output_type` is a number, not a string\n"},
	{WHOLE "    dir: /tmp\n",
		"5:10 E-PATH-OUTSIDE `dir`: `/tmp` is not a path inside the project\n"
		"  paths are relative to the project and do not leave it; programs go into `tools`\n"},
	{WHOLE "    dir: [x]\n", "5:10 E-FIELD-TYPE `dir` is a list, not a string\n"},
	{WHOLE "    output_format: text\n",
		"5:20 E-FIELD-TYPE `output_format` is a string, not a JSON Schema (a mapping)\n"},
	{WHOLE "    ensure: text\n", "5:13 E-FIELD-TYPE `ensure` is a string, not a mapping\n"},
	{WHOLE "    output_format: {type: object}\n"
	       "    ensure: {output: {schema: {}}}\n",
		"5:5 E-FIELD-TWICE node `a` has both `output_format` and `ensure.output.schema`\n"
		"  `output_format` is short for the other; leave one of them out\n"},
	{WHOLE "    pass_env: [1A]\n",
		"5:16 E-ENV-NAME `pass_env`: `1A` is not a name of an environment variable\n"
		"  names are letters, digits and _, and do not begin with a digit\n"},
	{WHOLE "    secrets: 3\n",
		"5:14 E-FIELD-TYPE `secrets` is a number, not a list of strings\n"},
	{WHOLE "    env: {1A: x, B: [1], C: {}}\n",
		"5:11 E-ENV-NAME `env`: `1A` is not a name of an environment variable\n"
		"  names are letters, digits and _, and do not begin with a digit\n"
		"5:21 E-FIELD-TYPE `env.B` is a list, not text\n"
		"5:29 E-FIELD-TYPE `env.C` is a map, not text\n"},
	{WHOLE "    env: x\n",
		"5:10 E-FIELD-TYPE `env` is a string, not a mapping of names to values\n"
		"  write `env: {NAME: value}`\n"},
};

static const struct refusal retry_and_cache[] = {
	{WHOLE "    retry: 3\n", "5:12 E-FIELD-TYPE `retry` is a number, not a mapping\n"
				 "  write `retry: {max_attempts: 2}`\n"},
	{WHOLE "    retry: {max_attempts: 0}\n",
		"5:27 E-FIELD-VALUE `max_attempts` is `0`, not a whole number from 1 to 20\n"
		"  max_attempts counts the extra attempts after the first\n"},
	{WHOLE "    retry: {max_attempts: 21}\n",
		"5:27 E-FIELD-VALUE `max_attempts` is `21`, not a whole number from 1 to 20\n"
		"  max_attempts counts the extra attempts after the first\n"},
	{WHOLE "    retry: {max_attempts: two}\n",
		"5:27 E-FIELD-VALUE `max_attempts` is `two`, not a whole number from 1 to 20\n"
		"  max_attempts counts the extra attempts after the first\n"},
	{WHOLE "    retry: {attempts: 2, backoff: 0.5, delay_ms: later, on_error: never}\n",
		"5:13 E-FIELD-UNKNOWN `retry` has no field `attempts`\n"
		"5:35 E-FIELD-VALUE `backoff` is `0.5`, not a number from 1 to 100\n"
		"5:50 E-FIELD-DURATION `delay_ms`: `later` is not a duration\n"
		"  write a number of milliseconds, or a number with ms, s, m, h or d: `delay_ms: 30s`\n"
		"5:67 E-FIELD-VALUE `on_error` is `never`, not `all` or `transient`\n"},
	{WHOLE "    retry: {backoff: 101}\n",
		"5:22 E-FIELD-VALUE `backoff` is `101`, not a number from 1 to 100\n"},
	{WHOLE "    retry: {on_error: 1}\n",
		"5:23 E-FIELD-VALUE `on_error` is `1`, not `all` or `transient`\n"},
	{WHOLE "    retry: {on_eror: all}\n",
		"5:13 E-FIELD-UNKNOWN `retry` has no field `on_eror`\n"
		"  did you mean `on_error`?\n"},
	{WHOLE "    cache: 1\n", "5:12 E-FIELD-TYPE `cache` is a number, not false or a mapping\n"
				 "  write `cache: false` or `cache: {ttl: 24h}`\n"},
	{WHOLE "    cache: {tll: 1h}\n", "5:13 E-FIELD-UNKNOWN `cache` has no field `tll`\n"
					 "  did you mean `ttl`?\n"},
	{WHOLE "    cache: {ttl: long, policy: 1, key: {}, x: 1}\n",
		"5:18 E-FIELD-DURATION `ttl`: `long` is not a duration\n"
		"  write a number of milliseconds, or a number with ms, s, m, h or d: `ttl: 30s`\n"
		"5:32 E-FIELD-TYPE `policy` is a number, not a list of strings\n"
		"5:40 E-FIELD-TYPE `key` is a map, not a list of strings\n"
		"5:44 E-FIELD-UNKNOWN `cache` has no field `x`\n"},
};

static const struct refusal paths[] = {
	{WHOLE "    reads: /etc/passwd\n",
		"5:12 E-PATH-OUTSIDE `reads`: `/etc/passwd` is not a path inside the project\n"
		"  paths are relative to the project and do not leave it; programs go into `tools`\n"},
	{WHOLE "    reads: [a, ../b, c/../d, '', e/..]\n",
		"5:16 E-PATH-OUTSIDE `reads`: `../b` is not a path inside the project\n"
		"  paths are relative to the project and do not leave it; programs go into `tools`\n"
		"5:22 E-PATH-OUTSIDE `reads`: `c/../d` is not a path inside the project\n"
		"  paths are relative to the project and do not leave it; programs go into `tools`\n"
		"5:30 E-PATH-OUTSIDE `reads`: `` is not a path inside the project\n"
		"  paths are relative to the project and do not leave it; programs go into `tools`\n"
		"5:34 E-PATH-OUTSIDE `reads`: `e/..` is not a path inside the project\n"
		"  paths are relative to the project and do not leave it; programs go into `tools`\n"},
	{WHOLE "    reads: [1]\n",
		"5:13 E-FIELD-TYPE item 1 of `reads` is a number, not a string\n"},
	{WHOLE "    writes: ['..', ok]\n",
		"5:14 E-PATH-OUTSIDE `writes`: `..` is not a path inside the project\n"
		"  paths are relative to the project and do not leave it; programs go into `tools`\n"},
	{WHOLE "    writes: [../x, 2]\n",
		"5:20 E-FIELD-TYPE item 2 of `writes` is a number, not a string\n"},
	{WHOLE "    dir: ../x\n",
		"5:10 E-PATH-OUTSIDE `dir`: `../x` is not a path inside the project\n"
		"  paths are relative to the project and do not leave it; programs go into `tools`\n"},
};

static const struct refusal with[] = {
	{NODES_A_B "    with: [x]\n",
		"8:11 E-FIELD-TYPE `with` is a list, not a mapping of names to values\n"
		"  write `with: {NAME: value}`\n"},
	{NODES_A_B "    with: {1x: y}\n",
		"8:12 E-WITH-NAME `with`: `1x` is not a name\n"
		"  a name is a letter or _, then letters, digits, _ or -, at most 64\n"},
	{NODES_A_B "    with: {a-b: 1, a_b: 2, A_B: 3}\n",
		"8:20 E-WITH-NAME `a-b` and `a_b` would both be the variable INPUTS_A_B\n"
		"  rename one of them\n"
		"8:28 E-WITH-NAME `a_b` and `A_B` would both be the variable INPUTS_A_B\n"
		"  rename one of them\n"},
	{NODES_A_B "    with: {x: {from: text}}\n", "8:22 E-WITH-FROM `from` is not one reference\n"
						    "  write `from: $node.output.field`\n"},
	{NODES_A_B "    with: {x: {from: $a.output and more}}\n",
		"8:22 E-WITH-FROM `from` is not one reference\n"
		"  write `from: $node.output.field`\n"},
	{NODES_A_B "    with: {x: {from: $a.output, if_skiped: 1}}\n",
		"8:33 E-FIELD-UNKNOWN `x` has no field `if_skiped`\n"
		"  did you mean `if_skipped`?\n"},
	{NODES_A_B "    with: {x: {from: [1]}}\n", "8:22 E-WITH-FROM `from` is not one reference\n"
						   "  write `from: $node.output.field`\n"},
	{NODES_A_B "    with: {x: {from: $c.output}}\n",
		"8:22 E-REF-UNKNOWN `with` of node `b` names `c`, which does not exist\n"},
};

static const struct refusal when[] = {
	{NODES_A_B "    when: [x]\n", "8:11 E-FIELD-TYPE `when` is a list, not a string\n"},
	{NODES_A_B "    when: $a.output = 'x'\n",
		"8:21 E-WHEN-SYNTAX '=' is not an operator of conditions\n"
		"  write '=='\n"},
	{NODES_A_B "    when: '$a.output == x'\n", "8:25 E-WHEN-SYNTAX 'x' is not quoted\n"
						   "  write 'x'\n"},
	{NODES_A_B "    when: $a.state == 'done'\n",
		"8:11 E-WHEN-NEVER `when` can never be true: $a.state == 'done': a state is completed, failed, skipped or cancelled\n"
		"  correct what it is compared with, or take the node out\n"},
	{NODES_A_B "    when: $c.output == 'x'\n",
		"8:11 E-REF-UNKNOWN `when` of node `b` names `c`, which does not exist\n"},
	{NODES_A_B "    when: $b.output == 'x'\n",
		"8:11 E-REF-UPSTREAM `when` of node `b` names the node itself\n"
		"  a node has no output before it has run; name one that runs before it\n"},
	{NODES_A_B "    when: \"$INPUTS.mode == 'x'\"\n",
		"8:12 E-REF-INPUT `when` of node `b` names the input `mode`, which the workflow does not declare\n"
		"  declare it: `inputs: {mode: {type: string}}`\n"},
};

static const struct refusal references[] = {
	{NODES_A_B "    with: {x: $aa.output}\n",
		"8:15 E-REF-UNKNOWN `with` of node `b` names `aa`, which does not exist\n"
		"  did you mean `a`?\n"},
	{NODES_A_B "    with: {x: see $b.output}\n",
		"8:19 E-REF-UPSTREAM `with` of node `b` names the node itself\n"
		"  a node has no output before it has run; name one that runs before it\n"},
	{NODES_A_B "    with: {x: $zebra.output}\n",
		"8:15 E-REF-UNKNOWN `with` of node `b` names `zebra`, which does not exist\n"},
	{NODES_A_B "    env: {X: 'say $INPUTS.name'}\n",
		"8:19 E-REF-INPUT `env` of node `b` names the input `name`, which the workflow does not declare\n"
		"  declare it: `inputs: {name: {type: string}}`\n"},
	{NODES_A_B "    env: {X: \"$c.output\\n$d.output\"}\n",
		"8:14 E-REF-UNKNOWN `env` of node `b` names `c`, which does not exist\n"
		"8:14 E-REF-UNKNOWN `env` of node `b` names `d`, which does not exist\n"},
	{NODES_A_B "    env:\n"
		   "      X: |\n"
		   "        $c.output\n",
		"9:10 E-REF-UNKNOWN `env` of node `b` names `c`, which does not exist\n"},
	{NODES_A_B "    cache: {key: [ok, 'v$c.output']}\n",
		"8:25 E-REF-UNKNOWN `cache.key` of node `b` names `c`, which does not exist\n"},
	{NODES_A_B "    cache: {key: $b.output}\n",
		"8:18 E-REF-UPSTREAM `cache.key` of node `b` names the node itself\n"
		"  a node has no output before it has run; name one that runs before it\n"},
	{NODES_A_B "  - id: c\n"
		   "    bash: x\n"
		   "    with: {x: $a.output, y: $b.state}\n",
		"10:15 E-REF-UPSTREAM `with` of node `c` names `a`, which does not run before it\n"
		"  add `a` to `depends_on` of `c`\n"
		"10:29 E-REF-UPSTREAM `with` of node `c` names `b`, which does not run before it\n"
		"  add `b` to `depends_on` of `c`\n"},
	{NODES_A_B "    with: {x: $c.output.f}\n"
		   "  - id: c\n"
		   "    bash: x\n"
		   "    depends_on: b\n",
		"8:15 E-REF-UPSTREAM `with` of node `b` names `c`, which runs after it\n"
		"  `c` depends on `b`: only one of them can wait for the other\n"},
};

static const struct refusal dependencies[] = {
	{NODES "  - {id: a, bash: x, depends_on: [b]}\n",
		"3:35 E-DEP-UNKNOWN node `a` depends on `b`, which does not exist\n"},
	{NODES "  - {id: build, bash: x}\n"
	       "  - {id: b, bash: x, depends_on: [biuld, 1, zzz]}\n",
		"4:35 E-DEP-UNKNOWN node `b` depends on `biuld`, which does not exist\n"
		"  did you mean `build`?\n"
		"4:42 E-FIELD-TYPE an item of `depends_on` is a number, not an id\n"
		"4:45 E-DEP-UNKNOWN node `b` depends on `zzz`, which does not exist\n"},
	{NODES "  - {id: a, bash: x, depends_on: a}\n",
		"3:34 E-DEP-CYCLE node `a` depends on itself\n"
		"  take it out of its own `depends_on`\n"},
	{NODES "  - {id: a, bash: x, depends_on: {b: 1}}\n",
		"3:34 E-FIELD-TYPE an item of `depends_on` is a map, not an id\n"},
	{NODES "  - {id: a, bash: x, depends_on: b}\n"
	       "  - {id: b, bash: x, depends_on: [c, d]}\n"
	       "  - {id: c, bash: x, depends_on: a}\n"
	       "  - {id: d, bash: x}\n"
	       "  - {id: e, bash: x, depends_on: c}\n",
		"3:5 E-DEP-CYCLE the nodes depend on each other in a circle: a -> b -> c -> a\n"
		"  take one of these out of the `depends_on` of the node before it\n"},
	{NODES "  - {id: a, bash: x, depends_on: b}\n"
	       "  - {id: b, bash: x, depends_on: a}\n"
	       "  - {id: c, bash: x, depends_on: d}\n"
	       "  - {id: d, bash: x, depends_on: c}\n"
	       "  - {id: e, bash: x, depends_on: [a, c], pool: gpu, env: {A: $z.output}}\n",
		"3:5 E-DEP-CYCLE the nodes depend on each other in a circle: a -> b -> a\n"
		"  take one of these out of the `depends_on` of the node before it\n"
		"5:5 E-DEP-CYCLE the nodes depend on each other in a circle: c -> d -> c\n"
		"  take one of these out of the `depends_on` of the node before it\n"
		"7:48 E-POOL-UNKNOWN there is no pool `gpu`\n"
		"  declare it at the top: `pools: {gpu: 1}`\n"
		"7:62 E-REF-UNKNOWN `env` of node `e` names `z`, which does not exist\n"},
	{NODES "  - {id: a, bash: x, pool: gpu}\n", "3:28 E-POOL-UNKNOWN there is no pool `gpu`\n"
						    "  declare it at the top: `pools: {gpu: 1}`\n"},
	{NODES "  - {id: a, bash: x, pool: gup}\n"
	       "pools: {gpu: 1}\n",
		"3:28 E-POOL-UNKNOWN there is no pool `gup`\n"
		"  did you mean `gpu`?\n"},
};

static const struct refusal writers[] = {
	{NODES "  - {id: a, bash: x, writes: out}\n"
	       "  - {id: b, bash: x, writes: [log, out]}\n",
		"4:36 E-WRITES-OVERLAP nodes `a` and `b` both write `out`\n"
		"  give each a path of its own; a third node can merge them\n"},
	{NODES "  - {id: a, bash: x, writes: out/part/one}\n"
	       "  - {id: b, bash: x, writes: out}\n",
		"4:30 E-WRITES-OVERLAP node `b` writes `out`, and node `a` writes `out/part/one` in it\n"
		"  give each a path of its own; a third node can merge them\n"},
	{NODES "  - {id: a, bash: x, writes: out}\n"
	       "  - {id: b, bash: x, writes: out-b}\n"
	       "  - {id: c, bash: x, writes: out/c}\n",
		"5:30 E-WRITES-OVERLAP node `a` writes `out`, and node `c` writes `out/c` in it\n"
		"  give each a path of its own; a third node can merge them\n"},
	{NODES "  - {id: a, bash: x, writes: [out, out/x]}\n"
	       "  - {id: b, bash: x, writes: out/y}\n",
		"4:30 E-WRITES-OVERLAP node `a` writes `out`, and node `b` writes `out/y` in it\n"
		"  give each a path of its own; a third node can merge them\n"},
	{NODES "  - {id: a, bash: x, writes: ./out//x/}\n"
	       "  - {id: b, bash: x, writes: out/x}\n",
		"4:30 E-WRITES-OVERLAP nodes `a` and `b` both write `out/x`\n"
		"  give each a path of its own; a third node can merge them\n"},
	{NODES "  - {id: a, bash: x, writes: $ARTIFACTS_DIR/r}\n"
	       "  - {id: b, bash: x, writes: $ARTIFACTS_DIR/r/s}\n",
		"4:30 E-WRITES-OVERLAP node `a` writes `$ARTIFACTS_DIR/r`, and node `b` writes `$ARTIFACTS_DIR/r/s` in it\n"
		"  give each a path of its own; a third node can merge them\n"},
	{NODES "  - {id: a, bash: x, writes: o}\n"
	       "  - {id: b, bash: x, writes: o}\n"
	       "  - {id: c, bash: x, writes: o}\n",
		"4:30 E-WRITES-OVERLAP nodes `a` and `b` both write `o`\n"
		"  give each a path of its own; a third node can merge them\n"
		"5:30 E-WRITES-OVERLAP nodes `b` and `c` both write `o`\n"
		"  give each a path of its own; a third node can merge them\n"},
	{NODES "  - {id: a, bash: x, writes: .}\n"
	       "  - {id: b, bash: x, writes: o}\n",
		"4:30 E-WRITES-OVERLAP node `a` writes `.`, and node `b` writes `o` in it\n"
		"  give each a path of its own; a third node can merge them\n"},
};

static void assert_refused(const struct refusal *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct test_types types = {0};
		struct buf said = {0};
		struct workflow *wf = test_load(&types, str_of(cases[i].yaml), &said);
		if (strcmp(buf_cstr(&said), cases[i].said) != 0)
			fail_msg("%s\nsays\n%snot\n%s", cases[i].yaml, buf_cstr(&said),
				cases[i].said);
		assert_null(wf);
		buf_finish(&said);
		arena_finish(&types.arena);
	}
}

static void refuses_the_top_level(void **state)
{
	(void)state;
	assert_refused(the_top_level, sizeof(the_top_level) / sizeof(the_top_level[0]));
}

static void refuses_inputs_and_pools(void **state)
{
	(void)state;
	assert_refused(inputs_and_pools, sizeof(inputs_and_pools) / sizeof(inputs_and_pools[0]));
}

static void refuses_defaults(void **state)
{
	(void)state;
	assert_refused(defaults, sizeof(defaults) / sizeof(defaults[0]));
}

static void refuses_ids_and_types(void **state)
{
	(void)state;
	assert_refused(ids_and_types, sizeof(ids_and_types) / sizeof(ids_and_types[0]));
}

static void refuses_plain_fields(void **state)
{
	(void)state;
	assert_refused(plain_fields, sizeof(plain_fields) / sizeof(plain_fields[0]));
}

static void refuses_retry_and_cache(void **state)
{
	(void)state;
	assert_refused(retry_and_cache, sizeof(retry_and_cache) / sizeof(retry_and_cache[0]));
}

static void refuses_paths(void **state)
{
	(void)state;
	assert_refused(paths, sizeof(paths) / sizeof(paths[0]));
}

static void refuses_with(void **state)
{
	(void)state;
	assert_refused(with, sizeof(with) / sizeof(with[0]));
}

static void refuses_when(void **state)
{
	(void)state;
	assert_refused(when, sizeof(when) / sizeof(when[0]));
}

static void refuses_references(void **state)
{
	(void)state;
	assert_refused(references, sizeof(references) / sizeof(references[0]));
}

static void refuses_dependencies(void **state)
{
	(void)state;
	assert_refused(dependencies, sizeof(dependencies) / sizeof(dependencies[0]));
}

static void refuses_writers(void **state)
{
	(void)state;
	assert_refused(writers, sizeof(writers) / sizeof(writers[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_the_top_level),
		cmocka_unit_test(refuses_inputs_and_pools),
		cmocka_unit_test(refuses_defaults),
		cmocka_unit_test(refuses_ids_and_types),
		cmocka_unit_test(refuses_plain_fields),
		cmocka_unit_test(refuses_retry_and_cache),
		cmocka_unit_test(refuses_paths),
		cmocka_unit_test(refuses_with),
		cmocka_unit_test(refuses_when),
		cmocka_unit_test(refuses_references),
		cmocka_unit_test(refuses_dependencies),
		cmocka_unit_test(refuses_writers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
