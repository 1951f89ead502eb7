"""Words that have no place in finished files: notes to oneself, and paths of one machine."""
import re

ABOUT = "no notes to oneself, no paths of one machine"
# Put together here, so that this file has none of them.
NOTES = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X")) + r")\b")
PATHS = re.compile(r"(?<![\w.])/(?:" + "|".join(("wo" + "rk/", "ro" + "ot/", "home/[a-z]+/")) + ")")
# A path is data where a test hands it to the code under test.
PATHS_ARE_DATA = ("tests/", "docs/")
HOME_ONLY = re.compile(r"/home/[a-z]+/|/ro" + "ot/")


def run(tree):
    for name in tree.files("."):
        try:
            text = (tree.root / name).read_text()
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.split("\n"), 1):
            note = NOTES.search(line)
            if note:
                yield name, number, f"a note to oneself: {note.group()}"
            path = PATHS.search(line)
            if path and not (name.startswith(PATHS_ARE_DATA) and HOME_ONLY.match(path.group())):
                yield name, number, f"a path of one machine: {path.group()}"


BAD = [
    ({"core/a.c": "int a; /* TO" + "DO: b */\n"}, ["core/a.c:1", "note to oneself"]),
    ({"docs/a.md": "\nFIX" + "ME\n"}, ["docs/a.md:2", "note to oneself"]),
    ({"Makefile": "a: /wo" + "rk/b\n"}, ["Makefile:1", "path of one machine"]),
    ({"core/a.c": "char a[] = \"/home/me/x\";\n"}, ["core/a.c:1", "path of one machine"]),
]
GOOD = {
    "core/a.c": "char a[] = \"file.XX" + "XXXX\"; /* see doc/wo" + "rk/a */\n",
    "docs/a.md": "/home/ann/project\n",
}
