# What the crash tests share.  Each test has a project of its own in $BATS_TEST_TMPDIR/p, and bodies append their names to
# a file outside of it ($LOG): that file tells how often each of them really ran.

setup_project() {
	unset PAWL_PLUGIN_PATH PAWL_TEST_DIE_AT
	export HOME=$BATS_TEST_TMPDIR LOG=$BATS_TEST_TMPDIR/log LOCKS=$BATS_TEST_TMPDIR/locks
	: "${PAWL:?the program to test}"
	mkdir -p "$BATS_TEST_TMPDIR/p/.pawl/workflows" "$LOCKS"
	cd "$BATS_TEST_TMPDIR/p" || return 1
	: >"$LOG"
}

workflow() { # NAME, the file on standard input
	cat >".pawl/workflows/$1.yaml"
}

# Never for longer than a minute: a test that hangs says so.
pawl() {
	timeout -k 1 60 "$PAWL" "$@"
}

# The value of a member in lines of JSON, one a line.
member() {
	sed -n 's/.*"'"$1"'":"\{0,1\}\([^",}]*\).*/\1/p'
}

newest_run() { # its number, or 0
	local run
	run=$(pawl runs --json 2>/dev/null | head -n 1 | member run)
	echo "${run:-0}"
}

run_state() { # RUN
	pawl runs --json | grep "\"run\":$1," | member state
}

# The nodes of a run in a state, one a line.
nodes_in() { # RUN STATE...
	local run=$1 state
	shift
	for state in "$@"; do
		pawl show "$run" --json | grep "\"state\":\"$state\"" | member node
	done
}

times_run() { # NODE
	grep -cx "$1" "$LOG" || true
}

# Processes that a body of this test's runs started: pid and command, one a line.
left_over() {
	local file
	grep -lzsx "HOME=$HOME" /proc/[0-9]*/environ | xargs -r grep -lzs '^PAWL_ATTEMPT_ID=' | while read -r file; do
		echo "$(basename "${file%/environ}") $(tr '\0' ' ' 2>/dev/null <"${file%environ}cmdline")"
	done
}

nothing_left() {
	[ -z "$(left_over)" ]
}

fail() {
	echo "$*"
	return 1
}

wait_for() { # SECONDS COMMAND...
	local tries=$(($1 * 50))
	shift
	while ! "$@"; do
		[ $((tries -= 1)) -gt 0 ] || fail "waited in vain for: $*" || return 1
		sleep 0.02
	done
}
