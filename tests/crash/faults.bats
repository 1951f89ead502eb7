#!/usr/bin/env bats
# A system that gives less than one is used to: few open files, nothing that can be written, a clock that goes back, a pawl
# that is stopped for a while, many of them at once, very many nodes.

load helpers

setup() {
	setup_project
}

teardown() {
	cd /
	umount "$BATS_TEST_TMPDIR/p" 2>/dev/null || true
	left_over | while read -r pid _; do
		kill -9 "$pid" 2>/dev/null || true
	done
}

wide() { # COUNT BODY
	{
		echo 'name: w'
		echo 'pass_env: [LOG]'
		echo 'nodes:'
		for ((i = 1; i <= $1; i++)); do
			echo "  - {id: n$i, bash: '$2', reads: []}"
		done
	} | workflow w
}

with_files() { # SOFT HARD ARGUMENTS...
	(
		ulimit -Sn "$1" && ulimit -Hn "$2" && shift 2 && pawl "$@"
	)
}

@test "few open files: fewer at once, and below what a run takes a clear word" {
	local files good=0 bad=0
	wide 12 'echo n >>"$LOG"; echo out; echo err >&2; sleep 0.02; echo $RANDOM'
	for files in {8..34} 40 48 64; do
		rm -rf .pawl/state
		: >"$LOG"
		run with_files $files $files run w -j 40
		if [ "$status" -eq 0 ]; then
			good=$((good + 1))
			grep -q 'ulimit -n' <<<"$output"
			[ "$(times_run n)" -eq 12 ]
		else
			[ "$status" -eq 4 ] || fail "$files: $output"
			[ $good -eq 0 ] || fail "$files: $output"
			bad=$((bad + 1))
			grep -q 'error\[E-' <<<"$output"
			grep -q 'help:' <<<"$output" || fail "$files: $output"
			[ "$(times_run n)" -eq 0 ]
		fi
	done
	echo "$good good, $bad not"
	[ $good -ge 8 ] && [ $bad -ge 8 ]
}

@test "the soft limit on open files is raised for pawl and not for its nodes" {
	wide 300 'ulimit -Sn; sleep 0.3'
	run with_files 200 4096 run w -j 300 -q
	[ "$status" -eq 0 ] || fail "$output"
	[ "$(pawl output 1/n1) $(pawl output 1/n300)" = '200 200' ]
}

@test "nothing can be written: what only reads works, the rest says why and what to do" {
	wide 2 'echo out'
	pawl run w
	mount --bind . . 2>"$HOME/why" && mount -o remount,bind,ro "$PWD" 2>>"$HOME/why" ||
		skip "nothing can be mounted here: $(cat "$HOME/why")"
	cd "$BATS_TEST_TMPDIR" && cd p
	pawl plan w | grep -q '0 of 2 would run'
	pawl runs | grep -q completed
	[ "$(pawl output 1/n1)" = out ]
	pawl why n1
	pawl lint
	local words
	for words in 'run w' 'resume' 'gc' 'invalidate 1/n1' 'quarantine 1/n1 --reason x'; do
		# shellcheck disable=SC2086
		run pawl $words
		[ "$status" -eq 4 ] || fail "$words: $status: $output"
		grep -q 'E-STORE-READONLY.*Read-only file system' <<<"$output" || fail "$words: $output"
		grep -q 'help: ' <<<"$output" || fail "$words: $output"
	done
	run pawl doctor
	[ "$status" -eq 4 ]
	grep -q "can't be written" <<<"$output"
}

