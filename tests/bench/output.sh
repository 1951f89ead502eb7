#!/usr/bin/env bash
# One node that prints 1 GB, stored and hashed on the way, against a pipe into sha256sum.
. "$(dirname "$0")/lib.bash"

cat >.pawl/workflows/flood.yaml <<'Y'
name: flood
nodes:
  - {id: flood, bash: head -c 1000000000 /dev/zero, reads: []}
Y
machine
echo "output: 1 GB of standard output, against head | sha256sum"
"$COMPARE" "$ROUNDS" --before 'rm -rf .pawl/state' "$PAWL" run flood --- \
	sh -c 'head -c 1000000000 /dev/zero | sha256sum'
echo "output: the same, against head | sha256sum, written to a file as well"
"$COMPARE" "$ROUNDS" --before 'rm -rf .pawl/state saved' "$PAWL" run flood --- \
	sh -c 'head -c 1000000000 /dev/zero | tee saved | sha256sum'
