# pawl diff: what differs between two runs, from the store alone.
load helpers

etl() {
	workflow etl <<-YAML
		name: etl
		nodes:
		  - id: fetch
		    reads: [src.txt]
		    bash: |
		      # ${1:-one}
		      cat src.txt
		  - id: parse
		    depends_on: [fetch]
		    reads: []
		    writes: [out.txt]
		    secrets: [TOKEN]
		    env: {LEVEL: "${2:-1}"}
		    bash: |
		      printf 'a\nb\n%s\nc\n' "\$fetch.output" >out.txt
		      echo done
		  - id: lint
		    reads: []
		    bash: echo lint
	YAML
}

two_runs() {
	etl
	echo first >src.txt
	TOKEN=hunter2 ok pawl run etl
	etl edited 2
	echo second >src.txt
	TOKEN=hunter3 ok pawl run etl
}

@test "a run and itself are the same" {
	two_runs
	ok pawl diff 1 1
	says "3 nodes are the same: "
}

@test "what differs is named with its old and its new value" {
	two_runs
	ok pawl diff 1 2
	says "run 1 of etl (completed) → run 2 of etl (completed)"
	says "the workflow file was edited in between"
	says "- # one"
	says "+ # edited"
	says 'key env/LEVEL  "1" → "2"'
	says "file src.txt  "
	says "- first"
	says "+ second"
	says "artifact out.txt"
	says "1 node is the same: lint"
}

@test "of one node everything is shown, also the text of its files" {
	two_runs
	ok pawl diff 1 2 parse
	says_not "fetch  completed"
	says "artifact out.txt"
	says "- first"
	says "+ second"
	ok pawl diff 1 2/lint
	says "the same key, files and output"
}

@test "secrets are not shown, neither as text nor as digests" {
	two_runs
	ok pawl diff 1 2
	says "key secrets/TOKEN  changed (secrets are not shown)"
	says_not hunter
	ok pawl diff 1 2 --json
	says '{"label":"secrets/TOKEN","then":"secret","now":"secret"}'
	says_not hunter
}

@test "it needs neither the workflow nor the files" {
	two_runs
	rm -r .pawl/workflows src.txt out.txt
	ok pawl diff 1 last
	says "- first"
}

@test "a node that failed, and one that is not there" {
	workflow grow <<-'YAML'
		name: grow
		nodes:
		  - id: a
		    bash: exit 3
	YAML
	exits 1 pawl run grow
	workflow grow <<-'YAML'
		name: grow
		nodes:
		  - id: a
		    bash: echo fine
		  - id: b
		    bash: echo new
	YAML
	ok pawl run grow
	ok pawl diff 1 2
	says "failed"
	says "exit 3"
	says "b  not there → completed"
}

@test "control sequences of outputs do not reach the terminal" {
	workflow esc <<-'YAML'
		name: esc
		nodes:
		  - id: a
		    reads: [src.txt]
		    bash: cat src.txt
	YAML
	printf '\033]0;title\007one\n' >src.txt
	ok pawl run esc
	printf '\033]0;title\007two\n' >src.txt
	ok pawl run esc
	ok pawl diff 1 2
	says "^[]0;title"
	says_not "$(printf '\033')"
}

@test "bytes that are not text are counted, not shown" {
	workflow bytes <<-'YAML'
		name: bytes
		nodes:
		  - id: a
		    reads: [src]
		    bash: cat src
	YAML
	printf 'a\000b' >src
	ok pawl run bytes
	printf 'a\000bcd' >src
	ok pawl run bytes
	ok pawl diff 1 2
	says "3 B and 5 B of bytes that are not text"
}

@test "wrong words" {
	two_runs
	exits 2 pawl diff 1
	says "which two runs?"
	exits 2 pawl diff 1 9
	says "E-RUN-UNKNOWN"
	exits 2 pawl diff 1 2 prse
	says "did you mean \`parse\`?"
}
