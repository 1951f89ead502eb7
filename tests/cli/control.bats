#!/usr/bin/env bats
# The core's own node types: gates, includes, runs within runs, items, loops; and what stopping does to each of them.
load helpers

# ran: what the bodies have written to ran.log since the last call, sorted.
ran() {
	[ -e ran.log ] && sort ran.log | tr '\n' ' ' | sed 's/ $//'
	rm -f ran.log
}

gate() {
	workflow gate <<YAML
name: gate
nodes:
  - id: build
    bash: echo build >>ran.log; echo v1
  - id: ask
    depends_on: [build]
    approval: ${1:-"{message: 'Ship \$build.output?'}"}
  - id: ship
    depends_on: [ask, build]
    bash: echo ship >>ran.log; echo "\$build.output [\$ask.output]"
YAML
}

# ---- approval ----

@test "approval: pauses with exit 3, and another process goes on with the answer" {
	gate
	exits 3 pawl run gate
	says 'Ship v1?'
	says 'pawl approve 1'
	equal "$(ran)" 'build'
	equal "$(states)" 'build=completed ask=paused'
	ok pawl runs
	says 'paused'
	ok pawl approve last
	says 'approved ask of run 1'
	equal "$(ran)" 'ship'
	equal "$(pawl output 1/ship)" 'v1 [approved]'
	exits 2 pawl approve last
	says 'E-APPROVAL-NONE'
}

@test "approval: resuming without an answer pauses again and repeats nothing" {
	gate
	exits 3 pawl run gate
	ran
	exits 3 pawl resume
	equal "$(ran)" ''
	ok pawl approve 1
}

@test "approval: --later records only; the resume goes on" {
	gate
	exits 3 pawl run gate
	ran
	ok pawl approve 1/ask --later
	equal "$(ran)" ''
	ok pawl resume 1
	equal "$(ran)" 'ship'
}

@test "approval: the comment is the output where the response is captured" {
	gate "{message: 'Ship?', capture_response: true}"
	exits 3 pawl run gate
	ok pawl approve --comment 'go "on" $(date)'
	equal "$(pawl output 1/ship)" 'v1 [go "on" $(date)]'
}

@test "approval: a decision of a list, as JSON for those behind it" {
	workflow choose <<'YAML'
name: choose
nodes:
  - id: ask
    approval:
      message: Where to?
      decisions: [{id: north, label: Up}, {id: south}]
  - id: up
    depends_on: [ask]
    when: $ask.output.decision == 'north'
    bash: echo "up $ask.output.text"
  - id: down
    depends_on: [ask]
    when: $ask.output.decision == 'south'
    bash: echo down
YAML
	exits 3 pawl run choose
	says '[north, south]'
	exits 2 pawl approve
	says 'north, south'
	exits 2 pawl approve --decision west
	says 'there is no decision `west`'
	ok pawl approve --decision north --comment 'cold'
	equal "$(states)" 'ask=completed down=skipped up=completed'
	equal "$(pawl output last/ask)" '{"decision":"north","text":"cold"}'
	equal "$(pawl output last/up)" 'up cold'
}

@test "approval: a rejection cancels the run, fails the node, or skips what is behind it" {
	gate
	exits 3 pawl run gate
	exits 1 pawl reject --comment 'not today'
	says 'not today'
	ok pawl show last
	says 'cancelled'
	gate "{message: 'Ship?', on_reject: fail}"
	exits 3 pawl run gate
	exits 1 pawl reject --comment 'too late'
	says 'rejected: too late'
	equal "$(states)" 'build=reused ask=failed ship=skipped'
	gate "{message: 'Ship?', on_reject: skip}"
	exits 3 pawl run gate
	ok pawl reject
	equal "$(states)" 'build=reused ask=skipped ship=skipped'
}

