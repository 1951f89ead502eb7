#!/usr/bin/env python3
"""Seals: a run like the last one, in which nothing was to do, is recorded without a look at its nodes; and anything that
could make a difference makes pawl look.  usage: seal.py PAWL DIRECTORY [SCENARIO...]

Every scenario has a project of its own.  All are prepared together, because files of the last two seconds are not trusted
by their times: then each is run twice (looked at and sealed; under the seal), changed, and run again."""
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
        p = subprocess.run([PAWL, *args], cwd=self.dir, env={**self.env, **(env or {})},
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                           timeout=1500, check=False, text=True)
        assert p.returncode == code, f"pawl {args} ended with {p.returncode}\n{p.stdout}{p.stderr}"
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


SCENARIOS = {}


def scenario(fn):
    SCENARIOS[fn.__name__] = fn
    return fn


def looks(p, *nodes, **how):
    """The next run is looked at node by node, and just these run."""
    sealed, ran = p.run(**how)
    assert not sealed, "recorded under the seal"
    assert ran == set(nodes), f"ran: {sorted(ran)}"


@scenario
def nothing_changed(p):
    for _ in range(3):
        sealed, ran = p.run()
        assert sealed and not ran


@scenario
def body_edited(p):
    p.write(".pawl/workflows/w.yaml", WORKFLOW.replace("cat in.txt", "cat  in.txt"))
    looks(p, "read")


@scenario
def comment_added(p):
    p.write(".pawl/workflows/w.yaml", WORKFLOW + "# a comment\n")
    looks(p)


@scenario
def included_file_edited(p):
    p.write(".pawl/workflows/part.yaml", PART.replace("echo part", "echo apart"))
    looks(p, "inc__one")


@scenario
def file_edited_with_its_times_kept(p):
    p.quietly("in.txt", "INPUT\n")
    looks(p, "read", "make")


@scenario
def file_written_anew_the_same(p):
    p.write("in.txt", "input\n")
    looks(p)


@scenario
def file_of_a_tree_edited_with_its_times_kept(p):
    p.quietly("dir/b", "B\n")
    looks(p, "tree")


@scenario
def file_added_to_a_tree(p):
    p.write("dir/c", "c\n")
    looks(p, "tree")


@scenario
def file_removed_from_a_tree(p):
    os.unlink(p.path("dir/b"))
    looks(p, "tree")


@scenario
def glob_has_one_more(p):
    p.write("y.cfg", "y\n")
    looks(p, "glob")


@scenario
def output_deleted(p):
    os.unlink(p.path("out.txt"))
    looks(p)
    assert os.path.exists(p.path("out.txt"))


@scenario
def output_edited_by_hand(p):
    p.quietly("out.txt", "MADE\n")
    looks(p)
    with open(p.path("out.txt"), encoding="utf-8") as f:
        assert f.read() == "made\n"


@scenario
def passed_variable_changed(p):
    p.env["FOO"] = "bar"
    looks(p, "env")


@scenario
def other_variable_changed(p):
    p.env["BAR"] = "bar"
    looks(p)


@scenario
def tool_replaced(p):
    p.quietly("bin/mytool", TOOL.replace("tool", "LOOT"))
    looks(p, "tool")


@scenario
def tool_hidden_by_one_before_it(p):
    p.write("first/mytool", "#!/bin/sh\necho other\n", 0o755)
    looks(p, "tool")


@scenario
def named_script_edited(p):
    p.quietly(".archon/scripts/helper.sh", "echo HELPER\n")
    looks(p, "named")


@scenario
def named_script_hidden_by_one_before_it(p):
    p.write(".pawl/scripts/helper.sh", "echo another\n")
    looks(p, "named")


@scenario
def file_appears_that_was_not_there(p):
    os.mkdir(p.path("extra"))
    p.write("extra/flag", "")
    looks(p, "flag")


@scenario
def input_given(p):
    p.args = ["-i", "level=high"]
    looks(p, "level")


