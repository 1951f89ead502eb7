"""examples: runs every example of the documents as a reader would, and compares what the documents show.

    examples.py PAWL FILE.md...            run, say what differs
    examples.py --update PAWL FILE.md...   write what the program prints into the documents
    examples.py --prove PAWL               show on small documents that it finds what it is there for

In a document:

    ```yaml PATH       (any language) writes the block to PATH in the scratch project
    ```yaml            a workflow, a list of nodes, or fields of a node: it must pass `pawl lint`
    ```console         `$ command` lines (continued by `> `), each followed by what it prints, stdout and stderr
    <!-- new project -->      what follows begins in an empty directory
    <!-- not run: why -->     the next block is left alone; counted and printed

In shown output `...` stands for anything, alone on a line for any number of lines.  Durations, ages below a minute,
the project's directory (/home/ann/project) and the user (ann) are made equal before comparing.
"""
import difflib
import getpass
import os
import re
import subprocess
import sys
import tempfile

PROJECT = "/home/ann/project"
FENCE = re.compile(r"^```([\w-]+)?(?: +(\S+))?\s*$")
NOT_RUN = re.compile(r"^<!-- not run: (.+) -->$")
DURATION = re.compile(r"\b\d+(?:\.\d+)?m?s\b")
# A program of the system is another one on another machine.
PROGRAM = re.compile(r"(\btool +\S+ )[0-9a-f]{12}( /usr/)")
AGE = re.compile(r"\bjust now\b|\b\d+ s ago\b")


class Block:
    def __init__(self, language, path, first):
        self.language, self.path, self.first = language, path, first  # first: index of its first line
        self.lines = []
        self.not_run = None


def blocks_of(lines):
    """Yields Block, and None where a new project begins."""
    block = not_run = None
    for number, line in enumerate(lines):
        fence = FENCE.match(line)
        if block:
            if line.rstrip() == "```":
                yield block
                block = None
            else:
                block.lines.append(line)
        elif fence:
            block = Block(fence.group(1), fence.group(2), number + 1)
            block.not_run, not_run = not_run, None
        elif line.strip() == "<!-- new project -->":
            yield None
        elif NOT_RUN.match(line):
            not_run = NOT_RUN.match(line).group(1)


def steps_of(block):
    """(command, expected lines) of a console block."""
    steps = []
    for line in block.lines:
        if line.startswith("$ "):
            steps.append((line[2:], []))
        elif line.startswith("> ") and steps and not steps[-1][1]:
            steps[-1] = (steps[-1][0] + "\n" + line[2:], [])
        elif steps:
            steps[-1][1].append(line)
        else:
            raise SystemExit(f"line {block.first + 1}: a console block begins with `$ command`")
    return steps


def same(line):
    return PROGRAM.sub(r"\1DIGEST\2", AGE.sub("AGE", DURATION.sub("TIME", line))).rstrip()


def line_fits(wanted, line):
    parts = [re.escape(p) for p in same(wanted).split("...")]
    return re.fullmatch(".*".join(parts), same(line)) is not None


def fits(wanted, lines):
    """Whether the lines are what is wanted; `...` alone takes any number of them."""
    reached = {0}
    for want in wanted:
        if want.strip() == "...":
            reached = set(range(min(reached), len(lines) + 1))
        else:
            reached = {at + 1 for at in reached if at < len(lines) and line_fits(want, lines[at])}
        if not reached:
            return False
    return len(lines) in reached


def as_workflow(lines):
    """A fragment, made whole."""
    text = "\n".join(lines) + "\n"
    keys = [line.split(":")[0] for line in lines if line[:1].isalpha()]
    if text.lstrip("# ").startswith("- ") or re.match(r"(#.*\n)*- ", text):
        return "name: example\nnodes:\n" + "".join(f"  {line}\n" for line in lines)
    if "nodes" in keys:
        return text if "name" in keys else "name: example\n" + text
    body = "" if {"bash", "script", "lua"} & set(keys) else "    bash: echo hello\n"
    return "name: example\nnodes:\n  - id: n\n" + body + "".join(f"    {line}\n" for line in lines)


class Reader:
    """Somebody who follows one document."""

    def __init__(self, pawl, root):
        self.pawl, self.root, self.number, self.last = pawl, root, 0, 0
        self.dir = None

    def project(self):
        self.number += 1
        self.dir = os.path.join(self.root, str(self.number), "project")
        os.makedirs(self.dir)
        os.makedirs(os.path.join(self.root, str(self.number), "home"))
        self.last = 0

    def run(self, command):
        home = os.path.join(os.path.dirname(self.dir), "home")
        env = {
            "HOME": home, "PATH": os.path.dirname(self.pawl) + ":" + os.environ["PATH"], "LANG": "C.UTF-8",
            "TERM": "dumb", "USER": getpass.getuser(), "PYTHONDONTWRITEBYTECODE": "1",
        }
        for name in ("ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS"):
            if name in os.environ:
                env[name] = os.environ[name]
        done = subprocess.run(
            ["bash", "-c", f"(exit {self.last})\n{command}"], cwd=self.dir, env=env, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=900, check=False)
        self.last = done.returncode
        text = done.stdout.decode(errors="replace").replace(self.dir, PROJECT).replace(home, "/home/ann")
        text = re.sub(rf"\bby {re.escape(getpass.getuser())}\b", "by ann", text)
        # A busy machine is no fault of the example's.
        lines = [line for line in text.rstrip("\n").split("\n") if "held up the loop for" not in line]
        return lines if text.strip() else []

    def write(self, path, lines):
        path = os.path.join(self.dir, path)
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        if lines and lines[0].startswith("#!"):
            os.chmod(path, 0o755)


