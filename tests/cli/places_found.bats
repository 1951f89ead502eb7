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
	rm -f "$HOME"/at-*
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
