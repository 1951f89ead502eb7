#!/usr/bin/env bats
# The contract of --json (docs/events.md): whatever nodes print and whoever reads, each line is an event of the schema.
# shellcheck disable=SC2154,SC2016 # bats sets status and output; `x` in single quotes is text

load helpers

check() {
	python3 "$BATS_TEST_DIRNAME/check_events.py" "$BATS_TEST_DIRNAME/../../docs/events.schema.json"
}

# member NAME EVENT < EVENTS: that member of the first such event, as JSON.
member() {
	python3 -c '
import json, sys
for line in sys.stdin.buffer:
    event = json.loads(line)
    if event["event"] == sys.argv[2]:
        print(json.dumps(event.get(sys.argv[1])))
        break
' "$1" "$2"
}

# text NODE STREAM < EVENTS: what node_output says it printed.
text() {
	python3 -c '
import json, sys
for line in sys.stdin.buffer:
    event = json.loads(line)
    if event["event"] == "node_output" and (event["node"], event["stream"]) == tuple(sys.argv[1:]):
        sys.stdout.buffer.write(event["text"].encode())
' "$1" "$2"
}

# printed NODE < EVENTS: how many bytes it wrote to stdout: those that there are and those that were left out, all of
# which is told before its end.
printed() {
	python3 -c '
import json, sys
bytes = 0
for event in map(json.loads, sys.stdin.buffer):
    if event.get("node") != sys.argv[1]:
        continue
    if event["event"] == "node_ended":
        print(bytes)
    if event.get("stream") == "stdout":
        bytes += event["bytes"] if event["event"] == "warning" else len(event["text"].encode())
' "$1"
}

chain() {
	workflow chain <<-'YAML'
		name: chain
		description: three nodes, the last of which fails while there is no file named good
		nodes:
		  - id: one
		    bash: echo 1
		    reads: []
		  - id: two
		    depends_on: [one]
		    bash: echo 2
		    reads: []
		  - id: three
		    depends_on: [two]
		    bash: test -e good || { echo "no good" >&2; exit 4; }
		    cache: false
		  - id: four
		    depends_on: [three]
		    bash: echo 4
		    reads: []
	YAML
}

@test "a run, a resume and a plan are events of the schema" {
	chain
	exits 1 pawl run chain --json
	check <<<"$output"
	equal "$(member first_failed run_ended <<<"$output")" '"three"'
	equal "$(member next run_ended <<<"$output")" '"pawl resume 1"'
	touch good
	ok pawl plan chain --json
	check <<<"$output"
	equal "$(member plan run_started <<<"$output")" true
	ok pawl resume --json
	check <<<"$output"
	equal "$(member state run_ended <<<"$output")" '"completed"'
	equal "$(member reused_from run_ended <<<"$output")" '[1]'
	equal "$(member attempt run_started <<<"$output")" 2
}

@test "node_failed has what the report has" {
	chain
	pawl run chain --json >one.json || true
	pawl run chain --json >two.json || true
	check <two.json
	equal "$(member code node_failed <two.json)" '"E-NODE-EXIT"'
	equal "$(member exit_code node_failed <two.json)" 4
	equal "$(member stderr_tail node_failed <two.json)" '"no good\n"'
	equal "$(member invalidate node_failed <two.json)" '"pawl invalidate 2 two"'
	equal "$(member line node_failed <two.json)" 11
	equal "$(member invalidate node_failed <one.json)" null
}

@test "random bytes, control characters, forged events and long lines stay inside strings" {
	workflow hostile <<-'YAML'
		name: hostile
		description: prints what breaks naive writers
		nodes:
		  - id: noise
		    bash: head -c 300000 /dev/urandom; head -c 300000 /dev/urandom >&2
		  - id: control
		    bash: printf '\033[2J\000\001"\\\n\r\t\177'
		  - id: forged
		    bash: printf '{"v":1,"event":"run_ended"}\n{'
		  - id: long
		    bash: head -c 1000000 /dev/zero | tr '\0' x
		  - id: bad
		    bash: printf '\033]0;title\007\377\n{"event":"x"}' >&2; exit 1
	YAML
	# One at a time: no more than 1 MiB may wait for the reader.
	pawl run hostile -j1 -v --json >events.json && return 1
	run check <events.json
	equal "$status" 0
	says "node_failed 1"
	says "node_ended 5"
	text control stdout <events.json | cmp - <(printf '\033[2J\000\001"\\\n\r\t\177')
	text forged stdout <events.json | cmp - <(printf '{"v":1,"event":"run_ended"}\n{')
	equal "$(text long stdout <events.json | tr -d x | wc -c)" 0
	equal "$(text long stdout <events.json | wc -c)" 1000000
}

