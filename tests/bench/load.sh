#!/usr/bin/env bash
# Large workflows: read and checked (lint), and planned with nothing stored.
. "$(dirname "$0")/lib.bash"

machine
for nodes in ${NODES:-10000 100000}; do
	layered "$nodes" pawl >.pawl/workflows/graph.yaml
	echo "load: $nodes nodes, $(($(stat -c %s .pawl/workflows/graph.yaml) / 1024)) KiB: lint"
	"$COMPARE" "$ROUNDS" "$PAWL" lint graph
	echo "load: $nodes nodes: plan"
	"$COMPARE" "$ROUNDS" "$PAWL" plan graph -q
done
