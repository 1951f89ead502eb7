#!/usr/bin/env bats
# Inputs, conditions, structured output, and what stands at the top of a file.
load helpers

# ---- inputs ----

typed() {
	workflow typed <<'YAML'
name: typed
inputs:
  who: {required: true, description: whom to greet}
  count: {type: number, default: 3}
  loud: {type: boolean, default: false}
  more: {type: json, default: {a: [1]}}
  plain: {default: 7}
nodes:
  - id: js
    runtime: node
    script: |
      const all = [$INPUTS.who, $INPUTS.count, $INPUTS.loud, $INPUTS.more, $INPUTS.plain];
      console.log(all.map((v) => typeof v + ":" + JSON.stringify(v)).join(" "));
  - id: py
    runtime: python
    script: |
      print(repr($INPUTS.who), repr($INPUTS.count), repr($INPUTS.loud), repr($INPUTS.more))
  - id: sh
    bash: echo "$INPUTS.who|$INPUTS.count|$INPUTS.loud|$INPUTS.more"
YAML
}

@test "inputs: typed values reach bodies typed; text that looks like a number stays text" {
	typed
	ok pawl run typed -i who=5
	equal "$(pawl output last/js)" 'string:"5" number:3 boolean:false object:{"a":[1]} number:7'
	equal "$(pawl output last/py)" "'5' 3 False {'a': [1]}"
	equal "$(pawl output last/sh)" '5|3|false|{"a":[1]}'
	ok pawl run typed -i who=true -i loud=true -i 'more=["x"]' -i count=2
	equal "$(pawl output last/py)" "'true' 2 True ['x']"
}

@test "inputs: integers beyond 2^53 and trailing zeros keep their text" {
	typed
	ok pawl run typed -i who=x -i count=9007199254740993
	equal "$(pawl output last/sh)" 'x|9007199254740993|false|{"a":[1]}'
	equal "$(pawl output last/py)" "'x' 9007199254740993 False {'a': [1]}"
	ok pawl run typed -i who=x -i count=1.50
	equal "$(pawl output last/sh)" 'x|1.50|false|{"a":[1]}'
	workflow pass <<'YAML'
name: pass
nodes:
  - id: make
    bash: echo '{"id":9007199254740993,"price":1.50,"e":1e400}'
  - id: pick
    depends_on: [make]
    bash: echo "$make.output.id $make.output.price $make.output.e"
  - id: give
    depends_on: [make]
    with: {id: $make.output.id, price: $make.output.price}
    bash: echo "$INPUTS_ID $INPUTS_PRICE"
YAML
	ok pawl run pass
	equal "$(pawl output last/pick)" '9007199254740993 1.50 1e400'
	equal "$(pawl output last/give)" '9007199254740993 1.50'
}

@test "inputs: everything that is wrong with them is told at once" {
	typed
	exits 2 pawl run typed -i cuont=3 -i count=many -i loud=yes -i more='{'
	says 'no input `cuont`'
	says 'did you mean `count`?'
	says 'input `count` is a string, not a number'
	says 'input `loud` is a string, not a boolean'
	says 'input `more` is not JSON'
	says 'input `who` is required'
	exits 2 pawl run typed -i who
	says '-i who has no value'
	ok pawl list
	test ! -e .pawl/state || exits 2 pawl show last
}

@test "inputs: from a file; the command line wins; the resume keeps them" {
	typed
	echo '{"who": "Ann", "count": 12345678901234567890}' >in.json
	ok pawl run typed --input-file in.json -i count=4
	equal "$(pawl output last/sh)" 'Ann|4|false|{"a":[1]}'
	echo '["who"]' >in.json
	exits 2 pawl run typed --input-file in.json
	says 'in.json'
	says 'not an object'
	echo '{"who": 5}' >in.json
	exits 2 pawl run typed --input-file in.json
	says 'input `who` is a number, not a string'
	exits 2 pawl run typed --input-file none.json
	says 'none.json'
}

