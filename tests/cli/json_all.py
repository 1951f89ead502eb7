#!/usr/bin/env python3
"""json_all.py PAWL DOCS SCRATCH [WORD]: every command of `pawl help` with --json, where it succeeds, where it fails and where there
is nothing, each in a project of its own: standard output is lines of docs/output.schema.json and nothing else, standard error
is for people, an error is on both, the exit code is the one expected here.  Then the same with a reader that is gone and with a
full disk: the command does what it did, or says that it can't.  A command without a case is an error."""
import glob
import json
import os
import shutil
import subprocess
import sys

from check_events import load, read_lines

PAWL, DOCS, SCRATCH = (os.path.abspath(path) for path in sys.argv[1:4])
ONLY = sys.argv[4] if len(sys.argv) > 4 else ""
SCHEMA = load(os.path.join(DOCS, "output.schema.json"))
PLUGINS = glob.glob(os.path.join(os.path.dirname(PAWL), "../lib/pawl/plugins/pawl_*.so"))
ENV = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": SCRATCH}

FILES = {
    ".pawl/workflows/good.yaml": """name: good
description: two nodes and a file
inputs: {word: {type: string, default: hello}}
nodes:
  - id: make
    bash: echo "$WORD" > $ARTIFACTS_DIR/made.txt; echo made; echo said >&2
    env: {WORD: $INPUTS.word}
    reads: []
  - id: use
    depends_on: [make]
    bash: cat $ARTIFACTS_DIR/made.txt
    reads: []
""",
    ".pawl/workflows/bad.yaml": """name: bad
description: fails
nodes:
  - id: fails
    bash: echo "no good" >&2; exit 3
""",
    ".pawl/workflows/gate.yaml": """name: gate
description: waits
nodes:
  - id: ask
    approval: {message: "Go on?"}
  - id: after
    depends_on: [ask]
    bash: echo after
""",
    ".pawl/workflows/holds.yaml": """name: holds
description: a run within the run, and items
nodes:
  - id: inner
    workflow: good
  - id: each
    fan_out: {items: [a, b], as: word}
    bash: echo $INPUTS.word
""",
    "broken.yaml": "name: broken\nnodes:\n  - id: a\n    bsh: x\n",
    "odd.yaml": "name: odd\nnodes:\n  - id: a\n    bash: echo x\n  - id: b\n    depends_on: [a]\n    bash: echo '$a.output'\n",
    "policies/p.lua": 'return {api = 1, reuse = function(node, result) return false, "never" end,\n'
                      '  test_it = function() assert(true) end}\n',
}

