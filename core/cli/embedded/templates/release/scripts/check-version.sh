#!/bin/sh
# check-version.sh VERSION: is it three numbers with dots between?
set -eu
if ! printf '%s\n' "$1" | grep -Eqx '[0-9]+\.[0-9]+\.[0-9]+'; then
	echo "\"$1\" is not a version: write 1.2.3" >&2
	exit 1
fi
echo "$1"
