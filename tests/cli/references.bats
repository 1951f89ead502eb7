#!/usr/bin/env bats
# What a reference may name: inputs that are declared, and nodes that have ended before.

load helpers

@test "a body that names a node which is not upstream does not load: its value would not be in the key" {
	workflow order <<'YAML'
name: order
nodes:
  - id: a
    reads: []
    bash: echo one
  - id: b
    reads: []
    bash: |
      echo hello
      echo got $a.output
YAML
	exits 2 pawl run order
	[[ $output == *'error[E-REF-UPSTREAM]: $a.output: `a` does not run before this node'* ]]
	[[ $output == *'order.yaml:10:16'* ]]
	[[ $output == *'help: add `a` to `depends_on` of `b`'* ]]
}

@test "neither do arguments of a script, its state, and a node further down" {
	workflow order <<'YAML'
name: order
nodes:
  - id: a
    runtime: python
    script: print(1)
    args: ["$b.output"]
  - id: b
    depends_on: a
    bash: echo $b.state
YAML
	exits 2 pawl lint order
	[[ $output == *'$b.output: `b` runs after this node'* ]]
	[[ $output == *'$b.state: `b` is this node itself'* ]]
}

@test "an input that is not declared is named, in bodies and in arguments" {
	workflow inputs <<'YAML'
name: inputs
nodes:
  - id: a
    bash: echo $INPUTS.more
  - id: b
    runtime: python
    script: print($INPUTS.more)
    args: [$INPUTS.more]
YAML
	exits 2 pawl lint inputs
	[[ $(grep -c 'E-REF-INPUT' <<<"$output") -eq 3 ]]
}

@test "a node that is nearly named is warned of, a variable of the body's own is not" {
	workflow near <<'YAML'
name: near
nodes:
  - id: fetch
    bash: echo hi
  - id: a
    depends_on: fetch
    bash: echo $fecth.output
  - id: b
    depends_on: fetch
    bash: fecth=x; echo $fecth.output
YAML
	ok pawl lint near
	[[ $(grep -c 'W-REF-UNKNOWN' <<<"$output") -eq 1 ]]
	[[ $output == *'near.yaml:7:16'* ]]
	[[ $output == *'did you mean `fetch`?'* ]]
}

@test "a node further up than its dependencies may be named, and is in the key" {
	workflow far <<'YAML'
name: far
nodes:
  - id: a
    reads: []
    bash: echo one
  - id: b
    reads: []
    depends_on: a
    bash: echo between
  - id: c
    reads: []
    depends_on: b
    bash: echo got $a.output
YAML
	ok pawl run far
	sed -i 's/echo one/echo two/' .pawl/workflows/far.yaml
	ok pawl run far
	[[ $output == *'run    c  an input changed'* ]]
	ok pawl output last/c
	[ "$output" = 'got two' ]
}
