#!/bin/sh
# stand-in.sh: answers as an agent would, so that the workflow runs before you have chosen one.
set -eu
cat >/dev/null
printf '{"summary": "nothing to do", "files": {}}\n'
