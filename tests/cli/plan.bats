#!/usr/bin/env bats
# `pawl plan` and `-n`: they say what a run would do, and change nothing.
load helpers

chain() {
	workflow chain <<'YAML'
name: chain
nodes:
  - {id: a, reads: [a.txt], bash: cat a.txt}
  - {id: b, depends_on: [a], reads: [], bash: 'echo "b of $a.output"'}
  - {id: c, depends_on: [b], reads: [], bash: 'echo "c of $b.output"'}
  - {id: side, reads: [side.txt], bash: cat side.txt}
YAML
	echo 1 >a.txt
	echo 1 >side.txt
}

# Every file and directory of the project with what it is and when it was changed.
snapshot() {
	find . -printf '%p %y %m %s %T@\n' | sort
	find . -type f -print0 | sort -z | xargs -0 sha256sum
}

@test "a plan in a project in which nothing ran makes nothing" {
	chain
	local before
	before=$(snapshot)
	ok pawl plan chain
	says '  run    a     it never ran before'
	says '  run    c     it never ran before'
	ok pawl run chain -n
	exits 10 pawl plan chain --exit-code
	equal "$(snapshot)" "$before"
	[ ! -e .pawl/state ]
}

@test "a plan in a directory without .pawl makes nothing" {
	chain
	mkdir "$HOME/bare"
	cp .pawl/workflows/chain.yaml a.txt side.txt "$HOME/bare"
	cd "$HOME/bare"
	ok pawl plan chain.yaml
	equal "$(ls -A)" $'a.txt\nchain.yaml\nside.txt'
}

@test "a plan changes no byte and no time of the store" {
	chain
	ok pawl run chain
	echo 2 >a.txt
	local before
	before=$(snapshot)
	ok pawl plan chain
	ok pawl run chain -n
	ok pawl run chain --dry-run -f c
	ok pawl plan chain --resume
	equal "$(snapshot)" "$before"
}

@test "a plan tells run, maybe and reuse apart" {
	chain
	ok pawl run chain
	echo 2 >a.txt
	ok pawl plan chain
	says '  run    a     a.txt changed since run 1'
	says '  maybe  b     what it consumes is made anew'
	says '  maybe  c     what it consumes is made anew'
	says '  reuse  side  from run 1'
	ok pawl run chain
	ok pawl plan chain
	says_not $'\n  run '
	says_not $'\n  maybe '
	exits 0 pawl plan chain --exit-code
}

@test "a plan of a resume is one of that run" {
	chain
	sed -i 's/c of.*output"/c of $b.output"; test -e go/' .pawl/workflows/chain.yaml
	exits 1 pawl run chain
	local before
	before=$(snapshot)
	ok pawl resume -n
	says 'plan of resuming run 1 of chain'
	says '  reuse  a '
	says '  run    c     it failed in run 1 (exit 1)'
	equal "$(snapshot)" "$before"
}

@test "a plan of what holds others says what would run in it" {
	workflow inner <<-'YAML'
		name: inner
		nodes: [{id: a, bash: echo, reads: []}, {id: b, bash: echo, reads: []}]
	YAML
	workflow holds <<-'YAML'
		name: holds
		nodes:
		  - id: each
		    fan_out: {items: [1, 2], as: n}
		    bash: echo "$N"
		    env: {N: $INPUTS.n}
		    reads: []
		  - id: sub
		    workflow: inner
	YAML
	exits 10 pawl plan holds --exit-code
	says "2 items: 2 would run, 0 reused"
	says "a new run: 2 would run, 0 reused"
	says "  run    sub/a"
	says "4 of 6 would run"
	ok pawl run holds
	ok pawl plan holds --exit-code
	says "2 items: 0 would run, 2 reused"
	says "0 of "
}

@test "a plan agrees with a forced run, and with one without reuse" {
	chain
	ok pawl run chain
	ok pawl plan chain -f b
	says '  reuse  a '
	says '  run    b     forced'
	says '  maybe  c '
	ok pawl plan chain --no-resume
	says '  run    a     reuse is off'
	says '  run    c     reuse is off'
	says '  run    side  reuse is off'
}