# Of each command: (what it is given, its exit code).  Behind `!` it is run where there is no project at all.
CASES = {
    "run": [("good", 0), ("good -v", 0), ("holds -j1", 0), ("bad", 1), ("gate", 3), ("nothing", 2), ("", 2), ("broken.yaml", 2),
            ("good --reuse=sometimes", 2), ("good -i word=x -f make+", 0), ("good -n", 0), ("good --rehash", 0),
            ("good -i wrd=x", 2), ("! good", 2)],
    "resume": [("2", 1), ("1", 0), ("99", 2), ("nonsense", 2), ("! ", 0)],
    "approve": [("3", 0), ("3 --later --comment fine", 0), ("1", 2), ("3/after", 2), ("! ", 2)],
    "reject": [("3 --comment no", 1), ("3 --later", 0), ("1", 2)],
    "cancel": [("3", 0), ("1", 0), ("2", 0), ("99", 2), ("", 2), ("! 1", 2)],
    "abandon": [("2", 0), ("3", 0), ("1", 0), ("99", 2), ("", 2)],
    "plan": [("good", 0), ("good --exit-code -f make", 10), ("good --rehash", 0), ("holds", 0), ("nothing", 2), ("", 2)],
    "why": [("make", 0), ("fails", 0), ("nothing", 2), ("", 2), ("make --run 99", 2), ("! make", 2)],
    "diff": [("1 4", 0), ("1 4 make", 0), ("1 99", 2), ("1", 2), ("1 4 nothing", 2), ("! 1 2", 2)],
    "verify": [("--store", 0), ("--store make", 2), ("! --store", 0),
               ("make --run 1", 0), ("make --run 1 -v", 0), ("make", 2), ("fails", 2), ("nothing", 2), ("", 2),
               ("! make", 2)],
    "runs": [("", 0), ("good -n 1", 0), ("nothing", 0), ("-n x", 2), ("! ", 0)],
    "show": [("", 0), ("1", 0), ("2/fails", 0), ("1 --events", 0), ("5", 0), ("5/inner/make", 0), ("5/each/make", 2), ("99", 2),
             ("1/mak", 2), ("x", 2), ("! ", 2)],
    "logs": [("", 0), ("2/fails", 0), ("1 -f", 0), ("5/inner", 0), ("1/mak", 2), ("99", 2), ("! ", 2)],
    "output": [("1/make", 0), ("2/fails", 0), ("1", 2), ("1/nothing", 2), ("! 1/make", 2)],
    "artifacts": [("", 0), ("1", 0), ("1/make", 0), ("2", 0), ("1 --extract there", 0), ("99", 2), ("1 --extract /dev/null", 4),
                  ("! ", 2)],
    "report": [("", 0), ("1 -o page.html", 0), ("1 -o -", 0), ("99", 2), ("1 -o /nowhere/page.html", 4), ("! ", 2)],
    "trace": [("1", 0), ("1 -o run.json", 0), ("99", 2), ("! ", 2)],
    "invalidate": [("1 make", 0), ("1 make use -n", 0), ("1 --downstream-of make --reason why", 0), ("5 inner", 0), ("2 fails", 0),
                   ("1 mak", 2), ("1", 2), ("", 2), ("! 1 make", 2)],
    "quarantine": [("1/make --reason bad", 0), ("1/make --reason bad -n", 0), ("2/fails --reason bad", 0), ("1/make", 2),
                   ("1/nothing --reason x", 2), ("! 1/make --reason x", 2)],
    "release": [("1/use", 0), ("4/make", 0), ("4/make -n", 0), ("zz", 2), ("abcdef", 2), ("", 2), ("! 1/use", 2)],
    "verdicts": [("", 0), ("--all", 0), ("extra", 2), ("! ", 0)],
    "init": [("etl", 0), ("--list", 0), ("hello", 0), ("nothing", 2), ("a b", 2), ("! ", 0)],
    "list": [("", 0), ("extra", 2), ("! ", 0)],
    "graph": [("good", 0), ("good --run 1", 0), ("bad --run 1", 2), ("good --dot", 2), ("nothing", 2), ("", 2)],
    "lint": [("", 0), ("good", 0), ("broken.yaml", 2), ("odd.yaml --fix", 0), ("odd.yaml --fix -n", 2), ("nothing", 2), ("! ", 0)],
    "types": [("", 0), ("! ", 0)],
    "schema": [("", 0), ("--check .pawl/workflows/good.yaml", 0), ("--check broken.yaml", 2), ("--check", 2), ("x", 2)],
    "policy": [("test policies/p.lua", 0), ("test policies/p.lua --run 1", 0), ("test policies/none.lua", 2), ("tst", 2), ("", 2)],
    "plugin": [("list", 0), ("new greet", 0), ("new greet policies", 2), ("new NO", 2), ("trust .pawl/plugins/pawl_bash.so", 0),
               ("trust .pawl/plugins/pawl_lua.so", 0), ("untrust .pawl/plugins/pawl_bash.so", 0), ("trust none.so", 2),
               ("untrust .pawl/plugins/pawl_lua.so", 2), ("check .pawl/plugins/pawl_bash.so", 0),
               ("check .pawl/plugins/pawl_script.so", 1),
               ("check none.so", 2), ("", 2), ("lst", 2)],
    "doctor": [("", 0), ("extra", 2), ("! ", 0)],
    "gc": [("", 0), ("-n", 0), ("--max-size 1K", 0), ("--max-size x", 2), ("extra", 2), ("! ", 0)],
    "completion": [("bash", 0), ("zsh", 0), ("fish", 0), ("tcsh", 2), ("", 2), ("--words -- run g", 0)],
    "help": [("", 0), ("run", 0), ("E-USAGE", 0), ("codes", 0), ("rnu", 2), ("E-NOTHING", 2), ("run resume", 2)],
}
# What changes nothing: that it did the same is not looked at.
READERS = {"plan", "why", "diff", "runs", "show", "logs", "output", "verdicts", "list", "graph", "types", "schema", "policy",
           "doctor", "completion", "help"}
EVERYWHERE = [("--help", 0), ("--nonsense", 2)]
# What does not belong to one command.
OUTSIDE = [(["--version"], 0), (["--help"], 0), ([], 0), (["rnu"], 2)]

problems = []


def pawl(where, args, **kwargs):
    return subprocess.run([PAWL, *args], cwd=where, env=ENV, timeout=900, stdin=subprocess.DEVNULL, **kwargs)


def make_project():
    where = os.path.join(SCRATCH, "template")
    for name, text in FILES.items():
        os.makedirs(os.path.dirname(os.path.join(where, name)), exist_ok=True)
        with open(os.path.join(where, name), "w", encoding="utf-8") as file:
            file.write(text)
    os.makedirs(os.path.join(where, ".pawl/plugins"))
    for plugin in PLUGINS:
        shutil.copy(plugin, os.path.join(where, ".pawl/plugins"))
    for args, code in ((["good"], 0), (["bad"], 1), (["gate"], 3), (["good", "-i", "word=other"], 0), (["holds"], 0)):
        done = pawl(where, ["run", *args], capture_output=True)
        assert done.returncode == code, (args, done)
    for args in (["quarantine", "4/make", "--reason", "bad"], ["plugin", "trust", ".pawl/plugins/pawl_bash.so"]):
        done = pawl(where, args, capture_output=True)
        assert done.returncode == 0, (args, done)
    os.rename(os.path.join(SCRATCH, ".config"), os.path.join(SCRATCH, "config"))
    return where


