# shellcheck shell=bash
# `pawl plugin check` finds what it is there for, each fault in its own case, and outlives all of it.
load helpers

setup() {
	pawl_setup
	PLUGINS=$(realpath "$(dirname "$PAWL")/../tests/plugins")
	[ -e "$PLUGINS/pawl_sloppy.so" ] || skip "the test plugins are not built"
}

# try MODE...: checks the plugin `sloppy` in each of the modes at the same time; MODE.tap is what it printed.
try() {
	local mode
	for mode in "$@"; do
		printf 'name: w\nnodes:\n  - id: it\n    sloppy: %s\n    other: text\n' "$mode" >"$mode.yaml"
		{
			code=0
			timeout 1000 "$PAWL" plugin check --limit "${LIMIT:-6}" --node "$mode.yaml" \
				"$PLUGINS/pawl_sloppy.so" >"$mode.tap" 2>&1 || code=$?
			echo "exit $code" >>"$mode.tap"
		} 3>&- &
	done
	wait
}

# fails MODE CASE WORDS: in that mode that case failed, with those words below it, and the check went on to its end.
fails() {
	if ! grep -q '^exit 1$' "$1.tap" || ! grep -q '^1\.\.11$' "$1.tap" ||
		! sed -n "/^not ok [0-9]* - $2/,/^\(not \)\?ok /p" "$1.tap" | grep -qF -- "$3"; then
		printf '%s\n' "$1: \"$2\" did not fail with \"$3\":" >&2
		cat "$1.tap" >&2
		return 1
	fi
}

@test "a good plugin passes" {
	try good
	equal "$(tail -1 good.tap)" "exit 0"
	equal "$(grep -c '^ok ' good.tap)" 11
}

@test "what must not be in a key is found, and named by its label" {
	local modes=(key_time key_pid key_pointer key_zone key_locale key_directory)
	try "${modes[@]}" key_forgets
	for mode in "${modes[@]}"; do
		fails "$mode" "the same node gives the same key" '"odd" is not the same twice'
	done
	fails key_forgets "other fields give another key" "\`other: "
}

@test "errors without a word or without a field are found" {
	try silent nameless wordless
	fails silent "survives odd fields" "refused without a word"
	fails nameless "survives odd fields" "not at its line"
	fails wordless "runs to an end" "without saying why"
}

@test "what is left behind is found" {
	try leak_fd leak_child moves locale environment
	fails leak_fd "leaves no descriptor" "open descriptors more"
	fails leak_child "leaves no descriptor" "a process"
	fails moves "leaves directory" "changed the current directory"
	fails locale "leaves directory" "changed the locale"
	fails environment "leaves directory" "changed the environment"
}

@test "what holds up everybody, and what prints by itself, is found" {
	try slow slow_validate prints
	fails slow "runs to an end" "no other node makes progress meanwhile"
	fails slow_validate "accepts the node" "no other node makes progress meanwhile"
	fails prints "runs to an end" "it prints by itself, host->output() and host->log() are for that: good day"
	# A case that runs it more than once says it once.
	equal "$(sed -n '/stops in time/,/^not ok/p' prints.tap | grep -c 'good day')" 1
}

@test "a crash, an exit() and a hang are results" {
	LIMIT=3 try crash exit hang
	fails crash "runs to an end" "crashed (SIGABRT) in start() of node it"
	fails exit "runs to an end" "called exit() in start() of node it"
	fails hang "runs to an end" "did not come back within 3 s"
}

@test "who does not stop, and who never finishes, is found" {
	try deaf never
	fails deaf "stops in time" "did not finish within"
	fails never "runs to an end" "broke"
}

@test "a file that is no plugin, and one of another ABI, are told in the first case" {
	echo text >pawl_text.so
	exits 1 pawl plugin check ./pawl_text.so
	says "not ok 1 - loads"
	says "no shared object"
	exits 1 pawl plugin check "$PLUGINS/pawl_other_major.so"
	says "2.0"
	exits 1 pawl plugin check "$PLUGINS/pawl_init_crashes.so"
	says "not ok 1"
	says "in init()"
	cp "$PLUGINS/pawl_good.so" good.so
	exits 2 pawl plugin check ./good.so
	says "name it pawl_KEYWORD.so"
	exits 2 pawl plugin check
	exits 2 pawl plugin check --limit 0 "$PLUGINS/pawl_good.so"
	exits 1 pawl plugin check --node absent.yaml "$PLUGINS/pawl_good.so"
	says "absent.yaml"
}
