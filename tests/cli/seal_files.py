"""Files, links, directories and programs: whatever makes a difference to what is read makes one to the seal."""
import json
import mmap
import os
import subprocess
import time

from seal_project import looks, scenario

LIST = "name: w\nnodes:\n  - id: t\n    reads: [dir]\n    bash: find dir | LC_ALL=C sort; find -L dir -type f -exec cat {} +\n"


def tree(setup=None):
    return scenario(workflow=LIST, setup=setup)


def make(p, **files):
    for name, text in files.items():
        path = p.path(name.replace("__", "/"))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        p.write(name.replace("__", "/"), text)


# ---- directories ----

@tree()
def an_empty_directory_appears(p):
    os.mkdir(p.path("dir/new"))
    looks(p, "t")


@tree(setup=lambda p: os.makedirs(p.path("dir/sub/new")))
def an_empty_directory_goes(p):
    os.rmdir(p.path("dir/sub/new"))
    looks(p, "t")


@tree(setup=lambda p: os.mkdir(p.path("dir/sub")))
def an_empty_directory_is_renamed(p):
    os.rename(p.path("dir/sub"), p.path("dir/sud"))
    looks(p, "t")


@tree(setup=lambda p: os.mkdir(p.path("dir/sub")))
def a_directory_becomes_a_file(p):
    os.rmdir(p.path("dir/sub"))
    p.write("dir/sub", "")
    looks(p, "t")


@tree(setup=lambda p: os.mkdir(p.path("dir/sub")))
def the_mode_of_a_directory_changes(p):
    os.chmod(p.path("dir/sub"), 0o711)
    looks(p)


@tree(setup=lambda p: os.mkdir(p.path("dir/sub")))
def the_times_of_a_directory_change(p):
    """They do whenever what a node itself makes there comes and goes."""
    os.utime(p.path("dir/sub"))
    assert p.run() == (True, set())


@tree(setup=lambda p: [os.unlink(p.path("dir/a")), os.unlink(p.path("dir/b"))])
def a_directory_can_no_longer_be_listed(p):
    """Nothing else of it has changed: it was empty, and what it has now is too deep."""
    fd = os.open(p.path("dir"), os.O_RDONLY)
    for _ in range(1100):
        os.mkdir("d", dir_fd=fd)
        inner = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
    os.close(fd)
    try:
        assert not p.run(code=None)[0]
    finally:
        subprocess.run(["rm", "-rf", p.path("dir")], check=True)  # whoever walks what a failed test leaves may not get through


@tree(setup=lambda p: os.rename(p.path("dir"), p.path("was")) or os.symlink("was", p.path("dir")))
def a_link_becomes_a_directory(p):
    os.unlink(p.path("dir"))
    os.rename(p.path("was"), p.path("dir"))
    looks(p)


def linked_out(p):
    make(p, deep__x="far\n", x="near\n")
    os.symlink("../x", p.path("dir/l"))


@tree(setup=linked_out)
def a_directory_moves_behind_a_link(p):
    """Nothing in it has changed, but where its links lead."""
    os.rename(p.path("dir"), p.path("deep/dir"))
    os.symlink("deep/dir", p.path("dir"))
    looks(p, "t")


# ---- links ----

def linked_by_the_way(p):
    make(p, a__x="one\n", b__x="two\n")
    os.symlink("a", p.path("way"))
    os.symlink("../way/x", p.path("dir/l"))


@tree(setup=linked_by_the_way)
def the_way_of_a_link_leads_elsewhere(p):
    os.unlink(p.path("way"))
    os.symlink("b", p.path("way"))
    looks(p, "t")


@tree(setup=linked_by_the_way)
def what_a_link_leads_to_is_edited(p):
    p.quietly("a/x", "ONE\n")
    looks(p, "t")


def linked_directory(p):
    make(p, other__x="one\n")
    os.symlink("../other", p.path("dir/l"))


@tree(setup=linked_directory)
def a_file_appears_in_a_linked_directory(p):
    make(p, other__new="new\n")
    looks(p, "t")


@tree(setup=linked_directory)
def a_directory_appears_in_a_linked_directory(p):
    os.mkdir(p.path("other/new"))
    looks(p, "t")


@tree(setup=linked_directory)
def a_file_in_a_linked_directory_is_edited(p):
    p.quietly("other/x", "ONE\n")
    looks(p, "t")


@tree(setup=lambda p: os.symlink("../nowhere", p.path("dir/l")))
def what_a_link_leads_to_appears(p):
    p.write("nowhere", "now\n")
    looks(p, "t")


