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
	if grep -qE '__(asan|tsan)_init' "$PAWL"; then
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
	exits 2 pawl lint w
	says "error[E-PLUGIN-CRASH]: the plugin test.hostile called exit() in validate() of node bad"
	says "w.yaml:9:5"
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
	says "the plugin test.hostile crashed (SIGSEGV) in start() of node bad"
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
		says "fail   bad     the plugin test.hostile "
		says " in start() of node bad"
	done
	ok pawl types
	says "it crashed before, so it runs in a process of its own"
	ok pawl types --json
	equal "$(jq -r 'select(.apart) | .type' <<<"$output")" "hostile"
	# Another file is trusted anew, and so is this one when its line is gone.
	digest=$(sha256sum "$PLUGINS/pawl_hostile.so" | cut -c 1-16)
	equal "$(sort -u .pawl/state/crashed-plugins)" "test.hostile 1.0 $digest"
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
	[ $((SECONDS - began)) -lt 150 ]
}

@test "a call that never comes back is named, and Ctrl-C ends it" {
	! grep -q __tsan_init "$PAWL" || skip "ThreadSanitizer holds signals back from code that loops"
	flow loop "once: $PROJECT/once"
	timeout --preserve-status -s INT 20 "$PAWL" run w >out.txt 2>&1 || status=$?
	grep -q "plugin test.hostile does not come back from start() of node bad" out.txt
	grep -q "plugin test.hostile was ended in start() of node bad" out.txt
	[ "${status-0}" -eq 130 ]
	goes_on
}

@test "closing what is not its own ends the run, not the store" {
	flow close "once: $PROJECT/once"
	run timeout 300 "$PAWL" run w
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

@test "a failure without a word, a lost artifact, and what is no text, are told" {
	flow silent
	exits 1 pawl run w
	says "plugin test.hostile gave PAWL_E_TRANSIENT without saying why"
	flow lost
	exits 1 pawl run w
	says "plugin test.hostile handed on an artifact, report.txt: No such file or directory"
	flow no_bytes
	exits 1 pawl run w
	says "broke its contract: output(): a text of some length is NULL"
	flow emit_bytes
	exits 1 pawl run w
	says "broke its contract: emit(): the value is not UTF-8"
	flow validate_odd
	exits 2 pawl run w
	says "broke its contract: validate(): returned what is no answer of it"
}

@test "a call that blocks is told, and not woken" {
	flow sleep
	ok pawl run w
	says "held up the loop for 2"
	ok pawl output last/bad
	equal "$output" "slept"
}

@test "a crash in validate() is an error of the workflow, not the end of pawl" {
	for end in "segv crashed (SIGSEGV)" "abort crashed (SIGABRT)" "kill was ended by SIGKILL"; do
		flow "validate_${end%% *}"
		for command in lint plan run; do
			exits 2 pawl $command w
			says "error[E-PLUGIN-CRASH]: the plugin test.hostile ${end#* } in validate() of node bad"
		done
	done
	[ ! -e before.log ]
	# What it says there arrives as ever.
	flow validate_warn
	exits 2 pawl lint w
	says "error[E-CONFIG]: \`hostile\` is not nice"
	says "w.yaml:9:14"
	says "help: be nice"
	says "mind the gap"
}

@test "a crash while the key is made costs the key, not the run" {
	flow key_segv
	ok pawl run w
	says "the plugin test.hostile crashed (SIGSEGV) in cache_key() of node bad"
	ok pawl plan w
	says "the plugin test.hostile crashed (SIGSEGV) in cache_key() of node bad"
	equal "$(cat before.log)" "ran"
	ok pawl run w
	says "1 ran, 2 reused"
	grep -q "^test.hostile 1.0 " .pawl/state/crashed-plugins
	flow good
	ok pawl run w
	ok pawl run w
	says "3 reused"
	run pawl doctor # which has something to say about the other test plugins
	says "is sound"
}

@test "validate() and cache_key() that never end are ended" {
	local began=$SECONDS
	flow validate_loop
	exits 2 pawl lint w
	says "error[E-PLUGIN-STUCK]: the plugin test.hostile did not come back from validate() of node bad within 10 s"
	[ $((SECONDS - began)) -lt 300 ]
	# An impatient person does not wait for it.
	flow key_loop
	began=$SECONDS
	run timeout --preserve-status -s INT 5 "$PAWL" run w
	# shellcheck disable=SC2154 # bats sets status
	[ "$status" -eq 130 ]
	[ $((SECONDS - began)) -lt 90 ]
	ok pawl runs
	says_not "running"
}

@test "a plugin that crashes as it is loaded is refused, and pawl goes on" {
	workflow w <<-'EOF'
		name: w
		nodes:
		  - id: a
		    init_crashes: x
	EOF
	exits 2 pawl run w
	says "E-PLUGIN-CRASH"
	says "pawl_init_crashes.so crashed (SIGSEGV) in init()"
	ok pawl types
	says "bash"
}

@test "what a plugin keeps is the same in a process of its own" {
	flow keep
	ok pawl run w
	ok pawl output last/bad
	equal "$output" "x"
	rm -f before.log
	flow segv
	dies 139 "crashed"
	flow keep "cache: false"
	ok pawl run w
	ok pawl output last/bad
	equal "$output" "xx"
	flow keep_much "cache: false"
	ok pawl run w
	ok pawl output last/bad
	equal "$output" "kept much"
	flow keep "cache: false"
	rm .pawl/state/crashed-plugins
	ok pawl run w
	ok pawl output last/bad
	equal "$output" "xxx"
}
