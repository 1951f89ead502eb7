#!/usr/bin/env bash
# Memory of a run, which is to follow the number of nodes and not what they print.
. "$(dirname "$0")/lib.bash"

machine
for nodes in ${NODES:-1000 10000}; do
	layered "$nodes" pawl >.pawl/workflows/graph.yaml
	layered "$nodes" ninja >build.ninja
	rm -rf .pawl/state n? n?? n??? n???? .ninja_*
	"$PAWL" run graph -q >/dev/null
	ninja >/dev/null
	echo "memory: $nodes nodes, nothing to do"
	"$COMPARE" "$ROUNDS" "$PAWL" run graph -q --- ninja
done
cat >.pawl/workflows/wide.yaml <<'Y'
name: wide
nodes:
Y
for i in {1..300}; do
	echo "  - {id: n$i, bash: sleep 1, reads: []}"
done >>.pawl/workflows/wide.yaml
echo "memory: 300 sleeps at once"
"$COMPARE" 3 "$PAWL" run wide -j 300 --no-resume -q
