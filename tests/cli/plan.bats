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

# Two nodes with one child, and one below each.
twins() {
	workflow child <<'YAML'
name: child
returns: out
inputs: {i: {type: string, default: x}}
nodes:
  - {id: common, reads: [a.txt], bash: cat a.txt}
  - {id: out, depends_on: common, reads: [], bash: 'echo "$common.output $INPUTS.i"'}
YAML
	workflow twins <<'YAML'
name: twins
nodes:
  - {id: one, workflow: child}
  - {id: two, workflow: child, with: {i: y}}
  - {id: below, depends_on: one, reads: [], bash: 'echo "below $one.output"'}
  - {id: deeper, depends_on: below, reads: [], bash: 'echo "deeper $below.output"'}
YAML
	echo 1 >a.txt
}

@test "below a run in which all is reused a plan knows what is consumed" {
	twins
	ok pawl run twins
	ok pawl plan twins
	says '  reuse  one/out'
	says '  reuse  below '
	says '  reuse  deeper '
	says '0 of '
	sed -i 's/deeper \$/DEEPER $/' .pawl/workflows/twins.yaml
	ok pawl plan twins
	says '  reuse  below '
	says '  run    deeper      its body changed'
}

@test "below a run in which something is made anew a plan knows that it does not know" {
	twins
	ok pawl run twins
	echo 2 >a.txt
	ok pawl plan twins
	says '  maybe  below       what it consumes is made anew'
	says_not 'an input changed'
	echo 1 >a.txt
	ok pawl plan twins -f one
	says '  run    one/out     forced'
	says '  reuse  two/common  from run 2'
	says '  maybe  two/out     what it consumes is made anew'
	says '  maybe  below '
	echo 2 >a.txt
	ok pawl plan twins -f two
	says '  run    two/common  forced'
	says '  maybe  one/common  a.txt changed since run 2; another in this run does the same, and one may be reused'
}

@test "of two runs of one child a plan does not know which makes what they share" {
	twins
	ok pawl plan twins
	says '  maybe  one/common  it never ran before; another in this run does the same, and one may be reused'
	says '  maybe  two/common  it never ran before; another in this run does the same, and one may be reused'
	ok pawl run twins
	sed -i 's/cat a.txt/cat a.txt; true/' .pawl/workflows/child.yaml
	ok pawl plan twins
	says '  maybe  one/common  its body changed'
	says '  maybe  two/common  its body changed'
	# One of them alone is sure.
	ok pawl plan twins --until below
	says '  run    one/common  its body changed'
}

@test "an iteration that may never come is told as one; with all reused a plan counts on" {
	workflow loop <<'YAML'
name: loop
nodes:
  - id: turns
    loop_group:
      max_iterations: 4
      until: at 3
      nodes:
        - {id: say, reads: [a.txt], bash: 'n=$LOOP_PREV.say.output; n=${n##*at }; cat a.txt; echo "at $((n + 1))"'}
  - {id: below, depends_on: turns, reads: [], bash: 'echo "$turns.output"'}
YAML
	echo x >a.txt
	ok pawl plan loop
	says '  run    turns__say  it never ran before'
	says '  maybe  turns__say  iteration 2, if it comes to that'
	says '  run    below       it never ran before'
	says '2 of 3 would run'
	ok pawl run loop
	ok pawl plan loop
	says 'ended after 3 iterations'
	says '  reuse  below '
	says '0 of '
	echo y >a.txt
	ok pawl plan loop
	says '  run    turns__say  a.txt changed since run 1'
	says '  maybe  turns__say  iteration 2, if it comes to that'
	says '  maybe  below '
}

@test "a list of items in another order is known without being stored" {
	workflow fan <<'YAML'
name: fan
nodes:
  - {id: each, reads: [], fan_out: {items: [1, 2]}, bash: 'echo "$INPUTS.item"'}
  - {id: again, depends_on: each, reads: [], fan_out: {items: $each.output}, bash: 'echo "again $INPUTS.item"'}
  - {id: below, depends_on: each, reads: [], bash: 'echo "$each.output"'}
YAML
	ok pawl run fan
	sed -i 's/\[1, 2\]/[2, 1]/' .pawl/workflows/fan.yaml
	ok pawl plan fan
	says '2 items: 0 would run, 2 reused'
	says '  reuse  again['
	says '  run    below  an input changed since run 1'
	ok pawl run fan
	says '  reuse  again['
	says '  run    below'
}

@test "what hangs on a condition that can't be known yet may not run at all" {
	workflow cond <<'YAML'
name: cond
nodes:
  - {id: a, reads: [a.txt], bash: cat a.txt}
  - {id: b, depends_on: a, when: "$a.output == 'yes'", reads: [], bash: echo b}
  - {id: c, depends_on: b, reads: [], bash: echo c}
YAML
	echo no >a.txt
	ok pawl plan cond
	says '  run    a  it never ran before'
	says '  maybe  b  it never ran before, if its turn comes'
	says '  maybe  c  it never ran before, if its turn comes'
	ok pawl plan cond -f c
	says '  maybe  c  forced, if its turn comes'
}

@test "a plan of a run within the run that waits for an answer changes nothing" {
	workflow asks <<'YAML'
name: asks
nodes: [{id: gate, approval: {message: Go?}}]
YAML
	workflow outer <<'YAML'
name: outer
nodes: [{id: sub, workflow: asks}]
YAML
	exits 3 pawl plan outer
	says 'waits for an answer'
	[ ! -e .pawl/state ]
}
