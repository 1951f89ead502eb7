#!/usr/bin/env bash
# Nothing to do in a layered graph of in-degree 3, against ninja on the same graph.  pawl checks every node's key and
# trace and records the run.
. "$(dirname "$0")/lib.bash"

machine
for nodes in ${NODES:-1000 10000}; do
	rm -rf .pawl/state n* build.ninja .ninja_*
	layered "$nodes" pawl >.pawl/workflows/graph.yaml
	layered "$nodes" ninja >build.ninja
	"$PAWL" run graph -q >/dev/null
	echo "no-op: $nodes nodes, against ninja $(ninja --version)"
	ninja >/dev/null
	# What was made in the last two seconds is not trusted by its times.
	sleep 2.1
	"$PAWL" run graph -q >/dev/null
	"$COMPARE" "$ROUNDS" "$PAWL" run graph --- ninja
	echo "the first look, at every node (no seal):"
	"$COMPARE" "$ROUNDS" --before "rm -rf .pawl/state/seals" "$PAWL" run graph --- ninja
	echo "plan only:"
	"$COMPARE" "$ROUNDS" "$PAWL" plan graph --- ninja -n
done
