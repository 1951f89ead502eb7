#!/usr/bin/env bats
# Symbolic links in what a node reads: whoever reads the link reads what it leads to.

load helpers

reader() {
	workflow links <<YAML
name: links
nodes:
  - id: read
    reads: [$1]
    runtime: python
    script: |
      print(open("src/cfg").read().strip())
YAML
}

changes() {
	mkdir -p src conf
	echo one >conf/cfg
	ln -s ../conf/cfg src/cfg
	ok pawl run links
	ok pawl run links
	[[ $output == *'reuse  read'* ]]
	echo two >conf/cfg
	ok pawl run links
	[[ $output == *'run    read'* ]]
	ok pawl output last/read
	[ "$output" = two ]
	rm conf/cfg
	exits 1 pawl run links
}

@test "a link in a directory that is read" {
	reader src
	changes
}

@test "a link that a glob matches" {
	reader '"src/*"'
	changes
}

@test "a link that is named" {
	reader src/cfg
	changes
}

@test "a directory that a link in a tree leads to, and links in a circle" {
	workflow dirs <<'YAML'
name: dirs
nodes:
  - id: read
    reads: [src]
    runtime: python
    script: |
      print(open("src/more/cfg").read().strip())
YAML
	mkdir -p src conf
	echo one >conf/cfg
	ln -s ../conf src/more
	ln -s . src/self
	ln -s ../src conf/back
	ln -s / src/root
	ok pawl run dirs
	ok pawl run dirs
	[[ $output == *'reuse  read'* ]]
	echo two >conf/cfg
	ok pawl run dirs
	ok pawl output last/read
	[ "$output" = two ]
}