@test "inputs: a default of another type, an unknown type, an unknown field: errors of the file" {
	workflow bad <<'YAML'
name: bad
inputs:
  a: {type: number, default: many}
  b: {type: integer}
  c: {requried: true}
nodes: [{id: x, bash: echo}]
YAML
	exits 2 pawl lint bad
	says 'the default of input `a` is a string, not a number'
	says 'bad.yaml:3:'
	says 'no input type `integer`'
	says 'no field `requried`'
}

@test "inputs: \$ARGUMENTS is what follows --, byte for byte" {
	workflow args <<'YAML'
name: args
nodes:
  - id: a
    bash: printf '<%s>' "$ARGUMENTS"
  - id: b
    bash: echo "$USER_MESSAGE"
YAML
	ok pawl run args -- 'two  words' '$(x) "q"'
	equal "$(pawl output last/a)" '<two  words $(x) "q">'
}

@test "with: values by name; a default where what they come from was skipped" {
	workflow with <<'YAML'
name: with
nodes:
  - id: no
    when: "'a' == 'b'"
    bash: echo no
  - id: yes
    bash: echo '{"f":[1,2]}'
  - id: use
    depends_on: [no, yes]
    trigger_rule: all_done
    with:
      plain: text
      skipped: {from: $no.output, if_skipped: none}
      made: {from: $yes.output.f, if_skipped: none}
    bash: echo "$INPUTS_PLAIN|$INPUTS_SKIPPED|$INPUTS_MADE"
YAML
	run pawl lint with
	sed -i "s/when: .*/when: \"\$INPUTS.go == 'b'\"/; s/^name: with/&\\ninputs: {go: {default: a}}/" .pawl/workflows/with.yaml
	ok pawl run with
	equal "$(pawl output last/use)" 'text|none|[1,2]'
}

# ---- when ----

@test "when: a comparison that is no comparison fails the node and shows both values" {
	workflow cond <<'YAML'
name: cond
nodes:
  - id: n
    bash: echo '{"n":"many","m":7}'
  - id: cmp
    depends_on: [n]
    when: $n.output.n > 3
    bash: echo never
  - id: fine
    depends_on: [n]
    when: $n.output.m >= 7 && $n.output.n == 'many' || $n.output.m < 0
    bash: echo fine
  - id: absent
    depends_on: [n]
    when: $n.output.nothing == ''
    bash: echo never
YAML
	exits 1 pawl run cond
	says 'many'
	says '3'
	states | grep 'cmp=failed'
	states | grep 'fine=completed'
	states | grep 'absent=failed'
	says 'there is no such field; the output is'
}

@test "when: what a skipped condition saw is told; states can be asked for" {
	workflow cond <<'YAML'
name: cond
nodes:
  - id: a
    bash: exit 3
  - id: b
    depends_on: [a]
    trigger_rule: all_done
    when: $a.state == 'failed'
    bash: echo handled
  - id: c
    depends_on: [a]
    trigger_rule: all_done
    when: $a.state == 'completed'
    bash: echo never
YAML
	exits 1 pawl run cond
	states | grep 'b=completed'
	states | grep 'c=skipped'
	says "failed"
}

@test "when: malformed ones are errors of the file, all at once" {
	workflow cond <<'YAML'
name: cond
nodes:
  - id: a
    bash: echo
  - id: b
    depends_on: [a]
    when: ($a.output == 'x')
    bash: echo
  - id: c
    depends_on: [a]
    when: $a.output = 'x'
    bash: echo
  - id: d
    when: $a.output == 'x'
    bash: echo
YAML
	exits 2 pawl lint cond
	says 'cond.yaml:7:'
	says 'cond.yaml:11:'
	says 'cond.yaml:14:'
}

# ---- structured output ----

