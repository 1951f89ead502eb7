#!/usr/bin/env python3
"""Random small workflows under random edits.  Two properties must hold after each edit:

- what `pawl plan` calls `run` then runs, what it calls `reuse` is reused; only a `maybe` may go either way;
- the outputs and files in the end are those of a run in an empty store.

PAWL_PROPERTY_SEED repeats a run that failed, PAWL_PROPERTY_COUNT says how many workflows to try.
"""
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time

PAWL = os.environ["PAWL"]
LIMIT_S = 60


class Failure(Exception):
    pass


class Node:
    def __init__(self, rng, index, above, sources):
        self.id = f"n{index}"
        self.deps = rng.sample(above, rng.randint(0, min(2, len(above))))
        self.sources = rng.choice([rng.sample(sources, rng.randint(0, 2)), ["src"], ["'src/*.txt'"]])
        self.writes = rng.choice([None, None, "file", "dir"])
        self.always = rng.random() < 0.1
        self.tag = rng.randint(0, 2)
        self.comment = 0
        self.env = rng.randint(0, 2) if rng.random() < 0.3 else None
        # Without a declaration only files that the body names are seen, and of directories and globs nothing.
        names_files = all(path.endswith(".txt") and "*" not in path for path in self.reads())
        self.declares = rng.random() < 0.8 or not names_files
        # What it passes on of its inputs: all of them, their number of lines, or nothing.
        self.keeps = rng.choice(["cat", "cat", "grep -c ''", "cat >/dev/null"])

    def out(self):
        return f"out/{self.id}.txt" if self.writes == "file" else f"out/{self.id}"

    def reads(self):
        return self.sources + [d.out() for d in self.deps if d.writes]

    def made(self):
        """The files that it writes."""
        return {None: [], "file": [self.out()], "dir": [f"{self.out()}/a.txt", f"{self.out()}/sub/b.txt"]}[self.writes]

    def yaml(self, sources):
        lines = [f"  - id: {self.id}"]
        if self.deps:
            lines.append(f"    depends_on: [{', '.join(d.id for d in self.deps)}]")
        if self.declares:
            lines.append(f"    reads: [{', '.join(self.reads())}]")
        if self.writes:
            lines.append(f"    writes: [{self.out()}]")
        if self.always:
            lines.append("    always_run: true")
        if self.env is not None:
            lines.append(f"    env: {{FLAVOUR: '{self.env}'}}")
        lines.append("    bash: |")
        body = [f"# comment {self.comment}", f"[ ! -e fail-{self.id} ] || exit 1", "{"]
        body += [f"echo tag {self.tag} ${{FLAVOUR-}}"]
        body += [f"find {path} -type f | sort | xargs -r cat" for path in map(unquoted, self.reads())]
        body += [f'printf "%s\\n" "${d.id}.output"' for d in self.deps]
        body += [f"}} | {{ {self.keeps} || true; }}"]
        if self.writes:
            body[-1] += f" >part-{self.id}"
            body += [f"rm -rf {self.out()}"]
            for path in self.made():
                body += [f"mkdir -p {os.path.dirname(path)}", f"cp part-{self.id} {path}"]
            body += [f"rm part-{self.id}", f"echo {self.id} is written"]
        return lines + ["      " + line for line in body]


def unquoted(text):
    return text.strip("'")


class Project:
    def __init__(self, rng, root):
        self.rng = rng
        self.root = root
        self.sources = [f"src/{c}.txt" for c in "abc"]
        self.failing = set()
        os.makedirs(f"{root}/.pawl/workflows")
        os.makedirs(f"{root}/src")
        os.makedirs(f"{root}/out")
        for path in self.sources:
            self.write(path, rng.randint(0, 3))
        self.nodes = []
        for i in range(rng.randint(2, 7)):
            self.nodes.append(Node(rng, i, self.nodes, self.sources))
        self.save()

    def write(self, path, number):
        with open(f"{self.root}/{path}", "w", encoding="utf-8") as out:
            out.write(f"{path} {number}\n" * (1 + number % 2))

    def save(self):
        lines = ["name: random", "nodes:"]
        for node in self.nodes:
            lines += node.yaml(self.sources)
        with open(f"{self.root}/.pawl/workflows/random.yaml", "w", encoding="utf-8") as out:
            out.write("\n".join(lines) + "\n")

    def edit(self):
        """Changes one thing and says which."""
        node = self.rng.choice(self.nodes)
        kind = self.rng.choice(["tag", "comment", "env", "source", "source", "more", "touch", "delete", "break", "none"])
        if kind == "tag":
            node.tag = self.rng.randint(0, 2)
        elif kind == "comment":
            node.comment = self.rng.randint(0, 2)
        elif kind == "env":
            node.env = self.rng.choice([None, 0, 1, 2])
        elif kind == "source":
            self.write(self.rng.choice(self.sources), self.rng.randint(0, 3))
        elif kind == "more":
            extra = f"{self.root}/src/extra.txt"
            if os.path.exists(extra):
                os.unlink(extra)
            else:
                self.write("src/extra.txt", self.rng.randint(0, 3))
        elif kind == "touch":
            os.utime(f"{self.root}/{self.rng.choice(self.sources)}")
        elif kind == "delete" and node.writes:
            path = f"{self.root}/{self.rng.choice([node.out(), *node.made()])}"
            if os.path.isdir(path):
                shutil.rmtree(path)
            elif os.path.exists(path):
                os.unlink(path)
        elif kind == "break":
            self.failing.add(node.id)
            open(f"{self.root}/fail-{node.id}", "w", encoding="utf-8").close()
        self.save()
        return f"{kind} {node.id}"

    def mend(self):
        for node in self.failing:
            os.unlink(f"{self.root}/fail-{node}")
        self.failing.clear()

    def pawl(self, *args, fine=(0,)):
        env = {"HOME": self.root, "PATH": os.environ["PATH"], "NO_COLOR": "1"}
        got = subprocess.run([PAWL, *args], cwd=self.root, env=env, capture_output=True, text=True,
                             timeout=900, check=False)
        if got.returncode not in fine:
            raise Failure(f"pawl {' '.join(args)} ended with {got.returncode}:\n{got.stdout}{got.stderr}")
        return got.stdout

    def planned(self, *args):
        found = re.findall(r"^  (run|maybe|reuse|skip) +(\S+)", self.pawl(*args), re.MULTILINE)
        return {node: word for word, node in found}

    def rows(self, run="last"):
        lines = self.pawl("show", run, "--json").splitlines()
        return {row["node"]: row for row in map(json.loads, lines) if row.get("node")}

    def files(self):
        found = {}
        for node in self.nodes:
            for path in node.made():
                with open(f"{self.root}/{path}", encoding="utf-8") as file:
                    found[path] = file.read()
        return found


