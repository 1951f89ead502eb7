#!/bin/sh
# prompt.sh: the task, and what the project says of itself.
set -eu
printf 'Task: %s\n\nAnswer with one JSON object: {"summary": "...", "files": {"path": "content"}}\n' "$INPUTS_TASK"
for file in *.md; do
	[ -e "$file" ] || continue
	printf '\n--- %s\n' "$file"
	head -c 4000 "$file"
done
