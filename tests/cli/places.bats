#!/usr/bin/env bats
# Places: what a node left at another time, what others put there, what a try that failed began, what a later node changed.
# Reuse is to be as a fresh run, in files too.
load helpers

# build copies each source to an output; pack lists them.  $1: what `writes` says.
sources() {
	mkdir -p src
	workflow b <<Y
name: b
nodes:
  - id: build
    reads: [src]
    writes: ["$1"]
    bash: mkdir -p dist; for f in src/*; do cp "\$f" dist/; done
  - {id: pack, depends_on: build, reads: ["dist/**"], writes: [pack.txt], bash: "ls dist > pack.txt"}
Y
}

dist() {
	(cd dist && find . -mindepth 1 | sort | tr '\n' ' ')
}

# The modes of all that is below a directory.
modes() {
	find "$1" -printf '%P %m %y %l\n' | sort
}

@test "going back to an older state: the newer state's files do not stay" {
	local writes
	for writes in dist 'dist/*' 'dist/**' dist/; do
		rm -rf dist src .pawl/state pack.txt
		sources "$writes"
		echo a >src/a
		ok pawl run b
		echo b >src/b
		ok pawl run b
		equal "$(<pack.txt)" $'a\nb'
		rm src/b
		ok pawl plan b
		says 'reuse  build'
		ok pawl run b
		says '1 removed'
		equal "$(dist)" './a '
		equal "$(<pack.txt)" a
		ok pawl run b --reuse=only
	done
}

@test "a body begins without what it left: what it no longer makes is gone" {
	sources dist
	touch src/a src/b
	ok pawl run b
	rm src/a
	ok pawl run b
	equal "$(<pack.txt)" b
	rm -r dist
	ok pawl run b --reuse=only
	equal "$(dist)" './b '
}

@test "what people put into a place is neither captured nor touched" {
	sources dist
	echo 1 >src/a
	ok pawl run b
	echo mine >dist/notes
	chmod 640 dist/notes
	local then=$(stat -c '%i %Y %Z %a' dist/notes)
	echo 2 >src/a
	ok pawl run b
	echo 1 >src/a
	ok pawl run b
	equal "$(stat -c '%i %Y %Z %a' dist/notes)" "$then"
	ok pawl artifacts last/build
	says_not notes
	rm -rf dist
	ok pawl run b
	equal "$(dist)" './a '
}

@test "a file that people changed after a node made it is theirs where the result lacks it" {
	sources dist
	touch src/a src/b
	ok pawl run b
	echo edited >dist/b
	rm src/b
	ok pawl run b
	equal "$(<dist/b)" edited
}

@test "modes of files and directories come back, whatever the umask" {
	workflow b <<'Y'
name: b
nodes:
  - id: a
    reads: []
    writes: [d]
    bash: |
      mkdir d; cd d
      for m in 644 755 600 444 700 640; do echo $m > $m; chmod $m $m; done
      mkdir -m 750 sub; echo > sub/x; mkdir -m 700 sub/deep; ln -s x sub/link; mkdir -m 555 empty; mkdir ro; echo > ro/x; chmod 555 ro
Y
	ok pawl run b
	local before=$(modes d)
	chmod -R u+w d
	rm -rf d
	umask 077
	ok pawl run b --reuse=only
	equal "$(modes d)" "$before"
	chmod 755 d/644 d/sub
	ok pawl run b --reuse=only
	equal "$(modes d)" "$before"
	rm d/ro/x
	ok pawl run b --reuse=only
	equal "$(modes d)" "$before"
}

@test "without the rights of root, in directories that are read-only" {
	[ "$(id -u)" -eq 0 ] || skip "the other tests are this one"
	local nobody="setpriv --reuid 65534 --regid 65534 --clear-groups"
	chmod a+rx "$BATS_TEST_TMPDIR" "$BATS_TEST_TMPDIR/.." "$BATS_TEST_TMPDIR/../.." || true
	chown -R 65534 "$PROJECT"
	$nobody test -x "$PAWL" -a -w "$PROJECT" || skip "nobody can't run $PAWL in $PROJECT"
	workflow b <<'Y'
name: b
nodes:
  - id: a
    reads: [in]
    writes: [d]
    bash: |
      mkdir -p d/ro/in d/empty; cat in > d/ro/x; cat in > d/ro/in/y
      chmod 555 d/ro/in d/ro d/empty d
      [[ $(<in) != bad ]]
Y
	chmod a+r .pawl/workflows/b.yaml
	echo 1 >in
	ok $nobody "$PAWL" run b
	local before=$(modes d) v
	for v in 2 1; do
		echo $v >in
		ok $nobody "$PAWL" run b
		equal "$(modes d) $(<d/ro/in/y)" "$before $v"
	done
	echo bad >in
	exits 1 $nobody "$PAWL" run b
	echo 1 >in
	ok $nobody "$PAWL" run b
	equal "$(modes d) $(<d/ro/in/y)" "$before 1"
	chmod u+w d/ro
	rm d/ro/x
	ok $nobody "$PAWL" run b --reuse=only
	equal "$(modes d)" "$before"
	[ -z "$(ls .pawl/state/aside)" ]
}

@test "a file gives way to a directory of that name, and back" {
	workflow b <<'Y'
name: b
nodes:
  - {id: a, reads: [in], writes: [out], bash: 'mkdir out; if [[ $(<in) == f ]]; then echo f > out/x; else mkdir out/x; echo d > out/x/y; fi'}
  - {id: use, depends_on: a, reads: [out], bash: find out | sort}
Y
	local v
	for v in f d; do
		echo $v >in
		ok pawl run b
	done
	for v in f d f; do
		echo $v >in
		ok pawl plan b
		says '0 of 2 would run'
		ok pawl run b --reuse=only
		equal "$(find out | sort)" "$(pawl output last/use)"
	done
}

@test "a file of somebody's where a directory has to be is not removed" {
	workflow b <<'Y'
name: b
nodes:
  - {id: a, reads: [], writes: [out], bash: mkdir -p out && echo 1 > out/x}
Y
	ok pawl run b
	rm -r out
	echo mine >out
	exits 1 pawl run b
	equal "$(<out)" mine
}

# ---- tries ----

@test "what a try that failed began does not reach the next one" {
	workflow b <<'Y'
name: b
nodes:
  - id: a
    reads: []
    writes: [o, d]
    retry: {max_attempts: 2, delay_ms: 1}
    bash: |
      n=$(cat ../n 2>/dev/null || echo 1); echo $((n + 1)) > ../n
      echo line >> o; mkdir -p d/sub; echo $n > d/sub/$n; echo $n > $ARTIFACTS_DIR/part-$n
      [[ $n == 3 ]]
  - {id: c, depends_on: a, reads: [d], bash: 'find d -type f; ls $ARTIFACTS_DIR; cat o'}
Y
	ok pawl run b
	equal "$(pawl output last/c)" $'d/sub/3\npart-3\nline'
	ok pawl run b --reuse=only
	equal "$(<o)" line
}

@test "half a result of a run that failed, was stopped or killed does not reach the next one" {
	workflow b <<'Y'
name: b
nodes:
  - id: a
    reads: []
    writes: [o, d]
    bash: |
      echo line >> o; mkdir -p d; echo > d/$(cat ../n); echo > $ARTIFACTS_DIR/$(cat ../n)
      touch ../began; [[ ! -e ../slow ]] || sleep 600; [[ ! -e ../bad ]]
  - {id: c, depends_on: a, reads: [], bash: 'ls d $ARTIFACTS_DIR; cat o'}
Y
	local signal again
	for again in resume 'run b'; do
		for signal in none TERM KILL; do
			rm -rf .pawl/state o d ../began
			touch ../bad
			echo half >../n
			if [ $signal = none ]; then
				exits 1 pawl run b
				equal "$(<o)" line # left to look at
			else
				touch ../slow
				"$PAWL" run b >/dev/null 2>&1 3>&- &
				wait_for ../began
				kill -$signal $!
				wait $! || true
			fi
			rm -f ../bad ../slow
			echo whole >../n
			# shellcheck disable=SC2086 # two words
			ok pawl $again
			equal "$(pawl output last/c | tr '\n' ' ')" "$PROJECT/.pawl/state/runs/$([ $again = resume ] && echo 1 || echo 2)/artifacts: whole d: whole line " ||
				equal "$(pawl output last/c | grep -v : | xargs)" 'whole whole line'
			[ ! -e .pawl/state/aside/1 ]
		done
	done
}

@test "what is set aside comes back where the node does not get to replace it" {
	workflow b <<'Y'
name: b
nodes:
  - {id: a, reads: [in], writes: [o, d], bash: 'touch ../began; [[ ! -e ../slow ]] || sleep 600; [[ ! -e ../bad ]]; cp in o; mkdir -m 750 d d/empty; cp in d/x'}
Y
	echo 1 >in
	ok pawl run b
	local before=$(modes d) signal
	for signal in none TERM KILL; do
		rm ../began
		echo "$signal" >in
		if [ $signal = none ]; then
			touch ../bad
			exits 1 pawl run b
		else
			rm -f ../bad
			touch ../slow
			"$PAWL" run b >/dev/null 2>&1 3>&- &
			wait_for ../began
			[ ! -e o ]
			kill -$signal $!
			wait $! || true
			rm ../slow
			# After kill -9 the next run brings it back.
			echo 1 >in
			ok pawl run b --reuse=only
		fi
		equal "$(<o) $(<d/x)" '1 1'
		equal "$(modes d)" "$before"
		[ -z "$(ls .pawl/state/aside)" ]
	done
}

@test "a file of somebody's in a place, made after a kill, is kept and said" {
	workflow b <<'Y'
name: b
nodes:
  - {id: a, reads: [], writes: [d], bash: 'mkdir d; echo half > d/half; touch ../began; [[ -e ../go ]] || sleep 600; rm d/half; echo > d/whole'}
Y
	"$PAWL" run b >/dev/null 2>&1 3>&- &
	wait_for ../began
	kill -KILL $!
	wait $! || true
	echo mine >d/mine
	touch ../go
	ok pawl resume
	says 'run 1 was killed while it wrote 2 files: .pawl/state/lost/1 has them'
	equal "$(<.pawl/state/lost/1/d/mine)" mine
	equal "$(ls d)" whole
}

# ---- several nodes ----

@test "what a later node changed in place is put back in turn" {
	workflow b <<'Y'
name: b
nodes:
  - {id: get, reads: [in], writes: [data.txt], bash: cp in data.txt}
  - {id: fmt, depends_on: get, reads: [fmt.sh], bash: bash "$(printf fmt.sh)"}
  - {id: use, depends_on: fmt, reads: [data.txt], bash: "stat -c %a data.txt; tr ' ' _ < data.txt; [[ -e ../go ]]"}
Y
	echo 'a  ' >in
	# shellcheck disable=SC2016 # for sed
	echo 'sed -i "s/ *$//" data.txt; chmod 600 data.txt' >fmt.sh
	exits 1 pawl run b
	touch ../go
	ok pawl resume --no-suspect
	equal "$(states)" 'get=reused fmt=reused use=completed'
	equal "$(pawl output last/use)" $'600\na'
	ok pawl run b --reuse=only
	equal "$(<data.txt)" a
	# The first one alone is looked at by whoever stands between.
	echo 'sed -i "s/ /-/g" data.txt; chmod 644 data.txt' >fmt.sh
	ok pawl run b
	equal "$(states)" 'get=reused fmt=completed use=completed'
	equal "$(pawl output last/use)" $'644\na--'
}

@test "what an undeclared node changed in place: it runs again, or the file is as it left it" {
	local where
	for where in data.txt '$ARTIFACTS_DIR/data.txt'; do
		rm -rf .pawl/state data.txt ../go
		workflow b <<Y
name: b
nodes:
  - {id: get, reads: [], $([ $where = data.txt ] && echo 'writes: [data.txt], ') bash: "printf 'a  \n' > $where"}
  - {id: fmt, depends_on: get, bash: "./fmt.sh"}
  - {id: use, depends_on: fmt, bash: "[[ -e ../go ]]; tr ' ' _ < $where"}
Y
		# shellcheck disable=SC2016 # for the script
		printf '#!/bin/sh\nsed -i "s/ *$//" %s\n' "$where" >fmt.sh
		chmod +x fmt.sh
		exits 1 pawl run b
		touch ../go
		ok pawl resume --no-suspect
		equal "$(pawl output last/use)" a
		ok pawl run b
		equal "$(pawl output last/use)" a
	done
}

@test "what a later node removed stays removed; what somebody puts there stays" {
	workflow b <<'Y'
name: b
nodes:
  - {id: a, reads: [in], writes: [tmp, keep], bash: mkdir tmp; cp in tmp/x; cp in keep}
  - {id: use, depends_on: a, reads: [tmp], bash: cat tmp/x}
  - {id: clean, depends_on: [a, use], reads: [], bash: rm -r tmp}
  - {id: last, depends_on: clean, reads: [tmp], bash: ls}
Y
	echo 1 >in
	ok pawl run b
	[ ! -e tmp ]
	ok pawl plan b
	says '0 of 4 would run'
	ok pawl run b
	equal "$(states)" 'a=reused use=reused clean=reused last=reused'
	[ ! -e tmp/x ]
	mkdir -p tmp
	echo mine >tmp/mine
	ok pawl run b
	equal "$(<tmp/mine)" mine
	[ ! -e tmp/x ]
}

@test "items that are gone leave nothing" {
	workflow b <<'Y'
name: b
nodes:
  - {id: list, reads: [l], bash: cat l}
  - {id: each, depends_on: list, reads: [], fan_out: {items: $list.output, max_parallel: 1}, writes: ["out/*.txt"], bash: 'mkdir -p out; echo "$INPUTS.item" > out/"$INPUTS_ITEM".txt'}
  - {id: all, depends_on: each, reads: [out], bash: ls out}
Y
	echo '["x","y","z"]' >l
	ok pawl run b
	equal "$(pawl output last/all | xargs)" 'x.txt y.txt z.txt'
	rm -r out
	ok pawl run b --reuse=only
	equal "$(ls out | xargs)" 'x.txt y.txt z.txt'
	echo '["x"]' >l
	ok pawl run b
	equal "$(pawl output last/all)" x.txt
	echo '["z","y"]' >l
	ok pawl run b
	equal "$(pawl output last/all | xargs)" 'y.txt z.txt'
}

@test "a node that is skipped, or no longer there, leaves nothing; one that is not selected is left alone" {
	workflow b <<'Y'
name: b
inputs: {more: {type: boolean, default: true}}
nodes:
  - {id: a, reads: [], writes: [out/a], bash: mkdir -p out; echo a > out/a}
  - {id: b, when: "$INPUTS.more == 'true'", reads: [], writes: [out/b], bash: mkdir -p out; echo b > out/b}
  - {id: c, reads: [], writes: [out/c], bash: mkdir -p out; echo c > out/c}
  - {id: all, depends_on: [a, b, c], trigger_rule: all_done, reads: [out], bash: ls out}
Y
	ok pawl run b
	equal "$(pawl output last/all | xargs)" 'a b c'
	ok pawl plan b -i more=false
	says 'run    all'
	ok pawl run b -i more=false
	equal "$(pawl output last/all | xargs)" 'a c'
	ok pawl run b
	equal "$(pawl output last/all | xargs)" 'a b c'
	ok pawl run b --from a --until a -i more=false
	equal "$(ls out | xargs)" 'a b c'
	sed -i '/id: c,/d; s/, c\]/]/' .pawl/workflows/b.yaml
	ok pawl run b
	equal "$(pawl output last/all | xargs)" 'a b'
}

@test "members of a loop go on from what they left in the iteration before" {
	workflow b <<'Y'
name: b
nodes:
  - id: again
    loop_group:
      until: "3"
      max_iterations: 5
      nodes:
        - {id: count, reads: [], writes: [log], bash: echo line >> log; wc -l < log}
  - {id: use, depends_on: again, reads: [log], bash: cat log}
Y
	ok pawl run b
	equal "$(pawl output last/use | wc -l)" 3
	rm log
	ok pawl run b
	equal "$(wc -l <log)" 3
	equal "$(pawl output last/use | wc -l)" 3
	ok pawl run b --force-all
	equal "$(wc -l <log)" 3
}

@test "places within a run within the run" {
	workflow inner <<'Y'
name: inner
nodes:
  - {id: build, reads: [src], writes: [dist], bash: mkdir dist; cp src/* dist/}
  - {id: say, depends_on: build, reads: [], bash: echo done}
Y
	workflow b <<'Y'
name: b
nodes:
  - {id: sub, workflow: inner}
  - {id: pack, depends_on: sub, reads: [dist], bash: ls dist}
Y
	mkdir src
	echo 1 >src/a
	ok pawl run b
	echo 1 >src/b
	ok pawl run b
	equal "$(pawl output last/pack | xargs)" 'a b'
	rm src/b
	ok pawl run b
	equal "$(pawl output last/pack)" a
	equal "$(ls dist)" a
}

# ---- what can't be proved ----

@test "a mended producer is not published with its consumer's old data" {
	workflow w <<'Y'
name: w
nodes:
  - {id: p, bash: bash "$(printf gen.sh)"}
  - {id: c, depends_on: p, bash: 'cp out final; date +%N > stamp'}
  - {id: d, depends_on: c, bash: test -e up && cat final}
  - {id: beside, bash: 'echo x >> sent; echo sent'}
Y
	echo 'echo 999 > out' >gen.sh
	exits 1 pawl run w
	sed -i 's/p, bash: bash/p, reads: [gen.sh], bash: bash/' .pawl/workflows/w.yaml
	echo 'echo 10 > out' >gen.sh
	touch up
	ok pawl resume --no-suspect
	equal "$(pawl output last/d)" 10
	equal "$(wc -l <sent)" 1
	# c is newer than p now.
	ok pawl resume --no-suspect || true
}

@test "unproven results below a run within the run, an item and a loop that made something anew" {
	workflow inner <<'Y'
name: inner
nodes:
  - {id: make, reads: [in], bash: 'cp in made; echo same'}
Y
	workflow w <<'Y'
name: w
nodes:
  - {id: sub, workflow: inner}
  - {id: each, reads: [in], fan_out: {items: '["x"]'}, bash: 'cp in item; echo same'}
  - {id: again, loop_group: {until: same, max_iterations: 2, nodes: [{id: m, reads: [in], bash: 'cp in looped; echo same'}]}}
  - {id: a, depends_on: sub, bash: cat made}
  - {id: b, depends_on: each, bash: cat item}
  - {id: c, depends_on: again, bash: cat looped}
  - {id: end, depends_on: [a, b, c], bash: test -e up}
Y
	echo 1 >in
	exits 1 pawl run w
	echo 2 >in
	touch up
	ok pawl resume --no-suspect
	equal "$(pawl output last/a) $(pawl output last/b) $(pawl output last/c)" '2 2 2'
}

@test "files that several nodes may have left are never missing in another run" {
	workflow w <<'Y'
name: w
nodes:
  - {id: a, bash: 'echo A > $ARTIFACTS_DIR/a.txt; touch a.began; until [[ -e b.began ]]; do sleep .01; done'}
  - {id: b, bash: 'echo B > $ARTIFACTS_DIR/b.txt; touch b.began; until [[ -e a.began ]]; do sleep .01; done'}
  - {id: c, depends_on: [a, b], bash: 'cat $ARTIFACTS_DIR/*.txt; test -e go'}
Y
	exits 1 pawl run w -j 2
	touch go
	rm ./*.began
	ok pawl resume --no-suspect
	equal "$(states | tr ' ' '\n' | grep -c reused)" 2
	equal "$(pawl output last/c | xargs)" 'A B'
	rm go
	exits 1 pawl run w -j 2
	touch go
	rm ./*.began
	ok pawl run w --resume --no-suspect -j 2
	equal "$(pawl output last/c | xargs)" 'A B'
}

# ---- what is there before ----

@test "a source that a body changes is an input of it, and stays" {
	workflow b <<'Y'
name: b
nodes:
  - {id: fmt, reads: [], writes: [data.txt], bash: "sed -i 's/ *$//' data.txt; cp data.txt copy"}
Y
	echo 'a  ' >data.txt
	ok pawl run b
	ok pawl run b --reuse=only
	echo 'b  ' >data.txt
	ok pawl run b
	equal "$(reason fmt)" file_changed
	equal "$(<data.txt)" b
	echo 'a  ' >data.txt
	ok pawl plan b
	says 'reuse  fmt'
	ok pawl run b --reuse=only
	equal "$(<data.txt)" a
	ok pawl run b -f fmt
	equal "$(<data.txt)" a
}

@test "clean: false keeps what was made, and makes its state an input" {
	workflow b <<'Y'
name: b
nodes:
  - {id: a, reads: [in], clean: false, writes: [o], bash: cat in >> o}
Y
	echo 1 >in
	ok pawl run b
	ok pawl run b --reuse=only
	echo 2 >in
	ok pawl run b
	equal "$(xargs <o)" '1 2'
	echo 1 >in
	ok pawl run b
	equal "$(xargs <o)" '1 2 1'
	equal "$(reason a)" file_changed
	ok pawl run b --reuse=only
}

@test "a project that is moved or copied is as current as it was" {
	workflow b <<'Y'
name: b
nodes:
  - {id: a, reads: [in], writes: [d], tools: [./g.sh], bash: mkdir d; ./g.sh > d/o}
  - {id: c, depends_on: a, reads: [d], bash: cat d/o}
Y
	echo 1 >in
	printf '#!/bin/sh\ncat in\n' >g.sh
	chmod +x g.sh
	ok pawl run b
	cp -a "$PROJECT" "$HOME/copy"
	mv "$PROJECT" "$HOME/moved"
	local where
	for where in copy moved; do
		cd "$HOME/$where"
		rm -r d
		ok pawl run b --reuse=only
		echo 2 >in
		ok pawl run b
		echo 3 >in
		ok pawl run b
		equal "$(<d/o)" 3
		echo 2 >in
		ok pawl run b --reuse=only
	done
}
