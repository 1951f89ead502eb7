#!/usr/bin/env bats
# -f, --from and --until on nodes that hold others: with them goes what they hold.
load helpers

setup() {
	pawl_setup
	workflow child <<'YAML'
name: child
nodes: [{id: c, bash: 'echo c; echo c >>ran.log', reads: []}]
YAML
	sed 's/child/deep/; s/echo c >>/echo d >>/' .pawl/workflows/child.yaml | workflow deep
	workflow all <<'YAML'
name: all
nodes:
  - {id: a, bash: 'echo a >>ran.log; echo a', reads: []}
  - id: loop
    depends_on: a
    loop_group: {max_iterations: 2, until: x, nodes: [{id: m, bash: 'echo x; echo m >>ran.log', reads: []}]}
  - {id: each, depends_on: a, fan_out: {items: [1, 2]}, bash: 'echo e$INPUTS.item >>ran.log', reads: []}
  - {id: sub, depends_on: a, workflow: child}
  - {id: inc, depends_on: a, include: deep}
  - {id: z, depends_on: [loop, each, sub, inc], bash: 'echo z $loop.output; echo z >>ran.log', reads: []}
YAML
	ok pawl run all
	equal "$(ran)" 'a c d e1 e2 m z'
}

ran() {
	[ -e ran.log ] && sort ran.log | tr '\n' ' ' | sed 's/ $//'
	rm -f ran.log
}

@test "-f runs again what the node holds, and nothing else" {
	local pair
	for pair in loop=m loop__m=m 'each=e1 e2' sub=c inc=d inc__c=d z=z; do
		ok pawl run all -f "${pair%%=*}"
		equal "$(ran)" "${pair#*=}"
	done
	exits 2 pawl run all -f in
	says 'E-NODE-UNKNOWN'
}

@test "--force-all forces runs within the run, too" {
	ok pawl run all --force-all
	equal "$(ran)" 'a c d e1 e2 m z'
}

@test "--from and --until take loops, items, runs and includes whole, as they are stored where they are not selected" {
	local name
	for name in loop loop__m each sub inc z; do
		ok pawl run all --from "$name"
		equal "$(ran)" ''
		ok pawl run all --until "$name" -f "$name"
		says 'not selected' || [ "$name" = z ]
		ran
	done
	ok pawl run all --from z -f loop
	equal "$(ran)" 'm'
}

@test "what a run within the run would have to do although it is not selected is refused" {
	sed -i 's/echo c;/echo C;/' .pawl/workflows/child.yaml
	exits 1 pawl run all --from z
	says 'E-REUSE-ONLY' || says 'forbids it'
	equal "$(ran)" ''
	ok pawl run all --from sub
	equal "$(ran)" 'c z'
}
