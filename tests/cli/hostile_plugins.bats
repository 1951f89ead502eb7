# shellcheck shell=bash
# Plugins that crash, exit, hang, close what is not theirs and break the contract: it is said whose fault it was, what was done
# before is kept, and the run can be continued.
load helpers

setup() {
	pawl_setup
	PLUGINS=$(dirname "$PAWL")/../tests/plugins
	[ -e "$PLUGINS/pawl_hostile.so" ] || skip "the test plugins are not built"
	export PAWL_PLUGIN_PATH
	PAWL_PLUGIN_PATH=$(realpath "$PLUGINS")
}

# flow MODE [FIELDS]: before, a hostile node, and one behind it.
flow() {
	workflow w <<-EOF
		name: w
		nodes:
		  - id: before
		    bash: |
		      echo ran >> "$PROJECT/before.log"
		      echo before
		    reads: []
		  - id: bad
		    hostile: $1
		    ${2-}
		    depends_on: [before]
		  - id: after
		    bash: echo "after \$bad.output"
		    reads: []
		    depends_on: [bad]
	EOF
}

# dies STATUS TEXT: the first run ends like that and says so.
dies() {
	if grep -q __asan_init "$PAWL"; then
		run pawl run w # whose runtime ends the process in its own way
	else
		exits "$1" pawl run w
	fi
	says "$2"
	says "pawl resume"
}

# goes_on: the resumed run completes, and nothing that was done is done again.
goes_on() {
	ok pawl resume last
	says "completed"
	ok pawl output last/after
	equal "$output" "after good"
	equal "$(cat before.log)" "ran"
	ok pawl runs
	says_not "running"
}

@test "a segfault names plugin, function and node; the next resume goes on" {
	flow segv "once: $PROJECT/once"
	dies 139 "plugin test.hostile crashed (SIGSEGV) in start() of node bad"
	goes_on
}

@test "abort() likewise" {
	flow abort "once: $PROJECT/once"
	dies 134 "plugin test.hostile crashed (SIGABRT) in start() of node bad"
	goes_on
}

@test "a stack that is used up likewise" {
	flow stack "once: $PROJECT/once"
	dies 139 "plugin test.hostile crashed (SIGSEGV) in start() of node bad"
	goes_on
}

@test "exit(0) does not pass for a run that went well" {
	flow exit "once: $PROJECT/once"
	dies 70 "plugin test.hostile called exit() in start() of node bad"
	goes_on
	flow exit_in_validate
	exits 70 pawl lint w
	says "called exit() in validate() of node bad"
}

@test "SIGKILL leaves no words, and a store that goes on" {
	flow kill "once: $PROJECT/once"
	exits 137 pawl run w
	goes_on
}

@test "a plugin that crashed runs in a process of its own from then on: the run outlives it" {
	flow segv
	dies 139 "crashed (SIGSEGV) in start() of node bad"
	exits 1 pawl resume last
	says "the plugin test.hostile crashed while it ran node bad"
	says "1 failed"
	equal "$(cat before.log)" "ran"
	# What the copy prints, emits and logs comes here as ever.
	flow good
	ok pawl run w
	ok pawl output last/bad
	equal "$output" "good"
	ok pawl output last/after
	equal "$output" "after good"
	for mode in abort exit kill stack; do
		flow $mode
		exits 1 pawl run w
		says "the plugin test.hostile crashed while it ran node bad"
	done
	# Another version is trusted anew, and so is this one when its line is gone.
	equal "$(sort -u .pawl/state/crashed-plugins)" "test.hostile 1.0"
	rm .pawl/state/crashed-plugins
	flow segv
	dies 139 "crashed"
}

@test "in a process of its own a node that loops for ever is stopped by its timeout" {
	flow segv
	dies 139 "crashed"
	flow loop "timeout: 500ms"
	local began=$SECONDS
	exits 1 pawl run w
	says "timed out"
	[ $((SECONDS - began)) -lt 15 ]
}

@test "a call that never comes back is named, and Ctrl-C ends it" {
	flow loop "once: $PROJECT/once"
	timeout --preserve-status -s INT 6 "$PAWL" run w >out.txt 2>&1 || status=$?
	grep -q "plugin test.hostile does not come back from start() of node bad" out.txt
	grep -q "plugin test.hostile was ended in start() of node bad" out.txt
	[ "${status-0}" -eq 130 ]
	goes_on
}

@test "closing what is not its own ends the run, not the store" {
	flow close "once: $PROJECT/once"
	run timeout 20 "$PAWL" run w
	# shellcheck disable=SC2154 # bats sets status
	[ "$status" -ne 0 ]
	[ "$status" -ne 124 ]
	goes_on
}

@test "finish() twice, and calls of another phase, are told and do no harm" {
	flow twice
	ok pawl run w
	says "plugin test.hostile broke its contract: finish(): called after finish()"
	ok pawl output last/bad
	equal "$output" "done"
	flow phase
	ok pawl run w
	says "hash_text(): called outside cache_key()"
	ok pawl output last/bad
	equal "$output" "went on"
	flow key_output
	ok pawl run w
	says "broke its contract: output()"
}

@test "a crash while the key is made is named as well" {
	flow key_segv
	dies 139 "plugin test.hostile crashed (SIGSEGV) in cache_key() of node bad"
	flow good
	ok pawl run w
}