@scenario
def configuration_appears(p):
    p.write(".pawl/config.yaml", "x-note: nothing\n")
    looks(p)


@scenario
def another_run_was_recorded(p):
    p.pawl("run", "part")
    looks(p)


@scenario
def result_invalidated(p):
    p.pawl("invalidate", "last", "read")
    looks(p, "read")


@scenario
def result_quarantined(p):
    p.pawl("quarantine", "last/read", "--reason", "wrong")
    looks(p, code=1)  # it makes the same again


@scenario
def database_tampered_with(p):
    p.sql("UPDATE blob SET data = X'00' WHERE length(data) = 6")
    looks(p, "read")


@scenario
def blob_file_damaged(p):
    blobs = [os.path.join(d, f) for d, _, files in os.walk(p.path(".pawl/state/blobs")) for f in files]
    assert len(blobs) == 1
    os.chmod(blobs[0], 0o600)
    with open(blobs[0], "r+b") as f:
        f.write(b"y")
    looks(p, "big")


@scenario
def seal_torn(p):
    seals = p.path(".pawl/state/seals")
    name = os.path.join(seals, os.listdir(seals)[0])
    with open(name, "r+b") as f:
        f.seek(300)
        f.write(b"7")
    looks(p)


@scenario
def seal_cut_short(p):
    seals = p.path(".pawl/state/seals")
    name = os.path.join(seals, os.listdir(seals)[0])
    for size in (0, 10, os.path.getsize(name) - 1):
        os.truncate(name, size)
        sealed, ran = p.run()
        assert not sealed and not ran


@scenario
def asked_for_more(p):
    for args, nodes in ((["-f", "tool"], {"tool"}), (["--from", "level"], set()), (["--reuse=only"], set()),
                        (["--resume"], set())):
        sealed, ran = p.run(*args)
        assert not sealed and ran == nodes, args


@scenario
def killed_at_every_step(p):
    p.pawl("run", "w", env={"PAWL_TEST_COUNT_STEPS": p.path("steps")})
    with open(p.path("steps"), encoding="utf-8") as f:
        steps = int(f.read().split()[0])
    assert steps > 0
    for step in range(1, steps + 1):
        p.pawl("run", "w", code=-9, env={"PAWL_TEST_DIE_AT": str(step)})
        looks_fine, ran = p.run()
        assert not ran, (step, looks_fine)
    assert p.look("PRAGMA integrity_check") == [("ok",)]


@scenario
def two_at_once(p):
    both = [subprocess.Popen([PAWL, "run", "w", "-q"], cwd=p.dir, env=p.env) for _ in range(4)]
    assert [b.wait(timeout=1500) for b in both] == [0] * 4
    assert not p.run()[1]


@scenario
def link_in_place_of_the_seals(p):
    shutil.rmtree(p.path(".pawl/state/seals"))
    os.mkdir(p.path("elsewhere"))
    os.symlink("../../elsewhere", p.path(".pawl/state/seals"))
    for _ in range(2):
        looks(p)
    assert not os.listdir(p.path("elsewhere"))


def nodes_of(p, run):
    shown = [json.loads(line) for line in p.pawl("show", str(run), "--json").splitlines()]
    nodes = [{k: v for k, v in o.items() if k not in ("run", "sentence", "started_ms", "ended_ms")} for o in shown if o["object"] == "node"]
    assert nodes
    return nodes


@scenario
def shown_like_the_run_it_stands_for(p):
    looked = p.newest()[0]
    same = p.look("SELECT same_as FROM run WHERE id = ?", looked)[0][0]
    p.pawl("run", "w")
    under = p.newest()[0]
    assert under == looked + 1 and p.newest()[1]
    assert nodes_of(p, under) == nodes_of(p, same)
    assert "ago" not in p.pawl("show", str(under)) and "just now" in p.pawl("show", str(under)).splitlines()[0]
    assert p.pawl("output", f"{under}/read") == "input\n"
    for command in (["why", "read", "--run", str(under)], ["logs", str(under)], ["diff", str(same), str(under)],
                    ["graph", "w", "--run", str(under)], ["trace", str(under)],
                    ["report", str(under), "-o", "r.html"]):
        p.pawl(*command)