def compare(project, plan, done, what):
    ran = {node for node, row in project.rows().items() if row["state"] in ("completed", "failed")}
    reused = {node for node, row in project.rows().items() if row["state"] == "reused"}
    failed = {node for node, row in project.rows().items() if row["state"] == "failed"}
    for node, word in plan.items():
        below = is_below(project, node, failed)
        if word == "run" and node not in ran and not below:
            raise Failure(f"{what}: planned to run, but didn't: {node}\n{done}")
        if word == "reuse" and node not in reused:
            raise Failure(f"{what}: planned to be reused, but ran: {node}\n{done}")
    unplanned = ran - {node for node, word in plan.items() if word in ("run", "maybe")}
    if unplanned:
        raise Failure(f"{what}: ran unplanned: {unplanned}\n{done}")


def is_below(project, node_id, failed):
    node = next(n for n in project.nodes if n.id == node_id)
    return any(d.id in failed or is_below(project, d.id, failed) for d in node.deps)


def fresh_outcome(project, root):
    os.makedirs(f"{root}/.pawl")
    os.makedirs(f"{root}/out")
    shutil.copytree(f"{project.root}/src", f"{root}/src")
    shutil.copytree(f"{project.root}/.pawl/workflows", f"{root}/.pawl/workflows")
    other = Project.__new__(Project)
    other.root, other.nodes = root, project.nodes
    other.pawl("run", "random")
    return {node: row["output"] for node, row in other.rows().items()}, other.files()


def step(project, number, log):
    """Edits, plans, runs; a run that fails is mended and resumed."""
    log.append(project.edit())
    if project.rng.random() < 0.3:
        log.append(project.edit())
    plan = project.planned("plan", "random")
    done = project.pawl("run", "random", fine=(0, 1))
    compare(project, plan, done, f"run {number}")
    if not project.failing:
        return
    project.mend()
    if project.rng.random() < 0.5:
        log.append("then " + project.edit())
        project.mend()
    command = ["resume"]
    if all(row["state"] in ("completed", "reused") for row in project.rows().values()):
        command = ["run", "random"]
    log.append(command[0])
    plan = project.planned(*command, "-n")
    done = project.pawl(*command)
    compare(project, plan, done, f"resume {number}")


def trial(seed, where):
    rng = random.Random(seed)
    project = Project(rng, f"{where}/project")
    log = []
    try:
        project.pawl("run", "random")
        for number in range(2, 2 + rng.randint(2, 4)):
            step(project, number, log)
        outputs = {node: row["output"] for node, row in project.rows().items()}
        fresh, files = fresh_outcome(project, f"{where}/fresh")
        if outputs != fresh:
            raise Failure(f"other outputs than a fresh run:\n{outputs}\n{fresh}")
        if project.files() != files:
            raise Failure(f"other files than a fresh run:\n{project.files()}\n{files}")
    except Failure as failure:
        with open(f"{project.root}/.pawl/workflows/random.yaml", encoding="utf-8") as file:
            print(file.read())
        print("edits:", "; ".join(log))
        print(failure)
        return False
    return True


def main():
    seed = int(os.environ.get("PAWL_PROPERTY_SEED") or random.SystemRandom().randrange(1 << 32))
    count = int(os.environ.get("PAWL_PROPERTY_COUNT") or 60)
    began = time.monotonic()
    for i in range(count):
        if time.monotonic() - began > LIMIT_S:
            print(f"# {i} of {count} workflows in {LIMIT_S} s")
            break
        with tempfile.TemporaryDirectory(dir=os.environ.get("BATS_TEST_TMPDIR")) as where:
            if not trial(seed + i, where):
                print(f"repeat with PAWL_PROPERTY_SEED={seed + i} PAWL_PROPERTY_COUNT=1")
                return 1
    print(f"# seed {seed}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
