#!/bin/sh
# report.sh: one line a check, from the states that the workflow hands over.
set -eu
printf '%-12s %s\n' syntax "$INPUTS_SYNTAX" unit "$INPUTS_UNIT" integration "$INPUTS_INTEGRATION"