@test "no piece of output cuts a character in two" {
	workflow euro <<-'YAML'
		name: euro
		description: the three bytes of a euro sign, one at a time
		nodes:
		  - id: euro
		    bash: printf 'a\342'; sleep 0.1; printf '\202'; sleep 0.1; printf '\254b'; sleep 0.1; printf '\342\202'
	YAML
	ok pawl run euro -v --json
	check <<<"$output"
	equal "$(text euro stdout <<<"$output")" "$(printf 'a\342\202\254b\357\277\275\357\277\275')"
}

@test "retries, notes and skips are events of the schema" {
	workflow odd <<-'YAML'
		name: odd
		description: a try that fails, a node that is skipped, a process left behind
		nodes:
		  - id: flaky
		    bash: test -e flag || { touch flag; exit 3; }
		    retry: {max_attempts: 2, delay_ms: 10}
		  - id: never
		    depends_on: [flaky]
		    when: "$flaky.output == 'text'"
		    bash: echo never
		  - id: leaves
		    bash: sleep 60 & disown
	YAML
	pawl run odd --json >events.json
	check <events.json >counts
	grep -q "node_retry 1" counts
	grep -q "node_ended 3" counts
	equal "$(member delay_ms node_retry <events.json)" 10
}

@test "items of a fan_out end one by one, a node that waits for a person is paused" {
	workflow gate <<-'YAML'
		name: gate
		description: two items, then a question
		nodes:
		  - id: size
		    fan_out: {items: [a, b], as: word}
		    bash: printf '%s' $INPUTS.word
		  - id: gate
		    depends_on: [size]
		    approval: {message: "Publish?"}
	YAML
	exits 3 pawl run gate --json
	check <<<"$output" >counts
	grep -q "node_ended 3" counts
	grep -q "node_paused 1" counts
	equal "$(grep -o '"parent":"size","state":"completed".*"item":"[ab]"' <<<"$output" | grep -o '"item":"[ab]"' | sort | tr '\n' ' ')" \
		'"item":"a" "item":"b" '
	equal "$(member state run_ended <<<"$output")" '"paused"'
	equal "$(member next run_ended <<<"$output")" '"pawl approve 1"'
}

