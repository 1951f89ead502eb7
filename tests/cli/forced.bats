#!/usr/bin/env bats
# What `-f`, `--force-all` and `--no-resume` refuse stays refused, from the moment the run begins and however it ends: neither a
# resume nor a later run comes back to it.  Bodies print what is in `v`, which they don't declare: only a refusal makes them see
# that it changed.
load helpers

# old; then a change that nobody sees, and something that ends the next run before it is through.
turn() {
	echo "${1:-new}" >~/v
	touch ~/boom
}

mended() {
	rm -f ~/boom
}

# killed COMMAND...: kills it when a body has said that it goes on.
killed() {
	rm -f started
	"$PAWL" "$@" >/dev/null 2>&1 &
	local pid=$!
	wait_for started
	kill -9 $pid
	wait $pid || true
}

chain() {
	workflow chain <<'YAML'
name: chain
nodes:
  - {id: first, always_run: true, bash: '[ ! -e wait ] || { : >started; sleep 3600; }'}
  - {id: a, depends_on: first, reads: [], bash: '[ ! -e ~/boom ] || exit 9; cat ~/v'}
  - {id: b, depends_on: a, reads: [], bash: 'cat ~/v'}
YAML
	echo old >~/v
	ok pawl run chain
}

@test "a forced node that failed is not taken from before: by a resume, by a new run, by one that continues it" {
	local go
	for go in "resume" "run chain" "run chain --resume"; do
		rm -rf .pawl/state
		chain
		turn
		exits 1 pawl run chain -f a
		mended
		# shellcheck disable=SC2086
		ok pawl $go
		equal "$(pawl output last/a)" new
		equal "$(reason a)" forced
		ok pawl run chain
		equal "$(reason a)" reuse
	done
}

@test "a forced node that was never reached is not taken from before, and the sentence says why" {
	local go
	for go in "resume" "run chain" "run chain --resume"; do
		rm -rf .pawl/state
		chain
		sed -i 's/exit 9; cat ~.v/exit 9; echo same/' .pawl/workflows/chain.yaml
		ok pawl run chain
		turn
		exits 1 pawl run chain -f a+
		mended
		# shellcheck disable=SC2086
		ok pawl $go
		says '  run    b      forced in run 3, and its result of run 2 is older'
		equal "$(pawl output last/b)" new
	done
}

@test "kill -9 before a forced node: it is refused all the same, also under an earlier key" {
	chain
	sed -i '/id: b/s|cat ~/v.}$|cat ~/v; true'"'"'}|' .pawl/workflows/chain.yaml
	ok pawl run chain
	echo new >~/v
	: >wait
	killed run chain -f b
	rm wait
	ok pawl resume
	says "  run    b      forced in run 3"
	equal "$(pawl output last/b)" new
	# What the node was before is as old.
	sed -i '/id: b/s|cat ~/v; true|cat ~/v|' .pawl/workflows/chain.yaml
	echo newer >~/v
	ok pawl run chain
	equal "$(pawl output last/b)" newer
	ok pawl run chain
	equal "$(reason b)" reuse
}

@test "--force-all that dies half way: what was not reached is not taken from before" {
	chain
	echo new >~/v
	: >wait
	killed run chain --force-all
	rm wait
	ok pawl run chain
	equal "$(pawl output last/a) $(pawl output last/b)" 'new new'
}

@test "a forced resume refuses what the run itself made before" {
	chain
	turn
	exits 1 pawl run chain -f a
	mended
	ok pawl resume
	turn newer
	exits 1 pawl resume 2 -f a+
	mended
	ok pawl resume 2
	equal "$(pawl output 2/a) $(pawl output 2/b)" 'newer newer'
	equal "$(pawl show 2 --json | grep -c '"state":"reused"')" 0
}

@test "what is forced stays as history: diff and why know it" {
	chain
	turn
	exits 1 pawl run chain -f a
	mended
	ok pawl resume
	ok pawl diff 1 2
	says 'new'
	ok pawl why a --run 1
	says 'made by run 1'
}

@test "a plan with -f changes nothing that is stored" {
	chain
	echo new >~/v
	ok pawl plan chain -f a
	ok pawl plan chain --no-resume
	ok pawl resume 1 -n -f a
	ok pawl run chain
	equal "$(reason a) $(reason b)" 'reuse reuse'
}

@test "items of a forced fan_out are refused, also those that were never begun" {
	local go
	for go in "resume" "run fan" "run fan --resume"; do
		rm -rf .pawl/state
		workflow fan <<'YAML'
name: fan
nodes:
  - {id: list, reads: [], bash: "echo '[1,2,3,4]'"}
  - id: each
    depends_on: list
    reads: []
    fan_out: {items: $list.output, max_parallel: 1}
    bash: '[[ $INPUTS.item != 2 || ! -e ~/boom ]] || exit 9; cat ~/v'
YAML
		echo old >~/v
		ok pawl run fan
		turn
		exits 1 pawl run fan -f each
		mended
		# shellcheck disable=SC2086
		ok pawl $go
		equal "$(pawl output last/each)" '["new","new","new","new"]'
	done
}

nested() {
	workflow inner <<'YAML'
name: inner
returns: n
inputs: {i: {type: string, default: x}}
nodes:
  - {id: m, reads: [], bash: '[ ! -e ~/boom ] || exit 9; echo m'}
  - {id: n, depends_on: m, reads: [], bash: 'echo "$INPUTS.i"; cat ~/v'}
YAML
	workflow outer <<'YAML'
name: outer
nodes:
  - {id: first, always_run: true, bash: '[ ! -e wait ] || { : >started; sleep 3600; }'}
  - {id: sub, depends_on: first, workflow: inner}
  - {id: twin, depends_on: sub, workflow: inner, with: {i: y}}
YAML
	echo old >~/v
	ok pawl run outer
}

