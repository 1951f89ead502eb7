# pawl schema: it accepts what lint accepts, and refuses what is misspelt.
load helpers

whole_language() {
	workflow child <<-'YAML'
		name: child
		nodes: [{id: one, bash: echo}]
	YAML
	workflow all <<-'YAML'
		name: all
		description: every field there is
		x-mine: {a: 1}
		inputs:
		  plain:
		  level: {type: number, default: 3, description: how loud}
		  flag: {type: boolean, required: false, default: true}
		returns: shown
		defaults: {timeout: 10m, retry: {max_attempts: 1, delay_ms: 5, backoff: 1.5, on_error: transient}, env: {A: 1}, shell: {options: -eu}}
		env: {B: text, C: 2, D: true}
		pass_env: [LANGUAGE]
		secrets: [TOKEN]
		pools: {gpu: 1}
		provider: somebody
		nodes:
		  - id: list
		    description: text
		    bash: echo '["a","b"]'
		    timeout: 30s
		    retry: {max_attempts: 2}
		    cache: {ttl: 24h, key: ["$INPUTS.level"]}
		    reads: [src.txt, 'docs/**/*.md']
		    writes: out.txt
		    tools: [sh]
		    env: {E: x}
		    pass_env: [F]
		    secrets: [G]
		    dir: sub
		    pool: gpu
		    output_type: names
		    output_format: {type: array, items: {type: string}}
		  - id: each
		    depends_on: list
		    script: print(1)
		    runtime: python
		    fan_out: {items: $list.output, as: name, max_parallel: 2, join: all_done}
		    cache: false
		  - id: shown
		    depends_on: [list]
		    when: $INPUTS.level > 1 && $list.state == 'completed'
		    trigger_rule: all_done
		    always_run: true
		    with: {level: $INPUTS.level, list: {from: $list.output, if_skipped: none}}
		    lua: return {a = 1}
		    ensure:
		      output: {json: true, not_empty: true}
		      run: "true"
		  - id: ask
		    depends_on: [shown]
		    approval: {message: go on?, decisions: [{id: ship, label: Ship it}, hold], capture_response: true, on_reject: fail}
		  - id: again
		    loop_group:
		      max_iterations: 3
		      until: DONE
		      nodes: [{id: step, bash: echo DONE}]
		  - id: inner
		    workflow: child
		  - id: part
		    include: child
		  - id: stop
		    depends_on: [ask]
		    when: $ask.output.decision == 'hold'
		    cancel: because
	YAML
}

@test "it is JSON, and a schema for those who know schemas" {
	pawl schema >schema.json
	python3 -c 'import json; s = json.load(open("schema.json")); assert s["definitions"]["node"]["properties"]["bash"]'
	if python3 -c 'import jsonschema' 2>/dev/null; then
		python3 -c 'import json, jsonschema; jsonschema.Draft7Validator.check_schema(json.load(open("schema.json")))'
	fi
}

@test "every field that lint accepts is accepted" {
	whole_language
	ok pawl lint all
	ok pawl schema --check .pawl/workflows/*.yaml
}

@test "every template is accepted" {
	local name
	for name in hello etl release ci agent; do
		ok pawl init $name
	done
	ok pawl lint
	ok pawl schema --check .pawl/workflows/*.yaml
}

@test "what is misspelt is refused, as lint refuses it" {
	local line
	for line in 'always_rum: true' 'depend_on: [a]' 'timeout: soon' 'retry: 3' 'reads: {a: b}' 'trigger_rule: some' 'bsh: echo' \
		'env: [A]' 'cache: {tll: 1h}' 'script: x'; do
		printf 'name: bad\nnodes:\n  - id: a\n    bash: echo\n    %s\n' "$line" >.pawl/workflows/bad.yaml
		exits 2 pawl lint bad
		exits 2 pawl schema --check .pawl/workflows/bad.yaml
		says E-SCHEMA-MISMATCH
	done
	for line in 'nods: []' 'pools: {a: 0}' 'inputs: {a: {typ: string}}' 'defaults: {tmeout: 1s}'; do
		printf 'name: bad\n%s\nnodes: [{id: a, bash: echo}]\n' "$line" >.pawl/workflows/bad.yaml
		exits 2 pawl lint bad
		exits 2 pawl schema --check .pawl/workflows/bad.yaml
	done
}

@test "files only with --check" {
	exits 2 pawl schema a.yaml
	says "with --check only"
	exits 2 pawl schema --check
	says "check which files?"
	exits 4 pawl schema --check gone.yaml || exits 2 pawl schema --check gone.yaml
	says "gone.yaml"
}

@test "a corpus: the schema accepts what lint accepts, and refuses what has not its shape" {
	local number=0 verdict kind text name path linted checked got
	printf 'name: child\ninputs: {a: {}}\nnodes: [{id: c, bash: echo}]\n' | workflow child
	echo 'return {api = 1}' | tee a.lua >b.lua
	while read -r verdict kind text; do
		[ "$verdict" != '#' ] || continue
		number=$((number + 1))
		name=$(printf 'c%03d' "$number")
		{
			printf 'name: %s\nnodes:\n  - {id: z, bash: echo}\n' "$name"
			case $kind$text in
			n*) printf '  - %s\n' "$text" ;;
			*depends_on*) printf '  - id: a\n    bash: echo\n    %s\n' "$text" ;;
			*) printf '  - id: a\n    bash: echo\n    depends_on: [z]\n    %s\n' "$text" ;;
			esac
		} | workflow "$name"
		echo "$name $verdict $text" >>wanted
	done <"$BATS_TEST_DIRNAME/../data/language/corpus.txt"
	test "$number" -gt 100
	linted=$(pawl lint 2>/dev/null || true)
	checked=$(pawl schema --check .pawl/workflows/*.yaml 2>/dev/null || true)
	while read -r name verdict text; do
		path=.pawl/workflows/$name.yaml
		got=no
		! grep -q "^ok  $path\$" <<<"$checked" || got=lint
		! grep -q "^ok  $name " <<<"$linted" || got=$([ $got = lint ] && echo ok || echo 'lint only')
		[ "$got" = "$verdict" ] || echo "$text: $got, not $verdict"
	done <wanted >differences
	equal "$(cat differences)" ''
}
