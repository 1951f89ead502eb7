#!/usr/bin/env bats
# `pawl policy test`: a policy's own tests, and what its rules say of stored results.
load helpers

setup() {
	pawl_setup
	mkdir policies
	workflow w <<-'YAML'
		name: w
		nodes:
		  - id: fetch
		    description: gets rows
		    tags: [db]
		    x-team: core
		    bash: "echo 'ERROR: no route'"
		    reads: []
		  - id: build
		    depends_on: [fetch]
		    bash: echo built
		    reads: []
	YAML
	cat >policies/p.lua <<-'LUA'
		local policy = { api = 1, env = { "TEAM" } }
		function policy.key(node)
		  if node.tags.db then return { team = node["x-team"], says = node.description, env = pawl.env("TEAM") } end
		end
		function policy.reuse(node, result)
		  if result.output:find("ERROR", 1, true) then return false, "says ERROR" end
		end
		function policy.test_error(t)
		  t.runs({}, { output = "ERROR" }, "says ERROR")
		end
		return policy
	LUA
}

@test "without stored results its tests run" {
	ok pawl policy test policies/p.lua
	says "ok      test_error"
	says "1 test, 0 failed"
	says "nothing has run yet"
}

@test "it says of each stored result what would happen and why" {
	ok pawl run w
	TEAM=blue ok pawl policy test policies/p.lua
	says "w/fetch"
	says "says ERROR (policies/p.lua:6); key: env = blue, says = gets rows, team = core"
	says "no objection"
}

@test "--run asks about the results of one run" {
	ok pawl run w
	workflow other <<-'YAML'
		name: other
		nodes:
		  - id: lonely
		    bash: echo x
	YAML
	ok pawl run other
	ok pawl policy test policies/p.lua --run 1
	says "w/fetch"
	says_not "lonely"
	ok pawl policy test policies/p.lua --run last
	says "other/lonely"
	says_not "w/fetch"
	exits 2 pawl policy test policies/p.lua --run 99
	says "there is no run 99"
	exits 2 pawl policy test policies/p.lua --run x
}

@test "it changes nothing" {
	ok pawl run w
	before=$(sha256sum .pawl/state/pawl.db)
	ok pawl policy test policies/p.lua
	[ "$before" = "$(sha256sum .pawl/state/pawl.db)" ]
}

@test "a failed test and a rule that fails give 1" {
	cat >policies/bad.lua <<-'LUA'
		return { api = 1, test_x = function(t)
		  t.equal({ 1 }, { 2 })
		end }
	LUA
	exits 1 pawl policy test policies/bad.lua
	says "failed  test_x: policies/bad.lua:2: got {1}, want {2}"
	ok pawl run w
	cat >policies/bad.lua <<-'LUA'
		return { api = 1, reuse = function(node, result)
		  while true do pcall(error) end
		end }
	LUA
	exits 1 pawl policy test policies/bad.lua
	says "its policy can't tell: ran out of its budget of 1,000,000 instructions (policies/bad.lua:2)"
}

@test "a run names file and line of what is wrong, also where the table is on one line" {
	sed -i '1a policy: [policies/p.lua]' .pawl/workflows/w.yaml
	echo 'return { api = 1, resue = function() end, failed = 5 }' >policies/p.lua
	exits 2 pawl run w
	says "E-POLICY-FIELD"
	says "policies/p.lua:1:19"
	says "did you mean 'reuse'?"
	exits 2 pawl policy test policies/p.lua
	says "policies/p.lua:1:19"
	says "policies/p.lua:1:43"
	: >policies/p.lua
	exits 2 pawl run w
	says "policies/p.lua:1:1"
	says "the policy returns nothing"
}

@test "lint sees a policy file that is not there, and runs none" {
	sed -i '1a policy: [policies/p.lua]' .pawl/workflows/w.yaml
	ok pawl lint w
	says_not "warning"
	echo 'error("a policy was run")' >policies/p.lua
	ok pawl lint w
	rm policies/p.lua
	exits 2 pawl lint w
	says "E-POLICY-MISSING"
	says "w.yaml:2"
	sed -i 's/tags: .*/tags: 5/' .pawl/workflows/w.yaml
	exits 2 pawl lint w
	says "tags"
}

@test "a wrong field in a test is told at the test's line" {
	printf 'return { api = 1, reuse = function() end,\n test_x = function(t)\n  t.reuses({}, {agee = 1})\n end }\n' >policies/p.lua
	exits 1 pawl policy test policies/p.lua
	says "failed  test_x: policies/p.lua:3: a result has no field agee"
}

@test "a wrong file gives 2, with the line" {
	printf 'return {\n  api = 1,\n  reues = 1,\n}\n' >policies/bad.lua
	exits 2 pawl policy test policies/bad.lua
	says "E-POLICY-FIELD"
	says "policies/bad.lua:3:3"
	says "did you mean 'reuse'?"
	exits 2 pawl policy test policies/none.lua
	says "there is no policy file policies/none.lua"
	cp policies/p.lua "$BATS_TEST_TMPDIR/out.lua"
	exits 2 pawl policy test "$BATS_TEST_TMPDIR/out.lua"
	says "is not in the project"
	exits 2 pawl policy test
	exits 2 pawl policy tset policies/p.lua
}

@test "--json is one object a line" {
	ok pawl run w
	ok pawl policy test policies/p.lua --json
	says '"object":"policy_test","test":"test_error","line":8,"passed":true,"message":""}'
	says '"node":"fetch","decision":"run","sentence":"says ERROR (policies/p.lua:6)","key":"'
	says '"node":"build","decision":"reuse","sentence":"","key":""}'
	while read -r line; do
		printf '%s' "$line" | python3 -c 'import json, sys; json.load(sys.stdin)'
	done <<<"$output"
}