@test "approval: two gates; the one that is answered does not open the other" {
	workflow two <<'YAML'
name: two
nodes:
  - id: one
    approval: {message: One?}
  - id: two
    approval: {message: Two?}
  - id: end
    depends_on: [one, two]
    bash: echo end
YAML
	exits 3 pawl run two
	exits 2 pawl approve
	says 'name one of them: 1/one, 1/two'
	exits 3 pawl approve 1/two
	exits 2 pawl approve 1/two
	ok pawl approve
	equal "$(pawl output last/end)" 'end'
}

@test "approval: what does not depend on the gate runs meanwhile" {
	workflow beside <<'YAML'
name: beside
nodes:
  - id: ask
    approval: Go?
  - id: slow
    bash: sleep 0.3; echo slow
YAML
	exits 3 pawl run beside
	equal "$(states)" 'ask=paused slow=completed'
}

@test "approval: in an included file it is answered by its full name" {
	gate
	workflow with_gate <<'YAML'
name: with_gate
nodes:
  - id: inc
    include: gate
  - id: after
    depends_on: [inc]
    bash: echo "after $inc.output"
YAML
	exits 3 pawl run with_gate
	ok pawl approve 1/inc__ask
	equal "$(pawl output 1/after)" 'after v1 [approved]'
}

@test "approval: in a run within a run the outer one pauses, and goes on" {
	gate
	workflow outer <<'YAML'
name: outer
nodes:
  - id: sub
    workflow: gate
  - id: after
    depends_on: [sub]
    bash: echo "after $sub.output"
YAML
	exits 3 pawl run outer
	equal "$(states 1)" 'sub=paused'
	equal "$(states 2)" 'build=completed ask=paused'
	equal "$(ran)" 'build'
	ok pawl approve 1
	equal "$(ran)" 'ship'
	equal "$(pawl output 1/after)" 'after v1 [approved]'
	ok pawl runs
	says_not 'gate'
}

@test "approval: each iteration of a loop asks anew" {
	workflow loop <<'YAML'
name: loop
nodes:
  - id: talk
    loop_group:
      max_iterations: 5
      until: enough
      nodes:
        - id: ask
          approval: {message: 'More?', capture_response: true}
        - id: say
          depends_on: [ask]
          bash: echo "said $ask.output"
YAML
	exits 3 pawl run loop
	equal "$(states)" 'ask=paused talk=paused' || equal "$(states)" 'talk__ask=paused talk=paused'
	exits 3 pawl approve --comment 'go on'
	exits 3 pawl approve --comment 'and on'
	ok pawl approve --comment 'enough'
	equal "$(pawl output last/talk)" 'said enough'
	says 'ended after 3 iterations'
}

# Of three runs at a time one: a gate in each.
gates() {
	workflow asks <<'YAML'
name: asks
inputs: {who: {required: true}}
returns: say
nodes:
  - id: ask
    when: $INPUTS.who != 'bad'
    approval: {message: 'Go $INPUTS.who?', capture_response: true}
  - id: say
    depends_on: [ask]
    trigger_rule: all_done
    bash: |
      test "$INPUTS.who" != bad || test -e good
      echo "$INPUTS.who" >>ran.log
      echo "$INPUTS.who $ask.output"
YAML
	workflow gates <<YAML
name: gates
nodes:
  - id: each
    fan_out: {items: [a, b, $1, c], as: who, max_parallel: 1}
    workflow: asks
  - id: end
    depends_on: [each]
    bash: echo "\$each.output"
YAML
}

@test "approval: a gate in a slot of a fan_out holds up no other slot; each is answered by itself" {
	gates bad
	touch good
	exits 3 pawl run gates
	equal "$(ran)" 'bad'
	equal "$(states | grep -o '=[a-z]*' | tr '\n' ' ')" '=paused =paused =completed =paused =paused '
	exits 2 pawl approve
	says '3 nodes of run 1 wait'
	says '2/ask'
	says '3/ask'
	says '5/ask'
	exits 3 pawl approve 3 --comment second
	equal "$(ran)" 'b'
	ok pawl approve 5/ask --comment fourth --later
	exits 2 pawl reject 5/ask
	says 'E-APPROVAL-NONE'
	exits 2 pawl approve 3
	ok pawl approve 1 --comment first
	equal "$(ran)" 'a c'
	equal "$(pawl output 1/end)" '["a first","b second","bad ","c fourth"]'
}

