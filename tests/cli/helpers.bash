# What the tests of the command line share.  A test file says `load helpers` and gets a project of its own for each test:
# the working directory, empty but for .pawl/workflows, inside $BATS_TEST_TMPDIR, which is HOME as well.
# shellcheck shell=bash

setup() {
	pawl_setup
}

pawl_setup() {
	: "${PAWL:?the program to test, an absolute path}"
	export HOME=$BATS_TEST_TMPDIR
	export NO_COLOR=1 LC_ALL=C.UTF-8
	unset PAWL_PLUGIN_PATH PAWL_TEST_DIE_AT
	PROJECT=$BATS_TEST_TMPDIR/project
	mkdir -p "$PROJECT/.pawl/workflows"
	cd "$PROJECT" || return 1
}

# pawl ARGUMENTS: the program under test, never for ever.
pawl() {
	timeout 900 "$PAWL" "$@"
}

# workflow NAME < YAML: writes a workflow of the project.
workflow() {
	cat >".pawl/workflows/$1.yaml"
}

# ok COMMAND...: runs it like `run` and demands exit 0.
ok() {
	exits 0 "$@"
}

# exits CODE COMMAND...: runs it like `run` and demands that exit code.
exits() {
	local want=$1
	shift
	run "$@"
	# shellcheck disable=SC2154 # bats sets status
	if [ "$status" -ne "$want" ]; then
		printf '%s\n' "\`$*\` ended with $status, not $want:" "$output" >&2
		return 1
	fi
}

# says TEXT / says_not TEXT: whether the output of the last `run` contains it.
says() {
	# shellcheck disable=SC2154 # bats sets output
	case $output in
	*"$1"*) ;;
	*)
		printf '%s\n' "no \"$1\" in:" "$output" >&2
		return 1
		;;
	esac
}

says_not() {
	case $output in
	*"$1"*)
		printf '%s\n' "there is \"$1\" in:" "$output" >&2
		return 1
		;;
	esac
}

# equal ACTUAL EXPECTED
equal() {
	if [ "$1" != "$2" ]; then
		printf 'it is:       %s\nit should be: %s\n' "$1" "$2" >&2
		return 1
	fi
}

# states [RUN]: what became of each node, "produce=reused consume=completed", in the order of their ends.
states() {
	pawl show "${1:-last}" --json |
		sed -n 's/.*"node":"\([^"]*\)","state":"\([^"]*\)".*/\1=\2/p' | tr '\n' ' ' | sed 's/ $//'
}

# reason NODE [RUN]: the code of why it ran or was reused.
reason() {
	pawl show "${2:-last}" --json | sed -n "s/.*\"node\":\"$1\",\"state\":\"[^\"]*\",\"reason\":\"\([^\"]*\)\".*/\1/p"
}

# wait_for FILE: until it is there, ten seconds at most.
wait_for() {
	local i
	for ((i = 0; i < 10000; i++)); do
		[ -e "$1" ] && return 0
		sleep 0.02
	done
	printf '%s did not appear\n' "$1" >&2
	return 1
}