@test "a clock that goes back an hour at each reading: order, timeouts, reuse and gc stay right" {
	[ -n "${CLOCK_BACK:-}" ] || skip 'nothing can be preloaded into a program with sanitizers'
	workflow w <<'Y'
name: w
pass_env: [LOG]
nodes:
  - {id: a, bash: 'echo a >>"$LOG"; cat in.txt', reads: [in.txt]}
  - {id: b, bash: 'echo b >>"$LOG"; echo $a.output; echo x >made', reads: [], writes: [made], depends_on: [a]}
  - {id: slow, bash: 'echo slow >>"$LOG"; [ -e made ] && [ -e quick ] || sleep 600', timeout: 300ms, retry: {max_attempts: 1, delay_ms: 50}, depends_on: [b]}
Y
	back() { # SIGPIPE and all: bodies don't inherit it
		LD_PRELOAD=$CLOCK_BACK pawl "$@"
	}
	echo 1 >in.txt
	SECONDS=0
	run back run w
	[ "$status" -eq 1 ] || fail "$output"
	grep -q 'timed out after 300 ms' <<<"$output"
	[ "$(times_run slow)" -eq 2 ]
	[ $SECONDS -lt 100 ]
	echo 2 >in.txt
	run back run w
	grep -q 'in.txt changed since run 1' <<<"$output" || fail "$output"
	rm made
	touch quick
	back resume
	[ "$(run_state 2)" = completed ]
	[ "$(times_run a) $(times_run b)" = '2 2' ]
	[ "$(pawl output last/b)" = 2 ]
	[ "$(newest_run)" -eq 2 ]
	back runs
	back show 2 --events
	back gc --older-than 1h
	back run w
	[ "$(times_run a) $(times_run b)" = '2 2' ]
	back doctor
}

@test "SIGSTOP and SIGCONT: nothing is lost of what was printed meanwhile" {
	workflow w <<'Y'
name: w
pass_env: [LOG]
nodes:
  - {id: flood, bash: 'echo flood >>"$LOG"; for i in {1..30000}; do echo "line $i of some length"; done', reads: []}
  - {id: after, bash: 'cksum <<<$flood.output', depends_on: [flood], reads: []}
  - {id: stopped, bash: 'kill -STOP $$; echo never', timeout: 500ms}
Y
	"$PAWL" run w -j 2 >"$HOME/out" 2>&1 3>&- &
	pid=$!
	wait_for 200 grep -q flood "$LOG"
	kill -STOP $pid
	sleep 1
	kill -CONT $pid
	SECONDS=0
	wait $pid || true
	[ $SECONDS -lt 100 ]
	[ "$(pawl output 1/flood | tail -n 1)" = 'line 30000 of some length' ]
	[ "$(pawl output 1/flood | wc -l)" -eq 30000 ]
	[ "$(nodes_in 1 failed)" = stopped ]
	grep -q 'timed out' "$HOME/out"
	nothing_left
}

@test "ten runs at once: each node runs once, and each run has all of it" {
	workflow w <<'Y'
name: w
pass_env: [LOG]
nodes:
  - {id: a, bash: 'echo a >>"$LOG"; sleep 0.2; echo out a', reads: []}
  - {id: b, bash: 'echo b >>"$LOG"; sleep 0.1; echo $a.output b >made; cat made', reads: [], writes: [made], depends_on: [a]}
  - {id: c, bash: 'echo c >>"$LOG"; cat made', reads: [made], depends_on: [b]}
Y
	local pids=() pid
	for i in {1..10}; do
		"$PAWL" run w >"$HOME/out.$i" 2>&1 3>&- &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || { cat "$HOME"/out.*; fail "a run failed"; }
	done
	[ "$(times_run a) $(times_run b) $(times_run c)" = '1 1 1' ] || fail "$(cat "$LOG" "$HOME"/out.*)"
	for i in {1..10}; do
		[ "$(run_state "$i")" = completed ]
		[ "$(pawl output "$i/c")" = 'out a b' ]
	done
}

@test "a hundred thousand nodes are linted and planned in bounded memory" {
	local count=100000 kib=600000
	if [ -n "${PEAK_KIB:-}" ]; then
		count=10000 kib=$PEAK_KIB
	fi
	awk -v n=$count 'BEGIN {
		print "name: big\nnodes:"
		for (i = 0; i < n; i++)
			printf "  - {id: n%d, bash: \"echo %d\", reads: []%s}\n", i, i, i % 10 ? ", depends_on: [n" i - 1 "]" : ""
	}' </dev/null | workflow big
	pawl lint | grep -q "$count nodes"
	/usr/bin/env python3 - "$PAWL" $count $kib <<'PY'
import resource, subprocess, sys
pawl, count, kib = sys.argv[1], sys.argv[2], int(sys.argv[3])
out = subprocess.run([pawl, "plan", "big"], capture_output=True, text=True, timeout=1200)
assert out.returncode == 0, out.stderr
assert f"{count} of {count} would run" in out.stdout, out.stdout[-200:]
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
assert peak < kib, f"{peak} KiB"
PY
}
