#!/usr/bin/env python3
"""Random small workflows under random edits and with random nodes forced.  Two properties must hold after each edit:

- what `pawl plan` calls `run` then runs, for the same reason, what it calls `reuse` is reused; only a `maybe` may go either way, and
  nothing else runs.  This goes for each item of a `fan_out`, each iteration of a `loop_group`, and each node of a run within the run;
- the outputs and files in the end are those of a run in an empty store.

The seeds are always the same; PAWL_PROPERTY_SEED says with which to begin, PAWL_PROPERTY_COUNT how many workflows to try.
"""
import concurrent.futures
import json
import os
import random
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


class Holder:
    """A node that holds others: it makes no files, and consumes the outputs of what it depends on."""

    writes = None

    def __init__(self, rng, index, above):
        self.id = f"n{index}"
        self.deps = rng.sample(above, rng.randint(0, min(1, len(above))))
        self.tag = rng.randint(0, 2)

    def reads(self):
        return []

    def made(self):
        return []

    def head(self):
        deps = f", depends_on: [{', '.join(d.id for d in self.deps)}]" if self.deps else ""
        return f"  - {{id: {self.id}{deps}"

    def change(self, rng):
        self.tag = rng.randint(0, 2)


class Sub(Holder):
    """A run within the run; several have the same child, and some of them the same input."""

    def __init__(self, rng, index, above, children):
        super().__init__(rng, index, above)
        self.child = rng.choice(children)
        self.takes_output = rng.random() < 0.5
        self.is_fan = rng.random() < 0.2

    def yaml(self, _sources):
        given = f"'${self.deps[0].id}.output'" if self.deps and self.takes_output else f"'{self.tag // 2}'"
        fan = ", fan_out: {items: [1, 2], as: k}" if self.is_fan else ""
        return [f"{self.head()}, workflow: {self.child.name}, with: {{i: {given}}}{fan}}}"]


class Fan(Holder):
    def __init__(self, rng, index, above, sources):
        super().__init__(rng, index, above)
        self.source = rng.choice(sources)

    def yaml(self, _sources):
        items = ["[1, 2]", "[1, 2, 3]", "[3, 1]"][self.tag]
        above = f' "${self.deps[0].id}.output"' if self.deps else ""
        return [f"{self.head()}, reads: [{self.source}], fan_out: {{items: {items}}},",
                f"     bash: 'echo \"$INPUTS.item\"{above}; cat {self.source}'}}"]


class Loop(Holder):
    """Counts up to a number; what it prints in between depends on a file."""

    def __init__(self, rng, index, above, sources):
        super().__init__(rng, index, above)
        self.source = rng.choice(sources)

    def yaml(self, _sources):
        above = f' "${self.deps[0].id}.output"' if self.deps else ""
        return [f"{self.head()}, loop_group: {{max_iterations: 4, until: 'at {1 + self.tag}', nodes: [",
                "     {id: count, reads: [], bash: 'n=$LOOP_PREV.say.output; n=${n##*at }; echo \"at $((${n%% *} + 1)) \"'},",
                f"     {{id: say, depends_on: count, reads: [{self.source}],",
                f"      bash: 'cat {self.source}; echo{above}; echo \"$count.output\"'}}]}}}}"]


