# quarantine, release, verdicts: a statement hangs on an output, not on the key under which it was made.
load helpers

two_nodes() {
	workflow etl <<-'YAML'
		name: etl
		nodes:
		  - id: fetch
		    reads: [src.txt]
		    bash: cat src.txt
		  - id: parse
		    depends_on: [fetch]
		    reads: []
		    bash: printf 'parsed %s' "$fetch.output"
	YAML
	echo "${1:-bad}" >src.txt
}

@test "a quarantined output is not reused, and making it again fails" {
	two_nodes
	ok pawl run etl
	ok pawl quarantine 1/fetch --reason "it is the login page"
	says "quarantined output"
	exits 1 pawl run etl
	says "it is the login page"
	says "same bad output again"
}

@test "another output of the same node is not touched by it" {
	two_nodes
	ok pawl run etl
	ok pawl quarantine 1/fetch --reason bad
	echo good >src.txt
	ok pawl run etl
	equal "$(pawl output last/fetch)" good
}

@test "a quarantine outlives an edit and its revert" {
	two_nodes
	ok pawl run etl
	ok pawl quarantine 1/fetch --reason bad
	echo good >src.txt
	ok pawl run etl
	echo bad >src.txt
	exits 1 pawl run etl
	says "quarantined"
}

@test "release by digest and by RUN/NODE" {
	two_nodes
	ok pawl run etl
	ok pawl quarantine last/fetch --reason bad
	local digest
	digest=$(pawl verdicts --json | sed 's/.*"output":"\([0-9a-f]\{12\}\).*/\1/')
	ok pawl release "$digest"
	says "released: quarantined output $digest of fetch"
	ok pawl run etl
	says "reuse  fetch"
	ok pawl quarantine last/fetch --reason bad
	ok pawl release last/fetch
	ok pawl release last/fetch
	says "neither quarantined nor suspect"
}

@test "verdicts lists what holds; --all what was released too; --json is one object a line" {
	two_nodes
	ok pawl run etl
	ok pawl verdicts
	says "no verdict holds"
	ok pawl quarantine 1/fetch --reason "it is bad"
	ok pawl verdicts
	says "etl/fetch"
	says "it is bad"
	ok pawl release 1/fetch
	ok pawl verdicts
	says_not "etl/fetch"
	ok pawl verdicts --all
	says "released: quarantined"
	run bash -c 'timeout 900 "$PAWL" verdicts --all --json | python3 -c "
import json, sys
rows = [json.loads(line) for line in sys.stdin]
assert len(rows) == 1, rows
assert rows[0][\"kind\"] == \"quarantined\" and rows[0][\"node\"] == \"fetch\" and rows[0][\"released_ms\"] > 0, rows
"'
	equal "$status" 0
}

@test "-n changes nothing" {
	two_nodes
	ok pawl run etl
	ok pawl quarantine 1/fetch --reason bad -n
	says "would quarantine"
	ok pawl verdicts
	says "no verdict holds"
	ok pawl quarantine 1/fetch --reason bad
	ok pawl release 1/fetch -n
	says "would release"
	ok pawl verdicts
	says "etl/fetch"
}

@test "what is missing or wrong is said with the fix" {
	two_nodes
	ok pawl run etl
	exits 2 pawl quarantine 1/fetch
	says "E-USAGE"
	says "--reason"
	exits 2 pawl quarantine 1/fech --reason bad
	says "did you mean \`fetch\`?"
	exits 2 pawl quarantine 1 --reason bad
	says "which node of run 1?"
	exits 2 pawl release zzz
	says "E-USAGE"
	exits 2 pawl release abcdef
	says "E-VERDICT-UNKNOWN"
	says "pawl verdicts"
	exits 2 pawl quarantine 9/fetch --reason bad
	says "E-RUN-UNKNOWN"
}

@test "a skipped node has no output to judge" {
	workflow skip <<-'YAML'
		name: skip
		nodes:
		  - id: a
		    bash: echo no
		  - id: b
		    depends_on: [a]
		    when: "$a.output == 'yes'"
		    bash: echo b
	YAML
	ok pawl run skip
	exits 2 pawl quarantine 1/b --reason bad
	says "E-VERDICT-NO-OUTPUT"
	says "skipped"
}

@test "a quarantine that is damaged in the store still keeps its output from being reused" {
	two_nodes
	ok pawl run etl
	ok pawl quarantine 1/fetch --reason "it is the login page"
	python3 - <<-'PY'
		import sqlite3
		db = sqlite3.connect('.pawl/state/pawl.db')
		db.execute("UPDATE verdict SET kind = 'exonerated'")
		db.commit()
	PY
	ok pawl plan etl
	says 'a verdict on it is damaged in the store'
	ok pawl run etl
	says 'run    fetch'
	ok pawl run etl
	says '0 ran, 2 reused'
}