class Document:
    def __init__(self, path):
        self.path = path
        with open(path, encoding="utf-8") as file:
            self.lines = file.read().split("\n")
        self.replaced = {}  # first line of a block -> its new lines
        self.failures, self.not_run, self.commands = [], [], 0

    def console(self, reader, block):
        shown = []
        steps = steps_of(block)
        for at, (command, wanted) in enumerate(steps):
            lines = reader.run(command)
            self.commands += 1
            good = fits(wanted, lines)
            asks = at + 1 < len(steps) and steps[at + 1][0].startswith("echo $?")
            if not wanted and reader.last and not asks:
                good = False
                lines = lines or ["..."]
            if not good:
                diff = "\n".join(difflib.unified_diff(wanted, lines, "the document", "the program", lineterm=""))
                self.failures.append(f"{self.path}:{block.first + 1}: $ {command}\n{diff}")
            text = command.split("\n")
            shown += ["$ " + text[0], *("> " + more for more in text[1:]), *(wanted if good else lines)]
        self.replaced[block.first] = (len(block.lines), shown)

    def fragment(self, reader, block):
        path = os.path.join(reader.dir, "fragment.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(as_workflow(block.lines))
        # lint looks whether the policies are there, and no further.
        for name in re.findall(r"[\w./-]+\.lua\b", "\n".join(block.lines)):
            os.makedirs(os.path.join(reader.dir, os.path.dirname(name)), exist_ok=True)
            open(os.path.join(reader.dir, name), "a", encoding="utf-8").close()
        lines = reader.run("pawl lint fragment.yaml")
        self.commands += 1
        if reader.last:
            self.failures.append(f"{self.path}:{block.first + 1}: this does not pass lint:\n" + "\n".join(lines))
        os.unlink(path)
        reader.last = 0

    def play(self, pawl):
        with tempfile.TemporaryDirectory() as root:
            reader = Reader(pawl, root)
            reader.project()
            for block in blocks_of(self.lines):
                if block is None:
                    reader.project()
                elif block.not_run:
                    self.not_run.append(f"{self.path}:{block.first + 1}: not run: {block.not_run}")
                elif block.path:
                    reader.write(block.path, block.lines)
                elif block.language == "console":
                    self.console(reader, block)
                elif block.language == "yaml":
                    self.fragment(reader, block)

    def update(self):
        for first in sorted(self.replaced, reverse=True):
            count, shown = self.replaced[first]
            self.lines[first:first + count] = shown
        with open(self.path, "w", encoding="utf-8") as file:
            file.write("\n".join(self.lines))


# A document, and what must be said of it; None: nothing.
PROOFS = [
    ("```console\n$ echo a; echo b\na\nb\n```\n", None),
    ("```console\n$ echo a; echo b\na\n```\n", "echo a; echo b"),
    ("```console\n$ echo a; echo b\n...\nb\n```\n", None),
    ("```console\n$ echo a; echo b\n...\na\n```\n", "+b"),
    ("```console\n$ echo took 5ms here\ntook 31ms ...\n```\n", None),
    ("```console\n$ false\n```\n", "$ false"),
    ("```console\n$ false\n$ echo $?\n1\n```\n", None),
    ("```text a/b.txt\nhello\n```\n\n```console\n$ cat a/b.txt\nhello\n```\n", None),
    ("```text a\n```\n\n<!-- new project -->\n\n```console\n$ ls\na\n```\n", "-a"),
    ("```yaml\nretry: {max_attempts: 2}\n```\n", None),
    ("```yaml\nretri: {max_attempts: 2}\n```\n", "retri"),
    ("```yaml\n- id: a\n  depends_on: b\n  bash: ls\n```\n", "E-DEP-UNKNOWN"),
]


def prove(pawl):
    wrong = 0
    with tempfile.TemporaryDirectory() as scratch:
        path = os.path.join(scratch, "document.md")
        for text, wanted in PROOFS:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            document = Document(path)
            document.play(os.path.abspath(pawl))
            said = "\n".join(document.failures)
            if bool(said) != bool(wanted) or (wanted and wanted not in said):
                print(f"{text}\nshould have been told {wanted!r}, and was told\n{said}\n")
                wrong += 1
    print(f"{len(PROOFS)} documents, {wrong} judged wrongly")
    return bool(wrong)


def main(args):
    if args[:1] == ["--prove"]:
        return prove(args[1])
    update = args[:1] == ["--update"]
    pawl, *paths = args[1:] if update else args
    failed = commands = 0
    for path in sorted(paths):
        document = Document(path)
        document.play(os.path.abspath(pawl))
        commands += document.commands
        print(*document.not_run, sep="\n", end="\n" if document.not_run else "")
        if document.failures:
            print(*document.failures, sep="\n\n", end="\n\n")
            failed += len(document.failures)
            if update:
                document.update()
    print(f"{commands} commands of {len(paths)} documents, {failed} not as shown")
    if failed and not update:
        print("where the program is right: tests/docs/examples.py --update PAWL FILE.md, and look at the difference")
    return bool(failed) and not update


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
