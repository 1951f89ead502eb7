# shellcheck shell=bash
# The examples of sdk/examples, built from the installed prefix, in workflows.
load ../cli/helpers

setup() {
	pawl_setup
	: "${SDK_PLACE:?where tests/sdk/build.sh has built}" "${SDK_SOURCE:?}"
	EXAMPLES=$SDK_PLACE/examples
}

teardown() {
	[ -z "${SERVER-}" ] || kill "$SERVER" 2>/dev/null || true
}

with_examples() {
	pawl "$@" --plugin-path "$EXAMPLES"
}

# need PLUGIN WHY: skips where the plugin could not be built.
need() {
	[ -e "$EXAMPLES/pawl_$1.so" ] || skip "$1 is not built: $2"
}

start_server() {
	python3 "$SDK_SOURCE/tests/sdk/server.py" "$BATS_TEST_TMPDIR/port" "$BATS_TEST_TMPDIR/requests" \
		3>&- >/dev/null 2>&1 &
	SERVER=$!
	for _ in $(seq 100); do
		[ -s "$BATS_TEST_TMPDIR/port" ] && break
		sleep 0.1
	done
	URL=http://127.0.0.1:$(cat "$BATS_TEST_TMPDIR/port")
	: >"$BATS_TEST_TMPDIR/requests"
}

requests() {
	grep -c "^$1\$" "$BATS_TEST_TMPDIR/requests" || true
}

@test "upper and tally: in process and in C++, reused the second time" {
	workflow w <<-'EOF'
		name: w
		nodes:
		  - id: text
		    bash: echo "the cat and the dog"
		  - id: loud
		    upper: $text.output
		    depends_on: [text]
		  - id: words
		    tally: $loud.output $text.output
		    fold: true
		    depends_on: [loud]
	EOF
	ok with_examples run w
	ok with_examples output last/loud
	equal "$output" "THE CAT AND THE DOG"
	ok with_examples output last/words
	equal "$output" '{"and":2,"cat":2,"dog":2,"the":4}'
	ok with_examples run w
	# The bash node does not declare what it reads; the plugins' nodes do not have to.
	says "1 ran"
	says "2 reused"
}

@test "the same plugins built with make are the same" {
	workflow w <<-'EOF'
		name: w
		nodes:
		  - id: words
		    tally: a b a
	EOF
	EXAMPLES=$SDK_PLACE/examples-make
	ok with_examples run w
	ok with_examples output last/words
	equal "$output" '{"a":2,"b":1}'
}

@test "a plugin that is not there is named, and so is its field when it is wrong" {
	workflow w <<-'EOF'
		name: w
		nodes:
		  - id: loud
		    upper: 7
	EOF
	exits 2 pawl run w
	says "upper"
	exits 2 with_examples run w
	says "w.yaml:4"
	says "string"
}

@test "sql: a query is reused until the database changes, and values are no SQL" {
	need sql "apt-get install libsqlite3-dev"
	change() {
		python3 -c 'import sqlite3, sys
with sqlite3.connect("shop.db") as db:
    db.executescript(sys.argv[1])' "$1"
	}
	change "create table orders(id integer, who text, total real);
		insert into orders values (1, 'ann', 2.5), (2, 'bob', 1), (3, 'ann', null)"
	workflow w <<-'EOF'
		name: w
		inputs:
		  who: {type: string, required: true}
		nodes:
		  - id: orders
		    sql: SELECT id, total, who FROM orders WHERE who = :who ORDER BY id
		    database: shop.db
		    params: {who: $INPUTS.who}
	EOF
	ok with_examples run w -i who=ann
	ok with_examples output last/orders
	equal "$(jq -c . <<<"$output")" '[{"id":1,"total":2.5,"who":"ann"},{"id":3,"total":null,"who":"ann"}]'
	ok with_examples run w -i who=ann
	says "1 reused"
	# Another value is another key; and a value with a quote is a value.
	ok with_examples run w -i "who=' OR 1=1 --"
	says "1 ran"
	ok with_examples output last/orders
	equal "$output" "[]"
	change "insert into orders values (4, 'ann', 7)"
	ok with_examples run w -i who=ann
	says "1 ran"
	says "shop.db"
	ok with_examples output last/orders
	equal "$(jq length <<<"$output")" 3
}

