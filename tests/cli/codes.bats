# The table of error codes: every code that the program can say is in it, and nothing else is.
load helpers

setup() {
	pawl_setup
	SOURCE=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
}

@test "every code of the source is explained, and every explained one is in the source" {
	grep -rhoE '"[EW]-[A-Z0-9]+(-[A-Z0-9]+)*"' "$SOURCE/core" "$SOURCE/plugins" --include='*.c' --include='*.h' |
		tr -d '"' | sort -u >said
	pawl help codes --json | python3 -c 'import json,sys
for line in sys.stdin: print(json.loads(line)["code"])' | sort >explained
	diff said explained || {
		echo "< is said and not explained, > is explained and never said: mend core/cli/embedded/codes.txt" >&2
		return 1
	}
}

@test "each has a meaning, an example and a fix, and they are sorted" {
	pawl help codes --json | python3 -c 'import json,sys
rows = [json.loads(line) for line in sys.stdin]
assert len(rows) > 150, len(rows)
for row in rows:
	for part in ("meaning", "example", "fix"):
		assert len(row[part]) > 2, row
names = [row["code"] for row in rows]
assert names == sorted(set(names)), "not sorted, or twice"'
}

@test "pawl help CODE" {
	ok pawl help E-REF-UPSTREAM
	says "does not run before"
	says "depends_on"
	ok pawl help e-ref-upstream
	says "E-REF-UPSTREAM"
	exits 2 pawl help E-REF-UPSTREEM
	says "did you mean \`pawl help E-REF-UPSTREAM\`?"
	exits 2 pawl help E-NOTHING-LIKE-IT
	says "pawl help codes"
	exits 2 pawl help rnu
	says "did you mean \`pawl help run\`?"
}
