"""What the scenarios of seal.py share: a project, and how they are run.

Every scenario has a project of its own.  All are prepared together, because files of the last two seconds are not trusted
by their times: then each is run twice (looked at and sealed; under the seal), changed, and run again."""
import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
import traceback

PAWL, ROOT = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
PLUGINS = os.path.join(os.path.dirname(PAWL), "../tests/plugins")

WORKFLOW = """\
name: w
inputs:
  level: {default: low}
nodes:
  - id: read
    reads: [in.txt]
    bash: cat in.txt
  - id: tree
    reads: [dir]
    bash: cat dir/*
  - id: glob
    reads: ["*.cfg"]
    bash: cat *.cfg
  - id: make
    depends_on: [read]
    reads: []
    writes: [out.txt]
    bash: echo made >out.txt
  - id: big
    reads: []
    bash: head -c 40000 /dev/zero | tr '\\0' x
  - id: env
    reads: []
    pass_env: [FOO]
    bash: echo "$FOO"
  - id: tool
    reads: []
    tools: [mytool]
    bash: mytool
  - id: named
    reads: []
    script: helper
    runtime: sh
  - id: flag
    reads: [extra/flag]
    bash: if [ -f ./extra/flag ]; then echo yes; else echo no; fi
  - id: level
    reads: []
    bash: echo $INPUTS.level
  - id: never
    depends_on: [read]
    when: "$read.output == 'nothing like it'"
    bash: echo never
  - id: inc
    include: part
"""
PART = "name: part\nnodes:\n  - id: one\n    reads: []\n    bash: echo part\n"
TOOL = "#!/bin/sh\necho tool\n"


class Project:
    def __init__(self, name):
        self.dir = os.path.join(ROOT, name)
        self.env = {"HOME": self.dir, "PATH": f"{self.dir}/first:{self.dir}/bin:/usr/bin:/bin",
                    "FOO": "foo", "LC_ALL": "C.UTF-8", "NO_COLOR": "1"}
        self.args = []
        self.cwd = self.dir
        for d in (".pawl/workflows", ".archon/scripts", ".pawl/scripts", "dir", "bin", "first"):
            os.makedirs(os.path.join(self.dir, d))
        self.write(".pawl/workflows/w.yaml", WORKFLOW)
        self.write(".pawl/workflows/part.yaml", PART)
        self.write("in.txt", "input\n")
        self.write("dir/a", "a\n")
        self.write("dir/b", "b\n")
        self.write("x.cfg", "x\n")
        self.write("bin/mytool", TOOL, 0o755)
        self.write(".archon/scripts/helper.sh", "echo helper\n")

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text, mode=0o644):
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(self.path(name), mode)

    def quietly(self, name, text):
        """Other bytes of the same length, with the old times put back."""
        st = os.stat(self.path(name))
        with open(self.path(name), "r+", encoding="utf-8") as f:
            old = f.read()
            assert len(old) == len(text) and old != text
            f.seek(0)
            f.write(text)
        os.utime(self.path(name), ns=(st.st_atime_ns, st.st_mtime_ns))

    def pawl(self, *args, code=0, env=None):
        p = subprocess.run([PAWL, *args], cwd=self.cwd, env={**self.env, **(env or {})},
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                           timeout=1500, check=False, text=True)
        assert code is None or p.returncode == code, f"pawl {args} ended with {p.returncode}\n{p.stdout}{p.stderr}"
        return p.stdout

    def sql(self, text, *values):
        db = sqlite3.connect(self.path(".pawl/state/pawl.db"))
        rows = db.execute(text, values).fetchall()
        db.commit()
        db.close()
        return rows

    def look(self, text, *values):
        """A query that leaves no trace, which sql() does: it closes the journal."""
        db = sqlite3.connect(f"file:{self.path('.pawl/state/pawl.db')}?mode=ro", uri=True)
        rows = db.execute(text, values).fetchall()
        db.close()
        return rows

    def newest(self):
        """Number of the newest run, and whether it was recorded under a seal."""
        run, same_as = self.look("SELECT id, same_as FROM run ORDER BY id DESC LIMIT 1")[0]
        return run, same_as != 0

    def events(self, text):
        return [json.loads(line) for line in text.splitlines()]

    def run(self, *args, code=0, env=None):
        """Runs; gives whether under a seal, and which bodies ran."""
        events = self.events(self.pawl("run", "w", "--json", *self.args, *args, code=code, env=env))
        ran = {e["node"] for e in events if e["event"] == "node_ended" and e["state"] == "completed"}
        return self.newest()[1], ran

    def run_resumed(self, *args, code=0):
        events = self.events(self.pawl("resume", "--json", *args, code=code))
        return {e["node"] for e in events if e["event"] == "node_ended" and e["state"] == "completed"}

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as f:
            return f.read()

    def plugin(self, name):
        os.makedirs(self.path("plugins"), exist_ok=True)
        shutil.copy(os.path.join(PLUGINS, f"pawl_{name}.so"), self.path("plugins"))
        self.env["PAWL_PLUGIN_PATH"] = self.path("plugins")

    def seal(self):
        """The one seal's file."""
        seals = self.path(".pawl/state/seals")
        names = os.listdir(seals)
        assert len(names) == 1, names
        return os.path.join(seals, names[0])

    def forge_memo(self, name, content):
        """The store remembers that the file as it is, by its size and times, has this content.  What writes to it without a
        change of them does that: here it is done by hand, since no file system promises when it happens."""
        st = os.stat(self.path(name))
        fields = [hashlib.sha256(content.encode()).digest(), st.st_dev, st.st_ino, st.st_size, st.st_mtime_ns,
                  st.st_ctime_ns, time.time_ns() + 10**10]
        number = [n.to_bytes(8, "little") for n in (0, len(name), 32, *fields[1:])]
        row = b"".join([*number[:2], name.encode(), number[2], fields[0], *number[3:]])
        self.sql("INSERT OR REPLACE INTO memo (path, digest, dev, ino, size, mtime_ns, ctime_ns, taken_ns, checksum) "
                 "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", name, *fields, hashlib.sha256(row).digest()[:16])


