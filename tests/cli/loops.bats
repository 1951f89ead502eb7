#!/usr/bin/env bats
# loop_group: what is in it, and that each iteration is one of its own: also in a loop of a loop, for gates, items of a fan_out
# and runs within the run, and also when the run goes on later.
load helpers

ran() {
	[ -e ran.log ] && tr '\n' ' ' <ran.log | sed 's/ $//'
	rm -f ran.log
}

@test "a gate in a run within a loop is asked anew in each iteration" {
	workflow talk <<'YAML'
name: talk
returns: say
nodes:
  - id: ask
    approval: {message: 'More?', capture_response: true}
  - {id: say, depends_on: ask, bash: 'echo "$ask.output" >>ran.log; echo "$ask.output"'}
YAML
	workflow loop <<'YAML'
name: loop
nodes:
  - id: talks
    loop_group:
      max_iterations: 5
      until: enough
      nodes:
        - {id: talk, workflow: talk}
YAML
	exits 3 pawl run loop
	exits 3 pawl approve --comment one
	exits 3 pawl approve --comment two
	equal "$(ran)" 'one two'
	exits 3 pawl resume
	equal "$(ran)" ''
	ok pawl approve 1 --comment enough
	equal "$(ran)" 'enough'
	says 'ended after 3 iterations'
	equal "$(pawl output 1/talks)" 'enough'
}

@test "a gate in a loop of a loop is asked anew in each iteration of both" {
	workflow deep <<'YAML'
name: deep
nodes:
  - id: outer
    loop_group:
      max_iterations: 3
      until: stop
      nodes:
        - id: inner
          loop_group:
            max_iterations: 3
            until: next
            nodes:
              - id: ask
                approval: {message: 'What?', capture_response: true}
        - {id: end, depends_on: inner, bash: echo "$inner.output"}
YAML
	exits 3 pawl run deep
	local answer
	for answer in again next again; do
		exits 3 pawl approve --comment "$answer"
	done
	exits 3 pawl approve --comment next
	exits 3 pawl approve --comment again
	ok pawl approve --comment 'next stop'
	equal "$(pawl output last/outer)" 'next stop'
}

@test "an answer is given once; the next iteration's is another" {
	workflow talk <<'YAML'
name: talk
nodes:
  - id: talk
    loop_group:
      max_iterations: 3
      until: b
      nodes: [{id: ask, approval: {message: 'More?', capture_response: true}}]
YAML
	exits 3 pawl run talk
	ok pawl approve --later --comment a
	exits 2 pawl approve --later --comment b
	says 'E-APPROVAL-NONE'
	exits 3 pawl resume
	ok pawl approve --comment b
}

@test "items of a fan_out run in each iteration, as other nodes of a loop do" {
	workflow loop <<'YAML'
name: loop
nodes:
  - id: loop
    loop_group:
      max_iterations: 3
      until_bash: test "$(wc -l <ran.log)" -ge 6
      nodes:
        - {id: each, fan_out: {items: [1, 2], max_parallel: 1}, bash: echo $INPUTS.item >>ran.log, reads: []}
YAML
	ok pawl run loop
	says 'it is asked after each iteration'
	equal "$(ran)" '1 2 1 2 1 2'
}

@test "the members of an inner loop run in each iteration of the outer one" {
	workflow loop <<'YAML'
name: loop
nodes:
  - id: outer
    loop_group:
      max_iterations: 2
      until_bash: test "$(wc -l <ran.log)" -ge 4
      nodes:
        - id: inner
          loop_group:
            max_iterations: 2
            until: "xx"
            nodes: [{id: more, bash: 'echo m >>ran.log; echo "x$LOOP_PREV.more.output"', reads: []}]
YAML
	ok pawl run loop
	equal "$(ran)" 'm m m m'
}

@test "a resume goes on in the iteration that failed, also in a run within the loop" {
	workflow step <<'YAML'
name: step
inputs: {n: {type: number, required: true}}
nodes:
  - id: step
    with: {n: $INPUTS.n}
    bash: |
      test "$INPUTS_N" -lt 2 || test -e good
      echo "$INPUTS_N" >>ran.log
      echo $((INPUTS_N + 1))
YAML
	workflow loop <<'YAML'
name: loop
nodes:
  - id: loop
    loop_group:
      max_iterations: 5
      until: "4"
      nodes:
        - {id: step, workflow: step, with: {n: {from: $LOOP_PREV.step.output, if_skipped: 0}}}
YAML
	exits 1 pawl run loop
	equal "$(ran)" '0 1'
	touch good
	ok pawl resume
	equal "$(ran)" '2 3'
	equal "$(pawl output last/loop)" '4'
}
