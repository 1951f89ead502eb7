#!/usr/bin/env bats
# pawl is killed right before each system call by which it changes a file, SQLite's own among them, whatever it is doing:
# each kind of node, going on, putting files back, answering, judging, dropping, setting a damaged database aside.  After
# each death the next command goes on, with nothing lost, and nothing run again that was recorded.
#
# Then each of them fails instead, with each of the errors that a file system has: it is said, and once it is over all goes on.
#
# There are some hundred calls to each command: every STRIDE-th is tried, from a first one that differs from time to time.
# All of them: STRIDE=1 bats tests/crash/calls.bats

load helpers

setup() {
	: "${DIE_AT_CALL:?the program that kills another one at a system call}"
	setup_project
	# The sanitizer's look for leaks is a tracer, too, and there can't be two.
	export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
	STRIDE=${STRIDE:-29}
	FIRST=${FIRST:-$((RANDOM % STRIDE + 1))}
	echo "STRIDE=$STRIDE FIRST=$FIRST"
	"$DIE_AT_CALL" 0 "$(type -P true)" || skip 'no process can be traced here'
}

teardown() {
	left_over | while read -r pid _; do
		kill -9 "$pid" 2>/dev/null || true
	done
}

all_kinds() {
	workflow child <<'Y'
name: child
pass_env: [LOG]
inputs:
  word: {required: true}
returns: shout
nodes:
  - id: shout
    bash: echo shout >>"$LOG"; tr a-z A-Z <<<"$INPUTS.word"
    reads: []
  - id: aside
    bash: echo aside >>"$LOG"; echo side
    reads: []
Y
	workflow w <<'Y'
name: w
pass_env: [LOG]
nodes:
  - id: list
    bash: echo list >>"$LOG"; echo '["x", "y"]'
    reads: []
  - id: each
    depends_on: [list]
    fan_out: {items: $list.output}
    bash: echo "each $INPUTS.item" >>"$LOG"; echo "<$INPUTS.item>"
    reads: []
  - id: sub
    depends_on: [list]
    workflow: child
    with: {word: hello}
  - id: files
    bash: |
      echo files >>"$LOG"
      mkdir -p out && echo 1 >out/one && ln -sf one out/two && printf '%090000d' 2 >"$ARTIFACTS_DIR/x"
    reads: []
    writes: [out, $ARTIFACTS_DIR/x]
  - id: loop
    depends_on: [files]
    loop_group:
      max_iterations: 3
      until: enough
      nodes:
        - id: count
          bash: echo count >>"$LOG"; [ "$LOOP_PREV.count.output" = a ] && echo enough || echo a
          reads: []
  - id: last
    depends_on: [each, sub, loop, files]
    bash: |
      echo last >>"$LOG"
      printf '%s|%s|%s|' "$each.output" "$sub.output" "$loop.output"
      cat out/two "$ARTIFACTS_DIR/x"
    reads: [out]
Y
}

# The project as it is now is where each round begins, at the same path.
keep_project() {
	rm -rf ../template && cp -a ../p ../template
}

restore_project() {
	cd "$BATS_TEST_TMPDIR" && rm -rf p && cp -a template p && cd p && : >"$LOG"
}

# Neither a body nor a child of the dead pawl that is about to become one.
all_gone() {
	local file
	nothing_left || return 1
	for file in $(grep -lzsx "HOME=$HOME" /proc/[0-9]*/environ); do
		[ "$(readlink "${file%environ}exe")" != "$(readlink -f "$PAWL")" ] || return 1
	done
}

# killed_at CALL ARGUMENTS...: whether `pawl ARGUMENTS` was killed; otherwise it has to end with 0, or with $ENDS.
killed_at() {
	local status=0
	timeout -k 1 900 "$DIE_AT_CALL" "$1" "$PAWL" "${@:2}" >"$HOME/out" 2>&1 || status=$?
	wait_for 200 all_gone || exit 1
	[ $status -ne 137 ] || return 0
	[ $status -eq "${ENDS:-0}" ] || { cat "$HOME/out"; fail "call $1: exit $status"; exit 1; }
	return 1
}

# each_call CHECK ARGUMENTS...: CHECK runs after each death of `pawl ARGUMENTS`.
each_call() {
	local check=$1 call=$FIRST
	shift
	restore_project
	while killed_at "$call" "$@"; do
		cp "$LOG" "$HOME/log.before"
		"$check" >"$HOME/check" 2>&1 || { cat "$HOME/out" "$HOME/check"; fail "call $call"; return 1; }
		restore_project
		call=$((call + STRIDE))
	done
	echo "$call calls"
	[ "$call" -gt "${AT_LEAST:-$STRIDE}" ]
}