def fresh(template, is_empty):
    where = os.path.join(SCRATCH, "project")
    shutil.rmtree(where, ignore_errors=True)
    shutil.rmtree(os.path.join(SCRATCH, ".config"), ignore_errors=True)
    shutil.copytree(os.path.join(SCRATCH, "config"), os.path.join(SCRATCH, ".config"))
    if is_empty:
        os.mkdir(where)
    else:
        shutil.copytree(template, where, symlinks=True)
    return where


def state(where):
    """What there is afterwards, but for times: two ways of running a command must agree on it."""
    files = []
    for directory, names, leaves in os.walk(where):
        names[:] = [name for name in names if name != "state"]
        files += [os.path.relpath(os.path.join(directory, leaf), where) for leaf in leaves]
    told = []
    for args in (["runs"], ["show"], ["verdicts", "--all"]):
        for line in pawl(where, [*args, "--json"], capture_output=True).stdout.splitlines():
            told.append({name: value for name, value in json.loads(line).items()
                         if name != "sentence" and not name.endswith("_ms")})  # "from run 4, 2 s ago"
    return sorted(files), sorted(json.dumps(line, sort_keys=True) for line in told)


def compare(name, now, then):
    for one, other in zip(now, then):
        if one != other:
            problems.append(f"{name}: it did something else: {set(one) ^ set(other)}")


def check(template, command, words, code, is_empty=False, is_common=False):
    changes = command not in READERS and not is_common
    name = f"pawl {command} {' '.join(words)}{' in an empty directory' if is_empty else ''}".replace("  ", " ")
    args = [*([command] if command else []), *words]
    at = args.index("--") if "--" in args else len(args)
    args[at:at] = ["--json"]
    where = fresh(template, is_empty)
    done = pawl(where, args, capture_output=True)
    after = state(where) if changes else None
    lines = []
    try:
        lines = read_lines(done.stdout, SCHEMA)
    except (AssertionError, ValueError) as wrong:
        problems.append(f"{name}: {wrong}")
    if done.returncode != code:
        problems.append(f"{name}: exit {done.returncode}, not {code}: {done.stderr.decode()[:300]}")
    errors = [line for line in lines if line.get("event") == "error"]
    if code in (2, 4) and (not errors or b"error[" not in done.stderr):
        problems.append(f"{name}: it failed, and {'stderr' if errors else 'stdout'} does not say why")
    if code == 0 and errors:
        problems.append(f"{name}: exit 0 with {errors}")
    if b'{"' in done.stderr or b"\033" in done.stdout + done.stderr:
        problems.append(f"{name}: JSON or colours where they don't belong: {done.stderr[:200]!r}")

    where = fresh(template, is_empty)
    reader, writer = os.pipe()
    os.close(reader)
    gone = pawl(where, args, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    if gone.returncode != code:
        problems.append(f"{name}, the reader gone: exit {gone.returncode}, not {code}")
    if changes:
        compare(f"{name}, the reader gone", state(where), after)
    if is_common:
        return {line["object"] for line in lines if "object" in line}

    where = fresh(template, is_empty)
    with open("/dev/full", "wb") as full:
        done = pawl(where, args, stdout=full, stderr=subprocess.PIPE)
    if done.returncode not in (code, 4):
        problems.append(f"{name}, the disk full: exit {done.returncode}, not {code} or 4")
    if changes:
        compare(f"{name}, the disk full", state(where), after)
    return {line["object"] for line in lines if "object" in line}


def check_document():
    with open(os.path.join(DOCS, "json.md"), encoding="utf-8") as file:
        rows = {row.split("`")[1]: row for row in file if row.startswith("| `")}
    for name, definition in SCHEMA["definitions"].items():
        missing = [member for member in definition["properties"]
                   if member not in ("v", "object") and f"`{member}`" not in rows.get(name, "")]
        if name not in rows or missing:
            problems.append(f"docs/json.md: nothing on {name} {missing}")


def main():
    check_document()
    shutil.rmtree(SCRATCH, ignore_errors=True)
    os.makedirs(SCRATCH)
    commands = [json.loads(line)["command"] for line in pawl(SCRATCH, ["help", "--json"], capture_output=True).stdout.splitlines()]
    assert len(commands) > 20, commands
    problems.extend(f"pawl {command} has no case here" for command in commands if command not in CASES)
    problems.extend(f"there is no command {command}" for command in CASES if command not in commands)
    template = make_project()
    seen = set()
    count = 0
    for command, cases in CASES.items():
        if ONLY not in ("", command):
            continue
        for text, code in cases:
            seen |= check(template, command, text.removeprefix("! ").split(), code, text.startswith("! "))
        for text, code in EVERYWHERE:
            seen |= check(template, command, text.split(), code, is_common=True)
        count += len(cases) + len(EVERYWHERE)
    for words, code in OUTSIDE:
        seen |= check(template, "", words, code, is_common=True)
    never = set(SCHEMA["definitions"]) - seen
    if never and not ONLY:
        problems.append(f"no case prints {sorted(never)}")
    print(f"{count} cases of {len(commands)} commands")
    for problem in problems:
        print(problem)
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
