#!/usr/bin/env bats
# A file system that fills up under the store: the run fails with the path and the cause, and once there is room again
# resume completes it.  Nothing that was recorded is lost.

load helpers

setup() {
	setup_project
	mount -t tmpfs -o size=2m,mode=700 tmpfs "$BATS_TEST_TMPDIR/p" 2>"$HOME/why" ||
		skip "no tmpfs can be mounted here: $(cat "$HOME/why")"
	cd "$BATS_TEST_TMPDIR" && cd p
	mkdir -p .pawl/workflows
}

teardown() {
	cd /
	umount "$BATS_TEST_TMPDIR/p" 2>/dev/null || true
}

@test "a node's output fills the disk" {
	workflow w <<'Y'
name: w
pass_env: [LOG]
nodes:
  - {id: small, bash: 'echo small >>"$LOG"; echo kept', reads: []}
  - {id: big, bash: 'echo big >>"$LOG"; head -c 8000000 /dev/zero', depends_on: [small], reads: []}
  - {id: last, bash: 'echo last >>"$LOG"; printf "%s %s" $small.output "$(cksum <<<"$ARGUMENTS")"', depends_on: [big], reads: []}
Y
	run pawl run w
	[ "$status" -ne 0 ]
	grep -qi 'no space left' <<<"$output"
	grep -q 'E-' <<<"$output"
	[ "$(times_run last)" -eq 0 ]
	mount -o remount,size=64m "$BATS_TEST_TMPDIR/p"
	pawl resume
	[ "$(times_run small)" -eq 1 ]
	[ "$(times_run last)" -eq 1 ]
	[ "$(pawl output 1/big | cksum)" = "$(head -c 8000000 /dev/zero | cksum)" ]
	pawl run w | grep -q '0 ran, 3 reused'
}

@test "the disk is full before the run" {
	workflow w <<'Y'
name: w
pass_env: [LOG]
nodes:
  - {id: only, bash: 'echo only >>"$LOG"', reads: []}
Y
	head -c 4000000 /dev/zero >filler 2>/dev/null || true
	run pawl run w
	[ "$status" -ne 0 ]
	grep -qi 'no space left\|full' <<<"$output"
	rm filler
	pawl run w
	pawl run w | grep -q '0 ran, 1 reused'
}

fill() {
	head -c 100000000 /dev/zero >filler 2>/dev/null || true
}

says_full() {
	[ "$status" -eq 4 ] || [ "$status" -eq 1 ] || fail "exit $status: $output" || return 1
	grep -qi 'no space left\|is full' <<<"$output" || fail "$output" || return 1
	grep -q 'E-\|help:' <<<"$output" || fail "$output" || return 1
	grep -q 'pawl resume' <<<"$output" || fail "$output"
}

@test "the disk fills while nodes run: they are ended, what was recorded stays, resume goes on" {
	workflow w <<'Y'
name: w
pass_env: [LOG, LOCKS]
nodes:
  - {id: quick, bash: 'echo quick >>"$LOG"; echo kept', reads: []}
  - {id: waits, bash: 'echo waits >>"$LOG"; until [ -e "$LOCKS/full" ]; do sleep 0.02; done; head -c 20000 /dev/zero', reads: [], depends_on: [quick]}
  - {id: long, bash: 'echo long >>"$LOG"; [ -e "$LOCKS/again" ] || sleep 600', reads: [], depends_on: [quick]}
  - {id: last, bash: 'echo last >>"$LOG"; echo $quick.output', reads: [], depends_on: [waits, long, quick]}
Y
	"$PAWL" run w -j 3 >"$HOME/out" 2>&1 3>&- &
	pid=$!
	wait_for 200 grep -q waits "$LOG"
	wait_for 200 grep -q long "$LOG"
	fill
	touch "$LOCKS/full"
	status=0
	wait $pid || status=$?
	output=$(cat "$HOME/out")
	says_full
	nothing_left
	rm filler
	touch "$LOCKS/again"
	pawl resume
	[ "$(times_run quick) $(times_run waits) $(times_run long) $(times_run last)" = '1 2 2 1' ] || fail "$(cat "$LOG")"
	[ "$(run_state 1)" = completed ]
}

@test "no room for a declared file, nor for putting one back" {
	workflow w <<'Y'
name: w
pass_env: [LOG]
nodes:
  - {id: make, bash: 'echo make >>"$LOG"; head -c 700000 /dev/zero >made', reads: [], writes: [made]}
  - {id: use, bash: 'echo use >>"$LOG"; wc -c <made', reads: [made], depends_on: [make]}
Y
	head -c 700000 /dev/zero >small
	run pawl run w
	says_full
	rm small
	pawl resume
	[ "$(pawl output 1/use)" = 700000 ]
	rm made
	fill
	truncate -s -300K filler
	run pawl run w
	echo "$output"
	says_full
	rm filler
	pawl run w
	[ "$(times_run use)" -eq 1 ]
	[ "$(wc -c <made)" -eq 700000 ]
}

@test "doctor says that the disk is full, and blames nothing else" {
	echo 'name: w' >.pawl/workflows/w.yaml
	echo 'nodes: [{id: a, bash: "true", reads: []}]' >>.pawl/workflows/w.yaml
	pawl run w
	fill
	run pawl doctor
	[ "$status" -eq 4 ]
	grep -q 'disk is full\|No space left' <<<"$output" || fail "$output"
	! grep -q "locks don't hold\|whole seconds" <<<"$output" || fail "$output"
	rm filler
	pawl gc --max-size 1K
	pawl doctor
}
