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

# A node whose child writes out.txt for as long as it lives, started by the line given: `$write` is what it runs, in an
# environment that shows nothing.  In the first run it writes until it is ended.
writer() { # WORKFLOW LINE
	cat >write.sh <<'B'
if [ -e "$1/second" ]; then
	echo $$ >>out.txt
	exec /bin/sleep 0.3
fi
while :; do
	echo $$ >>out.txt
	/bin/sleep 0.02
done
B
	workflow "$1" <<Y
name: $1
pass_env: [LOG, LOCKS]
nodes:
  - id: a
    reads: []
    writes: [out.txt]
    bash: |
      echo a >>"\$LOG"
      rm -f out.txt
      write="env -i /bin/bash write.sh \$LOCKS"
      $2
Y
}

# `pawl run $1` is killed while $2 processes write.
killed_while_it_writes() {
	rm -rf out.txt "$LOCKS/second"
	"$PAWL" run "$1" -j 8 >/dev/null 2>&1 3>&- &
	pid=$!
	wait_for 60 eval "[ -s out.txt ] && [ \"\$(writers)\" -eq $2 ]"
	kill -9 $pid
	wait $pid || true
}

lives() { # PID
	grep -q '^State:[[:space:]]*[RSDTt]' "/proc/$1/status" 2>/dev/null
}

writers() {
	sort -u out.txt | wc -l
}

@test "no left-over writes into the next result, whatever it looks like" {
	local line before number=0
	for line in '$write' \
		'exec $write' \
		'timeout 600 $write' \
		'setsid -w $write' \
		'set -m; $write & wait' \
		'$write >/dev/null 2>&1 & for i in {1..20}; do echo more; sleep 0.01; done; [ -e "$LOCKS/second" ] || while :; do echo more; sleep 0.01; done' \
		'(setsid $write >/dev/null 2>&1 &); sleep 0.3; [ -e "$LOCKS/second" ] || sleep 600'; do
		writer "w$((number += 1))" "$line"
		killed_while_it_writes w$number 1
		before=$(sed -n 1p out.txt)
		touch "$LOCKS/second"
		if [ $((number % 2)) -eq 0 ]; then
			pawl run w$number
		else
			pawl resume
		fi || true
		! lives "$before" || fail "$line: it writes on"
		[ "$(writers)" -eq 1 ] || fail "$line: $(writers) wrote out.txt"
		[ "$(ls .pawl/state/bodies)" = "" ] || fail "$line: a record is left"
	done
}

@test "items of a fan_out and runs within a run leave nothing that writes on" {
	writer inner '$write'
	workflow outer <<'Y'
name: outer
pass_env: [LOG, LOCKS]
nodes:
  - {id: sub, workflow: inner}
  - id: items
    reads: []
    fan_out: {items: [x, y], as: item}
    bash: 'env -i setsid -w /bin/bash write.sh "$LOCKS"'
Y
	killed_while_it_writes outer 3
	sort -u out.txt >before
	touch "$LOCKS/second"
	run pawl resume
	while read -r left; do
		! lives "$left" || fail "process $left writes on: $output"
	done <before
	nothing_left
}

@test "bodies of a copy of the project are left alone, and its runs are nobody's in the other" {
	workflow long <<'Y'
name: long
pass_env: [LOCKS]
nodes:
  - {id: first, reads: [], bash: echo first}
  - id: only
    depends_on: first
    bash: |
      touch "$LOCKS/$(basename "$PWD")"
      while [ ! -e "$LOCKS/end" ]; do sleep 0.02; done
      echo $first.output
Y
	pawl run long --until first
	cp -a . ../q
	"$PAWL" run long >"$HOME/p.out" 2>&1 3>&- &
	pid=$!
	wait_for 60 test -e "$LOCKS/p"
	(cd ../q && exec "$PAWL" run long >"$HOME/q.out" 2>&1 3>&-) &
	other=$!
	wait_for 60 test -e "$LOCKS/q"
	# Copied while its run goes on: there it is nobody's.
	cp -a . ../r
	kill -9 $pid
	wait $pid || true
	cd ../r
	pawl runs --json | grep '"run":2,' | grep -q '"state":"interrupted"'
	! pawl doctor -q | grep 'still run'
	run pawl cancel 2
	[ "$status" -eq 0 ] || fail "$output"
	cd ../p
	pawl doctor -q | grep 'of a run that is gone still run'
	pawl cancel 2
	[ "$(left_over | while read -r left _; do readlink "/proc/$left/cwd" || true; done | grep -c '/p$')" -eq 0 ]
	touch "$LOCKS/end"
	wait $other || fail "the other copy failed: $(cat "$HOME/q.out")"
	pawl resume
	cd ../q
	[ "$(pawl output 2/only)" = first ]
}
