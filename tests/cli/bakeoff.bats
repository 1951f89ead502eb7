#!/usr/bin/env bats
# The bake-off: cases in which well-known tools reuse what is stale, lose what is good, or blame the wrong node.  All on one
# pipeline: a producer writes out.json from src.txt, a consumer parses it.
load helpers

consumer='  - id: consume
    depends_on: [produce]
    reads: [out.json]
    runtime: python
    script: |
      import json
      print(json.load(open("out.json"))["v"])'

# pipe [FIELDS...] < BODY: the pipeline, with that body of the producer and its fields (default: reads and writes).
pipe() {
	local field
	[ $# -gt 0 ] || set -- 'reads: [src.txt]' 'writes: [out.json]'
	{
		printf 'name: pipe\nnodes:\n  - id: produce\n'
		for field in "$@"; do printf '    %s\n' "$field"; done
		printf '    bash: |\n'
		sed 's/^/      /'
		printf '%s\n' "$consumer"
	} >.pawl/workflows/pipe.yaml
}

good_body='printf '\''{"v": "%s"}\n'\'' "$(cat src.txt)" >out.json'

# The pipeline has run once and is green.
green() {
	echo one >src.txt
	pipe <<<"$good_body"
	ok pawl run pipe
	equal "$(states)" 'produce=completed consume=completed'
}

consumed() {
	pawl output last/consume
}

@test "fix the producer's body: it runs again" {
	echo one >src.txt
	pipe <<<'echo "not json: $(cat src.txt)" >out.json'
	exits 1 pawl run pipe
	pipe <<<"$good_body"
	ok pawl resume
	equal "$(states)" 'produce=completed consume=completed'
	equal "$(reason produce)" body_changed
	equal "$(consumed)" one
}

@test "fix a helper script that the body calls: the body runs again, nothing declared" {
	echo one >src.txt
	mkdir tools
	printf '#!/bin/sh\necho "not json"\n' >tools/gen.sh
	chmod +x tools/gen.sh
	pipe 'reads: [src.txt]' 'writes: [out.json]' <<<'./tools/gen.sh "$(cat src.txt)" >out.json'
	exits 1 pawl run pipe
	printf '#!/bin/sh\nprintf "{\\"v\\": \\"%%s\\"}" "$1"\n' >tools/gen.sh
	ok pawl run pipe
	equal "$(reason produce)" file_changed
	says 'tools/gen.sh changed since run 1'
	equal "$(consumed)" one
	ok pawl run pipe
	equal "$(states)" 'produce=reused consume=reused'
}

@test "fix a helper script: a resume sees it as well" {
	echo one >src.txt
	printf 'echo "not json"\n' >gen.sh
	pipe 'writes: [out.json]' <<<'bash gen.sh >out.json'
	exits 1 pawl run pipe
	echo 'echo "{\"v\": 2}"' >gen.sh
	ok pawl resume
	equal "$(reason produce)" file_changed
	equal "$(consumed)" 2
}

@test "declared env changed: it runs again, with the values shown" {
	echo one >src.txt
	pipe 'reads: [src.txt]' 'writes: [out.json]' 'pass_env: [MODE]' \
		<<<'printf '\''{"v": "%s"}'\'' "${MODE-unset}" >out.json'
	MODE=fast ok pawl run pipe
	MODE=slow ok pawl run pipe
	equal "$(reason produce)" env_changed
	says 'MODE: "fast" → "slow"'
	equal "$(consumed)" slow
	ok pawl run pipe
	equal "$(consumed)" unset
	MODE='' ok pawl run pipe
	equal "$(reason produce)" env_changed
	equal "$(consumed)" ''
	MODE=fast ok pawl run pipe
	equal "$(states)" 'produce=reused consume=reused'
	equal "$(consumed)" fast
}

@test "undeclared env can't leak in" {
	echo one >src.txt
	pipe <<<'printf '\''{"v": "%s"}'\'' "${LEAK-nothing}" >out.json'
	LEAK=1 ok pawl run pipe
	equal "$(consumed)" nothing
	LEAK=2 ok pawl run pipe
	equal "$(states)" 'produce=reused consume=reused'
	ok pawl run pipe --no-resume
	equal "$(consumed)" nothing
}

@test "a program in tools is replaced: it runs again" {
	echo one >src.txt
	mkdir "$HOME/bin"
	export PATH=$HOME/bin:$PATH
	printf '#!/bin/sh\necho "{\\"v\\": 1}"\n' >"$HOME/bin/gen"
	chmod +x "$HOME/bin/gen"
	pipe 'reads: [src.txt]' 'writes: [out.json]' 'tools: [gen]' <<<'gen >out.json'
	ok pawl run pipe
	ok pawl run pipe
	equal "$(states)" 'produce=reused consume=reused'
	printf '#!/bin/sh\necho "{\\"v\\": 2}"\n' >"$HOME/bin/gen"
	ok pawl run pipe
	equal "$(reason produce)" tool_changed
	equal "$(consumed)" 2
	mkdir "$HOME/first"
	cp "$HOME/bin/gen" "$HOME/first/gen"
	sed -i 's/2/3/' "$HOME/first/gen"
	PATH=$HOME/first:$PATH ok pawl run pipe
	equal "$(reason produce)" tool_changed
	equal "$(consumed)" 3
}

@test "the producer exits 0 without its declared output: it is blamed, its consumer doesn't start" {
	echo one >src.txt
	pipe <<<'true'
	exits 1 pawl run pipe
	equal "$(states)" 'produce=failed consume=skipped'
	says 'did not write `out.json`'
	exits 1 pawl run pipe
	equal "$(states)" 'produce=failed consume=skipped'
	pipe <<<"$good_body"
	ok pawl resume
	equal "$(consumed)" one
}

@test "a producer that no longer writes out.json is blamed, though the old one was there" {
	green
	pipe <<<'true'
	exits 1 pawl run pipe
	equal "$(states)" 'produce=failed consume=skipped'
	says 'did not write `out.json`'
	# What it did not get to replace is back.
	equal "$(cat out.json)" '{"v": "one"}'
}

@test "an out.json of somebody's that the producer didn't write: used, never stored, said so" {
	echo one >src.txt
	echo '{"v": "mine"}' >out.json
	pipe <<<'true'
	ok pawl run pipe
	says 'out.json was there before and it did not write it'
	ok pawl run pipe
	equal "$(states)" 'produce=completed consume=reused'
	equal "$(reason produce)" not_stored
	rm out.json
	exits 1 pawl run pipe
	equal "$(states)" 'produce=failed consume=skipped'
}

@test "out.json overwritten by hand: restored" {
	green
	echo '{"v": "by hand"}' >out.json
	ok pawl run pipe
	equal "$(states)" 'produce=reused consume=reused'
	says 'restored'
	equal "$(cat out.json)" '{"v": "one"}'
	equal "$(consumed)" one
}

@test "out.json overwritten by hand, size and mtime kept: restored" {
	green
	sleep 2.1 # past the time in which what the kernel says of a file isn't trusted anyway
	ok pawl run pipe
	touch -r out.json stamp
	echo '{"v": "ONE"}' >out.json
	touch -r stamp out.json
	ok pawl run pipe
	equal "$(cat out.json)" '{"v": "one"}'
	equal "$(states)" 'produce=reused consume=reused'
}

@test "out.json overwritten by hand while the producer is to run: the consumer sees what the producer makes" {
	green
	echo '{"v": "by hand"}' >out.json
	echo two >src.txt
	ok pawl run pipe
	equal "$(states)" 'produce=completed consume=completed'
	equal "$(consumed)" two
}

@test "the intermediate is deleted: restored, and nothing runs" {
	green
	rm out.json
	ok pawl run pipe
	equal "$(states)" 'produce=reused consume=reused'
	equal "$(cat out.json)" '{"v": "one"}'
	rm out.json
	ok pawl run pipe -f consume
	equal "$(states)" 'produce=reused consume=completed'
	equal "$(consumed)" one
}

@test "the source is touched only: nothing runs" {
	green
	touch src.txt
	ok pawl run pipe
	equal "$(states)" 'produce=reused consume=reused'
	touch -d 2001-01-01 src.txt
	ok pawl run pipe
	equal "$(states)" 'produce=reused consume=reused'
}

@test "the source is edited, size and mtime kept: it runs again" {
	green
	sleep 2.1
	ok pawl run pipe
	touch -r src.txt stamp
	printf 'two\n' >src.txt
	touch -r stamp src.txt
	ok pawl run pipe
	equal "$(states)" 'produce=completed consume=completed'
	equal "$(reason produce)" file_changed
	equal "$(consumed)" two
}

slow_body='cat src.txt >"$HOME/seen"; touch "$HOME/started"
while [ ! -e "$HOME/go" ]; do sleep 0.02; done
printf '\''{"v": "%s"}\n'\'' "$(cat "$HOME/seen")" >out.json'

@test "the source is edited while the producer runs: used once, never stored, said so" {
	echo one >src.txt
	pipe <<<"$slow_body"
	pawl run pipe >log 2>&1 &
	local pid=$!
	wait_for "$HOME/started"
	echo two >src.txt
	touch "$HOME/go"
	wait $pid
	equal "$(consumed)" one
	grep -q 'src.txt changed while it ran' log
	ok pawl run pipe
	equal "$(reason produce)" not_stored
	equal "$(consumed)" two
	ok pawl run pipe
	equal "$(states)" 'produce=reused consume=reused'
	echo one >src.txt
	ok pawl run pipe
	equal "$(consumed)" one
}

@test "the source is edited between hashing and reading, then reverted: never stored" {
	echo one >src.txt
	pipe <<<'touch "$HOME/started"
while [ ! -e "$HOME/go" ]; do sleep 0.02; done
cat src.txt >"$HOME/seen"; touch "$HOME/read"
while [ ! -e "$HOME/back" ]; do sleep 0.02; done
printf '\''{"v": "%s"}\n'\'' "$(cat "$HOME/seen")" >out.json'
	pawl run pipe >log 2>&1 &
	local pid=$!
	wait_for "$HOME/started"
	touch -r src.txt stamp
	echo BAD >src.txt
	touch "$HOME/go"
	wait_for "$HOME/read"
	echo one >src.txt
	touch -r stamp src.txt
	touch "$HOME/back"
	wait $pid
	equal "$(consumed)" BAD
	grep -q 'src.txt was written to while it ran' log
	ok pawl run pipe
	equal "$(reason produce)" not_stored
	equal "$(consumed)" one
}

@test "a cosmetic edit of the body with the same output: only the producer runs" {
	green
	pipe <<<"# a comment
$good_body"
	ok pawl run pipe
	equal "$(states)" 'produce=completed consume=reused'
}

@test "v1, v2, v1: the third is reused" {
	green
	echo two >src.txt
	ok pawl run pipe
	equal "$(states)" 'produce=completed consume=completed'
	echo one >src.txt
	ok pawl run pipe
	equal "$(states)" 'produce=reused consume=reused'
	equal "$(consumed)" one
	equal "$(cat out.json)" '{"v": "one"}'
	echo two >src.txt
	ok pawl run pipe
	equal "$(states)" 'produce=reused consume=reused'
	equal "$(consumed)" two
}

@test "kill -9 in mid-write: no half file is ever taken for an output" {
	echo one >src.txt
	pipe <<<'printf '\''{"v": '\'' >out.json
touch "$HOME/started"
[ -e "$HOME/go" ] || sleep 30
printf '\''"%s"}\n'\'' "$(cat src.txt)" >>out.json'
	"$PAWL" run pipe >log 2>&1 &
	local pid=$!
	wait_for "$HOME/started"
	kill -9 $pid
	wait $pid || true
	touch "$HOME/go"
	ok pawl resume
	equal "$(states)" 'produce=completed consume=completed'
	equal "$(consumed)" one
	ok pawl run pipe
	equal "$(states)" 'produce=reused consume=reused'
}

@test "two runs at once: each node once" {
	echo one >src.txt
	pipe <<<'echo ran >>"$HOME/runs"; sleep 0.4
printf '\''{"v": "%s"}\n'\'' "$(cat src.txt)" >out.json'
	pawl run pipe >log1 2>&1 &
	local first=$!
	pawl run pipe >log2 2>&1 &
	local second=$!
	wait $first
	wait $second
	equal "$(cat "$HOME/runs")" ran
	equal "$(cat log1 log2 | grep -c '^  reuse  produce')" 1
	equal "$(pawl output 1/consume)" one
	equal "$(pawl output 2/consume)" one
}

# A body that depends on something outside that nobody declared: the file `weather`.
outside_body='if grep -qs storm "$HOME/weather"; then echo garbage >out.json; exit 0; fi
printf '\''{"v": "%s"}\n'\'' "$(cat src.txt)" >out.json'

@test "two runs at once share the work" {
	{
		printf 'name: many\nnodes:\n'
		for i in {1..30}; do
			printf '  - {id: n%d, reads: [], bash: "echo n%d >>$HOME/runs; sleep 0.05"}\n' "$i" "$i"
		done
	} | workflow many
	pawl run many -j2 >log1 2>&1 &
	local first=$!
	pawl run many -j2 >log2 2>&1 &
	local second=$!
	wait $first
	wait $second
	equal "$(sort -u "$HOME/runs" | wc -l)" 30
	equal "$(wc -l <"$HOME/runs")" 30
	[ "$(grep -c '^  run ' log1)" -ge 5 ]
	[ "$(grep -c '^  run ' log2)" -ge 5 ]
}

@test "bad output once, edit the body, revert the edit: stays green" {
	echo one >src.txt
	echo storm >"$HOME/weather"
	pipe <<<"$outside_body"
	exits 1 pawl run pipe
	rm "$HOME/weather"
	pipe <<<"# edited
$outside_body"
	ok pawl run pipe
	equal "$(consumed)" one
	pipe <<<"$outside_body"
	ok pawl run pipe
	equal "$(consumed)" one
	ok pawl run pipe
	equal "$(states)" 'produce=reused consume=reused'
	pipe <<<"# edited
$outside_body"
	ok pawl run pipe
	equal "$(states)" 'produce=reused consume=reused'
}

@test "bad output once behind a body that was good before: going back and forth stays green" {
	green
	echo storm >"$HOME/weather"
	pipe <<<"$outside_body"
	exits 1 pawl run pipe
	rm "$HOME/weather"
	pipe <<<"$good_body"
	ok pawl run pipe
	equal "$(states)" 'produce=reused consume=reused'
	pipe <<<"$outside_body"
	ok pawl run pipe
	equal "$(reason produce)" suspect
	equal "$(consumed)" one
}

@test "bad output twice, a broken edit between, resumed: going back stays green" {
	echo one >src.txt
	echo storm >"$HOME/weather"
	pipe <<<"$outside_body"
	exits 1 pawl run pipe
	pipe <<<"echo x; $outside_body"
	exits 1 pawl resume
	pipe <<<"exit 1"
	exits 1 pawl resume
	equal "$(states)" 'produce=failed consume=skipped'
	rm "$HOME/weather"
	pipe <<<"$good_body"
	ok pawl resume
	pipe <<<"echo x; $outside_body"
	ok pawl run pipe
	pipe <<<"$outside_body"
	ok pawl run pipe
	equal "$(reason produce)" suspect
}

@test "force the producer, plain run, wiped outputs and plain run: all green" {
	echo one >src.txt
	echo storm >"$HOME/weather"
	pipe <<<"$outside_body"
	exits 1 pawl run pipe
	rm "$HOME/weather"
	ok pawl run pipe -f produce
	equal "$(consumed)" one
	ok pawl run pipe
	equal "$(states)" 'produce=reused consume=reused'
	rm out.json
	ok pawl run pipe
	equal "$(states)" 'produce=reused consume=reused'
	equal "$(cat out.json)" '{"v": "one"}'
	ok pawl run pipe --no-resume
	rm out.json
	ok pawl run pipe
	equal "$(states)" 'produce=reused consume=reused'
}

@test "transient bad input from outside, nothing declared: a new run after the failure heals by itself" {
	echo one >src.txt
	echo storm >"$HOME/weather"
	pipe 'writes: [out.json]' <<<"$outside_body"
	exits 1 pawl run pipe
	exits 1 pawl resume
	rm "$HOME/weather"
	ok pawl run pipe
	equal "$(consumed)" one
}

@test "transient bad input from outside: resuming heals by itself too, with one run of the producer (suspect once)" {
	echo one >src.txt
	echo storm >"$HOME/weather"
	pipe 'writes: [out.json]' <<<"$outside_body"
	exits 1 pawl run pipe
	rm "$HOME/weather"
	exits 1 pawl resume
	says 'it consumed 1 reused result'
	ok pawl resume
	equal "$(reason produce)" suspect
	equal "$(states)" 'produce=completed consume=completed'
	says 'quarantined'
}

@test "transient bad input behind declared reads: the suspect runs again in a new run" {
	echo one >src.txt
	echo storm >"$HOME/weather"
	pipe <<<"$outside_body"
	exits 1 pawl run pipe
	rm "$HOME/weather"
	exits 1 pawl run pipe
	equal "$(states)" 'produce=reused consume=failed'
	ok pawl run pipe
	equal "$(reason produce)" suspect
	ok pawl run pipe
	equal "$(states)" 'produce=reused consume=reused'
}

@test "--no-suspect leaves a suspect alone" {
	echo one >src.txt
	echo storm >"$HOME/weather"
	pipe <<<"$outside_body"
	exits 1 pawl run pipe
	rm "$HOME/weather"
	exits 1 pawl run pipe --no-suspect
	exits 1 pawl run pipe --no-suspect
	equal "$(states)" 'produce=reused consume=failed'
}

@test "the second failure names the reused input, where it is from, and the command that lets go of it" {
	echo one >src.txt
	pipe <<<'echo garbage >out.json'
	exits 1 pawl run pipe
	says_not 'pawl invalidate'
	exits 1 pawl run pipe
	says '✗ consume failed'
	says 'json.decoder.JSONDecodeError'
	says 'it consumed 1 reused result'
	says 'produce  from run 1'
	says 'reused 1 time, no contract'
	says 'out.json 8 B'
	says 'pawl invalidate 2 produce'
	says 'nothing produce depends on has changed since run 1'
}

@test "the fourth identical failure says so, and which edit was no input" {
	echo one >src.txt
	echo draft >notes.md
	pipe <<<'echo garbage >out.json'
	local i
	for i in 1 2 3; do exits 1 pawl run pipe; done
	echo better >notes.md
	touch src.txt
	exits 1 pawl run pipe
	says '4th identical failure; nothing it depends on has changed; what you edited (`notes.md`'
	says 'is not an input of this node'
	says_not 'out.json`'
	says '· .pawl/workflows/pipe.yaml:8'
}

@test "a changed input ends the count of identical failures" {
	echo one >src.txt
	pipe <<<'echo "garbage $(cat src.txt)" >out.json'
	exits 1 pawl run pipe
	exits 1 pawl run pipe
	says '2nd identical failure'
	echo two >src.txt
	exits 1 pawl run pipe
	says_not 'identical failure'
}

@test "an exonerated producer isn't offered for invalidation: the message moves to the consumer" {
	echo one >src.txt
	pipe <<<'echo garbage >out.json'
	local i
	for i in 1 2 3 4; do exits 1 pawl run pipe; done
	says 'look at consume itself'
	says_not 'pawl invalidate'
}

@test "an always_run producer rewrites its file and prints the same text: its readers run" {
	echo one >src.txt
	pipe 'writes: [out.json]' 'always_run: true' \
		<<<'echo tick >>"$HOME/ticks"; printf '\''{"v": %s}'\'' "$(grep -c . "$HOME/ticks")" >out.json; echo same'
	ok pawl run pipe
	equal "$(consumed)" 1
	ok pawl run pipe
	equal "$(states)" 'produce=completed consume=completed'
	equal "$(consumed)" 2
	equal "$(pawl output 1/produce)" "$(pawl output 2/produce)"
}

@test "an always_run producer that makes the same again: its readers are reused" {
	echo one >src.txt
	pipe 'reads: [src.txt]' 'writes: [out.json]' 'always_run: true' <<<"$good_body"
	ok pawl run pipe
	ok pawl run pipe
	equal "$(states)" 'produce=completed consume=reused'
}

@test "same bytes but failed: not unchanged" {
	echo 0 >src.txt
	workflow pipe <<'YAML'
name: pipe
nodes:
  - id: produce
    reads: [src.txt]
    bash: echo bytes; exit "$(cat src.txt)"
  - id: report
    depends_on: [produce]
    trigger_rule: all_done
    reads: []
    bash: echo "$produce.state"
YAML
	ok pawl run pipe
	equal "$(pawl output last/report)" completed
	echo 1 >src.txt
	exits 1 pawl run pipe
	equal "$(states)" 'produce=failed report=completed'
	equal "$(pawl output last/report)" failed
	echo 0 >src.txt
	ok pawl run pipe
	equal "$(states)" 'produce=reused report=reused'
	equal "$(pawl output last/report)" completed
}

@test "a deterministic bad producer: run again exactly once over ten resumes" {
	echo one >src.txt
	pipe <<<'echo ran >>"$HOME/runs"; echo garbage >out.json'
	exits 1 pawl run pipe
	local i
	for i in 1 2 3 4 5 6 7 8 9 10; do
		exits 1 pawl resume
	done
	equal "$(grep -c ran "$HOME/runs")" 2
	equal "$(states)" 'produce=reused consume=failed'
	says '11th identical failure'
}

@test "a deterministic bad producer: run again exactly once over ten new runs" {
	echo one >src.txt
	pipe <<<'echo ran >>"$HOME/runs"; echo garbage >out.json'
	local i
	for i in 1 2 3 4 5 6 7 8 9 10; do
		exits 1 pawl run pipe
	done
	equal "$(grep -c ran "$HOME/runs")" 2
	says '10th identical failure'
}

@test "resume forgets nothing that an earlier resume reused" {
	workflow chain <<'YAML'
name: chain
nodes:
  - id: a
    bash: echo a >>"$HOME/runs"; echo a
  - id: b
    depends_on: [a]
    bash: echo b >>"$HOME/runs"; echo b
  - id: c
    depends_on: [b]
    bash: test -e "$HOME/c"
  - id: d
    depends_on: [c]
    bash: test -e "$HOME/d"
YAML
	exits 1 pawl run chain --no-suspect
	exits 1 pawl resume --no-suspect
	equal "$(states)" 'a=reused b=reused c=failed d=skipped'
	exits 1 pawl resume --no-suspect
	touch "$HOME/c"
	exits 1 pawl resume --no-suspect
	equal "$(states)" 'a=reused b=reused c=completed d=failed'
	touch "$HOME/d"
	ok pawl resume --no-suspect
	equal "$(states)" 'a=reused b=reused c=reused d=completed'
	equal "$(sort "$HOME/runs" | tr '\n' ' ')" 'a b '
}

@test "100 MB of output are replayed byte for byte" {
	workflow big <<'YAML'
name: big
nodes:
  - id: make
    reads: []
    bash: head -c 100000000 /dev/zero | tr '\0' 'x'; printf 'end'
  - id: count
    depends_on: [make]
    reads: []
    bash: printf '%s' "$make.output" | sha256sum
YAML
	ok pawl run big
	local want
	want=$( (head -c 100000000 /dev/zero | tr '\0' 'x'; printf end) | sha256sum)
	equal "$(pawl output 1/count)" "$want"
	ok pawl run big
	equal "$(states)" 'make=reused count=reused'
	equal "$(pawl output 2/make | sha256sum)" "$want"
	ok pawl run big -f count
	equal "$(states)" 'make=reused count=completed'
	equal "$(pawl output 3/count)" "$want"
}

@test "two swapped inputs give another key" {
	workflow swap <<'YAML'
name: swap
nodes:
  - {id: a, reads: [a.txt], bash: cat a.txt}
  - {id: b, reads: [b.txt], bash: cat b.txt}
  - id: join
    depends_on: [a, b]
    reads: []
    bash: echo "$a.output-$b.output"
YAML
	echo x >a.txt
	echo y >b.txt
	ok pawl run swap
	equal "$(pawl output last/join)" x-y
	echo y >a.txt
	echo x >b.txt
	ok pawl run swap
	equal "$(reason join)" input_changed
	equal "$(pawl output last/join)" y-x
}

@test "a dangling symlink in an output directory survives" {
	echo one >src.txt
	pipe 'reads: [src.txt]' 'writes: [out.json, site]' <<<"$good_body
mkdir -p site/empty
ln -sfn ../nowhere site/link
echo text >site/file; chmod 750 site/file"
	ok pawl run pipe
	rm -r site out.json
	ok pawl run pipe
	equal "$(states)" 'produce=reused consume=reused'
	equal "$(readlink site/link)" ../nowhere
	[ ! -e site/link ]
	[ -d site/empty ]
	equal "$(cat site/file)" text
	equal "$(stat -c %a site/file)" 750
}
