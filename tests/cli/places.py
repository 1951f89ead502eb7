#!/usr/bin/env python3
"""Random small workflows whose nodes write files, under random histories: edits, reverts, files deleted and put there by hand, nodes
that come, go, fail and are mended, kill -9.  After each command the project must be as a fresh run leaves it, in an empty directory
with the same sources and the same files of people: exit code, what became of each node, outputs, and all files, with modes and links,
of the project and of $ARTIFACTS_DIR.  `plan` must have told what ran, and one more run must change nothing.

What a failed node left is not compared: its last good files come back, and a fresh run has none.

usage: places.py [--seeds N] [--from SEED] [--seconds S] [--keep-going] [--no-shrink]     with PAWL in the environment
A seed that fails is made smaller and printed as a shell script."""
import argparse
import concurrent.futures
import copy
import hashlib
import json
import os
import random
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from places_model import KEY, MODES, SHAPES, SOURCES, Model  # noqa: E402

PAWL = os.environ.get("PAWL", "pawl")
GOOD = ("completed", "reused")


class Failure(Exception):
    pass


def pick(options, r):
    options = list(options)
    return options[int(r * len(options))] if options else None


# ---- cases: plain data, so that parts can be left out ----

OPS = (["src_set"] * 6 + ["src_add", "src_del", "src_del", "src_add"] + ["back"] * 5 + ["flag"] * 4 + ["tag"] * 3 + ["delete"] * 4 +
       ["put"] * 2 + ["unput", "items", "items", "remove", "add", "rename", "shape", "how", "how", "touch", "sneaky", "hidden", "doc", "none", "hand", "hand"])


def make_case(seed, slow):
    rng = random.Random(seed)
    steps = []
    for _ in range(rng.randint(3, 6)):
        def ops(count):
            return [(rng.choice(OPS), rng.random(), rng.random(), rng.random()) for _ in range(count)]
        step = {"ops": ops(rng.choice([1, 1, 1, 2, 3])), "kill": rng.random() if rng.random() < 0.12 else None, "ops2": ops(rng.choice([0, 0, 1])),
                "command": rng.choice(["run"] * 5 + ["resume"] * 4 + ["run --resume", "force", "force+", "force-all"]), "r": rng.random(),
                "jobs": rng.choice([1, 1, 3]), "again": rng.random() < 0.4, "wait": slow and rng.random() < 0.1}
        if step["ops"][0][0] == "hand":
            step.update(ops=step["ops"][:1], kill=None, ops2=[], command="run")
        step["ops"] = [op for i, op in enumerate(step["ops"]) if i == 0 or op[0] != "hand"]
        step["ops2"] = [op for op in step["ops2"] if op[0] != "hand"]
        steps.append(step)
    return {"seed": seed, "without": [], "steps": steps}


# ---- a project ----