@test "nodes of a forced run within the run: failed, and never reached" {
	local go
	for go in "resume" "run outer" "run outer --resume"; do
		rm -rf .pawl/state
		nested
		turn
		exits 1 pawl run outer -f sub
		mended
		# shellcheck disable=SC2086
		ok pawl $go
		says '  run    sub/m  forced in run 4, and its result of run 2 is older'
		says '  run    sub/n  '
		equal "$(pawl output last/sub)" $'x\nnew'
		# Nobody forced this one.
		says '  reuse  twin/n  '
		equal "$(pawl output last/twin)" $'y\nold'
	done
}

@test "a forced run within the run that was never begun" {
	local go
	for go in "resume" "run outer" "run outer --resume"; do
		rm -rf .pawl/state
		nested
		echo new >~/v
		: >wait
		killed run outer -f sub
		rm wait
		# shellcheck disable=SC2086
		ok pawl $go
		equal "$(pawl output last/sub)" $'x\nnew'
		equal "$(pawl output last/twin)" $'y\nold'
	done
	rm -rf .pawl/state
	nested
	echo new >~/v
	: >wait
	killed run outer --force-all
	rm wait
	ok pawl resume
	equal "$(pawl output last/sub) $(pawl output last/twin)" $'x\nnew y\nnew'
}

@test "what was forced from outside is not taken by a run of the workflow itself" {
	nested
	echo new >~/v
	: >wait
	killed run outer -f sub
	rm wait
	ok pawl run inner
	equal "$(pawl output last/n)" $'x\nnew'
}

@test "a node that was forced in a run of its own workflow is not taken by a run around it" {
	nested
	echo new >~/v
	sed -i 's|cat ~/v.}$|[ ! -e ~/boom2 ] \|\| exit 9; cat ~/v'"'"'}|' .pawl/workflows/inner.yaml
	echo old >~/v
	ok pawl run outer
	echo new >~/v
	touch ~/boom2
	exits 1 pawl run inner -f n
	rm ~/boom2
	ok pawl run outer
	equal "$(pawl output last/sub) $(pawl output last/twin)" $'x\nnew y\nnew'
}

@test "items of a forced fan_out of runs" {
	nested
	workflow fans <<'YAML'
name: fans
nodes:
  - {id: each, workflow: inner, fan_out: {items: [p, q, r], as: i, max_parallel: 1}}
YAML
	echo old >~/v
	ok pawl run fans
	turn
	exits 1 pawl run fans -f each
	mended
	ok pawl resume
	equal "$(pawl output last/each)" '["p\nnew","q\nnew","r\nnew"]'
}

@test "members of a forced loop_group, and one that is forced alone" {
	local force
	for force in turns turns__say; do
		rm -rf .pawl/state
		workflow loop <<'YAML'
name: loop
nodes:
  - id: turns
    loop_group:
      max_iterations: 3
      until: "2"
      nodes:
        - {id: ask, reads: [], bash: '[ ! -e ~/boom ] || exit 9; cat count; echo $(($(cat count) + 1)) >count'}
        - {id: say, depends_on: ask, reads: [], bash: 'echo "$ask.output $(cat ~/v)"'}
YAML
		echo old >~/v
		echo 1 >count
		ok pawl run loop
		equal "$(pawl output last/turns)" '2 old'
		turn
		echo 1 >count
		exits 1 pawl run loop -f turns
		mended
		ok pawl resume
		equal "$(pawl output last/turns)" '2 new'
	done
}

@test "--no-resume: what goes on with the run reuses nothing older, also in runs within it" {
	local go
	for go in "resume" "run outer --resume"; do
		rm -rf .pawl/state
		nested
		turn
		exits 1 pawl run outer --no-resume
		mended
		# shellcheck disable=SC2086
		ok pawl $go
		says 'reuse is off for run 4, and its result of run '
		equal "$(pawl output last/sub) $(pawl output last/twin)" $'x\nnew y\nnew'
	done
}

@test "--no-resume: nothing of it holds for a run of its own" {
	chain
	turn
	exits 1 pawl run chain --reuse=off
	mended
	ok pawl run chain
	equal "$(reason b)" reuse
	equal "$(pawl output last/b)" old
	ok pawl resume 2
	equal "$(pawl output 2/b)" new
	says 'reuse is off for run 2'
}

@test "--no-resume: what the run made itself is reused when it goes on, and it goes on twice" {
	chain
	sed -i '/id: b/s|cat ~/v.}$|[ ! -e ~/boom2 ] \|\| exit 9; cat ~/v'"'"'}|' .pawl/workflows/chain.yaml
	ok pawl run chain
	echo new >~/v
	touch ~/boom2
	exits 1 pawl run chain --no-resume
	exits 1 pawl resume
	equal "$(reason a)" reuse
	rm ~/boom2
	ok pawl run chain --resume --no-suspect
	equal "$(reason a) $(pawl output last/a) $(pawl output last/b)" 'reuse new new'
}

@test "--no-resume: killed, and gone on with" {
	chain
	echo new >~/v
	: >wait
	killed run chain --no-resume
	rm wait
	ok pawl resume
	equal "$(pawl output last/a) $(pawl output last/b)" 'new new'
}
