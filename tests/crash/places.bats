#!/usr/bin/env bats
# pawl is killed while it sets outputs aside, makes them anew, puts them back and takes away what is too much: at each durable
# step, and right before each system call by which it changes a file.  Then
#
# - the same command, or a resume, reaches the very files of a fresh run;
# - where nobody goes on, a run with the old sources has the old files again;
# - nothing is left in .pawl/state/aside, and what people have there is never touched.
#
# Of the system calls every STRIDE-th is tried, as in calls.bats.

load helpers

setup() {
	setup_project
	export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
	STRIDE=${STRIDE:-13}
	FIRST=${FIRST:-$((RANDOM % STRIDE + 1))}
	echo "STRIDE=$STRIDE FIRST=$FIRST"
	workflow w <<'Y'
name: w
env: {LC_ALL: C}
nodes:
  - id: bind
    reads: [sheets]
    writes: [books, 'index/*.txt']
    bash: |
      mkdir -p books index
      for sheet in sheets/*; do
        name=${sheet##*/}
        mkdir -p "books/$name.d/empty"
        cat "$sheet" >>"books/$name.d/page"
        chmod 600 "books/$name.d/page"
        ln -s "$name.d/page" "books/$name"
        echo "$name" >>"index/$name.txt"
        cat "$sheet" >"$ARTIFACTS_DIR/$name"
      done
      chmod 750 books
      ls sheets | grep -c .
  - id: mark
    depends_on: bind
    reads: [books]
    writes: [marks]
    bash: for page in books/*.d/page; do cat "$page" >>marks; done
  - id: pair
    depends_on: bind
    when: $bind.output == 2
    reads: []
    writes: [index/pair]
    bash: echo pair >>index/pair
  - id: list
    depends_on: [mark, pair]
    trigger_rule: all_done
    reads: [books, index, marks]
    bash: cat books/*/page index/* marks; ls "$ARTIFACTS_DIR"
Y
	mkdir old new index
	echo people >index/mine
	echo 1 >old/one
	echo 2 >old/two
	echo 1 >new/one
	echo 22 >new/two
	echo 3 >new/three
	take old
	pawl run w
	take new
	cp -a ../p ../fresh.new
	(cd ../fresh.new && rm -rf .pawl/state books marks index/*.txt index/pair && pawl run w && outcome >"$HOME/expected.new")
	take old
	outcome >"$HOME/expected.old"
}

teardown() {
	left_over | while read -r pid _; do
		kill -9 "$pid" 2>/dev/null || true
	done
}

take() { # old|new: as a checkout of the sources does
	rm -rf sheets
	cp -r "$1" sheets
}

# All that there is to see when a run has completed.
outcome() {
	find books index marks \( -type f -printf '%p %m ' -exec sh -c 'xargs echo <"$1"' - {} \; \) -o -printf '%p %y %m %l\n' | LC_ALL=C sort
	(cd ".pawl/state/runs/$(newest_run)/artifacts" && grep -r . . | LC_ALL=C sort)
	pawl output last/list
}

is_clean() {
	[ -z "$(ls -A .pawl/state/aside 2>/dev/null)" ] || { find .pawl/state/aside; fail 'left aside'; }
}

keep_project() {
	rm -rf ../template && cp -a ../p ../template
}

restore_project() {
	cd "$BATS_TEST_TMPDIR" && rm -rf p && cp -a template p && cd p
}

# The command goes on from where run $1 was the newest.
go_on() {
	local newest
	newest=$(newest_run)
	if [ "$newest" -le "$1" ] || [ "$(run_state "$newest")" = completed ]; then
		pawl run w
	else
		pawl resume "$newest"
	fi
}

# After a death on the way from $2 to $3, with run $1 the newest before: both ways on.
checked() {
	rm -rf ../dead && cp -a ../p ../dead
	go_on "$1" || return 1
	outcome | diff "$HOME/expected.$3" - || fail "going on to $3" || return 1
	is_clean || return 1
	cd .. && rm -rf p && mv dead p && cd p || return 1
	take "$2"
	pawl run w || return 1
	outcome | diff "$HOME/expected.$2" - || fail "back to $2" || return 1
	is_clean
}

each_step() { # FROM TO
	local step run status
	run=$(newest_run)
	for ((step = 1; ; step++)); do
		restore_project
		status=0
		PAWL_TEST_DIE_AT=$step pawl run w >"$HOME/out" 2>&1 || status=$?
		[ $status -ne 0 ] || break
		[ $status -eq 137 ] || { cat "$HOME/out"; fail "step $step: exit $status"; return 1; }
		wait_for 200 nothing_left
		checked "$run" "$1" "$2" >"$HOME/check" 2>&1 || { cat "$HOME/out" "$HOME/check"; fail "step $step"; return 1; }
	done
	echo "$step steps"
	[ $step -gt 3 ]
}

each_call() { # FROM TO
	local call run status
	"$DIE_AT_CALL" 0 "$(type -P true)" || skip 'no process can be traced here'
	run=$(newest_run)
	for ((call = FIRST; ; call += STRIDE)); do
		restore_project
		status=0
		timeout -k 1 60 "$DIE_AT_CALL" "$call" "$PAWL" run w >"$HOME/out" 2>&1 || status=$?
		[ $status -ne 0 ] || break
		[ $status -eq 137 ] || { cat "$HOME/out"; fail "call $call: exit $status"; return 1; }
		wait_for 200 nothing_left
		checked "$run" "$1" "$2" >"$HOME/check" 2>&1 || { cat "$HOME/out" "$HOME/check"; fail "call $call"; return 1; }
	done
	echo "$call calls"
	[ "$call" -gt 60 ]
}

@test "a node that runs again after an edit: death at each durable step" {
	take new
	keep_project
	each_step old new
}

@test "a node that runs again after an edit: death at each call" {
	take new
	keep_project
	each_call old new
}

@test "a node that is reused, and whose place is made as it was: death at each durable step" {
	take new
	pawl run w
	take old
	keep_project
	each_step new old
}

@test "a node that is reused, and whose place is made as it was: death at each call" {
	take new
	pawl run w
	take old
	keep_project
	each_call new old
}

# Whenever it comes: the files of the sources that there are then.
@test "SIGKILL at 20 random times, each followed by other sources or by going on" {
	local round pid which=old
	RANDOM=${SEED:=$$}
	echo "SEED=$SEED"
	for round in {1..20}; do
		if [ $((RANDOM % 2)) -eq 0 ]; then
			[ $which = old ] && which=new || which=old
			take $which
		fi
		"$PAWL" run w >"$HOME/out" 2>&1 3>&- &
		pid=$!
		sleep "$(printf '0.%03d' $((RANDOM % 120)))"
		kill -9 $pid 2>/dev/null || true
		wait $pid 2>/dev/null || true
		[ $((RANDOM % 3)) -gt 0 ] || continue
		go_on "$(newest_run)" >"$HOME/out" 2>&1 || { cat "$HOME/out"; fail "round $round"; }
		outcome | diff "$HOME/expected.$which" - || { cat "$HOME/out"; fail "round $round: not as a fresh run of $which"; }
		is_clean
	done
}
