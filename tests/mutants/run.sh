#!/bin/sh
# Are the rules tested?  Takes one out after another and looks whether a test fails.  docs/testing.md, "Mutants".
# usage: run.sh [AREA [NUMBER...]]
exec python3 -B "$(dirname "$0")/mutants.py" "$@"
