#!/usr/bin/env bats
# Resuming: what a continued run reuses, what it never reuses, and how to let go of what it would.
load helpers

# fetch -> build -> check, and docs beside them; none of them declares what it reads.  check passes once `ok` is there.
flow() {
	workflow flow <<'YAML'
name: flow
nodes:
  - id: fetch
    bash: echo fetch >>runs.log; echo data
  - id: build
    depends_on: [fetch]
    bash: echo build >>runs.log; echo "built $fetch.output"
  - id: check
    depends_on: [build]
    bash: |
      echo check >>runs.log
      test -e ok || { echo "no ok here" >&2; exit 3; }
      echo "checked $build.output"
  - id: docs
    bash: echo docs >>runs.log; echo docs
YAML
}

# The same, declared: what is below a node that ran and made the same bytes is proved by them.
declared_flow() {
	flow
	sed -i 's/^    bash:/    reads: []\n&/' .pawl/workflows/flow.yaml
}

runs() {
	sort runs.log | tr '\n' ' ' | sed 's/ $//'
	: >runs.log
}

@test "a resume goes on where the run failed, and reuses what is merely unproven" {
	flow
	exits 1 pawl run flow
	equal "$(runs)" 'build check docs fetch'
	touch ok
	ok pawl resume
	equal "$(runs)" 'check'
	says 'unproven: reads not declared'
	says 'run 1 of flow, attempt 2'
	equal "$(pawl output 1/check)" 'checked built data'
}

@test "a new run doesn't reuse what is unproven, and says so" {
	flow
	touch ok
	ok pawl run flow
	runs
	ok pawl run flow
	equal "$(runs)" 'build check docs fetch'
	says 'reads not declared, and this is a new run'
}

@test "run --resume continues the newest run as a new one; --resume=RUN an older one" {
	flow
	exits 1 pawl run flow
	runs
	touch ok
	ok pawl run flow --resume
	equal "$(runs)" 'check'
	says 'run 2 of flow'
	ok pawl run flow --resume=2
	equal "$(runs)" ''
	ok pawl run flow
	runs
	ok pawl run flow --resume=1
	equal "$(runs)" 'check'
	exits 2 pawl run flow --resume=99
	says 'there is no run 99'
}

@test "a resume reads today's workflow" {
	flow
	exits 1 pawl run flow
	runs
	sed -i 's/echo data/echo better/; s/test -e ok/true/' .pawl/workflows/flow.yaml
	ok pawl resume
	equal "$(runs)" 'build check fetch'
	equal "$(pawl output 1/check)" 'checked built better'
}

@test "a node added, a node taken away, a node renamed" {
	flow
	exits 1 pawl run flow
	runs
	cat >>.pawl/workflows/flow.yaml <<'YAML'
  - id: extra
    depends_on: [fetch]
    bash: echo extra >>runs.log
YAML
	sed -i 's/id: docs/id: manual/; s/test -e ok/true/' .pawl/workflows/flow.yaml
	ok pawl resume
	equal "$(runs)" 'check docs extra'
}

@test "--no-resume runs everything and replaces what was stored" {
	flow
	touch ok
	ok pawl run flow
	runs
	ok pawl run flow --no-resume
	equal "$(runs)" 'build check docs fetch'
	equal "$(reason fetch)" no_resume
	ok pawl run flow --reuse=off
	equal "$(runs)" 'build check docs fetch'
}

@test "-f forces a node, what is below it, what is above it" {
	declared_flow
	touch ok
	ok pawl run flow
	runs
	ok pawl run flow --resume -f build
	equal "$(runs)" 'build'
	ok pawl run flow --resume -f build+
	equal "$(runs)" 'build check'
	ok pawl run flow --resume -f +build
	equal "$(runs)" 'build fetch'
	ok pawl run flow --resume -f +build+
	equal "$(runs)" 'build check fetch'
	ok pawl run flow --resume -f docs -f fetch
	equal "$(runs)" 'docs fetch'
	ok pawl run flow --resume --force-all
	equal "$(runs)" 'build check docs fetch'
	exits 2 pawl run flow -f biuld
	says 'did you mean `build`?'
}

@test "--from and --until leave the others alone" {
	flow
	touch ok
	ok pawl run flow --until build
	equal "$(runs)" 'build fetch'
	equal "$(states | tr ' ' '\n' | sort | tr '\n' ' ')" 'build=completed check=skipped docs=skipped fetch=completed '
	ok pawl run flow
	runs
	ok pawl run flow --from docs
	equal "$(runs)" 'docs'
	exits 2 pawl run flow --from nowhere
}

@test "--from takes what is above as it was" {
	flow
	touch ok
	ok pawl run flow
	runs
	ok pawl run flow --from build
	equal "$(runs)" 'build check'
	equal "$(pawl output last/check)" 'checked built data'
}

@test "--from doesn't run what is above: what isn't current there is said, and nothing is built on it" {
	flow
	touch ok
	exits 1 pawl run flow --from build
	says 'not selected, and what is stored of it is not current (it never ran before)'
	says '--from fetch'
	ok pawl run flow
	runs
	sed -i 's/echo data/echo better/' .pawl/workflows/flow.yaml
	exits 1 pawl run flow --from build
	equal "$(runs)" ''
	ok pawl run flow --from build -f fetch
	equal "$(runs)" 'build check fetch'
	equal "$(pawl output last/check)" 'checked built better'
}

@test "--reuse=only fails what would have to run, and runs nothing" {
	flow
	touch ok
	exits 1 pawl run flow --reuse=only
	[ ! -e runs.log ]
	says 'it would have to run'
	ok pawl run flow
	runs
	ok pawl run flow --resume --reuse=only
	equal "$(runs)" ''
	exits 2 pawl run flow --reuse=sometimes
	says 'auto, off or only'
}

