# pawl graph: drawings of a workflow.
load helpers

wide() {
	workflow wide <<-'YAML'
		name: wide
		nodes:
		  - {id: a, bash: echo}
		  - {id: b, bash: echo, depends_on: [a]}
		  - {id: c, bash: echo, depends_on: [a]}
		  - {id: d, bash: echo, depends_on: [a]}
		  - {id: e, bash: echo, depends_on: [b, d]}
		  - {id: f, bash: echo, depends_on: [c]}
		  - {id: g, bash: echo, depends_on: [e, f, a]}
		  - {id: h, bash: exit 1, depends_on: [b, f], trigger_rule: all_done}
	YAML
}

@test "a chain and a diamond" {
	workflow diamond <<-'YAML'
		name: diamond
		nodes:
		  - {id: top, bash: echo}
		  - {id: left, bash: echo, depends_on: [top]}
		  - {id: right, bash: echo, depends_on: [top]}
		  - {id: bottom, bash: echo, depends_on: [left, right]}
	YAML
	ok pawl graph diamond
	equal "$output" "$(
		cat <<-'EOT'
			●    top     bash
			├─╮
			● │  left    bash
			│ ●  right   bash
			├─╯
			●    bottom  bash
		EOT
	)"
}

@test "lanes that are crossed stay whole; edges to one node share a lane" {
	wide
	ok pawl graph wide
	equal "$output" "$(
		cat <<-'EOT'
			●          a  bash
			├─╮
			├─│─╮
			├─│─│─╮
			● │ │ │    b  bash
			├─│─│─│─╮
			│ ● │ │ │  c  bash
			│ │ ● │ │  d  bash
			├─│─╯ │ │
			│ ●   │ │  f  bash
			│ ├───┤ │
			│ ╰───│─┤
			●     │ │  e  bash
			╰─────┤ │
			      │ ●  h  bash  all_done
			      ●    g  bash
		EOT
	)"
}

@test "--run shows how each node ended" {
	wide
	exits 1 pawl run wide
	ok pawl graph wide --run 1
	says "a  bash  completed"
	says "h  bash  failed"
	exits 2 pawl graph wide --run 4
	says "E-RUN-UNKNOWN"
}

@test "--run of another workflow is refused" {
	wide
	exits 1 pawl run wide
	workflow other <<-'YAML'
		name: other
		nodes: [{id: a, bash: echo}]
	YAML
	exits 2 pawl graph other --run 1
	says "run 1 is one of wide, not of other"
}

@test "--dot, --mermaid and --json have every node and every edge" {
	wide
	ok pawl graph wide --dot
	equal "$(printf '%s\n' "$output" | grep -c -- '->')" 11
	equal "$(printf '%s\n' "$output" | grep -c 'label=')" 8
	ok pawl graph wide --mermaid
	equal "$(printf '%s\n' "$output" | grep -c -- '-->')" 11
	ok pawl graph wide --json
	equal "$(printf '%s\n' "$output" | python3 -c 'import json,sys
rows = [json.loads(line) for line in sys.stdin]
print(len(rows), sum(len(r["depends_on"]) for r in rows))')" "8 11"
	exits 2 pawl graph wide --dot --mermaid
	says "one of --dot, --mermaid and --json"
}

@test "what is too wide for a drawing is a list" {
	{
		echo "name: fan"
		echo "nodes:"
		echo "  - {id: top, bash: echo}"
		for i in $(seq 100); do echo "  - {id: n$i, bash: echo, depends_on: [top]}"; done
	} >.pawl/workflows/fan.yaml
	ok pawl graph fan
	says "n100  bash  after top"
	equal "$(printf '%s\n' "$output" | wc -l)" 101
}

@test "a node in a when shows it; unknown workflows are suggested" {
	workflow cond <<-'YAML'
		name: cond
		nodes:
		  - {id: a, bash: echo yes}
		  - {id: b, bash: echo, depends_on: [a], when: "$a.output == 'yes'"}
	YAML
	ok pawl graph cond
	says "when \$a.output == 'yes'"
	exits 2 pawl graph cnd
	says "did you mean \`cond\`?"
	exits 2 pawl graph
	says "the graph of which workflow?"
}