SCENARIOS = {}


def scenario(fn=None, workflow=None, setup=None, sealed=True):
    """`setup(project)` before the first run; `sealed`: what the two runs before the scenario itself must be."""
    def add(f):
        f.workflow, f.setup, f.sealed = workflow, setup, sealed
        SCENARIOS[f.__name__] = f
        return f
    return add(fn) if fn else add


def looks(p, *nodes, **how):
    """The next run is looked at node by node, and just these run."""
    sealed, ran = p.run(**how)
    assert not sealed, "recorded under the seal"
    assert ran == set(nodes), f"ran: {sorted(ran)}"


def prepare(p, fn):
    if fn.workflow:
        p.write(".pawl/workflows/w.yaml", fn.workflow)
    if fn.setup:
        fn.setup(p)
    subprocess.run([PAWL, "run", "w", "-q"], cwd=p.cwd, env=p.env, timeout=1500, check=False, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def try_one(p, fn):
    if fn.sealed:
        looked = p.run()
        assert looked == (False, set()), looked
        under = p.run()
        assert under == (True, set()), under
    fn(p)


def main():
    subprocess.run(["rm", "-rf", ROOT], check=True)  # it can be deeper than Python goes
    names = sys.argv[3:] or list(SCENARIOS)
    projects = {name: Project(name) for name in names}
    failed = []
    gate = threading.Semaphore(4)

    def each(what):
        def one(name):
            with gate:
                try:
                    what(projects[name], SCENARIOS[name])
                except Exception as e:  # pylint: disable=broad-except
                    failed.append(name)
                    where = traceback.extract_tb(e.__traceback__)[-1]
                    print(f"not ok {name}: {type(e).__name__} in line {where.lineno}: {where.line}: {e}")
        threads = [threading.Thread(target=one, args=(name,)) for name in names if name not in failed]
        for t in threads:
            t.start()
        for t in threads:
            t.join()

    each(prepare)
    time.sleep(2.2)
    each(try_one)
    print(f"{len(names) - len(failed)} passed, {len(failed)} failed")
    if not failed:
        subprocess.run(["rm", "-rf", ROOT], check=True)
    return bool(failed)