@test "output: nested fields, lists by number, optional fields, one fence taken off" {
	workflow out <<'YAML'
name: out
nodes:
  - id: json
    bash: |
      echo '```json'
      echo '{"a": {"b": [{"c": "deep"}]}, "n": 1}'
      echo '```'
    output_format:
      type: object
      properties:
        a: {type: object}
        n: {type: number}
        note: {type: string}
      required: [a, n]
  - id: use
    depends_on: [json]
    bash: echo "$json.output.a.b.0.c [$json.output.note] $json.output.a.b"
  - id: js
    depends_on: [json]
    runtime: node
    script: console.log($json.output.a.b[0].c)
  - id: items
    bash: printf '```\n[1,2]\n```\n'
  - id: each
    depends_on: [items]
    fan_out: {items: $items.output}
    bash: echo "$INPUTS.item"
YAML
	ok pawl run out
	equal "$(pawl output last/use)" 'deep [] [{"c":"deep"}]'
	equal "$(pawl output last/js)" 'deep'
	equal "$(pawl output last/each)" '[1,2]'
	equal "$(pawl output last/json | head -1)" '```json'
}

@test "output: what was found and where, when it is not as declared" {
	workflow out <<'YAML'
name: out
nodes:
  - id: text
    bash: 'echo "Sure! Here is the JSON: {}"'
    ensure: {output: {json: true}}
  - id: shape
    bash: echo '{"a":{"n":"x"}}'
    output_format: {type: object, properties: {a: {type: object, properties: {n: {type: number}}}}}
  - id: plain
    bash: echo hello
  - id: field
    depends_on: [plain]
    bash: echo "$plain.output.x"
  - id: two
    bash: printf '```json\n{}\n```\n```json\n{}\n```\n'
    ensure: {output: {json: true}}
YAML
	exits 1 pawl run out
	says 'Sure! Here is the JSON'
	says 'is not JSON'
	says 'a.n'
	says '$plain.output.x: the output of `plain` is not JSON'
	says 'hello'
	states | grep 'two=failed'
}

# ---- the top of a file ----

@test "pools bound their nodes, and only those" {
	workflow pools <<'YAML'
name: pools
pools: {gpu: 1}
nodes:
  - {id: a, pool: gpu, bash: 'echo +a >>log; sleep 0.1; echo -a >>log'}
  - {id: b, pool: gpu, bash: 'echo +b >>log; sleep 0.1; echo -b >>log'}
  - {id: c, pool: gpu, bash: 'echo +c >>log; sleep 0.1; echo -c >>log'}
YAML
	ok pawl run pools -j 8
	tr '\n' ' ' <log | grep -E '^\+(.) -\1 \+(.) -\2 \+(.) -\3 $'
	sed -i 's/pool: gpu, bash: .echo +c/pool: gup, bash: '"'"'echo +c/' .pawl/workflows/pools.yaml
	exits 2 pawl lint pools
	says 'there is no pool `gup`'
}

@test "defaults and shell reach every node that does not say otherwise" {
	workflow defaults <<'YAML'
name: defaults
defaults:
  timeout: 300ms
  env: {WHO: default, KEEP: kept}
nodes:
  - id: a
    env: {WHO: own}
    bash: echo "$WHO $KEEP"
  - id: slow
    bash: sleep 20
  - id: patient
    timeout: 10s
    bash: sleep 0.5; echo done
YAML
	exits 1 pawl run defaults
	equal "$(pawl output last/a)" 'own kept'
	states | grep 'slow=failed'
	states | grep 'patient=completed'
	says '300 ms'
}

@test "x- keys are the author's; others of Archon's get one warning; the rest is refused with a suggestion" {
	workflow keys <<'YAML'
name: keys
x-mine: {any: thing}
provider: claude
model: big
tags: [a]
nodes:
  - id: a
    x-note: mine
    model: small
    bash: echo hi
YAML
	ok pawl run keys
	equal "$(grep -c '^warning' <<<"$output")" 1
	says_not 'x-mine'
	sed -i 's/^    x-note.*/    alway_run: true/; s/^tags.*/retruns: a/' .pawl/workflows/keys.yaml
	exits 2 pawl lint keys
	says 'did you mean `always_run`?'
	says 'did you mean `returns`?'
}

