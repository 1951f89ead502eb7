#!/bin/bash
# run: every fuzzer in turn for SECONDS each (default 60), from its seeds in corpus/NAME/.
#
#     tests/fuzz/run.sh [SECONDS [NAME...]]
#
# New inputs are kept in build/fuzz/new/NAME and used again by the next run.  What makes a fuzzer fail is left in
# build/fuzz/found/NAME-*: put it into corpus/NAME/ with the fix, and every build replays it.  Exit 1 if any was found.
# An input may take 30 s by the clock on the wall: on a busy machine a shorter limit finds what is none.
set -euo pipefail
cd "$(dirname "$0")/../.."

seconds=${1:-60}
[[ $seconds =~ ^[1-9][0-9]*$ ]] || {
	echo "usage: tests/fuzz/run.sh [SECONDS [NAME...]]" >&2
	exit 2
}
shift || true
compiler=$(sed -n '/"name": "fuzz"/,/}/s/.*"CMAKE_C_COMPILER": "\([^"]*\)".*/\1/p' CMakePresets.json | head -1)
command -v "$compiler" >/dev/null || {
	echo "fuzzing needs $compiler: apt-get install $compiler" >&2
	exit 2
}
names=("$@")
if ((${#names[@]} == 0)); then
	for source in tests/fuzz/fuzz_*.c; do
		name=${source##*/fuzz_}
		names+=("${name%.c}")
	done
fi

cmake --preset fuzz >/dev/null
cmake --build build/fuzz --target "${names[@]/#/fuzz_}"
mkdir -p build/fuzz/found
failed=()
for name in "${names[@]}"; do
	new=build/fuzz/new/$name
	log=build/fuzz/found/$name.log
	mkdir -p "$new"
	dictionary=()
	[[ ! -f tests/fuzz/$name.dict ]] || dictionary=("-dict=tests/fuzz/$name.dict")
	if "build/fuzz/fuzz/fuzz_$name" "-max_total_time=$seconds" -timeout=30 -rss_limit_mb=2048 -print_final_stats=1 \
		"${dictionary[@]}" "-artifact_prefix=build/fuzz/found/$name-" \
		"$new" "tests/fuzz/corpus/$name" >"$log" 2>&1; then
		runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
		printf 'ok      %-12s %12s runs\n' "$name" "$runs"
		rm -f "$log"
	else
		failed+=("$name")
		printf 'FAILED  %-12s see %s\n' "$name" "$log"
		tail -n 15 "$log"
	fi
done
((${#failed[@]} == 0))