class Project:
    def __init__(self, where, name, log=None):
        self.root = f"{where}/{name}"
        self.home = f"{where}/home-{name}"
        self.log = log
        self.written = {}
        os.makedirs(self.root)
        os.makedirs(self.home)

    def note(self, line):
        if self.log is not None:
            self.log.append(line)

    def sync(self, files):
        for path in [p for p in self.written if p not in files]:
            if os.path.lexists(f"{self.root}/{path}"):
                os.unlink(f"{self.root}/{path}")
            self.note(f"rm -f {path}")
            del self.written[path]
        for path, text in files.items():
            if self.written.get(path) == text:
                continue
            os.makedirs(os.path.dirname(f"{self.root}/{path}"), exist_ok=True)
            with open(f"{self.root}/{path}", "w", encoding="utf-8") as out:
                out.write(text)
            self.note(f"mkdir -p ./{os.path.dirname(path)}; cat >{path} <<'E'\n{text}E")
            self.written[path] = text

    def shell(self, line):
        self.note(line)
        subprocess.run(["bash", "-c", line], cwd=self.root, check=False, env=self.env(), capture_output=True)

    def env(self):
        return {"HOME": self.home, "PATH": os.environ["PATH"], "NO_COLOR": "1", "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "")}

    def pawl(self, *args, fine=(0, 1)):
        got = subprocess.run([PAWL, *args], cwd=self.root, env=self.env(), capture_output=True, text=True, timeout=600, check=False)
        if got.returncode not in fine:
            raise Failure(f"pawl {' '.join(args)} ended with {got.returncode}:\n{got.stdout[-2000:]}{got.stderr}")
        return got

    def events(self, *args):
        got = self.pawl(*args, "--json")
        decided, run = {}, 0
        for event in map(json.loads, got.stdout.splitlines()):
            if event.get("event") == "run_started" and not run:
                run = event["run"]
            if event.get("event") == "node_decided":
                decided[event.get("path") or event["node"], event.get("iteration")] = event
        return decided, run, got.returncode

    def rows(self, run):
        rows = map(json.loads, self.pawl("show", str(run), "--json").stdout.splitlines())
        return {row.get("path") or row["node"]: row for row in rows if row.get("node")}

    def newest(self):
        got = self.pawl("show", "last", "--json", fine=(0, 1, 2, 3, 4))
        rows = [json.loads(line) for line in got.stdout.splitlines()]
        return next(((row["run"], row["state"]) for row in rows if row.get("object") == "run"), (0, "completed"))

    def killed(self, name, jobs):
        """A run that is killed in the middle of the body of that node, or comes to its end without one."""
        self.note(f"touch ~/slow-{name}; pawl run w -j{jobs} & until [ -e ~/reached ] || ! kill -0 $!; do sleep 0.05; done; kill -9 $!; wait; rm -f ~/slow-* ~/reached")
        with open(f"{self.home}/slow-{name}", "w", encoding="utf-8"):
            pass
        time.sleep(0.05)   # what people made less than 20 ms before a body began is taken for its own
        child = subprocess.Popen([PAWL, "run", "w", f"-j{jobs}"], cwd=self.root, env=self.env(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while child.poll() is None and not os.path.exists(f"{self.home}/reached"):
            time.sleep(0.01)
        child.kill()
        child.wait()
        for path in os.listdir(self.home):
            if path.startswith("slow") or path == "reached":
                os.unlink(f"{self.home}/{path}")

    def clear_tries(self):
        for path in os.listdir(self.home):
            if path.startswith("try-"):
                os.rmdir(f"{self.home}/{path}")


def files_below(root, skip=()):
    """Path -> kind, mode, content of all below a directory."""
    found = {}
    for at, dirs, names in os.walk(root):
        if at == root:
            dirs[:] = [d for d in dirs if d not in skip]
        for name in dirs + names:
            path = os.path.join(at, name)
            st = os.lstat(path)
            if stat.S_ISLNK(st.st_mode):
                entry = ("link", os.readlink(path))
            elif stat.S_ISDIR(st.st_mode):
                entry = ("dir", oct(st.st_mode & 0o7777))
            else:
                with open(path, "rb") as file:
                    content = file.read()
                entry = ("file", oct(st.st_mode & 0o7777), content[:60].decode(errors="replace") + hashlib.sha256(content).hexdigest()[:6])
            found[os.path.relpath(path, root)] = entry
    return found


def places_of(project):
    return files_below(project.root, (".pawl", "src", "flags", "hid"))


# ---- playing ----

class Play:
    def __init__(self, case, where):
        rng = random.Random(case["seed"] + 0.5)
        self.model = Model(rng, 4)
        self.model.nodes = [n for n in self.model.nodes if n.uid not in case["without"]]
        self.where = where
        self.log = []
        self.project = Project(where, "project", self.log)
        self.case = case
        self.kept = [self.model.keep()]
        self.dirs = set()   # that people made
        self.is_whole = False   # the last run completed, and nothing was changed since
        self.tries = 0

    # ---- what people do ----

    def made(self):
        """What pawl made and what may be deleted: all but sources and files of people."""
        own = self.model.files()
        return sorted(p for p in places_of(self.project) if p not in own and p not in ("out0", "out1") and KEY.search(p))

    def do(self, op):
        name, r, s, t = op
        getattr(self, "do_" + name)(r, s, t)

    def do_none(self, _r, _s, _t):
        pass

    def do_src_set(self, r, s, _t):
        name = pick(sorted(self.model.src), r)
        self.model.src[name] = int(s * 4)

    def do_src_add(self, r, s, _t):
        self.model.src[pick(SOURCES, r)] = int(s * 4)

    def do_src_del(self, r, _s, _t):
        self.model.src.pop(pick(SOURCES, r), None)

    def do_back(self, r, _s, _t):
        self.model.back(pick(self.kept, r))

    def do_flag(self, r, s, _t):
        node = pick(self.model.nodes, r)
        if node:   # What keeps its place has the old files there also while it fails; a fresh run has none.
            words = ["ok", "ok"] + ([] if node.keeps else ["fail"]) + (["retry"] * 2 if node.retry and node.kind != "fan" else []) + (["no"] * 3 if node.when else [])
            self.model.flags[node.uid] = pick(words, s)

    def do_tag(self, r, s, _t):
        node = pick(self.model.nodes, r)
        if node:
            node.tag = int(s * 3)

    def do_how(self, r, s, t):
        node = pick(self.model.nodes, r)
        if node:
            field = pick(["append", "art", "links", "empty", "mode", "dirmode", "says"] + (["all_done"] if node.kind != "sub" else []), s)
            value = {"mode": pick(MODES, t), "dirmode": pick([None, "750", "555"], t), "says": pick(["all", "tag", "nothing"], t)}.get(field)
            setattr(node, field, value if field in ("mode", "dirmode", "says") else not getattr(node, field))

    def do_shape(self, r, s, _t):
        node = pick([n for n in self.model.nodes if n.kind == "make" and not n.keeps], r)
        if node:
            shape = pick([x for x in SHAPES if x != "all"], s)
            is_read = any(node.uid in n.up for n in self.model.nodes if n.kind == "edit")
            if not is_read or shape in ("dir", "glob", "deep", "file"):
                node.shape = shape

    def do_items(self, r, s, _t):
        self.model.items = random.Random(r).sample(["x", "y", "z"], 1 + int(s * 3))

    def do_remove(self, r, _s, _t):
        node = pick([n for n in self.model.nodes if n.kind != "sub"], r)
        if node and len(self.model.nodes) > 1:
            self.model.nodes.remove(node)

    def do_add(self, r, s, _t):
        self.model.add(random.Random(r), int(s * 2))
        if self.model.can_resume is False:
            self.model.nodes[-1].hidden = s < 0.2

    def do_rename(self, r, s, _t):
        node = pick(self.model.nodes, r)
        if node:
            node.name = pick(["n", "r"], s) + str(node.uid)

    def do_touch(self, r, _s, _t):
        self.project.shell(f"touch src/{pick(sorted(self.model.src), r)}.txt")

    def do_sneaky(self, r, s, _t):
        """An edit of the same size and time."""
        name = pick(sorted(self.model.src), r)
        self.model.src[name] = int(s * 4)
        path = f"src/{name}.txt"
        if path in self.project.written:
            text = self.model.files()[path].strip()
            self.project.shell(f"touch -r {path} ~/time; echo '{text}' >{path}; touch -r ~/time {path}")
            self.project.written[path] = text + "\n"

    def do_hidden(self, _r, s, _t):
        if not self.model.can_resume:
            self.model.hidden = int(s * 3)

    def do_doc(self, r, s, _t):
        node = pick([n for n in self.model.nodes if n.kind == "format"], r)
        if node:
            self.model.foreign[f"doc.k{node.uid}"] = f"some text {int(s * 3)}\n"
            self.project.written.pop(f"doc.k{node.uid}", None)

    def do_put(self, r, s, t):
        # Not in a directory that is empty but for that: whether its node made it again can't be known.
        dirs = ["out0", "out1"] + [p for p in self.made() if "empty" not in p and os.path.isdir(f"{self.project.root}/{p}") and not os.path.islink(f"{self.project.root}/{p}")]
        at = pick(dirs, r)
        end = pick(["", "", ".k1", ".k2", ".k3", ".k4"], t)
        self.model.foreign[f"{at}/mine{int(s * 3)}{end}"] = f"mine {int(t * 3)}\n"
        self.dirs |= {at, os.path.dirname(at)}

    def do_unput(self, r, _s, _t):
        path = pick([p for p in sorted(self.model.foreign) if "/mine" in p], r)
        if path:
            del self.model.foreign[path]

    def do_delete(self, r, s, t):
        for _ in range(1 + int(t * 2)):
            path = pick(self.made(), r)
            if path and not any(f.startswith(path + "/") for f in self.model.foreign):
                self.project.shell(f"rm -rf {shlex.quote(path)}")
            r = s

    def do_hand(self, r, s, _t):
        """Changes an output; nothing else happens until the next run, which puts it back."""
        if not self.is_whole:
            return
        plan, _, _ = self.project.events("plan", "w")
        runs = {way.split("/")[0].split("[")[0].split("__")[0] for (way, _), event in plan.items() if event["action"] == "run" or event["uncertain"]}
        fine = {n.uid for n in self.model.nodes if not n.keeps and n.name not in runs}
        paths = [p for p in self.made() if int(KEY.search(p)[1]) in fine and not any(f.startswith(p + "/") for f in self.model.foreign)]
        path = pick(paths, r)
        if not path:
            return
        path = shlex.quote(path)
        if os.path.isdir(f"{self.project.root}/{path}") and not os.path.islink(f"{self.project.root}/{path}"):
            self.project.shell(f"chmod 700 {path}")
        else:
            self.project.shell(pick([f"echo by hand >>{path}", f"rm {path}; echo by hand >{path}", f"chmod 640 {path}", f"ln -sf keep {path}",
                                     f"rm {path}; mkdir {path}"][:4], s))

    # ---- what pawl does ----

    def command(self, step):
        node = pick(self.model.nodes, step["r"])
        kind = step["command"]
        run, state = self.project.newest()
        if kind in ("resume", "run --resume") and (not run or state == "completed" or not self.model.can_resume):
            kind = "run"
        return {"run": ["run", "w"], "resume": ["resume", str(run)], "run --resume": ["run", "w", "--resume"], "force": ["run", "w", "-f", node.name],
                "force+": ["run", "w", "-f", node.name + "+"], "force-all": ["run", "w", "--force-all"]}[kind]

    def step(self, step, number):
        for op in step["ops"]:
            self.do(op)
        self.project.sync(self.model.files())
        if step["wait"]:
            self.project.shell("sleep 2.2")
        if step["kill"] is not None:
            node = pick([n for n in self.model.nodes if n.can_be_slow()], step["kill"])
            if node:
                self.project.clear_tries()
                self.project.killed(node.name, step["jobs"])
            for op in step["ops2"]:
                self.do(op)
            self.project.sync(self.model.files())
        self.kept.append(self.model.keep())
        command = self.command(step) + [f"-j{step['jobs']}"]
        self.project.clear_tries()
        self.project.note("pawl " + " ".join(command) + f"    # command {number}")
        before = places_of(self.project)
        plan = None
        if step["kill"] is None:
            plan, _, _ = self.project.events(*command, "-n")
        self.same(before, places_of(self.project) if plan is not None else before, "a plan changes files")
        decided, run, code = self.project.events(*command)
        left = [p for p in files_below(f"{self.project.root}/.pawl/state/aside") if not p.startswith("v")] if os.path.isdir(f"{self.project.root}/.pawl/state/aside") else []
        if left:
            raise Failure(f"left aside: {left}")
        self.held_against_fresh(run, code, command[0] == "resume")
        if plan is not None:
            self.plan_came_true(plan, decided, code)
        self.is_whole = code == 0
        if step["again"] and code == 0:
            self.again(step["jobs"])

    def again(self, jobs):
        before = places_of(self.project)
        self.project.clear_tries()
        self.project.note(f"pawl run w -j{jobs}    # again")
        _, run, code = self.project.events("run", "w", f"-j{jobs}")
        self.same(before, places_of(self.project), "one more run changes files")
        self.held_against_fresh(run, code, False)

    def same(self, a, b, what):
        if a != b:
            raise Failure(f"{what}:\n" + "\n".join(f"  {p}: {a.get(p)} -> {b.get(p)}" for p in sorted({*a, *b}) if a.get(p) != b.get(p)))

    def plan_came_true(self, plan, decided, code):
        for key, event in plan.items():
            if event["uncertain"] or is_open(plan, *key) or (key not in decided and code):
                continue
            if key not in decided:
                raise Failure(f"planned and not decided: {key}: {event}")
            if decided[key]["action"] != event["action"] and not code:
                raise Failure(f"planned {event}\nbut: {decided[key]}")
        for key, event in decided.items():
            if key not in plan and not is_open(plan, *key) and not code:
                raise Failure(f"unplanned: {key}: {event}")

    # ---- the comparison ----

    def held_against_fresh(self, run, code, is_resume):
        self.tries += 1
        fresh = Project(self.where, f"fresh{self.tries}")
        fresh.sync(self.model.files())
        _, fresh_run, fresh_code = fresh.events("run", "w", "-j1")
        rows, wanted = self.project.rows(run), fresh.rows(fresh_run)
        told = {key: ("good" if row["state"] in GOOD else row["state"], row["output"] if row["state"] in GOOD else "") for key, row in rows.items()}
        expected = {key: ("good" if row["state"] in GOOD else row["state"], row["output"] if row["state"] in GOOD else "") for key, row in wanted.items()}
        if is_resume:
            told = {key: value for key, value in told.items() if key in expected}
        problems = [f"  {key}: {told.get(key)}, fresh: {expected.get(key)}" for key in sorted({*told, *expected}) if told.get(key) != expected.get(key)]
        if code != fresh_code:
            problems.append(f"  exit {code}, fresh: {fresh_code}")
        for which, a, b in (("", places_of(self.project), places_of(fresh)),
                            ("$ARTIFACTS_DIR/", files_below(f"{self.project.root}/.pawl/state/runs/{run}/artifacts"),
                             files_below(f"{fresh.root}/.pawl/state/runs/{fresh_run}/artifacts"))):
            problems += [f"  {which}{p}: {a.get(p)}, fresh: {b.get(p)}" for p in sorted({*a, *b})
                         if a.get(p) != b.get(p) and self.is_compared(p, a, b, wanted if fresh_code else None)]
        shutil.rmtree(fresh.root)
        shutil.rmtree(fresh.home)
        if problems:
            raise Failure("not as a fresh run:\n" + "\n".join(problems))

    def is_compared(self, path, a, b, failed_rows):
        if path in self.model.files() and not path.startswith("doc."):
            return path in self.model.foreign
        is_dir = all(x.get(path, ("dir",))[0] == "dir" for x in (a, b))
        has_files = any(p.startswith(path + "/") and x[p][0] != "dir" for x in (a, b) for p in x)
        if is_dir and path in self.dirs and (not has_files or any(f.startswith(path + "/") for f in self.model.foreign)):
            return False
        if failed_rows is None:
            return True
        return self.is_compared_after_failure(path, is_dir, failed_rows)

    def is_compared_after_failure(self, path, is_dir, rows):
        """Only what those made that did not fail, and that nobody who did has changed since."""
        keys = [int(k) for k in KEY.findall(path)]
        if not keys:
            return not is_dir and path in self.model.foreign
        node = self.model.find(keys[0])
        if not node:
            return False
        concerned = [node] + [n for n in self.model.nodes if n.kind == "edit" and node.uid in n.up]
        return all(row["state"] in GOOD for n in concerned for key, row in rows.items()
                   if key == n.name or key.startswith((n.name + "/", n.name + "[", n.name + "__")))

    def all(self):
        self.project.sync(self.model.files())
        self.project.note("pawl run w -j1    # command 0")
        _, run, code = self.project.events("run", "w", "-j1")
        self.held_against_fresh(run, code, False)
        self.is_whole = code == 0
        for number, step in enumerate(self.case["steps"]):
            self.step(step, number + 1)


def is_open(plan, way, iteration):
    """Whether the plan says that it doesn't know: of the node, of what holds it, or of an earlier iteration."""
    holders = [way] + [way[:i] for mark in ("/", "[", "__") for i in range(len(way)) if way.startswith(mark, i)]
    return any(event.get("uncertain") and other in holders and (at is None or iteration is None or at <= iteration or other != way)
               for (other, at), event in plan.items())


def play(case):
    """What went wrong, and the script that shows it; or None."""
    with tempfile.TemporaryDirectory(prefix="places.", dir=os.environ.get("BATS_TEST_TMPDIR")) as where:
        player = Play(case, where)
        try:
            player.all()
        except Failure as failure:
            return str(failure), player.log
        finally:
            for at, dirs, _ in os.walk(where):
                for name in dirs:
                    if not os.path.islink(f"{at}/{name}"):
                        os.chmod(f"{at}/{name}", 0o755)
    return None


# ---- making it smaller ----

def smaller(case):
    for i in range(len(case["steps"])):
        yield {**case, "steps": case["steps"][:i] + case["steps"][i + 1:]}
    for uid in range(1, 12):
        if uid not in case["without"]:
            yield {**case, "without": case["without"] + [uid]}
    for i, step in enumerate(case["steps"]):
        changed = [{**step, "ops": step["ops"][:k] + step["ops"][k + 1:]} for k in range(len(step["ops"]))]
        changed += [{**step, field: value} for field, value in (("kill", None), ("jobs", 1), ("command", "run"), ("again", False), ("ops2", [])) if step[field] != value]
        for other in changed:
            yield {**case, "steps": case["steps"][:i] + [other] + case["steps"][i + 1:]}


def shrink(case, seconds):
    """The smallest case that was found in that time and still fails in the same way."""
    problem = play(case)
    kind = problem and problem[0].split(":")[0]
    until = time.monotonic() + seconds
    is_smaller = bool(problem)
    while is_smaller and time.monotonic() < until:
        is_smaller = False
        for other in smaller(copy.deepcopy(case)):
            got = play(other) if time.monotonic() < until else None
            if got and got[0].split(":")[0] == kind:
                case, problem, is_smaller = other, got, True
                break
    return problem


def script(problem):
    text, log = problem
    return "\n".join(["#!/bin/bash", "mkdir p; cd p; export HOME=$PWD/../home; mkdir -p ~", *log, "# " + text.replace("\n", "\n# ")])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from", type=int, default=1, dest="first", metavar="SEED")
    parser.add_argument("--seeds", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=0, help="begin no more seeds after that")
    parser.add_argument("--shrink", type=float, default=60, metavar="SECONDS")
    parser.add_argument("--keep-going", action="store_true", help="count all seeds that fail, and don't shrink")
    parser.add_argument("--slow", action="store_true", help="some steps wait, until times of files are believed")
    options = parser.parse_args()
    began = time.monotonic()

    def attempt(seed):
        if options.seconds and time.monotonic() - began > options.seconds:
            return "late"
        return play(make_case(seed, options.slow))

    done = failed = 0
    with concurrent.futures.ThreadPoolExecutor(2 * (os.cpu_count() or 1)) as pool:
        seeds = range(options.first, options.first + options.seeds)
        for seed, problem in zip(seeds, pool.map(attempt, seeds)):
            done += problem != "late"
            if not problem or problem == "late":
                continue
            failed += 1
            if options.keep_going:
                print(f"seed {seed}: {problem[0]}", flush=True)
                continue
            pool.shutdown(cancel_futures=True)
            print(script(problem if not options.shrink else shrink(make_case(seed, options.slow), options.shrink) or problem))
            print(f"seed {seed}; repeat with --from {seed} --seeds 1")
            break
    print(f"{done} of {options.seeds} histories from seed {options.first} on, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