# `run w` where no run was recorded after run $1, else `resume` where it has not ended.
go_on() {
	local newest
	newest=$(newest_run)
	if [ "$newest" -le "$1" ]; then
		pawl run w
	elif [ "$(run_state "$newest")" != completed ]; then
		pawl resume "$newest"
	fi
}

ran_before() { # LINE OF THE LOG
	grep -cx "$1" "$HOME/log.before" || true
}

# What was recorded as ended ran no more; the rest at most as often again as in an undisturbed run.
check_counts() { # RECORDED
	local node name limit
	for node in list files shout aside last loop__count 'each x' 'each y'; do
		name=${node#loop__}
		limit=$(($(ran_before "$name") + 1))
		if [ "$name" = count ]; then
			limit=$((limit + 1))
		fi
		if grep -qFx "$node" <<<"$1"; then
			limit=$(ran_before "$name")
		fi
		[ "$(times_run "$name")" -le "$limit" ] ||
			fail "$name ran $(times_run "$name") times, not $limit; recorded: $1" || return 1
	done
}

# Nodes of the run and of those within it that were recorded as ended; slots by their items.
all_recorded() {
	local run node
	[ "$(newest_run)" -gt 0 ] || return 0
	for run in 1 2; do
		pawl show $run >/dev/null 2>&1 || continue
		nodes_in $run completed reused | while read -r node; do
			case $node in
			each\[*) echo "each $(pawl output "$run/$node" | tr -d '<>')" ;;
			loop__count) ;; # its row tells of one iteration only
			loop) echo loop__count ;;
			*) echo "$node" ;;
			esac
		done
	done
}

outcome() { # RUN
	pawl output "$1/last" && pawl output "$1/each" && ls -l --time-style=+ out && readlink out/two
}

finished() {
	local recorded
	recorded=$(all_recorded)
	go_on 0 && check_counts "$recorded" && [ "$(run_state "$(newest_run)")" = completed ] &&
		outcome 1 | diff "$HOME/expected" -
}

@test "a first run of each kind of node" {
	all_kinds
	pawl run w
	outcome 1 >"$HOME/expected"
	rm -rf .pawl/state out
	keep_project
	AT_LEAST=200 each_call finished run w
}

# each_failing STRIDE ERRNO once|always ARGUMENTS...: as each_call, with calls that fail and a pawl that lives.
each_failing() {
	local stride=$1 errno=$2 on=$3 call status
	shift 3
	for ((call = FIRST; ; call += stride)); do
		restore_project
		# Through a pipe: a file would take no message either.
		FAIL_WITH=$errno FAIL_ON=$on timeout -k 1 900 "$DIE_AT_CALL" "$call" "$PAWL" "$@" 2>&1 | cat >"$HOME/out"
		status=${PIPESTATUS[0]}
		[ $status -ne 124 ] || break
		[ $status -le 4 ] || { cat "$HOME/out"; fail "errno $errno $on, call $call: exit $status"; return 1; }
		[ $status -eq 0 ] || grep -q 'E-\|help: \|failed' "$HOME/out" ||
			{ cat "$HOME/out"; fail "errno $errno $on, call $call: not a word"; return 1; }
		nothing_left || { fail "errno $errno $on, call $call: left $(left_over)"; return 1; }
		cp "$LOG" "$HOME/log.before"
		finished >"$HOME/check" 2>&1 ||
			{ cat "$HOME/out" "$HOME/check"; fail "errno $errno $on, call $call"; return 1; }
	done
	echo "errno $errno $on: $call calls"
	[ "$call" -gt "$stride" ]
}

@test "each call fails: no space, an error of the disk, no descriptors, read-only" {
	[ "$(uname -m)" = x86_64 ] || skip 'calls can be made to fail on x86_64 only'
	all_kinds
	pawl run w
	outcome 1 >"$HOME/expected"
	rm -rf .pawl/state out
	keep_project
	local stride=$((STRIDE < 4 ? STRIDE : STRIDE * 5))
	each_failing $stride 28 once run w
	each_failing $stride 28 always run w
	each_failing $stride 5 once run w
	each_failing $stride 24 once run w
	each_failing $stride 30 always run w
}

@test "a resume of a run that was killed in the middle" {
	all_kinds
	pawl run w
	outcome 1 >"$HOME/expected"
	rm -rf .pawl/state out
	killed_at 200 run w
	pawl show 1
	keep_project
	AT_LEAST=20 each_call finished resume 1
}

nothing_ran() {
	go_on 1 && [ ! -s "$LOG" ] && [ -z "$(find . -path ./.pawl/state -prune -o -name '.pawl-*' -print)" ] && outcome "$(newest_run)" | diff "$HOME/expected" -
}

