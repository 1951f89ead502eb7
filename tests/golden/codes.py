#!/usr/bin/env python3
"""codes: every code that the program can say is provoked, and what it says is what stands in codes/CODE.txt.

    codes.py PAWL PLUGINS             runs all recipes; exit 1 where one is missing or says something else
    codes.py PAWL PLUGINS CODE...     those alone
    codes.py --update PAWL PLUGINS [CODE...]   writes what they say

A recipe is the files of a small project and what is typed in it:

    # what is done, where the example of the code's entry in codes.txt is in words
    == w.yaml
    name: w
    ...
    == run
    mkdir out                   set-up: not shown, and must succeed
    $ pawl run w.yaml           shown, with what it prints and its exit code
    error[E-...]: ...

Each runs in a new project with a home of its own.  Paths, digests, times and process numbers are replaced by names.  A line
`needs: WORD` before the files names what not every machine has: see NEEDS.  It does not know what the codes mean.
"""
import concurrent.futures
import difflib
import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
RECIPES = HERE / "codes"

# Codes that nothing outside of the program brings about, and why.
UNPROVOKED = {
    "E-BUG": "an error without a code, of which there is none: cli.codes holds all of the sources against the table",
}


def has_sanitizer(pawl):
    return b"__asan_init" in pawl.read_bytes() or b"__tsan_init" in pawl.read_bytes()


def can_mount():
    trial = ["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/tmp"]
    return shutil.which("unshare") and subprocess.run(trial, capture_output=True, check=False).returncode == 0


class Machine:
    """What the recipes may ask for, found out once and only when asked."""

    def __init__(self, pawl, plugins):
        self.pawl = pathlib.Path(pawl).resolve()
        self.plugins = pathlib.Path(plugins).resolve()
        self.answers = {}

    def lacks(self, need):
        if need not in NEEDS:
            raise SystemExit(f"no recipe can need `{need}`: {', '.join(NEEDS)}")
        if need not in self.answers:
            self.answers[need] = NEEDS[need](self)
        return None if self.answers[need] else need


NEEDS = {
    # mounts in a namespace of its own
    "mounts": lambda m: can_mount(),
    # a limit of memory, a crash without a sanitizer's report
    "no sanitizer": lambda m: not has_sanitizer(m.pawl),
    "cc": lambda m: shutil.which("cc"),
    "python3": lambda m: shutil.which("python3"),
    # fault.c before the program's own libraries, which a sanitizer doesn't like
    "faults": lambda m: not has_sanitizer(m.pawl),
}


class Recipe:
    def __init__(self, path):
        self.path = path
        self.code = path.stem
        self.text = path.read_text(encoding="utf-8")
        self.comments, self.needs, self.files, self.setup, self.typed = [], [], [], [], []
        self.head = self.text.split("\n== run\n")[0] if "\n== run\n" in self.text else ""
        if self.text.startswith("== run\n"):
            self.head = ""
        self.read()

    def read(self):
        section = None
        for line in self.text.splitlines():
            if line.startswith("== "):
                section = line[3:]
                if section != "run":
                    self.files.append((section, []))
            elif section is None:
                if line.startswith("# "):
                    self.comments.append(line[2:])
                elif line.startswith("needs: "):
                    self.needs.append(line[7:])
                elif line:
                    raise SystemExit(f"{self.path}: what is `{line}`?")
            elif section != "run":
                self.files[-1][1].append(line)
            elif line.startswith("$ "):
                self.typed.append(line[2:])
            elif not self.typed and line:
                self.setup.append(line)
        helps = f"pawl help {self.code}"
        if helps not in self.typed:
            self.typed.append(helps)

    def script(self):
        """Set-up as it is, then each typed line with a mark before and its exit code after it."""
        out = [PRELUDE, "LOG=$PWD/setup.log; exec 8>&1 >$LOG 2>&1 </dev/null; set -e"]
        out += self.setup
        out += ["set +e", "rm -f $LOG; exec 1>&8 2>&1"]
        for line in self.typed:
            out += [f"printf '%s\\n' {quoted('$ ' + line)}", line, 'ended $?']
        out += ["kill $(jobs -p) 2>&-"]
        return "\n".join(out) + "\n"

    def updated(self, said):
        text = self.head + "\n" if self.head else ""
        text += "== run\n"
        text += "".join(line + "\n" for line in self.setup)
        return text + said


PRELUDE = r"""
pawl() { "$PAWL" "$@"; }
# Plugins of the tests: found by their keyword.
plugins() { export PAWL_PLUGIN_PATH=$PLUGINS; }
# Without the right of root to read and write everything.
humbly() {
	if [ "$(id -u)" = 0 ]; then
		setpriv --bounding-set=-dac_override,-dac_read_search,-fowner -- "$@"
	else
		"$@"
	fi
}
# FAULT="CALL ERRNO" broken ARGUMENTS: pawl, where a system call fails.
broken() { LD_PRELOAD=$PLUGINS/../golden/fault.so "$PAWL" "$@"; }
# wait_for FILE
wait_for() {
	for _ in {1..500}; do [ -e "$1" ] && return 0; sleep 0.02; done
	echo "$1 did not appear"
	return 1
}
ended() { [ "$1" = 0 ] || echo "(exit $1)"; }
"""


def quoted(text):
    return "'" + text.replace("'", "'\\''") + "'"


