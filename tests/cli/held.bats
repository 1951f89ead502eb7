#!/usr/bin/env bats
# What control nodes hold, where a consumer fails: it is the items of a fan_out, the members of a loop and the nodes of a run
# within a run that were reused, so it is they that the report names, that are suspected once, and that are let go of.
load helpers

# use: fails while there is a file `strict` and its input has "bad" in it.
consumer() {
	cat <<YAML
  - id: use
    depends_on: [$1]
    bash: |
      printf '%s\n' "\$$1.output"
      test ! -e strict || ! grep -q bad <<<"\$$1.output"
    reads: [strict]
YAML
}

# Each item is what its file, which nobody declared, holds.
each() {
	workflow each <<YAML
name: each
nodes:
  - id: each
    fan_out: {items: [a, b, c]}
    bash: |
      echo "\$INPUTS.item" >>ran.log
      f=state; cat "\$f.\$INPUTS.item"
    reads: []
$(consumer each)
YAML
	echo good | tee state.a state.c >state.b
}

ran() {
	[ -e ran.log ] && sort ran.log | tr '\n' ' ' | sed 's/ $//'
	rm -f ran.log
}

@test "reused items of a fan_out that a consumer fails on are named, and run again once" {
	each
	echo bad >state.b
	ok pawl run each
	ran
	touch strict
	exits 1 pawl run each
	says 'it consumed 3 reused results'
	says "pawl invalidate 2 'each[ac8d8342]' 'each[c100f95c]' 'each[879923da]'"
	equal "$(ran)" ''
	echo good >state.b
	ok pawl run each
	says 'it gave another output: the one of run 1 is quarantined'
	says 'it gave the same output again'
	equal "$(ran)" 'a b c'
	equal "$(pawl output last/use)" '["good","good","good"]'
	ok pawl verdicts
	says 'quarantined'
	ok pawl run each
	equal "$(ran)" ''
}

@test "items that give the same again are exonerated: there is no loop" {
	each
	echo bad >state.b
	ok pawl run each
	touch strict
	exits 1 pawl run each
	ran
	exits 1 pawl run each
	equal "$(ran)" 'a b c'
	local i
	for i in 1 2 3; do
		exits 1 pawl run each
		equal "$(ran)" ''
		says 'run again, they gave the same: look at use itself'
	done
	exits 1 pawl resume
	equal "$(ran)" ''
}

@test "--no-suspect leaves items alone" {
	each
	echo bad >state.b
	ok pawl run each
	touch strict
	ran
	exits 1 pawl run each --no-suspect
	exits 1 pawl run each
	equal "$(ran)" ''
}

@test "an item whose bad output comes back with an old body is suspected: the consumer passed on another" {
	touch strict
	printf 'name: back\nnodes:\n  - {id: each, fan_out: {items: [x, y]}, reads: [], bash: "echo %s $INPUTS.item"}\n%s\n' \
		bad "$(consumer each)" >bad.yaml
	sed 's/echo bad/echo good/' bad.yaml >good.yaml
	workflow back <bad.yaml
	exits 1 pawl run back
	workflow back <good.yaml
	ok pawl run back
	workflow back <bad.yaml
	exits 1 pawl run back
	says 'is suspect: use failed on it in run 1 and passed on another; it runs again, once'
}

inner() {
	workflow inner <<'YAML'
name: inner
inputs: {who: {required: true}}
returns: say
nodes:
  - id: read
    bash: f=state; cat "$f.$INPUTS.who"
    reads: []
  - id: say
    depends_on: [read]
    bash: echo "$INPUTS.who" >>ran.log; echo "$INPUTS.who $read.output"; f=state; cat "$f.more"
    reads: []
YAML
	echo good | tee state.a state.b state.c >state.more
}

@test "the node that a run within a run returns is suspected, and what is behind that in turn" {
	inner
	workflow middle <<'YAML'
name: middle
returns: deep
nodes:
  - {id: deep, workflow: inner, with: {who: a}}
YAML
	workflow outer <<YAML
name: outer
nodes:
  - {id: sub, workflow: middle}
$(consumer sub)
YAML
	echo bad >state.more
	ok pawl run outer
	ran
	touch strict
	exits 1 pawl run outer
	says 'sub/deep/say  from run 3'
	says 'pawl invalidate 6 say'
	echo good >state.more
	ok pawl run outer
	equal "$(ran)" 'a'
	says 'it gave another output: the one of run 3 is quarantined'
}

@test "runs of a fan_out on workflow: what each returned is suspected" {
	inner
	workflow outer <<YAML
name: outer
nodes:
  - {id: each, fan_out: {items: [a, b], as: who}, workflow: inner}
$(consumer each)
YAML
	echo bad >state.more
	ok pawl run outer
	ran
	touch strict
	exits 1 pawl run outer
	equal "$(ran)" ''
	says 'each[ac8d8342]/say'
	echo good >state.more
	ok pawl run outer
	equal "$(ran)" 'a b'
	ok pawl run outer
	equal "$(ran)" ''
}

@test "the last node of a loop is suspected" {
	workflow loop <<YAML
name: loop
nodes:
  - id: loop
    loop_group:
      max_iterations: 3
      until: end
      nodes:
        - {id: one, bash: 'f=state; cat "\$f.one"; echo end; echo one >>ran.log', reads: []}
$(consumer loop)
YAML
	echo bad >state.one
	ok pawl run loop
	ran
	touch strict
	exits 1 pawl run loop
	says 'loop__one  from run 1'
	says 'pawl invalidate 2 loop__one'
	echo good >state.one
	ok pawl run loop
	equal "$(ran)" 'one'
}

@test "the failure's event has the items, and what to paste" {
	each
	echo bad >state.b
	ok pawl run each
	touch strict
	exits 1 pawl run each --json
	printf '%s\n' "$output" | python3 "$BATS_TEST_DIRNAME/check_events.py" "$BATS_TEST_DIRNAME/../../docs/events.schema.json"
	says '"node":"each[ac8d8342]","state":"reused"'
}

@test "a policy names whom to suspect, items too" {
	each
	mkdir -p .pawl/policies
	cat >.pawl/policies/only.lua <<'LUA'
return {api = 1, failed = function(node, failure) return {"each[c100f95c]"} end}
LUA
	sed -i 's/^name: each/&\npolicy: [.pawl\/policies\/only.lua]/' .pawl/workflows/each.yaml
	echo bad >state.b
	ok pawl run each
	touch strict
	exits 1 pawl run each
	ran
	exits 1 pawl run each
	equal "$(ran)" 'b'
}

@test "invalidate: with a holder goes what it holds" {
	inner
	workflow all <<'YAML'
name: all
nodes:
  - {id: each, fan_out: {items: [a, b], as: who}, workflow: inner}
  - {id: sub, workflow: inner, with: {who: c}}
  - {id: inc, include: inner, with: {who: c}}
  - id: loop
    loop_group: {max_iterations: 1, until: x, nodes: [{id: one, bash: echo x, reads: []}]}
YAML
	ok pawl run all
	ok pawl invalidate last each -n
	says 'each[ac8d8342]/read'
	says 'each[c100f95c]/say'
	says_not 'sub'
	says_not 'no stored result'
	ok pawl invalidate last sub inc loop -n
	says 'sub/say'
	says 'inc__read'
	says 'loop__one'
	says_not 'each'
	ran
	ok pawl run all
	equal "$(ran)" ''
	ok pawl invalidate last each
	ok pawl run all
	equal "$(ran)" 'a b'
}