@test "approval: what has failed already asks nobody; the resume asks again" {
	gates bad
	exits 1 pawl run gates
	says '1 of 4 items failed'
	equal "$(states | grep -o '=[a-z]*' | tr '\n' ' ')" '=failed =cancelled =cancelled =failed =skipped '
	exits 2 pawl approve last
	touch good
	exits 3 pawl resume
	says 'run 2 in it waits'
	exits 3 pawl approve 2 --comment first
	equal "$(ran)" 'a bad'
}

@test "approval: a run that ends meanwhile leaves no gate that waits" {
	workflow ends <<'YAML'
name: ends
nodes:
  - id: ask
    approval: Go?
  - id: halt
    cancel: enough
YAML
	exits 1 pawl run ends --json
	printf '%s\n' "$output" | python3 "$BATS_TEST_DIRNAME/check_events.py" "$BATS_TEST_DIRNAME/../../docs/events.schema.json"
	equal "$(states)" 'halt=completed ask=cancelled'
	exits 2 pawl approve last
}

# ---- cancel ----

@test "cancel: ends the run with its reason, and stops what runs" {
	workflow stop <<'YAML'
name: stop
nodes:
  - id: slow
    bash: sleep 30
  - id: check
    bash: sleep 0.2; echo broken
  - id: halt
    depends_on: [check]
    when: $check.output == 'broken'
    cancel: The tree is $check.output
  - id: later
    depends_on: [halt]
    bash: echo later
YAML
	exits 1 pawl run stop
	says 'The tree is broken'
	ok pawl show last
	says 'cancelled'
	says 'The tree is broken'
	states | grep 'slow=cancelled'
	states | grep -v 'later=completed'
}

@test "cancel: in a run within the run it fails the node, which says why" {
	printf 'name: inner\nnodes: [{id: halt, cancel: no more}]\n' | workflow inner
	printf 'name: outer\nnodes: [{id: sub, workflow: inner}]\n' | workflow outer
	exits 1 pawl run outer
	says 'run 2 of inner cancelled: no more'
}

# ---- include ----

@test "include: namespaced, with inputs, its returns, sinks, and what its entries inherit" {
	workflow part <<'YAML'
name: part
inputs:
  who: {required: true}
  count: {type: number, default: 2}
returns: shout
nodes:
  - id: greet
    bash: echo "hello $INPUTS.who $INPUTS.count"
  - id: shout
    depends_on: [greet]
    script: console.log($greet.output.toUpperCase(), typeof $INPUTS.count, typeof $INPUTS.who)
    runtime: node
  - id: other
    bash: sleep 0.2; echo other >>ran.log
YAML
	workflow main <<'YAML'
name: main
nodes:
  - id: first
    bash: echo first >>ran.log; echo 5
  - id: greet
    bash: echo mine
  - id: inc
    include: part
    depends_on: [first]
    with: {who: $first.output, count: $first.output}
  - id: after
    depends_on: [inc]
    bash: echo after >>ran.log; echo "$inc.output"
  - id: never
    include: part
    depends_on: [first]
    when: $first.output == '6'
    with: {who: nobody}
YAML
	ok pawl run main
	equal "$(pawl output last/after)" 'HELLO 5 5 number string'
	equal "$(pawl output last/inc__greet)" 'hello 5 5'
	equal "$(pawl output last/greet)" 'mine'
	states | grep 'never__greet=skipped'
	states | grep 'never__other=skipped'
	equal "$(tail -1 ran.log)" 'after'
	ok pawl why never__greet
	says "'6'"
}