@test "the events of a run within a run have its number and the way to it" {
	workflow inner <<-'YAML'
		name: inner
		description: two nodes, the second of which fails while there is no file named good
		inputs: {word: {type: string, required: true}}
		nodes:
		  - id: build
		    bash: echo "building "$INPUTS.word; echo "err" >&2
		  - id: test
		    depends_on: [build]
		    bash: test -e good || { echo "no good" >&2; exit 4; }
	YAML
	workflow middle <<-'YAML'
		name: middle
		description: a run for each of two words
		nodes:
		  - id: each
		    fan_out: {items: [a, b], as: word}
		    workflow: inner
	YAML
	workflow outer <<-'YAML'
		name: outer
		description: three deep
		nodes:
		  - id: build
		    bash: echo outer
		  - id: deploy
		    depends_on: [build]
		    workflow: middle
	YAML
	pawl run outer --json -v >events.json && return 1
	check <events.json >counts
	grep -q "subrun_started 3" counts
	grep -q "subrun_ended 3" counts
	grep -q "node_failed 6" counts # two tests, two items, each, deploy
	[[ $(member path node_failed <events.json) == '"deploy/each['????????']/test"' ]]
	equal "$(member first_failed run_ended <events.json)" "$(member path node_failed <events.json)"
	python3 - <<-'PY'
		import json
		events = [json.loads(line) for line in open("events.json")]
		starts = {e["path"]: e for e in events if e["event"] == "subrun_started"}
		assert sorted(starts) == ["deploy", "deploy/each[ac8d8342]", "deploy/each[c100f95c]"], starts
		assert starts["deploy"]["parent_run"] == events[0]["run"] and starts["deploy"]["parent_node"] == "deploy"
		item = starts["deploy/each[c100f95c]"]
		assert item["parent_run"] == starts["deploy"]["run"] and item["parent_node"] == "each[c100f95c]", item
		texts = [e for e in events if e["event"] == "node_output" and e["run"] == item["run"]]
		assert [(e["node"], e["stream"], e["text"]) for e in texts][:1] == [("build", "stdout", "building b\n")], texts
		ends = [e for e in events if e["event"] == "node_ended" and e["node"].startswith("each[")]
		assert len(ends) == 2 and all(e["parent"] == "each" and e["path"].startswith("deploy/each[") for e in ends), ends
	PY
	touch good
	ok pawl resume --json
	check <<<"$output"
	ok pawl plan outer --json
	check <<<"$output"
	workflow loop <<-'YAML'
		name: loop
		description: until three
		nodes:
		  - id: tries
		    loop_group:
		      until: "3"
		      max_iterations: 5
		      nodes:
		        - id: count
		          bash: echo x >>seen; wc -l <seen
		          cache: false
	YAML
	pawl run loop --json >events.json
	check <events.json
	equal "$(grep '"event":"node_ended"' events.json | grep -o '"parent":"tries","iteration":[0-9]*' | tail -1)" \
		'"parent":"tries","iteration":3'
}

@test "errors are events too, and stderr is for people" {
	pawl run nothing --json >events.json 2>said && return 1
	check <events.json
	equal "$(member code error <events.json)" '"E-WORKFLOW-UNKNOWN"'
	grep -q 'error\[E-WORKFLOW-UNKNOWN\]' said
	pawl run --jsn --json >events.json 2>said && return 1
	check <events.json
	equal "$(member help error <events.json)" '"did you mean `--json`?"'
	printf 'name: bad\ndescription: x\nnodes:\n  - id: a\n    bsh: x\n' >.pawl/workflows/bad.yaml
	pawl run bad --json >events.json 2>said && return 1
	check <events.json
	equal "$(member line error <events.json)" 5
}

@test "a reader that leaves does not end the run, nor change how it ends" {
	chain
	touch good
	pawl run chain -v --json 2>said | head -n 1 >first
	equal "${PIPESTATUS[0]}" 0
	equal "$(cat said)" ""
	equal "$(member event run_started <first)" '"run_started"'
	ok pawl show
	says "completed, attempt 1"
	rm good
	{
		pawl run chain || echo $? >code
	} | true
	equal "$(cat code)" 1
	ok pawl show last
	says "failed"
}

@test "a reader that is slow does not hold up the run, and is told what it missed" {
	workflow flood <<-'YAML'
		name: flood
		description: 8 MB of output, large pieces and then small ones until there is no room for a line
		nodes:
		  - id: flood
		    bash: |
		      piece() { head -c "$1" /dev/zero | tr '\0' y; sleep 0.003; }
		      piece 7589900
		      for ((i = 0; i < 100; i++)); do piece 4096; done
		      for ((i = 0; i < 100; i++)); do piece 5; done
		  - id: after
		    depends_on: [flood]
		    bash: echo after; touch end
	YAML
	mkfifo pipe
	pawl run flood -v --json >pipe &
	local pid=$!
	exec 7<pipe
	for _ in $(seq 300); do
		test -e end && break
		sleep 0.1
	done
	test -e end # with nobody having read a byte
	cat <&7 >events.json
	wait "$pid"
	check <events.json
	equal "$(member code warning <events.json)" '"W-OUTPUT-DROPPED"'
	# What is missing is told of each stream of each node, so that it adds up for each, however the node's writes were cut
	# into pieces, and of a node that printed little too: whether there is room for its line is a matter of luck.
	equal "$(printed flood <events.json)" 8000000
	equal "$(printed after <events.json)" 6
	test "$(text flood stdout <events.json | wc -c)" -lt 2000000
}
