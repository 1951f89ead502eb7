#!/usr/bin/env bats
# SIGINT, SIGTERM, SIGHUP; asked twice; and a reader that goes away.  Nothing that a node started is left behind, the run
# is recorded as interrupted, and resume completes it.

load helpers

setup() {
	setup_project
	set -m # so that what is started in the background heeds SIGINT
	workflow w <<'Y'
name: w
pass_env: [LOG, LOCKS]
nodes:
  - {id: quick, bash: 'echo quick >>"$LOG"; echo done', reads: []}
  - id: slow
    bash: |
      echo slow >>"$LOG"
      [ ! -e "$LOCKS/second" ] || exit 0
      setsid sleep 600 &
      (setsid sleep 600 >/dev/null 2>&1 &)
      sleep 600
    depends_on: [quick]
    reads: []
  - {id: after, bash: 'echo after >>"$LOG"', depends_on: [slow], reads: []}
Y
}

teardown() {
	left_over | while read -r pid _; do
		kill -9 "$pid" 2>/dev/null || true
	done
}

start_and_wait() { # WORKFLOW NODE
	"$PAWL" run "$1" >"$HOME/out" 2>&1 3>&- &
	pid=$!
	wait_for 200 grep -qx "$2" "$LOG"
}

# Waits for the run to end, with the exit code of one that was interrupted.
ends_interrupted() {
	local status=0
	wait "$pid" || status=$?
	[ $status -eq 130 ] || fail "exit $status: $(cat "$HOME/out")"
}

interrupted_by() { # SIGNAL
	start_and_wait w slow
	wait_for 200 eval '[ "$(left_over | grep -c "sleep 600")" -eq 3 ]'
	kill -s "$1" $pid
	ends_interrupted || return 1
	nothing_left || fail "left: $(left_over)" || return 1
	[ "$(run_state 1)" = interrupted ] || fail "state $(run_state 1)" || return 1
	[ "$(times_run after)" -eq 0 ] || return 1
	touch "$LOCKS/second"
	pawl resume || return 1
	[ "$(run_state 1)" = completed ] || return 1
	[ "$(times_run quick) $(times_run slow) $(times_run after)" = "1 2 1" ] || fail "$(cat "$LOG")"
}

@test "SIGINT" {
	interrupted_by INT
}

@test "SIGTERM" {
	interrupted_by TERM
}

@test "SIGHUP" {
	interrupted_by HUP
}

@test "SIGINT twice: no grace for a body that ignores SIGTERM" {
	workflow stubborn <<'Y'
name: stubborn
pass_env: [LOG]
nodes:
  - id: deaf
    bash: |
      trap '' TERM
      (setsid sleep 600 &)
      echo deaf >>"$LOG"
      while :; do sleep 0.1; done
    reads: []
Y
	start_and_wait stubborn deaf
	SECONDS=0
	kill -INT $pid
	sleep 0.3
	kill -0 $pid # it waits for the grace period
	kill -INT $pid
	ends_interrupted
	[ $SECONDS -lt 4 ]
	nothing_left
	[ "$(run_state 1)" = interrupted ]
}

@test "a body that ends on SIGTERM has time to clean up" {
	workflow tidy <<'Y'
name: tidy
pass_env: [LOG]
nodes:
  - id: tidy
    bash: |
      trap 'sleep 0.2; echo cleaned >>"$LOG"; exit 1' TERM
      echo tidy >>"$LOG"
      while :; do sleep 0.05; done
    reads: []
Y
	start_and_wait tidy tidy
	kill -TERM $pid
	ends_interrupted
	[ "$(times_run cleaned)" -eq 1 ]
	nothing_left
}

@test "a reader that goes away doesn't end the run" {
	touch "$LOCKS/second"
	pawl run w -v | head -n 1 >"$HOME/first"
	[ "${PIPESTATUS[0]}" -eq 0 ]
	grep -q 'run 1 of w' "$HOME/first"
	[ "$(run_state 1)" = completed ]
	[ "$(times_run after)" -eq 1 ]
}

@test "standard output and error that are closed" {
	touch "$LOCKS/second"
	pawl run w >&- 2>&-
	[ "$(run_state 1)" = completed ]
	[ "$(times_run quick) $(times_run slow) $(times_run after)" = "1 1 1" ]
}
