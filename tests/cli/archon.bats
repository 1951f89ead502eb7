#!/usr/bin/env bats
# Files that were written for Archon: those of deterministic nodes run in place, or say which line to change, and
# `lint --fix` changes what leaves no doubt.
load helpers

archon() {
	rm -rf .pawl
	cp -r "$BATS_TEST_DIRNAME/../data/archon/.archon" .
	printf '%s\n' 'fix: one' 'feat: two' 'fix: three' >commits.txt
}

@test "a file with keys of Archon's runs in place, with one warning, and finds its named script" {
	archon
	sed -i 's/runtime: bun/runtime: sh/' .archon/workflows/release-notes.yaml
	ok pawl run .archon/workflows/release-notes.yaml
	equal "$(grep -c 'warning' <<<"$output")" 1
	says '`provider`'
	ok pawl output last/notes
	says '# Notes (3 commits)'
	says '2 fix'
}

@test "a runtime that is not there is named with how to get it" {
	command -v bun && skip 'bun is here'
	archon
	run pawl run .archon/workflows/release-notes.yaml
	[ "$status" -ne 0 ]
	says 'bun'
}

@test "structured output, conditions, trigger rules and retries as Archon spells them" {
	archon
	ok pawl run .archon/workflows/validate-pr.yaml -- PR 7
	equal "$(pawl output last/lint-docs)" "linted [\"a.md\",\"b.txt\"] for ''"
	equal "$(pawl output last/summary)" '{"kind": "docs", "n": 2, "args": "PR 7"}'
	states | grep 'run-tests=skipped'
}

@test "lint --fix mends quotes around references, shows them, and the file runs" {
	archon
	exits 2 pawl run .archon/workflows/quoting.yaml
	says 'quoting.yaml:9:'
	says 'quoting.yaml:10:'
	says 'quoting.yaml:15:'
	cp .archon/workflows/quoting.yaml before.yaml
	exits 2 pawl lint --fix -n .archon/workflows/quoting.yaml
	says 'would mend 3 references'
	cmp before.yaml .archon/workflows/quoting.yaml
	chmod 640 .archon/workflows/quoting.yaml
	ok pawl lint --fix .archon/workflows/quoting.yaml
	says 'mended 3 references'
	says '+'
	equal "$(stat -c %a .archon/workflows/quoting.yaml)" 640
	ok pawl run .archon/workflows/quoting.yaml
	equal "$(pawl output last/parse)" "Its \$5"
	pawl output last/show | grep 'title: Its $5'
	ok pawl lint --fix .archon/workflows/quoting.yaml
	says_not 'mended'
}

@test "prompt: and command: name the plugin that is missing" {
	workflow p <<'YAML'
name: p
nodes:
  - id: think
    prompt: Think about it
  - id: act
    command: do-it
YAML
	exits 2 pawl lint p
	says 'pawl_prompt'
	says 'pawl_command'
}

@test "runs within the run are found beside the file; items in quotes are a list; an item is what its run is asked with" {
	mkdir -p .archon/workflows/deep
	cat >.archon/workflows/deep/echo-child.yaml <<'YAML'
name: the-child
mutates_checkout: false
nodes:
  - id: echo
    depends_on: []
    bash: |
      set -euo pipefail
      case "$ARGUMENTS" in
        fail-*) exit 1 ;;
        *)      echo "child-ok: $ARGUMENTS" ;;
      esac
YAML
	cat >.archon/workflows/spread.yaml <<'YAML'
name: spread
provider: claude
nodes:
  - id: spread
    workflow: the-child
    fan_out:
      items: '["one", "two", "fail-3"]'
      max_parallel: 2
      join: all_done
  - id: again
    loop_group:
      max_iterations: 5
      fresh_context: false
      until_bash: 'test "$(wc -l < ./counter 2>/dev/null || echo 0)" -ge 3'
      nodes:
        - id: tick
          depends_on: []
          bash: echo tick >> ./counter && wc -l < ./counter
  - id: verify
    depends_on: [spread, again]
    bash: |
      out=$spread.output
      echo "$out"
YAML
	ok pawl run .archon/workflows/spread.yaml
	equal "$(grep -c '^warning' <<<"$output")" 2
	pawl output last/verify | grep -F '["child-ok: one","child-ok: two",{"failed":true,'
}

@test "a run within the run that is not there is a warning of lint, and an error of its node" {
	workflow p <<'YAML'
name: p
nodes:
  - {id: s, workflow: chlid}
  - {id: t, fan_out: {items: [1, 2]}, workflow: child}
YAML
	printf 'name: child\nnodes: [{id: a, bsh: x}]\n' | workflow child
	ok pawl lint p
	says 'W-WORKFLOW-MISSING'
	says 'did you mean `child`?'
	exits 1 pawl run p
	says 'child.yaml:2: node `a` has no type'
	says 'did you mean `bash`?'
	equal "$(grep -c '^error\[E-TYPE-NONE' <<<"$output")" 1
}
