#!/usr/bin/env bats
# Which file a name means, and the list of all of them.
load helpers

one() {
	mkdir -p "$(dirname "$1")"
	printf 'name: %s\ndescription: %s\nnodes: [{id: a, bash: echo %s}]\n' "$2" "$3" "$3" >"$1"
}

@test "a name is a file's, in any directory below; else what a file says its name is" {
	one .pawl/workflows/plain.yaml plain one
	one .pawl/workflows/sub/deep/nested.yml nested two
	one .pawl/workflows/sub/other.yaml its-name three
	one .pawl/workflows/its.yaml plain four
	one "$HOME/.config/pawl/workflows/mine.yaml" mine five
	one "$HOME/.config/pawl/workflows/plain.yaml" plain six
	local name
	for name in plain=one nested=two its-name=three other=three its=four mine=five sub/deep/nested=two sub/other=three; do
		ok pawl run "${name%=*}"
		equal "$(pawl output last/a)" "${name#*=}"
	done
	exits 2 pawl run it-name
	says 'did you mean `its-name`?'
	exits 2 pawl run sub/nested
	says 'sub/nested'
}

@test "include and workflow find by name what run finds" {
	one .pawl/workflows/sub/other.yaml its-name three
	workflow main <<'YAML'
name: main
nodes:
  - {id: inc, include: its-name}
  - {id: sub, workflow: its-name}
YAML
	ok pawl run main
	equal "$(pawl output last/sub)" 'three'
}

@test "a name that two files have is an error that names both; the file can still be named" {
	one .pawl/workflows/same.yaml same one
	one .pawl/workflows/old/same.yaml same two
	exits 2 pawl run same
	says 'E-WORKFLOW-AMBIGUOUS'
	says '.pawl/workflows/same.yaml'
	says '.pawl/workflows/old/same.yaml'
	ok pawl run .pawl/workflows/old/same.yaml
	ok pawl run old/same
	equal "$(pawl output last/a)" 'two'
	one .pawl/workflows/x.yaml twice one
	one .pawl/workflows/y.yaml twice two
	exits 2 pawl run twice
	says 'two workflows are named `twice`'
}

@test "a workflow of .archon is named by its file, and the error says so" {
	one .archon/workflows/ship.yaml ship one
	exits 2 pawl run ship
	says 'pawl run .archon/workflows/ship.yaml'
	ok pawl run .archon/workflows/ship.yaml
}

@test "list: a broken file hides no other; what lint would refuse is broken; what includes another is not" {
	one .pawl/workflows/good.yaml good fine
	one "$HOME/.config/pawl/workflows/mine.yaml" mine five
	printf 'name: torn\nnodes: [{id: a\n' | workflow torn
	printf 'name: wrong\nnodes: [{id: a, bsh: x}]\n' | workflow wrong
	printf 'name: quoted\nnodes: [{id: a, bash: echo}, {id: b, depends_on: a, bash: "echo '\''$a.output'\''"}]\n' | workflow quoted
	printf 'name: outer\nnodes: [{id: a, include: good}, {id: b, workflow: torn}]\n' | workflow outer
	head -c 300 /dev/urandom | workflow noise
	printf 'name: none\nnodes: [{id: a, include: nowhere}]\n' | workflow none
	mkdir .pawl/workflows/secret.yaml
	ok pawl list
	says 'good    1 node   never ran  fine'
	says 'mine'
	says 'outer   2 nodes'
	equal "$(grep -c broken <<<"$output")" 6
	ok pawl list --json
	printf '%s\n' "$output" | grep -c '"problem"' | grep 5
	exits 2 pawl lint
	says 'ok  good'
	says 'E-REF-QUOTED'
}

@test "a path in a workflow is one of the project, wherever the command is given" {
	one lib/part.yaml part one
	workflow main <<'YAML'
name: main
nodes:
  - {id: inc, include: lib/part.yaml}
  - {id: sub, workflow: lib/part.yaml}
YAML
	mkdir -p deep/er
	cd deep/er
	ok pawl run main
	equal "$(pawl output last/sub)" 'one'
}
