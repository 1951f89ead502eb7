# pawl verify: a reused node runs once more, is compared, and leaves no trace.
load helpers

etl() {
	workflow etl <<-'YAML'
		name: etl
		nodes:
		  - id: fetch
		    reads: [src.txt]
		    bash: cat src.txt
		  - id: parse
		    depends_on: [fetch]
		    reads: []
		    writes: [out.txt]
		    bash: |
		      printf 'parsed %s\n' "$fetch.output" >out.txt
		      if [ -e ~/drift ]; then echo more >>out.txt; fi
		      if [ -e ~/break ]; then exit 7; fi
		      echo "done$(cat ~/drift 2>/dev/null)"
		  - id: after
		    depends_on: [parse]
		    reads: [out.txt]
		    bash: cat out.txt
	YAML
	echo one >src.txt
	ok pawl run etl
}

state() {
	sqlite3 .pawl/state/pawl.db 'select count(*) from run; select count(*) from result; select count(*) from node; select count(*) from verdict' 2>/dev/null ||
		pawl show --json
	find .pawl/state/tmp .pawl/state/runs | sort
}

@test "the same: exit 0" {
	etl
	ok pawl verify parse
	says "same  parse ran again"
	says "run 1"
	ok pawl verify fetch
	ok pawl verify after
}

@test "something else: exit 1, and what differs" {
	etl
	echo X >drift
	mv drift ~/drift
	exits 1 pawl verify parse
	says "different  parse"
	says "- done"
	says "+ doneX"
	says "+ more"
	says "cache: false"
}

@test "it leaves no trace: neither in the store nor in the project" {
	etl
	local before
	before=$(state)
	echo X >~/drift
	exits 1 pawl verify parse
	equal "$(cat out.txt)" "parsed one"
	equal "$(state)" "$before"
	rm ~/drift
	ok pawl run etl
	says "reuse  parse"
}

@test "a node that fails when it runs again" {
	etl
	touch ~/break
	exits 1 pawl verify parse
	says "E-VERIFY-FAILED"
	says "exit 7"
	equal "$(cat out.txt)" "parsed one"
	rm ~/break
	ok pawl run etl
	says "3 reused"
}

@test "what would not be reused anyway is refused, with the reason" {
	etl
	echo two >src.txt
	exits 2 pawl verify fetch
	says "E-VERIFY-NOT-REUSED"
	says "src.txt changed"
	exits 2 pawl verify parse
	says "\`fetch\` would not be reused now"
}

@test "a result that is not provable is verified as a continuation of its run" {
	workflow free <<-'YAML'
		name: free
		nodes:
		  - id: a
		    bash: echo "$ARTIFACTS_DIR"; echo x >"$ARTIFACTS_DIR/f"
	YAML
	ok pawl run free
	ok pawl verify a
	says "same"
	says "and its files"
}

@test "files that no writes declares are put back too" {
	workflow sly <<-'YAML'
		name: sly
		nodes:
		  - id: a
		    bash: |
		      cat ~/what >log.txt
		      echo done
	YAML
	echo first >~/what
	ok pawl run sly
	echo second >~/what
	pawl verify a || true
	equal "$(cat log.txt)" first
}

@test "--json is one object" {
	etl
	pawl verify parse --json 2>/dev/null | python3 -c 'import json,sys
text = sys.stdin.read()
print(text)
r = json.loads(text)
assert r["verdict"] == "same" and r["node"] == "parse" and r["then"] == r["now"], r'
	echo X >~/drift
	exits 1 pawl verify parse --json
	says '"verdict":"different"'
}

@test "unknown nodes and runs" {
	exits 2 pawl verify a
	etl
	exits 2 pawl verify prse
	says "did you mean \`parse\`?"
	exits 2 pawl verify parse --run 9
	says "E-RUN-UNKNOWN"
	exits 2 pawl verify
	says "verify which node?"
}

@test "below an approval: its answer stands; a control node itself is refused" {
	workflow gate <<-'YAML'
		name: gate
		nodes:
		  - id: ask
		    approval: {message: go on?}
		  - id: go
		    depends_on: [ask]
		    reads: []
		    bash: echo "$ask.output"
	YAML
	exits 3 pawl run gate
	ok pawl approve 1
	ok pawl verify go
	says "same"
	exits 2 pawl verify ask
	says "verify the nodes in it"
}
