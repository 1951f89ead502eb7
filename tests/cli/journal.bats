#!/usr/bin/env bats
# What happened in a run, over all tries and attempts; logs as nodes end.

load helpers

@test "show --events tells of every try and attempt" {
	workflow flaky <<-'YAML'
		name: flaky
		nodes:
		  - id: a
		    retry: {max_attempts: 1, delay_ms: 10}
		    bash: |
		      if [ -e mended ]; then echo good; else echo bad >&2; exit 3; fi
		  - id: b
		    depends_on: a
		    bash: echo "$a.output"
	YAML
	exits 1 pawl run flaky
	touch mended
	ok pawl resume
	ok pawl show 1/a --events
	says "started   a"
	says "retry     a  exit 3"
	says "failed    a  exit 3"
	says "completed a (attempt 2)"
	says_not "  b "
	ok pawl show 1 --events --json
	python3 -c '
import json, sys
events = [json.loads(line) for line in sys.argv[1].splitlines()]
assert [e["seq"] for e in events] == sorted(e["seq"] for e in events)
assert {"started", "retry", "ended"} == {e["kind"] for e in events}, events
assert events[-1]["node"] == "b" and events[-1]["data"]["state"] == "completed"
' "$output"
}

@test "logs -f prints nodes as they end and stops with the run" {
	workflow slow <<-'YAML'
		name: slow
		nodes:
		  - id: first
		    bash: echo one
		  - id: second
		    depends_on: first
		    bash: sleep 1; echo two
	YAML
	pawl run slow -q &
	runner=$!
	wait_for .pawl/state/runs/1
	ok pawl logs 1 -f
	says "first | one"
	says "second | two"
	wait "$runner"
}
