#!/bin/sh
# totals.sh: adds up the amounts of each customer.  Values come in the environment: INPUTS_ROWS, INPUTS_MINIMUM.
set -eu
printf '%s\n' "$INPUTS_ROWS" |
	awk -F, -v minimum="$INPUTS_MINIMUM" '
		NR > 1 { total[$1] += $2 }
		END { for (name in total) if (total[name] >= minimum) print name "," total[name] }' |
	sort