@test "a node that is never reused says why in the words of its file" {
	workflow never <<'YAML'
name: never
nodes:
  - {id: a, bash: echo a, reads: [], always_run: true}
  - {id: b, bash: echo b, reads: [], cache: false}
  - {id: c, bash: echo c, reads: [], cache: true, always_run: false}
YAML
	ok pawl run never
	ok pawl run never
	says 'it says `always_run: true`'
	says 'it says `cache: false`'
	equal "$(reason a) $(reason b) $(reason c)" 'always_run always_run reuse'
}

@test "inputs: fields of those that are JSON, and of items, in braces; text behind them without" {
	workflow fields <<'YAML'
name: fields
inputs:
  cfg: {type: json, default: {mode: fast, n: 9007199254740993, price: 1.50, list: [a, {b: "c d"}]}}
  file: {default: notes}
nodes:
  - id: list
    bash: echo '[{"n":1,"s":"x y"},{"n":2.50,"s":"$(touch hacked)"}]'
  - id: each
    depends_on: list
    fan_out: {items: $list.output, as: it}
    with: {s: "<${INPUTS.it.s}>", n: "${INPUTS.it.n}"}
    bash: echo "${INPUTS.it.n}:${INPUTS.it.s}:$INPUTS_S:$INPUTS_N"
  - id: inner
    fan_out: {items: "${INPUTS.cfg.list}"}
    bash: echo "$INPUTS.item"
  - {id: yes, when: $INPUTS.cfg.mode == 'fast' && $INPUTS.cfg.n > 9007199254740992, bash: 'echo "$INPUTS.file.txt ${INPUTS.cfg.n} ${INPUTS.cfg.price} ${INPUTS.cfg.list.1.b}"'}
  - {id: no, when: "${INPUTS.cfg.mode} == 'slow'", bash: echo no}
  - {id: py, runtime: python, script: 'print(${INPUTS.cfg.n} + 1, f"${INPUTS.cfg.list.1.b}")'}
YAML
	ok pawl run fields
	equal "$(pawl output last/each)" '["1:x y:<x y>:1","2.50:$(touch hacked):<$(touch hacked)>:2.50"]'
	equal "$(pawl output last/inner)" '["a",{"b":"c d"}]'
	equal "$(pawl output last/yes)" 'notes.txt 9007199254740993 1.50 c d'
	equal "$(pawl output last/py)" '9007199254740994 c d'
	states | grep 'no=skipped'
	[ ! -e hacked ]
	sed -i 's/cfg.price/cfg.prize/' .pawl/workflows/fields.yaml
	exits 1 pawl run fields
	says '${INPUTS.cfg.prize}: there is no such field; the input is'
	says 'E-REF-FIELD'
	ok pawl run fields -i 'cfg={"mode":"fast","n":9007199254740999,"prize":[1.0],"list":[0,{"b":1}]}'
	equal "$(pawl output last/yes)" 'notes.txt 9007199254740999 [1.0] 1'
}

@test "shell at the top of a file is what its nodes have; theirs wins, and an included file has its own" {
	workflow part <<'YAML'
name: part
nodes: [{id: p, bash: 'false; echo part'}]
YAML
	workflow main <<'YAML'
name: main
shell: {options: "-u"}
nodes:
  - {id: soft, bash: 'false; echo soft'}
  - {id: hard, bash: 'false; echo hard', shell: {options: "-e"}}
  - {id: inc, include: part}
YAML
	exits 1 pawl run main
	equal "$(pawl output last/soft)" 'soft'
	states | grep 'hard=failed'
	states | grep 'inc__p=failed'
	ok pawl schema --check .pawl/workflows/main.yaml
	sed -i 's/"-u"/["-u"]/' .pawl/workflows/main.yaml
	exits 2 pawl lint main
	says 'write `shell: {options: -eu}`'
	exits 2 pawl schema --check .pawl/workflows/main.yaml
}