class Child:
    """A workflow that runs within runs; of what it does one part depends on its input and one does not."""

    def __init__(self, rng, index, sources, inner):
        self.name = f"child{index}"
        self.rng = rng
        self.sources = rng.sample(sources, 2)
        self.tag = rng.randint(0, 2)
        self.returns = rng.choice(["last", "common"])
        self.inner = inner if rng.random() < 0.5 else None

    def yaml(self):
        lines = [f"name: {self.name}", f"returns: {self.returns}", "inputs: {i: {type: string, default: none}}", "nodes:",
                 f"  - {{id: common, reads: [{self.sources[0]}], bash: 'cat {self.sources[0]}; : {self.tag}'}}",
                 f"  - {{id: other, reads: [{self.sources[1]}], bash: 'cat {self.sources[1]} >/dev/null; echo \"$INPUTS.i\"'}}"]
        above = ["common", "other"]
        if self.inner:
            lines.append(f"  - {{id: within, depends_on: common, workflow: {self.inner.name}, with: {{i: '$common.output'}}}}")
            above.append("within")
        printed = " ".join(f'"${name}.output"' for name in above)
        return lines + [f"  - {{id: last, depends_on: [{', '.join(above)}], reads: [], bash: 'echo {printed}'}}"]

    def change(self):
        self.tag = self.rng.randint(0, 2)


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
        self.children = []
        for i in range(2):
            self.children.append(Child(rng, i, self.sources, self.children[0] if i else None))
        for i in range(rng.randint(2, 7)):
            self.nodes.append(self.new_node(i))
        self.save()

    def new_node(self, index):
        rng = self.rng
        kind = rng.choice(["plain"] * 5 + ["sub"] * 3 + ["fan", "loop"])
        if kind == "sub":
            return Sub(rng, index, self.nodes, self.children)
        if kind == "fan":
            return Fan(rng, index, self.nodes, self.sources)
        if kind == "loop":
            return Loop(rng, index, self.nodes, self.sources)
        return Node(rng, index, self.nodes, self.sources)

    def write(self, path, number):
        with open(f"{self.root}/{path}", "w", encoding="utf-8") as out:
            out.write(f"{path} {number}\n" * (1 + number % 2))

    def save(self):
        lines = ["name: random", "nodes:"]
        for node in self.nodes:
            lines += node.yaml(self.sources)
        with open(f"{self.root}/.pawl/workflows/random.yaml", "w", encoding="utf-8") as out:
            out.write("\n".join(lines) + "\n")
        for child in self.children:
            with open(f"{self.root}/.pawl/workflows/{child.name}.yaml", "w", encoding="utf-8") as out:
                out.write("\n".join(child.yaml()) + "\n")

    def edit(self):
        """Changes one thing and says which."""
        node = self.rng.choice(self.nodes)
        if isinstance(node, Holder) and self.rng.random() < 0.5:
            node.change(self.rng)
            self.save()
            return f"change {node.id}"
        if self.rng.random() < 0.1:
            child = self.rng.choice(self.children)
            child.change()
            self.save()
            return f"change {child.name}"
        kind = self.rng.choice(["tag", "comment", "env", "source", "source", "more", "touch", "delete", "break", "none"])
        if isinstance(node, Holder) and kind in ("tag", "comment", "env", "delete", "break"):
            kind = "none"
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

    def events(self, *args, fine=(0,)):
        """What was decided, by (way to the node, iteration), and the nodes of the run that failed."""
        decided, failed = {}, set()
        for line in self.pawl(*args, "--json", fine=fine).splitlines():
            event = json.loads(line)
            way = event.get("path") or event.get("node")
            if event.get("event") == "node_decided":
                decided[way, event.get("iteration")] = event
            elif event.get("event") == "node_ended" and event["state"] == "failed":
                failed.add(way.split("/")[0].split("[")[0].split("__")[0])
        return decided, failed

    def rows(self, run="last"):
        lines = self.pawl("show", run, "--json").splitlines()
        return {row.get("path") or row["node"]: row for row in map(json.loads, lines) if row.get("node")}

    def files(self):
        found = {}
        for node in self.nodes:
            for path in node.made():
                with open(f"{self.root}/{path}", encoding="utf-8") as file:
                    found[path] = file.read()
        return found


def is_open(plan, way, iteration):
    """Whether the plan says that it doesn't know: of the node, of what holds it, or of the iteration and so of all later ones."""
    holders = [way]
    for mark in ("/", "[", "__"):
        holders += [way[:i] for i in range(len(way)) if way.startswith(mark, i)]
    for (other, at), event in plan.items():
        if event.get("uncertain") and other in holders and (at is None or iteration is None or at <= iteration or other != way):
            return True
    return False


def compare(project, planned, ran, what):
    plan, _ = planned
    done, failed = ran
    for key, event in plan.items():
        top = key[0].split("/")[0].split("[")[0].split("__")[0]
        below = top in failed or is_below(project, top, failed)
        if event["uncertain"] or (key not in done and below):
            continue
        if key not in done:
            raise Failure(f"{what}: planned and not decided: {key}: {event}")
        if done[key]["action"] != event["action"]:
            raise Failure(f"{what}: planned {event}\nbut: {done[key]}")
        # What changed is told against the newest result, and of several runs of one child any may be first.
        is_told_by_last = "/" in key[0] and event["reason"].endswith("_changed")
        if done[key]["reason"] != event["reason"] and not is_told_by_last:
            raise Failure(f"{what}: planned for another reason: {event}\nthan: {done[key]}")
    for key, event in done.items():
        if key not in plan and not is_open(plan, *key):
            raise Failure(f"{what}: unplanned: {key}: {event}")


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
    force = []
    if project.rng.random() < 0.3:
        force = ["-f", project.rng.choice(project.nodes).id + project.rng.choice(["", "+"])]
        log.append(" ".join(force))
    plan = project.events("plan", "random", *force)
    done = project.events("run", "random", *force, fine=(0, 1))
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
    plan = project.events(*command, "-n")
    done = project.events(*command)
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
        text = []
        for name in ["random"] + [child.name for child in project.children]:
            with open(f"{project.root}/.pawl/workflows/{name}.yaml", encoding="utf-8") as file:
                text.append(file.read())
        return "\n".join([*text, "edits: " + "; ".join(log), str(failure)])
    return None


def try_seed(seed):
    with tempfile.TemporaryDirectory(dir=os.environ.get("BATS_TEST_TMPDIR")) as where:
        return trial(seed, where)


def main():
    seed = int(os.environ.get("PAWL_PROPERTY_SEED") or 1)
    count = int(os.environ.get("PAWL_PROPERTY_COUNT") or 240)
    began = time.monotonic()
    done = 0
    with concurrent.futures.ThreadPoolExecutor(2 * (os.cpu_count() or 1)) as pool:
        seeds = range(seed, seed + count)
        for at, problem in zip(seeds, pool.map(lambda s: try_seed(s) if time.monotonic() - began < LIMIT_S else "", seeds)):
            if problem:
                print(problem)
                print(f"repeat with PAWL_PROPERTY_SEED={at} PAWL_PROPERTY_COUNT=1")
                pool.shutdown(cancel_futures=True)
                return 1
            done += problem is None
    print(f"# {done} of {count} workflows, seeds from {seed} on")
    return 0


if __name__ == "__main__":
    sys.exit(main())
