#!/usr/bin/env bash
# A cold run of 1,000 trivial bash nodes at -j2, each recorded durably, against a bare loop that starts the same bash
# command as often, two at once.
. "$(dirname "$0")/lib.bash"
NODES=1000

awk -v n=$NODES 'BEGIN {
	print "name: flat\nnodes:"
	for (i = 0; i < n; i++)
		printf "  - {id: n%d, bash: \":\", reads: []}\n", i
}' >.pawl/workflows/flat.yaml
machine
echo "cold: $NODES bash nodes at -j2, against starting bash as often"
"$COMPARE" "$ROUNDS" --before 'rm -rf .pawl/state' "$PAWL" run flat -j2 --- "$BUILD/bench/spawn_loop" $NODES 2 :
layered $NODES pawl >.pawl/workflows/graph.yaml
echo "cold: the same in layers, in-degree 3"
"$COMPARE" "$ROUNDS" --before 'rm -rf .pawl/state' "$PAWL" run graph -j2 --- "$BUILD/bench/spawn_loop" $NODES 2 :
