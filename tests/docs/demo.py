"""demo: plays docs/demo/demo.sh from another directory, piped and on a terminal, and checks what it must show."""
import os
import pty
import subprocess
import sys
import tempfile

script, pawl = map(os.path.abspath, sys.argv[1:3])

# In this order; each stands in a line of its own making.
WANTED = [
    "  skip  save-draft  (done)",
    "error[E-REF-QUOTED]",
    "{title:It is out,changes:[faster,safer]}",
    "run 1 of release, attempt 2",
    "  reuse  compose     from run 1",
    "  run    save-draft  its body changed since run 1",
    "run 1 completed: 2 ran, 1 reused",
    "published: It is out 2 changes",
    "  reuse  compose     from run 2",
    "  it consumed 1 reused result:",
    "pawl invalidate 2 save-draft",
    "invalidated:",
    "the server was ill",
    "published: It is out 3 changes",
    "  run    save-draft  reuse is off",
    "run 3 completed: 3 ran, 0 reused",
    "  run    publish     it says `always_run: true`",
    "What was reused, and why",
    "  save-draft  run    body_changed: ",
    "  compose     run    invalidated: ",
    "  publish     run    no_resume: ",
    "  save-draft  reuse  reuse: from run 3",
    "  publish     run    always_run: ",
]


def check(text, where):
    at = 0
    for wanted in WANTED:
        found = text.find(wanted, at)
        if found < 0:
            sys.exit(f"{where}: {wanted!r} is missing or out of order in\n{text}")
        at = found + len(wanted)


def piped(env, cwd):
    done = subprocess.run([script], cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=1000)
    text = done.stdout.decode()
    if done.returncode or done.stderr:
        sys.exit(f"piped: exit {done.returncode}\n{text}\n{done.stderr.decode()}")
    if "\033" in text:
        sys.exit("piped: there are colours in a pipe")
    return text


def on_terminal(env, cwd):
    pid, fd = pty.fork()
    if not pid:
        os.chdir(cwd)
        os.execve(script, [script], env)
    text = b""
    while True:
        try:
            chunk = os.read(fd, 65536)
        except OSError:
            break
        if not chunk:
            break
        text += chunk
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]):
        sys.exit("on a terminal: it failed\n" + text.decode())
    return text.decode()


with tempfile.TemporaryDirectory() as scratch:
    temp, cwd = os.path.join(scratch, "a b"), os.path.join(scratch, "somewhere")
    os.mkdir(temp)
    os.mkdir(cwd)
    env = dict(os.environ, PAWL=pawl, TMPDIR=temp, TERM="xterm")
    env.pop("NO_COLOR", None)
    check(piped(env, cwd), "piped")
    if "\033[1m$ " not in on_terminal(env, cwd):
        sys.exit("on a terminal: there are no colours")
    if os.listdir(temp) or os.listdir(cwd):
        sys.exit(f"it left {os.listdir(temp) + os.listdir(cwd)}")