@scenario(workflow="name: w\nnodes:\n  - id: g\n    reads: ['dir/*']\n    bash: cat dir/*\n",
          setup=lambda p: make(p, x="one\n") or os.symlink("../x", p.path("dir/l")))
def what_a_link_in_a_glob_leads_to_is_edited(p):
    p.quietly("x", "ONE\n")
    looks(p, "g")


# ---- files ----

@scenario
def the_mode_of_a_file_changes(p):
    os.chmod(p.path("in.txt"), 0o755)
    looks(p, "read")


@scenario
def a_file_becomes_a_directory(p):
    os.unlink(p.path("out.txt"))
    os.mkdir(p.path("out.txt"))
    assert not p.run(code=None)[0]


@scenario
def a_file_is_replaced_by_a_link(p):
    os.rename(p.path("in.txt"), p.path("in2.txt"))
    os.symlink("in2.txt", p.path("in.txt"))
    looks(p)


MADE = "name: w\nnodes:\n  - id: a\n    reads: []\n    writes: [link, empty]\n    bash: ln -sfn in.txt link; mkdir -p empty\n"


@scenario(workflow=MADE)
def a_link_that_was_made_goes(p):
    os.unlink(p.path("link"))
    looks(p)
    assert os.readlink(p.path("link")) == "in.txt"


@scenario(workflow=MADE)
def a_directory_that_was_made_goes(p):
    os.rmdir(p.path("empty"))
    looks(p)
    assert os.path.isdir(p.path("empty"))


