#!/usr/bin/env bats
# plan names what run runs, and resumed runs end like fresh ones, over random workflows and edits: see property.py.
load helpers

@test "random workflows under random edits: plans come true, and the end is that of a fresh run" {
	run python3 "$BATS_TEST_DIRNAME/property.py"
	printf '%s\n' "$output"
	printf '# %s\n' "${lines[-1]}" >&3
	[ "$status" -eq 0 ]
}
