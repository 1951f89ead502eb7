#!/usr/bin/env bats
# SIGKILL at random times.  What pawl can't end itself then, the next start does, before the same node runs again.

load helpers

setup() {
	setup_project
	# While a body, or anything that it started, is alive, it holds the lock of its node: a second one would see that.
	cat >body.sh <<'B'
exec 9>"$LOCKS/$1"
flock -n 9 || echo "$1" >>"$LOCKS/overlaps"
echo "$1" >>"$LOG"
B
	workflow w <<'Y'
name: w
pass_env: [LOG, LOCKS]
nodes:
  - {id: a, bash: . ./body.sh a; echo from a, reads: [body.sh]}
  - {id: b, bash: '. ./body.sh b; setsid sleep 0.4 & sleep 0.03; echo $a.output, b', reads: [body.sh], depends_on: [a]}
  - {id: c, bash: . ./body.sh c; sleep 0.05; echo $a.output, reads: [body.sh], depends_on: [a]}
  - {id: d, bash: '. ./body.sh d; (setsid sleep 0.3 &); printf %070000d 4 >made', reads: [body.sh], writes: [made]}
  - {id: e, bash: '. ./body.sh e; cat made; echo $b.output $c.output', reads: [body.sh, made], depends_on: [b, c, d]}
Y
	nodes='a b c d e'
}

teardown() {
	left_over | while read -r pid _; do
		kill -9 "$pid" 2>/dev/null || true
	done
}

# `pawl $2...` lives for $1 milliseconds at most.
killed_after() {
	local pid
	"$PAWL" "${@:2}" >>"$HOME/out" 2>&1 3>&- &
	pid=$!
	sleep "$(printf '0.%03d' "$1")"
	kill -9 $pid 2>/dev/null || true
	wait $pid 2>/dev/null || true
}

@test "SIGKILL at 20 random times, each followed by going on" {
	local round newest recorded before node
	RANDOM=${SEED:=$$}
	echo "SEED=$SEED"
	pawl run w
	pawl output 1/e >"$HOME/expected"
	for round in {1..20}; do
		rm -rf .pawl/state made
		: >"$LOG"
		killed_after $((RANDOM % 160)) run w
		if [ $((RANDOM % 2)) -eq 0 ] && [ "$(newest_run)" -eq 1 ]; then
			killed_after $((RANDOM % 120)) resume
		fi
		newest=$(newest_run)
		recorded=
		if [ "$newest" -eq 1 ]; then
			recorded=$(nodes_in 1 completed reused)
		fi
		before=$(sort "$LOG" | uniq -c)
		if [ "$newest" -eq 0 ]; then
			pawl run w
		elif [ "$(run_state 1)" != completed ]; then
			pawl resume
		fi
		pawl output 1/e | cmp - "$HOME/expected" || fail "round $round: another outcome"
		for node in $recorded; do
			[ "$(times_run "$node")" -eq "$(grep -w "$node" <<<"$before" | awk '{print $1}')" ] ||
				fail "round $round: $node was recorded and ran again"
		done
		[ ! -e "$LOCKS/overlaps" ] || fail "round $round: two at once of $(cat "$LOCKS/overlaps")"
		nothing_left || fail "round $round: left: $(left_over)"
	done
}

@test "what a killed run left behind is ended before the same node runs again" {
	workflow long <<'Y'
name: long
pass_env: [LOG, LOCKS]
nodes:
  - id: only
    bash: |
      . ./body.sh only
      [ ! -e "$LOCKS/second" ] || exit 0
      setsid sleep 600 &
      (trap '' TERM; exec setsid sleep 600) &
      sleep 600
    reads: [body.sh]
Y
	"$PAWL" run long >/dev/null 2>&1 3>&- &
	pid=$!
	wait_for 200 grep -q only "$LOG"
	wait_for 200 eval '[ "$(left_over | grep -c "sleep 600")" -eq 3 ]'
	kill -9 $pid
	wait $pid || true
	[ "$(left_over | grep -c 'sleep 600')" -eq 3 ]
	touch "$LOCKS/second"
	run pawl resume
	[ "$status" -eq 0 ]
	[ "$(times_run only)" -eq 2 ]
	[ ! -e "$LOCKS/overlaps" ]
	nothing_left
}

@test "a living run is not taken for a dead one" {
	workflow long <<'Y'
name: long
pass_env: [LOG, LOCKS]
nodes:
  - {id: only, bash: '. ./body.sh only; while [ ! -e "$LOCKS/end" ]; do sleep 0.02; done', reads: [body.sh]}
Y
	"$PAWL" run long >/dev/null 2>&1 3>&- &
	pid=$!
	wait_for 200 grep -q only "$LOG"
	run pawl resume
	[ "$status" -ne 0 ]
	grep -q 'E-RUN-ALIVE' <<<"$output"
	pawl run w
	[ "$(run_state 1)" = running ]
	touch "$LOCKS/end"
	wait $pid
	[ "$(run_state 1)" = completed ]
	[ "$(times_run only)" -eq 1 ]
}
