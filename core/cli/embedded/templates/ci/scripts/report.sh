#!/bin/sh
# report.sh: one line a check, from the states that the workflow hands over.
set -eu
for name in SYNTAX UNIT INTEGRATION; do
	eval "state=\$INPUTS_$name"
	printf '%-12s %s\n' "$name" "$state"
done
