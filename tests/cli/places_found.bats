#!/usr/bin/env bats
# Faults of places that random histories found (places.py), each as a small case.

load helpers

# Both items are at work before either begins to write.
together() {
	workflow w <<'Y'
name: w
nodes:
  - id: each
    reads: [src, put.sh]
    writes: [out]
    fan_out: {items: [x, y], as: item}
    bash: |
      it=$INPUTS.item
      touch "$HOME/at-$it"
      until [ -e "$HOME/at-x" ] && [ -e "$HOME/at-y" ]; do sleep 0.01; done
      for s in src/*; do ./put.sh "$it-${s##*/}" "$s"; done
Y
	printf '#!/bin/sh\nmkdir -p out\ncat "$2" >>"out/$1"\n' >put.sh
	chmod +x put.sh
	mkdir -p src
	echo a >src/a
	echo b >src/b
}

run_together() {
	rm -f "$HOME"/at-*
	ok pawl run w -j2 "$@"
}

@test "items that write into one directory at once leave nothing of an earlier run there" {
	together
	run_together
	rm src/b
	run_together
	[ "$(cd out && echo *)" = 'x-a y-a' ]
	[ "$(cat out/x-a out/y-a | xargs)" = 'a a' ]
	# What one of them made alone is as much theirs.
	rm -f "$HOME"/at-*
	touch "$HOME/at-x" "$HOME/at-y"
	ok pawl run w -j1 --force-all
	echo c >src/c
	run_together
	rm src/c
	run_together --force-all
	[ "$(cd out && echo *)" = 'x-a y-a' ]
	[ "$(cat out/x-a out/y-a | xargs)" = 'a a' ]
}

@test "items that wrote into one directory at once are not reused one without the other" {
	together
	printf '      [ $it = x ] || [ -e go ]\n' >>.pawl/workflows/w.yaml
	rm -f "$HOME"/at-*
	exits 1 pawl run w -j2
	touch go
	touch "$HOME/at-x" "$HOME/at-y"
	ok pawl resume -j2
	[ "$(cd out && echo *)" = 'x-a x-b y-a y-b' ]
	[ "$(cat out/* | xargs)" = 'a b a b' ]
}

@test "what a node left that is skipped behind a failure is not seen in that run, and comes back" {
	workflow w <<'Y'
name: w
nodes:
  - {id: first, reads: [fails], bash: '[ ! -s fails ]'}
  - {id: make, depends_on: first, reads: [], writes: [out/made], bash: mkdir -p out; echo made >out/made}
  - {id: look, depends_on: make, trigger_rule: all_done, reads: [out], bash: ls out}
Y
	: >fails
	mkdir out
	touch out/mine
	ok pawl run w
	[ "$(pawl output last/look | xargs)" = 'made mine' ]
	echo yes >fails
	exits 1 pawl run w
	[ "$(pawl output last/look | xargs)" = mine ]
	[ "$(cat out/made)" = made ]
}

# reused_as_planned WORKFLOW NODE: the plan says so of the node, and a run does it.
reused_as_planned() {
	ok pawl plan "$1"
	grep -q "^ *reuse *$2 " <<<"$output" || { echo "$output"; return 1; }
	ok pawl run "$1"
	grep -q "^ *reuse *$2 " <<<"$output" || { echo "$output"; return 1; }
}

@test "a plan knows where links lead that would be put back, and that lead to what would be" {
	workflow w <<'Y'
name: w
nodes:
  - id: make
    reads: []
    writes: [out]
    bash: |
      mkdir -p out/sub
      echo 1 >out/file
      ln -s file out/link
      ln -s ../link out/sub/second
      ln -s nothing out/dangling
      ln -s sub out/dir
  - {id: look, depends_on: make, reads: [out], bash: 'ls -R out; cat out/link'}
  - {id: glob, depends_on: make, reads: ['out/l*'], bash: 'cat out/l*'}
  - {id: one, depends_on: make, reads: [out/sub/second], bash: cat out/sub/second}
Y
	ok pawl run w
	local gone
	for gone in out out/file out/link out/sub/second out/dangling out/dir out/sub; do
		rm -rf "$gone"
		reused_as_planned w look
		rm -rf "$gone"
		reused_as_planned w glob
		rm -rf "$gone"
		reused_as_planned w one
	done
	ln -sfn other out/link
	reused_as_planned w one
	[ "$(readlink out/link)" = file ]
}

@test "a plan takes what one iteration leaves for no other's leavings" {
	workflow w <<'Y'
name: w
nodes:
  - id: loop
    loop_group:
      max_iterations: 3
      until: aa
      nodes:
        - id: step
          reads: []
          writes: [out]
          bash: |
            n=$LOOP_PREV.step.output
            mkdir -p "out/dir-$n"
            echo "$n" >"out/file-$n"
            ln -s "file-$n" "out/link-$n"
            echo "a$n"
  - {id: look, depends_on: loop, reads: [out], bash: ls out}
Y
	ok pawl run w
	reused_as_planned w look
	rm -r out/dir-a out/file-
	reused_as_planned w look
}

@test "a plan knows in a run what a run within it would put back" {
	workflow child <<'Y'
name: child
nodes:
  - {id: make, reads: [], writes: [out/made], bash: mkdir -p out; echo made >out/made}
Y
	workflow w <<'Y'
name: w
nodes:
  - {id: sub, workflow: child}
  - {id: look, depends_on: sub, reads: [out], bash: ls out}
Y
	ok pawl run w
	rm out/made
	reused_as_planned w look
}

