# pawl init: every template passes lint, runs, and the second run reuses what the first made.
load helpers

begins() {
	rmdir -p .pawl/workflows 2>/dev/null || true
	ok pawl init "$1"
	says "run it with: pawl run $1"
	ok pawl lint
	says_not warning
	ok pawl run "$1"
	ok pawl run "$1"
	says "reuse"
}

@test "hello" {
	begins hello
	equal "$(pawl output last/shout)" "HELLO, WORLD"
	ok pawl run hello -i who=you
	equal "$(pawl output last/shout)" "HELLO, YOU"
}

@test "etl" {
	begins etl
	equal "$(cat out/totals.csv)" "$(printf 'ann,42\nbob,7')"
	echo "cid,1" >>data/orders.csv
	ok pawl run etl -i minimum=10
	equal "$(cat out/totals.csv)" "ann,42"
}

@test "release: publishes only after approval, refuses what is no version" {
	begins release
	exits 1 pawl run release -i version=one
	says "is not a version"
	exits 3 pawl run release -i version=1.2.0 -i publish=true
	ok pawl approve last
	ok pawl show last
	says "completed  publish"
}

@test "ci: reports also what failed" {
	begins ci
	echo 'exit 1' >tests/unit.sh
	exits 1 pawl run ci
	ok pawl output last/report
	says "unit         failed"
	says "syntax       completed"
}

@test "agent: an answer of the wrong form is caught at the agent" {
	begins agent
	printf '#!/bin/sh\necho "I could not do it"\n' >bad.sh
	chmod +x bad.sh
	exits 1 pawl run agent -i agent=./bad.sh
	says "answer"
	says "skip   apply"
}

@test "the default is hello; --list shows all" {
	ok pawl init
	says "wrote .pawl/workflows/hello.yaml"
	ok pawl init --list
	says "etl      orders in, totals a customer out"
	equal "$(pawl init --list --json | python3 -c 'import json,sys
print(" ".join(json.loads(line)["template"] for line in sys.stdin))')" "agent ci etl hello release"
}

@test "nothing is overwritten" {
	mkdir -p data
	echo mine >data/orders.csv
	exits 2 pawl init etl
	says "E-INIT-EXISTS"
	says "data/orders.csv"
	equal "$(cat data/orders.csv)" mine
	[ ! -e .pawl/workflows/etl.yaml ]
}

@test "an unknown template is suggested" {
	exits 2 pawl init helo
	says "did you mean \`hello\`?"
	exits 2 pawl init qqqqqq
	says "pawl init --list"
}
