#!/usr/bin/env python3
"""help_examples.py PAWL SCRATCH: the three examples that `pawl COMMAND --help` begins with, each pasted into a shell in a project
where run 6 of `release` is what the command is about: none is a usage error, none fails but those whose business that is."""
import glob
import json
import os
import shutil
import subprocess
import sys

PAWL, SCRATCH = (os.path.abspath(path) for path in sys.argv[1:3])
PLUGIN = glob.glob(os.path.join(os.path.dirname(PAWL), "../lib/pawl/plugins/pawl_script.so"))[0]
BIN = os.path.join(SCRATCH, "bin")
ENV = {"PATH": f"{os.path.dirname(PAWL)}:{os.environ['PATH']}:{BIN}", "LC_ALL": "C.UTF-8", "HOME": os.path.join(SCRATCH, "home")}

RELEASE = """name: release
inputs: {version: {type: string, default: "1.0"}}
nodes:
  - id: fetch
    bash: echo '{"items":[1]}'
    reads: []
  - id: parse
    depends_on: [fetch]
    bash: echo "$fetch.output"
    reads: []
  - id: build
    depends_on: [parse]
    bash: echo "$VERSION" >$ARTIFACTS_DIR/built
    env: {VERSION: $INPUTS.version}
    reads: []
"""
GATE = RELEASE + """  - id: gate
    depends_on: [build]
    approval: {message: "Ship it?"}
"""
FAILS = RELEASE + """  - id: upload
    depends_on: [build]
    bash: test -e mended || exit 7
"""
# Where run 6 is something else than completed; and what else than 0 is fine.
PROJECTS = {"approve": GATE, "reject": GATE, "cancel": GATE, "abandon": FAILS, "resume": FAILS}
FINE = {"plan release --exit-code": (10,), "reject 6": (1,), "resume 6": (1,), "resume": (1,), "plugin check": (1,),
        "cancel last && pawl resume": (3,), "abandon last && pawl run release": (1,), "approve 6/gate --later": (0,)}


def shell(where, text, **kwargs):
    return subprocess.run(["bash", "-c", "set -o pipefail; " + text], cwd=where, env=ENV, timeout=900, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, **kwargs)


def make_project(name, text):
    where = os.path.join(SCRATCH, name)
    for directory in (".pawl/workflows", ".pawl/policies", ".pawl/plugins", "path/to", "build"):
        os.makedirs(os.path.join(where, directory))
    for path in (".pawl/workflows/release.yaml", "path/to/file.yaml"):
        with open(os.path.join(where, path), "w", encoding="utf-8") as file:
            file.write(text)
    with open(os.path.join(where, ".pawl/policies/nightly.lua"), "w", encoding="utf-8") as file:
        file.write("return {api = 1, reuse = function(node, result) return nil end}\n")
    for _ in range(6):
        shell(where, "pawl run release -q")
    runs = shell(where, "pawl runs --json").stdout.splitlines()
    assert len(runs) == 6, runs
    return where


def prepare(command, template):
    """A project as it is when somebody comes to want this command."""
    where = os.path.join(SCRATCH, "project")
    for directory in (where, ENV["HOME"]):
        shutil.rmtree(directory, ignore_errors=True)
    shutil.copytree(template, where, symlinks=True)
    os.makedirs(os.path.join(ENV["HOME"], ".config/fish/completions"))
    if command == "release":
        assert shell(where, "pawl quarantine 6/fetch --reason bad").returncode == 0
    if command == "init":
        shutil.rmtree(os.path.join(where, ".pawl/workflows"))
    if command == "plugin":
        for path in (".pawl/plugins", "."):
            shutil.copy(PLUGIN, os.path.join(where, path, "pawl_greet.so"))
        assert shell(where, "pawl plugin trust .pawl/plugins/pawl_greet.so").returncode == 0
    return where


def paste(command, example, template):
    where = prepare(command, template)
    if command == "release":
        digest = json.loads(shell(where, "pawl verdicts --json").stdout.splitlines()[0])["output"]
        example = example.replace("3f9a01c2d4e5", digest[:12])
    done = shell(where, example.replace("/tmp/run6", os.path.join(where, "run6")))
    allowed = {0}
    for beginning, codes in FINE.items():
        if example.startswith("pawl " + beginning):
            allowed |= set(codes)
    if done.returncode not in allowed:
        return [f"{example}: exit {done.returncode}: {done.stderr or done.stdout}"]
    return []


def main():
    shutil.rmtree(SCRATCH, ignore_errors=True)
    os.makedirs(BIN)
    for tool in ("dot", "jq", "less"):  # where they are missing
        with open(os.path.join(BIN, tool), "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\ncat\n")
        os.chmod(os.path.join(BIN, tool), 0o755)
    templates = {text: make_project(f"template{i}", text) for i, text in enumerate((RELEASE, GATE, FAILS))}
    commands = [json.loads(line)["command"] for line in shell(SCRATCH, "pawl help --json").stdout.splitlines()]
    problems = [] if len(commands) > 20 else [f"only {commands}"]
    count = 0
    for command in commands:
        lines = json.loads(shell(SCRATCH, f"pawl help {command} --json").stdout)["help"].splitlines()[:3]
        examples = [line.strip().split("   ")[0].split("  ")[0] for line in lines if line.startswith(f"  pawl {command}")]
        if len(examples) != 3:
            problems.append(f"{command} does not begin with three examples")
        for example in examples:
            problems += paste(command, example, templates[PROJECTS.get(command, RELEASE)])
            count += 1
    print(f"{count} examples of {len(commands)} commands")
    print("\n".join(problems))
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
