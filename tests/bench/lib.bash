# What the benchmarks share.  usage of each: BUILD=build/release tests/bench/NAME.sh [ROUNDS]
# shellcheck shell=bash
set -eu

BUILD=$(realpath "${BUILD:-build/release}")
PAWL=$BUILD/bin/pawl
COMPARE=$BUILD/bench/compare
# shellcheck disable=SC2034 # the scripts use it
ROUNDS=${1:-7}
unset PAWL_PLUGIN_PATH PAWL_TEST_DIE_AT

for program in "$PAWL" "$COMPARE"; do
	if [ ! -x "$program" ]; then
		echo "no $program: cmake --preset release && ninja -C build/release benches" >&2
		exit 2
	fi
done

WORK=$(mktemp -d "${BENCH_DIR:-/var/tmp}/pawl-bench.XXXXXX")
trap 'rm -rf "$WORK"' EXIT
export HOME=$WORK
mkdir -p "$WORK/.pawl/workflows"
cd "$WORK"

machine() {
	echo "# $(date -u +%F), $(nproc) CPUs, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)," \
		"Linux $(uname -r), $(stat -f -c %T "$WORK"), $("$PAWL" --version), load$(uptime | sed 's/.*average//')"
}

# layered NODES FORMAT: a layered random graph of in-degree 3 (the same for a number of nodes, whatever the format), as a
# workflow or for ninja.  Layers are of 50 nodes; a node depends on three of the layer before.
layered() {
	awk -v n="$1" -v format="$2" 'BEGIN {
		if (format == "pawl") {
			print "name: graph"
			print "nodes:"
		} else {
			print "rule r\n command = touch $out"
		}
		seed = 42
		for (i = 0; i < n; i++) {
			layer = int(i / 50)
			deps = ""
			split("", taken)
			for (d = 0; layer > 0 && d < 3; d++) {
				seed = (seed * 1103515245 + 12345) % 2147483648
				dep = (layer - 1) * 50 + int(seed / 65536) % 50
				if (dep in taken)
					continue
				taken[dep] = 1
				deps = deps (format == "pawl" ? (deps == "" ? "" : ", ") "n" dep : " n" dep)
			}
			if (format == "pawl")
				printf "  - id: n%d\n    bash: \":\"\n    reads: []\n%s", i,
					deps == "" ? "" : "    depends_on: [" deps "]\n"
			else
				printf "build n%d: r%s\n", i, deps
		}
	}'
}
