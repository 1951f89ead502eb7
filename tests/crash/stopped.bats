#!/usr/bin/env bats
# pawl is stopped (Ctrl-Z, a debugger, a frozen machine) while its bodies go on.

load helpers

setup() {
	setup_project
	cat >body.sh <<'B'
echo "$1" >>"$LOG"
echo $$ >"$LOCKS/$1.pid"
while [ ! -e "$LOCKS/go" ]; do sleep 0.02; done
B
}

teardown() {
	kill -CONT "$pid" 2>/dev/null && kill -9 "$pid" 2>/dev/null
	left_over | while read -r left _; do
		kill -9 "$left" 2>/dev/null || true
	done
}

# w has its bodies under way, and the limit of SECONDS for each.
begin() { # SECONDS
	rm -rf .pawl/state "$LOCKS"/*
	workflow w <<Y
name: w
pass_env: [LOG, LOCKS]
nodes:
  - {id: plain, timeout: ${1}s, reads: [], bash: '. ./body.sh plain; echo a'}
  - {id: leaves, timeout: ${1}s, reads: [], bash: '. ./body.sh leaves; sleep 600 & echo b'}
  - {id: after, reads: [], bash: 'echo \$plain.output \$leaves.output', depends_on: [plain, leaves]}
Y
	"$PAWL" run w >"$HOME/out" 2>&1 3>&- &
	pid=$!
	wait_for 60 test -s "$LOCKS/plain.pid" -a -s "$LOCKS/leaves.pid"
}

is_zombie() { # FILE of a pid
	grep -q '^State:[[:space:]]*Z' "/proc/$(cat "$1")/status"
}

@test "a body that ends in time has not timed out, though pawl sees that later" {
	local seconds
	# On a machine so slow that the limit is over before pawl is stopped, once more with more time.
	for seconds in 1 4 16 60; do
		begin $seconds
		kill -STOP $pid
		touch "$LOCKS/go"
		wait_for 60 is_zombie "$LOCKS/plain.pid"
		wait_for 60 is_zombie "$LOCKS/leaves.pid"
		! grep -q 'fail' "$HOME/out" || { kill -CONT $pid; wait $pid || true; continue; }
		sleep $seconds
		kill -CONT $pid
		wait $pid || fail "$(cat "$HOME/out")"
		[ "$(pawl output 1/after)" = "a b" ]
		nothing_left
		return 0
	done
	fail "no limit was long enough"
}

@test "a body that has not ended in time has timed out" {
	begin 1
	kill -STOP $pid
	sleep 1
	kill -CONT $pid
	! wait $pid
	grep -q 'E-NODE-TIMEOUT' "$HOME/out" || fail "$(cat "$HOME/out")"
	nothing_left
}
