#!/usr/bin/env bats
# pawl is killed at its n-th durable step, for n = 1, 2, ... until a run survives.  After each death the next command goes
# on: the result is that of an undisturbed run, and no node that was recorded as ended runs again.

load helpers

setup() {
	setup_project
	printf 'one\n' >in.txt
	workflow w <<'Y'
name: w
env: {LC_ALL: C}
pass_env: [LOG]
nodes:
  - id: first
    bash: echo first >>"$LOG"; echo hello
    reads: []
  - id: twice
    script: |
      echo twice >>"$LOG"
      printf '%s %s' "$INPUTS_TEXT" "$INPUTS_TEXT"
    runtime: sh
    with: {text: $first.output}
    depends_on: [first]
    reads: []
  - id: reader
    bash: echo reader >>"$LOG"; tr a-z A-Z <in.txt; cat in.txt >made.txt
    reads: [in.txt]
    writes: [made.txt]
  - id: large
    bash: |
      echo large >>"$LOG"
      printf '%s %070000d' $reader.output 7 >"$ARTIFACTS_DIR/large.txt"
      printf '%090000d' 8
    depends_on: [reader]
    reads: []
    writes: [$ARTIFACTS_DIR/large.txt]
  - id: unproven
    bash: echo unproven >>"$LOG"; echo "by hand"
    depends_on: [first]
  - id: last
    bash: |
      echo last >>"$LOG"
      printf '%s|%s|%s|' $twice.output $reader.output $unproven.output
      cksum <<<$large.output
      cksum <"$ARTIFACTS_DIR/large.txt"
    depends_on: [twice, reader, large, unproven]
    reads: []
Y
	nodes='first twice reader large unproven last'
}

# What there is to see of a run when all is done.
outcome() { # RUN
	local node
	for node in $nodes; do
		echo "$node: $(pawl output "$1/$node" | cksum)"
	done
	echo "made.txt: $(cksum <made.txt)"
	echo "large.txt: $(cksum <".pawl/state/runs/$1/artifacts/large.txt")"
}

# Goes on after a death: `run` where no run was recorded beyond run $1, `resume` where one had not ended.
go_on() { # RUN-BEFORE
	local newest
	newest=$(newest_run)
	if [ "$newest" -eq "$1" ]; then
		pawl run w
	elif [ "$(run_state "$newest")" != completed ]; then
		pawl resume "$newest"
	fi
}

declare -gA before

# Bodies outlive a killed pawl: these are short, and what they still append counts too.
count_all() {
	local node
	wait_for 200 nothing_left
	for node in $nodes; do
		before[$node]=$(times_run "$node")
	done
}

# Nodes that run $1 had recorded as ended ran no more since count_all, the others at most once more.
check_counts() { # RECORDED
	local node now allowed
	for node in $nodes; do
		now=$(times_run "$node")
		allowed=$((before[$node] + 1))
		if grep -qx "$node" <<<"$1"; then
			allowed=${before[$node]}
		fi
		[ "$now" -le "$allowed" ] || fail "$node ran $now times, not $allowed; recorded: $1" || return 1
	done
}

# One death at step $1 of `pawl $3...` after run $2.  False once the command survives.
die_and_go_on() {
	local step=$1 run=$2 newest recorded status=0
	shift 2
	PAWL_TEST_DIE_AT=$step pawl "$@" -j 2 >"$HOME/out" 2>&1 || status=$?
	if [ $status -eq 0 ]; then
		return 1
	fi
	[ $status -eq 137 ] || { cat "$HOME/out"; fail "step $step: exit $status"; exit 1; }
	newest=$(newest_run)
	recorded=
	if [ "$newest" -gt "$run" ]; then
		recorded=$(nodes_in "$newest" completed reused)
	fi
	count_all
	go_on "$run" >"$HOME/out" 2>&1 || { cat "$HOME/out"; fail "step $step: going on failed"; exit 1; }
	check_counts "$recorded" || { cat "$HOME/out"; fail "step $step"; exit 1; }
	newest=$(newest_run)
	[ "$newest" -eq $((run + 1)) ] || { fail "step $step: run $newest"; exit 1; }
	[ "$(run_state "$newest")" = completed ] || { fail "step $step: run $newest is $(run_state "$newest")"; exit 1; }
	outcome "$newest" | diff "$HOME/expected" - || { fail "step $step: another outcome"; exit 1; }
}

# A project as it was: same path, so that nothing but the store differs.
restore_project() {
	cd "$BATS_TEST_TMPDIR" && rm -rf p && cp -a template p && cd p && : >"$LOG"
}

@test "death at each durable step of a first run" {
	pawl run w
	outcome 1 >"$HOME/expected"
	rm -rf .pawl/state made.txt
	cp -a ../p ../template
	step=1
	while restore_project && die_and_go_on $step 0 run w; do
		step=$((step + 1))
	done
	echo "$step steps"
	[ $step -gt 10 ]
}

@test "temporary files of the dead are swept once they are old" {
	pawl run w
	printf 'of the dead' >.pawl/state/tmp/0123456789abcdef0123456789abcdef
	pawl run w
	[ -e .pawl/state/tmp/0123456789abcdef0123456789abcdef ]
	touch -d '3 days ago' .pawl/state/tmp/0123456789abcdef0123456789abcdef
	pawl run w
	[ -z "$(ls -A .pawl/state/tmp)" ]
}

@test "death at each durable step of a run that reuses" {
	pawl run w
	printf 'two\n' >in.txt
	cp -a ../p ../template
	pawl run w
	outcome 2 >"$HOME/expected"
	step=1
	while restore_project && die_and_go_on $step 1 run w; do
		step=$((step + 1))
	done
	echo "$step steps"
	[ $step -gt 5 ]
	grep -q 'reuse *first' "$HOME/out"
}

@test "death at each durable step of a resume" {
	# The run before was interrupted in the middle.
	pawl run w
	outcome 1 >"$HOME/expected"
	rm -rf .pawl/state made.txt
	PAWL_TEST_DIE_AT=14 pawl run w || true
	cp -a ../p ../template
	step=1
	while restore_project && die_and_go_on $step 0 resume 1; do
		step=$((step + 1))
	done
	echo "$step steps"
	[ $step -gt 3 ]
}
