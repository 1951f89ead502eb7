#!/usr/bin/env bash
# What it costs to start: --version, and ten nodes with nothing to do.
. "$(dirname "$0")/lib.bash"

layered 10 pawl >.pawl/workflows/graph.yaml
"$PAWL" run graph >/dev/null
machine
echo "start: pawl --version"
"$COMPARE" $((ROUNDS * 5)) "$PAWL" --version
echo "start: ten nodes, nothing to do"
"$COMPARE" $((ROUNDS * 5)) "$PAWL" run graph
