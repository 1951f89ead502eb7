# pawl lint --fix: the edits that lint shows for references, applied.
load helpers

odd() {
	workflow odd <<-'YAML'
		name: odd
		nodes:
		  - id: n
		    bash: printf 'a "b" $(touch pwned) c'
		  - id: quoted # ümläut before
		    depends_on: [n]
		    bash: |
		      : "ü"; printf '%s' '$n.output'
		  - id: back
		    depends_on: [n]
		    bash: |
		      x=`printf %s $n.output`
		      printf %s "$x"
		  - id: text
		    depends_on: [n]
		    script: import sys; sys.stdout.write("$n.output")
		    runtime: python
	YAML
}

@test "what lint refuses and can mend is mended, and means the value exactly" {
	odd
	exits 2 pawl lint odd
	says "E-REF-QUOTED"
	ok pawl lint --fix odd
	says "mended 3 references"
	says "ok  odd"
	ok pawl run odd
	local node
	for node in quoted back text; do
		equal "$(pawl output "last/$node")" 'a "b" $(touch pwned) c'
	done
	[ ! -e pwned ]
}

@test "nothing else of the file changes, nor its permissions" {
	odd
	chmod 640 .pawl/workflows/odd.yaml
	cp .pawl/workflows/odd.yaml before
	ok pawl lint --fix odd
	equal "$(diff before .pawl/workflows/odd.yaml | grep -c '^<')" 3
	equal "$(stat -c %a .pawl/workflows/odd.yaml)" 640
	cp .pawl/workflows/odd.yaml after
	ok pawl lint --fix odd
	says_not mended
	ok cmp after .pawl/workflows/odd.yaml
}

@test "-n only shows" {
	odd
	cp .pawl/workflows/odd.yaml before
	exits 2 pawl lint --fix -n odd
	says "would mend 3 references"
	says "+       x=\$(printf %s \$n.output)"
	ok cmp before .pawl/workflows/odd.yaml
}

@test "through a symbolic link the file is mended, and the link stays" {
	odd
	mv .pawl/workflows/odd.yaml real.yaml
	ln -s ../../real.yaml .pawl/workflows/odd.yaml
	ok pawl lint --fix odd
	[ -L .pawl/workflows/odd.yaml ]
	ok grep -q 'x=\$(printf' real.yaml
}

@test "in quotes of YAML, too, and in files with includes" {
	printf 'name: part\nnodes: [{id: x, bash: echo x}]\n' | workflow part
	workflow quoted <<-'YAML'
		name: quoted
		nodes:
		  - {id: inc, include: part}
		  - {id: n, bash: "echo 'a  \"b\"'"}
		  - id: a
		    depends_on: [n]
		    bash: "printf '%s\n' 'it is: $n.output'"
		  - id: b
		    depends_on: [n]
		    bash: 'printf ''%s\n'' ''$n.output'''
	YAML
	exits 2 pawl lint quoted
	ok pawl lint --fix quoted
	says 'mended 2 references'
	ok pawl run quoted
	equal "$(pawl output last/a)" 'it is: a  "b"'
	equal "$(pawl output last/b)" 'a  "b"'
}

@test "where the meaning is in doubt nothing is touched" {
	workflow doubt <<-'YAML'
		name: doubt
		nodes:
		  - {id: n, bash: echo 1}
		  - id: b
		    depends_on: [n]
		    bash: $n.output --help
	YAML
	cp .pawl/workflows/doubt.yaml before
	exits 2 pawl lint --fix doubt
	says "E-REF-COMMAND"
	ok cmp before .pawl/workflows/doubt.yaml
}

@test "a file that is no workflow is only reported" {
	echo "name: [" >.pawl/workflows/bad.yaml
	exits 2 pawl lint --fix
	says "E-YAML"
	equal "$(cat .pawl/workflows/bad.yaml)" "name: ["
}

@test "--json" {
	odd
	ok pawl lint --fix --json odd
	says '"object":"mended","file":'
	says '"references":3,"dry_run":false}'
}