@test "include: a trigger rule is inherited by the entries" {
	workflow part <<'YAML'
name: part
nodes:
  - id: clean
    bash: echo cleaned
YAML
	workflow main <<'YAML'
name: main
nodes:
  - id: bad
    bash: exit 4
  - id: tidy
    include: part
    depends_on: [bad]
    trigger_rule: all_done
  - id: not
    include: part
    depends_on: [bad]
YAML
	exits 1 pawl run main
	equal "$(states)" 'bad=failed not__clean=skipped tidy__clean=completed' ||
		equal "$(states)" 'bad=failed tidy__clean=completed not__clean=skipped' ||
		equal "$(states)" 'bad=failed not__clean=skipped tidy__clean=completed'
}

@test "include: circles and depth are errors that name the path" {
	workflow a <<'YAML'
name: a
nodes: [{id: b, include: b}]
YAML
	workflow b <<'YAML'
name: b
nodes: [{id: a, include: a}]
YAML
	exits 2 pawl lint a
	says 'E-INCLUDE-CYCLE'
	says 'a.yaml -> '
	says 'b.yaml -> '
	local i
	for i in 0 1 2 3 4 5 6 7 8 9; do
		printf 'name: d%s\nnodes: [{id: in, include: d%s}]\n' "$i" $((i + 1)) | workflow "d$i"
	done
	printf 'name: d10\nnodes: [{id: end, bash: echo end}]\n' | workflow d10
	exits 2 pawl lint d0
	says 'E-INCLUDE-DEPTH'
	says 'd8.yaml -> '
	ok pawl run d2
	ok pawl show last
	says 'in__in__in__in__in__in__in__in__end'
}

@test "include: an error in the child is shown in the child" {
	workflow part <<'YAML'
name: part
inputs: {who: {required: true}}
nodes:
  - id: greet
    bash: echo hi
    timeuot: 3s
YAML
	workflow main <<'YAML'
name: main
nodes:
  - id: inc
    include: part
    with: {whom: x}
YAML
	exits 2 pawl lint main
	says 'part.yaml:6:5'
	says 'timeuot'
	says 'E-INPUT-UNKNOWN'
	says 'E-INPUT-MISSING'
	says 'main.yaml:5'
	workflow main <<'YAML'
name: main
nodes:
  - id: inc
    include: prat
YAML
	exits 2 pawl lint main
	says '`part`'
}

# ---- workflow ----

child() {
	workflow child <<'YAML'
name: child
inputs:
  who: {required: true}
  count: {type: number, default: 1}
returns: greet
nodes:
  - id: greet
    bash: |
      echo "$INPUTS.who" >>ran.log
      echo "hello $INPUTS.who $INPUTS.count" | tee "$ARTIFACTS_DIR/note"
    reads: []
YAML
}

outer() {
	workflow outer <<YAML
name: outer
nodes:
  - id: list
    bash: cat who
    reads: [who]
  - id: sub
    depends_on: [list]
    workflow: child
    with: {who: \$list.output, count: ${1:-1.50}}
  - id: after
    depends_on: [sub]
    bash: echo "<\$sub.output>"
YAML
	echo Ann >who
}

@test "workflow: a run of its own with its row, artifacts and typed inputs" {
	child
	outer
	ok pawl run outer
	equal "$(pawl output 1/after)" '<hello Ann 1.50>'
	equal "$(states 2)" 'greet=completed'
	ok pawl show 2
	says 'child'
	test -f .pawl/state/runs/2/artifacts/note
	test ! -e .pawl/state/runs/1/artifacts/note
}

