#!/usr/bin/env bash
# What it costs to start: --version (to be below 3 ms of CPU), lint of ten nodes (below 10 ms), and a run of them with
# nothing to do.
. "$(dirname "$0")/lib.bash"

layered 10 pawl >.pawl/workflows/graph.yaml
"$PAWL" run graph >/dev/null
machine
echo "start: pawl --version"
"$COMPARE" $((ROUNDS * 5)) "$PAWL" --version
echo "start: lint of ten nodes"
"$COMPARE" $((ROUNDS * 5)) "$PAWL" lint graph
echo "start: ten nodes, nothing to do"
"$COMPARE" $((ROUNDS * 5)) "$PAWL" run graph
