"""What is never sealed, since pawl can't vouch for it without a look; and what seals are held against besides files."""
import hashlib
import os
import re
import signal
import subprocess
import time

from seal_project import PAWL, SCENARIOS, WORKFLOW, looks, scenario

HI = "name: w\nnodes:\n  - id: a\n    reads: []\n    bash: echo hi\n"
NEVER = {
    "warning": HI + "    model: large\n",
    "ttl": HI + "    cache: {ttl: 1h}\n",
    "always": "name: w\nnodes:\n  - id: a\n    always_run: true\n    bash: echo hi\n",
    "fan": HI + "    fan_out: {items: [1, 2]}\n",
    "loop": "name: w\nnodes:\n  - id: g\n    loop_group: {nodes: [{id: a, reads: [], bash: echo hi}], until: hi, max_iterations: 2}\n",
    "subrun": "name: w\nnodes:\n  - id: a\n    workflow: part\n",
    "secret": HI + "    secrets: [FOO]\n",
    "skipped_secret": HI + "  - id: b\n    secrets: [FOO]\n    depends_on: [a]\n    when: \"$a.output == 'b'\"\n    bash: echo\n",
    "artifacts": "name: w\nnodes:\n  - id: a\n    reads: []\n    bash: echo hi >\"$ARTIFACTS_DIR/f\"\n",
    "policy": "name: w\npolicy: [rule.lua]\nnodes:\n  - id: a\n    reads: []\n    bash: echo hi\n",
    "other_type": "name: w\nnodes:\n  - id: a\n    unstable: hi\n",
}


def never(name):
    def change(p):
        for _ in range(2):
            assert not p.run()[0]

    def setup(p):
        p.write("rule.lua", "return {api = 1, reuse = function(node, stored) return true end}\n")
        p.plugin("unstable")  # a type that does not say that its keys rest on nothing else
    change.__name__ = f"never_{name}"
    scenario(workflow=NEVER[name], setup=setup, sealed=False)(change)


for each in NEVER:
    never(each)


@scenario(workflow="name: w\ninputs: {x: {default: a}}\nnodes:\n  - id: a\n    when: \"$INPUTS.x == 'b'\"\n    bash: echo hi\n",
          sealed=False)
def never_all_skipped(p):
    """It fails, since it did nothing; under a seal runs complete."""
    for _ in range(3):
        assert p.run(code=1) == (False, set())


def asks(name, *args):
    """After a run with these options, in which nothing was to do, neither the same again nor a plain run has a seal."""
    def change(p):
        for _ in range(2):
            assert p.run(*args) == (False, set()), args
        assert p.run() == (False, set())
        assert p.run() == (True, set())
    change.__name__ = f"asked_{name}"
    scenario(change)


asks("from", "--from", "read")
asks("until", "--until", "make")
asks("reuse_only", "--reuse=only")
asks("resume", "--resume")
asks("no_suspect", "--no-suspect")
asks("rehash", "--rehash")
asks("input_file", "--input-file", ".pawl/inputs.json")
SCENARIOS["asked_input_file"].setup = lambda p: p.write(".pawl/inputs.json", '{"level": "low"}\n')


@scenario
def asked_to_run_again(p):
    for args, nodes in ((["-f", "tool"], {"tool"}), (["--no-resume"], None), (["--force-all"], None)):
        for _ in range(2):
            sealed, ran = p.run(*args)
            assert not sealed and (ran == nodes if nodes else len(ran) > 5), args


@scenario
def asked_to_plan(p):
    run = p.newest()
    p.pawl("plan", "w")
    p.pawl("run", "w", "-n")
    assert p.newest() == run


@scenario
def asked_how(p):
    """How it is run decides nothing, but each way has a seal of its own."""
    for args in (["-j", "1"], ["--fail-fast"]):
        assert p.run(*args) == (False, set())
        assert p.run(*args) == (True, set())


@scenario(workflow=HI.replace("hi", "$ARGUMENTS"))
def other_arguments(p):
    for words in (["--", "one"], ["--", "two"]):
        p.args = words
        looks(p, "a")


@scenario
def another_plugin_path(p):
    os.mkdir(p.path("more"))
    assert p.run("--plugin-path", p.path("more")) == (False, set())


def included_by_name(p):
    os.mkdir(p.path(".pawl/workflows/deep"))
    p.write(".pawl/workflows/q.yaml", "name: other\nnodes:\n  - id: one\n    reads: []\n    bash: echo one\n")


@scenario(workflow=HI + "  - id: inc\n    include: other\n", setup=included_by_name)
def an_included_name_becomes_ambiguous(p):
    p.write(".pawl/workflows/deep/x.yaml", "name: other\nnodes:\n  - id: one\n    bash: echo other\n")
    p.pawl("run", "w", code=2)


# ---- the store ----