@test "workflow: a changed input or a changed child is never answered with the old child" {
	child
	outer
	ok pawl run outer
	equal "$(ran)" 'Ann'
	ok pawl run outer
	equal "$(ran)" ''
	says '1 reused'
	echo Bob >who
	ok pawl run outer
	equal "$(ran)" 'Bob'
	equal "$(pawl output last/after)" '<hello Bob 1.50>'
	sed -i 's/hello/welcome/' .pawl/workflows/child.yaml
	ok pawl run outer
	equal "$(ran)" 'Bob'
	equal "$(pawl output last/after)" '<welcome Bob 1.50>'
}

@test "workflow: wrong, unknown and missing inputs are errors of the node" {
	child
	outer abc
	exits 1 pawl run outer
	says 'input `count` is a string, not a number'
	sed -i 's/count: abc/cuont: 3/' .pawl/workflows/outer.yaml
	exits 1 pawl run outer
	says 'no input `cuont`'
	sed -i 's/with: .*/with: {count: 3}/' .pawl/workflows/outer.yaml
	exits 1 pawl run outer
	says 'requires the input `who`'
}

@test "workflow: a child that fails fails the node and names its run; the resume goes on in it" {
	workflow child <<'YAML'
name: child
nodes:
  - id: one
    bash: echo one >>ran.log; echo 1
  - id: two
    depends_on: [one]
    bash: echo two >>ran.log; test -e good
YAML
	workflow outer <<'YAML'
name: outer
nodes:
  - id: sub
    workflow: child
YAML
	exits 1 pawl run outer
	says 'run 2 of child failed'
	says 'pawl show 2'
	equal "$(ran)" 'one two'
	touch good
	ok pawl resume 1
	equal "$(ran)" 'two'
	equal "$(states 2)" 'one=reused two=completed'
}

@test "workflow: what it gives is used, and its file ends in several nodes without saying which" {
	printf 'name: child\nnodes: [{id: a, bash: echo a}, {id: b, bash: echo b}]\n' | workflow child
	workflow outer <<'YAML'
name: outer
nodes:
  - {id: sub, workflow: child}
  - {id: after, depends_on: sub, bash: echo after}
YAML
	ok pawl run outer
	sed -i 's/echo after/echo $sub.output/' .pawl/workflows/outer.yaml
	exits 1 pawl run outer
	says 'E-REF-RETURNS'
	sed -i 's/^nodes/returns: b\n&/' .pawl/workflows/child.yaml
	ok pawl resume
	equal "$(pawl output last/after)" 'b'
}

@test "workflow: one that runs itself ends at a depth" {
	workflow self <<'YAML'
name: self
nodes:
  - id: again
    workflow: self
YAML
	exits 1 pawl run self
	says 'more than 8 deep'
}

@test "workflow: its timeout stops the child" {
	workflow slow <<'YAML'
name: slow
nodes:
  - id: nap
    bash: sleep 30
YAML
	workflow outer <<'YAML'
name: outer
nodes:
  - id: sub
    workflow: slow
    timeout: 300ms
YAML
	exits 1 pawl run outer
	says 'took longer than 300 ms'
}

# ---- fan_out ----

each() {
	workflow each <<YAML
name: each
nodes:
  - id: list
    bash: cat items.json
    reads: [items.json]
  - id: each
    depends_on: [list]
    fan_out: {items: \$list.output, as: thing${1:+, $1}}
    ${2:-bash: echo "\$INPUTS.thing" >>ran.log; echo "did \$INPUTS.thing"}
    reads: []
  - id: all
    depends_on: [each]
    trigger_rule: all_done
    bash: printf '%s\n' "\$each.output"
    reads: []
YAML
	[ -e items.json ] || echo '["a","b","c"]' >items.json
}

@test "fan_out: an item at the front runs one slot; results stand in the order of the items" {
	each
	ok pawl run each
	equal "$(ran)" 'a b c'
	equal "$(pawl output last/all)" '["did a","did b","did c"]'
	echo '["new", "c", "a", "b"]' >items.json
	ok pawl run each
	equal "$(ran)" 'new'
	says '4 items: 1 ran, 3 reused'
	equal "$(pawl output last/all)" '["did new","did c","did a","did b"]'
	echo '[]' >items.json
	ok pawl run each
	equal "$(ran)" ''
	equal "$(pawl output last/all)" '[]'
}

