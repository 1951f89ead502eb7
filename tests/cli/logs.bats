#!/usr/bin/env bats
# pawl logs and output: of what has ended, of what runs, of runs within a run, and what a killed run left.

load helpers

# until TEXT FILE: until the file has it, ten seconds at most.
until_has() {
	local i
	for ((i = 0; i < 500; i++)); do
		grep -qF -- "$1" "$2" 2>/dev/null && return 0
		sleep 0.02
	done
	printf '%s\n' "no \"$1\" in:" "$(cat "$2")" >&2
	return 1
}

talker() {
	workflow talker <<-'YAML'
		name: talker
		description: prints half a line, waits, prints on
		nodes:
		  - id: quick
		    bash: echo quick; echo warning >&2
		  - id: talks
		    depends_on: [quick]
		    bash: printf 'half '; echo oops >&2; while ! [ -e go ]; do sleep 0.02; done; echo "a line"
		  - id: after
		    depends_on: [talks]
		    bash: printf 'the end'
	YAML
}

@test "logs -f of a node has each byte as it is written, and ends with the node" {
	talker
	pawl run talker -q &
	wait_for .pawl/state/runs/1
	pawl logs -f 1/talks >followed &
	local follower=$!
	until_has "half " followed
	until_has "oops" followed
	! [ -e go ]
	touch go
	wait "$follower"
	until_has "a line" followed
	equal "$(tr -d '\n' <followed | wc -c)" "$(printf 'half oopsa line' | wc -c)"
	wait
	equal "$(pawl output 1/talks)" "half a line"
}

@test "logs -f of a run names the node before each line, and ends with the run" {
	talker
	pawl run talker -q &
	wait_for .pawl/state/runs/1
	pawl logs -f >followed &
	local follower=$!
	until_has "talks | half oops" followed
	touch go
	wait "$follower"
	wait
	grep -qx "quick | quick" followed
	grep -qx "quick | warning" followed
	grep -qx "after | the end" followed
	grep -qx "talks | half oops" followed
	grep -qx "talks | a line" followed
	equal "$(grep -cv '^\(quick\|talks\|after\) | ' followed)" 0
}

@test "logs -f of a run that has ended prints it all and stops" {
	talker
	touch go
	ok pawl run talker -q
	ok pawl logs -f
	says "quick | quick"
	says "talks | half a line"
	ok pawl logs
	says "==> talks (completed) <=="
	says "==> after (completed) <=="
	exits 2 pawl logs -f 1/talk
	says 'did you mean `talks`?'
}

@test "logs -f ends when the engine is killed, and what was printed is there" {
	talker
	"$PAWL" run talker -q &
	local runner=$!
	wait_for .pawl/state/runs/1
	pawl logs -f 1/talks >followed &
	local follower=$!
	until_has "half" followed
	kill -9 "$runner"
	wait "$follower"
	grep -q oops followed
	ok pawl logs 1
	says "==> talks (running) <=="
	says "half"
	touch go
	ok pawl resume -q
	ok pawl logs 1/talks
	says "half a line"
}

@test "logs -f does not take what a killed run left for what the next one prints" {
	workflow twice <<-'YAML'
		name: twice
		description: prints something else in each attempt
		nodes:
		  - id: a
		    bash: if [ -e second ]; then touch begun; sleep 0.6; echo new; else echo old; sleep 60; fi
	YAML
	"$PAWL" run twice -q &
	local runner=$!
	wait_for .pawl/state/runs/1/live/a.out
	kill -9 "$runner"
	touch second
	pawl resume -q &
	wait_for begun
	ok pawl logs -f 1/a
	equal "$output" new
	wait
}