def twins(p):
    """Two files that the kernel tells apart by their inodes alone."""
    for d in ("d", "d2"):
        os.mkdir(p.path(d))
    for _ in range(1000):
        for d, text in (("d", b"one\n"), ("d2", b"two\n")):
            fd = os.open(p.path(d + "/f"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.write(fd, text)
            os.close(fd)
        a, b = os.stat(p.path("d/f")), os.stat(p.path("d2/f"))
        if (a.st_mtime_ns, a.st_ctime_ns) == (b.st_mtime_ns, b.st_ctime_ns):
            return
        os.unlink(p.path("d/f"))
        os.unlink(p.path("d2/f"))
    raise AssertionError("no two files got the same times")


@scenario(workflow="name: w\nnodes:\n  - id: f\n    reads: [d/f]\n    bash: cat d/f\n", setup=twins)
def a_file_is_exchanged_for_its_twin(p):
    os.rename(p.path("d"), p.path("d3"))
    os.rename(p.path("d2"), p.path("d"))
    looks(p, "f")


@scenario(workflow="name: w\nnodes:\n  - id: f\n    reads: [dir]\n    bash: cat dir/f\n",
          setup=lambda p: twins(p) or os.rename(p.path("d"), p.path("dir/d")) or make(p, dir__f="f\n"))
def a_file_of_a_tree_is_exchanged_for_its_twin(p):
    os.rename(p.path("dir/d"), p.path("d3"))
    os.rename(p.path("d2"), p.path("dir/d"))
    looks(p, "f")


def future(p, name):
    later = time.time_ns() + 3600 * 10**9
    os.utime(p.path(name), ns=(later, later), follow_symlinks=False)


@scenario(setup=lambda p: future(p, "in.txt"), sealed=False)
def a_file_of_the_future(p):
    for _ in range(3):
        assert p.run() == (False, set())


@scenario(workflow=LIST, setup=lambda p: os.symlink("a", p.path("dir/l")) or future(p, "dir/l"), sealed=False)
def a_link_of_the_future_in_a_tree(p):
    for _ in range(3):
        assert p.run() == (False, set())


def young(p, name):
    """Not trusted while it is young, whatever the time says that anybody can set.  Where this machine is too slow to run
    in time it is tried again."""
    for _ in range(20):
        os.utime(p.path(name), (1, 1), follow_symlinks=False)
        began = os.lstat(p.path(name)).st_ctime
        p.run()
        if time.time() - began < 2:
            assert p.run() == (False, set())
            return


@scenario
def a_young_file(p):
    young(p, "in.txt")


@tree(setup=lambda p: os.symlink("a", p.path("dir/l")))
def a_young_link_in_a_tree(p):
    young(p, "dir/l")


# ---- programs ----

@scenario(workflow="name: w\nnodes:\n"
                   "  - {id: one, dir: one, reads: [], bash: ./t.sh}\n"
                   "  - {id: two, dir: two, reads: [], bash: ./t.sh}\n",
          setup=lambda p: [os.mkdir(p.path(d)) or p.write(d + "/t.sh", f"#!/bin/sh\necho {d}\n", 0o755) for d in ("one", "two")])
def programs_of_two_directories(p):
    p.quietly("two/t.sh", "#!/bin/sh\necho TWO\n")
    looks(p, "two")


@scenario
def a_program_goes(p):
    os.unlink(p.path("bin/mytool"))
    assert not p.run(code=1)[0]


# ---- two views of one tree ----

@scenario(workflow="name: w\nnodes:\n"
                   "  - {id: a, reads: [dir], writes: [dir/out], bash: 'ls dir >list; cp list dir/out'}\n"
                   "  - {id: b, depends_on: [a], reads: [dir], bash: ls dir}\n",
          setup=lambda p: p.write("list", ""))
def two_views_of_one_tree(p):
    p.write("dir/c", "c\n")
    looks(p, "a", "b")


# ---- what no time shows ----

def mapped(p):
    with open(p.path("in.txt"), "r+b") as f:
        p.map = mmap.mmap(f.fileno(), 0)
    p.map[0:5] = b"INPUT"
    p.map[0:5] = b"input"


def write_unseen(p, text):
    """Through the mapping, to a page that is dirty already.  Whether the kernel has written it back meanwhile, so that the
    write is seen after all, is not ours to say: False then."""
    before = os.stat(p.path("in.txt"))
    p.map[0:5] = text
    now = os.stat(p.path("in.txt"))
    return (before.st_mtime_ns, before.st_ctime_ns) == (now.st_mtime_ns, now.st_ctime_ns)


@scenario(setup=mapped)
def written_through_a_mapping(p):
    if not write_unseen(p, b"INPUT"):
        looks(p, "read", "make")
        return
    assert p.run() == (True, set())  # the limit
    sealed, ran = p.run("--rehash")
    assert not sealed and ran == {"read", "make"}, ran
    assert p.pawl("output", "last/read") == "INPUT\n"
    looks(p)


def changed_unseen(p):
    p.write("in.txt", "INPUT\n")
    p.forge_memo("in.txt", "input\n")


@scenario
def reading_again(p):
    changed_unseen(p)
    looks(p)  # the limit
    p.pawl("plan", "w", "--exit-code")
    p.pawl("plan", "w", "--rehash", "--exit-code", code=10)
    looks(p)  # a plan changes nothing
    sealed, ran = p.run("--rehash")
    assert not sealed and "read" in ran
    assert p.pawl("output", "last/read") == "INPUT\n"
    looks(p)
    assert p.pawl("output", "last/read") == "INPUT\n"


@scenario
def reading_again_in_a_resume(p):
    p.write(".pawl/workflows/w.yaml", p.read(".pawl/workflows/w.yaml") + "  - id: bad\n    bash: exit 1\n")
    p.run(code=1)
    changed_unseen(p)
    assert "read" not in p.run_resumed(code=1)
    assert "read" in p.run_resumed("--rehash", code=1)


@scenario
def all_that_is_stored_is_read(p):
    p.pawl("verify", "--store")
    assert p.run() == (True, set())  # it changed nothing
    changed_unseen(p)
    assert "in.txt" in p.pawl("verify", "--store", code=4)
    looks(p, "read", "make")
    assert p.pawl("output", "last/read") == "INPUT\n"
    p.pawl("verify", "--store")


@scenario
def all_that_is_stored_is_read_and_damaged(p):
    def problems():
        found = [json.loads(line) for line in p.pawl("verify", "--store", "--json", code=4).splitlines()]
        return sorted({o["check"] for o in found if o["finding"] == "problem"})
    blobs = [os.path.join(d, f) for d, _, files in os.walk(p.path(".pawl/state/blobs")) for f in files]
    os.chmod(blobs[0], 0o600)
    with open(blobs[0], "r+b") as f:
        f.write(b"y")
    assert problems() == ["blob", "result"]
    os.unlink(blobs[0])
    assert problems() == ["blob", "result"]
    looks(p, "big")
    p.pawl("verify", "--store")
    p.sql("UPDATE result SET output_size = 7 WHERE node = 'tree'")
    assert problems() == ["database"]
    looks(p, "tree")
    p.pawl("verify", "--store")


@scenario(workflow="name: w\nnodes:\n  - {id: a, reads: [], writes: [o], bash: echo made >o}\n")
def a_file_that_a_result_needs_is_lost(p):
    p.sql("DELETE FROM blob WHERE size = 5")
    assert "its file o" in p.pawl("verify", "--store", code=4)