@scenario
def events_as_of_a_run_that_was_looked_at(p):
    def told(events):
        return [{k: v for k, v in e.items() if k not in ("at_ms", "run", "sentence", "ms", "seq")} for e in events]
    under = p.events(p.pawl("run", "w", "--json"))
    assert p.newest()[1]
    shutil.rmtree(p.path(".pawl/state/seals"))
    looked = p.events(p.pawl("run", "w", "--json"))
    assert not p.newest()[1]
    assert told(under) == told(looked)


@scenario
def resumed_afterwards(p):
    """Runs that share their nodes' rows no longer do once one of them goes on."""
    stands = p.look("SELECT same_as FROM run ORDER BY id DESC LIMIT 1")[0][0]
    p.pawl("run", "w")
    under = p.newest()[0]
    before = nodes_of(p, under)
    p.pawl("resume", str(stands), "-f", "tool")
    assert nodes_of(p, under) == before
    assert nodes_of(p, stands) != before
    p.pawl("resume", str(under), "-f", "env")
    assert nodes_of(p, under) != before
    assert nodes_of(p, under - 1) == before


@scenario
def run_it_stands_for_collected(p):
    stands = p.look("SELECT same_as FROM run ORDER BY id DESC LIMIT 1")[0][0]
    p.pawl("run", "w")
    under = p.newest()[0]
    before = nodes_of(p, under)
    p.pawl("run", "w", "-f", "tool")
    p.sql("UPDATE run SET started_ms = 1 WHERE id = ?", stands)
    p.pawl("gc", "--older-than", "1d")
    assert not p.look("SELECT 1 FROM run WHERE id = ?", stands)
    assert nodes_of(p, under) == before
    assert nodes_of(p, under - 1) == before
    assert not p.run()[1]


# Never sealed: what pawl can't vouch for without a look.
NEVER = {
    "warning": "name: w\nnodes:\n  - id: a\n    reads: []\n    bash: echo hi\n    model: large\n",
    "ttl": "name: w\nnodes:\n  - id: a\n    reads: []\n    cache: {ttl: 1h}\n    bash: echo hi\n",
    "always": "name: w\nnodes:\n  - id: a\n    always_run: true\n    bash: echo hi\n",
    "fan": "name: w\nnodes:\n  - id: a\n    reads: []\n    fan_out: {items: [1, 2]}\n    bash: echo hi\n",
    "secret": "name: w\nnodes:\n  - id: a\n    reads: []\n    secrets: [FOO]\n    bash: echo hi\n",
    "artifacts": "name: w\nnodes:\n  - id: a\n    reads: []\n    bash: echo hi >\"$ARTIFACTS_DIR/f\"\n",
    "policy": "name: w\npolicy: [rule.lua]\nnodes:\n  - id: a\n    reads: []\n    bash: echo hi\n",
}


def never(name):
    def change(p):
        for _ in range(2):
            assert not p.run()[0]
    change.workflow = NEVER[name]
    return change


for each in NEVER:
    SCENARIOS[f"never_{each}"] = never(each)


def prepare(p, fn):
    if hasattr(fn, "workflow"):
        p.write(".pawl/workflows/w.yaml", fn.workflow)
        p.write("rule.lua", "return {api = 1, reuse = function(node, stored) return true end}\n")
    p.pawl("run", "w", "-q")


def try_one(p, fn):
    if not hasattr(fn, "workflow"):
        looked = p.run()
        assert looked == (False, set()), looked
        under = p.run()
        assert under == (True, set()), under
    fn(p)


def main():
    shutil.rmtree(ROOT, ignore_errors=True)
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
        shutil.rmtree(ROOT)
    return bool(failed)


sys.exit(main())