@scenario
def a_row_was_damaged(p):
    """Of an older result under the same key, which nobody needs: it is seen once, and so long nothing is sealed."""
    old = p.look("SELECT id FROM result WHERE node = 'read'")[0][0]
    p.write("in.txt", "other\n")
    looks(p, "read", "make")
    p.write("in.txt", "input\n")
    os.utime(p.path("in.txt"), (1, 1))
    time.sleep(2.2)
    p.run()
    new = p.look("SELECT max(id) FROM result WHERE node = 'read'")[0][0]
    assert new > old
    p.sql("UPDATE result SET checksum = X'00' WHERE id = ?", new)
    for sealed in (False, False, True):
        assert p.run() == (sealed, set())


@scenario
def another_run_wrote_in_the_same_tick(p):
    """The file of the database shows nothing then: its times stand still for a few milliseconds.  Played by a seal that
    has today's times and the generation of before."""
    name = p.seal()
    with open(name, "rb") as f:
        text = f.read()
    p.pawl("run", "part", "-q")
    st = os.stat(p.path(".pawl/state/pawl.db"))
    assert os.path.getsize(p.path(".pawl/state/pawl.db-wal")) == 0
    lines = text.split(b"\n")
    head = lines[1].split(b" ")
    assert head[0] == b"run" and len(head) == 9
    now = f"{st.st_dev} {st.st_ino} {st.st_size} {st.st_mtime_ns} {st.st_ctime_ns} {st.st_mode:o}".encode()
    lines[1] = b" ".join(head[:3] + [now])
    body = b"\n".join(lines[:-2]) + b"\n"
    with open(name, "wb") as f:
        f.write(body + b"end " + hashlib.sha256(body).hexdigest().encode() + b"\n")
    looks(p)


MEDDLE = """\
name: w
nodes:
  - id: first
    meddle: x
  - id: tree
    depends_on: [first]
    reads: [dir, d/f]
    bash: ls dir; cat d/f
  - id: last
    depends_on: [tree]
    meddle: y
"""


def with_meddle(p):
    p.plugin("meddle")
    for d in ("d", "d2"):
        os.mkdir(p.path(d))
    p.write("d/f", "one\n")
    p.write("d2/f", "two\n")
    os.mkdir(p.path("dir/empty"))


def meddling(script):
    """The next run goes on while the script is run: at the first node's key (NTH=1), or the last one's (NTH=2)."""
    def meddle(p, nth):
        p.write("meddle.sh", f"echo >>count; [ $(wc -l <count) -eq {nth} ] || exit 0\n" + script)
        os.unlink(p.seal())
        assert p.run() == (False, set())
        os.unlink(p.path("meddle.sh"))
    return meddle


@scenario(workflow=MEDDLE, setup=with_meddle)
def another_run_while_it_was_looked_at(p):
    """What it let go of would still be reused, if the seal began behind it."""
    meddling(f"'{PAWL}' run part -q\n")(p, 1)
    assert p.run() == (False, set())


@scenario(workflow=MEDDLE, setup=with_meddle)
def a_directory_went_while_it_was_looked_at(p):
    """Nothing that is left in the tree is young, and no content was looked at."""
    meddling("rmdir dir/empty\n")(p, 2)
    looks(p, "tree", "last")


@scenario(workflow=MEDDLE, setup=with_meddle)
def a_file_was_exchanged_while_it_was_looked_at(p):
    """For an old one: a directory was moved."""
    meddling("mv d d3; mv d2 d\n")(p, 2)
    looks(p, "tree", "last")


def long_run(p):
    os.mkfifo(p.path("fifo"))
    p.write(".pawl/workflows/long.yaml", "name: long\nnodes:\n  - id: a\n    bash: read x <fifo\n")


@scenario(setup=long_run)
def another_run_goes_on(p):
    """When it is killed, what it leaves running is to be found by the next one."""
    with subprocess.Popen([PAWL, "run", "long", "-q"], cwd=p.dir, env=p.env, stderr=subprocess.DEVNULL) as other:
        while not p.look("SELECT 1 FROM run WHERE workflow = 'long'"):
            time.sleep(0.01)
        with open(p.path("fifo"), "w", encoding="utf-8"):  # its body has begun
            for _ in range(3):
                assert p.run() == (False, set())
            other.send_signal(signal.SIGKILL)
    p.pawl("run", "w")
    assert p.look("SELECT count(*) FROM run WHERE state = 'running'") == [(0,)]
    assert p.run() == (False, set())
    assert p.run() == (True, set())


# ---- what is told ----

@scenario
def sentences_under_the_seal(p):
    def told(events):
        age = re.compile(r"(just now|\S+ ago)")
        return [(e.get("node"), e.get("reason"), age.sub("", e["sentence"])) for e in events if e.get("sentence")]
    under = told(p.events(p.pawl("run", "w", "--json")))
    assert p.newest()[1] and any("never" == n for n, _, _ in under)
    p.write(".pawl/workflows/w.yaml", WORKFLOW + "# another\n")
    looked = told(p.events(p.pawl("run", "w", "--json")))
    assert not p.newest()[1]
    assert under == looked, (under, looked)