@test "a resume of a completed run says so and how to start afresh" {
	flow
	touch ok
	ok pawl run flow
	runs
	ok pawl resume
	says 'nothing to resume'
	says 'pawl run'
	equal "$(runs)" ''
	exits 2 pawl resume 42
	says 'there is no run 42'
}

@test "resume without a number takes the newest run that did not complete" {
	flow
	exits 1 pawl run flow
	touch ok
	ok pawl run flow
	rm ok
	exits 1 pawl run flow
	exits 1 pawl resume
	says 'run 3 of flow, attempt 2'
	touch ok
	ok pawl resume 1
	says 'run 1 of flow, attempt 2'
}

@test "a resume of an older run keeps what that run made, whatever newer runs did" {
	flow
	exits 1 pawl run flow
	exits 1 pawl run flow
	runs
	touch ok
	ok pawl resume 1
	equal "$(runs)" 'check'
}

@test "a running run can't be resumed" {
	workflow slow <<'YAML'
name: slow
nodes:
  - {id: wait, bash: 'touch started; while [ ! -e go ]; do sleep 0.05; done'}
YAML
	pawl run slow >log 2>&1 &
	local pid=$!
	wait_for started
	exits 2 pawl resume 1
	says 'still going on'
	touch go
	wait $pid
}

@test "an interrupted run is resumed" {
	workflow slow <<'YAML'
name: slow
nodes:
  - {id: first, bash: 'echo first >>runs.log; echo 1'}
  - {id: wait, depends_on: [first], bash: 'touch started; [ -e go ] || sleep 30'}
YAML
	"$PAWL" run slow >log 2>&1 &
	local pid=$!
	wait_for started
	kill -TERM $pid
	local code=0
	wait $pid || code=$?
	equal "$code" 130
	touch go
	ok pawl resume
	equal "$(runs)" first
	equal "$(states)" 'first=reused wait=completed'
}

@test "invalidate: the node runs again, what consumed the same bytes doesn't" {
	declared_flow
	touch ok
	ok pawl run flow
	runs
	ok pawl invalidate 1 build --reason 'the compiler was broken'
	says 'invalidated'
	ok pawl run flow --resume
	equal "$(runs)" 'build'
	equal "$(reason build)" invalidated
	says 'the compiler was broken'
}

@test "what reads more than pawl knows runs again where something above it did, and only there" {
	flow
	touch ok
	ok pawl run flow
	runs
	ok pawl run flow --resume -f build
	equal "$(runs)" 'build check'
	says 'reads not declared, and build was made or put back since run 1'
	equal "$(reason check)" unproven
	ok pawl run flow --resume -f docs
	equal "$(runs)" 'docs'
	# A result that was made before what it rests on stays refused, when that is reused later.
	rm ok
	exits 1 pawl run flow --resume -f fetch
	equal "$(runs)" 'build check fetch'
	touch ok
	ok pawl resume --no-suspect
	equal "$(runs)" 'check'
}

@test "invalidate -n only says what it would drop" {
	flow
	touch ok
	ok pawl run flow
	runs
	ok pawl invalidate 1 build -n
	says 'would invalidate'
	ok pawl run flow --resume
	equal "$(runs)" ''
}

@test "invalidate --downstream-of and --upstream-of" {
	declared_flow
	touch ok
	ok pawl run flow
	runs
	ok pawl invalidate 1 --downstream-of fetch
	says 'build'
	says 'check'
	says_not 'docs'
	says_not '  fetch'
	ok pawl run flow --resume
	equal "$(runs)" 'build check'
	ok pawl invalidate last --upstream-of check
	ok pawl run flow --resume
	equal "$(runs)" 'build fetch'
	ok pawl invalidate last --downstream-of check
	ok pawl run flow --resume
	equal "$(runs)" ''
}

@test "invalidate wants a run and a node that are there" {
	flow
	touch ok
	ok pawl run flow
	exits 2 pawl invalidate
	exits 2 pawl invalidate 1
	exits 2 pawl invalidate 7 build
	says 'there is no run 7'
	exits 2 pawl invalidate 1 biuld
	says 'did you mean `build`?'
}

@test "the command in the failure report, pasted as it stands: the next run is green" {
	echo storm >weather
	workflow pipe <<'YAML'
name: pipe
nodes:
  - id: produce
    reads: []
    writes: [out.json]
    bash: |
      if grep -qs storm "$PROJECT_DIR/weather"; then echo garbage >out.json; exit 0; fi
      echo '{"v": 1}' >out.json
  - id: consume
    depends_on: [produce]
    reads: [out.json]
    runtime: python
    script: |
      import json
      json.load(open("out.json"))
YAML
	exits 1 pawl run pipe --no-suspect
	exits 1 pawl run pipe --no-suspect
	rm weather
	local command
	command=$(printf '%s\n' "$output" | sed -n 's/^  if .* bad: *//p')
	equal "$command" 'pawl invalidate 2 produce'
	eval "$command"
	ok pawl run pipe --no-suspect
	equal "$(states)" 'produce=completed consume=completed'
}

@test "an explicit resume of a failed run after the pasted command is green too" {
	echo storm >weather
	workflow pipe <<'YAML'
name: pipe
nodes:
  - id: produce
    bash: if grep -qs storm weather; then echo garbage; else echo 7; fi
  - id: consume
    depends_on: [produce]
    bash: test "$produce.output" -eq 7
YAML
	exits 1 pawl run pipe
	exits 1 pawl resume
	rm weather
	eval "$(printf '%s\n' "$output" | sed -n 's/^  if .* bad: *//p')"
	ok pawl resume
	equal "$(states)" 'produce=completed consume=completed'
}