@test "what any iteration of a loop left in \$ARTIFACTS_DIR is an input of what follows, and of later iterations" {
	workflow w <<'Y'
name: w
nodes:
  - id: loop
    loop_group:
      max_iterations: 3
      until: aa
      nodes:
        - id: step
          reads: [src]
          bash: |
            n=$LOOP_PREV.step.output
            [ "$n" ] || cat src >"$ARTIFACTS_DIR/first"
            echo "a$n"
        - {id: again, depends_on: step, reads: [], bash: 'cat "$ARTIFACTS_DIR/first"; echo $step.output'}
  - {id: late, depends_on: loop, reads: [], bash: 'cat "$ARTIFACTS_DIR/first"'}
Y
	echo one >src
	ok pawl run w
	echo two >src
	ok pawl run w
	[ "$(pawl output last/late)" = two ]
	[ "$(pawl output last/loop | xargs)" = 'two aa' ]
	ok pawl run w
	says '0 ran, 5 reused'
	reused_as_planned w late
	echo one >src
	reused_as_planned w late
	[ "$(pawl output last/late)" = one ]
}

@test "what an item left that failed is not known to who follows" {
	workflow w <<'Y'
name: w
nodes:
  - id: each
    reads: [src]
    fan_out: {items: [1, 2], as: k, join: all_done}
    bash: if [ $INPUTS.k = 2 ]; then cat src >"$ARTIFACTS_DIR/left"; exit 1; fi
  - {id: late, depends_on: each, reads: [], bash: 'cat "$ARTIFACTS_DIR/left"'}
Y
	echo one >src
	ok pawl run w
	echo two >src
	ok pawl run w
	[ "$(pawl output last/late)" = two ]
}

@test "a node that changes what the iterations of a loop made begins with what they made" {
	workflow w <<'Y'
name: w
nodes:
  - id: loop
    loop_group:
      max_iterations: 3
      until: aa
      nodes:
        - id: step
          reads: [src]
          writes: [out]
          bash: |
            n=$LOOP_PREV.step.output
            mkdir -p out
            for s in src/*; do cp "$s" "out/${#n}-${s##*/}"; done
            echo "a$n"
  - {id: edit, depends_on: loop, reads: [out], bash: 'for f in out/*; do sed -i "s/$/ edited/" "$f"; done'}
Y
	mkdir src
	echo a >src/a
	echo b >src/b
	ok pawl run w
	rm src/b
	ok pawl run w
	[ "$(cd out && echo *)" = '0-a 1-a' ]
	[ "$(cat out/* | xargs)" = 'a edited a edited' ]
}

@test "what a node changed that one of several made goes before these run again" {
	together
	cat >>.pawl/workflows/w.yaml <<'Y'
  - {id: edit, depends_on: each, bash: 'for f in out/*; do echo edited >>"$f"; done'}
Y
	run_together
	run_together
	[ "$(cat out/* | xargs)" = 'a edited b edited a edited b edited' ]
}

@test "after kill -9 only what was not made anew comes back" {
	workflow w <<'Y'
name: w
nodes:
  - id: make
    reads: [src]
    writes: ['out/**']
    bash: mkdir -p out; cat src >>out/made
  - id: hang
    depends_on: make
    bash: '[ ! -e "$HOME/hang" ] || { touch "$HOME/hangs"; sleep 600; }'
Y
	echo one >src
	ok pawl run w
	echo two >src
	touch "$HOME/hang"
	"$PAWL" run w >/dev/null 2>&1 3>&- &
	until [ -e "$HOME/hangs" ]; do sleep 0.02; done
	# That of make is in the store within milliseconds.
	until pawl show last --json | grep '"node":"make"' | grep -q '"state":"completed"'; do sleep 0.02; done
	kill -9 $!
	wait $! || true
	rm "$HOME/hang" out/made
	ok pawl resume -f make
	[ "$(cat out/made)" = two ]
}

@test "what several left in \$ARTIFACTS_DIR, nobody knows which, is an input of what follows" {
	workflow w <<'Y'
name: w
nodes:
  - id: each
    fan_out: {items: [x, y], as: item}
    bash: |
      it=$INPUTS.item
      touch "$HOME/at-$it"
      until [ -e "$HOME/at-x" ] && [ -e "$HOME/at-y" ]; do sleep 0.01; done
      ./put.sh "$it"
  - {id: late, depends_on: each, reads: [go], bash: 'cat "$ARTIFACTS_DIR"/*; [ -e go ]'}
  - {id: later, depends_on: late, reads: [], bash: 'cat "$ARTIFACTS_DIR"/*'}
Y
	printf '#!/bin/sh\ncat src >"$ARTIFACTS_DIR/$1"\n' >put.sh
	chmod +x put.sh
	touch go
	echo one >src
	run_together
	echo two >src
	run_together
	[ "$(pawl output last/late | xargs)" = 'two two' ]
	[ "$(pawl output last/later | xargs)" = 'two two' ]
	# Where it goes on they are there, and are the same.
	rm go "$HOME"/at-*
	exits 1 pawl run w -j2
	touch go
	rm "$HOME"/at-*
	ok pawl resume -j2
	says '2 items: 0 ran, 2 reused'
	[ "$(pawl output last/later | xargs)" = 'two two' ]
}
