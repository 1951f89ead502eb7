#!/usr/bin/env bats
# include: what the top of an included file says, and what holds at the boundary.
load helpers

part() {
	workflow part <<'YAML'
name: part
inputs: {word: {default: none}}
pools: {one: 1, three: 3}
policy: [part.lua]
env: {WHERE: part}
defaults: {env: {MORE: from-part}, timeout: 20s}
nodes:
  - id: a
    pool: one
    bash: echo "+a" >>ran.log; sleep 0.1; echo "-a" >>ran.log; echo "$WHERE $MORE $INPUTS.word"
  - id: b
    pool: one
    bash: echo "+b" >>ran.log; sleep 0.1; echo "-b" >>ran.log; echo "$WHERE ${MORE-}"
  - id: clean
    depends_on: [a, b]
    trigger_rule: all_done
    bash: echo clean >>ran.log
YAML
	echo 'return {api = 1, key = function(node) return "part:" .. node.id end}' >part.lua
}

@test "an included file brings its pools, and they do not disturb those of the outer file" {
	part
	workflow main <<'YAML'
name: main
pools: {two: 2, one: 5, four: 4}
nodes:
  - {id: x, pool: four, bash: echo x}
  - {id: p, include: part}
  - {id: q, include: part}
  - {id: y, pool: two, bash: echo y}
  - {id: z, pool: oen, bash: echo z}
YAML
	exits 2 pawl lint main
	says 'there is no pool `oen`'
	says 'did you mean `one`?'
	sed -i /oen/d .pawl/workflows/main.yaml
	ok pawl run main -j 9
	# All four of the pool, one after the other.
	equal "$(grep -v clean ran.log | tr -d 'ab\n')" '+-+-+-+-'
}

@test "an included file's policies, environment and defaults are its nodes' only" {
	part
	workflow main <<'YAML'
name: main
env: {WHERE: main}
policy: [main.lua]
nodes:
  - {id: p, include: part}
  - id: own
    bash: echo "$WHERE ${MORE-unset}"
YAML
	echo 'return {api = 1, key = function(node) return "main:" .. node.id end}' >main.lua
	ok pawl run main
	equal "$(pawl output last/p__a)" 'part from-part none'
	equal "$(pawl output last/own)" 'main unset'
	ok pawl why p__a --json
	says 'part:p__a'
	says 'main:p__a'
	ok pawl why own --json
	says 'main:own'
	says_not 'part:'
}

@test "an include whose condition is false is skipped as a whole, also what always runs in it" {
	part
	workflow nest <<'YAML'
name: nest
nodes:
  - {id: first, bash: echo first >>ran.log}
  - {id: in, include: part, depends_on: first, trigger_rule: all_done}
YAML
	workflow main <<'YAML'
name: main
nodes:
  - {id: say, bash: echo no}
  - {id: p, include: part, depends_on: say, when: $say.output == 'yes'}
  - {id: n, include: nest, depends_on: say, when: $say.output == 'yes'}
  - {id: end, depends_on: [p, n], trigger_rule: all_done, bash: echo end >>ran.log}
YAML
	ok pawl run main
	equal "$(cat ran.log)" 'end'
	ok pawl show last
	says 'skipped    n__in__clean'
	says "it is 'no'"
}

@test "what an include waits for fails: its entries are skipped, its all_done nodes clean up" {
	part
	workflow main <<'YAML'
name: main
nodes:
  - {id: bad, bash: exit 3}
  - {id: p, include: part, depends_on: bad, when: $bad.output == 'yes'}
YAML
	exits 1 pawl run main
	equal "$(states)" 'bad=failed p__a=skipped p__b=skipped p__clean=completed'
}

@test "a condition of an include is looked at once, and told with its place" {
	part
	workflow main <<'YAML'
name: main
nodes:
  - {id: say, bash: echo no}
  - {id: p, include: part, depends_on: say, when: $say.output = 'yes'}
YAML
	exits 2 pawl lint main
	says 'main.yaml:4'
	equal "$(grep -c '^error' <<<"$output")" 1
}

@test "what an include gives is used, and nothing says what that is: an error of the file" {
	printf 'name: two\nnodes: [{id: a, bash: echo a}, {id: b, bash: echo b}]\n' | workflow two
	workflow main <<'YAML'
name: main
nodes:
  - {id: inc, include: two}
  - {id: use, depends_on: inc, bash: 'echo "[$inc.output]"'}
YAML
	exits 2 pawl lint main
	says 'E-REF-RETURNS'
	says 'returns: NODE'
	sed -i 's/\$inc.output/$inc__b.output/' .pawl/workflows/main.yaml
	ok pawl run main
	equal "$(pawl output last/use)" '[b]'
	sed -i 's/^nodes/returns: a\n&/' .pawl/workflows/two.yaml
	sed -i 's/inc__b/inc/' .pawl/workflows/main.yaml
	ok pawl run main
	equal "$(pawl output last/use)" '[a]'
}

@test "a literal of another type than the input's is an error of the file, a reference is not" {
	printf 'name: typed\ninputs: {n: {type: number}, b: {type: boolean}}\nnodes: [{id: a, bash: "echo $INPUTS.n"}]\n' | workflow typed
	workflow main <<'YAML'
name: main
nodes:
  - {id: five, bash: echo 5}
  - {id: good, include: typed, depends_on: five, with: {n: $five.output, b: "true"}}
  - {id: bad, include: typed, with: {n: many, b: 3}}
YAML
	exits 2 pawl lint main
	equal "$(grep -c '^error' <<<"$output")" 2
	says 'input `n` is a string, not a number'
	says 'main.yaml:5'
	sed -i /bad/d .pawl/workflows/main.yaml
	ok pawl run main
	equal "$(pawl output last/good__a)" '5'
}

@test "an include that can't be read is one mistake, whoever waits for it" {
	workflow main <<'YAML'
name: main
nodes:
  - {id: inc, include: nowhere}
  - {id: use, depends_on: inc, when: $inc.output == 'x', with: {a: $inc.output}, bash: 'echo "$inc.output"'}
YAML
	exits 2 pawl lint main
	equal "$(grep -c '^error' <<<"$output")" 1
	says 'there is no workflow `nowhere`'
}
