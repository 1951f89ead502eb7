#!/usr/bin/env bats
# Each clause of the rules of places (docs/caching.md) by itself: what is in place, what goes, what stays, what comes back.
load helpers

# one BODY [FIELDS...]: a workflow of the node `a`, which reads the file v.
one() {
	{
		printf 'name: w\nnodes:\n  - id: a\n    reads: [v]\n'
		[ $# -eq 1 ] || printf '    %s\n' "${@:2}"
		printf '    bash: |\n'
		sed 's/^/      /' <<<"$1"
	} >.pawl/workflows/w.yaml
	[ -e v ] || echo 1 >v
}

# killed FILE COMMAND...: kills it once FILE is there.
killed() {
	"$PAWL" "${@:2}" >/dev/null 2>&1 &
	local pid=$!
	wait_for "$1"
	kill -9 $pid
	wait $pid || true
}

@test "in place is what has the kind, the permissions, the target and the content" {
	one 'mkdir -m 750 d; echo x >d/f; ln -s f d/l' 'writes: [d]'
	ok pawl run w
	local undo
	for undo in 'chmod 600 d/f' 'ln -sfn g d/l' 'chmod 700 d' 'rm d/l; cp d/f d/l' 'rm d/f; ln -s l d/f' 'rm -r d' 'echo y >d/f' 'echo longer >d/f' 'echo y >d/f; touch -r v d/f'; do
		bash -c "$undo"
		ok pawl run w
		says 'reuse  a'
		says 'restored'
		equal "$(stat -c %a-%F d d/f d/l | tr '\n' ' ')" '750-directory 644-regular file 777-symbolic link '
		equal "$(readlink d/l)$(cat d/f)" fx
	done
	ok pawl run w
	says_not restored
}

@test "a body that forgets something does not find it there from the last time" {
	one 'mkdir -p d/sub; echo x >>d/log; touch "d/$(cat v)" "d/sub/$(cat v)"' 'writes: [d]'
	ok pawl run w
	touch d/mine
	echo 2 >v
	ok pawl run w
	equal "$(cd d && find . -type f | sort | tr '\n' ' ')" './2 ./log ./mine ./sub/2 '
	equal "$(cat d/log)" x
	ok pawl artifacts last/a
	says_not mine
	echo 1 >v
	ok pawl run w
	says 'reuse  a'
	equal "$(cd d && find . -type f | sort | tr '\n' ' ')" './1 ./log ./mine ./sub/1 '
}

@test "what the node has changed since, or somebody else has, is not set aside and not removed" {
	one 'mkdir -p d; [ $(cat v) = 2 ] || echo a >d/one; echo b >d/two' 'writes: [d]'
	ok pawl run w
	echo mine >d/one
	echo 2 >v
	ok pawl run w
	equal "$(cat d/one)" mine
	ok pawl run w
	says 'reuse  a'
	equal "$(cat d/one)" mine
}

@test "a file of people's that a body has changed is never taken away, by no run and no plan" {
	mkdir d
	echo people >d/f
	one 'mkdir -p d; [ $(cat v) = 2 ] || sed -i s/people/body/ d/f; echo b >d/two' 'writes: [d]'
	ok pawl run w
	equal "$(cat d/f)" body
	echo 2 >v
	ok pawl run w
	equal "$(cat d/f)" body # and not set aside by the body
	ok pawl run w
	says 'reuse  a'
	equal "$(cat d/f)" body # and not removed by the reuse
	workflow w <<-'YAML'
		name: w
		nodes:
		  - {id: b, reads: [d], bash: ls d}
	YAML
	ok pawl plan w
	ok pawl run w
	equal "$(cat d/f)" body # and not by the end of the node
	equal "$(pawl output last/b)" f
}

@test "a plan leaves in place what people had before a node of another time changed it" {
	mkdir d
	echo people >d/f
	workflow w <<-'YAML'
		name: w
		nodes:
		  - {id: x, reads: [], bash: echo x}
		  - {id: a, depends_on: x, reads: [], writes: [d], bash: sed -i s/people/body/ d/f}
		  - {id: b, depends_on: a, trigger_rule: all_done, reads: [d], bash: cat d/f}
	YAML
	ok pawl run w
	sed -i "s/reads: \[\], writes/when: \"\$x.output == 'y'\", &/" .pawl/workflows/w.yaml
	ok pawl run w
	equal "$(pawl output last/b)" body
	ok pawl plan w
	says 'reuse  b'
	ok pawl run w
	says 'reuse  b'
}

@test "what a node takes away is away again when both are reused, but not what people put there" {
	workflow w <<-'YAML'
		name: w
		nodes:
		  - {id: a, reads: [], writes: [t], bash: echo t >t}
		  - {id: b, depends_on: a, reads: [], bash: 'rm t*'}
	YAML
	ok pawl run w
	[ ! -e t ]
	ok pawl plan w
	says 'reuse  b'
	ok pawl run w
	says 'reuse  a'
	says 'reuse  b'
	[ ! -e t ]
	echo t >t
	ok pawl run w
	says 'reuse  b'
	[ ! -e t ]
	# Where people have something else there, it is not b's to take away.
	workflow w <<-'YAML'
		name: w
		nodes:
		  - {id: a, reads: [], bash: echo t >"$ARTIFACTS_DIR/t"}
		  - {id: b, depends_on: a, reads: [], bash: 'f=t; rm "$ARTIFACTS_DIR/$f"'}
		  - {id: c, depends_on: b, reads: [], bash: '[ -e ok ]; ls "$ARTIFACTS_DIR"'}
	YAML
	exits 1 pawl run w
	d=.pawl/state/runs/$(pawl show last --json | sed -n '1s/.*"run":\([0-9]*\).*/\1/p')/artifacts
	[ ! -e "$d/t" ]
	touch ok
	ok pawl resume --no-suspect
	equal "$(pawl output last/c)" ''
}

@test "who took a file away while others ran is not known" {
	workflow w <<-'YAML'
		name: w
		nodes:
		  - {id: a, reads: [], writes: [t], bash: echo t >t}
		  - {id: b, depends_on: a, reads: [], bash: 'until [ -e ~/c ]; do sleep 0.01; done; rm t*; touch ~/b'}
		  - {id: c, reads: [], bash: 'touch ~/c; until [ -e ~/b ]; do sleep 0.01; done; rm ~/b ~/c'}
	YAML
	ok pawl run w -j2
	ok pawl plan w
	says 'run    b'
	says 'appeared while several nodes ran'
}

@test "a file is taken away by one node only" {
	workflow w <<-'YAML'
		name: w
		nodes:
		  - {id: a, reads: [], writes: [t], bash: echo t >t}
		  - {id: b, depends_on: a, reads: [], bash: rm t*}
		  - {id: c, depends_on: [a, b], reads: [], bash: 'true'}
	YAML
	ok pawl run w
	ok pawl artifacts last/c
	says 'no files were kept'
	equal "$(python3 -c 'import sqlite3; print(*sqlite3.connect(".pawl/state/pawl.db").execute("SELECT node, has_manifest FROM result ORDER BY node"))')" "('a', 1) ('b', 1) ('c', 0)"
}

@test "what somebody has where a reused node took something away is not taken away" {
	workflow w <<-'YAML'
		name: w
		nodes:
		  - {id: a, reads: [], writes: [t], bash: echo t >t}
		  - {id: c, always_run: true, bash: '[ ! -e ~/two ] || echo mine >t*'}
		  - {id: b, depends_on: [a, c], reads: [], bash: rm t*}
	YAML
	ok pawl run w
	touch ~/two
	ok pawl run w
	says 'reuse  b'
	equal "$(cat t)" mine
}

# moved [MORE NODES]: of the files that `a` made, x is now of `b`, which runs before it.
moved() {
	workflow w <<-'YAML'
		name: w
		nodes:
		  - {id: a, reads: [], writes: [x, y], bash: echo x >x; echo y >y}
	YAML
	ok pawl run w
	workflow w
	ok pawl run w -j2
	equal "$(cat x y | tr '\n' ' ')" 'x y '
}

@test "what another node of the run has made is not removed with what this one left at another time" {
	moved <<-'YAML'
		name: w
		nodes:
		  - {id: b, reads: [], writes: [x], bash: echo x >x}
		  - {id: a, depends_on: b, reads: [], writes: [y], bash: echo y >y}
	YAML
	ok pawl run w
	says '2 reused'
	equal "$(cat x y | tr '\n' ' ')" 'x y '
	rm x y
	ok pawl run w -f b
	says 'reuse  a'
	equal "$(cat x y | tr '\n' ' ')" 'x y '
}

@test "what a body that runs says that it makes is not taken from under it" {
	moved <<-'YAML'
		name: w
		nodes:
		  - {id: b, always_run: true, writes: [x], bash: 'echo x >x; touch ~/made; until [ -e ~/over ]; do sleep 0.01; done; rm ~/over'}
		  - {id: c, always_run: true, bash: 'until [ -e ~/made ]; do sleep 0.01; done; rm ~/made'}
		  - {id: a, depends_on: c, reads: [], writes: [y], bash: echo y >y}
		  - {id: e, depends_on: a, always_run: true, bash: touch ~/over}
	YAML
	# And neither by a node that is reused meanwhile.
	ok pawl run w -j2
	says 'reuse  a'
	equal "$(cat x y | tr '\n' ' ')" 'x y '
}

@test "what another workflow has made last is not removed with what this one left" {
	one 'mkdir -p d; echo y >d/y; [ $(cat v) = 2 ] || echo x >d/x' 'writes: [d]'
	workflow other <<-'YAML'
		name: other
		nodes:
		  - {id: o, reads: [], writes: [d/x], bash: echo x >d/x}
	YAML
	echo 2 >v
	ok pawl run w
	echo 1 >v
	ok pawl run w
	ok pawl run other
	echo 2 >v
	ok pawl run w
	says 'reuse  a'
	equal "$(ls d | tr '\n' ' ')" 'x y '
	# Once it has made it again it is its own again.
	echo 1 >v
	ok pawl run w
	echo 2 >v
	ok pawl run w
	says 'reuse  a'
	equal "$(ls d)" y
}

@test "what another workflow left in one's place is set aside, and comes back where nothing takes its place" {
	one '[ $(cat v) = 1 ] || exit 1; echo w >>out' 'writes: [out]'
	workflow other <<-'YAML'
		name: other
		nodes:
		  - {id: o, reads: [], writes: [out], bash: echo o >out}
	YAML
	ok pawl run w
	ok pawl run other
	ok pawl run w -f a
	equal "$(cat out)" w
	ok pawl run other
	echo 2 >v
	exits 1 pawl run w
	equal "$(cat out)" o
	# Nor does it count as half a result because this one left one there once.
	rm -r .pawl/state out
	sed -i 's/; echo w >>out/; echo w >out/; s/|| exit 1/|| { [ ! -e half ] || echo half >out; exit 1; }/' .pawl/workflows/w.yaml
	touch half
	exits 1 pawl run w
	equal "$(cat out)" half
	rm out half
	ok pawl run other
	exits 1 pawl run w
	equal "$(cat out)" o
}

@test "a place that was a directory and is a file now, and the way back" {
	one 'if [ $(cat v) = 1 ]; then mkdir d; echo x >d/x; else echo f >d; fi' 'writes: [d]'
	ok pawl run w
	echo 2 >v
	ok pawl run w
	equal "$(cat d)" f
	echo 1 >v
	ok pawl run w
	says 'reuse  a'
	equal "$(cat d/x)" x
	echo 2 >v
	ok pawl run w
	says 'reuse  a'
	equal "$(cat d)" f
}

@test "people's file where a directory is to be, and people's directory where a file is to be, are in the way" {
	one 'mkdir -p d/e; echo x >d/e/x' 'writes: [d]'
	ok pawl run w
	rm -r d
	echo people >d
	ok pawl plan w
	says 'was changed since'
	rm d
	mkdir d
	echo people >d/e
	ok pawl plan w
	says 'was changed since'
	rm d/e
	mkdir -p d/e/x
	ok pawl plan w
	says 'was changed since'
}

@test "also where the directory is none of the result's" {
	mkdir d
	one 'echo x >d/f' 'writes: [d/f]'
	ok pawl run w
	rm -r d
	echo people >d
	ok pawl plan w
	says 'was changed since'
}

@test "what was set aside comes back where the node failed, was stopped, or pawl was killed" {
	one '[ $(cat v) = 1 ] || { echo half >out; : >going; [ $(cat v) = 3 ] && sleep 600; exit 1; }; echo whole >out; echo e >extra' 'writes: [out, extra]'
	ok pawl run w
	touch -d '1 hour ago' out extra
	echo 2 >v
	exits 1 pawl run w
	equal "$(cat extra)" e
	equal "$(cat out)" half # what the last try made stays, to be looked at
	[ ! -e .pawl/state/aside/2 ]
	echo 1 >v
	ok pawl run w
	says 'reuse  a'
	equal "$(cat out)" whole
	echo 3 >v
	rm going
	killed going run w
	echo 1 >v
	ok pawl runs # whatever the next command is that writes
	ok pawl run w
	says 'reuse  a'
	equal "$(cat out extra | tr '\n' ' ')" 'whole e '
	[ ! -e .pawl/state/aside/4 ]
}

@test "after a kill: what was set aside is back, half a result is gone, and what is older than the body stays" {
	one 'mkdir -p d; echo whole >d/out; [ $(cat v) = 1 ] || { echo half >d/out; echo half >lit; : >going; sleep 600; }; echo l >lit' 'writes: [d, lit]'
	ok pawl run w
	mkdir d/people
	echo old >d/people/old
	touch -d '1 hour ago' d/people/old
	sleep 0.05
	echo 2 >v
	killed going run w
	equal "$(cat d/out)" half
	workflow look <<-'YAML'
		name: look
		nodes:
		  - {id: l, bash: 'cat d/out lit d/people/old'}
	YAML
	ok pawl run look
	equal "$(pawl output last/l | tr '\n' ' ')" 'whole l old '
	equal "$(cat .pawl/state/lost/2/d/out)" half
	[ ! -e .pawl/state/lost/2/lit ]
}

@test "while a run goes on, what it set aside and what it makes are left alone; when it was killed, what others made stays" {
	one '[ $(cat v) = 1 ] && { mkdir d; echo 1 >d/extra; exit 0; }; echo half >d/half; : >going; sleep 600' 'writes: [d]'
	workflow other <<-'YAML'
		name: other
		nodes:
		  - {id: o, reads: [], writes: [d/o], bash: echo o >d/o}
	YAML
	ok pawl run w
	mkdir d/people
	sleep 0.05 # older than the body, by the clock of files
	echo 2 >v
	"$PAWL" run w >/dev/null 2>&1 3>&- &
	local pid=$!
	wait_for going
	ok pawl run other
	equal "$(ls d | tr '\n' ' ')" 'half o people '
	kill -9 $pid
	wait $pid || true
	workflow look <<-'YAML'
		name: look
		nodes:
		  - {id: l, bash: ls d}
	YAML
	ok pawl run look
	equal "$(pawl output last/l | tr '\n' ' ')" 'extra o people '
}

# Writes the program by which a body waits until the end of node a of run 1 is in the store.
until_a_is_stored() {
	printf '#!/bin/sh\nuntil "%s" show 1 --json | grep -q %s; do sleep 0.02; done\n' "$PAWL" "'\"node\":\"a\",\"state\":\"completed\"'" >stored
	chmod +x stored
}

@test "what a body that ended has left is no half result, though its run was killed later" {
	until_a_is_stored
	workflow w <<-'YAML'
		name: w
		nodes:
		  - {id: a, reads: [], writes: [d], bash: 'mkdir d; echo whole >d/out'}
		  - {id: b, depends_on: a, reads: [], writes: [e], bash: 'mkdir e; echo half >e/out; ./stored; touch d/mine; : >going; sleep 600'}
	YAML
	killed going run w
	workflow look <<-'YAML'
		name: look
		nodes:
		  - {id: l, bash: ls d}
	YAML
	ok pawl run look
	equal "$(pawl output last/l | tr '\n' ' ')" 'mine out '
	[ ! -e e ]
}

@test "a try that failed leaves nothing to the next, and what it did to people's files is not kept" {
	one 'if [ ! -e "$HOME/second" ]; then touch "$HOME/second"; echo half >d/half; exit 1; fi; echo whole >d/whole' 'writes: [d]' 'retry: {max_attempts: 2, delay_ms: 1}'
	mkdir d
	touch -d '1 hour ago' d
	ok pawl run w
	equal "$(ls d)" whole
	rm -r "$HOME/second" .pawl/state d
	mkdir d
	echo people >d/half
	ok pawl run w
	says 'was changed by a try that failed'
}

@test "what was set aside before the first try does not come back after a later one" {
	one '[ $(cat v) = 1 ] || [ -e ~/second ] || { touch ~/second; exit 1; }; mkdir -p d; touch "d/$(cat v)"' 'writes: [d]' 'retry: {max_attempts: 2, delay_ms: 1}'
	ok pawl run w
	echo 2 >v
	ok pawl run w
	equal "$(ls d)" 2
}

@test "a try that lacks a file leaves nothing to the next either" {
	one 'mkdir -p d; [ -e ~/second ] || { touch ~/second d/half; exit 0; }; touch d/whole m' 'writes: [d, m]' 'retry: {max_attempts: 2, delay_ms: 1}'
	ok pawl run w
	equal "$(ls d)" whole
}

@test "what a failed body did to people's files is not taken for half a result of its own" {
	mkdir d
	echo people >d/f
	one '[ $(cat v) = 2 ] || { echo body >>d/f; exit 1; }; touch d/whole' 'writes: [d]'
	exits 1 pawl run w
	echo 2 >v
	ok pawl run w
	equal "$(cat d/f | tr '\n' ' ')" 'people body '
}

@test "half a result that turns out whole is a whole one" {
	one 'echo x >f; [ $(cat v) = 2 ]' 'writes: [f]'
	exits 1 pawl run w
	echo 2 >v
	ok pawl run w
	echo 3 >v
	sed -i 's/echo x >f/false/' .pawl/workflows/w.yaml
	exits 1 pawl run w
	equal "$(cat f)" x
}

@test "what a try that failed left while others ran may be theirs: the result is not kept" {
	workflow w <<-'YAML'
		name: w
		nodes:
		  - {id: a, reads: [], retry: {max_attempts: 2, delay_ms: 1}, bash: '[ ! -e ~/second ] || exit 0; touch ~/second; until [ -e ~/b ]; do sleep 0.01; done; n=x; echo a >"$ARTIFACTS_DIR/$n"; exit 1'}
		  - {id: b, reads: [], bash: 'touch ~/b; until [ -e ~/over ]; do sleep 0.01; done'}
		  - {id: c, depends_on: a, reads: [], bash: touch ~/over}
	YAML
	ok pawl run w -j2
	says 'left files which others may have made'
}

@test "what a try that failed left goes before the node runs again, and no set-aside of it comes back" {
	one '[ $(cat v) = 1 ] && { mkdir -p d; echo half >d/half; exit 1; }; mkdir -p d; echo whole >d/whole; [ $(cat v) = 2 ] || exit 1' 'writes: [d]'
	exits 1 pawl run w
	equal "$(ls d)" half
	echo 3 >v
	exits 1 pawl run w
	equal "$(ls d)" whole
	echo 2 >v
	ok pawl run w
	equal "$(ls d)" whole
}

@test "a formatter: the result holds where its files are all as it found them, or all as it left them" {
	one 'for f in d/*; do sed -i s/people/body/ "$f"; done' 'writes: [d/f, d/g]'
	mkdir d
	echo people >d/f
	echo people >d/g
	ok pawl run w
	ok pawl run w
	says 'reuse  a'
	echo people >d/f
	echo people >d/g
	ok pawl run w
	says 'reuse  a'
	equal "$(cat d/f d/g | tr '\n' ' ')" 'body body '
	echo people >d/f
	ok pawl run w
	says 'run    a'
	echo others >d/f
	ok pawl run w
	says 'run    a'
}

@test "a change that leaves no trace in the times of a file is seen where the times are too young to tell" {
	mkdir d
	echo abc >d/f
	one 'touch ~/go; until [ -e ~/done ]; do sleep 0.01; done' 'writes: [d]'
	# A page that is dirty already takes what is written by way of a mapping without a word.
	python3 - <<-'PY' 3>&- &
		import mmap, os, time
		home = os.environ["HOME"]
		file = open("d/f", "r+b")
		page = mmap.mmap(file.fileno(), 0)
		page[0] = page[0]
		os.utime("d/f", (time.time() + 86400,) * 2)
		open(home + "/ready", "w")
		while not os.path.exists(home + "/go"):
		    time.sleep(0.01)
		page[0] = ord("X")
		open(home + "/done", "w")
	PY
	wait_for ~/ready
	ok pawl run w
	wait
	says_not 'was there before and it did not write it'
	ok pawl artifacts last/a
	says d/f
}

@test "a body that goes on with what it made the last time depends on that" {
	one '[ -e d/n ] || { mkdir -p d; echo 0 >d/n; }; echo $(($(cat d/n) + 1)) >d/n; cat d/n' 'writes: [d]' 'clean: false'
	ok pawl run w
	equal "$(cat d/n)" 1
	ok pawl run w
	says 'reuse  a'
	ok pawl run w -f a
	equal "$(cat d/n)" 2
	echo 7 >d/n
	ok pawl run w
	says 'run    a'
	equal "$(cat d/n)" 8
}

@test "a file without a word in writes, which the body's text names as its output, is looked at when the result is reused" {
	one 'echo x >made.txt; echo done'
	ok pawl run w
	ok pawl run w
	says 'reuse  a'
	rm made.txt
	ok pawl run w
	equal "$(reason a)" output_missing
	echo other >made.txt
	ok pawl run w
	equal "$(reason a)" output_modified
	equal "$(cat made.txt)" x
}

@test "an artifact that was put back is not taken for one of the next body" {
	workflow w <<-'YAML'
		name: w
		nodes:
		  - {id: z, always_run: true, bash: echo z}
		  - {id: a, depends_on: z, reads: [], bash: echo a >"$ARTIFACTS_DIR/x"}
		  - {id: b, depends_on: a, reads: [v], bash: echo b >"$ARTIFACTS_DIR/y"}
	YAML
	echo 1 >v
	ok pawl run w -j1
	echo 2 >v
	ok pawl run w -j1
	equal "$(states)" 'z=completed a=reused b=completed'
	ok pawl artifacts last/b
	says /y
	says_not /x
}

@test "each thing is listed once, and directories of people's are not in it" {
	mkdir -p d/people
	one 'mkdir -p d/mine "$ARTIFACTS_DIR/e"; touch d/mine/x "$ARTIFACTS_DIR/e/y"' 'writes: [d, $ARTIFACTS_DIR/e]'
	ok pawl run w
	equal "$(pawl artifacts last/a | grep -c e/y)" 1
	rmdir d/people
	ok pawl run w
	says 'reuse  a'
	[ ! -e d/people ]
}

@test "a directory's artifact of another, changed in place without a word, is the changer's" {
	workflow w <<-'YAML'
		name: w
		nodes:
		  - {id: a, reads: [], writes: [t], bash: echo 1 >t}
		  - {id: b, depends_on: a, reads: [], bash: 'sed -i s/1/2/ t*'}
	YAML
	ok pawl run w
	ok pawl artifacts last/b
	says t
	rm t
	ok pawl run w
	equal "$(states)" 'a=reused b=reused'
	equal "$(cat t)" 2
}

@test "of several bodies at once the file is the one's who names it, else the one's who covers it" {
	workflow w <<-'YAML'
		name: w
		nodes:
		  - {id: a, reads: [], writes: [$ARTIFACTS_DIR/d], bash: 'mkdir -p "$ARTIFACTS_DIR/d"; touch ~/a; until [ -e ~/b ]; do sleep 0.01; done; n=x; echo a >"$ARTIFACTS_DIR/d/$n"; touch ~/a2; until [ -e ~/b2 ]; do sleep 0.01; done'}
		  - {id: b, reads: [], bash: 'touch ~/b; until [ -e ~/a2 ]; do sleep 0.01; done; echo b >"$ARTIFACTS_DIR/d/y"; n=z; echo b >"$ARTIFACTS_DIR/d/$n"; touch ~/b2'}
	YAML
	ok pawl run w -j2
	ok pawl artifacts last/a
	says d/x
	says d/z
	says_not d/y
	ok pawl artifacts last/b
	says d/y
	says_not d/x
	says_not d/z
	rm -r .pawl/state/runs
	ok pawl run w -j2
	equal "$(states)" 'a=reused b=reused'
}

@test "who had ended before a file was there has not made it" {
	workflow w <<-'YAML'
		name: w
		nodes:
		  - {id: a, reads: [], bash: 'touch ~/a; until [ -e ~/over ]; do sleep 0.01; done; n=x; echo a >"$ARTIFACTS_DIR/$n"'}
		  - {id: b, reads: [], bash: 'until [ -e ~/a ]; do sleep 0.01; done', ensure: {run: 'touch ~/over'}}
	YAML
	ok pawl run w -j2
	rm -r .pawl/state/runs
	ok pawl run w -j2
	equal "$(states)" 'a=reused b=reused'
	equal "$(cat .pawl/state/runs/2/artifacts/x)" a
}

@test "what nobody declares while several ran is nobody's: kept by none, and good for that run only while it is there" {
	workflow w <<-'YAML'
		name: w
		nodes:
		  - {id: a, reads: [], bash: 'touch ~/a; until [ -e ~/b ]; do sleep 0.01; done; n=x; echo a >"$ARTIFACTS_DIR/$n"; touch ~/a2'}
		  - {id: b, reads: [], bash: 'touch ~/b; until [ -e ~/a2 ]; do sleep 0.01; done; sleep 0.05'}
		  - {id: last, depends_on: [a, b], reads: [v], bash: '[ $(cat v) = 2 ]'}
	YAML
	echo 1 >v
	exits 1 pawl run w -j2
	ok pawl artifacts 1/a
	says_not /x
	ok pawl artifacts 1/b
	says_not /x
	exits 1 pawl resume -j2 --no-suspect
	equal "$(reason a)$(reason b)" reusereuse
	rm .pawl/state/runs/1/artifacts/x
	ok pawl plan w --no-suspect
	says 'appeared while several nodes ran'
	exits 1 pawl resume -j2 --no-suspect
	equal "$(reason a) $(reason b)" 'output_missing output_missing'
}

@test "nor is it of the first body of the run that goes on" {
	workflow w <<-'YAML'
		name: w
		nodes:
		  - {id: a, reads: [], bash: 'touch ~/a; until [ -e ~/b ]; do sleep 0.01; done; n=x; echo a >"$ARTIFACTS_DIR/$n"; touch ~/a2'}
		  - {id: b, reads: [], bash: 'touch ~/b; until [ -e ~/a2 ]; do sleep 0.01; done; sleep 0.05'}
		  - {id: last, depends_on: [a, b], reads: [v], bash: '[ $(cat v) = 2 ]'}
	YAML
	echo 1 >v
	exits 1 pawl run w -j2
	echo 2 >v
	ok pawl resume -j2 --no-suspect
	equal "$(reason a)$(reason b)" reusereuse
	ok pawl artifacts last/last
	says 'no files were kept'
}

@test "a loose file that another run has is of no use to this one" {
	workflow w <<-'YAML'
		name: w
		nodes:
		  - {id: b, always_run: true, bash: 'touch ~/b; until [ -e ~/a ]; do sleep 0.01; done; n=x; echo b >"$ARTIFACTS_DIR/$n"; touch ~/b2; until [ -e ~/a2 ]; do sleep 0.01; done'}
		  - {id: c, always_run: true, bash: 'until [ ! -e ~/again ] || [ -e ~/b2 ]; do sleep 0.01; done'}
		  - {id: a, depends_on: c, reads: [], bash: 'touch ~/a; until [ -e ~/b2 ]; do sleep 0.01; done; touch ~/a2'}
	YAML
	ok pawl run w -j2
	rm ~/b ~/b2
	touch ~/again
	ok pawl run w -j2 --resume=1
	[ "$(reason a)" != reuse ]
}

@test "the places of a node that is skipped, of an item that is gone, of a node that is gone, are vacated; where the run fails they come back" {
	workflow w <<-'YAML'
		name: w
		nodes:
		  - {id: list, reads: [items], bash: cat items}
		  - {id: item, depends_on: list, fan_out: {items: $list.output, max_parallel: 1}, reads: [], writes: ["d/*"], bash: 'echo $INPUTS.item >d/$INPUTS.item'}
		  - {id: gone, reads: [], writes: [g], bash: echo g >g}
		  - {id: sometimes, depends_on: list, when: "$list.output != '[1]'", reads: [], writes: [s], bash: echo s >s}
		  - {id: loop, depends_on: list, when: "$list.output != '[1]'", loop_group: {until: x, max_iterations: 2, nodes: [{id: member, reads: [], writes: [m], bash: echo x | tee m}]}}
		  - {id: end, depends_on: [item, sometimes], trigger_rule: all_done, reads: [items, v], bash: '[ $(cat v) = 1 ]'}
	YAML
	mkdir d
	echo '[1,2]' >items
	echo 1 >v
	ok pawl run w
	equal "$(ls -d d/* g s m 2>/dev/null | tr '\n' ' ')" 'd/1 d/2 g m s '
	echo '[1]' >items
	echo 2 >v
	sed -i '/id: gone/d' .pawl/workflows/w.yaml
	exits 1 pawl run w
	equal "$(ls -d d/* g s m 2>/dev/null | tr '\n' ' ')" 'd/1 d/2 g m s '
	echo 1 >v
	ok pawl run w
	equal "$(ls -d d/* g s m 2>/dev/null | tr '\n' ' ')" 'd/1 '
	[ ! -e .pawl/state/aside/3 ]
	# Not selected is not skipped.
	echo '[1,2]' >items
	ok pawl run w
	ok pawl run w --until list
	equal "$(ls -d d/* g s m 2>/dev/null | tr '\n' ' ')" 'd/1 d/2 m s '
	# Items of a node that is skipped go with it.
	sed -i "s/id: item, depends_on: list, /&when: \"\$list.output == 'x'\", /" .pawl/workflows/w.yaml
	ok pawl run w
	equal "$(ls d)" ''
}

@test "what one item has made and the next has changed is theirs, and no file of people's" {
	workflow w <<-'YAML'
		name: w
		nodes:
		  - {id: list, reads: [items], bash: cat items}
		  - {id: item, depends_on: list, fan_out: {items: $list.output, max_parallel: 1}, reads: [], writes: ["d/*"], bash: 'echo $INPUTS.item >>d/all'}
	YAML
	mkdir d
	echo '[1,2]' >items
	ok pawl run w
	equal "$(cat d/all | tr '\n' ' ')" '1 2 '
	ok pawl run w
	says '2 reused'
	equal "$(cat d/all | tr '\n' ' ')" '1 2 '
	echo '[]' >items
	ok pawl run w
	equal "$(ls d)" ''
}

@test "what an item makes of another's file is for that file, and what it makes alone is for none" {
	workflow w <<-'YAML'
		name: w
		nodes:
		  - {id: list, reads: [items], bash: cat items}
		  - {id: item, depends_on: list, fan_out: {items: $list.output, max_parallel: 1}, reads: [], writes: ["d/*"], bash: 'echo $INPUTS.item >>d/all'}
	YAML
	mkdir d
	local items
	for items in 1,2 2 1,2 2,1 1 2,1 3,2 1,2 2; do
		echo "[$items]" >items
		ok pawl run w
		equal "$(tr '\n' , <d/all)" "$items,"
	done
	ok pawl run w
	says '0 ran'
}

@test "nor is what one iteration makes of the file of the one before good for the first one" {
	workflow w <<-'YAML'
		name: w
		nodes:
		  - id: group
		    loop_group:
		      until: END
		      max_iterations: 3
		      nodes: [{id: n, reads: [], writes: [d/all], bash: 'echo x >>d/all; grep -c x d/all; [ $(grep -c x d/all) != 2 ] || echo END'}]
	YAML
	mkdir d
	ok pawl run w
	ok pawl run w
	equal "$(tr '\n' , <d/all)" 'x,x,'
	rm d/all
	ok pawl run w
	equal "$(tr '\n' , <d/all)" 'x,x,'
	# It is the node's own all the same, and goes with it.
	workflow w <<-'YAML'
		name: w
		nodes:
		  - {id: other, reads: [], bash: 'true'}
	YAML
	ok pawl run w
	[ ! -e d/all ]
}

@test "a plan knows what is vacated" {
	workflow w <<-'YAML'
		name: w
		nodes:
		  - {id: x, reads: [], bash: echo x}
		  - {id: a, depends_on: x, reads: [v], writes: [d/a], bash: echo a >d/a}
		  - {id: look, reads: [d], depends_on: after, bash: ls d}
		  - {id: after, depends_on: x, reads: [], bash: echo after}
	YAML
	mkdir d
	echo 1 >v
	ok pawl run w
	sed -i "s/reads: \[v\]/when: \"\$x.output == 'y'\"/" .pawl/workflows/w.yaml
	ok pawl plan w
	says 'd/a is gone'
	ok pawl run w
	says 'd/a is gone'
	equal "$(ls d)" ''
}

@test "half of an artifact is gone when the run goes on, and the whole ones stay" {
	until_a_is_stored
	workflow w <<-'YAML'
		name: w
		nodes:
		  - {id: a, reads: [], bash: echo a >"$ARTIFACTS_DIR/whole"}
		  - {id: b, depends_on: a, reads: [v], bash: '[ $(cat v) = 2 ] || { ./stored; echo half >"$ARTIFACTS_DIR/half"; : >going; sleep 600; }; ls "$ARTIFACTS_DIR"'}
	YAML
	echo 1 >v
	killed going run w
	echo 2 >v
	ok pawl resume
	equal "$(states)" 'a=reused b=completed'
	equal "$(pawl output last/b)" whole
}

@test "a read-only directory of the result is opened to put back what is in it, and shut again" {
	one 'mkdir -p d/e; echo x >d/e/x; chmod 555 d/e' 'writes: [d]'
	ok pawl run w
	chmod 755 d/e
	rm d/e/x
	chmod 555 d/e
	ok pawl run w
	says 'reuse  a'
	equal "$(stat -c %a d/e)$(cat d/e/x)" 555x
	chmod 755 d/e
	rm -r d
	ok pawl run w
	says 'reuse  a'
	equal "$(stat -c %a d/e)$(cat d/e/x)" 555x
	chmod 755 d/e
}

@test "a contract is held against the file that is stored, not against what stands there" {
	one 'echo no >r; mkdir -p "$ARTIFACTS_DIR"; echo {} >"$ARTIFACTS_DIR/r"' 'writes: [r, $ARTIFACTS_DIR/r]'
	ok pawl run w
	sed -i 's/^    bash/    ensure: {files: {r: {json: true}}}\n&/' .pawl/workflows/w.yaml
	echo {} >r
	ok pawl plan w
	says 'breaks `ensure`'
	sed -i 's/{r: {json: true}}/{$ARTIFACTS_DIR\/r: {json: true}}/' .pawl/workflows/w.yaml
	echo no >r
	ok pawl run w
	says 'reuse  a'
	# A file that is none of the result's, as it stands.
	echo no >q
	sed -i 's/{$ARTIFACTS_DIR\/r: {json: true}}/{q: {json: true}}/' .pawl/workflows/w.yaml
	ok pawl plan w
	says 'breaks `ensure`'
	echo {} >q
	ok pawl run w
	says 'reuse  a'
	# What met it is not looked at again; another contract is.
	sed -i 's/{json: true}/{matches: x}/' .pawl/workflows/w.yaml
	ok pawl plan w
	says 'breaks `ensure`'
	sed -i 's/ensure: .*/ensure: {run: "true"}/' .pawl/workflows/w.yaml
	ok pawl plan w
	says 'only a run can answer it'
}
