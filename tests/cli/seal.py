#!/usr/bin/env python3
"""Seals: a run like the last one, in which nothing was to do, is recorded without a look at its nodes; and anything that
could make a difference makes pawl look.  usage: seal.py PAWL DIRECTORY [SCENARIO...]"""
import json
import os
import shutil
import subprocess
import sys

import seal_files  # noqa: F401, its scenarios  pylint: disable=unused-import
import seal_never  # noqa: F401  pylint: disable=unused-import
from seal_project import PART, PAWL, TOOL, WORKFLOW, looks, main, scenario


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
    """In a number that is only told, not held against anything."""
    with open(p.seal(), "r+b") as f:
        at = f.read().index(b"\nr ") + 3
        f.seek(at)
        f.write(b"7")
    looks(p)


@scenario
def seal_cut_short(p):
    name = p.seal()
    for size in (0, 10, os.path.getsize(name) - 1):
        os.truncate(name, size)
        sealed, ran = p.run()
        assert not sealed and not ran


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


sys.exit(main())
