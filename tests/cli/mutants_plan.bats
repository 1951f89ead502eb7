#!/usr/bin/env bats
# A plan knows what files would be: what is put back, replaced, taken away, in turn.
load helpers

# agrees NODE=STATE...: the plan says it, and the run does it.
agrees() {
	local want
	ok pawl plan w
	for want in "$@"; do
		says "${want#*=}"
	done
	[[ $output == *'nothing to run'* || $output == *'0 of '* ]] || { echo "$output"; return 1; }
	ok pawl run w
	says '0 ran'
}

@test "a file that two nodes change in turn" {
	workflow w <<-'YAML'
		name: w
		nodes:
		  - {id: a, reads: [], writes: [t], bash: echo 1 >t}
		  - {id: b, depends_on: a, reads: [], bash: sed -i s/1/2/ t*}
		  - {id: x, depends_on: b, reads: [], bash: chmod +x t*}
		  - {id: c, depends_on: x, reads: [t], bash: ls -l t}
	YAML
	ok pawl run w
	agrees 'reuse  c'
	rm t
	agrees 'reuse  c'
	chmod -x t
	agrees 'reuse  c'
	equal "$(stat -c %a t)$(cat t)" 7552
}

@test "a file that the second one leaves with other content and the same permissions" {
	workflow w <<-'YAML'
		name: w
		nodes:
		  - {id: a, reads: [], writes: [t], bash: echo 1 >t}
		  - {id: b, depends_on: a, reads: [], bash: sed -i s/1/2/ t*}
		  - {id: c, depends_on: b, reads: [t], bash: cat t}
	YAML
	ok pawl run w
	rm t
	agrees 'reuse  c'
	equal "$(cat t)" 2
}

@test "a file that one makes and the next takes away" {
	workflow w <<-'YAML'
		name: w
		nodes:
		  - {id: a, reads: [], writes: [d/t], bash: 'mkdir -p d; echo 1 >d/t'}
		  - {id: b, depends_on: a, reads: [], bash: rm d/t*}
		  - {id: c, depends_on: b, reads: [d], bash: ls d}
	YAML
	mkdir d
	echo >d/mine
	ok pawl run w
	agrees 'reuse  c'
}

@test "a file that is there and will not be" {
	workflow w <<-'YAML'
		name: w
		nodes:
		  - {id: a, reads: [v], writes: [d], bash: 'mkdir -p d; [ $(cat v) = 1 ] || echo x >d/x; echo y >d/y'}
		  - {id: c, depends_on: a, reads: [d/x], bash: '[ ! -e d/x ] || cat d/x; cat v'}
	YAML
	echo 1 >v
	ok pawl run w
	echo 2 >v
	ok pawl run w
	echo 1 >v
	agrees 'reuse  c'
	equal "$(ls d)" y
	echo 2 >v
	agrees 'reuse  c'
}

@test "what is too much, what is missing, and directories" {
	workflow w <<-'YAML'
		name: w
		nodes:
		  - {id: a, reads: [v], writes: [d], bash: 'mkdir -p "d/sub$(cat v)" d/e; echo "$(cat v)" >"d/f$(cat v)"; echo x >d/same'}
		  - {id: c, depends_on: a, reads: [d], bash: 'ls d; cat d/same'}
	YAML
	echo 1 >v
	ok pawl run w
	echo 2 >v
	ok pawl run w
	echo 1 >v
	agrees 'reuse  c'
	echo 2 >v
	rm -r d
	agrees 'reuse  c'
	echo y >d/same
	agrees 'reuse  c'
}
