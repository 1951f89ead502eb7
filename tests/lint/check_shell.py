"""Shell scripts pass shellcheck."""
import subprocess

from source import need

ABOUT = "shellcheck finds nothing"


def is_script(tree, name):
    if name.endswith(".sh"):
        return True
    if name.endswith(".bats") or "." in name.rsplit("/", 1)[-1]:
        return False
    with open(tree.root / name, "rb") as file:
        first = file.readline(80)
    return first.startswith(b"#!") and (b"bash" in first or first.rstrip().endswith(b"/sh"))


def run(tree):
    shellcheck = need("shellcheck", "apt-get install shellcheck")
    names = [name for name in tree.files(".") if is_script(tree, name)]
    if not names:
        return
    done = subprocess.run(
        [shellcheck, "-x", "-f", "gcc", "-S", "warning", *names],
        cwd=tree.root, capture_output=True, text=True, check=False)
    for line in done.stdout.splitlines():
        path, number, _, message = line.split(":", 3)
        yield path, number, message.strip()


BAD = [
    ({"scripts/a.sh": "#!/bin/bash\ncd $1\nrm $2/*\n"}, ["scripts/a.sh:2"]),
    ({".ci/run": "#!/bin/bash\nif [ $a = ]; then\n"}, [".ci/run"]),
]
GOOD = {"scripts/a.sh": "#!/bin/bash\nset -e\necho \"$1\"\n", "data.txt": "$1 $(\n"}
