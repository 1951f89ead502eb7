#!/usr/bin/env bats
# What `pawl run` says in a pipe: lines in order, nodes' output behind their names, the summary.
# shellcheck disable=SC2154 # bats sets status and output

load helpers

@test "-v shows what nodes print by whole lines, each behind the node's name" {
	workflow talk <<-'YAML'
		name: talk
		description: two nodes that print at the same time, in pieces
		nodes:
		  - id: a
		    bash: for i in 1 2 3; do printf 'one'; sleep 0.05; printf ' line\n'; done
		  - id: longer
		    bash: for i in 1 2 3; do printf 'an'; sleep 0.03; printf 'other\r\n'; done; printf 'no end' >&2
	YAML
	ok pawl run talk -v -j2
	equal "$(grep -c '^a      | one line$' <<<"$output")" 3
	equal "$(grep -c '^longer | another$' <<<"$output")" 3
	equal "$(grep -c '^longer | no end$' <<<"$output")" 1
	# The rest of a line that has no end comes before the node's own line.
	grep -A1 '^longer | no end$' <<<"$output" | grep -q '^  run    longer'
	ok pawl run talk --no-resume
	says_not "one line"
}

@test "control characters and invalid bytes are made visible, a very long line comes in pieces" {
	workflow odd <<-'YAML'
		name: odd
		description: what drives a terminal, and 100 KB without a line feed
		nodes:
		  - id: odd
		    bash: printf 'a\033[2Jb\377c\342\200\256d\n'; head -c 100000 /dev/zero | tr '\0' e; printf '\303\251%.0s' $(seq 9000)
	YAML
	ok pawl run odd -v
	says 'odd | a^[[2Jb\xffc<U+202E>d'
	equal "$(grep -c '^odd | ' <<<"$output")" 16
	equal "$(tr -dc e <<<"$(grep '^odd | e' <<<"$output")" | wc -c)" 100000
	equal "$(grep '^odd |' <<<"$output" | tr -cd 'é' | wc -m)" 9000
	says_not '\xc3'
	LC_ALL=C grep -q "$(printf '\033')" <<<"$output" && return 1
	true
}

@test "the end says what ran, where the rest came from, what failed first, and how to go on" {
	workflow steps <<-'YAML'
		name: steps
		description: a chain that fails until there is a file named good
		nodes:
		  - id: one
		    bash: echo 1
		    reads: []
		  - id: two
		    bash: test -e good || exit 4
		    depends_on: [one]
		    cache: false
		  - id: three
		    bash: echo 3
		    depends_on: [two]
	YAML
	exits 1 pawl run steps
	says "run 1 failed: 1 ran, 0 reused, 1 failed, 1 skipped"
	says "failed first: two; all that it printed: pawl logs 1/two"
	says "go on with: pawl resume 1"
	exits 1 pawl run steps
	says "run 2 failed: 0 ran, 1 reused from run 1, 1 failed, 1 skipped"
	touch good
	ok pawl resume
	says "run 2 completed: "
	says_not "failed first"
	says_not "go on with"
	ok pawl resume 2 -f two
	says "reused from its earlier attempt"
}

@test "-q says nothing of what went well, and everything of what failed" {
	workflow quiet <<-'YAML'
		name: quiet
		description: one goes well, one fails
		nodes:
		  - id: good
		    bash: echo fine
		  - id: bad
		    bash: echo broken >&2; exit 2
	YAML
	exits 1 pawl run quiet -q
	says "bad failed (exit 2)"
	says "broken"
	says_not "good"
	says_not "run 1"
	sed -i 's/exit 2/exit 0/' .pawl/workflows/quiet.yaml
	ok pawl run quiet -q
	equal "$output" ""
}

@test "standard output that can't be written is told of, and the run goes on" {
	test -e /dev/full || skip "there is no /dev/full here"
	workflow full <<-'YAML'
		name: full
		description: more than fits into no space
		nodes:
		  - id: a
		    bash: echo a; touch made
	YAML
	pawl run full >/dev/full 2>said
	test -e made
	grep -q "standard output could not be written: No space left on device" said
}
