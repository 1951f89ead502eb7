#!/usr/bin/env bats
# What bodies start: own sessions, daemons, pipes held in the background, floods of output, many at once.  Whatever it is,
# it neither holds up the run nor outlives it, and memory follows the nodes, not what they print.

load helpers

# Processes of this test's bodies that are still there.
left_over() {
	grep -lzsx "HOME=$HOME" /proc/[0-9]*/environ | xargs -r grep -lzs '^PAWL_ATTEMPT_ID=' | wc -l
}

@test "a child in a session of its own is ended with the node, and named" {
	workflow w <<'Y'
name: w
nodes:
  - {id: a, bash: 'setsid sleep 600 >/dev/null 2>&1 & echo started', reads: []}
  - {id: b, bash: 'echo "$INPUTS_TEXT"', with: {text: $a.output}, depends_on: [a], reads: []}
Y
	SECONDS=0
	ok pawl run w
	[ $SECONDS -lt 300 ]
	says "it left 1 process behind, ended with it"
	equal "$(pawl output 1/b)" started
	equal "$(left_over)" 0
}

@test "a double fork, and one that ignores SIGTERM, are found too" {
	workflow w <<'Y'
name: w
nodes:
  - id: a
    bash: |
      (setsid bash -c 'trap "" TERM; (sleep 600 & sleep 600) & sleep 600' >/dev/null 2>&1 &)
      sleep 0.2
      echo done
    reads: []
Y
	ok pawl run w
	says "processes behind, ended with it"
	equal "$(pawl output 1/a)" done
	equal "$(left_over)" 0
}

@test "a background child that holds the pipe doesn't hold the run" {
	workflow w <<'Y'
name: w
nodes:
  - {id: a, bash: 'sleep 600 & echo hi', reads: []}
  - {id: b, script: "(sleep 600; echo late) &\necho hi\n", runtime: sh, reads: []}
Y
	SECONDS=0
	ok pawl run w
	[ $SECONDS -lt 300 ]
	equal "$(pawl output 1/a)" hi
	equal "$(pawl output 1/b)" hi
	equal "$(left_over)" 0
}

@test "what a child in the background prints before the node ends is kept" {
	workflow w <<'Y'
name: w
nodes:
  - {id: a, bash: '(sleep 0.2; echo later) & echo first; wait', reads: []}
  - {id: b, bash: 'for i in {1..200}; do (printf "%d\n" $i) & done; wait', reads: []}
Y
	ok pawl run w
	equal "$(pawl output 1/a | tr '\n' ' ')" "first later "
	equal "$(pawl output 1/b | sort -n | tail -n 1)" 200
	equal "$(pawl output 1/b | wc -l)" 200
}

@test "a timeout ends all that the node started" {
	workflow w <<'Y'
name: w
nodes:
  - id: a
    bash: |
      setsid sleep 600 &
      (setsid bash -c 'sleep 600 & sleep 600' &)
      sleep 600
    timeout: 300
    reads: []
Y
	exits 1 pawl run w
	says "timed out"
	equal "$(left_over)" 0
}

@test "processes of a node that runs beside are left alone" {
	workflow w <<'Y'
name: w
nodes:
  - {id: leaves, bash: 'setsid sleep 600 & echo x', reads: []}
  - {id: beside, bash: 'sleep 1.5 & one=$!; setsid sleep 1.5 & wait $one; echo fine', reads: []}
Y
	ok pawl run w -j 2
	equal "$(pawl output 1/beside)" fine
	equal "$(left_over)" 0
}

@test "standard input is empty, and nothing of ours is open in a body" {
	workflow w <<'Y'
name: w
nodes:
  - {id: a, bash: 'cat; ls /proc/self/fd | tr "\n" " "', reads: []}
Y
	exec 7</dev/null
	echo typed | ok pawl run w
	exec 7<&-
	equal "$(pawl output 1/a)" "0 1 2 3 " # 3 is ls's own
}

# Bodies read how much memory pawl has needed at most.
peak='awk "/VmHWM/ {print \$2}" /proc/$PPID/status'

@test "a thousand nodes, and memory stays small" {
	{
		echo 'name: w'
		echo 'nodes:'
		for i in {1..1000}; do
			echo "  - {id: n$i, bash: ':', reads: []}"
		done
		echo "  - {id: peak, bash: '$peak', reads: [], trigger_rule: all_done, depends_on: [n1, n500, n1000]}"
	} | workflow w
	ok pawl run w -q
	peak_kib=$(pawl output 1/peak)
	echo "peak: $peak_kib KiB"
	[ "$peak_kib" -lt "${PEAK_KIB:-65536}" ]
	ok pawl run w
	says "0 ran, 1001 reused"
}

@test "three hundred sleeps at once" {
	{
		echo 'name: w'
		echo 'nodes:'
		for i in {1..300}; do
			echo "  - {id: n$i, bash: 'sleep 1; echo $i', reads: []}"
		done
		echo "  - {id: peak, bash: '$peak', reads: [], depends_on: [$(seq -f n%g -s ', ' 300)]}"
	} | workflow w
	SECONDS=0
	ok pawl run w -j 300 -q
	echo "$SECONDS s, peak: $(pawl output 1/peak) KiB"
	[ $SECONDS -lt 250 ] # one after the other: 300
	[ "$(pawl output 1/peak)" -lt "${PEAK_KIB:-98304}" ]
	equal "$(pawl output 1/n300)" 300
}

@test "200 MB in lines, and in one line, pass through little memory" {
	workflow w <<Y
name: w
nodes:
  - {id: lines, bash: 'head -c 100000000 < <(yes 0123456789)', reads: []}
  - {id: line, bash: 'head -c 100000000 /dev/zero | tr "\\0" x', reads: []}
  - {id: peak, bash: '$peak', reads: [], depends_on: [lines, line]}
Y
	ok pawl run w -q
	equal "$(pawl output 1/lines | cksum)" "$(yes 0123456789 | head -c 100000000 | cksum)"
	equal "$(pawl output 1/line | wc -c)" 100000000
	echo "peak: $(pawl output 1/peak) KiB"
	[ "$(pawl output 1/peak)" -lt "${PEAK_KIB:-65536}" ]
}

@test "failures, loops and runs within a run don't hold what was printed" {
	workflow kid <<'Y'
name: kid
nodes:
  - {id: large, bash: 'head -c 100000000 /dev/zero | tr "\0" y', reads: []}
Y
	workflow w <<'Y'
name: w
nodes:
  - {id: kid, workflow: kid}
  - id: loop
    loop_group:
      max_iterations: 2
      until: enough
      nodes:
        - {id: once, bash: 'head -c 104857599 /dev/zero | tr "\0" x; echo enough', reads: []}
  - {id: bad, bash: '(head -c 100000000 /dev/zero | tr "\0" z; echo; echo the end) >&2; exit 1', reads: []}
Y
	/usr/bin/env python3 - "$PAWL" "${PEAK_KIB:-65536}" <<'PY'
import resource, subprocess, sys
done = subprocess.run([sys.argv[1], "run", "w"], capture_output=True, text=True, timeout=1500)
print(done.stdout, done.stderr)
assert done.returncode == 1 and "the end" in done.stderr + done.stdout
assert "1 failed" in done.stdout + done.stderr
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
assert peak < int(sys.argv[2]), f"{peak} KiB"
PY
	equal "$(pawl output 1/loop | wc -c)" 104857606
	equal "$(pawl output 1/kid | cksum)" "$(head -c 100000000 /dev/zero | tr '\0' y | cksum)"
}