def normal(text, places):
    for place, name in places:
        text = text.replace(place, name)
    for pattern, name in (
        (r"\b[0-9a-f]{64}\b", "<digest>"),
        (r"\b[0-9a-f]{2}/[0-9a-f]{62}\b", "<digest>"),
        (r"\b[0-9a-f]{12}\b|\b[0-9a-f]{32}\b", "<digest>"),
        (r"\d{4}-\d\d-\d\d[T ]\d\d[:-]?\d\d[:-]?\d\d(\.\d+)?Z?", "<time>"),
        (r"(?m)  \d+(\.\d+)?(ms|s)$", "  <time>"),
        (r"/proc/\d+", "/proc/<pid>"),
        (r"\bpid \d+", "pid <pid>"),
        (r"\bprocess \d+", "process <pid>"),
        # said on busy machines only
        (r"(?m)^.* held up the loop for \d+ ms$\n", ""),
    ):
        text = re.sub(pattern, name, text)
    return text


def play(machine, recipe):
    """What is printed, or None and the reason."""
    top = pathlib.Path(tempfile.mkdtemp(prefix="pawl-codes-"))
    try:
        return play_in(machine, recipe, top)
    finally:
        subprocess.run(["chmod", "-R", "u+rwX", str(top)], capture_output=True, check=False)
        subprocess.run(["rm", "-rf", str(top)], check=False)


def play_in(machine, recipe, top):
    project, home = top / "project", top / "home"
    (project / ".pawl/workflows").mkdir(parents=True)
    home.mkdir()
    for name, lines in recipe.files:
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    env = {
        "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(home), "TMPDIR": str(home), "LC_ALL": "C.UTF-8",
        "NO_COLOR": "1", "TZ": "UTC", "PAWL": str(machine.pawl), "PLUGINS": str(machine.plugins),
        "ASAN_OPTIONS": "detect_leaks=0",
    }
    shell = ["bash", "--noprofile", "--norc", "-c", recipe.script()]
    if "mounts" in recipe.needs:
        shell = ["unshare", "-rm", "--"] + shell
    child = subprocess.Popen(shell, cwd=project, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, start_new_session=True)
    try:
        out, _ = child.communicate(timeout=1200)
    except subprocess.TimeoutExpired:
        return None, "it did not end within two minutes"
    finally:
        end_group(child.pid)
    log = project / "setup.log"
    if log.exists():
        return None, "its set-up failed:\n" + log.read_text(errors="replace")
    places = [(str(project), "/project"), (str(home), "/home/me"), (str(machine.plugins), "/plugins"),
              (str(machine.pawl), "/bin/pawl"), (f"by {pwd.getpwuid(os.getuid()).pw_name}:", "by me:")]
    return normal(out.decode("utf-8", "backslashreplace"), places), None


def end_group(leader):
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        pass


def complaints(machine, recipe, entry, said):
    """What is wrong with a recipe besides that it says something else."""
    before_help = said.split(f"$ pawl help {recipe.code}\n")[0]
    if not re.search(f"(?<![A-Z-]){recipe.code}(?![A-Z0-9-])", before_help):
        yield "what it runs does not say " + recipe.code
    help_text = said.split(f"$ pawl help {recipe.code}\n")[-1]
    for part in ("meaning", "example", "fix"):
        if squeezed(entry[part]) not in squeezed(help_text):
            yield f"`pawl help {recipe.code}` does not show its {part}: {entry[part]}"
    shown = squeezed(recipe.text.split(f"$ pawl help {recipe.code}")[0])
    if squeezed(entry["example"]) not in shown:
        yield f"the example of its entry is not what it runs, and no comment says so: {entry['example']}"


def squeezed(text):
    return re.sub(r"\s+", " ", text)


def check(machine, recipe, entry, update):
    missing = [need for need in recipe.needs if machine.lacks(need)]
    if missing:
        return "skipped", f"needs {', '.join(missing)}"
    began = time.monotonic()
    said, why = play(machine, recipe)
    if os.environ.get("SHOW_TIMES"):
        print(f"{time.monotonic() - began:6.2f} s {recipe.code}")
    if said is None:
        return "failed", why
    wanted = recipe.updated(said)
    wrong = list(complaints(machine, recipe, entry, said))
    if update and wanted != recipe.text:
        recipe.path.write_text(wanted, encoding="utf-8")
    elif wanted != recipe.text:
        wrong += list(difflib.unified_diff(recipe.text.splitlines(), wanted.splitlines(), "golden", "said", lineterm="", n=1))
    return ("failed", "\n".join(wrong)) if wrong else ("ok", "")


def main(args):
    update = args[:1] == ["--update"]
    pawl, plugins, *only = args[update:]
    machine = Machine(pawl, plugins)
    listed = subprocess.run([pawl, "help", "codes", "--json"], capture_output=True, check=True, text=True).stdout
    entries = {entry["code"]: entry for entry in map(json.loads, listed.splitlines())}
    recipes = {path.stem: Recipe(path) for path in sorted(RECIPES.glob("*.txt"))}
    failed = skipped = 0
    for code in entries:
        if code not in recipes and code not in UNPROVOKED and (not only or code in only):
            failed += 1
            print(f"{code}: no recipe: {RECIPES / (code + '.txt')}")
    for code in list(recipes) + list(UNPROVOKED):
        if code not in entries:
            failed += 1
            print(f"{code}: core/cli/embedded/codes.txt has no such code")
    todo = [recipe for code, recipe in recipes.items() if code in entries and (not only or code in only)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        results = pool.map(lambda recipe: check(machine, recipe, entries[recipe.code], update), todo)
        for recipe, (state, text) in zip(todo, results):
            failed += state == "failed"
            skipped += state == "skipped"
            if state != "ok":
                print(f"{recipe.code}: {state}: {text}")
    print(f"{len(todo) - skipped} of {len(entries)} codes provoked, {skipped} skipped, {failed} complaints")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
