#!/usr/bin/env bash
# demo: plays coleam00/Archon issue #1391 with the real program in a scratch project, and what gets one out of it.
# Needs pawl (in PATH, or named by $PAWL) and python3.  Deletes what it made.
set -euo pipefail

PAWL=$(command -v "${PAWL:-pawl}") || {
	echo "demo: pawl is not in PATH (make demo builds it)" >&2
	exit 1
}
command -v python3 >/dev/null || {
	echo "demo: python3 is missing" >&2
	exit 1
}
PATH=$(dirname "$(realpath "$PAWL")"):$PATH
scratch=$(mktemp -d "${TMPDIR:-/tmp}/pawl-demo.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM
exec 2>&1 # errors belong between the commands, where they arise
unset PAWL_PLUGIN_PATH
export HOME=$scratch/home PYTHONDONTWRITEBYTECODE=1
mkdir -p "$HOME" "$scratch/project/.pawl/workflows" "$scratch/server"
cd "$scratch/project"
workflow=.pawl/workflows/release.yaml
seen=$scratch/seen

bold='' dim='' off=''
if [[ -t 1 && -z ${NO_COLOR:-} && ${TERM:-dumb} != dumb ]]; then
	bold=$'\033[1m' dim=$'\033[2m' off=$'\033[0m'
fi

title() { printf '\n%s── %s%s\n' "$bold" "$*" "$off"; }
say() { printf '%s# %s%s\n' "$dim" "$*" "$off"; }

# run COMMAND...: shows it, runs it, and goes on; what matters is checked by `expect`.
status=0
run() {
	local word line=''
	for word; do
		[[ $word =~ ^[A-Za-z0-9_./=,+:@-]+$ ]] || word="'${word//\'/\'\\\'\'}'"
		line+=" $word"
	done
	printf '%s$%s%s\n' "$bold" "$line" "$off"
	status=0
	"$@" || status=$?
}
expect() {
	if [[ $status != "$1" ]]; then
		echo "demo: that should have ended with exit $1, not $status" >&2
		exit 1
	fi
}

# note STEP: keeps how each node of the newest run ended, for the table at the end.
note() {
	printf 'step\t%s\n' "$1" >>"$seen"
	pawl show last --json >>"$seen"
}

title 'The story: coleam00/Archon issue #1391'
say 'compose makes JSON. save-draft splices it into a quoted string, which un-quotes it: draft.json is'
say 'corrupt, and the exit code is 0. publish fails on it. The author mends save-draft and resumes.'

cat >"$workflow" <<'YAML'
name: release
nodes:
  - id: compose
    reads: []
    bash: |
      printf '%s' '{"title": "It is out", "changes": ["faster", "safer"]}'

  - id: save-draft
    depends_on: compose
    reads: []
    writes: ["$ARTIFACTS_DIR/draft.json"]
    bash: |
      printf '%s' '$compose.output' > "$ARTIFACTS_DIR/draft.json"

  - id: publish
    depends_on: save-draft
    reads: []
    runtime: python
    script: |
      import json, os, sys
      with open(os.environ["ARTIFACTS_DIR"] + "/draft.json") as f:
          text = f.read()
      try:
          draft = json.loads(text)
      except ValueError as e:
          sys.exit(f"draft.json is not JSON: {e}\n  {text}")
      print("published:", draft["title"], len(draft["changes"]), "changes")
YAML

title 'Before: "exit 0 means done; resume skips what is done"'
cat >"$scratch/naive" <<'NAIVE'
#!/bin/sh
# A stand-in: a step that exited 0 is done for ever; "resume" skips what is done.
export ARTIFACTS_DIR="$PWD"
step() {
	if [ -e "done-$1" ]; then
		echo "  skip  $1  (done)"
	elif sh -e "$1.sh"; then
		touch "done-$1"
		echo "  run   $1"
	else
		echo "  FAIL  $1"
		exit 1
	fi
}
[ "$1" = resume ] || rm -f done-*
step compose
step save-draft
step publish
echo "completed"
NAIVE
chmod +x "$scratch/naive"
say "A stand-in of $(wc -l <"$scratch/naive") lines for such an engine (it is not Archon, only its rule), with the spliced line."
mkdir "$scratch/old"
cat >"$scratch/old/compose.sh" <<'SH'
printf '%s' '{"title": "It is out", "changes": ["faster", "safer"]}' > compose.out
SH
cat >"$scratch/old/save-draft.sh" <<'SH'
value=$(cat compose.out)
eval "printf '%s' ''$value''" > draft.json
SH
cat >"$scratch/old/publish.sh" <<'SH'
python3 -c 'import json; print("published:", json.load(open("draft.json"))["title"])' 2>/dev/null
SH
(
	cd "$scratch/old"
	PATH=$scratch:$PATH
	run naive run
	expect 1
	run cat draft.json
	echo
	say 'mended:'
	run sed -i '2s/.*/printf "%s" "$value" > draft.json/' save-draft.sh
	run naive resume
	expect 1
	say 'The mended step is never run: it is "done". Its bad file is replayed for ever.'
)

title 'With pawl, the line of the issue does not load'
say "Values are bound as data, never spliced into a script; between single quotes they can't be."
run pawl lint release
expect 2

title 'So the author does it by hand, with eval: as corrupt as in the issue, and exit 0'
python3 - "$workflow" <<'PY'
import sys
path = sys.argv[1]
text = open(path).read()
text = text.replace("""      printf '%s' '$compose.output' > "$ARTIFACTS_DIR/draft.json"
""", """      value=$compose.output
      eval "printf '%s' ''$value''" > "$ARTIFACTS_DIR/draft.json"
""")
open(path, "w").write(text)
PY
run sed -n 8,14p "$workflow"
run pawl run release
expect 1
note 'first run'

title 'The producer is mended; resume'
run sed -i "s|eval .* > |printf '%s' \"\$value\" > |" "$workflow"
run sed -n 12,14p "$workflow"
run pawl resume
expect 0
note 'resume, save-draft mended'
say 'save-draft ran again because its body changed, publish because it had failed; compose was reused.'
run pawl output 1/publish

title 'A bad artifact from a producer that is not at fault: invalidate'
say 'Now compose asks a server (a file here), which answers rubbish with exit 0 for a while.'
python3 - "$workflow" "$scratch/server" <<'PY'
import sys
path, server = sys.argv[1:]
text = open(path).read()
old = text[text.index("  - id: compose"):text.index("  - id: save-draft")]
new = f"""  - id: compose
    env: {{SERVER: {server}}}
    bash: cat "$SERVER/draft"

"""
open(path, "w").write(text.replace(old, new))
PY
echo '{"title": "It is out", "changes": ["fas' >"$scratch/server/draft"
run sed -n 3,5p "$workflow"
run pawl run release
expect 1
note 'run while the server is ill'
say 'The server has recovered:'
echo '{"title": "It is out", "changes": ["faster", "safer", "smaller"]}' >"$scratch/server/draft"
run pawl resume
expect 1
note 'resume after the server recovered'
say 'Nothing that pawl knows of has changed, so it reused both results, and says so. (One more resume would run'
say 'save-draft again, once: a consumer failed on it.) compose is the bad one; let go of it:'
run pawl invalidate 2 compose --reason 'the server was ill'
run pawl resume
expect 0
note 'resume after invalidate'
run pawl output 2/publish

title 'Reuse nothing: --no-resume'
run pawl run release --no-resume
expect 0
note 'run --no-resume'

title 'Never reuse this node: always_run'
run sed -i 's|^  - id: publish|&\n    always_run: true|' "$workflow"
run pawl run release
expect 0
note 'run, publish has always_run'

title 'What was reused, and why'
python3 - "$seen" <<'PY'
import json
import sys
rows = []
for line in open(sys.argv[1]):
    if line.startswith("step\t"):
        rows.append((line.rstrip("\n")[5:],))
        continue
    n = json.loads(line)
    if n["object"] != "node":
        continue
    why = n["error"].split("\n")[0] if n["state"] == "failed" else n["reason"] + ": " + n["sentence"]
    word = {"reused": "reuse", "completed": "run", "failed": "fail", "skipped": "skip"}.get(n["state"], n["state"])
    rows.append((n["node"], word, why if len(why) <= 92 else why[:91] + "…"))
width = max(len(r[0]) for r in rows if len(r) > 1)
for r in rows:
    print(r[0] if len(r) == 1 else f"  {r[0]:{width}}  {r[1]:5}  {r[2]}")
PY