@test "sql: what is no query, and what writes, is refused at the field" {
	need sql "apt-get install libsqlite3-dev"
	workflow w <<-'EOF'
		name: w
		nodes:
		  - id: a
		    sql: DELETE FROM t
		    database: ":memory:"
	EOF
	exits 1 with_examples run w
	says "is no query"
	workflow w <<-'EOF'
		name: w
		nodes:
		  - id: a
		    sql: CREATE TABLE t(a)
		    database: ":memory:"
	EOF
	exits 1 with_examples run w
	says "changes the database"
	workflow w <<-'EOF'
		name: w
		nodes:
		  - id: b
		    bash: echo 1
		  - id: a
		    sql: SELECT $b.output
		    database: ":memory:"
		    depends_on: [b]
	EOF
	exits 2 with_examples run w
	says "w.yaml:6"
	says "params"
}

@test "sql: a query without an end stops when its time is up" {
	need sql "apt-get install libsqlite3-dev"
	workflow w <<-'EOF'
		name: w
		nodes:
		  - id: a
		    sql: WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n
		    database: ":memory:"
		    timeout: 500ms
	EOF
	local began=$SECONDS
	exits 1 with_examples run w
	says "timed out"
	[ $((SECONDS - began)) -lt 4 ]
}

@test "http: never reused without an ETag, reused with the same one, run again with another" {
	need http "apt-get install libcurl4-openssl-dev"
	start_server
	workflow w <<-EOF
		name: w
		nodes:
		  - id: page
		    http: $URL/page
		    validate: true
		  - id: plain
		    http: $URL/plain
		    validate: true
		  - id: any
		    http: $URL/page
	EOF
	ok with_examples run w
	ok with_examples output last/page
	equal "$output" "first edition"
	ok with_examples run w
	says "1 reused"
	says "2 ran"
	equal "$(requests 'GET /page')" 3
	equal "$(requests 'GET /plain')" 2
	curl_put "second edition"
	ok with_examples run w
	says "0 reused"
	ok with_examples output last/page
	equal "$output" "second edition"
	ok with_examples why plain
	says "has no ETag"
}

curl_put() {
	python3 -c 'import sys, urllib.request
urllib.request.urlopen(urllib.request.Request(sys.argv[1], sys.argv[2].encode(), method="PUT"))' "$URL/page" "$1"
}

@test "http: POST sends body and headers; a 503 is retried, a 404 is not" {
	need http "apt-get install libcurl4-openssl-dev"
	start_server
	workflow w <<-EOF
		name: w
		nodes:
		  - id: who
		    bash: echo "O'Hara & \"sons\""
		  - id: sent
		    http: $URL/echo
		    method: POST
		    body: \$who.output
		    headers: {X-From: me, X-Other: 'a "quoted" one'}
		    depends_on: [who]
		  - id: code
		    bash: echo "\$sent.output.status 201? no:" \$sent.output.status
		    depends_on: [sent]
		  - id: flaky
		    http: $URL/flaky
		    retry: {max_attempts: 2, delay_ms: 10, on_error: transient}
	EOF
	ok with_examples run w
	ok with_examples output last/sent
	equal "$output" "O'Hara & \"sons\" from me"
	ok with_examples output last/code
	equal "$output" "200 201? no: 200"
	ok with_examples output last/flaky
	equal "$output" "at last"
	workflow w <<-EOF
		name: w
		nodes:
		  - id: gone
		    http: $URL/nowhere
		    retry: {max_attempts: 2, delay_ms: 10, on_error: transient}
	EOF
	exits 1 with_examples run w
	says "answered 404"
	equal "$(requests 'GET /nowhere')" 1
}

@test "http: a server that does not answer is waited for no longer than the node may take" {
	need http "apt-get install libcurl4-openssl-dev"
	start_server
	workflow w <<-EOF
		name: w
		nodes:
		  - id: slow
		    http: $URL/slow
		    timeout: 500ms
	EOF
	local began=$SECONDS
	exits 1 with_examples run w
	says "timed out"
	[ $((SECONDS - began)) -lt 8 ]
}