@test "logs -f follows tries of their own, and Ctrl-C ends it without a word or harm to the run" {
	workflow flaky <<-'YAML'
		name: flaky
		description: fails once
		nodes:
		  - id: a
		    retry: {max_attempts: 1, delay_ms: 100}
		    bash: |
		      if [ -e tried ]; then echo second; sleep 0.4; touch good; while ! [ -e go ]; do sleep 0.02; done
		      else touch tried; echo first; sleep 0.4; exit 3; fi
	YAML
	pawl run flaky -q &
	wait_for .pawl/state/runs/1
	# What is started in the background by a shell without job control ignores SIGINT.
	env --default-signal=INT "$PAWL" logs -f 1/a >followed 2>said &
	local follower=$! code=0
	until_has second followed
	kill -INT "$follower"
	wait "$follower" || code=$?
	equal "$code" 130
	equal "$(cat said)" ""
	equal "$(cat followed)" "$(printf 'first\nsecond')"
	touch go
	wait
	ok pawl show 1/a
	says completed
}

@test "runs within a run: by the way to them" {
	workflow inner <<-'YAML'
		name: inner
		nodes:
		  - id: deep
		    bash: echo deep; echo trouble >&2
	YAML
	workflow outer <<-'YAML'
		name: outer
		nodes:
		  - id: holds
		    workflow: inner
		  - id: each
		    fan_out: {items: [a, b], as: word}
		    bash: echo "item "$INPUTS.word
	YAML
	ok pawl run outer
	says "run    holds/deep"
	ok pawl logs 1/holds/deep
	equal "$output" "$(printf 'deep\ntrouble')"
	ok pawl output 1/holds/deep
	equal "$output" deep
	ok pawl logs
	says "==> holds/deep (completed) <=="
	says "item a"
	ok pawl logs -f 1/holds
	says "holds/deep | deep"
	ok pawl show
	says "holds/deep"
	ok pawl show 1/holds/deep
	says "completed"
	exits 2 pawl show 1/each/deep
	says "has begun no run"
	pawl show --json | grep -q '"node":"deep","path":"holds/deep","parent_run":1,"parent_node":"holds"'
}

@test "logs and output as JSON have every byte" {
	workflow bytes <<-'YAML'
		name: bytes
		nodes:
		  - id: a
		    bash: printf 'a\342\202\254\n'; head -c 200000 /dev/zero | tr '\0' x; printf '\377\376\n' >&2
	YAML
	ok pawl run bytes -q
	cat >join.py <<-'PY'
		import base64, json, sys
		for line in sys.stdin.buffer:
		    piece = json.loads(line)
		    assert piece["v"] == 1 and piece["object"] == "output" and piece["run"] == 1 and piece["node"] == "a", piece
		    if piece["stream"] == sys.argv[1]:
		        sys.stdout.buffer.write(piece["text"].encode() if "text" in piece else base64.b64decode(piece["base64"]))
	PY
	pawl logs 1/a --json | python3 join.py stdout | cmp - <(pawl output 1/a)
	pawl output 1/a --json | python3 join.py stdout | cmp - <(pawl output 1/a)
	pawl logs 1/a --json | python3 join.py stderr | cmp - <(printf '\377\376\n')
	pawl logs -f --json | python3 join.py stderr | cmp - <(printf '\377\376\n')
}

@test "on a terminal what a node printed does not drive it" {
	workflow evil <<-'YAML'
		name: evil
		nodes:
		  - id: a
		    bash: printf '\033]0;title\007\033[2Jend\n'
	YAML
	ok pawl run evil -q
	script -qec "$PAWL logs 1/a" /dev/null >seen
	grep -qF '^[]0;title^G^[[2Jend' seen
	pawl logs 1/a | cmp - <(printf '\033]0;title\007\033[2Jend\n')
}

@test "a reader that leaves ends logs, also while it follows" {
	talker
	pawl run talker -q &
	wait_for .pawl/state/runs/1
	timeout 300 "$PAWL" logs -f | head -n 1 >first
	equal "$(cat first)" "quick | quick"
	touch go
	wait
	ok pawl show
	says completed
}
