#!/usr/bin/env bats
# Each clause of the rule of reuse (docs/caching.md) that no other file tests by itself.
load helpers

# sql STATEMENT...: in the store of the project; prints the rows.
sql() {
	python3 - "$@" <<-'PY'
		import sqlite3, sys
		db = sqlite3.connect('.pawl/state/pawl.db')
		for statement in sys.argv[1:]:
		    for row in db.execute(statement):
		        print(*row)
		db.commit()
	PY
}

@test "a damaged verdict may have been on an older result just as well" {
	workflow w <<-'YAML'
		name: w
		nodes:
		  - {id: fetch, bash: cat ~/v}
	YAML
	echo one >~/v
	ok pawl run w
	echo two >~/v
	ok pawl run w
	ok pawl quarantine 1/fetch --reason bad
	sql "UPDATE verdict SET reason = 'good'"
	ok pawl run w --resume=1
	equal "$(reason fetch)" store_damaged
}

# damage: flips what is stored of large blobs, and of small ones that have TEXT in them.
damage() {
	local file
	for file in .pawl/state/blobs/*/*; do
		[ ! -e "$file" ] || { chmod u+w "$file"; printf X | dd of="$file" conv=notrunc status=none; }
	done
	sql "UPDATE blob SET data = CAST(replace(CAST(data AS TEXT), '$1', 'DAMAGED') AS BLOB), size = size WHERE data IS NOT NULL"
}

@test "an output is read before it is believed, a small one and a large one" {
	workflow w <<-'YAML'
		name: w
		nodes:
		  - {id: large, reads: [], bash: 'seq 100000'}
		  - {id: small, reads: [], bash: 'echo precious', ensure: {output: {matches: precious}}}
		  - {id: after, reads: [], depends_on: [large, small], bash: 'true'}
	YAML
	ok pawl run w
	damage precious
	sed -i 's/matches: precious/matches: prec/' .pawl/workflows/w.yaml
	ok pawl run w
	equal "$(reason large) $(reason small)" 'store_damaged store_damaged'
	[[ $(pawl output last/large) == *$'\n'100000 ]]
}

@test "so is what would have to be put back, and the list of it; a plan says it too" {
	workflow w <<-'YAML'
		name: w
		nodes:
		  - {id: large, reads: [], writes: [f], bash: 'seq 100000 >f'}
		  - {id: small, reads: [], writes: [g], bash: 'echo precious >g'}
	YAML
	ok pawl run w
	damage precious
	rm f g
	ok pawl plan w
	says 'run    large  f, which it wrote in run 1, is gone'
	says 'run    small  g, which it wrote in run 1, is gone'
	ok pawl run w
	equal "$(reason large) $(reason small)" 'output_missing output_missing'
	equal "$(cat g)" precious
	sql "UPDATE blob SET data = CAST(replace(CAST(data AS TEXT), '644', '744') AS BLOB) WHERE data IS NOT NULL"
	ok pawl plan w
	says 'run    small  its stored output of run 2 is missing or damaged'
}

above() {
	workflow child <<-'YAML'
		name: child
		nodes:
		  - {id: c, bash: 'echo c >>~/log'}
	YAML
	workflow busy <<-'YAML'
		name: busy
		nodes:
		  - {id: q, always_run: true, bash: echo q}
	YAML
	workflow w <<-YAML
		name: w
		nodes:
		  - {id: up, $1, bash: echo x}
		  - {id: mid, depends_on: up, reads: [], bash: echo m}
		  - {id: plain, depends_on: mid, bash: 'echo plain >>~/log'}
		  - {id: group, depends_on: up, loop_group: {until: x, max_iterations: 2, nodes: [{id: m, bash: 'echo member >>~/log; echo x'}]}}
		  - {id: fan, depends_on: up, fan_out: {items: [1]}, bash: 'echo item >>~/log'}
		  - {id: sub, depends_on: up, workflow: child}
		  - {id: busygroup, loop_group: {until: x, max_iterations: 2, nodes: [{id: q, $1, bash: 'echo x'}]}}
		  - {id: busyfan, fan_out: {items: [1]}, $1, bash: 'echo q'}
		  - {id: busysub, workflow: ${2:-busy}}
		  - {id: aftergroup, depends_on: busygroup, bash: 'echo aftergroup >>~/log'}
		  - {id: afterfan, depends_on: busyfan, bash: 'echo afterfan >>~/log'}
		  - {id: aftersub, depends_on: busysub, bash: 'echo aftersub >>~/log'}
		  - {id: alone, bash: 'echo alone >>~/log'}
		  - {id: end, depends_on: [plain, group, fan, sub, aftergroup, afterfan, aftersub, alone], always_run: true, bash: exit 1}
	YAML
	exits 1 pawl run w
	: >~/log
	exits 1 pawl resume --no-suspect
}

@test "what reads more than pawl knows runs again where something above it did: in a loop, in items, in a run, and behind them" {
	above 'always_run: true'
	equal "$(sort ~/log | tr '\n' ' ')" 'afterfan aftergroup aftersub c item member plain '
	equal "$(reason plain)" unproven
}

@test "and where nothing above it did, it doesn't" {
	above 'reads: []' child
	equal "$(sort ~/log | tr '\n' ' ')" ''
}

@test "an iteration is behind the one before" {
	workflow w <<-'YAML'
		name: w
		nodes:
		  - id: group
		    loop_group:
		      until: END
		      max_iterations: 3
		      nodes:
		        - {id: n, bash: 'echo n >>~/log; echo n'}
		        - {id: q, depends_on: n, always_run: true, bash: 'if [ -e ~/second ]; then rm ~/second; echo END; else touch ~/second; echo go; fi'}
		  - {id: end, depends_on: group, always_run: true, bash: exit 1}
	YAML
	exits 1 pawl run w
	: >~/log
	exits 1 pawl resume --no-suspect
	equal "$(cat ~/log)" n # in the second one only
}

@test "and so is one of a loop around it" {
	workflow w <<-'YAML'
		name: w
		nodes:
		  - id: outer
		    loop_group:
		      until: END
		      max_iterations: 3
		      nodes:
		        - id: inner
		          loop_group: {until: x, max_iterations: 2, nodes: [{id: n, bash: 'echo n >>~/log; echo x'}]}
		        - {id: q, depends_on: inner, always_run: true, bash: 'if [ -e ~/second ]; then rm ~/second; echo END; else touch ~/second; echo go; fi'}
		  - {id: end, depends_on: outer, always_run: true, bash: exit 1}
	YAML
	exits 1 pawl run w
	: >~/log
	exits 1 pawl resume --no-suspect
	equal "$(cat ~/log)" n
}

@test "with reuse off not even what the run itself has made is reused" {
	workflow child <<-'YAML'
		name: child
		nodes:
		  - {id: n, reads: [], bash: 'echo n >>~/log'}
	YAML
	workflow w <<-'YAML'
		name: w
		nodes:
		  - {id: one, workflow: child}
		  - {id: two, depends_on: one, workflow: child}
	YAML
	ok pawl run w
	equal "$(cat ~/log | tr '\n' ' ')" 'n '
	: >~/log
	ok pawl run w --no-resume
	equal "$(cat ~/log | tr '\n' ' ')" 'n n '
}

@test "a file that several nodes change in turn: who has read which is not known" {
	workflow w <<-'YAML'
		name: w
		nodes:
		  - {id: a, reads: [], writes: [t], bash: echo 1 >t}
		  - {id: b, depends_on: a, reads: [], bash: sed -i s/1/2/ t*}
		  - {id: m, depends_on: a, bash: 'echo m >>~/log'}
		  - {id: end, depends_on: [b, m], always_run: true, bash: exit 1}
	YAML
	exits 1 pawl run w -j1
	rm t
	: >~/log
	exits 1 pawl resume -j1 --no-suspect
	equal "$(cat ~/log)" m
}

@test "a file that was put back over another may have been read by what is behind it" {
	workflow w <<-'YAML'
		name: w
		nodes:
		  - {id: a, reads: [], writes: [f], bash: echo a >f}
		  - {id: b, depends_on: a, bash: 'n=$(ls f*); cat $n >>~/log'}
		  - {id: end, depends_on: b, always_run: true, bash: exit 1}
	YAML
	exits 1 pawl run w
	exits 1 pawl resume --no-suspect
	equal "$(cat ~/log)" a
	rm f
	exits 1 pawl resume --no-suspect
	equal "$(cat ~/log)" a # nobody has read another one meanwhile
	echo other >f
	exits 1 pawl resume --no-suspect
	equal "$(cat ~/log | tr '\n' ' ')" 'a a '
}

@test "what was refused gives way for good to what was made in its place" {
	workflow w <<-'YAML'
		name: w
		nodes:
		  - {id: a, reads: [], bash: cat ~/v}
	YAML
	echo bad >~/v
	ok pawl run w
	sed -i 's/bash:/ensure: {output: {matches: good}}, &/' .pawl/workflows/w.yaml
	echo good >~/v
	ok pawl run w
	equal "$(reason a)" contract_failed
	equal "$(sql 'SELECT id, dropped FROM result' | tr '\n' ';')" '1 1;2 0;'
	ok pawl invalidate 2 a
	sed -i 's/ensure: {output: {matches: good}}, //' .pawl/workflows/w.yaml
	ok pawl run w
	equal "$(pawl output last/a)" good
}

@test "of what was forced only the new result is left, and nothing that a node merely made once more" {
	workflow w <<-'YAML'
		name: w
		nodes:
		  - {id: a, bash: echo a}
	YAML
	ok pawl run w
	ok pawl run w
	equal "$(sql 'SELECT id, dropped FROM result' | tr '\n' ';')" '1 0;2 0;'
	ok pawl run w -f a
	equal "$(sql 'SELECT id, dropped FROM result' | tr '\n' ';')" '1 1;2 1;3 0;'
	ok pawl run w --no-resume
	equal "$(sql 'SELECT id, dropped FROM result' | tr '\n' ';')" '1 1;2 1;3 1;4 0;'
}

@test "an output that names the run's own directory, or a text that names the run, is for this run only" {
	workflow w <<-'YAML'
		name: w
		nodes:
		  - {id: whole, reads: [], bash: 'echo "$ARTIFACTS_DIR/x"'}
		  - {id: pieces, reads: [], bash: 'd=$ARTIFACTS_DIR; printf %s "${d:0:7}"; sleep 0.1; printf %s "${d:7:5}"; sleep 0.1; printf "%s\n" "${d:12}"'}
		  - {id: run, reads: [], bash: 'echo ${RUN_ID:+one}'}
		  - {id: undeclared, bash: 'echo x'}
		  - {id: good, reads: [], bash: 'echo ${#ARTIFACTS_DIR}'}
	YAML
	ok pawl run w
	ok pawl run w
	equal "$(reason whole) $(reason pieces) $(reason run) $(reason undeclared) $(reason good)" 'unproven unproven unproven unproven reuse'
}

@test "a suspect that makes another output is quarantined, one that makes the same is cleared; both are suspects no more" {
	workflow w <<-'YAML'
		name: w
		nodes:
		  - {id: a, reads: [], bash: 'cat ~/v'}
		  - {id: b, depends_on: a, reads: [w], bash: 'echo $a.output | grep -q good && grep -q yes w'}
	YAML
	echo bad >~/v
	echo yes >w
	exits 1 pawl run w
	exits 1 pawl run w
	ok pawl verdicts
	says suspect
	exits 1 pawl run w --no-suspect
	equal "$(reason a)" reuse
	echo good >~/v
	ok pawl run w
	says 'it gave another output'
	ok pawl verdicts
	says quarantined
	says_not suspect
	echo no >w
	exits 1 pawl run w
	exits 1 pawl run w
	says 'it gave the same output again'
	ok pawl verdicts
	says exonerated
	says_not suspect
}

@test "an input is not suspected because of a failure that it is passed with, nor of one of another body" {
	workflow w <<-'YAML'
		name: w
		nodes:
		  - {id: a, reads: [v], bash: 'cat v'}
		  - {id: b, depends_on: a, reads: [], bash: '[ -e ~/well ] && echo $a.output'}
	YAML
	echo one >v
	exits 1 pawl run w
	touch ~/well
	ok pawl run w
	equal "$(reason a)" reuse
	ok pawl verdicts
	says_not suspect
	rm ~/well
	exits 1 pawl run w -f b --no-suspect
	echo two >v
	sed -i 's/\[ -e ~.well \] &&/true;/' .pawl/workflows/w.yaml
	ok pawl run w
	ok pawl verdicts
	says_not suspect
}

@test "a suspect that makes the same output and other artifacts again is not cleared" {
	workflow w <<-'YAML'
		name: w
		nodes:
		  - {id: a, reads: [], bash: 'cp ~/v "$ARTIFACTS_DIR/v"'}
		  - {id: b, depends_on: a, reads: [w], bash: 'grep good "$ARTIFACTS_DIR/v"; grep yes w'}
	YAML
	echo bad >~/v
	echo yes >w
	exits 1 pawl run w
	exits 1 pawl run w # reused, and now suspect
	echo good >~/v
	ok pawl run w
	says 'it gave another output'
	ok pawl run w
	says '0 ran, 2 reused'
	# And the other way round: the same again is.
	echo no >w
	exits 1 pawl run w
	exits 1 pawl run w
	says 'it gave the same output again'
}

@test "the line of runs that a run continues counts as a whole" {
	workflow w <<-'YAML'
		name: w
		nodes:
		  - {id: first, reads: [v], bash: 'grep good v'}
		  - {id: n, depends_on: first, bash: 'echo n >>~/log'}
		  - {id: end, depends_on: n, always_run: true, bash: '[ -e ~/well ]'}
	YAML
	echo good >v
	exits 1 pawl run w --no-suspect
	echo bad >v
	exits 1 pawl run w --resume --no-suspect # which does not come to n
	echo good >v
	touch ~/well
	ok pawl run w --resume --no-suspect
	equal "$(cat ~/log)" n
	ok pawl run w
	equal "$(cat ~/log | tr '\n' ' ')" 'n n '
}

@test "a file of the project that another result of the node is for brings that back, unless the newest does" {
	workflow w <<-'YAML'
		name: w
		nodes:
		  - {id: a, reads: [src], bash: 'cat src ~/v'}
	YAML
	echo 1 >src
	echo v1 >~/v
	ok pawl run w
	echo 2 >src
	ok pawl run w
	echo 1 >src
	echo v2 >~/v
	ok pawl run w
	equal "$(pawl output last/a | tr '\n' ' ')" '1 v1 '
	ok pawl run w -f a
	ok pawl run w
	equal "$(pawl output last/a | tr '\n' ' ')" '1 v2 '
}

@test "what a body makes of a file that its words name is looked at, too; what it said it reads is its input" {
	workflow w <<-'YAML'
		name: w
		nodes:
		  - {id: named, reads: [], bash: './mk ./sub/made; echo x >~/out'}
		  - {id: declared, depends_on: named, reads: [in], bash: '[ -e in ] || echo x >i[n] 2>&1; cp in ~/in || cp ~/out in'}
	YAML
	mkdir sub
	printf '#!/bin/sh\necho x >"$1"\n' >mk
	chmod +x mk
	ok pawl run w
	says 'declared  its result is not kept: in changed while it ran'
	ok pawl run w
	equal "$(reason named)" reuse
	rm sub/made
	ok pawl run w
	equal "$(reason named)" output_missing
}

@test "a source that is written to while the node runs" {
	workflow w <<-'YAML'
		name: w
		nodes:
		  - {id: declared, reads: [src], bash: 'cat s*c; echo new >>s*c'}
		  - {id: back, reads: [d], bash: 'cp d/f ~/keep; sed -i s/a/b/ d/*; cat ~/keep >d/f'}
		  - {id: named, bash: 'cat other.txt; echo more >>other.tx*'}
	YAML
	mkdir d
	echo a >d/f
	echo a >src
	echo a >other.txt
	ok pawl run w
	says 'its result is not kept: src changed while it ran'
	says 'its result is not kept: d/f was written to while it ran'
	says 'its result is not kept: other.txt changed while it ran, say in'
	ok pawl run w
	equal "$(reason declared) $(reason back) $(reason named)" 'not_stored not_stored not_stored'
}