@test "fan_out: items are told apart by content and type; the same one twice is two slots" {
	each
	echo '["1", 1, {"a": [1]}, "1", 9007199254740993, 1.50, null]' >items.json
	ok pawl run each
	equal "$(pawl output last/all)" \
		'["did 1","did 1","did {\"a\":[1]}","did 1","did 9007199254740993","did 1.50","did "]'
	equal "$(pawl show last --json | grep -c '"each\[')" 7
	ok pawl show last
	says '-2]'
}

@test "fan_out: max_parallel" {
	each 'max_parallel: 1' 'bash: echo "+$INPUTS.thing" >>ran.log; sleep 0.05; echo "-$INPUTS.thing" >>ran.log'
	ok pawl run each
	equal "$(tr '\n' ' ' <ran.log)" '+a -a +b -b +c -c '
}

@test "fan_out: join all_success fails the node; the resume runs only what failed" {
	each '' 'bash: echo "$INPUTS.thing" >>ran.log; [ "$INPUTS.thing" != b ] || test -e good || exit 4; echo "did $INPUTS.thing"'
	exits 1 pawl run each
	says '1 of 3 items failed'
	ran
	touch good
	ok pawl resume
	ran | grep '^b'
	equal "$(pawl output last/all)" '["did a","did b","did c"]'
}

@test "fan_out: with --fail-fast the first item that fails stops the others; without it they end" {
	echo '[1, 2, 30]' >items.json
	each 'max_parallel: 3' 'bash: test "$INPUTS.thing" -gt 1; [ -e quick ] || exec sleep "$INPUTS.thing"'
	exits 1 pawl run each -j 9 --fail-fast
	says '1 of 3 items failed'
	equal "$(states | grep -o ']=[a-z]*' | sort | tr '\n' ' ')" ']=cancelled ]=cancelled ]=failed '
	states | grep ' each=failed'
	touch quick
	exits 1 pawl resume
	equal "$(states | grep -o ']=[a-z]*' | sort | tr '\n' ' ')" ']=completed ]=completed ]=failed '
}

@test "fan_out: join all_done keeps failed slots in the result" {
	each 'join: all_done' 'bash: test "$INPUTS.thing" != b || exit 4; echo "did $INPUTS.thing"'
	ok pawl run each
	pawl output last/all >out.json
	python3 - <<'PY'
import json
a, b, c = json.load(open("out.json"))
assert (a, c) == ("did a", "did c"), (a, c)
assert b["failed"] is True and b["status"] == "failed" and "4" in b["error"], b
PY
}

@test "fan_out: scripts, Lua, and runs see the item as the value that it is" {
	echo '[{"n": 1}, {"n": 2}]' >items.json
	each '' 'script: "console.log(JSON.stringify({twice: $INPUTS.thing.n * 2}))"'
	sed -i 's/^    script:.*/&\n    runtime: node/' .pawl/workflows/each.yaml
	ok pawl run each
	equal "$(pawl output last/all)" '[{"twice":2},{"twice":4}]'
	each '' 'lua: return { text = inputs.thing }'
	ok pawl run each
	says '2 items'
	child
	echo '["Ann", "Bob"]' >items.json
	workflow each <<'YAML'
name: each
nodes:
  - id: each
    fan_out: {items: [Ann, Bob], as: who, max_parallel: 1}
    workflow: child
  - id: all
    depends_on: [each]
    bash: echo "$each.output"
YAML
	ok pawl run each
	equal "$(pawl output last/all)" '["hello Ann 1","hello Bob 1"]'
	rm -f ran.log
	sed -i 's/\[Ann, Bob\]/[Eve, Ann, Bob]/' .pawl/workflows/each.yaml
	ok pawl run each
	equal "$(ran)" 'Eve'
}

@test "fan_out: through an include's input a new item runs one slot, too" {
	workflow part <<'YAML'
name: part
inputs: {things: {type: json, required: true}}
nodes:
  - id: each
    fan_out: {items: $INPUTS.things}
    bash: echo "$INPUTS.item" >>ran.log; echo "$INPUTS.item"
    reads: []
YAML
	workflow main <<'YAML'
name: main
nodes:
  - id: list
    bash: cat items.json
    reads: [items.json]
  - id: inc
    include: part
    depends_on: [list]
    with: {things: $list.output}
YAML
	echo '["a", "b"]' >items.json
	ok pawl run main
	equal "$(ran)" 'a b'
	echo '["c", "a", "b"]' >items.json
	ok pawl run main
	equal "$(ran)" 'c'
}

@test "fan_out: what is no list is an error that shows it" {
	each
	echo '{"a": 1}' >items.json
	exits 1 pawl run each
	says '`fan_out.items` is a map, not a list'
	echo 'one two' >items.json
	exits 1 pawl run each
	says 'one two'
}

@test "fan_out: plan, why and invalidate know slots" {
	each
	ok pawl run each
	ran
	local slot
	slot=$(pawl show last --json | sed -n 's/.*"node":"\(each\[[0-9a-f]*\]\)".*/\1/p' | head -1)
	ok pawl why "$slot"
	says "$slot"
	ok pawl plan each
	says '0 of '
	ok pawl invalidate last "$slot"
	ok pawl plan each
	says "$slot"
	ok pawl run each
	equal "$(ran | wc -w)" 1
}

@test "workflow: what several runs within a run have in common runs once" {
	workflow kid <<'YAML'
name: kid
inputs:
  item: {type: number}
nodes:
  - {id: common, bash: 'echo common >>ran.log; sleep 0.3; echo of all', reads: []}
  - {id: own, bash: 'echo "own $INPUTS.item" >>ran.log; echo $common.output', reads: [], depends_on: [common]}
YAML
	workflow outer <<'YAML'
name: outer
nodes:
  - id: each
    workflow: kid
    fan_out: {items: [1, 2, 3]}
YAML
	ok pawl run outer -j4
	equal "$(ran)" 'common own 1 own 2 own 3'
	equal "$(pawl output 1/each)" '["of all","of all","of all"]'
}

# ---- loop_group ----

loop() {
	workflow loop <<YAML
name: loop
nodes:
  - id: start
    bash: echo 10
  - id: loop
    depends_on: [start]
    loop_group:
      max_iterations: ${1:-5}
      ${2:-until: enough}
      nodes:
        - id: count
          script: |
            const before = \$LOOP_PREV.count.output;
            console.log(before === "" ? Number(\$start.output) : Number(before) + 1);
          runtime: node
        - id: say
          depends_on: [count]
          bash: echo "\$count.output" >>ran.log; if [ \$count.output -ge 12 ]; then echo enough; else echo "at \$count.output"; fi
  - id: after
    depends_on: [loop]
    bash: echo "<\$loop.output>"
YAML
}

@test "loop_group: until, and what the iteration before made" {
	loop
	ok pawl run loop
	says 'ended after 3 iterations'
	equal "$(ran)" '10 11 12'
	equal "$(pawl output last/after)" '<enough>'
}

@test "loop_group: until_bash ends it by ending well" {
	loop 5 'until_bash: test $count.output -ge 11'
	ok pawl run loop
	says 'ended after 2 iterations'
	equal "$(pawl output last/after)" '<at 11>'
}

@test "loop_group: max_iterations is a failure, and not of the last body" {
	loop 2
	exits 1 pawl run loop
	says 'the end was not reached in 2 iterations'
	says 'max_iterations'
	states | grep 'loop=failed'
	states | grep 'after=skipped'
}

@test "loop_group: a failing body ends it; the resume repeats no iteration that ended well" {
	loop
	sed -i 's/^          bash: /&test $count.output != 11 || test -e good; /' .pawl/workflows/loop.yaml
	exits 1 pawl run loop
	equal "$(ran)" '10'
	touch good
	ok pawl resume
	equal "$(ran)" '11 12'
}

@test "loop_group: without an end, without a limit: errors of the file" {
	loop 0 'x-none: 1'
	exits 2 pawl lint loop
	says 'max_iterations'
	loop 3 'timeout: 3s'
	exits 2 pawl lint loop
	says 'E-'
}

# ---- what means nothing, plans, events ----

@test "fields that mean nothing on a control node are errors" {
	workflow main <<'YAML'
name: main
nodes:
  - id: ask
    approval: Go?
    timeout: 3s
    reads: []
  - id: sub
    workflow: child
    always_run: true
YAML
	exits 2 pawl lint main
	says '`timeout` means nothing on a node of the type `approval`'
	says '`reads` means nothing'
	says '`always_run` means nothing on a node of the type `workflow`'
}

@test "a plan of control nodes writes nothing and starts nothing" {
	child
	outer
	each
	loop
	gate
	local name
	for name in outer each loop gate; do
		ok pawl plan "$name"
	done
	equal "$(ran)" ''
	ok pawl run each
	find .pawl/state -type f | sort >before
	ok pawl plan each
	find .pawl/state -type f | sort >after
	diff before after
	says '0 of '
}

@test "events of control nodes meet their schema" {
	child
	outer
	each
	loop
	gate
	local name
	for name in outer each loop; do
		ok pawl run "$name" --json
		printf '%s\n' "$output" | python3 "$BATS_TEST_DIRNAME/check_events.py" "$BATS_TEST_DIRNAME/../../docs/events.schema.json"
	done
	exits 3 pawl run gate --json
	printf '%s\n' "$output" | python3 "$BATS_TEST_DIRNAME/check_events.py" "$BATS_TEST_DIRNAME/../../docs/events.schema.json"
}

# ---- stopping ----

# interrupted WORKFLOW: runs it, sends SIGINT once a body says that it runs, and demands that nothing is left.
interrupted() {
	local pid code=0
	env --default-signal=INT timeout 900 "$PAWL" run "$1" >out.txt 2>&1 &
	pid=$!
	wait_for running
	kill -INT "$pid"
	wait "$pid" || code=$?
	equal "$code" 130
	sleep 0.2
	if pgrep -f "sleep 98765$BATS_TEST_NUMBER"; then
		echo 'that is left' >&2
		return 1
	fi
	rm -f running
	equal "$(pawl show last | sed -n '1s/.*: \([a-z]*\),.*/\1/p')" 'interrupted'
}

@test "Ctrl-C: in a fan_out, a run within a run, a loop, an include: nothing is left" {
	local nap="touch running; setsid sleep 98765$BATS_TEST_NUMBER & sleep 98765$BATS_TEST_NUMBER"
	workflow nap <<YAML
name: nap
nodes: [{id: nap, bash: "$nap"}]
YAML
	workflow fan <<YAML
name: fan
nodes: [{id: each, fan_out: {items: [1, 2, 3], max_parallel: 2}, bash: "$nap"}]
YAML
	workflow sub <<YAML
name: sub
nodes: [{id: sub, workflow: nap}, {id: subs, fan_out: {items: [1, 2]}, workflow: nap}]
YAML
	workflow loop <<YAML
name: loop
nodes: [{id: loop, loop_group: {max_iterations: 3, until: x, nodes: [{id: nap, bash: "$nap"}]}}]
YAML
	workflow inc <<YAML
name: inc
nodes: [{id: inc, include: nap}]
YAML
	local name
	for name in fan sub loop inc; do
		interrupted "$name"
	done
}
