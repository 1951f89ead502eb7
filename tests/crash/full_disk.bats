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