@test "a run that puts files back: no body runs" {
	all_kinds
	pawl run w
	outcome 1 >"$HOME/expected"
	rm -rf out .pawl/state/runs
	keep_project
	AT_LEAST=40 STRIDE=$((STRIDE < 3 ? STRIDE : 3)) each_call nothing_ran run w
	# What differs is replaced.
	restore_project
	mkdir out
	echo other >out/one
	ln -s other out/two
	keep_project
	each_call nothing_ran run w
}

answered() {
	if [ "$(run_state 1)" = paused ]; then
		pawl approve --comment yes || pawl resume 1
	elif [ "$(run_state 1)" != completed ]; then
		pawl resume 1
	fi
	[ "$(run_state 1)" = completed ] && [ "$(pawl output 1/ship)" = 'v1 yes' ] &&
		[ "$(times_run build)" -eq 0 ] && [ "$(times_run ship)" -le 2 ]
}

@test "an approval, and what follows it" {
	workflow w <<'Y'
name: w
pass_env: [LOG]
nodes:
  - {id: build, bash: 'echo build >>"$LOG"; echo v1', reads: []}
  - {id: ask, approval: {message: Ship?, capture_response: true}, depends_on: [build]}
  - {id: ship, bash: 'echo ship >>"$LOG"; echo $build.output $ask.output', reads: [], depends_on: [build, ask]}
Y
	pawl run w || [ $? -eq 3 ]
	keep_project
	AT_LEAST=20 each_call answered approve --comment yes
}

good_and_bad() {
	workflow w <<'Y'
name: w
pass_env: [LOG]
nodes:
  - {id: make, bash: 'echo make >>"$LOG"; cat in.txt', reads: [in.txt]}
  - {id: use, bash: 'echo use >>"$LOG"; [ $make.output != bad ]', reads: [], depends_on: [make]}
Y
	echo "$1" >in.txt
}

# It holds or it does not, and the same command makes it hold.
quarantined() {
	pawl quarantine 1/make --reason 'it is wrong' && [ "$(pawl verdicts --json | grep -c quarantined)" -ge 1 ] || return 1
	! pawl run w || return 1
	pawl verdicts --json | sed -n 's/.*"output":"\([0-9a-f]*\)".*/\1/p' | head -n 1 | xargs "$PAWL" release &&
		pawl run w
}

released() {
	if pawl verdicts --json | grep -q quarantined; then
		pawl release 1/make || return 1
	fi
	pawl run w && [ ! -s "$LOG" ]
}

dropped() {
	pawl invalidate 1/make && pawl run w && [ "$(times_run make) $(times_run use)" = '1 0' ]
}

@test "quarantine, release, invalidate" {
	good_and_bad fine
	pawl run w
	keep_project
	STRIDE=1 FIRST=1 each_call quarantined quarantine 1/make --reason 'it is wrong'
	STRIDE=1 FIRST=1 each_call dropped invalidate 1/make
	restore_project
	pawl quarantine 1/make --reason 'it is wrong'
	keep_project
	STRIDE=1 FIRST=1 each_call released release 1/make
}

# The producer is suspected and runs again exactly once more, whenever the death came.
suspected() {
	pawl run w || true
	pawl run w || true
	pawl run w || true
	[ "$(times_run make)" -ge 1 ] && [ "$(times_run make)" -le 2 ] || return 1
	echo good >in.txt
	pawl run w
}

@test "a consumer that fails on a reused output" {
	good_and_bad bad
	sed -i 's/make.output != bad/make.output != bad ] || [ ! -e fail/' .pawl/workflows/w.yaml
	pawl run w
	touch fail
	sed -i 's/depends_on: .make./&, env: {AGAIN: "1"}/' .pawl/workflows/w.yaml
	keep_project
	ENDS=1 each_call suspected run w
}

swept() {
	pawl gc --older-than 1s && pawl run w && [ ! -s "$LOG" ] && pawl doctor && [ "$(pawl output last/make)" = 3 ]
}

@test "gc" {
	local i
	for i in 1 2 3; do
		good_and_bad $i
		pawl run w
	done
	sleep 1.2
	keep_project
	AT_LEAST=10 STRIDE=3 each_call swept gc --older-than 1s
}

set_aside() {
	pawl run w && pawl run w && [ "$(newest_run)" -ge 1 ] && pawl doctor && ls .pawl/state/*damaged* && [ "$(pawl output last/make)" = fine ]
}

@test "a damaged database is set aside" {
	good_and_bad fine
	pawl run w
	"$PAWL" gc >/dev/null
	rm -f .pawl/state/pawl.db-wal .pawl/state/pawl.db-shm
	head -c 8192 /dev/urandom | dd of=.pawl/state/pawl.db conv=notrunc status=none
	keep_project
	AT_LEAST=20 each_call set_aside run w
	ls .pawl/state
}
