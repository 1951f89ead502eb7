#!/usr/bin/env bats
# A secret reaches the body and nothing else: not the store, its journal, logs, outputs, events, reports or the terminal.
load helpers

canary='s3cr3t-CaNaRy/+value=42&x'

leaks() {
	local spelling
	{
		printf '%s\n' "$canary"
		for lead in '' x xx; do
			printf '%s%s' "$lead" "$canary" | base64 -w0 | cut -c$((${#lead} * 4 / 3 + 2))-20
			echo
		done
		python3 -c 'import sys, urllib.parse as u; print(u.quote(sys.argv[1], safe="")); print(u.quote_plus(sys.argv[1]))' "$canary"
	} | sed '/^$/d' >"$BATS_TEST_TMPDIR/spellings"
	# base64 of the inside, at each of the three alignments
	python3 - "$canary" >>"$BATS_TEST_TMPDIR/spellings" <<'PY'
import base64, sys
for lead in (b"", b"a", b"ab"):
    text = base64.b64encode(lead + sys.argv[1].encode()).decode()
    print(text[4:-4])
PY
	while read -r spelling; do
		if grep -raqF -- "$spelling" "$@"; then
			printf 'found %s in:\n' "$spelling" >&2
			grep -ralF -- "$spelling" "$@" >&2
			return 0
		fi
	done <"$BATS_TEST_TMPDIR/spellings"
	return 1
}

flow() {
	workflow flow <<'YAML'
name: flow
nodes:
  - id: use
    secrets: [API_TOKEN]
    reads: []
    bash: |
      echo ran >&2
      echo "plain $API_TOKEN"
      echo "err $API_TOKEN" >&2
      for lead in '' a ab; do printf '%s%s' "$lead" "$API_TOKEN" | base64 -w0; echo; done
      python3 -c 'import os, urllib.parse as u; t = os.environ["API_TOKEN"]; print(u.quote(t, safe="")); print(u.quote_plus(t))'
      python3 -c 'import os, sys, time; t = os.environ["API_TOKEN"].encode(); os.write(1, t[:9]); time.sleep(0.1); os.write(1, t[9:]); os.write(1, b"\n")'
      printf '%s' "$API_TOKEN" | wc -c
  - id: next
    depends_on: [use]
    bash: echo "got $use.output"
  - id: bad
    depends_on: [use]
    secrets: [API_TOKEN]
    bash: echo "could not log in with $API_TOKEN" >&2; exit 4
YAML
	export API_TOKEN=$canary
}

@test "the canary is nowhere: store, logs, blobs, terminal, events, report, why" {
	flow
	exits 1 pawl run flow
	printf '%s\n' "$output" >"$BATS_TEST_TMPDIR/seen"
	ok pawl output last/use
	printf '%s\n' "$output" >>"$BATS_TEST_TMPDIR/seen"
	says 'plain ***'
	says "${#canary}"
	pawl logs last >>"$BATS_TEST_TMPDIR/seen" 2>&1
	pawl why use >>"$BATS_TEST_TMPDIR/seen" 2>&1
	pawl why use --json >>"$BATS_TEST_TMPDIR/seen" 2>&1
	pawl show last --json >>"$BATS_TEST_TMPDIR/seen" 2>&1
	pawl run flow --json >>"$BATS_TEST_TMPDIR/seen" 2>&1 || true
	pawl run flow -v >>"$BATS_TEST_TMPDIR/seen" 2>&1 || true
	grep -q 'could not log in' "$BATS_TEST_TMPDIR/seen"
	! leaks .pawl "$BATS_TEST_TMPDIR/seen"
}

@test "the search for the canary finds one where there is one" {
	mkdir there
	printf '%s' "x$canary" | base64 -w0 >there/file
	leaks there 2>/dev/null
	printf 'a %s b' "$canary" >there/file
	leaks there 2>/dev/null
}

@test "a changed secret runs the node again; the same one is reused; an absent one differs from an empty one" {
	flow
	exits 1 pawl run flow
	exits 1 pawl run flow
	states | grep 'use=reused'
	API_TOKEN=another-long-value exits 1 pawl run flow
	states | grep 'use=completed'
	says 'API_TOKEN'
	says_not 'another-long-value'
	API_TOKEN='' exits 1 pawl run flow
	states | grep 'use=completed'
	unset API_TOKEN
	run pawl run flow
	states | grep -v 'use=reused'
}

@test "secrets of items, loops and runs in a run are masked, too" {
	workflow child <<'YAML'
name: child
nodes:
  - id: use
    secrets: [API_TOKEN]
    bash: echo "child $API_TOKEN"
YAML
	workflow all <<'YAML'
name: all
nodes:
  - id: each
    fan_out: {items: [1, 2]}
    secrets: [API_TOKEN]
    bash: echo "$INPUTS.item $API_TOKEN"
  - id: sub
    workflow: child
  - id: loop
    loop_group:
      max_iterations: 2
      until: '*'
      nodes:
        - id: use
          secrets: [API_TOKEN]
          bash: echo "loop $API_TOKEN"
  - id: end
    depends_on: [each, sub, loop]
    bash: echo "$each.output $sub.output $loop.output"
YAML
	export API_TOKEN=$canary
	ok pawl run all
	printf '%s\n' "$output" >"$BATS_TEST_TMPDIR/seen"
	equal "$(pawl output last/end)" '["1 ***","2 ***"] child *** loop ***'
	! leaks .pawl "$BATS_TEST_TMPDIR/seen"
}

@test "a secret that a run within the run finds in a file is masked there, too" {
	workflow child <<'YAML'
name: child
nodes:
  - {id: use, bash: cat handed}
YAML
	workflow hand <<'YAML'
name: hand
nodes:
  - {id: write, secrets: [API_TOKEN], bash: 'printf %s "$API_TOKEN" >handed'}
  - {id: sub, depends_on: write, workflow: child}
YAML
	export API_TOKEN=$canary
	ok pawl run hand -v
	printf '%s\n' "$output" >"$BATS_TEST_TMPDIR/seen"
	rm handed
	! leaks .pawl "$BATS_TEST_TMPDIR/seen"
}
