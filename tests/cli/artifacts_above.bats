#!/usr/bin/env bats
# $ARTIFACTS_DIR is shared by all nodes of a run: what was made there above a node is part of what it depends on.

load helpers

@test "an artifact that a node further up made is seen, though what lies between came out the same" {
	workflow far <<'YAML'
name: far
nodes:
  - id: a
    reads: [src]
    writes: [$ARTIFACTS_DIR/a.txt]
    bash: cp src "$ARTIFACTS_DIR/a.txt"
  - id: b
    depends_on: a
    reads: []
    bash: echo the same
  - id: c
    depends_on: b
    reads: []
    runtime: python
    script: |
      import os
      print(open(os.environ["ARTIFACTS_DIR"] + "/a.txt").read().strip())
YAML
	echo one >src
	ok pawl run far
	echo two >src
	ok pawl run far
	[[ $output == *'run    c  an input changed since run 1, artifacts-above of b'* ]]
	ok pawl output last/c
	[ "$output" = two ]
	echo one >src
	ok pawl run far
	[[ $output == *'0 ran, 3 reused'* ]]
	ok pawl output last/c
	[ "$output" = one ]
	ok pawl verify c
}

@test "a skipped node between hides nothing" {
	workflow skip <<'YAML'
name: skip
nodes:
  - id: a
    reads: [src]
    bash: cp src "$ARTIFACTS_DIR/a.txt"
  - id: b
    depends_on: a
    when: $a.output == 'never'
    bash: echo b
  - id: c
    depends_on: b
    trigger_rule: all_done
    reads: []
    bash: cat "$ARTIFACTS_DIR/a.txt"
YAML
	echo one >src
	ok pawl run skip
	echo two >src
	ok pawl run skip
	ok pawl output last/c
	[ "$output" = two ]
}

@test "a file of the project that a node further up made does not end the early cutoff" {
	workflow cut <<'YAML'
name: cut
nodes:
  - id: a
    reads: [src]
    writes: [made.txt]
    bash: cp src made.txt
  - id: b
    depends_on: a
    reads: [made.txt]
    bash: wc -l <made.txt
  - id: c
    depends_on: b
    reads: []
    bash: echo $b.output
YAML
	echo one >src
	ok pawl run cut
	echo two >src
	ok pawl run cut
	[[ $output == *'reuse  c'* ]]
}

@test "what ran behind a failure is not taken for current behind the next one" {
	workflow handler <<'YAML'
name: handler
nodes:
  - id: a
    reads: [src]
    bash: |
      cp src "$ARTIFACTS_DIR/part.txt"
      exit 3
  - id: b
    depends_on: a
    reads: []
    bash: echo never
  - id: direct
    depends_on: a
    trigger_rule: all_done
    reads: []
    bash: cat "$ARTIFACTS_DIR/part.txt"
  - id: behind
    depends_on: b
    trigger_rule: all_done
    reads: []
    bash: cat "$ARTIFACTS_DIR/part.txt"
YAML
	echo one >src
	exits 1 pawl run handler
	echo two >src
	exits 1 pawl run handler
	[[ $output == *'run    direct  an input changed since run 1, attempt of a: 1/1 → 2/1'* ]]
	ok pawl output last/direct
	[ "$output" = two ]
	ok pawl output last/behind
	[ "$output" = two ]
	echo three >src
	exits 1 pawl resume
	ok pawl output last/direct
	[ "$output" = three ]
}

@test "however many nodes lie between" {
	workflow chain <<'YAML'
name: chain
nodes:
  - {id: a, reads: [src], bash: 'cp src "$ARTIFACTS_DIR/a.txt"'}
  - {id: b, depends_on: a, reads: [], bash: echo b}
  - {id: c, depends_on: b, reads: [], bash: echo c}
  - {id: d, depends_on: c, reads: [], bash: 'cat "$ARTIFACTS_DIR/a.txt"'}
YAML
	echo one >src
	ok pawl run chain
	echo two >src
	ok pawl run chain
	ok pawl output last/d
	[ "$output" = two ]
}
