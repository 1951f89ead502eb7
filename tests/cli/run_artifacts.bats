#!/usr/bin/env bats
# The pipeline of the bake-off through $ARTIFACTS_DIR: each run has a directory of its own, and what is reused is put there.
load helpers

# pipe [FIELDS...] < BODY
pipe() {
	{
		printf 'name: pipe\nnodes:\n  - id: produce\n    reads: [src.txt]\n'
		[ $# -eq 0 ] || printf '    %s\n' "$@"
		printf '    bash: |\n'
		sed 's/^/      /'
		cat <<'YAML'
  - id: consume
    depends_on: [produce]
    reads: []
    runtime: python
    script: |
      import json, os
      print(json.load(open(os.environ["ARTIFACTS_DIR"] + "/out.json"))["v"])
YAML
	} >.pawl/workflows/pipe.yaml
}

good_body='printf '\''{"v": "%s"}\n'\'' "$(cat src.txt)" >"$ARTIFACTS_DIR/out.json"'

green() {
	echo one >src.txt
	pipe "$@" <<<"$good_body"
	ok pawl run pipe
	equal "$(states)" 'produce=completed consume=completed'
}

@test "a reused node's artifacts are in the directory of the new run" {
	green
	ok pawl run pipe
	equal "$(states)" 'produce=reused consume=reused'
	cmp .pawl/state/runs/1/artifacts/out.json .pawl/state/runs/2/artifacts/out.json
	ok pawl run pipe -f consume
	equal "$(pawl output 3/consume)" one
}

@test "a changed artifact makes what reads it run, though the output is the same text" {
	green
	echo two >src.txt
	ok pawl run pipe
	equal "$(states)" 'produce=completed consume=completed'
	equal "$(pawl output 2/consume)" two
}

@test "an artifact that was changed or deleted by hand is put right when the run is resumed" {
	echo one >src.txt
	pipe <<<"$good_body"
	sed -i 's/import json, os/import json, os; open("go")/' .pawl/workflows/pipe.yaml
	exits 1 pawl run pipe
	echo '{"v": "by hand"}' >.pawl/state/runs/1/artifacts/out.json
	touch go
	ok pawl resume --no-suspect
	equal "$(states)" 'produce=reused consume=completed'
	equal "$(pawl output 1/consume)" one
	rm go
	exits 1 pawl run pipe -f consume
	rm -r .pawl/state/runs/2/artifacts
	touch go
	ok pawl resume 2 --no-suspect
	equal "$(pawl output 2/consume)" one
}

@test "a declared artifact that isn't written blames the producer" {
	green 'writes: [$ARTIFACTS_DIR/out.json]'
	pipe 'writes: [$ARTIFACTS_DIR/out.json]' <<<'true'
	exits 1 pawl run pipe
	equal "$(states)" 'produce=failed consume=skipped'
	says 'did not write `$ARTIFACTS_DIR/out.json`'
}

@test "what is left in the directory by nodes that ran side by side makes them unproven, unless they name it" {
	workflow beside <<'YAML'
name: beside
nodes:
  - {id: a, reads: [], bash: 'touch "$HOME/a"; while [ ! -e "$HOME/b" ]; do sleep 0.01; done; name=x; echo a >"$ARTIFACTS_DIR/$name"'}
  - {id: b, reads: [], bash: 'touch "$HOME/b"; while [ ! -e "$HOME/a" ]; do sleep 0.01; done; sleep 0.1'}
YAML
	ok pawl run beside -j 2
	ok pawl run beside -j 2
	equal "$(reason a)" unproven
	says 'declare it in `writes` of its maker'
	sed -i 's/bash: .touch "$HOME\/a"/writes: [$ARTIFACTS_DIR\/x], &/' .pawl/workflows/beside.yaml
	ok pawl run beside -j 2
	ok pawl run beside -j 2
	equal "$(reason a)" reuse
}

@test "links and empty directories among the artifacts survive, and nothing is written through a link" {
	echo one >src.txt
	pipe <<<"$good_body
mkdir \"\$ARTIFACTS_DIR/empty\"; ln -s /nowhere/at/all \"\$ARTIFACTS_DIR/link\"
chmod 600 \"\$ARTIFACTS_DIR/out.json\""
	ok pawl run pipe
	ok pawl run pipe
	equal "$(states)" 'produce=reused consume=reused'
	equal "$(readlink .pawl/state/runs/2/artifacts/link)" /nowhere/at/all
	[ -d .pawl/state/runs/2/artifacts/empty ]
	equal "$(stat -c %a .pawl/state/runs/2/artifacts/out.json)" 600
}

@test "a project file is never restored through a symlink that leads out of the project" {
	mkdir dir "$HOME/outside"
	workflow out <<'YAML'
name: out
nodes:
  - {id: a, reads: [], writes: [dir/file], bash: echo a >dir/file}
YAML
	ok pawl run out
	rm -r dir
	ln -s "$HOME/outside" dir
	ok pawl plan out
	says '  run    a  dir/file, which it wrote in run 1, was changed since'
	exits 1 pawl run out
	says 'leads out of the directory'
	equal "$(states)" a=failed
	# The body wrote there; pawl did not.
	equal "$(ls -A "$HOME/outside")" file
}

@test "a file that its maker declares is nobody else's, whoever ends while it is there" {
	workflow w <<-'YAML'
		name: w
		nodes:
		  - id: maker
		    bash: |
		      echo 1 >"$ARTIFACTS_DIR/x"; mkdir "$ARTIFACTS_DIR/d"; echo 2 >"$ARTIFACTS_DIR/d/y"
		      touch "$HOME/made"; until [ -e "$HOME/ended" ]; do sleep 0.02; done; sleep 0.2
		    reads: []
		    writes: [$ARTIFACTS_DIR/x, $ARTIFACTS_DIR/d]
		  - id: other
		    bash: until [ -e "$HOME/made" ]; do sleep 0.02; done; touch "$HOME/ended"
		    reads: []
	YAML
	ok pawl run w -j2
	rm -r .pawl/state/runs
	ok pawl run w -j2
	says 'reuse  maker'
	says '2 files restored'
	says 'reuse  other'
}
